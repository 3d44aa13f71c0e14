/* complex.c: complex numbers from their parts, their parts, conjugates, signs and angles. */
#include "core/ops/complex.h"
#include "core/ops/compose.h"
#include "functional.h"

#define PI 3.14159265358979323846

static bool is_complex(const tern_tensor *x) {
    return tern_is_complex(BODY(x)->dtype);
}

/* ---- made of parts ---- */

/* Two real tensors of float32 or float64, broadcast to one shape; false after latching. */
static bool two_reals(tern_opcall *call, tern_tensor **first, tern_tensor **second) {
    tern_tensor *both[2] = {tern_arg_tensor(call, 0), tern_arg_tensor(call, 1)};
    tern_dtype dtype = BODY(both[0])->dtype;
    tern_shape shape;
    if ((dtype != TERN_FLOAT32 && dtype != TERN_FLOAT64) || BODY(both[1])->dtype != dtype) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected two float32 or two float64 tensors, got %s and %s",
                       tern_dtype_name(dtype), tern_dtype_name(BODY(both[1])->dtype));
        return false;
    }
    if (!tern_broadcast_shape(call, both, 2, &shape)) return false;
    *first = tern_expand(both[0], shape);
    *second = tern_expand(both[1], shape);
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_complex(tern_opcall *call) {
    tern_tensor *re, *im;
    if (!two_reals(call, &re, &im)) return tern_none();
    return tern_result(call, tern_of_parts(re, im));
}

tern_value tern_op_complex_polar(tern_opcall *call) {
    tern_tensor *size, *angle;
    if (!two_reals(call, &size, &angle)) return tern_none();
    return tern_result(
        call, tern_of_parts(tern_mul(size, tern_cos(angle)), tern_mul(size, tern_sin(angle))));
}

/* ---- parts ---- */

tern_value tern_op_real(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    return tern_result(call, is_complex(x) ? tern_part_of(x, 0) : x);
}

tern_value tern_op_imag(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!is_complex(x))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "is not implemented for tensors with non-complex dtypes, such as %s",
                              tern_dtype_name(BODY(x)->dtype));
    return tern_result(call, tern_part_of(x, 1));
}

/* Nothing is lazily conjugated or negated here. */
tern_value tern_op_resolve_conj(tern_opcall *call) {
    return tern_tensor_value(tern_arg_tensor(call, 0));
}

tern_value tern_op_isreal(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    return tern_result(call, is_complex(x)
                                 ? TERN_CALL(eq, ARG_TENSOR(tern_part_of(x, 1)), ARG_INT(0))
                                 : TERN_CALL(ones_like, ARG_TENSOR(x), ARG_DTYPE(TERN_BOOL)));
}

/* ---- conjugates ---- */

static tern_tensor *conjugate(tern_tensor *x) {
    if (tern_is_nil(x) || !is_complex(x)) return x;
    return tern_of_parts(tern_part_of(x, 0), tern_neg(tern_part_of(x, 1)));
}

tern_value tern_op_conj(tern_opcall *call) {
    return tern_result(call, conjugate(tern_arg_tensor(call, 0)));
}
tern_value tern_op_H(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->rank != 0 && BODY(x)->rank != 2 && is_complex(x))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "is only supported on matrices (2-D tensors), got a %d-D tensor: use mH",
            BODY(x)->rank);
    return tern_result(call, conjugate(TERN_CALL(T, ARG_TENSOR(x))));
}
tern_value tern_op_mH(tern_opcall *call) {
    return tern_result(call, conjugate(TERN_CALL(mT, tern_arg(call, 0))));
}

/* vdot conjugates its first argument. */
tern_value tern_op_vdot(tern_opcall *call) {
    tern_tensor *first = conjugate(tern_arg_tensor(call, 0));
    return tern_result(call, TERN_CALL(dot, ARG_TENSOR(first), tern_arg(call, 1)));
}

/* ---- signs, angles ---- */

/* x / |x|; 0, with a slope of 0, at 0 */
tern_value tern_op_sgn(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!is_complex(x)) return tern_result(call, tern_sign(x));
    tern_tensor *size = tern_abs(x);
    tern_tensor *zero = TERN_CALL(eq, ARG_TENSOR(size), ARG_INT(0));
    size = tern_unsqueeze(tern_fill_where(size, zero, 1), -1);
    tern_tensor *pairs = tern_fill_where(tern_pairs_of(x), tern_unsqueeze(zero, -1), 0);
    return tern_result(call, tern_of_pairs(tern_div(pairs, size)));
}

/* atan2(im, re) without a slope at 0 */
static tern_tensor *angle_of_complex(tern_tensor *x) {
    tern_tensor *re = tern_part_of(x, 0), *im = tern_part_of(x, 1);
    tern_tensor *zero = tern_logical_and(TERN_CALL(eq, ARG_TENSOR(re), ARG_INT(0)),
                                         TERN_CALL(eq, ARG_TENSOR(im), ARG_INT(0)));
    tern_tensor *constant =
        TERN_CALL(atan2, ARG_TENSOR(tern_detach(im)), ARG_TENSOR(tern_detach(re)));
    tern_tensor *angle = TERN_CALL(atan2, ARG_TENSOR(tern_fill_where(im, zero, 0)),
                                   ARG_TENSOR(tern_fill_where(re, zero, 1)));
    return tern_where(zero, constant, angle);
}

/* The angle of a real number: pi below 0, else 0; NaN stays. */
tern_value tern_op_angle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (is_complex(x)) return tern_result(call, angle_of_complex(x));
    tern_dtype dtype = tern_dtype_is_floating(BODY(x)->dtype) ? BODY(x)->dtype : TERN_FLOAT32;
    tern_tensor *negative = TERN_CALL(lt, ARG_TENSOR(x), ARG_INT(0));
    tern_tensor *out = tern_mul_scalar(tern_to_dtype(negative, dtype), PI);
    if (!tern_dtype_is_floating(BODY(x)->dtype)) return tern_result(call, out);
    tern_tensor *zero = tern_mul_scalar(x, 0.0); /* keeps the history, whose gradient is 0 */
    zero = tern_fill_where(zero, tern_isinf(x), 0.0);
    return tern_result(call, tern_add(out, zero));
}
