/* sched_formulas.c: schedulers whose learning rate is a formula of the epoch. PyTorch's chainable
 * forms, with its roundings, and its closed forms. */
#include <math.h>

#include "sched.h"
#include "tern/formula.h"

#define PI 3.14159265358979323846

static bool refuse(tern_sched_body *s, const char *message) {
    tern_fail(s->ctx, TERN_ERR_ARGUMENT, "%s: %s", s->cls->name, message);
    return false;
}

/* ---- StepLR ---------------------------------------------------------------------------------- */

static bool step_lr_init(tern_sched_body *s) {
    return s->args.step_size > 0 || refuse(s, "step_size must be positive");
}

static double step_lr_next(tern_sched_body *s, size_t group, double lr) {
    (void)group;
    bool now = s->last_epoch != 0 && s->last_epoch % s->args.step_size == 0;
    return now ? lr * s->args.gamma : lr;
}

static double step_lr_closed(const tern_sched_body *s, size_t group) {
    int64_t drops = s->last_epoch / s->args.step_size;
    return s->base_lrs[group] * pow(s->args.gamma, (double)drops);
}

const tern_sched_class tern_step_lr_class = {
    .name = "StepLR",
    .schema = "StepLR(int step_size, float gamma=0.1)",
    .init = step_lr_init,
    .next = step_lr_next,
    .closed = step_lr_closed,
};

tern_sched *tern_step_lr_new(tern_optim *optim, int64_t step_size, double gamma) {
    tern_sched_args args = {.step_size = step_size, .gamma = gamma};
    return tern_sched_of_class(optim, &tern_step_lr_class, &args, NULL, NULL);
}

/* ---- MultiStepLR ----------------------------------------------------------------------------- */

static double multi_step_next(tern_sched_body *s, size_t group, double lr) {
    int times = 0;
    (void)group;
    for (size_t i = 0; i < s->args.milestones.count; i++)
        times += s->args.milestones.items[i] == s->last_epoch;
    return times ? lr * pow(s->args.gamma, times) : lr;
}

static double multi_step_closed(const tern_sched_body *s, size_t group) {
    int passed = 0;
    for (size_t i = 0; i < s->args.milestones.count; i++)
        passed += s->args.milestones.items[i] <= s->last_epoch;
    return s->base_lrs[group] * pow(s->args.gamma, passed);
}

const tern_sched_class tern_multi_step_lr_class = {
    .name = "MultiStepLR",
    .schema = "MultiStepLR(int[] milestones, float gamma=0.1)",
    .next = multi_step_next,
    .closed = multi_step_closed,
};

tern_sched *tern_multi_step_lr_new(tern_optim *optim, const int64_t *milestones, size_t count,
                                   double gamma) {
    if (optim && count > 0 &&
        !tern_argument_given(tern_optim_context(optim), "MultiStepLR", "milestones", milestones))
        return NULL;
    tern_sched_args args = {.milestones = {milestones, count}, .gamma = gamma};
    return tern_sched_of_class(optim, &tern_multi_step_lr_class, &args, NULL, NULL);
}

/* ---- ConstantLR ------------------------------------------------------------------------------ */

static bool constant_init(tern_sched_body *s) {
    if (s->args.factor >= 0 && s->args.factor <= 1) return true;
    return refuse(s, "Constant multiplicative factor expected to be between 0 and 1.");
}

static double constant_next(tern_sched_body *s, size_t group, double lr) {
    (void)group;
    if (s->last_epoch == 0) return lr * s->args.factor;
    return s->last_epoch == s->args.total_iters ? lr * (1.0 / s->args.factor) : lr;
}

static double constant_closed(const tern_sched_body *s, size_t group) {
    double over = s->last_epoch >= s->args.total_iters ? 1 : 0;
    return s->base_lrs[group] * (s->args.factor + over * (1 - s->args.factor));
}

const tern_sched_class tern_constant_lr_class = {
    .name = "ConstantLR",
    .schema = "ConstantLR(float factor=0.3333333333333333, int total_iters=5)",
    .init = constant_init,
    .next = constant_next,
    .closed = constant_closed,
};

/* ---- LinearLR -------------------------------------------------------------------------------- */

static bool linear_init(tern_sched_body *s) {
    if (!(s->args.start_factor > 0 && s->args.start_factor <= 1))
        return refuse(s, "Starting multiplicative factor expected to be greater than 0 and less "
                         "or equal to 1.");
    if (!(s->args.end_factor >= 0 && s->args.end_factor <= 1))
        return refuse(s, "Ending multiplicative factor expected to be between 0 and 1.");
    return true;
}

static double linear_next(tern_sched_body *s, size_t group, double lr) {
    const tern_sched_args *a = &s->args;
    double total = (double)a->total_iters, span = a->end_factor - a->start_factor;
    (void)group;
    if (s->last_epoch == 0) return lr * a->start_factor;
    if (s->last_epoch > a->total_iters) return lr;
    return lr * (1.0 + span / (total * a->start_factor + (double)(s->last_epoch - 1) * span));
}

static double linear_closed(const tern_sched_body *s, size_t group) {
    const tern_sched_args *a = &s->args;
    double epoch = (double)(s->last_epoch < a->total_iters ? s->last_epoch : a->total_iters);
    return s->base_lrs[group] *
           (a->start_factor + (a->end_factor - a->start_factor) * epoch / (double)a->total_iters);
}

const tern_sched_class tern_linear_lr_class = {
    .name = "LinearLR",
    .schema = "LinearLR(float start_factor=0.3333333333333333, float end_factor=1.0, "
              "int total_iters=5)",
    .init = linear_init,
    .next = linear_next,
    .closed = linear_closed,
};

tern_sched *tern_linear_lr_new(tern_optim *optim, double start_factor, double end_factor,
                               int64_t total_iters) {
    tern_sched_args args = {
        .start_factor = start_factor, .end_factor = end_factor, .total_iters = total_iters};
    return tern_sched_of_class(optim, &tern_linear_lr_class, &args, NULL, NULL);
}

/* ---- ExponentialLR --------------------------------------------------------------------------- */

static double exponential_next(tern_sched_body *s, size_t group, double lr) {
    (void)group;
    return s->last_epoch == 0 ? lr : lr * s->args.gamma;
}

static double exponential_closed(const tern_sched_body *s, size_t group) {
    return s->base_lrs[group] * pow(s->args.gamma, (double)s->last_epoch);
}

const tern_sched_class tern_exponential_lr_class = {
    .name = "ExponentialLR",
    .schema = "ExponentialLR(float gamma)",
    .next = exponential_next,
    .closed = exponential_closed,
};

tern_sched *tern_exponential_lr_new(tern_optim *optim, double gamma) {
    tern_sched_args args = {.gamma = gamma};
    return tern_sched_of_class(optim, &tern_exponential_lr_class, &args, NULL, NULL);
}

/* ---- PolynomialLR ---------------------------------------------------------------------------- */

static double polynomial_next(tern_sched_body *s, size_t group, double lr) {
    double total = (double)s->args.total_iters, epoch = (double)s->last_epoch;
    (void)group;
    if (s->last_epoch == 0 || s->last_epoch > s->args.total_iters) return lr;
    return lr * pow((1.0 - epoch / total) / (1.0 - (epoch - 1) / total), s->args.power);
}

static double polynomial_closed(const tern_sched_body *s, size_t group) {
    double total = (double)s->args.total_iters, epoch = (double)s->last_epoch;
    return s->base_lrs[group] * pow(1.0 - (epoch < total ? epoch : total) / total, s->args.power);
}

const tern_sched_class tern_polynomial_lr_class = {
    .name = "PolynomialLR",
    .schema = "PolynomialLR(int total_iters=5, float power=1.0)",
    .next = polynomial_next,
    .closed = polynomial_closed,
};

/* ---- CosineAnnealingLR (Loshchilov and Hutter 2017) ------------------------------------------ */

static bool cosine_init(tern_sched_body *s) {
    return s->args.t_max > 0 || refuse(s, "T_max must be positive");
}

static double cosine_next(tern_sched_body *s, size_t group, double lr) {
    double t = (double)s->args.t_max, epoch = (double)s->last_epoch, low = s->args.eta_min;
    if (s->last_epoch == 0) return lr;
    if ((s->last_epoch - 1 - s->args.t_max) % (2 * s->args.t_max) == 0)
        return lr + (s->base_lrs[group] - low) * (1 - cos(PI / t)) / 2;
    return (1 + cos(PI * epoch / t)) / (1 + cos(PI * (epoch - 1) / t)) * (lr - low) + low;
}

static double cosine_closed(const tern_sched_body *s, size_t group) {
    double epoch = (double)s->last_epoch, low = s->args.eta_min;
    return low + (s->base_lrs[group] - low) * (1 + cos(PI * epoch / (double)s->args.t_max)) / 2;
}

const tern_sched_class tern_cosine_annealing_lr_class = {
    .name = "CosineAnnealingLR",
    .schema = "CosineAnnealingLR(int T_max, float eta_min=0.0)",
    .init = cosine_init,
    .next = cosine_next,
    .closed = cosine_closed,
};

tern_sched *tern_cosine_annealing_lr_new(tern_optim *optim, int64_t t_max, double eta_min) {
    tern_sched_args args = {.t_max = t_max, .eta_min = eta_min};
    return tern_sched_of_class(optim, &tern_cosine_annealing_lr_class, &args, NULL, NULL);
}

/* ---- CosineAnnealingWarmRestarts ------------------------------------------------------------- */

static const tern_field warm_state[] = {TERN_FIELD(tern_sched_args, T_i, t_i),
                                        TERN_FIELD(tern_sched_args, T_cur, t_cur), TERN_FIELD_END};

static double warm_lr(const tern_sched_body *s, size_t group) {
    double low = s->args.eta_min, position = (double)s->args.t_cur, length = (double)s->args.t_i;
    return low + (s->base_lrs[group] - low) * (1 + cos(PI * position / length)) / 2;
}

/* Where `epoch` lies: in which restart, and how far from its beginning. */
static void warm_place(tern_sched_body *s, int64_t epoch) {
    tern_sched_args *a = &s->args;
    a->t_i = a->t_0;
    a->t_cur = epoch;
    while (a->t_cur >= a->t_i) {
        a->t_cur -= a->t_i;
        a->t_i = a->t_i > INT64_MAX / a->t_mult ? INT64_MAX : a->t_i * a->t_mult;
    }
}

static tern_status warm_step(tern_sched_body *s, int64_t epoch, double metric) {
    tern_sched_args *a = &s->args;
    (void)metric;
    if (epoch < 0 && s->last_epoch >= 0) {
        s->last_epoch++;
        if (++a->t_cur >= a->t_i) {
            a->t_cur -= a->t_i;
            a->t_i = a->t_i > INT64_MAX / a->t_mult ? INT64_MAX : a->t_i * a->t_mult;
        }
    } else {
        s->last_epoch = epoch < 0 ? 0 : epoch;
        if (a->t_mult == 1) {
            a->t_i = a->t_0;
            a->t_cur = s->last_epoch % a->t_0;
        } else {
            warm_place(s, s->last_epoch);
        }
    }
    for (size_t g = 0; g < s->n_groups; g++) tern_group_set_lr(s->optim, g, warm_lr(s, g));
    tern_sched_note_lr(s);
    return TERN_OK;
}

static bool warm_init(tern_sched_body *s) {
    if (s->args.t_0 <= 0) return refuse(s, "Expected positive integer T_0");
    if (s->args.t_mult < 1) return refuse(s, "Expected integer T_mult >= 1");
    return true;
}

const tern_sched_class tern_cosine_warm_restarts_class = {
    .name = "CosineAnnealingWarmRestarts",
    .schema = "CosineAnnealingWarmRestarts(int T_0, int T_mult=1, float eta_min=0.0)",
    .state = warm_state,
    .init = warm_init,
    .step = warm_step,
    .steps_at_start = true,
};

/* ---- LambdaLR, MultiplicativeLR -------------------------------------------------------------- */

/* The formula of a group: one for all, or one a group. */
static const char *formula_of(const tern_sched_body *s, size_t group) {
    tern_value formulas = s->args.lr_lambda, item = formulas;
    size_t count = tern_value_count(formulas);
    if (formulas.kind == TERN_VALUE_LIST || formulas.kind == TERN_VALUE_TUPLE)
        item = tern_value_at(formulas, group < count ? group : 0);
    return item.kind == TERN_VALUE_STRING ? item.as.s : NULL;
}

static bool lambda_init(tern_sched_body *s) {
    tern_value formulas = s->args.lr_lambda;
    size_t count = tern_value_count(formulas);
    bool is_list = formulas.kind == TERN_VALUE_LIST || formulas.kind == TERN_VALUE_TUPLE;
    if (s->lambda) return true;
    if (is_list && count != s->n_groups) {
        tern_fail(s->ctx, TERN_ERR_ARGUMENT, "Expected %zu lr_lambdas, but got %zu", s->n_groups,
                  count);
        return false;
    }
    for (size_t g = 0; g < s->n_groups; g++)
        if (!formula_of(s, g))
            return refuse(s, "lr_lambda is a formula in epoch, '0.95 ** epoch' say");
    return true;
}

static double factor_at(tern_sched_body *s, size_t group) {
    char message[160];
    double value;
    if (s->lambda) return s->lambda(s->last_epoch, s->lambda_user);
    const char *formula = formula_of(s, group);
    if (!tern_formula_eval(formula, (double)s->last_epoch, &value, message, sizeof message))
        tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: lr_lambda '%s': %s", s->cls->name, formula,
                  message);
    else if (!isfinite(value))
        tern_fail(s->ctx, TERN_ERR_ARGUMENT, "%s: lr_lambda '%s' is not finite at epoch %lld",
                  s->cls->name, formula, (long long)s->last_epoch);
    return value;
}

static double lambda_next(tern_sched_body *s, size_t group, double lr) {
    (void)lr;
    return s->base_lrs[group] * factor_at(s, group);
}

static double multiplicative_next(tern_sched_body *s, size_t group, double lr) {
    return s->last_epoch > 0 ? lr * factor_at(s, group) : lr;
}

const tern_sched_class tern_lambda_lr_class = {
    .name = "LambdaLR",
    .schema = "LambdaLR(any lr_lambda)",
    .unsaved = "lr_lambda",
    .init = lambda_init,
    .next = lambda_next,
};

const tern_sched_class tern_multiplicative_lr_class = {
    .name = "MultiplicativeLR",
    .schema = "MultiplicativeLR(any lr_lambda)",
    .unsaved = "lr_lambda",
    .init = lambda_init,
    .next = multiplicative_next,
};

tern_sched *tern_lambda_lr_new(tern_optim *optim, tern_lr_lambda lambda, void *user) {
    tern_sched_args args = {0};
    return tern_sched_of_class(optim, &tern_lambda_lr_class, &args, lambda, user);
}
