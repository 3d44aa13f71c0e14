/* tern bench: measurements by the names that other libraries are measured by. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include "json_out.h"
#include "training/interrupt.h"
#include "training/run_data.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CASES = 160, MOST_THREADS = 1024 };

typedef struct bench_options {
    common_options common;
    const char *only, *fashion;
    int64_t threads;
    double budget;
    bool roofline, list;
} bench_options;

#define AT(field) offsetof(bench_options, field)

static const option table[] = {
    {"only", OPTION_TEXT, "CASES", NULL, "names or groups of cases, separated by commas", AT(only),
     0, 0, false},
    {"threads", OPTION_INT, "N", "1", "size of the thread pool (as TERN_NUM_THREADS)", AT(threads),
     1, MOST_THREADS, false},
    {"budget", OPTION_NUMBER, "S", "1", "seconds per case; 0 calls each case once", AT(budget), 0,
     0, false},
    {"roofline", OPTION_FLAG, NULL, NULL, "also measure the machine's peak rates", AT(roofline), 0,
     0, false},
    {"fashion", OPTION_TEXT, "DIR", FASHION_MNIST_FOLDER, "the folder of Fashion-MNIST",
     AT(fashion), 0, 0, false},
    {"list", OPTION_FLAG, NULL, NULL, "list groups and cases, measure nothing", AT(list), 0, 0,
     false},
};

/* ---- the cases ------------------------------------------------------------------------------- */

/* In the order in which they run: the machine's limits, then what must begin early (startup.c). */
static const bench_group *const groups[] = {
    &bench_roofline,  &bench_startup, &bench_seed_loop, &bench_overhead,     &bench_gemm,
    &bench_bandwidth, &bench_linalg,  &bench_conv,      &bench_train_images, &bench_gpt,
    &bench_optim,     &bench_rnn,     &bench_infer,     &bench_files,        &bench_loader,
};

enum { N_GROUPS = sizeof groups / sizeof groups[0] };

typedef struct chosen_case {
    const bench_case *bench;
    const bench_group *group;
    bool chosen;
} chosen_case;

typedef struct case_list {
    chosen_case items[MOST_CASES];
    size_t count;
} case_list;

static void list_all(case_list *list) {
    list->count = 0;
    for (size_t g = 0; g < N_GROUPS; g++)
        for (size_t i = 0; i < groups[g]->count && list->count < MOST_CASES; i++)
            list->items[list->count++] = (chosen_case){&groups[g]->cases[i], groups[g], false};
}

/* Marks the cases of one word; false where it names none. */
static bool choose(const char *word, case_list *list) {
    bool found = false;
    for (size_t i = 0; i < list->count; i++) {
        chosen_case *item = &list->items[i];
        if (strcmp(word, item->group->name) == 0 || strcmp(word, item->bench->name) == 0)
            found = item->chosen = true;
    }
    return found;
}

static int unknown_case(const verb *v, const char *word, const case_list *list) {
    const char *names[MOST_CASES + N_GROUPS];
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) names[count++] = list->items[i].bench->name;
    for (size_t g = 0; g < N_GROUPS; g++) names[count++] = groups[g]->name;
    const char *nearest = nearest_word(word, names, count);
    return wrong_usage(v, "--only: no case '%s'%s%s%s", word, nearest ? "; did you mean '" : "",
                       nearest ? nearest : "", nearest ? "'?" : "");
}

static int choose_all(const verb *v, const bench_options *o, case_list *list) {
    const char *only = o->only;
    char word[64];
    list_all(list);
    for (size_t i = 0; i < list->count; i++) {
        bool machine = list->items[i].bench->flags & BENCH_MACHINE;
        list->items[i].chosen = machine ? o->roofline : !only;
    }
    while (only && *only) {
        size_t length = strcspn(only, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, only);
        only += length + (only[length] == ',');
        if (!choose(word, list)) return unknown_case(v, word, list);
    }
    return EXIT_OK;
}

static void print_list(const case_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].chosen)
            printf("%-14s %-30s %s\n", list->items[i].group->name, list->items[i].bench->name,
                   bench_unit_name(list->items[i].bench->unit));
}

/* ---- measuring ------------------------------------------------------------------------------- */

static void print_result(const bench_case *c, const bench_options *o, const tern_ctx *ctx,
                         double value) {
    char peer[128];
    if (!o->common.json) {
        printf("%-30s %12.6g %s\n", c->name, value, bench_unit_name(c->unit));
    } else {
        json_out j = json_out_begin(stdout);
        snprintf(peer, sizeof peer, "tern %s", tern_device_name(ctx));
        json_out_object(&j, NULL);
        json_out_text(&j, "case", c->name);
        json_out_text(&j, "peer", c->flags & BENCH_MACHINE ? "machine" : peer);
        json_out_int(&j, "threads", o->threads);
        json_out_number(&j, "value", value);
        json_out_text(&j, "unit", bench_unit_name(c->unit));
        json_out_text(&j, "better", bench_less_is_better(c->unit) ? "less" : "more");
        json_out_end(&j);
        json_out_finish(&j);
    }
    fflush(stdout);
}

/* The case's value in its unit, after `prepare`. */
static double value_of(const bench_case *c, bench_subject *s) {
    if (c->value) return c->value(s);
    tern_scope mode = tern_scope_begin(s->ctx, c->flags & BENCH_INFERENCE ? TERN_INFERENCE : 0);
    double seconds = bench_seconds(c, s);
    tern_scope_end(mode);
    return bench_value(c->unit, seconds, s->work);
}

/* Why a case has no result goes to standard error, and the others go on. What the device cannot do is no
 * failure; any other error is. */
static void tell_missing(const verb *v, const bench_case *c, bench_subject *s) {
    tern_status status = tern_check(s->ctx);
    if (status != TERN_OK) bench_lacks(s, "%s", tern_error(s->ctx));
    if (status != TERN_OK && status != TERN_ERR_UNSUPPORTED) s->session->failed = true;
    tern_error_clear(s->ctx);
    fprintf(stderr, "tern %s: missing %s: %s\n", v->name, c->name, s->missing);
}

static void measure(const verb *v, const bench_case *c, const bench_options *o,
                    bench_session *session) {
    tern_ctx *ctx = session->ctx;
    tern_scope scope = tern_scope_begin(ctx, 0);
    bench_subject s = {.ctx = ctx, .session = session, .size = c->size, .text = c->text, .work = 1};
    double value = 0;
    tern_manual_seed(ctx, o->common.seed);
    if (c->prepare) c->prepare(&s);
    if (!s.missing[0] && tern_check(ctx) == TERN_OK) value = value_of(c, &s);
    if (s.missing[0] || tern_check(ctx) != TERN_OK)
        tell_missing(v, c, &s);
    else if (!*session->stop)
        print_result(c, o, ctx, value);
    tern_scope_end(scope);
    tern_empty_cache(ctx);
}

/* The number of threads holds for the process, since devices read it when a context opens. */
static void set_threads(int64_t threads) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, threads);
    setenv("TERN_NUM_THREADS", text, 1);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int run_cases(const verb *v, const bench_options *o, const case_list *list) {
    bench_session session = {.fashion = o->fashion,
                             .budget = o->budget,
                             .threads = (int)o->threads,
                             .stop = interrupt_watch()};
    set_threads(o->threads);
    session.ctx = tern_open(o->common.device);
    session.owner = tern_owner_new(session.ctx);
    int status = EXIT_OK;
    if (tern_check(session.ctx) != TERN_OK) status = work_failed(v, "%s", tern_error(session.ctx));
    for (size_t i = 0; i < list->count && !*session.stop && status == EXIT_OK; i++)
        if (list->items[i].chosen) measure(v, list->items[i].bench, o, &session);
    tern_close(session.ctx);
    if (status == EXIT_OK && *session.stop) return work_failed(v, "interrupted");
    return session.failed ? EXIT_WORK_FAILED : status;
}

static int run(const verb *v, void *options) {
    const bench_options *o = options;
    case_list list;
    int status = choose_all(v, o, &list);
    if (status != EXIT_OK) return status;
    if (o->budget < 0) return wrong_usage(v, "--budget is %g, but must not be below 0", o->budget);
    if (!o->list) return run_cases(v, o, &list);
    print_list(&list);
    return EXIT_OK;
}

const verb verb_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "measures operations, training and inference on a device",
    .details =
        "Each result is the median of repeated runs, including the device's work; --list lists the "
        "cases by\ngroup. A case that cannot run is reported as missing on standard error, with "
        "the reason.\nbench/compare in the source tree compares the results with PyTorch's.",
    .seed = "42",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .options_size = sizeof(bench_options),
    .run = run,
};
