#include "host.h"

#include <stdlib.h>

#include "cpus.h"
#include "pool.h"
#include "registry.h"
#include "tern/context.h"
#include "tern/memory.h"
#include "text.h"

_Static_assert((int)TERN_BACKEND_LOG_DEBUG == (int)TERN_LOG_DEBUG, "log levels");
_Static_assert((int)TERN_BACKEND_LOG_INFO == (int)TERN_LOG_INFO, "log levels");
_Static_assert((int)TERN_BACKEND_LOG_WARNING == (int)TERN_LOG_WARNING, "log levels");

/* The number that the variable says; one beyond TERN_MAX_THREADS where it is larger, -1 where it is
 * no whole number. */
static int read_count(const char *text) {
    int count = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        if (count <= TERN_MAX_THREADS) count = 10 * count + (*text - '0');
    if (*text) return -1;
    return count > TERN_MAX_THREADS ? TERN_MAX_THREADS + 1 : count;
}

void tern_host_configure(void) {
    const char *text = getenv("TERN_NUM_THREADS");
    if (!text || !text[0]) {
        tern_pool_resize(tern_usable_cpus());
        return;
    }
    int asked = read_count(text);
    int used = tern_pool_resize(asked < 0 ? tern_usable_cpus() : asked);
    if (used == asked) return;
    char shown[48];
    tern_text_copy(shown, sizeof shown, text);
    if (asked >= 1 && asked <= TERN_MAX_THREADS)
        tern_notice(TERN_LOG_WARNING,
                    "TERN_NUM_THREADS is %s, but this build of Tern has no threads: using 1",
                    shown);
    else
        tern_notice(TERN_LOG_WARNING,
                    "TERN_NUM_THREADS is '%s', not a whole number from 1 to %d: using %d", shown,
                    TERN_MAX_THREADS, used);
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
        .thread_count = tern_pool_threads,
        .parallel_for = tern_parallel_for,
    };
    return &table;
}
