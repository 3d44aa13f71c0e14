/* Convolutions, forward and with both gradients. A multiplication and an addition are two operations;
 * training counts three times as many as forward. */
#include "bench.h"

#include "tern/grad.h"
#include "tern/ops.h"

/* What `size` holds. */
enum { BATCH, CHANNELS, SIDE, FILTERS, KERNEL, STRIDE, PADDING, GROUPS };

static tern_tensor *convolve(const bench_subject *s) {
    tern_value arguments[] = {
        tern_tensor_value(s->a),   tern_tensor_value(s->b),    tern_tensor_value(s->c),
        tern_int(s->size[STRIDE]), tern_int(s->size[PADDING]), tern_int(1),
        tern_int(s->size[GROUPS]),
    };
    tern_value result = tern_invoke(s->ctx, s->operation, arguments, 7, tern_none());
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(s->ctx);
}

static void prepare_forward(bench_subject *s) {
    const int64_t *n = s->size;
    int64_t deep = n[CHANNELS] / n[GROUPS];
    s->operation = tern_find_operation("nn.functional.conv2d");
    s->a = tern_rand(s->ctx, TERN_SHAPE(n[BATCH], n[CHANNELS], n[SIDE], n[SIDE]), NULL);
    s->b = tern_rand(s->ctx, TERN_SHAPE(n[FILTERS], deep, n[KERNEL], n[KERNEL]), NULL);
    s->c = tern_rand(s->ctx, TERN_SHAPE(n[FILTERS]), NULL);
    s->gradient = convolve(s);
    s->work = 2 * (double)tern_numel(s->gradient) * (double)(deep * n[KERNEL] * n[KERNEL]);
}

static void prepare_train(bench_subject *s) {
    prepare_forward(s);
    tern_requires_grad(s->a, true);
    tern_requires_grad(s->b, true);
    tern_requires_grad(s->c, true);
    s->work *= 3;
}

static void run_forward(bench_subject *s) {
    convolve(s);
}

static void run_train(bench_subject *s) {
    tern_backward_with(convolve(s), s->gradient, 0);
}

static const bench_case cases[] = {
    {"conv3x3_64_56", BENCH_GFLOPS, prepare_forward, run_forward, .flags = BENCH_INFERENCE,
     .size = {1, 64, 56, 64, 3, 1, 1, 1}},
    {"conv3x3_64_56_train", BENCH_GFLOPS, prepare_train, run_train,
     .size = {1, 64, 56, 64, 3, 1, 1, 1}},
    {"conv1x1_256_14", BENCH_GFLOPS, prepare_forward, run_forward, .flags = BENCH_INFERENCE,
     .size = {8, 256, 14, 256, 1, 1, 0, 1}},
    {"conv1x1_256_14_train", BENCH_GFLOPS, prepare_train, run_train,
     .size = {8, 256, 14, 256, 1, 1, 0, 1}},
    {"conv7x7_3_112", BENCH_GFLOPS, prepare_forward, run_forward, .flags = BENCH_INFERENCE,
     .size = {1, 3, 224, 64, 7, 2, 3, 1}},
    {"conv7x7_3_112_train", BENCH_GFLOPS, prepare_train, run_train,
     .size = {1, 3, 224, 64, 7, 2, 3, 1}},
    {"dwconv3x3_128_56", BENCH_GFLOPS, prepare_forward, run_forward, .flags = BENCH_INFERENCE,
     .size = {1, 128, 56, 128, 3, 1, 1, 128}},
    {"dwconv3x3_128_56_train", BENCH_GFLOPS, prepare_train, run_train,
     .size = {1, 128, 56, 128, 3, 1, 1, 128}},
    {"conv3x3_10_28_b32", BENCH_GFLOPS, prepare_forward, run_forward, .flags = BENCH_INFERENCE,
     .size = {32, 10, 28, 10, 3, 1, 1, 1}},
    {"conv3x3_10_28_b32_train", BENCH_GFLOPS, prepare_train, run_train,
     .size = {32, 10, 28, 10, 3, 1, 1, 1}},
};

const bench_group bench_conv = BENCH_GROUP("conv", cases);
