/* log |gamma|, digamma and trigamma. */
#include "numerics/elementary.h"

#include "numerics/elementary_dd.h"

#define TERN_TABLE_GAMMA
#include "numerics/elementary_tables.h"

static const tern_dd ONE = {1.0, 0.0};

/* lgamma(2 + e), |e| <= 1/2. */
static tern_dd lgamma_around_2(double e) {
    return tern_dd_mul_d(TERN_DD_POLY(((tern_dd){e, 0.0}), LGAMMA2), e);
}

/* Stirling: (x - 1/2) log x - x + log(2 pi) / 2 + 1 / (12 x) - ..., x >= 12. */
static tern_dd lgamma_stirling(double x) {
    tern_dd log_x = tern_num_dd_log((tern_dd){x, 0.0});
    tern_dd inverse = tern_dd_div(ONE, (tern_dd){x, 0.0});
    tern_dd series = TERN_DD_POLY(tern_dd_mul(inverse, inverse), STIRLING);
    tern_dd sum = tern_dd_add(HALF_LN_2PI[0], tern_dd_mul(inverse, series));
    sum = tern_dd_add_d(sum, -x);
    return tern_dd_add(sum, tern_dd_mul(log_x, tern_dd_two_sum(x, -0.5)));
}

/* lgamma(x), 0 < x < 2^60. The recurrence brings x to a range where a series converges. */
static tern_dd lgamma_positive(double x) {
    tern_dd log_x = {0.0, 0.0};
    if (x < 0.5) {
        log_x = tern_num_dd_log((tern_dd){x, 0.0});
        if (x < 0x1p-100) return tern_dd_neg(log_x);
        tern_dd logs = tern_dd_add(tern_num_dd_log1p((tern_dd){x, 0.0}), log_x);
        return tern_dd_sub(lgamma_around_2(x), logs);
    }
    if (x == 1.0) return log_x;
    if (x < 1.5) {
        double e = x - 1.0;
        return tern_dd_sub(lgamma_around_2(e), tern_num_dd_log1p((tern_dd){e, 0.0}));
    }
    if (x >= 12.0) return lgamma_stirling(x);
    tern_dd product = ONE;
    while (x >= 2.5) {
        x -= 1.0;
        product = tern_dd_mul_d(product, x);
    }
    return tern_dd_add(lgamma_around_2(x - 2.0), tern_num_dd_log(product));
}

/* x (log x - 1), which is all that counts from 2^60 on; scaled against overflow on the way. */
static double lgamma_huge(double x) {
    if (x == HUGE_VAL) return x;
    tern_dd factor = tern_dd_add_d(tern_num_dd_log((tern_dd){x, 0.0}), -1.0);
    tern_dd product = tern_dd_mul_d(factor, x * 0x1p-100);
    return ldexp(product.hi + product.lo, 100);
}

/* Negative x by reflection: gamma(x) gamma(-x) = -pi / (x sin(pi x)). */
double tern_num_lgamma(double x) {
    if (x != x) return x + x;
    double ax = fabs(x);
    if (x > 0.0 && x >= 0x1p60) return lgamma_huge(x);
    if (x <= 0.0 && floor(x) == x) return HUGE_VAL;
    tern_dd r = lgamma_positive(ax);
    if (x < 0.0) {
        tern_dd s;
        tern_dd c;
        if (ax < 0x1p-100) return r.hi + r.lo;
        tern_num_dd_sin_cos_pi(x, &s, &c);
        tern_dd log_product = tern_num_dd_log(tern_dd_mul_d(s, ax));
        r = tern_dd_sub(tern_dd_sub(LN_PI[0], log_product), r);
    }
    return r.hi + r.lo;
}

/* digamma(x), x >= 2^-100: the recurrence up to 10, then log x - 1 / (2x) - sum B_2k / (2k x^2k).
 */
static tern_dd digamma_positive(double start) {
    tern_dd x = {start, 0.0};
    tern_dd shifted = {0.0, 0.0};
    while (x.hi < 10.0) {
        shifted = tern_dd_add(shifted, tern_dd_div(ONE, x));
        x = tern_dd_add_d(x, 1.0);
    }
    tern_dd inverse = tern_dd_div(ONE, x);
    tern_dd square = tern_dd_mul(inverse, inverse);
    tern_dd series = tern_dd_mul(square, TERN_DD_POLY(square, DIGAMMA));
    series = tern_dd_add(series, tern_dd_scale(inverse, 0.5));
    return tern_dd_sub(tern_dd_sub(tern_num_dd_log(x), series), shifted);
}

/* Negative x by reflection: digamma(x) = digamma(-x) + 1 / (-x) - pi / tan(pi x). */
double tern_num_digamma(double x) {
    if (x != x || x == HUGE_VAL) return x + x;
    if (x == 0.0) return copysign(HUGE_VAL, -x);
    if (x < 0.0 && floor(x) == x) return NAN;
    double ax = fabs(x);
    if (ax < 0x1p-100) return -1.0 / x;
    tern_dd r = digamma_positive(ax);
    if (x < 0.0) {
        tern_dd s;
        tern_dd c;
        tern_num_dd_sin_cos_pi(x, &s, &c);
        r = tern_dd_add(r, tern_dd_div(ONE, (tern_dd){ax, 0.0}));
        r = tern_dd_sub(r, tern_dd_mul(PI[0], tern_dd_div(c, s)));
    }
    return r.hi + r.lo;
}

/*
 * trigamma(x), x > 0: the recurrence trigamma(x) = 1 / x^2 + trigamma(x + 1) up to 20, then
 * 1 / x + 1 / (2x^2) + sum B_2k / x^(2k + 1) (Abramowitz and Stegun 6.4.6, 6.4.12). The sum is below
 * 2^-10 of the whole there, so it may be a double.
 */
static tern_dd trigamma_positive(tern_dd x) {
    tern_dd shifted = {0.0, 0.0};
    while (x.hi < 20.0) {
        tern_dd inverse = tern_dd_div(ONE, x);
        shifted = tern_dd_add(shifted, tern_dd_mul(inverse, inverse));
        x = tern_dd_add_d(x, 1.0);
    }
    tern_dd inverse = tern_dd_div(ONE, x);
    tern_dd square = tern_dd_mul(inverse, inverse);
    double r = square.hi;
    double series =
        1.0 / 6 -
        r * (1.0 / 30 - r * (1.0 / 42 - r * (1.0 / 30 - r * (5.0 / 66 - r * (691.0 / 2730)))));
    tern_dd sum = tern_dd_add_d(tern_dd_scale(square, 0.5), r * inverse.hi * series);
    return tern_dd_add(tern_dd_add(inverse, sum), shifted);
}

/* Negative x by reflection: trigamma(x) = (pi / sin(pi x))^2 - trigamma(1 - x). */
double tern_num_trigamma(double x) {
    if (x != x) return x + x;
    if (fabs(x) == HUGE_VAL) return x > 0.0 ? 0.0 : NAN;
    if (fabs(x) < 0x1p-513 || (x < 0.0 && floor(x) == x)) return HUGE_VAL;
    if (x >= 0x1p60) return 1.0 / x;
    tern_dd r;
    if (x > 0.0) {
        r = trigamma_positive((tern_dd){x, 0.0});
    } else {
        tern_dd s;
        tern_dd c;
        tern_num_dd_sin_cos_pi(x, &s, &c);
        tern_dd quotient = tern_dd_div(PI[0], s);
        r = tern_dd_mul(quotient, quotient);
        r = tern_dd_sub(r, trigamma_positive(tern_dd_two_sum(1.0, -x)));
    }
    /* The low part of what is beyond the range is no number. */
    return r.hi < HUGE_VAL ? r.hi + r.lo : HUGE_VAL;
}
