/*
 * gemm_number.h: what the loops over blocks (gemm.c) need to know of a type of number.
 */
#ifndef TERN_CPU_SIMD_GEMM_NUMBER_H
#define TERN_CPU_SIMD_GEMM_NUMBER_H

#include "gemm.h"

/* Packs rows or columns (gemm.h) of a source dtype. */
typedef void (*tern_simd_pack)(int64_t count, int64_t k, const void *from, int64_t stride,
                               int64_t k_stride, void *to);

/* One type that is summed in. */
typedef struct tern_simd_number {
    int64_t size;  /* bytes */
    int64_t panel; /* columns of a panel */
    void (*block)(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs_a, int64_t cs_a,
                  const void *b, int64_t panel_stride, int64_t ld, const tern_simd_sink *sink);
    /* out = alpha * sums + beta * c of a product, for rows i .. i + m and columns j .. j + n, any
     * strides and dtypes; `ld` elements are between the rows of sums. */
    void (*finish)(const tern_simd_product *product, int64_t i, int64_t j, int64_t m, int64_t n,
                   const void *sums, int64_t ld);
    /* from each dtype (TERN_BT_*); NULL where there is none */
    tern_simd_pack pack_rows[TERN_BT_BFLOAT16 + 1], pack_columns[TERN_BT_BFLOAT16 + 1];
} tern_simd_number;

extern const tern_simd_number tern_simd_number_f32, tern_simd_number_f64;

#endif
