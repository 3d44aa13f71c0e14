/*
 * gemm_tile.h: one tile of a product in registers (gemm.h), for float32 and float64.
 *
 *     tern_simd_tile_f32(ROWS, VECTORS, k, a, rs_a, cs_a, b, ld, acc)
 *
 * adds to acc[r][v], r < rows and v < vectors, the sums over p < k of a[r * rs_a + p * cs_a] times the
 * v-th vector of b + p * ld. With `rows` and `vectors` known to the compiler acc stays in registers:
 * TERN_SIMD_ROWS rows of 2 vectors are what an instruction set has room for.
 */
#ifndef TERN_CPU_SIMD_GEMM_TILE_H
#define TERN_CPU_SIMD_GEMM_TILE_H

#include "gemm.h"

#if defined(__clang__)
#define SIMD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIMD_UNROLL _Pragma("GCC unroll 16")
#endif

#define NUMBER  float
#define VECTOR  f32v
#define LANES   F32_LANES
#define NAME(x) x##_f32
#define OP(x)   f32_##x
#include "gemm_tile.inc"

#define NUMBER  double
#define VECTOR  f64v
#define LANES   F64_LANES
#define NAME(x) x##_f64
#define OP(x)   f64_##x
#include "gemm_tile.inc"

#endif
