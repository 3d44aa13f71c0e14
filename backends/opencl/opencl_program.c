/*
 * Programs: compiled from source, or taken from the cache on disk; and the start of their kernels.
 */
#include <stdio.h>
#include <string.h>

#include "../gpu/cache.h"
#include "opencl.h"

#define MOST_KERNELS 4
#define OPTIONS      "-cl-std=CL1.2"

#define ARGUMENT_BYTES 1024 /* what OpenCL guarantees */

/* A kernel and the arguments that it has from its last start, one behind the other: those that are the same again
 * are not set again, since drivers allocate and copy for each. */
typedef struct kernel {
    cl_kernel kernel;
    uint64_t released; /* the device's count when its buffers were set */
    int32_t count;     /* arguments that it has */
    unsigned char values[ARGUMENT_BYTES];
} kernel;

struct gpu_program {
    cl_program program;
    kernel kernels[MOST_KERNELS];
    pthread_mutex_t lock; /* from the first argument of a launch to its start */
};

/* ---- building -------------------------------------------------------------------------------- */

/* What the compiler said: all of it into the log, its first error into the message. */
static int32_t report(opencl_device *self, cl_program program, cl_int code,
                      tern_backend_error *err) {
    size_t size = 0;
    clGetProgramBuildInfo(program, self->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = opencl_host->alloc(size + 1);
    if (!log) return opencl_failed(err, "clBuildProgram", code);
    memset(log, 0, size + 1);
    clGetProgramBuildInfo(program, self->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    for (char *line = log; *line;) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] != 0);
        line[length] = 0;
        if (*line) opencl_host->log(TERN_BACKEND_LOG_WARNING, line);
        line = next;
    }
    const char *first = log;
    for (size_t i = 0; i < size; i++)
        if ((i == 0 || log[i - 1] == 0) && strstr(log + i, "error")) {
            first = log + i;
            break;
        }
    tern_kit_fail(err, TERN_BACKEND_FAILED, "opencl: a kernel does not compile: %.200s", first);
    opencl_host->free(log);
    return TERN_BACKEND_FAILED;
}

static cl_program from_binary(opencl_device *self, const gpu_cache_key *key) {
    size_t size;
    cl_int code, status;
    unsigned char *bytes = gpu_cache_load(opencl_host, key, &size);
    if (!bytes) return NULL;
    cl_program program = clCreateProgramWithBinary(self->context, 1, &self->id, &size,
                                                   (const unsigned char **)&bytes, &status, &code);
    opencl_host->free(bytes);
    if (code != CL_SUCCESS) return NULL;
    if (status != CL_SUCCESS || clBuildProgram(program, 1, &self->id, OPTIONS, NULL, NULL)) {
        clReleaseProgram(program);
        return NULL;
    }
    self->loaded++;
    return program;
}

static int32_t from_source(opencl_device *self, const char *source, cl_program *out_program,
                           tern_backend_error *err) {
    cl_int code;
    cl_program program = clCreateProgramWithSource(self->context, 1, &source, NULL, &code);
    if (!program) return opencl_failed(err, "clCreateProgramWithSource", code);
    code = clBuildProgram(program, 1, &self->id, OPTIONS, NULL, NULL);
    if (code != CL_SUCCESS) {
        int32_t status = report(self, program, code, err);
        clReleaseProgram(program);
        return status;
    }
    self->built++;
    *out_program = program;
    return TERN_BACKEND_OK;
}

/* Into the cache, where that can be: whoever cannot write it compiles again. */
static void keep(const gpu_cache_key *key, cl_program program) {
    size_t size = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) || size == 0)
        return;
    unsigned char *bytes = opencl_host->alloc(size);
    if (bytes &&
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL) == CL_SUCCESS)
        gpu_cache_store(key, bytes, size);
    opencl_host->free(bytes);
}

static void program_free(gpu_device *device, gpu_program *own) {
    (void)device;
    for (int i = 0; i < MOST_KERNELS; i++)
        if (own->kernels[i].kernel) clReleaseKernel(own->kernels[i].kernel);
    if (own->program) clReleaseProgram(own->program);
    pthread_mutex_destroy(&own->lock);
    opencl_host->free(own);
}

static int32_t make_kernels(gpu_program *own, const char *const *entries, tern_backend_error *err) {
    for (int i = 0; i < MOST_KERNELS && entries[i]; i++) {
        cl_int code;
        own->kernels[i].kernel = clCreateKernel(own->program, entries[i], &code);
        if (!own->kernels[i].kernel) return opencl_failed(err, "clCreateKernel", code);
    }
    return TERN_BACKEND_OK;
}

static int32_t build(gpu_device *device, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    opencl_device *self = (opencl_device *)device;
    gpu_program *own = opencl_host->alloc(sizeof *own);
    if (!own) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "opencl: no host memory");
    memset(own, 0, sizeof *own);
    if (pthread_mutex_init(&own->lock, NULL)) {
        opencl_host->free(own);
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "opencl: no lock for a program");
    }
    gpu_cache_key key = {"opencl", {self->signature, OPTIONS, source}};
    int32_t status = TERN_BACKEND_OK;
    own->program = from_binary(self, &key);
    bool fresh = !own->program;
    if (fresh) status = from_source(self, source, &own->program, err);
    if (status == TERN_BACKEND_OK) status = make_kernels(own, entries, err);
    if (status != TERN_BACKEND_OK) {
        program_free(device, own);
        return status;
    }
    if (fresh && self->keeps) keep(&key, own->program);
    *out_program = own;
    return TERN_BACKEND_OK;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* An argument of a kernel has the same size in every start. A buffer's handle may be that of another buffer once
 * one was released. */
static cl_int set_arguments(opencl_device *self, kernel *own, const gpu_argument *arguments,
                            int32_t count) {
    uint64_t released = atomic_load(&self->released);
    int32_t had = own->released == released ? own->count : 0;
    size_t at = 0;
    own->released = released;
    for (own->count = 0; own->count < count; own->count++) {
        const gpu_argument *argument = &arguments[own->count];
        size_t size = argument->buffer ? sizeof(cl_mem) : argument->size;
        const void *value = argument->buffer ? (const void *)&argument->buffer : argument->bytes;
        bool fits = at + size <= sizeof own->values;
        if (!fits || own->count >= had || memcmp(own->values + at, value, size) != 0) {
            cl_int code = clSetKernelArg(own->kernel, (cl_uint)own->count, size, value);
            if (code != CL_SUCCESS) return code;
            if (fits) memcpy(own->values + at, value, size);
        }
        at += size;
    }
    return CL_SUCCESS;
}

static int32_t start(gpu_device *device, tern_bqueue *queue, gpu_program *own, int32_t entry,
                     const gpu_argument *arguments, int32_t count, const gpu_extent *extent,
                     tern_backend_error *err) {
    size_t lanes[3] = {(size_t)extent->lanes, 1, 1}, items[3];
    const char *call = "clSetKernelArg";
    for (int d = 0; d < 3; d++) items[d] = (size_t)extent->groups[d] * lanes[d];
    pthread_mutex_lock(&own->lock);
    cl_int code = set_arguments((opencl_device *)device, &own->kernels[entry], arguments, count);
    if (code == CL_SUCCESS) {
        call = "clEnqueueNDRangeKernel";
        code = clEnqueueNDRangeKernel(((opencl_queue *)(void *)queue)->queue,
                                      own->kernels[entry].kernel, 3, NULL, items, lanes, 0, NULL,
                                      NULL);
    }
    pthread_mutex_unlock(&own->lock);
    return code == CL_SUCCESS ? TERN_BACKEND_OK : opencl_failed(err, call, code);
}

static tern_bbuffer *flag(gpu_device *device, tern_bqueue *queue) {
    (void)device;
    return (tern_bbuffer *)(void *)((opencl_queue *)(void *)queue)->flag;
}

const gpu_driver opencl_driver = {
    .build = build, .program_free = program_free, .start = start, .flag = flag};
