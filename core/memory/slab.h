/*
 * slab.h: the slots behind handles, and aliases.
 *
 * A handle (a tern_tensor *, a tern_optim *) is no address. It is the address of a slot with a
 * generation in the bits that an address leaves free: slots are aligned to 256 bytes, so the low 8
 * bits are free, and user space ends at 2^47 or 2^48 on 64-bit machines, so the high 16 are.
 *
 *      63        48 47                                  8 7       0
 *     [ generation ][ address of the slot                ][ gen.  ]
 *
 * A slot knows the one handle that is valid now; giving the slot back makes it forget that, and the
 * next handle has the next generation. Slots are given out again first in, first out, and only when
 * more than TERN_QUARANTINE wait, so a handle comes again after 2^24 * 64 = 2^30 later ones at the
 * earliest. Where an address leaves no high bits, the quarantine is longer instead.
 *
 * Slots come from blocks that a context takes and, when it is closed, hands on to later contexts: a
 * handle of a closed context is refused as any other stale one is, and a loop that makes and ends the
 * same number of objects each step never reaches the heap. Under AddressSanitizer all of a slot but its
 * head is poisoned while it waits.
 */
#ifndef TERN_CORE_SLAB_H
#define TERN_CORE_SLAB_H

#include "core/objects.h"

#if UINTPTR_MAX == UINT64_MAX
#define TERN_QUARANTINE 64
#else
#define TERN_QUARANTINE 4096
#endif

/* A live handle in no frame's list, all members zero but the context and where shape and strides
 * point to; NULL and latched when memory is out. */
tern_tensor *tern_slab_tensor(tern_ctx *ctx);
void tern_slab_give_tensor(tern_ctx *ctx, tern_tensor *tensor);

/* Makes sure that `count` handles can be made without memory. */
tern_status tern_slab_reserve(tern_ctx *ctx, uint32_t count);

/* A handle for an object of another kind. What a slot has room for beyond the body is zero. */
#define TERN_SLOT_BYTES ((size_t)1 << TERN_HANDLE_LOW_BITS)
tern_object_body *tern_slab_object(tern_ctx *ctx);
void tern_slab_give_object(tern_ctx *ctx, tern_object_body *object);

tern_aliases *tern_slab_alias(tern_ctx *ctx);
void tern_slab_give_alias(tern_ctx *ctx, tern_aliases *alias);

/* Room for the shape and strides of a tensor whose rank is above TERN_INLINE_RANK, 2 * TERN_MAX_RANK
 * numbers; NULL and latched when memory is out. */
int64_t *tern_slab_dims(tern_ctx *ctx);

void tern_slab_give_dims(tern_ctx *ctx, int64_t *dims);

/* Hands the slots on and frees the aliases: no object of the context is used after this. */
void tern_slabs_free(tern_ctx *ctx);

#endif
