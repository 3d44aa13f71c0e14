/*
 * strong_wolfe.h: a line search for the strong Wolfe conditions along a direction d,
 *
 *     loss(t) <= loss(0) + c1 t slope(0)     and     |slope(t)| <= c2 |slope(0)|,
 *
 * Nocedal and Wright 2006, algorithms 3.5 and 3.6, in torch.optim.lbfgs's form.
 */
#ifndef TERN_OPTIM_STRONG_WOLFE_H
#define TERN_OPTIM_STRONG_WOLFE_H

#include "internal.h"

#define TERN_LINE_SPARES 3

/* A point on the line: the step length, the loss, its derivative along d, its gradient. */
typedef struct tern_line_point {
    double t, loss, slope;
    tern_tensor *grad;
} tern_line_point;

typedef struct tern_line {
    /* Fills loss, slope and the contents of `grad` at out->t. False after latching. */
    bool (*evaluate)(void *user, tern_line_point *out);
    void *user;
    tern_line_point start;                 /* t = 0 */
    double largest;                        /* the largest |d| */
    tern_tensor *spares[TERN_LINE_SPARES]; /* what gradients are written to; start.grad stays */
    int64_t evaluations;
} tern_line;

/* Searches from the step length t. out_point->grad is start.grad or a spare. */
bool tern_strong_wolfe(tern_line *line, double t, tern_line_point *out_point);

#endif
