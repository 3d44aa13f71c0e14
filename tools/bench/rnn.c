/* A recurrent layer over fifty time steps. */
#include "bench.h"

#include "tern/grad.h"
#include "tern/ops.h"

static void prepare_lstm(bench_subject *s) {
    s->model = tern_nn(s->ctx, "LSTM(64, 128, batch_first=True)");
    s->a = tern_rand(s->ctx, TERN_SHAPE(16, 50, 64), NULL);
}

static tern_tensor *outputs(bench_subject *s) {
    tern_value input = tern_tensor_value(s->a);
    tern_value result = tern_value_at(tern_module_call(s->model, &input, 1, tern_none()), 0);
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(s->ctx);
}

static void run_forward(bench_subject *s) {
    outputs(s);
}

static void run_train(bench_subject *s) {
    s->results[0] = tern_sum(outputs(s));
    tern_backward(s->results[0]);
}

static const bench_case cases[] = {
    {"lstm_forward", BENCH_MS, prepare_lstm, run_forward, .flags = BENCH_INFERENCE},
    {"lstm_train", BENCH_MS, .prepare = prepare_lstm, .once = run_train},
    {"lstm_train_replayed", BENCH_MS, .prepare = prepare_lstm, .once = run_train,
     .flags = BENCH_REPLAYED},
};

const bench_group bench_rnn = BENCH_GROUP("rnn", cases);
