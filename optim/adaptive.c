/* adaptive.c: RMSprop (Hinton's lecture 6), Adagrad (Duchi et al. 2011), Adadelta (Zeiler 2012). */
#include <string.h>

#include "classes.h"

/* ---- RMSprop --------------------------------------------------------------------------------- */

static const tern_rmsprop_options rmsprop_defaults = TERN_RMSPROP_OPTIONS;

static const tern_field rmsprop_fields[] = {
    TERN_FIELD(tern_rmsprop_options, lr, lr),
    TERN_FIELD(tern_rmsprop_options, momentum, momentum),
    TERN_FIELD(tern_rmsprop_options, alpha, alpha),
    TERN_FIELD(tern_rmsprop_options, eps, eps),
    TERN_FIELD(tern_rmsprop_options, centered, centered),
    TERN_FIELD(tern_rmsprop_options, weight_decay, weight_decay),
    TERN_FIELD(tern_rmsprop_options, capturable, capturable),
    TERN_FIELD(tern_rmsprop_options, foreach, foreach),
    TERN_FIELD(tern_rmsprop_options, maximize, maximize),
    TERN_FIELD(tern_rmsprop_options, differentiable, differentiable),
    TERN_FIELD_END,
};

static const tern_state_key rmsprop_keys[] = {
    {"step", true, 0},      {"square_avg", false, 0}, {"momentum_buffer", false, 1},
    {"grad_avg", false, 2}, {NULL, false, 0},
};

static const tern_option_rule rmsprop_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"eps", TERN_RULE_NOT_NEGATIVE, "Invalid epsilon value"},
    {"momentum", TERN_RULE_NOT_NEGATIVE, "Invalid momentum value"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {"alpha", TERN_RULE_NOT_NEGATIVE, "Invalid alpha value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static uint32_t rmsprop_needs(const void *options, const tern_tensor *param) {
    (void)param;
    const tern_rmsprop_options *o = options;
    return 1u | (o->momentum > 0 ? 2u : 0u) | (o->centered ? 4u : 0u);
}

static const tern_update_rule rmsprop_rule = {
    .tensors = "p g square buf mean",
    .numbers = "weight_decay alpha w eps momentum rate",
    .flags = "maximize decays centered moves",
    .formula = TERN_DESCENT "square = addcmul(square * alpha, d, d, w);"
                            "mean = lerp(mean, d, w) if centered else mean;"
                            "variance = addcmul(square, mean, mean, -1) if centered else square;"
                            "s = sqrt(variance) + eps;"
                            "buf = addcdiv(buf * momentum, d, s) if moves else buf;"
                            "p = add(p, buf, rate) if moves else addcdiv(p, d, s, rate)",
};

static uint32_t rmsprop_plan(tern_update_call *u) {
    const tern_rmsprop_options *o = u->options;
    const double numbers[] = {o->weight_decay, o->alpha, 1 - o->alpha, o->eps, o->momentum, -o->lr};
    memcpy(u->number, numbers, sizeof numbers);
    u->scalar[0]++;
    return TERN_FLAGS(o->maximize, o->weight_decay != 0, o->centered, o->momentum > 0);
}

const tern_optim_class tern_rmsprop_class = {
    .name = "RMSprop",
    .schema = "RMSprop(float lr=0.01, float alpha=0.99, float eps=1e-08, Number weight_decay=0, "
              "Number momentum=0, bool centered=False, bool capturable=False, "
              "bool? foreach=None, bool maximize=False, bool differentiable=False)",
    .options_size = sizeof(tern_rmsprop_options),
    .defaults = &rmsprop_defaults,
    .fields = rmsprop_fields,
    .keys = rmsprop_keys,
    .rules = rmsprop_rules,
    .needs = rmsprop_needs,
    .rule = &rmsprop_rule,
    .plan = rmsprop_plan,
};

tern_optim *tern_rmsprop_new(tern_ctx *ctx, tern_value params,
                             const tern_rmsprop_options *options) {
    return tern_optim_of_class(ctx, &tern_rmsprop_class, params, options);
}

/* ---- Adagrad --------------------------------------------------------------------------------- */

static const tern_adagrad_options adagrad_defaults = TERN_ADAGRAD_OPTIONS;

static const tern_field adagrad_fields[] = {
    TERN_FIELD(tern_adagrad_options, lr, lr),
    TERN_FIELD(tern_adagrad_options, lr_decay, lr_decay),
    TERN_FIELD(tern_adagrad_options, eps, eps),
    TERN_FIELD(tern_adagrad_options, weight_decay, weight_decay),
    TERN_FIELD(tern_adagrad_options, initial_accumulator_value, initial_accumulator_value),
    TERN_FIELD(tern_adagrad_options, foreach, foreach),
    TERN_FIELD(tern_adagrad_options, maximize, maximize),
    TERN_FIELD(tern_adagrad_options, differentiable, differentiable),
    TERN_FIELD(tern_adagrad_options, fused, fused),
    TERN_FIELD_END,
};

static const tern_state_key adagrad_keys[] = {
    {"step", true, 0}, {"sum", false, 0}, {NULL, false, 0}};

static const tern_option_rule adagrad_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"lr_decay", TERN_RULE_NOT_NEGATIVE, "Invalid lr_decay value"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {"initial_accumulator_value", TERN_RULE_NOT_NEGATIVE,
     "Invalid initial_accumulator_value value"},
    {"eps", TERN_RULE_NOT_NEGATIVE, "Invalid epsilon value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static uint32_t one_tensor(const void *options, const tern_tensor *param) {
    (void)param;
    (void)options;
    return 1u;
}

static double adagrad_fresh(const void *options, int tensor) {
    (void)tensor;
    return ((const tern_adagrad_options *)options)->initial_accumulator_value;
}

static const tern_update_rule adagrad_rule = {
    .tensors = "p g sum",
    .numbers = "weight_decay eps rate",
    .flags = "maximize decays",
    .formula = TERN_DESCENT "sum = addcmul(sum, d, d);"
                            "p = addcdiv(p, d, sqrt(sum) + eps, rate)",
};

static uint32_t adagrad_plan(tern_update_call *u) {
    const tern_adagrad_options *o = u->options;
    double step = ++u->scalar[0];
    const double numbers[] = {o->weight_decay, o->eps, -(o->lr / (1 + (step - 1) * o->lr_decay))};
    memcpy(u->number, numbers, sizeof numbers);
    return TERN_FLAGS(o->maximize, o->weight_decay != 0);
}

const tern_optim_class tern_adagrad_class = {
    .name = "Adagrad",
    .schema = "Adagrad(float lr=0.01, Number lr_decay=0, Number weight_decay=0, "
              "Number initial_accumulator_value=0, float eps=1e-10, bool? foreach=None, *, "
              "bool maximize=False, bool differentiable=False, bool? fused=None)",
    .options_size = sizeof(tern_adagrad_options),
    .defaults = &adagrad_defaults,
    .fields = adagrad_fields,
    .keys = adagrad_keys,
    .rules = adagrad_rules,
    .needs = one_tensor,
    .fresh = adagrad_fresh,
    .eager = true,
    .rule = &adagrad_rule,
    .plan = adagrad_plan,
};

tern_optim *tern_adagrad_new(tern_ctx *ctx, tern_value params,
                             const tern_adagrad_options *options) {
    return tern_optim_of_class(ctx, &tern_adagrad_class, params, options);
}

/* ---- Adadelta -------------------------------------------------------------------------------- */

typedef struct adadelta_options {
    size_t size;
    double lr, rho, eps, weight_decay;
    bool maximize, capturable;
    tern_optional_bool foreach;
    bool differentiable;
} adadelta_options;

static const adadelta_options adadelta_defaults = {
    .size = sizeof(adadelta_options), .lr = 1.0, .rho = 0.9, .eps = 1e-6};

static const tern_field adadelta_fields[] = {
    TERN_FIELD(adadelta_options, lr, lr),
    TERN_FIELD(adadelta_options, rho, rho),
    TERN_FIELD(adadelta_options, eps, eps),
    TERN_FIELD(adadelta_options, weight_decay, weight_decay),
    TERN_FIELD(adadelta_options, maximize, maximize),
    TERN_FIELD(adadelta_options, capturable, capturable),
    TERN_FIELD(adadelta_options, foreach, foreach),
    TERN_FIELD(adadelta_options, differentiable, differentiable),
    TERN_FIELD_END,
};

static const tern_state_key adadelta_keys[] = {
    {"step", true, 0}, {"square_avg", false, 0}, {"acc_delta", false, 1}, {NULL, false, 0}};

static const tern_option_rule adadelta_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"rho", TERN_RULE_UP_TO_ONE, "Invalid rho value"},
    {"eps", TERN_RULE_NOT_NEGATIVE, "Invalid epsilon value"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static uint32_t two_tensors(const void *options, const tern_tensor *param) {
    (void)param;
    (void)options;
    return 3u;
}

static const tern_update_rule adadelta_rule = {
    .tensors = "p g square acc",
    .numbers = "weight_decay rho w eps rate",
    .flags = "maximize decays",
    .formula = TERN_DESCENT "square = addcmul(square * rho, d, d, w);"
                            "delta = sqrt(acc + eps) / sqrt(square + eps) * d;"
                            "acc = addcmul(acc * rho, delta, delta, w);"
                            "p = add(p, delta, rate)",
};

static uint32_t adadelta_plan(tern_update_call *u) {
    const adadelta_options *o = u->options;
    const double numbers[] = {o->weight_decay, o->rho, 1 - o->rho, o->eps, -o->lr};
    memcpy(u->number, numbers, sizeof numbers);
    u->scalar[0]++;
    return TERN_FLAGS(o->maximize, o->weight_decay != 0);
}

const tern_optim_class tern_adadelta_class = {
    .name = "Adadelta",
    .schema = "Adadelta(float lr=1.0, float rho=0.9, float eps=1e-06, Number weight_decay=0, "
              "bool? foreach=None, *, bool capturable=False, bool maximize=False, "
              "bool differentiable=False)",
    .options_size = sizeof(adadelta_options),
    .defaults = &adadelta_defaults,
    .fields = adadelta_fields,
    .keys = adadelta_keys,
    .rules = adadelta_rules,
    .needs = two_tensors,
    .rule = &adadelta_rule,
    .plan = adadelta_plan,
};
