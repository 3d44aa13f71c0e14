/*
 * Products summed in float32, of float32, float16 and bfloat16.
 */
#include "../cpu_ref/walk.h"
#include "gemm_number.h"
#include "gemm_tile.h"
#include "simd_lanes.h"

#define NUMBER        float
#define VECTOR        f32v
#define LANES         F32_LANES
#define PANEL         TERN_SIMD_PANEL_F32
#define NAME(x)       x##_f32
#define OP(x)         f32_##x
#define STORE_ROUNDED tern_simd_store_rounded
#include "gemm_block.inc"

/* A square of 16-bit floats, transposed. */
static inline void turn_bf16(const uint16_t *from, int64_t stride, f32v *x) {
    for (int i = 0; i < LANES; i++) x[i] = f32_of_bf16(u16_load(from + i * stride));
    f32_transpose(x);
}

static inline void turn_f16(const uint16_t *from, int64_t stride, f32v *x) {
    for (int i = 0; i < LANES; i++) x[i] = f32_of_f16(u16_load(from + i * stride));
    f32_transpose(x);
}

#define SOURCE              float
#define WIDEN(from)         f32_load(from)
#define WIDEN_SOME(from, n) f32_load_some(from, n)
#define TURN                f32_load_transposed
#define PACK(x)             x##_f32
#include "gemm_pack.inc"
#include "gemm_vector.inc"

#define SOURCE              uint16_t
#define WIDEN(from)         f32_of_bf16(u16_load(from))
#define WIDEN_SOME(from, n) f32_of_bf16(u16_load_some(from, n))
#define TURN                turn_bf16
#define PACK(x)             x##_bf16
#include "gemm_pack.inc"
#include "gemm_vector.inc"

#define SOURCE              uint16_t
#define WIDEN(from)         f32_of_f16(u16_load(from))
#define WIDEN_SOME(from, n) f32_of_f16(u16_load_some(from, n))
#define TURN                turn_f16
#define PACK(x)             x##_f16
#include "gemm_pack.inc"
#include "gemm_vector.inc"

void tern_simd_pack_columns_f32(int64_t count, int64_t k, const void *from, int64_t stride,
                                int64_t k_stride, void *to) {
    pack_columns_f32(count, k, from, stride, k_stride, to);
}

void tern_simd_pack_rows_f32(int64_t count, int64_t k, const void *from, int64_t stride,
                             int64_t k_stride, void *to) {
    pack_rows_f32(count, k, from, stride, k_stride, to);
}

/* A vector of a contiguous dtype, and back. */
static inline f32v load_vector(int32_t dtype, const void *from) {
    if (dtype == TERN_BT_FLOAT32) return f32_load(from);
    u16v x = u16_load(from);
    return dtype == TERN_BT_BFLOAT16 ? f32_of_bf16(x) : f32_of_f16(x);
}

static inline void store_vector(int32_t dtype, void *to, f32v x) {
    if (dtype == TERN_BT_FLOAT32)
        f32_store(to, x);
    else
        tern_simd_store_rounded(dtype, to, x, LANES);
}

#include "gemm_finish.inc"

#include "gemm_dots.inc"

const tern_simd_number tern_simd_number_f32 = {
    .size = sizeof(float),
    .k_together = 1,
    .panel = PANEL,
    .block = tern_simd_block_f32,
    .finish = finish_f32,
    .dots = dots_f32,
    .pack_rows = {[TERN_BT_FLOAT32] = pack_rows_f32,
                  [TERN_BT_FLOAT16] = pack_rows_f16,
                  [TERN_BT_BFLOAT16] = pack_rows_bf16},
    .pack_columns = {[TERN_BT_FLOAT32] = pack_columns_f32,
                     [TERN_BT_FLOAT16] = pack_columns_f16,
                     [TERN_BT_BFLOAT16] = pack_columns_bf16},
    .multiply_rows = {[TERN_BT_FLOAT32] = multiply_rows_f32,
                      [TERN_BT_FLOAT16] = multiply_rows_f16,
                      [TERN_BT_BFLOAT16] = multiply_rows_bf16},
    .multiply_columns = {[TERN_BT_FLOAT32] = multiply_columns_f32,
                         [TERN_BT_FLOAT16] = multiply_columns_f16,
                         [TERN_BT_BFLOAT16] = multiply_columns_bf16},
};
