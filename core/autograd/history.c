/* history.c: what a tensor knows of the calls that made it. */
#include "graph.h"

#include "core/call/op.h"

bool tern_is_leaf(const tern_tensor *tensor) {
    if (!tern_looks_live(tensor, "is_leaf")) return true;
    if (BODY(tensor)->edge.node && BODY(tensor)->edge.node->op) return false;
    const tern_aliases *alias = BODY(tensor)->alias;
    return !(alias && alias->generation != BODY(tensor)->generation &&
             BODY(alias->base)->edge.node);
}

const char *tern_grad_fn_name(const tern_tensor *tensor) {
    if (!tern_looks_live(tensor, "grad_fn_name")) return "";
    if (!BODY(tensor)->edge.node || !BODY(tensor)->edge.node->op) return "";
    char *name = tern_scope_alloc(BODY(tensor)->ctx, TERN_GRAD_NAME_TEXT);
    return name ? tern_op_grad_name(BODY(tensor)->edge.node->op, name) : "";
}

tern_tensor *tern_detach(tern_tensor *tensor) {
    if (!tern_usable(tensor, "detach")) return tern_context_of(tensor)->nil;
    tern_tensor *plain = tern_tensor_over(
        BODY(tensor)->lane, BODY(tensor)->storage, BODY(tensor)->dtype, BODY(tensor)->rank,
        BODY(tensor)->shape, BODY(tensor)->strides, BODY(tensor)->offset);
    if (BODY(tensor)->flags & TERN_T_INFERENCE && !tern_is_nil(plain))
        BODY(plain)->flags |= TERN_T_INFERENCE;
    return plain;
}
