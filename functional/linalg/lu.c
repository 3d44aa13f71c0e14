/* lu.c: LU factorisations, solutions by them, determinants, inverses. */
#include <math.h>

#include "batch.h"

/* ---- the factorisation ---- */

static const char zero_in_u[] = "U has a zero on its diagonal, the input is singular";
static const char singular[] = "The solver failed because the input matrix is singular";

/* a of the factoring becomes LU; pivots [*, k] and, where they are wanted, infos. */
static void lu_one(tern_factoring *f, int64_t i) {
    int32_t info =
        tern_dense_lu(&f->by, tern_matrix(&f->a, i), f->pivots + i * f->k, f->a.rows, f->a.columns);
    if (f->infos) f->infos[i] = info;
}

/* linalg.lu_factor_ex(A, pivot, check_errors): (LU, pivots, info) */
tern_value tern_op_lu_factor_ex(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *all[3];
    if (!tern_expect_matrices(call, x, "A", false)) return tern_none();
    if (!tern_arg_bool(call, 1, true))
        return tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                              "LU without pivoting is not implemented on the CPU: use pivot=True");
    tern_factoring f = {0};
    f.k = tern_rows(x) < tern_columns(x) ? tern_rows(x) : tern_columns(x);
    tern_dtype dtype = BODY(x)->dtype;
    if (tern_batch_of(call, x, &f.a)) {
        f.pivots = tern_batch_space(call, &f.a, f.k, sizeof *f.pivots);
        f.infos = tern_batch_space(call, &f.a, 1, sizeof *f.infos);
    }
    tern_factor(call, &f, dtype, f.a.count, lu_one);
    if (call->ctx->status == TERN_OK && tern_arg_bool(call, 2, false))
        tern_check_infos(call, f.infos, f.a.count, zero_in_u);
    all[0] = tern_batch_matrices(call, &f.a, dtype);
    all[1] = tern_batch_result(call, f.pivots, TERN_INT32, TERN_INT32, f.a.lead, TERN_SHAPE(f.k));
    all[2] = tern_batch_result(call, f.infos, TERN_INT32, TERN_INT32, f.a.lead, TERN_SCALAR_SHAPE);
    return tern_results(call, all, 3);
}

/* The row that each row of P^T A comes from, [*, m] of int64. */
tern_value tern_op__lu_permutation(tern_opcall *call) {
    tern_tensor *pivots = tern_arg_tensor(call, 0);
    int64_t m = tern_arg_int(call, 1, 0);
    if (!tern_are_pivots(pivots) || m < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "pivots must be integers of a dimension at least, got %d dimensions "
                              "of %s for %lld rows",
                              BODY(pivots)->rank, tern_dtype_name(BODY(pivots)->dtype),
                              (long long)m);
    int64_t steps = BODY(pivots)->shape[BODY(pivots)->rank - 1];
    tern_batch batch = {.lead = tern_shape_of(pivots), .count = 1};
    batch.lead.rank--;
    for (int d = 0; d < batch.lead.rank; d++) batch.count *= batch.lead.dim[d];
    int64_t *from = tern_host_copy(call->ctx, pivots, TERN_INT64);
    int64_t *order = tern_batch_space(call, &batch, m, sizeof *order);
    for (int64_t i = 0; from && order && i < batch.count; i++) {
        int64_t *rows = order + i * m;
        for (int64_t j = 0; j < m; j++) rows[j] = j;
        for (int64_t j = 0; j < steps && call->ctx->status == TERN_OK; j++) {
            int64_t one_based = from[i * steps + j], other = one_based < 1 ? -1 : one_based - 1;
            if (j >= m || other < 0 || other >= m) {
                tern_call_fail(call, TERN_ERR_INDEX,
                               "a pivot is %lld, and there are %lld rows: pivots are those of "
                               "linalg.lu_factor",
                               (long long)one_based, (long long)m);
                break;
            }
            int64_t row = rows[j];
            rows[j] = rows[other];
            rows[other] = row;
        }
    }
    tern_host_give(call->ctx, from);
    return tern_result(
        call, tern_batch_result(call, order, TERN_INT64, TERN_INT64, batch.lead, TERN_SHAPE(m)));
}

/* P [*, m, m] of LU's pivots: column j has its one in row order[j]. */
static tern_tensor *permutation_matrix(tern_tensor *pivots, int64_t m, tern_dtype dtype) {
    tern_tensor *order = TERN_CALL(_lu_permutation, ARG_TENSOR(pivots), ARG_INT(m));
    if (tern_is_nil(order)) return order;
    tern_tensor *rows = tern_arange_i64(BODY(pivots)->ctx, m);
    rows = tern_to_device(rows, tern_device_of(pivots));
    return tern_to_dtype(tern_eq(tern_unsqueeze(rows, -1), tern_unsqueeze(order, -2)), dtype);
}

/* x[order] (P^T x), or its inverse (P x), rows of a batch [*, m, n]. */
static tern_tensor *permuted(tern_tensor *x, tern_tensor *pivots, bool inverse) {
    tern_tensor *order = TERN_CALL(_lu_permutation, ARG_TENSOR(pivots), ARG_INT(tern_rows(x)));
    if (tern_is_nil(order)) return order;
    if (inverse) order = TERN_CALL(argsort, ARG_TENSOR(order), ARG_INT(-1));
    order = tern_expand(tern_unsqueeze(order, -1), tern_shape_of(x));
    return tern_gather(x, -2, order);
}

/* L [*, m, k] with its ones, and U [*, k, n], of a packed LU. */
static tern_tensor *lower_of(tern_tensor *lu) {
    int64_t m = tern_rows(lu), k = m < tern_columns(lu) ? m : tern_columns(lu);
    tern_tensor *lower = tern_tril_from(tern_narrow(lu, -1, 0, k), -1);
    tern_tensor *ones = TERN_CALL(new_ones, ARG_TENSOR(lu), ARG_SHAPE(TERN_SHAPE(k)));
    tern_tensor *eye = TERN_CALL(diag_embed, ARG_TENSOR(ones));
    if (m > k)
        eye = TERN_CALL(constant_pad_nd, ARG_TENSOR(eye), ARG_SHAPE(TERN_SHAPE(0, 0, 0, m - k)));
    return tern_add(lower, eye);
}
static tern_tensor *upper_of(tern_tensor *lu) {
    int64_t n = tern_columns(lu), k = tern_rows(lu) < n ? tern_rows(lu) : n;
    return tern_triu_from(tern_narrow(lu, -2, 0, k), 0);
}

/*
 * A = P L U, X = L1^-1 P^T dA1 U1^-1 of the leading square blocks: dL1 = L1 tril(X, -1),
 * dU1 = triu(X) U1. With more columns, dU2 = L^-1 P^T dA2 - tril(X, -1) U2; with more rows,
 * dL2 = P^T dA2 U^-1 - L2 triu(X). The gradient is the adjoint of that.
 */
static tern_tensor *lu_gradient(tern_tensor *lu, tern_tensor *g) {
    int64_t m = tern_rows(lu), n = tern_columns(lu), k = m < n ? m : n;
    tern_tensor *l = lower_of(lu), *u = upper_of(lu);
    tern_tensor *l1 = tern_narrow(l, -2, 0, k), *u1 = tern_narrow(u, -1, 0, k);
    tern_tensor *square = tern_narrow(tern_narrow(g, -2, 0, k), -1, 0, k);
    tern_tensor *by_l = tern_matmul(tern_mt(l1), tern_tril_from(square, -1));
    tern_tensor *by_u = tern_matmul(tern_triu_from(square, 0), tern_mt(u1));
    tern_tensor *rest = NULL;
    if (n > m) {
        rest = tern_narrow(g, -1, k, n - k);
        by_l = tern_sub(by_l, tern_matmul(rest, tern_mt(tern_narrow(u, -1, k, n - k))));
    }
    if (m > n) {
        rest = tern_narrow(g, -2, k, m - k);
        by_u = tern_sub(by_u, tern_matmul(tern_mt(tern_narrow(l, -2, k, m - k)), rest));
    }
    tern_tensor *x = tern_add(tern_tril_from(by_l, -1), tern_triu_from(by_u, 0));
    x = tern_times_triangular_inverse(x, tern_mt(u1), false, false);
    if (n > m) x = tern_cat((tern_tensor *[]){x, rest}, 2, -1);
    x = tern_triangular_inverse_times(tern_mt(l1), x, true, true);
    if (m > n) {
        rest = tern_times_triangular_inverse(rest, tern_mt(u1), false, false);
        x = tern_cat((tern_tensor *[]){x, rest}, 2, -2);
    }
    return x;
}

void tern_grad_lu_factor_ex(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_tensor *by_rows = lu_gradient(tern_node_output(node, 0), grad_out[0]);
    grads[0] = permuted(by_rows, tern_node_output(node, 1), true);
}

static tern_value factored(tern_opcall *call, tern_value pivot) {
    tern_value flag = pivot.kind == TERN_VALUE_NONE ? ARG_BOOL(true) : pivot;
    return TERN_CALL_VALUE(lu_factor_ex, ARG_TENSOR(tern_arg_tensor(call, 0)), flag);
}

static tern_value first_parts(tern_opcall *call, tern_value all, int count) {
    tern_tensor *parts[3];
    for (int i = 0; i < count; i++) parts[i] = tern_part(call->ctx, all, (size_t)i);
    return tern_results(call, parts, count);
}

tern_value tern_op_lu_factor(tern_opcall *call) {
    return first_parts(call, factored(call, tern_arg(call, 1)), 2);
}

/* torch.lu(A, pivot=True, get_infos=False): (LU, pivots, info?) */
tern_value tern_op_lu(tern_opcall *call) {
    bool infos = tern_arg_bool(call, 2, false);
    tern_value all = factored(call, tern_arg(call, 1));
    if (!infos) all = tern_checked_results(call, all, 2, zero_in_u);
    return first_parts(call, all, infos ? 3 : 2);
}

/* lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True): (P, L, U), empty where not asked for */
tern_value tern_op_lu_unpack(tern_opcall *call) {
    tern_tensor *lu = tern_arg_tensor(call, 0), *pivots = tern_arg_tensor(call, 1), *all[3];
    if (!tern_expect_matrices(call, lu, "LU_data", false)) return tern_none();
    if (BODY(pivots)->rank != BODY(lu)->rank - 1 || !tern_are_pivots(pivots))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "LU_pivots must be int32 or int64 with one dimension less than LU_data, got %d "
            "of %s",
            BODY(pivots)->rank, tern_dtype_name(BODY(pivots)->dtype));
    for (int i = 0; i < 3; i++)
        all[i] = TERN_CALL(new_zeros, ARG_TENSOR(lu), ARG_SHAPE(TERN_SHAPE(0)));
    if (tern_arg_bool(call, 2, true)) {
        all[1] = lower_of(lu);
        all[2] = upper_of(lu);
    }
    if (tern_arg_bool(call, 3, true))
        all[0] = permutation_matrix(pivots, tern_rows(lu), BODY(lu)->dtype);
    return tern_results(call, all, 3);
}

tern_value tern_op_linalg_lu(tern_opcall *call) {
    tern_value packed = factored(call, tern_arg(call, 1));
    if (call->ctx->status != TERN_OK) return tern_none();
    return TERN_CALL_VALUE(lu_unpack, tern_value_at(packed, 0), tern_value_at(packed, 1));
}

/* ---- solutions by a factorisation ---- */

/* The solution of A x = B, or A^T x = B, where A = P L U. */
static tern_tensor *solved_by_lu(tern_opcall *call, tern_tensor *lu, tern_tensor *pivots,
                                 tern_tensor *b, bool adjoint) {
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    tern_shape lead;
    if (!tern_expect_matrices(call, lu, "LU", true) || !tern_expect_matrices(call, b, "B", false))
        return call->ctx->nil;
    if (tern_rows(lu) != tern_rows(b) || BODY(lu)->dtype != BODY(b)->dtype ||
        BODY(pivots)->rank != BODY(lu)->rank - 1 || !tern_are_pivots(pivots)) {
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "LU %s of %s, its integer pivots and B %s of %s do not fit: one dtype, and as many "
            "rows",
            tern_shape_text(BODY(lu)->rank, BODY(lu)->shape, one), tern_dtype_name(BODY(lu)->dtype),
            tern_shape_text(BODY(b)->rank, BODY(b)->shape, two), tern_dtype_name(BODY(b)->dtype));
        return call->ctx->nil;
    }
    if (!tern_common_batch(call, lu, b, &lead)) return call->ctx->nil;
    tern_shape rows = lead;
    rows.dim[rows.rank++] = tern_rows(lu);
    lu = tern_expand_batch(lu, lead);
    b = tern_expand_batch(b, lead);
    pivots = tern_expand(pivots, rows);
    if (adjoint) {
        tern_tensor *x = tern_triangular_inverse_times(tern_mt(lu), b, false, false);
        return permuted(tern_triangular_inverse_times(tern_mt(lu), x, true, true), pivots, true);
    }
    tern_tensor *x = tern_triangular_inverse_times(lu, permuted(b, pivots, false), false, true);
    return tern_triangular_inverse_times(lu, x, true, false);
}

/* linalg.lu_solve(LU, pivots, B, left=True, adjoint=False) */
tern_value tern_op_linalg_lu_solve(tern_opcall *call) {
    tern_tensor *lu = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 2);
    bool left = tern_arg_bool(call, 3, true), adjoint = tern_arg_bool(call, 4, false);
    if (!tern_expect_matrices(call, b, "B", false)) return tern_none();
    tern_tensor *x = solved_by_lu(call, lu, tern_arg_tensor(call, 1), left ? b : tern_mt(b),
                                  left ? adjoint : !adjoint);
    return tern_result(call, left ? x : tern_mt(x));
}

/* torch.lu_solve(b, LU_data, LU_pivots) */
tern_value tern_op_lu_solve(tern_opcall *call) {
    return tern_result(call, solved_by_lu(call, tern_arg_tensor(call, 1), tern_arg_tensor(call, 2),
                                          tern_arg_tensor(call, 0), false));
}

/* ---- linear systems ---- */

static void solve_one(tern_factoring *f, int64_t i) {
    double *lu = tern_matrix(&f->a, i), *y = tern_matrix(&f->b, i);
    int64_t n = f->a.rows, columns = f->b.columns;
    const int32_t *pivots = f->pivots + i * n;
    lu_one(f, i);
    for (int64_t j = 0; !f->by.status && j < n; j++)
        for (int64_t k = 0, other = pivots[j] - 1; other != j && k < columns; k++) {
            double value = y[j * columns + k];
            y[j * columns + k] = y[other * columns + k];
            y[other * columns + k] = value;
        }
    tern_dense_solve_triangular(&f->by, lu, y, n, columns, false, true);
    tern_dense_solve_triangular(&f->by, lu, y, n, columns, true, false);
}

/* _linalg_solve(A, B): (x, info), of one batch and dtype */
tern_value tern_op__linalg_solve(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    if (!tern_expect_system(call, x, tern_arg_tensor(call, 1))) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {.k = tern_rows(x)};
    if (tern_batch_of(call, x, &f.a) && tern_batch_of(call, tern_arg_tensor(call, 1), &f.b)) {
        f.pivots = tern_batch_space(call, &f.a, f.k, sizeof *f.pivots);
        f.infos = tern_batch_space(call, &f.a, 1, sizeof *f.infos);
    }
    tern_factor(call, &f, dtype, f.a.count, solve_one);
    tern_host_give(call->ctx, f.a.data);
    tern_host_give(call->ctx, f.pivots);
    both[0] = tern_batch_matrices(call, &f.b, dtype);
    both[1] = tern_batch_result(call, f.infos, TERN_INT32, TERN_INT32, f.a.lead, TERN_SCALAR_SHAPE);
    return tern_results(call, both, 2);
}

static tern_value solve_call(tern_tensor *a, tern_tensor *b) {
    return TERN_CALL_VALUE(_linalg_solve, ARG_TENSOR(a), ARG_TENSOR(b));
}

/* By B, A^-T g; by A, its negative times x^T (Giles 2008, 2.3.1) */
void tern_grad__linalg_solve(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_tensor *a = tern_node_input(node, 0);
    tern_tensor *by_b = tern_part(tern_node_ctx(node), solve_call(tern_mt(a), grad_out[0]), 0);
    if (tern_node_needs(node, 1)) grads[1] = by_b;
    if (tern_node_needs(node, 0))
        grads[0] = tern_neg(tern_matmul(by_b, tern_mt(tern_node_output(node, 0))));
}

/* B is a batch of vectors where it has one dimension, or A's shape without the last. */
static bool is_vectors(const tern_tensor *a, const tern_tensor *b) {
    bool same = BODY(b)->rank == BODY(a)->rank - 1;
    for (int d = 0; same && d < BODY(b)->rank; d++) same = BODY(b)->shape[d] == BODY(a)->shape[d];
    return BODY(b)->rank == 1 || same;
}

/* (x, info); none after latching */
static tern_value solve(tern_opcall *call, bool check) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1), *both[2];
    bool left = tern_arg_bool(call, 2, true), vectors = BODY(a)->rank >= 2 && is_vectors(a, b);
    tern_shape lead;
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    if (!tern_expect_matrices(call, a, "A", true)) return tern_none();
    if (vectors && !left)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Vector broadcasting of the left hand side is not supported for "
                              "left=False, got B %s",
                              tern_shape_text(BODY(b)->rank, BODY(b)->shape, two));
    if (vectors) b = tern_unsqueeze(b, -1);
    if (!tern_expect_matrices(call, b, "B", false)) return tern_none();
    if ((left ? tern_rows(b) : tern_columns(b)) != tern_rows(a) || BODY(a)->dtype != BODY(b)->dtype)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "Incompatible A %s of %s and B %s of %s: as many rows, one dtype",
            tern_shape_text(BODY(a)->rank, BODY(a)->shape, one), tern_dtype_name(BODY(a)->dtype),
            tern_shape_text(BODY(b)->rank, BODY(b)->shape, two), tern_dtype_name(BODY(b)->dtype));
    if (!tern_common_batch(call, a, b, &lead)) return tern_none();
    a = tern_expand_batch(left ? a : tern_mt(a), lead);
    b = tern_expand_batch(left ? b : tern_mt(b), lead);
    tern_value result = solve_call(a, b);
    if (check) result = tern_checked_results(call, result, 1, singular);
    for (int i = 0; i < 2; i++) both[i] = tern_part(call->ctx, result, (size_t)i);
    if (!left) both[0] = tern_mt(both[0]);
    if (vectors) both[0] = tern_squeeze(both[0], -1);
    return tern_results(call, both, 2);
}

tern_value tern_op_solve_ex(tern_opcall *call) {
    return solve(call, tern_arg_bool(call, 3, false));
}
tern_value tern_op_solve(tern_opcall *call) {
    return tern_result(call, tern_part(call->ctx, solve(call, true), 0));
}

static tern_value inverse(tern_opcall *call, bool check) {
    tern_tensor *a = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, a, "A", true)) return tern_none();
    tern_value both = solve_call(a, tern_identity_like(a, tern_rows(a)));
    return check ? tern_checked_results(call, both, 1, singular) : both;
}

tern_value tern_op_inv_ex(tern_opcall *call) {
    return inverse(call, tern_arg_bool(call, 1, false));
}
tern_value tern_op_inv(tern_opcall *call) {
    return tern_result(call, tern_part(call->ctx, inverse(call, true), 0));
}

/* ---- determinants ---- */

static void slogdet_one(tern_factoring *f, int64_t i) {
    const double *lu = tern_matrix(&f->a, i);
    double sign = 1.0, log_size = 0.0;
    lu_one(f, i);
    for (int64_t j = 0; j < f->k; j++) {
        double d = lu[j * f->k + j];
        if (f->pivots[i * f->k + j] != j + 1) sign = -sign;
        sign *= isnan(d) ? d : (double)((d > 0.0) - (d < 0.0));
        log_size += log(fabs(d));
    }
    f->values[i] = sign;
    f->more[i] = log_size;
}

/* linalg.slogdet: (sign, log|det|) */
tern_value tern_op_slogdet(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    if (!tern_expect_matrices(call, x, "A", true)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {.k = tern_rows(x)};
    if (tern_batch_of(call, x, &f.a)) {
        f.values = tern_batch_space(call, &f.a, 1, sizeof *f.values);
        f.more = tern_batch_space(call, &f.a, 1, sizeof *f.more);
        f.pivots = tern_batch_space(call, &f.a, f.k, sizeof *f.pivots);
    }
    tern_factor(call, &f, dtype, f.a.count, slogdet_one);
    tern_host_give(call->ctx, f.a.data);
    tern_host_give(call->ctx, f.pivots);
    both[0] = tern_batch_result(call, f.values, TERN_FLOAT64, dtype, f.a.lead, TERN_SCALAR_SHAPE);
    both[1] = tern_batch_result(call, f.more, TERN_FLOAT64, dtype, f.a.lead, TERN_SCALAR_SHAPE);
    return tern_results(call, both, 2);
}

static tern_tensor *over_matrices(tern_tensor *x) {
    return tern_unsqueeze(tern_unsqueeze(x, -1), -1);
}

static tern_tensor *inverse_transposed(tern_tensor *a) {
    tern_tensor *eye = tern_identity_like(a, tern_rows(a));
    return tern_part(BODY(a)->ctx, solve_call(tern_mt(a), eye), 0);
}

/* A^-T (Giles 2008, 2.2.4) */
void tern_grad_slogdet(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[1]) return;
    grads[0] = tern_mul(over_matrices(grad_out[1]), inverse_transposed(tern_node_input(node, 0)));
}

tern_value tern_op_logdet(tern_opcall *call) {
    tern_ctx *ctx = call->ctx;
    tern_value both = TERN_CALL_VALUE(slogdet, ARG_TENSOR(tern_arg_tensor(call, 0)));
    if (ctx->status != TERN_OK) return tern_none();
    tern_tensor *negative = tern_lt_scalar(tern_part(ctx, both, 0), 0.0);
    return tern_result(call, tern_fill_where(tern_part(ctx, both, 1), negative, (double)NAN));
}

static void det_one(tern_factoring *f, int64_t i) {
    const double *lu = tern_matrix(&f->a, i);
    double det = 1.0;
    lu_one(f, i);
    for (int64_t j = 0; j < f->k; j++)
        det *= f->pivots[i * f->k + j] == j + 1 ? lu[j * f->k + j] : -lu[j * f->k + j];
    f->values[i] = det;
}

tern_value tern_op_det(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, x, "A", true)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {.k = tern_rows(x)};
    if (tern_batch_of(call, x, &f.a)) {
        f.values = tern_batch_space(call, &f.a, 1, sizeof *f.values);
        f.pivots = tern_batch_space(call, &f.a, f.k, sizeof *f.pivots);
    }
    tern_factor(call, &f, dtype, f.a.count, det_one);
    tern_host_give(call->ctx, f.a.data);
    tern_host_give(call->ctx, f.pivots);
    return tern_result(
        call, tern_batch_result(call, f.values, TERN_FLOAT64, dtype, f.a.lead, TERN_SCALAR_SHAPE));
}

/* The matrices of cofactors, singular matrices included: det(U V^T) U diag(products of the other singular
 * values) V^T. */
tern_value tern_op__cofactors(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, x, "A", true)) return tern_none();
    tern_value all =
        TERN_CALL_VALUE(_svd, ARG_TENSOR(tern_to_dtype(x, TERN_FLOAT64)), ARG_BOOL(false));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *u = tern_part(call->ctx, all, 0), *vt = tern_part(call->ctx, all, 2);
    tern_tensor *s =
        tern_expand(tern_unsqueeze(tern_part(call->ctx, all, 1), -2), tern_shape_of(u));
    tern_tensor *own = tern_gt_scalar(tern_identity_like(u, tern_rows(u)), 0.0);
    tern_tensor *others = TERN_CALL(prod, ARG_TENSOR(tern_fill_where(s, own, 1.0)), ARG_INT(-1));
    tern_tensor *sign = TERN_CALL(det, ARG_TENSOR(tern_matmul(u, vt)));
    tern_tensor *scaled = tern_mul(u, tern_unsqueeze(others, -2));
    tern_tensor *out = tern_mul(tern_matmul(scaled, vt), over_matrices(sign));
    return tern_result(call, tern_to_dtype(out, BODY(x)->dtype));
}

/* The cofactors, which a singular matrix has too; det(A) A^-T where it is to be differentiated again. */
void tern_grad_det(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *a = tern_node_input(node, 0), *cofactors;
    if (tern_node_ctx(node)->grad_enabled)
        cofactors = tern_mul(over_matrices(tern_node_output(node, 0)), inverse_transposed(a));
    else
        cofactors = TERN_CALL(_cofactors, ARG_TENSOR(a));
    grads[0] = tern_mul(over_matrices(grad_out[0]), cofactors);
}
