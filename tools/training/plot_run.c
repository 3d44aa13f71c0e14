/* tern plot: the plots of a saved run. */
#include "run_data.h"
#include "run_plots.h"
#include "saved_run.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

typedef struct plot_options {
    common_options common;
    const char *out, *what;
} plot_options;

#define AT(field) offsetof(plot_options, field)

static const option table[] = {
    {"out", OPTION_TEXT, "F", NULL, "write one plot to F.png or F.svg; else all, to RUN/plots",
     AT(out), 0, 0, false},
    {"what", OPTION_TEXT, "PLOT", "curves", "with --out: curves, confusion or predictions",
     AT(what), 0, 0, false},
};

static int draw(const verb *v, saved_run *run, const plot_options *o) {
    run_looks looks = {.verb = v,
                       .ctx = run->ctx,
                       .folder = run->folder,
                       .facts = run->facts,
                       .history = saved_run_history(run),
                       .model = run->model,
                       .task = run->task};
    if (!o->out || strcmp(o->what, "curves") != 0)
        looks.test = run_data_test(run->ctx, &run->recipe, run->facts, NULL, true);
    if (tern_check(run->ctx) != TERN_OK) return work_failed(v, "%s", saved_run_error(run));
    bool drawn = o->out ? run_plots_one(&looks, o->what, o->out) : run_plots_all(&looks);
    if (tern_check(run->ctx) != TERN_OK) return work_failed(v, "%s", saved_run_error(run));
    return drawn ? EXIT_OK : EXIT_WORK_FAILED;
}

static int run(const verb *v, void *options) {
    static const char *const names[] = {"curves", "confusion", "predictions"};
    const plot_options *o = options;
    saved_run run;
    bool known = false;
    for (size_t i = 0; i < 3; i++) known = known || strcmp(o->what, names[i]) == 0;
    if (!known)
        return wrong_usage(v, "--what is curves, confusion or predictions, not '%s'", o->what);
    int status = saved_run_open(&run, o->common.positional[0], o->common.device)
                     ? draw(v, &run, o)
                     : work_failed(v, "%s", saved_run_error(&run));
    saved_run_close(&run);
    if (status == EXIT_OK && !o->common.quiet && !o->common.json) {
        if (o->out)
            printf("%s\n", o->out);
        else
            printf("the plots are in %s/plots\n", o->common.positional[0]);
    }
    return status;
}

const verb verb_plot = {
    .name = "plot",
    .arguments = "RUN",
    .summary = "draws a run's curves, confusion matrix and predictions",
    .details = "RUN is the folder of a run of tern train. Plots need gnuplot. If the run's "
               "data\nno longer exists, --out F.png still draws the curves.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(plot_options),
    .run = run,
};
