/*
 * Pooling in float64.
 */
#include <math.h>

#include "pool.h"

#define NUMBER        double
#define VECTOR        f64v
#define LANES         F64_LANES
#define DTYPE         TERN_BT_FLOAT64
#define NAME(x)       x##_f64
#define OP(x)         f64_##x
#define INTEGER       int64_t
#define INTEGERS      i64v
#define INTEGER_OP(x) i64_##x

SIMD_INLINE void store_places_f64(void *to, i64v places, int64_t n) {
    f64_store_some(to, (f64v)places, n);
}

#include "pool_typed.inc"
