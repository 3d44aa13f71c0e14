/*
 * line_plots.h: the plots of `tern train linear`: training data (blue), test data (green) and predictions
 * (red), and the loss curves.
 */
#ifndef TERN_TOOLS_LINE_PLOTS_H
#define TERN_TOOLS_LINE_PLOTS_H

#include "linear_program.h"
#include "options.h"

typedef struct line_plots {
    tern_ctx *ctx;
    const verb *verb;
    const char *folder;
    const line_data *data;
    bool terminal; /* draw on standard output too */
    bool off;      /* gnuplot is not there, or failed: said once */
    bool drawn;
} line_plots;

void line_plots_init(line_plots *p, tern_ctx *ctx, const verb *v, const char *folder, bool terminal,
                     const line_data *data);

/* FOLDER/MODEL_WHEN.png and .svg. A plot that cannot be drawn is one line on standard error; the run goes
 * on. `p` may be NULL. */
void line_plots_predictions(line_plots *p, const char *model, const char *when,
                            tern_tensor *predictions);

/* FOLDER/MODEL_loss.png and .svg. */
void line_plots_losses(line_plots *p, const char *model, const double *losses,
                       const double *test_losses, int64_t epochs);

#endif
