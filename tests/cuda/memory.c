/* Memory of the driver that stands in. */
#define _POSIX_C_SOURCE 200809L /* posix_memalign */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

/* No address of the host's has these bits, so that a device's cannot be read by mistake. */
#define TAG    ((uint64_t)0x4d << 56)
#define ALIGN  256
#define BEHIND 64 /* bytes of the pattern behind an allocation */
#define FRESH  0xa5

static allocation **all; /* by address */
static size_t count, capacity;
static uint64_t in_use[16];

char *standin_memory(const allocation *of, uint64_t at) {
    return of->memory + (at - of->at);
}

/* The first that begins behind `at`. */
static size_t behind(uint64_t at) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all[middle]->at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(allocation *own) {
    if (count == capacity) {
        capacity = capacity ? 2 * capacity : 256;
        all = realloc(all, capacity * sizeof *all);
        if (!all) abort();
    }
    size_t at = behind(own->at);
    memmove(all + at + 1, all + at, (count++ - at) * sizeof *all);
    all[at] = own;
}

static void take_out(allocation *own) {
    size_t at = behind(own->at) - 1;
    memmove(all + at, all + at + 1, (--count - at) * sizeof *all);
}

/* ---- freed memory stays a while, so that its use is seen ------------------------------------- */

#define KEPT       512
#define KEPT_BYTES ((uint64_t)64 << 20)
static allocation *kept[KEPT];
static size_t first_kept, n_kept;
static uint64_t kept_bytes;

static void keep(allocation *own) {
    while (n_kept && (n_kept == KEPT || kept_bytes + own->bytes > KEPT_BYTES)) {
        allocation *oldest = kept[first_kept];
        first_kept = (first_kept + 1) % KEPT;
        n_kept--;
        kept_bytes -= oldest->bytes;
        take_out(oldest);
        free(oldest->memory);
        free(oldest);
    }
    kept[(first_kept + n_kept++) % KEPT] = own;
    kept_bytes += own->bytes;
}

static allocation *make(size_t bytes, bool is_pinned) {
    allocation *own = calloc(1, sizeof *own);
    char *memory = NULL;
    size_t size = (bytes + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
    if (!own || posix_memalign((void **)&memory, ALIGN, size)) {
        free(own);
        return NULL;
    }
    memset(memory, FRESH, size);
    own->memory = memory;
    own->at = (uint64_t)(uintptr_t)memory | (is_pinned ? 0 : TAG);
    own->bytes = bytes;
    own->context = standin_current();
    own->is_pinned = is_pinned;
    insert(own);
    standin_made(1);
    return own;
}

void standin_check_bounds(const allocation *of, const char *what) {
    for (uint64_t i = 0; i < BEHIND; i++)
        if ((unsigned char)of->memory[of->bytes + i] != FRESH) {
            standin_report("%s: bytes behind an allocation of %llu were written", what,
                           (unsigned long long)of->bytes);
            memset(of->memory + of->bytes, FRESH, BEHIND);
            return;
        }
}

static allocation *find(uint64_t at) {
    size_t next = behind(at);
    allocation *own = next ? all[next - 1] : NULL;
    return own && at < own->at + own->bytes ? own : NULL;
}

allocation *standin_find(uint64_t at, uint64_t bytes, const char *what) {
    allocation *own = find(at);
    if (!own)
        standin_report("%s: %#llx lies in no allocation", what, (unsigned long long)at);
    else if (own->is_dead)
        standin_report("%s: memory that was freed", what);
    else if (own->is_pinned)
        standin_report("%s: the host's memory as a device's", what);
    else if (bytes > own->at + own->bytes - at)
        standin_report("%s: %llu bytes from %llu on, of an allocation of %llu", what,
                       (unsigned long long)bytes, (unsigned long long)(at - own->at),
                       (unsigned long long)own->bytes);
    else
        return own;
    return NULL;
}

allocation *standin_find_pinned(const void *memory, uint64_t bytes) {
    allocation *own = find((uint64_t)(uintptr_t)memory);
    if (!own || !own->is_pinned) return NULL;
    if (own->is_dead) {
        standin_report("a copy: pinned memory that was freed");
        return NULL;
    }
    return bytes <= own->at + own->bytes - (uint64_t)(uintptr_t)memory ? own : NULL;
}

void standin_use(allocation *of, const struct CUstream_st *stream) {
    of->used.at[stream->slot] = stream->sequence;
}

/* Frees it where the host has seen the end of everything that uses it. */
static CUresult end(allocation *own, const char *what) {
    const stream_clock *seen = standin_known();
    for (int i = 0; i < STREAMS; i++)
        if (own->used.at[i] > seen->at[i])
            return standin_report("%s: work that may use the memory may be under way", what);
    standin_check_bounds(own, what);
    own->is_dead = true;
    memset(own->memory, FRESH, own->bytes);
    standin_made(-1);
    keep(own);
    return CUDA_SUCCESS;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static uint64_t memory_of_device(void) {
    return (uint64_t)standin_number("memory", 4ll << 30);
}

CALL(cuMemAlloc_v2, (CUdeviceptr * at, size_t bytes), CUDA_ERROR_OUT_OF_MEMORY, {
    int device = standin_current()->device;
    if (!bytes) return standin_report("cuMemAlloc: no bytes");
    if (bytes > memory_of_device() - in_use[device]) return CUDA_ERROR_OUT_OF_MEMORY;
    allocation *own = make(bytes, false);
    if (!own) return CUDA_ERROR_OUT_OF_MEMORY;
    in_use[device] += bytes;
    *at = own->at;
    return CUDA_SUCCESS;
})

FREE(cuMemFree_v2, (CUdeviceptr at), {
    allocation *own = standin_find(at, 1, "cuMemFree");
    if (!own) return CUDA_ERROR_INVALID_VALUE;
    if (own->at != at) return standin_report("cuMemFree: an address inside an allocation");
    if (own->context != standin_current())
        return standin_report("cuMemFree: memory of another context");
    in_use[own->context->device] -= own->bytes;
    return end(own, "cuMemFree");
})

CALL(cuMemGetInfo_v2, (size_t * available, size_t *total), CUDA_ERROR_UNKNOWN, {
    *total = memory_of_device();
    *available = *total - in_use[standin_current()->device];
    return CUDA_SUCCESS;
})

CALL(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags), CUDA_ERROR_OUT_OF_MEMORY, {
    if (flags & ~7u) return standin_report("cuMemHostAlloc: flags %u", flags);
    allocation *own = make(bytes, true);
    if (!own) return CUDA_ERROR_OUT_OF_MEMORY;
    *memory = own->memory;
    return CUDA_SUCCESS;
})

FREE(cuMemFreeHost, (void *memory), {
    allocation *own = find((uint64_t)(uintptr_t)memory);
    if (!own || !own->is_pinned || own->memory != memory)
        return standin_report("cuMemFreeHost: no pinned memory");
    if (own->is_dead) return standin_report("cuMemFreeHost: memory that was freed");
    return end(own, "cuMemFreeHost");
})
