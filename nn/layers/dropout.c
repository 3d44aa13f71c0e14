/* dropout.c: the dropout family: zeroes elements or channels in training, PyTorch's draws. */
#include "layers.h"

typedef struct dropout {
    tern_module module;
    double p;
    bool inplace;
} dropout;

static const tern_field fields[] = {TERN_FIELD(dropout, p, p),
                                    TERN_FIELD(dropout, inplace, inplace), TERN_FIELD_END};

static tern_status dropout_init(tern_module *self) {
    double p = ((dropout *)self)->p;
    if (p >= 0 && p <= 1) return TERN_OK;
    return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                     "%s: dropout probability has to be between 0 and 1, but got %g",
                     tern_module_name(self), p);
}

#define DROPOUT(name)                                                                              \
    TERN_MODULE_CLASS(name "(float p=0.5, bool inplace=False)", dropout),                          \
        .fields = fields, .init = dropout_init, .print = "p= inplace="

const tern_module_class tern_dropout_class = {
    DROPOUT("Dropout"), .operation = "nn.functional.dropout p training inplace"};
const tern_module_class tern_dropout1d_class = {
    DROPOUT("Dropout1d"), .operation = "nn.functional.dropout1d p training inplace"};
const tern_module_class tern_dropout2d_class = {
    DROPOUT("Dropout2d"), .operation = "nn.functional.dropout2d p training inplace"};
const tern_module_class tern_dropout3d_class = {
    DROPOUT("Dropout3d"), .operation = "nn.functional.dropout3d p training inplace"};
const tern_module_class tern_alpha_dropout_class = {
    DROPOUT("AlphaDropout"), .operation = "nn.functional.alpha_dropout p training inplace"};
const tern_module_class tern_feature_alpha_dropout_class = {
    DROPOUT("FeatureAlphaDropout"),
    .operation = "nn.functional.feature_alpha_dropout p training inplace"};

tern_module *tern_nn_dropout(tern_ctx *ctx, double p) {
    dropout config = {.p = p};
    return tern_module_new(ctx, &tern_dropout_class, &config);
}

tern_module *tern_nn_dropout1d(tern_ctx *ctx, double p) {
    dropout config = {.p = p};
    return tern_module_new(ctx, &tern_dropout1d_class, &config);
}

tern_module *tern_nn_dropout2d(tern_ctx *ctx, double p) {
    dropout config = {.p = p};
    return tern_module_new(ctx, &tern_dropout2d_class, &config);
}

tern_module *tern_nn_dropout3d(tern_ctx *ctx, double p) {
    dropout config = {.p = p};
    return tern_module_new(ctx, &tern_dropout3d_class, &config);
}

tern_module *tern_nn_alpha_dropout(tern_ctx *ctx, double p) {
    dropout config = {.p = p};
    return tern_module_new(ctx, &tern_alpha_dropout_class, &config);
}
