/* Formulas and programs: values against the operations they are made of, derivatives, refusals. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/formula.h"
#include "tern/grad.h"
#include "tern/ops.h"
#include "test_plugins.h"

static const char *const devices[] = {"cpu_ref", "minimal", "discrete", "delaying"};
enum { N_DEVICES = sizeof devices / sizeof devices[0] };

TestSuite(programs, .init = find_test_plugins, .fini = forget_test_plugins);

static tern_ctx *open_device(const char *name) {
    tern_ctx *ctx = tern_open(name);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", name, tern_error(ctx));
    return ctx;
}

static tern_tensor *series(tern_ctx *ctx, int64_t rows, int64_t columns, double first, double step,
                           tern_dtype dtype) {
    double data[64];
    for (int64_t i = 0; i < rows * columns; i++) data[i] = first + step * (double)i;
    tern_tensor *t = tern_from_data(ctx, data, TERN_SHAPE(rows, columns), TERN_FLOAT64);
    return tern_to_dtype(t, dtype);
}

static tern_value names_of(tern_ctx *ctx, const char *const *names, const tern_value *values,
                           int count) {
    tern_value dict = tern_dict_new(ctx, false);
    for (int i = 0; i < count; i++) tern_dict_set(dict, names[i], values[i]);
    return dict;
}

static tern_tensor *map_of_x(tern_ctx *ctx, const char *formula, tern_tensor *x) {
    return tern_map(ctx, formula,
                    names_of(ctx, (const char *[]){"x"}, (tern_value[]){tern_tensor_value(x)}, 1));
}

static void same_bits(tern_tensor *a, tern_tensor *b, const char *what) {
    double x[64], y[64];
    size_t count = (size_t)tern_numel(a);
    cr_assert_eq(tern_dtype_of(a), tern_dtype_of(b), "%s: %s", what,
                 tern_error(tern_context_of(a)));
    cr_assert(count <= 64 && count == (size_t)tern_numel(b));
    tern_to_doubles(a, x, count);
    tern_to_doubles(b, y, count);
    cr_assert(memcmp(x, y, count * sizeof *x) == 0, "%s: other bits", what);
}

/* ---- values ---------------------------------------------------------------------------------- */

Test(programs, a_formula_has_the_bits_of_its_operations) {
    for (int d = 0; d < N_DEVICES; d++) {
        tern_ctx *ctx = open_device(devices[d]);
        tern_tensor *x = series(ctx, 3, 4, -2, 0.37, TERN_FLOAT32);
        tern_tensor *row = series(ctx, 1, 4, 0.5, 0.25, TERN_FLOAT32);
        tern_value dict = names_of(
            ctx, (const char *[]){"x", "r", "beta"},
            (tern_value[]){tern_tensor_value(x), tern_tensor_value(row), tern_float(1.3)}, 3);
        same_bits(tern_map(ctx, "x * sigmoid(beta * x) + r", dict),
                  tern_add(tern_mul(x, tern_sigmoid(tern_mul_scalar(x, 1.3))), row), devices[d]);
        same_bits(tern_map(ctx, "where(x > 0 and x < beta, exp(x), r)", dict),
                  tern_where(tern_logical_and(tern_gt_scalar(x, 0), tern_lt_scalar(x, 1.3)),
                             tern_exp(x), row),
                  devices[d]);
        same_bits(tern_map(ctx, "add(x, r, beta)", dict), tern_add_alpha(x, row, 1.3), devices[d]);
        same_bits(tern_map(ctx, "addcmul(r, x, r, 0.3) * beta", dict),
                  tern_mul_scalar(tern_addcmul(row, x, row, 0.3), 1.3), devices[d]);
        same_bits(tern_map(ctx, "s = tanh(x); s * s + r * beta", dict),
                  tern_add(tern_mul(tern_tanh(x), tern_tanh(x)), tern_mul_scalar(row, 1.3)),
                  devices[d]);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        tern_close(ctx);
    }
}

Test(programs, sixteen_bits_round_once_and_integers_stay) {
    for (int d = 0; d < N_DEVICES; d++) {
        tern_ctx *ctx = open_device(devices[d]);
        tern_tensor *x = series(ctx, 2, 8, -3, 0.41, TERN_BFLOAT16);
        tern_tensor *wide = tern_to_dtype(x, TERN_FLOAT32);
        same_bits(map_of_x(ctx, "x * sigmoid(x)", x),
                  tern_to_dtype(tern_mul(wide, tern_sigmoid(wide)), TERN_BFLOAT16), devices[d]);
        tern_tensor *i = series(ctx, 2, 3, -3, 1, TERN_INT32);
        same_bits(map_of_x(ctx, "x * 3 - 1", i), tern_sub_scalar(tern_mul_scalar(i, 3), 1),
                  devices[d]);
        same_bits(map_of_x(ctx, "x * 0.5", i), tern_mul_scalar(i, 0.5), devices[d]);
        same_bits(map_of_x(ctx, "add(x, x * x, 3)", i),
                  tern_add(i, tern_mul_scalar(tern_mul(i, i), 3)), devices[d]);
        same_bits(map_of_x(ctx, "2 * sub(x, 5, -2)", i), tern_mul_scalar(tern_add_scalar(i, 10), 2),
                  devices[d]);
        same_bits(map_of_x(ctx, "x / 2", i), tern_div_scalar(i, 2), devices[d]);
        same_bits(map_of_x(ctx, "x >= 0", i), tern_ge_scalar(i, 0), devices[d]);
        same_bits(map_of_x(ctx, "x", i), i, devices[d]);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        tern_close(ctx);
    }
}

Test(programs, a_formula_is_one_launch_forward_and_one_backward) {
    static const uint64_t forward[] = {1, 4}, backward[] = {1, 9};
    for (int d = 0; d < 2; d++) {
        tern_ctx *ctx = open_device(devices[d]);
        tern_tensor *x = tern_requires_grad(series(ctx, 3, 4, -2, 0.37, TERN_FLOAT32), true);
        tern_tensor *ones = tern_keep(tern_ones(ctx, TERN_SHAPE(3, 4), TERN_FLOAT32));
        tern_item(tern_sum(ones)); /* has storage now */
        uint64_t before = tern_stats_of(ctx).launches;
        tern_tensor *y = map_of_x(ctx, "x * sigmoid(1.5 * x)", x);
        uint64_t after = tern_stats_of(ctx).launches;
        cr_assert_eq(after - before, forward[d], "%s: %d forward", devices[d],
                     (int)(after - before));
        tern_tensor *grad;
        tern_grad(&y, 1, &x, 1, &ones, 0, &grad);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        cr_assert(tern_stats_of(ctx).launches - after <= backward[d] + 3 * (uint64_t)d,
                  "%s: %d backward", devices[d], (int)(tern_stats_of(ctx).launches - after));
        tern_close(ctx);
    }
}

/* ---- derivatives ----------------------------------------------------------------------------- */

static tern_tensor *formula_of_two(tern_ctx *ctx, tern_tensor *const *in, int count, void *user) {
    (void)count;
    return tern_map(ctx, user,
                    names_of(ctx, (const char *[]){"x", "y", "k"},
                             (tern_value[]){tern_tensor_value(in[0]), tern_tensor_value(in[1]),
                                            tern_float(0.7)},
                             3));
}

/* Every primitive that has a derivative, away from its kinks: x lies in (0.1, 0.8), y in (1.1, 1.9). */
static const char *const smooth[] = {
    "-x * y + 0 * k",
    "abs(x - y) + k",
    "square(x) * reciprocal(y) * k",
    "sqrt(x) + rsqrt(y) * k",
    "exp(x) * exp2(y) + expm1(k * x)",
    "log(x) + log2(y) * log10(x) + log1p(k * y)",
    "sin(x) * cos(y) + tan(k * x)",
    "asin(x) + acos(x * k) + atan(y)",
    "sinh(x) + cosh(y) * tanh(k * x)",
    "asinh(x) + acosh(y) + atanh(k * x)",
    "erf(x) * erfc(y) + k * erfinv(x)",
    "lgamma(x + k) * y",
    "frac(x) * sigmoid(y) * k",
    "relu(x) + relu(-y) + k",
    "logsigmoid(x * y) + k",
    "sinc(x) * y + k",
    "add(x, y, k) - sub(y, x, k)",
    "x / y + k / x",
    "x % y + fmod(y, x + 10) * k",
    "x ** y + y ** k + 3 ** x",
    "maximum(x, y) * minimum(x, k) + min(x, y, k) + max(x, y)",
    "fmax(x, y) + fmin(x, y) * k",
    "atan2(x, y) + hypot(x, y) * k",
    "copysign(x, y) * k",
    "xlogy(x, y) + k",
    "logaddexp(x, y) + logaddexp2(x, k * y)",
    "where(x > 0.5, x * y, x / y) + k",
    "clamp(x, 0.3, 0.6) * y + clamp(y, x, k + 2)",
    "addcmul(x, x, y, k) + addcdiv(y, x, y, k)",
    "lerp(x, y, x) + lerp(x, y, k)",
    "x if y > 1.4 else y * k",
    "floor(x) + ceil(y) * x + trunc(y) + round(k) + sign(x) * y",
    "digamma(y) * k * x",
};

Test(programs, derivatives_are_right_and_so_are_their_own) {
    for (int d = 0; d < 2; d++) {
        tern_ctx *ctx = open_device(devices[d]);
        tern_tensor *in[] = {series(ctx, 2, 3, 0.15, 0.113, TERN_FLOAT64),
                             series(ctx, 1, 3, 1.13, 0.31, TERN_FLOAT64)};
        for (int k = 0; k < 2; k++) tern_requires_grad(in[k], true);
        for (size_t i = 0; i < sizeof smooth / sizeof smooth[0]; i++) {
            void *formula = (void *)(uintptr_t)smooth[i];
            tern_gradcheck(ctx, formula_of_two, formula, in, 2, 1e-6, 1e-5, 1e-3);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", smooth[i], tern_error(ctx));
            if (strstr(smooth[i], "digamma")) continue; /* trigamma has no derivative */
            tern_gradgradcheck(ctx, formula_of_two, formula, in, 2, 1e-6, 1e-5, 1e-3);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s, twice: %s", smooth[i], tern_error(ctx));
        }
        tern_close(ctx);
    }
}

static double slope(tern_ctx *ctx, const char *formula, double at) {
    tern_tensor *x = tern_from_data(ctx, &at, TERN_SHAPE(1), TERN_FLOAT64);
    tern_requires_grad(x, true);
    tern_tensor *y = map_of_x(ctx, formula, x), *grad;
    tern_grad(&y, 1, &x, 1, NULL, 0, &grad);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", formula, tern_error(ctx));
    return tern_item(grad);
}

Test(programs, where_selects_its_gradient_and_kinks_are_pytorchs) {
    tern_ctx *ctx = open_device("cpu_ref");
    cr_assert_eq(slope(ctx, "where(x > 0, log(x), 0)", -1), 0, "no NaN from the other arm");
    cr_assert_eq(slope(ctx, "inf * where(x > 0, x, 1)", -1), 0, "no zero times an infinity");
    cr_assert_eq(slope(ctx, "relu(x)", 0), 0);
    cr_assert_eq(slope(ctx, "abs(x)", 0), 0);
    cr_assert_eq(slope(ctx, "maximum(x, 2)", 2), 0.5);
    cr_assert_eq(slope(ctx, "fmax(x, 2)", 2), 1);
    cr_assert_eq(slope(ctx, "clamp(x, 0, 2)", 2), 1);
    cr_assert_eq(slope(ctx, "clamp(x, 0, inf)", 3), 1);
    cr_assert_eq(slope(ctx, "clamp(x, 0, inf)", (double)NAN), 0);
    cr_assert_eq(slope(ctx, "x ** 2", 0), 0);
    cr_assert_eq(slope(ctx, "floor(x) + 0 * x", 1.5), 0);
    tern_close(ctx);
}

Test(programs, a_step_without_a_derivative_is_refused) {
    tern_ctx *ctx = open_device("cpu_ref");
    tern_tensor *x = tern_requires_grad(series(ctx, 1, 2, 1, 1, TERN_FLOAT32), true);
    tern_backward(tern_sum(map_of_x(ctx, "trigamma(x)", x)));
    cr_assert_neq(tern_check(ctx), TERN_OK);
    cr_assert_not_null(strstr(tern_error(ctx), "derivative"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_close(ctx);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuses(tern_ctx *ctx, const char *formula, const char *message) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    cr_assert(tern_is_nil(map_of_x(ctx, formula, x)), "%.60s", formula);
    cr_assert_not_null(strstr(tern_error(ctx), message), "%.60s: %s", formula, tern_error(ctx));
    cr_assert_null(strchr(tern_error(ctx), '\n'));
    tern_error_clear(ctx);
}

Test(programs, a_wrong_formula_is_one_line_with_its_column) {
    tern_ctx *ctx = open_device("cpu_ref");
    refuses(ctx, "", "column 1: expected a value");
    refuses(ctx, "x * sigmoid(beta * x)", "column 13: there is no 'beta': the formula can use x");
    refuses(ctx, "x * sigmoids(x)", "column 5: there is no such function");
    refuses(ctx, "x * (x", "column 7: expected ')'");
    refuses(ctx, "x x", "column 3: expected the end");
    refuses(ctx, "x + where(x > 0, x)", "column 5: where takes 3 arguments, got 2");
    refuses(ctx, "exp()", "column 5: expected a value");
    refuses(ctx, "exp(x, x)", "column 1: exp takes 1 argument, got 2");
    refuses(ctx, "x + 1e", "column 7: expected an exponent");
    refuses(ctx, "x if x", "column 7: expected 'else'");
    refuses(ctx, "s = x * 2, s", "column 10: expected ';'");
    refuses(ctx, "add(x, x, x * 2)", "column 1: the factor of a step is a number or a name");
    refuses(ctx, "1 + 1", "'x' is not in the formula");
    char text[8192] = "x";
    for (int i = 0; i < 1000; i++) strcat(text, i % 2 ? "+x" : "*x");
    refuses(ctx, text, "too long: at most 256 steps");
    memset(text, '(', 5000);
    text[5000] = 0;
    refuses(ctx, text, "nested deeper than 64");
    cr_assert(tern_is_nil(tern_map(ctx, NULL, tern_none())));
    tern_error_clear(ctx);
    cr_assert(tern_is_nil(tern_map(ctx, "x", tern_int(1))));
    tern_error_clear(ctx);
    cr_assert(tern_is_nil(tern_map(
        ctx, "x", names_of(ctx, (const char *[]){"x"}, (tern_value[]){tern_float(1)}, 1))));
    cr_assert_not_null(strstr(tern_error(ctx), "no tensor"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_close(ctx);
}

Test(programs, bytes_that_are_no_program_are_refused) {
    tern_ctx *ctx = open_device("cpu_ref");
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    char bytes[64];
    for (int i = 0; i < 200; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (char)(i * 31 + (int)k * i % 7);
        tern_value list = tern_list_new(ctx);
        tern_list_append(list, tern_tensor_value(x));
        tern_value args[] = {tern_string_n(ctx, bytes, sizeof bytes), tern_ints((int64_t[]){0}, 1),
                             list};
        tern_call(ctx, "_map", args, 3, tern_none());
        cr_assert_neq(tern_check(ctx), TERN_OK);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

/* The longest formula there may be runs, and its gradient, in one launch or step by step. */
Test(programs, a_long_formula_runs_everywhere) {
    char text[2048] = "x";
    for (int i = 0; i < 120; i++) strcat(text, i % 2 ? "+sin(x)" : "*1.01");
    double first = 0;
    for (int d = 0; d < N_DEVICES; d++) {
        tern_ctx *ctx = open_device(devices[d]);
        tern_tensor *x = tern_requires_grad(series(ctx, 3, 4, 0.1, 0.1, TERN_FLOAT32), true);
        tern_tensor *y = map_of_x(ctx, text, x), *grad, *sum = tern_sum(y);
        tern_grad(&sum, 1, &x, 1, NULL, 0, &grad);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        double total = tern_item(tern_sum(grad)) + tern_item(sum);
        if (d == 0) first = total;
        cr_assert_eq(total, first, "%s", devices[d]);
        tern_close(ctx);
    }
}
