/*
 * tern-probe MANIFEST [SECONDS]: opens one plugin and says how far it came.
 *
 * The library starts this program for `tern doctor` and `tern devices --probe`, so that a plugin
 * which crashes or hangs takes down this process alone. It writes lines of fields between tabs to
 * its standard output; core/plugin/probe.h describes them. What the plugin prints itself goes to
 * the standard error. Exit status: 0 when the plugin is ready, 1 when it is not, 2 for wrong usage.
 */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tern/device.h"

static void print_line(void *user, const char *line) {
    FILE *answer = user;
    fprintf(answer, "%s\n", line);
    fflush(answer);
}

/* Moves the standard output away from the plugin. */
static FILE *take_output(void) {
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return NULL;
    return fdopen(fd, "w");
}

int main(int argc, char **argv) {
    char *end = "";
    long seconds = argc == 3 ? strtol(argv[2], &end, 10) : 60;
    if (argc < 2 || argc > 3 || *end || seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: tern-probe MANIFEST [SECONDS]\n");
        return 2;
    }
    FILE *answer = take_output();
    if (!answer) {
        fprintf(stderr, "tern-probe: cannot write to the standard output\n");
        return 1;
    }
    /* A crash is an answer here; it must not leave a core file in the user's folder. */
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    alarm((unsigned)seconds);
    tern_status status = tern_probe_plugin(argv[1], print_line, answer);
    /* Not exit(): the answer is given, and destructors of the plugin could still spoil it. */
    _exit(status == TERN_OK ? 0 : 1);
}
