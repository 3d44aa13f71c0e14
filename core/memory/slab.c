#include "slab.h"
#include "core/ground/error.h"

#include <string.h>

#include "core/ground/poison.h"

#define PER_BLOCK 64

/* A block of objects, linked to the others of the context. */
typedef struct block {
    struct block *next;
    size_t bytes;
} block;

/* A new block of PER_BLOCK objects; NULL and latched when memory is out. */
static unsigned char *block_new(tern_ctx *ctx, size_t object_size) {
    size_t header = (sizeof(block) + 63u) & ~(size_t)63u;
    size_t bytes = PER_BLOCK * object_size;
    block *b = tern_alloc(header + bytes);
    if (!b) {
        tern_fail_memory(ctx, header + bytes);
        return NULL;
    }
    b->next = ctx->slabs;
    b->bytes = bytes;
    ctx->slabs = b;
    return (unsigned char *)b + header;
}

tern_tensor *tern_slab_tensor(tern_ctx *ctx) {
    if (!ctx->free_tensors) {
        tern_tensor *objects = (tern_tensor *)(void *)block_new(ctx, sizeof *objects);
        if (!objects) return NULL;
        for (int i = PER_BLOCK; i-- > 0;) tern_slab_give_tensor(ctx, &objects[i]);
    }
    tern_tensor *tensor = ctx->free_tensors;
    TERN_UNPOISON(tensor, sizeof *tensor);
    ctx->free_tensors = tensor->next;
    memset(tensor, 0, sizeof *tensor);
    tensor->shape = tensor->dims;
    tensor->strides = tensor->dims + TERN_INLINE_RANK;
    return tensor;
}

void tern_slab_give_tensor(tern_ctx *ctx, tern_tensor *tensor) {
    tensor->next = ctx->free_tensors;
    ctx->free_tensors = tensor;
    TERN_POISON(tensor, sizeof *tensor);
}

tern_alias *tern_slab_alias(tern_ctx *ctx) {
    if (!ctx->free_aliases) {
        tern_alias *objects = (tern_alias *)(void *)block_new(ctx, sizeof *objects);
        if (!objects) return NULL;
        for (int i = PER_BLOCK; i-- > 0;) tern_slab_give_alias(ctx, &objects[i]);
    }
    tern_alias *alias = ctx->free_aliases;
    TERN_UNPOISON(alias, sizeof *alias);
    ctx->free_aliases = alias->next_free;
    memset(alias, 0, sizeof *alias);
    return alias;
}

void tern_slab_give_alias(tern_ctx *ctx, tern_alias *alias) {
    alias->next_free = ctx->free_aliases;
    ctx->free_aliases = alias;
    TERN_POISON(alias, sizeof *alias);
}

void tern_slabs_free(tern_ctx *ctx) {
    size_t header = (sizeof(block) + 63u) & ~(size_t)63u;
    for (block *b = ctx->slabs; b;) {
        block *next = b->next;
        TERN_UNPOISON((unsigned char *)b + header, b->bytes);
        (void)header;
        tern_free(b);
        b = next;
    }
    ctx->slabs = NULL;
}
