/*
 * tern/ops_nn.h: operations of layers: activations, dropout, normalisation, convolutions, pooling,
 * resizing, attention.
 *
 * All are in torch.nn.functional, and differentiable. Input is floating unless said otherwise; N is the batch (which
 * may be left out where [C, ...] is named), C the channels. tern/layers.h has the modules of the same names.
 */
#ifndef TERN_OPS_NN_H
#define TERN_OPS_NN_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- activations ---------------------------------------------------------------------------- */

/* exp(x) / sum(exp(x)) along a dimension, without overflow. */
TERN_API tern_tensor *tern_softmax(tern_tensor *input, int dim);

/* log(softmax(x)) along a dimension. */
TERN_API tern_tensor *tern_log_softmax(tern_tensor *input, int dim);

/* softmax(-x) along a dimension. */
TERN_API tern_tensor *tern_softmin(tern_tensor *input, int dim);

/* gelu(input): x times the standard normal distribution function of x, exact (by erf). See tern_gelu_tanh. */
TERN_API tern_tensor *tern_gelu(tern_tensor *input);

/* gelu(input, approximate="tanh"): 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
TERN_API tern_tensor *tern_gelu_tanh(tern_tensor *input);

/* x * sigmoid(x). */
TERN_API tern_tensor *tern_silu(tern_tensor *input);

/* x * tanh(softplus(x)). */
TERN_API tern_tensor *tern_mish(tern_tensor *input);

/* x above 0, else alpha * (exp(x) - 1). PyTorch's default of alpha is 1. */
TERN_API tern_tensor *tern_elu(tern_tensor *input, double alpha);

/* x above 0, else alpha * (exp(x / alpha) - 1). PyTorch's default of alpha is 1; 0 is an error. */
TERN_API tern_tensor *tern_celu(tern_tensor *input, double alpha);

/* 1.0507 times elu with alpha 1.6733: the constants of self-normalising networks. */
TERN_API tern_tensor *tern_selu(tern_tensor *input);

/* x above 0, else negative_slope * x. PyTorch's default of the slope is 0.01. */
TERN_API tern_tensor *tern_leaky_relu(tern_tensor *input, double negative_slope);

/* x above 0, else weight * x; weight has 1 element, or one per channel (dimension 1). */
TERN_API tern_tensor *tern_prelu(tern_tensor *input, tern_tensor *weight);

/* x above 0, else x times a slope: random in [lower, upper) for each element if `training`, else their
 * mean. PyTorch's defaults: 1/8, 1/3. */
TERN_API tern_tensor *tern_rrelu(tern_tensor *input, double lower, double upper, bool training);

/* min(max(x, 0), 6). */
TERN_API tern_tensor *tern_relu6(tern_tensor *input);

/* x limited to [min_val, max_val]. PyTorch's defaults: -1, 1. */
TERN_API tern_tensor *tern_hardtanh(tern_tensor *input, double min_val, double max_val);

/* x / 6 + 1/2, limited to [0, 1]. */
TERN_API tern_tensor *tern_hardsigmoid(tern_tensor *input);

/* x * hardsigmoid(x). */
TERN_API tern_tensor *tern_hardswish(tern_tensor *input);

/* x, but 0 in [-lambd, lambd]. PyTorch's default: 0.5. */
TERN_API tern_tensor *tern_hardshrink(tern_tensor *input, double lambd);

/* x moved towards 0 by lambd, 0 in [-lambd, lambd]. PyTorch's default: 0.5. */
TERN_API tern_tensor *tern_softshrink(tern_tensor *input, double lambd);

/* x - tanh(x). */
TERN_API tern_tensor *tern_tanhshrink(tern_tensor *input);

/* x above the threshold, else value. */
TERN_API tern_tensor *tern_threshold(tern_tensor *input, double threshold, double value);

/* log(1 + exp(x)), with PyTorch's beta 1 and threshold 20, above which it is x. */
TERN_API tern_tensor *tern_softplus(tern_tensor *input);

/* log(1 + exp(beta x)) / beta; x where beta x is above the threshold. */
TERN_API tern_tensor *tern_softplus_beta(tern_tensor *input, double beta, double threshold);

/* x / (1 + |x|). */
TERN_API tern_tensor *tern_softsign(tern_tensor *input);

/* log(sigmoid(x)), exact for large negative x. */
TERN_API tern_tensor *tern_logsigmoid(tern_tensor *input);

/* The first half along a dimension times the sigmoid of the second. The size must be even. PyTorch's
 * default of dim is -1. */
TERN_API tern_tensor *tern_glu(tern_tensor *input, int dim);

/* ---- dropout ----------------------------------------------------------------------------------
 * Each element is 0 with probability p, the others are multiplied by 1 / (1 - p); the input itself if
 * `training` is false or p is 0. p outside of [0, 1] is an error. The numbers are the context's
 * generator's. */

/* dropout(input, p, training), for each element. PyTorch's default of p is 0.5. */
TERN_API tern_tensor *tern_dropout(tern_tensor *input, double p, bool training);

/* torch.feature_dropout: whole channels [N, C, *]. */
TERN_API tern_tensor *tern_feature_dropout(tern_tensor *input, double p, bool train);

/* Whole channels of [N, C, L] or [C, L]. */
TERN_API tern_tensor *tern_dropout1d(tern_tensor *input, double p, bool training);

/* Whole channels of [N, C, H, W]. As in PyTorch, [C, H, W] is taken as [N, C, L]. */
TERN_API tern_tensor *tern_dropout2d(tern_tensor *input, double p, bool training);

/* Whole channels of [N, C, D, H, W] or [C, D, H, W]. */
TERN_API tern_tensor *tern_dropout3d(tern_tensor *input, double p, bool training);

/* Keeps mean and variance: what is dropped becomes selu's negative limit. */
TERN_API tern_tensor *tern_alpha_dropout(tern_tensor *input, double p, bool training);

/* The same for whole channels. */
TERN_API tern_tensor *tern_feature_alpha_dropout(tern_tensor *input, double p, bool training);

/* torch.native_dropout_backward: grad_output * mask * scale. */
TERN_API tern_tensor *tern_native_dropout_backward(tern_tensor *grad_output, tern_tensor *mask,
                                                   double scale);

/* ---- normalisation ----------------------------------------------------------------------------
 * Weight and bias may be NULL. */

/* (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, which are normalized_shape (also
 * the shape of weight and bias). PyTorch's default of eps is 1e-5. */
TERN_API tern_tensor *tern_layer_norm(tern_tensor *input, tern_shape normalized_shape,
                                      tern_tensor *weight, tern_tensor *bias, double eps);

/* torch.native_layer_norm: a tuple of the result of tern_layer_norm, the means and the reciprocal
 * deviations. */
TERN_API tern_value tern_native_layer_norm(tern_tensor *input, tern_shape normalized_shape,
                                           tern_tensor *weight, tern_tensor *bias, double eps);

/* x / sqrt(mean(x^2) + eps) * weight over the last dimensions. PyTorch's default of eps is the dtype's
 * machine epsilon. */
TERN_API tern_tensor *tern_rms_norm(tern_tensor *input, tern_shape normalized_shape,
                                    tern_tensor *weight, double eps);

/* The channels [N, C, *] in num_groups groups, each normalised by its own mean and variance; weight and
 * bias [C]. C must be divisible by the groups. */
TERN_API tern_tensor *tern_group_norm(tern_tensor *input, int64_t num_groups, tern_tensor *weight,
                                      tern_tensor *bias, double eps);

/* torch.native_group_norm: a tuple of the result of tern_group_norm, the means and the reciprocal
 * deviations. */
TERN_API tern_value tern_native_group_norm(tern_tensor *input, tern_tensor *weight,
                                           tern_tensor *bias, int64_t N, int64_t C, int64_t HxW,
                                           int64_t group, double eps);

/* Each channel of [N, C, *] normalised. If `training` is true the batch's own statistics are used, and
 * running_mean and running_var (which may be NULL) are updated in place: running = (1 - momentum) * running
 * + momentum * batch. Otherwise the running ones are used. PyTorch's defaults: momentum 0.1, eps 1e-5. */
TERN_API tern_tensor *tern_batch_norm(tern_tensor *input, tern_tensor *running_mean,
                                      tern_tensor *running_var, tern_tensor *weight,
                                      tern_tensor *bias, bool training, double momentum,
                                      double eps);

/* torch.native_batch_norm: a tuple of the result of tern_batch_norm, the means and the reciprocal
 * deviations that were used (empty if not training). */
TERN_API tern_value tern_native_batch_norm(tern_tensor *input, tern_tensor *weight,
                                           tern_tensor *bias, tern_tensor *running_mean,
                                           tern_tensor *running_var, bool training, double momentum,
                                           double eps);

/* Each channel of each sample of [N, C, *] normalised by its own statistics, or (use_input_stats false) by
 * the running ones. */
TERN_API tern_tensor *tern_instance_norm(tern_tensor *input, tern_tensor *running_mean,
                                         tern_tensor *running_var, tern_tensor *weight,
                                         tern_tensor *bias, bool use_input_stats, double momentum,
                                         double eps);

/* x / (k + alpha * mean(x^2 over `size` neighbouring channels))^beta. PyTorch's defaults: alpha 1e-4, beta
 * 0.75, k 1. */
TERN_API tern_tensor *tern_local_response_norm(tern_tensor *input, int64_t size, double alpha,
                                               double beta, double k);

/* x / max(norm_p(x), eps) along a dimension. PyTorch's defaults: p 2, dim 1, eps 1e-12. */
TERN_API tern_tensor *tern_normalize(tern_tensor *input, double p, int dim, double eps);

/* ---- convolutions -----------------------------------------------------------------------------
 * Input [N, C, ...] or [C, ...], weight [O, C, k...], bias [O] or NULL, the same stride and padding
 * (zeros) for all dimensions. For dilation, groups, or numbers per dimension, see tern_convolution. */

/* conv1d(input, weight, bias, stride, padding): [N, C, L] -> [N, O, (L + 2 padding - k) / stride + 1]. */
TERN_API tern_tensor *tern_conv1d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  int64_t stride, int64_t padding);

/* conv2d(input, weight, bias, stride, padding): [N, C, H, W] -> [N, O, H', W']. */
TERN_API tern_tensor *tern_conv2d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  int64_t stride, int64_t padding);

/* conv3d(input, weight, bias, stride, padding): [N, C, D, H, W] -> [N, O, D', H', W']. */
TERN_API tern_tensor *tern_conv3d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  int64_t stride, int64_t padding);

/* conv_transpose1d: the transpose of a convolution (its gradient with respect to the input): weight [C, O,
 * k], L' = (L - 1) stride - 2 padding + k + output_padding. */
TERN_API tern_tensor *tern_conv_transpose1d(tern_tensor *input, tern_tensor *weight,
                                            tern_tensor *bias, int64_t stride, int64_t padding,
                                            int64_t output_padding);

/* The same in two dimensions. */
TERN_API tern_tensor *tern_conv_transpose2d(tern_tensor *input, tern_tensor *weight,
                                            tern_tensor *bias, int64_t stride, int64_t padding,
                                            int64_t output_padding);

/* The same in three dimensions. */
TERN_API tern_tensor *tern_conv_transpose3d(tern_tensor *input, tern_tensor *weight,
                                            tern_tensor *bias, int64_t stride, int64_t padding,
                                            int64_t output_padding);

/* torch.convolution: all convolutions of 1 to 3 dimensions, with a number per dimension (or one for all).
 * weight [O, C / groups, k...], transposed [C, O / groups, k...]. The input has a batch. */
TERN_API tern_tensor *tern_convolution(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                       tern_shape stride, tern_shape padding, tern_shape dilation,
                                       bool transposed, tern_shape output_padding, int64_t groups);

/* ---- pooling ----------------------------------------------------------------------------------
 * Input [N, C, ...] or [C, ...]; one size for all dimensions; stride 0 means the kernel size, as for
 * tern_nn_max_pool2d. Padding is at most half of the kernel. */

/* The largest of each window of kernel_size, of [N, C, L]. */
TERN_API tern_tensor *tern_max_pool1d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);

/* The largest of each window of kernel_size by kernel_size, of [N, C, H, W]. */
TERN_API tern_tensor *tern_max_pool2d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);

/* The largest of each window, of [N, C, D, H, W]. */
TERN_API tern_tensor *tern_max_pool3d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);

/* The same; the winners' positions in [L] go to *out_indices (int64), for tern_max_unpool1d. */
TERN_API tern_tensor *tern_max_pool1d_with_indices(tern_tensor *input, int64_t kernel_size,
                                                   int64_t stride, int64_t padding,
                                                   tern_tensor **out_indices);

/* The same in two dimensions: positions in the flattened [H, W]. */
TERN_API tern_tensor *tern_max_pool2d_with_indices(tern_tensor *input, int64_t kernel_size,
                                                   int64_t stride, int64_t padding,
                                                   tern_tensor **out_indices);

/* The same in three dimensions. */
TERN_API tern_tensor *tern_max_pool3d_with_indices(tern_tensor *input, int64_t kernel_size,
                                                   int64_t stride, int64_t padding,
                                                   tern_tensor **out_indices);

/* The partial inverse: each value goes where it was, the rest is 0; L' = (L - 1) stride - 2 padding +
 * kernel_size. */
TERN_API tern_tensor *tern_max_unpool1d(tern_tensor *input, tern_tensor *indices,
                                        int64_t kernel_size, int64_t stride, int64_t padding);

/* The same in two dimensions. */
TERN_API tern_tensor *tern_max_unpool2d(tern_tensor *input, tern_tensor *indices,
                                        int64_t kernel_size, int64_t stride, int64_t padding);

/* The same in three dimensions. */
TERN_API tern_tensor *tern_max_unpool3d(tern_tensor *input, tern_tensor *indices,
                                        int64_t kernel_size, int64_t stride, int64_t padding);

/* torch.ops.aten.max_pool2d_with_indices_backward: the gradient with respect to the input. */
TERN_API tern_tensor *
tern_max_pool2d_with_indices_backward(tern_tensor *grad_output, tern_tensor *input,
                                      tern_shape kernel_size, tern_shape stride, tern_shape padding,
                                      tern_shape dilation, bool ceil_mode, tern_tensor *indices);

/* The mean of each window, of [N, C, L]; padding counts as zeros. */
TERN_API tern_tensor *tern_avg_pool1d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);

/* The mean of each window, of [N, C, H, W]; padding counts as zeros. */
TERN_API tern_tensor *tern_avg_pool2d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);

/* The mean of each window, of [N, C, D, H, W]; padding counts as zeros. */
TERN_API tern_tensor *tern_avg_pool3d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);

/* Means of windows that divide L into `length` parts. */
TERN_API tern_tensor *tern_adaptive_avg_pool1d(tern_tensor *input, int64_t length);

/* Means of windows that divide H and W into height by width parts; they may overlap. */
TERN_API tern_tensor *tern_adaptive_avg_pool2d(tern_tensor *input, int64_t height, int64_t width);

/* The same in three dimensions. */
TERN_API tern_tensor *tern_adaptive_avg_pool3d(tern_tensor *input, int64_t depth, int64_t height,
                                               int64_t width);

/* The largest of each such window; positions go to *out_indices, which may be NULL. */
TERN_API tern_tensor *tern_adaptive_max_pool1d(tern_tensor *input, int64_t length,
                                               tern_tensor **out_indices);

/* The same in two dimensions. */
TERN_API tern_tensor *tern_adaptive_max_pool2d(tern_tensor *input, int64_t height, int64_t width,
                                               tern_tensor **out_indices);

/* The same in three dimensions. */
TERN_API tern_tensor *tern_adaptive_max_pool3d(tern_tensor *input, int64_t depth, int64_t height,
                                               int64_t width, tern_tensor **out_indices);

/* ---- padding, pixels and patches ------------------------------------------------------------ */

/* torch.constant_pad_nd(input, pad, value): `value` around the input: pad = (before, after) of the last
 * dimension, then of the one before it, ... Negative numbers cut off. */
TERN_API tern_tensor *tern_constant_pad_nd(tern_tensor *input, tern_shape pad, double value);

/* pad(input, pad, mode, value): "constant" (with `value`), "reflect", "replicate" or "circular" (of the
 * last 1 to 3 dimensions; `value` is ignored). */
TERN_API tern_tensor *tern_pad(tern_tensor *input, tern_shape pad, const char *mode, double value);

/* [*, C r^2, H, W] -> [*, C, H r, W r]. */
TERN_API tern_tensor *tern_pixel_shuffle(tern_tensor *input, int64_t upscale_factor);

/* [*, C, H r, W r] -> [*, C r^2, H, W]. */
TERN_API tern_tensor *tern_pixel_unshuffle(tern_tensor *input, int64_t downscale_factor);

/* The channels [N, C, *], as groups by C / groups, transposed. */
TERN_API tern_tensor *tern_channel_shuffle(tern_tensor *input, int64_t groups);

/* nn.functional.unfold: the patches that a convolution sees, as columns: [N, C, H, W] -> [N, C kh kw,
 * patches]. */
TERN_API tern_tensor *tern_im2col(tern_tensor *input, tern_shape kernel_size, tern_shape dilation,
                                  tern_shape padding, tern_shape stride);

/* The reverse: columns [N, C kh kw, patches] added up to [N, C, H, W] of output_size. */
TERN_API tern_tensor *tern_fold(tern_tensor *input, tern_shape output_size, tern_shape kernel_size,
                                tern_shape dilation, tern_shape padding, tern_shape stride);

/* ---- resizing ------------------------------------------------------------------------------- */

/* interpolate(input, size=size, mode=mode, align_corners=align_corners): [N, C, ...] to `size`, one number
 * per dimension (or one for all): "nearest", "nearest-exact", "area", "linear" ([N, C, L]), "bilinear",
 * "bicubic" ([N, C, H, W]), "trilinear" ([N, C, D, H, W]). align_corners true places the corners' centres
 * on each other, and is an error for "nearest", "nearest-exact" and "area". */
TERN_API tern_tensor *tern_interpolate(tern_tensor *input, tern_shape size, const char *mode,
                                       bool align_corners);

/* The same by a factor for all dimensions: sizes are rounded down. */
TERN_API tern_tensor *tern_interpolate_by(tern_tensor *input, double scale_factor, const char *mode,
                                          bool align_corners);

/* interpolate with mode "nearest". */
TERN_API tern_tensor *tern_upsample_nearest(tern_tensor *input, tern_shape size);

/* interpolate with mode "bilinear" and align_corners true. */
TERN_API tern_tensor *tern_upsample_bilinear(tern_tensor *input, tern_shape size);

/* ---- attention ------------------------------------------------------------------------------ */

/* softmax(query key^T / sqrt(width) + mask) value: query [..., L, width], key [..., S, width], value [...,
 * S, values]. attn_mask (bool: true takes part; or floating: added) broadcasts to [..., L, S] and may be
 * NULL; is_causal masks what is later, and excludes a mask. */
TERN_API tern_tensor *tern_scaled_dot_product_attention(tern_tensor *query, tern_tensor *key,
                                                        tern_tensor *value, tern_tensor *attn_mask,
                                                        bool is_causal);

/* The same with a probability of dropout, a factor in place of 1 / sqrt(width), and (enable_gqa) fewer
 * heads of key and value than of query. */
TERN_API tern_tensor *tern_scaled_dot_product_attention_with(tern_tensor *query, tern_tensor *key,
                                                             tern_tensor *value,
                                                             tern_tensor *attn_mask,
                                                             double dropout_p, bool is_causal,
                                                             double scale, bool enable_gqa);

/*
 * nn.functional.multi_head_attention_forward: query, key and value through their projections, attention by num_heads
 * heads, and the last projection. query [L, N, E] or [L, E], key and value [S, N, E] or [S, E], all of one floating
 * dtype, E = embed_dim_to_check, a multiple of num_heads; the result has query's shape. What lies batch first in
 * memory (a transposed [N, L, E]) is worked on without a copy.
 *
 * in_proj_weight [3 E, E]; in_proj_bias [3 E] or NULL; bias_k and bias_v, [E] or [1, 1, E] or NULL, are one more key
 * and value for every sequence, and add_zero_attn adds one of zeros; out_proj_weight [E2, E] or NULL for no
 * projection; out_proj_bias or NULL. dropout_p counts while training. key_padding_mask [N, S] or [S] and attn_mask
 * [L, S] or [N num_heads, L, S], bool (true hides) or added, may be NULL. The weights, averaged over the heads,
 * [N, L, S], go to *out_weights; without that, the device's own attention runs, which keeps none. The call by name
 * takes separate weights for query, key and value, static keys and values, and gives weights by head.
 */
TERN_API tern_tensor *tern_multi_head_attention_forward(
    tern_tensor *query, tern_tensor *key, tern_tensor *value, int64_t embed_dim_to_check,
    int64_t num_heads, tern_tensor *in_proj_weight, tern_tensor *in_proj_bias, tern_tensor *bias_k,
    tern_tensor *bias_v, bool add_zero_attn, double dropout_p, tern_tensor *out_proj_weight,
    tern_tensor *out_proj_bias, bool training, tern_tensor *key_padding_mask,
    tern_tensor *attn_mask, tern_tensor **out_weights);

#ifdef __cplusplus
}
#endif

#endif
