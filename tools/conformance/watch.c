#define _GNU_SOURCE /* PR_SET_PDEATHSIG */
#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK = 200, /* milliseconds between looks at the clock and at *stop */
    MOST_OF_SUBJECT = 3,
    MOST_OF_RUN = 40
};

/* A helper process, and what it said last. */
typedef struct helper {
    pid_t process;
    int events;
    bool ended; /* it said that all has run */
    bool begun; /* a case has begun */
    int64_t number;
    char id[REPORT_NAME], subject[REPORT_NAME];
    char why[REPORT_WHAT];
    double since; /* when the case began, or the helper */
} helper;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the helper's side ----------------------------------------------------------------------- */

static _Noreturn void be_helper(conformance *run, int events, pid_t parent,
                                void (*test)(conformance *run, void *user), void *user) {
    static volatile int never;
    /* Ctrl-C reaches the whole group, and the parent is the one that ends things. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    run->stop = &never;
    run->report = report_relay_new(events);
    if (!run->report) _exit(1);
    test(run, user);
    _exit(0);
}

/* Starts a helper; false where there can be none. */
static bool start(conformance *run, helper *h, void (*test)(conformance *run, void *user),
                  void *user) {
    int ends[2];
    pid_t self = getpid();
    fflush(NULL); /* what is buffered would be printed twice */
    if (pipe(ends) != 0) return false;
    h->process = fork();
    if (h->process == 0) {
        close(ends[0]);
        be_helper(run, ends[1], self, test, user);
    }
    close(ends[1]);
    h->events = ends[0];
    h->ended = h->begun = false;
    h->since = now();
    if (h->process > 0) return true;
    close(h->events);
    return false;
}

/* ---- this side ------------------------------------------------------------------------------- */

static void take(conformance *run, helper *h, const report_event *event) {
    report_take(run->report, event);
    switch (event->kind) {
    case REPORT_BEGIN:
        h->begun = true;
        h->number = event->number;
        h->since = now();
        memcpy(h->id, event->text, sizeof h->id);
        break;
    case REPORT_SUBJECT: memcpy(h->subject, event->text, sizeof h->subject); break;
    case REPORT_END:
        h->ended = true;
        h->since = now();
        memcpy(h->why, event->what, sizeof h->why);
        break;
    default: break;
    }
}

/* Reads one event whole: 1; 0 at the end; -1 where there is none now. */
static int read_event(const helper *h, report_event *out_event) {
    struct pollfd wait = {h->events, POLLIN, 0};
    char *at = (char *)out_event;
    size_t left = sizeof *out_event;
    if (poll(&wait, 1, TICK) <= 0) return -1;
    while (left > 0) {
        ssize_t got = read(h->events, at, left);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        at += got;
        left -= (size_t)got;
    }
    return 1;
}

/* Reads until the helper ends, or is to be ended. False where a case took too long. */
static bool listen_to(conformance *run, helper *h, int64_t seconds) {
    while (!*run->stop) {
        report_event event;
        int got = read_event(h, &event);
        if (got == 0) return true;
        if (got > 0) take(run, h, &event);
        if (got > 0 && run->fail_fast && event.kind == REPORT_FAIL) return true;
        if (got < 0 && now() - h->since > (double)seconds) return false;
    }
    return true;
}

/* Ends the helper where it still runs, and says how it went. */
static void finish(const helper *h, bool in_time, int64_t seconds, char *out_what) {
    int status = 0;
    kill(h->process, SIGKILL); /* one that ended by itself does not notice */
    close(h->events);
    while (waitpid(h->process, &status, 0) < 0 && errno == EINTR) continue;
    if (!in_time)
        snprintf(out_what, REPORT_WHAT, "took longer than %" PRId64 " s and was given up", seconds);
    else if (WIFSIGNALED(status))
        snprintf(out_what, REPORT_WHAT, "the process crashed: %s", strsignal(WTERMSIG(status)));
    else
        snprintf(out_what, REPORT_WHAT, "the process ended with status %d", WEXITSTATUS(status));
}

/* How often helpers died. */
typedef struct deaths {
    int all, of_subject;
    char subject[REPORT_NAME];
} deaths;

/* Fails the case that ended the helper, and says where the next one begins. */
static void go_on(conformance *run, const helper *h, const char *what, deaths *d) {
    report_fail(run->report, h->id, what);
    d->of_subject = strcmp(d->subject, h->subject) == 0 ? d->of_subject + 1 : 1;
    memcpy(d->subject, h->subject, sizeof d->subject);
    if (d->of_subject >= MOST_OF_SUBJECT) run->given_up = d->subject;
    run->first = h->number + 1;
    d->all++;
}

/* A helper that began no case: there is nothing to go on behind. */
static bool nothing_begun(conformance *run, const helper *h, const char *what, const deaths *d,
                          char *out_problem) {
    snprintf(out_problem, REPORT_WHAT, "before the first case %.300s", what);
    if (d->all > 0) report_fail(run->report, h->id, out_problem);
    return d->all > 0;
}

bool watch(conformance *run, int64_t seconds, void (*test)(conformance *run, void *user),
           void *user, char *out_problem) {
    helper h = {0};
    deaths d = {0};
    char what[REPORT_WHAT];
    while (d.all < MOST_OF_RUN) {
        if (!start(run, &h, test, user)) {
            snprintf(out_problem, REPORT_WHAT, "no helper process: %s", strerror(errno));
            return false;
        }
        bool in_time = listen_to(run, &h, seconds);
        finish(&h, in_time, seconds, what);
        if (*run->stop) return true;
        if (run->fail_fast && report_failures(run->report) > 0) return true;
        if (h.ended && !in_time) report_fail(run->report, "close", what);
        memcpy(out_problem, h.why, sizeof h.why);
        if (h.ended) return h.why[0] == 0 || h.begun || d.all > 0;
        if (!h.begun) return nothing_begun(run, &h, what, &d, out_problem);
        go_on(run, &h, what, &d);
        if (run->fail_fast) return true;
    }
    report_fail(run->report, "all", "the run was given up: too many cases crashed or hung");
    return true;
}
