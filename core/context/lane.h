/*
 * lane.h: a context's use of one device: its queue, copies to and from the host, and waiting.
 */
#ifndef TERN_CORE_LANE_H
#define TERN_CORE_LANE_H

#include "core/objects.h"

/* Finds or opens a device for the context; NULL and latched on failure. NULL is the default. */
TERN_API tern_lane *tern_lane_open(tern_ctx *ctx, const char *device);
void tern_lane_close(tern_lane *lane);
tern_lane *tern_lane_of(const tern_tensor *tensor);

/* The context's lane on a CPU device, for operations of kind host and for fallbacks. */
tern_lane *tern_lane_cpu(tern_ctx *ctx);

/* Waits for the lane's work and latches what kernels report. */
TERN_API tern_status tern_lane_synchronize(tern_lane *lane);

/* From now on `watch`, which stays the caller's, hears of the errors of the context's lanes. */
TERN_API void tern_watch_add(tern_ctx *ctx, tern_watch *watch);
TERN_API void tern_watch_remove(tern_ctx *ctx, const tern_watch *watch);

/* Latches a slot's failure: "cpu_ref: copy to host: MESSAGE". */
TERN_API tern_status tern_lane_fail(tern_lane *lane, const char *what, int32_t status,
                                    const tern_backend_error *err);

tern_status tern_upload(tern_lane *lane, tern_storage *dst, uint64_t offset, const void *src,
                        uint64_t bytes);
/* Waits for the copy. */
tern_status tern_download(tern_lane *lane, void *dst, tern_storage *src, uint64_t offset,
                          uint64_t bytes);

#endif
