/*
 * exp_below.h: exponentials of what lies below its maximum, as softmax takes them.
 *
 * Arguments are at most 0, or NaN, so that nothing overflows; and results are multiplied by a power of
 * two, so that nothing is subnormal before it has been divided by the sum: a division gives the bits of
 * the unscaled quotient, rounded once.
 */
#ifndef TERN_CPU_SIMD_EXP_BELOW_H
#define TERN_CPU_SIMD_EXP_BELOW_H

#include "across.h"
#include "simd.h"

#define F32_BELOW_SCALE 0x1p30f
#define F64_BELOW_SCALE 0x1p60

/* 2^30 exp(x) = 2^(n + 30) exp(r), r = x - n log 2, |r| <= log 2 / 2. Adding 1.5 2^23 and some leaves the
 * nearest integer n, and the exponent's bias and the 30, in the lowest bits. The coefficients are those of
 * the best polynomial (equal errors at Chebyshev's points). */
SIMD_INLINE f32v f32_exp_below(f32v x) {
    const f32v shift = f32_set(0x1.8p23f + 157);
    x = f32_greater(f32_set(-105), x); /* rounds to 0 behind the division, as less does */
    f32v shifted = f32_fma(x, f32_set(0x1.715476p0f), shift), n = shifted - shift;
    f32v r = f32_fma(n, f32_set(-0x1.62e400p-1f), x);
    r = f32_fma(n, f32_set(-0x1.7f7d1cp-20f), r);
    f32v p = f32_fma(f32_set(0x1.686acap-10f), r, f32_set(0x1.124188p-7f));
    p = f32_fma(p, r, f32_set(0x1.555b94p-5f));
    p = f32_fma(p, r, f32_set(0x1.555486p-3f));
    p = f32_fma(p, r, f32_set(0x1.fffff8p-2f));
    p = f32_fma(p * r, r, r) + 1.0f;
    return p * (f32v)((u32v)shifted << 23);
}

/* 2^60 exp(x) likewise, by the series of exp to r^13. */
SIMD_INLINE f64v f64_exp_below(f64v x) {
    static const double inverse[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
        1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5};
    const f64v shift = f64_set(0x1.8p52 + 1083);
    x = f64_greater(f64_set(-746), x);
    f64v shifted = f64_fma(x, f64_set(0x1.71547652b82fep0), shift), n = shifted - shift;
    f64v r = f64_fma(n, f64_set(-0x1.62e42fee00000p-1), x);
    r = f64_fma(n, f64_set(-0x1.a39ef35793c76p-33), r);
    f64v p = f64_set(inverse[0]);
    for (int i = 1; i < 12; i++) p = f64_fma(p, r, f64_set(inverse[i]));
    p = f64_fma(p * r, r, r) + 1.0;
    return p * (f64v)((u64v)shifted << 52);
}

#endif
