/*
 * tern/ops_linalg.h: torch.linalg: factorisations, and what builds on them. All take batches, [*, m, n], which
 * broadcast where there are two operands, and are computed in double in host memory on every device (a copy
 * there and back), rounded once to the dtype of the input. float16 and bfloat16 are taken too. All have gradients unless
 * they say otherwise.
 *
 * A function with several results returns the first, and the others through pointers, each of which may be
 * NULL. `info`s (int32) are 0 for success.
 */
#ifndef TERN_OPS_LINALG_H
#define TERN_OPS_LINALG_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Cholesky and triangular systems --------------------------------------------------------- */

/* linalg.cholesky: L with L L^T = input (its transpose if `upper`) of a symmetric positive-definite matrix, of which one
 * triangle is read. Latches where it is not. */
TERN_API tern_tensor *tern_cholesky(tern_tensor *input, bool upper);

/* linalg.cholesky_ex: the same, with the order of the first minor that is not positive in place of an error. */
TERN_API tern_tensor *tern_cholesky_ex(tern_tensor *input, bool upper, tern_tensor **out_info);

/* torch.cholesky_solve: the solution of A x = input by a Cholesky factor of A. */
TERN_API tern_tensor *tern_cholesky_solve(tern_tensor *input, tern_tensor *input2, bool upper);

/* torch.cholesky_inverse: the inverse of a matrix by its Cholesky factor, whose diagonal must have no zero. */
TERN_API tern_tensor *tern_cholesky_inverse(tern_tensor *input, bool upper);

/* linalg.solve_triangular: the solution of input x = b (x input = b without `left`), where one triangle of `input` is
 * read, and its diagonal is 1 if `unitriangular`. */
TERN_API tern_tensor *tern_solve_triangular(tern_tensor *input, tern_tensor *B, bool upper,
                                            bool left, bool unitriangular);

/* torch.triangular_solve: the solution of a x = input (a^T x if `transpose`), and a copy of `a`. */
TERN_API tern_tensor *tern_triangular_solve(tern_tensor *input, tern_tensor *A, bool upper,
                                            bool transpose, bool unitriangular,
                                            tern_tensor **out_clone);

/* ---- LU, systems, inverses, determinants ----------------------------------------------------- */

/* linalg.lu: P [*, m, m], L [*, m, k] and U [*, k, n] with P L U = input, k = min(m, n), by partial pivoting. */
TERN_API tern_tensor *tern_linalg_lu(tern_tensor *A, tern_tensor **out_l, tern_tensor **out_u);

/* linalg.lu_factor: L (without its ones) and U in one matrix, and the pivots (int32, from 1): row i was swapped
 * with row pivots[i] - 1. */
TERN_API tern_tensor *tern_lu_factor(tern_tensor *A, tern_tensor **out_pivots);

/* linalg.lu_factor_ex: the same, and where U's diagonal is 0 first. */
TERN_API tern_tensor *tern_lu_factor_ex(tern_tensor *A, tern_tensor **out_pivots,
                                        tern_tensor **out_info);

/* torch.lu: as lu_factor, but it latches for a singular matrix. */
TERN_API tern_tensor *tern_lu(tern_tensor *A, tern_tensor **out_pivots);

/* torch.lu_unpack: P, L and U of a factorisation. */
TERN_API tern_tensor *tern_lu_unpack(tern_tensor *LU_data, tern_tensor *LU_pivots,
                                     tern_tensor **out_l, tern_tensor **out_u);

/* linalg.lu_solve: the solution of A x = b (A^T x if `adjoint`, x A without `left`) by a factorisation of A. */
TERN_API tern_tensor *tern_linalg_lu_solve(tern_tensor *LU, tern_tensor *pivots, tern_tensor *B,
                                           bool left, bool adjoint);

/* torch.lu_solve: the solution of A x = input by a factorisation of A. */
TERN_API tern_tensor *tern_lu_solve(tern_tensor *input, tern_tensor *LU_data,
                                    tern_tensor *LU_pivots);

/* linalg.solve: the solution of input x = b (x input = b without `left`); b may be a batch of vectors. Latches for a singular
 * matrix. */
TERN_API tern_tensor *tern_solve(tern_tensor *A, tern_tensor *B, bool left);

/* linalg.solve_ex: the same with an info in place of the error. */
TERN_API tern_tensor *tern_solve_ex(tern_tensor *A, tern_tensor *B, bool left,
                                    tern_tensor **out_info);

/* linalg.inv: the inverse. Latches for a singular matrix. */
TERN_API tern_tensor *tern_inv(tern_tensor *A);

/* linalg.inv_ex: the same with an info in place of the error. */
TERN_API tern_tensor *tern_inv_ex(tern_tensor *A, tern_tensor **out_info);

/* linalg.det: the determinant. The gradient is right for singular matrices too. */
TERN_API tern_tensor *tern_det(tern_tensor *A);

/* linalg.slogdet: the sign of the determinant, and the logarithm of its absolute value. */
TERN_API tern_tensor *tern_slogdet(tern_tensor *A, tern_tensor **out_logabsdet);

/* torch.logdet: the logarithm of the determinant; NaN for a negative one. */
TERN_API tern_tensor *tern_logdet(tern_tensor *input);

/* linalg.tensorinv: the inverse of tensordot(input, .) over the first `ind` dimensions. */
TERN_API tern_tensor *tern_tensorinv(tern_tensor *input, int64_t ind);

/* linalg.tensorsolve: x with tensordot(input, x) = other. */
TERN_API tern_tensor *tern_tensorsolve(tern_tensor *input, tern_tensor *other);

/* ---- QR, LDL --------------------------------------------------------------------------------- */

/* linalg.qr: Q [*, m, k] with orthonormal columns and the upper triangle R [*, k, n], Q R = input. The diagonal of R has the
 * signs of LAPACK. */
TERN_API tern_tensor *tern_qr(tern_tensor *A, tern_tensor **out_r);

/* torch.geqrf: R, and below it the reflectors, whose factors are tau. Not differentiable, as in PyTorch. */
TERN_API tern_tensor *tern_geqrf(tern_tensor *input, tern_tensor **out_tau);

/* linalg.householder_product: the first columns of the product of the reflectors I - tau_i v_i v_i^T, where v_i is column i of
 * `input` below its diagonal, which is 1. */
TERN_API tern_tensor *tern_householder_product(tern_tensor *input, tern_tensor *tau);

/* torch.ormqr: that product Q times `other` (other Q without `left`, Q^T if `transpose`). */
TERN_API tern_tensor *tern_ormqr(tern_tensor *input, tern_tensor *input2, tern_tensor *input3,
                                 bool left, bool transpose);

/* linalg.ldl_factor: L D L^T of a symmetric matrix in one matrix, and the pivots, packed as LAPACK's sytrf. Not
 * differentiable. */
TERN_API tern_tensor *tern_ldl_factor(tern_tensor *input, tern_tensor **out_pivots);

/* linalg.ldl_factor_ex: the same, and where D is singular first. */
TERN_API tern_tensor *tern_ldl_factor_ex(tern_tensor *input, tern_tensor **out_pivots,
                                         tern_tensor **out_info);

/* linalg.ldl_solve: the solution of A x = b by that. Not differentiable. */
TERN_API tern_tensor *tern_ldl_solve(tern_tensor *LD, tern_tensor *pivots, tern_tensor *B);

/* ---- singular values and eigenvalues --------------------------------------------------------- */

/* linalg.svd: U, S (descending) and V^T with U diag(S) V^T = input; U [*, m, k] and V^T [*, k, n], or whole bases if
 * `full_matrices`. The signs of the vectors are open, and the gradient is infinite where values are equal. */
TERN_API tern_tensor *tern_linalg_svd(tern_tensor *A, bool full_matrices, tern_tensor **out_s,
                                      tern_tensor **out_vh);

/* torch.svd: the same with V in place of its transpose, whole bases unless `some`. */
TERN_API tern_tensor *tern_svd(tern_tensor *input, bool some, tern_tensor **out_s,
                               tern_tensor **out_v);

/* linalg.svdvals: the singular values alone. */
TERN_API tern_tensor *tern_svdvals(tern_tensor *A);

/* linalg.eigh: the eigenvalues (ascending) of a symmetric matrix, of which one triangle is read, and the eigenvectors in
 * columns, whose signs are open. */
TERN_API tern_tensor *tern_eigh(tern_tensor *input, const char *UPLO, tern_tensor **out_vectors);

/* linalg.eigvalsh: the eigenvalues alone. */
TERN_API tern_tensor *tern_eigvalsh(tern_tensor *input, const char *UPLO);

/* linalg.matrix_sqrth: the symmetric positive-definite X with X X = input. */
TERN_API tern_tensor *tern_matrix_sqrth(tern_tensor *input);

/* linalg.polar: U with orthonormal columns, and the symmetric H of no negative eigenvalues, with U H = input, [*, m, n],
 * m >= n. */
TERN_API tern_tensor *tern_polar(tern_tensor *A, tern_tensor **out_h);

/* linalg.pinv: the pseudo-inverse, by the singular values above max(atol, rtol * the largest). If `hermitian` the lower
 * triangle of a symmetric matrix is read. */
TERN_API tern_tensor *tern_pinv(tern_tensor *input, double atol, double rtol, bool hermitian);

/* torch.pinverse: the same with rtol = rcond. */
TERN_API tern_tensor *tern_pinverse(tern_tensor *input, double rcond);

/* linalg.matrix_rank: how many singular values are above max(atol, rtol * the largest), int64. */
TERN_API tern_tensor *tern_matrix_rank(tern_tensor *input, double atol, double rtol,
                                       bool hermitian);

/* linalg.lstsq: the x of least norm that minimises |input x - b|, and the ranks of the matrices. For a driver and its other
 * results call it by name. */
TERN_API tern_tensor *tern_lstsq(tern_tensor *input, tern_tensor *b, tern_tensor **out_residuals,
                                 tern_tensor **out_rank);

/* ---- norms and functions --------------------------------------------------------------------- */

/* linalg.matrix_norm: "fro" (of the elements), "nuc" (the sum of the singular values), "inf" (the largest sum of a row)
 * or "-inf" (the smallest), over the last two dimensions. For numbers and other dimensions call it by name. */
TERN_API tern_tensor *tern_matrix_norm(tern_tensor *input, const char *ord);

/* linalg.norm: the 2-norm of all elements. For other norms call it by name. */
TERN_API tern_tensor *tern_linalg_norm(tern_tensor *input);

/* linalg.cond: the largest over the smallest singular value. */
TERN_API tern_tensor *tern_cond(tern_tensor *input);

/* torch.matrix_exp: the exponential of a square matrix. */
TERN_API tern_tensor *tern_matrix_exp(tern_tensor *input);

/* linalg.vander: the powers 0 to n - 1 of each element, in a new last dimension. */
TERN_API tern_tensor *tern_vander(tern_tensor *x, int64_t N);

#ifdef __cplusplus
}
#endif

#endif
