/*
 * tern/ops_statistics.h: statistics by order and covariance, histograms, differences, places in shapes, grids.
 */
#ifndef TERN_OPS_STATISTICS_H
#define TERN_OPS_STATISTICS_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* torch.quantile: the q-th quantiles along `dim`, between two elements linearly; q is a number or vector of input's dtype
 * from 0 to 1, the quantiles stand in front. A NaN makes its row NaN. For other interpolations, or no dim, call it
 * by name. */
TERN_API tern_tensor *tern_quantile(tern_tensor *input, tern_tensor *q, int dim, bool keepdim);

/* torch.nanquantile: the same without NaNs. */
TERN_API tern_tensor *tern_nanquantile(tern_tensor *input, tern_tensor *q, int dim, bool keepdim);

/* torch.mode: the most frequent value along `dim`, the smallest of several; where it is last goes to *out_indices
 * (int64), which may be NULL. A NaN counts once, and in up to 16 elements it parts the numbers around it, as in
 * PyTorch. */
TERN_API tern_tensor *tern_mode(tern_tensor *input, int dim, bool keepdim,
                                tern_tensor **out_indices);

/* torch.cov: the covariances of the rows of [rows, n], divided by n - correction. For weights call it by name. */
TERN_API tern_tensor *tern_cov(tern_tensor *input, int64_t correction);

/* torch.corrcoef: the correlations of the rows. */
TERN_API tern_tensor *tern_corrcoef(tern_tensor *input);

/* torch.histogram: how many elements are in each of `bins` equal bins from the least to the largest; the bins' edges go
 * to *out_edges, which may be NULL. Not differentiable. */
TERN_API tern_tensor *tern_histogram(tern_tensor *input, int64_t bins, tern_tensor **out_edges);

/* torch.histogramdd: the same for points [n, d], with as many bins in each dimension: [bins, ...], without the edges. */
TERN_API tern_tensor *tern_histogramdd(tern_tensor *input, int64_t bins);

/* torch.hash_tensor(input, dims, keepdim): the XOR of the bits of elements over `dims` (of rank 0: all), of floating dtypes
 * as doubles, of others as int64. The 64 bits come as int64, where PyTorch has uint64. No elements, or complex ones, are
 * an error. Not differentiable. */
TERN_API tern_tensor *tern_hash_tensor(tern_tensor *input, tern_shape dims, bool keepdim);

/* torch.gradient along one dimension, whose elements are `spacing` apart: central differences, and one-sided ones at
 * the ends. */
TERN_API tern_tensor *tern_gradient(tern_tensor *input, double spacing, int dim);

/* torch.renorm: slices along `dim` whose p-norm is above maxnorm are scaled down to it. */
TERN_API tern_tensor *tern_renorm(tern_tensor *input, double p, int dim, double maxnorm);

/* nn.functional.pdist: the p-distances of rows i < j of [n, m], as [n (n - 1) / 2]. */
TERN_API tern_tensor *tern_pdist(tern_tensor *input, double p);

/* torch.frexp: mantissas from 1/2 to 1, with input = mantissa 2^exponent; the exponents (int32) go to *out_exponent. */
TERN_API tern_tensor *tern_frexp(tern_tensor *input, tern_tensor **out_exponent);

/* torch.unravel_index: where flat indices are in a tensor of `shape`, a tuple of one int64 tensor per dimension. */
TERN_API tern_value tern_unravel_index(tern_tensor *indices, tern_shape shape);

/* torch.broadcast_shapes of two: the shape that both broadcast to, as int64. */
TERN_API tern_tensor *tern_broadcast_shapes(tern_ctx *ctx, tern_shape one, tern_shape other);

/* torch.as_strided_scatter: input with src in the place of as_strided(input, size, stride, offset). The gradient by the input
 * is PyTorch's: that of the replaced elements. */
TERN_API tern_tensor *tern_strided_scatter(tern_tensor *input, tern_tensor *src, tern_shape size,
                                           tern_shape stride, int64_t storage_offset);

/* nn.functional.grid_sample: input (N, C, [D,] H, W) read at the places of grid (N, [D,] H, W, 2 or 3), whose numbers (x first)
 * are from -1 to 1 over the input; with bilinear weights, zeros outside, and -1 and 1 at the edges of the first and last element
 * (their centres if `align_corners`). For other modes call it by name. */
TERN_API tern_tensor *tern_grid_sample(tern_tensor *input, tern_tensor *grid, bool align_corners);

/* torch.grid_sampler: the same by numbers: interpolation_mode 0 bilinear, 1 nearest, 2 bicubic; padding_mode 0 zeros, 1 the
 * border's elements, 2 reflection at it. */
TERN_API tern_tensor *tern_grid_sampler(tern_tensor *input, tern_tensor *grid,
                                        int64_t interpolation_mode, int64_t padding_mode,
                                        bool align_corners);

/* grid_sampler_2d: the same for pictures alone. */
TERN_API tern_tensor *tern_grid_sampler_2d(tern_tensor *input, tern_tensor *grid,
                                           int64_t interpolation_mode, int64_t padding_mode,
                                           bool align_corners);

/* grid_sampler_3d: the same for volumes alone. */
TERN_API tern_tensor *tern_grid_sampler_3d(tern_tensor *input, tern_tensor *grid,
                                           int64_t interpolation_mode, int64_t padding_mode,
                                           bool align_corners);

/* nn.functional.affine_grid: the grid of size (N, C, [D,] H, W) for the affine maps theta (N, 2, 3) or (N, 3, 4). */
TERN_API tern_tensor *tern_affine_grid(tern_tensor *theta, tern_shape size, bool align_corners);

/* nn.functional.fractional_max_pool2d: the largest of windows of kernel_size (one number, or one for each dimension) at
 * pseudo-random steps, to output_size. */
TERN_API tern_tensor *tern_fractional_max_pool2d(tern_tensor *input, tern_shape kernel_size,
                                                 tern_shape output_size);

/* nn.functional.fractional_max_pool3d: the same over three dimensions. */
TERN_API tern_tensor *tern_fractional_max_pool3d(tern_tensor *input, tern_shape kernel_size,
                                                 tern_shape output_size);

/* nn.functional.embedding_bag: the means of rows of `weight` by index, of input [bags, n], or of input [n] with the bags'
 * first positions in `offsets`, which else is NULL. For sums and maxima call it by name. */
TERN_API tern_tensor *tern_embedding_bag(tern_tensor *input, tern_tensor *weight,
                                         tern_tensor *offsets);

/* nn.functional.linear_cross_entropy: cross_entropy of linear(input, linear_weight, linear_bias), which may be NULL. */
TERN_API tern_tensor *tern_linear_cross_entropy(tern_tensor *input, tern_tensor *linear_weight,
                                                tern_tensor *target, tern_tensor *linear_bias);

#ifdef __cplusplus
}
#endif

#endif
