/* leaf.c: requires_grad, .grad, detach: what a program asks of one tensor's gradient. */
#include <stdio.h>

#include "core/call/op.h"
#include "graph.h"

tern_tensor *tern_requires_grad(tern_tensor *tensor, bool requires_grad) {
    tern_ctx *ctx = tensor->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    if (requires_grad && !tern_dtype_is_floating(tensor->dtype)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "only Tensors of floating point dtype can require gradients, not %s",
                  tern_dtype_name(tensor->dtype));
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
    if (requires_grad && tensor->flags & TERN_T_INFERENCE && !ctx->inference) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                  "allowed.");
        return ctx->nil;
    }
    tensor->flags &= ~(uint32_t)TERN_T_REQUIRES_GRAD;
    if (requires_grad) tensor->flags |= TERN_T_REQUIRES_GRAD;
    return tensor;
}

bool tern_has_grad_required(const tern_tensor *tensor) {
    return tern_needs_grad(tensor);
}

bool tern_is_inference(const tern_tensor *tensor) {
    return (tensor->flags & TERN_T_INFERENCE) != 0;
}

tern_tensor *tern_grad_of(const tern_tensor *tensor) {
    return tensor->flags & TERN_T_GRAD_SET ? tensor->grad : NULL;
}

void tern_grad_adopt(tern_tensor *leaf, tern_tensor *grad) {
    tern_tensor_unlink(grad);
    grad->flags |= TERN_T_OWNED;
    grad->frame = leaf->frame;
    leaf->grad = grad;
}

/* The handle of .grad in the leaf's frame, over the value's storage. */
static tern_status assign_grad(tern_tensor *leaf, tern_tensor *value) {
    if (!leaf->grad) {
        leaf->grad = tern_detach(value);
        if (tern_is_nil(leaf->grad)) {
            leaf->grad = NULL;
            return leaf->ctx->status;
        }
        leaf->grad->flags &= ~(uint32_t)TERN_T_INFERENCE;
        tern_grad_adopt(leaf, leaf->grad);
    } else if (tern_tensor_assign(leaf->grad, value) != TERN_OK) {
        return leaf->ctx->status;
    }
    leaf->grad->flags &= ~(uint32_t)TERN_T_DROPPED;
    leaf->flags |= TERN_T_GRAD_SET;
    return TERN_OK;
}

void tern_set_or_add_grad(tern_tensor *leaf, tern_tensor *grad) {
    if (leaf->flags & TERN_T_GRAD_SET) {
        tern_scope scope = tern_scope_begin(leaf->ctx, TERN_NO_GRAD);
        tern_add_in_place(leaf->grad, grad);
        tern_scope_end(scope);
        return;
    }
    /* The gradient's storage is taken over where nobody else has it, else copied. */
    bool sole = atomic_load(&grad->storage->references) == 1 && tern_is_contiguous(grad) &&
                grad->offset == 0;
    tern_tensor *value = grad;
    if (!sole) {
        value = tern_tensor_new(grad->lane, grad->dtype, grad->rank, grad->shape);
        if (!tern_is_nil(value)) tern_copy_raw(value, grad);
    }
    if (!tern_is_nil(value)) assign_grad(leaf, value);
    if (!sole) tern_tensor_release(value);
}

tern_status tern_set_grad(tern_tensor *tensor, tern_tensor *grad) {
    tern_ctx *ctx = tensor->ctx;
    if (ctx->status != TERN_OK) return ctx->status;
    if (grad && (!tern_same_shape(tensor, grad) || tensor->dtype != grad->dtype ||
                 tensor->lane != grad->lane))
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "tern_set_grad: the gradient must have the tensor's shape, dtype and device");
    tensor->flags &= ~(uint32_t)TERN_T_GRAD_SET;
    if (tensor->grad) {
        tern_drop(tensor->grad); /* the handle stays, its storage goes back */
    }
    if (grad) tern_set_or_add_grad(tensor, grad);
    return ctx->status;
}

tern_status tern_retain_grad(tern_tensor *tensor) {
    tern_ctx *ctx = tensor->ctx;
    if (ctx->status != TERN_OK) return ctx->status;
    if (!tern_needs_grad(tensor))
        return tern_fail(ctx, TERN_ERR_STATE,
                         "can't retain_grad on Tensor that has requires_grad=False");
    tern_edge edge = tern_edge_of(tensor);
    if (tern_is_leaf(tensor) || !edge.node) return TERN_OK;
    edge.node->outputs[edge.output].retained = tensor;
    tensor->flags |= TERN_T_RETAIN_GRAD;
    return TERN_OK;
}
