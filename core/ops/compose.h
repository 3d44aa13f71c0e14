/*
 * compose.h: short spellings for operations that are composed of others, and the dtype they compute
 * in: float16 and bfloat16 widen to float32 and round once, at the end.
 */
#ifndef TERN_CORE_OPS_COMPOSE_H
#define TERN_CORE_OPS_COMPOSE_H

#include "layout.h"

/* float32 for the 16-bit types, else the dtype itself. */
static inline tern_dtype tern_wide_dtype(tern_dtype dtype) {
    bool narrow = dtype == TERN_FLOAT16 || dtype == TERN_BFLOAT16;
    return narrow ? TERN_FLOAT32 : dtype;
}

/* The tensor in the dtype to compute in; NULL stays NULL. */
static inline tern_tensor *tern_widen(tern_tensor *x) {
    return x ? tern_to_dtype(x, tern_wide_dtype(BODY(x)->dtype)) : NULL;
}

/* A result in the dtype of the call's first argument, where that is floating. None after latching. */
static inline tern_value tern_narrowed(const tern_opcall *call, tern_tensor *result) {
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    return tern_result(call, tern_dtype_is_floating(dtype) ? tern_to_dtype(result, dtype) : result);
}

static inline tern_tensor *tern_at_least(tern_tensor *x, double min) {
    return TERN_CALL(clamp, ARG_TENSOR(x), ARG_FLOAT(min));
}
static inline tern_tensor *tern_at_most(tern_tensor *x, double max) {
    return TERN_CALL(clamp, ARG_TENSOR(x), tern_none(), ARG_FLOAT(max));
}

/* x with zeros after it up to `shape`: the gradient of a source that was larger than its index. */
static inline tern_tensor *tern_pad_to(tern_tensor *x, tern_shape shape) {
    tern_shape pad = {0, {0}};
    bool same = true;
    for (int d = BODY(x)->rank - 1; d >= 0 && pad.rank + 2 <= TERN_MAX_RANK; d--) {
        pad.dim[pad.rank++] = 0;
        pad.dim[pad.rank++] = shape.dim[d] - BODY(x)->shape[d];
        same = same && shape.dim[d] == BODY(x)->shape[d];
    }
    return same || tern_is_nil(x) ? x : TERN_CALL(constant_pad_nd, ARG_TENSOR(x), ARG_SHAPE(pad));
}

#endif
