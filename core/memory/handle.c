/* handle.c: handles of objects other than tensors, and how a stale one is refused. */
#include "handle.h"

#include <string.h>

#include "core/ground/error.h"
#include "slab.h"

/* ---- in a frame ------------------------------------------------------------------------------ */

tern_object_body *tern_object_new(tern_frame *frame, const char *kind) {
    tern_object_body *body = tern_slab_object(frame->ctx);
    if (!body) return NULL;
    body->frame = frame;
    body->kind = kind;
    body->next = frame->objects;
    if (frame->objects) frame->objects->prev = body;
    frame->objects = body;
    return body;
}

void tern_object_end(tern_object_body *body) {
    tern_object_body *prev = body->prev, *next = body->next;
    if (prev)
        prev->next = next;
    else
        body->frame->objects = next;
    if (next) next->prev = prev;
    tern_slab_give_object(body->ctx, body);
}

void tern_objects_end(tern_frame *frame) {
    while (frame->objects) {
        tern_object_body *body = frame->objects;
        frame->objects = body->next;
        tern_slab_give_object(frame->ctx, body);
    }
}

/* ---- for the rooms above --------------------------------------------------------------------- */

void *tern_handle_new(tern_ctx *ctx, const char *kind, void *object) {
    if (!ctx) ctx = tern_no_context();
    if (ctx->is_static || !object || !kind) return NULL;
    tern_object_body *body = tern_object_new(ctx->top->target, kind);
    if (!body) return NULL;
    body->object = object;
    return (void *)(uintptr_t)body->self;
}

void *tern_handle_object(const void *handle, const char *kind, const char *function) {
    if (!handle || !kind) return NULL;
    const tern_object_body *body = OBJECT(handle);
    if (body->self == handle && (body->kind == kind || strcmp(body->kind, kind) == 0))
        return body->object;
    tern_ctx *ctx = body->ctx ? body->ctx : tern_no_context();
    if (body->self != handle)
        tern_fail(ctx, TERN_ERR_STATE,
                  "%s: the %s is gone, its scope has ended: make it in the scope that uses it",
                  function ? function : "a function", kind);
    else
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: takes a %s, not a %s",
                  function ? function : "a function", kind, body->kind);
    return NULL;
}

tern_status tern_handle_status(const void *handle) {
    const tern_ctx *ctx = handle ? OBJECT(handle)->ctx : NULL;
    if (!handle) return TERN_ERR_ARGUMENT;
    return ctx && ctx->status != TERN_OK ? ctx->status : TERN_ERR_STATE;
}

void tern_handle_end(const void *handle) {
    if (tern_handle_live(handle)) tern_object_end(OBJECT(handle));
}
