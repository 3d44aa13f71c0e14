/*
 * options.h: a verb's options as one table, which drives parsing, --help and error messages.
 *
 * A verb keeps its options in a struct of its own that begins with a common_options; each row of its
 * table says where in that struct the value lies. The rows that all verbs share (--device, --json,
 * --seed, --quiet, --help) need not be named. Both `--name value` and `--name=value` are read; `--`
 * ends the options. `-o` is short for --out.
 */
#ifndef TERN_TOOLS_OPTIONS_H
#define TERN_TOOLS_OPTIONS_H

#include "tern/base.h"

/* Exit statuses of the command. */
enum { EXIT_OK = 0, EXIT_WORK_FAILED = 1, EXIT_WRONG_USAGE = 2 };

typedef enum option_type {
    OPTION_FLAG,  /* bool */
    OPTION_TEXT,  /* const char * */
    OPTION_LIST,  /* const char *: --name=LIST, or --name alone, which stands for its fallback */
    OPTION_INT,   /* int64_t within [least, most] */
    OPTION_NUMBER /* double, finite */
} option_type;

typedef struct option {
    const char *name; /* without the dashes */
    option_type type;
    const char *value;    /* what --help calls it: "N", "FILE"; NULL for a flag */
    const char *fallback; /* the default as text; NULL where there is none */
    const char *help;
    size_t offset; /* in the verb's struct */
    int64_t least, most;
    bool required;
} option;

#define SEED_NOT_GIVEN INT64_MIN

typedef struct common_options {
    const char *device; /* NULL: TERN_DEVICE, else auto */
    int64_t seed;
    bool json;
    bool quiet;
    bool help;
    const char *positional[2];
    int n_positional;
} common_options;

typedef struct verb {
    const char *name;      /* "train linear" */
    const char *arguments; /* of the usage line: "NAME --args JSON" */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs for --help, or "" */
    const char *seed;      /* the default of --seed; NULL: SEED_NOT_GIVEN */
    const option *options;
    size_t n_options;
    int least_positional, most_positional;
    size_t options_size;
    int (*run)(const struct verb *verb, void *options); /* an exit status */
} verb;

/* Fills `out_options` (of verb->options_size) from the words after the verb. On a mistake prints one
 * line and returns EXIT_WRONG_USAGE. */
int options_parse(const verb *v, int argc, char **argv, void *out_options);

/* Prints the text of `tern VERB --help` on standard output. */
void options_print_help(const verb *v);

/* "tern VERB: message" on standard error. Return EXIT_WORK_FAILED and EXIT_WRONG_USAGE. */
int work_failed(const verb *v, const char *format, ...) TERN_PRINTF(2, 3);
int wrong_usage(const verb *v, const char *format, ...) TERN_PRINTF(2, 3);

/* The candidate that is most like `word`, or NULL where none is near: for "did you mean". */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
