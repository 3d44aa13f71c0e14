/* matrix.c: the C functions of tern/ops_matrix.h that do not stand beside their operation. */
#include "typed.h"

/* ---- products ------------------------------------------------------------------------------- */
tern_tensor *tern_mv(tern_tensor *input, tern_tensor *vec) {
    return TERN_CALL(mv, ARG_TENSOR(input), ARG_TENSOR(vec));
}
tern_tensor *tern_vdot(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(vdot, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_inner(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(inner, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_vecdot(tern_tensor *x, tern_tensor *y, int dim) {
    return TERN_CALL(vecdot, ARG_TENSOR(x), ARG_TENSOR(y), ARG_INT(dim));
}
tern_tensor *tern_bilinear(tern_tensor *input1, tern_tensor *input2, tern_tensor *weight,
                           tern_tensor *bias) {
    return TERN_CALL(bilinear, ARG_TENSOR(input1), ARG_TENSOR(input2), ARG_TENSOR(weight),
                     ARG_TENSOR(bias));
}
tern_tensor *tern_addmm_scaled(tern_tensor *input, tern_tensor *mat1, tern_tensor *mat2,
                               double beta, double alpha) {
    return TERN_CALL(addmm, ARG_TENSOR(input), ARG_TENSOR(mat1), ARG_TENSOR(mat2),
                     tern_number(beta), tern_number(alpha));
}
tern_tensor *tern_addmv(tern_tensor *input, tern_tensor *mat, tern_tensor *vec, double beta,
                        double alpha) {
    return TERN_CALL(addmv, ARG_TENSOR(input), ARG_TENSOR(mat), ARG_TENSOR(vec), tern_number(beta),
                     tern_number(alpha));
}
tern_tensor *tern_addr(tern_tensor *input, tern_tensor *vec1, tern_tensor *vec2, double beta,
                       double alpha) {
    return TERN_CALL(addr, ARG_TENSOR(input), ARG_TENSOR(vec1), ARG_TENSOR(vec2), tern_number(beta),
                     tern_number(alpha));
}
tern_tensor *tern_baddbmm(tern_tensor *input, tern_tensor *batch1, tern_tensor *batch2, double beta,
                          double alpha) {
    return TERN_CALL(baddbmm, ARG_TENSOR(input), ARG_TENSOR(batch1), ARG_TENSOR(batch2),
                     tern_number(beta), tern_number(alpha));
}
tern_tensor *tern_addbmm(tern_tensor *input, tern_tensor *batch1, tern_tensor *batch2, double beta,
                         double alpha) {
    return TERN_CALL(addbmm, ARG_TENSOR(input), ARG_TENSOR(batch1), ARG_TENSOR(batch2),
                     tern_number(beta), tern_number(alpha));
}
tern_tensor *tern_cross(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(cross, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_linalg_cross(tern_tensor *input, tern_tensor *other, int dim) {
    return TERN_CALL(linalg_cross, ARG_TENSOR(input), ARG_TENSOR(other), ARG_INT(dim));
}
tern_tensor *tern_tensordot(tern_tensor *a, tern_tensor *b, int64_t dims) {
    return TERN_CALL(tensordot, ARG_TENSOR(a), ARG_TENSOR(b), ARG_INT(dims));
}
tern_tensor *tern_kron(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(kron, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_multi_dot(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, multi_dot, list);
}
tern_tensor *tern_matrix_power(tern_tensor *input, int64_t n) {
    return TERN_CALL(matrix_power, ARG_TENSOR(input), ARG_INT(n));
}
tern_tensor *tern_einsum(const char *equation, tern_tensor *const *operands, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(operands, count, &list);
    return TERN_CALL_CTX(ctx, einsum, tern_text_argument(equation), list);
}

/* ---- distances ------------------------------------------------------------------------------ */
tern_tensor *tern_cdist(tern_tensor *x1, tern_tensor *x2, double p) {
    return TERN_CALL(cdist, ARG_TENSOR(x1), ARG_TENSOR(x2), ARG_FLOAT(p));
}
tern_tensor *tern_pairwise_distance(tern_tensor *x1, tern_tensor *x2, double p, double eps,
                                    bool keepdim) {
    return TERN_CALL(pairwise_distance, ARG_TENSOR(x1), ARG_TENSOR(x2), ARG_FLOAT(p),
                     ARG_FLOAT(eps), ARG_BOOL(keepdim));
}
tern_tensor *tern_cosine_similarity(tern_tensor *x1, tern_tensor *x2, int dim, double eps) {
    return TERN_CALL(cosine_similarity, ARG_TENSOR(x1), ARG_TENSOR(x2), ARG_INT(dim),
                     ARG_FLOAT(eps));
}
