/*
 * RECURRENT and RECURRENT_GRAD: one layer in one direction over a whole sequence.
 *
 * The formulas and shapes are those of tern/backend_fused.h. LSTM: Hochreiter, Schmidhuber, 1997, with the
 * forget gate of Gers, Schmidhuber, Cummins, 2000. GRU: Cho et al., 2014. With a = w x + b, of all steps
 * at once, and m = u h + d, of one:
 *
 *     LSTM   i, f, g, o = s(a0 + m0), s(a1 + m1), tanh(a2 + m2), s(a3 + m3)
 *            c' = f c + i g          h' = o tanh(c')
 *     GRU    r, z = s(a0 + m0), s(a1 + m1)        q = tanh(a2 + r m2)        h' = (h - q) z + q
 *     RNN    h' = tanh(a + m) or relu(a + m)
 *
 * and back, from the last step to the first, with e the gradient of h':
 *
 *     LSTM   dc' += e o (1 - tanh(c')^2)
 *            da0 = dc' g i (1 - i)   da1 = dc' c f (1 - f)   da2 = dc' i (1 - g^2)
 *            da3 = e tanh(c') o (1 - o)              dc = dc' f      dm = da
 *     GRU    da2 = e (1 - z) (1 - q^2)       dm2 = da2 r
 *            da0 = dm0 = da2 m2 r (1 - r)    da1 = dm1 = e (h - q) z (1 - z)
 *     RNN    da = dm = e (1 - h'^2), or e where h' > 0
 *
 *     dh = u^T dm, and z e more for GRU      dx = w^T da     dw = sum(da x^T)    du = sum(dm h^T)
 *     db = sum(da)    dd = sum(dm)           over all steps and rows
 *
 * Everything is copied into scratch memory of the dtype that is computed in, float64 or float32, without
 * gaps; each product is MATMUL's and each sum REDUCE's, and each operation between rounds to that dtype, so
 * that the bits are those of the layer composed of steps. float16 and bfloat16 round at the end.
 */
#include "kernels.h"
#include "kit.h"
#include "numerics/elementary.h"
#include "walk.h"

enum { MOST_GATES = 4, UNIT = 8 /* the most numbers that one unit gives */ };

/* A matrix in memory of the dtype that is computed in. */
typedef struct matrix {
    char *data;
    int64_t shape[2], strides[2];
} matrix;

typedef struct layer {
    const tern_kit_call *call;
    int32_t fn, dtype;
    bool biased, reverse;
    int64_t t, n, i, h, k; /* steps, rows, inputs, hidden units, gates */
    int64_t kept;          /* numbers a unit keeps for the gradient */
    char *room;            /* scratch memory that is left */
} layer;

/* ---- numbers and matrices -------------------------------------------------------------------- */

static double get(const layer *l, const matrix *m, int64_t row, int64_t column) {
    int64_t at = row * m->strides[0] + column * m->strides[1];
    return l->dtype == TERN_BT_FLOAT64 ? ((const double *)(const void *)m->data)[at]
                                       : (double)((const float *)(const void *)m->data)[at];
}

static void set(const layer *l, const matrix *m, int64_t row, int64_t column, double x) {
    int64_t at = row * m->strides[0] + column * m->strides[1];
    if (l->dtype == TERN_BT_FLOAT64)
        ((double *)(void *)m->data)[at] = x;
    else
        ((float *)(void *)m->data)[at] = (float)x;
}

/* A result, rounded. */
static double r(const layer *l, double x) {
    return l->dtype == TERN_BT_FLOAT64 ? x : (double)(float)x;
}

/* Room for a matrix, contents open. */
static matrix take(layer *l, int64_t rows, int64_t columns) {
    matrix m = {l->room, {rows, columns}, {columns, 1}};
    l->room += rows * columns * tern_kit_size(l->dtype);
    return m;
}

/* `count` rows from `first` on. */
static matrix rows_of(const layer *l, const matrix *m, int64_t first, int64_t count) {
    matrix rows = *m;
    rows.data += first * m->strides[0] * tern_kit_size(l->dtype);
    rows.shape[0] = count;
    return rows;
}

static matrix turned(const matrix *m) {
    return (matrix){m->data, {m->shape[1], m->shape[0]}, {m->strides[1], m->strides[0]}};
}

/* Copies between an operand of any rank and strides and a matrix of as many elements. */
static void copy(const layer *l, const tern_kit_tensor *operand, const matrix *m, bool back) {
    int64_t strides[TERN_BACKEND_MAX_RANK];
    tern_kit_row_major(operand, strides);
    tern_kit_tensor own =
        tern_kit_tensor_over(m->data, l->dtype, operand->rank, operand->shape, strides);
    tern_kit_call call = *l->call;
    call.inputs = back ? &own : operand;
    call.outputs = back ? operand : &own;
    tern_ref_copy(&call);
}

/* An operand as a matrix, with its last dimension for columns. */
static matrix load(layer *l, const tern_kit_tensor *from) {
    int64_t columns = from->shape[from->rank - 1];
    matrix m = take(l, tern_kit_count(from) / columns, columns);
    copy(l, from, &m, false);
    return m;
}

/* The same back: `to` has as many elements. */
static void store(const layer *l, const matrix *m, const tern_kit_tensor *to) {
    copy(l, to, m, true);
}

/* ---- products and sums ----------------------------------------------------------------------- */

static tern_kit_tensor tensor_of(const layer *l, const matrix *m) {
    return tern_kit_tensor_over(m->data, l->dtype, 2, m->shape, m->strides);
}

/* out = a x + c; c may be NULL. */
static int32_t multiply(const layer *l, const matrix *a, const matrix *x, const matrix *c,
                        const matrix *out) {
    const tern_matmul_attrs attrs = {1, 1, 1, 1};
    const matrix *all[] = {a, x, c ? c : out, out};
    tern_kit_tensor tensors[4];
    for (int k = 0; k < 4; k++) tensors[k] = tensor_of(l, all[k]);
    tern_kit_call product = *l->call;
    product.inputs = tensors;
    product.n_inputs = c ? 3 : 2;
    product.outputs = &tensors[3];
    product.attrs = &attrs;
    return tern_ref_matmul(&product);
}

/* out = the sum of all rows. */
static int32_t sum_rows(const layer *l, const matrix *m, const matrix *out) {
    const tern_reduce_attrs attrs = {TERN_REDUCE_SUM, 1, 0};
    const tern_kit_tensor in = tensor_of(l, m), to = tensor_of(l, out);
    tern_kit_call sum = *l->call;
    sum.inputs = &in;
    sum.outputs = &to;
    sum.attrs = &attrs;
    return tern_ref_sum_floating(&sum);
}

/* An operand of one row, added to `count` of them. */
static matrix repeated(layer *l, const tern_kit_tensor *row, int64_t count) {
    matrix m = load(l, row);
    m.shape[0] = count;
    m.strides[0] = 0;
    return m;
}

/* ---- one unit, forward ----------------------------------------------------------------------- */

/* From a, m and the c or h before: h', for LSTM c', and the values kept. */
typedef void (*unit_step)(const layer *l, const double *a, const double *m, double before,
                          double *out);

static double sigmoid(const layer *l, double x) {
    return r(l, tern_num_sigmoid(r(l, x)));
}
static double tangent(const layer *l, double x) {
    return r(l, tern_num_tanh(r(l, x)));
}

static void lstm(const layer *l, const double *a, const double *m, double c, double *out) {
    double i = sigmoid(l, a[0] + m[0]), f = sigmoid(l, a[1] + m[1]);
    double g = tangent(l, a[2] + m[2]), o = sigmoid(l, a[3] + m[3]);
    double next = r(l, r(l, f * c) + r(l, i * g));
    const double all[] = {r(l, o * tangent(l, next)), next, i, f, g, o};
    for (int k = 0; k < 6; k++) out[k] = all[k];
}

static void gru(const layer *l, const double *a, const double *m, double h, double *out) {
    double reset = sigmoid(l, a[0] + m[0]), z = sigmoid(l, a[1] + m[1]);
    double q = tangent(l, a[2] + r(l, reset * m[2]));
    const double all[] = {r(l, r(l, r(l, h - q) * z) + q), reset, z, q, m[2]};
    for (int k = 0; k < 5; k++) out[k] = all[k];
}

static void plain_tanh(const layer *l, const double *a, const double *m, double h, double *out) {
    (void)h;
    out[0] = tangent(l, a[0] + m[0]);
}

static void plain_relu(const layer *l, const double *a, const double *m, double h, double *out) {
    (void)h;
    double x = r(l, a[0] + m[0]);
    out[0] = x < 0 ? 0 : x;
}

/* ---- one unit, backward ---------------------------------------------------------------------- */

/* What a step's gradient reads of one unit: e and dc' come in, h' and c' were given, `before` is h or c. */
typedef struct unit {
    double e, dc, h, c, before, kept[MOST_GATES];
} unit;

/* The da, the dm, and what goes on to the step before: LSTM's dc, GRU's z e. */
typedef void (*unit_gradient)(const layer *l, const unit *u, double *da, double *dm,
                              double *carried);

/* x (1 - x), and 1 - x^2: the slopes of sigmoid and tanh. */
static double sigmoid_slope(const layer *l, double x) {
    return r(l, x * r(l, 1 - x));
}
static double tangent_slope(const layer *l, double x) {
    return r(l, 1 - r(l, x * x));
}

static void lstm_gradient(const layer *l, const unit *u, double *da, double *dm, double *carried) {
    double i = u->kept[0], f = u->kept[1], g = u->kept[2], o = u->kept[3], t = tangent(l, u->c);
    double dc = r(l, u->dc + r(l, r(l, u->e * o) * tangent_slope(l, t)));
    da[0] = r(l, r(l, dc * g) * sigmoid_slope(l, i));
    da[1] = r(l, r(l, dc * u->before) * sigmoid_slope(l, f));
    da[2] = r(l, r(l, dc * i) * tangent_slope(l, g));
    da[3] = r(l, r(l, u->e * t) * sigmoid_slope(l, o));
    for (int k = 0; k < 4; k++) dm[k] = da[k];
    *carried = r(l, dc * f);
}

static void gru_gradient(const layer *l, const unit *u, double *da, double *dm, double *carried) {
    double reset = u->kept[0], z = u->kept[1], q = u->kept[2], m = u->kept[3];
    da[2] = r(l, r(l, u->e * r(l, 1 - z)) * tangent_slope(l, q));
    dm[2] = r(l, da[2] * reset);
    da[0] = dm[0] = r(l, r(l, da[2] * m) * sigmoid_slope(l, reset));
    da[1] = dm[1] = r(l, r(l, u->e * r(l, u->before - q)) * sigmoid_slope(l, z));
    *carried = r(l, u->e * z);
}

static void tanh_gradient(const layer *l, const unit *u, double *da, double *dm, double *carried) {
    da[0] = dm[0] = r(l, u->e * tangent_slope(l, u->h));
    *carried = 0;
}

static void relu_gradient(const layer *l, const unit *u, double *da, double *dm, double *carried) {
    (void)l;
    da[0] = dm[0] = u->h > 0 ? u->e : 0;
    *carried = 0;
}

/* ---- the members ----------------------------------------------------------------------------- */

typedef struct member {
    int64_t k, kept;
    unit_step step;
    unit_gradient gradient;
} member;

static const member members[] = {
    [TERN_RECURRENT_LSTM] = {4, 4, lstm, lstm_gradient},
    [TERN_RECURRENT_GRU] = {3, 4, gru, gru_gradient},
    [TERN_RECURRENT_TANH] = {1, 0, plain_tanh, tanh_gradient},
    [TERN_RECURRENT_RELU] = {1, 0, plain_relu, relu_gradient},
};

/* Sizes from x and h0. */
static layer layer_of(const tern_kit_call *call, const tern_kit_tensor *x,
                      const tern_kit_tensor *h0) {
    const tern_recurrent_attrs *attrs = call->attrs;
    int32_t wide = x->dtype == TERN_BT_FLOAT64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32;
    return (layer){.call = call,
                   .fn = attrs->fn,
                   .dtype = wide,
                   .biased = attrs->biased != 0,
                   .reverse = attrs->reverse != 0,
                   .t = x->shape[0],
                   .n = x->shape[1],
                   .i = x->shape[2],
                   .h = h0->shape[1],
                   .k = members[attrs->fn].k,
                   .kept = members[attrs->fn].kept};
}

static int64_t count_all(const tern_kit_call *call) {
    int64_t count = 0;
    for (int32_t k = 0; k < call->n_inputs; k++) count += tern_kit_count(&call->inputs[k]);
    for (int32_t k = 0; k < call->n_outputs; k++) count += tern_kit_count(&call->outputs[k]);
    return count;
}

/* The first row of a step's rows, counted in the order that the layer goes. */
static int64_t row_of(const layer *l, int64_t step) {
    return (l->reverse ? l->t - 1 - step : step) * l->n;
}

/* All that there is; `carried` is LSTM's dc, and what GRU's dh gets beside the product. */
typedef struct matrices {
    matrix x, h0, c0, w, u, b, d; /* operands */
    matrix y, kept, cells;        /* results */
    matrix dy, dh, carried;       /* what comes from the output, and from the step after */
    matrix a, m, da, dm;
} matrices;

/* The c or h before a step, and the row where it begins. */
static const matrix *before(const layer *l, const matrices *all, int64_t step, int64_t *out_row) {
    bool has_cells = l->fn == TERN_RECURRENT_LSTM;
    *out_row = step ? row_of(l, step - 1) : 0;
    if (has_cells) return step ? &all->cells : &all->c0;
    return step ? &all->y : &all->h0;
}

/* ---- RECURRENT ------------------------------------------------------------------------------- */

static void step_units(const layer *l, const matrices *all, int64_t step) {
    bool has_cells = l->fn == TERN_RECURRENT_LSTM;
    int64_t first = row_of(l, step), from;
    const matrix *states = before(l, all, step, &from);
    for (int64_t n = 0; n < l->n; n++)
        for (int64_t j = 0; j < l->h; j++) {
            double a[MOST_GATES], m[MOST_GATES], out[UNIT];
            int64_t row = first + n;
            for (int64_t k = 0; k < l->k; k++) {
                a[k] = get(l, &all->a, row, k * l->h + j);
                m[k] = get(l, &all->m, n, k * l->h + j);
            }
            members[l->fn].step(l, a, m, get(l, states, from + n, j), out);
            set(l, &all->y, row, j, out[0]);
            if (has_cells) set(l, &all->cells, row, j, out[1]);
            for (int64_t k = 0; k < l->kept; k++)
                set(l, &all->kept, row, k * l->h + j, out[1 + has_cells + k]);
        }
}

static int32_t run_steps(const layer *l, const matrices *all) {
    matrix w = turned(&all->w), u = turned(&all->u);
    int32_t status = multiply(l, &all->x, &w, l->biased ? &all->b : NULL, &all->a);
    for (int64_t step = 0; step < l->t && status == TERN_BACKEND_OK; step++) {
        matrix h = step ? rows_of(l, &all->y, row_of(l, step - 1), l->n) : all->h0;
        status = multiply(l, &h, &u, l->biased ? &all->d : NULL, &all->m);
        if (status == TERN_BACKEND_OK) step_units(l, all, step);
    }
    return status;
}

static int32_t run_layer(layer *l) {
    const tern_kit_tensor *in = l->call->inputs, *out = l->call->outputs;
    bool has_cells = l->fn == TERN_RECURRENT_LSTM;
    int64_t rows = l->t * l->n, gates = l->k * l->h;
    matrices all;
    all.x = load(l, in++);
    all.h0 = load(l, in++);
    if (has_cells) all.c0 = load(l, in++);
    all.w = load(l, in++);
    all.u = load(l, in++);
    if (l->biased) all.b = repeated(l, &in[0], rows);
    if (l->biased) all.d = repeated(l, &in[1], l->n);
    all.y = take(l, rows, l->h);
    all.kept = take(l, rows, l->kept * l->h);
    if (has_cells) all.cells = take(l, rows, l->h);
    all.a = take(l, rows, gates);
    all.m = take(l, l->n, gates);
    int32_t status = run_steps(l, &all);
    if (status != TERN_BACKEND_OK) return status;
    store(l, &all.y, out++);
    if (l->kept) store(l, &all.kept, out++);
    if (has_cells) store(l, &all.cells, out);
    return TERN_BACKEND_OK;
}

int32_t tern_ref_recurrent(const tern_kit_call *call) {
    layer l = layer_of(call, &call->inputs[0], &call->inputs[1]);
    int64_t gates = l.k * l.h;
    char *memory = tern_kit_take(call, count_all(call) + (l.t * l.n + l.n) * gates,
                                 (size_t)tern_kit_size(l.dtype));
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    l.room = memory;
    int32_t status = run_layer(&l);
    tern_kit_give(call, memory);
    return status;
}

/* ---- RECURRENT_GRAD -------------------------------------------------------------------------- */

/* The units of one step: da and dm at its rows, and the carried gradients, which are replaced. */
static void step_back(const layer *l, const matrices *all, int64_t step) {
    bool has_cells = l->fn == TERN_RECURRENT_LSTM;
    int64_t first = row_of(l, step), from;
    const matrix *states = before(l, all, step, &from);
    for (int64_t n = 0; n < l->n; n++)
        for (int64_t j = 0; j < l->h; j++) {
            double a[MOST_GATES], m[MOST_GATES], carry;
            int64_t row = first + n;
            unit u = {.e = r(l, get(l, &all->dh, n, j) + get(l, &all->dy, row, j)),
                      .h = get(l, &all->y, row, j),
                      .before = get(l, states, from + n, j)};
            if (has_cells) u.dc = get(l, &all->carried, n, j);
            if (has_cells) u.c = get(l, &all->cells, row, j);
            for (int64_t k = 0; k < l->kept; k++) u.kept[k] = get(l, &all->kept, row, k * l->h + j);
            members[l->fn].gradient(l, &u, a, m, &carry);
            for (int64_t k = 0; k < l->k; k++) {
                set(l, &all->da, row, k * l->h + j, a[k]);
                set(l, &all->dm, row, k * l->h + j, m[k]);
            }
            set(l, &all->carried, n, j, carry);
        }
}

/* du = sum(dm h^T): of the first step by h0, of the others by the y before them. */
static int32_t gradient_of_u(layer *l, const matrices *all, const matrix *du) {
    int64_t later = (l->t - 1) * l->n;
    matrix first = rows_of(l, &all->dm, row_of(l, 0), l->n), turn = turned(&first);
    if (later == 0) return multiply(l, &turn, &all->h0, NULL, du);
    matrix sum = take(l, du->shape[0], du->shape[1]);
    int32_t status = multiply(l, &turn, &all->h0, NULL, &sum);
    if (status != TERN_BACKEND_OK) return status;
    matrix others = rows_of(l, &all->dm, l->reverse ? 0 : l->n, later);
    matrix outputs = rows_of(l, &all->y, l->reverse ? l->n : 0, later);
    turn = turned(&others);
    return multiply(l, &turn, &outputs, &sum, du);
}

/* What is summed over all steps: dx to the first output, the others to those from `out` on. */
static int32_t run_sums(layer *l, const matrices *all, const tern_kit_tensor *out) {
    int64_t gates = l->k * l->h;
    matrix dx = take(l, l->t * l->n, l->i), dw = take(l, gates, l->i), du = take(l, gates, l->h);
    matrix turn = turned(&all->da), sum;
    int32_t status = multiply(l, &all->da, &all->w, NULL, &dx);
    if (status == TERN_BACKEND_OK) status = multiply(l, &turn, &all->x, NULL, &dw);
    if (status == TERN_BACKEND_OK) status = gradient_of_u(l, all, &du);
    store(l, &dx, l->call->outputs);
    store(l, &dw, out++);
    store(l, &du, out++);
    if (l->biased) sum = take(l, 1, gates);
    for (int bias = 0; bias < 2 && l->biased && status == TERN_BACKEND_OK; bias++) {
        status = sum_rows(l, bias == 0 ? &all->da : &all->dm, &sum);
        store(l, &sum, out++);
    }
    return status;
}

static void load_operands(layer *l, matrices *all) {
    const tern_kit_tensor *in = l->call->inputs;
    bool has_cells = l->fn == TERN_RECURRENT_LSTM;
    all->dy = load(l, in++);
    all->dh = load(l, in++);
    all->carried = has_cells ? load(l, in++) : take(l, l->n, l->h);
    all->x = load(l, in++);
    all->h0 = load(l, in++);
    if (has_cells) all->c0 = load(l, in++);
    all->w = load(l, in++);
    all->u = load(l, in++);
    all->y = load(l, in++);
    if (l->kept) all->kept = load(l, in++);
    if (has_cells) all->cells = load(l, in);
    all->da = take(l, l->t * l->n, l->k * l->h);
    all->dm = take(l, l->t * l->n, l->k * l->h);
}

static int32_t run_gradient(layer *l) {
    const tern_kit_tensor *out = l->call->outputs;
    bool has_cells = l->fn == TERN_RECURRENT_LSTM, goes_by = l->fn == TERN_RECURRENT_GRU;
    matrices all;
    load_operands(l, &all);
    for (int64_t step = l->t - 1; step >= 0; step--) {
        step_back(l, &all, step);
        matrix rows = rows_of(l, &all.dm, row_of(l, step), l->n);
        int32_t status = multiply(l, &rows, &all.u, goes_by ? &all.carried : NULL, &all.dh);
        if (status != TERN_BACKEND_OK) return status;
    }
    store(l, &all.dh, &out[1]);
    if (has_cells) store(l, &all.carried, &out[2]);
    return run_sums(l, &all, &out[has_cells ? 3 : 2]);
}

int32_t tern_ref_recurrent_grad(const tern_kit_call *call) {
    const tern_kit_tensor *in = call->inputs;
    int at = ((const tern_recurrent_attrs *)call->attrs)->fn == TERN_RECURRENT_LSTM ? 3 : 2;
    layer l = layer_of(call, &in[at], &in[at + 1]);
    int64_t rows = l.t * l.n, gates = l.k * l.h;
    int64_t own = 2 * rows * gates + l.n * l.h + gates * l.h;
    char *memory = tern_kit_take(call, count_all(call) + own, (size_t)tern_kit_size(l.dtype));
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    l.room = memory;
    int32_t status = run_gradient(&l);
    tern_kit_give(call, memory);
    return status;
}
