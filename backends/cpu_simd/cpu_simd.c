/*
 * cpu_simd: the fast device of a CPU: the kit's host memory, no queues, vector kernels.
 *
 * One source, a library for each instruction set (a variant, CMakeLists.txt). The core chooses the
 * variant by the manifests, before any of them is opened.
 */
#include "../cpu_ref/kit.h"
#include "gemm_weights.h"
#include "kernels.h"

static const tern_host *host;

typedef struct simd_device {
    tern_kit_device kit;
    tern_simd_weights weights;
} simd_device;

static void close_device(tern_bdevice *device) {
    simd_device *own = (simd_device *)device;
    tern_simd_weights_fini(&own->weights);
    tern_kit_device_fini(&own->kit);
    host->free(device);
}

/* Packed weights make room for what has none. */
static int32_t alloc_buffer(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    int32_t status = tern_kit_buffer_alloc(device, bytes, out_buffer, err);
    if (status == TERN_BACKEND_OUT_OF_MEMORY &&
        tern_simd_weights_drop(&((simd_device *)device)->weights))
        status = tern_kit_buffer_alloc(device, bytes, out_buffer, err);
    return status;
}

/* Tuples of MAP go to the threads together; other launches are the kit's. */
static int32_t launch_once(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, const void *attrs,
                           uint32_t attrs_size, tern_backend_error *err) {
    if (kernel == TERN_KERNEL_MAP)
        return tern_simd_map((tern_kit_device *)device, inputs, n_inputs, outputs, n_outputs, attrs,
                             err);
    if (kernel == TERN_KERNEL_MATMUL_MAP || kernel == TERN_KERNEL_CONV_MAP)
        return tern_simd_epilogue((tern_kit_device *)device, kernel, inputs, n_inputs, outputs,
                                  attrs, err);
    return tern_kit_launch(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                           attrs_size, err);
}

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    int32_t status = launch_once(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                                 attrs_size, err);
    if (status == TERN_BACKEND_OUT_OF_MEMORY &&
        tern_simd_weights_drop(&((simd_device *)device)->weights))
        status = launch_once(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                             attrs_size, err);
    return status;
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_FAST,
    .close = close_device,
    .buffer_alloc = alloc_buffer,
    .buffer_free = tern_kit_buffer_free,
    .buffer_import = tern_kit_buffer_import,
    .memory_info = tern_kit_memory_info,
    .copy_to_device = tern_kit_copy_to_device,
    .copy_to_host = tern_kit_copy_to_host,
    .supports = tern_kit_supports,
    .launch = launch,
};

static const struct {
    int32_t kernel;
    tern_kit_kernel run;
} own_kernels[] = {
    {TERN_KERNEL_FILL, tern_simd_fill},
    {TERN_KERNEL_UNARY, tern_simd_unary},
    {TERN_KERNEL_BINARY, tern_simd_binary},
    {TERN_KERNEL_TERNARY, tern_simd_ternary},
    {TERN_KERNEL_COPY, tern_simd_copy},
    {TERN_KERNEL_SCAN, tern_simd_scan},
    {TERN_KERNEL_SORT, tern_simd_sort},
    {TERN_KERNEL_GATHER, tern_simd_gather},
    {TERN_KERNEL_SCATTER, tern_simd_scatter},
    {TERN_KERNEL_INDEX_SELECT, tern_simd_index_select},
    {TERN_KERNEL_INDEX_ADD, tern_simd_index_add},
    {TERN_KERNEL_INDEX_GET, tern_simd_index_get},
    {TERN_KERNEL_INDEX_PUT, tern_simd_index_put},
    {TERN_KERNEL_NONZERO_COUNT, tern_simd_nonzero_count},
    {TERN_KERNEL_NONZERO, tern_simd_nonzero},
    {TERN_KERNEL_MATMUL, tern_simd_matmul},
    {TERN_KERNEL_CONV, tern_simd_conv},
    {TERN_KERNEL_CONV_GRAD_INPUT, tern_simd_conv_grad_input},
    {TERN_KERNEL_CONV_GRAD_WEIGHT, tern_simd_conv_grad_weight},
    {TERN_KERNEL_MAX_POOL, tern_simd_max_pool},
    {TERN_KERNEL_MAX_POOL_GRAD, tern_simd_max_pool_grad},
    {TERN_KERNEL_AVG_POOL, tern_simd_avg_pool},
    {TERN_KERNEL_AVG_POOL_GRAD, tern_simd_avg_pool_grad},
    {TERN_KERNEL_SOFTMAX, tern_simd_softmax},
    {TERN_KERNEL_LOG_SOFTMAX, tern_simd_softmax},
    {TERN_KERNEL_SOFTMAX_GRAD, tern_simd_softmax_grad},
    {TERN_KERNEL_LOG_SOFTMAX_GRAD, tern_simd_softmax_grad},
    {TERN_KERNEL_NORM, tern_simd_norm},
    {TERN_KERNEL_NORM_GRAD, tern_simd_norm_grad},
    {TERN_KERNEL_REDUCE, tern_simd_reduce},
    {TERN_KERNEL_REDUCE_LIST, tern_simd_reduce},
    {TERN_KERNEL_CROSS_ENTROPY, tern_simd_cross_entropy},
    {TERN_KERNEL_CROSS_ENTROPY_GRAD, tern_simd_cross_entropy_grad},
    {TERN_KERNEL_EMBEDDING_GRAD, tern_simd_embedding_grad},
    {TERN_KERNEL_ATTENTION, tern_simd_attend},
    {TERN_KERNEL_RECURRENT, tern_simd_recurrent},
    {TERN_KERNEL_RECURRENT_GRAD, tern_simd_recurrent_grad},
    {TERN_KERNEL_ATTENTION_GRAD, tern_simd_attend_grad},
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "cpu_simd has one device");
    return tern_kit_device_info(out_info, "vector CPU kernels (" TERN_SIMD_VARIANT ")", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "cpu_simd has one device");
    simd_device *device = host->alloc(sizeof *device);
    if (!device) {
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cpu_simd: out of host memory");
    }
    tern_kit_device_init(&device->kit, &vtable, host, &tern_kit_host_memory);
    for (size_t i = 0; i < sizeof own_kernels / sizeof own_kernels[0]; i++)
        tern_kit_replace(&device->kit, own_kernels[i].kernel, own_kernels[i].run);
    tern_simd_weights_init(&device->weights, host, (size_t)(tern_kit_host_bytes() / 8));
    device->kit.kept = &device->weights;
    tern_simd_gemm_init();
    *out_device = &device->kit.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "cpu_simd",
    .version = "0.1.0",
    .speed = TERN_SPEED_FAST,
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
