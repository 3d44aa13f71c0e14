/*
 * MATMUL_MAP and CONV_MAP: out = program(p, others...), where p is what MATMUL or CONV gives.
 *
 * p is written to scratch memory in the dtype that the program computes in, so that nothing is rounded
 * between the two: they are the launches that would follow one another.
 */
#include "kernels.h"
#include "kit.h"
#include "walk.h"

/* `out`, densely in `dtype`, over memory of its own. */
typedef struct dense {
    tern_kit_tensor tensor;
    int64_t strides[TERN_BACKEND_MAX_RANK];
} dense;

static bool take(const tern_kit_call *call, int32_t dtype, dense *out) {
    const tern_kit_tensor *like = &call->outputs[0];
    int64_t count = 1;
    for (int32_t d = like->rank - 1; d >= 0; d--) {
        out->strides[d] = count;
        count *= like->shape[d];
    }
    void *memory = tern_kit_take(call, count, (size_t)tern_kit_size(dtype));
    out->tensor = (tern_kit_tensor){memory, dtype, like->rank, like->shape, out->strides};
    return memory != NULL;
}

/* The program over p and the inputs behind those of the product. */
static int32_t apply(const tern_kit_call *call, const tern_map_attrs *program, int32_t n_operands,
                     const tern_kit_tensor *p) {
    tern_kit_tensor inputs[TERN_KIT_OPERANDS] = {*p};
    for (int32_t i = n_operands; i < call->n_inputs; i++)
        inputs[i - n_operands + 1] = call->inputs[i];
    tern_kit_call map = *call;
    map.kernel = TERN_KERNEL_MAP;
    map.inputs = inputs;
    map.n_inputs = program->n_inputs;
    map.attrs = program;
    return tern_ref_map(&map);
}

static int32_t run(const tern_kit_call *call, int32_t kernel, tern_kit_kernel product,
                   int32_t n_operands, const tern_map_attrs *program) {
    dense p;
    bool fits = n_operands >= 2 && n_operands <= 3 && program->n_outputs == 1 &&
                call->n_inputs == n_operands + program->n_inputs - 1 &&
                program->compute == tern_kit_wide(call->outputs[0].dtype);
    if (!fits) return TERN_BACKEND_DECLINED;
    if (!take(call, program->compute, &p)) return TERN_BACKEND_OUT_OF_MEMORY;
    tern_kit_call first = *call;
    first.kernel = kernel;
    first.n_inputs = n_operands;
    first.outputs = &p.tensor;
    int32_t status = product(&first);
    if (status == TERN_BACKEND_OK) status = apply(call, program, n_operands, &p.tensor);
    tern_kit_give(call, p.tensor.data);
    return status;
}

/* The attributes begin with those of the product. */
int32_t tern_ref_matmul_map(const tern_kit_call *call) {
    const tern_matmul_map_attrs *attrs = call->attrs;
    return run(call, TERN_KERNEL_MATMUL, tern_ref_matmul, attrs->n_operands, &attrs->program);
}

int32_t tern_ref_conv_map(const tern_kit_call *call) {
    const tern_conv_map_attrs *attrs = call->attrs;
    return run(call, TERN_KERNEL_CONV, tern_ref_conv, attrs->n_operands, &attrs->program);
}
