/* copy.c: copies, fills, and moves between dtypes and devices. */
#include "map.h"

/* A new tensor of `shape` on `lane` with the elements of `source`, row-major. */
static tern_value copied(tern_lane *lane, tern_dtype dtype, tern_tensor *source) {
    tern_tensor *out = tern_tensor_new(lane, dtype, BODY(source)->rank, BODY(source)->shape);
    tern_copy_raw(out, source);
    return ARG_TENSOR(out);
}

tern_value tern_op_clone(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return copied(call->lane, BODY(input)->dtype, input);
}

void tern_grad_clone(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
}

tern_value tern_op_alias(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return ARG_TENSOR(tern_tensor_view(input, BODY(input)->rank, BODY(input)->shape,
                                       BODY(input)->strides, BODY(input)->offset));
}

void tern_grad_alias(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
}

tern_value tern_op_contiguous(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return ARG_TENSOR(tern_is_contiguous(input) ? input : tern_clone(input));
}

tern_value tern_op_to_dtype(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    return copied(call->lane, tern_arg_dtype(call, 1, BODY(input)->dtype), input);
}

/* The engine converts a gradient to its input's dtype. */
void tern_grad_to_dtype(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
}

tern_value tern_op_to_device(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_lane *lane = tern_lane_open(call->ctx, tern_arg_text(call, 1, NULL));
    return lane ? copied(lane, BODY(input)->dtype, input) : tern_none();
}

/* The engine moves a gradient to its input's device. */
void tern_grad_to_device(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
}

/* True where src broadcasts to the shape of input. */
static bool broadcasts_to(tern_opcall *call, tern_tensor *input, tern_tensor *src) {
    tern_tensor *both[] = {input, src};
    tern_shape shape;
    if (!tern_broadcast_shape(call, both, 2, &shape)) return false;
    bool same = shape.rank == BODY(input)->rank;
    for (int d = 0; same && d < shape.rank; d++) same = shape.dim[d] == BODY(input)->shape[d];
    char want[TERN_SHAPE_TEXT], got[TERN_SHAPE_TEXT];
    if (!same)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "output with shape %s doesn't match the broadcast shape %s",
                       tern_shape_text(BODY(input)->rank, BODY(input)->shape, want),
                       tern_shape_text(shape.rank, shape.dim, got));
    return same;
}

tern_value tern_op_copy(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *src = tern_arg_tensor(call, 1);
    if (!broadcasts_to(call, input, src)) return tern_none();
    tern_shape shape = tern_shape_of(input);
    tern_tensor *out = tern_map_output(call, BODY(input)->dtype, &shape);
    tern_copy_raw(out, src);
    return ARG_TENSOR(out);
}

void tern_grad_copy(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = tern_zeros_like(grad_out[0]);
    if (tern_node_needs(node, 1)) grads[1] = grad_out[0];
}

tern_value tern_op_fill(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *value = tern_arg_tensor(call, 1);
    if (value && BODY(value)->rank != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "fill_ only supports 0-dimension value tensor but got tensor with %d "
                              "dimensions.",
                              (int)BODY(value)->rank);
    tern_shape shape = tern_shape_of(input);
    tern_tensor *out = tern_map_output(call, BODY(input)->dtype, &shape);
    if (value)
        tern_copy_raw(out, value);
    else
        tern_fill_raw(out, tern_arg_double(call, 1, 0), tern_arg_int(call, 1, 0));
    return ARG_TENSOR(out);
}

/* The engine sums the gradient down to the 0-dim value. */
void tern_grad_fill(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = tern_zeros_like(grad_out[0]);
    if (tern_node_needs(node, 1)) grads[1] = grad_out[0];
}

/* ---- typed functions ------------------------------------------------------------------------- */

tern_tensor *tern_clone(tern_tensor *input) {
    return TERN_CALL(clone, ARG_TENSOR(input));
}

tern_tensor *tern_contiguous(tern_tensor *input) {
    if (tern_is_nil(input) || tern_is_contiguous(input)) return input;
    return TERN_CALL(clone, ARG_TENSOR(input));
}

tern_tensor *tern_to_dtype(tern_tensor *tensor, tern_dtype dtype) {
    if (tern_is_nil(tensor) || BODY(tensor)->dtype == dtype) return tensor;
    return TERN_CALL(to_dtype, ARG_TENSOR(tensor), ARG_DTYPE(dtype));
}

tern_tensor *tern_to_device(tern_tensor *tensor, const char *device) {
    if (tern_is_nil(tensor)) return tensor;
    tern_lane *lane = tern_lane_open(BODY(tensor)->ctx, device);
    if (!lane) return BODY(tensor)->ctx->nil;
    if (lane == BODY(tensor)->lane) return tensor;
    return TERN_CALL(to_device, ARG_TENSOR(tensor), tern_text(lane->device->name));
}

tern_tensor *tern_copy_in_place(tern_tensor *input, tern_tensor *src) {
    return TERN_CALL_IN_PLACE(copy, ARG_TENSOR(input), ARG_TENSOR(src));
}

tern_tensor *tern_fill_in_place(tern_tensor *input, double value) {
    return TERN_CALL_IN_PLACE(fill, ARG_TENSOR(input), ARG_FLOAT(value));
}

tern_tensor *tern_zero_in_place(tern_tensor *input) {
    return TERN_CALL_IN_PLACE(fill, ARG_TENSOR(input), ARG_INT(0));
}
