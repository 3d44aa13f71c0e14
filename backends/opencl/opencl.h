/*
 * opencl.h: a device that OpenCL's driver runs: what the files of this folder share.
 *
 * backends/gpu decides what a launch means; here are calls of the driver alone. OpenCL 1.2 is enough. A
 * buffer's handle is the cl_mem itself. Queues are in order; an event is a marker. Nothing here blocks but
 * what tern/backend.h lets block.
 */
#ifndef TERN_OPENCL_H
#define TERN_OPENCL_H

#include <stdatomic.h>

#include <CL/cl.h>

#include "../gpu/gpu.h"

typedef struct opencl_device {
    gpu_device gpu;
    cl_device_id id;
    cl_context context;
    uint64_t memory, largest;
    cl_command_queue maps; /* of buffers in the host's memory; NULL: it has none there */
    char signature[512];   /* device, driver, platform: what a binary is good for */
    bool keeps;            /* whether compiled programs go into the cache */
    tern_bdevice_vtable table;
    pthread_mutex_t pinned_lock;
    struct opencl_pinned *pinned;
    _Atomic uint64_t released; /* buffers so far: what kernels remember of them counts no more */
    unsigned built, loaded;    /* programs compiled, and taken from the cache; under gpu.lock */
} opencl_device;

/* Host memory from host_alloc. */
typedef struct opencl_pinned {
    struct opencl_pinned *next;
    char *memory;
    uint64_t bytes;
} opencl_pinned;

/* The most bytes of a gpu_flag. */
#define OPENCL_FLAG_BYTES 64

typedef struct opencl_queue {
    cl_command_queue queue;
    cl_mem flag;
    union {
        int32_t state; /* not 0 where a kernel has met an error */
        uint64_t words[OPENCL_FLAG_BYTES / 8];
    } seen; /* the flag as it was at the last synchronisation */
} opencl_queue;

typedef struct opencl_event {
    cl_event event; /* NULL: never recorded */
} opencl_event;

extern const tern_host *opencl_host;

/* The status for an error of OpenCL's, with a line that names the call. */
int32_t opencl_failed(tern_backend_error *err, const char *call, cl_int code);

/* ---- opencl_memory.c ---- */

int32_t opencl_buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err);
void opencl_buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer);
int32_t opencl_memory_info(tern_bdevice *device, uint64_t *out_free, uint64_t *out_total,
                           tern_backend_error *err);
void *opencl_host_alloc(tern_bdevice *device, uint64_t bytes);
void opencl_host_free(tern_bdevice *device, void *memory);
int32_t opencl_copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err);
int32_t opencl_copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err);
int32_t opencl_copy_between(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

/* ---- opencl_queue.c ---- */

/* An event of `context` that passes when `event`, which may be of another, does: the caller's to release. */
cl_int opencl_bridge(cl_context context, cl_event event, cl_event *out_event);

int32_t opencl_queue_create(tern_bdevice *device, tern_bqueue **out_queue, tern_backend_error *err);
void opencl_queue_destroy(tern_bdevice *device, tern_bqueue *queue);
int32_t opencl_queue_synchronize(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err);
int32_t opencl_event_create(tern_bdevice *device, tern_bevent **out_event, tern_backend_error *err);
void opencl_event_destroy(tern_bdevice *device, tern_bevent *event);
int32_t opencl_event_record(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err);
int32_t opencl_event_wait(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                          tern_backend_error *err);
int32_t opencl_event_synchronize(tern_bdevice *device, tern_bevent *event, tern_backend_error *err);
int32_t opencl_event_query(tern_bdevice *device, tern_bevent *event, int32_t *out_passed,
                           tern_backend_error *err);
int32_t opencl_take_error(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err);
int32_t opencl_skip_flag(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer **out_buffer,
                         uint64_t *out_offset, tern_backend_error *err);

/* ---- opencl_program.c ---- */

extern const gpu_driver opencl_driver;

#endif
