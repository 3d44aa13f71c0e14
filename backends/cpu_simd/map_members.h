/*
 * map_members.h: the steps of float32 programs as functions of vectors, for map_programs.def: what simd.h and
 * vmath.h do not have. A comparison is the vectors' own, whose mask stands in place of 1 and 0.
 */
#ifndef TERN_CPU_SIMD_MAP_MEMBERS_H
#define TERN_CPU_SIMD_MAP_MEMBERS_H

#include "vmath.h"

/* 1 where the mask is set, else 0. */
SIMD_INLINE f32v f32_of_mask(i32v mask) {
    return (f32v)(mask & (i32v)f32_set(1));
}

SIMD_INLINE f32v f32_neg(f32v x) {
    return -x;
}
SIMD_INLINE f32v f32_sign(f32v x) {
    return f32_of_mask(x > 0) - f32_of_mask(x < 0);
}
SIMD_INLINE f32v f32_square(f32v x) {
    return x * x;
}
SIMD_INLINE f32v f32_reciprocal(f32v x) {
    return 1 / x;
}
SIMD_INLINE f32v f32_frac(f32v x) {
    return x - f32_trunc(x);
}
SIMD_INLINE f32v f32_relu(f32v x) {
    return (f32v)((i32v)x & ~(x < 0));
}
SIMD_INLINE i32v f32_isnan(f32v x) {
    return x != x;
}
SIMD_INLINE i32v f32_isinf(f32v x) {
    return f32_abs(x) == __builtin_inff();
}
SIMD_INLINE i32v f32_isfinite(f32v x) {
    return f32_abs(x) < __builtin_inff();
}
SIMD_INLINE i32v f32_signbit(f32v x) {
    return (i32v)x < 0;
}

SIMD_INLINE f32v f32_add_scaled(f32v a, f32v b, f32v factor) {
    return f32_fma_one(factor, b, a);
}
SIMD_INLINE f32v f32_sub_scaled(f32v a, f32v b, f32v factor) {
    return f32_fma_one(-factor, b, a);
}
SIMD_INLINE f32v f32_maximum(f32v a, f32v b) {
    return f32_select((a != a) | (a > b), a, b);
}
SIMD_INLINE f32v f32_minimum(f32v a, f32v b) {
    return f32_select((a != a) | (a < b), a, b);
}
SIMD_INLINE f32v f32_fmax(f32v a, f32v b) {
    return f32_select((b != b) | (a > b), a, b);
}
SIMD_INLINE f32v f32_fmin(f32v a, f32v b) {
    return f32_select((b != b) | (a < b), a, b);
}
SIMD_INLINE f32v f32_heaviside(f32v a, f32v b) {
    return f32_select(a == 0, b, f32_of_mask(a > 0));
}

SIMD_INLINE f32v f32_clamp(f32v x, f32v low, f32v high) {
    f32v raised = f32_select(x < low, low, x);
    f32v result = f32_select(raised > high, high, raised);
    i32v unordered = (x == x) & ((low != low) | (high != high));
    return f32_select(unordered, f32_set(__builtin_nanf("")), result);
}
SIMD_INLINE f32v f32_addcmul(f32v a, f32v b, f32v c) {
    return f32_fma_one(b, c, a);
}
SIMD_INLINE f32v f32_addcmul_scaled(f32v a, f32v b, f32v c, f32v factor) {
    return f32_fma_one(factor * b, c, a);
}
SIMD_INLINE f32v f32_addcdiv(f32v a, f32v b, f32v c) {
    return a + b / c;
}
SIMD_INLINE f32v f32_addcdiv_scaled(f32v a, f32v b, f32v c, f32v factor) {
    return a + factor * b / c;
}
SIMD_INLINE f32v f32_lerp(f32v from, f32v to, f32v weight) {
    i32v near = f32_abs(weight) < 0.5F;
    f32v factor = f32_select(near, weight, weight - 1);
    return f32_fma_one(factor, to - from, f32_select(near, from, to));
}

SIMD_INLINE f32v f32_same(f32v x) {
    return x;
}
SIMD_INLINE f32v f32_to_f16(f32v x) {
    return f32_of_f16(f16_of_f32(x));
}
SIMD_INLINE f32v f32_to_bf16(f32v x) {
    return f32_of_bf16(bf16_of_f32(x));
}

#endif
