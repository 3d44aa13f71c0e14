/* sgd.c: stochastic gradient descent with momentum (Sutskever et al. 2013 for Nesterov's form). */
#include <string.h>

#include "classes.h"

static const tern_sgd_options sgd_defaults = TERN_SGD_OPTIONS;

static const tern_field sgd_fields[] = {
    TERN_FIELD(tern_sgd_options, lr, lr),
    TERN_FIELD(tern_sgd_options, momentum, momentum),
    TERN_FIELD(tern_sgd_options, dampening, dampening),
    TERN_FIELD(tern_sgd_options, weight_decay, weight_decay),
    TERN_FIELD(tern_sgd_options, nesterov, nesterov),
    TERN_FIELD(tern_sgd_options, maximize, maximize),
    TERN_FIELD(tern_sgd_options, foreach, foreach),
    TERN_FIELD(tern_sgd_options, differentiable, differentiable),
    TERN_FIELD(tern_sgd_options, fused, fused),
    TERN_FIELD_END,
};

static const tern_state_key sgd_keys[] = {{"momentum_buffer", false, 0}, {NULL, false, 0}};

static const tern_option_rule sgd_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"momentum", TERN_RULE_NOT_NEGATIVE, "Invalid momentum value"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static bool sgd_check(tern_ctx *ctx, const void *options) {
    const tern_sgd_options *o = options;
    if (!o->nesterov || (o->momentum > 0 && o->dampening == 0)) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "Nesterov momentum requires a momentum and zero dampening");
    return false;
}

static uint32_t sgd_needs(const void *options, const tern_tensor *param) {
    (void)param;
    return ((const tern_sgd_options *)options)->momentum != 0 ? 1u : 0u;
}

static const tern_update_rule sgd_rule = {
    .tensors = "p g buf",
    .numbers = "rate momentum undampened weight_decay",
    .flags = "maximize decays moves started nesterov",
    .formula = TERN_DESCENT
    "buf = (add(buf * momentum, d, undampened) if started else d) if moves else buf;"
    "d = (add(d, buf, momentum) if nesterov else buf) if moves else d;"
    "p = add(p, d, rate)",
};

static uint32_t sgd_plan(tern_update_call *u) {
    const tern_sgd_options *o = u->options;
    const double numbers[] = {-o->lr, o->momentum, 1 - o->dampening, o->weight_decay};
    memcpy(u->number, numbers, sizeof numbers);
    return TERN_FLAGS(o->maximize, o->weight_decay != 0, o->momentum != 0, u->started, o->nesterov);
}

const tern_optim_class tern_sgd_class = {
    .name = "SGD",
    .schema = "SGD(float lr=0.001, Number momentum=0, Number dampening=0, Number weight_decay=0, "
              "bool nesterov=False, *, bool maximize=False, bool? foreach=None, "
              "bool differentiable=False, bool? fused=None)",
    .options_size = sizeof(tern_sgd_options),
    .defaults = &sgd_defaults,
    .fields = sgd_fields,
    .keys = sgd_keys,
    .rules = sgd_rules,
    .check = sgd_check,
    .needs = sgd_needs,
    .rule = &sgd_rule,
    .plan = sgd_plan,
};

tern_optim *tern_sgd_new(tern_ctx *ctx, tern_value params, const tern_sgd_options *options) {
    return tern_optim_of_class(ctx, &tern_sgd_class, params, options);
}
