/*
 * standin.h: a driver of NVIDIA's that stands in where there is no GPU: libcuda.so.1, libnvrtc.so.13, libcublasLt.so.13
 * (blas.c) and libcudnn.so.9 (dnn.c) with the calls that backends/cuda makes.
 *
 * "Compiling" makes a shared object of a program's host form (backends/host_form.h), and a kernel's start runs
 * that. So the whole code of the plugin runs on any machine, and what it proves is that code and the kernels'
 * logic, not a GPU. It is stricter than a driver: what a driver would take silently, or crash at, is a report, a line
 * on standard error with which the process ends.
 *
 *   contexts    the right one is current for every stream, event, module and address; every push has its pop
 *   handles     of the right kind, and not freed
 *   addresses   lie inside one allocation that is not freed; a device's address cannot be read by the host, for it
 *               has bits that no address of the host's has; behind each allocation lies a pattern that kernels
 *               must leave
 *   freeing     what the host has not seen the end of may not be freed: clocks of streams and events tell
 *   launches    lanes as compiled, groups within a GPU's limits, arguments by the kernel's own list
 *   the end     nothing is left
 *
 * TERN_CUDA_STANDIN holds words:
 *   late         work is done in the latest order that is legal: when somebody waits for it, or asks for its event
 *                the second time. The order is that of streams, events and nothing else
 *   apart        kernels are late, and what a stream without kernels has to do is done at once
 *   idle         kernels do nothing, for a run that is to record which programs there are
 *   devices=N    of which there are 2 else
 *   memory=N     bytes of each, 4 GiB else
 *   version=N    the driver's, 13000 else
 *   capability=N 90 else
 *   missing=NAME the library has no such function (a name of driver.h)
 *   init=N       what cuInit answers
 *   fail=N       the N-th call fails, counted from 1
 *   lose=N       the N-th kernel has an illegal address
 *   tf32         products and convolutions of float32 are TF32's in the libraries
 * TERN_CUDA_STANDIN_LOG names a file to which the number of calls, kernels, objects that are left, products of
 * cuBLASLt's and convolutions of cuDNN's goes at the end.
 */
#ifndef TERN_TESTS_CUDA_STANDIN_H
#define TERN_TESTS_CUDA_STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../backends/host_form.h"
#include "cuda/driver.h"

/* What "code" begins with: the shared object is behind it. */
typedef struct standin_image {
    char magic[8];
    uint64_t size;
} standin_image;

#define STANDIN_MAGIC "TERNHOST"

/* ---- image.c ---- */

/* The image of a source, to be freed; NULL where it does not compile. */
char *standin_image_make(const char *source, size_t *out_size);

/* ---- settings.c ---- */

/* A setting's number, or `otherwise`. */
long long standin_number(const char *name, long long otherwise);
bool standin_has(const char *word);
/* Whether the setting has this value. */
bool standin_is(const char *name, const char *value);

#define STANDIN_STATUS 86 /* of a process that a report ended */

/* Says what is wrong, and ends the process. */
_Noreturn CUresult standin_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts a call; false where it is the one to fail. */
bool standin_call(void);
void standin_count_kernel(void);
void standin_count_product(void);     /* of cuBLASLt's */
void standin_count_convolution(void); /* of cuDNN's */
bool standin_loses(void);
/* Objects that were made and not freed. */
void standin_made(int count);
/* Writes the counts, and reports what is left. */
void standin_leave(void);

/* ---- objects ---- */

#define STREAMS 64 /* at a time */

/* How far each stream had come. */
typedef struct stream_clock {
    uint64_t at[STREAMS];
} stream_clock;

typedef enum kind {
    KIND_CONTEXT = 0x43545831,
    KIND_STREAM,
    KIND_EVENT,
    KIND_MODULE,
    KIND_FUNCTION,
    KIND_GRAPH,
    KIND_NODE,
    KIND_EXEC,
    KIND_BLAS,
    KIND_DESC,
    KIND_LAYOUT,
    KIND_PREFERENCE,
    KIND_DNN,
    KIND_TENSOR,
    KIND_FILTER,
    KIND_WINDOW
} kind;

/* Begins every object; a freed one stays, with `is_dead`, so that its use is seen. */
typedef struct object {
    kind kind;
    bool is_dead;
    struct CUctx_st *context; /* NULL: of none */
} object;

struct CUctx_st {
    object base;
    int device, retained;
    CUresult lost;
    int objects;
};

typedef struct work work;

struct CUstream_st {
    object base;
    int slot;
    bool has_kernels; /* that are not done */
    work *first, **last;
    uint64_t sequence; /* of the last work that was put in */
    stream_clock clock;
};

struct CUevent_st {
    object base;
    struct CUstream_st *stream; /* of the last record */
    uint64_t wanted, done;      /* records: put in, and passed */
    int asked;                  /* since the last record */
    stream_clock clock;         /* at the last record */
};

struct CUmod_st {
    object base;
    void *library;
    int pending;
};

struct CUfunc_st {
    object base;
    struct CUmod_st *module;
    char name[96];
    host_kernel kernel;
};

/* ---- objects.c: all of this under standin_lock ---- */

void standin_lock(void);
void standin_unlock(void);

void *standin_new(kind of, size_t size);
/* The same of no context: a description. */
void *standin_new_free(kind of, size_t size);
/* Whether it is a live object of the kind, of the context that is current; else reports. */
bool standin_check(const void *pointer, kind wanted, const char *what);
void standin_end(void *pointer);

CUcontext standin_current(void);
/* The clock of what the host knows to be done. */
stream_clock *standin_known(void);
void standin_join(stream_clock *into, const stream_clock *from);

/* ---- memory.c ---- */

typedef struct allocation {
    uint64_t at; /* as the device sees it */
    uint64_t bytes;
    char *memory;
    CUcontext context;
    bool is_dead, is_pinned;
    stream_clock used;
} allocation;

/* The allocation that these bytes lie in; NULL, with a report, where there is none or it is freed. */
allocation *standin_find(uint64_t at, uint64_t bytes, const char *what);
/* The same of pinned memory, without a report. */
allocation *standin_find_pinned(const void *memory, uint64_t bytes);
/* Where the host finds it. */
char *standin_memory(const allocation *of, uint64_t at);
void standin_use(allocation *of, const struct CUstream_st *stream);
/* Whether what lies behind every allocation is as it was; else reports. */
void standin_check_bounds(const allocation *of, const char *what);

/* ---- work.c ---- */

typedef enum deed { DO_KERNEL, DO_CALL, DO_COPY, DO_FILL, DO_RECORD, DO_WAIT } deed;

#define ARGUMENTS 128

/* A start's arguments, copied. */
typedef struct started {
    struct CUfunc_st *function;
    int64_t groups[3];
    int32_t lanes;
    int32_t count;
    size_t at[ARGUMENTS];
    unsigned char *bytes;
} started;

struct work {
    work *next;
    deed deed;
    uint64_t sequence;
    started start;
    void (*call)(void *argument); /* of a library's; the argument goes with the work */
    void *argument;
    char *to;
    const char *from;
    char *staged; /* what was read of pageable memory; freed with the work */
    uint64_t bytes;
    uint64_t to_at, from_at; /* as the device sees them, 0: the host's */
    unsigned char byte;
    struct CUevent_st *event;
    uint64_t record;
};

/* Puts it into the stream, where it is done at once or late. */
CUresult standin_put(struct CUstream_st *stream, work *work);
/* Does the stream's work up to a sequence. */
void standin_force(struct CUstream_st *stream, uint64_t up_to);
/* Copies a start's arguments by the kernel's list; reports what is wrong with it. */
CUresult standin_take(started *out, CUfunction function, unsigned x, unsigned y, unsigned z,
                      unsigned lanes, void **parameters);
/* Looks at a start's addresses, and puts it into the stream; its bytes go with it. */
CUresult standin_start(const started *start, struct CUstream_st *stream);

typedef struct standin_bytes {
    uint64_t at, count;
} standin_bytes;

/* Puts a library's work into the stream, which uses these bytes; its argument goes with it. */
CUresult standin_put_call(struct CUstream_st *stream, const char *what,
                          void (*call)(void *argument), void *argument, const standin_bytes *used,
                          int64_t count);

#endif
