/*
 * plugin.h: a legal plugin without kernels, for the loader's tests.
 *
 * Each source beside this one includes it, says how it differs by the macros below, and is then
 * wrong in exactly one way (or legal, where it is named so).
 */
#ifndef TERN_TESTS_BAD_PLUGIN_H
#define TERN_TESTS_BAD_PLUGIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/backend.h"

#ifndef PLUGIN_NAME
#define PLUGIN_NAME "legal"
#endif
#ifndef PLUGIN_DEVICES
#define PLUGIN_DEVICES 1
#endif
#ifndef PLUGIN_TYPE
#define PLUGIN_TYPE TERN_DEVICE_CPU
#endif
#ifndef PLUGIN_SANITIZERS
#define PLUGIN_SANITIZERS TERN_BACKEND_SANITIZERS
#endif
#ifndef PLUGIN_ABI
#define PLUGIN_ABI TERN_BACKEND_ABI
#endif

/* A buffer is plain memory. */
static int32_t plugin_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)device, (void)err;
    *out_buffer = malloc((size_t)bytes);
    return *out_buffer ? TERN_BACKEND_OK : TERN_BACKEND_OUT_OF_MEMORY;
}

static void plugin_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)device, (void)queue;
    free(buffer);
}

static int32_t plugin_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memcpy((char *)dst + dst_offset, src, (size_t)bytes);
    return TERN_BACKEND_OK;
}

static int32_t plugin_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst,
                              tern_bbuffer *src, uint64_t src_offset, uint64_t bytes,
                              tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memcpy(dst, (char *)src + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}

static int32_t plugin_take_error(tern_bdevice *device, tern_bqueue *queue,
                                 tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    return TERN_BACKEND_OK;
}

static bool plugin_supports(tern_bdevice *device, const tern_kernel_query *query,
                            const char **out_reason) {
    (void)device, (void)query;
    *out_reason = "this plugin has no kernels";
    return false;
}

static int32_t plugin_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                             const tern_operand *inputs, int32_t n_inputs,
                             const tern_operand *outputs, int32_t n_outputs, const void *attrs,
                             uint32_t attrs_size, tern_backend_error *err) {
    (void)device, (void)queue, (void)kernel, (void)inputs, (void)n_inputs, (void)outputs;
    (void)n_outputs, (void)attrs, (void)attrs_size, (void)err;
    return TERN_BACKEND_UNSUPPORTED;
}

static void plugin_close(tern_bdevice *device) {
    free(device);
}

static const tern_bdevice_vtable plugin_vtable = {
    .struct_size = sizeof plugin_vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = plugin_close,
    .buffer_alloc = plugin_alloc,
    .buffer_free = plugin_free,
    .copy_to_device = plugin_to_device,
    .copy_to_host = plugin_to_host,
    .take_error = plugin_take_error,
    .supports = plugin_supports,
    .launch = plugin_launch,
};

/* Opens a device with a table that a test may have bent. */
static int32_t plugin_open_with(const tern_bdevice_vtable *vtable, tern_bdevice **out_device) {
    *out_device = malloc(sizeof **out_device);
    if (!*out_device) return TERN_BACKEND_OUT_OF_MEMORY;
    (*out_device)->vtable = vtable;
    return TERN_BACKEND_OK;
}

#ifndef PLUGIN_OPEN
static int32_t plugin_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    (void)index, (void)err;
    return plugin_open_with(&plugin_vtable, out_device);
}
#define PLUGIN_OPEN plugin_open
#else
static int32_t PLUGIN_OPEN(int32_t index, tern_bdevice **out_device, tern_backend_error *err);
#endif

static int32_t plugin_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = PLUGIN_DEVICES;
    return TERN_BACKEND_OK;
}

static int32_t plugin_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    (void)err;
    out_info->type = PLUGIN_TYPE;
    out_info->memory_bytes = UINT64_C(1) << 30;
    snprintf(out_info->name, sizeof out_info->name, "test device %d", (int)index);
    snprintf(out_info->identity, sizeof out_info->identity, "0000:%02x:00.0", (unsigned)index);
    return TERN_BACKEND_OK;
}

/* Fills in the descriptor; the caller bends it. */
static int32_t plugin_describe(tern_backend_desc *out_desc) {
    out_desc->struct_size = sizeof *out_desc;
    out_desc->abi = PLUGIN_ABI;
    out_desc->name = PLUGIN_NAME;
    out_desc->version = "0.1.0";
    out_desc->build_id = "test";
    out_desc->sanitizers = PLUGIN_SANITIZERS;
    out_desc->can_unload = 1;
    out_desc->device_count = plugin_count;
    out_desc->device_info = plugin_info;
    out_desc->device_open = PLUGIN_OPEN;
    return TERN_BACKEND_OK;
}

#ifndef PLUGIN_OWN_QUERY
int32_t tern_backend_query(uint32_t host_abi, const tern_host *host, tern_backend_desc *out_desc,
                           tern_backend_error *err) {
    (void)host_abi, (void)host, (void)err;
    return plugin_describe(out_desc);
}
#endif

#endif
