#define _GNU_SOURCE /* pipe2, environ */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tern/memory.h"

#define ANSWER_SIZE 65536

typedef struct helper {
    pid_t pid;
    int answer_fd;
    int64_t deadline; /* on the monotonic clock, in milliseconds */
    bool ended;       /* `wait_status` counts */
    int wait_status;
    size_t length;
    char answer[ANSWER_SIZE];
} helper;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Above the standard streams, so that redirecting those in the child does not close it. */
static int moved_up(int fd) {
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return higher;
}

/* The child has a process group of its own, so that what it starts can be ended with it, and none
 * of the caller's signal settings. */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                         POSIX_SPAWN_SETSIGMASK);
    if (!error) error = posix_spawnattr_setpgroup(attributes, 0);
    if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
    return error;
}

static int set_streams(posix_spawn_file_actions_t *actions, int answer_fd) {
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error) error = posix_spawn_file_actions_adddup2(actions, answer_fd, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return error;
}

static int spawn(const char *program, char *const *arguments, int answer_fd, pid_t *out_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = set_streams(&actions, answer_fd);
        if (!error) error = set_attributes(&attributes);
        if (!error)
            error = posix_spawn(out_pid, program, &actions, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start(helper *h, const char *program, const char *manifest, int milliseconds) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    ends[0] = moved_up(ends[0]);
    ends[1] = moved_up(ends[1]);
    char name[] = "tern-probe";
    char path[TERN_PATH_SIZE];
    char seconds[16];
    strcpy(path, manifest);
    /* Its own alarm, a little later, in case that this process dies before. */
    snprintf(seconds, sizeof seconds, "%d", milliseconds / 1000 + 2);
    char *arguments[] = {name, path, seconds, NULL};
    int error = ends[0] < 0 || ends[1] < 0 ? EMFILE : spawn(program, arguments, ends[1], &h->pid);
    if (ends[1] >= 0) close(ends[1]);
    if (error && ends[0] >= 0) close(ends[0]);
    h->answer_fd = ends[0];
    return error;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Reads until the helper closes its end or time is up. */
static void read_answer(helper *h) {
    for (;;) {
        int64_t left = h->deadline - now_ms();
        struct pollfd wait = {.fd = h->answer_fd, .events = POLLIN};
        if (left <= 0) return;
        int ready = poll(&wait, 1, (int)left);
        if (ready < 0 && errno != EINTR) return;
        if (ready <= 0) continue;
        char surplus[256];
        size_t room = sizeof h->answer - 1 - h->length;
        ssize_t got = room ? read(h->answer_fd, h->answer + h->length, room)
                           : read(h->answer_fd, surplus, sizeof surplus);
        if (got == 0 || (got < 0 && errno != EINTR)) return;
        if (got > 0 && room) h->length += (size_t)got;
    }
}

/* Collects the helper's exit status; ends it where time is up. */
static void reap(helper *h) {
    const struct timespec nap = {.tv_nsec = 1000000};
    pid_t got;
    while ((got = waitpid(h->pid, &h->wait_status, WNOHANG)) == 0 && now_ms() < h->deadline)
        nanosleep(&nap, NULL);
    if (got == 0) {
        kill(-h->pid, SIGKILL);
        kill(h->pid, SIGKILL);
        while (waitpid(h->pid, &h->wait_status, 0) < 0 && errno == EINTR) continue;
        return;
    }
    h->ended = got == h->pid;
}

/* ---- reading the answer ---------------------------------------------------------------------- */

/* Cuts the next field off a line. */
static const char *field(char **line) {
    char *start = *line;
    char *tab = strchr(start, '\t');
    if (tab) *tab = '\0';
    *line = tab ? tab + 1 : start + strlen(start);
    return start;
}

static void read_device(tern_probe *probe, char *line) {
    if (probe->count == TERN_PROBE_DEVICES) return;
    tern_probed_device *d = &probe->devices[probe->count++];
    d->index = (int32_t)strtol(field(&line), NULL, 10);
    d->type = (int32_t)strtol(field(&line), NULL, 10);
    d->memory = strtoull(field(&line), NULL, 10);
    tern_text_copy(d->identity, sizeof d->identity, field(&line));
    tern_text_copy(d->name, sizeof d->name, field(&line));
    tern_text_copy(d->error, sizeof d->error, field(&line));
}

static tern_load_stage stage_named(const char *name) {
    for (int s = TERN_STAGE_MANIFEST; s < TERN_STAGE_READY; s++)
        if (strcmp(tern_load_stage_name((tern_load_stage)s), name) == 0) return (tern_load_stage)s;
    return TERN_STAGE_LOAD;
}

/* True where the last line, the result, was there. */
static bool read_lines(tern_probe *probe, char *text) {
    char *newline;
    while ((newline = strchr(text, '\n')) != NULL) {
        *newline = '\0';
        char *line = text;
        text = newline + 1;
        const char *kind = field(&line);
        if (strcmp(kind, "stage") == 0) probe->stage = stage_named(field(&line));
        if (strcmp(kind, "device") == 0) read_device(probe, line);
        if (strcmp(kind, "result") != 0) continue;
        probe->code = (tern_status)strtol(field(&line), NULL, 10);
        tern_text_copy(probe->message, sizeof probe->message, field(&line));
        if (probe->code == TERN_OK) probe->stage = TERN_STAGE_READY;
        return true;
    }
    return false;
}

static void explain_silence(tern_probe *probe, const helper *h, int milliseconds) {
    const char *when = probe->stage == TERN_STAGE_OPEN    ? "while its devices were opened"
                       : probe->stage == TERN_STAGE_QUERY ? "while it was queried"
                                                          : "while it was loaded";
    char *message = probe->message;
    size_t size = sizeof probe->message;
    probe->code = TERN_ERR_DEVICE;
    if (!h->ended)
        snprintf(message, size, "it hangs: no answer within %d ms %s", milliseconds, when);
    else if (WIFSIGNALED(h->wait_status))
        snprintf(message, size, "it crashes (signal %d, %s) %s", WTERMSIG(h->wait_status),
                 strsignal(WTERMSIG(h->wait_status)), when);
    else
        snprintf(message, size, "it ends the process (exit status %d) %s",
                 WEXITSTATUS(h->wait_status), when);
}

static void ask(helper *h, const tern_candidate *candidate, const char *program, int milliseconds,
                tern_probe *out_probe) {
    h->deadline = now_ms() + milliseconds;
    int error = start(h, program, candidate->manifest_path, milliseconds);
    if (error) {
        snprintf(out_probe->message, sizeof out_probe->message,
                 "the helper %.300s does not start: %s", program, strerror(error));
        return;
    }
    out_probe->done = true;
    read_answer(h);
    close(h->answer_fd);
    reap(h);
    h->answer[h->length] = '\0';
    if (!read_lines(out_probe, h->answer)) explain_silence(out_probe, h, milliseconds);
}

void tern_probe_run(const tern_trusted *program, const tern_candidate *candidate, int milliseconds,
                    tern_probe *out_probe) {
    memset(out_probe, 0, sizeof *out_probe);
    out_probe->stage = TERN_STAGE_LOAD;
    helper *h = tern_alloc_zeroed(1, sizeof *h);
    if (h)
        ask(h, candidate, program->path, milliseconds, out_probe);
    else
        snprintf(out_probe->message, sizeof out_probe->message, "out of memory");
    tern_free(h);
}
