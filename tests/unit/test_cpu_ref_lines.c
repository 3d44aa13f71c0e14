/* cpu_ref's scans, sorts, indexing by tensors and nonzero, through the ABI alone. */
#include <criterion/criterion.h>
#include <math.h>

#include "kernel_driver.h"

static void scan(driver *d, int dtype, int fn, const double *expected) {
    /* [3, 2] laid out column by column; scanned along dimension 0 */
    tensor in =
        tensor_strided(d, dtype, SHAPE(3, 2), (int64_t[]){1, 3}, 1, (double[]){1, 4, 3, 2, 3, 5});
    tensor out[] = {tensor_new(d, dtype, SHAPE(3, 2), NULL),
                    tensor_new(d, TERN_BT_INT64, SHAPE(3, 2), NULL)};
    tern_scan_attrs attrs = {fn, 0};
    bool positions = fn == TERN_SCAN_CUMMAX || fn == TERN_SCAN_CUMMIN;
    driver_run(d, TERN_KERNEL_SCAN, &in, 1, out, positions ? 2 : 1, &attrs, sizeof attrs);
    tensor_expect(d, &out[0], expected, 0, "scan");
    if (positions) tensor_expect(d, &out[1], expected + 6, 0, "positions");
    tensor_free(d, &in);
    tensor_free(d, &out[0]);
    tensor_free(d, &out[1]);
}

Test(cpu_ref_lines, scans_run_along_their_dimension_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        scan(&d, dtype, TERN_SCAN_CUMSUM, (double[]){1, 4, 4, 6, 7, 11});
        scan(&d, dtype, TERN_SCAN_CUMPROD, (double[]){1, 4, 3, 8, 9, 40});
        scan(&d, dtype, TERN_SCAN_CUMMAX, (double[]){1, 4, 3, 4, 3, 5, 0, 0, 1, 0, 2, 2});
        scan(&d, dtype, TERN_SCAN_CUMMIN, (double[]){1, 4, 1, 2, 1, 2, 0, 0, 0, 1, 0, 1});
    }
    driver_close(&d);
}

Test(cpu_ref_lines, scans_keep_nan_and_add_exponentials_without_overflow) {
    driver d = driver_open("cpu_ref");
    tensor in = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), (double[]){1, NAN, 5, NAN});
    tensor out[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), NULL),
                    tensor_new(&d, TERN_BT_INT64, SHAPE(4), NULL)};
    tern_scan_attrs attrs = {TERN_SCAN_CUMMAX, 0};
    driver_run(&d, TERN_KERNEL_SCAN, &in, 1, out, 2, &attrs, sizeof attrs);
    tensor_expect(&d, &out[0], (double[]){1, NAN, NAN, NAN}, 0, "cummax");
    tensor_expect(&d, &out[1], (double[]){0, 1, 1, 3}, 0, "positions");
    tensor big =
        tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), (double[]){-INFINITY, 1000, 1000, -INFINITY});
    attrs.fn = TERN_SCAN_LOGCUMSUMEXP;
    driver_run(&d, TERN_KERNEL_SCAN, &big, 1, out, 1, &attrs, sizeof attrs);
    double twice = 1000 + log(2);
    tensor_expect(&d, &out[0], (double[]){-INFINITY, 1000, twice, twice}, 1e-4, "logcumsumexp");
    tensor scalar = tensor_new(&d, TERN_BT_FLOAT32, SCALAR, (double[]){3});
    attrs.fn = TERN_SCAN_CUMSUM;
    driver_run(&d, TERN_KERNEL_SCAN, &scalar, 1, &scalar, 1, &attrs, sizeof attrs);
    tensor_expect(&d, &scalar, (double[]){3}, 0, "rank 0");
    tensor_free(&d, &in);
    tensor_free(&d, &big);
    tensor_free(&d, &scalar);
    tensor_free(&d, &out[0]);
    tensor_free(&d, &out[1]);
    driver_close(&d);
}

static void sort(driver *d, const tensor *in, int descending, const double *values,
                 const double *indices) {
    int64_t n = in->shape[0];
    tensor out[] = {tensor_new(d, in->operand.dtype, SHAPE(n), NULL),
                    tensor_new(d, TERN_BT_INT64, SHAPE(n), NULL)};
    tern_sort_attrs attrs = {0, descending};
    driver_run(d, TERN_KERNEL_SORT, in, 1, out, 2, &attrs, sizeof attrs);
    tensor_expect(d, &out[0], values, 0, "sorted values");
    tensor_expect(d, &out[1], indices, 0, "sorted indices");
    tensor_free(d, &out[0]);
    tensor_free(d, &out[1]);
}

Test(cpu_ref_lines, sorting_is_stable_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        tensor in =
            tensor_strided(&d, dtype, SHAPE(6), (int64_t[]){2}, 1, (double[]){2, 1, 2, 0, 1, 2});
        sort(&d, &in, 0, (double[]){0, 1, 1, 2, 2, 2}, (double[]){3, 1, 4, 0, 2, 5});
        sort(&d, &in, 1, (double[]){2, 2, 2, 1, 1, 0}, (double[]){0, 2, 5, 1, 4, 3});
        tensor_free(&d, &in);
    }
    tensor nan = tensor_new(&d, TERN_BT_FLOAT16, SHAPE(4), (double[]){NAN, 1, NAN, -1});
    sort(&d, &nan, 0, (double[]){-1, 1, NAN, NAN}, (double[]){3, 1, 0, 2});
    sort(&d, &nan, 1, (double[]){NAN, NAN, 1, -1}, (double[]){0, 2, 1, 3});
    tensor_free(&d, &nan);
    driver_close(&d);
}

Test(cpu_ref_lines, long_lines_are_sorted) {
    driver d = driver_open("cpu_ref");
    enum { N = 1000 };
    double x[N], sorted[N], got[N], indices[N];
    for (int i = 0; i < N; i++) x[i] = (i * 7919) % 100;
    for (int i = 0; i < N; i++) sorted[i] = i / 10;
    tensor in = tensor_new(&d, TERN_BT_INT32, SHAPE(N), x);
    tensor out[] = {tensor_new(&d, TERN_BT_INT32, SHAPE(N), NULL),
                    tensor_new(&d, TERN_BT_INT64, SHAPE(N), NULL)};
    tern_sort_attrs attrs = {0, 0};
    driver_run(&d, TERN_KERNEL_SORT, &in, 1, out, 2, &attrs, sizeof attrs);
    tensor_expect(&d, &out[0], sorted, 0, "values");
    tensor_read(&d, &out[0], got);
    tensor_read(&d, &out[1], indices);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(x[(int)indices[i]], got[i]);
        cr_assert(i == 0 || got[i - 1] < got[i] || indices[i - 1] < indices[i]);
    }
    tensor_free(&d, &in);
    tensor_free(&d, &out[0]);
    tensor_free(&d, &out[1]);
    driver_close(&d);
}

/* x [2, 3, 2] indexed in dimensions 0 and 1 by i [2] and j [2]. */
Test(cpu_ref_lines, index_get_and_put_follow_several_indices_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        double x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
        tensor data = tensor_new(&d, dtype, SHAPE(2, 3, 2), x);
        tensor i = tensor_i64(&d, SHAPE(2), (int64_t[]){1, -2});
        tensor j = tensor_i64(&d, SHAPE(2), (int64_t[]){2, -1});
        tensor out = tensor_new(&d, dtype, SHAPE(2, 2), NULL);
        tern_multi_index_attrs attrs = {.first = 0, .count = 2, .reduce = TERN_SCATTER_ADD};
        driver_run(&d, TERN_KERNEL_INDEX_GET, (tensor[]){data, i, j}, 3, &out, 1, &attrs,
                   sizeof attrs);
        tensor_expect(&d, &out, (double[]){10, 11, 4, 5}, 0, "index_get");
        driver_run(&d, TERN_KERNEL_INDEX_PUT, (tensor[]){out, i, j}, 3, &data, 1, &attrs,
                   sizeof attrs);
        tensor_expect(&d, &data, (double[]){0, 1, 2, 3, 8, 10, 6, 7, 8, 9, 20, 22}, 0, "add");
        attrs.reduce = TERN_SCATTER_SET;
        driver_run(&d, TERN_KERNEL_INDEX_PUT, (tensor[]){out, i, j}, 3, &data, 1, &attrs,
                   sizeof attrs);
        tensor_expect(&d, &data, x, 0, "set");
        tensor_free(&d, &data);
        tensor_free(&d, &i);
        tensor_free(&d, &j);
        tensor_free(&d, &out);
    }
    driver_close(&d);
}

Test(cpu_ref_lines, index_get_puts_the_indices_shape_in_the_middle) {
    driver d = driver_open("cpu_ref");
    /* x [2, 3, 2], dimension 1 by an index [2, 2]: out [2, 2, 2, 2] */
    tensor x = tensor_new(&d, TERN_BT_INT32, SHAPE(2, 3, 2),
                          (double[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    tensor index = tensor_i64(&d, SHAPE(2, 2), (int64_t[]){2, 0, 1, 2});
    tensor out = tensor_new(&d, TERN_BT_INT32, SHAPE(2, 2, 2, 2), NULL);
    tern_multi_index_attrs attrs = {.first = 1, .count = 1};
    driver_run(&d, TERN_KERNEL_INDEX_GET, (tensor[]){x, index}, 2, &out, 1, &attrs, sizeof attrs);
    tensor_expect(&d, &out, (double[]){4, 5, 0, 1, 2, 3, 4, 5, 10, 11, 6, 7, 8, 9, 10, 11}, 0,
                  "get");
    tern_backend_error err = {""};
    tensor bad = tensor_i64(&d, SHAPE(2, 2), (int64_t[]){2, 0, -4, 2});
    int status = driver_launch(&d, TERN_KERNEL_INDEX_GET, (tensor[]){x, bad}, 2, &out, 1, &attrs,
                               sizeof attrs, &err);
    cr_assert_eq(status, TERN_BACKEND_BAD_INDEX);
    cr_assert_str_eq(err.message, "index -4 is out of bounds for dimension 1 with size 3");
    tensor_free(&d, &x);
    tensor_free(&d, &index);
    tensor_free(&d, &bad);
    tensor_free(&d, &out);
    driver_close(&d);
}

Test(cpu_ref_lines, nonzero_counts_and_lists_positions_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_COUNT; dtype++) {
        tensor in = tensor_strided(&d, dtype, SHAPE(2, 3), (int64_t[]){1, 2}, 1,
                                   (double[]){0, 1, 0, 1, 0, 1});
        tensor count = tensor_new(&d, TERN_BT_INT64, SCALAR, NULL);
        tensor out = tensor_new(&d, TERN_BT_INT64, SHAPE(3, 2), NULL);
        driver_run(&d, TERN_KERNEL_NONZERO_COUNT, &in, 1, &count, 1, NULL, 0);
        tensor_expect(&d, &count, (double[]){3}, 0, "count");
        driver_run(&d, TERN_KERNEL_NONZERO, &in, 1, &out, 1, NULL, 0);
        tensor_expect(&d, &out, (double[]){0, 1, 1, 0, 1, 2}, 0, "positions");
        tensor_free(&d, &in);
        tensor_free(&d, &count);
        tensor_free(&d, &out);
    }
    driver_close(&d);
}
