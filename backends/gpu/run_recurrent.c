/* RECURRENT and RECURRENT_GRAD: kernels/recurrent.inc. */
#include <string.h>

#include "call.h"

#define LANES 64

enum { FORWARD = 0, BACKWARD = 1, TO_X = 2, TO_W = 3, TO_U = 4 };

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
                            {"FN", self->attrs->fn},
                            {"BIASED", self->attrs->biased != 0},
                            {"REVERSE", self->attrs->reverse != 0}}};
    return gpu_find(self->call, &variant, out_program);
}

static int32_t numbers(const layer *self, int64_t count, tern_bbuffer **out_buffer) {
    return gpu_scratch(self->call, (uint64_t)count * sizeof(double), out_buffer);
}

/* ---- forward --------------------------------------------------------------------------------- */

static int32_t start_layer(layer *self, gpu_program *program, tern_bbuffer *sums,
                           tern_bbuffer *states) {
    gpu_argument inputs[] = {argument(self, GPU_RECURRENT_X), argument(self, GPU_RECURRENT_W),
                             argument(self, GPU_RECURRENT_B), GPU_BUFFER(sums), GPU_VALUE(self->l)};
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
    int32_t status = gpu_start_tiles(self->call, program, 0, inputs, GPU_COUNT_OF(inputs),
                                     self->l.t * self->l.n, self->gates, 1);
    if (status != TERN_BACKEND_OK) return status;
    return gpu_start_groups(self->call, program, 1, steps, GPU_COUNT_OF(steps), self->l.n, 1, 1,
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
    int64_t rows = self->l.t * self->l.n;
    gpu_argument x[] = {GPU_BUFFER(da), argument(self, GPU_RECURRENT_W),
                        argument(self, GPU_RECURRENT_DX), GPU_VALUE(self->l)};
    gpu_argument w[] = {GPU_BUFFER(da), argument(self, GPU_RECURRENT_X),
                        argument(self, GPU_RECURRENT_DW), GPU_VALUE(self->l)};
    gpu_argument u[] = {GPU_BUFFER(dm), argument(self, GPU_RECURRENT_H0),
                        argument(self, GPU_RECURRENT_Y), argument(self, GPU_RECURRENT_DU),
                        GPU_VALUE(self->l)};
    gpu_program *program;
    int32_t status = find(self, TO_X, &program);
    if (status == TERN_BACKEND_OK)
        status = gpu_start_tiles(self->call, program, 0, x, GPU_COUNT_OF(x), rows, self->l.i, 1);
    if (status == TERN_BACKEND_OK) status = find(self, TO_W, &program);
    if (status == TERN_BACKEND_OK)
        status =
            gpu_start_tiles(self->call, program, 0, w, GPU_COUNT_OF(w), self->gates, self->l.i, 1);
    if (status == TERN_BACKEND_OK) status = find(self, TO_U, &program);
    if (status == TERN_BACKEND_OK)
        status =
            gpu_start_tiles(self->call, program, 0, u, GPU_COUNT_OF(u), self->gates, self->l.h, 1);
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
