/* statistics.c: the C functions of tern/ops_statistics.h. */
#include "functional/functional.h"
#include "results.h"
#include "tern/ops_statistics.h"

tern_tensor *tern_quantile(tern_tensor *input, tern_tensor *q, int dim, bool keepdim) {
    return TERN_CALL(quantile, ARG_TENSOR(input), ARG_TENSOR(q), ARG_INT(dim), ARG_BOOL(keepdim));
}
tern_tensor *tern_nanquantile(tern_tensor *input, tern_tensor *q, int dim, bool keepdim) {
    return TERN_CALL(nanquantile, ARG_TENSOR(input), ARG_TENSOR(q), ARG_INT(dim),
                     ARG_BOOL(keepdim));
}
tern_tensor *tern_mode(tern_tensor *input, int dim, bool keepdim, tern_tensor **out_indices) {
    tern_value all = TERN_CALL_VALUE(mode, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim));
    return RESULTS(input, all, out_indices);
}
tern_tensor *tern_cov(tern_tensor *input, int64_t correction) {
    return TERN_CALL(cov, ARG_TENSOR(input), ARG_INT(correction));
}
tern_tensor *tern_corrcoef(tern_tensor *input) {
    return TERN_CALL(corrcoef, ARG_TENSOR(input));
}
tern_tensor *tern_histogram(tern_tensor *input, int64_t bins, tern_tensor **out_edges) {
    return RESULTS(input, TERN_CALL_VALUE(histogram, ARG_TENSOR(input), ARG_INT(bins)), out_edges);
}
tern_tensor *tern_histogramdd(tern_tensor *input, int64_t bins) {
    return RESULTS(input, TERN_CALL_VALUE(histogramdd, ARG_TENSOR(input), ARG_INT(bins)), NULL);
}
tern_tensor *tern_hash_tensor(tern_tensor *input, tern_shape dims, bool keepdim) {
    return TERN_CALL(hash_tensor, ARG_TENSOR(input), ARG_SHAPE(dims), ARG_BOOL(keepdim));
}
tern_tensor *tern_gradient(tern_tensor *input, double spacing, int dim) {
    tern_value all = TERN_CALL_VALUE(gradient, ARG_TENSOR(input), ARG_FLOAT(spacing), ARG_INT(dim));
    return RESULTS(input, all, NULL);
}
tern_tensor *tern_renorm(tern_tensor *input, double p, int dim, double maxnorm) {
    return TERN_CALL(renorm, ARG_TENSOR(input), ARG_FLOAT(p), ARG_INT(dim), ARG_FLOAT(maxnorm));
}
tern_tensor *tern_pdist(tern_tensor *input, double p) {
    return TERN_CALL(pdist, ARG_TENSOR(input), ARG_FLOAT(p));
}
tern_tensor *tern_frexp(tern_tensor *input, tern_tensor **out_exponent) {
    return RESULTS(input, TERN_CALL_VALUE(frexp, ARG_TENSOR(input)), out_exponent);
}
tern_value tern_unravel_index(tern_tensor *indices, tern_shape shape) {
    return TERN_CALL_VALUE(unravel_index, ARG_TENSOR(indices), ARG_SHAPE(shape));
}
tern_tensor *tern_broadcast_shapes(tern_ctx *ctx, tern_shape one, tern_shape other) {
    tern_value shapes = tern_list_new(ctx);
    tern_list_append(shapes, ARG_SHAPE(one));
    tern_list_append(shapes, ARG_SHAPE(other));
    return TERN_CALL_CTX(ctx, broadcast_shapes, shapes);
}
tern_tensor *tern_strided_scatter(tern_tensor *input, tern_tensor *src, tern_shape size,
                                  tern_shape stride, int64_t storage_offset) {
    return TERN_CALL(strided_scatter, ARG_TENSOR(input), ARG_TENSOR(src), ARG_SHAPE(size),
                     ARG_SHAPE(stride), ARG_INT(storage_offset));
}
tern_tensor *tern_grid_sample(tern_tensor *input, tern_tensor *grid, bool align_corners) {
    return TERN_CALL(grid_sample, ARG_TENSOR(input), ARG_TENSOR(grid), tern_none(), tern_none(),
                     ARG_BOOL(align_corners));
}
tern_tensor *tern_affine_grid(tern_tensor *theta, tern_shape size, bool align_corners) {
    return TERN_CALL(affine_grid, ARG_TENSOR(theta), ARG_SHAPE(size), ARG_BOOL(align_corners));
}
tern_tensor *tern_linear_cross_entropy(tern_tensor *input, tern_tensor *linear_weight,
                                       tern_tensor *target, tern_tensor *linear_bias) {
    return TERN_CALL(linear_cross_entropy, ARG_TENSOR(input), ARG_TENSOR(linear_weight),
                     ARG_TENSOR(target), ARG_TENSOR(linear_bias));
}
tern_tensor *tern_fractional_max_pool2d(tern_tensor *input, tern_shape kernel_size,
                                        tern_shape output_size) {
    return TERN_CALL(fractional_max_pool2d, ARG_TENSOR(input), ARG_SHAPE(kernel_size),
                     ARG_SHAPE(output_size));
}
tern_tensor *tern_fractional_max_pool3d(tern_tensor *input, tern_shape kernel_size,
                                        tern_shape output_size) {
    return TERN_CALL(fractional_max_pool3d, ARG_TENSOR(input), ARG_SHAPE(kernel_size),
                     ARG_SHAPE(output_size));
}
tern_tensor *tern_embedding_bag(tern_tensor *input, tern_tensor *weight, tern_tensor *offsets) {
    return TERN_CALL(embedding_bag, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(offsets));
}
tern_tensor *tern_grid_sampler(tern_tensor *input, tern_tensor *grid, int64_t interpolation_mode,
                               int64_t padding_mode, bool align_corners) {
    return TERN_CALL(grid_sampler, ARG_TENSOR(input), ARG_TENSOR(grid), ARG_INT(interpolation_mode),
                     ARG_INT(padding_mode), ARG_BOOL(align_corners));
}
tern_tensor *tern_grid_sampler_2d(tern_tensor *input, tern_tensor *grid, int64_t interpolation_mode,
                                  int64_t padding_mode, bool align_corners) {
    return TERN_CALL(grid_sampler_2d, ARG_TENSOR(input), ARG_TENSOR(grid),
                     ARG_INT(interpolation_mode), ARG_INT(padding_mode), ARG_BOOL(align_corners));
}
tern_tensor *tern_grid_sampler_3d(tern_tensor *input, tern_tensor *grid, int64_t interpolation_mode,
                                  int64_t padding_mode, bool align_corners) {
    return TERN_CALL(grid_sampler_3d, ARG_TENSOR(input), ARG_TENSOR(grid),
                     ARG_INT(interpolation_mode), ARG_INT(padding_mode), ARG_BOOL(align_corners));
}
