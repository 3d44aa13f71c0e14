/* Capture and replay: the bits of an eager training loop, on every device. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "replay_fixture.h"

TestSuite(replay, .init = replay_begin, .fini = replay_end);

/* ---- a training loop, eager and replayed ----------------------------------------------------- */

enum { STEPS = 6, BATCH = 4, FEATURES = 6, CLASSES = 3 };

typedef struct program {
    const char *input; /* "rows", "images", "tokens" */
    const char *model, *optim, *sched;
    double clip; /* the gradients' norm; 0: not clipped */
} program;

static const program programs[] = {
    {"rows", "Linear(6, 3)", "SGD(lr=0.1)", NULL, 0},
    {"rows", "Sequential(Linear(6, 8), ReLU(), Dropout(0.3), Linear(8, 3))",
     "SGD(lr=0.1, momentum=0.9, nesterov=True)", "StepLR(step_size=2, gamma=0.5)", 0.5},
    {"rows", "Sequential(Linear(6, 8), BatchNorm1d(8), GELU(), Linear(8, 3))", "AdamW(lr=0.01)",
     "CosineAnnealingLR(T_max=5)", 1},
    {"rows", "Sequential(Linear(6, 8), BatchNorm1d(8, momentum=None), ReLU(), Linear(8, 3))",
     "SGD(lr=0.1, momentum=0.9)", NULL, 0},
    {"images", "Sequential(Conv2d(1, 4, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(36, 3))",
     "Adam(lr=0.01)", "ExponentialLR(gamma=0.9)", 0},
    {"tokens",
     "Sequential(Embedding(10, 8), TransformerEncoderLayer(8, 2, 16, batch_first=True), "
     "Flatten(), Linear(40, 3))",
     "RMSprop(lr=0.01, momentum=0.5)", NULL, 0},
};

typedef struct trained {
    double losses[STEPS];
    float weights[4096];
    size_t n_weights;
    double drawn; /* what the default generator gives next */
} trained;

static tern_tensor *batch_of(const program *p, int step) {
    tern_generator *g = tern_generator_new(ctx);
    tern_generator_seed(g, 100 + step);
    if (strcmp(p->input, "images") == 0) return tern_randn(ctx, TERN_SHAPE(BATCH, 1, 8, 8), g);
    if (strcmp(p->input, "tokens") == 0) return tern_randint(ctx, 0, 10, TERN_SHAPE(BATCH, 5), g);
    return tern_randn(ctx, TERN_SHAPE(BATCH, FEATURES), g);
}

static tern_tensor *targets_of(int step) {
    tern_generator *g = tern_generator_new(ctx);
    tern_generator_seed(g, 200 + step);
    return tern_randint(ctx, 0, CLASSES, TERN_SHAPE(BATCH), g);
}

typedef struct trainer {
    const program *p;
    tern_module *model;
    tern_optim *optim;
    tern_sched *sched;
} trainer;

static tern_tensor *body(const trainer *t, tern_tensor *x, tern_tensor *y) {
    tern_optim_zero_grad(t->optim);
    tern_tensor *loss = tern_cross_entropy(tern_forward(t->model, x), y, TERN_MEAN);
    tern_backward(loss);
    if (t->p->clip > 0)
        tern_clip_grad_norm(ctx, tern_module_parameters(t->model), t->p->clip, 2, false);
    tern_optim_step(t->optim);
    if (t->sched) tern_sched_step(t->sched);
    return loss;
}

static void read_weights(const trainer *t, trained *out) {
    tern_value key, item, state = tern_module_state_dict(t->model);
    for (size_t i = 0; tern_dict_at(state, i, &key, &item); i++) {
        size_t count = (size_t)tern_numel(item.as.tensor);
        double wide[4096];
        cr_assert(out->n_weights + count <= 4096);
        cr_assert_eq(tern_to_doubles(item.as.tensor, wide, count), TERN_OK);
        for (size_t k = 0; k < count; k++) out->weights[out->n_weights++] = (float)wide[k];
    }
}

/* `captured` is the step whose body is captured, and behind which it is replayed; -1: none. */
static trained train(const char *device, const program *p, int captured) {
    static trained out;
    memset(&out, 0, sizeof out);
    close_context();
    ctx = tern_open(device);
    tern_manual_seed(ctx, 7);
    trainer t = {.p = p, .model = tern_nn(ctx, p->model)};
    t.optim = tern_optim_new(t.model, p->optim);
    if (p->sched) t.sched = tern_sched_new(t.optim, p->sched);
    tern_replay *replay = NULL;
    for (int step = 0; step < STEPS; step++) {
        tern_tensor *inputs[] = {batch_of(p, step), targets_of(step)};
        if (replay) {
            tern_replay_run(replay, inputs, 2);
            out.losses[step] = tern_item(tern_replay_output(replay, 0));
            continue;
        }
        if (step == captured) tern_capture_begin(ctx, inputs, 2);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *loss = body(&t, inputs[0], inputs[1]);
        if (step == captured) replay = tern_capture_end(ctx, &loss, 1);
        out.losses[step] = tern_item(loss);
        tern_scope_end(scope);
    }
    CHECK_CLEAN();
    read_weights(&t, &out);
    out.drawn = tern_item(tern_rand(ctx, TERN_SHAPE(1), NULL));
    CHECK_CLEAN();
    return out;
}

static void compare(const char *device, size_t which) {
    trained eager = train(device, &programs[which], -1);
    trained replayed = train(device, &programs[which], 1);
    for (int i = 0; i < STEPS; i++)
        cr_assert_eq(eager.losses[i], replayed.losses[i], "%s, program %zu, step %d: %.9g, %.9g",
                     device, which, i, eager.losses[i], replayed.losses[i]);
    cr_assert_eq(eager.n_weights, replayed.n_weights);
    cr_assert_eq(memcmp(eager.weights, replayed.weights, eager.n_weights * sizeof(float)), 0,
                 "%s, program %zu: weights", device, which);
    cr_assert_eq(eager.drawn, replayed.drawn);
}

Test(replay, training_has_the_bits_of_the_eager_loop) {
    const char *const devices[] = {"cpu_ref", "discrete", "delaying", "cpu_simd"};
    for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) compare(devices[d], i);
}
