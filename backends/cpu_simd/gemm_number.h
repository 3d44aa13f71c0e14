/*
 * gemm_number.h: what the loops over blocks (gemm.c) need to know of a type of number.
 */
#ifndef TERN_CPU_SIMD_GEMM_NUMBER_H
#define TERN_CPU_SIMD_GEMM_NUMBER_H

#include "gemm.h"

/* The first n lanes as 16-bit floats. */
SIMD_INLINE void tern_simd_store_rounded(int32_t dtype, void *to, f32v x, int64_t n) {
    u16v rounded = dtype == TERN_BT_BFLOAT16 ? bf16_of_f32(x) : f16_of_f32(x);
    if (n == F32_LANES)
        u16_store(to, rounded);
    else
        u16_store_some(to, rounded, n);
}

/* Packs rows or columns (gemm.h) of a source dtype. */
typedef void (*tern_simd_pack)(int64_t count, int64_t k, const void *from, int64_t stride,
                               int64_t k_stride, void *to);

/* sums[j] = the sum over p < k of a[p] * b[p, j], of n columns; `stride` is that of b's rows, whose elements
 * are contiguous, or of its columns, likewise. */
typedef void (*tern_simd_vector)(int64_t n, int64_t k, const void *a, const void *b, int64_t stride,
                                 void *sums);

/* One type that is summed in. */
typedef struct tern_simd_number {
    int64_t size;       /* bytes of a sum, and of an element that is packed */
    int64_t k_together; /* k that such an element holds */
    int64_t panel;      /* columns of a panel */
    void (*block)(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs_a, int64_t cs_a,
                  const void *b, int64_t panel_stride, int64_t ld, const tern_simd_sink *sink);
    /* out = alpha * sums + beta * c of a product, for rows i .. i + m and columns j .. j + n, any
     * strides and dtypes; `ld` elements are between the rows of sums. */
    void (*finish)(const tern_simd_product *product, int64_t i, int64_t j, int64_t m, int64_t n,
                   const void *sums, int64_t ld);
    /* Rows i .. i + m and columns j .. j + n of a product, finished, whose a and b are of this type and
     * whose k are contiguous in both. */
    void (*dots)(const tern_simd_product *product, int64_t i, int64_t j, int64_t m, int64_t n);
    /* from each dtype (TERN_BT_*); NULL where there is none */
    tern_simd_pack pack_rows[TERN_BT_BFLOAT16 + 1], pack_columns[TERN_BT_BFLOAT16 + 1];
    tern_simd_vector multiply_rows[TERN_BT_BFLOAT16 + 1], multiply_columns[TERN_BT_BFLOAT16 + 1];
} tern_simd_number;

extern const tern_simd_number tern_simd_number_f32, tern_simd_number_f64;

/* What a product is summed in. */
static inline const tern_simd_number *tern_simd_number_of(const tern_simd_product *p) {
    return p->out_dtype == TERN_BT_FLOAT64 ? &tern_simd_number_f64 : &tern_simd_number_f32;
}

/* The same for blocks, which are packed: bfloat16 may have instructions of its own (gemm_pairs.c). Sums are of the
 * same size. */
const tern_simd_number *tern_simd_block_number_of(const tern_simd_product *p);

/* A product that is small, a vector's, or a few rows' or columns', for which blocks do not pay: true where it
 * has been computed, with the status. out's columns are contiguous, or it is one row. */
bool tern_simd_gemm_small(const tern_kit_call *call, const tern_simd_product *product,
                          int32_t *out_status);

#endif
