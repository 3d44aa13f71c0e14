/* arena.h: memory that a frame gives out piece by piece and takes back whole. */
#ifndef TERN_CORE_ARENA_H
#define TERN_CORE_ARENA_H

#include "core/objects.h"

/* Zeroed memory of a frame; latches and returns NULL when there is none. */
TERN_API void *tern_frame_alloc(tern_frame *frame, size_t bytes);

/* The same with contents open. */
void *tern_frame_take(tern_frame *frame, size_t bytes);

/* Makes sure that `count` chunks are there. */
tern_status tern_arena_reserve(tern_ctx *ctx, int count);

/* Gives back what a frame took; frees the recycled chunks of a context. */
void tern_arena_end(tern_frame *frame);
void tern_arenas_free(tern_ctx *ctx);

#endif
