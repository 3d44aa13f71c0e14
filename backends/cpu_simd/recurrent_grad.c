/*
 * recurrent_grad.c: RECURRENT_GRAD: rows of the batch go back through the sequence, and leave the gradients of
 * the gates; what is summed over steps and rows follows as products.
 */
#include "../cpu_ref/walk.h"
#include "recurrent.h"

/* dm is da but for GRU; where a layer has no cells, dc is the room of what is carried. */
typedef struct backward {
    tern_simd_layer l;
    const float *x, *h0, *c0, *y, *kept, *cells, *dy; /* without gaps */
    const float *hidden;                              /* u packed by its columns */
    float *da, *dm, *dh, *dc;                         /* of all steps; of the step at hand */
} backward;

enum { DENSE = 7 };

/* ---- through the sequence -------------------------------------------------------------------- */

static void row_back(const backward *b, int64_t row, int64_t before, bool first, int64_t own) {
    const tern_simd_layer *l = &b->l;
    const float *h = first ? b->h0 : b->y, *c = first ? b->c0 : b->cells;
    const tern_simd_back all = {.dh = b->dh + own * l->h,
                                .dy = b->dy + row * l->h,
                                .y = b->y + row * l->h,
                                .kept = b->kept + row * l->kept,
                                .cells = b->cells ? b->cells + row * l->h : NULL,
                                .before = (b->cells ? c : h) + before * l->h,
                                .da = b->da + row * l->gates,
                                .dm = b->dm + row * l->gates,
                                .dc = b->dc + own * l->h,
                                .carried = b->dc + own * l->h};
    if (l->fn == TERN_RECURRENT_LSTM)
        tern_simd_lstm_back(l->h, &all);
    else if (l->fn == TERN_RECURRENT_GRU)
        tern_simd_gru_back(l->h, &all);
    else
        tern_simd_rnn_back(l->fn, l->h, &all);
}

static void run_rows(void *arg, int64_t begin, int64_t end) {
    const backward *b = arg;
    const tern_simd_layer *l = &b->l;
    bool gru = l->fn == TERN_RECURRENT_GRU;
    for (int64_t s = l->t - 1; s >= 0; s--) {
        int64_t at = tern_simd_step_row(l, s), before = s ? tern_simd_step_row(l, s - 1) : 0;
        for (int64_t own = begin; own < end; own++)
            row_back(b, at + own, before + own, s == 0, own);
        /* dh = dm u, and what GRU carries */
        tern_simd_sink sink = tern_simd_sums_to(b->dh + begin * l->h, l->h, 1, false);
        if (gru) sink.c = b->dc + begin * l->h;
        tern_simd_block_f32(end - begin, l->h, l->gates, b->dm + (at + begin) * l->gates, l->gates,
                            1, b->hidden, l->gates * TERN_SIMD_PANEL_F32, TERN_SIMD_PANEL_F32,
                            &sink);
    }
}

/* ---- over all steps -------------------------------------------------------------------------- */

/* What is written goes through the product's description, which clang-tidy does not see. */
/* NOLINTBEGIN(readability-non-const-parameter) */
/* out = a^T x, or more of it where it adds; all are rows without gaps, k of them in a and x. */
static int32_t multiply(const backward *b, int64_t m, int64_t n, int64_t k, const float *a,
                        const float *x, bool adds, float *out) {
    tern_simd_product p = tern_simd_product_f32(m, n, k);
    p.a = a;
    p.rs_a = 1;
    p.cs_a = m;
    p.b = x;
    p.c = adds ? out : NULL;
    p.out = out;
    return tern_simd_gemm(b->l.call, &p);
}

/* dx = da w */
static int32_t gradient_of_x(const backward *b, const tern_kit_tensor *w, float *dx) {
    const tern_simd_layer *l = &b->l;
    tern_simd_product p = tern_simd_product_f32(l->t * l->n, l->i, l->gates);
    p.a = b->da;
    p.b = w->data;
    p.rs_b = w->strides[0];
    p.cs_b = w->strides[1];
    p.out = dx;
    return tern_simd_gemm(l->call, &p);
}
/* NOLINTEND(readability-non-const-parameter) */

/* du = sum(dm h^T): of the first step by h0, of the others by the y before them. */
static int32_t gradient_of_u(const backward *b, float *du) {
    const tern_simd_layer *l = &b->l;
    int64_t later = (l->t - 1) * l->n;
    int64_t from = l->reverse ? 0 : l->n, before = l->reverse ? l->n : 0;
    int32_t status = multiply(b, l->gates, l->h, l->n, b->dm + tern_simd_step_row(l, 0) * l->gates,
                              b->h0, false, du);
    if (status != TERN_BACKEND_OK || later == 0) return status;
    return multiply(b, l->gates, l->h, later, b->dm + from * l->gates, b->y + before * l->h, true,
                    du);
}

static void sum_rows(const backward *b, const float *rows, float *out) {
    int64_t count = b->l.t * b->l.n, width = b->l.gates;
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t row = 0; row < count; row++)
        for (int64_t k = 0; k < width; k++) out[k] += rows[row * width + k];
}

/* Outputs: dx, dh0, for LSTM dc0, dw, du and, where it is biased, db and dd. */
static int32_t run_sums(const backward *b, const tern_kit_tensor *w, const tern_kit_tensor *out) {
    const tern_simd_layer *l = &b->l;
    bool lstm = l->fn == TERN_RECURRENT_LSTM;
    size_t state = (size_t)(l->n * l->h) * sizeof(float);
    float *to[7];
    for (int32_t k = 0, at = 0; k < l->call->n_outputs; k++, at++) {
        if (at == 2 && !lstm) at++;
        to[at] = (float *)(void *)out[k].data;
    }
    memcpy(to[1], b->dh, state);
    if (lstm) memcpy(to[2], b->dc, state);
    int32_t status = gradient_of_x(b, w, to[0]);
    if (status == TERN_BACKEND_OK)
        status = multiply(b, l->gates, l->i, l->t * l->n, b->da, b->x, false, to[3]);
    if (status == TERN_BACKEND_OK) status = gradient_of_u(b, to[4]);
    if (l->biased) sum_rows(b, b->da, to[5]);
    if (l->biased) sum_rows(b, b->dm, to[6]);
    return status;
}

/* ---- the launch ------------------------------------------------------------------------------ */

/* The gradients of the last states begin what goes back. */
static bool load_states(backward *b, const tern_kit_tensor *dh, const tern_kit_tensor *dc) {
    size_t bytes = (size_t)(b->l.n * b->l.h) * sizeof(float);
    void *copies[2];
    const float *h = tern_simd_dense(b->l.call, dh, &copies[0]);
    const float *c = dc ? tern_simd_dense(b->l.call, dc, &copies[1]) : h;
    if (h && c) {
        memcpy(b->dh, h, bytes);
        memcpy(b->dc, c, bytes);
    }
    tern_kit_give(b->l.call, copies[0]);
    if (dc) tern_kit_give(b->l.call, copies[1]);
    return h && c;
}

static int32_t run_layer(backward *b, const tern_kit_tensor *dh, const tern_kit_tensor *dc,
                         const tern_kit_tensor *w, const tern_kit_tensor *u) {
    const tern_simd_layer *l = &b->l;
    int64_t hidden = tern_simd_packed_f32(l->h, l->gates), state = l->n * l->h;
    int64_t all = l->t * l->n * l->gates, parts = l->fn == TERN_RECURRENT_GRU ? 2 : 1;
    float *memory = tern_kit_take(l->call, hidden + 2 * state + parts * all, sizeof(float));
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    b->hidden = memory;
    b->dh = memory + hidden;
    b->dc = b->dh + state;
    b->da = b->dc + state;
    b->dm = b->da + (parts - 1) * all;
    int32_t status = TERN_BACKEND_OUT_OF_MEMORY;
    tern_simd_pack_columns_f32(l->h, l->gates, u->data, u->strides[1], u->strides[0], memory);
    if (load_states(b, dh, dc)) {
        l->call->host->parallel_for(l->n, tern_simd_batch_rows(l), run_rows, b);
        status = run_sums(b, w, l->call->outputs);
    }
    tern_kit_give(l->call, memory);
    return status;
}

int32_t tern_simd_recurrent_grad(const tern_kit_call *call) {
    const tern_kit_tensor *in = call->inputs;
    const tern_recurrent_attrs *attrs = call->attrs;
    bool lstm = attrs->fn == TERN_RECURRENT_LSTM, keeps = lstm || attrs->fn == TERN_RECURRENT_GRU;
    const tern_kit_tensor *x = in + (lstm ? 3 : 2), *w = x + (lstm ? 3 : 2);
    void *copies[DENSE] = {NULL};
    backward b = {.x = NULL};
    if (!tern_simd_layer_read(call, x, x + 1, &b.l)) return TERN_BACKEND_DECLINED;
    b.dy = tern_simd_dense(call, &in[0], &copies[0]);
    b.x = tern_simd_dense(call, x, &copies[1]);
    b.h0 = tern_simd_dense(call, x + 1, &copies[2]);
    b.c0 = lstm ? tern_simd_dense(call, x + 2, &copies[3]) : b.h0;
    b.y = tern_simd_dense(call, w + 2, &copies[4]);
    b.kept = keeps ? tern_simd_dense(call, w + 3, &copies[5]) : b.y;
    b.cells = lstm ? tern_simd_dense(call, w + 4, &copies[6]) : NULL;
    bool there = b.dy && b.x && b.h0 && b.c0 && b.y && b.kept && (b.cells || !lstm);
    int32_t status =
        there ? run_layer(&b, &in[1], lstm ? &in[2] : NULL, w, w + 1) : TERN_BACKEND_OUT_OF_MEMORY;
    for (int k = 0; k < DENSE; k++) tern_kit_give(call, copies[k]);
    return status;
}
