/*
 * muon.c: Muon (Jordan et al. 2024), as torch.optim.Muon; parameters of two dimensions [rows, cols].
 *
 *     b = lerp(b, g, 1 - momentum)          u = lerp(g, b, momentum) with nesterov, else b
 *     X = u / max(|u|, eps), transposed where rows > cols
 *     ns_steps times:   A = X X^T   B = b A + c A A   X = a X + B X       all bfloat16
 *     p = p (1 - lr wd) - lr adjusted X
 *
 * The iteration brings every singular value of u near 1. It needs products of matrices: `propose` makes
 * the X of all parameters, 2 bytes an element, before the first weight changes.
 */
#include <math.h>
#include <string.h>

#include "classes.h"

static const tern_muon_options muon_defaults = TERN_MUON_OPTIONS;

static const tern_field muon_fields[] = {
    TERN_FIELD(tern_muon_options, lr, lr),
    TERN_FIELD(tern_muon_options, weight_decay, weight_decay),
    TERN_FIELD(tern_muon_options, momentum, momentum),
    TERN_FIELD(tern_muon_options, nesterov, nesterov),
    TERN_FIELD(tern_muon_options, ns_coefficients, ns_coefficients),
    TERN_FIELD(tern_muon_options, eps, eps),
    TERN_FIELD(tern_muon_options, ns_steps, ns_steps),
    TERN_FIELD(tern_muon_options, adjust_lr_fn, adjust_lr_fn),
    TERN_FIELD_END,
};

static const tern_state_key muon_keys[] = {{"momentum_buffer", false, 0}, {NULL, false, 0}};

static const tern_option_rule muon_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Learning rate should be >= 0 but is"},
    {"momentum", TERN_RULE_NOT_NEGATIVE, "momentum should be >= 0 but is"},
    {"weight_decay", TERN_RULE_NOT_NEGATIVE, "weight decay should be >= 0 but is"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

/* The steps that PyTorch refuses, too. */
enum { TOO_MANY_STEPS = 100 };

/* ---- the factor of the learning rate --------------------------------------------------------- */

static double original(double rows, double cols) {
    return sqrt(fmax(1, rows / cols));
}

/* The root mean square of AdamW's updates (Liu et al. 2025). */
static double match_rms_adamw(double rows, double cols) {
    return 0.2 * sqrt(fmax(rows, cols));
}

static double spectral_unclamped(double rows, double cols) {
    return sqrt(rows / cols);
}

typedef double (*adjust_fn)(double rows, double cols);

static adjust_fn adjustment(const char *name) {
    static const struct {
        const char *name;
        adjust_fn fn;
    } known[] = {{"original", original},
                 {"match_rms_adamw", match_rms_adamw},
                 {"spectral_unclamped", spectral_unclamped}};
    if (!name) return original;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) return known[i].fn;
    return NULL;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool muon_check(tern_ctx *ctx, const void *options) {
    const tern_muon_options *o = options;
    if (!adjustment(o->adjust_lr_fn)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Adjust learning rate function %.60s is not supported; there are original, "
                  "match_rms_adamw and spectral_unclamped",
                  o->adjust_lr_fn);
        return false;
    }
    if (o->ns_steps >= 0 && o->ns_steps < TOO_MANY_STEPS) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT,
              "Muon: ns_steps must be at least 0 and less than 100 for computational efficiency, "
              "but is %lld",
              (long long)o->ns_steps);
    return false;
}

static bool muon_accepts(tern_ctx *ctx, const tern_tensor *param) {
    if (tern_rank(param) == 2) return true;
    tern_fail(
        ctx, TERN_ERR_ARGUMENT,
        "Muon only supports 2D parameters whereas we found a parameter of %d dimensions: give "
        "the others, such as biases, to another optimizer (tern_module_parameters_like)",
        tern_rank(param));
    return false;
}

static uint32_t muon_needs(const void *options, const tern_tensor *param) {
    (void)options, (void)param;
    return 1u;
}

/* ---- the step -------------------------------------------------------------------------------- */

/* beta input + alpha mat1 mat2 */
static tern_tensor *add_product(tern_ctx *ctx, tern_tensor *input, tern_tensor *mat1,
                                tern_tensor *mat2, double beta, double alpha) {
    tern_value tensors[] = {tern_tensor_value(input), tern_tensor_value(mat1),
                            tern_tensor_value(mat2)};
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "beta", tern_float(beta));
    tern_dict_set(named, "alpha", tern_float(alpha));
    tern_value result = tern_call(ctx, "addmm", tensors, 3, named);
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(ctx);
}

/* Newton and Schulz's iteration of fifth order. */
static tern_tensor *orthogonal(tern_ctx *ctx, tern_tensor *update, const tern_muon_options *o) {
    tern_triple k = o->ns_coefficients;
    bool tall = tern_size(update, 0) > tern_size(update, 1);
    tern_tensor *x = tern_to_dtype(update, TERN_BFLOAT16);
    if (tall) x = tern_transpose(x, 0, 1);
    x = tern_div(x, tern_clamp(tern_norm2(x), o->eps, (double)INFINITY));
    for (int64_t i = 0; i < o->ns_steps; i++) {
        tern_scope scope = tern_scope_inner(ctx);
        tern_tensor *gram = tern_matmul(x, tern_transpose(x, 0, 1));
        tern_tensor *polynomial = add_product(ctx, gram, gram, gram, k.second, k.third);
        x = tern_scope_return(scope, add_product(ctx, x, polynomial, x, k.first, 1));
    }
    return tall ? tern_transpose(x, 0, 1) : x;
}

static void muon_propose(tern_update_call *u) {
    const tern_muon_options *o = u->options;
    tern_scope scope = tern_scope_inner(u->ctx);
    tern_tensor *update = tern_lerp(u->state->tensor[0], u->grad, 1 - o->momentum);
    if (o->nesterov) update = tern_lerp(u->grad, update, o->momentum);
    u->kept[0] = tern_scope_return(scope, orthogonal(u->ctx, update, o));
}

static const tern_update_rule muon_rule = {
    .tensors = "p g b - - x",
    .numbers = "w shrink rate",
    .flags = "",
    .formula = "b = lerp(b, g, w); p = add(p * shrink, x, rate)",
};

static uint32_t muon_plan(tern_update_call *u) {
    const tern_muon_options *o = u->options;
    double rows = (double)tern_size(u->param, 0), cols = (double)tern_size(u->param, 1);
    const double numbers[] = {1 - o->momentum, 1 - o->lr * o->weight_decay,
                              -o->lr * adjustment(o->adjust_lr_fn)(rows, cols)};
    memcpy(u->number, numbers, sizeof numbers);
    return 0;
}

const tern_optim_class tern_muon_class = {
    .name = "Muon",
    .schema = "Muon(float lr=0.001, float weight_decay=0.1, float momentum=0.95, "
              "bool nesterov=True, float[] ns_coefficients=(3.4445, -4.775, 2.0315), "
              "float eps=1e-07, int ns_steps=5, str? adjust_lr_fn=None)",
    .options_size = sizeof(tern_muon_options),
    .defaults = &muon_defaults,
    .fields = muon_fields,
    .keys = muon_keys,
    .rules = muon_rules,
    .check = muon_check,
    .accepts = muon_accepts,
    .needs = muon_needs,
    .propose = muon_propose,
    .rule = &muon_rule,
    .plan = muon_plan,
};

tern_optim *tern_muon_new(tern_ctx *ctx, tern_value params, const tern_muon_options *options) {
    return tern_optim_of_class(ctx, &tern_muon_class, params, options);
}
