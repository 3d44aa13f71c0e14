/* qr.c: QR factorisations, products with Householder's reflectors, LDL. */
#include <string.h>

#include "batch.h"

/* ---- the factorisation ---- */

/* a of the factoring becomes R and the reflectors, values [*, k] their tau. */
static void qr_one(tern_factoring *f, int64_t i) {
    tern_dense_qr(&f->by, tern_matrix(&f->a, i), f->values + i * f->k, f->a.rows, f->a.columns);
}

/* geqrf(input): (R with the reflectors below it, tau) */
tern_value tern_op_geqrf(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    if (!tern_expect_matrices(call, x, "input", false)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {.k = tern_rows(x) < tern_columns(x) ? tern_rows(x) : tern_columns(x)};
    if (tern_batch_of(call, x, &f.a))
        f.values = tern_batch_space(call, &f.a, f.k, sizeof *f.values);
    tern_factor(call, &f, dtype, tern_batch_turns(&f.a, 0), qr_one);
    both[0] = tern_batch_matrices(call, &f.a, dtype);
    both[1] = tern_batch_result(call, f.values, TERN_FLOAT64, dtype, f.a.lead, TERN_SHAPE(f.k));
    return tern_results(call, both, 2);
}

/* The rows of R, above the reflectors. */
static void copy_r(const double *a, double *r, int64_t rows, int64_t n) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++) r[i * n + j] = j < i ? 0.0 : a[i * n + j];
}

/* Q of columns b, R in c */
static void whole_qr_one(tern_factoring *f, int64_t i) {
    double *a = tern_matrix(&f->a, i);
    qr_one(f, i);
    tern_dense_q(&f->by, a, f->values + i * f->k, tern_matrix(&f->b, i), f->a.rows, f->a.columns,
                 f->k, f->b.columns);
    copy_r(a, tern_matrix(&f->c, i), f->c.rows, f->a.columns);
}

/* _qr(A, complete): Q [*, m, c], R [*, c, n], where c is min(m, n), or m if complete */
tern_value tern_op__qr(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    if (!tern_expect_matrices(call, x, "A", false)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    int64_t m = tern_rows(x), n = tern_columns(x), k = m < n ? m : n;
    int64_t c = tern_arg_bool(call, 1, false) ? m : k;
    tern_factoring f = {.k = k};
    if (tern_batch_of(call, x, &f.a)) {
        f.b = tern_batch_like(call, &f.a, m, c);
        f.c = tern_batch_like(call, &f.a, c, n);
        f.values = tern_batch_space(call, &f.a, k, sizeof *f.values);
    }
    tern_factor(call, &f, dtype, tern_batch_turns(&f.a, m && c), whole_qr_one);
    tern_host_give(call->ctx, f.a.data);
    tern_host_give(call->ctx, f.values);
    both[0] = tern_batch_matrices(call, &f.b, dtype);
    both[1] = tern_batch_matrices(call, &f.c, dtype);
    return tern_results(call, both, 2);
}

/* Walter, Lehmann 2018, "Algorithmic differentiation of linear algebra functions", for a square R: with
 * M = R gR^T - gQ^T Q, its lower triangle made symmetric, (gQ + Q M) R^-T */
static tern_tensor *qr_gradient(tern_tensor *q, tern_tensor *r, tern_tensor *by_q,
                                tern_tensor *by_r) {
    tern_tensor *m = NULL;
    if (by_r) m = tern_matmul(r, tern_mt(by_r));
    if (by_q) m = tern_plus(m, tern_neg(tern_matmul(tern_mt(by_q), q)));
    m = tern_add(tern_tril_from(m, 0), tern_mt(tern_tril_from(m, -1)));
    tern_tensor *sum = tern_plus(by_q, tern_matmul(q, m));
    return tern_times_triangular_inverse(sum, tern_mt(r), false, false);
}

/* With more columns, A = [X Y] and R = [U V]: Q U = X, V = Q^T Y. */
void tern_grad__qr(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *q = tern_node_output(node, 0), *r = tern_node_output(node, 1);
    tern_tensor *by_q = grad_out[0], *by_r = grad_out[1];
    tern_ctx *ctx = tern_node_ctx(node);
    if (ctx->status != TERN_OK || (!by_q && !by_r)) return;
    int64_t m = tern_rows(q), n = tern_columns(r);
    if (tern_value_as_int(tern_node_arg(node, 1)) && m > n) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "linalg.qr: mode='complete' has no derivative for more rows than columns: use "
                  "mode='reduced'");
        return;
    }
    if (m >= n) {
        grads[0] = qr_gradient(q, r, by_q, by_r);
        return;
    }
    tern_tensor *by_u = NULL, *by_y = NULL;
    if (by_r) {
        tern_tensor *y = tern_narrow(tern_node_input(node, 0), -1, m, n - m);
        tern_tensor *by_v = tern_narrow(by_r, -1, m, n - m);
        by_u = tern_narrow(by_r, -1, 0, m);
        by_y = tern_matmul(q, by_v);
        by_q = tern_plus(by_q, tern_matmul(y, tern_mt(by_v)));
    }
    tern_tensor *by_x = qr_gradient(q, tern_narrow(r, -1, 0, m), by_q, by_u);
    if (ctx->status != TERN_OK) return;
    if (!by_y) {
        tern_shape shape = tern_shape_of(by_x);
        shape.dim[shape.rank - 1] = n - m;
        by_y = TERN_CALL(new_zeros, ARG_TENSOR(by_x), ARG_SHAPE(shape));
    }
    grads[0] = tern_cat((tern_tensor *[]){by_x, by_y}, 2, -1);
}

/* linalg.qr(A, mode='reduced') */
tern_value tern_op_qr(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *both[2];
    const char *mode = tern_arg_text(call, 1, "reduced");
    bool complete = strcmp(mode, "complete") == 0, r_alone = strcmp(mode, "r") == 0;
    if (!tern_expect_matrices(call, a, "A", false)) return tern_none();
    if (!complete && !r_alone && strcmp(mode, "reduced") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "mode='%s' must be one of 'reduced', 'complete', 'r'", mode);
    tern_value pair = TERN_CALL_VALUE(_qr, ARG_TENSOR(a), ARG_BOOL(complete));
    for (int i = 0; i < 2; i++) both[i] = tern_part(call->ctx, pair, (size_t)i);
    if (r_alone) both[0] = TERN_CALL(new_zeros, ARG_TENSOR(a), ARG_SHAPE(TERN_SHAPE(0)));
    return tern_results(call, both, 2);
}

/* ---- products of reflectors, recorded: H_i = I - tau_i v_i v_i^T ---- */

static bool reflectors_fit(tern_opcall *call, tern_tensor *v, tern_tensor *tau) {
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    if (!tern_expect_matrices(call, v, "input", false)) return false;
    bool fits = BODY(tau)->rank == BODY(v)->rank - 1 && BODY(tau)->dtype == BODY(v)->dtype;
    for (int d = 0; fits && d < BODY(tau)->rank - 1; d++)
        fits = BODY(tau)->shape[d] == BODY(v)->shape[d];
    int64_t k = fits ? BODY(tau)->shape[BODY(tau)->rank - 1] : 0;
    if (fits && k <= tern_columns(v) && k <= tern_rows(v)) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "reflectors %s and tau %s do not fit: up to one tau for each column, one dtype",
                   tern_shape_text(BODY(v)->rank, BODY(v)->shape, one),
                   tern_shape_text(BODY(tau)->rank, BODY(tau)->shape, two));
    return false;
}

/* H_i x, where `vectors` are the columns with their ones. */
static tern_tensor *reflect(tern_tensor *vectors, tern_tensor *tau, int64_t i, tern_tensor *x) {
    tern_tensor *v = tern_narrow(vectors, -1, i, 1);
    tern_tensor *t = tern_unsqueeze(tern_narrow(tau, -1, i, 1), -1);
    return tern_sub(x, tern_mul(t, tern_matmul(v, tern_matmul(tern_mt(v), x))));
}

/* The first k columns, below a diagonal of ones. */
static tern_tensor *unit_columns(tern_tensor *input, int64_t k) {
    int64_t m = tern_rows(input);
    tern_tensor *ones = TERN_CALL(new_ones, ARG_TENSOR(input), ARG_SHAPE(TERN_SHAPE(k)));
    tern_tensor *eye = TERN_CALL(diag_embed, ARG_TENSOR(ones));
    if (m > k)
        eye = TERN_CALL(constant_pad_nd, ARG_TENSOR(eye), ARG_SHAPE(TERN_SHAPE(0, 0, 0, m - k)));
    return tern_add(tern_tril_from(tern_narrow(input, -1, 0, k), -1), eye);
}

/* H_0 .. H_{k-1} x */
static tern_tensor *reflected(tern_tensor *input, tern_tensor *tau, tern_tensor *x) {
    tern_ctx *ctx = BODY(x)->ctx;
    int64_t k = BODY(tau)->shape[BODY(tau)->rank - 1];
    if (k == 0) return tern_clone(x);
    tern_tensor *v = unit_columns(input, k);
    for (int64_t i = k - 1; i >= 0 && ctx->status == TERN_OK; i--) x = reflect(v, tau, i, x);
    return x;
}

tern_value tern_op_householder_product(tern_opcall *call) {
    tern_tensor *v = tern_arg_tensor(call, 0), *tau = tern_arg_tensor(call, 1);
    if (!reflectors_fit(call, v, tau)) return tern_none();
    if (tern_columns(v) > tern_rows(v))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "input has %lld columns, more than its %lld rows",
                              (long long)tern_columns(v), (long long)tern_rows(v));
    tern_tensor *eye = tern_identity_like(v, tern_rows(v));
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, reflected(v, tau, tern_narrow(eye, -1, 0, tern_columns(v))));
}

static void reflect_one(tern_factoring *f, int64_t i) {
    tern_dense_reflect(&f->by, tern_matrix(&f->a, i), f->values + i * f->k, tern_matrix(&f->b, i),
                       f->a.rows, f->a.columns, f->k, f->b.columns, f->transpose, f->right);
}

/* _ormqr(input, tau, x, transpose, right): of one batch; `right` as tern_plain_reflect has it */
tern_value tern_op__ormqr(tern_opcall *call) {
    tern_tensor *v = tern_arg_tensor(call, 0), *tau = tern_arg_tensor(call, 1);
    tern_tensor *x = tern_arg_tensor(call, 2);
    if (!reflectors_fit(call, v, tau) || !tern_expect_matrices(call, x, "x", false))
        return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {.k = BODY(tau)->shape[BODY(tau)->rank - 1]};
    f.transpose = tern_arg_bool(call, 3, false);
    f.right = tern_arg_bool(call, 4, false);
    if (tern_batch_of(call, v, &f.a) && tern_batch_of(call, x, &f.b))
        f.values = tern_host_copy(call->ctx, tau, TERN_FLOAT64);
    if (f.values && (f.a.count != f.b.count || f.a.rows != f.b.rows))
        tern_call_fail(call, TERN_ERR_ARGUMENT, "the reflectors and x do not fit");
    tern_factor(call, &f, dtype, tern_batch_turns(&f.b, 0), reflect_one);
    tern_host_give(call->ctx, f.a.data);
    tern_host_give(call->ctx, f.values);
    return tern_result(call, tern_batch_matrices(call, &f.b, dtype));
}

/* The columns of `x` times those of `y`, each pair added up: [*, m, 1] */
static tern_tensor *times_row(tern_tensor *x, tern_tensor *row) {
    return tern_matmul(x, tern_mt(row));
}

/*
 * For H = I - t v v^T and y = H x, with the rows a = v^T x and b = v^T g: by x it is H g, by t -(a . b), by v
 * -t (x b^T + g a^T). The reflectors are left in the opposite order; what each was given is kept on the way.
 */
static void reflectors_gradient(tern_node *node, tern_tensor *g, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    tern_tensor *input = tern_node_input(node, 0), *tau = tern_node_input(node, 1);
    tern_tensor *x = tern_node_input(node, 2);
    int64_t k = BODY(tau)->shape[BODY(tau)->rank - 1], columns = tern_columns(input);
    bool transpose = tern_value_as_int(tern_node_arg(node, 3)) != 0;
    uint64_t bytes;
    if (BODY(input)->numel == 0) return; /* no reflector, or nothing for it to act on */
    if (!tern_size_mul((uint64_t)k, 3 * sizeof(tern_tensor *), &bytes)) {
        tern_fail_memory(ctx, SIZE_MAX);
        return;
    }
    tern_tensor **seen = tern_scope_alloc(ctx, (size_t)bytes + sizeof *seen);
    if (!seen || k == 0) return;
    tern_tensor **by_v = seen + k, **by_t = by_v + k, *units = unit_columns(input, k);
    for (int64_t step = 0; step < k && ctx->status == TERN_OK; step++) {
        seen[step] = x;
        x = reflect(units, tau, transpose ? step : k - 1 - step, x);
    }
    for (int64_t step = k - 1; step >= 0 && ctx->status == TERN_OK; step--) {
        int64_t i = transpose ? step : k - 1 - step;
        tern_tensor *v = tern_narrow(units, -1, i, 1);
        tern_tensor *a = tern_matmul(tern_mt(v), seen[step]), *b = tern_matmul(tern_mt(v), g);
        tern_tensor *t = tern_unsqueeze(tern_narrow(tau, -1, i, 1), -1);
        by_t[i] = tern_neg(tern_squeeze(times_row(a, b), -1));
        by_v[i] = tern_neg(tern_mul(t, tern_add(times_row(seen[step], b), times_row(g, a))));
        g = reflect(units, tau, i, g);
    }
    if (ctx->status != TERN_OK) return;
    tern_tensor *all = tern_tril_from(tern_cat(by_v, (int)k, -1), -1);
    if (columns > k)
        all = TERN_CALL(constant_pad_nd, ARG_TENSOR(all), ARG_SHAPE(TERN_SHAPE(0, columns - k)));
    grads[0] = all;
    grads[1] = tern_cat(by_t, (int)k, -1);
}

void tern_grad__ormqr(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    bool transpose = tern_value_as_int(tern_node_arg(node, 3)) != 0;
    if (tern_node_needs(node, 2))
        grads[2] = TERN_CALL(_ormqr, ARG_TENSOR(tern_node_input(node, 0)),
                             ARG_TENSOR(tern_node_input(node, 1)), ARG_TENSOR(grad_out[0]),
                             ARG_BOOL(!transpose), tern_node_arg(node, 4));
    if (tern_node_needs(node, 0) || tern_node_needs(node, 1))
        reflectors_gradient(node, grad_out[0], grads);
}

/* ormqr(input, input2 = tau, input3 = other, left=True, transpose=False) */
tern_value tern_op_ormqr(tern_opcall *call) {
    tern_tensor *v = tern_arg_tensor(call, 0), *tau = tern_arg_tensor(call, 1);
    tern_tensor *x = tern_arg_tensor(call, 2);
    bool left = tern_arg_bool(call, 3, true), transpose = tern_arg_bool(call, 4, false);
    if (!reflectors_fit(call, v, tau) || !tern_expect_matrices(call, x, "input3", false))
        return tern_none();
    int64_t own = left ? tern_rows(x) : tern_columns(x);
    if (own != tern_rows(v) || BODY(x)->dtype != BODY(v)->dtype)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT, "input3 must have %lld %s of %s, got %lld of %s",
            (long long)tern_rows(v), left ? "rows" : "columns", tern_dtype_name(BODY(v)->dtype),
            (long long)own, tern_dtype_name(BODY(x)->dtype));
    /* x Q is the transpose of Q^T x^T. */
    tern_shape lead;
    if (!tern_common_batch(call, v, x, &lead)) return tern_none();
    tern_shape taus = lead;
    taus.dim[taus.rank++] = tern_size(tau, -1);
    v = tern_expand_batch(v, lead);
    x = tern_expand_batch(x, lead);
    tern_tensor *out =
        TERN_CALL(_ormqr, ARG_TENSOR(v), ARG_TENSOR(tern_expand(tau, taus)),
                  ARG_TENSOR(left ? x : tern_mt(x)), ARG_BOOL(left == transpose), ARG_BOOL(!left));
    return tern_result(call, left ? out : tern_mt(out));
}

/* ---- LDL ---- */

static const char singular_d[] = "the factor D is singular";

static void ldl_one(tern_factoring *f, int64_t i) {
    int64_t n = f->k;
    double *own = tern_matrix(&f->a, i);
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = r + 1; c < n; c++) own[r * n + c] = 0.0;
    f->infos[i] = tern_dense_ldl(&f->by, own, f->pivots + i * n, n);
}

/* linalg.ldl_factor_ex(input, hermitian, check_errors): (LD, pivots, info) */
tern_value tern_op_ldl_factor_ex(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *all[3];
    if (!tern_expect_matrices(call, x, "input", true)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {.k = tern_rows(x)};
    if (tern_batch_of(call, x, &f.a)) {
        f.pivots = tern_batch_space(call, &f.a, f.k, sizeof *f.pivots);
        f.infos = tern_batch_space(call, &f.a, 1, sizeof *f.infos);
    }
    tern_factor(call, &f, dtype, f.a.count, ldl_one);
    if (call->ctx->status == TERN_OK && tern_arg_bool(call, 2, false))
        tern_check_infos(call, f.infos, f.a.count, singular_d);
    all[0] = tern_batch_matrices(call, &f.a, dtype);
    all[1] = tern_batch_result(call, f.pivots, TERN_INT32, TERN_INT32, f.a.lead, TERN_SHAPE(f.k));
    all[2] = tern_batch_result(call, f.infos, TERN_INT32, TERN_INT32, f.a.lead, TERN_SCALAR_SHAPE);
    return tern_results(call, all, 3);
}

tern_value tern_op_ldl_factor(tern_opcall *call) {
    tern_value all =
        TERN_CALL_VALUE(ldl_factor_ex, ARG_TENSOR(tern_arg_tensor(call, 0)), tern_arg(call, 1));
    all = tern_checked_results(call, all, 2, singular_d);
    tern_tensor *both[2] = {tern_part(call->ctx, all, 0), tern_part(call->ctx, all, 1)};
    return tern_results(call, both, 2);
}

static bool ldl_fits(tern_opcall *call, tern_tensor *ld, tern_tensor *pivots, tern_tensor *b) {
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    if (!tern_expect_matrices(call, ld, "LD", true) || !tern_expect_matrices(call, b, "B", false))
        return false;
    bool fits = BODY(pivots)->rank == BODY(ld)->rank - 1 && tern_are_pivots(pivots) &&
                tern_rows(ld) == tern_rows(b) && BODY(ld)->dtype == BODY(b)->dtype;
    for (int d = 0; fits && d < BODY(pivots)->rank; d++)
        fits = BODY(pivots)->shape[d] == BODY(ld)->shape[d];
    if (fits) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "LD %s, its integer pivots and B %s do not fit: one dtype, and as many rows",
                   tern_shape_text(BODY(ld)->rank, BODY(ld)->shape, one),
                   tern_shape_text(BODY(b)->rank, BODY(b)->shape, two));
    return false;
}

/* A pivot names a row, and two negative ones stand together. */
static bool pivots_are_sound(tern_opcall *call, const int32_t *pivots, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        int64_t row = pivots[k] > 0 ? pivots[k] : -(int64_t)pivots[k];
        if (row >= 1 && row <= n) continue;
        tern_call_fail(call, TERN_ERR_INDEX, "a pivot is %d, and there are %lld rows",
                       (int)pivots[k], (long long)n);
        return false;
    }
    return true;
}

static void ldl_solve_one(tern_factoring *f, int64_t i) {
    tern_dense_ldl_solve(&f->by, tern_matrix(&f->a, i), f->pivots + i * f->k, tern_matrix(&f->b, i),
                         f->k, f->b.columns);
}

/* linalg.ldl_solve(LD, pivots, B): not differentiable, as in PyTorch */
tern_value tern_op_ldl_solve(tern_opcall *call) {
    tern_tensor *ld = tern_arg_tensor(call, 0), *pivots = tern_arg_tensor(call, 1);
    tern_tensor *b = tern_arg_tensor(call, 2);
    tern_shape lead;
    if (!ldl_fits(call, ld, pivots, b) || !tern_common_batch(call, ld, b, &lead))
        return tern_none();
    int64_t n = tern_rows(ld);
    tern_shape rows = lead;
    rows.dim[rows.rank++] = n;
    tern_dtype dtype = BODY(b)->dtype;
    tern_factoring f = {.k = n};
    if (tern_batch_of(call, tern_expand_batch(ld, lead), &f.a) &&
        tern_batch_of(call, tern_expand_batch(b, lead), &f.b))
        f.pivots = tern_host_copy(call->ctx, tern_expand(pivots, rows), TERN_INT32);
    int64_t turns = f.pivots ? tern_batch_turns(&f.a, 0) : 0;
    for (int64_t i = 0; i < turns && pivots_are_sound(call, f.pivots + i * n, n); i++) continue;
    tern_factor(call, &f, dtype, turns, ldl_solve_one);
    tern_host_give(call->ctx, f.a.data);
    tern_host_give(call->ctx, f.pivots);
    return tern_result(call, tern_batch_matrices(call, &f.b, dtype));
}
