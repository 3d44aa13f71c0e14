/*
 * shared_buffer.h: large buffers from which small storages are cut, on devices that ask for it.
 *
 *     buffer  [ piece | piece | piece |          free          ]
 *              each of a size class, at the device's alignment
 *
 * A piece that is released waits in the lane's cache as a buffer of its own does, and keeps its place:
 * pieces never merge. The buffer goes back to the device when all its pieces are in the cache and the
 * cache is emptied.
 */
#ifndef TERN_CORE_SHARED_BUFFER_H
#define TERN_CORE_SHARED_BUFFER_H

#include "core/objects.h"

struct tern_shared {
    tern_shared *next;
    tern_bbuffer *buffer;
    uint64_t bytes, used;
    uint64_t pieces; /* that exist, in use or in the cache */
    uint64_t idle;   /* those in the cache, counted while it is emptied */
    bool goes;       /* all of them are: it goes */
};

/* Gives `storage`, which has a size class, its place in a shared buffer; false where it must
 * have one of its own: it is too large, or there is no memory for a shared one. */
bool tern_shared_cut(tern_lane *lane, tern_storage *storage);

/* The piece is no more; the buffer goes with its last one. */
void tern_shared_give(tern_lane *lane, tern_shared *shared);

/* Finds the shared buffers all of whose pieces are in the lane's cache. */
void tern_shared_count_idle(tern_lane *lane);

#endif
