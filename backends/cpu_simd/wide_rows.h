/*
 * wide_rows.h: rows of any floating dtype and stride, for kernels that compute row by row in float32 or
 * float64; and how such work is shared out.
 */
#ifndef TERN_CPU_SIMD_WIDE_ROWS_H
#define TERN_CPU_SIMD_WIDE_ROWS_H

#include "../cpu_ref/walk.h"

/* `n` elements of a floating dtype, `stride` elements apart, as float32 or (float64 too) float64, one
 * behind the other, and back. To 16 bits they are rounded once. */
void tern_simd_load_f32(int32_t dtype, const void *from, int64_t stride, int64_t n, float *out);
void tern_simd_store_f32(int32_t dtype, void *to, int64_t stride, int64_t n, const float *values);
static inline void tern_simd_load_f64(int32_t dtype, const void *from, int64_t stride, int64_t n,
                                      double *out) {
    tern_kit_load_f64(dtype, from, stride, n, out);
}
static inline void tern_simd_store_f64(int32_t dtype, void *to, int64_t stride, int64_t n,
                                       const double *values) {
    tern_kit_store_f64(dtype, to, stride, n, values);
}

/* How many items of `elements` elements each are worth another thread. */
static inline int64_t tern_simd_grain(int64_t elements) {
    int64_t enough = INT64_C(1) << 14;
    return elements < enough ? enough / (elements > 0 ? elements : 1) : 1;
}

/* parallel_for, but for small work without it. */
static inline void tern_simd_share(const tern_kit_call *call, int64_t n, int64_t grain,
                                   void (*fn)(void *arg, int64_t begin, int64_t end), void *arg) {
    if (n <= grain)
        fn(arg, 0, n);
    else
        call->host->parallel_for(n, grain, fn, arg);
}

#endif
