/* REDUCE and REDUCE_LIST: kernels/reduce.inc. */
#include <string.h>

#include "call.h"

/* Up to so many elements go to one work item where there are items enough. */
#define FEW        64
#define MANY       512
#define GROUP_SIZE 128 /* of kernels/reduce.inc */

/* Elements of PyTorch's vector where the sum is one of its vector kernel's, 1 where it has gaps; 0 where
 * another order serves. Of runs that are longer a tree is faster. */
#define RUN_LANES 32
#define LONGEST   ((int64_t)1 << 16)

static int64_t vector_of(int32_t fn, int32_t number_class, const gpu_walk *kept,
                         const gpu_walk *reduced) {
    int64_t width = number_class == GPU_F64 ? 4 : 8;
    bool sums = fn == TERN_REDUCE_SUM || fn == TERN_REDUCE_MEAN;
    if (!sums || number_class == GPU_I64 || reduced->rank > 1 || reduced->count > LONGEST) return 0;
    if (reduced->rank == 1 && reduced->stride[0][0] == 1 && reduced->count >= width) return width;
    return kept->count == 1 ? 1 : 0;
}

int32_t gpu_reduce(const gpu_call *call) {
    const tern_operand *in = call->inputs, *out = call->outputs, *both[] = {in, out};
    const tern_reduce_attrs *attrs = call->attrs;
    gpu_walk kept, reduced;
    gpu_walk_make(&kept, both, 2, attrs->dims);
    gpu_walk_make(&reduced, &in, 1, ~attrs->dims);
    int32_t number_class = gpu_class(call);
    gpu_reduce_launch a = {.kept = kept.count,
                           .reduced = reduced.count,
                           .kept_rank = kept.rank,
                           .reduced_rank = reduced.rank,
                           .in_at = gpu_at(in),
                           .out_at = gpu_at(out),
                           .value = gpu_bits(number_class, attrs->value, 0)};
    if (!reduced.rank) reduced.stride[0][0] = 0;
    memcpy(a.kept_shape, kept.shape, sizeof a.kept_shape);
    memcpy(a.kept_in, kept.stride[0], sizeof a.kept_in);
    memcpy(a.kept_out, kept.stride[1], sizeof a.kept_out);
    memcpy(a.reduced_shape, reduced.shape, sizeof a.reduced_shape);
    memcpy(a.reduced_in, reduced.stride[0], sizeof a.reduced_in);
    gpu_variant variant = {GPU_SOURCE_REDUCE,
                           number_class,
                           {{"FN", attrs->fn}, {"IN", in->dtype}, {"OUT", out->dtype}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    int64_t vector = vector_of(attrs->fn, number_class, &kept, &reduced);
    if (vector) a.value = vector;
    gpu_argument arguments[] = {gpu_of(in), gpu_of(out), GPU_VALUE(a)};
    if (vector)
        return gpu_start_groups(call, program, 2, arguments, GPU_COUNT_OF(arguments), a.kept, 1, 1,
                                RUN_LANES);
    if (a.reduced <= FEW || (a.kept >= MANY && a.reduced <= MANY))
        return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), a.kept);
    return gpu_start_groups(call, program, 1, arguments, GPU_COUNT_OF(arguments), a.kept, 1, 1,
                            GROUP_SIZE);
}

int32_t gpu_reduce_list(const gpu_call *call) {
    const tern_operand *out = call->outputs;
    int64_t ones[TERN_BACKEND_MAX_RANK];
    int32_t status = TERN_BACKEND_OK;
    for (int32_t d = 0; d < TERN_BACKEND_MAX_RANK; d++) ones[d] = 1;
    if (out->rank != 1 || out->shape[0] != call->n_inputs)
        return tern_kit_fail(call->err, TERN_BACKEND_INVALID,
                             "reduce list: not an element an input");
    for (int32_t i = 0; i < call->n_inputs && status == TERN_BACKEND_OK; i++) {
        tern_operand to = *out;
        tern_reduce_attrs all = *(const tern_reduce_attrs *)call->attrs;
        to.rank = call->inputs[i].rank;
        to.shape = to.strides = ones;
        to.at.byte_offset += (uint64_t)(i * out->strides[0] * tern_kit_size(out->dtype));
        all.dims = (UINT32_C(1) << to.rank) - 1;
        gpu_call one = *call;
        one.n_inputs = 1;
        one.inputs = &call->inputs[i];
        one.outputs = &to;
        one.attrs = &all;
        status = gpu_reduce(&one);
    }
    return status;
}
