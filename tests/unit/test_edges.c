/* Values and gradients at kinks, ties, infinities and NaN, as PyTorch has them: each kind once. */
#include <criterion/criterion.h>
#include <math.h>

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(edges, .init = open_context, .fini = close_context);

#define T(t)          tern_tensor_value(t)
#define LENGTH(array) ((int64_t)(sizeof(array) / sizeof *(array)))

static tern_tensor *vector(const double *values, int64_t count) {
    return tern_from_data(ctx, values, TERN_SHAPE(count), TERN_FLOAT64);
}
#define VECTOR(...) vector((const double[]){__VA_ARGS__}, LENGTH(((const double[]){__VA_ARGS__})))
#define LEAF(...)   tern_requires_grad(VECTOR(__VA_ARGS__), true)

static void expect(tern_tensor *t, const double *expected, int64_t count, const char *what) {
    double got[32] = {0};
    cr_assert_not_null(t, "%s: there is no tensor", what);
    cr_assert_eq(tern_numel(t), count, "%s has %lld elements", what, (long long)tern_numel(t));
    cr_assert_eq(tern_to_doubles(t, got, (size_t)count), TERN_OK, "%s: %s", what, tern_error(ctx));
    for (int64_t i = 0; i < count; i++) {
        bool same = got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i])) ||
                    fabs(got[i] - expected[i]) < 1e-9;
        cr_assert(same, "%s: element %lld is %.17g, not %.17g", what, (long long)i, got[i],
                  expected[i]);
    }
}
#define EXPECT(t, ...)                                                                             \
    expect(t, (const double[]){__VA_ARGS__}, LENGTH(((const double[]){__VA_ARGS__})), #t)

static tern_value call(const char *name, const tern_value *args, int count) {
    tern_value result = tern_call(ctx, name, args, count, tern_none());
    cr_assert_neq(result.kind, TERN_VALUE_NONE, "%s: %s", name, tern_error(ctx));
    return result;
}
#define CALL(name, ...)                                                                            \
    call(name, (const tern_value[]){__VA_ARGS__}, (int)LENGTH(((const tern_value[]){__VA_ARGS__})))
#define CALL_TENSOR(name, ...) CALL(name, __VA_ARGS__).as.tensor

/* The gradient of the sum of an operation's result at x. */
static tern_tensor *slope(const char *name, tern_tensor *x) {
    tern_backward(tern_sum(CALL_TENSOR(name, T(x))));
    return tern_grad_of(x);
}

/* ---- kinks ---- */

Test(edges, exponential_units_have_the_slope_of_the_exponential_at_0) {
    EXPECT(slope("nn.functional.elu", LEAF(0, 1, NAN, -INFINITY)), 1, 1, 1, 0);
    EXPECT(slope("nn.functional.celu", LEAF(0, 1, NAN)), 1, 1, 1);
    EXPECT(slope("nn.functional.selu", LEAF(0)), 1.0507009873554805 * 1.6732632423543772);
}

Test(edges, softplus_and_hardswish_at_their_bounds) {
    EXPECT(slope("nn.functional.softplus", LEAF(20, 21, NAN)), 1 / (1 + exp(-20)), 1, NAN);
    EXPECT(slope("nn.functional.hardswish", LEAF(-3, 3, -INFINITY, NAN)), 0, 1, 0, NAN);
}

Test(edges, shrinks_pass_no_gradient_to_nan_but_keep_it) {
    EXPECT(CALL_TENSOR("nn.functional.softshrink", T(VECTOR(NAN, 0.5, 1))), NAN, 0, 0.5);
    EXPECT(slope("nn.functional.softshrink", LEAF(NAN, 0.5, 1)), 0, 0, 1);
    EXPECT(slope("nn.functional.hardshrink", LEAF(NAN, 0.5, 1)), 0, 0, 1);
}

Test(edges, prelu_keeps_an_infinite_weight_out_of_what_is_above_0) {
    tern_tensor *x = LEAF(2, -2, NAN), *weight = LEAF(INFINITY);
    tern_backward(tern_sum(CALL_TENSOR("nn.functional.prelu", T(x), T(weight))));
    EXPECT(tern_grad_of(x), 1, INFINITY, INFINITY);
}

Test(edges, huber_beyond_an_infinity_is_linear) {
    tern_tensor *x = LEAF(INFINITY, -INFINITY, NAN, 0.5);
    tern_backward(tern_sum(
        CALL_TENSOR("nn.functional.huber_loss", T(x), T(VECTOR(0, 0, 0, 0)), tern_text("sum"))));
    EXPECT(tern_grad_of(x), 1, -1, NAN, 0.5);
}

/* ---- ties ---- */

Test(edges, fmax_and_fmin_share_between_equals) {
    tern_tensor *a = LEAF(1, 2, NAN, 3), *b = LEAF(1, 1, 1, NAN);
    tern_backward(tern_sum(CALL_TENSOR("fmax", T(a), T(b))));
    EXPECT(tern_grad_of(a), 0.5, 1, 0, 1);
    EXPECT(tern_grad_of(b), 0.5, 0, 1, 0);
    tern_set_grad(a, NULL);
    tern_backward(tern_sum(CALL_TENSOR("fmin", T(a), T(b))));
    EXPECT(tern_grad_of(a), 0.5, 0, 0, 1);
}

Test(edges, amax_finds_no_nan_where_max_does) {
    EXPECT(slope("amax", LEAF(1, 2, 2)), 0, 0.5, 0.5);
    EXPECT(slope("amax", LEAF(1, NAN)), NAN, NAN);
    EXPECT(slope("max", LEAF(1, NAN)), 0, 1);
}

Test(edges, scatter_reduce_with_nan_gives_nan_to_both) {
    tern_tensor *x = LEAF(1, 2), *src = LEAF(NAN, 2);
    tern_tensor *index = tern_arange_i64(ctx, 2);
    tern_backward(tern_sum(
        CALL_TENSOR("scatter_reduce", T(x), tern_int(0), T(index), T(src), tern_text("amax"))));
    EXPECT(tern_grad_of(x), NAN, 0.5);
    EXPECT(tern_grad_of(src), NAN, 0.5);
}

Test(edges, the_largest_norm_shares_and_a_count_has_no_slope) {
    tern_tensor *x = LEAF(3, -3, 1);
    tern_backward(CALL_TENSOR("norm", T(x), tern_float(INFINITY)));
    EXPECT(tern_grad_of(x), 0.5, -0.5, 0);
    x = LEAF(INFINITY, NAN, 1);
    tern_backward(CALL_TENSOR("norm", T(x), tern_float(INFINITY)));
    EXPECT(tern_grad_of(x), 0, 0, 0);
    x = LEAF(INFINITY, NAN, 1);
    tern_backward(CALL_TENSOR("norm", T(x), tern_int(0)));
    EXPECT(tern_grad_of(x), 0, 0, 0);
}

Test(edges, cdist_gives_every_tie_all_and_distance_0_nothing) {
    tern_tensor *x = LEAF(3, -3), *rows = tern_reshape(x, TERN_SHAPE(1, 2));
    tern_tensor *origin = tern_reshape(VECTOR(0, 0), TERN_SHAPE(1, 2));
    tern_backward(tern_sum(CALL_TENSOR("cdist", T(rows), T(origin), tern_float(INFINITY))));
    EXPECT(tern_grad_of(x), 1, -1);
    x = LEAF(0, 0);
    rows = tern_reshape(x, TERN_SHAPE(1, 2));
    tern_backward(tern_sum(CALL_TENSOR("cdist", T(rows), T(origin), tern_float(2))));
    EXPECT(tern_grad_of(x), 0, 0);
}

static tern_tensor *distances(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count;
    tern_tensor *a = tern_reshape(in[0], TERN_SHAPE(2, 2));
    tern_tensor *b = tern_reshape(in[1], TERN_SHAPE(3, 2));
    return CALL_TENSOR("cdist", T(a), T(b), tern_float(*(const double *)user));
}

Test(edges, cdist_differentiates_for_every_order) {
    const double orders[] = {0.5, 1, 1.5, 2, 3, INFINITY};
    for (int64_t i = 0; i < LENGTH(orders); i++) {
        double p = orders[i];
        tern_tensor *in[] = {LEAF(0.1, 0.7, -0.4, 1.9), LEAF(2.2, -1.3, 0.35, 0.5, -3, 0.8)};
        cr_assert_eq(tern_gradcheck(ctx, distances, &p, in, 2, 1e-6, 1e-5, 1e-3), TERN_OK,
                     "p = %g: %s", p, tern_error(ctx));
    }
}

Test(edges, adaptive_max_pool_takes_the_last_nan_and_the_first_maximum) {
    tern_tensor *x = LEAF(NAN, 1, NAN, 5, 5, 0), *rows = tern_reshape(x, TERN_SHAPE(1, 6));
    tern_backward(tern_sum(CALL_TENSOR("nn.functional.adaptive_max_pool1d", T(rows), tern_int(2))));
    EXPECT(tern_grad_of(x), 0, 0, 1, 1, 0, 0);
}

/* ---- infinities and NaN ---- */

Test(edges, nanmean_passes_a_nan_gradient_on) {
    EXPECT(slope("nanmean", LEAF(1, NAN, 3)), 0.5, 0, 0.5);
    EXPECT(slope("nanmean", LEAF(NAN)), NAN);
}

Test(edges, logsumexp_of_infinities) {
    tern_tensor *x = LEAF(INFINITY, 1);
    tern_backward(CALL_TENSOR("logsumexp", T(x), tern_int(0)));
    EXPECT(tern_grad_of(x), NAN, 0);
    x = LEAF(-INFINITY, -INFINITY);
    tern_backward(CALL_TENSOR("logsumexp", T(x), tern_int(0)));
    EXPECT(tern_grad_of(x), 0, 0);
}

Test(edges, atan2_has_no_slope_at_the_origin) {
    tern_tensor *y = LEAF(0, 1), *x = LEAF(0, 0);
    tern_backward(tern_sum(CALL_TENSOR("atan2", T(y), T(x))));
    EXPECT(tern_grad_of(y), 0, 0);
    EXPECT(tern_grad_of(x), 0, -1);
}

Test(edges, logit_and_entr_at_and_beyond_their_bounds) {
    EXPECT(slope("logit", LEAF(0, 1, -1, 2, 0.5)), INFINITY, INFINITY, NAN, NAN, 4);
    EXPECT(slope("special.entr", LEAF(0, -1, 1)), INFINITY, NAN, -1);
    EXPECT(CALL_TENSOR("special.entr", T(VECTOR(0, -1, 1))), 0, -INFINITY, 0);
    tern_tensor *x = LEAF(0, 0.5, NAN);
    tern_backward(tern_sum(CALL_TENSOR("logit", T(x), tern_float(0.1))));
    EXPECT(tern_grad_of(x), 0, 4, 0);
}

Test(edges, ndtri_keeps_its_tails) {
    EXPECT(CALL_TENSOR("special.ndtri", T(VECTOR(0, 1, 2, 0.5, 1e-30, 0.975))), -INFINITY, INFINITY,
           NAN, 0, -11.464024688443613, 1.9599639845400545);
    EXPECT(slope("special.ndtri", LEAF(0.5)), sqrt(2 * 3.14159265358979323846));
}

Test(edges, a_masked_row_of_attention_reaches_no_key) {
    tern_tensor *q = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(2, 2), TERN_FLOAT64), true);
    tern_tensor *k =
        tern_requires_grad(tern_reshape(VECTOR(0, 1, 2, 3, 4, 5), TERN_SHAPE(3, 2)), true);
    tern_tensor *mask =
        tern_reshape(VECTOR(0, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY), TERN_SHAPE(2, 3));
    tern_tensor *y = tern_scaled_dot_product_attention(q, k, k, mask, false);
    tern_backward(tern_sum(y));
    double grad[6];
    cr_assert_eq(tern_to_doubles(tern_grad_of(k), grad, 6), TERN_OK);
    for (int i = 0; i < 6; i++) cr_assert(isfinite(grad[i]), "key %d: %g", i, grad[i]);
    cr_assert(grad[0] != 0);
    cr_assert_eq(tern_to_doubles(tern_grad_of(q), grad, 4), TERN_OK);
    cr_assert(grad[2] == 0 && grad[3] == 0 && isfinite(grad[0]));
}

/* ---- what is recorded ---- */

Test(edges, a_retained_gradient_follows_the_tensor_through_operations_in_place) {
    tern_tensor *x = LEAF(1, 1), *y = tern_mul_scalar(x, 2);
    tern_retain_grad(y);
    tern_mul_scalar_in_place(y, 3);
    tern_backward(tern_sum(y));
    EXPECT(tern_grad_of(y), 1, 1);
    EXPECT(tern_grad_of(x), 6, 6);
}

Test(edges, a_retained_gradient_follows_what_its_views_write) {
    tern_tensor *x = LEAF(1, 1), *y = tern_mul_scalar(x, 2);
    tern_retain_grad(y);
    tern_mul_scalar_in_place(tern_narrow(y, 0, 0, 1), 3);
    tern_backward(tern_sum(y));
    EXPECT(tern_grad_of(y), 1, 1);
    EXPECT(tern_grad_of(x), 6, 2);
}

Test(edges, as_strided_over_an_expanded_tensor_counts_its_memory_once) {
    tern_tensor *x = LEAF(1, 2), *wide = tern_expand(tern_unsqueeze(x, 0), TERN_SHAPE(3, 2));
    tern_backward(tern_sum(tern_as_strided(wide, TERN_SHAPE(2), TERN_SHAPE(1), 0)));
    EXPECT(tern_grad_of(x), 1, 1);
}

static tern_tensor *reflected(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count;
    return CALL_TENSOR((const char *)user, T(in[0]), T(in[1]));
}

Test(edges, reflected_operators_differentiate_twice) {
    char *names[] = {"__rdiv__", "__rpow__"};
    for (int64_t i = 0; i < LENGTH(names); i++) {
        tern_tensor *in[] = {LEAF(0.7, 1.5, 2.1), LEAF(1.2, 0.4, 3)};
        cr_assert_eq(tern_gradgradcheck(ctx, reflected, names[i], in, 2, 1e-6, 1e-5, 1e-3), TERN_OK,
                     "%s: %s", names[i], tern_error(ctx));
    }
    tern_tensor *in[] = {LEAF(0.7, 1.5, 2.1)};
    tern_backward(tern_sum(CALL_TENSOR("__rdiv__", T(in[0]), tern_int(2))));
    EXPECT(tern_grad_of(in[0]), -2 / 0.49, -2 / 2.25, -2 / 4.41);
}

static tern_tensor *reflected_number(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count;
    return CALL_TENSOR((const char *)user, T(in[0]), tern_int(2));
}

Test(edges, reflected_operators_with_numbers_differentiate_twice) {
    char *names[] = {"__rdiv__", "__rpow__", "__rmod__"};
    for (int64_t i = 0; i < LENGTH(names); i++) {
        tern_tensor *in[] = {LEAF(0.7, 1.5, 2.1)};
        cr_assert_eq(tern_gradcheck(ctx, reflected_number, names[i], in, 1, 1e-6, 1e-5, 1e-3),
                     TERN_OK, "%s: %s", names[i], tern_error(ctx));
        cr_assert_eq(tern_gradgradcheck(ctx, reflected_number, names[i], in, 1, 1e-6, 1e-5, 1e-3),
                     TERN_OK, "%s: %s", names[i], tern_error(ctx));
    }
}

static tern_tensor *scaled_by_power(tern_ctx *c, tern_tensor *const *in, int count, void *user) {
    (void)c, (void)count, (void)user;
    return CALL_TENSOR("ldexp", T(in[0]), T(in[1]));
}

Test(edges, ldexp_differentiates_twice) {
    tern_tensor *in[] = {LEAF(0.7, -1.5), LEAF(1.2, 0.4)};
    cr_assert_eq(tern_gradgradcheck(ctx, scaled_by_power, NULL, in, 2, 1e-6, 1e-5, 1e-3), TERN_OK,
                 "%s", tern_error(ctx));
}

/* ---- shapes ---- */

Test(edges, what_cannot_be_viewed_is_copied_by_view_copy) {
    tern_tensor *x = tern_t(tern_reshape(VECTOR(0, 1, 2, 3), TERN_SHAPE(2, 2)));
    int64_t size[] = {4};
    EXPECT(CALL_TENSOR("view_copy", T(x), tern_ints(size, 1)), 0, 2, 1, 3);
}

Test(edges, tensor_split_by_sections) {
    tern_tensor *x = VECTOR(0, 1, 2, 3, 4);
    tern_value parts = CALL("tensor_split", T(x), tern_int(3));
    cr_assert_eq(tern_value_count(parts), 3);
    EXPECT(tern_value_at(parts, 0).as.tensor, 0, 1);
    EXPECT(tern_value_at(parts, 2).as.tensor, 4);
    parts = CALL("tensor_split", T(x), T(tern_scalar_tensor(ctx, 2, TERN_INT64)));
    cr_assert_eq(tern_value_count(parts), 2);
    EXPECT(tern_value_at(parts, 0).as.tensor, 0, 1, 2);
}

Test(edges, multi_margin_loss_has_one_loss_a_target) {
    tern_tensor *x = VECTOR(0, 1, 2), *target = tern_to_dtype(VECTOR(1), TERN_INT64);
    tern_tensor *loss =
        CALL_TENSOR("nn.functional.multi_margin_loss", T(x), T(target), tern_int(1), tern_float(1),
                    tern_none(), tern_none(), tern_none(), tern_text("none"));
    cr_assert_eq(tern_rank(loss), 1);
    EXPECT(loss, 2.0 / 3.0);
}

Test(edges, multi_margin_loss_keeps_an_infinite_weight_from_what_does_not_count) {
    tern_tensor *x = LEAF(5, 1, 4.5), *target = tern_scalar_tensor(ctx, 0, TERN_INT64);
    tern_tensor *loss = CALL_TENSOR("nn.functional.multi_margin_loss", T(x), T(target), tern_int(1),
                                    tern_float(1), T(VECTOR(INFINITY, 1, 1)));
    EXPECT(loss, INFINITY);
    tern_backward(loss);
    EXPECT(tern_grad_of(x), -INFINITY, 0, INFINITY);
}

/* ---- modules and optimizers ---- */

static tern_tensor *ctc_loss(const char *module, tern_tensor *log_probs, int64_t steps,
                             int64_t labels) {
    int64_t target[] = {1, 2}, input_lengths[] = {steps}, target_lengths[] = {labels};
    tern_tensor *targets = tern_from_data(ctx, target, TERN_SHAPE(1, 2), TERN_INT64);
    tern_value args[] = {T(log_probs), T(targets), tern_ints(input_lengths, 1),
                         tern_ints(target_lengths, 1)};
    tern_value loss = tern_module_call(tern_nn(ctx, module), args, 4, tern_none());
    cr_assert_eq(loss.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    return loss.as.tensor;
}

static tern_tensor *even_log_probs(void) {
    tern_tensor *t = tern_full(ctx, TERN_SHAPE(2, 1, 3), -log(3.0), TERN_FLOAT64);
    return tern_requires_grad(t, true);
}

Test(edges, ctc_of_no_steps_has_a_path_to_no_labels_alone) {
    tern_tensor *log_probs = even_log_probs();
    EXPECT(ctc_loss("CTCLoss()", log_probs, 0, 2), INFINITY);
    EXPECT(ctc_loss("CTCLoss(zero_infinity=True)", log_probs, 0, 2), 0);
    tern_tensor *loss = ctc_loss("CTCLoss()", log_probs, 0, 0);
    EXPECT(loss, 0);
    tern_backward(loss);
    EXPECT(tern_grad_of(log_probs), 0, 0, 0, 0, 0, 0);
}

Test(edges, ctc_of_an_impossible_target_is_infinite_and_its_gradient_nan) {
    tern_tensor *log_probs = even_log_probs();
    tern_tensor *loss = ctc_loss("CTCLoss()", log_probs, 1, 2);
    EXPECT(loss, INFINITY);
    tern_backward(loss);
    EXPECT(tern_grad_of(log_probs), NAN, NAN, NAN, 0, 0, 0);
    log_probs = even_log_probs();
    loss = ctc_loss("CTCLoss(zero_infinity=True)", log_probs, 1, 2);
    EXPECT(loss, 0);
    tern_backward(loss);
    EXPECT(tern_grad_of(log_probs), 0, 0, 0, 0, 0, 0);
}

Test(edges, a_norm_of_order_0_counts) {
    tern_tensor *x = LEAF(1, 2, 3), *y = LEAF(1);
    tern_set_grad(x, VECTOR(5, 0, 1));
    tern_set_grad(y, VECTOR(4));
    tern_value both = tern_list_new(ctx);
    tern_list_append(both, T(x));
    tern_list_append(both, T(y));
    EXPECT(tern_clip_grad_norm(ctx, both, 1, 0, false), 2);
    EXPECT(tern_grad_of(y), 4 / (2 + 1e-6));
}

/* ---- which element counts ---- */

static tern_tensor *matrix(int64_t rows, const double *values, int64_t count) {
    return tern_requires_grad(tern_reshape(vector(values, count), TERN_SHAPE(rows, -1)), true);
}
#define MATRIX(rows, ...)                                                                          \
    matrix(rows, (const double[]){__VA_ARGS__}, LENGTH(((const double[]){__VA_ARGS__})))

Test(edges, the_largest_of_a_bag_is_the_first_of_equals_and_nan_where_it_is_first) {
    tern_tensor *weight = MATRIX(3, 3, NAN, 3, 1, -1, 2);
    tern_tensor *index = tern_to_dtype(VECTOR(0, 1, 2, 1, 0), TERN_INT64);
    tern_tensor *offsets = tern_to_dtype(VECTOR(0, 3, 5), TERN_INT64);
    tern_tensor *out = CALL_TENSOR("nn.functional.embedding_bag", T(index), T(weight), T(offsets),
                                   tern_none(), tern_float(2), tern_bool(false), tern_text("max"));
    EXPECT(out, 3, NAN, 3, 1, 0, 0);
    tern_backward(tern_sum(out));
    EXPECT(tern_grad_of(weight), 1, 1, 1, 1, 0, 0);
}

Test(edges, fractional_pooling_takes_the_last_nan_and_the_first_maximum) {
    tern_tensor *x = MATRIX(3, 1, NAN, NAN, 0, 2, 2, 1, 0, 0, 0, 0, 0);
    tern_tensor *samples = tern_zeros(ctx, TERN_SHAPE(1, 1, 2), TERN_FLOAT64);
    tern_value both = CALL("nn.functional.fractional_max_pool2d", T(tern_unsqueeze(x, 0)),
                           tern_int(2), tern_int(2), tern_none(), tern_bool(true), T(samples));
    EXPECT(tern_value_at(both, 0).as.tensor, NAN, NAN, 2, 1);
    EXPECT(tern_value_at(both, 1).as.tensor, 1, 2, 4, 6);
    tern_backward(tern_sum(tern_value_at(both, 0).as.tensor));
    EXPECT(tern_grad_of(x), 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0);
}

Test(edges, what_renorm_leaves_has_no_gradient_through_its_norm) {
    tern_tensor *x = MATRIX(2, 3, 4, 0, 0, NAN, INFINITY);
    tern_tensor *out = tern_renorm(x, 2, 0, 1);
    EXPECT(tern_select(out, 0, 1), 0, NAN, INFINITY);
    tern_backward(tern_sum(out));
    double length = 5 + 1e-7, along = 7 / (5 * length);
    EXPECT(tern_grad_of(x), (1 - 3 * along) / length, (1 - 4 * along) / length, 1 / length, 1, 1,
           1);
}

/* ---- ties and NaN in a selection: the values are PyTorch's ---- */

static tern_tensor *nanquantile_slope(tern_tensor *x, tern_tensor *q) {
    tern_backward(tern_sum(tern_nanquantile(x, q, -1, false)));
    return tern_grad_of(x);
}

Test(edges, a_quantile_gives_its_gradient_to_the_element_that_a_selection_finds) {
    EXPECT(nanquantile_slope(LEAF(0, -0.001, 0, -0.5, 20), VECTOR(0.5)), 0, 0, 1, 0, 0);
    EXPECT(nanquantile_slope(LEAF(0, 0, NAN, 1, 0), VECTOR(0.5)), 0.5, 0, 0, 0, 0.5);
    EXPECT(nanquantile_slope(LEAF(0, 0, 0, 0, 0), VECTOR(0.0, 0.25, 1)), 1, 1, 0, 0,
           1); /* sorted */
}

Test(edges, a_nan_parts_the_numbers_of_which_one_is_the_mode) {
    tern_value both = CALL("mode", T(VECTOR(1e30, 1e30, NAN, -1e30, -1e30)));
    EXPECT(tern_value_at(both, 0).as.tensor, 1e30);
    EXPECT(tern_value_at(both, 1).as.tensor, 1);
    both = CALL("mode", T(VECTOR(NAN, -INFINITY, NAN, INFINITY, 0.5)));
    EXPECT(tern_value_at(both, 0).as.tensor, NAN);
    both = CALL("mode", T(VECTOR(2, 1, 2, 1, 3)));
    EXPECT(tern_value_at(both, 0).as.tensor, 1);
    EXPECT(tern_value_at(both, 1).as.tensor, 3);
}
