/* Reports as text and as JSON. */
#include "report_rows.h"

#include "json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINE_WIDTH = 100, REPLAY_SIZE = 1024, MOST_FAMILIES = 64 };

/* ---- JSON ------------------------------------------------------------------------------------ */

static void replay_line(const report *r, const failure_row *f, char *out_line, size_t size) {
    snprintf(out_line, size, "tern conformance --device %s%s --replay %s:%s", r->device, r->replay,
             subject_at(r, f->subject)->name, f->id);
}

static void counts_json(json_out *j, int64_t passed, int64_t failed) {
    json_out_int(j, "passed", passed);
    json_out_int(j, "failed", failed);
}

static void subjects_json(json_out *j, const report *r) {
    json_out_object(j, "subjects");
    for (size_t i = 0; i < r->subjects.count; i++) {
        const subject_row *s = subject_at(r, i);
        json_out_object(j, s->name);
        json_out_int(j, "cases", s->passed + s->failed + s->skipped);
        counts_json(j, s->passed, s->failed);
        json_out_int(j, "skipped", s->skipped);
        json_out_end(j);
    }
    json_out_end(j);
}

static void failures_json(json_out *j, const report *r) {
    char line[REPLAY_SIZE];
    json_out_array(j, "failures");
    for (size_t i = 0; i < r->failures.count; i++) {
        const failure_row *f = failure_at(r, i);
        replay_line(r, f, line, sizeof line);
        json_out_object(j, NULL);
        json_out_text(j, "subject", subject_at(r, f->subject)->name);
        json_out_text(j, "id", f->id);
        json_out_text(j, "what", f->what);
        json_out_text(j, "replay", line);
        json_out_end(j);
    }
    json_out_end(j);
}

void report_print_json(const report *r) {
    totals t = report_totals(r);
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_text(&j, "device", r->device);
    json_out_int(&j, "cases", t.passed + t.failed + t.skipped);
    counts_json(&j, t.passed, t.failed);
    json_out_object(&j, "skipped");
    for (size_t i = 0; i < r->n_reasons; i++)
        json_out_int(&j, r->reasons[i].text, r->reasons[i].cases);
    json_out_end(&j);
    subjects_json(&j, r);
    failures_json(&j, r);
    json_out_object(&j, "accuracy");
    json_out_number(&j, "median_error_ratio", report_median_ratio(r));
    json_out_number(&j, "exact_share", report_exact_share(r));
    json_out_end(&j);
    json_out_end(&j);
    json_out_finish(&j);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void print_skipped(const report *r) {
    size_t column = LINE_WIDTH;
    for (size_t i = 0; i < r->n_reasons; i++)
        printf("skipped, %s: %" PRId64 " cases\n", r->reasons[i].text, r->reasons[i].cases);
    for (size_t i = 0; i < r->subjects.count; i++) {
        const subject_row *s = subject_at(r, i);
        if (s->skipped == 0) continue;
        if (column + strlen(s->name) + 1 > LINE_WIDTH) {
            fputs(column == LINE_WIDTH ? "  " : "\n  ", stdout);
            column = 2;
        }
        column += (size_t)printf("%s ", s->name);
    }
    if (column != LINE_WIDTH) putchar('\n');
}

static void print_failures(const report *r) {
    char line[REPLAY_SIZE];
    for (size_t i = 0; i < r->failures.count; i++) {
        const failure_row *f = failure_at(r, i);
        replay_line(r, f, line, sizeof line);
        printf("FAILED %s:%s: %s\n  replay: %s\n", subject_at(r, f->subject)->name, f->id, f->what,
               line);
    }
}

typedef struct score {
    const char *family;
    int64_t passed, failed;
} score;

/* By family of kernels, in the order of their first case. */
static size_t add_scores(const report *r, score *scores) {
    size_t count = 0;
    for (size_t i = 0; i < r->cases.count; i++) {
        const case_row *c = case_at(r, i);
        size_t k = 0;
        if (c->state != CASE_PASSED && c->state != CASE_FAILED) continue;
        while (k < count && strcmp(scores[k].family, c->family) != 0) k++;
        if (k == MOST_FAMILIES) continue;
        if (k == count) scores[count++] = (score){c->family, 0, 0};
        scores[k].passed += c->state == CASE_PASSED;
        scores[k].failed += c->state == CASE_FAILED;
    }
    return count;
}

static void print_scores(const report *r) {
    score scores[MOST_FAMILIES];
    size_t count = add_scores(r, scores), column = LINE_WIDTH;
    for (size_t i = 0; i < count; i++) {
        char text[2 * REPORT_NAME];
        int64_t all = scores[i].passed + scores[i].failed;
        int length = snprintf(text, sizeof text, "%s %" PRId64 "/%" PRId64, scores[i].family,
                              scores[i].passed, all);
        if (column + (size_t)length + 2 > LINE_WIDTH) {
            fputs(i ? ",\n  " : "passed by family:\n  ", stdout);
            column = 2;
        } else {
            fputs(", ", stdout);
        }
        column += (size_t)printf("%s", text) + 2;
    }
    if (count) putchar('\n');
}

void report_print_text(const report *r, bool quiet) {
    totals t = report_totals(r);
    if (!quiet) {
        print_skipped(r);
        print_scores(r);
        print_failures(r);
        for (size_t i = 0; i < r->advice.count; i++) printf("next: %s\n", advice_at(r, i)->text);
    }
    printf("%s: %" PRId64 " cases passed, %" PRId64 " failed, %" PRId64
           " skipped; subjects: %" PRId64 " passed, %" PRId64 " failed, %" PRId64 " skipped\n",
           r->device, t.passed, t.failed, t.skipped, t.subjects_passed, t.subjects_failed,
           t.subjects_skipped);
    if (r->ratios.count > 0)
        printf("error over PyTorch's own, median: %.3g; exact where PyTorch is: %.2f %%\n",
               report_median_ratio(r), 100 * report_exact_share(r));
}
