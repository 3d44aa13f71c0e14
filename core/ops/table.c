/* table.c: the rows of ops.def as data. */
#include "core/call/op_row.h"

#define TERN_OP(id, schema, ...)      ROW(id, TEXT(id, schema), __VA_ARGS__),
#define TERN_OP_GRAD(id, schema, ...) ROW_GRAD(id, TEXT(id, schema), __VA_ARGS__),

const tern_op tern_core_ops[] = {
#include "tern/ops.def"
};
