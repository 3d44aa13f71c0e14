/*
 * Buffers and copies. Nobody waits for a release: the driver keeps a cl_mem as long as queued work needs it.
 */
#include <string.h>

#include "opencl.h"

static opencl_device *device_of(tern_bdevice *base) {
    return (opencl_device *)base;
}

static cl_mem memory_of(tern_bbuffer *buffer) {
    return (cl_mem)(void *)buffer;
}

int32_t opencl_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    cl_int code;
    cl_mem memory =
        clCreateBuffer(device_of(base)->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &code);
    *out_buffer = (tern_bbuffer *)(void *)memory;
    return memory ? TERN_BACKEND_OK : opencl_failed(err, "clCreateBuffer", code);
}

void opencl_buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    atomic_fetch_add(&device_of(base)->released, 1); /* before the handle can be another buffer's */
    clReleaseMemObject(memory_of(buffer));
}

/* OpenCL does not tell what is free: the core's own count stands in for that. */
int32_t opencl_memory_info(tern_bdevice *base, uint64_t *out_free, uint64_t *out_total,
                           tern_backend_error *err) {
    (void)err;
    *out_free = *out_total = device_of(base)->memory;
    return TERN_BACKEND_OK;
}

/* ---- host memory that may be read late ------------------------------------------------------- */

void *opencl_host_alloc(tern_bdevice *base, uint64_t bytes) {
    opencl_device *self = device_of(base);
    opencl_pinned *entry = opencl_host->alloc(sizeof *entry);
    char *memory = entry ? opencl_host->alloc((size_t)bytes) : NULL;
    if (!memory) {
        opencl_host->free(entry);
        return NULL;
    }
    pthread_mutex_lock(&self->pinned_lock);
    *entry = (opencl_pinned){self->pinned, memory, bytes};
    self->pinned = entry;
    pthread_mutex_unlock(&self->pinned_lock);
    return memory;
}

void opencl_host_free(tern_bdevice *base, void *memory) {
    opencl_device *self = device_of(base);
    pthread_mutex_lock(&self->pinned_lock);
    opencl_pinned **link = &self->pinned, *entry;
    while (*link && (*link)->memory != memory) link = &(*link)->next;
    entry = *link;
    if (entry) *link = entry->next;
    pthread_mutex_unlock(&self->pinned_lock);
    opencl_host->free(memory);
    opencl_host->free(entry);
}

static bool may_be_read_late(opencl_device *self, const char *src, uint64_t bytes) {
    pthread_mutex_lock(&self->pinned_lock);
    const opencl_pinned *entry = self->pinned;
    while (entry && (src < entry->memory || src + bytes > entry->memory + entry->bytes))
        entry = entry->next;
    pthread_mutex_unlock(&self->pinned_lock);
    return entry != NULL;
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* What is larger is read by the driver before the call returns: a copy of it would cost more. */
#define STAGED ((uint64_t)16 << 20)

static void CL_CALLBACK free_staging(cl_event event, cl_int status, void *staging) {
    (void)event, (void)status;
    opencl_host->free(staging);
}

/* The source is the caller's again at once: the driver reads from a copy. */
static int32_t write_staged(cl_command_queue queue, cl_mem to, uint64_t offset, const void *src,
                            uint64_t bytes, void *staging, tern_backend_error *err) {
    cl_event done;
    memcpy(staging, src, (size_t)bytes);
    cl_int code = clEnqueueWriteBuffer(queue, to, CL_FALSE, (size_t)offset, (size_t)bytes, staging,
                                       0, NULL, &done);
    if (code != CL_SUCCESS) {
        opencl_host->free(staging);
        return opencl_failed(err, "clEnqueueWriteBuffer", code);
    }
    code = clSetEventCallback(done, CL_COMPLETE, free_staging, staging);
    if (code != CL_SUCCESS) {
        clWaitForEvents(1, &done);
        opencl_host->free(staging);
    }
    clReleaseEvent(done);
    return TERN_BACKEND_OK;
}

int32_t opencl_copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    cl_command_queue own = ((opencl_queue *)(void *)queue)->queue;
    bool late = may_be_read_late(device_of(base), src, bytes);
    void *staging = late || bytes > STAGED ? NULL : opencl_host->alloc((size_t)bytes);
    if (staging) return write_staged(own, memory_of(dst), dst_offset, src, bytes, staging, err);
    cl_int code = clEnqueueWriteBuffer(own, memory_of(dst), late ? CL_FALSE : CL_TRUE,
                                       (size_t)dst_offset, (size_t)bytes, src, 0, NULL, NULL);
    return code == CL_SUCCESS ? TERN_BACKEND_OK : opencl_failed(err, "clEnqueueWriteBuffer", code);
}

int32_t opencl_copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)base;
    cl_command_queue own = ((opencl_queue *)(void *)queue)->queue;
    cl_int code = clEnqueueReadBuffer(own, memory_of(src), CL_FALSE, (size_t)src_offset,
                                      (size_t)bytes, dst, 0, NULL, NULL);
    return code == CL_SUCCESS ? TERN_BACKEND_OK : opencl_failed(err, "clEnqueueReadBuffer", code);
}

/* ---- between two contexts -------------------------------------------------------------------- */

/* What is under way: an event of each context for what the other waits for. */
typedef struct crossing {
    cl_event before, may_map, mapped, may_write, written, may_unmap;
} crossing;

static void crossing_fini(crossing *c) {
    cl_event all[] = {c->before, c->may_map, c->mapped, c->may_write, c->written, c->may_unmap};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) clReleaseEvent(all[i]);
}

/* Lets the host see the source once `own` has come so far; `out_address` may be read when c->mapped passes. */
static cl_int map_source(opencl_device *from, cl_command_queue own, cl_mem src, size_t offset,
                         size_t bytes, crossing *c, void **out_address) {
    cl_int code = clEnqueueMarkerWithWaitList(own, 0, NULL, &c->before);
    if (code == CL_SUCCESS) code = opencl_bridge(from->context, c->before, &c->may_map);
    if (code == CL_SUCCESS)
        *out_address = clEnqueueMapBuffer(from->maps, src, CL_FALSE, CL_MAP_READ, offset, bytes, 1,
                                          &c->may_map, &c->mapped, &code);
    return code;
}

static cl_int write_mapped(opencl_device *to, cl_command_queue own, cl_mem dst, size_t offset,
                           size_t bytes, const void *address, crossing *c) {
    cl_int code = opencl_bridge(to->context, c->mapped, &c->may_write);
    if (code == CL_SUCCESS)
        code = clEnqueueWriteBuffer(own, dst, CL_FALSE, offset, bytes, address, 1, &c->may_write,
                                    &c->written);
    return code;
}

/* Behind the write, or at once where there is none. */
static cl_int unmap_source(opencl_device *from, cl_mem src, void *address, crossing *c) {
    cl_int code = CL_SUCCESS;
    if (c->written) code = opencl_bridge(from->context, c->written, &c->may_unmap);
    if (code != CL_SUCCESS) clWaitForEvents(1, &c->written);
    cl_uint count = c->may_unmap ? 1 : 0;
    cl_int unmapped = clEnqueueUnmapMemObject(from->maps, src, address, count,
                                              count ? &c->may_unmap : NULL, NULL);
    return code == CL_SUCCESS ? unmapped : code;
}

int32_t opencl_copy_between(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    opencl_device *from = device_of(src_device), *to = device_of(base);
    cl_command_queue own = ((opencl_queue *)(void *)queue)->queue;
    crossing c = {0};
    void *address = NULL;
    if (!from->maps)
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "opencl: the source is not in host memory");
    const char *call = "clEnqueueMapBuffer";
    cl_int code =
        map_source(from, own, memory_of(src), (size_t)src_offset, (size_t)bytes, &c, &address);
    if (code == CL_SUCCESS) {
        call = "clEnqueueWriteBuffer";
        code =
            write_mapped(to, own, memory_of(dst), (size_t)dst_offset, (size_t)bytes, address, &c);
        cl_int unmapped = unmap_source(from, memory_of(src), address, &c);
        if (code == CL_SUCCESS && unmapped != CL_SUCCESS) {
            call = "clEnqueueUnmapMemObject";
            code = unmapped;
        }
    }
    clFlush(own);
    clFlush(from->maps);
    crossing_fini(&c);
    return code == CL_SUCCESS ? TERN_BACKEND_OK : opencl_failed(err, call, code);
}
