/*
 * runner.c: runs the tests of tests/unit in this process, one after the other.
 *
 *     tern_unit_plain [--list] [PATTERN]...      PATTERN is a glob over suite/name
 *
 * Prints failures and a closing line. Exit status 1 when a test failed or none ran: a run that
 * proves nothing must not pass.
 */
#define _POSIX_C_SOURCE 200809L

#include <criterion/criterion.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static plain_test *tests;
static plain_test **last_link = &tests;

static struct {
    jmp_buf leave;
    const plain_test *test;
    atomic_bool failed; /* a test's threads check too */
    bool skipped;
    atomic_int checks; /* made by all tests so far */
} running;

void plain_register(plain_test *test) {
    *last_link = test;
    last_link = &test->next;
}

void plain_check(bool holds, bool fatal, const char *file, int line, const char *expression,
                 const char *format, ...) {
    atomic_fetch_add(&running.checks, 1);
    if (holds) return;
    running.failed = true;
    printf("FAILED %s/%s\n  %s:%d: %s\n", running.test->suite, running.test->name, file, line,
           expression);
    if (format[0]) {
        va_list args;
        va_start(args, format);
        printf("  ");
        vprintf(format, args);
        printf("\n");
        va_end(args);
    }
    fflush(stdout);
    if (fatal) longjmp(running.leave, 1);
}

void plain_skip(const char *format, ...) {
    running.skipped = true;
    va_list args;
    va_start(args, format);
    printf("SKIPPED %s/%s: ", running.test->suite, running.test->name);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    longjmp(running.leave, 1);
}

void plain_log(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static bool wanted(const plain_test *test, int count, char **patterns) {
    if (!test->name || test->options.disabled) return false;
    if (count == 0) return true;
    char full[256];
    snprintf(full, sizeof full, "%s/%s", test->suite, test->name);
    for (int i = 0; i < count; i++)
        if (fnmatch(patterns[i], full, 0) == 0) return true;
    return false;
}

/* The options that TestSuite() gave for the test's suite, or none. */
static const plain_options *suite_options(const plain_test *test) {
    for (const plain_test *t = tests; t; t = t->next)
        if (!t->name && strcmp(t->suite, test->suite) == 0) return &t->options;
    static const plain_options none = {0};
    return &none;
}

/* Tests that take longer are named, so that a run that grows shows where. */
#define SLOW_SECONDS 2.0

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run(const plain_test *test, const plain_options *suite) {
    running.test = test;
    running.failed = false;
    running.skipped = false;
    if (setjmp(running.leave) == 0) {
        if (suite->init) suite->init();
        if (test->options.init) test->options.init();
        test->body();
    }
    /* An assertion in a fini counts too, and must not run the fini again. */
    if (setjmp(running.leave) == 0) {
        if (test->options.fini) test->options.fini();
        if (suite->fini) suite->fini();
    }
}

int main(int argc, char **argv) {
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    int first = list ? 2 : 1, ran = 0, failed = 0, skipped = 0;
    for (const plain_test *test = tests; test; test = test->next) {
        if (!wanted(test, argc - first, argv + first)) continue;
        if (list) {
            printf("%s/%s\n", test->suite, test->name);
            continue;
        }
        double seconds = now();
        run(test, suite_options(test));
        seconds = now() - seconds;
        if (seconds > SLOW_SECONDS)
            printf("SLOW %s/%s: %.1f s\n", test->suite, test->name, seconds);
        ran++;
        failed += running.failed;
        skipped += running.skipped;
    }
    if (list) return 0;
    printf("%d tests, %d passed, %d failed, %d skipped, %d checks\n", ran, ran - failed - skipped,
           failed, skipped, atomic_load(&running.checks));
    return failed > 0 || ran == 0;
}
