/*
 * run_plots.h: the plots of a training run: the curves of loss and accuracy, the confusion matrix of a
 * classifier, and predictions beside the data: pictures with what was said of them, or numbers against
 * what was right.
 */
#ifndef TERN_TOOLS_RUN_PLOTS_H
#define TERN_TOOLS_RUN_PLOTS_H

#include "options.h"
#include "task.h"

#include "tern/data.h"
#include "tern/nn.h"

/* What there is to be looked at. */
typedef struct run_looks {
    const verb *verb;
    tern_ctx *ctx;
    const char *folder;
    tern_value facts, history;
    tern_module *model;
    task task;
    tern_dataset *test;
} run_looks;

/* FOLDER/plots/curves, confusion and predictions, as .png and .svg, each where the run has such a
 * thing. A plot that cannot be drawn is one line on standard error, and false. */
bool run_plots_all(const run_looks *looks);

/* One of them ("curves", "confusion", "predictions") into a file. */
bool run_plots_one(const run_looks *looks, const char *what, const char *path);

#endif
