/* cpu_ref's kernels that follow indices, through the ABI alone. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel_driver.h"

Test(cpu_ref_index, gather_follows_the_index_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_COUNT; dtype++) {
        const double x[] = {1, 0, 1, 0, 0, 1};
        tensor in[] = {tensor_strided(&d, dtype, SHAPE(2, 3), (int64_t[]){1, 2}, 3, x),
                       tensor_i64(&d, SHAPE(2, 2), (int64_t[]){2, 0, 1, 2})};
        tensor out = tensor_new(&d, dtype, SHAPE(2, 2), NULL);
        tern_index_attrs attrs = {.dim = 1};
        driver_run(&d, TERN_KERNEL_GATHER, in, 2, &out, 1, &attrs, sizeof attrs);
        tensor_expect(&d, &out, (double[]){1, 1, 0, 1}, 0, "gather");
        tensor_free(&d, &in[0]);
        tensor_free(&d, &in[1]);
        tensor_free(&d, &out);
    }
    driver_close(&d);
}

static void scatter(driver *d, int dtype, int reduce, const double *expected) {
    tensor in[] = {tensor_i64(d, SHAPE(3, 2), (int64_t[]){0, 1, 2, 1, 0, 2}),
                   tensor_new(d, dtype, SHAPE(3, 2), (double[]){5, 6, 7, 8, 9, 4})};
    tensor out = tensor_new(d, dtype, SHAPE(3, 2), (double[]){2, 2, 2, 2, 10, 10});
    tern_index_attrs attrs = {.dim = 0, .reduce = reduce};
    driver_run(d, TERN_KERNEL_SCATTER, in, 2, &out, 1, &attrs, sizeof attrs);
    tensor_expect(d, &out, expected, 0, "scatter");
    tensor_free(d, &in[0]);
    tensor_free(d, &in[1]);
    tensor_free(d, &out);
}

Test(cpu_ref_index, scatter_combines_and_the_last_write_wins) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        scatter(&d, dtype, TERN_SCATTER_SET, (double[]){9, 2, 2, 8, 7, 4});
        scatter(&d, dtype, TERN_SCATTER_ADD, (double[]){16, 2, 2, 16, 17, 14});
        scatter(&d, dtype, TERN_SCATTER_MAX, (double[]){9, 2, 2, 8, 10, 10});
        scatter(&d, dtype, TERN_SCATTER_MIN, (double[]){2, 2, 2, 2, 7, 4});
        if (dtype == TERN_BT_INT8) continue;
        scatter(&d, dtype, TERN_SCATTER_MUL, (double[]){90, 2, 2, 96, 70, 40});
    }
    driver_close(&d);
}

Test(cpu_ref_index, index_select_and_index_add_move_whole_slices) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        tensor index = tensor_i64(&d, SHAPE(3), (int64_t[]){1, 0, 1});
        tensor table = tensor_new(&d, dtype, SHAPE(2, 2), (double[]){1, 2, 3, 4});
        tensor rows = tensor_new(&d, dtype, SHAPE(3, 2), NULL);
        tern_index_attrs attrs = {.dim = 0, .alpha = 2, .alpha_i = 2};
        driver_run(&d, TERN_KERNEL_INDEX_SELECT, (tensor[]){table, index}, 2, &rows, 1, &attrs,
                   sizeof attrs);
        tensor_expect(&d, &rows, (double[]){3, 4, 1, 2, 3, 4}, 0, "index_select");
        driver_run(&d, TERN_KERNEL_INDEX_ADD, (tensor[]){index, rows}, 2, &table, 1, &attrs,
                   sizeof attrs);
        tensor_expect(&d, &table, (double[]){3, 6, 15, 20}, 0, "index_add");
        tensor_free(&d, &index);
        tensor_free(&d, &table);
        tensor_free(&d, &rows);
    }
    driver_close(&d);
}

/* Runs a kernel whose index is bad in one place: the error names it, the rest is done, and the
 * guard elements around the output are as before. */
static void expect_bad_index(driver *d, int kernel, const tensor *in, int64_t bad) {
    double guarded[] = {7, 7, 7, 7, 7, 7};
    tensor whole = tensor_new(d, TERN_BT_FLOAT32, SHAPE(6), guarded);
    tensor out = whole;
    out.shape[0] = kernel == TERN_KERNEL_GATHER || kernel == TERN_KERNEL_INDEX_SELECT ? 2 : 3;
    out.operand.at.byte_offset = 8;
    tern_index_attrs attrs = {.dim = 0, .alpha = 1, .alpha_i = 1};
    tern_backend_error err = {""};
    int status = driver_launch(d, kernel, in, 2, &out, 1, &attrs, sizeof attrs, &err);
    cr_assert_eq(status, TERN_BACKEND_BAD_INDEX, "kernel %d: index %lld passed", kernel,
                 (long long)bad);
    char expected[128];
    bool slices = kernel == TERN_KERNEL_INDEX_SELECT || kernel == TERN_KERNEL_INDEX_ADD;
    snprintf(expected, sizeof expected, "%sindex %lld is out of bounds for dimension 0 with size 3",
             slices ? "index out of range in self: " : "", (long long)bad);
    cr_assert_str_eq(err.message, expected);
    double got[6];
    tensor_read(d, &whole, got);
    cr_assert(got[0] == 7 && got[1] == 7 && got[5] == 7, "kernel %d wrote outside", kernel);
    tensor_free(d, &whole);
}

Test(cpu_ref_index, a_bad_index_is_an_error_and_touches_nothing) {
    driver d = driver_open("cpu_ref");
    const int64_t bad[] = {3, -1, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        tensor index = tensor_i64(&d, SHAPE(2), (int64_t[]){1, bad[i]});
        tensor data = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(3), (double[]){1, 2, 3});
        tensor src = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){4, 5});
        expect_bad_index(&d, TERN_KERNEL_GATHER, (tensor[]){data, index}, bad[i]);
        expect_bad_index(&d, TERN_KERNEL_INDEX_SELECT, (tensor[]){data, index}, bad[i]);
        expect_bad_index(&d, TERN_KERNEL_SCATTER, (tensor[]){index, src}, bad[i]);
        expect_bad_index(&d, TERN_KERNEL_INDEX_ADD, (tensor[]){index, src}, bad[i]);
        tensor_free(&d, &index);
        tensor_free(&d, &data);
        tensor_free(&d, &src);
    }
    driver_close(&d);
}

Test(cpu_ref_index, rank_0_counts_as_one_slice) {
    driver d = driver_open("cpu_ref");
    tensor x = tensor_new(&d, TERN_BT_FLOAT32, SCALAR, (double[]){5});
    tensor zero = tensor_i64(&d, SCALAR, (int64_t[]){0});
    tensor one = tensor_i64(&d, SCALAR, (int64_t[]){1});
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, SCALAR, (double[]){2});
    tern_index_attrs attrs = {.reduce = TERN_SCATTER_ADD, .alpha = 1, .alpha_i = 1};
    driver_run(&d, TERN_KERNEL_SCATTER, (tensor[]){zero, x}, 2, &out, 1, &attrs, sizeof attrs);
    tensor_expect(&d, &out, (double[]){7}, 0, "scatter");
    driver_run(&d, TERN_KERNEL_INDEX_ADD, (tensor[]){zero, x}, 2, &out, 1, &attrs, sizeof attrs);
    tensor_expect(&d, &out, (double[]){12}, 0, "index_add");
    driver_run(&d, TERN_KERNEL_GATHER, (tensor[]){x, zero}, 2, &out, 1, &attrs, sizeof attrs);
    tensor_expect(&d, &out, (double[]){5}, 0, "gather");
    tern_backend_error err = {""};
    const tensor beyond[] = {x, one};
    int status =
        driver_launch(&d, TERN_KERNEL_GATHER, beyond, 2, &out, 1, &attrs, sizeof attrs, &err);
    cr_assert_eq(status, TERN_BACKEND_BAD_INDEX);
    tensor_free(&d, &x);
    tensor_free(&d, &zero);
    tensor_free(&d, &one);
    tensor_free(&d, &out);
    driver_close(&d);
}
