/*
 * launch.c: from (device, kernel, dtypes) to a launch.
 *
 * The device is asked once whether it takes a kernel with these dtypes; the answer is kept in the
 * lane, and compared whole when it is used again.
 */
#include "launch.h"

#include <string.h>

#include "core/context/lane.h"
#include "core/context/scope.h"
#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "core/tensor/tensor.h"
#include "fused.h"
#include "operand.h"
#include "plan.h"
#include "raw.h"
#include "recorder.h"

/* ---- what a device takes --------------------------------------------------------------------- */

static inline tern_resolved key_for(int32_t kernel, int32_t fn, int n_inputs, int n_outputs) {
    uint64_t what = (uint64_t)(uint32_t)kernel << 32 | (uint64_t)(uint16_t)fn << 16 |
                    (uint64_t)n_inputs << 8 | (uint64_t)n_outputs;
    return (tern_resolved){what, {0, 0}, NULL};
}

/* Notes the dtype of an operand, counted over the inputs and then the outputs. */
static inline void add_dtype(tern_resolved *key, int operand, int32_t dtype) {
    key->dtypes[operand >> 4] |= (uint64_t)dtype << (operand & 15) * 4;
}

/* Its kernel is 0 for complex operands, which no device is asked for. */
static inline tern_resolved key_of(int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                                   int n_inputs, tern_tensor *const *outputs, int n_outputs) {
    tern_resolved key = key_for(kernel, fn, n_inputs, n_outputs);
    uint64_t few = 0; /* as add_dtype has it */
    tern_dtype all = TERN_FLOAT32;
    int n = n_inputs + n_outputs;
    for (int i = 0; i < n && i < 16; i++) {
        const tern_tensor *operand = i < n_inputs ? inputs[i] : outputs[i - n_inputs];
        few |= (uint64_t)BODY(operand)->dtype << i * 4;
        all |= BODY(operand)->dtype;
    }
    key.dtypes[0] = few;
    for (int i = 16; i < n; i++)
        add_dtype(&key, i, (int32_t)BODY(i < n_inputs ? inputs[i] : outputs[i - n_inputs])->dtype);
    if (tern_is_complex(all)) key.kernel = 0;
    return key;
}

static inline size_t slot_of(const tern_resolved *key) {
    uint64_t hash = key->kernel ^ key->dtypes[0] * 31 ^ key->dtypes[1] * 961;
    return (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}
_Static_assert(TERN_RESOLVED_SLOTS == 256, "the upper 8 bits of a hash choose a slot");

static const char *ask(tern_lane *lane, const tern_resolved *key, size_t attrs_size) {
    int32_t dtypes[TERN_MAX_OPERANDS], n_inputs = (int32_t)(key->kernel >> 8 & 0xff);
    for (int i = 0; i < TERN_MAX_OPERANDS; i++)
        dtypes[i] = (int32_t)(key->dtypes[i >> 4] >> (i & 15) * 4 & 15);
    tern_kernel_query query = {(uint32_t)sizeof query,
                               (int32_t)(key->kernel >> 32),
                               (int16_t)(key->kernel >> 16 & 0xffff),
                               n_inputs,
                               (int32_t)(key->kernel & 0xff),
                               (uint32_t)attrs_size,
                               dtypes,
                               dtypes + n_inputs};
    const char *reason = NULL;
    if (lane->device->vtable.supports(lane->device->object, &query, &reason)) return NULL;
    return reason ? reason : "the device gave no reason";
}

/* Why the device has no such kernel, NULL where it has: the kept answer, asked for where there is none. */
static inline const char *resolve(tern_lane *lane, tern_resolved *key, size_t attrs_size) {
    tern_resolved *slot = &lane->resolved[slot_of(key)];
    if (slot->kernel != key->kernel || slot->dtypes[0] != key->dtypes[0] ||
        slot->dtypes[1] != key->dtypes[1]) {
        key->reason = ask(lane, key, attrs_size);
        *slot = *key;
    }
    return slot->reason;
}

static inline const char *lacks(tern_lane *lane, int32_t kernel, int32_t fn,
                                tern_tensor *const *inputs, int n_inputs,
                                tern_tensor *const *outputs, int n_outputs, size_t attrs_size) {
    tern_resolved key = key_of(kernel, fn, inputs, n_inputs, outputs, n_outputs);
    if (key.kernel == 0) return "kernels compute with real numbers";
    return resolve(lane, &key, attrs_size);
}

bool tern_has_kernel(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                     int n_inputs, tern_tensor *const *outputs, int n_outputs, size_t attrs_size,
                     const char **out_reason) {
    const char *reason = lacks(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs_size);
    if (out_reason) *out_reason = reason;
    return reason == NULL;
}

bool tern_has_map(tern_lane *lane, int32_t kernel, int32_t fn, int n_inputs, tern_dtype dtype,
                  tern_dtype result) {
    tern_resolved key = key_for(kernel, fn, n_inputs, 1);
    for (int i = 0; i < n_inputs; i++) add_dtype(&key, i, (int32_t)dtype);
    add_dtype(&key, n_inputs, (int32_t)result);
    size_t size =
        kernel == TERN_KERNEL_UNARY ? sizeof(tern_unary_attrs) : sizeof(tern_binary_attrs);
    return resolve(lane, &key, size) == NULL;
}

bool tern_has_program(tern_lane *lane, int n_steps, const uint8_t *dtypes, int n_inputs,
                      int n_outputs, size_t attrs_size) {
    if (n_inputs + n_outputs > TERN_MAX_OPERANDS) return false;
    tern_resolved key = key_for(TERN_KERNEL_MAP, n_steps, n_inputs, n_outputs);
    for (int i = 0; i < n_inputs + n_outputs; i++) add_dtype(&key, i, dtypes[i]);
    return resolve(lane, &key, attrs_size) == NULL;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Whether a uniform storage's number may stand for it: not in a body that is captured where another run may
 * find another number there. */
static bool is_fixed(const tern_storage *storage) {
    const tern_recorder *recorder = storage->lane->ctx->recorder;
    return !recorder || tern_is_made_inside(storage, recorder);
}

/* Maps take a number for any input; cross entropy's gradient takes it for that of a single loss, which is 1
 * in every training step. */
static bool takes_immediate(int32_t kernel, int input, const tern_tensor_body *body) {
    return kernel == TERN_KERNEL_BINARY || kernel == TERN_KERNEL_TERNARY ||
           kernel == TERN_KERNEL_MAP ||
           (kernel == TERN_KERNEL_CROSS_ENTROPY_GRAD && input == 0 && body->rank == 0);
}

/* Kernels that read what they write to. */
static bool updates_output(int32_t kernel) {
    return kernel == TERN_KERNEL_SCATTER || kernel == TERN_KERNEL_INDEX_ADD ||
           kernel == TERN_KERNEL_INDEX_PUT;
}

/* False after latching. */
static bool inputs_ready(int32_t kernel, tern_tensor *const *inputs, int n_inputs,
                         tern_tensor *const *outputs, int n_outputs, tern_operand *operands) {
    for (int i = 0; i < n_inputs; i++) {
        const tern_tensor_body *body = BODY(inputs[i]);
        bool immediate = takes_immediate(kernel, i, body) && is_fixed(body->storage);
        if (!tern_input_operand(body, immediate, &operands[i])) return false;
        for (int k = 0; k < n_outputs && operands[i].buffer; k++)
            if (tern_same_elements(body, BODY(outputs[k])))
                operands[i].flags |= TERN_OPERAND_ALIASES_OUTPUT;
    }
    return true;
}

static void tell(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                 int n_inputs, tern_tensor *const *outputs, int n_outputs,
                 const tern_operand *operands, const void *attrs, size_t attrs_size) {
    const tern_tensor_body *bodies[TERN_MAX_OPERANDS];
    for (int i = 0; i < n_inputs; i++) bodies[i] = BODY(inputs[i]);
    for (int i = 0; i < n_outputs; i++) bodies[n_inputs + i] = BODY(outputs[i]);
    tern_launched launch = {.lane = lane,
                            .kernel = kernel,
                            .fn = fn,
                            .n_inputs = n_inputs,
                            .n_outputs = n_outputs,
                            .n_tuples = 1,
                            .in = operands,
                            .out = operands + n_inputs,
                            .bodies = bodies,
                            .attrs = attrs,
                            .attrs_size = (uint32_t)attrs_size};
    lane->ctx->recorder->launched(lane->ctx->recorder, &launch);
}

/* What the device answers; TERN_BACKEND_INVALID after latching. */
static int32_t launch_here(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                           int n_inputs, tern_tensor *const *outputs, int n_outputs,
                           const void *attrs, size_t attrs_size, tern_backend_error *err) {
    tern_operand operands[TERN_MAX_OPERANDS], *out = operands + n_inputs;
    if (!inputs_ready(kernel, inputs, n_inputs, outputs, n_outputs, operands))
        return TERN_BACKEND_INVALID;
    for (int i = 0; i < n_outputs; i++)
        if (!tern_output_operand(BODY(outputs[i]), !updates_output(kernel), &out[i]))
            return TERN_BACKEND_INVALID;
    int32_t status = tern_start(lane, kernel, fn, operands, n_inputs, out, n_outputs, 1, attrs,
                                (uint32_t)attrs_size, err);
    if (lane->ctx->recorder && status == TERN_BACKEND_OK)
        tell(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, operands, attrs, attrs_size);
    return status;
}

/* TERN_FALLBACK: the kernel runs on a CPU device over copies, and the results come back. */
static tern_status launch_on_cpu(tern_lane *lane, int32_t kernel, int32_t fn,
                                 tern_tensor *const *inputs, int n_inputs,
                                 tern_tensor *const *outputs, int n_outputs, const void *attrs,
                                 size_t attrs_size, const char *reason) {
    tern_ctx *ctx = lane->ctx;
    tern_lane *cpu = tern_lane_cpu(ctx);
    if (!cpu || cpu == lane) return ctx->status;
    tern_tensor *in[TERN_MAX_OPERANDS], *out[TERN_MAX_OPERANDS];
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
    char text[TERN_KERNEL_TEXT];
    if (ctx->warn_fallback)
        tern_notice(TERN_LOG_WARNING, "%s has no kernel for %s: %s; it ran on %s",
                    lane->device->name,
                    tern_kernel_text(kernel, fn, inputs, n_inputs, outputs, n_outputs, text),
                    reason, cpu->device->name);
    return ctx->status;
}

static bool is_empty(tern_tensor *const *outputs, int n_outputs) {
    for (int i = 0; i < n_outputs; i++)
        if (BODY(outputs[i])->numel > 0) return false;
    return true;
}

static tern_status refuse_operands(tern_lane *lane, int32_t kernel, int count) {
    return tern_fail(lane->ctx, TERN_ERR_UNSUPPORTED, "%s: %d operands, a kernel takes at most %d",
                     tern_kernel_name(kernel), count, TERN_MAX_OPERANDS);
}

static tern_status refuse_kernel(tern_lane *lane, int32_t kernel, int32_t fn,
                                 tern_tensor *const *inputs, int n_inputs,
                                 tern_tensor *const *outputs, int n_outputs, const char *reason) {
    char text[TERN_KERNEL_TEXT];
    return tern_fail(lane->ctx, TERN_ERR_UNSUPPORTED,
                     "device %s has no kernel for %s: %s; TERN_FALLBACK=allow runs it on the CPU",
                     lane->device->name,
                     tern_kernel_text(kernel, fn, inputs, n_inputs, outputs, n_outputs, text),
                     reason);
}

tern_status tern_launch_failed(tern_lane *lane, int32_t kernel, int32_t status,
                               const tern_backend_error *err) {
    if (lane->ctx->status != TERN_OK) return lane->ctx->status;
    if (status != TERN_BACKEND_DECLINED)
        return tern_lane_fail(lane, tern_kernel_name(kernel), status, err);
    return tern_fail(
        lane->ctx, TERN_ERR_DEVICE,
        "%s: the device declined kernel %s, which is a primitive: its plugin breaks the "
        "contract",
        lane->device->name, tern_kernel_name(kernel));
}

bool tern_try_launch(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                     int n_inputs, tern_tensor *const *outputs, int n_outputs, const void *attrs,
                     size_t attrs_size) {
    if (lane->ctx->status != TERN_OK || tern_is_composed(lane->ctx, kernel) ||
        is_empty(outputs, n_outputs) || n_inputs + n_outputs > TERN_MAX_OPERANDS ||
        lacks(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs_size))
        return false;
    tern_backend_error err;
    int32_t status = launch_here(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs,
                                 attrs_size, &err);
    if (status != TERN_BACKEND_OK && status != TERN_BACKEND_DECLINED)
        tern_launch_failed(lane, kernel, status, &err);
    return status == TERN_BACKEND_OK;
}

tern_status tern_launch(tern_lane *lane, int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                        int n_inputs, tern_tensor *const *outputs, int n_outputs, const void *attrs,
                        size_t attrs_size) {
    tern_ctx *ctx = lane->ctx;
    if (ctx->status != TERN_OK) return ctx->status;
    if (n_inputs + n_outputs > TERN_MAX_OPERANDS)
        return refuse_operands(lane, kernel, n_inputs + n_outputs);
    if (is_empty(outputs, n_outputs)) return TERN_OK;
    const char *reason = lacks(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs_size);
    tern_backend_error err;
    if (!reason) {
        int32_t status = launch_here(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs,
                                     attrs_size, &err);
        if (status == TERN_BACKEND_OK) return TERN_OK;
        if (status != TERN_BACKEND_UNSUPPORTED || ctx->status != TERN_OK)
            return tern_launch_failed(lane, kernel, status, &err);
        reason = err.message[0] ? err.message : "the device gave no reason";
    }
    if (ctx->allow_fallback && !lane->device->is_cpu)
        return launch_on_cpu(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, attrs,
                             attrs_size, reason);
    return refuse_kernel(lane, kernel, fn, inputs, n_inputs, outputs, n_outputs, reason);
}
