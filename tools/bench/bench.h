/*
 * bench.h: the cases of `tern bench`, in groups of one file each.
 *
 * A case prepares what it works on, and names the function whose calls are timed; or it measures by
 * itself. What one call does is told as `work`, so that the same row gives a time (seconds for a unit
 * of work) or a rate (work a second), as its unit says. bench/peers.py has the same cases for PyTorch:
 * who changes one changes both.
 */
#ifndef TERN_TOOLS_BENCH_H
#define TERN_TOOLS_BENCH_H

#include "tern/data.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"
#include "tern/replay.h"

typedef enum bench_unit {
    BENCH_NS,
    BENCH_US,
    BENCH_MS,
    BENCH_MIB,
    BENCH_GFLOPS,
    BENCH_GBYTES,
    BENCH_MILLIONS,
    BENCH_SAMPLES,
    BENCH_TOKENS
} bench_unit;

/* What holds for all cases of a run. */
typedef struct bench_session {
    tern_ctx *ctx;
    tern_owner *owner;   /* of what outlives a case */
    const char *fashion; /* the folder of Fashion-MNIST */
    tern_tensor *images, *labels;
    double budget; /* seconds a case is measured; 0 calls it once */
    int threads;
    bool failed; /* a case ended in an error */
    const volatile int *stop;
} bench_session;

enum { BENCH_SIZES = 8, BENCH_INPUTS = 2, BENCH_RESULTS = 2 };

/* What the case at hand works on, in the case's scope; each uses the members that it needs. */
typedef struct bench_subject {
    tern_ctx *ctx;
    bench_session *session;
    const int64_t *size; /* the case's numbers */
    const char *text;    /* the case's text */
    double work;         /* what one call does: flops, bytes, samples; 1 unless prepare says so */
    char missing[256];   /* why the case cannot run here; "" where it can */
    tern_tensor *a, *b, *c, *target, *gradient;
    tern_module *model;
    tern_optim *optim;
    tern_loader *loader;
    tern_operation operation;
    void *more;
    int64_t step, batch;
    tern_tensor
        *results[BENCH_RESULTS]; /* what a call is asked for: a replay computes nothing else */
    tern_owner *owner;           /* of the replay */
    tern_replay *replay;
} bench_subject;

enum {
    BENCH_INFERENCE = 1u, /* timed in inference mode */
    BENCH_MACHINE = 2u,   /* measures the machine, not Tern */
    BENCH_REPLAYED = 4u   /* `once` is captured in its second call, and replayed from then on */
};

typedef struct bench_case {
    const char *name;
    bench_unit unit;
    void (*prepare)(bench_subject *s);                   /* NULL: nothing to prepare */
    void (*once)(bench_subject *s);                      /* is timed */
    size_t (*feed)(bench_subject *s, tern_tensor **out); /* before it: what differs between calls */
    double (*value)(bench_subject *s); /* instead of `once`: gives the value itself */
    int64_t size[BENCH_SIZES];
    const char *text;
    unsigned flags;
    int budgets; /* how many budgets it takes; 0 is one */
} bench_case;

typedef struct bench_group {
    const char *name;
    const bench_case *cases;
    size_t count;
} bench_group;

#define BENCH_GROUP(group_name, table)                                                             \
    { group_name, table, sizeof(table) / sizeof(table)[0] }

extern const bench_group bench_roofline, bench_startup, bench_seed_loop, bench_overhead, bench_gemm,
    bench_bandwidth, bench_conv, bench_train_images, bench_gpt, bench_optim, bench_rnn, bench_infer,
    bench_files, bench_loader, bench_linalg;

/* ---- for the cases --------------------------------------------------------------------------- */

/* Says why the case cannot run here. */
void bench_lacks(bench_subject *s, const char *format, ...) TERN_PRINTF(2, 3);

/* The images of the training part as float32 [60000, 1, 28, 28] within [0, 1] and their labels, in the
 * session; false where the package is not installed. */
bool bench_fashion(bench_subject *s);

/* A folder for files, which goes with the case's scope; NULL after latching an error. */
const char *bench_folder(bench_subject *s);

/* ---- for the runner -------------------------------------------------------------------------- */

const char *bench_unit_name(bench_unit unit);
bool bench_less_is_better(bench_unit unit);

/* The case's value in its unit, for seconds a call. */
double bench_value(bench_unit unit, double seconds, double work);

/* Seconds of one call: the median over runs of at least 10 ms each, the device's work included. */
double bench_seconds(const bench_case *c, bench_subject *s);

#endif
