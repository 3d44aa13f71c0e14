#include "models.h"

#include "tern/memory.h"
#include "tern/ops.h"

/* ---- a block --------------------------------------------------------------------------------- */

typedef struct block {
    tern_module module;
    int64_t width, heads;
    tern_module *ln1, *qkv, *proj, *ln2, *up, *gelu, *down;
} block;

static const tern_field block_fields[] = {TERN_FIELD(block, width, width),
                                          TERN_FIELD(block, heads, heads), TERN_FIELD_END};

static tern_status block_init(tern_module *self) {
    block *m = (block *)self;
    tern_ctx *ctx = tern_module_context(self);
    int64_t d = m->width;
    m->ln1 = tern_module_child(self, "ln1", tern_nn_layer_norm(ctx, TERN_SHAPE(d), NULL));
    m->qkv = tern_module_child(self, "qkv", tern_nn_linear(ctx, d, 3 * d, NULL));
    m->proj = tern_module_child(self, "proj", tern_nn_linear(ctx, d, d, NULL));
    m->ln2 = tern_module_child(self, "ln2", tern_nn_layer_norm(ctx, TERN_SHAPE(d), NULL));
    m->up = tern_module_child(self, "up", tern_nn_linear(ctx, d, 4 * d, NULL));
    m->gelu = tern_module_child(self, "gelu", tern_nn_gelu(ctx, "tanh"));
    m->down = tern_module_child(self, "down", tern_nn_linear(ctx, 4 * d, d, NULL));
    return tern_check(ctx);
}

/* Queries, keys and values of x [N, T, width], each [N, heads, T, width / heads]. */
static void split_by_heads(const block *m, tern_tensor *x, tern_tensor *out_parts[3]) {
    tern_value parts = tern_split(tern_forward(m->qkv, tern_forward(m->ln1, x)), m->width, 2);
    tern_shape shape = TERN_SHAPE(tern_size(x, 0), tern_size(x, 1), m->heads, m->width / m->heads);
    for (size_t i = 0; i < 3; i++) {
        tern_value part = tern_value_at(parts, i);
        tern_tensor *tensor = part.kind == TERN_VALUE_TENSOR ? part.as.tensor : NULL;
        out_parts[i] = tern_transpose(tern_view(tensor, shape), 1, 2);
    }
}

/* What follows the attention a [N, heads, T, width / heads]: the rest of the block. */
static tern_tensor *behind_attention(const block *m, tern_tensor *x, tern_tensor *a) {
    a = tern_reshape(tern_transpose(a, 1, 2), tern_shape_of(x));
    x = tern_add(x, tern_forward(m->proj, a));
    tern_tensor *wide = tern_forward(m->up, tern_forward(m->ln2, x));
    return tern_add(x, tern_forward(m->down, tern_forward(m->gelu, wide)));
}

static tern_tensor *block_forward(tern_module *self, tern_tensor *x) {
    const block *m = (block *)self;
    tern_tensor *parts[3];
    split_by_heads(m, x, parts);
    return behind_attention(
        m, x, tern_scaled_dot_product_attention(parts[0], parts[1], parts[2], NULL, true));
}

static const tern_module_class block_class = {
    TERN_MODULE_CLASS("Block(int width, int heads)", block),
    .fields = block_fields,
    .init = block_init,
    .forward = block_forward,
};

/* ---- the whole ------------------------------------------------------------------------------- */

typedef struct gpt {
    tern_module module;
    int64_t vocab, context, width, layers, heads;
    tern_module *token, *position, *blocks, *ln, *head;
} gpt;

static const tern_field gpt_fields[] = {
    TERN_FIELD(gpt, vocab, vocab), TERN_FIELD(gpt, context, context),
    TERN_FIELD(gpt, width, width), TERN_FIELD(gpt, layers, layers),
    TERN_FIELD(gpt, heads, heads), TERN_FIELD_END,
};

static tern_status gpt_init(tern_module *self) {
    gpt *m = (gpt *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_linear_options plain = TERN_LINEAR_OPTIONS;
    block config = {.width = m->width, .heads = m->heads};
    plain.bias = false;
    m->token = tern_module_child(self, "tok", tern_nn_embedding(ctx, m->vocab, m->width, NULL));
    m->position =
        tern_module_child(self, "pos", tern_nn_embedding(ctx, m->context, m->width, NULL));
    m->blocks = tern_module_child(self, "blocks", tern_nn_module_list(ctx, NULL, 0));
    for (int64_t i = 0; i < m->layers; i++)
        tern_module_append(m->blocks, tern_module_new(ctx, &block_class, &config));
    m->ln = tern_module_child(self, "ln", tern_nn_layer_norm(ctx, TERN_SHAPE(m->width), NULL));
    m->head = tern_module_child(self, "head", tern_nn_linear(ctx, m->width, m->vocab, &plain));
    return tern_check(ctx);
}

static tern_tensor *gpt_forward(tern_module *self, tern_tensor *x) {
    const gpt *m = (gpt *)self;
    tern_tensor *places = tern_arange_i64(tern_module_context(self), tern_size(x, 1));
    x = tern_add(tern_forward(m->token, x), tern_forward(m->position, places));
    for (int64_t i = 0; i < m->layers; i++)
        x = tern_forward(tern_module_child_at(m->blocks, (size_t)i, NULL), x);
    return tern_forward(m->head, tern_forward(m->ln, x));
}

static const tern_module_class gpt_class = {
    TERN_MODULE_CLASS("GPT(int vocab, int context, int width, int layers, int heads)", gpt),
    .fields = gpt_fields,
    .init = gpt_init,
    .forward = gpt_forward,
};

tern_module *small_gpt_new(tern_ctx *ctx, const small_gpt_sizes *sizes) {
    gpt config = {.vocab = sizes->vocab,
                  .context = sizes->context,
                  .width = sizes->width,
                  .layers = sizes->layers,
                  .heads = sizes->heads};
    return tern_module_new(ctx, &gpt_class, &config);
}

/* ---- token by token -------------------------------------------------------------------------- */

struct small_gpt_cache {
    tern_tensor **keys, **values;
};

small_gpt_cache *small_gpt_cache_new(tern_module *self) {
    const gpt *m = (gpt *)self;
    tern_ctx *ctx = tern_module_context(self);
    size_t layers = (size_t)m->layers;
    tern_shape shape = TERN_SHAPE(1, m->heads, m->context, m->width / m->heads);
    small_gpt_cache *cache = tern_scope_alloc(ctx, sizeof *cache);
    tern_tensor **tensors = tern_scope_alloc(ctx, 2 * layers * sizeof(tern_tensor *));
    if (!cache || !tensors) return NULL;
    for (size_t i = 0; i < 2 * layers; i++) tensors[i] = tern_empty(ctx, shape, TERN_FLOAT32);
    *cache = (small_gpt_cache){.keys = tensors, .values = tensors + layers};
    return cache;
}

/* A block for one token, whose key and value go behind those before. */
static tern_tensor *block_next(const block *m, tern_tensor *x, tern_tensor *keys,
                               tern_tensor *values, int64_t place) {
    tern_tensor *parts[3];
    split_by_heads(m, x, parts);
    tern_copy_in_place(tern_narrow(keys, 2, place, 1), parts[1]);
    tern_copy_in_place(tern_narrow(values, 2, place, 1), parts[2]);
    tern_tensor *a =
        tern_scaled_dot_product_attention(parts[0], tern_narrow(keys, 2, 0, place + 1),
                                          tern_narrow(values, 2, 0, place + 1), NULL, false);
    return behind_attention(m, x, a);
}

tern_tensor *small_gpt_next(tern_module *self, small_gpt_cache *cache, tern_tensor *token,
                            int64_t place) {
    const gpt *m = (gpt *)self;
    tern_tensor *position = tern_select(tern_module_tensor(m->position, "weight"), 0, place);
    tern_tensor *x = tern_add(tern_forward(m->token, token), position);
    for (size_t i = 0; i < (size_t)m->layers; i++) {
        const block *layer = (block *)tern_module_child_at(m->blocks, i, NULL);
        x = block_next(layer, x, cache->keys[i], cache->values[i], place);
    }
    return tern_forward(m->head, tern_forward(m->ln, x));
}
