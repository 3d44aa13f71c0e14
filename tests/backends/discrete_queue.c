/* discrete_queue.c: queues whose work is done at once, and events that have passed when recorded. */
#include <string.h>

#include "discrete.h"

static struct discrete_backend *const backend = &discrete_backend;

static void lock(void) {
    pthread_mutex_lock(&discrete_backend.lock);
}
static void unlock(void) {
    pthread_mutex_unlock(&discrete_backend.lock);
}

discrete_queue *discrete_find_queue(discrete *device, const tern_bqueue *queue,
                                    tern_backend_error *err) {
    lock();
    discrete_queue *own = handle_find(&backend->queues, HANDLE_QUEUE, queue);
    if (!own || own->device != device) {
        own = NULL;
        breach_note(&device->breach, err, "discrete:%d: %p is no queue of its own",
                    (int)device->index, (const void *)queue);
    }
    unlock();
    return own;
}

/* A live event of any device of this backend. */
static discrete_event *find_event(discrete *device, const tern_bevent *event,
                                  tern_backend_error *err) {
    lock();
    discrete_event *own = handle_find(&backend->events, HANDLE_EVENT, event);
    if (!own) breach_note(&device->breach, err, "discrete: %p is no event", (const void *)event);
    unlock();
    return own;
}

static discrete_event *find_own_event(discrete *device, const tern_bevent *event,
                                      tern_backend_error *err) {
    discrete_event *own = find_event(device, event, err);
    if (!own || own->device == device) return own;
    lock();
    breach_note(&device->breach, err, "discrete:%d: the event is the other device's",
                (int)device->index);
    unlock();
    return NULL;
}

static int32_t waited(discrete *device, tern_backend_error *err) {
    lock();
    device->waits++;
    int32_t status = breach_report(&device->breach, err);
    unlock();
    return status;
}

/* ---- queues ---- */

static int32_t set_skip(discrete_queue *queue, int32_t value, tern_backend_error *err) {
    return tern_kit_copy_to_device(&queue->device->kit.base, NULL, queue->skip, 0, &value,
                                   sizeof value, err);
}

void discrete_raise_skip(discrete_queue *queue) {
    tern_backend_error err;
    set_skip(queue, 1, &err);
}

int32_t discrete_queue_create(tern_bdevice *base, tern_bqueue **out_queue,
                              tern_backend_error *err) {
    discrete *self = (discrete *)base;
    discrete_queue *queue = backend->host->alloc(sizeof *queue);
    if (!queue) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
    memset(queue, 0, sizeof *queue);
    queue->device = self;
    int32_t status = discrete_buffer_alloc(base, sizeof(int32_t), &queue->skip, err);
    if (status == TERN_BACKEND_OK) {
        discrete_make_lasting(queue->skip);
        status = set_skip(queue, 0, err);
    }
    lock();
    *out_queue = status == TERN_BACKEND_OK
                     ? handle_new(&backend->queues, HANDLE_QUEUE, backend->host, queue)
                     : NULL;
    if (*out_queue) self->live++;
    unlock();
    if (*out_queue) return TERN_BACKEND_OK;
    if (queue->skip) discrete_free_lasting(self, queue->skip);
    backend->host->free(queue);
    return status == TERN_BACKEND_OK
               ? tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory")
               : status;
}

void discrete_queue_destroy(tern_bdevice *base, tern_bqueue *queue) {
    discrete *self = (discrete *)base;
    tern_backend_error err;
    discrete_queue *own = discrete_find_queue(self, queue, &err);
    if (!own) return;
    waited(self, &err);
    discrete_free_lasting(self, own->skip);
    lock();
    handle_end(&backend->queues, queue);
    self->live--;
    unlock();
    backend->host->free(own);
}

int32_t discrete_queue_synchronize(tern_bdevice *base, tern_bqueue *queue,
                                   tern_backend_error *err) {
    discrete *self = (discrete *)base;
    if (!discrete_find_queue(self, queue, err)) return TERN_BACKEND_INVALID;
    return waited(self, err);
}

int32_t discrete_take_error(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err) {
    discrete_queue *own = discrete_find_queue((discrete *)base, queue, err);
    if (!own) return TERN_BACKEND_INVALID;
    if (own->flag.status == TERN_BACKEND_OK) return TERN_BACKEND_OK;
    int32_t status = set_skip(own, 0, err);
    return status == TERN_BACKEND_OK ? tern_kit_take_flag(&own->flag, err) : status;
}

int32_t discrete_skip_flag(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer **out_buffer,
                           uint64_t *out_offset, tern_backend_error *err) {
    const discrete_queue *own = discrete_find_queue((discrete *)base, queue, err);
    if (!own) return TERN_BACKEND_INVALID;
    *out_buffer = own->skip;
    *out_offset = 0;
    return TERN_BACKEND_OK;
}

/* ---- events ---- */

int32_t discrete_event_create(tern_bdevice *base, tern_bevent **out_event,
                              tern_backend_error *err) {
    discrete *self = (discrete *)base;
    discrete_event *event = backend->host->alloc(sizeof *event);
    lock();
    *out_event = event ? handle_new(&backend->events, HANDLE_EVENT, backend->host, event) : NULL;
    if (*out_event) self->live++;
    unlock();
    if (!*out_event) {
        backend->host->free(event);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
    }
    event->device = self;
    return TERN_BACKEND_OK;
}

void discrete_event_destroy(tern_bdevice *base, tern_bevent *event) {
    discrete *self = (discrete *)base;
    tern_backend_error err;
    discrete_event *own = find_own_event(self, event, &err);
    if (!own) return;
    lock();
    handle_end(&backend->events, event);
    self->live--;
    unlock();
    backend->host->free(own);
}

int32_t discrete_event_record(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                              tern_backend_error *err) {
    discrete *self = (discrete *)base;
    bool known = discrete_find_queue(self, queue, err) && find_own_event(self, event, err);
    return known ? TERN_BACKEND_OK : TERN_BACKEND_INVALID;
}

int32_t discrete_event_wait(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err) {
    discrete *self = (discrete *)base;
    bool known = discrete_find_queue(self, queue, err) && find_event(self, event, err);
    return known ? TERN_BACKEND_OK : TERN_BACKEND_INVALID;
}

int32_t discrete_event_synchronize(tern_bdevice *base, tern_bevent *event,
                                   tern_backend_error *err) {
    discrete *self = (discrete *)base;
    return find_own_event(self, event, err) ? waited(self, err) : TERN_BACKEND_INVALID;
}

int32_t discrete_event_query(tern_bdevice *base, tern_bevent *event, int32_t *out_passed,
                             tern_backend_error *err) {
    int32_t status = discrete_event_synchronize(base, event, err);
    *out_passed = status == TERN_BACKEND_OK;
    return status;
}
