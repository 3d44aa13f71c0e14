/*
 * activation.c: the activation functions of torch.nn.functional, composed of maps and differentiated
 * through them. What a branch does not take is clamped first, so that no infinity meets a zero in the
 * gradient of where.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"

/* The first argument, widened. */
static tern_tensor *wide_input(tern_opcall *call) {
    return tern_widen(tern_arg_tensor(call, 0));
}

/* A widened result in the dtype of the first argument. */
static tern_value narrowed(tern_opcall *call, tern_tensor *result) {
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    if (!tern_dtype_is_floating(dtype)) return tern_result(call, result);
    return tern_result(call, tern_to_dtype(result, dtype));
}

/* ---- smooth ones ---- */

tern_value tern_op_gelu(tern_opcall *call) {
    tern_tensor *x = wide_input(call), *inner;
    const char *how = tern_arg_text(call, 1, "none");
    if (strcmp(how, "tanh") == 0) {
        tern_tensor *cube = tern_mul(tern_mul(x, x), x);
        inner = tern_add(x, tern_mul_scalar(cube, 0.044715));
        inner = tern_tanh(tern_mul_scalar(inner, sqrt(2.0 / 3.14159265358979323846)));
    } else if (strcmp(how, "none") == 0) {
        inner = tern_erf(tern_mul_scalar(x, sqrt(0.5)));
    } else {
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "approximate argument must be either none or tanh, got %s", how);
    }
    return narrowed(call, tern_mul(tern_mul_scalar(x, 0.5), tern_add_scalar(inner, 1.0)));
}

tern_value tern_op_silu(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    return narrowed(call, tern_mul(x, tern_sigmoid(x)));
}

/* log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold. */
static tern_tensor *softplus(tern_tensor *x, double beta, double threshold) {
    tern_tensor *scaled = tern_mul_scalar(x, beta);
    tern_tensor *linear = tern_gt_scalar(scaled, threshold);
    tern_tensor *log = tern_log1p(tern_exp(tern_fill_where(scaled, linear, threshold)));
    return tern_where(linear, x, tern_div_scalar(log, beta));
}

tern_value tern_op_softplus(tern_opcall *call) {
    double beta = tern_arg_double(call, 1, 1.0), threshold = tern_arg_double(call, 2, 20.0);
    return narrowed(call, softplus(wide_input(call), beta, threshold));
}

tern_value tern_op_mish(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    return narrowed(call, tern_mul(x, tern_tanh(softplus(x, 1.0, 20.0))));
}

tern_value tern_op_softsign(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    return narrowed(call, tern_div(x, tern_add_scalar(tern_abs(x), 1.0)));
}

tern_value tern_op_tanhshrink(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    return narrowed(call, tern_sub(x, tern_tanh(x)));
}

tern_value tern_op_logsigmoid(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_dtype_is_floating(BODY(x)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                              tern_dtype_class(BODY(x)->dtype));
    tern_shape shape = tern_shape_of(x);
    tern_tensor *out = tern_map_output(call, BODY(x)->dtype, &shape);
    tern_unary_attrs attrs = {.fn = TERN_UNARY_LOG_SIGMOID};
    tern_launch(call->lane, TERN_KERNEL_UNARY, TERN_UNARY_LOG_SIGMOID, &x, 1, &out, 1, &attrs,
                sizeof attrs);
    return tern_result(call, out);
}

void tern_grad_logsigmoid(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_mul(grad_out[0], tern_sigmoid(tern_neg(tern_node_input(node, 0))));
}

/* ---- the exponential units: alpha (exp(x / width) - 1) up to 0, x above, and for NaN ---- */

/* The slope at 0 is that of the exponential, alpha / width. */
static tern_tensor *exponential_unit(tern_tensor *x, double alpha, double width) {
    tern_tensor *curved = tern_le_scalar(x, 0.0);
    tern_tensor *below = tern_fill_where(x, tern_logical_not(curved), 0.0);
    if (width != 1.0) below = tern_div_scalar(below, width);
    return tern_where(curved, tern_mul_scalar(tern_expm1(below), alpha), x);
}

tern_value tern_op_elu(tern_opcall *call) {
    return narrowed(call, exponential_unit(wide_input(call), tern_arg_double(call, 1, 1.0), 1.0));
}

tern_value tern_op_celu(tern_opcall *call) {
    double alpha = tern_arg_double(call, 1, 1.0);
    if (alpha == 0.0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "ZeroDivisionError: alpha cannot be 0");
    return narrowed(call, exponential_unit(wide_input(call), alpha, alpha));
}

tern_value tern_op_selu(tern_opcall *call) {
    /* Klambauer et al., 2017 */
    const double alpha = 1.6732632423543772848170429916717;
    const double scale = 1.0507009873554804934193349852946;
    tern_tensor *out = exponential_unit(wide_input(call), alpha, 1.0);
    return narrowed(call, tern_mul_scalar(out, scale));
}

/* ---- piecewise linear ones ---- */

static tern_tensor *leaky(tern_tensor *x, double slope) {
    return tern_where(tern_gt_scalar(x, 0.0), x, tern_mul_scalar(x, slope));
}

tern_value tern_op_leaky_relu(tern_opcall *call) {
    return narrowed(call, leaky(wide_input(call), tern_arg_double(call, 1, 0.01)));
}

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
    return narrowed(call,
                    TERN_CALL(_prelu, ARG_TENSOR(tern_widen(x)), ARG_TENSOR(tern_widen(weight))));
}

/* x above 0, else weight x, also for NaN. The weight broadcasts to x. */
tern_value tern_op__prelu(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *weight = tern_arg_tensor(call, 1);
    return tern_result(call, tern_where(tern_gt_scalar(x, 0.0), x, tern_mul(weight, x)));
}

/* dx = g above 0, else weight g; dweight = 0 above 0, else x g. Chosen, not multiplied by 0: an
 * infinite weight or x says nothing of the other side. */
void tern_grad__prelu(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = grad_out[0], *x = tern_node_input(node, 0);
    tern_tensor *above = tern_gt_scalar(x, 0.0);
    if (tern_node_needs(node, 0))
        grads[0] = tern_where(above, g, tern_mul(g, tern_node_input(node, 1)));
    if (tern_node_needs(node, 1)) grads[1] = tern_fill_where(tern_mul(g, x), above, 0.0);
}

/* x between the bounds, and the bound, without gradient, from it on. */
static tern_tensor *bounded(tern_tensor *x, tern_value min, tern_value max) {
    tern_tensor *inside =
        tern_logical_and(TERN_CALL(gt, ARG_TENSOR(x), min), TERN_CALL(lt, ARG_TENSOR(x), max));
    tern_tensor *edge = tern_detach(TERN_CALL(clamp, ARG_TENSOR(x), min, max));
    return tern_where(inside, x, edge);
}

tern_value tern_op_hardtanh(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    double min = tern_arg_double(call, 1, -1.0), max = tern_arg_double(call, 2, 1.0);
    bool floating = tern_dtype_is_floating(BODY(x)->dtype);
    if (BODY(x)->dtype == TERN_UINT8 && min < 0.0) min = 0.0;
    return narrowed(call, bounded(x, floating ? ARG_FLOAT(min) : ARG_INT((int64_t)min),
                                  floating ? ARG_FLOAT(max) : ARG_INT((int64_t)max)));
}

tern_value tern_op_relu6(tern_opcall *call) {
    return narrowed(call, bounded(wide_input(call), ARG_INT(0), ARG_INT(6)));
}

tern_value tern_op_hardsigmoid(tern_opcall *call) {
    tern_tensor *shifted = tern_add_scalar(wide_input(call), 3.0);
    return narrowed(call, tern_div_scalar(bounded(shifted, ARG_FLOAT(0.0), ARG_FLOAT(6.0)), 6.0));
}

tern_value tern_op_hardswish(tern_opcall *call) {
    /* The slope is 0 at -3 and 1 at 3; NaN is neither below nor above. */
    tern_tensor *x = wide_input(call), *above = tern_ge_scalar(x, 3.0);
    tern_tensor *below = tern_le_scalar(x, -3.0);
    tern_tensor *inner = tern_fill_where(x, tern_logical_or(above, below), 0.0);
    tern_tensor *middle = tern_div_scalar(tern_mul(inner, tern_add_scalar(inner, 3.0)), 6.0);
    /* 0, and NaN for -inf, as x times 0 makes it. */
    tern_tensor *low = tern_mul_scalar(tern_detach(x), 0.0);
    return narrowed(call, tern_where(below, low, tern_where(above, x, middle)));
}

/* `beyond` where |x| is above lambd, else 0: no gradient, also for NaN, whose value stays. */
static tern_tensor *shrunk(tern_tensor *x, tern_tensor *beyond, double lambd) {
    tern_tensor *within = tern_logical_not(tern_gt_scalar(tern_abs(x), lambd));
    tern_tensor *zero = tern_fill_where(tern_detach(x), tern_logical_not(tern_isnan(x)), 0.0);
    return tern_where(within, zero, beyond);
}

tern_value tern_op_hardshrink(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    return narrowed(call, shrunk(x, x, tern_arg_double(call, 1, 0.5)));
}

tern_value tern_op_softshrink(tern_opcall *call) {
    tern_tensor *x = wide_input(call);
    double lambd = tern_arg_double(call, 1, 0.5);
    if (!(lambd >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "lambda must be greater or equal to 0, but found to be %g.", lambd);
    tern_tensor *less = tern_sub(x, tern_mul_scalar(tern_detach(tern_sign(x)), lambd));
    return narrowed(call, shrunk(x, less, lambd));
}

tern_value tern_op_threshold(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_tensor *below = TERN_CALL(le, ARG_TENSOR(x), tern_arg(call, 1));
    return tern_result(call,
                       TERN_CALL(masked_fill, ARG_TENSOR(x), ARG_TENSOR(below), tern_arg(call, 2)));
}

/* ---- over a dimension ---- */

tern_value tern_op_glu(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 1, -1), &dim))
        return tern_none();
    if (BODY(x)->rank == 0 || BODY(x)->shape[dim] % 2 != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Halving dimension must be even, but dimension %d is size %lld", dim,
                              (long long)(BODY(x)->rank ? BODY(x)->shape[dim] : 1));
    int64_t half = BODY(x)->shape[dim] / 2;
    x = tern_widen(x);
    tern_tensor *gate = tern_sigmoid(tern_narrow(x, dim, half, half));
    return narrowed(call, tern_mul(tern_narrow(x, dim, 0, half), gate));
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
    return narrowed(call, tern_div(x, tern_at_least(norm, tern_arg_double(call, 3, 1e-12))));
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
