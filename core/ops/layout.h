/*
 * layout.h: the order of a tensor's elements in memory, and new tensors that keep it.
 *
 * PyTorch's *_like functions keep the strides of a dense input, and its random fills run over
 * memory rather than over indices.
 */
#ifndef TERN_CORE_OPS_LAYOUT_H
#define TERN_CORE_OPS_LAYOUT_H

#include "core/call/op.h"

/* out_perm[0] is the dimension whose neighbours are closest, out_perm[rank - 1] the farthest: the
 * order in which PyTorch's TensorIterator walks. */
TERN_API void tern_memory_order(const tern_tensor *tensor, int *out_perm);

/* A new tensor of the shape and the memory order of `like`, without gaps; contents open. */
TERN_API tern_tensor *tern_new_dense_like(tern_lane *lane, const tern_tensor *like,
                                          tern_dtype dtype);

/* A new tensor over a copy of host data: numel elements of `dtype` in the memory order of `like`
 * (NULL: row-major of `shape`). */
TERN_API tern_tensor *tern_new_from_host(tern_lane *lane, const void *data, tern_dtype dtype,
                                         const tern_shape *shape, const tern_tensor *like);

/* Host memory for `count` elements, which the context keeps for the next time: it goes back by
 * tern_host_give. Latches and returns NULL when there is none. */
TERN_API void *tern_host_buffer(tern_ctx *ctx, int64_t count, size_t element_size);

/* A tensor's elements in row-major order, as elements of `dtype`; latches and returns NULL on
 * failure. Goes back by tern_host_give. Waits for the device. */
TERN_API void *tern_host_copy(tern_ctx *ctx, tern_tensor *tensor, tern_dtype dtype);

/* Gives back what the two above returned; NULL is fine. */
TERN_API void tern_host_give(tern_ctx *ctx, void *buffer);

/* A result: the tensor, or none where something was latched. */
static inline tern_value tern_result(const tern_opcall *call, tern_tensor *tensor) {
    return call->ctx->status == TERN_OK ? tern_tensor_value(tensor) : tern_none();
}

/* A new contiguous tensor on the call's device. */
static inline tern_tensor *tern_new_shaped(tern_opcall *call, tern_dtype dtype,
                                           const tern_shape *shape) {
    return tern_tensor_new(call->lane, dtype, shape->rank, shape->dim);
}

/* Gives a fresh contiguous tensor another shape of as many elements. A result of an operation that
 * is not a view must not come from one: it would share an alias. Returns nil after latching. */
TERN_API tern_tensor *tern_set_shape(tern_tensor *tensor, const tern_shape *shape);

/* A bit mask of one dimension; 0 for a 0-dim tensor, which has none to name. */
static inline uint32_t tern_dim_bit(const tern_tensor *tensor, int dim) {
    return BODY(tensor)->rank ? 1u << dim : 0u;
}

#endif
