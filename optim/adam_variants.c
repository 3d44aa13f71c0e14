/* adam_variants.c: Adamax (Kingma and Ba 2015), NAdam (Dozat 2016), RAdam (Liu et al. 2020). */
#include <math.h>
#include <string.h>

#include "classes.h"

typedef struct adam_variant_options {
    size_t size;
    double lr;
    tern_pair betas;
    double eps, weight_decay, momentum_decay;
    bool decoupled_weight_decay, maximize, capturable, differentiable;
    tern_optional_bool foreach;
} adam_variant_options;

static const tern_option_rule kin_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"eps", TERN_RULE_NOT_NEGATIVE, "Invalid epsilon value"},
    {"betas", TERN_RULE_BETAS, "Invalid beta parameter"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {"momentum_decay", TERN_RULE_NOT_NEGATIVE, "Invalid momentum_decay value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static uint32_t two_tensors(const void *options, const tern_tensor *param) {
    (void)param;
    (void)options;
    return 3u;
}

/* ---- Adamax ---------------------------------------------------------------------------------- */

static const adam_variant_options adamax_defaults = {
    .size = sizeof(adam_variant_options), .lr = 2e-3, .betas = {0.9, 0.999}, .eps = 1e-8};

static const tern_field adamax_fields[] = {
    TERN_FIELD(adam_variant_options, lr, lr),
    TERN_FIELD(adam_variant_options, betas, betas),
    TERN_FIELD(adam_variant_options, eps, eps),
    TERN_FIELD(adam_variant_options, weight_decay, weight_decay),
    TERN_FIELD(adam_variant_options, foreach, foreach),
    TERN_FIELD(adam_variant_options, maximize, maximize),
    TERN_FIELD(adam_variant_options, differentiable, differentiable),
    TERN_FIELD(adam_variant_options, capturable, capturable),
    TERN_FIELD_END,
};

static const tern_state_key adamax_keys[] = {
    {"step", true, 0}, {"exp_avg", false, 0}, {"exp_inf", false, 1}, {NULL, false, 0}};

static const tern_update_rule adamax_rule = {
    .tensors = "p g m u",
    .numbers = "weight_decay w1 beta2 eps rate",
    .flags = "maximize decays",
    .formula = TERN_DESCENT "m = lerp(m, d, w1);"
                            "u = maximum(u * beta2, abs(d) + eps);"
                            "p = addcdiv(p, m, u, rate)",
};

static uint32_t adamax_plan(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    double step = ++u->scalar[0];
    const double numbers[] = {o->weight_decay, 1 - o->betas.first, o->betas.second, o->eps,
                              -(o->lr / (1 - pow(o->betas.first, step)))};
    memcpy(u->number, numbers, sizeof numbers);
    return TERN_FLAGS(o->maximize, o->weight_decay != 0);
}

const tern_optim_class tern_adamax_class = {
    .name = "Adamax",
    .schema = "Adamax(float lr=0.002, float[] betas=(0.9, 0.999), float eps=1e-08, "
              "Number weight_decay=0, bool? foreach=None, *, bool maximize=False, "
              "bool differentiable=False, bool capturable=False)",
    .options_size = sizeof(adam_variant_options),
    .defaults = &adamax_defaults,
    .fields = adamax_fields,
    .keys = adamax_keys,
    .rules = kin_rules,
    .needs = two_tensors,
    .rule = &adamax_rule,
    .plan = adamax_plan,
};

/* ---- what NAdam and RAdam share -------------------------------------------------------------- */

#define MOMENTS                                                                                    \
    TERN_DESCENT                                                                                   \
    "p = p * shrink if decoupled else p;"                                                          \
    "m = lerp(m, d, w1);"                                                                          \
    "v = addcmul(v * beta2, d, d, w2);"
#define MOMENTS_NUMBERS "weight_decay shrink w1 beta2 w2 "
#define MOMENTS_FLAGS   "maximize decays decoupled "

enum { MOMENTS_COUNT = 5 };

static uint32_t plan_moments(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    double b2 = o->betas.second;
    const double numbers[MOMENTS_COUNT] = {o->weight_decay, 1 - o->lr * o->weight_decay,
                                           1 - o->betas.first, b2, 1 - b2};
    memcpy(u->number, numbers, sizeof numbers);
    bool decays = o->weight_decay != 0, decoupled = o->decoupled_weight_decay;
    return TERN_FLAGS(o->maximize, decays && !decoupled, decays && decoupled);
}

/* ---- NAdam ----------------------------------------------------------------------------------- */

static const adam_variant_options nadam_defaults = {.size = sizeof(adam_variant_options),
                                                    .lr = 2e-3,
                                                    .betas = {0.9, 0.999},
                                                    .eps = 1e-8,
                                                    .momentum_decay = 4e-3};

static const tern_field nadam_fields[] = {
    TERN_FIELD(adam_variant_options, lr, lr),
    TERN_FIELD(adam_variant_options, betas, betas),
    TERN_FIELD(adam_variant_options, eps, eps),
    TERN_FIELD(adam_variant_options, weight_decay, weight_decay),
    TERN_FIELD(adam_variant_options, momentum_decay, momentum_decay),
    TERN_FIELD(adam_variant_options, decoupled_weight_decay, decoupled_weight_decay),
    TERN_FIELD(adam_variant_options, maximize, maximize),
    TERN_FIELD(adam_variant_options, foreach, foreach),
    TERN_FIELD(adam_variant_options, capturable, capturable),
    TERN_FIELD(adam_variant_options, differentiable, differentiable),
    TERN_FIELD_END,
};

static const tern_state_key nadam_keys[] = {{"step", true, 0},
                                            {"mu_product", true, 1},
                                            {"exp_avg", false, 0},
                                            {"exp_avg_sq", false, 1},
                                            {NULL, false, 0}};

static void nadam_fresh(const void *options, double *out_scalars) {
    (void)options;
    out_scalars[1] = 1;
}

static const tern_update_rule nadam_rule = {
    .tensors = "p g m v",
    .numbers = MOMENTS_NUMBERS "correction eps rate_of_gradient rate",
    .flags = MOMENTS_FLAGS,
    .formula = MOMENTS "s = sqrt(v / correction) + eps;"
                       "p = addcdiv(p, d, s, rate_of_gradient);"
                       "p = addcdiv(p, m, s, rate)",
};

static uint32_t nadam_plan(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    double step = ++u->scalar[0], b1 = o->betas.first;
    double mu = b1 * (1 - 0.5 * pow(0.96, step * o->momentum_decay));
    double mu_next = b1 * (1 - 0.5 * pow(0.96, (step + 1) * o->momentum_decay));
    /* PyTorch keeps the product as a float32 tensor. */
    double product = u->scalar[1] = (double)((float)u->scalar[1] * (float)mu);
    const double numbers[] = {1 - pow(o->betas.second, step), o->eps,
                              -o->lr * (1 - mu) / (1 - product),
                              (-o->lr * mu_next) / (1 - product * mu_next)};
    memcpy(u->number + MOMENTS_COUNT, numbers, sizeof numbers);
    return plan_moments(u);
}

const tern_optim_class tern_nadam_class = {
    .name = "NAdam",
    .schema = "NAdam(float lr=0.002, float[] betas=(0.9, 0.999), float eps=1e-08, "
              "Number weight_decay=0, float momentum_decay=0.004, "
              "bool decoupled_weight_decay=False, *, bool? foreach=None, bool maximize=False, "
              "bool capturable=False, bool differentiable=False)",
    .options_size = sizeof(adam_variant_options),
    .defaults = &nadam_defaults,
    .fields = nadam_fields,
    .keys = nadam_keys,
    .rules = kin_rules,
    .needs = two_tensors,
    .fresh_scalars = nadam_fresh,
    .rule = &nadam_rule,
    .plan = nadam_plan,
};

/* ---- RAdam ----------------------------------------------------------------------------------- */

static const adam_variant_options radam_defaults = {
    .size = sizeof(adam_variant_options), .lr = 1e-3, .betas = {0.9, 0.999}, .eps = 1e-8};

static const tern_field radam_fields[] = {
    TERN_FIELD(adam_variant_options, lr, lr),
    TERN_FIELD(adam_variant_options, betas, betas),
    TERN_FIELD(adam_variant_options, eps, eps),
    TERN_FIELD(adam_variant_options, weight_decay, weight_decay),
    TERN_FIELD(adam_variant_options, maximize, maximize),
    TERN_FIELD(adam_variant_options, foreach, foreach),
    TERN_FIELD(adam_variant_options, capturable, capturable),
    TERN_FIELD(adam_variant_options, decoupled_weight_decay, decoupled_weight_decay),
    TERN_FIELD(adam_variant_options, differentiable, differentiable),
    TERN_FIELD_END,
};

static const tern_state_key radam_keys[] = {
    {"step", true, 0}, {"exp_avg", false, 0}, {"exp_avg_sq", false, 1}, {NULL, false, 0}};

/* Early steps have too few squares to go by, and take the mean alone. */
static const tern_update_rule radam_rule = {
    .tensors = "p g m v",
    .numbers = MOMENTS_NUMBERS "correction lr eps root rectified",
    .flags = MOMENTS_FLAGS "rectifies",
    .formula = MOMENTS "move = m / correction * lr;"
                       "adapted = move * (reciprocal(sqrt(v) + eps) * root) * rectified;"
                       "p = p - (adapted if rectifies else move)",
};

static uint32_t radam_plan(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    double step = ++u->scalar[0], b2 = o->betas.second, power = pow(b2, step);
    double correction = 1 - power, rho_inf = 2 / (1 - b2) - 1;
    double rho = rho_inf - 2 * step * power / correction;
    bool rectifies = rho > 5;
    double rectified =
        rectifies ? sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
                  : 1;
    const double numbers[] = {1 - pow(o->betas.first, step), o->lr, o->eps, sqrt(correction),
                              rectified};
    memcpy(u->number + MOMENTS_COUNT, numbers, sizeof numbers);
    return plan_moments(u) | (rectifies ? 1u << 3 : 0);
}

const tern_optim_class tern_radam_class = {
    .name = "RAdam",
    .schema = "RAdam(float lr=0.001, float[] betas=(0.9, 0.999), float eps=1e-08, "
              "Number weight_decay=0, bool decoupled_weight_decay=False, *, "
              "bool? foreach=None, bool maximize=False, bool capturable=False, "
              "bool differentiable=False)",
    .options_size = sizeof(adam_variant_options),
    .defaults = &radam_defaults,
    .fields = radam_fields,
    .keys = radam_keys,
    .rules = kin_rules,
    .needs = two_tensors,
    .rule = &radam_rule,
    .plan = radam_plan,
};
