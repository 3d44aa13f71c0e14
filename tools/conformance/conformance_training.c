/*
 * training/: whole training runs. A subject is a program of Tern's own, listed below, that reads the
 * case's `options`; data, initial weights and draws must come from the seed as PyTorch's do.
 */
#include "conformance.h"
#include "training/linear_program.h"
#include "training_programs.h"

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"
#include "tern/replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_SIZE = 128 };

/* ---- what all subjects check ----------------------------------------------------------------- */

static bool is_exact(const test_case *t) {
    tern_value exact = tern_dict_get(t->json, "exact");
    return exact.kind == TERN_VALUE_BOOL && exact.as.b;
}

/* Names and tensors of a dict of the case against those that the program made, bit for bit. */
static void check_given(test_case *t, const char *key, tern_value made) {
    tern_value wanted = tern_dict_get(t->json, key), name, reference;
    for (size_t i = 0; tern_dict_at(wanted, i, &name, &reference); i++) {
        char label[LABEL_SIZE];
        tern_value own = tern_dict_get(made, name.as.s);
        snprintf(label, sizeof label, "%s.%s", key, name.as.s);
        if (own.kind == TERN_VALUE_TENSOR)
            case_check_bits(t, label, own, reference);
        else
            case_fail(t, "%s: the program has no such tensor", label);
    }
}

/* The data that the setup computed: exact where the run is, else within the operations' tolerance (the
 * draws behind them show by rand_after). */
static void check_data(test_case *t, tern_value made) {
    tern_value wanted = tern_dict_get(t->json, "data"), name, reference;
    if (is_exact(t)) {
        check_given(t, "data", made);
        return;
    }
    for (size_t i = 0; tern_dict_at(wanted, i, &name, &reference); i++) {
        char label[LABEL_SIZE];
        tolerance limit = {.torch_error = (double)NAN};
        tern_value own = tern_dict_get(made, name.as.s);
        snprintf(label, sizeof label, "data.%s", name.as.s);
        if (own.kind == TERN_VALUE_TENSOR)
            case_check(t, label, own, reference, tern_dtype_of(own.as.tensor), &limit);
        else
            case_fail(t, "%s: the program has no such tensor", label);
    }
}

/* Losses of each step: within rtol * |truth| + 1e-5 while both runs agree, and bit for bit where the
 * case says that this can be. */
static void check_losses(test_case *t, const char *key, tern_tensor *losses) {
    char key64[LABEL_SIZE];
    stored_tensor truth;
    comparison c;
    snprintf(key64, sizeof key64, "%s64", key);
    tern_value wide = tern_dict_get(t->json, key64), narrow = tern_dict_get(t->json, key);
    if (wide.kind != TERN_VALUE_STRING || !vectors_tensor(t->file, wide.as.s, &truth)) return;
    tern_value agree = tern_dict_get(t->json, "agree");
    int64_t steps = agree.kind == TERN_VALUE_INT ? agree.as.i : truth.shape.dim[0];
    tolerance limit = {.torch_error = (double)NAN, .absolute = 1e-5};
    limit.relative = tern_value_as_double(tern_dict_get(t->json, "rtol"));
    if (steps < truth.shape.dim[0]) truth.shape.dim[0] = steps;
    tern_value part = tern_tensor_value(tern_narrow(losses, 0, 0, steps));
    if (compare_result(t->run->ctx, part, &truth, TERN_FLOAT32, &limit, &c) && !c.equal)
        case_fail(t, "%s: %s", key, c.what);
    if (is_exact(t)) case_check_bits(t, key, tern_tensor_value(losses), narrow);
}

static double largest(const stored_tensor *s) {
    double most = 0;
    for (size_t i = 0; i < s->bytes / sizeof(double); i++) {
        double element;
        memcpy(&element, (const char *)s->data + i * sizeof element, sizeof element);
        if (fabs(element) > most) most = fabs(element);
    }
    return most;
}

static void check_final(test_case *t, tern_value state) {
    tern_value wanted = tern_dict_get(t->json, "final64"), name, reference;
    for (size_t i = 0; tern_dict_at(wanted, i, &name, &reference); i++) {
        char label[LABEL_SIZE];
        stored_tensor truth;
        tern_value own = tern_dict_get(state, name.as.s);
        snprintf(label, sizeof label, "final.%s", name.as.s);
        if (!vectors_tensor(t->file, reference.as.s, &truth)) return;
        tolerance limit = {.torch_error = (double)NAN, .absolute = 1e-5};
        limit.absolute += tern_value_as_double(tern_dict_get(t->json, "rtol")) * largest(&truth);
        /* Counters (num_batches_tracked) stay integers. */
        bool counter =
            own.kind == TERN_VALUE_TENSOR && !tern_dtype_is_floating(tern_dtype_of(own.as.tensor));
        case_check(t, label, own, reference, counter ? TERN_INT64 : TERN_FLOAT32, &limit);
    }
    if (is_exact(t)) check_given(t, "final", state);
}

/* The draws that follow show where the generator stands. */
static void check_generator(test_case *t) {
    tern_shape four = {1, {4}};
    tern_value reference = tern_dict_get(t->json, "rand_after");
    tern_value drawn = tern_tensor_value(tern_rand(t->run->ctx, four, NULL));
    if (reference.kind == TERN_VALUE_STRING) case_check_bits(t, "rand_after", drawn, reference);
}

/* ---- linear_regression ----------------------------------------------------------------------- */

typedef struct loss_record {
    float *losses, *test_losses;
} loss_record;

static bool record(void *user, int64_t epoch, double loss, double test) {
    loss_record *r = user;
    r->losses[epoch] = (float)loss;
    r->test_losses[epoch] = (float)test;
    return true;
}

static double number_option(const test_case *t, const char *name) {
    return tern_value_as_double(tern_dict_get(tern_dict_get(t->json, "options"), name));
}

static tern_value data_dict(tern_ctx *ctx, const line_data *data) {
    tern_value dict = tern_dict_new(ctx, false);
    tern_dict_set(dict, "X_train", tern_tensor_value(data->x_train));
    tern_dict_set(dict, "y_train", tern_tensor_value(data->y_train));
    tern_dict_set(dict, "X_test", tern_tensor_value(data->x_test));
    tern_dict_set(dict, "y_test", tern_tensor_value(data->y_test));
    return dict;
}

static void linear_regression(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    double step = number_option(t, "step");
    int64_t seed = (int64_t)number_option(t, "seed"), epochs = (int64_t)number_option(t, "epochs");
    tern_value kind = tern_dict_get(tern_dict_get(t->json, "options"), "model");
    bool layer = kind.kind == TERN_VALUE_STRING && strcmp(kind.as.s, "OneLayer") == 0;
    line_data data;
    if (!line_data_make(ctx, number_option(t, "weight"), number_option(t, "bias"), step,
                        (int64_t)ceil(1 / step), &data))
        return;
    check_data(t, data_dict(ctx, &data));
    tern_manual_seed(ctx, seed);
    tern_module *model = layer ? line_model_layer(ctx) : line_model_parameters(ctx);
    check_given(t, "initial", tern_module_state_dict(model));

    size_t bytes = (size_t)epochs * sizeof(float);
    loss_record r = {tern_scope_alloc(ctx, bytes), tern_scope_alloc(ctx, bytes)};
    if (!r.losses || !r.test_losses) return;
    tern_manual_seed(ctx, seed);
    const line_training how = {number_option(t, "lr"), epochs, false};
    if (!line_train(model, &data, &how, record, &r)) return;
    tern_shape shape = {1, {epochs}};
    check_losses(t, "losses", tern_from_data(ctx, r.losses, shape, TERN_FLOAT32));
    check_losses(t, "test_losses", tern_from_data(ctx, r.test_losses, shape, TERN_FLOAT32));
    check_final(t, tern_module_state_dict(model));
    check_generator(t);
}

/* ---- the other programs ---------------------------------------------------------------------- */

/* What a run leaves behind, step by step, and how it is run. */
typedef struct run_record {
    float *losses, *norms;
    tern_tensor **orders;
    int64_t count;
    bool replays; /* the second step is captured, and replayed where a batch has its shape */
    tern_owner *owner;
    tern_replay *replay;
    tern_shape captured;
} run_record;

/* The loss and, where gradients are clipped, their norm. */
static void step(const training_program *p, training_batch batch, tern_tensor **out) {
    out[0] = training_loss(p, batch);
    tern_optim_zero_grad(p->optim);
    tern_backward(out[0]);
    out[1] = out[0];
    if (p->clip > 0)
        out[1] = tern_clip_grad_norm(p->ctx, tern_module_parameters(p->model), p->clip, 2, false);
    tern_optim_step(p->optim);
}

static void capture(const training_program *p, training_batch batch, run_record *r,
                    tern_tensor **out) {
    tern_tensor *inputs[] = {batch.inputs, batch.targets};
    tern_scope scope = tern_owner_begin(r->owner, 0);
    tern_capture_begin(p->ctx, inputs, 2);
    tern_scope_end(scope);
    step(p, batch, out);
    r->replay = tern_capture_end(p->ctx, out, 2);
    r->captured = tern_shape_of(batch.inputs);
}

static bool is_captured(const run_record *r, training_batch batch) {
    tern_shape shape = tern_shape_of(batch.inputs);
    return r->replay && shape.rank == r->captured.rank &&
           memcmp(shape.dim, r->captured.dim, (size_t)shape.rank * sizeof *shape.dim) == 0;
}

static bool take_step(const training_program *p, training_batch batch, run_record *r) {
    tern_tensor *inputs[] = {batch.inputs, batch.targets}, *out[2];
    tern_scope scope = tern_scope_begin(p->ctx, 0);
    if (is_captured(r, batch)) {
        tern_replay_run(r->replay, inputs, 2);
        for (size_t i = 0; i < 2; i++) out[i] = tern_replay_output(r->replay, i);
    } else if (r->replays && r->count == 1) {
        capture(p, batch, r, out);
    } else {
        step(p, batch, out);
    }
    if (p->clip > 0) r->norms[r->count] = (float)tern_item(out[1]);
    r->losses[r->count] = (float)tern_item(out[0]);
    tern_scope_end(scope);
    tern_sched_step(p->sched);
    return tern_check(p->ctx) == TERN_OK;
}

static bool train(const training_program *p, run_record *r) {
    for (int64_t epoch = 0; epoch < p->epochs; epoch++) {
        tern_tensor *shuffle = training_shuffle(p);
        for (int64_t step = 0; step < training_steps(p); step++, r->count++) {
            training_batch batch = training_next(p, shuffle, step);
            r->orders[r->count] = batch.order;
            if (!take_step(p, batch, r)) return false;
        }
    }
    return true;
}

static void check_order(test_case *t, const run_record *r) {
    tern_value reference = tern_dict_get(t->json, "order");
    if (reference.kind != TERN_VALUE_STRING || r->count == 0) return;
    if (r->orders[0])
        case_check_bits(t, "order", tern_tensor_value(tern_cat(r->orders, (int)r->count, 0)),
                        reference);
    else
        case_fail(t, "order: the program draws no batches");
}

static void check_metric(test_case *t, const char *name, double got) {
    tern_value wanted = tern_dict_get(tern_dict_get(t->json, "metrics"), name);
    if (wanted.kind == TERN_VALUE_FLOAT && fabs(wanted.as.f - got) > 1e-12)
        case_fail(t, "%s is %.17g, expected %.17g", name, got, wanted.as.f);
}

static void check_metrics(test_case *t, const training_program *p) {
    if (!tern_dict_has(t->json, "metrics")) return;
    int64_t all = tern_size(p->inputs, 0);
    tern_module_eval(p->model);
    if (!p->binary) {
        check_metric(t, "accuracy", training_accuracy(p, 0, all));
        return;
    }
    check_metric(t, "train_accuracy", training_accuracy(p, 0, p->n_train));
    check_metric(t, "test_accuracy", training_accuracy(p, p->n_train, all - p->n_train));
}

/* Room for a program's steps; false after latching. */
static bool begin_record(const training_program *p, run_record *out) {
    size_t steps = (size_t)(p->epochs * training_steps(p));
    *out = (run_record){.owner = tern_owner_new(p->ctx)};
    out->losses = tern_scope_alloc(p->ctx, steps * sizeof *out->losses);
    out->norms = tern_scope_alloc(p->ctx, steps * sizeof *out->norms);
    out->orders = tern_scope_alloc(p->ctx, steps * sizeof *out->orders);
    return out->owner && out->losses && out->norms && out->orders;
}

static void compare_states(test_case *t, tern_value eager, tern_value replayed) {
    tern_value key, a, other, b;
    for (size_t i = 0; tern_dict_at(eager, i, &key, &a); i++) {
        tern_dict_at(replayed, i, &other, &b);
        tern_tensor *differs = tern_ne(a.as.tensor, b.as.tensor);
        if (tern_item(tern_any(differs)) != 0.0)
            case_fail(t, "replayed, %s has other bits than in the eager run", key.as.s);
    }
}

/* The same run once more, replayed: its bits are those of the eager one. */
static void check_replayed(test_case *t, const training_program *eager, const run_record *r) {
    training_program p;
    run_record again;
    if (r->count < 3 || !tern_fuses(eager->ctx, "map", TERN_FLOAT32)) return;
    if (!training_setup(eager->ctx, vectors_name(t->file), eager->options, &p) ||
        !begin_record(&p, &again))
        return;
    again.replays = true;
    if (!train(&p, &again)) return;
    size_t bytes = (size_t)r->count * sizeof *r->losses;
    if (memcmp(r->losses, again.losses, bytes) != 0 || memcmp(r->norms, again.norms, bytes) != 0)
        case_fail(t, "replayed, the losses have other bits than in the eager run");
    compare_states(t, tern_module_state_dict(eager->model), tern_module_state_dict(p.model));
}

static void run_program(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    training_program p;
    run_record r;
    tern_value options = tern_dict_get(t->json, "options");
    if (!training_setup(ctx, vectors_name(t->file), options, &p)) return;
    check_data(t, p.data);
    check_given(t, "initial", tern_module_state_dict(p.model));
    if (!begin_record(&p, &r) || !train(&p, &r)) return;
    int64_t steps = r.count;
    tern_shape shape = {1, {steps}};
    check_losses(t, "losses", tern_from_data(ctx, r.losses, shape, TERN_FLOAT32));
    if (p.clip > 0) check_losses(t, "norms", tern_from_data(ctx, r.norms, shape, TERN_FLOAT32));
    check_order(t, &r);
    check_final(t, tern_module_state_dict(p.model));
    check_metrics(t, &p);
    check_generator(t);
    check_replayed(t, &p, &r);
}

/* ---- the subjects ---------------------------------------------------------------------------- */

static void run(test_case *t) {
    if (strcmp("linear_regression", vectors_name(t->file)) == 0)
        linear_regression(t);
    else
        run_program(t);
}

static bool has(tern_ctx *ctx, const char *name) {
    (void)ctx;
    return strcmp("linear_regression", name) == 0 || training_has(name);
}

const suite suite_training = {.folder = "training", .has = has, .run = run};
