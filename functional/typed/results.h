/* results.h: how the C functions of operations with several results hand them out. */
#ifndef TERN_TYPED_RESULTS_H
#define TERN_TYPED_RESULTS_H

#include "functional/functional.h"

/* The first result of a call; the others go where they are asked for (a NULL is passed over). nil after an
 * error. */
tern_tensor *tern_typed_results(tern_tensor *input, tern_value all, tern_tensor **const *outs,
                                size_t n_outs);

#define RESULTS(input, all, ...)                                                                   \
    tern_typed_results(input, all, (tern_tensor * *const[]){__VA_ARGS__},                          \
                       sizeof((tern_tensor **const[]){__VA_ARGS__}) / sizeof(tern_tensor **))

#endif
