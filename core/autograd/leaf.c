/* leaf.c: requires_grad, .grad, detach: what a program asks of one tensor's gradient. */
#include <stdio.h>

#include "core/call/op.h"
#include "core/call/recorder.h"
#include "graph.h"

tern_tensor *tern_requires_grad(tern_tensor *tensor, bool requires_grad) {
    tern_ctx *ctx = tern_context_of(tensor);
    if (!tern_usable(tensor, "requires_grad")) return ctx->nil;
    if (requires_grad && !tern_is_continuous(BODY(tensor)->dtype)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "only Tensors of floating point and complex dtype can require gradients, not %s",
                  tern_dtype_name(BODY(tensor)->dtype));
        return ctx->nil;
    }
    if (!tern_is_leaf(tensor)) {
        if (requires_grad) return tensor;
        tern_fail(ctx, TERN_ERR_STATE,
                  "you can only change requires_grad flags of leaf variables. If you want to use a "
                  "computed variable in a subgraph that doesn't require differentiation use "
                  "tern_detach(tensor).");
        return ctx->nil;
    }
    if (requires_grad && BODY(tensor)->flags & TERN_T_INFERENCE && !ctx->inference) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                  "allowed.");
        return ctx->nil;
    }
    BODY(tensor)->flags &= ~(uint32_t)TERN_T_REQUIRES_GRAD;
    if (requires_grad) BODY(tensor)->flags |= TERN_T_REQUIRES_GRAD;
    return tensor;
}

bool tern_has_grad_required(const tern_tensor *tensor) {
    return tern_looks_live(tensor, "has_grad_required") && tern_needs_grad(tensor);
}

bool tern_is_inference(const tern_tensor *tensor) {
    return tern_looks_live(tensor, "is_inference") && BODY(tensor)->flags & TERN_T_INFERENCE;
}

tern_tensor *tern_grad_of(const tern_tensor *tensor) {
    if (tensor && !tern_is_live(tensor)) tern_fail_stale(tensor, "grad_of");
    bool set = tern_is_live(tensor) && BODY(tensor)->flags & TERN_T_GRAD_SET;
    return set ? BODY(tensor)->grad : NULL;
}

void tern_grad_adopt(tern_tensor *leaf, tern_tensor *grad) {
    tern_tensor_unlink(grad);
    BODY(grad)->flags |= TERN_T_OWNED;
    BODY(grad)->frame = BODY(leaf)->frame;
    BODY(leaf)->grad = grad;
}

/* The handle of .grad in the leaf's frame, over the value's storage. */
static tern_status assign_grad(tern_tensor *leaf, tern_tensor *value) {
    if (!BODY(leaf)->grad) {
        BODY(leaf)->grad = tern_detach(value);
        if (tern_is_nil(BODY(leaf)->grad)) {
            BODY(leaf)->grad = NULL;
            return BODY(leaf)->ctx->status;
        }
        BODY(BODY(leaf)->grad)->flags &= ~(uint32_t)TERN_T_INFERENCE;
        tern_grad_adopt(leaf, BODY(leaf)->grad);
    } else if (tern_tensor_assign(BODY(leaf)->grad, value) != TERN_OK) {
        return BODY(leaf)->ctx->status;
    }
    BODY(BODY(leaf)->grad)->flags &= ~(uint32_t)TERN_T_DROPPED;
    BODY(leaf)->flags |= TERN_T_GRAD_SET;
    tern_recorder *recorder = BODY(leaf)->ctx->recorder;
    if (recorder) recorder->graded(recorder, leaf, true);
    return TERN_OK;
}

tern_status tern_grad_take(tern_tensor *leaf, tern_tensor *value) {
    return assign_grad(leaf, value);
}

void tern_set_or_add_grad(tern_tensor *leaf, tern_tensor *grad) {
    if (BODY(leaf)->flags & TERN_T_GRAD_SET) {
        tern_scope scope = tern_scope_begin(BODY(leaf)->ctx, TERN_NO_GRAD);
        tern_add_in_place(BODY(leaf)->grad, grad);
        tern_scope_end(scope);
        return;
    }
    /* The gradient's storage is taken over where nobody else has it, else copied. */
    bool sole = tern_owns_storage(grad);
    tern_tensor *value = grad;
    if (!sole) {
        value = tern_tensor_new(BODY(grad)->lane, BODY(grad)->dtype, BODY(grad)->rank,
                                BODY(grad)->shape);
        if (!tern_is_nil(value)) tern_copy_raw(value, grad);
    }
    if (!tern_is_nil(value)) assign_grad(leaf, value);
    if (!sole) tern_tensor_release(value);
}

tern_status tern_set_grad(tern_tensor *tensor, tern_tensor *grad) {
    if (!tensor && grad)
        return tern_fail(tern_context_of(grad), TERN_ERR_ARGUMENT,
                         "tern_set_grad: the tensor is NULL");
    if (!tern_usable(tensor, "set_grad")) return tern_unusable(tensor);
    if (grad && !tern_usable(grad, "set_grad")) return tern_unusable(grad);
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (grad && BODY(grad)->ctx != ctx)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_set_grad: the gradient belongs to another context");
    if (grad && (!tern_same_shape(tensor, grad) || BODY(tensor)->dtype != BODY(grad)->dtype ||
                 BODY(tensor)->lane != BODY(grad)->lane))
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "tern_set_grad: the gradient must have the tensor's shape, dtype and device");
    BODY(tensor)->flags &= ~(uint32_t)TERN_T_GRAD_SET;
    if (ctx->recorder) ctx->recorder->graded(ctx->recorder, tensor, false);
    if (BODY(tensor)->grad) {
        tern_drop(BODY(tensor)->grad); /* the handle stays, its storage goes back */
    }
    if (grad) tern_set_or_add_grad(tensor, grad);
    return ctx->status;
}

tern_status tern_retain_grad(tern_tensor *tensor) {
    if (!tern_usable(tensor, "retain_grad")) return tern_unusable(tensor);
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (!tern_needs_grad(tensor))
        return tern_fail(ctx, TERN_ERR_STATE,
                         "can't retain_grad on Tensor that has requires_grad=False");
    tern_edge edge = tern_edge_of(tensor);
    if (tern_is_leaf(tensor) || !edge.node) return TERN_OK;
    edge.node->outputs[edge.output].retained = tensor;
    BODY(tensor)->flags |= TERN_T_RETAIN_GRAD;
    return TERN_OK;
}
