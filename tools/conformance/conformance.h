/*
 * conformance.h: what the parts of `tern conformance` share: a run, a case, and checks that fill the
 * report. A part (conformance_ops.c, ...) says which subjects Tern has and runs one case; files, scopes,
 * errors and counting are done here.
 */
#ifndef TERN_TOOLS_CONFORMANCE_H
#define TERN_TOOLS_CONFORMANCE_H

#include "compare.h"
#include "report.h"

#include "tern/context.h"

typedef struct conformance {
    tern_ctx *ctx;
    report *report;
    const char *folder;  /* of the vectors; NULL where there are none */
    const char *filter;  /* patterns for subjects, by commas; NULL is all */
    const char *subject; /* with case_id: only this case */
    const char *case_id;
    const char *now;          /* the subject whose cases run */
    int64_t next;             /* the number of the case that comes, counted over the run */
    int64_t first;            /* where this process begins: those before have run in another */
    const char *given_up;     /* a subject whose further cases are not tried; NULL is none */
    bool listing;             /* cases are printed by name and not run */
    bool huge;                /* with tensors beyond 2^31 elements */
    bool fail_fast;           /* end at the first failure */
    const volatile int *stop; /* not zero: end soon */
    uint64_t seed;            /* of the property checks */
    int64_t sample;           /* of them one in so many is run */
} conformance;

typedef struct test_case {
    conformance *run;
    const vectors_file *file; /* NULL for schedulers and property checks */
    tern_value json;          /* the case's dict */
    char id[REPORT_NAME];
    bool failed;
    char what[400];
    const char *skip; /* the reason why it cannot run */
} test_case;

/* Reasons: a subject that Tern does not have; one whose cases crashed or hung several times. */
#define NOT_IMPLEMENTED "not implemented"
#define GIVEN_UP        "given up after cases that crashed or hung"

typedef struct suite {
    const char *folder; /* under the vectors: "ops"; NULL where it is one file */
    const char *file;   /* "init.safetensors" */
    /* Whether Tern has a subject by PyTorch's name; NULL: each case decides. */
    bool (*has)(tern_ctx *ctx, const char *name);
    /* Why it does not, where that is by intent; NULL: NOT_IMPLEMENTED. */
    const char *(*reason)(const char *name);
    void (*run)(test_case *t);
} suite;

extern const suite suite_ops;
extern const suite suite_random;
extern const suite suite_init;
extern const suite suite_optim;
extern const suite suite_modules;
extern const suite suite_training;

/* These two have no vectors of this form. */
void run_schedulers(conformance *run);
void run_properties(conformance *run);

/* True where the subject is to run; then it is the report's subject from now on. */
bool conformance_begin(conformance *run, const char *subject);

/* Counts cases of the subject as skipped; a file of cases that cannot be read, by the context's error,
 * as failed. */
void conformance_skip(conformance *run, const char *reason, int64_t cases);
void conformance_fail_file(conformance *run);

/* Runs one case in a scope of its own and counts it. */
void conformance_case(conformance *run, const vectors_file *file, tern_value json, const char *id,
                      void (*fn)(test_case *t, void *user), void *user);

/* Fails the case; the first failure is kept. */
void case_fail(test_case *t, const char *format, ...) TERN_PRINTF(2, 3);

/* Compares a result with the tensor that `reference` (a text "@...") names and fails the case where they
 * differ. `label` tells which result it is ("out0"); the case's error of that label is PyTorch's. */
void case_check(test_case *t, const char *label, tern_value result, tern_value reference,
                tern_dtype dtype, const tolerance *limit);

/* The same bit for bit. */
void case_check_bits(test_case *t, const char *label, tern_value result, tern_value reference);

/* PyTorch's own error of a label, 0 where the case has none. */
double case_error(const test_case *t, const char *label);

/* Calls an initialiser by PyTorch's name; one that Tern does not have makes the case a skipped one. */
tern_value case_initialise(test_case *t, const char *name, tern_tensor *tensor, tern_value args);

/* The case's dtype as "torch.float32" or "float32"; TERN_DTYPE_DEFAULT for none. */
tern_dtype dtype_of_text(tern_value text);

/* A list of integers as a shape; false where it is none. */
bool shape_of_list(tern_value list, tern_shape *out_shape);

/* A split, sampler or loader as the vectors call it: its indices as one int64 tensor. False where the
 * call is none of these. */
bool case_call_data(tern_ctx *ctx, const char *name, tern_value args, tern_value *out_result);

#endif
