/* attention.c: MultiheadAttention. */
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

/* As functional's: [T, N, E] in memory of any order, so batch first is a view. out_proj is a module that may have
 * hooks and parametrizations. */
static tern_value attention_call(tern_module *self, const tern_value *args) {
    const attention *m = (attention *)self;
    bool swap = m->batch_first && tern_rank(args[0].as.tensor) == 3;
    tern_tensor *x[3] = {args[0].as.tensor, args[1].as.tensor, args[2].as.tensor}, *seen[3];
    for (int i = 0; i < 3; i++) {
        bool same = i > 0 && x[i] == x[i - 1];
        seen[i] = same ? seen[i - 1] : swap ? tern_transpose(x[i], 0, 1) : x[i];
    }
    tern_value all[] = {
        tern_tensor_value(seen[0]),
        tern_tensor_value(seen[1]),
        tern_tensor_value(seen[2]),
        tern_int(m->embed_dim),
        tern_int(m->num_heads),
        tern_tensor_value(m->packed),
        tern_tensor_value(m->bias),
        tern_tensor_value(m->bias_key),
        tern_tensor_value(m->bias_value),
        tern_bool(m->add_zero_attn),
        tern_float(m->dropout),
        tern_none(),
        tern_none(),
        tern_bool(tern_module_is_training(self)),
        args[3],
        args[4],
        args[5],
        tern_bool(!m->packed),
        tern_tensor_value(m->query),
        tern_tensor_value(m->key),
        tern_tensor_value(m->value),
        tern_none(),
        tern_none(),
        args[6],
        args[7],
    };
    tern_value both = tern_module_operation(self, "nn.functional.multi_head_attention_forward", all,
                                            (int)(sizeof all / sizeof *all), tern_none());
    if (both.kind == TERN_VALUE_NONE) return both;
    tern_tensor *out = tern_value_at(both, 0).as.tensor;
    out = tern_forward(m->out_proj, swap ? tern_transpose(out, 0, 1) : out);
    tern_value result = tern_tuple_new(tern_module_context(self));
    tern_list_append(result, tern_tensor_value(out));
    tern_list_append(result, tern_value_at(both, 1));
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
