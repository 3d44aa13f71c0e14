/* triangular_solve.c: systems with a triangular matrix, and what is made of Cholesky's. */
#include "batch.h"

static void solve_triangular_one(tern_factoring *f, int64_t i) {
    tern_dense_solve_triangular(&f->by, tern_matrix(&f->a, i), tern_matrix(&f->b, i), f->b.rows,
                                f->b.columns, f->upper, f->unit);
}

/* _solve_triangular(a, b, upper, unit): of one batch and dtype */
tern_value tern_op__solve_triangular(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *y = tern_arg_tensor(call, 1);
    if (!tern_expect_system(call, x, y)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {0};
    f.upper = tern_arg_bool(call, 2, false);
    f.unit = tern_arg_bool(call, 3, false);
    if (tern_batch_of(call, x, &f.a) && tern_batch_of(call, y, &f.b))
        tern_factor(call, &f, dtype, tern_batch_turns(&f.a, 0), solve_triangular_one);
    tern_host_give(call->ctx, f.a.data);
    return tern_result(call, tern_batch_matrices(call, &f.b, dtype));
}

/* Giles 2008, "An extended collection of matrix derivative results", 2.3.1: by b it is A^-T g, by a its
 * negative times x^T, where a is read */
void tern_grad__solve_triangular(tern_node *node, tern_tensor *const *grad_out,
                                 tern_tensor **grads) {
    tern_tensor *a = tern_node_input(node, 0), *x = tern_node_output(node, 0);
    bool upper = tern_value_as_int(tern_node_arg(node, 2)) != 0;
    bool unit = tern_value_as_int(tern_node_arg(node, 3)) != 0;
    tern_tensor *by_b = tern_triangular_inverse_times(tern_mt(a), grad_out[0], !upper, unit);
    if (tern_node_needs(node, 1)) grads[1] = by_b;
    if (!tern_node_needs(node, 0)) return;
    tern_tensor *by_a = tern_neg(tern_matmul(by_b, tern_mt(x)));
    grads[0] = upper ? tern_triu_from(by_a, unit) : tern_tril_from(by_a, unit ? -1 : 0);
}

static bool systems_fit(tern_opcall *call, tern_tensor *a, tern_tensor *b, bool left) {
    if (!tern_expect_matrices(call, a, "A", true) || !tern_expect_matrices(call, b, "B", false))
        return false;
    int64_t n = tern_rows(a), other = left ? tern_rows(b) : tern_columns(b);
    if (n == other && BODY(a)->dtype == BODY(b)->dtype) return true;
    if (n != other)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Incompatible shapes of A and B: A has %lld rows, B %lld %s", (long long)n,
                       (long long)other, left ? "rows" : "columns");
    else
        tern_call_fail(call, TERN_ERR_ARGUMENT, "A and B must have one dtype, got %s and %s",
                       tern_dtype_name(BODY(a)->dtype), tern_dtype_name(BODY(b)->dtype));
    return false;
}

/* The solution for triangles that broadcast; nil after latching. */
static tern_tensor *solved(tern_opcall *call, tern_tensor *a, tern_tensor *b, bool upper, bool left,
                           bool unit) {
    tern_shape lead;
    if (!systems_fit(call, a, b, left) || !tern_common_batch(call, a, b, &lead))
        return call->ctx->nil;
    a = tern_expand_batch(a, lead);
    b = tern_expand_batch(b, lead);
    return left ? tern_triangular_inverse_times(a, b, upper, unit)
                : tern_times_triangular_inverse(b, a, upper, unit);
}

tern_value tern_op_solve_triangular(tern_opcall *call) {
    return tern_result(call, solved(call, tern_arg_tensor(call, 0), tern_arg_tensor(call, 1),
                                    tern_arg_bool(call, 2, false), tern_arg_bool(call, 3, true),
                                    tern_arg_bool(call, 4, false)));
}

/* triangular_solve(b, A, upper=True, transpose=False, unitriangular=False): (solution, A) */
tern_value tern_op_triangular_solve(tern_opcall *call) {
    tern_tensor *b = tern_arg_tensor(call, 0), *a = tern_arg_tensor(call, 1);
    bool upper = tern_arg_bool(call, 2, true), transposed = tern_arg_bool(call, 3, false);
    if (!systems_fit(call, a, b, true)) return tern_none();
    tern_tensor *by = transposed ? tern_mt(a) : a;
    tern_shape lead;
    tern_tensor *x = solved(call, by, b, upper != transposed, true, tern_arg_bool(call, 4, false));
    if (!tern_common_batch(call, a, b, &lead)) return tern_none();
    tern_tensor *both[2] = {x, tern_clone(tern_expand_batch(a, lead))};
    return tern_results(call, both, 2);
}

/* ---- Cholesky ---- */

static const char not_definite[] = "the input is not positive-definite";

static void cholesky_one(tern_factoring *f, int64_t i) {
    f->infos[i] = tern_dense_cholesky(&f->by, tern_matrix(&f->a, i), f->a.rows);
}

/* linalg.cholesky_ex(input, upper, check_errors): (L or its transpose, info) */
tern_value tern_op_cholesky_ex(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    bool upper = tern_arg_bool(call, 1, false);
    if (!tern_expect_matrices(call, x, "input", true)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {0};
    if (tern_batch_of(call, upper ? tern_mt(x) : x, &f.a))
        f.infos = tern_batch_space(call, &f.a, 1, sizeof *f.infos);
    tern_factor(call, &f, dtype, f.a.count, cholesky_one);
    if (call->ctx->status == TERN_OK && tern_arg_bool(call, 2, false))
        tern_check_infos(call, f.infos, f.a.count, not_definite);
    both[0] = tern_batch_matrices(call, &f.a, dtype);
    both[1] = tern_batch_result(call, f.infos, TERN_INT32, TERN_INT32, f.a.lead, TERN_SCALAR_SHAPE);
    if (upper && call->ctx->status == TERN_OK) both[0] = tern_contiguous(tern_mt(both[0]));
    return tern_results(call, both, 2);
}

/* Murray 2016, "Differentiation of the Cholesky decomposition": L^-T phi(L^T g) L^-1, phi the lower triangle
 * with half the diagonal, made symmetric */
void tern_grad_cholesky_ex(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    bool upper = tern_value_as_int(tern_node_arg(node, 1)) != 0;
    tern_tensor *l = tern_node_output(node, 0), *g = grad_out[0];
    if (upper) {
        l = tern_mt(l);
        g = tern_mt(g);
    }
    tern_tensor *phi = tern_tril_from(tern_matmul(tern_mt(l), g), 0);
    phi = tern_mul_scalar(tern_add(phi, tern_mt(tern_tril_from(phi, -1))), 0.5);
    tern_tensor *right = tern_times_triangular_inverse(phi, l, false, false);
    grads[0] = tern_triangular_inverse_times(tern_mt(l), right, true, false);
}

tern_value tern_op_cholesky(tern_opcall *call) {
    tern_value both = TERN_CALL_VALUE(cholesky_ex, ARG_TENSOR(tern_arg_tensor(call, 0)),
                                      ARG_BOOL(tern_arg_bool(call, 1, false)));
    both = tern_checked_results(call, both, 1, not_definite);
    return tern_result(call, tern_part(call->ctx, both, 0));
}

/* The solution for b by a factor of its batch: (L L^T)^-1 b, or (U^T U)^-1 b */
static tern_tensor *solve_by_factor(tern_tensor *b, tern_tensor *factor, bool upper) {
    if (upper) factor = tern_mt(factor);
    tern_tensor *middle = tern_triangular_inverse_times(factor, b, false, false);
    return tern_triangular_inverse_times(tern_mt(factor), middle, true, false);
}

/* -(S L), or -(U S), of a symmetric S. PyTorch gives it whole, beyond the triangle that is read. */
static tern_tensor *by_factor(tern_tensor *s, tern_tensor *factor, bool upper) {
    return tern_neg(upper ? tern_matmul(factor, s) : tern_matmul(s, factor));
}

static tern_tensor *symmetric_sum(tern_tensor *x) {
    return tern_add(x, tern_mt(x));
}

/* _cholesky_solve(b, factor, upper), of one batch */
tern_value tern_op__cholesky_solve(tern_opcall *call) {
    tern_tensor *b = tern_arg_tensor(call, 0), *factor = tern_arg_tensor(call, 1);
    if (!tern_expect_system(call, factor, b)) return tern_none();
    return tern_result(call, solve_by_factor(b, factor, tern_arg_bool(call, 2, false)));
}

/* By b, A^-1 g; by A its negative times x^T; A = L L^T */
void tern_grad__cholesky_solve(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *factor = tern_node_input(node, 1), *x = tern_node_output(node, 0);
    tern_value upper = tern_node_arg(node, 2);
    tern_tensor *by_b =
        TERN_CALL(_cholesky_solve, ARG_TENSOR(grad_out[0]), ARG_TENSOR(factor), upper);
    if (tern_node_needs(node, 0)) grads[0] = by_b;
    if (tern_node_needs(node, 1))
        grads[1] = by_factor(symmetric_sum(tern_matmul(by_b, tern_mt(x))), factor,
                             tern_value_as_int(upper) != 0);
}

tern_value tern_op_cholesky_solve(tern_opcall *call) {
    tern_tensor *b = tern_arg_tensor(call, 0), *factor = tern_arg_tensor(call, 1);
    tern_shape lead;
    if (!systems_fit(call, factor, b, true) || !tern_common_batch(call, factor, b, &lead))
        return tern_none();
    return tern_result(call, TERN_CALL(_cholesky_solve, ARG_TENSOR(tern_expand_batch(b, lead)),
                                       ARG_TENSOR(tern_expand_batch(factor, lead)),
                                       ARG_BOOL(tern_arg_bool(call, 2, false))));
}

/* The position, from 1, of the first zero on the diagonal; 0 for none. */
static int32_t zero_on_diagonal(const double *a, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (a[i * n + i] == 0.0) return (int32_t)(i + 1);
    return 0;
}

static void cholesky_inverse_one(tern_factoring *f, int64_t i) {
    tern_dense_cholesky_inverse(&f->by, tern_matrix(&f->a, i), f->a.rows);
}

/* cholesky_inverse(input, upper): (L L^T)^-1, or (U^T U)^-1 */
tern_value tern_op_cholesky_inverse(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, x, "input", true)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {0};
    int32_t *zeros = NULL;
    if (tern_batch_of(call, tern_arg_bool(call, 1, false) ? tern_mt(x) : x, &f.a))
        zeros = tern_batch_space(call, &f.a, 1, sizeof *zeros);
    for (int64_t i = 0; zeros && i < f.a.count; i++)
        zeros[i] = zero_on_diagonal(tern_matrix(&f.a, i), f.a.rows);
    if (zeros && tern_check_infos(call, zeros, f.a.count, "the factor has a zero on its diagonal"))
        tern_factor(call, &f, dtype, f.a.count, cholesky_inverse_one);
    tern_host_give(call->ctx, zeros);
    return tern_result(call, tern_batch_matrices(call, &f.a, dtype));
}

void tern_grad_cholesky_inverse(tern_node *node, tern_tensor *const *grad_out,
                                tern_tensor **grads) {
    tern_tensor *inverse = tern_node_output(node, 0);
    tern_tensor *s = tern_matmul(inverse, tern_matmul(symmetric_sum(grad_out[0]), inverse));
    grads[0] =
        by_factor(s, tern_node_input(node, 0), tern_value_as_int(tern_node_arg(node, 1)) != 0);
}
