/* Embeddings: launches, the table's gradient fused and composed, its own derivative, bad indices. */
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
    cr_assert_eq(tern_close(ctx), TERN_OK);
}
TestSuite(fused_embedding, .init = open_context, .fini = close_context);

enum { ROWS = 5, WIDTH = 300, INDICES = 6 };
static const int64_t named[INDICES] = {3, 1, 3, 0, 3, 1};

typedef struct setting {
    int64_t padding; /* or NONE */
    bool by_frequency;
    tern_dtype index;
} setting;

#define NONE INT64_MIN
static const setting settings[] = {{NONE, false, TERN_INT64},
                                   {3, false, TERN_INT64},
                                   {-2, true, TERN_INT32},
                                   {NONE, true, TERN_INT64}};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static tern_tensor *lookup(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const setting *s = user;
    tern_tensor *index = tern_from_data(own, named, TERN_SHAPE(2, 3), TERN_INT64);
    tern_value args[] = {tern_tensor_value(tern_to_dtype(index, s->index)),
                         tern_tensor_value(in[0])};
    tern_value more = tern_dict_new(own, false);
    if (s->padding != NONE) tern_dict_set(more, "padding_idx", tern_int(s->padding));
    tern_dict_set(more, "scale_grad_by_freq", tern_bool(s->by_frequency));
    return tern_call(own, "nn.functional.embedding", args, 2, more).as.tensor;
}

static tern_tensor *weights(tern_dtype dtype, int64_t width) {
    tern_tensor *x = tern_sin(tern_linspace(ctx, 1, 40, ROWS * width));
    x = tern_reshape(x, TERN_SHAPE(ROWS, width));
    return tern_requires_grad(tern_detach(tern_to_dtype(x, dtype)), true);
}

/* A gradient with an infinity and a NaN, transposed. */
static tern_tensor *seed(tern_dtype dtype) {
    tern_tensor *x = tern_tan(tern_linspace(ctx, -1.5, 1.6, INDICES * WIDTH));
    x = tern_to_dtype(tern_reshape(x, TERN_SHAPE(WIDTH, 3, 2)), dtype);
    tern_fill_in_place(tern_narrow(x, 0, 7, 1), (double)INFINITY);
    tern_fill_in_place(tern_narrow(tern_narrow(x, 0, 9, 1), 1, 1, 1), (double)NAN);
    return tern_transpose(x, 0, 2);
}

static uint64_t launches(void) {
    return tern_stats_of(ctx).launches;
}

static int gradient(const setting *s, tern_dtype dtype, bool composed, double *out) {
    tern_tensor *w = weights(dtype, WIDTH), *g = seed(dtype), *grad;
    tern_set_composed(ctx, "embedding", composed);
    tern_tensor *y = lookup(ctx, &w, 1, (void *)(uintptr_t)s);
    uint64_t before = launches();
    tern_grad(&y, 1, &w, 1, &g, 0, &grad);
    uint64_t after = launches();
    tern_to_doubles(grad, out, (size_t)ROWS * WIDTH);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return (int)(after - before);
}

/* NaN is compared as NaN. */
static bool same(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

Test(fused_embedding, the_gradient_fused_equals_the_composed_bit_for_bit) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    static double fused[ROWS * WIDTH], composed[ROWS * WIDTH];
    for (int k = 0; k < 4 * SETTINGS; k++) {
        const setting *s = &settings[k / 4];
        int one = gradient(s, dtypes[k % 4], false, fused);
        int many = gradient(s, dtypes[k % 4], true, composed);
        cr_assert_leq(one, s->index == TERN_INT64 ? 2 : 3); /* the seed is copied to rows */
        cr_assert_gt(many, one);
        for (int i = 0; i < ROWS * WIDTH; i++)
            cr_assert(same(fused[i], composed[i]), "%s, setting %d, element %d: %g and %g",
                      tern_dtype_name(dtypes[k % 4]), k / 4, i, fused[i], composed[i]);
    }
}

Test(fused_embedding, is_one_launch_forward_and_one_backward) {
    tern_tensor *w = weights(TERN_FLOAT32, 4), *grad;
    for (int k = 0; k < SETTINGS; k++) {
        setting s = settings[k];
        s.index = TERN_INT64;
        uint64_t before = launches();
        tern_tensor *y = lookup(ctx, &w, 1, &s);
        cr_assert_eq(launches() - before, 1);
        tern_tensor *g = tern_detach(tern_cos(y));
        before = launches();
        tern_grad(&y, 1, &w, 1, &g, 0, &grad);
        cr_assert_eq(launches() - before, 1);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

Test(fused_embedding, sums_divides_and_leaves_out) {
    static const double want[SETTINGS][ROWS] = {
        {1, 2, 0, 3, 0}, {1, 2, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 1, 0, 1, 0}};
    double got[ROWS];
    for (int k = 0; k < SETTINGS; k++) {
        tern_tensor *w = weights(TERN_FLOAT32, 1), *grad;
        tern_tensor *y = tern_sum(lookup(ctx, &w, 1, (void *)(uintptr_t)&settings[k]));
        tern_grad(&y, 1, &w, 1, NULL, 0, &grad);
        tern_to_doubles(grad, got, ROWS);
        for (int i = 0; i < ROWS; i++)
            cr_assert_eq(got[i], want[k][i], "setting %d, row %d: %g", k, i, got[i]);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

static tern_tensor *backward_of(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const setting *s = user;
    tern_tensor *index = tern_from_data(own, named, TERN_SHAPE(2, 3), TERN_INT64);
    tern_value args[] = {tern_tensor_value(in[0]), tern_tensor_value(index), tern_int(ROWS),
                         tern_int(s->padding == NONE ? -1 : 3), tern_bool(s->by_frequency)};
    return tern_call(own, "embedding_dense_backward", args, 5, tern_none()).as.tensor;
}

Test(fused_embedding, derivatives_and_their_own_are_right) {
    for (int k = 0; k < 2 * SETTINGS; k++) {
        setting s = settings[k / 2];
        tern_set_composed(ctx, "embedding", k % 2);
        tern_tensor *w = weights(TERN_FLOAT64, 2);
        tern_tensor *g = tern_reshape(tern_linspace(ctx, -1, 1, 12), TERN_SHAPE(2, 3, 2));
        g = tern_requires_grad(tern_detach(tern_to_dtype(g, TERN_FLOAT64)), true);
        if (s.padding == NONE && !s.by_frequency) /* else the gradient is not the value's */
            tern_gradcheck(ctx, lookup, &s, &w, 1, 1e-6, 1e-5, 1e-3);
        tern_gradgradcheck(ctx, lookup, &s, &w, 1, 1e-6, 1e-5, 1e-3);
        tern_gradcheck(ctx, backward_of, &s, &g, 1, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "setting %d: %s", k / 2, tern_error(ctx));
    }
}

Test(fused_embedding, nothing_is_looked_up_and_the_gradient_is_zero) {
    tern_tensor *w = weights(TERN_FLOAT32, 3), *grad;
    tern_tensor *y = tern_embedding(tern_zeros(ctx, TERN_SHAPE(0, 2), TERN_INT64), w);
    cr_assert_eq(tern_numel(y), 0);
    y = tern_sum(y);
    tern_grad(&y, 1, &w, 1, NULL, 0, &grad);
    cr_assert_eq(tern_item(tern_sum(tern_abs(grad))), 0);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

static void expect_refusal(tern_tensor *result, const char *text) {
    (void)result;
    cr_assert_neq(tern_check(ctx), TERN_OK);
    cr_assert(strstr(tern_error(ctx), text), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}

Test(fused_embedding, an_index_outside_of_the_table_is_refused_in_pytorchs_words) {
    static const int64_t bad[] = {1, ROWS};
    tern_tensor *w = weights(TERN_FLOAT32, 3);
    tern_tensor *index = tern_from_data(ctx, bad, TERN_SHAPE(2), TERN_INT64);
    expect_refusal(tern_embedding(index, w), "index out of range in self");
    tern_value args[] = {tern_tensor_value(tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32)),
                         tern_tensor_value(index), tern_int(ROWS), tern_int(-1), tern_bool(false)};
    for (int composed = 0; composed < 2; composed++) {
        tern_set_composed(ctx, "embedding", composed);
        expect_refusal(tern_call(ctx, "embedding_dense_backward", args, 5, tern_none()).as.tensor,
                       "index out of range in self");
    }
    expect_refusal(tern_embedding(tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32), w),
                   "one of the following scalar types: Long, Int; but got");
}
