#define _GNU_SOURCE
#include "mutants.h"

#include "json_out.h"
#include "table.h"

#include "tern/context.h"
#include "tern/device.h"
#include "tern/io.h"
#include "tern/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PROBE_MILLISECONDS = 20000,
    NAME_SIZE = 64,
    BY_SIZE = 192,
    WHAT_SIZE = 400,
    MOST_JOBS = 8,
    PERCENT = 95
};

static const char mark[] = "defect ";

typedef struct mutant {
    char device[NAME_SIZE], defect[NAME_SIZE];
    bool ran, caught;
    char by[BY_SIZE];     /* the case that failed: "properties/values:exp/float32" */
    char what[WHAT_SIZE]; /* how */
    double seconds;
    pid_t process;
    FILE *answer; /* what it prints */
    double since;
} mutant;

typedef struct mutant_list {
    mutant *items;
    size_t count;
} mutant_list;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- which ----------------------------------------------------------------------------------- */

static bool is_named(const char *names, const char *defect) {
    size_t length = strlen(defect);
    if (strcmp(names, "all") == 0) return true;
    for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && memcmp(at, defect, length) == 0) return true;
    return false;
}

static bool find_mutants(const mutants_options *o, mutant_list *out) {
    tern_load_report *report = tern_load_report_new(PROBE_MILLISECONDS);
    size_t count = report ? tern_load_report_device_count(report) : 0;
    out->count = 0;
    out->items = tern_alloc_zeroed(count + 1, sizeof *out->items);
    for (size_t i = 0; out->items && i < count; i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        mutant *m = &out->items[out->count];
        if (strncmp(d->reason, mark, sizeof mark - 1) != 0) continue;
        if (o->plugin && strcmp(d->plugin, o->plugin) != 0) continue;
        const char *defect = d->reason + sizeof mark - 1;
        snprintf(m->device, sizeof m->device, "%s", d->name);
        snprintf(m->defect, sizeof m->defect, "%.*s", (int)strcspn(defect, ":"), defect);
        if (is_named(o->names, m->defect)) out->count++;
    }
    tern_load_report_free(report);
    return report && out->items;
}

/* ---- running --------------------------------------------------------------------------------- */

static _Noreturn void be_suite(const mutants_options *o, const mutant *m) {
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%" PRId64, o->seconds);
    const char *words[] = {"tern",        "conformance", "--device", m->device,
                           "--fail-fast", "--timeout",   seconds,    "--json",
                           NULL,          NULL,          NULL};
    size_t count = 8;
    if (o->vectors) words[count++] = "--vectors";
    if (o->vectors) words[count++] = o->vectors;
    dup2(fileno(m->answer), STDOUT_FILENO);
    freopen("/dev/null", "w", stderr);
    execv("/proc/self/exe", (char **)(uintptr_t)words);
    _exit(EXIT_WRONG_USAGE);
}

static bool start(const mutants_options *o, mutant *m) {
    m->answer = tmpfile();
    m->since = now();
    fflush(NULL);
    m->process = m->answer ? fork() : -1;
    if (m->process == 0) be_suite(o, m);
    if (m->process > 0) return true;
    if (m->answer) fclose(m->answer);
    m->answer = NULL;
    return false;
}

/* What the suite printed, in a scope of `ctx`; none where it is no JSON. */
static tern_value read_answer(tern_ctx *ctx, FILE *answer) {
    long length = fseek(answer, 0, SEEK_END) == 0 ? ftell(answer) : -1;
    char *text = length > 0 ? tern_alloc((size_t)length + 1) : NULL;
    tern_value json = tern_none();
    rewind(answer);
    if (text && fread(text, 1, (size_t)length, answer) == (size_t)length) {
        text[length] = 0;
        json = tern_json_parse(ctx, text, (size_t)length);
    }
    tern_free(text);
    tern_error_clear(ctx);
    return json;
}

static void copy_text(tern_value text, char *out_text, size_t size) {
    snprintf(out_text, size, "%s", text.kind == TERN_VALUE_STRING ? text.as.s : "");
}

/* Takes the verdict of a suite that has ended. */
static void judge(tern_ctx *ctx, mutant *m, int status) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_value json = read_answer(ctx, m->answer);
    tern_value failure = tern_value_at(tern_dict_get(json, "failures"), 0);
    m->ran = true;
    m->seconds = now() - m->since;
    m->caught = !WIFEXITED(status) || WEXITSTATUS(status) == EXIT_WORK_FAILED;
    if (failure.kind == TERN_VALUE_DICT) {
        char subject[BY_SIZE / 2], id[BY_SIZE / 2];
        copy_text(tern_dict_get(failure, "subject"), subject, sizeof subject);
        copy_text(tern_dict_get(failure, "id"), id, sizeof id);
        snprintf(m->by, sizeof m->by, "%s:%s", subject, id);
        copy_text(tern_dict_get(failure, "what"), m->what, sizeof m->what);
    } else if (m->caught) {
        snprintf(m->by, sizeof m->by, "the suite does not begin");
    }
    tern_error_clear(ctx);
    tern_scope_end(scope);
    fclose(m->answer);
    m->answer = NULL;
}

/* Waits for one suite to end; false where none runs or it is to stop. */
static bool wait_for_one(tern_ctx *ctx, mutant_list *list, const volatile int *stop) {
    int status;
    pid_t ended = waitpid(-1, &status, 0);
    if (ended < 0) return errno == EINTR && !*stop;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].process == ended && list->items[i].answer)
            judge(ctx, &list->items[i], status);
    return true;
}

static void end_all(mutant_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        mutant *m = &list->items[i];
        if (!m->answer) continue;
        kill(m->process, SIGKILL);
        waitpid(m->process, NULL, 0);
        fclose(m->answer);
        m->answer = NULL;
    }
}

static void run_all(const mutants_options *o, tern_ctx *ctx, mutant_list *list,
                    const volatile int *stop) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t jobs = cpus < 1 ? 1 : cpus > MOST_JOBS ? MOST_JOBS : (size_t)cpus, running = 0;
    for (size_t next = 0; (next < list->count || running > 0) && !*stop;) {
        if (next < list->count && running < jobs) {
            running += start(o, &list->items[next++]);
            continue;
        }
        if (wait_for_one(ctx, list, stop)) running--;
    }
    end_all(list);
}

/* ---- printing -------------------------------------------------------------------------------- */

static size_t count_caught(const mutant_list *list) {
    size_t caught = 0;
    for (size_t i = 0; i < list->count; i++) caught += list->items[i].caught;
    return caught;
}

static void print_json(const mutant_list *list) {
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_int(&j, "mutants", (int64_t)list->count);
    json_out_int(&j, "caught", (int64_t)count_caught(list));
    json_out_array(&j, "rows");
    for (size_t i = 0; i < list->count; i++) {
        const mutant *m = &list->items[i];
        json_out_object(&j, NULL);
        json_out_text(&j, "device", m->device);
        json_out_text(&j, "defect", m->defect);
        json_out_bool(&j, "caught", m->caught);
        json_out_text(&j, "by", m->by);
        json_out_text(&j, "what", m->what);
        json_out_number(&j, "seconds", m->seconds);
        json_out_end(&j);
    }
    json_out_end(&j);
    json_out_end(&j);
    json_out_finish(&j);
}

enum { COLUMNS = 3 };

static bool print_table(const mutant_list *list) {
    const char **cells = tern_alloc_zeroed((list->count + 1) * COLUMNS, sizeof *cells);
    if (!cells) return false;
    cells[0] = "defect";
    cells[1] = "";
    cells[2] = "by";
    for (size_t i = 0; i < list->count; i++) {
        const mutant *m = &list->items[i];
        const char **row = cells + (i + 1) * COLUMNS;
        row[0] = m->defect;
        row[1] = m->caught ? "caught" : m->ran ? "MISSED" : "not run";
        row[2] = m->by;
    }
    table_print(cells, list->count + 1, COLUMNS);
    printf("%zu of %zu defects are caught\n", count_caught(list), list->count);
    tern_free(cells);
    return true;
}

int mutants_run(const verb *v, const mutants_options *o, const volatile int *stop) {
    mutant_list list;
    tern_ctx *ctx = tern_open(NULL); /* for JSON */
    int status = EXIT_OK;
    if (!find_mutants(o, &list) || tern_error(ctx)[0])
        status = work_failed(v, "%s", tern_error(ctx)[0] ? tern_error(ctx) : "out of memory");
    else if (list.count == 0)
        status = work_failed(v, "no device has a defect that --mutants names; see tern devices "
                                "--probe");
    if (status == EXIT_OK) {
        run_all(o, ctx, &list, stop);
        if (o->json)
            print_json(&list);
        else if (!print_table(&list))
            status = work_failed(v, "out of memory");
        if (*stop)
            status = work_failed(v, "interrupted; the table holds what ran before");
        else if (count_caught(&list) * 100 < list.count * PERCENT)
            status = work_failed(v, "%zu of %zu defects are missed",
                                 list.count - count_caught(&list), list.count);
    }
    tern_free(list.items);
    tern_close(ctx);
    return status;
}
