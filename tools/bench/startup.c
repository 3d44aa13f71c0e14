/*
 * From a process's start to its first result: this program runs itself for one addition. The memory is
 * the child's greatest, which on Linux is at least what its parent held when it forked: so these cases
 * come first, when this process holds less.
 */
#define _DEFAULT_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXEC_FAILED = 127 };

static const double KIB_A_MIB = 1024;

static void become_child(const char *device) {
    char name[64];
    char *words[] = {"tern", "bench",    "--only", "op_add_1", "--budget",
                     "0",    "--device", name,     NULL};
    snprintf(name, sizeof name, "%s", device);
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
    execv("/proc/self/exe", words);
    _exit(EXEC_FAILED);
}

/* Waits for a run of its own; false where that failed. */
static bool run_child(bench_subject *s, struct rusage *out_usage) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) become_child(tern_device_name(s->ctx));
    if (child > 0 && wait4(child, &status, 0, out_usage) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0)
        return true;
    bench_lacks(s, "tern could not be started again");
    return false;
}

static void run_startup(bench_subject *s) {
    struct rusage usage;
    run_child(s, &usage);
}

static double memory(bench_subject *s) {
    struct rusage usage;
    return run_child(s, &usage) ? (double)usage.ru_maxrss / KIB_A_MIB : 0;
}

static const bench_case cases[] = {
    {"startup", BENCH_MS, .once = run_startup},
    {"startup_rss", BENCH_MIB, .value = memory},
};

const bench_group bench_startup = BENCH_GROUP("startup", cases);
