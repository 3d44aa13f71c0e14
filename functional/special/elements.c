/* elements.c: maps in host memory. */
#include "elements.h"

#include "core/ops/compose.h"

static tern_dtype floating_of(tern_dtype dtype) {
    return tern_dtype_is_floating(dtype) ? dtype : TERN_FLOAT32;
}

/* The values as a tensor of `dtype`; gives the buffer back. */
static tern_value result_of(tern_opcall *call, double *values, tern_dtype dtype,
                            const tern_shape *shape) {
    tern_tensor *out = call->ctx->nil;
    if (values) out = tern_new_from_host(call->lane, values, TERN_FLOAT64, shape, NULL);
    tern_host_give(call->ctx, values);
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, tern_to_dtype(out, dtype));
}

tern_value tern_map_elements(tern_opcall *call, tern_real_function function) {
    tern_tensor *x = NULL;
    for (int i = 0; !x; i++) x = tern_arg_tensor(call, i);
    tern_shape shape = tern_shape_of(x);
    tern_dtype dtype = floating_of(BODY(x)->dtype);
    int64_t count = BODY(x)->numel;
    double *values = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    for (int64_t i = 0; values && i < count; i++) values[i] = function(values[i]);
    return result_of(call, values, dtype, &shape);
}

tern_value tern_map_pairs(tern_opcall *call, tern_real_function2 function) {
    tern_value both[2] = {tern_arg(call, 0), tern_arg(call, 1)};
    tern_dtype dtype = floating_of(tern_result_type(both, 2));
    tern_tensor *operands[2];
    double *values[2] = {NULL, NULL};
    tern_shape shape;
    /* In double already, so that a large integer is not rounded to the result's dtype first. */
    for (int i = 0; i < 2; i++) operands[i] = tern_operand_of(call, both[i], TERN_FLOAT64);
    if (call->ctx->status != TERN_OK || !tern_broadcast_shape(call, operands, 2, &shape))
        return tern_none();
    int64_t count = 0;
    for (int i = 0; i < 2; i++) {
        tern_tensor *expanded = tern_expand(operands[i], shape);
        if (call->ctx->status == TERN_OK) {
            count = BODY(expanded)->numel;
            values[i] = tern_host_copy(call->ctx, expanded, TERN_FLOAT64);
        }
    }
    bool ready = values[0] && values[1];
    for (int64_t i = 0; ready && i < count; i++)
        values[0][i] = function(values[0][i], values[1][i]);
    tern_host_give(call->ctx, values[1]);
    return result_of(call, values[0], dtype, &shape);
}
