/*
 * A small backend that is built against every kept header: buffers in host memory, FILL and ADD of
 * float32. What a version lacks or spells otherwise is told apart by its number.
 */
#include <stdlib.h>
#include <string.h>

#include "tern/backend.h"

/* Operands of 64 bytes with immediates, and freeing in the order of a queue, came with 0.2. */
#define OPERANDS_OF_64_BYTES (TERN_BACKEND_ABI_MAJOR > 0 || TERN_BACKEND_ABI_MINOR >= 2)

static float *elements(const tern_operand *operand) {
#if OPERANDS_OF_64_BYTES
    uint64_t offset = operand->at.byte_offset;
#else
    uint64_t offset = operand->byte_offset;
#endif
    return (float *)(void *)((char *)operand->buffer + offset);
}

static double element(const tern_operand *operand, int64_t i) {
#if OPERANDS_OF_64_BYTES
    if (!operand->buffer) return operand->at.f;
#endif
    return (double)elements(operand)[i * operand->strides[0]];
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int32_t buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)device, (void)err;
    *out_buffer = malloc((size_t)bytes);
    return *out_buffer ? TERN_BACKEND_OK : TERN_BACKEND_OUT_OF_MEMORY;
}

#if OPERANDS_OF_64_BYTES
static void buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)device, (void)queue;
    free(buffer);
}
#else
static void buffer_free(tern_bdevice *device, tern_bbuffer *buffer) {
    (void)device;
    free(buffer);
}

static int32_t copy_on_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, tern_bbuffer *src, uint64_t src_offset,
                              uint64_t bytes, tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memmove((char *)dst + dst_offset, (char *)src + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}
#endif

static int32_t copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memcpy((char *)dst + dst_offset, src, (size_t)bytes);
    return TERN_BACKEND_OK;
}

static int32_t copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)device, (void)queue, (void)err;
    memcpy(dst, (char *)src + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static bool supports(tern_bdevice *device, const tern_kernel_query *query,
                     const char **out_reason) {
    (void)device;
    *out_reason = "this plugin fills and adds float32, and no more";
    if (query->output_dtypes[0] != TERN_BT_FLOAT32) return false;
    return query->kernel == TERN_KERNEL_FILL ||
           (query->kernel == TERN_KERNEL_BINARY && query->fn == TERN_BINARY_ADD);
}

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    (void)device, (void)queue, (void)n_inputs, (void)n_outputs, (void)attrs_size, (void)err;
    if (outputs->rank != 1) return TERN_BACKEND_UNSUPPORTED;
    float *out = elements(outputs);
    int64_t n = outputs->shape[0];
    if (kernel == TERN_KERNEL_FILL) {
        for (int64_t i = 0; i < n; i++) out[i] = (float)((const tern_fill_attrs *)attrs)->f;
        return TERN_BACKEND_OK;
    }
    double alpha = ((const tern_binary_attrs *)attrs)->alpha;
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(element(&inputs[0], i) + alpha * element(&inputs[1], i));
    return TERN_BACKEND_OK;
}

/* ---- the device ------------------------------------------------------------------------------ */

static void close_device(tern_bdevice *device) {
    free(device);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
#if !OPERANDS_OF_64_BYTES
    .copy_on_device = copy_on_device,
#endif
    .copy_to_device = copy_to_device,
    .copy_to_host = copy_to_host,
    .supports = supports,
    .launch = launch,
};

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    (void)index, (void)err;
    *out_device = malloc(sizeof **out_device);
    if (!*out_device) return TERN_BACKEND_OUT_OF_MEMORY;
    (*out_device)->vtable = &vtable;
    return TERN_BACKEND_OK;
}

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = 1;
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    (void)index, (void)err;
    out_info->type = TERN_DEVICE_CPU;
    strcpy(out_info->name, "kept");
    return TERN_BACKEND_OK;
}

/* Asks for the major number alone, as the guide's example does: the core holds it to the minor one. */
int32_t tern_backend_query(uint32_t host_abi, const tern_host *host, tern_backend_desc *out_desc,
                           tern_backend_error *err) {
    (void)host, (void)err;
    if (host_abi >> 16 != TERN_BACKEND_ABI_MAJOR) return TERN_BACKEND_UNSUPPORTED;
    out_desc->struct_size = sizeof *out_desc;
    out_desc->abi = TERN_BACKEND_ABI;
    out_desc->name = PLUGIN_NAME;
    out_desc->version = "1.0";
    out_desc->build_id = "kept";
    out_desc->sanitizers = TERN_BACKEND_SANITIZERS;
    out_desc->can_unload = 1;
    out_desc->device_count = device_count;
    out_desc->device_info = device_info;
    out_desc->device_open = device_open;
    return TERN_BACKEND_OK;
}
