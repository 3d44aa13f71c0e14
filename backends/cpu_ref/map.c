/*
 * MAP: a program of steps over the positions of its operands.
 *
 * The plain loop over the steps: a chunk of positions at a time, each value of the program a row of
 * numbers, each step the member that serves its family too, so that a program gives the bits of its
 * steps one by one.
 */
#include <string.h>

#include "binary.h"
#include "kernels.h"
#include "kit.h"
#include "numerics/dtype_convert.h"
#include "walk.h"

/* A line longer than a chunk: rows that are a power of two apart hold each other up. */
typedef union row {
    double f[TERN_KIT_CHUNK + 8];
    int64_t i[TERN_KIT_CHUNK + 8];
} row;

/* ---- operands -------------------------------------------------------------------------------- */

/* An operand as rows that lie at one distance each: its innermost dimensions, merged where they are one. */
typedef struct lane {
    const tern_kit_tensor *tensor;
    int64_t width, stride; /* of a row, in elements */
    int32_t outer;         /* dimensions before it */
} lane;

static lane lane_of(const tern_kit_tensor *tensor) {
    lane out = {tensor, 1, 0, tensor->rank};
    for (; out.outer > 0; out.outer--) {
        int64_t size = tensor->shape[out.outer - 1], stride = tensor->strides[out.outer - 1];
        if (size == 1) continue;
        if (out.width > 1 && stride != out.width * out.stride) break;
        if (out.width == 1) out.stride = stride;
        out.width *= size;
    }
    return out;
}

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
static int64_t offset_of(const lane *operand, int64_t position) {
    const tern_kit_tensor *tensor = operand->tensor;
    int64_t offset = position % operand->width * operand->stride;
    position /= operand->width;
    for (int32_t d = operand->outer - 1; d >= 0; d--) {
        offset += position % tensor->shape[d] * tensor->strides[d];
        position /= tensor->shape[d];
    }
    return offset;
}

/* `n` positions from `first` on, loaded into the row or stored from it. */
static void transfer(const lane *operand, int64_t first, int64_t n, bool floating, bool store,
                     row *r) {
    if (operand->outer == 0) {
        move(operand->tensor, first * operand->stride, operand->stride, n, floating, store, 0, r);
        return;
    }
    for (int64_t at = 0; at < n;) {
        int64_t piece = operand->width - (first + at) % operand->width;
        if (piece > n - at) piece = n - at;
        move(operand->tensor, offset_of(operand, first + at), operand->stride, piece, floating,
             store, at, r);
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
    if (dtype == TERN_BT_FLOAT32) {
        for (int64_t i = 0; i < n; i++) out->f[i] = (double)(float)out->f[i];
        return;
    }
    row element;
    tern_kit_store_f64(dtype, &element, 1, n, out->f);
    tern_kit_load_f64(dtype, &element, 1, n, out->f);
}

static void run_floating(const tern_map_step *step, int32_t dtype, const row *values, row *out,
                         int64_t n) {
    const int16_t *source = step->source;
    memcpy(out->f, values[source[0]].f, (size_t)n * sizeof *out->f);
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
    if (dtype == TERN_BT_FLOAT32) convert(dtype, out, n);
}

/* Factors are of no use to integers: a product is a step as exact. */
static void run_integer(const tern_kit_call *call, const tern_map_step *step, const row *values,
                        row *out, int64_t n) {
    const int16_t *source = step->source;
    tern_binary_attrs binary = {step->fn, 0, 1, 1};
    tern_ternary_attrs ternary = {step->fn, 0, 1, 1};
    memcpy(out->i, values[source[0]].i, (size_t)n * sizeof *out->i);
    if (step->family == TERN_KERNEL_UNARY)
        tern_ref_unary_integer(step->fn, out->i, n);
    else if (step->family == TERN_KERNEL_BINARY)
        tern_ref_binary_integer(call, &binary, TERN_BT_INT64, out->i, values[source[1]].i, n);
    else
        tern_ref_ternary_integer(&ternary, out->i, values[source[1]].i, values[source[2]].i, n);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Rows of `n` positions. */
static void fill_constants(const tern_map_attrs *program, int64_t n, row *values) {
    for (int32_t k = 0; k < program->n_constants; k++) {
        tern_map_constant constant = tern_map_constants(program)[k];
        if (program->compute == TERN_BT_FLOAT32) constant.f = (double)(float)constant.f;
        for (int64_t i = 0; i < n; i++) {
            if (program->compute == TERN_BT_INT64)
                values[k].i[i] = constant.i;
            else
                values[k].f[i] = constant.f;
        }
    }
}

/* `operands` are the inputs, then the outputs. */
static void run_chunk(const tern_kit_call *call, const tern_map_attrs *program,
                      const lane *operands, int64_t first, int64_t n, row *values) {
    bool floating = program->compute != TERN_BT_INT64;
    for (int32_t k = 0; k < program->n_inputs; k++) {
        transfer(&operands[k], first, n, floating, false, &values[k]);
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
        transfer(&operands[program->n_inputs + k], first, n, floating, true,
                 &values[tern_map_outputs(program)[k]]);
}

/* One tuple. */
int32_t tern_ref_map(const tern_kit_call *call) {
    const tern_map_attrs *program = call->attrs;
    int64_t count = tern_kit_count(&call->outputs[0]);
    int32_t n_values = program->n_inputs + program->n_constants + program->n_steps;
    row *values = tern_kit_take(call, n_values, sizeof *values);
    if (!values) return TERN_BACKEND_OUT_OF_MEMORY;
    lane operands[TERN_KIT_OPERANDS];
    for (int32_t k = 0; k < program->n_inputs; k++) operands[k] = lane_of(&call->inputs[k]);
    for (int32_t k = 0; k < program->n_outputs; k++)
        operands[program->n_inputs + k] = lane_of(&call->outputs[k]);
    fill_constants(program, count < TERN_KIT_CHUNK ? count : TERN_KIT_CHUNK,
                   values + program->n_inputs);
    for (int64_t first = 0; first < count; first += TERN_KIT_CHUNK) {
        int64_t left = count - first;
        run_chunk(call, program, operands, first, left < TERN_KIT_CHUNK ? left : TERN_KIT_CHUNK,
                  values);
    }
    tern_kit_give(call, values);
    return TERN_BACKEND_OK;
}
