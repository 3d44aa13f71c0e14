/*
 * hook.c: hooks on the gradients of tensors.
 *
 * A leaf's are called by the engine, which knows by a flag of the leaf that there are some; they hang in a
 * list of the context. Another tensor gets a node in front of its history, an own function that hands its
 * values on: what uses the tensor from then on leads there.
 */
#include "core/autograd/graph.h"
#include "core/call/op.h"
#include "core/memory/handle.h"
#include "tern/describe.h"
#include "tern/function.h"

/* ---- handles --------------------------------------------------------------------------------- */

/* Behind every tern_hook. */
typedef struct hook_handle {
    void (*remove)(void *user); /* NULL once it was called */
    void *user;
} hook_handle;

static void end_hook(void *arg) {
    hook_handle *h = arg;
    void (*remove)(void *user) = h->remove;
    h->remove = NULL;
    if (remove) remove(h->user);
}

tern_hook *tern_hook_new(tern_ctx *ctx, void (*remove)(void *user), void *user) {
    if (!tern_argument_given(ctx, "tern_hook_new", "remove", (const void *)(uintptr_t)remove))
        return NULL;
    hook_handle *h = tern_scope_alloc(ctx, sizeof *h);
    tern_hook *handle = h ? tern_handle_new(ctx, "hook", h) : NULL;
    if (!handle || tern_defer(ctx, end_hook, h) != TERN_OK) return NULL;
    *h = (hook_handle){remove, user};
    return handle;
}

void tern_hook_remove(tern_hook *handle) {
    hook_handle *h = tern_handle_object(handle, "hook", "tern_hook_remove");
    if (!h) return;
    end_hook(h);
    tern_handle_end(handle);
}

/* ---- of gradients ---------------------------------------------------------------------------- */

typedef struct hook_body {
    tern_ctx *ctx;
    tern_tensor *tensor; /* the leaf; NULL for another tensor */
    tern_grad_hook_fn hook;
    void *user;
    struct hook_body *next;
    tern_hook *handle;
} hook_body;

/* The gradient that the hook puts in the place of this one; the same after latching. */
static tern_tensor *called(const hook_body *h, tern_tensor *grad) {
    tern_ctx *ctx = h->ctx;
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor *other = h->hook(grad, h->user);
    if (other && other != grad && ctx->status == TERN_OK &&
        tern_argument_tensor(ctx, "a gradient's hook", other) &&
        (!tern_same_shape(grad, other) || BODY(grad)->dtype != BODY(other)->dtype))
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "a gradient's hook returned another shape or dtype than the gradient's");
    if (!other || other == grad || ctx->status != TERN_OK) {
        tern_scope_end(scope);
        return grad;
    }
    other = tern_scope_return(scope, other);
    return ctx->status == TERN_OK ? other : grad;
}

/* ---- of leaves ------------------------------------------------------------------------------- */

static tern_tensor *call_leaf_hooks(tern_tensor *leaf, tern_tensor *grad) {
    tern_ctx *ctx = BODY(leaf)->ctx;
    for (const hook_body *h = ctx->grad_hooks; h && ctx->status == TERN_OK;) {
        const hook_body *next = h->next; /* a hook may remove itself */
        if (h->tensor == leaf) grad = called(h, grad);
        h = next;
    }
    return grad;
}

/* Out of the context's list: when it is removed, or its scope ends. */
static void unlink_hook(void *arg) {
    hook_body *h = arg;
    hook_body **at = (hook_body **)&h->ctx->grad_hooks;
    while (*at && *at != h) at = &(*at)->next;
    if (*at) *at = h->next;
    bool others = false;
    for (const hook_body *o = h->ctx->grad_hooks; o && !others; o = o->next)
        others = o->tensor == h->tensor;
    if (h->tensor && !others && tern_is_live(h->tensor))
        BODY(h->tensor)->flags &= ~(uint32_t)TERN_T_HOOKED;
    h->tensor = NULL;
}

static void link_hook(hook_body *h, tern_tensor *leaf) {
    hook_body **at = (hook_body **)&h->ctx->grad_hooks;
    while (*at) at = &(*at)->next;
    *at = h;
    h->tensor = leaf;
    h->ctx->grad_hook = call_leaf_hooks;
    BODY(leaf)->flags |= TERN_T_HOOKED;
}

/* ---- of other tensors ------------------------------------------------------------------------ */

static void hand_on(tern_function_call *call, tern_tensor *const *inputs, tern_tensor **outputs) {
    (void)call;
    outputs[0] = inputs[0];
}

static void hand_back(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    tern_hook *handle = tern_function_user(call);
    out[0] = grads[0];
    if (!tern_handle_live(handle)) return;
    const hook_handle *h = OBJECT(handle)->object;
    out[0] = called(h->user, grads[0]);
}

static const tern_function hooked = {.name = "Hook", .forward = hand_on, .backward = hand_back};

/* The history of what comes out of the node becomes the tensor's. */
static bool put_in_front(hook_body *h, tern_tensor *tensor) {
    bool enabled = h->ctx->grad_enabled;
    h->ctx->grad_enabled = true;
    tern_tensor *through = tern_function_apply(&hooked, tensor, h->handle);
    h->ctx->grad_enabled = enabled;
    if (h->ctx->status != TERN_OK) return false;
    tern_edge before = BODY(tensor)->edge, after = BODY(through)->edge;
    if (BODY(tensor)->flags & TERN_T_RETAIN_GRAD && before.node) {
        before.node->outputs[before.output].retained = NULL;
        after.node->outputs[after.output].retained = tensor;
    }
    BODY(tensor)->edge = after;
    return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

tern_hook *tern_tensor_hook(tern_tensor *tensor, tern_grad_hook_fn hook, void *user) {
    if (!tern_usable(tensor, "tern_tensor_hook")) return NULL;
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (!tern_argument_given(ctx, "tern_tensor_hook", "hook", (const void *)(uintptr_t)hook))
        return NULL;
    if (!tern_has_grad_required(tensor)) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "cannot register a hook on a tensor that doesn't require gradient");
        return NULL;
    }
    hook_body *h = tern_scope_alloc(ctx, sizeof *h);
    if (!h) return NULL;
    h->ctx = ctx;
    h->hook = hook;
    h->user = user;
    h->handle = tern_hook_new(ctx, unlink_hook, h);
    if (!h->handle) return NULL;
    if (tern_is_leaf(tensor))
        link_hook(h, tensor);
    else if (!put_in_front(h, tensor))
        return NULL;
    return h->handle;
}
