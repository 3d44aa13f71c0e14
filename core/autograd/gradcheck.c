/*
 * gradcheck.c: gradients against central differences, (f(x + eps) - f(x - eps)) / (2 eps), element by
 * element in float64 (torch.autograd.gradcheck).
 */
#include <math.h>
#include <stdio.h>

#include "../op.h"
#include "graph.h"

typedef struct checker {
    tern_ctx *ctx;
    tern_grad_fn fn;
    void *user;
    tern_tensor *const *inputs;
    int n_inputs;
    double eps, atol, rtol;
} checker;

/* The weights that make one number of the function's result: fixed, different and not zero. */
static tern_tensor *weights_like(tern_tensor *result) {
    tern_ctx *ctx = result->ctx;
    tern_tensor *flat = tern_add_scalar(
        tern_mul_scalar(tern_to_dtype(tern_arange_i64(ctx, result->numel), TERN_FLOAT64), 0.37), 1);
    return tern_reshape(tern_sin(flat), tern_shape_of(result));
}

static double weighted(const checker *c) {
    tern_scope scope = tern_scope_begin(c->ctx, TERN_NO_GRAD);
    tern_tensor *result = c->fn(c->ctx, c->inputs, c->n_inputs, c->user);
    double value = tern_item(tern_sum(tern_mul(result, weights_like(result))));
    tern_scope_end(scope);
    return value;
}

/* The function's value with element `index` of input k moved by `delta`; the input is restored. */
static double moved(const checker *c, int k, double *values, int64_t index, double delta) {
    double kept = values[index];
    size_t bytes = (size_t)c->inputs[k]->numel * sizeof(double);
    values[index] = kept + delta;
    tern_write_host(c->inputs[k], values, bytes);
    double value = weighted(c);
    values[index] = kept;
    tern_write_host(c->inputs[k], values, bytes);
    return value;
}

static void check_input(const checker *c, int k, tern_tensor *grad) {
    tern_ctx *ctx = c->ctx;
    size_t count = (size_t)c->inputs[k]->numel;
    double *values = tern_scope_alloc(ctx, (count + 1) * sizeof *values);
    double *analytic = tern_scope_alloc(ctx, (count + 1) * sizeof *analytic);
    if (!values || !analytic) return;
    tern_to_doubles(c->inputs[k], values, count);
    if (grad) tern_to_doubles(grad, analytic, count);
    for (size_t i = 0; i < count && ctx->status == TERN_OK; i++) {
        double up = moved(c, k, values, (int64_t)i, c->eps);
        double down = moved(c, k, values, (int64_t)i, -c->eps);
        double numeric = (up - down) / (2 * c->eps);
        if (fabs(numeric - analytic[i]) <= c->atol + c->rtol * fabs(numeric)) continue;
        tern_fail(ctx, TERN_ERR_STATE,
                  "gradcheck: the gradient of input %d differs at element %zu: numerical %.9g, "
                  "analytical %.9g",
                  k, i, numeric, analytic[i]);
    }
}

static bool inputs_fit(const checker *c) {
    for (int k = 0; k < c->n_inputs; k++) {
        tern_tensor *t = c->inputs[k];
        if (!tern_is_nil(t) && t->dtype == TERN_FLOAT64 && tern_needs_grad(t) && tern_is_leaf(t))
            continue;
        tern_fail(c->ctx, TERN_ERR_ARGUMENT,
                  "gradcheck: input %d must be a float64 leaf that requires a gradient", k);
        return false;
    }
    return true;
}

tern_status tern_gradcheck(tern_ctx *ctx, tern_grad_fn fn, void *user, tern_tensor *const *inputs,
                           int n_inputs, double eps, double atol, double rtol) {
    checker c = {ctx, fn, user, inputs, n_inputs, eps, atol, rtol};
    if (ctx->status != TERN_OK || n_inputs < 1 || !inputs_fit(&c)) return ctx->status;
    tern_scope scope = tern_scope_begin(ctx, TERN_ENABLE_GRAD);
    tern_tensor **grads = tern_scope_alloc(ctx, (size_t)n_inputs * sizeof *grads);
    tern_tensor *result = fn(ctx, inputs, n_inputs, user);
    tern_tensor *total = tern_sum(tern_mul(result, tern_detach(weights_like(result))));
    if (grads && ctx->status == TERN_OK)
        tern_grad(&total, 1, inputs, n_inputs, NULL, TERN_ALLOW_UNUSED, grads);
    for (int k = 0; k < n_inputs && ctx->status == TERN_OK; k++) check_input(&c, k, grads[k]);
    tern_scope_end(scope);
    return ctx->status;
}

/* ---- the gradient's own gradient ------------------------------------------------------------- */

typedef struct first_order {
    tern_grad_fn fn;
    void *user;
} first_order;

/* The gradients of the weighted function, as one flat tensor. */
static tern_tensor *gradient_of(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs,
                                void *user) {
    const first_order *f = user;
    bool grad_enabled = ctx->grad_enabled;
    ctx->grad_enabled = true; /* differences are taken in a no-grad scope */
    tern_tensor *grads[TERN_SCHEMA_MAX_ARGS];
    tern_tensor *result = f->fn(ctx, inputs, n_inputs, f->user);
    tern_tensor *total = tern_sum(tern_mul(result, tern_detach(weights_like(result))));
    tern_tensor *flat = ctx->nil;
    int used = 0;
    if (n_inputs <= TERN_SCHEMA_MAX_ARGS &&
        tern_grad(&total, 1, inputs, n_inputs, NULL, TERN_CREATE_GRAPH | TERN_ALLOW_UNUSED,
                  grads) == TERN_OK) {
        for (int k = 0; k < n_inputs; k++)
            if (grads[k]) grads[used++] = tern_reshape(grads[k], TERN_SHAPE(-1));
        flat = tern_cat(grads, used, 0);
    }
    ctx->grad_enabled = grad_enabled;
    return flat;
}

tern_status tern_gradgradcheck(tern_ctx *ctx, tern_grad_fn fn, void *user,
                               tern_tensor *const *inputs, int n_inputs, double eps, double atol,
                               double rtol) {
    first_order f = {fn, user};
    return tern_gradcheck(ctx, gradient_of, &f, inputs, n_inputs, eps, atol, rtol);
}
