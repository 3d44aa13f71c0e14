/* kit_copy.c: a backend's copies over its tern_kit_memory. */
#include <string.h>

#include "kit.h"

static char *enter(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err) {
    return ((tern_kit_device *)device)->memory->reach(device, buffer, err);
}

static void leave(tern_bdevice *device, tern_bbuffer *buffer) {
    const tern_kit_memory *memory = ((tern_kit_device *)device)->memory;
    if (memory->leave) memory->leave(device, buffer);
}

int32_t tern_kit_copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err) {
    (void)queue;
    char *to = enter(device, dst, err);
    if (!to) return TERN_BACKEND_FAILED;
    memmove(to + dst_offset, src, (size_t)bytes);
    leave(device, dst);
    return TERN_BACKEND_OK;
}

int32_t tern_kit_copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst,
                              tern_bbuffer *src, uint64_t src_offset, uint64_t bytes,
                              tern_backend_error *err) {
    (void)queue;
    const char *from = enter(device, src, err);
    if (!from) return TERN_BACKEND_FAILED;
    memmove(dst, from + src_offset, (size_t)bytes);
    leave(device, src);
    return TERN_BACKEND_OK;
}
