/*
 * driver.h: what this backend calls of NVIDIA's driver, declared here, so that no toolkit is needed to build it.
 *
 * libcuda.so.1 is opened when a device is asked for, and each function found by the name that the driver gives
 * its current form (cuMemAlloc_v2): a plugin that was loaded on a machine without a driver can say so. Only the
 * driver is used, never the runtime library, whose context would be another user's.
 */
#ifndef TERN_CUDA_DRIVER_H
#define TERN_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "tern/backend.h"

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraphExec_st *CUgraphExec;

typedef struct CUuuid {
    unsigned char bytes[16];
} CUuuid;

/* A kernel's start as a node of a graph; the driver's second form of it. */
typedef struct CUDA_KERNEL_NODE_PARAMS {
    CUfunction func;
    unsigned int gridDimX, gridDimY, gridDimZ;
    unsigned int blockDimX, blockDimY, blockDimZ;
    unsigned int sharedMemBytes;
    void **kernelParams;
    void **extra;
    void *kern;
    CUcontext ctx;
} CUDA_KERNEL_NODE_PARAMS;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_DEINITIALIZED = 4,
    CUDA_ERROR_STUB_LIBRARY = 34,
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_ECC_UNCORRECTABLE = 214,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_TIMEOUT = 702,
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_ASSERT = 710,
    CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
    CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
    CUDA_ERROR_MISALIGNED_ADDRESS = 716,
    CUDA_ERROR_INVALID_ADDRESS_SPACE = 717,
    CUDA_ERROR_INVALID_PC = 718,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_SYSTEM_NOT_READY = 802,
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
    CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804,
    CUDA_ERROR_EXTERNAL_DEVICE = 911,
    CUDA_ERROR_UNKNOWN = 999
};

/* Of cuDeviceGetAttribute. */
enum {
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76
};

enum { CU_STREAM_NON_BLOCKING = 1 };   /* not ordered with the stream NULL, which is others' */
enum { CU_EVENT_DISABLE_TIMING = 2 };  /* cheaper, and nothing here measures */
enum { CU_MEMHOSTALLOC_PORTABLE = 1 }; /* pinned for every context */

/* The driver whose functions are all here: CUDA 12.0. */
#define CUDA_DRIVER_NEEDED 12000

/* X(name in the table, symbol, parameters): everything that is called of the driver. */
#define CUDA_FUNCTIONS(X)                                                                          \
    X(init, cuInit, (unsigned flags))                                                              \
    X(driver_version, cuDriverGetVersion, (int *version))                                          \
    X(error_name, cuGetErrorName, (CUresult code, const char **name))                              \
    X(error_string, cuGetErrorString, (CUresult code, const char **text))                          \
    X(device_count, cuDeviceGetCount, (int *count))                                                \
    X(device_get, cuDeviceGet, (CUdevice * device, int ordinal))                                   \
    X(device_name, cuDeviceGetName, (char *name, int length, CUdevice device))                     \
    X(device_uuid, cuDeviceGetUuid_v2, (CUuuid * uuid, CUdevice device))                           \
    X(device_memory, cuDeviceTotalMem_v2, (size_t * bytes, CUdevice device))                       \
    X(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))        \
    X(device_can_access, cuDeviceCanAccessPeer, (int *can, CUdevice device, CUdevice peer))        \
    X(context_retain, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))            \
    X(context_release, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                            \
    X(context_push, cuCtxPushCurrent_v2, (CUcontext context))                                      \
    X(context_pop, cuCtxPopCurrent_v2, (CUcontext * context))                                      \
    X(peer_enable, cuCtxEnablePeerAccess, (CUcontext peer, unsigned flags))                        \
    X(memory_info, cuMemGetInfo_v2, (size_t * free, size_t * total))                               \
    X(memory_alloc, cuMemAlloc_v2, (CUdeviceptr * at, size_t bytes))                               \
    X(memory_free, cuMemFree_v2, (CUdeviceptr at))                                                 \
    X(host_alloc, cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))                   \
    X(host_free, cuMemFreeHost, (void *memory))                                                    \
    X(to_device, cuMemcpyHtoDAsync_v2,                                                             \
      (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))                           \
    X(to_host, cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream))  \
    X(between, cuMemcpyPeerAsync,                                                                  \
      (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,             \
       size_t bytes, CUstream stream))                                                             \
    X(fill_bytes, cuMemsetD8Async,                                                                 \
      (CUdeviceptr at, unsigned char byte, size_t count, CUstream stream))                         \
    X(stream_create, cuStreamCreate, (CUstream * stream, unsigned flags))                          \
    X(stream_destroy, cuStreamDestroy_v2, (CUstream stream))                                       \
    X(stream_synchronize, cuStreamSynchronize, (CUstream stream))                                  \
    X(stream_wait, cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags))            \
    X(event_create, cuEventCreate, (CUevent * event, unsigned flags))                              \
    X(event_destroy, cuEventDestroy_v2, (CUevent event))                                           \
    X(event_record, cuEventRecord, (CUevent event, CUstream stream))                               \
    X(event_query, cuEventQuery, (CUevent event))                                                  \
    X(event_synchronize, cuEventSynchronize, (CUevent event))                                      \
    X(module_load, cuModuleLoadData, (CUmodule * module, const void *image))                       \
    X(module_unload, cuModuleUnload, (CUmodule module))                                            \
    X(module_function, cuModuleGetFunction,                                                        \
      (CUfunction * function, CUmodule module, const char *name))                                  \
    X(launch, cuLaunchKernel,                                                                      \
      (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,   \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream,                 \
       void **parameters, void **extra))                                                           \
    X(graph_create, cuGraphCreate, (CUgraph * graph, unsigned flags))                              \
    X(graph_destroy, cuGraphDestroy, (CUgraph graph))                                              \
    X(graph_add_kernel, cuGraphAddKernelNode_v2,                                                   \
      (CUgraphNode * node, CUgraph graph, const CUgraphNode *behind, size_t count,                 \
       const CUDA_KERNEL_NODE_PARAMS *parameters))                                                 \
    X(graph_instantiate, cuGraphInstantiateWithFlags,                                              \
      (CUgraphExec * exec, CUgraph graph, unsigned long long flags))                               \
    X(graph_set_kernel, cuGraphExecKernelNodeSetParams_v2,                                         \
      (CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *parameters))             \
    X(graph_launch, cuGraphLaunch, (CUgraphExec exec, CUstream stream))                            \
    X(graph_exec_destroy, cuGraphExecDestroy, (CUgraphExec exec))

typedef struct cuda_functions {
#define X(name, symbol, parameters) CUresult(*name) parameters;
    CUDA_FUNCTIONS(X)
#undef X
} cuda_functions;

/* The driver's functions, found by cuda_driver_open; then the same for every thread. */
extern cuda_functions cuda;

/* Opens the driver once in the process and starts it. UNSUPPORTED where there is none, or it is too old, or has
 * no device, with the reason. Any thread. */
int32_t cuda_driver_open(tern_backend_error *err);

/* The status for a code, with a line that says what was being done ("copying to the device"). */
int32_t cuda_failed(tern_backend_error *err, const char *what, CUresult code);

/* Whether every later call of the context will fail too. */
bool cuda_is_lost(CUresult code);

/* What the driver calls a code. */
const char *cuda_code_text(CUresult code, char *out, size_t size);

#endif
