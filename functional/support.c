/*
 * support.c: what a device does for an operation, asked with a usual number of operands.
 */
#include "support.h"

#include "core/call/fused.h"

/* The operands of a family, as patterns of dtypes (fused.h). */
typedef struct form {
    const char *inputs, *outputs;
    size_t attrs_size;
} form;

#define SIZE(attrs) sizeof(tern_##attrs##_attrs)

static const form forms[] = {
    [TERN_KERNEL_FILL] = {"", "f", SIZE(fill)},
    [TERN_KERNEL_COPY] = {"f", "f", 0},
    [TERN_KERNEL_UNARY] = {"f", "f", SIZE(unary)},
    [TERN_KERNEL_BINARY] = {"ff", "f", SIZE(binary)},
    [TERN_KERNEL_TERNARY] = {"fff", "f", SIZE(ternary)},
    [TERN_KERNEL_REDUCE] = {"f", "f", SIZE(reduce)},
    [TERN_KERNEL_SCAN] = {"f", "f", SIZE(scan)},
    [TERN_KERNEL_SORT] = {"f", "fi", SIZE(sort)},
    [TERN_KERNEL_MATMUL] = {"ff", "f", SIZE(matmul)},
    [TERN_KERNEL_GATHER] = {"fi", "f", SIZE(index)},
    [TERN_KERNEL_SCATTER] = {"if", "f", SIZE(index)},
    [TERN_KERNEL_INDEX_SELECT] = {"fi", "f", SIZE(index)},
    [TERN_KERNEL_INDEX_ADD] = {"if", "f", SIZE(index)},
    [TERN_KERNEL_INDEX_GET] = {"fi", "f", SIZE(multi_index)},
    [TERN_KERNEL_INDEX_PUT] = {"fi", "f", SIZE(multi_index)},
    [TERN_KERNEL_NONZERO_COUNT] = {"f", "i", 0},
    [TERN_KERNEL_NONZERO] = {"f", "i", 0},
    [TERN_KERNEL_CONV] = {"ff", "f", SIZE(conv)},
    [TERN_KERNEL_CONV_GRAD_INPUT] = {"ff", "f", SIZE(conv)},
    [TERN_KERNEL_CONV_GRAD_WEIGHT] = {"ff", "f", SIZE(conv)},
    [TERN_KERNEL_MAX_POOL] = {"f", "fi", SIZE(pool)},
    [TERN_KERNEL_MAX_POOL_GRAD] = {"fi", "f", SIZE(pool)},
    [TERN_KERNEL_AVG_POOL] = {"f", "f", SIZE(pool)},
    [TERN_KERNEL_AVG_POOL_GRAD] = {"f", "f", SIZE(pool)},
    [TERN_KERNEL_RESIZE] = {"f", "f", SIZE(resize)},
    [TERN_KERNEL_RESIZE_GRAD] = {"f", "f", SIZE(resize)},
};

/* Members whose operands differ from the family's. */
static void adapt(const tern_op *op, int32_t *in, int32_t *out, int32_t *n_out) {
    bool argument = op->fn == TERN_REDUCE_ARGMAX || op->fn == TERN_REDUCE_ARGMIN;
    bool running = op->fn == TERN_SCAN_CUMMAX || op->fn == TERN_SCAN_CUMMIN;
    if (tern_kernel_gives_bool(op->kernel, op->fn)) out[0] = TERN_BOOL;
    if (op->kernel == TERN_KERNEL_TERNARY && op->fn == TERN_TERNARY_WHERE) in[0] = TERN_BOOL;
    if (op->kernel == TERN_KERNEL_REDUCE && argument) out[0] = TERN_INT64;
    if (op->kernel == TERN_KERNEL_SCAN && running) {
        out[1] = TERN_INT64;
        *n_out = 2;
    }
}

static bool device_has(tern_lane *lane, const tern_op *op, tern_dtype dtype) {
    const form *f = &forms[op->kernel];
    int32_t in[3], out[2];
    int32_t n_in = tern_pattern_dtypes(f->inputs, dtype, in);
    int32_t n_out = tern_pattern_dtypes(f->outputs, dtype, out);
    adapt(op, in, out, &n_out);
    tern_kernel_query query = {(uint32_t)sizeof query,  op->kernel, op->fn, n_in, n_out,
                               (uint32_t)f->attrs_size, in,         out};
    const char *reason = NULL;
    return lane->device->vtable.supports(lane->device->object, &query, &reason);
}

const char *tern_support_of(tern_lane *lane, const tern_op *op, tern_dtype dtype) {
    if (op->kind == TERN_OP_HOST) return "host";
    if (op->kernel >= TERN_KERNEL_FUSED)
        return tern_device_fuses(lane, op->kernel, dtype) ? "kernel" : "composite";
    if (op->kernel == 0 || op->kind == TERN_OP_COMPOSITE || op->kind == TERN_OP_THROUGH)
        return "composite";
    if (device_has(lane, op, dtype)) return "kernel";
    /* Integers reach floating functions converted; sums of integers run in int64. */
    if (!tern_dtype_is_floating(dtype) &&
        (device_has(lane, op, TERN_FLOAT32) || device_has(lane, op, TERN_INT64)))
        return "kernel";
    return "missing";
}
