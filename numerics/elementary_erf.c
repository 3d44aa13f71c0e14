/* erf, erfc and the inverse of erf. */
#include "numerics/elementary.h"

#include "numerics/elementary_dd.h"

#define TERN_TABLE_ERROR
#include "numerics/elementary_tables.h"

/* erf(x), 0 < x < 1/2. */
static tern_dd erf_series(double x) {
    tern_dd z = tern_dd_two_prod(x, x);
    return tern_dd_mul_d(TERN_DD_POLY(z, ERF), x);
}

/*
 * erfc(x) = 2^k m, x >= 1/2: e^(-x^2) / (1 + 2x) times a slowly varying function of
 * u = (7x - 27) / (7x + 21). x^2 is exact in double-double.
 */
static tern_dd_power erfc_power(double x) {
    tern_dd seven_x = tern_dd_two_prod(7.0, x);
    tern_dd u = tern_dd_div(tern_dd_add_d(seven_x, -27.0), tern_dd_add_d(seven_x, 21.0));
    tern_dd_power p = tern_num_dd_exp(tern_dd_neg(tern_dd_two_prod(x, x)));
    tern_dd m = tern_dd_mul(tern_dd_add_d(p.fraction, 1.0), TERN_DD_POLY(u, ERFC));
    return (tern_dd_power){tern_dd_div(m, tern_dd_two_sum(1.0, 2.0 * x)), p.k};
}

/* erfc(x), 1/2 <= x < 20: no underflow. */
static tern_dd erfc_dd(double x) {
    tern_dd_power p = erfc_power(x);
    return tern_dd_scale(p.fraction, ldexp(1.0, p.k));
}

/* erf(x), 0 < x < 20. */
static tern_dd erf_dd(double x) {
    if (x < 0.5) return erf_series(x);
    return tern_dd_add_d(tern_dd_neg(erfc_dd(x)), 1.0);
}

double tern_num_erf(double x) {
    double ax = fabs(x);
    if (x != x || x == 0.0) return x + x;
    if (ax > 6.0) return copysign(1.0, x);
    if (ax < 0x1p-40) return fma(x, TWO_OVER_SQRT_PI[0].hi, x * TWO_OVER_SQRT_PI[0].lo);
    tern_dd r = erf_dd(ax);
    return copysign(r.hi + r.lo, x);
}

double tern_num_erfc(double x) {
    if (x != x) return x + x;
    if (x > 28.0) return 0.0;
    if (x < -6.0) return 2.0;
    if (fabs(x) < 0x1p-60) return 1.0;
    if (x >= 0.5) {
        tern_dd_power p = erfc_power(x);
        return tern_num_dd_ldexp(p.fraction, p.k);
    }
    tern_dd r = erf_dd(fabs(x));
    r = tern_dd_add_d(x < 0.0 ? r : tern_dd_neg(r), 1.0);
    return r.hi + r.lo;
}

/*
 * A first value to 2e-3, 0 < x < 1: the series near 0, else Winitzki's formula ("A handy
 * approximation for the error function and its inverse", 2008) with a = 0.147.
 */
static double erfinv_guess(double x) {
    if (x < 0.1) return x * (0.886226925452758 + 0.232013666534655 * x * x);
    double log_term = tern_num_log((1.0 - x) * (1.0 + x));
    double t = 4.330746750799873 + 0.5 * log_term;
    return sqrt(sqrt(t * t - log_term / 0.147) - t);
}

/* Halley steps on erf(y) - x (on erfc above 1/2, where 1 - x is exact); each cubes the error. */
double tern_num_erfinv(double x) {
    double ax = fabs(x);
    if (!(ax <= 1.0)) return NAN;
    if (ax == 1.0) return copysign(HUGE_VAL, x);
    if (x == 0.0) return x;
    if (ax < 0x1p-40) return fma(x, HALF_SQRT_PI[0].hi, x * HALF_SQRT_PI[0].lo);
    double y = erfinv_guess(ax);
    for (int i = 0; i < 3; i++) {
        tern_dd f;
        if (ax < 0.5 || y < 0.5)
            f = tern_dd_add_d(erf_dd(y), -ax);
        else
            f = tern_dd_sub(tern_dd_two_sum(1.0, -ax), erfc_dd(y));
        double u = f.hi / (TWO_OVER_SQRT_PI[0].hi * tern_num_exp(-y * y));
        y -= u / (1.0 + u * y);
    }
    return copysign(y, x);
}
