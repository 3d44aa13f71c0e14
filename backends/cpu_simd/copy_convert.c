/*
 * Rows of elements from one dtype to another, with the values of numerics/dtype_convert.h.
 *
 * One loop a pair of dtypes, written without branches so that the compiler makes vectors of it. The
 * 16-bit floats go through float32, as their definition says, a buffer at a time.
 */
#include "../cpu_ref/walk.h"
#include "copy.h"
#include "simd.h"

/* ---- numbers ---- */

/* What is out of range saturates, NaN becomes 0. The conversion itself is never out of range. */
static inline int64_t f64_to_int64(double x) {
    double inside = x >= -0x1p63 && x < 0x1p63 ? x : 0;
    int64_t y = (int64_t)inside;
    y = x >= 0x1p63 ? INT64_MAX : y;
    return x < -0x1p63 ? INT64_MIN : y;
}
static inline double clamp_f64(double x, double low, double high) {
    double y = x > low ? x : low;
    y = y < high ? y : high;
    return x == x ? y : 0;
}
static inline float clamp_f32(float x, float low, float high) {
    float y = x > low ? x : low;
    y = y < high ? y : high;
    return x == x ? y : 0;
}
static inline int32_t f32_to_int32(float x) {
    int32_t y = (int32_t)clamp_f32(x, -0x1p31f, 0x1.fffffep30f);
    return x >= 0x1p31f ? INT32_MAX : y;
}

#define f64_to_f32(x) ((float)(x))
#define f64_to_f64(x) (x)
#define f64_to_i64(x) f64_to_int64(x)
#define f64_to_i32(x) ((int32_t)clamp_f64(x, INT32_MIN, INT32_MAX))
#define f64_to_i16(x) ((int16_t)(int32_t)clamp_f64(x, INT16_MIN, INT16_MAX))
#define f64_to_i8(x)  ((int8_t)(int32_t)clamp_f64(x, INT8_MIN, INT8_MAX))
#define f64_to_u8(x)  ((uint8_t)(int32_t)clamp_f64(x, 0, UINT8_MAX))
#define f64_to_b8(x)  ((x) != 0)

#define f32_to_f32(x) (x)
#define f32_to_f64(x) ((double)(x))
#define f32_to_i64(x) f64_to_int64((double)(x))
#define f32_to_i32(x) f32_to_int32(x)
#define f32_to_i16(x) ((int16_t)(int32_t)clamp_f32(x, INT16_MIN, INT16_MAX))
#define f32_to_i8(x)  ((int8_t)(int32_t)clamp_f32(x, INT8_MIN, INT8_MAX))
#define f32_to_u8(x)  ((uint8_t)(int32_t)clamp_f32(x, 0, UINT8_MAX))
#define f32_to_b8(x)  ((x) != 0)

/* Integers wrap; those of 32 bits and less are computed with as int32. */
#define int_to_f32(x) ((float)(x))
#define int_to_f64(x) ((double)(x))
#define int_to_i64(x) ((int64_t)(x))
#define int_to_i32(x) ((int32_t)(x))
#define int_to_i16(x) ((int16_t)(x))
#define int_to_i8(x)  ((int8_t)(x))
#define int_to_u8(x)  ((uint8_t)(x))
#define int_to_b8(x)  ((x) != 0)

/* ---- loops ---- */

#define CONVERT(from, to, number, type) CONVERT_(from, to, number, type)
#define CONVERT_(from, to, number, type)                                                           \
    static void from##_##to(void *out, const void *in, int64_t n) {                                \
        type *restrict y = out;                                                                    \
        const FROM_TYPE *restrict x = in;                                                          \
        for (int64_t i = 0; i < n; i++) y[i] = number##_to_##to(LOAD(x[i]));                       \
    }

#define FROM      f32
#define FROM_TYPE float
#define NUMBER    f32
#define LOAD(x)   (x)
#include "copy_convert.inc"

#define FROM      f64
#define FROM_TYPE double
#define NUMBER    f64
#define LOAD(x)   (x)
#include "copy_convert.inc"

#define FROM      i64
#define FROM_TYPE int64_t
#define NUMBER    int
#define LOAD(x)   (x)
#include "copy_convert.inc"

#define FROM      i32
#define FROM_TYPE int32_t
#define NUMBER    int
#define LOAD(x)   (x)
#include "copy_convert.inc"

#define FROM      i16
#define FROM_TYPE int16_t
#define NUMBER    int
#define LOAD(x)   ((int32_t)(x))
#include "copy_convert.inc"

#define FROM      i8
#define FROM_TYPE int8_t
#define NUMBER    int
#define LOAD(x)   ((int32_t)(x))
#include "copy_convert.inc"

#define FROM      u8
#define FROM_TYPE uint8_t
#define NUMBER    int
#define LOAD(x)   ((int32_t)(x))
#include "copy_convert.inc"

#define FROM      b8
#define FROM_TYPE uint8_t
#define NUMBER    int
#define LOAD(x)   ((int32_t)((x) != 0))
#include "copy_convert.inc"

/* ---- floats to int64 ---- */

enum { SOME = 32 };

/* Instruction sets before AVX-512 convert to int64 one by one, to int32 by vectors. */
static void f32_to_long(void *out, const void *in, int64_t n) {
    int64_t *y = out, i = 0;
    const float *x = in;
    for (; i + SOME <= n; i += SOME) {
        int32_t fits = -1;
        for (int k = 0; k < SOME; k++) fits &= -(x[i + k] > -0x1p31f) & -(x[i + k] < 0x1p31f);
        if (!fits) break;
        for (int k = 0; k < SOME; k++) y[i + k] = (int32_t)x[i + k];
    }
    f32_i64(y + i, x + i, n - i);
}

static void f64_to_long(void *out, const void *in, int64_t n) {
    int64_t *y = out, i = 0;
    const double *x = in;
    for (; i + SOME <= n; i += SOME) {
        int64_t fits = -1;
        for (int k = 0; k < SOME; k++)
            fits &= -(int64_t)(x[i + k] > -0x1p31) & -(int64_t)(x[i + k] < 0x1p31);
        if (!fits) break;
        for (int k = 0; k < SOME; k++) y[i + k] = (int32_t)x[i + k];
    }
    f64_i64(y + i, x + i, n - i);
}

/* ---- 16-bit floats ---- */

static void f16_f32(void *out, const void *in, int64_t n) {
    float *y = out;
    const uint16_t *x = in;
    int64_t i = 0;
    for (; i + F32_LANES <= n; i += F32_LANES) f32_store(y + i, f32_of_f16(u16_load(x + i)));
    f32_store_some(y + i, f32_of_f16(u16_load_some(x + i, n - i)), n - i);
}

static void f32_f16(void *out, const void *in, int64_t n) {
    uint16_t *y = out;
    const float *x = in;
    int64_t i = 0;
    for (; i + F32_LANES <= n; i += F32_LANES) u16_store(y + i, f16_of_f32(f32_load(x + i)));
    u16_store_some(y + i, f16_of_f32(f32_load_some(x + i, n - i)), n - i);
}

/* A NaN becomes a quiet one. */
static f32v wide_bf16(u16v x) {
    f32v y = f32_of_bf16(x);
    return (f32v)((i32v)y | ((y != y) & INT32_C(0x400000)));
}

static void bf16_f32(void *out, const void *in, int64_t n) {
    float *y = out;
    const uint16_t *x = in;
    int64_t i = 0;
    for (; i + F32_LANES <= n; i += F32_LANES) f32_store(y + i, wide_bf16(u16_load(x + i)));
    f32_store_some(y + i, wide_bf16(u16_load_some(x + i, n - i)), n - i);
}

static void f32_bf16(void *out, const void *in, int64_t n) {
    uint16_t *y = out;
    const float *x = in;
    int64_t i = 0;
    for (; i + F32_LANES <= n; i += F32_LANES) u16_store(y + i, bf16_of_f32(f32_load(x + i)));
    u16_store_some(y + i, bf16_of_f32(f32_load_some(x + i, n - i)), n - i);
}

/* ---- the table ---- */

typedef void (*convert_fn)(void *to, const void *from, int64_t n);

#define ROW(from)                                                                                  \
    {                                                                                              \
        from##_f32, from##_f64, NULL, NULL, from##_i64, from##_i32, from##_i16, from##_i8,         \
            from##_u8, from##_b8                                                                   \
    }

/* [from][to]; NULL goes through float32. */
static const convert_fn table[TERN_BT_COUNT][TERN_BT_COUNT] = {
    [TERN_BT_FLOAT32] = ROW(f32),    [TERN_BT_FLOAT64] = ROW(f64), [TERN_BT_INT64] = ROW(i64),
    [TERN_BT_INT32] = ROW(i32),      [TERN_BT_INT16] = ROW(i16),   [TERN_BT_INT8] = ROW(i8),
    [TERN_BT_UINT8] = ROW(u8),       [TERN_BT_BOOL] = ROW(b8),     [TERN_BT_FLOAT16] = {f16_f32},
    [TERN_BT_BFLOAT16] = {bf16_f32},
};

static convert_fn direct(int32_t to, int32_t from) {
    if (from == TERN_BT_FLOAT32 && to == TERN_BT_FLOAT16) return f32_f16;
    if (from == TERN_BT_FLOAT32 && to == TERN_BT_BFLOAT16) return f32_bf16;
    if (from == TERN_BT_FLOAT32 && to == TERN_BT_INT64) return f32_to_long;
    if (from == TERN_BT_FLOAT64 && to == TERN_BT_INT64) return f64_to_long;
    return table[from][to];
}

void tern_simd_convert(int32_t to_dtype, void *to, int32_t from_dtype, const void *from,
                       int64_t n) {
    convert_fn convert = direct(to_dtype, from_dtype);
    if (convert) {
        convert(to, from, n);
        return;
    }
    convert_fn widen = table[from_dtype][TERN_BT_FLOAT32];
    convert_fn finish = direct(to_dtype, TERN_BT_FLOAT32);
    int64_t from_size = tern_kit_size(from_dtype), to_size = tern_kit_size(to_dtype);
    float row[TERN_KIT_CHUNK];
    for (int64_t i = 0; i < n; i += TERN_KIT_CHUNK) {
        int64_t some = n - i < TERN_KIT_CHUNK ? n - i : TERN_KIT_CHUNK;
        widen(row, (const char *)from + i * from_size, some);
        finish((char *)to + i * to_size, row, some);
    }
}
