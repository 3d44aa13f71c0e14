/*
 * map_operands.c: how the operands of a tuple lie, and blocks of their positions as rows.
 *
 * Positions may be visited in any order, so dimensions are sorted by the first output's strides and
 * merged where all operands allow it. What is then one dimension has one row; what is several has rows of
 * the innermost. Blocks stay inside of a row where rows are long; short ones are many to a block, which
 * then is a multiple of them, so that an operand with the same elements in each row is loaded once.
 */
#include "map.h"

#include <string.h>

#include "numerics/dtype_convert.h"
#include "simd.h"
#include "wide_rows.h"

/* ---- dimensions ------------------------------------------------------------------------------ */

static const tern_operand *operand_of(const map_tuple *t, const tern_operand *inputs,
                                      const tern_operand *outputs, int32_t k) {
    return k < t->n_inputs ? &inputs[k] : &outputs[k - t->n_inputs];
}

static bool is_contiguous(const tern_operand *o) {
    int64_t step = 1;
    if (o->flags & TERN_OPERAND_CONTIGUOUS) return true;
    for (int32_t d = o->rank - 1; d >= 0; d--) {
        if (o->shape[d] != 1 && o->strides[d] != step) return false;
        step *= o->shape[d];
    }
    return true;
}

static bool is_uniform(const tern_operand *o) {
    for (int32_t d = 0; d < o->rank; d++)
        if (o->shape[d] != 1 && o->strides[d] != 0) return false;
    return true;
}

/* The dimensions that have a size, those of the output's longest strides first. */
static int32_t sort_dims(const tern_operand *output, int32_t *out_dims) {
    int32_t n = 0;
    for (int32_t d = 0; d < output->rank; d++) {
        if (output->shape[d] == 1) continue;
        int32_t at = n++;
        for (; at > 0 && output->strides[out_dims[at - 1]] < output->strides[d]; at--)
            out_dims[at] = out_dims[at - 1];
        out_dims[at] = d;
    }
    return n;
}

static int64_t stride_of(const map_operand *o, const tern_operand *operand, int32_t d) {
    return o->uniform ? 0 : operand->strides[d];
}

/* Whether dimension `inner` goes on where the last one of the rows ends, for every operand. */
static bool can_merge(const map_tuple *t, const tern_operand *inputs, const tern_operand *outputs,
                      int32_t inner, int64_t size) {
    for (int32_t k = 0; k < t->n_inputs + t->n_outputs; k++) {
        const map_operand *o = &t->operand[k];
        if (o->stride[t->rank - 1] != size * stride_of(o, operand_of(t, inputs, outputs, k), inner))
            return false;
    }
    return true;
}

/* The dimensions as rows, and the innermost of them as the positions of a row. */
static void read_dims(map_tuple *t, const tern_operand *inputs, const tern_operand *outputs) {
    int32_t dims[TERN_BACKEND_MAX_RANK], n = sort_dims(&outputs[0], dims);
    int32_t n_operands = t->n_inputs + t->n_outputs;
    for (int32_t k = 0; k < n_operands; k++) t->operand[k].stride = t->strides[k];
    for (int32_t i = 0; i < n; i++) {
        int64_t size = outputs[0].shape[dims[i]];
        bool merge = t->rank > 0 && can_merge(t, inputs, outputs, dims[i], size);
        int32_t at = merge ? t->rank - 1 : t->rank++;
        t->shape[at] = merge ? t->shape[at] * size : size;
        for (int32_t k = 0; k < n_operands; k++)
            t->strides[k][at] =
                stride_of(&t->operand[k], operand_of(t, inputs, outputs, k), dims[i]);
    }
    t->rank--;
    t->width = t->shape[t->rank];
    for (int32_t k = 0; k < n_operands; k++) {
        map_operand *o = &t->operand[k];
        int64_t whole = t->width;
        o->step = o->stride[t->rank];
        o->linear = o->step == 1;
        o->periodic = true;
        for (int32_t d = t->rank - 1; d >= 0; whole *= t->shape[d--]) {
            o->linear = o->linear && o->stride[d] == whole;
            o->periodic = o->periodic && o->stride[d] == 0;
        }
    }
}

/* ---- numbers --------------------------------------------------------------------------------- */

map_number tern_simd_map_constant(int32_t compute, tern_map_constant constant) {
    map_number number;
    if (compute == TERN_BT_FLOAT32)
        number.f32 = (float)constant.f;
    else if (compute == TERN_BT_FLOAT64)
        number.f64 = constant.f;
    else
        number.i64 = constant.i;
    return number;
}

static void load(int32_t compute, int32_t dtype, const void *from, int64_t stride, int64_t n,
                 void *to);

static map_number read_number(int32_t compute, const tern_operand *operand, const char *data) {
    map_number number;
    bool floating = tern_kit_is_floating(operand->dtype);
    if (!data && floating && compute != TERN_BT_INT64)
        return tern_simd_map_constant(compute, (tern_map_constant){.f = operand->at.f});
    map_number cell;
    if (!data && floating)
        tern_num_store_f64(operand->dtype, &cell, 0, operand->at.f);
    else if (!data)
        tern_num_store_i64(operand->dtype, &cell, 0, operand->at.i);
    load(compute, operand->dtype, data ? data : (const char *)&cell, 1, 1, &number);
    return number;
}

void tern_simd_map_read(map_tuple *t, const tern_map_attrs *program, const tern_operand *inputs,
                        const tern_operand *outputs, char *const *reached) {
    int32_t n_in = program->n_inputs, n = n_in + program->n_outputs;
    bool plain = true;
    t->compute = program->compute;
    t->n_inputs = n_in;
    t->n_outputs = program->n_outputs;
    t->rank = 0;
    t->count = 1;
    for (int32_t d = 0; d < outputs[0].rank; d++) t->count *= outputs[0].shape[d];
    for (int32_t k = 0; k < n; k++) {
        const tern_operand *operand = operand_of(t, inputs, outputs, k);
        map_operand *o = &t->operand[k];
        o->data = reached[k];
        o->dtype = operand->dtype;
        o->size = (int32_t)tern_kit_size(operand->dtype);
        o->linear = operand->buffer && is_contiguous(operand);
        o->uniform = k < n_in && (!o->linear || t->count == 1) && is_uniform(operand);
        o->step = 1;
        o->periodic = false;
        if (o->uniform) o->number = read_number(t->compute, operand, reached[k]);
        plain = plain && (o->linear || o->uniform);
    }
    t->width = t->count;
    if (!plain) read_dims(t, inputs, outputs);
}

/* ---- conversions ----------------------------------------------------------------------------- */

static bool is_f32_or_less(int32_t dtype) {
    return dtype == TERN_BT_FLOAT32 || dtype == TERN_BT_FLOAT16 || dtype == TERN_BT_BFLOAT16;
}

static void load_f32(int32_t dtype, const void *from, int64_t stride, int64_t n, float *to) {
    const uint8_t *u8 = from;
    const int32_t *i32 = from;
    if (is_f32_or_less(dtype)) {
        tern_simd_load_f32(dtype, from, stride, n, to);
    } else if (dtype == TERN_BT_BOOL && stride == 1) {
        for (int64_t i = 0; i < n; i++) to[i] = u8[i] != 0 ? 1.0F : 0.0F;
    } else if (dtype == TERN_BT_UINT8 && stride == 1) {
        for (int64_t i = 0; i < n; i++) to[i] = (float)u8[i];
    } else if (dtype == TERN_BT_INT32 && stride == 1) {
        for (int64_t i = 0; i < n; i++) to[i] = (float)i32[i];
    } else {
        double wide[TERN_KIT_CHUNK];
        for (int64_t at = 0, piece; at < n; at += piece) {
            piece = n - at < TERN_KIT_CHUNK ? n - at : TERN_KIT_CHUNK;
            tern_kit_load_f64(dtype, (const char *)from + at * stride * tern_kit_size(dtype),
                              stride, piece, wide);
            for (int64_t i = 0; i < piece; i++) to[at + i] = (float)wide[i];
        }
    }
}

static void store_f32(int32_t dtype, void *to, int64_t stride, int64_t n, const float *from) {
    uint8_t *u8 = to;
    if (is_f32_or_less(dtype)) {
        tern_simd_store_f32(dtype, to, stride, n, from);
    } else if (dtype == TERN_BT_BOOL && stride == 1) {
        for (int64_t i = 0; i < n; i++) u8[i] = from[i] != 0;
    } else {
        double wide[TERN_KIT_CHUNK];
        for (int64_t at = 0, piece; at < n; at += piece) {
            piece = n - at < TERN_KIT_CHUNK ? n - at : TERN_KIT_CHUNK;
            for (int64_t i = 0; i < piece; i++) wide[i] = (double)from[at + i];
            tern_kit_store_f64(dtype, (char *)to + at * stride * tern_kit_size(dtype), stride,
                               piece, wide);
        }
    }
}

void tern_simd_map_fill(int32_t compute, map_number number, int64_t n, char *row) {
    if (compute == TERN_BT_FLOAT32) {
        f32v x = f32_set(number.f32);
        int64_t i = 0;
        for (; i + F32_LANES <= n; i += F32_LANES) f32_store((float *)(void *)row + i, x);
        for (; i < n; i++) ((float *)(void *)row)[i] = number.f32;
    } else {
        for (int64_t i = 0; i < n; i++) memcpy(row + i * 8, &number, 8);
    }
}

/* n elements, `stride` elements apart, into a row, and back. */
static void load(int32_t compute, int32_t dtype, const void *from, int64_t stride, int64_t n,
                 void *to) {
    if (stride == 0 && n > 1) {
        map_number number;
        load(compute, dtype, from, 1, 1, &number);
        tern_simd_map_fill(compute, number, n, to);
    } else if (compute == TERN_BT_FLOAT32)
        load_f32(dtype, from, stride, n, to);
    else if (compute == TERN_BT_FLOAT64)
        tern_kit_load_f64(dtype, from, stride, n, to);
    else
        tern_kit_load_i64(dtype, from, stride, n, to);
}

static void store(int32_t compute, int32_t dtype, void *to, int64_t stride, int64_t n,
                  const void *from) {
    if (compute == TERN_BT_FLOAT32)
        store_f32(dtype, to, stride, n, from);
    else if (compute == TERN_BT_FLOAT64)
        tern_kit_store_f64(dtype, to, stride, n, from);
    else
        tern_kit_store_i64(dtype, to, stride, n, from);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

bool tern_simd_map_repeats(const map_tuple *t, int64_t block) {
    return t->rank > 0 && t->width <= block / 2;
}

int64_t tern_simd_map_block(const map_tuple *t, int64_t at, int64_t end, int64_t block) {
    int64_t most = block;
    if (t->rank > 0) {
        int64_t to_end_of_row = t->width - at % t->width;
        if (tern_simd_map_repeats(t, block))
            most = block / t->width * t->width;
        else if (to_end_of_row < most)
            most = to_end_of_row;
    }
    return end - at < most ? end - at : most;
}

/* Where rows of positions lie, one after the other. */
typedef struct cursor {
    int64_t index[TERN_BACKEND_MAX_RANK];
    int64_t column; /* of the row */
    int64_t offset; /* of its first element */
} cursor;

static cursor cursor_at(const map_tuple *t, const map_operand *o, int64_t at) {
    cursor c;
    int64_t row = at / t->width;
    c.column = at % t->width;
    c.offset = 0;
    for (int32_t d = t->rank - 1; d >= 0; d--) {
        c.index[d] = row % t->shape[d];
        c.offset += c.index[d] * o->stride[d];
        row /= t->shape[d];
    }
    return c;
}

static void next_row(const map_tuple *t, const map_operand *o, cursor *c) {
    c->column = 0;
    for (int32_t d = t->rank - 1; d >= 0; d--) {
        c->offset += o->stride[d];
        if (++c->index[d] < t->shape[d]) return;
        c->offset -= o->stride[d] * t->shape[d];
        c->index[d] = 0;
    }
}

static char *element(const map_operand *o, const cursor *c) {
    return o->data + (c->offset + c->column * o->step) * o->size;
}

/* Bytes of a number of the program's dtype. */
static int64_t bytes_of(int32_t compute) {
    return compute == TERN_BT_FLOAT32 ? 4 : 8;
}

static bool is_in_one_row(const map_tuple *t, int64_t at, int64_t n) {
    return t->rank == 0 || at % t->width + n <= t->width;
}

/* The row's own elements, where they are as the program wants them; else NULL. */
static char *own_elements(const map_tuple *t, const map_operand *o, int64_t at, int64_t n) {
    if (o->dtype != t->compute || o->uniform) return NULL;
    if (o->linear) return o->data + at * o->size;
    if (o->step != 1 || !is_in_one_row(t, at, n)) return NULL;
    cursor c = cursor_at(t, o, at);
    return element(o, &c);
}

/* Float32 that is one element a row of positions. A whole vector is stored where the rows behind this one
 * are still to come. */
static void spread_f32(const map_tuple *t, const map_operand *o, cursor c, int64_t n, float *row) {
    for (int64_t done = 0; done < n; next_row(t, o, &c)) {
        int64_t i = done, end = done + t->width - c.column;
        const float *x = (const float *)(void *)element(o, &c);
        f32v all = f32_set(*x);
        if (end > n) end = n;
        for (; i < end && i + F32_LANES <= n; i += F32_LANES) f32_store(row + i, all);
        for (; i < end; i++) row[i] = *x;
        done = end;
    }
}

/* Moves n positions from `at` on between an operand and a row. */
static void transfer(const map_tuple *t, const map_operand *o, int64_t at, int64_t n, bool stores,
                     char *row) {
    if (o->linear) {
        char *elements = o->data + at * o->size;
        if (stores)
            store(t->compute, o->dtype, elements, 1, n, row);
        else
            load(t->compute, o->dtype, elements, 1, n, row);
        return;
    }
    cursor c = cursor_at(t, o, at);
    bool is_f32 = o->dtype == TERN_BT_FLOAT32 && t->compute == TERN_BT_FLOAT32;
    if (is_f32 && o->step == 0 && !stores) {
        spread_f32(t, o, c, n, (float *)(void *)row);
        return;
    }
    for (int64_t done = 0; done < n; next_row(t, o, &c)) {
        int64_t piece = t->width - c.column < n - done ? t->width - c.column : n - done;
        char *part = row + done * bytes_of(t->compute);
        if (stores)
            store(t->compute, o->dtype, element(o, &c), o->step, piece, part);
        else
            load(t->compute, o->dtype, element(o, &c), o->step, piece, part);
        done += piece;
    }
}

char *tern_simd_map_load(const map_tuple *t, int32_t k, int64_t at, int64_t n, bool again,
                         char *row) {
    const map_operand *o = &t->operand[k];
    if (o->uniform) return row;
    char *own = own_elements(t, o, at, n);
    if (own) return own;
    if (!o->periodic || !again) transfer(t, o, at, n, false, row);
    return row;
}

char *tern_simd_map_place(const map_tuple *t, int32_t k, int64_t at, int64_t n) {
    return own_elements(t, &t->operand[t->n_inputs + k], at, n);
}

void tern_simd_map_store(const map_tuple *t, int32_t k, int64_t at, int64_t n, const char *row) {
    transfer(t, &t->operand[t->n_inputs + k], at, n, true, (char *)(uintptr_t)row);
}
