/*
 * handle.h: objects other than tensors behind handles (slab.h): optimizers, lists, generators, ... They
 * are in the list of a frame, which gives them back when it ends, after what was deferred there.
 */
#ifndef TERN_CORE_HANDLE_H
#define TERN_CORE_HANDLE_H

#include "core/objects.h"

/* The body of a handle, live or not: its head can be read as long as the process runs. */
static inline tern_object_body *OBJECT(const void *handle) {
    return (tern_object_body *)((uintptr_t)handle & TERN_HANDLE_ADDRESS);
}

/* False for NULL and for a handle whose object is gone. */
static inline bool tern_handle_live(const void *handle) {
    return handle && OBJECT(handle)->self == handle;
}

/* A live handle of a frame. What the slot has room for beyond the body is zero and the object's own.
 * NULL and latched when memory is out. */
tern_object_body *tern_object_new(tern_frame *frame, const char *kind);
void tern_object_end(tern_object_body *body);

/* Gives back the handles of a frame. */
void tern_objects_end(tern_frame *frame);

#endif
