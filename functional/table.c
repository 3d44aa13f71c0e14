/* table.c: all rows of functional.def, in their order, for calls by name. */
#include "functional.h"

#define TERN_OP(id, schema, kind, saves, kernel, fn)      &tern_functional_row_##id,
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn) &tern_functional_row_##id,

const tern_op *const tern_functional_ops[] = {
#include "tern/functional.def"
};
