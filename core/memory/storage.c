/*
 * storage.c: counted storage and the cache that makes its reuse cheap.
 *
 * Freed buffers wait in lists by size class, per lane (device and queue). Work on one queue runs in
 * order, so a buffer may be reused there at once. Those that uploads fill have a list of their own
 * (uploads.c), small ones are pieces of large ones (shared_buffer.c).
 */
#include "storage.h"

#include <stdatomic.h>
#include <stdio.h>

#include "buffer.h"
#include "core/call/recorder.h"
#include "core/context/lane.h"
#include "core/ground/error.h"
#include "numerics/dtype_convert.h"
#include "pending.h"
#include "shared_buffer.h"
#include "size_class.h"
#include "uploads.h"

/* Uniform storage of at most so many bytes has no buffer before somebody looks; larger storage has one
 * from the start, so that a lack of memory is known where the tensor is made. */
#define BARE_BYTES 4096

/* ---- stamps ---------------------------------------------------------------------------------- */

uint64_t tern_more_stamps(tern_ctx *ctx) {
    static atomic_uint_fast64_t next = 1;
    enum { RANGE = 1 << 20 };
    ctx->next_stamp = atomic_fetch_add(&next, RANGE);
    ctx->last_stamp = ctx->next_stamp + RANGE;
    return ctx->next_stamp++;
}

/* ---- buffers --------------------------------------------------------------------------------- */

static void count_bytes(tern_ctx *ctx, uint64_t bytes) {
    ctx->stats.device_bytes += bytes;
    if (ctx->stats.device_bytes > ctx->stats.device_bytes_peak)
        ctx->stats.device_bytes_peak = ctx->stats.device_bytes;
}

static tern_storage *from_cache(tern_lane *lane, int size_class) {
    tern_storage *storage = lane->cached[size_class];
    if (!storage) return NULL;
    lane->cached[size_class] = storage->next;
    lane->cached_bytes -= storage->capacity;
    return storage;
}

/* A struct without a buffer; NULL when memory is out. */
static tern_storage *bare_struct(tern_lane *lane) {
    tern_storage *storage = lane->bare;
    if (storage)
        lane->bare = storage->next;
    else
        storage = tern_alloc(sizeof *storage);
    return storage;
}

/* Sets what a new storage begins with. */
static tern_storage *begin(tern_lane *lane, tern_storage *storage, uint64_t bytes) {
    storage->lane = lane;
    storage->references = 1;
    storage->bytes = bytes;
    storage->version = 0;
    storage->stamp = tern_new_stamp(lane->ctx);
    storage->has_twin = false;
    storage->traits &= ~(uint32_t)TERN_STORAGE_UNSETTLED;
    return storage;
}

static tern_storage *begin_bare(tern_lane *lane, uint64_t bytes) {
    tern_storage *storage = bare_struct(lane);
    if (!storage) return NULL;
    storage->buffer = NULL;
    storage->shared = NULL;
    storage->offset = 0;
    storage->capacity = 0;
    storage->traits = 0;
    storage->release = NULL;
    storage->made_in = lane->ctx->recorder ? lane->ctx->recorder->serial : 0;
    return begin(lane, storage, bytes);
}

static tern_storage *bare_or_latch(tern_lane *lane, uint64_t bytes) {
    tern_storage *storage = begin_bare(lane, bytes);
    if (!storage) tern_fail_memory(lane->ctx, sizeof *storage);
    return storage;
}

/* SHARED: a place in a shared buffer where it may be, else a buffer of its own. EXACT: of its own, and not
 * rounded up. */
typedef enum placing { SHARED, OWN, EXACT } placing;

/* A buffer of an unusual size serves no other request. */
static int32_t add_buffer(tern_storage *storage, placing how, tern_backend_error *err) {
    tern_lane *lane = storage->lane;
    tern_pending_look(lane->ctx);
    storage->size_class = tern_class_of(storage->bytes);
    if (how == SHARED && tern_shared_cut(lane, storage)) return TERN_BACKEND_OK;
    int32_t status = tern_buffer_take(lane, storage->bytes, how != EXACT, &storage->buffer,
                                      &storage->capacity, err);
    if (storage->capacity != tern_buffer_bytes(lane, storage->bytes))
        storage->traits |= TERN_STORAGE_ODD;
    return status;
}

static void give_struct(tern_storage *storage) {
    storage->next = storage->lane->bare;
    storage->lane->bare = storage;
}

tern_status tern_storage_reserve(tern_lane *lane, int count) {
    int have = 0;
    for (const tern_storage *bare = lane->bare; bare && have < count; bare = bare->next) have++;
    for (; have < count; have++) {
        tern_storage *storage = tern_alloc(sizeof *storage);
        if (!storage) return tern_fail_memory(lane->ctx, sizeof *storage);
        storage->lane = lane;
        give_struct(storage);
    }
    return TERN_OK;
}

/* Not from the cache. */
static int32_t make(tern_lane *lane, uint64_t bytes, placing how, tern_storage **out_storage,
                    tern_backend_error *err) {
    *out_storage = NULL;
    if (bytes > (uint64_t)INT64_MAX / 2) {
        snprintf(err->message, sizeof err->message, "%llu bytes exceed any memory",
                 (unsigned long long)bytes);
        return TERN_BACKEND_OUT_OF_MEMORY;
    }
    tern_storage *storage = begin_bare(lane, bytes);
    if (!storage) {
        snprintf(err->message, sizeof err->message, "out of memory on the host");
        return TERN_BACKEND_OUT_OF_MEMORY;
    }
    int32_t status = bytes ? add_buffer(storage, how, err) : TERN_BACKEND_OK;
    if (status == TERN_BACKEND_OK) {
        count_bytes(lane->ctx, storage->capacity);
        *out_storage = storage;
    } else {
        give_struct(storage);
    }
    return status;
}

static void latch(tern_lane *lane, int32_t status, const tern_backend_error *err) {
    if (status == TERN_BACKEND_OUT_OF_MEMORY)
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: %s", lane->device->name, err->message);
    else
        tern_lane_fail(lane, "allocation", status, err);
}

/* Of a size that the cache may have; NULL where it has none. */
static inline tern_storage *make_from_cache(tern_lane *lane, uint64_t bytes) {
    if (bytes - 1 >= (uint64_t)INT64_MAX / 2) return NULL;
    tern_storage *storage = from_cache(lane, tern_class_of(bytes));
    if (!storage) return NULL;
    count_bytes(lane->ctx, storage->capacity);
    return begin(lane, storage, bytes);
}

int32_t tern_storage_try(tern_lane *lane, uint64_t bytes, tern_storage **out_storage,
                         tern_backend_error *err) {
    *out_storage = make_from_cache(lane, bytes);
    return *out_storage ? TERN_BACKEND_OK : make(lane, bytes, SHARED, out_storage, err);
}

static tern_storage *make_or_latch(tern_lane *lane, uint64_t bytes, placing how) {
    tern_backend_error err;
    tern_storage *storage;
    int32_t status = make(lane, bytes, how, &storage, &err);
    if (status != TERN_BACKEND_OK) latch(lane, status, &err);
    return storage;
}

tern_storage *tern_storage_new(tern_lane *lane, uint64_t bytes) {
    tern_storage *storage = make_from_cache(lane, bytes);
    return storage ? storage : make_or_latch(lane, bytes, SHARED);
}

tern_storage *tern_storage_fresh(tern_lane *lane, uint64_t bytes) {
    return make_or_latch(lane, bytes, OWN);
}

tern_storage *tern_storage_exact(tern_lane *lane, uint64_t bytes) {
    return make_or_latch(lane, bytes, EXACT);
}

void tern_storage_reuse(tern_storage *storage, uint64_t bytes) {
    begin(storage->lane, storage, bytes);
    count_bytes(storage->lane->ctx, storage->capacity);
}

/* ---- one number everywhere ------------------------------------------------------------------- */

static tern_status write_uniform(tern_storage *storage, bool is_told);

/* Storage from outside of a captured body is written at once: the body's part in it is this write. */
void tern_storage_set_uniform(tern_storage *storage, tern_dtype dtype, double f, int64_t i) {
    const tern_recorder *recorder = storage->lane->ctx->recorder;
    storage->traits |= TERN_STORAGE_UNIFORM;
    storage->uniform_dtype = dtype;
    if (tern_is_float(dtype))
        storage->uniform_f = tern_num_as_f64((int)dtype, f);
    else
        storage->uniform_i = tern_num_as_i64((int)dtype, i);
    storage->stamp = tern_new_stamp(storage->lane->ctx);
    if (recorder && !tern_is_made_inside(storage, recorder)) write_uniform(storage, true);
}

tern_storage *tern_storage_uniform(tern_lane *lane, uint64_t bytes, tern_dtype dtype, double f,
                                   int64_t i) {
    tern_storage *storage =
        bytes <= BARE_BYTES ? bare_or_latch(lane, bytes) : tern_storage_new(lane, bytes);
    if (storage) tern_storage_set_uniform(storage, dtype, f, i);
    return storage;
}

/* Takes over a cached buffer of the right class, or a new one. */
static bool settle_buffer(tern_storage *storage) {
    if (storage->buffer || storage->bytes == 0) return true;
    tern_storage *cached = from_cache(storage->lane, tern_class_of(storage->bytes));
    tern_backend_error err;
    int32_t status = TERN_BACKEND_OK;
    if (cached) {
        storage->size_class = cached->size_class;
        storage->capacity = cached->capacity;
        storage->buffer = cached->buffer;
        storage->shared = cached->shared;
        storage->traits |= cached->traits;
        storage->offset = cached->offset;
        give_struct(cached);
    } else if ((status = add_buffer(storage, SHARED, &err)) != TERN_BACKEND_OK) {
        storage->capacity = 0;
        latch(storage->lane, status, &err);
        return false;
    }
    count_bytes(storage->lane->ctx, storage->capacity);
    return true;
}

tern_status tern_storage_open(tern_storage *storage) {
    if (storage->traits & TERN_STORAGE_FILLING) tern_uploads_await(storage);
    if (!settle_buffer(storage)) return storage->lane->ctx->status;
    storage->traits &= ~(uint32_t)TERN_STORAGE_UNIFORM;
    return TERN_OK;
}

/* A recorder is told of it where the number is the body's, and not what was there before. */
static tern_status write_uniform(tern_storage *storage, bool is_told) {
    tern_lane *lane = storage->lane;
    if (tern_storage_open(storage) != TERN_OK) return lane->ctx->status;
    int64_t size = (int64_t)tern_dtype_size(storage->uniform_dtype);
    const int64_t count = (int64_t)storage->bytes / size, step = 1;
    if (count == 0) return TERN_OK;
    tern_fill_attrs attrs = {storage->uniform_f, storage->uniform_i};
    tern_operand out = {.buffer = storage->buffer,
                        .at.byte_offset = storage->offset,
                        .dtype = (int32_t)storage->uniform_dtype,
                        .rank = 1,
                        .shape = &count,
                        .strides = &step,
                        .flags = TERN_OPERAND_CONTIGUOUS,
                        .stamp = storage->stamp};
    tern_backend_error err;
    err.message[0] = 0;
    lane->ctx->stats.launches++;
    int32_t status =
        lane->device->vtable.launch(lane->device->object, lane->queue, TERN_KERNEL_FILL, NULL, 0,
                                    &out, 1, &attrs, sizeof attrs, &err);
    if (status != TERN_BACKEND_OK) return tern_lane_fail(lane, "fill", status, &err);
    if (is_told) lane->ctx->recorder->filled(lane->ctx->recorder, storage, &out, &attrs);
    return TERN_OK;
}

tern_status tern_storage_make_ready(tern_storage *storage) {
    if (storage->traits & TERN_STORAGE_FILLING) tern_uploads_await(storage);
    if (!(storage->traits & TERN_STORAGE_UNIFORM)) return TERN_OK;
    const tern_recorder *recorder = storage->lane->ctx->recorder;
    return write_uniform(storage, recorder && tern_is_made_inside(storage, recorder));
}

/* ---- the program's memory -------------------------------------------------------------------- */

static void keep(void *user) {
    (void)user;
}

static bool same_memory(const tern_storage *a, const tern_storage *b) {
    return a->memory < b->memory + b->bytes && b->memory < a->memory + a->bytes;
}

/* A program may import one buffer twice, or parts of it. */
static void link_import(tern_lane *lane, tern_storage *storage) {
    for (tern_storage *other = lane->imports; other; other = other->next_import)
        if (same_memory(storage, other)) other->has_twin = storage->has_twin = true;
    storage->previous_import = NULL;
    storage->next_import = lane->imports;
    if (lane->imports) lane->imports->previous_import = storage;
    lane->imports = storage;
}

static void unlink_import(tern_storage *storage) {
    if (storage->previous_import)
        storage->previous_import->next_import = storage->next_import;
    else
        storage->lane->imports = storage->next_import;
    if (storage->next_import) storage->next_import->previous_import = storage->previous_import;
}

tern_storage *tern_storage_import(tern_lane *lane, char *block, size_t offset, uint64_t bytes,
                                  void (*release)(void *user), void *user) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err = {{0}};
    char *memory = block + offset;
    size_t before =
        (uintptr_t)memory % vt->alignment; /* what of the block the buffer has besides */
    if (!vt->buffer_import || bytes == 0 || before > offset) return NULL;
    tern_storage *storage = begin_bare(lane, bytes);
    if (!storage) return NULL;
    if (vt->buffer_import(lane->device->object, memory - before, bytes + before, &storage->buffer,
                          &err) != TERN_BACKEND_OK) {
        give_struct(storage);
        return NULL;
    }
    storage->traits |= TERN_STORAGE_IMPORTED;
    storage->release = release ? release : keep;
    storage->release_user = user;
    storage->memory = memory;
    storage->offset = before;
    link_import(lane, storage);
    return storage;
}

void tern_storage_raise_twins(tern_storage *storage) {
    for (tern_storage *other = storage->lane->imports; other; other = other->next_import)
        if (other != storage && same_memory(storage, other)) other->version++;
}

void tern_storage_stamp_twins(tern_storage *storage) {
    for (tern_storage *other = storage->lane->imports; other; other = other->next_import)
        if (other != storage && same_memory(storage, other))
            other->stamp = tern_new_stamp(storage->lane->ctx);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void free_buffer(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    if (storage->traits & TERN_STORAGE_PIECE)
        tern_shared_give(lane, storage->shared);
    else
        lane->device->vtable.buffer_free(lane->device->object, lane->queue, storage->buffer);
}

static void keep_in_cache(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    storage->next = lane->cached[storage->size_class];
    lane->cached[storage->size_class] = storage;
    lane->cached_bytes += storage->capacity;
}

/* What is not simply the device's own. A piece of a shared buffer cannot go alone, so it is kept
 * whatever the limit. */
static void free_special(tern_storage *storage) {
    if (storage->traits & TERN_STORAGE_FILLING) tern_uploads_await(storage);
    if (storage->traits & TERN_STORAGE_PIECE) {
        const tern_recorder *recorder = storage->lane->ctx->recorder;
        if (recorder) storage->made_in = recorder->serial; /* whoever gets it next is in the body */
        keep_in_cache(storage);
        return;
    }
    if (storage->traits & TERN_STORAGE_UPLOAD && tern_uploads_keep(storage)) return;
    free_buffer(storage);
    if (storage->traits & TERN_STORAGE_IMPORTED) {
        unlink_import(storage);
        tern_pending_add(storage->lane, storage->release, storage->release_user);
    }
    give_struct(storage);
}

void tern_storage_free(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    lane->ctx->stats.device_bytes -= storage->capacity;
    if (storage->traits & ~(uint32_t)TERN_STORAGE_UNIFORM) {
        free_special(storage);
    } else if (storage->buffer && lane->cached_bytes + storage->capacity <= lane->cache_limit) {
        keep_in_cache(storage);
    } else {
        if (storage->buffer) free_buffer(storage);
        give_struct(storage);
    }
}

void tern_storage_discard(tern_storage *storage) {
    storage->lane->cached_bytes -= storage->capacity;
    free_buffer(storage);
    give_struct(storage);
}

/* Frees a class's buffers, and those pieces whose shared buffers go. */
static void empty_class(tern_lane *lane, int size_class) {
    tern_storage *storage = lane->cached[size_class];
    lane->cached[size_class] = NULL;
    while (storage) {
        tern_storage *next = storage->next;
        if (storage->traits & TERN_STORAGE_PIECE && !storage->shared->goes) {
            storage->next = lane->cached[size_class];
            lane->cached[size_class] = storage;
        } else {
            tern_storage_discard(storage);
        }
        storage = next;
    }
}

void tern_lane_empty_cache(tern_lane *lane) {
    tern_shared_count_idle(lane);
    for (int c = 0; c < TERN_SIZE_CLASSES; c++) empty_class(lane, c);
    tern_uploads_empty_cache(lane);
    while (lane->bare) {
        tern_storage *storage = lane->bare;
        lane->bare = storage->next;
        tern_free(storage);
    }
}
