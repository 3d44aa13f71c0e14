/* reduce.h: what the reductions share: shapes with dimensions reduced, and the kernel's call. */
#ifndef TERN_CORE_OPS_REDUCE_H
#define TERN_CORE_OPS_REDUCE_H

#include "layout.h"

/* A value as a list of integers (one integer is a list of one); rank -1 for none. */
tern_shape tern_shape_of_value(tern_value value);

/* The dims argument as a bit mask, all of them where none is given; false after latching. */
bool tern_reduce_mask(tern_ctx *ctx, int rank, tern_value dims, uint32_t *out_mask);

/* The shape with the dimensions in mask at size 1 (keepdim) or gone. */
tern_shape tern_reduced_shape(const tern_shape *shape, uint32_t mask, bool keepdim);

/* How many elements go into one result. */
int64_t tern_reduced_count(const tern_shape *shape, uint32_t mask);

/*
 * REDUCE fn over `mask` into `dtype`, which is what the kernel writes for the input's dtype. A
 * reduction of nothing is filled with `empty`. `value` is the kernel's (VAR, NORM). No recording.
 */
TERN_API tern_tensor *tern_reduce_raw(tern_opcall *call, tern_tensor *input, int32_t fn,
                                      uint32_t mask, bool keepdim, tern_dtype dtype, double value,
                                      double empty);

/* sum_to_size of a gradient, recorded where gradients are: a launch and no more where they are not. The
 * gradient itself where it has the size. */
tern_tensor *tern_sum_gradient(tern_tensor *grad, const tern_shape *size);

/* A reduced tensor in the shape that broadcasts to what was reduced: keepdim is put back. */
tern_tensor *tern_unreduce(tern_tensor *reduced, const tern_shape *shape, uint32_t mask);

/* The mask of a node's dims argument over input 0; 0 after latching. */
uint32_t tern_node_mask(tern_node *node, int arg);

#endif
