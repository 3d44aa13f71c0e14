/* arg.h: the arguments of a call, spelled short: TERN_CALL(sum, ARG_TENSOR(x), ARG_INT(dim)). */
#ifndef TERN_CORE_ARG_H
#define TERN_CORE_ARG_H

#include "tern/value.h"

#define ARG_TENSOR(tensor) tern_tensor_value(tensor)
#define ARG_INT(number)    tern_int(number)
#define ARG_FLOAT(number)  tern_float(number)
#define ARG_BOOL(number)   tern_bool(number)
#define ARG_SHAPE(shape)   tern_ints((shape).dim, (size_t)(shape).rank)
#define ARG_DTYPE(dtype)   tern_dtype_value(dtype)

#endif
