/*
 * layers.h: the classes of the built-in modules, one a kind, and what their files share.
 */
#ifndef TERN_NN_LAYERS_H
#define TERN_NN_LAYERS_H

#include "../module.h"

/* ---- common.c ---- */

/* float32 where the argument is left out. */
tern_dtype tern_layer_dtype(tern_dtype dtype);

/* Registers a parameter: filled with a value, uniform in (-bound, bound), or Linear's
 * kaiming_uniform_(a=sqrt(5)). */
tern_tensor *tern_layer_filled(tern_module *self, const char *name, tern_shape shape,
                               tern_dtype dtype, double value);
tern_tensor *tern_layer_uniform(tern_module *self, const char *name, tern_shape shape,
                                tern_dtype dtype, double bound);
tern_tensor *tern_layer_kaiming(tern_module *self, const char *name, tern_shape shape,
                                tern_dtype dtype);

/* Registers None as a parameter, which may be replaced by a tensor later: NULL, and so is *member. */
tern_tensor *tern_layer_none(tern_module *self, const char *name, tern_tensor **member);

/* Registers a copy of a constructor's tensor (or None) as a persistent buffer. */
tern_tensor *tern_layer_keep(tern_module *self, const char *name, tern_tensor *tensor);

/* The 2 of Conv2d; 0 of a name that does not end so. */
int tern_layer_spatial(const tern_module *self);

/* One number becomes `count` of them, none becomes the fallback; another count is an error. */
bool tern_layer_expand(tern_module *self, const char *what, tern_shape *sizes, int count,
                       int64_t fallback);

/* A tuple of the module's owner (in init) or the open scope. */
tern_value tern_layer_tuple(tern_module *self, const int64_t *items, size_t count);

/* A list of sizes as a tuple, as PyTorch's users write them; anything else as it is. */
tern_value tern_layer_sizes(tern_module *self, tern_value value);

/* The tensor of a value, nil for another kind (whose error is latched). */
tern_tensor *tern_layer_tensor(tern_module *self, tern_value value);

/* An operation of one tensor, and members of the module by name (tern_nn_operation). */
tern_tensor *tern_layer_call(tern_module *self, const char *words, tern_tensor *input);

/* Zeros of another tensor's dtype and device. */
tern_tensor *tern_layer_zeros(tern_module *self, tern_tensor *like, tern_shape shape);

/* MultiheadAttention's out_proj (linear.c). */
tern_module *tern_layer_attention_linear(tern_ctx *ctx, int64_t features, bool bias,
                                         tern_dtype dtype);

/* Registers the weight of an embedding (embedding.c), [rows, width], its padding row zeroed; a
 * negative padding is counted from the end. False after latching an error. */
bool tern_layer_table(tern_module *self, int64_t rows, int64_t width, tern_optional_int *padding,
                      tern_dtype dtype, tern_tensor **out_weight);

/* False, and a latched error, for a number below 1 or above what a tensor holds. */
bool tern_layer_positive(tern_module *self, const char *what, int64_t value);

/* ---- epilogue.c ---- */

/* activation(layer(input)) in one operation; NULL where these two take two. */
#ifndef TERN_COMPOSES /* a build without fused kernels takes two always */
tern_tensor *tern_layer_pair(tern_module *layer, tern_module *activation, tern_tensor *input);
#define TERN_FORWARD_MAP(function) (function)
#else
static inline tern_tensor *tern_layer_pair(tern_module *layer, tern_module *activation,
                                           tern_tensor *input) {
    (void)layer, (void)activation, (void)input;
    return NULL;
}
#define TERN_FORWARD_MAP(function) (1 ? NULL : (function))
#endif

/* Where a batch norm keeps its momentum; NULL for other modules (norm.c). */
tern_optional_float *tern_layer_momentum(tern_module *module);

/* ---- activation.c ---- */
extern const tern_module_class tern_celu_class;
extern const tern_module_class tern_elu_class;
extern const tern_module_class tern_gelu_class;
extern const tern_module_class tern_hardshrink_class;
extern const tern_module_class tern_hardsigmoid_class;
extern const tern_module_class tern_hardswish_class;
extern const tern_module_class tern_hardtanh_class;
extern const tern_module_class tern_leaky_relu_class;
extern const tern_module_class tern_log_sigmoid_class;
extern const tern_module_class tern_mish_class;
extern const tern_module_class tern_relu_class;
extern const tern_module_class tern_relu6_class;
extern const tern_module_class tern_rrelu_class;
extern const tern_module_class tern_selu_class;
extern const tern_module_class tern_silu_class;
extern const tern_module_class tern_sigmoid_class;
extern const tern_module_class tern_softplus_class;
extern const tern_module_class tern_softshrink_class;
extern const tern_module_class tern_softsign_class;
extern const tern_module_class tern_tanh_class;
extern const tern_module_class tern_tanhshrink_class;
extern const tern_module_class tern_threshold_class;
extern const tern_module_class tern_prelu_class;
extern const tern_module_class tern_glu_class;
extern const tern_module_class tern_softmax_class;
extern const tern_module_class tern_log_softmax_class;
extern const tern_module_class tern_softmin_class;
extern const tern_module_class tern_softmax2d_class;

/* ---- attention.c ---- */
extern const tern_module_class tern_multihead_attention_class;

/* ---- cell.c ---- */
extern const tern_module_class tern_rnn_cell_class;
extern const tern_module_class tern_gru_cell_class;
extern const tern_module_class tern_lstm_cell_class;

/* ---- containers.c ---- */
extern const tern_module_class tern_sequential_class;
extern const tern_module_class tern_module_list_class;
extern const tern_module_class tern_module_dict_class;
extern const tern_module_class tern_parameter_list_class;
extern const tern_module_class tern_parameter_dict_class;

/* ---- conv.c ---- */
extern const tern_module_class tern_conv1d_class;
extern const tern_module_class tern_conv2d_class;
extern const tern_module_class tern_conv3d_class;
extern const tern_module_class tern_conv_transpose1d_class;
extern const tern_module_class tern_conv_transpose2d_class;
extern const tern_module_class tern_conv_transpose3d_class;

/* ---- distance.c ---- */
extern const tern_module_class tern_cosine_similarity_class;
extern const tern_module_class tern_pairwise_distance_class;
extern const tern_module_class tern_bilinear_class;

/* ---- dropout.c ---- */
extern const tern_module_class tern_dropout_class;
extern const tern_module_class tern_dropout1d_class;
extern const tern_module_class tern_dropout2d_class;
extern const tern_module_class tern_dropout3d_class;
extern const tern_module_class tern_alpha_dropout_class;
extern const tern_module_class tern_feature_alpha_dropout_class;

/* ---- embedding.c ---- */
extern const tern_module_class tern_embedding_class;

/* ---- embedding_bag.c ---- */
extern const tern_module_class tern_embedding_bag_class;

/* ---- image.c ---- */
extern const tern_module_class tern_upsample_class;
extern const tern_module_class tern_upsampling_nearest2d_class;
extern const tern_module_class tern_upsampling_bilinear2d_class;
extern const tern_module_class tern_pixel_shuffle_class;
extern const tern_module_class tern_pixel_unshuffle_class;
extern const tern_module_class tern_channel_shuffle_class;
extern const tern_module_class tern_unfold_class;
extern const tern_module_class tern_fold_class;
extern const tern_module_class tern_zero_pad1d_class;
extern const tern_module_class tern_zero_pad2d_class;
extern const tern_module_class tern_zero_pad3d_class;
extern const tern_module_class tern_constant_pad1d_class;
extern const tern_module_class tern_constant_pad2d_class;
extern const tern_module_class tern_constant_pad3d_class;
extern const tern_module_class tern_reflection_pad1d_class;
extern const tern_module_class tern_reflection_pad2d_class;
extern const tern_module_class tern_reflection_pad3d_class;
extern const tern_module_class tern_replication_pad1d_class;
extern const tern_module_class tern_replication_pad2d_class;
extern const tern_module_class tern_replication_pad3d_class;
extern const tern_module_class tern_circular_pad1d_class;
extern const tern_module_class tern_circular_pad2d_class;
extern const tern_module_class tern_circular_pad3d_class;

/* ---- layer_norm.c ---- */
extern const tern_module_class tern_layer_norm_class;
extern const tern_module_class tern_rms_norm_class;
extern const tern_module_class tern_group_norm_class;
extern const tern_module_class tern_local_response_norm_class;

/* ---- linear.c ---- */
extern const tern_module_class tern_linear_class;
extern const tern_module_class tern_attention_linear_class;
extern const tern_module_class tern_identity_class;

/* ---- loss.c ---- */
extern const tern_module_class tern_l1_loss_class;
extern const tern_module_class tern_mse_loss_class;
extern const tern_module_class tern_smooth_l1_loss_class;
extern const tern_module_class tern_huber_loss_class;
extern const tern_module_class tern_nll_loss_class;
extern const tern_module_class tern_ctc_loss_class;
extern const tern_module_class tern_cross_entropy_loss_class;
extern const tern_module_class tern_bce_loss_class;
extern const tern_module_class tern_bce_with_logits_loss_class;
extern const tern_module_class tern_kl_div_loss_class;
extern const tern_module_class tern_poisson_nll_loss_class;
extern const tern_module_class tern_gaussian_nll_loss_class;
extern const tern_module_class tern_soft_margin_loss_class;
extern const tern_module_class tern_multi_margin_loss_class;
extern const tern_module_class tern_multi_label_margin_loss_class;
extern const tern_module_class tern_multi_label_soft_margin_loss_class;
extern const tern_module_class tern_hinge_embedding_loss_class;
extern const tern_module_class tern_margin_ranking_loss_class;
extern const tern_module_class tern_cosine_embedding_loss_class;
extern const tern_module_class tern_triplet_margin_loss_class;
extern const tern_module_class tern_triplet_margin_with_distance_loss_class;

/* ---- loss_output.c ---- */
extern const tern_module_class tern_linear_cross_entropy_loss_class;
extern const tern_module_class tern_adaptive_log_softmax_with_loss_class;

/* ---- norm.c ---- */
extern const tern_module_class tern_batch_norm1d_class;
extern const tern_module_class tern_batch_norm2d_class;
extern const tern_module_class tern_batch_norm3d_class;
extern const tern_module_class tern_instance_norm1d_class;
extern const tern_module_class tern_instance_norm2d_class;
extern const tern_module_class tern_instance_norm3d_class;

/* ---- pool.c ---- */
extern const tern_module_class tern_max_pool1d_class;
extern const tern_module_class tern_max_pool2d_class;
extern const tern_module_class tern_max_pool3d_class;
extern const tern_module_class tern_max_unpool1d_class;
extern const tern_module_class tern_max_unpool2d_class;
extern const tern_module_class tern_max_unpool3d_class;
extern const tern_module_class tern_avg_pool1d_class;
extern const tern_module_class tern_avg_pool2d_class;
extern const tern_module_class tern_avg_pool3d_class;
extern const tern_module_class tern_adaptive_avg_pool1d_class;
extern const tern_module_class tern_adaptive_avg_pool2d_class;
extern const tern_module_class tern_adaptive_avg_pool3d_class;
extern const tern_module_class tern_adaptive_max_pool1d_class;
extern const tern_module_class tern_adaptive_max_pool2d_class;
extern const tern_module_class tern_adaptive_max_pool3d_class;
extern const tern_module_class tern_lp_pool1d_class;
extern const tern_module_class tern_lp_pool2d_class;
extern const tern_module_class tern_lp_pool3d_class;

/* ---- recurrent.c ---- */
extern const tern_module_class tern_rnn_class;
extern const tern_module_class tern_gru_class;
extern const tern_module_class tern_lstm_class;

/* ---- shape.c ---- */
extern const tern_module_class tern_flatten_class;
extern const tern_module_class tern_unflatten_class;

/* ---- transformer.c ---- */
extern const tern_module_class tern_transformer_encoder_layer_class;
extern const tern_module_class tern_transformer_decoder_layer_class;

/* ---- transformer_stack.c ---- */
extern const tern_module_class tern_transformer_encoder_class;
extern const tern_module_class tern_transformer_decoder_class;
extern const tern_module_class tern_transformer_class;

#endif
