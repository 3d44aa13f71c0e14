/*
 * epilogue.c: MATMUL_MAP and CONV_MAP: the product is written to out, and the program runs over it in place, by
 * this device's kernels for either.
 */
#include "kernels.h"

enum { OPERANDS = TERN_KIT_OPERANDS };

typedef struct epilogue {
    int32_t kernel, n_operands;
    uint32_t product_size; /* the attributes begin with those of the product */
    const tern_map_attrs *program;
} epilogue;

static epilogue read(int32_t kernel, const void *attrs) {
    if (kernel == TERN_KERNEL_MATMUL_MAP) {
        const tern_matmul_map_attrs *own = attrs;
        return (epilogue){TERN_KERNEL_MATMUL, own->n_operands, sizeof own->product, &own->program};
    }
    const tern_conv_map_attrs *own = attrs;
    return (epilogue){TERN_KERNEL_CONV, own->n_operands, sizeof own->product, &own->program};
}

int32_t tern_simd_epilogue(tern_kit_device *device, int32_t kernel, const tern_operand *inputs,
                           int32_t n_inputs, const tern_operand *out, const void *attrs,
                           tern_backend_error *err) {
    const epilogue e = read(kernel, attrs);
    tern_operand operands[OPERANDS];
    /* 16 bits would be rounded in between */
    if (e.program->compute != out->dtype || e.program->n_outputs != 1 || e.n_operands < 2 ||
        e.n_operands > 3 || n_inputs != e.n_operands + e.program->n_inputs - 1 ||
        e.program->n_inputs > OPERANDS)
        return TERN_BACKEND_DECLINED;
    int32_t status = tern_kit_launch(&device->base, NULL, e.kernel, inputs, e.n_operands, out, 1,
                                     attrs, e.product_size, err);
    if (status != TERN_BACKEND_OK) return status;
    operands[0] = *out;
    operands[0].flags |= TERN_OPERAND_ALIASES_OUTPUT;
    for (int32_t i = 1; i < e.program->n_inputs; i++) operands[i] = inputs[e.n_operands + i - 1];
    return tern_simd_map(device, operands, e.program->n_inputs, out, 1, e.program, err);
}
