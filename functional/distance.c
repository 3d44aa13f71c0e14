/*
 * distance.c: distances between tensors and between their rows, membership, bilinear forms, and the
 * multivariate log-gamma function.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"

#define LOG_PI 1.1447298858494002

static tern_value in_dtype(tern_opcall *call, tern_tensor *result, tern_dtype dtype) {
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, tern_dtype_is_floating(dtype) ? tern_to_dtype(result, dtype) : result);
}

/* ---- distances ---- */

tern_value tern_op_dist(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    tern_dtype dtype = tern_result_type(call->args, 2);
    tern_tensor *d = tern_sub(tern_widen(a), tern_widen(b));
    return in_dtype(call,
                    TERN_CALL(vector_norm, ARG_TENSOR(d), ARG_FLOAT(tern_arg_double(call, 2, 2.0))),
                    dtype);
}

/* x1 [.., P, M], x2 [.., R, M] -> [.., P, R] */
tern_value tern_op_cdist(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    double p = tern_arg_double(call, 2, 2.0);
    if (BODY(a)->rank < 2 || BODY(b)->rank < 2 ||
        BODY(a)->shape[BODY(a)->rank - 1] != BODY(b)->shape[BODY(b)->rank - 1])
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "x1 and x2 must have at least two dimensions and the same number of "
                              "columns, got %d and %d dimensions",
                              BODY(a)->rank, BODY(b)->rank);
    if (!tern_dtype_is_floating(BODY(a)->dtype) || BODY(a)->dtype != BODY(b)->dtype || !(p >= 0.0))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "only supports floating-point dtypes, one for both, and p of at least "
            "0, got %s, %s and %g",
            tern_dtype_name(BODY(a)->dtype), tern_dtype_name(BODY(b)->dtype), p);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *wide[2] = {tern_widen(a), tern_widen(b)};
    tern_tensor *out = TERN_CALL(_cdist, ARG_TENSOR(wide[0]), ARG_TENSOR(wide[1]), ARG_FLOAT(p));
    return in_dtype(call, out, BODY(a)->dtype);
}

/* a[.., P, 1, M] - b[.., 1, R, M] */
static tern_tensor *row_differences(tern_tensor *a, tern_tensor *b) {
    return tern_sub(tern_unsqueeze(a, -2), tern_unsqueeze(b, -3));
}

tern_value tern_op__cdist(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0);
    tern_tensor *d = row_differences(a, tern_arg_tensor(call, 1));
    /* Without columns every distance is 0, also where the norm of nothing is an error. */
    if (call->ctx->status == TERN_OK && BODY(a)->shape[BODY(a)->rank - 1] == 0)
        return tern_result(call, TERN_CALL(sum, ARG_TENSOR(d), ARG_INT(-1)));
    return tern_result(call, TERN_CALL(vector_norm, ARG_TENSOR(d),
                                       ARG_FLOAT(tern_arg_double(call, 2, 2.0)), ARG_INT(-1)));
}

/* Where x is NaN, NaN; else `other`. */
static tern_tensor *nan_of(tern_tensor *x, tern_tensor *other) {
    return tern_fill_where(other, tern_isnan(x), (double)NAN);
}

/* d distance / d difference, [.., P, R, M]: sign(d) (|d| / distance)^(p - 1), 0 at distance 0. For p = inf
 * every difference as large as the distance has all of it, where norm would share. */
static tern_tensor *cdist_slope(tern_tensor *d, tern_tensor *distance, double p) {
    if (p == 0.0) return tern_zeros_like(d);
    if (p == 1.0) return nan_of(d, tern_sign(d));
    tern_tensor *at_zero = tern_eq_scalar(distance, 0.0);
    if (isinf(p)) {
        tern_tensor *gap = tern_sub(tern_abs(d), distance);
        tern_tensor *far = TERN_CALL(ne, ARG_TENSOR(gap), ARG_INT(0));
        return nan_of(gap, tern_fill_where(tern_sign(d), far, 0.0));
    }
    if (p == 2.0) return tern_fill_where(tern_div(d, distance), at_zero, 0.0);
    tern_tensor *power = tern_mul(tern_sign(d), tern_pow_scalar(tern_abs(d), p - 1.0));
    if (p < 1.0) power = tern_fill_where(power, tern_eq_scalar(d, 0.0), 0.0);
    return tern_fill_where(tern_div(power, tern_pow_scalar(distance, p - 1.0)), at_zero, 0.0);
}

void tern_grad__cdist(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *d = row_differences(tern_node_input(node, 0), tern_node_input(node, 1));
    tern_tensor *distance = tern_unsqueeze(tern_node_output(node, 0), -1);
    tern_tensor *slope = cdist_slope(d, distance, tern_value_as_double(tern_node_arg(node, 2)));
    slope = tern_mul(tern_unsqueeze(grad_out[0], -1), slope);
    if (tern_node_needs(node, 0)) grads[0] = tern_sum_dims(slope, TERN_SHAPE(-2), false);
    if (tern_node_needs(node, 1)) grads[1] = tern_neg(tern_sum_dims(slope, TERN_SHAPE(-3), false));
}

/* ---- membership, bilinear forms, log-gamma ---- */

tern_value tern_op_isin(tern_opcall *call) {
    tern_value both[2] = {tern_arg(call, 0), tern_arg(call, 1)};
    tern_dtype dtype = tern_result_type(both, 2);
    tern_tensor *x = tern_operand_of(call, both[0], dtype);
    tern_tensor *among = tern_operand_of(call, both[1], dtype);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *equal = tern_eq(tern_unsqueeze(x, -1), tern_reshape(among, TERN_SHAPE(-1)));
    tern_tensor *found = TERN_CALL(any, ARG_TENSOR(equal), ARG_INT(-1));
    return tern_result(call, tern_arg_bool(call, 3, false) ? tern_logical_not(found) : found);
}

/* out[.., k] = input1[.., i] weight[k, i, j] input2[.., j] + bias[k] */
tern_value tern_op_bilinear(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    tern_tensor *w = tern_arg_tensor(call, 2), *bias = tern_arg_tensor(call, 3);
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT], three[TERN_SHAPE_TEXT];
    bool fits = BODY(a)->rank >= 1 && BODY(a)->rank == BODY(b)->rank && BODY(w)->rank == 3 &&
                BODY(a)->shape[BODY(a)->rank - 1] == BODY(w)->shape[1] &&
                BODY(b)->shape[BODY(b)->rank - 1] == BODY(w)->shape[2];
    for (int d = 0; fits && d < BODY(a)->rank - 1; d++)
        fits = BODY(a)->shape[d] == BODY(b)->shape[d];
    if (!fits)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "input1 %s and input2 %s must agree but for the last dimension, which "
            "a weight (out, in1, in2) takes, got %s",
            tern_shape_text(BODY(a)->rank, BODY(a)->shape, one),
            tern_shape_text(BODY(b)->rank, BODY(b)->shape, two),
            tern_shape_text(BODY(w)->rank, BODY(w)->shape, three));
    int64_t k = BODY(w)->shape[0], i = BODY(w)->shape[1], j = BODY(w)->shape[2];
    int64_t rows = 1;
    tern_shape shape = tern_shape_of(a);
    for (int d = 0; d < BODY(a)->rank - 1; d++) rows *= BODY(a)->shape[d];
    shape.dim[shape.rank - 1] = k;
    tern_tensor *left = tern_reshape(tern_widen(a), TERN_SHAPE(rows, i));
    tern_tensor *right = tern_reshape(tern_widen(b), TERN_SHAPE(rows, j, 1));
    tern_tensor *by_input = tern_permute(tern_widen(w), TERN_SHAPE(1, 0, 2));
    tern_tensor *middle = tern_matmul(left, tern_reshape(by_input, TERN_SHAPE(i, k * j)));
    middle = tern_matmul(tern_reshape(middle, TERN_SHAPE(rows, k, j)), right);
    tern_tensor *out = tern_reshape(middle, shape);
    if (bias) out = tern_add(out, tern_widen(bias));
    return tern_result(call, tern_to_dtype(out, BODY(a)->dtype));
}

/* log of the multivariate gamma function of dimension p. */
tern_value tern_op_mvlgamma(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t p = tern_arg_int(call, 1, 1);
    if (p < 1 || p > INT16_MAX)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "p has to be greater than or equal to 1, got %lld", (long long)p);
    bool floating = tern_dtype_is_floating(BODY(x)->dtype);
    tern_tensor *wide = floating ? tern_widen(x) : tern_to_dtype(x, TERN_FLOAT32);
    /* 0, -1/2, -1, ..; it begins with +0, which makes -0 of the input +0, on whose side the slope is taken */
    tern_tensor *row = TERN_CALL(new_ones, ARG_TENSOR(wide), ARG_SHAPE(TERN_SHAPE(p)));
    row = tern_mul_scalar(tern_sub_scalar(tern_cumsum(row, 0), 1.0), 0.5);
    tern_tensor *shifted = tern_add(tern_unsqueeze(wide, -1), tern_sub(tern_zeros_like(row), row));
    tern_tensor *sum = tern_sum_dims(TERN_CALL(lgamma, ARG_TENSOR(shifted)), TERN_SHAPE(-1), false);
    sum = TERN_CALL(add, ARG_TENSOR(sum), ARG_FLOAT(0.25 * (double)(p * (p - 1)) * LOG_PI));
    return in_dtype(call, sum, BODY(x)->dtype);
}
