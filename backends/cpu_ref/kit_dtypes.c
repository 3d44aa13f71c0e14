#include "kit_dtypes.h"

#include "walk.h"

bool tern_kit_knows_dtypes(const tern_kernel_query *query) {
    for (int32_t i = 0; i < query->n_inputs; i++) {
        if (query->input_dtypes[i] < 0 || query->input_dtypes[i] >= TERN_BT_COUNT) return false;
    }
    for (int32_t i = 0; i < query->n_outputs; i++) {
        if (query->output_dtypes[i] < 0 || query->output_dtypes[i] >= TERN_BT_COUNT) return false;
    }
    return true;
}

/* The floating dtype that a product, a reduction or a softmax may write instead of its own. */
static bool is_wider(int32_t wide, int32_t dtype) {
    bool narrow = dtype == TERN_BT_FLOAT16 || dtype == TERN_BT_BFLOAT16;
    return (wide == TERN_BT_FLOAT32 && narrow) ||
           (wide == TERN_BT_FLOAT64 && dtype == TERN_BT_FLOAT32);
}

/* Of a norm the statistics, which come after the output, or before the weight, are wide. */
static bool norm_dtypes_fit(const tern_kernel_query *query) {
    int32_t own = query->input_dtypes[0], wide = tern_kit_wide(own);
    bool forward = query->kernel == TERN_KERNEL_NORM, fits = true;
    int32_t weight = query->fn == TERN_NORM_RMS ? 3 : 4;
    for (int32_t i = 0; i < query->n_inputs; i++)
        fits = fits && query->input_dtypes[i] == (forward || i < 2 || i >= weight ? own : wide);
    for (int32_t i = 0; i < query->n_outputs; i++)
        fits = fits && query->output_dtypes[i] == (forward && i > 0 ? wide : own);
    return fits;
}

static bool reduction_fits(int32_t fn, int32_t in, int32_t out) {
    switch (fn) {
    case TERN_REDUCE_ARGMAX:
    case TERN_REDUCE_ARGMIN: return out == TERN_BT_INT64;
    case TERN_REDUCE_ANY:
    case TERN_REDUCE_ALL: return out == TERN_BT_BOOL;
    default: return out == in || is_wider(out, in);
    }
}

/* x at `at` and the target behind it; the loss or its gradient has x's dtype, the other outputs, and what
 * comes between the target and the weights, that of statistics. */
static bool cross_entropy_fits(const tern_kernel_query *query, int32_t at) {
    const int32_t *in = query->input_dtypes, *out = query->output_dtypes;
    int32_t x = in[at], statistics = x == TERN_BT_FLOAT64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32;
    bool fits = in[0] == x && out[0] == x;
    fits = fits && in[at + 1] == (query->fn == TERN_CROSS_ENTROPY_INDEX ? TERN_BT_INT64 : x);
    for (int32_t i = 1; i < query->n_outputs; i++) fits = fits && out[i] == statistics;
    for (int32_t i = at + 2; i < query->n_inputs; i++)
        fits = fits && in[i] == (at > 0 && i < 6 ? statistics : x);
    return fits;
}

bool tern_kit_dtypes_fit(const tern_kernel_query *query) {
    const int32_t *in = query->input_dtypes, out = query->output_dtypes[0];
    switch (query->kernel) {
    case TERN_KERNEL_MATMUL:
        if (in[0] != in[1] || (query->n_inputs > 2 && in[2] != out)) return false;
        return out == in[0] || is_wider(out, in[0]);
    case TERN_KERNEL_REDUCE_LIST:
    case TERN_KERNEL_REDUCE: return reduction_fits(query->fn, in[0], out);
    case TERN_KERNEL_SOFTMAX:
    case TERN_KERNEL_LOG_SOFTMAX: return out == in[0] || is_wider(out, in[0]);
    case TERN_KERNEL_SOFTMAX_GRAD:
    case TERN_KERNEL_LOG_SOFTMAX_GRAD:
        return in[0] == in[1] && (out == in[0] || is_wider(in[0], out));
    case TERN_KERNEL_NORM:
    case TERN_KERNEL_NORM_GRAD: return norm_dtypes_fit(query);
    case TERN_KERNEL_CROSS_ENTROPY: return cross_entropy_fits(query, 0);
    case TERN_KERNEL_CROSS_ENTROPY_GRAD: return cross_entropy_fits(query, 1);
    default: return true;
    }
}
