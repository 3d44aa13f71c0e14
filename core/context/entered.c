#define _GNU_SOURCE /* syscall */
#include "entered.h"

#ifndef NDEBUG
#include <stdatomic.h>
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

static void name_both(tern_ctx *ctx, long first, const char *operation) {
    const char *running = atomic_load(&ctx->entered.operation);
    tern_notice(
        TERN_LOG_WARNING,
        "context used by two threads at once: thread %ld is in %s, thread %ld called %s: open "
        "a context in each thread",
        first, running ? running : "a call", this_thread(), operation);
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
    const char *intruding = atomic_load(&ctx->entered.intruding);
    tern_fail(
        ctx, TERN_ERR_STATE,
        "context used by two threads at once: thread %ld is in %s, thread %ld called %s: open a "
        "context in each thread",
        this_thread(), atomic_load(&ctx->entered.operation), atomic_load(&ctx->entered.intruder),
        intruding ? intruding : "another");
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
