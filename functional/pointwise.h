/*
 * pointwise.h: the operations of pointwise.def: formulas with PyTorch's boundaries.
 */
#ifndef TERN_POINTWISE_H
#define TERN_POINTWISE_H

#include "programs/defined.h"

/* The value of a row for a call whose first argument is the tensor, and the numbers in place of the
 * call's own where `args` is not NULL. None after latching. */
tern_value tern_pointwise(tern_opcall *call, tern_pointwise_row row, const tern_value *args);

/* The gradient of such a call. */
void tern_pointwise_grad(tern_node *node, tern_pointwise_row row, tern_tensor *const *grad_out,
                         tern_tensor **grads);

#endif
