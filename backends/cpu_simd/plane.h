/*
 * plane.h: tensors [n, c, spatial...] row by row, for convolution and pooling.
 *
 * Rows are read as float32 or float64 from any strides and, as float32, from the 16-bit dtypes; and
 * written back rounded once.
 */
#ifndef TERN_CPU_SIMD_PLANE_H
#define TERN_CPU_SIMD_PLANE_H

#include <stdatomic.h>

#include "../cpu_ref/image.h"
#include "simd.h"

/* The address of an element [n, c] and its spatial dimensions as three (missing ones come first). */
typedef struct tern_simd_planes {
    char *data;
    int32_t dtype;
    int64_t n, c, spatial[3]; /* bytes from one element to the next */
} tern_simd_planes;

tern_simd_planes tern_simd_planes_of(const tern_kit_tensor *tensor);

/* An idle one of the scratch slots that threads share: there are as many as threads that work. */
int tern_simd_slot_take(atomic_int *busy, int count);

SIMD_INLINE f32v tern_simd_widen(int32_t dtype, u16v x) {
    return dtype == TERN_BT_BFLOAT16 ? f32_of_bf16(x) : f32_of_f16(x);
}

SIMD_INLINE u16v tern_simd_narrow(int32_t dtype, f32v x) {
    return dtype == TERN_BT_BFLOAT16 ? bf16_of_f32(x) : f16_of_f32(x);
}

/* Every second element of some that follow each other, from the first on: a holds the first of them, and b
 * those from the second half on, or (last) from one before it. odd: from the second element on. */
#if SIMD_BYTES == 64
SIMD_INLINE f32v f32_even(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
SIMD_INLINE f32v f32_odd(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
SIMD_INLINE f32v f32_even_last(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
}
SIMD_INLINE f64v f64_even(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
SIMD_INLINE f64v f64_odd(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
SIMD_INLINE f64v f64_even_last(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15);
}
#elif SIMD_BYTES == 32
SIMD_INLINE f32v f32_even(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
SIMD_INLINE f32v f32_odd(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
SIMD_INLINE f32v f32_even_last(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15);
}
SIMD_INLINE f64v f64_even(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
SIMD_INLINE f64v f64_odd(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7);
}
SIMD_INLINE f64v f64_even_last(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 0, 2, 5, 7);
}
#else
SIMD_INLINE f32v f32_even(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
SIMD_INLINE f32v f32_odd(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7);
}
SIMD_INLINE f32v f32_even_last(f32v a, f32v b) {
    return __builtin_shufflevector(a, b, 0, 2, 5, 7);
}
SIMD_INLINE f64v f64_even(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 0, 2);
}
SIMD_INLINE f64v f64_odd(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 1, 3);
}
SIMD_INLINE f64v f64_even_last(f64v a, f64v b) {
    return __builtin_shufflevector(a, b, 0, 3);
}
#endif

/* Rows of 16-bit floats, a vector at a time. */
static inline void read_other_f32(int32_t dtype, const char *from, int64_t stride, int64_t n,
                                  float *to) {
    for (int64_t i = 0; i < n; i += F32_LANES) {
        int64_t count = n - i < F32_LANES ? n - i : F32_LANES;
        uint16_t bits[F32_LANES] = {0};
        for (int64_t k = 0; k < count; k++) memcpy(&bits[k], from + (i + k) * stride, 2);
        f32_store_some(to + i, tern_simd_widen(dtype, u16_load(bits)), count);
    }
}

static inline void write_other_f32(int32_t dtype, char *to, int64_t stride, int64_t n,
                                   const float *from, float bias) {
    for (int64_t i = 0; i < n; i += F32_LANES) {
        int64_t count = n - i < F32_LANES ? n - i : F32_LANES;
        uint16_t bits[F32_LANES];
        u16_store(bits, tern_simd_narrow(dtype, f32_load_some(from + i, count) + f32_set(bias)));
        for (int64_t k = 0; k < count; k++) memcpy(to + (i + k) * stride, &bits[k], 2);
    }
}

/* There is one dtype that is summed in float64, so these never run. */
static inline void read_other_f64(int32_t dtype, const char *from, int64_t stride, int64_t n,
                                  double *to) {
    tern_kit_load_f64(dtype, from, stride / tern_kit_size(dtype), n, to);
}

static inline void write_other_f64(int32_t dtype, char *to, int64_t stride, int64_t n,
                                   const double *from, double bias) {
    for (int64_t i = 0; i < n; i++) {
        double x = from[i] + bias;
        tern_kit_store_f64(dtype, to + i * stride, 1, 1, &x);
    }
}

#define NUMBER  float
#define VECTOR  f32v
#define LANES   F32_LANES
#define DTYPE   TERN_BT_FLOAT32
#define NAME(x) x##_f32
#define OP(x)   f32_##x
#include "plane_row.inc"

#define NUMBER  double
#define VECTOR  f64v
#define LANES   F64_LANES
#define DTYPE   TERN_BT_FLOAT64
#define NAME(x) x##_f64
#define OP(x)   f64_##x
#include "plane_row.inc"

#endif
