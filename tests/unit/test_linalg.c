/* Linear algebra: every factorisation multiplies back to its matrix, for tall, wide and rank-deficient ones,
 * gradients hold against finite differences, and errors say which matrix of a batch is wrong. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "functional/linalg/batch.h"
#include "tern/grad.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(linalg, .init = open_context, .fini = close_context);

/* Numbers without a pattern, of a size near 1. */
static tern_tensor *drawn(tern_shape shape) {
    tern_manual_seed(ctx, 15);
    return tern_to_dtype(tern_randn(ctx, shape, NULL), TERN_FLOAT64);
}

static void expect_near(tern_tensor *got, tern_tensor *want, const char *what) {
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", what, tern_error(ctx));
    double gap = tern_numel(got) ? tern_item(tern_max(tern_abs(tern_sub(got, want)))) : 0.0;
    cr_assert(gap < 1e-10, "%s: off by %g", what, gap);
}
#define NEAR(got, want) expect_near(got, want, #got)

static tern_tensor *mt(tern_tensor *x) {
    return tern_transpose(x, -2, -1);
}
static tern_tensor *columns(tern_tensor *x, tern_tensor *factors) {
    return tern_mul(x, tern_unsqueeze(factors, -2));
}
static tern_tensor *eye(int64_t n) {
    tern_tensor *i = tern_arange_i64(ctx, n);
    return tern_to_dtype(tern_eq(tern_unsqueeze(i, 0), tern_unsqueeze(i, 1)), TERN_FLOAT64);
}

static const int64_t sizes[][2] = {{1, 1}, {4, 4}, {6, 3}, {3, 6}, {5, 1}, {1, 5}, {0, 3}, {3, 0}};
enum { SIZES = sizeof sizes / sizeof *sizes };

Test(linalg, factors_multiply_back) {
    for (int i = 0; i < SIZES; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *a = drawn(TERN_SHAPE(2, sizes[i][0], sizes[i][1])), *r, *s, *vh, *l, *u;
        tern_tensor *q = tern_qr(a, &r);
        NEAR(tern_matmul(q, r), a);
        tern_tensor *left = tern_linalg_svd(a, false, &s, &vh);
        NEAR(tern_matmul(columns(left, s), vh), a);
        left = tern_linalg_svd(a, true, NULL, NULL);
        NEAR(tern_matmul(mt(left), left), eye(sizes[i][0]));
        tern_tensor *p = tern_linalg_lu(a, &l, &u);
        NEAR(tern_matmul(p, tern_matmul(l, u)), a);
        NEAR(tern_matmul(a, tern_matmul(tern_pinv(a, 0, 1e-12, false), a)), a);
        tern_scope_end(scope);
    }
}

Test(linalg, symmetric_factors_multiply_back) {
    for (int64_t n = 1; n < 8; n++) {
        tern_tensor *x = drawn(TERN_SHAPE(2, n, n)), *a = tern_matmul(x, mt(x)), *v, *h, *pivots;
        tern_tensor *l = tern_cholesky(a, false), *values = tern_eigh(a, "L", &v);
        NEAR(tern_matmul(l, mt(l)), a);
        NEAR(tern_matmul(columns(v, values), mt(v)), a);
        tern_tensor *root = tern_matrix_sqrth(a), *q = tern_polar(x, &h);
        NEAR(tern_matmul(root, root), a);
        NEAR(tern_matmul(q, h), x);
        /* an indefinite one needs pivots of two rows */
        tern_tensor *b = tern_add(x, mt(x)), *ld = tern_ldl_factor(b, &pivots);
        NEAR(tern_matmul(b, tern_ldl_solve(ld, pivots, x)), x);
    }
}

Test(linalg, vectors_of_a_rank_deficient_matrix_are_orthonormal) {
    tern_tensor *x = drawn(TERN_SHAPE(5, 2)), *a = tern_matmul(x, mt(x)), *s, *vh;
    tern_tensor *u = tern_linalg_svd(a, false, &s, &vh);
    NEAR(tern_matmul(mt(u), u), eye(5));
    NEAR(tern_matmul(vh, mt(vh)), eye(5));
    cr_assert_eq(tern_item(tern_matrix_rank(a, 0, 1e-12, false)), 2);
    tern_tensor *none = tern_zeros(ctx, TERN_SHAPE(3, 3), TERN_FLOAT64);
    u = tern_linalg_svd(none, false, NULL, NULL);
    NEAR(tern_matmul(mt(u), u), eye(3));
}

Test(linalg, solutions_solve) {
    tern_tensor *a = drawn(TERN_SHAPE(2, 3, 4, 4)), *b = drawn(TERN_SHAPE(3, 4, 2)), *pivots;
    NEAR(tern_matmul(a, tern_solve(a, b, true)), tern_add(b, tern_mul_scalar(tern_sum(a), 0)));
    NEAR(tern_matmul(tern_solve(a, mt(b), false), a), tern_expand(mt(b), TERN_SHAPE(2, 3, 2, 4)));
    NEAR(tern_matmul(a, tern_inv(a)), tern_expand(eye(4), TERN_SHAPE(2, 3, 4, 4)));
    tern_tensor *lu = tern_lu_factor(a, &pivots);
    NEAR(tern_linalg_lu_solve(lu, pivots, b, true, true), tern_solve(mt(a), b, true));
    tern_tensor *sign, *log;
    sign = tern_slogdet(a, &log);
    NEAR(tern_mul(sign, tern_exp(log)), tern_det(a));
}

Test(linalg, exponential_of_a_large_rotation) {
    double angle = 30.0, numbers[] = {0, -angle, angle, 0};
    tern_tensor *a = tern_from_data(ctx, numbers, TERN_SHAPE(2, 2), TERN_FLOAT64);
    double turned[] = {cos(angle), -sin(angle), sin(angle), cos(angle)};
    NEAR(tern_matrix_exp(a), tern_from_data(ctx, turned, TERN_SHAPE(2, 2), TERN_FLOAT64));
}

/* ---- gradients ---- */

typedef tern_tensor *(*function)(tern_tensor *a);

/* The directional derivative along a drawn direction, against a central difference. */
static void check_gradient(function f, tern_tensor *a, const char *name) {
    tern_tensor *along = tern_mul_scalar(tern_sin(tern_mul_scalar(a, 31)), 1.0);
    tern_tensor *weights = tern_cos(tern_mul_scalar(f(a), 3));
    double step = 1e-6;
    tern_tensor *up = f(tern_add_alpha(a, along, step)), *down = f(tern_add_alpha(a, along, -step));
    double want = tern_item(tern_sum(tern_mul(weights, tern_sub(up, down)))) / (2 * step);
    tern_tensor *leaf = tern_requires_grad(tern_clone(a), true);
    tern_backward(tern_sum(tern_mul(tern_detach(weights), f(leaf))));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", name, tern_error(ctx));
    double got = tern_item(tern_sum(tern_mul(tern_grad_of(leaf), along)));
    cr_assert(fabs(got - want) < 1e-6 * (1 + fabs(want)), "%s: %.9g, by differences %.9g", name,
              got, want);
}
#define GRADIENT(f, a) check_gradient(f, a, #f)

static tern_tensor *of_qr(tern_tensor *a) {
    tern_tensor *r, *q = tern_qr(a, &r);
    return tern_add(tern_sum(tern_sin(q)), tern_sum(tern_sin(r)));
}
static tern_tensor *of_lu(tern_tensor *a) {
    tern_tensor *pivots, *lu = tern_lu_factor(a, &pivots);
    return lu;
}
static tern_tensor *of_svd(tern_tensor *a) {
    tern_tensor *s, *vh, *u = tern_linalg_svd(a, false, &s, &vh);
    tern_tensor *first = tern_square(u), *last = tern_square(vh);
    return tern_add(tern_add(tern_sum(tern_sin(first)), tern_sum(tern_sin(s))),
                    tern_sum(tern_sin(last)));
}
static tern_tensor *of_eigh(tern_tensor *a) {
    tern_tensor *v, *values = tern_eigh(tern_add(a, mt(a)), "U", &v);
    return tern_add(tern_sum(tern_sin(values)), tern_sum(tern_sin(tern_square(v))));
}
static tern_tensor *of_cholesky(tern_tensor *a) {
    return tern_cholesky(tern_add(tern_matmul(a, mt(a)), eye(4)), true);
}
static tern_tensor *of_polar(tern_tensor *a) {
    tern_tensor *h, *u = tern_polar(a, &h);
    return tern_add(tern_sum(tern_sin(u)), tern_sum(tern_sin(h)));
}
static tern_tensor *of_pinv(tern_tensor *a) {
    return tern_pinv(a, 0, 1e-12, false);
}
static tern_tensor *of_solve(tern_tensor *a) {
    return tern_solve(a, tern_sin(a), true);
}

Test(linalg, gradients_hold_against_differences) {
    tern_shape square = TERN_SHAPE(2, 4, 4), tall = TERN_SHAPE(2, 5, 3), wide = TERN_SHAPE(2, 3, 5);
    GRADIENT(of_qr, drawn(square));
    GRADIENT(of_qr, drawn(tall));
    GRADIENT(of_qr, drawn(wide));
    GRADIENT(of_lu, drawn(square));
    GRADIENT(of_lu, drawn(tall));
    GRADIENT(of_lu, drawn(wide));
    GRADIENT(of_svd, drawn(square));
    GRADIENT(of_svd, drawn(tall));
    GRADIENT(of_svd, drawn(wide));
    GRADIENT(of_pinv, drawn(tall));
    GRADIENT(of_pinv, drawn(wide));
    GRADIENT(of_eigh, drawn(square));
    GRADIENT(of_cholesky, drawn(square));
    GRADIENT(of_polar, drawn(square));
    GRADIENT(of_polar, drawn(tall));
    GRADIENT(of_solve, drawn(square));
    GRADIENT(tern_det, drawn(square));
    GRADIENT(tern_matrix_exp, drawn(square));
}

Test(linalg, a_singular_matrix_has_a_gradient_of_its_determinant) {
    double numbers[] = {1, 2, 2, 4};
    tern_tensor *a = tern_from_data(ctx, numbers, TERN_SHAPE(2, 2), TERN_FLOAT64);
    tern_requires_grad(a, true);
    tern_backward(tern_det(a));
    double cofactors[] = {4, -2, -2, 1};
    NEAR(tern_grad_of(a), tern_from_data(ctx, cofactors, TERN_SHAPE(2, 2), TERN_FLOAT64));
}

/* ---- errors ---- */

static void expect_error(const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}

Test(linalg, errors_name_the_matrix) {
    tern_tensor *a = tern_zeros(ctx, TERN_SHAPE(2, 2, 2), TERN_FLOAT64);
    tern_copy_in_place(tern_select(a, 0, 0), eye(2));
    tern_inv(a);
    expect_error(
        "linalg.inv: (Batch element 1): The solver failed because the input matrix is singular");
    tern_cholesky(a, false);
    expect_error("linalg.cholesky: (Batch element 1): the input is not positive-definite");
    tern_det(tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32));
    expect_error("square matrices (*, n, n), got shape [2, 3]");
    tern_solve(eye(3), eye(2), true);
    expect_error("as many rows");
    tern_inv(tern_zeros(ctx, TERN_SHAPE(2, 2), TERN_INT64));
    expect_error("floating dtype, got int64");
    tern_lu_solve(eye(2), eye(2), tern_arange_i64(ctx, 2));
    expect_error("a pivot is 0, and there are 2 rows");
}

Test(linalg, what_is_not_finite_gives_nan) {
    tern_tensor *a = tern_full(ctx, TERN_SHAPE(3, 3), (double)INFINITY, TERN_FLOAT64);
    cr_assert(isnan(tern_item(tern_sum(tern_svdvals(a)))));
    cr_assert(isnan(tern_item(tern_sum(tern_eigvalsh(a, "L")))));
    cr_assert(isnan(tern_item(tern_sum(tern_matrix_exp(a)))));
}

/* ---- infinities and NaN ---- */

static void expect_all(tern_tensor *got, const double *want, int64_t count, const char *what) {
    double all[16];
    cr_assert_eq(tern_to_doubles(got, all, (size_t)count), TERN_OK, "%s: %s", what,
                 tern_error(ctx));
    for (int64_t i = 0; i < count; i++)
        cr_assert(all[i] == want[i] || (isnan(all[i]) && isnan(want[i])) ||
                      fabs(all[i] - want[i]) < 1e-12,
                  "%s: element %lld is %.17g, not %.17g", what, (long long)i, all[i], want[i]);
}
#define EXPECT(got, ...)                                                                           \
    expect_all(got, (const double[]){__VA_ARGS__},                                                 \
               (int64_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)), #got)

static tern_tensor *two_by_two(double a, double b, double c, double d) {
    return tern_from_data(ctx, (double[]){a, b, c, d}, TERN_SHAPE(2, 2), TERN_FLOAT64);
}

/* A reflector of LAPACK's larfg. One without effect multiplies all the same: 0 times inf is NaN. */
Test(linalg, reflectors_of_what_is_not_finite) {
    tern_tensor *tau, *root = tern_sqrt(tern_full(ctx, TERN_SHAPE(1), 2, TERN_FLOAT64));
    double two = tern_item(root);
    EXPECT(tern_geqrf(two_by_two(-0.0, 0, 1, 0), &tau), -1, 0, 1, 0);
    EXPECT(tau, 1, 0);
    EXPECT(tern_geqrf(two_by_two(-INFINITY, 0, -1, 1), &tau), INFINITY, NAN, 0, NAN);
    EXPECT(tau, NAN, 0);
    EXPECT(tern_geqrf(two_by_two(1, 0, INFINITY, 1), &tau), -INFINITY, NAN, NAN, NAN);
    EXPECT(tern_geqrf(two_by_two(NAN, 0, 1, 1), &tau), two, NAN, NAN, NAN);
    EXPECT(tern_geqrf(two_by_two(2, INFINITY, 0, 1), &tau), 2, NAN, 0, NAN);
    EXPECT(tau, 0, 0);
}

Test(linalg, an_infinite_factor_of_cholesky_stays_within_its_part) {
    EXPECT(tern_cholesky_inverse(two_by_two(NAN, 7, 1, 2), false), NAN, NAN, NAN, 0.25);
    EXPECT(tern_cholesky_inverse(two_by_two(1, 7, INFINITY, 2), false), INFINITY, -INFINITY,
           -INFINITY, 0.25);
    EXPECT(tern_cholesky_inverse(two_by_two(1, INFINITY, 7, 2), true), INFINITY, -INFINITY,
           -INFINITY, 0.25);
    tern_cholesky_inverse(two_by_two(1, 0, 1, 0), false);
    expect_error("cholesky_inverse: (Batch element 0): the factor has a zero on its diagonal (at "
                 "position 2)");
}

static tern_tensor *column(double a, double b) {
    return tern_from_data(ctx, (double[]){a, b}, TERN_SHAPE(2, 1), TERN_FLOAT64);
}

/* LAPACK's ormqr: a reflector acts on the rows from its own on, on none where tau is 0, and from the right on no column
 * where its vector is 0. */
Test(linalg, a_reflector_reaches_what_it_acts_on_alone) {
    tern_tensor *taus = tern_from_data(ctx, (double[]){0, 0.5}, TERN_SHAPE(2), TERN_FLOAT64);
    tern_tensor *one = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT64);
    EXPECT(tern_ormqr(two_by_two(5, 5, INFINITY, 5), taus, column(1, NAN), true, false), 1, NAN);
    EXPECT(tern_ormqr(column(0, 0), one, column(INFINITY, 3), true, false), NAN, NAN);
    EXPECT(tern_ormqr(column(0, 0), one, mt(column(INFINITY, 3)), false, false), NAN, 3);
}

/* What a call that failed gives has no rows, no columns and no dimensions before them. */
Test(linalg, nothing_is_read_of_nil) {
    tern_matmul(drawn(TERN_SHAPE(2, 3)), drawn(TERN_SHAPE(2, 3)));
    tern_opcall call = {.ctx = ctx, .lane = BODY(drawn(TERN_SHAPE(1)))->lane};
    tern_batch batch;
    cr_assert_not(tern_batch_of(&call, mt(ctx->nil), &batch));
    cr_assert(batch.lead.rank == 0 && batch.rows == 0 && batch.columns == 0 && !batch.data);
    cr_assert_eq(tern_rows(ctx->nil) + tern_columns(ctx->nil), 0);
    cr_assert(tern_is_nil(tern_batch_matrices(&call, &batch, TERN_FLOAT64)));
    tern_error_clear(ctx);
}
