/*
 * Programs: those that came with the plugin, from the cache on disk, or compiled by NVRTC; and the start of their
 * kernels.
 */
#include <stdio.h>
#include <string.h>

#include "../gpu/cache.h"
#include "compiler.h"
#include "cuda.h"
#include "ready.h"

#define MOST_KERNELS   4
#define MOST_ARGUMENTS 128

struct gpu_program {
    CUmodule module;
    CUfunction kernels[MOST_KERNELS];
    const char *names[MOST_KERNELS];
};

/* ---- building -------------------------------------------------------------------------------- */

static bool is_no_code(CUresult code) {
    return code == CUDA_ERROR_NO_BINARY_FOR_GPU || code == CUDA_ERROR_INVALID_IMAGE ||
           code == CUDA_ERROR_INVALID_PTX || code == CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
}

static int32_t load_image(cuda_device *self, const void *image, CUmodule *out_module,
                          tern_backend_error *err) {
    CUresult code = cuda.module_load(out_module, image);
    if (is_no_code(code)) {
        char text[120];
        return tern_kit_fail(
            err, TERN_BACKEND_FAILED,
            "cuda: the compiled kernels do not run on %s (compute capability %d.%d) "
            "with this driver: update it (%s)",
            self->name, self->capability / 10, self->capability % 10,
            cuda_code_text(code, text, sizeof text));
    }
    return cuda_result(self, NULL, "loading a kernel", code, err);
}

/* What an earlier run compiled; what is broken is compiled again. */
static bool from_cache(cuda_device *self, const gpu_cache_key *key, CUmodule *out_module) {
    size_t size;
    unsigned char *bytes = gpu_cache_load(cuda_host, key, &size);
    if (!bytes) return false;
    CUresult code = cuda.module_load(out_module, bytes);
    cuda_host->free(bytes);
    if (code != CUDA_SUCCESS) return false;
    self->loaded++;
    return true;
}

static int32_t from_source(cuda_device *self, const gpu_cache_key *key, CUmodule *out_module,
                           tern_backend_error *err) {
    unsigned char *code;
    size_t size;
    if (cuda_compiler_open(err) != TERN_BACKEND_OK) return TERN_BACKEND_DECLINED;
    int32_t status = cuda_compile(key->parts[2], self->capability, &code, &size, err);
    if (status != TERN_BACKEND_OK) return status;
    status = load_image(self, code, out_module, err);
    if (status == TERN_BACKEND_OK) {
        self->built++;
        gpu_cache_store(key, code, size);
    }
    cuda_host->free(code);
    return status;
}

static int32_t find_module(cuda_device *self, const char *source, CUmodule *out_module,
                           tern_backend_error *err) {
    const void *ready = cuda_ready_find(source);
    if (ready) {
        int32_t status = load_image(self, ready, out_module, err);
        if (status == TERN_BACKEND_OK) self->ready++;
        return status;
    }
    gpu_cache_key key = {"cuda", {self->signature, CUDA_COMPILER_OPTIONS, source}};
    if (from_cache(self, &key, out_module)) return TERN_BACKEND_OK;
    return from_source(self, &key, out_module, err);
}

static void program_free(gpu_device *device, gpu_program *own) {
    (void)device; /* close has made its context current */
    if (own->module) cuda.module_unload(own->module);
    cuda_host->free(own);
}

static int32_t find_kernels(cuda_device *self, gpu_program *own, const char *const *entries,
                            tern_backend_error *err) {
    for (int i = 0; i < MOST_KERNELS && entries[i]; i++) {
        own->names[i] = entries[i];
        CUresult code = cuda.module_function(&own->kernels[i], own->module, entries[i]);
        if (code != CUDA_SUCCESS) return cuda_result(self, NULL, "finding a kernel", code, err);
    }
    return TERN_BACKEND_OK;
}

static int32_t build(gpu_device *device, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    cuda_device *self = (cuda_device *)device;
    gpu_program *own = cuda_host->alloc(sizeof *own);
    if (!own) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
    memset(own, 0, sizeof *own);
    if (!cuda_enter(self, err)) {
        cuda_host->free(own);
        return cuda_refusal(self);
    }
    int32_t status = find_module(self, source, &own->module, err);
    if (status == TERN_BACKEND_OK) status = find_kernels(self, own, entries, err);
    if (status != TERN_BACKEND_OK) program_free(device, own);
    cuda_leave();
    if (status == TERN_BACKEND_OK) *out_program = own;
    return status;
}

/* ---- starting -------------------------------------------------------------------------------- */

void cuda_note(cuda_queue *queue, const char *name) {
    queue->names[queue->started++ % CUDA_NAMES] = name;
}

CUresult cuda_start_now(CUstream stream, CUfunction kernel, const gpu_extent *extent,
                        void **parameters) {
    const int64_t *groups = extent->groups;
    return cuda.launch(kernel, (unsigned)groups[0], (unsigned)groups[1], (unsigned)groups[2],
                       (unsigned)extent->lanes, 1, 1, 0, stream, parameters, NULL);
}

/* The arguments where they lie; with the context current. */
static CUresult start_plain(const cuda_device *self, cuda_queue *to, const cuda_start *start) {
    void *parameters[MOST_ARGUMENTS];
    for (int32_t i = 0; i < start->count; i++) {
        const gpu_argument *argument = &start->arguments[i];
        parameters[i] = argument->buffer ? (void *)&((cuda_buffer *)(void *)argument->buffer)->at
                                         : (void *)(uintptr_t)argument->bytes;
    }
    CUstream stream = cuda_ordered(to);
    CUresult code = cuda_start_now(stream, start->kernel, &start->extent, parameters);
    if (code != CUDA_SUCCESS || !self->waits) return code;
    code = cuda.stream_synchronize(stream);
    if (code == CUDA_SUCCESS) to->started = 0;
    return code;
}

static int32_t start(gpu_device *device, tern_bqueue *queue, gpu_program *own, int32_t entry,
                     const gpu_argument *arguments, int32_t count, const gpu_extent *extent,
                     tern_backend_error *err) {
    cuda_device *self = (cuda_device *)device;
    cuda_queue *to = (cuda_queue *)(void *)queue;
    const cuda_start what = {own->kernels[entry], *extent, count, arguments};
    const int64_t *groups = extent->groups;
    if (groups[0] > INT32_MAX || groups[1] > CUDA_MOST_GROUPS || groups[2] > CUDA_MOST_GROUPS)
        return tern_kit_fail(
            err, TERN_BACKEND_UNSUPPORTED,
            "cuda: %s over %lld by %lld by %lld groups, more than a GPU starts at once",
            own->names[entry], (long long)groups[0], (long long)groups[1], (long long)groups[2]);
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    cuda_note(to, own->names[entry]);
    bool is_kept = to->replay && !self->waits && cuda_replay_start(to, &what);
    CUresult code = is_kept ? CUDA_SUCCESS : start_plain(self, to, &what);
    cuda_leave();
    return cuda_result(self, to, "starting a kernel", code, err);
}

static tern_bbuffer *flag(gpu_device *device, tern_bqueue *queue) {
    (void)device;
    return (tern_bbuffer *)(void *)((cuda_queue *)(void *)queue)->flag;
}

const gpu_driver cuda_driver = {build, program_free, start, flag, cuda_scratch, cuda_scratch_end};
