/*
 * Functions of double vectors; include vmath.h.
 *
 * Exponentials, logarithms, sine and cosine are polynomials, with or without a fused multiply-add within 2 ulp (docs/ulp.md). They are minimax by the Remez exchange in 45 digits, in the
 * error relative to the function; a comment gives it as it is before the coefficients are rounded.
 */
#ifndef TERN_CPU_SIMD_VMATH_F64_H
#define TERN_CPU_SIMD_VMATH_F64_H

#include <math.h>

#include "numerics/elementary.h"
#include "vmath_wide.h"

/* a * b + c, rounded once. */
SIMD_INLINE f64v f64_fma_one(f64v a, f64v b, f64v c) {
#if SIMD_HAS_FMA
    return f64_fma(a, b, c);
#else
    for (int i = 0; i < F64_LANES; i++) c[i] = fma(a[i], b[i], c[i]);
    return c;
#endif
}

/* ---- lane by lane ---------------------------------------------------------------------------- */

/* What is rare, or has no better form: the functions of numerics/. */
SIMD_INLINE f64v f64_each(double (*f)(double), f64v x) {
    for (int i = 0; i < F64_LANES; i++) x[i] = (double)f(x[i]);
    return x;
}
SIMD_INLINE f64v f64_each_pair(double (*f)(double, double), f64v x, f64v y) {
    for (int i = 0; i < F64_LANES; i++) x[i] = (double)f(x[i], y[i]);
    return x;
}

/* ---- exponentials ---------------------------------------------------------------------------- */

/* (e^r - 1 - r) / r^2, |r| <= ln(2) / 2: 2^-57.9 */
static const double f64_exp_over[] = {
    0x1.000000000000ap-1,  0x1.55555555554fap-3,  0x1.55555555508c0p-5,  0x1.1111111127a8bp-7,
    0x1.6c16c1841db26p-10, 0x1.a01a012aab1e3p-13, 0x1.a0199a29997c0p-16, 0x1.71df24cbf9e8dp-19,
    0x1.28ad5ac62925dp-22, 0x1.ad80093e8d2e2p-26};

/* e^x = 2^k (1 + fraction); k stands in the low bits of `shifted`. */
typedef struct f64_power {
    f64v fraction, shifted;
} f64_power;

/* Of r + lost. */
SIMD_INLINE f64v f64_exp_fraction(f64v r, f64v lost) {
    return r + f64_fma(r * r, F64_POLY(r, f64_exp_over), lost);
}
/* ln(2) in two parts, the first of 33 bits: its product with k is exact. */
SIMD_INLINE f64_power f64_exp_parts(f64v x) {
    f64v shifted = f64_fma(x, f64_set(1 / WIDE_LN2), f64_set(F64_SHIFT));
    f64v k = shifted - F64_SHIFT;
    f64v high = f64_fma(k, f64_set(-0x1.62e42feep-1), x), low = k * 0x1.a39ef35793c76p-33;
    f64v r = high - low;
    return (f64_power){f64_exp_fraction(r, (high - r) - low), shifted};
}
/* Two factors of 2^k are normal where the result may be subnormal or infinite. */
SIMD_INLINE f64v f64_exp_whole(f64_power p) {
    u64v half = ((u64v)p.shifted << 51) & UINT64_C(0xfff0000000000000), one = (u64v)f64_set(1);
    f64v scale = (f64v)(half + one), rest = (f64v)(((u64v)p.shifted << 52) - half + one);
    return f64_fma(p.fraction, scale, scale) * rest;
}
SIMD_INLINE f64v f64_exp(f64v x) {
    return f64_exp_whole(f64_exp_parts(f64_max(f64_min(x, 720), -760)));
}
SIMD_INLINE f64v f64_exp2(f64v x) {
    x = f64_max(f64_min(x, 1040), -1090);
    f64v shifted = x + F64_SHIFT;
    f64v fraction = f64_exp_fraction((x - (shifted - F64_SHIFT)) * WIDE_LN2, f64_set(0));
    return f64_exp_whole((f64_power){fraction, shifted});
}
/* From 40 on, the 1 is less than half an ulp, and the scale may wrap; below -40, e^x is. */
SIMD_INLINE f64v f64_expm1(f64v x) {
    f64_power p = f64_exp_parts(f64_max(f64_min(x, 720), -40));
    f64v scale = (f64v)(((u64v)p.shifted << 52) + (u64v)f64_set(1));
    f64v value = f64_select(x > 40, f64_exp_whole(p), f64_fma(p.fraction, scale, scale - 1));
    return f64_select(x == 0, x, value);
}
/* Near the largest result, e^x alone is infinite. */
SIMD_INLINE f64v f64_cosh(f64v x) {
    if (i64_any(f64_abs(x) > 700)) return f64_each(tern_num_cosh, x);
    f64v e = f64_exp(f64_abs(x));
    return (e + 1 / e) * 0.5;
}
/* As fused_sigmoid. */
SIMD_INLINE f64v f64_sigmoid(f64v x) {
    f64v t = f64_exp(-f64_abs(x)), whole = f64_select(x < 0, t, f64_set(1));
    return f64_fma(-whole, t / (1 + t), whole);
}

/* ---- logarithm, root ------------------------------------------------------------------------- */

/* (log((1 + s) / (1 - s)) / s - 2) / s^2 in s^2, |s| <= 0.1716: 2^-59.5 */
static const double f64_log_over[] = {
    0x1.5555555555592p-1, 0x1.99999999800a2p-2, 0x1.24924941cff7dp-2, 0x1.c71c521fe1ba9p-3,
    0x1.74663af2acad2p-3, 0x1.39a213ea935acp-3, 0x1.2f0248549e39ep-3};

/* x = 2^k (1 + f), of any x > 0 */
typedef struct f64_parts {
    f64v k, f;
} f64_parts;

SIMD_INLINE f64_parts f64_split(f64v x) {
    i64v subnormal = x < 0x1p-1022;
    wide_parts p = wide_split(f64_select(subnormal, x * 0x1p54, x));
    return (f64_parts){p.exponent - f64_select(subnormal, f64_set(54), f64_set(0)), p.m - 1};
}
/* log(1 + f) + low = f - (f^2 / 2 - s (f^2 / 2 + what is behind 2 s) - low), s = f / (2 + f) */
SIMD_INLINE f64v f64_log_near_1(f64v f, f64v low) {
    f64v s = f / (2 + f), square = s * s, half = 0.5 * f * f;
    f64v behind = square * F64_POLY(square, f64_log_over);
    return f - (half - f64_fma(s, half + behind, low));
}
SIMD_INLINE f64v f64_log_or_special(f64v x, f64v value) {
    f64v special = f64_select(x < 0, f64_set((double)NAN), x);
    special = f64_select(x == 0, f64_set(-(double)INFINITY), special);
    return f64_select((x > 0) & (x < (double)INFINITY), value, special);
}
SIMD_INLINE f64v f64_log(f64v x) {
    f64_parts p = f64_split(x);
    f64v near = f64_log_near_1(p.f, p.k * 0x1.a39ef35793c76p-33);
    return f64_log_or_special(x, f64_fma(p.k, f64_set(0x1.62e42feep-1), near));
}
SIMD_INLINE f64v f64_log2(f64v x) {
    f64_parts p = f64_split(x);
    f64v near = f64_log_near_1(p.f, f64_set(0));
    return f64_log_or_special(x, f64_fma(near, f64_set(0x1.71547652b82fep+0), p.k));
}
/* log10(2) in two parts, as ln(2). */
SIMD_INLINE f64v f64_log10(f64v x) {
    f64_parts p = f64_split(x);
    f64v near = f64_log_near_1(p.f, f64_set(0)) * 0x1.bcb7b1526e50ep-2;
    near = f64_fma(p.k, f64_set(0x1.ef3fde623e256p-35), near);
    return f64_log_or_special(x, f64_fma(p.k, f64_set(0x1.34413509p-2), near));
}
/* What 1 + x has lost of x comes behind its logarithm. */
SIMD_INLINE f64v f64_log1p(f64v x) {
    f64v sum = 1 + x, lost = f64_select(x > 1, 1 - (sum - x), x - (sum - 1));
    f64v value = f64_log(sum);
    value = f64_select((sum > 0) & (sum < (double)INFINITY), value + lost / sum, value);
    return f64_select(f64_abs(x) < 0x1p-54, x, value);
}
SIMD_INLINE f64v f64_log_sigmoid(f64v x) {
    return f64_select(x > 0, f64_set(-0.0), x) - f64_log1p(f64_exp(-f64_abs(x)));
}
SIMD_INLINE f64v f64_rsqrt(f64v x) {
    return 1 / f64_sqrt(x);
}

/* ---- sine and cosine ------------------------------------------------------------------------- */

/* (sin(r) - r) / r^3 in r^2, |r| <= pi / 4: 2^-57.9 */
static const double f64_sin_over[] = {-0x1.5555555555548p-3,  0x1.111111110f7d2p-7,
                                      -0x1.a01a019bfde04p-13, 0x1.71de35679bdcdp-19,
                                      -0x1.ae5e5a4e710b4p-26, 0x1.5d8fb90be5538p-33};
/* (cos(r) - 1 + r^2 / 2) / r^4 in r^2: 2^-64 */
static const double f64_cos_over[] = {0x1.555555555554bp-5,  -0x1.6c16c16c14f8cp-10,
                                      0x1.a01a019c83a35p-16, -0x1.27e4f7ea39ebep-22,
                                      0x1.1ee9d74f04d79p-29, -0x1.8fa4622b64509p-37};

/* x less n pi / 2 as in wide_turn_of. Where nearly nothing is left of x, or n is too large, more digits of pi
 * are needed: such a vector goes lane by lane. */
typedef struct f64_turn {
    f64v r;
    i64v n; /* in the low bits */
    int lost;
} f64_turn;

SIMD_INLINE f64_turn f64_turn_of(f64v x) {
    f64v shifted = f64_fma(x, f64_set(0x1.45f306dc9c883p-1), f64_set(F64_SHIFT));
    f64v n = shifted - F64_SHIFT;
    f64v r = x - n * 0x1.921fb544p+0 - n * 0x1.0b4611a6p-34 - n * 0x1.3198a2e037073p-69;
    i64v few = (f64_abs(r) < 0x1p-30) & (n != 0);
    return (f64_turn){r, (i64v)shifted, i64_any(few | (f64_abs(x) >= (double)WIDE_TURN_LIMIT))};
}
/* sin(r + n pi / 2) */
SIMD_INLINE f64v f64_sin_turned(f64v r, i64v n) {
    f64v square = r * r, half = 0.5 * square, near_1 = 1 - half;
    f64v sine = f64_fma(r * square, F64_POLY(square, f64_sin_over), r);
    f64v lost = (1 - near_1) - half;
    f64v cosine = near_1 + f64_fma(square * square, F64_POLY(square, f64_cos_over), lost);
    return wide_signed(f64_select(wide_is_odd(n), cosine, sine), n);
}
SIMD_INLINE f64v f64_sin(f64v x) {
    f64_turn t = f64_turn_of(x);
    if (t.lost) return f64_each(tern_num_sin, x);
    return f64_select(x == 0, x, f64_sin_turned(t.r, t.n));
}
SIMD_INLINE f64v f64_cos(f64v x) {
    f64_turn t = f64_turn_of(x);
    if (t.lost) return f64_each(tern_num_cos, x);
    return f64_sin_turned(t.r, t.n + 1);
}

/* ---- others, lane by lane -------------------------------------------------------------------- */

SIMD_INLINE f64v f64_tanh(f64v x) {
    return f64_each(tern_num_tanh, x);
}
SIMD_INLINE f64v f64_sinh(f64v x) {
    return f64_each(tern_num_sinh, x);
}
SIMD_INLINE f64v f64_atanh(f64v x) {
    return f64_each(tern_num_atanh, x);
}
SIMD_INLINE f64v f64_tan(f64v x) {
    return f64_each(tern_num_tan, x);
}
SIMD_INLINE f64v f64_asin(f64v x) {
    return f64_each(tern_num_asin, x);
}
SIMD_INLINE f64v f64_acos(f64v x) {
    return f64_each(tern_num_acos, x);
}
SIMD_INLINE f64v f64_atan(f64v x) {
    return f64_each(tern_num_atan, x);
}
SIMD_INLINE f64v f64_asinh(f64v x) {
    return f64_each(tern_num_asinh, x);
}
SIMD_INLINE f64v f64_acosh(f64v x) {
    return f64_each(tern_num_acosh, x);
}
SIMD_INLINE f64v f64_erf(f64v x) {
    return f64_each(tern_num_erf, x);
}
SIMD_INLINE f64v f64_erfc(f64v x) {
    return f64_each(tern_num_erfc, x);
}
SIMD_INLINE f64v f64_erfinv(f64v x) {
    return f64_each(tern_num_erfinv, x);
}
SIMD_INLINE f64v f64_lgamma(f64v x) {
    return f64_each(tern_num_lgamma, x);
}
SIMD_INLINE f64v f64_digamma(f64v x) {
    return f64_each(tern_num_digamma, x);
}
SIMD_INLINE f64v f64_trigamma(f64v x) {
    return f64_each(tern_num_trigamma, x);
}
SIMD_INLINE f64v f64_sinc(f64v x) {
    return f64_each(tern_num_sinc, x);
}
SIMD_INLINE f64v f64_pow(f64v x, f64v y) {
    return f64_each_pair(tern_num_pow, x, y);
}
SIMD_INLINE f64v f64_atan2(f64v x, f64v y) {
    return f64_each_pair(tern_num_atan2, x, y);
}
SIMD_INLINE f64v f64_hypot(f64v x, f64v y) {
    return f64_each_pair(tern_num_hypot, x, y);
}
SIMD_INLINE f64v f64_xlogy(f64v x, f64v y) {
    return f64_each_pair(tern_num_xlogy, x, y);
}
SIMD_INLINE f64v f64_logaddexp(f64v x, f64v y) {
    return f64_each_pair(tern_num_logaddexp, x, y);
}
SIMD_INLINE f64v f64_logaddexp2(f64v x, f64v y) {
    return f64_each_pair(tern_num_logaddexp2, x, y);
}

#endif
