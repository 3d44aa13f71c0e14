/*
 * reduce.h: the parts of REDUCE, by what they reduce.
 */
#ifndef TERN_CPU_SIMD_REDUCE_H
#define TERN_CPU_SIMD_REDUCE_H

#include "../cpu_ref/kernel.h"

/* SUM and MEAN of floating dtypes (reduce_sum.c). */
int32_t tern_simd_sum(const tern_kit_call *call);

/* MAX, MIN, ARGMAX, ARGMIN and VAR of float32 and float64 where what is reduced lies in runs; false, and
 * nothing is done, where it does not (reduce_runs.c). */
bool tern_simd_reduce_runs(const tern_kit_call *call);

#endif
