/*
 * delaying_memory.c: buffers that end when their turn has come, host memory that is read late, and the
 * copies. New memory holds NaN, and a download's destination holds garbage until the wait.
 */
#include <string.h>

#include "delaying.h"

#define FRESH    0xff /* NaN in every floating dtype */
#define UNWAITED 0xa5

static struct delaying_backend *const backend = &delaying_backend;

buffer *delaying_find_buffer(delaying *device, const tern_bbuffer *handle,
                             tern_backend_error *err) {
    buffer *own = handle_find(&backend->buffers, HANDLE_BUFFER, handle);
    if (own && own->device == device) return own;
    breach_note(&device->breach, err, "delaying:%d: %p is no buffer of its own", (int)device->index,
                (const void *)handle);
    return NULL;
}

static int32_t make_buffer(tern_bdevice *base, char *memory, uint64_t bytes, bool imported,
                           tern_bbuffer **out_buffer, tern_backend_error *err) {
    delaying *self = (delaying *)base;
    buffer *own = memory ? backend->host->alloc(sizeof *own) : NULL;
    command *last = own ? command_new(COMMAND_FREE, 0) : NULL;
    delaying_lock();
    *out_buffer = last ? handle_new(&backend->buffers, HANDLE_BUFFER, backend->host, own) : NULL;
    if (*out_buffer) {
        *own = (buffer){.device = self, .memory = memory, .bytes = bytes, .imported = imported};
        own->last = last;
        last->dst = own;
        self->live++;
    }
    delaying_unlock();
    if (*out_buffer) return TERN_BACKEND_OK;
    backend->host->free(last);
    backend->host->free(own);
    if (!imported) backend->host->free(memory);
    return delaying_out_of_memory(err);
}

int32_t delaying_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                              tern_backend_error *err) {
    char *memory = tern_kit_host_alloc(base, bytes);
    if (memory) memset(memory, FRESH, (size_t)bytes);
    return make_buffer(base, memory, bytes, false, out_buffer, err);
}

int32_t delaying_buffer_import(tern_bdevice *base, void *memory, uint64_t bytes,
                               tern_bbuffer **out_buffer, tern_backend_error *err) {
    return make_buffer(base, memory, bytes, true, out_buffer, err);
}

void delaying_buffer_free(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer *freed) {
    delaying *self = (delaying *)base;
    tern_backend_error err;
    delaying_lock();
    queue *turn = delaying_find_queue(self, handle, &err);
    buffer *own = turn ? delaying_find_buffer(self, freed, &err) : NULL;
    if (own && own->lasting) {
        breach_note(&self->breach, NULL, "delaying: the core freed a buffer of the backend's");
    } else if (own) {
        handle_end(&backend->buffers, freed);
        self->live--;
        command_push(turn, own->last);
    }
    delaying_unlock();
}

void delaying_free_at_once(delaying *self, tern_bbuffer *freed) {
    buffer *own = handle_find(&backend->buffers, HANDLE_BUFFER, freed);
    handle_end(&backend->buffers, freed);
    self->live--;
    backend->host->free(own->last);
    buffer_end(own);
}

/* ---- pinned host memory ---- */

void *delaying_host_alloc(tern_bdevice *base, uint64_t bytes) {
    delaying *self = (delaying *)base;
    pinned *block = backend->host->alloc(sizeof *block);
    char *memory = block ? tern_kit_host_alloc(base, bytes) : NULL;
    if (!memory) {
        backend->host->free(block);
        return NULL;
    }
    delaying_lock();
    *block = (pinned){.memory = memory, .bytes = bytes, .next = self->pinned};
    self->pinned = block;
    self->live++;
    delaying_unlock();
    return memory;
}

void delaying_host_free(tern_bdevice *base, void *memory) {
    delaying *self = (delaying *)base;
    delaying_lock();
    pinned **link = &self->pinned, *block;
    while ((block = *link) && block->memory != memory) link = &block->next;
    if (!block) {
        breach_note(&self->breach, NULL, "delaying: host_free of memory that is not pinned");
    } else {
        *link = block->next;
        self->live--;
        block->freed = true;
        if (block->pending > 0) {
            breach_note(&self->breach, NULL,
                        "delaying: pinned memory was freed while a copy from it was pending");
            memset(block->memory, UNWAITED, (size_t)block->bytes);
        }
        pinned_release(block);
    }
    delaying_unlock();
}

/* The block that all of the bytes lie in; NULL where they are the program's own. */
static pinned *find_pinned(const delaying *self, const char *src, uint64_t bytes) {
    for (pinned *block = self->pinned; block; block = block->next) {
        if (src < block->memory) continue;
        uint64_t offset = (uint64_t)(src - block->memory);
        if (offset <= block->bytes && block->bytes - offset >= bytes) return block;
    }
    return NULL;
}

/* ---- copies ---- */

/* The buffer, where it has these bytes. */
static buffer *find_range(delaying *self, const tern_bbuffer *handle, uint64_t offset,
                          uint64_t bytes, tern_backend_error *err) {
    buffer *own = delaying_find_buffer(self, handle, err);
    if (!own || (offset <= own->bytes && own->bytes - offset >= bytes)) return own;
    breach_note(&self->breach, err, "delaying:%d: a copy leaves its buffer", (int)self->index);
    return NULL;
}

int32_t delaying_copy_to_device(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err) {
    delaying *self = (delaying *)base;
    delaying_lock();
    pinned *late = find_pinned(self, src, bytes);
    command *work = command_new(COMMAND_UPLOAD, late ? 0 : (size_t)bytes);
    queue *own = work ? delaying_find_queue(self, handle, err) : NULL;
    buffer *target = own ? find_range(self, dst, dst_offset, bytes, err) : NULL;
    if (target) {
        work->dst = target;
        work->dst_offset = dst_offset;
        work->bytes = bytes;
        work->pinned = late;
        work->host = late ? (void *)(uintptr_t)src : work + 1;
        if (!late) memcpy(work->host, src, (size_t)bytes);
        command_push(own, work);
    }
    delaying_unlock();
    if (!work) return delaying_out_of_memory(err);
    if (target) return TERN_BACKEND_OK;
    backend->host->free(work);
    return TERN_BACKEND_INVALID;
}

int32_t delaying_copy_to_host(tern_bdevice *base, tern_bqueue *handle, void *dst, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    delaying *self = (delaying *)base;
    command *work = command_new(COMMAND_DOWNLOAD, 0);
    if (!work) return delaying_out_of_memory(err);
    delaying_lock();
    queue *own = delaying_find_queue(self, handle, err);
    buffer *source = own ? find_range(self, src, src_offset, bytes, err) : NULL;
    if (source) {
        work->src = source;
        work->src_offset = src_offset;
        work->bytes = bytes;
        work->host = dst;
        memset(dst, UNWAITED, (size_t)bytes);
        command_push(own, work);
    }
    delaying_unlock();
    if (source) return TERN_BACKEND_OK;
    backend->host->free(work);
    return TERN_BACKEND_INVALID;
}

int32_t delaying_copy_between(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer *dst,
                              uint64_t dst_offset, tern_bdevice *src_base, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    delaying *self = (delaying *)base, *other = (delaying *)src_base;
    command *work = command_new(COMMAND_COPY, 0);
    if (!work) return delaying_out_of_memory(err);
    delaying_lock();
    queue *own = delaying_find_queue(self, handle, err);
    buffer *target = own ? find_range(self, dst, dst_offset, bytes, err) : NULL;
    buffer *source = target ? find_range(other, src, src_offset, bytes, err) : NULL;
    if (source) {
        work->dst = target;
        work->dst_offset = dst_offset;
        work->src = source;
        work->src_offset = src_offset;
        work->bytes = bytes;
        command_push(own, work);
    }
    delaying_unlock();
    if (source) return TERN_BACKEND_OK;
    backend->host->free(work);
    return TERN_BACKEND_INVALID;
}
