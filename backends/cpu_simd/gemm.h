/*
 * gemm.h: products of matrices in memory, for MATMUL and for kernels that are products inside
 * (convolution, recurrent layers, attention).
 *
 *     out[i, j] = alpha * sum over p of a[i, p] * b[p, j]  +  beta * c[i, j]
 *
 * Every matrix has a stride for its rows (rs) and one for its columns (cs), in elements, so that a
 * transpose or a broadcast is a matter of strides. Three layers, from the outer one to the inner:
 *
 *   tern_simd_gemm       whole products, of any dtype, strides and size, on all threads;
 *   tern_simd_block_f32  a block by one thread, whose b lies as rows of vectors (packed panels);
 *   gemm_tile.h          one tile in registers, for loops of a kernel's own.
 */
#ifndef TERN_CPU_SIMD_GEMM_H
#define TERN_CPU_SIMD_GEMM_H

#include "../cpu_ref/kernel.h"
#include "simd.h"

/*
 * A product. `in` is the dtype of a and b, `out_dtype` that of c and out: the same, or float32 for
 * float16 and bfloat16, which are summed in float32 and rounded once. c may be NULL, and is not read
 * where beta is 0; it may be the same elements as out. out overlaps neither itself nor a or b.
 */
typedef struct tern_simd_product {
    int64_t m, n, k; /* at least 1 */
    int32_t in, out_dtype;
    const void *a, *b, *c;
    void *out;
    int64_t rs_a, cs_a, rs_b, cs_b, rs_c, cs_c, rs_out, cs_out;
    double alpha, beta;
    uint64_t stamp_b; /* of a b that is constant (tern_operand), which may be kept packed; else 0 */
    bool is_chunk;    /* within a chunk of parallel_for, whose other chunks the threads have */
} tern_simd_product;

/* A product of float32 matrices whose rows are contiguous and follow each other, for the caller to say where
 * they are, and what is otherwise. c, where there is one, is added. */
static inline tern_simd_product tern_simd_product_f32(int64_t m, int64_t n, int64_t k) {
    return (tern_simd_product){.m = m,
                               .n = n,
                               .k = k,
                               .in = TERN_BT_FLOAT32,
                               .out_dtype = TERN_BT_FLOAT32,
                               .rs_a = k,
                               .cs_a = 1,
                               .rs_b = n,
                               .cs_b = 1,
                               .rs_c = n,
                               .cs_c = 1,
                               .rs_out = n,
                               .cs_out = 1,
                               .alpha = 1,
                               .beta = 1};
}

/*
 * Computes it, and may write it another way first, with scratch memory and threads of the call's; OK or OUT_OF_MEMORY. The bits are the same
 * for every number of threads.
 */
int32_t tern_simd_gemm(const tern_kit_call *call, tern_simd_product *product);

/* Multiplications that are worth a thread. */
#define TERN_SIMD_THREAD_WORK (INT64_C(1) << 19)

/* The sizes of blocks that suit this machine's caches; read once, when a device opens. */
void tern_simd_gemm_init(void);

/* ---- by one thread, on packed panels --------------------------------------------------------- */

/* A tile has up to ROWS rows and PANEL columns, which are two vectors. */
#if SIMD_BYTES == 64
#define TERN_SIMD_ROWS 14
#elif defined(__aarch64__)
#define TERN_SIMD_ROWS 12
#else
#define TERN_SIMD_ROWS 6
#endif
#define TERN_SIMD_PANEL_F32 (2 * F32_LANES)
#define TERN_SIMD_PANEL_F64 (2 * F64_LANES)

/*
 * What becomes of the sums s of a block: out = alpha * s + beta * c. Both are of the sums' type, but for an out of
 * 16-bit floats, to which nothing is added (rounds_to, their dtype; else 0). Rows of out are contiguous; those of c
 * too (cs_c 1), or one number each (cs_c 0). c is NULL where nothing is added.
 */
typedef struct tern_simd_sink {
    void *out;
    const void *c;
    int64_t rs_out, rs_c, cs_c;
    double alpha, beta;
    int32_t rounds_to;
} tern_simd_sink;

/* Sums times a factor to out, whose rows are `row` elements apart, or added to what it holds. */
static inline tern_simd_sink tern_simd_sums_to(void *out, int64_t row, double factor, bool adds) {
    return (tern_simd_sink){.out = out,
                            .c = adds ? out : NULL,
                            .rs_out = row,
                            .rs_c = row,
                            .cs_c = 1,
                            .alpha = factor,
                            .beta = 1};
}

/* How many rows the tile has that begins at row i of m: as many as fit, but for the last two, which
 * share what is left where it would leave one so low that its sums wait for each other. */
static inline int64_t tern_simd_tile_rows(int64_t m, int64_t i) {
    int64_t left = m - i;
    if (left <= TERN_SIMD_ROWS) return left;
    return left < TERN_SIMD_ROWS + 5 ? (left + 1) / 2 : TERN_SIMD_ROWS;
}

/* How many tiles of as many rows there are one behind the other from row i on. */
static inline int64_t tern_simd_tiles(int64_t m, int64_t i) {
    int64_t left = m - i;
    if (left <= TERN_SIMD_ROWS) return 1;
    return left < TERN_SIMD_ROWS + 5 ? left / ((left + 1) / 2) : (left - 5) / TERN_SIMD_ROWS;
}

/*
 * Packing. Element (i, p), where i counts rows of a or columns of b and p < k, is at from + i * stride +
 * p * k_stride.
 *
 *   columns of b    [count / PANEL, k, PANEL], the last panel filled up with zeros: tern_simd_packed_f32 numbers
 *   rows of a       for each tile (tern_simd_tile_rows) [k, its rows], one behind the other
 */
static inline int64_t tern_simd_packed_f32(int64_t count, int64_t k) {
    return (count + TERN_SIMD_PANEL_F32 - 1) / TERN_SIMD_PANEL_F32 * TERN_SIMD_PANEL_F32 * k;
}
void tern_simd_pack_columns_f32(int64_t count, int64_t k, const void *from, int64_t stride,
                                int64_t k_stride, void *to);
void tern_simd_pack_columns_f64(int64_t count, int64_t k, const void *from, int64_t stride,
                                int64_t k_stride, void *to);
void tern_simd_pack_rows_f32(int64_t count, int64_t k, const void *from, int64_t stride,
                             int64_t k_stride, void *to);
void tern_simd_pack_rows_f64(int64_t count, int64_t k, const void *from, int64_t stride,
                             int64_t k_stride, void *to);

/*
 * The product of a, [m, k], and of a b whose panel of columns j .. j + PANEL begins at b + j / PANEL *
 * panel_stride, its rows `ld` elements apart: k * PANEL and PANEL for packed columns; PANEL and rs_b for
 * rows of b as they are, which are read in whole vectors. One of a's strides is 1, and where that is rs_a the
 * other is at least m; cs_a 0 says that a's rows are packed.
 */
void tern_simd_block_f32(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs_a, int64_t cs_a,
                         const void *b, int64_t panel_stride, int64_t ld,
                         const tern_simd_sink *sink);
void tern_simd_block_f64(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs_a, int64_t cs_a,
                         const void *b, int64_t panel_stride, int64_t ld,
                         const tern_simd_sink *sink);

#endif
