/*
 * simd_lanes.h: what happens between the lanes of vectors: their sums, and transposes of squares.
 */
#ifndef TERN_CPU_SIMD_SIMD_LANES_H
#define TERN_CPU_SIMD_SIMD_LANES_H

#include "simd.h"
#include "simd_zip.h"

/* ---- sums ------------------------------------------------------------------------------------ */

/* Of all lanes, halves first. */
SIMD_INLINE double f64_sum(f64v x) {
#if SIMD_BYTES == 64
    return _mm512_reduce_add_pd((__m512d)x);
#elif SIMD_BYTES == 32
    __m128d s =
        _mm_add_pd(_mm256_castpd256_pd128((__m256d)x), _mm256_extractf128_pd((__m256d)x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
#else
    return x[0] + x[1];
#endif
}
SIMD_INLINE float f32_sum(f32v x) {
#if SIMD_BYTES == 64
    return _mm512_reduce_add_ps((__m512)x);
#elif defined(__x86_64__)
#if SIMD_BYTES == 32
    __m128 s = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
#else
    __m128 s = (__m128)x;
#endif
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
#else
    return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}

/* ---- transposes ------------------------------------------------------------------------------ */

/* The first n lanes of x, zeros behind them. */
SIMD_INLINE f32v f32_first(f32v x, int64_t n) {
    float lanes[F32_LANES] = {0};
    f32_store_some(lanes, x, n);
    return f32_load(lanes);
}
SIMD_INLINE f64v f64_first(f64v x, int64_t n) {
    double lanes[F64_LANES] = {0};
    f64_store_some(lanes, x, n);
    return f64_load(lanes);
}

/* Of each 128 bits the lower halves of a and b, or the upper ones, element by element. */
#if SIMD_BYTES == 64
SIMD_INLINE f32v f32_zip_low(f32v a, f32v b) {
    return (f32v)_mm512_unpacklo_ps((__m512)a, (__m512)b);
}
SIMD_INLINE f32v f32_zip_high(f32v a, f32v b) {
    return (f32v)_mm512_unpackhi_ps((__m512)a, (__m512)b);
}
SIMD_INLINE f64v f64_zip_low(f64v a, f64v b) {
    return (f64v)_mm512_unpacklo_pd((__m512d)a, (__m512d)b);
}
SIMD_INLINE f64v f64_zip_high(f64v a, f64v b) {
    return (f64v)_mm512_unpackhi_pd((__m512d)a, (__m512d)b);
}
#elif SIMD_BYTES == 32
SIMD_INLINE f32v f32_zip_low(f32v a, f32v b) {
    return (f32v)_mm256_unpacklo_ps((__m256)a, (__m256)b);
}
SIMD_INLINE f32v f32_zip_high(f32v a, f32v b) {
    return (f32v)_mm256_unpackhi_ps((__m256)a, (__m256)b);
}
SIMD_INLINE f64v f64_zip_low(f64v a, f64v b) {
    return (f64v)_mm256_unpacklo_pd((__m256d)a, (__m256d)b);
}
SIMD_INLINE f64v f64_zip_high(f64v a, f64v b) {
    return (f64v)_mm256_unpackhi_pd((__m256d)a, (__m256d)b);
}
#elif defined(__x86_64__)
SIMD_INLINE f32v f32_zip_low(f32v a, f32v b) {
    return (f32v)_mm_unpacklo_ps((__m128)a, (__m128)b);
}
SIMD_INLINE f32v f32_zip_high(f32v a, f32v b) {
    return (f32v)_mm_unpackhi_ps((__m128)a, (__m128)b);
}
SIMD_INLINE f64v f64_zip_low(f64v a, f64v b) {
    return (f64v)_mm_unpacklo_pd((__m128d)a, (__m128d)b);
}
SIMD_INLINE f64v f64_zip_high(f64v a, f64v b) {
    return (f64v)_mm_unpackhi_pd((__m128d)a, (__m128d)b);
}
#else
SIMD_INLINE f32v f32_zip_low(f32v a, f32v b) {
    return (f32v)vzip1q_f32((float32x4_t)a, (float32x4_t)b);
}
SIMD_INLINE f32v f32_zip_high(f32v a, f32v b) {
    return (f32v)vzip2q_f32((float32x4_t)a, (float32x4_t)b);
}
SIMD_INLINE f64v f64_zip_low(f64v a, f64v b) {
    return (f64v)vzip1q_f64((float64x2_t)a, (float64x2_t)b);
}
SIMD_INLINE f64v f64_zip_high(f64v a, f64v b) {
    return (f64v)vzip2q_f64((float64x2_t)a, (float64x2_t)b);
}
#endif

/* Vectors x[0], x[step] and so on, as many as a vector has parts of 128 bits, as a matrix of such parts
 * that is transposed. */
SIMD_INLINE void simd_turn_parts(f64v *x, int step) {
#if SIMD_BYTES == 64
    __m512d a = (__m512d)x[0], b = (__m512d)x[step], c = (__m512d)x[2 * step];
    __m512d d = (__m512d)x[3 * step];
    __m512d low_ab = _mm512_shuffle_f64x2(a, b, 0x44), high_ab = _mm512_shuffle_f64x2(a, b, 0xee);
    __m512d low_cd = _mm512_shuffle_f64x2(c, d, 0x44), high_cd = _mm512_shuffle_f64x2(c, d, 0xee);
    x[0] = (f64v)_mm512_shuffle_f64x2(low_ab, low_cd, 0x88);
    x[step] = (f64v)_mm512_shuffle_f64x2(low_ab, low_cd, 0xdd);
    x[2 * step] = (f64v)_mm512_shuffle_f64x2(high_ab, high_cd, 0x88);
    x[3 * step] = (f64v)_mm512_shuffle_f64x2(high_ab, high_cd, 0xdd);
#elif SIMD_BYTES == 32
    __m256d a = (__m256d)x[0], b = (__m256d)x[step];
    x[0] = (f64v)_mm256_permute2f128_pd(a, b, 0x20);
    x[step] = (f64v)_mm256_permute2f128_pd(a, b, 0x31);
#else
    (void)x;
    (void)step;
#endif
}

/* x[i][j] becomes x[j][i], for as many vectors as each has lanes. */
SIMD_INLINE void f64_transpose(f64v *x) {
    for (int i = 0; i < F64_LANES; i += 2) {
        f64v a = x[i], b = x[i + 1];
        x[i] = f64_zip_low(a, b);
        x[i + 1] = f64_zip_high(a, b);
    }
    for (int i = 0; i < 2; i++) simd_turn_parts(x + i, 2);
}
SIMD_INLINE void f32_transpose(f32v *x) {
    f64v pairs[F32_LANES];
    for (int i = 0; i < F32_LANES; i += 4) {
        f64v a = (f64v)f32_zip_low(x[i], x[i + 1]), b = (f64v)f32_zip_high(x[i], x[i + 1]);
        f64v c = (f64v)f32_zip_low(x[i + 2], x[i + 3]), d = (f64v)f32_zip_high(x[i + 2], x[i + 3]);
        pairs[i] = f64_zip_low(a, c);
        pairs[i + 1] = f64_zip_high(a, c);
        pairs[i + 2] = f64_zip_low(b, d);
        pairs[i + 3] = f64_zip_high(b, d);
    }
    for (int i = 0; i < 4; i++) simd_turn_parts(pairs + i, 4);
    for (int i = 0; i < F32_LANES; i++) x[i] = (f32v)pairs[i];
}

/* The same within each 16 bytes of the vectors, which are as many as such a part has lanes. */
SIMD_INLINE void f32_transpose_parts(f32v *x) {
    f64v a = (f64v)f32_zip_low(x[0], x[1]), b = (f64v)f32_zip_high(x[0], x[1]);
    f64v c = (f64v)f32_zip_low(x[2], x[3]), d = (f64v)f32_zip_high(x[2], x[3]);
    x[0] = (f32v)f64_zip_low(a, c);
    x[1] = (f32v)f64_zip_high(a, c);
    x[2] = (f32v)f64_zip_low(b, d);
    x[3] = (f32v)f64_zip_high(b, d);
}
SIMD_INLINE void f64_transpose_parts(f64v *x) {
    f64v a = x[0], b = x[1];
    x[0] = f64_zip_low(a, b);
    x[1] = f64_zip_high(a, b);
}

/* x[j] = column j of a square in memory, whose rows are `stride` elements apart. Parts of 16 bytes are
 * loaded to where they belong, which is cheaper than to move them. */
SIMD_INLINE void f32_load_transposed(const float *from, int64_t stride, f32v *x) {
    for (int j = 0; j < F32_LANES; j += 4) {
        for (int i = 0; i < 4; i++)
            x[j + i] = (f32v)simd_load_pieces((const char *)(from + i * stride + j), 16 * stride);
        f32_transpose_parts(x + j);
    }
}
SIMD_INLINE void f64_load_transposed(const double *from, int64_t stride, f64v *x) {
    for (int j = 0; j < F64_LANES; j += 2) {
        for (int i = 0; i < 2; i++)
            x[j + i] = (f64v)simd_load_pieces((const char *)(from + i * stride + j), 16 * stride);
        f64_transpose_parts(x + j);
    }
}

#endif
