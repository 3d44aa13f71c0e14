/*
 * What the machine can do, beside which the kernels are judged: the fastest of several short runs, since
 * other work on the machine only ever slows one. Each thread runs its own loop for the same time.
 */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"
#include "machine.h"
#include "tern/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOWS = 10, FMA_STEPS = 20000 };

/* For all threads together: far beyond the caches; a mere trial takes less. */
static const size_t MEMORY = (size_t)256 << 20, TRIAL_MEMORY = (size_t)4 << 20;
static const double LEAST_WINDOW = 1e-3;

typedef enum memory_work { READ, COPY, COPY_PLAIN } memory_work;

/* A thread's part of a window. */
typedef struct worker {
    pthread_t thread;
    machine_loop loop; /* else the memory's */
    memory_work kind;
    uint64_t *from, *to;
    size_t words;
    double seconds; /* of the window */
    double rate;    /* flops or bytes a second, when it is over */
    uint64_t nothing;
} worker;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* One pass: what it took of flops or bytes. */
static double pass(worker *w) {
    size_t bytes = w->words * sizeof(uint64_t);
    if (w->loop.run) {
        w->nothing += (uint64_t)w->loop.run(FMA_STEPS);
        return (double)w->loop.flops * FMA_STEPS;
    }
    if (w->kind == READ) {
        w->nothing += machine_read(w->from, w->words);
        return (double)bytes;
    }
    if (w->kind == COPY_PLAIN)
        machine_copy(w->to, w->from, w->words);
    else
        memcpy(w->to, w->from, bytes);
    return 2 * (double)bytes;
}

static void *work(void *arg) {
    worker *w = arg;
    double done = 0, start = now();
    do done += pass(w);
    while (now() - start < w->seconds);
    w->rate = done / (now() - start);
    return NULL;
}

/* The threads' rates together, over one window; the first worker is the caller. */
static double window(worker *workers, int count) {
    double rate = 0;
    int started = 1;
    while (started < count &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    for (int i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < started; i++) rate += workers[i].rate;
    return rate;
}

/* The best of the windows that fit the budget. */
static double best(const bench_subject *s, worker *workers) {
    double most = 0, share = s->session->budget / WINDOWS;
    int windows = s->session->budget > 0 ? WINDOWS : 1;
    for (int i = 0; i < s->session->threads; i++)
        workers[i].seconds = share > LEAST_WINDOW ? share : LEAST_WINDOW;
    for (int i = 0; i < windows && !*s->session->stop; i++) {
        double rate = window(workers, s->session->threads);
        if (rate > most) most = rate;
    }
    return most;
}

static worker *workers_new(bench_subject *s) {
    worker *workers = calloc((size_t)s->session->threads, sizeof *workers);
    if (!workers) tern_fail(s->ctx, TERN_ERR_OUT_OF_MEMORY, "no memory for the threads");
    return workers;
}

/* size: whether in float64 */
static double measure_fma(bench_subject *s) {
    worker *workers = workers_new(s);
    double most = 0;
    machine_loop loop;
    for (size_t k = 0; workers && machine_loop_at(s->size[0] != 0, k, &loop); k++) {
        for (int i = 0; i < s->session->threads; i++) workers[i].loop = loop;
        double rate = best(s, workers);
        if (rate > most) most = rate;
    }
    free(workers);
    return most / 1e9;
}

/* size: the kinds of work, from the first to the last */
static double measure_memory(bench_subject *s) {
    size_t bytes = s->session->budget > 0 ? MEMORY : TRIAL_MEMORY;
    size_t each = bytes / sizeof(uint64_t) / (size_t)s->session->threads;
    uint64_t *from = tern_alloc(bytes), *to = tern_alloc(bytes);
    worker *workers = workers_new(s);
    double most = 0;
    if (from && to && workers) {
        memset(from, 1, bytes);
        memset(to, 1, bytes);
        for (int64_t kind = s->size[0]; kind <= s->size[1]; kind++) {
            for (int i = 0; i < s->session->threads; i++)
                workers[i] = (worker){.kind = (memory_work)kind,
                                      .from = from + (size_t)i * each,
                                      .to = to + (size_t)i * each,
                                      .words = each};
            double rate = best(s, workers);
            if (rate > most) most = rate;
        }
    } else {
        bench_lacks(s, "there is no memory for two arrays of %zu bytes", bytes);
    }
    free(workers);
    tern_free(from);
    tern_free(to);
    return most / 1e9;
}

static const bench_case cases[] = {
    {"limit_fma_f32", BENCH_GFLOPS, .value = measure_fma, .size = {0}, .flags = BENCH_MACHINE},
    {"limit_fma_f64", BENCH_GFLOPS, .value = measure_fma, .size = {1}, .flags = BENCH_MACHINE},
    {"limit_read", BENCH_GBYTES, .value = measure_memory, .size = {READ, READ},
     .flags = BENCH_MACHINE},
    {"limit_copy", BENCH_GBYTES, .value = measure_memory, .size = {COPY, COPY_PLAIN},
     .flags = BENCH_MACHINE},
};

const bench_group bench_roofline = BENCH_GROUP("roofline", cases);
