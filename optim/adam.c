/* adam.c: Adam (Kingma and Ba 2015), AMSGrad (Reddi et al. 2018), AdamW (Loshchilov and Hutter 2019). */
#include <math.h>
#include <string.h>

#include "classes.h"

static const tern_adam_options adam_defaults = TERN_ADAM_OPTIONS;
static const tern_adamw_options adamw_defaults = TERN_ADAMW_OPTIONS;

static const tern_field adam_fields[] = {
    TERN_FIELD(tern_adam_options, lr, lr),
    TERN_FIELD(tern_adam_options, betas, betas),
    TERN_FIELD(tern_adam_options, eps, eps),
    TERN_FIELD(tern_adam_options, weight_decay, weight_decay),
    TERN_FIELD(tern_adam_options, amsgrad, amsgrad),
    TERN_FIELD(tern_adam_options, maximize, maximize),
    TERN_FIELD(tern_adam_options, foreach, foreach),
    TERN_FIELD(tern_adam_options, capturable, capturable),
    TERN_FIELD(tern_adam_options, differentiable, differentiable),
    TERN_FIELD(tern_adam_options, fused, fused),
    TERN_FIELD(tern_adam_options, decoupled_weight_decay, decoupled_weight_decay),
    TERN_FIELD_END,
};

static const tern_state_key adam_keys[] = {
    {"step", true, 0},        {"exp_avg", false, 0},
    {"exp_avg_sq", false, 1}, {"max_exp_avg_sq", false, 2},
    {NULL, false, 0},
};

static const tern_option_rule adam_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"eps", TERN_RULE_NOT_NEGATIVE, "Invalid epsilon value"},
    {"betas", TERN_RULE_BETAS, "Invalid beta parameter"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static uint32_t adam_needs(const void *options, const tern_tensor *param) {
    (void)param;
    return ((const tern_adam_options *)options)->amsgrad ? 7u : 3u;
}

/* m and v are the moments, x the largest v, each corrected for having begun at zero. */
static const tern_update_rule adam_rule = {
    .tensors = "p g m v x",
    .numbers = "weight_decay shrink w1 beta2 w2 root eps rate",
    .flags = "maximize decays decoupled amsgrad",
    .formula = TERN_DESCENT "p = p * shrink if decoupled else p;"
                            "m = lerp(m, d, w1);"
                            "v = addcmul(v * beta2, d, d, w2);"
                            "x = maximum(x, v) if amsgrad else x;"
                            "p = addcdiv(p, m, sqrt(x if amsgrad else v) / root + eps, rate)",
};

static uint32_t adam_plan(tern_update_call *u) {
    const tern_adam_options *o = u->options;
    double b1 = o->betas.first, b2 = o->betas.second, step = ++u->scalar[0];
    const double numbers[] = {
        o->weight_decay, 1 - o->lr * o->weight_decay, 1 - b1, b2,
        1 - b2,          sqrt(1 - pow(b2, step)),     o->eps, -(o->lr / (1 - pow(b1, step)))};
    memcpy(u->number, numbers, sizeof numbers);
    bool decays = o->weight_decay != 0, decoupled = o->decoupled_weight_decay;
    return TERN_FLAGS(o->maximize, decays && !decoupled, decays && decoupled, o->amsgrad);
}

#define ADAM_KEYWORDS                                                                              \
    "bool amsgrad=False, *, bool? foreach=None, bool maximize=False, bool capturable=False, "      \
    "bool differentiable=False, bool? fused=None"

const tern_optim_class tern_adam_class = {
    .name = "Adam",
    .schema = "Adam(float lr=0.001, float[] betas=(0.9, 0.999), float eps=1e-08, "
              "Number weight_decay=0, " ADAM_KEYWORDS ", bool decoupled_weight_decay=False)",
    .options_size = sizeof(tern_adam_options),
    .defaults = &adam_defaults,
    .fields = adam_fields,
    .keys = adam_keys,
    .rules = adam_rules,
    .needs = adam_needs,
    .rule = &adam_rule,
    .plan = adam_plan,
};

const tern_optim_class tern_adamw_class = {
    .name = "AdamW",
    .schema = "AdamW(float lr=0.001, float[] betas=(0.9, 0.999), float eps=1e-08, "
              "float weight_decay=0.01, " ADAM_KEYWORDS ")",
    .options_size = sizeof(tern_adamw_options),
    .defaults = &adamw_defaults,
    .fields = adam_fields,
    .keys = adam_keys,
    .rules = adam_rules,
    .needs = adam_needs,
    .rule = &adam_rule,
    .plan = adam_plan,
};

tern_optim *tern_adam_new(tern_ctx *ctx, tern_value params, const tern_adam_options *options) {
    return tern_optim_of_class(ctx, &tern_adam_class, params, options);
}

tern_optim *tern_adamw_new(tern_ctx *ctx, tern_value params, const tern_adamw_options *options) {
    return tern_optim_of_class(ctx, &tern_adamw_class, params, options);
}
