/* Pooling: one launch forward and one backward, gradients with overlapping windows, bad indices. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    cr_assert_eq(tern_close(ctx), TERN_OK);
}
TestSuite(pooling, .init = open_context, .fini = close_context);

/* A pooling with windows of `numbers` and a stride, or (stride 0) to that size. */
typedef struct row {
    const char *name; /* without the dimension */
    int64_t number, stride;
    int launches, backward; /* 0: as many as it takes */
} row;

static const row rows[] = {
    {"max_pool", 3, 2, 1, 1},          {"max_pool", 2, 1, 1, 1},
    {"avg_pool", 3, 2, 1, 1},          {"avg_pool", 2, 1, 1, 1},
    {"adaptive_max_pool", 2, 0, 1, 1}, {"adaptive_avg_pool", 2, 0, 1, 1},
    {"adaptive_max_pool", 3, 0, 0, 1}, {"adaptive_avg_pool", 3, 0, 0, 0},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

typedef struct setting {
    const row *row;
    int spatial;
} setting;

static tern_tensor *pool(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const setting *s = user;
    char name[64];
    snprintf(name, sizeof name, "nn.functional.%s%dd", s->row->name, s->spatial);
    tern_value args[] = {tern_tensor_value(in[0]), tern_int(s->row->number),
                         tern_int(s->row->stride)};
    tern_value out = tern_call(own, name, args, s->row->stride ? 3 : 2, tern_none());
    cr_assert_eq(tern_check(own), TERN_OK, "%s: %s", name, tern_error(own));
    return out.as.tensor;
}

/* [2, 2, 4..], no two elements equal, and none within a finite difference of another. */
static tern_tensor *input(int spatial, tern_dtype dtype) {
    tern_shape shape = {2, {2, 2}};
    int64_t count = 4;
    for (int d = 0; d < spatial; d++) count *= shape.dim[shape.rank++] = 4;
    int64_t order[256];
    for (int64_t i = 0; i < count; i++) order[i] = i * 37 % count; /* 37 is prime to powers of 2 */
    tern_tensor *x = tern_from_data(ctx, order, TERN_SHAPE(count), TERN_INT64);
    x = tern_mul_scalar(tern_to_dtype(x, dtype), 0.125);
    return tern_requires_grad(tern_detach(tern_reshape(x, shape)), true);
}

static uint64_t launches(void) {
    return tern_stats_of(ctx).launches;
}

static void check_launches(const row *r, int spatial) {
    setting s = {r, spatial};
    tern_tensor *x = input(spatial, TERN_FLOAT32), *grad;
    uint64_t before = launches();
    tern_tensor *y = pool(ctx, &x, 1, &s);
    int forward = (int)(launches() - before);
    tern_tensor *seed = tern_detach(tern_cos(y));
    before = launches();
    tern_grad(&y, 1, &x, 1, &seed, 0, &grad);
    int backward = (int)(launches() - before);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert(!r->launches || forward == r->launches, "%s%dd: %d launches", r->name, spatial,
              forward);
    cr_assert(!r->backward || backward == r->backward, "%s%dd: %d launches backward", r->name,
              spatial, backward);
}

Test(pooling, is_one_launch_forward_and_one_backward) {
    for (int i = 0; i < 3 * N_ROWS; i++) check_launches(&rows[i / 3], i % 3 + 1);
}

Test(pooling, derivatives_and_their_own_are_right) {
    for (int i = 0; i < 3 * N_ROWS; i++) {
        setting s = {&rows[i / 3], i % 3 + 1};
        tern_tensor *x = input(s.spatial, TERN_FLOAT64);
        tern_gradcheck(ctx, pool, &s, &x, 1, 1e-6, 1e-5, 1e-3);
        if (s.spatial < 3) tern_gradgradcheck(ctx, pool, &s, &x, 1, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s%dd: %s", s.row->name, s.spatial,
                     tern_error(ctx));
    }
}

static void expect_gradient(setting *s, tern_shape shape, const double *x, int64_t count,
                            const double *want) {
    double got[16];
    tern_tensor *in = tern_from_data(ctx, x, shape, TERN_FLOAT64), *grad;
    in = tern_requires_grad(in, true);
    tern_tensor *y = tern_sum(pool(ctx, &in, 1, s));
    tern_grad(&y, 1, &in, 1, NULL, 0, &grad);
    tern_to_doubles(grad, got, (size_t)count);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    for (int64_t i = 0; i < count; i++)
        cr_assert_eq(got[i], want[i], "%s%dd: element %d got %g, not %g", s->row->name, s->spatial,
                     (int)i, got[i], want[i]);
}

/* Windows of 2 by 1: an element gets 1 for every window in which it wins. */
Test(pooling, an_element_gets_the_gradient_of_each_window_once) {
    static const double line[] = {1, 5, 2, 3}, plane[] = {0, 1, 2, 3, 9, 4, 5, 6, 7};
    static const double cube[] = {1, 2, 3, 4, 5, 6, 7, 8};
    expect_gradient(&(setting){&rows[1], 1}, TERN_SHAPE(1, 1, 4), line, 4, (double[]){0, 2, 0, 1});
    expect_gradient(&(setting){&rows[1], 2}, TERN_SHAPE(1, 1, 3, 3), plane, 9,
                    (double[]){0, 0, 0, 0, 4, 0, 0, 0, 0});
    expect_gradient(&(setting){&rows[1], 3}, TERN_SHAPE(1, 2, 2, 2), cube, 8,
                    (double[]){0, 0, 0, 0, 0, 0, 0, 1});
    expect_gradient(&(setting){&rows[3], 1}, TERN_SHAPE(1, 1, 4), line, 4,
                    (double[]){0.5, 1, 1, 0.5});
    expect_gradient(&(setting){&rows[3], 2}, TERN_SHAPE(1, 1, 3, 3), plane, 9,
                    (double[]){0.25, 0.5, 0.25, 0.5, 1, 0.5, 0.25, 0.5, 0.25});
    row uneven = {"adaptive_max_pool", 3, 0, 0, 0};
    expect_gradient(&(setting){&uneven, 1}, TERN_SHAPE(1, 1, 4), line, 4, (double[]){0, 2, 0, 1});
}

Test(pooling, an_index_outside_of_the_input_is_refused) {
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(1, 1, 4, 4), TERN_FLOAT32);
    tern_tensor *grad = tern_ones(ctx, TERN_SHAPE(1, 1, 2, 2), TERN_FLOAT32);
    tern_tensor *indices = tern_to_dtype(tern_mul_scalar(grad, 16), TERN_INT64);
    tern_value args[] = {tern_tensor_value(grad),
                         tern_tensor_value(x),
                         tern_int(2),
                         tern_int(2),
                         tern_int(0),
                         tern_int(1),
                         tern_bool(false),
                         tern_tensor_value(indices)};
    tern_call(ctx, "max_pool2d_with_indices_backward", args, 8, tern_none());
    cr_assert_neq(tern_check(ctx), TERN_OK);
    cr_assert(strstr(tern_error(ctx), "index 16 is out of bounds"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}

Test(pooling, windows_that_do_not_belong_to_a_gradient_are_refused) {
    tern_tensor *grad = tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32);
    tern_tensor *indices = tern_zeros(ctx, TERN_SHAPE(1, 2), TERN_INT64);
    tern_value args[] = {tern_tensor_value(grad),
                         tern_tensor_value(indices),
                         tern_int(4),
                         tern_int(INT64_MAX),
                         tern_int(INT64_MAX),
                         tern_int(0),
                         tern_int(1),
                         tern_int(1)};
    tern_call(ctx, "_max_pool_gradient", args, 8, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
}
