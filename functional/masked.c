/*
 * masked.c: torch.masked: reductions and normalizations over the elements whose mask is true; the
 * others take part as the value that changes nothing.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"

/* What a masked element counts as. */
typedef enum identity { ZERO, ONE, LOWEST, HIGHEST, NOT_A_NUMBER } identity;

/* The limits of the dtype: infinities of floats. */
static tern_value limit_of(tern_dtype dtype, bool lowest) {
    int bits = (int)tern_dtype_size(dtype) * 8;
    if (tern_dtype_is_floating(dtype))
        return ARG_FLOAT(lowest ? -(double)INFINITY : (double)INFINITY);
    if (dtype == TERN_BOOL) return ARG_INT(!lowest);
    if (dtype == TERN_UINT8) return ARG_INT(lowest ? 0 : UINT8_MAX);
    int64_t highest = (int64_t)(UINT64_MAX >> (65 - bits));
    return ARG_INT(lowest ? -highest - 1 : highest);
}

static tern_value value_of(identity kind, tern_dtype dtype) {
    switch (kind) {
    case ZERO: return ARG_INT(0);
    case ONE: return ARG_INT(1);
    case LOWEST: return limit_of(dtype, true);
    case HIGHEST: return limit_of(dtype, false);
    case NOT_A_NUMBER: return ARG_FLOAT((double)NAN);
    }
    return ARG_INT(0);
}

/* The input with its masked elements replaced; the input itself without a mask. */
static tern_tensor *combined(tern_tensor *x, tern_tensor *mask, identity kind) {
    if (!mask || tern_is_nil(x)) return x;
    return TERN_CALL(where, ARG_TENSOR(tern_to_dtype(mask, TERN_BOOL)), ARG_TENSOR(x),
                     value_of(kind, BODY(x)->dtype));
}

/* ---- arguments ---- */

/* The dimensions as a list; None and [] are all. */
static bool all_dims(tern_opcall *call, const tern_tensor *x, int index, tern_shape *out_dims) {
    uint32_t mask = 0;
    tern_shape dims = {0, {0}};
    *out_dims = dims;
    if (tern_arg_given(call, index)) dims = tern_arg_ints(call, index);
    if (!tern_wrap_dims(call->ctx, BODY(x)->rank, &dims, &mask)) return false;
    for (int d = 0; d < BODY(x)->rank; d++)
        if (dims.rank == 0 || (mask >> d & 1u)) out_dims->dim[out_dims->rank++] = d;
    return true;
}

/* The result in the dtype that is asked for, else in the input's. */
static tern_value in_dtype(tern_opcall *call, int index, tern_tensor *out) {
    tern_dtype own = BODY(tern_arg_tensor(call, 0))->dtype;
    return tern_result(call, tern_to_dtype(out, tern_arg_dtype(call, index, own)));
}

/* int64 for integers, whose sums and products grow. */
static tern_dtype sum_dtype(tern_opcall *call, int index) {
    tern_dtype own = BODY(tern_arg_tensor(call, 0))->dtype;
    return tern_arg_dtype(call, index, tern_dtype_is_floating(own) ? own : TERN_INT64);
}

/* ---- sums and products: (input, dim, keepdim, dtype, mask) ---- */

static tern_tensor *sum_of(tern_tensor *x, tern_shape dims, bool keepdim) {
    return dims.rank ? tern_sum_dims(x, dims, keepdim) : x;
}

tern_value tern_op_masked_sum(tern_opcall *call) {
    tern_shape dims;
    tern_dtype dtype = sum_dtype(call, 3);
    tern_tensor *x = combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 4), ZERO);
    if (tern_is_nil(x) || !all_dims(call, x, 1, &dims)) return tern_none();
    x = tern_to_dtype(x, tern_wide_dtype(dtype));
    return tern_result(call, tern_to_dtype(sum_of(x, dims, tern_arg_bool(call, 2, false)), dtype));
}

tern_value tern_op_masked_prod(tern_opcall *call) {
    tern_shape dims;
    tern_dtype dtype = sum_dtype(call, 3);
    bool keepdim = tern_arg_bool(call, 2, false);
    tern_tensor *x = combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 4), ONE);
    if (tern_is_nil(x) || !all_dims(call, x, 1, &dims)) return tern_none();
    x = tern_to_dtype(x, tern_wide_dtype(dtype));
    for (int i = dims.rank; i-- > 0;)
        x = TERN_CALL(prod, ARG_TENSOR(x), ARG_INT(dims.dim[i]), ARG_BOOL(keepdim));
    return tern_result(call, tern_to_dtype(x, dtype));
}

/* How many elements count, int64; the dimensions' size where there is no mask. */
static tern_tensor *count_of(tern_tensor *x, tern_tensor *mask, tern_shape dims, bool keepdim) {
    tern_tensor *ones = TERN_CALL(ones_like, ARG_TENSOR(x), ARG_DTYPE(TERN_INT64));
    return sum_of(combined(ones, mask, ZERO), dims, keepdim);
}

tern_value tern_op_masked_mean(tern_opcall *call) {
    tern_shape dims;
    bool keepdim = tern_arg_bool(call, 2, false);
    tern_tensor *input = tern_arg_tensor(call, 0), *mask = tern_arg_tensor(call, 4);
    if (!all_dims(call, input, 1, &dims)) return tern_none();
    if (!tern_dtype_is_floating(tern_arg_dtype(call, 3, BODY(input)->dtype)))
        return tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                              "could not infer output dtype of %s: give a floating dtype",
                              tern_dtype_name(BODY(input)->dtype));
    tern_tensor *x =
        tern_to_dtype(input, tern_wide_dtype(tern_arg_dtype(call, 3, BODY(input)->dtype)));
    tern_tensor *total = sum_of(combined(x, mask, ZERO), dims, keepdim);
    return in_dtype(call, 3, tern_div(total, count_of(x, mask, dims, keepdim)));
}

/* ---- extremes ---- */

static tern_value extreme(tern_opcall *call, bool max) {
    tern_shape dims;
    tern_value keepdim = ARG_BOOL(tern_arg_bool(call, 2, false));
    tern_tensor *x =
        combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 4), max ? LOWEST : HIGHEST);
    if (tern_is_nil(x) || !all_dims(call, x, 1, &dims)) return tern_none();
    return in_dtype(call, 3,
                    max ? TERN_CALL(amax, ARG_TENSOR(x), ARG_SHAPE(dims), keepdim)
                        : TERN_CALL(amin, ARG_TENSOR(x), ARG_SHAPE(dims), keepdim));
}

tern_value tern_op_masked_amax(tern_opcall *call) {
    return extreme(call, true);
}
tern_value tern_op_masked_amin(tern_opcall *call) {
    return extreme(call, false);
}

/* (input, dim, dtype, keepdim, mask); the place is told in the input's dtype, as PyTorch does. */
static tern_value place_of_extreme(tern_opcall *call, bool max) {
    tern_value dim = tern_arg(call, 1), keepdim = ARG_BOOL(tern_arg_bool(call, 3, false));
    tern_tensor *x =
        combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 4), max ? LOWEST : HIGHEST);
    return in_dtype(call, 2,
                    max ? TERN_CALL(argmax, ARG_TENSOR(x), dim, keepdim)
                        : TERN_CALL(argmin, ARG_TENSOR(x), dim, keepdim));
}

tern_value tern_op_masked_argmax(tern_opcall *call) {
    return place_of_extreme(call, true);
}
tern_value tern_op_masked_argmin(tern_opcall *call) {
    return place_of_extreme(call, false);
}

/* (input, dim, keepdim, dtype, mask): of what the mask leaves, NaN passed over; integers compute in
 * float32 and have no value for a row that is masked whole. */
tern_value tern_op_masked_median(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    bool floating = tern_dtype_is_floating(BODY(input)->dtype);
    tern_tensor *x = floating ? input : tern_to_dtype(input, TERN_FLOAT32);
    x = combined(x, tern_arg_tensor(call, 4), NOT_A_NUMBER);
    tern_value both = TERN_CALL_VALUE(nanmedian, ARG_TENSOR(x), ARG_INT(tern_arg_int(call, 1, -1)),
                                      ARG_BOOL(tern_arg_bool(call, 2, false)));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *out = tern_value_at(both, 0).as.tensor;
    if (floating) return tern_result(call, out);
    if (tern_item(TERN_CALL(any, ARG_TENSOR(TERN_CALL(isnan, ARG_TENSOR(out))))) != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects no fully masked out rows if dtype is not floating point");
    return in_dtype(call, 3, out);
}

/* ---- along a dimension: (input, dim, dtype, mask) ---- */

tern_value tern_op_masked_cumsum(tern_opcall *call) {
    tern_tensor *x = combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 3), ZERO);
    return in_dtype(call, 2, TERN_CALL(cumsum, ARG_TENSOR(tern_widen(x)), tern_arg(call, 1)));
}

tern_value tern_op_masked_cumprod(tern_opcall *call) {
    tern_tensor *x = combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 3), ONE);
    return in_dtype(call, 2, TERN_CALL(cumprod, ARG_TENSOR(tern_widen(x)), tern_arg(call, 1)));
}

/* The input in the dtype that is asked for. */
static tern_tensor *converted(tern_opcall *call, identity kind) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    x = tern_to_dtype(x, tern_arg_dtype(call, 2, BODY(x)->dtype));
    return combined(x, tern_arg_tensor(call, 3), kind);
}

tern_value tern_op_masked_softmax(tern_opcall *call) {
    tern_tensor *x = converted(call, LOWEST);
    return tern_result(call, TERN_CALL(softmax, ARG_TENSOR(x), tern_arg(call, 1)));
}

tern_value tern_op_masked_log_softmax(tern_opcall *call) {
    tern_tensor *x = converted(call, LOWEST);
    return tern_result(call, TERN_CALL(log_softmax, ARG_TENSOR(x), tern_arg(call, 1)));
}

tern_value tern_op_masked_softmin(tern_opcall *call) {
    tern_tensor *x = converted(call, HIGHEST);
    return tern_result(call, TERN_CALL(softmin, ARG_TENSOR(x), tern_arg(call, 1)));
}

/* ---- logarithms of sums ---- */

tern_value tern_op_masked_logsumexp(tern_opcall *call) {
    tern_shape dims;
    tern_tensor *x = combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 4), LOWEST);
    if (tern_is_nil(x) || !all_dims(call, x, 1, &dims)) return tern_none();
    x = TERN_CALL(logsumexp, ARG_TENSOR(tern_widen(x)), ARG_SHAPE(dims),
                  ARG_BOOL(tern_arg_bool(call, 2, false)));
    return in_dtype(call, 3, x);
}

/* (input, other, dtype, input_mask, other_mask) */
tern_value tern_op_masked_logaddexp(tern_opcall *call) {
    tern_tensor *x = combined(tern_arg_tensor(call, 0), tern_arg_tensor(call, 3), LOWEST);
    tern_tensor *y = combined(tern_arg_tensor(call, 1), tern_arg_tensor(call, 4), LOWEST);
    return in_dtype(call, 2, TERN_CALL(logaddexp, ARG_TENSOR(x), ARG_TENSOR(y)));
}

/* ---- norms ---- */

static tern_tensor *norm_of(tern_tensor *x, tern_tensor *mask, double ord, tern_shape dims,
                            bool keepdim) {
    x = combined(x, mask, ord < 0 && isinf(ord) ? HIGHEST : ZERO);
    return TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(ord), ARG_SHAPE(dims),
                     ARG_BOOL(keepdim));
}

/* (input, ord, dim, keepdim, dtype, mask) */
tern_value tern_op_masked_norm(tern_opcall *call) {
    tern_shape dims;
    tern_tensor *x = tern_widen(tern_arg_tensor(call, 0));
    if (!all_dims(call, x, 2, &dims)) return tern_none();
    return in_dtype(call, 4,
                    norm_of(x, tern_arg_tensor(call, 5), tern_arg_double(call, 1, 2), dims,
                            tern_arg_bool(call, 3, false)));
}

/* (input, ord, dim, eps, dtype, mask) */
tern_value tern_op_masked_normalize(tern_opcall *call) {
    tern_shape dims;
    tern_tensor *x = tern_widen(tern_arg_tensor(call, 0)), *mask = tern_arg_tensor(call, 5);
    if (!all_dims(call, x, 2, &dims)) return tern_none();
    tern_tensor *norm = norm_of(x, mask, tern_arg_double(call, 1, 2), dims, true);
    tern_tensor *divisor = tern_at_least(norm, tern_arg_double(call, 3, 1e-12));
    return in_dtype(call, 4, tern_div(combined(x, mask, ZERO), divisor));
}

/* ---- variance: (input, dim, unbiased, correction, keepdim, dtype, mask) ---- */

static double correction_of(tern_opcall *call) {
    if (tern_arg_given(call, 3)) return tern_arg_double(call, 3, 1);
    return tern_arg_bool(call, 2, true) ? 1 : 0;
}

static tern_value variance(tern_opcall *call, bool root) {
    tern_shape dims;
    tern_tensor *input = tern_arg_tensor(call, 0), *mask = tern_arg_tensor(call, 6);
    bool floating = tern_dtype_is_floating(BODY(input)->dtype),
         keepdim = tern_arg_bool(call, 4, false);
    tern_dtype dtype = tern_arg_dtype(call, 5, floating ? BODY(input)->dtype : TERN_FLOAT32);
    if (!all_dims(call, input, 1, &dims)) return tern_none();
    tern_tensor *x = tern_to_dtype(input, tern_wide_dtype(dtype));
    tern_tensor *mean =
        tern_div(sum_of(combined(x, mask, ZERO), dims, true), count_of(x, mask, dims, true));
    tern_tensor *square = tern_square(tern_sub(x, mean));
    tern_tensor *total = sum_of(combined(square, mask, ZERO), dims, keepdim);
    tern_tensor *count = tern_to_dtype(count_of(x, mask, dims, keepdim), BODY(total)->dtype);
    count = tern_at_least(tern_sub_scalar(count, correction_of(call)), 0);
    tern_tensor *out = tern_div(total, count);
    return tern_result(call, tern_to_dtype(root ? tern_sqrt(out) : out, dtype));
}

tern_value tern_op_masked_var(tern_opcall *call) {
    return variance(call, false);
}
tern_value tern_op_masked_std(tern_opcall *call) {
    return variance(call, true);
}
