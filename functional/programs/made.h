/*
 * made.h: finished programs by what they were made from, kept in the context, so that a loop parses no
 * formula and derives no gradient twice.
 *
 * A program that is kept goes by its address where others go by their bytes: no copy of it is made, and its
 * gradient programs hang on it.
 */
#ifndef TERN_PROGRAM_MADE_H
#define TERN_PROGRAM_MADE_H

#include "program.h"

typedef struct tern_made_gradient tern_made_gradient;

/* A kept program. */
struct tern_made_program {
    tern_made_program *next; /* in its list */
    uint64_t hash;
    tern_program_traits traits;
    uint32_t source_size;
    const tern_map_attrs *attrs;
    size_t size;
    tern_made_gradient *gradients;
};

/* What a formula's program is made from: texts of the library's own, which are known by their addresses, and
 * what else there is to say (one of the kinds, and the rest below it). NULL is no text. */
enum {
    TERN_MADE_FORMULA = 0x10000,
    TERN_MADE_POINTWISE = 0x20000,
    TERN_MADE_CELL = 0x30000,
    TERN_MADE_GRADIENT = 0x40000,
    TERN_MADE_BYTES = 0x50000,
    TERN_MADE_EPILOGUE = 0x60000,
    TERN_MADE_TEXTS = 3
};
typedef struct tern_made_key {
    const char *text[TERN_MADE_TEXTS];
    uint32_t kind;
} tern_made_key;

/* The program as arguments and nodes hold it: its address. */
static inline tern_value tern_made_value(const tern_made_program *program) {
    return tern_int((int64_t)(intptr_t)program);
}

/* NULL for one that goes by its bytes. */
static inline tern_made_program *tern_made_of(tern_value program) {
    return program.kind == TERN_VALUE_INT ? (tern_made_program *)(intptr_t)program.as.i : NULL;
}

/* The program of a formula; NULL where it was not made yet. */
tern_made_program *tern_made_formula(tern_ctx *ctx, const tern_made_key *key);

/* The same where the texts are a caller's, which come and go: by what they say. */
tern_made_program *tern_made_text(tern_ctx *ctx, const tern_made_key *key);

/* Keeps a finished program for later calls, until the context closes. Returns its value, which are the bytes
 * themselves where no more is kept, as beyond a few hundred; none after latching. */
tern_value tern_made_keep(tern_ctx *ctx, const tern_made_key *key, tern_value bytes,
                          tern_program_traits traits);

/* The gradient of a program by the inputs that `wanted` marks, given gradients of the outputs that `given`
 * marks: the one that was made before where there is one. None after latching. */
tern_value tern_made_gradient_of(tern_ctx *ctx, tern_value program, const bool *given,
                                 const bool *wanted);

#endif
