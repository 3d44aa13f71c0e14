#include "tally.h"

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <math.h>
#include <stdlib.h>

tally tally_begin(const task *t) {
    return (tally){.task = *t, .single = true};
}

/* ---- batches --------------------------------------------------------------------------------- */

static void add_classes(tally *sums, tern_tensor *output, tern_tensor *targets) {
    if (tern_dtype_of(targets) != TERN_INT64 || tern_rank(output) != 2) return;
    sums->right += tern_item_i64(tern_sum(tern_eq(tern_argmax(output, 1, false), targets)));
    sums->judged += tern_size(output, 0);
}

/* Room for so many more; without it there is an error, and no AUC. */
static bool make_room(tally *sums, tern_ctx *ctx, size_t more) {
    if (sums->room - sums->n_rated >= more) return true;
    size_t room = 2 * sums->room + more;
    rated_sample *grown = NULL;
    if (room < SIZE_MAX / sizeof *grown)
        grown = tern_realloc(sums->rated, sums->room * sizeof *grown, room * sizeof *grown);
    if (!grown) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "no memory for the scores of %zu samples", room);
        return false;
    }
    sums->rated = grown;
    sums->room = room;
    return true;
}

static void add_binary(tally *sums, const double *output, const double *targets, size_t count) {
    double threshold = sums->task.logits ? 0 : 0.5;
    for (size_t i = 0; i < count; i++) {
        bool positive = targets[i] > 0.5;
        sums->right += (output[i] > threshold) == positive;
        if (sums->single) sums->rated[sums->n_rated++] = (rated_sample){output[i], positive};
    }
    sums->judged += (int64_t)count;
}

static void add_regression(tally *sums, const double *output, const double *targets, size_t count) {
    if (sums->numbers == 0) sums->shift = targets[0];
    for (size_t i = 0; i < count; i++) {
        double error = output[i] - targets[i], target = targets[i] - sums->shift;
        sums->absolute += fabs(error);
        sums->squared += error * error;
        sums->sum += target;
        sums->squares += target * target;
    }
    sums->numbers += (int64_t)count;
}

/* What is judged number by number. */
static void add_numbers(tally *sums, tern_tensor *output, tern_tensor *targets) {
    tern_ctx *ctx = tern_context_of(output);
    size_t count = (size_t)tern_numel(output);
    if (tern_numel(targets) != (int64_t)count || count == 0) return;
    double *numbers = tern_scope_alloc(ctx, 2 * count * sizeof *numbers);
    if (!numbers || tern_to_doubles(output, numbers, count) != TERN_OK ||
        tern_to_doubles(targets, numbers + count, count) != TERN_OK)
        return;
    sums->single = sums->single && (int64_t)count == tern_size(output, 0);
    if (sums->task.kind == TASK_REGRESSION)
        add_regression(sums, numbers, numbers + count, count);
    else if (!sums->single || make_room(sums, ctx, count))
        add_binary(sums, numbers, numbers + count, count);
}

void tally_add(tally *sums, double loss, tern_tensor *output, tern_tensor *targets) {
    int64_t count = tern_size(output, 0);
    task_kind kind = sums->task.kind;
    sums->loss += loss * (double)count;
    sums->count += count;
    if (!targets || tern_check(tern_context_of(output)) != TERN_OK) return;
    if (kind == TASK_CLASSES)
        add_classes(sums, tern_detach(output), targets);
    else if (kind == TASK_BINARY || kind == TASK_REGRESSION)
        add_numbers(sums, tern_detach(output), targets);
}

/* ---- scores ---------------------------------------------------------------------------------- */

static int by_score(const void *a, const void *b) {
    double x = ((const rated_sample *)a)->score, y = ((const rated_sample *)b)->score;
    return (x > y) - (x < y);
}

/*
 * The share of pairs of a 1 and a 0 in which the 1 has the higher score, an equal score counting one
 * half: by the ranks of the ones (Mann and Whitney's U), where equal scores share their mean rank.
 */
static double area_under_curve(rated_sample *items, size_t n) {
    double ranks = 0, ones = 0;
    for (size_t i = 0; i < n; i++)
        if (isnan(items[i].score)) return (double)NAN;
    if (n) qsort(items, n, sizeof *items, by_score);
    for (size_t first = 0, end; first < n; first = end) {
        double positive = 0;
        for (end = first; end < n && items[end].score == items[first].score; end++)
            positive += items[end].positive;
        ranks += positive * (double)(first + end + 1) / 2;
        ones += positive;
    }
    double zeros = (double)n - ones;
    return ones > 0 && zeros > 0 ? (ranks - ones * (ones + 1) / 2) / (ones * zeros) : (double)NAN;
}

scores tally_end(tally *sums) {
    double none = (double)NAN, count = (double)sums->count, numbers = (double)sums->numbers;
    scores s = {sums->count, none, none, none, none, none};
    if (sums->count) s.loss = sums->loss / count;
    if (sums->judged) s.accuracy = (double)sums->right / (double)sums->judged;
    if (sums->single) s.auc = area_under_curve(sums->rated, sums->n_rated);
    if (sums->numbers) {
        double spread = sums->squares - sums->sum * sums->sum / numbers;
        s.mae = sums->absolute / numbers * sums->task.deviation;
        if (sums->single && spread > 0) s.r2 = 1 - sums->squared / spread;
    }
    tern_free(sums->rated);
    sums->rated = NULL;
    sums->n_rated = sums->room = 0;
    return s;
}

void scores_print(FILE *stream, const scores *s) {
    if (!isnan(s->accuracy)) fprintf(stream, ", acc: %.2f%%", 100 * s->accuracy);
    if (!isnan(s->auc)) fprintf(stream, ", AUC: %.4f", s->auc);
    if (!isnan(s->mae)) fprintf(stream, ", MAE: %.6g", s->mae);
    if (!isnan(s->r2)) fprintf(stream, ", R2: %.4f", s->r2);
}
