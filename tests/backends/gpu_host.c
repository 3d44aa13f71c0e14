/*
 * gpu_host: the kernels of backends/gpu as C on the host, so that the suite runs each of them, generated
 * programs too, without a GPU and with undefined behaviour made an error (and bad addresses, where this
 * backend is built with that sanitizer).
 *
 * A driver that compiles a source by the host's compiler, and calls its kernels (host_form.h). Of the two
 * devices, gpu_host:1 has the tiles of a device whose groups run on a core each, starts few groups at once, and
 * interprets every program that it may.
 */
#define _GNU_SOURCE /* mkdtemp */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/gpu.h"
#include "host_form.h"
#include "plain.h"

#define MOST_KERNELS   4
#define MOST_ARGUMENTS 128
#define FLAG_BYTES     64

typedef struct device {
    gpu_device gpu;
    char folder[64];
    unsigned count; /* of sources */
    uint64_t flag[FLAG_BYTES / 8];
} device;

struct gpu_program {
    void *library;
    host_kernel kernels[MOST_KERNELS];
};

static const tern_host *host;

/* ---- compiling ------------------------------------------------------------------------------- */

static void program_free(gpu_device *base, gpu_program *program) {
    (void)base;
    if (program->library) dlclose(program->library);
    host->free(program);
}

static int32_t load(const char *path, const char *const *entries, gpu_program *program,
                    tern_backend_error *err) {
    program->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!program->library)
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "gpu_host: %s", dlerror());
    for (int i = 0; i < MOST_KERNELS && entries[i]; i++)
        if (!host_form_find(program->library, entries[i], &program->kernels[i]))
            return tern_kit_fail(err, TERN_BACKEND_FAILED, "gpu_host: no kernel %s", entries[i]);
    return TERN_BACKEND_OK;
}

static int32_t build(gpu_device *base, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    device *self = (device *)base;
    char path[96];
    snprintf(path, sizeof path, "%s/%u.so", self->folder, self->count++);
    gpu_program *program = host->alloc(sizeof *program);
    if (!program) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_host: no memory");
    memset(program, 0, sizeof *program);
    int32_t status = TERN_BACKEND_OK;
    if (!host_form_compile(source, path))
        status = tern_kit_fail(err, TERN_BACKEND_FAILED, "gpu_host: %s does not compile", path);
    if (status == TERN_BACKEND_OK) status = load(path, entries, program, err);
    if (status == TERN_BACKEND_OK)
        *out_program = program;
    else
        program_free(base, program);
    unlink(path);
    return status;
}

/* ---- running --------------------------------------------------------------------------------- */

static int32_t start(gpu_device *base, tern_bqueue *queue, gpu_program *program, int32_t entry,
                     const gpu_argument *arguments, int32_t count, const gpu_extent *extent,
                     tern_backend_error *err) {
    (void)base, (void)queue;
    void *addresses[MOST_ARGUMENTS];
    for (int32_t i = 0; i < count; i++)
        addresses[i] = arguments[i].buffer ? (void *)arguments[i].buffer
                                           : (void *)(uintptr_t)arguments[i].bytes;
    const char *wrong =
        host_form_run(&program->kernels[entry], addresses, extent->groups, extent->lanes);
    if (wrong) return tern_kit_fail(err, TERN_BACKEND_FAILED, "gpu_host: %s", wrong);
    return TERN_BACKEND_OK;
}

static tern_bbuffer *flag(gpu_device *base, tern_bqueue *queue) {
    (void)queue;
    return (tern_bbuffer *)(void *)((device *)base)->flag;
}

static const gpu_driver driver = {
    .build = build, .program_free = program_free, .start = start, .flag = flag};

/* ---- the device ------------------------------------------------------------------------------ */

/* The work is done, so a kernel's error is launch's own answer. */
static int32_t launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    device *self = (device *)base;
    memset(self->flag, 0, sizeof self->flag);
    int32_t status = gpu_launch(base, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                                attrs_size, err);
    if (status != TERN_BACKEND_OK || !*(const int32_t *)(const void *)self->flag) return status;
    return gpu_flag_status(self->flag, err);
}

static void close_device(tern_bdevice *base) {
    device *self = (device *)base;
    gpu_device_fini(&self->gpu);
    rmdir(self->folder);
    host->free(self);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = plain_buffer_alloc,
    .buffer_free = plain_buffer_free,
    .copy_to_device = plain_copy_to_device,
    .copy_to_host = plain_copy_to_host,
    .supports = gpu_supports,
    .launch = launch,
};

#define DEVICES 2

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = DEVICES;
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index < 0 || index >= DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "gpu_host has two devices");
    return tern_kit_device_info(out_info, "the kernels of GPUs as C", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index < 0 || index >= DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "gpu_host has two devices");
    device *self = host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_host: out of memory");
    memset(self, 0, sizeof *self);
    snprintf(self->folder, sizeof self->folder, "/tmp/tern-gpu-host-XXXXXX");
    if (!mkdtemp(self->folder) || !gpu_device_init(&self->gpu, &vtable, host, &driver)) {
        host->free(self);
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "gpu_host: no folder for its programs");
    }
    self->gpu.has_f64 = true;
    self->gpu.compiles_first = index == 1 ? 0 : INT32_MAX;
    self->gpu.most_groups = index == 1 ? 3 : 0;
    self->gpu.kind = index == 1 ? GPU_KIND_CORES : GPU_KIND_LANES;
    /* so many units take the smallest tile, whose lanes are quickest to run one after the other */
    self->gpu.units = index == 1 ? 1 : 1 << 20;
    *out_device = &self->gpu.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "gpu_host",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = plain_host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
