/*
 * The plugin: which GPUs the driver has, and opening one.
 *
 * tern_backend_query opens no driver; device_count does. CUDA_VISIBLE_DEVICES is the driver's to heed.
 * TERN_CUDA_DEVICE names a GPU by its UUID or by a part of its name: only such GPUs count then, so that cuda:0
 * is the first of them.
 */
#include "cuda.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cpu_ref/kit.h"
#include "compiler.h"
#include "ready.h"

const tern_host *cuda_host;

#define MOST_DEVICES 64

/* As many programs as the compiler makes in the time of an interpreter. */
#define COMPILES_FIRST 10

/* ---- the context and its end ----------------------------------------------------------------- */

bool cuda_enter(cuda_device *self, tern_backend_error *err) {
    if (atomic_load(&self->is_lost)) {
        tern_kit_fail(err, TERN_BACKEND_LOST, "%s", self->lost);
        return false;
    }
    CUresult code = cuda.context_push(self->context);
    if (code == CUDA_SUCCESS) return true;
    cuda_result(self, NULL, "making the context current", code, err);
    return false;
}

int32_t cuda_refusal(cuda_device *self) {
    return atomic_load(&self->is_lost) ? TERN_BACKEND_LOST : TERN_BACKEND_FAILED;
}

bool cuda_enter_to_free(const cuda_device *self) {
    /* what is not freed now never is, so that a second try is worth it */
    for (int i = 0; i < 2; i++)
        if (cuda.context_push(self->context) == CUDA_SUCCESS) return true;
    return false;
}

void cuda_leave(void) {
    CUcontext own;
    cuda.context_pop(&own);
}

/* The kernels that may have caused an error which is met now. */
static void name_kernels(const cuda_queue *queue, char *out, size_t size) {
    uint64_t count = queue ? queue->started : 0;
    size_t at = 0;
    out[0] = 0;
    if (!count) return;
    uint64_t first = count > CUDA_NAMES ? count - CUDA_NAMES : 0;
    at = (size_t)snprintf(out, size,
                          count == 1 ? ", in the kernel" : ", in one of the last kernels");
    for (uint64_t i = first; i < count && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s %s", i > first ? "," : "",
                               queue->names[i % CUDA_NAMES]);
}

/* Keeps the first reason; later calls are answered with it. */
static void lose(cuda_device *self, const cuda_queue *queue, const char *what, CUresult code) {
    char text[96], kernels[120];
    name_kernels(queue, kernels, sizeof kernels);
    pthread_mutex_lock(&self->lock);
    if (!atomic_load(&self->is_lost)) {
        snprintf(self->lost, sizeof self->lost,
                 "cuda: the GPU was lost: %.90s, met when %.40s%s: open it in a new process%s",
                 cuda_code_text(code, text, sizeof text), what, kernels,
                 kernels[0] && !self->waits ? " (TERN_CUDA_SYNC=1 names the kernel)" : "");
        atomic_store(&self->is_lost, true);
    }
    pthread_mutex_unlock(&self->lock);
}

int32_t cuda_result(cuda_device *self, const cuda_queue *queue, const char *what, CUresult code,
                    tern_backend_error *err) {
    if (code == CUDA_SUCCESS) return TERN_BACKEND_OK;
    if (!cuda_is_lost(code)) return cuda_failed(err, what, code);
    lose(self, queue, what, code);
    return tern_kit_fail(err, TERN_BACKEND_LOST, "%s", self->lost);
}

/* ---- which devices there are ----------------------------------------------------------------- */

typedef struct found {
    CUdevice devices[MOST_DEVICES];
    int32_t count, all;
} found;

static void identify(CUdevice device, char *out, size_t size) {
    CUuuid uuid;
    size_t at = 0;
    out[0] = 0;
    if (cuda.device_uuid(&uuid, device) != CUDA_SUCCESS) return;
    for (int i = 0; i < 16 && at + 3 < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%02x%s", uuid.bytes[i],
                               i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
}

static bool contains(const char *text, const char *part) {
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length) return true;
    }
    return length == 0;
}

static bool serves(CUdevice device) {
    const char *wanted = getenv("TERN_CUDA_DEVICE");
    char name[256] = "", identity[64];
    if (!wanted || !*wanted) return true;
    cuda.device_name(name, sizeof name, device);
    identify(device, identity, sizeof identity);
    if (strncmp(wanted, "GPU-", 4) == 0) return contains(identity, wanted + 4);
    return contains(name, wanted) || contains(identity, wanted);
}

static int32_t look(found *out, tern_backend_error *err) {
    int count = 0;
    out->count = out->all = 0;
    int32_t status = cuda_driver_open(err);
    if (status != TERN_BACKEND_OK) return status;
    CUresult code = cuda.device_count(&count);
    if (code != CUDA_SUCCESS) return cuda_failed(err, "counting the GPUs", code);
    for (out->all = 0; out->all < count && out->count < MOST_DEVICES; out->all++) {
        CUdevice device;
        if (cuda.device_get(&device, out->all) == CUDA_SUCCESS && serves(device))
            out->devices[out->count++] = device;
    }
    if (out->count) return TERN_BACKEND_OK;
    if (count)
        return tern_kit_fail(
            err, TERN_BACKEND_UNSUPPORTED,
            "cuda: TERN_CUDA_DEVICE=%.100s is the UUID of no GPU, and in no GPU's name",
            getenv("TERN_CUDA_DEVICE"));
    return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                         "cuda: the driver sees no NVIDIA GPU (is CUDA_VISIBLE_DEVICES set?)");
}

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    found all;
    int32_t status = look(&all, err);
    *out_count = all.count;
    return status;
}

static int32_t find(int32_t index, CUdevice *out_device, tern_backend_error *err) {
    found all;
    int32_t status = look(&all, err);
    if (status != TERN_BACKEND_OK) return status;
    if (index < 0 || index >= all.count)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "cuda: there are %d devices",
                             (int)all.count);
    *out_device = all.devices[index];
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    tern_device_info full = {.type = TERN_DEVICE_GPU};
    CUdevice device;
    size_t memory = 0;
    char name[256] = "";
    int32_t status = find(index, &device, err);
    if (status != TERN_BACKEND_OK) return status;
    cuda.device_memory(&memory, device);
    cuda.device_name(name, sizeof name, device);
    full.memory_bytes = memory;
    snprintf(full.name, sizeof full.name, "%.63s", name);
    identify(device, full.identity, sizeof full.identity);
    tern_kit_device_info_give(&full, out_info);
    return TERN_BACKEND_OK;
}

/* ---- opening one ----------------------------------------------------------------------------- */

/* Everything that needs the context; of a lost one the driver frees what it can. */
static void release(cuda_device *self) {
    bool is_current = cuda_enter_to_free(self);
    cuda_libraries_fini(self);
    gpu_device_fini(&self->gpu);
    cuda_sweep(self, true);
    cuda_stages_close(self);
    while (self->spares) cuda.event_destroy(self->spare[--self->spares]);
    if (is_current) cuda_leave();
    cuda.context_release(self->id);
}

static void close_device(tern_bdevice *base) {
    cuda_device *self = (cuda_device *)base;
    char line[240];
    snprintf(line, sizeof line,
             "cuda: %u programs were compiled, %u came from the cache, %u with the plugin; "
             "%u products by cuBLASLt, %u convolutions by cuDNN",
             self->built, self->loaded, self->ready, atomic_load(&self->products),
             atomic_load(&self->convolutions));
    bool wanted = getenv("TERN_CUDA_COUNT") != NULL;
    cuda_host->log(wanted ? TERN_BACKEND_LOG_WARNING : TERN_BACKEND_LOG_INFO, line);
    release(self);
    pthread_mutex_destroy(&self->dnn_lock);
    pthread_mutex_destroy(&self->lock);
    cuda_host->free(self);
}

static const tern_bdevice_vtable slots = {
    .struct_size = sizeof(tern_bdevice_vtable),
    .speed = TERN_SPEED_FAST,
    .alignment = CUDA_ALIGNMENT,
    .suballocation = 4096,
    .close = close_device,
    .buffer_alloc = cuda_buffer_alloc,
    .buffer_free = cuda_buffer_free,
    .memory_info = cuda_memory_info,
    .host_alloc = cuda_host_alloc,
    .host_free = cuda_host_free,
    .copy_to_device = cuda_copy_to_device,
    .copy_to_host = cuda_copy_to_host,
    .copy_between = cuda_copy_between,
    .queue_create = cuda_queue_create,
    .queue_destroy = cuda_queue_destroy,
    .queue_synchronize = cuda_queue_synchronize,
    .event_create = cuda_event_create,
    .event_destroy = cuda_event_destroy,
    .event_record = cuda_event_record,
    .event_wait = cuda_event_wait,
    .event_synchronize = cuda_event_synchronize,
    .event_query = cuda_event_query,
    .take_error = cuda_take_error,
    .skip_flag = cuda_skip_flag,
    .supports = gpu_supports,
    .launch = cuda_launch,
    .prepare = cuda_prepare,
    .launch_plan = cuda_launch_plan,
    .plan_free = cuda_plan_free,
    .replay_begin = cuda_replay_begin,
    .replay_end = cuda_replay_end,
    .replay_free = cuda_replay_free,
};

/* Small programs that are seldom used are interpreted, or all, or none, as TERN_CUDA_INTERPRET says. */
static void choose_interpreting(gpu_device *gpu) {
    const char *wanted = getenv("TERN_CUDA_INTERPRET");
    bool always = wanted && strcmp(wanted, "always") == 0;
    bool never = wanted && strcmp(wanted, "never") == 0;
    gpu->compiles_first = always ? 0 : never ? INT32_MAX : COMPILES_FIRST;
}

static int attribute(CUdevice device, int which) {
    int value = 0;
    cuda.device_attribute(&value, which, device);
    return value;
}

/* What the GPU says of itself. */
static void describe(cuda_device *self) {
    size_t memory = 0;
    int driver = 0;
    cuda.device_memory(&memory, self->id);
    cuda.device_name(self->name, sizeof self->name, self->id);
    cuda.driver_version(&driver);
    self->memory = memory;
    self->capability = 10 * attribute(self->id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
                       attribute(self->id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    snprintf(self->signature, sizeof self->signature, "%s\nsm_%d\ndriver %d\n", self->name,
             self->capability, driver);
    self->gpu.signature = self->signature;
    self->gpu.has_f64 = true;
    choose_interpreting(&self->gpu);
    self->gpu.kind = GPU_KIND_LANES;
    self->gpu.most_groups = CUDA_MOST_GROUPS;
    self->gpu.units = attribute(self->id, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    self->gpu.most_lanes = attribute(self->id, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    self->gpu.shared_bytes =
        (uint64_t)attribute(self->id, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
    self->waits = getenv("TERN_CUDA_SYNC") != NULL;
    self->last_freed = &self->freed;
    self->table = slots;
    cuda_libraries_init(self);
}

/* Programs have to come from somewhere. */
static int32_t can_run(const cuda_device *self, tern_backend_error *err) {
    if (self->capability < 75)
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "cuda: %s has compute capability %d.%d, and 7.5 is needed", self->name,
                             self->capability / 10, self->capability % 10);
    if (cuda_ready_serves(self->capability) || cuda_compiler_open(NULL) == TERN_BACKEND_OK)
        return TERN_BACKEND_OK;
    return cuda_compiler_open(err);
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    CUdevice id;
    int32_t status = find(index, &id, err);
    if (status != TERN_BACKEND_OK) return status;
    cuda_device *self = cuda_host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
    memset(self, 0, sizeof *self);
    self->id = id;
    describe(self);
    status = can_run(self, err);
    if (status != TERN_BACKEND_OK) {
        cuda_host->free(self);
        return status;
    }
    CUresult code = cuda.context_retain(&self->context, id);
    if (code != CUDA_SUCCESS) {
        cuda_host->free(self);
        return cuda_failed(err, "opening the GPU", code);
    }
    bool locks = pthread_mutex_init(&self->lock, NULL) == 0;
    bool both = locks && pthread_mutex_init(&self->dnn_lock, NULL) == 0;
    if (!both || !gpu_device_init(&self->gpu, &self->table, cuda_host, &cuda_driver)) {
        if (both) pthread_mutex_destroy(&self->dnn_lock);
        if (locks) pthread_mutex_destroy(&self->lock);
        cuda.context_release(id);
        cuda_host->free(self);
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "cuda: no locks");
    }
    *out_device = &self->gpu.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "cuda",
    .version = "0.1.0",
    .build_id = "CUDA driver API 12.0",
    .speed = TERN_SPEED_FAST,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
    .tell_libraries = cuda_libraries_tell,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    cuda_host = host;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
