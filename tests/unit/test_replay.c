/* Capture and replay: the body's bits on every device; what is refused, and why. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "nn_fixture.h"
#include "tern/replay.h"
#include "test_plugins.h"

static void begin(void) {
    find_test_plugins();
    open_context();
}
static void end(void) {
    close_context();
    forget_test_plugins();
}

TestSuite(replay, .init = begin, .fini = end);

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

/* ---- one body -------------------------------------------------------------------------------- */

static tern_tensor *row(double first) {
    const float data[] = {(float)first, 2, 3};
    return floats(TERN_SHAPE(3), data);
}

static tern_replay *captured_sum(tern_tensor *x) {
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tern_sum(tern_exp(tern_mul(x, x)));
    return tern_capture_end(ctx, &out, 1);
}

Test(replay, what_a_plan_consists_of) {
    tern_tensor *x = row(1);
    tern_capture_begin(ctx, &x, 1);
    cr_assert(tern_is_capturing(ctx));
    tern_tensor *unread = tern_sin(x);
    tern_tensor *out = tern_add(tern_exp(x), tern_arange(ctx, 0, 3, 1));
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    CHECK_CLEAN();
    cr_assert(!tern_is_capturing(ctx) && unread);
    tern_replay_info info = tern_replay_describe(replay);
    cr_assert(info.launches < info.captured_launches, "%zu of %zu", info.launches,
              info.captured_launches);
    cr_assert(info.block_bytes > 0 && info.kept_bytes >= 12);
    tern_tensor *other = row(0);
    cr_assert_eq(tern_replay_run(replay, &other, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_replay_output(replay, 0), 0), 1, 0);
    cr_assert_float_eq(at(out, 2), at(tern_add_scalar(tern_exp(other), 2), 2), 0);
    cr_assert(tern_is_nil(tern_replay_output(replay, 1)));
    CHECK_ERROR("tern_replay_output: number 1 of 1 outputs");
    tern_replay_free(replay);
    cr_assert_eq(tern_replay_run(replay, &other, 1), TERN_ERR_STATE);
    tern_error_clear(ctx);
}

/* A tensor from outside that holds one number, in no memory yet, is read as it is at each run. */
Test(replay, state_from_outside_is_read_and_written_where_it_is) {
    tern_tensor *x = row(1), *total = tern_zeros(ctx, TERN_SHAPE(3), TERN_FLOAT32);
    tern_capture_begin(ctx, &x, 1);
    tern_add_in_place(total, x);
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    for (int i = 0; i < 3; i++) tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_float_eq(at(total, 0), 4, 0);
    tern_fill_in_place(total, 10);
    tern_replay_run(replay, &x, 1);
    cr_assert_float_eq(at(total, 2), 13, 0);
    tern_capture_begin(ctx, &x, 1); /* a number that the body writes itself is written again */
    tern_fill_in_place(total, 5);
    tern_add_in_place(total, x);
    replay = tern_capture_end(ctx, NULL, 0);
    for (int i = 0; i < 3; i++) tern_replay_run(replay, &x, 1);
    cr_assert_float_eq(at(total, 0), 6, 0);
    CHECK_CLEAN();
}

Test(replay, a_view_of_an_input_follows_it) {
    tern_tensor *data = tern_reshape(tern_arange(ctx, 0, 24, 1), TERN_SHAPE(6, 4));
    tern_tensor *x = tern_slice(data, 0, 1, 3, 1);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tern_sum(tern_select(x, 0, 1));
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    x = tern_slice(data, 0, 4, 6, 1);
    tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_float_eq(tern_item(tern_replay_output(replay, 0)), 20 + 21 + 22 + 23, 0);
}

/* A device may keep a constant weight packed: for the weight that it was. */
Test(replay, weights_that_change_between_runs_are_read_anew) {
    close_context();
    ctx = tern_open("cpu_simd");
    tern_manual_seed(ctx, 3);
    tern_module *m = tern_nn(ctx, "Linear(64, 64)");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(8, 64), NULL);
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_forward(m, x);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tern_forward(m, x);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    for (int i = 0; i < 3; i++) {
        tern_init_uniform(tern_module_tensor(m, "weight"), -1, 1, NULL);
        tern_replay_run(replay, &x, 1);
        tern_tensor *difference = tern_sub(tern_forward(m, x), tern_replay_output(replay, 0));
        cr_assert_lt(tern_item(tern_max(tern_abs(difference))), 1e-5);
    }
    tern_scope_end(scope);
    CHECK_CLEAN();
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void bce_step(tern_module *m, tern_optim *sgd, tern_tensor *x) {
    tern_tensor *target = tern_full(ctx, TERN_SHAPE(1), 0.25, TERN_FLOAT32);
    tern_optim_zero_grad(sgd);
    tern_backward(tern_binary_cross_entropy(tern_forward(m, x), target, NULL, TERN_MEAN));
    tern_optim_step(sgd);
}

static const char SMALL_LINEAR[] = "Linear(3, 1, bias=False)";

/* Binary cross entropy looks at its input in each run: a run that it refuses changes no weight. */
static void check_bce_looks_in_each_run(const char *device) {
    close_context();
    ctx = tern_open(device);
    tern_module *models[] = {tern_nn(ctx, SMALL_LINEAR), tern_nn(ctx, SMALL_LINEAR)};
    tern_optim *optims[2];
    for (int i = 0; i < 2; i++) {
        tern_init_constant(tern_module_tensor(models[i], "weight"), 0.02);
        optims[i] = tern_optim_new(models[i], "SGD(lr=0.01)");
        tern_scope scope = tern_scope_begin(ctx, 0);
        bce_step(models[i], optims[i], row(1));
        tern_scope_end(scope);
    }
    tern_tensor *x = row(1), *other = row(2), *too_large = row(1000);
    tern_tensor *weights[] = {tern_module_tensor(models[0], "weight"),
                              tern_module_tensor(models[1], "weight")};
    cr_assert_eq(tern_capture_begin(ctx, &x, 1), TERN_OK);
    tern_scope scope = tern_scope_begin(ctx, 0);
    bce_step(models[0], optims[0], x);
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    tern_scope_end(scope);
    bce_step(models[1], optims[1], x);
    cr_assert_eq(tern_replay_run(replay, &other, 1), TERN_OK, "%s", tern_error(ctx));
    bce_step(models[1], optims[1], other);
    cr_assert(tern_equal(weights[0], weights[1]));
    cr_assert_eq(tern_replay_run(replay, &too_large, 1), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_replay_run: nn.functional.binary_cross_entropy: all elements of input should "
                "be between 0 and 1");
    cr_assert(tern_equal(weights[0], weights[1]));
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_OK);
    bce_step(models[1], optims[1], x);
    cr_assert(tern_equal(weights[0], weights[1]));
    CHECK_CLEAN();
}

Test(replay, what_a_loss_looks_at_is_looked_at_in_each_run) {
    check_bce_looks_in_each_run("cpu_ref");
    check_bce_looks_in_each_run("discrete");
    check_bce_looks_in_each_run("delaying");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(const char *reason) {
    const char *told = tern_capture_refusal(ctx);
    cr_assert(!told || strstr(told, reason), "%s, not: %s", told, reason);
    cr_assert_null(tern_capture_end(ctx, NULL, 0));
    cr_assert_eq(tern_check(ctx), TERN_ERR_UNSUPPORTED);
    CHECK_ERROR_HAS(reason);
    cr_assert(!tern_is_capturing(ctx));
}

static void capture(tern_tensor *x) {
    cr_assert_eq(tern_capture_begin(ctx, &x, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_null(tern_capture_refusal(ctx));
}

Test(replay, what_cannot_be_repeated_is_refused) {
    tern_tensor *x = row(1);
    capture(x);
    cr_assert_float_eq(tern_item(tern_sum(x)), 6, 0); /* the body itself goes on */
    check_refused("reads a tensor's values");
    capture(x);
    tern_value args[] = {tern_tensor_value(x)};
    tern_call(ctx, "nonzero", args, 1, tern_none());
    check_refused("reads a tensor's values");
    capture(x);
    row(2);
    check_refused("takes data from the host");
    capture(x);
    tern_manual_seed(ctx, 1);
    check_refused("seeds a generator");
    capture(x);
    tern_to_device(x, "discrete");
    check_refused("reads a tensor's values");
    tern_module *m = tern_nn(ctx, "Linear(3, 1)");
    tern_optim *adam = tern_optim_new(m, "Adam()");
    capture(x);
    tern_optim_zero_grad(adam);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_optim_step(adam);
    check_refused("run one step before capturing");
    tern_optim_zero_grad(adam);
    capture(x);
    tern_backward(tern_sum(tern_forward(m, x)));
    check_refused("makes a .grad that was empty");
    capture(x);
    tern_nn(ctx, "Linear(3, 1)");
    tern_capture_cancel(ctx);
    cr_assert(!tern_is_capturing(ctx));
    CHECK_CLEAN();
}

Test(replay, what_has_changed_is_refused) {
    tern_tensor *x = row(1), *wide = tern_zeros(ctx, TERN_SHAPE(4), TERN_FLOAT32);
    tern_replay *replay = captured_sum(x);
    cr_assert_eq(tern_replay_run(replay, &wide, 1), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_replay_run: input 0 is float32 [4], but it was captured as float32 [3]");
    cr_assert_eq(tern_replay_run(replay, NULL, 0), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_replay_run: 0 inputs, 1 were captured");
    tern_module *m = tern_nn(ctx, "Linear(3, 1)");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    capture(x);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_optim_zero_grad(sgd);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_optim_step(sgd);
    replay = tern_capture_end(ctx, NULL, 0);
    tern_scope_end(scope);
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_OK, "%s", tern_error(ctx));
    tern_optim_set(sgd, 0, "weight_decay", tern_float(0.1));
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_ERR_STATE);
    CHECK_ERROR_HAS("an option of SGD that decides the form of its update has changed");
    tern_optim_set(sgd, 0, "weight_decay", tern_float(0));
    tern_module_to(m, "discrete");
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_ERR_STATE);
    CHECK_ERROR_HAS("has moved to other memory since the body was captured");
    tern_optim_free(sgd);
}

Test(replay, inputs_that_cannot_be_exchanged_are_refused) {
    tern_tensor *x = row(1), *both[] = {x, tern_slice(x, 0, 0, 2, 1)};
    cr_assert_eq(tern_capture_begin(ctx, both, 2), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_capture_begin: input 1 shares memory with another one: clone one of them");
    both[1] = x; /* but one tensor may be two inputs, as of an autoencoder */
    cr_assert_eq(tern_capture_begin(ctx, both, 2), TERN_OK);
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    both[1] = row(2);
    cr_assert_eq(tern_replay_run(replay, both, 2), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("input 1 is another tensor than input 0");
    tern_tensor *leaf = tern_requires_grad(row(1), true);
    cr_assert_eq(tern_capture_begin(ctx, &leaf, 1), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("requires a gradient");
    capture(x);
    cr_assert_eq(tern_capture_begin(ctx, &x, 1), TERN_ERR_STATE);
    CHECK_ERROR_HAS("a body is captured already");
    tern_capture_cancel(ctx);
    cr_assert_null(tern_capture_end(ctx, NULL, 0));
    CHECK_ERROR_HAS("nothing is captured");
}

/* Gradients are where the last run left them, whatever happened between. */
Test(replay, gradients_of_the_last_run_are_in_grad) {
    tern_module *m = tern_nn(ctx, "Linear(3, 1)");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    tern_tensor *x = row(1), *other = row(5), *weight = tern_module_tensor(m, "weight");
    capture(x);
    tern_optim_zero_grad(sgd);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    tern_optim_zero_grad(sgd);
    cr_assert_null(tern_grad_of(weight));
    tern_backward(tern_sum(tern_forward(m, other)));
    cr_assert_float_eq(at(tern_grad_of(weight), 0), 5, 0);
    tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_float_eq(at(tern_grad_of(weight), 0), 1, 0);
}

/* A run that fails before its update changes no weight and counts no step. */
Test(replay, a_failed_run_is_no_step) {
    tern_module *m = tern_nn(ctx, "Sequential(Embedding(4, 3), Linear(3, 2))");
    tern_optim *adam = tern_optim_new(m, "Adam(lr=0.1)");
    const int64_t rows[] = {0, 3}, bad[] = {0, 4};
    tern_tensor *good = tern_from_data(ctx, rows, TERN_SHAPE(2), TERN_INT64), *inputs[] = {good};
    tern_tensor *worse = tern_from_data(ctx, bad, TERN_SHAPE(2), TERN_INT64);
    tern_replay *replay = NULL;
    for (int i = 0; i < 2; i++) {
        if (i == 1) capture(good);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_zero_grad(adam);
        tern_backward(tern_sum(tern_forward(m, good)));
        tern_optim_step(adam);
        if (i == 1) replay = tern_capture_end(ctx, NULL, 0);
        tern_scope_end(scope);
    }
    char before[8192];
    strcpy(before, repr_of(tern_optim_state_dict(adam)));
    inputs[0] = worse;
    cr_assert_eq(tern_replay_run(replay, inputs, 1), TERN_ERR_INDEX);
    tern_error_clear(ctx);
    cr_assert_str_eq(repr_of(tern_optim_state_dict(adam)), before);
    inputs[0] = good;
    cr_assert_eq(tern_replay_run(replay, inputs, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_neq(repr_of(tern_optim_state_dict(adam)), before);
    CHECK_CLEAN();
}

/* ---- without memory -------------------------------------------------------------------------- */

Test(replay, any_allocation_may_fail) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 2), Dropout(0.5))");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    tern_tensor *x = row(1);
    int failures = 0;
    for (uint64_t n = 1; n < 400; n++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_fail_allocation(n);
        tern_capture_begin(ctx, &x, 1);
        tern_optim_zero_grad(sgd);
        tern_tensor *loss = tern_sum(tern_forward(m, x));
        tern_backward(loss);
        tern_optim_step(sgd);
        tern_replay *replay = tern_capture_end(ctx, &loss, 1);
        tern_replay_run(replay, &x, 1);
        tern_fail_allocation(0);
        tern_capture_cancel(ctx);
        failures += tern_check(ctx) == TERN_ERR_OUT_OF_MEMORY;
        cr_assert(tern_check(ctx) == TERN_OK || tern_check(ctx) == TERN_ERR_OUT_OF_MEMORY, "%s",
                  tern_error(ctx));
        tern_error_clear(ctx);
        tern_scope_end(scope);
    }
    cr_assert_gt(failures, 5);
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { VGG_BATCH = 32 };

typedef struct vgg {
    tern_module *model;
    tern_optim *optim;
    tern_tensor *inputs[2];
} vgg;

static vgg vgg_on(const char *device) {
    tern_close(ctx);
    ctx = tern_open(device);
    cr_assert_not_null(ctx, "%s", device);
    tern_manual_seed(ctx, 1);
    vgg v = {0};
    v.model = tern_nn(
        ctx, "Sequential(Conv2d(1, 10, 3, padding=1), ReLU(), Conv2d(10, 10, 3, padding=1), "
             "ReLU(), MaxPool2d(2), Conv2d(10, 10, 3, padding=1), ReLU(), "
             "Conv2d(10, 10, 3, padding=1), ReLU(), MaxPool2d(2), Flatten(), Linear(490, 10))");
    v.optim = tern_optim_new(v.model, "SGD(lr=0.1)");
    v.inputs[0] = tern_rand(ctx, TERN_SHAPE(VGG_BATCH, 1, 28, 28), NULL);
    v.inputs[1] = tern_randint(ctx, 0, 10, TERN_SHAPE(VGG_BATCH), NULL);
    return v;
}

static tern_tensor *vgg_step(const vgg *v) {
    tern_optim_zero_grad(v->optim);
    tern_tensor *loss =
        tern_cross_entropy(tern_forward(v->model, v->inputs[0]), v->inputs[1], TERN_MEAN);
    tern_backward(loss);
    tern_optim_step(v->optim);
    return loss;
}

/* The most memory that an eager step needs, with weights, gradients and inputs. */
static uint64_t eager_peak(const vgg *v, double *out_loss) {
    for (int i = 0; i < 3; i++) {
        if (i == 1) tern_reset_peak(ctx); /* gradients are there */
        tern_scope scope = tern_scope_begin(ctx, 0);
        *out_loss = tern_item(vgg_step(v));
        tern_scope_end(scope);
    }
    return tern_stats_of(ctx).device_bytes_peak;
}

static uint64_t replayed_peak(const vgg *v, double *out_loss) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    vgg_step(v);
    tern_scope_end(scope);
    tern_capture_begin(ctx, v->inputs, 2);
    scope = tern_scope_begin(ctx, 0);
    tern_tensor *loss = vgg_step(v);
    tern_replay *replay = tern_capture_end(ctx, &loss, 1);
    tern_scope_end(scope);
    tern_reset_peak(ctx);
    tern_replay_run(replay, v->inputs, 2);
    *out_loss = tern_item(tern_replay_output(replay, 0));
    uint64_t peak = tern_stats_of(ctx).device_bytes_peak;
    tern_replay_info info = tern_replay_describe(replay);
    cr_assert_gt(info.repeated_launches, 0);
    cr_assert_lt(info.block_bytes, peak);
    /* the first block's output and the gradients of both its convolutions' outputs: one of them at a time may be
     * computed again, and a mask of one byte an element is kept */
    cr_assert_leq(info.block_bytes, (uint64_t)VGG_BATCH * 10 * 784 * (4 + 4 + 1) + 16384);
    return peak;
}

static void check_vgg(const char *device) {
    double eager, replayed;
    vgg v = vgg_on(device);
    uint64_t usual = eager_peak(&v, &eager);
    v = vgg_on(device);
    uint64_t planned = replayed_peak(&v, &replayed);
    CHECK_CLEAN();
    cr_assert(eager == replayed, "%s: %a, %a", device, eager, replayed);
    cr_assert_leq((double)planned, 0.6 * (double)usual, "%s: %llu of %llu bytes", device,
                  (unsigned long long)planned, (unsigned long long)usual);
}

Test(replay, a_planned_tinyvgg_step_needs_three_fifths_of_the_memory) {
    check_vgg("cpu_ref");
}

Test(replay, so_it_does_on_the_fast_device) {
    check_vgg("cpu_simd");
}

/* What a launch reads or writes twice, what a later one reads, and what lies in a part of it is not replaced. */
static tern_tensor *tangle(tern_tensor *x) {
    tern_tensor *a = tern_mul_scalar(x, 3);
    tern_tensor *b = tern_add(a, tern_transpose(a, 0, 1));
    tern_tensor *c = tern_mul(b, b);
    tern_tensor *d = tern_add(tern_select(c, 0, 0), tern_select(c, 0, 1));
    tern_tensor *e = tern_exp(tern_neg(tern_relu(tern_sub(c, tern_mul_scalar(b, 0.5)))));
    tern_tensor *f = tern_mul_scalar(e, 2); /* not after e has changed */
    tern_add_in_place(e, tern_unsqueeze(d, 0));
    e = tern_mul(e, f);
    return tern_add(tern_sum(tern_mul(e, c)), tern_sum(tern_gt_scalar(b, 0)));
}

Test(replay, launches_that_tangle_give_the_same_bits) {
    tern_manual_seed(ctx, 4);
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(16, 16), NULL);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tangle(x);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    CHECK_CLEAN();
    for (int i = 0; i < 3; i++) {
        tern_tensor *y = tern_randn(ctx, TERN_SHAPE(16, 16), NULL);
        double wanted = tern_item(tangle(y));
        tern_replay_run(replay, &y, 1);
        cr_assert(tern_item(tern_replay_output(replay, 0)) == wanted, "%d", i);
    }
    CHECK_CLEAN();
}

/* What waits is not computed again where what it is made of has changed since. */
Test(replay, what_is_made_of_changed_values_is_kept) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(64, 64), TERN_FLOAT32);
    tern_tensor *w = tern_ones(ctx, TERN_SHAPE(64, 64), TERN_FLOAT32);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *waits = tern_mul(x, w), *parts[4];
    tern_add_in_place(w, x);
    for (int i = 0; i < 4; i++) parts[i] = tern_matmul(tern_matmul(tern_exp(x), x), x);
    tern_tensor *fullest = tern_cat(parts, 4, 0);
    tern_tensor *one = tern_sign(tern_sum(fullest));
    tern_tensor *out[] = {one, tern_sum(tern_mul(waits, one))};
    tern_replay *replay = tern_capture_end(ctx, out, 2);
    for (int i = 2; i < 5; i++) {
        tern_replay_run(replay, &x, 1);
        CHECK_CLEAN();
        cr_assert_eq(tern_item(tern_replay_output(replay, 1)), 4096.0 * i);
    }
    cr_assert_eq(tern_replay_describe(replay).repeated_launches, 0);
}
