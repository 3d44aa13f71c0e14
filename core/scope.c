/*
 * scope.c: frames, their arenas, and what happens when one ends.
 *
 * Chunks of arenas and frames are recycled in the context, so that a loop that opens and ends a
 * scope per step reaches a steady state without heap calls.
 */
#include "internal.h"

#include <string.h>

#include "autograd/graph.h"
#include "poison.h"

#define CHUNK_BYTES ((size_t)16384)

struct tern_owner {
    tern_frame *frame; /* NULL once it has ended */
};

/* ---- arenas ---------------------------------------------------------------------------------- */

static unsigned char *chunk_bytes(tern_chunk *chunk) {
    return (unsigned char *)chunk + ((sizeof *chunk + 15u) & ~(size_t)15u);
}

static tern_chunk *chunk_take(tern_ctx *ctx, size_t bytes) {
    if (bytes <= CHUNK_BYTES && ctx->free_chunks) {
        tern_chunk *chunk = ctx->free_chunks;
        ctx->free_chunks = chunk->next;
        TERN_UNPOISON(chunk_bytes(chunk), chunk->size);
        return chunk;
    }
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    tern_chunk *chunk = tern_alloc(size + sizeof *chunk + 16);
    if (chunk) chunk->size = size;
    return chunk;
}

static void chunk_give_back(tern_ctx *ctx, tern_chunk *chunk) {
    if (chunk->size != CHUNK_BYTES) {
        tern_free(chunk);
        return;
    }
    TERN_POISON(chunk_bytes(chunk), chunk->size);
    chunk->next = ctx->free_chunks;
    ctx->free_chunks = chunk;
}

void *tern_frame_alloc(tern_frame *frame, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        tern_fail_memory(frame->ctx, bytes);
        return NULL;
    }
    bytes = (bytes + 15u) & ~(size_t)15u;
    tern_chunk *chunk = frame->chunks;
    if (!chunk || chunk->size - chunk->used < bytes) {
        chunk = chunk_take(frame->ctx, bytes);
        if (!chunk) {
            tern_fail_memory(frame->ctx, bytes);
            return NULL;
        }
        chunk->used = 0;
        chunk->next = frame->chunks;
        frame->chunks = chunk;
    }
    void *memory = chunk_bytes(chunk) + chunk->used;
    chunk->used += bytes;
    return memset(memory, 0, bytes);
}

void *tern_scope_alloc(tern_ctx *ctx, size_t bytes) {
    if (ctx->is_static) return NULL;
    return tern_frame_alloc(ctx->top->target, bytes);
}

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
    memset(frame, 0, sizeof *frame);
    frame->ctx = ctx;
    frame->target = frame;
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
    while (frame->tensors) tern_tensor_release(frame->tensors);
    while (frame->chunks) {
        tern_chunk *chunk = frame->chunks;
        frame->chunks = chunk->next;
        chunk_give_back(ctx, chunk);
    }
    frame->next_free = ctx->free_frames;
    ctx->free_frames = frame;
}

static tern_frame *push(tern_ctx *ctx, bool internal, unsigned flags) {
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

static tern_scope scope_of(tern_ctx *ctx, tern_frame *frame) {
    tern_scope scope = {ctx, frame ? frame->serial : 0};
    return scope;
}

tern_scope tern_scope_begin(tern_ctx *ctx, unsigned flags) {
    return scope_of(ctx, ctx->is_static ? NULL : push(ctx, false, flags));
}

tern_scope tern_scope_inner(tern_ctx *ctx) {
    return scope_of(ctx, ctx->is_static ? NULL : push(ctx, true, 0));
}

static tern_frame *find(tern_scope scope) {
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
}

void tern_scope_end(tern_scope scope) {
    tern_frame *frame = find(scope);
    if (!frame) return;
    tern_ctx *ctx = scope.ctx;
    while (ctx->top != frame) pop(ctx);
    pop(ctx);
}

tern_tensor *tern_scope_return(tern_scope scope, tern_tensor *result) {
    tern_frame *frame = find(scope);
    if (!frame) return result;
    if (result && !(result->flags & TERN_T_NIL) && result->frame->serial >= frame->serial)
        tern_tensor_move(result, frame->parent->target);
    tern_scope_end(scope);
    return result;
}

/* The value for the frame around `frame`: its tensors are moved, lists and tuples (of which a result
 * nests few) made anew, because they live in the frame that ends. */
#define RESULT_DEPTH 16
static tern_value handed_out(const tern_frame *frame, tern_value value, int depth) {
    tern_ctx *ctx = frame->ctx;
    bool sequence = value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE;
    if (value.kind == TERN_VALUE_TENSOR && !(value.as.tensor->flags & TERN_T_NIL) &&
        value.as.tensor->frame->serial >= frame->serial)
        tern_tensor_move(value.as.tensor, frame->parent->target);
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

tern_value tern_scope_return_value(tern_scope scope, tern_value result) {
    tern_frame *frame = find(scope);
    if (!frame) return result;
    tern_ctx *ctx = scope.ctx;
    tern_frame *top = ctx->top;
    ctx->top = frame->parent;
    tern_value out = handed_out(frame, result, 0);
    ctx->top = top;
    tern_scope_end(scope);
    return ctx->status == TERN_OK || result.kind == TERN_VALUE_TENSOR ? out : tern_none();
}

bool tern_grad_enabled(const tern_ctx *ctx) {
    return ctx->grad_enabled;
}

int tern_scope_depth(const tern_ctx *ctx) {
    return ctx->is_static ? 0 : ctx->top->depth;
}

tern_frame *tern_graph_frame(tern_ctx *ctx) {
    tern_frame *frame = ctx->top;
    while (frame->internal && frame->parent) frame = frame->parent;
    return frame->target;
}

void tern_tensor_unlink(tern_tensor *tensor) {
    if (tensor->prev)
        tensor->prev->next = tensor->next;
    else
        tensor->frame->tensors = tensor->next;
    if (tensor->next) tensor->next->prev = tensor->prev;
    tensor->prev = tensor->next = NULL;
}

void tern_tensor_move(tern_tensor *tensor, tern_frame *frame) {
    if (tensor->frame == frame) return;
    if (!(tensor->flags & TERN_T_OWNED)) {
        tern_tensor_unlink(tensor);
        tensor->next = frame->tensors;
        if (frame->tensors) frame->tensors->prev = tensor;
        frame->tensors = tensor;
    }
    tensor->frame = frame;
    if (tensor->grad) tern_tensor_move(tensor->grad, frame);
}

tern_status tern_defer(tern_ctx *ctx, void (*fn)(void *arg), void *arg) {
    if (ctx->is_static) return ctx->status;
    tern_frame *frame = ctx->top->target;
    tern_deferred *deferred = tern_frame_alloc(frame, sizeof *deferred);
    if (!deferred) return ctx->status;
    deferred->fn = fn;
    deferred->arg = arg;
    deferred->next = frame->deferred;
    frame->deferred = deferred;
    return TERN_OK;
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void owner_end(void *arg) {
    tern_owner_free(arg);
}

tern_owner *tern_owner_new(tern_ctx *ctx) {
    tern_owner *owner = tern_scope_alloc(ctx, sizeof *owner);
    if (!owner) return NULL;
    owner->frame = frame_take(ctx);
    if (!owner->frame) return NULL;
    owner->frame->depth = ctx->top->target->depth;
    if (tern_defer(ctx, owner_end, owner) != TERN_OK) {
        tern_owner_free(owner);
        return NULL;
    }
    return owner;
}

void tern_owner_free(tern_owner *owner) {
    if (!owner || !owner->frame) return;
    tern_frame *frame = owner->frame;
    owner->frame = NULL;
    frame_end(frame);
}

tern_scope tern_owner_begin(tern_owner *owner, unsigned flags) {
    if (!owner || !owner->frame) {
        tern_scope none = {NULL, 0};
        return none;
    }
    tern_ctx *ctx = owner->frame->ctx;
    tern_frame *frame = push(ctx, false, flags);
    if (frame) frame->target = owner->frame;
    return scope_of(ctx, frame);
}

/* ---- the end of a context ---------------------------------------------------------------------
 */

void tern_frames_release_all(tern_ctx *ctx) {
    while (ctx->top && ctx->top->parent) pop(ctx);
    if (ctx->root) frame_end(ctx->root);
    ctx->root = ctx->top = NULL;
    while (ctx->free_frames) {
        tern_frame *frame = ctx->free_frames;
        ctx->free_frames = frame->next_free;
        tern_free(frame);
    }
    while (ctx->free_chunks) {
        tern_chunk *chunk = ctx->free_chunks;
        ctx->free_chunks = chunk->next;
        TERN_UNPOISON(chunk_bytes(chunk), chunk->size);
        tern_free(chunk);
    }
}

tern_frame *tern_frame_root(tern_ctx *ctx) {
    tern_frame *frame = frame_take(ctx);
    if (frame) ctx->root = ctx->top = frame;
    return frame;
}
