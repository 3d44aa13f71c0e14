/*
 * block.h: large pieces of host memory that a context keeps for the next time: buffers in which
 * numbers are drawn or copied, and the large chunks of arenas.
 */
#ifndef TERN_CORE_BLOCK_H
#define TERN_CORE_BLOCK_H

#include "core/objects.h"

/* At least `bytes`, contents open, aligned as tern_alloc aligns. NULL, and nothing latched, without
 * memory. */
TERN_API void *tern_block_take(tern_ctx *ctx, size_t bytes);

/* Gives a block back; NULL is fine. */
TERN_API void tern_block_give(tern_ctx *ctx, void *block);

/* Frees the blocks that wait. */
void tern_blocks_free(tern_ctx *ctx);

#endif
