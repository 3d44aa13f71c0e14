/*
 * tern: the command. Finds the verb, reads its options by its table and runs it.
 *
 * Exit status 0 is success, 1 that the work failed, 2 wrong usage; never a signal: a reader that goes
 * away (a closed pipe) is a failed write like any other.
 */
#define _POSIX_C_SOURCE 200809L
#include "verbs.h"

#include "tern/context.h"
#include "tern/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const verb *const verbs[] = {
    &verb_devices,      &verb_doctor,  &verb_ops,      &verb_op,      &verb_conformance,
    &verb_train_linear, &verb_train,   &verb_evaluate, &verb_predict, &verb_plot,
    &verb_inspect,      &verb_convert, &verb_summary,  &verb_bench,   &verb_tune,
};

enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

static void print_verb_list(FILE *stream) {
    for (size_t i = 0; i < N_VERBS; i++)
        fprintf(stream, "  %-14s %s\n", verbs[i]->name, verbs[i]->summary);
}

static void print_overview(FILE *stream) {
    fprintf(stream,
            "usage: tern VERB [arguments] [options]\n\nTern %s: a portable deep-learning "
            "runtime.\n\nverbs:\n",
            TERN_VERSION);
    print_verb_list(stream);
    fprintf(stream, "\n`tern VERB --help` describes one, `tern --version` prints the version.\n");
}

/* True where `words` begin with the verb's name; *out_count is how many words that takes. */
static bool matches(const verb *v, int argc, char **argv, int *out_count) {
    char joined[64];
    if (argc >= 1 && strcmp(argv[0], v->name) == 0) {
        *out_count = 1;
        return true;
    }
    if (argc < 2) return false;
    snprintf(joined, sizeof joined, "%s %s", argv[0], argv[1]);
    *out_count = 2;
    return strcmp(joined, v->name) == 0;
}

static bool is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int unknown_verb(char **argv) {
    const char *names[N_VERBS];
    for (size_t i = 0; i < N_VERBS; i++) names[i] = verbs[i]->name;
    const char *nearest = nearest_word(argv[0], names, N_VERBS);
    if (nearest) return wrong_usage(NULL, "no verb '%s'; did you mean '%s'?", argv[0], nearest);
    return wrong_usage(NULL, "no verb '%s'; `tern --help` lists them", argv[0]);
}

static int run_verb(const verb *v, int argc, char **argv) {
    void *options = tern_alloc(v->options_size);
    if (!options) return work_failed(v, "out of memory");
    int status = options_parse(v, argc, argv, options);
    if (status == EXIT_OK && ((common_options *)options)->help)
        options_print_help(v);
    else if (status == EXIT_OK)
        status = v->run(v, options);
    tern_free(options);
    return status;
}

static int dispatch(int argc, char **argv) {
    if (argc < 1) {
        print_overview(stderr);
        return EXIT_WRONG_USAGE;
    }
    if (is_help(argv[0]) || strcmp(argv[0], "help") == 0) {
        print_overview(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("tern %s\n", TERN_VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < N_VERBS; i++) {
        int words;
        if (matches(verbs[i], argc, argv, &words))
            return run_verb(verbs[i], argc - words, argv + words);
    }
    return unknown_verb(argv);
}

static void show_warning(void *user, tern_log_level level, const char *message) {
    (void)user;
    if (level == TERN_LOG_WARNING) fprintf(stderr, "tern: warning: %s\n", message);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    tern_on_log(show_warning, NULL);
    int status = dispatch(argc - 1, argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "tern %s: cannot write the output: %s\n", argc > 1 ? argv[1] : "",
                strerror(errno));
        if (status == EXIT_OK) status = EXIT_WORK_FAILED;
    }
    return status;
}
