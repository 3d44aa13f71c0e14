/* ATTENTION and ATTENTION_GRAD: kernels/attention.inc. */
#include <string.h>

#include "call.h"

#define LANES 64 /* of kernels/fold.h */

enum { FORWARD = 0, BACKWARD = 1 };

static gpu_rows rows_of(const tern_operand *operand) {
    gpu_rows rows = {.at = gpu_at(operand)};
    memcpy(rows.stride, operand->strides, sizeof rows.stride[0] * (size_t)operand->rank);
    return rows;
}

/* Sizes and operands from q on; `mask` may be NULL. */
static gpu_attention_launch describe(const gpu_call *call, const tern_operand *q,
                                     const tern_operand *mask) {
    const tern_operand *k = q + 1, *v = q + 2;
    const tern_attention_attrs *attrs = call->attrs;
    gpu_attention_launch l = {.h = q->shape[1],
                              .shared = k->shape[1] ? q->shape[1] / k->shape[1] : 1,
                              .l = q->shape[2],
                              .s = k->shape[2],
                              .e = q->shape[3],
                              .f = v->shape[3],
                              .scale = gpu_bits(gpu_class(call), attrs->scale, 0),
                              .q = rows_of(q),
                              .k = rows_of(k),
                              .v = rows_of(v)};
    if (mask) l.mask = rows_of(mask);
    return l;
}

static const tern_operand *mask_of(const gpu_call *call) {
    const tern_attention_attrs *attrs = call->attrs;
    return attrs->masked ? &call->inputs[call->n_inputs - 1] : NULL;
}

static int32_t find(const gpu_call *call, int32_t direction, gpu_program **out_program) {
    const tern_attention_attrs *attrs = call->attrs;
    const tern_operand *mask = mask_of(call);
    int32_t number_class = gpu_class(call);
    gpu_variant variant = {
        GPU_SOURCE_ATTENTION,
        number_class,
        {{"DIRECTION", direction},
         {"DTYPE", call->inputs[0].dtype},
         {"STATISTICS", number_class == GPU_F64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32},
         {"MASK", mask ? mask->dtype : -1},
         {"CAUSAL", attrs->causal != 0}}};
    return gpu_find(call, &variant, out_program);
}

/* Whether there are more rows of heads than a device starts at once. */
static bool is_too_many(const gpu_call *call, const gpu_attention_launch *l,
                        const tern_operand *q) {
    int64_t most = call->device->most_groups;
    return most && (l->h > most || q->shape[0] > most);
}

int32_t gpu_attention(const gpu_call *call) {
    const tern_operand *q = call->inputs, *out = call->outputs, *lse = out + 1;
    const tern_operand *mask = mask_of(call);
    gpu_attention_launch l = describe(call, q, mask);
    gpu_program *program;
    if (is_too_many(call, &l, q)) return TERN_BACKEND_DECLINED;
    int32_t status = find(call, FORWARD, &program);
    l.out = rows_of(out);
    l.lse = rows_of(lse);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(q),   gpu_of(q + 1), gpu_of(q + 2), gpu_of(mask ? mask : q),
                                gpu_of(out), gpu_of(lse),   GPU_VALUE(l)};
    return gpu_start_groups(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.l, l.h,
                            q->shape[0], LANES);
}

/* Queries first: they leave d = sum_f(g out) of each row in `given`, which keys read. */
static int32_t start_gradient(const gpu_call *call, gpu_program *program, gpu_attention_launch *l,
                              tern_bbuffer *given) {
    const tern_operand *g = call->inputs, *q = g + 1, *k = g + 2, *v = g + 3, *out = g + 4,
                       *lse = g + 5, *dq = call->outputs, *dk = dq + 1, *dv = dq + 2;
    const tern_operand *mask = mask_of(call);
    gpu_argument queries[] = {
        gpu_of(g),   gpu_of(q),   gpu_of(k),         gpu_of(v),  gpu_of(mask ? mask : q),
        gpu_of(out), gpu_of(lse), GPU_BUFFER(given), gpu_of(dq), GPU_VALUE(*l)};
    gpu_argument keys[] = {
        gpu_of(g),   gpu_of(q),         gpu_of(k),  gpu_of(v),  gpu_of(mask ? mask : q),
        gpu_of(lse), GPU_BUFFER(given), gpu_of(dk), gpu_of(dv), GPU_VALUE(*l)};
    int32_t status = gpu_start_groups(call, program, 0, queries, GPU_COUNT_OF(queries), l->l, l->h,
                                      q->shape[0], LANES);
    if (status != TERN_BACKEND_OK) return status;
    return gpu_start_groups(call, program, 1, keys, GPU_COUNT_OF(keys), l->s, k->shape[1],
                            k->shape[0], LANES);
}

int32_t gpu_attention_grad(const gpu_call *call) {
    const tern_operand *in = call->inputs, *q = &in[1];
    gpu_attention_launch l = describe(call, q, mask_of(call));
    gpu_program *program;
    tern_bbuffer *given = NULL;
    if (is_too_many(call, &l, q)) return TERN_BACKEND_DECLINED;
    l.g = rows_of(&in[0]);
    l.out = rows_of(&in[4]);
    l.lse = rows_of(&in[5]);
    l.dq = rows_of(&call->outputs[0]);
    l.dk = rows_of(&call->outputs[1]);
    l.dv = rows_of(&call->outputs[2]);
    int32_t status = find(call, BACKWARD, &program);
    if (status == TERN_BACKEND_OK)
        status = gpu_scratch(call, (uint64_t)gpu_count(&in[5]) * sizeof(double), &given);
    if (status == TERN_BACKEND_OK) status = start_gradient(call, program, &l, given);
    gpu_scratch_end(call, given);
    return status;
}
