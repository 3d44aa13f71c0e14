/* Softmax and log_softmax: one launch each way, and the bits of the steps one by one. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/tern.h"
#include "test_plugins.h"

static tern_ctx *ctx;

static void open_context(void) {
    find_test_plugins();
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    tern_close(ctx);
    forget_test_plugins();
}
TestSuite(fused_softmax, .init = open_context, .fini = close_context);

static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
static const char *const names[] = {"softmax", "log_softmax"};

typedef struct how {
    const char *name;
    int dim;
    tern_dtype dtype; /* TERN_DTYPE_DEFAULT: the input's */
} how;

static tern_tensor *apply(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const how *h = user;
    tern_value args[] = {tern_tensor_value(in[0]), tern_int(h->dim)}, named = tern_none();
    if (h->dtype != TERN_DTYPE_DEFAULT) {
        named = tern_dict_new(c, false);
        tern_dict_set(named, "dtype", tern_dtype_value(h->dtype));
    }
    return tern_call(c, h->name, args, 2, named).as.tensor;
}

/* Values of every size, laid out by `layout`: 0 row-major, 1 transposed, 2 expanded. */
static tern_tensor *values(tern_shape shape, int layout, tern_dtype dtype, int64_t seed) {
    tern_manual_seed(ctx, seed);
    int last = shape.rank - 1;
    if (layout == 1 && shape.rank > 1) {
        int64_t swap = shape.dim[0];
        shape.dim[0] = shape.dim[last];
        shape.dim[last] = swap;
    } else if (layout == 2 && shape.rank > 0) {
        shape.dim[0] = 1;
    }
    tern_tensor *x = tern_to_dtype(
        tern_mul_scalar(tern_to_dtype(tern_randn(ctx, shape, NULL), TERN_FLOAT64), 3), dtype);
    return layout == 1 && shape.rank > 1 ? tern_transpose(x, 0, last) : x;
}

/* The value and the gradient of a call. */
static void both(const how *h, tern_tensor *x, tern_tensor *g, bool composed, tern_tensor **out) {
    tern_set_composed(ctx, "softmax,log_softmax", composed);
    tern_tensor *leaf = tern_requires_grad(tern_detach(x), true);
    out[0] = apply(ctx, &leaf, 1, (void *)(uintptr_t)h);
    tern_grad(&out[0], 1, &leaf, 1, &g, 0, &out[1]);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", h->name, tern_error(ctx));
}

/* Every NaN is one value. */
static bool same_bits(tern_tensor *a, tern_tensor *b) {
    size_t count = (size_t)tern_numel(a);
    double *x = calloc(count + 1, sizeof *x), *y = calloc(count + 1, sizeof *y);
    tern_to_doubles(a, x, count);
    tern_to_doubles(b, y, count);
    bool same = tern_dtype_of(a) == tern_dtype_of(b);
    for (size_t i = 0; i < count; i++)
        same = same && ((isnan(x[i]) && isnan(y[i])) || memcmp(&x[i], &y[i], sizeof *x) == 0);
    free(x);
    free(y);
    return same;
}

static void check_bits(const how *h, tern_tensor *x, tern_tensor *g, const char *what) {
    tern_tensor *fused[2], *composed[2];
    both(h, x, g, false, fused);
    both(h, x, g, true, composed);
    for (int i = 0; i < 2; i++)
        cr_assert(same_bits(fused[i], composed[i]), "%s along %d of %s: the %s differs", h->name,
                  h->dim, what, i ? "gradient" : "value");
}

/* Sizes on both sides of the lanes of a sum, 8 and 32 of float32. */
static const tern_shape shapes[] = {
    {0, {0}},          {1, {1}},          {1, {7}},        {1, {300}},      {2, {3, 5}},
    {2, {40, 9}},      {2, {9, 40}},      {2, {70, 67}},   {3, {4, 33, 3}}, {3, {2, 50, 37}},
    {4, {2, 3, 4, 5}}, {4, {2, 1, 9, 1}}, {3, {2, 1, 12}}, {2, {0, 4}},     {2, {4, 0}},
};

Test(fused_softmax, has_the_bits_of_its_steps) {
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int k = 0; k < 3 * 4 * 2; k++) {
            how h = {names[k % 2], 0, TERN_DTYPE_DEFAULT};
            tern_dtype dtype = dtypes[k / 2 % 4];
            tern_scope scope = tern_scope_begin(ctx, 0);
            tern_tensor *x = values(shapes[s], k / 8, dtype, 1);
            x = tern_expand(x, shapes[s]);
            tern_tensor *g = tern_expand(values(shapes[s], k / 8, dtype, 2), shapes[s]);
            char what[64];
            snprintf(what, sizeof what, "shape %d, layout %d, dtype %d", (int)s, k / 8, (int)dtype);
            for (h.dim = 0; h.dim < shapes[s].rank || h.dim == 0; h.dim++)
                check_bits(&h, x, g, what);
            tern_scope_end(scope);
        }
}

Test(fused_softmax, has_the_bits_of_its_steps_for_special_values) {
    static const double data[][4] = {{INFINITY, 1, 2, 3},    {-INFINITY, -INFINITY, -INFINITY, 0},
                                     {NAN, 1, 2, INFINITY},  {-INFINITY, 700, -700, 1e300},
                                     {0.0, -0.0, 0.0, -0.0}, {1e-40, -1e-40, 5e-324, 88}};
    tern_tensor *x = tern_from_data(ctx, data, TERN_SHAPE(6, 4), TERN_FLOAT64);
    for (int k = 0; k < 8; k++) {
        tern_tensor *narrow = tern_to_dtype(x, dtypes[k / 2]);
        for (int dim = 0; dim < 2; dim++)
            check_bits(&(how){names[k % 2], dim, TERN_DTYPE_DEFAULT}, narrow, narrow,
                       "special values");
    }
}

static void check_launches(const char *device, const how *h, tern_dtype dtype, uint64_t wanted) {
    tern_ctx *own = tern_open(device);
    tern_tensor *x = tern_to_dtype(tern_randn(own, TERN_SHAPE(3, 4, 5), NULL), dtype), *dx;
    x = tern_requires_grad(tern_detach(x), true);
    tern_tensor *g = tern_to_dtype(tern_randn(own, TERN_SHAPE(3, 4, 5), NULL),
                                   h->dtype == TERN_DTYPE_DEFAULT ? dtype : h->dtype);
    uint64_t before = tern_stats_of(own).launches;
    tern_tensor *y = apply(own, &x, 1, (void *)(uintptr_t)h);
    uint64_t middle = tern_stats_of(own).launches;
    tern_grad(&y, 1, &x, 1, &g, 0, &dx);
    uint64_t after = tern_stats_of(own).launches;
    cr_assert_eq(tern_check(own), TERN_OK, "%s", tern_error(own));
    cr_assert_eq(middle - before, wanted, "%s on %s: %d launches", h->name, device,
                 (int)(middle - before));
    cr_assert_eq(after - middle, wanted, "%s on %s: %d launches backward", h->name, device,
                 (int)(after - middle));
    cr_assert_eq(tern_dtype_of(dx), dtype);
    tern_close(own);
}

Test(fused_softmax, is_one_launch_forward_and_one_backward) {
    static const char *const devices[] = {"cpu_ref", "counting"};
    for (int k = 0; k < 16; k++)
        check_launches(devices[k / 8], &(how){names[k % 2], 1, TERN_DTYPE_DEFAULT},
                       dtypes[k / 2 % 4], 1);
}

Test(fused_softmax, converts_within_the_launch_where_its_dtype_is_a_wider_one) {
    for (int k = 0; k < 2; k++) {
        check_launches("cpu_ref", &(how){names[k], 1, TERN_FLOAT32}, TERN_FLOAT16, 1);
        check_launches("cpu_ref", &(how){names[k], 1, TERN_FLOAT64}, TERN_FLOAT32, 1);
        check_launches("cpu_ref", &(how){names[k], 1, TERN_BFLOAT16}, TERN_FLOAT32, 2);
    }
    for (int k = 0; k < 2 * 4 * 4; k++) {
        how h = {names[k % 2], 1, dtypes[k / 8]};
        tern_shape shape = {2, {6, 40}};
        check_bits(&h, values(shape, 0, dtypes[k / 2 % 4], 1), values(shape, 0, h.dtype, 2),
                   "another dtype");
    }
}

Test(fused_softmax, has_the_derivatives_that_differences_give) {
    for (int k = 0; k < 12; k++) {
        how h = {names[k % 2], k / 2 % 3, TERN_DTYPE_DEFAULT};
        tern_set_composed(ctx, "softmax,log_softmax", k >= 6);
        tern_tensor *x =
            tern_requires_grad(values((tern_shape){3, {2, 3, 4}}, 0, TERN_FLOAT64, 5), true);
        cr_assert_eq(tern_gradcheck(ctx, apply, &h, &x, 1, 1e-6, 1e-5, 1e-3), TERN_OK, "%s",
                     tern_error(ctx));
        cr_assert_eq(tern_gradgradcheck(ctx, apply, &h, &x, 1, 1e-6, 1e-5, 1e-3), TERN_OK, "%s",
                     tern_error(ctx));
    }
}

Test(fused_softmax, refuses_a_gradient_of_another_shape) {
    tern_tensor *y = tern_randn(ctx, TERN_SHAPE(2, 3), NULL);
    tern_value args[] = {tern_tensor_value(tern_randn(ctx, TERN_SHAPE(3, 2), NULL)),
                         tern_tensor_value(y), tern_int(1), tern_dtype_value(TERN_FLOAT32)};
    tern_call(ctx, "_softmax_backward_data", args, 4, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
}
