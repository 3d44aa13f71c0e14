/* delaying_queue.c: the slots of queues and events. */
#include <string.h>

#include "delaying.h"

static struct delaying_backend *const backend = &delaying_backend;

queue *delaying_find_queue(delaying *device, const tern_bqueue *handle, tern_backend_error *err) {
    queue *own = handle_find(&backend->queues, HANDLE_QUEUE, handle);
    if (own && own->device == device) return own;
    breach_note(&device->breach, err, "delaying:%d: %p is no queue of its own", (int)device->index,
                (const void *)handle);
    return NULL;
}

/* A live event of any device of this backend, or of this device alone. */
static event *find_event(delaying *device, const tern_bevent *handle, bool foreign,
                         tern_backend_error *err) {
    event *own = handle_find(&backend->events, HANDLE_EVENT, handle);
    if (own && (foreign || own->device == device)) return own;
    breach_note(&device->breach, err, "delaying:%d: %p is no event of its own", (int)device->index,
                (const void *)handle);
    return NULL;
}

/* ---- queues ---- */

static buffer *skip_of(tern_bbuffer *handle) {
    buffer *own = handle_find(&backend->buffers, HANDLE_BUFFER, handle);
    own->lasting = true;
    memset(own->memory, 0, (size_t)own->bytes);
    return own;
}

int32_t delaying_queue_create(tern_bdevice *base, tern_bqueue **out_queue,
                              tern_backend_error *err) {
    tern_bbuffer *skip;
    int32_t status = delaying_buffer_alloc(base, sizeof(int32_t), &skip, err);
    if (status != TERN_BACKEND_OK) return status;
    queue *own = backend->host->alloc(sizeof *own);
    delaying_lock();
    *out_queue = own ? handle_new(&backend->queues, HANDLE_QUEUE, backend->host, own) : NULL;
    if (*out_queue) {
        *own = (queue){.device = (delaying *)base, .references = 1, .skip_handle = skip};
        own->skip = skip_of(skip);
        own->device->live++;
    } else {
        delaying_free_at_once((delaying *)base, skip);
    }
    delaying_unlock();
    if (*out_queue) return TERN_BACKEND_OK;
    backend->host->free(own);
    return delaying_out_of_memory(err);
}

void delaying_queue_destroy(tern_bdevice *base, tern_bqueue *handle) {
    delaying_lock();
    delaying *self = (delaying *)base;
    tern_backend_error err;
    queue *own = delaying_find_queue(self, handle, &err);
    if (own) {
        queue_run(own, own->submitted);
        delaying_free_at_once(self, own->skip_handle);
        handle_end(&backend->queues, handle);
        self->live--;
        queue_release(own);
    }
    delaying_unlock();
}

int32_t delaying_queue_synchronize(tern_bdevice *base, tern_bqueue *handle,
                                   tern_backend_error *err) {
    delaying *self = (delaying *)base;
    delaying_lock();
    queue *own = delaying_find_queue(self, handle, err);
    if (own) queue_run(own, own->submitted);
    int32_t status = breach_report(&self->breach, err);
    delaying_unlock();
    return status;
}

int32_t delaying_take_error(tern_bdevice *base, tern_bqueue *handle, tern_backend_error *err) {
    int32_t status = TERN_BACKEND_INVALID;
    delaying_lock();
    queue *own = delaying_find_queue((delaying *)base, handle, err);
    if (own) {
        memset(own->skip->memory, 0, (size_t)own->skip->bytes);
        status = tern_kit_take_flag(&own->flag, err);
    }
    delaying_unlock();
    return status;
}

int32_t delaying_skip_flag(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer **out_buffer,
                           uint64_t *out_offset, tern_backend_error *err) {
    delaying_lock();
    const queue *own = delaying_find_queue((delaying *)base, handle, err);
    if (own) *out_buffer = own->skip_handle;
    *out_offset = 0;
    delaying_unlock();
    return own ? TERN_BACKEND_OK : TERN_BACKEND_INVALID;
}

/* ---- events ---- */

int32_t delaying_event_create(tern_bdevice *base, tern_bevent **out_event,
                              tern_backend_error *err) {
    delaying *self = (delaying *)base;
    event *own = backend->host->alloc(sizeof *own);
    delaying_lock();
    *out_event = own ? handle_new(&backend->events, HANDLE_EVENT, backend->host, own) : NULL;
    if (*out_event) {
        *own = (event){.device = self};
        self->live++;
    }
    delaying_unlock();
    if (*out_event) return TERN_BACKEND_OK;
    backend->host->free(own);
    return delaying_out_of_memory(err);
}

void delaying_event_destroy(tern_bdevice *base, tern_bevent *handle) {
    delaying *self = (delaying *)base;
    tern_backend_error err;
    delaying_lock();
    event *own = find_event(self, handle, false, &err);
    if (own) {
        handle_end(&backend->events, handle);
        self->live--;
        if (own->queue) queue_release(own->queue);
        backend->host->free(own);
    }
    delaying_unlock();
}

int32_t delaying_event_record(tern_bdevice *base, tern_bqueue *handle, tern_bevent *event_handle,
                              tern_backend_error *err) {
    delaying *self = (delaying *)base;
    delaying_lock();
    queue *own = delaying_find_queue(self, handle, err);
    event *recorded = own ? find_event(self, event_handle, false, err) : NULL;
    if (recorded) {
        queue_retain(own);
        if (recorded->queue) queue_release(recorded->queue);
        recorded->queue = own;
        recorded->position = own->submitted;
    }
    delaying_unlock();
    return recorded ? TERN_BACKEND_OK : TERN_BACKEND_INVALID;
}

/* An event that was never recorded has passed. */
int32_t delaying_event_wait(tern_bdevice *base, tern_bqueue *handle, tern_bevent *event_handle,
                            tern_backend_error *err) {
    command *work = command_new(COMMAND_WAIT, 0);
    if (!work) return delaying_out_of_memory(err);
    delaying *self = (delaying *)base;
    delaying_lock();
    queue *own = delaying_find_queue(self, handle, err);
    const event *awaited = own ? find_event(self, event_handle, true, err) : NULL;
    bool waits = awaited && awaited->queue && awaited->queue->done < awaited->position;
    if (waits) {
        work->source = awaited->queue;
        work->position = awaited->position;
        command_push(own, work);
    }
    delaying_unlock();
    if (!waits) backend->host->free(work);
    return awaited ? TERN_BACKEND_OK : TERN_BACKEND_INVALID;
}

int32_t delaying_event_synchronize(tern_bdevice *base, tern_bevent *handle,
                                   tern_backend_error *err) {
    delaying *self = (delaying *)base;
    delaying_lock();
    const event *own = find_event(self, handle, false, err);
    if (own && own->queue) queue_run(own->queue, own->position);
    int32_t status = breach_report(&self->breach, err);
    delaying_unlock();
    return status;
}

/* The first question starts the work, and finds it not done. */
int32_t delaying_event_query(tern_bdevice *base, tern_bevent *handle, int32_t *out_passed,
                             tern_backend_error *err) {
    delaying *self = (delaying *)base;
    delaying_lock();
    const event *own = find_event(self, handle, false, err);
    *out_passed = own && (!own->queue || own->queue->done >= own->position);
    if (own && !*out_passed) queue_run(own->queue, own->position);
    int32_t status = breach_report(&self->breach, err);
    delaying_unlock();
    return status;
}
