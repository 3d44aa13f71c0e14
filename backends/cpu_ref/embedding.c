/*
 * EMBEDDING_GRAD: out[r, j] = sum over the n with index[n] = r of g[n, j], 0 in the row of padding,
 * divided, where that is asked for, by the number of those n.
 *
 * Sums run over n in order, in double for float64 and else in float32, and round once, at the end.
 */
#include <string.h>

#include "kernels.h"
#include "walk.h"

/* sums[j] += g[n, j], rounded to float32 where `narrow`. */
static void add_row(const tern_kit_tensor *g, int64_t n, bool narrow, double *sums) {
    double row[TERN_KIT_CHUNK];
    int64_t width = g->shape[1], step = g->strides[1];
    for (int64_t j = 0; j < width; j += TERN_KIT_CHUNK) {
        int64_t some = width - j < TERN_KIT_CHUNK ? width - j : TERN_KIT_CHUNK;
        tern_kit_load_f64(g->dtype, tern_kit_at(g, n * g->strides[0] + j * step), step, some, row);
        for (int64_t i = 0; i < some; i++) {
            double sum = sums[j + i] + row[i];
            sums[j + i] = narrow ? (double)(float)sum : sum;
        }
    }
}

int32_t tern_ref_embedding_grad(const tern_kit_call *call) {
    const tern_kit_tensor *g = &call->inputs[0], *index = &call->inputs[1];
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_embedding_grad_attrs *attrs = call->attrs;
    int64_t rows = out->shape[0], width = out->shape[1];
    bool narrow = out->dtype != TERN_BT_FLOAT64;
    /* the sums, [rows, width], and how often each row is named */
    double *sums = tern_kit_take(call, rows * (width + 1), sizeof *sums);
    if (!sums) return TERN_BACKEND_OUT_OF_MEMORY;
    double *counts = sums + rows * width;
    memset(sums, 0, (size_t)(rows * (width + 1)) * sizeof *sums);
    for (int64_t n = 0; n < index->shape[0]; n++) {
        int64_t row;
        tern_kit_load_i64(index->dtype, tern_kit_at(index, n * index->strides[0]), 1, 1, &row);
        if (row < 0 || row >= rows) {
            tern_kit_bad_slice(call, row, 0, rows);
        } else if (row != attrs->padding) {
            add_row(g, n, narrow, sums + row * width);
            counts[row]++;
        }
    }
    for (int64_t row = 0; row < rows; row++) {
        double *sum = sums + row * width, count = counts[row];
        for (int64_t j = 0; attrs->by_frequency && count > 0 && j < width; j++)
            sum[j] = narrow ? (double)((float)sum[j] / (float)count) : sum[j] / count;
        tern_kit_store_f64(out->dtype, tern_kit_at(out, row * out->strides[0]), out->strides[1],
                           width, sum);
    }
    tern_kit_give(call, sums);
    return TERN_BACKEND_OK;
}
