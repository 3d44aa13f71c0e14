/* activation.c: activations. */
#include "layers.h"

/* ---- element by element ---------------------------------------------------------------------------- */

typedef struct relu {
    tern_module module;
    bool inplace;
} relu;

static const tern_field relu_fields[] = {TERN_FIELD(relu, inplace, inplace), TERN_FIELD_END};

static tern_tensor *relu_forward(tern_module *self, tern_tensor *input) {
    return ((relu *)self)->inplace ? tern_relu_in_place(input) : tern_relu(input);
}

const tern_module_class tern_relu_class = {
    TERN_MODULE_CLASS("ReLU(bool inplace=False)", relu),
    .fields = relu_fields,
    .forward = relu_forward,
    .print = "inplace=?",
};

tern_module *tern_nn_relu(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_relu_class, NULL);
}

static tern_tensor *sigmoid_forward(tern_module *self, tern_tensor *input) {
    (void)self;
    return tern_sigmoid(input);
}

const tern_module_class tern_sigmoid_class = {
    TERN_MODULE_CLASS("Sigmoid()", tern_module),
    .forward = sigmoid_forward,
};

tern_module *tern_nn_sigmoid(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_sigmoid_class, NULL);
}

static tern_tensor *tanh_forward(tern_module *self, tern_tensor *input) {
    (void)self;
    return tern_tanh(input);
}

const tern_module_class tern_tanh_class = {
    TERN_MODULE_CLASS("Tanh()", tern_module),
    .forward = tanh_forward,
};

tern_module *tern_nn_tanh(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_tanh_class, NULL);
}

/* ---- along a dimension ------------------------------------------------------------------------------ */

typedef struct softmax {
    tern_module module;
    tern_optional_int dim;
} softmax;

static const tern_field softmax_fields[] = {TERN_FIELD(softmax, dim, dim), TERN_FIELD_END};

/* PyTorch's choice where dim is None: 0 for 0, 1 and 3 dimensions, else 1. */
static int softmax_dim(const softmax *m, const tern_tensor *input) {
    int rank = tern_rank(input);
    if (!m->dim.has) return rank == 0 || rank == 1 || rank == 3 ? 0 : 1;
    if (m->dim.value > TERN_MAX_RANK) return TERN_MAX_RANK + 1;
    return m->dim.value < -TERN_MAX_RANK ? -TERN_MAX_RANK - 1 : (int)m->dim.value;
}

static tern_tensor *softmax_forward(tern_module *self, tern_tensor *input) {
    return tern_softmax(input, softmax_dim((softmax *)self, input));
}

static tern_tensor *log_softmax_forward(tern_module *self, tern_tensor *input) {
    return tern_log_softmax(input, softmax_dim((softmax *)self, input));
}

static tern_tensor *softmin_forward(tern_module *self, tern_tensor *input) {
    return tern_softmax(tern_neg(input), softmax_dim((softmax *)self, input));
}

const tern_module_class tern_softmax_class = {
    TERN_MODULE_CLASS("Softmax(int? dim=None)", softmax),
    .fields = softmax_fields,
    .forward = softmax_forward,
    .print = "dim=",
};

const tern_module_class tern_log_softmax_class = {
    TERN_MODULE_CLASS("LogSoftmax(int? dim=None)", softmax),
    .fields = softmax_fields,
    .forward = log_softmax_forward,
    .print = "dim=",
};

const tern_module_class tern_softmin_class = {
    TERN_MODULE_CLASS("Softmin(int? dim=None)", softmax),
    .fields = softmax_fields,
    .forward = softmin_forward,
    .print = "dim=",
};

tern_module *tern_nn_softmax(tern_ctx *ctx, int64_t dim) {
    softmax config = {.dim = {true, dim}};
    return tern_module_new(ctx, &tern_softmax_class, &config);
}

tern_module *tern_nn_log_softmax(tern_ctx *ctx, int64_t dim) {
    softmax config = {.dim = {true, dim}};
    return tern_module_new(ctx, &tern_log_softmax_class, &config);
}
