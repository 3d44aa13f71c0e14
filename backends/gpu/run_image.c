/* Pooling and resizing, forward and backward: kernels/pool.inc, resize.inc. */
#include <string.h>

#include "call.h"
#include "image.h"

void gpu_image_make(gpu_image *image, const tern_operand *operand) {
    int32_t missing = 5 - operand->rank;
    image->at = gpu_at(operand);
    for (int32_t d = 0; d < 5; d++) {
        int32_t own = d < 2 ? d : d - missing;
        bool there = d < 2 || own >= 2;
        image->size[d] = there ? operand->shape[own] : 1;
        image->stride[d] = there ? operand->strides[own] : 0;
    }
}

static void spread(const int64_t *values, int32_t spatial, int64_t missing, i64 *out) {
    for (int32_t d = 0; d < 3; d++) out[d] = d < 3 - spatial ? missing : values[d - (3 - spatial)];
}

void gpu_window_make(gpu_window *window, const int64_t *kernel, const int64_t *stride,
                     const int64_t *padding, const int64_t *dilation, int32_t spatial) {
    spread(kernel, spatial, 1, window->taps);
    spread(stride, spatial, 1, window->stride);
    spread(padding, spatial, 0, window->padding);
    spread(dilation, spatial, 1, window->dilation);
    for (int d = 0; d < 3; d++) {
        if (window->stride[d] < 1) window->stride[d] = 1;
        if (window->dilation[d] < 1) window->dilation[d] = 1;
    }
}

/* ---- pooling --------------------------------------------------------------------------------- */

enum { MAX_FORWARD = 0, MAX_BACKWARD = 1, AVERAGE_FORWARD = 2, AVERAGE_BACKWARD = 3 };

static int32_t describe(const gpu_call *call, int32_t direction, const tern_operand *x,
                        const tern_operand *out, const tern_operand *index, gpu_pool_launch *l,
                        gpu_program **out_program) {
    const tern_pool_attrs *attrs = call->attrs;
    memset(l, 0, sizeof *l);
    gpu_image_make(&l->x, x);
    gpu_image_make(&l->out, out);
    if (index) gpu_image_make(&l->index, index);
    gpu_window_make(&l->window, attrs->kernel, attrs->stride, attrs->padding, attrs->dilation,
                    attrs->spatial);
    l->divisor = attrs->divisor;
    l->counts_padding = attrs->count_include_pad;
    gpu_variant variant = {
        GPU_SOURCE_POOL, gpu_class(call), {{"DIRECTION", direction}, {"DTYPE", x->dtype}}};
    return gpu_find(call, &variant, out_program);
}

int32_t gpu_max_pool(const gpu_call *call) {
    const tern_operand *x = call->inputs, *out = call->outputs, *index = call->outputs + 1;
    gpu_pool_launch l;
    gpu_program *program;
    int32_t status = describe(call, MAX_FORWARD, x, out, index, &l, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(x), gpu_of(out), gpu_of(index), GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), gpu_count(out));
}

int32_t gpu_max_pool_grad(const gpu_call *call) {
    const tern_operand *x = call->outputs, *out = call->inputs, *index = call->inputs + 1;
    gpu_pool_launch l;
    gpu_program *program;
    int32_t status = describe(call, MAX_BACKWARD, x, out, index, &l, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_flag_argument(call), gpu_of(out), gpu_of(index), gpu_of(x),
                                GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), gpu_count(x));
}

int32_t gpu_avg_pool(const gpu_call *call) {
    const tern_operand *x = call->inputs, *out = call->outputs;
    gpu_pool_launch l;
    gpu_program *program;
    int32_t status = describe(call, AVERAGE_FORWARD, x, out, NULL, &l, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(x), gpu_of(out), GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), gpu_count(out));
}

int32_t gpu_avg_pool_grad(const gpu_call *call) {
    const tern_operand *x = call->outputs, *out = call->inputs;
    gpu_pool_launch l;
    gpu_program *program;
    int32_t status = describe(call, AVERAGE_BACKWARD, x, out, NULL, &l, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(out), gpu_of(x), GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), gpu_count(x));
}

/* ---- resizing -------------------------------------------------------------------------------- */

/* How far one step in out goes in x along d. PyTorch chooses the nearest pixel in float32. */
static int64_t scale_of(const tern_resize_attrs *attrs, int32_t number_class, int64_t in,
                        int64_t out, double factor) {
    bool nearest = attrs->mode == TERN_RESIZE_NEAREST || attrs->mode == TERN_RESIZE_NEAREST_EXACT;
    double scale = factor > 0 ? 1 / factor : (double)in / (double)out;
    if (nearest) return gpu_bits(GPU_F32, factor > 0 ? scale : (double)((float)in / (float)out), 0);
    if (attrs->align_corners) scale = out > 1 ? (double)(in - 1) / (double)(out - 1) : 0;
    return gpu_bits(number_class, scale, 0);
}

int32_t gpu_resize(const gpu_call *call) {
    const tern_resize_attrs *attrs = call->attrs;
    bool backward = call->kernel == TERN_KERNEL_RESIZE_GRAD;
    const tern_operand *x = backward ? call->outputs : call->inputs;
    const tern_operand *out = backward ? call->inputs : call->outputs;
    int32_t number_class = gpu_class(call), missing = 3 - attrs->spatial;
    /* pictures of bytes: what lies between two is rounded to one, as float64 has it where that is to be had */
    if (number_class == GPU_I64) number_class = call->device->has_f64 ? GPU_F64 : GPU_F32;
    gpu_resize_launch l = {0};
    gpu_image_make(&l.x, x);
    gpu_image_make(&l.out, out);
    for (int32_t d = 0; d < 3; d++)
        l.scale[d] = scale_of(attrs, number_class, l.x.size[d + 2], l.out.size[d + 2],
                              d < missing ? 0 : attrs->scale[d - missing]);
    gpu_variant variant = {GPU_SOURCE_RESIZE,
                           number_class,
                           {{"DIRECTION", backward},
                            {"IN", call->inputs[0].dtype},
                            {"OUT", call->outputs[0].dtype},
                            {"MODE", attrs->mode},
                            {"ALIGNED", attrs->align_corners != 0}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(call->inputs), gpu_of(call->outputs), GPU_VALUE(l)};
    return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments),
                     gpu_count(call->outputs));
}
