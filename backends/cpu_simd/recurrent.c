/* recurrent.c: RECURRENT, and what its gradient shares with it. */
#include "recurrent.h"

#include "../cpu_ref/walk.h"

bool tern_simd_layer_read(const tern_kit_call *call, const tern_kit_tensor *x,
                          const tern_kit_tensor *h0, tern_simd_layer *out) {
    static const int8_t gates[] = {[TERN_RECURRENT_LSTM] = 4,
                                   [TERN_RECURRENT_GRU] = 3,
                                   [TERN_RECURRENT_TANH] = 1,
                                   [TERN_RECURRENT_RELU] = 1};
    const tern_recurrent_attrs *attrs = call->attrs;
    bool keeps = attrs->fn == TERN_RECURRENT_LSTM || attrs->fn == TERN_RECURRENT_GRU;
    *out = (tern_simd_layer){.call = call,
                             .fn = attrs->fn,
                             .biased = attrs->biased != 0,
                             .reverse = attrs->reverse != 0,
                             .t = x->shape[0],
                             .n = x->shape[1],
                             .i = x->shape[2],
                             .h = h0->shape[1]};
    out->gates = gates[attrs->fn] * out->h;
    out->kept = keeps ? 4 * out->h : out->h;
    for (int32_t k = 0; k < call->n_outputs; k++)
        if (!tern_kit_is_contiguous(&call->outputs[k])) return false;
    return x->dtype == TERN_BT_FLOAT32;
}

const float *tern_simd_dense(const tern_kit_call *call, const tern_kit_tensor *tensor,
                             void **out_copy) {
    int64_t strides[TERN_BACKEND_MAX_RANK];
    *out_copy = NULL;
    if (tern_kit_is_contiguous(tensor)) return (const float *)(const void *)tensor->data;
    const int64_t count = tern_kit_row_major(tensor, strides);
    *out_copy = tern_kit_take(call, count, sizeof(float));
    if (!*out_copy) return NULL;
    const tern_kit_tensor own = {.data = *out_copy,
                                 .dtype = tensor->dtype,
                                 .rank = tensor->rank,
                                 .shape = tensor->shape,
                                 .strides = strides};
    tern_kit_call copy = *call;
    copy.inputs = tensor;
    copy.outputs = &own;
    tern_simd_copy(&copy);
    return *out_copy;
}

/* ---- RECURRENT ------------------------------------------------------------------------------- */

/* y, and what is kept of a row: the sums of the gates go where the gates do, those of a plain unit to y. */
typedef struct forward {
    tern_simd_layer l;
    const float *h0, *c0;
    const float *hidden;    /* u packed as columns: the gates, of GRU r and z alone */
    const float *candidate; /* of GRU the third of them */
    const float *m_bias;    /* of GRU, d of the candidate; NULL */
    float *y, *kept, *cells;
} forward;

/* What is written goes through the product's description, which clang-tidy does not see. */
/* NOLINTBEGIN(readability-non-const-parameter) */
/* sums [rows, width] += h u, or h u and a bias that all rows share. */
static void add_hidden(const forward *f, int64_t rows, const float *h, const float *packed,
                       int64_t width, const float *bias, bool adds, float *sums) {
    tern_simd_sink sink = tern_simd_sums_to(sums, f->l.kept, 1, adds);
    if (!adds) {
        sink.c = bias;
        sink.rs_c = 0;
    }
    tern_simd_block_f32(rows, width, f->l.h, h, f->l.h, 1, packed, f->l.h * TERN_SIMD_PANEL_F32,
                        TERN_SIMD_PANEL_F32, &sink);
}
/* NOLINTEND(readability-non-const-parameter) */

/* Rows begin to end of the batch, at one step. */
static void step(const forward *f, int64_t step, int64_t begin, int64_t end) {
    const tern_simd_layer *l = &f->l;
    int64_t first = tern_simd_step_row(l, step) + begin, rows = end - begin, h = l->h;
    int64_t last = step ? tern_simd_step_row(l, step - 1) + begin : begin;
    const float *before = (step ? f->y : f->h0) + last * h;
    float *kept = f->kept + first * l->kept;
    bool gru = l->fn == TERN_RECURRENT_GRU, lstm = l->fn == TERN_RECURRENT_LSTM;
    add_hidden(f, rows, before, f->hidden, gru ? 2 * h : l->gates, NULL, true, kept);
    if (gru) add_hidden(f, rows, before, f->candidate, h, f->m_bias, false, kept + 3 * h);
    if (lstm) before = (step ? f->cells : f->c0) + last * h;
    for (int64_t row = 0; row < rows; row++, kept += l->kept, before += h) {
        float *y = f->y + (first + row) * h;
        if (lstm)
            tern_simd_lstm(h, kept, before, f->cells + (first + row) * h, y);
        else if (gru)
            tern_simd_gru(h, kept, before, y);
        else
            tern_simd_rnn(l->fn, h, y);
    }
}

static void run_rows(void *arg, int64_t begin, int64_t end) {
    const forward *f = arg;
    for (int64_t s = 0; s < f->l.t; s++) step(f, s, begin, end);
}

/* b, and d of those gates whose two parts are added before anything else; behind them GRU's other d. */
static void join_biases(const tern_simd_layer *l, const tern_kit_tensor *b, float *out) {
    bool gru = l->fn == TERN_RECURRENT_GRU;
    int64_t joined = gru ? 2 * l->h : l->gates;
    const float *of_x = (const float *)(const void *)b[0].data;
    const float *of_h = (const float *)(const void *)b[1].data;
    for (int64_t k = 0; k < l->gates; k++) {
        float d = of_h[k * b[1].strides[0]];
        out[k] = of_x[k * b[0].strides[0]] + (k < joined ? d : 0);
        if (k >= joined) out[l->gates + k - joined] = d;
    }
}

/* w x of all steps, and the biases. */
static int32_t project(const forward *f, const float *x, const tern_kit_tensor *w,
                       const float *bias) {
    const tern_simd_layer *l = &f->l;
    tern_simd_product p = tern_simd_product_f32(l->t * l->n, l->gates, l->i);
    p.a = x;
    p.b = w->data;
    p.rs_b = w->strides[1];
    p.cs_b = w->strides[0];
    p.c = bias;
    p.rs_c = 0; /* the same for all rows */
    p.out = f->kept;
    p.rs_out = l->kept;
    return tern_simd_gemm(l->call, &p);
}

static void pack(const tern_kit_tensor *u, int64_t first, int64_t count, float *to) {
    const char *from = u->data + first * u->strides[0] * (int64_t)sizeof(float);
    tern_simd_pack_columns_f32(count, u->shape[1], from, u->strides[0], u->strides[1], to);
}

/* Operands behind the states: w, u and, where there are, b and d. */
static int32_t run_layer(forward *f, const float *x, const tern_kit_tensor *weights) {
    const tern_simd_layer *l = &f->l;
    bool gru = l->fn == TERN_RECURRENT_GRU;
    int64_t joined = gru ? 2 * l->h : l->gates, hidden = tern_simd_packed_f32(joined, l->h);
    int64_t candidate = gru ? tern_simd_packed_f32(l->h, l->h) : 0;
    float *memory = tern_kit_take(l->call, hidden + candidate + l->gates + l->h, sizeof(float));
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    float *bias = memory + hidden + candidate;
    pack(&weights[1], 0, joined, memory);
    if (gru) pack(&weights[1], joined, l->h, memory + hidden);
    if (l->biased) join_biases(l, weights + 2, bias);
    f->hidden = memory;
    f->candidate = memory + hidden;
    f->m_bias = l->biased ? bias + l->gates : NULL;
    int32_t status = project(f, x, weights, l->biased ? bias : NULL);
    if (status == TERN_BACKEND_OK)
        l->call->host->parallel_for(l->n, tern_simd_batch_rows(l), run_rows, f);
    tern_kit_give(l->call, memory);
    return status;
}

int32_t tern_simd_recurrent(const tern_kit_call *call) {
    const tern_kit_tensor *in = call->inputs, *out = call->outputs;
    void *copies[3] = {NULL};
    forward f;
    if (!tern_simd_layer_read(call, &in[0], &in[1], &f.l)) return TERN_BACKEND_DECLINED;
    bool lstm = f.l.fn == TERN_RECURRENT_LSTM;
    const float *x = tern_simd_dense(call, &in[0], &copies[0]);
    f.h0 = tern_simd_dense(call, &in[1], &copies[1]);
    f.c0 = lstm ? tern_simd_dense(call, &in[2], &copies[2]) : f.h0;
    f.y = (float *)(void *)out[0].data;
    f.kept = call->n_outputs > 1 ? (float *)(void *)out[1].data : f.y;
    f.cells = lstm ? (float *)(void *)out[2].data : NULL;
    int32_t status =
        x && f.h0 && f.c0 ? run_layer(&f, x, in + (lstm ? 3 : 2)) : TERN_BACKEND_OUT_OF_MEMORY;
    for (int k = 0; k < 3; k++) tern_kit_give(call, copies[k]);
    return status;
}
