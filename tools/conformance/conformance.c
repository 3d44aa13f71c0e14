/* tern conformance: vectors and property checks on a device, forward and backward. */
#define _GNU_SOURCE
#include "conformance.h"
#include "advice.h"
#include "mutants.h"
#include "training/interrupt.h"
#include "verbs.h"
#include "watch.h"

#include "tern/memory.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct conformance_options {
    common_options common;
    const char *vectors;
    const char *filter;
    const char *replay;
    const char *composed;
    const char *mutants;
    int64_t seconds, sample;
    const char *junit;
    bool fail_fast, list, huge;
} conformance_options;

static const option table[] = {
    {"vectors", OPTION_TEXT, "DIR", NULL, "the folder of vectors (else TERN_VECTORS, else none)",
     offsetof(conformance_options, vectors), 0, 0, false},
    {"filter", OPTION_TEXT, "GLOBS", NULL, "run only subjects that match: 'ops/add*,random'",
     offsetof(conformance_options, filter), 0, 0, false},
    {"replay", OPTION_TEXT, "FILE:ID", NULL, "run one case: ops/add:7",
     offsetof(conformance_options, replay), 0, 0, false},
    {"composed", OPTION_LIST, "FAMILY", "all",
     "without fused kernels: all, or some families (softmax,norm)",
     offsetof(conformance_options, composed), 0, 0, false},
    {"timeout", OPTION_INT, "SECONDS", "60", "give up on a case that takes longer",
     offsetof(conformance_options, seconds), 1, 86400, false},
    {"sample", OPTION_INT, "N", "1", "run one in N property checks of each operation",
     offsetof(conformance_options, sample), 1, 1000000, false},
    {"fail-fast", OPTION_FLAG, NULL, NULL, "stop at the first failure",
     offsetof(conformance_options, fail_fast), 0, 0, false},
    {"junit", OPTION_TEXT, "FILE", NULL, "also write the cases as JUnit XML",
     offsetof(conformance_options, junit), 0, 0, false},
    {"list", OPTION_FLAG, NULL, NULL, "print the cases that would run, without running them",
     offsetof(conformance_options, list), 0, 0, false},
    {"huge", OPTION_FLAG, NULL, NULL,
     "include tensors of more than 2^31 elements (needs 2 GB of memory)",
     offsetof(conformance_options, huge), 0, 0, false},
    {"mutants", OPTION_LIST, "NAMES", "all",
     "run the suite on devices with known defects, and print what caught each",
     offsetof(conformance_options, mutants), 0, 0, false},
};

static const suite *const suites[] = {&suite_ops,   &suite_random,  &suite_init,
                                      &suite_optim, &suite_modules, &suite_training};

enum { PATH_SIZE = 4096, SUBJECT_SIZE = 256 };

static const char suffix[] = ".safetensors";

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct suite_user {
    const suite *suite;
} suite_user;

static void run_case_of_suite(test_case *t, void *user) {
    ((suite_user *)user)->suite->run(t);
}

/* One file: its subject is the path without the suffix. */
static void run_file(conformance *run, const suite *s, const char *subject) {
    char path[PATH_SIZE];
    if (!conformance_begin(run, subject)) return;
    snprintf(path, sizeof path, "%s/%s%s", run->folder, subject, suffix);
    tern_scope scope = tern_scope_begin(run->ctx, 0);
    vectors_file *file = vectors_open(run->ctx, path);
    if (!file) {
        conformance_fail_file(run);
        tern_scope_end(scope);
        return;
    }
    tern_value cases = vectors_cases(file);
    size_t count = tern_value_count(cases);
    if (s->has && !s->has(run->ctx, vectors_name(file))) {
        const char *reason = s->reason ? s->reason(vectors_name(file)) : NULL;
        conformance_skip(run, reason ? reason : NOT_IMPLEMENTED, (int64_t)count);
        count = 0;
    }
    suite_user user = {s};
    for (size_t i = 0; i < count && !*run->stop; i++) {
        tern_value test = tern_value_at(cases, i);
        tern_value id = tern_dict_get(test, "id");
        conformance_case(run, file, test, id.kind == TERN_VALUE_STRING ? id.as.s : "?",
                         run_case_of_suite, &user);
    }
    tern_scope_end(scope);
}

static int is_vectors(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > sizeof suffix - 1 &&
           strcmp(entry->d_name + length - (sizeof suffix - 1), suffix) == 0;
}

static void run_folder(conformance *run, const suite *s) {
    char path[PATH_SIZE];
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/%s", run->folder, s->folder);
    int count = scandir(path, &entries, is_vectors, alphasort);
    for (int i = 0; i < count; i++) {
        char subject[SUBJECT_SIZE * 2];
        snprintf(subject, sizeof subject, "%s/%.*s", s->folder,
                 (int)(strlen(entries[i]->d_name) - (sizeof suffix - 1)), entries[i]->d_name);
        if (!*run->stop) run_file(run, s, subject);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
}

static void run_suite(conformance *run, const suite *s) {
    char path[PATH_SIZE], subject[SUBJECT_SIZE];
    struct stat status;
    if (s->folder) {
        run_folder(run, s);
        return;
    }
    snprintf(path, sizeof path, "%s/%s", run->folder, s->file);
    snprintf(subject, sizeof subject, "%.*s", (int)(strlen(s->file) - (sizeof suffix - 1)),
             s->file);
    if (stat(path, &status) == 0) run_file(run, s, subject);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int check_folder(const verb *v, const char *folder) {
    struct stat status;
    if (!folder) return EXIT_OK;
    if (stat(folder, &status) != 0)
        return work_failed(v, "vectors folder '%s': %s", folder, strerror(errno));
    if (!S_ISDIR(status.st_mode)) return work_failed(v, "vectors '%s' is not a folder", folder);
    return EXIT_OK;
}

/* Splits "ops/add:7"; `subject` is where the part before the colon goes. */
static int read_replay(const verb *v, const char *replay, char *subject, size_t size,
                       conformance *run) {
    const char *colon = replay ? strrchr(replay, ':') : NULL;
    if (!replay) return EXIT_OK;
    if (!colon || colon == replay || !colon[1])
        return wrong_usage(v, "--replay needs FILE:ID (ops/add:7), not '%s'", replay);
    snprintf(subject, size, "%.*s", (int)(colon - replay), replay);
    run->subject = subject;
    run->case_id = colon + 1;
    return EXIT_OK;
}

static void run_everything(conformance *run) {
    for (size_t i = 0; run->folder && i < sizeof suites / sizeof suites[0]; i++)
        run_suite(run, suites[i]);
    if (run->folder) run_schedulers(run);
    run_properties(run);
}

/* What a device says of itself at its end, such as how many kernels it compiled. */
static void show_line(void *user, tern_log_level level, const char *message) {
    (void)user;
    if (level >= TERN_LOG_INFO) fprintf(stderr, "tern conformance: %s\n", message);
}

/* Everything, in a process of its own (watch.h). */
static void test_device(conformance *run, void *user) {
    const conformance_options *o = user;
    run->ctx = tern_open(o->common.device);
    if (o->composed) tern_set_composed(run->ctx, o->composed, true);
    if (tern_check(run->ctx) == TERN_OK) {
        report_name(run->report, tern_device_name(run->ctx));
        run_everything(run);
        if (!o->common.json && !o->common.quiet && !run->case_id) advise(run);
    }
    report_end(run->report, tern_error(run->ctx));
    tern_on_log(show_line, NULL);
    tern_close(run->ctx);
}

static int print(const verb *v, const conformance_options *o, const conformance *run) {
    char verdict[SUBJECT_SIZE];
    if (o->common.json)
        report_print_json(run->report);
    else
        report_print_text(run->report, o->common.quiet);
    if (o->junit && !report_write_junit(run->report, o->junit))
        return work_failed(v, "'%s' cannot be written: %s", o->junit, strerror(errno));
    if (*run->stop) return work_failed(v, "interrupted; the report holds what ran before");
    if (report_ok(run->report)) return EXIT_OK;
    report_verdict(run->report, verdict, sizeof verdict);
    return work_failed(v, "%s", verdict);
}

/* Prints the cases by name. */
static int list_cases(const verb *v, const conformance_options *o, conformance *run) {
    int status = EXIT_OK;
    run->report = report_new(""); /* of what has no cases */
    if (!run->report) return work_failed(v, "out of memory");
    run->ctx = tern_open(o->common.device);
    run->listing = true;
    if (tern_check(run->ctx) == TERN_OK) run_everything(run);
    report_free(run->report);
    if (tern_error(run->ctx)[0]) status = work_failed(v, "%s", tern_error(run->ctx));
    tern_close(run->ctx);
    return status;
}

static int run_verb(const verb *v, void *options) {
    conformance_options *o = options;
    char subject[SUBJECT_SIZE], replay[PATH_SIZE + SUBJECT_SIZE], problem[REPORT_WHAT];
    char seed[32] = "";
    const char *environment = getenv("TERN_VECTORS");
    conformance run = {.filter = o->filter, .stop = interrupt_watch(), .sample = o->sample};
    run.seed = (uint64_t)o->common.seed;
    run.folder = o->vectors ? o->vectors : environment && *environment ? environment : NULL;
    int status = check_folder(v, run.folder);
    if (status == EXIT_OK) status = read_replay(v, o->replay, subject, sizeof subject, &run);
    if (status != EXIT_OK) return status;
    if (o->mutants) {
        mutants_options mutants = {o->mutants, o->common.device, run.folder, o->seconds,
                                   o->common.json};
        return mutants_run(v, &mutants, run.stop);
    }
    run.fail_fast = o->fail_fast;
    run.huge = o->huge;
    if (o->list) return list_cases(v, o, &run);
    if (o->common.seed != 0) snprintf(seed, sizeof seed, " --seed %" PRId64, o->common.seed);
    snprintf(replay, sizeof replay, "%s%s%s%s%s", seed, o->composed ? " --composed=" : "",
             o->composed ? o->composed : "", run.folder ? " --vectors " : "",
             run.folder ? run.folder : "");
    run.report = report_new(replay);
    if (!run.report) return work_failed(v, "out of memory");
    bool ran = watch(&run, o->seconds, test_device, o, problem);
    status = ran ? print(v, o, &run) : work_failed(v, "%s", problem);
    report_free(run.report);
    return status;
}

const verb verb_conformance = {
    .name = "conformance",
    .arguments = "--device D [--vectors DIR] [--composed[=FAMILY]]",
    .summary = "checks a device against PyTorch's results, forward and backward",
    .details = "Runs the cases of a folder of vectors, then property checks that need none: every "
               "operation\nagainst cpu_ref in every dtype it takes, with random shapes, layouts "
               "and edge values; gradients\nagainst cpu_ref and finite differences; in place, "
               "fused and composed, repeated and interleaved;\nbad indices, exhausted memory, "
               "queues, copies and optimizers. --seed draws other shapes and\nnumbers.\n\nA "
               "subject that Tern does not have is skipped, counted and listed. Every failure "
               "comes with a\ncommand that replays it. A case that crashes or takes too long "
               "counts as failed; the others\nstill run. Running no tests counts as a failure.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .options_size = sizeof(conformance_options),
    .run = run_verb,
};
