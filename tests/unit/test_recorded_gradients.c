/*
 * A gradient that is recorded, to be differentiated again, is composed where a plain one is a fused kernel:
 * both have the same values. gradgradcheck does not show it, since it compares a recorded gradient with
 * itself.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "tern/grad.h"
#include "tern/tern.h"

enum { MOST = 4, ROOM = 512 };

/* Tensors are inputs with a gradient; the last argument may be a target without one. */
typedef struct family_case {
    const char *operation;
    int n_inputs;
    tern_shape inputs[MOST];
    int64_t argument; /* a whole number between the first input and the others; -1: none */
    bool target;      /* class indices last */
} family_case;

#define F "nn.functional."
static const family_case cases[] = {
    {"softmax", 1, {{2, {3, 5}}}, 1, false},
    {"log_softmax", 1, {{2, {3, 5}}}, 0, false},
    {F "layer_norm", 3, {{2, {4, 5}}, {1, {5}}, {1, {5}}}, 5, false},
    {F "rms_norm", 2, {{2, {4, 5}}, {1, {5}}}, 5, false},
    {F "group_norm", 3, {{3, {2, 4, 3}}, {1, {4}}, {1, {4}}}, 2, false},
    {F "cross_entropy", 1, {{2, {3, 5}}}, -1, true},
    {F "scaled_dot_product_attention",
     3,
     {{4, {2, 2, 3, 4}}, {4, {2, 2, 5, 4}}, {4, {2, 2, 5, 4}}},
     -1,
     false},
    {F "max_pool2d", 1, {{4, {1, 2, 4, 4}}}, 2, false},
    {F "conv2d", 3, {{4, {1, 2, 4, 4}}, {4, {3, 2, 2, 2}}, {1, {3}}}, -1, false},
    {F "linear", 3, {{2, {3, 5}}, {2, {2, 5}}, {1, {2}}}, -1, false},
    {F "gelu", 1, {{2, {3, 5}}}, -1, false},
    {F "mse_loss", 2, {{2, {3, 5}}, {2, {3, 5}}}, -1, false},
};

/* Distinct numbers, so that no two are the maximum of a window. */
static tern_tensor *leaf(tern_ctx *ctx, tern_shape shape, int which) {
    double data[ROOM];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    for (int64_t i = 0; i < count; i++)
        data[i] = fmod((double)(i + 1) * 0.6180339887498949 + 0.37 * which, 1) * 3 - 1.2;
    return tern_requires_grad(tern_from_data(ctx, data, shape, TERN_FLOAT64), true);
}

static tern_tensor *call(tern_ctx *ctx, const family_case *c, tern_tensor *const *inputs) {
    tern_value args[MOST + 2];
    int n = 0;
    args[n++] = tern_tensor_value(inputs[0]);
    if (c->argument >= 0) args[n++] = tern_int(c->argument);
    for (int k = 1; k < c->n_inputs; k++) args[n++] = tern_tensor_value(inputs[k]);
    const int64_t classes[] = {2, 0, 4};
    if (c->target)
        args[n++] = tern_tensor_value(tern_from_data(ctx, classes, TERN_SHAPE(3), TERN_INT64));
    tern_value out = tern_call(ctx, c->operation, args, n, tern_none());
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", c->operation, tern_error(ctx));
    return out.as.tensor;
}

/* The gradients of a weighted sum of the result, one behind the other. */
static int gradients(tern_ctx *ctx, const family_case *c, unsigned flags, double *out) {
    tern_tensor *inputs[MOST], *grads[MOST];
    tern_scope scope = tern_scope_begin(ctx, 0);
    int n = 0;
    for (int k = 0; k < c->n_inputs; k++) inputs[k] = leaf(ctx, c->inputs[k], k);
    tern_tensor *y = call(ctx, c, inputs);
    tern_tensor *weights = tern_detach(leaf(ctx, tern_shape_of(y), 9));
    tern_grad(&y, 1, inputs, c->n_inputs, &weights, flags, grads);
    for (int k = 0; k < c->n_inputs && tern_check(ctx) == TERN_OK; k++) {
        tern_to_doubles(grads[k], out + n, (size_t)tern_numel(grads[k]));
        n += (int)tern_numel(grads[k]);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", c->operation, tern_error(ctx));
    tern_scope_end(scope);
    return n;
}

Test(recorded_gradients, have_the_values_of_plain_ones) {
    tern_ctx *ctx = tern_open("cpu_ref");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double plain[ROOM], recorded[ROOM];
        int n = gradients(ctx, &cases[i], 0, plain);
        cr_assert_eq(gradients(ctx, &cases[i], TERN_CREATE_GRAPH, recorded), n);
        cr_assert_gt(n, 0);
        for (int k = 0; k < n; k++)
            cr_assert(fabs(plain[k] - recorded[k]) <= 1e-12 * (1 + fabs(plain[k])),
                      "%s: gradient %d is %.17g, recorded %.17g", cases[i].operation, k, plain[k],
                      recorded[k]);
    }
    cr_assert_eq(tern_close(ctx), TERN_OK);
}
