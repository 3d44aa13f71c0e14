/*
 * hostile_calls SEED FIRST COUNT [DEVICE [SECOND]]: calls operations by name with arguments of the right kinds that no
 * program would give, while sanitizers watch: calls FIRST to FIRST + COUNT - 1 of the seed, on DEVICE (cpu_ref), now
 * and then with tensors of the device SECOND. A call is drawn from the seed and its number alone, so that
 * `hostile_calls SEED NUMBER 1` repeats it and prints it.
 *
 * A call must not crash; must give a result or one line of error, which is no internal one and no device's; must leave
 * no memory behind when its scope ends; and the context must compute on. The calls run in a child process, which says
 * in shared memory where it is, so that the next child goes on behind a call that crashed. No allocation of more than
 * 4 MiB succeeds, which keeps calls of huge sizes short. A call whose argument has more elements than anyone can wait
 * for is cut off after 0.2 s, any other after 30 s and reported.
 */
#define _GNU_SOURCE /* RTLD_NEXT, MAP_ANONYMOUS */
#include "hostile.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 4 << 20, CALLS_OF_A_CHILD = 100000, MOST_CRASHES = 50 };

/* What the children tell their parent. */
static struct progress {
    uint64_t number; /* the call that the child is in, or has to begin with */
    uint64_t calls, results, wrong, cut, slow;
    bool endless; /* this call may be cut off */
    char name[96];
    double slowest;
    char slowest_name[96];
    uint64_t slowest_number;
} * progress;

static uint64_t seed, end;
static const char *device = "cpu_ref", *second;
static bool prints;

/* ---- no large memory ------------------------------------------------------------------------- */

#pragma GCC visibility push(default) /* in place of the C library's */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *aligned_alloc(size_t alignment, size_t size) {
    static void *(*real)(size_t, size_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "aligned_alloc");
    return size > MOST_BYTES ? NULL : real(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    static int (*real)(void **, size_t, size_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "posix_memalign");
    return size > MOST_BYTES ? ENOMEM : real(out, alignment, size);
}

#pragma GCC visibility pop

/* ---- one call -------------------------------------------------------------------------------- */

static void wrong(const call *c, const char *what, const char *more) {
    printf("seed %" PRIu64 " call %" PRIu64 " (%s): %s%s%s\n", seed, progress->number, c->name,
           what, *more ? ": " : "", more);
    progress->wrong++;
}

/* After `milliseconds` of the process's own time the call ends with its child. */
static void allow(long milliseconds) {
    const struct itimerval limit = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000}};
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static void show(const char *label, tern_value value) {
    char text[600];
    if (value.kind == TERN_VALUE_TENSOR) {
        const tern_tensor *t = value.as.tensor;
        tern_shape shape = tern_shape_of(t);
        printf("  %s: tensor %s (", label, tern_dtype_name(tern_dtype_of(t)));
        for (int32_t d = 0; d < shape.rank; d++)
            printf("%s%" PRId64 "/%" PRId64, d ? ", " : "", shape.dim[d], tern_stride(t, d));
        printf(") on %s%s%s\n", tern_device_of(t), tern_is_nil(t) ? ", nil" : "",
               tern_has_grad_required(t) ? ", with a gradient" : "");
        return;
    }
    if (value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE) {
        printf("  %s: a list of\n", label);
        for (size_t i = 0; i < tern_value_count(value) && i < 20; i++)
            show("  -", tern_value_at(value, i));
        return;
    }
    tern_value_repr(value, text, sizeof text);
    printf("  %s: %s\n", label, text);
}

static void show_call(const call *c) {
    tern_value key, item;
    printf("%s, leaves %d\n", c->name, c->n_leaves);
    for (int i = 0; i < c->n_positional; i++) show("positional", c->positional[i]);
    for (size_t i = 0; tern_dict_at(c->named, i, &key, &item); i++) show(key.as.s, item);
    tern_error_clear(c->ctx);
    tern_error_clear(c->other);
    fflush(stdout);
}

/* Reads every element of a result, so that one which lies elsewhere shows. */
static void touch(tern_value value, int depth) {
    static unsigned char bytes[1 << 16];
    if (value.kind == TERN_VALUE_TENSOR) {
        uint64_t size, count = (uint64_t)tern_numel(value.as.tensor);
        bool fits = tern_size_mul(count, tern_dtype_size(tern_dtype_of(value.as.tensor)), &size);
        if (fits && size <= sizeof bytes) tern_to_host(value.as.tensor, bytes, (size_t)size);
    }
    if ((value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE) && depth < 4)
        for (size_t i = 0; i < tern_value_count(value) && i < 40; i++)
            touch(tern_value_at(value, i), depth + 1);
}

static tern_tensor *first_of(tern_value value) {
    if (value.kind == TERN_VALUE_TUPLE || value.kind == TERN_VALUE_LIST)
        value = tern_value_at(value, 0);
    return value.kind == TERN_VALUE_TENSOR ? value.as.tensor : NULL;
}

/* The gradient of a result that has one: of first and of second order, or with a gradient of another shape. */
static void differentiate(call *c, tern_value result) {
    tern_tensor *of = first_of(result), *gradients[MOST_LEAVES];
    if (!of || !c->n_leaves || tern_error(c->ctx)[0] || !tern_has_grad_required(of)) return;
    tern_tensor *with = once_in(&c->s, 20) ? hostile_tensor(c) : tern_ones_like(of);
    if (once_in(&c->s, 30)) tern_zero_in_place(tern_detach(c->leaves[0]));
    unsigned flags = TERN_ALLOW_UNUSED | (once_in(&c->s, 3) ? TERN_CREATE_GRAPH : 0);
    if (tern_grad(&of, 1, c->leaves, c->n_leaves, &with, flags, gradients) != TERN_OK) return;
    for (int i = 0; i < c->n_leaves; i++)
        if (gradients[i] && tern_has_grad_required(gradients[i])) {
            tern_tensor *sum = tern_sum(gradients[i]);
            tern_grad(&sum, 1, c->leaves, c->n_leaves, NULL, TERN_ALLOW_UNUSED, gradients);
            return;
        }
}

static void judge(const call *c, tern_ctx *ctx, tern_value result, bool latched) {
    tern_status status = tern_check(ctx);
    const char *message = tern_error(ctx);
    if (status == TERN_OK) {
        progress->results += ctx == c->ctx;
        return;
    }
    if (!*message || strpbrk(message, "\n\r\x1b"))
        wrong(c, "an error that is not one line", message);
    if (latched && result.kind != TERN_VALUE_NONE) wrong(c, "an error with a result", message);
    if (status == TERN_ERR_INTERNAL || status == TERN_ERR_DEVICE)
        wrong(c, tern_status_name(status), message);
}

static void one_call(call *c) {
    static const unsigned flags[] = {0, 0, 0, 0, 0, TERN_NO_GRAD, TERN_INFERENCE};
    tern_ctx *ctx = c->ctx, *other = c->other;
    uint64_t held = tern_stats_of(ctx).device_bytes;
    tern_scope scope = tern_scope_begin(ctx, 0), foreign = tern_scope_begin(other, 0);
    call_draw(c);
    if (prints) show_call(c);
    tern_error_clear(ctx);
    tern_error_clear(other);
    snprintf(progress->name, sizeof progress->name, "%s", c->name);
    progress->endless = c->endless;
    allow(c->endless ? 200 : 30000);
    tern_scope inner = tern_scope_begin(ctx, flags[below(&c->s, 7)]);
    tern_value result = tern_call(ctx, c->name, c->positional, c->n_positional, c->named);
    bool latched = tern_error(ctx)[0];
    differentiate(c, result);
    touch(result, 0);
    judge(c, ctx, result, latched);
    judge(c, other, tern_none(), false);
    if (prints) printf("  error: %s\n", tern_error(ctx));
    tern_error_clear(ctx);
    tern_error_clear(other);
    tern_scope_end(inner);
    if (tern_item(tern_add(tern_full(ctx, TERN_SHAPE(1), 1, TERN_FLOAT32),
                           tern_full(ctx, TERN_SHAPE(1), 2, TERN_FLOAT32))) != 3)
        wrong(c, "afterwards 1 + 2 is not 3", tern_error(ctx));
    tern_scope_end(foreign);
    tern_scope_end(scope);
    allow(0);
    if (tern_stats_of(ctx).device_bytes != held) wrong(c, "memory is left behind", "");
}

/* ---- all calls ------------------------------------------------------------------------------- */

static void note_time(const call *c, const struct timespec *from) {
    struct timespec to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double seconds =
        (double)(to.tv_sec - from->tv_sec) + (double)(to.tv_nsec - from->tv_nsec) * 1e-9;
    progress->slow += seconds > 0.1;
    if (seconds <= progress->slowest) return;
    progress->slowest = seconds;
    progress->slowest_number = progress->number;
    snprintf(progress->slowest_name, sizeof progress->slowest_name, "%s", c->name);
}

static void run_calls(void) {
    static call c; /* large */
    tern_ctx *ctx = tern_open(device), *other = tern_open(device);
    if (second) tern_device_open(ctx, second);
    if (tern_check(ctx) || tern_check(other)) {
        fprintf(stderr, "hostile_calls: %s\n", tern_error(ctx));
        exit(2);
    }
    uint64_t last = progress->number + CALLS_OF_A_CHILD;
    for (; progress->number < end && progress->number < last; progress->number++) {
        struct timespec from;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        uint64_t start = seed * UINT64_C(0x9e3779b97f4a7c15) + progress->number;
        c = (call){.s = {start}, .ctx = ctx, .other = other, .second = second};
        c.s.state = next(&c.s);
        tern_manual_seed(ctx, 1);
        tern_set_composed(ctx, "all", progress->number / 1000 % 2 == 1);
        one_call(&c);
        progress->calls++;
        note_time(&c, &from);
    }
    tern_close(ctx);
    tern_close(other);
}

/* The status of a child that goes on with the calls. */
static int child(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        run_calls();
        exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) abort();
    return status;
}

static void report_end(int status, int *crashes) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGVTALRM && progress->endless) {
        progress->cut++;
        return;
    }
    printf("%s %d: seed %" PRIu64 " call %" PRIu64 " (%s)\n",
           WIFSIGNALED(status) ? (WTERMSIG(status) == SIGVTALRM ? "TOO LONG" : "CRASH, signal")
                               : "CRASH, exit",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), seed, progress->number,
           progress->name);
    ++*crashes;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 4) {
        fprintf(stderr, "usage: hostile_calls SEED FIRST COUNT [DEVICE [SECOND]]\n");
        return 2;
    }
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) return 2;
    seed = strtoull(argv[1], NULL, 10);
    progress->number = strtoull(argv[2], NULL, 10);
    end = progress->number + strtoull(argv[3], NULL, 10);
    if (argc > 4) device = argv[4];
    if (argc > 5) second = argv[5];
    prints = end == progress->number + 1;
    int crashes = 0;
    while (progress->number < end && crashes < MOST_CRASHES) {
        int status = child();
        if (status == 0) continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) return 2;
        report_end(status, &crashes);
        progress->number++;
    }
    printf("%" PRIu64 " calls, %" PRIu64 " with a result, %" PRIu64
           " endless ones cut off, %" PRIu64 " over 0.1 s (longest %.2f s: %s, call %" PRIu64
           "), %" PRIu64 " wrong, %d crashes\n",
           progress->calls, progress->results, progress->cut, progress->slow, progress->slowest,
           progress->slowest_name, progress->slowest_number, progress->wrong, crashes);
    return crashes || progress->wrong || !progress->results;
}
