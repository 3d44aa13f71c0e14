/*
 * view.c: tensors that share their input's storage: reshapes and permutations of dimensions.
 * Parts of a tensor (narrow, select, slice, ...) are in part.c.
 *
 * An implementation only computes a geometry; what makes it a view (the alias, the history) is the
 * caller's. Gradients undo the view by the opposite one.
 */
#include "layout.h"

#include <string.h>

/* ---- shapes ---- */

static tern_value as_view(tern_opcall *call, tern_tensor *base, const tern_shape *shape,
                          const tern_shape *strides) {
    return tern_result(
        call, tern_tensor_view(base, shape->rank, shape->dim, strides->dim, BODY(base)->offset));
}

static tern_shape strides_of(const tern_tensor *tensor) {
    tern_shape strides = {BODY(tensor)->rank, {0}};
    for (int d = 0; d < BODY(tensor)->rank; d++) strides.dim[d] = BODY(tensor)->strides[d];
    return strides;
}

/* Resolves one -1 in a shape for `numel` elements; false after latching. */
static bool infer_size(tern_opcall *call, tern_shape *size, int64_t numel) {
    char text[TERN_SHAPE_TEXT];
    tern_shape given = *size, rest = *size;
    int64_t product = 0;
    int open = -1;
    for (int d = 0; d < size->rank; d++) {
        if (size->dim[d] == -1 && open >= 0) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "only one dimension can be inferred in %s",
                           tern_shape_text(size->rank, size->dim, text));
            return false;
        }
        if (size->dim[d] == -1) {
            open = d;
            rest.dim[d] = 1;
        } else if (size->dim[d] < 0) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "invalid shape dimension %lld",
                           (long long)size->dim[d]);
            return false;
        }
    }
    bool fits = tern_shape_numel(rest.rank, rest.dim, &product);
    if (fits && open >= 0 && product == 0 && numel == 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "cannot reshape tensor of 0 elements into shape %s because the unspecified "
                       "dimension size -1 can be any value and is ambiguous",
                       tern_shape_text(given.rank, given.dim, text));
        return false;
    }
    if (fits && open >= 0 && product > 0 && numel % product == 0) {
        size->dim[open] = numel / product;
        return true;
    }
    if (fits && open < 0 && product == numel) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT, "shape '%s' is invalid for input of size %lld",
                   tern_shape_text(given.rank, given.dim, text), (long long)numel);
    return false;
}

/*
 * Strides for `size` over the same memory, where there are any: every new dimension lies within one
 * run of old dimensions that are contiguous among themselves.
 */
static bool view_strides(const tern_tensor *t, const tern_shape *size, tern_shape *out_strides) {
    out_strides->rank = size->rank;
    if (BODY(t)->numel == 0 || BODY(t)->rank == 0) {
        tern_contiguous_strides(size->rank, size->dim, out_strides->dim);
        return true;
    }
    int next = size->rank - 1;
    int64_t run = 1, used = 1, step = BODY(t)->strides[BODY(t)->rank - 1];
    for (int d = BODY(t)->rank - 1; d >= 0; d--) {
        run *= BODY(t)->shape[d];
        if (d > 0 && (BODY(t)->shape[d - 1] == 1 || BODY(t)->strides[d - 1] == run * step))
            continue;
        while (next >= 0 && (used < run || size->dim[next] == 1)) {
            out_strides->dim[next] = used * step;
            used *= size->dim[next];
            next--;
        }
        if (used != run) return false;
        if (d > 0) {
            step = BODY(t)->strides[d - 1];
            run = used = 1;
        }
    }
    return next < 0;
}

/* ---- view, reshape, flatten ---- */

tern_value tern_op_view(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape size = tern_arg_ints(call, 1), strides;
    if (size.rank < 0 || !infer_size(call, &size, BODY(input)->numel)) return tern_none();
    if (!view_strides(input, &size, &strides))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "view size is not compatible with input tensor's size and stride (at "
                              "least one dimension spans across two contiguous subspaces). Use "
                              "tern_reshape(...) instead.");
    return as_view(call, input, &size, &strides);
}

void tern_grad_view(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_reshape(grad_out[0], tern_node_input_shape(node, 0));
}

tern_value tern_op_reshape(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape size = tern_arg_ints(call, 1), strides;
    if (size.rank < 0 || !infer_size(call, &size, BODY(input)->numel)) return tern_none();
    if (!view_strides(input, &size, &strides)) input = tern_contiguous(input);
    return tern_result(call, tern_view(input, size));
}

tern_value tern_op_flatten(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int start, end;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &start) ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, -1), &end))
        return tern_none();
    if (start > end)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "flatten() has invalid args: start_dim cannot come after end_dim");
    if (BODY(input)->rank == 0) return tern_result(call, tern_reshape(input, TERN_SHAPE(1)));
    if (start == end) return tern_tensor_value(input);
    tern_shape size = {0, {0}};
    int64_t merged = 1;
    for (int d = start; d <= end; d++) merged *= BODY(input)->shape[d];
    for (int d = 0; d < start; d++) size.dim[size.rank++] = BODY(input)->shape[d];
    size.dim[size.rank++] = merged;
    for (int d = end + 1; d < BODY(input)->rank; d++) size.dim[size.rank++] = BODY(input)->shape[d];
    return tern_result(call, tern_reshape(input, size));
}

/* ---- dimensions of size 1 ---- */

tern_value tern_op_unsqueeze(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int dim;
    if (BODY(input)->rank == TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "a tensor has at most %d dimensions",
                              TERN_MAX_RANK);
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank + 1, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    tern_shape size = {BODY(input)->rank + 1, {0}}, strides = size;
    for (int d = 0; d < size.rank; d++) {
        int from = d < dim ? d : d - 1;
        size.dim[d] = d == dim ? 1 : BODY(input)->shape[from];
        strides.dim[d] = d != dim ? BODY(input)->strides[from] : 1;
    }
    if (dim < BODY(input)->rank)
        strides.dim[dim] = BODY(input)->shape[dim] * BODY(input)->strides[dim];
    return as_view(call, input, &size, &strides);
}

void tern_grad_unsqueeze(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_reshape(grad_out[0], tern_node_input_shape(node, 0));
}

tern_value tern_op_squeeze(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    uint32_t mask = ~0u;
    if (tern_arg_given(call, 1)) {
        tern_shape dims = tern_arg_ints(call, 1);
        mask = 0;
        for (int i = 0; i < dims.rank; i++) {
            int dim;
            if (!tern_wrap_dim(call->ctx, BODY(input)->rank, dims.dim[i], &dim)) return tern_none();
            mask |= 1u << dim;
        }
    }
    tern_shape size = {0, {0}}, strides = size;
    for (int d = 0; d < BODY(input)->rank; d++) {
        if (BODY(input)->shape[d] == 1 && (mask >> d & 1u)) continue;
        size.dim[size.rank++] = BODY(input)->shape[d];
        strides.dim[strides.rank++] = BODY(input)->strides[d];
    }
    return as_view(call, input, &size, &strides);
}

void tern_grad_squeeze(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_reshape(grad_out[0], tern_node_input_shape(node, 0));
}

/* ---- orders of dimensions ---- */

tern_value tern_op_transpose(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int a, b;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &a) ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, 0), &b))
        return tern_none();
    tern_shape size = tern_shape_of(input), strides = strides_of(input);
    if (BODY(input)->rank > 0) {
        size.dim[a] = BODY(input)->shape[b];
        size.dim[b] = BODY(input)->shape[a];
        strides.dim[a] = BODY(input)->strides[b];
        strides.dim[b] = BODY(input)->strides[a];
    }
    return as_view(call, input, &size, &strides);
}

void tern_grad_transpose(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_transpose(grad_out[0], (int)tern_value_as_int(tern_node_arg(node, 1)),
                              (int)tern_value_as_int(tern_node_arg(node, 2)));
}

tern_value tern_op_t(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (BODY(input)->rank > 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "t() expects a tensor with <= 2 dimensions, but self is %dD",
                              BODY(input)->rank);
    return tern_result(call, tern_transpose(input, 0, BODY(input)->rank < 2 ? 0 : 1));
}

tern_value tern_op_permute(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape dims = tern_arg_ints(call, 1);
    if (dims.rank < 0) return tern_none();
    if (dims.rank != BODY(input)->rank)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "number of dimensions in the tensor input does not match the length "
                              "of the desired ordering of dimensions i.e. input.dim() = %d is not "
                              "equal to len(dims) = %d",
                              BODY(input)->rank, dims.rank);
    tern_shape size = tern_shape_of(input), strides = strides_of(input);
    uint32_t seen = 0;
    for (int i = 0; i < dims.rank; i++) {
        int from;
        if (!tern_wrap_dim(call->ctx, BODY(input)->rank, dims.dim[i], &from)) return tern_none();
        if (seen >> from & 1u)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "duplicate dims are not allowed");
        seen |= 1u << from;
        size.dim[i] = BODY(input)->shape[from];
        strides.dim[i] = BODY(input)->strides[from];
    }
    return as_view(call, input, &size, &strides);
}

void tern_grad_permute(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value dims = tern_node_arg(node, 1);
    int rank = BODY(grad_out[0])->rank;
    tern_shape inverse = {rank, {0}};
    for (int i = 0; i < rank; i++) {
        int64_t from = tern_value_as_int(tern_value_at(dims, (size_t)i));
        inverse.dim[from < 0 ? from + rank : from] = i;
    }
    grads[0] = tern_permute(grad_out[0], inverse);
}

/* ---- expand, detach ---- */

tern_value tern_op_expand(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape size = tern_arg_ints(call, 1), strides;
    char target[TERN_SHAPE_TEXT], own[TERN_SHAPE_TEXT];
    if (size.rank < 0) return tern_none();
    tern_shape given = size;
    int leading = size.rank - BODY(input)->rank;
    if (leading < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "the number of sizes provided (%d) must be greater or equal to the "
                              "number of dimensions in the tensor (%d)",
                              size.rank, BODY(input)->rank);
    strides.rank = size.rank;
    for (int d = 0; d < size.rank; d++) {
        int64_t own_size = d < leading ? 1 : BODY(input)->shape[d - leading];
        if (size.dim[d] == -1 && d >= leading) size.dim[d] = own_size;
        if (size.dim[d] < 0)
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "The expanded size of the tensor (%lld) isn't allowed in a "
                                  "leading, non-existing dimension %d",
                                  (long long)size.dim[d], d);
        if (size.dim[d] != own_size && own_size != 1)
            return tern_call_fail(
                call, TERN_ERR_ARGUMENT,
                "The expanded size of the tensor (%lld) must match the existing size (%lld) at "
                "non-singleton dimension %d.  Target sizes: %s.  Tensor sizes: %s",
                (long long)size.dim[d], (long long)own_size, d,
                tern_shape_text(given.rank, given.dim, target),
                tern_shape_text(BODY(input)->rank, BODY(input)->shape, own));
        bool repeats = d < leading || size.dim[d] != own_size;
        strides.dim[d] = repeats ? 0 : BODY(input)->strides[d - leading];
    }
    int64_t numel;
    if (!tern_shape_numel(size.rank, size.dim, &numel))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "size %s has too many elements",
                              tern_shape_text(size.rank, size.dim, target));
    return as_view(call, input, &size, &strides);
}

void tern_grad_expand(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_sum_to_size(grad_out[0], tern_node_input_shape(node, 0));
}

/* A handle of its own without alias: a write through it is seen by values, not by histories. */
tern_value tern_op_detach(tern_opcall *call) {
    return tern_result(call, tern_detach(tern_arg_tensor(call, 0)));
}

/* ---- C functions ---- */

tern_tensor *tern_view(tern_tensor *input, tern_shape size) {
    return TERN_CALL(view, ARG_TENSOR(input), ARG_SHAPE(size));
}
tern_tensor *tern_reshape(tern_tensor *input, tern_shape shape) {
    return TERN_CALL(reshape, ARG_TENSOR(input), ARG_SHAPE(shape));
}
tern_tensor *tern_flatten(tern_tensor *input, int start_dim, int end_dim) {
    return TERN_CALL(flatten, ARG_TENSOR(input), ARG_INT(start_dim), ARG_INT(end_dim));
}
tern_tensor *tern_unsqueeze(tern_tensor *input, int dim) {
    return TERN_CALL(unsqueeze, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_squeeze(tern_tensor *input, int dim) {
    return TERN_CALL(squeeze, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_squeeze_all(tern_tensor *input) {
    return TERN_CALL(squeeze, ARG_TENSOR(input));
}
tern_tensor *tern_transpose(tern_tensor *input, int dim0, int dim1) {
    return TERN_CALL(transpose, ARG_TENSOR(input), ARG_INT(dim0), ARG_INT(dim1));
}
tern_tensor *tern_t(tern_tensor *input) {
    return TERN_CALL(t, ARG_TENSOR(input));
}
tern_tensor *tern_permute(tern_tensor *input, tern_shape dims) {
    return TERN_CALL(permute, ARG_TENSOR(input), ARG_SHAPE(dims));
}
tern_tensor *tern_expand(tern_tensor *input, tern_shape size) {
    return TERN_CALL(expand, ARG_TENSOR(input), ARG_SHAPE(size));
}
