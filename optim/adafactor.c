/*
 * adafactor.c: Adafactor (Shazeer and Stern 2018), as torch.optim.Adafactor.
 *
 *     w = t^beta2_decay                    rho = min(lr, 1 / sqrt(t))
 *     row_var [..., n, 1] = lerp(row_var, mean of g g over dim -1, w)
 *     col_var [..., 1, m] = lerp(col_var, mean of g g over dim -2, w)
 *     v = row_var * col_var / max(mean of row_var over dim -2, eps1)      a vector: v = lerp(v, g g, w)
 *     u = g / sqrt(max(v, eps1^2))
 *     p = p (1 - lr wd) - max(eps2, |p| / sqrt(numel)) rho / max(1, |u| / (sqrt(numel) d)) u
 *
 * The means and norms are no formulas over a tuple. `propose` computes them for all parameters; what it
 * keeps of a matrix are vectors, so that the memory that the method saves stays saved. The matrix u is
 * then computed a second time, by the update.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "classes.h"

static const tern_adafactor_options adafactor_defaults = TERN_ADAFACTOR_OPTIONS;

static const tern_field adafactor_fields[] = {
    TERN_FIELD(tern_adafactor_options, lr, lr),
    TERN_FIELD(tern_adafactor_options, beta2_decay, beta2_decay),
    TERN_FIELD(tern_adafactor_options, eps, eps),
    TERN_FIELD(tern_adafactor_options, d, d),
    TERN_FIELD(tern_adafactor_options, weight_decay, weight_decay),
    TERN_FIELD(tern_adafactor_options, foreach, foreach),
    TERN_FIELD(tern_adafactor_options, maximize, maximize),
    TERN_FIELD_END,
};

enum { ROW_VAR, COL_VAR, VARIANCE };
/* What is kept: the new row_var and col_var under their numbers, and */
enum { DIVISOR = 2, FACTOR };

static const tern_state_key adafactor_keys[] = {{"step", true, 0},
                                                {"row_var", false, ROW_VAR},
                                                {"col_var", false, COL_VAR},
                                                {"variance", false, VARIANCE},
                                                {NULL, false, 0}};

static const tern_option_rule adafactor_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Learning rate should be >= 0 but is"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "weight_decay should be >= 0 but is"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static bool refuse(tern_ctx *ctx, const char *rule, double value) {
    char shown[32];
    tern_format_double(value, shown);
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s but is: %s", rule, shown);
    return false;
}

static bool adafactor_check(tern_ctx *ctx, const void *options) {
    const tern_adafactor_options *o = options;
    if (!(o->beta2_decay <= 0)) return refuse(ctx, "beta2_decay should be <= 0", o->beta2_decay);
    if (o->eps.first.has && !(o->eps.first.value >= 0))
        return refuse(ctx, "epsilon1 should be >= 0", o->eps.first.value);
    if (!(o->eps.second >= 0)) return refuse(ctx, "epsilon2 should be >= 0", o->eps.second);
    return o->d >= 1 || refuse(ctx, "Clipping threshold d should be >= 1", o->d);
}

static bool is_factored(const tern_tensor *param) {
    return tern_rank(param) > 1;
}

static uint32_t adafactor_needs(const void *options, const tern_tensor *param) {
    (void)options;
    return is_factored(param) ? 1u << ROW_VAR | 1u << COL_VAR : 1u << VARIANCE;
}

static tern_shape adafactor_shape(const tern_tensor *param, int tensor) {
    tern_shape shape = tern_shape_of(param);
    if (is_factored(param) && tensor == ROW_VAR) shape.dim[shape.rank - 1] = 1;
    if (is_factored(param) && tensor == COL_VAR) shape.dim[shape.rank - 2] = 1;
    return shape;
}

static double epsilon1(const tern_update_call *u) {
    const tern_adafactor_options *o = u->options;
    if (o->eps.first.has) return o->eps.first.value;
    switch (tern_dtype_of(u->param)) {
    case TERN_FLOAT64: return DBL_EPSILON;
    case TERN_FLOAT16: return 0x1p-10;
    case TERN_BFLOAT16: return 0x1p-7;
    default: return (double)FLT_EPSILON;
    }
}

/* The weight of the new squares in step number `step`. */
static double new_weight(const tern_adafactor_options *o, double step) {
    return pow(step, o->beta2_decay);
}

/* u from the gradient and its variance. */
static tern_tensor *direction(tern_update_call *u, tern_tensor *variance, tern_tensor *grad) {
    double eps1 = epsilon1(u);
    tern_tensor *root = tern_sqrt(tern_clamp(variance, eps1 * eps1, (double)INFINITY));
    return tern_mul(tern_reciprocal(root), grad);
}

/* ---- before the first update ----------------------------------------------------------------- */

static tern_tensor *lerped_mean(tern_tensor *old, tern_tensor *squares, int dim, double weight) {
    return tern_lerp(old, tern_mean_dims(squares, TERN_SHAPE(dim), true), weight);
}

/* max(eps2, |p| / sqrt(n)) / max(1, |u| / (sqrt(n) d)), 0-dim. Neither rho nor lr is in it: 16 bits
 * hold what is left well. */
static tern_tensor *step_factor(tern_update_call *u, tern_tensor *direction) {
    const tern_adafactor_options *o = u->options;
    bool is_double = tern_dtype_of(u->param) == TERN_FLOAT64;
    tern_dtype wide = is_double ? TERN_FLOAT64 : TERN_FLOAT32;
    double root = sqrt((double)tern_numel(u->param));
    tern_tensor *size = tern_div_scalar(tern_norm2(tern_to_dtype(u->param, wide)), root);
    tern_tensor *change = tern_div_scalar(tern_norm2(tern_to_dtype(direction, wide)), root * o->d);
    return tern_div(tern_clamp(size, o->eps.second, (double)INFINITY),
                    tern_clamp(change, 1, (double)INFINITY));
}

/* Room on the parameter's device that lasts until the updates. */
static tern_tensor *room(const tern_update_call *u, tern_shape shape) {
    return tern_to_device(tern_empty(u->ctx, shape, tern_dtype_of(u->param)),
                          tern_device_of(u->param));
}

/* Keeps the new row_var, col_var and the divisor; returns row_var col_var / divisor. */
static tern_tensor *propose_factored(tern_update_call *u, tern_tensor *grad, double weight) {
    tern_tensor *squares = tern_mul(grad, grad);
    tern_tensor *rows = lerped_mean(u->state->tensor[ROW_VAR], squares, -1, weight);
    tern_tensor *cols = lerped_mean(u->state->tensor[COL_VAR], squares, -2, weight);
    tern_tensor *mean = tern_mean_dims(rows, TERN_SHAPE(-2), true);
    tern_tensor *divisor = tern_clamp(mean, epsilon1(u), (double)INFINITY);
    tern_copy_in_place(u->kept[ROW_VAR], rows);
    tern_copy_in_place(u->kept[COL_VAR], cols);
    tern_copy_in_place(u->kept[DIVISOR], divisor);
    return tern_div(tern_mul(rows, cols), divisor);
}

static void adafactor_propose(tern_update_call *u) {
    const tern_adafactor_options *o = u->options;
    double weight = new_weight(o, u->state->scalar[0] + 1);
    bool factored = is_factored(u->param);
    if (factored) {
        tern_shape one = adafactor_shape(u->param, ROW_VAR);
        u->kept[ROW_VAR] = room(u, one);
        u->kept[COL_VAR] = room(u, adafactor_shape(u->param, COL_VAR));
        one.dim[one.rank - 2] = 1;
        u->kept[DIVISOR] = room(u, one);
    }
    u->kept[FACTOR] = room(u, TERN_SCALAR_SHAPE);
    tern_scope scope = tern_scope_begin(u->ctx, TERN_NO_GRAD);
    tern_tensor *grad = o->maximize ? tern_neg(u->grad) : u->grad;
    tern_tensor *variance =
        factored ? propose_factored(u, grad, weight)
                 : tern_lerp(u->state->tensor[VARIANCE], tern_mul(grad, grad), weight);
    tern_copy_in_place(u->kept[FACTOR], step_factor(u, direction(u, variance, grad)));
    tern_scope_end(scope);
}

/* ---- the update ------------------------------------------------------------------------------ */

static const tern_update_rule adafactor_rule = {
    .tensors = "p g row col variance new_row new_col divisor factor",
    .numbers = "weight smallest shrink rate",
    .flags = "maximize decays factored",
    .formula = "d = -g if maximize else g;"
               "variance = variance if factored else lerp(variance, d * d, weight);"
               "v = new_row * new_col / divisor if factored else variance;"
               "u = reciprocal(sqrt(clamp(v, smallest, inf))) * d;"
               "p = p * shrink if decays else p;"
               "p = add(p, u * factor, rate)",
};

static uint32_t adafactor_plan(tern_update_call *u) {
    const tern_adafactor_options *o = u->options;
    double step = ++u->scalar[0], eps1 = epsilon1(u);
    const double numbers[] = {new_weight(o, step), eps1 * eps1, 1 - o->lr * o->weight_decay,
                              -fmin(o->lr, 1 / sqrt(step))};
    memcpy(u->number, numbers, sizeof numbers);
    return TERN_FLAGS(o->maximize, o->weight_decay != 0, is_factored(u->param));
}

const tern_optim_class tern_adafactor_class = {
    .name = "Adafactor",
    .schema = "Adafactor(float lr=0.01, float beta2_decay=-0.8, any eps=(None, 0.001), "
              "float d=1.0, float weight_decay=0.0, *, bool? foreach=None, bool maximize=False)",
    .options_size = sizeof(tern_adafactor_options),
    .defaults = &adafactor_defaults,
    .fields = adafactor_fields,
    .keys = adafactor_keys,
    .rules = adafactor_rules,
    .check = adafactor_check,
    .needs = adafactor_needs,
    .state_shape = adafactor_shape,
    .propose = adafactor_propose,
    .replaced = 1u << ROW_VAR | 1u << COL_VAR,
    .rule = &adafactor_rule,
    .plan = adafactor_plan,
};

tern_optim *tern_adafactor_new(tern_ctx *ctx, tern_value params,
                               const tern_adafactor_options *options) {
    return tern_optim_of_class(ctx, &tern_adafactor_class, params, options);
}
