/*
 * made.h: finished programs by what they were made from, kept in the context, so that a loop parses no
 * formula and derives no gradient twice. kept.h has those that a row of a table has a place for.
 */
#ifndef TERN_PROGRAM_MADE_H
#define TERN_PROGRAM_MADE_H

#include "program.h"

/* What a program is made from: pieces of memory, compared byte by byte. */
enum { TERN_SOURCE_PIECES = 4 };
typedef struct tern_program_source {
    const void *piece[TERN_SOURCE_PIECES];
    size_t size[TERN_SOURCE_PIECES];
} tern_program_source;

/* The program, a string of bytes in the open scope, and the number that was kept with it; none where it was
 * not made yet, or after latching. */
tern_value tern_program_made(tern_ctx *ctx, const tern_program_source *source,
                             uint64_t *out_traits);

/* Keeps it until the context closes. Beyond a few hundred nothing more is kept. */
void tern_program_was_made(tern_ctx *ctx, const tern_program_source *source, tern_value bytes,
                           uint64_t traits);

#endif
