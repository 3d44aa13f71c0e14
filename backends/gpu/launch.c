/*
 * launch.c: what the families share on the way to the driver, and the slots of the device's table.
 */
#include <inttypes.h>
#include <string.h>

#include "../cpu_ref/kit_forms.h"
#include "call.h"

/* ---- numbers and operands -------------------------------------------------------------------- */

static int32_t wider(int32_t so_far, int32_t dtype) {
    if (dtype == TERN_BT_FLOAT64 || so_far == GPU_F64) return GPU_F64;
    return tern_kit_is_floating(dtype) ? GPU_F32 : so_far;
}

int32_t gpu_class(const gpu_call *call) {
    int32_t found = GPU_I64;
    for (int32_t i = 0; i < call->n_inputs; i++) found = wider(found, call->inputs[i].dtype);
    for (int32_t i = 0; i < call->n_outputs; i++) found = wider(found, call->outputs[i].dtype);
    return found;
}

int64_t gpu_bits(int32_t number_class, double f, int64_t i) {
    int64_t bits = i;
    float single = (float)f;
    uint32_t low;
    if (number_class == GPU_F64) memcpy(&bits, &f, sizeof bits);
    if (number_class == GPU_F32) {
        memcpy(&low, &single, sizeof low);
        bits = low;
    }
    return bits;
}

int64_t gpu_at(const tern_operand *operand) {
    return (int64_t)operand->at.byte_offset / tern_kit_size(operand->dtype);
}

int64_t gpu_count(const tern_operand *operand) {
    int64_t count = 1;
    for (int32_t d = 0; d < operand->rank; d++) count *= operand->shape[d];
    return count;
}

/* Whether dimension d goes on where the one before it (d outside it) ends, in every operand. */
static bool is_one(const gpu_walk *walk, int32_t outer, const int64_t *strides, int64_t size,
                   int32_t count) {
    for (int32_t k = 0; k < count; k++)
        if (walk->stride[k][outer] != strides[k] * size) return false;
    return true;
}

void gpu_walk_make(gpu_walk *walk, const tern_operand *const *operands, int32_t count,
                   uint32_t skip) {
    walk->rank = 0;
    walk->count = 1;
    for (int32_t d = 0; d < operands[0]->rank; d++) {
        int64_t size = operands[0]->shape[d], strides[GPU_OPERANDS];
        if (skip >> d & 1u || size == 1) continue;
        for (int32_t k = 0; k < count; k++)
            strides[k] = operands[k]->buffer ? operands[k]->strides[d] : 0;
        walk->count *= size;
        bool merged = walk->rank > 0 && is_one(walk, walk->rank - 1, strides, size, count);
        int32_t at = merged ? walk->rank - 1 : walk->rank++;
        walk->shape[at] = merged ? walk->shape[at] * size : size;
        for (int32_t k = 0; k < count; k++) walk->stride[k][at] = strides[k];
    }
}

void gpu_dims_make(gpu_dims *dims, const gpu_walk *walk, int32_t operands) {
    memset(dims, 0, sizeof *dims);
    dims->rank = walk->rank;
    memcpy(dims->shape, walk->shape, sizeof walk->shape[0] * (size_t)walk->rank);
    for (int32_t k = 0; k < operands; k++)
        memcpy(dims->stride[k], walk->stride[k], sizeof walk->stride[k][0] * (size_t)walk->rank);
}

/* ---- starting -------------------------------------------------------------------------------- */

#define LANES 64 /* of a group whose items have nothing to do with each other */

int32_t gpu_start_groups(const gpu_call *call, gpu_program *program, int32_t entry,
                         const gpu_argument *arguments, int32_t count, int64_t x, int64_t y,
                         int64_t z, int32_t lanes) {
    gpu_extent extent = {{x, y, z}, lanes};
    if (x == 0 || y == 0 || z == 0) return TERN_BACKEND_OK;
    return call->device->driver->start(call->device, call->queue, program, entry, arguments, count,
                                       &extent, call->err);
}

int32_t gpu_start(const gpu_call *call, gpu_program *program, int32_t entry,
                  const gpu_argument *arguments, int32_t count, int64_t items) {
    int64_t groups = (items + LANES - 1) / LANES;
    return gpu_start_groups(call, program, entry, arguments, count, groups, 1, 1, LANES);
}

int32_t gpu_start_tiles(const gpu_call *call, gpu_program *program, const gpu_tile *tile,
                        const gpu_argument *arguments, int32_t count, int64_t m, int64_t n,
                        int64_t batch) {
    return gpu_start_groups(call, program, 0, arguments, count, (n + tile->n - 1) / tile->n,
                            (m + tile->m - 1) / tile->m, batch, tile->lanes);
}

int32_t gpu_scratch(const gpu_call *call, uint64_t bytes, tern_bbuffer **out_buffer) {
    tern_bdevice *device = &call->device->base;
    const gpu_driver *driver = call->device->driver;
    if (driver->scratch)
        return driver->scratch(call->device, call->queue, bytes, out_buffer, call->err);
    return device->vtable->buffer_alloc(device, bytes, out_buffer, call->err);
}

void gpu_scratch_end(const gpu_call *call, tern_bbuffer *buffer) {
    tern_bdevice *device = &call->device->base;
    const gpu_driver *driver = call->device->driver;
    if (!buffer) return;
    if (driver->scratch_end)
        driver->scratch_end(call->device, call->queue, buffer);
    else
        device->vtable->buffer_free(device, call->queue, buffer);
}

gpu_argument gpu_flag_argument(const gpu_call *call) {
    return GPU_BUFFER(call->device->driver->flag(call->device, call->queue));
}

size_t gpu_flag_size(void) {
    return sizeof(gpu_flag);
}

int32_t gpu_flag_status(const void *flag, tern_backend_error *err) {
    const gpu_flag *f = flag;
    const char *what = f->kind == GPU_BAD_SLICE ? "index out of range in self: " : "";
    switch (f->kind) {
    case GPU_ZERO_DIVISION: return tern_kit_fail(err, TERN_BACKEND_BAD_INDEX, "ZeroDivisionError");
    case GPU_BAD_TARGET:
        return tern_kit_fail(err, TERN_BACKEND_BAD_INDEX, "Target %" PRId64 " is out of bounds.",
                             f->index);
    default:
        return tern_kit_fail(err, TERN_BACKEND_BAD_INDEX,
                             "%sindex %" PRId64 " is out of bounds for dimension %" PRId64
                             " with size %" PRId64,
                             what, f->index, f->dim, f->size);
    }
}

/* ---- families -------------------------------------------------------------------------------- */

/* A family that GPUs have: its form is cpu_ref/kit_forms.c's. */
typedef struct family {
    int32_t (*run)(const gpu_call *call);
    tern_kit_has has; /* its members; NULL: all of the form's */
} family;

static bool short_enough(int32_t fn, int32_t dtype) {
    (void)dtype;
    return fn <= GPU_STEPS;
}

static const family families[] = {
    [TERN_KERNEL_FILL] = {gpu_fill, NULL},
    [TERN_KERNEL_COPY] = {gpu_copy, NULL},
    [TERN_KERNEL_UNARY] = {gpu_unary, gpu_unary_has},
    [TERN_KERNEL_BINARY] = {gpu_binary, gpu_binary_has},
    [TERN_KERNEL_TERNARY] = {gpu_ternary, gpu_ternary_has},
    [TERN_KERNEL_REDUCE] = {gpu_reduce, NULL},
    [TERN_KERNEL_SCAN] = {gpu_scan, NULL},
    [TERN_KERNEL_SORT] = {gpu_sort, NULL},
    [TERN_KERNEL_MATMUL] = {gpu_matmul, NULL},
    [TERN_KERNEL_GATHER] = {gpu_gather, NULL},
    [TERN_KERNEL_SCATTER] = {gpu_scatter, NULL},
    [TERN_KERNEL_INDEX_SELECT] = {gpu_index_select, NULL},
    [TERN_KERNEL_INDEX_ADD] = {gpu_index_add, NULL},
    [TERN_KERNEL_INDEX_GET] = {gpu_index_get, NULL},
    [TERN_KERNEL_INDEX_PUT] = {gpu_index_put, NULL},
    [TERN_KERNEL_NONZERO_COUNT] = {gpu_nonzero, NULL},
    [TERN_KERNEL_NONZERO] = {gpu_nonzero, NULL},
    [TERN_KERNEL_CONV] = {gpu_conv, NULL},
    [TERN_KERNEL_CONV_GRAD_INPUT] = {gpu_conv, NULL},
    [TERN_KERNEL_CONV_GRAD_WEIGHT] = {gpu_conv, NULL},
    [TERN_KERNEL_MAX_POOL] = {gpu_max_pool, NULL},
    [TERN_KERNEL_MAX_POOL_GRAD] = {gpu_max_pool_grad, NULL},
    [TERN_KERNEL_AVG_POOL] = {gpu_avg_pool, NULL},
    [TERN_KERNEL_AVG_POOL_GRAD] = {gpu_avg_pool_grad, NULL},
    [TERN_KERNEL_RESIZE] = {gpu_resize, NULL},
    [TERN_KERNEL_RESIZE_GRAD] = {gpu_resize, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_MAP)] = {gpu_map, short_enough},
    [TERN_KIT_FUSED(TERN_KERNEL_MATMUL_MAP)] = {gpu_matmul_map, short_enough},
    [TERN_KIT_FUSED(TERN_KERNEL_CONV_MAP)] = {gpu_conv_map, short_enough},
    [TERN_KIT_FUSED(TERN_KERNEL_REDUCE_LIST)] = {gpu_reduce_list, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_SOFTMAX)] = {gpu_softmax, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_LOG_SOFTMAX)] = {gpu_softmax, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_SOFTMAX_GRAD)] = {gpu_softmax_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_LOG_SOFTMAX_GRAD)] = {gpu_softmax_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_CROSS_ENTROPY)] = {gpu_cross_entropy, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_CROSS_ENTROPY_GRAD)] = {gpu_cross_entropy_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_NORM)] = {gpu_norm, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_NORM_GRAD)] = {gpu_norm_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_ATTENTION)] = {gpu_attention, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_ATTENTION_GRAD)] = {gpu_attention_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_RECURRENT)] = {gpu_recurrent, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_RECURRENT_GRAD)] = {gpu_recurrent_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_EMBEDDING_GRAD)] = {gpu_embedding_grad, NULL},
};

/* NULL where there is no such kernel. */
static const family *find_family(int32_t kernel) {
    int32_t at = tern_kit_form_index(kernel, GPU_COUNT_OF(families));
    return at >= 0 && families[at].run ? &families[at] : NULL;
}

static bool uses_f64(const tern_kernel_query *query) {
    for (int32_t i = 0; i < query->n_inputs; i++)
        if (query->input_dtypes[i] == TERN_BT_FLOAT64) return true;
    for (int32_t i = 0; i < query->n_outputs; i++)
        if (query->output_dtypes[i] == TERN_BT_FLOAT64) return true;
    return false;
}

bool gpu_supports(tern_bdevice *device, const tern_kernel_query *query, const char **out_reason) {
    const family *own = find_family(query->kernel);
    *out_reason = NULL;
    if (!own)
        *out_reason = "this backend has no such kernel";
    else if (query->n_inputs + query->n_outputs > GPU_OPERANDS)
        *out_reason = "wrong number of operands for the kernel";
    else if (uses_f64(query) && !((const gpu_device *)device)->has_f64)
        *out_reason = "this device has no float64";
    else
        *out_reason = tern_kit_form_refuses(tern_kit_form_of(query->kernel), query, own->has);
    return *out_reason == NULL;
}

int32_t gpu_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                   const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                   int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                   tern_backend_error *err) {
    const family *own = find_family(kernel);
    if (!own) return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED, "no kernel %" PRId32, kernel);
    if (attrs_size < tern_kit_form_of(kernel)->attrs_size || n_outputs < 1)
        return tern_kit_fail(err, TERN_BACKEND_INVALID,
                             "kernel %" PRId32 ": attributes are missing", kernel);
    gpu_call call = {
        (gpu_device *)device, queue, kernel, n_inputs, n_outputs, inputs, outputs, attrs, err};
    int32_t status = own->run(&call);
    /* a primitive is composed of nothing else */
    bool must_run = status == TERN_BACKEND_DECLINED && kernel < TERN_KERNEL_SOFTMAX;
    return must_run ? TERN_BACKEND_UNSUPPORTED : status;
}
