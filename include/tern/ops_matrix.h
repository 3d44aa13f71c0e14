/*
 * tern/ops_matrix.h: products of vectors and matrices, and distances between rows.
 *
 * Sizes that do not fit are an error that names both shapes. Dtypes must be equal, as in PyTorch (an error otherwise).
 * All are differentiable.
 */
#ifndef TERN_OPS_MATRIX_H
#define TERN_OPS_MATRIX_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- products ------------------------------------------------------------------------------- */

/* torch.matmul(input, other): matrices by the last two dimensions, with those in front broadcast; a 1-dim
 * operand is a row on the left, a column on the right, and two of them give their dot product. */
TERN_API tern_tensor *tern_matmul(tern_tensor *input, tern_tensor *other);

/* torch.mm(input, mat2): [n, k] x [k, m] -> [n, m]. */
TERN_API tern_tensor *tern_mm(tern_tensor *input, tern_tensor *mat2);

/* torch.bmm(input, mat2): [b, n, k] x [b, k, m] -> [b, n, m]. */
TERN_API tern_tensor *tern_bmm(tern_tensor *input, tern_tensor *mat2);

/* torch.mv(input, vec): [n, k] x [k] -> [n]. */
TERN_API tern_tensor *tern_mv(tern_tensor *input, tern_tensor *vec);

/* torch.dot(input, tensor): the sum of the products of two 1-dim tensors, 0-dim. */
TERN_API tern_tensor *tern_dot(tern_tensor *input, tern_tensor *tensor);

/* torch.vdot(input, other): tern_dot, with the conjugate of a complex input. */
TERN_API tern_tensor *tern_vdot(tern_tensor *input, tern_tensor *other);

/* torch.inner(input, other): sums of products over the last dimension of both. */
TERN_API tern_tensor *tern_inner(tern_tensor *input, tern_tensor *other);

/* torch.outer(input, vec2): [n] x [m] -> [n, m], all products. */
TERN_API tern_tensor *tern_outer(tern_tensor *input, tern_tensor *vec2);

/* torch.linalg.vecdot(x, y, dim=dim): dot products along one dimension; the others broadcast. PyTorch's
 * default of dim is -1. */
TERN_API tern_tensor *tern_vecdot(tern_tensor *x, tern_tensor *y, int dim);

/* nn.functional.linear(input, weight, bias): input weight^T + bias: input [*, in], weight [out, in], bias
 * [out] or NULL. */
TERN_API tern_tensor *tern_linear(tern_tensor *input, tern_tensor *weight, tern_tensor *bias);

/* nn.functional.bilinear: out_k = input1^T weight_k input2 + bias_k: [*, in1], [*, in2], weight [out, in1,
 * in2], bias [out] or NULL. */
TERN_API tern_tensor *tern_bilinear(tern_tensor *input1, tern_tensor *input2, tern_tensor *weight,
                                    tern_tensor *bias);

/* torch.addmm(input, mat1, mat2): input + mat1 mat2; input broadcasts. */
TERN_API tern_tensor *tern_addmm(tern_tensor *input, tern_tensor *mat1, tern_tensor *mat2);

/* torch.addmm(..., beta=beta, alpha=alpha): beta * input + alpha * mat1 mat2. With beta 0 the input is
 * ignored, NaNs too. */
TERN_API tern_tensor *tern_addmm_scaled(tern_tensor *input, tern_tensor *mat1, tern_tensor *mat2,
                                        double beta, double alpha);

/* torch.addmv: beta * input + alpha * mat vec. */
TERN_API tern_tensor *tern_addmv(tern_tensor *input, tern_tensor *mat, tern_tensor *vec,
                                 double beta, double alpha);

/* torch.addr: beta * input + alpha * outer(vec1, vec2). */
TERN_API tern_tensor *tern_addr(tern_tensor *input, tern_tensor *vec1, tern_tensor *vec2,
                                double beta, double alpha);

/* torch.baddbmm: beta * input + alpha * batch1 batch2, for every matrix of the batch. */
TERN_API tern_tensor *tern_baddbmm(tern_tensor *input, tern_tensor *batch1, tern_tensor *batch2,
                                   double beta, double alpha);

/* torch.addbmm: beta * input + alpha * the sum of the products over the batch. */
TERN_API tern_tensor *tern_addbmm(tern_tensor *input, tern_tensor *batch1, tern_tensor *batch2,
                                  double beta, double alpha);

/* torch.cross(input, other): the cross product along the first dimension of size 3. */
TERN_API tern_tensor *tern_cross(tern_tensor *input, tern_tensor *other);

/* torch.linalg.cross(input, other, dim=dim): the cross product along a dimension of size 3; PyTorch's
 * default of dim is -1. */
TERN_API tern_tensor *tern_linalg_cross(tern_tensor *input, tern_tensor *other, int dim);

/* torch.tensordot(a, b, dims): sums of products over the last `dims` dimensions of a and the first of b. */
TERN_API tern_tensor *tern_tensordot(tern_tensor *a, tern_tensor *b, int64_t dims);

/* torch.kron(input, other): the Kronecker product: every element of input times other, as blocks. */
TERN_API tern_tensor *tern_kron(tern_tensor *input, tern_tensor *other);

/* torch.linalg.multi_dot(tensors): the product of at least 2 matrices, in the order that costs least; the
 * first and the last may be vectors. */
TERN_API tern_tensor *tern_multi_dot(tern_tensor *const *tensors, int count);

/* torch.matrix_power(input, n): a square matrix to the power n >= 0. */
TERN_API tern_tensor *tern_matrix_power(tern_tensor *input, int64_t n);

/* torch.einsum(equation, operands): sums of products by Einstein's convention: "bij,bjk->bik". An equation
 * that does not fit the operands is an error. */
TERN_API tern_tensor *tern_einsum(const char *equation, tern_tensor *const *operands, int count);

/* ---- distances ------------------------------------------------------------------------------ */

/* torch.cdist(x1, x2, p): the p-norm distance of every row of x1 [*, n, d] to every row of x2 [*, m, d]:
 * [*, n, m]. PyTorch's default of p is 2. */
TERN_API tern_tensor *tern_cdist(tern_tensor *x1, tern_tensor *x2, double p);

/* nn.functional.pairwise_distance: the p-norm of x1 - x2 + eps along the last dimension. PyTorch's
 * defaults: 2, 1e-6, false. */
TERN_API tern_tensor *tern_pairwise_distance(tern_tensor *x1, tern_tensor *x2, double p, double eps,
                                             bool keepdim);

/* nn.functional.cosine_similarity: x1 . x2 / (|x1| |x2|) along a dimension, where each norm is at least
 * eps. PyTorch's defaults: 1, 1e-8. */
TERN_API tern_tensor *tern_cosine_similarity(tern_tensor *x1, tern_tensor *x2, int dim, double eps);

#ifdef __cplusplus
}
#endif

#endif
