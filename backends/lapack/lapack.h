/*
 * lapack.h: LAPACK as a host library. lapack_f32.c and lapack_f64.c are typed.inc in one precision each;
 * lapack.c asks for either.
 */
#ifndef TERN_LAPACK_H
#define TERN_LAPACK_H

#include <lapacke.h>

#include "tern/host_library.h"

#ifdef LAPACK_ILP64
#error "pivots are int32: LAPACK of the LP64 kind is needed"
#endif

/* The functions of tern_host_library in one precision. */
typedef struct lapack_rows {
    int32_t (*cholesky)(double *a, int64_t n, int32_t *out_info);
    int32_t (*cholesky_inverse)(double *l, int64_t n);
    int32_t (*solve_triangular)(const double *a, double *b, int64_t n, int64_t m, bool upper,
                                bool unit);
    int32_t (*lu)(double *a, int32_t *pivots, int64_t m, int64_t n, int32_t *out_info);
    int32_t (*ldl)(double *a, int32_t *pivots, int64_t n, int32_t *out_info);
    int32_t (*ldl_solve)(const double *ld, const int32_t *pivots, double *b, int64_t n, int64_t m);
    int32_t (*qr)(double *a, double *tau, int64_t m, int64_t n);
    int32_t (*reflect)(const double *v, const double *tau, double *x, int64_t m, int64_t columns,
                       int64_t k, int64_t n, bool transpose);
    int32_t (*q)(const double *a, const double *tau, double *q, int64_t m, int64_t n, int64_t count,
                 int64_t columns);
    int32_t (*svd)(const double *a, double *u, double *s, double *vt, int64_t m, int64_t n,
                   int64_t left, int64_t right);
    int32_t (*eigh)(double *a, double *values, int64_t n, bool vectors);
} lapack_rows;

extern const lapack_rows lapack_rows_f32, lapack_rows_f64;

/* rows * columns * each bytes of the host's memory; NULL where memory is out or the size too large. */
void *lapack_space(int64_t rows, int64_t columns, size_t each);
void lapack_space_free(void *space);

/* What LAPACK can count: its integers have 32 bits. */
static inline bool lapack_counts(int64_t n) {
    return n <= INT32_MAX;
}

/* The BLAS's own names, with the lengths of their texts behind the arguments, as Fortran passes them. */
void dgemm_(const char *trans_a, const char *trans_b, const lapack_int *m, const lapack_int *n,
            const lapack_int *k, const double *alpha, const double *a, const lapack_int *lda,
            const double *b, const lapack_int *ldb, const double *beta, double *c,
            const lapack_int *ldc, size_t, size_t);
void dtrsm_(const char *side, const char *uplo, const char *trans, const char *diag,
            const lapack_int *m, const lapack_int *n, const double *alpha, const double *a,
            const lapack_int *lda, double *b, const lapack_int *ldb, size_t, size_t, size_t,
            size_t);
void strsm_(const char *side, const char *uplo, const char *trans, const char *diag,
            const lapack_int *m, const lapack_int *n, const float *alpha, const float *a,
            const lapack_int *lda, float *b, const lapack_int *ldb, size_t, size_t, size_t, size_t);

#endif
