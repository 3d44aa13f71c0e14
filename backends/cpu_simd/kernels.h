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
int32_t tern_simd_conv(const tern_kit_call *call);
int32_t tern_simd_conv_grad_input(const tern_kit_call *call);
int32_t tern_simd_conv_grad_weight(const tern_kit_call *call);
int32_t tern_simd_max_pool(const tern_kit_call *call);
int32_t tern_simd_max_pool_grad(const tern_kit_call *call);
int32_t tern_simd_avg_pool(const tern_kit_call *call);
int32_t tern_simd_avg_pool_grad(const tern_kit_call *call);
int32_t tern_simd_scan(const tern_kit_call *call);
int32_t tern_simd_sort(const tern_kit_call *call);
int32_t tern_simd_gather(const tern_kit_call *call);
int32_t tern_simd_scatter(const tern_kit_call *call);
int32_t tern_simd_index_select(const tern_kit_call *call);
int32_t tern_simd_index_add(const tern_kit_call *call);
int32_t tern_simd_index_get(const tern_kit_call *call);
int32_t tern_simd_index_put(const tern_kit_call *call);
int32_t tern_simd_nonzero_count(const tern_kit_call *call);
int32_t tern_simd_nonzero(const tern_kit_call *call);
int32_t tern_simd_matmul(const tern_kit_call *call);

#endif
