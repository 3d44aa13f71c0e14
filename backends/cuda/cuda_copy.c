/*
 * Copies. The driver reads pageable memory in its own time, which may be the caller's, so what is copied to the
 * device goes through pinned stages, and what is small and comes back through the queue's landing; both leave the
 * host free at once. Larger reads wait in the driver, which is what their caller does next.
 */
#include <string.h>

#include "cuda.h"

#define STAGE_LEAST ((uint64_t)64 << 10)
#define STAGE_LARGEST                                                                              \
    ((uint64_t)16 << 20) /* what is larger is read by the driver before it returns */
#define STAGED_MOST ((uint64_t)64 << 20) /* of all stages of a device */

static cuda_device *device_of(tern_bdevice *base) {
    return (cuda_device *)base;
}
static const cuda_buffer *buffer_of(const tern_bbuffer *buffer) {
    return (const cuda_buffer *)(const void *)buffer;
}
static cuda_queue *queue_of(tern_bqueue *queue) {
    return (cuda_queue *)(void *)queue;
}

/* ---- pinned memory --------------------------------------------------------------------------- */

static cuda_pinned *pin(uint64_t bytes) {
    cuda_pinned *entry = cuda_host->alloc(sizeof *entry);
    void *memory = NULL;
    if (!entry) return NULL;
    if (cuda.host_alloc(&memory, (size_t)bytes, CU_MEMHOSTALLOC_PORTABLE) != CUDA_SUCCESS) {
        cuda_host->free(entry);
        return NULL;
    }
    *entry = (cuda_pinned){.memory = memory, .bytes = bytes};
    return entry;
}

static void unpin(cuda_pinned *entry) {
    cuda.host_free(entry->memory);
    cuda_host->free(entry);
}

void *cuda_host_alloc(tern_bdevice *base, uint64_t bytes) {
    cuda_device *self = device_of(base);
    tern_backend_error err;
    if (!cuda_enter(self, &err)) return NULL;
    cuda_pinned *entry = pin(bytes);
    cuda_leave();
    if (!entry) return NULL;
    pthread_mutex_lock(&self->lock);
    entry->next = self->pinned;
    self->pinned = entry;
    pthread_mutex_unlock(&self->lock);
    return entry->memory;
}

void cuda_host_free(tern_bdevice *base, void *memory) {
    cuda_device *self = device_of(base);
    pthread_mutex_lock(&self->lock);
    cuda_pinned **link = &self->pinned, *entry;
    while (*link && (*link)->memory != memory) link = &(*link)->next;
    entry = *link;
    if (entry) *link = entry->next;
    pthread_mutex_unlock(&self->lock);
    bool is_current = cuda_enter_to_free(self);
    if (entry) unpin(entry);
    if (is_current) cuda_leave();
}

static bool is_pinned(cuda_device *self, const char *memory, uint64_t bytes) {
    pthread_mutex_lock(&self->lock);
    const cuda_pinned *entry = self->pinned;
    while (entry && (memory < entry->memory || memory + bytes > entry->memory + entry->bytes))
        entry = entry->next;
    pthread_mutex_unlock(&self->lock);
    return entry != NULL;
}

/* ---- stages ---------------------------------------------------------------------------------- */

static bool is_free(const cuda_pinned *stage) {
    return !stage->is_read || cuda_has_passed(stage->passed);
}

/* A stage of the size that has been read; NULL where there is none. */
static cuda_pinned *take_stage(cuda_device *self, uint64_t bytes) {
    pthread_mutex_lock(&self->lock);
    cuda_pinned **link = &self->stages, *found;
    while (*link && ((*link)->bytes != bytes || !is_free(*link))) link = &(*link)->next;
    found = *link;
    if (found) *link = found->next;
    pthread_mutex_unlock(&self->lock);
    return found;
}

static void put_stage(cuda_device *self, cuda_pinned *stage) {
    pthread_mutex_lock(&self->lock);
    stage->next = self->stages;
    self->stages = stage;
    pthread_mutex_unlock(&self->lock);
}

/* Another stage, where their bytes allow it. */
static cuda_pinned *add_stage(cuda_device *self, uint64_t bytes) {
    pthread_mutex_lock(&self->lock);
    bool allowed = self->staged + bytes <= STAGED_MOST;
    if (allowed) self->staged += bytes;
    pthread_mutex_unlock(&self->lock);
    if (!allowed) return NULL;
    cuda_pinned *stage = pin(bytes);
    if (stage && (stage->passed = cuda_event_take(self))) return stage;
    if (stage) unpin(stage);
    pthread_mutex_lock(&self->lock);
    self->staged -= bytes;
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

void cuda_stages_close(cuda_device *self) {
    while (self->stages) {
        cuda_pinned *stage = self->stages;
        self->stages = stage->next;
        cuda_event_give(self, stage->passed);
        unpin(stage);
    }
}

static cuda_pinned *stage_for(cuda_device *self, uint64_t bytes) {
    uint64_t size = STAGE_LEAST;
    if (bytes > STAGE_LARGEST) return NULL;
    while (size < bytes) size *= 2;
    cuda_pinned *stage = take_stage(self, size);
    return stage ? stage : add_stage(self, size);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static CUresult write_staged(cuda_device *self, cuda_queue *queue, CUdeviceptr to, const void *src,
                             uint64_t bytes, cuda_pinned *stage) {
    memcpy(stage->memory, src, (size_t)bytes);
    CUresult code = cuda.to_device(to, stage->memory, (size_t)bytes, cuda_ordered(queue));
    stage->is_read = code == CUDA_SUCCESS;
    if (code == CUDA_SUCCESS) {
        CUresult marked = cuda.event_record(stage->passed, cuda_ordered(queue));
        stage->is_read = marked == CUDA_SUCCESS;
        if (marked != CUDA_SUCCESS) cuda.stream_synchronize(cuda_ordered(queue));
    }
    put_stage(self, stage);
    return code;
}

int32_t cuda_copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, const void *src, uint64_t bytes,
                            tern_backend_error *err) {
    cuda_device *self = device_of(base);
    cuda_queue *own = queue_of(queue);
    CUdeviceptr to = buffer_of(dst)->at + dst_offset;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    cuda_pinned *stage = is_pinned(self, src, bytes) ? NULL : stage_for(self, bytes);
    CUresult code = stage ? write_staged(self, own, to, src, bytes, stage)
                          : cuda.to_device(to, src, (size_t)bytes, cuda_ordered(own));
    cuda_leave();
    return cuda_result(self, own, "copying to the GPU", code, err);
}

/* Through the landing, where it is free and large enough. */
static CUresult read_landed(cuda_queue *own, void *dst, CUdeviceptr from, size_t bytes) {
    CUresult code = cuda.to_host(own->landing->bytes, from, bytes, cuda_ordered(own));
    own->read_to = code == CUDA_SUCCESS ? dst : NULL;
    own->read_bytes = bytes;
    return code;
}

int32_t cuda_copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                          uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    cuda_device *self = device_of(base);
    cuda_queue *own = queue_of(queue);
    CUdeviceptr from = buffer_of(src)->at + src_offset;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUresult code = own->read_to || bytes > CUDA_READ_BYTES
                        ? cuda.to_host(dst, from, (size_t)bytes, cuda_ordered(own))
                        : read_landed(own, dst, from, (size_t)bytes);
    cuda_leave();
    return cuda_result(self, own, "copying to the host", code, err);
}

/* Where the GPUs cannot reach each other's memory, the driver goes through the host. */
int32_t cuda_copy_between(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                          uint64_t dst_offset, tern_bdevice *src_base, tern_bbuffer *src,
                          uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    cuda_device *self = device_of(base), *other = device_of(src_base);
    cuda_queue *own = queue_of(queue);
    int can = 0;
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    if (cuda.device_can_access(&can, self->id, other->id) == CUDA_SUCCESS && can)
        cuda.peer_enable(other->context, 0); /* refuses a second time, which is as well */
    CUresult code = cuda.between(buffer_of(dst)->at + dst_offset, self->context,
                                 buffer_of(src)->at + src_offset, other->context, (size_t)bytes,
                                 cuda_ordered(own));
    cuda_leave();
    return cuda_result(self, own, "copying between GPUs", code, err);
}
