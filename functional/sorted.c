/* sorted.c: what is read off a sorted dimension: argsort, msort, topk, kthvalue, median, nanmedian. */
#include <math.h>

#include "core/ops/layout.h"
#include "functional.h"

/* One of sort's two results. */
static tern_tensor *sorted(tern_opcall *call, tern_tensor *input, int dim, bool descending,
                           tern_tensor **out_indices) {
    tern_value both = TERN_CALL_VALUE(sort, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(descending));
    if (call->ctx->status != TERN_OK) {
        if (out_indices) *out_indices = call->ctx->nil;
        return call->ctx->nil;
    }
    if (out_indices) *out_indices = tern_value_at(both, 1).as.tensor;
    return tern_value_at(both, 0).as.tensor;
}

tern_value tern_op_argsort(tern_opcall *call) {
    tern_tensor *indices;
    sorted(call, tern_arg_tensor(call, 0), (int)tern_arg_int(call, 1, -1),
           tern_arg_bool(call, 2, false), &indices);
    return tern_result(call, indices);
}

tern_value tern_op_msort(tern_opcall *call) {
    return tern_result(call, sorted(call, tern_arg_tensor(call, 0), 0, false, NULL));
}

/* ---- topk, kthvalue, median ---- */

/* `length` of both results of a sort, from `start` on, packed. */
static tern_value part_of_sorted(tern_opcall *call, int dim, bool descending, int64_t start,
                                 int64_t length, bool drop_dim) {
    tern_tensor *input = tern_arg_tensor(call, 0), *both[2];
    both[0] = sorted(call, input, dim, descending, &both[1]);
    for (int i = 0; i < 2 && BODY(input)->rank > 0; i++) {
        both[i] = tern_narrow(both[i], dim, start, length);
        if (drop_dim) both[i] = tern_squeeze(both[i], dim);
        both[i] = tern_contiguous(both[i]);
    }
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

tern_value tern_op_topk(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t k = tern_arg_int(call, 1, 0);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, -1), &dim))
        return tern_none();
    if (k < 0 || k > (BODY(input)->rank ? BODY(input)->shape[dim] : 1))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "selected index k out of range: %lld of %lld", (long long)k,
                              (long long)(BODY(input)->rank ? BODY(input)->shape[dim] : 1));
    return part_of_sorted(call, dim, tern_arg_bool(call, 3, true), 0, k, false);
}

tern_value tern_op_kthvalue(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t k = tern_arg_int(call, 1, 1);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 2, -1), &dim))
        return tern_none();
    if (k < 1 || k > (BODY(input)->rank ? BODY(input)->shape[dim] : 1))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "selected number k out of range for dimension %d: %lld", dim,
                              (long long)k);
    return part_of_sorted(call, dim, false, k - 1, 1, !tern_arg_bool(call, 3, false));
}

/* How many of a slice count, by position: all, or those that are not NaN. */
static tern_value median_along(tern_opcall *call, tern_tensor *input, int dim, bool keepdim,
                               bool skip_nan) {
    tern_tensor *both[2];
    both[0] = sorted(call, input, dim, false, &both[1]);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(input)->rank == 0) return tern_tensors_value(call->ctx, both, 2);
    tern_shape dims = TERN_SHAPE(dim);
    tern_tensor *at; /* the position to take, of size 1 along dim */
    tern_tensor *nan = tern_dtype_is_floating(BODY(input)->dtype)
                           ? tern_sum_dims(tern_isnan(both[0]), dims, true)
                           : NULL;
    int64_t n = BODY(input)->shape[dim];
    if (!nan) {
        tern_shape shape = tern_shape_of(input);
        shape.dim[dim] = 1;
        at = TERN_CALL(new_full, ARG_TENSOR(both[1]), ARG_SHAPE(shape), ARG_INT((n - 1) / 2));
    } else {
        /* (n - nan - 1) / 2, or the last where a NaN counts; at least 0 */
        tern_tensor *numbers = TERN_CALL(rsub, ARG_TENSOR(nan), ARG_INT(n - 1));
        tern_tensor *middle =
            TERN_CALL(clamp, ARG_TENSOR(TERN_CALL(floor_divide, ARG_TENSOR(numbers), ARG_INT(2))),
                      ARG_INT(0));
        tern_tensor *last =
            TERN_CALL(new_full, ARG_TENSOR(nan), ARG_SHAPE(TERN_SCALAR_SHAPE), ARG_INT(n - 1));
        at = skip_nan ? middle
                      : tern_where(TERN_CALL(gt, ARG_TENSOR(nan), ARG_INT(0)), last, middle);
    }
    for (int i = 0; i < 2; i++) {
        both[i] = tern_gather(both[i], dim, at);
        if (!keepdim) both[i] = tern_squeeze(both[i], dim);
    }
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

static tern_value median_of(tern_opcall *call, bool skip_nan) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int dim;
    if (tern_arg_given(call, 1)) {
        if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, -1), &dim))
            return tern_none();
        return median_along(call, input, dim, tern_arg_bool(call, 2, false), skip_nan);
    }
    if (BODY(input)->numel == 0)
        return tern_result(call, TERN_CALL(new_full, ARG_TENSOR(input),
                                           ARG_SHAPE(TERN_SCALAR_SHAPE), ARG_FLOAT(NAN)));
    tern_value both = median_along(call, tern_reshape(input, TERN_SHAPE(-1)), 0, false, skip_nan);
    return call->ctx->status == TERN_OK ? tern_value_at(both, 0) : tern_none();
}

tern_value tern_op_median(tern_opcall *call) {
    return median_of(call, false);
}
tern_value tern_op_nanmedian(tern_opcall *call) {
    return median_of(call, true);
}
