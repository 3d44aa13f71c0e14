/* results.c: values with tensors in them, as operations return them. */
#include "op.h"

tern_value tern_tensors_value(tern_ctx *ctx, tern_tensor *const *tensors, int count) {
    tern_value tuple = tern_tuple_new(ctx);
    for (int i = 0; i < count && ctx->status == TERN_OK; i++)
        tern_list_append(tuple, tern_tensor_value(tensors[i]));
    return ctx->status == TERN_OK ? tuple : tern_none();
}

/* The value for the frame around `frame`: its tensors are moved, lists and tuples (of which a result
 * nests few) made anew, because they live in the frame that ends. */
#define RESULT_DEPTH 16
static tern_value handed_out(tern_frame *frame, tern_value value, int depth) {
    tern_ctx *ctx = frame->ctx;
    bool sequence = value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE;
    if (value.kind == TERN_VALUE_TENSOR)
        return tern_tensor_value(tern_scope_hand_out(frame, value.as.tensor));
    if (!sequence) return value;
    if (depth == RESULT_DEPTH) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "a result nests lists deeper than %d", RESULT_DEPTH);
        return tern_none();
    }
    tern_value copy = value.kind == TERN_VALUE_TUPLE ? tern_tuple_new(ctx) : tern_list_new(ctx);
    for (size_t i = 0; i < tern_value_count(value); i++)
        tern_list_append(copy, handed_out(frame, tern_value_at(value, i), depth + 1));
    return copy;
}

tern_value tern_frame_return(tern_frame *frame, tern_value result) {
    tern_ctx *ctx = frame->ctx;
    tern_frame *top = ctx->top;
    ctx->top = frame->parent;
    tern_value out = handed_out(frame, result, 0);
    ctx->top = top;
    tern_frame_close(frame);
    return ctx->status == TERN_OK || result.kind == TERN_VALUE_TENSOR ? out : tern_none();
}

tern_value tern_scope_return_value(tern_scope scope, tern_value result) {
    tern_frame *frame = tern_scope_frame(scope);
    return frame ? tern_frame_return(frame, result) : result;
}
