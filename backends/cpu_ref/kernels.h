/*
 * kernels.h: the kernels of the specification backend, one family a file in cpu_ref/.
 *
 * Each follows its comment in tern/backend.h. tern_kit_kernel_table gives them by id; a new backend
 * replaces them one by one.
 */
#ifndef TERN_KIT_KERNELS_H
#define TERN_KIT_KERNELS_H

#include "kernel.h"

int32_t tern_ref_fill(const tern_kit_call *call);
int32_t tern_ref_copy(const tern_kit_call *call);
int32_t tern_ref_unary(const tern_kit_call *call);
int32_t tern_ref_binary(const tern_kit_call *call);
int32_t tern_ref_ternary(const tern_kit_call *call);
int32_t tern_ref_reduce(const tern_kit_call *call);
int32_t tern_ref_scan(const tern_kit_call *call);
int32_t tern_ref_sort(const tern_kit_call *call);
int32_t tern_ref_matmul(const tern_kit_call *call);
int32_t tern_ref_gather(const tern_kit_call *call);
int32_t tern_ref_scatter(const tern_kit_call *call);
int32_t tern_ref_index_select(const tern_kit_call *call);
int32_t tern_ref_index_add(const tern_kit_call *call);
int32_t tern_ref_index_get(const tern_kit_call *call);
int32_t tern_ref_index_put(const tern_kit_call *call);
int32_t tern_ref_nonzero_count(const tern_kit_call *call);
int32_t tern_ref_nonzero(const tern_kit_call *call);
int32_t tern_ref_conv(const tern_kit_call *call);
int32_t tern_ref_conv_grad_input(const tern_kit_call *call);
int32_t tern_ref_conv_grad_weight(const tern_kit_call *call);
int32_t tern_ref_max_pool(const tern_kit_call *call);
int32_t tern_ref_max_pool_grad(const tern_kit_call *call);
int32_t tern_ref_avg_pool(const tern_kit_call *call);
int32_t tern_ref_avg_pool_grad(const tern_kit_call *call);
int32_t tern_ref_resize(const tern_kit_call *call);
int32_t tern_ref_resize_grad(const tern_kit_call *call);
int32_t tern_ref_attention(const tern_kit_call *call);
int32_t tern_ref_attention_grad(const tern_kit_call *call);
int32_t tern_ref_embedding_grad(const tern_kit_call *call);
int32_t tern_ref_map(const tern_kit_call *call);
int32_t tern_ref_matmul_map(const tern_kit_call *call);
int32_t tern_ref_conv_map(const tern_kit_call *call);
int32_t tern_ref_norm(const tern_kit_call *call);
int32_t tern_ref_norm_grad(const tern_kit_call *call);
int32_t tern_ref_softmax(const tern_kit_call *call);
int32_t tern_ref_softmax_grad(const tern_kit_call *call);
int32_t tern_ref_cross_entropy(const tern_kit_call *call);
int32_t tern_ref_cross_entropy_grad(const tern_kit_call *call);
int32_t tern_ref_recurrent(const tern_kit_call *call);
int32_t tern_ref_recurrent_grad(const tern_kit_call *call);

/*
 * Whether a member of the family takes the dtype of its first floating or integer operand (b of
 * WHERE). Every supports() answer about the element-wise families comes from here.
 */
bool tern_ref_unary_has(int32_t fn, int32_t dtype);
bool tern_ref_binary_has(int32_t fn, int32_t dtype);
bool tern_ref_ternary_has(int32_t fn, int32_t dtype);

/*
 * The members on numbers, for MAP: up to TERN_KIT_CHUNK of them, and the results replace a. `dtype` is
 * that of the operands.
 */
void tern_ref_unary_floating(int32_t fn, double *a, int64_t n);
void tern_ref_unary_integer(int32_t fn, int64_t *a, int64_t n);
void tern_ref_ternary_floating(const tern_ternary_attrs *attrs, int32_t dtype, double *a,
                               const double *b, const double *c, int64_t n);
void tern_ref_ternary_integer(const tern_ternary_attrs *attrs, int64_t *a, const int64_t *b,
                              const int64_t *c, int64_t n);

/* The sum of float32, float64, float16 and bfloat16 in PyTorch's order (reduce_sum.c). */
int32_t tern_ref_sum_floating(const tern_kit_call *call);

#endif
