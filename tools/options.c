#define _POSIX_C_SOURCE 200809L
#include "options.h"

#include "tern/schema.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMON(field) offsetof(common_options, field)

static const option common[] = {
    {"device", OPTION_TEXT, "D", NULL, "the device (else TERN_DEVICE, else auto)", COMMON(device),
     0, 0, false},
    {"json", OPTION_FLAG, NULL, NULL, "print JSON on standard output", COMMON(json), 0, 0, false},
    {"seed", OPTION_INT, "N", NULL, "seed of the random numbers", COMMON(seed), INT64_MIN,
     INT64_MAX, false},
    {"quiet", OPTION_FLAG, NULL, NULL, "print only results", COMMON(quiet), 0, 0, false},
    {"help", OPTION_FLAG, NULL, NULL, "print this text", COMMON(help), 0, 0, false},
};

enum { N_COMMON = sizeof common / sizeof common[0], MOST_OPTIONS = 32, WORD_LIMIT = 64 };

static const char *default_text(const verb *v, const option *o) {
    if (o->type == OPTION_LIST) return NULL; /* its fallback is for when it is there */
    return strcmp(o->name, "seed") == 0 ? v->seed : o->fallback;
}

static const option *option_at(const verb *v, size_t index) {
    return index < v->n_options ? &v->options[index] : &common[index - v->n_options];
}

/* ---- messages -------------------------------------------------------------------------------- */

static void message(const verb *v, const char *format, va_list arguments) {
    if (v)
        fprintf(stderr, "tern %s: ", v->name);
    else
        fputs("tern: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int work_failed(const verb *v, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message(v, format, arguments);
    va_end(arguments);
    return EXIT_WORK_FAILED;
}

int wrong_usage(const verb *v, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message(v, format, arguments);
    va_end(arguments);
    return EXIT_WRONG_USAGE;
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count) {
    tern_nearest nearest = tern_nearest_begin(word);
    for (size_t i = 0; i < count; i++)
        tern_nearest_try(&nearest, candidates[i], strlen(candidates[i]));
    return nearest.name;
}

static int unknown_option(const verb *v, const char *name) {
    const char *names[MOST_OPTIONS];
    size_t count = v->n_options + N_COMMON;
    for (size_t i = 0; i < count; i++) names[i] = option_at(v, i)->name;
    const char *nearest = nearest_word(name, names, count);
    if (nearest) return wrong_usage(v, "no option --%s; did you mean --%s?", name, nearest);
    return wrong_usage(v, "no option --%s; `tern %s --help` lists them", name, v->name);
}

/* ---- values ---------------------------------------------------------------------------------- */

static int store_int(const verb *v, const option *o, const char *text, void *place) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return wrong_usage(v, "--%s needs a whole number, not '%s'", o->name, text);
    if (number < o->least || number > o->most)
        return wrong_usage(v, "--%s is %lld, but must be from %lld to %lld", o->name, number,
                           (long long)o->least, (long long)o->most);
    int64_t value = number;
    memcpy(place, &value, sizeof value);
    return EXIT_OK;
}

static int store_number(const verb *v, const option *o, const char *text, void *place) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number))
        return wrong_usage(v, "--%s needs a finite number, not '%s'", o->name, text);
    memcpy(place, &number, sizeof number);
    return EXIT_OK;
}

static int store(const verb *v, const option *o, const char *text, void *options) {
    void *place = (char *)options + o->offset;
    bool yes = true;
    switch (o->type) {
    case OPTION_FLAG: memcpy(place, &yes, sizeof yes); return EXIT_OK;
    case OPTION_LIST:
    case OPTION_TEXT: memcpy(place, &text, sizeof text); return EXIT_OK;
    case OPTION_INT: return store_int(v, o, text, place);
    case OPTION_NUMBER: return store_number(v, o, text, place);
    }
    return EXIT_WRONG_USAGE;
}

/* ---- parsing --------------------------------------------------------------------------------- */

/* Reads the option at argv[*index] and moves the index to its last word. */
static int parse_option(const verb *v, int argc, char **argv, int *index, void *options,
                        bool *given) {
    char name[WORD_LIMIT];
    const char *word = strcmp(argv[*index], "-o") == 0 ? "out" : argv[*index] + 2;
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    if (length >= sizeof name) length = sizeof name - 1;
    memcpy(name, word, length);
    name[length] = 0;

    for (size_t i = 0; i < v->n_options + N_COMMON; i++) {
        const option *o = option_at(v, i);
        if (strcmp(name, o->name) != 0) continue;
        given[i] = true;
        if (o->type == OPTION_FLAG)
            return equals ? wrong_usage(v, "--%s takes no value", o->name)
                          : store(v, o, NULL, options);
        if (equals) return store(v, o, equals + 1, options);
        if (o->type == OPTION_LIST) return store(v, o, o->fallback, options);
        if (*index + 1 >= argc) return wrong_usage(v, "--%s needs a value: %s", o->name, o->value);
        *index += 1;
        return store(v, o, argv[*index], options);
    }
    return unknown_option(v, name);
}

static int set_defaults(const verb *v, void *options) {
    memset(options, 0, v->options_size);
    ((common_options *)options)->seed = SEED_NOT_GIVEN;
    for (size_t i = 0; i < v->n_options + N_COMMON; i++) {
        const option *o = option_at(v, i);
        const char *text = default_text(v, o);
        int status = text ? store(v, o, text, options) : EXIT_OK;
        if (status != EXIT_OK) return status;
    }
    return EXIT_OK;
}

static int check_complete(const verb *v, const common_options *c, const bool *given) {
    if (c->help) return EXIT_OK;
    if (c->n_positional < v->least_positional)
        return wrong_usage(v, "an argument is missing; usage: tern %s %s", v->name, v->arguments);
    for (size_t i = 0; i < v->n_options; i++)
        if (v->options[i].required && !given[i])
            return wrong_usage(v, "--%s %s is missing; usage: tern %s %s", v->options[i].name,
                               v->options[i].value, v->name, v->arguments);
    return EXIT_OK;
}

int options_parse(const verb *v, int argc, char **argv, void *out_options) {
    bool given[MOST_OPTIONS] = {false};
    bool options_end = false;
    common_options *c = out_options;
    int status = set_defaults(v, out_options);
    for (int i = 0; i < argc && status == EXIT_OK; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strcmp(argv[i], "-h") == 0) {
            c->help = true;
        } else if (!options_end && (strncmp(argv[i], "--", 2) == 0 || strcmp(argv[i], "-o") == 0)) {
            status = parse_option(v, argc, argv, &i, out_options, given);
        } else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
            status = wrong_usage(v, "no option %s; options begin with two dashes", argv[i]);
        } else if (c->n_positional < v->most_positional) {
            c->positional[c->n_positional++] = argv[i];
        } else {
            status = wrong_usage(v, "'%s' is one argument too many; usage: tern %s %s", argv[i],
                                 v->name, v->arguments);
        }
    }
    return status == EXIT_OK ? check_complete(v, c, given) : status;
}

/* ---- help ------------------------------------------------------------------------------------ */

void options_print_help(const verb *v) {
    printf("usage: tern %s %s%s[options]\n\n%s\n", v->name, v->arguments, *v->arguments ? " " : "",
           v->summary);
    if (*v->details) printf("\n%s\n", v->details);
    printf("\noptions:\n");
    for (size_t i = 0; i < v->n_options + N_COMMON; i++) {
        const option *o = option_at(v, i);
        const char *fallback = default_text(v, o);
        char left[WORD_LIMIT];
        bool list = o->type == OPTION_LIST;
        snprintf(left, sizeof left, "--%s%s%s%s%s", o->name,
                 strcmp(o->name, "out") == 0 ? ", -o" : "",
                 list       ? "[="
                 : o->value ? " "
                            : "",
                 o->value ? o->value : "", list ? "]" : "");
        printf("  %-20s %s", left, o->help);
        if (fallback) printf(" (default %s)", fallback);
        putchar('\n');
    }
    printf("\nexit status: 0 success, 1 the work failed, 2 wrong usage\n");
}
