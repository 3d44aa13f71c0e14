#include "driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cuda.h"

cuda_functions cuda;

static const struct entry {
    const char *symbol;
    size_t at;
} entries[] = {
#define X(name, symbol, parameters) {#symbol, offsetof(cuda_functions, name)},
    CUDA_FUNCTIONS(X)
#undef X
};

/* Where the driver is not in the loader's path: beside what a distribution or a container mounts. */
static const char *const places[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1",
                                     "/usr/local/nvidia/lib64/libcuda.so.1"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *library; /* stays open: a driver does not bear being closed */
static bool is_open;

const char *cuda_code_text(CUresult code, char *out, size_t size) {
    const char *name = NULL, *text = NULL;
    if (cuda.error_name) cuda.error_name(code, &name);
    if (cuda.error_string) cuda.error_string(code, &text);
    if (name && text)
        snprintf(out, size, "%s (%s)", text, name);
    else
        snprintf(out, size, "code %d", code);
    return out;
}

bool cuda_is_lost(CUresult code) {
    switch (code) {
    case CUDA_ERROR_DEINITIALIZED:
    case CUDA_ERROR_DEVICE_UNAVAILABLE:
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_EXTERNAL_DEVICE: return true;
    default: return false;
    }
}

int32_t cuda_failed(tern_backend_error *err, const char *what, CUresult code) {
    char text[160];
    int32_t status = code == CUDA_ERROR_OUT_OF_MEMORY ? TERN_BACKEND_OUT_OF_MEMORY
                     : cuda_is_lost(code)             ? TERN_BACKEND_LOST
                                                      : TERN_BACKEND_FAILED;
    return tern_kit_fail(err, status, "cuda: %s failed: %s", what,
                         cuda_code_text(code, text, sizeof text));
}

static int32_t find_functions(tern_backend_error *err) {
    int version = 0;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(library, entries[i].symbol);
        memcpy((char *)&cuda + entries[i].at, &symbol, sizeof symbol);
    }
    if (cuda.driver_version) cuda.driver_version(&version);
    if (version < CUDA_DRIVER_NEEDED)
        return tern_kit_fail(
            err, TERN_BACKEND_UNSUPPORTED,
            "cuda: the driver is of CUDA %d.%d, and CUDA %d.%d is needed: update the "
            "NVIDIA driver to 525 or later",
            version / 1000, version % 1000 / 10, CUDA_DRIVER_NEEDED / 1000,
            CUDA_DRIVER_NEEDED % 1000 / 10);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol;
        memcpy(&symbol, (char *)&cuda + entries[i].at, sizeof symbol);
        if (!symbol)
            return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                                 "cuda: the driver's library has no %s: update the NVIDIA driver",
                                 entries[i].symbol);
    }
    return TERN_BACKEND_OK;
}

static int32_t start(tern_backend_error *err) {
    char text[160];
    CUresult code = cuda.init(0);
    switch (code) {
    case CUDA_SUCCESS: return TERN_BACKEND_OK;
    case CUDA_ERROR_NO_DEVICE:
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "cuda: the driver sees no NVIDIA GPU (is CUDA_VISIBLE_DEVICES set?)");
    case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
    case CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE:
        return tern_kit_fail(
            err, TERN_BACKEND_UNSUPPORTED,
            "cuda: the driver's library and the kernel's module do not fit: restart "
            "the machine after a driver's update (%s)",
            cuda_code_text(code, text, sizeof text));
    default:
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED, "cuda: the driver does not start: %s",
                             cuda_code_text(code, text, sizeof text));
    }
}

static int32_t open_driver(tern_backend_error *err) {
    for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++)
        library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "cuda: there is no NVIDIA driver (libcuda.so.1 is missing): install "
                             "version 525 or later");
    int32_t status = find_functions(err);
    return status == TERN_BACKEND_OK ? start(err) : status;
}

int32_t cuda_driver_open(tern_backend_error *err) {
    int32_t status = TERN_BACKEND_OK;
    pthread_mutex_lock(&lock);
    if (!is_open) status = open_driver(err);
    is_open = status == TERN_BACKEND_OK;
    pthread_mutex_unlock(&lock);
    return status;
}
