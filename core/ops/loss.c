/* loss.c: l1_loss and mse_loss, and how losses are reduced. */
#include "loss.h"

#include <string.h>

static const char *const names[] = {"none", "mean", "sum"};

bool tern_reduction_argument(tern_opcall *call, int index, tern_reduction *out_reduction) {
    const char *name = tern_arg_text(call, index, "mean");
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out_reduction = (tern_reduction)i;
            return true;
        }
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "'%s' is not a valid value for reduction: it is none, mean or sum", name);
    return false;
}

tern_value tern_reduction_value(tern_reduction reduction) {
    return tern_text(names[reduction]);
}

tern_tensor *tern_reduce_loss(tern_tensor *loss, tern_reduction reduction) {
    if (reduction == TERN_MEAN) return tern_mean(loss);
    return reduction == TERN_SUM ? tern_sum(loss) : loss;
}

/* PyTorch warns where a target would be broadcast: mostly a mistake. */
static void warn_of_sizes(const tern_tensor *input, const tern_tensor *target) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    if (tern_same_shape(input, target)) return;
    tern_notice(TERN_LOG_WARNING,
                "Using a target size (%s) that is different to the input size (%s). This will "
                "likely lead to incorrect results due to broadcasting. Please ensure they have the "
                "same size.",
                tern_shape_text(BODY(target)->rank, BODY(target)->shape, b),
                tern_shape_text(BODY(input)->rank, BODY(input)->shape, a));
}

/* A loss of input - target by element; weighted, the mean is over the weights. */
static tern_value difference_loss(tern_opcall *call, tern_tensor *(*of)(tern_tensor *)) {
    tern_tensor *input = tern_arg_tensor(call, 0), *target = tern_arg_tensor(call, 1);
    tern_tensor *weight = tern_arg_tensor(call, 3);
    tern_reduction reduction;
    if (!tern_reduction_argument(call, 2, &reduction)) return tern_none();
    warn_of_sizes(input, target);
    tern_tensor *loss = of(tern_sub(input, target));
    if (!weight) return tern_result(call, tern_reduce_loss(loss, reduction));
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!tern_same_shape(weight, input))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Weights and input must have the same size.");
    loss = tern_mul(loss, weight);
    if (reduction == TERN_MEAN)
        return tern_result(call, tern_div(tern_sum(loss), tern_sum(weight)));
    return tern_result(call, tern_reduce_loss(loss, reduction));
}

tern_value tern_op_l1_loss(tern_opcall *call) {
    return difference_loss(call, tern_abs);
}
tern_value tern_op_mse_loss(tern_opcall *call) {
    return difference_loss(call, tern_square);
}

/* ---- C functions ---- */

tern_tensor *tern_l1_loss(tern_tensor *input, tern_tensor *target, tern_reduction reduction) {
    return TERN_CALL(l1_loss, ARG_TENSOR(input), ARG_TENSOR(target),
                     tern_reduction_value(reduction));
}
tern_tensor *tern_mse_loss(tern_tensor *input, tern_tensor *target, tern_reduction reduction) {
    return TERN_CALL(mse_loss, ARG_TENSOR(input), ARG_TENSOR(target),
                     tern_reduction_value(reduction));
}
