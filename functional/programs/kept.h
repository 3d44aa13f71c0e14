/*
 * kept.h: finished programs of the library's own, made once in the process, by the first call that needs
 * them. What differs from call to call are the operands and the dtype that is computed in.
 */
#ifndef TERN_PROGRAM_KEPT_H
#define TERN_PROGRAM_KEPT_H

#include <stdatomic.h>

#include "program.h"

/* Zeroed is none yet. A program that is longer is made at every call. */
enum { TERN_PROGRAM_KEPT_BYTES = 1536 };
typedef struct tern_program_kept {
    atomic_int state; /* 0: not made, 1: being made, 2: there */
    uint32_t size;
    union {
        tern_map_attrs attrs;
        tern_map_constant align;
        char bytes[TERN_PROGRAM_KEPT_BYTES];
    } as;
} tern_program_kept;

/* The program for floats that are computed in `compute`, a string of bytes in the open scope; none where
 * it is not there, or after latching. */
tern_value tern_program_recall(tern_ctx *ctx, tern_program_kept *kept, tern_dtype compute);

/* Keeps a program that was finished for a floating dtype. */
void tern_program_keep(tern_program_kept *kept, tern_value bytes);

#endif
