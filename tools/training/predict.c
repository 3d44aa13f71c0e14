/* tern predict: what a saved run's model predicts for data. */
#include "evaluation.h"
#include "json_out.h"
#include "plain_text.h"
#include "run_data.h"
#include "saved_run.h"
#include "verbs.h"

#include "tern/memory.h"
#include "tern/ops.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct predict_options {
    common_options common;
    const char *data;
    int64_t limit;
    bool eager;
} predict_options;

#define AT(field) offsetof(predict_options, field)

static const option table[] = {
    {"data", OPTION_TEXT, "DATA", NULL, "other data than the run's test data", AT(data), 0, 0,
     false},
    {"limit", OPTION_INT, "N", NULL, "the first N samples", AT(limit), 1, INT64_MAX, false},
    {"eager", OPTION_FLAG, NULL, NULL, "decide every batch anew, with the same numbers", AT(eager),
     0, 0, false},
};

typedef struct printer {
    const saved_run *run;
    bool json;
    json_out j;
    int64_t done, limit; /* samples; limit 0 is none */
    volatile int enough;
} printer;

/* "12: Sandal (5) 0.98" */
static void print_class(printer *p, int64_t index, double share) {
    const char *name = run_data_class(p->run->facts, index);
    tern_ctx *ctx = p->run->ctx;
    if (!p->json) {
        printf("%" PRId64 ": ", p->done);
        if (name)
            printf("%s (%" PRId64 ")", plain_text(ctx, name), index);
        else
            printf("%" PRId64, index);
        printf(" %.4f\n", share);
        return;
    }
    json_out_object(&p->j, NULL);
    json_out_text(&p->j, "class", name);
    json_out_int(&p->j, "index", index);
    json_out_number(&p->j, "probability", share);
    json_out_end(&p->j);
}

/* "12: 3.5" or "12: 3.5 0.25" */
static void print_numbers(printer *p, const double *row, int64_t count) {
    if (p->json)
        json_out_array(&p->j, NULL);
    else
        printf("%" PRId64 ":", p->done);
    for (int64_t i = 0; i < count; i++) {
        if (p->json)
            json_out_number(&p->j, NULL, row[i]);
        else
            printf(" %.6g", row[i]);
    }
    if (p->json)
        json_out_end(&p->j);
    else
        putchar('\n');
}

static int64_t largest(const double *row, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

static void print_batch(void *user, const seen_batch *batch) {
    printer *p = user;
    tern_tensor *out = task_predicted(&p->run->task, batch->output);
    int64_t rows = tern_size(out, 0), count = rows ? tern_numel(out) / rows : 0;
    bool classes = p->run->task.kind == TASK_CLASSES && tern_rank(out) == 2;
    if (classes) out = tern_softmax(out, 1);
    double *numbers =
        tern_scope_alloc(tern_context_of(out), ((size_t)tern_numel(out) + 1) * sizeof *numbers);
    if (!numbers || tern_to_doubles(out, numbers, (size_t)tern_numel(out)) != TERN_OK) return;
    for (int64_t i = 0; i < rows && !p->enough; i++, p->done++) {
        const double *row = numbers + i * count;
        if (classes)
            print_class(p, largest(row, count), row[largest(row, count)]);
        else
            print_numbers(p, row, count);
        p->enough = p->limit && p->done + 1 >= p->limit;
    }
}

static int run(const verb *v, void *options) {
    const predict_options *o = options;
    saved_run run;
    scores s;
    int status = EXIT_OK;
    bool opened = saved_run_open(&run, o->common.positional[0], o->common.device);
    tern_dataset *data =
        opened ? run_data_test(run.ctx, &run.recipe, run.facts, o->data, false) : NULL;
    printer p = {
        .run = &run, .json = o->common.json, .limit = o->limit, .j = json_out_begin(stdout)};
    if (data) {
        evaluation e = {.model = run.model, .task = run.task, .data = data, .is_eager = o->eager};
        e.visit = print_batch;
        e.user = &p;
        e.stop = &p.enough;
        if (p.json) json_out_object(&p.j, NULL);
        if (p.json) json_out_array(&p.j, "predictions");
        evaluate(&e, &s);
        if (p.json) json_out_end(&p.j);
        if (p.json) json_out_end(&p.j);
        if (p.json) json_out_finish(&p.j);
    }
    if (!opened || tern_check(run.ctx) != TERN_OK)
        status = work_failed(v, "%s", saved_run_error(&run));
    saved_run_close(&run);
    return status;
}

const verb verb_predict = {
    .name = "predict",
    .arguments = "RUN",
    .summary = "prints what a trained model predicts",
    .details =
        "RUN is the folder of a run of tern train. --data takes what a recipe's `data` takes, and "
        "also\n"
        "inputs alone: a table without the target's column, or an .npy or IDX file.\n\n"
        "One line per sample: a classifier's has the class and its probability, a binary model's "
        "the\n"
        "probability of 1, a regression's the number in the target's own unit, and any other "
        "model's\n"
        "what the model returns.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(predict_options),
    .run = run,
};
