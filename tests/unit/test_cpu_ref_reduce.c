/* cpu_ref's reductions and matrix products, through the ABI alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel_driver.h"

static void reduce(driver *d, int fn, const tensor *in, uint32_t dims, double value, int out_dtype,
                   const double *expected, double tolerance, const char *what) {
    int64_t shape[TERN_BACKEND_MAX_RANK];
    for (int i = 0; i < in->operand.rank; i++) shape[i] = dims >> i & 1u ? 1 : in->shape[i];
    tensor out = tensor_new(d, out_dtype, in->operand.rank, shape, NULL);
    tern_reduce_attrs attrs = {fn, dims, value};
    driver_run(d, TERN_KERNEL_REDUCE, in, 1, &out, 1, &attrs, sizeof attrs);
    tensor_expect(d, &out, expected, tolerance, what);
    tensor_free(d, &out);
}

/* A [2, 3, 2] tensor of each dtype, laid out backwards, and its reductions. */
Test(cpu_ref_reduce, every_member_reduces_any_dimensions_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    const double x[] = {1, 2, 3, 4, 5, 6, 1, 2, 9, 0, 1, 0};
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        tensor in = tensor_strided(&d, dtype, SHAPE(2, 3, 2), (int64_t[]){1, 2, 6}, 2, x);
        bool sums = dtype <= TERN_BT_BFLOAT16 || dtype == TERN_BT_INT64;
        if (sums) {
            reduce(&d, TERN_REDUCE_SUM, &in, 1, 0, dtype, (double[]){2, 4, 12, 4, 6, 6}, 0,
                   "sum 0");
            reduce(&d, TERN_REDUCE_SUM, &in, 5, 0, dtype, (double[]){6, 16, 12}, 0, "sum 0, 2");
            reduce(&d, TERN_REDUCE_SUM, &in, 7, 0, dtype, (double[]){34}, 0, "sum of all");
            reduce(&d, TERN_REDUCE_SUM, &in, 0, 0, dtype, x, 0, "sum of nothing");
            reduce(&d, TERN_REDUCE_PROD, &in, 4, 0, dtype, (double[]){2, 12, 30, 2, 0, 0}, 0,
                   "prod");
        }
        reduce(&d, TERN_REDUCE_MAX, &in, 2, 0, dtype, (double[]){5, 6, 9, 2}, 0, "max");
        reduce(&d, TERN_REDUCE_MIN, &in, 6, 0, dtype, (double[]){1, 0}, 0, "min");
        reduce(&d, TERN_REDUCE_ARGMAX, &in, 2, 0, TERN_BT_INT64, (double[]){2, 2, 1, 0}, 0,
               "argmax");
        reduce(&d, TERN_REDUCE_ARGMAX, &in, 7, 0, TERN_BT_INT64, (double[]){8}, 0, "argmax of all");
        reduce(&d, TERN_REDUCE_ARGMIN, &in, 6, 0, TERN_BT_INT64, (double[]){0, 3}, 0, "argmin");
        reduce(&d, TERN_REDUCE_ANY, &in, 4, 0, TERN_BT_BOOL, (double[]){1, 1, 1, 1, 1, 1}, 0,
               "any");
        reduce(&d, TERN_REDUCE_ALL, &in, 4, 0, TERN_BT_BOOL, (double[]){1, 1, 1, 1, 0, 0}, 0,
               "all");
        tensor_free(&d, &in);
    }
    driver_close(&d);
}

Test(cpu_ref_reduce, nan_propagates_and_is_the_greatest) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
        tensor in = tensor_new(&d, dtype, SHAPE(5), (double[]){1, NAN, 7, NAN, -1});
        const double nan = NAN, first = 1;
        reduce(&d, TERN_REDUCE_MAX, &in, 1, 0, dtype, &nan, 0, "max");
        reduce(&d, TERN_REDUCE_MIN, &in, 1, 0, dtype, &nan, 0, "min");
        reduce(&d, TERN_REDUCE_SUM, &in, 1, 0, dtype, &nan, 0, "sum");
        reduce(&d, TERN_REDUCE_ARGMAX, &in, 1, 0, TERN_BT_INT64, &first, 0, "argmax");
        reduce(&d, TERN_REDUCE_ARGMIN, &in, 1, 0, TERN_BT_INT64, &first, 0, "argmin");
        reduce(&d, TERN_REDUCE_ANY, &in, 1, 0, TERN_BT_BOOL, &first, 0, "any");
        tensor_free(&d, &in);
    }
    tensor equal = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), (double[]){2, 5, 5, 2});
    reduce(&d, TERN_REDUCE_ARGMAX, &equal, 1, 0, TERN_BT_INT64, (double[]){1}, 0, "argmax of ties");
    reduce(&d, TERN_REDUCE_ARGMIN, &equal, 1, 0, TERN_BT_INT64, (double[]){0}, 0, "argmin of ties");
    tensor_free(&d, &equal);
    driver_close(&d);
}

Test(cpu_ref_reduce, variance_and_norms) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
        tensor in = tensor_new(&d, dtype, SHAPE(4), (double[]){3, -4, 0, 5});
        reduce(&d, TERN_REDUCE_VAR, &in, 1, 0, dtype, (double[]){11.5}, 0, "var 0");
        reduce(&d, TERN_REDUCE_VAR, &in, 1, 4, dtype, (double[]){INFINITY}, 0, "var n");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, 0, dtype, (double[]){3}, 0, "norm 0");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, 1, dtype, (double[]){12}, 0, "norm 1");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, 2, dtype, (double[]){sqrt(50)}, 0.02, "norm 2");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, 3, dtype, (double[]){6}, 1e-14, "norm 3");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, INFINITY, dtype, (double[]){5}, 0, "norm inf");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, -INFINITY, dtype, (double[]){0}, 0, "norm -inf");
        tensor_free(&d, &in);
    }
    tensor one = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), (double[]){3});
    reduce(&d, TERN_REDUCE_VAR, &one, 1, 1, TERN_BT_FLOAT32, (double[]){NAN}, 0, "var of one");
    tensor_free(&d, &one);
    /* two passes: a large mean does not swallow the deviations */
    tensor far = tensor_new(&d, TERN_BT_FLOAT64, SHAPE(3), (double[]){1e9, 1e9 + 1, 1e9 + 2});
    reduce(&d, TERN_REDUCE_VAR, &far, 1, 1, TERN_BT_FLOAT64, (double[]){1}, 0, "var far from 0");
    tensor_free(&d, &far);
    driver_close(&d);
}

Test(cpu_ref_reduce, means_divide_the_sum_in_the_dtype_that_it_adds_in) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
        tensor in = tensor_new(&d, dtype, SHAPE(3), (double[]){100, 2, -1});
        double mean = dtype == TERN_BT_FLOAT64 ? 101.0 / 3.0 : (double)(float)(101.0 / 3.0);
        tensor rounded = tensor_new(&d, dtype, SHAPE(1), &mean);
        double expected = 0;
        tensor_read(&d, &rounded, &expected);
        reduce(&d, TERN_REDUCE_MEAN, &in, 1, 0, dtype, &expected, 0, "mean");
        tensor_free(&d, &rounded);
        tensor_free(&d, &in);
    }
    driver_close(&d);
}

/* The order of PyTorch's sum over a contiguous run of less than 128 float32: 8 lanes, four
 * accumulators of vectors, then the tail and the lanes in order. */
static float lane_sum(const float *x, int n) {
    float acc[4][8] = {{0}}, sum = 0;
    int vectors = n / 8;
    for (int v = 0; v < vectors; v++) {
        int which = v < vectors / 4 * 4 ? v % 4 : 0;
        for (int lane = 0; lane < 8; lane++) acc[which][lane] += x[8 * v + lane];
    }
    for (int k = 1; k < 4; k++) {
        for (int lane = 0; lane < 8; lane++) acc[0][lane] += acc[k][lane];
    }
    for (int i = vectors * 8; i < n; i++) sum += x[i];
    for (int lane = 0; lane < 8; lane++) sum += acc[0][lane];
    return sum;
}

static double noise(int i) {
    return (double)(float)(sin(i * 12.9898) * 43758.5453 / (1 + i % 7));
}

Test(cpu_ref_reduce, float32_sums_of_a_run_have_pytorchs_bits) {
    driver d = driver_open("cpu_ref");
    const int sizes[] = {8, 9, 31, 40, 50, 100, 127};
    int differ = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        double x[128];
        float f[128], naive = 0;
        for (int i = 0; i < sizes[k]; i++) {
            f[i] = (float)(x[i] = noise(i));
            naive += f[i];
        }
        double expected = (double)lane_sum(f, sizes[k]);
        differ += expected != (double)naive;
        tensor in = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(sizes[k]), x);
        reduce(&d, TERN_REDUCE_SUM, &in, 1, 0, TERN_BT_FLOAT32, &expected, 0, "sum of a run");
        tensor_free(&d, &in);
        /* a column of ones beside it merges: [n, 1] is the same run */
        tensor column = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(sizes[k], 1), x);
        reduce(&d, TERN_REDUCE_SUM, &column, 3, 0, TERN_BT_FLOAT32, &expected, 0,
               "sum of a column");
        tensor_free(&d, &column);
    }
    cr_assert(differ > 3, "the sums cannot be told from sums in order");
    driver_close(&d);
}

/* Rows summed over the first dimension of [n, 3]: fewer than 8 columns go four accumulators deep.
 */
Test(cpu_ref_reduce, float32_sums_over_rows_have_pytorchs_bits) {
    driver d = driver_open("cpu_ref");
    enum { N = 30, COLUMNS = 3 };
    double x[N * COLUMNS], expected[COLUMNS];
    for (int i = 0; i < N * COLUMNS; i++) x[i] = noise(i);
    for (int c = 0; c < COLUMNS; c++) {
        float acc[4] = {0};
        for (int i = 0; i < N; i++) acc[i < N / 4 * 4 ? i % 4 : 0] += (float)x[i * COLUMNS + c];
        expected[c] = (double)(((acc[0] + acc[1]) + acc[2]) + acc[3]);
    }
    tensor in = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(N, COLUMNS), x);
    reduce(&d, TERN_REDUCE_SUM, &in, 1, 0, TERN_BT_FLOAT32, expected, 0, "sum over rows");
    tensor_free(&d, &in);
    driver_close(&d);
}

static void matmul(driver *d, int dtype, const tensor *in, int n_in, int m, int n, double alpha,
                   double beta, const double *expected, const char *what) {
    tensor out = tensor_new(d, dtype, SHAPE(2, m, n), NULL);
    tern_matmul_attrs attrs = {alpha, beta, (int64_t)alpha, (int64_t)beta};
    driver_run(d, TERN_KERNEL_MATMUL, in, n_in, &out, 1, &attrs, sizeof attrs);
    tensor_expect(d, &out, expected, 0, what);
    tensor_free(d, &out);
}

Test(cpu_ref_reduce, matmul_takes_any_strides_and_scales_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        /* a [2, 2, 3] transposed in memory, x [2, 3, 2] broadcast over the batch, c [2, 2, 2] one
         * row */
        tensor in[] = {tensor_strided(&d, dtype, SHAPE(2, 2, 3), (int64_t[]){6, 1, 2}, 1,
                                      (double[]){1, 2, 3, 4, 5, 6, 0, 1, 0, 1, 0, 1}),
                       tensor_strided(&d, dtype, SHAPE(2, 3, 2), (int64_t[]){0, 1, 3}, 0,
                                      (double[]){1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}),
                       tensor_strided(&d, dtype, SHAPE(2, 2, 2), (int64_t[]){0, 0, 1}, 0,
                                      (double[]){1, 2, 1, 2, 1, 2, 1, 2})};
        matmul(&d, dtype, in, 2, 2, 2, 1, 0, (double[]){22, 28, 49, 64, 3, 4, 6, 8}, "a x");
        matmul(&d, dtype, in, 3, 2, 2, 1, 3, (double[]){25, 34, 52, 70, 6, 10, 9, 14}, "a x + 3 c");
        if (dtype != TERN_BT_INT8) {
            matmul(&d, dtype, in, 2, 2, 2, 2, 0, (double[]){44, 56, 98, 128, 6, 8, 12, 16},
                   "2 a x");
        }
        for (int i = 0; i < 3; i++) tensor_free(&d, &in[i]);
    }
    driver_close(&d);
}

Test(cpu_ref_reduce, matmul_with_beta_0_ignores_nan_in_c) {
    driver d = driver_open("cpu_ref");
    tensor in[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 1, 1), (double[]){2, 3}),
                   tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 1, 1), (double[]){5, 7}),
                   tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 1, 1), (double[]){NAN, INFINITY})};
    matmul(&d, TERN_BT_FLOAT32, in, 3, 1, 1, 1, 0, (double[]){10, 21}, "beta 0");
    for (int i = 0; i < 3; i++) tensor_free(&d, &in[i]);
    driver_close(&d);
}

Test(cpu_ref_reduce, matmul_adds_in_float32_in_the_order_of_k_across_panels) {
    driver d = driver_open("cpu_ref");
    enum { M = 3, K = 70, N = 130 };
    static double a[2 * M * K], x[2 * K * N], expected[2 * M * N];
    for (int i = 0; i < 2 * M * K; i++) a[i] = noise(i);
    for (int i = 0; i < 2 * K * N; i++) x[i] = noise(i + 5);
    for (int b = 0; b < 2; b++) {
        for (int i = 0; i < M * N; i++) {
            float sum = 0;
            for (int k = 0; k < K; k++) {
                float product =
                    (float)a[(b * M + i / N) * K + k] * (float)x[(b * K + k) * N + i % N];
                sum += product;
            }
            expected[b * M * N + i] = (double)sum;
        }
    }
    tensor in[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, M, K), a),
                   tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, K, N), x)};
    matmul(&d, TERN_BT_FLOAT32, in, 2, M, N, 1, 0, expected, "panels");
    tensor_free(&d, &in[0]);
    tensor_free(&d, &in[1]);
    driver_close(&d);
}

Test(cpu_ref_reduce, bfloat16_products_round_once) {
    driver d = driver_open("cpu_ref");
    /* 256 + 1 + 1: rounding each partial sum to bfloat16 would lose both ones */
    tensor in[] = {
        tensor_new(&d, TERN_BT_BFLOAT16, SHAPE(2, 1, 3), (double[]){256, 1, 1, 256, 1, 1}),
        tensor_new(&d, TERN_BT_BFLOAT16, SHAPE(2, 3, 1), (double[]){1, 1, 1, 1, 1, 1})};
    matmul(&d, TERN_BT_BFLOAT16, in, 2, 1, 1, 1, 0, (double[]){258, 258}, "bfloat16");
    tensor_free(&d, &in[0]);
    tensor_free(&d, &in[1]);
    tensor sum = tensor_new(&d, TERN_BT_BFLOAT16, SHAPE(3), (double[]){256, 1, 1});
    reduce(&d, TERN_REDUCE_SUM, &sum, 1, 0, TERN_BT_BFLOAT16, (double[]){258}, 0, "bfloat16 sum");
    tensor_free(&d, &sum);
    driver_close(&d);
}

/* ---- outputs wider than the inputs ---- */

Test(cpu_ref_reduce, products_may_write_a_wider_dtype_exactly) {
    driver d = driver_open("cpu_ref");
    const double a[] = {256, 1, 0, 256, 1, 1}, x[] = {1, 1, 1, 1, 1, 3};
    for (int dtype = TERN_BT_FLOAT16; dtype <= TERN_BT_BFLOAT16; dtype++) {
        tensor in[] = {tensor_new(&d, dtype, SHAPE(2, 1, 3), a),
                       tensor_new(&d, dtype, SHAPE(2, 3, 1), x),
                       tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 1, 1), (double[]){0.125, 0.375})};
        /* 257 is no bfloat16, 257.125 and 260.375 no float16 */
        matmul(&d, TERN_BT_FLOAT32, in, 2, 1, 1, 1, 0, (double[]){257, 260}, "wide product");
        matmul(&d, TERN_BT_FLOAT32, in, 3, 1, 1, 1, 1, (double[]){257.125, 260.375}, "and c");
        for (int i = 0; i < 3; i++) tensor_free(&d, &in[i]);
    }
    const double tiny = 1.0 / (1 << 23);
    tensor in[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 1, 1), (double[]){1 + tiny, 1}),
                   tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 1, 1), (double[]){1 + tiny, 2})};
    matmul(&d, TERN_BT_FLOAT64, in, 2, 1, 1, 1, 0, (double[]){(1 + tiny) * (1 + tiny), 2},
           "float64 product");
    for (int i = 0; i < 2; i++) tensor_free(&d, &in[i]);
    driver_close(&d);
}

Test(cpu_ref_reduce, reductions_may_write_a_wider_dtype_exactly) {
    driver d = driver_open("cpu_ref");
    for (int dtype = TERN_BT_FLOAT16; dtype <= TERN_BT_BFLOAT16; dtype++) {
        tensor in = tensor_new(&d, dtype, SHAPE(3), (double[]){128, 0.5, 33});
        const double mean = (128 + 0.5 + 33) / 3;
        const double var = ((128 - mean) * (128 - mean) + (0.5 - mean) * (0.5 - mean) +
                            (33 - mean) * (33 - mean)) /
                           2;
        const double norm = sqrt(128 * 128 + 0.25 + 33 * 33);
        const int wide = TERN_BT_FLOAT32;
        reduce(&d, TERN_REDUCE_SUM, &in, 1, 0, wide, (double[]){161.5}, 0, "wide sum");
        reduce(&d, TERN_REDUCE_MEAN, &in, 1, 0, wide, (double[]){(double)(161.5f / 3)}, 0,
               "wide mean");
        reduce(&d, TERN_REDUCE_PROD, &in, 1, 0, wide, (double[]){2112}, 0, "wide prod");
        reduce(&d, TERN_REDUCE_VAR, &in, 1, 1, wide, (double[]){(double)(float)var}, 0, "wide var");
        reduce(&d, TERN_REDUCE_NORM, &in, 1, 2, wide, (double[]){(double)(float)norm}, 0,
               "wide norm");
        reduce(&d, TERN_REDUCE_MAX, &in, 1, 0, wide, (double[]){128}, 0, "wide max");
        tensor_free(&d, &in);
    }
    const double small = 1.0 / (1 << 30);
    tensor in = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){1, small});
    reduce(&d, TERN_REDUCE_SUM, &in, 1, 0, TERN_BT_FLOAT64, (double[]){1 + small}, 0, "sum in 64");
    reduce(&d, TERN_REDUCE_NORM, &in, 1, 1, TERN_BT_FLOAT64, (double[]){1 + small}, 0,
           "norm in 64");
    tensor_free(&d, &in);
    driver_close(&d);
}

Test(cpu_ref_reduce, supports_the_next_wider_dtype_and_no_other_mixture) {
    driver d = driver_open("cpu_ref");
    for (int in = 0; in < TERN_BT_COUNT; in++) {
        for (int out = 0; out < TERN_BT_COUNT; out++) {
            bool narrow = in == TERN_BT_FLOAT16 || in == TERN_BT_BFLOAT16;
            bool fits = in == out || (narrow && out == TERN_BT_FLOAT32) ||
                        (in == TERN_BT_FLOAT32 && out == TERN_BT_FLOAT64);
            cr_assert_eq(driver_supports(&d, TERN_KERNEL_MATMUL, 0, 2, in, out), fits, "%d to %d",
                         in, out);
            cr_assert_eq(driver_supports(&d, TERN_KERNEL_REDUCE, TERN_REDUCE_SUM, 1, in, out), fits,
                         "%d to %d", in, out);
            cr_assert_eq(driver_supports(&d, TERN_KERNEL_REDUCE, TERN_REDUCE_ARGMAX, 1, in, out),
                         out == TERN_BT_INT64);
        }
    }
    const int32_t mixed[] = {TERN_BT_FLOAT32, TERN_BT_FLOAT16}, out = TERN_BT_FLOAT32;
    tern_kernel_query query = {.struct_size = sizeof query,
                               .kernel = TERN_KERNEL_MATMUL,
                               .n_inputs = 2,
                               .n_outputs = 1,
                               .input_dtypes = mixed,
                               .output_dtypes = &out};
    const char *reason;
    cr_assert_not(d.table->supports(d.device, &query, &reason));
    cr_assert_not_null(strstr(reason, "together"));
    driver_close(&d);
}

Test(cpu_ref_reduce, the_device_says_how_much_memory_there_is) {
    driver d = driver_open("cpu_ref");
    uint64_t available = 0, total = 0;
    tern_backend_error err;
    cr_assert_eq(d.table->memory_info(d.device, &available, &total, &err), TERN_BACKEND_OK);
    cr_assert(available > 0 && available <= total && total > 1 << 20);
    driver_close(&d);
}
