/* cpu_simd's matrix products around the sizes of its tiles and blocks, through the ABI alone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plugin/pool.h"
#include "kernel_driver.h"
#include "simd_variants.h"

static uint32_t next(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Whole numbers so small that their sums are exact in whatever order. */
static double *numbers(int64_t count, uint32_t *state) {
    double *x = malloc((size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++) x[i] = (double)(next(state) % 9) - 4;
    return x;
}

/* A matrix by rows or by columns, with gaps or without, at an odd place. */
static tensor matrix(driver *d, int dtype, int64_t rows, int64_t columns, int layout,
                     const double *values) {
    int64_t gap = layout & 2 ? 3 : 0;
    int64_t by_rows[] = {columns + gap, 1}, by_columns[] = {1, rows + gap};
    if (layout == 4) by_rows[1] = 2, by_rows[0] = 2 * columns + 1;
    return tensor_strided(d, dtype, SHAPE(rows, columns), layout & 1 ? by_columns : by_rows,
                          layout & 2 ? 1 : 0, values);
}

/* out = 2 a b - c, c being whole, a row, a column or not there. */
static void check(driver *d, int dtype, int64_t m, int64_t n, int64_t k, uint32_t *state) {
    int layout_a = (int)(next(state) % 5), layout_b = (int)(next(state) % 5);
    int layout_out = (int)(next(state) % 5), kind = (int)(next(state) % 4);
    int out_dtype = dtype == TERN_BT_FLOAT64 ? dtype : TERN_BT_FLOAT32;
    double *a = numbers(m * k, state), *b = numbers(k * n, state), *c = numbers(m * n, state);
    double *expected = malloc((size_t)(m * n) * sizeof *expected);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, added[] = {0, c[i * n + j], c[j], c[i]};
            for (int64_t p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
            expected[i * n + j] = 2 * sum - added[kind];
        }
    tensor in[3] = {matrix(d, dtype, m, k, layout_a, a), matrix(d, dtype, k, n, layout_b, b)};
    in[2] = kind < 2 ? matrix(d, out_dtype, m, n, layout_out & 1, c)
                     : tensor_new(d, out_dtype, SHAPE(kind == 2 ? n : m), c);
    if (kind >= 2) {
        in[2].operand.rank = 2;
        in[2].shape[0] = m, in[2].shape[1] = n;
        in[2].strides[0] = kind == 2 ? 0 : 1, in[2].strides[1] = kind == 2 ? 1 : 0;
    }
    tensor out = matrix(d, out_dtype, m, n, layout_out, NULL);
    tern_matmul_attrs attrs = {2, -1, 2, -1};
    char what[128];
    snprintf(what, sizeof what, "%d x %d x %d, dtype %d, layouts %d %d %d, c %d", (int)m, (int)n,
             (int)k, dtype, layout_a, layout_b, layout_out, kind);
    driver_run(d, TERN_KERNEL_MATMUL, in, kind ? 3 : 2, &out, 1, &attrs, sizeof attrs);
    tensor_read(d, &out, c);
    for (int64_t i = 0; i < m * n; i++)
        cr_assert_eq(c[i], expected[i], "%s: element %d", what, (int)i);
    for (int i = 0; i < 3; i++) tensor_free(d, &in[i]);
    tensor_free(d, &out);
    free(a), free(b), free(c), free(expected);
}

Test(cpu_simd_matmul, every_size_layout_and_dtype_gives_exact_sums) {
    static const int64_t sizes[] = {1, 2, 3, 6, 7, 8, 13, 15, 16, 17, 31, 33, 64, 65, 129, 300};
    const int count = (int)(sizeof sizes / sizeof *sizes);
    const char *variants[SIMD_VARIANTS_MOST];
    int n_variants = simd_variants(variants);
    for (int v = 0; v < n_variants; v++) {
        driver d = driver_open(variants[v]);
        uint32_t state = 1;
        for (int turn = 0; turn < 600; turn++) {
            int dtype = (int)(next(&state) % (TERN_BT_BFLOAT16 + 1));
            int64_t m = sizes[next(&state) % (uint32_t)count];
            int64_t n = sizes[next(&state) % (uint32_t)count];
            int64_t k = turn % 50 == 0 ? 1500 : sizes[next(&state) % (uint32_t)count];
            check(&d, dtype, m, n, k, &state);
        }
        driver_close(&d);
    }
}

/* The bits of a product on so many threads. */
static double *product(driver *d, int threads, int64_t m, int64_t n, int64_t k) {
    uint32_t state = 7;
    double *a = numbers(m * k, &state), *b = numbers(k * n, &state);
    for (int64_t i = 0; i < m * k; i++) a[i] /= 3;
    double *values = malloc((size_t)(m * n) * sizeof *values);
    tensor in[] = {tensor_new(d, TERN_BT_FLOAT32, SHAPE(m, k), a),
                   tensor_new(d, TERN_BT_FLOAT32, SHAPE(k, n), b)};
    tensor out = tensor_new(d, TERN_BT_FLOAT32, SHAPE(m, n), NULL);
    tern_matmul_attrs attrs = {1, 0, 1, 0};
    tern_pool_resize(threads);
    driver_run(d, TERN_KERNEL_MATMUL, in, 2, &out, 1, &attrs, sizeof attrs);
    tern_pool_resize(1);
    tensor_read(d, &out, values);
    for (int i = 0; i < 2; i++) tensor_free(d, &in[i]);
    tensor_free(d, &out);
    free(a), free(b);
    return values;
}

Test(cpu_simd_matmul, the_bits_are_the_same_for_any_number_of_threads) {
    static const int64_t shapes[][3] = {
        {1, 3000, 700}, {200, 300, 600}, {8, 900, 500}, {700, 40, 1000}};
    const char *variants[SIMD_VARIANTS_MOST];
    int n_variants = simd_variants(variants);
    for (int v = 0; v < n_variants; v++) {
        driver d = driver_open(variants[v]);
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const int64_t *shape = shapes[s];
            double *one = product(&d, 1, shape[0], shape[1], shape[2]);
            for (int threads = 2; threads <= 5; threads++) {
                double *many = product(&d, threads, shape[0], shape[1], shape[2]);
                size_t bytes = (size_t)(shape[0] * shape[1]) * sizeof *one;
                cr_assert_eq(memcmp(one, many, bytes), 0, "shape %zu, %d threads", s, threads);
                free(many);
            }
            free(one);
        }
        driver_close(&d);
    }
}
