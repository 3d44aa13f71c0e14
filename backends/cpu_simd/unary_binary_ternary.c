/*
 * UNARY, BINARY and TERNARY: which row function serves a launch.
 *
 * float16 and bfloat16 are float32 in the rows, and are rounded once, by the store. What has no row
 * function, and operands whose dtypes are not those that the core gives, go to the kit's kernels.
 */
#include "../cpu_ref/walk.h"
#include "elementwise.h"
#include "kernels.h"

static bool is_half(int32_t dtype) {
    return dtype == TERN_BT_FLOAT16 || dtype == TERN_BT_BFLOAT16;
}

/* The dtype of rows. */
static int32_t row_dtype(int32_t dtype) {
    return is_half(dtype) ? TERN_BT_FLOAT32 : dtype;
}

/* Members that take about as long as their memory. */
static bool is_cheap(int32_t family, int32_t fn) {
    switch (family) {
    case TERN_KERNEL_UNARY:
        return fn < TERN_UNARY_RSQRT || (fn >= TERN_UNARY_FLOOR && fn < TERN_UNARY_SIGMOID) ||
               (fn > TERN_UNARY_SIGMOID && fn < TERN_UNARY_LOG_SIGMOID);
    case TERN_KERNEL_BINARY:
        return fn < TERN_BINARY_DIV_FLOOR || fn == TERN_BINARY_DIV_TRUNC ||
               (fn > TERN_BINARY_POW && fn < TERN_BINARY_ATAN2) || fn == TERN_BINARY_COPYSIGN ||
               (fn > TERN_BINARY_NEXTAFTER && fn < TERN_BINARY_SHIFT_LEFT) ||
               fn == TERN_BINARY_HEAVISIDE;
    default: return true;
    }
}

/* A row function from rows of `in` to those of `out`; NULL where there is none. */
static tern_simd_row find_row(int32_t family, int32_t fn, int32_t in, int32_t out) {
    if (in == out) return tern_simd_row_of(row_dtype(in), family, fn);
    return out == TERN_BT_BOOL ? tern_simd_row_bytes(row_dtype(in), family, fn) : NULL;
}

static void run(const tern_kit_call *call, tern_simd_row row, int32_t fn) {
    bool cheap = is_cheap(call->kernel, fn);
    tern_elementwise work = {row, call->attrs, .operands = call->n_inputs + 1};
    work.grain = cheap ? ELEMENTWISE_GRAIN_CHEAP : ELEMENTWISE_GRAIN_DEAR;
    work.tensor[0] = &call->outputs[0];
    work.row_dtype[0] = row_dtype(call->outputs[0].dtype);
    for (int32_t k = 0; k < call->n_inputs; k++) {
        work.tensor[k + 1] = &call->inputs[k];
        work.row_dtype[k + 1] = row_dtype(call->inputs[k].dtype);
    }
    tern_simd_elementwise(call->host, &work);
}

int32_t tern_simd_unary(const tern_kit_call *call) {
    int32_t fn = ((const tern_unary_attrs *)call->attrs)->fn;
    int32_t in = call->inputs[0].dtype, out = call->outputs[0].dtype;
    tern_simd_row row = find_row(call->kernel, fn, in, out);
    if (!row) return tern_ref_unary(call);
    run(call, row, fn);
    return TERN_BACKEND_OK;
}

int32_t tern_simd_binary(const tern_kit_call *call) {
    int32_t fn = ((const tern_binary_attrs *)call->attrs)->fn;
    int32_t in = call->inputs[0].dtype, out = call->outputs[0].dtype;
    bool same = call->inputs[1].dtype == in;
    /* the next number of a 16-bit type is not that of float32 */
    if (fn == TERN_BINARY_NEXTAFTER && is_half(in)) same = false;
    tern_simd_row row = same ? find_row(call->kernel, fn, in, out) : NULL;
    if (!row) return tern_ref_binary(call);
    run(call, row, fn);
    return TERN_BACKEND_OK;
}

/* WHERE moves elements of any kind; the condition is bool. */
int32_t tern_simd_ternary(const tern_kit_call *call) {
    int32_t fn = ((const tern_ternary_attrs *)call->attrs)->fn;
    int32_t first = call->inputs[0].dtype, in = call->inputs[1].dtype;
    bool same = call->inputs[2].dtype == in && call->outputs[0].dtype == in;
    tern_simd_row row = NULL;
    if (same && fn == TERN_TERNARY_WHERE && first == TERN_BT_BOOL)
        row = tern_simd_row_bytes(row_dtype(in), call->kernel, fn);
    else if (same && fn != TERN_TERNARY_WHERE && first == in)
        row = tern_simd_row_of(row_dtype(in), call->kernel, fn);
    if (!row) return tern_ref_ternary(call);
    run(call, row, fn);
    return TERN_BACKEND_OK;
}
