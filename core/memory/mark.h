/*
 * mark.h: points in the work of a queue, which another queue or the host waits for.
 *
 * A mark is an event of the device. Marks that have served are kept and recorded again, so that a
 * steady loop makes none. They exist only where a device has queues.
 */
#ifndef TERN_CORE_MARK_H
#define TERN_CORE_MARK_H

#include "core/objects.h"

struct tern_mark {
    tern_bevent *event;
    tern_mark *next;             /* among those that wait, or that are in no use */
    void (*release)(void *user); /* of memory that is given back when it has passed (pending.c) */
    void *release_user;
};

/* A mark at the end of the work that is in the queue now; NULL, and nothing latched, where the device
 * cannot make one. */
tern_mark *tern_mark_new(tern_lane *lane, tern_bqueue *queue);

/* A mark that was waited for, or that nobody needs; NULL is fine. */
void tern_mark_free(tern_lane *lane, tern_mark *mark);

/* Never blocks. */
bool tern_mark_passed(tern_lane *lane, const tern_mark *mark);

/* Blocks until it has passed; latches where the device fails. */
tern_status tern_mark_wait(tern_lane *lane, const tern_mark *mark);

/* Later work of `queue`, which is the lane's, comes after the mark, which is of the lane `from`. Where
 * that cannot be queued the host waits. */
void tern_mark_before(tern_lane *lane, tern_bqueue *queue, tern_lane *from, const tern_mark *mark);

/* The end of a lane: all its marks are in no use. */
void tern_marks_close(tern_lane *lane);

#endif
