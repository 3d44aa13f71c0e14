/* subscript.h: Python's subscripts, written as text. */
#ifndef TERN_FUNCTIONAL_SUBSCRIPT_H
#define TERN_FUNCTIONAL_SUBSCRIPT_H

#include "core/call/op.h"

/* x[text] of integers, slices, "..." and "None", as a view. Nil after latching a message that names the
 * column. */
tern_tensor *tern_subscript(tern_opcall *call, tern_tensor *x, const char *text);

#endif
