/*
 * cpu_ref: the specification backend. Host memory, no queues, the kit's kernels.
 *
 * All is done when a call returns; a buffer is a plain block of host memory.
 */
#include "kit.h"

struct tern_bbuffer {
    void *memory;
    bool imported; /* the caller's memory: never freed here */
};

static const tern_host *host;

static int32_t make_buffer(void *memory, bool imported, tern_bbuffer **out_buffer,
                           tern_backend_error *err) {
    tern_bbuffer *buffer = memory ? host->alloc(sizeof *buffer) : NULL;
    if (!buffer) {
        if (!imported) host->free(memory);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cpu_ref: out of host memory");
    }
    buffer->memory = memory;
    buffer->imported = imported;
    *out_buffer = buffer;
    return TERN_BACKEND_OK;
}

static int32_t buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)device;
    void *memory = bytes <= SIZE_MAX ? host->alloc((size_t)bytes) : NULL;
    return make_buffer(memory, false, out_buffer, err);
}

static int32_t buffer_import(tern_bdevice *device, void *memory, uint64_t bytes,
                             tern_bbuffer **out_buffer, tern_backend_error *err) {
    (void)device;
    (void)bytes;
    return make_buffer(memory, true, out_buffer, err);
}

static void buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    (void)device;
    if (!buffer->imported) host->free(buffer->memory);
    host->free(buffer);
}

static void close_device(tern_bdevice *device) {
    tern_kit_device_fini((tern_kit_device *)device);
    host->free(device);
}

static void *reach(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)device, (void)err;
    return buffer->memory;
}

static const tern_kit_memory memory = {reach, NULL};

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .copy_to_device = tern_kit_copy_to_device,
    .copy_to_host = tern_kit_copy_to_host,
    .buffer_import = buffer_import,
    .supports = tern_kit_supports,
    .launch = tern_kit_launch,
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "cpu_ref has one device");
    return tern_kit_device_info(out_info, "reference CPU kernels", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "cpu_ref has one device");
    tern_kit_device *device = host->alloc(sizeof *device);
    if (!device) {
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cpu_ref: out of host memory");
    }
    tern_kit_device_init(device, &vtable, host, &memory);
    *out_device = &device->base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "cpu_ref",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .can_unload = 1,
    .device_count = tern_kit_one_device,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
