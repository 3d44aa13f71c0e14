#define _POSIX_C_SOURCE 200809L
#include "report_rows.h"

#include "tern/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static subject_row *current(report *r) {
    return r->subjects.count ? (subject_row *)r->subjects.items + r->subjects.count - 1 : NULL;
}

report *report_new(const char *replay) {
    report *r = tern_alloc_zeroed(1, sizeof *r);
    if (!r) return NULL;
    r->relay = -1;
    r->subjects.item = sizeof(subject_row);
    r->cases.item = sizeof(case_row);
    r->failures.item = sizeof(failure_row);
    r->ratios.item = sizeof(double);
    r->advice.item = sizeof(advice_row);
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
    tern_free(r->cases.items);
    tern_free(r->failures.items);
    tern_free(r->ratios.items);
    tern_free(r->advice.items);
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

static void add_case(report *r, const report_event *event) {
    case_row *c = r->subjects.count ? rows_add(r, &r->cases) : NULL;
    if (!c) return;
    c->subject = r->subjects.count - 1;
    memcpy(c->id, event->text, sizeof c->id);
    memcpy(c->family, event->what, sizeof c->family - 1);
}

/* The case that runs gets its verdict. */
static void end_case(report *r, case_state state) {
    case_row *last = r->cases.count ? (case_row *)r->cases.items + r->cases.count - 1 : NULL;
    if (!last || last->state != CASE_RUNS) return;
    last->state = state;
    if (state == CASE_FAILED) last->failure = r->failures.count - 1;
}

static void add_failure(report *r, const report_event *event) {
    subject_row *s = current(r);
    failure_row *f = rows_add(r, &r->failures);
    if (s) s->failed++;
    if (!s || !f) return;
    f->subject = r->subjects.count - 1;
    end_case(r, CASE_FAILED);
    memcpy(f->id, event->text, sizeof f->id);
    memcpy(f->what, event->what, sizeof f->what);
}

static void add_skipped(report *r, const report_event *event) {
    subject_row *s = current(r);
    size_t i = 0;
    if (s) s->skipped += event->number;
    end_case(r, CASE_SKIPPED);
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

static void add_advice(report *r, const report_event *event) {
    advice_row *a = rows_add(r, &r->advice);
    if (a) memcpy(a->text, event->what, sizeof a->text);
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
        end_case(r, CASE_PASSED);
        break;
    case REPORT_FAIL: add_failure(r, event); break;
    case REPORT_SKIP: add_skipped(r, event); break;
    case REPORT_ACCURACY: add_accuracy(r, event); break;
    case REPORT_BEGIN: add_case(r, event); break;
    case REPORT_ADVICE: add_advice(r, event); break;
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

void report_advise(report *r, const char *advice) {
    tell(r, REPORT_ADVICE, "", advice, 0);
}

void report_end(report *r, const char *why) {
    tell(r, REPORT_END, "", why, 0);
}

void report_begin(report *r, int64_t number, const char *id, const char *family) {
    tell(r, REPORT_BEGIN, id, family, number);
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

totals report_totals(const report *r) {
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

double report_median_ratio(const report *r) {
    double *ratios = r->ratios.items;
    size_t n = r->ratios.count;
    if (n == 0) return (double)NAN;
    qsort(ratios, n, sizeof *ratios, by_value);
    return n % 2 ? ratios[n / 2] : (ratios[n / 2 - 1] + ratios[n / 2]) / 2;
}

double report_exact_share(const report *r) {
    return r->exact_candidates ? (double)r->exact / (double)r->exact_candidates : (double)NAN;
}

size_t report_failures(const report *r) {
    return r->failures.count;
}

bool report_ok(const report *r) {
    totals t = report_totals(r);
    return t.failed == 0 && t.passed > 0 && !r->out_of_memory;
}

void report_verdict(const report *r, char *out_text, size_t size) {
    totals t = report_totals(r);
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
