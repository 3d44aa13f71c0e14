/* sinh, cosh, tanh and their inverses, from expm1 and log1p. */
#include "numerics/elementary.h"

#include "numerics/elementary_dd.h"

/* ln 2 as a pair. */
static const tern_dd LN_2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

static double signed_as(tern_dd magnitude, double sign_of) {
    return copysign(magnitude.hi + magnitude.lo, sign_of);
}

/* e^x / 2 for x so large that e^-x does not count; e^x alone may be beyond the range. */
static double half_exp(double x) {
    if (x > 711.0) return HUGE_VAL;
    tern_dd_power p = tern_num_dd_exp((tern_dd){x, 0.0});
    p.k -= 1;
    return tern_num_dd_round_power(p);
}

/* With e = e^x - 1: sinh x = (e + e / (1 + e)) / 2, free of cancellation. */
double tern_num_sinh(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return x + x;
    if (ax < 0x1p-28) return x;
    if (ax > 40.0) return copysign(half_exp(ax), x);
    tern_dd e = tern_num_dd_expm1((tern_dd){ax, 0.0});
    tern_dd quotient = tern_dd_div(e, tern_dd_add_d(e, 1.0));
    return signed_as(tern_dd_scale(tern_dd_add(e, quotient), 0.5), x);
}

double tern_num_cosh(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return ax + ax;
    if (ax < 0x1p-28) return 1.0;
    if (ax > 40.0) return half_exp(ax);
    tern_dd e = tern_dd_add_d(tern_num_dd_expm1((tern_dd){ax, 0.0}), 1.0);
    tern_dd inverse = tern_dd_div((tern_dd){1.0, 0.0}, e);
    return signed_as(tern_dd_scale(tern_dd_add(e, inverse), 0.5), 1.0);
}

/* With e = e^2x - 1: tanh x = e / (e + 2). */
double tern_num_tanh(double x) {
    double ax = fabs(x);
    if (x != x) return x + x;
    if (ax < 0x1p-28) return x;
    if (ax > 20.0) return copysign(1.0, x);
    tern_dd e = tern_num_dd_expm1((tern_dd){2.0 * ax, 0.0});
    return signed_as(tern_dd_div(e, tern_dd_add_d(e, 2.0)), x);
}

/* asinh x = log1p(x + x^2 / (1 + sqrt(1 + x^2))). */
double tern_num_asinh(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return x + x;
    if (ax < 0x1p-28) return x;
    if (ax > 0x1p60) return signed_as(tern_dd_add(tern_num_dd_log((tern_dd){ax, 0.0}), LN_2), x);
    tern_dd square = tern_dd_two_prod(ax, ax);
    tern_dd root = tern_dd_sqrt(tern_dd_add_d(square, 1.0));
    tern_dd f = tern_dd_div(square, tern_dd_add_d(root, 1.0));
    return signed_as(tern_num_dd_log1p(tern_dd_add_d(f, ax)), x);
}

/* With t = x - 1: acosh x = log1p(t + sqrt(t (t + 2))). */
double tern_num_acosh(double x) {
    if (x < 1.0) return NAN;
    if (!(x < HUGE_VAL)) return x + x;
    if (x == 1.0) return 0.0;
    if (x > 0x1p60) {
        tern_dd r = tern_dd_add(tern_num_dd_log((tern_dd){x, 0.0}), LN_2);
        return r.hi + r.lo;
    }
    tern_dd t = tern_dd_two_sum(x, -1.0);
    tern_dd root = tern_dd_sqrt(tern_dd_mul(t, tern_dd_add_d(t, 2.0)));
    tern_dd r = tern_num_dd_log1p(tern_dd_add(t, root));
    return r.hi + r.lo;
}

/* atanh x = log1p(2x / (1 - x)) / 2. */
double tern_num_atanh(double x) {
    double ax = fabs(x);
    if (x != x) return x + x;
    if (ax > 1.0) return NAN;
    if (ax == 1.0) return copysign(HUGE_VAL, x);
    if (ax < 0x1p-28) return x;
    tern_dd f = tern_dd_div((tern_dd){2.0 * ax, 0.0}, tern_dd_two_sum(1.0, -ax));
    return signed_as(tern_dd_scale(tern_num_dd_log1p(f), 0.5), x);
}
