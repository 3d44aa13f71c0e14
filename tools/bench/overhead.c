/* What a call costs beside its arithmetic: one element at a time. */
#include "bench.h"

#include "tern/grad.h"
#include "tern/ops.h"

static void prepare_pair(bench_subject *s) {
    s->a = tern_ones(s->ctx, TERN_SHAPE(1), TERN_FLOAT32);
    s->b = tern_ones(s->ctx, TERN_SHAPE(1), TERN_FLOAT32);
}

static void prepare_recorded_pair(bench_subject *s) {
    prepare_pair(s);
    tern_requires_grad(s->a, true);
}

static void run_add(bench_subject *s) {
    tern_add(s->a, s->b);
}

static void run_add_scalar(bench_subject *s) {
    tern_add_scalar(s->a, 0.5);
}

static void run_chain(bench_subject *s) {
    tern_tensor *v = s->a;
    for (int i = 0; i < 20; i++) v = tern_mul(v, s->b);
    tern_backward(v);
}

/* A graph over size[0] time steps; going backward leaves it as it is. */
static void prepare_sequence(bench_subject *s) {
    tern_module *lstm = tern_nn(s->ctx, "LSTM(8, 16)");
    tern_value input = tern_tensor_value(tern_rand(s->ctx, TERN_SHAPE(s->size[0], 1, 8), NULL));
    tern_value output = tern_value_at(tern_module_call(lstm, &input, 1, tern_none()), 0);
    s->a = output.kind == TERN_VALUE_TENSOR ? tern_sum(output.as.tensor) : tern_nil(s->ctx);
}

static void run_backward(bench_subject *s) {
    tern_backward_with(s->a, NULL, TERN_RETAIN_GRAPH);
}

static const bench_case cases[] = {
    {"op_add_1", BENCH_NS, prepare_pair, run_add, .flags = BENCH_INFERENCE},
    {"op_add_1_recorded", BENCH_NS, .prepare = prepare_recorded_pair, .once = run_add},
    {"op_add_scalar_1", BENCH_NS, prepare_pair, run_add_scalar, .flags = BENCH_INFERENCE},
    {"grad_chain_20", BENCH_US, .prepare = prepare_recorded_pair, .once = run_chain},
    {"lstm_backward_64", BENCH_US, prepare_sequence, run_backward, .size = {64}},
    {"lstm_backward_256", BENCH_US, prepare_sequence, run_backward, .size = {256}},
};

const bench_group bench_overhead = BENCH_GROUP("overhead", cases);
