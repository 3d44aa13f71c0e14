/* shared_buffer.c: large buffers from which small storages are cut. The newest is the first of the lane's list. */
#include "shared_buffer.h"

#include "size_class.h"

#define PIECES       64                   /* of the largest size, in a buffer */
#define SMALL_BUFFER ((uint64_t)64 << 10) /* no buffer is smaller, unless the device's limit is */

/* The size of a new one. */
static uint64_t shared_bytes(const tern_bdevice_vtable *vt) {
    uint64_t bytes;
    if (!tern_size_mul(vt->suballocation, PIECES, &bytes)) bytes = vt->suballocation;
    if (bytes < SMALL_BUFFER) bytes = SMALL_BUFFER;
    if (vt->largest_allocation && bytes > vt->largest_allocation) bytes = vt->largest_allocation;
    return bytes / vt->alignment * vt->alignment;
}

/* Large enough for a piece of `piece` bytes; NULL where there is none. */
static tern_shared *shared_new(tern_lane *lane, uint64_t piece) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err;
    err.message[0] = 0;
    uint64_t bytes = shared_bytes(vt);
    if (bytes < piece) return NULL;
    tern_shared *shared = tern_alloc_zeroed(1, sizeof *shared);
    if (!shared) return NULL;
    if (vt->buffer_alloc(lane->device->object, bytes, &shared->buffer, &err) != TERN_BACKEND_OK) {
        tern_free(shared);
        return NULL;
    }
    shared->bytes = bytes;
    shared->next = lane->shared;
    lane->shared = shared;
    return shared;
}

bool tern_shared_cut(tern_lane *lane, tern_storage *storage) {
    const tern_bdevice_vtable *vt = &lane->device->vtable;
    uint64_t piece;
    if (storage->bytes > vt->suballocation ||
        !tern_size_add(tern_class_bytes(storage->size_class), vt->alignment - 1, &piece))
        return false;
    piece = piece / vt->alignment * vt->alignment;
    tern_shared *shared = lane->shared;
    if (!shared || shared->bytes - shared->used < piece) shared = shared_new(lane, piece);
    if (!shared) return false;
    storage->buffer = shared->buffer;
    storage->shared = shared;
    storage->traits |= TERN_STORAGE_PIECE;
    storage->offset = shared->used;
    storage->capacity = piece;
    shared->used += piece;
    shared->pieces++;
    return true;
}

void tern_shared_give(tern_lane *lane, tern_shared *shared) {
    if (--shared->pieces > 0) return;
    tern_shared **link = &lane->shared;
    while (*link != shared) link = &(*link)->next;
    *link = shared->next;
    lane->device->vtable.buffer_free(lane->device->object, lane->queue, shared->buffer);
    tern_free(shared);
}

void tern_shared_count_idle(tern_lane *lane) {
    for (tern_shared *shared = lane->shared; shared; shared = shared->next) shared->idle = 0;
    for (int c = 0; lane->shared && c < TERN_SIZE_CLASSES; c++)
        for (const tern_storage *storage = lane->cached[c]; storage; storage = storage->next)
            if (storage->shared) storage->shared->idle++;
    for (tern_shared *shared = lane->shared; shared; shared = shared->next)
        shared->goes = shared->idle == shared->pieces;
}
