/* loss.c: losses as modules: forward(input, target). */
#include "layers.h"

typedef struct loss {
    tern_module module;
    tern_reduction reduction;
} loss;

static const tern_field loss_fields[] = {TERN_FIELD(loss, reduction, reduction), TERN_FIELD_END};

static tern_value l1_call(tern_module *self, const tern_value *args) {
    tern_tensor *result =
        tern_l1_loss(args[0].as.tensor, args[1].as.tensor, ((loss *)self)->reduction);
    return tern_tensor_value(result);
}

static tern_value mse_call(tern_module *self, const tern_value *args) {
    tern_tensor *result =
        tern_mse_loss(args[0].as.tensor, args[1].as.tensor, ((loss *)self)->reduction);
    return tern_tensor_value(result);
}

#define LOSS_CALL "forward(Tensor input, Tensor target)"

const tern_module_class tern_l1_loss_class = {
    TERN_MODULE_CLASS("L1Loss(*, str reduction='mean')", loss),
    .fields = loss_fields,
    .call_schema = LOSS_CALL,
    .call = l1_call,
};

const tern_module_class tern_mse_loss_class = {
    TERN_MODULE_CLASS("MSELoss(*, str reduction='mean')", loss),
    .fields = loss_fields,
    .call_schema = LOSS_CALL,
    .call = mse_call,
};

tern_module *tern_nn_l1_loss(tern_ctx *ctx, tern_reduction reduction) {
    loss config = {.reduction = reduction};
    return tern_module_new(ctx, &tern_l1_loss_class, &config);
}

tern_module *tern_nn_mse_loss(tern_ctx *ctx, tern_reduction reduction) {
    loss config = {.reduction = reduction};
    return tern_module_new(ctx, &tern_mse_loss_class, &config);
}
