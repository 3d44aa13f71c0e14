/*
 * report.h: what a conformance run found: cases by subject, failures with the line that replays each,
 * reasons of skips, and how near the results are to the truth.
 */
#ifndef TERN_TOOLS_REPORT_H
#define TERN_TOOLS_REPORT_H

#include "tern/base.h"

typedef struct report report;

/* `replay` is how a failure's line begins: "tern conformance --device cpu_ref --vectors DIR". NULL when
 * there is no memory. */
report *report_new(const char *device, const char *replay);
void report_free(report *r);

/* The cases that follow belong to this subject ("ops/add"). */
void report_subject(report *r, const char *subject);

/* The subject that cases are counted for now, "" before the first. */
const char *report_current(const report *r);

void report_pass(report *r);

/* `what` is one line: what was expected and what came. */
void report_fail(report *r, const char *id, const char *what);

/* Counts `cases` as skipped for a reason; a subject of which nothing ran is listed. */
void report_skip(report *r, const char *reason, int64_t cases);

/* A tensor of `dtype` was off by `error` at most where PyTorch's own was off by `torch_error`. */
void report_accuracy(report *r, tern_dtype dtype, double error, double torch_error);

/* False where a case failed, none ran, or memory ran out on the way. */
bool report_ok(const report *r);

/* Why it is not ok, one line. */
void report_verdict(const report *r, char *out_text, size_t size);

void report_print_json(const report *r);

/* Failures, skips and totals; the totals alone where quiet. */
void report_print_text(const report *r, bool quiet);

#endif
