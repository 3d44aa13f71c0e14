/* Predicates, which write bytes, and WHERE with a condition of bytes; then the lookups of rows.h. */
#include <math.h>
#include <stdbool.h>

#include "rows_loop.h"
#include "rows_tables.h"
#include "simd.h"

#define T       float
#define N(name) float32_##name
#define GET(x)  (x)
#define SIGN(x) (signbit(x) != 0)
#include "rows_bytes.inc"

#define T       double
#define N(name) float64_##name
#define GET(x)  (x)
#define SIGN(x) (signbit(x) != 0)
#include "rows_bytes.inc"

#define T       int64_t
#define N(name) int64_##name
#define GET(x)  (x)
#define SIGN(x) ((x) < 0)
#include "rows_bytes.inc"

#define T       int32_t
#define N(name) int32_##name
#define GET(x)  (x)
#define SIGN(x) ((x) < 0)
#include "rows_bytes.inc"

#define T       int16_t
#define N(name) int16_##name
#define GET(x)  (x)
#define SIGN(x) ((x) < 0)
#include "rows_bytes.inc"

#define T       int8_t
#define N(name) int8_##name
#define GET(x)  (x)
#define SIGN(x) ((x) < 0)
#include "rows_bytes.inc"

#define T       uint8_t
#define N(name) uint8_##name
#define GET(x)  (x)
#define SIGN(x) ((void)(x), 0)
#include "rows_bytes.inc"

#define T       uint8_t
#define N(name) bool_##name
#define GET(x)  ((x) != 0)
#define SIGN(x) ((void)(x), 0)
#include "rows_bytes.inc"

/* What floating dtypes alone have. */
ROW_OF_ONE(float32_is_nan, float, uint8_t, x != x)
ROW_OF_ONE(float64_is_nan, double, uint8_t, x != x)
ROW_OF_ONE(float32_is_inf, float, uint8_t, fabsf(x) == INFINITY)
ROW_OF_ONE(float64_is_inf, double, uint8_t, fabs(x) == (double)INFINITY)
ROW_OF_ONE(float32_is_finite, float, uint8_t, fabsf(x) < INFINITY)
ROW_OF_ONE(float64_is_finite, double, uint8_t, fabs(x) < (double)INFINITY)

static tern_simd_row of_floating(bool wide, int32_t fn) {
    switch (fn) {
    case TERN_UNARY_ISNAN: return wide ? float64_is_nan : float32_is_nan;
    case TERN_UNARY_ISINF: return wide ? float64_is_inf : float32_is_inf;
    case TERN_UNARY_ISFINITE: return wide ? float64_is_finite : float32_is_finite;
    default: return NULL;
    }
}

tern_simd_row tern_simd_row_bytes(int32_t dtype, int32_t family, int32_t fn) {
    bool floating = dtype == TERN_BT_FLOAT32 || dtype == TERN_BT_FLOAT64;
    if (floating && family == TERN_KERNEL_UNARY && of_floating(dtype == TERN_BT_FLOAT64, fn))
        return of_floating(dtype == TERN_BT_FLOAT64, fn);
    switch (dtype) {
    case TERN_BT_FLOAT32: return float32_row(family, fn);
    case TERN_BT_FLOAT64: return float64_row(family, fn);
    case TERN_BT_INT64: return int64_row(family, fn);
    case TERN_BT_INT32: return int32_row(family, fn);
    case TERN_BT_INT16: return int16_row(family, fn);
    case TERN_BT_INT8: return int8_row(family, fn);
    case TERN_BT_UINT8: return uint8_row(family, fn);
    case TERN_BT_BOOL: return bool_row(family, fn);
    default: return NULL;
    }
}

/* A bool's product and minimum are its logical and, its bits a number of one bit. */
static tern_simd_row of_bool(int32_t family, int32_t fn) {
    if (family == TERN_KERNEL_UNARY)
        return fn == TERN_UNARY_LOGICAL_NOT || fn == TERN_UNARY_BITWISE_NOT ? bool_logical_not
                                                                            : NULL;
    if (family == TERN_KERNEL_TERNARY) return bool_row(family, fn);
    switch (fn) {
    case TERN_BINARY_MUL:
    case TERN_BINARY_MINIMUM:
    case TERN_BINARY_FMIN:
    case TERN_BINARY_BITWISE_AND: return bool_logical_and;
    case TERN_BINARY_MAXIMUM:
    case TERN_BINARY_FMAX:
    case TERN_BINARY_BITWISE_OR: return bool_logical_or;
    case TERN_BINARY_BITWISE_XOR: return bool_logical_xor;
    default: return bool_row(family, fn);
    }
}

tern_simd_row tern_simd_row_of(int32_t dtype, int32_t family, int32_t fn) {
    switch (dtype) {
    case TERN_BT_FLOAT32: return tern_simd_rows_f32(family, fn);
    case TERN_BT_FLOAT64: return tern_simd_rows_f64(family, fn);
    case TERN_BT_BOOL: return of_bool(family, fn);
    default: return tern_simd_rows_integer(dtype, family, fn);
    }
}
