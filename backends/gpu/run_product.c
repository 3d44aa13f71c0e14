/* MATMUL, CONV and its gradients: kernels/tile.h, product.inc, conv.inc. */
#include <string.h>

#include "call.h"
#include "image.h"

int32_t gpu_start_product(const gpu_call *call, const gpu_product *product) {
    const gpu_product_launch *l = &product->l;
    const int32_t *dtypes = product->dtypes;
    int32_t number_class = gpu_class(call);
    gpu_variant variant = {GPU_SOURCE_PRODUCT,
                           number_class,
                           {{"A", dtypes[0]},
                            {"B", dtypes[1]},
                            {"C", product->has_c ? dtypes[2] : 0},
                            {"OUT", dtypes[3]},
                            {"WITH_C", product->has_c}}};
    gpu_tile tile = gpu_tile_of(call->device, number_class, l->m, l->n, product->batch);
    gpu_program *program;
    int32_t status = gpu_find_tiled(call, &variant, &tile, &program);
    if (status != TERN_BACKEND_OK) return status;
    const gpu_argument *of = product->operands;
    gpu_argument arguments[] = {
        of[0], of[1], of[product->has_c ? 2 : 3], of[3], {NULL, l, sizeof *l}};
    return gpu_start_tiles(call, program, &tile, arguments, GPU_COUNT_OF(arguments), l->m, l->n,
                           product->batch);
}

static int64_t row_of(const tern_operand *operand) {
    return operand->strides[operand->rank - 2];
}
static int64_t column_of(const tern_operand *operand) {
    return operand->strides[operand->rank - 1];
}

int32_t gpu_matmul(const gpu_call *call) {
    const tern_operand *a = &call->inputs[0], *b = &call->inputs[1], *out = call->outputs;
    const tern_operand *c = call->n_inputs > 2 ? &call->inputs[2] : out;
    const tern_operand *all[] = {out, a, b, c};
    const tern_matmul_attrs *attrs = call->attrs;
    int32_t rank = out->rank, number_class = gpu_class(call);
    gpu_walk walk;
    gpu_walk_make(&walk, all, 4, 3u << (rank - 2));
    gpu_product p = {.operands = {gpu_of(a), gpu_of(b), gpu_of(c), gpu_of(out)},
                     .dtypes = {a->dtype, b->dtype, c->dtype, out->dtype},
                     .has_c = call->n_inputs > 2,
                     .batch = walk.count};
    p.l = (gpu_product_launch){.m = out->shape[rank - 2],
                               .n = out->shape[rank - 1],
                               .k = a->shape[rank - 1],
                               .rank = walk.rank,
                               .a_at = gpu_at(a),
                               .b_at = gpu_at(b),
                               .c_at = gpu_at(c),
                               .out_at = gpu_at(out),
                               .a_row = {0, row_of(a)},
                               .a_k = {0, column_of(a)},
                               .b_k = {0, row_of(b)},
                               .b_column = column_of(b),
                               .c_row = row_of(c),
                               .c_column = column_of(c),
                               .out_row = {0, row_of(out)},
                               .out_column = column_of(out),
                               .alpha = gpu_bits(number_class, attrs->alpha, attrs->alpha_i),
                               .beta = gpu_bits(number_class, attrs->beta, attrs->beta_i)};
    p.l.m_inner = p.l.m;
    p.l.k_inner = p.l.k ? p.l.k : 1;
    memcpy(p.l.shape, walk.shape, sizeof p.l.shape);
    memcpy(p.l.out, walk.stride[0], sizeof p.l.out);
    memcpy(p.l.a, walk.stride[1], sizeof p.l.a);
    memcpy(p.l.b, walk.stride[2], sizeof p.l.b);
    memcpy(p.l.c, walk.stride[3], sizeof p.l.c);
    return gpu_start_product(call, &p);
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
        *m = outputs;
        *n = l->out.size[0] * pixels(&l->out);
        return;
    case TO_INPUT:
        *m = l->w.size[1];
        *n = l->x.size[0] * pixels(&l->x);
        return;
    default:
        *m = outputs;
        *n = l->w.size[1] * pixels(&l->w);
        return;
    }
}

#define LARGE ((int64_t)1 << 30)

/* Whether sums of two coordinates, or a window's strides as one number, may not fit into 32 bits. */
static bool is_wide(const gpu_conv_launch *l) {
    double strides = 1;
    for (int32_t d = 0; d < 3; d++) {
        const gpu_window *w = &l->window;
        double reach = (double)w->dilation[d] * (double)l->w.size[2 + d];
        strides *= (double)w->stride[d];
        if (l->x.size[2 + d] >= LARGE / 2 || w->padding[d] >= LARGE / 2 || reach >= LARGE ||
            (double)l->out.size[2 + d] * (double)w->stride[d] >= LARGE)
            return true;
    }
    return strides >= LARGE;
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
    int64_t m, n;
    int32_t number_class = gpu_class(call);
    shape_of(&l, direction, &m, &n);
    gpu_variant variant = {GPU_SOURCE_CONV,
                           number_class,
                           {{"DIRECTION", direction},
                            {"X", x->dtype},
                            {"W", w->dtype},
                            {"OUT", out->dtype},
                            {"WITH_BIAS", bias != NULL},
                            {"DTYPE", bias ? bias->dtype : 0},
                            {"WIDE", is_wide(&l)}}};
    gpu_tile tile = gpu_tile_of(call->device, number_class, m, n, l.groups);
    gpu_program *program;
    int32_t status = gpu_find_tiled(call, &variant, &tile, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument with_bias[] = {gpu_of(&in[0]), gpu_of(&in[1]), gpu_of(bias ? bias : &in[0]),
                                gpu_of(written), GPU_VALUE(l)};
    gpu_argument without[] = {gpu_of(&in[0]), gpu_of(&in[1]), gpu_of(written), GPU_VALUE(l)};
    bool three = direction == TO_WEIGHT;
    return gpu_start_tiles(call, program, &tile, three ? without : with_bias, three ? 4 : 5, m, n,
                           l.groups);
}
