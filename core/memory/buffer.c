/* buffer.c: buffers from the device. */
#define _GNU_SOURCE /* secure_getenv */
#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/context/lane.h"
#include "size_class.h"
#include "storage.h"

#define DEFAULT_CACHE_LIMIT ((uint64_t)1 << 32)

#define WORTH_ASKING 4096 /* what rounding adds below a page is not what memory lacks */

uint64_t tern_buffer_bytes(const tern_lane *lane, uint64_t bytes) {
    uint64_t rounded = tern_class_bytes(tern_class_of(bytes));
    uint64_t largest = lane->device->vtable.largest_allocation;
    return largest && rounded > largest ? largest : rounded;
}

static int32_t refuse(tern_backend_error *err, uint64_t bytes, uint64_t largest) {
    if (largest)
        snprintf(err->message, sizeof err->message,
                 "a tensor of %llu bytes is larger than the device's largest allocation, %llu",
                 (unsigned long long)bytes, (unsigned long long)largest);
    else {
        tern_backend_error own = *err; /* what the backend says of its memory */
        snprintf(err->message, sizeof err->message,
                 "out of memory: %llu bytes for a tensor could not be allocated%s%.170s",
                 (unsigned long long)bytes, own.message[0] ? ": " : "", own.message);
    }
    return TERN_BACKEND_OUT_OF_MEMORY;
}

int32_t tern_buffer_take(tern_lane *lane, uint64_t bytes, bool rounded, tern_bbuffer **out_buffer,
                         uint64_t *out_capacity, tern_backend_error *err) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_bdevice *device = lane->device->object;
    *out_buffer = NULL;
    err->message[0] = 0;
    if (vt->largest_allocation && bytes > vt->largest_allocation)
        return refuse(err, bytes, vt->largest_allocation);
    *out_capacity = rounded ? tern_buffer_bytes(lane, bytes) : bytes;
    int32_t status = vt->buffer_alloc(device, *out_capacity, out_buffer, err);
    if (status == TERN_BACKEND_OUT_OF_MEMORY && lane->cached_bytes > 0) {
        tern_lane_empty_cache(lane);
        status = vt->buffer_alloc(device, *out_capacity, out_buffer, err);
    }
    if (status == TERN_BACKEND_OUT_OF_MEMORY && lane->queue) {
        if (tern_lane_synchronize(lane) != TERN_OK) return refuse(err, bytes, 0);
        status = vt->buffer_alloc(device, *out_capacity, out_buffer, err);
    }
    if (status == TERN_BACKEND_OUT_OF_MEMORY && *out_capacity - bytes >= WORTH_ASKING) {
        *out_capacity = bytes;
        status = vt->buffer_alloc(device, bytes, out_buffer, err);
    }
    return status == TERN_BACKEND_OUT_OF_MEMORY ? refuse(err, bytes, 0) : status;
}

uint64_t tern_cache_limit(const tern_device *device) {
    uint64_t limit = DEFAULT_CACHE_LIMIT, available, total;
    const char *text = secure_getenv("TERN_CACHE_LIMIT");
    if (text && *text) {
        char *end;
        unsigned long long bytes = strtoull(text, &end, 10);
        if (!*end) limit = (uint64_t)bytes;
    }
    tern_backend_error err;
    err.message[0] = 0;
    if (device->vtable.memory_info &&
        device->vtable.memory_info(device->object, &available, &total, &err) == TERN_BACKEND_OK &&
        total < limit)
        limit = total;
    return limit;
}
