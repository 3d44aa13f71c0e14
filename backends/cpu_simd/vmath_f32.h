/*
 * Functions of float32 vectors; include vmath.h.
 *
 * Most are computed as float64, by halves (vmath_wide.h), some in float32 where there is a fused multiply-add
 * (vmath_fused.h); signs and special values are put right here.
 */
#ifndef TERN_CPU_SIMD_VMATH_F32_H
#define TERN_CPU_SIMD_VMATH_F32_H

#include <math.h>

#include "numerics/elementary.h"
#include "vmath_fused.h"
#include "vmath_wide.h"

/*
 * a * b + c, rounded once. Without an instruction: the product of two float32 is exact as a double, and their
 * sum is rounded to odd (its last bit set where it is not exact), after which the rounding to float32 is as
 * if it were the only one (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
 */
SIMD_INLINE f64v f64_sum_to_odd(f64v product, f64v c) {
    f64v sum = product + c, shadow = sum - product;
    f64v lost = (product - (sum - shadow)) + (c - shadow);
    i64v inexact = (lost < 0) | (lost > 0);
    i64v bits = (i64v)sum, towards_lost = ((i64v)(lost < 0) ^ (sum < 0)) | 1;
    return (f64v)(bits + (inexact & towards_lost & -(~bits & 1)));
}
SIMD_INLINE f32v f32_fma_one(f32v a, f32v b, f32v c) {
#if SIMD_HAS_FMA
    return f32_fma(a, b, c);
#else
    f64v low = f64_sum_to_odd(f64_low(a) * f64_low(b), f64_low(c));
    f64v high = f64_sum_to_odd(f64_high(a) * f64_high(b), f64_high(c));
    return f32_join(low, high);
#endif
}

/* ---- by halves of float64, and lane by lane -------------------------------------------------- */

SIMD_INLINE f32v f32_by_halves(f64v (*f)(f64v), f32v x) {
    return f32_join(f(f64_low(x)), f(f64_high(x)));
}
SIMD_INLINE f32v f32_by_halves_of_two(f64v (*f)(f64v, f64v), f32v x, f32v y) {
    return f32_join(f(f64_low(x), f64_low(y)), f(f64_high(x), f64_high(y)));
}
/* Of an odd function that is known for x >= 0. */
SIMD_INLINE f32v f32_odd(f64v (*f)(f64v), f32v x) {
    return f32_copysign(f32_by_halves(f, f32_abs(x)), x);
}

/* What is rare, and arguments that are: the functions of numerics/. */
SIMD_INLINE f32v f32_each(double (*f)(double), f32v x) {
    for (int i = 0; i < F32_LANES; i++) x[i] = (float)f((double)x[i]);
    return x;
}
SIMD_INLINE f32v f32_each_pair(double (*f)(double, double), f32v x, f32v y) {
    for (int i = 0; i < F32_LANES; i++) x[i] = (float)f((double)x[i], (double)y[i]);
    return x;
}

#define F32_NAN      f32_set(NAN)
#define F32_INFINITY f32_set(INFINITY)

/* ---- exponentials ---------------------------------------------------------------------------- */

SIMD_INLINE f32v f32_exp(f32v x) {
    return SIMD_HAS_FMA ? fused_exp(x) : f32_by_halves(wide_exp, x);
}
SIMD_INLINE f32v f32_exp2(f32v x) {
    return f32_by_halves(wide_exp2, x);
}
SIMD_INLINE f32v f32_expm1(f32v x) {
    return f32_copysign(f32_by_halves(wide_expm1, x), x);
}
SIMD_INLINE f32v f32_sigmoid(f32v x) {
    return SIMD_HAS_FMA ? fused_sigmoid(x) : f32_by_halves(wide_sigmoid, x);
}
SIMD_INLINE f32v f32_sinh(f32v x) {
    return f32_odd(wide_sinh, x);
}
SIMD_INLINE f32v f32_cosh(f32v x) {
    return f32_by_halves(wide_cosh, x);
}
SIMD_INLINE f32v f32_tanh(f32v x) {
    return SIMD_HAS_FMA ? fused_tanh(x) : f32_odd(wide_tanh, x);
}

/* ---- logarithms ------------------------------------------------------------------------------ */

/* A logarithm where 0 < x < inf, and what it is elsewhere. */
SIMD_INLINE f32v f32_log_or_special(f32v x, f32v value) {
    f32v special = f32_select(x == 0, -F32_INFINITY, f32_select(x < 0, F32_NAN, x));
    return f32_select((x > 0) & (x < INFINITY), value, special);
}
SIMD_INLINE f32v f32_log(f32v x) {
    return f32_log_or_special(x, SIMD_HAS_FMA ? fused_log(x) : f32_by_halves(wide_log, x));
}
SIMD_INLINE f32v f32_log2(f32v x) {
    return f32_log_or_special(x, f32_by_halves(wide_log2, x));
}
SIMD_INLINE f32v f32_log10(f32v x) {
    return f32_log_or_special(x, f32_by_halves(wide_log10, x));
}
SIMD_INLINE f32v f32_log1p(f32v x) {
    f32v value = f32_by_halves(wide_log1p, x);
    f32v special = f32_select(x == -1, -F32_INFINITY, f32_select(x < -1, F32_NAN, x));
    return f32_select((x > -1) & (x < INFINITY) & (x != 0), value, special);
}
SIMD_INLINE f32v f32_log_sigmoid(f32v x) {
    return f32_by_halves(wide_log_sigmoid, x);
}
SIMD_INLINE f32v f32_asinh(f32v x) {
    return f32_select(f32_abs(x) < INFINITY, f32_odd(wide_asinh, x), x);
}
SIMD_INLINE f32v f32_acosh(f32v x) {
    f32v special = f32_select(x < 1, F32_NAN, x);
    return f32_select((x >= 1) & (x < INFINITY), f32_by_halves(wide_acosh, x), special);
}
SIMD_INLINE f32v f32_atanh(f32v x) {
    f32v special = f32_select(f32_abs(x) > 1, F32_NAN, x * INFINITY);
    return f32_select(f32_abs(x) < 1, f32_odd(wide_atanh, x), special);
}

/* ---- powers ---------------------------------------------------------------------------------- */

/* 1 / sqrt(x): s = sqrt(x) and y = 1 / s are off by what two fused steps find out, exactly where x is not so
 * small that the residuals are subnormal. */
SIMD_INLINE f32v f32_rsqrt(f32v x) {
#if SIMD_HAS_FMA
    i32v small = x < 0x1p-100f;
    x = f32_select(small, x * 0x1p48f, x);
    f32v s = f32_sqrt(x), y = 1 / s;
    f32v lost_of_s = f32_fma(-s, s, x) * 0.5f * y, lost_of_y = f32_fma(-s, y, f32_set(1));
    f32v better = f32_fma(y, f32_fma(-lost_of_s, y, lost_of_y), y);
    y = f32_select((x > 0) & (x < INFINITY), better, y);
    return f32_select(small, y * 0x1p24f, y);
#else
    f64v low = 1 / f64_sqrt(f64_low(x)), high = 1 / f64_sqrt(f64_high(x));
    return f32_join(low, high);
#endif
}

/* x^y of x >= 0. */
SIMD_INLINE f64v wide_pow(f64v x, f64v y) {
    f64v log_x = wide_log(x);
    log_x = f64_select(x == 0, f64_set(-(double)INFINITY), log_x);
    log_x = f64_select(x == (double)INFINITY, x, log_x);
    return wide_exp(y * log_x);
}
/* The special cases are those of C11 F.10.4.4. */
SIMD_INLINE f32v f32_pow(f32v x, f32v y) {
    f32v power = f32_by_halves_of_two(wide_pow, f32_abs(x), y);
    power = f32_select(f32_abs(x) == 1, f32_set(1), power);
    i32v integer = f32_trunc(y) == y;
    i32v odd = integer & (f32_trunc(y * 0.5f) != y * 0.5f);
    power = f32_select(((i32v)x < 0) & odd, -power, power);
    power = f32_select((x < 0) & (x > -INFINITY) & ~integer, F32_NAN, power);
    power = f32_select((x != x) | (y != y), x + y, power);
    return f32_select((y == 0) | (x == 1), f32_set(1), power);
}
SIMD_INLINE f64v wide_hypot(f64v x, f64v y) {
    return f64_sqrt(x * x + y * y);
}
SIMD_INLINE f32v f32_hypot(f32v x, f32v y) {
    i32v infinite = (f32_abs(x) == INFINITY) | (f32_abs(y) == INFINITY);
    return f32_select(infinite, F32_INFINITY, f32_by_halves_of_two(wide_hypot, x, y));
}
/* log(1) is 0 here, which the vectors' logarithm may give the other sign. */
SIMD_INLINE f64v wide_xlogy(f64v x, f64v y) {
    return x * (wide_log(y) + 0.0);
}
SIMD_INLINE f32v f32_xlogy(f32v x, f32v y) {
    f32v normal = f32_by_halves_of_two(wide_xlogy, x, y);
    f32v special = x * f32_log_or_special(y, f32_set(0));
    f32v value = f32_select((y > 0) & (y < INFINITY), normal, special);
    return f32_select(y != y, y, f32_select(x == 0, f32_set(0), value));
}

/* ---- circular functions ---------------------------------------------------------------------- */

/* Whether an argument is too large for a reduction. */
SIMD_INLINE int f32_turns_beyond(f32v x, float limit) {
    return i32_any(f32_abs(x) >= limit);
}
SIMD_INLINE f32v f32_sin(f32v x) {
    if (SIMD_HAS_FMA && !f32_turns_beyond(x, FUSED_TURN_LIMIT))
        return f32_select(x == 0, x, fused_sin_from(x, 0));
    if (f32_turns_beyond(x, WIDE_TURN_LIMIT)) return f32_each(tern_num_sin, x);
    return f32_by_halves(wide_sin, x);
}
SIMD_INLINE f32v f32_cos(f32v x) {
    if (SIMD_HAS_FMA && !f32_turns_beyond(x, FUSED_TURN_LIMIT)) return fused_sin_from(x, 1);
    if (f32_turns_beyond(x, WIDE_TURN_LIMIT)) return f32_each(tern_num_cos, x);
    return f32_by_halves(wide_cos, x);
}
SIMD_INLINE f32v f32_tan(f32v x) {
    if (f32_turns_beyond(x, WIDE_TURN_LIMIT)) return f32_each(tern_num_tan, x);
    return f32_by_halves(wide_tan, x);
}
SIMD_INLINE f32v f32_sinc(f32v x) {
    f32v value = f32_select(x == 0, f32_set(1), f32_by_halves(wide_sinc, x));
    return f32_select(f32_abs(x) == INFINITY, F32_NAN, value);
}
SIMD_INLINE f32v f32_asin(f32v x) {
    return f32_odd(wide_asin, x);
}
SIMD_INLINE f32v f32_acos(f32v x) {
    return f32_by_halves(wide_acos, x);
}
SIMD_INLINE f32v f32_atan(f32v x) {
    return f32_odd(wide_atan, x);
}
/* The angle's tangent counts alone, so two zeros or two infinities may be (0, 1) and (1, 1). */
SIMD_INLINE f64v wide_atan2(f64v y, f64v x) {
    f64v up = f64_abs(y), across = f64_abs(x);
    i64v infinite = (up == (double)INFINITY) & (across == (double)INFINITY);
    across = f64_select(infinite | ((up == 0) & (across == 0)), f64_set(1), across);
    up = f64_select(infinite, f64_set(1), up);
    f64v angle = wide_angle(up, across);
    return f64_select((i64v)x < 0, 0x1.921fb54442d18p+1 - angle, angle);
}
SIMD_INLINE f32v f32_atan2(f32v y, f32v x) {
    f32v angle = f32_copysign(f32_by_halves_of_two(wide_atan2, y, x), y);
    return f32_select((x != x) | (y != y), x + y, angle);
}

/* ---- the error function and gamma ------------------------------------------------------------ */

SIMD_INLINE f32v f32_erf(f32v x) {
    return SIMD_HAS_FMA ? fused_erf(x) : f32_by_halves(wide_erf, x);
}
SIMD_INLINE f32v f32_erfc(f32v x) {
    return f32_by_halves(wide_erfc, x);
}
SIMD_INLINE f32v f32_erfinv(f32v x) {
    return f32_each(tern_num_erfinv, x);
}
SIMD_INLINE f32v f32_lgamma(f32v x) {
    return f32_each(tern_num_lgamma, x);
}
SIMD_INLINE f32v f32_digamma(f32v x) {
    return f32_each(tern_num_digamma, x);
}
SIMD_INLINE f32v f32_trigamma(f32v x) {
    return f32_each(tern_num_trigamma, x);
}
SIMD_INLINE f32v f32_logaddexp(f32v x, f32v y) {
    return f32_each_pair(tern_num_logaddexp, x, y);
}
SIMD_INLINE f32v f32_logaddexp2(f32v x, f32v y) {
    return f32_each_pair(tern_num_logaddexp2, x, y);
}

#endif
