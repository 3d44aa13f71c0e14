/*
 * block.c: large pieces of host memory that a context keeps for the next time.
 *
 * Blocks that were given back wait in lists by size class, as storages do, so that a loop that takes
 * the same ones at every step never reaches the heap. What waits is bounded: more goes back.
 */
#include "block.h"

#include "core/ground/poison.h"
#include "size_class.h"

#define WAITING_LIMIT ((size_t)1 << 28)
#define HEAD_BYTES    ((size_t)64) /* what tern_alloc aligns to */

/* What stands before a block. */
struct tern_block {
    tern_block *next;
    size_t bytes;
    int size_class;
};

_Static_assert(sizeof(tern_block) <= HEAD_BYTES, "a head holds what is known of a block");

/* The classes of size_class.h from 4 KiB on. */
enum { FIRST_CLASS = 24, SMALLEST = 4096 };
_Static_assert(4 << FIRST_CLASS / 4 << 4 == SMALLEST, "the class of 4 KiB");

static size_t class_bytes(int size_class) {
    return (size_t)tern_class_bytes(FIRST_CLASS + size_class);
}

static unsigned char *bytes_of(tern_block *block) {
    return (unsigned char *)block + HEAD_BYTES;
}

static tern_block *waiting_block(tern_ctx *ctx, int size_class) {
    tern_block *block = ctx->free_blocks[size_class];
    if (!block) return NULL;
    ctx->free_blocks[size_class] = block->next;
    ctx->free_block_bytes -= block->bytes;
    return block;
}

void *tern_block_take(tern_ctx *ctx, size_t bytes) {
    if (bytes > class_bytes(TERN_BLOCK_CLASSES - 1)) return NULL;
    int size_class = tern_class_of(bytes > SMALLEST ? bytes : SMALLEST) - FIRST_CLASS;
    tern_block *block = waiting_block(ctx, size_class);
    if (!block) {
        block = tern_alloc(HEAD_BYTES + class_bytes(size_class));
        if (!block) return NULL;
        block->bytes = class_bytes(size_class);
        block->size_class = size_class;
    }
    TERN_POISON(bytes_of(block), block->bytes);
    TERN_UNPOISON(bytes_of(block), bytes);
    return bytes_of(block);
}

void tern_block_give(tern_ctx *ctx, void *memory) {
    if (!memory) return;
    tern_block *block = (tern_block *)(void *)((unsigned char *)memory - HEAD_BYTES);
    if (block->bytes > WAITING_LIMIT - ctx->free_block_bytes) {
        TERN_UNPOISON(bytes_of(block), block->bytes);
        tern_free(block);
        return;
    }
    TERN_POISON(bytes_of(block), block->bytes);
    block->next = ctx->free_blocks[block->size_class];
    ctx->free_blocks[block->size_class] = block;
    ctx->free_block_bytes += block->bytes;
}

void tern_blocks_free(tern_ctx *ctx) {
    for (int c = 0; c < TERN_BLOCK_CLASSES; c++) {
        for (tern_block *block; (block = waiting_block(ctx, c));) {
            TERN_UNPOISON(bytes_of(block), block->bytes);
            tern_free(block);
        }
    }
}
