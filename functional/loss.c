/* loss.c: how losses are reduced, and those of a difference alone: l1_loss and mse_loss. */
#include "loss.h"

#include <stdio.h>
#include <string.h>

#include "core/call/recorder.h"
#include "core/ops/compose.h"

static const char *const names[] = {"none", "mean", "sum"};

bool tern_reduction_argument(tern_opcall *call, int index, tern_reduction *out_reduction) {
    const char *name = tern_arg_text(call, index, "mean");
    int found = 0;
    while (found < 3 && name != names[found]) found++; /* tern_reduction_value's own texts */
    for (int i = 0; i < 3 && found == 3; i++)
        if (strcmp(name, names[i]) == 0) found = i;
    if (found < 3) {
        *out_reduction = (tern_reduction)found;
        return true;
    }
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "'%s' is not a valid value for reduction: use none, mean or sum", name);
    return false;
}

tern_value tern_reduction_value(tern_reduction reduction) {
    bool is_one = (unsigned)reduction < sizeof names / sizeof *names;
    return tern_text(is_one ? names[reduction] : "a number that is none");
}

tern_tensor *tern_reduce_loss(tern_tensor *loss, tern_reduction reduction) {
    if (reduction == TERN_MEAN) return tern_mean(loss);
    return reduction == TERN_SUM ? tern_sum(loss) : loss;
}

tern_value tern_loss_result(tern_opcall *call, tern_tensor *loss, int reduction_index) {
    tern_reduction reduction;
    if (!tern_reduction_argument(call, reduction_index, &reduction)) return tern_none();
    return tern_narrowed(call, tern_reduce_loss(loss, reduction));
}

tern_tensor *tern_loss_floats(tern_opcall *call, int index) {
    tern_tensor *x = tern_arg_tensor(call, index);
    return tern_dtype_is_floating(BODY(x)->dtype) ? x : tern_to_dtype(x, TERN_FLOAT32);
}

/* A replay looks again in each run, at the same place of the body, so looking refuses no capture. */
static bool look(tern_opcall *call, tern_tensor *wrong) {
    tern_recorder *recorder = call->ctx->recorder;
    call->ctx->recorder = NULL;
    bool is_wrong = tern_item(wrong) != 0.0;
    call->ctx->recorder = recorder;
    return is_wrong;
}

bool tern_loss_refuses(tern_opcall *call, tern_tensor *wrong, const char *message) {
    if (call->ctx->status != TERN_OK) return true;
    if (BODY(wrong)->numel == 0) return false;
    tern_tensor *any = tern_any(wrong);
    bool is_wrong = look(call, any);
    if (call->ctx->status != TERN_OK) return true;
    if (is_wrong) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%s", message);
        return true;
    }
    tern_recorder *recorder = call->ctx->recorder;
    char name[64], text[200];
    snprintf(text, sizeof text, "%s: %s", tern_op_name(call->op, name), message);
    if (recorder) recorder->checked(recorder, any, text);
    return call->ctx->status != TERN_OK;
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

/* By element: `formula`, also times the weight, and `of` for integers, whose differences wrap. */
typedef struct difference {
    const char *formula, *weighted;
    tern_tensor *(*of)(tern_tensor *difference);
} difference;

static tern_tensor *by_element(tern_opcall *call, const difference *d, tern_tensor *weight) {
    if (!tern_dtype_is_floating(tern_result_type(call->args, 2))) {
        tern_tensor *loss = d->of(tern_sub(tern_arg_tensor(call, 0), tern_arg_tensor(call, 1)));
        return weight ? tern_mul(loss, weight) : loss;
    }
    if (weight)
        return FORMULA(call->ctx, d->weighted, "x t w", tern_arg(call, 0), tern_arg(call, 1),
                       ARG_TENSOR(weight));
    return FORMULA(call->ctx, d->formula, "x t", tern_arg(call, 0), tern_arg(call, 1));
}

/* Weighted, the mean is over the weights. */
static tern_value difference_loss(tern_opcall *call, const difference *d) {
    tern_tensor *input = tern_arg_tensor(call, 0), *weight = tern_arg_tensor(call, 3);
    tern_reduction reduction;
    if (!tern_reduction_argument(call, 2, &reduction)) return tern_none();
    warn_of_sizes(input, tern_arg_tensor(call, 1));
    if (weight && !tern_same_shape(weight, input))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Weights and input must have the same size.");
    tern_tensor *loss = by_element(call, d, weight);
    if (weight && reduction == TERN_MEAN)
        return tern_result(call, tern_div(tern_sum(loss), tern_sum(weight)));
    return tern_result(call, tern_reduce_loss(loss, reduction));
}

tern_value tern_op_l1_loss(tern_opcall *call) {
    static const difference l1 = {"abs(x - t)", "abs(x - t) * w", tern_abs};
    return difference_loss(call, &l1);
}
tern_value tern_op_mse_loss(tern_opcall *call) {
    static const difference mse = {"square(x - t)", "square(x - t) * w", tern_square};
    return difference_loss(call, &mse);
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
