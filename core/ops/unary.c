/*
 * unary.c: functions of one tensor, element by element, and their gradients.
 *
 * A row of ops.def names the kernel's member; what remains to say of a function is which dtypes it
 * takes and gives, and its derivative in terms of its input x or its output y.
 */
#include <math.h>

#include "core/call/short.h"
#include "map.h"

/* Which dtypes a function takes and gives. */
typedef enum rule {
    FLOATING, /* integers and bools become float32 */
    KEEPS,    /* computed in the input's own dtype */
    NO_BOOL,  /* the same, bools are an error */
    INTEGRAL, /* integers and bools alone */
    TO_BOOL   /* computed in the input's own dtype, gives bools */
} dtype_rule;

static const char *const bool_negation =
    "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
    "mask, use the `~` or `logical_not()` operator instead.";

static bool accepts(tern_opcall *call, dtype_rule rule, tern_dtype dtype) {
    if (rule == NO_BOOL && dtype == TERN_BOOL) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%s",
                       call->op->fn == TERN_UNARY_NEG ? bool_negation
                                                      : "not implemented for 'Bool'");
        return false;
    }
    if (rule == INTEGRAL && tern_dtype_is_floating(dtype)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                       tern_dtype_class(dtype));
        return false;
    }
    return true;
}

static tern_value map(tern_opcall *call, dtype_rule rule) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_unary_attrs attrs = {call->op->fn, 0};
    if (!accepts(call, rule, BODY(input)->dtype)) return tern_none();
    tern_dtype compute = rule == FLOATING ? tern_map_float(BODY(input)->dtype) : BODY(input)->dtype;
    return tern_map_launch(call, TERN_KERNEL_UNARY, attrs.fn, call->args, 1, compute,
                           rule == TO_BOOL ? TERN_BOOL : compute, &attrs, sizeof attrs);
}

/* isnan and its like: integers have one answer for all elements. */
static tern_value classify(tern_opcall *call, bool of_integers) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (tern_dtype_is_floating(BODY(input)->dtype)) return map(call, TO_BOOL);
    tern_tensor *out =
        tern_tensor_new(call->lane, TERN_BOOL, BODY(input)->rank, BODY(input)->shape);
    tern_fill_raw(out, of_integers, of_integers);
    return ARG_TENSOR(out);
}

#define UNARY(id, rule)                                                                            \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        return map(call, rule);                                                                    \
    }                                                                                              \
    tern_tensor *tern_##id(tern_tensor *input) {                                                   \
        tern_tensor *out = tern_short_unary(TERN_ROW(id), input);                                  \
        return out ? out : TERN_CALL(id, ARG_TENSOR(input));                                       \
    }

UNARY(neg, NO_BOOL)
UNARY(abs, NO_BOOL)
UNARY(sign, KEEPS)
UNARY(reciprocal, FLOATING)
UNARY(sqrt, FLOATING)
UNARY(rsqrt, FLOATING)
UNARY(exp, FLOATING)
UNARY(exp2, FLOATING)
UNARY(expm1, FLOATING)
UNARY(log, FLOATING)
UNARY(log2, FLOATING)
UNARY(log10, FLOATING)
UNARY(log1p, FLOATING)
UNARY(sin, FLOATING)
UNARY(cos, FLOATING)
UNARY(tan, FLOATING)
UNARY(asin, FLOATING)
UNARY(acos, FLOATING)
UNARY(atan, FLOATING)
UNARY(sinh, FLOATING)
UNARY(cosh, FLOATING)
UNARY(tanh, FLOATING)
UNARY(asinh, FLOATING)
UNARY(acosh, FLOATING)
UNARY(atanh, FLOATING)
UNARY(erf, FLOATING)
UNARY(erfc, FLOATING)
UNARY(erfinv, FLOATING)
UNARY(floor, NO_BOOL)
UNARY(ceil, NO_BOOL)
UNARY(trunc, NO_BOOL)
UNARY(round, NO_BOOL)
UNARY(sigmoid, FLOATING)
UNARY(relu, NO_BOOL)
UNARY(logical_not, TO_BOOL)

tern_value tern_op_square(tern_opcall *call) {
    /* torch.square is pow(input, 2), whose exponent raises bools to int64 */
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_unary_attrs attrs = {call->op->fn, 0};
    tern_dtype compute = BODY(input)->dtype == TERN_BOOL ? TERN_INT64 : BODY(input)->dtype;
    return tern_map_launch(call, TERN_KERNEL_UNARY, attrs.fn, call->args, 1, compute, compute,
                           &attrs, sizeof attrs);
}

tern_value tern_op_frac(tern_opcall *call) {
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    if (!tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                              tern_dtype_class(dtype));
    return map(call, KEEPS);
}

tern_value tern_op_isnan(tern_opcall *call) {
    return classify(call, false);
}
tern_value tern_op_isinf(tern_opcall *call) {
    return classify(call, false);
}
tern_value tern_op_isfinite(tern_opcall *call) {
    return classify(call, true);
}

tern_tensor *tern_square(tern_tensor *input) {
    return TERN_CALL(square, ARG_TENSOR(input));
}
tern_tensor *tern_frac(tern_tensor *input) {
    return TERN_CALL(frac, ARG_TENSOR(input));
}
tern_tensor *tern_isnan(tern_tensor *input) {
    return TERN_CALL(isnan, ARG_TENSOR(input));
}
tern_tensor *tern_isinf(tern_tensor *input) {
    return TERN_CALL(isinf, ARG_TENSOR(input));
}
tern_tensor *tern_isfinite(tern_tensor *input) {
    return TERN_CALL(isfinite, ARG_TENSOR(input));
}

/* ---- gradients: g is the gradient of the output, x the input, y the output ------------------- */

#define GRADIENT(id, saved, expression)                                                            \
    void tern_grad_##id(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {      \
        if (!tern_node_needs(node, 0)) return;                                                     \
        tern_tensor *g = grad_out[0];                                                              \
        saved;                                                                                     \
        grads[0] = expression;                                                                     \
    }
#define OF_G(id, expression) GRADIENT(id, (void)node, expression)
#define OF_X(id, expression) GRADIENT(id, tern_tensor *x = tern_node_input(node, 0), expression)
#define OF_Y(id, expression) GRADIENT(id, tern_tensor *y = tern_node_output(node, 0), expression)

#define LN_2           0.69314718055994530942
#define LN_10          2.30258509299404568402
#define SQRT_PI        1.77245385090551602730
#define TWO_BY_SQRT_PI 1.12837916709551257390

static tern_tensor *times(tern_tensor *a, tern_tensor *b) {
    return tern_mul(a, b);
}
static tern_tensor *scaled(tern_tensor *a, double factor) {
    return tern_mul_scalar(a, factor);
}
static tern_tensor *plus(tern_tensor *a, double term) {
    return tern_add_scalar(a, term);
}

OF_G(neg, tern_neg(g))
OF_X(abs, times(g, tern_sign(x)))
OF_G(sign, tern_zeros_like(g))
OF_X(square, times(g, scaled(x, 2)))
OF_Y(reciprocal, times(tern_neg(g), times(y, y)))
OF_Y(sqrt, tern_div(g, scaled(y, 2)))
OF_Y(rsqrt, times(scaled(g, -0.5), tern_pow_scalar(y, 3)))
OF_Y(exp, times(g, y))
OF_Y(exp2, times(g, scaled(y, LN_2)))
OF_Y(expm1, times(g, plus(y, 1)))
OF_X(log, tern_div(g, x))
OF_X(log2, tern_div(g, scaled(x, LN_2)))
OF_X(log10, tern_div(g, scaled(x, LN_10)))
OF_X(log1p, tern_div(g, plus(x, 1)))
OF_X(sin, times(g, tern_cos(x)))
OF_X(cos, times(tern_neg(g), tern_sin(x)))
OF_Y(tan, times(g, plus(tern_square(y), 1)))
OF_X(asin, times(g, tern_rsqrt(plus(tern_neg(tern_square(x)), 1))))
OF_X(acos, times(tern_neg(g), tern_rsqrt(plus(tern_neg(tern_square(x)), 1))))
OF_X(atan, tern_div(g, plus(tern_square(x), 1)))
OF_X(sinh, times(g, tern_cosh(x)))
OF_X(cosh, times(g, tern_sinh(x)))
OF_Y(tanh, times(g, plus(tern_neg(tern_square(y)), 1)))
OF_X(asinh, times(g, tern_rsqrt(plus(tern_square(x), 1))))
OF_X(acosh, times(g, tern_rsqrt(plus(tern_square(x), -1))))
OF_X(atanh, tern_div(g, plus(tern_neg(tern_square(x)), 1)))
OF_X(erf, times(g, scaled(tern_exp(tern_neg(tern_square(x))), TWO_BY_SQRT_PI)))
OF_X(erfc, times(g, scaled(tern_exp(tern_neg(tern_square(x))), -TWO_BY_SQRT_PI)))
OF_Y(erfinv, times(g, scaled(tern_exp(tern_square(y)), SQRT_PI / 2)))
OF_G(floor, tern_zeros_like(g))
OF_G(ceil, tern_zeros_like(g))
OF_G(trunc, tern_zeros_like(g))
OF_G(round, tern_zeros_like(g))
OF_G(frac, g)
OF_Y(sigmoid, times(g, times(plus(tern_neg(y), 1), y)))
/* NaN passes the gradient on: it is not at most 0 */
OF_Y(relu,
     tern_where_value(tern_compare_value(TERN_ROW(le), y, ARG_INT(0)), ARG_INT(0), ARG_TENSOR(g)))

/* ---- in place -------------------------------------------------------------------------------- */

#define UNARY_IN_PLACE(id)                                                                         \
    tern_tensor *tern_##id##_in_place(tern_tensor *input) {                                        \
        return TERN_CALL_IN_PLACE(id, ARG_TENSOR(input));                                          \
    }

UNARY_IN_PLACE(neg)
UNARY_IN_PLACE(abs)
UNARY_IN_PLACE(reciprocal)
UNARY_IN_PLACE(sqrt)
UNARY_IN_PLACE(relu)
