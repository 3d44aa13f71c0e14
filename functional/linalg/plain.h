/*
 * plain.h: what computes where there is no host library: factorisations of one matrix of doubles in host memory, row-major, as Golub and Van Loan,
 * "Matrix Computations" (4th ed.), give them. What LAPACK leaves to convention (the signs of R, pivots
 * counted from 1, the packing of LDL) follows LAPACK, as PyTorch does.
 */
#ifndef TERN_LINALG_PLAIN_H
#define TERN_LINALG_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

/* c[m, n] = a[m, k] b[k, n] */
void tern_plain_product(const double *a, const double *b, double *c, int64_t m, int64_t k,
                        int64_t n);

/* ---- triangular and symmetric systems (triangular.c) ---- */

/* The lower triangle of a[n, n] becomes L with L L^T = a, what is above it 0. Returns 0, or the order
 * of the first leading minor that is not positive. */
int32_t tern_plain_cholesky(double *a, int64_t n);

/* The lower triangle of l[n, n], whose diagonal has no zero, becomes the inverse of L L^T, whole. Zeros above the
 * diagonal meet nothing, so that an infinity of L stays within its part. `inverse`: n * n doubles to work in. */
void tern_plain_cholesky_inverse(double *l, double *inverse, int64_t n);

/* b[n, m] becomes the solution of a x = b, by the upper or lower triangle of a[n, n]; `unit`: a diagonal
 * of ones, which is not read. */
void tern_plain_solve_triangular(const double *a, double *b, int64_t n, int64_t m, bool upper,
                                 bool unit);

/*
 * P a = L U with partial pivoting: a[m, n] holds U, and L below its diagonal of ones; row i was swapped
 * with row pivots[i] - 1. Returns 0, or the position, from 1, of the first zero on the diagonal of U.
 */
int32_t tern_plain_lu(double *a, int32_t *pivots, int64_t m, int64_t n);

/* The lower triangle of a[n, n] becomes L and the blocks of D with L D L^T = a after Bunch's and Kaufman's
 * pivots, packed as LAPACK's sytf2: a negative pivot marks a block of two rows. Returns as LU. */
int32_t tern_plain_ldl(double *a, int32_t *pivots, int64_t n);

/* b[n, m] becomes the solution of a x = b by that. Each pivot must be from 1 to n, or its negative. */
void tern_plain_ldl_solve(const double *ld, const int32_t *pivots, double *b, int64_t n, int64_t m);

/* ---- orthogonal factorisations (orthogonal.c) ---- */

/* a[m, n] holds R, and below the diagonal the reflectors H_i = I - tau_i v v^T, v_i = 1: Q = H_0 H_1 ... */
void tern_plain_qr(double *a, double *tau, int64_t m, int64_t n);

/* x[m, n] becomes H_0 .. H_{k-1} x, or the transpose of that times x, where the reflectors are the first k of the
 * `columns` columns of v[m, columns]. H_i acts on the rows from i on, and one with tau = 0 on none. `right`: x is the
 * transpose of what is multiplied from the right, where a zero of v acts on nothing: LAPACK's ormqr. */
void tern_plain_reflect(const double *v, const double *tau, double *x, int64_t m, int64_t columns,
                        int64_t k, int64_t n, bool transpose, bool right);

/* q[m, columns] becomes the first columns of the product of `count` reflectors. */
void tern_plain_q(const double *a, const double *tau, double *q, int64_t m, int64_t n,
                  int64_t count, int64_t columns);

/*
 * a[m, n] = u diag(s) vt, k = min(m, n), singular values descending: u[m, left], s[k], vt[right, n], where left
 * and right are k, or m and n for whole bases, or 0, where s is all that is wanted. a is overwritten; `rows` and `rotations` have space for
 * max(m, n)^2 doubles each. NaN and infinities give NaN.
 */
void tern_plain_svd(double *a, double *u, double *s, double *vt, double *rows, double *rotations,
                    int64_t m, int64_t n, int64_t left, int64_t right);

/* a[n, n], symmetric, becomes its eigenvectors, in columns; values[n] ascending. `work` has n^2 doubles. */
void tern_plain_eigh(double *a, double *values, double *work, int64_t n);

#endif
