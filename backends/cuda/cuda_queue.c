/*
 * Queues, events and the error flag that kernels set: what it says lies in a buffer of the queue's, and is read
 * where the host waits for the queue anyway.
 */
#include <string.h>

#include "cuda.h"

static cuda_device *device_of(tern_bdevice *base) {
    return (cuda_device *)base;
}
static cuda_queue *queue_of(tern_bqueue *queue) {
    return (cuda_queue *)(void *)queue;
}
static cuda_event *event_of(tern_bevent *event) {
    return (cuda_event *)(void *)event;
}

static int32_t out_of_memory(tern_backend_error *err) {
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
}

/* ---- queues ---------------------------------------------------------------------------------- */

/* What a queue consists of, as far as it was made; the stream has no work. */
static void free_parts(cuda_device *self, cuda_queue *own) {
    if (own->flag) cuda_give(self, own->flag);
    if (own->landing) cuda.host_free(own->landing);
    if (own->stream) cuda.stream_destroy(own->stream);
    cuda_host->free(own);
}

static int32_t make_parts(cuda_device *self, cuda_queue *own, tern_backend_error *err) {
    void *landing = NULL;
    CUresult code = cuda.stream_create(&own->stream, CU_STREAM_NON_BLOCKING);
    if (code != CUDA_SUCCESS) return cuda_result(self, NULL, "making a stream", code, err);
    code = cuda.host_alloc(&landing, sizeof *own->landing, CU_MEMHOSTALLOC_PORTABLE);
    if (code != CUDA_SUCCESS) return cuda_result(self, NULL, "pinning memory", code, err);
    own->landing = landing;
    memset(own->landing, 0, sizeof *own->landing);
    int32_t status = cuda_take(self, sizeof own->landing->seen, &own->flag, err);
    if (status != TERN_BACKEND_OK) return status;
    code = cuda.fill_bytes(own->flag->at, 0, sizeof own->landing->seen, cuda_ordered(own));
    return cuda_result(self, NULL, "clearing the flag", code, err);
}

int32_t cuda_queue_create(tern_bdevice *base, tern_bqueue **out_queue, tern_backend_error *err) {
    cuda_device *self = device_of(base);
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    cuda_queue *own = cuda_host->alloc(sizeof *own);
    int32_t status = own ? TERN_BACKEND_OK : out_of_memory(err);
    if (own) {
        memset(own, 0, sizeof *own);
        status = make_parts(self, own, err);
        if (status != TERN_BACKEND_OK) free_parts(self, own);
    }
    cuda_leave();
    if (status != TERN_BACKEND_OK) return status;
    pthread_mutex_lock(&self->lock);
    own->next = self->queues;
    self->queues = own;
    pthread_mutex_unlock(&self->lock);
    *out_queue = (tern_bqueue *)(void *)own;
    return TERN_BACKEND_OK;
}

void cuda_queue_destroy(tern_bdevice *base, tern_bqueue *queue) {
    cuda_device *self = device_of(base);
    cuda_queue *own = queue_of(queue);
    pthread_mutex_lock(&self->lock);
    cuda_queue **link = &self->queues;
    while (*link != own) link = &(*link)->next;
    *link = own->next;
    pthread_mutex_unlock(&self->lock);
    bool is_current = cuda_enter_to_free(self);
    cuda.stream_synchronize(cuda_ordered(own));
    cuda_scratch_close(self, own);
    free_parts(self, own);
    if (is_current) cuda_leave();
}

/* What was read is handed on. */
static void land(cuda_queue *own, bool is_there) {
    if (own->read_to && is_there) memcpy(own->read_to, own->landing->bytes, own->read_bytes);
    own->read_to = NULL;
}

int32_t cuda_queue_synchronize(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err) {
    cuda_device *self = device_of(base);
    cuda_queue *own = queue_of(queue);
    if (!cuda_enter(self, err)) {
        land(own, false); /* whoever waits for what was read goes on without it */
        return cuda_refusal(self);
    }
    CUresult read =
        cuda.to_host(&own->landing->seen, own->flag->at, gpu_flag_size(), cuda_ordered(own));
    /* in any case: copies to the host may be under way */
    CUresult code = cuda.stream_synchronize(cuda_ordered(own));
    land(own, code == CUDA_SUCCESS);
    if (code == CUDA_SUCCESS) cuda_sweep(self, false);
    cuda_leave();
    int32_t status =
        cuda_result(self, own, "waiting for the GPU", code == CUDA_SUCCESS ? read : code, err);
    if (code == CUDA_SUCCESS) own->started = 0;
    return status;
}

int32_t cuda_take_error(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err) {
    cuda_device *self = device_of(base);
    cuda_queue *own = queue_of(queue);
    if (!own->landing->seen.state) return TERN_BACKEND_OK;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = cuda.fill_bytes(own->flag->at, 0, sizeof own->landing->seen, cuda_ordered(own));
    cuda_leave();
    if (code != CUDA_SUCCESS) return cuda_result(self, own, "clearing the flag", code, err);
    int32_t status = gpu_flag_status(&own->landing->seen, err);
    own->landing->seen.state = 0;
    return status;
}

int32_t cuda_skip_flag(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer **out_buffer,
                       uint64_t *out_offset, tern_backend_error *err) {
    (void)base, (void)err;
    *out_buffer = (tern_bbuffer *)(void *)queue_of(queue)->flag;
    *out_offset = 0;
    return TERN_BACKEND_OK;
}

/* ---- events ---------------------------------------------------------------------------------- */

int32_t cuda_event_create(tern_bdevice *base, tern_bevent **out_event, tern_backend_error *err) {
    cuda_device *self = device_of(base);
    cuda_event *own = cuda_host->alloc(sizeof *own);
    *out_event = NULL;
    if (!own) return out_of_memory(err);
    *own = (cuda_event){NULL, false};
    if (!cuda_enter(self, err)) {
        cuda_host->free(own);
        return cuda_refusal(self);
    }
    CUresult code = cuda.event_create(&own->event, CU_EVENT_DISABLE_TIMING);
    cuda_leave();
    if (code != CUDA_SUCCESS) {
        cuda_host->free(own);
        return cuda_result(self, NULL, "making an event", code, err);
    }
    *out_event = (tern_bevent *)(void *)own;
    return TERN_BACKEND_OK;
}

void cuda_event_destroy(tern_bdevice *base, tern_bevent *event) {
    bool is_current = cuda_enter_to_free(device_of(base));
    cuda.event_destroy(event_of(event)->event);
    if (is_current) cuda_leave();
    cuda_host->free(event);
}

int32_t cuda_event_record(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                          tern_backend_error *err) {
    cuda_device *self = device_of(base);
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = cuda.event_record(event_of(event)->event, cuda_ordered(queue_of(queue)));
    cuda_leave();
    if (code == CUDA_SUCCESS) event_of(event)->is_recorded = true;
    return cuda_result(self, queue_of(queue), "marking the queue", code, err);
}

int32_t cuda_event_wait(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                        tern_backend_error *err) {
    cuda_device *self = device_of(base);
    if (!event_of(event)->is_recorded) return TERN_BACKEND_OK;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = cuda.stream_wait(cuda_ordered(queue_of(queue)), event_of(event)->event, 0);
    cuda_leave();
    return cuda_result(self, queue_of(queue), "waiting for another queue", code, err);
}

int32_t cuda_event_synchronize(tern_bdevice *base, tern_bevent *event, tern_backend_error *err) {
    cuda_device *self = device_of(base);
    if (!event_of(event)->is_recorded) return TERN_BACKEND_OK;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = cuda.event_synchronize(event_of(event)->event);
    cuda_leave();
    return cuda_result(self, NULL, "waiting for an event", code, err);
}

int32_t cuda_event_query(tern_bdevice *base, tern_bevent *event, int32_t *out_passed,
                         tern_backend_error *err) {
    cuda_device *self = device_of(base);
    *out_passed = 1;
    if (!event_of(event)->is_recorded) return TERN_BACKEND_OK;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = cuda.event_query(event_of(event)->event);
    cuda_leave();
    *out_passed = code != CUDA_ERROR_NOT_READY;
    if (code == CUDA_ERROR_NOT_READY) return TERN_BACKEND_OK;
    return cuda_result(self, NULL, "asking for an event", code, err);
}
