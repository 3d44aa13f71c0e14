/*
 * tern/ops_shape.h: operations on shapes: views, rearrangements, splits, joins, copies.
 *
 * Dimensions count from 0, negative ones from the end; one that does not exist is an error, and so is a shape with
 * another number of elements. All of these are differentiable unless said otherwise. A function whose result is a
 * tern_value returns a tuple of tensors (tern_value_at reads them), or none after latching an error.
 */
#ifndef TERN_OPS_SHAPE_H
#define TERN_OPS_SHAPE_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- views ------------------------------------------------------------------------------------
 * The result shares the input's storage: writing to one changes the other. */

/* Tensor.view(size): the same elements in another shape; one size may be -1, which is computed. An error if
 * the strides do not allow it without a copy (tern_reshape copies then). */
TERN_API tern_tensor *tern_view(tern_tensor *input, tern_shape size);

/* torch.reshape(input, shape): tern_view if the strides allow it, else a copy. One size may be -1. */
TERN_API tern_tensor *tern_reshape(tern_tensor *input, tern_shape shape);

/* input.view_as(other): tern_view with the shape of `other`. */
TERN_API tern_tensor *tern_view_as(tern_tensor *input, tern_tensor *other);

/* input.reshape_as(other): tern_reshape with the shape of `other`. */
TERN_API tern_tensor *tern_reshape_as(tern_tensor *input, tern_tensor *other);

/* torch.flatten(input, start_dim, end_dim): makes one dimension of those from start_dim to end_dim, both
 * included (PyTorch's defaults: 0 and -1). A copy if the strides need one. */
TERN_API tern_tensor *tern_flatten(tern_tensor *input, int start_dim, int end_dim);

/* torch.unflatten(input, dim, sizes): splits one dimension into several, of which one may be -1. */
TERN_API tern_tensor *tern_unflatten(tern_tensor *input, int dim, tern_shape sizes);

/* torch.ravel(input): one dimension; a copy if the strides need one. */
TERN_API tern_tensor *tern_ravel(tern_tensor *input);

/* torch.unsqueeze(input, dim): inserts a dimension of size 1 at `dim`. */
TERN_API tern_tensor *tern_unsqueeze(tern_tensor *input, int dim);

/* torch.squeeze(input, dim): removes the dimension if its size is 1. */
TERN_API tern_tensor *tern_squeeze(tern_tensor *input, int dim);

/* torch.squeeze(input): removes all dimensions of size 1. */
TERN_API tern_tensor *tern_squeeze_all(tern_tensor *input);

/* torch.transpose(input, dim0, dim1): exchanges two dimensions. */
TERN_API tern_tensor *tern_transpose(tern_tensor *input, int dim0, int dim1);

/* torch.t(input): the transpose of a matrix; a tensor of fewer dimensions unchanged. More than 2 are an
 * error. */
TERN_API tern_tensor *tern_t(tern_tensor *input);

/* input.T: all dimensions in reverse order. */
TERN_API tern_tensor *tern_T(tern_tensor *input);

/* input.mT: the last two dimensions exchanged. Fewer than 2 are an error. */
TERN_API tern_tensor *tern_mT(tern_tensor *input);

/* torch.permute(input, dims): the dimensions in another order: result dimension k is the input's dims[k]. */
TERN_API tern_tensor *tern_permute(tern_tensor *input, tern_shape dims);

/* torch.movedim(input, source, destination): moves dimensions to other places; the rest keep their order. */
TERN_API tern_tensor *tern_movedim(tern_tensor *input, tern_shape source, tern_shape destination);

/* Tensor.expand(size): repeats dimensions of size 1 without a copy (stride 0), and adds dimensions in
 * front; -1 leaves a size as it is. Do not write to the result in place. */
TERN_API tern_tensor *tern_expand(tern_tensor *input, tern_shape size);

/* input.expand_as(other): tern_expand with the shape of `other`. */
TERN_API tern_tensor *tern_expand_as(tern_tensor *input, tern_tensor *other);

/* torch.narrow(input, dim, start, length): elements start to start + length - 1 of a dimension. A part
 * outside of it is an error. */
TERN_API tern_tensor *tern_narrow(tern_tensor *input, int dim, int64_t start, int64_t length);

/* torch.select(input, dim, index): one element of a dimension, which is removed. A negative index counts
 * from the end; one out of range is an error. */
TERN_API tern_tensor *tern_select(tern_tensor *input, int dim, int64_t index);

/* input[start:end:step] along one dimension, as Python slices: bounds are clamped, negative ones count from
 * the end, end = INT64_MAX means to the end. `step` must be above 0. */
TERN_API tern_tensor *tern_slice(tern_tensor *input, int dim, int64_t start, int64_t end,
                                 int64_t step);

/* torch.diagonal(input, offset, dim1, dim2): the elements whose indices in dim2 and dim1 differ by
 * `offset`, as the last dimension. PyTorch's defaults: 0, 0, 1. */
TERN_API tern_tensor *tern_diagonal(tern_tensor *input, int64_t offset, int dim1, int dim2);

/* torch.linalg.diagonal: tern_diagonal, whose usual dimensions are -2 and -1. */
TERN_API tern_tensor *tern_linalg_diagonal(tern_tensor *A, int64_t offset, int dim1, int dim2);

/* Tensor.unfold(dimension, size, step): all windows of `size` elements along a dimension, one every `step`;
 * a window's elements are a new last dimension. */
TERN_API tern_tensor *tern_unfold(tern_tensor *input, int dimension, int64_t size, int64_t step);

/* torch.as_strided(input, size, stride, storage_offset): any view of the storage, with strides in elements.
 * One that leaves the storage is an error. */
TERN_API tern_tensor *tern_as_strided(tern_tensor *input, tern_shape size, tern_shape stride,
                                      int64_t storage_offset);

/* the whole input as a view of its own. */
TERN_API tern_tensor *tern_alias(tern_tensor *input);

/* ---- rearrangements ---------------------------------------------------------------------------
 * Copies with the elements in other places. */

/* torch.flip(input, dims): the order of the elements reversed along each of the dimensions. */
TERN_API tern_tensor *tern_flip(tern_tensor *input, tern_shape dims);

/* torch.fliplr(input): flipped along dimension 1 (at least 2 dimensions). */
TERN_API tern_tensor *tern_fliplr(tern_tensor *input);

/* torch.flipud(input): flipped along dimension 0. */
TERN_API tern_tensor *tern_flipud(tern_tensor *input);

/* torch.roll(input, shifts, dims): moves the elements along each dimension, what leaves at the end enters
 * at the beginning. dims of rank 0: the flattened input, with one shift. */
TERN_API tern_tensor *tern_roll(tern_tensor *input, tern_shape shifts, tern_shape dims);

/* torch.rot90(input, k, dims): k quarter turns in the plane of two dimensions, from the first towards the
 * second. */
TERN_API tern_tensor *tern_rot90(tern_tensor *input, int64_t k, tern_shape dims);

/* Tensor.repeat(repeats): copies side by side along each dimension. There are at least as many numbers as
 * dimensions. */
TERN_API tern_tensor *tern_repeat(tern_tensor *input, tern_shape repeats);

/* torch.tile(input, dims): the same; with fewer numbers than dimensions those in front are 1. */
TERN_API tern_tensor *tern_tile(tern_tensor *input, tern_shape dims);

/* torch.repeat_interleave(input, repeats, dim): every element of a dimension `repeats` times in a row. */
TERN_API tern_tensor *tern_repeat_interleave(tern_tensor *input, int64_t repeats, int dim);

/* torch.repeat_interleave with a number of repetitions for every element (int64, as many as the dimension
 * has). */
TERN_API tern_tensor *tern_repeat_interleave_tensor(tern_tensor *input, tern_tensor *repeats,
                                                    int dim);

/* torch.slice_scatter: a copy of the input in which input[start:end:step] along `dim` is `src`. */
TERN_API tern_tensor *tern_slice_scatter(tern_tensor *input, tern_tensor *src, int dim,
                                         int64_t start, int64_t end, int64_t step);

/* torch.select_scatter: a copy of the input in which element `index` of a dimension is `src`. */
TERN_API tern_tensor *tern_select_scatter(tern_tensor *input, tern_tensor *src, int dim,
                                          int64_t index);

/* torch.diagonal_scatter: a copy of the input in which the diagonal is `src`. */
TERN_API tern_tensor *tern_diagonal_scatter(tern_tensor *input, tern_tensor *src, int64_t offset,
                                            int dim1, int dim2);

/* ---- splits -----------------------------------------------------------------------------------
 * Tuples of views. */

/* torch.split(input, split_size, dim): parts of split_size elements; the last may be smaller. */
TERN_API tern_value tern_split(tern_tensor *tensor, int64_t split_size, int dim);

/* torch.split(input, [sizes], dim): parts of these sizes, which must add up to the dimension's. */
TERN_API tern_value tern_split_with_sizes(tern_tensor *input, tern_shape split_sizes, int dim);

/* torch.unsafe_split: tern_split. */
TERN_API tern_value tern_unsafe_split(tern_tensor *input, int64_t split_size, int dim);

/* torch.chunk(input, chunks, dim): at most `chunks` parts of equal size, of which the last may be smaller. */
TERN_API tern_value tern_chunk(tern_tensor *input, int64_t chunks, int dim);

/* torch.unbind(input, dim): every element of a dimension, which is removed. */
TERN_API tern_value tern_unbind(tern_tensor *input, int dim);

/* torch.tensor_split(input, sections, dim): exactly `sections` parts, whose sizes differ by at most 1. */
TERN_API tern_value tern_tensor_split_sections(tern_tensor *input, int64_t sections, int dim);

/* torch.tensor_split(input, indices, dim): cuts before each of the indices. */
TERN_API tern_value tern_tensor_split(tern_tensor *input, tern_shape indices, int dim);

/* torch.tensor_split with the sections (0-dim) or the indices (1-dim) in an int64 tensor, which is read
 * back. */
TERN_API tern_value tern_tensor_split_tensor(tern_tensor *input,
                                             tern_tensor *tensor_indices_or_sections, int dim);

/* torch.hsplit(input, sections): equal parts along dimension 1 (0 for one dimension). The size must be
 * divisible. */
TERN_API tern_value tern_hsplit(tern_tensor *input, int64_t sections);

/* torch.vsplit(input, sections): equal parts along dimension 0 of at least 2. */
TERN_API tern_value tern_vsplit(tern_tensor *input, int64_t sections);

/* torch.dsplit(input, sections): equal parts along dimension 2 of at least 3. */
TERN_API tern_value tern_dsplit(tern_tensor *input, int64_t sections);

/* torch.hsplit(input, indices): cuts before each of the indices. */
TERN_API tern_value tern_hsplit_at(tern_tensor *input, tern_shape indices);

/* torch.vsplit(input, indices): cuts before each of the indices. */
TERN_API tern_value tern_vsplit_at(tern_tensor *input, tern_shape indices);

/* torch.dsplit(input, indices): cuts before each of the indices. */
TERN_API tern_value tern_dsplit_at(tern_tensor *input, tern_shape indices);

/* ---- joins ------------------------------------------------------------------------------------
 * `tensors` are `count` of them, of one context; none is an error. */

/* torch.cat(tensors, dim): joined along a dimension; the other sizes must agree. Dtypes promote. */
TERN_API tern_tensor *tern_cat(tern_tensor *const *tensors, int count, int dim);

/* torch.stack(tensors, dim): joined along a new dimension; all shapes must be equal. */
TERN_API tern_tensor *tern_stack(tern_tensor *const *tensors, int count, int dim);

/* torch.hstack: joined along dimension 1 (0 for tensors of one dimension). */
TERN_API tern_tensor *tern_hstack(tern_tensor *const *tensors, int count);

/* torch.vstack: joined along dimension 0; one dimension counts as a row. */
TERN_API tern_tensor *tern_vstack(tern_tensor *const *tensors, int count);

/* torch.dstack: joined along dimension 2, which is added where it is missing. */
TERN_API tern_tensor *tern_dstack(tern_tensor *const *tensors, int count);

/* torch.column_stack: joined as columns; one dimension counts as a column. */
TERN_API tern_tensor *tern_column_stack(tern_tensor *const *tensors, int count);

/* torch.block_diag: matrices along the diagonal of one matrix of zeros. */
TERN_API tern_tensor *tern_block_diag(tern_tensor *const *tensors, int count);

/* torch.atleast_1d: each with at least 1 dimension. */
TERN_API tern_value tern_atleast_1d(tern_tensor *const *tensors, int count);

/* torch.atleast_2d: each with at least 2 dimensions. */
TERN_API tern_value tern_atleast_2d(tern_tensor *const *tensors, int count);

/* torch.atleast_3d: each with at least 3 dimensions. */
TERN_API tern_value tern_atleast_3d(tern_tensor *const *tensors, int count);

/* torch.broadcast_tensors: each expanded to their common shape. */
TERN_API tern_value tern_broadcast_tensors(tern_tensor *const *tensors, int count);

/* torch.cartesian_prod: all combinations of the elements of 1-dim tensors, as rows. */
TERN_API tern_tensor *tern_cartesian_prod(tern_tensor *const *tensors, int count);

/* torch.meshgrid(tensors, indexing): of 1-dim tensors, grids of coordinates: "ij" (also NULL) gives [n0,
 * n1, ...], "xy" exchanges the first two dimensions. */
TERN_API tern_value tern_meshgrid(tern_tensor *const *tensors, int count, const char *indexing);

/* torch.combinations(input, r, with_replacement): all choices of r elements of a 1-dim tensor, in order, as
 * rows. PyTorch's defaults: 2, false. */
TERN_API tern_tensor *tern_combinations(tern_tensor *input, int64_t r, bool with_replacement);

/* ---- copies --------------------------------------------------------------------------------- */

/* torch.clone(input): a copy, through which gradients flow. */
TERN_API tern_tensor *tern_clone(tern_tensor *input);

/* Tensor.contiguous(): row-major; the input itself if it is already. */
TERN_API tern_tensor *tern_contiguous(tern_tensor *input);

/* Tensor.copy_(src): overwrites the input; broadcasts, converts the dtype, crosses devices. */
TERN_API tern_tensor *tern_copy_in_place(tern_tensor *input, tern_tensor *src);

/* Tensor.fill_(value): overwrites every element, converted to the input's dtype. */
TERN_API tern_tensor *tern_fill_in_place(tern_tensor *input, double value);

/* Tensor.zero_(): overwrites every element with 0. */
TERN_API tern_tensor *tern_zero_in_place(tern_tensor *input);

/* Tensor.to(other): the device and dtype of `other`; the input itself if it has them already. */
TERN_API tern_tensor *tern_to_other(tern_tensor *input, tern_tensor *other);

/* Tensor.to(device, dtype) in one step; NULL and TERN_DTYPE_DEFAULT leave one as it is. */
TERN_API tern_tensor *tern_to_both(tern_tensor *input, const char *device, tern_dtype dtype);

/* ---- conversions ------------------------------------------------------------------------------
 * Tensor.float() and the like: tern_to_dtype with a fixed dtype. */

/* Tensor.bfloat16(). */
TERN_API tern_tensor *tern_as_bfloat16(tern_tensor *input);

/* Tensor.bool(): false where the element is 0. */
TERN_API tern_tensor *tern_as_bool(tern_tensor *input);

/* Tensor.byte(): uint8. */
TERN_API tern_tensor *tern_as_byte(tern_tensor *input);

/* Tensor.char(): int8. */
TERN_API tern_tensor *tern_as_char(tern_tensor *input);

/* Tensor.double(): float64. */
TERN_API tern_tensor *tern_as_double(tern_tensor *input);

/* Tensor.float(): float32. */
TERN_API tern_tensor *tern_as_float(tern_tensor *input);

/* Tensor.half(): float16. */
TERN_API tern_tensor *tern_as_half(tern_tensor *input);

/* Tensor.int(): int32. Fractions are cut off. */
TERN_API tern_tensor *tern_as_int(tern_tensor *input);

/* Tensor.long(): int64. Fractions are cut off. */
TERN_API tern_tensor *tern_as_long(tern_tensor *input);

/* Tensor.short(): int16. Fractions are cut off. */
TERN_API tern_tensor *tern_as_short(tern_tensor *input);

/* ---- views, copied ----------------------------------------------------------------------------
 * Torch's _copy operations: the view of the same name in memory of its own. */

/* tern_view, copied. */
TERN_API tern_tensor *tern_view_copy(tern_tensor *input, tern_shape size);

/* tern_alias, copied. */
TERN_API tern_tensor *tern_alias_copy(tern_tensor *input);

/* tern_as_strided, copied. */
TERN_API tern_tensor *tern_as_strided_copy(tern_tensor *input, tern_shape size, tern_shape stride,
                                           int64_t storage_offset);

/* tern_diagonal, copied. */
TERN_API tern_tensor *tern_diagonal_copy(tern_tensor *input, int64_t offset, int dim1, int dim2);

/* tern_expand, copied. */
TERN_API tern_tensor *tern_expand_copy(tern_tensor *input, tern_shape size);

/* tern_narrow, copied. */
TERN_API tern_tensor *tern_narrow_copy(tern_tensor *input, int dim, int64_t start, int64_t length);

/* tern_permute, copied. */
TERN_API tern_tensor *tern_permute_copy(tern_tensor *input, tern_shape dims);

/* tern_squeeze, copied. */
TERN_API tern_tensor *tern_squeeze_copy(tern_tensor *input, int dim);

/* tern_t, copied. */
TERN_API tern_tensor *tern_t_copy(tern_tensor *input);

/* tern_transpose, copied. */
TERN_API tern_tensor *tern_transpose_copy(tern_tensor *input, int dim0, int dim1);

/* tern_unfold, copied. */
TERN_API tern_tensor *tern_unfold_copy(tern_tensor *input, int dimension, int64_t size,
                                       int64_t step);

/* tern_unsqueeze, copied. */
TERN_API tern_tensor *tern_unsqueeze_copy(tern_tensor *input, int dim);

/* tern_unbind, copied. */
TERN_API tern_value tern_unbind_copy(tern_tensor *input, int dim);

/* tern_split_with_sizes, copied. */
TERN_API tern_value tern_split_with_sizes_copy(tern_tensor *input, tern_shape split_sizes, int dim);

#ifdef __cplusplus
}
#endif

#endif
