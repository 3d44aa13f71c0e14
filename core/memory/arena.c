/*
 * arena.c: memory that a frame gives out piece by piece and takes back whole.
 *
 * Chunks are recycled in the context, so that a loop that opens and ends a scope per step reaches a
 * steady state without heap calls; large ones are the context's blocks.
 */
#include "arena.h"

#include <string.h>

#include "block.h"
#include "core/ground/error.h"
#include "core/ground/poison.h"

#define CHUNK_BYTES ((size_t)16384)

static unsigned char *chunk_bytes(tern_arena_chunk *chunk) {
    return (unsigned char *)chunk + ((sizeof *chunk + 15u) & ~(size_t)15u);
}

/* A chunk of `size` bytes behind its header; a large one is a block. */
static tern_arena_chunk *chunk_new(tern_ctx *ctx, size_t size) {
    size_t whole = size + sizeof(tern_arena_chunk) + 16;
    tern_arena_chunk *chunk = size > CHUNK_BYTES ? tern_block_take(ctx, whole) : tern_alloc(whole);
    if (chunk) chunk->size = size;
    return chunk;
}

static tern_arena_chunk *chunk_take(tern_ctx *ctx, size_t bytes) {
    if (bytes <= CHUNK_BYTES && ctx->free_chunks) {
        tern_arena_chunk *chunk = ctx->free_chunks;
        ctx->free_chunks = chunk->next;
        TERN_UNPOISON(chunk_bytes(chunk), chunk->size);
        return chunk;
    }
    return chunk_new(ctx, bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES);
}

static void chunk_give_back(tern_ctx *ctx, tern_arena_chunk *chunk) {
    if (chunk->size > CHUNK_BYTES) {
        tern_block_give(ctx, chunk);
        return;
    }
    TERN_POISON(chunk_bytes(chunk), chunk->size);
    chunk->next = ctx->free_chunks;
    ctx->free_chunks = chunk;
}

void *tern_frame_take(tern_frame *frame, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        tern_fail_memory(frame->ctx, bytes);
        return NULL;
    }
    bytes = (bytes + 15u) & ~(size_t)15u;
    tern_arena_chunk *chunk = frame->chunks;
    if (!chunk || chunk->size - chunk->used < bytes) {
        chunk = chunk_take(frame->ctx, bytes);
        if (!chunk) {
            tern_fail_memory(frame->ctx, bytes);
            return NULL;
        }
        chunk->used = 0;
        chunk->next = frame->chunks;
        frame->chunks = chunk;
    }
    void *memory = chunk_bytes(chunk) + chunk->used;
    chunk->used += bytes;
    return memory;
}

void *tern_frame_alloc(tern_frame *frame, size_t bytes) {
    void *memory = tern_frame_take(frame, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *tern_scope_alloc(tern_ctx *ctx, size_t bytes) {
    if (!ctx || ctx->is_static) return NULL;
    return tern_frame_alloc(ctx->top->target, bytes);
}

tern_status tern_arena_reserve(tern_ctx *ctx, int count) {
    int have = 0;
    for (const tern_arena_chunk *chunk = ctx->free_chunks; chunk && have < count;
         chunk = chunk->next)
        have++;
    for (; have < count; have++) {
        tern_arena_chunk *chunk = chunk_new(ctx, CHUNK_BYTES);
        if (!chunk) return tern_fail_memory(ctx, CHUNK_BYTES);
        chunk_give_back(ctx, chunk);
    }
    return TERN_OK;
}

void tern_arena_end(tern_frame *frame) {
    while (frame->chunks) {
        tern_arena_chunk *chunk = frame->chunks;
        frame->chunks = chunk->next;
        chunk_give_back(frame->ctx, chunk);
    }
}

void tern_arenas_free(tern_ctx *ctx) {
    while (ctx->free_chunks) {
        tern_arena_chunk *chunk = ctx->free_chunks;
        ctx->free_chunks = chunk->next;
        TERN_UNPOISON(chunk_bytes(chunk), chunk->size);
        tern_free(chunk);
    }
}
