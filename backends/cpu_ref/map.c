/*
 * MAP: a program of steps over the positions of its operands.
 *
 * The plain loop over the steps: a chunk of positions at a time, each value of the program a row of
 * numbers, each step the member that serves its family too, so that a program gives the bits of its
 * steps one by one.
 */
#include "binary.h"
#include "kernels.h"
#include "kit.h"
#include "numerics/dtype_convert.h"
#include "walk.h"

typedef union row {
    double f[TERN_KIT_CHUNK];
    int64_t i[TERN_KIT_CHUNK];
} row;

/* ---- operands -------------------------------------------------------------------------------- */

static void move(const tern_kit_tensor *tensor, int64_t offset, int64_t stride, int64_t n,
                 bool floating, bool store, int64_t at, row *r) {
    void *element = tern_kit_at(tensor, offset);
    if (floating && store)
        tern_kit_store_f64(tensor->dtype, element, stride, n, r->f + at);
    else if (floating)
        tern_kit_load_f64(tensor->dtype, element, stride, n, r->f + at);
    else if (store)
        tern_kit_store_i64(tensor->dtype, element, stride, n, r->i + at);
    else
        tern_kit_load_i64(tensor->dtype, element, stride, n, r->i + at);
}

/* The element offset of a position in row-major order. */
static int64_t offset_of(const tern_kit_tensor *tensor, int64_t position) {
    int64_t offset = 0;
    for (int32_t d = tensor->rank - 1; d >= 0; d--) {
        offset += position % tensor->shape[d] * tensor->strides[d];
        position /= tensor->shape[d];
    }
    return offset;
}

/* `n` positions from `first` on, loaded into the row or stored from it. */
static void transfer(const tern_kit_tensor *tensor, int64_t first, int64_t n, bool floating,
                     bool store, row *r) {
    if (tern_kit_is_contiguous(tensor)) {
        move(tensor, first, 1, n, floating, store, 0, r);
        return;
    }
    int64_t width = tensor->shape[tensor->rank - 1], stride = tensor->strides[tensor->rank - 1];
    for (int64_t at = 0; at < n;) {
        int64_t piece = width - (first + at) % width;
        if (piece > n - at) piece = n - at;
        move(tensor, offset_of(tensor, first + at), stride, piece, floating, store, at, r);
        at += piece;
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* A step with a number of its own takes it from a row: position by position. */
static void run_with_factor(const tern_map_step *step, int32_t dtype, const row *values, row *out,
                            int64_t n) {
    const double *factor = values[step->source[step->family == TERN_KERNEL_BINARY ? 2 : 3]].f;
    const double *b = values[step->source[1]].f;
    for (int64_t i = 0; i < n; i++) {
        if (step->family == TERN_KERNEL_BINARY) {
            tern_binary_attrs attrs = {step->fn, 0, factor[i], 0};
            tern_ref_binary_floating(&attrs, dtype, out->f + i, b + i, 1);
        } else {
            tern_ternary_attrs attrs = {step->fn, 0, factor[i], 0};
            const double *c = values[step->source[2]].f;
            tern_ref_ternary_floating(&attrs, dtype, out->f + i, b + i, c + i, 1);
        }
    }
}

/* To another dtype, which rounds, and back. */
static void convert(int32_t dtype, row *out, int64_t n) {
    row element;
    tern_kit_store_f64(dtype, &element, 1, n, out->f);
    tern_kit_load_f64(dtype, &element, 1, n, out->f);
}

static void run_floating(const tern_map_step *step, int32_t dtype, const row *values, row *out,
                         int64_t n) {
    const int16_t *source = step->source;
    for (int64_t i = 0; i < n; i++) out->f[i] = values[source[0]].f[i];
    bool binary = step->family == TERN_KERNEL_BINARY;
    if (step->family == TERN_KERNEL_COPY) {
        convert(step->fn, out, n);
    } else if (step->family == TERN_KERNEL_UNARY) {
        tern_ref_unary_floating(step->fn, out->f, n);
    } else if (source[binary ? 2 : 3] >= 0) {
        run_with_factor(step, dtype, values, out, n);
    } else if (binary) {
        tern_binary_attrs attrs = {step->fn, 0, 1, 1};
        tern_ref_binary_floating(&attrs, dtype, out->f, values[source[1]].f, n);
    } else {
        tern_ternary_attrs attrs = {step->fn, 0, 1, 1};
        tern_ref_ternary_floating(&attrs, dtype, out->f, values[source[1]].f, values[source[2]].f,
                                  n);
    }
    if (dtype == TERN_BT_FLOAT32)
        for (int64_t i = 0; i < n; i++) out->f[i] = (double)(float)out->f[i];
}

/* Factors are of no use to integers: a product is a step as exact. */
static void run_integer(const tern_kit_call *call, const tern_map_step *step, const row *values,
                        row *out, int64_t n) {
    const int16_t *source = step->source;
    tern_binary_attrs binary = {step->fn, 0, 1, 1};
    tern_ternary_attrs ternary = {step->fn, 0, 1, 1};
    for (int64_t i = 0; i < n; i++) out->i[i] = values[source[0]].i[i];
    if (step->family == TERN_KERNEL_UNARY)
        tern_ref_unary_integer(step->fn, out->i, n);
    else if (step->family == TERN_KERNEL_BINARY)
        tern_ref_binary_integer(call, &binary, TERN_BT_INT64, out->i, values[source[1]].i, n);
    else
        tern_ref_ternary_integer(&ternary, out->i, values[source[1]].i, values[source[2]].i, n);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void fill_constants(const tern_map_attrs *program, row *values) {
    for (int32_t k = 0; k < program->n_constants; k++) {
        tern_map_constant constant = tern_map_constants(program)[k];
        if (program->compute == TERN_BT_FLOAT32) constant.f = (double)(float)constant.f;
        for (int64_t i = 0; i < TERN_KIT_CHUNK; i++) {
            if (program->compute == TERN_BT_INT64)
                values[k].i[i] = constant.i;
            else
                values[k].f[i] = constant.f;
        }
    }
}

static void run_chunk(const tern_kit_call *call, const tern_map_attrs *program, int64_t first,
                      int64_t n, row *values) {
    bool floating = program->compute != TERN_BT_INT64;
    for (int32_t k = 0; k < program->n_inputs; k++) {
        transfer(&call->inputs[k], first, n, floating, false, &values[k]);
        int32_t dtype = call->inputs[k].dtype;
        bool rounds = dtype == TERN_BT_FLOAT64 || !tern_kit_is_floating(dtype);
        if (rounds && program->compute == TERN_BT_FLOAT32) convert(TERN_BT_FLOAT32, &values[k], n);
    }
    row *out = values + program->n_inputs + program->n_constants;
    for (int32_t k = 0; k < program->n_steps; k++) {
        if (floating)
            run_floating(&tern_map_steps(program)[k], program->compute, values, out + k, n);
        else
            run_integer(call, &tern_map_steps(program)[k], values, out + k, n);
    }
    for (int32_t k = 0; k < program->n_outputs; k++)
        transfer(&call->outputs[k], first, n, floating, true,
                 &values[tern_map_outputs(program)[k]]);
}

/* One tuple. */
int32_t tern_ref_map(const tern_kit_call *call) {
    const tern_map_attrs *program = call->attrs;
    int64_t count = tern_kit_count(&call->outputs[0]);
    int32_t n_values = program->n_inputs + program->n_constants + program->n_steps;
    row *values = tern_kit_take(call, n_values, sizeof *values);
    if (!values) return TERN_BACKEND_OUT_OF_MEMORY;
    fill_constants(program, values + program->n_inputs);
    for (int64_t first = 0; first < count; first += TERN_KIT_CHUNK) {
        int64_t left = count - first;
        run_chunk(call, program, first, left < TERN_KIT_CHUNK ? left : TERN_KIT_CHUNK, values);
    }
    tern_kit_give(call, values);
    return TERN_BACKEND_OK;
}
