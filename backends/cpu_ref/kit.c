#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels.h"
#include "kit_memory.h"
#include "numerics/dtype_convert.h"
#include "walk.h"

/* The size of every attribute struct is at most this. */
#define ATTRS_SIZE 256

/* A program is as long as it says, and a kernel of the backend's own knows what it takes. */
#define ANY_ATTRS (-1)

/* A family that the kit has: its form is kit_forms.c's. */
typedef struct family {
    tern_kit_kernel run;
    tern_kit_has has; /* its members; NULL: all of the form's */
} family;

/* The member of MAP is the program's length. */
static bool short_enough(int32_t fn, int32_t dtype) {
    (void)dtype;
    return fn <= TERN_KIT_MAP_STEPS;
}

static const family families[] = {
    [TERN_KERNEL_FILL] = {tern_ref_fill, NULL},
    [TERN_KERNEL_COPY] = {tern_ref_copy, NULL},
    [TERN_KERNEL_UNARY] = {tern_ref_unary, tern_ref_unary_has},
    [TERN_KERNEL_BINARY] = {tern_ref_binary, tern_ref_binary_has},
    [TERN_KERNEL_TERNARY] = {tern_ref_ternary, tern_ref_ternary_has},
    [TERN_KERNEL_REDUCE] = {tern_ref_reduce, NULL},
    [TERN_KERNEL_SCAN] = {tern_ref_scan, NULL},
    [TERN_KERNEL_SORT] = {tern_ref_sort, NULL},
    [TERN_KERNEL_MATMUL] = {tern_ref_matmul, NULL},
    [TERN_KERNEL_GATHER] = {tern_ref_gather, NULL},
    [TERN_KERNEL_SCATTER] = {tern_ref_scatter, NULL},
    [TERN_KERNEL_INDEX_SELECT] = {tern_ref_index_select, NULL},
    [TERN_KERNEL_INDEX_ADD] = {tern_ref_index_add, NULL},
    [TERN_KERNEL_INDEX_GET] = {tern_ref_index_get, NULL},
    [TERN_KERNEL_INDEX_PUT] = {tern_ref_index_put, NULL},
    [TERN_KERNEL_NONZERO_COUNT] = {tern_ref_nonzero_count, NULL},
    [TERN_KERNEL_NONZERO] = {tern_ref_nonzero, NULL},
    [TERN_KERNEL_CONV] = {tern_ref_conv, NULL},
    [TERN_KERNEL_CONV_GRAD_INPUT] = {tern_ref_conv_grad_input, NULL},
    [TERN_KERNEL_CONV_GRAD_WEIGHT] = {tern_ref_conv_grad_weight, NULL},
    [TERN_KERNEL_MAX_POOL] = {tern_ref_max_pool, NULL},
    [TERN_KERNEL_MAX_POOL_GRAD] = {tern_ref_max_pool_grad, NULL},
    [TERN_KERNEL_AVG_POOL] = {tern_ref_avg_pool, NULL},
    [TERN_KERNEL_AVG_POOL_GRAD] = {tern_ref_avg_pool_grad, NULL},
    [TERN_KERNEL_RESIZE] = {tern_ref_resize, NULL},
    [TERN_KERNEL_RESIZE_GRAD] = {tern_ref_resize_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_MAP)] = {tern_ref_map, short_enough},
    [TERN_KIT_FUSED(TERN_KERNEL_REDUCE_LIST)] = {tern_ref_reduce, NULL},
#ifndef TERN_KIT_COMPOSES /* a small build does without */
    [TERN_KIT_FUSED(TERN_KERNEL_MATMUL_MAP)] = {tern_ref_matmul_map, short_enough},
    [TERN_KIT_FUSED(TERN_KERNEL_CONV_MAP)] = {tern_ref_conv_map, short_enough},
    [TERN_KIT_FUSED(TERN_KERNEL_SOFTMAX)] = {tern_ref_softmax, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_LOG_SOFTMAX)] = {tern_ref_softmax, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_SOFTMAX_GRAD)] = {tern_ref_softmax_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_LOG_SOFTMAX_GRAD)] = {tern_ref_softmax_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_CROSS_ENTROPY)] = {tern_ref_cross_entropy, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_CROSS_ENTROPY_GRAD)] = {tern_ref_cross_entropy_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_NORM)] = {tern_ref_norm, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_NORM_GRAD)] = {tern_ref_norm_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_EMBEDDING_GRAD)] = {tern_ref_embedding_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_ATTENTION)] = {tern_ref_attention, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_ATTENTION_GRAD)] = {tern_ref_attention_grad, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_RECURRENT)] = {tern_ref_recurrent, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_RECURRENT_GRAD)] = {tern_ref_recurrent_grad, NULL},
#endif
};

/* NULL where the kit has no such kernel. */
static const family *find_family(int32_t kernel) {
    int32_t at = tern_kit_form_index(kernel, (int32_t)(sizeof families / sizeof *families));
    return at >= 0 && families[at].run ? &families[at] : NULL;
}

static void bad_index(const tern_kit_call *call, const char *what, int64_t index, int64_t dim,
                      int64_t size) {
    if (call->flag->status != TERN_BACKEND_OK) return;
    call->flag->status = TERN_BACKEND_BAD_INDEX;
    snprintf(call->flag->message, sizeof call->flag->message,
             "%sindex %" PRId64 " is out of bounds for dimension %" PRId64 " with size %" PRId64,
             what, index, dim, size);
}

void tern_kit_bad_index(const tern_kit_call *call, int64_t index, int64_t dim, int64_t size) {
    bad_index(call, "", index, dim, size);
}

void tern_kit_bad_slice(const tern_kit_call *call, int64_t index, int64_t dim, int64_t size) {
    bad_index(call, "index out of range in self: ", index, dim, size);
}

void tern_kit_bad_target(const tern_kit_call *call, int64_t target) {
    if (call->flag->status != TERN_BACKEND_OK) return;
    call->flag->status = TERN_BACKEND_BAD_INDEX;
    snprintf(call->flag->message, sizeof call->flag->message,
             "Target %" PRId64 " is out of bounds.", target);
}

void tern_kit_zero_division(const tern_kit_call *call) {
    if (call->flag->status != TERN_BACKEND_OK) return;
    call->flag->status = TERN_BACKEND_BAD_INDEX;
    snprintf(call->flag->message, sizeof call->flag->message, "ZeroDivisionError");
}

int32_t tern_kit_take_flag(tern_kit_flag *flag, tern_backend_error *err) {
    int32_t status = flag->status;
    if (status != TERN_BACKEND_OK) tern_kit_fail(err, status, "%s", flag->message);
    flag->status = TERN_BACKEND_OK;
    return status;
}

void tern_kit_device_init(tern_kit_device *device, const tern_bdevice_vtable *vtable,
                          const tern_host *host, const tern_kit_memory *memory) {
    device->base.vtable = vtable;
    device->host = host;
    device->memory = memory;
    for (int32_t id = 0; id < TERN_KIT_KERNELS; id++) {
        const family *own = find_family(id);
        device->kernels[id] = own ? own->run : NULL;
        const tern_kit_form *form = own ? tern_kit_form_of(id) : NULL;
        device->attrs_sizes[id] =
            form && !form->has_program ? (int32_t)form->attrs_size : ANY_ATTRS;
    }
    tern_kit_scratch_init(&device->scratch, host);
    device->kept = NULL;
}

void tern_kit_device_fini(tern_kit_device *device) {
    tern_kit_scratch_fini(&device->scratch);
}

void tern_kit_replace(tern_kit_device *device, int32_t kernel, tern_kit_kernel replacement) {
    device->kernels[kernel] = replacement;
}

bool tern_kit_supports(tern_bdevice *device, const tern_kernel_query *query,
                       const char **out_reason) {
    const tern_kit_device *self = (const tern_kit_device *)device;
    const family *own = find_family(query->kernel);
    bool known = query->kernel >= 0 && query->kernel < TERN_KIT_KERNELS;
    *out_reason = NULL;
    if (!known || !self->kernels[query->kernel])
        *out_reason = "this backend has no such kernel";
    else if (own) /* else a kernel of the backend's own: its launch may decline */
        *out_reason = tern_kit_form_refuses(tern_kit_form_of(query->kernel), query, own->has);
    return *out_reason == NULL;
}

/*
 * Attributes as the kernel declares them: a shorter struct is extended by zeros into `room`, a longer
 * one is taken where its tail is zero, else NULL.
 */
static const void *adapt_attrs(uint32_t declared, const void *attrs, uint32_t size, void *room) {
    const unsigned char *bytes = attrs;
    for (uint32_t i = declared; i < size; i++)
        if (bytes[i]) return NULL;
    if (size >= declared && size > 0) return attrs;
    memset(room, 0, ATTRS_SIZE);
    if (size) memcpy(room, attrs, size);
    return room;
}

/* The value of an operand that has no buffer, as an element in memory. */
typedef union cell {
    double align;
    char bytes[8];
} cell;

/* An immediate as a tensor of `like`'s shape that reads one cell everywhere; of rank 0 where that is
 * NULL. */
static tern_kit_tensor of_immediate(const tern_operand *operand, const tern_operand *like,
                                    cell *out_cell) {
    static const int64_t standing[TERN_BACKEND_MAX_RANK];
    if (tern_kit_is_floating(operand->dtype))
        tern_kit_store_f64(operand->dtype, out_cell->bytes, 1, 1, &operand->at.f);
    else
        tern_num_store_i64(operand->dtype, out_cell->bytes, 0, operand->at.i);
    return tern_kit_tensor_over(out_cell->bytes, operand->dtype, like ? like->rank : 0,
                                like ? like->shape : standing, standing);
}

/* One launch, as the functions here hand it on. */
typedef struct launch {
    tern_kit_device *device;
    int32_t kernel, n_inputs, n_outputs;
    uint32_t attrs_size;
    const tern_operand *inputs, *outputs;
    const void *attrs;
    tern_kit_flag *flag;
    tern_backend_error *err;
} launch;

/* Operand `i`, counted over the inputs and then the outputs. */
static inline const tern_operand *operand_of(const launch *l, int32_t i) {
    return i < l->n_inputs ? &l->inputs[i] : &l->outputs[i - l->n_inputs];
}

/* Leaves the buffers of the first `count` operands again. */
static void leave(const launch *l, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const tern_operand *operand = operand_of(l, i);
        if (operand->buffer) l->device->memory->leave(&l->device->base, operand->buffer);
    }
}

/* The address of a buffer's first byte; NULL, with a message, where it cannot be reached. */
static inline char *address(const launch *l, tern_bbuffer *buffer) {
    tern_kit_device *device = l->device;
    if (device->memory == &tern_kit_host_memory) return tern_kit_host_address(buffer);
    return device->memory->reach(&device->base, buffer, l->err);
}

/* Reaches the buffers of all operands; false, and none is reached, where that fails. */
static inline bool reach(const launch *l, cell *cells, tern_kit_tensor *tensors) {
    /* what immediates stand for: the output's shape, or single numbers */
    const tern_operand *like = l->kernel == TERN_KERNEL_CROSS_ENTROPY_GRAD ? NULL : l->outputs;
    int32_t count = l->n_inputs + l->n_outputs;
    for (int32_t i = 0; i < count; i++) {
        const tern_operand *operand = operand_of(l, i);
        if (!operand->buffer) {
            tensors[i] = of_immediate(operand, like, &cells[i]);
            continue;
        }
        char *base = address(l, operand->buffer);
        if (!base) {
            if (l->device->memory->leave) leave(l, i);
            return false;
        }
        tensors[i].data = base + operand->at.byte_offset;
        tensors[i].dtype = operand->dtype;
        tensors[i].rank = operand->rank;
        tensors[i].shape = operand->shape;
        tensors[i].strides = operand->strides;
        tensors[i].flags = operand->flags;
        tensors[i].stamp = operand->stamp;
    }
    return true;
}

/* What is wrong with a launch, before anything is done. */
static int32_t refuse(const launch *l) {
    if (l->kernel < 0 || l->kernel >= TERN_KIT_KERNELS || !l->device->kernels[l->kernel])
        return tern_kit_fail(l->err, TERN_BACKEND_UNSUPPORTED, "no kernel %" PRId32, l->kernel);
    return tern_kit_fail(l->err, TERN_BACKEND_INVALID,
                         "kernel %" PRId32 ": too many operands, or no output", l->kernel);
}

static inline bool is_sound(const launch *l) {
    return l->kernel >= 0 && l->kernel < TERN_KIT_KERNELS && l->device->kernels[l->kernel] &&
           l->n_inputs >= 0 && l->n_outputs >= 1 && l->n_inputs + l->n_outputs <= TERN_KIT_OPERANDS;
}

static int32_t refuse_attrs(const launch *l) {
    return tern_kit_fail(l->err, TERN_BACKEND_UNSUPPORTED,
                         "kernel %" PRId32 ": attributes that this backend does not know",
                         l->kernel);
}

/* The kernel over the launch's operands. */
static int32_t compute(const launch *l, const void *attrs) {
    tern_kit_device *device = l->device;
    tern_kit_tensor tensors[TERN_KIT_OPERANDS];
    cell cells[TERN_KIT_OPERANDS];
    if (!reach(l, cells, tensors)) return TERN_BACKEND_FAILED;
    tern_kit_call call = {
        l->kernel, l->n_inputs,  l->n_outputs,     0,       tensors,     tensors + l->n_inputs,
        attrs,     device->host, &device->scratch, l->flag, device->kept};
    int32_t status = device->kernels[l->kernel](&call);
    if (device->memory->leave) leave(l, l->n_inputs + l->n_outputs);
    if (status == TERN_BACKEND_OUT_OF_MEMORY)
        tern_kit_fail(l->err, status, "kernel %" PRId32 ": no host memory for its scratch",
                      l->kernel);
    return status;
}

/* With attributes of another size than the kernel's own. */
static int32_t run_adapted(const launch *l, uint32_t declared) {
    max_align_t room[ATTRS_SIZE / sizeof(max_align_t)];
    const void *attrs = adapt_attrs(declared, l->attrs, l->attrs_size, room);
    return attrs ? compute(l, attrs) : refuse_attrs(l);
}

static int32_t run_once(const launch *l) {
    if (!is_sound(l)) return refuse(l);
    int32_t declared = l->device->attrs_sizes[l->kernel];
    if (declared == ANY_ATTRS || ((uint32_t)declared == l->attrs_size && declared > 0))
        return compute(l, l->attrs);
    return run_adapted(l, (uint32_t)declared);
}

/* The tuples of a program, one after the other. */
static int32_t run_tuples(const launch *l) {
    const tern_map_attrs *program = l->attrs;
    if (!program) return refuse_attrs(l);
    int32_t in = program->n_inputs, out = program->n_outputs;
    int32_t tuples = out ? l->n_outputs / out : 0, status = TERN_BACKEND_OK;
    if (tuples < 1 || l->n_inputs != tuples * in || l->n_outputs != tuples * out)
        return tern_kit_fail(l->err, TERN_BACKEND_INVALID, "map: the operands do not form tuples");
    if (program->flags & TERN_MAP_SKIPS && l->flag->status != TERN_BACKEND_OK)
        return TERN_BACKEND_OK;
    launch one = *l;
    one.n_inputs = in;
    one.n_outputs = out;
    for (int32_t t = 0; t < tuples && status == TERN_BACKEND_OK; t++) {
        status = run_once(&one);
        one.inputs += in;
        one.outputs += out;
    }
    return status;
}

/* The inputs of a list, each by a reduction of its own over all dimensions. */
static int32_t run_list(const launch *l) {
    const tern_operand *output = l->outputs;
    int64_t ones[TERN_BACKEND_MAX_RANK];
    int32_t status = TERN_BACKEND_OK;
    for (int32_t d = 0; d < TERN_BACKEND_MAX_RANK; d++) ones[d] = 1;
    if (output->rank != 1 || output->shape[0] != l->n_inputs)
        return tern_kit_fail(l->err, TERN_BACKEND_INVALID,
                             "reduce list: needs one output element per input");
    for (int32_t i = 0; i < l->n_inputs && status == TERN_BACKEND_OK; i++) {
        tern_operand to = *output;
        tern_reduce_attrs all = *(const tern_reduce_attrs *)l->attrs;
        to.rank = l->inputs[i].rank;
        to.shape = to.strides = ones;
        to.at.byte_offset += (uint64_t)(i * output->strides[0] * tern_kit_size(output->dtype));
        all.dims = (UINT32_C(1) << l->inputs[i].rank) - 1;
        launch one = *l;
        one.n_inputs = one.n_outputs = 1;
        one.inputs = &l->inputs[i];
        one.outputs = &to;
        one.attrs = &all;
        one.attrs_size = sizeof all;
        status = run_once(&one);
    }
    return status;
}

static inline int32_t run(const launch *l) {
    if (l->kernel == TERN_KERNEL_MAP) return run_tuples(l);
    if (l->kernel == TERN_KERNEL_REDUCE_LIST) return run_list(l);
    return run_once(l);
}

int32_t tern_kit_run(tern_kit_device *device, int32_t kernel, const tern_operand *inputs,
                     int32_t n_inputs, const tern_operand *outputs, int32_t n_outputs,
                     const void *attrs, uint32_t attrs_size, tern_kit_flag *flag,
                     tern_backend_error *err) {
    launch l = {device, kernel, n_inputs, n_outputs, attrs_size, inputs, outputs, attrs, flag, err};
    return run(&l);
}

int32_t tern_kit_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                        const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                        int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                        tern_backend_error *err) {
    (void)queue;
    tern_kit_flag flag; /* its message counts where the status is not OK */
    flag.status = TERN_BACKEND_OK;
    launch l = {(tern_kit_device *)device,
                kernel,
                n_inputs,
                n_outputs,
                attrs_size,
                inputs,
                outputs,
                attrs,
                &flag,
                err};
    int32_t status = run(&l);
    if (status != TERN_BACKEND_OK || flag.status == TERN_BACKEND_OK) return status;
    return tern_kit_take_flag(&flag, err);
}

int32_t tern_kit_one_device(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = 1;
    return TERN_BACKEND_OK;
}

int32_t tern_kit_device_info(tern_device_info *out_info, const char *name, const char *identity) {
    tern_device_info full = {.type = TERN_DEVICE_CPU};
    snprintf(full.name, sizeof full.name, "%s", name);
    snprintf(full.identity, sizeof full.identity, "%s", identity);
    full.memory_bytes = tern_kit_host_bytes();
    tern_kit_device_info_give(&full, out_info);
    return TERN_BACKEND_OK;
}
