/* What runs along one dimension: SCAN, SORT, SOFTMAX and LOG_SOFTMAX with their gradients. */
#include "call.h"

/* Lines along `dim` of the operands, whose shape is the first one's. */
static void make(gpu_line_launch *l, const tern_operand *const *operands, int32_t count,
                 int32_t dim) {
    const tern_operand *first = operands[0];
    bool scalar = first->rank == 0;
    gpu_walk walk;
    gpu_walk_make(&walk, operands, count, scalar ? 0 : 1u << dim);
    *l = (gpu_line_launch){.lines = walk.count, .length = scalar ? 1 : first->shape[dim]};
    gpu_dims_make(&l->outer, &walk, count);
    for (int32_t k = 0; k < count; k++) {
        l->at[k] = gpu_at(operands[k]);
        l->step[k] = scalar ? 0 : operands[k]->strides[dim];
    }
}

int32_t gpu_scan(const gpu_call *call) {
    const tern_scan_attrs *attrs = call->attrs;
    bool places = call->n_outputs > 1;
    const tern_operand *in = call->inputs, *out = call->outputs, *second = places ? out + 1 : out,
                       *all[] = {in, out, second};
    gpu_line_launch l;
    make(&l, all, 3, attrs->dim);
    int32_t number_class = gpu_class(call);
    bool accumulates = attrs->fn == TERN_SCAN_CUMSUM || attrs->fn == TERN_SCAN_CUMPROD;
    /* as cpu_ref and PyTorch: what is beyond float32 on the way, such as 1e30 * 1e30 * 0, need not stay there */
    if (accumulates && number_class == GPU_F32 && call->device->has_f64) number_class = GPU_F64;
    gpu_variant variant = {
        GPU_SOURCE_SCAN,
        number_class,
        {{"FN", attrs->fn}, {"IN", in->dtype}, {"OUT", out->dtype}, {"WITH_PLACES", places}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(in), gpu_of(out), gpu_of(second), GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.lines);
}

/* The passes over two arrays of positions that change places; `*sorted` is the one that holds the result. */
static int32_t sort_between(const gpu_call *call, gpu_program *program, gpu_line_launch *l,
                            tern_bbuffer **arrays, tern_bbuffer **sorted) {
    const tern_operand *in = call->inputs;
    int64_t items = l->lines * l->length;
    gpu_argument first[] = {GPU_BUFFER(arrays[0]), GPU_VALUE(*l)};
    int32_t status = gpu_start(call, program, 0, first, GPU_COUNT_OF(first), items), from = 0;
    for (int64_t width = 1; width < l->length && status == TERN_BACKEND_OK; width *= 2) {
        l->value[0] = width;
        gpu_argument pass[] = {gpu_of(in), GPU_BUFFER(arrays[from]), GPU_BUFFER(arrays[1 - from]),
                               GPU_VALUE(*l)};
        status = gpu_start(call, program, 1, pass, GPU_COUNT_OF(pass), items);
        from = 1 - from;
    }
    *sorted = arrays[from];
    return status;
}

int32_t gpu_sort(const gpu_call *call) {
    const tern_sort_attrs *attrs = call->attrs;
    const tern_operand *in = call->inputs, *values = call->outputs, *places = call->outputs + 1,
                       *all[] = {in, values, places};
    gpu_line_launch l;
    make(&l, all, 3, attrs->dim);
    gpu_variant variant = {GPU_SOURCE_SORT,
                           gpu_class(call),
                           {{"DTYPE", in->dtype}, {"DESCENDING", attrs->descending != 0}}};
    gpu_program *program;
    tern_bbuffer *arrays[2] = {NULL, NULL}, *sorted;
    int64_t items = l.lines * l.length;
    int32_t status = gpu_find(call, &variant, &program);
    for (int k = 0; k < 2 && status == TERN_BACKEND_OK; k++)
        status = gpu_scratch(call, (uint64_t)items * sizeof(int64_t), &arrays[k]);
    if (status == TERN_BACKEND_OK) status = sort_between(call, program, &l, arrays, &sorted);
    if (status == TERN_BACKEND_OK) {
        gpu_argument last[] = {gpu_of(in), GPU_BUFFER(sorted), gpu_of(values), gpu_of(places),
                               GPU_VALUE(l)};
        status = gpu_start(call, program, 2, last, GPU_COUNT_OF(last), items);
    }
    for (int k = 0; k < 2; k++) gpu_scratch_end(call, arrays[k]);
    return status;
}

#define SOFTMAX_LANES 64 /* of kernels/softmax.inc */

int32_t gpu_softmax(const gpu_call *call) {
    const tern_operand *in = call->inputs, *out = call->outputs, *all[] = {in, out};
    gpu_line_launch l;
    make(&l, all, 2, ((const tern_softmax_attrs *)call->attrs)->dim);
    gpu_variant variant = {GPU_SOURCE_SOFTMAX,
                           gpu_class(call),
                           {{"DIRECTION", 0},
                            {"LOGARITHM", call->kernel == TERN_KERNEL_LOG_SOFTMAX},
                            {"IN", in->dtype},
                            {"OUT", out->dtype}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(in), gpu_of(out), GPU_VALUE(l)};
    return gpu_start_groups(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.lines, 1, 1,
                            SOFTMAX_LANES);
}

int32_t gpu_softmax_grad(const gpu_call *call) {
    const tern_operand *g = call->inputs, *y = call->inputs + 1, *out = call->outputs,
                       *all[] = {g, y, out};
    gpu_line_launch l;
    make(&l, all, 3, ((const tern_softmax_attrs *)call->attrs)->dim);
    gpu_variant variant = {GPU_SOURCE_SOFTMAX,
                           gpu_class(call),
                           {{"DIRECTION", 1},
                            {"LOGARITHM", call->kernel == TERN_KERNEL_LOG_SOFTMAX_GRAD},
                            {"IN", g->dtype},
                            {"OUT", out->dtype}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(g), gpu_of(y), gpu_of(out), GPU_VALUE(l)};
    return gpu_start_groups(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.lines, 1, 1,
                            SOFTMAX_LANES);
}
