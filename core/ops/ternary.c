/* ternary.c: functions of three operands: where, clamp, addcmul, addcdiv, lerp. */
#include <math.h>

#include "compose.h"
#include "map.h"

static tern_value ternary(tern_opcall *call, const tern_value *args, tern_dtype dtype,
                          tern_value value) {
    tern_ternary_attrs attrs = {call->op->fn, 0, tern_value_as_double(value),
                                tern_value_as_int(value)};
    return tern_map_launch(call, TERN_KERNEL_TERNARY, attrs.fn, args, 3, dtype, dtype, &attrs,
                           sizeof attrs);
}

/* ---- where ----------------------------------------------------------------------------------- */

tern_value tern_op_where(tern_opcall *call) {
    tern_tensor *condition = tern_arg_tensor(call, 0);
    if (BODY(condition)->dtype != TERN_BOOL && BODY(condition)->dtype != TERN_UINT8)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "where expected condition to be a boolean tensor, but got a tensor "
                              "with dtype %s",
                              tern_dtype_class(BODY(condition)->dtype));
    return ternary(call, call->args, tern_result_type(call->args + 1, 2), tern_int(0));
}

void tern_grad_where(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value condition = ARG_TENSOR(tern_node_input(node, 0)), g = ARG_TENSOR(grad_out[0]);
    /* A number in the place of `input` leaves `other` as tensor 1. */
    bool input_is_tensor = !tern_value_is_number(tern_node_arg(node, 1));
    bool other_is_tensor = !tern_value_is_number(tern_node_arg(node, 2));
    int other = input_is_tensor ? 2 : 1;
    if (input_is_tensor && tern_node_needs(node, 1))
        grads[1] = TERN_CALL(where, condition, g, ARG_INT(0));
    if (other_is_tensor && tern_node_needs(node, other))
        grads[other] = TERN_CALL(where, condition, ARG_INT(0), g);
}

tern_tensor *tern_where(tern_tensor *condition, tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(where, ARG_TENSOR(condition), ARG_TENSOR(input), ARG_TENSOR(other));
}

/* ---- clamp ----------------------------------------------------------------------------------- */

/* One bound is a maximum or a minimum. */
static tern_value clamp_one(tern_opcall *call, int32_t fn, tern_value bound) {
    tern_value args[] = {tern_arg(call, 0), bound};
    tern_dtype dtype = tern_result_type(args, 2);
    return tern_map_binary(call, fn, args, dtype, dtype);
}

tern_value tern_op_clamp(tern_opcall *call) {
    tern_value min = tern_arg(call, 1), max = tern_arg(call, 2);
    if (!tern_arg_given(call, 1) && !tern_arg_given(call, 2))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "torch.clamp: At least one of 'min' or 'max' must not be None");
    if (!tern_arg_given(call, 2)) return clamp_one(call, TERN_BINARY_MAXIMUM, min);
    if (!tern_arg_given(call, 1)) return clamp_one(call, TERN_BINARY_MINIMUM, max);
    return ternary(call, call->args, tern_result_type(call->args, 3), tern_int(0));
}

/* 1 between the bounds, 0 on them and beyond. */
void tern_grad_clamp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!tern_node_needs(node, 0)) return;
    tern_tensor *x = tern_node_input(node, 0), *inside = NULL;
    tern_value min = tern_node_arg(node, 1), max = tern_node_arg(node, 2);
    if (tern_value_is_number(min)) inside = tern_compare_value(TERN_ROW(gt), x, min);
    if (tern_value_is_number(max)) {
        tern_tensor *below = tern_compare_value(TERN_ROW(lt), x, max);
        inside = inside ? tern_logical_and(inside, below) : below;
    }
    grads[0] = tern_where_value(inside, ARG_TENSOR(grad_out[0]), ARG_INT(0));
}

/* One bound alone is a maximum or a minimum. */
tern_value tern_op_clamp_tensor(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_tensor *min = tern_arg_tensor(call, 1), *max = tern_arg_tensor(call, 2);
    if (!min && !max)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "torch.clamp: At least one of 'min' or 'max' must not be None");
    if (min && max)
        return ARG_TENSOR(
            TERN_CALL(_clamp_between, ARG_TENSOR(x), ARG_TENSOR(min), ARG_TENSOR(max)));
    return ARG_TENSOR(min ? tern_maximum(x, min) : tern_minimum(x, max));
}

tern_value tern_op__clamp_between(tern_opcall *call) {
    tern_tensor *raised = tern_maximum(tern_arg_tensor(call, 0), tern_arg_tensor(call, 1));
    return ARG_TENSOR(tern_minimum(raised, tern_arg_tensor(call, 2)));
}

/* The bound in force takes the gradient, the upper one where they cross; on a bound each takes half,
 * where the bounds coincide the input all of it. */
void tern_grad__clamp_between(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *x = tern_node_input(node, 0), *g = grad_out[0];
    tern_tensor *min = tern_node_input(node, 1), *max = tern_node_input(node, 2);
    tern_tensor *apart = tern_lt(min, max), *crossed = tern_gt(min, max);
    tern_tensor *low = tern_logical_and(tern_lt(x, min), tern_le(min, max));
    tern_tensor *high = TERN_CALL(logical_or, ARG_TENSOR(crossed), ARG_TENSOR(tern_gt(x, max)));
    tern_tensor *at_min = tern_logical_and(tern_eq(x, min), apart);
    tern_tensor *at_max = tern_logical_and(tern_eq(x, max), apart);
    tern_tensor *half = tern_mul_scalar(g, 0.5);
    tern_tensor *to_min = tern_where_value(
        low, ARG_TENSOR(g), ARG_TENSOR(tern_where_value(at_min, ARG_TENSOR(half), ARG_INT(0))));
    tern_tensor *to_max = tern_where_value(
        high, ARG_TENSOR(g), ARG_TENSOR(tern_where_value(at_max, ARG_TENSOR(half), ARG_INT(0))));
    if (tern_node_needs(node, 0)) grads[0] = tern_sub(tern_sub(g, to_min), to_max);
    if (tern_node_needs(node, 1)) grads[1] = to_min;
    if (tern_node_needs(node, 2)) grads[2] = to_max;
}

/* clamp_min, clamp_max: clamp with one bound. */
tern_value tern_op_clamp_min(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *min = tern_arg_tensor(call, 1);
    return ARG_TENSOR(min ? tern_maximum(x, min)
                          : TERN_CALL(clamp, ARG_TENSOR(x), tern_arg(call, 1)));
}

tern_value tern_op_clamp_max(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *max = tern_arg_tensor(call, 1);
    return ARG_TENSOR(max ? tern_minimum(x, max)
                          : TERN_CALL(clamp, ARG_TENSOR(x), tern_none(), tern_arg(call, 1)));
}

tern_tensor *tern_clamp(tern_tensor *input, double min, double max) {
    tern_value low = min == -INFINITY ? tern_none() : tern_number(min);
    tern_value high = max == INFINITY ? tern_none() : tern_number(max);
    bool bounded = low.kind != TERN_VALUE_NONE || high.kind != TERN_VALUE_NONE;
    return TERN_CALL(clamp, ARG_TENSOR(input), bounded ? low : tern_number(min), high);
}

tern_tensor *tern_clamp_in_place(tern_tensor *input, double min, double max) {
    return TERN_CALL_IN_PLACE(clamp, ARG_TENSOR(input), tern_number(min), tern_number(max));
}

/* ---- addcmul, addcdiv ------------------------------------------------------------------------ */

static tern_value value_arg(const tern_opcall *call) {
    return tern_arg_given(call, 3) ? tern_arg(call, 3) : tern_int(1);
}

tern_value tern_op_addcmul(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 3);
    if (value_arg(call).kind == TERN_VALUE_FLOAT && !tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "For integral input tensors, argument value must not be a floating "
                              "point number.");
    return ternary(call, call->args, dtype, value_arg(call));
}

tern_value tern_op_addcdiv(tern_opcall *call) {
    if (!tern_dtype_is_floating(tern_result_type(call->args + 1, 2)))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Integer division with addcdiv is not supported: use input + value * "
                              "trunc(tensor1 / tensor2), or floating point tensors");
    return ternary(call, call->args, tern_result_type(call->args, 3), value_arg(call));
}

/* The node's `value`, 1 where it was left out. */
static tern_value node_value(const tern_node *node) {
    tern_value value = tern_node_arg(node, 3);
    return tern_value_is_number(value) ? value : tern_int(1);
}

void tern_grad_addcmul(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = grad_out[0];
    tern_value value = node_value(node);
    if (tern_node_needs(node, 0)) grads[0] = g;
    if (tern_node_needs(node, 1))
        grads[1] = tern_mul(g, tern_mul_value(tern_node_input(node, 2), value));
    if (tern_node_needs(node, 2))
        grads[2] = tern_mul(g, tern_mul_value(tern_node_input(node, 1), value));
}

void tern_grad_addcdiv(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = grad_out[0];
    if (!tern_node_needs(node, 1) && !tern_node_needs(node, 2)) return;
    tern_dtype dtype = BODY(grad_out[0])->dtype;
    tern_tensor *g = tern_widen(grad_out[0]), *b = tern_widen(tern_node_input(node, 2));
    tern_tensor *slope = tern_div(tern_mul_value(g, node_value(node)), b);
    if (tern_node_needs(node, 1)) grads[1] = tern_to_dtype(slope, dtype);
    if (tern_node_needs(node, 2)) {
        tern_tensor *ratio = tern_div(tern_widen(tern_node_input(node, 1)), b);
        grads[2] = tern_to_dtype(tern_neg(tern_mul(slope, ratio)), dtype);
    }
}

tern_tensor *tern_addcmul(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                          double value) {
    return TERN_CALL(addcmul, ARG_TENSOR(input), ARG_TENSOR(tensor1), ARG_TENSOR(tensor2),
                     tern_number(value));
}

tern_tensor *tern_addcmul_in_place(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                                   double value) {
    return TERN_CALL_IN_PLACE(addcmul, ARG_TENSOR(input), ARG_TENSOR(tensor1), ARG_TENSOR(tensor2),
                              tern_number(value));
}

tern_tensor *tern_addcdiv(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                          double value) {
    return TERN_CALL(addcdiv, ARG_TENSOR(input), ARG_TENSOR(tensor1), ARG_TENSOR(tensor2),
                     tern_number(value));
}

tern_tensor *tern_addcdiv_in_place(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                                   double value) {
    return TERN_CALL_IN_PLACE(addcdiv, ARG_TENSOR(input), ARG_TENSOR(tensor1), ARG_TENSOR(tensor2),
                              tern_number(value));
}

/* ---- lerp ------------------------------------------------------------------------------------ */

tern_value tern_op_lerp(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *end = tern_arg_tensor(call, 1);
    tern_tensor *weight = tern_arg_tensor(call, 2);
    const tern_tensor *odd = BODY(end)->dtype != BODY(input)->dtype                ? end
                             : weight && BODY(weight)->dtype != BODY(input)->dtype ? weight
                                                                                   : NULL;
    if (odd)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected dtype %s for `%s` but got dtype %s",
                              tern_dtype_name(BODY(input)->dtype), odd == end ? "end" : "weight",
                              tern_dtype_name(BODY(odd)->dtype));
    if (!tern_dtype_is_floating(BODY(input)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                              tern_dtype_class(BODY(input)->dtype));
    return ternary(call, call->args, BODY(input)->dtype, tern_int(0));
}

void tern_grad_lerp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = grad_out[0];
    tern_value weight = tern_node_operand(node, 2, 2);
    if (tern_node_needs(node, 0))
        grads[0] =
            tern_mul(g, weight.kind == TERN_VALUE_TENSOR
                            ? tern_rsub_scalar(weight.as.tensor, 1)
                            : tern_scalar_tensor(tern_node_ctx(node),
                                                 1 - tern_value_as_double(weight), TERN_FLOAT64));
    if (tern_node_needs(node, 1)) grads[1] = tern_mul_value(g, weight);
    if (tern_node_needs(node, 2))
        grads[2] = tern_mul(g, tern_sub(tern_node_input(node, 1), tern_node_input(node, 0)));
}

tern_tensor *tern_lerp(tern_tensor *input, tern_tensor *end, double weight) {
    return TERN_CALL(lerp, ARG_TENSOR(input), ARG_TENSOR(end), ARG_FLOAT(weight));
}

tern_tensor *tern_lerp_in_place(tern_tensor *input, tern_tensor *end, double weight) {
    return TERN_CALL_IN_PLACE(lerp, ARG_TENSOR(input), ARG_TENSOR(end), ARG_FLOAT(weight));
}
