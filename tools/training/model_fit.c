#include "model_fit.h"

#include "plain_text.h"
#include "task.h"

#include "tern/memory.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

typedef struct fit {
    tern_ctx *ctx;
    const recipe *recipe;
    const run_data *data;
    task_kind kind;
} fit;

/* "houses.csv: column 'price'", or the data's path where it is no table. */
static const char *target_text(const fit *f) {
    tern_value target = tern_dict_get(f->data->facts, "target");
    size_t size = strlen(f->recipe->data) + 100;
    char *text = tern_scope_alloc(f->ctx, size);
    if (!text) return "";
    if (target.kind == TERN_VALUE_STRING)
        snprintf(text, size, "%s: column '%.60s'", f->recipe->data,
                 plain_text(f->ctx, target.as.s));
    else
        snprintf(text, size, "%s", f->recipe->data);
    return text;
}

/* A name among the classes that is a number with a fraction, where all are numbers; NULL: none. */
static const char *real_valued(tern_value classes) {
    const char *found = NULL;
    for (size_t i = 0; i < tern_value_count(classes); i++) {
        const char *name = tern_value_at(classes, i).as.s;
        tern_value number;
        if (!tern_number_parse(name, strlen(name), &number)) return NULL;
        double value = tern_value_as_double(number);
        bool whole = value >= -1e15 && value <= 1e15 && value == (double)(int64_t)value;
        if (!whole && !found) found = name;
    }
    return found;
}

static void too_few_scores(const fit *f, int64_t scores) {
    int64_t classes = f->data->classes;
    const char *real = real_valued(tern_dict_get(f->data->facts, "classes"));
    if (real)
        tern_fail(
            f->ctx, TERN_ERR_ARGUMENT,
            "%s holds numbers such as %.40s, %lld different ones, which %s takes for classes; "
            "the model gives %lld score%s: to predict a number use loss = MSELoss()",
            target_text(f), plain_text(f->ctx, real), (long long)classes, f->recipe->loss,
            (long long)scores, scores == 1 ? "" : "s");
    else
        tern_fail(f->ctx, TERN_ERR_ARGUMENT,
                  "%s has %lld classes, but the model gives %lld score%s: its last layer needs "
                  "%lld outputs%s",
                  target_text(f), (long long)classes, (long long)scores, scores == 1 ? "" : "s",
                  (long long)classes,
                  classes == 2 && scores == 1 ? ", or for one output use loss = BCEWithLogitsLoss()"
                                              : "");
}

/* CrossEntropyLoss also takes a probability for each class. */
static bool targets_are_classes(const fit *f) {
    tern_sample_field target;
    if (f->kind != TASK_CLASSES || !tern_dataset_field(f->data->train, 1, &target)) return true;
    bool shares = target.shape.rank >= 1 && target.shape.dim[0] > 1;
    if (!tern_dtype_is_floating(target.dtype) || shares) return true;
    tern_fail(f->ctx, TERN_ERR_ARGUMENT,
              "%s: the targets are real numbers (%s), but %s takes classes (int64): to predict a "
              "number use loss = MSELoss()",
              f->recipe->data, tern_dtype_name(target.dtype), f->recipe->loss);
    return false;
}

static void check_output(const fit *f, tern_tensor *output) {
    bool table = tern_dict_get(f->data->facts, "target").kind == TERN_VALUE_STRING;
    int64_t per_sample = tern_numel(output);
    if (tern_check(f->ctx) != TERN_OK) return;
    if (f->kind == TASK_CLASSES) {
        if (tern_rank(output) >= 2 && tern_size(output, 1) < f->data->classes)
            too_few_scores(f, tern_size(output, 1));
    } else if (table && f->kind != TASK_OTHER && per_sample != 1) {
        tern_fail(f->ctx, TERN_ERR_ARGUMENT,
                  "%s is one number per row, but the model gives %lld: its last layer needs 1 "
                  "output%s",
                  target_text(f), (long long)per_sample,
                  f->kind == TASK_BINARY ? ", or for a score per class use CrossEntropyLoss()"
                                         : "");
    }
}

bool model_fits(tern_module *model, const recipe *r, const run_data *data) {
    tern_ctx *ctx = tern_module_context(model);
    fit f = {ctx, r, data, task_kind_of(r)};
    uint8_t state[TERN_RNG_STATE_SIZE];
    tern_tensor *sample[TERN_MAX_FIELDS];
    if (!targets_are_classes(&f)) return false;
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_generator_get_state(tern_default_generator(ctx), state);
    tern_module_eval(model);
    if (tern_dataset_get(data->test, 0, sample) == TERN_OK)
        check_output(&f, tern_forward(model, tern_unsqueeze(sample[0], 0)));
    tern_module_train(model, true);
    tern_generator_set_state(tern_default_generator(ctx), state, sizeof state);
    tern_scope_end(scope);
    return tern_check(ctx) == TERN_OK;
}
