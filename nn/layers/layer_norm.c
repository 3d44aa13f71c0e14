/* layer_norm.c: normalisation within a sample: LayerNorm, RMSNorm, GroupNorm, LocalResponseNorm. */
#include "layers.h"

/* The arguments of all of them together. */
typedef struct layer_norm {
    tern_module module;
    tern_shape normalized_shape;
    int64_t num_groups, num_channels;
    tern_value alpha, beta, k; /* numbers that print as they were given */
    int64_t window;            /* "size" */
    tern_optional_float eps;   /* none (RMSNorm): the dtype's machine epsilon */
    bool elementwise_affine, affine, bias_wanted;
    const char *device;
    tern_dtype dtype;
    tern_tensor *weight, *bias;
} layer_norm;

static const tern_field fields[] = {
    TERN_FIELD(layer_norm, normalized_shape, normalized_shape),
    TERN_FIELD(layer_norm, num_groups, num_groups),
    TERN_FIELD(layer_norm, num_channels, num_channels),
    TERN_FIELD(layer_norm, alpha, alpha),
    TERN_FIELD(layer_norm, beta, beta),
    TERN_FIELD(layer_norm, k, k),
    TERN_FIELD(layer_norm, size, window),
    TERN_FIELD(layer_norm, eps, eps),
    TERN_FIELD(layer_norm, elementwise_affine, elementwise_affine),
    TERN_FIELD(layer_norm, affine, affine),
    TERN_FIELD(layer_norm, bias, bias_wanted),
    TERN_FIELD(layer_norm, device, device),
    TERN_FIELD(layer_norm, dtype, dtype),
    TERN_FIELD(layer_norm, weight, weight),
    TERN_FIELD_END,
};

static void scale_and_shift(tern_module *self, tern_shape shape, bool scale) {
    layer_norm *m = (layer_norm *)self;
    m->bias_wanted = m->bias_wanted && scale;
    m->weight = scale ? tern_layer_filled(self, "weight", shape, m->dtype, 1)
                      : tern_layer_none(self, "weight", &m->weight);
    m->bias = m->bias_wanted ? tern_layer_filled(self, "bias", shape, m->dtype, 0)
                             : tern_layer_none(self, "bias", &m->bias);
}

/* An operation with its first argument, the shape or the groups, then weight, bias and eps. */
static tern_tensor *normalise(tern_module *self, const char *operation, tern_tensor *input,
                              tern_value over) {
    const layer_norm *m = (layer_norm *)self;
    tern_value args[] = {tern_tensor_value(input), over, tern_tensor_value(m->weight),
                         tern_tensor_value(m->bias), tern_float(m->eps.value)};
    return tern_layer_tensor(self, tern_module_operation(self, operation, args, 5, tern_none()));
}

/* ---- over the last dimensions ---------------------------------------------------------------- */

static tern_status layer_norm_init(tern_module *self) {
    layer_norm *m = (layer_norm *)self;
    scale_and_shift(self, m->normalized_shape, m->elementwise_affine);
    return TERN_OK;
}

static tern_tensor *layer_norm_forward(tern_module *self, tern_tensor *input) {
    const tern_shape *shape = &((layer_norm *)self)->normalized_shape;
    return normalise(self, "nn.functional.layer_norm", input,
                     tern_ints(shape->dim, (size_t)shape->rank));
}

const tern_module_class tern_layer_norm_class = {
    TERN_MODULE_CLASS("LayerNorm(int[] normalized_shape, float eps=1e-05, "
                      "bool elementwise_affine=True, bool bias=True, str? device=None, "
                      "dtype? dtype=None)",
                      layer_norm),
    .fields = fields,
    .init = layer_norm_init,
    .forward = layer_norm_forward,
    .print = "normalized_shape eps= elementwise_affine= bias=",
};

static tern_status rms_norm_init(tern_module *self) {
    layer_norm *m = (layer_norm *)self;
    m->weight = m->elementwise_affine
                    ? tern_layer_filled(self, "weight", m->normalized_shape, m->dtype, 1)
                    : tern_layer_none(self, "weight", &m->weight);
    return TERN_OK;
}

const tern_module_class tern_rms_norm_class = {
    TERN_MODULE_CLASS("RMSNorm(int[] normalized_shape, float? eps=None, "
                      "bool elementwise_affine=True, str? device=None, dtype? dtype=None)",
                      layer_norm),
    .fields = fields,
    .init = rms_norm_init,
    .call_schema = "forward(Tensor x)",
    .operation = "nn.functional.rms_norm normalized_shape weight eps",
    .print = "normalized_shape eps= elementwise_affine=",
};

/* ---- over groups of channels ----------------------------------------------------------------- */

static tern_status group_norm_init(tern_module *self) {
    layer_norm *m = (layer_norm *)self;
    if (!tern_layer_positive(self, "num_groups", m->num_groups)) return TERN_ERR_ARGUMENT;
    if (m->num_channels % m->num_groups != 0)
        return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                         "GroupNorm: num_channels (%lld) must be divisible by num_groups (%lld)",
                         (long long)m->num_channels, (long long)m->num_groups);
    scale_and_shift(self, TERN_SHAPE(m->num_channels), m->affine);
    return TERN_OK;
}

static tern_tensor *group_norm_forward(tern_module *self, tern_tensor *input) {
    return normalise(self, "nn.functional.group_norm", input,
                     tern_int(((layer_norm *)self)->num_groups));
}

const tern_module_class tern_group_norm_class = {
    TERN_MODULE_CLASS("GroupNorm(int num_groups, int num_channels, float eps=1e-05, "
                      "bool affine=True, str? device=None, dtype? dtype=None, *, bool bias=True)",
                      layer_norm),
    .fields = fields,
    .init = group_norm_init,
    .forward = group_norm_forward,
    .print = "num_groups num_channels eps= affine= bias=",
};

/* ---- over neighbouring channels -------------------------------------------------------------- */

const tern_module_class tern_local_response_norm_class = {
    TERN_MODULE_CLASS("LocalResponseNorm(int size, Number alpha=0.0001, Number beta=0.75, "
                      "Number k=1.0)",
                      layer_norm),
    .fields = fields,
    .operation = "nn.functional.local_response_norm size alpha beta k",
    .print = "size alpha= beta= k=",
};

/* ---- typed constructors ---------------------------------------------------------------------- */

tern_module *tern_nn_layer_norm(tern_ctx *ctx, tern_shape normalized_shape,
                                const tern_layer_norm_options *options) {
    tern_layer_norm_options o = TERN_LAYER_NORM_OPTIONS;
    if (!tern_options_read(ctx, "tern_nn_layer_norm", options, &o)) return NULL;
    layer_norm config = {.normalized_shape = normalized_shape,
                         .eps = {true, o.eps},
                         .elementwise_affine = o.elementwise_affine,
                         .bias_wanted = o.bias,
                         .device = o.device,
                         .dtype = o.dtype};
    return tern_module_new(ctx, &tern_layer_norm_class, &config);
}

tern_module *tern_nn_rms_norm(tern_ctx *ctx, tern_shape normalized_shape,
                              const tern_rms_norm_options *options) {
    tern_rms_norm_options o = TERN_RMS_NORM_OPTIONS;
    if (!tern_options_read(ctx, "tern_nn_rms_norm", options, &o)) return NULL;
    layer_norm config = {.normalized_shape = normalized_shape,
                         .eps = o.eps,
                         .elementwise_affine = o.elementwise_affine,
                         .device = o.device,
                         .dtype = o.dtype};
    return tern_module_new(ctx, &tern_rms_norm_class, &config);
}

tern_module *tern_nn_group_norm(tern_ctx *ctx, int64_t num_groups, int64_t num_channels,
                                const tern_group_norm_options *options) {
    tern_group_norm_options o = TERN_GROUP_NORM_OPTIONS;
    if (!tern_options_read(ctx, "tern_nn_group_norm", options, &o)) return NULL;
    layer_norm config = {.num_groups = num_groups,
                         .num_channels = num_channels,
                         .eps = {true, o.eps},
                         .affine = o.affine,
                         .bias_wanted = o.bias,
                         .device = o.device,
                         .dtype = o.dtype};
    return tern_module_new(ctx, &tern_group_norm_class, &config);
}
