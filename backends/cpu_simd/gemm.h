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
} tern_simd_product;

/*
 * Computes it with scratch memory and threads of the call's; OK or OUT_OF_MEMORY. The bits are the same
 * for every number of threads. Inside of a chunk of parallel_for it runs on that thread alone, as every
 * nested parallel_for does.
 */
int32_t tern_simd_gemm(const tern_kit_call *call, const tern_simd_product *product);

/* The sizes of blocks that suit this machine's caches; read once, when a device opens. */
void tern_simd_gemm_init(void);

/* ---- by one thread, on packed panels ----------------------------------------------------------- */

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
 * What becomes of the sums s of a block: out = alpha * s + beta * c. Rows of out are contiguous; those of
 * c too (cs_c 1), or one number each (cs_c 0). c is NULL where nothing is added.
 */
typedef struct tern_simd_sink_f32 {
    float *out;
    const float *c;
    int64_t rs_out, rs_c, cs_c;
    float alpha, beta;
} tern_simd_sink_f32;

typedef struct tern_simd_sink_f64 {
    double *out;
    const double *c;
    int64_t rs_out, rs_c, cs_c;
    double alpha, beta;
} tern_simd_sink_f64;

/*
 * Columns j, j + 1 and so on of b, [k, n], as panels of PANEL columns: [n / PANEL, k, PANEL], the last
 * one filled up with zeros. The address of a panel follows from j: panels + j * k.
 */
void tern_simd_pack_f32(int64_t k, int64_t n, const float *b, int64_t rs_b, int64_t cs_b,
                        float *panels);
void tern_simd_pack_f64(int64_t k, int64_t n, const double *b, int64_t rs_b, int64_t cs_b,
                        double *panels);

/*
 * The product of a, [m, k], and of a b whose panel of columns j .. j + PANEL begins at b + j / PANEL *
 * panel_stride, its rows `ld` elements apart: k * PANEL and PANEL for packed panels; PANEL and rs_b for
 * rows of b as they are, where no row is read beyond its end (n is a multiple of PANEL).
 */
void tern_simd_block_f32(int64_t m, int64_t n, int64_t k, const float *a, int64_t rs_a,
                         int64_t cs_a, const float *b, int64_t panel_stride, int64_t ld,
                         const tern_simd_sink_f32 *sink);
void tern_simd_block_f64(int64_t m, int64_t n, int64_t k, const double *a, int64_t rs_a,
                         int64_t cs_a, const double *b, int64_t panel_stride, int64_t ld,
                         const tern_simd_sink_f64 *sink);

#endif
