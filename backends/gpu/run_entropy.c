/* CROSS_ENTROPY and its gradient: kernels/cross_entropy.inc. */
#include "call.h"

#define LANES 64 /* of kernels/cross_entropy.inc */

/* Where an operand [n, m], [n, c, m], [c] or of rank 0 lies. */
static void put(gpu_entropy_launch *l, int32_t at, const tern_operand *operand) {
    int32_t rank = operand->rank;
    if (!operand->buffer) return;
    l->at[at] = gpu_at(operand);
    l->row[at] = rank > 1 ? operand->strides[0] : 0;
    l->column[at] = rank > 1 ? operand->strides[rank - 1] : 0;
    l->step[at] = rank == 3 ? operand->strides[1] : rank == 1 ? operand->strides[0] : 0;
}

static gpu_entropy_launch describe(const gpu_call *call, int32_t number_class,
                                   const tern_operand *x) {
    const tern_cross_entropy_attrs *attrs = call->attrs;
    gpu_entropy_launch l = {.elements = x->shape[0] * x->shape[2],
                            .classes = x->shape[1],
                            .width = x->shape[2],
                            .ignored = attrs->ignore_index,
                            .smoothing = gpu_bits(number_class, attrs->smoothing, 0)};
    put(&l, GPU_ENTROPY_X, x);
    put(&l, GPU_ENTROPY_TARGET, x + 1);
    if (attrs->weighted) put(&l, GPU_ENTROPY_WEIGHT, &call->inputs[call->n_inputs - 1]);
    return l;
}

static int32_t find(const gpu_call *call, int32_t number_class, const tern_operand *x,
                    gpu_program **out_program) {
    const tern_cross_entropy_attrs *attrs = call->attrs;
    gpu_variant variant = {
        GPU_SOURCE_CROSS_ENTROPY,
        number_class,
        {{"DTYPE", x->dtype},
         {"STATISTICS", number_class == GPU_F64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32},
         {"BY_INDEX", attrs->fn == TERN_CROSS_ENTROPY_INDEX},
         {"WEIGHTED", attrs->weighted},
         {"REDUCTION", attrs->reduction}}};
    return gpu_find(call, &variant, out_program);
}

/* The weights, or what stands for them where there are none. */
static gpu_argument weights(const gpu_call *call, const tern_operand *x) {
    bool weighted = ((const tern_cross_entropy_attrs *)call->attrs)->weighted;
    return gpu_of(weighted ? &call->inputs[call->n_inputs - 1] : x);
}

int32_t gpu_cross_entropy(const gpu_call *call) {
    const tern_operand *x = call->inputs, *out = call->outputs;
    int32_t number_class = gpu_class(call);
    gpu_entropy_launch l = describe(call, number_class, x);
    put(&l, GPU_ENTROPY_LOSS, &out[0]);
    put(&l, GPU_ENTROPY_MOST, &out[1]);
    put(&l, GPU_ENTROPY_LOG, &out[2]);
    put(&l, GPU_ENTROPY_TOTAL, &out[3]);
    gpu_program *program;
    tern_bbuffer *parts = NULL;
    int32_t status = find(call, number_class, x, &program);
    if (status == TERN_BACKEND_OK)
        status = gpu_scratch(call, (uint64_t)l.elements * 2 * sizeof(double), &parts);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_flag_argument(call), gpu_of(x),       gpu_of(x + 1),
                                weights(call, x),        gpu_of(&out[1]), gpu_of(&out[2]),
                                GPU_BUFFER(parts),       gpu_of(&out[0]), GPU_VALUE(l)};
    status = gpu_start_groups(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.elements, 1,
                              1, LANES);
    if (status == TERN_BACKEND_OK) {
        gpu_argument sums[] = {GPU_BUFFER(parts), gpu_of(&out[0]), gpu_of(&out[3]), GPU_VALUE(l)};
        status = gpu_start_groups(call, program, 1, sums, GPU_COUNT_OF(sums), 1, 1, 1, LANES);
    }
    gpu_scratch_end(call, parts);
    return status;
}

/* Inputs g, x, target, the maximum, the logarithm, the sum of weights, the weights. */
int32_t gpu_cross_entropy_grad(const gpu_call *call) {
    const tern_operand *in = call->inputs, *x = &in[1], *out = call->outputs;
    int32_t number_class = gpu_class(call);
    gpu_entropy_launch l = describe(call, number_class, x);
    put(&l, GPU_ENTROPY_G, &in[0]);
    put(&l, GPU_ENTROPY_LOSS, out);
    put(&l, GPU_ENTROPY_MOST, &in[3]);
    put(&l, GPU_ENTROPY_LOG, &in[4]);
    put(&l, GPU_ENTROPY_TOTAL, &in[5]);
    l.has_g = in[0].buffer != NULL;
    if (!l.has_g) l.g = gpu_bits(number_class, in[0].at.f, 0);
    gpu_program *program;
    int32_t status = find(call, number_class, x, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_flag_argument(call),
                                gpu_of(l.has_g ? &in[0] : x),
                                gpu_of(x),
                                gpu_of(x + 1),
                                weights(call, x),
                                gpu_of(&in[3]),
                                gpu_of(&in[4]),
                                gpu_of(&in[5]),
                                gpu_of(out),
                                GPU_VALUE(l)};
    return gpu_start_groups(call, program, 2, arguments, GPU_COUNT_OF(arguments), l.elements, 1, 1,
                            LANES);
}
