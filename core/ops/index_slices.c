/*
 * index_slices.c: whole slices along one dimension by a 1-dim index: index_select, index_add,
 * index_copy and index_fill.
 */
#include "layout.h"

/* The index as a 1-dim int64 tensor; nil after latching. */
static tern_tensor *slice_index(tern_opcall *call, tern_tensor *index) {
    if (BODY(index)->dtype != TERN_INT64 && BODY(index)->dtype != TERN_INT32) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected dtype int32 or int64 for index, got %s",
                       tern_dtype_name(BODY(index)->dtype));
        return call->ctx->nil;
    }
    if (BODY(index)->rank > 1) {
        tern_call_fail(call, TERN_ERR_INDEX, "Index is supposed to be a vector, but got dim: %d",
                       BODY(index)->rank);
        return call->ctx->nil;
    }
    index = tern_to_dtype(index, TERN_INT64);
    return BODY(index)->rank == 0 ? tern_reshape(index, TERN_SHAPE(1)) : index;
}

/* ---- index_select ---- */

tern_value tern_op_index_select(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_tensor *index = slice_index(call, tern_arg_tensor(call, 2));
    int dim;
    if (call->ctx->status != TERN_OK ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    tern_shape shape = tern_shape_of(input);
    if (BODY(input)->rank == 0 && BODY(index)->numel != 1)
        return tern_call_fail(call, TERN_ERR_INDEX,
                              "Index to scalar can have only 1 value, got %lld value(s)",
                              (long long)BODY(index)->numel);
    if (BODY(input)->rank > 0) shape.dim[dim] = BODY(index)->numel;
    tern_tensor *out = tern_new_shaped(call, BODY(input)->dtype, &shape);
    if (call->ctx->status != TERN_OK || BODY(out)->numel == 0) return tern_result(call, out);
    if (BODY(input)->numel == 0)
        return tern_call_fail(call, TERN_ERR_INDEX, "index out of range: dimension %d has size 0",
                              dim);
    tern_shape flat = {1, {1}};
    tern_tensor *from = BODY(input)->rank ? input : tern_broadcast_view(input, &flat);
    tern_tensor *into = BODY(input)->rank ? out : tern_broadcast_view(out, &flat);
    tern_tensor *operands[2] = {from, index};
    tern_index_attrs attrs = {.dim = dim};
    tern_launch(call->lane, TERN_KERNEL_INDEX_SELECT, 0, operands, 2, &into, 1, &attrs,
                sizeof attrs);
    return tern_result(call, out);
}

void tern_grad_index_select(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(tern_node_input_shape(node, 0)));
    grads[0] = TERN_CALL(index_add, ARG_TENSOR(zeros), tern_node_arg(node, 1),
                         ARG_TENSOR(tern_node_input(node, 1)), ARG_TENSOR(grad_out[0]));
}

/* ---- index_add ---- */

/* source has input's shape, but for dim, where it has the index's length. */
static bool slices_fit(tern_opcall *call, const tern_tensor *input, int dim,
                       const tern_tensor *index, const tern_tensor *source) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    bool fits =
        BODY(source)->rank == BODY(input)->rank && BODY(source)->dtype == BODY(input)->dtype;
    for (int d = 0; fits && d < BODY(input)->rank; d++)
        fits = BODY(source)->shape[d] == (d == dim ? BODY(index)->numel : BODY(input)->shape[d]);
    if (fits && (BODY(input)->rank > 0 || BODY(index)->numel == 1)) return true;
    tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "source %s of %s must match input %s of %s, with %lld (the index's length) along "
        "dimension %d",
        tern_shape_text(BODY(source)->rank, BODY(source)->shape, a),
        tern_dtype_name(BODY(source)->dtype),
        tern_shape_text(BODY(input)->rank, BODY(input)->shape, b),
        tern_dtype_name(BODY(input)->dtype), (long long)BODY(index)->numel, dim);
    return false;
}

tern_value tern_op_index_add(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *source = tern_arg_tensor(call, 3);
    tern_tensor *index = slice_index(call, tern_arg_tensor(call, 2));
    int dim;
    if (call->ctx->status != TERN_OK ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    if (BODY(source)->rank == 0 && BODY(input)->rank == 1) {
        tern_shape one = {1, {1}};
        source = tern_broadcast_view(source, &one);
    }
    if (!slices_fit(call, input, dim, index, source)) return tern_none();
    tern_tensor *out = tern_new_dense_like(call->lane, input, BODY(input)->dtype);
    tern_copy_raw(out, input);
    if (BODY(source)->numel == 0 || call->ctx->status != TERN_OK) return tern_result(call, out);
    if (BODY(out)->numel == 0)
        return tern_call_fail(call, TERN_ERR_INDEX, "index out of range: dimension %d has size 0",
                              dim);
    tern_shape flat = {1, {1}};
    tern_tensor *into = BODY(out)->rank ? out : tern_broadcast_view(out, &flat);
    tern_tensor *from = BODY(source)->rank ? source : tern_broadcast_view(source, &flat);
    tern_tensor *operands[2] = {index, from};
    tern_index_attrs attrs = {
        .dim = dim, .alpha = tern_arg_double(call, 4, 1.0), .alpha_i = tern_arg_int(call, 4, 1)};
    tern_launch(call->lane, TERN_KERNEL_INDEX_ADD, 0, operands, 2, &into, 1, &attrs, sizeof attrs);
    return tern_result(call, out);
}

void tern_grad_index_add(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
    if (!tern_node_needs(node, 2)) return;
    tern_value alpha = tern_node_arg(node, 4);
    tern_tensor *picked = TERN_CALL(index_select, ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1),
                                    ARG_TENSOR(tern_node_input(node, 1)));
    if (alpha.kind != TERN_VALUE_NONE && tern_value_as_double(alpha) != 1.0)
        picked = TERN_CALL(mul, ARG_TENSOR(picked), alpha);
    grads[2] = tern_reshape(picked, tern_node_input_shape(node, 2));
}

/* ---- index_copy, index_fill: a scatter with the index spread over the other dimensions ---- */

/* The index as a view of `shape`, along dim. */
static tern_tensor *spread_index(tern_tensor *index, int dim, const tern_shape *shape) {
    tern_shape column = *shape;
    for (int d = 0; d < shape->rank; d++) column.dim[d] = d == dim ? BODY(index)->numel : 1;
    return tern_expand(tern_reshape(index, column), *shape);
}

tern_value tern_op_index_copy(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *source = tern_arg_tensor(call, 3);
    tern_tensor *index = slice_index(call, tern_arg_tensor(call, 2));
    int dim;
    if (call->ctx->status != TERN_OK ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    if (BODY(source)->rank == 0 && BODY(input)->rank == 1)
        source = tern_reshape(source, TERN_SHAPE(1));
    if (!slices_fit(call, input, dim, index, source)) return tern_none();
    tern_shape shape = tern_shape_of(source);
    return tern_result(call,
                       TERN_CALL(scatter, ARG_TENSOR(input), ARG_INT(dim),
                                 ARG_TENSOR(spread_index(index, dim, &shape)), ARG_TENSOR(source)));
}

tern_value tern_op_index_fill(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_tensor *index = slice_index(call, tern_arg_tensor(call, 2));
    tern_value value = tern_arg(call, 3);
    int dim;
    if (call->ctx->status != TERN_OK ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    tern_shape shape = tern_shape_of(input);
    if (BODY(input)->rank > 0) shape.dim[dim] = BODY(index)->numel;
    tern_tensor *spread = spread_index(index, dim, &shape);
    if (value.kind != TERN_VALUE_TENSOR)
        return tern_result(call, TERN_CALL(scatter_value, ARG_TENSOR(input), ARG_INT(dim),
                                           ARG_TENSOR(spread), value));
    if (BODY(value.as.tensor)->rank != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "only supports a 0-dimensional value tensor, but got tensor with %d "
                              "dimension(s).",
                              BODY(value.as.tensor)->rank);
    /* By a mask, so that an index named twice counts its gradient once. */
    tern_tensor *none = TERN_CALL(zeros_like, ARG_TENSOR(input), ARG_DTYPE(TERN_BOOL));
    tern_tensor *mask = TERN_CALL(scatter_value, ARG_TENSOR(none), ARG_INT(dim), ARG_TENSOR(spread),
                                  ARG_BOOL(true));
    return tern_result(call,
                       tern_where(mask, tern_to_dtype(value.as.tensor, BODY(input)->dtype), input));
}

/* ---- C functions ---- */

tern_tensor *tern_index_select(tern_tensor *input, int dim, tern_tensor *index) {
    return TERN_CALL(index_select, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index));
}
