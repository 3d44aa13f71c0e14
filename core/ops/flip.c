/* flip.c: the order of dimensions reversed. Strides are never negative, so the result is a copy. */
#include "layout.h"

static tern_tensor *reversed(tern_tensor *input, int dim) {
    int64_t size = BODY(input)->shape[dim];
    tern_tensor *index =
        TERN_CALL_CTX(BODY(input)->ctx, arange, ARG_INT(size - 1), ARG_INT(-1), ARG_INT(-1));
    return tern_index_select(input, dim, tern_to_device(index, tern_device_of(input)));
}

tern_value tern_op_flip(tern_opcall *call) {
    tern_shape dims = tern_arg_ints(call, 1);
    tern_tensor *input = tern_arg_tensor(call, 0), *out = input;
    uint32_t mask = 0;
    if (dims.rank < 0) return tern_none();
    if (dims.rank > 0 && !tern_wrap_dims(call->ctx, BODY(input)->rank, &dims, &mask))
        return tern_none();
    for (int d = 0; d < BODY(input)->rank && call->ctx->status == TERN_OK; d++)
        if ((mask >> d & 1u) && BODY(input)->shape[d] > 0) out = reversed(out, d);
    return tern_result(call, out == input ? tern_clone(input) : out);
}
