/*
 * activation.c: the activation functions of torch.nn.functional: what is more than a row of
 * pointwise.def.
 */
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "pointwise.h"
#include "programs/program.h"

/* The first argument, widened. */
static tern_tensor *wide_input(tern_opcall *call) {
    return tern_widen(tern_arg_tensor(call, 0));
}

/* ---- formulas with arguments to check: the others are in pointwise.def ---- */

static bool is_tanh(const char *how) {
    return strcmp(how, "tanh") == 0;
}

tern_value tern_op_gelu(tern_opcall *call) {
    const char *how = tern_arg_text(call, 1, "none");
    if (!is_tanh(how) && strcmp(how, "none") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "approximate argument must be either none or tanh, got %s", how);
    return tern_pointwise(call, is_tanh(how) ? TERN_POINTWISE_gelu_tanh : TERN_POINTWISE_gelu,
                          NULL);
}

void tern_grad_gelu(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value how = tern_node_arg(node, 1);
    bool tanh = how.kind == TERN_VALUE_STRING && is_tanh(how.as.s);
    tern_pointwise_grad(node, tanh ? TERN_POINTWISE_gelu_tanh : TERN_POINTWISE_gelu, grad_out,
                        grads);
}

tern_value tern_op_logsigmoid(tern_opcall *call) {
    const tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_dtype_is_floating(BODY(x)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                              tern_dtype_class(BODY(x)->dtype));
    return tern_pointwise(call, TERN_POINTWISE_logsigmoid, NULL);
}

tern_value tern_op_celu(tern_opcall *call) {
    if (tern_arg_double(call, 1, 1.0) == 0.0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "ZeroDivisionError: alpha cannot be 0");
    return tern_pointwise(call, TERN_POINTWISE_celu, NULL);
}

/* The bounds of an integer tensor are integers. */
tern_value tern_op_hardtanh(tern_opcall *call) {
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    double min = tern_arg_double(call, 1, -1.0), max = tern_arg_double(call, 2, 1.0);
    if (tern_dtype_is_floating(dtype)) return tern_pointwise(call, TERN_POINTWISE_hardtanh, NULL);
    if (dtype == TERN_UINT8 && min < 0.0) min = 0.0;
    const tern_value bounds[] = {ARG_INT((int64_t)min), ARG_INT((int64_t)max)};
    return tern_pointwise(call, TERN_POINTWISE_hardtanh, bounds);
}

tern_value tern_op_softshrink(tern_opcall *call) {
    double lambd = tern_arg_double(call, 1, 0.5);
    if (!(lambd >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "lambda must be greater or equal to 0, but found to be %g.", lambd);
    return tern_pointwise(call, TERN_POINTWISE_softshrink, NULL);
}

/* ---- of two tensors ---- */

/* One slope for all, or one for each channel (dimension 1). */
tern_value tern_op_prelu(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *weight = tern_arg_tensor(call, 1);
    if (BODY(weight)->rank > 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected `weight` to be a scalar or 1D tensor, but got: ndim = %d",
                              BODY(weight)->rank);
    if (BODY(weight)->numel != 1) {
        int64_t channels = BODY(x)->rank > 1 ? BODY(x)->shape[1] : 1;
        if (BODY(weight)->numel != channels)
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "Mismatch of parameter numbers and input channel size. Found "
                                  "parameter numbers = %lld and channel size = %lld.",
                                  (long long)BODY(weight)->numel, (long long)channels);
        tern_shape shape = {BODY(x)->rank, {0}};
        for (int d = 0; d < BODY(x)->rank; d++) shape.dim[d] = d == 1 ? channels : 1;
        weight = tern_reshape(weight, shape);
    } else {
        weight = tern_reshape(weight, TERN_SCALAR_SHAPE);
    }
    return tern_narrowed(
        call, TERN_CALL(_prelu, ARG_TENSOR(tern_widen(x)), ARG_TENSOR(tern_widen(weight))));
}

/* x above 0, else weight x, also for NaN. The weight broadcasts to x. */
tern_value tern_op__prelu(tern_opcall *call) {
    return tern_result(call, FORMULA(call->ctx, "where(x > 0, x, w * x)", "x w", tern_arg(call, 0),
                                     tern_arg(call, 1)));
}

/* dx = g above 0, else weight g; dweight = 0 above 0, else x g. Chosen, not multiplied by 0: an
 * infinite weight or x says nothing of the other side. */
void tern_grad__prelu(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    static const char *const formulas[] = {"where(x > 0, g, g * w)", "where(x > 0, 0, g * x)"};
    const tern_value values[] = {ARG_TENSOR(tern_node_input(node, 0)),
                                 ARG_TENSOR(tern_node_input(node, 1)), ARG_TENSOR(grad_out[0])};
    tern_formula_grads(node, formulas, "x w g", values, 3, grads);
}

/* ---- over a dimension ---- */

/* The halves of x along argument 1, whose dimension is returned. */
static int halves(tern_ctx *ctx, tern_tensor *x, tern_value where, tern_tensor **out) {
    int dim = 0;
    tern_wrap_dim(ctx, BODY(x)->rank, where.kind == TERN_VALUE_NONE ? -1 : tern_value_as_int(where),
                  &dim);
    int64_t half = BODY(x)->shape[dim] / 2;
    out[0] = tern_narrow(x, dim, 0, half);
    out[1] = tern_narrow(x, dim, half, half);
    return dim;
}

tern_value tern_op_glu(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *half[2];
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 1, -1), &dim))
        return tern_none();
    if (BODY(x)->rank == 0 || BODY(x)->shape[dim] % 2 != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Halving dimension must be even, but dimension %d is size %lld", dim,
                              (long long)(BODY(x)->rank ? BODY(x)->shape[dim] : 1));
    halves(call->ctx, x, tern_arg(call, 1), half);
    return tern_result(call, FORMULA(call->ctx, "a * sigmoid(b)", "a b", ARG_TENSOR(half[0]),
                                     ARG_TENSOR(half[1])));
}

void tern_grad_glu(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    static const char *const formulas[] = {"g * sigmoid(b)",
                                           "s = sigmoid(b); g * a * ((1 - s) * s)"};
    tern_tensor *half[2];
    tern_ctx *ctx = tern_node_ctx(node);
    int dim = halves(ctx, tern_node_input(node, 0), tern_node_arg(node, 1), half);
    const tern_value values[] = {ARG_TENSOR(half[0]), ARG_TENSOR(half[1]), ARG_TENSOR(grad_out[0])};
    grads[0] = tern_formulas_joined(ctx, dim, formulas, 2, "a b g", values, 3);
}

tern_value tern_op_softmin(tern_opcall *call) {
    tern_tensor *negative = tern_neg(tern_arg_tensor(call, 0));
    return tern_result(
        call, TERN_CALL(softmax, ARG_TENSOR(negative), tern_arg(call, 1), tern_arg(call, 2)));
}

tern_value tern_op_normalize(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    tern_value dim = tern_arg_given(call, 2) ? tern_arg(call, 2) : ARG_INT(1);
    tern_tensor *norm = TERN_CALL(vector_norm, ARG_TENSOR(x),
                                  ARG_FLOAT(tern_arg_double(call, 1, 2.0)), dim, ARG_BOOL(true));
    return tern_narrowed(call, tern_div(x, tern_at_least(norm, tern_arg_double(call, 3, 1e-12))));
}

/* ---- C functions ---- */

tern_tensor *tern_gelu(tern_tensor *input) {
    return TERN_CALL(gelu, ARG_TENSOR(input));
}
tern_tensor *tern_silu(tern_tensor *input) {
    return TERN_CALL(silu, ARG_TENSOR(input));
}
tern_tensor *tern_elu(tern_tensor *input, double alpha) {
    return TERN_CALL(elu, ARG_TENSOR(input), ARG_FLOAT(alpha));
}
tern_tensor *tern_leaky_relu(tern_tensor *input, double negative_slope) {
    return TERN_CALL(leaky_relu, ARG_TENSOR(input), ARG_FLOAT(negative_slope));
}
tern_tensor *tern_softplus(tern_tensor *input) {
    return TERN_CALL(softplus, ARG_TENSOR(input));
}
