/* activation.c: activations, element by element and along a dimension. */
#include "layers.h"

/* The arguments of all of them together. */
typedef struct activation {
    tern_module module;
    /* Numbers that print as they were given. */
    tern_value alpha, lambd, negative_slope, min_val, max_val, lower, upper, beta, threshold, value;
    double init;
    const char *approximate, *device;
    tern_optional_int dim;
    int64_t num_parameters;
    tern_dtype dtype;
    bool inplace;
    tern_tensor *weight;
} activation;

static const tern_field fields[] = {
    TERN_FIELD(activation, alpha, alpha),
    TERN_FIELD(activation, lambd, lambd),
    TERN_FIELD(activation, negative_slope, negative_slope),
    TERN_FIELD(activation, min_val, min_val),
    TERN_FIELD(activation, max_val, max_val),
    TERN_FIELD(activation, lower, lower),
    TERN_FIELD(activation, upper, upper),
    TERN_FIELD(activation, init, init),
    TERN_FIELD(activation, beta, beta),
    TERN_FIELD(activation, threshold, threshold),
    TERN_FIELD(activation, value, value),
    TERN_FIELD(activation, approximate, approximate),
    TERN_FIELD(activation, device, device),
    TERN_FIELD(activation, dim, dim),
    TERN_FIELD(activation, num_parameters, num_parameters),
    TERN_FIELD(activation, dtype, dtype),
    TERN_FIELD(activation, inplace, inplace),
    TERN_FIELD(activation, weight, weight),
    TERN_FIELD_END,
};

/* ---- element by element ---------------------------------------------------------------------- */

#define ELEMENTWISE(schema_text) TERN_MODULE_CLASS(schema_text, activation), .fields = fields
#define FORMULA(schema_text)     ELEMENTWISE(schema_text), .flags = TERN_MODULE_FORMULA

const tern_module_class tern_celu_class = {
    ELEMENTWISE("CELU(Number alpha=1.0, bool inplace=False)"),
    .operation = "nn.functional.celu alpha inplace",
    .print = "alpha= inplace=?",
};
const tern_module_class tern_elu_class = {
    FORMULA("ELU(Number alpha=1.0, bool inplace=False)"),
    .operation = "nn.functional.elu alpha inplace",
    .print = "alpha= inplace=?",
};
const tern_module_class tern_gelu_class = {
    FORMULA("GELU(str approximate='none')"),
    .operation = "nn.functional.gelu approximate",
    .print = "approximate=",
};
const tern_module_class tern_hardshrink_class = {
    ELEMENTWISE("Hardshrink(Number lambd=0.5)"),
    .operation = "nn.functional.hardshrink lambd",
    .print = "lambd",
};
const tern_module_class tern_hardsigmoid_class = {
    ELEMENTWISE("Hardsigmoid(bool inplace=False)"),
    .operation = "nn.functional.hardsigmoid inplace",
};
const tern_module_class tern_hardswish_class = {
    ELEMENTWISE("Hardswish(bool inplace=False)"),
    .operation = "nn.functional.hardswish inplace",
};
const tern_module_class tern_hardtanh_class = {
    ELEMENTWISE("Hardtanh(Number min_val=-1.0, Number max_val=1.0, bool inplace=False)"),
    .operation = "nn.functional.hardtanh min_val max_val inplace",
    .print = "min_val= max_val= inplace=?",
};
const tern_module_class tern_leaky_relu_class = {
    FORMULA("LeakyReLU(Number negative_slope=0.01, bool inplace=False)"),
    .operation = "nn.functional.leaky_relu negative_slope inplace",
    .print = "negative_slope= inplace=?",
};
const tern_module_class tern_log_sigmoid_class = {
    ELEMENTWISE("LogSigmoid()"),
    .operation = "nn.functional.logsigmoid",
};
const tern_module_class tern_mish_class = {
    FORMULA("Mish(bool inplace=False)"),
    .operation = "nn.functional.mish inplace",
    .print = "inplace=?",
};
const tern_module_class tern_relu_class = {
    FORMULA("ReLU(bool inplace=False)"),
    .operation = "relu inplace",
    .print = "inplace=?",
};
const tern_module_class tern_relu6_class = {
    ELEMENTWISE("ReLU6(bool inplace=False)"),
    .operation = "nn.functional.relu6 inplace",
    .print = "inplace=?",
};
const tern_module_class tern_rrelu_class = {
    ELEMENTWISE("RReLU(Number lower=0.125, Number upper=0.3333333333333333, bool inplace=False)"),
    .operation = "nn.functional.rrelu lower upper training inplace",
    .print = "lower= upper= inplace=?",
};
const tern_module_class tern_selu_class = {
    FORMULA("SELU(bool inplace=False)"),
    .operation = "nn.functional.selu inplace",
    .print = "inplace=?",
};
const tern_module_class tern_silu_class = {
    FORMULA("SiLU(bool inplace=False)"),
    .operation = "nn.functional.silu inplace",
    .print = "inplace=?",
};
const tern_module_class tern_sigmoid_class = {
    FORMULA("Sigmoid()"),
    .operation = "sigmoid",
};
const tern_module_class tern_softplus_class = {
    FORMULA("Softplus(Number beta=1.0, Number threshold=20.0)"),
    .operation = "nn.functional.softplus beta threshold",
    .print = "beta= threshold=",
};
const tern_module_class tern_softshrink_class = {
    ELEMENTWISE("Softshrink(Number lambd=0.5)"),
    .operation = "nn.functional.softshrink lambd",
    .print = "lambd",
};
const tern_module_class tern_softsign_class = {
    FORMULA("Softsign()"),
    .operation = "nn.functional.softsign",
};
const tern_module_class tern_tanh_class = {
    FORMULA("Tanh()"),
    .operation = "tanh",
};
const tern_module_class tern_tanhshrink_class = {
    FORMULA("Tanhshrink()"),
    .operation = "nn.functional.tanhshrink",
};
const tern_module_class tern_threshold_class = {
    FORMULA("Threshold(Number threshold, Number value, bool inplace=False)"),
    .operation = "nn.functional.threshold threshold value inplace",
    .print = "threshold= value= inplace=?",
};

/* One slope for all channels, or one each. */
static tern_status prelu_init(tern_module *self) {
    activation *m = (activation *)self;
    if (!tern_layer_positive(self, "num_parameters", m->num_parameters)) return TERN_ERR_ARGUMENT;
    m->weight = tern_layer_filled(self, "weight", TERN_SHAPE(m->num_parameters), m->dtype, m->init);
    return TERN_OK;
}

const tern_module_class tern_prelu_class = {
    ELEMENTWISE("PReLU(int num_parameters=1, float init=0.25, str? device=None, "
                "dtype? dtype=None)"),
    .init = prelu_init,
    .operation = "nn.functional.prelu weight",
    .print = "num_parameters=",
};

/* ---- along a dimension ----------------------------------------------------------------------- */

const tern_module_class tern_glu_class = {
    ELEMENTWISE("GLU(int dim=-1)"),
    .operation = "nn.functional.glu dim",
    .print = "dim=",
};

/* PyTorch's choice where dim is None: 0 for 0, 1 and 3 dimensions, else 1. */
static int softmax_dim(const activation *m, const tern_tensor *input) {
    int rank = tern_rank(input);
    if (!m->dim.has) return rank == 0 || rank == 1 || rank == 3 ? 0 : 1;
    if (m->dim.value > TERN_MAX_RANK) return TERN_MAX_RANK + 1;
    return m->dim.value < -TERN_MAX_RANK ? -TERN_MAX_RANK - 1 : (int)m->dim.value;
}

static tern_tensor *softmax_forward(tern_module *self, tern_tensor *input) {
    return tern_softmax(input, softmax_dim((activation *)self, input));
}

static tern_tensor *log_softmax_forward(tern_module *self, tern_tensor *input) {
    return tern_log_softmax(input, softmax_dim((activation *)self, input));
}

static tern_tensor *softmin_forward(tern_module *self, tern_tensor *input) {
    return tern_softmax(tern_neg(input), softmax_dim((activation *)self, input));
}

/* Over the channels of [N, C, H, W] or [C, H, W]. */
static tern_tensor *softmax2d_forward(tern_module *self, tern_tensor *input) {
    int rank = tern_rank(input);
    if (rank == 3 || rank == 4) return tern_softmax(input, -3);
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
              "Softmax2d: expected input to be 3D or 4D, got %dD", rank);
    return tern_nil(tern_module_context(self));
}

const tern_module_class tern_softmax_class = {
    ELEMENTWISE("Softmax(int? dim=None)"),
    .forward = softmax_forward,
    .print = "dim=",
};
const tern_module_class tern_log_softmax_class = {
    ELEMENTWISE("LogSoftmax(int? dim=None)"),
    .forward = log_softmax_forward,
    .print = "dim=",
};
const tern_module_class tern_softmin_class = {
    ELEMENTWISE("Softmin(int? dim=None)"),
    .forward = softmin_forward,
    .print = "dim=",
};
const tern_module_class tern_softmax2d_class = {
    ELEMENTWISE("Softmax2d()"),
    .forward = softmax2d_forward,
};

/* ---- typed constructors ---------------------------------------------------------------------- */

tern_module *tern_nn_relu(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_relu_class, NULL);
}

tern_module *tern_nn_relu6(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_relu6_class, NULL);
}

tern_module *tern_nn_sigmoid(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_sigmoid_class, NULL);
}

tern_module *tern_nn_tanh(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_tanh_class, NULL);
}

tern_module *tern_nn_silu(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_silu_class, NULL);
}

tern_module *tern_nn_hardswish(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_hardswish_class, NULL);
}

tern_module *tern_nn_gelu(tern_ctx *ctx, const char *approximate) {
    activation config = {.approximate = approximate ? approximate : "none"};
    return tern_module_new(ctx, &tern_gelu_class, &config);
}

tern_module *tern_nn_elu(tern_ctx *ctx, double alpha) {
    activation config = {.alpha = tern_float(alpha)};
    return tern_module_new(ctx, &tern_elu_class, &config);
}

tern_module *tern_nn_leaky_relu(tern_ctx *ctx, double negative_slope) {
    activation config = {.negative_slope = tern_float(negative_slope)};
    return tern_module_new(ctx, &tern_leaky_relu_class, &config);
}

tern_module *tern_nn_softplus(tern_ctx *ctx, double beta, double threshold) {
    activation config = {.beta = tern_float(beta), .threshold = tern_float(threshold)};
    return tern_module_new(ctx, &tern_softplus_class, &config);
}

tern_module *tern_nn_prelu(tern_ctx *ctx, int64_t num_parameters, double init) {
    activation config = {
        .num_parameters = num_parameters, .init = init, .dtype = TERN_DTYPE_DEFAULT};
    return tern_module_new(ctx, &tern_prelu_class, &config);
}

tern_module *tern_nn_glu(tern_ctx *ctx, int64_t dim) {
    activation config = {.dim = {true, dim}};
    return tern_module_new(ctx, &tern_glu_class, &config);
}

tern_module *tern_nn_softmax(tern_ctx *ctx, int64_t dim) {
    activation config = {.dim = {true, dim}};
    return tern_module_new(ctx, &tern_softmax_class, &config);
}

tern_module *tern_nn_log_softmax(tern_ctx *ctx, int64_t dim) {
    activation config = {.dim = {true, dim}};
    return tern_module_new(ctx, &tern_log_softmax_class, &config);
}
