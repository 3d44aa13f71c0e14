/*
 * storage.h: counted storage and the cache that makes its reuse cheap.
 */
#ifndef TERN_CORE_STORAGE_H
#define TERN_CORE_STORAGE_H

#include "core/objects.h"

/* Storage with contents open; NULL and latched when memory is out. */
TERN_API tern_storage *tern_storage_new(tern_lane *lane, uint64_t bytes);

/* The same without latching: a backend's status, with a message that names the size. */
int32_t tern_storage_try(tern_lane *lane, uint64_t bytes, tern_storage **out_storage,
                         tern_backend_error *err);

/* Storage with a new buffer of its own, which no queued work has used; NULL and latched when memory is
 * out. */
tern_storage *tern_storage_fresh(tern_lane *lane, uint64_t bytes);

/* Storage with a new buffer that is no larger than it must be: for what is large and stays. NULL and latched when
 * memory is out. */
TERN_API tern_storage *tern_storage_exact(tern_lane *lane, uint64_t bytes);

/* Storage that the upload queue has kept begins anew; back to the device with it. */
void tern_storage_reuse(tern_storage *storage, uint64_t bytes);
void tern_storage_discard(tern_storage *storage);

/* Storage that holds one number everywhere: `f` where the dtype is floating, else `i`, both brought to
 * the dtype. Takes no memory before somebody looks where it is small. */
tern_storage *tern_storage_uniform(tern_lane *lane, uint64_t bytes, tern_dtype dtype, double f,
                                   int64_t i);

/* Makes it hold one number everywhere, whatever it held. */
void tern_storage_set_uniform(tern_storage *storage, tern_dtype dtype, double f, int64_t i);

/* Gives bytes to storage that has none yet, writes a number that is not written yet, and orders later
 * kernels after an upload: what must have been done before anything looks at the bytes. */
TERN_API tern_status tern_storage_make_ready(tern_storage *storage);

/* Gives bytes to storage that has none yet; the number is forgotten, since all of it will be written. */
tern_status tern_storage_open(tern_storage *storage);

static inline tern_status tern_storage_settle(tern_storage *storage) {
    return storage->traits & TERN_STORAGE_UNSETTLED ? tern_storage_make_ready(storage) : TERN_OK;
}

/* Storage over the program's memory, `offset` bytes within a block, which `release` gives back when the device is
 * done with it; NULL, and nothing latched, where the device cannot use it. The device's buffer begins at an
 * aligned byte before it, which the block must hold. */
tern_storage *tern_storage_import(tern_lane *lane, char *block, size_t offset, uint64_t bytes,
                                  void (*release)(void *user), void *user);

static inline void tern_storage_retain(tern_storage *storage) {
    storage->references++;
}

/* NULL is fine. */
TERN_API void tern_storage_free(tern_storage *storage);
static inline void tern_storage_release(tern_storage *storage) {
    if (storage && --storage->references == 0) tern_storage_free(storage);
}

/* Makes sure that `count` storages without a buffer can be made without memory. */
tern_status tern_storage_reserve(tern_lane *lane, int count);

void tern_lane_empty_cache(tern_lane *lane);

/* A stamp that no contents in this process had. */
TERN_API uint64_t tern_more_stamps(tern_ctx *ctx);
static inline uint64_t tern_new_stamp(tern_ctx *ctx) {
    return ctx->next_stamp < ctx->last_stamp ? ctx->next_stamp++ : tern_more_stamps(ctx);
}

/* ---- writing ----
 * The program's memory may be imported more than once: what is written through one storage is written
 * in all of the context that overlap it. */

TERN_API void tern_storage_raise_twins(tern_storage *storage);
TERN_API void tern_storage_stamp_twins(tern_storage *storage);

/* Raises the version: what was saved of the contents is stale. */
static inline void tern_storage_raise_version(tern_storage *storage) {
    storage->version++;
    if (storage->has_twin) tern_storage_raise_twins(storage);
}

/* Gives the contents a new stamp. */
static inline void tern_storage_restamp(tern_storage *storage) {
    storage->stamp = tern_new_stamp(storage->lane->ctx);
    if (storage->has_twin) tern_storage_stamp_twins(storage);
}

#endif
