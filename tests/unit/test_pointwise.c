/* The rows of pointwise.def: launches, derivatives, and the same bits fused and step by step. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "test_plugins.h"

TestSuite(pointwise, .init = find_test_plugins, .fini = forget_test_plugins);

typedef struct row {
    const char *name;
    int n_numbers;
    double numbers[2];
} row;

static const row rows[] = {
    {"gelu", 0, {0}},       {"gelu_tanh", 0, {0}},       {"silu", 0, {0}},
    {"softplus", 0, {0}},   {"softplus", 2, {2.5, 3}},   {"mish", 0, {0}},
    {"softsign", 0, {0}},   {"tanhshrink", 0, {0}},      {"logsigmoid", 0, {0}},
    {"elu", 0, {0}},        {"elu", 1, {0.7}},           {"celu", 1, {1.3}},
    {"selu", 0, {0}},       {"leaky_relu", 1, {0.2}},    {"hardtanh", 2, {-2, 1}},
    {"relu6", 0, {0}},      {"hardsigmoid", 0, {0}},     {"hardswish", 0, {0}},
    {"hardshrink", 0, {0}}, {"softshrink", 1, {0.5}},    {"threshold", 2, {0.1, 20}},
    {"logit", 0, {0}},      {"logit_between", 1, {0.1}}, {"entr", 0, {0}},
    {"ndtr", 0, {0}},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

/* Where the operation is not nn.functional's of that name; `unit`: for arguments from 0 to 1. */
typedef struct spelling {
    const char *row, *operation;
    bool unit;
} spelling;

static const spelling spellings[] = {
    {"gelu_tanh", "nn.functional.gelu", false},
    {"logit", "logit", true},
    {"logit_between", "logit", true},
    {"entr", "special.entr", true},
    {"ndtr", "special.ndtr", false},
};

static const spelling *spelling_of(const row *r) {
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (strcmp(spellings[i].row, r->name) == 0) return &spellings[i];
    return NULL;
}

Test(pointwise, every_row_is_in_the_table) {
    static const char *const ids[] = {
#define POINTWISE(id, names, formula, derivative)         #id,
#define POINTWISE_CHECKED(id, names, formula, derivative) #id,
#define POINTWISE_FORM(id, names, formula, derivative)    #id,
#include "functional/pointwise.def"
#undef POINTWISE
#undef POINTWISE_CHECKED
#undef POINTWISE_FORM
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        bool found = false;
        for (int k = 0; k < N_ROWS; k++) found = found || strcmp(rows[k].name, ids[i]) == 0;
        cr_expect(found, "%s of pointwise.def has no entry here", ids[i]);
    }
}

static tern_tensor *apply(tern_ctx *ctx, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const row *r = user;
    char name[64] = "nn.functional.";
    const spelling *other = spelling_of(r);
    tern_value args[3] = {tern_tensor_value(in[0])}, named = tern_dict_new(ctx, false);
    if (strcmp(r->name, "gelu_tanh") == 0) tern_dict_set(named, "approximate", tern_text("tanh"));
    for (int i = 0; i < r->n_numbers; i++) args[1 + i] = tern_float(r->numbers[i]);
    tern_value out = tern_call(ctx, other ? other->operation : strcat(name, r->name), args,
                               1 + r->n_numbers, named);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", r->name, tern_error(ctx));
    return out.as.tensor;
}

static tern_tensor *leaf(tern_ctx *ctx, const double *data, int64_t count, tern_dtype dtype) {
    tern_tensor *x = tern_from_data(ctx, data, TERN_SHAPE(count), TERN_FLOAT64);
    return tern_requires_grad(tern_detach(tern_to_dtype(x, dtype)), true);
}

static void check_launches(tern_grad_fn fn, const row *r) {
    static const double data[] = {-3, -0.5, 0, 0.25, 2, 7};
    tern_ctx *ctx = tern_open("counting");
    tern_tensor *x = leaf(ctx, data, 6, TERN_FLOAT32);
    tern_tensor *seed = tern_from_data(ctx, data, TERN_SHAPE(6), TERN_FLOAT64), *grad;
    seed = tern_to_dtype(seed, TERN_FLOAT32);
    uint64_t before = tern_stats_of(ctx).launches;
    tern_tensor *y = fn(ctx, &x, 1, (void *)(uintptr_t)r);
    uint64_t middle = tern_stats_of(ctx).launches;
    tern_grad(&y, 1, &x, 1, &seed, 0, &grad);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(middle - before, 1, "%s: %d launches", r->name, (int)(middle - before));
    cr_assert_eq(tern_stats_of(ctx).launches - middle, 1, "%s: %d launches backward", r->name,
                 (int)(tern_stats_of(ctx).launches - middle));
    tern_close(ctx);
}

Test(pointwise, every_row_is_one_launch_forward_and_one_backward) {
    for (int i = 0; i < N_ROWS; i++) check_launches(apply, &rows[i]);
}

/* ---- losses: the elements in one launch, their mean in another; all gradients in one ---- */

static const struct {
    const char *name;
    int tensors; /* all of them with a gradient */
} losses[] = {
    {"l1_loss", 2},
    {"mse_loss", 2},
    {"smooth_l1_loss", 2},
    {"huber_loss", 2},
    {"soft_margin_loss", 2},
    {"poisson_nll_loss", 2},
    {"kl_div", 2},
    {"hinge_embedding_loss", 1},
    {"margin_ranking_loss", 3},
    {"binary_cross_entropy_with_logits", 2},
};

static void check_loss(tern_ctx *ctx, int which, const char *reduction) {
    static const double data[] = {0.1, 0.25, 0.3, 0.5, 0.7, 0.8};
    char name[64] = "nn.functional.";
    const char *function = losses[which].name;
    tern_value args[3], named = tern_dict_new(ctx, false);
    tern_tensor *inputs[3], *grads[3], *ones = tern_ones(ctx, TERN_SHAPE(6), TERN_FLOAT32);
    for (int i = 0; i < 3; i++) {
        inputs[i] = leaf(ctx, data, 6, TERN_FLOAT32);
        args[i] = tern_tensor_value(inputs[i]);
    }
    tern_dict_set(named, "reduction", tern_text(reduction));
    bool whole = strcmp(reduction, "none") == 0;
    int count = losses[which].tensors;
    uint64_t before = tern_stats_of(ctx).launches;
    tern_value y = tern_call(ctx, strcat(name, function), args, count < 2 ? 2 : count, named);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", function, tern_error(ctx));
    uint64_t middle = tern_stats_of(ctx).launches;
    tern_grad(&y.as.tensor, 1, inputs, count, whole ? &ones : NULL, 0, grads);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", function, tern_error(ctx));
    cr_assert_eq(middle - before, whole ? 1 : 2, "%s, %s: %d launches", function, reduction,
                 (int)(middle - before));
    cr_assert_eq(tern_stats_of(ctx).launches - middle, 1, "%s, %s: %d launches backward", function,
                 reduction, (int)(tern_stats_of(ctx).launches - middle));
}

Test(pointwise, losses_are_two_launches_forward_and_one_backward) {
    static const char *const reductions[] = {"none", "mean", "sum"};
    tern_ctx *ctx = tern_open("counting");
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++)
        for (int k = 0; k < 3; k++) check_loss(ctx, (int)i, reductions[k]);
    tern_close(ctx);
}

Test(pointwise, norms_by_given_statistics_are_one_launch_and_one_with_two_sums_backward) {
    static const double data[] = {0.1, 0.25, 0.3, 0.5, 0.7, 0.8};
    tern_ctx *ctx = tern_open("counting");
    tern_tensor *x = leaf(ctx, data, 6, TERN_FLOAT16), *weight = leaf(ctx, data, 3, TERN_FLOAT32);
    x = tern_requires_grad(tern_detach(tern_reshape(x, TERN_SHAPE(2, 3))), true);
    tern_tensor *bias = leaf(ctx, data, 3, TERN_FLOAT32), *seed = tern_ones_like(x);
    tern_tensor *mean = tern_detach(weight), *var = tern_detach(bias);
    uint64_t before = tern_stats_of(ctx).launches;
    tern_tensor *y = tern_batch_norm(x, mean, var, weight, bias, false, 0.1, 1e-5), *grads[3];
    cr_assert_eq(tern_dtype_of(y), TERN_FLOAT16);
    uint64_t middle = tern_stats_of(ctx).launches;
    tern_grad(&y, 1, (tern_tensor *[]){x, weight, bias}, 3, &seed, 0, grads);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(middle - before, 1, "%d", (int)(middle - before));
    cr_assert_eq(tern_stats_of(ctx).launches - middle, 3, "%d",
                 (int)(tern_stats_of(ctx).launches - middle));
    tern_close(ctx);
}

Test(pointwise, dropouts_are_one_launch_forward_and_one_backward) {
    static const char *const names[] = {"nn.functional.dropout", "nn.functional.alpha_dropout",
                                        "nn.functional.dropout2d",
                                        "nn.functional.feature_alpha_dropout"};
    static const double data[] = {0.1, 0.25, 0.3, 0.5, 0.7, 0.8};
    tern_ctx *ctx = tern_open("counting");
    for (int i = 0; i < 4 * TERN_BFLOAT16; i++) {
        tern_tensor *x = leaf(ctx, data, 6, (tern_dtype)(i / 4)), *grad;
        x = tern_requires_grad(tern_detach(tern_reshape(x, TERN_SHAPE(1, 2, 3))), true);
        tern_value args[] = {tern_tensor_value(x), tern_float(0.3), tern_bool(true)};
        tern_tensor *seed = tern_ones_like(x);
        uint64_t before = tern_stats_of(ctx).launches;
        tern_tensor *y = tern_call(ctx, names[i % 4], args, 3, tern_none()).as.tensor;
        uint64_t middle = tern_stats_of(ctx).launches;
        tern_grad(&y, 1, &x, 1, &seed, 0, &grad);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(middle - before, 1, "%s: %d", names[i % 4], (int)(middle - before));
        cr_assert_eq(tern_stats_of(ctx).launches - middle, 1, "%s", names[i % 4]);
    }
    tern_close(ctx);
}

/* ---- values and derivatives ---- */

static void check_derivatives(tern_ctx *ctx, tern_grad_fn fn, const row *r) {
    /* away from every kink */
    static const double data[] = {-4.1, -2.3, -1.4, -0.61, -0.2, 0.21, 0.63, 1.7, 2.6, 4.2, 6.8};
    const spelling *other = spelling_of(r);
    double own[11];
    for (int i = 0; i < 11; i++) own[i] = other && other->unit ? 1 / (1 + exp(-data[i])) : data[i];
    tern_tensor *x = leaf(ctx, own, 11, TERN_FLOAT64);
    void *user = (void *)(uintptr_t)r;
    tern_gradcheck(ctx, fn, user, &x, 1, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", r->name, tern_error(ctx));
    tern_gradgradcheck(ctx, fn, user, &x, 1, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s, twice: %s", r->name, tern_error(ctx));
}

Test(pointwise, derivatives_and_their_own_are_right) {
    tern_ctx *ctx = tern_open("cpu_ref");
    for (int i = 0; i < N_ROWS; i++) check_derivatives(ctx, apply, &rows[i]);
    tern_close(ctx);
}

enum { N_EDGES = 18 };

/* The value, and the gradients of first and second order, at edges. */
static void edges_of(tern_ctx *ctx, const row *r, tern_dtype dtype, double out[3][N_EDGES]) {
    static const double data[N_EDGES] = {-3,        3,     0,        -0.0,        0.5,  -0.5,
                                         1,         -1,    2,        -2.5,        1e-9, 100,
                                         -INFINITY, 0.001, INFINITY, (double)NAN, -30,  6};
    tern_tensor *x = leaf(ctx, data, N_EDGES, dtype), *first, *second;
    tern_tensor *y = apply(ctx, &x, 1, (void *)(uintptr_t)r);
    tern_tensor *seed = tern_requires_grad(tern_full_like(y, 0.7), true);
    tern_grad(&y, 1, &x, 1, &seed, TERN_CREATE_GRAPH, &first);
    tern_tensor *ones = tern_full_like(first, 1.3);
    tern_grad(&first, 1, &x, 1, &ones, TERN_ALLOW_UNUSED, &second);
    tern_to_doubles(y, out[0], N_EDGES);
    tern_to_doubles(first, out[1], N_EDGES);
    memset(out[2], 0, sizeof out[2]);
    if (second && !tern_is_nil(second)) tern_to_doubles(second, out[2], N_EDGES);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", r->name, tern_error(ctx));
}

Test(pointwise, fused_and_step_by_step_have_the_same_bits) {
    static const char *const others[] = {"minimal", "discrete", "delaying"};
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    tern_ctx *fused = tern_open("cpu_ref");
    for (int d = 0; d < 3; d++) {
        tern_ctx *other = tern_open(others[d]);
        cr_assert_eq(tern_check(other), TERN_OK, "%s", tern_error(other));
        for (int i = 0; i < N_ROWS * 4; i++) {
            double a[3][N_EDGES], b[3][N_EDGES];
            edges_of(fused, &rows[i / 4], dtypes[i % 4], a);
            edges_of(other, &rows[i / 4], dtypes[i % 4], b);
            for (int k = 0; k < 3 * N_EDGES; k++) {
                double x = a[k / N_EDGES][k % N_EDGES], y = b[k / N_EDGES][k % N_EDGES];
                cr_assert((isnan(x) && isnan(y)) || memcmp(&x, &y, sizeof x) == 0,
                          "%s on %s: order %d, element %d: %g, fused %g", rows[i / 4].name,
                          others[d], k / N_EDGES, k % N_EDGES, y, x);
            }
        }
        tern_close(other);
    }
    tern_close(fused);
}

Test(pointwise, integers_give_what_pytorch_gives) {
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_tensor *i = tern_to_dtype(
        tern_from_data(ctx, (double[]){-3, 0, 9}, TERN_SHAPE(3), TERN_FLOAT64), TERN_INT64);
    static const struct {
        row row;
        tern_dtype dtype;
        double values[3];
    } cases[] = {{{"relu6", 0, {0}}, TERN_INT64, {0, 0, 6}},
                 {{"hardtanh", 2, {-2, 4}}, TERN_INT64, {-2, 0, 4}},
                 {{"leaky_relu", 1, {0.5}}, TERN_FLOAT32, {-1.5, 0, 9}}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double values[3];
        tern_tensor *y = apply(ctx, &i, 1, (void *)(uintptr_t)&cases[k].row);
        cr_assert_eq(tern_dtype_of(y), cases[k].dtype, "%s", cases[k].row.name);
        tern_to_doubles(y, values, 3);
        cr_assert(memcmp(values, cases[k].values, sizeof values) == 0, "%s", cases[k].row.name);
    }
    tern_close(ctx);
}
