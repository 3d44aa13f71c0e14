#include "line_plots.h"

#include "plotting/plot.h"

#include "tern/memory.h"

#include <stdio.h>

enum { PATH_SIZE = 4096, MESSAGE_SIZE = 512, TITLE_SIZE = 128 };

void line_plots_init(line_plots *p, tern_ctx *ctx, const verb *v, const char *folder, bool terminal,
                     const line_data *data) {
    *p = (line_plots){.ctx = ctx, .verb = v, .folder = folder, .terminal = terminal, .data = data};
}

static void note_result(line_plots *p, plot_result result, const char *message) {
    if (result == PLOT_DRAWN) {
        p->drawn = true;
        return;
    }
    p->off = true;
    if (result == PLOT_NO_GNUPLOT)
        work_failed(p->verb,
                    "gnuplot is not installed, so no plots are drawn; install gnuplot-nox");
    else
        work_failed(p->verb, "no plots are drawn: %s", message);
}

static void draw(line_plots *p, const plot *picture, const char *model, const char *what) {
    static const char *const endings[] = {"png", "svg"};
    char path[PATH_SIZE], message[MESSAGE_SIZE] = "";
    figure alone = {picture, 1, 1};
    for (size_t i = 0; i < 2 && !p->off; i++) {
        snprintf(path, sizeof path, "%s/%s_%s.%s", p->folder, model, what, endings[i]);
        note_result(p, plot_save(&alone, path, message, sizeof message), message);
    }
    if (p->terminal && !p->off)
        note_result(p, plot_terminal(&alone, message, sizeof message), message);
}

/* A tensor's elements on the host, NULL after latching an error. */
static double *elements(tern_ctx *ctx, const tern_tensor *tensor) {
    size_t count = (size_t)tern_numel(tensor);
    double *data = tern_scope_alloc(ctx, count * sizeof *data);
    if (!data || tern_to_doubles(tensor, data, count) != TERN_OK) return NULL;
    return data;
}

void line_plots_predictions(line_plots *p, const char *model, const char *when,
                            tern_tensor *predictions) {
    char title[TITLE_SIZE];
    if (!p || p->off) return;
    tern_scope scope = tern_scope_begin(p->ctx, 0);
    double *x_train = elements(p->ctx, p->data->x_train),
           *y_train = elements(p->ctx, p->data->y_train);
    double *x_test = elements(p->ctx, p->data->x_test), *y_test = elements(p->ctx, p->data->y_test);
    double *guesses = elements(p->ctx, predictions);
    size_t n_train = (size_t)p->data->n_train, n_test = (size_t)p->data->n_test;
    plot_series series[] = {
        {"Training data", "blue", false, x_train, y_train, n_train},
        {"Testing data", "#2ca02c", false, x_test, y_test, n_test},
        {"Predictions", "red", false, x_test, guesses, n_test},
    };
    snprintf(title, sizeof title, "%s %s training", model, when);
    plot picture = {title, "x", "y", series, 3, NULL};
    if (x_train && y_train && x_test && y_test && guesses) draw(p, &picture, model, when);
    tern_scope_end(scope);
}

void line_plots_losses(line_plots *p, const char *model, const double *losses,
                       const double *test_losses, int64_t epochs) {
    char title[TITLE_SIZE];
    if (!p || p->off) return;
    tern_scope scope = tern_scope_begin(p->ctx, 0);
    size_t count = (size_t)epochs;
    double *x = tern_scope_alloc(p->ctx, count * sizeof *x);
    for (size_t i = 0; x && i < count; i++) x[i] = (double)i;
    plot_series series[] = {
        {"Train loss", "blue", true, x, losses, count},
        {"Test loss", "orange", true, x, test_losses, count},
    };
    snprintf(title, sizeof title, "%s: training and test loss", model);
    plot picture = {title, "Epochs", "Loss", series, 2, NULL};
    if (x) draw(p, &picture, model, "loss");
    tern_scope_end(scope);
}
