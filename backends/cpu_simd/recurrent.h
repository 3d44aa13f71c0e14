/*
 * recurrent.h: RECURRENT and RECURRENT_GRAD in float32. The formulas are those of tern/backend_fused.h.
 *
 * What needs no step before it is one product over all steps. The rest goes row by row of the batch: rows do
 * not meet, so each thread takes some of them through the whole sequence, with the hidden weights packed
 * once.
 */
#ifndef TERN_CPU_SIMD_RECURRENT_H
#define TERN_CPU_SIMD_RECURRENT_H

#include "gemm.h"
#include "kernels.h"

typedef struct tern_simd_layer {
    const tern_kit_call *call;
    int32_t fn; /* TERN_RECURRENT_* */
    bool biased, reverse;
    int64_t t, n, i, h; /* steps, rows, inputs, hidden units */
    int64_t gates;      /* numbers of a row of w x: so many times h */
    int64_t kept;       /* numbers that a row keeps for the gradient */
} tern_simd_layer;

/* Sizes from x and h0; false for what these kernels do not take. */
bool tern_simd_layer_read(const tern_kit_call *call, const tern_kit_tensor *x,
                          const tern_kit_tensor *h0, tern_simd_layer *out);

/* Rows of the batch that go through the sequence together: each thread's, within what pays. More than three tiles
 * would not stay in the first cache; fewer than 8 rows do not hide how long the weights take from the second. */
static inline int64_t tern_simd_batch_rows(const tern_simd_layer *l) {
    const int64_t threads = l->call->host->thread_count(), most = 3 * TERN_SIMD_ROWS;
    const int64_t rows = (l->n + threads - 1) / threads;
    const double work = (double)rows * (double)l->t * (double)l->h * (double)l->gates;
    if (rows >= most || work < (double)TERN_SIMD_THREAD_WORK) return most;
    return rows < 8 ? 8 : rows;
}

/* The first row of a step, counted in the order that the layer goes. */
static inline int64_t tern_simd_step_row(const tern_simd_layer *l, int64_t step) {
    return (l->reverse ? l->t - 1 - step : step) * l->n;
}

/* The numbers of a tensor without gaps: its own, or a copy that *out_copy owns (tern_kit_give). NULL
 * without memory. */
const float *tern_simd_dense(const tern_kit_call *call, const tern_kit_tensor *tensor,
                             void **out_copy);

/* ---- units: `h` of them in a row ------------------------------------------------------------- */

/* The gates' sums become the gates. LSTM: kept is i, f, g, o; reads c before, writes c and y. */
void tern_simd_lstm(int64_t h, float *kept, const float *before, float *c, float *y);

/* kept comes as the sums of r and z, a2 and m, and becomes r, z, q, m. */
void tern_simd_gru(int64_t h, float *kept, const float *before, float *y);

void tern_simd_rnn(int32_t fn, int64_t h, float *y);

/* What a row of units gives back. dh and dy are the gradients of y from the step after and from outside;
 * da and dm of the gates' two parts. dc becomes that of the step before; carried is what GRU's dh gets
 * beside the product. */
typedef struct tern_simd_back {
    const float *dh, *dy, *y, *kept, *cells, *before;
    float *da, *dm, *dc, *carried;
} tern_simd_back;
void tern_simd_lstm_back(int64_t h, const tern_simd_back *b);
void tern_simd_gru_back(int64_t h, const tern_simd_back *b);
void tern_simd_rnn_back(int32_t fn, int64_t h, const tern_simd_back *b);

#endif
