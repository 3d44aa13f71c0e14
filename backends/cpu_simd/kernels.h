/*
 * kernels.h: the kernels of cpu_simd that replace those of the backend kit.
 *
 * Each computes what its comment in tern/backend.h says, in an order of its own where that leaves
 * it free. A kernel that meets a case it has nothing better for (an odd dtype, a member that is rare)
 * calls the kit's.
 */
#ifndef TERN_CPU_SIMD_KERNELS_H
#define TERN_CPU_SIMD_KERNELS_H

#include "../cpu_ref/kernels.h"

int32_t tern_simd_copy(const tern_kit_call *call);
int32_t tern_simd_fill(const tern_kit_call *call);

#endif
