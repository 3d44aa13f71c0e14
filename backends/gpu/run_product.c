/* MATMUL, CONV and its gradients: kernels/tile.inc, product.inc, conv.inc. */
#include <string.h>

#include "call.h"
#include "image.h"

static void put_matrix(const tern_operand *operand, i64 *at, i64 *row, i64 *column) {
    *at = gpu_at(operand);
    *row = operand->strides[operand->rank - 2];
    *column = operand->strides[operand->rank - 1];
}

int32_t gpu_matmul(const gpu_call *call) {
    const tern_operand *a = &call->inputs[0], *b = &call->inputs[1], *out = call->outputs;
    const tern_operand *c = call->n_inputs > 2 ? &call->inputs[2] : out;
    const tern_operand *all[] = {out, a, b, c};
    const tern_matmul_attrs *attrs = call->attrs;
    int32_t rank = out->rank, number_class = gpu_class(call);
    gpu_walk walk;
    gpu_walk_make(&walk, all, 4, 3u << (rank - 2));
    gpu_product_launch l = {.m = out->shape[rank - 2],
                            .n = out->shape[rank - 1],
                            .k = a->shape[rank - 1],
                            .rank = walk.rank,
                            .alpha = gpu_bits(number_class, attrs->alpha, attrs->alpha_i),
                            .beta = gpu_bits(number_class, attrs->beta, attrs->beta_i)};
    put_matrix(a, &l.a_at, &l.a_row, &l.a_column);
    put_matrix(b, &l.b_at, &l.b_row, &l.b_column);
    put_matrix(c, &l.c_at, &l.c_row, &l.c_column);
    put_matrix(out, &l.out_at, &l.out_row, &l.out_column);
    memcpy(l.shape, walk.shape, sizeof l.shape);
    memcpy(l.out, walk.stride[0], sizeof l.out);
    memcpy(l.a, walk.stride[1], sizeof l.a);
    memcpy(l.b, walk.stride[2], sizeof l.b);
    memcpy(l.c, walk.stride[3], sizeof l.c);
    gpu_variant variant = {GPU_SOURCE_PRODUCT,
                           number_class,
                           {{"IN", a->dtype}, {"OUT", out->dtype}, {"WITH_C", call->n_inputs > 2}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(a), gpu_of(b), gpu_of(c), gpu_of(out), GPU_VALUE(l)};
    return gpu_start_tiles(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.m, l.n,
                           walk.count);
}

/* ---- convolution ----------------------------------------------------------------------------- */

enum { FORWARD = 0, TO_INPUT = 1, TO_WEIGHT = 2 };

static int64_t pixels(const gpu_image *image) {
    return image->size[2] * image->size[3] * image->size[4];
}

/* The rows and columns of the product that each direction is. */
static void shape_of(const gpu_conv_launch *l, int32_t direction, int64_t *m, int64_t *n) {
    int64_t outputs = l->w.size[0] / l->groups;
    switch (direction) {
    case FORWARD:
        *m = l->out.size[0] * pixels(&l->out);
        *n = outputs;
        return;
    case TO_INPUT:
        *m = l->x.size[0] * pixels(&l->x);
        *n = l->w.size[1];
        return;
    default:
        *m = outputs;
        *n = l->w.size[1] * pixels(&l->w);
        return;
    }
}

int32_t gpu_conv(const gpu_call *call) {
    const tern_conv_attrs *attrs = call->attrs;
    const tern_operand *in = call->inputs, *written = call->outputs, *x, *w, *out;
    int32_t direction = FORWARD;
    if (call->kernel == TERN_KERNEL_CONV) {
        x = &in[0], w = &in[1], out = written;
    } else if (call->kernel == TERN_KERNEL_CONV_GRAD_INPUT) {
        out = &in[0], w = &in[1], x = written;
        direction = TO_INPUT;
    } else {
        out = &in[0], x = &in[1], w = written;
        direction = TO_WEIGHT;
    }
    const tern_operand *bias = call->n_inputs > 2 ? &in[2] : NULL;
    gpu_conv_launch l = {.groups = attrs->groups};
    gpu_image_make(&l.x, x);
    gpu_image_make(&l.w, w);
    gpu_image_make(&l.out, out);
    static const int64_t ones[3] = {1, 1, 1};
    gpu_window_make(&l.window, ones, attrs->stride, attrs->padding, attrs->dilation,
                    attrs->spatial);
    if (bias) {
        l.bias_at = gpu_at(bias);
        l.bias_stride = bias->strides[0];
    }
    gpu_variant variant = {GPU_SOURCE_CONV,
                           gpu_class(call),
                           {{"DIRECTION", direction},
                            {"X", x->dtype},
                            {"W", w->dtype},
                            {"OUT", out->dtype},
                            {"WITH_BIAS", bias != NULL},
                            {"DTYPE", bias ? bias->dtype : 0}}};
    gpu_program *program;
    int64_t m, n;
    shape_of(&l, direction, &m, &n);
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument with_bias[] = {gpu_of(&in[0]), gpu_of(&in[1]), gpu_of(bias ? bias : &in[0]),
                                gpu_of(written), GPU_VALUE(l)};
    gpu_argument without[] = {gpu_of(&in[0]), gpu_of(&in[1]), gpu_of(written), GPU_VALUE(l)};
    bool three = direction == TO_WEIGHT;
    return gpu_start_tiles(call, program, 0, three ? without : with_bias, three ? 4 : 5, m, n,
                           l.groups);
}
