/*
 * dispatch.c: from (device, kernel, dtypes) to a launch.
 *
 * The device is asked once whether it takes a kernel with these dtypes; the answer is kept in the
 * lane, so that a later launch costs a hash and a compare.
 */
#include "core/objects.h"

#include <string.h>

#include "op.h"

#define MAX_OPERANDS                                                                               \
    72 /* INDEX_GET takes an input and up to 16 index tensors; cat goes by copies */

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * 0x100000001b3u;
}

static uint64_t key_of(int32_t kernel, int32_t fn, tern_tensor *const *inputs, int n_inputs,
                       tern_tensor *const *outputs, int n_outputs) {
    uint64_t hash = 0xcbf29ce484222325u;
    hash = mix(hash, (uint64_t)kernel);
    hash = mix(hash, (uint64_t)fn);
    for (int i = 0; i < n_inputs; i++) hash = mix(hash, (uint64_t)BODY(inputs[i])->dtype + 1);
    hash = mix(hash, 0xff);
    for (int i = 0; i < n_outputs; i++) hash = mix(hash, (uint64_t)BODY(outputs[i])->dtype + 1);
    return hash | 1; /* 0 marks an empty slot */
}

static const char *ask(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                       int n_inputs, tern_tensor *const *outputs, int n_outputs,
                       size_t attrs_size) {
    int32_t in[MAX_OPERANDS], out[MAX_OPERANDS];
    for (int i = 0; i < n_inputs; i++) in[i] = (int32_t)BODY(inputs[i])->dtype;
    for (int i = 0; i < n_outputs; i++) out[i] = (int32_t)BODY(outputs[i])->dtype;
    tern_kernel_query query = {(uint32_t)sizeof query, kernel, fn, n_inputs, n_outputs,
                               (uint32_t)attrs_size,   in,     out};
    const char *reason = NULL;
    if (lane->device->vtable.supports(lane->device->object, &query, &reason)) return NULL;
    return reason ? reason : "the device gave no reason";
}

bool tern_has_kernel(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                     int n_inputs, tern_tensor *const *outputs, int n_outputs, size_t attrs_size,
                     const char **out_reason) {
    uint64_t key = key_of(kernel, fn, inputs, n_inputs, outputs, n_outputs);
    tern_resolved *slot = &lane->resolved[key % TERN_RESOLVED_SLOTS];
    if (slot->key != key) {
        slot->reason = ask(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs_size);
        slot->key = key;
    }
    if (out_reason) *out_reason = slot->reason;
    return slot->reason == NULL;
}

static tern_operand operand_of(const tern_tensor *tensor) {
    tern_operand operand;
    operand.buffer = BODY(tensor)->storage->buffer;
    operand.at.byte_offset = (uint64_t)BODY(tensor)->offset * tern_dtype_size(BODY(tensor)->dtype);
    operand.dtype = (int32_t)BODY(tensor)->dtype;
    operand.rank = BODY(tensor)->rank;
    operand.shape = BODY(tensor)->shape;
    operand.strides = BODY(tensor)->strides;
    return operand;
}

static tern_status launch_here(tern_lane *lane, int32_t kernel, tern_tensor *const *inputs,
                               int n_inputs, tern_tensor *const *outputs, int n_outputs,
                               const void *attrs, size_t attrs_size) {
    tern_operand in[MAX_OPERANDS], out[MAX_OPERANDS];
    for (int i = 0; i < n_inputs; i++) in[i] = operand_of(inputs[i]);
    for (int i = 0; i < n_outputs; i++) out[i] = operand_of(outputs[i]);
    tern_backend_error err = {{0}};
    lane->ctx->stats.launches++;
    int32_t status =
        lane->device->vtable.launch(lane->device->object, lane->queue, kernel, in, n_inputs, out,
                                    n_outputs, attrs, (uint32_t)attrs_size, &err);
    if (status == TERN_BACKEND_OK) return TERN_OK;
    if (status == TERN_BACKEND_DECLINED) return TERN_ERR_UNSUPPORTED;
    return tern_lane_fail(lane, "a kernel", status, &err);
}

/* TERN_FALLBACK: the kernel runs on a CPU device over copies, and the results come back. */
static tern_status launch_on_cpu(tern_lane *lane, int32_t kernel, int32_t fn,
                                 tern_tensor *const *inputs, int n_inputs,
                                 tern_tensor *const *outputs, int n_outputs, const void *attrs,
                                 size_t attrs_size, const char *reason) {
    tern_ctx *ctx = lane->ctx;
    tern_lane *cpu = tern_lane_cpu(ctx);
    if (!cpu || cpu == lane) return ctx->status;
    tern_tensor *in[MAX_OPERANDS], *out[MAX_OPERANDS];
    tern_scope scope = tern_scope_inner(ctx);
    for (int i = 0; i < n_inputs; i++) {
        in[i] = tern_tensor_new(cpu, BODY(inputs[i])->dtype, BODY(inputs[i])->rank,
                                BODY(inputs[i])->shape);
        tern_copy_raw(in[i], inputs[i]);
    }
    for (int i = 0; i < n_outputs; i++) {
        out[i] = tern_tensor_new(cpu, BODY(outputs[i])->dtype, BODY(outputs[i])->rank,
                                 BODY(outputs[i])->shape);
        /* SCATTER and its like update their output. */
        tern_copy_raw(out[i], outputs[i]);
    }
    if (ctx->status == TERN_OK)
        tern_launch(cpu, kernel, fn, in, n_inputs, out, n_outputs, attrs, attrs_size);
    for (int i = 0; i < n_outputs && ctx->status == TERN_OK; i++) tern_copy_raw(outputs[i], out[i]);
    tern_scope_end(scope);
    ctx->stats.fallbacks++;
    if (ctx->warn_fallback)
        tern_notice(TERN_LOG_WARNING, "%s has no kernel %d.%d (%s): it ran on %s",
                    lane->device->name, kernel, fn, reason, cpu->device->name);
    return ctx->status;
}

tern_status tern_launch(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                        int n_inputs, tern_tensor *const *outputs, int n_outputs, const void *attrs,
                        size_t attrs_size) {
    tern_ctx *ctx = lane->ctx;
    if (ctx->status != TERN_OK) return ctx->status;
    bool empty = true;
    for (int i = 0; i < n_outputs; i++) empty = empty && BODY(outputs[i])->numel == 0;
    if (empty) return TERN_OK;
    const char *reason;
    if (tern_has_kernel(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs_size,
                        &reason))
        return launch_here(lane, kernel, inputs, n_inputs, outputs, n_outputs, attrs, attrs_size);
    if (ctx->allow_fallback && !lane->device->is_cpu)
        return launch_on_cpu(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs,
                             attrs_size, reason);
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                     "device %s cannot run kernel %s of %s: %s; TERN_FALLBACK=allow runs it on the "
                     "CPU",
                     lane->device->name, tern_kernel_name(kernel),
                     tern_dtype_name(n_inputs ? BODY(inputs[0])->dtype : BODY(outputs[0])->dtype),
                     reason);
}

const char *tern_kernel_name(int32_t kernel) {
    static const char *const primitives[] = {"?",
                                             "fill",
                                             "copy",
                                             "unary map",
                                             "binary map",
                                             "ternary map",
                                             "reduce",
                                             "scan",
                                             "sort",
                                             "matmul",
                                             "gather",
                                             "scatter",
                                             "index select",
                                             "index add",
                                             "index get",
                                             "index put",
                                             "nonzero count",
                                             "nonzero",
                                             "convolution",
                                             "convolution gradient by input",
                                             "convolution gradient by weight",
                                             "max pooling",
                                             "max pooling gradient",
                                             "average pooling",
                                             "average pooling gradient",
                                             "resize",
                                             "resize gradient"};
    if (kernel > 0 && kernel < (int32_t)(sizeof primitives / sizeof *primitives))
        return primitives[kernel];
    return "fused form";
}
