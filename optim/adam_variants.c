/* adam_variants.c: Adamax (Kingma and Ba 2015), NAdam (Dozat 2016), RAdam (Liu et al. 2020). */
#include <math.h>

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

static int two(const void *options) {
    (void)options;
    return 2;
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

static void adamax_update(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    tern_tensor *mean = u->state->tensor[0], *largest = u->state->tensor[1];
    tern_tensor *grad = tern_update_gradient(u, o->maximize, o->weight_decay);
    double step = ++u->state->scalar[0];
    tern_lerp_in_place(mean, grad, 1 - o->betas.first);
    tern_tensor *size = tern_abs_in_place(tern_copy_in_place(u->scratch[1], grad));
    tern_add_scalar_in_place(size, o->eps);
    tern_maximum_in_place(tern_mul_scalar_in_place(largest, o->betas.second), size);
    tern_addcdiv_in_place(u->param, mean, largest, -(o->lr / (1 - pow(o->betas.first, step))));
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
    .scratch = two,
    .update = adamax_update,
};

/* ---- what NAdam and RAdam share -------------------------------------------------------------- */

/* The gradient after weight decay, and both moments moved on. */
static tern_tensor *move_moments(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    tern_tensor *square = u->state->tensor[1];
    double decay = o->decoupled_weight_decay ? 0 : o->weight_decay;
    tern_tensor *grad = tern_update_gradient(u, o->maximize, decay);
    if (o->decoupled_weight_decay && o->weight_decay != 0)
        tern_mul_scalar_in_place(u->param, 1 - o->lr * o->weight_decay);
    tern_lerp_in_place(u->state->tensor[0], grad, 1 - o->betas.first);
    tern_mul_scalar_in_place(square, o->betas.second);
    tern_addcmul_in_place(square, grad, grad, 1 - o->betas.second);
    return grad;
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

static void nadam_update(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    double step = ++u->state->scalar[0], b1 = o->betas.first;
    tern_tensor *grad = move_moments(u);
    double mu = b1 * (1 - 0.5 * pow(0.96, step * o->momentum_decay));
    double mu_next = b1 * (1 - 0.5 * pow(0.96, (step + 1) * o->momentum_decay));
    /* PyTorch keeps the product as a float32 tensor. */
    double product = (double)((float)u->state->scalar[1] * (float)mu);
    u->state->scalar[1] = product;
    tern_tensor *denominator = tern_copy_in_place(u->scratch[1], u->state->tensor[1]);
    tern_div_scalar_in_place(denominator, 1 - pow(o->betas.second, step));
    tern_sqrt_in_place(denominator);
    tern_add_scalar_in_place(denominator, o->eps);
    tern_addcdiv_in_place(u->param, grad, denominator, -o->lr * (1 - mu) / (1 - product));
    tern_addcdiv_in_place(u->param, u->state->tensor[0], denominator,
                          (-o->lr * mu_next) / (1 - product * mu_next));
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
    .scratch = two,
    .fresh_scalars = nadam_fresh,
    .update = nadam_update,
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

static void radam_update(tern_update_call *u) {
    const adam_variant_options *o = u->options;
    double step = ++u->state->scalar[0], b2 = o->betas.second, power = pow(b2, step);
    move_moments(u);
    double correction = 1 - power, rho_inf = 2 / (1 - b2) - 1;
    double rho = rho_inf - 2 * step * power / correction;
    /* The gradient is used up: scratch[0] holds the step. */
    tern_tensor *move = tern_copy_in_place(u->scratch[0], u->state->tensor[0]);
    tern_div_scalar_in_place(move, 1 - pow(o->betas.first, step));
    tern_mul_scalar_in_place(move, o->lr);
    if (rho > 5) {
        double rectified =
            sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
        tern_tensor *root = tern_copy_in_place(u->scratch[1], u->state->tensor[1]);
        tern_add_scalar_in_place(tern_sqrt_in_place(root), o->eps);
        tern_mul_scalar_in_place(tern_reciprocal_in_place(root), sqrt(correction));
        tern_mul_scalar_in_place(tern_mul_in_place(move, root), rectified);
    }
    tern_add_alpha_in_place(u->param, move, -1);
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
    .scratch = two,
    .update = radam_update,
};
