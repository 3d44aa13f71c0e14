/* metrics.c: how right a classifier is, counted on the host. */
#include <math.h>

#include "tern/data.h"
#include "tern/describe.h"
#include "tern/memory.h"

/* Scores and targets on the host. */
typedef struct rows {
    int64_t count, classes;
    double *scores, *target;
} rows;

static void drop_rows(rows *r) {
    tern_free(r->scores);
    tern_free(r->target);
}

static bool targets_valid(tern_ctx *ctx, const char *what, const rows *r) {
    for (int64_t i = 0; i < r->count; i++)
        if (!(r->target[i] >= 0 && r->target[i] < (double)r->classes)) {
            tern_fail(ctx, TERN_ERR_INDEX, "%s: Target %g is out of bounds.", what, r->target[i]);
            return false;
        }
    return true;
}

static bool read_rows(const char *what, tern_tensor *scores, tern_tensor *target, rows *out_rows) {
    tern_ctx *ctx = tern_context_of(scores ? scores : target);
    *out_rows = (rows){0};
    if (!tern_argument_tensor(ctx, what, scores) || !tern_argument_tensor(ctx, what, target))
        return false;
    if (tern_rank(scores) != 2 || tern_rank(target) != 1 ||
        tern_size(scores, 0) != tern_size(target, 0)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: scores must be [N, C] and target [N], not of %d and %d dimensions with "
                  "%lld and %lld elements",
                  what, tern_rank(scores), tern_rank(target), (long long)tern_numel(scores),
                  (long long)tern_numel(target));
        return false;
    }
    out_rows->count = tern_size(scores, 0);
    out_rows->classes = tern_size(scores, 1);
    size_t numel = (size_t)tern_numel(scores), count = (size_t)out_rows->count;
    out_rows->scores = tern_alloc_zeroed(numel + 1, sizeof(double));
    out_rows->target = tern_alloc_zeroed(count + 1, sizeof(double));
    if (!out_rows->scores || !out_rows->target)
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for %zu scores", what, numel);
    else if (tern_to_doubles(scores, out_rows->scores, numel) == TERN_OK &&
             tern_to_doubles(target, out_rows->target, count) == TERN_OK &&
             targets_valid(ctx, what, out_rows))
        return true;
    drop_rows(out_rows);
    return false;
}

/* How many scores of the row come before that of class t: the greater, and the equal to its left. */
static int64_t place_of(const double *row, int64_t classes, int64_t t) {
    int64_t place = 0;
    if (isnan(row[t])) return classes;
    for (int64_t c = 0; c < classes; c++)
        place += isnan(row[c]) || row[c] > row[t] || (c < t && row[c] >= row[t]);
    return place;
}

double tern_topk_accuracy(tern_tensor *scores, tern_tensor *target, int64_t k) {
    rows r;
    int64_t right = 0;
    if (!read_rows("topk_accuracy", scores, target, &r)) return NAN;
    for (int64_t i = 0; i < r.count; i++)
        right += place_of(r.scores + i * r.classes, r.classes, (int64_t)r.target[i]) < k;
    drop_rows(&r);
    return r.count ? (double)right / (double)r.count : NAN;
}

double tern_accuracy(tern_tensor *scores, tern_tensor *target) {
    return tern_topk_accuracy(scores, target, 1);
}

static int64_t argmax(const double *row, int64_t classes) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes && !isnan(row[best]); c++)
        if (isnan(row[c]) || row[c] > row[best]) best = c;
    return best;
}

tern_tensor *tern_confusion_matrix(tern_tensor *scores, tern_tensor *target) {
    rows r;
    tern_ctx *ctx = tern_context_of(scores);
    if (!read_rows("confusion_matrix", scores, target, &r)) return tern_nil(ctx);
    tern_tensor *out = tern_nil(ctx);
    uint64_t cells = 0;
    int64_t *counts = NULL;
    if (tern_size_mul((uint64_t)r.classes, (uint64_t)r.classes, &cells) && cells < SIZE_MAX)
        counts = tern_alloc_zeroed((size_t)cells + 1, sizeof *counts);
    if (counts) {
        for (int64_t i = 0; i < r.count; i++)
            counts[(int64_t)r.target[i] * r.classes +
                   argmax(r.scores + i * r.classes, r.classes)]++;
        tern_shape shape = {2, {r.classes, r.classes}};
        out = tern_from_data(ctx, counts, shape, TERN_INT64);
    } else {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "confusion_matrix: no memory for %lld classes",
                  (long long)r.classes);
    }
    tern_free(counts);
    drop_rows(&r);
    return out;
}
