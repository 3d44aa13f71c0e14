/* uploads.c: copies from the host on a queue of their own, beside the kernels. */
#include "uploads.h"

#include <string.h>

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "mark.h"
#include "size_class.h"
#include "storage.h"

#define STAGES      4                   /* copies under way before the host waits for the oldest */
#define STAGE_BYTES ((uint64_t)8 << 20) /* at most so much in one copy */
#define KEPT        4 /* storages of a size that may be in use before one is waited for */

/* Pinned memory, and where the copy out of it ends. */
typedef struct stage {
    void *memory;
    uint64_t bytes;
    tern_mark *mark;
} stage;

struct tern_uploads {
    tern_bqueue *queue;
    stage stages[STAGES];
    int next;                             /* the stage that was used longest ago */
    tern_storage *first_kept, *last_kept; /* the first was released first */
};

static tern_uploads *open(tern_lane *lane) {
    if (lane->uploads) return lane->uploads;
    tern_uploads *uploads = tern_alloc_zeroed(1, sizeof *uploads);
    if (!uploads) {
        tern_fail_memory(lane->ctx, sizeof *uploads);
        return NULL;
    }
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status = lane->device->vtable.queue_create(lane->device->object, &uploads->queue, &err);
    if (status != TERN_BACKEND_OK) {
        tern_lane_fail(lane, "creating a queue for uploads", status, &err);
        tern_free(uploads);
        return NULL;
    }
    return lane->uploads = uploads;
}

/* ---- staging -------------------------------------------------------------------------------- */

static void stage_wait(tern_lane *lane, stage *s) {
    if (!s->mark) return;
    if (!tern_mark_passed(lane, s->mark)) tern_mark_wait(lane, s->mark);
    tern_mark_free(lane, s->mark);
    s->mark = NULL;
}

static void stage_free(tern_lane *lane, stage *s) {
    if (s->memory) lane->device->vtable.host_free(lane->device->object, s->memory);
    s->memory = NULL;
    s->bytes = 0;
}

/* A stage of `bytes` from which no copy is under way; NULL where the device has no such memory. */
static stage *stage_take(tern_lane *lane, uint64_t bytes) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    if (!vt->host_alloc) return NULL;
    stage *s = &lane->uploads->stages[lane->uploads->next];
    stage_wait(lane, s);
    if (s->bytes < bytes) {
        stage_free(lane, s);
        s->memory = vt->host_alloc(lane->device->object, tern_class_bytes(tern_class_of(bytes)));
        if (!s->memory) return NULL;
        s->bytes = tern_class_bytes(tern_class_of(bytes));
    }
    lane->uploads->next = (lane->uploads->next + 1) % STAGES;
    return s;
}

/* One copy of at most STAGE_BYTES. */
static tern_status copy_part(tern_lane *lane, tern_storage *storage, uint64_t offset,
                             const void *data, uint64_t bytes) {
    tern_backend_error err;
    err.message[0] = 0;
    stage *s = stage_take(lane, bytes);
    if (lane->ctx->status != TERN_OK) return lane->ctx->status;
    if (s) memcpy(s->memory, data, (size_t)bytes);
    int32_t status = lane->device->vtable.copy_to_device(lane->device->object, lane->uploads->queue,
                                                         storage->buffer, storage->offset + offset,
                                                         s ? s->memory : data, bytes, &err);
    if (status != TERN_BACKEND_OK) return tern_lane_fail(lane, "copy to device", status, &err);
    if (!s) return TERN_OK; /* memory of the program's has been read */
    s->mark = tern_mark_new(lane, lane->uploads->queue);
    return s->mark ? TERN_OK : tern_uploads_synchronize(lane);
}

/* ---- storage -------------------------------------------------------------------------------- */

static void unlink_kept(tern_uploads *uploads, tern_storage *before, tern_storage *storage) {
    if (before)
        before->next = storage->next;
    else
        uploads->first_kept = storage->next;
    if (uploads->last_kept == storage) uploads->last_kept = before;
}

/*
 * The oldest kept storage of a size. It is taken where its last use is over, or where enough others wait
 * as well: an upload that waits for kernels is better than memory without end.
 */
static tern_storage *take_kept(tern_lane *lane, uint64_t bytes) {
    tern_uploads *uploads = lane->uploads;
    tern_storage *oldest = NULL, *before_oldest = NULL, *before = NULL;
    int size_class = tern_class_of(bytes), count = 0;
    for (tern_storage *s = uploads->first_kept; s; before = s, s = s->next) {
        if (s->size_class != size_class) continue;
        if (!oldest) oldest = s, before_oldest = before;
        count++;
    }
    if (!oldest) return NULL;
    if (!tern_mark_passed(lane, oldest->ready)) {
        if (count < KEPT) return NULL;
        tern_mark_before(lane, uploads->queue, lane, oldest->ready);
    }
    unlink_kept(uploads, before_oldest, oldest);
    tern_mark_free(lane, oldest->ready);
    oldest->ready = NULL;
    lane->cached_bytes -= oldest->capacity;
    tern_storage_reuse(oldest, bytes);
    return oldest;
}

bool tern_uploads_keep(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    if (storage->traits & TERN_STORAGE_ODD ||
        lane->cached_bytes + storage->capacity > lane->cache_limit)
        return false;
    storage->ready = tern_mark_new(lane, lane->queue);
    if (!storage->ready) return false;
    storage->next = NULL;
    if (lane->uploads->last_kept)
        lane->uploads->last_kept->next = storage;
    else
        lane->uploads->first_kept = storage;
    lane->uploads->last_kept = storage;
    lane->cached_bytes += storage->capacity;
    return true;
}

void tern_uploads_empty_cache(tern_lane *lane) {
    tern_uploads *uploads = lane->uploads;
    while (uploads && uploads->first_kept) {
        tern_storage *storage = uploads->first_kept;
        unlink_kept(uploads, NULL, storage);
        tern_mark_free(lane, storage->ready);
        storage->ready = NULL;
        tern_storage_discard(storage);
    }
}

/* Where the upload ends; without a mark for that it has to have ended. */
static void mark_end(tern_lane *lane, tern_storage *storage) {
    storage->ready = tern_mark_new(lane, lane->uploads->queue);
    if (storage->ready)
        storage->traits |= TERN_STORAGE_FILLING;
    else
        tern_uploads_synchronize(lane);
}

tern_storage *tern_uploads_start(tern_lane *lane, const void *data, uint64_t bytes) {
    tern_uploads *uploads = open(lane);
    if (!uploads) return NULL;
    tern_storage *storage = take_kept(lane, bytes);
    if (!storage) storage = tern_storage_fresh(lane, bytes);
    if (!storage) return NULL;
    storage->traits |= TERN_STORAGE_UPLOAD;
    tern_status status = TERN_OK;
    for (uint64_t at = 0; at < bytes && status == TERN_OK; at += STAGE_BYTES)
        status = copy_part(lane, storage, at, (const char *)data + at,
                           bytes - at < STAGE_BYTES ? bytes - at : STAGE_BYTES);
    mark_end(lane, storage);
    if (lane->ctx->status == TERN_OK) return storage;
    tern_storage_release(storage);
    return NULL;
}

void tern_uploads_await(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    tern_mark_before(lane, lane->queue, lane, storage->ready);
    tern_mark_free(lane, storage->ready);
    storage->ready = NULL;
    storage->traits &= ~(uint32_t)TERN_STORAGE_FILLING;
}

/* ---- the queue ------------------------------------------------------------------------------ */

tern_status tern_uploads_synchronize(tern_lane *lane) {
    if (!lane->uploads) return TERN_OK;
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status =
        lane->device->vtable.queue_synchronize(lane->device->object, lane->uploads->queue, &err);
    return status == TERN_BACKEND_OK ? TERN_OK : tern_lane_fail(lane, "uploads", status, &err);
}

void tern_uploads_close(tern_lane *lane) {
    tern_uploads *uploads = lane->uploads;
    if (!uploads) return;
    tern_backend_error err;
    lane->device->vtable.queue_synchronize(lane->device->object, uploads->queue, &err);
    for (int i = 0; i < STAGES; i++) {
        tern_mark_free(lane, uploads->stages[i].mark);
        stage_free(lane, &uploads->stages[i]);
    }
    lane->device->vtable.queue_destroy(lane->device->object, uploads->queue);
    tern_free(uploads);
    lane->uploads = NULL;
}
