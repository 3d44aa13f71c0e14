#include "lasting.h"

#include <string.h>

#include "arena.h"
#include "core/ground/error.h"
#include "core/ground/poison.h"

/* In front of a piece. */
struct tern_lasting {
    tern_lasting *next;     /* of those that wait */
    tern_lasting *next_all; /* of all that the context has */
    tern_ctx *ctx;
    size_t capacity;
    size_t head, bytes; /* asked for */
};
#define HEADER ((sizeof(tern_lasting) + 15) & ~(size_t)15)

#define KEPT_BACK 16 /* pieces that wait before the oldest is given out again */
#define SMALLEST  256

static unsigned char *memory_of(tern_lasting *piece) {
    return (unsigned char *)piece + HEADER;
}

static void give(void *arg) {
    tern_lasting *piece = arg;
    tern_waiting *waiting = &piece->ctx->waiting;
    TERN_POISON(memory_of(piece) + piece->head, piece->bytes - piece->head);
    piece->next = NULL;
    if (waiting->first)
        waiting->last->next = piece;
    else
        waiting->first = piece;
    waiting->last = piece;
    waiting->count++;
}

/* The oldest of its size among those that wait; NULL where there is none. */
static tern_lasting *take_waiting(tern_waiting *waiting, size_t capacity) {
    tern_lasting *before = NULL, *piece = waiting->count > KEPT_BACK ? waiting->first : NULL;
    for (; piece && piece->capacity != capacity; piece = piece->next) before = piece;
    if (!piece) return NULL;
    if (before)
        before->next = piece->next;
    else
        waiting->first = piece->next;
    if (waiting->last == piece) waiting->last = before;
    waiting->count--;
    TERN_UNPOISON(memory_of(piece), piece->bytes);
    return piece;
}

static tern_lasting *take(tern_ctx *ctx, size_t bytes) {
    size_t capacity = SMALLEST;
    while (capacity < bytes && capacity < SIZE_MAX / 4) capacity *= 2;
    tern_lasting *piece = take_waiting(&ctx->waiting, capacity);
    if (piece) return piece;
    piece = capacity < bytes ? NULL : tern_alloc(HEADER + capacity);
    if (!piece) {
        tern_fail_memory(ctx, bytes);
        return NULL;
    }
    piece->ctx = ctx;
    piece->capacity = capacity;
    piece->next_all = ctx->lasting;
    ctx->lasting = piece;
    return piece;
}

void *tern_scope_alloc_lasting(tern_ctx *ctx, size_t bytes, size_t head) {
    ctx = tern_given(ctx);
    if (ctx->is_static) return NULL;
    tern_lasting *piece = take(ctx, bytes);
    if (!piece) return NULL;
    piece->bytes = bytes;
    piece->head = head < bytes ? (head + 7) & ~(size_t)7 : bytes;
    if (piece->head > bytes) piece->head = bytes;
    memset(memory_of(piece), 0, bytes);
    if (tern_defer(ctx, give, piece) == TERN_OK) return memory_of(piece);
    give(piece);
    return NULL;
}

void tern_lasting_free(tern_ctx *ctx) {
    while (ctx->lasting) {
        tern_lasting *piece = ctx->lasting;
        ctx->lasting = piece->next_all;
        TERN_UNPOISON(memory_of(piece), piece->bytes);
        tern_free(piece);
    }
}
