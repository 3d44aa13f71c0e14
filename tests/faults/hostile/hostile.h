/*
 * hostile.h: calls of operations by name with arguments of the right kinds that no program would give.
 */
#ifndef TERN_TESTS_HOSTILE_H
#define TERN_TESTS_HOSTILE_H

#include "tern/tern.h"

/* A stream of numbers (splitmix64: Steele, Lea and Flood 2014). */
typedef struct stream {
    uint64_t state;
} stream;

uint64_t next(stream *s);
int64_t below(stream *s, int64_t limit);
/* True once in `n`. */
bool once_in(stream *s, int n);

enum { MOST_LEAVES = 16, SIZES = 6, MOST_ARGUMENTS = TERN_SCHEMA_MAX_ARGS + 2 };

/* One call, drawn from a seed and its number. */
typedef struct call {
    stream s;
    tern_ctx *ctx, *other; /* whose tensors and generators are foreign */
    const char *second;    /* a further device that the context has opened, or NULL */
    bool endless;          /* an argument has more elements than anyone can wait for */
    int64_t sizes[SIZES];  /* of a sample's tensors */
    tern_shape any;
    tern_dtype dtype;
    tern_tensor *leaves[MOST_LEAVES];
    int n_leaves;
    char name[96];
    tern_value positional[MOST_ARGUMENTS];
    int n_positional;
    tern_value named;
} call;

/* Draws the name and the arguments, which lie in the open scope. */
void call_draw(call *c);

/* ---- arguments ------------------------------------------------------------------------------- */

/* Sizes and positions: small ones, and the ends of 16, 32 and 64 bits. */
int64_t hostile_int(stream *s);

/* Any dtype, complex ones among them. */
tern_dtype any_dtype(stream *s);

/* A tensor of a shape, with elements that are mostly ordinary and in any layout; of integers mostly below
 * `limit`, where it is not 0. */
tern_tensor *drawn_tensor(call *c, tern_shape shape, tern_dtype dtype, int64_t limit);

/* Anything that a variable for a tensor can hold. */
tern_tensor *hostile_tensor(call *c);

/* A value of one of the kinds that an argument takes (TERN_TAKES bits). */
tern_value hostile_value(call *c, uint32_t types);

#endif
