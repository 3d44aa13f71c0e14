/*
 * attention_grad.c: ATTENTION_GRAD, by blocks of queries; for each of them the keys go by in blocks. With
 * p = exp(score - lse), computed again, and d = sum(g out):
 *
 *     dv = p^T g     ds = p (g v^T - d)     dq = scale ds k     dk = scale ds^T q
 *
 * A chunk for the threads is a head of k and v, with the heads of q that share it, so that results do not
 * depend on them.
 */
#include <math.h>
#include <stdatomic.h>

#include "attention.h"
#include "exp_below.h"
#include "gemm.h"

enum { QUERIES = TERN_SIMD_QUERIES, KEYS = TERN_SIMD_KEYS, PANEL = TERN_SIMD_PANEL_F32 };

typedef struct job {
    const tern_simd_attention *a;
    const tern_kit_tensor *grad, *out, *lse, *dq, *dk, *dv;
    atomic_int status;
} job;

/* Packed, "by rows" as columns of a product that are the head's rows, "across" its columns. */
typedef struct scratch {
    float *keys_by_rows, *values_by_rows, *keys_across; /* of a head of k and v */
    float *queries_across, *grads_across;               /* of a head of q */
    float *queries, *grads;                             /* rows of a block of queries */
    float *weights, *slopes;                            /* p and ds of a block */
    float *d, *lse;                                     /* of every query */
} scratch;

static float *take(const tern_simd_attention *a, scratch *s) {
    const int64_t sizes[] = {tern_simd_packed_f32(a->s, a->e),
                             tern_simd_packed_f32(a->s, a->f),
                             tern_simd_packed_f32(a->e, a->s),
                             tern_simd_packed_f32(a->e, a->l),
                             tern_simd_packed_f32(a->f, a->l),
                             QUERIES * a->e,
                             QUERIES * a->f,
                             (int64_t)QUERIES * KEYS,
                             (int64_t)QUERIES * KEYS,
                             a->l,
                             a->l};
    float **parts[] = {
        &s->keys_by_rows, &s->values_by_rows, &s->keys_across, &s->queries_across, &s->grads_across,
        &s->queries,      &s->grads,          &s->weights,     &s->slopes,         &s->d,
        &s->lse};
    enum { PARTS = sizeof parts / sizeof parts[0] };
    int64_t total = 0;
    for (int k = 0; k < PARTS; k++) total += sizes[k];
    float *memory = tern_kit_take(a->call, total, sizeof(float)), *at = memory;
    for (int k = 0; memory && k < PARTS; at += sizes[k++]) *parts[k] = at;
    return memory;
}

/* Row `i` of a head. */
static float *row_of(const tern_kit_tensor *t, int64_t batch, int64_t head, int64_t i) {
    return (float *)(void *)tern_simd_head(t, batch, head) + i * t->strides[2];
}

static void clear(const tern_kit_tensor *t, int64_t batch, int64_t head) {
    for (int64_t i = 0; i < t->shape[2]; i++)
        memset(row_of(t, batch, head, i), 0, (size_t)t->shape[3] * sizeof(float));
}

/* lse and d of the queries of a head. */
static void read_rows(const job *j, int64_t batch, int64_t head, scratch *s) {
    const tern_simd_attention *a = j->a;
    int64_t grad_step = j->grad->strides[3], out_step = j->out->strides[3];
    for (int64_t i = 0; i < a->l; i++) {
        const float *grad = row_of(j->grad, batch, head, i), *out = row_of(j->out, batch, head, i);
        float d = 0;
        for (int64_t k = 0; k < a->f; k++) d += grad[k * grad_step] * out[k * out_step];
        s->d[i] = d;
        s->lse[i] = *row_of(j->lse, batch, head, i);
    }
}

/* Scores of a query, of which it may see `seen`, become weights; `products`, g v^T, become ds. A hidden key has no
 * part in either, and a query that sees no number (its lse is 0 then) gives nothing. */
static void weigh(float *scores, float *products, int64_t seen, int64_t width, float lse, float d) {
    const f32v zero = {0};
    for (int64_t j = 0; j < seen; j += F32_LANES) {
        f32v x = f32_load(scores + j);
        i32v out = x == f32_set(-INFINITY);
        if (lse == 0) out |= x != x;
        f32v p = f32_exp_below(x - lse) * (1 / F32_BELOW_SCALE);
        p = f32_select(out, zero, p);
        f32v slope = f32_select(out, zero, p * (f32_load(products + j) - d));
        f32_store(scores + j, p);
        f32_store(products + j, slope);
    }
    for (int64_t j = seen; j < width; j += F32_LANES) {
        f32_store(scores + j, zero);
        f32_store(products + j, zero);
    }
}

/* What is written goes through the product's description, which clang-tidy does not see. */
/* NOLINTBEGIN(readability-non-const-parameter) */
/* out += factor * x^T y, where x is [rows, KEYS] of a block and y packed by its columns. */
static void add_across(const tern_simd_block *block, const float *x, const float *packed,
                       int64_t length, int64_t width, double factor, float *out, int64_t step) {
    const tern_simd_sink sink = tern_simd_sums_to(out, step, factor, true);
    tern_simd_block_f32(block->keys, width, block->rows, x, 1, KEYS, packed + block->i * PANEL,
                        PANEL * length, PANEL, &sink);
}
/* NOLINTEND(readability-non-const-parameter) */

/* What a block of queries and one of keys give each other. */
static void meet(const job *j, const tern_simd_block *block, const scratch *s) {
    const tern_simd_attention *a = j->a;
    int64_t width = tern_simd_whole(block->keys);
    int64_t group = block->head / a->shared;
    const tern_simd_sink products = tern_simd_sums_to(s->slopes, KEYS, 1, false);
    tern_simd_scores(a, block, s->queries, s->keys_by_rows, s->weights);
    tern_simd_block_f32(block->rows, width, a->f, s->grads, 0, 0,
                        s->values_by_rows + block->j * a->f, PANEL * a->f, PANEL, &products);
    for (int64_t row = 0; row < block->rows; row++)
        weigh(s->weights + row * KEYS, s->slopes + row * KEYS,
              tern_simd_whole(tern_simd_visible(a, block, row)), width, s->lse[block->i + row],
              s->d[block->i + row]);
    float *dq = row_of(j->dq, block->batch, block->head, block->i);
    const tern_simd_sink queries = tern_simd_sums_to(dq, j->dq->strides[2], (double)a->scale, true);
    tern_simd_block_f32(block->rows, a->e, block->keys, s->slopes, KEYS, 1,
                        s->keys_across + block->j * PANEL, PANEL * a->s, PANEL, &queries);
    add_across(block, s->weights, s->grads_across, a->l, a->f, 1,
               row_of(j->dv, block->batch, group, block->j), j->dv->strides[2]);
    add_across(block, s->slopes, s->queries_across, a->l, a->e, (double)a->scale,
               row_of(j->dk, block->batch, group, block->j), j->dk->strides[2]);
}

static void pack_rows(const tern_kit_tensor *t, const tern_simd_block *block, float *to) {
    tern_simd_pack_rows_f32(block->rows, t->shape[3],
                            row_of(t, block->batch, block->head, block->i), t->strides[2],
                            t->strides[3], to);
}

/* A head of q. */
static void go_back(const job *j, int64_t batch, int64_t head, scratch *s) {
    const tern_simd_attention *a = j->a;
    clear(j->dq, batch, head);
    read_rows(j, batch, head, s);
    tern_simd_pack_head(a->q, batch, head, true, s->queries_across);
    tern_simd_pack_head(j->grad, batch, head, true, s->grads_across);
    int64_t most = tern_simd_block_queries(a);
    for (int64_t i = 0; i < a->l; i += most) {
        tern_simd_block block = {batch, head, i, a->l - i < most ? a->l - i : most, 0, 0};
        int64_t end = tern_simd_last_key(a, i, block.rows);
        pack_rows(a->q, &block, s->queries);
        pack_rows(j->grad, &block, s->grads);
        for (; block.j < end; block.j += KEYS) {
            block.keys = end - block.j < KEYS ? end - block.j : KEYS;
            meet(j, &block, s);
        }
    }
}

static void groups(void *arg, int64_t begin, int64_t end) {
    job *j = arg;
    const tern_simd_attention *a = j->a;
    int64_t count = a->k->shape[1];
    scratch s;
    float *memory = take(a, &s);
    if (!memory) {
        atomic_store(&j->status, TERN_BACKEND_OUT_OF_MEMORY);
        return;
    }
    for (int64_t at = begin; at < end; at++) {
        int64_t batch = at / count, group = at % count;
        clear(j->dk, batch, group);
        clear(j->dv, batch, group);
        tern_simd_pack_head(a->k, batch, group, false, s.keys_by_rows);
        tern_simd_pack_head(a->k, batch, group, true, s.keys_across);
        tern_simd_pack_head(a->v, batch, group, false, s.values_by_rows);
        for (int64_t head = group * a->shared; head < (group + 1) * a->shared; head++)
            go_back(j, batch, head, &s);
    }
    tern_kit_give(a->call, memory);
}

int32_t tern_simd_attend_grad(const tern_kit_call *call) {
    const tern_kit_tensor *in = call->inputs, *out = call->outputs;
    tern_simd_attention a;
    if (!tern_simd_attention_read(call, 1, &a) || a.l < TERN_SIMD_FEW_QUERIES)
        return TERN_BACKEND_DECLINED;
    job j = {&a, &in[0], &in[4], &in[5], &out[0], &out[1], &out[2], 0};
    atomic_init(&j.status, TERN_BACKEND_OK);
    call->host->parallel_for(a.b * a.k->shape[1], 1, groups, &j);
    return atomic_load(&j.status);
}
