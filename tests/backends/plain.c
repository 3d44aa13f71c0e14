#include "plain.h"

#include <string.h>

const tern_host *plain_host;

int32_t plain_buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                           tern_backend_error *err) {
    (void)device;
    *out_buffer = bytes <= PTRDIFF_MAX ? plain_host->alloc((size_t)bytes) : NULL;
    if (*out_buffer) return TERN_BACKEND_OK;
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "out of memory");
}

void plain_buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)device, (void)queue;
    plain_host->free(buffer);
}

int32_t plain_copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                             uint64_t dst_offset, const void *src, uint64_t bytes,
                             tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memmove((char *)dst + dst_offset, src, (size_t)bytes);
    return TERN_BACKEND_OK;
}

int32_t plain_copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                           uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memmove(dst, (const char *)src + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}
