/* adam.c: Adam (Kingma and Ba 2015), AMSGrad (Reddi et al. 2018), AdamW (Loshchilov and Hutter 2019). */
#include <math.h>

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

static int adam_scratch(const void *options) {
    (void)options;
    return 2;
}

static void adam_update(tern_update_call *u) {
    const tern_adam_options *o = u->options;
    tern_tensor *mean = u->state->tensor[0], *square = u->state->tensor[1];
    double b1 = o->betas.first, b2 = o->betas.second, step = ++u->state->scalar[0];
    bool decoupled = o->decoupled_weight_decay;
    tern_tensor *grad = tern_update_gradient(u, o->maximize, decoupled ? 0 : o->weight_decay);
    if (decoupled && o->weight_decay != 0)
        tern_mul_scalar_in_place(u->param, 1 - o->lr * o->weight_decay);
    tern_lerp_in_place(mean, grad, 1 - b1);
    tern_mul_scalar_in_place(square, b2);
    tern_addcmul_in_place(square, grad, grad, 1 - b2);
    double step_size = o->lr / (1 - pow(b1, step)), correction = sqrt(1 - pow(b2, step));
    if (o->amsgrad) square = tern_maximum_in_place(u->state->tensor[2], square);
    tern_tensor *denominator = tern_copy_in_place(u->scratch[1], square);
    tern_sqrt_in_place(denominator);
    tern_div_scalar_in_place(denominator, correction);
    tern_add_scalar_in_place(denominator, o->eps);
    tern_addcdiv_in_place(u->param, mean, denominator, -step_size);
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
    .scratch = adam_scratch,
    .update = adam_update,
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
    .scratch = adam_scratch,
    .update = adam_update,
};

tern_optim *tern_adam_new(tern_ctx *ctx, tern_value params, const tern_adam_options *options) {
    return tern_optim_of_class(ctx, &tern_adam_class, params, options);
}

tern_optim *tern_adamw_new(tern_ctx *ctx, tern_value params, const tern_adamw_options *options) {
    return tern_optim_of_class(ctx, &tern_adamw_class, params, options);
}
