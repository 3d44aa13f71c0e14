/* tern tune: lets a device measure how it divides its products, and keeps what was fastest. */
#define _POSIX_C_SOURCE 200809L
#include "json_out.h"
#include "verbs.h"

#include "tern/ops.h"
#include "tern/tern.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, ROUNDS = 3 };

typedef struct tune_options {
    common_options common;
} tune_options;

/* A product of two square matrices, and how fast it is by the table that comes with the device and by what was
 * kept: GF/s, 0 where it cannot be. */
typedef struct product {
    tern_dtype dtype;
    int64_t size;
    double untuned, tuned;
} product;

/* One of each size of results and width of number that a device tells apart. */
static const product all[] = {
    {TERN_FLOAT32, 96, 0, 0}, {TERN_FLOAT32, 384, 0, 0}, {TERN_FLOAT32, 1024, 0, 0},
    {TERN_FLOAT64, 96, 0, 0}, {TERN_FLOAT64, 384, 0, 0}, {TERN_FLOAT64, 1024, 0, 0},
};
enum { PRODUCTS = sizeof all / sizeof all[0] };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* GF/s of the fastest of some runs; 0 on a device that lacks the dtype. */
static double rate_of(tern_ctx *ctx, const product *p) {
    double least = 0, n = (double)p->size;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *a = tern_rand(ctx, TERN_SHAPE(p->size, p->size), NULL);
    a = tern_to_dtype(a, p->dtype);
    for (int run = 0; run <= RUNS && tern_check(ctx) == TERN_OK; run++) {
        double start = now();
        tern_mm(a, a);
        tern_synchronize(ctx);
        double took = now() - start;
        if (run == 1 || (run > 1 && took < least)) least = took;
    }
    bool failed = tern_check(ctx) == TERN_ERR_UNSUPPORTED;
    if (failed) tern_error_clear(ctx);
    tern_scope_end(scope);
    return failed || least <= 0 ? 0 : 2 * n * n * n / least * 1e-9;
}

/* Runs all products on a device, which looks at TERN_TUNE when it is opened; the fastest runs are kept. */
static int run_all(const verb *v, const tune_options *o, const char *mode, product *products) {
    if (mode)
        setenv("TERN_TUNE", mode, 1);
    else
        unsetenv("TERN_TUNE");
    tern_ctx *ctx = tern_open(o->common.device);
    for (int k = 0; k < PRODUCTS && tern_check(ctx) == TERN_OK; k++) {
        double rate = rate_of(ctx, &products[k]);
        double *fastest = mode ? &products[k].untuned : &products[k].tuned;
        if (rate > *fastest) *fastest = rate;
    }
    int status = EXIT_OK;
    if (tern_check(ctx) != TERN_OK) status = work_failed(v, "%s", tern_error(ctx));
    tern_close(ctx);
    return status;
}

static void print(const product *products, bool as_json) {
    json_out j = {0};
    if (as_json) {
        j = json_out_begin(stdout);
        json_out_array(&j, NULL);
    }
    for (int k = 0; k < PRODUCTS; k++) {
        const product *p = &products[k];
        if (p->tuned <= 0) continue;
        if (!as_json) {
            printf("%s %4d x %-4d %8.2f GF/s, untuned %.2f\n", tern_dtype_name(p->dtype),
                   (int)p->size, (int)p->size, p->tuned, p->untuned);
            continue;
        }
        json_out_object(&j, NULL);
        json_out_text(&j, "dtype", tern_dtype_name(p->dtype));
        json_out_int(&j, "size", p->size);
        json_out_number(&j, "untuned", p->untuned);
        json_out_number(&j, "tuned", p->tuned);
        json_out_end(&j);
    }
    if (!as_json) return;
    json_out_end(&j);
    json_out_finish(&j);
}

static int run(const verb *v, void *options) {
    const tune_options *o = options;
    product products[PRODUCTS], unused[PRODUCTS];
    for (int k = 0; k < PRODUCTS; k++) products[k] = unused[k] = all[k];
    int status = run_all(v, o, "1", unused);
    /* in turn, so that what else the machine does is not taken for a difference */
    for (int round = 0; round < ROUNDS && status == EXIT_OK; round++) {
        status = run_all(v, o, "0", products);
        if (status == EXIT_OK) status = run_all(v, o, NULL, products);
    }
    unsetenv("TERN_TUNE");
    if (status == EXIT_OK) print(products, o->common.json);
    return status;
}

const verb verb_tune = {
    .name = "tune",
    .arguments = "",
    .summary = "measures how a device divides its products, and keeps what is fastest",
    .details =
        "A device of a GPU divides products and convolutions by a table for its kind. This tries "
        "other\n"
        "ways on the device at hand and keeps the fastest beside the compiled kernels\n"
        "(TERN_CACHE_DIR), from where later programs take it. Results do not change. Nothing is\n"
        "searched otherwise; a device without such a table stays as it is.",
    .options_size = sizeof(tune_options),
    .run = run,
};
