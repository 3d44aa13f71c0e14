/*
 * draw.h: numbers of a seed: what a check computes with is the same wherever it runs.
 */
#ifndef TERN_TOOLS_PROPERTIES_DRAW_H
#define TERN_TOOLS_PROPERTIES_DRAW_H

#include "conformance/vectors_file.h"

/* A stream of numbers (splitmix64: Steele, Lea and Flood 2014). */
typedef struct stream {
    uint64_t state;
} stream;

/* The stream that belongs to a text and numbers. */
stream stream_of(const char *text, uint64_t a, uint64_t b);
uint64_t stream_next(stream *s);

/* A whole number from 0, below `limit`; in [0, 1). */
int64_t stream_below(stream *s, int64_t limit);
double stream_unit(stream *s);

/* What the elements of a tensor are: the makers of samples_core.def. */
typedef struct recipe {
    char kind;     /* 'f', 'p', ... */
    int64_t below; /* of 'i', 'r', 'h' */
    int along;     /* of 'r': the dimension along which all are different */
    bool repeated; /* along dimension `repeated_dim` all are equal, as a stride of 0 needs */
    int repeated_dim;
    int edge; /* edge values: this operand's place among the operands, from 1; 0: none;
                           -1: some among others, -2: without NaN */
} recipe;

/* Draws row-major elements into the open scope of `ctx`; false after latching an error. */
bool draw_elements(tern_ctx *ctx, stream *s, const recipe *r, tern_dtype dtype,
                   const tern_shape *shape, stored_tensor *out_tensor);

/* How many edge values a dtype has: operands of a map get every combination of two. */
int64_t edge_count(tern_dtype dtype);

int64_t shape_count(const tern_shape *shape);

#endif
