/* exp, log, pow, what is made of them, and their kernels. */
#include "numerics/elementary.h"

#include <stdbool.h>

#include "numerics/elementary_dd.h"

#define TERN_TABLE_EXP_LOG
#include "numerics/elementary_tables.h"

static const double SQRT_HALF = 0x1.6a09e667f3bcdp-1;

/*
 * x = k ln 2 + r, |r| <= ln(2) / 2 or a little more. x.hi - k LN2[0] is exact: both are multiples
 * of 2^-54 where k is not 0, and the difference is below 1/2.
 */
tern_dd_power tern_num_dd_exp(tern_dd x) {
    double k = rint(x.hi * INV_LN2[0].hi);
    tern_dd r = {x.hi, x.lo};
    if (k != 0.0) {
        double first = fma(-k, LN2[0], x.hi);
        tern_dd second = tern_dd_two_prod(-k, LN2[1]);
        second = tern_dd_add_d(second, fma(-k, LN2[2], x.lo));
        r = tern_dd_add_d(second, first);
    }
    return (tern_dd_power){tern_dd_mul(r, TERN_DD_POLY(r, EXPM1)), (int)k};
}

double tern_num_dd_ldexp(tern_dd m, int k) {
    if (k > 1100) return m.hi * HUGE_VAL;
    if (k < -1200) return m.hi * 0.0;
    if (k >= -1000) return ldexp(m.hi + m.lo, k);
    /*
     * Adding 2^(-1020 - k) makes one ulp of the sum the spacing of subnormals, or less by a factor
     * that the scaling keeps, so that the rounding happens once, here.
     */
    double result = ldexp(m.hi + m.lo, k);
    if (fabs(result) >= 0x1p-1022) return result;
    double grid = copysign(ldexp(1.0, -1022 - k), m.hi);
    tern_dd sum = tern_dd_two_sum(grid, m.hi);
    return ldexp((sum.hi + (sum.lo + m.lo)) - grid, k);
}

double tern_num_dd_round_power(tern_dd_power p) {
    return tern_num_dd_ldexp(tern_dd_add_d(p.fraction, 1.0), p.k);
}

tern_dd tern_num_dd_expm1(tern_dd x) {
    tern_dd_power p = tern_num_dd_exp(x);
    if (p.k == 0) return p.fraction;
    double scale = ldexp(1.0, p.k);
    return tern_dd_add(tern_dd_scale(p.fraction, scale), tern_dd_two_sum(scale, -1.0));
}

double tern_num_exp(double x) {
    if (x != x) return x + x;
    if (x > 710.0) return HUGE_VAL;
    if (x < -746.0) return 0.0;
    return tern_num_dd_round_power(tern_num_dd_exp((tern_dd){x, 0.0}));
}

/* 2^x. LN2 as a pair: its third double is below the precision needed. */
static tern_dd_power exp2_power(tern_dd x) {
    double k = rint(x.hi);
    tern_dd r = tern_dd_mul((tern_dd){LN2[0], LN2[1]}, tern_dd_two_sum(x.hi - k, x.lo));
    return (tern_dd_power){tern_dd_mul(r, TERN_DD_POLY(r, EXPM1)), (int)k};
}

double tern_num_exp2(double x) {
    if (x != x) return x + x;
    if (x >= 1024.0) return HUGE_VAL;
    if (x < -1080.0) return 0.0;
    return tern_num_dd_round_power(exp2_power((tern_dd){x, 0.0}));
}

double tern_num_expm1(double x) {
    if (x != x || x == 0.0) return x + x;
    if (x > 710.0) return HUGE_VAL;
    if (x < -50.0) return -1.0;
    if (fabs(x) < 0x1p-54) return x;
    if (x > 60.0) return tern_num_exp(x);
    tern_dd e = tern_num_dd_expm1((tern_dd){x, 0.0});
    return e.hi + e.lo;
}

/* log((1 + s) / (1 - s)) = s (2 + 2/3 s^2 + ...), |s| < 0.18. */
static tern_dd log_series(tern_dd s) {
    tern_dd z = tern_dd_mul(s, s);
    return tern_dd_mul(s, TERN_DD_POLY(z, LOG));
}

/* x = m 2^k with m in [sqrt(1/2), sqrt 2); returns log m, which is exactly 0 for m = 1. */
static tern_dd log_mantissa(tern_dd x, int *out_k) {
    int k = 0;
    double m = frexp(x.hi, &k);
    if (m < SQRT_HALF) {
        m *= 2.0;
        k -= 1;
    }
    *out_k = k;
    double lo = x.lo == 0.0 ? 0.0 : ldexp(x.lo, -k);
    tern_dd minus = tern_dd_two_sum(m - 1.0, lo);
    tern_dd plus = tern_dd_add_d(tern_dd_two_sum(m, lo), 1.0);
    return log_series(tern_dd_div(minus, plus));
}

tern_dd tern_num_dd_log(tern_dd x) {
    int k;
    tern_dd log_m = log_mantissa(x, &k);
    if (k == 0) return log_m;
    tern_dd k_ln2 = tern_dd_mul_d((tern_dd){LN2[0], LN2[1]}, (double)k);
    return tern_dd_add(k_ln2, log_m);
}

tern_dd tern_num_dd_log1p(tern_dd f) {
    if (f.hi > -0.25 && f.hi < 0.375) return log_series(tern_dd_div(f, tern_dd_add_d(f, 2.0)));
    return tern_num_dd_log(tern_dd_add_d(f, 1.0));
}

/* What every logarithm does at NaN, 0, below 0 and at inf; true when *out is the result. */
static bool log_special(double x, double *out) {
    if (x > 0.0 && x < HUGE_VAL) return false;
    *out = x == 0.0 ? -HUGE_VAL : x < 0.0 ? NAN : x + x;
    return true;
}

double tern_num_log(double x) {
    double special;
    if (log_special(x, &special)) return special;
    tern_dd r = tern_num_dd_log((tern_dd){x, 0.0});
    return r.hi + r.lo;
}

double tern_num_log2(double x) {
    double special;
    if (log_special(x, &special)) return special;
    int k;
    tern_dd r = tern_dd_mul(log_mantissa((tern_dd){x, 0.0}, &k), INV_LN2[0]);
    r = tern_dd_add_d(r, (double)k);
    return r.hi + r.lo;
}

double tern_num_log10(double x) {
    double special;
    if (log_special(x, &special)) return special;
    int k;
    tern_dd r = tern_dd_mul(log_mantissa((tern_dd){x, 0.0}, &k), INV_LN10[0]);
    r = tern_dd_add(r, tern_dd_mul_d(LOG10_2[0], (double)k));
    return r.hi + r.lo;
}

double tern_num_log1p(double x) {
    if (x == 0.0) return x;
    if (x == -1.0) return -HUGE_VAL;
    if (x < -1.0) return NAN;
    if (!(x < HUGE_VAL)) return x + x;
    if (fabs(x) < 0x1p-54) return x;
    tern_dd r = tern_num_dd_log1p((tern_dd){x, 0.0});
    return r.hi + r.lo;
}

/* 0: y is not an integer; 1: odd; 2: even. */
static int integer_kind(double y) {
    if (floor(y) != y) return 0;
    if (fabs(y) >= 0x1p53) return 2;
    return fmod(y, 2.0) == 0.0 ? 2 : 1;
}

/* x^y where x or y is 0 or infinite, after NaN, y = 0 and x = 1 (C11 F.10.4.4). */
static double pow_special(double x, double y) {
    bool negative = signbit(x) && integer_kind(y) == 1;
    double ax = fabs(x);
    bool grows;
    if (fabs(y) == HUGE_VAL) {
        if (ax == 1.0) return 1.0;
        negative = false;
        grows = (ax > 1.0) == (y > 0.0);
    } else {
        grows = (ax == 0.0) == (y < 0.0);
    }
    double magnitude = grows ? HUGE_VAL : 0.0;
    return negative ? -magnitude : magnitude;
}

double tern_num_pow(double x, double y) {
    if (y == 0.0 || x == 1.0) return 1.0;
    if (x != x || y != y) return x + y;
    if (x == 0.0 || fabs(x) == HUGE_VAL || fabs(y) == HUGE_VAL) return pow_special(x, y);
    double sign = 1.0;
    if (x < 0.0) {
        int kind = integer_kind(y);
        if (kind == 0) return NAN;
        if (kind == 1) sign = -1.0;
        x = -x;
        if (x == 1.0) return sign;
    }
    tern_dd log_x = tern_num_dd_log((tern_dd){x, 0.0});
    double estimate = log_x.hi * y;
    if (estimate > 720.0) return sign * HUGE_VAL;
    if (estimate < -760.0) return sign * 0.0;
    /* Below 2^-200 the low parts may underflow, and the result is 1 anyway. */
    if (fabs(estimate) < 0x1p-60) return sign;
    return sign * tern_num_dd_round_power(tern_num_dd_exp(tern_dd_mul_d(log_x, y)));
}

double tern_num_sigmoid(double x) {
    if (x != x) return x + x;
    if (x > 40.0) return 1.0;
    if (x < -746.0) return 0.0;
    if (x < -40.0) return tern_num_exp(x);
    tern_dd denominator = tern_dd_add_d(tern_num_dd_expm1((tern_dd){-x, 0.0}), 2.0);
    tern_dd r = tern_dd_div((tern_dd){1.0, 0.0}, denominator);
    return r.hi + r.lo;
}

/* log(1 + 2^k (1 + fraction)), 2^-1000 < the power < 2^100. */
static tern_dd log1p_power(tern_dd_power p) {
    tern_dd e = tern_dd_scale(tern_dd_add_d(p.fraction, 1.0), ldexp(1.0, p.k));
    return p.k < -190 ? e : tern_num_dd_log1p(e);
}

/* Whether log(e^x + e^y) takes no sum of exponentials: NaN, an infinity, or a smaller number that is so far
 * below the larger one that its exponential, `tail` of the difference, is all that it adds. */
static bool logaddexp_special(double x, double y, double (*tail)(double), double *out) {
    double large = x > y ? x : y;
    double small = x > y ? y : x;
    *out = x != x || y != y ? x + y : large;
    if (*out != *out || fabs(large) == HUGE_VAL) return true;
    if (large - small < 680.0) return false;
    *out += tail(small - large);
    return true;
}

/* -|x - y| */
static tern_dd minus_distance(double x, double y) {
    return tern_dd_neg(x > y ? tern_dd_two_sum(x, -y) : tern_dd_two_sum(y, -x));
}

double tern_num_logaddexp(double x, double y) {
    double large;
    if (logaddexp_special(x, y, tern_num_exp, &large)) return large;
    tern_dd r = tern_dd_add_d(log1p_power(tern_num_dd_exp(minus_distance(x, y))), large);
    return r.hi + r.lo;
}

/* Far below, log2(1 + t) = t / ln 2. */
static double exp2_over_ln2(double x) {
    return tern_num_exp2(x) * INV_LN2[0].hi;
}

double tern_num_logaddexp2(double x, double y) {
    double large;
    if (logaddexp_special(x, y, exp2_over_ln2, &large)) return large;
    tern_dd log_of = tern_dd_mul(log1p_power(exp2_power(minus_distance(x, y))), INV_LN2[0]);
    tern_dd r = tern_dd_add_d(log_of, large);
    return r.hi + r.lo;
}

/* min(x, 0) - log(1 + e^-|x|), where the second is below 2^-57 of the first from |x| = 40 on. */
double tern_num_log_sigmoid(double x) {
    if (x != x || x < -40.0) return x;
    if (x > 40.0) return -tern_num_exp(-x);
    tern_dd r = tern_dd_neg(log1p_power(tern_num_dd_exp((tern_dd){-fabs(x), 0.0})));
    if (x < 0.0) r = tern_dd_add_d(r, x);
    return r.hi + r.lo;
}

double tern_num_xlogy(double x, double y) {
    if (y != y) return y;
    if (x == 0.0) return 0.0;
    if (y == 1.0) return x * 0.0; /* the sign of a product with 0 */
    double special;
    if (log_special(y, &special)) return x * special;
    if (fabs(x) == HUGE_VAL || x != x) return x * tern_num_log(y);
    int e;
    tern_dd r = tern_dd_mul_d(tern_num_dd_log((tern_dd){y, 0.0}), frexp(x, &e));
    return ldexp(r.hi + r.lo, e);
}

/* The reciprocal y of the double s = sqrt(x) - e, and one Newton step with what s and y lack:
 * 1 / sqrt(x) = y + y (1 - s y) - y^2 e. */
double tern_num_rsqrt(double x) {
    double s = sqrt(x);
    double y = 1.0 / s;
    if (!(x > 0.0 && x < HUGE_VAL)) return y;
    if (x < 0x1p-900) return 0x1p100 * tern_num_rsqrt(x * 0x1p200);
    double e = fma(-s, s, x) / (2.0 * s);
    return fma(y, fma(-s, y, 1.0) - y * e, y);
}
