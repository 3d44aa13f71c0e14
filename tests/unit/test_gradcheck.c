/* Gradient checks: that they pass right gradients and find wrong ones. */
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
}

TestSuite(gradcheck, .init = open_context, .fini = close_context);

static tern_tensor *leaf(int64_t rows, int64_t columns, double first, double step) {
    double data[64];
    for (int64_t i = 0; i < rows * columns; i++) data[i] = first + step * (double)i;
    tern_tensor *t = tern_from_data(ctx, data, TERN_SHAPE(rows, columns), TERN_FLOAT64);
    return tern_requires_grad(t, true);
}

static tern_status check(tern_grad_fn fn, tern_tensor *const *inputs, int count) {
    return tern_gradcheck(ctx, fn, NULL, inputs, count, 1e-6, 1e-5, 1e-3);
}

static tern_status check_twice(tern_grad_fn fn, tern_tensor *const *inputs, int count) {
    return tern_gradgradcheck(ctx, fn, NULL, inputs, count, 1e-6, 1e-5, 1e-3);
}

static tern_tensor *mixture(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count, (void)user;
    return tern_div(tern_mul(tern_sin(in[0]), in[1]), tern_add_scalar(tern_exp(in[1]), 1));
}

Test(gradcheck, a_right_gradient_passes_and_inputs_are_as_before) {
    tern_tensor *in[] = {leaf(2, 3, -1, 0.37), leaf(1, 3, 0.5, 0.21)};
    double before[6], after[6];
    tern_to_doubles(in[0], before, 6);
    cr_assert_eq(check(mixture, in, 2), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(check_twice(mixture, in, 2), TERN_OK, "%s", tern_error(ctx));
    tern_to_doubles(in[0], after, 6);
    cr_assert(memcmp(before, after, sizeof before) == 0);
    cr_assert_null(tern_grad_of(in[0]));
}

/* x * y, whose gradient by x is hidden from the graph. */
static tern_tensor *wrong(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count, (void)user;
    return tern_add(tern_mul(tern_detach(in[0]), in[1]), tern_mul_scalar(in[0], 0));
}

Test(gradcheck, a_wrong_gradient_is_named_by_input_and_element) {
    tern_tensor *in[] = {leaf(1, 2, 1, 1), leaf(1, 2, 3, 1)};
    cr_assert_eq(check(wrong, in, 2), TERN_ERR_STATE);
    cr_assert(strstr(tern_error(ctx), "output element 0 with respect to input 0, element 0"), "%s",
              tern_error(ctx));
    cr_assert(strstr(tern_error(ctx), "numerical 3"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    cr_assert_float_eq(tern_item(tern_select(tern_select(in[0], 0, 0), 0, 0)), 1, 0);
}

/* The first gradient is right; its own gradient by y is lost. */
static tern_tensor *wrong_later(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count, (void)user;
    tern_tensor *frozen = tern_detach(in[0]);
    tern_tensor *slope = tern_mul(frozen, tern_mul_scalar(frozen, 3));
    return tern_mul(slope, tern_sub(in[0], frozen)); /* 0, with the slope of x^3 */
}

static tern_tensor *wrong_later_whole(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    tern_tensor *cube = tern_pow_scalar(tern_detach(in[0]), 3);
    return tern_add(cube, wrong_later(c, in, count, user));
}

Test(gradcheck, a_wrong_second_gradient_is_found_by_gradgradcheck_alone) {
    tern_tensor *in[] = {leaf(1, 2, 1, 0.5)};
    cr_assert_eq(check(wrong_later_whole, in, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(check_twice(wrong_later_whole, in, 1), TERN_ERR_STATE);
}

static tern_tensor *first_alone(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count, (void)user;
    return tern_square(in[0]);
}

Test(gradcheck, an_input_that_is_not_used_has_gradient_zero) {
    tern_tensor *in[] = {leaf(1, 2, 1, 1), leaf(1, 2, 3, 1)};
    cr_assert_eq(check(first_alone, in, 2), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(check_twice(first_alone, in, 2), TERN_OK, "%s", tern_error(ctx));
}

Test(gradcheck, inputs_that_cannot_be_checked_are_named) {
    tern_tensor *plain = tern_detach(leaf(1, 2, 1, 1));
    cr_assert_eq(check(first_alone, &plain, 1), TERN_ERR_ARGUMENT);
    cr_assert(strstr(tern_error(ctx), "requires_grad"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    float data[] = {1, 2};
    tern_tensor *single = tern_from_data(ctx, data, TERN_SHAPE(2), TERN_FLOAT32);
    tern_requires_grad(single, true);
    tern_tensor *in[] = {leaf(1, 2, 1, 1), single};
    cr_assert_eq(check(first_alone, in, 2), TERN_ERR_ARGUMENT);
    cr_assert(strstr(tern_error(ctx), "input 1 is float32"), "%s", tern_error(ctx));
}

/* A parameter that the function holds by itself is moved as well. */
static tern_tensor *held(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)in, (void)count;
    return tern_square(*(tern_tensor **)user);
}

Test(gradcheck, a_parameter_held_by_the_function_is_checked_too) {
    tern_tensor *parameter = leaf(1, 3, 0.5, 0.5);
    cr_assert_eq(tern_gradcheck(ctx, held, &parameter, &parameter, 1, 1e-6, 1e-5, 1e-3), TERN_OK,
                 "%s", tern_error(ctx));
}

Test(gradcheck, nothing_is_left_behind) {
    tern_tensor *in[] = {leaf(2, 3, -1, 0.37), leaf(1, 3, 0.5, 0.21)};
    check_twice(mixture, in, 2);
    uint64_t held_bytes = tern_stats_of(ctx).device_bytes;
    check_twice(mixture, in, 2);
    cr_assert_eq(tern_stats_of(ctx).device_bytes, held_bytes);
}
