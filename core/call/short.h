/*
 * short.h: element-wise calls whose operands agree already.
 *
 * Most calls of a loop have contiguous operands of one floating dtype and one shape: nothing is to be
 * promoted, broadcast or converted, and the row of the table says which kernel to start. Such a call
 * takes a short path; NULL means that this one must take the long path, which says why where it is
 * wrong. Results, recorded nodes and errors are those of the long path.
 */
#ifndef TERN_CORE_SHORT_H
#define TERN_CORE_SHORT_H

#include "op.h"

/* A row of the family UNARY, whose result has the input's dtype or is bool. */
tern_tensor *tern_short_unary(const tern_op *op, tern_tensor *input);

/* A row of the family BINARY, alpha 1. */
tern_tensor *tern_short_binary(const tern_op *op, tern_tensor *a, tern_tensor *b);

/* The same with a number as the second operand, which goes to the kernel as an immediate. */
tern_tensor *tern_short_scalar(const tern_op *op, tern_tensor *a, double number);

#endif
