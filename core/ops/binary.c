/*
 * binary.c: arithmetic of two tensors, or a tensor and a number, and its gradients.
 *
 * A gradient has the shape of the result here; the engine sums it down to a broadcast input.
 */
#include <string.h>

#include "core/autograd/graph.h"
#include "core/call/short.h"
#include "map.h"

/* ---- sums ------------------------------------------------------------------------------------ */

static bool is_bool(tern_value v) {
    if (v.kind == TERN_VALUE_TENSOR) return BODY(v.as.tensor)->dtype == TERN_BOOL;
    return v.kind == TERN_VALUE_BOOL;
}

static bool check_subtraction(tern_opcall *call) {
    bool a = is_bool(tern_arg(call, 0)), b = is_bool(tern_arg(call, 1));
    if (a && b)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Subtraction, the `-` operator, with two bool tensors is not supported. Use "
                       "the `^` or `logical_xor()` operator instead.");
    else if (a || b)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Subtraction, the `-` operator, with a bool tensor is not supported. If you "
                       "are trying to invert a mask, use the `~` or `logical_not()` operator "
                       "instead.");
    return !a && !b;
}

static bool check_alpha(tern_opcall *call, tern_dtype dtype) {
    tern_value alpha = tern_arg(call, 2);
    if (alpha.kind == TERN_VALUE_FLOAT && !tern_dtype_is_floating(dtype)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "For integral input tensors, argument alpha must not be a floating point "
                       "number.");
        return false;
    }
    if (alpha.kind == TERN_VALUE_BOOL && dtype != TERN_BOOL) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Boolean alpha only supported for Boolean results.");
        return false;
    }
    return true;
}

/* args[0] +- alpha * args[1] */
static tern_value linear_sum(tern_opcall *call, const tern_value *args, int32_t fn) {
    tern_dtype dtype = tern_result_type(args, 2);
    if (!check_alpha(call, dtype)) return tern_none();
    tern_binary_attrs attrs = {fn, 0, tern_arg_double(call, 2, 1), tern_arg_int(call, 2, 1)};
    return tern_map_launch(call, TERN_KERNEL_BINARY, fn, args, 2, dtype, dtype, &attrs,
                           sizeof attrs);
}

tern_value tern_op_add(tern_opcall *call) {
    return linear_sum(call, call->args, TERN_BINARY_ADD);
}

tern_value tern_op_sub(tern_opcall *call) {
    if (!check_subtraction(call)) return tern_none();
    return linear_sum(call, call->args, TERN_BINARY_SUB);
}

tern_value tern_op_rsub(tern_opcall *call) {
    if (!check_subtraction(call)) return tern_none();
    tern_value args[] = {tern_arg(call, 1), tern_arg(call, 0)};
    return linear_sum(call, args, TERN_BINARY_SUB);
}

/* g * factor * alpha, where alpha is the node's argument 2. */
static tern_tensor *times_alpha(tern_node *node, tern_tensor *g, double factor) {
    tern_value alpha = tern_node_arg(node, 2);
    double scale = tern_value_is_number(alpha) ? factor * tern_value_as_double(alpha) : factor;
    return scale == 1 ? g : scale == -1 ? tern_neg(g) : tern_mul_scalar(g, scale);
}

void tern_grad_add(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
    if (tern_node_needs(node, 1)) grads[1] = times_alpha(node, grad_out[0], 1);
}

void tern_grad_sub(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
    if (tern_node_needs(node, 1)) grads[1] = times_alpha(node, grad_out[0], -1);
}

void tern_grad_rsub(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = times_alpha(node, grad_out[0], -1);
    if (tern_node_needs(node, 1)) grads[1] = grad_out[0];
}

/* ---- products and quotients ------------------------------------------------------------------ */

tern_value tern_op_mul(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, TERN_BINARY_MUL, call->args, dtype, dtype);
}

/* A gradient times saved input k, or the number that was passed as argument `arg` in its place. */
static tern_tensor *times_saved(tern_tensor *grad, tern_node *node, int k, int arg) {
    tern_ctx *ctx = tern_node_ctx(node);
    if (!ctx->grad_enabled && !tern_value_is_number(tern_node_arg(node, arg))) {
        tern_face face;
        tern_tensor *saved = tern_node_input_face(node, k, &face);
        tern_tensor *product = saved ? tern_short_binary(TERN_ROW(mul), grad, saved) : ctx->nil;
        if (product) return product;
    }
    return tern_mul_value(grad, tern_node_operand(node, k, arg));
}

void tern_grad_mul(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = times_saved(grad_out[0], node, 1, 1);
    if (tern_node_needs(node, 1)) grads[1] = times_saved(grad_out[0], node, 0, 0);
}

tern_value tern_op_div(tern_opcall *call) {
    const char *mode = tern_arg_text(call, 2, NULL);
    tern_dtype dtype = tern_result_type(call->args, 2);
    if (!mode) {
        dtype = tern_map_float(dtype);
        return tern_map_binary(call, TERN_BINARY_DIV, call->args, dtype, dtype);
    }
    if (strcmp(mode, "trunc") == 0)
        return tern_map_binary(call, TERN_BINARY_DIV_TRUNC, call->args, dtype, dtype);
    if (strcmp(mode, "floor") == 0)
        return tern_map_binary(call, TERN_BINARY_DIV_FLOOR, call->args, dtype, dtype);
    return tern_call_fail(call, TERN_ERR_ARGUMENT,
                          "div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
                          "found '%s'",
                          mode);
}

void tern_grad_div(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = grad_out[0];
    if (tern_node_arg(node, 2).kind == TERN_VALUE_STRING) {
        for (int k = 0; k < 2; k++)
            if (tern_node_needs(node, k)) grads[k] = tern_zeros_like(g);
        return;
    }
    tern_value other = tern_node_operand(node, 1, 1);
    if (tern_node_needs(node, 0)) grads[0] = tern_div_value(g, other);
    if (!tern_node_needs(node, 1)) return;
    tern_tensor *ratio = tern_div_value(tern_node_input(node, 0), other);
    grads[1] = tern_mul(tern_neg(g), tern_div_value(ratio, other));
}

tern_value tern_op_floor_divide(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, TERN_BINARY_DIV_FLOOR, call->args, dtype, dtype);
}

tern_value tern_op_remainder(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, TERN_BINARY_REMAINDER, call->args, dtype, dtype);
}

void tern_grad_remainder(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
    if (!tern_node_needs(node, 1)) return;
    tern_tensor *turns = tern_floor_divide(tern_node_input(node, 0), tern_node_input(node, 1));
    grads[1] = tern_neg(tern_mul(grad_out[0], turns));
}

/* ---- powers ---------------------------------------------------------------------------------- */

tern_value tern_op_pow(tern_opcall *call) {
    tern_value exponent = tern_arg(call, 1);
    tern_dtype dtype = tern_result_type(call->args, 2);
    if (tern_value_is_number(exponent) && tern_value_as_double(exponent) < 0 &&
        !tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Integers to negative integer powers are not allowed.");
    return tern_map_binary(call, TERN_BINARY_POW, call->args, dtype, dtype);
}

tern_value tern_op_pow_number(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, TERN_BINARY_POW, call->args, dtype, dtype);
}

/* exponent * input^(exponent - 1), 0 where the exponent is 0 (of an input 0 too) */
static tern_tensor *pow_slope(tern_tensor *g, tern_tensor *input, tern_value exponent) {
    if (exponent.kind != TERN_VALUE_TENSOR) {
        double e = tern_value_as_double(exponent);
        if (e == 0) return tern_zeros_like(g);
        return tern_mul(g, tern_mul_scalar(tern_pow_scalar(input, e - 1), e));
    }
    tern_tensor *e = exponent.as.tensor;
    tern_tensor *slope = tern_mul(e, tern_pow(input, tern_sub_scalar(e, 1)));
    return tern_where_value(tern_eq_scalar(e, 0), ARG_INT(0), ARG_TENSOR(tern_mul(g, slope)));
}

void tern_grad_pow(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = grad_out[0], *input = tern_node_input(node, 0);
    tern_value exponent = tern_node_operand(node, 1, 1);
    if (tern_node_needs(node, 0)) grads[0] = pow_slope(g, input, exponent);
    if (!tern_node_needs(node, 1)) return;
    /* 0^e is constant for e >= 0, where result * log(input) would be 0 * -inf */
    tern_tensor *flat =
        tern_logical_and(tern_eq_scalar(input, 0), tern_ge_scalar(exponent.as.tensor, 0));
    tern_tensor *slope = tern_mul(tern_node_output(node, 0), tern_log(input));
    grads[1] = tern_mul(g, tern_where_value(flat, ARG_INT(0), ARG_TENSOR(slope)));
}

void tern_grad_pow_number(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!tern_node_needs(node, 0)) return;
    tern_ctx *ctx = tern_node_ctx(node);
    double base = tern_value_as_double(tern_node_arg(node, 0));
    tern_tensor *y = tern_node_output(node, 0);
    tern_tensor *slope = tern_mul(y, tern_log(tern_scalar_tensor(ctx, base, TERN_FLOAT64)));
    if (base == 0) {
        tern_tensor *flat = tern_ge_scalar(tern_node_input(node, 0), 0);
        slope = tern_where_value(flat, ARG_INT(0), ARG_TENSOR(slope));
    }
    grads[0] = tern_mul(grad_out[0], slope);
}

/* ---- extrema --------------------------------------------------------------------------------- */

tern_value tern_op_maximum(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, TERN_BINARY_MAXIMUM, call->args, dtype, dtype);
}

tern_value tern_op_minimum(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, TERN_BINARY_MINIMUM, call->args, dtype, dtype);
}

/* The gradient of one side: nothing where `loses`, half where both are equal, else all of it. */
static tern_tensor *share(tern_tensor *g, tern_tensor *loses, tern_tensor *equal) {
    tern_tensor *kept = tern_where(equal, tern_mul_scalar(g, 0.5), g);
    return tern_where_value(loses, ARG_INT(0), ARG_TENSOR(kept));
}

void tern_grad_maximum(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *a = tern_node_input(node, 0), *b = tern_node_input(node, 1);
    tern_tensor *equal = tern_eq(a, b);
    if (tern_node_needs(node, 0)) grads[0] = share(grad_out[0], tern_lt(a, b), equal);
    if (tern_node_needs(node, 1)) grads[1] = share(grad_out[0], tern_gt(a, b), equal);
}

void tern_grad_minimum(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *a = tern_node_input(node, 0), *b = tern_node_input(node, 1);
    tern_tensor *equal = tern_eq(a, b);
    if (tern_node_needs(node, 0)) grads[0] = share(grad_out[0], tern_gt(a, b), equal);
    if (tern_node_needs(node, 1)) grads[1] = share(grad_out[0], tern_lt(a, b), equal);
}

/* ---- typed functions ------------------------------------------------------------------------- */

#define BINARY(id)                                                                                 \
    tern_tensor *tern_##id(tern_tensor *input, tern_tensor *other) {                               \
        tern_tensor *out = tern_short_binary(TERN_ROW(id), input, other);                          \
        return out ? out : TERN_CALL(id, ARG_TENSOR(input), ARG_TENSOR(other));                    \
    }
#define BINARY_SCALAR(id)                                                                          \
    tern_tensor *tern_##id##_scalar(tern_tensor *input, double other) {                            \
        tern_tensor *out = tern_short_scalar(TERN_ROW(id), input, other);                          \
        return out ? out : TERN_CALL(id, ARG_TENSOR(input), tern_number(other));                   \
    }
#define BINARY_IN_PLACE(id)                                                                        \
    tern_tensor *tern_##id##_in_place(tern_tensor *input, tern_tensor *other) {                    \
        return TERN_CALL_IN_PLACE(id, ARG_TENSOR(input), ARG_TENSOR(other));                       \
    }

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(remainder)
BINARY(floor_divide)
BINARY(pow)
BINARY(maximum)
BINARY(minimum)
BINARY_SCALAR(add)
BINARY_SCALAR(sub)
BINARY_SCALAR(mul)
BINARY_SCALAR(div)
BINARY_SCALAR(pow)
BINARY_IN_PLACE(add)
BINARY_IN_PLACE(sub)
BINARY_IN_PLACE(mul)
BINARY_IN_PLACE(div)
BINARY_IN_PLACE(maximum)

tern_tensor *tern_rsub_scalar(tern_tensor *input, double other) {
    return TERN_CALL(rsub, ARG_TENSOR(input), tern_number(other));
}

tern_tensor *tern_add_alpha(tern_tensor *input, tern_tensor *other, double alpha) {
    return TERN_CALL(add, ARG_TENSOR(input), ARG_TENSOR(other), tern_number(alpha));
}

tern_tensor *tern_add_alpha_in_place(tern_tensor *input, tern_tensor *other, double alpha) {
    return TERN_CALL_IN_PLACE(add, ARG_TENSOR(input), ARG_TENSOR(other), tern_number(alpha));
}

tern_tensor *tern_add_scalar_in_place(tern_tensor *input, double other) {
    return TERN_CALL_IN_PLACE(add, ARG_TENSOR(input), tern_number(other));
}

tern_tensor *tern_mul_scalar_in_place(tern_tensor *input, double other) {
    return TERN_CALL_IN_PLACE(mul, ARG_TENSOR(input), tern_number(other));
}

tern_tensor *tern_div_scalar_in_place(tern_tensor *input, double other) {
    return TERN_CALL_IN_PLACE(div, ARG_TENSOR(input), tern_number(other));
}
