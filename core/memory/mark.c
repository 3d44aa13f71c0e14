/* mark.c: points in the work of a queue. */
#include "mark.h"

#include "core/context/lane.h"

static tern_mark *take(tern_lane *lane) {
    tern_mark *mark = lane->marks;
    if (mark) {
        lane->marks = mark->next;
        return mark;
    }
    if (!lane->device->vtable.event_create) return NULL;
    tern_backend_error err;
    err.message[0] = 0;
    mark = tern_alloc_zeroed(1, sizeof *mark);
    if (!mark) return NULL;
    if (lane->device->vtable.event_create(lane->device->object, &mark->event, &err) ==
        TERN_BACKEND_OK)
        return mark;
    tern_free(mark);
    return NULL;
}

tern_mark *tern_mark_new(tern_lane *lane, tern_bqueue *queue) {
    if (!queue) return NULL;
    tern_mark *mark = take(lane);
    if (!mark) return NULL;
    tern_backend_error err;
    err.message[0] = 0;
    mark->next = NULL;
    if (lane->device->vtable.event_record(lane->device->object, queue, mark->event, &err) ==
        TERN_BACKEND_OK)
        return mark;
    tern_mark_free(lane, mark);
    return NULL;
}

void tern_mark_free(tern_lane *lane, tern_mark *mark) {
    if (!mark) return;
    mark->next = lane->marks;
    lane->marks = mark;
}

bool tern_mark_passed(tern_lane *lane, const tern_mark *mark) {
    tern_backend_error err;
    err.message[0] = 0;
    int32_t passed = 0;
    return lane->device->vtable.event_query(lane->device->object, mark->event, &passed, &err) ==
               TERN_BACKEND_OK &&
           passed;
}

tern_status tern_mark_wait(tern_lane *lane, const tern_mark *mark) {
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status =
        lane->device->vtable.event_synchronize(lane->device->object, mark->event, &err);
    return status == TERN_BACKEND_OK ? TERN_OK
                                     : tern_lane_fail(lane, "waiting for an event", status, &err);
}

void tern_mark_before(tern_lane *lane, tern_bqueue *queue, tern_lane *from, const tern_mark *mark) {
    tern_backend_error err;
    err.message[0] = 0;
    if (!queue || lane->device->vtable.event_wait(lane->device->object, queue, mark->event, &err) !=
                      TERN_BACKEND_OK)
        tern_mark_wait(from, mark);
}

void tern_marks_close(tern_lane *lane) {
    while (lane->marks) {
        tern_mark *mark = lane->marks;
        lane->marks = mark->next;
        lane->device->vtable.event_destroy(lane->device->object, mark->event);
        tern_free(mark);
    }
}
