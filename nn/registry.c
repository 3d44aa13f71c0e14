/* registry.c: classes by name: the built-in ones and the program's own. */
#include <stdatomic.h>
#include <string.h>

#include "layers/layers.h"

static const tern_module_class *const builtin[] = {
    &tern_adaptive_avg_pool1d_class,
    &tern_adaptive_avg_pool2d_class,
    &tern_adaptive_avg_pool3d_class,
    &tern_adaptive_log_softmax_with_loss_class,
    &tern_adaptive_max_pool1d_class,
    &tern_adaptive_max_pool2d_class,
    &tern_adaptive_max_pool3d_class,
    &tern_alpha_dropout_class,
    &tern_attention_linear_class,
    &tern_avg_pool1d_class,
    &tern_avg_pool2d_class,
    &tern_avg_pool3d_class,
    &tern_batch_norm1d_class,
    &tern_batch_norm2d_class,
    &tern_batch_norm3d_class,
    &tern_bce_loss_class,
    &tern_bce_with_logits_loss_class,
    &tern_bilinear_class,
    &tern_celu_class,
    &tern_channel_shuffle_class,
    &tern_circular_pad1d_class,
    &tern_circular_pad2d_class,
    &tern_circular_pad3d_class,
    &tern_constant_pad1d_class,
    &tern_constant_pad2d_class,
    &tern_constant_pad3d_class,
    &tern_conv1d_class,
    &tern_conv2d_class,
    &tern_conv3d_class,
    &tern_conv_transpose1d_class,
    &tern_conv_transpose2d_class,
    &tern_conv_transpose3d_class,
    &tern_cosine_embedding_loss_class,
    &tern_cosine_similarity_class,
    &tern_cross_entropy_loss_class,
    &tern_ctc_loss_class,
    &tern_dropout1d_class,
    &tern_dropout2d_class,
    &tern_dropout3d_class,
    &tern_dropout_class,
    &tern_elu_class,
    &tern_embedding_bag_class,
    &tern_embedding_class,
    &tern_feature_alpha_dropout_class,
    &tern_flatten_class,
    &tern_fold_class,
    &tern_gaussian_nll_loss_class,
    &tern_gelu_class,
    &tern_glu_class,
    &tern_group_norm_class,
    &tern_gru_cell_class,
    &tern_gru_class,
    &tern_hardshrink_class,
    &tern_hardsigmoid_class,
    &tern_hardswish_class,
    &tern_hardtanh_class,
    &tern_hinge_embedding_loss_class,
    &tern_huber_loss_class,
    &tern_identity_class,
    &tern_instance_norm1d_class,
    &tern_instance_norm2d_class,
    &tern_instance_norm3d_class,
    &tern_kl_div_loss_class,
    &tern_l1_loss_class,
    &tern_layer_norm_class,
    &tern_leaky_relu_class,
    &tern_linear_class,
    &tern_linear_cross_entropy_loss_class,
    &tern_local_response_norm_class,
    &tern_log_sigmoid_class,
    &tern_log_softmax_class,
    &tern_lp_pool1d_class,
    &tern_lp_pool2d_class,
    &tern_lp_pool3d_class,
    &tern_lstm_cell_class,
    &tern_lstm_class,
    &tern_margin_ranking_loss_class,
    &tern_max_pool1d_class,
    &tern_max_pool2d_class,
    &tern_max_pool3d_class,
    &tern_max_unpool1d_class,
    &tern_max_unpool2d_class,
    &tern_max_unpool3d_class,
    &tern_mish_class,
    &tern_module_dict_class,
    &tern_module_list_class,
    &tern_mse_loss_class,
    &tern_multi_label_margin_loss_class,
    &tern_multi_label_soft_margin_loss_class,
    &tern_multi_margin_loss_class,
    &tern_multihead_attention_class,
    &tern_nll_loss_class,
    &tern_pairwise_distance_class,
    &tern_parameter_dict_class,
    &tern_parameter_list_class,
    &tern_pixel_shuffle_class,
    &tern_pixel_unshuffle_class,
    &tern_poisson_nll_loss_class,
    &tern_prelu_class,
    &tern_reflection_pad1d_class,
    &tern_reflection_pad2d_class,
    &tern_reflection_pad3d_class,
    &tern_relu6_class,
    &tern_relu_class,
    &tern_replication_pad1d_class,
    &tern_replication_pad2d_class,
    &tern_replication_pad3d_class,
    &tern_rms_norm_class,
    &tern_rnn_cell_class,
    &tern_rnn_class,
    &tern_rrelu_class,
    &tern_selu_class,
    &tern_sequential_class,
    &tern_sigmoid_class,
    &tern_silu_class,
    &tern_smooth_l1_loss_class,
    &tern_soft_margin_loss_class,
    &tern_softmax2d_class,
    &tern_softmax_class,
    &tern_softmin_class,
    &tern_softplus_class,
    &tern_softshrink_class,
    &tern_softsign_class,
    &tern_tanh_class,
    &tern_tanhshrink_class,
    &tern_threshold_class,
    &tern_transformer_class,
    &tern_transformer_decoder_class,
    &tern_transformer_decoder_layer_class,
    &tern_transformer_encoder_class,
    &tern_transformer_encoder_layer_class,
    &tern_triplet_margin_loss_class,
    &tern_triplet_margin_with_distance_loss_class,
    &tern_unflatten_class,
    &tern_unfold_class,
    &tern_upsample_class,
    &tern_upsampling_bilinear2d_class,
    &tern_upsampling_nearest2d_class,
    &tern_zero_pad1d_class,
    &tern_zero_pad2d_class,
    &tern_zero_pad3d_class,
};
#define BUILTIN_COUNT (sizeof builtin / sizeof builtin[0])

/* Slots fill from the front and are never emptied; a thread that loses the race for one tries the
 * next. */
#define MAX_REGISTERED 256
static _Atomic(const tern_module_class *) registered[MAX_REGISTERED];

const tern_module_class *tern_nn_class_at(size_t index) {
    if (index < BUILTIN_COUNT) return builtin[index];
    index -= BUILTIN_COUNT;
    return index < MAX_REGISTERED ? atomic_load(&registered[index]) : NULL;
}

static bool has_name(const tern_module_class *cls, const char *name, size_t length) {
    return tern_class_name_length(cls) == length && strncmp(cls->schema, name, length) == 0;
}

static const tern_module_class *find(const char *name, size_t length) {
    const tern_module_class *cls;
    for (size_t i = 0; (cls = tern_nn_class_at(i)) != NULL; i++)
        if (has_name(cls, name, length)) return cls;
    return NULL;
}

const tern_module_class *tern_nn_class(const char *name) {
    return name ? find(name, strlen(name)) : NULL;
}

tern_status tern_nn_register(tern_ctx *ctx, const tern_module_class *cls) {
    if (!tern_argument_given(ctx, "tern_nn_register", "cls", cls)) return TERN_ERR_ARGUMENT;
    if (cls->size < sizeof *cls || !cls->schema)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_nn_register: the class is incomplete: begin it with "
                         "TERN_MODULE_CLASS");
    size_t length = tern_class_name_length(cls);
    for (size_t i = 0; i < MAX_REGISTERED; i++) {
        const tern_module_class *known = find(cls->schema, length), *empty = NULL;
        if (known == cls) return TERN_OK;
        if (known)
            return tern_fail(ctx, TERN_ERR_ARGUMENT,
                             "tern_nn_register: there is a module named %.*s already", (int)length,
                             cls->schema);
        if (atomic_compare_exchange_strong(&registered[i], &empty, cls)) return TERN_OK;
    }
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "tern_nn_register: more than %d classes",
                     MAX_REGISTERED);
}
