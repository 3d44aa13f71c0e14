#define _POSIX_C_SOURCE 200809L
#include "training.h"

#include "evaluation.h"
#include "folders.h"
#include "model_fit.h"

#include "tern/grad.h"
#include "tern/io.h"
#include "tern/memory.h"
#include "tern/nn.h"
#include "tern/ops.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REFERENCE_LIMIT = 10000, BAR_WIDTH = 30, SECONDS_A_MINUTE = 60 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The first `limit` training samples alone; a device that is slow by design sets a limit. */
static void limit_data(training *t, recipe *r) {
    int64_t length = tern_dataset_length(t->data.train);
    if (!r->limit && length > REFERENCE_LIMIT && tern_device_is_reference(t->ctx))
        r->limit = REFERENCE_LIMIT;
    int64_t limit = r->limit;
    if (limit <= 0 || limit >= length) return;
    int64_t *indices = tern_scope_alloc(t->ctx, (size_t)limit * sizeof *indices);
    for (int64_t i = 0; indices && i < limit; i++) indices[i] = i;
    if (indices) t->data.train = tern_subset_new(t->data.train, indices, (size_t)limit);
}

/* A training step on inputs and targets: its loss and predictions. */
static void step(void *user, tern_tensor *const *batch, tern_tensor **out) {
    const training *t = user;
    out[1] = tern_forward(t->model, batch[0]);
    out[0] = tern_forward2(t->loss, out[1], batch[1]);
    tern_optim_zero_grad(t->optim);
    tern_backward(out[0]);
    if (t->recipe->clip > 0)
        tern_clip_grad_norm(t->ctx, tern_module_parameters(t->model), t->recipe->clip, 2, false);
    tern_optim_step(t->optim);
}

bool training_init(training *t, tern_ctx *ctx, recipe *r, const volatile int *stop) {
    *t = (training){.ctx = ctx, .recipe = r, .stop = stop, .best = INFINITY};
    tern_loader_options o = TERN_LOADER_OPTIONS;
    if (!run_data_load(ctx, r, &t->data)) return false;
    limit_data(t, r);
    o.batch_size = r->batch_size;
    o.shuffle = true;
    o.num_workers = (int)r->workers;
    t->loader = tern_loader_new(t->data.train, &o);
    if (!t->loader) return false;
    tern_manual_seed(ctx, r->seed);
    t->task = task_of(r, t->data.facts);
    t->model = tern_nn(ctx, recipe_model(r));
    t->loss = tern_nn(ctx, r->loss);
    if (t->model && t->loss && !model_fits(t->model, r, &t->data)) return false;
    if (t->model && t->loss) t->optim = tern_optim_new(t->model, r->optimizer);
    if (t->optim && *r->scheduler) t->sched = tern_sched_new(t->optim, r->scheduler);
    t->history = tern_list_new(ctx);
    t->step = (repeated){.ctx = ctx,
                         .work = step,
                         .user = t,
                         .n_inputs = 2,
                         .n_results = 2,
                         .first = 1, /* the first one makes the optimizer's state */
                         .owner = tern_owner_new(ctx)};
    return tern_check(ctx) == TERN_OK;
}

/* ---- an epoch -------------------------------------------------------------------------------- */

/* False at the end of the data. */
static bool train_batch(training *t, tally *sums) {
    tern_scope scope = tern_scope_begin(t->ctx, 0);
    tern_tensor *batch[TERN_MAX_FIELDS];
    bool more = tern_loader_next(t->loader, batch);
    if (more) {
        tern_tensor *results[2]; /* the loss, and the predictions */
        repeated_run(&t->step, batch, results);
        tally_add(sums, tern_item(results[0]), results[1], batch[1]);
    }
    tern_scope_end(scope);
    return more;
}

/* "epoch 2 [=====>      ] 320/938  5120 samples/s  0:12 left" over the line before. */
static void show_progress(const training *t, int64_t done, double started) {
    double seconds = now() - started, rate = (double)done / (seconds > 0 ? seconds : 1);
    int64_t count = tern_dataset_length(t->data.train);
    int filled = (int)(done * BAR_WIDTH / count);
    int64_t left = (int64_t)((double)(count - done) / (rate > 0 ? rate : 1));
    if (!t->shows_progress) return;
    fprintf(stderr,
            "\repoch %" PRId64 " [%.*s%*s] %" PRId64 "/%" PRId64 "  %.0f samples/s  %" PRId64
            ":%02" PRId64 " left ",
            t->done, filled, "==============================", BAR_WIDTH - filled, "", done, count,
            rate, left / SECONDS_A_MINUTE, left % SECONDS_A_MINUTE);
    if (done == count) fputs("\r\033[K", stderr);
}

static tern_value number_or_none(double number) {
    return isnan(number) ? tern_none() : tern_float(number);
}

static void remember(training *t, const epoch_result *e) {
    tern_value row = tern_dict_new(t->ctx, false);
    tern_dict_set(row, "epoch", tern_int(e->epoch));
    tern_dict_set(row, "loss", tern_float(e->train.loss));
    tern_dict_set(row, "accuracy", number_or_none(e->train.accuracy));
    tern_dict_set(row, "test_loss", tern_float(e->test.loss));
    tern_dict_set(row, "test_accuracy", number_or_none(e->test.accuracy));
    tern_dict_set(row, "seconds", tern_float(e->seconds));
    tern_dict_set(row, "samples_per_s", tern_float(e->samples_per_s));
    if (t->task.kind == TASK_BINARY) {
        tern_dict_set(row, "auc", number_or_none(e->train.auc));
        tern_dict_set(row, "test_auc", number_or_none(e->test.auc));
    } else if (t->task.kind == TASK_REGRESSION) {
        tern_dict_set(row, "mae", number_or_none(e->train.mae));
        tern_dict_set(row, "test_mae", number_or_none(e->test.mae));
        tern_dict_set(row, "r2", number_or_none(e->train.r2));
        tern_dict_set(row, "test_r2", number_or_none(e->test.r2));
    }
    tern_list_append(t->history, row);
    t->waited = e->test.loss < t->best ? 0 : t->waited + 1;
    if (e->test.loss < t->best) t->best = e->test.loss;
}

bool training_epoch(training *t, epoch_result *out_result) {
    tally sums = tally_begin(&t->task);
    double started = now(), seconds;
    tern_scope scope = tern_scope_begin(t->ctx, 0);
    tern_module_train(t->model, true);
    tern_loader_begin(t->loader);
    while (!*t->stop && train_batch(t, &sums)) show_progress(t, sums.count, started);
    tern_loader_stop(t->loader);
    tern_scope_end(scope);
    seconds = now() - started;
    *out_result = (epoch_result){.epoch = t->done, .train = tally_end(&sums), .seconds = seconds};
    out_result->samples_per_s = (double)out_result->train.count / seconds;
    if (*t->stop || tern_check(t->ctx) != TERN_OK) return false;
    evaluation test = {.is_eager = t->step.is_eager,
                       .model = t->model,
                       .loss = t->loss,
                       .task = t->task,
                       .data = t->data.test,
                       .stop = t->stop};
    if (!evaluate(&test, &out_result->test) || *t->stop) return false;
    if (t->sched) tern_sched_step_metric(t->sched, out_result->test.loss);
    remember(t, out_result);
    t->done++;
    return tern_check(t->ctx) == TERN_OK;
}

bool training_is_stuck(const training *t) {
    return t->recipe->patience > 0 && t->waited >= t->recipe->patience;
}

/* ---- the run's folder ------------------------------------------------------------------------ */

static bool save_metrics(training *t, const char *path) {
    const char **lines;
    size_t count = tern_value_count(t->history), bytes = 0, used = 0;
    lines = tern_scope_alloc(t->ctx, (count + 1) * sizeof *lines);
    for (size_t i = 0; lines && i < count; i++) {
        lines[i] = tern_json_text(t->ctx, tern_value_at(t->history, i), 0);
        if (!lines[i]) return false;
        bytes += strlen(lines[i]) + 1;
    }
    char *text = tern_scope_alloc(t->ctx, bytes + 1);
    for (size_t i = 0; lines && text && i < count; i++)
        used += (size_t)snprintf(text + used, bytes + 1 - used, "%s\n", lines[i]);
    return text && tern_file_write(t->ctx, path, text, used) == TERN_OK;
}

static tern_value checkpoint(training *t) {
    uint8_t state[TERN_RNG_STATE_SIZE];
    tern_value all = tern_dict_new(t->ctx, false);
    tern_generator_get_state(tern_default_generator(t->ctx), state);
    tern_dict_set(all, "model", tern_module_state_dict(t->model));
    tern_dict_set(all, "optimizer", tern_optim_state_dict(t->optim));
    if (t->sched) tern_dict_set(all, "scheduler", tern_sched_state_dict(t->sched));
    tern_dict_set(all, "generator",
                  tern_tensor_value(
                      tern_from_data(t->ctx, state, TERN_SHAPE(TERN_RNG_STATE_SIZE), TERN_UINT8)));
    tern_dict_set(all, "epoch", tern_int(t->done));
    tern_dict_set(all, "waited", tern_int(t->waited));
    tern_dict_set(all, "best", tern_float(t->best));
    tern_dict_set(all, "history", t->history);
    return all;
}

bool training_save(training *t, const char *folder) {
    char path[PATH_SIZE];
    bool keeps = strcmp(t->recipe->keep, "best") != 0 || t->waited == 0;
    tern_scope scope = tern_scope_begin(t->ctx, TERN_NO_GRAD);
    bool saved = path_join(t->ctx, folder, "checkpoint.pth", path) &&
                 tern_value_save(t->ctx, checkpoint(t), path) == TERN_OK &&
                 path_join(t->ctx, folder, "model.pth", path) &&
                 (!keeps || tern_module_save(t->model, path) == TERN_OK) &&
                 path_join(t->ctx, folder, "metrics.jsonl", path) && save_metrics(t, path);
    tern_scope_end(scope);
    return saved;
}

static void take_over(training *t, const char *path, tern_value all) {
    uint8_t state[TERN_RNG_STATE_SIZE];
    tern_value generator = tern_dict_get(all, "generator");
    if (generator.kind != TERN_VALUE_TENSOR ||
        tern_dict_get(all, "history").kind != TERN_VALUE_LIST ||
        tern_dict_get(all, "epoch").kind != TERN_VALUE_INT ||
        tern_dict_get(all, "waited").kind != TERN_VALUE_INT ||
        !tern_value_is_number(tern_dict_get(all, "best")) ||
        tern_dict_has(all, "scheduler") != (t->sched != NULL)) {
        tern_fail(t->ctx, TERN_ERR_FORMAT, "%s: no checkpoint of this recipe", path);
        return;
    }
    tern_module_load_state_dict(t->model, tern_dict_get(all, "model"), true);
    tern_optim_load_state_dict(t->optim, tern_dict_get(all, "optimizer"));
    if (t->sched) tern_sched_load_state_dict(t->sched, tern_dict_get(all, "scheduler"));
    if (tern_to_host(generator.as.tensor, state, sizeof state) == TERN_OK)
        tern_generator_set_state(tern_default_generator(t->ctx), state, sizeof state);
    t->done = tern_value_as_int(tern_dict_get(all, "epoch"));
    t->waited = tern_value_as_int(tern_dict_get(all, "waited"));
    t->best = tern_value_as_double(tern_dict_get(all, "best"));
    t->history = tern_dict_get(all, "history");
}

bool training_resume(training *t, const char *folder) {
    char path[PATH_SIZE];
    if (!path_join(t->ctx, folder, "checkpoint.pth", path)) return false;
    folder_sweep(folder);
    tern_value all = tern_value_load(t->ctx, path);
    if (tern_check(t->ctx) == TERN_OK) take_over(t, path, all);
    return tern_check(t->ctx) == TERN_OK && training_save(t, folder);
}
