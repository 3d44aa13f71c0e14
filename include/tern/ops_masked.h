/*
 * tern/ops_masked.h: torch.masked: operations that leave out the elements where a mask does not hold.
 *
 * `mask` (bool) broadcasts to the input; NULL takes all elements. `dim` of rank 0 means all dimensions. Where nothing
 * is left the result is the operation's neutral element (0 for sums, 1 for products, NaN for means).
 */
#ifndef TERN_OPS_MASKED_H
#define TERN_OPS_MASKED_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reductions ----------------------------------------------------------------------------- */

/* masked.sum: the sum of the elements where the mask holds. */
TERN_API tern_tensor *tern_masked_sum(tern_tensor *input, tern_shape dims, bool keepdim,
                                      tern_tensor *mask);

/* masked.prod: their product. */
TERN_API tern_tensor *tern_masked_prod(tern_tensor *input, tern_shape dims, bool keepdim,
                                       tern_tensor *mask);

/* masked.mean: their mean. */
TERN_API tern_tensor *tern_masked_mean(tern_tensor *input, tern_shape dims, bool keepdim,
                                       tern_tensor *mask);

/* masked.amax: the largest of them. */
TERN_API tern_tensor *tern_masked_amax(tern_tensor *input, tern_shape dims, bool keepdim,
                                       tern_tensor *mask);

/* masked.amin: the smallest of them. */
TERN_API tern_tensor *tern_masked_amin(tern_tensor *input, tern_shape dims, bool keepdim,
                                       tern_tensor *mask);

/* masked.argmax: the position of the largest. */
TERN_API tern_tensor *tern_masked_argmax(tern_tensor *input, int dim, bool keepdim,
                                         tern_tensor *mask);

/* masked.argmin: the position of the smallest. */
TERN_API tern_tensor *tern_masked_argmin(tern_tensor *input, int dim, bool keepdim,
                                         tern_tensor *mask);

/* masked.median: their median, the lower of two. */
TERN_API tern_tensor *tern_masked_median(tern_tensor *input, int dim, bool keepdim,
                                         tern_tensor *mask);

/* masked.var: their variance, divided by n - correction. */
TERN_API tern_tensor *tern_masked_var(tern_tensor *input, tern_shape dims, double correction,
                                      bool keepdim, tern_tensor *mask);

/* masked.std: the square root of that. */
TERN_API tern_tensor *tern_masked_std(tern_tensor *input, tern_shape dims, double correction,
                                      bool keepdim, tern_tensor *mask);

/* masked.norm: their ord-norm. */
TERN_API tern_tensor *tern_masked_norm(tern_tensor *input, double ord, tern_shape dims,
                                       bool keepdim, tern_tensor *mask);

/* masked.logsumexp: log(sum(exp(x))) of them. */
TERN_API tern_tensor *tern_masked_logsumexp(tern_tensor *input, tern_shape dims, bool keepdim,
                                            tern_tensor *mask);

/* ---- along a dimension ------------------------------------------------------------------------
 * Results of the input's shape; what is masked out has no meaning there. */

/* masked.cumsum: masked elements count as 0. */
TERN_API tern_tensor *tern_masked_cumsum(tern_tensor *input, int dim, tern_tensor *mask);

/* masked.cumprod: masked elements count as 1. */
TERN_API tern_tensor *tern_masked_cumprod(tern_tensor *input, int dim, tern_tensor *mask);

/* masked.softmax: masked elements count as minus infinity. */
TERN_API tern_tensor *tern_masked_softmax(tern_tensor *input, int dim, tern_tensor *mask);

/* masked.log_softmax: the logarithm of that. */
TERN_API tern_tensor *tern_masked_log_softmax(tern_tensor *input, int dim, tern_tensor *mask);

/* masked.softmin: masked.softmax of -input. */
TERN_API tern_tensor *tern_masked_softmin(tern_tensor *input, int dim, tern_tensor *mask);

/* masked.normalize: divided by their ord-norm, at least eps. */
TERN_API tern_tensor *tern_masked_normalize(tern_tensor *input, double ord, int dim, double eps,
                                            tern_tensor *mask);

/* masked.logaddexp: masked elements count as minus infinity. */
TERN_API tern_tensor *tern_masked_logaddexp(tern_tensor *input, tern_tensor *other,
                                            tern_tensor *input_mask, tern_tensor *other_mask);

#ifdef __cplusplus
}
#endif

#endif
