/*
 * failing: a library to be preloaded, in which the n-th call of OpenCL fails.
 *
 * TERN_OPENCL_FAIL_AT=n names the call, counted from 1; without it none fails. At the end the number of calls
 * and of objects that were made and not released goes to the file that TERN_OPENCL_FAIL_LOG names. A program may
 * ask for the latter at any time: tern_opencl_objects. Files below the folder that TERN_FULL_FOLDER names cannot be
 * written, as on a disk that is full.
 */
#define _GNU_SOURCE              /* RTLD_NEXT */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long calls, objects;

long tern_opencl_objects(void);
long tern_opencl_objects(void) {
    return atomic_load(&objects);
}

static bool fails(void) {
    const char *at = getenv("TERN_OPENCL_FAIL_AT");
    long number = atomic_fetch_add(&calls, 1) + 1;
    return at && strtol(at, NULL, 10) == number;
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("TERN_OPENCL_FAIL_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "calls %ld objects %ld\n", atomic_load(&calls), atomic_load(&objects));
    fclose(file);
}

/* The function that this one stands before. */
static void find(const char *name, void *out_function) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) abort();
    memcpy(out_function, &symbol, sizeof symbol);
}

static bool lies_in_full_folder(FILE *file) {
    const char *folder = getenv("TERN_FULL_FOLDER");
    char link[64], path[4096];
    if (!folder || !file) return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fileno(file));
    ssize_t length = readlink(link, path, sizeof path);
    size_t most = strlen(folder);
    return length > (ssize_t)most && memcmp(path, folder, most) == 0 && path[most] == '/';
}

int fflush(FILE *file) {
    int (*own)(FILE *);
    find("fflush", &own);
    if (!lies_in_full_folder(file)) return own(file);
    errno = ENOSPC;
    return EOF;
}

/* A call that gives a code. */
#define CODE(name, error, parameters, arguments)                                                   \
    cl_int name parameters {                                                                       \
        cl_int(*own) parameters;                                                                   \
        find(#name, &own);                                                                         \
        return fails() ? error : own arguments;                                                    \
    }
/* One that is done all the same: who waits must not go on with work under way. */
#define WAIT(name, error, parameters, arguments)                                                   \
    cl_int name parameters {                                                                       \
        cl_int(*own) parameters;                                                                   \
        find(#name, &own);                                                                         \
        cl_int code = own arguments;                                                               \
        return fails() ? error : code;                                                             \
    }
/* One that makes an object; its last parameter is where the code goes. */
#define MAKE(type, name, error, parameters, arguments)                                             \
    type name parameters {                                                                         \
        type(*own) parameters;                                                                     \
        find(#name, &own);                                                                         \
        if (fails()) {                                                                             \
            *code = error;                                                                         \
            return NULL;                                                                           \
        }                                                                                          \
        type object = own arguments;                                                               \
        if (object) atomic_fetch_add(&objects, 1);                                                 \
        return object;                                                                             \
    }
/* One that releases an object; none of these fails. */
#define RELEASE(name, type)                                                                        \
    cl_int name(type object) {                                                                     \
        cl_int (*own)(type);                                                                       \
        find(#name, &own);                                                                         \
        atomic_fetch_sub(&objects, 1);                                                             \
        return own(object);                                                                        \
    }

CODE(clGetPlatformIDs, CL_OUT_OF_HOST_MEMORY,
     (cl_uint most, cl_platform_id *platforms, cl_uint *count), (most, platforms, count))
CODE(clGetDeviceIDs, CL_DEVICE_NOT_FOUND,
     (cl_platform_id platform, cl_device_type type, cl_uint most, cl_device_id *devices,
      cl_uint *count),
     (platform, type, most, devices, count))
CODE(clSetKernelArg, CL_OUT_OF_RESOURCES,
     (cl_kernel kernel, cl_uint index, size_t size, const void *value),
     (kernel, index, size, value))
CODE(clBuildProgram, CL_BUILD_PROGRAM_FAILURE,
     (cl_program program, cl_uint n, const cl_device_id *devices, const char *options,
      void(CL_CALLBACK *notify)(cl_program, void *), void *data),
     (program, n, devices, options, notify, data))
CODE(clGetProgramInfo, CL_OUT_OF_HOST_MEMORY,
     (cl_program program, cl_program_info what, size_t size, void *value, size_t *out_size),
     (program, what, size, value, out_size))
CODE(clSetEventCallback, CL_OUT_OF_HOST_MEMORY,
     (cl_event event, cl_int type, void(CL_CALLBACK *notify)(cl_event, cl_int, void *), void *data),
     (event, type, notify, data))
WAIT(clFinish, CL_OUT_OF_RESOURCES, (cl_command_queue queue), (queue))
WAIT(clWaitForEvents, CL_OUT_OF_RESOURCES, (cl_uint count, const cl_event *events), (count, events))

/* Calls that may give an event out. */
#define ENQUEUE(name, parameters, arguments)                                                       \
    cl_int name parameters {                                                                       \
        cl_int(*own) parameters;                                                                   \
        find(#name, &own);                                                                         \
        if (fails()) return CL_MEM_OBJECT_ALLOCATION_FAILURE;                                      \
        cl_int code = own arguments;                                                               \
        if (code == CL_SUCCESS && event) atomic_fetch_add(&objects, 1);                            \
        return code;                                                                               \
    }

ENQUEUE(clEnqueueNDRangeKernel,
        (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
         const size_t *global, const size_t *local, cl_uint n, const cl_event *list,
         cl_event *event),
        (queue, kernel, dimensions, offset, global, local, n, list, event))
ENQUEUE(clEnqueueReadBuffer,
        (cl_command_queue queue, cl_mem from, cl_bool blocking, size_t offset, size_t size,
         void *to, cl_uint n, const cl_event *list, cl_event *event),
        (queue, from, blocking, offset, size, to, n, list, event))
ENQUEUE(clEnqueueWriteBuffer,
        (cl_command_queue queue, cl_mem to, cl_bool blocking, size_t offset, size_t size,
         const void *from, cl_uint n, const cl_event *list, cl_event *event),
        (queue, to, blocking, offset, size, from, n, list, event))
ENQUEUE(clEnqueueMarkerWithWaitList,
        (cl_command_queue queue, cl_uint n, const cl_event *list, cl_event *event),
        (queue, n, list, event))
ENQUEUE(clEnqueueBarrierWithWaitList,
        (cl_command_queue queue, cl_uint n, const cl_event *list, cl_event *event),
        (queue, n, list, event))

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking,
                         cl_map_flags flags, size_t offset, size_t size, cl_uint n,
                         const cl_event *list, cl_event *event, cl_int *code) {
    void *(*own)(cl_command_queue, cl_mem, cl_bool, cl_map_flags, size_t, size_t, cl_uint,
                 const cl_event *, cl_event *, cl_int *);
    find("clEnqueueMapBuffer", &own);
    if (fails()) {
        *code = CL_MAP_FAILURE;
        return NULL;
    }
    void *address = own(queue, memory, blocking, flags, offset, size, n, list, event, code);
    if (address && event) atomic_fetch_add(&objects, 1);
    return address;
}
ENQUEUE(clEnqueueUnmapMemObject,
        (cl_command_queue queue, cl_mem memory, void *address, cl_uint n, const cl_event *list,
         cl_event *event),
        (queue, memory, address, n, list, event))

/* One more owner of an object that is there. */
cl_int clRetainEvent(cl_event event) {
    cl_int (*own)(cl_event);
    find("clRetainEvent", &own);
    atomic_fetch_add(&objects, 1);
    return own(event);
}

MAKE(cl_event, clCreateUserEvent, CL_OUT_OF_HOST_MEMORY, (cl_context context, cl_int *code),
     (context, code))
MAKE(cl_context, clCreateContext, CL_DEVICE_NOT_AVAILABLE,
     (const cl_context_properties *properties, cl_uint n, const cl_device_id *devices,
      void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,
      cl_int *code),
     (properties, n, devices, notify, data, code))
MAKE(cl_command_queue, clCreateCommandQueue, CL_OUT_OF_RESOURCES,
     (cl_context context, cl_device_id device, cl_command_queue_properties properties,
      cl_int *code),
     (context, device, properties, code))
MAKE(cl_mem, clCreateBuffer, CL_MEM_OBJECT_ALLOCATION_FAILURE,
     (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code),
     (context, flags, size, host, code))
MAKE(cl_program, clCreateProgramWithSource, CL_OUT_OF_HOST_MEMORY,
     (cl_context context, cl_uint n, const char **texts, const size_t *lengths, cl_int *code),
     (context, n, texts, lengths, code))
MAKE(cl_program, clCreateProgramWithBinary, CL_INVALID_BINARY,
     (cl_context context, cl_uint n, const cl_device_id *devices, const size_t *lengths,
      const unsigned char **binaries, cl_int *status, cl_int *code),
     (context, n, devices, lengths, binaries, status, code))
MAKE(cl_kernel, clCreateKernel, CL_OUT_OF_HOST_MEMORY,
     (cl_program program, const char *name, cl_int *code), (program, name, code))

RELEASE(clReleaseContext, cl_context)
RELEASE(clReleaseCommandQueue, cl_command_queue)
RELEASE(clReleaseMemObject, cl_mem)
RELEASE(clReleaseProgram, cl_program)
RELEASE(clReleaseKernel, cl_kernel)
RELEASE(clReleaseEvent, cl_event)
