/* table.c: the rows of functional.def as data. */
#include "core/op_row.h"

const tern_op tern_functional_ops[] = {
#include "tern/functional.def"
};
