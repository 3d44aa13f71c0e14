/* take.c: what gathers or scatters over a flattened tensor: take, put, take_along_dim; one_hot. */
#include "core/ops/layout.h"
#include "functional.h"

/* ---- take, put: over the flattened tensor ---- */

/* Positions from the end become positions from the start. */
static tern_tensor *positive(tern_tensor *index, int64_t size) {
    tern_tensor *shifted = TERN_CALL(add, ARG_TENSOR(index), ARG_INT(size));
    return tern_where(TERN_CALL(lt, ARG_TENSOR(index), ARG_INT(0)), shifted, index);
}

tern_value tern_op_take(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 1);
    tern_tensor *flat = tern_reshape(positive(index, BODY(input)->numel), TERN_SHAPE(-1));
    tern_tensor *out = tern_index_select(tern_reshape(input, TERN_SHAPE(-1)), 0, flat);
    return tern_result(call, tern_reshape(out, tern_shape_of(index)));
}

tern_value tern_op_put(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 1);
    tern_tensor *source = tern_arg_tensor(call, 2);
    if (BODY(index)->numel != BODY(source)->numel || BODY(source)->dtype != BODY(input)->dtype)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "source should have input's dtype and the same number of elements as "
                              "index (%lld), but has %lld of %s",
                              (long long)BODY(index)->numel, (long long)BODY(source)->numel,
                              tern_dtype_name(BODY(source)->dtype));
    tern_shape shape = tern_shape_of(input);
    tern_tensor *at = tern_reshape(positive(index, BODY(input)->numel), TERN_SHAPE(-1));
    tern_tensor *from = tern_reshape(source, TERN_SHAPE(-1));
    tern_tensor *flat = tern_reshape(input, TERN_SHAPE(-1));
    tern_tensor *out = tern_arg_bool(call, 3, false) ? tern_scatter_add(flat, 0, at, from)
                                                     : tern_scatter(flat, 0, at, from);
    return tern_result(call, tern_reshape(out, shape));
}

tern_value tern_op_take_along_dim(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 1);
    int dim = 0;
    if (!tern_arg_given(call, 2)) {
        input = tern_reshape(input, TERN_SHAPE(-1));
        index = tern_reshape(positive(index, BODY(input)->numel), TERN_SHAPE(-1));
        return tern_result(call, tern_gather(input, 0, index));
    }
    if (BODY(input)->rank != BODY(index)->rank)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "input and indices should have the same number of dimensions, but got "
            "%d dimensions for input, and %d dimensions for indices",
            BODY(input)->rank, BODY(index)->rank);
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, 0), &dim))
        return tern_none();
    index = positive(index, BODY(input)->rank ? BODY(input)->shape[dim] : 1);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_shape from = tern_shape_of(input), at = tern_shape_of(index);
    for (int d = 0; d < BODY(input)->rank; d++) {
        if (d == dim) continue;
        int64_t size = from.dim[d] == 1 ? at.dim[d] : from.dim[d];
        from.dim[d] = at.dim[d] = size;
    }
    return tern_result(call, tern_gather(tern_expand(input, from), dim, tern_expand(index, at)));
}

/* ---- one_hot ---- */

tern_value tern_op_one_hot(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t classes = tern_arg_int(call, 1, -1);
    if (BODY(input)->dtype != TERN_INT64)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "one_hot is only applicable to index tensor of type int64, got %s",
                              tern_dtype_name(BODY(input)->dtype));
    if (BODY(input)->rank == TERN_MAX_RANK ||
        (classes <= 0 && (classes != -1 || BODY(input)->numel == 0)))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "num_classes=%lld: give a positive number of classes",
                              (long long)classes);
    if (BODY(input)->numel > 0) {
        if (tern_item_i64(tern_min(input)) < 0)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "Class values must be non-negative.");
        int64_t largest = tern_item_i64(tern_max(input));
        bool fits = true;
        if (classes == -1) classes = tern_dim_add(largest, 1, &fits);
        if (!fits)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "a class value of %lld has no size",
                                  (long long)largest);
        if (largest >= classes)
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "Class values must be smaller than num_classes.");
    }
    tern_shape shape = tern_shape_of(input);
    shape.dim[shape.rank++] = classes;
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(input), ARG_SHAPE(shape));
    return tern_result(call, TERN_CALL(scatter_value, ARG_TENSOR(zeros), ARG_INT(-1),
                                       ARG_TENSOR(tern_unsqueeze(input, -1)), ARG_INT(1)));
}
