/* Truths in long double, from libm where it has them; good to a thousandth of an ulp of float32. */
#define _DEFAULT_SOURCE /* lgammal_r */
#include <float.h>
#include <math.h>

#include "ulp.h"

static const long double PI = 3.14159265358979323846264338327950288L;

/* The values between poles pass zero, where few digits of a sum are left. */
static bool far_from_zero(long double value) {
    return !(fabsl(value) < 0x1p-8L);
}

/* sin(pi x) and cos(pi x), by an exact reduction to [-1/2, 1/2]. */
static void sin_cos_pi(long double x, long double *out_sin, long double *out_cos) {
    long double r = x - 2 * rintl(x / 2);
    long double sign = 1;
    if (fabsl(r) > 0.5L) {
        r = copysignl(1, r) - r;
        sign = -1;
    }
    *out_sin = sinl(PI * r);
    *out_cos = sign * (fabsl(r) > 0.25L ? sinl(PI * (0.5L - fabsl(r))) : cosl(PI * r));
}

/* Halley's steps from Winitzki's formula, as numerics/elementary_erf.c has them, here in long double. */
bool ulp_quick_erfinv(long double x, long double *out) {
    long double a = fabsl(x);
    *out = x;
    if (isnan(x) || a > 1) *out = NAN;
    if (a == 1) *out = copysignl(HUGE_VALL, x);
    if (!(a < 1) || a == 0) return true;
    long double log_term = logl((1 - a) * (1 + a));
    long double t = 4.330746750799873L + log_term / 2;
    long double y = a < 0.1L ? a / 1.1283791671L : sqrtl(sqrtl(t * t - log_term / 0.147L) - t);
    for (int i = 0; i < 4; i++) {
        long double residual = a < 0.5L ? erfl(y) - a : (1 - a) - erfcl(y);
        long double u = residual * sqrtl(PI) / 2 * expl(y * y);
        y -= u / (1 + u * y);
    }
    *out = copysignl(y, x);
    return true;
}

bool ulp_quick_lgamma(long double x, long double *out) {
    int sign;
    *out = lgammal_r(x, &sign);
    return far_from_zero(*out);
}

/* x >= 1/2: the recurrence up to 24, then the asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.12);
 * B_2k for k = 1 and on. */
static const long double BERNOULLI[] = {
    1.0L / 6,       -1.0L / 30, 1.0L / 42,      -1.0L / 30,     5.0L / 66,
    -691.0L / 2730, 7.0L / 6,   -3617.0L / 510, 43867.0L / 798, -174611.0L / 330,
};
enum { BERNOULLI_COUNT = sizeof BERNOULLI / sizeof *BERNOULLI };

static long double digamma_right(long double x) {
    long double sum = 0;
    for (; x < 24; x++) sum += 1 / x;
    long double square = 1 / (x * x), series = 0;
    for (int k = BERNOULLI_COUNT; k > 0; k--)
        series = (series + BERNOULLI[k - 1] / (2 * k)) * square;
    return logl(x) - 1 / (2 * x) - series - sum;
}

static long double trigamma_right(long double x) {
    long double sum = 0;
    for (; x < 24; x++) sum += 1 / (x * x);
    long double square = 1 / (x * x), series = 0;
    for (int k = BERNOULLI_COUNT; k > 0; k--) series = (series + BERNOULLI[k - 1]) * square;
    return sum + 1 / x + square / 2 + series / x;
}

bool ulp_quick_digamma(long double x, long double *out) {
    *out = x;
    if (isnan(x) || x == HUGE_VALL) return true;
    if (x == 0) *out = copysignl(HUGE_VALL, -x);
    if (x < 0 && rintl(x) == x) *out = NAN;
    if (x <= 0 && rintl(x) == x) return true;
    if (x < 0.5L) {
        long double s, c;
        sin_cos_pi(x, &s, &c);
        *out = digamma_right(1 - x) - PI * c / s;
        return far_from_zero(*out);
    }
    *out = digamma_right(x);
    return far_from_zero(*out);
}

bool ulp_quick_trigamma(long double x, long double *out) {
    if (isnan(x) || isinf(x)) {
        *out = x > 0 ? 0 : NAN;
    } else if (x <= 0 && rintl(x) == x) {
        *out = HUGE_VALL;
    } else if (x < 0.5L) {
        long double s, c;
        sin_cos_pi(x, &s, &c);
        *out = PI / s * (PI / s) - trigamma_right(1 - x);
    } else {
        *out = trigamma_right(x);
    }
    return true;
}

bool ulp_quick_sinc(long double x, long double *out) {
    *out = 1;
    if (x == 0) return true;
    long double s, c;
    sin_cos_pi(x, &s, &c);
    *out = s / (PI * x);
    return true;
}

bool ulp_quick_log_sigmoid(long double x, long double *out) {
    *out = fminl(x, 0) - log1pl(expl(-fabsl(x)));
    if (isnan(x)) *out = NAN;
    return true;
}
