/* Reductions, matrices, softmax, normalisation, convolution and losses: rules, gradients, refusals. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
    ctx = NULL;
}

TestSuite(ops_reduce, .init = open_context, .fini = close_context);

static double at(tern_tensor *tensor, int64_t index) {
    return tern_item(tern_select(tern_reshape(tensor, TERN_SHAPE(-1)), 0, index));
}

static bool error_has(const char *text) {
    bool has = strstr(tern_error(ctx), text) != NULL;
    if (has) tern_error_clear(ctx);
    return has;
}

static tern_tensor *doubles(const double *values, tern_shape shape) {
    return tern_from_data(ctx, values, shape, TERN_FLOAT64);
}

static tern_tensor *noise(tern_shape shape) {
    return tern_to_dtype(tern_randn(ctx, shape, NULL), TERN_FLOAT64);
}

Test(ops_reduce, sums_of_integers_are_int64_and_of_nothing_zero) {
    cr_assert_eq(tern_dtype_of(tern_sum(tern_ones(ctx, TERN_SHAPE(3), TERN_UINT8))), TERN_INT64);
    cr_assert_eq(tern_item(tern_sum(tern_zeros(ctx, TERN_SHAPE(0, 2), TERN_FLOAT32))), 0);
    cr_assert(isnan(tern_item(tern_mean(tern_zeros(ctx, TERN_SHAPE(0), TERN_FLOAT32)))));
}

Test(ops_reduce, an_extreme_of_nothing_is_refused) {
    tern_max(tern_zeros(ctx, TERN_SHAPE(0), TERN_FLOAT32));
    cr_assert(error_has("max: Expected reduction dim to be specified for input.numel() == 0"), "%s",
              tern_error(ctx));
    tern_mean(tern_ones(ctx, TERN_SHAPE(2), TERN_INT64));
    cr_assert(error_has("mean: could not infer output dtype"), "%s", tern_error(ctx));
}

Test(ops_reduce, equal_extremes_share_unless_an_index_was_returned) {
    const double tie[] = {2, 5, 5, 1};
    tern_tensor *x = tern_requires_grad(doubles(tie, TERN_SHAPE(4)), true);
    tern_backward(tern_max(x));
    cr_assert_eq(at(tern_grad_of(x), 1), 0.5);
    cr_assert_eq(at(tern_grad_of(x), 2), 0.5);
    tern_set_grad(x, NULL);
    tern_tensor *where;
    tern_backward(tern_max_dim(x, 0, false, &where));
    cr_assert_eq(tern_item_i64(where), 1);
    cr_assert_eq(at(tern_grad_of(x), 1), 1);
    cr_assert_eq(at(tern_grad_of(x), 2), 0);
}

Test(ops_reduce, nan_wins_every_extreme) {
    const double values[] = {1, NAN, 3};
    tern_tensor *x = doubles(values, TERN_SHAPE(3));
    cr_assert(isnan(tern_item(tern_max(x))));
    cr_assert(isnan(tern_item(tern_min(x))));
    cr_assert_eq(tern_item_i64(tern_argmax_all(x)), 1);
}

Test(ops_reduce, matrices_that_do_not_fit_are_refused_in_pytorchs_words) {
    tern_tensor *a = tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32);
    tern_matmul(a, tern_ones(ctx, TERN_SHAPE(4, 2), TERN_FLOAT32));
    cr_assert(error_has("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x2)"), "%s",
              tern_error(ctx));
    tern_matmul(tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT64), tern_t(a));
    cr_assert(error_has("mat1 and mat2 must have the same dtype, but got Double and Float"), "%s",
              tern_error(ctx));
    tern_matmul(a, tern_ones(ctx, TERN_SCALAR_SHAPE, TERN_FLOAT32));
    cr_assert(error_has("need to be at least 1D, but they are 2D and 0D"), "%s", tern_error(ctx));
}

Test(ops_reduce, a_product_over_nothing_is_zero) {
    tern_tensor *a = tern_ones(ctx, TERN_SHAPE(2, 0), TERN_FLOAT32);
    tern_tensor *product = tern_matmul(a, tern_t(a));
    cr_assert_eq(tern_numel(product), 4);
    cr_assert_eq(tern_item(tern_sum(product)), 0);
}

Test(ops_reduce, softmax_survives_large_numbers) {
    const double values[] = {1000, 1001, -INFINITY};
    tern_tensor *y = tern_softmax(doubles(values, TERN_SHAPE(3)), 0);
    cr_assert_float_eq(at(y, 1), 1 / (1 + exp(-1)), 1e-12);
    cr_assert_eq(at(y, 2), 0);
}

Test(ops_reduce, cross_entropy_has_pytorchs_values) {
    const double logits[] = {1, 2, 3};
    const int64_t target[] = {2};
    tern_tensor *x = doubles(logits, TERN_SHAPE(1, 3));
    tern_tensor *t = tern_from_data(ctx, target, TERN_SHAPE(1), TERN_INT64);
    cr_assert_float_eq(tern_item(tern_cross_entropy(x, t, TERN_MEAN)), 0.407605964, 1e-8);
}

Test(ops_reduce, a_target_outside_its_classes_is_an_error) {
    const int64_t target[] = {3};
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(1, 3), TERN_FLOAT32);
    tern_nll_loss(x, tern_from_data(ctx, target, TERN_SHAPE(1), TERN_INT64), TERN_MEAN);
    cr_assert_neq(tern_check(ctx), TERN_OK);
    cr_assert(error_has("out of bounds"), "%s", tern_error(ctx));
}

Test(ops_reduce, an_unknown_reduction_is_named) {
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_value args[] = {tern_tensor_value(x), tern_tensor_value(x)};
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "reduction", tern_text("average"));
    tern_call(ctx, "nn.functional.l1_loss", args, 2, named);
    cr_assert(error_has("'average' is not a valid value for reduction"), "%s", tern_error(ctx));
}

Test(ops_reduce, batch_norm_in_training_updates_its_running_statistics) {
    const double values[] = {1, 3, 5, 7};
    tern_tensor *x = doubles(values, TERN_SHAPE(4, 1));
    tern_tensor *mean = tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT64);
    tern_tensor *var = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT64);
    tern_batch_norm(x, mean, var, NULL, NULL, true, 0.5, 1e-5);
    cr_assert_float_eq(at(mean, 0), 2, 1e-12);
    cr_assert_float_eq(at(var, 0), 0.5 + 0.5 * 20.0 / 3.0, 1e-12);
}

/* ---- gradients, twice ---- */

static tern_tensor *statistics(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    (void)user;
    tern_tensor *y = tern_softmax(in[0], 1);
    tern_tensor *z = tern_mul(tern_mean_dims(in[0], TERN_SHAPE(0), true), tern_sum(in[0]));
    return tern_add(tern_add(tern_mul(y, tern_log_softmax(in[0], 0)), z), tern_max(in[0]));
}

static tern_tensor *products(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    (void)user;
    tern_tensor *y = tern_linear(in[0], in[1], tern_select(in[1], 1, 0)); /* [2, 4] */
    return tern_matmul(tern_unsqueeze(y, 0), tern_mul(in[1], in[1]));
}

static tern_tensor *convolved(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    (void)user;
    tern_tensor *y = tern_conv2d(in[0], in[1], NULL, 2, 1);
    return tern_avg_pool2d(tern_mul(y, y), 2, 1, 0);
}

static void check_twice(tern_grad_fn fn, tern_shape first, tern_shape second) {
    tern_manual_seed(ctx, 5);
    tern_tensor *in[2] = {tern_requires_grad(noise(first), true), NULL};
    int count = second.rank ? 2 : 1;
    if (count == 2) in[1] = tern_requires_grad(noise(second), true);
    tern_status status = tern_gradcheck(ctx, fn, NULL, in, count, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(status, TERN_OK, "%s", tern_error(ctx));
    status = tern_gradgradcheck(ctx, fn, NULL, in, count, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(status, TERN_OK, "%s", tern_error(ctx));
}

Test(ops_reduce, reductions_and_softmax_have_gradients_of_gradients) {
    check_twice(statistics, TERN_SHAPE(2, 3), TERN_SCALAR_SHAPE);
}

Test(ops_reduce, products_have_gradients_of_gradients) {
    check_twice(products, TERN_SHAPE(2, 3), TERN_SHAPE(4, 3));
}

Test(ops_reduce, convolution_and_pooling_have_gradients_of_gradients) {
    check_twice(convolved, TERN_SHAPE(1, 2, 5, 5), TERN_SHAPE(3, 2, 3, 3));
}
