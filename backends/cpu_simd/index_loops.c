/* The loops of the kernels that follow indices, for every size and dtype of elements. */
#include "index.h"
#include "numerics/dtype_convert.h"

/* ---- moving ---- */

/* Of the structure the loops keep a copy, since for all the compiler knows the stores might change it.
 * Dense rows have loops of their own. */
#define MOVE(type)                                                                                 \
    static inline bool gather_steps_##type(index_row row) {                                        \
        type *to = row.to;                                                                         \
        const type *from = row.from;                                                               \
        bool good = true;                                                                          \
        for (int64_t j = 0; j < row.n; j++) {                                                      \
            int64_t i = row.index[j * row.index_step];                                             \
            if ((uint64_t)i < (uint64_t)row.size)                                                  \
                to[j * row.to_step] = from[j * row.from_step + i * row.scale];                     \
            else                                                                                   \
                good = false;                                                                      \
        }                                                                                          \
        return good;                                                                               \
    }                                                                                              \
    static bool gather_##type(index_row row) {                                                     \
        if (row.to_step != 1 || row.index_step != 1) return gather_steps_##type(row);              \
        row.to_step = row.index_step = 1;                                                          \
        if (row.scale != 1 || row.from_step != 0) return gather_steps_##type(row);                 \
        row.scale = 1;                                                                             \
        row.from_step = 0;                                                                         \
        return gather_steps_##type(row);                                                           \
    }                                                                                              \
    static void set_##type(index_row row) {                                                        \
        type *to = row.to;                                                                         \
        const type *from = row.from;                                                               \
        for (int64_t j = 0; j < row.n; j++)                                                        \
            to[j * row.to_step + row.index[j * row.index_step] * row.scale] =                      \
                from[j * row.from_step];                                                           \
    }
MOVE(uint8_t)
MOVE(uint16_t)
MOVE(uint32_t)
MOVE(uint64_t)

bool tern_simd_gather_row(const index_row *row, int64_t element) {
    switch (element) {
    case 1: return gather_uint8_t(*row);
    case 2: return gather_uint16_t(*row);
    case 4: return gather_uint32_t(*row);
    default: return gather_uint64_t(*row);
    }
}

static void set(const index_row *row, int64_t element) {
    switch (element) {
    case 1: set_uint8_t(*row); break;
    case 2: set_uint16_t(*row); break;
    case 4: set_uint32_t(*row); break;
    default: set_uint64_t(*row); break;
    }
}

/* ---- arithmetic ---- */

#define TYPED(name) name##_f32
#define ELEMENT     float
#define NUMBER      float
#define SUM         float
#define WIDE        double
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

#define TYPED(name) name##_f64
#define ELEMENT     double
#define NUMBER      double
#define SUM         double
#define WIDE        double
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

#define TYPED(name) name##_f16
#define ELEMENT     uint16_t
#define NUMBER      float
#define SUM         float
#define WIDE        double
#define LOAD(x)     tern_num_f16_to_f32(x)
#define STORE(x)    tern_num_f32_to_f16(x)
#include "index_typed.inc"

#define TYPED(name) name##_bf16
#define ELEMENT     uint16_t
#define NUMBER      float
#define SUM         float
#define WIDE        double
#define LOAD(x)     tern_num_bf16_to_f32(x)
#define STORE(x)    tern_num_f32_to_bf16(x)
#include "index_typed.inc"

#define TYPED(name) name##_i64
#define ELEMENT     int64_t
#define NUMBER      int64_t
#define SUM         uint64_t
#define WIDE        uint64_t
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

#define TYPED(name) name##_i32
#define ELEMENT     int32_t
#define NUMBER      int32_t
#define SUM         uint64_t
#define WIDE        uint64_t
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

#define TYPED(name) name##_i16
#define ELEMENT     int16_t
#define NUMBER      int16_t
#define SUM         uint64_t
#define WIDE        uint64_t
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

#define TYPED(name) name##_i8
#define ELEMENT     int8_t
#define NUMBER      int8_t
#define SUM         uint64_t
#define WIDE        uint64_t
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

#define TYPED(name) name##_u8
#define ELEMENT     uint8_t
#define NUMBER      uint8_t
#define SUM         uint64_t
#define WIDE        uint64_t
#define LOAD(x)     (x)
#define STORE(x)    (x)
#include "index_typed.inc"

typedef struct loops {
    void (*scatter)(index_row row, int32_t reduce);
    void (*add)(void *to, const void *from, int64_t n, double alpha);
    void (*add_integers)(void *to, const void *from, int64_t n, uint64_t alpha);
} loops;

/* Bools have none. */
static const loops table[TERN_BT_COUNT] = {
    [TERN_BT_FLOAT32] = {scatter_f32, add_f32, NULL},
    [TERN_BT_FLOAT64] = {scatter_f64, add_f64, NULL},
    [TERN_BT_FLOAT16] = {scatter_f16, add_f16, NULL},
    [TERN_BT_BFLOAT16] = {scatter_bf16, add_bf16, NULL},
    [TERN_BT_INT64] = {scatter_i64, NULL, add_i64},
    [TERN_BT_INT32] = {scatter_i32, NULL, add_i32},
    [TERN_BT_INT16] = {scatter_i16, NULL, add_i16},
    [TERN_BT_INT8] = {scatter_i8, NULL, add_i8},
    [TERN_BT_UINT8] = {scatter_u8, NULL, add_u8},
};

bool tern_simd_can_scatter(int32_t reduce, int32_t dtype) {
    return reduce == TERN_SCATTER_SET || table[dtype].scatter;
}

void tern_simd_scatter_row(const index_row *row, int32_t reduce, int32_t dtype) {
    if (reduce == TERN_SCATTER_SET)
        set(row, tern_kit_size(dtype));
    else
        table[dtype].scatter(*row, reduce);
}

void tern_simd_add_row(void *to, const void *from, int64_t n, int32_t dtype,
                       const tern_index_attrs *alpha) {
    if (table[dtype].add)
        table[dtype].add(to, from, n, alpha->alpha);
    else
        table[dtype].add_integers(to, from, n, (uint64_t)alpha->alpha_i);
}

bool tern_simd_indices_fit(const tern_kit_tensor *index, int64_t low, int64_t size) {
    uint64_t range = (uint64_t)size - (uint64_t)low;
    uint64_t bad = 0;
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &index, 1, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        const int64_t *at = (const int64_t *)(const void *)index->data + walk.offset[0];
        for (int64_t i = 0; i < row.length; i++)
            bad |= (uint64_t)at[i * row.stride[0]] - (uint64_t)low >= range;
    } while (tern_kit_walk_next(&walk));
    return bad == 0;
}
