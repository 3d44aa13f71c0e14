/*
 * training/: whole training runs. A subject is a program of Tern's own, listed below, that reads the
 * case's `options`; data, initial weights and draws must come from the seed as PyTorch's do.
 */
#include "conformance.h"
#include "linear_program.h"

#include "tern/memory.h"
#include "tern/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_SIZE = 128 };

/* ---- what all subjects check ----------------------------------------------------------------------------- */

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
    tolerance limit = {.absolute = 1e-5};
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
        tolerance limit = {.absolute = 1e-5};
        limit.absolute += tern_value_as_double(tern_dict_get(t->json, "rtol")) * largest(&truth);
        case_check(t, label, own, reference, TERN_FLOAT32, &limit);
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

/* ---- linear_regression --------------------------------------------------------------------------------------- */

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
    check_given(t, "data", data_dict(ctx, &data));
    tern_manual_seed(ctx, seed);
    tern_module *model = layer ? line_model_layer(ctx) : line_model_parameters(ctx);
    check_given(t, "initial", tern_module_state_dict(model));

    size_t bytes = (size_t)epochs * sizeof(float);
    loss_record r = {tern_scope_alloc(ctx, bytes), tern_scope_alloc(ctx, bytes)};
    if (!r.losses || !r.test_losses) return;
    tern_manual_seed(ctx, seed);
    if (!line_train(model, &data, number_option(t, "lr"), epochs, record, &r)) return;
    tern_shape shape = {1, {epochs}};
    check_losses(t, "losses", tern_from_data(ctx, r.losses, shape, TERN_FLOAT32));
    check_losses(t, "test_losses", tern_from_data(ctx, r.test_losses, shape, TERN_FLOAT32));
    check_final(t, tern_module_state_dict(model));
    check_generator(t);
}

/* ---- the subjects ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(test_case *t);
} subjects[] = {
    {"linear_regression", linear_regression},
};

enum { N_SUBJECTS = sizeof subjects / sizeof subjects[0] };

static void run(test_case *t) {
    for (size_t i = 0; i < N_SUBJECTS; i++)
        if (strcmp(subjects[i].name, vectors_name(t->file)) == 0) subjects[i].run(t);
}

static bool has(tern_ctx *ctx, const char *name) {
    (void)ctx;
    for (size_t i = 0; i < N_SUBJECTS; i++)
        if (strcmp(subjects[i].name, name) == 0) return true;
    return false;
}

const suite suite_training = {.folder = "training", .has = has, .run = run};
