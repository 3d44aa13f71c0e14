/* copy.c: clone, conversions of dtype and device, copy_ and fill_. */
#include <string.h>

#include "../op.h"

static tern_tensor *copy_of(tern_tensor *input, tern_lane *lane, tern_dtype dtype) {
    tern_tensor *result = tern_tensor_new(lane, dtype, input->rank, input->shape);
    if (!tern_is_nil(result)) tern_copy_raw(result, input);
    return result;
}

tern_value tern_op_clone(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return T(copy_of(input, input->lane, input->dtype));
}

void tern_grad_clone(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    (void)node;
    grads[0] = grad_out[0];
}

tern_value tern_op_alias(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return T(tern_tensor_view(input, input->rank, input->shape, input->strides, input->offset));
}

void tern_grad_alias(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    (void)node;
    grads[0] = grad_out[0];
}

tern_value tern_op_contiguous(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return T(tern_is_contiguous(input) ? input : tern_clone(input));
}

tern_value tern_op_to_dtype(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return T(copy_of(input, input->lane, tern_arg_dtype(call, 1, input->dtype)));
}

/* The engine converts a gradient to its input's dtype and device. */
void tern_grad_to_dtype(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    (void)node;
    grads[0] = grad_out[0];
}

tern_value tern_op_to_device(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_lane *lane = tern_lane_open(call->ctx, tern_arg_text(call, 1, ""));
    return lane ? T(copy_of(input, lane, input->dtype)) : tern_none();
}

void tern_grad_to_device(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    (void)node;
    grads[0] = grad_out[0];
}

/* input.copy_(src): the source in the input's shape and dtype, on its device. */
tern_value tern_op_copy(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *src = tern_arg_tensor(call, 1);
    tern_tensor *pair[] = {input, src};
    tern_shape shape;
    if (!tern_broadcast_shape(call, pair, 2, &shape)) return tern_none();
    tern_shape mine = tern_shape_of(input);
    if (shape.rank != mine.rank ||
        memcmp(shape.dim, mine.dim, (size_t)mine.rank * sizeof *mine.dim) != 0) {
        char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT, "output with shape %s doesn't match the broadcast shape %s",
            tern_shape_text(mine.rank, mine.dim, a), tern_shape_text(shape.rank, shape.dim, b));
    }
    tern_tensor *result = tern_tensor_new(input->lane, input->dtype, input->rank, input->shape);
    tern_copy_raw(result, src);
    return T(result);
}

void tern_grad_copy(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = tern_zeros_like(grad_out[0]);
    if (tern_node_needs(node, 1)) grads[1] = grad_out[0];
}

tern_value tern_op_fill(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_value value = tern_arg(call, 1);
    tern_shape shape = tern_shape_of(input);
    tern_tensor *result = tern_map_output(call, input->dtype, &shape);
    if (value.kind != TERN_VALUE_TENSOR) {
        tern_fill_raw(result, tern_value_as_double(value), tern_value_as_int(value));
        return T(result);
    }
    if (value.as.tensor->rank != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "fill_ only supports 0-dimension value tensor but got tensor with %d "
                              "dimensions.",
                              value.as.tensor->rank);
    tern_copy_raw(result, value.as.tensor);
    return T(result);
}

void tern_grad_fill(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = tern_zeros_like(grad_out[0]);
    if (tern_node_needs(node, 1)) grads[1] = tern_sum(grad_out[0]);
}

/* ---- typed functions ------------------------------------------------------------------------------ */

tern_tensor *tern_clone(tern_tensor *input) {
    return TERN_CALL(clone, T(input));
}
tern_tensor *tern_contiguous(tern_tensor *input) {
    return TERN_CALL(contiguous, T(input));
}

tern_tensor *tern_to_dtype(tern_tensor *tensor, tern_dtype dtype) {
    if (tensor->dtype == dtype) return tensor;
    return TERN_CALL(to_dtype, T(tensor), D(dtype));
}

tern_tensor *tern_to_device(tern_tensor *tensor, const char *device) {
    tern_ctx *ctx = tensor->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_lane *lane = tern_lane_open(ctx, device);
    if (!lane) return ctx->nil;
    if (lane == tensor->lane) return tensor;
    return TERN_CALL(to_device, T(tensor), tern_text(lane->device->name));
}

tern_tensor *tern_copy_in_place(tern_tensor *input, tern_tensor *src) {
    return TERN_CALL_IN_PLACE(copy, T(input), T(src));
}

tern_tensor *tern_fill_in_place(tern_tensor *input, double value) {
    return TERN_CALL_IN_PLACE(fill, T(input), F(value));
}

tern_tensor *tern_zero_in_place(tern_tensor *input) {
    return TERN_CALL_IN_PLACE(fill, T(input), I(0));
}
