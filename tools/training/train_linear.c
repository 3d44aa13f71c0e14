/*
 * tern train linear: the tutorial "PyTorch workflow fundamentals", whole: data, two models, training,
 * evaluation, plots, saving, loading.
 */
#define _POSIX_C_SOURCE 200809L
#include "folders.h"
#include "interrupt.h"
#include "json_out.h"
#include "line_plots.h"
#include "linear_program.h"
#include "profiled.h"
#include "verbs.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FLOAT_TEXT = 32 };

typedef struct linear_options {
    common_options common;
    double weight, bias, step, lr;
    int64_t points, epochs, report_every;
    const char *out, *profile;
    bool terminal, eager, no_plots;
} linear_options;

#define AT(field) offsetof(linear_options, field)

static const option table[] = {
    {"weight", OPTION_NUMBER, "W", "0.7", "slope of the line to be learned", AT(weight), 0, 0,
     false},
    {"bias", OPTION_NUMBER, "B", "0.3", "intercept of the line to be learned", AT(bias), 0, 0,
     false},
    {"points", OPTION_INT, "N", "50", "number of points (80 % for training, the rest for the test)",
     AT(points), 2, 100000000, false},
    {"step", OPTION_NUMBER, "S", NULL, "distance between points (else 1 / N)", AT(step), 0, 0,
     false},
    {"epochs", OPTION_INT, "N", NULL, "epochs of the models (else 100 and 1000)", AT(epochs), 1,
     INT64_MAX / 1024, false},
    {"report-every", OPTION_INT, "N", NULL, "print every Nth epoch (else 10 and 100)",
     AT(report_every), 1, INT64_MAX, false},
    {"lr", OPTION_NUMBER, "R", "0.01", "learning rate", AT(lr), 0, 0, false},
    {"out", OPTION_TEXT, "DIR", ".", "the folder for models/ and plots/", AT(out), 0, 0, false},
    {"terminal", OPTION_FLAG, NULL, NULL, "also draw the plots in the terminal", AT(terminal), 0, 0,
     false},
    {"eager", OPTION_FLAG, NULL, NULL, "decide every epoch anew, with the same numbers", AT(eager),
     0, 0, false},
    {"profile", OPTION_TEXT, "FILE", NULL, "write a profile", AT(profile), 0, 0, false},
    {"no-plots", OPTION_FLAG, NULL, NULL, "draw no plots", AT(no_plots), 0, 0, false},
};

/* One of the two models and what it is trained with. */
typedef struct lesson {
    const verb *verb;
    const linear_options *options;
    tern_ctx *ctx;
    const line_data *data;
    line_plots *plots; /* NULL: none */
    const char *name;  /* "model_0" */
    tern_module *(*make)(tern_ctx *ctx);
    int64_t epochs, report_every;
    volatile int *stop;
    struct timespec started;
    double *losses, *test_losses;
    int64_t done;
} lesson;

/* ---- what is printed ------------------------------------------------------------------------- */

/* Prose goes to standard output unless that is JSON's or --quiet was said. */
static bool talks(const lesson *l) {
    return !l->options->common.json && !l->options->common.quiet;
}

static void print_model(const lesson *l, tern_module *model) {
    if (!talks(l)) return;
    printf("\n%s: %s\n", l->name, tern_module_repr_text(model));
    size_t length = tern_value_repr(tern_module_state_dict(model), NULL, 0);
    char *text = tern_scope_alloc(l->ctx, length + 1);
    if (!text) return;
    tern_value_repr(tern_module_state_dict(model), text, length + 1);
    printf("%s\n", text);
}

static void print_predictions(const lesson *l, const char *when, tern_tensor *predictions) {
    if (talks(l))
        printf("Predictions on the test data %s:\n%s\n", when, tern_repr_text(predictions));
}

static double seconds_since(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) * 1e-9;
}

static void print_epoch_json(const lesson *l, int64_t epoch, double loss, double test_loss) {
    double seconds = seconds_since(&l->started);
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_text(&j, "model", l->name);
    json_out_int(&j, "epoch", epoch);
    json_out_number(&j, "loss", loss);
    json_out_null(&j, "accuracy");
    json_out_number(&j, "test_loss", test_loss);
    json_out_null(&j, "test_accuracy");
    json_out_number(&j, "seconds", seconds);
    json_out_number(&j, "samples_per_s", (double)(l->data->n_train * (epoch + 1)) / seconds);
    json_out_end(&j);
    json_out_finish(&j);
}

static bool after_epoch(void *user, int64_t epoch, double loss, double test_loss) {
    lesson *l = user;
    char train_text[FLOAT_TEXT], test_text[FLOAT_TEXT];
    l->losses[epoch] = loss;
    l->test_losses[epoch] = test_loss;
    l->done = epoch + 1;
    if (l->options->common.json) {
        print_epoch_json(l, epoch, loss, test_loss);
    } else if (epoch % l->report_every == 0) {
        tern_format_double(loss, train_text);
        tern_format_double(test_loss, test_text);
        printf("Epoch: %" PRId64 " | MAE Train Loss: %s | MAE Test Loss: %s\n", epoch, train_text,
               test_text);
    }
    return !*l->stop;
}

/* The learned numbers beside the true ones. */
static void print_learned(const lesson *l, tern_module *model) {
    tern_value parameters = tern_module_named_parameters(model), key, value;
    double truth[] = {l->options->weight, l->options->bias};
    if (!talks(l)) return;
    puts("The model learned (beside it the true value):");
    for (size_t i = 0; i < 2 && tern_dict_at(parameters, i, &key, &value); i++) {
        char learned[FLOAT_TEXT], right[FLOAT_TEXT];
        tern_format_double(tern_item(value.as.tensor), learned);
        tern_format_double(truth[i], right);
        printf("  %-20s %-22s %s\n", key.as.s, learned, right);
    }
}

/* ---- saving and loading ---------------------------------------------------------------------- */

/* Makes DIR/NAME and the folders above it. */
static bool make_folder(tern_ctx *ctx, const char *folder, const char *name, char *out_path) {
    return path_join(ctx, folder, name, out_path) && folder_make(ctx, out_path);
}

/* Saves the model, loads it into a new one, and compares the predictions of both. */
static void save_and_load(const lesson *l, tern_module *model, tern_tensor *predictions) {
    char folder[PATH_SIZE], path[PATH_SIZE + 64];
    if (!make_folder(l->ctx, l->options->out, "models", folder)) return;
    snprintf(path, sizeof path, "%s/01_pytorch_workflow_%s.pth", folder, l->name);
    if (talks(l)) printf("Saving model to: %s\n", path);
    if (tern_module_save(model, path) != TERN_OK) return;
    tern_module *loaded = l->make(l->ctx);
    if (tern_module_load(loaded, path) != TERN_OK) return;
    bool equal = tern_equal(line_predict(loaded, l->data->x_test), predictions);
    if (tern_error(l->ctx)[0]) return;
    if (talks(l)) printf("The loaded model predicts the same: %s\n", equal ? "True" : "False");
    if (!equal)
        tern_fail(l->ctx, TERN_ERR_INTERNAL,
                  "%s: the loaded model predicts other values than the saved", path);
}

/* ---- a lesson -------------------------------------------------------------------------------- */

static void train(lesson *l, tern_module *model) {
    tern_tensor *before = line_predict(model, l->data->x_test);
    print_predictions(l, "before training", before);
    line_plots_predictions(l->plots, l->name, "before", before);
    tern_manual_seed(l->ctx, l->options->common.seed);
    clock_gettime(CLOCK_MONOTONIC, &l->started);
    const line_training how = {l->options->lr, l->epochs, l->options->eager};
    line_train(model, l->data, &how, after_epoch, l);
    if (tern_check(l->ctx) != TERN_OK || *l->stop) return;
    tern_tensor *after = line_predict(model, l->data->x_test);
    print_learned(l, model);
    print_predictions(l, "after training", after);
    line_plots_predictions(l->plots, l->name, "after", after);
    line_plots_losses(l->plots, l->name, l->losses, l->test_losses, l->done);
    save_and_load(l, model, after);
}

static void teach(lesson *l) {
    tern_scope scope = tern_scope_begin(l->ctx, 0);
    size_t bytes = (size_t)l->epochs * sizeof(double);
    l->losses = tern_scope_alloc(l->ctx, bytes);
    l->test_losses = tern_scope_alloc(l->ctx, bytes);
    tern_manual_seed(l->ctx, l->options->common.seed);
    tern_module *model = l->make(l->ctx);
    if (l->losses && l->test_losses && model) {
        print_model(l, model);
        train(l, model);
    }
    tern_scope_end(scope);
}

static bool prepare_data(tern_ctx *ctx, const linear_options *o, line_data *out_data) {
    double step = o->step > 0 ? o->step : 1 / (double)o->points;
    if (!line_data_make(ctx, o->weight, o->bias, step, o->points, out_data)) return false;
    if (o->common.json || o->common.quiet) return true;
    printf("device: %s (%s)\n", tern_device_name(ctx), tern_device_reason(ctx));
    printf("data: y = %g x + %g at %" PRId64 " points, %" PRId64 " to train and %" PRId64
           " to test\n",
           o->weight, o->bias, o->points, out_data->n_train, out_data->n_test);
    return true;
}

static int run_lessons(const verb *v, const linear_options *o, tern_ctx *ctx) {
    line_data data;
    line_plots plots;
    char folder[PATH_SIZE];
    volatile int *stop = interrupt_watch();
    if (!prepare_data(ctx, o, &data)) return work_failed(v, "%s", tern_error(ctx));
    bool drawing = !o->no_plots && make_folder(ctx, o->out, "plots", folder);
    if (drawing) line_plots_init(&plots, ctx, v, folder, o->terminal && !o->common.json, &data);
    lesson lessons[] = {
        {.name = "model_0", .make = line_model_parameters, .epochs = 100, .report_every = 10},
        {.name = "model_1", .make = line_model_layer, .epochs = 1000, .report_every = 100},
    };
    for (size_t i = 0; i < 2 && !*stop && tern_check(ctx) == TERN_OK; i++) {
        lesson *l = &lessons[i];
        l->verb = v;
        l->options = o;
        l->ctx = ctx;
        l->data = &data;
        l->plots = drawing ? &plots : NULL;
        l->stop = stop;
        if (o->epochs) l->epochs = o->epochs;
        if (o->report_every) l->report_every = o->report_every;
        teach(l);
    }
    if (tern_check(ctx) != TERN_OK) return work_failed(v, "%s", tern_error(ctx));
    if (*stop) return work_failed(v, "interrupted; the model in training was not saved");
    if (drawing && !o->common.json && !o->common.quiet && plots.drawn)
        printf("\nPlots are in %s\n", folder);
    return EXIT_OK;
}

static int run(const verb *v, void *options) {
    const linear_options *o = options;
    if (o->step < 0) return wrong_usage(v, "--step is %g, but must be above 0", o->step);
    int status = profiled_begin(v, o->profile);
    if (status != EXIT_OK) return status;
    tern_ctx *ctx = tern_open(o->common.device);
    status =
        tern_check(ctx) == TERN_OK ? run_lessons(v, o, ctx) : work_failed(v, "%s", tern_error(ctx));
    status = profiled_end(v, ctx, o->profile, &o->common, status);
    tern_close(ctx);
    return status;
}

const verb verb_train_linear = {
    .name = "train linear",
    .arguments = "",
    .summary = "trains the tutorial's straight line",
    .details = "Learns y = W x + B with two models: model_0 has two parameters, model_1 a layer "
               "Linear(1, 1);\nL1 loss, SGD. Plots the data with the predictions before and after "
               "training, and both loss\ncurves (PNG and SVG, by gnuplot); saves each model to "
               "DIR/models, loads it into a new one and\ncompares the predictions.",
    .seed = "42",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .options_size = sizeof(linear_options),
    .run = run,
};
