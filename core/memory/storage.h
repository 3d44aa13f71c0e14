/*
 * storage.h: counted storage and the cache that makes its reuse cheap.
 */
#ifndef TERN_CORE_STORAGE_H
#define TERN_CORE_STORAGE_H

#include "core/objects.h"

tern_storage *tern_storage_new(tern_lane *lane, uint64_t bytes);
/* Storage over the program's memory, which `release` gives back at its end; NULL, and nothing latched,
 * where the device cannot use it. */
tern_storage *tern_storage_import(tern_lane *lane, void *memory, uint64_t bytes,
                                  void (*release)(void *user), void *user);
void tern_storage_retain(tern_storage *storage);
void tern_storage_release(tern_ctx *ctx, tern_storage *storage);
void tern_lane_empty_cache(tern_lane *lane);

#endif
