/* The members of UNARY, BINARY and TERNARY over rows of integers. */
#include <stdbool.h>

#include "rows_loop.h"
#include "rows_tables.h"
#include "simd.h"

#define T          int64_t
#define U          uint64_t
#define N(name)    int64_##name
#define BELOW_0(x) ((x) < 0)
#include "rows_integer.inc"

#define T          int32_t
#define U          uint32_t
#define N(name)    int32_##name
#define BELOW_0(x) ((x) < 0)
#include "rows_integer.inc"

#define T          int16_t
#define U          uint32_t
#define N(name)    int16_##name
#define BELOW_0(x) ((x) < 0)
#include "rows_integer.inc"

#define T          int8_t
#define U          uint32_t
#define N(name)    int8_##name
#define BELOW_0(x) ((x) < 0)
#include "rows_integer.inc"

#define T          uint8_t
#define U          uint32_t
#define N(name)    uint8_##name
#define BELOW_0(x) ((void)(x), 0)
#include "rows_integer.inc"

tern_simd_row tern_simd_rows_integer(int32_t dtype, int32_t family, int32_t fn) {
    if (fn < 1) return NULL;
    switch (dtype) {
    case TERN_BT_INT64: return int64_row(family, fn);
    case TERN_BT_INT32: return int32_row(family, fn);
    case TERN_BT_INT16: return int16_row(family, fn);
    case TERN_BT_INT8: return int8_row(family, fn);
    case TERN_BT_UINT8: return uint8_row(family, fn);
    default: return NULL;
    }
}
