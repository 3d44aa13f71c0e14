/* typed.c: the values of a call that need memory. */
#include "typed.h"

tern_tensor *tern_first_of(tern_tensor *input, tern_value pair, tern_tensor **out_second) {
    tern_value first = tern_value_at(pair, 0), second = tern_value_at(pair, 1);
    tern_tensor *nil = tern_nil(tern_context_of(input));
    if (out_second) *out_second = second.kind == TERN_VALUE_TENSOR ? second.as.tensor : nil;
    return first.kind == TERN_VALUE_TENSOR ? first.as.tensor : nil;
}

tern_ctx *tern_list_argument(tern_tensor *const *tensors, int count, tern_value *out_list) {
    tern_ctx *ctx = tern_no_context();
    for (int i = 0; tensors && i < count && ctx->is_static; i++) ctx = tern_context_of(tensors[i]);
    *out_list = ctx->is_static ? tern_none() : tern_list_in(ctx, tensors, count);
    return ctx;
}

static bool is_array(tern_ctx *ctx, const void *array, int count) {
    if (array || count == 0) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "an array of %d is NULL", count);
    return false;
}

tern_value tern_list_in(tern_ctx *ctx, tern_tensor *const *tensors, int count) {
    if (!is_array(ctx, tensors, count)) return tern_none();
    tern_value list = tern_list_new(ctx);
    for (int i = 0; i < count; i++) tern_list_append(list, ARG_TENSOR(tensors[i]));
    return list;
}

tern_value tern_floats_argument(tern_ctx *ctx, const double *numbers, int count) {
    if (!is_array(ctx, numbers, count)) return tern_none();
    tern_value list = tern_list_new(ctx);
    for (int i = 0; i < count; i++) tern_list_append(list, ARG_FLOAT(numbers[i]));
    return list;
}
