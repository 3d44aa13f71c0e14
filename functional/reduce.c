/* reduce.c: reductions composed of the core's: var_mean, std_mean, count_nonzero, nanmean, aminmax. */
#include "core/ops/compose.h"
#include "functional.h"

/* (var or std, mean) from the same arguments. */
static tern_value with_mean(tern_opcall *call, const tern_op *op) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_tensor *both[2];
    both[0] = tern_op_tensor(call->ctx, op, call->args, call->n_args);
    both[1] = TERN_CALL(mean, ARG_TENSOR(input), tern_arg(call, 1),
                        ARG_BOOL(tern_arg_bool(call, 4, false)));
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

tern_value tern_op_var_mean(tern_opcall *call) {
    return with_mean(call, TERN_ROW(var));
}
tern_value tern_op_std_mean(tern_opcall *call) {
    return with_mean(call, TERN_ROW(std));
}

tern_value tern_op_count_nonzero(tern_opcall *call) {
    tern_tensor *there = TERN_CALL(ne, ARG_TENSOR(tern_arg_tensor(call, 0)), ARG_INT(0));
    return tern_result(call, TERN_CALL(sum, ARG_TENSOR(there), tern_arg(call, 1)));
}

tern_value tern_op_nanmean(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (!tern_dtype_is_floating(BODY(input)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected input to have floating point or complex dtype but got %s",
                              tern_dtype_class(BODY(input)->dtype));
    tern_value dims = tern_arg(call, 1), keepdim = ARG_BOOL(tern_arg_bool(call, 2, false));
    tern_tensor *nan = tern_isnan(input);
    tern_tensor *count = TERN_CALL(sum, ARG_TENSOR(tern_logical_not(nan)), dims, keepdim);
    tern_tensor *wide = tern_to_dtype(input, tern_wide_dtype(BODY(input)->dtype));
    tern_tensor *mean = tern_div(TERN_CALL(nansum, ARG_TENSOR(wide), dims, keepdim), count);
    return tern_result(call, tern_to_dtype(mean, tern_arg_dtype(call, 3, BODY(input)->dtype)));
}

tern_value tern_op_aminmax(tern_opcall *call) {
    tern_value input = tern_arg(call, 0), dim = tern_arg(call, 1);
    tern_value keepdim = ARG_BOOL(tern_arg_bool(call, 2, false));
    tern_tensor *both[2] = {TERN_CALL(amin, input, dim, keepdim),
                            TERN_CALL(amax, input, dim, keepdim)};
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}
