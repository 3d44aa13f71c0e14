/* Devices, contexts and modules of the driver that stands in. */
#define _POSIX_C_SOURCE 200809L /* mkstemp */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"

#define MOST_DEVICES 16
#define MOST_DEPTH   16

static CUcontext primary[MOST_DEVICES];
static _Thread_local CUcontext pushed[MOST_DEPTH];
static _Thread_local int depth;
static bool is_started;

__attribute__((destructor)) static void leave(void) {
    standin_leave();
}

CUcontext standin_current(void) {
    return depth ? pushed[depth - 1] : NULL;
}

CUresult standin_begin(const char *name, bool with_context, CUresult failure) {
    standin_lock();
    CUcontext current = standin_current();
    CUresult code = CUDA_SUCCESS;
    if (!is_started && with_context) {
        code = standin_report("%s: before cuInit", name);
    } else if (with_context && !current) {
        standin_report("%s: no context is current", name);
        code = CUDA_ERROR_INVALID_CONTEXT;
    } else if (with_context && current->base.is_dead) {
        standin_report("%s: a context that was released", name);
        code = CUDA_ERROR_CONTEXT_IS_DESTROYED;
    } else if (failure != CUDA_SUCCESS) {
        if (!standin_call())
            code = failure;
        else if (with_context)
            code = current->lost;
    }
    if (code != CUDA_SUCCESS) standin_unlock();
    return code;
}

static int devices(void) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    int count = (int)standin_number("devices", 2), seen = 0;
    if (!visible) return count;
    for (const char *at = visible; *at; at++)
        if (*at >= '0' && *at < '0' + count) seen++;
    return seen;
}

/* ---- the driver ------------------------------------------------------------------------------ */

CUresult cuInit(unsigned flags) {
    if (!standin_call()) return CUDA_ERROR_UNKNOWN;
    CUresult code = (CUresult)standin_number("init", 0);
    if (flags) return standin_report("cuInit: flags");
    if (code == CUDA_SUCCESS && devices() == 0) code = CUDA_ERROR_NO_DEVICE;
    is_started = code == CUDA_SUCCESS;
    return code;
}

CUresult cuDriverGetVersion(int *version) {
    *version = (int)standin_number("version", 13000);
    return CUDA_SUCCESS;
}

static const struct {
    CUresult code;
    const char *name, *text;
} errors[] = {
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
     "an illegal memory access was encountered"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static const char *text_of(CUresult code, bool name) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) return name ? errors[i].name : errors[i].text;
    return NULL;
}

CUresult cuGetErrorName(CUresult code, const char **name) {
    *name = text_of(code, true);
    return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult code, const char **text) {
    *text = text_of(code, false);
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

GLOBAL_CALL(cuDeviceGetCount, (int *count), CUDA_ERROR_UNKNOWN, {
    *count = devices();
    return CUDA_SUCCESS;
})

GLOBAL_CALL(cuDeviceGet, (CUdevice * device, int ordinal), CUDA_ERROR_UNKNOWN, {
    if (ordinal < 0 || ordinal >= devices()) return standin_report("cuDeviceGet: %d", ordinal);
    *device = ordinal;
    return CUDA_SUCCESS;
})

GLOBAL_CALL(cuDeviceGetName, (char *name, int length, CUdevice device), CUDA_ERROR_UNKNOWN, {
    snprintf(name, (size_t)length, "a GPU that stands in, %c", 'A' + device);
    return CUDA_SUCCESS;
})

GLOBAL_CALL(cuDeviceGetUuid_v2, (CUuuid * uuid, CUdevice device), CUDA_ERROR_UNKNOWN, {
    for (int i = 0; i < 16; i++) uuid->bytes[i] = (unsigned char)(17 * i + device);
    return CUDA_SUCCESS;
})

GLOBAL_CALL(cuDeviceTotalMem_v2, (size_t * bytes, CUdevice device), CUDA_ERROR_UNKNOWN, {
    (void)device;
    *bytes = (size_t)standin_number("memory", 4ll << 30);
    return CUDA_SUCCESS;
})

/* So many units take the smallest tile, whose lanes are quickest to run one after the other. */
GLOBAL_CALL(cuDeviceGetAttribute, (int *value, int attribute, CUdevice device), CUDA_ERROR_UNKNOWN,
            {
                int capability = (int)standin_number("capability", 90);
                (void)device;
                switch (attribute) {
                case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
                case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 49152; break;
                case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 1 << 20; break;
                case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability / 10; break;
                case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = capability % 10; break;
                default: return standin_report("cuDeviceGetAttribute: %d", attribute);
                }
                return CUDA_SUCCESS;
            })

GLOBAL_CALL(cuDeviceCanAccessPeer, (int *can, CUdevice device, CUdevice peer), CUDA_ERROR_UNKNOWN, {
    *can = device != peer;
    return CUDA_SUCCESS;
})

/* ---- contexts -------------------------------------------------------------------------------- */

GLOBAL_CALL(cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device),
            CUDA_ERROR_DEVICE_UNAVAILABLE, {
                if (device < 0 || device >= devices())
                    return standin_report("cuDevicePrimaryCtxRetain");
                if (!primary[device]) {
                    primary[device] = standin_new(KIND_CONTEXT, sizeof **context);
                    primary[device]->device = device;
                }
                primary[device]->retained++;
                *context = primary[device];
                return CUDA_SUCCESS;
            })

GLOBAL_CALL(cuDevicePrimaryCtxRelease_v2, (CUdevice device), CUDA_SUCCESS, {
    CUcontext own = primary[device];
    if (!own || !own->retained) return standin_report("cuDevicePrimaryCtxRelease: not retained");
    if (--own->retained) return CUDA_SUCCESS;
    for (int i = 0; i < depth; i++)
        if (pushed[i] == own) standin_report("cuDevicePrimaryCtxRelease: it is current");
    standin_end(own);
    primary[device] = NULL;
    return CUDA_SUCCESS;
})

GLOBAL_CALL(cuCtxPushCurrent_v2, (CUcontext context), CUDA_ERROR_INVALID_CONTEXT, {
    if (!standin_check(context, KIND_CONTEXT, "cuCtxPushCurrent"))
        return CUDA_ERROR_INVALID_CONTEXT;
    if (depth == MOST_DEPTH) return standin_report("cuCtxPushCurrent: %d contexts", depth);
    pushed[depth++] = context;
    return CUDA_SUCCESS;
})

GLOBAL_CALL(cuCtxPopCurrent_v2, (CUcontext * context), CUDA_SUCCESS, {
    if (!depth) return standin_report("cuCtxPopCurrent: no context is current");
    *context = pushed[--depth];
    return CUDA_SUCCESS;
})

CALL(cuCtxEnablePeerAccess, (CUcontext peer, unsigned flags), CUDA_ERROR_UNKNOWN, {
    static bool enabled[MOST_DEVICES][MOST_DEVICES];
    if (flags || !standin_check(peer, KIND_CONTEXT, "cuCtxEnablePeerAccess"))
        return CUDA_ERROR_INVALID_VALUE;
    bool *own = &enabled[standin_current()->device][peer->device];
    if (*own) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    *own = true;
    return CUDA_SUCCESS;
})

/* ---- modules --------------------------------------------------------------------------------- */

/* By a name of its own: the loader takes what has the name of an open library for that one. */
static void *open_image(const standin_image *image) {
    char path[] = "/tmp/tern-kernel-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return NULL;
    bool written = write(fd, image + 1, image->size) == (ssize_t)image->size;
    close(fd);
    void *library = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    unlink(path);
    return library;
}

CALL(cuModuleLoadData, (CUmodule * module, const void *image), CUDA_ERROR_INVALID_IMAGE, {
    if (memcmp(image, STANDIN_MAGIC, 8) != 0) return CUDA_ERROR_INVALID_IMAGE;
    void *library = open_image(image);
    if (!library) return CUDA_ERROR_INVALID_IMAGE;
    struct CUmod_st *own = standin_new(KIND_MODULE, sizeof *own);
    own->library = library;
    *module = own;
    return CUDA_SUCCESS;
})

FREE(cuModuleUnload, (CUmodule module), {
    if (!standin_check(module, KIND_MODULE, "cuModuleUnload")) return CUDA_ERROR_INVALID_HANDLE;
    if (module->pending) standin_report("cuModuleUnload: its kernels are under way");
    dlclose(module->library);
    standin_end(module);
    return CUDA_SUCCESS;
})

CALL(cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name),
     CUDA_ERROR_NOT_FOUND, {
         host_kernel kernel;
         if (!standin_check(module, KIND_MODULE, "cuModuleGetFunction"))
             return CUDA_ERROR_INVALID_HANDLE;
         if (!host_form_find(module->library, name, &kernel)) return CUDA_ERROR_NOT_FOUND;
         struct CUfunc_st *own = standin_new(KIND_FUNCTION, sizeof *own);
         standin_made(-1); /* it goes with its module */
         own->module = module;
         own->kernel = kernel;
         snprintf(own->name, sizeof own->name, "%s", name);
         *function = own;
         return CUDA_SUCCESS;
     })
