/* Sizes that a program passes: what does not fit 64 bits, or any memory, is refused by name, and what
 * would take hours is answered at once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tern/memory.h"
#include "tern/nn.h"
#include "tern/ops.h"

#define T(t)      tern_tensor_value(t)
#define HUGE_SIZE (INT64_C(1) << 62)

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(ops_sizes, .init = open_context, .fini = close_context);

/* Calls by name; `named` is a dict or none. */
static tern_value call(const char *name, tern_value named, int count, const tern_value *args) {
    return tern_call(ctx, name, args, count, named);
}
#define CALL(name, ...)                                                                            \
    call(name, tern_none(), (int)(sizeof((tern_value[]){__VA_ARGS__}) / sizeof(tern_value)),       \
         (tern_value[]){__VA_ARGS__})

static void expect_refused(tern_value result, const char *part) {
    cr_assert_neq(result.kind, TERN_VALUE_TENSOR, "no error where '%s' was expected", part);
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}
#define REFUSED(part, name, ...) expect_refused(CALL(name, __VA_ARGS__), part)

static tern_value pair(int64_t a, int64_t b) {
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_int(a));
    tern_list_append(list, tern_int(b));
    return list;
}

static tern_tensor *ones(tern_shape shape) {
    return tern_ones(ctx, shape, TERN_FLOAT32);
}

/* Of one element of memory, whatever the shape. */
static tern_tensor *expanded(tern_shape shape) {
    return tern_expand(tern_ones(ctx, TERN_SCALAR_SHAPE, TERN_FLOAT32), shape);
}

/* ---- the helper ---- */

Test(ops_sizes, arithmetic_that_does_not_fit_is_told_and_stays_told) {
    bool fits = true;
    cr_assert_eq(tern_dim_mul(-3, 5, &fits), -15);
    cr_assert_eq(tern_dim_mul(INT64_MIN, 1, &fits), INT64_MIN);
    cr_assert_eq(tern_dim_mul(0, INT64_MIN, &fits), 0);
    cr_assert_eq(tern_dim_mul(INT64_C(1) << 31, -(INT64_C(1) << 32), &fits), INT64_MIN);
    cr_assert_eq(tern_dim_add(INT64_MAX, INT64_MIN, &fits), -1);
    cr_assert_eq(tern_dim_sub(-1, INT64_MIN, &fits), INT64_MAX);
    cr_assert(fits);
    cr_assert_eq(tern_dim_mul(INT64_MIN, -1, &fits), 0);
    cr_assert(!fits);
    cr_assert_eq(tern_dim_add(1, 1, &fits), 2);
    cr_assert(!fits, "a later sum does not make up for an earlier one");
    const int64_t sums[][2] = {{INT64_MAX, 1}, {INT64_MIN, -1}};
    for (int i = 0; i < 2; i++) {
        fits = true;
        tern_dim_add(sums[i][0], sums[i][1], &fits);
        cr_assert(!fits);
        fits = true;
        tern_dim_sub(sums[i][0], -sums[i][1], &fits);
        cr_assert(!fits);
        fits = true;
        tern_dim_mul(sums[i][0], 2, &fits);
        cr_assert(!fits);
    }
}

/* ---- shapes and views ---- */

Test(ops_sizes, a_size_of_0_does_not_excuse_the_others) {
    int64_t shape[] = {0, HUGE_SIZE, 4};
    REFUSED("is invalid for input of size 0", "view", T(tern_zeros(ctx, TERN_SHAPE(0), 0)),
            tern_ints(shape, 3));
    int64_t sizes[] = {0, 5}, strides[] = {1, HUGE_SIZE};
    REFUSED("out of bounds for storage", "as_strided", T(ones(TERN_SHAPE(4))), tern_ints(sizes, 2),
            tern_ints(strides, 2));
    tern_tensor *empty = expanded(TERN_SHAPE(0, INT64_C(1) << 58, 1));
    REFUSED("is invalid for input of size 0", "nn.functional.pixel_shuffle", T(empty),
            tern_int(16384));
}

Test(ops_sizes, a_scatter_by_strides_takes_a_source_of_the_regions_size) {
    int64_t size[] = {4}, stride[] = {1};
    REFUSED("src size = [2], slice size = [4]", "_as_strided_scatter", T(ones(TERN_SHAPE(4))),
            T(ones(TERN_SHAPE(2))), tern_ints(size, 1), tern_ints(stride, 1));
    tern_value whole = CALL("_as_strided_scatter", T(tern_zeros(ctx, TERN_SHAPE(4), 0)),
                            T(ones(TERN_SHAPE(4))), tern_ints(size, 1), tern_ints(stride, 1));
    cr_assert_eq(tern_item(tern_sum(whole.as.tensor)), 4);
}

Test(ops_sizes, joins_and_repeats_of_expanded_tensors_are_summed_with_care) {
    tern_tensor *long_one = expanded(TERN_SHAPE(INT64_C(1) << 58));
    tern_tensor *many[33];
    for (int i = 0; i < 33; i++) many[i] = long_one;
    cr_assert(tern_is_nil(tern_cat(many, 33, 0)));
    cr_assert(strstr(tern_error(ctx), "do not add up"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    REFUSED("too large", "repeat", T(long_one), tern_ints((int64_t[]){64}, 1));
    REFUSED("is too large", "kron", T(long_one), T(expanded(TERN_SHAPE(64))));
    tern_tensor *counts = tern_from_data(ctx, (int64_t[]){INT64_MAX, 1}, TERN_SHAPE(2), TERN_INT64);
    REFUSED("repeats must be non-negative", "repeat_interleave", T(ones(TERN_SHAPE(2))), T(counts));
}

Test(ops_sizes, padding_beyond_any_size_is_refused_in_every_mode) {
    static const char *const modes[] = {"constant", "reflect", "replicate", "circular"};
    const int64_t pads[][2] = {{INT64_MIN, 1},
                               {1, INT64_MIN},
                               {INT64_MAX, INT64_MAX},
                               {INT64_MAX, INT64_MIN},
                               {INT64_MIN, INT64_MIN}};
    for (int m = 0; m < 4; m++)
        for (size_t i = 0; i < sizeof pads / sizeof *pads; i++)
            REFUSED("padding", "nn.functional.pad", T(ones(TERN_SHAPE(1, 2, 4, 4))),
                    tern_ints(pads[i], 2), tern_text(modes[m]));
    REFUSED("", "nn.functional.pad", T(ones(TERN_SHAPE(1, 2, 4, 4))), pair(0, HUGE_SIZE));
}

/* ---- windows ---- */

Test(ops_sizes, convolutions_of_impossible_reach_are_refused) {
    tern_tensor *x = ones(TERN_SHAPE(1, 1, 8)), *w = ones(TERN_SHAPE(1, 1, 2));
    tern_tensor *wide = expanded(TERN_SHAPE(1, 1, INT64_C(1) << 40)), *none = NULL;
    tern_value two31 = tern_int(INT32_MAX);
    REFUSED("Calculated padded input size", "nn.functional.conv1d", T(x), T(wide), T(none),
            tern_int(1), tern_int(0), two31);
    REFUSED("groups=4294967297", "nn.functional.conv1d", T(x), T(w), T(none), tern_int(1),
            tern_int(0), tern_int(1), tern_int((INT64_C(1) << 32) + 1));
    REFUSED("too large", "nn.functional.conv_transpose1d", T(wide), T(w), T(none), two31);
    REFUSED("", "nn.functional.conv1d", T(x), T(wide), T(none), tern_int(1), tern_text("same"),
            tern_int(HUGE_SIZE));
    int64_t size[] = {1, 1, 5};
    REFUSED("do not match", "_conv_weight_gradient", T(ones(TERN_SHAPE(1, 1, 8))), T(x),
            tern_ints(size, 3), tern_int(1), tern_int(0), tern_int(1), tern_int(1));
}

Test(ops_sizes, pools_of_empty_planes_and_of_wrong_ranks_are_refused_as_by_pytorch) {
    tern_value two = pair(2, 2), one = pair(1, 1), zero = pair(0, 0);
    tern_tensor *empty = tern_zeros(ctx, TERN_SHAPE(2, 3, 0, 6), 0);
    const char *refusal =
        "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for "
        "input, but got: [2, 3, 0, 6]";
    REFUSED(refusal, "nn.functional.avg_pool2d", T(empty), two, two, one);
    REFUSED(refusal, "nn.functional.max_pool2d", T(empty), two, two, one);
    tern_tensor *no_batch = tern_zeros(ctx, TERN_SHAPE(0, 3, 4, 6), 0);
    tern_value out = CALL("nn.functional.avg_pool2d", T(no_batch), two, two, one);
    cr_assert_eq(tern_size(out.as.tensor, 2), 3, "%s", tern_error(ctx));

    tern_tensor *flat = ones(TERN_SHAPE(3)), *where = tern_zeros(ctx, TERN_SHAPE(3), TERN_INT64);
    REFUSED("but got: [3]", "max_pool2d_with_indices_backward", T(flat), T(flat), one, one, zero,
            one, tern_bool(false), T(where));
    tern_tensor *x = ones(TERN_SHAPE(1, 4, 4)), *grad = ones(TERN_SHAPE(1, 4, 4));
    REFUSED("of the pooled size [1, 2, 2]", "max_pool2d_with_indices_backward", T(grad), T(x), two,
            two, zero, one, tern_bool(false), T(tern_zeros(ctx, TERN_SHAPE(1, 4, 4), TERN_INT64)));
}

Test(ops_sizes, pools_of_huge_windows_are_refused_or_answered) {
    tern_tensor *x = ones(TERN_SHAPE(1, 2, 4, 4));
    REFUSED("too small", "nn.functional.avg_pool2d", T(x), pair(INT64_MAX, 1), pair(1, 1));
    REFUSED("too small", "nn.functional.max_pool2d", T(x), pair(2, 2), pair(1, 1), pair(1, 1),
            pair(INT64_MAX, INT64_MAX));
    tern_value out = CALL("nn.functional.avg_pool2d", T(x), pair(2, 2), pair(INT64_MAX, INT64_MAX));
    cr_assert_eq(tern_numel(out.as.tensor), 2, "one window each: %s", tern_error(ctx));
}

Test(ops_sizes, unpooling_checks_the_size_it_is_given) {
    tern_tensor *x = ones(TERN_SHAPE(1, 1, 1, 1));
    tern_tensor *at = tern_zeros(ctx, TERN_SHAPE(1, 1, 1, 1), TERN_INT64);
    REFUSED("must be between 0 and 4", "nn.functional.max_unpool2d", T(x), T(at), pair(2, 2),
            tern_none(), tern_int(0), pair(INT64_C(1) << 32, INT64_C(1) << 32));
    tern_tensor *tall = ones(TERN_SHAPE(1, 1, 5, 1));
    REFUSED("does not fit dimension 0", "nn.functional.max_unpool2d", T(tall),
            T(tern_zeros(ctx, TERN_SHAPE(1, 1, 5, 1), TERN_INT64)), pair(HUGE_SIZE + 1, 1));
}

Test(ops_sizes, folds_whose_windows_do_not_multiply_are_refused) {
    tern_tensor *x = expanded(TERN_SHAPE(4, 1));
    REFUSED("does not hold the windows", "nn.functional.fold", T(x), pair(INT32_MAX, INT32_MAX),
            pair(2, 2), tern_int(1), tern_int(INT32_MAX));
    REFUSED("maximum size", "nn.functional.unfold", T(ones(TERN_SHAPE(1, 1, 4, 4))),
            tern_int(INT32_MAX), tern_int(INT32_MAX), tern_int(0), tern_int(1));
}

Test(ops_sizes, resizing_to_a_size_without_end_is_refused) {
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "mode", tern_text("bilinear"));
    tern_dict_set(named, "antialias", tern_bool(true));
    tern_dict_set(named, "size", pair(HUGE_SIZE, 4));
    tern_value x = T(ones(TERN_SHAPE(2, 2, 4, 4)));
    expect_refused(call("nn.functional.interpolate", named, 1, &x), "too large");
    REFUSED("too many bytes", "nn.functional.upsample_bilinear", x, tern_int(HUGE_SIZE));
}

/* ---- made from numbers ---- */

Test(ops_sizes, counts_one_beyond_the_largest_integer_are_refused) {
    tern_tensor *last = tern_from_data(ctx, (int64_t[]){INT64_MAX}, TERN_SHAPE(1), TERN_INT64);
    REFUSED("maximum value of input overflowed", "bincount", T(last));
    REFUSED("has no size", "nn.functional.one_hot", T(last));
    REFUSED("non-negative window length", "signal.windows.hann", tern_int(INT64_MIN));
    REFUSED("possible overflow", "arange", tern_int(INT64_MIN), tern_int(INT64_MAX));
    REFUSED("too large", "diag_embed", T(ones(TERN_SHAPE(2))), tern_int(INT64_MIN));
}

Test(ops_sizes, triangles_take_no_longer_than_their_elements) {
    tern_value empty = CALL("triu_indices", tern_int(INT64_C(1) << 40), tern_int(0));
    cr_assert_eq(tern_size(empty.as.tensor, 1), 0, "%s", tern_error(ctx));
    tern_value one = CALL("triu_indices", tern_int(HUGE_SIZE), tern_int(3), tern_int(2));
    cr_assert_eq(tern_size(one.as.tensor, 1), 1, "%s", tern_error(ctx));
    tern_value last = CALL("tril_indices", tern_int(3), tern_int(HUGE_SIZE), tern_int(-2));
    cr_assert_eq(tern_size(last.as.tensor, 1), 1, "%s", tern_error(ctx));
    tern_value all = CALL("triu_indices", tern_int(INT64_MAX), tern_int(1), tern_int(INT64_MIN));
    cr_assert_eq(all.kind, TERN_VALUE_NONE); /* 2^63 - 1 indices */
    tern_error_clear(ctx);
    REFUSED("too many elements", "tril_indices", tern_int(HUGE_SIZE), tern_int(HUGE_SIZE));
    for (int64_t offset = -5; offset <= 5; offset++)
        for (int lower = 0; lower < 2; lower++)
            for (int64_t rows = 0; rows < 4; rows++)
                for (int64_t columns = 0; columns < 4; columns++) {
                    tern_value got = CALL(lower ? "tril_indices" : "triu_indices", tern_int(rows),
                                          tern_int(columns), tern_int(offset));
                    int64_t expected[2][16], n = 0, have[32];
                    for (int64_t i = 0; i < rows; i++)
                        for (int64_t j = 0; j < columns; j++)
                            if (lower ? j - i <= offset : j - i >= offset) {
                                expected[0][n] = i;
                                expected[1][n++] = j;
                            }
                    cr_assert_eq(tern_size(got.as.tensor, 1), n);
                    tern_to_host(got.as.tensor, have, (size_t)(2 * n) * sizeof *have);
                    cr_assert(memcmp(have, expected[0], (size_t)n * 8) == 0);
                    cr_assert(memcmp(have + n, expected[1], (size_t)n * 8) == 0);
                }
}

Test(ops_sizes, what_would_run_for_hours_is_answered_or_refused) {
    tern_tensor *a = ones(TERN_SHAPE(5));
    tern_value out = CALL("diff", T(a), tern_int(INT64_MAX));
    cr_assert_eq(tern_numel(out.as.tensor), 0, "%s", tern_error(ctx));
    REFUSED("4611686018427387904 parts", "chunk", T(tern_zeros(ctx, TERN_SHAPE(0), 0)),
            tern_int(HUGE_SIZE));
    REFUSED("parts of a dimension of size 5", "tensor_split", T(a), tern_int(HUGE_SIZE));
    tern_tensor *x = ones(TERN_SHAPE(1, 1, 3));
    REFUSED("[4611686018427387904] is too large", "nn.functional.adaptive_avg_pool1d", T(x),
            tern_int(HUGE_SIZE));
    REFUSED("is too large", "nn.functional.adaptive_max_pool2d", T(ones(TERN_SHAPE(1, 3, 3))),
            pair(1 << 20, 1 << 20));
    REFUSED("with dimension 2 being empty", "nn.functional.adaptive_avg_pool1d",
            T(tern_zeros(ctx, TERN_SHAPE(1, 1, 0), 0)), tern_int(2));
}

/* ---- overloads ---- */

Test(ops_sizes, tensor_split_by_a_number_makes_as_many_parts) {
    tern_value parts = CALL("tensor_split", T(ones(TERN_SHAPE(5))), tern_int(3));
    cr_assert_eq(tern_value_count(parts), 3, "%s", tern_error(ctx));
    parts = CALL("tensor_split", T(ones(TERN_SHAPE(5))), pair(1, 3));
    cr_assert_eq(tern_numel(tern_value_at(parts, 1).as.tensor), 2, "%s", tern_error(ctx));
}

Test(ops_sizes, normal_of_two_numbers_asks_for_a_size) {
    REFUSED("mean and std are both numbers", "normal", tern_float(1.0));
    REFUSED("mean and std are both numbers", "normal", tern_float(1.0), tern_float(2.0));
    REFUSED("of dtype long", "tensor_split", T(ones(TERN_SHAPE(3))),
            T(tern_full(ctx, TERN_SCALAR_SHAPE, 1e30, TERN_FLOAT32)));
}

/* ---- handles ---- */

/* AddressSanitizer keeps what was freed, and finds by itself what was not. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Pages of memory that the process has. */
static long resident(void) {
    long all = 0, here = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert(file && fscanf(file, "%ld %ld", &all, &here) == 2);
    fclose(file);
    return here;
}

Test(ops_sizes, a_refused_tensor_of_high_rank_gives_its_memory_back) {
    tern_tensor *one = ones(TERN_SHAPE(1));
    tern_shape huge = {9, {0}}, still = {9, {0}};
    for (int d = 0; d < 9; d++) huge.dim[d] = 1 << 20;
    long before = 0;
    for (int i = 0; i < 40000; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_view_of_storage(one, huge, still, 0);
        cr_assert(strstr(tern_error(ctx), "too many elements"), "%s", tern_error(ctx));
        tern_error_clear(ctx);
        tern_scope_end(scope);
        if (i == 20000) before = resident();
    }
    long more = resident() - before;
    cr_assert(SANITIZED || more < 600, "%ld pages more", more);
}

/* ---- modules ---- */

Test(ops_sizes, modules_check_the_sizes_they_compute) {
    static const char *const wide[] = {"LSTM(1, 4611686018427387904)",
                                       "GRUCell(1, 4611686018427387904)",
                                       "MultiheadAttention(4611686018427387904, 1)"};
    for (int i = 0; i < 3; i++) {
        tern_nn(ctx, wide[i]);
        cr_assert(strstr(tern_error(ctx), "4611686018427387904 is larger than any tensor"), "%s",
                  tern_error(ctx));
        tern_error_clear(ctx);
    }
    tern_module *m = tern_nn(ctx, "Conv1d(1, 1, 64, padding='same', dilation=288230376151711744, "
                                  "padding_mode='circular')");
    tern_tensor *x = ones(TERN_SHAPE(1, 1, 8));
    tern_forward(m, x);
    cr_assert(strstr(tern_error(ctx), "too large"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}
