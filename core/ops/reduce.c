/*
 * reduce.c: sum, mean, max, min, argmax, argmin, any, all over any dimensions, and sum_to_size.
 *
 * Sums of integers and bool are int64. Subgradients where several elements are the extreme: the
 * reductions over all and amax/amin split evenly, max(dim) gives all to the index it returned.
 */
#include "reduce.h"

#include <math.h>

/* ---- shapes ---- */

tern_shape tern_shape_of_value(tern_value value) {
    tern_shape shape = {-1, {0}};
    if (value.kind == TERN_VALUE_NONE) return shape;
    if (tern_value_is_number(value)) {
        shape.rank = 1;
        shape.dim[0] = tern_value_as_int(value);
        return shape;
    }
    size_t count = tern_value_count(value);
    shape.rank = 0;
    for (size_t i = 0; i < count && i < TERN_MAX_RANK; i++)
        shape.dim[shape.rank++] = tern_value_as_int(tern_value_at(value, i));
    return shape;
}

bool tern_reduce_mask(tern_ctx *ctx, int rank, tern_value dims, uint32_t *out_mask) {
    *out_mask = (uint32_t)((UINT64_C(1) << rank) - 1);
    if (dims.kind == TERN_VALUE_NONE) return true;
    tern_shape list = tern_shape_of_value(dims);
    if (list.rank <= 0) return true;
    *out_mask = 0;
    if (!tern_wrap_dims(ctx, rank, &list, out_mask)) return false;
    if (rank == 0) *out_mask = 0;
    return true;
}

tern_shape tern_reduced_shape(const tern_shape *shape, uint32_t mask, bool keepdim) {
    tern_shape out = {0, {0}};
    for (int d = 0; d < shape->rank; d++) {
        bool reduced = mask >> d & 1u;
        if (reduced && !keepdim) continue;
        out.dim[out.rank++] = reduced ? 1 : shape->dim[d];
    }
    return out;
}

int64_t tern_reduced_count(const tern_shape *shape, uint32_t mask) {
    int64_t count = 1;
    for (int d = 0; d < shape->rank; d++)
        if (mask >> d & 1u) count *= shape->dim[d];
    return count;
}

tern_tensor *tern_unreduce(tern_tensor *reduced, const tern_shape *shape, uint32_t mask) {
    return tern_reshape(reduced, tern_reduced_shape(shape, mask, true));
}

uint32_t tern_node_mask(tern_node *node, int arg) {
    uint32_t mask = 0;
    tern_reduce_mask(tern_node_ctx(node), tern_node_input_shape(node, 0).rank,
                     tern_node_arg(node, arg), &mask);
    return mask;
}

/* Reduces into a tensor whose dimensions, those of size 1 that it lacks aside, are the kept ones. */
static void reduce_into(tern_tensor *input, int32_t fn, uint32_t mask, double value,
                        tern_tensor *out) {
    tern_face face;
    int64_t shape[TERN_MAX_RANK], strides[TERN_MAX_RANK], step = 1;
    tern_tensor *kept = out;
    if (BODY(out)->rank != BODY(input)->rank) {
        for (int d = BODY(input)->rank; d-- > 0;) {
            shape[d] = mask >> d & 1u ? 1 : BODY(input)->shape[d];
            strides[d] = step;
            step *= shape[d];
        }
        kept = tern_face_over(&face, out, BODY(input)->rank, shape, strides);
    }
    tern_reduce_attrs attrs = {fn, mask, value};
    tern_launch(BODY(input)->lane, TERN_KERNEL_REDUCE, fn, &input, 1, &kept, 1, &attrs,
                sizeof attrs);
}

tern_tensor *tern_reduce_raw(tern_opcall *call, tern_tensor *input, int32_t fn, uint32_t mask,
                             bool keepdim, tern_dtype dtype, double value, double empty) {
    tern_shape shape = {0, {0}};
    for (int d = 0; d < BODY(input)->rank; d++) {
        bool reduced = mask >> d & 1u;
        if (!reduced || keepdim) shape.dim[shape.rank++] = reduced ? 1 : BODY(input)->shape[d];
    }
    tern_tensor *out = tern_new_shaped(call, dtype, &shape);
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    if (BODY(input)->numel == 0)
        tern_fill_raw(out, empty, (int64_t)(isfinite(empty) ? empty : 0.0));
    else
        reduce_into(input, fn, mask, value, out);
    return out;
}

/* ---- sum, mean ---- */

/* int64 for what is not floating, as sum and prod accumulate. */
static tern_dtype sum_dtype(tern_dtype dtype) {
    return tern_dtype_is_floating(dtype) ? dtype : TERN_INT64;
}

tern_value tern_op_sum(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    uint32_t mask;
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    tern_dtype dtype = tern_arg_dtype(call, 3, sum_dtype(BODY(input)->dtype));
    tern_tensor *converted = tern_to_dtype(input, dtype);
    tern_tensor *out = tern_reduce_raw(call, converted, TERN_REDUCE_SUM, mask,
                                       tern_arg_bool(call, 2, false), dtype, 0.0, 0.0);
    if (converted != input) tern_tensor_release(converted);
    return tern_result(call, out);
}

/* The gradient of what was summed over `mask`, in the shape of what was: recorded where gradients are,
 * without a call where they are not. */
static tern_tensor *spread_gradient(tern_tensor *grad, const tern_shape *shape, uint32_t mask) {
    const tern_tensor_body *body = BODY(grad);
    if (body->ctx->status != TERN_OK || body->ctx->grad_enabled)
        return tern_expand(tern_unreduce(grad, shape, mask), *shape);
    int64_t strides[TERN_MAX_RANK];
    bool keepdim = body->rank == shape->rank;
    for (int d = 0, at = 0; d < shape->rank; d++) {
        bool reduced = mask >> d & 1u;
        strides[d] = reduced ? 0 : body->strides[at];
        at += keepdim || !reduced;
    }
    return tern_tensor_over(body->lane, body->storage, body->dtype, shape->rank, shape->dim,
                            strides, body->offset);
}

void tern_grad_sum(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    grads[0] = spread_gradient(tern_to_dtype(grad_out[0], tern_node_input_dtype(node, 0)), &shape,
                               tern_node_mask(node, 1));
}

/* A sum that is divided, where the device has no such member: 16-bit types add and divide in float32, and
 * round once. */
static tern_tensor *divided_sum(tern_opcall *call, tern_tensor *input, uint32_t mask, bool keepdim,
                                tern_dtype dtype) {
    tern_dtype wide = tern_dtype_size(dtype) == 2 ? TERN_FLOAT32 : dtype;
    tern_shape shape = tern_shape_of(input);
    tern_frame frame;
    tern_frame_open(call->ctx, &frame);
    tern_tensor *sum = tern_reduce_raw(call, tern_to_dtype(input, wide), TERN_REDUCE_SUM, mask,
                                       keepdim, wide, 0.0, 0.0);
    tern_tensor *mean = tern_div_scalar(sum, (double)tern_reduced_count(&shape, mask));
    return tern_frame_return(&frame, tern_result(call, tern_to_dtype(mean, dtype))).as.tensor;
}

static tern_tensor *mean_over(tern_opcall *call, tern_tensor *input, uint32_t mask, bool keepdim,
                              tern_dtype dtype) {
    tern_tensor *x = tern_to_dtype(input, dtype);
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    tern_tensor *mean =
        tern_has_kernel(call->lane, TERN_KERNEL_REDUCE, TERN_REDUCE_MEAN, &x, 1, &x, 1,
                        sizeof(tern_reduce_attrs), NULL)
            ? tern_reduce_raw(call, x, TERN_REDUCE_MEAN, mask, keepdim, dtype, 0.0, (double)NAN)
            : divided_sum(call, input, mask, keepdim, dtype);
    if (x != input) tern_tensor_release(x);
    return mean;
}

tern_value tern_op_mean(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_dtype dtype = tern_arg_dtype(call, 3, BODY(input)->dtype);
    uint32_t mask;
    if (!tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "could not infer output dtype. Input dtype must be either a floating "
                              "point or complex dtype. Got: %s",
                              tern_dtype_class(dtype));
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    return tern_result(call, mean_over(call, input, mask, tern_arg_bool(call, 2, false), dtype));
}

void tern_grad_mean(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    uint32_t mask = tern_node_mask(node, 1);
    /* A count may be beyond what 16 bits hold. */
    tern_dtype dtype = BODY(grad_out[0])->dtype;
    tern_tensor *wide =
        tern_dtype_size(dtype) == 2 ? tern_to_dtype(grad_out[0], TERN_FLOAT32) : grad_out[0];
    tern_tensor *grad = tern_div_scalar(wide, (double)tern_reduced_count(&shape, mask));
    grad = tern_to_dtype(grad, tern_node_input_dtype(node, 0));
    grads[0] = spread_gradient(grad, &shape, mask);
}

/* The dimensions over which a tensor is summed to a size; false where it does not broadcast to it. */
static bool summed_dims(const tern_tensor *input, const tern_shape *size, uint32_t *out_mask) {
    int leading = BODY(input)->rank - size->rank;
    bool fits = leading >= 0;
    *out_mask = leading > 0 ? (1u << leading) - 1 : 0;
    for (int d = 0; fits && d < size->rank; d++) {
        int64_t from = BODY(input)->shape[d + leading];
        if (from != size->dim[d] && size->dim[d] == 1) *out_mask |= 1u << (d + leading);
        fits = from == size->dim[d] || size->dim[d] == 1;
    }
    return fits;
}

tern_value tern_op_sum_to_size(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape size = tern_arg_ints(call, 1);
    char own[TERN_SHAPE_TEXT], wanted[TERN_SHAPE_TEXT];
    uint32_t mask;
    if (size.rank < 0) return tern_none();
    if (!summed_dims(input, &size, &mask))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "size {%s} is not expandable to size {%s}.",
                              tern_shape_text(size.rank, size.dim, wanted),
                              tern_shape_text(BODY(input)->rank, BODY(input)->shape, own));
    if (size.rank == 0 && mask == 0) return tern_result(call, tern_sum(input));
    if (mask == 0) return tern_tensor_value(input);
    tern_shape dims = {0, {0}};
    for (int d = 0; d < BODY(input)->rank; d++)
        if (mask >> d & 1u) dims.dim[dims.rank++] = d;
    tern_tensor *sum = tern_sum_dims(input, dims, true);
    return tern_result(call, BODY(input)->rank > size.rank ? tern_view(sum, size) : sum);
}

tern_tensor *tern_sum_gradient(tern_tensor *grad, const tern_shape *size) {
    const tern_tensor_body *body = BODY(grad);
    uint32_t mask;
    if (tern_is_nil(grad) || tern_has_shape(grad, size)) return grad;
    if (body->ctx->grad_enabled || body->numel == 0 || !tern_is_float(body->dtype) ||
        !summed_dims(grad, size, &mask))
        return tern_sum_to_size(grad, *size);
    tern_tensor *out = tern_tensor_new(body->lane, body->dtype, size->rank, size->dim);
    if (!tern_is_nil(out)) reduce_into(grad, TERN_REDUCE_SUM, mask, 0, out);
    return out;
}

/* ---- max, min ---- */

/* False, and an error, where an extreme of nothing is asked for. */
static bool has_extreme(tern_opcall *call, tern_tensor *input, int dim) {
    if (dim < 0 && BODY(input)->numel == 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Expected reduction dim to be specified for input.numel() == 0. Specify the "
                       "reduction dim with the 'dim' argument.");
        return false;
    }
    if (dim >= 0 && BODY(input)->rank > 0 && BODY(input)->shape[dim] == 0) {
        tern_call_fail(call, TERN_ERR_INDEX, "Expected reduction dim %d to have non-zero size.",
                       dim);
        return false;
    }
    return true;
}

static tern_value extreme_of_all(tern_opcall *call, int32_t fn) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (!has_extreme(call, input, -1)) return tern_none();
    uint32_t mask = (uint32_t)((UINT64_C(1) << BODY(input)->rank) - 1);
    return tern_result(call,
                       tern_reduce_raw(call, input, fn, mask, false, BODY(input)->dtype, 0.0, 0.0));
}

tern_value tern_op_max(tern_opcall *call) {
    return extreme_of_all(call, TERN_REDUCE_MAX);
}
tern_value tern_op_min(tern_opcall *call) {
    return extreme_of_all(call, TERN_REDUCE_MIN);
}

/* Equal elements share the gradient of their extreme. NaN is an extreme that `nan_counts` finds, as
 * max and min do; amax and amin find none, and 0 / 0 makes the whole slice NaN. */
static void extreme_grad(tern_node *node, tern_tensor *grad, tern_tensor **grads, uint32_t mask,
                         bool nan_counts) {
    tern_tensor *input = tern_node_input(node, 0);
    tern_shape shape = tern_shape_of(input), dims = {0, {0}};
    for (int d = 0; d < shape.rank; d++)
        if (mask >> d & 1u) dims.dim[dims.rank++] = d;
    tern_tensor *extreme = tern_unreduce(tern_node_output(node, 0), &shape, mask);
    tern_tensor *equal = tern_eq(input, extreme);
    if (nan_counts)
        equal = tern_logical_or(equal, tern_logical_and(tern_isnan(input), tern_isnan(extreme)));
    tern_tensor *chosen = tern_to_dtype(equal, BODY(grad)->dtype);
    tern_tensor *count = mask ? tern_sum_dims(chosen, dims, true) : chosen;
    grads[0] = tern_mul(chosen, tern_div(tern_unreduce(grad, &shape, mask), count));
}

void tern_grad_max(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    int rank = tern_node_input_shape(node, 0).rank;
    extreme_grad(node, grad_out[0], grads, (uint32_t)((UINT64_C(1) << rank) - 1), true);
}
void tern_grad_min(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_grad_max(node, grad_out, grads);
}

static tern_value extreme_over(tern_opcall *call, int32_t fn) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    uint32_t mask;
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    for (int d = 0; d < BODY(input)->rank; d++)
        if ((mask >> d & 1u) && !has_extreme(call, input, tern_arg_given(call, 1) ? d : -1))
            return tern_none();
    return tern_result(call, tern_reduce_raw(call, input, fn, mask, tern_arg_bool(call, 2, false),
                                             BODY(input)->dtype, 0.0, 0.0));
}

tern_value tern_op_amax(tern_opcall *call) {
    return extreme_over(call, TERN_REDUCE_MAX);
}
tern_value tern_op_amin(tern_opcall *call) {
    return extreme_over(call, TERN_REDUCE_MIN);
}

void tern_grad_amax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    extreme_grad(node, grad_out[0], grads, tern_node_mask(node, 1), false);
}
void tern_grad_amin(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_grad_amax(node, grad_out, grads);
}

/* ---- positions ---- */

/* ARGMAX or ARGMIN over mask; bool, which the kernels do not order, goes as uint8. */
static tern_tensor *positions(tern_opcall *call, tern_tensor *input, int32_t fn, uint32_t mask,
                              bool keepdim) {
    if (BODY(input)->dtype == TERN_BOOL) input = tern_to_dtype(input, TERN_UINT8);
    return tern_reduce_raw(call, input, fn, mask, keepdim, TERN_INT64, 0.0, 0.0);
}

static tern_value position_of(tern_opcall *call, int32_t fn) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    bool whole = !tern_arg_given(call, 1);
    uint32_t mask;
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    int dim = 0;
    while (mask && !(mask >> dim & 1u)) dim++;
    if (!has_extreme(call, input, whole ? -1 : dim)) return tern_none();
    return tern_result(call, positions(call, input, fn, mask, tern_arg_bool(call, 2, false)));
}

tern_value tern_op_argmax(tern_opcall *call) {
    return position_of(call, TERN_REDUCE_ARGMAX);
}
tern_value tern_op_argmin(tern_opcall *call) {
    return position_of(call, TERN_REDUCE_ARGMIN);
}

/* (values, indices) along one dimension. */
static tern_value extreme_with_position(tern_opcall *call, int32_t fn) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    bool keepdim = tern_arg_bool(call, 2, false);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim) ||
        !has_extreme(call, input, dim))
        return tern_none();
    tern_tensor *both[2];
    both[1] = positions(call, input, fn, tern_dim_bit(input, dim), true);
    both[0] = tern_gather(input, dim, both[1]);
    if (!keepdim) {
        tern_shape shape = tern_shape_of(input);
        shape = tern_reduced_shape(&shape, tern_dim_bit(input, dim), false);
        for (int i = 0; i < 2; i++) both[i] = tern_set_shape(both[i], &shape);
    }
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

tern_value tern_op_max_dim(tern_opcall *call) {
    return extreme_with_position(call, TERN_REDUCE_ARGMAX);
}
tern_value tern_op_min_dim(tern_opcall *call) {
    return extreme_with_position(call, TERN_REDUCE_ARGMIN);
}

void tern_grad_max_dim(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    uint32_t mask = tern_node_mask(node, 1);
    int dim = 0;
    while (mask && !(mask >> dim & 1u)) dim++;
    if (!grad_out[0]) return;
    tern_tensor *grad = tern_unreduce(grad_out[0], &shape, mask);
    tern_tensor *index = tern_unreduce(tern_node_output(node, 1), &shape, mask);
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(grad), ARG_SHAPE(shape));
    grads[0] = tern_scatter_add(zeros, dim, index, grad);
}
void tern_grad_min_dim(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_grad_max_dim(node, grad_out, grads);
}

tern_value tern_op_max_other(tern_opcall *call) {
    return tern_result(call, tern_maximum(tern_arg_tensor(call, 0), tern_arg_tensor(call, 1)));
}
tern_value tern_op_min_other(tern_opcall *call) {
    return tern_result(call, tern_minimum(tern_arg_tensor(call, 0), tern_arg_tensor(call, 1)));
}

/* ---- any, all ---- */

static tern_value truth(tern_opcall *call, int32_t fn, double empty) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    uint32_t mask;
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    tern_tensor *out = tern_reduce_raw(call, input, fn, mask, tern_arg_bool(call, 2, false),
                                       TERN_BOOL, 0.0, empty);
    /* PyTorch keeps uint8, its bool of old. */
    return tern_result(
        call, tern_to_dtype(out, BODY(input)->dtype == TERN_UINT8 ? TERN_UINT8 : TERN_BOOL));
}

tern_value tern_op_any(tern_opcall *call) {
    return truth(call, TERN_REDUCE_ANY, 0.0);
}
tern_value tern_op_all(tern_opcall *call) {
    return truth(call, TERN_REDUCE_ALL, 1.0);
}

/* ---- C functions ---- */

tern_tensor *tern_sum(tern_tensor *input) {
    return TERN_CALL(sum, ARG_TENSOR(input));
}
tern_tensor *tern_sum_dims(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(sum, ARG_TENSOR(input), ARG_SHAPE(dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_mean(tern_tensor *input) {
    return TERN_CALL(mean, ARG_TENSOR(input));
}
tern_tensor *tern_mean_dims(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(mean, ARG_TENSOR(input), ARG_SHAPE(dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_max(tern_tensor *input) {
    return TERN_CALL(max, ARG_TENSOR(input));
}
tern_tensor *tern_min(tern_tensor *input) {
    return TERN_CALL(min, ARG_TENSOR(input));
}

/* The first of a pair, the second where it is asked for; nil twice after an error. */
static tern_tensor *take_pair(tern_tensor *input, tern_value pair, tern_tensor **out_second) {
    tern_value first = tern_value_at(pair, 0), second = tern_value_at(pair, 1);
    tern_tensor *nil = tern_nil(tern_context_of(input));
    if (out_second) *out_second = second.kind == TERN_VALUE_TENSOR ? second.as.tensor : nil;
    return first.kind == TERN_VALUE_TENSOR ? first.as.tensor : nil;
}

tern_tensor *tern_max_dim(tern_tensor *input, int dim, bool keepdim, tern_tensor **out_indices) {
    return take_pair(input,
                     TERN_CALL_VALUE(max_dim, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim)),
                     out_indices);
}
tern_tensor *tern_min_dim(tern_tensor *input, int dim, bool keepdim, tern_tensor **out_indices) {
    return take_pair(input,
                     TERN_CALL_VALUE(min_dim, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim)),
                     out_indices);
}
tern_tensor *tern_argmax(tern_tensor *input, int dim, bool keepdim) {
    return TERN_CALL(argmax, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim));
}
tern_tensor *tern_argmin(tern_tensor *input, int dim, bool keepdim) {
    return TERN_CALL(argmin, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim));
}
tern_tensor *tern_argmax_all(tern_tensor *input) {
    return TERN_CALL(argmax, ARG_TENSOR(input));
}
tern_tensor *tern_any(tern_tensor *input) {
    return TERN_CALL(any, ARG_TENSOR(input));
}
tern_tensor *tern_all(tern_tensor *input) {
    return TERN_CALL(all, ARG_TENSOR(input));
}
tern_tensor *tern_sum_to_size(tern_tensor *input, tern_shape size) {
    return TERN_CALL(sum_to_size, ARG_TENSOR(input), ARG_SHAPE(size));
}
