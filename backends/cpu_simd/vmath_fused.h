/*
 * vmath_fused.h: the functions that training needs most, in float32 itself, with fused multiply-adds.
 *
 * About twice as fast as by halves of float64 (vmath_wide.h), and within 2 ulp (docs/ulp.md). Polynomials are
 * minimax as there; a coefficient is rounded to float32, and those of higher powers are then found anew. Errors
 * are those of the rounded coefficients. NaN goes in and comes out.
 */
#ifndef TERN_CPU_SIMD_VMATH_FUSED_H
#define TERN_CPU_SIMD_VMATH_FUSED_H

#include <math.h>

#include "simd.h"

SIMD_INLINE f32v f32_poly(f32v x, const float *c, int n) {
    f32v sum = f32_set(c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = f32_fma(sum, x, f32_set(c[i]));
    return sum;
}
#define F32_POLY(x, c) f32_poly((x), (c), (int)(sizeof(c) / sizeof *(c)))

/* ---- exponentials ---------------------------------------------------------------------------- */

/* Adding it makes a number below 2^22 an integer, which stands in the low bits of the sum. */
#define F32_SHIFT 0x1.8p23f
#define F32_ONE   UINT32_C(0x3f800000)

/* (e^r - 1 - r) / r^2, |r| <= ln(2) / 2; the error relative to e^r is 2^-28.2. */
static const float fused_exp_over[] = {0x1.000000p-1f, 0x1.55548ep-3f, 0x1.55545ep-5f,
                                       0x1.123b92p-7f, 0x1.6db496p-10f};

/* 2^k, with k in the low bits of `shifted`, times a power of two whose bits are `one`. */
SIMD_INLINE f32v fused_two_to(f32v shifted, uint32_t one) {
    return (f32v)(((u32v)shifted << 23) + one);
}

/* e^x = 2^k (1 + fraction), with k in the low bits of `shifted`; `low` is what the rounding of fraction lost. */
typedef struct fused_power {
    f32v fraction, low, shifted;
} fused_power;

SIMD_INLINE fused_power fused_exp_parts(f32v x) {
    f32v shifted = f32_fma(x, f32_set(0x1.715476p+0f), f32_set(F32_SHIFT));
    f32v k = shifted - F32_SHIFT;
    f32v r = f32_fma(k, f32_set(-0x1.62e430p-1f), x);
    r = f32_fma(k, f32_set(0x1.05c610p-29f), r);
    f32v square = r * r, over = F32_POLY(r, fused_exp_over), fraction = f32_fma(square, over, r);
    return (fused_power){fraction, f32_fma(square, over, r - fraction), shifted};
}

/* 2^k (1 + fraction), also subnormal and infinite. */
SIMD_INLINE f32v fused_exp(f32v x) {
    fused_power p = fused_exp_parts(f32_max(f32_set(-105), f32_min(f32_set(90), x)));
#if SIMD_BYTES == 64
    return (f32v)_mm512_scalef_ps((__m512)(1 + p.fraction), (__m512)(p.shifted - F32_SHIFT));
#else /* 2^k by two normal numbers */
    u32v half = ((u32v)p.shifted << 22) & UINT32_C(0xff800000);
    f32v scale = (f32v)(half + F32_ONE), rest = (f32v)(((u32v)p.shifted << 23) - half + F32_ONE);
    return f32_fma(p.fraction, scale, scale) * rest;
#endif
}

/*
 * With t = e^-|x| and q = t / (1 + t): 1 - q, or for x < 0 q itself, as t - t q, in which the rounding of 1 + t
 * counts little. t is kept at half an ulp: from |x| = 1 on, r is exact before the low part of k ln 2 is taken
 * off, and so is 1 + r. All is 2^64 times as large until the end, so that t is a normal number.
 */
SIMD_INLINE f32v fused_sigmoid(f32v x) {
    const f32v one = f32_set(0x1p64f);
    f32v minus = f32_max(f32_set(-105), -f32_abs(x));
    f32v shifted = f32_fma(minus, f32_set(0x1.715476p+0f), f32_set(F32_SHIFT));
    f32v k = shifted - F32_SHIFT;
    f32v r = f32_fma(k, f32_set(-0x1.62e430p-1f), minus), low = k * 0x1.05c610p-29f;
    f32v small = f32_fma(r * r, F32_POLY(r, fused_exp_over), f32_fma(low, r, low));
    f32v power = fused_two_to(shifted, F32_ONE + (UINT32_C(64) << 23));
    f32v t = f32_fma(small, power, (1 + r) * power);
    f32v whole = f32_select(x < 0, t, one);
    return f32_fma(-whole, t / (one + t), whole) * 0x1p-64f;
}

/* u = (e^2x - 1) / 2, |x| <= 10; where it is small, `low` is what its rounding lost. */
typedef struct fused_growth {
    f32v u, low;
} fused_growth;

SIMD_INLINE fused_growth fused_half_expm1(f32v x) {
    fused_power p = fused_exp_parts(x + x);
    f32v half = fused_two_to(p.shifted, F32_ONE - (UINT32_C(1) << 23));
    return (fused_growth){f32_fma(half, p.fraction, half - 0.5f), 0.5f * p.low};
}

/* q = u / (1 + u), where u is small as u - u q, which is |x| itself for the smallest; 1 from |x| = 9.02 on. */
SIMD_INLINE f32v fused_tanh(f32v x) {
    fused_growth e = fused_half_expm1(f32_min(f32_set(10), f32_abs(x)));
    f32v q = e.u / (1 + e.u), near = e.u + f32_fma(-e.u, q, e.low);
    return f32_copysign(f32_select(e.u < 0.5f, near, q), x);
}

/* ---- gates of recurrent units ---------------------------------------------------------------- */

/* Sigmoid and tanh within 3 ulp, in little more than the time of their divisions: gates are most of what a step of
 * a recurrent layer takes beside its product. */

/* 1 / (1 + e^-x); 0 where that is subnormal: there 2^k is infinite. */
SIMD_INLINE f32v fused_gate_sigmoid(f32v x) {
    fused_power p = fused_exp_parts(-f32_max(f32_set(-89), f32_min(f32_set(87), x)));
    return 1 / f32_fma(1 + p.fraction, fused_two_to(p.shifted, F32_ONE), f32_set(1));
}

/* u / (1 + u), u = (e^2x - 1) / 2 */
SIMD_INLINE f32v fused_gate_tanh(f32v x) {
    f32v u = fused_half_expm1(f32_max(f32_set(-10), f32_min(f32_set(10), x))).u;
    return u / (1 + u);
}

/* ---- logarithm ------------------------------------------------------------------------------- */

/* (log(1 + f) - f + f^2 / 2) / f^3, 1 + f in [sqrt(1/2), sqrt(2)]; the error relative to f is 2^-30.3. */
static const float fused_log_over[] = {0x1.555546p-2f,  -0x1.ffffeep-3f, 0x1.99a548p-3f,
                                       -0x1.556300p-3f, 0x1.233288p-3f,  -0x1.fb3f26p-4f,
                                       0x1.e651b0p-4f,  -0x1.e30128p-4f, 0x1.1b58acp-4f};

/* Of x > 0; of others, which callers replace, the difference wraps. */
SIMD_INLINE f32v fused_log(f32v x) {
    const uint32_t root = UINT32_C(0x3f3504f3);
    i32v subnormal = x < 0x1p-126f;
    i32v bits = (i32v)f32_select(subnormal, x * 0x1p23f, x);
    i32v exponent = (i32v)((u32v)bits - root) >> 23;
    f32v f = (f32v)((u32v)bits - ((u32v)exponent << 23)) - 1;
    f32v k = i32_to_f32(exponent + (subnormal & -23));
    f32v square = f * f;
    f32v small = f32_fma(f * square, F32_POLY(f, fused_log_over), k * -0x1.05c610p-29f);
    small = f32_fma(square, f32_set(-0.5f), small);
    return f32_fma(k, f32_set(0x1.62e430p-1f), f + small);
}

/* ---- the error function ---------------------------------------------------------------------- */

#if SIMD_BYTES == 64
/* erf(a) / a in d = a - n s for each n, s = 271 / 1024, |d| <= s / 2: the coefficients of all 16 fit one vector
 * each, from which a lane takes those of its n. The error is that of the first one's rounding, 2^-24.2. */
#define FUSED_ERF_STEP 0x1.0fp-2f
static const float fused_erf_pieces[6][16] = {
    {0x1.20dd76p+0f, 0x1.1a42b2p+0f, 0x1.080364p+0f, 0x1.dc3b70p-1f, 0x1.a2ab6ap-1f, 0x1.6b35fcp-1f,
     0x1.3a7784p-1f, 0x1.11f24ap-1f, 0x1.e25458p-2f, 0x1.ad986ep-2f, 0x1.82dba4p-2f, 0x1.5fbd56p-2f,
     0x1.427024p-2f, 0x1.29a30cp-2f, 0x1.14609cp-2f, 0x1.01f3c8p-2f},
    {0, -0x1.870218p-3f, -0x1.599288p-2f, -0x1.a8d412p-2f, -0x1.b313b4p-2f, -0x1.8d60cep-2f,
     -0x1.519d6cp-2f, -0x1.13972ap-2f, -0x1.bb4ae0p-3f, -0x1.65643ep-3f, -0x1.23901ep-3f,
     -0x1.e2f8acp-4f, -0x1.960f82p-4f, -0x1.5a0956p-4f, -0x1.2a601ep-4f, -0x1.03eb56p-4f},
    {-0x1.8129d2p-2f, -0x1.52947ap-2f, -0x1.b88304p-3f, -0x1.406168p-4f, 0x1.11bebcp-5f,
     0x1.8ed2d4p-4f, 0x1.df1be6p-4f, 0x1.bda89cp-4f, 0x1.6e7ea2p-4f, 0x1.1c3a10p-4f, 0x1.b04818p-5f,
     0x1.49e43cp-5f, 0x1.feb806p-6f, 0x1.922e66p-6f, 0x1.422764p-6f, 0x1.05e5fap-6f},
    {0, 0x1.c1ff5cp-4f, 0x1.5cb20cp-3f, 0x1.506a3cp-3f, 0x1.cbba04p-4f, 0x1.989df2p-5f,
     0x1.ae11aap-9f, -0x1.4bb8b2p-6f, -0x1.ae4ae8p-6f, -0x1.8156f6p-6f, -0x1.2b2b5cp-6f,
     -0x1.b7350cp-7f, -0x1.3e8f86p-7f, -0x1.d26ab2p-8f, -0x1.5ba846p-8f, -0x1.07de4ap-8f},
    {0x1.cdf7a6p-4f, 0x1.62003cp-4f, 0x1.9ce7a2p-6f, -0x1.077f5ap-5f, -0x1.e22450p-5f,
     -0x1.b798bep-5f, -0x1.0cbf34p-5f, -0x1.a0a20ap-7f, -0x1.e87a9ap-13f, 0x1.186458p-8f,
     0x1.48b550p-8f, 0x1.05ee48p-8f, 0x1.704462p-9f, 0x1.0cc49cp-9f, 0x1.535d0cp-10f,
     0x1.0a4e96p-10f},
    {0, -0x1.32afe4p-5f, -0x1.967a1cp-5f, -0x1.148078p-5f, -0x1.c3a04cp-8f, 0x1.8dbc2cp-7f,
     0x1.1694c6p-6f, 0x1.9e84e2p-7f, 0x1.8625b6p-8f, 0x1.c262a8p-10f, -0x1.aa7e5ap-12f,
     -0x1.b80c10p-11f, -0x1.701e20p-11f, -0x1.278dbcp-11f, -0x1.413e86p-12f, -0x1.0b45c8p-12f},
};

SIMD_INLINE f32v fused_erf_coefficient(int k, i32v n) {
    return (f32v)_mm512_permutexvar_ps((__m512i)n, _mm512_loadu_ps(fused_erf_pieces[k]));
}

/* One short polynomial, half of the steps that the two below take. The first coefficient's product comes last, so
 * that what is before it rounds below half an ulp. */
SIMD_INLINE f32v fused_erf(f32v x) {
    f32v a = f32_min(f32_set(3.95f), f32_abs(x));
    f32v shifted = f32_fma(a, f32_set(1 / FUSED_ERF_STEP), f32_set(F32_SHIFT));
    f32v d = f32_fma(shifted - F32_SHIFT, f32_set(-FUSED_ERF_STEP), a);
    i32v n = (i32v)shifted;
    f32v p = fused_erf_coefficient(5, n);
    for (int k = 4; k > 0; k--) p = f32_fma(p, d, fused_erf_coefficient(k, n));
    f32v result = f32_fma(a, fused_erf_coefficient(0, n), a * (p * d)); /* at most 1, not below 0 */
    return (f32v)((i32v)result | ((i32v)x & INT32_MIN));
}
#else
/* erf(x) / x - 1 in x^2, |x| <= 1.16: 2^-26.1 */
static const float fused_erf_near[] = {0x1.06eba6p-3f,  -0x1.812704p-2f, 0x1.ce2418p-4f,
                                       -0x1.b77750p-6f, 0x1.509e6ap-8f,  -0x1.8e9f24p-11f,
                                       0x1.16ac74p-14f};
/* The eighth root of erfc(x), 1.16 <= x <= 3.95; the error relative to erf is 2^-27.5. */
static const float fused_erf_far[] = {0x1.005140p+0f,  -0x1.2c1d88p-3f, -0x1.e513a4p-5f,
                                      -0x1.ad6a7ap-7f, 0x1.c006c8p-7f,  -0x1.59c67ap-9f,
                                      0x1.5ab678p-13f};

/* Two short polynomials side by side, neither division nor exponential: beyond 1.16, erfc is below 0.101, so
 * that the root's error, eight times as large in its power, counts less than an ulp. */
SIMD_INLINE f32v fused_erf(f32v x) {
    f32v a = f32_min(f32_set(3.95f), f32_abs(x)), square = x * x;
    f32v near = f32_fma(x, F32_POLY(square, fused_erf_near), x);
    f32v root = F32_POLY(a, fused_erf_far);
    f32v second = root * root, fourth = second * second;
    i32v far = (i32v)f32_fma(-fourth, fourth, f32_set(1)), sign = (i32v)x & INT32_MIN;
    return f32_select(a < 1.16f, near, (f32v)(far | sign));
}
#endif

/* ---- circular functions ---------------------------------------------------------------------- */

/* (sin(r) - r) / r^3 in r^2, |r| <= pi / 4; the error relative to sin is 2^-28. */
static const float fused_sin_over[] = {-0x1.555546p-3f, 0x1.110756p-7f, -0x1.994b34p-13f};
/* (cos(r) - 1 + r^2 / 2) / r^4 in r^2: 2^-33.3 */
static const float fused_cos_over[] = {0x1.55554ap-5f, -0x1.6c0c82p-10f, 0x1.99ff50p-16f};

/* Largest argument of the two functions. */
#define FUSED_TURN_LIMIT 0x1p16f

/* sin(x + quarters pi / 2): pi / 2 in three parts of 24 bits, of which the first product's difference is
 * exact. */
SIMD_INLINE f32v fused_sin_from(f32v x, int32_t quarters) {
    f32v shifted = f32_fma(x, f32_set(0x1.45f306p-1f), f32_set(F32_SHIFT));
    f32v n = shifted - F32_SHIFT;
    f32v first = f32_fma(n, f32_set(-0x1.921fb6p+0f), x);
    f32v r = f32_fma(n, f32_set(0x1.777a5cp-25f), first);
    r = f32_fma(n, f32_set(0x1.ee59dap-50f), r);
    f32v square = r * r;
    f32v sine = f32_fma(r * square, F32_POLY(square, fused_sin_over), r);
    f32v cosine = f32_fma(square * square, F32_POLY(square, fused_cos_over), 1 - 0.5f * square);
    i32v turn = (i32v)shifted + quarters;
    i32v result = (i32v)f32_select(-(turn & 1), cosine, sine) ^ ((turn & 2) << 30);
    return (f32v)result;
}

#endif
