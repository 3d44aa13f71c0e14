/*
 * pool.h: pooling a row of results at a time.
 *
 * The rows that a row of results reads are dealt out to phases, as in conv.h: with a stride s element
 * j of phase r is element j * s + r of the padded row. Then the elements that one tap of the kernel reads
 * lie side by side, and results are computed a vector at a time. Rows in the padding are left out; so
 * are columns, by elements that change nothing (-infinity, 0).
 */
#ifndef TERN_CPU_SIMD_POOL_H
#define TERN_CPU_SIMD_POOL_H

#include "kernels.h"
#include "plane.h"

/* The largest stride, and the most taps of a kernel. */
#define TERN_SIMD_POOL_PHASES 64
#define TERN_SIMD_POOL_TAPS   1024

typedef struct tern_simd_pool {
    const tern_kit_call *call;
    const tern_pool_attrs *attrs;
    const tern_kit_tensor *image, *pooled, *indices; /* x or its gradient; out or its gradient */
    tern_ref_window win;
    int64_t in[3], out[3];
    int64_t phases, phase; /* of a row: how many, and the numbers from one to the next */
    int64_t column[TERN_SIMD_POOL_PHASES]; /* of the source, that a phase begins with */
    int64_t low[TERN_SIMD_POOL_PHASES];    /* of a phase: from low up to high is in the source */
    int64_t high[TERN_SIMD_POOL_PHASES];
    int64_t rows, row; /* rows of the source that a row of results reads, at most; numbers of one */
    int64_t width;     /* results of a row, in whole vectors */
} tern_simd_pool;

/* Where one tap reads: in the rows at hand, and which element of the plane that is, against the first tap
 * at the place of the result. */
typedef struct tern_simd_pool_tap {
    int64_t offset, code;
} tern_simd_pool_tap;

/* The geometry, for vectors of `lanes` numbers. False where the kit's kernel serves better. */
bool tern_simd_pool_plan(tern_simd_pool *pool, int64_t lanes);

/* The taps k <= *out_last that lie inside of `size` elements at result `at`, from the one returned; none
 * where that is larger. */
int64_t tern_simd_pool_taps(const tern_simd_pool *pool, int d, int64_t at, int64_t *out_last);

/* How many elements average pooling divides by in one dimension, where the attributes say none. */
int64_t tern_simd_pool_share(const tern_simd_pool *pool, int d, int64_t at);

/* These return DECLINED where the kit's kernel has to serve. */
int32_t tern_simd_pool_f32(const tern_simd_pool *pool, bool average, bool gradient);
int32_t tern_simd_pool_f64(const tern_simd_pool *pool, bool average, bool gradient);

#endif
