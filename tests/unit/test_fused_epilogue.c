/* Products and convolutions with a formula behind them: launches, the same bits fused and composed, the
 * functions of formulas, gradients, refusals, and what Sequential makes of its layers. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/formula.h"
#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    tern_close(ctx);
}
TestSuite(fused_epilogue, .init = open_context, .fini = close_context);

static void check(const char *what) {
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", what, tern_error(ctx));
}

static tern_tensor *numbers(tern_shape shape, tern_dtype dtype, int64_t from) {
    double data[1024];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    for (int64_t i = 0; i < count; i++) data[i] = sin((double)(i + from) * 12.9898) * 2;
    return tern_to_dtype(tern_from_data(ctx, data, shape, TERN_FLOAT64), dtype);
}

static void same_bits(tern_tensor *a, tern_tensor *b, const char *what) {
    double x[1024], y[1024];
    check(what);
    size_t count = (size_t)tern_numel(a);
    cr_assert_eq(tern_dtype_of(a), tern_dtype_of(b), "%s", what);
    cr_assert(count <= 1024 && count == (size_t)tern_numel(b), "%s", what);
    tern_to_doubles(a, x, count);
    tern_to_doubles(b, y, count);
    cr_assert_eq(memcmp(x, y, count * sizeof *x), 0, "%s: other bits", what);
}

static uint64_t launches(void) {
    return tern_stats_of(ctx).launches;
}

static const char *const formulas[] = {
    "relu(x)",      "sigmoid(x)", "tanh(x)",           "gelu(x)",
    "gelu_tanh(x)", "silu(x)",    "softplus(x, 2, 5)", "leaky_relu(x, 0.125)",
    "elu(x)",       "selu(x)",    "mish(x)",           "softsign(x)",
    "x * x - 0.5"};
enum { N_FORMULAS = sizeof formulas / sizeof formulas[0] };
static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};

static tern_tensor *conv_map(tern_tensor *x, tern_tensor *w, tern_tensor *b, const char *formula) {
    return tern_convolution_map(x, w, b, formula, TERN_SHAPE(1, 2), TERN_SHAPE(1, 1),
                                TERN_SHAPE(1, 1), 2);
}

/* By the operation `run` fused, then with its family switched off. */
static void compare(const char *family, const char *formula, tern_dtype dtype, bool bias) {
    bool linear = strcmp(family, "matmul_map") == 0;
    tern_tensor *x =
        linear ? numbers(TERN_SHAPE(5, 7), dtype, 0) : numbers(TERN_SHAPE(2, 4, 6, 5), dtype, 0);
    tern_tensor *w =
        linear ? numbers(TERN_SHAPE(3, 7), dtype, 50) : numbers(TERN_SHAPE(6, 2, 3, 3), dtype, 50);
    tern_tensor *b = bias ? numbers(TERN_SHAPE(linear ? 3 : 6), dtype, 90) : NULL, *out[2];
    for (int composed = 0; composed < 2; composed++) {
        tern_set_composed(ctx, family, composed);
        uint64_t before = launches();
        out[composed] = linear ? tern_linear_map(x, w, b, formula) : conv_map(x, w, b, formula);
        check(formula);
        uint64_t count = launches() - before;
        cr_assert(composed ? count >= 2 : count == 1, "%s of %s: %d launches", formula, family,
                  (int)count);
    }
    tern_set_composed(ctx, family, false);
    same_bits(out[0], out[1], formula);
}

Test(fused_epilogue, one_launch_has_the_bits_of_the_product_and_the_formula) {
    for (int f = 0; f < N_FORMULAS; f++)
        for (int d = 0; d < 4; d++)
            for (int bias = 0; bias < 2; bias++) {
                tern_scope scope = tern_scope_begin(ctx, 0);
                compare("matmul_map", formulas[f], dtypes[d], bias);
                compare("conv_map", formulas[f], dtypes[d], bias);
                tern_scope_end(scope);
            }
}

Test(fused_epilogue, the_result_is_that_of_linear_and_the_activation) {
    tern_tensor *x = numbers(TERN_SHAPE(4, 6), TERN_FLOAT32, 0);
    tern_tensor *w = numbers(TERN_SHAPE(5, 6), TERN_FLOAT32, 30);
    tern_tensor *b = numbers(TERN_SHAPE(5), TERN_FLOAT32, 70), *y = tern_linear(x, w, b);
    same_bits(tern_linear_map(x, w, b, "relu(x)"), tern_relu(y), "relu");
    same_bits(tern_linear_map(x, w, b, "silu(x)"), tern_silu(y), "silu");
    same_bits(tern_linear_map(x, w, NULL, "tanh(x)"), tern_tanh(tern_linear(x, w, NULL)), "tanh");
    /* what is no matrix, no float, or a condition takes the two steps */
    tern_tensor *three = tern_reshape(x, TERN_SHAPE(2, 2, 6));
    same_bits(tern_linear_map(three, w, b, "relu(x)"),
              tern_reshape(tern_relu(y), TERN_SHAPE(2, 2, 5)), "rank 3");
    same_bits(tern_linear_map(x, w, b, "x > 0"), tern_gt_scalar(y, 0), "condition");
    tern_tensor *n = tern_arange(ctx, -6, 6, 1);
    n = tern_reshape(tern_to_dtype(n, TERN_INT64), TERN_SHAPE(3, 4));
    same_bits(tern_linear_map(n, n, NULL, "relu(x)"), tern_relu(tern_linear(n, n, NULL)), "int64");
}

Test(fused_epilogue, gradients_go_through_both_twice) {
    tern_tensor *in[3] = {numbers(TERN_SHAPE(3, 4), TERN_FLOAT64, 0),
                          numbers(TERN_SHAPE(2, 4), TERN_FLOAT64, 20),
                          numbers(TERN_SHAPE(2), TERN_FLOAT64, 40)};
    tern_tensor *grads[2][3], *second[2][3];
    for (int i = 0; i < 3; i++) tern_requires_grad(in[i], true);
    for (int fused = 0; fused < 2; fused++) {
        tern_tensor *y = fused ? tern_linear_map(in[0], in[1], in[2], "gelu(x)")
                               : tern_gelu(tern_linear(in[0], in[1], in[2]));
        tern_tensor *loss = tern_sum(tern_mul(y, y));
        tern_grad(&loss, 1, in, 3, NULL, TERN_CREATE_GRAPH, grads[fused]);
        check("first");
        tern_tensor *again = tern_sum(tern_mul(grads[fused][0], grads[fused][0]));
        tern_grad(&again, 1, in, 3, NULL, 0, second[fused]);
        check("second");
    }
    for (int i = 0; i < 3; i++) {
        same_bits(grads[0][i], grads[1][i], "first derivative");
        same_bits(second[0][i], second[1][i], "second derivative");
    }
}

static void refuses(tern_tensor *got, const char *words) {
    cr_assert(tern_is_nil(got));
    cr_assert(strstr(tern_error(ctx), words), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}

Test(fused_epilogue, what_is_wrong_is_named) {
    tern_tensor *x = numbers(TERN_SHAPE(4, 6), TERN_FLOAT32, 0);
    refuses(tern_linear_map(x, x, NULL, "rely(x)"), "column 1: there is no such function");
    refuses(tern_linear_map(x, x, NULL, "relu6(x)"), "column 1: there is no such function");
    refuses(tern_linear_map(x, x, NULL, "x + silu(x, 2)"),
            "column 5: silu takes 1 argument, got 2");
    refuses(tern_linear_map(x, x, NULL, "threshold(x, 1)"), "threshold takes 3 arguments, got 2");
    refuses(tern_linear_map(x, x, NULL, "1 + 1"), "'x', the product, is not in the formula");
    refuses(tern_linear_map(x, x, NULL, NULL), "formula");
    refuses(tern_linear_map(x, tern_t(x), NULL, "relu(x)"), "cannot be multiplied");
}

/* ---- Sequential ------------------------------------------------------------------------------ */

static const char *const models[] = {
    "Sequential(Linear(6, 5), ReLU(), Linear(5, 4), GELU(approximate='tanh'), Linear(4, 3))",
    "Sequential(Linear(6, 5), Softplus(beta=2.0), Linear(5, 4), LeakyReLU(0.2), Tanh())",
    "Sequential(Linear(6, 5), Hardtanh(), Linear(5, 4), Threshold(0.1, -3.0), Linear(4, 2))",
};

Test(fused_epilogue, sequential_runs_a_layer_and_its_activation_together) {
    static const uint64_t fewer[] = {2, 2, 1};
    tern_tensor *x = numbers(TERN_SHAPE(4, 6), TERN_FLOAT32, 0);
    for (int m = 0; m < 3; m++) {
        tern_module *model = tern_nn(ctx, models[m]);
        check(models[m]);
        uint64_t start = launches();
        tern_tensor *recorded = tern_forward(model, x);
        uint64_t apart = launches() - start;
        tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
        start = launches();
        tern_tensor *together = tern_forward(model, x);
        cr_assert_eq(launches() - start, apart - fewer[m], "%s", models[m]);
        same_bits(tern_detach(recorded), together, models[m]);
        tern_scope_end(scope);
    }
}

Test(fused_epilogue, sequential_does_so_with_convolutions) {
    tern_module *model =
        tern_nn(ctx, "Sequential(Conv2d(3, 4, 3, padding=1), SiLU(), Conv2d(4, 2, 3, "
                     "padding='same'), ReLU(), Conv2d(2, 2, 1, padding_mode='reflect'), ReLU())");
    tern_tensor *x = numbers(TERN_SHAPE(2, 3, 5, 5), TERN_FLOAT32, 0);
    tern_tensor *recorded = tern_forward(model, x),
                *one = tern_squeeze(tern_slice(x, 0, 0, 1, 1), 0);
    check("forward");
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    same_bits(tern_detach(recorded), tern_forward(model, x), "batch");
    tern_tensor *first = tern_slice(tern_detach(recorded), 0, 0, 1, 1);
    same_bits(tern_squeeze(first, 0), tern_forward(model, one), "one picture");
    tern_scope_end(scope);
}
