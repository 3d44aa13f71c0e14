/*
 * delaying: a device that does nothing until it must, and then in the latest legal order.
 *
 * Launches, uploads and downloads are recorded, their arguments copied, and run when a queue, an
 * event or the device's end is waited for. New memory holds NaN, and a download's destination holds
 * garbage until the wait, so a host that does not wait reads nonsense. Freeing a buffer that queued
 * work still uses is an error of every wait after it.
 */
#include "delaying.h"

#include <string.h>

static const tern_host *host;

static int32_t out_of_memory(tern_backend_error *err) {
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "delaying: out of memory");
}

static int32_t submit(tern_bqueue *queue, command *work) {
    pthread_mutex_lock(&queue->device->lock);
    command_push(queue, work);
    pthread_mutex_unlock(&queue->device->lock);
    return TERN_BACKEND_OK;
}

/* ---- memory ---- */

static int32_t buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)device;
    tern_bbuffer *buffer = bytes <= SIZE_MAX / 2 ? host->alloc(sizeof *buffer) : NULL;
    char *memory = buffer ? host->alloc((size_t)bytes) : NULL;
    if (!memory) {
        host->free(buffer);
        return out_of_memory(err);
    }
    memset(memory, 0xff, (size_t)bytes); /* NaN in every floating dtype */
    *buffer = (tern_bbuffer){memory, 0, false};
    *out_buffer = buffer;
    return TERN_BACKEND_OK;
}

static void buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    delaying *self = (delaying *)device;
    pthread_mutex_lock(&self->lock);
    if (buffer->pending > 0) self->freed_early = true;
    buffer->freed = true;
    buffer_release(host, buffer);
    pthread_mutex_unlock(&self->lock);
}

/* ---- copies ---- */

static int32_t copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    (void)device;
    command *work = command_new(host, COMMAND_UPLOAD, (size_t)bytes);
    if (!work) return out_of_memory(err);
    work->dst = dst;
    work->dst_offset = dst_offset;
    work->bytes = bytes;
    work->host = work + 1;
    memcpy(work->host, src, (size_t)bytes);
    return submit(queue, work);
}

static int32_t copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)device;
    command *work = command_new(host, COMMAND_DOWNLOAD, 0);
    if (!work) return out_of_memory(err);
    work->src = src;
    work->src_offset = src_offset;
    work->bytes = bytes;
    work->host = dst;
    memset(dst, 0xa5, (size_t)bytes);
    return submit(queue, work);
}

/* ---- launches ---- */

static void keep_operands(command *work, const tern_operand *operands, int32_t count,
                          int32_t first) {
    for (int32_t i = 0; i < count; i++) {
        tern_operand *kept = &work->operands[first + i];
        int64_t *shape = work->extents[first + i][0], *strides = work->extents[first + i][1];
        *kept = operands[i];
        size_t bytes = (size_t)kept->rank * sizeof *shape;
        if (bytes) memcpy(shape, operands[i].shape, bytes);
        if (bytes) memcpy(strides, operands[i].strides, bytes);
        kept->shape = shape;
        kept->strides = strides;
    }
}

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    const delaying *self = (const delaying *)device;
    if (kernel < 0 || kernel >= TERN_KIT_KERNELS || !self->kit.kernels[kernel]) {
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED, "delaying: no kernel %d", (int)kernel);
    }
    if (n_inputs + n_outputs > TERN_KIT_OPERANDS) {
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "delaying: too many operands");
    }
    command *work = command_new(host, COMMAND_LAUNCH, attrs_size);
    if (!work) return out_of_memory(err);
    work->kernel = kernel;
    work->n_inputs = n_inputs;
    work->n_outputs = n_outputs;
    keep_operands(work, inputs, n_inputs, 0);
    keep_operands(work, outputs, n_outputs, n_inputs);
    if (attrs_size) memcpy(work + 1, attrs, attrs_size);
    work->attrs = work + 1;
    work->attrs_size = attrs_size;
    return submit(queue, work);
}

/* ---- queues and events ---- */

static int32_t queue_create(tern_bdevice *device, tern_bqueue **out_queue,
                            tern_backend_error *err) {
    tern_bqueue *queue = host->alloc(sizeof *queue);
    if (!queue) return out_of_memory(err);
    memset(queue, 0, sizeof *queue);
    queue->device = (delaying *)device;
    *out_queue = queue;
    return TERN_BACKEND_OK;
}

static void queue_destroy(tern_bdevice *device, tern_bqueue *queue) {
    delaying *self = (delaying *)device;
    pthread_mutex_lock(&self->lock);
    queue_run(queue, NULL, 0);
    pthread_mutex_unlock(&self->lock);
    host->free(queue);
}

static int32_t queue_synchronize(tern_bdevice *device, tern_bqueue *queue,
                                 tern_backend_error *err) {
    delaying *self = (delaying *)device;
    pthread_mutex_lock(&self->lock);
    queue_run(queue, NULL, 0);
    int32_t status = tern_kit_take_flag(&queue->flag, err);
    if (self->freed_early) {
        status = tern_kit_fail(err, TERN_BACKEND_INVALID,
                               "delaying: a buffer was freed while queued work used it");
    }
    pthread_mutex_unlock(&self->lock);
    return status;
}

static int32_t event_create(tern_bdevice *device, tern_bevent **out_event,
                            tern_backend_error *err) {
    (void)device;
    tern_bevent *event = host->alloc(sizeof *event);
    if (!event) return out_of_memory(err);
    *event = (tern_bevent){.references = 1};
    *out_event = event;
    return TERN_BACKEND_OK;
}

static void event_destroy(tern_bdevice *device, tern_bevent *event) {
    delaying *self = (delaying *)device;
    pthread_mutex_lock(&self->lock);
    event_release(host, event);
    pthread_mutex_unlock(&self->lock);
}

static int32_t push_event(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                          command_kind kind, tern_backend_error *err) {
    delaying *self = (delaying *)device;
    command *work = command_new(host, kind, 0);
    if (!work) return out_of_memory(err);
    pthread_mutex_lock(&self->lock);
    if (kind == COMMAND_RECORD) {
        event->recorded++;
        event->queue = queue;
    }
    work->event = event;
    work->ticket = event->recorded;
    work->source = event->queue;
    event->references++;
    command_push(queue, work);
    pthread_mutex_unlock(&self->lock);
    return TERN_BACKEND_OK;
}

static int32_t event_record(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err) {
    return push_event(device, queue, event, COMMAND_RECORD, err);
}

static int32_t event_wait(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                          tern_backend_error *err) {
    return push_event(device, queue, event, COMMAND_WAIT, err);
}

static int32_t event_synchronize(tern_bdevice *device, tern_bevent *event,
                                 tern_backend_error *err) {
    (void)err;
    delaying *self = (delaying *)device;
    pthread_mutex_lock(&self->lock);
    if (event->done < event->recorded) queue_run(event->queue, event, event->recorded);
    pthread_mutex_unlock(&self->lock);
    return TERN_BACKEND_OK;
}

/* Asked for, the work up to the event is done. */
static int32_t event_query(tern_bdevice *device, tern_bevent *event, int32_t *out_passed,
                           tern_backend_error *err) {
    int32_t status = event_synchronize(device, event, err);
    *out_passed = status == TERN_BACKEND_OK;
    return status;
}

/* ---- the device ---- */

static void *reach(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)device, (void)err;
    return buffer->memory;
}

static void close_device(tern_bdevice *device) {
    delaying *self = (delaying *)device;
    tern_kit_device_fini(&self->kit);
    pthread_mutex_destroy(&self->lock);
    host->free(self);
}

static const tern_kit_memory memory = {reach, NULL};

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .copy_to_device = copy_to_device,
    .copy_to_host = copy_to_host,
    .queue_create = queue_create,
    .queue_destroy = queue_destroy,
    .queue_synchronize = queue_synchronize,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_record = event_record,
    .event_wait = event_wait,
    .event_synchronize = event_synchronize,
    .event_query = event_query,
    .supports = tern_kit_supports,
    .launch = launch,
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "delaying has one device");
    return tern_kit_device_info(out_info, "work done as late as it may be", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "delaying has one device");
    delaying *self = host->alloc(sizeof *self);
    if (!self) return out_of_memory(err);
    tern_kit_device_init(&self->kit, &vtable, host, &memory);
    pthread_mutex_init(&self->lock, NULL);
    self->freed_early = false;
    *out_device = &self->kit.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "delaying",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .can_unload = 1,
    .device_count = tern_kit_one_device,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
