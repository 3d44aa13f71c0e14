/*
 * MATMUL: out[b, i, j] = alpha * sum over k of a[b, i, k] * x[b, k, j] + beta * c[b, i, j].
 *
 * Leading dimensions that go on as rows do (a batch of one weight, a linear layer over sequences) become
 * rows. Small matrices of a batch are shared out among the threads, large ones each have all of them.
 */
#include <stdatomic.h>

#include "../cpu_ref/walk.h"
#include "gemm.h"
#include "kernels.h"

/* Multiplications of a matrix that the threads share, and of one chunk of a batch. */
#define LARGE (INT64_C(1) << 22)
#define CHUNK (INT64_C(1) << 18)

typedef struct batch {
    const tern_kit_call *call;
    tern_simd_product first; /* of the first position */
    tern_kit_walk walk;      /* out, a, x, c */
    atomic_int status;
} batch;

/* The walk at its index-th position. */
static void seek(tern_kit_walk *walk, int64_t index) {
    for (int32_t k = 0; k < walk->operands; k++) walk->offset[k] = 0;
    for (int32_t d = walk->rank - 1; d >= 0; d--) {
        walk->index[d] = index % walk->shape[d];
        index /= walk->shape[d];
        for (int32_t k = 0; k < walk->operands; k++)
            walk->offset[k] += walk->index[d] * walk->stride[k][d];
    }
}

static void multiply_some(void *arg, int64_t begin, int64_t end) {
    batch *b = arg;
    tern_kit_walk walk = b->walk;
    tern_simd_product p = b->first;
    const int64_t in = tern_kit_size(p.in), out = tern_kit_size(p.out_dtype);
    seek(&walk, begin);
    for (int64_t i = begin; i < end; i++) {
        p.out = (char *)b->first.out + walk.offset[0] * out;
        p.a = (const char *)b->first.a + walk.offset[1] * in;
        p.b = (const char *)b->first.b + walk.offset[2] * in;
        if (p.c) p.c = (const char *)b->first.c + walk.offset[3] * out;
        int32_t status = tern_simd_gemm(b->call, &p);
        if (status != TERN_BACKEND_OK) atomic_store(&b->status, status);
        tern_kit_walk_next(&walk);
    }
}

/* The innermost dimension of the batch as more rows, where x is the same for all of it and the rows go
 * on. */
static void merge_rows(batch *b) {
    tern_kit_walk *walk = &b->walk;
    tern_simd_product *p = &b->first;
    int32_t d = walk->rank - 1;
    const int64_t *rows[] = {&p->rs_out, &p->rs_a, NULL, &p->rs_c};
    if (d < 0 || walk->stride[2][d] != 0) return;
    for (int32_t k = 0; k < 4; k++) {
        if (k == 2 || (k == 3 && !p->c)) continue;
        if (walk->stride[k][d] != p->m * *rows[k]) return;
    }
    p->m *= walk->shape[d];
    walk->rank = d;
}

int32_t tern_simd_matmul(const tern_kit_call *call) {
    const tern_kit_tensor *a = &call->inputs[0], *x = &call->inputs[1], *out = &call->outputs[0];
    const tern_kit_tensor *c = call->n_inputs > 2 ? &call->inputs[2] : NULL;
    const tern_matmul_attrs *attrs = call->attrs;
    if (!tern_kit_is_floating(out->dtype) ||
        (out->dtype == TERN_BT_FLOAT64 && a->dtype != TERN_BT_FLOAT64))
        return tern_ref_matmul(call);
    int32_t r = out->rank - 2, s = r + 1;
    batch b = {.call = call,
               .first = {.m = out->shape[r],
                         .n = out->shape[s],
                         .k = a->shape[s],
                         .in = a->dtype,
                         .out_dtype = out->dtype,
                         .a = a->data,
                         .b = x->data,
                         .c = c ? c->data : NULL,
                         .out = out->data,
                         .rs_a = a->strides[r],
                         .cs_a = a->strides[s],
                         .rs_b = x->strides[r],
                         .cs_b = x->strides[s],
                         .rs_c = c ? c->strides[r] : 0,
                         .cs_c = c ? c->strides[s] : 0,
                         .rs_out = out->strides[r],
                         .cs_out = out->strides[s],
                         .alpha = attrs->alpha,
                         .beta = attrs->beta}};
    if (r == 0) return tern_simd_gemm(call, &b.first);
    const tern_kit_tensor *operands[] = {out, a, x, c ? c : out};
    tern_kit_walk_begin(&b.walk, operands, 4, 3u << r);
    merge_rows(&b);
    int64_t count = tern_kit_walk_count(&b.walk), work = b.first.m * b.first.n * b.first.k;
    if (work >= LARGE)
        multiply_some(&b, 0, count);
    else
        call->host->parallel_for(count, CHUNK / work + 1, multiply_some, &b);
    return atomic_load(&b.status);
}
