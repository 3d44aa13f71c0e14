/* transformer.c: TransformerEncoderLayer and TransformerDecoderLayer. */
#include <string.h>

#include "layers.h"

typedef struct block {
    tern_module module;
    int64_t d_model, nhead, dim_feedforward;
    double dropout, layer_norm_eps;
    const char *activation, *device;
    bool batch_first, norm_first, bias_wanted;
    tern_dtype dtype;
    bool gelu;
    tern_module *self_attn, *multihead_attn, *linear1, *dropout0, *linear2;
    tern_module *norm1, *norm2, *norm3, *dropout1, *dropout2, *dropout3;
} block;

static const tern_field fields[] = {
    TERN_FIELD(block, d_model, d_model),
    TERN_FIELD(block, nhead, nhead),
    TERN_FIELD(block, dim_feedforward, dim_feedforward),
    TERN_FIELD(block, dropout, dropout),
    TERN_FIELD(block, layer_norm_eps, layer_norm_eps),
    TERN_FIELD(block, activation, activation),
    TERN_FIELD(block, batch_first, batch_first),
    TERN_FIELD(block, norm_first, norm_first),
    TERN_FIELD(block, bias, bias_wanted),
    TERN_FIELD(block, device, device),
    TERN_FIELD(block, dtype, dtype),
    TERN_FIELD_END,
};

/* ---- making ---------------------------------------------------------------------------------- */

static tern_module *attention(tern_module *self, const char *name) {
    const block *m = (block *)self;
    tern_attention_options o = TERN_ATTENTION_OPTIONS;
    o.dropout = m->dropout;
    o.bias = m->bias_wanted;
    o.batch_first = m->batch_first;
    o.dtype = m->dtype;
    return tern_module_child(
        self, name,
        tern_nn_multihead_attention(tern_module_context(self), m->d_model, m->nhead, &o));
}

static tern_module *linear(tern_module *self, const char *name, int64_t in, int64_t out) {
    const block *m = (block *)self;
    tern_linear_options o = TERN_LINEAR_OPTIONS;
    o.bias = m->bias_wanted;
    o.dtype = m->dtype;
    return tern_module_child(self, name, tern_nn_linear(tern_module_context(self), in, out, &o));
}

static tern_module *norm(tern_module *self, const char *name) {
    const block *m = (block *)self;
    tern_layer_norm_options o = TERN_LAYER_NORM_OPTIONS;
    o.eps = m->layer_norm_eps;
    o.bias = m->bias_wanted;
    o.dtype = m->dtype;
    return tern_module_child(
        self, name, tern_nn_layer_norm(tern_module_context(self), TERN_SHAPE(m->d_model), &o));
}

static tern_module *dropout(tern_module *self, const char *name) {
    return tern_module_child(self, name,
                             tern_nn_dropout(tern_module_context(self), ((block *)self)->dropout));
}

static bool read_activation(tern_module *self) {
    block *m = (block *)self;
    m->gelu = strcmp(m->activation, "gelu") == 0;
    if (m->gelu || strcmp(m->activation, "relu") == 0) return true;
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
              "%s: activation should be relu/gelu, not %s", tern_module_name(self), m->activation);
    return false;
}

/* In PyTorch's order of registration, which is the order of draws and of the printout. */
static void make_children(tern_module *self, bool decoder) {
    block *m = (block *)self;
    m->self_attn = attention(self, "self_attn");
    if (decoder) m->multihead_attn = attention(self, "multihead_attn");
    m->linear1 = linear(self, "linear1", m->d_model, m->dim_feedforward);
    m->dropout0 = dropout(self, "dropout");
    m->linear2 = linear(self, "linear2", m->dim_feedforward, m->d_model);
    m->norm1 = norm(self, "norm1");
    m->norm2 = norm(self, "norm2");
    if (decoder) m->norm3 = norm(self, "norm3");
    m->dropout1 = dropout(self, "dropout1");
    m->dropout2 = dropout(self, "dropout2");
    if (decoder) m->dropout3 = dropout(self, "dropout3");
}

static tern_status encoder_init(tern_module *self) {
    if (!read_activation(self)) return TERN_ERR_ARGUMENT;
    make_children(self, false);
    return TERN_OK;
}

static tern_status decoder_init(tern_module *self) {
    if (!read_activation(self)) return TERN_ERR_ARGUMENT;
    make_children(self, true);
    return TERN_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

static tern_tensor *attend(tern_module *attn, tern_module *drop, tern_tensor *query,
                           tern_tensor *memory, tern_value mask, tern_value padding,
                           tern_value causal) {
    tern_value args[] = {tern_tensor_value(query),  tern_tensor_value(memory),
                         tern_tensor_value(memory), padding,
                         tern_bool(false),          mask,
                         tern_bool(true),           causal};
    tern_value result = tern_module_call(attn, args, 8, tern_none());
    return tern_forward(drop, tern_layer_tensor(attn, tern_value_at(result, 0)));
}

static tern_tensor *feed_forward(const block *m, tern_module *drop, tern_tensor *x) {
    tern_tensor *wide = tern_forward(m->linear1, x);
    wide = m->gelu ? tern_gelu(wide) : tern_relu(wide);
    return tern_forward(drop, tern_forward(m->linear2, tern_forward(m->dropout0, wide)));
}

/* A sub-layer's input, normalised where norms come first, and its sum with the residual. */
static tern_tensor *before(const block *m, tern_module *norm_module, tern_tensor *x) {
    return m->norm_first ? tern_forward(norm_module, x) : x;
}

static tern_tensor *after(const block *m, tern_module *norm_module, tern_tensor *x,
                          tern_tensor *change) {
    x = tern_add(x, change);
    return m->norm_first ? x : tern_forward(norm_module, x);
}

static tern_value encoder_call(tern_module *self, const tern_value *args) {
    const block *m = (block *)self;
    tern_tensor *x = args[0].as.tensor, *in = before(m, m->norm1, x);
    x = after(m, m->norm1, x, attend(m->self_attn, m->dropout1, in, in, args[1], args[2], args[3]));
    return tern_tensor_value(
        after(m, m->norm2, x, feed_forward(m, m->dropout2, before(m, m->norm2, x))));
}

static tern_value decoder_call(tern_module *self, const tern_value *args) {
    const block *m = (block *)self;
    tern_tensor *x = args[0].as.tensor, *in = before(m, m->norm1, x);
    x = after(m, m->norm1, x, attend(m->self_attn, m->dropout1, in, in, args[2], args[4], args[6]));
    in = before(m, m->norm2, x);
    x = after(
        m, m->norm2, x,
        attend(m->multihead_attn, m->dropout2, in, args[1].as.tensor, args[3], args[5], args[7]));
    return tern_tensor_value(
        after(m, m->norm3, x, feed_forward(m, m->dropout3, before(m, m->norm3, x))));
}

#define BLOCK(name)                                                                                \
    TERN_MODULE_CLASS(name "(int d_model, int nhead, int dim_feedforward=2048, "                   \
                           "float dropout=0.1, str activation='relu', "                            \
                           "float layer_norm_eps=1e-05, bool batch_first=False, "                  \
                           "bool norm_first=False, bool bias=True, str? device=None, "             \
                           "dtype? dtype=None)",                                                   \
                      block),                                                                      \
        .fields = fields

const tern_module_class tern_transformer_encoder_layer_class = {
    BLOCK("TransformerEncoderLayer"),
    .init = encoder_init,
    .call_schema = "forward(Tensor src, Tensor? src_mask=None, "
                   "Tensor? src_key_padding_mask=None, bool is_causal=False)",
    .call = encoder_call,
};

const tern_module_class tern_transformer_decoder_layer_class = {
    BLOCK("TransformerDecoderLayer"),
    .init = decoder_init,
    .call_schema = "forward(Tensor tgt, Tensor memory, Tensor? tgt_mask=None, "
                   "Tensor? memory_mask=None, Tensor? tgt_key_padding_mask=None, "
                   "Tensor? memory_key_padding_mask=None, bool tgt_is_causal=False, "
                   "bool memory_is_causal=False)",
    .call = decoder_call,
};

static tern_module *make(tern_ctx *ctx, const char *who, const tern_module_class *cls,
                         int64_t d_model, int64_t nhead, const tern_transformer_options *options) {
    tern_transformer_options o = TERN_TRANSFORMER_OPTIONS;
    if (!tern_options_read(ctx, who, options, &o)) return NULL;
    block config = {.d_model = d_model,
                    .nhead = nhead,
                    .dim_feedforward = o.dim_feedforward,
                    .dropout = o.dropout,
                    .layer_norm_eps = o.layer_norm_eps,
                    .activation = o.activation ? o.activation : "relu",
                    .batch_first = o.batch_first,
                    .norm_first = o.norm_first,
                    .bias_wanted = o.bias,
                    .device = o.device,
                    .dtype = o.dtype};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_transformer_encoder_layer(tern_ctx *ctx, int64_t d_model, int64_t nhead,
                                               const tern_transformer_options *options) {
    return make(ctx, "tern_nn_transformer_encoder_layer", &tern_transformer_encoder_layer_class,
                d_model, nhead, options);
}

tern_module *tern_nn_transformer_decoder_layer(tern_ctx *ctx, int64_t d_model, int64_t nhead,
                                               const tern_transformer_options *options) {
    return make(ctx, "tern_nn_transformer_decoder_layer", &tern_transformer_decoder_layer_class,
                d_model, nhead, options);
}
