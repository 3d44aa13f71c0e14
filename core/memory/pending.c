/* pending.c: a list a lane, oldest first. All marks are of one queue, so they pass in that order. */
#include "pending.h"

#include "core/context/lane.h"
#include "mark.h"

void tern_pending_add(tern_lane *lane, void (*release)(void *user), void *user) {
    tern_mark *mark = tern_mark_new(lane, lane->queue);
    if (!mark) { /* without queues all work is done; without memory for a mark it has to be */
        if (lane->queue) tern_lane_synchronize(lane);
        release(user);
        return;
    }
    mark->release = release;
    mark->release_user = user;
    if (lane->last_pending)
        lane->last_pending->next = mark;
    else
        lane->first_pending = mark;
    lane->last_pending = mark;
    lane->ctx->n_pending++;
}

/* The callback is the program's and may call us: the list is whole before it runs. */
static void release_first(tern_lane *lane) {
    tern_mark *mark = lane->first_pending;
    void (*release)(void *user) = mark->release;
    void *user = mark->release_user;
    lane->first_pending = mark->next;
    if (!mark->next) lane->last_pending = NULL;
    lane->ctx->n_pending--;
    tern_mark_free(lane, mark);
    release(user);
}

void tern_pending_poll(tern_lane *lane) {
    while (lane->first_pending && tern_mark_passed(lane, lane->first_pending)) release_first(lane);
}

void tern_pending_poll_all(tern_ctx *ctx) {
    for (int i = 0; i < ctx->n_lanes; i++) tern_pending_poll(ctx->lanes[i]);
}

void tern_pending_close(tern_lane *lane) {
    while (lane->first_pending) release_first(lane);
}
