/* transformer_stack.c: TransformerEncoder, TransformerDecoder and Transformer. */
#include "layers.h"

/* ---- copies of one layer --------------------------------------------------------------------- */

typedef struct stack {
    tern_module module;
    tern_value layer, norm_value; /* descriptions: {"module": name, "args": dict}, norm or none */
    int64_t num_layers;
    bool enable_nested_tensor, mask_check;
    tern_module *layers, *norm;
} stack;

static const tern_field fields[] = {
    TERN_FIELD(stack, encoder_layer, layer),
    TERN_FIELD(stack, decoder_layer, layer),
    TERN_FIELD(stack, norm, norm_value),
    TERN_FIELD(stack, num_layers, num_layers),
    TERN_FIELD(stack, enable_nested_tensor, enable_nested_tensor),
    TERN_FIELD(stack, mask_check, mask_check),
    TERN_FIELD_END,
};

/* PyTorch deep-copies a prototype: every layer has its weights, which are drawn once. */
static tern_module *make_layer(tern_module *self, tern_module *first) {
    const stack *m = (stack *)self;
    tern_ctx *ctx = tern_module_context(self);
    uint8_t state[TERN_RNG_STATE_SIZE];
    tern_generator *generator = tern_default_generator(ctx);
    tern_generator_get_state(generator, state);
    tern_module *layer = tern_nn_from_value(ctx, tern_module_name(self), m->layer);
    if (!layer || !first) return layer;
    tern_generator_set_state(generator, state, sizeof state);
    tern_module_load_state_dict(layer, tern_module_state_dict(first), true);
    return layer;
}

static tern_status stack_init(tern_module *self) {
    stack *m = (stack *)self;
    tern_ctx *ctx = tern_module_context(self);
    if (!tern_layer_positive(self, "num_layers", m->num_layers)) return TERN_ERR_ARGUMENT;
    m->layers = tern_module_child(self, "layers", tern_nn_module_list(ctx, NULL, 0));
    tern_module *first = NULL;
    for (int64_t i = 0; i < m->num_layers && !tern_latched(ctx); i++) {
        tern_module *layer = make_layer(self, first);
        if (!layer || tern_module_append(m->layers, layer) != TERN_OK) return TERN_ERR_ARGUMENT;
        if (!first) first = layer;
    }
    if (m->norm_value.kind != TERN_VALUE_NONE)
        m->norm = tern_module_child(self, "norm",
                                    tern_nn_from_value(ctx, tern_module_name(self), m->norm_value));
    return TERN_OK;
}

/* args[0] runs through all layers; the others go to each of them. */
static tern_value run(tern_module *self, const tern_value *args, int count) {
    const stack *m = (stack *)self;
    tern_value all[8], x = args[0];
    for (int i = 1; i < count; i++) all[i] = args[i];
    for (int64_t i = 0; i < m->num_layers; i++) {
        all[0] = x;
        x = tern_module_call(tern_module_child_at(m->layers, (size_t)i, NULL), all, count,
                             tern_none());
        if (x.kind != TERN_VALUE_TENSOR) return tern_none();
    }
    return m->norm ? tern_tensor_value(tern_forward(m->norm, x.as.tensor)) : x;
}

/* Whether a mask was said to be causal: PyTorch looks where nothing was said, which changes no result. */
static tern_value hint(tern_value is_causal) {
    return tern_bool(is_causal.kind == TERN_VALUE_BOOL && is_causal.as.b);
}

static tern_value encoder_call(tern_module *self, const tern_value *args) {
    tern_value all[] = {args[0], args[1], args[2], hint(args[3])};
    return run(self, all, 4);
}

static tern_value decoder_call(tern_module *self, const tern_value *args) {
    tern_value all[] = {args[0], args[1], args[2],       args[3],
                        args[4], args[5], hint(args[6]), args[7]};
    return run(self, all, 8);
}

#define DECODER_MASKS                                                                              \
    "Tensor? tgt_mask=None, Tensor? memory_mask=None, Tensor? tgt_key_padding_mask=None, "         \
    "Tensor? memory_key_padding_mask=None, "

const tern_module_class tern_transformer_encoder_class = {
    TERN_MODULE_CLASS("TransformerEncoder(any encoder_layer, int num_layers, any norm=None, "
                      "bool enable_nested_tensor=True, bool mask_check=True)",
                      stack),
    .fields = fields,
    .init = stack_init,
    .call_schema = "forward(Tensor src, Tensor? mask=None, Tensor? src_key_padding_mask=None, "
                   "bool? is_causal=None)",
    .call = encoder_call,
};

const tern_module_class tern_transformer_decoder_class = {
    TERN_MODULE_CLASS("TransformerDecoder(any decoder_layer, int num_layers, any norm=None)",
                      stack),
    .fields = fields,
    .init = stack_init,
    .call_schema = "forward(Tensor tgt, Tensor memory, " DECODER_MASKS
                   "bool? tgt_is_causal=None, bool memory_is_causal=False)",
    .call = decoder_call,
};

/* ---- an encoder and a decoder ---------------------------------------------------------------- */

typedef struct transformer {
    tern_module module;
    int64_t d_model, nhead, num_encoder_layers, num_decoder_layers, dim_feedforward;
    double dropout, layer_norm_eps;
    const char *activation, *device;
    bool batch_first, norm_first, bias;
    tern_dtype dtype;
    tern_module *encoder, *decoder;
} transformer;

static const tern_field transformer_fields[] = {
    TERN_FIELD(transformer, d_model, d_model),
    TERN_FIELD(transformer, nhead, nhead),
    TERN_FIELD(transformer, dim_feedforward, dim_feedforward),
    TERN_FIELD(transformer, dropout, dropout),
    TERN_FIELD(transformer, activation, activation),
    TERN_FIELD(transformer, layer_norm_eps, layer_norm_eps),
    TERN_FIELD(transformer, batch_first, batch_first),
    TERN_FIELD(transformer, norm_first, norm_first),
    TERN_FIELD(transformer, bias, bias),
    TERN_FIELD(transformer, dtype, dtype),
    TERN_FIELD(transformer, device, device),
    TERN_FIELD(transformer, num_encoder_layers, num_encoder_layers),
    TERN_FIELD(transformer, num_decoder_layers, num_decoder_layers),
    TERN_FIELD_END,
};

static tern_value described(tern_ctx *ctx, const char *name, tern_value args) {
    tern_value call = tern_dict_new(ctx, false);
    tern_dict_set(call, "module", tern_text(name));
    tern_dict_set(call, "args", args);
    return call;
}

/* The layer takes the first ten fields of the transformer. */
static tern_value layer_of(tern_module *self, const char *name) {
    tern_ctx *ctx = tern_module_context(self);
    tern_value args = tern_dict_new(ctx, false);
    for (int i = 0; i < 10; i++)
        tern_dict_set(args, transformer_fields[i].name,
                      tern_field_get(ctx, &transformer_fields[i], self));
    return described(ctx, name, args);
}

static tern_value norm_of(tern_module *self) {
    const transformer *m = (transformer *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_value args = tern_dict_new(ctx, false);
    tern_dict_set(args, "normalized_shape", tern_int(m->d_model));
    tern_dict_set(args, "eps", tern_float(m->layer_norm_eps));
    tern_dict_set(args, "bias", tern_bool(m->bias));
    tern_dict_set(args, "dtype", tern_dtype_value(tern_layer_dtype(m->dtype)));
    return described(ctx, "LayerNorm", args);
}

static tern_module *half(tern_module *self, const char *name, const tern_module_class *cls,
                         const char *layer, int64_t num_layers) {
    stack config = {.layer = layer_of(self, layer),
                    .norm_value = norm_of(self),
                    .num_layers = num_layers,
                    .enable_nested_tensor = true,
                    .mask_check = true};
    return tern_module_child(self, name, tern_module_new(tern_module_context(self), cls, &config));
}

/* Every matrix is drawn anew, xavier_uniform_. */
static tern_status transformer_init(tern_module *self) {
    transformer *m = (transformer *)self;
    m->encoder = half(self, "encoder", &tern_transformer_encoder_class, "TransformerEncoderLayer",
                      m->num_encoder_layers);
    m->decoder = half(self, "decoder", &tern_transformer_decoder_class, "TransformerDecoderLayer",
                      m->num_decoder_layers);
    tern_value parameters = tern_module_parameters(self);
    for (size_t i = 0; i < tern_value_count(parameters); i++) {
        tern_tensor *p = tern_value_at(parameters, i).as.tensor;
        if (tern_rank(p) > 1) tern_init_xavier_uniform(p, 1, NULL);
    }
    return TERN_OK;
}

static tern_value transformer_call(tern_module *self, const tern_value *args) {
    const transformer *m = (transformer *)self;
    tern_value source[] = {args[0], args[2], args[5], args[8]};
    tern_value memory = tern_module_call(m->encoder, source, 4, tern_none());
    if (memory.kind != TERN_VALUE_TENSOR) return tern_none();
    tern_value target[] = {args[1], memory, args[3], args[4], args[6], args[7], args[9], args[10]};
    return tern_module_call(m->decoder, target, 8, tern_none());
}

const tern_module_class tern_transformer_class = {
    TERN_MODULE_CLASS("Transformer(int d_model=512, int nhead=8, int num_encoder_layers=6, "
                      "int num_decoder_layers=6, int dim_feedforward=2048, float dropout=0.1, "
                      "str activation='relu', float layer_norm_eps=1e-05, "
                      "bool batch_first=False, bool norm_first=False, bool bias=True, "
                      "str? device=None, dtype? dtype=None)",
                      transformer),
    .fields = transformer_fields,
    .init = transformer_init,
    .call_schema = "forward(Tensor src, Tensor tgt, Tensor? src_mask=None, Tensor? tgt_mask=None, "
                   "Tensor? memory_mask=None, Tensor? src_key_padding_mask=None, "
                   "Tensor? tgt_key_padding_mask=None, Tensor? memory_key_padding_mask=None, "
                   "bool? src_is_causal=None, bool? tgt_is_causal=None, "
                   "bool memory_is_causal=False)",
    .call = transformer_call,
};

tern_module *tern_nn_transformer_encoder(tern_ctx *ctx, int64_t d_model, int64_t nhead,
                                         int64_t num_layers,
                                         const tern_transformer_options *options) {
    tern_transformer_options o = TERN_TRANSFORMER_OPTIONS;
    if (!tern_options_read(ctx, "tern_nn_transformer_encoder", options, &o)) return NULL;
    tern_value args = tern_dict_new(ctx, false);
    tern_dict_set(args, "d_model", tern_int(d_model));
    tern_dict_set(args, "nhead", tern_int(nhead));
    tern_dict_set(args, "dim_feedforward", tern_int(o.dim_feedforward));
    tern_dict_set(args, "dropout", tern_float(o.dropout));
    tern_dict_set(args, "activation", tern_text(o.activation ? o.activation : "relu"));
    tern_dict_set(args, "layer_norm_eps", tern_float(o.layer_norm_eps));
    tern_dict_set(args, "batch_first", tern_bool(o.batch_first));
    tern_dict_set(args, "norm_first", tern_bool(o.norm_first));
    tern_dict_set(args, "bias", tern_bool(o.bias));
    tern_dict_set(args, "dtype", tern_dtype_value(tern_layer_dtype(o.dtype)));
    if (o.device) tern_dict_set(args, "device", tern_text(o.device));
    stack config = {.layer = described(ctx, "TransformerEncoderLayer", args),
                    .num_layers = num_layers,
                    .enable_nested_tensor = true,
                    .mask_check = true};
    return tern_module_new(ctx, &tern_transformer_encoder_class, &config);
}
