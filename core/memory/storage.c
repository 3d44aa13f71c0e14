/*
 * storage.c: counted storage and the cache that makes its reuse cheap.
 *
 * Freed buffers wait in lists by size class, per lane (device and queue). Work on one queue runs in
 * order, so a buffer may be reused there at once. When a device is out of memory the cache is emptied and
 * the request repeated.
 */
#include "storage.h"

#include <stdatomic.h>
#include <string.h>

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "numerics/dtype_convert.h"

/* Uniform storage of at most so many bytes has no buffer before somebody looks; larger storage has one
 * from the start, so that a lack of memory is known where the tensor is made. */
#define BARE_BYTES 4096

/* ---- size classes ---------------------------------------------------------------------------- */

/*
 * Four classes per power of two: at most a quarter of a buffer is unused. Class c holds
 * (4 + c % 4) << (c / 4) units of 16 bytes.
 */
static uint64_t class_bytes(int size_class) {
    return (uint64_t)(4 + size_class % 4) << (size_class / 4) << 4;
}

/* The smallest class of at least `bytes`, from 1 to 2^62. */
static int class_of(uint64_t bytes) {
    uint64_t units = (bytes + 15) >> 4;
    if (units <= 4) return 0;
    uint64_t last = units - 1; /* the quarter that it lies in, and one up */
    int power = 63 - __builtin_clzll(last);
    return 4 * (power - 2) + (int)((last >> (power - 2)) & 3) + 1;
}

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

/* A buffer from the device; on OUT_OF_MEMORY once more with the cache emptied. */
static tern_bbuffer *take_buffer(tern_lane *lane, uint64_t bytes) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err = {{0}};
    tern_bbuffer *buffer = NULL;
    if (vt->largest_allocation && bytes > vt->largest_allocation) {
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY,
                  "%s: a tensor of %llu bytes is larger than the device's largest allocation, %llu",
                  lane->device->name, (unsigned long long)bytes,
                  (unsigned long long)vt->largest_allocation);
        return NULL;
    }
    int32_t status = vt->buffer_alloc(lane->device->object, bytes, &buffer, &err);
    if (status == TERN_BACKEND_OUT_OF_MEMORY && lane->cached_bytes) {
        tern_lane_empty_cache(lane);
        status = vt->buffer_alloc(lane->device->object, bytes, &buffer, &err);
    }
    if (status == TERN_BACKEND_OK) return buffer;
    if (status == TERN_BACKEND_OUT_OF_MEMORY)
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY,
                  "%s: out of memory: %llu bytes for a tensor could not be allocated",
                  lane->device->name, (unsigned long long)bytes);
    else
        tern_lane_fail(lane, "allocation", status, &err);
    return NULL;
}

/* A struct without a buffer. */
static tern_storage *bare_struct(tern_lane *lane) {
    tern_storage *storage = lane->bare;
    if (storage) {
        lane->bare = storage->next;
        return storage;
    }
    storage = tern_alloc(sizeof *storage);
    if (!storage) tern_fail_memory(lane->ctx, sizeof *storage);
    return storage;
}

/* Sets what a new storage begins with. */
static tern_storage *begin(tern_lane *lane, tern_storage *storage, uint64_t bytes) {
    storage->lane = lane;
    storage->references = 1;
    storage->bytes = bytes;
    storage->version = 0;
    storage->stamp = tern_new_stamp(lane->ctx);
    storage->is_uniform = false;
    storage->release = NULL;
    storage->has_twin = false;
    return storage;
}

static tern_storage *begin_bare(tern_lane *lane, uint64_t bytes) {
    tern_storage *storage = bare_struct(lane);
    if (!storage) return NULL;
    storage->buffer = NULL;
    storage->capacity = 0;
    return begin(lane, storage, bytes);
}

static bool add_buffer(tern_storage *storage) {
    storage->size_class = class_of(storage->bytes);
    storage->capacity = class_bytes(storage->size_class);
    storage->buffer = take_buffer(storage->lane, storage->capacity);
    return storage->buffer != NULL;
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

tern_storage *tern_storage_new(tern_lane *lane, uint64_t bytes) {
    if (bytes == 0) return begin_bare(lane, 0);
    if (bytes > (uint64_t)INT64_MAX / 2) {
        tern_fail(lane->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: %llu bytes exceed any memory",
                  lane->device->name, (unsigned long long)bytes);
        return NULL;
    }
    tern_storage *storage = from_cache(lane, class_of(bytes));
    if (storage) {
        begin(lane, storage, bytes);
    } else {
        storage = begin_bare(lane, bytes);
        if (!storage) return NULL;
        if (!add_buffer(storage)) {
            give_struct(storage);
            return NULL;
        }
    }
    count_bytes(lane->ctx, storage->capacity);
    return storage;
}

/* ---- one number everywhere ------------------------------------------------------------------- */

void tern_storage_set_uniform(tern_storage *storage, tern_dtype dtype, double f, int64_t i) {
    uint64_t element;
    storage->is_uniform = true;
    storage->uniform_dtype = dtype;
    if (tern_dtype_is_floating(dtype)) {
        tern_num_store_f64((int)dtype, &element, 0, f);
        storage->uniform_f = tern_num_load_f64((int)dtype, &element, 0);
    } else {
        tern_num_store_i64((int)dtype, &element, 0, i);
        storage->uniform_i = tern_num_load_i64((int)dtype, &element, 0);
    }
    storage->stamp = tern_new_stamp(storage->lane->ctx);
}

tern_storage *tern_storage_uniform(tern_lane *lane, uint64_t bytes, tern_dtype dtype, double f,
                                   int64_t i) {
    tern_storage *storage =
        bytes <= BARE_BYTES ? begin_bare(lane, bytes) : tern_storage_new(lane, bytes);
    if (storage) tern_storage_set_uniform(storage, dtype, f, i);
    return storage;
}

/* Takes over a cached buffer of the right class, or a new one. */
static bool settle_buffer(tern_storage *storage) {
    if (storage->buffer || storage->bytes == 0) return true;
    tern_storage *cached = from_cache(storage->lane, class_of(storage->bytes));
    if (cached) {
        storage->size_class = cached->size_class;
        storage->capacity = cached->capacity;
        storage->buffer = cached->buffer;
        give_struct(cached);
    } else if (!add_buffer(storage)) {
        storage->capacity = 0;
        return false;
    }
    count_bytes(storage->lane->ctx, storage->capacity);
    return true;
}

tern_status tern_storage_open(tern_storage *storage) {
    if (!settle_buffer(storage)) return storage->lane->ctx->status;
    storage->is_uniform = false;
    return TERN_OK;
}

tern_status tern_storage_write_uniform(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    if (tern_storage_open(storage) != TERN_OK) return lane->ctx->status;
    int64_t size = (int64_t)tern_dtype_size(storage->uniform_dtype);
    const int64_t count = (int64_t)storage->bytes / size, step = 1;
    if (count == 0) return TERN_OK;
    tern_fill_attrs attrs = {storage->uniform_f, storage->uniform_i};
    tern_operand out = {.buffer = storage->buffer,
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
    return status == TERN_BACKEND_OK ? TERN_OK : tern_lane_fail(lane, "fill", status, &err);
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

tern_storage *tern_storage_import(tern_lane *lane, void *memory, uint64_t bytes,
                                  void (*release)(void *user), void *user) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err = {{0}};
    if (!vt->buffer_import || bytes == 0 || (uintptr_t)memory % vt->alignment) return NULL;
    tern_storage *storage = begin_bare(lane, bytes);
    if (!storage) return NULL;
    if (vt->buffer_import(lane->device->object, memory, bytes, &storage->buffer, &err) !=
        TERN_BACKEND_OK) {
        give_struct(storage);
        return NULL;
    }
    storage->release = release ? release : keep;
    storage->release_user = user;
    storage->memory = memory;
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
    lane->device->vtable.buffer_free(lane->device->object, lane->queue, storage->buffer);
}

void tern_storage_free(tern_storage *storage) {
    tern_lane *lane = storage->lane;
    tern_stats *stats = &lane->ctx->stats;
    stats->device_bytes -= storage->capacity;
    if (storage->release) {
        unlink_import(storage);
        tern_lane_synchronize(lane);
        free_buffer(storage);
        storage->release(storage->release_user);
    } else if (storage->buffer) {
        if (lane->cached_bytes + storage->capacity <= lane->cache_limit) {
            storage->next = lane->cached[storage->size_class];
            lane->cached[storage->size_class] = storage;
            lane->cached_bytes += storage->capacity;
            return;
        }
        free_buffer(storage);
    }
    give_struct(storage);
}

void tern_lane_empty_cache(tern_lane *lane) {
    for (int c = 0; c < TERN_SIZE_CLASSES; c++) {
        while (lane->cached[c]) {
            tern_storage *storage = lane->cached[c];
            lane->cached[c] = storage->next;
            free_buffer(storage);
            give_struct(storage);
        }
    }
    lane->cached_bytes = 0;
    while (lane->bare) {
        tern_storage *storage = lane->bare;
        lane->bare = storage->next;
        tern_free(storage);
    }
}
