/*
 * tern/layers.h: typed constructors of the built-in modules; included by nn.h.
 *
 * Required arguments are function parameters. Optional ones are in a struct that starts from its
 * initialiser macro; NULL means PyTorch's defaults:
 *
 *     tern_linear_options o = TERN_LINEAR_OPTIONS;
 *     o.bias = false;
 *     tern_module *m = tern_nn_linear(ctx, 784, 10, &o);
 *
 * `dtype` is the dtype of the parameters (TERN_DTYPE_DEFAULT: float32), `device` the device they
 * are made on (NULL: the context's default device). Shapes and formulas are those of the operations
 * of the same name (ops.h). For modules without a constructor here, and for arguments that these do
 * not have, use the text notation: tern_nn(ctx, "AdaptiveMaxPool2d((4, 4))").
 */
#ifndef TERN_LAYERS_H
#define TERN_LAYERS_H

#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* nn.Linear: x W^T + b. [*, in_features] to [*, out_features]; weight [out, in], bias [out]. */
typedef struct tern_linear_options {
    size_t size;
    bool bias;
    tern_dtype dtype;
    const char *device;
} tern_linear_options;
#define TERN_LINEAR_OPTIONS                                                                        \
    { sizeof(tern_linear_options), true, TERN_DTYPE_DEFAULT, NULL }

/* nn.Linear(in_features, out_features); NULL options are the defaults, here and below. */
TERN_API tern_module *tern_nn_linear(tern_ctx *ctx, int64_t in_features, int64_t out_features,
                                     const tern_linear_options *options);

/* nn.Sequential: the modules in order, named "0", "1", ... */
TERN_API tern_module *tern_nn_sequential(tern_ctx *ctx, tern_module *const *modules, size_t count);
#ifndef __cplusplus
#define TERN_SEQUENTIAL(ctx, ...)                                                                  \
    tern_nn_sequential(ctx, (tern_module *[]){__VA_ARGS__},                                        \
                       sizeof((tern_module *[]){__VA_ARGS__}) / sizeof(tern_module *))
#endif

/* nn.ModuleList: holds modules "0", "1", ... and has no forward. */
TERN_API tern_module *tern_nn_module_list(tern_ctx *ctx, tern_module *const *modules, size_t count);

/* nn.ModuleDict: holds modules by name (tern_module_child) and has no forward. */
TERN_API tern_module *tern_nn_module_dict(tern_ctx *ctx);

/* append(module): adds a child under the next number to a Sequential or a ModuleList. */
TERN_API tern_status tern_module_append(tern_module *list, tern_module *child);

/* nn.ParameterList: holds parameters "0", "1", ... The tensors are copied, and the module owns the copies. */
TERN_API tern_module *tern_nn_parameter_list(tern_ctx *ctx, tern_tensor *const *tensors,
                                             size_t count);

/* ParameterList.append(tensor): returns the copy that the module owns, nil after latching an error. */
TERN_API tern_tensor *tern_parameter_append(tern_module *list, tern_tensor *tensor);

/* nn.ParameterDict, empty. */
TERN_API tern_module *tern_nn_parameter_dict(tern_ctx *ctx);

/* ParameterDict[name] = tensor: returns the copy that the module owns, nil after latching an error. */
TERN_API tern_tensor *tern_parameter_set(tern_module *dict, const char *name, tern_tensor *tensor);

/* nn.Identity */
TERN_API tern_module *tern_nn_identity(tern_ctx *ctx);

/* nn.Flatten(start_dim=1, end_dim=-1) */
TERN_API tern_module *tern_nn_flatten(tern_ctx *ctx, int64_t start_dim, int64_t end_dim);

/* nn.Unflatten(dim, unflattened_size): one size may be -1. */
TERN_API tern_module *tern_nn_unflatten(tern_ctx *ctx, int64_t dim, tern_shape unflattened_size);

/* ---- activations: also CELU, SELU, Mish, Hardtanh, Hardsigmoid, Softsign, ... by text -------- */

/* nn.ReLU: max(x, 0). */
TERN_API tern_module *tern_nn_relu(tern_ctx *ctx);

/* nn.ReLU6: x limited to [0, 6]. */
TERN_API tern_module *tern_nn_relu6(tern_ctx *ctx);

/* nn.Sigmoid: 1 / (1 + exp(-x)). */
TERN_API tern_module *tern_nn_sigmoid(tern_ctx *ctx);

/* nn.Tanh. */
TERN_API tern_module *tern_nn_tanh(tern_ctx *ctx);

/* nn.SiLU: x * sigmoid(x). */
TERN_API tern_module *tern_nn_silu(tern_ctx *ctx);

/* nn.Hardswish: x * min(max(x + 3, 0), 6) / 6. */
TERN_API tern_module *tern_nn_hardswish(tern_ctx *ctx);

/* nn.GELU: approximate "none" (NULL) or "tanh". */
TERN_API tern_module *tern_nn_gelu(tern_ctx *ctx, const char *approximate);

/* nn.ELU: x above 0, else alpha * (exp(x) - 1). PyTorch's default of alpha is 1. */
TERN_API tern_module *tern_nn_elu(tern_ctx *ctx, double alpha);

/* nn.LeakyReLU: x above 0, else negative_slope * x. PyTorch's default of the slope is 0.01. */
TERN_API tern_module *tern_nn_leaky_relu(tern_ctx *ctx, double negative_slope);

/* nn.Softplus: log(1 + exp(beta x)) / beta; x itself if beta x is above the threshold. PyTorch's
 * defaults: 1, 20. */
TERN_API tern_module *tern_nn_softplus(tern_ctx *ctx, double beta, double threshold);

/* nn.PReLU(num_parameters=1, init=0.25): one learned slope for all channels, or one per channel. */
TERN_API tern_module *tern_nn_prelu(tern_ctx *ctx, int64_t num_parameters, double init);

/* nn.GLU(dim=-1): the first half times the sigmoid of the second. */
TERN_API tern_module *tern_nn_glu(tern_ctx *ctx, int64_t dim);

/* nn.Softmax along a dimension. */
TERN_API tern_module *tern_nn_softmax(tern_ctx *ctx, int64_t dim);

/* nn.LogSoftmax along a dimension. */
TERN_API tern_module *tern_nn_log_softmax(tern_ctx *ctx, int64_t dim);

/* ---- dropout: p within [0, 1]; in evaluation mode the input itself --------------------------- */

/* nn.Dropout: each element is 0 with probability p, the others are multiplied by 1 / (1 - p). */
TERN_API tern_module *tern_nn_dropout(tern_ctx *ctx, double p);

/* Dropout of whole channels of [N, C, L], [N, C, H, W] and [N, C, D, H, W]. */
TERN_API tern_module *tern_nn_dropout1d(tern_ctx *ctx, double p);

/* nn.Dropout2d: whole channels of [N, C, H, W]. */
TERN_API tern_module *tern_nn_dropout2d(tern_ctx *ctx, double p);

/* nn.Dropout3d: whole channels of [N, C, D, H, W]. */
TERN_API tern_module *tern_nn_dropout3d(tern_ctx *ctx, double p);

/* nn.AlphaDropout: keeps mean and variance, for networks with SELU. */
TERN_API tern_module *tern_nn_alpha_dropout(tern_ctx *ctx, double p);

/* ---- convolutions ------------------------------------------------------------------------------
 *
 * nn.Conv1d, 2d, 3d: [N, in, ...] to [N, out, ...]; weight [out, in / groups, k...], bias [out].
 * Sizes of rank 0 mean PyTorch's defaults (stride 1, padding 0, dilation 1, output_padding 0); a
 * single number applies to all dimensions. For a kernel that is not square, `kernel_size` in the
 * options overrides the constructor's argument. */

/* The arguments of convolutions beside channels and kernel size. */
typedef struct tern_conv_options {
    size_t size;
    tern_shape kernel_size, stride, padding, dilation;
    tern_shape output_padding; /* of transposed convolutions */
    const char *padding_text;  /* "same" or "valid" instead of `padding`; or NULL */
    const char *padding_mode;  /* "zeros", "reflect", "replicate" or "circular" */
    int64_t groups;
    bool bias;
    tern_dtype dtype;
    const char *device;
} tern_conv_options;
#define TERN_CONV_OPTIONS                                                                          \
    {                                                                                              \
        sizeof(tern_conv_options), {0, {0}}, {0, {0}}, {0, {0}}, {0, {0}}, {0, {0}}, NULL,         \
            "zeros", 1, true, TERN_DTYPE_DEFAULT, NULL                                             \
    }

/* nn.Conv1d: [N, C, L] or [C, L]. */
TERN_API tern_module *tern_nn_conv1d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                                     int64_t kernel_size, const tern_conv_options *options);

/* nn.Conv2d: [N, C, H, W] or [C, H, W]. */
TERN_API tern_module *tern_nn_conv2d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                                     int64_t kernel_size, const tern_conv_options *options);

/* nn.Conv3d: [N, C, D, H, W] or [C, D, H, W]. */
TERN_API tern_module *tern_nn_conv3d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                                     int64_t kernel_size, const tern_conv_options *options);

/* nn.ConvTranspose1d, 2d: weight [in, out / groups, k...]; forward(input, output_size=None). */
TERN_API tern_module *tern_nn_conv_transpose1d(tern_ctx *ctx, int64_t in_channels,
                                               int64_t out_channels, int64_t kernel_size,
                                               const tern_conv_options *options);

/* nn.ConvTranspose2d: the same in two dimensions. */
TERN_API tern_module *tern_nn_conv_transpose2d(tern_ctx *ctx, int64_t in_channels,
                                               int64_t out_channels, int64_t kernel_size,
                                               const tern_conv_options *options);

/* ---- pooling: stride 0 means the kernel size ------------------------------------------------- */

/* nn.MaxPool1d: the largest of each window, of [N, C, L]. */
TERN_API tern_module *tern_nn_max_pool1d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                         int64_t padding);

/* nn.MaxPool2d: the largest of each window, of [N, C, H, W]. */
TERN_API tern_module *tern_nn_max_pool2d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                         int64_t padding);

/* nn.AvgPool1d: the mean of each window; padding counts as zeros. */
TERN_API tern_module *tern_nn_avg_pool1d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                         int64_t padding);

/* nn.AvgPool2d: the mean of each window; padding counts as zeros. */
TERN_API tern_module *tern_nn_avg_pool2d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                         int64_t padding);

/* nn.AdaptiveAvgPool2d((height, width)): [N, C, H, W] -> [N, C, height, width]. */
TERN_API tern_module *tern_nn_adaptive_avg_pool2d(tern_ctx *ctx, int64_t height, int64_t width);

/* ---- normalisation --------------------------------------------------------------------------- */

/* The arguments of nn.BatchNorm1d, 2d and 3d. If the momentum is none, the running statistics are averages over
 * all batches. */
typedef struct tern_batch_norm_options {
    size_t size;
    double eps;
    tern_optional_float momentum;
    bool affine, track_running_stats, bias;
    tern_dtype dtype;
    const char *device;
} tern_batch_norm_options;
#define TERN_BATCH_NORM_OPTIONS                                                                    \
    {                                                                                              \
        sizeof(tern_batch_norm_options), 1e-5, {true, 0.1}, true, true, true, TERN_DTYPE_DEFAULT,  \
            NULL                                                                                   \
    }

/* nn.BatchNorm1d: [N, C] or [N, C, L]. */
TERN_API tern_module *tern_nn_batch_norm1d(tern_ctx *ctx, int64_t num_features,
                                           const tern_batch_norm_options *options);

/* nn.BatchNorm2d: [N, C, H, W]. */
TERN_API tern_module *tern_nn_batch_norm2d(tern_ctx *ctx, int64_t num_features,
                                           const tern_batch_norm_options *options);

/* nn.BatchNorm3d: [N, C, D, H, W]. */
TERN_API tern_module *tern_nn_batch_norm3d(tern_ctx *ctx, int64_t num_features,
                                           const tern_batch_norm_options *options);

/* nn.LayerNorm: normalizes over the last dimensions, whose sizes must be normalized_shape. */
typedef struct tern_layer_norm_options {
    size_t size;
    double eps;
    bool elementwise_affine, bias;
    tern_dtype dtype;
    const char *device;
} tern_layer_norm_options;
#define TERN_LAYER_NORM_OPTIONS                                                                    \
    { sizeof(tern_layer_norm_options), 1e-5, true, true, TERN_DTYPE_DEFAULT, NULL }

/* nn.LayerNorm(normalized_shape). */
TERN_API tern_module *tern_nn_layer_norm(tern_ctx *ctx, tern_shape normalized_shape,
                                         const tern_layer_norm_options *options);

/* The arguments of nn.RMSNorm. If eps is none, it is the dtype's machine epsilon. */
typedef struct tern_rms_norm_options {
    size_t size;
    tern_optional_float eps;
    bool elementwise_affine;
    tern_dtype dtype;
    const char *device;
} tern_rms_norm_options;
#define TERN_RMS_NORM_OPTIONS                                                                      \
    { sizeof(tern_rms_norm_options), {false, 0}, true, TERN_DTYPE_DEFAULT, NULL }

/* nn.RMSNorm(normalized_shape). */
TERN_API tern_module *tern_nn_rms_norm(tern_ctx *ctx, tern_shape normalized_shape,
                                       const tern_rms_norm_options *options);

/* nn.GroupNorm: [N, C, ...], C divisible by num_groups. */
typedef struct tern_group_norm_options {
    size_t size;
    double eps;
    bool affine, bias;
    tern_dtype dtype;
    const char *device;
} tern_group_norm_options;
#define TERN_GROUP_NORM_OPTIONS                                                                    \
    { sizeof(tern_group_norm_options), 1e-5, true, true, TERN_DTYPE_DEFAULT, NULL }

/* nn.GroupNorm(num_groups, num_channels). */
TERN_API tern_module *tern_nn_group_norm(tern_ctx *ctx, int64_t num_groups, int64_t num_channels,
                                         const tern_group_norm_options *options);

/* ---- tables ---------------------------------------------------------------------------------- */

/* nn.Embedding: int64 [*] to [*, embedding_dim]; the row padding_idx starts at zero and gets no
 * gradient; rows with a norm above max_norm are scaled down to it when they are used. */
typedef struct tern_embedding_options {
    size_t size;
    tern_optional_int padding_idx;
    tern_optional_float max_norm;
    double norm_type;
    bool scale_grad_by_freq;
    tern_dtype dtype;
    const char *device;
} tern_embedding_options;
#define TERN_EMBEDDING_OPTIONS                                                                     \
    { sizeof(tern_embedding_options), {false, 0}, {false, 0}, 2.0, false, TERN_DTYPE_DEFAULT, NULL }

/* nn.Embedding(num_embeddings, embedding_dim). */
TERN_API tern_module *tern_nn_embedding(tern_ctx *ctx, int64_t num_embeddings,
                                        int64_t embedding_dim,
                                        const tern_embedding_options *options);

/* ---- sequences ----------------------------------------------------------------------------------
 *
 * nn.RNN, nn.LSTM, nn.GRU: input [T, N, input_size], with batch_first [N, T, input_size], or
 * unbatched [T, input_size]. forward(input, hx=None) returns (output, h_n), or (output, (h_n, c_n))
 * for LSTM: call them with tern_module_call. Dropout is applied between the layers. */

/* The arguments of recurrent layers beside their sizes. */
typedef struct tern_recurrent_options {
    size_t size;
    int64_t num_layers;
    bool bias, batch_first;
    double dropout;
    bool bidirectional;
    int64_t proj_size;        /* LSTM only; 0: no projection */
    const char *nonlinearity; /* of RNN: "tanh" or "relu" */
    tern_dtype dtype;
    const char *device;
} tern_recurrent_options;
#define TERN_RECURRENT_OPTIONS                                                                     \
    {                                                                                              \
        sizeof(tern_recurrent_options), 1, true, false, 0.0, false, 0, "tanh", TERN_DTYPE_DEFAULT, \
            NULL                                                                                   \
    }

/* nn.RNN: h' = tanh(W x + U h + b), or relu. */
TERN_API tern_module *tern_nn_rnn(tern_ctx *ctx, int64_t input_size, int64_t hidden_size,
                                  const tern_recurrent_options *options);

/* nn.LSTM: its state is the tuple (h, c); see TERN_TENSORS. */
TERN_API tern_module *tern_nn_lstm(tern_ctx *ctx, int64_t input_size, int64_t hidden_size,
                                   const tern_recurrent_options *options);

/* nn.GRU. */
TERN_API tern_module *tern_nn_gru(tern_ctx *ctx, int64_t input_size, int64_t hidden_size,
                                  const tern_recurrent_options *options);

/*
 * nn.MultiheadAttention: forward(query, key, value, key_padding_mask, need_weights, attn_mask,
 * average_attn_weights, is_causal) returns (output, weights or None). Sequences are [T, N, E], with
 * batch_first [N, T, E], or unbatched [T, E]; a boolean mask hides positions where it is true, a
 * floating one is added to the scores. is_causal says that attn_mask, which has to be there, hides what is later:
 * where neither weights are wanted nor a key_padding_mask is given, a causal mask is used in its place.
 */
typedef struct tern_attention_options {
    size_t size;
    double dropout;
    bool bias, add_bias_kv, add_zero_attn;
    tern_optional_int kdim, vdim; /* none: embed_dim */
    bool batch_first;
    tern_dtype dtype;
    const char *device;
} tern_attention_options;
#define TERN_ATTENTION_OPTIONS                                                                     \
    {                                                                                              \
        sizeof(tern_attention_options), 0.0, true, false, false, {false, 0}, {false, 0}, false,    \
            TERN_DTYPE_DEFAULT, NULL                                                               \
    }

/* nn.MultiheadAttention(embed_dim, num_heads); embed_dim must be divisible by num_heads. */
TERN_API tern_module *tern_nn_multihead_attention(tern_ctx *ctx, int64_t embed_dim,
                                                  int64_t num_heads,
                                                  const tern_attention_options *options);

/* nn.TransformerEncoderLayer: forward(src, src_mask, src_key_padding_mask, is_causal);
 * nn.TransformerDecoderLayer: forward(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
 * memory_key_padding_mask, ...). activation is "relu" or "gelu". */
typedef struct tern_transformer_options {
    size_t size;
    int64_t dim_feedforward;
    double dropout;
    const char *activation;
    double layer_norm_eps;
    bool batch_first, norm_first, bias;
    tern_dtype dtype;
    const char *device;
} tern_transformer_options;
#define TERN_TRANSFORMER_OPTIONS                                                                   \
    {                                                                                              \
        sizeof(tern_transformer_options), 2048, 0.1, "relu", 1e-5, false, false, true,             \
            TERN_DTYPE_DEFAULT, NULL                                                               \
    }

/* nn.TransformerEncoderLayer(d_model, nhead). */
TERN_API tern_module *tern_nn_transformer_encoder_layer(tern_ctx *ctx, int64_t d_model,
                                                        int64_t nhead,
                                                        const tern_transformer_options *options);

/* nn.TransformerDecoderLayer(d_model, nhead). */
TERN_API tern_module *tern_nn_transformer_decoder_layer(tern_ctx *ctx, int64_t d_model,
                                                        int64_t nhead,
                                                        const tern_transformer_options *options);

/* nn.TransformerEncoder: num_layers copies of one layer. TransformerDecoder and Transformer are made by
 * tern_nn. */
TERN_API tern_module *tern_nn_transformer_encoder(tern_ctx *ctx, int64_t d_model, int64_t nhead,
                                                  int64_t num_layers,
                                                  const tern_transformer_options *options);

/* ---- images ---------------------------------------------------------------------------------- */

/* nn.Upsample: mode NULL is "nearest". */
TERN_API tern_module *tern_nn_upsample(tern_ctx *ctx, double scale_factor, const char *mode);

/* nn.PixelShuffle: [N, C r^2, H, W] -> [N, C, H r, W r]. */
TERN_API tern_module *tern_nn_pixel_shuffle(tern_ctx *ctx, int64_t upscale_factor);

/* nn.ZeroPad2d: (left, right, top, bottom), or one number for all. */
TERN_API tern_module *tern_nn_zero_pad2d(tern_ctx *ctx, tern_shape amounts);

/* ---- losses: tern_forward2(loss, input, target); weight tensors are copied ------------------- */

/* nn.L1Loss: |input - target|. */
TERN_API tern_module *tern_nn_l1_loss(tern_ctx *ctx, tern_reduction reduction);

/* nn.MSELoss: (input - target)^2. */
TERN_API tern_module *tern_nn_mse_loss(tern_ctx *ctx, tern_reduction reduction);

/* nn.SmoothL1Loss with beta 1; for another one, tern_nn(ctx, "SmoothL1Loss(beta=0.5)"). */
TERN_API tern_module *tern_nn_smooth_l1_loss(tern_ctx *ctx, tern_reduction reduction);

/* nn.HuberLoss with delta 1; for another one, tern_nn(ctx, "HuberLoss(delta=0.5)"). */
TERN_API tern_module *tern_nn_huber_loss(tern_ctx *ctx, tern_reduction reduction);

/* nn.CrossEntropyLoss (of logits) and nn.NLLLoss (of log-probabilities, without smoothing): targets
 * are int64 class indices; cross entropy also takes class probabilities. */
typedef struct tern_cross_entropy_options {
    size_t size;
    tern_tensor *weight; /* one per class, or NULL */
    int64_t ignore_index;
    tern_reduction reduction;
    double label_smoothing;
} tern_cross_entropy_options;
#define TERN_CROSS_ENTROPY_OPTIONS                                                                 \
    { sizeof(tern_cross_entropy_options), NULL, -100, TERN_MEAN, 0.0 }

/* nn.CrossEntropyLoss. */
TERN_API tern_module *tern_nn_cross_entropy_loss(tern_ctx *ctx,
                                                 const tern_cross_entropy_options *options);

/* nn.NLLLoss. */
TERN_API tern_module *tern_nn_nll_loss(tern_ctx *ctx, const tern_cross_entropy_options *options);

/* nn.BCELoss: of probabilities; the weight may be NULL. */
TERN_API tern_module *tern_nn_bce_loss(tern_ctx *ctx, tern_tensor *weight,
                                       tern_reduction reduction);

/* nn.BCEWithLogitsLoss: of logits, without overflow; both weights may be NULL. */
TERN_API tern_module *tern_nn_bce_with_logits_loss(tern_ctx *ctx, tern_tensor *weight,
                                                   tern_tensor *pos_weight,
                                                   tern_reduction reduction);

/* nn.KLDivLoss: reduction "none", "mean", "batchmean" or "sum". */
TERN_API tern_module *tern_nn_kl_div_loss(tern_ctx *ctx, const char *reduction, bool log_target);

#ifdef __cplusplus
}
#endif

#endif
