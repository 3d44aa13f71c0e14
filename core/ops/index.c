/* index.c: gather and scatter_add, picking and adding elements by index along one dimension. */
#include "compose.h"

/* ---- checks ---- */

/* A 0-dim tensor beside a 1-dim one counts as one of one element. */
static tern_tensor *raised(tern_tensor *tensor, const tern_tensor *beside) {
    return BODY(tensor)->rank < BODY(beside)->rank ? tern_unsqueeze(tensor, 0) : tensor;
}

/* index is int64 (or int32), of input's rank; false after latching. */
static bool index_fits(tern_opcall *call, tern_tensor *input, tern_tensor *index) {
    if (BODY(index)->numel > 0 && BODY(index)->dtype != TERN_INT64 &&
        BODY(index)->dtype != TERN_INT32) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected dtype int64 for index, but got %s",
                       tern_dtype_name(BODY(index)->dtype));
        return false;
    }
    if (BODY(index)->numel > 0 && (BODY(index)->rank ? BODY(index)->rank : 1) !=
                                      (BODY(input)->rank ? BODY(input)->rank : 1)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Index tensor must have the same number of dimensions as input tensor, but "
                       "got %d and %d",
                       BODY(index)->rank, BODY(input)->rank);
        return false;
    }
    return true;
}

/* Every size of index is at most other's, dimension `except` aside (-1: none). */
static bool index_within(tern_opcall *call, const tern_tensor *index, const tern_tensor *other,
                         int except, const char *what) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    for (int d = 0; d < BODY(index)->rank; d++) {
        if (d == except || BODY(index)->shape[d] <= BODY(other)->shape[d]) continue;
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Size does not match at dimension %d expected index %s to be no larger than "
                       "%s %s",
                       d, tern_shape_text(BODY(index)->rank, BODY(index)->shape, a), what,
                       tern_shape_text(BODY(other)->rank, BODY(other)->shape, b));
        return false;
    }
    return true;
}

/* ---- gather ---- */

tern_value tern_op_gather(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 2);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim) ||
        !index_fits(call, input, index))
        return tern_none();
    tern_tensor *out =
        tern_tensor_new(call->lane, BODY(input)->dtype, BODY(index)->rank, BODY(index)->shape);
    if (BODY(index)->numel == 0) return tern_result(call, out);
    index = tern_to_dtype(index, TERN_INT64);
    tern_tensor *operands[2] = {raised(input, index), raised(index, input)};
    tern_tensor *into = raised(out, input);
    if (call->ctx->status != TERN_OK ||
        !index_within(call, operands[1], operands[0], dim, "self apart from dimension dim"))
        return tern_none();
    if (BODY(operands[0])->numel == 0)
        return tern_call_fail(call, TERN_ERR_INDEX,
                              "index is out of bounds for dimension %d with size 0", dim);
    tern_index_attrs attrs = {.dim = dim};
    tern_launch(call->lane, TERN_KERNEL_GATHER, 0, operands, 2, &into, 1, &attrs, sizeof attrs);
    return tern_result(call, out);
}

void tern_grad_gather(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(tern_node_input_shape(node, 0)));
    grads[0] = tern_scatter_add(zeros, (int)tern_value_as_int(tern_node_arg(node, 1)),
                                tern_node_input(node, 1), grad_out[0]);
}

/* ---- scatter_add ---- */

tern_value tern_op_scatter_add(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 2);
    tern_tensor *src = tern_arg_tensor(call, 3);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim) ||
        !index_fits(call, input, index))
        return tern_none();
    if (BODY(src)->dtype != BODY(input)->dtype)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected self.dtype to be equal to src.dtype, but got %s and %s",
                              tern_dtype_name(BODY(input)->dtype),
                              tern_dtype_name(BODY(src)->dtype));
    tern_tensor *out = tern_new_dense_like(call->lane, input, BODY(input)->dtype);
    tern_copy_raw(out, input);
    if (BODY(index)->numel == 0) return tern_result(call, out);
    index = tern_to_dtype(index, TERN_INT64);
    tern_tensor *operands[2] = {raised(index, input), raised(src, input)};
    tern_tensor *into = raised(out, index);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(operands[0])->rank != BODY(operands[1])->rank)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Index tensor must have the same number of dimensions as src tensor");
    if (!index_within(call, operands[0], into, dim, "self apart from dimension dim") ||
        !index_within(call, operands[0], operands[1], -1, "src"))
        return tern_none();
    if (BODY(into)->numel == 0)
        return tern_call_fail(call, TERN_ERR_INDEX,
                              "index is out of bounds for dimension %d with size 0", dim);
    tern_index_attrs attrs = {.dim = dim, .reduce = TERN_SCATTER_ADD};
    tern_launch(call->lane, TERN_KERNEL_SCATTER, 0, operands, 2, &into, 1, &attrs, sizeof attrs);
    return tern_result(call, out);
}

void tern_grad_scatter_add(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
    if (tern_node_needs(node, 2))
        grads[2] =
            tern_pad_to(tern_gather(grad_out[0], (int)tern_value_as_int(tern_node_arg(node, 1)),
                                    tern_node_input(node, 1)),
                        tern_node_input_shape(node, 2));
}

/* ---- C functions ---- */

tern_tensor *tern_gather(tern_tensor *input, int dim, tern_tensor *index) {
    return TERN_CALL(gather, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index));
}
tern_tensor *tern_scatter_add(tern_tensor *input, int dim, tern_tensor *index, tern_tensor *src) {
    return TERN_CALL(scatter_add, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     ARG_TENSOR(src));
}
