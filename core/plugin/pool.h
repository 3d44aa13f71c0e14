/*
 * pool.h: the process's one pool of host threads, which backends share (tern_host.parallel_for).
 *
 * A call cuts [0, n) into chunks of `grain` and hands them out one by one, to the caller and to the
 * pool's threads:
 *
 *     chunk 0         chunk 1              last chunk
 *     [0, grain)      [grain, 2 * grain)   ... n)
 *
 * The chunks are the same for every number of threads, so what a backend adds up chunk by chunk has
 * the same bits on every machine. Threads start at the first call that has work for them; one that
 * finds none looks for some a little longer, where each has a CPU, and then sleeps. Several callers at
 * once each work at their own call; the pool's threads go to them in turn. A fork leaves the child a
 * pool whose threads start anew.
 *
 * A build with TERN_NO_THREADS runs everything in the caller.
 */
#ifndef TERN_CORE_PLUGIN_POOL_H
#define TERN_CORE_PLUGIN_POOL_H

#include <stdint.h>

#include "tern/base.h"

#define TERN_MAX_THREADS 1024

/*
 * Calls fn(arg, begin, end) once for each chunk and returns when all have ended; fn's writes are
 * then visible to the caller. n <= 0 calls nothing; a grain below 1 counts as 1. Any thread; a call
 * from inside of one of several chunks runs in that thread alone. A chunk must return (no longjmp),
 * and must not fork, unless to exec. Where a thread cannot be started, a warning says so, once, and the pool is
 * smaller until the next tern_pool_resize.
 */
TERN_API void tern_parallel_for(int64_t n, int64_t grain,
                                void (*fn)(void *arg, int64_t begin, int64_t end), void *arg);

/* Sets how many threads may work at one call, the caller among them: from 1 to TERN_MAX_THREADS.
 * Any thread, at any time: calls that are under way keep the threads they have. Returns the number
 * that is used: 1 in a build without threads. */
int tern_pool_resize(int threads);

/* How many threads may work at one call. */
int tern_pool_threads(void);

/* Ends and joins the pool's threads; calls under way go on in their callers, and the next call
 * starts threads anew. From inside of a chunk it does nothing. Runs by itself when the process ends
 * or the library is unloaded. */
void tern_pool_stop(void);

/* For tests: how many threads start before the system seems to refuse; -1 (the default) is all. */
void tern_pool_fail_after(int threads);

#endif
