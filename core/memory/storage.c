/*
 * storage.c: counted storage and the cache that makes its reuse cheap.
 *
 * Freed buffers wait in lists by size class, per lane (device and queue). Work on one queue runs in
 * order, so a buffer may be reused there at once; one that another context has seen is freed after
 * a wait instead. When a device is out of memory the cache is emptied and the request repeated.
 */
#include "storage.h"
#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/objects.h"

#include <string.h>

/*
 * Four classes per power of two: at most a quarter of a buffer is unused. Class c holds
 * (4 + c % 4) << (c / 4) units of 64 bytes.
 */
static uint64_t class_bytes(int size_class) {
    return (uint64_t)(4 + size_class % 4) << (size_class / 4) << 4;
}

static int class_of(uint64_t bytes) {
    int low = 0, high = TERN_SIZE_CLASSES - 17; /* class_bytes of a higher one overflows */
    while (low < high) {
        int middle = (low + high) / 2;
        if (class_bytes(middle) >= bytes)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void count_bytes(tern_ctx *ctx, uint64_t bytes) {
    ctx->stats.device_bytes += bytes;
    if (ctx->stats.device_bytes > ctx->stats.device_bytes_peak)
        ctx->stats.device_bytes_peak = ctx->stats.device_bytes;
}

static tern_storage *from_cache(tern_lane *lane, int size_class) {
    tern_storage *storage = lane->cached[size_class];
    if (!storage) return NULL;
    lane->cached[size_class] = storage->next;
    lane->cached_bytes -= storage->capacity;
    return storage;
}

/* A buffer from the device; on OUT_OF_MEMORY once more with the cache emptied. */
static tern_bbuffer *take_buffer(tern_lane *lane, uint64_t bytes) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err = {{0}};
    tern_bbuffer *buffer = NULL;
    if (vt->largest_allocation && bytes > vt->largest_allocation) {
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY,
                  "%s: a tensor of %llu bytes is larger than the device's largest allocation, %llu",
                  lane->device->name, (unsigned long long)bytes,
                  (unsigned long long)vt->largest_allocation);
        return NULL;
    }
    int32_t status = vt->buffer_alloc(lane->device->object, bytes, &buffer, &err);
    if (status == TERN_BACKEND_OUT_OF_MEMORY && lane->cached_bytes) {
        tern_lane_empty_cache(lane);
        status = vt->buffer_alloc(lane->device->object, bytes, &buffer, &err);
    }
    if (status == TERN_BACKEND_OK) return buffer;
    if (status == TERN_BACKEND_OUT_OF_MEMORY)
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY,
                  "%s: out of memory: %llu bytes for a tensor could not be allocated",
                  lane->device->name, (unsigned long long)bytes);
    else
        tern_lane_fail(lane, "allocation", status, &err);
    return NULL;
}

tern_storage *tern_storage_new(tern_lane *lane, uint64_t bytes) {
    if (bytes > (uint64_t)INT64_MAX / 2) {
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: %llu bytes exceed any memory",
                  lane->device->name, (unsigned long long)bytes);
        return NULL;
    }
    int size_class = class_of(bytes ? bytes : 1);
    tern_storage *storage = bytes ? from_cache(lane, size_class) : NULL;
    if (!storage) {
        storage = tern_alloc_zeroed(1, sizeof *storage);
        if (!storage) {
            tern_fail_memory(lane->ctx, sizeof *storage);
            return NULL;
        }
        storage->device = lane->device;
        storage->size_class = size_class;
        if (bytes) {
            storage->capacity = class_bytes(size_class);
            storage->buffer = take_buffer(lane, storage->capacity);
            if (!storage->buffer) {
                tern_free(storage);
                return NULL;
            }
        }
    }
    atomic_store(&storage->references, 1);
    storage->bytes = bytes;
    storage->version = 0;
    storage->next = NULL;
    count_bytes(lane->ctx, storage->capacity);
    return storage;
}

static void keep(void *user) {
    (void)user;
}

tern_storage *tern_storage_import(tern_lane *lane, void *memory, uint64_t bytes,
                                  void (*release)(void *user), void *user) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err = {{0}};
    if (!vt->buffer_import || bytes == 0 || (uintptr_t)memory % vt->alignment) return NULL;
    tern_storage *storage = tern_alloc_zeroed(1, sizeof *storage);
    if (!storage) return NULL;
    if (vt->buffer_import(lane->device->object, memory, bytes, &storage->buffer, &err) !=
        TERN_BACKEND_OK) {
        tern_free(storage);
        return NULL;
    }
    storage->device = lane->device;
    storage->bytes = bytes;
    storage->release = release ? release : keep;
    storage->release_user = user;
    atomic_store(&storage->references, 1);
    return storage;
}

void tern_storage_retain(tern_storage *storage) {
    atomic_fetch_add(&storage->references, 1);
}

static void storage_free(tern_storage *storage) {
    if (storage->buffer)
        storage->device->vtable.buffer_free(storage->device->object, NULL, storage->buffer);
    if (storage->release) storage->release(storage->release_user);
    tern_free(storage);
}

static tern_lane *lane_on(tern_ctx *ctx, const tern_device *device) {
    for (int i = 0; i < ctx->n_lanes; i++)
        if (ctx->lanes[i]->device == device) return ctx->lanes[i];
    return NULL;
}

void tern_storage_release(tern_ctx *ctx, tern_storage *storage) {
    if (!storage || atomic_fetch_sub(&storage->references, 1) != 1) return;
    tern_lane *lane = lane_on(ctx, storage->device);
    uint64_t held = ctx->stats.device_bytes;
    ctx->stats.device_bytes = held > storage->capacity ? held - storage->capacity : 0;
    if (!lane || storage->foreign || storage->release || !storage->buffer) {
        if (lane && (storage->foreign || storage->release)) tern_lane_synchronize(lane);
        storage_free(storage);
        return;
    }
    if (lane->cached_bytes + storage->capacity > lane->cache_limit) {
        tern_lane_synchronize(lane);
        storage_free(storage);
        return;
    }
    storage->next = lane->cached[storage->size_class];
    lane->cached[storage->size_class] = storage;
    lane->cached_bytes += storage->capacity;
}

void tern_lane_empty_cache(tern_lane *lane) {
    if (lane->cached_bytes && lane->queue) tern_lane_synchronize(lane);
    for (int c = 0; c < TERN_SIZE_CLASSES; c++) {
        while (lane->cached[c]) {
            tern_storage *storage = lane->cached[c];
            lane->cached[c] = storage->next;
            storage_free(storage);
        }
    }
    lane->cached_bytes = 0;
}
