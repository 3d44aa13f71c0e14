/* Calls that no program makes, of the right kinds: found by tests/faults/hostile. */
#include <criterion/criterion.h>
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

TestSuite(ops_hostile, .init = open_context, .fini = close_context);

static void expect_error(tern_status status, const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    cr_assert_eq(tern_error_clear(ctx), status);
}

static tern_value named(const char *name, tern_value value) {
    tern_value dict = tern_dict_new(ctx, false);
    tern_dict_set(dict, name, value);
    return dict;
}

static tern_value call(const char *name, const tern_value *positional, int count, tern_value dict) {
    return tern_call(ctx, name, positional, count, dict);
}
#define CALL(name, dict, ...)                                                                      \
    call(name, (const tern_value[]){__VA_ARGS__},                                                  \
         (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)), dict)
#define T(t) tern_tensor_value(t)

static tern_tensor *integers(int64_t a, int64_t b) {
    return tern_from_data(ctx, (const int64_t[]){a, b}, TERN_SHAPE(1, 1, 2), TERN_INT64);
}

Test(ops_hostile, a_dtype_that_is_none_is_refused) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32);
    CALL("cumsum", named("dtype", tern_dtype_value((tern_dtype)99)), T(x), tern_int(0));
    expect_error(TERN_ERR_ARGUMENT, "cumsum: 99 is not a dtype");
    tern_to_dtype(x, (tern_dtype)-2);
    expect_error(TERN_ERR_ARGUMENT, "-2 is not a dtype");
    tern_ones(ctx, TERN_SHAPE(2), (tern_dtype)TERN_DTYPE_COUNT);
    expect_error(TERN_ERR_ARGUMENT, "10 is not a dtype");
}

Test(ops_hostile, a_failed_call_in_place_gives_none) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32);
    tern_value result =
        CALL("add_", tern_none(), T(x), T(tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32)));
    cr_assert_eq(result.kind, TERN_VALUE_NONE);
    cr_assert_neq(tern_error_clear(ctx), TERN_OK);
}

Test(ops_hostile, xlog1py_takes_two_numbers) {
    tern_value result = CALL("special.xlog1py", tern_none(), tern_int(2), tern_float(0));
    cr_assert_eq(result.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_item(result.as.tensor), 0);
}

Test(ops_hostile, sums_of_integers_in_windows_wrap) {
    tern_tensor *x = integers(INT64_MAX, 2), *w = integers(3, INT64_MIN);
    tern_value out = CALL("nn.functional.conv1d", tern_none(), T(x), T(w));
    cr_assert_eq(tern_item_i64(out.as.tensor), INT64_MAX - 2, "%s", tern_error(ctx));
    out = CALL("nn.functional.avg_pool1d", tern_none(), T(x), tern_int(2));
    cr_assert_eq(tern_item_i64(out.as.tensor), (INT64_MIN + 1) / 2, "%s", tern_error(ctx));
}

Test(ops_hostile, pools_have_one_to_three_dimensions) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 1, 2), TERN_FLOAT32);
    static const int64_t spatial[] = {INT64_MIN, INT64_MAX, INT64_C(1) << 32 | 1, 4, 0};
    for (int i = 0; i < 5; i++) {
        CALL("_max_pool", tern_none(), T(x), tern_int(1), tern_none(), tern_int(0), tern_int(1),
             tern_bool(false), tern_int(spatial[i]));
        cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
    }
}

Test(ops_hostile, a_pivot_of_the_least_number_is_refused) {
    tern_tensor *lu = tern_ones(ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
    tern_tensor *pivots =
        tern_from_data(ctx, (const int64_t[]){INT64_MIN, 1}, TERN_SHAPE(2), TERN_INT64);
    CALL("lu_unpack", tern_none(), T(lu), T(pivots));
    expect_error(TERN_ERR_INDEX, "a pivot is -9223372036854775808, and there are 2 rows");
}

/* As long a batch as there is takes no time where its matrices have no elements. */
Test(ops_hostile, long_batches_of_empty_matrices_are_done_at_once) {
    static const char *const names[] = {"linalg.svdvals", "linalg.qr", "linalg.eigvalsh", "geqrf",
                                        "linalg.matrix_exp"};
    tern_tensor *x = tern_empty(ctx, TERN_SHAPE(INT64_C(1) << 40, 0, 0), TERN_FLOAT32);
    for (int i = 0; i < 5; i++) {
        tern_value out = CALL(names[i], tern_none(), T(x));
        cr_assert_neq(out.kind, TERN_VALUE_NONE, "%s: %s", names[i], tern_error(ctx));
    }
}

Test(ops_hostile, the_gradient_of_a_polygamma_of_the_highest_order) {
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT64), true);
    tern_value out = CALL("_polygamma", tern_none(), tern_int(INT64_MAX), T(x));
    cr_assert_eq(tern_backward(out.as.tensor), TERN_OK, "%s", tern_error(ctx));
}

Test(ops_hostile, a_grid_of_more_places_than_a_number_holds_is_refused) {
    static const int64_t size[] = {1, 1, INT64_C(1) << 62, 4};
    tern_tensor *theta = tern_ones(ctx, TERN_SHAPE(1, 2, 3), TERN_FLOAT32);
    CALL("nn.functional.affine_grid", tern_none(), T(theta), tern_ints(size, 4));
    expect_error(TERN_ERR_OUT_OF_MEMORY, "");
}

Test(ops_hostile, a_window_of_one_tap_has_any_dilation) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 1, 4), TERN_FLOAT32);
    tern_value out = CALL("nn.functional.max_pool1d", named("dilation", tern_int(INT64_MAX)), T(x),
                          tern_int(1), tern_int(1));
    cr_assert_eq(out.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_numel(out.as.tensor), 4);
}

Test(ops_hostile, what_repeats_nothing_is_done_at_once) {
    tern_tensor *x = tern_empty(ctx, TERN_SHAPE(0, INT64_C(1) << 40), TERN_FLOAT32);
    tern_value out = CALL("repeat_interleave", tern_none(), T(x), tern_int(0), tern_int(1));
    cr_assert_eq(out.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_size(out.as.tensor, 1), 0);
    CALL("repeat_interleave", tern_none(), T(x), tern_int(INT64_C(1) << 40), tern_int(1));
    cr_assert_neq(tern_error_clear(ctx), TERN_OK);
    CALL("repeat_interleave", tern_none(), T(x), tern_int(-1), tern_int(1));
    expect_error(TERN_ERR_ARGUMENT, "repeats must be non-negative");
    out = CALL("diff", tern_none(), T(x), tern_int(INT64_C(1) << 39));
    cr_assert_eq(out.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_size(out.as.tensor, 1), INT64_C(1) << 39);
}

Test(ops_hostile, a_range_of_more_numbers_than_can_be_counted_is_refused) {
    CALL("arange", tern_none(), tern_int(0), tern_int(INT64_MIN), tern_int(-1));
    expect_error(TERN_ERR_ARGUMENT, "possible overflow");
}

Test(ops_hostile, transforms_of_nothing_are_done_at_once) {
    tern_shape size = TERN_SHAPE(INT64_C(1) << 40, 4, 0);
    tern_tensor *x = tern_empty(ctx, size, TERN_FLOAT32);
    tern_value out = CALL("fft.fft", tern_none(), T(x), tern_none(), tern_int(1));
    cr_assert_eq(out.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_numel(out.as.tensor), 0);
}

Test(ops_hostile, a_text_of_several_lines_is_told_in_one) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_einsum("...i, j\n\t-> ...j", &x, 1);
    expect_error(TERN_ERR_ARGUMENT, "in equation '...i, j?"
                                    "?-> ...j'");
}

Test(ops_hostile, more_pairs_than_can_be_counted_are_refused) {
    tern_tensor *x = tern_empty(ctx, TERN_SHAPE(INT64_C(1) << 40, 0), TERN_FLOAT32);
    CALL("nn.functional.pdist", tern_none(), T(x));
    cr_assert_neq(tern_error_clear(ctx), TERN_OK);
}
