/*
 * cuda.h: a GPU that NVIDIA's driver runs: what the files of this folder share.
 *
 * backends/gpu decides what a launch means; here are calls of the driver alone (driver.h). A device keeps the
 * primary context of its GPU, which the process's other users share, and makes it current for each call only.
 * A queue is a stream that is not ordered with the stream NULL. Nothing here blocks but what tern/backend.h
 * lets block, except where memory is out.
 *
 * FREEING. cuMemFree is not ordered by a stream. A buffer that the core frees waits in a list, behind an event of
 * its queue, until that has passed. Memory that one launch needs (gpu_scratch) is kept by the queue, whose order
 * makes it free again at once.
 *
 * ERRORS. A kernel's fault is met by some later call, and by every one from then on. The first is kept, with the
 * kernels that were under way, and is what every later call answers.
 */
#ifndef TERN_CUDA_H
#define TERN_CUDA_H

#include <stdatomic.h>

#include "../gpu/gpu.h"
#include "blas.h"
#include "dnn.h"
#include "driver.h"

#define CUDA_ALIGNMENT   256   /* of cuMemAlloc */
#define CUDA_MOST_GROUPS 65535 /* of a start's second and third dimension */

/* What a tern_bbuffer is. */
typedef struct cuda_buffer {
    CUdeviceptr at;
    uint64_t bytes;
    struct cuda_buffer *next; /* in a list: freed, or scratch that nobody has */
    CUevent passed;           /* freed: when the queue no longer needs it */
} cuda_buffer;

/* Pinned memory that copies to the device go through, or that host_alloc gave out. */
typedef struct cuda_pinned {
    struct cuda_pinned *next;
    char *memory;
    uint64_t bytes;
    CUevent passed; /* a stage: when it has been read */
    bool is_read;   /* until then */
} cuda_pinned;

#define CUDA_SPARE_EVENTS 64

typedef struct cuda_queue cuda_queue;

/* What may be a library's: TERN_CUDA_LIBRARIES. */
enum { CUDA_LIBRARIES_OFF, CUDA_LIBRARIES_LARGE, CUDA_LIBRARIES_ALWAYS };
enum { CUDA_BLAS, CUDA_DNN, CUDA_LIBRARY_COUNT };
enum { CUDA_LIBRARY_UNKNOWN, CUDA_LIBRARY_READY, CUDA_LIBRARY_MISSING };

typedef struct cuda_device {
    gpu_device gpu;
    CUdevice id;
    CUcontext context;
    int capability; /* 80: 8.0 */
    uint64_t memory;
    char name[64];
    char signature[512]; /* chip, driver, compiler: what a compiled program is good for */
    tern_bdevice_vtable table;
    bool waits; /* TERN_CUDA_SYNC: every launch is waited for, so that a fault names it */
    unsigned built, loaded; /* programs compiled, and taken from the cache; under gpu.lock */
    unsigned ready;         /* programs that came with the plugin; likewise */
    int libraries;
    bool tf32; /* TERN_CUDA_TF32: what is float32 may be TF32's in a library */
    _Atomic int library_state[CUDA_LIBRARY_COUNT]; /* CUDA_LIBRARY_*; change once, under gpu.lock */
    cublasLtHandle_t blas;                         /* where it is READY */
    cudnnHandle_t dnn;                             /* likewise; under dnn_lock */
    pthread_mutex_t dnn_lock;
    _Atomic unsigned products, convolutions; /* launches that were a library's */

    pthread_mutex_t lock; /* of what follows */
    cuda_queue *queues;
    cuda_buffer *freed, **last_freed;
    cuda_pinned *pinned, *stages;
    CUevent spare[CUDA_SPARE_EVENTS];
    int spares;
    uint64_t held, scratch, staged; /* bytes of buffers; of scratch, a part of that; pinned */
    int64_t buffers;
    _Atomic bool is_lost;
    char lost[400]; /* why, once it is */
} cuda_device;

#define CUDA_READ_BYTES 4096 /* of a read that does not wait */
#define CUDA_NAMES      4

/* The flag as it was at the last synchronisation, and what is being read; pinned. */
typedef struct cuda_landing {
    union {
        int32_t state; /* not 0 where a kernel has met an error */
        uint64_t words[8];
    } seen;
    char bytes[CUDA_READ_BYTES];
} cuda_landing;

typedef struct cuda_replay cuda_replay;

struct cuda_queue {
    struct cuda_queue *next;
    CUstream stream;        /* cuda_ordered's for who puts work into it */
    cuda_replay *replay;    /* that is running */
    CUresult replay_failed; /* by which its launches were not started */
    cuda_buffer *flag;
    cuda_landing *landing;
    void *read_to; /* where what is in the landing goes; NULL: nothing is */
    size_t read_bytes;
    cuda_buffer *scratch;          /* that no launch has */
    const char *names[CUDA_NAMES]; /* of the last kernels since the last wait */
    uint64_t started;              /* kernels since then */
};

typedef struct cuda_event {
    CUevent event;
    bool is_recorded;
} cuda_event;

extern const tern_host *cuda_host;

/* ---- cuda.c ---- */

/* Makes the device's context current; false, with the error, where the device is lost: the status is
 * cuda_refusal's. Each call that succeeds has its cuda_leave. */
bool cuda_enter(cuda_device *self, tern_backend_error *err);
int32_t cuda_refusal(cuda_device *self);
/* The same of a lost one too, for calls that free. */
bool cuda_enter_to_free(const cuda_device *self);
void cuda_leave(void);

/* The status for a code of the driver's, which may end the device; `queue` may be NULL. */
int32_t cuda_result(cuda_device *self, const cuda_queue *queue, const char *what, CUresult code,
                    tern_backend_error *err);

/* ---- cuda_memory.c ---- */

int32_t cuda_buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                          tern_backend_error *err);
void cuda_buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer);
int32_t cuda_memory_info(tern_bdevice *device, uint64_t *out_free, uint64_t *out_total,
                         tern_backend_error *err);
/* Memory in the order of the queue, for one launch; its end is behind that launch. */
int32_t cuda_scratch(gpu_device *device, tern_bqueue *queue, uint64_t bytes,
                     tern_bbuffer **out_buffer, tern_backend_error *err);
void cuda_scratch_end(gpu_device *device, tern_bqueue *queue, tern_bbuffer *buffer);

/* The rest is called with the context current. */

/* Frees what queues no longer need; `all`: waits for it. */
void cuda_sweep(cuda_device *self, bool all);
int32_t cuda_take(cuda_device *self, uint64_t bytes, cuda_buffer **out_buffer,
                  tern_backend_error *err);
/* No queue needs it. */
void cuda_give(cuda_device *self, cuda_buffer *buffer);
/* Frees the scratch of a queue that has no work. */
void cuda_scratch_close(cuda_device *self, cuda_queue *queue);

/* An event out of the device's store, NULL where there is none to be had; and back. */
CUevent cuda_event_take(cuda_device *self);
void cuda_event_give(cuda_device *self, CUevent event);
/* Whether the work before it is over, which it is of a lost device. */
bool cuda_has_passed(CUevent event);

/* ---- cuda_copy.c ---- */

void *cuda_host_alloc(tern_bdevice *device, uint64_t bytes);
void cuda_host_free(tern_bdevice *device, void *memory);
int32_t cuda_copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, const void *src, uint64_t bytes,
                            tern_backend_error *err);
int32_t cuda_copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                          uint64_t src_offset, uint64_t bytes, tern_backend_error *err);
int32_t cuda_copy_between(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                          uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                          uint64_t src_offset, uint64_t bytes, tern_backend_error *err);
/* Frees the stages; no copy is under way. */
void cuda_stages_close(cuda_device *self);

/* ---- cuda_queue.c ---- */

int32_t cuda_queue_create(tern_bdevice *device, tern_bqueue **out_queue, tern_backend_error *err);
void cuda_queue_destroy(tern_bdevice *device, tern_bqueue *queue);
int32_t cuda_queue_synchronize(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err);
int32_t cuda_event_create(tern_bdevice *device, tern_bevent **out_event, tern_backend_error *err);
void cuda_event_destroy(tern_bdevice *device, tern_bevent *event);
int32_t cuda_event_record(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                          tern_backend_error *err);
int32_t cuda_event_wait(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                        tern_backend_error *err);
int32_t cuda_event_synchronize(tern_bdevice *device, tern_bevent *event, tern_backend_error *err);
int32_t cuda_event_query(tern_bdevice *device, tern_bevent *event, int32_t *out_passed,
                         tern_backend_error *err);
int32_t cuda_take_error(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err);
int32_t cuda_skip_flag(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer **out_buffer,
                       uint64_t *out_offset, tern_backend_error *err);

/* ---- cuda_replay.c ---- */

int32_t cuda_replay_begin(tern_bdevice *device, tern_bqueue *queue, tern_breplay **replay,
                          tern_backend_error *err);
int32_t cuda_replay_end(tern_bdevice *device, tern_bqueue *queue, tern_breplay *replay,
                        tern_backend_error *err);
void cuda_replay_free(tern_bdevice *device, tern_bqueue *queue, tern_breplay *replay);

/* A kernel's start, as it goes to the driver. */
typedef struct cuda_start {
    CUfunction kernel;
    gpu_extent extent;
    int32_t count;
    const gpu_argument *arguments;
} cuda_start;

/* Keeps it for the graph of the replay that runs; false where it could not be kept. */
bool cuda_replay_start(cuda_queue *queue, const cuda_start *start);

/* The stream, behind everything that was started in the queue. */
CUstream cuda_ordered(cuda_queue *queue);

/* ---- cuda_program.c ---- */

/* Starts it at once. */
CUresult cuda_start_now(CUstream stream, CUfunction kernel, const gpu_extent *extent,
                        void **parameters);

/* Keeps a kernel's name, a static text, for the reason why a GPU was lost. */
void cuda_note(cuda_queue *queue, const char *name);

extern const gpu_driver cuda_driver;

/* ---- cuda_plan.c ---- */

/* Reads the settings, and asks for plans of what a library may serve. */
void cuda_libraries_init(cuda_device *self);
/* With the context current, behind the last plan. */
void cuda_libraries_fini(cuda_device *self);
/* Which libraries there are, as one line. The driver is open. */
void cuda_libraries_tell(char *out, size_t size);

/* What a library's call came to: waits for it where launches are waited for; `failure` is the library's word for what
 * is wrong, NULL where nothing is. With the context current. */
int32_t cuda_started(cuda_device *self, const cuda_queue *queue, CUstream stream, const char *what,
                     const char *failure, tern_backend_error *err);

int32_t cuda_prepare(tern_bdevice *device, const tern_plan_query *query, tern_bplan **out_plan,
                     uint64_t *out_workspace, tern_backend_error *err);
int32_t cuda_launch_plan(tern_bdevice *device, tern_bqueue *queue, tern_bplan *plan,
                         const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                         int32_t n_outputs, tern_bbuffer *workspace, uint64_t workspace_offset,
                         tern_backend_error *err);
void cuda_plan_free(tern_bdevice *device, tern_bplan *plan);
int32_t cuda_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                    const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                    int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                    tern_backend_error *err);

/* ---- cuda_product.c: products by cuBLASLt; cuda_conv.c: convolutions by cuDNN ---- */

typedef struct cuda_product cuda_product;
typedef struct cuda_conv cuda_conv;

/* Whether the library can be asked for such a launch, of MATMUL, or of CONV or a gradient of it. */
bool cuda_product_fits(const tern_operand *inputs, int32_t n_inputs, const tern_operand *output,
                       const tern_matmul_attrs *attrs);
bool cuda_conv_fits(int32_t kernel, const tern_operand *inputs, int32_t n_inputs,
                    const tern_operand *output, const tern_conv_attrs *attrs);
/* How many multiplications a convolution or its gradient has. */
double cuda_conv_work(int32_t kernel, const tern_operand *inputs, const tern_operand *output);

/* The library's plan; NULL where it does not serve the launch after all. */
cuda_product *cuda_product_new(cuda_device *self, const tern_plan_query *query,
                               uint64_t *out_workspace);
cuda_conv *cuda_conv_new(cuda_device *self, const tern_plan_query *query, uint64_t *out_workspace);
void cuda_product_free(cuda_product *own);
void cuda_conv_free(cuda_conv *own);

/* False, and nothing was launched, where an operand is not aligned. */
bool cuda_product_launch(cuda_device *self, tern_bqueue *queue, cuda_product *own,
                         const tern_operand *inputs, const tern_operand *output,
                         CUdeviceptr workspace, int32_t *out_status, tern_backend_error *err);
bool cuda_conv_launch(cuda_device *self, tern_bqueue *queue, const cuda_conv *own,
                      const tern_operand *inputs, const tern_operand *output, CUdeviceptr workspace,
                      int32_t *out_status, tern_backend_error *err);

static inline CUdeviceptr cuda_address(const tern_operand *operand) {
    return ((const cuda_buffer *)(const void *)operand->buffer)->at + operand->at.byte_offset;
}

/* As the libraries have addresses. */
static inline void *cuda_pointer(CUdeviceptr at) {
    return (void *)(uintptr_t)at;
}

#endif
