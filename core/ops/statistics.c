/*
 * statistics.c: reductions beyond sums and extremes: prod, var, std, vector norms, logsumexp, and sums that
 * pass NaN over.
 */
#include "map.h"
#include "reduce.h"

#include <math.h>
#include <string.h>

/* 16-bit types compute in float32 and round once; integers become float32 where `floats`. */
static tern_dtype wide_dtype(tern_dtype dtype) {
    return tern_dtype_size(dtype) == 2 || !tern_dtype_is_floating(dtype) ? TERN_FLOAT32 : dtype;
}

static tern_shape dims_of(uint32_t mask) {
    tern_shape dims = {0, {0}};
    for (int d = 0; d < TERN_MAX_RANK; d++)
        if (mask >> d & 1u) dims.dim[dims.rank++] = d;
    return dims;
}

/* The sum over mask with the dimensions kept; the tensor itself where mask is empty. */
static tern_tensor *sum_kept(tern_tensor *x, uint32_t mask) {
    return mask ? tern_sum_dims(x, dims_of(mask), true) : x;
}

/* x where the condition does not hold, 0 where it does. */
static tern_tensor *zero_where(tern_tensor *condition, tern_tensor *x) {
    return tern_where_value(condition, ARG_INT(0), ARG_TENSOR(x));
}

/* ---- prod ---- */

tern_value tern_op_prod(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    uint32_t mask;
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    bool floating = tern_dtype_is_floating(BODY(input)->dtype);
    tern_dtype dtype = tern_arg_dtype(call, 3, floating ? BODY(input)->dtype : TERN_INT64);
    tern_tensor *x = tern_to_dtype(input, dtype);
    return tern_result(call, tern_reduce_raw(call, x, TERN_REDUCE_PROD, mask,
                                             tern_arg_bool(call, 2, false), dtype, 0.0, 1.0));
}

/* Along dim, the product of all elements before each: [1, x0, x0 x1, ...]. */
static tern_tensor *products_before(tern_tensor *x, int dim) {
    tern_shape one = tern_shape_of(x);
    one.dim[dim] = 1;
    tern_tensor *ones = TERN_CALL(new_ones, ARG_TENSOR(x), ARG_SHAPE(one));
    tern_tensor *parts[2] = {ones, tern_narrow(x, dim, 0, BODY(x)->shape[dim] - 1)};
    return TERN_CALL(cumprod, ARG_TENSOR(tern_cat(parts, 2, dim)), ARG_INT(dim));
}

static tern_tensor *flipped(tern_tensor *x, int dim) {
    return TERN_CALL(flip, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(dim)));
}

/* The product of all others, from both sides, so that zeros need no division. */
void tern_grad_prod(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *x = tern_node_input(node, 0);
    tern_shape shape = tern_node_input_shape(node, 0);
    tern_tensor *grad = tern_to_dtype(grad_out[0], tern_node_input_dtype(node, 0));
    uint32_t mask = tern_node_mask(node, 1);
    int dim = 0;
    if (tern_node_ctx(node)->status != TERN_OK) return;
    if (BODY(x)->numel == 0) {
        grads[0] = tern_zeros_like(x);
        return;
    }
    if (tern_node_arg(node, 1).kind == TERN_VALUE_NONE || shape.rank == 0) {
        x = tern_reshape(x, TERN_SHAPE(-1));
        grad = tern_reshape(grad, TERN_SHAPE(1));
    } else {
        while (!(mask >> dim & 1u)) dim++;
        grad = tern_unreduce(grad, &shape, mask);
    }
    tern_tensor *before = products_before(x, dim);
    tern_tensor *after = flipped(products_before(flipped(x, dim), dim), dim);
    grads[0] = tern_reshape(tern_mul(grad, tern_mul(before, after)), shape);
}

/* ---- var, std ---- */

/* The correction: an argument of its own, or 1 or 0 for unbiased or not. */
static double correction_of(tern_value unbiased, tern_value correction) {
    if (correction.kind != TERN_VALUE_NONE) return tern_value_as_double(correction);
    return unbiased.kind == TERN_VALUE_NONE || tern_value_as_int(unbiased) ? 1.0 : 0.0;
}

static tern_value spread(tern_opcall *call, bool root) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    uint32_t mask;
    if (!tern_dtype_is_floating(BODY(input)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "std and var only support floating point and complex dtypes, got %s",
                              tern_dtype_name(BODY(input)->dtype));
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    double correction = correction_of(tern_arg(call, 2), tern_arg(call, 3));
    tern_dtype wide = wide_dtype(BODY(input)->dtype);
    tern_tensor *out = tern_reduce_raw(call, tern_to_dtype(input, wide), TERN_REDUCE_VAR, mask,
                                       tern_arg_bool(call, 4, false), wide, correction, NAN);
    if (root) out = tern_sqrt(out);
    return tern_result(call, tern_to_dtype(out, BODY(input)->dtype));
}

tern_value tern_op_var(tern_opcall *call) {
    return spread(call, false);
}
tern_value tern_op_std(tern_opcall *call) {
    return spread(call, true);
}

/* 2 / (n - correction) * (x - mean(x)) * grad */
static tern_tensor *var_backward(tern_node *node, tern_tensor *grad) {
    tern_tensor *x = tern_node_input(node, 0);
    tern_shape shape = tern_node_input_shape(node, 0);
    uint32_t mask = tern_node_mask(node, 1);
    double n = (double)tern_reduced_count(&shape, mask);
    double scale = 2.0 / (n - correction_of(tern_node_arg(node, 2), tern_node_arg(node, 3)));
    tern_dtype wide = wide_dtype(tern_node_input_dtype(node, 0));
    x = tern_to_dtype(x, wide);
    tern_tensor *mean = mask ? tern_mean_dims(x, dims_of(mask), true) : x;
    grad = tern_mul_scalar(tern_unreduce(tern_to_dtype(grad, wide), &shape, mask), scale);
    return tern_mul(grad, tern_sub(x, mean));
}

void tern_grad_var(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = var_backward(node, grad_out[0]);
}

void tern_grad_std(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *out = tern_node_output(node, 0);
    tern_dtype wide = wide_dtype(tern_node_input_dtype(node, 0));
    tern_tensor *grad =
        tern_div(tern_to_dtype(grad_out[0], wide), tern_mul_scalar(tern_to_dtype(out, wide), 2.0));
    grads[0] = var_backward(node, zero_where(TERN_CALL(eq, ARG_TENSOR(out), ARG_INT(0)), grad));
}

/* ---- vector norms ---- */

static tern_value norm_over(tern_opcall *call, double p, tern_value dims, bool keepdim,
                            int dtype_index) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_dtype dtype = tern_arg_dtype(call, dtype_index, BODY(input)->dtype);
    uint32_t mask;
    if (!tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected a floating point or complex tensor as input. Got %s",
                              tern_dtype_class(dtype));
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, dims, &mask)) return tern_none();
    tern_tensor *x = tern_to_dtype(input, dtype);
    if (BODY(x)->numel == 0 && (isinf(p) || p < 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "cannot compute the %g norm of an empty tensor", p);
    return tern_result(call,
                       tern_reduce_raw(call, x, TERN_REDUCE_NORM, mask, keepdim, dtype, p, 0.0));
}

tern_value tern_op_vector_norm(tern_opcall *call) {
    return norm_over(call, tern_arg_double(call, 1, 2.0), tern_arg(call, 2),
                     tern_arg_bool(call, 3, false), 4);
}

/* |x|^(p - 1) sign(x), with 0 at 0. */
static tern_tensor *power_with_sign(tern_tensor *x, double p) {
    tern_tensor *power = tern_pow_scalar(tern_abs(x), p - 1.0);
    return tern_mul(tern_sign(x), zero_where(TERN_CALL(eq, ARG_TENSOR(x), ARG_INT(0)), power));
}

static void norm_gradient(tern_node *node, double p, tern_value dims, tern_tensor *grad,
                          tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    uint32_t mask;
    if (!tern_reduce_mask(tern_node_ctx(node), shape.rank, dims, &mask)) return;
    tern_tensor *x = tern_node_input(node, 0), *norm = tern_node_output(node, 0);
    tern_dtype wide = wide_dtype(tern_node_input_dtype(node, 0));
    if (wide != BODY(x)->dtype) {
        /* The rounded norm would enter with the power p - 1. */
        x = tern_to_dtype(x, wide);
        norm = TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(p), dims);
    }
    norm = tern_unreduce(norm, &shape, mask);
    grad = tern_unreduce(tern_to_dtype(grad, wide), &shape, mask);
    tern_tensor *is_zero = TERN_CALL(eq, ARG_TENSOR(norm), ARG_INT(0));
    if (p == 0.0) {
        grads[0] = tern_zeros_like(x); /* a count has no slope, at infinities neither */
    } else if (p == 1.0) {
        grads[0] = tern_mul(tern_sign(x), grad);
    } else if (p == 2.0) {
        grads[0] = tern_mul(x, zero_where(is_zero, tern_div(grad, norm)));
    } else if (isinf(p)) {
        /* a NaN is an extreme too: it is the norm */
        tern_tensor *equal =
            tern_to_dtype(tern_logical_or(tern_eq(tern_abs(x), norm), tern_isnan(x)), wide);
        tern_tensor *share = tern_div(grad, sum_kept(equal, mask));
        grads[0] = tern_mul(tern_sign(x), tern_mul(equal, share));
    } else {
        tern_tensor *scale = tern_mul(grad, tern_pow_scalar(norm, 1.0 - p));
        grads[0] = tern_mul(power_with_sign(x, p), zero_where(is_zero, scale));
    }
}

void tern_grad_vector_norm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value p = tern_node_arg(node, 1);
    norm_gradient(node, p.kind == TERN_VALUE_NONE ? 2.0 : tern_value_as_double(p),
                  tern_node_arg(node, 2), grad_out[0], grads);
}

/* ---- logsumexp ---- */

tern_value tern_op_logsumexp(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    bool floating = tern_dtype_is_floating(BODY(input)->dtype);
    tern_dtype dtype = floating ? BODY(input)->dtype : TERN_FLOAT32,
               wide = wide_dtype(BODY(input)->dtype);
    uint32_t mask;
    if (!tern_reduce_mask(call->ctx, BODY(input)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    tern_tensor *x = tern_to_dtype(input, wide);
    tern_tensor *max = tern_reduce_raw(call, x, TERN_REDUCE_MAX, mask, true, wide, 0.0, 0.0);
    /* An infinite maximum would make inf - inf. */
    max = zero_where(tern_isinf(max), max);
    tern_tensor *sum = tern_exp(tern_sub(x, max));
    sum = tern_reduce_raw(call, sum, TERN_REDUCE_SUM, mask, true, wide, 0.0, 0.0);
    tern_tensor *out = tern_to_dtype(tern_add(tern_log(sum), max), dtype);
    tern_shape shape = tern_shape_of(input);
    shape = tern_reduced_shape(&shape, mask, tern_arg_bool(call, 2, false));
    return tern_result(call, tern_set_shape(out, &shape));
}

void tern_grad_logsumexp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    uint32_t mask = tern_node_mask(node, 1);
    tern_dtype wide = wide_dtype(tern_node_input_dtype(node, 0));
    tern_tensor *x = tern_to_dtype(tern_node_input(node, 0), wide);
    tern_tensor *out = tern_unreduce(tern_to_dtype(tern_node_output(node, 0), wide), &shape, mask);
    tern_tensor *grad = tern_unreduce(tern_to_dtype(grad_out[0], wide), &shape, mask);
    /* of -inf alone: 0 to all; next to inf only another inf counts, as inf - inf, NaN */
    tern_tensor *empty = TERN_CALL(eq, ARG_TENSOR(out), ARG_FLOAT(-(double)INFINITY));
    grads[0] = tern_mul(grad, tern_exp(tern_sub(x, zero_where(empty, out))));
}

/* ---- sums without NaN ---- */

tern_value tern_op_nansum(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (tern_dtype_is_floating(BODY(input)->dtype)) input = zero_where(tern_isnan(input), input);
    return tern_result(call, TERN_CALL(sum, ARG_TENSOR(input), tern_arg(call, 1),
                                       ARG_BOOL(tern_arg_bool(call, 2, false)), tern_arg(call, 3)));
}

/* grad times 0 at a NaN, times 1 elsewhere: a grad that is NaN stays. */
void tern_grad_nansum(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    tern_tensor *grad = tern_to_dtype(grad_out[0], tern_node_input_dtype(node, 0));
    tern_tensor *counts = tern_logical_not(tern_isnan(tern_node_input(node, 0)));
    grads[0] = tern_mul(tern_unreduce(grad, &shape, tern_node_mask(node, 1)),
                        tern_to_dtype(counts, BODY(grad)->dtype));
}
