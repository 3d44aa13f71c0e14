/*
 * my_backend: a complete backend over the kit, to copy and change.
 *
 * The memory is its own (whole pages from the system, as a driver would give), one kernel is its own
 * (relu), the rest is the kit's. To go on: replace more kernels, then the memory, then add queues.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <sys/mman.h>

#include "cpu_ref/kernels.h"
#include "cpu_ref/kit.h"
#include "cpu_ref/walk.h"

struct tern_bbuffer {
    char *pages;
    size_t bytes;
};

static const tern_host *host; /* what Tern gives: memory for our structs, a log, threads */

/* ---- memory: replace this by your device's ---- */

static int32_t buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)device;
    tern_bbuffer *buffer = host->alloc(sizeof *buffer);
    void *pages = MAP_FAILED;
    if (buffer && bytes <= SIZE_MAX) {
        pages =
            mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (pages == MAP_FAILED) {
        host->free(buffer);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "my_backend: no %llu bytes",
                             (unsigned long long)bytes);
    }
    *buffer = (tern_bbuffer){pages, (size_t)bytes};
    *out_buffer = buffer;
    return TERN_BACKEND_OK;
}

static void buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    (void)device;
    munmap(buffer->pages, buffer->bytes);
    host->free(buffer);
}

/* Where the kit's kernels and copies find a buffer's bytes. A device that the host cannot see maps here. */
static void *reach(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)device, (void)err;
    return buffer->pages;
}

static const tern_kit_memory memory = {reach, NULL};

/* ---- a kernel of our own: relu of contiguous float32; every other map is the kit's ---- */

static int32_t unary(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    const tern_unary_attrs *attrs = call->attrs;
    if (attrs->fn != TERN_UNARY_RELU || in->dtype != TERN_BT_FLOAT32 ||
        !tern_kit_is_contiguous(in) || !tern_kit_is_contiguous(out)) {
        return tern_ref_unary(call);
    }
    const float *x = (const float *)in->data;
    float *y = (float *)out->data;
    for (int64_t i = 0; i < tern_kit_count(in); i++) y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
    return TERN_BACKEND_OK;
}

/* ---- the device and the plugin ---- */

static void close_device(tern_bdevice *device) {
    tern_kit_device_fini((tern_kit_device *)device);
    host->free(device);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 4096,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .memory_info = tern_kit_memory_info,
    .copy_to_device = tern_kit_copy_to_device,
    .copy_to_host = tern_kit_copy_to_host,
    .supports = tern_kit_supports,
    .launch = tern_kit_launch,
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    (void)index, (void)err;
    return tern_kit_device_info(out_info, "my device", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    (void)index;
    tern_kit_device *device = host->alloc(sizeof *device);
    if (!device) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "my_backend: out of memory");
    tern_kit_device_init(device, &vtable, host, &memory);
    tern_kit_replace(device, TERN_KERNEL_UNARY, unary);
    *out_device = &device->base;
    return TERN_BACKEND_OK;
}

int32_t tern_backend_query(uint32_t host_abi, const tern_host *host_table,
                           tern_backend_desc *out_desc, tern_backend_error *err) {
    static const tern_backend_desc description = {.name = "my_backend",
                                                  .version = "1.0",
                                                  .can_unload = 1,
                                                  .device_count = tern_kit_one_device,
                                                  .device_info = device_info,
                                                  .device_open = device_open};
    host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
