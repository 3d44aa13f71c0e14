/* tern evaluate: the loss and the accuracy of a saved run. */
#include "evaluation.h"
#include "json_out.h"
#include "run_data.h"
#include "saved_run.h"
#include "verbs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

typedef struct evaluate_options {
    common_options common;
    const char *data;
    bool eager;
} evaluate_options;

static const option table[] = {
    {"data", OPTION_TEXT, "DATA", NULL, "other data than the run's test data",
     offsetof(evaluate_options, data), 0, 0, false},
    {"eager", OPTION_FLAG, NULL, NULL, "decide every batch anew, with the same numbers",
     offsetof(evaluate_options, eager), 0, 0, false},
};

static void print_json(const scores *s) {
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_number(&j, "loss", s->loss);
    json_out_number(&j, "accuracy", s->accuracy);
    json_out_end(&j);
    json_out_finish(&j);
}

static void print_text(const scores *s) {
    printf("loss %.5f", s->loss);
    if (!isnan(s->accuracy)) printf(", accuracy %.2f%%", 100 * s->accuracy);
    if (!isnan(s->auc)) printf(", AUC %.4f", s->auc);
    if (!isnan(s->mae)) printf(", MAE %.6g", s->mae);
    if (!isnan(s->r2)) printf(", R2 %.4f", s->r2);
    printf(" over %" PRId64 " samples\n", s->count);
}

static bool score(saved_run *run, const evaluate_options *o, scores *out_scores) {
    evaluation e = {
        .model = run->model, .loss = run->loss, .task = run->task, .is_eager = o->eager};
    e.data = run_data_test(run->ctx, &run->recipe, run->facts, o->data, true);
    return evaluate(&e, out_scores);
}

static int run(const verb *v, void *options) {
    const evaluate_options *o = options;
    saved_run run;
    scores s;
    int status = EXIT_OK;
    if (!saved_run_open(&run, o->common.positional[0], o->common.device) || !score(&run, o, &s))
        status = work_failed(v, "%s", saved_run_error(&run));
    else if (o->common.json)
        print_json(&s);
    else
        print_text(&s);
    saved_run_close(&run);
    return status;
}

const verb verb_evaluate = {
    .name = "evaluate",
    .arguments = "RUN",
    .summary = "reports a trained model's loss and accuracy",
    .details =
        "RUN is the folder of a run of tern train. --data takes what a recipe's `data` takes: all\n"
        "rows of a table, or the test part of a folder. They are scaled and transformed as the "
        "run's\n"
        "data was.\n\n"
        "A classifier has an accuracy; a binary model (BCEWithLogitsLoss, BCELoss) also the area\n"
        "under the ROC curve (AUC); a regression the mean absolute error (MAE), in the target's "
        "own\n"
        "unit, and R2.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(evaluate_options),
    .run = run,
};
