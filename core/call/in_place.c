/* in_place.c: a call whose result goes into its first tensor. */
#include <string.h>

#include "core/autograd/graph.h"
#include "operands.h"

static int category(tern_dtype dtype) {
    if (tern_is_continuous(dtype)) return tern_is_complex(dtype) ? 3 : 2;
    return dtype == TERN_BOOL ? 0 : 1;
}

static bool may_write(const tern_opcall *call, tern_tensor *target) {
    tern_ctx *ctx = call->ctx;
    char name[64];
    const char *op = tern_op_name(call->op, name);
    if (BODY(target)->flags & TERN_T_INFERENCE && !ctx->inference) {
        tern_fail(
            ctx, TERN_ERR_STATE,
            "%s_: Inplace update to inference tensor outside InferenceMode is not allowed. You "
            "can make a clone to get a normal tensor before doing inplace update.",
            op);
        return false;
    }
    if (tern_has_overlap(target)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s_: %s", op, tern_overlap_refusal);
        return false;
    }
    if (!ctx->grad_enabled) return true;
    if (BODY(target)->flags & TERN_T_REQUIRES_GRAD && tern_is_leaf(target)) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "%s_: a leaf Variable that requires grad is being used in an in-place operation: "
                  "change it in a scope opened with TERN_NO_GRAD",
                  op);
        return false;
    }
    if (BODY(target)->flags & TERN_T_VIEW && BODY(target)->edge.node &&
        !BODY(BODY(target)->alias->base)->edge.node &&
        BODY(target)->generation == BODY(target)->alias->generation) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "%s_: a view of a leaf Variable that requires grad is being used in an in-place "
                  "operation: change it in a scope opened with TERN_NO_GRAD",
                  op);
        return false;
    }
    return true;
}

/* The result's shape must be the target's, and its dtype's category no higher. */
static bool fits(const tern_opcall *call, const tern_tensor *target, const tern_tensor *result) {
    char name[64], want[TERN_SHAPE_TEXT], got[TERN_SHAPE_TEXT];
    if (!tern_same_shape(target, result)) {
        tern_fail(call->ctx, TERN_ERR_ARGUMENT,
                  "%s_: output with shape %s doesn't match the broadcast shape %s",
                  tern_op_name(call->op, name),
                  tern_shape_text(BODY(target)->rank, BODY(target)->shape, want),
                  tern_shape_text(BODY(result)->rank, BODY(result)->shape, got));
        return false;
    }
    if (category(BODY(result)->dtype) > category(BODY(target)->dtype)) {
        tern_fail(call->ctx, TERN_ERR_ARGUMENT,
                  "%s_: result type %s can't be cast to the desired output type %s",
                  tern_op_name(call->op, name), tern_dtype_class(BODY(result)->dtype),
                  tern_dtype_class(BODY(target)->dtype));
        return false;
    }
    return true;
}

static void write_back(tern_opcall *call, tern_tensor *target, tern_tensor *result) {
    if (!fits(call, target, result)) return;
    bool direct = BODY(result)->storage == BODY(target)->storage &&
                  BODY(result)->offset == BODY(target)->offset;
    if (!direct) tern_copy_raw(target, result);
    if (!(BODY(target)->flags & TERN_T_INFERENCE))
        tern_storage_raise_version(BODY(target)->storage);
}

/* A graph in an older tensor would outlive its scope. */
static bool outlives(const tern_opcall *call, const tern_tensor *target) {
    if (BODY(target)->frame->serial >= tern_graph_frame(call->ctx)->serial) return false;
    char name[64];
    tern_fail(
        call->ctx, TERN_ERR_STATE,
        "%s_: writing a value with a history into a tensor of an outer scope: the graph would "
        "outlive its scope; write tern_detach(value)",
        tern_op_name(call->op, name));
    return true;
}

/* Where the gradient formula reads the target's old value, the node saves a copy of it. */
static void keep_original(const tern_opcall *call, tern_tensor *target, tern_operands *tensors) {
    if (!(call->op->saves & TERN_SAVE_INPUT(0))) return;
    bool read = tensors->count == 1;
    for (int k = 1; k < tensors->count; k++) read = read || tern_needs_grad(tensors->all[k]);
    if (!read) return;
    tern_edge edge = tern_edge_of(target);
    tern_tensor *original = tern_tensor_new(BODY(target)->lane, BODY(target)->dtype,
                                            BODY(target)->rank, BODY(target)->shape);
    tern_copy_raw(original, target);
    if (tern_is_nil(original)) return;
    BODY(original)->edge = edge;
    tensors->all[0] = original;
}

static void run_in_place(tern_opcall *call, tern_tensor *target, tern_operands *tensors) {
    tern_ctx *ctx = call->ctx;
    bool recording = tern_call_records(call, tensors);
    if (recording && outlives(call, target)) return;
    bool retains = recording && tern_retained_leave(target);
    tern_frame frame;
    tern_frame_open(ctx, &frame);
    if (recording) keep_original(call, target, tensors);
    call->out = call->op->kind == TERN_OP_PRIMITIVE ? target : NULL;
    tern_value result = tern_run_silently(call);
    tern_tensor *written = result.kind == TERN_VALUE_TENSOR ? result.as.tensor : NULL;
    if (ctx->status == TERN_OK && !written)
        tern_call_fail(call, TERN_ERR_UNSUPPORTED, "has no in-place form");
    if (ctx->status == TERN_OK && recording && call->op->saves & TERN_SAVE_OUTPUTS) {
        /* The saved output must be the target itself, at its new version. */
        write_back(call, target, written);
        written = tern_detach(target);
    } else if (ctx->status == TERN_OK) {
        if (recording) {
            tern_value mine = tern_tensor_value(written);
            tern_call_record(call, tensors, mine);
        }
        write_back(call, target, written);
    }
    if (ctx->status == TERN_OK && recording) {
        if (call->op->saves & TERN_SAVE_OUTPUTS)
            tern_call_record(call, tensors, tern_tensor_value(written));
        if (ctx->status == TERN_OK) tern_rebase_history(target, written);
    }
    if (retains) tern_retained_join(target);
    tern_frame_close(&frame);
}

/* A complex call by its rule. Its parts keep what they read: where they are recorded, they read a copy of the
 * target. */
static tern_tensor *by_rule(const tern_opcall *call, const tern_operands *tensors) {
    tern_ctx *ctx = call->ctx;
    tern_value own[TERN_MAX_ARGS];
    if (!ctx->grad_enabled || !tern_operands_need_grad(tensors) || call->n_args > TERN_MAX_ARGS)
        return tern_op_tensor(ctx, call->op, call->args, call->n_args);
    own[0] = ARG_TENSOR(tern_clone(call->args[0].as.tensor));
    for (int i = 1; i < call->n_args; i++) own[i] = call->args[i];
    return tern_op_tensor(ctx, call->op, own, call->n_args);
}

tern_tensor *tern_op_call_in_place(const tern_op *op, const tern_value *args, int n_args) {
    tern_tensor *target = args[0].as.tensor;
    tern_ctx *ctx = tern_first_context(args, n_args);
    if (!ctx || ctx->status != TERN_OK) return tern_nil(ctx);
    tern_opcall call = {ctx, op, NULL, args, n_args, NULL};
    char name[64];
    if (args[0].kind != TERN_VALUE_TENSOR || !tern_usable(target, tern_op_name(op, name))) {
        if (ctx->status == TERN_OK)
            tern_call_fail(&call, TERN_ERR_ARGUMENT, "expected a tensor to write to, got none");
        return ctx->nil;
    }
    tern_operands tensors;
    if (!tern_operands_take(&call, &tensors) || !may_write(&call, target)) return ctx->nil;
    bool has_rule = tensors.complex && !(op->saves & TERN_TAKES_COMPLEX);
    if (call.op->kind == TERN_OP_THROUGH || call.op->kind == TERN_OP_VIEW ||
        call.op->kind == TERN_OP_PART || has_rule) {
        /* Recorded through its parts; the copy into the target is the in-place step. */
        tern_tensor *value =
            has_rule ? by_rule(&call, &tensors) : tern_op_tensor(ctx, op, args, n_args);
        if (tern_is_nil(value) && ctx->status == TERN_OK)
            tern_call_fail(&call, TERN_ERR_UNSUPPORTED, "has no in-place form");
        return tern_is_nil(value) || !fits(&call, target, value)
                   ? ctx->nil
                   : tern_copy_in_place(target, value);
    }
    run_in_place(&call, target, &tensors);
    return ctx->status == TERN_OK ? target : ctx->nil;
}
