/*
 * attention_few.c: ATTENTION of few queries, as where a model answers token by token: keys and values are read
 * where they lie, once for each query.
 */
#include <math.h>
#include <stdatomic.h>

#include "across.h"
#include "attention.h"
#include "vmath.h"

/* Multiplications of a chunk for the threads, and scores of a query that are kept on the stack. */
enum { CHUNK_WORK = 1 << 18, NEAR_SCORES = 1024 };

typedef struct job {
    const tern_simd_attention *a;
    atomic_int status;
} job;

static f32v dot(const float *x, const float *y, int64_t n) {
    f32v sum = {0};
    int64_t p = 0;
    for (; p + F32_LANES <= n; p += F32_LANES) sum = f32_fma(f32_load(x + p), f32_load(y + p), sum);
    return p == n ? sum : f32_fma(f32_load_some(x + p, n - p), f32_load_some(y + p, n - p), sum);
}

/* scores[j] = scale q . k[j] for the first `seen` keys, in whole vectors. */
static void score(const tern_simd_attention *a, const float *q, const float *keys, int64_t seen,
                  float *scores) {
    const int64_t step = a->k->strides[2];
    for (int64_t j = 0; j < seen; j += F32_LANES) {
        f32v sums[F32_LANES];
        for (int64_t i = 0; i < F32_LANES; i++)
            sums[i] = j + i < seen ? dot(q, keys + (j + i) * step, a->e) : (f32v){0};
        f32_across_sums(sums, F32_LANES, scores + j);
        f32_store(scores + j, f32_load(scores + j) * a->scale);
    }
}

/* Columns of the result, up to four vectors of them, whose last one has `last` lanes: out = sum of weights[j] v[j],
 * divided by `sum`. Even and odd keys are summed apart, so that sums do not wait for each other. */
SIMD_INLINE void gather(int vectors, int64_t last, const float *values, int64_t step,
                        const float *weights, int64_t seen, float sum, float *out) {
    f32v acc[2][4] = {{{0}}};
    for (int64_t j = 0; j < seen; j++, values += step) {
        f32v weight = f32_set(weights[j]), *own = acc[j % 2];
        SIMD_UNROLL
        for (int v = 0; v < vectors; v++) {
            const float *at = values + v * F32_LANES;
            f32v x = v < vectors - 1 || last == F32_LANES ? f32_load(at) : f32_load_some(at, last);
            own[v] = f32_fma(weight, x, own[v]);
        }
    }
    SIMD_UNROLL
    for (int v = 0; v < vectors; v++)
        f32_store_some(out + v * F32_LANES, (acc[0][v] + acc[1][v]) / sum,
                       v < vectors - 1 ? F32_LANES : last);
}

static void gather_all(const tern_simd_attention *a, const float *values, const float *weights,
                       int64_t seen, float sum, float *out) {
    const int64_t step = a->v->strides[2];
    for (int64_t k = 0; k < a->f; k += 4 * F32_LANES) {
        int64_t left = a->f - k, vectors = (left - 1) / F32_LANES + 1;
        int64_t last = vectors > 4 ? F32_LANES : left - (vectors - 1) * F32_LANES;
        const float *from = values + k;
        switch (vectors) {
        case 1: gather(1, last, from, step, weights, seen, sum, out + k); break;
        case 2: gather(2, last, from, step, weights, seen, sum, out + k); break;
        case 3: gather(3, last, from, step, weights, seen, sum, out + k); break;
        default: gather(4, last, from, step, weights, seen, sum, out + k); break;
        }
    }
}

/* One query; of one that sees nothing the results are 0. */
static void attend(const tern_simd_attention *a, int64_t batch, int64_t head, int64_t i,
                   float *scores) {
    const tern_kit_tensor *out = &a->call->outputs[0], *lse = &a->call->outputs[1];
    const int64_t key_head = head / a->shared;
    const float *q = (const float *)(const void *)tern_simd_head(a->q, batch, head);
    const float *keys = (const float *)(const void *)tern_simd_head(a->k, batch, key_head);
    const float *values = (const float *)(const void *)tern_simd_head(a->v, batch, key_head);
    float *to = (float *)(void *)tern_simd_head(out, batch, head) + i * out->strides[2];
    float *log_sum = (float *)(void *)tern_simd_head(lse, batch, head) + i * lse->strides[2];
    const tern_simd_block block = {batch, head, i, 1, 0, a->s};
    const int64_t seen = tern_simd_visible(a, &block, 0), width = tern_simd_whole(seen);
    float max = -INFINITY;
    score(a, q + i * a->q->strides[2], keys, seen, scores);
    tern_simd_hide(a, &block, 0, scores);
    float sum = tern_simd_weigh(scores, width, width, &max);
    if (max == -INFINITY) {
        for (int64_t k = 0; k < a->f; k++) to[k] = 0;
        *log_sum = 0;
        return;
    }
    gather_all(a, values, scores, seen, sum, to);
    *log_sum = max + f32_log(f32_set(sum))[0];
}

static void queries(void *arg, int64_t begin, int64_t end) {
    job *j = arg;
    const tern_simd_attention *a = j->a;
    float near[NEAR_SCORES] __attribute__((aligned(64)));
    float *scores = a->s <= NEAR_SCORES - F32_LANES
                        ? near
                        : tern_kit_take(a->call, tern_simd_whole(a->s), sizeof *scores);
    if (!scores) {
        atomic_store(&j->status, TERN_BACKEND_OUT_OF_MEMORY);
        return;
    }
    for (int64_t row = begin; row < end; row++)
        attend(a, row / a->l / a->h, row / a->l % a->h, row % a->l, scores);
    if (scores != near) tern_kit_give(a->call, scores);
}

int32_t tern_simd_attend_few(const tern_simd_attention *a) {
    job j = {.a = a};
    if (a->q->strides[3] != 1 || a->k->strides[3] != 1 || a->v->strides[3] != 1)
        return TERN_BACKEND_DECLINED;
    atomic_init(&j.status, TERN_BACKEND_OK);
    int64_t work = a->s * (a->e + a->f), grain = work < CHUNK_WORK ? CHUNK_WORK / work : 1;
    a->call->host->parallel_for(a->b * a->h * a->l, grain, queries, &j);
    return atomic_load(&j.status);
}
