#define _POSIX_C_SOURCE 200809L
#include "pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef void (*chunk_fn)(void *arg, int64_t begin, int64_t end);

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void run_alone(int64_t n, int64_t grain, chunk_fn fn, void *arg) {
    for (int64_t begin = 0; begin < n; begin += least(grain, n - begin))
        fn(arg, begin, begin + least(grain, n - begin));
}

#ifdef TERN_NO_THREADS

void tern_parallel_for(int64_t n, int64_t grain, void (*fn)(void *arg, int64_t begin, int64_t end),
                       void *arg) {
    run_alone(n, grain < 1 ? 1 : grain, fn, arg);
}

int tern_pool_resize(int threads) {
    (void)threads;
    return 1;
}

int tern_pool_threads(void) {
    return 1;
}

void tern_pool_stop(void) {}

void tern_pool_fail_after(int threads) {
    (void)threads;
}

#else

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cpus.h"
#include "registry.h"
#include "tern/context.h"

/* Of each thread of the pool: the same under every C library, musl's default is 128 KB. */
#define STACK_BYTES ((size_t)1 << 20)

/* How long a thread looks for the next job, and a caller for the end of its own, before it sleeps. To wake a
 * thread takes about as long as a small kernel, and kernels follow each other within less. */
#define PATIENCE_NS 100000

/* Parts that a job's chunks fall into, at most. */
#define PARTS       8

/*
 * One call of tern_parallel_for; it lies on the caller's stack. Its chunks fall into parts of about equal
 * size, as many as there are threads. Each thread begins with a part of its own, always the same one, and
 * then helps with the others: what a kernel writes is mostly in the cache of the CPU whose thread reads it in
 * the next.
 */
typedef struct job {
    chunk_fn fn;
    void *arg;
    int64_t n, grain, chunks;
    int parts;
    atomic_int_least64_t taken[PARTS]; /* chunks of each part, and tries when there were no more */
    atomic_int helpers; /* threads of the pool that work at it; more come from the queue alone */
    struct job *link;
} job;

static int64_t part_size(const job *j, int part) {
    return j->chunks / j->parts + (part < j->chunks % j->parts);
}

static bool has_chunks(job *j) {
    for (int i = 0; i < j->parts; i++)
        if (atomic_load_explicit(&j->taken[i], memory_order_relaxed) < part_size(j, i)) return true;
    return false;
}

/* Runs the next chunk of a part; false where none is left. */
static bool run_chunk(job *j, int part) {
    int64_t at = atomic_fetch_add_explicit(&j->taken[part], 1, memory_order_relaxed);
    if (at >= part_size(j, part)) return false;
    for (int i = 0; i < part; i++) at += part_size(j, i);
    int64_t begin = at * j->grain;
    j->fn(j->arg, begin, begin + least(j->grain, j->n - begin));
    return true;
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job is in the queue, the size has grown, or the threads shall end */
    pthread_cond_t done; /* the last helper of a job has left, or a stop is over */
    job *first;          /* the queue: jobs whose callers have not come to their end */
    int started;         /* threads that run, in `threads` from 0 */
    int looking;         /* of those: awake, and looking at `offers` */
    pthread_t threads[TERN_MAX_THREADS];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

/* Written under the lock; read without it between chunks and before a call. */
static atomic_bool stopping;
static atomic_int size = 1;
/* Counts what a thread that looks for a job has to know: jobs put into the queue, stops. Written under the
 * lock. */
static atomic_int offers;
/* Callers that sleep until their helpers have left. */
static atomic_int sleepers;
/* Known when threads start. Where there are more threads, one that looks would take the CPU of another. */
static atomic_int cpus;
static atomic_int fail_after = -1;

/* Whether this thread is inside of a chunk. Its place is fixed when the library is loaded, because
 * a place made at first use would need the dynamic linker's lock, which dlclose holds while
 * tern_pool_stop waits for the thread. */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

/* ---- the queue (all under the lock) ---------------------------------------------------------- */

static void append(job *j) {
    job **link = &pool.first;
    while (*link) link = &(*link)->link;
    *link = j;
    j->link = NULL;
}

/* A job that is not there any more is fine. */
static void take_out(const job *j) {
    job **link = &pool.first;
    while (*link && *link != j) link = &(*link)->link;
    if (*link) *link = j->link;
}

/* The job that has waited longest for a thread, and has chunks; the next thread goes to another. */
static job *next_job(void) {
    job *j = pool.first;
    while (j && !has_chunks(j)) j = j->link;
    if (!j) return NULL;
    take_out(j);
    append(j);
    return j;
}

/* ---- looking before sleeping ----------------------------------------------------------------- */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Leaves the CPU to its other thread for some cycles. */
static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits a while for *x to become something else; false where it has not. */
static bool changes(const atomic_int *x, int from) {
    if (atomic_load(&size) > atomic_load(&cpus)) return atomic_load(x) != from;
    int64_t end = now_ns() + PATIENCE_NS;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load(x) != from) return true;
            relax();
        }
    } while (now_ns() < end);
    return false;
}

/* What is done under the lock is short: to sleep for it would take longer. */
static void lock(void) {
    for (int i = 0; i < 100; i++) {
        if (pthread_mutex_trylock(&pool.lock) == 0) return;
        relax();
    }
    pthread_mutex_lock(&pool.lock);
}

/* ---- the threads ----------------------------------------------------------------------------- */

/* With the lock on entry and on return. The caller may be gone as soon as nobody helps it. */
static void help(job *j, int place) {
    atomic_fetch_add(&j->helpers, 1);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 1; i <= j->parts; i++)
        while (!atomic_load_explicit(&stopping, memory_order_relaxed) &&
               run_chunk(j, (place + i) % j->parts)) {
        }
    bool last = atomic_fetch_sub(&j->helpers, 1) == 1;
    lock();
    if (last && atomic_load(&sleepers) > 0) pthread_cond_broadcast(&pool.done);
}

/* Likewise: looks for a job, then sleeps for one. */
static void rest(void) {
    int seen = atomic_load(&offers);
    pool.looking++;
    pthread_mutex_unlock(&pool.lock);
    changes(&offers, seen);
    lock();
    if (atomic_load(&offers) != seen) return; /* and nobody counts as looking */
    pool.looking--;
    pthread_cond_wait(&pool.work, &pool.lock);
}

/* A thread's life. One that the pool's size has no room for sleeps on. */
static void *work(void *own_place) {
    int place = (int)(intptr_t)own_place;
    inside = true;
    pthread_mutex_lock(&pool.lock);
    while (!atomic_load(&stopping)) {
        bool has_room = place < atomic_load(&size) - 1;
        job *j = has_room ? next_job() : NULL;
        if (j)
            help(j, place);
        else if (has_room)
            rest();
        else
            pthread_cond_wait(&pool.work, &pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* What threads that look are to see; they take the lock and look at everything. */
static void announce(void) {
    atomic_fetch_add(&offers, 1);
    pool.looking = 0;
}

/* ---- fork: the child has the thread that forked and no other --------------------------------- */

static void before_fork(void) {
    pthread_mutex_lock(&pool.lock);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&pool.lock);
}

static void after_fork_in_child(void) {
    pool.first = NULL; /* the jobs of callers that are not here */
    pool.started = 0;
    pool.looking = 0;
    atomic_store(&sleepers, 0);
    atomic_store(&stopping, false);
    /* Threads that are no more may count as waiting in the old ones. */
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.done, NULL);
    pthread_mutex_unlock(&pool.lock);
}

/* Known before the lock is taken for the first time: a child that was forked from a thread beside the one
 * that holds it would find it held for ever. */
static pthread_once_t forks = PTHREAD_ONCE_INIT;
static int forks_error;

static void watch_forks(void) {
    forks_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* For all but the pool's own threads, which start after that. */
static void lock_pool(void) {
    pthread_once(&forks, watch_forks);
    lock();
}

/* ---- starting and ending --------------------------------------------------------------------- */

/* Starts the next thread. Signals go to the program's own threads, but for those that a fault of
 * the thread itself raises. Returns 0 or an error number. */
static int start_thread(void) {
    int limit = atomic_load(&fail_after);
    if (limit >= 0 && pool.started >= limit) return EAGAIN;
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t blocked, before;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error) return error;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    void *place = (void *)(intptr_t)pool.started;
    error = pthread_create(&pool.threads[pool.started], &attributes, work, place);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!error) pool.started++;
    return error;
}

/* Under the lock: at least `wanted` threads, where that can be. An error number, where not, makes
 * the pool as small as what has started. */
static int start_threads(int wanted) {
    if (atomic_load(&stopping) || pool.started >= wanted) return 0;
    int error = forks_error;
    atomic_store(&cpus, tern_usable_cpus());
    while (!error && pool.started < wanted) error = start_thread();
    if (error) atomic_store(&size, pool.started + 1);
    return error;
}

int tern_pool_resize(int threads) {
    lock_pool();
    atomic_store(&size, threads < 1 ? 1 : threads > TERN_MAX_THREADS ? TERN_MAX_THREADS : threads);
    int used = atomic_load(&size);
    announce();
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    return used;
}

int tern_pool_threads(void) {
    return atomic_load(&size);
}

void tern_pool_fail_after(int threads) {
    atomic_store(&fail_after, threads);
}

__attribute__((destructor)) void tern_pool_stop(void) {
    if (inside) return;
    lock_pool();
    while (atomic_load(&stopping)) pthread_cond_wait(&pool.done, &pool.lock);
    int started = pool.started;
    atomic_store(&stopping, started > 0);
    announce();
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    if (started == 0) return;
    for (int i = 0; i < started; i++) pthread_join(pool.threads[i], NULL);
    lock_pool();
    pool.started = 0;
    atomic_store(&stopping, false);
    pthread_cond_broadcast(&pool.done);
    pthread_mutex_unlock(&pool.lock);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Puts the job into the queue and wakes as many threads as it has chunks for. */
static void offer(job *j) {
    lock_pool();
    int room = atomic_load(&size) - 1;
    int wanted = j->chunks - 1 < room ? (int)(j->chunks - 1) : room;
    int error = start_threads(wanted);
    int started = pool.started;
    if (started > 0) append(j);
    int asleep = wanted - pool.looking;
    announce();
    /* A signal might reach a thread that the size has no room for. */
    if (asleep > 0 && (wanted >= started || started > room))
        pthread_cond_broadcast(&pool.work);
    else
        for (int i = 0; i < asleep; i++) pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    if (error)
        tern_notice(TERN_LOG_WARNING, "a thread cannot be started (%s): computing with %d of %d",
                    strerror(error), started + 1, room + 1);
}

/* Of a job that is out of the queue, so that no more come. */
static void wait_for_helpers(job *j) {
    for (int left = atomic_load(&j->helpers); left > 0; left = atomic_load(&j->helpers))
        if (!changes(&j->helpers, left)) break;
    if (atomic_load(&j->helpers) == 0) return;
    lock_pool();
    atomic_fetch_add(&sleepers, 1);
    while (atomic_load(&j->helpers) > 0) pthread_cond_wait(&pool.done, &pool.lock);
    atomic_fetch_sub(&sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
}

void tern_parallel_for(int64_t n, int64_t grain, void (*fn)(void *arg, int64_t begin, int64_t end),
                       void *arg) {
    if (grain < 1) grain = 1;
    const int64_t chunks = n > 0 ? (n - 1) / grain + 1 : 0, threads = atomic_load(&size);
    if (inside || chunks < 2 || threads < 2) {
        run_alone(n, grain, fn, arg);
        return;
    }
    job j = {.fn = fn, .arg = arg, .n = n, .grain = grain, .chunks = chunks};
    j.parts = (int)least(PARTS, least(threads, chunks));
    offer(&j);
    inside = true;
    for (int i = 0; i < j.parts; i++)
        while (run_chunk(&j, i)) {
        }
    inside = false;
    lock_pool();
    take_out(&j);
    pthread_mutex_unlock(&pool.lock);
    wait_for_helpers(&j);
}

#endif
