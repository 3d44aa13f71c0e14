/*
 * rearrange.c: operations that only move elements, each composed of views, joins and selections:
 * fliplr, roll, rot90, repeat, tile, repeat_interleave, movedim, unflatten, unfold, and the shapes of
 * other tensors (view_as, expand_as, ...). All but unfold are differentiated through their parts.
 */
#include "core/ops/layout.h"
#include "functional.h"

/* ---- shapes of others ---- */

tern_value tern_op_view_as(tern_opcall *call) {
    tern_shape shape = tern_shape_of(tern_arg_tensor(call, 1));
    return tern_result(call, tern_view(tern_arg_tensor(call, 0), shape));
}

tern_value tern_op_reshape_as(tern_opcall *call) {
    tern_shape shape = tern_shape_of(tern_arg_tensor(call, 1));
    return tern_result(call, tern_reshape(tern_arg_tensor(call, 0), shape));
}

tern_value tern_op_expand_as(tern_opcall *call) {
    tern_shape shape = tern_shape_of(tern_arg_tensor(call, 1));
    return tern_result(call, tern_expand(tern_arg_tensor(call, 0), shape));
}

tern_value tern_op_ravel(tern_opcall *call) {
    return tern_result(call, tern_reshape(tern_arg_tensor(call, 0), TERN_SHAPE(-1)));
}

tern_value tern_op_unflatten(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape sizes = tern_arg_ints(call, 2), shape = {0, {0}};
    int dim;
    if (sizes.rank < 0 ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    int64_t product = 1;
    int open = -1;
    bool fits = true;
    for (int i = 0; i < sizes.rank; i++) {
        if (sizes.dim[i] == -1)
            open = i;
        else
            product = tern_dim_mul(product, sizes.dim[i], &fits);
    }
    int64_t size = BODY(input)->rank ? BODY(input)->shape[dim] : 1;
    if (fits && open >= 0 && product > 0 && size % product == 0) {
        sizes.dim[open] = size / product;
        product = size;
    }
    char text[TERN_SHAPE_TEXT];
    if (!fits || product != size || sizes.rank == 0 ||
        BODY(input)->rank + sizes.rank - 1 > TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Provided sizes %s don't multiply up to the size of dim %d (%lld) in "
                              "the input tensor",
                              tern_shape_text(sizes.rank, sizes.dim, text), dim, (long long)size);
    for (int d = 0; d < dim; d++) shape.dim[shape.rank++] = BODY(input)->shape[d];
    for (int i = 0; i < sizes.rank; i++) shape.dim[shape.rank++] = sizes.dim[i];
    for (int d = dim + 1; d < BODY(input)->rank; d++)
        shape.dim[shape.rank++] = BODY(input)->shape[d];
    return tern_result(call, tern_view(input, shape));
}

/* ---- orders of dimensions ---- */

tern_value tern_op_movedim(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape from = tern_arg_ints(call, 1), to = tern_arg_ints(call, 2), order;
    if (from.rank < 0 || to.rank < 0) return tern_none();
    if (from.rank != to.rank)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Invalid source or destination dims: source (%d dims) should contain "
                              "the same number of dims as destination (%d dims)",
                              from.rank, to.rank);
    uint32_t taken = 0, placed = 0;
    order.rank = BODY(input)->rank;
    for (int i = 0; i < from.rank; i++) {
        int a, b;
        if (!tern_wrap_dim(call->ctx, BODY(input)->rank, from.dim[i], &a) ||
            !tern_wrap_dim(call->ctx, BODY(input)->rank, to.dim[i], &b))
            return tern_none();
        if (taken >> a & 1u || placed >> b & 1u)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "repeated dim in source or destination");
        taken |= 1u << a;
        placed |= 1u << b;
        order.dim[b] = a;
    }
    int next = 0;
    for (int d = 0; d < BODY(input)->rank; d++) {
        if (placed >> d & 1u) continue;
        while (taken >> next & 1u) next++;
        order.dim[d] = next++;
    }
    return tern_result(call, BODY(input)->rank ? tern_permute(input, order) : input);
}

static tern_value transpose_last(tern_opcall *call, const char *name) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (BODY(input)->rank < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "tensor.%s is only supported on matrices or batches of matrices. Got "
                              "%d-D tensor.",
                              name, BODY(input)->rank);
    return tern_result(call, tern_transpose(input, -2, -1));
}

tern_value tern_op_mT(tern_opcall *call) {
    return transpose_last(call, "mT");
}

/* Tensor.T of a matrix, Tensor.H of real ones. */
tern_value tern_op_T(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape order = {BODY(input)->rank, {0}};
    for (int d = 0; d < BODY(input)->rank; d++) order.dim[d] = BODY(input)->rank - 1 - d;
    return tern_result(call, tern_permute(input, order));
}

/* ---- flips and rolls ---- */

static tern_value flip_dims(tern_opcall *call, const tern_shape *dims) {
    return tern_result(call,
                       TERN_CALL(flip, ARG_TENSOR(tern_arg_tensor(call, 0)), ARG_SHAPE(*dims)));
}

tern_value tern_op_fliplr(tern_opcall *call) {
    if (BODY(tern_arg_tensor(call, 0))->rank < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Input must be >= 2-d.");
    return flip_dims(call, &TERN_SHAPE(1));
}

tern_value tern_op_flipud(tern_opcall *call) {
    if (BODY(tern_arg_tensor(call, 0))->rank < 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Input must be >= 1-d.");
    return flip_dims(call, &TERN_SHAPE(0));
}

/* Rolls one dimension by `shift` places. */
static tern_tensor *rolled(tern_tensor *input, int dim, int64_t shift) {
    int64_t size = BODY(input)->shape[dim];
    if (size == 0) return input;
    int64_t start = (size - shift % size) % size;
    if (start == 0) return input;
    tern_tensor *parts[2] = {tern_narrow(input, dim, start, size - start),
                             tern_narrow(input, dim, 0, start)};
    return tern_cat(parts, 2, dim);
}

tern_value tern_op_roll(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *out = input;
    tern_shape shifts = tern_arg_ints(call, 1), dims = tern_arg_ints(call, 2);
    if (shifts.rank <= 0) return tern_call_fail(call, TERN_ERR_ARGUMENT, "`shifts` required");
    if (dims.rank <= 0 && shifts.rank == 1) {
        if (BODY(input)->numel == 0) return tern_result(call, tern_clone(input));
        out = rolled(tern_reshape(input, TERN_SHAPE(-1)), 0, shifts.dim[0]);
        out = tern_reshape(out, tern_shape_of(input));
    } else if (dims.rank != shifts.rank) {
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "shifts and dimensions must align. shifts: %d, dims:%d", shifts.rank,
                              dims.rank < 0 ? 0 : dims.rank);
    } else {
        for (int i = 0; i < dims.rank && call->ctx->status == TERN_OK; i++) {
            int dim;
            if (!tern_wrap_dim(call->ctx, BODY(input)->rank, dims.dim[i], &dim)) return tern_none();
            if (BODY(input)->rank > 0) out = rolled(out, dim, shifts.dim[i]);
        }
    }
    bool shares = call->ctx->status == TERN_OK && BODY(out)->storage == BODY(input)->storage;
    return tern_result(call, shares ? tern_clone(out) : out);
}

tern_value tern_op_rot90(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t k = ((tern_arg_int(call, 1, 1) % 4) + 4) % 4;
    tern_shape dims = tern_arg_given(call, 2) ? tern_arg_ints(call, 2) : TERN_SHAPE(0, 1);
    int a, b;
    if (dims.rank != 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected total rotation dims == 2, but got dims = %d", dims.rank);
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, dims.dim[0], &a) ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, dims.dim[1], &b))
        return tern_none();
    if (a == b || BODY(input)->rank < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected two different rotation dims of a tensor of 2 or more "
                              "dimensions, but got %d and %d of %d",
                              a, b, BODY(input)->rank);
    if (k == 0) return tern_result(call, tern_clone(input));
    tern_shape both = TERN_SHAPE(a, b), one = TERN_SHAPE(k == 1 ? b : a);
    if (k == 2) return flip_dims(call, &both);
    tern_value flipped = flip_dims(call, &one);
    if (flipped.kind != TERN_VALUE_TENSOR) return flipped;
    return tern_result(call, tern_transpose(flipped.as.tensor, a, b));
}

/* ---- repeats ---- */

/*
 * Each dimension of size s becomes r copies of it: [1, s] is expanded to [r, s], then merged.
 */
static tern_value repeat_by(tern_opcall *call, tern_tensor *input, const tern_shape *repeats) {
    int lead = repeats->rank - BODY(input)->rank;
    tern_shape between = {0, {0}}, expanded = between, merged = {repeats->rank, {0}};
    char text[TERN_SHAPE_TEXT];
    for (int d = 0; d < repeats->rank; d++) {
        bool fits = repeats->dim[d] >= 0;
        int64_t size = d < lead ? 1 : BODY(input)->shape[d - lead];
        int64_t total = tern_dim_mul(size, repeats->dim[d], &fits);
        if (!fits)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "repeats %s are negative or too large",
                                  tern_shape_text(repeats->rank, repeats->dim, text));
        merged.dim[d] = total;
        bool copies = repeats->dim[d] != 1;
        if (between.rank + 1 + copies > TERN_MAX_RANK)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "too many repeated dimensions");
        if (copies) {
            between.dim[between.rank++] = 1;
            expanded.dim[expanded.rank++] = repeats->dim[d];
        }
        between.dim[between.rank++] = size;
        expanded.dim[expanded.rank++] = size;
    }
    tern_tensor *out = tern_clone(tern_expand(tern_reshape(input, between), expanded));
    return tern_result(call, tern_reshape(out, merged));
}

tern_value tern_op_repeat(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape repeats = tern_arg_ints(call, 1);
    if (repeats.rank < 0) return tern_none();
    if (repeats.rank < BODY(input)->rank)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Number of dimensions of repeat dims can not be smaller than number "
                              "of dimensions of tensor");
    return repeat_by(call, input, &repeats);
}

tern_value tern_op_tile(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape dims = tern_arg_ints(call, 1), repeats = {0, {0}};
    if (dims.rank < 0) return tern_none();
    for (int i = dims.rank; i < BODY(input)->rank; i++) repeats.dim[repeats.rank++] = 1;
    for (int i = 0; i < dims.rank; i++) repeats.dim[repeats.rank++] = dims.dim[i];
    return repeat_by(call, input, &repeats);
}

/* The index of repeat_interleave: position i repeats[i] times (repeats has one element: for all). */
static tern_tensor *interleave_index(tern_opcall *call, int64_t size, tern_tensor *repeats,
                                     int64_t same) {
    int64_t *counts = repeats ? tern_host_copy(call->ctx, repeats, TERN_INT64) : NULL;
    if (repeats && !counts) return call->ctx->nil;
    bool each = repeats && BODY(repeats)->numel != 1;
    if (repeats && !each) same = counts[0];
    bool valid = each ? BODY(repeats)->numel == size : same >= 0;
    int64_t total = each ? 0 : tern_dim_mul(size, same, &valid);
    for (int64_t i = 0; each && valid && i < size; i++) {
        valid = counts[i] >= 0;
        total = tern_dim_add(total, counts[i], &valid);
    }
    int64_t *index = valid ? tern_host_buffer(call->ctx, total, sizeof *index) : NULL;
    for (int64_t i = 0, at = 0; index && at < total; i++) {
        int64_t n = each ? counts[i] : same;
        for (int64_t k = 0; k < n; k++) index[at++] = i;
    }
    tern_host_give(call->ctx, counts);
    if (!valid) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "repeats must be non-negative and have the same size as input along dim "
                       "(%lld)",
                       (long long)size);
        return call->ctx->nil;
    }
    tern_shape shape = {1, {total}};
    tern_tensor *out =
        index ? tern_new_from_host(call->lane, index, TERN_INT64, &shape, NULL) : call->ctx->nil;
    tern_host_give(call->ctx, index);
    return out;
}

tern_value tern_op_repeat_interleave(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *repeats = tern_arg_tensor(call, 1);
    int dim = 0;
    if (!tern_arg_given(call, 2))
        input = tern_reshape(input, TERN_SHAPE(-1));
    else if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, 0), &dim))
        return tern_none();
    if (BODY(input)->rank == 0) input = tern_reshape(input, TERN_SHAPE(1));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *index =
        interleave_index(call, BODY(input)->shape[dim], repeats, tern_arg_int(call, 1, 1));
    return tern_result(call, tern_index_select(input, dim, index));
}

/* ---- unfold: windows as a view ---- */

tern_value tern_op_unfold(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t size = tern_arg_int(call, 2, 1), step = tern_arg_int(call, 3, 1);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    int64_t length = BODY(input)->rank ? BODY(input)->shape[dim] : 1;
    if (size < 0 || size > length || step <= 0 || BODY(input)->rank == TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "maximum size for tensor at dimension %d is %lld but size is %lld, "
                              "step is %lld",
                              dim, (long long)length, (long long)size, (long long)step);
    tern_shape shape = tern_shape_of(input), strides = shape;
    for (int d = 0; d < BODY(input)->rank; d++) strides.dim[d] = BODY(input)->strides[d];
    int64_t stride = BODY(input)->rank ? BODY(input)->strides[dim] : 1;
    shape.dim[shape.rank++] = size;
    strides.dim[strides.rank++] = stride;
    if (BODY(input)->rank) {
        shape.dim[dim] = (length - size) / step + 1;
        if (shape.dim[dim] > 1) strides.dim[dim] = step * stride;
    }
    return tern_result(
        call, tern_tensor_view(input, shape.rank, shape.dim, strides.dim, BODY(input)->offset));
}

/* Every window's gradient is added where the window lies. */
void tern_grad_unfold(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    tern_shape shape = tern_node_input_shape(node, 0);
    int dim;
    if (!tern_wrap_dim(ctx, shape.rank, tern_value_as_int(tern_node_arg(node, 1)), &dim)) return;
    int64_t size = tern_value_as_int(tern_node_arg(node, 2));
    tern_value step = tern_node_arg(node, 3);
    if (shape.rank == 0) {
        grads[0] = tern_reshape(grad_out[0], shape);
        return;
    }
    int64_t windows = BODY(grad_out[0])->shape[dim];
    /* index[w, i] = w * step + i, where the gradient is laid out [.., w, i, ..] */
    tern_tensor *starts = TERN_CALL(mul, ARG_TENSOR(tern_arange_i64(ctx, windows)), step);
    tern_tensor *index = tern_add(tern_unsqueeze(starts, 1), tern_arange_i64(ctx, size));
    index = tern_to_device(tern_reshape(index, TERN_SHAPE(-1)), tern_device_of(grad_out[0]));
    tern_tensor *grad = TERN_CALL(movedim, ARG_TENSOR(grad_out[0]), ARG_INT(-1), ARG_INT(dim + 1));
    grad = tern_flatten(grad, dim, dim + 1);
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(shape));
    grads[0] =
        TERN_CALL(index_add, ARG_TENSOR(zeros), ARG_INT(dim), ARG_TENSOR(index), ARG_TENSOR(grad));
}
