/* The norms: launches, the same bits fused and composed, derivatives, statistics. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    tern_close(ctx);
}
TestSuite(fused_norm, .init = open_context, .fini = close_context);

static void check(const char *what) {
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", what, tern_error(ctx));
}

/* ---- the functions over one set of inputs: x [n, c, s], weight and bias [c] or [s] ---- */

typedef struct norm_case {
    const char *name; /* of the function; "rms_norm" has no bias */
    int groups;       /* group_norm */
    bool last;        /* parameters are over the last dimension, not over channels */
    bool weight, bias;
    bool running;
} norm_case;

static const norm_case cases[] = {
    {"layer_norm", 0, true, true, true, false},
    {"layer_norm", 0, true, true, false, false},
    {"layer_norm", 0, true, false, true, false},
    {"layer_norm", 0, true, false, false, false},
    {"rms_norm", 0, true, true, false, false},
    {"rms_norm", 0, true, false, false, false},
    {"group_norm", 2, false, true, true, false},
    {"group_norm", 4, false, false, false, false},
    {"batch_norm", 0, false, true, true, false},
    {"batch_norm", 0, false, false, false, false},
    {"instance_norm", 0, false, true, true, false},
    {"instance_norm", 0, false, false, false, false},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static tern_tensor *apply_to(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                             const norm_case *c) {
    char name[64] = "nn.functional.";
    tern_value args[8] = {tern_tensor_value(x)}, last = tern_list_new(ctx);
    tern_value w = weight ? tern_tensor_value(weight) : tern_none();
    tern_value b = bias ? tern_tensor_value(bias) : tern_none();
    int n = 1;
    tern_list_append(last, tern_int(tern_shape_of(x).dim[tern_rank(x) - 1]));
    if (c->last) args[n++] = last;
    if (c->groups) args[n++] = tern_int(c->groups);
    if (!c->last && !c->groups) args[n++] = tern_none(), args[n++] = tern_none();
    args[n++] = w;
    if (strcmp(c->name, "rms_norm") != 0) args[n++] = b;
    if (!c->last && !c->groups) args[n++] = tern_bool(true);
    tern_value out = tern_call(ctx, strcat(name, c->name), args, n, tern_none());
    check(c->name);
    return out.as.tensor;
}

static double pseudo(int64_t i) {
    return sin((double)i * 12.9898) * 2 + (double)(i % 5) * 0.25;
}

static tern_tensor *numbers(tern_shape shape, tern_dtype dtype, int64_t from) {
    static double data[4096];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    for (int64_t i = 0; i < count; i++) data[i] = pseudo(i + from);
    return tern_to_dtype(tern_from_data(ctx, data, shape, TERN_FLOAT64), dtype);
}

static tern_tensor *leaf(tern_tensor *x) {
    return tern_requires_grad(tern_detach(x), true);
}

/* The value and the gradients of what requires one, in the order x, weight, bias; how many. */
static int value_and_gradients(const norm_case *c, tern_tensor *x, tern_tensor *seed,
                               tern_dtype of_parameters, tern_tensor **out) {
    tern_shape own = {1, {tern_shape_of(x).dim[c->last ? tern_rank(x) - 1 : 1]}};
    tern_tensor *inputs[3] = {leaf(x)};
    tern_tensor *w = c->weight ? leaf(numbers(own, of_parameters, 100)) : NULL;
    tern_tensor *b = c->bias ? leaf(numbers(own, of_parameters, 200)) : NULL;
    int n = 1;
    if (w) inputs[n++] = w;
    if (b) inputs[n++] = b;
    out[0] = apply_to(inputs[0], w, b, c);
    tern_grad(&out[0], 1, inputs, n, &seed, 0, out + 1);
    check(c->name);
    return 1 + n;
}

static void expect_same_bits(const norm_case *c, tern_tensor *a, tern_tensor *b, int which) {
    static char x[1 << 16], y[1 << 16];
    size_t bytes = (size_t)tern_numel(a) * tern_dtype_size(tern_dtype_of(a));
    cr_assert_eq(tern_dtype_of(a), tern_dtype_of(b));
    cr_assert_eq(tern_to_host(a, x, bytes), TERN_OK);
    cr_assert_eq(tern_to_host(b, y, bytes), TERN_OK);
    /* One NaN is as good as another. */
    tern_tensor *lost = tern_isnan(a);
    cr_assert(tern_equal(lost, tern_isnan(b)), "%s, result %d: NaN elsewhere", c->name, which);
    if (tern_item(tern_any(lost)) != 0) {
        for (int s = 0; s < 2; s++) {
            tern_tensor *known = tern_where(lost, tern_zeros_like(a), s ? b : a);
            cr_assert_eq(tern_to_host(known, s ? y : x, bytes), TERN_OK);
        }
    }
    cr_assert_eq(memcmp(x, y, bytes), 0, "%s (%s%s), result %d: other bits composed", c->name,
                 c->weight ? "w" : "", c->bias ? "b" : "", which);
}

static void expect_fused_is_composed(const norm_case *c, tern_tensor *x, tern_tensor *seed,
                                     tern_dtype of_parameters) {
    tern_tensor *fused[4], *composed[4];
    int n = value_and_gradients(c, x, seed, of_parameters, fused);
    tern_set_composed(ctx, "norm", true);
    value_and_gradients(c, x, seed, of_parameters, composed);
    tern_set_composed(ctx, "norm", false);
    for (int k = 0; k < n; k++) expect_same_bits(c, fused[k], composed[k], k);
}

/* ---- launches ---- */

Test(fused_norm, forward_is_one_launch_and_backward_another) {
    for (int i = 0; i < N_CASES; i++) {
        const norm_case *c = &cases[i];
        if (c->bias && !c->weight) continue; /* its weight of ones is filled */
        tern_tensor *x = leaf(numbers(TERN_SHAPE(3, 4, 5), TERN_FLOAT32, 0)), *inputs[3] = {x};
        tern_tensor *seed = numbers(TERN_SHAPE(3, 4, 5), TERN_FLOAT32, 50), *grads[3];
        tern_shape own = {1, {c->last ? 5 : 4}};
        int n = 1;
        tern_tensor *w = c->weight ? inputs[n++] = leaf(numbers(own, TERN_FLOAT32, 1)) : NULL;
        tern_tensor *b = c->bias ? inputs[n++] = leaf(numbers(own, TERN_FLOAT32, 2)) : NULL;
        uint64_t start = tern_stats_of(ctx).launches;
        tern_tensor *y = apply_to(x, w, b, c);
        uint64_t middle = tern_stats_of(ctx).launches;
        tern_grad(&y, 1, inputs, n, &seed, 0, grads);
        check(c->name);
        cr_assert_eq(middle - start, 1, "%s: %d launches", c->name, (int)(middle - start));
        cr_assert_eq(tern_stats_of(ctx).launches - middle, 1, "%s: %d launches backward", c->name,
                     (int)(tern_stats_of(ctx).launches - middle));
    }
}

/* ---- bits ---- */

Test(fused_norm, bits_are_those_of_the_composition) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    static const tern_shape shapes[] = {
        {3, {3, 4, 5}}, {3, {2, 4, 37}}, {4, {2, 4, 3, 6}}, {3, {1, 4, 300}}, {3, {7, 4, 2}}};
    for (int i = 0; i < N_CASES; i++)
        for (int d = 0; d < 4; d++)
            for (int s = 0; s < 5; s++) {
                tern_scope scope = tern_scope_begin(ctx, 0);
                tern_tensor *x = numbers(shapes[s], dtypes[d], 0);
                tern_tensor *seed = numbers(shapes[s], dtypes[d], 500);
                expect_fused_is_composed(&cases[i], x, seed, dtypes[d]);
                tern_scope_end(scope);
            }
}

Test(fused_norm, bits_are_the_same_for_views) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_BFLOAT16};
    for (int i = 0; i < N_CASES; i++)
        for (int d = 0; d < 2; d++) {
            tern_tensor *x = numbers(TERN_SHAPE(4, 6, 33), dtypes[d], 0);
            tern_tensor *flat = numbers(TERN_SHAPE(33, 4, 6), dtypes[d], 9);
            tern_tensor *row = numbers(TERN_SHAPE(1, 4, 1), dtypes[d], 30);
            tern_tensor *turned = tern_permute(x, TERN_SHAPE(2, 0, 1));
            expect_fused_is_composed(&cases[i], turned, flat, dtypes[d]);
            expect_fused_is_composed(&cases[i], flat, turned, dtypes[d]);
            tern_tensor *spread = tern_expand(row, TERN_SHAPE(33, 4, 6));
            expect_fused_is_composed(&cases[i], spread, flat, dtypes[d]);
            expect_fused_is_composed(&cases[i], flat, spread, dtypes[d]);
        }
}

Test(fused_norm, bits_are_the_same_at_edges) {
    static const double edges[] = {INFINITY, -INFINITY, (double)NAN, 1e38, -0.0, 0, 1e-40, 3e4};
    for (int i = 0; i < N_CASES; i++)
        for (size_t e = 0; e < sizeof edges / sizeof edges[0]; e++)
            for (int d = 0; d < 2; d++) {
                tern_dtype dtype = d ? TERN_FLOAT16 : TERN_FLOAT32;
                tern_tensor *x = numbers(TERN_SHAPE(2, 4, 6), dtype, 3);
                tern_tensor *seed = numbers(TERN_SHAPE(2, 4, 6), dtype, 70);
                tern_fill_in_place(tern_select(tern_select(x, 0, 1), 0, 2), edges[e]);
                expect_fused_is_composed(&cases[i], x, seed, dtype);
            }
}

/* Layer norm over everything: no dimension is left to sum a weight's gradient over. */
Test(fused_norm, bits_are_the_same_without_rows) {
    const norm_case *layer = &cases[0], *rms = &cases[4];
    tern_tensor *x = numbers(TERN_SHAPE(5), TERN_FLOAT16, 0);
    tern_tensor *seed = tern_mul_scalar(numbers(TERN_SHAPE(5), TERN_FLOAT16, 7), -0.0);
    expect_fused_is_composed(layer, x, seed, TERN_FLOAT16);
    expect_fused_is_composed(rms, x, seed, TERN_FLOAT16);
    x = numbers(TERN_SHAPE(5, 1), TERN_FLOAT32, 0);
    expect_fused_is_composed(layer, x, numbers(TERN_SHAPE(5, 1), TERN_FLOAT32, 7), TERN_FLOAT32);
}

Test(fused_norm, nothing_to_normalise_gives_gradients_of_zero) {
    const norm_case *layer = &cases[0];
    tern_tensor *out[4], *x = numbers(TERN_SHAPE(0, 4), TERN_FLOAT32, 0);
    cr_assert_eq(value_and_gradients(layer, x, x, TERN_FLOAT32, out), 4);
    cr_assert_eq(tern_numel(out[1]), 0);
    cr_assert(tern_equal(out[2], tern_zeros(ctx, TERN_SHAPE(4), TERN_FLOAT32)));
}

Test(fused_norm, parameters_of_another_dtype_are_composed_in_the_wider_one) {
    for (int i = 0; i < N_CASES; i++) {
        tern_tensor *x = numbers(TERN_SHAPE(3, 4, 5), TERN_BFLOAT16, 0), *out[4], *wide[4];
        tern_tensor *seed = numbers(TERN_SHAPE(3, 4, 5), TERN_BFLOAT16, 60);
        tern_dtype f32 = TERN_FLOAT32;
        int n = value_and_gradients(&cases[i], x, seed, f32, out);
        value_and_gradients(&cases[i], tern_to_dtype(x, f32), tern_to_dtype(seed, f32), f32, wide);
        for (int k = 0; k < n; k++) {
            cr_assert_eq(tern_dtype_of(out[k]), k < 2 ? TERN_BFLOAT16 : f32);
            expect_same_bits(&cases[i], out[k], tern_to_dtype(wide[k], tern_dtype_of(out[k])), k);
        }
    }
}

/* ---- derivatives ---- */

static tern_tensor *function(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    const norm_case *c = user;
    (void)own, (void)count;
    int n = 1;
    tern_tensor *w = c->weight ? in[n++] : NULL, *b = c->bias ? in[n] : NULL;
    return apply_to(in[0], w, b, c);
}

/* The statistics of a native form: 1 the mean, 2 the inverse deviation. */
static tern_tensor *statistic(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)count;
    tern_value last = tern_list_new(own);
    tern_list_append(last, tern_int(5));
    tern_value args[] = {tern_tensor_value(in[0]), last, tern_tensor_value(in[1]), tern_none(),
                         tern_float(1e-5)};
    tern_value all = tern_call(own, "native_layer_norm", args, 5, tern_none());
    return tern_value_at(all, *(size_t *)user).as.tensor;
}

static void check_derivatives(tern_grad_fn fn, void *user, tern_tensor **in, int n,
                              const char *name) {
    tern_gradcheck(ctx, fn, user, in, n, 1e-6, 1e-5, 1e-3);
    check(name);
    tern_gradgradcheck(ctx, fn, user, in, n, 1e-6, 1e-5, 1e-3);
    check(name);
}

static void check_all_derivatives(void) {
    for (int i = 0; i < N_CASES; i++) {
        const norm_case *c = &cases[i];
        tern_shape own = {1, {c->last ? 3 : 4}};
        tern_tensor *in[3] = {leaf(numbers(TERN_SHAPE(2, 4, 3), TERN_FLOAT64, 0))};
        int n = 1;
        if (c->weight) in[n++] = leaf(numbers(own, TERN_FLOAT64, 1));
        if (c->bias) in[n++] = leaf(numbers(own, TERN_FLOAT64, 2));
        check_derivatives(function, (void *)(uintptr_t)c, in, n, c->name);
    }
    for (size_t which = 0; which < 3; which++) {
        tern_tensor *in[2] = {leaf(numbers(TERN_SHAPE(2, 5), TERN_FLOAT64, 0)),
                              leaf(numbers(TERN_SHAPE(5), TERN_FLOAT64, 9))};
        check_derivatives(statistic, &which, in, 2, "native_layer_norm");
    }
}

Test(fused_norm, derivatives_and_their_own_are_right) {
    check_all_derivatives();
}

Test(fused_norm, derivatives_of_the_composition_are_right) {
    tern_set_composed(ctx, "norm", true);
    check_all_derivatives();
}

/* Of the results the gradient needs the statistics alone. */
Test(fused_norm, the_graph_does_not_keep_the_output) {
    tern_tensor *x = leaf(numbers(TERN_SHAPE(3, 4, 64), TERN_FLOAT32, 0));
    tern_tensor *y = apply_to(x, NULL, NULL, &cases[9]);
    uint64_t bytes = tern_stats_of(ctx).device_bytes, own = sizeof(float) * 3 * 4 * 64;
    tern_drop(y);
    cr_assert_leq(tern_stats_of(ctx).device_bytes + own, bytes);
}

/* ---- running statistics ---- */

static tern_tensor *train(const char *name, tern_tensor *x, tern_tensor *mean, tern_tensor *var) {
    tern_value args[] = {
        tern_tensor_value(x), tern_tensor_value(mean), tern_tensor_value(var), tern_none(),
        tern_none(),          tern_bool(true),         tern_float(0.25)};
    return tern_call(ctx, name, args, 7, tern_none()).as.tensor;
}

static void expect_near(tern_tensor *a, tern_tensor *b) {
    double most = tern_item(tern_max(tern_abs(tern_sub(a, b))));
    cr_assert_lt(most, 1e-6, "%g apart", most);
}

/* From 0 and 1: 0.75 old + 0.25 fresh, the variance unbiased. */
static void expect_running(tern_tensor *x, tern_tensor *mean, tern_tensor *var, bool of_batch) {
    tern_shape dims = of_batch ? TERN_SHAPE(0, 2) : TERN_SHAPE(2);
    tern_tensor *fresh = tern_mean_dims(x, dims, false);
    tern_value args[] = {tern_tensor_value(x), tern_ints(dims.dim, (size_t)dims.rank)};
    tern_tensor *spread = tern_call(ctx, "var", args, 2, tern_none()).as.tensor;
    if (!of_batch) fresh = tern_mean_dims(fresh, TERN_SHAPE(0), false);
    if (!of_batch) spread = tern_mean_dims(spread, TERN_SHAPE(0), false);
    expect_near(mean, tern_mul_scalar(fresh, 0.25));
    tern_tensor *wanted = tern_add_scalar(tern_mul_scalar(spread, 0.25), 0.75);
    expect_near(var, wanted);
}

Test(fused_norm, running_statistics_move_in_one_launch) {
    static const char *const names[] = {"nn.functional.batch_norm", "nn.functional.instance_norm"};
    for (int i = 0; i < 2; i++)
        for (int composed = 0; composed < 2; composed++) {
            tern_tensor *x = numbers(TERN_SHAPE(3, 4, 5), TERN_FLOAT32, 0);
            tern_tensor *mean = tern_zeros(ctx, TERN_SHAPE(4), TERN_FLOAT32);
            tern_tensor *var = tern_ones(ctx, TERN_SHAPE(4), TERN_FLOAT32);
            tern_to_dtype(tern_add(mean, var), TERN_FLOAT64); /* they are settled */
            tern_set_composed(ctx, "all", composed);
            uint64_t versions = tern_version(mean) + tern_version(var);
            uint64_t before = tern_stats_of(ctx).launches;
            train(names[i], x, mean, var);
            check(names[i]);
            uint64_t launches = tern_stats_of(ctx).launches - before;
            cr_assert_eq(tern_version(mean) + tern_version(var), versions + 2);
            cr_assert(composed || i || launches == 2, "%d launches", (int)launches);
            expect_running(x, mean, var, i == 0);
        }
    tern_set_composed(ctx, "all", false);
}

Test(fused_norm, running_statistics_may_be_views_of_any_dtype_and_one_of_them_alone) {
    tern_tensor *x = numbers(TERN_SHAPE(3, 4, 5), TERN_FLOAT32, 0);
    tern_tensor *both = tern_zeros(ctx, TERN_SHAPE(4, 2), TERN_FLOAT64);
    tern_tensor *mean = tern_select(both, 1, 0), *var = tern_select(both, 1, 1);
    tern_fill_in_place(var, 1);
    train("nn.functional.batch_norm", x, mean, var);
    check("strided");
    x = tern_to_dtype(x, TERN_FLOAT64);
    expect_running(x, mean, var, true);

    tern_tensor *alone = tern_ones(ctx, TERN_SHAPE(4), TERN_BFLOAT16);
    tern_value args[] = {tern_tensor_value(x), tern_none(), tern_tensor_value(alone),
                         tern_none(),          tern_none(), tern_bool(true),
                         tern_float(0.25)};
    tern_call(ctx, "nn.functional.batch_norm", args, 7, tern_none());
    check("alone");
    cr_assert(tern_equal(alone, tern_to_dtype(var, TERN_BFLOAT16)));
}

/* ---- refusals ---- */

Test(fused_norm, shapes_that_do_not_belong_together_are_refused) {
    tern_tensor *x = numbers(TERN_SHAPE(2, 3), TERN_FLOAT32, 0);
    tern_tensor *short_one = numbers(TERN_SHAPE(1, 2), TERN_FLOAT32, 0);
    static const int64_t last[] = {1}, shape[] = {1, 3};
    tern_value forward[] = {tern_tensor_value(x), tern_ints(last, 1), tern_tensor_value(short_one),
                            tern_none(), tern_float(1e-5)};
    tern_call(ctx, "_norm", forward, 5, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    tern_value backward[] = {tern_tensor_value(x),         tern_tensor_value(x), tern_none(),
                             tern_tensor_value(short_one), tern_none(),          tern_ints(last, 1),
                             tern_ints(shape, 2),          tern_int(7)};
    tern_call(ctx, "_norm_gradient", backward, 8, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    train("nn.functional.instance_norm", x, NULL, NULL);
    cr_assert(strstr(tern_error(ctx), "more than 1 spatial element"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    apply_to(tern_reshape(x, TERN_SHAPE(1, 2, 3)), NULL, NULL, &cases[3]);
    check("layer_norm");
}
