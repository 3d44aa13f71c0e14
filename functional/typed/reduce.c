/* reduce.c: the C functions of tern/ops_reduce.h that do not stand beside their operation. */
#include "typed.h"

/* ---- sums and means ------------------------------------------------------------------------- */
tern_tensor *tern_nansum(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(nansum, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_nanmean(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(nanmean, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_prod(tern_tensor *input) {
    return TERN_CALL(prod, ARG_TENSOR(input));
}
tern_tensor *tern_prod_dim(tern_tensor *input, int dim, bool keepdim) {
    return TERN_CALL(prod, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim));
}
tern_tensor *tern_var(tern_tensor *input, tern_shape dims, double correction, bool keepdim) {
    return TERN_CALL(var, ARG_TENSOR(input), tern_dims_argument(&dims), tern_none(),
                     tern_number(correction), ARG_BOOL(keepdim));
}
tern_tensor *tern_std(tern_tensor *input, tern_shape dims, double correction, bool keepdim) {
    return TERN_CALL(std, ARG_TENSOR(input), tern_dims_argument(&dims), tern_none(),
                     tern_number(correction), ARG_BOOL(keepdim));
}
tern_tensor *tern_var_mean(tern_tensor *input, tern_shape dims, double correction, bool keepdim,
                           tern_tensor **out_mean) {
    return tern_first_of(input,
                         TERN_CALL_VALUE(var_mean, ARG_TENSOR(input), tern_dims_argument(&dims),
                                         tern_none(), tern_number(correction), ARG_BOOL(keepdim)),
                         out_mean);
}
tern_tensor *tern_std_mean(tern_tensor *input, tern_shape dims, double correction, bool keepdim,
                           tern_tensor **out_mean) {
    return tern_first_of(input,
                         TERN_CALL_VALUE(std_mean, ARG_TENSOR(input), tern_dims_argument(&dims),
                                         tern_none(), tern_number(correction), ARG_BOOL(keepdim)),
                         out_mean);
}
tern_tensor *tern_logsumexp(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(logsumexp, ARG_TENSOR(input), ARG_SHAPE(dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_count_nonzero(tern_tensor *input, tern_shape dims) {
    return TERN_CALL(count_nonzero, ARG_TENSOR(input), tern_dims_argument(&dims));
}
tern_tensor *tern_any_dims(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(any, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_all_dims(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(all, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim));
}

/* ---- extremes ------------------------------------------------------------------------------- */
tern_tensor *tern_amax(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(amax, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_amin(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(amin, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_aminmax(tern_tensor *input, tern_tensor **out_max) {
    return tern_first_of(input, TERN_CALL_VALUE(aminmax, ARG_TENSOR(input)), out_max);
}
tern_tensor *tern_aminmax_dim(tern_tensor *input, int dim, bool keepdim, tern_tensor **out_max) {
    return tern_first_of(
        input, TERN_CALL_VALUE(aminmax, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim)),
        out_max);
}
tern_tensor *tern_argmin_all(tern_tensor *input) {
    return TERN_CALL(argmin, ARG_TENSOR(input));
}
tern_tensor *tern_median(tern_tensor *input) {
    return TERN_CALL(median, ARG_TENSOR(input));
}
tern_tensor *tern_median_dim(tern_tensor *input, int dim, bool keepdim, tern_tensor **out_indices) {
    return tern_first_of(
        input, TERN_CALL_VALUE(median, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim)),
        out_indices);
}
tern_tensor *tern_nanmedian(tern_tensor *input) {
    return TERN_CALL(nanmedian, ARG_TENSOR(input));
}
tern_tensor *tern_nanmedian_dim(tern_tensor *input, int dim, bool keepdim,
                                tern_tensor **out_indices) {
    return tern_first_of(
        input, TERN_CALL_VALUE(nanmedian, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim)),
        out_indices);
}

/* ---- norms ---------------------------------------------------------------------------------- */
tern_tensor *tern_norm(tern_tensor *input, double p, tern_shape dims, bool keepdim) {
    return TERN_CALL(norm, ARG_TENSOR(input), ARG_FLOAT(p), tern_dims_argument(&dims),
                     ARG_BOOL(keepdim));
}
tern_tensor *tern_norm_named(tern_tensor *input, const char *p, tern_shape dims, bool keepdim) {
    return TERN_CALL(norm, ARG_TENSOR(input), tern_text_argument(p), tern_dims_argument(&dims),
                     ARG_BOOL(keepdim));
}
tern_tensor *tern_vector_norm(tern_tensor *input, double ord, tern_shape dims, bool keepdim) {
    return TERN_CALL(vector_norm, ARG_TENSOR(input), ARG_FLOAT(ord), tern_dims_argument(&dims),
                     ARG_BOOL(keepdim));
}
tern_tensor *tern_dist(tern_tensor *input, tern_tensor *other, double p) {
    return TERN_CALL(dist, ARG_TENSOR(input), ARG_TENSOR(other), ARG_FLOAT(p));
}

/* ---- scans ---------------------------------------------------------------------------------- */
tern_tensor *tern_cumsum(tern_tensor *input, int dim) {
    return TERN_CALL(cumsum, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_cumprod(tern_tensor *input, int dim) {
    return TERN_CALL(cumprod, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_cummax(tern_tensor *input, int dim, tern_tensor **out_indices) {
    return tern_first_of(input, TERN_CALL_VALUE(cummax, ARG_TENSOR(input), ARG_INT(dim)),
                         out_indices);
}
tern_tensor *tern_cummin(tern_tensor *input, int dim, tern_tensor **out_indices) {
    return tern_first_of(input, TERN_CALL_VALUE(cummin, ARG_TENSOR(input), ARG_INT(dim)),
                         out_indices);
}
tern_tensor *tern_logcumsumexp(tern_tensor *input, int dim) {
    return TERN_CALL(logcumsumexp, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_diff(tern_tensor *input, int64_t n, int dim, tern_tensor *prepend,
                       tern_tensor *append) {
    return TERN_CALL(diff, ARG_TENSOR(input), ARG_INT(n), ARG_INT(dim), ARG_TENSOR(prepend),
                     ARG_TENSOR(append));
}
tern_tensor *tern_trapezoid(tern_tensor *y, tern_tensor *x, int dim) {
    return TERN_CALL(trapezoid, ARG_TENSOR(y), ARG_TENSOR(x), tern_none(), ARG_INT(dim));
}
tern_tensor *tern_cumulative_trapezoid(tern_tensor *y, tern_tensor *x, int dim) {
    return TERN_CALL(cumulative_trapezoid, ARG_TENSOR(y), ARG_TENSOR(x), tern_none(), ARG_INT(dim));
}

/* ---- sorting -------------------------------------------------------------------------------- */
tern_tensor *tern_sort(tern_tensor *input, int dim, bool descending, tern_tensor **out_indices) {
    return tern_first_of(
        input, TERN_CALL_VALUE(sort, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(descending)),
        out_indices);
}
tern_tensor *tern_argsort(tern_tensor *input, int dim, bool descending) {
    return TERN_CALL(argsort, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(descending));
}
tern_tensor *tern_msort(tern_tensor *input) {
    return TERN_CALL(msort, ARG_TENSOR(input));
}
tern_tensor *tern_topk(tern_tensor *input, int64_t k, int dim, bool largest, bool sorted,
                       tern_tensor **out_indices) {
    return tern_first_of(input,
                         TERN_CALL_VALUE(topk, ARG_TENSOR(input), ARG_INT(k), ARG_INT(dim),
                                         ARG_BOOL(largest), ARG_BOOL(sorted)),
                         out_indices);
}
tern_tensor *tern_kthvalue(tern_tensor *input, int64_t k, int dim, bool keepdim,
                           tern_tensor **out_indices) {
    return tern_first_of(
        input,
        TERN_CALL_VALUE(kthvalue, ARG_TENSOR(input), ARG_INT(k), ARG_INT(dim), ARG_BOOL(keepdim)),
        out_indices);
}
tern_value tern_unique(tern_tensor *input, bool sorted, bool return_inverse, bool return_counts) {
    return TERN_CALL_VALUE(unique, ARG_TENSOR(input), ARG_BOOL(sorted), ARG_BOOL(return_inverse),
                           ARG_BOOL(return_counts));
}
tern_value tern_unique_dim(tern_tensor *input, bool sorted, bool return_inverse, bool return_counts,
                           int dim) {
    return TERN_CALL_VALUE(unique, ARG_TENSOR(input), ARG_BOOL(sorted), ARG_BOOL(return_inverse),
                           ARG_BOOL(return_counts), ARG_INT(dim));
}
tern_value tern_unique_consecutive(tern_tensor *input, bool return_inverse, bool return_counts) {
    return TERN_CALL_VALUE(unique_consecutive, ARG_TENSOR(input), ARG_BOOL(return_inverse),
                           ARG_BOOL(return_counts));
}
tern_value tern_unique_consecutive_dim(tern_tensor *input, bool return_inverse, bool return_counts,
                                       int dim) {
    return TERN_CALL_VALUE(unique_consecutive, ARG_TENSOR(input), ARG_BOOL(return_inverse),
                           ARG_BOOL(return_counts), ARG_INT(dim));
}
tern_tensor *tern_searchsorted(tern_tensor *sorted_sequence, tern_tensor *input, bool right) {
    return TERN_CALL(searchsorted, ARG_TENSOR(sorted_sequence), ARG_TENSOR(input), tern_none(),
                     ARG_BOOL(right));
}
tern_tensor *tern_bucketize(tern_tensor *input, tern_tensor *boundaries, bool right) {
    return TERN_CALL(bucketize, ARG_TENSOR(input), ARG_TENSOR(boundaries), tern_none(),
                     ARG_BOOL(right));
}
tern_tensor *tern_bincount(tern_tensor *input, tern_tensor *weights, int64_t minlength) {
    return TERN_CALL(bincount, ARG_TENSOR(input), ARG_TENSOR(weights), ARG_INT(minlength));
}
tern_tensor *tern_histc(tern_tensor *input, int64_t bins, double min, double max) {
    return TERN_CALL(histc, ARG_TENSOR(input), ARG_INT(bins), tern_number(min), tern_number(max));
}
