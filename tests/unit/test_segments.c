/* Segments of a dimension: empty ones, what lies outside, ties, NaN, and lengths and offsets that do not fit; and the
 * bits of hashes. */
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

TestSuite(segments, .init = open_context, .fini = close_context);

#define COUNT(type, ...) (sizeof((const type[]){__VA_ARGS__}) / sizeof(type))
#define VECTOR(...)                                                                                \
    tern_from_data(ctx, (const double[]){__VA_ARGS__}, TERN_SHAPE(COUNT(double, __VA_ARGS__)),     \
                   TERN_FLOAT64)
#define INTS(...)                                                                                  \
    tern_from_data(ctx, (const int64_t[]){__VA_ARGS__}, TERN_SHAPE(COUNT(int64_t, __VA_ARGS__)),   \
                   TERN_INT64)

static void expect_doubles(tern_tensor *t, const double *expected, size_t count, const char *what) {
    double got[16] = {0};
    cr_assert_eq(tern_to_doubles(t, got, count), TERN_OK, "%s: %s", what, tern_error(ctx));
    for (size_t i = 0; i < count; i++)
        cr_assert(got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i])),
                  "%s: element %zu is %.17g, not %.17g", what, i, got[i], expected[i]);
}
#define EXPECT(t, ...)                                                                             \
    expect_doubles(t, (const double[]){__VA_ARGS__}, COUNT(double, __VA_ARGS__), #t)

static void expect_error(const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}

/* By name, with keywords. */
static tern_tensor *call(tern_tensor *data, const char *reduce, const char *key, tern_tensor *given,
                         const char *more, tern_value value) {
    tern_value named = tern_dict_new(ctx, true);
    tern_value args[2] = {tern_tensor_value(data), tern_text(reduce)};
    tern_dict_set(named, key, tern_tensor_value(given));
    if (more) tern_dict_set(named, more, value);
    tern_value result = tern_call(ctx, "segment_reduce", args, 2, named);
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(ctx);
}

Test(segments, an_empty_one_is_what_it_begins_with) {
    tern_tensor *x = VECTOR(1, 3, 2, -4), *lengths = INTS(2, 0, 2);
    EXPECT(tern_segment_reduce(x, "sum", lengths, 0), 4, 0, -2);
    EXPECT(tern_segment_reduce(x, "mean", lengths, 0), 2, NAN, -1);
    EXPECT(tern_segment_reduce(x, "prod", lengths, 0), 3, 1, -8);
    EXPECT(tern_segment_reduce(x, "max", lengths, 0), 3, -INFINITY, 2);
    EXPECT(tern_segment_reduce(x, "min", lengths, -1), 1, INFINITY, -4);
    EXPECT(call(x, "mean", "lengths", lengths, "initial", tern_int(2)), 3, 2, 0);
    EXPECT(call(x, "max", "lengths", lengths, "initial", tern_float(2.5)), 3, 2.5, 2.5);
    cr_assert_eq(
        tern_numel(tern_segment_reduce(tern_zeros(ctx, TERN_SHAPE(0, 3), TERN_FLOAT32), "sum",
                                       tern_zeros(ctx, TERN_SHAPE(0), TERN_INT64), 0)),
        0);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

Test(segments, offsets_and_unsafe_lengths_may_leave_elements_out) {
    tern_tensor *x = VECTOR(1, 2, 3, 4, 5);
    EXPECT(call(x, "sum", "offsets", INTS(1, 2, 2, 4), NULL, tern_none()), 2, 0, 7);
    EXPECT(call(x, "prod", "offsets", tern_to_dtype(INTS(3, 5), TERN_INT32), NULL, tern_none()),
           20);
    EXPECT(call(x, "sum", "lengths", INTS(1, 2), "unsafe", tern_bool(true)), 1, 5);
    cr_assert_eq(tern_numel(call(x, "sum", "offsets", INTS(2), NULL, tern_none())), 0);
    call(x, "sum", "lengths", INTS(4, 2), "unsafe", tern_bool(true));
    tern_synchronize(ctx);
    expect_error("out of bounds");
}

Test(segments, equal_extremes_share_whatever_the_sign) {
    tern_tensor *x = tern_requires_grad(VECTOR(3, 3, 1, 5, 5, NAN, 5), true);
    tern_tensor *out = tern_segment_reduce(x, "max", INTS(3, 4), 0);
    EXPECT(out, 3, NAN);
    tern_backward_with(out, VECTOR(4, -6), 0);
    EXPECT(tern_grad_of(x), 2, 2, 0, 0, 0, -6, 0);
    x = tern_requires_grad(VECTOR(3, 3, 1), true);
    tern_backward_with(tern_segment_reduce(x, "max", INTS(3), 0), VECTOR(-4), 0);
    EXPECT(tern_grad_of(x), -2, -2, 0);
}

Test(segments, a_product_has_the_gradient_of_the_others) {
    tern_tensor *x = tern_requires_grad(VECTOR(2, 0, 3, 0, 0, 4, NAN, 5), true);
    tern_tensor *out = call(x, "prod", "lengths", INTS(3, 3, 2), "initial", tern_int(2));
    EXPECT(out, 0, 0, NAN);
    tern_backward(tern_sum(out));
    EXPECT(tern_grad_of(x), 0, 12, 0, 0, 0, 0, 10, NAN);
}

Test(segments, what_does_not_fit_is_said) {
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32), *wide;
    tern_segment_reduce(x, "sum", INTS(2, 1), 0);
    expect_error("to sum to data.size(axis)");
    tern_segment_reduce(x, "sum", INTS(3, -1), 0);
    expect_error("lengths contains negative value");
    tern_segment_reduce(x, "sum", INTS(INT64_MAX, INT64_MAX, 4), 0);
    expect_error("lengths contains negative value");
    tern_segment_reduce(x, "sum", VECTOR(2), 0);
    expect_error("Expected dtype int64 or int32 for lengths, but got float64");
    tern_segment_reduce(x, "sum", INTS(3), 1);
    expect_error("axis to be the last dimension of lengths");
    wide = tern_zeros(ctx, TERN_SHAPE(3, 1), TERN_INT64);
    tern_segment_reduce(x, "sum", wide, 1);
    expect_error("lengths [3, 1] and data [2, 3]");
    tern_segment_reduce(x, "amax", INTS(2), 0);
    expect_error("either sum, mean, prod, max or min, got amax");
    tern_segment_reduce(x, "sum", NULL, 0);
    expect_error("Either lengths or offsets must be defined");
    tern_segment_reduce(tern_to_dtype(x, TERN_INT64), "sum", INTS(2), 0);
    expect_error("a floating dtype");
    tern_segment_reduce(tern_sum(x), "sum", INTS(1), 0);
    expect_error("axis to be the last dimension");
    call(x, "sum", "indices", INTS(0, 1), NULL, tern_none());
    expect_error("give lengths or offsets");
    call(x, "sum", "offsets", INTS(0, 2, 1), NULL, tern_none());
    expect_error("offsets must ascend");
    call(x, "sum", "offsets", INTS(-1, 2), NULL, tern_none());
    expect_error("offsets must ascend from 0");
    call(x, "sum", "offsets", INTS(0, 3), NULL, tern_none());
    expect_error("offsets must not go beyond");
    call(x, "sum", "offsets", tern_zeros(ctx, TERN_SHAPE(0), TERN_INT64), NULL, tern_none());
    expect_error("an end for the last segment");
}

/* ---- hashes ---- */

static void expect_bits(tern_tensor *t, const int64_t *expected, size_t count, const char *what) {
    int64_t got[8] = {0};
    cr_assert_eq(tern_to_host(t, got, count * sizeof *got), TERN_OK, "%s: %s", what,
                 tern_error(ctx));
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(got[i], expected[i], "%s: %016llx", what, (unsigned long long)got[i]);
}
#define BITS(t, ...) expect_bits(t, (const int64_t[]){__VA_ARGS__}, COUNT(int64_t, __VA_ARGS__), #t)

Test(segments, a_hash_has_all_bits_of_doubles_and_integers) {
    const float six[] = {1, 2, -1, 0, 0, 1.5f};
    tern_tensor *x = tern_from_data(ctx, six, TERN_SHAPE(2, 3), TERN_FLOAT32);
    BITS(tern_hash_tensor(VECTOR(-0.0), TERN_SHAPE(0), false), INT64_MIN);
    BITS(tern_hash_tensor(INTS(-1, 5), (tern_shape){0, {0}}, false), -6);
    BITS(tern_hash_tensor(x, TERN_SHAPE(0), false), 0x3ff0000000000000, 0x4000000000000000,
         INT64_MIN | 0x0008000000000000);
    BITS(tern_hash_tensor(x, TERN_SHAPE(-1), true), INT64_MIN | 0x4000000000000000,
         0x3ff8000000000000);
    cr_assert_eq(tern_rank(tern_hash_tensor(x, TERN_SHAPE(1), true)), 2);
    tern_hash_tensor(tern_zeros(ctx, TERN_SHAPE(2, 0), TERN_FLOAT32), (tern_shape){0, {0}}, false);
    expect_error("Expected reduction dim 1 to have non-zero size");
    tern_value args[] = {tern_tensor_value(x)};
    tern_value named = tern_dict_new(ctx, true);
    tern_dict_set(named, "mode", tern_int(1));
    tern_call(ctx, "hash_tensor", args, 1, named);
    expect_error("Unknown mode 1");
}
