#define _GNU_SOURCE /* sched_getaffinity */
#include "host.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "registry.h"
#include "tern/context.h"
#include "tern/memory.h"

_Static_assert((int)TERN_BACKEND_LOG_DEBUG == (int)TERN_LOG_DEBUG, "log levels");
_Static_assert((int)TERN_BACKEND_LOG_INFO == (int)TERN_LOG_INFO, "log levels");
_Static_assert((int)TERN_BACKEND_LOG_WARNING == (int)TERN_LOG_WARNING, "log levels");

static atomic_int threads = 1;

static int usable_cpus(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > TERN_MAX_THREADS ? TERN_MAX_THREADS : count;
}

tern_status tern_host_configure(tern_fault *fault) {
    const char *text = getenv("TERN_NUM_THREADS");
    if (!text || !text[0]) {
        atomic_store(&threads, usable_cpus());
        return TERN_OK;
    }
    int count = 0;
    const char *digit = text;
    while (*digit >= '0' && *digit <= '9' && count <= TERN_MAX_THREADS)
        count = 10 * count + (*digit++ - '0');
    if (*digit || count < 1 || count > TERN_MAX_THREADS)
        return tern_fault_set(fault, TERN_ERR_ARGUMENT,
                              "TERN_NUM_THREADS must be a whole number from 1 to %d, not '%.40s'",
                              TERN_MAX_THREADS, text);
    atomic_store(&threads, count);
    return TERN_OK;
}

static int thread_count(void) {
    return atomic_load(&threads);
}

static void log_line(int level, const char *message) {
    tern_notice(level, "%s", message ? message : "");
}

const tern_host *tern_host_table(void) {
    static const tern_host table = {
        .struct_size = sizeof table,
        .abi = TERN_BACKEND_ABI,
        .alloc = tern_alloc,
        .free = tern_free,
        .log = log_line,
        .thread_count = thread_count,
    };
    return &table;
}
