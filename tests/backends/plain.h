/*
 * plain.h: buffers and copies of a test backend whose memory is the host's and whose handles are addresses: slots of
 * its table.
 */
#ifndef TERN_TESTS_PLAIN_H
#define TERN_TESTS_PLAIN_H

#include "cpu_ref/kit.h"

/* The host's table, which the backend's query sets before a device is opened. */
extern const tern_host *plain_host;

int32_t plain_buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                           tern_backend_error *err);
void plain_buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer);
int32_t plain_copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                             uint64_t dst_offset, const void *src, uint64_t bytes,
                             tern_backend_error *err);
int32_t plain_copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                           uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

#endif
