/*
 * gemm_small.c: products for which blocks (gemm.c) do not pay.
 *
 *   a row times a matrix      memory's speed, b read once in long stretches
 *   few rows or columns       vectors along k, where that is contiguous in a and b
 *   small matrices            tiles right on the operands
 */
#include "../cpu_ref/walk.h"
#include "gemm_number.h"

/* Elements of b that are worth a thread. */
#define THREAD_ELEMENTS (INT64_C(1) << 17)
/* Elements of a vector that is copied to the stack, and bytes of a panel. */
#define NEAR_VECTOR 512
#define NEAR_PANEL  (16 << 10)
/* The most rows, or columns, that are few. */
#define FEW 16
/* A k that is worth vectors along it. */
#define LONG 64
/* Multiplications of a small product, by one thread and where there are more, and bytes of a b that is read where
 * it lies. */
#define SMALL        0x1p21
#define SMALL_SHARED 0x1p20
#define NEAR_B       (64 << 10)

typedef struct vector_job {
    const tern_simd_product *p;
    const tern_simd_number *number;
    const void *a; /* contiguous */
    bool by_columns;
} vector_job;

static bool is_native(const tern_simd_product *p) {
    return p->in == TERN_BT_FLOAT32 || p->in == TERN_BT_FLOAT64;
}

/* ---- a row ----------------------------------------------------------------------------------- */

static void multiply_vector(void *arg, int64_t begin, int64_t end) {
    const vector_job *job = arg;
    const tern_simd_product *p = job->p;
    double sums[TERN_KIT_CHUNK]; /* of either type */
    const int64_t chunk = job->number->size == sizeof(double) ? TERN_KIT_CHUNK : 2 * TERN_KIT_CHUNK;
    for (int64_t j = begin; j < end; j += chunk) {
        int64_t n = end - j < chunk ? end - j : chunk;
        const char *b = (const char *)p->b + j * p->cs_b * tern_kit_size(p->in);
        if (job->by_columns)
            job->number->multiply_columns[p->in](n, p->k, job->a, b, p->cs_b, sums);
        else
            job->number->multiply_rows[p->in](n, p->k, job->a, b, p->rs_b, sums);
        job->number->finish(p, 0, j, 1, n, sums, n);
    }
}

static int32_t multiply_row(const tern_kit_call *call, const tern_simd_product *p,
                            bool by_columns) {
    vector_job job = {p, tern_simd_number_of(p), p->a, by_columns};
    double near[NEAR_VECTOR];
    void *row = NULL;
    if (!is_native(p) || (p->cs_a != 1 && p->k > 1)) {
        row = p->k <= NEAR_VECTOR ? near : tern_kit_take(call, p->k, (size_t)job.number->size);
        if (!row) return TERN_BACKEND_OUT_OF_MEMORY;
        job.number->pack_rows[p->in](1, p->k, p->a, 0, p->cs_a, row);
        job.a = row;
    }
    if (p->n < 2 * TERN_KIT_CHUNK || (double)p->k * (double)p->n < (double)(2 * THREAD_ELEMENTS)) {
        multiply_vector(&job, 0, p->n);
    } else {
        int64_t least = by_columns ? 16 : 2 * TERN_KIT_CHUNK;
        int64_t grain = (THREAD_ELEMENTS / p->k + 15) / 16 * 16;
        call->host->parallel_for(p->n, grain < least ? least : grain, multiply_vector, &job);
    }
    if (row && row != near) tern_kit_give(call, row);
    return TERN_BACKEND_OK;
}

/* ---- few rows or columns --------------------------------------------------------------------- */

static void multiply_dots(void *arg, int64_t begin, int64_t end) {
    const tern_simd_product *p = arg;
    if (p->m > p->n)
        tern_simd_number_of(p)->dots(p, begin, 0, end - begin, p->n);
    else
        tern_simd_number_of(p)->dots(p, 0, begin, p->m, end - begin);
}

static void multiply_few(const tern_kit_call *call, const tern_simd_product *product) {
    tern_simd_product own = *product, *p = &own;
    int64_t low = p->m > p->n ? p->n : p->m, high = p->m > p->n ? p->m : p->n;
    if ((double)p->k * (double)(p->m * p->n) < (double)(4 * THREAD_ELEMENTS)) {
        multiply_dots(p, 0, high);
        return;
    }
    int64_t grain = (4 * THREAD_ELEMENTS / (p->k * low) + 23) / 24 * 24;
    call->host->parallel_for(high, grain, multiply_dots, p);
}

/* ---- small matrices -------------------------------------------------------------------------- */

/* Columns j .. j + n, with b as it lies or packed. */
static void multiply_columns(const tern_simd_product *p, int64_t j, int64_t n, const void *b,
                             int64_t panel_stride, int64_t ld) {
    const tern_simd_number *number = tern_simd_number_of(p);
    const int64_t size = number->size;
    const void *c = p->c ? (const char *)p->c + j * p->cs_c * size : NULL;
    const tern_simd_sink sink = {.out = (char *)p->out + j * size,
                                 .c = c,
                                 .rs_out = p->rs_out,
                                 .rs_c = p->rs_c,
                                 .cs_c = p->cs_c,
                                 .alpha = p->alpha,
                                 .beta = p->beta};
    number->block(p->m, n, p->k, p->a, p->rs_a, p->cs_a, b, panel_stride, ld, &sink);
}

/* b's whole panels as they lie, where that is possible; others packed, some at a time. */
static void multiply_near(const tern_simd_product *p) {
    const tern_simd_number *number = tern_simd_number_of(p);
    const int64_t panel = number->panel, size = number->size;
    const int64_t whole = p->cs_b == 1 ? p->n / panel * panel : 0;
    if (whole > 0) multiply_columns(p, 0, whole, p->b, panel, p->rs_b);
    if (whole == p->n) return;
    double packed[NEAR_PANEL / sizeof(double)] __attribute__((aligned(64)));
    const int64_t chunk = NEAR_PANEL / (p->k * panel * size) * panel;
    for (int64_t j = whole; j < p->n; j += chunk) {
        int64_t n = p->n - j < chunk ? p->n - j : chunk;
        number->pack_columns[p->in](n, p->k, (const char *)p->b + j * p->cs_b * size, p->cs_b,
                                    p->rs_b, packed);
        multiply_columns(p, j, n, packed, panel * p->k, panel);
    }
}

/* Whether a may be read where it lies, again and again, and b too, or by packing panels on the stack. */
static bool is_near(const tern_simd_product *p) {
    const int64_t size = tern_kit_size(p->in);
    bool straight = p->cs_a == 1 || (p->rs_a == 1 && p->cs_a != 0);
    return straight && p->out_dtype == p->in && p->cs_out == 1 &&
           (!p->c || p->cs_c == 0 || p->cs_c == 1) &&
           p->k <= NEAR_PANEL / (tern_simd_number_of(p)->panel * size) &&
           (p->cs_b != 1 || p->k * p->n * size <= NEAR_B);
}

bool tern_simd_gemm_small(const tern_kit_call *call, const tern_simd_product *p,
                          int32_t *out_status) {
    *out_status = TERN_BACKEND_OK;
    if (p->m == 1) {
        bool by_rows = p->cs_b == 1, by_columns = p->rs_b == 1 || p->k == 1;
        if (!by_rows && !by_columns) return false;
        *out_status = multiply_row(call, p, by_columns && (p->n == 1 || !by_rows));
        return true;
    }
    if (!is_native(p)) return false;
    if (p->cs_a == 1 && p->rs_b == 1 && p->k >= LONG && (p->m <= FEW || p->n <= FEW)) {
        multiply_few(call, p);
        return true;
    }
    const double work = (double)p->k * (double)(p->m * p->n);
    const bool is_shared = !p->is_chunk && call->host->thread_count() > 1;
    if (work > (is_shared ? SMALL_SHARED : SMALL) || !is_near(p)) return false;
    multiply_near(p);
    return true;
}
