/*
 * part.c: views of a part of a tensor (narrow, select, slice, diagonal), and the operations
 * that put a part back (slice_scatter, select_scatter, diagonal_scatter).
 *
 * The gradient of taking a part is a scatter of the gradient into zeros; the gradient of a scatter
 * takes the part again. So both may be differentiated any number of times. Where nobody will
 * differentiate them, the engine adds a part's gradient in place instead (autograd/backward.c).
 */
#include "layout.h"

#include <string.h>

static tern_value part_view(tern_opcall *call, tern_tensor *base, const tern_shape *shape,
                            const tern_shape *strides, int64_t offset) {
    return tern_result(call, tern_tensor_view(base, shape->rank, shape->dim, strides->dim, offset));
}

static tern_shape strides_of(const tern_tensor *tensor) {
    tern_shape strides = {BODY(tensor)->rank, {0}};
    for (int d = 0; d < BODY(tensor)->rank; d++) strides.dim[d] = BODY(tensor)->strides[d];
    return strides;
}

/* The dim argument of a tensor that must have dimensions; false after latching. */
static bool part_dim(tern_opcall *call, tern_tensor *input, int index, int *out_dim) {
    if (BODY(input)->rank > 0)
        return tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, index, 0), out_dim);
    tern_call_fail(call, TERN_ERR_INDEX, "cannot be applied to a 0-dim tensor");
    return false;
}

/* Zeros of input 0's shape in one element of memory, to be scattered into. */
static tern_tensor *zeros_of_input(tern_node *node, tern_tensor *grad) {
    tern_tensor *zero = TERN_CALL(new_zeros, ARG_TENSOR(grad), ARG_SHAPE(TERN_SCALAR_SHAPE));
    return tern_expand(zero, tern_node_input_shape(node, 0));
}

/* ---- slice, narrow, select ---- */

/* Python's rule: negative from the end, then clipped. */
static int64_t clip_index(int64_t index, int64_t size) {
    if (index < 0) index += size;
    return index < 0 ? 0 : index > size ? size : index;
}

/* start, end and step as they apply to a dimension of `size`; end >= start. */
static void slice_bounds(tern_value start, tern_value end, int64_t size, int64_t *out_start,
                         int64_t *out_end) {
    *out_start = start.kind == TERN_VALUE_NONE ? 0 : clip_index(tern_value_as_int(start), size);
    *out_end = end.kind == TERN_VALUE_NONE ? size : clip_index(tern_value_as_int(end), size);
    if (*out_end < *out_start) *out_end = *out_start;
}

tern_value tern_op_slice(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t step = tern_arg_int(call, 4, 1), start, end;
    int dim;
    if (!part_dim(call, input, 1, &dim)) return tern_none();
    if (step <= 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "slice step must be positive, got %lld",
                              (long long)step);
    slice_bounds(tern_arg(call, 2), tern_arg(call, 3), BODY(input)->shape[dim], &start, &end);
    tern_shape size = tern_shape_of(input), strides = strides_of(input);
    int64_t offset = BODY(input)->offset + start * BODY(input)->strides[dim];
    int64_t length = end - start;
    size.dim[dim] = length / step + (length % step != 0);
    if (size.dim[dim] > 1) strides.dim[dim] *= step;
    return part_view(call, input, &size, &strides, offset);
}

void tern_grad_slice(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = TERN_CALL(slice_scatter, ARG_TENSOR(zeros_of_input(node, grad_out[0])),
                         ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1), tern_node_arg(node, 2),
                         tern_node_arg(node, 3), tern_node_arg(node, 4));
}

/* The start of narrow, a number or a 0-dim tensor; false after latching. */
static bool narrow_start(tern_opcall *call, int64_t *out_start) {
    tern_tensor *tensor = tern_arg_tensor(call, 2);
    if (tensor && (BODY(tensor)->rank != 0 || !tern_dtype_is_integral(BODY(tensor)->dtype))) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "start must be an 0-dim integral Tensor.");
        return false;
    }
    *out_start = tensor ? tern_item_i64(tensor) : tern_arg_int(call, 2, 0);
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_narrow(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t start, length = tern_arg_int(call, 3, 0);
    int dim;
    if (!part_dim(call, input, 1, &dim) || !narrow_start(call, &start)) return tern_none();
    int64_t size_there = BODY(input)->shape[dim];
    if (length < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "length must be non-negative, got %lld",
                              (long long)length);
    if (start < -size_there || start > size_there)
        return tern_call_fail(call, TERN_ERR_INDEX,
                              "start out of range (expected to be in range of [%lld, %lld], but "
                              "got %lld)",
                              (long long)-size_there, (long long)size_there, (long long)start);
    if (start < 0) start += size_there;
    if (length > size_there - start)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "start (%lld) + length (%lld) exceeds dimension size (%lld).",
                              (long long)start, (long long)length, (long long)size_there);
    tern_shape size = tern_shape_of(input), strides = strides_of(input);
    size.dim[dim] = length;
    return part_view(call, input, &size, &strides,
                     BODY(input)->offset + start * BODY(input)->strides[dim]);
}

void tern_grad_narrow(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    int64_t dim = tern_value_as_int(tern_node_arg(node, 1));
    int64_t length = tern_value_as_int(tern_node_arg(node, 3));
    int64_t size = shape.dim[dim < 0 ? dim + shape.rank : dim], start;
    if (tern_node_arg(node, 2).kind == TERN_VALUE_NONE)
        start = tern_item_i64(tern_node_input(node, 1));
    else
        start = tern_value_as_int(tern_node_arg(node, 2));
    if (start < 0) start += size;
    grads[0] = TERN_CALL(slice_scatter, ARG_TENSOR(zeros_of_input(node, grad_out[0])),
                         ARG_TENSOR(grad_out[0]), ARG_INT(dim), ARG_INT(start),
                         ARG_INT(start + length), ARG_INT(1));
}

tern_value tern_op_select(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t index = tern_arg_int(call, 2, 0);
    int dim;
    if (!part_dim(call, input, 1, &dim)) return tern_none();
    int64_t size_there = BODY(input)->shape[dim];
    if (index < -size_there || index >= size_there)
        return tern_call_fail(call, TERN_ERR_INDEX,
                              "index %lld is out of bounds for dimension %d with size %lld",
                              (long long)index, dim, (long long)size_there);
    if (index < 0) index += size_there;
    tern_shape size = {0, {0}}, strides = size;
    for (int d = 0; d < BODY(input)->rank; d++) {
        if (d == dim) continue;
        size.dim[size.rank++] = BODY(input)->shape[d];
        strides.dim[strides.rank++] = BODY(input)->strides[d];
    }
    return part_view(call, input, &size, &strides,
                     BODY(input)->offset + index * BODY(input)->strides[dim]);
}

void tern_grad_select(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = TERN_CALL(select_scatter, ARG_TENSOR(zeros_of_input(node, grad_out[0])),
                         ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1), tern_node_arg(node, 2));
}

/* ---- diagonal ---- */

tern_value tern_op_diagonal(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t shift = tern_arg_int(call, 1, 0);
    int a, b;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, 0), &a) ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 3, 1), &b))
        return tern_none();
    if (a == b)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "diagonal dimensions cannot be identical %d, %d", a, b);
    int64_t rows = BODY(input)->shape[a], columns = BODY(input)->shape[b],
            offset = BODY(input)->offset;
    int64_t skip_rows = shift < 0 ? (shift < -rows ? rows : -shift) : 0;
    int64_t skip_columns = shift > 0 ? (shift > columns ? columns : shift) : 0;
    rows -= skip_rows;
    columns -= skip_columns;
    int64_t length = rows < columns ? rows : columns;
    if (length > 0)
        offset += skip_rows * BODY(input)->strides[a] + skip_columns * BODY(input)->strides[b];
    tern_shape size = {0, {0}}, strides = size;
    for (int d = 0; d < BODY(input)->rank; d++) {
        if (d == a || d == b) continue;
        size.dim[size.rank++] = BODY(input)->shape[d];
        strides.dim[strides.rank++] = BODY(input)->strides[d];
    }
    size.dim[size.rank++] = length;
    strides.dim[strides.rank++] = BODY(input)->strides[a] + BODY(input)->strides[b];
    return part_view(call, input, &size, &strides, offset);
}

void tern_grad_diagonal(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = TERN_CALL(diagonal_scatter, ARG_TENSOR(zeros_of_input(node, grad_out[0])),
                         ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1), tern_node_arg(node, 2),
                         tern_node_arg(node, 3));
}

/* ---- putting a part back ---- */

/* A copy of input whose part, taken by the view operation `take` with the arguments after src, is
 * src. */
static tern_value scatter_part(tern_opcall *call, const tern_op *take) {
    tern_tensor *input = tern_arg_tensor(call, 0), *src = tern_arg_tensor(call, 1);
    tern_tensor *out = tern_new_dense_like(call->lane, input, BODY(input)->dtype);
    tern_copy_raw(out, input);
    tern_value args[TERN_MAX_ARGS];
    args[0] = ARG_TENSOR(out);
    for (int i = 2; i < call->n_args; i++) args[i - 1] = call->args[i];
    tern_tensor *part = tern_op_tensor(call->ctx, take, args, call->n_args - 1);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!tern_same_shape(part, src)) {
        char want[TERN_SHAPE_TEXT], have[TERN_SHAPE_TEXT];
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected src to have a size equal to the slice of self. src size = "
                              "%s, slice size = %s",
                              tern_shape_text(BODY(src)->rank, BODY(src)->shape, have),
                              tern_shape_text(BODY(part)->rank, BODY(part)->shape, want));
    }
    tern_copy_raw(part, src);
    return tern_result(call, out);
}

/* grads of input and src; `take` and `scatter` are the pair, with `n` arguments after the tensors.
 */
static void scatter_part_grad(tern_node *node, tern_tensor *grad, tern_tensor **grads,
                              const tern_op *take, const tern_op *scatter, int n) {
    tern_value args[TERN_MAX_ARGS];
    args[0] = ARG_TENSOR(grad);
    for (int i = 0; i < n; i++) args[i + 1] = tern_node_arg(node, i + 2);
    if (tern_node_needs(node, 1)) grads[1] = tern_op_tensor(NULL, take, args, n + 1);
    if (!tern_node_needs(node, 0)) return;
    tern_tensor *zero = TERN_CALL(new_zeros, ARG_TENSOR(grad), ARG_SHAPE(TERN_SCALAR_SHAPE));
    for (int i = 0; i < n; i++) args[i + 2] = tern_node_arg(node, i + 2);
    args[1] = ARG_TENSOR(tern_expand(zero, tern_node_input_shape(node, 1)));
    grads[0] = tern_op_tensor(NULL, scatter, args, n + 2);
}

tern_value tern_op_slice_scatter(tern_opcall *call) {
    return scatter_part(call, TERN_ROW(slice));
}
void tern_grad_slice_scatter(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    scatter_part_grad(node, grad_out[0], grads, TERN_ROW(slice), TERN_ROW(slice_scatter), 4);
}

tern_value tern_op_select_scatter(tern_opcall *call) {
    return scatter_part(call, TERN_ROW(select));
}
void tern_grad_select_scatter(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    scatter_part_grad(node, grad_out[0], grads, TERN_ROW(select), TERN_ROW(select_scatter), 2);
}

tern_value tern_op_diagonal_scatter(tern_opcall *call) {
    return scatter_part(call, TERN_ROW(diagonal));
}
void tern_grad_diagonal_scatter(tern_node *node, tern_tensor *const *grad_out,
                                tern_tensor **grads) {
    scatter_part_grad(node, grad_out[0], grads, TERN_ROW(diagonal), TERN_ROW(diagonal_scatter), 3);
}

/* ---- C functions ---- */

tern_tensor *tern_narrow(tern_tensor *input, int dim, int64_t start, int64_t length) {
    return TERN_CALL(narrow, ARG_TENSOR(input), ARG_INT(dim), ARG_INT(start), ARG_INT(length));
}
tern_tensor *tern_select(tern_tensor *input, int dim, int64_t index) {
    return TERN_CALL(select, ARG_TENSOR(input), ARG_INT(dim), ARG_INT(index));
}
tern_tensor *tern_slice(tern_tensor *input, int dim, int64_t start, int64_t end, int64_t step) {
    return TERN_CALL(slice, ARG_TENSOR(input), ARG_INT(dim), ARG_INT(start), ARG_INT(end),
                     ARG_INT(step));
}
