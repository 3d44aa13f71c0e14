/*
 * defined.h: the rows of pointwise.def, operations that are formulas over one tensor and numbers, as the
 * programs that they are.
 */
#ifndef TERN_PROGRAM_DEFINED_H
#define TERN_PROGRAM_DEFINED_H

#include "program.h"

typedef enum tern_pointwise_row {
#define POINTWISE(id, names, formula, derivative)         TERN_POINTWISE_##id,
#define POINTWISE_CHECKED(id, names, formula, derivative) TERN_POINTWISE_##id,
#define POINTWISE_FORM(id, names, formula, derivative)    TERN_POINTWISE_##id,
#include "functional/pointwise.def"
#undef POINTWISE
#undef POINTWISE_CHECKED
#undef POINTWISE_FORM
    TERN_POINTWISE_COUNT
} tern_pointwise_row;

typedef struct tern_defined {
    const char *id, *names, *formula, *derivative; /* NULL: the mechanical one */
} tern_defined;

extern const tern_defined tern_defined_rows[TERN_POINTWISE_COUNT];

/* The row of a name, where reverse mode over its formula gives PyTorch's derivative, so that it may be a
 * part of another formula; else NULL. */
const tern_defined *tern_defined_find(const char *name, size_t length);

/*
 * Parses a formula in which rows may be functions: a user's, with tern_defined_find. The library's own name
 * none, so that a program without a user's formula need not hold the rows.
 */
typedef const tern_defined *(*tern_defined_finder)(const char *name, size_t length);
int16_t tern_program_parse_with(tern_program *p, const char *formula, tern_program_name *names,
                                int n_names, tern_defined_finder finder, char *out_message,
                                size_t message_size);

/* The arguments of a row: their names, numbered in their order, and the defaults; none for the tensor and
 * for a number that has none. */
enum { TERN_DEFINED_ARGS = 4 };
typedef struct tern_defined_arguments {
    int count;
    tern_program_name names[TERN_DEFINED_ARGS + 1]; /* behind them g, the gradient */
    tern_value values[TERN_DEFINED_ARGS];
} tern_defined_arguments;
void tern_defined_read(const tern_defined *row, tern_defined_arguments *out);

#endif
