/* INDEX_GET, INDEX_PUT, NONZERO_COUNT and NONZERO: kernels/pick.inc, nonzero.inc. */
#include <string.h>

#include "call.h"

/* Adds the part of index tensor k to the offsets in the table. */
static int32_t resolve(const gpu_call *call, gpu_program *program, const tern_operand *large,
                       int32_t k, tern_bbuffer *table) {
    const tern_multi_index_attrs *attrs = call->attrs;
    const tern_operand *index = &call->inputs[1 + k];
    gpu_walk walk;
    gpu_walk_make(&walk, &index, 1, 0);
    int32_t dim = attrs->first + k;
    gpu_resolve_launch l = {
        walk.count, walk.rank, gpu_at(index), large->shape[dim], large->strides[dim], dim, k == 0,
        {0},        {0}};
    memcpy(l.shape, walk.shape, sizeof l.shape);
    memcpy(l.index, walk.stride[0], sizeof l.index);
    gpu_argument arguments[] = {gpu_flag_argument(call), gpu_of(index), GPU_BUFFER(table),
                                GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), walk.count);
}

/* The positions of the indices and those of the other dimensions, with both tensors' strides. */
static void describe(const tern_multi_index_attrs *attrs, int32_t index_rank,
                     const tern_operand *large, const tern_operand *small, gpu_pick_launch *l) {
    uint32_t picked = 0;
    int64_t strides[TERN_BACKEND_MAX_RANK] = {0};
    for (int32_t d = 0; d < small->rank; d++) {
        int32_t behind = d - attrs->first - index_rank;
        if (d < attrs->first)
            strides[d] = large->strides[d];
        else if (behind < 0)
            picked |= 1u << d;
        else
            strides[d] = large->strides[attrs->first + attrs->count + behind];
    }
    tern_operand view = *large;
    view.rank = small->rank;
    view.shape = small->shape;
    view.strides = strides;
    const tern_operand *both[] = {small, &view};
    gpu_walk picks, slices;
    gpu_walk_make(&picks, &small, 1, ~picked);
    gpu_walk_make(&slices, both, 2, picked);
    *l = (gpu_pick_launch){.picks = picks.count,
                           .slices = slices.count,
                           .large_at = gpu_at(large),
                           .small_at = gpu_at(small),
                           .pick_rank = picks.rank,
                           .slice_rank = slices.rank};
    memcpy(l->pick_shape, picks.shape, sizeof l->pick_shape);
    memcpy(l->pick_small, picks.stride[0], sizeof l->pick_small);
    memcpy(l->slice_shape, slices.shape, sizeof l->slice_shape);
    memcpy(l->slice_small, slices.stride[0], sizeof l->slice_small);
    memcpy(l->slice_large, slices.stride[1], sizeof l->slice_large);
}

static int32_t run(const gpu_call *call, const tern_operand *large, const tern_operand *small,
                   bool put) {
    const tern_multi_index_attrs *attrs = call->attrs;
    bool adds = put && attrs->reduce == TERN_SCATTER_ADD;
    gpu_pick_launch l;
    describe(attrs, call->inputs[1].rank, large, small, &l);
    gpu_variant variant = {
        GPU_SOURCE_PICK,
        adds ? gpu_class(call) : GPU_I64,
        {{"RAW", tern_kit_size(large->dtype)}, {"ADDS", adds}, {"DTYPE", adds ? large->dtype : 0}}};
    gpu_program *program;
    tern_bbuffer *table = NULL;
    int32_t status = gpu_find(call, &variant, &program);
    if (status == TERN_BACKEND_OK)
        status = gpu_scratch(call, (uint64_t)l.picks * sizeof(int64_t), &table);
    for (int32_t k = 0; k < attrs->count && status == TERN_BACKEND_OK; k++)
        status = resolve(call, program, large, k, table);
    if (status == TERN_BACKEND_OK) {
        gpu_argument arguments[] = {GPU_BUFFER(table), gpu_of(call->inputs), gpu_of(call->outputs),
                                    GPU_VALUE(l)};
        status = gpu_start(call, program, put ? 2 : 1, arguments, GPU_COUNT_OF(arguments),
                           put ? l.slices : l.picks * l.slices);
    }
    gpu_scratch_end(call, table);
    return status;
}

int32_t gpu_index_get(const gpu_call *call) {
    return run(call, call->inputs, call->outputs, false);
}

int32_t gpu_index_put(const gpu_call *call) {
    return run(call, call->outputs, call->inputs, true);
}

#define NONZERO_LANES 128 /* of kernels/nonzero.inc */

int32_t gpu_nonzero(const gpu_call *call) {
    const tern_operand *in = call->inputs, *out = call->outputs;
    bool counts = call->kernel == TERN_KERNEL_NONZERO_COUNT;
    gpu_nonzero_launch l = {gpu_count(in), in->rank, gpu_at(in), gpu_at(out), 0, 0, 0, {0}, {0}};
    for (int32_t d = 0; d < in->rank; d++) {
        l.shape[d] = in->shape[d];
        l.in[d] = in->strides[d];
    }
    if (!counts) {
        l.rows = out->shape[0];
        l.row_step = out->strides[0];
        l.column_step = out->strides[1];
    }
    int32_t number_class = in->dtype == TERN_BT_FLOAT64      ? GPU_F64
                           : tern_kit_is_floating(in->dtype) ? GPU_F32
                                                             : GPU_I64;
    gpu_variant variant = {GPU_SOURCE_NONZERO, number_class, {{"IN", in->dtype}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(in), gpu_of(out), GPU_VALUE(l)};
    return gpu_start_groups(call, program, counts ? 0 : 1, arguments, GPU_COUNT_OF(arguments), 1, 1,
                            1, NONZERO_LANES);
}
