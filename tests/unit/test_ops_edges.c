/* Operations at their edges: ties, numbers in the place of tensors, repeated indices, in-place views,
 * gradients of gradients, and what an error says. */
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

TestSuite(ops_edges, .init = open_context, .fini = close_context);

static tern_tensor *vector(const double *values, int64_t count, tern_dtype dtype) {
    return tern_to_dtype(tern_from_data(ctx, values, TERN_SHAPE(count), TERN_FLOAT64), dtype);
}
#define VECTOR(dtype, ...)                                                                         \
    vector((const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double),  \
           dtype)

static tern_tensor *leaf(tern_tensor *t) {
    return tern_requires_grad(t, true);
}

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

/* Calls by name with positional arguments. */
static tern_tensor *call(const char *name, tern_value a, tern_value b, tern_value c) {
    tern_value args[] = {a, b, c};
    int count = c.kind != TERN_VALUE_NONE ? 3 : b.kind != TERN_VALUE_NONE ? 2 : 1;
    tern_value result = tern_call(ctx, name, args, count, tern_none());
    cr_assert_eq(result.kind, TERN_VALUE_TENSOR, "%s: %s", name, tern_error(ctx));
    return result.as.tensor;
}
#define T(t) tern_tensor_value(t)

static void expect_error(const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}

/* ---- ties ---- */

Test(ops_edges, clamp_by_numbers_has_no_gradient_on_the_bounds) {
    tern_tensor *x = leaf(VECTOR(TERN_FLOAT64, 1, 2, 3, 0, NAN));
    tern_backward(tern_sum(call("clamp", T(x), tern_int(1), tern_int(3))));
    EXPECT(tern_grad_of(x), 0, 1, 0, 0, 0);
}

Test(ops_edges, clamp_by_tensors_shares_the_gradient_on_a_bound) {
    tern_tensor *x = leaf(VECTOR(TERN_FLOAT64, 1, 2, 3, 2, 1, 0));
    tern_tensor *min = leaf(VECTOR(TERN_FLOAT64, 1, 1, 1, 2, 3, 1));
    tern_tensor *max = leaf(VECTOR(TERN_FLOAT64, 3, 3, 3, 2, 2, 3));
    tern_backward(tern_sum(call("clamp", T(x), T(min), T(max))));
    EXPECT(tern_grad_of(x), .5, 1, .5, 1, 0, 0);
    EXPECT(tern_grad_of(min), .5, 0, 0, 0, 0, 1);
    EXPECT(tern_grad_of(max), 0, 0, .5, 0, 1, 0);
}

Test(ops_edges, the_gradient_of_a_running_product_passes_its_first_zero_alone) {
    tern_tensor *x = leaf(VECTOR(TERN_FLOAT64, 2, 0, 3, 0, 5, 0));
    tern_tensor *grad = VECTOR(TERN_FLOAT64, 1, 10, 100, 1000, 10000, 1e5);
    tern_backward_with(call("cumprod", T(x), tern_int(0), tern_none()), grad, 0);
    EXPECT(tern_grad_of(x), 1, 620, 0, 0, 0, 0); /* 2 * 10 + 2 * 3 * 100 */
    tern_tensor *again = leaf(tern_detach(x));
    tern_backward_with(call("cumprod", T(again), tern_int(0), tern_none()), grad,
                       TERN_CREATE_GRAPH);
    EXPECT(tern_grad_of(again), 1, 620, 0, 0, 0, 0);
}

/* ---- numbers ---- */

Test(ops_edges, a_number_takes_the_place_of_a_tensor_without_raising_its_dtype) {
    tern_tensor *half = VECTOR(TERN_FLOAT16, 1, -2), *whole = VECTOR(TERN_INT64, 7, -7);
    cr_assert_eq(tern_dtype_of(call("copysign", T(half), tern_float(-1.5), tern_none())),
                 TERN_FLOAT16);
    EXPECT(call("copysign", T(half), tern_float(-1.5), tern_none()), -1, -2);
    tern_tensor *left = call("remainder", tern_int(10), T(whole), tern_none());
    cr_assert_eq(tern_dtype_of(left), TERN_INT64);
    EXPECT(left, 3, -4);
    cr_assert_eq(tern_dtype_of(call("xlogy", tern_float(2), T(half), tern_none())), TERN_FLOAT16);
    EXPECT(call("float_power", tern_int(2), T(whole), tern_none()), 128, 0.0078125);
    EXPECT(call("special.xlog1py", tern_int(3), T(VECTOR(TERN_FLOAT64, 0, 1)), tern_none()), 0,
           3 * log(2));
}

Test(ops_edges, ldexp_by_integers_keeps_the_dtype) {
    tern_tensor *x = VECTOR(TERN_FLOAT16, 1.5, 60000);
    tern_tensor *out = call("ldexp", T(x), T(VECTOR(TERN_INT32, 3, -20)), tern_none());
    cr_assert_eq(tern_dtype_of(out), TERN_FLOAT16);
    cr_assert_float_eq(tern_item(tern_select(out, 0, 0)), 12, 0);
    cr_assert_float_eq(tern_item(tern_select(out, 0, 1)), 0.05722, 1e-4);
}

Test(ops_edges, arange_counts_in_doubles_where_one_number_is_a_float) {
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "dtype", tern_dtype_value(TERN_INT64));
    tern_value end = tern_float(3.1);
    tern_value out = tern_call(ctx, "arange", &end, 1, named);
    cr_assert_eq(tern_numel(out.as.tensor), 4);
}

/* ---- indices ---- */

Test(ops_edges, an_index_named_twice_fills_once) {
    tern_tensor *x = leaf(VECTOR(TERN_FLOAT64, 1, 2, 3)), *index = VECTOR(TERN_INT64, 1, 1);
    tern_tensor *value = leaf(tern_scalar_tensor(ctx, 5, TERN_FLOAT64));
    tern_value args[] = {T(x), tern_int(0), T(index), T(value)};
    tern_value out = tern_call(ctx, "index_fill", args, 4, tern_none());
    EXPECT(out.as.tensor, 1, 5, 3);
    tern_backward(tern_sum(out.as.tensor));
    EXPECT(tern_grad_of(value), 1);
    EXPECT(tern_grad_of(x), 1, 0, 1);
}

Test(ops_edges, scatter_refuses_what_pytorch_refuses) {
    tern_tensor *x = VECTOR(TERN_FLOAT64, 1, 2, 3), *index = VECTOR(TERN_INT64, 0, 2);
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "value", T(VECTOR(TERN_FLOAT64, 8, 9)));
    tern_value args[] = {T(x), tern_int(0), T(index)};
    tern_call(ctx, "scatter", args, 3, named);
    expect_error("value must be a number or a 0-dimensional tensor");
    named = tern_dict_new(ctx, false);
    tern_dict_set(named, "src", T(leaf(VECTOR(TERN_FLOAT64, 8, 9))));
    tern_dict_set(named, "reduce", tern_text("multiply"));
    tern_value out = tern_call(ctx, "scatter", args, 3, named);
    EXPECT(out.as.tensor, 8, 2, 27);
    tern_backward(tern_sum(out.as.tensor));
    expect_error("use scatter_add or scatter_reduce");
}

Test(ops_edges, an_empty_member_of_cat_gets_an_empty_gradient) {
    tern_tensor *none = leaf(tern_zeros(ctx, TERN_SHAPE(0), TERN_FLOAT64));
    tern_tensor *rows = leaf(tern_ones(ctx, TERN_SHAPE(2, 2), TERN_FLOAT64));
    tern_tensor *both[] = {none, rows};
    tern_backward(tern_sum(tern_cat(both, 2, 1)));
    cr_assert_not_null(tern_grad_of(none));
    cr_assert_eq(tern_numel(tern_grad_of(none)), 0);
    EXPECT(tern_grad_of(rows), 1, 1, 1, 1);
}

Test(ops_edges, circular_padding_wraps_what_cropping_left) {
    tern_tensor *x = tern_reshape(VECTOR(TERN_FLOAT64, 1, 2, 3, 4), TERN_SHAPE(1, 4));
    tern_value pad = tern_list_new(ctx);
    tern_list_append(pad, tern_int(-1));
    tern_list_append(pad, tern_int(2));
    EXPECT(call("nn.functional.pad", T(x), pad, tern_text("circular")), 2, 3, 4, 2, 3);
}

Test(ops_edges, nonzero_of_a_number_as_a_tuple_has_one_member) {
    tern_value number = T(tern_scalar_tensor(ctx, 3, TERN_FLOAT32));
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "as_tuple", tern_bool(true));
    tern_value out = tern_call(ctx, "nonzero", &number, 1, named);
    cr_assert_eq(tern_value_count(out), 1, "%s", tern_error(ctx));
    EXPECT(tern_value_at(out, 0).as.tensor, 0);
}

static tern_tensor *folded(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)count;
    tern_value named = tern_dict_new(c, false), size = tern_list_new(c);
    tern_list_append(size, tern_int(3));
    tern_list_append(size, tern_int(4));
    tern_dict_set(named, "input", T(in[0]));
    tern_dict_set(named, "output_size", size);
    tern_dict_set(named, "kernel_size", tern_int(2));
    tern_dict_set(named, "padding", tern_int(*(int *)user));
    tern_value out = tern_call(c, "nn.functional.fold", NULL, 0, named);
    return out.kind == TERN_VALUE_TENSOR ? out.as.tensor : tern_nil(c);
}

Test(ops_edges, fold_adds_up_the_windows_that_unfold_took) {
    int padding = 0;
    tern_tensor *ones = leaf(tern_ones(ctx, TERN_SHAPE(4, 6), TERN_FLOAT64));
    tern_tensor *image = folded(ctx, &ones, 1, &padding);
    cr_assert_eq(tern_shape_of(image).rank, 3, "%s", tern_error(ctx));
    EXPECT(image, 1, 2, 2, 1, 2, 4, 4, 2, 1, 2, 2, 1);
    cr_assert_eq(tern_gradcheck(ctx, folded, &padding, &ones, 1, 1e-6, 1e-5, 1e-3), TERN_OK, "%s",
                 tern_error(ctx));
    padding = 1;
    folded(ctx, &ones, 1, &padding);
    expect_error("an input of [4, 6] does not hold the windows");
    padding = -1;
    folded(ctx, &ones, 1, &padding);
    expect_error("padding one or two of at least 0");
}

/* ---- matrices ---- */

Test(ops_edges, beta_zero_ignores_the_input_and_gives_it_zeros) {
    tern_tensor *input = leaf(VECTOR(TERN_FLOAT64, NAN, INFINITY));
    tern_tensor *mat = tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT64);
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "beta", tern_int(0));
    tern_value args[] = {T(input), T(mat), T(VECTOR(TERN_FLOAT64, 1, 2, 3))};
    tern_value out = tern_call(ctx, "addmv", args, 3, named);
    EXPECT(out.as.tensor, 6, 6);
    tern_backward(tern_sum(out.as.tensor));
    EXPECT(tern_grad_of(input), 0, 0);
}

Test(ops_edges, nuclear_norm_of_a_batch) {
    tern_tensor *x = tern_zeros(ctx, TERN_SHAPE(2, 2, 3), TERN_FLOAT64);
    tern_fill_in_place(tern_select(tern_select(tern_select(x, 0, 0), 0, 0), 0, 1), 3);
    tern_fill_in_place(tern_select(tern_select(tern_select(x, 0, 0), 0, 1), 0, 0), -4);
    tern_fill_in_place(tern_select(tern_select(tern_select(x, 0, 1), 0, 1), 0, 2), 2);
    leaf(x);
    tern_tensor *norms = call("norm", T(x), tern_text("nuc"), tern_none());
    EXPECT(norms, 7, 2);
    tern_tensor *no_matrix = tern_zeros(ctx, TERN_SHAPE(0, 2, 2), TERN_FLOAT64);
    cr_assert_eq(tern_numel(call("norm", T(no_matrix), tern_text("nuc"), tern_none())), 0);
}

/* It is U V^T, whose rows are orthonormal where the matrix is wide: singular values that are 0 but for
 * rounding have no part in it. */
Test(ops_edges, nuclear_norm_gradient_of_a_wide_matrix) {
    double numbers[] = {1.3, -0.7, 2.1, 0.4, -1.9, 0.6, 1.1, -0.3};
    tern_tensor *x = tern_from_data(ctx, numbers, TERN_SHAPE(2, 4), TERN_FLOAT64);
    leaf(x);
    tern_backward(call("norm", T(x), tern_text("nuc"), tern_none()));
    tern_tensor *g = tern_grad_of(x);
    EXPECT(tern_matmul(g, tern_t(g)), 1, 0, 0, 1);
}

Test(ops_edges, distances_and_bilinear_forms_say_which_shapes_do_not_fit) {
    tern_tensor *a = tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT64);
    tern_tensor *b = tern_zeros(ctx, TERN_SHAPE(4, 3), TERN_FLOAT64);
    EXPECT(call("cdist", T(a), T(b), tern_float(1)), 3, 3, 3, 3, 3, 3, 3, 3);
    EXPECT(call("dist", T(a), T(tern_zeros_like(a)), tern_float(1)), 6);
    tern_call(ctx, "cdist", (tern_value[]){T(a), T(tern_t(b))}, 2, tern_none());
    expect_error("the same number of columns");
    tern_tensor *weight = tern_ones(ctx, TERN_SHAPE(1, 3, 2), TERN_FLOAT64);
    tern_call(ctx, "nn.functional.bilinear", (tern_value[]){T(a), T(a), T(weight)}, 3, tern_none());
    expect_error("input1 [2, 3] and input2 [2, 3]");
    tern_tensor *in =
        call("isin", T(VECTOR(TERN_INT64, 1, 5, 2)), T(VECTOR(TERN_INT64, 2, 1)), tern_none());
    EXPECT(in, 1, 0, 1);
}

/* ---- in place, on views, twice ---- */

Test(ops_edges, a_view_written_in_place_passes_gradients_and_guards_saved_values) {
    tern_tensor *x = leaf(VECTOR(TERN_FLOAT64, 1, 2, 3, 4));
    tern_tensor *y = tern_mul_scalar(x, 2), *squares = tern_mul(y, y);
    tern_mul_scalar_in_place(tern_narrow(y, 0, 1, 2), 10);
    EXPECT(y, 2, 40, 60, 8);
    cr_assert_neq(tern_backward(tern_sum(squares)), TERN_OK);
    expect_error("modified by an inplace operation");
    tern_tensor *z = leaf(VECTOR(TERN_FLOAT64, 1, 2, 3, 4)), *w = tern_mul_scalar(z, 2);
    tern_mul_scalar_in_place(tern_narrow(w, 0, 1, 2), 10);
    tern_backward(tern_sum(w));
    EXPECT(tern_grad_of(z), 2, 20, 20, 2);
}

static tern_tensor *composed(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count;
    tern_value args[] = {T(in[0]), T(in[1])};
    return tern_call(c, user, args, 2, tern_none()).as.tensor;
}

Test(ops_edges, binary_functions_have_second_derivatives) {
    char *names[] = {"mul",      "div",       "pow",    "atan2",
                     "hypot",    "logaddexp", "xlogy",  "logaddexp2",
                     "copysign", "maximum",   "matmul", "nn.functional.cosine_similarity"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tern_tensor *a = tern_reshape(VECTOR(TERN_FLOAT64, .3, 1.2, .7, 2.1), TERN_SHAPE(2, 2));
        tern_tensor *b = tern_reshape(VECTOR(TERN_FLOAT64, 1.7, .4, 1.1, .9), TERN_SHAPE(2, 2));
        tern_tensor *in[] = {leaf(a), leaf(b)};
        cr_assert_eq(tern_gradcheck(ctx, composed, names[i], in, 2, 1e-6, 1e-5, 1e-3), TERN_OK,
                     "%s: %s", names[i], tern_error(ctx));
        cr_assert_eq(tern_gradgradcheck(ctx, composed, names[i], in, 2, 1e-6, 1e-5, 1e-3), TERN_OK,
                     "%s, twice: %s", names[i], tern_error(ctx));
    }
}

Test(ops_edges, errors_name_the_operation_the_shapes_and_the_dtypes) {
    tern_tensor *a = tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32);
    tern_tensor *b = tern_zeros(ctx, TERN_SHAPE(4, 3), TERN_FLOAT32);
    tern_add(a, b);
    expect_error("The size of tensor a (2) must match the size of tensor b (4) at non-singleton");
    tern_matmul(a, b);
    expect_error("matmul");
    tern_call(ctx, "gcd", (tern_value[]){T(a), T(a)}, 2, tern_none());
    expect_error("gcd");
    tern_reshape(a, TERN_SHAPE(5, -1));
    expect_error("[5, -1]");
    tern_select(a, 2, 0);
    expect_error("Dimension out of range");
    tern_add_in_place(tern_zeros(ctx, TERN_SHAPE(3), TERN_INT64),
                      tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32));
    expect_error("can't be cast");
}

Test(ops_edges, adaptive_pooling_to_more_positions_than_elements_repeats_windows) {
    tern_tensor *x = leaf(VECTOR(TERN_FLOAT64, 1, 3)), *y;
    y = call("nn.functional.adaptive_avg_pool1d", T(tern_reshape(x, TERN_SHAPE(1, 2))), tern_int(5),
             tern_none());
    EXPECT(y, 1, 1, 2, 3, 3);
    tern_backward(tern_sum(y));
    EXPECT(tern_grad_of(x), 2.5, 2.5);
}
