/*
 * loss_distance.c: losses of differences and distances: smooth_l1, huber, soft margin, ranking,
 * embedding, triplet, Poisson and Gaussian likelihoods; pairwise_distance and cosine_similarity, which
 * they are made of.
 */
#include "core/ops/compose.h"
#include "loss.h"

/* An argument in the dtype to compute in; integers stay: their differences wrap as PyTorch's do. */
static tern_tensor *operand(tern_opcall *call, int index) {
    return tern_widen(tern_arg_tensor(call, index));
}

/* The same, but integers count as float32. */
static tern_tensor *wide(tern_opcall *call, int index) {
    return tern_widen(tern_loss_floats(call, index));
}

/* max(0, h), whose slope at 0 is 0: clamp's own would be 1. */
#define POSITIVE "where(h == 0, 0, clamp(h, 0, inf))"

/* Argument `index` as an operand of a formula that computes in floats. */
#define FLOATS(index) ARG_TENSOR(tern_loss_floats(call, index))

/* ---- differences ---- */

/* d^2 / 2 times `inner` up to the bound, `outer` (|d| - bound / 2) beyond; NaN is not beyond. What a
 * branch does not take is 0 there, that no infinity of it meets the 0 of its gradient. */
static tern_tensor *quadratic_then_linear(tern_opcall *call, double bound, double inner,
                                          double outer) {
    return FORMULA(call->ctx,
                   "d = x - t; s = abs(d); beyond = s >= bound; near = where(beyond, 0, d);"
                   "where(beyond, (s - 0.5 * bound) * outer, near * near * (0.5 * inner))",
                   "x t bound inner outer", FLOATS(0), FLOATS(1), ARG_FLOAT(bound),
                   ARG_FLOAT(inner), ARG_FLOAT(outer));
}

tern_value tern_op_smooth_l1_loss(tern_opcall *call) {
    double beta = tern_arg_double(call, 5, 1.0);
    if (!(beta >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "does not support negative values for beta, got %g", beta);
    if (beta == 0.0)
        return tern_loss_result(call, FORMULA(call->ctx, "abs(x - t)", "x t", FLOATS(0), FLOATS(1)),
                                4);
    return tern_loss_result(call, quadratic_then_linear(call, beta, 1.0 / beta, 1.0), 4);
}

tern_value tern_op_huber_loss(tern_opcall *call) {
    double delta = tern_arg_double(call, 3, 1.0);
    if (!(delta > 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "does not support non-positive values for delta, got %g", delta);
    return tern_loss_result(call, quadratic_then_linear(call, delta, 1.0, delta), 2);
}

tern_value tern_op_soft_margin_loss(tern_opcall *call) {
    tern_tensor *loss = FORMULA(call->ctx, "log1p(exp(-(y * x)))", "x y", FLOATS(0), FLOATS(1));
    return tern_loss_result(call, loss, 4);
}

/* max(0, margin - y (a - b)). What is made of integers wraps, and the margin makes a float of it. */
tern_value tern_op_margin_ranking_loss(tern_opcall *call) {
    tern_value a = tern_arg(call, 0), b = tern_arg(call, 1), y = tern_arg(call, 2);
    tern_value margin = ARG_FLOAT(tern_arg_double(call, 3, 0.0));
    tern_tensor *loss;
    if (tern_dtype_is_floating(tern_result_type(call->args, 2))) {
        loss = FORMULA(call->ctx, "h = -(y * (a - b)) + margin; " POSITIVE, "a b y margin", a, b, y,
                       margin);
    } else {
        tern_tensor *product = tern_mul(y.as.tensor, tern_sub(a.as.tensor, b.as.tensor));
        loss = FORMULA(call->ctx, "h = p + margin; " POSITIVE, "p margin",
                       ARG_TENSOR(tern_neg(product)), margin);
    }
    return tern_loss_result(call, loss, 6);
}

/* y = 1: x; y = -1: max(0, margin - x) */
tern_value tern_op_hinge_embedding_loss(tern_opcall *call) {
    tern_tensor *loss = FORMULA(
        call->ctx, "h = margin - x; where(y == 1, 0, clamp(h, 0, inf)) + where(y == -1, 0, x)",
        "x y margin", FLOATS(0), ARG_TENSOR(tern_arg_tensor(call, 1)),
        ARG_FLOAT(tern_arg_double(call, 2, 1.0)));
    return tern_loss_result(call, loss, 5);
}

/* ---- likelihoods ---- */

tern_value tern_op_poisson_nll_loss(tern_opcall *call) {
    /* Stirling's term is for targets above 1. */
    static const char *const formulas[2][2] = {
        {"x - t * log(x + eps)",
         "x - t * log(x + eps) + where(t <= 1, 0, t * log(t) - t + log(t * (2 * pi)) * 0.5)"},
        {"exp(x) - t * x",
         "exp(x) - t * x + where(t <= 1, 0, t * log(t) - t + log(t * (2 * pi)) * 0.5)"}};
    bool log_input = tern_arg_bool(call, 2, true), full = tern_arg_bool(call, 3, false);
    tern_tensor *loss = FORMULA(call->ctx, formulas[log_input][full], "x t eps", FLOATS(0),
                                FLOATS(1), ARG_FLOAT(tern_arg_double(call, 5, 1e-8)));
    return tern_loss_result(call, loss, 7);
}

/* The variance may lack the last dimension. */
static tern_tensor *variance(tern_opcall *call, const tern_tensor *x) {
    tern_tensor *var = tern_loss_floats(call, 2);
    if (BODY(var)->rank != BODY(x)->rank - 1 ||
        (BODY(var)->rank > 0 &&
         BODY(var)->shape[BODY(var)->rank - 1] != BODY(x)->shape[BODY(x)->rank - 2]))
        return var;
    return tern_unsqueeze(var, -1);
}

/* (log v + (x - t)^2 / v) / 2, where v is the variance raised to eps: that changes the value, and lets the
 * gradient through. */
tern_value tern_op_gaussian_nll_loss(tern_opcall *call) {
    static const char *const formulas[] = {
        "v = var + (clamp(own, eps, inf) - own); d = x - t; (log(v) + d * d / v) * 0.5",
        "v = var + (clamp(own, eps, inf) - own); d = x - t;"
        "(log(v) + d * d / v) * 0.5 + 0.5 * log(2 * pi)"};
    tern_tensor *x = tern_loss_floats(call, 0), *t = tern_loss_floats(call, 1);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *var = variance(call, x);
    if (tern_loss_refuses(call, FORMULA(call->ctx, "var < 0", "var", ARG_TENSOR(var)),
                          "var has negative entry/entries"))
        return tern_none();
    tern_tensor *loss =
        FORMULA(call->ctx, formulas[tern_arg_bool(call, 3, false)], "x t var own eps",
                ARG_TENSOR(x), ARG_TENSOR(t), ARG_TENSOR(var), ARG_TENSOR(tern_detach(var)),
                ARG_FLOAT(tern_arg_double(call, 4, 1e-6)));
    return tern_loss_result(call, loss, 5);
}

/* ---- distances ---- */

/* The p-norm of a - b + eps over the last dimension. */
static tern_tensor *distance(tern_tensor *a, tern_tensor *b, double p, double eps, bool keepdim) {
    tern_tensor *d = tern_sub(a, b);
    if (!tern_dtype_is_floating(BODY(d)->dtype)) d = tern_to_dtype(d, TERN_FLOAT32);
    d = tern_add_scalar(d, eps);
    return TERN_CALL(vector_norm, ARG_TENSOR(d), ARG_FLOAT(p), ARG_INT(-1), ARG_BOOL(keepdim));
}

tern_value tern_op_pairwise_distance(tern_opcall *call) {
    return tern_narrowed(call,
                         distance(operand(call, 0), operand(call, 1), tern_arg_double(call, 2, 2.0),
                                  tern_arg_double(call, 3, 1e-6), tern_arg_bool(call, 4, false)));
}

tern_value tern_op_cosine_similarity(tern_opcall *call) {
    tern_tensor *a = wide(call, 0), *b = wide(call, 1);
    tern_value dim = ARG_INT(tern_arg_int(call, 2, 1));
    double eps = tern_arg_double(call, 3, 1e-8);
    tern_tensor *both[2] = {a, b};
    tern_shape shape;
    if (call->ctx->status != TERN_OK || !tern_broadcast_shape(call, both, 2, &shape))
        return tern_none();
    for (int i = 0; i < 2; i++) {
        both[i] = tern_expand(both[i], shape);
        tern_tensor *norm =
            TERN_CALL(vector_norm, ARG_TENSOR(both[i]), ARG_FLOAT(2.0), dim, ARG_BOOL(true));
        /* A norm is raised to eps without a gradient of its own: that of the norm goes through. */
        tern_tensor *raised = tern_add(norm, tern_detach(tern_rsub_scalar(norm, eps)));
        both[i] = tern_div(both[i], tern_where(tern_ge_scalar(norm, eps), norm, raised));
    }
    return tern_narrowed(call, TERN_CALL(sum, ARG_TENSOR(tern_mul(both[0], both[1])), dim));
}

/* y = 1: 1 - cos; y = -1: max(0, cos - margin) */
tern_value tern_op_cosine_embedding_loss(tern_opcall *call) {
    const double eps = 1e-12;
    tern_tensor *a = wide(call, 0), *b = wide(call, 1), *y = tern_arg_tensor(call, 2);
    if (BODY(y)->dtype == TERN_UINT8) y = tern_to_dtype(y, TERN_INT8); /* 255 stands for -1 */
    tern_shape last = TERN_SHAPE(-1);
    tern_tensor *product = tern_sum_dims(tern_mul(a, b), last, false);
    tern_tensor *size_a = tern_add_scalar(tern_sum_dims(tern_mul(a, a), last, false), eps);
    tern_tensor *size_b = tern_add_scalar(tern_sum_dims(tern_mul(b, b), last, false), eps);
    tern_tensor *loss =
        FORMULA(call->ctx,
                "c = p / sqrt(a * b);"
                "h = c - margin; where(y == 1, 1 - c, 0) + where(y == -1, " POSITIVE ", 0)",
                "p a b y margin", ARG_TENSOR(product), ARG_TENSOR(size_a), ARG_TENSOR(size_b),
                ARG_TENSOR(y), ARG_FLOAT(tern_arg_double(call, 3, 0.0)));
    return tern_loss_result(call, loss, 6);
}

/* max(0, positive - negative + margin); `between`, where there is one, may be the nearer negative. */
static tern_tensor *triplet(tern_opcall *call, tern_tensor *positive, tern_tensor *negative,
                            tern_tensor *between, double margin) {
    return FORMULA(call->ctx,
                   between ? "h = p - minimum(n, b) + margin; " POSITIVE
                           : "h = p - n + margin; " POSITIVE,
                   "p n margin b", ARG_TENSOR(positive), ARG_TENSOR(negative), ARG_FLOAT(margin),
                   between ? ARG_TENSOR(between) : ARG_FLOAT(0));
}

tern_value tern_op_triplet_margin_loss(tern_opcall *call) {
    tern_tensor *a = operand(call, 0), *p = operand(call, 1), *n = operand(call, 2);
    double order = tern_arg_double(call, 4, 2.0), eps = tern_arg_double(call, 5, 1e-6);
    bool swap = tern_arg_bool(call, 6, false);
    tern_tensor *loss =
        triplet(call, distance(a, p, order, eps, false), distance(a, n, order, eps, false),
                swap ? distance(p, n, order, eps, false) : NULL, tern_arg_double(call, 3, 1.0));
    return tern_loss_result(call, loss, 9);
}

/* With the distance that PyTorch takes where none is given. */
tern_value tern_op_triplet_margin_with_distance_loss(tern_opcall *call) {
    tern_tensor *a = operand(call, 0), *p = operand(call, 1), *n = operand(call, 2);
    bool swap = tern_arg_bool(call, 4, false);
    tern_tensor *loss =
        triplet(call, distance(a, p, 2.0, 1e-6, false), distance(a, n, 2.0, 1e-6, false),
                swap ? distance(p, n, 2.0, 1e-6, false) : NULL, tern_arg_double(call, 3, 1.0));
    return tern_loss_result(call, loss, 5);
}

/* ---- C functions ---- */

tern_tensor *tern_smooth_l1_loss(tern_tensor *input, tern_tensor *target,
                                 tern_reduction reduction) {
    return TERN_CALL(smooth_l1_loss, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(),
                     tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_huber_loss(tern_tensor *input, tern_tensor *target, tern_reduction reduction) {
    return TERN_CALL(huber_loss, ARG_TENSOR(input), ARG_TENSOR(target),
                     tern_reduction_value(reduction));
}
