/*
 * Queues, events and the error flag that kernels set: four bytes and what they say, in a buffer of the
 * queue's, read where the host waits for the queue anyway.
 */
#include <string.h>

#include "opencl.h"

static opencl_queue *queue_of(tern_bqueue *queue) {
    return (opencl_queue *)(void *)queue;
}
static opencl_event *event_of(tern_bevent *event) {
    return (opencl_event *)(void *)event;
}

static int32_t out_of_memory(tern_backend_error *err) {
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "opencl: no host memory");
}

static const uint64_t no_error[OPENCL_FLAG_BYTES / 8];

int32_t opencl_queue_create(tern_bdevice *base, tern_bqueue **out_queue, tern_backend_error *err) {
    opencl_device *self = (opencl_device *)base;
    opencl_queue *own = opencl_host->alloc(sizeof *own);
    cl_int code;
    if (!own) return out_of_memory(err);
    memset(own, 0, sizeof *own);
    own->queue = clCreateCommandQueue(self->context, self->id, 0, &code);
    if (own->queue)
        own->flag = clCreateBuffer(self->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                   OPENCL_FLAG_BYTES, (void *)(uintptr_t)no_error, &code);
    if (!own->flag) {
        const char *call = own->queue ? "clCreateBuffer" : "clCreateCommandQueue";
        if (own->queue) clReleaseCommandQueue(own->queue);
        opencl_host->free(own);
        return opencl_failed(err, call, code);
    }
    *out_queue = (tern_bqueue *)(void *)own;
    return TERN_BACKEND_OK;
}

void opencl_queue_destroy(tern_bdevice *base, tern_bqueue *queue) {
    (void)base;
    opencl_queue *own = queue_of(queue);
    clFinish(own->queue);
    clReleaseMemObject(own->flag);
    clReleaseCommandQueue(own->queue);
    opencl_host->free(own);
}

int32_t opencl_queue_synchronize(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err) {
    (void)base;
    opencl_queue *own = queue_of(queue);
    cl_int read = clEnqueueReadBuffer(own->queue, own->flag, CL_FALSE, 0, gpu_flag_size(),
                                      &own->seen, 0, NULL, NULL);
    cl_int code = clFinish(own->queue); /* in any case: copies to the host may be under way */
    if (read != CL_SUCCESS) return opencl_failed(err, "clEnqueueReadBuffer", read);
    return code == CL_SUCCESS ? TERN_BACKEND_OK : opencl_failed(err, "clFinish", code);
}

int32_t opencl_take_error(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err) {
    (void)base;
    opencl_queue *own = queue_of(queue);
    if (!own->seen.state) return TERN_BACKEND_OK;
    cl_int code = clEnqueueWriteBuffer(own->queue, own->flag, CL_FALSE, 0, OPENCL_FLAG_BYTES,
                                       no_error, 0, NULL, NULL);
    if (code != CL_SUCCESS) return opencl_failed(err, "clEnqueueWriteBuffer", code);
    own->seen.state = 0;
    return gpu_flag_status(&own->seen, err);
}

int32_t opencl_skip_flag(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer **out_buffer,
                         uint64_t *out_offset, tern_backend_error *err) {
    (void)base, (void)err;
    *out_buffer = (tern_bbuffer *)(void *)queue_of(queue)->flag;
    *out_offset = 0;
    return TERN_BACKEND_OK;
}

/* ---- events ---------------------------------------------------------------------------------- */

int32_t opencl_event_create(tern_bdevice *base, tern_bevent **out_event, tern_backend_error *err) {
    (void)base;
    opencl_event *own = opencl_host->alloc(sizeof *own);
    *out_event = (tern_bevent *)(void *)own;
    if (!own) return out_of_memory(err);
    own->event = NULL;
    return TERN_BACKEND_OK;
}

static void forget(opencl_event *own) {
    if (own->event) clReleaseEvent(own->event);
    own->event = NULL;
}

void opencl_event_destroy(tern_bdevice *base, tern_bevent *event) {
    (void)base;
    forget(event_of(event));
    opencl_host->free(event);
}

int32_t opencl_event_record(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err) {
    (void)base;
    cl_event marker;
    cl_int code = clEnqueueMarkerWithWaitList(queue_of(queue)->queue, 0, NULL, &marker);
    if (code != CL_SUCCESS) return opencl_failed(err, "clEnqueueMarkerWithWaitList", code);
    forget(event_of(event));
    event_of(event)->event = marker;
    return TERN_BACKEND_OK;
}

/* Called when an event of another device's context has passed. */
static void CL_CALLBACK pass_on(cl_event event, cl_int status, void *other) {
    (void)event;
    clSetUserEventStatus(other, status < 0 ? status : CL_COMPLETE);
    clReleaseEvent(other);
}

cl_int opencl_bridge(cl_context context, cl_event event, cl_event *out_event) {
    cl_int code;
    *out_event = clCreateUserEvent(context, &code);
    if (code != CL_SUCCESS) return code;
    clRetainEvent(*out_event);
    code = clSetEventCallback(event, CL_COMPLETE, pass_on, *out_event);
    if (code != CL_SUCCESS) {
        clReleaseEvent(*out_event);
        clReleaseEvent(*out_event);
        *out_event = NULL;
    }
    return code;
}

int32_t opencl_event_wait(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                          tern_backend_error *err) {
    opencl_device *self = (opencl_device *)base;
    cl_event own = event_of(event)->event, through = NULL;
    cl_context context;
    if (!own) return TERN_BACKEND_OK;
    cl_int code = clGetEventInfo(own, CL_EVENT_CONTEXT, sizeof context, &context, NULL);
    if (code == CL_SUCCESS && context != self->context) {
        code = opencl_bridge(self->context, own, &through);
        own = through;
    }
    if (code == CL_SUCCESS)
        code = clEnqueueBarrierWithWaitList(queue_of(queue)->queue, 1, &own, NULL);
    if (through) clReleaseEvent(through);
    return code == CL_SUCCESS ? TERN_BACKEND_OK
                              : opencl_failed(err, "clEnqueueBarrierWithWaitList", code);
}

int32_t opencl_event_synchronize(tern_bdevice *base, tern_bevent *event, tern_backend_error *err) {
    (void)base;
    cl_event own = event_of(event)->event;
    cl_int code = own ? clWaitForEvents(1, &own) : CL_SUCCESS;
    return code == CL_SUCCESS ? TERN_BACKEND_OK : opencl_failed(err, "clWaitForEvents", code);
}

int32_t opencl_event_query(tern_bdevice *base, tern_bevent *event, int32_t *out_passed,
                           tern_backend_error *err) {
    (void)base;
    cl_event own = event_of(event)->event;
    cl_command_queue queue = NULL;
    cl_int state = CL_COMPLETE, code = CL_SUCCESS;
    *out_passed = 1;
    if (!own) return TERN_BACKEND_OK;
    code = clGetEventInfo(own, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (code == CL_SUCCESS && state < 0) code = state;
    if (code != CL_SUCCESS) return opencl_failed(err, "clGetEventInfo", code);
    *out_passed = state == CL_COMPLETE;
    if (*out_passed) return TERN_BACKEND_OK;
    code = clGetEventInfo(own, CL_EVENT_COMMAND_QUEUE, sizeof queue, &queue, NULL);
    if (code == CL_SUCCESS && queue) clFlush(queue);
    return TERN_BACKEND_OK;
}
