/* dense.c: the host library's function, or the plain one. */
#include "dense.h"

#include "tern/memory.h"

/* Whether a library's answer is the last word; without one the plain function computes. */
static bool settled(tern_dense *by, int32_t status) {
    if (status == TERN_BACKEND_UNSUPPORTED) return false;
    if (status != TERN_BACKEND_OK) atomic_store_explicit(&by->status, status, memory_order_relaxed);
    return true;
}

/* Where there is nothing to compute the plain functions know what to do. */
static bool takes(const tern_dense *by, int64_t m, int64_t n) {
    return by->library && m > 0 && n > 0;
}

double *tern_dense_space(tern_dense *by, int64_t rows, int64_t columns) {
    uint64_t count, bytes;
    double *space = NULL;
    if (tern_size_mul((uint64_t)rows, (uint64_t)columns, &count) &&
        tern_size_mul(count, sizeof *space, &bytes) && bytes <= SIZE_MAX)
        space = tern_alloc((size_t)bytes);
    if (!space) settled(by, TERN_BACKEND_OUT_OF_MEMORY);
    return space;
}

void tern_dense_product(tern_dense *by, const double *a, const double *b, double *c, int64_t m,
                        int64_t k, int64_t n) {
    const tern_host_library *l = by->library;
    if (!takes(by, m, n) || !k || !l->product || !settled(by, l->product(a, b, c, m, k, n)))
        tern_plain_product(a, b, c, m, k, n);
}

int32_t tern_dense_cholesky(tern_dense *by, double *a, int64_t n) {
    const tern_host_library *l = by->library;
    int32_t info = 0;
    if (takes(by, n, n) && l->cholesky && settled(by, l->cholesky(a, n, by->single, &info)))
        return info;
    return tern_plain_cholesky(a, n);
}

void tern_dense_cholesky_inverse(tern_dense *by, double *factor, int64_t n) {
    const tern_host_library *l = by->library;
    if (takes(by, n, n) && l->cholesky_inverse &&
        settled(by, l->cholesky_inverse(factor, n, by->single)))
        return;
    double *space = tern_dense_space(by, n, n);
    if (space) tern_plain_cholesky_inverse(factor, space, n);
    tern_free(space);
}

void tern_dense_solve_triangular(tern_dense *by, const double *a, double *b, int64_t n, int64_t m,
                                 bool upper, bool unit) {
    const tern_host_library *l = by->library;
    if (!takes(by, n, m) || !l->solve_triangular ||
        !settled(by, l->solve_triangular(a, b, n, m, upper, unit, by->single)))
        tern_plain_solve_triangular(a, b, n, m, upper, unit);
}

int32_t tern_dense_lu(tern_dense *by, double *a, int32_t *pivots, int64_t m, int64_t n) {
    const tern_host_library *l = by->library;
    int32_t info = 0;
    if (takes(by, m, n) && l->lu && settled(by, l->lu(a, pivots, m, n, by->single, &info)))
        return info;
    return tern_plain_lu(a, pivots, m, n);
}

int32_t tern_dense_ldl(tern_dense *by, double *a, int32_t *pivots, int64_t n) {
    const tern_host_library *l = by->library;
    int32_t info = 0;
    if (takes(by, n, n) && l->ldl && settled(by, l->ldl(a, pivots, n, by->single, &info)))
        return info;
    return tern_plain_ldl(a, pivots, n);
}

void tern_dense_ldl_solve(tern_dense *by, const double *ld, const int32_t *pivots, double *b,
                          int64_t n, int64_t m) {
    const tern_host_library *l = by->library;
    if (!takes(by, n, m) || !l->ldl_solve ||
        !settled(by, l->ldl_solve(ld, pivots, b, n, m, by->single)))
        tern_plain_ldl_solve(ld, pivots, b, n, m);
}

void tern_dense_qr(tern_dense *by, double *a, double *tau, int64_t m, int64_t n) {
    const tern_host_library *l = by->library;
    if (!takes(by, m, n) || !l->qr || !settled(by, l->qr(a, tau, m, n, by->single)))
        tern_plain_qr(a, tau, m, n);
}

void tern_dense_reflect(tern_dense *by, const double *v, const double *tau, double *x, int64_t m,
                        int64_t columns, int64_t k, int64_t n, bool transpose, bool right) {
    const tern_host_library *l = by->library;
    if (!takes(by, m, n) || !k || !l->reflect ||
        !settled(by, l->reflect(v, tau, x, m, columns, k, n, transpose, by->single)))
        tern_plain_reflect(v, tau, x, m, columns, k, n, transpose, right);
}

void tern_dense_q(tern_dense *by, const double *a, const double *tau, double *q, int64_t m,
                  int64_t n, int64_t count, int64_t columns) {
    const tern_host_library *l = by->library;
    if (!takes(by, m, n) || !columns || !l->q ||
        !settled(by, l->q(a, tau, q, m, n, count, columns, by->single)))
        tern_plain_q(a, tau, q, m, n, count, columns);
}

void tern_dense_svd(tern_dense *by, double *a, double *u, double *s, double *vt, int64_t m,
                    int64_t n, int64_t left, int64_t right) {
    const tern_host_library *l = by->library;
    if (takes(by, m, n) && l->svd &&
        settled(by, l->svd(a, u, s, vt, m, n, left, right, by->single)))
        return;
    int64_t most = m < n ? n : m;
    double *space = tern_dense_space(by, most, most), *more = tern_dense_space(by, most, most);
    if (space && more) tern_plain_svd(a, u, s, vt, space, more, m, n, left, right);
    tern_free(space);
    tern_free(more);
}

void tern_dense_eigh(tern_dense *by, double *a, double *values, int64_t n, bool vectors) {
    const tern_host_library *l = by->library;
    if (takes(by, n, n) && l->eigh && settled(by, l->eigh(a, values, n, vectors, by->single)))
        return;
    double *space = tern_dense_space(by, n, n);
    if (space) tern_plain_eigh(a, values, space, n);
    tern_free(space);
}
