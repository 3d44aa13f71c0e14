/*
 * loss_class.c: losses over classes and probabilities: binary cross entropy with and without logits,
 * kl_div, and the margin losses over classes. cross_entropy.c has the others.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "loss.h"
#include "programs/program.h"

/* The loss in the dtype of the first argument. */
static tern_value narrowed(tern_opcall *call, tern_tensor *loss) {
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, tern_to_dtype(loss, BODY(tern_arg_tensor(call, 0))->dtype));
}

/* ---- binary cross entropy ---- */

static bool same_shapes(tern_opcall *call, const tern_tensor *x, const tern_tensor *target) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    if (tern_same_shape(x, target)) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "Using a target size (%s) that is different to the input size (%s) is an error: "
                   "ensure they have the same size.",
                   tern_shape_text(BODY(target)->rank, BODY(target)->shape, b),
                   tern_shape_text(BODY(x)->rank, BODY(x)->shape, a));
    return false;
}

/* By element: -(t log x + (1 - t) log(1 - x)), logarithms at least -100. */
tern_value tern_op__bce(tern_opcall *call) {
    return tern_result(
        call, FORMULA(call->ctx,
                      "yes = log(x); no = log1p(-x);"
                      "(t - 1) * where(no < -100, -100, no) - t * where(yes < -100, -100, yes)",
                      "x t", tern_arg(call, 0), tern_arg(call, 1)));
}

void tern_grad__bce(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    static const char *const formulas[] = {
        "p = (1 - x) * x; g * ((x - t) / where(p < 1e-12, 1e-12, p))",
        "yes = log(x); no = log1p(-x);"
        "g * (where(no < -100, -100, no) - where(yes < -100, -100, yes))"};
    const tern_value values[] = {ARG_TENSOR(tern_node_input(node, 0)),
                                 ARG_TENSOR(tern_node_input(node, 1)), ARG_TENSOR(grad_out[0])};
    tern_formula_grads(node, formulas, "x t g", values, 3, grads);
}

tern_value tern_op_binary_cross_entropy(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *target = tern_arg_tensor(call, 1);
    tern_tensor *weight = tern_arg_tensor(call, 2);
    if (!same_shapes(call, input, target) ||
        tern_loss_refuses(call, FORMULA(call->ctx, "x < 0 or x > 1", "x", ARG_TENSOR(input)),
                          "all elements of input should be between 0 and 1"))
        return tern_none();
    tern_tensor *loss = TERN_CALL(_bce, ARG_TENSOR(input), ARG_TENSOR(target));
    if (weight) loss = tern_mul(loss, weight);
    return tern_loss_result(call, loss, 5);
}

/* By element: (1 - t) x - l log sigmoid(x), where l = 1 + (pos_weight - 1) t. */
tern_value tern_op__bce_logits(tern_opcall *call) {
    tern_value weight = tern_arg_given(call, 2) ? tern_arg(call, 2) : ARG_FLOAT(1.0);
    const char *formula = tern_arg_given(call, 2)
                              ? "(1 - t) * x - ((w - 1) * t + 1) * logsigmoid(x)"
                              : "(1 - t) * x - logsigmoid(x)";
    return tern_result(
        call, FORMULA(call->ctx, formula, "x t w", tern_arg(call, 0), tern_arg(call, 1), weight));
}

/* dx = g (sigmoid(x) - t), or g ((w t + 1 - t) sigmoid(x) - w t) with the weight w of positives;
 * dt = -g x, or g (log sigmoid(-x) - w log sigmoid(x)); dw = -g t log sigmoid(x). */
void tern_grad__bce_logits(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    static const char *const plain[] = {"(sigmoid(x) - t) * g", "g * -x"};
    static const char *const weighted[] = {"(((w * t + 1) - t) * sigmoid(x) - w * t) * g",
                                           "g * (logsigmoid(-x) - w * logsigmoid(x))",
                                           "-(g * (t * logsigmoid(x)))"};
    bool has_weight = tern_node_n_inputs(node) > 2;
    const tern_value values[] = {ARG_TENSOR(tern_node_input(node, 0)),
                                 ARG_TENSOR(tern_node_input(node, 1)),
                                 has_weight ? ARG_TENSOR(tern_node_input(node, 2)) : ARG_FLOAT(1.0),
                                 ARG_TENSOR(grad_out[0])};
    tern_formula_grads(node, has_weight ? weighted : plain, "x t w g", values, 4, grads);
}

tern_value tern_op_binary_cross_entropy_with_logits(tern_opcall *call) {
    tern_value x = tern_arg(call, 0), target = tern_arg(call, 1);
    tern_tensor *weight = tern_arg_tensor(call, 2);
    if (!same_shapes(call, x.as.tensor, target.as.tensor)) return tern_none();
    tern_tensor *loss = TERN_CALL(_bce_logits, x, target, tern_arg(call, 6));
    if (weight) loss = tern_mul(loss, weight);
    return tern_loss_result(call, loss, 5);
}

/* ---- kl_div ---- */

tern_value tern_op_kl_div(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    const char *name = tern_arg_text(call, 4, "mean");
    bool batchmean = name[0] == 'b';
    tern_reduction reduction = TERN_SUM;
    if (!batchmean && !tern_reduction_argument(call, 4, &reduction)) return tern_none();
    /* t log t is 0 at 0 */
    bool log_target = tern_arg_bool(call, 5, false);
    tern_tensor *loss = FORMULA(call->ctx, log_target ? "exp(t) * (t - x)" : "xlogy(t, t) - t * x",
                                "x t", ARG_TENSOR(x), tern_arg(call, 1));
    loss = tern_reduce_loss(loss, reduction);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (batchmean && BODY(x)->rank > 0) loss = tern_div_scalar(loss, (double)BODY(x)->shape[0]);
    return narrowed(call, loss);
}

/* ---- margins over classes ---- */

/* Scores as [N, C] and targets as [N, ...]: a vector is one sample. */
static tern_tensor *as_batch(tern_tensor *x) {
    if (BODY(x)->rank == 0) return tern_reshape(x, TERN_SHAPE(1, 1));
    return BODY(x)->rank == 1 ? tern_unsqueeze(x, 0) : x;
}

/* x above 0, else 0: NaN too, as PyTorch's comparison passes it over. */
static tern_tensor *positive_part(tern_tensor *x) {
    return tern_where(tern_gt_scalar(x, 0.0), x, tern_zeros_like(x));
}

/* Back from [N] to what the input had. */
static tern_tensor *from_batch(tern_opcall *call, tern_tensor *loss) {
    bool single = BODY(tern_arg_tensor(call, 0))->rank < 2;
    return single ? tern_reshape(loss, TERN_SCALAR_SHAPE) : loss;
}

tern_value tern_op_multi_margin_loss(tern_opcall *call) {
    tern_tensor *x = as_batch(tern_widen(tern_arg_tensor(call, 0)));
    tern_tensor *target = tern_reshape(tern_arg_tensor(call, 1), TERN_SHAPE(-1, 1));
    int64_t p = tern_arg_int(call, 2, 1);
    double margin = tern_arg_double(call, 3, 1.0);
    tern_tensor *weight = tern_arg_tensor(call, 4);
    tern_reduction reduction;
    if (!tern_reduction_argument(call, 7, &reduction) || call->ctx->status != TERN_OK)
        return tern_none();
    if ((p != 1 && p != 2) || BODY(x)->rank != 2 || BODY(x)->shape[1] == 0 ||
        BODY(target)->shape[0] != BODY(x)->shape[0])
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects p 1 or 2, input [N, C] and one target for each sample");
    tern_tensor *over = tern_add(tern_rsub_scalar(tern_gather(x, 1, target), margin), x);
    tern_tensor *counts = TERN_CALL(scatter_value, ARG_TENSOR(tern_gt_scalar(over, 0.0)),
                                    ARG_INT(1), ARG_TENSOR(target), ARG_BOOL(false));
    tern_tensor *none = tern_logical_not(counts); /* nor with itself */
    over = tern_fill_where(over, none, 0.0);
    if (p == 2) over = tern_mul(over, over);
    if (weight) {
        /* also the weight is 0 where nothing counts: it may be infinite */
        tern_tensor *w = tern_index_select(tern_widen(weight), 0, tern_squeeze(target, 1));
        w = tern_expand(tern_unsqueeze(w, 1), tern_shape_of(x));
        over = tern_mul(over, tern_fill_where(w, none, 0.0));
    }
    tern_tensor *loss = tern_sum_dims(over, TERN_SHAPE(1), false);
    loss = tern_div_scalar(loss, (double)BODY(x)->shape[1]);
    /* One loss a target: a vector of one where the target is one. */
    loss = tern_reshape(loss, tern_shape_of(tern_arg_tensor(call, 1)));
    return narrowed(call, tern_reduce_loss(loss, reduction));
}

/* Targets are class indices up to the first -1. */
tern_value tern_op_multilabel_margin_loss(tern_opcall *call) {
    tern_tensor *x = as_batch(tern_widen(tern_arg_tensor(call, 0)));
    tern_tensor *target = as_batch(tern_arg_tensor(call, 1));
    tern_reduction reduction;
    if (!tern_reduction_argument(call, 4, &reduction) || call->ctx->status != TERN_OK)
        return tern_none();
    if (BODY(x)->rank != 2 || !tern_same_shape(x, target))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "input and target must both be [N, C]");
    tern_tensor *there = TERN_CALL(ne, ARG_TENSOR(target), ARG_INT(-1));
    there = TERN_CALL(cumprod, ARG_TENSOR(tern_to_dtype(there, TERN_INT64)), ARG_INT(1));
    tern_tensor *index = tern_mul(target, there);
    tern_tensor *hits = tern_scatter_add(tern_zeros_like(index), 1, index, there);
    tern_tensor *own_class = TERN_CALL(ne, ARG_TENSOR(hits), ARG_INT(0));
    tern_tensor *own = tern_unsqueeze(tern_gather(x, 1, index), 2); /* [N, targets, 1] */
    /* 1 - own + x, added in this order: [N, targets, C] */
    tern_tensor *gap = tern_add(tern_rsub_scalar(own, 1.0), tern_unsqueeze(x, 1));
    tern_tensor *over = positive_part(gap);
    /* Filled rather than multiplied: an infinity that does not count must vanish. */
    over = tern_fill_where(over, tern_unsqueeze(own_class, 1), 0.0);
    over =
        tern_fill_where(over, tern_unsqueeze(TERN_CALL(eq, ARG_TENSOR(there), ARG_INT(0)), 2), 0.0);
    tern_tensor *loss = tern_sum_dims(over, TERN_SHAPE(1, 2), false);
    loss = from_batch(call, tern_div_scalar(loss, (double)BODY(x)->shape[1]));
    return narrowed(call, tern_reduce_loss(loss, reduction));
}

tern_value tern_op_multilabel_soft_margin_loss(tern_opcall *call) {
    tern_tensor *weight = tern_arg_tensor(call, 2);
    tern_tensor *loss =
        FORMULA(call->ctx, "-(y * logsigmoid(x) + (1 - y) * logsigmoid(-x))", "x y",
                ARG_TENSOR(tern_widen(tern_arg_tensor(call, 0))), tern_arg(call, 1));
    if (weight) loss = tern_mul(loss, tern_widen(weight));
    return tern_loss_result(call, tern_mean_dims(loss, TERN_SHAPE(-1), false), 5);
}

/* ---- C functions ---- */

tern_tensor *tern_binary_cross_entropy_with_logits(tern_tensor *input, tern_tensor *target,
                                                   tern_reduction reduction) {
    return TERN_CALL(binary_cross_entropy_with_logits, ARG_TENSOR(input), ARG_TENSOR(target),
                     tern_none(), tern_none(), tern_none(), tern_reduction_value(reduction));
}
