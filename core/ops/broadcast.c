/* broadcast.c: operands of one dtype and one shape. */
#include <string.h>

#include "core/call/op.h"

tern_tensor *tern_operand_of(tern_opcall *call, tern_value value, tern_dtype dtype) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *result;
    if (value.kind == TERN_VALUE_TENSOR) {
        tern_tensor *t = value.as.tensor;
        if (BODY(t)->dtype == dtype) return t;
        result = tern_tensor_new(BODY(t)->lane, dtype, BODY(t)->rank, BODY(t)->shape);
        if (!tern_is_nil(result)) tern_copy_raw(result, t);
        return result;
    }
    if (!tern_value_is_number(value)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expected a tensor or a number, got %s",
                       tern_kind_name(value.kind));
        return ctx->nil;
    }
    if (tern_is_complex(dtype)) {
        result = tern_tensor_new(call->lane, dtype, 0, NULL);
        tern_fill_raw(result, tern_value_as_double(value), 0);
        return result;
    }
    return tern_tensor_number(call->lane, dtype, tern_value_as_double(value),
                              tern_value_as_int(value));
}

bool tern_broadcast_shape(tern_opcall *call, tern_tensor *const *tensors, int count,
                          tern_shape *out_shape) {
    out_shape->rank = 0;
    for (int i = 0; i < count; i++)
        if (BODY(tensors[i])->rank > out_shape->rank) out_shape->rank = BODY(tensors[i])->rank;
    for (int d = 0; d < out_shape->rank; d++) out_shape->dim[d] = 1;
    for (int i = 0; i < count; i++) {
        const tern_tensor *t = tensors[i];
        for (int d = 0; d < BODY(t)->rank; d++) {
            int64_t *size = &out_shape->dim[out_shape->rank - BODY(t)->rank + d];
            if (BODY(t)->shape[d] == *size || BODY(t)->shape[d] == 1) continue;
            if (*size != 1) {
                tern_call_fail(
                    call, TERN_ERR_ARGUMENT,
                    "The size of tensor a (%lld) must match the size of tensor b (%lld) at "
                    "non-singleton dimension %d",
                    (long long)*size, (long long)BODY(t)->shape[d],
                    out_shape->rank - BODY(t)->rank + d);
                return false;
            }
            *size = BODY(t)->shape[d];
        }
    }
    return true;
}

tern_tensor *tern_map_output(tern_opcall *call, tern_dtype dtype, const tern_shape *shape) {
    tern_tensor *out = call->out;
    bool direct = out && BODY(out)->dtype == dtype && BODY(out)->rank == shape->rank;
    for (int d = 0; direct && d < shape->rank; d++) direct = BODY(out)->shape[d] == shape->dim[d];
    if (direct) {
        /* Another operand over the same storage, laid out otherwise, would be overwritten unread.
         */
        for (int i = 0; direct && i < call->n_args; i++) {
            if (call->args[i].kind != TERN_VALUE_TENSOR) continue;
            const tern_tensor *t = call->args[i].as.tensor;
            if (t == out || BODY(t)->storage != BODY(out)->storage) continue;
            direct = BODY(t)->offset == BODY(out)->offset && tern_same_shape(t, out) &&
                     tern_dims_equal(BODY(t)->rank, BODY(t)->strides, BODY(out)->strides);
        }
        if (direct) return out;
    }
    return tern_tensor_new(call->lane, dtype, shape->rank, shape->dim);
}
