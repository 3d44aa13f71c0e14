/*
 * Gradients of pooling in one to three dimensions, against differences of the values: windows that overlap, so
 * that an element gets several parts, paddings, dilations, and windows that are cut off.
 */
#define _GNU_SOURCE /* setenv */
#include <criterion/criterion.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "test_plugins.h"

TestSuite(pool_gradients, .init = find_test_plugins, .fini = forget_test_plugins);

typedef struct pooling {
    const char *op;
    int dims;
    int64_t kernel, stride, padding;
    tern_value more[3]; /* the arguments after the padding */
    int n_more;
} pooling;

static tern_tensor *pool(tern_ctx *ctx, tern_tensor *const *in, int count, void *user) {
    const pooling *p = user;
    (void)count;
    tern_value args[7] = {tern_tensor_value(in[0]), tern_int(p->kernel), tern_int(p->stride),
                          tern_int(p->padding)};
    for (int i = 0; i < p->n_more; i++) args[4 + i] = p->more[i];
    tern_value out = tern_call(ctx, p->op, args, 4 + p->n_more, tern_none());
    return out.kind == TERN_VALUE_TENSOR ? out.as.tensor : NULL;
}

/* One image of two channels, 5 x 4 x 3 or its first dimensions; no two elements are equal, nor so close that a
 * difference quotient changes which is the largest. */
static tern_tensor *image(tern_ctx *ctx, int dims) {
    double data[2 * 5 * 4 * 3];
    for (int i = 0; i < 120; i++) data[i] = (i * 37 % 127 - 60) * 0.125;
    tern_shape shape = {dims + 2, {1, 2, 5, 4, 3}};
    return tern_requires_grad(tern_from_data(ctx, data, shape, TERN_FLOAT64), true);
}

static void check(const char *device, const pooling *cases, size_t count) {
    tern_ctx *ctx = tern_open(device);
    for (size_t i = 0; i < count; i++) {
        pooling p = cases[i];
        tern_tensor *in[] = {image(ctx, p.dims)};
        cr_assert_eq(tern_gradcheck(ctx, pool, &p, in, 1, 1e-6, 1e-6, 1e-6), TERN_OK,
                     "%s, case %zu of %s: %s", device, i, p.op, tern_error(ctx));
        cr_assert_eq(tern_gradgradcheck(ctx, pool, &p, in, 1, 1e-6, 1e-6, 1e-6), TERN_OK,
                     "%s, case %zu of %s, twice: %s", device, i, p.op, tern_error(ctx));
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

static const char *const devices[] = {"cpu_ref", "discrete", "delaying", "minimal"};
enum { DEVICES = sizeof devices / sizeof *devices };

#define MAX_CASES(name, d)                                                                         \
    {name, d, 2, 2, 0, {{0}}, 0}, {name, d, 3, 1, 1, {{0}}, 0},                                    \
        {name, d, 2, 1, 0, {tern_int(2)}, 1}, {                                                    \
        name, d, 2, 2, 0, {tern_int(1), tern_bool(true)}, 2                                        \
    }

Test(pool_gradients, of_max_pooling_are_the_differences) {
    const pooling cases[] = {MAX_CASES("nn.functional.max_pool1d", 1),
                             MAX_CASES("nn.functional.max_pool2d", 2),
                             MAX_CASES("nn.functional.max_pool3d", 3)};
    for (int i = 0; i < DEVICES; i++) check(devices[i], cases, sizeof cases / sizeof *cases);
}

#define AVERAGE_CASES(name, d)                                                                     \
    {name, d, 2, 2, 0, {{0}}, 0}, {name, d, 3, 1, 1, {{0}}, 0},                                    \
        {name, d, 3, 1, 1, {tern_bool(false), tern_bool(false)}, 2}, {                             \
        name, d, 2, 2, 0, {tern_bool(true)}, 1                                                     \
    }

Test(pool_gradients, of_average_pooling_are_the_differences) {
    const pooling cases[] = {
        AVERAGE_CASES("nn.functional.avg_pool1d", 1),
        AVERAGE_CASES("nn.functional.avg_pool2d", 2),
        AVERAGE_CASES("nn.functional.avg_pool3d", 3),
        {"nn.functional.avg_pool2d",
         2,
         2,
         1,
         0,
         {tern_bool(false), tern_bool(true), tern_int(3)},
         3},
        {"nn.functional.avg_pool3d",
         3,
         2,
         1,
         0,
         {tern_bool(false), tern_bool(true), tern_int(3)},
         3},
    };
    for (int i = 0; i < DEVICES; i++) check(devices[i], cases, sizeof cases / sizeof *cases);
}

/* Every window's largest element gets that window's share, and no other element any. */
Test(pool_gradients, of_max_pooling_add_up_where_windows_share_the_largest) {
    tern_ctx *ctx = tern_open("cpu_ref");
    const float data[] = {1, 5, 2, 3, 9, 4};
    tern_tensor *x =
        tern_requires_grad(tern_from_data(ctx, data, TERN_SHAPE(1, 1, 6), TERN_FLOAT32), true);
    pooling p = {"nn.functional.max_pool1d", 1, 3, 1, 0, {{0}}, 0}; /* the largest: 5 5 9 9 */
    const float weights[] = {1, 10, 100, 1000};
    tern_tensor *w = tern_from_data(ctx, weights, TERN_SHAPE(1, 1, 4), TERN_FLOAT32);
    tern_backward(tern_sum(tern_mul(pool(ctx, &x, 1, &p), w)));
    float grad[6] = {0};
    const float expected[] = {0, 11, 0, 0, 1100, 0};
    tern_to_host(tern_grad_of(x), grad, sizeof grad);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    for (int i = 0; i < 6; i++) cr_assert_eq(grad[i], expected[i], "%d: %g", i, (double)grad[i]);
    tern_close(ctx);
}
