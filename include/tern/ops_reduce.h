/*
 * tern/ops_reduce.h: operations along dimensions: sums, extremes, statistics, norms, scans, sorting.
 *
 * `dims` of rank 0 means all dimensions; a negative dimension counts from the end. With `keepdim` a reduced dimension
 * stays with size 1. Sums of integers and bools are int64. A dimension that does not exist, or is named twice, is an
 * error, and so is the maximum, minimum or median of no elements. Differentiable but for positions and counts.
 *
 * A function with an `out_` pointer has two results: the second goes there, if it is not NULL.
 */
#ifndef TERN_OPS_REDUCE_H
#define TERN_OPS_REDUCE_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sums and means ------------------------------------------------------------------------- */

/* torch.sum(input): the sum of all elements, 0-dim. */
TERN_API tern_tensor *tern_sum(tern_tensor *input);

/* torch.sum(input, dims, keepdim). */
TERN_API tern_tensor *tern_sum_dims(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.mean(input): the mean of all elements. Integers are an error. */
TERN_API tern_tensor *tern_mean(tern_tensor *input);

/* torch.mean(input, dims, keepdim). */
TERN_API tern_tensor *tern_mean_dims(tern_tensor *input, tern_shape dims, bool keepdim);

/* Tensor.sum_to_size(size): summed over the dimensions that `size` broadcast along: the reverse of expand. */
TERN_API tern_tensor *tern_sum_to_size(tern_tensor *input, tern_shape size);

/* torch.nansum(input, dim, keepdim): NaN counts as 0. */
TERN_API tern_tensor *tern_nansum(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.nanmean(input, dim, keepdim): the mean of the elements that are not NaN. */
TERN_API tern_tensor *tern_nanmean(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.prod(input): the product of all elements. */
TERN_API tern_tensor *tern_prod(tern_tensor *input);

/* torch.prod(input, dim, keepdim). */
TERN_API tern_tensor *tern_prod_dim(tern_tensor *input, int dim, bool keepdim);

/* torch.var(input, dim, correction, keepdim): sum((x - mean)^2) / (n - correction). PyTorch's default of
 * correction is 1; 0 gives the population's variance. */
TERN_API tern_tensor *tern_var(tern_tensor *input, tern_shape dims, double correction,
                               bool keepdim);

/* torch.std: the square root of tern_var. */
TERN_API tern_tensor *tern_std(tern_tensor *input, tern_shape dims, double correction,
                               bool keepdim);

/* torch.var_mean: the variance, and the mean. */
TERN_API tern_tensor *tern_var_mean(tern_tensor *input, tern_shape dims, double correction,
                                    bool keepdim, tern_tensor **out_mean);

/* torch.std_mean: the standard deviation, and the mean. */
TERN_API tern_tensor *tern_std_mean(tern_tensor *input, tern_shape dims, double correction,
                                    bool keepdim, tern_tensor **out_mean);

/* torch.logsumexp(input, dim, keepdim): log(sum(exp(x))) without overflow. */
TERN_API tern_tensor *tern_logsumexp(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.count_nonzero(input, dim): the number of elements that are not 0, int64. */
TERN_API tern_tensor *tern_count_nonzero(tern_tensor *input, tern_shape dims);

/* torch.any(input): whether any element is not 0, a 0-dim bool. */
TERN_API tern_tensor *tern_any(tern_tensor *input);

/* torch.any(input, dim, keepdim). */
TERN_API tern_tensor *tern_any_dims(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.all(input): whether all elements are not 0, a 0-dim bool. */
TERN_API tern_tensor *tern_all(tern_tensor *input);

/* torch.all(input, dim, keepdim). */
TERN_API tern_tensor *tern_all_dims(tern_tensor *input, tern_shape dims, bool keepdim);

/* ---- extremes ---------------------------------------------------------------------------------
 * NaN is larger and smaller than any number. */

/* torch.max(input): the largest element, 0-dim. Equal ones share the gradient. */
TERN_API tern_tensor *tern_max(tern_tensor *input);

/* torch.min(input): the smallest element, 0-dim. Equal ones share the gradient. */
TERN_API tern_tensor *tern_min(tern_tensor *input);

/* torch.max(input, dim, keepdim): the values; their positions go to *out_indices (int64), which may be
 * NULL. The gradient goes to that position alone. */
TERN_API tern_tensor *tern_max_dim(tern_tensor *input, int dim, bool keepdim,
                                   tern_tensor **out_indices);

/* torch.min(input, dim, keepdim): the same for the smallest. */
TERN_API tern_tensor *tern_min_dim(tern_tensor *input, int dim, bool keepdim,
                                   tern_tensor **out_indices);

/* torch.amax(input, dim, keepdim): the largest over several dimensions; equal ones share the gradient. */
TERN_API tern_tensor *tern_amax(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.amin(input, dim, keepdim): the smallest over several dimensions. */
TERN_API tern_tensor *tern_amin(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.aminmax(input): the smallest element, and the largest. */
TERN_API tern_tensor *tern_aminmax(tern_tensor *input, tern_tensor **out_max);

/* torch.aminmax(input, dim=dim, keepdim=keepdim). */
TERN_API tern_tensor *tern_aminmax_dim(tern_tensor *input, int dim, bool keepdim,
                                       tern_tensor **out_max);

/* torch.argmax(input, dim, keepdim): the position of the largest element along a dimension, int64. */
TERN_API tern_tensor *tern_argmax(tern_tensor *input, int dim, bool keepdim);

/* torch.argmin(input, dim, keepdim): the position of the smallest element. */
TERN_API tern_tensor *tern_argmin(tern_tensor *input, int dim, bool keepdim);

/* torch.argmax(input): its position in the flattened input. */
TERN_API tern_tensor *tern_argmax_all(tern_tensor *input);

/* torch.argmin(input): its position in the flattened input. */
TERN_API tern_tensor *tern_argmin_all(tern_tensor *input);

/* torch.median(input): the middle element, the lower of two; NaN if there is a NaN. */
TERN_API tern_tensor *tern_median(tern_tensor *input);

/* torch.median(input, dim, keepdim): the values, and their positions. */
TERN_API tern_tensor *tern_median_dim(tern_tensor *input, int dim, bool keepdim,
                                      tern_tensor **out_indices);

/* torch.nanmedian(input): the same, without the NaNs. */
TERN_API tern_tensor *tern_nanmedian(tern_tensor *input);

/* torch.nanmedian(input, dim, keepdim). */
TERN_API tern_tensor *tern_nanmedian_dim(tern_tensor *input, int dim, bool keepdim,
                                         tern_tensor **out_indices);

/* ---- norms ---------------------------------------------------------------------------------- */

/* torch.norm(input, p, dim, keepdim): (sum |x|^p)^(1/p); p may be 0 (how many are not 0), INFINITY (the
 * largest magnitude) or -INFINITY (the smallest). Floating dtypes only. */
TERN_API tern_tensor *tern_norm(tern_tensor *input, double p, tern_shape dims, bool keepdim);

/* torch.norm with a norm of matrices: "fro" (Frobenius), "nuc" (the sum of the singular values, of 2
 * dimensions). */
TERN_API tern_tensor *tern_norm_named(tern_tensor *input, const char *p, tern_shape dims,
                                      bool keepdim);

/* torch.linalg.vector_norm(input, ord, dim, keepdim): as tern_norm. */
TERN_API tern_tensor *tern_vector_norm(tern_tensor *input, double ord, tern_shape dims,
                                       bool keepdim);

/* torch.dist(input, other, p): the p-norm of input - other; PyTorch's default of p is 2. */
TERN_API tern_tensor *tern_dist(tern_tensor *input, tern_tensor *other, double p);

/* ---- scans ------------------------------------------------------------------------------------
 * Results of the input's shape. */

/* torch.cumsum(input, dim): sums of the elements so far. */
TERN_API tern_tensor *tern_cumsum(tern_tensor *input, int dim);

/* torch.cumprod(input, dim): products of the elements so far. */
TERN_API tern_tensor *tern_cumprod(tern_tensor *input, int dim);

/* torch.cummax(input, dim): the largest so far, and its position. */
TERN_API tern_tensor *tern_cummax(tern_tensor *input, int dim, tern_tensor **out_indices);

/* torch.cummin(input, dim): the smallest so far, and its position. */
TERN_API tern_tensor *tern_cummin(tern_tensor *input, int dim, tern_tensor **out_indices);

/* torch.logcumsumexp(input, dim): log(cumsum(exp(x))) without overflow. */
TERN_API tern_tensor *tern_logcumsumexp(tern_tensor *input, int dim);

/* torch.diff(input, n, dim, prepend, append): differences of neighbours, n times; prepend and append (NULL:
 * none) are joined to the input first. PyTorch's default of n is 1. */
TERN_API tern_tensor *tern_diff(tern_tensor *input, int64_t n, int dim, tern_tensor *prepend,
                                tern_tensor *append);

/* torch.trapezoid(y, x, dim=dim): the integral by the trapezoidal rule; x NULL means distances of 1. */
TERN_API tern_tensor *tern_trapezoid(tern_tensor *y, tern_tensor *x, int dim);

/* torch.cumulative_trapezoid(y, x, dim=dim): the integral up to each point but the first. */
TERN_API tern_tensor *tern_cumulative_trapezoid(tern_tensor *y, tern_tensor *x, int dim);

/* ---- sorting ----------------------------------------------------------------------------------
 * NaN is the largest; positions are int64. */

/* torch.sort(input, dim, descending): sorted values, and where they were. Stable. */
TERN_API tern_tensor *tern_sort(tern_tensor *input, int dim, bool descending,
                                tern_tensor **out_indices);

/* torch.argsort(input, dim, descending): where the sorted values were. Stable. */
TERN_API tern_tensor *tern_argsort(tern_tensor *input, int dim, bool descending);

/* torch.msort(input): sorted along dimension 0. */
TERN_API tern_tensor *tern_msort(tern_tensor *input);

/* torch.topk(input, k, dim, largest, sorted): the k largest (or smallest) elements, and their positions.
 * More than there are is an error. */
TERN_API tern_tensor *tern_topk(tern_tensor *input, int64_t k, int dim, bool largest, bool sorted,
                                tern_tensor **out_indices);

/* torch.kthvalue(input, k, dim, keepdim): the k-th smallest element (k counts from 1), and its position. */
TERN_API tern_tensor *tern_kthvalue(tern_tensor *input, int64_t k, int dim, bool keepdim,
                                    tern_tensor **out_indices);

/* torch.unique(input, sorted, return_inverse, return_counts): each value once, in ascending order. With a
 * flag, a tuple: the values; where each element's value is among them; how often it occurs. */
TERN_API tern_value tern_unique(tern_tensor *input, bool sorted, bool return_inverse,
                                bool return_counts);

/* torch.unique(..., dim=dim): each slice along a dimension once. */
TERN_API tern_value tern_unique_dim(tern_tensor *input, bool sorted, bool return_inverse,
                                    bool return_counts, int dim);

/* torch.unique_consecutive: repetitions of neighbours removed. */
TERN_API tern_value tern_unique_consecutive(tern_tensor *input, bool return_inverse,
                                            bool return_counts);

/* torch.unique_consecutive(..., dim=dim). */
TERN_API tern_value tern_unique_consecutive_dim(tern_tensor *input, bool return_inverse,
                                                bool return_counts, int dim);

/* torch.searchsorted(sorted_sequence, input, right=right): where each value would be inserted to keep the
 * order (ascending along the last dimension): before equal ones, or behind them (right). */
TERN_API tern_tensor *tern_searchsorted(tern_tensor *sorted_sequence, tern_tensor *input,
                                        bool right);

/* torch.bucketize(input, boundaries, right=right): the same in one 1-dim sequence. */
TERN_API tern_tensor *tern_bucketize(tern_tensor *input, tern_tensor *boundaries, bool right);

/* torch.bincount(input, weights, minlength): how often each of 0, 1, ... occurs in a 1-dim tensor of
 * integers, or the sum of its weights; at least minlength results. Negative numbers are an error. */
TERN_API tern_tensor *tern_bincount(tern_tensor *input, tern_tensor *weights, int64_t minlength);

/* torch.histc(input, bins, min, max): counts in `bins` intervals of equal width; min = max means the data's
 * own range. What is outside is not counted. */
TERN_API tern_tensor *tern_histc(tern_tensor *input, int64_t bins, double min, double max);

#ifdef __cplusplus
}
#endif

#endif
