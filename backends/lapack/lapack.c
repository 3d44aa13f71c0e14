/* lapack.c: the host library's table. */
#include "lapack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const tern_host *host;

/* Of OpenBLAS, where the system's LAPACK is that. */
extern void openblas_set_num_threads(int count) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));

void *lapack_space(int64_t rows, int64_t columns, size_t each) {
    size_t bytes;
    if (__builtin_mul_overflow(rows, columns, &bytes) ||
        __builtin_mul_overflow(bytes, each, &bytes))
        return NULL;
    return host->alloc(bytes);
}

void lapack_space_free(void *space) {
    host->free(space);
}

static const lapack_rows *rows(bool single) {
    return single ? &lapack_rows_f32 : &lapack_rows_f64;
}

static bool finite(const double *x, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Rows are columns of the transposes: c^T = b^T a^T. */
static int32_t product(const double *a, const double *b, double *c, int64_t m, int64_t k,
                       int64_t n) {
    const double one = 1.0, zero = 0.0;
    lapack_int height = (lapack_int)m, inner = (lapack_int)k, width = (lapack_int)n;
    if (!lapack_counts(m) || !lapack_counts(k) || !lapack_counts(n) || !finite(a, m * k) ||
        !finite(b, k * n))
        return TERN_BACKEND_UNSUPPORTED;
    dgemm_("N", "N", &width, &height, &inner, &one, b, &width, a, &inner, &zero, c, &width, 1, 1);
    return TERN_BACKEND_OK;
}

static int32_t cholesky(double *a, int64_t n, bool single, int32_t *out_info) {
    return rows(single)->cholesky(a, n, out_info);
}

static int32_t cholesky_inverse(double *l, int64_t n, bool single) {
    return rows(single)->cholesky_inverse(l, n);
}

static int32_t solve_triangular(const double *a, double *b, int64_t n, int64_t m, bool upper,
                                bool unit, bool single) {
    return rows(single)->solve_triangular(a, b, n, m, upper, unit);
}

static int32_t lu(double *a, int32_t *pivots, int64_t m, int64_t n, bool single,
                  int32_t *out_info) {
    return rows(single)->lu(a, pivots, m, n, out_info);
}

static int32_t ldl(double *a, int32_t *pivots, int64_t n, bool single, int32_t *out_info) {
    return rows(single)->ldl(a, pivots, n, out_info);
}

static int32_t ldl_solve(const double *ld, const int32_t *pivots, double *b, int64_t n, int64_t m,
                         bool single) {
    return rows(single)->ldl_solve(ld, pivots, b, n, m);
}

static int32_t qr(double *a, double *tau, int64_t m, int64_t n, bool single) {
    return rows(single)->qr(a, tau, m, n);
}

static int32_t reflect(const double *v, const double *tau, double *x, int64_t m, int64_t columns,
                       int64_t k, int64_t n, bool transpose, bool single) {
    return rows(single)->reflect(v, tau, x, m, columns, k, n, transpose);
}

static int32_t first_columns(const double *a, const double *tau, double *q, int64_t m, int64_t n,
                             int64_t count, int64_t columns, bool single) {
    return rows(single)->q(a, tau, q, m, n, count, columns);
}

static int32_t svd(const double *a, double *u, double *s, double *vt, int64_t m, int64_t n,
                   int64_t left, int64_t right, bool single) {
    return rows(single)->svd(a, u, s, vt, m, n, left, right);
}

static int32_t eigh(double *a, double *values, int64_t n, bool vectors, bool single) {
    return rows(single)->eigh(a, values, n, vectors);
}

/* "LAPACK 3.11.0, OpenBLAS 0.3.21 ..." */
static const char *description(void) {
    static char text[160];
    lapack_int version[3] = {0, 0, 0};
    LAPACK_ilaver(&version[0], &version[1], &version[2]);
    snprintf(text, sizeof text, "LAPACK %d.%d.%d%s%s", (int)version[0], (int)version[1],
             (int)version[2], openblas_get_config ? ", " : "",
             openblas_get_config ? openblas_get_config() : "");
    return text;
}

/*
 * OpenBLAS's threads wait for each other by spinning, also within a chunk of Tern's pool: where the CPUs have
 * other work, a factorisation takes a hundred times as long. So matrices of a batch are the parallel work, and
 * a call of LAPACK has one thread, unless the user asks for more in OpenBLAS's own way.
 */
static void keep_to_one_thread(void) {
    if (!openblas_set_num_threads || getenv("OPENBLAS_NUM_THREADS") || getenv("OMP_NUM_THREADS"))
        return;
    openblas_set_num_threads(1);
}

int32_t tern_host_library_query(uint32_t host_abi, const tern_host *given,
                                tern_host_library *out_library, tern_backend_error *err) {
    static const tern_host_library table = {
        .abi = TERN_HOST_LIBRARY_ABI,
        .name = "lapack",
        .sanitizers = TERN_BACKEND_SANITIZERS,
        .product = product,
        .cholesky = cholesky,
        .cholesky_inverse = cholesky_inverse,
        .solve_triangular = solve_triangular,
        .lu = lu,
        .ldl = ldl,
        .ldl_solve = ldl_solve,
        .qr = qr,
        .reflect = reflect,
        .q = first_columns,
        .svd = svd,
        .eigh = eigh,
    };
    if (host_abi >> 16 != TERN_HOST_LIBRARY_ABI_MAJOR || out_library->struct_size < sizeof table) {
        snprintf(err->message, sizeof err->message, "it was built for host library ABI %d.%d",
                 TERN_HOST_LIBRARY_ABI_MAJOR, TERN_HOST_LIBRARY_ABI_MINOR);
        return TERN_BACKEND_UNSUPPORTED;
    }
    host = given;
    keep_to_one_thread();
    *out_library = table;
    out_library->struct_size = sizeof table;
    out_library->description = description();
    return TERN_BACKEND_OK;
}
