/*
 * mutants.h: the suite on devices that are known to be wrong. A device whose description begins with
 * "defect NAME: " has that defect; the suite must fail on it.
 */
#ifndef TERN_TOOLS_MUTANTS_H
#define TERN_TOOLS_MUTANTS_H

#include "verbs.h"

typedef struct mutants_options {
    const char *names;   /* of defects, separated by commas, or "all" */
    const char *plugin;  /* only devices of this plugin; NULL is all */
    const char *vectors; /* NULL: none */
    int64_t seconds;     /* the limit of a case */
    bool json;
} mutants_options;

/* Runs `tern conformance --fail-fast` on each of these devices, as many at once as there are CPUs, and
 * prints what caught each. An exit status: EXIT_OK where at least 95 of 100 are caught. */
int mutants_run(const verb *v, const mutants_options *options, const volatile int *stop);

#endif
