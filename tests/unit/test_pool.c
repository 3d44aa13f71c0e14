/* The process's threads: chunks, callers at once, forks, and threads that do not start. */
#define _GNU_SOURCE /* setenv, usleep */
#include "core/plugin/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/plugin/host.h"
#include "tern/context.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static char log_lines[4096];
static int warnings;

static void keep_log(void *user, tern_log_level level, const char *message) {
    (void)user;
    warnings += level == TERN_LOG_WARNING;
    snprintf(log_lines, sizeof log_lines, "%s", message);
}

static void begin(void) {
    log_lines[0] = '\0';
    warnings = 0;
    tern_on_log(keep_log, NULL);
}

static void end(void) {
    tern_pool_fail_after(-1);
    tern_pool_stop();
    tern_pool_resize(1);
    tern_on_log(NULL, NULL);
}

TestSuite(pool, .init = begin, .fini = end);

/* How often each index was given out, and how many chunks began or ended where none should. */
enum { MOST = 10000 };
typedef struct tally {
    int64_t n, grain;
    atomic_int given[MOST];
    atomic_int chunks, odd;
} tally;

static void count(void *arg, int64_t begin, int64_t end) {
    tally *t = arg;
    int64_t last = begin + t->grain < t->n ? begin + t->grain : t->n;
    if (begin % t->grain != 0 || end != last || begin >= end) atomic_fetch_add(&t->odd, 1);
    atomic_fetch_add(&t->chunks, 1);
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&t->given[i], 1);
}

/* One call over [0, n); what of it is wrong, NULL where all is right. */
static const char *wrong_in(tally *t, int64_t n, int64_t grain) {
    t->n = n;
    t->grain = grain;
    atomic_store(&t->chunks, 0);
    atomic_store(&t->odd, 0);
    for (int64_t i = 0; i < n; i++) atomic_store(&t->given[i], 0);
    tern_parallel_for(n, grain, count, t);
    if (atomic_load(&t->odd)) return "a chunk has other bounds";
    if (atomic_load(&t->chunks) != (n + grain - 1) / grain) return "another number of chunks";
    for (int64_t i = 0; i < n; i++)
        if (atomic_load(&t->given[i]) != 1) return "an index was not given once";
    return NULL;
}

/* Chunks that wait until so many are inside at once. */
typedef struct meeting {
    int wanted;
    atomic_int here, late;
} meeting;

static void meet(void *arg, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    meeting *m = arg;
    atomic_fetch_add(&m->here, 1);
    for (int ms = 0; atomic_load(&m->here) < m->wanted; ms++) {
        if (ms == 20000) {
            atomic_fetch_add(&m->late, 1);
            return;
        }
        usleep(1000);
    }
}

/* Whether `threads` chunks run at the same time. */
static bool so_many_meet(int threads) {
    meeting m = {.wanted = threads};
    tern_parallel_for(threads, 1, meet, &m);
    return atomic_load(&m.late) == 0 && atomic_load(&m.here) == threads;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

Test(pool, gives_each_index_once_in_the_same_chunks_for_every_number_of_threads) {
    static tally t;
    static const int threads[] = {1, 2, 5};
    static const int64_t sizes[][2] = {{1, 1},     {1, 100},    {7, 7},       {8, 7},
                                       {100, 1},   {999, 10},   {1000, 10},   {1001, 10},
                                       {9999, 13}, {10000, 64}, {10000, 9999}};
    for (size_t i = 0; i < 3; i++) {
        tern_pool_resize(threads[i]);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const char *wrong = wrong_in(&t, sizes[s][0], sizes[s][1]);
            cr_assert_null(wrong, "%d threads, n %d, grain %d: %s", threads[i], (int)sizes[s][0],
                           (int)sizes[s][1], wrong);
        }
    }
}

static void note_range(void *arg, int64_t begin, int64_t end) {
    int64_t *range = arg;
    range[0]++;
    range[1] = begin;
    range[2] = end;
}

Test(pool, takes_sizes_at_the_edge) {
    tern_pool_resize(2);
    int64_t range[3] = {0};
    tern_parallel_for(0, 1, note_range, range);
    tern_parallel_for(-5, 1, note_range, range);
    tern_parallel_for(INT64_MIN, INT64_MIN, note_range, range);
    cr_assert_eq(range[0], 0, "a chunk of nothing");
    tern_parallel_for(INT64_MAX, INT64_MAX, note_range, range);
    cr_assert(range[0] == 1 && range[1] == 0 && range[2] == INT64_MAX);
    tern_pool_resize(1); /* so that the last chunk is the last */
    tern_parallel_for(INT64_MAX, INT64_MAX - 1, note_range, range);
    cr_assert(range[0] == 3 && range[1] == INT64_MAX - 1 && range[2] == INT64_MAX);
    tern_parallel_for(3, -7, note_range, range);
    cr_assert(range[0] == 6 && range[1] == 2 && range[2] == 3, "a grain below 1 is 1");
}

Test(pool, runs_as_many_chunks_at_once_as_it_has_threads) {
    tern_pool_resize(5);
    cr_assert(so_many_meet(5));
    cr_assert(so_many_meet(2));
}

typedef struct crowd {
    atomic_int inside, most;
} crowd;

static void crowd_in(void *arg, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    crowd *c = arg;
    int now = atomic_fetch_add(&c->inside, 1) + 1;
    int most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) {
    }
    usleep(1000);
    atomic_fetch_sub(&c->inside, 1);
}

Test(pool, made_smaller_uses_fewer_threads_and_made_larger_more) {
    tern_pool_resize(5);
    cr_assert(so_many_meet(5));
    for (int threads = 3; threads >= 1; threads--) {
        cr_assert_eq(tern_pool_resize(threads), threads);
        crowd c = {0};
        tern_parallel_for(40, 1, crowd_in, &c);
        cr_assert_leq(atomic_load(&c.most), threads, "%d at once", atomic_load(&c.most));
    }
    tern_pool_resize(6);
    cr_assert(so_many_meet(6));
    cr_assert_eq(tern_pool_resize(0), 1);
    cr_assert_eq(tern_pool_resize(1000000), TERN_MAX_THREADS);
    cr_assert_eq(tern_pool_threads(), TERN_MAX_THREADS);
}

/* ---- nesting --------------------------------------------------------------------------------- */

typedef struct nest {
    meeting *all; /* so that every thread of the pool is in a chunk, but for one */
    pthread_t thread;
    atomic_int strangers, indices;
} nest;

static void inner(void *arg, int64_t begin, int64_t end) {
    nest *n = arg;
    if (!pthread_equal(n->thread, pthread_self())) atomic_fetch_add(&n->strangers, 1);
    atomic_fetch_add(&n->indices, (int)(end - begin));
    usleep(1000);
}

static void outer(void *arg, int64_t begin, int64_t end) {
    nest *n = (nest *)arg + begin;
    n->thread = pthread_self();
    meet(n->all, begin, end);
    tern_parallel_for(100, 7, inner, n);
    tern_pool_stop(); /* must not wait for its own thread */
    tern_parallel_for(100, 7, inner, n);
}

Test(pool, a_call_from_inside_of_a_chunk_stays_in_its_thread) {
    tern_pool_resize(4);
    cr_assert(so_many_meet(4));
    meeting m = {.wanted = 3};
    nest nests[3] = {{.all = &m}, {.all = &m}, {.all = &m}};
    tern_parallel_for(3, 1, outer, nests);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(atomic_load(&nests[i].strangers), 0);
        cr_assert_eq(atomic_load(&nests[i].indices), 200);
    }
    cr_assert(so_many_meet(4), "the caller counts as inside after its call");
}

/* ---- several callers ------------------------------------------------------------------------- */

static void *call_often(void *arg) {
    tally *t = arg;
    for (int i = 0; i < 200; i++) {
        const char *wrong = wrong_in(t, 300 + i, 1 + i % 50);
        if (wrong) return (void *)wrong;
    }
    return NULL;
}

Test(pool, four_callers_at_once_each_get_their_own) {
    static tally tallies[4];
    pthread_t callers[4];
    tern_pool_resize(3);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&callers[i], NULL, call_often, &tallies[i]), 0);
    for (int i = 0; i < 20; i++) { /* and the threads end and start meanwhile */
        tern_pool_stop();
        tern_pool_resize(2 + i % 4);
        usleep(500);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(callers[i], &wrong);
        cr_assert_null(wrong, "%s", (const char *)wrong);
    }
}

static void *meet_as_caller(void *arg) {
    tern_parallel_for(2, 1, meet, arg);
    return NULL;
}

/* The first caller's chunks hold all threads until the second caller is through. */
Test(pool, a_caller_goes_on_while_another_holds_all_threads) {
    static tally t;
    meeting m = {.wanted = 3};
    pthread_t other;
    tern_pool_resize(2);
    cr_assert_eq(pthread_create(&other, NULL, meet_as_caller, &m), 0);
    for (int ms = 0; ms < 20000 && atomic_load(&m.here) < 2; ms++) usleep(1000);
    const char *wrong = wrong_in(&t, 1000, 10);
    atomic_fetch_add(&m.here, 1);
    pthread_join(other, NULL);
    cr_assert_null(wrong, "%s", wrong);
    cr_assert_eq(atomic_load(&m.late), 0);
}

/* ---- rest ------------------------------------------------------------------------------------ */

static void work_for_a_while(void *arg, int64_t begin, int64_t end) {
    (void)end;
    volatile int64_t *spent = arg;
    for (int64_t i = 0; i < 200 * (begin % 7); i++) spent[begin] = i;
}

/* Threads and callers that find each other awake, about to sleep, and asleep. */
Test(pool, calls_find_threads_after_any_pause) {
    static tally t;
    static int64_t spent[64];
    tern_pool_resize(2);
    for (int i = 0; i < 3000; i++) {
        const char *wrong = wrong_in(&t, 2 + i % 40, 1 + i % 3);
        cr_assert_null(wrong, "call %d: %s", i, wrong);
        tern_parallel_for(2 + i % 30, 1, work_for_a_while, spent);
        if (i % 16 == 0) usleep((unsigned)(i / 16 * 2));
    }
    cr_assert(so_many_meet(2));
}

static void *call_after_pauses(void *arg) {
    for (int i = 0; i < 300; i++) {
        const char *wrong = wrong_in(arg, 2 + i % 9, 1);
        if (wrong) return (void *)wrong;
        if (i % 3 == 0) usleep((unsigned)i);
    }
    return NULL;
}

/* A thread that looks for one caller's job is not counted on by another. */
Test(pool, callers_after_pauses_all_come_to_their_end) {
    static tally tallies[3];
    pthread_t callers[3];
    tern_pool_resize(2);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&callers[i], NULL, call_after_pauses, &tallies[i]), 0);
    for (int i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(callers[i], &wrong);
        cr_assert_null(wrong, "%s", (const char *)wrong);
    }
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

Test(pool, threads_without_work_sleep) {
    tern_pool_resize(4);
    cr_assert(so_many_meet(4));
    usleep(20000);
    double before = cpu_seconds();
    usleep(300000);
    cr_assert_lt(cpu_seconds() - before, 0.1);
}

static void sleep_in_the_first(void *arg, int64_t begin, int64_t end) {
    (void)arg, (void)end;
    if (begin == 0) usleep(300000);
}

Test(pool, threads_sleep_while_the_last_chunk_runs) {
    tern_pool_resize(4);
    cr_assert(so_many_meet(4));
    double before = cpu_seconds();
    tern_parallel_for(8, 1, sleep_in_the_first, NULL);
    cr_assert_lt(cpu_seconds() - before, 0.1);
}

Test(pool, starts_again_after_a_stop) {
    tern_pool_resize(3);
    for (int i = 0; i < 3; i++) {
        cr_assert(so_many_meet(3));
        tern_pool_stop();
        tern_pool_stop();
    }
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* Forks; the child computes on threads of its own. Whether that went well. */
static bool child_computes(void) {
    static tally t;
    pid_t child = fork();
    if (child == 0) _exit(so_many_meet(3) && !wrong_in(&t, 1000, 10) ? 0 : 1);
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

Test(pool, a_child_after_fork_has_threads_of_its_own) {
    tern_pool_resize(3);
    cr_assert(so_many_meet(3));
    cr_assert(child_computes());
    cr_assert(so_many_meet(3), "the parent goes on");
    cr_assert(child_computes(), "and forks again");
}

static atomic_bool enough;

static void *call_until_enough(void *arg) {
    const char *wrong = NULL;
    while (!wrong && !atomic_load(&enough)) wrong = wrong_in(arg, 500, 5);
    return (void *)wrong;
}

Test(pool, a_fork_in_the_middle_of_others_calls_harms_nobody) {
    static tally t;
    pthread_t caller;
    tern_pool_resize(3);
    atomic_store(&enough, false);
    cr_assert_eq(pthread_create(&caller, NULL, call_until_enough, &t), 0);
    bool well = true;
    for (int i = 0; i < 10; i++) well = child_computes() && well;
    atomic_store(&enough, true);
    void *wrong;
    pthread_join(caller, &wrong);
    cr_assert(well);
    cr_assert_null(wrong, "%s", (const char *)wrong);
}

/* ---- threads that do not start --------------------------------------------------------------- */

Test(pool, is_smaller_where_a_thread_cannot_be_started_and_says_so_once) {
    static tally t;
    for (int started = 0; started < 3; started++) {
        tern_pool_stop();
        tern_pool_fail_after(started);
        tern_pool_resize(5);
        warnings = 0;
        for (int i = 0; i < 3; i++) {
            const char *wrong = wrong_in(&t, 1000, 10);
            cr_assert_null(wrong, "%s", wrong);
        }
        char words[64];
        snprintf(words, sizeof words, "computing with %d of 5", started + 1);
        cr_assert_eq(warnings, 1);
        cr_assert_not_null(strstr(log_lines, words), "%s", log_lines);
        cr_assert_null(strchr(log_lines, '\n'));
        cr_assert_eq(tern_pool_threads(), started + 1);
        cr_assert(so_many_meet(started + 1));
    }
    tern_pool_fail_after(-1);
    tern_pool_resize(5);
    cr_assert(so_many_meet(5), "it does not grow again");
    cr_assert_eq(warnings, 1);
}

/* ---- the host's side ------------------------------------------------------------------------- */

Test(pool, a_backend_gets_it_from_the_host) {
    static tally t = {.n = 100, .grain = 3};
    const tern_host *host = tern_host_table();
    tern_pool_resize(3);
    cr_assert_eq(host->thread_count(), 3);
    host->parallel_for(100, 3, count, &t);
    cr_assert_eq(atomic_load(&t.chunks), 34);
    cr_assert_eq(atomic_load(&t.odd), 0);
}
