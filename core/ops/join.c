/* join.c: cat and stack. */
#include "layout.h"

/* torch.cat skips 1-dim tensors without elements, whatever the rank of the others. */
static bool is_skipped(const tern_shape *shape) {
    return shape->rank == 1 && shape->dim[0] == 0;
}

/* The shape of the result, with the first counted tensor's; false after latching. */
static bool cat_shape(tern_opcall *call, tern_tensor *const *tensors, int count, int *out_dim,
                      tern_shape *out_shape) {
    bool fits = true;
    int first = -1;
    for (int i = 0; i < count; i++) {
        tern_shape shape = tern_shape_of(tensors[i]);
        if (shape.rank == 0) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "zero-dimensional tensor (at position %d) cannot be concatenated", i);
            return false;
        }
        if (first < 0 && !is_skipped(&shape)) first = i;
    }
    *out_shape = tern_shape_of(tensors[first < 0 ? 0 : first]);
    if (!tern_wrap_dim(call->ctx, out_shape->rank, tern_arg_int(call, 1, 0), out_dim)) return false;
    for (int i = first + 1; first >= 0 && i < count; i++) {
        tern_shape shape = tern_shape_of(tensors[i]);
        if (is_skipped(&shape)) continue;
        if (shape.rank != out_shape->rank) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "Tensors must have same number of dimensions: got %d and %d",
                           out_shape->rank, shape.rank);
            return false;
        }
        for (int d = 0; d < shape.rank; d++) {
            if (d == *out_dim || shape.dim[d] == out_shape->dim[d]) continue;
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "Sizes of tensors must match except in dimension %d. Expected size %lld "
                           "but got size %lld for tensor number %d in the list.",
                           *out_dim, (long long)out_shape->dim[d], (long long)shape.dim[d], i);
            return false;
        }
        out_shape->dim[*out_dim] =
            tern_dim_add(out_shape->dim[*out_dim], shape.dim[*out_dim], &fits);
    }
    if (!fits)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "the sizes along dimension %d do not add up",
                       *out_dim);
    return fits;
}

tern_value tern_op_cat(tern_opcall *call) {
    int count, dim;
    tern_tensor **tensors = tern_arg_tensors(call, 0, &count);
    tern_shape shape;
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!tensors || count == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expected a non-empty list of Tensors");
    if (!cat_shape(call, tensors, count, &dim, &shape)) return tern_none();
    tern_value *values = tern_scope_alloc(call->ctx, (size_t)count * sizeof *values);
    if (!values) return tern_none();
    for (int i = 0; i < count; i++) values[i] = ARG_TENSOR(tensors[i]);
    tern_tensor *out = tern_new_shaped(call, tern_result_type(values, count), &shape);
    int64_t start = 0;
    for (int i = 0; i < count && call->ctx->status == TERN_OK; i++) {
        tern_shape own = tern_shape_of(tensors[i]);
        if (is_skipped(&own) || BODY(tensors[i])->numel == 0) {
            start += is_skipped(&own) ? 0 : own.dim[dim];
            continue;
        }
        tern_tensor *part =
            tern_tensor_over(call->lane, BODY(out)->storage, BODY(out)->dtype, own.rank, own.dim,
                             BODY(out)->strides, start * BODY(out)->strides[dim]);
        tern_copy_raw(part, tensors[i]);
        tern_tensor_release(part);
        start += own.dim[dim];
    }
    return tern_result(call, out);
}

void tern_grad_cat(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0];
    int dim;
    if (!tern_wrap_dim(tern_node_ctx(node), BODY(grad)->rank,
                       tern_value_as_int(tern_node_arg(node, 1)), &dim))
        return;
    int64_t start = 0;
    for (int i = 0; i < tern_node_n_inputs(node); i++) {
        tern_shape shape = tern_node_input_shape(node, i);
        bool skipped = is_skipped(&shape) && BODY(grad)->rank != 1;
        int64_t length = skipped ? 0 : shape.dim[dim];
        if (tern_node_needs(node, i)) {
            tern_tensor *part = skipped ? TERN_CALL(new_zeros, ARG_TENSOR(grad), ARG_SHAPE(shape))
                                        : tern_narrow(grad, dim, start, length);
            grads[i] = tern_to_dtype(part, tern_node_input_dtype(node, i));
        }
        start += length;
    }
}

tern_value tern_op_stack(tern_opcall *call) {
    int count, dim;
    tern_tensor **tensors = tern_arg_tensors(call, 0, &count);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!tensors || count == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expected a non-empty list of Tensors");
    if (!tern_wrap_dim(call->ctx, BODY(tensors[0])->rank + 1, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    for (int i = 0; i < count; i++) {
        char first[TERN_SHAPE_TEXT], other[TERN_SHAPE_TEXT];
        if (!tern_same_shape(tensors[0], tensors[i]))
            return tern_call_fail(
                call, TERN_ERR_ARGUMENT,
                "expects each tensor to be equal size, but got %s at entry 0 and %s at entry %d",
                tern_shape_text(BODY(tensors[0])->rank, BODY(tensors[0])->shape, first),
                tern_shape_text(BODY(tensors[i])->rank, BODY(tensors[i])->shape, other), i);
    }
    tern_tensor **rows = tern_scope_alloc(call->ctx, (size_t)count * sizeof *rows);
    if (!rows) return tern_none();
    for (int i = 0; i < count; i++) rows[i] = tern_unsqueeze(tensors[i], dim);
    return tern_result(call, tern_cat(rows, count, dim));
}

/* ---- C functions ---- */

/* A list argument of tensors in the open scope, and the call on the context of the first that is there. */
static tern_tensor *call_with_list(const tern_op *op, tern_tensor *const *tensors, int count,
                                   int dim) {
    tern_ctx *ctx = tern_no_context();
    for (int i = 0; tensors && i < count && ctx->is_static; i++) ctx = tern_context_of(tensors[i]);
    if (ctx->is_static) return ctx->nil;
    tern_value args[2] = {tern_list_new(ctx), ARG_INT(dim)};
    for (int i = 0; i < count; i++) tern_list_append(args[0], ARG_TENSOR(tensors[i]));
    return tern_op_tensor(ctx, op, args, 2);
}

tern_tensor *tern_cat(tern_tensor *const *tensors, int count, int dim) {
    return call_with_list(TERN_ROW(cat), tensors, count, dim);
}
tern_tensor *tern_stack(tern_tensor *const *tensors, int count, int dim) {
    return call_with_list(TERN_ROW(stack), tensors, count, dim);
}
