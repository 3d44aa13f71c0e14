/* kit_scratch.c: scratch memory that a device keeps from launch to launch. */
#include <stdint.h>

#include "kit.h"

/* Blocks are aligned as host->alloc aligns, so what stands before one fills a whole alignment. */
#define HEAD_BYTES ((size_t)64)

struct tern_kit_block {
    size_t bytes; /* that follow the head */
};

_Static_assert(sizeof(tern_kit_block) <= HEAD_BYTES, "a head holds what is known of a block");

/* Held for a look at a few pointers, never across a call of the host. */
static void lock(tern_kit_scratch *scratch) {
    while (atomic_flag_test_and_set_explicit(&scratch->lock, memory_order_acquire)) {
    }
}

static void unlock(tern_kit_scratch *scratch) {
    atomic_flag_clear_explicit(&scratch->lock, memory_order_release);
}

void tern_kit_scratch_init(tern_kit_scratch *scratch, const tern_host *host) {
    scratch->host = host;
    scratch->count = 0;
    atomic_flag_clear(&scratch->lock);
}

void tern_kit_scratch_fini(tern_kit_scratch *scratch) {
    while (scratch->count > 0) scratch->host->free(scratch->waiting[--scratch->count]);
}

/* Whether a serves `bytes` better than b: it fits and is the smaller, or none fits and it is the
 * larger. */
static bool nearer(const tern_kit_block *a, const tern_kit_block *b, size_t bytes) {
    if (!b) return true;
    bool fits = a->bytes >= bytes;
    if (fits != (b->bytes >= bytes)) return fits;
    return fits ? a->bytes < b->bytes : a->bytes > b->bytes;
}

/* Takes out the block that serves best, NULL where none waits. One that is too small makes room for
 * one that is not, so that a device's blocks grow to what its launches need, and no further. */
static tern_kit_block *nearest(tern_kit_scratch *scratch, size_t bytes) {
    tern_kit_block **waiting = scratch->waiting, *found = NULL;
    int32_t at = 0;
    lock(scratch);
    for (int32_t i = 0; i < scratch->count; i++) {
        if (!nearer(waiting[i], found, bytes)) continue;
        found = waiting[i];
        at = i;
    }
    if (found) waiting[at] = waiting[--scratch->count];
    unlock(scratch);
    return found;
}

void *tern_kit_take(const tern_kit_call *call, int64_t count, size_t size) {
    tern_kit_scratch *scratch = call->scratch;
    if ((uint64_t)count > (SIZE_MAX - HEAD_BYTES) / size) return NULL;
    size_t bytes = (size_t)count * size;
    tern_kit_block *block = nearest(scratch, bytes);
    if (block && block->bytes < bytes) {
        scratch->host->free(block);
        block = NULL;
    }
    if (!block) {
        block = scratch->host->alloc(HEAD_BYTES + bytes);
        if (!block) return NULL;
        block->bytes = bytes;
    }
    return (char *)block + HEAD_BYTES;
}

void tern_kit_give(const tern_kit_call *call, void *memory) {
    tern_kit_scratch *scratch = call->scratch;
    if (!memory) return;
    tern_kit_block *block = (tern_kit_block *)(void *)((char *)memory - HEAD_BYTES);
    lock(scratch);
    bool kept = scratch->count < TERN_KIT_SCRATCH;
    if (kept) scratch->waiting[scratch->count++] = block;
    unlock(scratch);
    if (!kept) scratch->host->free(block);
}
