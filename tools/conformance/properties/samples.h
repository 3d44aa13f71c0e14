/*
 * samples.h: arguments for every operation: the tables samples_*.def, drawn from a seed and made into
 * tensors of a context.
 */
#ifndef TERN_TOOLS_PROPERTIES_SAMPLES_H
#define TERN_TOOLS_PROPERTIES_SAMPLES_H

#include "draw.h"

typedef struct sample {
    const char *name, *flags, *text; /* as samples_core.def describes them */
    int number;                      /* among those of the operation, from 1 */
} sample;

/* The table, row by row; NULL past the end. */
const sample *sample_at(size_t index);

/* Whether it has a flag. */
bool sample_is(const sample *s, char flag);

/* The operation's name for tern_call, without what tells overloads apart: 96 bytes. */
void sample_operation(const sample *s, const char *suffix, char *out_name);

/* How tensors lie in memory. */
typedef enum layout {
    LAYOUT_PLAIN,      /* row-major from the start of the storage */
    LAYOUT_TRANSPOSED, /* the first dimension innermost, with gaps and an offset */
    LAYOUT_SLICED,     /* every second element of longer rows, with an offset */
    LAYOUT_EXPANDED,   /* one dimension with stride 0 */
    LAYOUTS
} layout;

const char *layout_name(layout l);

enum { LARGE_ROUND = 100 };

typedef struct setting {
    uint64_t seed;
    uint64_t data; /* other elements of the same sizes */
    int round; /* 0: moderate sizes; else sizes are drawn, 0 and 1 among them; from LARGE_ROUND on
                      sizes of hundreds and thousands */
    tern_dtype dtype;
    layout layout;
    bool edges; /* edge values in the place of numbers */
} setting;

enum { MOST_TENSORS = 12 };

/* Arguments that lie on no device yet, in the open scope of the context that drew them. */
typedef struct drawn {
    tern_value named;
    layout layout;
    tern_dtype dtype; /* of the check */
    int count;
    stored_tensor tensors[MOST_TENSORS];
    bool of_case[MOST_TENSORS]; /* of the check's dtype */
    int expanded[MOST_TENSORS]; /* the dimension that stride 0 fits; -1: none */
} drawn;

/* False after latching an error. */
bool sample_draw(tern_ctx *ctx, const sample *s, const setting *with, drawn *out_drawn);

/* The same arguments on a context's device. */
typedef struct arguments {
    tern_value named;
    int count;
    tern_tensor *tensors[MOST_TENSORS];
} arguments;

bool arguments_make(tern_ctx *ctx, const drawn *d, arguments *out_arguments);

/* One of the tensors, as arguments_make makes it. */
tern_tensor *drawn_upload(tern_ctx *ctx, const drawn *d, int index);

#endif
