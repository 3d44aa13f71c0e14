/*
 * Functions of double vectors; include vmath.h.
 */
#ifndef TERN_CPU_SIMD_VMATH_F64_H
#define TERN_CPU_SIMD_VMATH_F64_H

#include <math.h>

#include "numerics/elementary.h"
#include "simd.h"

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

SIMD_INLINE f64v f64_exp(f64v x) {
    return f64_each(tern_num_exp, x);
}
SIMD_INLINE f64v f64_exp2(f64v x) {
    return f64_each(tern_num_exp2, x);
}
SIMD_INLINE f64v f64_expm1(f64v x) {
    return f64_each(tern_num_expm1, x);
}
SIMD_INLINE f64v f64_log(f64v x) {
    return f64_each(tern_num_log, x);
}
SIMD_INLINE f64v f64_log2(f64v x) {
    return f64_each(tern_num_log2, x);
}
SIMD_INLINE f64v f64_log10(f64v x) {
    return f64_each(tern_num_log10, x);
}
SIMD_INLINE f64v f64_log1p(f64v x) {
    return f64_each(tern_num_log1p, x);
}
SIMD_INLINE f64v f64_sin(f64v x) {
    return f64_each(tern_num_sin, x);
}
SIMD_INLINE f64v f64_cos(f64v x) {
    return f64_each(tern_num_cos, x);
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
SIMD_INLINE f64v f64_sinh(f64v x) {
    return f64_each(tern_num_sinh, x);
}
SIMD_INLINE f64v f64_cosh(f64v x) {
    return f64_each(tern_num_cosh, x);
}
SIMD_INLINE f64v f64_tanh(f64v x) {
    return f64_each(tern_num_tanh, x);
}
SIMD_INLINE f64v f64_asinh(f64v x) {
    return f64_each(tern_num_asinh, x);
}
SIMD_INLINE f64v f64_acosh(f64v x) {
    return f64_each(tern_num_acosh, x);
}
SIMD_INLINE f64v f64_atanh(f64v x) {
    return f64_each(tern_num_atanh, x);
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
SIMD_INLINE f64v f64_sigmoid(f64v x) {
    return f64_each(tern_num_sigmoid, x);
}
SIMD_INLINE f64v f64_log_sigmoid(f64v x) {
    return f64_each(tern_num_log_sigmoid, x);
}
SIMD_INLINE f64v f64_sinc(f64v x) {
    return f64_each(tern_num_sinc, x);
}
SIMD_INLINE f64v f64_rsqrt(f64v x) {
    return f64_each(tern_num_rsqrt, x);
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
