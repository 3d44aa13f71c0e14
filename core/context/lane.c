/* lane.c: a context's use of a device: its queue, copies to and from the host, and waiting. */
#include "lane.h"

#include <string.h>

#include "core/call/plan.h"
#include "core/call/recorder.h"
#include "core/ground/error.h"
#include "core/memory/buffer.h"
#include "core/memory/mark.h"
#include "core/memory/pending.h"
#include "core/memory/storage.h"
#include "core/memory/uploads.h"
#include "core/plugin/profiler.h"

static tern_status status_of(int32_t backend_status) {
    switch (backend_status) {
    case TERN_BACKEND_OK: return TERN_OK;
    case TERN_BACKEND_OUT_OF_MEMORY: return TERN_ERR_OUT_OF_MEMORY;
    case TERN_BACKEND_UNSUPPORTED: return TERN_ERR_UNSUPPORTED;
    case TERN_BACKEND_BAD_INDEX: return TERN_ERR_INDEX;
    case TERN_BACKEND_INVALID: return TERN_ERR_INTERNAL;
    default: return TERN_ERR_DEVICE;
    }
}

tern_status tern_lane_fail(tern_lane *lane, const char *what, int32_t status,
                           const tern_backend_error *err) {
    /* A bad index is the program's error, reported as PyTorch words it. */
    if (status == TERN_BACKEND_BAD_INDEX)
        return tern_fail(lane->ctx, TERN_ERR_INDEX, "%s (device %s)",
                         err->message[0] ? err->message : "index out of bounds",
                         lane->device->name);
    return tern_fail(lane->ctx, status_of(status), "%s: %s failed: %s", lane->device->name, what,
                     err->message[0] ? err->message : "the device gave no reason");
}

static tern_lane *find(tern_ctx *ctx, const tern_device *device) {
    for (int i = 0; i < ctx->n_lanes; i++)
        if (ctx->lanes[i]->device == device) return ctx->lanes[i];
    return NULL;
}

/* A device that keeps its kernels' error where kernels can read it says where. */
static void find_skip_flag(tern_lane *lane) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err = {{0}};
    if (vt->skip_flag && vt->skip_flag(lane->device->object, lane->queue, &lane->skip_flag,
                                       &lane->skip_flag_offset, &err) != TERN_BACKEND_OK)
        lane->skip_flag = NULL;
}

/* The lane over an opened device, whose reference it takes. */
static tern_lane *lane_new(tern_ctx *ctx, tern_device *device) {
    if (ctx->n_lanes == TERN_MAX_LANES) {
        tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: a context holds at most %d devices", device->name,
                  TERN_MAX_LANES);
        return NULL;
    }
    tern_lane *lane = tern_alloc_zeroed(1, sizeof *lane);
    if (!lane) {
        tern_fail_memory(ctx, sizeof *lane);
        return NULL;
    }
    lane->ctx = ctx;
    lane->device = device;
    lane->cache_limit = tern_cache_limit(device);
    if (device->vtable.queue_create) {
        tern_backend_error err = {{0}};
        int32_t status = device->vtable.queue_create(device->object, &lane->queue, &err);
        if (status != TERN_BACKEND_OK) {
            tern_lane_fail(lane, "creating a queue", status, &err);
            tern_free(lane);
            return NULL;
        }
    }
    find_skip_flag(lane);
    ctx->lanes[ctx->n_lanes++] = lane;
    if (tern_profiler_linked) tern_profiler_linked->lane_opened(lane);
    return lane;
}

tern_lane *tern_lane_open(tern_ctx *ctx, const char *name) {
    if (!name && ctx->n_lanes) return ctx->lanes[0];
    for (int i = 0; name && i < ctx->n_lanes; i++)
        if (strcmp(ctx->lanes[i]->device->name, name) == 0) return ctx->lanes[i];
    tern_fault fault = {0};
    tern_device *device = NULL;
    if (tern_registry_open(name, &device, &fault) != TERN_OK) {
        tern_latch_fault(ctx, &fault);
        return NULL;
    }
    tern_lane *lane = find(ctx, device);
    if (lane) {
        tern_registry_close(device);
        return lane;
    }
    lane = lane_new(ctx, device);
    if (!lane) tern_registry_close(device);
    return lane;
}

void tern_lane_close(tern_lane *lane) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err;
    err.message[0] = 0;
    tern_plans_free(lane);
    tern_lane_empty_cache(lane);
    tern_uploads_close(lane);
    if (lane->queue) vt->queue_synchronize(lane->device->object, lane->queue, &err);
    tern_pending_close(lane);
    tern_marks_close(lane);
    if (tern_profiler_linked) tern_profiler_linked->lane_closing(lane);
    if (lane->queue) vt->queue_destroy(lane->device->object, lane->queue);
    tern_registry_close(lane->device);
    tern_free(lane);
}

tern_lane *tern_lane_of(const tern_tensor *tensor) {
    return BODY(tensor)->lane;
}

tern_lane *tern_lane_cpu(tern_ctx *ctx) {
    for (int i = 0; i < ctx->n_lanes; i++)
        if (ctx->lanes[i]->device->is_cpu) return ctx->lanes[i];
    return tern_lane_open(ctx, "cpu");
}

void tern_watch_add(tern_ctx *ctx, tern_watch *watch) {
    watch->next = ctx->watches;
    ctx->watches = watch;
}

void tern_watch_remove(tern_ctx *ctx, const tern_watch *watch) {
    tern_watch **link = &ctx->watches;
    while (*link && *link != watch) link = &(*link)->next;
    if (*link) *link = watch->next;
}

tern_status tern_lane_synchronize(tern_lane *lane) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status = TERN_BACKEND_OK;
    if (lane->queue) status = vt->queue_synchronize(lane->device->object, lane->queue, &err);
    lane->waits++;
    if (status == TERN_BACKEND_OK && vt->take_error)
        status = vt->take_error(lane->device->object, lane->queue, &err);
    if (status != TERN_BACKEND_OK) {
        for (tern_watch *w = lane->ctx->watches; w; w = w->next) w->failed(w, lane);
        tern_lane_fail(lane, "work on the device", status, &err);
    }
    tern_pending_look(lane->ctx);
    return lane->ctx->status;
}

tern_status tern_upload(tern_lane *lane, tern_storage *dst, uint64_t offset, const void *src,
                        uint64_t bytes) {
    if (bytes == 0) return TERN_OK;
    if (tern_storage_settle(dst) != TERN_OK) return lane->ctx->status;
    tern_storage_restamp(dst);
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status = lane->device->vtable.copy_to_device(
        lane->device->object, lane->queue, dst->buffer, dst->offset + offset, src, bytes, &err);
    if (status != TERN_BACKEND_OK) return tern_lane_fail(lane, "copy to device", status, &err);
    tern_recorder *recorder = lane->ctx->recorder;
    if (recorder) recorder->uploaded(recorder, dst, offset, src, bytes);
    return TERN_OK;
}

tern_status tern_download(tern_lane *lane, void *dst, tern_storage *src, uint64_t offset,
                          uint64_t bytes) {
    if (bytes == 0) return TERN_OK;
    if (tern_storage_settle(src) != TERN_OK) return lane->ctx->status;
    tern_cannot_replay(lane->ctx,
                       "it reads a tensor's values (tern_item, tern_to_host, an operation "
                       "whose result's shape depends on values)");
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status = lane->device->vtable.copy_to_host(
        lane->device->object, lane->queue, dst, src->buffer, src->offset + offset, bytes, &err);
    if (status != TERN_BACKEND_OK) return tern_lane_fail(lane, "copy to host", status, &err);
    return tern_lane_synchronize(lane);
}
