/*
 * buffer.h: buffers from the device: its limits, and what is tried when its memory is out.
 */
#ifndef TERN_CORE_BUFFER_H
#define TERN_CORE_BUFFER_H

#include "core/objects.h"

/* What a request for `bytes` is rounded up to: a size class, or the device's largest allocation where that
 * is smaller. */
uint64_t tern_buffer_bytes(const tern_lane *lane, uint64_t bytes);

/*
 * A buffer of at least `bytes`, if `rounded` rounded up where there is memory for that. When memory is out, the cache is
 * emptied, then queued work is waited for, which frees what it used, then the exact size is asked for.
 * Returns a backend's status with a message that names the sizes; latches nothing.
 */
int32_t tern_buffer_take(tern_lane *lane, uint64_t bytes, bool rounded, tern_bbuffer **out_buffer,
                         uint64_t *out_capacity, tern_backend_error *err);

/* How much a lane's cache may hold: TERN_CACHE_LIMIT or a default, and never more than the device has. */
uint64_t tern_cache_limit(const tern_device *device);

#endif
