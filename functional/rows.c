/*
 * rows.c: the rows of functional.def as data: each an object of its own, and its text too, so that a static
 * program which names its operations in C carries those rows alone, and what they need (table.c has them
 * all).
 */
#include "functional.h"

#include "core/call/op_row.h" /* last: it says what a line of the table becomes */

#define OWN_TEXT(id, schema) static const char text_##id[] = "\0" #id "\0" schema;
#define SCHEMA(id)           (text_##id + sizeof #id + 1)

#define TERN_OP(id, schema, ...)                                                                   \
    OWN_TEXT(id, schema)                                                                           \
    const tern_op tern_functional_row_##id = ROW(id, SCHEMA(id), __VA_ARGS__);
#define TERN_OP_GRAD(id, schema, ...)                                                              \
    OWN_TEXT(id, schema)                                                                           \
    const tern_op tern_functional_row_##id = ROW_GRAD(id, SCHEMA(id), __VA_ARGS__);

#include "tern/functional.def"
