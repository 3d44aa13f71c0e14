#define _POSIX_C_SOURCE 200809L
#include "report.h"

#include "json_out.h"

#include "tern/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_REASONS = 8, LINE_WIDTH = 100, REPLAY_SIZE = 1024 };

typedef struct subject_row {
    char name[REPORT_NAME];
    int64_t passed, failed, skipped;
} subject_row;

typedef struct failure_row {
    char subject[REPORT_NAME];
    char id[REPORT_NAME];
    char what[REPORT_WHAT];
} failure_row;

typedef struct reason_row {
    char text[REPORT_NAME];
    int64_t cases;
} reason_row;

/* An array that grows; `item` bytes an element. */
typedef struct rows {
    void *items;
    size_t count, room, item;
} rows;

struct report {
    int relay; /* a file descriptor; -1: the rows are kept here */
    char device[REPORT_NAME];
    char *replay;
    rows subjects, failures, ratios;
    reason_row reasons[MOST_REASONS];
    size_t n_reasons;
    int64_t exact, exact_candidates;
    bool out_of_memory;
};

static void *rows_add(report *r, rows *list) {
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        void *items = tern_realloc(list->items, list->room * list->item, room * list->item);
        if (!items) {
            r->out_of_memory = true;
            return NULL;
        }
        list->items = items;
        list->room = room;
    }
    void *place = (char *)list->items + list->count++ * list->item;
    memset(place, 0, list->item);
    return place;
}

static const subject_row *subject_at(const report *r, size_t index) {
    return (const subject_row *)r->subjects.items + index;
}

static const failure_row *failure_at(const report *r, size_t index) {
    return (const failure_row *)r->failures.items + index;
}

static subject_row *current(report *r) {
    return r->subjects.count ? (subject_row *)r->subjects.items + r->subjects.count - 1 : NULL;
}

report *report_new(const char *replay) {
    report *r = tern_alloc_zeroed(1, sizeof *r);
    if (!r) return NULL;
    r->relay = -1;
    r->subjects.item = sizeof(subject_row);
    r->failures.item = sizeof(failure_row);
    r->ratios.item = sizeof(double);
    r->replay = tern_strdup(replay);
    if (r->replay) return r;
    report_free(r);
    return NULL;
}

report *report_relay_new(int fd) {
    report *r = report_new("");
    if (r) r->relay = fd;
    return r;
}

void report_free(report *r) {
    if (!r) return;
    tern_free(r->subjects.items);
    tern_free(r->failures.items);
    tern_free(r->ratios.items);
    tern_free(r->replay);
    tern_free(r);
}

/* ---- taking what is told --------------------------------------------------------------------- */

static void add_subject(report *r, const report_event *event) {
    /* One that is told again goes on. */
    if (current(r) && strcmp(current(r)->name, event->text) == 0) return;
    subject_row *s = rows_add(r, &r->subjects);
    if (s) memcpy(s->name, event->text, sizeof s->name);
}

static void add_failure(report *r, const report_event *event) {
    subject_row *s = current(r);
    failure_row *f = rows_add(r, &r->failures);
    if (s) s->failed++;
    if (!s || !f) return;
    memcpy(f->subject, s->name, sizeof f->subject);
    memcpy(f->id, event->text, sizeof f->id);
    memcpy(f->what, event->what, sizeof f->what);
}

static void add_skipped(report *r, const report_event *event) {
    subject_row *s = current(r);
    size_t i = 0;
    if (s) s->skipped += event->number;
    while (i < r->n_reasons && strcmp(r->reasons[i].text, event->text) != 0) i++;
    if (i == MOST_REASONS) i = MOST_REASONS - 1;
    if (i == r->n_reasons) {
        memcpy(r->reasons[i].text, event->text, sizeof r->reasons[i].text);
        r->n_reasons++;
    }
    r->reasons[i].cases += event->number;
}

static void add_accuracy(report *r, const report_event *event) {
    if (event->dtype != TERN_FLOAT32 && event->dtype != TERN_FLOAT16 &&
        event->dtype != TERN_BFLOAT16)
        return;
    if (event->torch_error > 0) {
        double *ratio = rows_add(r, &r->ratios);
        if (ratio) *ratio = event->error / event->torch_error;
    } else {
        r->exact_candidates++;
        r->exact += event->error <= 0;
    }
}

bool report_relay(report *r, const report_event *event) {
    const char *at = (const char *)event;
    size_t left = sizeof *event;
    while (left > 0) {
        ssize_t written = write(r->relay, at, left);
        if (written <= 0) return false;
        at += written;
        left -= (size_t)written;
    }
    return true;
}

void report_take(report *r, const report_event *event) {
    if (r->relay >= 0) {
        report_relay(r, event);
        return;
    }
    switch (event->kind) {
    case REPORT_DEVICE: memcpy(r->device, event->text, sizeof r->device); break;
    case REPORT_SUBJECT: add_subject(r, event); break;
    case REPORT_PASS:
        if (current(r)) current(r)->passed++;
        break;
    case REPORT_FAIL: add_failure(r, event); break;
    case REPORT_SKIP: add_skipped(r, event); break;
    case REPORT_ACCURACY: add_accuracy(r, event); break;
    case REPORT_BEGIN:
    case REPORT_END: break;
    }
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(report *r, enum report_event_kind kind, const char *text, const char *what,
                 int64_t number) {
    report_event event = {.kind = kind, .number = number};
    snprintf(event.text, sizeof event.text, "%s", text);
    snprintf(event.what, sizeof event.what, "%s", what);
    report_take(r, &event);
}

void report_subject(report *r, const char *subject) {
    tell(r, REPORT_SUBJECT, subject, "", 0);
}

void report_name(report *r, const char *device) {
    tell(r, REPORT_DEVICE, device, "", 0);
}

void report_end(report *r, const char *why) {
    tell(r, REPORT_END, "", why, 0);
}

void report_begin(report *r, int64_t number, const char *id) {
    tell(r, REPORT_BEGIN, id, "", number);
}

void report_pass(report *r) {
    tell(r, REPORT_PASS, "", "", 1);
}

void report_fail(report *r, const char *id, const char *what) {
    tell(r, REPORT_FAIL, id, what, 1);
}

void report_skip(report *r, const char *reason, int64_t cases) {
    tell(r, REPORT_SKIP, reason, "", cases);
}

void report_accuracy(report *r, tern_dtype dtype, double error, double torch_error) {
    report_event event = {REPORT_ACCURACY, (int32_t)dtype, 0, error, torch_error, "", ""};
    report_take(r, &event);
}

/* ---- sums ------------------------------------------------------------------------------------ */

typedef struct totals {
    int64_t passed, failed, skipped, subjects_passed, subjects_failed, subjects_skipped;
} totals;

static totals add_up(const report *r) {
    totals t = {0};
    for (size_t i = 0; i < r->subjects.count; i++) {
        const subject_row *s = subject_at(r, i);
        t.passed += s->passed;
        t.failed += s->failed;
        t.skipped += s->skipped;
        t.subjects_failed += s->failed > 0;
        t.subjects_passed += s->passed > 0 && s->failed == 0;
        t.subjects_skipped += s->passed == 0 && s->failed == 0;
    }
    return t;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* NaN where there is none. Sorts the ratios in place: their order means nothing. */
static double median_ratio(const report *r) {
    double *ratios = r->ratios.items;
    size_t n = r->ratios.count;
    if (n == 0) return (double)NAN;
    qsort(ratios, n, sizeof *ratios, by_value);
    return n % 2 ? ratios[n / 2] : (ratios[n / 2 - 1] + ratios[n / 2]) / 2;
}

static double exact_share(const report *r) {
    return r->exact_candidates ? (double)r->exact / (double)r->exact_candidates : (double)NAN;
}

size_t report_failures(const report *r) {
    return r->failures.count;
}

bool report_ok(const report *r) {
    totals t = add_up(r);
    return t.failed == 0 && t.passed > 0 && !r->out_of_memory;
}

void report_verdict(const report *r, char *out_text, size_t size) {
    totals t = add_up(r);
    if (r->out_of_memory)
        snprintf(out_text, size, "out of memory while the report was written");
    else if (t.failed > 0)
        snprintf(out_text, size, "%" PRId64 " of %" PRId64 " cases failed on %s", t.failed,
                 t.passed + t.failed, r->device);
    else if (t.passed == 0)
        snprintf(out_text, size, "no test ran on %s; check --vectors and --filter", r->device);
    else
        snprintf(out_text, size, "all %" PRId64 " cases passed on %s", t.passed, r->device);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void replay_line(const report *r, const failure_row *f, char *out_line, size_t size) {
    snprintf(out_line, size, "tern conformance --device %s%s --replay %s:%s", r->device, r->replay,
             f->subject, f->id);
}

static void counts_json(json_out *j, int64_t passed, int64_t failed) {
    json_int(j, "passed", passed);
    json_int(j, "failed", failed);
}

static void subjects_json(json_out *j, const report *r) {
    json_object(j, "subjects");
    for (size_t i = 0; i < r->subjects.count; i++) {
        const subject_row *s = subject_at(r, i);
        json_object(j, s->name);
        json_int(j, "cases", s->passed + s->failed + s->skipped);
        counts_json(j, s->passed, s->failed);
        json_int(j, "skipped", s->skipped);
        json_end(j);
    }
    json_end(j);
}

static void failures_json(json_out *j, const report *r) {
    char line[REPLAY_SIZE];
    json_array(j, "failures");
    for (size_t i = 0; i < r->failures.count; i++) {
        const failure_row *f = failure_at(r, i);
        replay_line(r, f, line, sizeof line);
        json_object(j, NULL);
        json_text(j, "subject", f->subject);
        json_text(j, "id", f->id);
        json_text(j, "what", f->what);
        json_text(j, "replay", line);
        json_end(j);
    }
    json_end(j);
}

void report_print_json(const report *r) {
    totals t = add_up(r);
    json_out j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "device", r->device);
    json_int(&j, "cases", t.passed + t.failed + t.skipped);
    counts_json(&j, t.passed, t.failed);
    json_object(&j, "skipped");
    for (size_t i = 0; i < r->n_reasons; i++) json_int(&j, r->reasons[i].text, r->reasons[i].cases);
    json_end(&j);
    subjects_json(&j, r);
    failures_json(&j, r);
    json_object(&j, "accuracy");
    json_number(&j, "median_error_ratio", median_ratio(r));
    json_number(&j, "exact_share", exact_share(r));
    json_end(&j);
    json_end(&j);
    json_finish(&j);
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
        printf("FAILED %s:%s: %s\n  replay: %s\n", f->subject, f->id, f->what, line);
    }
}

void report_print_text(const report *r, bool quiet) {
    totals t = add_up(r);
    if (!quiet) {
        print_skipped(r);
        print_failures(r);
    }
    printf("%s: %" PRId64 " cases passed, %" PRId64 " failed, %" PRId64
           " skipped; subjects: %" PRId64 " passed, %" PRId64 " failed, %" PRId64 " skipped\n",
           r->device, t.passed, t.failed, t.skipped, t.subjects_passed, t.subjects_failed,
           t.subjects_skipped);
    if (r->ratios.count > 0)
        printf("error over PyTorch's own, median: %.3g; exact where PyTorch is: %.2f %%\n",
               median_ratio(r), 100 * exact_share(r));
}
