/*
 * simd.h: vectors of the instruction set that a file is compiled for.
 *
 * One source of kernels serves every variant of this backend. Arithmetic, comparisons and bit
 * operations are those of the compiler's vector extensions (`a + b`, `a < b`, which gives a mask of
 * integers, all bits set where it holds); what they lack stands here: fused multiply-add, selection,
 * square roots, rounding, loads and stores of a part of a vector, and the 16-bit floats.
 *
 * A function's name begins with the kind of its vector: f32, f64, i32, i64. A vector has F32_LANES or
 * F64_LANES elements. Loads and stores take any address that suits an element.
 */
#ifndef TERN_CPU_SIMD_SIMD_H
#define TERN_CPU_SIMD_SIMD_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Without optimisation gcc's intrinsics are macros, whose masks change their sign. */
#if defined(__AVX512F__) && !defined(__OPTIMIZE__)
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif

/* A file for which 64 bytes are too many defines SIMD_MOST as 32 before it includes this. */
#if !defined(SIMD_MOST)
#define SIMD_MOST 64
#endif
#if defined(__AVX512F__) && SIMD_MOST >= 64
#define SIMD_BYTES 64
#elif defined(__AVX2__)
#define SIMD_BYTES 32
#else
#define SIMD_BYTES 16
#endif
#define F32_LANES (SIMD_BYTES / 4)
#define F64_LANES (SIMD_BYTES / 8)

typedef float f32v __attribute__((vector_size(SIMD_BYTES)));
typedef double f64v __attribute__((vector_size(SIMD_BYTES)));
typedef int32_t i32v __attribute__((vector_size(SIMD_BYTES)));
typedef int64_t i64v __attribute__((vector_size(SIMD_BYTES)));
typedef uint32_t u32v __attribute__((vector_size(SIMD_BYTES)));
typedef uint64_t u64v __attribute__((vector_size(SIMD_BYTES)));
/* As many float16 or bfloat16 as there are lanes of float32. */
typedef uint16_t u16v __attribute__((vector_size(SIMD_BYTES / 2)));
/* As many float32 or int32 as there are lanes of float64. */
typedef float f32half __attribute__((vector_size(SIMD_BYTES / 2)));
typedef int32_t i32half __attribute__((vector_size(SIMD_BYTES / 2)));

#define SIMD_INLINE static inline __attribute__((always_inline, unused))

#if defined(__clang__)
#define SIMD_UNROLL       _Pragma("clang loop unroll(full)")
#define SIMD_UNROLL_TWICE _Pragma("clang loop unroll_count(2)")
#else
#define SIMD_UNROLL       _Pragma("GCC unroll 16")
#define SIMD_UNROLL_TWICE _Pragma("GCC unroll 2")
#endif

/* ---- everywhere the same --------------------------------------------------------------------- */

/* x in every lane; the difference keeps the sign of a zero. */
SIMD_INLINE f32v f32_set(float x) {
    return x - (f32v){0};
}
SIMD_INLINE f64v f64_set(double x) {
    return x - (f64v){0};
}
SIMD_INLINE i32v i32_set(int32_t x) {
    return x + (i32v){0};
}
SIMD_INLINE i64v i64_set(int64_t x) {
    return x + (i64v){0};
}

SIMD_INLINE f32v f32_load(const void *from) {
    f32v x;
    memcpy(&x, from, sizeof x);
    return x;
}
SIMD_INLINE f64v f64_load(const void *from) {
    f64v x;
    memcpy(&x, from, sizeof x);
    return x;
}
SIMD_INLINE i32v i32_load(const void *from) {
    i32v x;
    memcpy(&x, from, sizeof x);
    return x;
}
SIMD_INLINE i64v i64_load(const void *from) {
    i64v x;
    memcpy(&x, from, sizeof x);
    return x;
}
SIMD_INLINE void f32_store(void *to, f32v x) {
    memcpy(to, &x, sizeof x);
}
SIMD_INLINE void f64_store(void *to, f64v x) {
    memcpy(to, &x, sizeof x);
}
SIMD_INLINE void i32_store(void *to, i32v x) {
    memcpy(to, &x, sizeof x);
}
SIMD_INLINE void i64_store(void *to, i64v x) {
    memcpy(to, &x, sizeof x);
}

/* The first n lanes, 0 <= n <= lanes; the others read as zero and are not written. What more lanes would do
 * differs between the instruction sets, so a build with assertions refuses it on all of them. */
#define SIMD_PART(n, lanes) assert((n) >= 0 && (n) <= (lanes))
#if SIMD_BYTES == 64
SIMD_INLINE f32v f32_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F32_LANES);
    return (f32v)_mm512_maskz_loadu_ps((__mmask16)((UINT32_C(1) << n) - 1), from);
}
SIMD_INLINE f64v f64_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F64_LANES);
    return (f64v)_mm512_maskz_loadu_pd((__mmask8)((UINT32_C(1) << n) - 1), from);
}
SIMD_INLINE void f32_store_some(void *to, f32v x, int64_t n) {
    SIMD_PART(n, F32_LANES);
    _mm512_mask_storeu_ps(to, (__mmask16)((UINT32_C(1) << n) - 1), (__m512)x);
}
SIMD_INLINE void f64_store_some(void *to, f64v x, int64_t n) {
    SIMD_PART(n, F64_LANES);
    _mm512_mask_storeu_pd(to, (__mmask8)((UINT32_C(1) << n) - 1), (__m512d)x);
}
#elif SIMD_BYTES == 32
SIMD_INLINE f32v f32_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F32_LANES);
    const i32v lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (f32v)_mm256_maskload_ps(from, (__m256i)(lane < (int32_t)n));
}
SIMD_INLINE f64v f64_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F64_LANES);
    const i64v lane = {0, 1, 2, 3};
    return (f64v)_mm256_maskload_pd(from, (__m256i)(lane < n));
}
/* Masked stores are slow on some processors, a few plain ones are not. */
SIMD_INLINE void f32_store_some(void *to, f32v x, int64_t n) {
    SIMD_PART(n, F32_LANES);
    float *out = to;
    __m128 part = _mm256_castps256_ps128((__m256)x);
    if (n >= F32_LANES) {
        memcpy(to, &x, sizeof x);
        return;
    }
    if (n & 4) {
        _mm_storeu_ps(out, part);
        part = _mm256_extractf128_ps((__m256)x, 1);
        out += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)out, part);
        part = _mm_movehl_ps(part, part);
        out += 2;
    }
    if (n & 1) _mm_store_ss(out, part);
}
SIMD_INLINE void f64_store_some(void *to, f64v x, int64_t n) {
    SIMD_PART(n, F64_LANES);
    double *out = to;
    __m128d part = _mm256_castpd256_pd128((__m256d)x);
    if (n >= F64_LANES) {
        memcpy(to, &x, sizeof x);
        return;
    }
    if (n & 2) {
        _mm_storeu_pd(out, part);
        part = _mm256_extractf128_pd((__m256d)x, 1);
        out += 2;
    }
    if (n & 1) _mm_store_sd(out, part);
}
#else
SIMD_INLINE f32v f32_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F32_LANES);
    const float *x = from;
    switch (n) {
    case 0: return (f32v){0};
    case 1: return (f32v){x[0]};
    case 2: return (f32v){x[0], x[1]};
    case 3: return (f32v){x[0], x[1], x[2]};
    default: return f32_load(from);
    }
}
SIMD_INLINE f64v f64_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F64_LANES);
    const double *x = from;
    return n == 0 ? (f64v){0} : n == 1 ? (f64v){x[0]} : f64_load(from);
}
SIMD_INLINE void f32_store_some(void *to, f32v x, int64_t n) {
    SIMD_PART(n, F32_LANES);
    float *out = to;
    if (n >= F32_LANES) {
        memcpy(to, &x, sizeof x);
        return;
    }
    if (n > 0) out[0] = x[0];
    if (n > 1) out[1] = x[1];
    if (n > 2) out[2] = x[2];
}
SIMD_INLINE void f64_store_some(void *to, f64v x, int64_t n) {
    SIMD_PART(n, F64_LANES);
    double *out = to;
    if (n > 0) out[0] = x[0];
    if (n > 1) out[1] = x[1];
}
#endif

/* a where the mask's bits are set, b where they are not. */
SIMD_INLINE i32v i32_select(i32v mask, i32v a, i32v b) {
    return (mask & a) | (~mask & b);
}
SIMD_INLINE i64v i64_select(i64v mask, i64v a, i64v b) {
    return (mask & a) | (~mask & b);
}

SIMD_INLINE f32v f32_abs(f32v x) {
    return (f32v)((i32v)x & INT32_MAX);
}
SIMD_INLINE f64v f64_abs(f64v x) {
    return (f64v)((i64v)x & INT64_MAX);
}
/* The magnitude of x with the sign of y. */
SIMD_INLINE f32v f32_copysign(f32v x, f32v y) {
    return (f32v)(((i32v)x & INT32_MAX) | ((i32v)y & INT32_MIN));
}
SIMD_INLINE f64v f64_copysign(f64v x, f64v y) {
    return (f64v)(((i64v)x & INT64_MAX) | ((i64v)y & INT64_MIN));
}

/* Truncated; the value must fit. */
SIMD_INLINE i32v f32_to_i32(f32v x) {
    return __builtin_convertvector(x, i32v);
}
SIMD_INLINE f32v i32_to_f32(i32v x) {
    return __builtin_convertvector(x, f32v);
}
SIMD_INLINE i64v f64_to_i64(f64v x) {
    return __builtin_convertvector(x, i64v);
}
SIMD_INLINE f64v i64_to_f64(i64v x) {
    return __builtin_convertvector(x, f64v);
}
/* Between F64_LANES float32 and a vector of float64. */
SIMD_INLINE f64v f64_of_f32(f32half x) {
    return __builtin_convertvector(x, f64v);
}
SIMD_INLINE f32half f32_of_f64(f64v x) {
    return __builtin_convertvector(x, f32half);
}

/* ---- what each instruction set has of its own ------------------------------------------------ */

/*
 * f32_load_some, f64_load_some: the first n lanes, 0 <= n <= lanes; the others are zero and are not read.
 * f32_select, f64_select: a where the mask is set, b where it is not; a mask is set in a whole lane or not at all.
 * f64_low, f64_high: a half of a vector of float32 as float64; f32_join: both together as one again.
 * i32_any, i64_any: whether a mask is set in any lane.
 * f32_min, f32_max: the lesser and the greater; where one is NaN, the second (NEON: NaN).
 */

#if SIMD_BYTES == 64
#define SIMD_HAS_FMA 1
SIMD_INLINE f32v f32_fma(f32v a, f32v b, f32v c) {
    return (f32v)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
SIMD_INLINE f64v f64_fma(f64v a, f64v b, f64v c) {
    return (f64v)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
SIMD_INLINE f32v f32_sqrt(f32v x) {
    return (f32v)_mm512_sqrt_ps((__m512)x);
}
SIMD_INLINE f64v f64_sqrt(f64v x) {
    return (f64v)_mm512_sqrt_pd((__m512d)x);
}
SIMD_INLINE f32v f32_select(i32v mask, f32v a, f32v b) {
    return (f32v)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)b, (__m512)a);
}
SIMD_INLINE f64v f64_select(i64v mask, f64v a, f64v b) {
    return (f64v)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)mask), (__m512d)b, (__m512d)a);
}
SIMD_INLINE int i32_any(i32v mask) {
    return _mm512_movepi32_mask((__m512i)mask) != 0;
}
SIMD_INLINE int i64_any(i64v mask) {
    return _mm512_movepi64_mask((__m512i)mask) != 0;
}
SIMD_INLINE f64v f64_low(f32v x) {
    return (f64v)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)x));
}
SIMD_INLINE f64v f64_high(f32v x) {
    return (f64v)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)x, 1));
}
SIMD_INLINE f32v f32_join(f64v low, f64v high) {
    __m512 x = _mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)low));
    return (f32v)_mm512_insertf32x8(x, _mm512_cvtpd_ps((__m512d)high), 1);
}
SIMD_INLINE f32v f32_min(f32v x, f32v y) {
    return (f32v)_mm512_min_ps((__m512)x, (__m512)y);
}
SIMD_INLINE f32v f32_max(f32v x, f32v y) {
    return (f32v)_mm512_max_ps((__m512)x, (__m512)y);
}
#define F32_ROUND(x, mode) (f32v) _mm512_roundscale_ps((__m512)(x), mode)
#define F64_ROUND(x, mode) (f64v) _mm512_roundscale_pd((__m512d)(x), mode)
#elif SIMD_BYTES == 32
#define SIMD_HAS_FMA       1
SIMD_INLINE f32v f32_fma(f32v a, f32v b, f32v c) {
    return (f32v)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
SIMD_INLINE f64v f64_fma(f64v a, f64v b, f64v c) {
    return (f64v)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
SIMD_INLINE f32v f32_sqrt(f32v x) {
    return (f32v)_mm256_sqrt_ps((__m256)x);
}
SIMD_INLINE f64v f64_sqrt(f64v x) {
    return (f64v)_mm256_sqrt_pd((__m256d)x);
}
SIMD_INLINE f32v f32_select(i32v mask, f32v a, f32v b) {
    return (f32v)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}
SIMD_INLINE f64v f64_select(i64v mask, f64v a, f64v b) {
    return (f64v)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)mask);
}
SIMD_INLINE int i32_any(i32v mask) {
    return _mm256_movemask_ps((__m256)mask) != 0;
}
SIMD_INLINE int i64_any(i64v mask) {
    return _mm256_movemask_pd((__m256d)mask) != 0;
}
SIMD_INLINE f64v f64_low(f32v x) {
    return (f64v)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)x));
}
SIMD_INLINE f64v f64_high(f32v x) {
    return (f64v)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)x, 1));
}
SIMD_INLINE f32v f32_join(f64v low, f64v high) {
    return (f32v)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)high), _mm256_cvtpd_ps((__m256d)low));
}
SIMD_INLINE f32v f32_min(f32v x, f32v y) {
    return (f32v)_mm256_min_ps((__m256)x, (__m256)y);
}
SIMD_INLINE f32v f32_max(f32v x, f32v y) {
    return (f32v)_mm256_max_ps((__m256)x, (__m256)y);
}
#define F32_ROUND(x, mode) (f32v) _mm256_round_ps((__m256)(x), (mode) | _MM_FROUND_NO_EXC)
#define F64_ROUND(x, mode) (f64v) _mm256_round_pd((__m256d)(x), (mode) | _MM_FROUND_NO_EXC)
#elif defined(__x86_64__)
/* There is no fused multiply-add below AVX2: this one rounds twice. Where the single rounding is part
 * of a result's definition, a kernel asks SIMD_HAS_FMA and goes another way. */
#define SIMD_HAS_FMA 0
SIMD_INLINE f32v f32_fma(f32v a, f32v b, f32v c) {
    return a * b + c;
}
SIMD_INLINE f64v f64_fma(f64v a, f64v b, f64v c) {
    return a * b + c;
}
SIMD_INLINE f32v f32_sqrt(f32v x) {
    return (f32v)_mm_sqrt_ps((__m128)x);
}
SIMD_INLINE f64v f64_sqrt(f64v x) {
    return (f64v)_mm_sqrt_pd((__m128d)x);
}
SIMD_INLINE f32v f32_min(f32v x, f32v y) {
    return (f32v)_mm_min_ps((__m128)x, (__m128)y);
}
SIMD_INLINE f32v f32_max(f32v x, f32v y) {
    return (f32v)_mm_max_ps((__m128)x, (__m128)y);
}
SIMD_INLINE int i32_any(i32v mask) {
    return _mm_movemask_ps((__m128)mask) != 0;
}
SIMD_INLINE int i64_any(i64v mask) {
    return _mm_movemask_pd((__m128d)mask) != 0;
}
SIMD_INLINE f64v f64_low(f32v x) {
    return (f64v)_mm_cvtps_pd((__m128)x);
}
SIMD_INLINE f64v f64_high(f32v x) {
    return (f64v)_mm_cvtps_pd(_mm_movehl_ps((__m128)x, (__m128)x));
}
SIMD_INLINE f32v f32_join(f64v low, f64v high) {
    return (f32v)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)low), _mm_cvtpd_ps((__m128d)high));
}
#elif defined(__aarch64__)
#define SIMD_HAS_FMA 1
SIMD_INLINE f32v f32_fma(f32v a, f32v b, f32v c) {
    return (f32v)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
SIMD_INLINE f64v f64_fma(f64v a, f64v b, f64v c) {
    return (f64v)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
SIMD_INLINE f32v f32_sqrt(f32v x) {
    return (f32v)vsqrtq_f32((float32x4_t)x);
}
SIMD_INLINE f64v f64_sqrt(f64v x) {
    return (f64v)vsqrtq_f64((float64x2_t)x);
}
SIMD_INLINE f32v f32_min(f32v x, f32v y) {
    return (f32v)vminq_f32((float32x4_t)x, (float32x4_t)y);
}
SIMD_INLINE f32v f32_max(f32v x, f32v y) {
    return (f32v)vmaxq_f32((float32x4_t)x, (float32x4_t)y);
}
SIMD_INLINE int i32_any(i32v mask) {
    return vmaxvq_u32((uint32x4_t)mask) != 0;
}
SIMD_INLINE int i64_any(i64v mask) {
    return vmaxvq_u32((uint32x4_t)mask) != 0;
}
SIMD_INLINE f64v f64_low(f32v x) {
    return (f64v)vcvt_f64_f32(vget_low_f32((float32x4_t)x));
}
SIMD_INLINE f64v f64_high(f32v x) {
    return (f64v)vcvt_high_f64_f32((float32x4_t)x);
}
SIMD_INLINE f32v f32_join(f64v low, f64v high) {
    return (f32v)vcvt_high_f32_f64(vcvt_f32_f64((float64x2_t)low), (float64x2_t)high);
}
#else
#error "cpu_simd knows x86-64 and aarch64"
#endif
#if SIMD_BYTES == 16
SIMD_INLINE f32v f32_select(i32v mask, f32v a, f32v b) {
    return (f32v)i32_select(mask, (i32v)a, (i32v)b);
}
SIMD_INLINE f64v f64_select(i64v mask, f64v a, f64v b) {
    return (f64v)i64_select(mask, (i64v)a, (i64v)b);
}
#endif

/* ---- rounding to integers -------------------------------------------------------------------- */

#if defined(F32_ROUND)
SIMD_INLINE f32v f32_round(f32v x) { /* half to even */
    return F32_ROUND(x, _MM_FROUND_TO_NEAREST_INT);
}
SIMD_INLINE f64v f64_round(f64v x) {
    return F64_ROUND(x, _MM_FROUND_TO_NEAREST_INT);
}
SIMD_INLINE f32v f32_floor(f32v x) {
    return F32_ROUND(x, _MM_FROUND_TO_NEG_INF);
}
SIMD_INLINE f64v f64_floor(f64v x) {
    return F64_ROUND(x, _MM_FROUND_TO_NEG_INF);
}
SIMD_INLINE f32v f32_trunc(f32v x) {
    return F32_ROUND(x, _MM_FROUND_TO_ZERO);
}
SIMD_INLINE f64v f64_trunc(f64v x) {
    return F64_ROUND(x, _MM_FROUND_TO_ZERO);
}
#elif defined(__aarch64__)
SIMD_INLINE f32v f32_round(f32v x) {
    return (f32v)vrndnq_f32((float32x4_t)x);
}
SIMD_INLINE f64v f64_round(f64v x) {
    return (f64v)vrndnq_f64((float64x2_t)x);
}
SIMD_INLINE f32v f32_floor(f32v x) {
    return (f32v)vrndmq_f32((float32x4_t)x);
}
SIMD_INLINE f64v f64_floor(f64v x) {
    return (f64v)vrndmq_f64((float64x2_t)x);
}
SIMD_INLINE f32v f32_trunc(f32v x) {
    return (f32v)vrndq_f32((float32x4_t)x);
}
SIMD_INLINE f64v f64_trunc(f64v x) {
    return (f64v)vrndq_f64((float64x2_t)x);
}
#else
/* A number below 2^23 (2^52) loses its fraction when that is added; larger ones, infinities and NaN
 * have none. The sign of a zero stays. */
SIMD_INLINE f32v f32_round(f32v x) {
    f32v large = f32_copysign(f32_set(0x1p23f), x);
    f32v rounded = f32_copysign(x + large - large, x);
    return f32_select(f32_abs(x) < 0x1p23f, rounded, x);
}
SIMD_INLINE f64v f64_round(f64v x) {
    f64v large = f64_copysign(f64_set(0x1p52), x);
    f64v rounded = f64_copysign(x + large - large, x);
    return f64_select(f64_abs(x) < 0x1p52, rounded, x);
}
SIMD_INLINE f32v f32_floor(f32v x) {
    f32v near = f32_round(x);
    return f32_copysign(near - f32_select(near > x, f32_set(1), f32_set(0)), x);
}
SIMD_INLINE f64v f64_floor(f64v x) {
    f64v near = f64_round(x);
    return f64_copysign(near - f64_select(near > x, f64_set(1), f64_set(0)), x);
}
SIMD_INLINE f32v f32_trunc(f32v x) {
    f32v near = f32_round(f32_abs(x));
    return f32_copysign(near - f32_select(near > f32_abs(x), f32_set(1), f32_set(0)), x);
}
SIMD_INLINE f64v f64_trunc(f64v x) {
    f64v near = f64_round(f64_abs(x));
    return f64_copysign(near - f64_select(near > f64_abs(x), f64_set(1), f64_set(0)), x);
}
#endif
SIMD_INLINE f32v f32_ceil(f32v x) {
    return -f32_floor(-x);
}
SIMD_INLINE f64v f64_ceil(f64v x) {
    return -f64_floor(-x);
}

/* ---- float16 and bfloat16 -------------------------------------------------------------------- */

SIMD_INLINE u16v u16_load(const void *from) {
    u16v x;
    memcpy(&x, from, sizeof x);
    return x;
}
SIMD_INLINE void u16_store(void *to, u16v x) {
    memcpy(to, &x, sizeof x);
}
SIMD_INLINE u16v u16_load_some(const void *from, int64_t n) {
    SIMD_PART(n, F32_LANES);
    u16v x = {0};
    memcpy(&x, from, (size_t)n * sizeof(uint16_t));
    return x;
}
SIMD_INLINE void u16_store_some(void *to, u16v x, int64_t n) {
    SIMD_PART(n, F32_LANES);
    memcpy(to, &x, (size_t)n * sizeof(uint16_t));
}

/* bfloat16 is the upper half of a float32. */
SIMD_INLINE f32v f32_of_bf16(u16v x) {
    return (f32v)(__builtin_convertvector(x, u32v) << 16);
}
/* Half to even; a NaN stays one. */
SIMD_INLINE u16v bf16_of_f32(f32v x) {
    u32v bits = (u32v)x;
    u32v rounded = bits + UINT32_C(0x7fff) + (bits >> 16 & 1);
    u32v quiet = bits | UINT32_C(0x400000);
    u32v chosen =
        (u32v)i32_select((i32v)(bits << 1 >> 1) > INT32_C(0x7f800000), (i32v)quiet, (i32v)rounded);
    return __builtin_convertvector(chosen >> 16, u16v);
}

#if SIMD_BYTES == 64
SIMD_INLINE f32v f32_of_f16(u16v x) {
    return (f32v)_mm512_cvtph_ps((__m256i)x);
}
SIMD_INLINE u16v f16_of_f32(f32v x) {
    return (u16v)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#elif SIMD_BYTES == 32
SIMD_INLINE f32v f32_of_f16(u16v x) {
    return (f32v)_mm256_cvtph_ps((__m128i)x);
}
SIMD_INLINE u16v f16_of_f32(f32v x) {
    return (u16v)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT);
}
#elif defined(__aarch64__)
SIMD_INLINE f32v f32_of_f16(u16v x) {
    return (f32v)vcvt_f32_f16((float16x4_t)x);
}
SIMD_INLINE u16v f16_of_f32(f32v x) {
    return (u16v)vcvt_f16_f32((float32x4_t)x);
}
#else
/* The exponent moves by a product, which makes subnormal numbers normal too; what was infinite or NaN
 * gets the largest exponent again. */
SIMD_INLINE f32v f32_of_f16(u16v x) {
    u32v wide = __builtin_convertvector(x, u32v);
    u32v magnitude = (wide & 0x7fff) << 13;
    u32v scaled = (u32v)((f32v)magnitude * 0x1p112f);
    i32v special = (i32v)magnitude >= INT32_C(0x0f800000);
    scaled |= (u32v)special & UINT32_C(0x7f800000);
    scaled |= (u32v)((i32v)magnitude > INT32_C(0x0f800000)) & UINT32_C(0x400000); /* quiet */
    return (f32v)(scaled | (wide & 0x8000) << 16);
}
/* Normal results round by adding half of the last place; subnormal ones by adding 0.5, whose last
 * place is theirs. */
SIMD_INLINE u16v f16_of_f32(f32v x) {
    u32v bits = (u32v)x & UINT32_C(0x7fffffff), sign = (u32v)x >> 16 & 0x8000;
    u32v normal = (bits + UINT32_C(0xc8000fff) + (bits >> 13 & 1)) >> 13;
    u32v small = (u32v)((f32v)bits + 0.5f) - UINT32_C(0x3f000000);
    u32v half = (u32v)i32_select((i32v)bits < INT32_C(0x38800000), (i32v)small, (i32v)normal);
    half = (u32v)i32_select((i32v)bits >= INT32_C(0x477ff000), i32_set(0x7c00), (i32v)half);
    i32v nan = 0x7e00 | ((i32v)bits >> 13 & 0x3ff);
    half = (u32v)i32_select((i32v)bits > INT32_C(0x7f800000), nan, (i32v)half);
    return __builtin_convertvector(half | sign, u16v);
}
#endif

#endif
