/*
 * model-launches: how many kernels a training step starts, on the device `counting`, which fuses all.
 *
 * Each row is a model with a limit for its whole step: forward, loss, backward and the optimizer's step.
 * A steady step is counted, the third: what the first does once is left out.
 */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

enum { STEADY = 3, TIME_STEPS = 20 };

typedef struct subject {
    tern_ctx *ctx;
    tern_module *model;
    tern_optim *optim;
    tern_tensor *input, *target;
} subject;

typedef struct counts {
    uint64_t forward, backward, step;
} counts;

typedef struct row {
    const char *name;
    void (*prepare)(subject *s);
    tern_tensor *(*loss)(subject *s); /* the forward pass */
    counts limit;                     /* 0: not limited by itself */
    uint64_t all;                     /* 0 likewise */
} row;

/* ---- models ---------------------------------------------------------------------------------- */

static void use(subject *s, tern_module *model, const char *optim) {
    s->model = model;
    s->optim = model ? tern_optim_new(model, optim) : NULL;
}

static tern_tensor *classify(subject *s) {
    return tern_cross_entropy(tern_forward(s->model, s->input), s->target, TERN_MEAN);
}

static void prepare_line(subject *s) {
    use(s, tern_nn(s->ctx, "Linear(1, 1)"), "SGD(lr=0.01)");
    s->input = tern_ones(s->ctx, TERN_SHAPE(40, 1), TERN_FLOAT32);
    s->target = tern_ones(s->ctx, TERN_SHAPE(40, 1), TERN_FLOAT32);
}

static tern_tensor *distance(subject *s) {
    return tern_l1_loss(tern_forward(s->model, s->input), s->target, TERN_MEAN);
}

static void prepare_images(subject *s, const char *optim) {
    use(s,
        tern_nn(
            s->ctx,
            "Sequential(Sequential(Conv2d(1, 10, 3, padding=1), ReLU(), Conv2d(10, 10, 3, "
            "padding=1), ReLU(), MaxPool2d(2)), Sequential(Conv2d(10, 10, 3, padding=1), ReLU(), "
            "Conv2d(10, 10, 3, padding=1), ReLU(), MaxPool2d(2)), Sequential(Flatten(), "
            "Linear(490, 10)))"),
        optim);
    s->input = tern_ones(s->ctx, TERN_SHAPE(2, 1, 28, 28), TERN_FLOAT32);
    s->target = tern_zeros(s->ctx, TERN_SHAPE(2), TERN_INT64);
}

static void prepare_images_sgd(subject *s) {
    prepare_images(s, "SGD(lr=0.1)");
}

static void prepare_images_adam(subject *s) {
    prepare_images(s, "Adam(lr=0.001)");
}

/* ---- a block of a GPT, as its authors write it ----------------------------------------------- */

enum { WIDTH = 16, HEADS = 4 };

typedef struct block {
    tern_module module;
    tern_module *ln1, *qkv, *proj, *ln2, *fc, *out;
} block;

static tern_status block_init(tern_module *self) {
    block *m = (block *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_linear_options plain = TERN_LINEAR_OPTIONS;
    plain.bias = false;
    m->ln1 = tern_module_child(self, "ln1", tern_nn_layer_norm(ctx, TERN_SHAPE(WIDTH), NULL));
    m->qkv = tern_module_child(self, "qkv", tern_nn_linear(ctx, WIDTH, 3 * WIDTH, &plain));
    m->proj = tern_module_child(self, "proj", tern_nn_linear(ctx, WIDTH, WIDTH, NULL));
    m->ln2 = tern_module_child(self, "ln2", tern_nn_layer_norm(ctx, TERN_SHAPE(WIDTH), NULL));
    m->fc = tern_module_child(self, "fc", tern_nn_linear(ctx, WIDTH, 4 * WIDTH, NULL));
    m->out = tern_module_child(self, "out", tern_nn_linear(ctx, 4 * WIDTH, WIDTH, NULL));
    return tern_check(ctx);
}

static tern_tensor *by_heads(tern_tensor *qkv, int64_t index) {
    tern_tensor *part = tern_narrow(qkv, 2, index * WIDTH, WIDTH);
    tern_shape shape = TERN_SHAPE(tern_size(part, 0), tern_size(part, 1), HEADS, WIDTH / HEADS);
    return tern_transpose(tern_reshape(part, shape), 1, 2);
}

static tern_tensor *block_forward(tern_module *self, tern_tensor *x) {
    const block *m = (block *)self;
    tern_tensor *qkv = tern_forward(m->qkv, tern_forward(m->ln1, x));
    tern_tensor *a = tern_scaled_dot_product_attention(by_heads(qkv, 0), by_heads(qkv, 1),
                                                       by_heads(qkv, 2), NULL, true);
    a = tern_reshape(tern_transpose(a, 1, 2), tern_shape_of(x));
    x = tern_add(x, tern_forward(m->proj, a));
    tern_tensor *wide = tern_gelu(tern_forward(m->fc, tern_forward(m->ln2, x)));
    return tern_add(x, tern_forward(m->out, wide));
}

static const tern_module_class block_class = {
    TERN_MODULE_CLASS("Block()", block),
    .init = block_init,
    .forward = block_forward,
};

static void prepare_block(subject *s) {
    use(s, tern_module_new(s->ctx, &block_class, NULL), "AdamW(lr=0.001)");
    s->input = tern_requires_grad(tern_ones(s->ctx, TERN_SHAPE(2, 8, WIDTH), TERN_FLOAT32), true);
}

static tern_tensor *sum_of_output(subject *s) {
    return tern_sum(tern_forward(s->model, s->input));
}

/* ---- an LSTM layer over a sequence ----------------------------------------------------------- */

static void prepare_lstm(subject *s) {
    use(s, tern_nn_lstm(s->ctx, 4, 8, NULL), "SGD(lr=0.1)");
    s->input = tern_ones(s->ctx, TERN_SHAPE(TIME_STEPS, 2, 4), TERN_FLOAT32);
}

static void prepare_composed_lstm(subject *s) {
    prepare_lstm(s);
    tern_set_composed(s->ctx, "recurrent", true);
}

static tern_tensor *sum_of_sequence(subject *s) {
    tern_value input = tern_tensor_value(s->input);
    tern_value output = tern_value_at(tern_module_call(s->model, &input, 1, tern_none()), 0);
    return output.kind == TERN_VALUE_TENSOR ? tern_sum(output.as.tensor) : tern_nil(s->ctx);
}

/* ---- single operations: 1 launch forward and 1 backward -------------------------------------- */

static void prepare_leaf(subject *s) {
    s->input = tern_requires_grad(tern_ones(s->ctx, TERN_SHAPE(4, 6), TERN_FLOAT32), true);
    s->target = tern_zeros(s->ctx, TERN_SHAPE(4), TERN_INT64);
}

static tern_tensor *loss_of_classes(subject *s) {
    return tern_cross_entropy(s->input, s->target, TERN_MEAN);
}
static tern_tensor *gelu(subject *s) {
    return tern_gelu(s->input);
}
static tern_tensor *softmax(subject *s) {
    return tern_softmax(s->input, 1);
}
static tern_tensor *log_softmax(subject *s) {
    return tern_log_softmax(s->input, 1);
}
static tern_tensor *dropout(subject *s) {
    return tern_dropout(s->input, 0.5, true);
}

/* A module whose parameters take part in the backward pass. */
static void prepare_module(subject *s, const char *model, tern_shape shape) {
    s->model = tern_nn(s->ctx, model);
    s->input = tern_requires_grad(tern_ones(s->ctx, shape, TERN_FLOAT32), true);
}
static void prepare_layer_norm(subject *s) {
    prepare_module(s, "LayerNorm(6)", TERN_SHAPE(4, 6));
}
static void prepare_rms_norm(subject *s) {
    prepare_module(s, "RMSNorm(6)", TERN_SHAPE(4, 6));
}
static void prepare_group_norm(subject *s) {
    prepare_module(s, "GroupNorm(2, 6)", TERN_SHAPE(4, 6, 3));
}
static void prepare_instance_norm(subject *s) {
    prepare_module(s, "InstanceNorm1d(6)", TERN_SHAPE(4, 6, 3));
}
static void prepare_max_pool(subject *s) {
    prepare_module(s, "MaxPool2d(2)", TERN_SHAPE(1, 2, 4, 4));
}
static void prepare_avg_pool(subject *s) {
    prepare_module(s, "AvgPool2d(2)", TERN_SHAPE(1, 2, 4, 4));
}
static void prepare_embedding(subject *s) {
    s->model = tern_nn(s->ctx, "Embedding(8, 4)");
    s->input = tern_zeros(s->ctx, TERN_SHAPE(2, 3), TERN_INT64);
}
static tern_tensor *output(subject *s) {
    return tern_forward(s->model, s->input);
}

static void prepare_attention(subject *s) {
    s->input = tern_requires_grad(tern_ones(s->ctx, TERN_SHAPE(2, 2, 5, 4), TERN_FLOAT32), true);
}
static tern_tensor *attention(subject *s) {
    return tern_scaled_dot_product_attention(s->input, tern_detach(s->input), tern_detach(s->input),
                                             NULL, true);
}

static const row rows[] = {
    {"Linear(1, 1), L1, SGD", prepare_line, distance, {3, 3, 1}, 7},
    {"TinyVGG, SGD", prepare_images_sgd, classify, {0}, 38},
    {"TinyVGG, Adam", prepare_images_adam, classify, {0}, 38},
    {"GPT block, AdamW", prepare_block, sum_of_output, {0}, 45},
    {"LSTM over 20 steps, SGD", prepare_lstm, sum_of_sequence, {0}, 10},
    {"LSTM over 20 steps, composed",
     prepare_composed_lstm,
     sum_of_sequence,
     {0},
     UINT64_C(8) * TIME_STEPS},
    {"cross_entropy", prepare_leaf, loss_of_classes, {1, 1, 0}, 0},
    {"gelu", prepare_leaf, gelu, {1, 1, 0}, 0},
    {"softmax", prepare_leaf, softmax, {1, 1, 0}, 0},
    {"log_softmax", prepare_leaf, log_softmax, {1, 1, 0}, 0},
    {"dropout", prepare_leaf, dropout, {1, 1, 0}, 0},
    {"layer_norm", prepare_layer_norm, output, {1, 1, 0}, 0},
    {"rms_norm", prepare_rms_norm, output, {1, 1, 0}, 0},
    {"group_norm", prepare_group_norm, output, {1, 1, 0}, 0},
    {"instance_norm", prepare_instance_norm, output, {1, 1, 0}, 0},
    {"max_pool2d", prepare_max_pool, output, {1, 1, 0}, 0},
    {"avg_pool2d", prepare_avg_pool, output, {1, 1, 0}, 0},
    {"embedding", prepare_embedding, output, {1, 1, 0}, 0},
    {"attention", prepare_attention, attention, {1, 1, 0}, 0},
};

enum { N_ROWS = sizeof rows / sizeof rows[0] };

/* ---- counting -------------------------------------------------------------------------------- */

static uint64_t launches(const subject *s) {
    return tern_stats_of(s->ctx).launches;
}

static counts run_step(const row *r, subject *s) {
    tern_scope scope = tern_scope_begin(s->ctx, 0);
    if (s->optim) tern_optim_zero_grad(s->optim);
    if (!s->optim && s->model) tern_module_zero_grad(s->model);
    if (!tern_is_nil(s->input)) tern_set_grad(s->input, NULL);
    uint64_t begin = launches(s);
    tern_tensor *loss = r->loss(s);
    uint64_t forward = launches(s);
    /* Of one that is no loss, the gradient is given: a tensor of the program's. */
    tern_tensor *grad = tern_numel(loss) == 1 ? NULL : tern_clone(tern_detach(loss));
    uint64_t before = launches(s);
    tern_backward_with(loss, grad, 0);
    uint64_t backward = launches(s);
    if (s->optim) tern_optim_step(s->optim);
    counts c = {forward - begin, backward - before, launches(s) - backward};
    tern_scope_end(scope);
    return c;
}

static bool within(uint64_t count, uint64_t limit) {
    return limit == 0 || count <= limit;
}

/* A step that started nothing was not counted. */
static bool is_within(const row *r, const counts *c) {
    uint64_t all = c->forward + c->backward + c->step;
    return c->forward > 0 && c->backward > 0 && within(c->forward, r->limit.forward) &&
           within(c->backward, r->limit.backward) && within(c->step, r->limit.step) &&
           within(all, r->all);
}

static bool count(const row *r) {
    subject s = {.ctx = tern_open("counting")};
    counts c = {0};
    tern_manual_seed(s.ctx, 42);
    r->prepare(&s);
    for (int i = 0; i < STEADY && tern_check(s.ctx) == TERN_OK; i++) c = run_step(r, &s);
    bool good = tern_check(s.ctx) == TERN_OK && is_within(r, &c);
    printf("%-30s %4llu + %llu + %llu = %llu launches%s\n", r->name, (unsigned long long)c.forward,
           (unsigned long long)c.backward, (unsigned long long)c.step,
           (unsigned long long)(c.forward + c.backward + c.step), good ? "" : ": TOO MANY");
    if (tern_check(s.ctx) != TERN_OK)
        fprintf(stderr, "model-launches: %s: %s\n", r->name, tern_error(s.ctx));
    return tern_close(s.ctx) == TERN_OK && good;
}

int main(void) {
    unsigned wrong = 0;
    for (size_t i = 0; i < N_ROWS; i++) wrong += !count(&rows[i]);
    if (wrong) fprintf(stderr, "model-launches: %u of %u rows\n", wrong, (unsigned)N_ROWS);
    return wrong > 0;
}
