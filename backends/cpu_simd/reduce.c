/*
 * REDUCE and REDUCE_LIST.
 */
#include "reduce.h"
#include "../cpu_ref/walk.h"
#include "kernels.h"

int32_t tern_simd_reduce(const tern_kit_call *call) {
    const tern_reduce_attrs *attrs = call->attrs;
    bool adds = attrs->fn == TERN_REDUCE_SUM || attrs->fn == TERN_REDUCE_MEAN;
    if (adds && tern_kit_is_floating(call->inputs[0].dtype)) return tern_simd_sum(call);
    return tern_simd_reduce_runs(call) ? TERN_BACKEND_OK : tern_ref_reduce(call);
}
