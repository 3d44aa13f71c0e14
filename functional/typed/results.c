/* results.c: several results of one call. */
#include "results.h"

tern_tensor *tern_typed_results(tern_tensor *input, tern_value all, tern_tensor **const *outs,
                                size_t n_outs) {
    bool fine = tern_value_count(all) > 0;
    for (size_t i = 0; i < n_outs; i++)
        if (outs[i])
            *outs[i] = tern_value_count(all) > i + 1 ? tern_value_at(all, i + 1).as.tensor
                                                     : tern_nil(tern_context_of(input));
    return fine ? tern_value_at(all, 0).as.tensor : tern_nil(tern_context_of(input));
}
