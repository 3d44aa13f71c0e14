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
#define LARGE 0x1p22
#define CHUNK 0x1p18

typedef struct batch {
    const tern_kit_call *call;
    tern_simd_product first; /* of the first position */
    tern_kit_walk walk;      /* out, a, x, c */
    atomic_int status;
} batch;

static void multiply_some(void *arg, int64_t begin, int64_t end) {
    batch *b = arg;
    tern_kit_walk walk = b->walk;
    const int64_t in = tern_kit_size(b->first.in), out = tern_kit_size(b->first.out_dtype);
    tern_kit_walk_seek(&walk, begin);
    for (int64_t i = begin; i < end; i++) {
        tern_simd_product p = b->first;
        p.out = (char *)p.out + walk.offset[0] * out;
        p.a = (const char *)p.a + walk.offset[1] * in;
        p.b = (const char *)p.b + walk.offset[2] * in;
        if (p.c) p.c = (const char *)p.c + walk.offset[3] * out;
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

static int32_t multiply_batch(const tern_kit_call *call, const tern_simd_product *first) {
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_kit_tensor *operands[] = {out, &call->inputs[0], &call->inputs[1],
                                         call->n_inputs > 2 ? &call->inputs[2] : out};
    batch b;
    b.call = call;
    b.first = *first;
    atomic_init(&b.status, TERN_BACKEND_OK);
    tern_kit_walk_begin(&b.walk, operands, 4, 3u << (out->rank - 2));
    merge_rows(&b);
    int64_t count = tern_kit_walk_count(&b.walk);
    if (count > 1) b.first.stamp_b = 0; /* not a matrix of each position */
    const double work = (double)(b.first.m * b.first.n) * (double)b.first.k;
    b.first.is_chunk = count > 1 && work < LARGE;
    if (b.first.is_chunk)
        call->host->parallel_for(count, (int64_t)(CHUNK / work) + 1, multiply_some, &b);
    else
        multiply_some(&b, 0, count);
    return atomic_load(&b.status);
}

int32_t tern_simd_matmul(const tern_kit_call *call) {
    const tern_kit_tensor *a = &call->inputs[0], *x = &call->inputs[1], *out = &call->outputs[0];
    const tern_kit_tensor *c = call->n_inputs > 2 ? &call->inputs[2] : NULL;
    const tern_matmul_attrs *attrs = call->attrs;
    if (!tern_kit_is_floating(out->dtype) ||
        (out->dtype == TERN_BT_FLOAT64 && a->dtype != TERN_BT_FLOAT64))
        return tern_ref_matmul(call);
    const int32_t r = out->rank - 2, s = r + 1;
    tern_simd_product p = {out->shape[r],
                           out->shape[s],
                           a->shape[s],
                           a->dtype,
                           out->dtype,
                           a->data,
                           x->data,
                           c ? c->data : 0,
                           out->data,
                           a->strides[r],
                           a->strides[s],
                           x->strides[r],
                           x->strides[s],
                           0,
                           0,
                           out->strides[r],
                           out->strides[s],
                           attrs->alpha,
                           attrs->beta,
                           x->flags & TERN_OPERAND_CONSTANT ? x->stamp : 0,
                           false};
    if (c) {
        p.rs_c = c->strides[r];
        p.cs_c = c->strides[s];
    }
    return r == 0 ? tern_simd_gemm(call, &p) : multiply_batch(call, &p);
}
