/*
 * slab.h: handles and aliases come from blocks that the context keeps until it is closed.
 *
 * A loop that makes and ends the same number of tensors per step recycles them and never reaches
 * the heap. Under AddressSanitizer a handle that was given back is poisoned.
 */
#ifndef TERN_CORE_SLAB_H
#define TERN_CORE_SLAB_H

#include "core/objects.h"

/* A zeroed handle; NULL and latched when memory is out. */
tern_tensor *tern_slab_tensor(tern_ctx *ctx);
void tern_slab_give_tensor(tern_ctx *ctx, tern_tensor *tensor);

tern_alias *tern_slab_alias(tern_ctx *ctx);
void tern_slab_give_alias(tern_ctx *ctx, tern_alias *alias);

/* Frees the blocks: no handle of the context is used after this. */
void tern_slabs_free(tern_ctx *ctx);

#endif
