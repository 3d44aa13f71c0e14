#include "run_plots.h"

#include "evaluation.h"
#include "folders.h"
#include "plotting/plot.h"
#include "run_data.h"

#include "tern/memory.h"
#include "tern/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MESSAGE_SIZE = 512,
    CAPTION = 80,
    PICTURES = 9,
    PICTURES_ROW = 3,
    MOST_PIXELS = 1 << 16,
    MOST_POINTS = 2000,
    MOST_CLASSES = 200
};

/* ---- drawing --------------------------------------------------------------------------------- */

/* Where figures go: a file, or the run's folder in both formats. */
typedef struct target {
    const run_looks *looks;
    const char *path; /* a file; NULL: plots/NAME.png and .svg */
    char folder[PATH_SIZE];
    bool failed; /* said once */
} target;

static bool drawn(target *to, plot_result result, const char *message) {
    if (result == PLOT_DRAWN) return true;
    if (!to->failed && result == PLOT_NO_GNUPLOT)
        work_failed(to->looks->verb,
                    "gnuplot is not installed, so no plots are drawn; install gnuplot-nox");
    else if (!to->failed)
        work_failed(to->looks->verb, "no plots are drawn: %s", message);
    to->failed = true;
    return false;
}

static void draw(target *to, const figure *f, const char *name) {
    static const char *const endings[] = {"png", "svg"};
    char path[PATH_SIZE + 32], message[MESSAGE_SIZE] = "";
    if (to->path) {
        drawn(to, plot_save(f, to->path, message, sizeof message), message);
        return;
    }
    for (size_t i = 0; i < 2 && !to->failed; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", to->folder, name, endings[i]);
        drawn(to, plot_save(f, path, message, sizeof message), message);
    }
}

/* ---- curves ---------------------------------------------------------------------------------- */

/* One number of each epoch; NaN where it has none. False where no epoch has one. */
static bool column_of(tern_value history, const char *key, double *out) {
    bool any = false;
    for (size_t i = 0; i < tern_value_count(history); i++) {
        tern_value number = tern_dict_get(tern_value_at(history, i), key);
        bool has = number.kind == TERN_VALUE_FLOAT || number.kind == TERN_VALUE_INT;
        out[i] = has ? tern_value_as_double(number) : (double)NAN;
        any = any || has;
    }
    return any;
}

static void draw_curves(target *to) {
    const run_looks *l = to->looks;
    size_t n = tern_value_count(l->history);
    double *epochs = tern_scope_alloc(l->ctx, 5 * (n + 1) * sizeof *epochs);
    if (!epochs || n == 0) return;
    double *loss = epochs + n, *test_loss = loss + n, *accuracy = test_loss + n;
    double *test_accuracy = accuracy + n;
    for (size_t i = 0; i < n; i++) epochs[i] = (double)i;
    column_of(l->history, "loss", loss);
    column_of(l->history, "test_loss", test_loss);
    bool rated = column_of(l->history, "accuracy", accuracy);
    rated = column_of(l->history, "test_accuracy", test_accuracy) && rated;
    plot_series losses[] = {{"train", "blue", true, epochs, loss, n},
                            {"test", "orange", true, epochs, test_loss, n}};
    plot_series shares[] = {{"train", "blue", true, epochs, accuracy, n},
                            {"test", "orange", true, epochs, test_accuracy, n}};
    plot plots[] = {{"Loss", "Epochs", "", losses, 2, NULL},
                    {"Accuracy", "Epochs", "", shares, 2, NULL}};
    figure f = {plots, rated ? 2 : 1, rated ? 2 : 1};
    draw(to, &f, "curves");
}

/* ---- what the model says of the test data ---------------------------------------------------- */

/* What is kept of the batches. */
typedef struct answers {
    const run_looks *looks;
    double *confusion; /* [classes, classes] */
    int64_t classes;
    double *pictures[PICTURES]; /* the first of them, [height, width] */
    int64_t height, width, right[PICTURES], said[PICTURES];
    int n_pictures;
    double *x, *y, *predicted; /* the first numbers */
    bool x_is_input;           /* the inputs are one number each; else x is what was right */
    size_t n_points;
} answers;

static void add_confusion(answers *a, const seen_batch *batch) {
    int64_t classes = tern_size(batch->output, 1);
    if (classes < 2 || classes > MOST_CLASSES) return;
    size_t cells = (size_t)(classes * classes);
    double *counts = tern_scope_alloc(a->looks->ctx, cells * sizeof *counts);
    tern_tensor *matrix = tern_confusion_matrix(batch->output, batch->targets);
    if (!counts || tern_to_doubles(matrix, counts, cells) != TERN_OK) return;
    a->classes = classes;
    for (size_t i = 0; i < cells; i++) a->confusion[i] += counts[i];
}

/* [N, H, W] or [N, C, H, W] of 1 or 3 channels, whose mean is shown. */
static tern_tensor *gray(tern_tensor *inputs) {
    if (tern_rank(inputs) == 3) return inputs;
    if (tern_rank(inputs) != 4 || tern_size(inputs, 1) > 4) return NULL;
    return tern_mean_dims(tern_to_dtype(inputs, TERN_FLOAT32), TERN_SHAPE(1), false);
}

static void add_pictures(answers *a, const seen_batch *batch) {
    tern_tensor *shown = gray(batch->inputs);
    if (!shown || tern_size(shown, 1) * tern_size(shown, 2) > MOST_PIXELS) return;
    tern_tensor *said = tern_argmax(batch->output, 1, false);
    a->height = tern_size(shown, 1);
    a->width = tern_size(shown, 2);
    size_t pixels = (size_t)(a->height * a->width);
    for (int64_t i = 0; i < tern_size(shown, 0) && a->n_pictures < PICTURES; i++) {
        double *picture = a->pictures[a->n_pictures];
        if (tern_to_doubles(tern_select(shown, 0, i), picture, pixels) != TERN_OK) return;
        a->right[a->n_pictures] = tern_item_i64(tern_select(batch->targets, 0, i));
        a->said[a->n_pictures++] = tern_item_i64(tern_select(said, 0, i));
    }
}

/* Predictions and targets of one number a sample. */
static void add_points(answers *a, const seen_batch *batch) {
    int64_t rows = tern_size(batch->output, 0), left = MOST_POINTS - (int64_t)a->n_points;
    if (tern_numel(batch->output) != rows || tern_numel(batch->targets) != rows) return;
    int64_t count = rows < left ? rows : left;
    if (count <= 0) return;
    const task *t = &a->looks->task;
    tern_tensor *predicted = task_predicted(t, batch->output);
    tern_tensor *targets = task_target(t, batch->targets);
    size_t n = (size_t)count, at = a->n_points;
    a->x_is_input = tern_numel(batch->inputs) == rows;
    tern_shape flat = TERN_SHAPE(-1);
    tern_to_doubles(tern_narrow(tern_reshape(predicted, flat), 0, 0, count), a->predicted + at, n);
    tern_to_doubles(tern_narrow(tern_reshape(targets, flat), 0, 0, count), a->y + at, n);
    if (a->x_is_input)
        tern_to_doubles(tern_narrow(tern_reshape(batch->inputs, flat), 0, 0, count), a->x + at, n);
    else
        memcpy(a->x + at, a->y + at, n * sizeof *a->x);
    a->n_points += n;
}

static void look(void *user, const seen_batch *batch) {
    answers *a = user;
    if (!batch->targets) return;
    bool classes = tern_dtype_of(batch->targets) == TERN_INT64 && tern_rank(batch->output) == 2 &&
                   tern_rank(batch->targets) == 1;
    if (classes) add_confusion(a, batch);
    if (classes && a->n_pictures < PICTURES) add_pictures(a, batch);
    if (!classes) add_points(a, batch);
}

static bool make_room(answers *a) {
    tern_ctx *ctx = a->looks->ctx;
    a->confusion = tern_scope_alloc(ctx, MOST_CLASSES * MOST_CLASSES * sizeof(double));
    for (int i = 0; i < PICTURES; i++)
        a->pictures[i] = tern_scope_alloc(ctx, MOST_PIXELS * sizeof(double));
    a->x = tern_scope_alloc(ctx, 3 * MOST_POINTS * sizeof(double));
    if (tern_check(ctx) != TERN_OK) return false;
    a->y = a->x + MOST_POINTS;
    a->predicted = a->y + MOST_POINTS;
    return true;
}

/* ---- figures of that ------------------------------------------------------------------------- */

static void draw_confusion(target *to, const answers *a) {
    const char *names[MOST_CLASSES];
    bool named = true;
    for (int64_t i = 0; i < a->classes; i++) {
        names[i] = run_data_class(to->looks->facts, i);
        named = named && names[i];
    }
    plot_matrix matrix = {a->confusion, a->classes, a->classes, false, named ? names : NULL};
    plot p = {"Confusion matrix of the test data", "Predicted", "True", NULL, 0, &matrix};
    figure f = {&p, 1, 1};
    draw(to, &f, "confusion");
}

static void class_text(const answers *a, int64_t index, char *out, size_t size) {
    const char *name = run_data_class(a->looks->facts, index);
    if (name)
        snprintf(out, size, "%.30s", name);
    else
        snprintf(out, size, "%d", (int)index);
}

static void draw_pictures(target *to, const answers *a) {
    plot plots[PICTURES];
    plot_matrix matrices[PICTURES];
    char captions[PICTURES][CAPTION];
    for (int i = 0; i < a->n_pictures; i++) {
        char said[32], right[32];
        class_text(a, a->said[i], said, sizeof said);
        class_text(a, a->right[i], right, sizeof right);
        snprintf(captions[i], CAPTION, a->said[i] == a->right[i] ? "%s" : "%s, but is %s", said,
                 right);
        matrices[i] = (plot_matrix){a->pictures[i], a->height, a->width, true, NULL};
        plots[i] = (plot){captions[i], "", "", NULL, 0, &matrices[i]};
    }
    figure f = {plots, (size_t)a->n_pictures, PICTURES_ROW};
    draw(to, &f, "predictions");
}

/* Over the input where that is one number, else over what was right. */
static void draw_points(target *to, const answers *a) {
    bool over = a->x_is_input;
    plot_series series[] = {
        {over ? "Test data" : "Right", "#2ca02c", false, a->x, a->y, a->n_points},
        {"Predictions", "red", false, a->x, a->predicted, a->n_points},
    };
    plot p = {"Predictions for the test data", over ? "Input" : "Target", "", series, 2, NULL};
    figure f = {&p, 1, 1};
    draw(to, &f, "predictions");
}

/* `what` NULL is all that there is. False where nothing was drawn, or not all. */
static bool draw_answers(target *to, const char *what) {
    const run_looks *l = to->looks;
    answers a = {.looks = l};
    evaluation e = {.model = l->model, .task = l->task, .data = l->test, .visit = look, .user = &a};
    scores s;
    bool any = false;
    if (!make_room(&a) || !evaluate(&e, &s)) return false;
    if (a.classes && (!what || strcmp(what, "confusion") == 0)) {
        draw_confusion(to, &a);
        any = true;
    }
    if (!what || strcmp(what, "predictions") == 0) {
        if (a.n_pictures)
            draw_pictures(to, &a);
        else if (a.n_points)
            draw_points(to, &a);
        any = any || a.n_pictures || a.n_points;
    }
    return any && !to->failed;
}

bool run_plots_all(const run_looks *looks) {
    target to = {.looks = looks};
    if (!path_join(looks->ctx, looks->folder, "plots", to.folder) ||
        !folder_make(looks->ctx, to.folder))
        return false;
    tern_scope scope = tern_scope_begin(looks->ctx, 0);
    draw_curves(&to);
    if (!to.failed) draw_answers(&to, NULL);
    tern_scope_end(scope);
    return !to.failed;
}

bool run_plots_one(const run_looks *looks, const char *what, const char *path) {
    target to = {.looks = looks, .path = path};
    bool any = true;
    tern_scope scope = tern_scope_begin(looks->ctx, 0);
    if (strcmp(what, "curves") == 0)
        draw_curves(&to);
    else
        any = draw_answers(&to, what);
    tern_scope_end(scope);
    if (!any && !to.failed && tern_check(looks->ctx) == TERN_OK) {
        work_failed(looks->verb, "%s: this run has no plot of %s", looks->folder, what);
        to.failed = true;
    }
    return !to.failed;
}
