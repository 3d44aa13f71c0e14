/*
 * tern_cost CASE N: runs a case N times, for tests/cost/check, which counts the instructions.
 *
 * A case of an operation drops its results by ending a scope every 64 times, so that its count holds
 * what giving a result back costs, and a 64th of a scope. lstm_backward_64, or with another number of
 * time steps, goes backward through one graph N times; projected_backward_64 through an LSTM that is
 * composed step by step, of parts of a tensor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/tern.h"

enum { CALLS_IN_SCOPE = 64, LSTM_INPUT = 4, LSTM_HIDDEN = 8, LSTM_BATCH = 2 };

typedef struct subject {
    tern_ctx *ctx;
    tern_tensor *a, *b;
} subject;

/* ---- operations ------------------------------------------------------------------------------ */

static void add(subject *s) {
    tern_add(s->a, s->b);
}

static void add_scalar(subject *s) {
    tern_add_scalar(s->a, 0.5);
}

static void mul_scalar(subject *s) {
    tern_mul_scalar(s->a, 0.5);
}

static void prepare_pair(subject *s) {
    s->a = tern_ones(s->ctx, TERN_SHAPE(1), TERN_FLOAT32);
    s->b = tern_ones(s->ctx, TERN_SHAPE(1), TERN_FLOAT32);
}

static void prepare_recorded(subject *s) {
    prepare_pair(s);
    tern_requires_grad(s->a, true);
}

typedef struct operation {
    const char *name;
    void (*prepare)(subject *s);
    void (*once)(subject *s);
} operation;

static const operation operations[] = {
    {"add", prepare_pair, add},
    {"add_recorded", prepare_recorded, add},
    {"add_scalar", prepare_pair, add_scalar},
    {"mul_scalar", prepare_pair, mul_scalar},
};

static void run_operation(subject *s, const operation *o, long n) {
    o->prepare(s);
    while (n > 0) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        for (int i = 0; i < CALLS_IN_SCOPE && n > 0; i++, n--) o->once(s);
        tern_scope_end(scope);
    }
}

/* ---- an LSTM over a sequence ----------------------------------------------------------------- */

static const char lstm_case[] = "lstm_backward_", projected_case[] = "projected_backward_";

static void run_lstm(subject *s, int64_t projection, long steps, long n) {
    tern_recurrent_options options = TERN_RECURRENT_OPTIONS;
    options.proj_size = projection;
    tern_tensor *x = tern_ones(s->ctx, TERN_SHAPE(steps, LSTM_BATCH, LSTM_INPUT), TERN_FLOAT32);
    tern_module *lstm = tern_nn_lstm(s->ctx, LSTM_INPUT, LSTM_HIDDEN, &options);
    tern_value input = tern_tensor_value(x);
    tern_value output = tern_value_at(tern_module_call(lstm, &input, 1, tern_none()), 0);
    if (output.kind != TERN_VALUE_TENSOR) return;
    tern_tensor *sum = tern_sum(output.as.tensor);
    for (; n > 0; n--) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        tern_backward_with(sum, NULL, TERN_RETAIN_GRAPH);
        tern_scope_end(scope);
    }
}

/* False where there is no such case. */
static bool run(subject *s, const char *name, long n) {
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(name, operations[i].name) != 0) continue;
        run_operation(s, &operations[i], n);
        return true;
    }
    bool projected = strncmp(name, projected_case, strlen(projected_case)) == 0;
    if (!projected && strncmp(name, lstm_case, strlen(lstm_case)) != 0) return false;
    run_lstm(s, projected ? LSTM_HIDDEN / 2 : 0, strtol(strrchr(name, '_') + 1, NULL, 10), n);
    return true;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: tern_cost CASE N\n");
        return 2;
    }
    subject s = {.ctx = tern_open(NULL)};
    tern_manual_seed(s.ctx, 42);
    bool known = run(&s, argv[1], strtol(argv[2], NULL, 10));
    if (!known) fprintf(stderr, "tern_cost: no case '%s'\n", argv[1]);
    bool failed = tern_check(s.ctx) != TERN_OK;
    if (failed) fprintf(stderr, "tern_cost: %s\n", tern_error(s.ctx));
    failed = tern_close(s.ctx) != TERN_OK || failed;
    return failed || !known;
}
