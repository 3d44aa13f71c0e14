/* Reports as JUnit's XML: a suite for each subject, its cases in order. */
#include "report_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Text as an attribute's value; what XML cannot hold becomes a question mark. */
static void put_text(FILE *file, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        switch (c) {
        case '&': fputs("&amp;", file); break;
        case '<': fputs("&lt;", file); break;
        case '>': fputs("&gt;", file); break;
        case '"': fputs("&quot;", file); break;
        default: fputc(c < ' ' ? '?' : c, file);
        }
    }
}

static void put_attribute(FILE *file, const char *name, const char *text) {
    fprintf(file, " %s=\"", name);
    put_text(file, text);
    fputc('"', file);
}

static void put_case(FILE *file, const report *r, const case_row *c) {
    fputs("    <testcase", file);
    put_attribute(file, "classname", subject_at(r, c->subject)->name);
    put_attribute(file, "name", c->id);
    switch (c->state) {
    case CASE_FAILED:
        fputs("><failure", file);
        put_attribute(file, "message", failure_at(r, c->failure)->what);
        fputs("/></testcase>\n", file);
        break;
    case CASE_RUNS:
    case CASE_SKIPPED: fputs("><skipped/></testcase>\n", file); break;
    case CASE_PASSED: fputs("/>\n", file); break;
    }
}

/* Writes the subject's cases, which begin at case `at`; returns the first of the next subject. */
static size_t put_subject(FILE *file, const report *r, size_t subject, size_t at) {
    const subject_row *s = subject_at(r, subject);
    fputs("  <testsuite", file);
    put_attribute(file, "name", s->name);
    fprintf(file, " tests=\"%" PRId64 "\" failures=\"%" PRId64 "\" skipped=\"%" PRId64 "\">\n",
            s->passed + s->failed + s->skipped, s->failed, s->skipped);
    for (; at < r->cases.count && case_at(r, at)->subject == subject; at++)
        put_case(file, r, case_at(r, at));
    fputs("  </testsuite>\n", file);
    return at;
}

bool report_write_junit(const report *r, const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", file);
    put_attribute(file, "name", r->device);
    fputs(">\n", file);
    for (size_t i = 0, at = 0; i < r->subjects.count; i++) at = put_subject(file, r, i, at);
    fputs("</testsuites>\n", file);
    bool good = !ferror(file);
    return fclose(file) == 0 && good;
}
