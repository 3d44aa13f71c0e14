/* tuples.c: launches over any number of tensors. */
#include "tuples.h"

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "fused.h"
#include "launch.h"
#include "operand.h"
#include "plan.h"
#include "recorder.h"

bool tern_tuples_supported(tern_lane *lane, const tern_tuples *t) {
    const tern_map_attrs *program = t->program;
    uint8_t dtypes[TERN_MAX_OPERANDS];
    int n = 0;
    if (tern_is_composed(lane->ctx, TERN_KERNEL_MAP)) return false;
    if (program->n_inputs + program->n_outputs > TERN_MAX_OPERANDS) return false;
    for (int i = 0; i < program->n_inputs; i++, n++)
        dtypes[n] = t->inputs[i] < 0 ? (uint8_t)program->compute
                                     : (uint8_t)BODY(t->tensors[t->inputs[i]])->dtype;
    for (int i = 0; i < program->n_outputs; i++, n++)
        dtypes[n] = (uint8_t)BODY(t->tensors[t->outputs[i]])->dtype;
    return tern_has_program(lane, program->n_steps, dtypes, program->n_inputs, program->n_outputs,
                            t->program_size);
}

static void number_operand(tern_ctx *ctx, const tern_map_attrs *program, double number,
                           tern_operand *out) {
    tern_dtype compute = (tern_dtype)program->compute;
    bool floating = tern_is_float(compute);
    if (compute == TERN_FLOAT32) number = (double)(float)number;
    tern_immediate_operand(compute, number, floating ? 0 : (int64_t)number, tern_new_stamp(ctx),
                           out);
}

/* One tuple's. False after latching. */
static bool fill(tern_ctx *ctx, const tern_tuples *t, int which, tern_operand *in,
                 tern_operand *out) {
    const tern_map_attrs *program = t->program;
    tern_tensor *const *tensors = t->tensors + (size_t)which * (size_t)t->tensor_stride;
    for (int i = 0; i < program->n_inputs; i++) {
        if (t->inputs[i] < 0) {
            number_operand(ctx, program, t->numbers[which][~t->inputs[i]], &in[i]);
            continue;
        }
        const tern_tensor_body *body = BODY(tensors[t->inputs[i]]);
        if (!tern_input_operand(body, false, &in[i])) return false;
        for (int k = 0; k < program->n_outputs; k++)
            if (tern_same_elements(body, BODY(tensors[t->outputs[k]])))
                in[i].flags |= TERN_OPERAND_ALIASES_OUTPUT;
    }
    for (int k = 0; k < program->n_outputs; k++)
        if (!tern_output_operand(BODY(tensors[t->outputs[k]]), false, &out[k])) return false;
    return true;
}

/* `count` times `each` operands in the open scope; NULL after latching. */
static tern_operand *operands_new(tern_lane *lane, int count, int each) {
    if (count > INT32_MAX / each ||
        (size_t)count > SIZE_MAX / sizeof(tern_operand) / (size_t)each) {
        tern_fail_memory(lane->ctx, SIZE_MAX);
        return NULL;
    }
    return tern_scope_alloc(lane->ctx, (size_t)count * (size_t)each * sizeof(tern_operand));
}

bool tern_tuples_prepare(tern_lane *lane, tern_tuples *t) {
    const tern_map_attrs *program = t->program;
    t->operands = operands_new(lane, t->count, program->n_inputs + program->n_outputs);
    if (!t->operands) return false;
    tern_operand *out = t->operands + (size_t)t->count * (size_t)program->n_inputs;
    for (int i = 0; i < t->count; i++)
        if (!fill(lane->ctx, t, i, t->operands + (size_t)i * (size_t)program->n_inputs,
                  out + (size_t)i * (size_t)program->n_outputs))
            return false;
    return true;
}

/* True where the launch is done. */
static bool is_done(tern_lane *lane, int32_t kernel, int32_t status,
                    const tern_backend_error *err) {
    if (status != TERN_BACKEND_OK && status != TERN_BACKEND_DECLINED)
        tern_launch_failed(lane, kernel, status, err);
    return status == TERN_BACKEND_OK;
}

/* ---- what a recorder hears ---- */

/* The launch as a recorder hears it; `bodies` is filled in by the caller. */
static tern_launched launched(tern_lane *lane, int32_t kernel, int32_t fn, int n_inputs,
                              int n_outputs, int n_tuples, const tern_operand *in,
                              const tern_operand *out, const void *attrs, size_t attrs_size) {
    return (tern_launched){.lane = lane,
                           .kernel = kernel,
                           .fn = fn,
                           .n_inputs = n_inputs,
                           .n_outputs = n_outputs,
                           .n_tuples = n_tuples,
                           .in = in,
                           .out = out,
                           .attrs = attrs,
                           .attrs_size = (uint32_t)attrs_size};
}

static void tell(tern_lane *lane, const tern_tuples *t) {
    const tern_map_attrs *program = t->program;
    size_t n_in = (size_t)program->n_inputs, n_out = (size_t)program->n_outputs;
    size_t count = (size_t)t->count;
    const tern_tensor_body **bodies =
        tern_scope_alloc(lane->ctx, count * (n_in + n_out) * sizeof(void *));
    const double **numbers = tern_scope_alloc(lane->ctx, count * n_in * sizeof(void *));
    if (!bodies || !numbers) return;
    for (size_t i = 0; i < count; i++) {
        tern_tensor *const *tensors = t->tensors + i * (size_t)t->tensor_stride;
        for (size_t k = 0; k < n_in; k++)
            if (t->inputs[k] < 0)
                numbers[i * n_in + k] = &t->numbers[i][~t->inputs[k]];
            else
                bodies[i * n_in + k] = BODY(tensors[t->inputs[k]]);
        for (size_t k = 0; k < n_out; k++)
            bodies[count * n_in + i * n_out + k] = BODY(tensors[t->outputs[k]]);
    }
    tern_launched launch =
        launched(lane, TERN_KERNEL_MAP, program->n_steps, program->n_inputs, program->n_outputs,
                 t->count, t->operands, t->operands + count * n_in, program, t->program_size);
    launch.bodies = bodies;
    launch.numbers = numbers;
    lane->ctx->recorder->launched(lane->ctx->recorder, &launch);
}

static void tell_list(tern_lane *lane, tern_tensor *const *inputs, int count, tern_tensor *out,
                      const tern_operand *in, const tern_operand *to,
                      const tern_reduce_attrs *attrs) {
    const tern_tensor_body **bodies =
        tern_scope_alloc(lane->ctx, ((size_t)count + 1) * sizeof(void *));
    if (!bodies) return;
    for (int i = 0; i < count; i++) bodies[i] = BODY(inputs[i]);
    bodies[count] = BODY(out);
    tern_launched launch = launched(lane, TERN_KERNEL_REDUCE_LIST, attrs->fn, count, 1, 1, in, to,
                                    attrs, sizeof *attrs);
    launch.bodies = bodies;
    lane->ctx->recorder->launched(lane->ctx->recorder, &launch);
}

/* ---- launching ---- */

bool tern_tuples_launch(tern_lane *lane, const tern_tuples *t) {
    const tern_map_attrs *program = t->program;
    int n_in = program->n_inputs, n_out = program->n_outputs;
    const tern_operand *in = t->operands, *out = in + (size_t)t->count * (size_t)n_in;
    tern_backend_error err;
    if (lane->ctx->status != TERN_OK) return false;
    int32_t status = tern_start(lane, TERN_KERNEL_MAP, program->n_steps, in, n_in, out, n_out,
                                t->count, program, (uint32_t)t->program_size, &err);
    if (lane->ctx->recorder && status == TERN_BACKEND_OK) tell(lane, t);
    return is_done(lane, TERN_KERNEL_MAP, status, &err);
}

bool tern_try_reduce_list(tern_lane *lane, int32_t fn, double value, tern_tensor *const *inputs,
                          int count, tern_tensor *out) {
    tern_reduce_attrs attrs = {fn, 0, value};
    tern_operand *in, to;
    tern_backend_error err;
    if (lane->ctx->status != TERN_OK || tern_is_composed(lane->ctx, TERN_KERNEL_REDUCE_LIST) ||
        !tern_has_kernel(lane, TERN_KERNEL_REDUCE_LIST, fn, inputs, 1, &out, 1, sizeof attrs, NULL))
        return false;
    in = operands_new(lane, count, 1);
    for (int i = 0; i < count && in; i++)
        if (!tern_input_operand(BODY(inputs[i]), false, &in[i])) return false;
    if (!in || !tern_output_operand(BODY(out), true, &to)) return false;
    int32_t status = tern_start(lane, TERN_KERNEL_REDUCE_LIST, fn, in, count, &to, 1, 1, &attrs,
                                sizeof attrs, &err);
    if (lane->ctx->recorder && status == TERN_BACKEND_OK)
        tell_list(lane, inputs, count, out, in, &to, &attrs);
    return is_done(lane, TERN_KERNEL_REDUCE_LIST, status, &err);
}
