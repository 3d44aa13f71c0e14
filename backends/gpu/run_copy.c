/* FILL and COPY: kernels/copy.inc. */
#include <string.h>

#include "call.h"
#include "numerics/dtype_convert.h"

int32_t gpu_fill(const gpu_call *call) {
    const tern_operand *out = call->outputs;
    const tern_fill_attrs *attrs = call->attrs;
    gpu_copy_launch a = {0};
    gpu_walk walk;
    gpu_walk_make(&walk, &out, 1, 0);
    if (tern_kit_is_floating(out->dtype))
        tern_num_store_f64(out->dtype, &a.value, 0, attrs->f);
    else
        tern_num_store_i64(out->dtype, &a.value, 0, attrs->i);
    a.count = walk.count;
    a.rank = walk.rank;
    a.out_at = gpu_at(out);
    memcpy(a.shape, walk.shape, sizeof a.shape);
    memcpy(a.out, walk.stride[0], sizeof a.out);
    int64_t size = tern_kit_size(out->dtype);
    gpu_variant variant = {GPU_SOURCE_COPY, GPU_I64, {{"RAW", size}, {"IN", 0}, {"OUT", 0}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(out), GPU_VALUE(a)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), a.count);
}

int32_t gpu_copy(const gpu_call *call) {
    const tern_operand *in = call->inputs, *out = call->outputs, *both[] = {out, in};
    gpu_walk walk;
    gpu_walk_make(&walk, both, 2, 0);
    gpu_copy_launch a = {.count = walk.count,
                         .rank = walk.rank,
                         .in_at = gpu_at(in),
                         .out_at = gpu_at(out),
                         .in_dtype = in->dtype,
                         .out_dtype = out->dtype};
    memcpy(a.shape, walk.shape, sizeof a.shape);
    memcpy(a.out, walk.stride[0], sizeof a.out);
    memcpy(a.in, walk.stride[1], sizeof a.in);
    bool raw = in->dtype == out->dtype, is_small = walk.count <= GPU_SMALL;
    gpu_variant variant = {GPU_SOURCE_COPY,
                           raw ? GPU_I64 : gpu_class(call),
                           {{"RAW", raw ? tern_kit_size(in->dtype) : 0},
                            {"IN", raw        ? 0
                                   : is_small ? -1
                                              : in->dtype},
                            {"OUT", raw        ? 0
                                    : is_small ? -1
                                               : out->dtype}}};
    /* what is converted computes in the input's kind: float64 to int64 as float64, int64 to float as int64 */
    if (!raw && !tern_kit_is_floating(in->dtype)) variant.number_class = GPU_I64;
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status == TERN_BACKEND_DECLINED && !raw) {
        variant.options[1].value = variant.options[2].value = -1;
        status = gpu_find(call, &variant, &program);
    }
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(in), gpu_of(out), GPU_VALUE(a)};
    return gpu_start(call, program, 1, arguments, GPU_COUNT_OF(arguments), a.count);
}
