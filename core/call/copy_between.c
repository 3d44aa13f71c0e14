/*
 * copy_between.c: copies between devices of one plugin.
 *
 *     source's queue   ... writes ── mark ────────────────── waits ── may write again
 *                                      │                       │
 *     target's queue   ...           waits ── copy ── mark ────┘
 */
#include "copy_between.h"

#include "core/context/lane.h"
#include "core/memory/mark.h"
#include "core/memory/storage.h"
#include "recorder.h"

/* Later work of `later` comes after what is queued in `earlier` now. */
static void order(tern_lane *later, tern_lane *earlier) {
    if (!earlier->queue) return; /* its work is done */
    tern_mark *mark = later->queue ? tern_mark_new(earlier, earlier->queue) : NULL;
    if (mark)
        tern_mark_before(later, later->queue, earlier, mark);
    else
        tern_lane_synchronize(earlier);
    tern_mark_free(earlier, mark);
}

bool tern_copy_between(tern_storage *dst, uint64_t dst_offset, tern_storage *src,
                       uint64_t src_offset, uint64_t bytes) {
    tern_lane *to = dst->lane, *from = src->lane;
    const tern_bdevice_vtable *vt = &to->device->vtable;
    if (!vt->copy_between || !tern_device_same_library(to->device, from->device)) return false;
    if (tern_storage_settle(dst) != TERN_OK || tern_storage_settle(src) != TERN_OK) return true;
    tern_cannot_replay(to->ctx, "it copies between devices");
    order(to, from);
    if (to->ctx->status != TERN_OK) return true;
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status =
        vt->copy_between(to->device->object, to->queue, dst->buffer, dst->offset + dst_offset,
                         from->device->object, src->buffer, src->offset + src_offset, bytes, &err);
    if (status == TERN_BACKEND_UNSUPPORTED) return false;
    if (status != TERN_BACKEND_OK) {
        tern_lane_fail(to, "copy between devices", status, &err);
        return true;
    }
    dst->stamp = tern_new_stamp(to->ctx);
    order(from, to);
    return true;
}
