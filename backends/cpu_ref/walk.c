#include "walk.h"

#include "numerics/dtype_convert.h"

/* Whether the dimension just taken and the next inner one are one for every operand. */
static bool can_merge(const tern_kit_walk *walk, int32_t outer,
                      const tern_kit_tensor *const *operands, int32_t dim) {
    int64_t size = operands[0]->shape[dim];
    for (int32_t k = 0; k < walk->operands; k++) {
        if (walk->stride[k][outer] != size * operands[k]->strides[dim]) return false;
    }
    return true;
}

void tern_kit_walk_begin(tern_kit_walk *walk, const tern_kit_tensor *const *operands, int32_t count,
                         uint32_t skip) {
    walk->rank = 0;
    walk->operands = count;
    for (int32_t k = 0; k < count; k++) walk->offset[k] = 0;
    for (int32_t dim = 0; dim < operands[0]->rank; dim++) {
        int64_t size = operands[0]->shape[dim];
        if ((skip >> dim & 1u) || size == 1) continue;
        bool merge = walk->rank > 0 && can_merge(walk, walk->rank - 1, operands, dim);
        int32_t at = merge ? walk->rank - 1 : walk->rank++;
        walk->shape[at] = merge ? walk->shape[at] * size : size;
        walk->index[at] = 0;
        for (int32_t k = 0; k < count; k++) walk->stride[k][at] = operands[k]->strides[dim];
    }
}

tern_kit_row tern_kit_walk_row(tern_kit_walk *walk) {
    tern_kit_row row;
    bool single = walk->rank == 0;
    int32_t at = single ? 0 : --walk->rank;
    row.length = single ? 1 : walk->shape[at];
    for (int32_t k = 0; k < walk->operands; k++) row.stride[k] = single ? 0 : walk->stride[k][at];
    return row;
}

void tern_kit_walk_seek(tern_kit_walk *walk, int64_t position) {
    for (int32_t k = 0; k < walk->operands; k++) walk->offset[k] = 0;
    for (int32_t d = walk->rank - 1; d >= 0; d--) {
        walk->index[d] = position % walk->shape[d];
        position /= walk->shape[d];
        for (int32_t k = 0; k < walk->operands; k++)
            walk->offset[k] += walk->index[d] * walk->stride[k][d];
    }
}

bool tern_kit_walk_next(tern_kit_walk *walk) {
    for (int32_t dim = walk->rank - 1; dim >= 0; dim--) {
        walk->index[dim]++;
        for (int32_t k = 0; k < walk->operands; k++) walk->offset[k] += walk->stride[k][dim];
        if (walk->index[dim] < walk->shape[dim]) return true;
        walk->index[dim] = 0;
        for (int32_t k = 0; k < walk->operands; k++) {
            walk->offset[k] -= walk->stride[k][dim] * walk->shape[dim];
        }
    }
    return false;
}

int64_t tern_kit_walk_count(const tern_kit_walk *walk) {
    int64_t count = 1;
    for (int32_t dim = 0; dim < walk->rank; dim++) count *= walk->shape[dim];
    return count;
}

int64_t tern_kit_count(const tern_kit_tensor *tensor) {
    int64_t count = 1;
    for (int32_t dim = 0; dim < tensor->rank; dim++) count *= tensor->shape[dim];
    return count;
}

int64_t tern_kit_row_major(const tern_kit_tensor *tensor, int64_t *strides) {
    int64_t count = 1;
    for (int32_t d = tensor->rank - 1; d >= 0; d--) {
        strides[d] = count;
        count *= tensor->shape[d];
    }
    return count;
}

bool tern_kit_is_contiguous(const tern_kit_tensor *tensor) {
    int64_t step = 1;
    for (int32_t dim = tensor->rank - 1; dim >= 0; dim--) {
        if (tensor->shape[dim] != 1 && tensor->strides[dim] != step) return false;
        step *= tensor->shape[dim];
    }
    return true;
}

/* The common types have loops of their own, so that the switch is outside. */
void tern_kit_load_any_f64(int32_t dtype, const void *from, int64_t stride, int64_t n,
                           double *out) {
    const double *f64 = from;
    const uint16_t *u16 = from;
    switch (dtype) {
    case TERN_BT_FLOAT64:
        for (int64_t i = 0; i < n; i++) out[i] = f64[i * stride];
        return;
    case TERN_BT_FLOAT16:
        for (int64_t i = 0; i < n; i++) out[i] = (double)tern_num_f16_to_f32(u16[i * stride]);
        return;
    case TERN_BT_BFLOAT16:
        for (int64_t i = 0; i < n; i++) out[i] = (double)tern_num_bf16_to_f32(u16[i * stride]);
        return;
    default:
        for (int64_t i = 0; i < n; i++) out[i] = tern_num_load_f64(dtype, from, i * stride);
        return;
    }
}

void tern_kit_store_any_f64(int32_t dtype, void *to, int64_t stride, int64_t n,
                            const double *values) {
    double *f64 = to;
    uint16_t *u16 = to;
    uint8_t *u8 = to;
    switch (dtype) {
    case TERN_BT_FLOAT64:
        for (int64_t i = 0; i < n; i++) f64[i * stride] = values[i];
        return;
    case TERN_BT_FLOAT16:
        for (int64_t i = 0; i < n; i++) u16[i * stride] = tern_num_f64_to_f16(values[i]);
        return;
    case TERN_BT_BFLOAT16:
        for (int64_t i = 0; i < n; i++) u16[i * stride] = tern_num_f64_to_bf16(values[i]);
        return;
    case TERN_BT_BOOL:
        for (int64_t i = 0; i < n; i++) u8[i * stride] = values[i] != 0;
        return;
    default:
        for (int64_t i = 0; i < n; i++) tern_num_store_f64(dtype, to, i * stride, values[i]);
        return;
    }
}

void tern_kit_load_i64(int32_t dtype, const void *from, int64_t stride, int64_t n, int64_t *out) {
    const int64_t *i64 = from;
    const uint8_t *u8 = from;
    switch (dtype) {
    case TERN_BT_INT64:
        for (int64_t i = 0; i < n; i++) out[i] = i64[i * stride];
        return;
    case TERN_BT_UINT8:
        for (int64_t i = 0; i < n; i++) out[i] = u8[i * stride];
        return;
    case TERN_BT_BOOL:
        for (int64_t i = 0; i < n; i++) out[i] = u8[i * stride] != 0;
        return;
    default:
        for (int64_t i = 0; i < n; i++) out[i] = tern_num_load_i64(dtype, from, i * stride);
        return;
    }
}

void tern_kit_store_i64(int32_t dtype, void *to, int64_t stride, int64_t n, const int64_t *values) {
    int64_t *i64 = to;
    uint8_t *u8 = to;
    switch (dtype) {
    case TERN_BT_INT64:
        for (int64_t i = 0; i < n; i++) i64[i * stride] = values[i];
        return;
    case TERN_BT_UINT8:
        for (int64_t i = 0; i < n; i++) u8[i * stride] = (uint8_t)values[i];
        return;
    case TERN_BT_BOOL:
        for (int64_t i = 0; i < n; i++) u8[i * stride] = values[i] != 0;
        return;
    default:
        for (int64_t i = 0; i < n; i++) tern_num_store_i64(dtype, to, i * stride, values[i]);
        return;
    }
}
