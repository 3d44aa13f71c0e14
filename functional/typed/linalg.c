/* linalg.c: the C functions of tern/ops_linalg.h. */
#include "functional/functional.h"
#include "results.h"
#include "tern/ops_linalg.h"

/* ---- Cholesky and triangular systems ---- */

tern_tensor *tern_cholesky(tern_tensor *input, bool upper) {
    return TERN_CALL(cholesky, ARG_TENSOR(input), ARG_BOOL(upper));
}
tern_tensor *tern_cholesky_ex(tern_tensor *input, bool upper, tern_tensor **out_info) {
    return RESULTS(input, TERN_CALL_VALUE(cholesky_ex, ARG_TENSOR(input), ARG_BOOL(upper)),
                   out_info);
}
tern_tensor *tern_cholesky_solve(tern_tensor *input, tern_tensor *input2, bool upper) {
    return TERN_CALL(cholesky_solve, ARG_TENSOR(input), ARG_TENSOR(input2), ARG_BOOL(upper));
}
tern_tensor *tern_cholesky_inverse(tern_tensor *input, bool upper) {
    return TERN_CALL(cholesky_inverse, ARG_TENSOR(input), ARG_BOOL(upper));
}
tern_tensor *tern_solve_triangular(tern_tensor *input, tern_tensor *B, bool upper, bool left,
                                   bool unitriangular) {
    return TERN_CALL(solve_triangular, ARG_TENSOR(input), ARG_TENSOR(B), ARG_BOOL(upper),
                     ARG_BOOL(left), ARG_BOOL(unitriangular));
}
tern_tensor *tern_triangular_solve(tern_tensor *input, tern_tensor *A, bool upper, bool transpose,
                                   bool unitriangular, tern_tensor **out_clone) {
    return RESULTS(input,
                   TERN_CALL_VALUE(triangular_solve, ARG_TENSOR(input), ARG_TENSOR(A),
                                   ARG_BOOL(upper), ARG_BOOL(transpose), ARG_BOOL(unitriangular)),
                   out_clone);
}
/* ---- LU, systems, inverses, determinants ---- */

tern_tensor *tern_linalg_lu(tern_tensor *A, tern_tensor **out_l, tern_tensor **out_u) {
    return RESULTS(A, TERN_CALL_VALUE(linalg_lu, ARG_TENSOR(A)), out_l, out_u);
}
tern_tensor *tern_lu_factor(tern_tensor *A, tern_tensor **out_pivots) {
    return RESULTS(A, TERN_CALL_VALUE(lu_factor, ARG_TENSOR(A)), out_pivots);
}
tern_tensor *tern_lu_factor_ex(tern_tensor *A, tern_tensor **out_pivots, tern_tensor **out_info) {
    return RESULTS(A, TERN_CALL_VALUE(lu_factor_ex, ARG_TENSOR(A)), out_pivots, out_info);
}
tern_tensor *tern_lu(tern_tensor *A, tern_tensor **out_pivots) {
    return RESULTS(A, TERN_CALL_VALUE(lu, ARG_TENSOR(A)), out_pivots);
}
tern_tensor *tern_lu_unpack(tern_tensor *LU_data, tern_tensor *LU_pivots, tern_tensor **out_l,
                            tern_tensor **out_u) {
    return RESULTS(LU_data, TERN_CALL_VALUE(lu_unpack, ARG_TENSOR(LU_data), ARG_TENSOR(LU_pivots)),
                   out_l, out_u);
}
tern_tensor *tern_linalg_lu_solve(tern_tensor *LU, tern_tensor *pivots, tern_tensor *B, bool left,
                                  bool adjoint) {
    return TERN_CALL(linalg_lu_solve, ARG_TENSOR(LU), ARG_TENSOR(pivots), ARG_TENSOR(B),
                     ARG_BOOL(left), ARG_BOOL(adjoint));
}
tern_tensor *tern_lu_solve(tern_tensor *input, tern_tensor *LU_data, tern_tensor *LU_pivots) {
    return TERN_CALL(lu_solve, ARG_TENSOR(input), ARG_TENSOR(LU_data), ARG_TENSOR(LU_pivots));
}
tern_tensor *tern_solve(tern_tensor *A, tern_tensor *B, bool left) {
    return TERN_CALL(solve, ARG_TENSOR(A), ARG_TENSOR(B), ARG_BOOL(left));
}
tern_tensor *tern_solve_ex(tern_tensor *A, tern_tensor *B, bool left, tern_tensor **out_info) {
    return RESULTS(A, TERN_CALL_VALUE(solve_ex, ARG_TENSOR(A), ARG_TENSOR(B), ARG_BOOL(left)),
                   out_info);
}
tern_tensor *tern_inv(tern_tensor *A) {
    return TERN_CALL(inv, ARG_TENSOR(A));
}
tern_tensor *tern_inv_ex(tern_tensor *A, tern_tensor **out_info) {
    return RESULTS(A, TERN_CALL_VALUE(inv_ex, ARG_TENSOR(A)), out_info);
}
tern_tensor *tern_det(tern_tensor *A) {
    return TERN_CALL(det, ARG_TENSOR(A));
}
tern_tensor *tern_slogdet(tern_tensor *A, tern_tensor **out_logabsdet) {
    return RESULTS(A, TERN_CALL_VALUE(slogdet, ARG_TENSOR(A)), out_logabsdet);
}
tern_tensor *tern_logdet(tern_tensor *input) {
    return TERN_CALL(logdet, ARG_TENSOR(input));
}
tern_tensor *tern_tensorinv(tern_tensor *input, int64_t ind) {
    return TERN_CALL(tensorinv, ARG_TENSOR(input), ARG_INT(ind));
}
tern_tensor *tern_tensorsolve(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(tensorsolve, ARG_TENSOR(input), ARG_TENSOR(other));
}
/* ---- QR, LDL ---- */

tern_tensor *tern_qr(tern_tensor *A, tern_tensor **out_r) {
    return RESULTS(A, TERN_CALL_VALUE(qr, ARG_TENSOR(A)), out_r);
}
tern_tensor *tern_geqrf(tern_tensor *input, tern_tensor **out_tau) {
    return RESULTS(input, TERN_CALL_VALUE(geqrf, ARG_TENSOR(input)), out_tau);
}
tern_tensor *tern_householder_product(tern_tensor *input, tern_tensor *tau) {
    return TERN_CALL(householder_product, ARG_TENSOR(input), ARG_TENSOR(tau));
}
tern_tensor *tern_ormqr(tern_tensor *input, tern_tensor *input2, tern_tensor *input3, bool left,
                        bool transpose) {
    return TERN_CALL(ormqr, ARG_TENSOR(input), ARG_TENSOR(input2), ARG_TENSOR(input3),
                     ARG_BOOL(left), ARG_BOOL(transpose));
}
tern_tensor *tern_ldl_factor(tern_tensor *input, tern_tensor **out_pivots) {
    return RESULTS(input, TERN_CALL_VALUE(ldl_factor, ARG_TENSOR(input)), out_pivots);
}
tern_tensor *tern_ldl_factor_ex(tern_tensor *input, tern_tensor **out_pivots,
                                tern_tensor **out_info) {
    return RESULTS(input, TERN_CALL_VALUE(ldl_factor_ex, ARG_TENSOR(input)), out_pivots, out_info);
}
tern_tensor *tern_ldl_solve(tern_tensor *LD, tern_tensor *pivots, tern_tensor *B) {
    return TERN_CALL(ldl_solve, ARG_TENSOR(LD), ARG_TENSOR(pivots), ARG_TENSOR(B));
}
/* ---- singular values and eigenvalues ---- */

tern_tensor *tern_linalg_svd(tern_tensor *A, bool full_matrices, tern_tensor **out_s,
                             tern_tensor **out_vh) {
    return RESULTS(A, TERN_CALL_VALUE(linalg_svd, ARG_TENSOR(A), ARG_BOOL(full_matrices)), out_s,
                   out_vh);
}
tern_tensor *tern_svd(tern_tensor *input, bool some, tern_tensor **out_s, tern_tensor **out_v) {
    return RESULTS(input, TERN_CALL_VALUE(svd, ARG_TENSOR(input), ARG_BOOL(some)), out_s, out_v);
}
tern_tensor *tern_svdvals(tern_tensor *A) {
    return TERN_CALL(svdvals, ARG_TENSOR(A));
}
tern_tensor *tern_eigh(tern_tensor *input, const char *UPLO, tern_tensor **out_vectors) {
    return RESULTS(input,
                   TERN_CALL_VALUE(eigh, ARG_TENSOR(input), UPLO ? tern_text(UPLO) : tern_none()),
                   out_vectors);
}
tern_tensor *tern_eigvalsh(tern_tensor *input, const char *UPLO) {
    return TERN_CALL(eigvalsh, ARG_TENSOR(input), UPLO ? tern_text(UPLO) : tern_none());
}
tern_tensor *tern_matrix_sqrth(tern_tensor *input) {
    return TERN_CALL(matrix_sqrth, ARG_TENSOR(input));
}
tern_tensor *tern_polar(tern_tensor *A, tern_tensor **out_h) {
    return RESULTS(A, TERN_CALL_VALUE(polar, ARG_TENSOR(A)), out_h);
}
tern_tensor *tern_pinv(tern_tensor *input, double atol, double rtol, bool hermitian) {
    return TERN_CALL(pinv, ARG_TENSOR(input), ARG_FLOAT(atol), ARG_FLOAT(rtol),
                     ARG_BOOL(hermitian));
}
tern_tensor *tern_pinverse(tern_tensor *input, double rcond) {
    return TERN_CALL(pinverse, ARG_TENSOR(input), ARG_FLOAT(rcond));
}
tern_tensor *tern_matrix_rank(tern_tensor *input, double atol, double rtol, bool hermitian) {
    return TERN_CALL(matrix_rank, ARG_TENSOR(input), tern_none(), ARG_FLOAT(atol), ARG_FLOAT(rtol),
                     ARG_BOOL(hermitian));
}
tern_tensor *tern_lstsq(tern_tensor *input, tern_tensor *b, tern_tensor **out_residuals,
                        tern_tensor **out_rank) {
    return RESULTS(input, TERN_CALL_VALUE(lstsq, ARG_TENSOR(input), ARG_TENSOR(b)), out_residuals,
                   out_rank);
}
/* ---- norms and functions ---- */

tern_tensor *tern_matrix_norm(tern_tensor *input, const char *ord) {
    return TERN_CALL(matrix_norm, ARG_TENSOR(input), tern_text(ord));
}
tern_tensor *tern_linalg_norm(tern_tensor *input) {
    return TERN_CALL(linalg_norm, ARG_TENSOR(input));
}
tern_tensor *tern_cond(tern_tensor *input) {
    return TERN_CALL(cond, ARG_TENSOR(input));
}
tern_tensor *tern_matrix_exp(tern_tensor *input) {
    return TERN_CALL(matrix_exp, ARG_TENSOR(input));
}
tern_tensor *tern_vander(tern_tensor *x, int64_t N) {
    return TERN_CALL(vander, ARG_TENSOR(x), ARG_INT(N));
}
