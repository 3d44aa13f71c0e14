/* asgd_rprop.c: ASGD (Polyak and Juditsky 1992) and Rprop (Riedmiller and Braun 1993). */
#include <math.h>

#include "classes.h"

static int two(const void *options) {
    (void)options;
    return 2;
}

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

static void asgd_update(tern_update_call *u) {
    const asgd_options *o = u->options;
    tern_tensor *average = u->state->tensor[0];
    double *scalar = u->state->scalar, step = ++scalar[ASGD_STEP], eta = scalar[ASGD_ETA];
    tern_tensor *grad = tern_update_gradient(u, o->maximize, o->weight_decay);
    tern_mul_scalar_in_place(u->param, 1 - o->lambd * eta);
    tern_add_alpha_in_place(u->param, grad, -eta);
    if (scalar[ASGD_MU] != 1) {
        tern_tensor *gap = tern_copy_in_place(u->scratch[1], u->param);
        tern_mul_scalar_in_place(tern_sub_in_place(gap, average), scalar[ASGD_MU]);
        tern_add_in_place(average, gap);
    } else {
        tern_copy_in_place(average, u->param);
    }
    /* PyTorch keeps both as float32 tensors. */
    scalar[ASGD_ETA] = (double)(float)(o->lr / pow(1 + o->lambd * o->lr * step, o->alpha));
    scalar[ASGD_MU] = (double)(float)(1 / (step - o->t0 > 1 ? step - o->t0 : 1));
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
    .scratch = two,
    .fresh_scalars = asgd_fresh,
    .update = asgd_update,
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

/*
 * The step size of an element grows where the gradient keeps its sign and shrinks where it changes;
 * there the element rests for a step. sign(g * prev) in {-1, 0, 1} chooses the factor.
 */
static void rprop_update(tern_update_call *u) {
    const rprop_options *o = u->options;
    tern_tensor *previous = u->state->tensor[0], *size = u->state->tensor[1];
    tern_tensor *grad = tern_update_gradient(u, o->maximize, 0);
    u->state->scalar[0]++;
    tern_tensor *sign = tern_mul_in_place(tern_copy_in_place(u->scratch[1], grad), previous);
    tern_tensor *grows = tern_gt_scalar(sign, 0), *shrinks = tern_lt_scalar(sign, 0);
    tern_tensor *one = tern_ones_like(sign);
    tern_tensor *factor = tern_where(grows, tern_mul_scalar(one, o->etas.second), one);
    factor = tern_where(shrinks, tern_mul_scalar(one, o->etas.first), factor);
    tern_tensor *kept = tern_where(shrinks, tern_zeros_like(grad), grad);
    tern_tensor *direction = tern_sign(kept);
    tern_tensor *bounded =
        tern_clamp(tern_mul(size, factor), o->step_sizes.first, o->step_sizes.second);
    if (tern_is_nil(bounded) || tern_is_nil(direction)) return;
    tern_copy_in_place(size, bounded);
    tern_addcmul_in_place(u->param, direction, size, -1);
    tern_copy_in_place(previous, kept);
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
    .scratch = two,
    .fresh = rprop_fresh,
    .update = rprop_update,
};
