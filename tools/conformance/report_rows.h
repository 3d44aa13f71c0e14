/* report_rows.h: what a report keeps; for the files that fill and print one. */
#ifndef TERN_TOOLS_REPORT_ROWS_H
#define TERN_TOOLS_REPORT_ROWS_H

#include "report.h"

enum { MOST_REASONS = 16 };

typedef struct subject_row {
    char name[REPORT_NAME];
    int64_t passed, failed, skipped;
} subject_row;

typedef struct advice_row {
    char text[REPORT_WHAT];
} advice_row;

typedef enum case_state { CASE_RUNS, CASE_PASSED, CASE_FAILED, CASE_SKIPPED } case_state;

typedef struct case_row {
    case_state state;
    size_t subject; /* a row of subjects */
    size_t failure; /* a row of failures, where it failed */
    char id[REPORT_NAME];
    char family[REPORT_NAME]; /* of kernels: "matmul" */
} case_row;

typedef struct failure_row {
    size_t subject;
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
    rows subjects, cases, failures, ratios, advice;
    reason_row reasons[MOST_REASONS];
    size_t n_reasons;
    int64_t exact, exact_candidates;
    bool out_of_memory;
};

static inline const subject_row *subject_at(const report *r, size_t index) {
    return (const subject_row *)r->subjects.items + index;
}

static inline const case_row *case_at(const report *r, size_t index) {
    return (const case_row *)r->cases.items + index;
}

static inline const failure_row *failure_at(const report *r, size_t index) {
    return (const failure_row *)r->failures.items + index;
}

static inline const advice_row *advice_at(const report *r, size_t index) {
    return (const advice_row *)r->advice.items + index;
}

typedef struct totals {
    int64_t passed, failed, skipped, subjects_passed, subjects_failed, subjects_skipped;
} totals;

totals report_totals(const report *r);

/* NaN where there is none. Sorts the ratios in place: their order means nothing. */
double report_median_ratio(const report *r);
double report_exact_share(const report *r);

#endif
