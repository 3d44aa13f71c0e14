/*
 * elementwise_kernels.c: the rest of the element-wise kernels (bits, remainders, angles, special functions)
 * with their gradients. Arithmetic and comparison are in binary.c and compare.c.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "core/ops/map.h"
#include "functional.h"

/* ---- kernels by dtype rule ---- */

/* The row's BINARY member in the promoted dtype. */
static tern_value promoted(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, call->op->fn, call->args, dtype, dtype);
}

/* The same, integers as float32. */
static tern_value floating(tern_opcall *call) {
    tern_dtype dtype = tern_map_float(tern_result_type(call->args, 2));
    return tern_map_binary(call, call->op->fn, call->args, dtype, dtype);
}

/* The same, for integers and bool alone. */
static tern_value integral(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    if (tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                              tern_dtype_class(dtype));
    return tern_map_binary(call, call->op->fn, call->args, dtype, dtype);
}

static tern_value unary(tern_opcall *call, tern_dtype compute, tern_dtype result) {
    tern_unary_attrs attrs = {call->op->fn, 0};
    return tern_map_launch(call, TERN_KERNEL_UNARY, attrs.fn, call->args, 1, compute, result,
                           &attrs, sizeof attrs);
}

/* ---- bits ---- */

tern_value tern_op_bitwise_and(tern_opcall *call) {
    return integral(call);
}
tern_value tern_op_bitwise_or(tern_opcall *call) {
    return integral(call);
}
tern_value tern_op_bitwise_xor(tern_opcall *call) {
    return integral(call);
}
tern_value tern_op_bitwise_left_shift(tern_opcall *call) {
    return integral(call);
}
tern_value tern_op_bitwise_right_shift(tern_opcall *call) {
    return integral(call);
}
tern_value tern_op_gcd(tern_opcall *call) {
    return integral(call);
}
tern_value tern_op_lcm(tern_opcall *call) {
    return integral(call);
}

tern_value tern_op_bitwise_not(tern_opcall *call) {
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    if (tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                              tern_dtype_class(dtype));
    if (dtype == TERN_BOOL) return tern_result(call, tern_logical_not(tern_arg_tensor(call, 0)));
    return unary(call, dtype, dtype);
}

/* ---- binary functions ---- */

/* A tensor operand of a node, or the number in its place, in the gradient's dtype. */
static tern_tensor *operand(tern_node *node, int k, tern_tensor *grad) {
    return tern_to_dtype(tern_node_input(node, k), BODY(grad)->dtype);
}

tern_value tern_op_fmod(tern_opcall *call) {
    return promoted(call);
}

void tern_grad_fmod(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0];
    if (tern_node_needs(node, 0)) grads[0] = grad;
    if (!tern_node_needs(node, 1)) return;
    tern_tensor *quotient = tern_trunc(tern_div(operand(node, 0, grad), operand(node, 1, grad)));
    grads[1] = tern_neg(tern_mul(grad, quotient));
}

tern_value tern_op_fmax(tern_opcall *call) {
    return promoted(call);
}
tern_value tern_op_fmin(tern_opcall *call) {
    return promoted(call);
}

/* All goes to the one that wins, and to the first where the other is NaN; equals take half each. */
static void winner_takes(tern_node *node, tern_tensor *grad, tern_tensor **grads, bool largest) {
    tern_tensor *a = tern_node_input(node, 0), *b = tern_node_input(node, 1);
    tern_tensor *first = largest ? tern_gt(a, b) : tern_lt(a, b), *equal = tern_eq(a, b);
    tern_tensor *shared = tern_where(equal, tern_mul_scalar(grad, 0.5), grad);
    first = tern_logical_or(first, tern_isnan(b));
    tern_tensor *loses = tern_logical_not(tern_logical_or(first, equal));
    if (tern_node_needs(node, 0)) grads[0] = tern_fill_where(shared, loses, 0.0);
    if (tern_node_needs(node, 1)) grads[1] = tern_fill_where(shared, first, 0.0);
}

void tern_grad_fmax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    winner_takes(node, grad_out[0], grads, true);
}
void tern_grad_fmin(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    winner_takes(node, grad_out[0], grads, false);
}

tern_value tern_op_atan2(tern_opcall *call) {
    return floating(call);
}

void tern_grad_atan2(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0], *y = operand(node, 0, grad), *x = operand(node, 1, grad);
    /* dy = g x / (x^2 + y^2), dx = -g y / (x^2 + y^2), 0 at the origin, where there is no angle */
    tern_tensor *square = tern_add(tern_mul(y, y), tern_mul(x, x));
    tern_tensor *origin = tern_eq_scalar(square, 0.0);
    tern_tensor *scaled =
        tern_fill_where(tern_div(grad, tern_fill_where(square, origin, 1.0)), origin, 0.0);
    if (tern_node_needs(node, 0)) grads[0] = tern_mul(scaled, x);
    if (tern_node_needs(node, 1)) grads[1] = tern_mul(scaled, tern_neg(y));
}

tern_value tern_op_hypot(tern_opcall *call) {
    return floating(call);
}

void tern_grad_hypot(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0], *out = tern_node_output(node, 0);
    for (int k = 0; k < 2; k++)
        if (tern_node_needs(node, k))
            grads[k] = tern_mul(grad, tern_div(operand(node, k, grad), out));
}

tern_value tern_op_copysign(tern_opcall *call) {
    return floating(call);
}

void tern_grad_copysign(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0];
    if (tern_node_needs(node, 0)) {
        tern_tensor *x = operand(node, 0, grad), *zero = tern_eq_scalar(x, 0.0);
        tern_tensor *ratio = tern_div(tern_node_output(node, 0), x);
        grads[0] = tern_mul(grad, tern_fill_where(ratio, zero, 0.0));
    }
    if (tern_node_needs(node, 1)) grads[1] = tern_zeros_like(grad);
}

tern_value tern_op_nextafter(tern_opcall *call) {
    return promoted(call);
}

/* All goes to the first, but where both are equal nothing does; the other only says where to. */
void tern_grad_nextafter(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *equal = tern_eq(tern_node_input(node, 0), tern_node_input(node, 1));
    if (tern_node_needs(node, 0)) grads[0] = tern_fill_where(grad_out[0], equal, 0.0);
    if (tern_node_needs(node, 1)) grads[1] = tern_zeros_like(grad_out[0]);
}

tern_value tern_op_heaviside(tern_opcall *call) {
    return promoted(call);
}

tern_value tern_op_xlogy(tern_opcall *call) {
    return floating(call);
}

void tern_grad_xlogy(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0], *x = operand(node, 0, grad), *y = operand(node, 1, grad);
    if (tern_node_needs(node, 0)) {
        tern_tensor *none = tern_logical_and(tern_eq_scalar(x, 0.0), tern_le_scalar(y, 0.0));
        grads[0] = tern_mul(grad, tern_fill_where(tern_log(y), none, 0.0));
    }
    if (tern_node_needs(node, 1)) grads[1] = tern_mul(grad, tern_div(x, y));
}

tern_value tern_op_logaddexp(tern_opcall *call) {
    return floating(call);
}
tern_value tern_op_logaddexp2(tern_opcall *call) {
    return floating(call);
}

/* grad / (1 + base^(other - own)) */
static void share_of_sum(tern_node *node, tern_tensor *grad, tern_tensor **grads,
                         tern_tensor *(*power)(tern_tensor *)) {
    tern_tensor *both[2] = {operand(node, 0, grad), operand(node, 1, grad)};
    for (int k = 0; k < 2; k++) {
        if (!tern_node_needs(node, k)) continue;
        tern_tensor *ratio = power(tern_sub(both[1 - k], both[k]));
        grads[k] = tern_div(grad, tern_add_scalar(ratio, 1.0));
    }
}

void tern_grad_logaddexp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    share_of_sum(node, grad_out[0], grads, tern_exp);
}
void tern_grad_logaddexp2(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    share_of_sum(node, grad_out[0], grads, tern_exp2);
}

/* ---- unary functions ---- */

static tern_value unary_floating(tern_opcall *call) {
    tern_dtype dtype = tern_map_float(BODY(tern_arg_tensor(call, 0))->dtype);
    return unary(call, dtype, dtype);
}

tern_value tern_op_lgamma(tern_opcall *call) {
    return unary_floating(call);
}
void tern_grad_lgamma(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_mul(grad_out[0], TERN_CALL(digamma, ARG_TENSOR(tern_node_input(node, 0))));
}

tern_value tern_op_digamma(tern_opcall *call) {
    return unary_floating(call);
}
void tern_grad_digamma(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = tern_mul(grad_out[0], TERN_CALL(_trigamma, ARG_TENSOR(tern_node_input(node, 0))));
}

tern_value tern_op__trigamma(tern_opcall *call) {
    return unary_floating(call);
}

tern_value tern_op_sinc(tern_opcall *call) {
    return unary_floating(call);
}

/* (pi x cos(pi x) - sin(pi x)) / (pi x^2), 0 at 0 */
void tern_grad_sinc(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    const double pi = 3.14159265358979323846;
    tern_tensor *x = tern_widen(operand(node, 0, grad_out[0])), *zero = tern_eq_scalar(x, 0.0);
    tern_tensor *angle = tern_mul_scalar(x, pi);
    tern_tensor *rise = tern_sub(tern_mul(angle, tern_cos(angle)), tern_sin(angle));
    tern_tensor *slope = tern_div(rise, tern_mul_scalar(tern_mul(x, x), pi));
    grads[0] = tern_mul(grad_out[0], tern_fill_where(slope, zero, 0.0));
}

tern_value tern_op_signbit(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (BODY(input)->dtype == TERN_BOOL)
        return tern_result(call, TERN_CALL(ne, ARG_TENSOR(input), ARG_TENSOR(input)));
    return unary(call, BODY(input)->dtype, TERN_BOOL);
}
