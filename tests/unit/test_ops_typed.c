/* The C functions of operations: subscripts, the arguments that C has in place of defaults, and NULL. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    cr_assert_eq(tern_close(ctx), TERN_OK);
    ctx = NULL;
}

TestSuite(ops_typed, .init = open_context, .fini = close_context);

static bool error_is(const char *text) {
    bool same = strcmp(tern_error(ctx), text) == 0;
    if (!same) fprintf(stderr, "%s\n", tern_error(ctx));
    tern_error_clear(ctx);
    return same;
}

/* 0, 1, 2, ... in float64. */
static tern_tensor *counted(tern_shape shape) {
    int64_t n = 1;
    for (int d = 0; d < shape.rank; d++) n *= shape.dim[d];
    return tern_reshape(tern_to_dtype(tern_arange_i64(ctx, n), TERN_FLOAT64), shape);
}

static tern_tensor *row(double a, double b, double c) {
    double numbers[] = {a, b, c};
    return tern_from_data(ctx, numbers, TERN_SHAPE(3), TERN_FLOAT64);
}

static bool is_close(tern_tensor *tensor, double value) {
    return fabs(tern_item(tensor) - value) < 1e-12;
}

/* ---- subscripts ------------------------------------------------------------------------------ */

static bool gives(tern_tensor *x, const char *subscript, tern_tensor *expected) {
    return tern_equal(tern_index(x, subscript), expected);
}

Test(ops_typed, a_subscript_reads_as_pythons) {
    tern_tensor *x = counted(TERN_SHAPE(2, 3, 4));
    tern_tensor *back = tern_slice(x, 2, 1, INT64_MAX, 2);
    cr_assert(gives(x, "1", tern_select(x, 0, 1)));
    cr_assert(gives(x, "-1", tern_select(x, 0, 1)));
    cr_assert(gives(x, "1,", tern_select(x, 0, 1)));
    cr_assert(gives(x, " 1 , +2 ", tern_select(tern_select(x, 0, 1), 0, 2)));
    cr_assert(gives(x, ":", x));
    cr_assert(gives(x, "...", x));
    cr_assert(gives(x, "::", x));
    cr_assert(gives(x, "1:", tern_slice(x, 0, 1, INT64_MAX, 1)));
    cr_assert(gives(x, "..., 1::2", back));
    cr_assert(gives(x, ":, :, 1 : : 2", back));
    cr_assert(gives(x, "..., :-1", tern_slice(x, 2, 0, 3, 1)));
    cr_assert(gives(x, "..., -3:100", tern_slice(x, 2, 1, 4, 1)));
    cr_assert(gives(x, "None", tern_unsqueeze(x, 0)));
    cr_assert(gives(x, "..., None", tern_unsqueeze(x, 3)));
    cr_assert(gives(x, "1:, ..., None, -1",
                    tern_unsqueeze(tern_select(tern_slice(x, 0, 1, 2, 1), 2, 3), 2)));
    cr_assert(gives(x, "0, ..., 0", tern_select(tern_select(x, 0, 0), 1, 0)));
    cr_assert(gives(x, "0, 1, ..., 2", tern_select(tern_select(tern_select(x, 0, 0), 0, 1), 0, 2)));
    cr_assert_eq(tern_numel(tern_index(x, "2:1")), 0);
    cr_assert(gives(tern_select(tern_select(tern_select(x, 0, 0), 0, 0), 0, 0), "...",
                    tern_zeros(ctx, TERN_SCALAR_SHAPE, TERN_FLOAT64)));
}

Test(ops_typed, a_subscript_is_a_view_that_gradients_pass) {
    tern_tensor *x = counted(TERN_SHAPE(2, 3));
    for (const char *const *s = (const char *const[]){"1", "...", ":, 1:", "None", NULL}; *s; s++)
        cr_assert(tern_shares_storage(tern_index(x, *s), x), "%s", *s);
    tern_fill_in_place(tern_index(x, "1, :2"), 9);
    cr_assert(tern_equal(tern_index(x, "1"), row(9, 9, 5)));
    tern_tensor *leaf = tern_requires_grad(counted(TERN_SHAPE(2, 3)), true);
    tern_backward(tern_sum(tern_square(tern_index(leaf, "1, ..., 1:"))));
    cr_assert(tern_equal(tern_index(tern_grad_of(leaf), "1"), row(0, 8, 10)));
    cr_assert(tern_equal(tern_index(tern_grad_of(leaf), "0"), row(0, 0, 0)));
}

Test(ops_typed, a_wrong_subscript_names_its_column) {
    tern_tensor *x = counted(TERN_SHAPE(2, 3));
    static const struct {
        const char *subscript, *message;
    } wrong[] = {
        {"", "index: column 1 of '': expected an integer, a slice such as 1:, '...' or 'None'"},
        {"1, x",
         "index: column 4 of '1, x': expected an integer, a slice such as 1:, '...' or 'None'"},
        {"1,,",
         "index: column 3 of '1,,': expected an integer, a slice such as 1:, '...' or 'None'"},
        {"-", "index: column 1 of '-': not an integer of 64 bits"},
        {"1 2", "index: column 3 of '1 2': expected ',' or the end"},
        {"1:2:3:4", "index: column 6 of '1:2:3:4': expected ',' or the end"},
        {"::0",
         "index: column 3 of '::0': a step must be above 0, as PyTorch's (tern_flip reverses)"},
        {"::-1",
         "index: column 3 of '::-1': a step must be above 0, as PyTorch's (tern_flip reverses)"},
        {"..., ...", "index: column 6 of '..., ...': '...' can stand only once"},
        {"99999999999999999999",
         "index: column 1 of '99999999999999999999': not an integer of 64 bits"},
        {"0, 3", "index: column 4 of '0, 3': index 3 is out of bounds for dimension 0 with size 3"},
        {":, -4",
         "index: column 4 of ':, -4': index -4 is out of bounds for dimension 1 with size 3"},
        {"0, 0, 0", "index: '0, 0, 0' has 3 indices, too many for a tensor of 2 dimensions"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert(tern_is_nil(tern_index(x, wrong[i].subscript)), "%s", wrong[i].subscript);
        cr_assert(error_is(wrong[i].message));
    }
    tern_index(x, NULL);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
    char many[34 * 6 + 1] = "";
    for (int i = 0; i < 17; i++) strcat(many, "None, ");
    tern_index(x, many);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_INDEX);
    for (int i = 0; i < 17; i++) strcat(many, "None, ");
    tern_index(x, many);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_INDEX);
}

Test(ops_typed, tensors_index_with_gaps) {
    tern_tensor *x = counted(TERN_SHAPE(2, 3, 2));
    int64_t at[] = {2, 0};
    tern_tensor *index = tern_from_data(ctx, at, TERN_SHAPE(2), TERN_INT64);
    tern_tensor *picked = tern_index_tensors(x, (tern_tensor *[]){NULL, index}, 2);
    cr_assert(tern_equal(picked, tern_index_select(x, 1, index)));
    tern_tensor *whole = tern_index_tensors(x, (tern_tensor *[]){NULL, NULL}, 2);
    cr_assert(tern_equal(whole, x));
    tern_tensor *put = tern_index_put(x, (tern_tensor *[]){NULL, index}, 2,
                                      tern_zeros(ctx, TERN_SCALAR_SHAPE, TERN_FLOAT64), false);
    cr_assert_eq(tern_item(tern_sum(put)), 2 + 3 + 8 + 9);
    tern_index_tensors(x, NULL, 2);
    cr_assert(error_is("an array of 2 is NULL"));
}

/* ---- what stands for a default --------------------------------------------------------------- */

Test(ops_typed, the_stride_zero_of_a_pool_is_its_kernel) {
    tern_tensor *x = counted(TERN_SHAPE(1, 1, 4, 4));
    tern_tensor *pooled = tern_max_pool2d(x, 2, 0, 0), *indices;
    cr_assert(tern_equal(pooled, tern_forward(tern_nn_max_pool2d(ctx, 2, 0, 0), x)));
    cr_assert(
        tern_equal(tern_avg_pool2d(x, 2, 0, 0), tern_forward(tern_nn_avg_pool2d(ctx, 2, 0, 0), x)));
    cr_assert(tern_equal(tern_max_pool2d_with_indices(x, 2, 0, 0, &indices), pooled));
    cr_assert_eq(tern_item_i64(tern_index(indices, "0, 0, 1, 1")), 15);
    tern_tensor *back = tern_max_unpool2d(pooled, indices, 2, 0, 0);
    cr_assert_eq(tern_item(tern_sum(back)), tern_item(tern_sum(pooled)));
    cr_assert(
        tern_equal(tern_max_pool2d(x, 2, 1, 0), tern_max_pool2d_with_indices(x, 2, 1, 0, NULL)));
}

Test(ops_typed, losses_and_activations_take_their_parameter) {
    tern_tensor *x = row(0, 1, 4), *y = row(0.2, 0.5, 1);
    cr_assert(is_close(tern_smooth_l1_loss(x, y, TERN_SUM), 0.02 + 0.125 + 2.5));
    cr_assert(is_close(tern_smooth_l1_loss_beta(x, y, 0.25, TERN_SUM), 0.08 + 0.375 + 2.875));
    cr_assert(is_close(tern_huber_loss(x, y, TERN_SUM), 0.02 + 0.125 + 2.5));
    cr_assert(is_close(tern_huber_loss_delta(x, y, 2, TERN_SUM), 0.02 + 0.125 + 4));
    tern_tensor *one = tern_full(ctx, TERN_SCALAR_SHAPE, 1, TERN_FLOAT64);
    cr_assert(is_close(tern_gelu(one), 0.5 * (1 + erf(sqrt(0.5)))));
    cr_assert(is_close(tern_gelu_tanh(one), 0.5 * (1 + tanh(sqrt(2 / acos(-1.0)) * 1.044715))));
    cr_assert(is_close(tern_softplus_beta(one, 2, 20), log1p(exp(2)) / 2));
    cr_assert(tern_equal(tern_clamp_min(x, 1), row(1, 1, 4)));
    cr_assert(tern_equal(tern_clamp_max(x, 1), row(0, 1, 1)));
    cr_assert(tern_equal(tern_clamp_tensor(x, NULL, y), row(0, 0.5, 1)));
    cr_assert(tern_equal(tern_clamp(x, -INFINITY, 1), row(0, 1, 1)));
}

Test(ops_typed, a_second_result_is_given_or_left_out) {
    tern_tensor *x = row(3, 1, 2), *indices, *mean;
    cr_assert(tern_equal(tern_sort(x, 0, false, NULL), row(1, 2, 3)));
    tern_sort(x, 0, true, &indices);
    cr_assert_eq(tern_item_i64(tern_index(indices, "-1")), 1);
    cr_assert(is_close(tern_var_mean(x, TERN_SHAPE(0), 0, false, &mean), 2.0 / 3));
    cr_assert(is_close(mean, 2));
    cr_assert(is_close(tern_std(x, TERN_SCALAR_SHAPE, 1, false), 1));
    tern_sort(x, 5, false, &indices);
    cr_assert(tern_is_nil(indices));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_INDEX);
}

Test(ops_typed, a_number_keeps_the_integers) {
    tern_tensor *x = tern_arange_i64(ctx, 4);
    cr_assert_eq(tern_dtype_of(tern_clamp_min(x, 2)), TERN_INT64);
    cr_assert_eq(tern_dtype_of(tern_remainder_scalar(x, 3)), TERN_INT64);
    cr_assert_eq(tern_dtype_of(tern_remainder_number(7, tern_add_scalar(x, 1))), TERN_INT64);
    cr_assert_eq(tern_dtype_of(tern_fmod_scalar(x, 1.5)), TERN_FLOAT32);
    cr_assert_eq(tern_item_i64(tern_sum(tern_masked_fill(x, tern_le_scalar(x, 1), 5))), 15);
}

Test(ops_typed, resizing_takes_a_size_or_a_factor) {
    tern_tensor *x = counted(TERN_SHAPE(1, 1, 2, 2));
    tern_tensor *by_size = tern_interpolate(x, TERN_SHAPE(4), "nearest", false);
    cr_assert(tern_equal(by_size, tern_interpolate_by(x, 2, "nearest", false)));
    cr_assert_eq(tern_size(tern_interpolate(x, TERN_SHAPE(3, 5), "bilinear", true), 3), 5);
    tern_interpolate(x, TERN_SHAPE(4), "nearest", true);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
}
