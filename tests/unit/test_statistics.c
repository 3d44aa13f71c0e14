/* Statistics at their edges: NaN, one element, ties, empty and weighted bins, uneven coordinates, and errors. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(statistics, .init = open_context, .fini = close_context);

static tern_tensor *vector(const double *values, int64_t count) {
    return tern_from_data(ctx, values, TERN_SHAPE(count), TERN_FLOAT64);
}
#define VECTOR(...)                                                                                \
    vector((const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void expect_doubles(tern_tensor *t, const double *expected, int count, const char *what) {
    double got[16] = {0};
    cr_assert_eq(tern_to_doubles(t, got, (size_t)count), TERN_OK, "%s: %s", what, tern_error(ctx));
    for (int i = 0; i < count; i++)
        cr_assert_float_eq(got[i], expected[i], 1e-12, "%s: element %d is %.17g, not %.17g", what,
                           i, got[i], expected[i]);
}
#define EXPECT(t, ...)                                                                             \
    expect_doubles(t, (const double[]){__VA_ARGS__},                                               \
                   (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)), #t)

static void expect_error(const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}

Test(statistics, quantiles_with_and_without_nan) {
    tern_tensor *q = VECTOR(0, 0.5, 1);
    EXPECT(tern_quantile(VECTOR(3, 1, 2, 4), q, 0, false), 1, 2.5, 4);
    EXPECT(tern_nanquantile(VECTOR(3, NAN, 1), q, 0, false), 1, 2, 3);
    EXPECT(tern_quantile(VECTOR(7), q, 0, false), 7, 7, 7);
    cr_assert(isnan(tern_item(tern_sum(tern_quantile(VECTOR(3, NAN, 1), q, 0, false)))));
    tern_quantile(VECTOR(1, 2), VECTOR(1.5), 0, false);
    expect_error("q must be from 0 to 1, got 1.5");
}

Test(statistics, the_mode_is_the_smallest_of_the_most_frequent) {
    tern_tensor *at;
    EXPECT(tern_mode(VECTOR(3, 1, 3, 1, 2), 0, false, &at), 1);
    cr_assert_eq(tern_item(at), 3, "where it is last");
    tern_mode(tern_zeros(ctx, TERN_SHAPE(2, 0), TERN_FLOAT64), 1, false, NULL);
    expect_error("has no elements");
}

Test(statistics, bins_hold_their_lower_edge_and_the_last_one_both) {
    tern_tensor *edges;
    EXPECT(tern_histogram(VECTOR(0, 1, 2, 3, 4), 2, &edges), 2, 3);
    EXPECT(edges, 0, 2, 4);
    EXPECT(tern_histogram(VECTOR(5, 5), 2, &edges), 0, 2);
    EXPECT(edges, 4.5, 5, 5.5);
    tern_histogram(VECTOR(1, NAN), 2, NULL);
    expect_error("a finite range");
}

Test(statistics, covariances_and_correlations) {
    double numbers[] = {1, 2, 3, 6, 4, 2};
    tern_tensor *x = tern_from_data(ctx, numbers, TERN_SHAPE(2, 3), TERN_FLOAT64);
    EXPECT(tern_cov(x, 1), 1, -2, -2, 4);
    EXPECT(tern_corrcoef(x), 1, -1, -1, 1);
}

Test(statistics, differences_of_a_parabola_are_exact_inside) {
    tern_tensor *x = VECTOR(0, 1, 3, 4, 6), *list = tern_square(x);
    tern_value at = tern_list_new(ctx);
    tern_list_append(at, tern_tensor_value(x));
    tern_value args[] = {tern_tensor_value(list), at, tern_none(), tern_int(2)};
    tern_value all = tern_call(ctx, "gradient", args, 4, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    EXPECT(tern_value_at(all, 0).as.tensor, 0, 2, 6, 8, 12);
    EXPECT(tern_gradient(VECTOR(0, 1, 4, 9), 1, 0), 1, 2, 4, 5);
}

Test(statistics, places_and_distances) {
    tern_value at = tern_unravel_index(tern_arange_i64(ctx, 4), TERN_SHAPE(2, 2));
    EXPECT(tern_value_at(at, 0).as.tensor, 0, 0, 1, 1);
    EXPECT(tern_value_at(at, 1).as.tensor, 0, 1, 0, 1);
    EXPECT(tern_broadcast_shapes(ctx, TERN_SHAPE(2, 1), TERN_SHAPE(5)), 2, 5);
    double points[] = {0, 0, 3, 4, 0, 1};
    EXPECT(tern_pdist(tern_from_data(ctx, points, TERN_SHAPE(3, 2), TERN_FLOAT64), 2), 5, 1,
           sqrt(18));
    EXPECT(tern_fftshift(VECTOR(0, 1, 2, 3, 4)), 3, 4, 0, 1, 2);
    EXPECT(tern_ifftshift(tern_fftshift(VECTOR(0, 1, 2, 3, 4))), 0, 1, 2, 3, 4);
    tern_tensor *exponent;
    EXPECT(tern_frexp(VECTOR(12, -0.25, 0), &exponent), 0.75, -0.5, 0);
    EXPECT(exponent, 4, -1, 0);
}

/* ---- grids, fractions, bags ---- */

Test(statistics, the_grid_of_the_identity_reads_the_picture) {
    double pixels[] = {1, 2, 3, 4, 5, 6}, identity[] = {1, 0, 0, 0, 1, 0};
    tern_tensor *x = tern_from_data(ctx, pixels, TERN_SHAPE(1, 1, 2, 3), TERN_FLOAT64);
    tern_tensor *theta = tern_from_data(ctx, identity, TERN_SHAPE(1, 2, 3), TERN_FLOAT64);
    for (int align = 0; align < 2; align++) {
        tern_tensor *grid = tern_affine_grid(theta, TERN_SHAPE(1, 1, 2, 3), align);
        EXPECT(tern_grid_sample(x, grid, align), 1, 2, 3, 4, 5, 6);
    }
    tern_tensor *far = tern_full(ctx, TERN_SHAPE(1, 1, 2, 2), 9, TERN_FLOAT64);
    EXPECT(tern_grid_sample(x, far, false), 0, 0);
    tern_fill_in_place(far, NAN);
    EXPECT(tern_grid_sample(x, far, false), 0, 0);
    tern_grid_sample(x, tern_zeros(ctx, TERN_SHAPE(1, 2, 2, 3), TERN_FLOAT64), false);
    expect_error("a grid (N, [D,] H, W, 2 or 3)");
}

Test(statistics, fractional_windows_reach_both_ends) {
    tern_tensor *x =
        tern_reshape(tern_to_dtype(tern_arange_i64(ctx, 25), TERN_FLOAT64), TERN_SHAPE(1, 5, 5));
    for (int i = 0; i < 20; i++) {
        tern_tensor *out = tern_fractional_max_pool2d(x, TERN_SHAPE(2), TERN_SHAPE(3));
        cr_assert_eq(tern_item(tern_select(tern_select(out, 1, 2), 1, 2)), 24, "the last window");
        cr_assert_eq(tern_item(tern_select(tern_select(out, 1, 0), 1, 0)), 6, "the first window");
    }
    tern_fractional_max_pool2d(x, TERN_SHAPE(4), TERN_SHAPE(3));
    expect_error("a kernel of at most input - output + 1");
}

Test(statistics, empty_bags_are_zero) {
    double rows[] = {1, 2, 3, 4, 5, 6};
    int64_t at[] = {0, 2, 1}, starts[] = {0, 2, 2};
    tern_tensor *weight = tern_from_data(ctx, rows, TERN_SHAPE(3, 2), TERN_FLOAT64);
    tern_tensor *index = tern_from_data(ctx, at, TERN_SHAPE(3), TERN_INT64);
    tern_tensor *offsets = tern_from_data(ctx, starts, TERN_SHAPE(3), TERN_INT64);
    EXPECT(tern_embedding_bag(index, weight, offsets), 3, 4, 0, 0, 3, 4);
    tern_embedding_bag(index, weight, NULL);
    expect_error("1D with 1D offsets");
}
