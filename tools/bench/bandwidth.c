/* Operations that memory bounds: bytes read and written a second, each operand counted once. */
#include "bench.h"

#include "tern/ops.h"

enum { FLOAT_BYTES = 4 };

/* `passes` over n floats, of which each is read or written once. */
static void set_work(bench_subject *s, double passes, double n) {
    s->work = passes * n * FLOAT_BYTES;
}

static void prepare_pair(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0]), NULL);
    s->b = tern_rand(s->ctx, TERN_SHAPE(s->size[0]), NULL);
    set_work(s, 3, (double)s->size[0]);
}

static void prepare_one(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0]), NULL);
    set_work(s, 2, (double)s->size[0]);
}

static void prepare_read(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0]), NULL);
    set_work(s, 1, (double)s->size[0]);
}

static void prepare_rows(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0], s->size[1]), NULL);
    s->b = tern_rand(s->ctx, TERN_SHAPE(s->size[1]), NULL);
    s->c = tern_rand(s->ctx, TERN_SHAPE(s->size[1]), NULL);
    set_work(s, 2, (double)s->size[0] * (double)s->size[1]);
}

static void prepare_columns(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0], s->size[1]), NULL);
    set_work(s, 1, (double)s->size[0] * (double)s->size[1]);
}

static void prepare_draws(bench_subject *s) {
    s->work = (double)s->size[0];
}

static void run_add(bench_subject *s) {
    tern_add(s->a, s->b);
}

static void run_exp(bench_subject *s) {
    tern_exp(s->a);
}

static void run_gelu(bench_subject *s) {
    tern_gelu(s->a);
}

static void run_sum(bench_subject *s) {
    tern_sum(s->a);
}

static void run_softmax(bench_subject *s) {
    tern_softmax(s->a, 1);
}

static void run_layer_norm(bench_subject *s) {
    tern_layer_norm(s->a, TERN_SHAPE(s->size[1]), s->b, s->c, 1e-5);
}

static void run_transpose(bench_subject *s) {
    tern_contiguous(tern_t(s->a));
}

static void run_sum_rows(bench_subject *s) {
    tern_sum_dims(s->a, TERN_SHAPE(0), false);
}

static void run_randn(bench_subject *s) {
    tern_randn(s->ctx, TERN_SHAPE(s->size[0]), NULL);
}

static const bench_case cases[] = {
    {"add_1e7", BENCH_GBYTES, prepare_pair, run_add, .size = {10000000}, .flags = BENCH_INFERENCE},
    {"exp_1e7", BENCH_GBYTES, prepare_one, run_exp, .size = {10000000}, .flags = BENCH_INFERENCE},
    {"gelu_1e6", BENCH_GBYTES, prepare_one, run_gelu, .size = {1000000}, .flags = BENCH_INFERENCE},
    {"sum_1e7", BENCH_GBYTES, prepare_read, run_sum, .size = {10000000}, .flags = BENCH_INFERENCE},
    {"softmax_4096x1000", BENCH_GBYTES, prepare_rows, run_softmax, .size = {4096, 1000},
     .flags = BENCH_INFERENCE},
    {"layer_norm_4096x1000", BENCH_GBYTES, prepare_rows, run_layer_norm, .size = {4096, 1000},
     .flags = BENCH_INFERENCE},
    {"transpose_2048", BENCH_GBYTES, prepare_rows, run_transpose, .size = {2048, 2048},
     .flags = BENCH_INFERENCE},
    {"sum_dim0_4096x1000", BENCH_GBYTES, prepare_columns, run_sum_rows, .size = {4096, 1000},
     .flags = BENCH_INFERENCE},
    {"randn_1e6", BENCH_MILLIONS, prepare_draws, run_randn, .size = {1000000},
     .flags = BENCH_INFERENCE},
};

const bench_group bench_bandwidth = BENCH_GROUP("bandwidth", cases);
