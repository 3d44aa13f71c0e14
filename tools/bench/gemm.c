/* Products of matrices. Names say rows x inner x columns; _nt has the second one transposed, as the
 * weights of a linear layer are. */
#include "bench.h"

#include "tern/ops.h"

static void set_work(bench_subject *s) {
    s->work = 2 * (double)s->size[0] * (double)s->size[1] * (double)s->size[2];
}

static void prepare_plain(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0], s->size[1]), NULL);
    s->b = tern_rand(s->ctx, TERN_SHAPE(s->size[1], s->size[2]), NULL);
    set_work(s);
}

static void prepare_transposed(bench_subject *s) {
    s->a = tern_rand(s->ctx, TERN_SHAPE(s->size[0], s->size[1]), NULL);
    s->b = tern_t(tern_rand(s->ctx, TERN_SHAPE(s->size[2], s->size[1]), NULL));
    set_work(s);
}

static void prepare_bfloat16(bench_subject *s) {
    prepare_plain(s);
    s->a = tern_to_dtype(s->a, TERN_BFLOAT16);
    s->b = tern_to_dtype(s->b, TERN_BFLOAT16);
}

/* Where PyTorch writes to `out=`, Tern takes the memory that the call before gave back. */
static void run_mm(bench_subject *s) {
    tern_mm(s->a, s->b);
}

static const bench_case cases[] = {
    {"gemm_32", BENCH_GFLOPS, prepare_plain, run_mm, .size = {32, 32, 32}},
    {"gemm_64", BENCH_GFLOPS, prepare_plain, run_mm, .size = {64, 64, 64}},
    {"gemm_128", BENCH_GFLOPS, prepare_plain, run_mm, .size = {128, 128, 128}},
    {"gemm_256", BENCH_GFLOPS, prepare_plain, run_mm, .size = {256, 256, 256}},
    {"gemm_512", BENCH_GFLOPS, prepare_plain, run_mm, .size = {512, 512, 512}},
    {"gemm_1024", BENCH_GFLOPS, prepare_plain, run_mm, .size = {1024, 1024, 1024}},
    {"gemm_2048", BENCH_GFLOPS, prepare_plain, run_mm, .size = {2048, 2048, 2048}},
    {"gemm_1x4096x4096_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {1, 4096, 4096}},
    {"gemm_8x1024x1024_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {8, 1024, 1024}},
    {"gemm_64x784x256_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {64, 784, 256}},
    {"gemm_32x128x10_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {32, 128, 10}},
    {"gemm_4096x64x64_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {4096, 64, 64}},
    {"gemm_64x64x4096_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {64, 64, 4096}},
    {"gemm_128x4096x128_nt", BENCH_GFLOPS, prepare_transposed, run_mm, .size = {128, 4096, 128}},
    {"gemm_1024_bf16", BENCH_GFLOPS, prepare_bfloat16, run_mm, .size = {1024, 1024, 1024}},
};

const bench_group bench_gemm = BENCH_GROUP("gemm", cases);
