/* tern train: a recipe, or fashion-mnist, from data to a saved model. */
#define _POSIX_C_SOURCE 200809L
#include "folders.h"
#include "interrupt.h"
#include "json_out.h"
#include "plain_text.h"
#include "profiled.h"
#include "run_plots.h"
#include "saved_run.h"
#include "training.h"
#include "verbs.h"

#include "tern/io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_TEXT = 256 };

typedef struct train_options {
    common_options common;
    const char *model, *out, *profile;
    int64_t epochs, batch_size, limit;
    bool resume, force, eager, no_plots;
} train_options;

#define AT(field) offsetof(train_options, field)

static const option table[] = {
    {"model", OPTION_TEXT, "MODEL", NULL, "PyTorch's notation, mlp or tinyvgg", AT(model), 0, 0,
     false},
    {"out", OPTION_TEXT, "DIR", NULL, "the run's folder", AT(out), 0, 0, false},
    {"epochs", OPTION_INT, "N", NULL, "total number of epochs", AT(epochs), 1, INT32_MAX, false},
    {"batch-size", OPTION_INT, "N", NULL, "samples per step", AT(batch_size), 1, INT32_MAX, false},
    {"limit", OPTION_INT, "N", NULL, "train on the first N samples", AT(limit), 1, INT32_MAX,
     false},
    {"resume", OPTION_FLAG, NULL, NULL, "continue from the run's checkpoint", AT(resume), 0, 0,
     false},
    {"force", OPTION_FLAG, NULL, NULL, "replace the run in that folder", AT(force), 0, 0, false},
    {"eager", OPTION_FLAG, NULL, NULL, "decide every step anew, with the same numbers", AT(eager),
     0, 0, false},
    {"profile", OPTION_TEXT, "FILE", NULL, "write a profile", AT(profile), 0, 0, false},
    {"no-plots", OPTION_FLAG, NULL, NULL, "draw no plots", AT(no_plots), 0, 0, false},
};

/* The options that were given win over the recipe. */
static void override(recipe *r, const train_options *o) {
    if (o->model) r->model = o->model;
    if (o->out) r->out = o->out;
    if (o->epochs) r->epochs = o->epochs;
    if (o->batch_size) r->batch_size = o->batch_size;
    if (o->limit) r->limit = o->limit;
    if (o->common.seed != SEED_NOT_GIVEN) r->seed = o->common.seed;
}

static void print_json(const epoch_result *e) {
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_int(&j, "epoch", e->epoch);
    json_out_number(&j, "loss", e->train.loss);
    json_out_number(&j, "accuracy", e->train.accuracy);
    json_out_number(&j, "test_loss", e->test.loss);
    json_out_number(&j, "test_accuracy", e->test.accuracy);
    json_out_number(&j, "seconds", e->seconds);
    json_out_number(&j, "samples_per_s", e->samples_per_s);
    json_out_end(&j);
    json_out_finish(&j);
}

static void print_text(const epoch_result *e) {
    printf("Epoch: %" PRId64 " | Train loss: %.5f", e->epoch, e->train.loss);
    scores_print(stdout, &e->train);
    printf(" | Test loss: %.5f", e->test.loss);
    scores_print(stdout, &e->test);
    printf(" | %.1f s, %.0f samples/s\n", e->seconds, e->samples_per_s);
}

static void print_epoch(const epoch_result *e, bool json) {
    if (json)
        print_json(e);
    else
        print_text(e);
    fflush(stdout);
}

static void run_epochs(training *t, const train_options *o) {
    epoch_result result;
    while (t->done < t->recipe->epochs && !*t->stop && !training_is_stuck(t)) {
        if (!training_epoch(t, &result) || !training_save(t, t->recipe->out)) return;
        print_epoch(&result, o->common.json);
    }
}

/* False after latching an error where an epoch was finished there. */
static bool is_free(tern_ctx *ctx, const char *folder) {
    char path[PATH_SIZE];
    struct stat status;
    if (!path_join(ctx, folder, "metrics.jsonl", path)) return false;
    if (stat(path, &status) != 0 || status.st_size == 0) return true;
    tern_fail(ctx, TERN_ERR_STATE,
              "%s holds a run already: --resume continues it, --force replaces it, and --out DIR "
              "names another folder",
              folder);
    return false;
}

/* Makes or takes over the run and its folder, so that a run killed from here on can be resumed. What is
 * wrong with the recipe is said before what is wrong with the folder. */
static bool begin(training *t, tern_ctx *ctx, recipe *r, const train_options *o) {
    char path[PATH_SIZE];
    return training_init(t, ctx, r, interrupt_watch()) &&
           (o->resume || o->force || is_free(ctx, r->out)) && folder_make(ctx, r->out) &&
           (!o->resume || training_resume(t, r->out)) &&
           path_join(ctx, r->out, "recipe.txt", path) && recipe_write(ctx, r, path) &&
           saved_run_write_facts(ctx, r->out, t->data.facts) &&
           (o->resume || training_save(t, r->out));
}

/* Beside the results where those are JSON's. */
static void tell_limit(const training *t, const train_options *o) {
    if (o->common.quiet) return;
    fprintf(o->common.json ? stderr : stdout,
            "%s is written to be read, not to be fast: training on the first %" PRId64
            " samples (--limit N changes that)\n",
            tern_device_name(t->ctx), t->recipe->limit);
}

static void print_start(const training *t) {
    printf("device %s, %" PRId64 " samples to train and %" PRId64 " to test, %" PRId64
           " parameters\n",
           tern_device_name(t->ctx), tern_dataset_length(t->data.train),
           tern_dataset_length(t->data.test), tern_module_count_parameters(t->model));
    tern_value target = tern_dict_get(t->data.facts, "target");
    if (tern_dict_has(t->data.facts, "target_mean"))
        printf(
            "the target '%.60s' (mean %.6g, standard deviation %.6g) is scaled to 0 and 1: so is "
            "the loss; MAE and predictions are in its own unit\n",
            plain_text(t->ctx, target.as.s), t->task.mean, t->task.deviation);
}

static void print_end(const training *t) {
    char text[STEP_TEXT];
    repeated_describe(&t->step, text, sizeof text);
    if (t->step.runs > 1) printf("the training step was %s\n", text);
    printf("the run is in %s\n", t->recipe->out);
}

static int train(const verb *v, tern_ctx *ctx, recipe *r, const train_options *o) {
    training t;
    bool talks = !o->common.json && !o->common.quiet;
    bool unlimited = r->limit == 0;
    if (!begin(&t, ctx, r, o)) return work_failed(v, "%s", tern_error(ctx));
    t.step.is_eager = o->eager;
    t.shows_progress = talks && isatty(STDERR_FILENO);
    if (unlimited && r->limit > 0) tell_limit(&t, o);
    if (talks) print_start(&t);
    run_epochs(&t, o);
    if (tern_check(ctx) != TERN_OK) return work_failed(v, "%s", tern_error(ctx));
    if (*t.stop && t.done < r->epochs)
        return work_failed(v, "interrupted after %" PRId64 " epochs; --resume continues from %s",
                           t.done, r->out);
    if (talks && training_is_stuck(&t))
        printf("stopped early: %" PRId64 " epochs without a better test loss\n", t.waited);
    if (!o->no_plots) {
        /* The weights that were kept are those that the plots show. */
        run_looks looks = {v, ctx, r->out, t.data.facts, t.history, t.model, t.task, t.data.test};
        char path[PATH_SIZE];
        if (strcmp(r->keep, "best") == 0 && path_join(ctx, r->out, "model.pth", path))
            tern_module_load(t.model, path);
        run_plots_all(&looks);
        if (tern_check(ctx) != TERN_OK) return work_failed(v, "%s", tern_error(ctx));
    }
    if (talks) print_end(&t);
    return EXIT_OK;
}

/* Reads the recipe that the first argument names. */
static int read_recipe(const verb *v, tern_ctx *ctx, const char *name, recipe *out_recipe) {
    static const char *const built_in[] = {"linear", "fashion-mnist"};
    *out_recipe = recipe_fashion_mnist();
    if (strcmp(name, "fashion-mnist") == 0) return EXIT_OK;
    if (access(name, F_OK) != 0 && !strpbrk(name, "/.")) {
        const char *nearest = nearest_word(name, built_in, 2);
        return wrong_usage(v,
                           "no recipe '%s'; %s%s%sRECIPE is linear, fashion-mnist or a file, which "
                           "`tern train --help` describes",
                           name, nearest ? "did you mean '" : "", nearest ? nearest : "",
                           nearest ? "'? " : "");
    }
    return recipe_read(ctx, name, out_recipe) ? EXIT_OK : work_failed(v, "%s", tern_error(ctx));
}

static int run(const verb *v, void *options) {
    const train_options *o = options;
    recipe r;
    if (o->resume && o->force)
        return wrong_usage(v, "--resume continues a run and --force replaces it: give one of them");
    int status = profiled_begin(v, o->profile);
    if (status != EXIT_OK) return status;
    /* The recipe names the device, so it is read before that is opened, in a context of its own. */
    tern_ctx *reader = tern_open(o->common.device);
    status = tern_check(reader) == TERN_OK ? read_recipe(v, reader, o->common.positional[0], &r)
                                           : work_failed(v, "%s", tern_error(reader));
    if (status == EXIT_OK) {
        tern_ctx *ctx = recipe_context(reader, &r, o->common.device);
        override(&r, o);
        status = tern_check(ctx) == TERN_OK ? train(v, ctx, &r, o)
                                            : work_failed(v, "%s", tern_error(ctx));
        if (ctx != reader) tern_close(ctx);
    }
    status = profiled_end(v, reader, o->profile, &o->common, status);
    tern_close(reader);
    return status;
}

const verb verb_train = {
    .name = "train",
    .arguments = "RECIPE",
    .summary = "trains a model by a recipe",
    .details =
        "RECIPE is fashion-mnist (Debian's package dataset-fashion-mnist), or a file of "
        "lines\n`key = value`, where # begins a comment. The tutorial has its own command: tern "
        "train linear.\n\nkeys: model (PyTorch's notation, mlp, tinyvgg), optimizer, scheduler, "
        "loss, data,\ntransforms and test_transforms (torchvision's notation), target and inputs "
        "(columns of a\ntable), standardize (0 or 1), header (0 or 1), missing (refuse or mean), "
        "text\n(refuse, classes or one_hot), test_share, device, out, epochs, batch_size, "
        "seed, workers,\nlimit (training samples), clip (norm of the gradients), patience (stop "
        "after so many epochs\nwithout a better test loss), keep (last or best: the epoch whose "
        "weights model.pth holds).\n\nA table's inputs are scaled to mean 0 and deviation 1, and "
        "so is the target of a regression\n(MSELoss, L1Loss, SmoothL1Loss, HuberLoss); standardize "
        "= 0 leaves both as they are.\n\ndata is one of\n  - a folder with IDX files by MNIST's "
        "names\n  - a folder with train_inputs.npy, train_targets.npy, test_inputs.npy and "
        "test_targets.npy\n  - a folder with train.csv and test.csv, or one table (FILE.csv)\n  - "
        "a folder with train/ and test/, each with one folder of .npy files per class\nData in one "
        "part is split; test_share is the share of the test data.\n\nThe run's folder gets "
        "recipe.txt, data.json, metrics.jsonl, model.pth, plots/ and, after every\nepoch, "
        "checkpoint.pth. A folder that holds a run is not overwritten without --force or --resume.",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(train_options),
    .run = run,
};
