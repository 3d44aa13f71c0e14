/*
 * scope.c: frames, and what happens when one ends. Frames are recycled in the context.
 */
#include "scope.h"

#include <string.h>

#include "core/autograd/graph.h"
#include "core/ground/error.h"
#include "core/memory/handle.h"
#include "core/memory/pending.h"
#include "core/memory/slab.h"
#include "core/memory/storage.h"
#include "core/tensor/tensor.h"
#include "entered.h"

#define OWNER "owner"

typedef struct owner_body {
    const void *handle;
    tern_frame *frame; /* NULL once it has ended */
} owner_body;

/* ---- frames ---------------------------------------------------------------------------------- */

static tern_frame *frame_take(tern_ctx *ctx) {
    tern_frame *frame = ctx->free_frames;
    if (frame)
        ctx->free_frames = frame->next_free;
    else
        frame = tern_alloc(sizeof *frame);
    if (!frame) {
        tern_fail_memory(ctx, sizeof *frame);
        return NULL;
    }
    *frame = (tern_frame){.ctx = ctx, .target = frame};
    frame->serial = ++ctx->next_serial;
    return frame;
}

/* Ends what lives in a frame and gives its memory back. Iterative: a graph of any depth is a list.
 */
static void frame_end(tern_frame *frame) {
    tern_ctx *ctx = frame->ctx;
    while (frame->deferred) {
        tern_deferred *deferred = frame->deferred;
        frame->deferred = deferred->next;
        deferred->fn(deferred->arg);
    }
    for (tern_node *node = frame->nodes; node; node = node->next_in_frame) tern_node_fini(node);
    tern_tensors_release(frame);
    if (frame->objects) tern_objects_end(frame);
    if (frame->chunks) tern_arena_end(frame);
    if (frame->with_caller) return;
    frame->next_free = ctx->free_frames;
    ctx->free_frames = frame;
}

static tern_frame *push(tern_ctx *ctx, bool internal, unsigned flags) {
    TERN_ENTER(ctx, "scope_begin", return NULL);
    tern_frame *frame = frame_take(ctx);
    if (!frame) return NULL;
    frame->parent = ctx->top;
    frame->depth = ctx->top->depth + (internal ? 0 : 1);
    frame->internal = internal;
    frame->outer_grad_enabled = ctx->grad_enabled;
    frame->outer_inference = ctx->inference;
    if (flags & (TERN_NO_GRAD | TERN_INFERENCE)) ctx->grad_enabled = false;
    if (flags & TERN_INFERENCE) ctx->inference = true;
    if (flags & TERN_ENABLE_GRAD) ctx->grad_enabled = !ctx->inference;
    ctx->top = frame;
    return frame;
}

/* A frame of the library's own that lies with the function that opened it: what it costs is what an
 * operation pays for its temporaries. */
void tern_frame_open(tern_ctx *ctx, tern_frame *frame) {
    frame->ctx = ctx;
    frame->parent = ctx->top;
    frame->target = frame;
    frame->serial = ++ctx->next_serial;
    frame->depth = ctx->top->depth;
    frame->is_owner = false;
    frame->internal = true;
    frame->with_caller = true;
    frame->outer_grad_enabled = ctx->grad_enabled;
    frame->outer_inference = ctx->inference;
    frame->chunks = NULL;
    frame->tensors = NULL;
    frame->objects = NULL;
    frame->nodes = NULL;
    frame->deferred = NULL;
    ctx->top = frame;
}

static tern_scope scope_of(tern_ctx *ctx, tern_frame *frame) {
    tern_scope scope = {ctx, frame ? frame->serial : 0};
    return scope;
}

tern_scope tern_scope_begin(tern_ctx *ctx, unsigned flags) {
    ctx = tern_given(ctx);
    return scope_of(ctx, ctx->is_static ? NULL : push(ctx, false, flags));
}

tern_scope tern_scope_inner(tern_ctx *ctx) {
    ctx = tern_given(ctx);
    return scope_of(ctx, ctx->is_static ? NULL : push(ctx, true, 0));
}

tern_frame *tern_scope_frame(tern_scope scope) {
    if (!scope.ctx || scope.serial == 0) return NULL;
    for (tern_frame *f = scope.ctx->top; f && f->parent; f = f->parent)
        if (f->serial == scope.serial) return f;
    return NULL;
}

static void pop(tern_ctx *ctx) {
    tern_frame *frame = ctx->top;
    ctx->grad_enabled = frame->outer_grad_enabled;
    ctx->inference = frame->outer_inference;
    ctx->top = frame->parent;
    frame_end(frame);
    tern_pending_look(ctx);
}

void tern_frame_close(tern_frame *frame) {
    tern_ctx *ctx = frame->ctx;
    while (ctx->top != frame) pop(ctx);
    pop(ctx);
}

void tern_scope_end(tern_scope scope) {
    tern_frame *frame = tern_scope_frame(scope);
    if (!frame) return;
    TERN_ENTER(scope.ctx, "scope_end", return );
    tern_frame_close(frame);
}

/* Latches why a result cannot be handed out. */
static tern_tensor *no_result(tern_frame *frame, const tern_tensor *tensor) {
    tern_ctx *ctx = frame->ctx;
    if (tern_is_live(tensor) && BODY(tensor)->ctx != ctx)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "tern_scope_return: the result belongs to another context");
    else
        tern_fail(ctx, TERN_ERR_STATE, "tern_scope_return: the result is %s",
                  tensor ? "gone, its scope has ended: return a tensor of this scope"
                         : "NULL: check the call that made it");
    return ctx->nil;
}

tern_tensor *tern_scope_hand_out(tern_frame *frame, tern_tensor *tensor) {
    bool live = tern_is_live(tensor);
    if (live && BODY(tensor)->flags & TERN_T_NIL) return tensor;
    if (!live || BODY(tensor)->ctx != frame->ctx) return no_result(frame, tensor);
    if (BODY(tensor)->frame->serial < frame->serial) return tensor;
    if (BODY(tensor)->frame == frame &&
        frame->internal) { /* its graph belongs to the frame outside */
        tern_tensor_move(tensor, frame->parent->target);
        return tensor;
    }
    const tern_node *node = tern_is_leaf(tensor) ? NULL : tern_edge_of(tensor).node;
    if (node && node->frame->serial >= frame->serial) {
        tern_fail(frame->ctx, TERN_ERR_STATE,
                  "tern_scope_return: a tensor with a history (%s) cannot outlive the scope of its "
                  "graph: return tern_detach(tensor), or open the scope with tern_scope_inner, "
                  "whose graphs belong to the enclosing scope",
                  tern_grad_fn_name(tensor));
        return frame->ctx->nil;
    }
    tern_tensor_move(tensor, frame->parent->target);
    return tensor;
}

tern_tensor *tern_scope_return(tern_scope scope, tern_tensor *result) {
    tern_frame *frame = tern_scope_frame(scope);
    if (!frame) return result;
    result = tern_scope_hand_out(frame, result);
    tern_scope_end(scope);
    return result;
}

bool tern_is_grad_enabled(const tern_ctx *ctx) {
    return ctx && ctx->grad_enabled;
}

int tern_scope_depth(const tern_ctx *ctx) {
    return !ctx || ctx->is_static ? 0 : ctx->top->depth;
}

tern_frame *tern_graph_frame(tern_ctx *ctx) {
    tern_frame *frame = ctx->top;
    while (frame->internal && frame->parent) frame = frame->parent;
    return frame->target;
}

void tern_tensor_unlink(tern_tensor *tensor) {
    tern_tensor *prev = BODY(tensor)->prev, *next = BODY(tensor)->next;
    if (prev)
        BODY(prev)->next = next;
    else
        BODY(tensor)->frame->tensors = next;
    if (next) BODY(next)->prev = prev;
    BODY(tensor)->prev = BODY(tensor)->next = NULL;
}

void tern_tensor_move(tern_tensor *tensor, tern_frame *frame) {
    if (BODY(tensor)->frame == frame) return;
    if (!(BODY(tensor)->flags & TERN_T_OWNED)) {
        tern_tensor_unlink(tensor);
        BODY(tensor)->next = frame->tensors;
        if (frame->tensors) BODY(frame->tensors)->prev = tensor;
        frame->tensors = tensor;
    }
    BODY(tensor)->frame = frame;
    if (BODY(tensor)->grad) tern_tensor_move(BODY(tensor)->grad, frame);
}

static tern_status defer(tern_frame *frame, void (*fn)(void *arg), void *arg) {
    tern_deferred *deferred = tern_frame_alloc(frame, sizeof *deferred);
    if (!deferred) return frame->ctx->status;
    deferred->fn = fn;
    deferred->arg = arg;
    deferred->next = frame->deferred;
    frame->deferred = deferred;
    return TERN_OK;
}

tern_status tern_defer(tern_ctx *ctx, void (*fn)(void *arg), void *arg) {
    if (!ctx || ctx->is_static) return tern_no_context()->status;
    if (!fn) return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_defer: fn is NULL");
    return defer(ctx->top->target, fn, arg);
}

tern_status tern_defer_at_close(tern_ctx *ctx, void (*fn)(void *arg), void *arg) {
    return ctx->is_static ? ctx->status : defer(ctx->root, fn, arg);
}

/* Frames, chunks, handles and storages that one in-place operation may use at a time. */
enum { RESERVED_FRAMES = 4, RESERVED_HANDLES = 16, RESERVED_STORAGES = 4 };

tern_status tern_reserve(tern_ctx *ctx) {
    ctx = tern_given(ctx);
    if (ctx->is_static) return ctx->status;
    int frames = 0;
    for (const tern_frame *f = ctx->free_frames; f && frames < RESERVED_FRAMES; f = f->next_free)
        frames++;
    for (; frames < RESERVED_FRAMES; frames++) {
        tern_frame *frame = tern_alloc(sizeof *frame);
        if (!frame) return tern_fail_memory(ctx, sizeof *frame);
        frame->next_free = ctx->free_frames;
        ctx->free_frames = frame;
    }
    tern_slab_reserve(ctx, RESERVED_HANDLES);
    tern_arena_reserve(ctx, RESERVED_FRAMES);
    for (int i = 0; i < ctx->n_lanes; i++) tern_storage_reserve(ctx->lanes[i], RESERVED_STORAGES);
    return ctx->status;
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void owner_end(void *arg) {
    owner_body *owner = arg;
    tern_frame *frame = owner->frame;
    if (!frame) return;
    owner->frame = NULL;
    tern_handle_end(owner->handle);
    frame_end(frame);
}

static owner_body *owner_new(tern_ctx *ctx) {
    owner_body *owner = tern_scope_alloc(ctx, sizeof *owner);
    if (!owner) return NULL;
    owner->handle = tern_handle_new(ctx, OWNER, owner);
    if (owner->handle) owner->frame = frame_take(ctx);
    if (!owner->frame) return NULL;
    owner->frame->is_owner = true;
    owner->frame->depth = ctx->top->target->depth;
    if (tern_defer(ctx, owner_end, owner) == TERN_OK) return owner;
    owner_end(owner);
    return NULL;
}

tern_owner *tern_owner_new(tern_ctx *ctx) {
    owner_body *owner = owner_new(tern_given(ctx));
    return owner ? (tern_owner *)(uintptr_t)owner->handle : NULL;
}

void tern_owner_free(tern_owner *owner) {
    owner_body *body = tern_handle_object(owner, OWNER, "tern_owner_free");
    if (body) owner_end(body);
}

tern_scope tern_owner_begin(tern_owner *owner, unsigned flags) {
    owner_body *body = tern_handle_object(owner, OWNER, "tern_owner_begin");
    if (!body) return (tern_scope){NULL, 0};
    tern_ctx *ctx = body->frame->ctx;
    tern_frame *frame = push(ctx, false, flags);
    if (frame) frame->target = body->frame;
    return scope_of(ctx, frame);
}

/* ---- the end of a context -------------------------------------------------------------------- */

void tern_frames_release_all(tern_ctx *ctx) {
    while (ctx->top && ctx->top->parent) pop(ctx);
    if (ctx->root) frame_end(ctx->root);
    ctx->root = ctx->top = NULL;
    while (ctx->free_frames) {
        tern_frame *frame = ctx->free_frames;
        ctx->free_frames = frame->next_free;
        tern_free(frame);
    }
    tern_arenas_free(ctx);
}

tern_frame *tern_frame_root(tern_ctx *ctx) {
    tern_frame *frame = frame_take(ctx);
    if (frame) ctx->root = ctx->top = frame;
    return frame;
}
