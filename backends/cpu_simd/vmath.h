/*
 * vmath.h: elementary functions of vectors: f32_exp(f32v), f64_exp(f64v) and so on.
 *
 * The functions of numerics/elementary.h, of the same names, with the same special cases (NaN, infinities,
 * signed zeros, subnormal results, arguments of any size). Functions of float32 are within 2 ulp of the
 * true value (docs/ulp.md says how far), those of float64 too. All are inline, so that a loop around one,
 * or a formula of several, stays in registers.
 */
#ifndef TERN_CPU_SIMD_VMATH_H
#define TERN_CPU_SIMD_VMATH_H

#include "vmath_f32.h"
#include "vmath_f64.h"

#endif
