/*
 * recurrent_compose.c: a recurrent layer of products and programs.
 *
 * The input's share of all gates is one product before the steps; a step is one product, of the state and u,
 * and one program, which writes into the step's place in the results. The gradient goes back the same way,
 * and those of the weights are one product each over all steps:
 *
 *     forward    a = x w + b [t, n, k h];  each step: m = h u + d;  (h, c, gates) = step(a, m, c or h)
 *     backward   each step: (da, dm, ..) = gradient(dh, dy, ..) [n, k h];  dh = dm u
 *                dx = da w,  dw = sum(da x),  du = sum(dm h before),  db = sum(da),  dd = sum(dm)
 *
 * All is computed in float32 where the operands are narrower, and rounded at the end. A gradient that is
 * recorded, to be differentiated again, has the same programs and sums over tensors of their own.
 */
#include "core/ops/compose.h"
#include "programs/run.h"
#include "recurrent.h"

enum { MOST = 2 * TERN_CELL_GATES + 1 }; /* operands of a program, and its results */

tern_tensor *tern_recurrent_part(tern_tensor *whole, int64_t time, int64_t column, int64_t width) {
    if (tern_is_nil(whole)) return whole;
    const tern_tensor_body *body = BODY(whole);
    const int64_t shape[] = {body->shape[1], width};
    return tern_tensor_over(body->lane, body->storage, body->dtype, 2, shape, body->strides + 1,
                            body->offset + time * body->strides[0] +
                                column * width * body->strides[2]);
}

/* [n, all columns] at a time. */
static tern_tensor *at_time(tern_tensor *whole, int64_t time) {
    return tern_recurrent_part(whole, time, 0, tern_size(whole, 2));
}

/* [t, n, m] as the matrix [t n, m]. */
static tern_tensor *rows_of(tern_tensor *x) {
    if (tern_is_nil(x)) return x;
    return tern_reshape(x, TERN_SHAPE(BODY(x)->shape[0] * BODY(x)->shape[1], BODY(x)->shape[2]));
}

static tern_tensor *open_tensor(const tern_recurrent *l, int64_t times, int64_t width) {
    const int64_t shape[] = {times, l->n, width};
    return tern_tensor_new(l->call->lane, l->wide, 3, shape);
}

/* out = a b + c, where c, a row or of out's shape, may be NULL. */
static void product(const tern_recurrent *l, tern_tensor *a, tern_tensor *b, tern_tensor *c,
                    tern_tensor *out) {
    static const tern_matmul_attrs attrs = {1, 1, 1, 1};
    if (l->call->ctx->status != TERN_OK) return;
    tern_shape shape = tern_shape_of(out);
    tern_tensor *operands[] = {a, b, c ? tern_broadcast_view(c, &shape) : NULL};
    if (l->call->ctx->status != TERN_OK) return;
    if (BODY(a)->shape[1] > 0)
        tern_launch(l->call->lane, TERN_KERNEL_MATMUL, 0, operands, c ? 3 : 2, &out, 1, &attrs,
                    sizeof attrs);
    else if (c)
        tern_copy_raw(out, operands[2]);
    else
        tern_fill_raw(out, 0, 0);
}

static void run(const tern_recurrent *l, tern_value program, tern_tensor *const *operands,
                tern_tensor *const *outputs) {
    if (l->call->ctx->status == TERN_OK)
        tern_program_run_into(l->call, tern_program_of(program),
                              tern_program_size(tern_program_of(program)), operands, outputs);
}

/* ---- forward --------------------------------------------------------------------------------- */

/* The layer with its operands in the dtype to compute in. */
static tern_recurrent widened(const tern_recurrent *l) {
    tern_recurrent wide = *l;
    tern_tensor **all[] = {&wide.x, &wide.h0, &wide.c0, &wide.w, &wide.u, &wide.b, &wide.d};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) *all[k] = tern_widen(*all[k]);
    return wide;
}

static void step_forward(tern_recurrent *l, tern_value program, int64_t step, tern_tensor *a,
                         tern_tensor *m, tern_tensor *u) {
    int64_t time = tern_recurrent_time(l, step), before = tern_recurrent_time(l, step - 1);
    tern_tensor *h = step ? at_time(l->y, before) : l->h0, *in[MOST], *out[MOST];
    int n = 0, n_out = 0;
    product(l, h, u, l->d, at_time(m, 0));
    for (int k = 0; k < l->cell->gates; k++) in[n++] = tern_recurrent_part(a, time, k, l->h);
    for (int k = 0; k < l->cell->gates; k++) in[n++] = tern_recurrent_part(m, 0, k, l->h);
    if (l->cells)
        in[n] = step ? at_time(l->cells, before) : l->c0;
    else
        in[n] = h;
    out[n_out++] = at_time(l->y, time);
    if (l->cells) out[n_out++] = at_time(l->cells, time);
    for (int k = 0; k < l->cell->kept; k++)
        out[n_out++] = tern_recurrent_part(l->gates, time, k, l->h);
    run(l, program, in, out);
}

void tern_recurrent_compose(tern_recurrent *given) {
    tern_ctx *ctx = given->call->ctx;
    tern_recurrent l = widened(given);
    const tern_cell *cell = l.cell;
    tern_value program = tern_cell_program(ctx, cell, TERN_CELL_STEP, l.wide);
    tern_tensor *a = open_tensor(&l, l.t, cell->gates * l.h);
    tern_tensor *m = open_tensor(&l, 1, cell->gates * l.h);
    tern_tensor *u = tern_t(l.u);
    if (l.wide != l.dtype) {
        l.y = open_tensor(&l, l.t, l.h);
        if (l.gates) l.gates = open_tensor(&l, l.t, cell->kept * l.h);
        if (l.cells) l.cells = open_tensor(&l, l.t, l.h);
    }
    if (ctx->status != TERN_OK) return;
    product(&l, rows_of(l.x), tern_t(l.w), l.b, rows_of(a));
    for (int64_t step = 0; step < l.t && ctx->status == TERN_OK; step++) {
        tern_scope scope = tern_scope_inner(ctx);
        step_forward(&l, program, step, a, m, u);
        tern_scope_end(scope);
    }
    if (l.wide == l.dtype || ctx->status != TERN_OK) return;
    tern_copy_raw(given->y, l.y);
    if (l.gates) tern_copy_raw(given->gates, l.gates);
    if (l.cells) tern_copy_raw(given->cells, l.cells);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* What has been found of the gradients, in the dtype that is computed in. */
typedef struct found {
    tern_tensor *da, *dm; /* [t, n, k h] */
    tern_tensor *dh, *dc; /* [n, h], of the state before the first step */
} found;

/* The gradient of u: of the first step by the first state, of the others by the outputs before them. */
static tern_tensor *gradient_of_u(const tern_recurrent *l, tern_tensor *dm) {
    int64_t first = tern_recurrent_time(l, 0);
    tern_tensor *sum = tern_mm(tern_t(tern_select(dm, 0, first)), l->h0);
    if (l->t == 1) return sum;
    tern_tensor *later = rows_of(tern_narrow(dm, 0, l->reverse ? 0 : 1, l->t - 1));
    tern_tensor *before = rows_of(tern_narrow(l->y, 0, l->reverse ? 1 : 0, l->t - 1));
    return tern_addmm(sum, tern_t(later), before);
}

/* The wanted gradients, by operations: they are recorded where the operands are. */
static void finish(const tern_recurrent *l, const found *f, uint32_t wanted,
                   tern_tensor **out_grads) {
    tern_tensor *da = rows_of(f->da), *dm = rows_of(f->dm);
    int dw = l->c0 ? 3 : 2, count = dw + (l->biased ? 4 : 2);
    for (int k = 0; k < count; k++) {
        if (!(wanted >> k & 1u)) continue;
        tern_tensor *grad = NULL;
        if (k == 0) grad = tern_reshape(tern_mm(da, l->w), TERN_SHAPE(l->t, l->n, l->i));
        if (k == 1) grad = f->dh;
        if (k == 2 && l->c0) grad = f->dc;
        if (k == dw) grad = tern_mm(tern_t(da), rows_of(l->x));
        if (k == dw + 1) grad = gradient_of_u(l, f->dm);
        if (k == dw + 2) grad = tern_sum_dims(da, TERN_SHAPE(0), false);
        if (k == dw + 3) grad = tern_sum_dims(dm, TERN_SHAPE(0), false);
        out_grads[k] = tern_to_dtype(grad, l->dtype);
    }
}

/* A step's state and results, for the program of its gradient. */
typedef struct moment {
    tern_tensor *dh, *dy, *dc;   /* what comes from the step after, and from the output */
    tern_tensor *h, *c, *before; /* after the step; c or h before it */
    tern_tensor *gates[TERN_CELL_GATES];
} moment;

static int gradient_operands(const tern_cell *cell, const moment *at, tern_tensor **out) {
    int n = 0;
    out[n++] = at->dh;
    out[n++] = at->dy;
    if (cell->keeps_cells) out[n++] = at->dc;
    for (int k = 0; k < cell->kept; k++) out[n++] = at->gates[k];
    if (cell->keeps_cells) out[n++] = at->c;
    out[n++] = cell->takes_state ? at->before : at->h;
    return n;
}

/* No gradient: a number that stands everywhere. */
static tern_tensor *zeros(const tern_recurrent *l) {
    tern_shape shape = TERN_SHAPE(l->n, l->h);
    return tern_broadcast_view(tern_tensor_number(l->call->lane, l->wide, 0, 0), &shape);
}

/* `carried`, [1, n, h]: LSTM's dc, GRU's part of dh that goes by the product. */
static void step_backward(const tern_recurrent *l, tern_value program, int64_t step, moment *at,
                          const found *f, tern_tensor *dh, tern_tensor *carried) {
    const tern_cell *cell = l->cell;
    int64_t time = tern_recurrent_time(l, step), before = tern_recurrent_time(l, step - 1);
    tern_tensor *in[MOST], *out[MOST];
    int n = 0;
    at->h = at_time(l->y, time);
    if (l->cells) at->c = at_time(l->cells, time);
    if (l->cells)
        at->before = step ? at_time(l->cells, before) : l->c0;
    else
        at->before = step ? at_time(l->y, before) : l->h0;
    for (int k = 0; k < cell->kept; k++)
        at->gates[k] = tern_recurrent_part(l->gates, time, k, l->h);
    gradient_operands(cell, at, in);
    for (int k = 0; k < cell->gates; k++) out[n++] = tern_recurrent_part(f->da, time, k, l->h);
    for (int k = 0; k < cell->gates && cell->splits_gates; k++)
        out[n++] = tern_recurrent_part(f->dm, time, k, l->h);
    if (cell->takes_state) out[n] = at_time(carried, 0);
    run(l, program, in, out);
    product(l, at_time(f->dm, time), l->u, cell->splits_gates ? at_time(carried, 0) : NULL, dh);
}

void tern_recurrent_compose_gradient(tern_recurrent *given, const tern_recurrent_incoming *incoming,
                                     uint32_t wanted, tern_tensor **out_grads) {
    tern_ctx *ctx = given->call->ctx;
    tern_recurrent l = widened(given);
    const tern_cell *cell = l.cell;
    tern_tensor *dy = tern_widen(incoming->y), *zero = zeros(&l);
    l.y = tern_widen(l.y);
    l.gates = tern_widen(l.gates);
    l.cells = tern_widen(l.cells);
    tern_value program = tern_cell_program(ctx, cell, TERN_CELL_GRADIENT, l.wide);
    found f = {.da = open_tensor(&l, l.t, cell->gates * l.h)};
    f.dm = cell->splits_gates ? open_tensor(&l, l.t, cell->gates * l.h) : f.da;
    tern_tensor *last = open_tensor(&l, 1, l.h), *carried = open_tensor(&l, 1, l.h);
    if (ctx->status != TERN_OK) return;
    f.dh = at_time(last, 0);
    f.dc = at_time(carried, 0);
    moment at = {.dh = incoming->h ? tern_widen(incoming->h) : zero,
                 .dc = incoming->c ? tern_widen(incoming->c) : zero};
    for (int64_t step = l.t - 1; step >= 0 && ctx->status == TERN_OK; step--) {
        tern_scope scope = tern_scope_inner(ctx);
        at.dy = dy ? at_time(dy, tern_recurrent_time(&l, step)) : zero;
        step_backward(&l, program, step, &at, &f, f.dh, carried);
        tern_scope_end(scope);
        at.dh = f.dh;
        at.dc = f.dc;
    }
    if (ctx->status == TERN_OK) finish(&l, &f, wanted, out_grads);
}

/* ---- recorded -------------------------------------------------------------------------------- */

/* A program over tensors, recorded, and its results; false after latching. */
static bool apply(const tern_recurrent *l, tern_value program, tern_tensor *const *operands,
                  int count, int n_results, tern_tensor **out_results) {
    int64_t dtypes[MOST] = {0};
    for (int k = 0; k < n_results; k++) dtypes[k] = (int64_t)l->wide;
    if (l->call->ctx->status != TERN_OK) return false;
    return tern_program_apply(l->call->ctx, program, dtypes, n_results, operands, count,
                              out_results);
}

/* All steps from the operands, to `moments`, and y. */
static void record_forward(tern_recurrent *l, moment *moments, tern_tensor **room) {
    const tern_cell *cell = l->cell;
    int n_results = tern_cell_results(cell, TERN_CELL_STEP);
    tern_value program = tern_cell_program(l->call->ctx, cell, TERN_CELL_STEP, l->wide);
    tern_tensor *a = tern_linear(l->x, l->w, l->b), *h = l->h0, *c = l->c0;
    for (int64_t step = 0; step < l->t && l->call->ctx->status == TERN_OK; step++) {
        tern_tensor *m = tern_linear(h, l->u, l->d), *in[MOST], *out[MOST];
        tern_tensor *now = tern_select(a, 0, tern_recurrent_time(l, step));
        moment *at = &moments[step];
        int n = 0, from = 1;
        for (int k = 0; k < cell->gates; k++) in[n++] = tern_narrow(now, 1, k * l->h, l->h);
        for (int k = 0; k < cell->gates; k++) in[n++] = tern_narrow(m, 1, k * l->h, l->h);
        at->before = cell->keeps_cells ? c : h;
        if (cell->takes_state) in[n++] = at->before;
        if (!apply(l, program, in, n, n_results, out)) return;
        room[tern_recurrent_time(l, step)] = at->h = h = out[0];
        if (cell->keeps_cells) at->c = c = out[from++];
        for (int k = 0; k < cell->kept; k++) at->gates[k] = out[from + k];
    }
    l->y = tern_stack(room, (int)l->t, 0);
}

static void record_backward(tern_recurrent *l, const tern_recurrent_incoming *incoming,
                            moment *moments, tern_tensor **das, tern_tensor **dms, found *out) {
    const tern_cell *cell = l->cell;
    int n_results = tern_cell_results(cell, TERN_CELL_GRADIENT);
    tern_tensor *dy = tern_widen(incoming->y), *zero = zeros(l);
    tern_tensor *dh = incoming->h ? tern_widen(incoming->h) : zero;
    tern_tensor *dc = incoming->c ? tern_widen(incoming->c) : zero;
    tern_value program = tern_cell_program(l->call->ctx, cell, TERN_CELL_GRADIENT, l->wide);
    for (int64_t step = l->t - 1; step >= 0 && l->call->ctx->status == TERN_OK; step--) {
        int64_t time = tern_recurrent_time(l, step);
        moment *at = &moments[step];
        tern_tensor *in[MOST], *results[MOST];
        at->dh = dh;
        at->dc = dc;
        at->dy = dy ? tern_select(dy, 0, time) : zero;
        if (!apply(l, program, in, gradient_operands(cell, at, in), n_results, results)) return;
        das[time] = dms[time] = tern_cat(results, cell->gates, 1);
        if (cell->splits_gates) dms[time] = tern_cat(results + cell->gates, cell->gates, 1);
        dc = results[n_results - 1];
        dh = cell->splits_gates ? tern_addmm(dc, dms[time], l->u) : tern_mm(dms[time], l->u);
    }
    out->da = out->dm = tern_stack(das, (int)l->t, 0);
    if (cell->splits_gates) out->dm = tern_stack(dms, (int)l->t, 0);
    out->dh = dh;
    out->dc = dc;
}

void tern_recurrent_record_gradient(tern_recurrent *given, const tern_recurrent_incoming *incoming,
                                    uint32_t wanted, tern_tensor **out_grads) {
    tern_ctx *ctx = given->call->ctx;
    tern_recurrent l = widened(given);
    found f;
    moment *moments = tern_scope_alloc(ctx, (size_t)l.t * sizeof *moments);
    tern_tensor **room = tern_scope_alloc(ctx, 2 * (size_t)l.t * sizeof *room);
    if (!moments || !room) return;
    record_forward(&l, moments, room);
    if (ctx->status == TERN_OK) record_backward(&l, incoming, moments, room, room + l.t, &f);
    if (ctx->status == TERN_OK) finish(&l, &f, wanted, out_grads);
}
