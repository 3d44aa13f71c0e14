/* The memory of the faulty device, and the bugs in it. */
#include <string.h>

#include "faulty.h"

/* The bugs of memory stand out where buffers are small and many. */
enum { EVERY = 16 };

static tern_bbuffer *buffer_over(const tern_host *host, char *memory, uint64_t bytes, int *owners) {
    tern_bbuffer *buffer = memory ? host->alloc(sizeof *buffer) : NULL;
    if (buffer) *buffer = (tern_bbuffer){memory, bytes, owners};
    return buffer;
}

/* The memory begins behind the count of its owners. */
static tern_bbuffer *new_buffer(const tern_host *host, uint64_t bytes) {
    enum { AHEAD = 64 };
    bool fits = bytes <= SIZE_MAX / 2;
    char *memory = fits ? host->alloc(AHEAD + (size_t)bytes) : NULL;
    if (!memory) return NULL;
    int *owners = (int *)(void *)memory;
    *owners = 1;
    tern_bbuffer *buffer = buffer_over(host, memory + AHEAD, bytes, owners);
    if (!buffer) host->free(memory);
    return buffer;
}

int32_t faulty_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    faulty_device *self = (faulty_device *)base;
    const tern_host *host = self->kit.host;
    tern_bbuffer *lender = self->latest;
    bool twice = self->bug == BUG_MEMORY_TWICE && ++self->allocations % EVERY == 0 && lender &&
                 lender->bytes >= bytes;
    *out_buffer =
        twice ? buffer_over(host, lender->memory, bytes, lender->owners) : new_buffer(host, bytes);
    if (!*out_buffer)
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    if (twice) ++*lender->owners;
    self->latest = *out_buffer;
    return TERN_BACKEND_OK;
}

void faulty_buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    faulty_device *self = (faulty_device *)base;
    faulty_catch_up(self);
    if (self->latest == buffer) self->latest = NULL;
    if (--*buffer->owners == 0) self->kit.host->free(buffer->owners);
    self->kit.host->free(buffer);
}

int32_t faulty_copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    (void)queue;
    faulty_device *self = (faulty_device *)base;
    faulty_catch_up(self);
    if (self->bug == BUG_UPLOAD_TO_START) dst_offset = 0;
    if (self->bug != BUG_STALE_UPLOAD) {
        memcpy(dst->memory + dst_offset, src, (size_t)bytes);
        return TERN_BACKEND_OK;
    }
    self->late.data = self->kit.host->alloc((size_t)bytes);
    if (!self->late.data)
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    memcpy(self->late.data, src, (size_t)bytes);
    self->late.dst = dst;
    self->late.offset = dst_offset;
    self->late.bytes = bytes;
    return TERN_BACKEND_OK;
}

int32_t faulty_copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)queue, (void)err;
    faulty_device *self = (faulty_device *)base;
    if (self->bug != BUG_LATE_LAUNCH) faulty_catch_up(self);
    if (self->bug == BUG_SHORT_DOWNLOAD) bytes--;
    if (self->bug == BUG_DOWNLOAD_FROM_START) src_offset = 0;
    memcpy(dst, src->memory + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}
