/*
 * minimal: the least that a backend may be. The primitives and the slots that must be there; no queues,
 * plans, import, pinned memory or fused kernels; buffers aligned to 16 bytes and no more, and a limit
 * on their size.
 */
#include "cpu_ref/kit.h"

#define ALIGNMENT 16u
#define LARGEST   (UINT64_C(64) << 20)

static const tern_host *host;

/* A handle is the address; the host's memory begins 16 bytes before it and is aligned to 64. */
static int32_t buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)device;
    if (bytes > LARGEST)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "minimal: a buffer beyond the limit");
    char *memory = host->alloc((size_t)bytes + ALIGNMENT);
    if (!memory) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "minimal: out of memory");
    *out_buffer = (tern_bbuffer *)(void *)(memory + ALIGNMENT);
    return TERN_BACKEND_OK;
}

static void buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)device, (void)queue;
    host->free((char *)buffer - ALIGNMENT);
}

static void *reach(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)device, (void)err;
    return buffer;
}

static const tern_kit_memory memory = {reach, NULL};

/* Without MEAN, which is no primitive. */
static bool supports(tern_bdevice *device, const tern_kernel_query *query,
                     const char **out_reason) {
    if (query->kernel != TERN_KERNEL_REDUCE || query->fn != TERN_REDUCE_MEAN)
        return tern_kit_supports(device, query, out_reason);
    *out_reason = "minimal: no means";
    return false;
}

static void close_device(tern_bdevice *device) {
    tern_kit_device_fini((tern_kit_device *)device);
    host->free(device);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = ALIGNMENT,
    .speed = TERN_SPEED_REFERENCE,
    .largest_allocation = LARGEST,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .copy_to_device = tern_kit_copy_to_device,
    .copy_to_host = tern_kit_copy_to_host,
    .supports = supports,
    .launch = tern_kit_launch,
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "minimal has one device");
    return tern_kit_device_info(out_info, "nothing that is optional", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "minimal has one device");
    tern_kit_device *device = host->alloc(sizeof *device);
    if (!device) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "minimal: out of memory");
    tern_kit_device_init(device, &vtable, host, &memory);
    for (int32_t id = TERN_KERNEL_FUSED; id < TERN_KIT_KERNELS; id++)
        tern_kit_replace(device, id, NULL);
    *out_device = &device->base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "minimal",
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
