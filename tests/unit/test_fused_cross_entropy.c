/* Cross entropy: one launch each way, the bits of the steps one by one, and targets out of range. */
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
TestSuite(fused_cross_entropy, .init = open_context, .fini = close_context);

static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
static const char *const reductions[] = {"none", "mean", "sum"};

typedef struct how {
    tern_tensor *target, *weight;
    const char *reduction;
    double smoothing;
    int64_t ignore_index;
} how;

/* Of the input, and where there are more of the target and the weights. */
static tern_tensor *loss_of(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    const how *h = user;
    tern_tensor *target = count > 1 ? in[1] : h->target, *weight = count > 2 ? in[2] : h->weight;
    tern_value args[] = {tern_tensor_value(in[0]), tern_tensor_value(target)};
    tern_value named = tern_dict_new(c, false);
    if (weight) tern_dict_set(named, "weight", tern_tensor_value(weight));
    tern_dict_set(named, "reduction", tern_text(h->reduction));
    tern_dict_set(named, "label_smoothing", tern_float(h->smoothing));
    tern_dict_set(named, "ignore_index", tern_int(h->ignore_index));
    return tern_call(c, "nn.functional.cross_entropy", args, 2, named).as.tensor;
}

static tern_tensor *randn(tern_ctx *c, tern_shape shape, tern_dtype dtype) {
    return tern_to_dtype(tern_mul_scalar(tern_randn(c, shape, NULL), 3), dtype);
}

/* Class indices for x: every class in turn, 0 among them. */
static tern_tensor *indices(tern_ctx *c, tern_shape x) {
    int64_t count = 1, classes = x.dim[x.rank > 1], *data;
    tern_shape shape = x;
    shape.rank--;
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = x.dim[d + 1];
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    data = calloc((size_t)count + 1, sizeof *data);
    for (int64_t i = 0; i < count; i++) data[i] = (i * 7 + 1) % classes;
    tern_tensor *target = tern_from_data(c, data, shape, TERN_INT64);
    free(data);
    return target;
}

/* Every NaN is one value. */
static bool same_bits(tern_tensor *a, tern_tensor *b) {
    size_t count = (size_t)tern_numel(a);
    double *x = calloc(count + 1, sizeof *x), *y = calloc(count + 1, sizeof *y);
    tern_to_doubles(a, x, count);
    tern_to_doubles(b, y, count);
    bool same = tern_dtype_of(a) == tern_dtype_of(b) && tern_rank(a) == tern_rank(b);
    for (size_t i = 0; i < count; i++)
        same = same && ((isnan(x[i]) && isnan(y[i])) || memcmp(&x[i], &y[i], sizeof *x) == 0);
    free(x);
    free(y);
    return same;
}

static void check_bits(const how *h, tern_tensor *x, const char *what) {
    tern_tensor *out[2], *grad[2], *seed = NULL;
    for (int composed = 0; composed < 2; composed++) {
        tern_set_composed(ctx, "cross_entropy", composed);
        tern_tensor *leaf = tern_requires_grad(tern_detach(x), true);
        out[composed] = loss_of(ctx, &leaf, 1, (void *)(uintptr_t)h);
        if (!composed) seed = tern_randn_like(out[0]);
        tern_grad(&out[composed], 1, &leaf, 1, &seed, 0, &grad[composed]);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", what, tern_error(ctx));
    }
    cr_assert(same_bits(out[0], out[1]), "%s: the loss differs", what);
    cr_assert(same_bits(grad[0], grad[1]), "%s: the gradient differs", what);
}

/* Sizes on both sides of the lanes of a sum, 8 and 32 of float32. */
static const tern_shape shapes[] = {
    {1, {7}},        {2, {3, 5}},        {2, {40, 9}},         {2, {1, 1}},
    {3, {2, 9, 37}}, {4, {2, 33, 2, 5}}, {5, {2, 3, 2, 3, 2}}, {2, {0, 4}},
};

static void check_shape(tern_shape shape, tern_dtype dtype, bool transposed, int options) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_manual_seed(ctx, 7);
    tern_tensor *x = randn(ctx, shape, dtype);
    int last = shape.rank - 1;
    if (transposed) x = tern_transpose(tern_contiguous(tern_transpose(x, 0, last)), 0, last);
    bool probabilities = options & 1;
    how h = {.target = probabilities ? tern_softmax(randn(ctx, shape, dtype), last > 0)
                                     : indices(ctx, shape),
             .smoothing = options & 2 ? 0.1 : 0,
             .ignore_index = options & 8 ? 0 : -100};
    if (options & 4) h.weight = tern_abs(randn(ctx, TERN_SHAPE(shape.dim[last > 0]), dtype));
    char what[96];
    snprintf(what, sizeof what, "rank %d, size %d, dtype %d, transposed %d, options %d", shape.rank,
             (int)tern_numel(x), (int)dtype, transposed, options);
    for (int r = 0; r < 3; r++) {
        h.reduction = reductions[r];
        check_bits(&h, x, what);
    }
    tern_scope_end(scope);
}

Test(fused_cross_entropy, has_the_bits_of_its_steps) {
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int k = 0; k < 8; k++)
            for (int options = 0; options < 16; options++)
                check_shape(shapes[s], dtypes[k / 2], k % 2, options);
}

Test(fused_cross_entropy, has_the_bits_of_its_steps_for_special_values) {
    static const double data[][3] = {{INFINITY, 1, 2}, {-INFINITY, -INFINITY, -INFINITY},
                                     {NAN, 1, 2},      {-INFINITY, 700, -700},
                                     {0.0, -0.0, 0.0}, {1e300, -1e300, 88}};
    for (int options = 0; options < 4; options++)
        for (int r = 0; r < 3; r++) {
            tern_tensor *x = tern_from_data(ctx, data, TERN_SHAPE(6, 3), TERN_FLOAT64);
            how h = {.target = indices(ctx, TERN_SHAPE(6, 3)),
                     .reduction = reductions[r],
                     .smoothing = options & 1 ? 0.2 : 0,
                     .ignore_index = 1};
            if (options & 2) h.target = tern_softmax(randn(ctx, TERN_SHAPE(6, 3), TERN_FLOAT64), 1);
            check_bits(&h, x, reductions[r]);
        }
}

Test(fused_cross_entropy, takes_an_ignored_element_as_nothing_whatever_it_holds) {
    static const double data[][3] = {{NAN, 1, 2}, {0, 0, 0}};
    static const int64_t target[] = {-100, 1};
    for (int composed = 0; composed < 2; composed++) {
        tern_set_composed(ctx, "all", composed);
        tern_tensor *x = tern_from_data(ctx, data, TERN_SHAPE(2, 3), TERN_FLOAT64), *dx;
        x = tern_requires_grad(x, true);
        tern_tensor *t = tern_from_data(ctx, target, TERN_SHAPE(2), TERN_INT64);
        tern_tensor *loss = tern_cross_entropy(x, t, TERN_MEAN);
        cr_assert_float_eq(tern_item(loss), log(3), 1e-12);
        tern_grad(&loss, 1, &x, 1, NULL, 0, &dx);
        double values[6];
        tern_to_doubles(dx, values, 6);
        for (int i = 0; i < 3; i++) cr_assert_eq(values[i], 0);
        cr_assert_float_eq(values[4], 1.0 / 3 - 1, 1e-12);
    }
}

static void check_launches(const char *device, tern_dtype dtype, int options) {
    tern_ctx *own = tern_open(device);
    tern_tensor *x = tern_requires_grad(randn(own, TERN_SHAPE(3, 5, 2), dtype), true), *dx;
    how h = {.target = indices(own, TERN_SHAPE(3, 5, 2)),
             .reduction = reductions[options % 3],
             .smoothing = options & 4 ? 0.1 : 0,
             .ignore_index = 0};
    if (options & 8) h.target = tern_abs(randn(own, TERN_SHAPE(3, 5, 2), dtype));
    if (options & 16) h.weight = tern_abs(randn(own, TERN_SHAPE(5), dtype));
    uint64_t before = tern_stats_of(own).launches;
    tern_tensor *loss = loss_of(own, &x, 1, &h);
    uint64_t middle = tern_stats_of(own).launches;
    tern_tensor *seed = tern_randn_like(loss);
    uint64_t seeded = tern_stats_of(own).launches;
    tern_grad(&loss, 1, &x, 1, &seed, 0, &dx);
    cr_assert_eq(tern_check(own), TERN_OK, "%s", tern_error(own));
    cr_assert_eq(middle - before, 1, "%s, options %d: %d launches", device, options,
                 (int)(middle - before));
    cr_assert_eq(tern_stats_of(own).launches - seeded, 1, "%s, options %d: %d launches backward",
                 device, options, (int)(tern_stats_of(own).launches - seeded));
    tern_close(own);
}

Test(fused_cross_entropy, is_one_launch_forward_and_one_backward) {
    for (int options = 0; options < 32; options++) {
        check_launches("cpu_ref", dtypes[options % 4], options);
        check_launches("counting", TERN_FLOAT32, options);
    }
}

Test(fused_cross_entropy, has_the_derivatives_that_differences_give) {
    for (int options = 0; options < 16; options++)
        for (int r = 0; r < 3; r++) {
            tern_scope scope = tern_scope_begin(ctx, 0);
            tern_set_composed(ctx, "cross_entropy", options & 8);
            tern_tensor *in[3] = {tern_randn(ctx, TERN_SHAPE(2, 3, 2), NULL)};
            in[1] = tern_softmax(tern_randn(ctx, TERN_SHAPE(2, 3, 2), NULL), 1);
            in[2] = tern_abs(tern_randn(ctx, TERN_SHAPE(3), NULL));
            for (int i = 0; i < 3; i++)
                in[i] = tern_requires_grad(tern_to_dtype(in[i], TERN_FLOAT64), true);
            how h = {.target = options & 1 ? tern_detach(in[1]) : indices(ctx, TERN_SHAPE(2, 3, 2)),
                     .weight = options & 2 ? tern_detach(in[2]) : NULL,
                     .reduction = reductions[r],
                     .smoothing = options & 4 ? 0.3 : 0,
                     .ignore_index = 0};
            tern_gradcheck(ctx, loss_of, &h, in, 1, 1e-6, 1e-5, 1e-3);
            tern_gradgradcheck(ctx, loss_of, &h, in, 1, 1e-6, 1e-5, 1e-3);
            /* the probabilities and the weights too */
            if (options & 1) tern_gradcheck(ctx, loss_of, &h, in, 3, 1e-6, 1e-5, 1e-3);
            cr_assert_eq(tern_check(ctx), TERN_OK, "options %d, %s: %s", options, reductions[r],
                         tern_error(ctx));
            tern_scope_end(scope);
        }
}

/* A target out of range is met by the kernel: the call returns, and the error comes when the host waits. */
Test(fused_cross_entropy, reports_a_target_that_is_out_of_range_without_waiting) {
    static const char *const devices[] = {"cpu_ref", "discrete", "delaying"};
    static const int64_t target[] = {1, 7};
    for (int d = 0; d < 3; d++) {
        tern_ctx *own = tern_open(devices[d]);
        tern_tensor *x = tern_randn(own, TERN_SHAPE(2, 5), NULL);
        tern_tensor *t = tern_from_data(own, target, TERN_SHAPE(2), TERN_INT64);
        tern_tensor *loss = tern_cross_entropy(x, t, TERN_MEAN);
        cr_assert(d == 0 || tern_error(own)[0] == 0, "%s: %s", devices[d], tern_error(own));
        tern_item(loss);
        cr_assert_eq(tern_check(own), TERN_ERR_INDEX, "%s", devices[d]);
        cr_assert(strstr(tern_error(own), "Target 7 is out of bounds."), "%s", tern_error(own));
        tern_error_clear(own);
        tern_close(own);
    }
}

Test(fused_cross_entropy, refuses_operands_that_do_not_go_together) {
    tern_tensor *x = tern_requires_grad(tern_randn(ctx, TERN_SHAPE(2, 3), NULL), true);
    tern_tensor *y =
        tern_requires_grad(tern_softmax(tern_randn(ctx, TERN_SHAPE(2, 3), NULL), 1), true);
    tern_tensor *wide = tern_randn(ctx, TERN_SHAPE(3, 3), NULL), *dx;
    tern_value args[] = {tern_tensor_value(x), tern_tensor_value(y), tern_tensor_value(wide),
                         tern_int(0),          tern_int(0),          tern_float(0)};
    tern_call(ctx, "_cross_entropy", args, 6, tern_none());
    cr_assert(strstr(tern_error(ctx), "weight tensor should be defined"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    args[2] = tern_none();
    tern_value out = tern_call(ctx, "_cross_entropy", args, 6, tern_none());
    tern_tensor *loss = tern_sum(tern_value_at(out, 0).as.tensor);
    tern_grad(&loss, 1, &x, 1, NULL, 0, &dx);
    cr_assert(strstr(tern_error(ctx), "get no gradient"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}
