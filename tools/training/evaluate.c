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
} evaluate_options;

static const option table[] = {
    {"data", OPTION_TEXT, "DATA", NULL, "other data than the run's test data",
     offsetof(evaluate_options, data), 0, 0, false},
};

static void print_json(const tally *sums) {
    json_out j = json_begin(stdout);
    json_object(&j, NULL);
    json_number(&j, "loss", tally_loss(sums));
    json_number(&j, "accuracy", tally_accuracy(sums));
    json_end(&j);
    json_finish(&j);
}

static void print_text(const tally *sums) {
    printf("loss %.5f", tally_loss(sums));
    if (sums->classes) printf(", accuracy %.2f%%", 100 * tally_accuracy(sums));
    printf(" over %" PRId64 " samples\n", sums->count);
}

static int run(const verb *v, void *options) {
    const evaluate_options *o = options;
    saved_run run;
    tally sums;
    int status = EXIT_OK;
    if (!saved_run_open(&run, o->common.positional[0], o->common.device) ||
        !evaluate(run.model, run.loss,
                  run_data_test(run.ctx, &run.recipe, run.facts, o->data, true), NULL, NULL, NULL,
                  &sums))
        status = work_failed(v, "%s", saved_run_error(&run));
    else if (o->common.json)
        print_json(&sums);
    else
        print_text(&sums);
    saved_run_close(&run);
    return status;
}

const verb verb_evaluate = {
    .name = "evaluate",
    .arguments = "RUN",
    .summary = "tells a trained model's loss and accuracy",
    .details =
        "RUN is the folder of a run of tern train. --data takes what a recipe's data takes: of "
        "a\n"
        "table all rows, of a folder its test data, treated as the run's.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(evaluate_options),
    .run = run,
};
