/* attention.c: MultiheadAttention. */
#include <math.h>
#include <string.h>

#include "layers.h"

typedef struct attention {
    tern_module module;
    int64_t embed_dim, num_heads;
    double dropout;
    bool bias_wanted, add_bias_kv, add_zero_attn, batch_first;
    tern_optional_int kdim, vdim;
    const char *device;
    tern_dtype dtype;
    tern_tensor *packed;                /* in_proj_weight [3 E, E], or NULL */
    tern_tensor *query, *key, *value;   /* the weights where kdim or vdim differs */
    tern_tensor *bias;                  /* in_proj_bias [3 E] or NULL */
    tern_tensor *bias_key, *bias_value; /* [1, 1, E] or NULL */
    tern_module *out_proj;
} attention;

static const tern_field fields[] = {
    TERN_FIELD(attention, embed_dim, embed_dim),
    TERN_FIELD(attention, num_heads, num_heads),
    TERN_FIELD(attention, dropout, dropout),
    TERN_FIELD(attention, bias, bias_wanted),
    TERN_FIELD(attention, add_bias_kv, add_bias_kv),
    TERN_FIELD(attention, add_zero_attn, add_zero_attn),
    TERN_FIELD(attention, kdim, kdim),
    TERN_FIELD(attention, vdim, vdim),
    TERN_FIELD(attention, batch_first, batch_first),
    TERN_FIELD(attention, device, device),
    TERN_FIELD(attention, dtype, dtype),
    TERN_FIELD_END,
};

/* ---- making ---------------------------------------------------------------------------------- */

static tern_tensor *xavier(tern_module *self, const char *name, tern_shape shape, bool wanted,
                           bool normal) {
    const attention *m = (attention *)self;
    if (!wanted) return tern_module_parameter(self, name, NULL);
    tern_tensor *tensor = tern_empty(tern_module_context(self), shape, tern_layer_dtype(m->dtype));
    if (normal)
        tern_init_xavier_normal(tensor, 1, NULL);
    else
        tern_init_xavier_uniform(tensor, 1, NULL);
    return tern_module_parameter(self, name, tensor);
}

/* PyTorch's order of draws: out_proj first (its bias is then zeroed), the projections, the biases
 * of keys and values. */
static void draw(tern_module *self, int64_t kdim, int64_t vdim) {
    attention *m = (attention *)self;
    int64_t width = m->embed_dim;
    bool same = kdim == width && vdim == width;
    tern_module *out =
        tern_layer_attention_linear(tern_module_context(self), width, m->bias_wanted, m->dtype);
    m->packed = xavier(self, "in_proj_weight", TERN_SHAPE(3 * width, width), same, false);
    m->query = xavier(self, "q_proj_weight", TERN_SHAPE(width, width), !same, false);
    m->key = xavier(self, "k_proj_weight", TERN_SHAPE(width, kdim), !same, false);
    m->value = xavier(self, "v_proj_weight", TERN_SHAPE(width, vdim), !same, false);
    m->bias = m->bias_wanted
                  ? tern_layer_filled(self, "in_proj_bias", TERN_SHAPE(3 * width), m->dtype, 0)
                  : tern_layer_none(self, "in_proj_bias", &m->bias);
    m->bias_key = xavier(self, "bias_k", TERN_SHAPE(1, 1, width), m->add_bias_kv, true);
    m->bias_value = xavier(self, "bias_v", TERN_SHAPE(1, 1, width), m->add_bias_kv, true);
    m->out_proj = tern_module_child(self, "out_proj", out);
    if (out && m->bias_wanted) tern_init_zeros(tern_module_tensor(out, "bias"));
}

static tern_status attention_init(tern_module *self) {
    attention *m = (attention *)self;
    if (m->embed_dim <= 0 || m->num_heads <= 0)
        return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                         "MultiheadAttention: embed_dim and num_heads must be greater than 0, got "
                         "embed_dim=%lld and num_heads=%lld instead",
                         (long long)m->embed_dim, (long long)m->num_heads);
    if (!tern_layer_positive(self, "embed_dim", m->embed_dim)) return TERN_ERR_ARGUMENT;
    if (m->embed_dim % m->num_heads != 0)
        return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                         "MultiheadAttention: embed_dim must be divisible by num_heads");
    draw(self, m->kdim.has ? m->kdim.value : m->embed_dim,
         m->vdim.has ? m->vdim.value : m->embed_dim);
    return TERN_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* A call in flight. Sequences are [T, N, E] or, batch first, [N, T, E], and later
 * [N, heads, T, E / heads]; heads are split and joined by views. */
typedef struct attending {
    tern_module *self;
    tern_ctx *ctx;
    const attention *m;
    int time; /* which dimension of a sequence */
    tern_tensor *query, *key, *value;
    tern_tensor
        *packed; /* [3, N, heads, T, E / heads]: the three where one product made them, or NULL */
    tern_tensor *mask; /* of [N, heads, L, S]: bool, where true hides, or added; NULL is none */
    int64_t batch, length, sources;
} attending;

static tern_tensor *called(attending *a, const char *name, const tern_value *args, int count) {
    return tern_layer_tensor(a->self,
                             tern_module_operation(a->self, name, args, count, tern_none()));
}

/* A boolean mask (true: not attended to) becomes one that is added. */
static tern_tensor *additive(attending *a, tern_tensor *mask) {
    if (tern_dtype_of(mask) != TERN_BOOL) return mask;
    tern_value args[] = {
        tern_tensor_value(tern_layer_zeros(a->self, a->query, tern_shape_of(mask))),
        tern_tensor_value(mask), tern_float(-INFINITY)};
    return called(a, "masked_fill", args, 3);
}

/* Shape [first, second, third], or the error that says so. */
static bool has_shape(attending *a, const char *what, tern_tensor *mask, tern_shape wanted) {
    tern_shape got = tern_shape_of(mask);
    bool same = got.rank == wanted.rank;
    for (int i = 0; same && i < wanted.rank; i++) same = got.dim[i] == wanted.dim[i];
    if (!same && !tern_is_nil(mask))
        tern_fail(a->ctx, TERN_ERR_ARGUMENT,
                  "MultiheadAttention: the %dD %s does not have the sizes of the sequences (%lld "
                  "queries, %lld keys, batch %lld)",
                  got.rank, what, (long long)a->length, (long long)a->sources, (long long)a->batch);
    return same;
}

/* What both masks hide, or the sum of what they add. */
static tern_tensor *merged(attending *a, tern_tensor *one, tern_tensor *other) {
    if (tern_dtype_of(one) == TERN_BOOL && tern_dtype_of(other) == TERN_BOOL)
        return tern_logical_or(one, other);
    return tern_add(additive(a, one), additive(a, other));
}

/* Merges attn_mask ([L, S] or [N * heads, L, S]) and key_padding_mask ([N, S]). */
static bool read_masks(attending *a, tern_value attn, tern_value padding, bool batched) {
    int64_t heads = a->m->num_heads;
    if (attn.kind == TERN_VALUE_TENSOR) {
        a->mask = attn.as.tensor;
        bool flat = tern_rank(a->mask) == 2;
        tern_shape wanted = flat ? TERN_SHAPE(a->length, a->sources)
                                 : TERN_SHAPE(a->batch * heads, a->length, a->sources);
        if (!has_shape(a, "attn_mask", a->mask, wanted)) return false;
        if (!flat)
            a->mask = tern_reshape(a->mask, TERN_SHAPE(a->batch, heads, a->length, a->sources));
    }
    if (padding.kind == TERN_VALUE_TENSOR) {
        tern_tensor *mask = padding.as.tensor;
        if (!batched) mask = tern_unsqueeze(mask, 0);
        if (!has_shape(a, "key_padding_mask", mask, TERN_SHAPE(a->batch, a->sources))) return false;
        mask = tern_reshape(mask, TERN_SHAPE(a->batch, 1, 1, a->sources));
        a->mask = a->mask ? merged(a, a->mask, mask) : mask;
    }
    return true;
}

/* Rows of the projections' weight or bias, or NULL: `count` of the three from `first` on. */
static tern_tensor *rows(const attention *m, tern_tensor *tensor, int64_t first, int64_t count) {
    return tensor ? tern_narrow(tensor, 0, first * m->embed_dim, count * m->embed_dim) : NULL;
}

static tern_tensor *projected(const attention *m, tern_tensor *x, tern_tensor *own, int64_t first,
                              int64_t count) {
    return tern_linear(x, own ? own : rows(m, m->packed, first, count),
                       rows(m, m->bias, first, count));
}

/* One product for all that are one tensor. */
static void project(attending *a) {
    const attention *m = a->m;
    int64_t width = m->embed_dim;
    if (m->packed && a->query == a->key && a->key == a->value) {
        a->packed = tern_linear(a->query, m->packed, m->bias);
        a->query = tern_narrow(a->packed, 2, 0, width);
        a->key = tern_narrow(a->packed, 2, width, width);
        a->value = tern_narrow(a->packed, 2, 2 * width, width);
        return;
    }
    a->query = projected(m, a->query, m->query, 0, 1);
    if (m->packed && a->key == a->value) {
        tern_tensor *both = projected(m, a->key, NULL, 1, 2);
        a->key = tern_narrow(both, 2, 0, width);
        a->value = tern_narrow(both, 2, width, width);
        return;
    }
    a->key = projected(m, a->key, m->key, 1, 1);
    a->value = projected(m, a->value, m->value, 2, 1);
}

/* One more key and value, which no mask hides. */
static void append_source(attending *a, tern_tensor *key, tern_tensor *value, int dim) {
    int64_t amounts[] = {0, 1};
    a->packed = NULL;
    a->key = tern_cat((tern_tensor *[]){a->key, key}, 2, dim);
    a->value = tern_cat((tern_tensor *[]){a->value, value}, 2, dim);
    if (a->mask) {
        tern_value args[] = {tern_tensor_value(a->mask), tern_ints(amounts, 2)};
        a->mask = called(a, "constant_pad_nd", args, 2);
    }
    a->sources++;
}

/* A sequence as [N, heads, T, E / heads] */
static tern_tensor *by_head(const attending *a, tern_tensor *x) {
    int64_t heads = a->m->num_heads;
    x = tern_reshape(x,
                     TERN_SHAPE(tern_size(x, 0), tern_size(x, 1), heads, a->m->embed_dim / heads));
    return tern_permute(x, a->time == 0 ? TERN_SHAPE(1, 2, 0, 3) : TERN_SHAPE(0, 2, 1, 3));
}

/* [T, N, 3 E] or [N, T, 3 E] as [3, N, heads, T, E / heads] */
static tern_tensor *packed_by_head(const attending *a) {
    int64_t heads = a->m->num_heads;
    tern_tensor *x = a->packed;
    x = tern_reshape(
        x, TERN_SHAPE(tern_size(x, 0), tern_size(x, 1), 3, heads, a->m->embed_dim / heads));
    return tern_permute(x, a->time == 0 ? TERN_SHAPE(2, 1, 3, 0, 4) : TERN_SHAPE(2, 0, 3, 1, 4));
}

static void split_heads(attending *a) {
    const attention *m = a->m;
    if (m->bias_key) {
        tern_shape wide = a->time == 0 ? TERN_SHAPE(1, a->batch, m->embed_dim)
                                       : TERN_SHAPE(a->batch, 1, m->embed_dim);
        append_source(a, tern_expand(m->bias_key, wide), tern_expand(m->bias_value, wide), a->time);
    }
    a->query = by_head(a, a->query);
    a->key = by_head(a, a->key);
    a->value = by_head(a, a->value);
    if (m->add_zero_attn) {
        tern_shape one = TERN_SHAPE(a->batch, m->num_heads, 1, m->embed_dim / m->num_heads);
        tern_tensor *zeros = tern_layer_zeros(a->self, a->key, one);
        append_source(a, zeros, zeros, 2);
    }
}

/* softmax(q k^T / sqrt(width) + mask) v with the weights, which are [N, heads, L, S]. */
static tern_tensor *attend(attending *a, tern_tensor **out_weights) {
    int64_t width = a->m->embed_dim / a->m->num_heads;
    tern_tensor *scaled = tern_mul_scalar(a->query, sqrt(1.0 / (double)width));
    tern_tensor *scores = tern_matmul(scaled, tern_transpose(a->key, 2, 3));
    if (a->mask && tern_dtype_of(a->mask) == TERN_BOOL) {
        tern_value args[] = {tern_tensor_value(scores), tern_tensor_value(a->mask),
                             tern_float(-INFINITY)};
        scores = called(a, "masked_fill", args, 3);
    } else if (a->mask) {
        scores = tern_add(scores, a->mask);
    }
    *out_weights =
        tern_dropout(tern_softmax(scores, -1), a->m->dropout, tern_module_is_training(a->self));
    return tern_matmul(*out_weights, a->value);
}

/* The same by the device's own attention, which keeps no weights, and whose bool mask says what is
 * attended to. */
static tern_tensor *attend_only(attending *a) {
    double dropout = tern_module_is_training(a->self) ? a->m->dropout : 0;
    bool hides = a->mask && tern_dtype_of(a->mask) == TERN_BOOL;
    tern_value mask = tern_tensor_value(hides ? tern_logical_not(a->mask) : a->mask);
    if (a->packed && dropout == 0) {
        tern_value args[] = {tern_tensor_value(packed_by_head(a)), mask};
        return tern_layer_tensor(
            a->self,
            tern_value_at(tern_module_operation(a->self, "_packed_attention", args, 2, tern_none()),
                          0));
    }
    tern_value args[] = {tern_tensor_value(a->query), tern_tensor_value(a->key),
                         tern_tensor_value(a->value), mask, tern_float(dropout)};
    return called(a, "nn.functional.scaled_dot_product_attention", args, 5);
}

static bool check_widths(attending *a, const tern_value *args) {
    const attention *m = a->m;
    int64_t wanted[] = {m->embed_dim, m->kdim.has ? m->kdim.value : m->embed_dim,
                        m->vdim.has ? m->vdim.value : m->embed_dim};
    static const char *const names[] = {"query", "key", "value"};
    int rank = tern_rank(args[0].as.tensor);
    for (int i = 0; i < 3; i++) {
        if ((rank == 2 || rank == 3) && tern_rank(args[i].as.tensor) == rank &&
            tern_size(args[i].as.tensor, -1) == wanted[i])
            continue;
        tern_fail(a->ctx, TERN_ERR_ARGUMENT,
                  "MultiheadAttention: %s must be 2D (or batched, 3D) as query is, with a last "
                  "dimension of %lld",
                  names[i], (long long)wanted[i]);
        return false;
    }
    return true;
}

/* An input as a sequence: one without a batch is [T, 1, E]. */
static tern_tensor *as_sequence(tern_value value, bool batched) {
    return batched ? value.as.tensor : tern_unsqueeze(value.as.tensor, 1);
}

/* Query, key and value; one tensor stays one. False after latching. */
static bool read_sequences(attending *a, const tern_value *args, bool batched) {
    a->time = batched && a->m->batch_first;
    a->query = as_sequence(args[0], batched);
    a->key = args[1].as.tensor == args[0].as.tensor ? a->query : as_sequence(args[1], batched);
    a->value = args[2].as.tensor == args[1].as.tensor ? a->key : as_sequence(args[2], batched);
    a->length = tern_size(a->query, a->time);
    a->batch = tern_size(a->query, 1 - a->time);
    a->sources = tern_size(a->key, a->time);
    if (tern_size(a->key, 1 - a->time) == a->batch &&
        tern_size(a->value, 1 - a->time) == a->batch && tern_size(a->value, a->time) == a->sources)
        return true;
    tern_fail(
        a->ctx, TERN_ERR_ARGUMENT,
        "MultiheadAttention: key and value must have one length and query's batch size (%lld), "
        "got %lld and %lld, of batches of %lld and %lld",
        (long long)a->batch, (long long)a->sources, (long long)tern_size(a->value, a->time),
        (long long)tern_size(a->key, 1 - a->time), (long long)tern_size(a->value, 1 - a->time));
    return false;
}

/* [N, heads, L, E / heads] as a sequence */
static tern_tensor *joined(const attending *a, tern_tensor *x) {
    tern_shape shape = a->time == 0 ? TERN_SHAPE(a->length, a->batch, a->m->embed_dim)
                                    : TERN_SHAPE(a->batch, a->length, a->m->embed_dim);
    x = tern_permute(x, a->time == 0 ? TERN_SHAPE(2, 0, 1, 3) : TERN_SHAPE(0, 2, 1, 3));
    return tern_reshape(x, shape);
}

static tern_tensor *shown_weights(tern_tensor *weights, bool average, bool batched) {
    if (average) weights = tern_mean_dims(weights, TERN_SHAPE(1), false);
    return batched ? weights : tern_squeeze(weights, 0);
}

static tern_value attention_call(tern_module *self, const tern_value *args) {
    attending a = {.self = self, .ctx = tern_module_context(self), .m = (attention *)self};
    bool batched = tern_rank(args[0].as.tensor) == 3, wants_weights = args[4].as.b;
    tern_tensor *weights = NULL;
    if (!check_widths(&a, args)) return tern_none();
    if (!read_sequences(&a, args, batched) || !read_masks(&a, args[5], args[3], batched))
        return tern_none();
    project(&a);
    split_heads(&a);
    tern_tensor *out = wants_weights ? attend(&a, &weights) : attend_only(&a);
    out = tern_forward(a.m->out_proj, joined(&a, out));
    if (!batched) out = tern_squeeze(out, 1);
    tern_value result = tern_tuple_new(a.ctx);
    tern_list_append(result, tern_tensor_value(out));
    tern_list_append(result, wants_weights
                                 ? tern_tensor_value(shown_weights(weights, args[6].as.b, batched))
                                 : tern_none());
    return result;
}

const tern_module_class tern_multihead_attention_class = {
    TERN_MODULE_CLASS("MultiheadAttention(int embed_dim, int num_heads, float dropout=0.0, "
                      "bool bias=True, bool add_bias_kv=False, bool add_zero_attn=False, "
                      "int? kdim=None, int? vdim=None, bool batch_first=False, "
                      "str? device=None, dtype? dtype=None)",
                      attention),
    .fields = fields,
    .init = attention_init,
    .call_schema = "forward(Tensor query, Tensor key, Tensor value, "
                   "Tensor? key_padding_mask=None, bool need_weights=True, "
                   "Tensor? attn_mask=None, bool average_attn_weights=True, "
                   "bool is_causal=False)",
    .call = attention_call,
};

tern_module *tern_nn_multihead_attention(tern_ctx *ctx, int64_t embed_dim, int64_t num_heads,
                                         const tern_attention_options *options) {
    tern_attention_options o = TERN_ATTENTION_OPTIONS;
    if (!tern_options_read(ctx, "tern_nn_multihead_attention", options, &o)) return NULL;
    attention config = {.embed_dim = embed_dim,
                        .num_heads = num_heads,
                        .dropout = o.dropout,
                        .bias_wanted = o.bias,
                        .add_bias_kv = o.add_bias_kv,
                        .add_zero_attn = o.add_zero_attn,
                        .kdim = o.kdim,
                        .vdim = o.vdim,
                        .batch_first = o.batch_first,
                        .device = o.device,
                        .dtype = o.dtype};
    return tern_module_new(ctx, &tern_multihead_attention_class, &config);
}
