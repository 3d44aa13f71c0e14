/* tern bench: small measurements by the names that other libraries are measured by. */
#define _POSIX_C_SOURCE 200809L
#include "json_out.h"
#include "training/interrupt.h"
#include "verbs.h"

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_RUNS = 256, LEAST_RUNS = 3 };

typedef struct bench_options {
    common_options common;
    const char *only;
    int64_t threads;
    double budget;
} bench_options;

static const option table[] = {
    {"only", OPTION_TEXT, "CASES", NULL, "names or groups of cases, separated by commas",
     offsetof(bench_options, only), 0, 0, false},
    {"threads", OPTION_INT, "N", "1", "threads of the device; there is one so far",
     offsetof(bench_options, threads), 1, 1, false},
    {"budget", OPTION_NUMBER, "S", "1", "seconds a case is measured",
     offsetof(bench_options, budget), 0, 0, false},
};

/* ---- what is measured ------------------------------------------------------------------------ */

/* Tensors and modules of the case at hand; they live in the case's scope. */
typedef struct subject {
    tern_ctx *ctx;
    tern_tensor *a, *b, *target, *test_target;
    tern_module *model;
    tern_optim *optim;
} subject;

typedef struct bench_case {
    const char *group, *name;
    int64_t size;
    void (*prepare)(subject *s, int64_t size);
    void (*once)(subject *s);
    double (*value)(double seconds, int64_t size); /* in `unit` */
    const char *unit;
    bool less_is_better;
} bench_case;

static void prepare_line(subject *s, int64_t size) {
    (void)size;
    s->a = tern_unsqueeze(tern_arange(s->ctx, 0, 0.8, 0.02), 1);
    s->target = tern_add_scalar(tern_mul_scalar(s->a, 0.7), 0.3);
    s->b = tern_unsqueeze(tern_arange(s->ctx, 0.8, 1, 0.02), 1);
    s->test_target = tern_add_scalar(tern_mul_scalar(s->b, 0.7), 0.3);
    s->model = tern_nn(s->ctx, "Linear(1, 1)");
    s->optim = s->model ? tern_optim_new(s->model, "SGD(lr=0.01)") : NULL;
}

/* The tutorial's loop: one step of training, then the loss on the points kept for the test. */
static void run_line_epoch(subject *s) {
    tern_module_train(s->model, true);
    tern_tensor *loss = tern_l1_loss(tern_forward(s->model, s->a), s->target, TERN_MEAN);
    tern_optim_zero_grad(s->optim);
    tern_backward(loss);
    tern_optim_step(s->optim);
    tern_module_eval(s->model);
    tern_scope inference = tern_scope_begin(s->ctx, TERN_INFERENCE);
    tern_l1_loss(tern_forward(s->model, s->b), s->test_target, TERN_MEAN);
    tern_scope_end(inference);
}

static void prepare_pair(subject *s, int64_t size) {
    s->a = tern_ones(s->ctx, TERN_SHAPE(size), TERN_FLOAT32);
    s->b = tern_ones(s->ctx, TERN_SHAPE(size), TERN_FLOAT32);
}

static void run_add(subject *s) {
    tern_add(s->a, s->b);
}

static void prepare_recorded_pair(subject *s, int64_t size) {
    prepare_pair(s, size);
    tern_requires_grad(s->a, true);
}

static void run_add_scalar(subject *s) {
    tern_add_scalar(s->a, 0.5);
}

static void prepare_chain(subject *s, int64_t size) {
    (void)size;
    s->a = tern_ones(s->ctx, TERN_SHAPE(1), TERN_FLOAT32);
    s->b = tern_requires_grad(tern_ones(s->ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
}

static void run_chain(subject *s) {
    tern_tensor *v = s->b;
    for (int i = 0; i < 20; i++) v = tern_mul(v, s->a);
    tern_backward(v);
}

/* A graph over `size` time steps; going backward leaves it as it is. */
static void prepare_sequence(subject *s, int64_t size) {
    tern_module *lstm = tern_nn(s->ctx, "LSTM(8, 16)");
    tern_value input = tern_tensor_value(tern_rand(s->ctx, TERN_SHAPE(size, 1, 8), NULL));
    tern_value output = tern_value_at(tern_module_call(lstm, &input, 1, tern_none()), 0);
    s->a = output.kind == TERN_VALUE_TENSOR ? tern_sum(output.as.tensor) : tern_nil(s->ctx);
}

static void run_backward(subject *s) {
    tern_backward_with(s->a, NULL, TERN_RETAIN_GRAPH);
}

static void prepare_square(subject *s, int64_t size) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(size, size), NULL);
    s->b = tern_rand(s->ctx, TERN_SHAPE(size, size), NULL);
}

static void run_mm(subject *s) {
    tern_mm(s->a, s->b);
}

static void prepare_vector(subject *s, int64_t size) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(size), NULL);
    s->b = tern_rand(s->ctx, TERN_SHAPE(size), NULL);
}

static void run_exp(subject *s) {
    tern_exp(s->a);
}

static void run_sum(subject *s) {
    tern_sum(s->a);
}

static void prepare_image(subject *s, int64_t size) {
    s->model = tern_nn(s->ctx, "Sequential(Flatten(), Linear(784, 256), ReLU(), Linear(256, 128), "
                               "ReLU(), Linear(128, 10))");
    s->a = tern_rand(s->ctx, TERN_SHAPE(size, 1, 28, 28), NULL);
    s->target = tern_randint(s->ctx, 0, 10, TERN_SHAPE(size), NULL);
    s->optim = s->model ? tern_optim_new(s->model, "SGD(lr=0.1)") : NULL;
}

static void run_training_step(subject *s) {
    tern_optim_zero_grad(s->optim);
    tern_backward(tern_cross_entropy(tern_forward(s->model, s->a), s->target, TERN_MEAN));
    tern_optim_step(s->optim);
}

static void run_forward(subject *s) {
    tern_scope inference = tern_scope_begin(s->ctx, TERN_INFERENCE);
    tern_forward(s->model, s->a);
    tern_scope_end(inference);
}

static double microseconds(double seconds, int64_t size) {
    (void)size;
    return seconds * 1e6;
}

static double nanoseconds(double seconds, int64_t size) {
    (void)size;
    return seconds * 1e9;
}

static double matmul_rate(double seconds, int64_t size) {
    double n = (double)size;
    return 2 * n * n * n / seconds / 1e9;
}

/* Bytes read and written a second: two operands and a result, one and one, one alone. */
static double add_rate(double seconds, int64_t size) {
    return 12 * (double)size / seconds / 1e9;
}

static double unary_rate(double seconds, int64_t size) {
    return 8 * (double)size / seconds / 1e9;
}

static double sum_rate(double seconds, int64_t size) {
    return 4 * (double)size / seconds / 1e9;
}

static double samples_rate(double seconds, int64_t size) {
    return (double)size / seconds;
}

static const bench_case cases[] = {
    {"seed_loop", "seed_epoch", 1, prepare_line, run_line_epoch, microseconds, "us", true},
    {"overhead", "op_add_1", 1, prepare_pair, run_add, nanoseconds, "ns", true},
    {"overhead", "op_add_1_recorded", 1, prepare_recorded_pair, run_add, nanoseconds, "ns", true},
    {"overhead", "op_add_scalar_1", 1, prepare_pair, run_add_scalar, nanoseconds, "ns", true},
    {"overhead", "grad_chain_20", 1, prepare_chain, run_chain, microseconds, "us", true},
    {"overhead", "lstm_backward_64", 64, prepare_sequence, run_backward, microseconds, "us", true},
    {"overhead", "lstm_backward_256", 256, prepare_sequence, run_backward, microseconds, "us",
     true},
    {"gemm", "gemm_32", 32, prepare_square, run_mm, matmul_rate, "GF/s", false},
    {"gemm", "gemm_64", 64, prepare_square, run_mm, matmul_rate, "GF/s", false},
    {"gemm", "gemm_128", 128, prepare_square, run_mm, matmul_rate, "GF/s", false},
    {"gemm", "gemm_256", 256, prepare_square, run_mm, matmul_rate, "GF/s", false},
    {"gemm", "gemm_512", 512, prepare_square, run_mm, matmul_rate, "GF/s", false},
    {"bandwidth", "add_1e7", 10000000, prepare_vector, run_add, add_rate, "GB/s", false},
    {"bandwidth", "exp_1e7", 10000000, prepare_vector, run_exp, unary_rate, "GB/s", false},
    {"bandwidth", "sum_1e7", 10000000, prepare_vector, run_sum, sum_rate, "GB/s", false},
    {"train_images", "mlp_train_b64", 64, prepare_image, run_training_step, samples_rate,
     "samples/s", false},
    {"infer", "mlp_infer_b1", 1, prepare_image, run_forward, microseconds, "us", true},
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

/* ---- measuring ------------------------------------------------------------------------------- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Seconds of one call when it is repeated `inner` times, the device's work included. */
static double timed(const bench_case *c, subject *s, int64_t inner) {
    double start = now();
    for (int64_t i = 0; i < inner; i++) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        c->once(s);
        tern_scope_end(scope);
    }
    tern_synchronize(s->ctx);
    return (now() - start) / (double)inner;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of runs of at least 10 ms each, for `budget` seconds. */
static double median_seconds(const bench_case *c, subject *s, double budget) {
    double runs[MOST_RUNS];
    size_t count = 0;
    timed(c, s, 1);
    double one = timed(c, s, 1);
    int64_t inner = one < 0.01 ? (int64_t)(0.01 / (one > 1e-9 ? one : 1e-9)) : 1;
    double end = now() + budget;
    while (count < MOST_RUNS && (count < LEAST_RUNS || now() < end))
        runs[count++] = timed(c, s, inner);
    qsort(runs, count, sizeof runs[0], ascending);
    return runs[count / 2];
}

static void print_result(const bench_case *c, const bench_options *o, const tern_ctx *ctx,
                         double value) {
    char peer[128];
    snprintf(peer, sizeof peer, "tern %s", tern_device_name(ctx));
    if (!o->common.json) {
        printf("%-20s %12.6g %s\n", c->name, value, c->unit);
    } else {
        json_out j = json_begin(stdout);
        json_object(&j, NULL);
        json_text(&j, "case", c->name);
        json_text(&j, "peer", peer);
        json_int(&j, "threads", o->threads);
        json_number(&j, "value", value);
        json_text(&j, "unit", c->unit);
        json_text(&j, "better", c->less_is_better ? "less" : "more");
        json_end(&j);
        json_finish(&j);
    }
    fflush(stdout);
}

static void measure(const bench_case *c, const bench_options *o, tern_ctx *ctx) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    subject s = {.ctx = ctx};
    tern_manual_seed(ctx, o->common.seed);
    c->prepare(&s, c->size);
    double seconds = tern_check(ctx) == TERN_OK ? median_seconds(c, &s, o->budget) : 0;
    if (tern_check(ctx) == TERN_OK) print_result(c, o, ctx, c->value(seconds, c->size));
    tern_scope_end(scope);
}

/* ---- the verb -------------------------------------------------------------------------------- */

/* Marks the cases of one word; false where it names none. */
static bool choose(const char *word, bool *chosen) {
    bool found = false;
    for (size_t i = 0; i < N_CASES; i++)
        if (strcmp(word, cases[i].group) == 0 || strcmp(word, cases[i].name) == 0)
            found = chosen[i] = true;
    return found;
}

static int choose_all(const verb *v, const char *only, bool *chosen) {
    const char *names[N_CASES];
    char word[64];
    for (size_t i = 0; i < N_CASES; i++) {
        names[i] = cases[i].name;
        chosen[i] = !only;
    }
    while (only && *only) {
        size_t length = strcspn(only, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, only);
        only += length + (only[length] == ',');
        if (choose(word, chosen)) continue;
        const char *nearest = nearest_word(word, names, N_CASES);
        return wrong_usage(v, "--only: no case '%s'%s%s%s", word, nearest ? "; did you mean '" : "",
                           nearest ? nearest : "", nearest ? "'?" : "");
    }
    return EXIT_OK;
}

static int run(const verb *v, void *options) {
    const bench_options *o = options;
    bool chosen[N_CASES];
    int status = choose_all(v, o->only, chosen);
    if (status != EXIT_OK) return status;
    if (o->budget < 0) return wrong_usage(v, "--budget is %g, but must not be below 0", o->budget);
    volatile int *stop = interrupt_watch();
    tern_ctx *ctx = tern_open(o->common.device);
    for (size_t i = 0; i < N_CASES && !*stop && tern_check(ctx) == TERN_OK; i++)
        if (chosen[i]) measure(&cases[i], o, ctx);
    status = tern_check(ctx) == TERN_OK ? EXIT_OK : work_failed(v, "%s", tern_error(ctx));
    tern_close(ctx);
    if (*stop && status == EXIT_OK) return work_failed(v, "interrupted");
    return status;
}

const verb verb_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "measures operations, training and inference on a device",
    .details =
        "Each case is the median of repeated runs, the device's work included. Groups: seed_loop,\n"
        "overhead, gemm, bandwidth, train_images, infer.",
    .seed = "42",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .options_size = sizeof(bench_options),
    .run = run,
};
