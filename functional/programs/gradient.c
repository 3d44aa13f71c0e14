/*
 * gradient.c: reverse mode over the steps of a program.
 *
 * Every primitive has a local derivative for each of its sources, which is a formula too: of g, the
 * gradient of the step's result y, and of the step's sources a, b, c and factor f. Where a derivative
 * is 0, nothing flows; WHERE selects and never multiplies by zero. Ties and kinks are PyTorch's.
 */
#include <string.h>

#include "program.h"

typedef struct derivative {
    int16_t family, fn;
    const char *by[3]; /* NULL: there is none, the source has no derivative */
    const char *by_factor;
} derivative;

#define UNARY(member, a)                                                                           \
    { TERN_KERNEL_UNARY, TERN_UNARY_##member, {a, NULL, NULL}, NULL }
#define BINARY(member, a, b)                                                                       \
    { TERN_KERNEL_BINARY, TERN_BINARY_##member, {a, b, NULL}, NULL }
#define BINARY_FACTOR(member, a, b, f)                                                             \
    { TERN_KERNEL_BINARY, TERN_BINARY_##member, {a, b, NULL}, f }
#define TERNARY(member, a, b, c, f)                                                                \
    { TERN_KERNEL_TERNARY, TERN_TERNARY_##member, {a, b, c}, f }

static const derivative derivatives[] = {
    UNARY(NEG, "-g"),
    UNARY(ABS, "g * sign(a)"),
    UNARY(SIGN, "0"),
    UNARY(SQUARE, "g * (2 * a)"),
    UNARY(RECIPROCAL, "-g * (y * y)"),
    UNARY(SQRT, "g / (2 * y)"),
    UNARY(RSQRT, "-0.5 * g * (y * y * y)"),
    UNARY(EXP, "g * y"),
    UNARY(EXP2, "g * y * log(2)"),
    UNARY(EXPM1, "g * (y + 1)"),
    UNARY(LOG, "g / a"),
    UNARY(LOG2, "g / (a * log(2))"),
    UNARY(LOG10, "g / (a * log(10))"),
    UNARY(LOG1P, "g / (a + 1)"),
    UNARY(SIN, "g * cos(a)"),
    UNARY(COS, "-g * sin(a)"),
    UNARY(TAN, "g * (1 + y * y)"),
    UNARY(ASIN, "g * rsqrt(1 - a * a)"),
    UNARY(ACOS, "-g * rsqrt(1 - a * a)"),
    UNARY(ATAN, "g / (a * a + 1)"),
    UNARY(SINH, "g * cosh(a)"),
    UNARY(COSH, "g * sinh(a)"),
    UNARY(TANH, "g * (1 - y * y)"),
    UNARY(ASINH, "g * rsqrt(a * a + 1)"),
    UNARY(ACOSH, "g * rsqrt(a * a - 1)"),
    UNARY(ATANH, "g / (1 - a * a)"),
    UNARY(ERF, "g * (2 / sqrt(pi)) * exp(-(a * a))"),
    UNARY(ERFC, "-g * (2 / sqrt(pi)) * exp(-(a * a))"),
    UNARY(ERFINV, "g * (sqrt(pi) / 2) * exp(y * y)"),
    UNARY(LGAMMA, "g * digamma(a)"),
    UNARY(DIGAMMA, "g * trigamma(a)"),
    UNARY(FLOOR, "0"),
    UNARY(CEIL, "0"),
    UNARY(TRUNC, "0"),
    UNARY(ROUND, "0"),
    UNARY(FRAC, "g"),
    UNARY(SIGMOID, "g * ((1 - y) * y)"),
    UNARY(RELU, "where(y <= 0, 0, g)"),
    UNARY(LOGICAL_NOT, "0"),
    UNARY(ISNAN, "0"),
    UNARY(ISINF, "0"),
    UNARY(ISFINITE, "0"),
    UNARY(SIGNBIT, "0"),
    UNARY(LOG_SIGMOID, "g * sigmoid(-a)"),
    UNARY(SINC, "g * where(a == 0, 0, (pi * a * cos(pi * a) - sin(pi * a)) / (pi * a * a))"),
    BINARY_FACTOR(ADD, "g", "g * f", "g * b"),
    BINARY_FACTOR(SUB, "g", "-(g * f)", "-(g * b)"),
    BINARY(MUL, "g * b", "g * a"),
    BINARY(DIV, "g / b", "-g * (a / b / b)"),
    BINARY(DIV_FLOOR, "0", "0"),
    BINARY(DIV_TRUNC, "0", "0"),
    BINARY(REMAINDER, "g", "-g * (a // b)"),
    BINARY(FMOD, "g", "-g * trunc(a / b)"),
    BINARY(POW, "where(b == 0, 0, g * (b * a ** (b - 1)))",
           "where(a == 0 and b >= 0, 0, g * (y * log(a)))"),
    /* equal: half to each */
    BINARY(MAXIMUM, "where(a == b, g / 2, where(a < b, 0, g))",
           "where(a == b, g / 2, where(a > b, 0, g))"),
    BINARY(MINIMUM, "where(a == b, g / 2, where(a > b, 0, g))",
           "where(a == b, g / 2, where(a < b, 0, g))"),
    /* all to the first where it wins, where they are equal and where the other is NaN */
    BINARY(FMAX, "where(a >= b or isnan(b), g, 0)", "where(a >= b or isnan(b), 0, g)"),
    BINARY(FMIN, "where(a <= b or isnan(b), g, 0)", "where(a <= b or isnan(b), 0, g)"),
    BINARY(ATAN2, "g / (a * a + b * b) * b", "g / (a * a + b * b) * -a"),
    BINARY(HYPOT, "g * (a / y)", "g * (b / y)"),
    BINARY(COPYSIGN, "g * where(a == 0, 0, y / a)", "0"),
    BINARY(EQ, "0", "0"),
    BINARY(NE, "0", "0"),
    BINARY(LT, "0", "0"),
    BINARY(LE, "0", "0"),
    BINARY(GT, "0", "0"),
    BINARY(GE, "0", "0"),
    BINARY(LOGICAL_AND, "0", "0"),
    BINARY(LOGICAL_OR, "0", "0"),
    BINARY(LOGICAL_XOR, "0", "0"),
    BINARY(XLOGY, "g * where(a == 0 and b <= 0, 0, log(b))", "g * (a / b)"),
    BINARY(LOGADDEXP, "g / (1 + exp(b - a))", "g / (1 + exp(a - b))"),
    BINARY(LOGADDEXP2, "g / (1 + exp2(b - a))", "g / (1 + exp2(a - b))"),
    TERNARY(WHERE, "0", "where(a, g, 0)", "where(a, 0, g)", NULL),
    TERNARY(CLAMP, "where(a >= b and a <= c, g, 0)", "where(b < c and a < b, g, 0)",
            "where(a > c or c < b, g, 0)", NULL),
    TERNARY(ADDCMUL, "g", "g * (c * f)", "g * (b * f)", "g * (b * c)"),
    TERNARY(ADDCDIV, "g", "g * f / c", "-(g * f / c * (b / c))", "g * (b / c)"),
    TERNARY(LERP, "g * (1 - c)", "g * c", "g * (b - a)", NULL),
    {TERN_KERNEL_COPY, -1, {"g", NULL, NULL}, NULL},
};

static const derivative *derivative_of(const tern_map_step *step) {
    for (size_t i = 0; i < sizeof derivatives / sizeof derivatives[0]; i++) {
        const derivative *d = &derivatives[i];
        if (d->family == step->family && (d->fn == step->fn || d->fn < 0)) return d;
    }
    return NULL;
}

/* A program on its way to its gradients. */
typedef struct reverse {
    tern_ctx *ctx;
    const tern_map_attrs *attrs;
    tern_program *out;
    int16_t values[TERN_P_INPUTS + TERN_P_CONSTANTS + TERN_P_STEPS];   /* in `out` */
    int16_t adjoints[TERN_P_INPUTS + TERN_P_CONSTANTS + TERN_P_STEPS]; /* there too */
    bool reaches[TERN_P_INPUTS + TERN_P_CONSTANTS + TERN_P_STEPS]; /* depends on a wanted input */
} reverse;

static bool too_long(reverse *r) {
    tern_fail(r->ctx, TERN_ERR_UNSUPPORTED,
              "map: the derivative of this formula is too long: more than %d steps", TERN_P_STEPS);
    return false;
}

/* Adds what comes to a source by one formula. */
static bool flow(reverse *r, const tern_map_step *step, int16_t result, int16_t adjoint, int k,
                 const char *formula) {
    static const char *const letters = "abc";
    tern_program_name names[6];
    char message[200];
    int arity = tern_program_arity(step->family), n = 0;
    for (int i = 0; i < arity; i++)
        names[n++] = (tern_program_name){letters + i, 1, r->values[step->source[i]], false};
    int16_t factor = arity < 4 ? step->source[arity] : -1;
    names[n++] = (tern_program_name){
        "f", 1, factor < 0 ? tern_program_number(r->out, 1) : r->values[factor], false};
    names[n++] = (tern_program_name){"y", 1, result, false};
    names[n++] = (tern_program_name){"g", 1, adjoint, false};
    int16_t share = tern_program_parse(r->out, formula, names, n, message, sizeof message);
    if (share < 0) return too_long(r);
    double number;
    if (tern_program_is_constant(r->out, share, &number) && number == 0) return true;
    int16_t *sum = &r->adjoints[step->source[k]];
    *sum = *sum < 0 ? share : tern_program_binary(r->out, TERN_BINARY_ADD, *sum, share);
    return !r->out->full || too_long(r);
}

static bool step_back(reverse *r, int at, const tern_map_step *step) {
    const derivative *d = derivative_of(step);
    int arity = tern_program_arity(step->family);
    for (int k = 0; k <= arity && k < 4; k++) {
        if (step->source[k] < 0 || !r->reaches[step->source[k]]) continue;
        const char *formula = !d ? NULL : k == arity ? d->by_factor : d->by[k];
        if (!formula) {
            tern_fail(r->ctx, TERN_ERR_UNSUPPORTED,
                      "map: the derivative of a step (kernel %d, member %d) is not implemented",
                      step->family, step->fn);
            return false;
        }
        if (!flow(r, step, r->values[at], r->adjoints[at], k, formula)) return false;
    }
    return true;
}

static void mark_reaching(reverse *r, const bool *wanted) {
    int first = r->attrs->n_inputs + r->attrs->n_constants;
    memset(r->reaches, 0, sizeof r->reaches);
    memcpy(r->reaches, wanted, (size_t)r->attrs->n_inputs * sizeof *wanted);
    for (int k = 0; k < r->attrs->n_steps; k++)
        for (int i = 0; i < 4; i++) {
            int16_t source = tern_map_steps(r->attrs)[k].source[i];
            if (source >= 0 && r->reaches[source]) r->reaches[first + k] = true;
        }
}

/* The gradients of the outputs that are given become adjoints. */
static void seed(reverse *r, const bool *given) {
    int16_t next = (int16_t)r->attrs->n_inputs;
    memset(r->adjoints, 0xff, sizeof r->adjoints);
    for (int k = 0; k < r->attrs->n_outputs; k++) {
        if (!given[k]) continue;
        int16_t *at = &r->adjoints[tern_map_outputs(r->attrs)[k]], grad = next++;
        *at = *at < 0 ? grad : tern_program_binary(r->out, TERN_BINARY_ADD, *at, grad);
    }
}

bool tern_program_gradient(tern_ctx *ctx, const tern_map_attrs *attrs, const bool *given,
                           const bool *wanted, tern_program *out) {
    reverse r = {.ctx = ctx, .attrs = attrs, .out = out};
    int n_given = 0, first = attrs->n_inputs + attrs->n_constants;
    for (int k = 0; k < attrs->n_outputs; k++) n_given += given[k];
    tern_program_begin(out, attrs->n_inputs + n_given, TERN_P_STEPS);
    if (out->n_inputs > TERN_P_INPUTS || !tern_program_append(out, attrs, r.values))
        return too_long(&r);
    mark_reaching(&r, wanted);
    seed(&r, given);
    for (int k = attrs->n_steps - 1; k >= 0; k--)
        if (r.adjoints[first + k] >= 0 && r.reaches[first + k] &&
            !step_back(&r, first + k, &tern_map_steps(attrs)[k]))
            return false;
    for (int k = 0; k < attrs->n_inputs; k++) {
        if (!wanted[k]) continue;
        int16_t grad = r.adjoints[k] < 0 ? tern_program_number(out, 0) : r.adjoints[k];
        if (out->full || out->n_outputs == TERN_P_OUTPUTS) return too_long(&r);
        out->outputs[out->n_outputs++] = grad;
    }
    return true;
}
