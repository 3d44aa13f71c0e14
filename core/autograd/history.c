/* history.c: what a tensor knows of the calls that made it. */
#include "graph.h"

#include "core/call/op.h"

bool tern_is_leaf(const tern_tensor *tensor) {
    if (tensor->edge.node && tensor->edge.node->op) return false;
    const tern_alias *alias = tensor->alias;
    return !(alias && alias->generation != tensor->generation && alias->base->edge.node);
}

const char *tern_grad_fn_name(const tern_tensor *tensor) {
    if (!tensor->edge.node || !tensor->edge.node->op) return "";
    char *name = tern_scope_alloc(tensor->ctx, TERN_GRAD_NAME_TEXT);
    return name ? tern_op_grad_name(tensor->edge.node->op, name) : "";
}

tern_tensor *tern_detach(tern_tensor *tensor) {
    tern_ctx *ctx = tensor->ctx;
    if (ctx->status != TERN_OK || tern_is_nil(tensor)) return ctx->nil;
    tern_tensor *plain =
        tern_tensor_over(tensor->lane, tensor->storage, tensor->dtype, tensor->rank, tensor->shape,
                         tensor->strides, tensor->offset);
    if (tensor->flags & TERN_T_INFERENCE && !tern_is_nil(plain)) plain->flags |= TERN_T_INFERENCE;
    return plain;
}
