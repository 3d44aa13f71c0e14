/* table.c: the rows of ops.def as data. */
#include "core/call/op_row.h"

const tern_op tern_core_ops[] = {
#include "tern/ops.def"
};
