/*
 * vmath_wide.h: functions of float64 vectors that are as accurate as a float32 result needs, and a little more.
 *
 * Arguments are float32 numbers; the relative error is below 2^-35, so that the result, rounded to float32,
 * is within 0.501 ulp, with or without a fused multiply-add. No result of float32's range over- or
 * underflows on the way. NaN goes in and comes out; the special values said are the caller's.
 *
 * Polynomials are minimax in the relative error, by the Remez exchange in 60 digits; a comment gives the
 * function, the interval and the error before the coefficients were rounded to doubles.
 */
#ifndef TERN_CPU_SIMD_VMATH_WIDE_H
#define TERN_CPU_SIMD_VMATH_WIDE_H

#include <math.h>

#include "simd.h"

/* c[0] + x (c[1] + x (c[2] + ...)) */
SIMD_INLINE f64v f64_poly(f64v x, const double *c, int n) {
    f64v sum = f64_set(c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = f64_fma(sum, x, f64_set(c[i]));
    return sum;
}
#define F64_POLY(x, c) f64_poly((x), (c), (int)(sizeof(c) / sizeof *(c)))

SIMD_INLINE f64v f64_min(f64v x, double limit) { /* NaN stays */
    return f64_select(x > limit, f64_set(limit), x);
}
SIMD_INLINE f64v f64_max(f64v x, double limit) {
    return f64_select(x < limit, f64_set(limit), x);
}

/* Adding it makes a number below 2^51 an integer, which stands in the low bits of the sum. */
#define F64_SHIFT 0x1.8p52

/* ---- exponentials ---------------------------------------------------------------------------- */

#define WIDE_LN2 0x1.62e42fefa39efp-1

/* (e^r - 1) / r, |r| <= ln(2) / 2: 2^-37.7 */
static const double wide_expm1_over[] = {
    0x1.fffffffff635ap-1, 0x1.000000001a8e5p-1,  0x1.5555557e3fa53p-3,  0x1.555554f30505fp-5,
    0x1.1110a664b279bp-7, 0x1.6c175ad6c9d2ep-10, 0x1.a17d99a992d8fp-13, 0x1.a01a758da241fp-16};

/* e^x = scale (1 + fraction), scale a power of two. */
typedef struct wide_power {
    f64v scale, fraction;
} wide_power;

/* |x| <= 700 */
SIMD_INLINE wide_power wide_exp_parts(f64v x) {
    f64v shifted = x * (1 / WIDE_LN2) + F64_SHIFT;
    f64v r = x - (shifted - F64_SHIFT) * WIDE_LN2;
    u64v scale = ((u64v)shifted << 52) + (u64v)f64_set(1);
    return (wide_power){(f64v)scale, r * F64_POLY(r, wide_expm1_over)};
}

/* Beyond +-300, the same as there. */
SIMD_INLINE f64v wide_exp(f64v x) {
    wide_power p = wide_exp_parts(f64_max(f64_min(x, 300), -300));
    return p.scale * p.fraction + p.scale;
}
SIMD_INLINE f64v wide_expm1(f64v x) {
    wide_power p = wide_exp_parts(f64_max(f64_min(x, 300), -300));
    return p.scale * p.fraction + (p.scale - 1);
}
SIMD_INLINE f64v wide_exp2(f64v x) {
    x = f64_max(f64_min(x, 500), -500);
    f64v shifted = x + F64_SHIFT;
    f64v r = (x - (shifted - F64_SHIFT)) * WIDE_LN2;
    f64v scale = (f64v)(((u64v)shifted << 52) + (u64v)f64_set(1));
    return scale * (r * F64_POLY(r, wide_expm1_over)) + scale;
}

SIMD_INLINE f64v wide_sigmoid(f64v x) {
    return 1 / (1 + wide_exp(-x));
}
/* Of x >= 0. */
SIMD_INLINE f64v wide_tanh(f64v x) {
    f64v e = wide_expm1(2 * x);
    return e / (e + 2);
}
SIMD_INLINE f64v wide_sinh(f64v x) {
    f64v e = wide_expm1(x);
    return (e + e / (e + 1)) * 0.5;
}
SIMD_INLINE f64v wide_cosh(f64v x) {
    f64v e = wide_exp(x);
    return (e + 1 / e) * 0.5;
}

/* ---- logarithms ------------------------------------------------------------------------------ */

/* log((1 + s) / (1 - s)) / s in s^2, |s| <= 0.1716: 2^-59.6 */
static const double wide_log_over[] = {
    0x1.0000000000000p+1, 0x1.55555555555afp-1, 0x1.999999997a936p-2, 0x1.249249455db4cp-2,
    0x1.c71c4fc528575p-3, 0x1.7466a5737c7a6p-3, 0x1.399883e3832a7p-3, 0x1.2f5a152eb884ap-3};

/* x = m 2^exponent, m in [sqrt(1/2), sqrt(2)) */
typedef struct wide_parts {
    f64v exponent, m;
} wide_parts;

/* Of a normal x > 0. The exponent goes into the last bits of a large number. */
SIMD_INLINE wide_parts wide_split(f64v x) {
    const int64_t root = INT64_C(0x3fe6a09e667f3bcd), one = INT64_C(0x3ff0000000000000);
    u64v bits = (u64v)x + (uint64_t)(one - root);
    f64v exponent = (f64v)(i64v)((bits >> 52) | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
    i64v m = (i64v)(bits & UINT64_C(0xfffffffffffff)) + root;
    return (wide_parts){exponent, (f64v)m};
}
/* log(1 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1]; as good relative to f. */
SIMD_INLINE f64v wide_log_near_1(f64v f) {
    f64v s = f / (f + 2);
    return s * F64_POLY(s * s, wide_log_over);
}
SIMD_INLINE f64v wide_log(f64v x) {
    wide_parts p = wide_split(x);
    return f64_fma(p.exponent, f64_set(WIDE_LN2), wide_log_near_1(p.m - 1));
}
SIMD_INLINE f64v wide_log2(f64v x) {
    wide_parts p = wide_split(x);
    return f64_fma(wide_log_near_1(p.m - 1), f64_set(0x1.71547652b82fep+0), p.exponent);
}
SIMD_INLINE f64v wide_log10(f64v x) {
    wide_parts p = wide_split(x);
    f64v log_m = wide_log_near_1(p.m - 1) * 0x1.bcb7b1526e50ep-2;
    return f64_fma(p.exponent, f64_set(0x1.34413509f79ffp-2), log_m);
}
/* Of x > -1 below 2^1000. Near 0, 1 + x has lost what x has. */
SIMD_INLINE f64v wide_log1p(f64v x) {
    wide_parts p = wide_split(x + 1);
    f64v f = f64_select(p.exponent == 0, x, p.m - 1);
    return f64_fma(p.exponent, f64_set(WIDE_LN2), wide_log_near_1(f));
}
/* min(x, 0) - log(1 + e^-|x|) */
SIMD_INLINE f64v wide_log_sigmoid(f64v x) {
    return f64_select(x > 0, f64_set(0), x) - wide_log1p(wide_exp(-f64_abs(x)));
}
/* Of x >= 0. */
SIMD_INLINE f64v wide_asinh(f64v x) {
    f64v square = x * x;
    return wide_log1p(x + square / (1 + f64_sqrt(1 + square)));
}
/* Of x >= 1. */
SIMD_INLINE f64v wide_acosh(f64v x) {
    f64v t = x - 1;
    return wide_log1p(t + f64_sqrt(t * (t + 2)));
}
/* Of 0 <= x < 1. */
SIMD_INLINE f64v wide_atanh(f64v x) {
    return wide_log1p(2 * x / (1 - x)) * 0.5;
}

/* ---- circular functions ---------------------------------------------------------------------- */

/* sin(r) / r in r^2, |r| <= pi / 4: 2^-47.6 */
static const double wide_sin_over[] = {0x1.fffffffffffd7p-1,  -0x1.5555555550bc1p-3,
                                       0x1.1111110bb3038p-7,  -0x1.a019f86f3ea20p-13,
                                       0x1.71d719383c31fp-19, -0x1.a94863b84968cp-26};
/* cos(r) in r^2, |r| <= pi / 4: 2^-54 */
static const double wide_cos_of[] = {
    0x1.fffffffffffffp-1,  -0x1.fffffffffff66p-2,  0x1.555555554dca5p-5, -0x1.6c16c163286acp-10,
    0x1.a019f781917dap-16, -0x1.27df12fcb9d4dp-22, 0x1.1b7ead20e35aep-29};

/* sin and cos of x, the signs and places of a quarter turn not yet applied. */
typedef struct wide_turn {
    f64v sin, cos;
    i64v quarters; /* in the low bits */
} wide_turn;

/* Largest argument of wide_turn_of. */
#define WIDE_TURN_LIMIT 0x1p20f

/*
 * x = r + n pi / 2 after Cody and Waite: pi / 2 in three parts, the first two of 33 bits, so that their
 * products with n < 2^20 are exact.
 */
SIMD_INLINE wide_turn wide_turn_of(f64v x) {
    f64v shifted = x * 0x1.45f306dc9c883p-1 + F64_SHIFT;
    f64v n = shifted - F64_SHIFT;
    f64v r = x - n * 0x1.921fb544p+0 - n * 0x1.0b4611a6p-34 - n * 0x1.3198a2e037073p-69;
    f64v square = r * r;
    return (wide_turn){r * F64_POLY(square, wide_sin_over), F64_POLY(square, wide_cos_of),
                       (i64v)shifted};
}
/* The lowest bit as a mask, and the second as a sign. */
SIMD_INLINE i64v wide_is_odd(i64v quarters) {
    return -(quarters & 1);
}
SIMD_INLINE f64v wide_signed(f64v x, i64v quarters) {
    return (f64v)((i64v)x ^ ((quarters & 2) << 62));
}
SIMD_INLINE f64v wide_sin(f64v x) {
    wide_turn t = wide_turn_of(x);
    return wide_signed(f64_select(wide_is_odd(t.quarters), t.cos, t.sin), t.quarters);
}
SIMD_INLINE f64v wide_cos(f64v x) {
    wide_turn t = wide_turn_of(x);
    return wide_signed(f64_select(wide_is_odd(t.quarters), t.sin, t.cos), t.quarters + 1);
}
SIMD_INLINE f64v wide_tan(f64v x) {
    wide_turn t = wide_turn_of(x);
    i64v odd = wide_is_odd(t.quarters);
    return f64_select(odd, -t.cos, t.sin) / f64_select(odd, t.sin, t.cos);
}

/* sin(pi r) / r in r^2, |r| <= 1/2: 2^-52.6 */
static const double wide_sin_pi_over[] = {
    0x1.921fb54442d17p+1, -0x1.4abbce625bd5ep+2, 0x1.466bc6775105ap+1,  -0x1.32d2cce17d3c9p-1,
    0x1.50783249d2383p-4, -0x1.e30623c423500p-8, 0x1.e89cea26f66b4p-12, -0x1.62626690bcbb5p-16};

/* sin(pi x) / (pi x), of x that is not 0. */
SIMD_INLINE f64v wide_sinc(f64v x) {
    x = f64_min(f64_abs(x), 0x1p30);
    f64v shifted = x + F64_SHIFT;
    f64v r = x - (shifted - F64_SHIFT);
    f64v s = r * F64_POLY(r * r, wide_sin_pi_over) / (x * 0x1.921fb54442d18p+1);
    s = (f64v)((i64v)s ^ ((i64v)shifted << 63));
    return f64_select(r == 0, f64_set(0), s);
}

/* atan(t) / t in t^2, |t| <= tan(pi / 8): 2^-49.9 */
static const double wide_atan_over[] = {
    0x1.ffffffffffff8p-1, -0x1.55555555508edp-2, 0x1.9999999259029p-3, -0x1.249247008dfbfp-3,
    0x1.c71bcceeba4a7p-4, -0x1.744ec67272e61p-4, 0x1.3a5040387696ep-4, -0x1.0a84061e5f06cp-4,
    0x1.9bd05637a332ap-5, -0x1.9f4073451814ap-6};

/* The angle of (x, y), both >= 0 and not both 0, nor both infinite: that of y / x, of pi / 4 and
 * (y - x) / (y + x), or of pi / 2 and -x / y, whichever is small. */
SIMD_INLINE f64v wide_angle(f64v y, f64v x) {
    i64v flat = y <= x * 0x1.a827999fcef34p-2, steep = y > x * 0x1.3504f333f9de6p+1;
    f64v up = f64_select(flat, y, f64_select(steep, -x, y - x));
    f64v across = f64_select(flat, x, f64_select(steep, y, y + x));
    f64v from =
        f64_select(flat, f64_set(0),
                   f64_select(steep, f64_set(0x1.921fb54442d18p+0), f64_set(0x1.921fb54442d18p-1)));
    f64v t = up / across;
    return from + t * F64_POLY(t * t, wide_atan_over);
}
/* Of x >= 0. */
SIMD_INLINE f64v wide_atan(f64v x) {
    return wide_angle(x, f64_set(1));
}
/* Of 0 <= x <= 1; NaN beyond. x^2 and 1 - x^2 near 1 are exact. */
SIMD_INLINE f64v wide_asin(f64v x) {
    return wide_angle(x, f64_sqrt(1 - x * x));
}
SIMD_INLINE f64v wide_acos(f64v x) {
    f64v angle = wide_angle(f64_sqrt(1 - x * x), f64_abs(x));
    return f64_select(x < 0, 0x1.921fb54442d18p+1 - angle, angle);
}

/* ---- the error function ---------------------------------------------------------------------- */

/* erf(x) / x in x^2, |x| <= 1/2: 2^-50.5 */
static const double wide_erf_over[] = {
    0x1.20dd750429b6ap+0, -0x1.812746b036058p-2,  0x1.ce2f219e2c3f3p-4,  -0x1.b82ce207db416p-6,
    0x1.565b8b9525b96p-8, -0x1.c01c32a8730b1p-11, 0x1.f70864fea4f01p-14, -0x1.c0a07f91d91e7p-17};
/* erfc(x) e^(x^2) (1 + 2x) in (x - 2) / (x + 2), 1/2 <= x <= 10.1: 2^-35.7 */
static const double wide_erfc_over[] = {
    0x1.46e80e2265466p+0,   -0x1.7bf5ec01f9e07p-4,  -0x1.5407be47f9cb2p-3, 0x1.4ffa1b2969c8bp-3,
    -0x1.bc2bd3fc6561bp-5,  -0x1.073e6e800a23dp-7,  0x1.1ddefc2cab3ecp-7,  0x1.4c36016df8abep-10,
    -0x1.800800b77baa8p-10, -0x1.c9644e43e8818p-12, 0x1.dfc8eb10d190ep-13, 0x1.d17daae62d519p-14,
    -0x1.efa8fa29384c6p-16};

/* Of x >= 1/2; beyond 10.1 float32 has no smaller number. */
SIMD_INLINE f64v wide_erfc_tail(f64v x) {
    x = f64_min(x, 11);
    f64v slow = F64_POLY((x - 2) / (x + 2), wide_erfc_over);
    return wide_exp(-(x * x)) * slow / (1 + 2 * x);
}
SIMD_INLINE f64v wide_erf(f64v x) {
    f64v tail = f64_copysign(1 - wide_erfc_tail(f64_max(f64_abs(x), 0.5)), x);
    return f64_select(f64_abs(x) < 0.5, x * F64_POLY(x * x, wide_erf_over), tail);
}
SIMD_INLINE f64v wide_erfc(f64v x) {
    f64v tail = wide_erfc_tail(f64_max(f64_abs(x), 0.5));
    tail = f64_select(x < 0, 2 - tail, tail);
    return f64_select(f64_abs(x) < 0.5, 1 - x * F64_POLY(x * x, wide_erf_over), tail);
}

#endif
