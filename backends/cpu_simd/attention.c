/*
 * attention.c: ATTENTION, by blocks of queries; keys go by in blocks, and each query keeps the greatest score
 * so far, the sum of exponentials below it and the sum of values weighted by them.
 *
 * A chunk for the threads is a head, so that results do not depend on them.
 */
#include "attention.h"

#include <math.h>
#include <stdatomic.h>

#include "exp_below.h"
#include "gemm.h"
#include "vmath.h"

enum { QUERIES = TERN_SIMD_QUERIES, KEYS = TERN_SIMD_KEYS };

typedef struct job {
    const tern_simd_attention *a;
    atomic_int status;
} job;

/* Of a head: packed keys and values, and of the block at hand all else. */
typedef struct scratch {
    float *keys, *values, *queries, *scores, *out;
    /* of each query: the greatest score, the one before this block of keys, the sum, the block's share of it */
    float max[QUERIES], before[QUERIES], sum[QUERIES], share[QUERIES];
} scratch;

static float *take(const tern_simd_attention *a, scratch *s) {
    int64_t keys = tern_simd_packed_f32(a->s, a->e), values = tern_simd_packed_f32(a->f, a->s);
    float *memory = tern_kit_take(
        a->call, keys + values + QUERIES * (a->e + KEYS + a->f) + F32_LANES, sizeof(float));
    s->keys = memory;
    if (!memory) return NULL;
    s->values = s->keys + keys;
    s->queries = s->values + values;
    s->scores = s->queries + QUERIES * a->e;
    s->out = s->scores + (ptrdiff_t)QUERIES * KEYS;
    return memory;
}

/* What was summed below a smaller maximum is made smaller: `before` becomes the factor of each query. */
static void settle(scratch *s, int64_t rows) {
    for (int64_t row = 0; row < rows; row += F32_LANES) {
        f32v before = f32_load(s->before + row), now = f32_load(s->max + row);
        f32v factor = f32_exp_below(before - now) * (1 / F32_BELOW_SCALE);
        factor = f32_select(before == now, f32_set(1), factor); /* both may be infinite */
        f32_store(s->before + row, factor);
        f32_store(s->sum + row, f32_fma(f32_load(s->sum + row), factor, f32_load(s->share + row)));
    }
}

static void rescale(float *row, int64_t n, float factor) {
    for (int64_t k = 0; k < n; k++) row[k] *= factor;
}

/* The queries of a block meet the keys of one. */
static void meet(const tern_simd_attention *a, const tern_simd_block *block, scratch *s) {
    int64_t width = tern_simd_whole(block->keys);
    bool first = block->j == 0;
    tern_simd_scores(a, block, s->queries, s->keys, s->scores);
    memcpy(s->before, s->max, sizeof s->before);
    for (int64_t row = 0; row < block->rows; row++) {
        int64_t seen = tern_simd_whole(tern_simd_visible(a, block, row));
        s->share[row] = tern_simd_weigh(s->scores + row * KEYS, seen, width, &s->max[row]);
    }
    settle(s, block->rows);
    for (int64_t row = 0; row < block->rows && !first; row++)
        if (s->before[row] != 1) rescale(s->out + row * a->f, a->f, s->before[row]);
    const tern_simd_sink sink = tern_simd_sums_to(s->out, a->f, 1, !first);
    tern_simd_block_f32(block->rows, a->f, block->keys, s->scores, KEYS, 1,
                        s->values + block->j * TERN_SIMD_PANEL_F32, TERN_SIMD_PANEL_F32 * a->s,
                        TERN_SIMD_PANEL_F32, &sink);
}

/* The sums become the results of the block's queries; of one that sees nothing they are 0. */
static void finish(const tern_simd_attention *a, const tern_simd_block *block, scratch *s) {
    const tern_kit_tensor *out = &a->call->outputs[0], *lse = &a->call->outputs[1];
    float *to = (float *)(void *)tern_simd_head(out, block->batch, block->head);
    float *log_sum = (float *)(void *)tern_simd_head(lse, block->batch, block->head);
    for (int64_t row = 0; row < block->rows; row += F32_LANES) {
        f32v max = f32_load(s->max + row), value = max + f32_log(f32_load(s->sum + row));
        f32_store(s->share + row, f32_select(max == f32_set(-INFINITY), f32_set(0), value));
    }
    for (int64_t row = 0; row < block->rows; row++) {
        int64_t i = block->i + row;
        bool gives = s->max[row] != -INFINITY;
        float *own = to + i * out->strides[2], sum = gives ? s->sum[row] : 1;
        for (int64_t k = 0; k < a->f; k++) own[k] = gives ? s->out[row * a->f + k] / sum : 0;
        log_sum[i * lse->strides[2]] = s->share[row];
    }
}

static void attend(const tern_simd_attention *a, int64_t batch, int64_t head, scratch *s) {
    const tern_kit_tensor *q = a->q;
    tern_simd_pack_head(a->k, batch, head / a->shared, false, s->keys);
    tern_simd_pack_head(a->v, batch, head / a->shared, true, s->values);
    int64_t most = tern_simd_block_queries(a);
    for (int64_t i = 0; i < a->l; i += most) {
        tern_simd_block block = {batch, head, i, a->l - i < most ? a->l - i : most, 0, 0};
        const char *from =
            tern_simd_head(q, batch, head) + i * q->strides[2] * (int64_t)sizeof(float);
        tern_simd_pack_rows_f32(block.rows, a->e, from, q->strides[2], q->strides[3], s->queries);
        for (int64_t row = 0; row < QUERIES; row++) s->max[row] = -INFINITY, s->sum[row] = 0;
        int64_t end = tern_simd_last_key(a, i, block.rows);
        for (; block.j < end; block.j += KEYS) {
            block.keys = end - block.j < KEYS ? end - block.j : KEYS;
            meet(a, &block, s);
        }
        finish(a, &block, s);
    }
}

static void heads(void *arg, int64_t begin, int64_t end) {
    job *j = arg;
    scratch s;
    float *memory = take(j->a, &s);
    if (!memory) {
        atomic_store(&j->status, TERN_BACKEND_OUT_OF_MEMORY);
        return;
    }
    for (int64_t head = begin; head < end; head++) attend(j->a, head / j->a->h, head % j->a->h, &s);
    tern_kit_give(j->a->call, memory);
}

int32_t tern_simd_attend(const tern_kit_call *call) {
    tern_simd_attention a;
    if (!tern_simd_attention_read(call, 0, &a)) return TERN_BACKEND_DECLINED;
    if (a.l < TERN_SIMD_FEW_QUERIES) return tern_simd_attend_few(&a);
    job j = {.a = &a};
    atomic_init(&j.status, TERN_BACKEND_OK);
    call->host->parallel_for(a.b * a.h, 1, heads, &j);
    return atomic_load(&j.status);
}
