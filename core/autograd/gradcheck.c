/*
 * gradcheck.c: gradients against central differences.
 *
 * The Jacobian of the output by every input element is computed twice: row by row through the graph,
 * and column by column from two evaluations each. Every evaluation has a scope of its own.
 */
#include <math.h>
#include <string.h>

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "core/objects.h"
#include "core/tensor/tensor.h"
#include "tern/describe.h"
#include "tern/ops.h"

typedef struct check {
    tern_ctx *ctx;
    tern_grad_fn fn;
    void *user;
    tern_tensor *const *inputs;
    int n_inputs;
    double eps, atol, rtol;
    int64_t n_out;    /* elements of the output */
    int64_t n_in;     /* of all inputs that require a gradient */
    double *jacobian; /* analytic, [n_out, n_in] */
    double *row;      /* room for one input's elements, and two outputs */
} check;

static bool is_checked(const tern_tensor *tensor) {
    return tern_has_grad_required(tensor);
}

static tern_status prepare(check *c) {
    int64_t largest = 0;
    for (int k = 0; k < c->n_inputs; k++) {
        const tern_tensor *input = c->inputs[k];
        if (!is_checked(input)) continue;
        if (BODY(input)->dtype != TERN_FLOAT64)
            return tern_fail(c->ctx, TERN_ERR_ARGUMENT,
                             "gradcheck: input %d is %s, but must be float64", k,
                             tern_dtype_name(BODY(input)->dtype));
        if (!tern_is_contiguous(input) || !tern_is_leaf(input))
            return tern_fail(c->ctx, TERN_ERR_ARGUMENT,
                             "gradcheck: input %d must be a contiguous leaf: pass a clone that "
                             "requires a gradient",
                             k);
        c->n_in += BODY(input)->numel;
        if (BODY(input)->numel > largest) largest = BODY(input)->numel;
    }
    if (c->n_in == 0)
        return tern_fail(c->ctx, TERN_ERR_ARGUMENT,
                         "gradcheck expects at least one input tensor to require gradient, but "
                         "none of them have requires_grad=True.");
    c->row = tern_alloc_zeroed((size_t)(largest + 2 * c->n_out), sizeof *c->row);
    c->jacobian = tern_alloc_zeroed((size_t)c->n_out * (size_t)c->n_in, sizeof *c->jacobian);
    if (!c->row || !c->jacobian)
        return tern_fail_memory(c->ctx, (size_t)c->n_out * (size_t)c->n_in * sizeof(double));
    return TERN_OK;
}

/* What both checks begin with; false after latching. */
static bool inputs_fit(tern_ctx *ctx, const char *who, tern_grad_fn fn, tern_tensor *const *inputs,
                       int n_inputs) {
    if (tern_given(ctx)->status != TERN_OK) return false;
    if (n_inputs < 1) tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: needs an input", who);
    if (!fn || !inputs)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the %s NULL", who,
                  fn ? "inputs are" : "function is");
    for (int k = 0; k < n_inputs && ctx->status == TERN_OK; k++) {
        if (inputs[k] && !tern_usable(inputs[k], who))
            tern_fail(ctx, TERN_ERR_STATE, "%s: input %d cannot be used", who, k);
        else
            tern_argument_tensor(ctx, who, inputs[k]);
    }
    return ctx->status == TERN_OK;
}

/* fn's output, checked; NULL and latched otherwise. */
static tern_tensor *evaluate(check *c, tern_tensor *const *inputs) {
    tern_tensor *out = c->fn(c->ctx, inputs, c->n_inputs, c->user);
    if (c->ctx->status != TERN_OK) return NULL;
    if (tern_is_nil(out)) {
        tern_fail(c->ctx, TERN_ERR_ARGUMENT, "gradcheck: the function returned no tensor");
        return NULL;
    }
    if (BODY(out)->dtype != TERN_FLOAT64) {
        tern_fail(c->ctx, TERN_ERR_ARGUMENT, "gradcheck: the function returned %s, not float64",
                  tern_dtype_name(BODY(out)->dtype));
        return NULL;
    }
    return out;
}

/* ---- analytic -------------------------------------------------------------------------------- */

/* One row: the gradient of output element `index` by all inputs. */
static tern_status analytic_row(check *c, tern_tensor *out, int64_t index) {
    tern_ctx *ctx = c->ctx;
    tern_scope scope = tern_scope_begin(ctx, TERN_ENABLE_GRAD);
    tern_tensor **grads = tern_scope_alloc(ctx, (size_t)c->n_inputs * sizeof *grads);
    tern_tensor **wanted = tern_scope_alloc(ctx, (size_t)c->n_inputs * sizeof *wanted);
    double *seed = tern_scope_alloc(ctx, (size_t)c->n_out * sizeof *seed);
    int n_wanted = 0;
    for (int k = 0; wanted && k < c->n_inputs; k++)
        if (is_checked(c->inputs[k])) wanted[n_wanted++] = c->inputs[k];
    if (ctx->status == TERN_OK) {
        seed[index] = 1;
        tern_tensor *one =
            tern_from_data_on(ctx, seed, tern_shape_of(out), TERN_FLOAT64, tern_device_of(out));
        tern_grad(&out, 1, wanted, n_wanted, &one, TERN_RETAIN_GRAPH | TERN_ALLOW_UNUSED, grads);
    }
    double *at = c->jacobian + index * c->n_in;
    for (int k = 0; k < n_wanted && ctx->status == TERN_OK; at += BODY(wanted[k++])->numel)
        if (grads[k]) tern_to_doubles(grads[k], at, (size_t)BODY(wanted[k])->numel);
    tern_scope_end(scope);
    return ctx->status;
}

/* The whole analytic Jacobian. An output without history has gradients of zero. */
static tern_status analytic(check *c) {
    tern_scope scope = tern_scope_begin(c->ctx, TERN_ENABLE_GRAD);
    tern_tensor *out = evaluate(c, c->inputs);
    if (out) c->n_out = BODY(out)->numel;
    if (out && prepare(c) == TERN_OK && tern_has_grad_required(out))
        for (int64_t i = 0; i < c->n_out && c->ctx->status == TERN_OK; i++) analytic_row(c, out, i);
    tern_scope_end(scope);
    return c->ctx->status;
}

/* ---- numeric --------------------------------------------------------------------------------- */

/* The output with `values` written into input k: a function may hold the handle by other ways too
 * (a module its parameters), so the input itself is moved. */
static tern_status evaluate_at(check *c, int k, const double *values, double *out_values) {
    tern_tensor *input = c->inputs[k];
    if (tern_write_host(input, values, (size_t)BODY(input)->numel * sizeof *values) != TERN_OK)
        return c->ctx->status;
    tern_scope scope = tern_scope_begin(c->ctx, TERN_ENABLE_GRAD);
    tern_tensor *out = evaluate(c, c->inputs);
    if (out && BODY(out)->numel != c->n_out)
        tern_fail(c->ctx, TERN_ERR_ARGUMENT,
                  "gradcheck: the function gave %lld elements, then %lld", (long long)c->n_out,
                  (long long)BODY(out)->numel);
    else if (out)
        tern_to_doubles(out, out_values, (size_t)c->n_out);
    tern_scope_end(scope);
    return c->ctx->status;
}

/* Gives an input its values back, after an error too. */
static void restore(check *c, int k) {
    tern_tensor *input = c->inputs[k];
    tern_upload(BODY(input)->lane, BODY(input)->storage,
                (uint64_t)BODY(input)->offset * sizeof *c->row, c->row,
                (uint64_t)BODY(input)->numel * sizeof *c->row);
    tern_storage_raise_version(BODY(input)->storage);
}

static bool agrees(const check *c, double analytic, double numeric) {
    if (isnan(analytic) || isnan(numeric)) return isnan(analytic) && isnan(numeric);
    return analytic == numeric || fabs(analytic - numeric) <= c->atol + c->rtol * fabs(numeric);
}

/* One column: element `index` of input k, the column-th of all. */
static tern_status compare_column(check *c, int k, int64_t index, int64_t column) {
    double *values = c->row, *above = values + BODY(c->inputs[k])->numel, *below = above + c->n_out;
    double value = values[index];
    values[index] = value + c->eps;
    tern_status status = evaluate_at(c, k, values, above);
    values[index] = value - c->eps;
    if (status == TERN_OK) status = evaluate_at(c, k, values, below);
    values[index] = value;
    restore(c, k);
    for (int64_t i = 0; status == TERN_OK && i < c->n_out; i++) {
        double numeric = (above[i] - below[i]) / (2 * c->eps);
        double found = c->jacobian[i * c->n_in + column];
        if (agrees(c, found, numeric)) continue;
        status = tern_fail(c->ctx, TERN_ERR_STATE,
                           "gradcheck: Jacobian mismatch for output element %lld with respect to "
                           "input %d, element %lld: numerical %.10g, analytical %.10g",
                           (long long)i, k, (long long)index, numeric, found);
    }
    return status;
}

static tern_status compare(check *c) {
    int64_t column = 0;
    for (int k = 0; k < c->n_inputs; k++) {
        const tern_tensor *input = c->inputs[k];
        if (!is_checked(input)) continue;
        if (tern_to_doubles(input, c->row, (size_t)BODY(input)->numel) != TERN_OK) break;
        for (int64_t j = 0; j < BODY(input)->numel; j++)
            if (compare_column(c, k, j, column++) != TERN_OK) return c->ctx->status;
    }
    return c->ctx->status;
}

tern_status tern_gradcheck(tern_ctx *ctx, tern_grad_fn fn, void *user, tern_tensor *const *inputs,
                           int n_inputs, double eps, double atol, double rtol) {
    if (!inputs_fit(ctx, "gradcheck", fn, inputs, n_inputs)) return tern_given(ctx)->status;
    if (!(eps > 0))
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "gradcheck: needs a step above 0, got eps %g",
                         eps);
    check c = {ctx, fn, user, inputs, n_inputs, eps, atol, rtol, 0, 0, NULL, NULL};
    if (analytic(&c) == TERN_OK) compare(&c);
    tern_free(c.jacobian);
    tern_free(c.row);
    return ctx->status;
}

/* ---- the gradient's own gradient ------------------------------------------------------------- */

typedef struct inner {
    tern_grad_fn fn;
    void *user;
    int which; /* the input whose gradient is checked */
} inner;

/* The gradient of fn by one input, as a function of fn's inputs and the output's gradient (last). */
static tern_tensor *gradient_of(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs,
                                void *user) {
    const inner *in = user;
    tern_tensor *out = in->fn(ctx, inputs, n_inputs - 1, in->user), *grad = NULL;
    tern_tensor *input = inputs[in->which], *seed = inputs[n_inputs - 1];
    if (ctx->status != TERN_OK || !tern_has_grad_required(out)) return tern_zeros_like(input);
    tern_grad(&out, 1, &input, 1, &seed, TERN_CREATE_GRAPH | TERN_ALLOW_UNUSED, &grad);
    return grad ? grad : tern_zeros_like(input);
}

/* A gradient for an output of this shape: values that no structure of a formula cancels. */
static tern_tensor *output_gradient(tern_ctx *ctx, tern_grad_fn fn, void *user,
                                    tern_tensor *const *inputs, int n_inputs) {
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *out = fn(ctx, inputs, n_inputs, user);
    bool failed = tern_is_nil(out);
    tern_shape shape = failed ? (tern_shape){0, {0}} : tern_shape_of(out);
    size_t count = failed ? 0 : (size_t)BODY(out)->numel;
    tern_scope_end(scope);
    if (failed) return ctx->nil;
    double *values = tern_scope_alloc(ctx, (count + 1) * sizeof *values);
    if (!values) return ctx->nil;
    for (size_t i = 0; i < count; i++) {
        double golden = 0.61803398874989485 * (double)(i + 1);
        values[i] = 0.5 + golden - floor(golden);
    }
    tern_tensor *seed =
        tern_from_data_on(ctx, values, shape, TERN_FLOAT64, tern_device_of(inputs[0]));
    return tern_requires_grad(seed, true);
}

tern_status tern_gradgradcheck(tern_ctx *ctx, tern_grad_fn fn, void *user,
                               tern_tensor *const *inputs, int n_inputs, double eps, double atol,
                               double rtol) {
    if (!inputs_fit(ctx, "gradgradcheck", fn, inputs, n_inputs)) return tern_given(ctx)->status;
    tern_scope scope = tern_scope_begin(ctx, TERN_ENABLE_GRAD);
    tern_tensor **all = tern_scope_alloc(ctx, (size_t)(n_inputs + 1) * sizeof *all);
    if (all) {
        memcpy(all, inputs, (size_t)n_inputs * sizeof *all);
        all[n_inputs] = output_gradient(ctx, fn, user, inputs, n_inputs);
    }
    for (int k = 0; k < n_inputs && ctx->status == TERN_OK; k++) {
        if (!is_checked(inputs[k])) continue;
        inner in = {fn, user, k};
        tern_gradcheck(ctx, gradient_of, &in, all, n_inputs + 1, eps, atol, rtol);
    }
    tern_scope_end(scope);
    return ctx->status;
}
