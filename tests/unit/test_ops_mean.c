#define _POSIX_C_SOURCE 200809L
/* Means: one launch where the device has them, with the bits of a sum that is divided. */
#include <criterion/criterion.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "test_plugins.h"

TestSuite(ops_mean, .init = find_test_plugins, .fini = forget_test_plugins);

/* The mean over `dim` of a [7, 33, 13] tensor of seed 5, as doubles; its middle dimensions are swapped in
 * memory. Returns how many. */
static int64_t means(tern_ctx *ctx, tern_dtype dtype, tern_shape dims, double *out) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_manual_seed(ctx, 5);
    tern_tensor *x = tern_transpose(tern_randn(ctx, TERN_SHAPE(33, 7, 13), NULL), 0, 1);
    tern_tensor *mean = tern_mean_dims(tern_to_dtype(x, dtype), dims, false);
    int64_t count = tern_numel(mean);
    tern_to_doubles(mean, out, (size_t)count);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_scope_end(scope);
    return count;
}

Test(ops_mean, are_the_bits_of_a_divided_sum) {
    static const tern_shape dims[] = {{0, {0}}, {1, {0}}, {1, {1}}, {1, {2}}, {2, {0, 2}}};
    tern_ctx *direct = tern_open("cpu_ref"), *composed = tern_open("minimal");
    for (int dtype = TERN_FLOAT32; dtype <= TERN_BFLOAT16; dtype++)
        for (size_t k = 0; k < sizeof dims / sizeof dims[0]; k++) {
            static double a[429], b[429];
            int64_t count = means(direct, (tern_dtype)dtype, dims[k], a);
            cr_assert_eq(means(composed, (tern_dtype)dtype, dims[k], b), count);
            cr_assert(memcmp(a, b, (size_t)count * sizeof *a) == 0, "dtype %d, dims %d", dtype,
                      (int)k);
        }
    tern_close(direct);
    tern_close(composed);
}

Test(ops_mean, is_one_launch_and_its_gradient_none) {
    tern_ctx *ctx = tern_open("counting");
    for (int dtype = TERN_FLOAT32; dtype <= TERN_BFLOAT16; dtype++) {
        tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(3, 4), (tern_dtype)dtype);
        tern_item(tern_sum(x)); /* no longer a number, which would be free */
        tern_requires_grad(x, true);
        uint64_t before = tern_stats_of(ctx).launches;
        tern_tensor *mean = tern_mean(x);
        cr_assert_eq(tern_stats_of(ctx).launches, before + 1);
        tern_tensor *grad;
        tern_grad(&mean, 1, &x, 1, NULL, 0, &grad);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(tern_stats_of(ctx).launches, before + 1, "dtype %d", dtype);
    }
    tern_close(ctx);
}

Test(ops_mean, a_count_beyond_sixteen_bits_divides_the_gradient) {
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(100000), TERN_FLOAT16), true);
    tern_tensor *mean = tern_mean(x), *grad;
    tern_grad(&mean, 1, &x, 1, NULL, 0, &grad);
    cr_assert_float_eq(tern_item(tern_select(grad, 0, 7)), 1e-5, 1e-7);
    tern_close(ctx);
}

Test(ops_mean, a_product_with_a_number_is_a_number_and_has_a_history) {
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_tensor *x = tern_requires_grad(tern_full(ctx, TERN_SHAPE(2), 3, TERN_FLOAT32), true);
    uint64_t before = tern_stats_of(ctx).launches;
    tern_tensor *y = tern_div_scalar(tern_mul_scalar(x, 0.1), 3);
    cr_assert_eq(tern_stats_of(ctx).launches, before);
    tern_tensor *sum = tern_sum(y), *grad;
    cr_assert_eq(tern_item(tern_select(y, 0, 1)), (double)(0.1f * 3 / 3));
    tern_grad(&sum, 1, &x, 1, NULL, 0, &grad);
    cr_assert_eq(tern_item(tern_select(grad, 0, 1)), (double)(1.0f / 3 * 0.1f));
    tern_close(ctx);
}
