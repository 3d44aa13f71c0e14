/* table.c: the rows of functional.def as data. */
#include "functional.h"

#include "core/call/op_row.h" /* last: it says what a line of the table becomes */

const tern_op tern_functional_ops[] = {
#include "tern/functional.def"
};
