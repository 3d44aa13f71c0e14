/* MATMUL, CONV and its gradients, MATMUL_MAP, CONV_MAP: kernels/tile.h, product.inc, conv.inc. */
#include <string.h>

#include "call.h"
#include "image.h"

/* ---- products of more groups than a device starts at once ------------------------------------ */

/* Moves the first row by `rows`, all of which are whole ones of an index that is two. */
static void skip_rows(gpu_product_launch *l, gpu_epilogue_launch *e, int64_t rows) {
    int64_t outer = rows / l->m_inner, inner = rows % l->m_inner;
    l->a_at += outer * l->a_row.outer + inner * l->a_row.inner;
    l->out_at += outer * l->out_row.outer + inner * l->out_row.inner;
    l->c_at += rows * l->c_row;
    for (int32_t q = 0; q < GPU_EXTRAS; q++) e->at[q] += rows * e->stride[q][3];
    l->m -= rows;
}

/* Moves the first position of dimension d of those before the matrix. */
static void skip_batch(gpu_product_launch *l, gpu_epilogue_launch *e, int64_t d, int64_t count) {
    l->a_at += count * l->a[d];
    l->b_at += count * l->b[d];
    l->c_at += count * l->c[d];
    l->out_at += count * l->out[d];
    for (int32_t q = 0; q < GPU_EXTRAS; q++) e->at[q] += count * e->stride[q][d];
    l->shape[d] -= count;
}

/* The first half of a product, and what is left of it. */
static void halve(gpu_product *first, gpu_product *rest, gpu_epilogue_launch *e, bool by_rows) {
    gpu_product_launch *l = &first->l;
    if (by_rows) {
        int64_t rows = l->m / 2;
        if (l->m_inner < l->m)
            rows = rows > l->m_inner ? rows / l->m_inner * l->m_inner : l->m_inner;
        skip_rows(&rest->l, e, rows);
        l->m = rows;
        return;
    }
    int64_t d = 0;
    while (l->shape[d] == 1) d++;
    int64_t count = l->shape[d] / 2;
    first->batch = first->batch / l->shape[d] * count;
    rest->batch -= first->batch;
    skip_batch(&rest->l, e, d, count);
    l->shape[d] = count;
}

static int32_t start_halves(const gpu_call *call, const gpu_product *product, const gpu_tile *tile,
                            bool by_rows) {
    gpu_product first = *product, rest = *product;
    gpu_epilogue_launch e = {0};
    if (product->epilogue) {
        e = *product->epilogue_launch;
        rest.epilogue_launch = &e;
    }
    halve(&first, &rest, &e, by_rows);
    int32_t status = gpu_start_product_by(call, &first, tile);
    return status == TERN_BACKEND_OK ? gpu_start_product_by(call, &rest, tile) : status;
}

/* ---- products -------------------------------------------------------------------------------- */

int32_t gpu_start_product_by(const gpu_call *call, const gpu_product *product,
                             const gpu_tile *tile) {
    const gpu_product_launch *l = &product->l;
    int64_t most = call->device->most_groups;
    if (most && product->batch > most) return start_halves(call, product, tile, false);
    if (most && (l->m + tile->m - 1) / tile->m > most)
        return start_halves(call, product, tile, true);
    const int32_t *dtypes = product->dtypes;
    int32_t number_class = gpu_class(call);
    gpu_variant variant = {GPU_SOURCE_PRODUCT,
                           number_class,
                           {{"A", dtypes[0]},
                            {"B", dtypes[1]},
                            {"C", product->has_c ? dtypes[2] : 0},
                            {"OUT", dtypes[3]},
                            {"WITH_C", product->has_c}}};
    gpu_program *program;
    int32_t status = gpu_find_tiled(call, &variant, tile, product->epilogue, &program);
    if (status != TERN_BACKEND_OK) return status;
    const gpu_argument *of = product->operands;
    gpu_argument c = of[product->has_c ? 2 : 3], launch = {NULL, l, sizeof *l};
    gpu_argument arguments[6 + GPU_EXTRAS] = {of[0], of[1], c, of[3]};
    int32_t count = 4;
    for (int32_t q = 0; product->epilogue && q < GPU_EXTRAS; q++)
        arguments[count++] = product->extras[q];
    arguments[count++] = launch;
    if (product->epilogue)
        arguments[count++] =
            (gpu_argument){NULL, product->epilogue_launch, sizeof *product->epilogue_launch};
    return gpu_start_tiles(call, program, tile, arguments, count, l->m, l->n, product->batch);
}

int32_t gpu_start_product(const gpu_call *call, const gpu_product *product) {
    const gpu_product_launch *l = &product->l;
    if (call->device->tunes && !product->has_c && !product->epilogue) gpu_tune(call, product);
    gpu_tile tile = gpu_tile_of(call->device, gpu_class(call), l->m, l->n, product->batch);
    return gpu_start_product_by(call, product, &tile);
}

static int64_t row_of(const tern_operand *operand) {
    return operand->strides[operand->rank - 2];
}
static int64_t column_of(const tern_operand *operand) {
    return operand->strides[operand->rank - 1];
}

/* The product of a launch without its leading dimensions. */
static gpu_product product_of(const gpu_call *call, const tern_matmul_attrs *attrs,
                              int32_t n_operands) {
    const tern_operand *a = &call->inputs[0], *b = &call->inputs[1], *out = call->outputs;
    const tern_operand *c = n_operands > 2 ? &call->inputs[2] : out;
    int32_t rank = out->rank, number_class = gpu_class(call);
    gpu_product p = {.operands = {gpu_of(a), gpu_of(b), gpu_of(c), gpu_of(out)},
                     .dtypes = {a->dtype, b->dtype, c->dtype, out->dtype},
                     .has_c = n_operands > 2};
    p.l = (gpu_product_launch){.m = out->shape[rank - 2],
                               .n = out->shape[rank - 1],
                               .k = a->shape[rank - 1],
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
    return p;
}

/* The leading dimensions of all operands, the epilogue's inputs from the fifth on. */
static void put_batch(const gpu_call *call, gpu_product *p, int32_t n_operands,
                      gpu_walk *out_walk) {
    const tern_operand *all[4 + GPU_EXTRAS] = {call->outputs, &call->inputs[0], &call->inputs[1],
                                               n_operands > 2 ? &call->inputs[2] : call->outputs};
    int32_t count = 4;
    for (int32_t i = n_operands; i < call->n_inputs; i++) all[count++] = &call->inputs[i];
    gpu_walk_make(out_walk, all, count, 3u << (call->outputs->rank - 2));
    p->batch = out_walk->count;
    p->l.rank = out_walk->rank;
    memcpy(p->l.shape, out_walk->shape, sizeof p->l.shape);
    memcpy(p->l.out, out_walk->stride[0], sizeof p->l.out);
    memcpy(p->l.a, out_walk->stride[1], sizeof p->l.a);
    memcpy(p->l.b, out_walk->stride[2], sizeof p->l.b);
    memcpy(p->l.c, out_walk->stride[3], sizeof p->l.c);
}

int32_t gpu_matmul(const gpu_call *call) {
    gpu_walk walk;
    gpu_product p = product_of(call, call->attrs, call->n_inputs);
    put_batch(call, &p, call->n_inputs, &walk);
    return gpu_start_product(call, &p);
}

#define LEADING 3 /* dimensions of an epilogue's inputs before the rows */

int32_t gpu_matmul_map(const gpu_call *call) {
    const tern_matmul_map_attrs *attrs = call->attrs;
    int32_t n_operands = attrs->n_operands;
    gpu_epilogue epilogue;
    gpu_epilogue_launch launch;
    gpu_walk walk;
    int32_t status = gpu_epilogue_take(call, n_operands, &attrs->program, &epilogue);
    if (status != TERN_BACKEND_OK) return status;
    gpu_product p = product_of(call, &attrs->product, n_operands);
    put_batch(call, &p, n_operands, &walk);
    if (walk.rank > LEADING) return TERN_BACKEND_DECLINED;
    gpu_epilogue_launch_make(call, n_operands, &attrs->program, &launch);
    for (int32_t q = 0; q < GPU_EXTRAS; q++) {
        p.extras[q] = gpu_epilogue_extra(call, n_operands, q);
        if (n_operands + q >= call->n_inputs) continue;
        memcpy(launch.stride[q], walk.stride[4 + q], sizeof(i64) * (size_t)walk.rank);
        launch.stride[q][LEADING] = row_of(&call->inputs[n_operands + q]);
        launch.stride[q][LEADING + 1] = column_of(&call->inputs[n_operands + q]);
    }
    p.epilogue = &epilogue;
    p.epilogue_launch = &launch;
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

/* A convolution or a gradient of it on its way. */
typedef struct conv {
    const gpu_call *call;
    int32_t direction;
    const tern_operand *x, *w, *out, *bias; /* bias NULL where there is none */
    gpu_conv_launch l;
    const gpu_epilogue *epilogue; /* NULL, or with its launch and inputs */
    gpu_epilogue_launch epilogue_launch;
    gpu_argument extras[GPU_EXTRAS];
} conv;

static void conv_make(conv *self, const gpu_call *call, const tern_conv_attrs *attrs,
                      int32_t n_operands) {
    static const int64_t ones[3] = {1, 1, 1};
    const tern_operand *in = call->inputs, *written = call->outputs;
    *self = (conv){.call = call, .bias = n_operands > 2 ? &in[2] : NULL};
    if (call->kernel == TERN_KERNEL_CONV_GRAD_INPUT) {
        self->out = &in[0], self->w = &in[1], self->x = written;
        self->direction = TO_INPUT;
    } else if (call->kernel == TERN_KERNEL_CONV_GRAD_WEIGHT) {
        self->out = &in[0], self->x = &in[1], self->w = written;
        self->direction = TO_WEIGHT;
    } else {
        self->x = &in[0], self->w = &in[1], self->out = written;
    }
    gpu_conv_launch *l = &self->l;
    l->groups = attrs->groups;
    gpu_image_make(&l->x, self->x);
    gpu_image_make(&l->w, self->w);
    gpu_image_make(&l->out, self->out);
    gpu_window_make(&l->window, ones, attrs->stride, attrs->padding, attrs->dilation,
                    attrs->spatial);
    if (self->bias) {
        l->bias_at = gpu_at(self->bias);
        l->bias_stride = self->bias->strides[0];
    }
}

static int32_t conv_start(const conv *self) {
    const gpu_call *call = self->call;
    const gpu_conv_launch *l = &self->l;
    const tern_operand *bias = self->bias;
    int32_t number_class = gpu_class(call), count = 2;
    int64_t m, n;
    gpu_program *program;
    shape_of(l, self->direction, &m, &n);
    gpu_variant variant = {GPU_SOURCE_CONV,
                           number_class,
                           {{"DIRECTION", self->direction},
                            {"X", self->x->dtype},
                            {"W", self->w->dtype},
                            {"OUT", self->out->dtype},
                            {"WITH_BIAS", bias != NULL},
                            {"DTYPE", bias ? bias->dtype : 0},
                            {"WIDE", is_wide(l)}}};
    gpu_tile tile = gpu_tile_of(call->device, number_class, m, n, l->groups);
    int32_t status = gpu_find_tiled(call, &variant, &tile, self->epilogue, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[6 + GPU_EXTRAS] = {gpu_of(&call->inputs[0]), gpu_of(&call->inputs[1])};
    if (self->direction != TO_WEIGHT) arguments[count++] = gpu_of(bias ? bias : &call->inputs[0]);
    arguments[count++] = gpu_of(call->outputs);
    for (int32_t q = 0; self->epilogue && q < GPU_EXTRAS; q++) arguments[count++] = self->extras[q];
    arguments[count++] = GPU_VALUE(self->l);
    if (self->epilogue) arguments[count++] = GPU_VALUE(self->epilogue_launch);
    return gpu_start_tiles(call, program, &tile, arguments, count, m, n, l->groups);
}

int32_t gpu_conv(const gpu_call *call) {
    conv self;
    conv_make(&self, call, call->attrs, call->n_inputs);
    return conv_start(&self);
}

int32_t gpu_conv_map(const gpu_call *call) {
    const tern_conv_map_attrs *attrs = call->attrs;
    int32_t n_operands = attrs->n_operands;
    gpu_epilogue epilogue;
    conv self;
    int32_t status = gpu_epilogue_take(call, n_operands, &attrs->program, &epilogue);
    if (status != TERN_BACKEND_OK) return status;
    conv_make(&self, call, &attrs->product, n_operands);
    gpu_epilogue_launch_make(call, n_operands, &attrs->program, &self.epilogue_launch);
    for (int32_t q = 0; q < GPU_EXTRAS; q++) {
        gpu_image extra;
        self.extras[q] = gpu_epilogue_extra(call, n_operands, q);
        if (n_operands + q >= call->n_inputs) continue;
        gpu_image_make(&extra, &call->inputs[n_operands + q]);
        memcpy(self.epilogue_launch.stride[q], extra.stride, sizeof extra.stride);
    }
    self.epilogue = &epilogue;
    return conv_start(&self);
}
