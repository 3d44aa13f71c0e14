#include "training_models.h"

#include <stdio.h>
#include <string.h>

#include "tern/ops.h"

/* ---- the classifier -------------------------------------------------------------------------- */

typedef struct classifier {
    tern_module module;
    int64_t vocab, dim, hidden, layers;
    bool bidirectional;
    tern_module *embed, *lstm, *head;
} classifier;

static const tern_field classifier_fields[] = {
    TERN_FIELD(classifier, vocab, vocab),
    TERN_FIELD(classifier, dim, dim),
    TERN_FIELD(classifier, hidden, hidden),
    TERN_FIELD(classifier, layers, layers),
    TERN_FIELD(classifier, bidirectional, bidirectional),
    TERN_FIELD_END,
};

static tern_status classifier_init(tern_module *self) {
    classifier *m = (classifier *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_recurrent_options o = TERN_RECURRENT_OPTIONS;
    o.num_layers = m->layers;
    o.batch_first = true;
    o.bidirectional = m->bidirectional;
    m->embed = tern_module_child(self, "embed", tern_nn_embedding(ctx, m->vocab, m->dim, NULL));
    m->lstm = tern_module_child(self, "lstm", tern_nn_lstm(ctx, m->dim, m->hidden, &o));
    int64_t width = m->hidden * (m->bidirectional ? 2 : 1);
    m->head = tern_module_child(self, "head", tern_nn_linear(ctx, width, 2, NULL));
    return tern_check(ctx);
}

static tern_tensor *classifier_forward(tern_module *self, tern_tensor *x) {
    const classifier *m = (classifier *)self;
    tern_value input = tern_tensor_value(tern_forward(m->embed, x));
    tern_value result = tern_module_call(m->lstm, &input, 1, tern_none());
    tern_value out = tern_value_at(result, 0);
    if (out.kind != TERN_VALUE_TENSOR) return tern_nil(tern_module_context(self));
    return tern_forward(m->head, tern_mean_dims(out.as.tensor, TERN_SHAPE(1), false));
}

static const tern_module_class classifier_class = {
    TERN_MODULE_CLASS("Classifier(int vocab, int dim, int hidden, int layers, bool bidirectional)",
                      classifier),
    .fields = classifier_fields,
    .init = classifier_init,
    .forward = classifier_forward,
};

tern_module *classifier_new(tern_ctx *ctx, int64_t vocab, int64_t dim, int64_t hidden,
                            int64_t layers, bool bidirectional) {
    classifier config = {.vocab = vocab,
                         .dim = dim,
                         .hidden = hidden,
                         .layers = layers,
                         .bidirectional = bidirectional};
    return tern_module_new(ctx, &classifier_class, &config);
}

/* ---- a block of the GPT ---------------------------------------------------------------------- */

typedef struct block {
    tern_module module;
    int64_t width, heads;
    bool tanh_gelu;
    tern_module *ln1, *qkv, *proj, *ln2, *fc, *out;
} block;

static const tern_field block_fields[] = {TERN_FIELD(block, width, width),
                                          TERN_FIELD(block, heads, heads),
                                          TERN_FIELD(block, tanh_gelu, tanh_gelu), TERN_FIELD_END};

static tern_status block_init(tern_module *self) {
    block *m = (block *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_linear_options plain = TERN_LINEAR_OPTIONS;
    int64_t d = m->width;
    plain.bias = false;
    m->ln1 = tern_module_child(self, "ln1", tern_nn_layer_norm(ctx, TERN_SHAPE(d), NULL));
    m->qkv = tern_module_child(self, "qkv", tern_nn_linear(ctx, d, 3 * d, &plain));
    m->proj = tern_module_child(self, "proj", tern_nn_linear(ctx, d, d, NULL));
    m->ln2 = tern_module_child(self, "ln2", tern_nn_layer_norm(ctx, TERN_SHAPE(d), NULL));
    m->fc = tern_module_child(self, "fc", tern_nn_linear(ctx, d, 4 * d, NULL));
    m->out = tern_module_child(self, "out", tern_nn_linear(ctx, 4 * d, d, NULL));
    return tern_check(ctx);
}

/* [N, T, 3 d] to the index-th part by heads, [N, heads, T, d / heads]. */
static tern_tensor *by_heads(const block *m, tern_tensor *qkv, int64_t index) {
    tern_tensor *part = tern_narrow(qkv, 2, index * m->width, m->width);
    tern_shape shape =
        TERN_SHAPE(tern_size(part, 0), tern_size(part, 1), m->heads, m->width / m->heads);
    return tern_transpose(tern_reshape(part, shape), 1, 2);
}

static tern_tensor *block_forward(tern_module *self, tern_tensor *x) {
    const block *m = (block *)self;
    tern_tensor *qkv = tern_forward(m->qkv, tern_forward(m->ln1, x));
    tern_tensor *a = tern_scaled_dot_product_attention(by_heads(m, qkv, 0), by_heads(m, qkv, 1),
                                                       by_heads(m, qkv, 2), NULL, true);
    a = tern_reshape(tern_transpose(a, 1, 2), tern_shape_of(x));
    x = tern_add(x, tern_forward(m->proj, a));
    tern_tensor *wide = tern_forward(m->fc, tern_forward(m->ln2, x));
    wide = m->tanh_gelu ? tern_gelu_tanh(wide) : tern_gelu(wide);
    return tern_add(x, tern_forward(m->out, wide));
}

static const tern_module_class block_class = {
    TERN_MODULE_CLASS("Block(int width, int heads, bool tanh_gelu)", block),
    .fields = block_fields,
    .init = block_init,
    .forward = block_forward,
};

/* ---- the GPT --------------------------------------------------------------------------------- */

typedef struct gpt {
    tern_module module;
    int64_t vocab, width, heads, context, layers;
    bool tied, tanh_gelu;
    tern_module *token, *position, *blocks, *ln, *head;
} gpt;

static const tern_field gpt_fields[] = {
    TERN_FIELD(gpt, vocab, vocab),         TERN_FIELD(gpt, width, width),
    TERN_FIELD(gpt, heads, heads),         TERN_FIELD(gpt, context, context),
    TERN_FIELD(gpt, layers, layers),       TERN_FIELD(gpt, tied, tied),
    TERN_FIELD(gpt, tanh_gelu, tanh_gelu), TERN_FIELD_END,
};

/* nn.init on every Linear and Embedding, in the order of modules(). */
static bool draw_weights(void *user, const char *name, tern_module *module) {
    const char *kind = tern_module_name(module);
    (void)user;
    (void)name;
    if (strcmp(kind, "Linear") != 0 && strcmp(kind, "Embedding") != 0) return true;
    tern_init_normal(tern_module_tensor(module, "weight"), 0, 0.02, NULL);
    if (strcmp(kind, "Linear") == 0 && tern_dict_has(tern_module_named_parameters(module), "bias"))
        tern_init_zeros(tern_module_tensor(module, "bias"));
    return true;
}

static tern_status gpt_init(tern_module *self) {
    gpt *m = (gpt *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_linear_options plain = TERN_LINEAR_OPTIONS;
    block config = {.width = m->width, .heads = m->heads, .tanh_gelu = m->tanh_gelu};
    plain.bias = false;
    m->token = tern_module_child(self, "token", tern_nn_embedding(ctx, m->vocab, m->width, NULL));
    m->position =
        tern_module_child(self, "position", tern_nn_embedding(ctx, m->context, m->width, NULL));
    m->blocks = tern_module_child(self, "blocks", tern_nn_module_list(ctx, NULL, 0));
    for (int64_t i = 0; i < m->layers; i++)
        tern_module_append(m->blocks, tern_module_new(ctx, &block_class, &config));
    m->ln = tern_module_child(self, "ln", tern_nn_layer_norm(ctx, TERN_SHAPE(m->width), NULL));
    m->head = tern_module_child(self, "head", tern_nn_linear(ctx, m->width, m->vocab, &plain));
    if (m->tied) tern_module_tie(self, "head.weight", "token.weight");
    tern_module_each(self, draw_weights, NULL); /* a tied weight twice, as PyTorch's loop does */
    return tern_check(ctx);
}

static tern_tensor *gpt_forward(tern_module *self, tern_tensor *x) {
    const gpt *m = (gpt *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_tensor *places = tern_to_device(tern_arange_i64(ctx, tern_size(x, 1)), tern_device_of(x));
    x = tern_add(tern_forward(m->token, x), tern_forward(m->position, places));
    for (int64_t i = 0; i < m->layers; i++)
        x = tern_forward(tern_module_child_at(m->blocks, (size_t)i, NULL), x);
    return tern_forward(m->head, tern_forward(m->ln, x));
}

static const tern_module_class gpt_class = {
    TERN_MODULE_CLASS(
        "GPT(int vocab, int width, int heads, int context, int layers, bool tied, bool tanh_gelu)",
        gpt),
    .fields = gpt_fields,
    .init = gpt_init,
    .forward = gpt_forward,
};

tern_module *gpt_new(tern_ctx *ctx, const gpt_options *options) {
    gpt config = {.vocab = options->vocab,
                  .width = options->width,
                  .heads = options->heads,
                  .context = options->context,
                  .layers = options->layers,
                  .tied = options->tied,
                  .tanh_gelu = options->tanh_gelu};
    return tern_module_new(ctx, &gpt_class, &config);
}
