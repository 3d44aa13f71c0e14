/* asin, acos, atan, atan2, all from one kernel; hypot. */
#include "numerics/elementary.h"

#include <stdbool.h>

#include "numerics/elementary_dd.h"

#define TERN_TABLE_INVERSE_TRIG
#include "numerics/elementary_tables.h"

/*
 * The ratio t = min / max lies in [0, 1]; with c the closest eighth,
 * atan t = atan c + atan((t - c) / (1 + t c)), whose argument is at most 1/16.
 */
tern_dd tern_num_dd_atan2(tern_dd y, tern_dd x) {
    bool steep = y.hi > x.hi;
    tern_dd small = steep ? x : y;
    tern_dd large = steep ? y : x;
    double eighths = rint(8.0 * (small.hi / large.hi));
    double c = eighths * 0.125;
    tern_dd numerator = tern_dd_sub(small, tern_dd_mul_d(large, c));
    tern_dd denominator = tern_dd_add(large, tern_dd_mul_d(small, c));
    tern_dd t = tern_dd_div(numerator, denominator);
    tern_dd series = tern_dd_mul(t, TERN_DD_POLY(tern_dd_mul(t, t), ATAN));
    tern_dd angle = tern_dd_add(ATAN_EIGHTHS[(int)eighths], series);
    return steep ? tern_dd_sub(HALF_PI[0], angle) : angle;
}

static double signed_as(tern_dd magnitude, double sign_of) {
    return copysign(magnitude.hi + magnitude.lo, sign_of);
}

/* sqrt((1 - a)(1 + a)), 0 <= a <= 1. */
static tern_dd cofactor(double a) {
    return tern_dd_sqrt(tern_dd_mul(tern_dd_two_sum(1.0, -a), tern_dd_two_sum(1.0, a)));
}

double tern_num_asin(double x) {
    double ax = fabs(x);
    if (x != x) return x + x;
    if (ax > 1.0) return NAN;
    if (ax < 0x1p-28) return x;
    return signed_as(tern_num_dd_atan2((tern_dd){ax, 0.0}, cofactor(ax)), x);
}

double tern_num_acos(double x) {
    double ax = fabs(x);
    if (x != x) return x + x;
    if (ax > 1.0) return NAN;
    tern_dd angle = tern_num_dd_atan2(cofactor(ax), (tern_dd){ax, 0.0});
    if (x < 0.0) angle = tern_dd_sub(tern_dd_scale(HALF_PI[0], 2.0), angle);
    return angle.hi + angle.lo;
}

double tern_num_atan(double x) {
    double ax = fabs(x);
    if (x != x) return x + x;
    if (ax < 0x1p-28) return x;
    if (ax > 0x1p60) return copysign(HALF_PI[0].hi, x);
    return signed_as(tern_num_dd_atan2((tern_dd){ax, 0.0}, (tern_dd){1.0, 0.0}), x);
}

/* atan2 of magnitudes where one is 0 or infinite or so much smaller that it hardly counts. */
static double atan2_extreme(double ay, double x, int exponent_gap) {
    bool left = signbit(x) != 0;
    if (fabs(x) == HUGE_VAL && ay == HUGE_VAL) {
        tern_dd quarter = tern_dd_scale(HALF_PI[0], left ? 1.5 : 0.5);
        return quarter.hi + quarter.lo;
    }
    if (x == 0.0 && ay == 0.0) return left ? 2.0 * HALF_PI[0].hi : 0.0;
    if (exponent_gap > 0) return HALF_PI[0].hi;
    return left ? 2.0 * HALF_PI[0].hi : ay / x;
}

double tern_num_atan2(double y, double x) {
    if (x != x || y != y) return x + y;
    double ax = fabs(x);
    double ay = fabs(y);
    int ex = 0;
    int ey = 0;
    double mx = frexp(ax, &ex);
    double my = frexp(ay, &ey);
    if (ax == HUGE_VAL || ay == 0.0) ey = ex - 1000;
    if (ay == HUGE_VAL || (ax == 0.0 && ay != 0.0)) ey = ex + 1000;
    int gap = ey - ex;
    if (gap > 60 || gap < -60) return copysign(atan2_extreme(ay, x, gap), y);
    tern_dd angle = tern_num_dd_atan2((tern_dd){ldexp(my, gap), 0.0}, (tern_dd){mx, 0.0});
    if (signbit(x)) angle = tern_dd_sub(tern_dd_scale(HALF_PI[0], 2.0), angle);
    return signed_as(angle, y);
}

double tern_num_hypot(double x, double y) {
    double a = fabs(x);
    double b = fabs(y);
    if (a == HUGE_VAL || b == HUGE_VAL) return HUGE_VAL;
    if (x != x || y != y) return x + y;
    double large = a > b ? a : b;
    double small = a > b ? b : a;
    if (small == 0.0) return large;
    int e = 0;
    (void)frexp(large, &e);
    large = ldexp(large, -e);
    small = ldexp(small, -e);
    if (small < 0x1p-60) return ldexp(large, e);
    tern_dd square = tern_dd_add(tern_dd_two_prod(large, large), tern_dd_two_prod(small, small));
    return tern_num_dd_ldexp(tern_dd_sqrt(square), e);
}
