/* Adafactor and Muon, which look at parameters as matrices. */
#include "nn_fixture.h"

#include <math.h>

TestSuite(optim_matrix, .init = open_context, .fini = close_context);

enum { ROWS = 3, COLS = 2, SIZE = ROWS * COLS };

static const float start[SIZE] = {1, -2, 0.5f, 3, -0.25f, 2};
static const float gradient[SIZE] = {0.5f, -1, 2, 0.25f, -0.75f, 1};

static tern_tensor *parameter_of(tern_shape shape) {
    return tern_requires_grad(floats(shape, start), true);
}

static tern_value list_of(tern_tensor *tensor) {
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_tensor_value(tensor));
    return list;
}

/* The options of the text "f(...)". */
static tern_optim *make(const char *name, tern_tensor *p, const char *options) {
    tern_value call = tern_notation_parse(ctx, "test", options);
    return tern_optim_make(ctx, list_of(p), name, tern_dict_get(call, "args"));
}

static double norm(const double *x) {
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* ---- Adafactor ------------------------------------------------------------------------------- */

typedef struct factored {
    double p[SIZE], rows[ROWS], cols[COLS], variance[SIZE];
} factored;

/* Squared gradients: their lerped means of rows and columns, or themselves, to their estimate. */
static void estimate(factored *f, bool is_matrix, double weight, double eps1, double *out_v) {
    double mean = 0;
    for (int i = 0; i < SIZE; i++) {
        f->variance[i] += weight * ((double)gradient[i] * gradient[i] - f->variance[i]);
        out_v[i] = f->variance[i];
    }
    if (!is_matrix) return;
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int c = 0; c < COLS; c++) sum += pow(gradient[r * COLS + c], 2);
        f->rows[r] += weight * (sum / COLS - f->rows[r]);
        mean += f->rows[r] / ROWS;
    }
    for (int c = 0; c < COLS; c++) {
        double sum = 0;
        for (int r = 0; r < ROWS; r++) sum += pow(gradient[r * COLS + c], 2);
        f->cols[c] += weight * (sum / ROWS - f->cols[c]);
    }
    for (int i = 0; i < SIZE; i++)
        out_v[i] = f->rows[i / COLS] * f->cols[i % COLS] / fmax(mean, eps1);
}

/* One step with lr 0.1, weight_decay 0.2, d 1.5, eps (0.01, 0.5). */
static void adafactor_by_hand(factored *f, bool is_matrix, int t) {
    double u[SIZE], v[SIZE], root = sqrt(SIZE), rho = fmin(0.1, 1 / sqrt(t));
    double size = fmax(0.5, norm(f->p) / root);
    estimate(f, is_matrix, pow(t, -0.8), 0.01, v);
    for (int i = 0; i < SIZE; i++) u[i] = gradient[i] / sqrt(fmax(v[i], 0.01 * 0.01));
    double factor = size * rho / fmax(1, norm(u) / (root * 1.5));
    for (int i = 0; i < SIZE; i++) f->p[i] = f->p[i] * (1 - 0.1 * 0.2) - factor * u[i];
}

static void check_adafactor(tern_shape shape) {
    factored f = {.p = {0}};
    for (int i = 0; i < SIZE; i++) f.p[i] = start[i];
    tern_tensor *p = parameter_of(shape);
    tern_optim *optim = make("Adafactor", p, "f(lr=0.1, weight_decay=0.2, d=1.5, eps=(0.01, 0.5))");
    tern_set_grad(p, floats(shape, gradient));
    for (int t = 1; t <= 3; t++) {
        cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
        adafactor_by_hand(&f, shape.rank == 2, t);
        for (int i = 0; i < SIZE; i++)
            cr_assert_float_eq(at(p, i), f.p[i], 2e-6, "step %d, element %d: %g, not %g", t, i,
                               at(p, i), f.p[i]);
    }
}

Test(optim_matrix, adafactor_keeps_means_of_rows_and_columns) {
    check_adafactor(TERN_SHAPE(ROWS, COLS));
    check_adafactor(TERN_SHAPE(SIZE));
}

Test(optim_matrix, adafactors_state_is_pytorchs) {
    tern_tensor *p = parameter_of(TERN_SHAPE(ROWS, COLS)), *q = parameter_of(TERN_SHAPE(SIZE));
    tern_value both = list_of(p);
    tern_list_append(both, tern_tensor_value(q));
    tern_optim *optim = tern_adafactor_new(ctx, both, NULL);
    tern_set_grad(p, floats(TERN_SHAPE(ROWS, COLS), gradient));
    tern_set_grad(q, floats(TERN_SHAPE(SIZE), gradient));
    cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_eq(repr_of(tern_dict_get(tern_optim_state_dict(optim), "state")),
                     "{0: {'step': tensor(1.), 'row_var': tensor([[0.6250],\n"
                     "        [2.0312],\n"
                     "        [0.7812]]), 'col_var': tensor([[1.6042, 0.6875]])}, 1: {'step': "
                     "tensor(1.), 'variance': tensor([0.2500, 1.0000, 4.0000, 0.0625, 0.5625, "
                     "1.0000])}}");
    cr_assert_str_eq(tern_optim_repr_text(optim), "Adafactor (\n"
                                                  "Parameter Group 0\n"
                                                  "    beta2_decay: -0.8\n"
                                                  "    d: 1.0\n"
                                                  "    eps: (None, 0.001)\n"
                                                  "    foreach: None\n"
                                                  "    lr: 0.01\n"
                                                  "    maximize: False\n"
                                                  "    weight_decay: 0.0\n"
                                                  ")");
}

Test(optim_matrix, adafactor_steps_in_16_bits) {
    tern_tensor *p = tern_to_dtype(floats(TERN_SHAPE(ROWS, COLS), start), TERN_FLOAT16);
    tern_requires_grad(p, true);
    tern_optim *optim = make("Adafactor", p, "f(lr=0.1)");
    tern_set_grad(p, tern_to_dtype(floats(TERN_SHAPE(ROWS, COLS), gradient), TERN_FLOAT16));
    cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_dtype_of(p), TERN_FLOAT16);
    cr_assert_lt(at(p, 0), 1);
    cr_assert_gt(at(p, 1), -2);
}

/* ---- Muon ------------------------------------------------------------------------------------ */

/* The first update of gradient g is X = orthogonal(g): X X^T or X^T X is the identity, roughly, since
 * the iteration brings singular values to between 0.7 and 1.2. */
static void check_orthogonal(tern_shape shape) {
    tern_tensor *p = parameter_of(shape);
    tern_optim *muon = make("Muon", p, "f(lr=0.5, weight_decay=0, adjust_lr_fn='original')");
    tern_set_grad(p, floats(shape, gradient));
    cr_assert_eq(tern_optim_step(muon), TERN_OK, "%s", tern_error(ctx));
    double rows = (double)shape.dim[0], cols = (double)shape.dim[1];
    double scale = 0.5 * sqrt(fmax(1, rows / cols));
    tern_tensor *x = tern_sub(floats(shape, start), tern_detach(p));
    x = tern_div_scalar(x, scale);
    if (rows > cols) x = tern_transpose(x, 0, 1);
    tern_tensor *gram = tern_matmul(x, tern_transpose(x, 0, 1));
    cr_assert_float_eq(at(gram, 0), 1, 0.5);
    cr_assert_float_eq(at(gram, 3), 1, 0.5);
    cr_assert_float_eq(at(gram, 1), 0, 0.3);
}

Test(optim_matrix, muon_makes_updates_orthogonal) {
    check_orthogonal(TERN_SHAPE(3, 2));
    check_orthogonal(TERN_SHAPE(2, 3));
}

/* Of one element the iteration is a polynomial: x = 1, then a x + b x^3 + c x^5. */
Test(optim_matrix, muon_decays_and_counts_its_steps) {
    const float one = 1, g = -4;
    tern_tensor *p = tern_requires_grad(floats(TERN_SHAPE(1, 1), &one), true);
    tern_optim *muon = make("Muon", p,
                            "f(lr=0.5, weight_decay=0.2, ns_steps=2, ns_coefficients=(2, -1.5, "
                            "0.5), adjust_lr_fn='match_rms_adamw', momentum=0.75)");
    tern_set_grad(p, floats(TERN_SHAPE(1, 1), &g));
    cr_assert_eq(tern_optim_step(muon), TERN_OK, "%s", tern_error(ctx));
    double x = -1;
    for (int i = 0; i < 2; i++) x = 2 * x - 1.5 * pow(x, 3) + 0.5 * pow(x, 5);
    cr_assert_float_eq(at(p, 0), 1 - 0.5 * 0.2 - 0.5 * 0.2 * x, 1e-6);
    cr_assert_float_eq(at(tern_optim_state(muon, 0, "momentum_buffer"), 0), -1, 0);
}

Test(optim_matrix, muon_prints_and_owns_its_texts) {
    tern_tensor *p = parameter_of(TERN_SHAPE(ROWS, COLS));
    tern_muon_options o = TERN_MUON_OPTIONS;
    char name[] = "original";
    o.adjust_lr_fn = name;
    tern_optim *muon = tern_muon_new(ctx, list_of(p), &o);
    memset(name, 'x', sizeof name - 1);
    char other[] = "match_rms_adamw";
    cr_assert_str_eq(tern_optim_get(muon, 0, "adjust_lr_fn").as.s, "original");
    tern_optim_set(muon, 0, "adjust_lr_fn", tern_text(other));
    memset(other, 'x', sizeof other - 1);
    cr_assert_str_eq(tern_optim_repr_text(muon), "Muon (\n"
                                                 "Parameter Group 0\n"
                                                 "    adjust_lr_fn: match_rms_adamw\n"
                                                 "    eps: 1e-07\n"
                                                 "    lr: 0.001\n"
                                                 "    momentum: 0.95\n"
                                                 "    nesterov: True\n"
                                                 "    ns_coefficients: (3.4445, -4.775, 2.0315)\n"
                                                 "    ns_steps: 5\n"
                                                 "    weight_decay: 0.1\n"
                                                 ")");
    tern_optim *copy = tern_muon_new(ctx, list_of(p), NULL);
    char saved[] = "spectral_unclamped";
    tern_value state = tern_optim_state_dict(muon);
    tern_dict_set(tern_value_at(tern_dict_get(state, "param_groups"), 0), "adjust_lr_fn",
                  tern_text(saved));
    cr_assert_eq(tern_optim_load_state_dict(copy, state), TERN_OK, "%s", tern_error(ctx));
    memset(saved, 'x', sizeof saved - 1);
    cr_assert_str_eq(tern_optim_get(copy, 0, "adjust_lr_fn").as.s, "spectral_unclamped");
}
