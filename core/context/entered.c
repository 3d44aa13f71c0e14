#define _GNU_SOURCE /* syscall */
#include "entered.h"

#ifndef NDEBUG
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/ground/error.h"
#include "core/plugin/registry.h"
#include "tern/context.h"

/* The system's number, which debuggers and `ps -L` show. */
static long this_thread(void) {
    static _Thread_local long number;
    if (!number) number = syscall(SYS_gettid);
    return number;
}

/* "thread 7 is in add, thread 8 called relu"; an operation's schema is cut to its name. */
static const char *both_named(long first, const char *running, long second, const char *calling,
                              char *out, size_t size) {
    if (!running) running = "a call";
    if (!calling) calling = "another";
    snprintf(out, size,
             "context used by two threads at once: thread %ld is in %.*s, thread %ld called %.*s: "
             "open a context in each thread",
             first, (int)strcspn(running, "(:"), running, second, (int)strcspn(calling, "(:"),
             calling);
    return out;
}

static void name_both(tern_ctx *ctx, long first, const char *operation) {
    char text[300];
    tern_notice(TERN_LOG_WARNING, "%s",
                both_named(first, atomic_load(&ctx->entered.operation), this_thread(), operation,
                           text, sizeof text));
    long nobody = 0;
    if (atomic_compare_exchange_strong(&ctx->entered.intruder, &nobody, this_thread()))
        atomic_store(&ctx->entered.intruding, operation);
}

tern_ctx *tern_enter(tern_ctx *ctx, const char *operation) {
    if (!ctx || ctx->is_static) return tern_no_context();
    long nobody = 0;
    if (atomic_compare_exchange_strong(&ctx->entered.thread, &nobody, this_thread())) {
        atomic_store(&ctx->entered.operation, operation);
    } else if (nobody != this_thread()) {
        name_both(ctx, nobody, operation);
        return NULL;
    }
    ctx->entered.depth++;
    return ctx;
}

static void latch_intrusion(tern_ctx *ctx) {
    char text[300];
    tern_fail(ctx, TERN_ERR_STATE, "%s",
              both_named(this_thread(), atomic_load(&ctx->entered.operation),
                         atomic_load(&ctx->entered.intruder), atomic_load(&ctx->entered.intruding),
                         text, sizeof text));
    atomic_store(&ctx->entered.intruder, 0);
    atomic_store(&ctx->entered.intruding, NULL);
}

void tern_leave(tern_ctx **entered) {
    tern_ctx *ctx = *entered;
    if (!ctx || ctx->is_static || --ctx->entered.depth > 0) return;
    if (atomic_load(&ctx->entered.intruder)) latch_intrusion(ctx);
    atomic_store(&ctx->entered.thread, 0);
}
#endif
