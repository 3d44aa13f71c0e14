/*
 * cpu_ref: the specification backend: the kit's host memory and kernels, no queues.
 *
 * All is done when a call returns.
 */
#include "kit.h"

static const tern_host *host;

static void close_device(tern_bdevice *device) {
    tern_kit_device_fini((tern_kit_device *)device);
    host->free(device);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = tern_kit_buffer_alloc,
    .buffer_free = tern_kit_buffer_free,
    .buffer_import = tern_kit_buffer_import,
    .memory_info = tern_kit_memory_info,
    .copy_to_device = tern_kit_copy_to_device,
    .copy_to_host = tern_kit_copy_to_host,
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
    tern_kit_device_init(device, &vtable, host, &tern_kit_host_memory);
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
