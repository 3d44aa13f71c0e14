/* cpu_simd's recurrent layers against cpu_ref's, values and gradients, in sizes beside those of vectors, tiles
 * and chunks of the batch: every kind, with and without biases, both directions. */
#include <criterion/criterion.h>
#include <math.h>

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/tern.h"

enum { FAST, REFERENCE, DEVICES, MOST = 16384 };

typedef struct layer {
    const char *module;
    int64_t t, n, i;
} layer;

static tern_tensor *numbers(tern_ctx *ctx, tern_shape shape, int64_t from) {
    static double data[MOST];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    cr_assert_leq(count, MOST);
    for (int64_t i = 0; i < count; i++) data[i] = sin((double)(i + from) * 12.9898);
    return tern_to_dtype(tern_from_data(ctx, data, shape, TERN_FLOAT64), TERN_FLOAT32);
}

typedef struct results {
    tern_tensor *all[2 + 8]; /* the output, the input's gradient, those of the parameters */
    int count;
} results;

static void add_gradients(tern_module *module, results *r) {
    tern_value parameters = tern_module_parameters(module);
    for (size_t i = 0; i < tern_value_count(parameters); i++) {
        cr_assert_lt(r->count, 10);
        r->all[r->count++] = tern_grad_of(tern_value_at(parameters, i).as.tensor);
    }
}

static void run(tern_ctx *ctx, const layer *l, results *out) {
    tern_manual_seed(ctx, 5);
    tern_module *module = tern_nn(ctx, l->module);
    tern_tensor *x = numbers(ctx, TERN_SHAPE(l->n, l->t, l->i), 1);
    tern_requires_grad(x, true);
    tern_value input =
        tern_tensor_value(tern_transpose(x, 0, 1)); /* steps do not follow each other */
    tern_value result = tern_module_call(module, &input, 1, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", l->module, tern_error(ctx));
    tern_tensor *y = tern_value_at(result, 0).as.tensor;
    tern_backward(tern_sum(tern_mul(y, numbers(ctx, tern_shape_of(y), 9))));
    *out = (results){{y, tern_grad_of(x)}, 2};
    add_gradients(module, out);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", l->module, tern_error(ctx));
}

static void expect_close(tern_tensor *const *t, const char *module, int r) {
    static double values[DEVICES][MOST];
    int64_t count = tern_numel(t[REFERENCE]);
    cr_assert(tern_numel(t[FAST]) == count && count <= MOST);
    for (int d = 0; d < DEVICES; d++) tern_to_doubles(t[d], values[d], (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        double expected = values[REFERENCE][i], off = fabs(values[FAST][i] - expected);
        cr_assert(off <= 1e-5 * (1 + fabs(expected)), "%s, result %d, element %d: %g, not %g",
                  module, r, (int)i, values[FAST][i], expected);
    }
}

Test(cpu_simd_recurrent, layers_of_any_size_give_what_the_reference_gives) {
    static const layer cases[] = {
        {"LSTM(3, 9)", 5, 7, 3},
        {"LSTM(5, 17, bidirectional=True)", 4, 19, 5},
        {"LSTM(4, 8, bias=False)", 1, 1, 4},
        {"LSTM(6, 33)", 3, 40, 6},
        {"GRU(3, 7)", 5, 5, 3},
        {"GRU(5, 24, bidirectional=True)", 6, 37, 5},
        {"GRU(4, 16, bias=False)", 2, 18, 4},
        {"RNN(3, 11)", 4, 20, 3},
        {"RNN(3, 8, nonlinearity='relu', bidirectional=True)", 3, 6, 3},
        {"RNN(2, 1, bias=False)", 7, 3, 2},
    };
    tern_ctx *ctx[DEVICES] = {tern_open("cpu_simd"), tern_open("cpu_ref")};
    bool there = tern_check(ctx[FAST]) == TERN_OK; /* false without variants for the machine */
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]) && there; i++) {
        results out[DEVICES];
        for (int d = 0; d < DEVICES; d++) run(ctx[d], &cases[i], &out[d]);
        cr_assert_eq(out[FAST].count, out[REFERENCE].count);
        for (int r = 0; r < out[FAST].count; r++)
            expect_close((tern_tensor *[]){out[FAST].all[r], out[REFERENCE].all[r]},
                         cases[i].module, r);
    }
    for (int d = 0; d < DEVICES; d++) tern_close(ctx[d]);
}

/* Gates that are all but 0 or 1, and what is not a number. */
Test(cpu_simd_recurrent, gates_far_from_zero_are_those_of_the_reference) {
    static const char *const modules[] = {"LSTM(2, 37)", "GRU(2, 37)", "RNN(2, 37)"};
    static const double large[] = {30, 300, 3e4, 3e38, INFINITY, NAN};
    tern_ctx *ctx[DEVICES] = {tern_open("cpu_simd"), tern_open("cpu_ref")};
    bool there = tern_check(ctx[FAST]) == TERN_OK;
    for (int m = 0; m < 3 && there; m++)
        for (int v = 0; v < 6; v++) {
            static double values[DEVICES][MOST];
            int64_t count = 0;
            for (int d = 0; d < DEVICES; d++) {
                tern_scope scope = tern_scope_begin(ctx[d], 0);
                tern_manual_seed(ctx[d], 5);
                tern_module *module = tern_nn(ctx[d], modules[m]);
                tern_tensor *x = numbers(ctx[d], TERN_SHAPE(3, 5, 2), 1);
                tern_value input = tern_tensor_value(tern_mul_scalar(x, large[v]));
                tern_value result = tern_module_call(module, &input, 1, tern_none());
                tern_tensor *y = tern_value_at(result, 0).as.tensor;
                count = tern_numel(y);
                tern_to_doubles(y, values[d], (size_t)count);
                tern_scope_end(scope);
            }
            for (int64_t i = 0; i < count; i++) {
                double y = values[FAST][i], expected = values[REFERENCE][i];
                cr_assert((isnan(y) && isnan(expected)) || fabs(y - expected) <= 1e-5,
                          "%s of %g, element %d: %g, not %g", modules[m], large[v], (int)i, y,
                          expected);
            }
        }
    for (int d = 0; d < DEVICES; d++) tern_close(ctx[d]);
}
