/*
 * pending.h: memory of the program's that a device may still use: it goes back when the work that was
 * queued before has been done, and nothing waits for that.
 */
#ifndef TERN_CORE_PENDING_H
#define TERN_CORE_PENDING_H

#include "core/objects.h"

/* Calls release(user) once the work that is in the lane's queue now is done: at once where the device
 * has no queue, else from a later call of tern_pending_poll. */
void tern_pending_add(tern_lane *lane, void (*release)(void *user), void *user);

/* Gives back what is due. Never blocks. */
void tern_pending_poll(tern_lane *lane);

/* The same for all lanes of a context; a branch where nothing is pending. */
void tern_pending_poll_all(tern_ctx *ctx);
static inline void tern_pending_look(tern_ctx *ctx) {
    if (ctx->n_pending) tern_pending_poll_all(ctx);
}

/* Gives back everything: the lane's queue is empty. */
void tern_pending_close(tern_lane *lane);

#endif
