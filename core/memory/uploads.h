/*
 * uploads.h: copies from the host on a queue of their own, beside the kernels.
 *
 *     program's data ── memcpy ──> staging (pinned) ── upload queue ──> storage
 *                                                           │ mark
 *     kernels' queue  ── ... ── ... ── waits for the mark ──┴── first kernel that uses the storage
 *
 * The host waits only where all staging memory is under way. Storage of an upload is kept for later ones
 * when it is released: the upload queue waits for the kernels that used it last.
 */
#ifndef TERN_CORE_UPLOADS_H
#define TERN_CORE_UPLOADS_H

#include "core/objects.h"

/* Storage that is being filled with `bytes` of `data`, which has been read when this returns. NULL and
 * latched on failure. The lane's device has queues. */
tern_storage *tern_uploads_start(tern_lane *lane, const void *data, uint64_t bytes);

/* Later work of the kernels' queue comes after the upload that fills the storage. */
void tern_uploads_await(tern_storage *storage);

/* Keeps released storage of an upload; false where it must go back to the device. */
bool tern_uploads_keep(tern_storage *storage);
void tern_uploads_empty_cache(tern_lane *lane);

/* Waits for all uploads of the lane, and latches where one failed. */
tern_status tern_uploads_synchronize(tern_lane *lane);

void tern_uploads_close(tern_lane *lane);

#endif
