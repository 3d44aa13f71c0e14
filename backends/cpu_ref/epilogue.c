/*
 * MATMUL_MAP and CONV_MAP: out = program(p, others...), where p is what MATMUL or CONV gives.
 *
 * p is written in the dtype that the program computes in, so that nothing is rounded between the two: into
 * out where that has it, else into scratch memory. The rest are the launches that would follow one another.
 */
#include "kernels.h"
#include "kit.h"
#include "walk.h"

/* out's shape, densely in `dtype`, over memory of its own. */
typedef struct dense {
    tern_kit_tensor tensor;
    int64_t strides[TERN_BACKEND_MAX_RANK];
} dense;

/* What the attributes say, and the kernel of the product. */
typedef struct epilogue {
    int32_t kernel; /* TERN_KERNEL_MATMUL or _CONV, which `product` computes */
    tern_kit_kernel product;
    int32_t n_operands;
    const tern_map_attrs *program;
} epilogue;

static bool take(const tern_kit_call *call, int32_t dtype, dense *out) {
    const tern_kit_tensor *like = &call->outputs[0];
    const int64_t count = tern_kit_row_major(like, out->strides);
    void *memory = tern_kit_take(call, count, (size_t)tern_kit_size(dtype));
    out->tensor = tern_kit_tensor_over(memory, dtype, like->rank, like->shape, out->strides);
    return memory != NULL;
}

/* The program over p and the inputs behind those of the product. */
static int32_t apply(const tern_kit_call *call, const epilogue *e, const tern_kit_tensor *p) {
    tern_kit_tensor inputs[TERN_KIT_OPERANDS] = {*p};
    for (int32_t i = e->n_operands; i < call->n_inputs; i++)
        inputs[i - e->n_operands + 1] = call->inputs[i];
    tern_kit_call map = *call;
    map.kernel = TERN_KERNEL_MAP;
    map.inputs = inputs;
    map.n_inputs = e->program->n_inputs;
    map.attrs = e->program;
    return tern_ref_map(&map);
}

static int32_t run(const tern_kit_call *call, const epilogue *e) {
    const tern_map_attrs *program = e->program;
    const tern_kit_tensor *p = &call->outputs[0];
    int32_t n_operands = e->n_operands;
    dense own = {.tensor = {.data = NULL}};
    if (n_operands < 2 || n_operands > 3 || program->n_outputs != 1 ||
        call->n_inputs != n_operands + program->n_inputs - 1 ||
        program->compute != tern_kit_wide(p->dtype))
        return TERN_BACKEND_DECLINED;
    if (p->dtype != program->compute) {
        if (!take(call, program->compute, &own)) return TERN_BACKEND_OUT_OF_MEMORY;
        p = &own.tensor;
    }
    tern_kit_call first = *call;
    first.kernel = e->kernel;
    first.n_inputs = n_operands;
    first.outputs = p;
    int32_t status = e->product(&first);
    if (status == TERN_BACKEND_OK) status = apply(call, e, p);
    tern_kit_give(call, own.tensor.data);
    return status;
}

/* The attributes begin with those of the product. */
int32_t tern_ref_matmul_map(const tern_kit_call *call) {
    const tern_matmul_map_attrs *attrs = call->attrs;
    const epilogue e = {TERN_KERNEL_MATMUL, tern_ref_matmul, attrs->n_operands, &attrs->program};
    return run(call, &e);
}

int32_t tern_ref_conv_map(const tern_kit_call *call) {
    const tern_conv_map_attrs *attrs = call->attrs;
    const epilogue e = {TERN_KERNEL_CONV, tern_ref_conv, attrs->n_operands, &attrs->program};
    return run(call, &e);
}
