/*
 * complex.h: operations on complex tensors, composed of operations on their real and imaginary parts.
 *
 * No kernel knows complex numbers. A row of the tables either takes them as they are, since it moves elements or
 * changes strides alone (COMPLEX in its `saves`), or has a rule here, or refuses. A rule is recorded through
 * its parts, and view_as_real and view_as_complex are each other's gradient. That gives PyTorch's convention:
 * the gradient of a real L at z = x + iy is dL/dx + i dL/dy, the conjugate Wirtinger derivative times 2.
 */
#ifndef TERN_CORE_OPS_COMPLEX_H
#define TERN_CORE_OPS_COMPLEX_H

#include "core/call/op.h"

/* What an operation does with complex tensors (complex_rules.c); NULL where it has no rule. */
typedef tern_value (*tern_complex_rule)(tern_opcall *call);
tern_complex_rule tern_complex_rule_of(const tern_op *op);

/* A call with a complex tensor or dtype of a row that does not take them: by rule, or refused. */
tern_value tern_complex_call(tern_opcall *call);

/* ---- recorded ---- */

/* [..., 2] of a complex tensor, which shares its storage. */
TERN_API tern_tensor *tern_pairs_of(tern_tensor *x);

/* The complex tensor of [..., 2], copied where its elements do not lie as pairs. */
TERN_API tern_tensor *tern_of_pairs(tern_tensor *pairs);

/* The real (0) or the imaginary (1) part of a complex tensor, a view. */
TERN_API tern_tensor *tern_part_of(tern_tensor *x, int part);

/* re + i im, of one shape and dtype. */
TERN_API tern_tensor *tern_of_parts(tern_tensor *re, tern_tensor *im);

#endif
