/* nn.c: the C functions of tern/ops_nn.h that do not stand beside their operation. */
#include "results.h"
#include "typed.h"

/* 0 means the kernel's size: the row's default. */
static tern_value stride_argument(int64_t stride) {
    return stride == 0 ? tern_none() : ARG_INT(stride);
}

/* ---- activations ---------------------------------------------------------------------------- */
tern_tensor *tern_softmin(tern_tensor *input, int dim) {
    return TERN_CALL(softmin, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_gelu_tanh(tern_tensor *input) {
    return TERN_CALL(gelu, ARG_TENSOR(input), tern_text("tanh"));
}
tern_tensor *tern_mish(tern_tensor *input) {
    return TERN_CALL(mish, ARG_TENSOR(input));
}
tern_tensor *tern_celu(tern_tensor *input, double alpha) {
    return TERN_CALL(celu, ARG_TENSOR(input), ARG_FLOAT(alpha));
}
tern_tensor *tern_selu(tern_tensor *input) {
    return TERN_CALL(selu, ARG_TENSOR(input));
}
tern_tensor *tern_prelu(tern_tensor *input, tern_tensor *weight) {
    return TERN_CALL(prelu, ARG_TENSOR(input), ARG_TENSOR(weight));
}
tern_tensor *tern_rrelu(tern_tensor *input, double lower, double upper, bool training) {
    return TERN_CALL(rrelu, ARG_TENSOR(input), ARG_FLOAT(lower), ARG_FLOAT(upper),
                     ARG_BOOL(training));
}
tern_tensor *tern_relu6(tern_tensor *input) {
    return TERN_CALL(relu6, ARG_TENSOR(input));
}
tern_tensor *tern_hardtanh(tern_tensor *input, double min_val, double max_val) {
    return TERN_CALL(hardtanh, ARG_TENSOR(input), ARG_FLOAT(min_val), ARG_FLOAT(max_val));
}
tern_tensor *tern_hardsigmoid(tern_tensor *input) {
    return TERN_CALL(hardsigmoid, ARG_TENSOR(input));
}
tern_tensor *tern_hardswish(tern_tensor *input) {
    return TERN_CALL(hardswish, ARG_TENSOR(input));
}
tern_tensor *tern_hardshrink(tern_tensor *input, double lambd) {
    return TERN_CALL(hardshrink, ARG_TENSOR(input), ARG_FLOAT(lambd));
}
tern_tensor *tern_softshrink(tern_tensor *input, double lambd) {
    return TERN_CALL(softshrink, ARG_TENSOR(input), ARG_FLOAT(lambd));
}
tern_tensor *tern_tanhshrink(tern_tensor *input) {
    return TERN_CALL(tanhshrink, ARG_TENSOR(input));
}
tern_tensor *tern_threshold(tern_tensor *input, double threshold, double value) {
    return TERN_CALL(threshold, ARG_TENSOR(input), tern_number(threshold), tern_number(value));
}
tern_tensor *tern_softplus_beta(tern_tensor *input, double beta, double threshold) {
    return TERN_CALL(softplus, ARG_TENSOR(input), tern_number(beta), tern_number(threshold));
}
tern_tensor *tern_softsign(tern_tensor *input) {
    return TERN_CALL(softsign, ARG_TENSOR(input));
}
tern_tensor *tern_logsigmoid(tern_tensor *input) {
    return TERN_CALL(logsigmoid, ARG_TENSOR(input));
}
tern_tensor *tern_glu(tern_tensor *input, int dim) {
    return TERN_CALL(glu, ARG_TENSOR(input), ARG_INT(dim));
}

/* ---- dropout -------------------------------------------------------------------------------- */
tern_tensor *tern_feature_dropout(tern_tensor *input, double p, bool train) {
    return TERN_CALL(feature_dropout, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(train));
}
tern_tensor *tern_dropout1d(tern_tensor *input, double p, bool training) {
    return TERN_CALL(dropout1d, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(training));
}
tern_tensor *tern_dropout2d(tern_tensor *input, double p, bool training) {
    return TERN_CALL(dropout2d, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(training));
}
tern_tensor *tern_dropout3d(tern_tensor *input, double p, bool training) {
    return TERN_CALL(dropout3d, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(training));
}
tern_tensor *tern_alpha_dropout(tern_tensor *input, double p, bool training) {
    return TERN_CALL(alpha_dropout, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(training));
}
tern_tensor *tern_feature_alpha_dropout(tern_tensor *input, double p, bool training) {
    return TERN_CALL(feature_alpha_dropout, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(training));
}
tern_tensor *tern_native_dropout_backward(tern_tensor *grad_output, tern_tensor *mask,
                                          double scale) {
    return TERN_CALL(native_dropout_backward, ARG_TENSOR(grad_output), ARG_TENSOR(mask),
                     ARG_FLOAT(scale));
}

/* ---- normalisation -------------------------------------------------------------------------- */
tern_value tern_native_layer_norm(tern_tensor *input, tern_shape normalized_shape,
                                  tern_tensor *weight, tern_tensor *bias, double eps) {
    return TERN_CALL_VALUE(native_layer_norm, ARG_TENSOR(input), ARG_SHAPE(normalized_shape),
                           ARG_TENSOR(weight), ARG_TENSOR(bias), ARG_FLOAT(eps));
}
tern_value tern_native_group_norm(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  int64_t N, int64_t C, int64_t HxW, int64_t group, double eps) {
    return TERN_CALL_VALUE(native_group_norm, ARG_TENSOR(input), ARG_TENSOR(weight),
                           ARG_TENSOR(bias), ARG_INT(N), ARG_INT(C), ARG_INT(HxW), ARG_INT(group),
                           ARG_FLOAT(eps));
}
tern_value tern_native_batch_norm(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  tern_tensor *running_mean, tern_tensor *running_var,
                                  bool training, double momentum, double eps) {
    return TERN_CALL_VALUE(native_batch_norm, ARG_TENSOR(input), ARG_TENSOR(weight),
                           ARG_TENSOR(bias), ARG_TENSOR(running_mean), ARG_TENSOR(running_var),
                           ARG_BOOL(training), ARG_FLOAT(momentum), ARG_FLOAT(eps));
}
tern_tensor *tern_instance_norm(tern_tensor *input, tern_tensor *running_mean,
                                tern_tensor *running_var, tern_tensor *weight, tern_tensor *bias,
                                bool use_input_stats, double momentum, double eps) {
    return TERN_CALL(instance_norm, ARG_TENSOR(input), ARG_TENSOR(running_mean),
                     ARG_TENSOR(running_var), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_BOOL(use_input_stats), ARG_FLOAT(momentum), ARG_FLOAT(eps));
}
tern_tensor *tern_local_response_norm(tern_tensor *input, int64_t size, double alpha, double beta,
                                      double k) {
    return TERN_CALL(local_response_norm, ARG_TENSOR(input), ARG_INT(size), ARG_FLOAT(alpha),
                     ARG_FLOAT(beta), ARG_FLOAT(k));
}
tern_tensor *tern_normalize(tern_tensor *input, double p, int dim, double eps) {
    return TERN_CALL(normalize, ARG_TENSOR(input), ARG_FLOAT(p), ARG_INT(dim), ARG_FLOAT(eps));
}

/* ---- convolutions --------------------------------------------------------------------------- */
tern_tensor *tern_conv3d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias, int64_t stride,
                         int64_t padding) {
    return TERN_CALL(conv3d, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_INT(stride), ARG_INT(padding));
}
tern_tensor *tern_conv_transpose1d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                   int64_t stride, int64_t padding, int64_t output_padding) {
    return TERN_CALL(conv_transpose1d, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_INT(stride), ARG_INT(padding), ARG_INT(output_padding));
}
tern_tensor *tern_conv_transpose2d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                   int64_t stride, int64_t padding, int64_t output_padding) {
    return TERN_CALL(conv_transpose2d, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_INT(stride), ARG_INT(padding), ARG_INT(output_padding));
}
tern_tensor *tern_conv_transpose3d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                   int64_t stride, int64_t padding, int64_t output_padding) {
    return TERN_CALL(conv_transpose3d, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_INT(stride), ARG_INT(padding), ARG_INT(output_padding));
}
tern_tensor *tern_convolution(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                              tern_shape stride, tern_shape padding, tern_shape dilation,
                              bool transposed, tern_shape output_padding, int64_t groups) {
    return TERN_CALL(convolution, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_SHAPE(stride), ARG_SHAPE(padding), ARG_SHAPE(dilation),
                     ARG_BOOL(transposed), ARG_SHAPE(output_padding), ARG_INT(groups));
}

/* ---- pooling -------------------------------------------------------------------------------- */
tern_tensor *tern_max_pool1d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                             int64_t padding) {
    return TERN_CALL(max_pool1d, ARG_TENSOR(input), ARG_INT(kernel_size), stride_argument(stride),
                     ARG_INT(padding));
}
tern_tensor *tern_max_pool2d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                             int64_t padding) {
    return TERN_CALL(max_pool2d, ARG_TENSOR(input), ARG_INT(kernel_size), stride_argument(stride),
                     ARG_INT(padding));
}
tern_tensor *tern_max_pool3d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                             int64_t padding) {
    return TERN_CALL(max_pool3d, ARG_TENSOR(input), ARG_INT(kernel_size), stride_argument(stride),
                     ARG_INT(padding));
}
tern_tensor *tern_max_pool1d_with_indices(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                          int64_t padding, tern_tensor **out_indices) {
    return tern_first_of(input,
                         TERN_CALL_VALUE(max_pool1d, ARG_TENSOR(input), ARG_INT(kernel_size),
                                         stride_argument(stride), ARG_INT(padding), tern_none(),
                                         tern_none(), ARG_BOOL(true)),
                         out_indices);
}
tern_tensor *tern_max_pool2d_with_indices(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                          int64_t padding, tern_tensor **out_indices) {
    return tern_first_of(input,
                         TERN_CALL_VALUE(max_pool2d, ARG_TENSOR(input), ARG_INT(kernel_size),
                                         stride_argument(stride), ARG_INT(padding), tern_none(),
                                         tern_none(), ARG_BOOL(true)),
                         out_indices);
}
tern_tensor *tern_max_pool3d_with_indices(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                          int64_t padding, tern_tensor **out_indices) {
    return tern_first_of(input,
                         TERN_CALL_VALUE(max_pool3d, ARG_TENSOR(input), ARG_INT(kernel_size),
                                         stride_argument(stride), ARG_INT(padding), tern_none(),
                                         tern_none(), ARG_BOOL(true)),
                         out_indices);
}
tern_tensor *tern_max_unpool1d(tern_tensor *input, tern_tensor *indices, int64_t kernel_size,
                               int64_t stride, int64_t padding) {
    return TERN_CALL(max_unpool1d, ARG_TENSOR(input), ARG_TENSOR(indices), ARG_INT(kernel_size),
                     stride_argument(stride), ARG_INT(padding));
}
tern_tensor *tern_max_unpool2d(tern_tensor *input, tern_tensor *indices, int64_t kernel_size,
                               int64_t stride, int64_t padding) {
    return TERN_CALL(max_unpool2d, ARG_TENSOR(input), ARG_TENSOR(indices), ARG_INT(kernel_size),
                     stride_argument(stride), ARG_INT(padding));
}
tern_tensor *tern_max_unpool3d(tern_tensor *input, tern_tensor *indices, int64_t kernel_size,
                               int64_t stride, int64_t padding) {
    return TERN_CALL(max_unpool3d, ARG_TENSOR(input), ARG_TENSOR(indices), ARG_INT(kernel_size),
                     stride_argument(stride), ARG_INT(padding));
}
tern_tensor *tern_max_pool2d_with_indices_backward(tern_tensor *grad_output, tern_tensor *input,
                                                   tern_shape kernel_size, tern_shape stride,
                                                   tern_shape padding, tern_shape dilation,
                                                   bool ceil_mode, tern_tensor *indices) {
    return TERN_CALL(max_pool2d_with_indices_backward, ARG_TENSOR(grad_output), ARG_TENSOR(input),
                     ARG_SHAPE(kernel_size), ARG_SHAPE(stride), ARG_SHAPE(padding),
                     ARG_SHAPE(dilation), ARG_BOOL(ceil_mode), ARG_TENSOR(indices));
}
tern_tensor *tern_avg_pool1d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                             int64_t padding) {
    return TERN_CALL(avg_pool1d, ARG_TENSOR(input), ARG_INT(kernel_size), stride_argument(stride),
                     ARG_INT(padding));
}
tern_tensor *tern_avg_pool2d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                             int64_t padding) {
    return TERN_CALL(avg_pool2d, ARG_TENSOR(input), ARG_INT(kernel_size), stride_argument(stride),
                     ARG_INT(padding));
}
tern_tensor *tern_avg_pool3d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                             int64_t padding) {
    return TERN_CALL(avg_pool3d, ARG_TENSOR(input), ARG_INT(kernel_size), stride_argument(stride),
                     ARG_INT(padding));
}
tern_tensor *tern_adaptive_avg_pool1d(tern_tensor *input, int64_t length) {
    return TERN_CALL(adaptive_avg_pool1d, ARG_TENSOR(input), ARG_INT(length));
}
tern_tensor *tern_adaptive_avg_pool3d(tern_tensor *input, int64_t depth, int64_t height,
                                      int64_t width) {
    int64_t sizes[] = {depth, height, width};
    return TERN_CALL(adaptive_avg_pool3d, ARG_TENSOR(input), tern_ints(sizes, 3));
}
tern_tensor *tern_adaptive_max_pool1d(tern_tensor *input, int64_t length,
                                      tern_tensor **out_indices) {
    return tern_first_of(
        input,
        TERN_CALL_VALUE(adaptive_max_pool1d, ARG_TENSOR(input), ARG_INT(length), ARG_BOOL(true)),
        out_indices);
}
tern_tensor *tern_adaptive_max_pool2d(tern_tensor *input, int64_t height, int64_t width,
                                      tern_tensor **out_indices) {
    int64_t sizes[] = {height, width};
    return tern_first_of(input,
                         TERN_CALL_VALUE(adaptive_max_pool2d, ARG_TENSOR(input),
                                         tern_ints(sizes, 2), ARG_BOOL(true)),
                         out_indices);
}
tern_tensor *tern_adaptive_max_pool3d(tern_tensor *input, int64_t depth, int64_t height,
                                      int64_t width, tern_tensor **out_indices) {
    int64_t sizes[] = {depth, height, width};
    return tern_first_of(input,
                         TERN_CALL_VALUE(adaptive_max_pool3d, ARG_TENSOR(input),
                                         tern_ints(sizes, 3), ARG_BOOL(true)),
                         out_indices);
}

/* ---- padding, pixels and patches ------------------------------------------------------------ */
tern_tensor *tern_constant_pad_nd(tern_tensor *input, tern_shape pad, double value) {
    return TERN_CALL(constant_pad_nd, ARG_TENSOR(input), ARG_SHAPE(pad), tern_number(value));
}
tern_tensor *tern_pad(tern_tensor *input, tern_shape pad, const char *mode, double value) {
    return TERN_CALL(pad, ARG_TENSOR(input), ARG_SHAPE(pad), tern_text_argument(mode),
                     tern_number(value));
}
tern_tensor *tern_pixel_shuffle(tern_tensor *input, int64_t upscale_factor) {
    return TERN_CALL(pixel_shuffle, ARG_TENSOR(input), ARG_INT(upscale_factor));
}
tern_tensor *tern_pixel_unshuffle(tern_tensor *input, int64_t downscale_factor) {
    return TERN_CALL(pixel_unshuffle, ARG_TENSOR(input), ARG_INT(downscale_factor));
}
tern_tensor *tern_channel_shuffle(tern_tensor *input, int64_t groups) {
    return TERN_CALL(channel_shuffle, ARG_TENSOR(input), ARG_INT(groups));
}
tern_tensor *tern_im2col(tern_tensor *input, tern_shape kernel_size, tern_shape dilation,
                         tern_shape padding, tern_shape stride) {
    return TERN_CALL(im2col, ARG_TENSOR(input), ARG_SHAPE(kernel_size), ARG_SHAPE(dilation),
                     ARG_SHAPE(padding), ARG_SHAPE(stride));
}
tern_tensor *tern_fold(tern_tensor *input, tern_shape output_size, tern_shape kernel_size,
                       tern_shape dilation, tern_shape padding, tern_shape stride) {
    return TERN_CALL(fold, ARG_TENSOR(input), ARG_SHAPE(output_size), ARG_SHAPE(kernel_size),
                     ARG_SHAPE(dilation), ARG_SHAPE(padding), ARG_SHAPE(stride));
}

/* ---- resizing ------------------------------------------------------------------------------- */
tern_tensor *tern_interpolate(tern_tensor *input, tern_shape size, const char *mode,
                              bool align_corners) {
    return TERN_CALL(interpolate, ARG_TENSOR(input), tern_sizes_argument(&size), tern_none(),
                     tern_text_argument(mode), align_corners ? ARG_BOOL(true) : tern_none());
}
tern_tensor *tern_interpolate_by(tern_tensor *input, double scale_factor, const char *mode,
                                 bool align_corners) {
    return TERN_CALL(interpolate, ARG_TENSOR(input), tern_none(), ARG_FLOAT(scale_factor),
                     tern_text_argument(mode), align_corners ? ARG_BOOL(true) : tern_none());
}
tern_tensor *tern_upsample_nearest(tern_tensor *input, tern_shape size) {
    return TERN_CALL(upsample_nearest, ARG_TENSOR(input), tern_sizes_argument(&size));
}
tern_tensor *tern_upsample_bilinear(tern_tensor *input, tern_shape size) {
    return TERN_CALL(upsample_bilinear, ARG_TENSOR(input), tern_sizes_argument(&size));
}

/* ---- attention ------------------------------------------------------------------------------ */
tern_tensor *tern_multi_head_attention_forward(
    tern_tensor *query, tern_tensor *key, tern_tensor *value, int64_t embed_dim_to_check,
    int64_t num_heads, tern_tensor *in_proj_weight, tern_tensor *in_proj_bias, tern_tensor *bias_k,
    tern_tensor *bias_v, bool add_zero_attn, double dropout_p, tern_tensor *out_proj_weight,
    tern_tensor *out_proj_bias, bool training, tern_tensor *key_padding_mask,
    tern_tensor *attn_mask, tern_tensor **out_weights) {
    tern_value all = TERN_CALL_VALUE(
        multi_head_attention_forward, ARG_TENSOR(query), ARG_TENSOR(key), ARG_TENSOR(value),
        ARG_INT(embed_dim_to_check), ARG_INT(num_heads), ARG_TENSOR(in_proj_weight),
        ARG_TENSOR(in_proj_bias), ARG_TENSOR(bias_k), ARG_TENSOR(bias_v), ARG_BOOL(add_zero_attn),
        ARG_FLOAT(dropout_p), ARG_TENSOR(out_proj_weight), ARG_TENSOR(out_proj_bias),
        ARG_BOOL(training), ARG_TENSOR(key_padding_mask), ARG_BOOL(out_weights != NULL),
        ARG_TENSOR(attn_mask));
    return RESULTS(query, all, out_weights);
}
tern_tensor *tern_scaled_dot_product_attention_with(tern_tensor *query, tern_tensor *key,
                                                    tern_tensor *value, tern_tensor *attn_mask,
                                                    double dropout_p, bool is_causal, double scale,
                                                    bool enable_gqa) {
    return TERN_CALL(scaled_dot_product_attention, ARG_TENSOR(query), ARG_TENSOR(key),
                     ARG_TENSOR(value), ARG_TENSOR(attn_mask), ARG_FLOAT(dropout_p),
                     ARG_BOOL(is_causal), ARG_FLOAT(scale), ARG_BOOL(enable_gqa));
}
