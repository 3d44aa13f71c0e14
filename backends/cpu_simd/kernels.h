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
#include "../cpu_ref/kit.h"

int32_t tern_simd_copy(const tern_kit_call *call);
int32_t tern_simd_fill(const tern_kit_call *call);
int32_t tern_simd_unary(const tern_kit_call *call);
int32_t tern_simd_binary(const tern_kit_call *call);
int32_t tern_simd_ternary(const tern_kit_call *call);
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
int32_t tern_simd_softmax(const tern_kit_call *call);
int32_t tern_simd_softmax_grad(const tern_kit_call *call);
int32_t tern_simd_norm(const tern_kit_call *call);
int32_t tern_simd_norm_grad(const tern_kit_call *call);
int32_t tern_simd_reduce(const tern_kit_call *call);
int32_t tern_simd_cross_entropy(const tern_kit_call *call);
int32_t tern_simd_cross_entropy_grad(const tern_kit_call *call);
int32_t tern_simd_embedding_grad(const tern_kit_call *call);
int32_t tern_simd_attend(const tern_kit_call *call);
int32_t tern_simd_recurrent(const tern_kit_call *call);
int32_t tern_simd_recurrent_grad(const tern_kit_call *call);
int32_t tern_simd_attend_grad(const tern_kit_call *call);

/* MAP, all tuples of a launch: instead of tern_kit_launch. */
int32_t tern_simd_map(tern_kit_device *device, const tern_operand *inputs, int32_t n_inputs,
                      const tern_operand *outputs, int32_t n_outputs, const tern_map_attrs *program,
                      tern_backend_error *err);

/* MATMUL_MAP and CONV_MAP likewise. */
int32_t tern_simd_epilogue(tern_kit_device *device, int32_t kernel, const tern_operand *inputs,
                           int32_t n_inputs, const tern_operand *out, const void *attrs,
                           tern_backend_error *err);

#endif
