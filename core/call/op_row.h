/* op_row.h: what turns the lines of ops.def and functional.def into rows; for their files only. */
#ifndef TERN_CORE_OP_ROW_H
#define TERN_CORE_OP_ROW_H

#include "op.h"

#define PRIMITIVE TERN_OP_PRIMITIVE
#define COMPOSITE TERN_OP_COMPOSITE
#define THROUGH   TERN_OP_THROUGH
#define VIEW      TERN_OP_VIEW
#define PART      TERN_OP_PART
#define CREATE    TERN_OP_CREATE
#define HOST      TERN_OP_HOST
#define IN(k)     TERN_SAVE_INPUT(k)
#define INS       TERN_SAVE_INPUTS
#define OUT       TERN_SAVE_OUTPUTS
#define BESIDES   TERN_SAVE_BESIDES
#define COMPLEX   TERN_TAKES_COMPLEX

#define TERN_KERNEL_NONE 0

/* A row's text: its id, then its schema, each ended by a zero; the row points to the schema. One
 * pointer serves for both, since each costs the library a relocation. */
#define TEXT(id, schema) (&("\0" #id "\0" schema)[sizeof #id + 1])

/* The row of one line of a table, without and with a gradient. */
#define ROW(id, text, kind, saves, kernel, fn)                                                     \
    { text, kind, saves, TERN_KERNEL_##kernel, fn, tern_op_##id, NULL }
#define ROW_GRAD(id, text, kind, saves, kernel, fn)                                                \
    { text, kind, saves, TERN_KERNEL_##kernel, fn, tern_op_##id, tern_grad_##id }

#endif
