/*
 * Pooling in float32, of float32, float16 and bfloat16.
 */
#include <math.h>

#include "pool.h"

#define NUMBER        float
#define VECTOR        f32v
#define LANES         F32_LANES
#define DTYPE         TERN_BT_FLOAT32
#define NAME(x)       x##_f32
#define OP(x)         f32_##x
#define INTEGER       int32_t
#define INTEGERS      i32v
#define INTEGER_OP(x) i32_##x

/* The first n lanes as int64, one behind the other. */
SIMD_INLINE void store_places_f32(void *to, i32v places, int64_t n) {
    typedef int32_t half __attribute__((vector_size(SIMD_BYTES / 2)));
    half part[2];
    memcpy(part, &places, sizeof part);
    f64_store_some(to, (f64v) __builtin_convertvector(part[0], i64v),
                   n < F64_LANES ? n : F64_LANES);
    if (n > F64_LANES)
        f64_store_some((int64_t *)to + F64_LANES, (f64v) __builtin_convertvector(part[1], i64v),
                       n - F64_LANES);
}

#include "pool_typed.inc"
