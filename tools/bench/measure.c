/* How a case is timed, and what its value is. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <stdlib.h>
#include <time.h>

enum { MOST_RUNS = 1024, LEAST_RUNS = 5, LEAST_LONG_RUNS = 3 };

/* A call that takes this many budgets is measured once: a device that is made to be read. */
static const double PATIENCE = 4;
static const double SHORTEST_RUN = 0.01;

typedef struct unit_row {
    const char *name;
    double factor; /* of a second, or of one a second */
    bool is_time;
} unit_row;

static const unit_row units[] = {
    [BENCH_NS] = {"ns", 1e9, true},          [BENCH_US] = {"us", 1e6, true},
    [BENCH_MS] = {"ms", 1e3, true},          [BENCH_MIB] = {"MiB", 1, true},
    [BENCH_GFLOPS] = {"GF/s", 1e-9, false},  [BENCH_GBYTES] = {"GB/s", 1e-9, false},
    [BENCH_MILLIONS] = {"M/s", 1e-6, false}, [BENCH_SAMPLES] = {"samples/s", 1, false},
    [BENCH_TOKENS] = {"tokens/s", 1, false},
};

const char *bench_unit_name(bench_unit unit) {
    return units[unit].name;
}

bool bench_less_is_better(bench_unit unit) {
    return units[unit].is_time;
}

double bench_value(bench_unit unit, double seconds, double work) {
    const unit_row *u = &units[unit];
    return u->factor * (u->is_time ? seconds / work : work / seconds);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void capture(const bench_case *c, bench_subject *s, tern_tensor *const *inputs, size_t n) {
    tern_scope scope = tern_owner_begin(s->owner, 0);
    tern_capture_begin(s->ctx, inputs, n);
    tern_scope_end(scope);
    c->once(s);
    size_t wanted = 0;
    while (wanted < BENCH_RESULTS && s->results[wanted]) wanted++;
    s->replay = tern_capture_end(s->ctx, s->results, wanted);
}

static void call(const bench_case *c, bench_subject *s) {
    tern_tensor *inputs[BENCH_INPUTS];
    size_t n = c->feed ? c->feed(s, inputs) : 0;
    if (s->replay)
        tern_replay_run(s->replay, inputs, n);
    else if (c->flags & BENCH_REPLAYED && s->step++ == 1)
        capture(c, s, inputs, n);
    else
        c->once(s);
}

/* Seconds of one call when it is repeated `inner` times. */
static double timed(const bench_case *c, bench_subject *s, int64_t inner) {
    double start = now();
    for (int64_t i = 0; i < inner; i++) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        call(c, s);
        tern_scope_end(scope);
    }
    tern_synchronize(s->ctx);
    return (now() - start) / (double)inner;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_seconds(const bench_case *c, bench_subject *s) {
    double runs[MOST_RUNS], budget = s->session->budget * (c->budgets ? c->budgets : 1);
    size_t count = 0, least = c->budgets > 1 ? LEAST_LONG_RUNS : LEAST_RUNS;
    s->owner = c->flags & BENCH_REPLAYED ? tern_owner_new(s->ctx) : NULL;
    double first = timed(c, s, 1);
    if (first > PATIENCE * budget || tern_check(s->ctx) != TERN_OK) return first;
    timed(c, s, 1);
    double one = timed(c, s, 1);
    int64_t inner = one < SHORTEST_RUN ? (int64_t)(SHORTEST_RUN / (one > 1e-9 ? one : 1e-9)) : 1;
    double end = now() + budget;
    while (count < MOST_RUNS && !*s->session->stop && (count < least || now() < end))
        runs[count++] = timed(c, s, inner);
    qsort(runs, count, sizeof runs[0], ascending);
    return count ? runs[count / 2] : one;
}
