/* Creation and random numbers: dtypes, PyTorch's printed values, memory order, refusals. */
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
    ctx = NULL;
}

TestSuite(ops_create, .init = open_context, .fini = close_context);

static double at(tern_tensor *tensor, int64_t index) {
    return tern_item(tern_select(tern_reshape(tensor, TERN_SHAPE(-1)), 0, index));
}

static bool error_has(const char *text) {
    return strstr(tern_error(ctx), text) != NULL;
}

static tern_tensor *call(const char *name, const tern_value *args, int n) {
    tern_value result = tern_call(ctx, name, args, n, tern_none());
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(ctx);
}

Test(ops_create, full_takes_its_dtype_from_the_number) {
    int64_t size[] = {2};
    tern_value of_int[] = {tern_ints(size, 1), tern_int(3)};
    tern_value of_bool[] = {tern_ints(size, 1), tern_bool(true)};
    tern_value of_float[] = {tern_ints(size, 1), tern_float(3)};
    cr_assert_eq(tern_dtype_of(call("full", of_int, 2)), TERN_INT64);
    cr_assert_eq(tern_dtype_of(call("full", of_bool, 2)), TERN_BOOL);
    cr_assert_eq(tern_dtype_of(call("full", of_float, 2)), TERN_FLOAT32);
}

Test(ops_create, a_number_that_does_not_fit_its_dtype_is_refused) {
    tern_full(ctx, TERN_SHAPE(1), 300, TERN_INT8);
    cr_assert(error_has("full: value 300 cannot be converted to int8 without overflow"), "%s",
              tern_error(ctx));
}

Test(ops_create, a_negative_size_is_refused) {
    tern_zeros(ctx, TERN_SHAPE(2, -1), TERN_FLOAT32);
    cr_assert(error_has("negative dimension -1"), "%s", tern_error(ctx));
}

Test(ops_create, arange_rounds_as_pytorch_by_lanes) {
    tern_tensor *x = tern_arange(ctx, 0, 1, 0.02);
    cr_assert_eq(tern_numel(x), 50);
    /* start + 0.02 i in float32 would give 0.42 here */
    cr_assert_eq((float)at(x, 21), (float)((double)(float)(0.02 * 16) + 5 * 0.02));
}

Test(ops_create, arange_of_integers_is_int64_and_counts_exactly) {
    tern_value args[] = {tern_int(10), tern_int(0), tern_int(-3)};
    tern_tensor *x = call("arange", args, 3);
    cr_assert_eq(tern_dtype_of(x), TERN_INT64);
    cr_assert_eq(tern_numel(x), 4);
    cr_assert_eq(at(x, 3), 1);
}

Test(ops_create, arange_away_from_its_end_is_refused) {
    tern_arange(ctx, 0, -1, 1);
    cr_assert(error_has("upper bound and lower bound inconsistent with step sign"), "%s",
              tern_error(ctx));
}

Test(ops_create, linspace_meets_both_ends) {
    tern_tensor *x = tern_linspace(ctx, -1, 2, 7);
    cr_assert_eq(at(x, 0), -1);
    cr_assert_eq(at(x, 6), 2);
}

Test(ops_create, a_like_tensor_keeps_dense_strides) {
    tern_tensor *x = tern_t(tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32));
    tern_tensor *like = tern_ones_like(x);
    cr_assert_eq(tern_stride(like, 0), 1);
    cr_assert_eq(tern_stride(like, 1), 3);
}

Test(ops_create, the_seed_gives_pytorchs_values) {
    tern_manual_seed(ctx, 42);
    cr_assert_eq((float)at(tern_rand(ctx, TERN_SHAPE(5), NULL), 0), 0.882269263f);
    tern_manual_seed(ctx, 42);
    cr_assert_eq((float)at(tern_randn(ctx, TERN_SHAPE(5), NULL), 4), -1.12285638f);
    tern_manual_seed(ctx, 42);
    cr_assert_eq(at(tern_randperm(ctx, 10, NULL), 9), 7);
    tern_manual_seed(ctx, 42);
    cr_assert_eq(at(tern_randint(ctx, 0, 10, TERN_SHAPE(10), NULL), 1), 7);
}

Test(ops_create, a_generator_of_its_own_leaves_the_default_alone) {
    tern_manual_seed(ctx, 1);
    tern_generator *own = tern_generator_new(ctx);
    tern_generator_seed(own, 42);
    cr_assert_eq((float)at(tern_rand(ctx, TERN_SHAPE(1), own), 0), 0.882269263f);
    double first = at(tern_rand(ctx, TERN_SHAPE(1), NULL), 0);
    tern_manual_seed(ctx, 1);
    cr_assert_eq(at(tern_rand(ctx, TERN_SHAPE(1), NULL), 0), first);
}

Test(ops_create, fills_run_over_memory) {
    tern_manual_seed(ctx, 7);
    tern_tensor *plain = tern_rand(ctx, TERN_SHAPE(6), NULL);
    tern_tensor *turned = tern_t(tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32));
    tern_manual_seed(ctx, 7);
    tern_uniform_in_place(turned, 0, 1, NULL);
    cr_assert_eq(tern_item(tern_select(tern_select(turned, 0, 1), 0, 0)), at(plain, 1));
    cr_assert_eq(tern_item(tern_select(tern_select(turned, 0, 0), 0, 1)), at(plain, 3));
}

Test(ops_create, a_state_that_is_set_repeats_the_draws) {
    uint8_t state[TERN_RNG_STATE_SIZE];
    tern_generator *generator = tern_default_generator(ctx);
    tern_manual_seed(ctx, 3);
    tern_randn(ctx, TERN_SHAPE(3), NULL);
    tern_generator_get_state(generator, state);
    double next = at(tern_randn(ctx, TERN_SHAPE(3), NULL), 0);
    cr_assert_eq(tern_generator_set_state(generator, state, sizeof state), TERN_OK);
    cr_assert_eq(at(tern_randn(ctx, TERN_SHAPE(3), NULL), 0), next);
    cr_assert_eq(tern_generator_set_state(generator, state, 10), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    uint64_t word = tern_generator_next_u64(generator);
    cr_assert(word != 0);
}

Test(ops_create, impossible_distributions_are_refused) {
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_uniform_in_place(x, 2, 1, NULL);
    cr_assert(error_has("found from=2 > to=1"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_normal_in_place(x, 0, -1, NULL);
    cr_assert(error_has("expects std >= 0.0, but found std -1"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_randint(ctx, 5, 5, TERN_SHAPE(1), NULL);
    cr_assert(error_has("from=5 >= to=5"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_value args[] = {tern_tensor_value(x), tern_int(1)};
    call("multinomial", args, 2);
    cr_assert(error_has("multinomial: probability tensor"), "%s", tern_error(ctx));
}

Test(ops_create, dropout_keeps_the_mean_and_stops_in_evaluation) {
    tern_manual_seed(ctx, 42);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(10), TERN_FLOAT32);
    tern_tensor *y = tern_dropout(x, 0.5, true);
    cr_assert_eq(at(y, 0), 2);
    cr_assert_eq(at(y, 4), 0);
    cr_assert_eq(tern_dropout(x, 0.5, false), x);
}

/* signal.windows.NAME(M, sym=sym) in float64, with one more named number. */
static tern_tensor *window(const char *name, int64_t length, bool sym, const char *key,
                           double number) {
    tern_value args = tern_int(length), named = tern_dict_new(ctx, false);
    tern_dict_set(named, "sym", tern_bool(sym));
    tern_dict_set(named, "dtype", tern_dtype_value(TERN_FLOAT64));
    if (key) tern_dict_set(named, key, tern_float(number));
    tern_value out = tern_call(ctx, name, &args, 1, named);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return out.as.tensor;
}

/* torch.signal.windows of PyTorch 2.15. */
Test(ops_create, windows_are_symmetric_or_periodic) {
    tern_tensor *hann = window("signal.windows.hann", 5, true, NULL, 0);
    tern_tensor *periodic = window("signal.windows.hann", 4, false, NULL, 0);
    for (int i = 0; i < 4; i++) cr_assert_float_eq(at(hann, i), at(periodic, i), 1e-15);
    cr_assert_float_eq(at(hann, 1), 0.5, 1e-15);
    cr_assert_float_eq(at(window("signal.windows.kaiser", 5, true, "beta", 5), 1), 0.5528517697,
                       1e-9);
    cr_assert_float_eq(at(window("signal.windows.gaussian", 3, true, "std", 2), 0), 0.8824969026,
                       1e-9);
    cr_assert_float_eq(at(window("signal.windows.exponential", 3, true, "tau", 2), 0), 0.6065306597,
                       1e-9);
    cr_assert_float_eq(at(window("signal.windows.nuttall", 4, true, NULL, 0), 1), 0.5292298, 1e-7);
    cr_assert_eq(at(window("signal.windows.bartlett", 1, true, NULL, 0), 0), 1);
    cr_assert_eq(tern_numel(window("signal.windows.cosine", 0, true, NULL, 0)), 0);
}
