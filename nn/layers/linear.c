/* linear.c: Linear and Identity. */
#include <math.h>

#include "layers.h"
#include "tern/formula.h"

typedef struct linear {
    tern_module module;
    int64_t in_features, out_features;
    tern_linear_options options;
    tern_tensor *weight, *bias;
} linear;

static const tern_field linear_fields[] = {
    TERN_FIELD(linear, in_features, in_features), TERN_FIELD(linear, out_features, out_features),
    TERN_FIELD(linear, bias, options.bias),       TERN_FIELD(linear, device, options.device),
    TERN_FIELD(linear, dtype, options.dtype),     TERN_FIELD_END,
};

/*
 * The weight is kaiming_uniform_(a=sqrt(5)), whose bound is 1/sqrt(in) in exact arithmetic but is
 * computed in PyTorch's order of roundings; the bias is uniform in 1/sqrt(in).
 */
static tern_status linear_init(tern_module *self) {
    linear *m = (linear *)self;
    tern_ctx *ctx = tern_module_context(self);
    if (m->in_features < 0 || m->out_features < 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "Linear: in_features=%lld and out_features=%lld must not be negative",
                         (long long)m->in_features, (long long)m->out_features);
    tern_dtype dtype = m->options.dtype;
    m->weight =
        tern_layer_kaiming(self, "weight", TERN_SHAPE(m->out_features, m->in_features), dtype);
    double bound = m->in_features > 0 ? 1.0 / sqrt((double)m->in_features) : 0.0;
    m->bias = m->options.bias
                  ? tern_layer_uniform(self, "bias", TERN_SHAPE(m->out_features), dtype, bound)
                  : tern_layer_none(self, "bias", &m->bias);
    return TERN_OK;
}

static tern_tensor *linear_forward(tern_module *self, tern_tensor *input) {
    linear *m = (linear *)self;
    return tern_linear(input, m->weight, m->bias);
}

static tern_tensor *linear_forward_map(tern_module *self, tern_tensor *input, const char *formula) {
    linear *m = (linear *)self;
    return tern_linear_map(input, m->weight, m->bias, formula);
}

const tern_module_class tern_linear_class = {
    TERN_MODULE_CLASS("Linear(int in_features, int out_features, bool bias=True, str? device=None, "
                      "dtype? dtype=None)",
                      linear),
    .fields = linear_fields,
    .init = linear_init,
    .forward = linear_forward,
    .forward_map = TERN_FORWARD_MAP(linear_forward_map),
    .print = "in_features= out_features= bias=",
};

/* What MultiheadAttention's out_proj is printed as. */
const tern_module_class tern_attention_linear_class = {
    TERN_MODULE_CLASS("NonDynamicallyQuantizableLinear(int in_features, int out_features, "
                      "bool bias=True, str? device=None, dtype? dtype=None)",
                      linear),
    .fields = linear_fields,
    .init = linear_init,
    .forward = linear_forward,
    .print = "in_features= out_features= bias=",
};

tern_module *tern_layer_attention_linear(tern_ctx *ctx, int64_t features, bool bias,
                                         tern_dtype dtype) {
    linear config = {
        .in_features = features, .out_features = features, .options = TERN_LINEAR_OPTIONS};
    config.options.bias = bias;
    config.options.dtype = dtype;
    return tern_module_new(ctx, &tern_attention_linear_class, &config);
}

tern_module *tern_nn_linear(tern_ctx *ctx, int64_t in_features, int64_t out_features,
                            const tern_linear_options *options) {
    linear config = {
        .in_features = in_features, .out_features = out_features, .options = TERN_LINEAR_OPTIONS};
    if (!tern_options_read(ctx, "tern_nn_linear", options, &config.options)) return NULL;
    return tern_module_new(ctx, &tern_linear_class, &config);
}

/* ---- Identity -------------------------------------------------------------------------------- */

static tern_tensor *identity_forward(tern_module *self, tern_tensor *input) {
    (void)self;
    return input;
}

const tern_module_class tern_identity_class = {
    TERN_MODULE_CLASS("Identity()", tern_module),
    .forward = identity_forward,
};

tern_module *tern_nn_identity(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_identity_class, NULL);
}
