/*
 * elementwise_composed.c: element-wise functions that are composed of others, conversions to a dtype,
 * comparisons within a tolerance, and the reflected forms of Python's operators.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "pointwise.h"
#include "programs/program.h"

#define PI 3.14159265358979323846

/* The first argument as a floating tensor in the dtype to compute in. */
static tern_tensor *wide_input(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    return tern_dtype_is_floating(BODY(x)->dtype) ? tern_widen(x) : tern_to_dtype(x, TERN_FLOAT32);
}

/* ---- conversions ---- */

static tern_value converted(tern_opcall *call, tern_dtype dtype) {
    return tern_result(call, tern_to_dtype(tern_arg_tensor(call, 0), dtype));
}

tern_value tern_op_as_bfloat16(tern_opcall *call) {
    return converted(call, TERN_BFLOAT16);
}
tern_value tern_op_as_bool(tern_opcall *call) {
    return converted(call, TERN_BOOL);
}
tern_value tern_op_as_byte(tern_opcall *call) {
    return converted(call, TERN_UINT8);
}
tern_value tern_op_as_char(tern_opcall *call) {
    return converted(call, TERN_INT8);
}
tern_value tern_op_as_double(tern_opcall *call) {
    return converted(call, TERN_FLOAT64);
}
tern_value tern_op_as_float(tern_opcall *call) {
    return converted(call, TERN_FLOAT32);
}
tern_value tern_op_as_half(tern_opcall *call) {
    return converted(call, TERN_FLOAT16);
}
tern_value tern_op_as_int(tern_opcall *call) {
    return converted(call, TERN_INT32);
}
tern_value tern_op_as_long(tern_opcall *call) {
    return converted(call, TERN_INT64);
}
tern_value tern_op_as_short(tern_opcall *call) {
    return converted(call, TERN_INT16);
}

/* to(input, other): dtype and device of another tensor. copy=True always gives a new one. */
tern_value tern_op_to_other(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *other = tern_arg_tensor(call, 1);
    tern_tensor *out =
        tern_to_dtype(tern_to_device(input, tern_device_of(other)), BODY(other)->dtype);
    bool fresh = tern_arg_bool(call, 3, false) && out == input;
    return tern_result(call, fresh ? tern_clone(input) : out);
}

/* to(input, device=None, dtype=None): "cpu" is any device of the CPU family. */
tern_value tern_op_to_both(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *out = input;
    const char *device = tern_arg_text(call, 1, NULL);
    bool there = !device || (strcmp(device, "cpu") == 0 && call->lane->device->is_cpu);
    if (!there) out = tern_to_device(out, device);
    out = tern_to_dtype(out, tern_arg_dtype(call, 2, BODY(input)->dtype));
    bool fresh = tern_arg_bool(call, 4, false) && out == input;
    return tern_result(call, fresh ? tern_clone(input) : out);
}

/* Tensor.item(): a number. */
tern_value tern_op_item(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    double value = tern_item(input);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (tern_dtype_is_floating(BODY(input)->dtype)) return tern_float(value);
    if (BODY(input)->dtype == TERN_BOOL) return tern_bool(value != 0.0);
    return tern_int(tern_item_i64(input));
}

tern_value tern_op_positive(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (BODY(input)->dtype == TERN_BOOL)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "does not support bool tensors");
    return tern_tensor_value(input);
}

/* ---- reflected operators ---- */

tern_value tern_op_reflected_div(tern_opcall *call) {
    /* the reciprocal times other, as PyTorch has it: so an infinite slope is no inf - inf */
    tern_tensor *inverse = tern_reciprocal(tern_arg_tensor(call, 0));
    return tern_result(call, TERN_CALL(mul, ARG_TENSOR(inverse), tern_arg(call, 1)));
}
tern_value tern_op_reflected_mod(tern_opcall *call) {
    tern_value other = tern_arg(call, 1), input = tern_arg(call, 0);
    return tern_result(call, other.kind == TERN_VALUE_TENSOR
                                 ? TERN_CALL(remainder, other, input)
                                 : TERN_CALL(remainder_number, other, input));
}
tern_value tern_op_reflected_pow(tern_opcall *call) {
    tern_value other = tern_arg(call, 1), input = tern_arg(call, 0);
    return tern_result(call, other.kind == TERN_VALUE_TENSOR ? TERN_CALL(pow, other, input)
                                                             : TERN_CALL(pow_number, other, input));
}
tern_value tern_op_reflected_matmul(tern_opcall *call) {
    return tern_result(call, tern_matmul(tern_arg_tensor(call, 1), tern_arg_tensor(call, 0)));
}

/* ---- powers, angles ---- */

tern_value tern_op_float_power(tern_opcall *call) {
    tern_value a = tern_arg(call, 0), b = tern_arg(call, 1);
    if (a.kind == TERN_VALUE_TENSOR) a = ARG_TENSOR(tern_to_dtype(a.as.tensor, TERN_FLOAT64));
    if (b.kind == TERN_VALUE_TENSOR) b = ARG_TENSOR(tern_to_dtype(b.as.tensor, TERN_FLOAT64));
    return a.kind == TERN_VALUE_TENSOR ? ARG_TENSOR(TERN_CALL(pow, a, b))
                                       : ARG_TENSOR(TERN_CALL(pow_number, a, b));
}

/* input * 2^other: integers in `other` take the dtype of a floating input. */
tern_value tern_op_ldexp(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *other = tern_arg_tensor(call, 1);
    bool whole = !tern_dtype_is_floating(BODY(other)->dtype);
    if (!tern_dtype_is_floating(BODY(x)->dtype) || !whole)
        return ARG_TENSOR(TERN_CALL(_ldexp, ARG_TENSOR(x), ARG_TENSOR(other)));
    tern_tensor *wide = wide_input(call);
    tern_tensor *power =
        TERN_CALL(pow_number, ARG_FLOAT(2.0), ARG_TENSOR(tern_to_dtype(other, BODY(wide)->dtype)));
    return tern_narrowed(call, tern_mul(wide, power));
}

/* input * 2^other in the dtypes as they are */
tern_value tern_op__ldexp(tern_opcall *call) {
    tern_tensor *power = TERN_CALL(pow_number, ARG_FLOAT(2.0), tern_arg(call, 1));
    return tern_result(call, tern_mul(tern_arg_tensor(call, 0), power));
}

/* dinput = g 2^other, dother = g out log 2, before either is summed to its shape */
void tern_grad__ldexp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) {
        tern_tensor *other = tern_node_input(node, 1);
        grads[0] = tern_mul(grad_out[0], TERN_CALL(pow_number, ARG_FLOAT(2.0), ARG_TENSOR(other)));
    }
    if (tern_node_needs(node, 1))
        grads[1] = tern_mul(grad_out[0], tern_mul_scalar(tern_node_output(node, 0), log(2.0)));
}

/* ---- numbers where the kernels take tensors ---- */

/* A tensor argument; a number as a 0-dim tensor that promotes as a number does. */
static tern_value tensor_of(tern_opcall *call, int index) {
    tern_value value = tern_arg(call, index);
    if (value.kind == TERN_VALUE_TENSOR) return value;
    tern_tensor *number = tern_operand_of(call, value, tern_result_type(&value, 1));
    if (!tern_is_nil(number)) BODY(number)->flags |= TERN_T_NUMBER;
    return ARG_TENSOR(number);
}

tern_value tern_op_copysign_number(tern_opcall *call) {
    return ARG_TENSOR(TERN_CALL(copysign, tensor_of(call, 0), tensor_of(call, 1)));
}
tern_value tern_op_xlogy_number(tern_opcall *call) {
    return ARG_TENSOR(TERN_CALL(xlogy, tensor_of(call, 0), tensor_of(call, 1)));
}
tern_value tern_op_remainder_number(tern_opcall *call) {
    return ARG_TENSOR(TERN_CALL(remainder, tensor_of(call, 0), tensor_of(call, 1)));
}

tern_value tern_op_deg2rad(tern_opcall *call) {
    return tern_narrowed(call, tern_mul_scalar(wide_input(call), PI / 180.0));
}
tern_value tern_op_rad2deg(tern_opcall *call) {
    return tern_narrowed(call, tern_mul_scalar(wide_input(call), 180.0 / PI));
}

/* ---- special functions ---- */

/* With the bound where there is one. */
static tern_pointwise_row logit_row(tern_value eps) {
    return eps.kind == TERN_VALUE_NONE ? TERN_POINTWISE_logit : TERN_POINTWISE_logit_between;
}

tern_value tern_op_logit(tern_opcall *call) {
    return tern_pointwise(call, logit_row(tern_arg(call, 1)), NULL);
}
void tern_grad_logit(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_pointwise_grad(node, logit_row(tern_node_arg(node, 1)), grad_out, grads);
}

tern_value tern_op_ndtri(tern_opcall *call) {
    return tern_narrowed(call, TERN_CALL(_ndtri, ARG_TENSOR(wide_input(call))));
}

/* x log(1 + y), 0 where x is 0 and y is no NaN */
tern_value tern_op_xlog1py(tern_opcall *call) {
    tern_value x = tern_arg(call, 0), y = tern_arg(call, 1);
    if (y.kind != TERN_VALUE_TENSOR) x = tensor_of(call, 0); /* a formula needs a tensor */
    return tern_result(call, FORMULA(call->ctx, "xlogy(x, y + 1)", "x y", x, y));
}

/* ---- replacing and rounding ---- */

static double largest(tern_dtype dtype) {
    switch (dtype) {
    case TERN_FLOAT64: return DBL_MAX;
    case TERN_FLOAT16: return 65504.0;
    case TERN_BFLOAT16: return 0x1.fep127;
    default: return (double)FLT_MAX;
    }
}

tern_value tern_op_nan_to_num(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_dtype_is_floating(BODY(x)->dtype)) return tern_result(call, tern_clone(x));
    double max = largest(BODY(x)->dtype);
    return tern_result(
        call, FORMULA(call->ctx,
                      "where(isnan(x), nan, where(x == inf, above, where(x == -inf, below, x)))",
                      "x nan above below", ARG_TENSOR(x), ARG_FLOAT(tern_arg_double(call, 1, 0.0)),
                      ARG_FLOAT(tern_arg_double(call, 2, max)),
                      ARG_FLOAT(tern_arg_double(call, 3, -max))));
}

tern_value tern_op_round_decimals(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t decimals = tern_arg_int(call, 1, 0);
    if (decimals == 0 || !tern_dtype_is_floating(BODY(x)->dtype))
        return tern_result(call, tern_round(x));
    double scale = pow(10.0, fabs((double)decimals));
    tern_tensor *wide = tern_widen(x), *out;
    if (decimals > 0)
        out = tern_div_scalar(tern_round(tern_mul_scalar(wide, scale)), scale);
    else
        out = tern_mul_scalar(tern_round(tern_div_scalar(wide, scale)), scale);
    return tern_result(call, tern_to_dtype(out, BODY(x)->dtype));
}

/* ---- tests ---- */

tern_value tern_op_isposinf(tern_opcall *call) {
    return tern_result(call, FORMULA(call->ctx, "x == inf", "x", tern_arg(call, 0)));
}
tern_value tern_op_isneginf(tern_opcall *call) {
    return tern_result(call, FORMULA(call->ctx, "x == -inf", "x", tern_arg(call, 0)));
}
/* |input - other| <= atol + rtol |other|, equal infinities, and NaN with NaN where asked for. */
static tern_tensor *close_to(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    double rtol = tern_arg_double(call, 2, 1e-5), atol = tern_arg_double(call, 3, 1e-8);
    tern_tensor *equal = tern_eq(a, b);
    if (tern_arg_bool(call, 4, false))
        equal = tern_logical_or(equal, tern_logical_and(tern_isnan(a), tern_isnan(b)));
    if (rtol == 0.0 && atol == 0.0) return equal;
    bool continuous = tern_is_continuous(BODY(a)->dtype);
    tern_tensor *x = continuous ? a : tern_to_dtype(a, TERN_FLOAT64);
    tern_tensor *y = continuous ? b : tern_to_dtype(b, TERN_FLOAT64);
    tern_tensor *allowed = tern_add_scalar(tern_abs(tern_mul_scalar(y, rtol)), atol);
    tern_tensor *distance = tern_abs(tern_sub(x, y));
    tern_tensor *within = tern_logical_and(tern_isfinite(distance), tern_le(distance, allowed));
    return tern_logical_or(equal, within);
}

tern_value tern_op_isclose(tern_opcall *call) {
    return tern_result(call, close_to(call));
}

tern_value tern_op_allclose(tern_opcall *call) {
    tern_tensor *all = tern_all(close_to(call));
    double value = tern_item(all);
    return call->ctx->status == TERN_OK ? tern_bool(value != 0.0) : tern_none();
}
