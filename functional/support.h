/* support.h: what a device does for an operation. */
#ifndef TERN_SUPPORT_H
#define TERN_SUPPORT_H

#include "functional.h"

/* "kernel", "composite", "host" or "missing", for operands of `dtype` (tern_op_support). */
const char *tern_support_of(tern_lane *lane, const tern_op *op, tern_dtype dtype);

#endif
