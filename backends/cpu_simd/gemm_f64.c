/*
 * Products summed in float64.
 */
#include "../cpu_ref/walk.h"
#include "gemm_number.h"
#include "gemm_tile.h"
#include "simd_lanes.h"

#define NUMBER  double
#define VECTOR  f64v
#define LANES   F64_LANES
#define PANEL   TERN_SIMD_PANEL_F64
#define NAME(x) x##_f64
#define OP(x)   f64_##x
#include "gemm_block.inc"

#define SOURCE              double
#define WIDEN(from)         f64_load(from)
#define WIDEN_SOME(from, n) f64_load_some(from, n)
#define TURN                f64_load_transposed
#define PACK(x)             x##_f64
#include "gemm_pack.inc"
#include "gemm_vector.inc"

void tern_simd_pack_columns_f64(int64_t count, int64_t k, const void *from, int64_t stride,
                                int64_t k_stride, void *to) {
    pack_columns_f64(count, k, from, stride, k_stride, to);
}

void tern_simd_pack_rows_f64(int64_t count, int64_t k, const void *from, int64_t stride,
                             int64_t k_stride, void *to) {
    pack_rows_f64(count, k, from, stride, k_stride, to);
}

static inline f64v load_vector(int32_t dtype, const void *from) {
    (void)dtype;
    return f64_load(from);
}

static inline void store_vector(int32_t dtype, void *to, f64v x) {
    (void)dtype;
    f64_store(to, x);
}

#include "gemm_finish.inc"

#include "gemm_dots.inc"

const tern_simd_number tern_simd_number_f64 = {
    .size = sizeof(double),
    .k_together = 1,
    .panel = PANEL,
    .block = tern_simd_block_f64,
    .finish = finish_f64,
    .dots = dots_f64,
    .pack_rows = {[TERN_BT_FLOAT64] = pack_rows_f64},
    .pack_columns = {[TERN_BT_FLOAT64] = pack_columns_f64},
    .multiply_rows = {[TERN_BT_FLOAT64] = multiply_rows_f64},
    .multiply_columns = {[TERN_BT_FLOAT64] = multiply_columns_f64},
};
