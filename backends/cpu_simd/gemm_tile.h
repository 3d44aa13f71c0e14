/*
 * gemm_tile.h: one tile of a product in registers (gemm.h), for float32 and float64.
 *
 *     tern_simd_tile_down_f32(ROWS, VECTORS, k, a, cs_a, b, ld, acc)      rows of a adjacent
 *     tern_simd_tile_along_f32(ROWS, VECTORS, k, a, rs_a, b, ld, acc)     k of a contiguous
 *     tern_simd_tile_packed_f32(ROWS, VECTORS, k, a, b, ahead, acc)       a and b packed
 *
 * add to acc[r][v], r < rows and v < vectors, the sums over p < k of a[r, p] times the v-th vector of
 * b + p * ld. With `rows` and `vectors` known to the compiler acc stays in registers: TERN_SIMD_ROWS rows of
 * 2 vectors are what an instruction set has room for.
 *
 * The loops take four k at a time. A processor whose two threads share a core starts about three
 * instructions a cycle for each of them, and 20 are needed for the 12 products of a step of AVX2: whatever
 * is added to those is lost. So an address is a pointer, plus a constant, or plus a stride in bytes, which an
 * instruction adds by itself; pointers in between are kept apart (SIMD_APART), since compilers would
 * otherwise keep each sum in a register of its own, and run out of them.
 */
#ifndef TERN_CPU_SIMD_GEMM_TILE_H
#define TERN_CPU_SIMD_GEMM_TILE_H

#include <stdatomic.h>

#include "gemm.h"

/* A pointer or stride of which the compiler knows nothing from here on. */
#define SIMD_APART(x) __asm__("" : "+r"(x))

#define SIMD_BEHIND(pointer, bytes) ((const void *)((const char *)(pointer) + (bytes)))

/* acc += x * y, which stays in its register: compilers choose forms of the instruction that write to
 * another operand's, and then move and spill sums. */
SIMD_INLINE void f32_accumulate(f32v *acc, f32v x, f32v y) {
#if defined(__FMA__)
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*acc) : "v"(x), "v"(y));
#else
    *acc = f32_fma(x, y, *acc);
#endif
}
SIMD_INLINE void f64_accumulate(f64v *acc, f64v x, f64v y) {
#if defined(__FMA__)
    __asm__("vfmadd231pd %2, %1, %0" : "+v"(*acc) : "v"(x), "v"(y));
#else
    *acc = f64_fma(x, y, *acc);
#endif
}

/*
 * What a tile with both operands packed asks the second cache for while it multiplies, two lines for every four k:
 * from `at` on, every `step` bytes, `left` times; then from `next` on. Asked for all at once, the rows of out would
 * keep the panel, which comes from that cache too, waiting. With narrower vectors it would take more than it gives.
 */
typedef struct tern_simd_ahead {
    const char *at;
    int64_t step, left;
    const char *next;
} tern_simd_ahead;
#define TERN_SIMD_ASKS  (SIMD_BYTES == 64)
#define TERN_SIMD_ASKED 128 /* bytes at once */

SIMD_INLINE void tern_simd_ask(tern_simd_ahead *ahead) {
    if (!TERN_SIMD_ASKS) return;
    __builtin_prefetch(ahead->at, 0, 2); /* 2: the second cache */
    __builtin_prefetch(ahead->at + 64, 0, 2);
    ahead->at += ahead->step;
    if (--ahead->left != 0) return;
    ahead->at = ahead->next;
    ahead->step = TERN_SIMD_ASKED;
}

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
