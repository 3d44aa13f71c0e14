/* NONZERO_COUNT and NONZERO. */
#include "../cpu_ref/kernels.h"
#include "../cpu_ref/walk.h"
#include "kernels.h"

/* One loop a kind of element; NaN is not zero. `find` writes the positions of up to TERN_KIT_CHUNK
 * elements and returns their number. */
#define KIND(name, type, NONZERO)                                                                  \
    static int64_t count_##name(const void *from, int64_t step, int64_t n) {                       \
        const type *x = from;                                                                      \
        int64_t count = 0;                                                                         \
        for (int64_t i = 0; i < n; i++) count += NONZERO(x[i * step]);                             \
        return count;                                                                              \
    }                                                                                              \
    static int32_t find_##name(const void *from, int64_t step, int64_t n, int32_t *positions) {    \
        const type *x = from;                                                                      \
        int32_t count = 0;                                                                         \
        for (int32_t i = 0; i < n; i++) {                                                          \
            positions[count] = i;                                                                  \
            count += NONZERO(x[i * step]);                                                         \
        }                                                                                          \
        return count;                                                                              \
    }
#define NOT_ZERO(x)      ((x) != 0)
#define NOT_ZERO_HALF(x) (((x)&0x7fff) != 0)
KIND(f32, float, NOT_ZERO)
KIND(f64, double, NOT_ZERO)
KIND(half, uint16_t, NOT_ZERO_HALF)
KIND(i64, int64_t, NOT_ZERO)
KIND(i32, int32_t, NOT_ZERO)
KIND(i16, int16_t, NOT_ZERO)
KIND(i8, uint8_t, NOT_ZERO)

static const struct {
    int64_t (*count)(const void *from, int64_t step, int64_t n);
    int32_t (*find)(const void *from, int64_t step, int64_t n, int32_t *positions);
} kinds[TERN_BT_COUNT] = {
    [TERN_BT_FLOAT32] = {count_f32, find_f32},   [TERN_BT_FLOAT64] = {count_f64, find_f64},
    [TERN_BT_FLOAT16] = {count_half, find_half}, [TERN_BT_BFLOAT16] = {count_half, find_half},
    [TERN_BT_INT64] = {count_i64, find_i64},     [TERN_BT_INT32] = {count_i32, find_i32},
    [TERN_BT_INT16] = {count_i16, find_i16},     [TERN_BT_INT8] = {count_i8, find_i8},
    [TERN_BT_UINT8] = {count_i8, find_i8},       [TERN_BT_BOOL] = {count_i8, find_i8},
};

int32_t tern_simd_nonzero_count(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t count = 0;
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &in, 1, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        count += kinds[in->dtype].count(tern_kit_at(in, walk.offset[0]), row.stride[0], row.length);
    } while (tern_kit_walk_next(&walk));
    tern_kit_store_i64(out->dtype, out->data, 1, 1, &count);
    return TERN_BACKEND_OK;
}

/* The positions of one run of the last dimension, `place` of the others. Returns the rows written. */
static int64_t write_found(const tern_kit_tensor *out, int64_t row, const int64_t *place,
                           int64_t start, const int32_t *positions, int64_t found) {
    int64_t last = out->shape[1] - 1;
    if (found > out->shape[0] - row) found = out->shape[0] - row;
    int64_t *to = (int64_t *)(void *)out->data + row * out->strides[0];
    for (int64_t i = 0; i < found; i++, to += out->strides[0]) {
        for (int64_t d = 0; d < last; d++) to[d * out->strides[1]] = place[d];
        to[last * out->strides[1]] = start + positions[i];
    }
    return found;
}

/* Dimensions are not merged: their coordinates are the result. */
int32_t tern_simd_nonzero(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    if (in->rank == 0 || out->dtype != TERN_BT_INT64) return tern_ref_nonzero(call);
    int64_t place[TERN_BACKEND_MAX_RANK] = {0}, row = 0, offset = 0;
    int32_t positions[TERN_KIT_CHUNK], last = in->rank - 1, d;
    do {
        for (int64_t start = 0; start < in->shape[last]; start += TERN_KIT_CHUNK) {
            int64_t rest = in->shape[last] - start,
                    n = rest < TERN_KIT_CHUNK ? rest : TERN_KIT_CHUNK;
            const void *at = tern_kit_at(in, offset + start * in->strides[last]);
            int32_t found = kinds[in->dtype].find(at, in->strides[last], n, positions);
            row += write_found(out, row, place, start, positions, found);
        }
        for (d = last - 1; d >= 0; d--) {
            offset += in->strides[d];
            if (++place[d] < in->shape[d]) break;
            offset -= in->shape[d] * in->strides[d];
            place[d] = 0;
        }
    } while (d >= 0 && row < out->shape[0]);
    return TERN_BACKEND_OK;
}
