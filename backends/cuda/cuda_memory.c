/*
 * Buffers: plain allocations, whose cache is the core's. A freed one is given back to the driver when its queue
 * has passed an event; memory for single launches stays with the queue.
 */
#include <inttypes.h>
#include <string.h>

#include "cuda.h"

#define SCRATCH_LEAST   ((uint64_t)4096)
#define SCRATCH_LARGEST ((uint64_t)64 << 20) /* what is larger is not kept */

static cuda_device *device_of(tern_bdevice *base) {
    return (cuda_device *)base;
}
static cuda_buffer *buffer_of(tern_bbuffer *buffer) {
    return (cuda_buffer *)(void *)buffer;
}
static cuda_queue *queue_of(tern_bqueue *queue) {
    return (cuda_queue *)(void *)queue;
}

/* ---- events out of a store ------------------------------------------------------------------- */

CUevent cuda_event_take(cuda_device *self) {
    CUevent event = NULL;
    pthread_mutex_lock(&self->lock);
    if (self->spares) event = self->spare[--self->spares];
    pthread_mutex_unlock(&self->lock);
    if (!event && cuda.event_create(&event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS) return NULL;
    return event;
}

void cuda_event_give(cuda_device *self, CUevent event) {
    if (!event) return;
    pthread_mutex_lock(&self->lock);
    bool is_kept = self->spares < CUDA_SPARE_EVENTS;
    if (is_kept) self->spare[self->spares++] = event;
    pthread_mutex_unlock(&self->lock);
    if (!is_kept) cuda.event_destroy(event);
}

bool cuda_has_passed(CUevent event) {
    CUresult code = cuda.event_query(event);
    return code == CUDA_SUCCESS || cuda_is_lost(code);
}

/* ---- the driver's memory --------------------------------------------------------------------- */

static void count(cuda_device *self, int64_t buffers, uint64_t bytes) {
    pthread_mutex_lock(&self->lock);
    self->buffers += buffers;
    if (buffers > 0)
        self->held += bytes;
    else
        self->held -= bytes;
    pthread_mutex_unlock(&self->lock);
}

void cuda_give(cuda_device *self, cuda_buffer *buffer) {
    cuda.memory_free(buffer->at);
    count(self, -1, buffer->bytes);
    cuda_host->free(buffer);
}

/* The oldest freed buffer if its queue has passed it, or after waiting for that. */
static cuda_buffer *take_freed(cuda_device *self, bool wait) {
    pthread_mutex_lock(&self->lock);
    cuda_buffer *first = self->freed;
    bool has_passed = first && (wait || cuda_has_passed(first->passed));
    if (has_passed) {
        self->freed = first->next;
        if (!self->freed) self->last_freed = &self->freed;
    }
    pthread_mutex_unlock(&self->lock);
    if (has_passed && wait) cuda.event_synchronize(first->passed);
    return has_passed ? first : NULL;
}

void cuda_sweep(cuda_device *self, bool all) {
    for (cuda_buffer *buffer; (buffer = take_freed(self, all));) {
        cuda_event_give(self, buffer->passed);
        cuda_give(self, buffer);
    }
}

/* Scratch that no launch has, of every queue: out of the lists under the lock, freed behind it. */
static void free_scratch(cuda_device *self) {
    pthread_mutex_lock(&self->lock);
    for (cuda_queue *queue = self->queues; queue; queue = queue->next) {
        cuda_buffer *list = queue->scratch;
        if (!list || queue->replay) continue; /* what a replay has yet to start may use it */
        queue->scratch = NULL;
        cuda.stream_synchronize(queue->stream); /* its launches may be under way */
        while (list) {
            cuda_buffer *next = list->next;
            cuda.memory_free(list->at);
            self->held -= list->bytes;
            self->scratch -= list->bytes;
            self->buffers--;
            cuda_host->free(list);
            list = next;
        }
    }
    pthread_mutex_unlock(&self->lock);
}

#define MIB(bytes) ((bytes) >> 20)

/* Says what holds the memory. */
static int32_t out_of_memory(cuda_device *self, uint64_t bytes, tern_backend_error *err) {
    size_t available = 0, total = 0;
    cuda.memory_info(&available, &total);
    pthread_mutex_lock(&self->lock);
    uint64_t held = self->held, scratch = self->scratch, used = total - available;
    int64_t buffers = self->buffers;
    pthread_mutex_unlock(&self->lock);
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY,
                         "cuda: %zu of %zu MiB are free; %" PRId64
                         " buffers of this program hold %" PRIu64 " MiB (%" PRIu64
                         " between launches), contexts and other programs %" PRIu64 ", and %" PRIu64
                         " are asked for",
                         MIB(available), MIB(total), buffers, MIB(held), MIB(scratch),
                         MIB(used > held ? used - held : 0), MIB(bytes + (1 << 20) - 1));
}

int32_t cuda_take(cuda_device *self, uint64_t bytes, cuda_buffer **out_buffer,
                  tern_backend_error *err) {
    cuda_buffer *own = cuda_host->alloc(sizeof *own);
    *out_buffer = NULL;
    if (!own) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
    *own = (cuda_buffer){.bytes = bytes};
    CUresult code = cuda.memory_alloc(&own->at, (size_t)bytes);
    if (code == CUDA_ERROR_OUT_OF_MEMORY) {
        cuda_sweep(self, true);
        free_scratch(self);
        code = cuda.memory_alloc(&own->at, (size_t)bytes);
    }
    if (code != CUDA_SUCCESS) {
        cuda_host->free(own);
        return code == CUDA_ERROR_OUT_OF_MEMORY
                   ? out_of_memory(self, bytes, err)
                   : cuda_result(self, NULL, "allocating memory", code, err);
    }
    count(self, 1, bytes);
    *out_buffer = own;
    return TERN_BACKEND_OK;
}

int32_t cuda_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                          tern_backend_error *err) {
    cuda_device *self = device_of(base);
    cuda_buffer *own = NULL;
    *out_buffer = NULL;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    cuda_sweep(self, false);
    int32_t status = cuda_take(self, bytes, &own, err);
    cuda_leave();
    *out_buffer = (tern_bbuffer *)(void *)own;
    return status;
}

void cuda_buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    cuda_device *self = device_of(base);
    cuda_buffer *own = buffer_of(buffer);
    bool is_current = cuda_enter_to_free(self);
    CUevent passed = cuda_event_take(self);
    if (passed && cuda.event_record(passed, cuda_ordered(queue_of(queue))) == CUDA_SUCCESS) {
        own->passed = passed;
        own->next = NULL;
        pthread_mutex_lock(&self->lock);
        *self->last_freed = own;
        self->last_freed = &own->next;
        pthread_mutex_unlock(&self->lock);
    } else { /* without an event it has to have been used */
        cuda_event_give(self, passed);
        cuda.stream_synchronize(cuda_ordered(queue_of(queue)));
        cuda_give(self, own);
    }
    if (is_current) cuda_leave();
}

int32_t cuda_memory_info(tern_bdevice *base, uint64_t *out_free, uint64_t *out_total,
                         tern_backend_error *err) {
    cuda_device *self = device_of(base);
    size_t available = 0, total = 0;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = cuda.memory_info(&available, &total);
    cuda_leave();
    *out_free = available;
    *out_total = total;
    return cuda_result(self, NULL, "asking for the memory", code, err);
}

/* ---- memory for one launch ------------------------------------------------------------------- */

/* A power of two, so that launches of like sizes find each other's. */
static uint64_t scratch_size(uint64_t bytes) {
    uint64_t size = SCRATCH_LEAST;
    while (size < bytes && size < SCRATCH_LARGEST) size *= 2;
    return size < bytes ? bytes : size;
}

int32_t cuda_scratch(gpu_device *device, tern_bqueue *queue, uint64_t bytes,
                     tern_bbuffer **out_buffer, tern_backend_error *err) {
    cuda_device *self = (cuda_device *)device;
    uint64_t size = scratch_size(bytes);
    pthread_mutex_lock(&self->lock);
    cuda_buffer **link = &queue_of(queue)->scratch, *own;
    while (*link && (*link)->bytes != size) link = &(*link)->next;
    own = *link;
    if (own) *link = own->next;
    pthread_mutex_unlock(&self->lock);
    *out_buffer = (tern_bbuffer *)(void *)own;
    if (own) return TERN_BACKEND_OK;
    int32_t status = cuda_buffer_alloc(&device->base, size, out_buffer, err);
    pthread_mutex_lock(&self->lock);
    if (status == TERN_BACKEND_OK) self->scratch += size;
    pthread_mutex_unlock(&self->lock);
    return status;
}

void cuda_scratch_end(gpu_device *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    cuda_device *self = (cuda_device *)device;
    cuda_buffer *own = buffer_of(buffer);
    bool is_kept = own->bytes <= SCRATCH_LARGEST;
    pthread_mutex_lock(&self->lock);
    if (is_kept) {
        own->next = queue_of(queue)->scratch;
        queue_of(queue)->scratch = own;
    } else {
        self->scratch -= own->bytes;
    }
    pthread_mutex_unlock(&self->lock);
    if (!is_kept) cuda_buffer_free(&device->base, queue, buffer);
}

void cuda_scratch_close(cuda_device *self, cuda_queue *queue) {
    while (queue->scratch) {
        cuda_buffer *own = queue->scratch;
        queue->scratch = own->next;
        pthread_mutex_lock(&self->lock);
        self->scratch -= own->bytes;
        pthread_mutex_unlock(&self->lock);
        cuda_give(self, own);
    }
}
