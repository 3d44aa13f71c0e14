/* RECURRENT and RECURRENT_GRAD: kernels/recurrent.inc. */
#include <string.h>

#include "call.h"

#define LANES 64

enum { FORWARD = 0, BACKWARD = 1 };

/* A layer on its way: where its operands lie, by GPU_RECURRENT_*. */
typedef struct layer {
    const gpu_call *call;
    const tern_recurrent_attrs *attrs;
    const tern_operand *operands[GPU_RECURRENT_OPERANDS]; /* NULL where there is none */
    int64_t gates;                                        /* in all */
    gpu_recurrent_launch l;
} layer;

static void put(layer *self, int32_t of, const tern_operand *operand) {
    int32_t missing = 3 - operand->rank;
    self->operands[of] = operand;
    self->l.at[of] = gpu_at(operand);
    for (int32_t d = 0; d < operand->rank; d++)
        self->l.stride[of][missing + d] = operand->strides[d];
}

/* Operands that follow each other. */
static void put_all(layer *self, const int32_t *names, int32_t count, const tern_operand *next) {
    for (int32_t k = 0; k < count; k++) put(self, names[k], next++);
}

static void measure(layer *self) {
    static const int64_t by_unit[] = {0, 4, 3, 1, 1};
    const tern_operand *x = self->operands[GPU_RECURRENT_X];
    self->l.t = x->shape[0];
    self->l.n = x->shape[1];
    self->l.i = x->shape[2];
    self->l.h = self->operands[GPU_RECURRENT_H0]->shape[1];
    self->l.biased = self->attrs->biased != 0;
    self->l.reverse = self->attrs->reverse != 0;
    self->gates = by_unit[self->attrs->fn] * self->l.h;
}

/* What stands for an operand that the layer does not have is not read. */
static gpu_argument argument(const layer *self, int32_t of) {
    const tern_operand *operand = self->operands[of];
    return gpu_of(operand ? operand : self->operands[GPU_RECURRENT_X]);
}

static int32_t find(const layer *self, int32_t direction, gpu_program **out_program) {
    gpu_variant variant = {GPU_SOURCE_RECURRENT,
                           gpu_class(self->call),
                           {{"DIRECTION", direction},
                            {"DTYPE", self->call->inputs[0].dtype},
                            {"FN", self->attrs->fn}}};
    return gpu_find(self->call, &variant, out_program);
}

static int32_t numbers(const layer *self, int64_t count, tern_bbuffer **out_buffer) {
    return gpu_scratch(self->call, (uint64_t)count * sizeof(double), out_buffer);
}

/* ---- products over all steps ----------------------------------------------------------------- */

/* The dtype of scratch memory: the class's own. */
static int32_t own_dtype(const layer *self) {
    return gpu_class(self->call) == GPU_F64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32;
}

/* Steps and rows of an operand of [t, n, columns] as one index. */
static gpu_steps rows_of(const layer *self, int32_t of) {
    return (gpu_steps){self->l.stride[of][0], self->l.stride[of][1]};
}

/* The same of scratch memory, which lies densely. */
static gpu_steps dense_rows(const layer *self) {
    return (gpu_steps){self->l.n * self->gates, self->gates};
}

static gpu_steps along(int64_t stride) {
    return (gpu_steps){0, stride};
}

/* A product of scratch memory or an operand `a`, and operand `b`, into operand or scratch memory `out`. */
static gpu_product product_of(const layer *self, tern_bbuffer *a, int32_t b, tern_bbuffer *out) {
    int32_t dtype = self->call->inputs[0].dtype, own = own_dtype(self);
    int64_t one = gpu_bits(gpu_class(self->call), 1, 1), rows = self->l.n ? self->l.n : 1;
    gpu_product p = {.batch = 1, .dtypes = {own, dtype, own, own}};
    p.operands[0] = p.operands[2] = GPU_BUFFER(a);
    p.operands[1] = argument(self, b);
    p.operands[3] = GPU_BUFFER(out);
    p.l = (gpu_product_launch){.b_at = self->l.at[b], .alpha = one, .beta = one};
    p.l.m_inner = p.l.k_inner = rows;
    return p;
}

static void put_out(const layer *self, gpu_product *p, int32_t out) {
    p->operands[3] = argument(self, out);
    p->dtypes[3] = self->call->inputs[0].dtype;
    p->l.out_at = self->l.at[out];
    p->l.out_column = self->l.stride[out][2];
}

/* sums[(t n), gates] = x w^T + b. */
static int32_t start_inputs(const layer *self, tern_bbuffer *sums) {
    const gpu_recurrent_launch *l = &self->l;
    gpu_product p = product_of(self, NULL, GPU_RECURRENT_W, sums);
    p.operands[0] = argument(self, GPU_RECURRENT_X);
    p.operands[2] = argument(self, GPU_RECURRENT_B);
    p.dtypes[0] = p.dtypes[2] = self->call->inputs[0].dtype;
    p.has_c = l->biased != 0;
    p.l.m = l->t * l->n, p.l.n = self->gates, p.l.k = l->i;
    p.l.k_inner = l->i ? l->i : 1;
    p.l.a_at = l->at[GPU_RECURRENT_X];
    p.l.a_row = rows_of(self, GPU_RECURRENT_X);
    p.l.a_k = along(l->stride[GPU_RECURRENT_X][2]);
    p.l.b_k = along(l->stride[GPU_RECURRENT_W][2]);
    p.l.b_column = l->stride[GPU_RECURRENT_W][1];
    p.l.c_at = l->at[GPU_RECURRENT_B];
    p.l.c_column = l->stride[GPU_RECURRENT_B][2];
    p.l.out_row = dense_rows(self);
    p.l.out_column = 1;
    return gpu_start_product(self->call, &p);
}

/* dx = da w. */
static int32_t start_dx(const layer *self, tern_bbuffer *da) {
    const gpu_recurrent_launch *l = &self->l;
    gpu_product p = product_of(self, da, GPU_RECURRENT_W, NULL);
    put_out(self, &p, GPU_RECURRENT_DX);
    p.l.m = l->t * l->n, p.l.n = l->i, p.l.k = self->gates;
    p.l.k_inner = self->gates ? self->gates : 1;
    p.l.a_row = dense_rows(self);
    p.l.a_k = along(1);
    p.l.b_k = along(l->stride[GPU_RECURRENT_W][1]);
    p.l.b_column = l->stride[GPU_RECURRENT_W][2];
    p.l.out_row = rows_of(self, GPU_RECURRENT_DX);
    return gpu_start_product(self->call, &p);
}

/* The gradient of weights, of `columns` columns: steps from `first` of d^T times `steps` steps of b. */
static gpu_product weight_of(const layer *self, tern_bbuffer *d, int64_t first, int32_t b,
                             int64_t steps, int64_t columns) {
    const gpu_recurrent_launch *l = &self->l;
    gpu_product p = product_of(self, d, b, NULL);
    p.l.m = self->gates, p.l.n = columns, p.l.k = steps * l->n;
    p.l.m_inner = self->gates ? self->gates : 1;
    p.l.a_at = first * l->n * self->gates;
    p.l.a_row = along(1);
    p.l.a_k = dense_rows(self);
    p.l.b_k = rows_of(self, b);
    p.l.b_column = l->stride[b][2];
    return p;
}

/* dw = da^T x. */
static int32_t start_dw(const layer *self, tern_bbuffer *da) {
    gpu_product p = weight_of(self, da, 0, GPU_RECURRENT_X, self->l.t, self->l.i);
    put_out(self, &p, GPU_RECURRENT_DW);
    p.l.out_row = along(self->l.stride[GPU_RECURRENT_DW][1]);
    return gpu_start_product(self->call, &p);
}

/* du = dm^T (h before each step): h0 in the first, which goes to `first_part`, the y of another in the rest. */
static int32_t start_du(const layer *self, tern_bbuffer *dm, tern_bbuffer *first_part) {
    const gpu_recurrent_launch *l = &self->l;
    int64_t first = l->reverse ? l->t - 1 : 0, rest = l->reverse ? 0 : 1;
    gpu_product p = weight_of(self, dm, first, GPU_RECURRENT_H0, 1, l->h);
    p.operands[3] = GPU_BUFFER(first_part);
    p.l.out_row = along(l->h);
    p.l.out_column = 1;
    int32_t status = gpu_start_product(self->call, &p);
    if (status != TERN_BACKEND_OK) return status;
    p = weight_of(self, dm, rest, GPU_RECURRENT_Y, l->t - 1, l->h);
    p.l.b_at += (1 - rest) * l->stride[GPU_RECURRENT_Y][0];
    p.has_c = true;
    p.operands[2] = GPU_BUFFER(first_part);
    p.l.c_row = l->h;
    p.l.c_column = 1;
    put_out(self, &p, GPU_RECURRENT_DU);
    p.l.out_row = along(l->stride[GPU_RECURRENT_DU][1]);
    return gpu_start_product(self->call, &p);
}

/* ---- forward --------------------------------------------------------------------------------- */

static int32_t start_layer(layer *self, gpu_program *program, tern_bbuffer *sums,
                           tern_bbuffer *states) {
    gpu_argument steps[] = {GPU_BUFFER(sums),
                            argument(self, GPU_RECURRENT_H0),
                            argument(self, GPU_RECURRENT_C0),
                            argument(self, GPU_RECURRENT_U),
                            argument(self, GPU_RECURRENT_D),
                            argument(self, GPU_RECURRENT_Y),
                            argument(self, GPU_RECURRENT_GATES),
                            argument(self, GPU_RECURRENT_CELLS),
                            GPU_BUFFER(states),
                            GPU_VALUE(self->l)};
    int32_t status = start_inputs(self, sums);
    if (status != TERN_BACKEND_OK) return status;
    return gpu_start_groups(self->call, program, 0, steps, GPU_COUNT_OF(steps), self->l.n, 1, 1,
                            LANES);
}

int32_t gpu_recurrent(const gpu_call *call) {
    static const int32_t weights[] = {GPU_RECURRENT_W, GPU_RECURRENT_U, GPU_RECURRENT_B,
                                      GPU_RECURRENT_D};
    layer self = {.call = call, .attrs = call->attrs};
    const tern_operand *in = call->inputs, *out = call->outputs;
    bool has_cells = self.attrs->fn == TERN_RECURRENT_LSTM;
    put(&self, GPU_RECURRENT_X, in++);
    put(&self, GPU_RECURRENT_H0, in++);
    if (has_cells) put(&self, GPU_RECURRENT_C0, in++);
    put_all(&self, weights, self.attrs->biased ? 4 : 2, in);
    put(&self, GPU_RECURRENT_Y, out++);
    if (self.attrs->fn <= TERN_RECURRENT_GRU) put(&self, GPU_RECURRENT_GATES, out++);
    if (has_cells) put(&self, GPU_RECURRENT_CELLS, out);
    measure(&self);
    gpu_program *program;
    tern_bbuffer *sums = NULL, *states = NULL;
    int32_t status = find(&self, FORWARD, &program);
    if (status == TERN_BACKEND_OK) status = numbers(&self, self.l.t * self.l.n * self.gates, &sums);
    if (status == TERN_BACKEND_OK) status = numbers(&self, 3 * self.l.n * self.l.h, &states);
    if (status == TERN_BACKEND_OK) status = start_layer(&self, program, sums, states);
    gpu_scratch_end(call, sums);
    gpu_scratch_end(call, states);
    return status;
}

/* ---- backward -------------------------------------------------------------------------------- */

static int32_t start_back(layer *self, tern_bbuffer *da, tern_bbuffer *dm, tern_bbuffer *states) {
    gpu_argument steps[] = {argument(self, GPU_RECURRENT_DY),
                            argument(self, GPU_RECURRENT_DH),
                            argument(self, GPU_RECURRENT_DC),
                            argument(self, GPU_RECURRENT_H0),
                            argument(self, GPU_RECURRENT_C0),
                            argument(self, GPU_RECURRENT_U),
                            argument(self, GPU_RECURRENT_Y),
                            argument(self, GPU_RECURRENT_GATES),
                            argument(self, GPU_RECURRENT_CELLS),
                            GPU_BUFFER(da),
                            GPU_BUFFER(dm),
                            GPU_BUFFER(states),
                            argument(self, GPU_RECURRENT_DH0),
                            argument(self, GPU_RECURRENT_DC0),
                            GPU_VALUE(self->l)};
    gpu_argument sums[] = {GPU_BUFFER(da), GPU_BUFFER(dm), argument(self, GPU_RECURRENT_DB),
                           argument(self, GPU_RECURRENT_DD), GPU_VALUE(self->l)};
    gpu_program *program;
    int32_t status = find(self, BACKWARD, &program);
    if (status == TERN_BACKEND_OK)
        status = gpu_start_groups(self->call, program, 0, steps, GPU_COUNT_OF(steps), self->l.n, 1,
                                  1, LANES);
    if (status == TERN_BACKEND_OK && self->attrs->biased)
        status = gpu_start(self->call, program, 1, sums, GPU_COUNT_OF(sums), self->gates);
    return status;
}

/* The gradients that are products over all steps and rows. */
static int32_t start_products(layer *self, tern_bbuffer *da, tern_bbuffer *dm) {
    tern_bbuffer *first_part = NULL;
    int32_t status = start_dx(self, da);
    if (status == TERN_BACKEND_OK) status = start_dw(self, da);
    if (status == TERN_BACKEND_OK) status = numbers(self, self->gates * self->l.h, &first_part);
    if (status == TERN_BACKEND_OK) status = start_du(self, dm, first_part);
    gpu_scratch_end(self->call, first_part);
    return status;
}

static void take_gradient_operands(layer *self) {
    static const int32_t sums[] = {GPU_RECURRENT_DW, GPU_RECURRENT_DU, GPU_RECURRENT_DB,
                                   GPU_RECURRENT_DD};
    const tern_operand *in = self->call->inputs, *out = self->call->outputs;
    bool has_cells = self->attrs->fn == TERN_RECURRENT_LSTM;
    put(self, GPU_RECURRENT_DY, in++);
    put(self, GPU_RECURRENT_DH, in++);
    if (has_cells) put(self, GPU_RECURRENT_DC, in++);
    put(self, GPU_RECURRENT_X, in++);
    put(self, GPU_RECURRENT_H0, in++);
    if (has_cells) put(self, GPU_RECURRENT_C0, in++);
    put(self, GPU_RECURRENT_W, in++);
    put(self, GPU_RECURRENT_U, in++);
    put(self, GPU_RECURRENT_Y, in++);
    if (self->attrs->fn <= TERN_RECURRENT_GRU) put(self, GPU_RECURRENT_GATES, in++);
    if (has_cells) put(self, GPU_RECURRENT_CELLS, in);
    put(self, GPU_RECURRENT_DX, out++);
    put(self, GPU_RECURRENT_DH0, out++);
    if (has_cells) put(self, GPU_RECURRENT_DC0, out++);
    put_all(self, sums, self->attrs->biased ? 4 : 2, out);
}

int32_t gpu_recurrent_grad(const gpu_call *call) {
    layer self = {.call = call, .attrs = call->attrs};
    take_gradient_operands(&self);
    measure(&self);
    bool apart = self.attrs->fn == TERN_RECURRENT_GRU; /* dm is not da */
    int64_t all = self.l.t * self.l.n * self.gates;
    tern_bbuffer *da = NULL, *dm = NULL, *states = NULL;
    int32_t status = numbers(&self, all, &da);
    if (status == TERN_BACKEND_OK && apart) status = numbers(&self, all, &dm);
    if (status == TERN_BACKEND_OK) status = numbers(&self, 2 * self.l.n * self.l.h, &states);
    if (status == TERN_BACKEND_OK) status = start_back(&self, da, apart ? dm : da, states);
    if (status == TERN_BACKEND_OK) status = start_products(&self, da, apart ? dm : da);
    gpu_scratch_end(call, da);
    gpu_scratch_end(call, dm);
    gpu_scratch_end(call, states);
    return status;
}
