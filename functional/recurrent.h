/*
 * recurrent.h: recurrent layers over whole sequences: what their files share.
 *
 * recurrent.c has the operations, recurrent_cells.c the formulas of a step, recurrent_compose.c the layer
 * and its gradient for a device without the fused kernels, and for a gradient that is recorded. Shapes
 * are those of tern/backend_fused.h: t steps, n rows, i inputs, h hidden units, k gates.
 */
#ifndef TERN_RECURRENT_H
#define TERN_RECURRENT_H

#include "functional.h"
#include "tern/backend.h"

enum { TERN_CELL_GATES = 4, TERN_RECURRENT_OPERANDS = 7 };

/* A formula of several results: the names of its inputs, its parts, and which of them are results. */
typedef struct tern_cell_formula {
    const char *inputs, *parts, *outputs;
} tern_cell_formula;

/*
 * One step. `a` is the input's share of the gates, w x + b, and `m` the hidden state's, u h + d. The
 * results of `step` are the next h, LSTM's next c, and what the gradient needs; those of `gradient` the
 * gradients of the a, for GRU those of the m, and what goes on to the step before.
 */
typedef struct tern_cell {
    const char *name;
    int32_t fn;       /* TERN_RECURRENT_* */
    int gates;        /* k */
    int kept;         /* values for the gradient, h each: 4, or 0 where it needs the output alone */
    bool keeps_cells; /* LSTM */
    bool takes_state; /* the step reads the c or h before it */
    bool splits_gates; /* GRU: the gradients of a and m differ */
    tern_cell_formula step, gradient;
} tern_cell;

/* By its name, "lstm"; NULL where there is none. Of a call, whose first argument it is: latches. */
const tern_cell *tern_cell_named(const char *name);
const tern_cell *tern_cell_of(const tern_opcall *call);

/* The programs of a cell: a step, the same without what a gradient needs, and the gradient. */
typedef enum tern_cell_part { TERN_CELL_STEP, TERN_CELL_STATES, TERN_CELL_GRADIENT } tern_cell_part;

/* How many results a program has; the program, kept or its bytes, none after latching. */
int tern_cell_results(const tern_cell *cell, tern_cell_part part);
tern_value tern_cell_program(tern_ctx *ctx, const tern_cell *cell, tern_cell_part part,
                             tern_dtype compute);

/* A layer in one direction. */
typedef struct tern_recurrent {
    tern_opcall *call;
    const tern_cell *cell;
    bool reverse, biased;
    int64_t t, n, i, h;
    tern_dtype dtype, wide;                   /* that of the operands, that which is computed in */
    tern_tensor *x, *h0, *c0, *w, *u, *b, *d; /* NULL where there is none */
    tern_tensor *y, *gates, *cells;           /* the results */
} tern_recurrent;

/* The gradients of the results; NULL is zero. */
typedef struct tern_recurrent_incoming {
    tern_tensor *y, *h, *c;
} tern_recurrent_incoming;

/* The time of a step: steps count from the beginning, or from the end in reverse. */
static inline int64_t tern_recurrent_time(const tern_recurrent *l, int64_t step) {
    return l->reverse ? l->t - 1 - step : step;
}

/* [n, width] at a time of [t, n, ..]: columns from column * width on. */
tern_tensor *tern_recurrent_part(tern_tensor *whole, int64_t time, int64_t column, int64_t width);

/* Fills in y, gates and cells, which are there. */
void tern_recurrent_compose(tern_recurrent *l);

/* The gradients of the operands whose bits are in `wanted`, in the order of x, h0, c0, w, u, b, d. The
 * second is made of recorded operations, from the operands alone. */
void tern_recurrent_compose_gradient(tern_recurrent *l, const tern_recurrent_incoming *incoming,
                                     uint32_t wanted, tern_tensor **out_grads);
void tern_recurrent_record_gradient(tern_recurrent *l, const tern_recurrent_incoming *incoming,
                                    uint32_t wanted, tern_tensor **out_grads);

#endif
