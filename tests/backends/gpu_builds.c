/*
 * gpu_builds: how many programs a device of backends/gpu compiles, without one.
 *
 * A launch goes through backends/gpu to a driver that compiles and starts nothing, and is then done by cpu_ref's
 * kernel, so that what follows is what would follow on a device. At the end the number of builds is told, and how
 * many of them each kind of kernel has. gpu_builds:0 chooses its kernels as PoCL on two cores does, gpu_builds:1
 * as a GPU of 108 units.
 */
#include <stdio.h>
#include <string.h>

#include "gpu/gpu.h"
#include "plain.h"

#define MOST_KINDS 64
#define FLAG_BYTES 64

/* Kernels of one name. */
typedef struct kind {
    char name[32];
    unsigned count;
} kind;

typedef struct device {
    gpu_device gpu;
    tern_kit_device kit;
    unsigned builds;
    int32_t n_kinds;
    kind kinds[MOST_KINDS];
    uint64_t flag[FLAG_BYTES / 8];
} device;

struct gpu_program {
    char unused;
};

static const tern_host *host;

/* ---- a driver that only counts: under the lock of the table ---------------------------------- */

static void count(device *self, const char *name) {
    int32_t k = 0;
    while (k < self->n_kinds && strcmp(self->kinds[k].name, name) != 0) k++;
    if (k == MOST_KINDS) return;
    if (k == self->n_kinds)
        snprintf(self->kinds[self->n_kinds++].name, sizeof self->kinds[k].name, "%.31s", name);
    self->kinds[k].count++;
}

static int32_t build(gpu_device *base, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    device *self = (device *)base;
    (void)source;
    *out_program = host->alloc(sizeof **out_program);
    if (!*out_program)
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_builds: out of memory");
    self->builds++;
    count(self, entries[0]);
    return TERN_BACKEND_OK;
}

static void program_free(gpu_device *base, gpu_program *program) {
    (void)base;
    host->free(program);
}

static int32_t start(gpu_device *base, tern_bqueue *queue, gpu_program *program, int32_t entry,
                     const gpu_argument *arguments, int32_t n, const gpu_extent *extent,
                     tern_backend_error *err) {
    (void)base, (void)queue, (void)program, (void)entry, (void)arguments, (void)n, (void)extent;
    (void)err;
    return TERN_BACKEND_OK;
}

static tern_bbuffer *flag(gpu_device *base, tern_bqueue *queue) {
    (void)queue;
    return (tern_bbuffer *)(void *)((device *)base)->flag;
}

static const gpu_driver driver = {
    .build = build, .program_free = program_free, .start = start, .flag = flag};

/* ---- the device ------------------------------------------------------------------------------ */

static void *reach(tern_bdevice *base, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)base, (void)err;
    return buffer;
}

static const tern_kit_memory memory = {reach, NULL};

static int32_t launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    int32_t status = gpu_launch(base, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                                attrs_size, err);
    if (status != TERN_BACKEND_OK) return status;
    return tern_kit_launch(&((device *)base)->kit.base, queue, kernel, inputs, n_inputs, outputs,
                           n_outputs, attrs, attrs_size, err);
}

static void close_device(tern_bdevice *base) {
    device *self = (device *)base;
    char line[1024];
    int length = snprintf(line, sizeof line, "gpu_builds: %u builds:", self->builds);
    for (int32_t k = 0; k < self->n_kinds && length < (int)sizeof line - 64; k++)
        length += snprintf(line + length, sizeof line - (size_t)length, "%s %s %u", k ? "," : "",
                           self->kinds[k].name, self->kinds[k].count);
    host->log(TERN_BACKEND_LOG_WARNING, line);
    gpu_device_fini(&self->gpu);
    tern_kit_device_fini(&self->kit);
    host->free(self);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_FAST,
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
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "gpu_builds has two devices");
    return tern_kit_device_info(out_info, "counts what GPUs compile", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index < 0 || index >= DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "gpu_builds has two devices");
    device *self = host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_builds: out of memory");
    memset(self, 0, sizeof *self);
    if (!gpu_device_init(&self->gpu, &vtable, host, &driver)) {
        host->free(self);
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "gpu_builds: no lock");
    }
    tern_kit_device_init(&self->kit, &vtable, host, &memory);
    self->gpu.has_f64 = true;
    self->gpu.compiles_first = 10;
    self->gpu.interprets_most = (uint64_t)1 << 24;
    self->gpu.kind = index == 0 ? GPU_KIND_CORES : GPU_KIND_LANES;
    self->gpu.units = index == 0 ? 2 : 108;
    self->gpu.most_lanes = index == 0 ? 4096 : 1024;
    self->gpu.shared_bytes = index == 0 ? (uint64_t)1 << 20 : (uint64_t)48 << 10;
    *out_device = &self->gpu.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "gpu_builds",
    .version = "0.1.0",
    .speed = TERN_SPEED_FAST,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = plain_host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
