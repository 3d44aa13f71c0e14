/*
 * heap-steady [--places] [MODEL...]: a training loop that has run a few steps never reaches the heap
 * again, nor does a replay of its step.
 *
 * For every model, 1,000 steps after a warm-up must make no heap call: neither through Tern's
 * allocation seam, which a backend's kernels use for their scratch as well, nor beside it. Prints the
 * counts of each. The models are small, since a step's allocations do not depend on its sizes.
 * --places prints the stacks that allocate, over fewer steps.
 */
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "tern/replay.h"
#include "tern/tern.h"

enum { WARM_UP = 10, STEPS = 1000, STEPS_FOR_PLACES = 20 };

typedef struct subject {
    tern_ctx *ctx;
    tern_module *model;
    tern_optim *optim;
    tern_tensor *input, *target, *test;
    tern_loader *loader;
    tern_replay *replay;
} subject;

typedef struct model_case {
    const char *name;
    void (*prepare)(subject *s);
    tern_tensor *(*step)(subject *s); /* gives one number, which is read */
    bool is_replayed; /* the step is captured when it has run, with input and target */
} model_case;

static void use(subject *s, const char *model, const char *optim) {
    s->model = tern_nn(s->ctx, model);
    s->optim = s->model ? tern_optim_new(s->model, optim) : NULL;
}

/* ---- the seed loop: forward, loss, backward, step, and a forward for inference --------------- */

static void prepare_line(subject *s) {
    s->input = tern_unsqueeze(tern_arange(s->ctx, 0, 0.8, 0.02), 1);
    s->target = tern_add_scalar(tern_mul_scalar(s->input, 0.7), 0.3);
    s->test = tern_unsqueeze(tern_arange(s->ctx, 0.8, 1, 0.02), 1);
    use(s, "Linear(1, 1)", "SGD(lr=0.01)");
}

static tern_tensor *step_line(subject *s) {
    tern_tensor *loss = tern_l1_loss(tern_forward(s->model, s->input), s->target, TERN_MEAN);
    tern_optim_zero_grad(s->optim);
    tern_backward(loss);
    tern_optim_step(s->optim);
    tern_scope inference = tern_scope_begin(s->ctx, TERN_INFERENCE);
    tern_tensor *seen = tern_l1_loss(tern_forward(s->model, s->test), s->test, TERN_MEAN);
    seen = tern_keep(seen);
    tern_scope_end(inference);
    return seen;
}

/* ---- classifiers ----------------------------------------------------------------------------- */

static tern_tensor *step_classifier(subject *s) {
    tern_tensor *loss = tern_cross_entropy(tern_forward(s->model, s->input), s->target, TERN_MEAN);
    tern_optim_zero_grad(s->optim);
    tern_backward(loss);
    tern_optim_step(s->optim);
    return loss;
}

static void prepare_mlp(subject *s) {
    use(s, "Sequential(Linear(6, 8), ReLU(), Linear(8, 3))", "Adam(lr=0.01)");
    s->input = tern_rand(s->ctx, TERN_SHAPE(4, 6), NULL);
    s->target = tern_randint(s->ctx, 0, 3, TERN_SHAPE(4), NULL);
}

/* TinyVGG with 2 channels for its 10, and images of 12 x 12 for its 28 x 28. */
static void prepare_tinyvgg(subject *s) {
    use(s,
        "Sequential(Conv2d(1, 2, 3, padding=1), ReLU(), Conv2d(2, 2, 3, padding=1), ReLU(), "
        "MaxPool2d(2), Conv2d(2, 2, 3, padding=1), ReLU(), Conv2d(2, 2, 3, padding=1), ReLU(), "
        "MaxPool2d(2), Flatten(), Linear(18, 3))",
        "SGD(lr=0.1)");
    s->input = tern_rand(s->ctx, TERN_SHAPE(2, 1, 12, 12), NULL);
    s->target = tern_randint(s->ctx, 0, 3, TERN_SHAPE(2), NULL);
}

static void prepare_norms(subject *s) {
    use(s,
        "Sequential(Conv2d(1, 4, 3, padding=1), BatchNorm2d(4), ReLU(), Dropout2d(0.1), "
        "GroupNorm(2, 4), Flatten(), Linear(64, 8), LayerNorm(8), Dropout(0.5), Linear(8, 3))",
        "SGD(lr=0.1, momentum=0.9)");
    s->input = tern_rand(s->ctx, TERN_SHAPE(2, 1, 4, 4), NULL);
    s->target = tern_randint(s->ctx, 0, 3, TERN_SHAPE(2), NULL);
}

/* A layer of a GPT: embedding, attention, two linear layers, layer norms. */
static void prepare_gpt(subject *s) {
    use(s,
        "Sequential(Embedding(10, 8), TransformerEncoderLayer(8, 2, 16, batch_first=True), "
        "Flatten(), Linear(40, 3))",
        "AdamW(lr=0.01)");
    s->input = tern_randint(s->ctx, 0, 10, TERN_SHAPE(4, 5), NULL);
    s->target = tern_randint(s->ctx, 0, 3, TERN_SHAPE(4), NULL);
}

/* ---- an LSTM whose last output is classified ------------------------------------------------- */

typedef struct sequence {
    tern_module module;
    tern_module *lstm, *head;
} sequence;

static tern_status sequence_init(tern_module *self) {
    sequence *m = (sequence *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->lstm = tern_module_child(self, "lstm", tern_nn_lstm(ctx, 3, 4, NULL));
    m->head = tern_module_child(self, "head", tern_nn_linear(ctx, 4, 3, NULL));
    return tern_check(ctx);
}

static tern_tensor *sequence_forward(tern_module *self, tern_tensor *input) {
    const sequence *m = (sequence *)self;
    tern_value argument = tern_tensor_value(input);
    tern_value output = tern_value_at(tern_module_call(m->lstm, &argument, 1, tern_none()), 0);
    if (output.kind != TERN_VALUE_TENSOR) return tern_nil(tern_module_context(self));
    return tern_forward(m->head, tern_select(output.as.tensor, 0, -1));
}

static const tern_module_class sequence_class = {
    TERN_MODULE_CLASS("Sequence()", sequence),
    .init = sequence_init,
    .forward = sequence_forward,
};

static void prepare_lstm(subject *s) {
    s->model = tern_module_new(s->ctx, &sequence_class, NULL);
    s->optim = s->model ? tern_optim_new(s->model, "SGD(lr=0.1)") : NULL;
    s->input = tern_rand(s->ctx, TERN_SHAPE(5, 2, 3), NULL);
    s->target = tern_randint(s->ctx, 0, 3, TERN_SHAPE(2), NULL);
}

/* ---- batches of a loader, more dimensions than a handle has room for, clipped gradients ------ */

static void prepare_batches(subject *s) {
    use(s, "Sequential(Flatten(), Linear(64, 3))", "SGD(lr=0.1)");
    tern_tensor *both[] = {tern_rand(s->ctx, TERN_SHAPE(6, 2, 2, 2, 2, 2, 2), NULL),
                           tern_randint(s->ctx, 0, 3, TERN_SHAPE(6), NULL)};
    tern_loader_options options = TERN_LOADER_OPTIONS;
    options.batch_size = 2;
    options.shuffle = true;
    s->loader = tern_loader_new(tern_tensor_dataset_new(s->ctx, both, 2), &options);
}

static tern_tensor *step_batches(subject *s) {
    tern_tensor *batch[2];
    if (!tern_loader_next(s->loader, batch)) {
        tern_loader_begin(s->loader);
        if (!tern_loader_next(s->loader, batch)) return NULL;
    }
    tern_tensor *loss = tern_cross_entropy(tern_forward(s->model, batch[0]), batch[1], TERN_MEAN);
    tern_module_zero_grad(s->model);
    tern_backward(loss);
    tern_clip_grad_norm(s->ctx, tern_module_parameters(s->model), 0.5, 2, false);
    tern_optim_step(s->optim);
    return loss;
}

/* ---- inference, between changes of a weight -------------------------------------------- */

static void prepare_inference(subject *s) {
    s->model = tern_nn(s->ctx, "Sequential(Linear(40, 30), ReLU(), Linear(30, 20))");
    s->input = tern_rand(s->ctx, TERN_SHAPE(25, 40), NULL);
}

static tern_tensor *step_inference(subject *s) {
    tern_value parameters = tern_module_parameters(s->model);
    tern_scope inference = tern_scope_begin(s->ctx, TERN_INFERENCE);
    tern_tensor *sum = NULL;
    for (int i = 0; i < 3; i++) sum = tern_sum(tern_forward(s->model, s->input));
    tern_mul_scalar_in_place(tern_value_at(parameters, 0).as.tensor, 0.99);
    sum = tern_keep(sum);
    tern_scope_end(inference);
    return sum;
}

/* ---- counting -------------------------------------------------------------------------------- */

static const model_case models[] = {
    {"seed_loop", prepare_line, step_line, false},
    {"mlp_adam", prepare_mlp, step_classifier, false},
    {"tinyvgg", prepare_tinyvgg, step_classifier, false},
    {"norms_dropout", prepare_norms, step_classifier, false},
    {"gpt", prepare_gpt, step_classifier, false},
    {"lstm", prepare_lstm, step_classifier, false},
    {"batches", prepare_batches, step_batches, false},
    {"inference", prepare_inference, step_inference, false},
    {"mlp_replayed", prepare_mlp, step_classifier, true},
    {"tinyvgg_replayed", prepare_tinyvgg, step_classifier, true},
    {"norms_replayed", prepare_norms, step_classifier, true},
    {"gpt_replayed", prepare_gpt, step_classifier, true},
    {"lstm_replayed", prepare_lstm, step_classifier, true},
};

enum { N_MODELS = sizeof models / sizeof models[0] };

static void run_steps(const model_case *c, subject *s, unsigned steps) {
    tern_tensor *inputs[] = {s->input, s->target};
    for (unsigned i = 0; i < steps; i++) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        if (s->replay) tern_replay_run(s->replay, inputs, 2);
        tern_item(s->replay ? tern_replay_output(s->replay, 0) : c->step(s));
        tern_scope_end(scope);
    }
}

static void capture(const model_case *c, subject *s) {
    tern_tensor *inputs[] = {s->input, s->target};
    tern_capture_begin(s->ctx, inputs, 2);
    tern_scope scope = tern_scope_begin(s->ctx, 0);
    tern_tensor *result = c->step(s);
    s->replay = tern_capture_end(s->ctx, &result, 1);
    tern_scope_end(scope);
}

/* Whether the model's steps made no heap call, and no error. */
static bool is_steady(const model_case *c, bool places) {
    unsigned steps = places ? STEPS_FOR_PLACES : STEPS;
    subject s = {.ctx = tern_open(NULL)};
    tern_manual_seed(s.ctx, 42);
    c->prepare(&s);
    run_steps(c, &s, WARM_UP);
    if (c->is_replayed) capture(c, &s);
    run_steps(c, &s, WARM_UP);

    uint64_t seam = tern_stats_of(s.ctx).host_allocations;
    heap_watch(places);
    run_steps(c, &s, steps);
    heap_counts heap = heap_counted();
    seam = tern_stats_of(s.ctx).host_allocations - seam;

    printf("%-16s %u steps: %llu allocations (%llu by the seam), %llu frees\n", c->name, steps,
           (unsigned long long)heap.allocations, (unsigned long long)seam,
           (unsigned long long)heap.releases);
    if (places) heap_print_places(steps);
    bool failed = tern_check(s.ctx) != TERN_OK;
    if (failed) fprintf(stderr, "heap-steady: %s: %s\n", c->name, tern_error(s.ctx));
    failed = tern_close(s.ctx) != TERN_OK || failed;
    return !failed && heap.allocations == 0 && heap.releases == 0 && seam == 0;
}

/* Memory that does come from the heap must be seen, by the seam's functions and by libc's own: a
 * count that is always 0 would prove nothing. */
static bool counts_at_all(void) {
    heap_watch(false);
    void *seam = tern_alloc(1);
    char *copy = tern_strdup("a");
    tern_free(seam);
    tern_free(copy);
    heap_counts heap = heap_counted();
    return heap.allocations == 2 && heap.releases == 2;
}

static bool is_named(const char *name, char **names) {
    bool any = false;
    for (; *names; names++) {
        if (strcmp(*names, "--places") == 0) continue;
        if (strcmp(*names, name) == 0) return true;
        any = true;
    }
    return !any;
}

int main(int argc, char **argv) {
    bool places = argc > 1 && strcmp(argv[1], "--places") == 0;
    unsigned ran = 0, unsteady = 0;
    if (!counts_at_all()) {
        fprintf(stderr, "heap-steady: the heap calls of libtern are not seen\n");
        return 1;
    }
    for (size_t i = 0; i < N_MODELS; i++) {
        if (!is_named(models[i].name, argv + 1)) continue;
        ran++;
        if (!is_steady(&models[i], places)) unsteady++;
    }
    if (ran == 0) fprintf(stderr, "heap-steady: no such model\n");
    if (unsteady) fprintf(stderr, "heap-steady: %u of %u models reach the heap\n", unsteady, ran);
    return unsteady || ran == 0;
}
