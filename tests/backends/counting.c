/*
 * counting: a device that accepts every kernel and computes nothing, so that what a program
 * executes is the core's own path. tests/cost counts its instructions, and launches with
 * tern_stats_of.
 *
 * Memory is host memory that begins as zeros. Copies do copy: the core may look at what it wrote.
 * Results are whatever the buffer held, so no test may read one.
 */
#include <string.h>

#include "plain.h"

static const tern_host *host;

static int32_t buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    int32_t status = plain_buffer_alloc(device, bytes, out_buffer, err);
    if (status == TERN_BACKEND_OK) memset(*out_buffer, 0, (size_t)bytes);
    return status;
}

static bool supports(tern_bdevice *device, const tern_kernel_query *query,
                     const char **out_reason) {
    (void)device, (void)query;
    *out_reason = NULL;
    return true;
}

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    (void)device, (void)queue, (void)kernel, (void)inputs, (void)n_inputs, (void)outputs;
    (void)n_outputs, (void)attrs, (void)attrs_size, (void)err;
    return TERN_BACKEND_OK;
}

static void close_device(tern_bdevice *device) {
    host->free(device);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = plain_buffer_free,
    .copy_to_device = plain_copy_to_device,
    .copy_to_host = plain_copy_to_host,
    .supports = supports,
    .launch = launch,
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "counting has one device");
    return tern_kit_device_info(out_info, "computes nothing", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "counting has one device");
    tern_bdevice *device = host->alloc(sizeof *device);
    if (!device) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "counting: out of memory");
    device->vtable = &vtable;
    *out_device = device;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "counting",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .can_unload = 1,
    .device_count = tern_kit_one_device,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = plain_host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
