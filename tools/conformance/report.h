/*
 * report.h: what a conformance run found: cases by subject, failures with the line that replays each,
 * reasons of skips, and how near the results are to the truth.
 */
#ifndef TERN_TOOLS_REPORT_H
#define TERN_TOOLS_REPORT_H

#include "tern/base.h"

typedef struct report report;

enum { REPORT_NAME = 96, REPORT_WHAT = 400 };

/* What is told to a report. It has one size, and is less than a pipe takes in one piece, so that a report
 * may be kept in another process than the one that tests. */
typedef struct report_event {
    enum report_event_kind {
        REPORT_DEVICE, /* text: the device's name */
        REPORT_BEGIN, /* number: the case that begins, counted over the run; text: its id; what: its
                          family */
        REPORT_SUBJECT,
        REPORT_PASS,
        REPORT_FAIL,
        REPORT_SKIP, /* number: how many */
        REPORT_ACCURACY,
        REPORT_ADVICE, /* what: a line */
        REPORT_END,    /* all has run; what: why not, where it says something */
    } kind;
    int32_t dtype;
    int64_t number;
    double error, torch_error;
    char text[REPORT_NAME];
    char what[REPORT_WHAT];
} report_event;

/* A report that hands what it is told on to a file descriptor, and keeps nothing. */
report *report_relay_new(int fd);

/* False where the other end is gone. */
bool report_relay(report *r, const report_event *event);

/* Takes what a relay handed on. */
void report_take(report *r, const report_event *event);

/* `replay` is how a failure's line goes on behind the device: " --vectors DIR". NULL when there is no
 * memory. */
report *report_new(const char *replay);
void report_free(report *r);

/* The device that is tested. */
void report_name(report *r, const char *device);

/* The cases that follow belong to this subject ("ops/add"). */
void report_subject(report *r, const char *subject);

/* The case of this number, counted over the run, begins; `family` is what it is scored with: "matmul". */
void report_begin(report *r, int64_t number, const char *id, const char *family);

void report_pass(report *r);

/* `what` is one line: what was expected and what came. */
void report_fail(report *r, const char *id, const char *what);

/* Counts `cases` as skipped for a reason; a subject of which nothing ran is listed. */
void report_skip(report *r, const char *reason, int64_t cases);

/* A tensor of `dtype` was off by `error` at most where PyTorch's own was off by `torch_error`. */
void report_accuracy(report *r, tern_dtype dtype, double error, double torch_error);

/* A line on what to do next, printed behind the failures. */
void report_advise(report *r, const char *advice);

/* All has run, or could not, for this reason ("" where there is none). */
void report_end(report *r, const char *why);

size_t report_failures(const report *r);

/* False where a case failed, none ran, or memory ran out on the way. */
bool report_ok(const report *r);

/* Why it is not ok, one line. */
void report_verdict(const report *r, char *out_text, size_t size);

void report_print_json(const report *r);

/* Every case as JUnit's XML, which build servers read. False where the file cannot be written. */
bool report_write_junit(const report *r, const char *path);

/* Failures, skips, scores by family and totals; the totals alone where quiet. */
void report_print_text(const report *r, bool quiet);

#endif
