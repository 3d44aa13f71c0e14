/*
 * op_call.c: what all operations share.
 *
 * A call checks that its tensors are alive and belong together, runs the implementation with
 * recording off (a THROUGH operation records its parts instead), and records one node when
 * gradients are wanted. An in-place call runs the same implementation and puts the result into its
 * first tensor.
 */
#include "op.h"

#include "core/autograd/graph.h"
#include "core/context/entered.h"
#include "core/ops/complex.h"
#include "operands.h"

/* The implementation of one that records nothing inside, with the mode restored after it. */
tern_value tern_run_silently(tern_opcall *call) {
    tern_ctx *ctx = call->ctx;
    bool grad_enabled = ctx->grad_enabled;
    ctx->grad_enabled = false;
    tern_value result;
    if (call->op->kind == TERN_OP_COMPOSITE || call->op->kind == TERN_OP_HOST) {
        tern_frame frame;
        ctx->stats.host_operations += call->op->kind == TERN_OP_HOST;
        tern_frame_open(ctx, &frame);
        result = tern_frame_return(&frame, call->op->impl(call));
    } else {
        result = call->op->impl(call);
    }
    ctx->grad_enabled = grad_enabled;
    return ctx->status == TERN_OK ? result : tern_none();
}

static tern_value run(tern_opcall *call) {
    if (call->op->kind != TERN_OP_THROUGH) return tern_run_silently(call);
    tern_frame frame;
    tern_frame_open(call->ctx, &frame);
    tern_value result = tern_frame_return(&frame, call->op->impl(call));
    return call->ctx->status == TERN_OK ? result : tern_none();
}

/* Whether a node that leads to these is of use: nothing flows back through integers. */
static bool any_floats(tern_tensor *const *outputs, int count) {
    for (int k = 0; k < count; k++)
        if (tern_is_continuous(BODY(outputs[k])->dtype)) return true;
    return false;
}

void tern_call_record(const tern_opcall *call, const tern_operands *inputs, tern_value result) {
    tern_operands several;
    tern_tensor *const *outputs = &result.as.tensor;
    int count = 1;
    if (result.kind != TERN_VALUE_TENSOR) {
        if (!tern_operands_collect(call->ctx, &result, 1, &several)) return;
        outputs = several.all;
        count = several.count;
    }
    if (any_floats(outputs, count))
        tern_node_record(call->op, call->args, call->n_args, inputs->all, inputs->count, outputs,
                         count);
}

tern_value tern_op_call(tern_ctx *ctx, const tern_op *op, const tern_value *args, int n_args) {
    if (!ctx) ctx = tern_first_context(args, n_args);
    TERN_ENTER(ctx, op->schema, return tern_none());
    if (!ctx || ctx->status != TERN_OK) return tern_none();
    tern_opcall call = {ctx, op, NULL, args, n_args, NULL};
    tern_operands tensors;
    if (!tern_operands_take(&call, &tensors)) return tern_none();
    if (tensors.complex && !(op->saves & TERN_TAKES_COMPLEX)) return tern_complex_call(&call);
    bool recording = tern_call_records(&call, &tensors);
    tern_value result = run(&call);
    if (recording && ctx->status == TERN_OK) tern_call_record(&call, &tensors, result);
    return ctx->status == TERN_OK ? result : tern_none();
}

bool tern_call_is_recorded(const tern_opcall *call) {
    tern_operands tensors;
    return call->ctx->grad_enabled &&
           tern_operands_collect(call->ctx, call->args, call->n_args, &tensors) &&
           tern_operands_need_grad(&tensors);
}

tern_tensor *tern_op_tensor(tern_ctx *ctx, const tern_op *op, const tern_value *args, int n_args) {
    tern_value result = tern_op_call(ctx, op, args, n_args);
    if (result.kind == TERN_VALUE_TENSOR) return result.as.tensor;
    return tern_nil(ctx ? ctx : tern_first_context(args, n_args));
}
