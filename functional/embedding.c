/*
 * embedding.c: rows of a table by index, and the gradient of the table.
 */
#include "core/ops/compose.h"
#include "functional.h"

/* Rows of weight that the indices name are scaled down to max_norm, in place, as PyTorch does. */
static void renorm_rows(tern_tensor *weight, tern_tensor *index, double max_norm, double p) {
    tern_scope quiet = tern_scope_begin(BODY(weight)->ctx, TERN_NO_GRAD);
    tern_tensor *rows = tern_index_select(weight, 0, index);
    tern_tensor *norm =
        TERN_CALL(vector_norm, ARG_TENSOR(rows), ARG_FLOAT(p), ARG_INT(1), ARG_BOOL(true));
    tern_tensor *scale = tern_div(tern_full_like(norm, max_norm), tern_add_scalar(norm, 1e-7));
    /* Rows that are short enough, or have no norm, stay as they are. */
    tern_tensor *scaled = tern_where(tern_gt_scalar(norm, max_norm), tern_mul(rows, scale), rows);
    tern_tensor *result = TERN_CALL(index_copy, ARG_TENSOR(weight), ARG_INT(0), ARG_TENSOR(index),
                                    ARG_TENSOR(scaled));
    tern_copy_in_place(weight, result);
    tern_scope_end(quiet);
}

/* The indices as one row of int64; nil after latching. */
static tern_tensor *flat_index(tern_opcall *call, tern_tensor *indices) {
    if (BODY(indices)->dtype == TERN_INT64 || BODY(indices)->dtype == TERN_INT32)
        return tern_to_dtype(tern_reshape(indices, TERN_SHAPE(-1)), TERN_INT64);
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "Expected tensor for argument #1 'indices' to have one of the following scalar "
                   "types: Long, Int; but got %s instead",
                   tern_dtype_class(BODY(indices)->dtype));
    return call->ctx->nil;
}

/* The padding's row counted from the front, -1 where there is none; false after latching. */
static bool read_padding(tern_opcall *call, int64_t rows, int64_t *out_padding) {
    int64_t padding = tern_arg_int(call, 2, 0);
    *out_padding = -1;
    if (!tern_arg_given(call, 2)) return true;
    if (padding < -rows || padding >= rows) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "Padding_idx must be within num_embeddings");
        return false;
    }
    *out_padding = padding < 0 ? padding + rows : padding;
    return true;
}

tern_value tern_op_embedding(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *weight = tern_arg_tensor(call, 1);
    int64_t padding;
    if (BODY(weight)->rank != 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "'weight' must be 2-D, but has %d dims",
                              BODY(weight)->rank);
    tern_shape shape = tern_shape_of(input);
    tern_tensor *index = flat_index(call, input);
    if (call->ctx->status != TERN_OK || !read_padding(call, BODY(weight)->shape[0], &padding))
        return tern_none();
    if (shape.rank == TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "too many dimensions");
    if (tern_arg_given(call, 3))
        renorm_rows(weight, index, tern_arg_double(call, 3, 0.0), tern_arg_double(call, 4, 2.0));
    shape.dim[shape.rank++] = BODY(weight)->shape[1];
    return tern_result(call, tern_set_shape(tern_index_select(weight, 0, index), &shape));
}

void tern_grad_embedding(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *index = tern_node_input(node, 0);
    if (tern_node_ctx(node)->status != TERN_OK || !tern_node_needs(node, 1)) return;
    int64_t rows = tern_node_input_shape(node, 1).dim[0];
    tern_value given = tern_node_arg(node, 2), by_frequency = tern_node_arg(node, 5);
    int64_t padding = given.kind == TERN_VALUE_NONE ? -1 : tern_value_as_int(given);
    if (given.kind != TERN_VALUE_NONE && padding < 0) padding += rows;
    bool scaled = by_frequency.kind != TERN_VALUE_NONE && tern_value_as_int(by_frequency);
    grads[1] = TERN_CALL(embedding_dense_backward, ARG_TENSOR(grad_out[0]), ARG_TENSOR(index),
                         ARG_INT(rows), ARG_INT(padding), ARG_BOOL(scaled));
}

/* ---- the table's gradient ---- */

/* How often each row is named, at least 1, as [rows, 1] of g's dtype. */
static tern_tensor *frequencies(tern_tensor *g, tern_tensor *index, int64_t rows) {
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(g), ARG_SHAPE(TERN_SHAPE(rows)));
    tern_tensor *ones =
        TERN_CALL(new_ones, ARG_TENSOR(g), ARG_SHAPE(TERN_SHAPE(BODY(index)->numel)));
    tern_tensor *counts =
        TERN_CALL(index_add, ARG_TENSOR(zeros), ARG_INT(0), ARG_TENSOR(index), ARG_TENSOR(ones));
    return tern_unsqueeze(tern_at_least(counts, 1), 1);
}

/* The sums of the rows of g [n, e] by index, as [rows, e]. */
static tern_tensor *sums_by_index(tern_tensor *g, tern_tensor *index, int64_t rows,
                                  const tern_embedding_grad_attrs *attrs) {
    tern_dtype dtype = BODY(g)->dtype;
    tern_shape shape = TERN_SHAPE(rows, BODY(g)->shape[1]);
    g = tern_widen(g);
    if (attrs->padding >= 0)
        g = tern_fill_where(g, tern_unsqueeze(tern_eq_scalar(index, (double)attrs->padding), 1),
                            0.0);
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(g), ARG_SHAPE(shape));
    tern_tensor *out =
        TERN_CALL(index_add, ARG_TENSOR(zeros), ARG_INT(0), ARG_TENSOR(index), ARG_TENSOR(g));
    if (attrs->by_frequency) out = tern_div(out, frequencies(g, index, rows));
    return tern_to_dtype(out, dtype);
}

/* (grad_output, indices, num_weights, padding_idx, scale_grad_by_freq) */
tern_value tern_op_embedding_dense_backward(tern_opcall *call) {
    tern_tensor *grad = tern_arg_tensor(call, 0), *indices = tern_arg_tensor(call, 1);
    tern_tensor *index = flat_index(call, indices);
    tern_embedding_grad_attrs attrs = {.padding = tern_arg_int(call, 3, -1),
                                       .by_frequency = tern_arg_bool(call, 4, false)};
    int64_t rows = tern_arg_int(call, 2, 0);
    if (call->ctx->status != TERN_OK) return tern_none();
    int rank = BODY(grad)->rank;
    int64_t width = rank > 0 ? BODY(grad)->shape[rank - 1] : 0;
    bool fits = rank == BODY(indices)->rank + 1 && rows >= 0;
    for (int d = 0; fits && d < rank - 1; d++)
        fits = BODY(grad)->shape[d] == BODY(indices)->shape[d];
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "the gradient must have the indices' shape and one dimension more, "
                              "and num_weights not be negative");
    if (attrs.padding < 0 || attrs.padding >= rows) attrs.padding = -1;
    tern_shape flat = TERN_SHAPE(BODY(index)->numel, width), shape = TERN_SHAPE(rows, width);
    tern_tensor *operands[2] = {tern_reshape(grad, flat), index};
    if (call->ctx->status == TERN_OK && !tern_call_is_recorded(call) && BODY(grad)->numel > 0) {
        tern_tensor *out = tern_new_shaped(call, BODY(grad)->dtype, &shape);
        if (tern_try_launch(call->lane, TERN_KERNEL_EMBEDDING_GRAD, 0, operands, 2, &out, 1, &attrs,
                            sizeof attrs))
            return tern_result(call, out);
    }
    return tern_result(call, sums_by_index(operands[0], index, rows, &attrs));
}

/* ---- C functions ---- */

tern_tensor *tern_embedding(tern_tensor *input, tern_tensor *weight) {
    return TERN_CALL(embedding, ARG_TENSOR(input), ARG_TENSOR(weight));
}
