/* asgd_rprop.c: ASGD (Polyak and Juditsky 1992) and Rprop (Riedmiller and Braun 1993). */
#include <math.h>
#include <string.h>

#include "classes.h"

/* ---- ASGD ------------------------------------------------------------------------------------ */

typedef struct asgd_options {
    size_t size;
    double lr, lambd, alpha, t0, weight_decay;
    tern_optional_bool foreach;
    bool maximize, differentiable, capturable;
} asgd_options;

static const asgd_options asgd_defaults = {
    .size = sizeof(asgd_options), .lr = 1e-2, .lambd = 1e-4, .alpha = 0.75, .t0 = 1e6};

static const tern_field asgd_fields[] = {
    TERN_FIELD(asgd_options, lr, lr),
    TERN_FIELD(asgd_options, lambd, lambd),
    TERN_FIELD(asgd_options, alpha, alpha),
    TERN_FIELD(asgd_options, t0, t0),
    TERN_FIELD(asgd_options, weight_decay, weight_decay),
    TERN_FIELD(asgd_options, foreach, foreach),
    TERN_FIELD(asgd_options, maximize, maximize),
    TERN_FIELD(asgd_options, differentiable, differentiable),
    TERN_FIELD(asgd_options, capturable, capturable),
    TERN_FIELD_END,
};

enum { ASGD_STEP, ASGD_ETA, ASGD_MU };

static const tern_state_key asgd_keys[] = {{"step", true, ASGD_STEP},
                                           {"eta", true, ASGD_ETA},
                                           {"mu", true, ASGD_MU},
                                           {"ax", false, 0},
                                           {NULL, false, 0}};

static const tern_option_rule asgd_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "Invalid weight_decay value"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static uint32_t asgd_needs(const void *options, const tern_tensor *param) {
    (void)param;
    (void)options;
    return 1u;
}

static void asgd_fresh(const void *options, double *out_scalars) {
    out_scalars[ASGD_ETA] = (double)(float)((const asgd_options *)options)->lr;
    out_scalars[ASGD_MU] = 1;
}

static const tern_update_rule asgd_rule = {
    .tensors = "p g ax",
    .numbers = "weight_decay shrink rate mu",
    .flags = "maximize decays averages",
    .formula = TERN_DESCENT "p = add(p * shrink, d, rate);"
                            "ax = ax + (p - ax) * mu if averages else p",
};

static uint32_t asgd_plan(tern_update_call *u) {
    const asgd_options *o = u->options;
    double step = ++u->scalar[ASGD_STEP], eta = u->scalar[ASGD_ETA], mu = u->scalar[ASGD_MU];
    const double numbers[] = {o->weight_decay, 1 - o->lambd * eta, -eta, mu};
    memcpy(u->number, numbers, sizeof numbers);
    /* PyTorch keeps both as float32 tensors. */
    u->scalar[ASGD_ETA] = (double)(float)(o->lr / pow(1 + o->lambd * o->lr * step, o->alpha));
    u->scalar[ASGD_MU] = (double)(float)(1 / (step - o->t0 > 1 ? step - o->t0 : 1));
    return TERN_FLAGS(o->maximize, o->weight_decay != 0, mu != 1);
}

const tern_optim_class tern_asgd_class = {
    .name = "ASGD",
    .schema = "ASGD(float lr=0.01, float lambd=0.0001, float alpha=0.75, float t0=1000000.0, "
              "Number weight_decay=0, bool? foreach=None, bool maximize=False, "
              "bool differentiable=False, bool capturable=False)",
    .options_size = sizeof(asgd_options),
    .defaults = &asgd_defaults,
    .fields = asgd_fields,
    .keys = asgd_keys,
    .rules = asgd_rules,
    .needs = asgd_needs,
    .fresh_scalars = asgd_fresh,
    .rule = &asgd_rule,
    .plan = asgd_plan,
};

/* ---- Rprop ----------------------------------------------------------------------------------- */

typedef struct rprop_options {
    size_t size;
    double lr;
    tern_pair etas, step_sizes;
    tern_optional_bool foreach;
    bool maximize, differentiable, capturable;
} rprop_options;

static const rprop_options rprop_defaults = {
    .size = sizeof(rprop_options), .lr = 1e-2, .etas = {0.5, 1.2}, .step_sizes = {1e-6, 50}};

static const tern_field rprop_fields[] = {
    TERN_FIELD(rprop_options, lr, lr),
    TERN_FIELD(rprop_options, etas, etas),
    TERN_FIELD(rprop_options, step_sizes, step_sizes),
    TERN_FIELD(rprop_options, foreach, foreach),
    TERN_FIELD(rprop_options, maximize, maximize),
    TERN_FIELD(rprop_options, differentiable, differentiable),
    TERN_FIELD(rprop_options, capturable, capturable),
    TERN_FIELD_END,
};

static const tern_state_key rprop_keys[] = {
    {"step", true, 0}, {"prev", false, 0}, {"step_size", false, 1}, {NULL, false, 0}};

static const tern_option_rule rprop_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static bool rprop_check(tern_ctx *ctx, const void *options) {
    const rprop_options *o = options;
    if (0 < o->etas.first && o->etas.first < 1 && 1 < o->etas.second) return true;
    char first[32], second[32];
    tern_format_double(o->etas.first, first);
    tern_format_double(o->etas.second, second);
    tern_fail(ctx, TERN_ERR_ARGUMENT, "Invalid eta values: %s, %s", first, second);
    return false;
}

static uint32_t rprop_needs(const void *options, const tern_tensor *param) {
    (void)param;
    (void)options;
    return 3u;
}

static double rprop_fresh(const void *options, int tensor) {
    return tensor == 1 ? ((const rprop_options *)options)->lr : 0;
}

/* The step size of an element grows where the gradient keeps its sign and shrinks where it changes;
 * there the element rests for a step. */
static const tern_update_rule rprop_rule = {
    .tensors = "p g prev size",
    .numbers = "shrink grow smallest largest",
    .flags = "maximize",
    .formula = "d = -g if maximize else g;"
               "turn = d * prev;"
               "prev = 0 if turn < 0 else d;"
               "factor = shrink if turn < 0 else grow if turn > 0 else 1;"
               "size = clamp(size * factor, smallest, largest);"
               "p = addcmul(p, sign(prev), size, -1)",
};

static uint32_t rprop_plan(tern_update_call *u) {
    const rprop_options *o = u->options;
    const double numbers[] = {o->etas.first, o->etas.second, o->step_sizes.first,
                              o->step_sizes.second};
    memcpy(u->number, numbers, sizeof numbers);
    u->scalar[0]++;
    return TERN_FLAGS(o->maximize);
}

const tern_optim_class tern_rprop_class = {
    .name = "Rprop",
    .schema = "Rprop(float lr=0.01, float[] etas=(0.5, 1.2), float[] step_sizes=(1e-06, 50), *, "
              "bool capturable=False, bool? foreach=None, bool maximize=False, "
              "bool differentiable=False)",
    .options_size = sizeof(rprop_options),
    .defaults = &rprop_defaults,
    .fields = rprop_fields,
    .keys = rprop_keys,
    .rules = rprop_rules,
    .check = rprop_check,
    .needs = rprop_needs,
    .fresh = rprop_fresh,
    .rule = &rprop_rule,
    .plan = rprop_plan,
};
