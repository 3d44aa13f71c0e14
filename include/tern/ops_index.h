/*
 * tern/ops_index.h: operations by index: reading, writing and searching elements by position or by mask.
 *
 * Indices are int64 (masks are bool). An index out of range is an error, which on a device with a queue may surface
 * at the next call that waits. Gradients flow to the tensors that are read or written, not to indices.
 */
#ifndef TERN_OPS_INDEX_H
#define TERN_OPS_INDEX_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- indexing as Python's brackets ---------------------------------------------------------- */

/*
 * input[subscript], written as in Python without the brackets: tern_index(x, "1:, ..., None, -1").
 *
 * Parts are separated by commas, one per dimension: an integer ("-1": the dimension is removed), a slice
 * ("1:", ":-1", "::2"; steps are above 0, as PyTorch's), "..." (all dimensions that no part names), "None"
 * (a new dimension of size 1), or ":" (the whole dimension). Dimensions without a part stay whole. The result
 * is a view: it shares the input's storage, and gradients flow through it. An error names the column: a
 * malformed subscript, an index out of range, more parts than dimensions. Indices in tensors:
 * tern_index_tensors.
 */
TERN_API tern_tensor *tern_index(tern_tensor *input, const char *subscript);

/* input[indices]: a tensor of positions (they broadcast) or a mask for each dimension from the first on;
 * NULL leaves a dimension whole, and so do dimensions without one. With positions in several dimensions the
 * result has the index's shape in place of them, in front if there is a whole dimension between them. */
TERN_API tern_tensor *tern_index_tensors(tern_tensor *input, tern_tensor *const *indices,
                                         int count);

/* torch.index_put(input, indices, values, accumulate): a copy with values (which broadcast) written there,
 * or added (accumulate). Without it, the last of several writes to one element wins. */
TERN_API tern_tensor *tern_index_put(tern_tensor *input, tern_tensor *const *indices, int count,
                                     tern_tensor *values, bool accumulate);

/* ---- along a dimension ---------------------------------------------------------------------- */

/* torch.gather(input, dim, index): out[i][j] = input[index[i][j]][j] for dim 0. index has the input's
 * number of dimensions. */
TERN_API tern_tensor *tern_gather(tern_tensor *input, int dim, tern_tensor *index);

/* torch.scatter(input, dim, index, src): a copy in which out[index[i][j]][j] = src[i][j] for dim 0: the
 * reverse of gather. */
TERN_API tern_tensor *tern_scatter(tern_tensor *input, int dim, tern_tensor *index,
                                   tern_tensor *src);

/* torch.scatter(input, dim, index, value), for a number. */
TERN_API tern_tensor *tern_scatter_value(tern_tensor *input, int dim, tern_tensor *index,
                                         double value);

/* torch.scatter_add(input, dim, index, src): the same, added to what is there. */
TERN_API tern_tensor *tern_scatter_add(tern_tensor *input, int dim, tern_tensor *index,
                                       tern_tensor *src);

/* torch.scatter_reduce(input, dim, index, src, reduce, include_self): the same, combined by "sum", "prod",
 * "mean", "amax" or "amin" with what is there (include_self) or without it. */
TERN_API tern_tensor *tern_scatter_reduce(tern_tensor *input, int dim, tern_tensor *index,
                                          tern_tensor *src, const char *reduce, bool include_self);

/* torch.index_select(input, dim, index): the elements of a dimension at these positions (1-dim), in this
 * order. */
TERN_API tern_tensor *tern_index_select(tern_tensor *input, int dim, tern_tensor *index);

/* torch.index_add(input, dim, index, source, alpha=alpha): a copy to which alpha * source is added at these
 * positions of a dimension. */
TERN_API tern_tensor *tern_index_add(tern_tensor *input, int dim, tern_tensor *index,
                                     tern_tensor *source, double alpha);

/* torch.index_copy: a copy in which `source` is at these positions of a dimension. */
TERN_API tern_tensor *tern_index_copy(tern_tensor *input, int dim, tern_tensor *index,
                                      tern_tensor *source);

/* torch.index_fill: a copy with a number at these positions of a dimension. */
TERN_API tern_tensor *tern_index_fill(tern_tensor *input, int dim, tern_tensor *index,
                                      double value);

/* torch.index_reduce: combined by "prod", "mean", "amax" or "amin" at these positions of a dimension. */
TERN_API tern_tensor *tern_index_reduce(tern_tensor *input, int dim, tern_tensor *index,
                                        tern_tensor *source, const char *reduce, bool include_self);

/* torch.segment_reduce(data, reduce, lengths=lengths, axis=axis): consecutive parts of a dimension, of these `lengths`,
 * reduced to an element each by "sum", "mean", "prod", "max" or "min". `lengths` (int64 or int32) has the data's
 * dimensions before `axis`, which is its last; each row of it must sum to the size of `axis`. Of an empty segment the
 * sum is 0, the product 1, the mean NaN, the maximum -inf, the minimum inf. Equal extremes share the gradient. By name:
 * offsets in the place of lengths, the value that a segment begins with (initial), lengths unread (unsafe). */
TERN_API tern_tensor *tern_segment_reduce(tern_tensor *data, const char *reduce,
                                          tern_tensor *lengths, int axis);

/* torch.take(input, index): elements of the flattened input; of the index's shape. */
TERN_API tern_tensor *tern_take(tern_tensor *input, tern_tensor *index);

/* Tensor.put(index, source, accumulate): a copy in which elements of the flattened input are overwritten,
 * or added to. */
TERN_API tern_tensor *tern_put(tern_tensor *input, tern_tensor *index, tern_tensor *source,
                               bool accumulate);

/* torch.take_along_dim(input, indices, dim): tern_gather with shapes that broadcast. */
TERN_API tern_tensor *tern_take_along_dim(tern_tensor *input, tern_tensor *indices, int dim);

/* ---- by mask ----------------------------------------------------------------------------------
 * Masks broadcast. */

/* torch.masked_fill(input, mask, value): `value` where the mask holds. */
TERN_API tern_tensor *tern_masked_fill(tern_tensor *input, tern_tensor *mask, double value);

/* torch.masked_select(input, mask): the elements where the mask holds, 1-dim. Waits for the device. */
TERN_API tern_tensor *tern_masked_select(tern_tensor *input, tern_tensor *mask);

/* torch.masked_scatter(input, mask, source): the elements of source one after another where the mask holds.
 * Too few of them is an error. */
TERN_API tern_tensor *tern_masked_scatter(tern_tensor *input, tern_tensor *mask,
                                          tern_tensor *source);

/* ---- positions --------------------------------------------------------------------------------
 * These wait for the device, since their size depends on the data. */

/* torch.nonzero(input): int64 [count, dimensions], the positions of the elements that are not 0, in
 * row-major order. */
TERN_API tern_tensor *tern_nonzero(tern_tensor *input);

/* torch.nonzero(input, as_tuple=True): a tuple of one 1-dim tensor per dimension, as tern_index_tensors
 * takes them. */
TERN_API tern_value tern_nonzero_tuple(tern_tensor *input);

/* torch.argwhere(input): tern_nonzero. */
TERN_API tern_tensor *tern_argwhere(tern_tensor *input);

/* torch.nonzero_static: tern_nonzero with exactly `size` rows: cut off, or filled up with fill_value
 * (PyTorch's default: -1). */
TERN_API tern_tensor *tern_nonzero_static(tern_tensor *input, int64_t size, int64_t fill_value);

/* ---- classes and words ---------------------------------------------------------------------- */

/* nn.functional.one_hot(input, num_classes): int64, with a last dimension that is 1 at the index and 0
 * elsewhere; -1 means one more than the largest. Indices outside of the classes are an error. */
TERN_API tern_tensor *tern_one_hot(tern_tensor *input, int64_t num_classes);

/* nn.functional.embedding(input, weight): rows of weight [rows, width] by index: [*] -> [*, width]. */
TERN_API tern_tensor *tern_embedding(tern_tensor *input, tern_tensor *weight);

/* The gradient of tern_embedding with respect to the weight: [num_weights, width]. The row padding_idx (-1:
 * none) gets 0; scale_grad_by_freq divides by how often a word occurs. */
TERN_API tern_tensor *tern_embedding_dense_backward(tern_tensor *grad_output, tern_tensor *indices,
                                                    int64_t num_weights, int64_t padding_idx,
                                                    bool scale_grad_by_freq);

/* ---- triangles and diagonals ---------------------------------------------------------------- */

/* torch.tril(input, diagonal): the elements above the diagonal (0: the main one) of the last two dimensions
 * set to 0. */
TERN_API tern_tensor *tern_tril(tern_tensor *input, int64_t diagonal);

/* torch.triu(input, diagonal): the elements below the diagonal set to 0. */
TERN_API tern_tensor *tern_triu(tern_tensor *input, int64_t diagonal);

/* torch.diag(input, diagonal): of one dimension, a matrix with it on the diagonal; of a matrix, its
 * diagonal. */
TERN_API tern_tensor *tern_diag(tern_tensor *input, int64_t diagonal);

/* torch.diagflat(input, offset): a matrix with the flattened input on the diagonal. */
TERN_API tern_tensor *tern_diagflat(tern_tensor *input, int64_t offset);

/* torch.diag_embed(input, offset, dim1, dim2): the last dimension becomes the diagonal of two new ones.
 * PyTorch's defaults: 0, -2, -1. */
TERN_API tern_tensor *tern_diag_embed(tern_tensor *input, int64_t offset, int dim1, int dim2);

/* torch.trace(input): the sum of a matrix's diagonal. */
TERN_API tern_tensor *tern_trace(tern_tensor *input);

#ifdef __cplusplus
}
#endif

#endif
