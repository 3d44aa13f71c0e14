/*
 * across.h: vectors across their lanes: maxima, minima and sums of all of them.
 */
#ifndef TERN_CPU_SIMD_ACROSS_H
#define TERN_CPU_SIMD_ACROSS_H

#include "simd.h"

/* The greater of the two; b where one is NaN. */
SIMD_INLINE f32v f32_greater(f32v a, f32v b) {
#if SIMD_BYTES == 64
    return (f32v)_mm512_max_ps((__m512)a, (__m512)b);
#elif SIMD_BYTES == 32
    return (f32v)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__)
    return (f32v)_mm_max_ps((__m128)a, (__m128)b);
#else
    return f32_select(a > b, a, b);
#endif
}
SIMD_INLINE f64v f64_greater(f64v a, f64v b) {
#if SIMD_BYTES == 64
    return (f64v)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif SIMD_BYTES == 32
    return (f64v)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__x86_64__)
    return (f64v)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return f64_select(a > b, a, b);
#endif
}

/* ---- over all lanes, halves together first --------------------------------------------------- */

typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));

/* Down to 16 bytes. */
#if SIMD_BYTES == 64
#define F32_FOLD(op, x)                                                                            \
    (f32x4) op##_ps(                                                                               \
        op##_ps(_mm512_castps512_ps128((__m512)(x)), _mm512_extractf32x4_ps((__m512)(x), 1)),      \
        op##_ps(_mm512_extractf32x4_ps((__m512)(x), 2), _mm512_extractf32x4_ps((__m512)(x), 3)))
#define F64_FOLD(op, x)                                                                            \
    (f64x2) op##_pd(                                                                               \
        op##_pd(_mm512_castpd512_pd128((__m512d)(x)), _mm512_extractf64x2_pd((__m512d)(x), 1)),    \
        op##_pd(_mm512_extractf64x2_pd((__m512d)(x), 2), _mm512_extractf64x2_pd((__m512d)(x), 3)))
#elif SIMD_BYTES == 32
#define F32_FOLD(op, x)                                                                            \
    (f32x4) op##_ps(_mm256_castps256_ps128((__m256)(x)), _mm256_extractf128_ps((__m256)(x), 1))
#define F64_FOLD(op, x)                                                                            \
    (f64x2) op##_pd(_mm256_castpd256_pd128((__m256d)(x)), _mm256_extractf128_pd((__m256d)(x), 1))
#else
#define F32_FOLD(op, x) (x)
#define F64_FOLD(op, x) (x)
#endif

SIMD_INLINE float f32_across_sum(f32v x) {
    f32x4 v = F32_FOLD(_mm_add, x);
    return (v[0] + v[2]) + (v[1] + v[3]);
}
SIMD_INLINE double f64_across_sum(f64v x) {
    f64x2 v = F64_FOLD(_mm_add, x);
    return v[0] + v[1];
}
SIMD_INLINE float f32_across_greater(f32v x) {
    f32x4 v = F32_FOLD(_mm_max, x);
    float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];
    return a > b ? a : b;
}
SIMD_INLINE double f64_across_greater(f64v x) {
    f64x2 v = F64_FOLD(_mm_max, x);
    return v[0] > v[1] ? v[0] : v[1];
}

/* ---- over all lanes of as many vectors as there are lanes ------------------------------------ */

#if SIMD_BYTES == 64
/* The halves of a added up, and behind them those of b; the same of each half's, and of each quarter's. */
SIMD_INLINE f32v f32_fold_halves(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30,
                                   31);
}
SIMD_INLINE f32v f32_fold_quarters(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
           __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30,
                                   31);
}
SIMD_INLINE f32v f32_fold_eighths(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
           __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30,
                                   31);
}

/* to[i] = the sum of all lanes of x[i], for all 16 of them, of which `count` are wanted. */
SIMD_INLINE void f32_across_sums(const f32v *x, int count, float *to) {
    f32v y[4];
    (void)count;
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        y[i] = f32_fold_quarters(f32_fold_halves(x[i], x[i + 4]),
                                 f32_fold_halves(x[i + 8], x[i + 12]));
    f32v a = f32_fold_eighths(y[0], y[2]), b = f32_fold_eighths(y[1], y[3]);
    f32v even =
        __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    f32v odd =
        __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    f32_store(to, even + odd);
}
#else
SIMD_INLINE void f32_across_sums(const f32v *x, int count, float *to) {
    SIMD_UNROLL
    for (int i = 0; i < count; i++) to[i] = f32_across_sum(x[i]);
}
#endif
SIMD_INLINE void f64_across_sums(const f64v *x, int count, double *to) {
    SIMD_UNROLL
    for (int i = 0; i < count; i++) to[i] = f64_across_sum(x[i]);
}

/* ---- parts of two ---------------------------------------------------------------------------- */

/* x in the first n lanes, y in the others. */
SIMD_INLINE f32v f32_first_or(int64_t n, f32v x, f32v y) {
    i32v lane;
    for (int i = 0; i < F32_LANES; i++) lane[i] = i;
    return f32_select(lane < (int32_t)n, x, y);
}
SIMD_INLINE f64v f64_first_or(int64_t n, f64v x, f64v y) {
    i64v lane;
    for (int i = 0; i < F64_LANES; i++) lane[i] = i;
    return f64_select(lane < n, x, y);
}

#endif
