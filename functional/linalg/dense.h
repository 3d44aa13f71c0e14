/*
 * dense.h: factorisations of one matrix in host memory: by the process's host library (tern/host_library.h)
 * where it has the function and takes the operands, else by the plain ones.
 *
 * Operands are those of plain.h, which says what each function does. What needs memory may fail: `status` then
 * holds it, results are undefined, and the caller looks once, after all.
 */
#ifndef TERN_LINALG_DENSE_H
#define TERN_LINALG_DENSE_H

#include <stdatomic.h>

#include "plain.h"
#include "tern/host_library.h"

/* Who computes, for any number of threads at once. */
typedef struct tern_dense {
    const tern_host_library *library; /* NULL: there is none */
    bool single;                      /* the library computes in float32 */
    atomic_int status;                /* TERN_BACKEND_OK, else of something that failed */
} tern_dense;

/* In float64, whatever `single` says. */
void tern_dense_product(tern_dense *by, const double *a, const double *b, double *c, int64_t m,
                        int64_t k, int64_t n);

int32_t tern_dense_cholesky(tern_dense *by, double *a, int64_t n);
void tern_dense_cholesky_inverse(tern_dense *by, double *l, int64_t n);
void tern_dense_solve_triangular(tern_dense *by, const double *a, double *b, int64_t n, int64_t m,
                                 bool upper, bool unit);
int32_t tern_dense_lu(tern_dense *by, double *a, int32_t *pivots, int64_t m, int64_t n);
int32_t tern_dense_ldl(tern_dense *by, double *a, int32_t *pivots, int64_t n);
void tern_dense_ldl_solve(tern_dense *by, const double *ld, const int32_t *pivots, double *b,
                          int64_t n, int64_t m);
void tern_dense_qr(tern_dense *by, double *a, double *tau, int64_t m, int64_t n);
void tern_dense_reflect(tern_dense *by, const double *v, const double *tau, double *x, int64_t m,
                        int64_t columns, int64_t k, int64_t n, bool transpose, bool right);
void tern_dense_q(tern_dense *by, const double *a, const double *tau, double *q, int64_t m,
                  int64_t n, int64_t count, int64_t columns);
void tern_dense_svd(tern_dense *by, double *a, double *u, double *s, double *vt, int64_t m,
                    int64_t n, int64_t left, int64_t right);

/* Without `vectors` what a becomes is undefined. */
void tern_dense_eigh(tern_dense *by, double *a, double *values, int64_t n, bool vectors);

/* rows * columns doubles to work in, for tern_free; NULL where memory is out, which `status` then says. */
double *tern_dense_space(tern_dense *by, int64_t rows, int64_t columns);

#endif
