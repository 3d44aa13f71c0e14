/* training.c: a model of each kind and an optimizer of each kind from birth to file and back; replays, loaders,
 * distributions. */
#include "points.h"

#include <stdio.h>
#include <string.h>

static tern_tensor *inputs(tern_ctx *ctx, const scenario *s) {
    tern_tensor *x = tern_rand(ctx, s->shape, TERN_FLOAT32);
    return s->way ? tern_to_dtype(tern_mul_scalar(x, 3), TERN_INT64) : x;
}

static tern_tensor *loss_of(tern_module *m, tern_tensor *x) {
    tern_value input = tern_tensor_value(x), out = tern_module_call(m, &input, 1, tern_none());
    if (out.kind == TERN_VALUE_TUPLE) out = tern_value_at(out, 0);
    tern_tensor *y = out.kind == TERN_VALUE_TENSOR ? out.as.tensor : tern_nil(tern_context_of(x));
    return tern_mean(
        tern_square(tern_dtype_is_floating(tern_dtype_of(y)) ? y : tern_to_dtype(y, TERN_FLOAT32)));
}

static tern_tensor *step(tern_module *m, tern_optim *optim, tern_tensor *x) {
    tern_tensor *loss = loss_of(m, x);
    tern_optim_zero_grad(optim);
    tern_backward(loss);
    tern_optim_step(optim);
    return loss;
}

/* Made, printed, trained for two steps, saved, and loaded by another that predicts. */
static void life(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    tern_manual_seed(ctx, 1);
    tern_tensor *x = inputs(ctx, s);
    point_begin();
    tern_module *m = tern_nn(ctx, s->text);
    const char *text = tern_module_repr_text(m);
    if (text) add(digest, text, strlen(text));
    if (tern_module_count_parameters(m) > 0) {
        tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1, momentum=0.9)");
        for (int i = 0; i < 2; i++) {
            tern_scope scope = tern_scope_begin(ctx, 0);
            step(m, sgd, x);
            tern_scope_end(scope);
        }
    } else {
        tern_tensor *leaf = s->way ? x : tern_requires_grad(tern_clone(x), true);
        tern_tensor *loss = loss_of(m, leaf);
        if (tern_has_grad_required(loss)) tern_backward(loss);
        if (tern_grad_of(leaf)) add_tensor(digest, tern_grad_of(leaf));
    }
    tern_module_save(m, path);
    tern_module *other = tern_nn(ctx, s->text);
    tern_module_load(other, path);
    tern_module_eval(other);
    add_tensor(digest, loss_of(other, x));
    add_value(digest, tern_module_state_dict(m));
}

/* Two steps, its state given to another, one more step. */
static void optimize(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    tern_manual_seed(ctx, 1);
    tern_tensor *x = tern_rand(ctx, TERN_SHAPE(6, 3), TERN_FLOAT32);
    tern_module *m = tern_nn(ctx, s->number ? "Linear(3, 4, bias=False)"
                                            : "Sequential(Linear(3, 4), Tanh(), Linear(4, 2))");
    (void)path;
    point_begin();
    tern_optim *optim = tern_optim_new(m, s->text);
    step(m, optim, x);
    step(m, optim, x);
    tern_clip_grad_norm(ctx, tern_module_parameters(m), 0.1, 2, false);
    tern_optim *other = tern_optim_new(m, s->text);
    tern_optim_load_state_dict(other, tern_optim_state_dict(optim));
    step(m, other, x);
    const char *text = tern_optim_repr_text(other);
    if (text) add(digest, text, strlen(text));
    add_value(digest, tern_module_state_dict(m));
    add_value(digest, tern_optim_state_dict(other));
}

static void schedule(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    tern_optim *sgd = tern_optim_new(tern_nn(ctx, "Linear(1, 1)"), "SGD(lr=0.1)");
    (void)path;
    point_begin();
    tern_sched *sched = tern_sched_new(sgd, s->text);
    for (int i = 0; i < 4; i++) {
        tern_sched_step(sched);
        double rate = tern_sched_last_lr(sched, 0);
        add(digest, &rate, sizeof rate);
    }
    tern_sched *other = tern_sched_new(sgd, s->text);
    tern_sched_load_state_dict(other, tern_sched_state_dict(sched));
    add_value(digest, tern_sched_state_dict(other));
}

/* A step is captured, and replayed three times. */
static void replay(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    tern_manual_seed(ctx, 1);
    tern_tensor *x = inputs(ctx, s);
    (void)path;
    point_begin();
    tern_module *m = tern_nn(ctx, s->text);
    tern_optim *adam = tern_optim_new(m, "Adam(lr=0.1)");
    step(m, adam, x);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *loss = step(m, adam, x);
    tern_replay *program = tern_capture_end(ctx, &loss, 1);
    for (int i = 0; i < 3; i++) tern_replay_run(program, &x, 1);
    add_value(digest, tern_module_state_dict(m));
    tern_replay_free(program);
}

/* An epoch of shuffled batches. */
static void epoch(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    tern_manual_seed(ctx, 1);
    tern_tensor *fields[2] = {tern_rand(ctx, TERN_SHAPE(10, 3), TERN_FLOAT32),
                              tern_rand(ctx, TERN_SHAPE(10, 2), TERN_FLOAT32)};
    (void)s, (void)path;
    point_begin();
    tern_dataset *data = tern_tensor_dataset_new(ctx, fields, 2);
    tern_loader_options options = TERN_LOADER_OPTIONS;
    options.batch_size = 4;
    options.shuffle = true;
    tern_loader *loader = tern_loader_new(data, &options);
    tern_module *m = tern_nn(ctx, "Linear(3, 2)");
    tern_optim *adam = tern_optim_new(m, "AdamW(lr=0.01)");
    tern_tensor *batch[2];
    if (tern_loader_begin(loader) == TERN_OK)
        while (tern_loader_next(loader, batch)) {
            tern_tensor *loss =
                tern_mean(tern_square(tern_sub(tern_forward(m, batch[0]), batch[1])));
            tern_optim_zero_grad(adam);
            tern_backward(loss);
            tern_optim_step(adam);
        }
    add_value(digest, tern_module_state_dict(m));
}

/* A context opens, on which something is computed. */
static void open_another(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s, (void)path;
    point_begin();
    tern_ctx *other = tern_open("cpu_ref");
    double two = tern_item(tern_add_scalar(tern_ones(other, TERN_SHAPE(1), TERN_FLOAT32), 1));
    if (tern_check(other)) tern_fail(ctx, tern_check(other), "%s", tern_error(other));
    add(digest, &two, sizeof two);
    tern_close(other);
}

static void distribution(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    tern_manual_seed(ctx, 1);
    tern_tensor *a = tern_full(ctx, TERN_SHAPE(3), 0.25, TERN_FLOAT32),
                *b = tern_full(ctx, TERN_SHAPE(3), 1.5, TERN_FLOAT32);
    (void)path;
    point_begin();
    tern_distribution *d = s->number == 0   ? tern_distribution_normal(a, b)
                           : s->number == 1 ? tern_distribution_uniform(a, b)
                           : s->number == 2 ? tern_distribution_gamma(b, a)
                           : s->number == 3 ? tern_distribution_beta(a, b)
                           : s->number == 4 ? tern_distribution_categorical(a, NULL)
                           : s->number == 5 ? tern_distribution_dirichlet(b)
                           : s->number == 6 ? tern_distribution_laplace(a, b)
                           : s->number == 7 ? tern_distribution_poisson(b)
                           : s->number == 8 ? tern_distribution_bernoulli(a, NULL)
                           : s->number == 9 ? tern_distribution_exponential(b)
                                            : tern_distribution_log_normal(a, b);
    tern_tensor *drawn = tern_distribution_sample(d, TERN_SHAPE(2), NULL);
    add_tensor(digest, drawn);
    add_tensor(digest, tern_distribution_log_prob(d, drawn));
    add_tensor(digest, tern_distribution_mean(d));
    add_tensor(digest, tern_distribution_variance(d));
    if (s->number != 7) add_tensor(digest, tern_distribution_entropy(d));
    if (s->number != 7) add_tensor(digest, tern_kl_divergence(d, d));
}

/* ---- which ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct { const char *text; tern_shape shape; bool whole; } models[] = {
    {"Linear(3, 2)", {2, {4, 3}}, false},
    {"Sequential(Linear(3, 8), ReLU(), Linear(8, 8), ReLU(), Linear(8, 8), Tanh(), Linear(8, 2), Sigmoid())", {2, {4, 3}}, false},
    {"Conv1d(2, 2, 2, padding=1)", {3, {1, 2, 4}}, false},
    {"Conv2d(2, 2, 2, stride=2, groups=2)", {4, {1, 2, 4, 3}}, false},
    {"Conv2d(1, 1, 3, padding='same', padding_mode='reflect')", {4, {1, 1, 4, 4}}, false},
    {"Conv3d(1, 2, 2)", {5, {1, 1, 3, 3, 3}}, false},
    {"ConvTranspose2d(1, 2, 2, stride=2, output_padding=1)", {4, {1, 1, 2, 2}}, false},
    {"Sequential(Conv2d(1, 4, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(16, 3))", {4, {2, 1, 6, 6}}, false},
    {"AvgPool2d(2, padding=1)", {4, {1, 1, 4, 4}}, false},
    {"LPPool2d(2, 2)", {4, {1, 1, 2, 4}}, false},
    {"AdaptiveAvgPool2d((2, None))", {4, {1, 1, 3, 2}}, false},
    {"AdaptiveMaxPool2d(2)", {4, {1, 1, 3, 4}}, false},
    {"ReflectionPad1d(1)", {2, {2, 3}}, false},
    {"CircularPad1d(2)", {3, {1, 1, 3}}, false},
    {"Upsample(scale_factor=2, mode='bilinear')", {4, {1, 1, 2, 3}}, false},
    {"PixelShuffle(2)", {4, {1, 4, 1, 2}}, false},
    {"Unfold(2)", {4, {1, 1, 3, 3}}, false},
    {"BatchNorm1d(3)", {2, {4, 3}}, false},
    {"InstanceNorm1d(2, affine=True)", {2, {2, 4}}, false},
    {"LayerNorm(4)", {2, {2, 4}}, false},
    {"RMSNorm(4)", {2, {2, 4}}, false},
    {"GroupNorm(2, 4)", {2, {2, 4}}, false},
    {"LocalResponseNorm(3)", {3, {2, 4, 2}}, false},
    {"Sequential(GELU(), SiLU(), Softplus(), Mish())", {1, {5}}, false},
    {"Sequential(Softmax(dim=1), LogSoftmax(dim=0), Dropout(0.5))", {2, {2, 3}}, false},
    {"GLU(1)", {2, {2, 4}}, false},
    {"PReLU(2)", {2, {2, 2}}, false},
    {"LSTM(3, 4, num_layers=2, bidirectional=True)", {3, {3, 2, 3}}, false},
    {"GRU(3, 4, batch_first=True)", {3, {2, 3, 3}}, false},
    {"RNN(3, 4, nonlinearity='relu')", {3, {3, 2, 3}}, false},
    {"LSTMCell(3, 4)", {2, {2, 3}}, false},
    {"Embedding(4, 3)", {2, {2, 3}}, true},
    {"Sequential(Embedding(4, 3), Flatten(), Linear(9, 2))", {2, {2, 3}}, true},
    {"TransformerEncoderLayer(4, 2, 4, 0.0, 'gelu')", {2, {2, 4}}, false},
    {"TransformerEncoder(TransformerEncoderLayer(4, 2, 8), 2)", {3, {2, 2, 4}}, false},
};

enum { REPLAYED = 8 }; /* the first ones */

static const char *const optimizers[] = {
    "SGD(lr=0.1, momentum=0.9, nesterov=True)", "Adam(lr=0.1)", "AdamW(lr=0.1, amsgrad=True)", "RMSprop(lr=0.1, momentum=0.5, centered=True)",
    "Adagrad(lr=0.1)", "Adadelta()", "Adamax()", "NAdam()", "RAdam()", "ASGD()", "Rprop()", "Adafactor()", "Muon()"};

static const char *const schedulers[] = {
    "StepLR(3, 0.5)", "ExponentialLR(0.9)", "CosineAnnealingLR(5, 1e-3)", "LinearLR()", "PolynomialLR(2)",
    "SequentialLR([ConstantLR(0.1, 2), ExponentialLR(0.9)], [3])", "MultiStepLR([1, 3, 3], gamma=0.5)",
    "LambdaLR('0.5 if epoch > 1 else 1')", "OneCycleLR(0.1, 10)", "ChainedScheduler([ExponentialLR(0.9), StepLR(2)])",
    "CyclicLR(0.01, 0.2, step_size_up=2)", "MultiplicativeLR('0.9')", "CosineAnnealingWarmRestarts(2)"};

static const char *const distributions[] = {"Normal", "Uniform", "Gamma", "Beta", "Categorical", "Dirichlet", "Laplace",
                                            "Poisson", "Bernoulli", "Exponential", "LogNormal"};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* The rows of each table, one behind the other: `index` becomes the place in the table. */
static bool within(size_t *index, size_t count) {
    if (*index < count) return true;
    *index -= count;
    return false;
}

/* A row as a scenario: "train Linear(3, 2)". */
static bool named(scenario *out, const char *kind, const char *text) {
    static char name[200];
    snprintf(name, sizeof name, "%s %s", kind, text);
    out->name = name;
    out->text = text;
    return true;
}

bool training_scenario(size_t index, scenario *out) {
    *out = (scenario){.file = READS};
    if (within(&index, 2)) {
        out->run = index ? epoch : open_another;
        return named(out, index ? "an epoch" : "open", "");
    }
    if (within(&index, COUNT(models))) {
        *out = (scenario){
            .run = life, .file = WRITES, .shape = models[index].shape, .way = models[index].whole};
        return named(out, "train", models[index].text);
    }
    if (within(&index, REPLAYED)) {
        *out = (scenario){.run = replay, .shape = models[index].shape};
        return named(out, "replay", models[index].text);
    }
    if (within(&index, COUNT(optimizers))) {
        *out = (scenario){.run = optimize, .number = strncmp(optimizers[index], "Muon", 4) == 0};
        return named(out, "optimize by", optimizers[index]);
    }
    if (within(&index, COUNT(schedulers))) {
        out->run = schedule;
        return named(out, "schedule", schedulers[index]);
    }
    *out = (scenario){.run = distribution, .number = index};
    return index < COUNT(distributions) && named(out, "draw from", distributions[index]);
}
