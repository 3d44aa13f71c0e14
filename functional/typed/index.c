/* index.c: the C functions of tern/ops_index.h that do not stand beside their operation. */
#include "typed.h"

/* A list argument, in the context of the input where no position is given. */
static tern_value positions_argument(tern_tensor *input, tern_tensor *const *indices, int count) {
    tern_value list;
    if (!tern_list_argument(indices, count, &list)->is_static) return list;
    return tern_list_in(tern_context_of(input), indices, count);
}

/* ---- indexing as Python's brackets ---------------------------------------------------------- */
tern_tensor *tern_index(tern_tensor *input, const char *subscript) {
    return TERN_CALL(index, ARG_TENSOR(input), tern_text(subscript ? subscript : ""));
}
tern_tensor *tern_index_tensors(tern_tensor *input, tern_tensor *const *indices, int count) {
    return TERN_CALL(index, ARG_TENSOR(input), positions_argument(input, indices, count));
}
tern_tensor *tern_index_put(tern_tensor *input, tern_tensor *const *indices, int count,
                            tern_tensor *values, bool accumulate) {
    return TERN_CALL(index_put, ARG_TENSOR(input), positions_argument(input, indices, count),
                     ARG_TENSOR(values), ARG_BOOL(accumulate));
}

/* ---- along a dimension ---------------------------------------------------------------------- */
tern_tensor *tern_scatter_value(tern_tensor *input, int dim, tern_tensor *index, double value) {
    return TERN_CALL(scatter_value, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     tern_number(value));
}
tern_tensor *tern_scatter_reduce(tern_tensor *input, int dim, tern_tensor *index, tern_tensor *src,
                                 const char *reduce, bool include_self) {
    return TERN_CALL(scatter_reduce, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     ARG_TENSOR(src), tern_text_argument(reduce), ARG_BOOL(include_self));
}
tern_tensor *tern_index_add(tern_tensor *input, int dim, tern_tensor *index, tern_tensor *source,
                            double alpha) {
    return TERN_CALL(index_add, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     ARG_TENSOR(source), tern_number(alpha));
}
tern_tensor *tern_index_copy(tern_tensor *input, int dim, tern_tensor *index, tern_tensor *source) {
    return TERN_CALL(index_copy, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     ARG_TENSOR(source));
}
tern_tensor *tern_index_fill(tern_tensor *input, int dim, tern_tensor *index, double value) {
    return TERN_CALL(index_fill, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     tern_number(value));
}
tern_tensor *tern_index_reduce(tern_tensor *input, int dim, tern_tensor *index, tern_tensor *source,
                               const char *reduce, bool include_self) {
    return TERN_CALL(index_reduce, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index),
                     ARG_TENSOR(source), tern_text_argument(reduce), ARG_BOOL(include_self));
}
tern_tensor *tern_segment_reduce(tern_tensor *data, const char *reduce, tern_tensor *lengths,
                                 int axis) {
    return TERN_CALL(segment_reduce, ARG_TENSOR(data), tern_text(reduce), ARG_TENSOR(lengths),
                     tern_none(), tern_none(), ARG_INT(axis));
}
tern_tensor *tern_take(tern_tensor *input, tern_tensor *index) {
    return TERN_CALL(take, ARG_TENSOR(input), ARG_TENSOR(index));
}
tern_tensor *tern_put(tern_tensor *input, tern_tensor *index, tern_tensor *source,
                      bool accumulate) {
    return TERN_CALL(put, ARG_TENSOR(input), ARG_TENSOR(index), ARG_TENSOR(source),
                     ARG_BOOL(accumulate));
}
tern_tensor *tern_take_along_dim(tern_tensor *input, tern_tensor *indices, int dim) {
    return TERN_CALL(take_along_dim, ARG_TENSOR(input), ARG_TENSOR(indices), ARG_INT(dim));
}

/* ---- by mask -------------------------------------------------------------------------------- */
tern_tensor *tern_masked_fill(tern_tensor *input, tern_tensor *mask, double value) {
    return TERN_CALL(masked_fill, ARG_TENSOR(input), ARG_TENSOR(mask), tern_number(value));
}
tern_tensor *tern_masked_select(tern_tensor *input, tern_tensor *mask) {
    return TERN_CALL(masked_select, ARG_TENSOR(input), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_scatter(tern_tensor *input, tern_tensor *mask, tern_tensor *source) {
    return TERN_CALL(masked_scatter, ARG_TENSOR(input), ARG_TENSOR(mask), ARG_TENSOR(source));
}

/* ---- positions ------------------------------------------------------------------------------ */
tern_tensor *tern_nonzero(tern_tensor *input) {
    return TERN_CALL(nonzero, ARG_TENSOR(input));
}
tern_value tern_nonzero_tuple(tern_tensor *input) {
    return TERN_CALL_VALUE(nonzero, ARG_TENSOR(input), ARG_BOOL(true));
}
tern_tensor *tern_argwhere(tern_tensor *input) {
    return TERN_CALL(argwhere, ARG_TENSOR(input));
}
tern_tensor *tern_nonzero_static(tern_tensor *input, int64_t size, int64_t fill_value) {
    return TERN_CALL(nonzero_static, ARG_TENSOR(input), ARG_INT(size), ARG_INT(fill_value));
}

/* ---- classes and words ---------------------------------------------------------------------- */
tern_tensor *tern_one_hot(tern_tensor *input, int64_t num_classes) {
    return TERN_CALL(one_hot, ARG_TENSOR(input), ARG_INT(num_classes));
}
tern_tensor *tern_embedding_dense_backward(tern_tensor *grad_output, tern_tensor *indices,
                                           int64_t num_weights, int64_t padding_idx,
                                           bool scale_grad_by_freq) {
    return TERN_CALL(embedding_dense_backward, ARG_TENSOR(grad_output), ARG_TENSOR(indices),
                     ARG_INT(num_weights), ARG_INT(padding_idx), ARG_BOOL(scale_grad_by_freq));
}

/* ---- triangles and diagonals ---------------------------------------------------------------- */
tern_tensor *tern_tril(tern_tensor *input, int64_t diagonal) {
    return TERN_CALL(tril, ARG_TENSOR(input), ARG_INT(diagonal));
}
tern_tensor *tern_triu(tern_tensor *input, int64_t diagonal) {
    return TERN_CALL(triu, ARG_TENSOR(input), ARG_INT(diagonal));
}
tern_tensor *tern_diag(tern_tensor *input, int64_t diagonal) {
    return TERN_CALL(diag, ARG_TENSOR(input), ARG_INT(diagonal));
}
tern_tensor *tern_diagflat(tern_tensor *input, int64_t offset) {
    return TERN_CALL(diagflat, ARG_TENSOR(input), ARG_INT(offset));
}
tern_tensor *tern_diag_embed(tern_tensor *input, int64_t offset, int dim1, int dim2) {
    return TERN_CALL(diag_embed, ARG_TENSOR(input), ARG_INT(offset), ARG_INT(dim1), ARG_INT(dim2));
}
tern_tensor *tern_trace(tern_tensor *input) {
    return TERN_CALL(trace, ARG_TENSOR(input));
}
