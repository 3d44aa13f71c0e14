/* Factorisations in host memory, by the host library or the plain functions (TERN_HOST_LIBRARY=off): of a
 * matrix, square, or of many small ones. */
#include "bench.h"

#include "tern/ops.h"

/* a, and b positive definite. */
static void prepare(bench_subject *s) {
    int64_t n = s->size[0], count = s->size[1] ? s->size[1] : 1;
    s->a = tern_randn(s->ctx, TERN_SHAPE(count, n, n), NULL);
    tern_tensor *square = tern_matmul(s->a, tern_transpose(s->a, -2, -1));
    tern_tensor *i = tern_arange_i64(s->ctx, n);
    tern_tensor *eye =
        tern_to_dtype(tern_eq(tern_unsqueeze(i, 0), tern_unsqueeze(i, 1)), TERN_FLOAT32);
    s->b = tern_add(square, tern_mul_scalar(eye, (double)n));
}

static void run_cholesky(bench_subject *s) {
    tern_cholesky(s->b, false);
}
static void run_solve(bench_subject *s) {
    tern_solve(s->b, s->a, true);
}
static void run_inv(bench_subject *s) {
    tern_inv(s->b);
}
static void run_qr(bench_subject *s) {
    tern_tensor *r;
    tern_qr(s->a, &r);
}
static void run_eigh(bench_subject *s) {
    tern_tensor *vectors;
    tern_eigh(s->b, "L", &vectors);
}
static void run_svd(bench_subject *s) {
    tern_tensor *values, *right;
    tern_linalg_svd(s->a, false, &values, &right);
}

static const bench_case cases[] = {
    {"cholesky_64", BENCH_MS, prepare, run_cholesky, .size = {64}},
    {"cholesky_256", BENCH_MS, prepare, run_cholesky, .size = {256}},
    {"cholesky_1024", BENCH_MS, prepare, run_cholesky, .size = {1024}},
    {"solve_64", BENCH_MS, prepare, run_solve, .size = {64}},
    {"solve_256", BENCH_MS, prepare, run_solve, .size = {256}},
    {"solve_1024", BENCH_MS, prepare, run_solve, .size = {1024}},
    {"inv_64", BENCH_MS, prepare, run_inv, .size = {64}},
    {"inv_256", BENCH_MS, prepare, run_inv, .size = {256}},
    {"inv_1024", BENCH_MS, prepare, run_inv, .size = {1024}},
    {"qr_64", BENCH_MS, prepare, run_qr, .size = {64}},
    {"qr_256", BENCH_MS, prepare, run_qr, .size = {256}},
    {"qr_1024", BENCH_MS, prepare, run_qr, .size = {1024}},
    {"eigh_64", BENCH_MS, prepare, run_eigh, .size = {64}},
    {"eigh_256", BENCH_MS, prepare, run_eigh, .size = {256}},
    {"eigh_1024", BENCH_MS, prepare, run_eigh, .size = {1024}},
    {"svd_64", BENCH_MS, prepare, run_svd, .size = {64}},
    {"svd_256", BENCH_MS, prepare, run_svd, .size = {256}},
    {"svd_1024", BENCH_MS, prepare, run_svd, .size = {1024}},
    {"solve_8_b1024", BENCH_MS, prepare, run_solve, .size = {8, 1024}},
    {"eigh_8_b1024", BENCH_MS, prepare, run_eigh, .size = {8, 1024}},
};

const bench_group bench_linalg = BENCH_GROUP("linalg", cases);
