#include "slab.h"

#include <stdatomic.h>
#include <string.h>

#include "core/ground/error.h"
#include "core/ground/poison.h"

#define SLOT_BYTES      TERN_SLOT_BYTES
#define SLOTS_PER_BLOCK 64
#define ALIASES         64
#define GENERATION_BITS (TERN_HANDLE_LOW_BITS + 16)

/* What every slot begins with. It stays readable when the slot has been given back. */
typedef tern_object_body slot;
#define HEAD_BYTES offsetof(slot, kind)

_Static_assert(sizeof(tern_tensor_body) <= SLOT_BYTES, "a tensor fills a slot");
_Static_assert(offsetof(tern_tensor_body, self) == offsetof(slot, self), "one head");
_Static_assert(offsetof(tern_tensor_body, ctx) == offsetof(slot, ctx), "one head");
_Static_assert(offsetof(tern_tensor_body, next) == offsetof(slot, next), "one head");
_Static_assert(offsetof(tern_tensor_body, handle_generation) == offsetof(slot, handle_generation),
               "one head");

/* SLOTS_PER_BLOCK slots, linked to the others of the context; `slots` is aligned to SLOT_BYTES. */
typedef struct block {
    struct block *next;
    unsigned char *slots;
} block;

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Blocks of closed contexts. */
static block *spare_blocks;
static atomic_flag spare_lock = ATOMIC_FLAG_INIT;

static void lock_spares(void) {
    while (atomic_flag_test_and_set_explicit(&spare_lock, memory_order_acquire)) {
    }
}

static void unlock_spares(void) {
    atomic_flag_clear_explicit(&spare_lock, memory_order_release);
}

static block *spare_block(void) {
    lock_spares();
    block *b = spare_blocks;
    if (b) spare_blocks = b->next;
    unlock_spares();
    return b;
}

static slot *slot_at(const block *b, size_t index) {
    return (slot *)(void *)(b->slots + index * SLOT_BYTES);
}

/* Makes fresh slots; NULL when memory is out, or where addresses have bits that handles need. */
static block *new_block(void) {
    size_t bytes = sizeof(block) + (SLOTS_PER_BLOCK + 1) * SLOT_BYTES;
    block *b = tern_alloc(bytes);
    if (!b) return NULL;
    uintptr_t first = ((uintptr_t)(b + 1) + SLOT_BYTES - 1) & ~(uintptr_t)(SLOT_BYTES - 1);
    uintptr_t last = first + SLOTS_PER_BLOCK * SLOT_BYTES;
    if ((first & TERN_HANDLE_ADDRESS) != first || (last & TERN_HANDLE_ADDRESS) != last) {
        tern_free(b);
        return NULL;
    }
    b->slots = (unsigned char *)first;
    memset(b->slots, 0, SLOTS_PER_BLOCK * SLOT_BYTES);
    return b;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static inline const tern_tensor *handle_of(const slot *s) {
    uintptr_t handle = (uintptr_t)s | (s->handle_generation & ((1u << TERN_HANDLE_LOW_BITS) - 1));
#if UINTPTR_MAX == UINT64_MAX
    handle |= (uintptr_t)(s->handle_generation >> TERN_HANDLE_LOW_BITS) << 48;
#endif
    return (const tern_tensor *)handle;
}

static inline void give(tern_ctx *ctx, slot *s) {
    s->self = NULL;
    s->handle_generation = (s->handle_generation + 1) & ((1u << GENERATION_BITS) - 1);
    s->next = NULL;
    if (ctx->n_waiting++)
        ctx->last_waiting->next = (void *)s;
    else
        ctx->first_waiting = s;
    ctx->last_waiting = s;
    TERN_POISON((unsigned char *)s + HEAD_BYTES, SLOT_BYTES - HEAD_BYTES);
}

/* Puts a block's slots behind those that wait. */
static bool add_block(tern_ctx *ctx) {
    block *b = spare_block();
    if (!b) b = new_block();
    if (!b) {
        tern_fail_memory(ctx, (SLOTS_PER_BLOCK + 1) * SLOT_BYTES);
        return false;
    }
    b->next = ctx->slot_blocks;
    ctx->slot_blocks = b;
    for (size_t i = 0; i < SLOTS_PER_BLOCK; i++) {
        slot_at(b, i)->ctx = ctx;
        give(ctx, slot_at(b, i));
    }
    return true;
}

/* A slot whose members beyond the head are open. As many slots as are given back can be taken again
 * without memory: an optimizer's step counts on it. */
static inline slot *take(tern_ctx *ctx) {
    while (ctx->n_waiting <= TERN_QUARANTINE)
        if (!add_block(ctx)) return NULL;
    slot *s = ctx->first_waiting;
    ctx->first_waiting = (slot *)(void *)s->next;
    ctx->n_waiting--;
    TERN_UNPOISON(s, SLOT_BYTES);
    s->self = handle_of(s);
    return s;
}

tern_status tern_slab_reserve(tern_ctx *ctx, uint32_t count) {
    while (ctx->n_waiting < TERN_QUARANTINE + count)
        if (!add_block(ctx)) break;
    return ctx->status;
}

tern_tensor *tern_slab_tensor(tern_ctx *ctx) {
    slot *s = take(ctx);
    if (!s) return NULL;
    tern_tensor_body *body = (tern_tensor_body *)(void *)s;
    body->prev = body->next = NULL;
    body->shape = body->dims;
    body->strides = body->dims + TERN_INLINE_RANK;
    body->storage = NULL;
    body->flags = 0;
    body->generation = 0;
    body->edge.node = NULL;
    body->edge.output = 0;
    body->accumulator = NULL;
    body->alias = NULL;
    body->grad = NULL;
    return (tern_tensor *)(uintptr_t)body->self;
}

void tern_slab_give_tensor(tern_ctx *ctx, tern_tensor *tensor) {
    give(ctx, (slot *)(void *)BODY(tensor));
}

tern_object_body *tern_slab_object(tern_ctx *ctx) {
    slot *s = take(ctx);
    if (s) memset((unsigned char *)s + HEAD_BYTES, 0, SLOT_BYTES - HEAD_BYTES);
    if (s) s->prev = s->next = NULL;
    return s;
}

void tern_slab_give_object(tern_ctx *ctx, tern_object_body *object) {
    give(ctx, object);
}

/* ---- aliases --------------------------------------------------------------------------------- */

/* ALIASES of them, linked to the other blocks of the context. */
typedef struct alias_block {
    struct alias_block *next;
    tern_aliases aliases[ALIASES];
} alias_block;

static bool add_aliases(tern_ctx *ctx) {
    alias_block *b = tern_alloc(sizeof *b);
    if (!b) {
        tern_fail_memory(ctx, sizeof *b);
        return false;
    }
    b->next = ctx->alias_blocks;
    ctx->alias_blocks = b;
    for (int i = ALIASES; i-- > 0;) tern_slab_give_alias(ctx, &b->aliases[i]);
    return true;
}

tern_aliases *tern_slab_alias(tern_ctx *ctx) {
    if (!ctx->free_aliases && !add_aliases(ctx)) return NULL;
    tern_aliases *alias = ctx->free_aliases;
    TERN_UNPOISON(alias, sizeof *alias);
    ctx->free_aliases = alias->next_free;
    memset(alias, 0, sizeof *alias);
    return alias;
}

void tern_slab_give_alias(tern_ctx *ctx, tern_aliases *alias) {
    alias->next_free = ctx->free_aliases;
    ctx->free_aliases = alias;
    TERN_POISON(alias, sizeof *alias);
}

/* ---- shapes of high ranks -------------------------------------------------------------------- */

#define DIMS_BYTES (2 * TERN_MAX_RANK * sizeof(int64_t))

/* What waits is linked through its first bytes. */
typedef struct waiting_dims {
    struct waiting_dims *next;
} waiting_dims;

int64_t *tern_slab_dims(tern_ctx *ctx) {
    waiting_dims *dims = ctx->free_dims;
    if (dims) {
        TERN_UNPOISON(dims, DIMS_BYTES);
        ctx->free_dims = dims->next;
    } else {
        dims = tern_alloc(DIMS_BYTES);
        if (!dims) tern_fail_memory(ctx, DIMS_BYTES);
    }
    return (int64_t *)(void *)dims;
}

void tern_slab_give_dims(tern_ctx *ctx, int64_t *dims) {
    waiting_dims *waiting = (waiting_dims *)(void *)dims;
    waiting->next = ctx->free_dims;
    ctx->free_dims = waiting;
    TERN_POISON(waiting, DIMS_BYTES);
}

/* ---- the end of a context -------------------------------------------------------------------- */

void tern_slabs_free(tern_ctx *ctx) {
    while (ctx->alias_blocks) {
        alias_block *b = ctx->alias_blocks;
        ctx->alias_blocks = b->next;
        TERN_UNPOISON(b->aliases, sizeof b->aliases);
        tern_free(b);
    }
    while (ctx->free_dims) tern_free(tern_slab_dims(ctx));
    while (ctx->slot_blocks) {
        block *b = ctx->slot_blocks;
        ctx->slot_blocks = b->next;
        for (size_t i = 0; i < SLOTS_PER_BLOCK; i++) {
            slot *s = slot_at(b, i);
            if (s->self) give(ctx, s); /* the nil tensor */
            s->ctx = NULL;
        }
        lock_spares();
        b->next = spare_blocks;
        spare_blocks = b;
        unlock_spares();
    }
}
