/* shape.c: the C functions of tern/ops_shape.h that do not stand beside their operation. */
#include "typed.h"

/* ---- views ---------------------------------------------------------------------------------- */
tern_tensor *tern_view_as(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(view_as, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_reshape_as(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(reshape_as, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_unflatten(tern_tensor *input, int dim, tern_shape sizes) {
    return TERN_CALL(unflatten, ARG_TENSOR(input), ARG_INT(dim), ARG_SHAPE(sizes));
}
tern_tensor *tern_ravel(tern_tensor *input) {
    return TERN_CALL(ravel, ARG_TENSOR(input));
}
tern_tensor *tern_T(tern_tensor *input) {
    return TERN_CALL(T, ARG_TENSOR(input));
}
tern_tensor *tern_mT(tern_tensor *input) {
    return TERN_CALL(mT, ARG_TENSOR(input));
}
tern_tensor *tern_movedim(tern_tensor *input, tern_shape source, tern_shape destination) {
    return TERN_CALL(movedim, ARG_TENSOR(input), ARG_SHAPE(source), ARG_SHAPE(destination));
}
tern_tensor *tern_expand_as(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(expand_as, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_diagonal(tern_tensor *input, int64_t offset, int dim1, int dim2) {
    return TERN_CALL(diagonal, ARG_TENSOR(input), ARG_INT(offset), ARG_INT(dim1), ARG_INT(dim2));
}
tern_tensor *tern_linalg_diagonal(tern_tensor *A, int64_t offset, int dim1, int dim2) {
    return TERN_CALL(linalg_diagonal, ARG_TENSOR(A), ARG_INT(offset), ARG_INT(dim1), ARG_INT(dim2));
}
tern_tensor *tern_unfold(tern_tensor *input, int dimension, int64_t size, int64_t step) {
    return TERN_CALL(unfold, ARG_TENSOR(input), ARG_INT(dimension), ARG_INT(size), ARG_INT(step));
}
tern_tensor *tern_alias(tern_tensor *input) {
    return TERN_CALL(alias, ARG_TENSOR(input));
}

/* ---- rearrangements ------------------------------------------------------------------------- */
tern_tensor *tern_flip(tern_tensor *input, tern_shape dims) {
    return TERN_CALL(flip, ARG_TENSOR(input), ARG_SHAPE(dims));
}
tern_tensor *tern_fliplr(tern_tensor *input) {
    return TERN_CALL(fliplr, ARG_TENSOR(input));
}
tern_tensor *tern_flipud(tern_tensor *input) {
    return TERN_CALL(flipud, ARG_TENSOR(input));
}
tern_tensor *tern_roll(tern_tensor *input, tern_shape shifts, tern_shape dims) {
    return TERN_CALL(roll, ARG_TENSOR(input), ARG_SHAPE(shifts), tern_dims_argument(&dims));
}
tern_tensor *tern_rot90(tern_tensor *input, int64_t k, tern_shape dims) {
    return TERN_CALL(rot90, ARG_TENSOR(input), ARG_INT(k), ARG_SHAPE(dims));
}
tern_tensor *tern_repeat(tern_tensor *input, tern_shape repeats) {
    return TERN_CALL(repeat, ARG_TENSOR(input), ARG_SHAPE(repeats));
}
tern_tensor *tern_tile(tern_tensor *input, tern_shape dims) {
    return TERN_CALL(tile, ARG_TENSOR(input), ARG_SHAPE(dims));
}
tern_tensor *tern_repeat_interleave(tern_tensor *input, int64_t repeats, int dim) {
    return TERN_CALL(repeat_interleave, ARG_TENSOR(input), ARG_INT(repeats), ARG_INT(dim));
}
tern_tensor *tern_repeat_interleave_tensor(tern_tensor *input, tern_tensor *repeats, int dim) {
    return TERN_CALL(repeat_interleave, ARG_TENSOR(input), ARG_TENSOR(repeats), ARG_INT(dim));
}
tern_tensor *tern_slice_scatter(tern_tensor *input, tern_tensor *src, int dim, int64_t start,
                                int64_t end, int64_t step) {
    return TERN_CALL(slice_scatter, ARG_TENSOR(input), ARG_TENSOR(src), ARG_INT(dim),
                     ARG_INT(start), ARG_INT(end), ARG_INT(step));
}
tern_tensor *tern_select_scatter(tern_tensor *input, tern_tensor *src, int dim, int64_t index) {
    return TERN_CALL(select_scatter, ARG_TENSOR(input), ARG_TENSOR(src), ARG_INT(dim),
                     ARG_INT(index));
}
tern_tensor *tern_diagonal_scatter(tern_tensor *input, tern_tensor *src, int64_t offset, int dim1,
                                   int dim2) {
    return TERN_CALL(diagonal_scatter, ARG_TENSOR(input), ARG_TENSOR(src), ARG_INT(offset),
                     ARG_INT(dim1), ARG_INT(dim2));
}

/* ---- splits --------------------------------------------------------------------------------- */
tern_value tern_split_with_sizes(tern_tensor *input, tern_shape split_sizes, int dim) {
    return TERN_CALL_VALUE(split_with_sizes, ARG_TENSOR(input), ARG_SHAPE(split_sizes),
                           ARG_INT(dim));
}
tern_value tern_unsafe_split(tern_tensor *input, int64_t split_size, int dim) {
    return TERN_CALL_VALUE(unsafe_split, ARG_TENSOR(input), ARG_INT(split_size), ARG_INT(dim));
}
tern_value tern_chunk(tern_tensor *input, int64_t chunks, int dim) {
    return TERN_CALL_VALUE(chunk, ARG_TENSOR(input), ARG_INT(chunks), ARG_INT(dim));
}
tern_value tern_unbind(tern_tensor *input, int dim) {
    return TERN_CALL_VALUE(unbind, ARG_TENSOR(input), ARG_INT(dim));
}
tern_value tern_tensor_split_sections(tern_tensor *input, int64_t sections, int dim) {
    return TERN_CALL_VALUE(tensor_split_sections, ARG_TENSOR(input), ARG_INT(sections),
                           ARG_INT(dim));
}
tern_value tern_tensor_split(tern_tensor *input, tern_shape indices, int dim) {
    return TERN_CALL_VALUE(tensor_split, ARG_TENSOR(input), ARG_SHAPE(indices), ARG_INT(dim));
}
tern_value tern_tensor_split_tensor(tern_tensor *input, tern_tensor *tensor_indices_or_sections,
                                    int dim) {
    return TERN_CALL_VALUE(tensor_split_tensor, ARG_TENSOR(input),
                           ARG_TENSOR(tensor_indices_or_sections), ARG_INT(dim));
}
tern_value tern_hsplit(tern_tensor *input, int64_t sections) {
    return TERN_CALL_VALUE(hsplit, ARG_TENSOR(input), ARG_INT(sections));
}
tern_value tern_vsplit(tern_tensor *input, int64_t sections) {
    return TERN_CALL_VALUE(vsplit, ARG_TENSOR(input), ARG_INT(sections));
}
tern_value tern_dsplit(tern_tensor *input, int64_t sections) {
    return TERN_CALL_VALUE(dsplit, ARG_TENSOR(input), ARG_INT(sections));
}
tern_value tern_hsplit_at(tern_tensor *input, tern_shape indices) {
    return TERN_CALL_VALUE(hsplit_at, ARG_TENSOR(input), ARG_SHAPE(indices));
}
tern_value tern_vsplit_at(tern_tensor *input, tern_shape indices) {
    return TERN_CALL_VALUE(vsplit_at, ARG_TENSOR(input), ARG_SHAPE(indices));
}
tern_value tern_dsplit_at(tern_tensor *input, tern_shape indices) {
    return TERN_CALL_VALUE(dsplit_at, ARG_TENSOR(input), ARG_SHAPE(indices));
}

/* ---- joins ---------------------------------------------------------------------------------- */
tern_tensor *tern_hstack(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, hstack, list);
}
tern_tensor *tern_vstack(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, vstack, list);
}
tern_tensor *tern_dstack(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, dstack, list);
}
tern_tensor *tern_column_stack(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, column_stack, list);
}
tern_tensor *tern_block_diag(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, block_diag, list);
}
tern_value tern_atleast_1d(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_VALUE_CTX(ctx, atleast_1d, list);
}
tern_value tern_atleast_2d(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_VALUE_CTX(ctx, atleast_2d, list);
}
tern_value tern_atleast_3d(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_VALUE_CTX(ctx, atleast_3d, list);
}
tern_value tern_broadcast_tensors(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_VALUE_CTX(ctx, broadcast_tensors, list);
}
tern_tensor *tern_cartesian_prod(tern_tensor *const *tensors, int count) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_CTX(ctx, cartesian_prod, list);
}
tern_value tern_meshgrid(tern_tensor *const *tensors, int count, const char *indexing) {
    tern_value list;
    tern_ctx *ctx = tern_list_argument(tensors, count, &list);
    return TERN_CALL_VALUE_CTX(ctx, meshgrid, list, tern_text_argument(indexing));
}
tern_tensor *tern_combinations(tern_tensor *input, int64_t r, bool with_replacement) {
    return TERN_CALL(combinations, ARG_TENSOR(input), ARG_INT(r), ARG_BOOL(with_replacement));
}

/* ---- copies --------------------------------------------------------------------------------- */
tern_tensor *tern_to_other(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(to_other, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_to_both(tern_tensor *input, const char *device, tern_dtype dtype) {
    return TERN_CALL(to_both, ARG_TENSOR(input), tern_text_argument(device), ARG_DTYPE(dtype));
}

/* ---- conversions ---------------------------------------------------------------------------- */
tern_tensor *tern_as_bfloat16(tern_tensor *input) {
    return TERN_CALL(as_bfloat16, ARG_TENSOR(input));
}
tern_tensor *tern_as_bool(tern_tensor *input) {
    return TERN_CALL(as_bool, ARG_TENSOR(input));
}
tern_tensor *tern_as_byte(tern_tensor *input) {
    return TERN_CALL(as_byte, ARG_TENSOR(input));
}
tern_tensor *tern_as_char(tern_tensor *input) {
    return TERN_CALL(as_char, ARG_TENSOR(input));
}
tern_tensor *tern_as_double(tern_tensor *input) {
    return TERN_CALL(as_double, ARG_TENSOR(input));
}
tern_tensor *tern_as_float(tern_tensor *input) {
    return TERN_CALL(as_float, ARG_TENSOR(input));
}
tern_tensor *tern_as_half(tern_tensor *input) {
    return TERN_CALL(as_half, ARG_TENSOR(input));
}
tern_tensor *tern_as_int(tern_tensor *input) {
    return TERN_CALL(as_int, ARG_TENSOR(input));
}
tern_tensor *tern_as_long(tern_tensor *input) {
    return TERN_CALL(as_long, ARG_TENSOR(input));
}
tern_tensor *tern_as_short(tern_tensor *input) {
    return TERN_CALL(as_short, ARG_TENSOR(input));
}

/* ---- views, copied -------------------------------------------------------------------------- */
tern_tensor *tern_view_copy(tern_tensor *input, tern_shape size) {
    return TERN_CALL(view_copy, ARG_TENSOR(input), ARG_SHAPE(size));
}
tern_tensor *tern_alias_copy(tern_tensor *input) {
    return TERN_CALL(alias_copy, ARG_TENSOR(input));
}
tern_tensor *tern_as_strided_copy(tern_tensor *input, tern_shape size, tern_shape stride,
                                  int64_t storage_offset) {
    return TERN_CALL(as_strided_copy, ARG_TENSOR(input), ARG_SHAPE(size), ARG_SHAPE(stride),
                     ARG_INT(storage_offset));
}
tern_tensor *tern_diagonal_copy(tern_tensor *input, int64_t offset, int dim1, int dim2) {
    return TERN_CALL(diagonal_copy, ARG_TENSOR(input), ARG_INT(offset), ARG_INT(dim1),
                     ARG_INT(dim2));
}
tern_tensor *tern_expand_copy(tern_tensor *input, tern_shape size) {
    return TERN_CALL(expand_copy, ARG_TENSOR(input), ARG_SHAPE(size));
}
tern_tensor *tern_narrow_copy(tern_tensor *input, int dim, int64_t start, int64_t length) {
    return TERN_CALL(narrow_copy, ARG_TENSOR(input), ARG_INT(dim), ARG_INT(start), ARG_INT(length));
}
tern_tensor *tern_permute_copy(tern_tensor *input, tern_shape dims) {
    return TERN_CALL(permute_copy, ARG_TENSOR(input), ARG_SHAPE(dims));
}
tern_tensor *tern_squeeze_copy(tern_tensor *input, int dim) {
    return TERN_CALL(squeeze_copy, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_t_copy(tern_tensor *input) {
    return TERN_CALL(t_copy, ARG_TENSOR(input));
}
tern_tensor *tern_transpose_copy(tern_tensor *input, int dim0, int dim1) {
    return TERN_CALL(transpose_copy, ARG_TENSOR(input), ARG_INT(dim0), ARG_INT(dim1));
}
tern_tensor *tern_unfold_copy(tern_tensor *input, int dimension, int64_t size, int64_t step) {
    return TERN_CALL(unfold_copy, ARG_TENSOR(input), ARG_INT(dimension), ARG_INT(size),
                     ARG_INT(step));
}
tern_tensor *tern_unsqueeze_copy(tern_tensor *input, int dim) {
    return TERN_CALL(unsqueeze_copy, ARG_TENSOR(input), ARG_INT(dim));
}
tern_value tern_unbind_copy(tern_tensor *input, int dim) {
    return TERN_CALL_VALUE(unbind_copy, ARG_TENSOR(input), ARG_INT(dim));
}
tern_value tern_split_with_sizes_copy(tern_tensor *input, tern_shape split_sizes, int dim) {
    return TERN_CALL_VALUE(split_with_sizes_copy, ARG_TENSOR(input), ARG_SHAPE(split_sizes),
                           ARG_INT(dim));
}
