/*
 * walk.h: visiting the positions of strided tensors, and rows of elements as numbers.
 *
 * A walk visits the positions of a shape in row-major order and knows, at each, the element offset
 * in every operand. Dimensions that can be merged are merged, so a contiguous tensor of any rank is
 * one dimension. The last one can be taken out as a row, which kernels handle in a plain loop:
 *
 *     tern_kit_walk walk;
 *     tern_kit_walk_begin(&walk, operands, 2, 0);
 *     tern_kit_row row = tern_kit_walk_row(&walk);
 *     do {
 *         for (int64_t i = 0; i < row.length; i++)
 *             ...  the element at walk.offset[k] + i * row.stride[k] of operand k
 *     } while (tern_kit_walk_next(&walk));
 */
#ifndef TERN_KIT_WALK_H
#define TERN_KIT_WALK_H

#include "kernel.h"

#define TERN_KIT_WALK_OPERANDS 8

typedef struct tern_kit_walk {
    int32_t rank;
    int32_t operands;
    int64_t shape[TERN_BACKEND_MAX_RANK];
    int64_t stride[TERN_KIT_WALK_OPERANDS][TERN_BACKEND_MAX_RANK];
    int64_t index[TERN_BACKEND_MAX_RANK];
    int64_t offset[TERN_KIT_WALK_OPERANDS]; /* in elements, at the position visited now */
} tern_kit_walk;

typedef struct tern_kit_row {
    int64_t length;
    int64_t stride[TERN_KIT_WALK_OPERANDS];
} tern_kit_row;

/*
 * Starts at the first position. The shape is the first operand's; every operand has its rank. The
 * dimensions in the bit mask `skip` are left out. At most TERN_KIT_WALK_OPERANDS operands.
 */
void tern_kit_walk_begin(tern_kit_walk *walk, const tern_kit_tensor *const *operands, int32_t count,
                         uint32_t skip);

/* Whether operands of at most one dimension are a single row, for which no walk is needed. */
static inline bool tern_kit_is_row(const tern_kit_tensor *const *operands, int32_t count,
                                   tern_kit_row *out_row) {
    int32_t rank = operands[0]->rank;
    if (rank > 1) return false;
    out_row->length = rank ? operands[0]->shape[0] : 1;
    for (int32_t k = 0; k < count; k++) out_row->stride[k] = rank ? operands[k]->strides[0] : 0;
    return true;
}

/* Takes the innermost dimension out of the walk; length 1 where there is none. */
tern_kit_row tern_kit_walk_row(tern_kit_walk *walk);

/* To the next position; false after the last. */
bool tern_kit_walk_next(tern_kit_walk *walk);

/* To a position, counted in row-major order from 0. */
void tern_kit_walk_seek(tern_kit_walk *walk, int64_t position);

/* How many positions a walk has, the row's not counted. */
int64_t tern_kit_walk_count(const tern_kit_walk *walk);

/* Elements of a tensor. */
int64_t tern_kit_count(const tern_kit_tensor *tensor);

/* The strides of a tensor's shape without gaps, in row-major order. Returns its elements. */
int64_t tern_kit_row_major(const tern_kit_tensor *tensor, int64_t *strides);

/* Whether the elements lie one behind the other, in row-major order. */
bool tern_kit_is_contiguous(const tern_kit_tensor *tensor);

/* Bytes of an element of a known dtype. */
static inline int64_t tern_kit_size(int32_t dtype) {
    static const int8_t bytes[TERN_BT_COUNT] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
    return bytes[dtype];
}

/* float32, float64, float16, bfloat16. */
static inline bool tern_kit_is_floating(int32_t dtype) {
    return dtype >= 0 && dtype <= TERN_BT_BFLOAT16;
}

/* The floating dtype that sums and statistics of one are in. */
static inline int32_t tern_kit_wide(int32_t dtype) {
    return dtype == TERN_BT_FLOAT64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32;
}

/* The element `offset` elements behind the first. */
static inline void *tern_kit_at(const tern_kit_tensor *tensor, int64_t offset) {
    return tensor->data + offset * tern_kit_size(tensor->dtype);
}

/* How many elements kernels handle at a time, in buffers on the stack. */
#define TERN_KIT_CHUNK 256

/*
 * `n` elements, `stride` elements apart, as double or int64, and back. Conversions are those of
 * numerics/dtype_convert.h: to float16 and bfloat16 through float32, float to integer saturates,
 * integer to integer wraps, to bool compares with 0. The most common type is converted in place: of a
 * few elements the call would be the larger part.
 */
void tern_kit_load_any_f64(int32_t dtype, const void *from, int64_t stride, int64_t n, double *out);
void tern_kit_store_any_f64(int32_t dtype, void *to, int64_t stride, int64_t n,
                            const double *values);

static inline void tern_kit_load_f64(int32_t dtype, const void *from, int64_t stride, int64_t n,
                                     double *out) {
    if (dtype == TERN_BT_FLOAT32)
        for (int64_t i = 0; i < n; i++) out[i] = (double)((const float *)from)[i * stride];
    else
        tern_kit_load_any_f64(dtype, from, stride, n, out);
}

static inline void tern_kit_store_f64(int32_t dtype, void *to, int64_t stride, int64_t n,
                                      const double *values) {
    if (dtype == TERN_BT_FLOAT32)
        for (int64_t i = 0; i < n; i++) ((float *)to)[i * stride] = (float)values[i];
    else
        tern_kit_store_any_f64(dtype, to, stride, n, values);
}

void tern_kit_load_i64(int32_t dtype, const void *from, int64_t stride, int64_t n, int64_t *out);
void tern_kit_store_i64(int32_t dtype, void *to, int64_t stride, int64_t n, const int64_t *values);

#endif
