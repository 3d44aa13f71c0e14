/* math.c: the C functions of tern/ops_math.h that do not stand beside their operation. */
#include "typed.h"

/* ---- arithmetic ----------------------------------------------------------------------------- */
tern_tensor *tern_rsub(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(rsub, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_div_rounded(tern_tensor *input, tern_tensor *other, const char *rounding_mode) {
    return TERN_CALL(div, ARG_TENSOR(input), ARG_TENSOR(other), tern_text_argument(rounding_mode));
}
tern_tensor *tern_remainder_scalar(tern_tensor *input, double other) {
    return TERN_CALL(remainder, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_remainder_number(double input, tern_tensor *other) {
    return TERN_CALL(remainder_number, tern_number(input), ARG_TENSOR(other));
}
tern_tensor *tern_fmod(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(fmod, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_fmod_scalar(tern_tensor *input, double other) {
    return TERN_CALL(fmod, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_floor_divide_scalar(tern_tensor *input, double other) {
    return TERN_CALL(floor_divide, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_pow_number(double input, tern_tensor *exponent) {
    return TERN_CALL(pow_number, tern_number(input), ARG_TENSOR(exponent));
}
tern_tensor *tern_float_power(tern_tensor *input, tern_tensor *exponent) {
    return TERN_CALL(float_power, ARG_TENSOR(input), ARG_TENSOR(exponent));
}
tern_tensor *tern_max_other(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(max_other, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_min_other(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(min_other, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_fmax(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(fmax, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_fmin(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(fmin, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_clamp_min(tern_tensor *input, double min) {
    return TERN_CALL(clamp_min, ARG_TENSOR(input), tern_number(min));
}
tern_tensor *tern_clamp_max(tern_tensor *input, double max) {
    return TERN_CALL(clamp_max, ARG_TENSOR(input), tern_number(max));
}
tern_tensor *tern_clamp_tensor(tern_tensor *input, tern_tensor *min, tern_tensor *max) {
    return TERN_CALL(clamp_tensor, ARG_TENSOR(input), ARG_TENSOR(min), ARG_TENSOR(max));
}
tern_tensor *tern_atan2(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(atan2, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_hypot(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(hypot, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_copysign(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(copysign, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_copysign_number(tern_tensor *input, double other) {
    return TERN_CALL(copysign_number, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_nextafter(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(nextafter, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_ldexp(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(ldexp, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_logaddexp(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(logaddexp, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_logaddexp2(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(logaddexp2, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_heaviside(tern_tensor *input, tern_tensor *values) {
    return TERN_CALL(heaviside, ARG_TENSOR(input), ARG_TENSOR(values));
}
tern_tensor *tern_xlogy(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(xlogy, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_xlogy_number(tern_tensor *input, double other) {
    return TERN_CALL(xlogy_number, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_xlog1py(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(xlog1py, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_gcd(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(gcd, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_lcm(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(lcm, ARG_TENSOR(input), ARG_TENSOR(other));
}

/* ---- bits ----------------------------------------------------------------------------------- */
tern_tensor *tern_bitwise_and(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(bitwise_and, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_bitwise_or(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(bitwise_or, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_bitwise_xor(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(bitwise_xor, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_bitwise_not(tern_tensor *input) {
    return TERN_CALL(bitwise_not, ARG_TENSOR(input));
}
tern_tensor *tern_bitwise_left_shift(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(bitwise_left_shift, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_bitwise_right_shift(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(bitwise_right_shift, ARG_TENSOR(input), ARG_TENSOR(other));
}

/* ---- comparison and logic ------------------------------------------------------------------- */
tern_tensor *tern_ne_scalar(tern_tensor *input, double other) {
    return TERN_CALL(ne, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_le_scalar(tern_tensor *input, double other) {
    return TERN_CALL(le, ARG_TENSOR(input), tern_number(other));
}
tern_tensor *tern_logical_xor(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(logical_xor, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_isclose(tern_tensor *input, tern_tensor *other, double rtol, double atol,
                          bool equal_nan) {
    return TERN_CALL(isclose, ARG_TENSOR(input), ARG_TENSOR(other), ARG_FLOAT(rtol),
                     ARG_FLOAT(atol), ARG_BOOL(equal_nan));
}
bool tern_allclose(tern_tensor *input, tern_tensor *other, double rtol, double atol,
                   bool equal_nan) {
    tern_value holds = TERN_CALL_VALUE(allclose, ARG_TENSOR(input), ARG_TENSOR(other),
                                       ARG_FLOAT(rtol), ARG_FLOAT(atol), ARG_BOOL(equal_nan));
    return holds.kind == TERN_VALUE_BOOL && holds.as.b;
}
tern_tensor *tern_isin(tern_tensor *elements, tern_tensor *test_elements, bool invert) {
    return TERN_CALL(isin, ARG_TENSOR(elements), ARG_TENSOR(test_elements), tern_none(),
                     ARG_BOOL(invert));
}
tern_tensor *tern_isposinf(tern_tensor *input) {
    return TERN_CALL(isposinf, ARG_TENSOR(input));
}
tern_tensor *tern_isneginf(tern_tensor *input) {
    return TERN_CALL(isneginf, ARG_TENSOR(input));
}
tern_tensor *tern_signbit(tern_tensor *input) {
    return TERN_CALL(signbit, ARG_TENSOR(input));
}

/* ---- functions of one number ---------------------------------------------------------------- */
tern_tensor *tern_positive(tern_tensor *input) {
    return TERN_CALL(positive, ARG_TENSOR(input));
}
tern_tensor *tern_lgamma(tern_tensor *input) {
    return TERN_CALL(lgamma, ARG_TENSOR(input));
}
tern_tensor *tern_digamma(tern_tensor *input) {
    return TERN_CALL(digamma, ARG_TENSOR(input));
}
tern_tensor *tern_mvlgamma(tern_tensor *input, int64_t p) {
    return TERN_CALL(mvlgamma, ARG_TENSOR(input), ARG_INT(p));
}
tern_tensor *tern_sinc(tern_tensor *input) {
    return TERN_CALL(sinc, ARG_TENSOR(input));
}
tern_tensor *tern_logit(tern_tensor *input) {
    return TERN_CALL(logit, ARG_TENSOR(input));
}
tern_tensor *tern_logit_eps(tern_tensor *input, double eps) {
    return TERN_CALL(logit, ARG_TENSOR(input), ARG_FLOAT(eps));
}
tern_tensor *tern_entr(tern_tensor *input) {
    return TERN_CALL(entr, ARG_TENSOR(input));
}
tern_tensor *tern_ndtr(tern_tensor *input) {
    return TERN_CALL(ndtr, ARG_TENSOR(input));
}
tern_tensor *tern_ndtri(tern_tensor *input) {
    return TERN_CALL(ndtri, ARG_TENSOR(input));
}
tern_tensor *tern_deg2rad(tern_tensor *input) {
    return TERN_CALL(deg2rad, ARG_TENSOR(input));
}
tern_tensor *tern_rad2deg(tern_tensor *input) {
    return TERN_CALL(rad2deg, ARG_TENSOR(input));
}
tern_tensor *tern_nan_to_num(tern_tensor *input) {
    return TERN_CALL(nan_to_num, ARG_TENSOR(input));
}
tern_tensor *tern_nan_to_num_values(tern_tensor *input, double nan, double posinf, double neginf) {
    return TERN_CALL(nan_to_num, ARG_TENSOR(input), ARG_FLOAT(nan), ARG_FLOAT(posinf),
                     ARG_FLOAT(neginf));
}
tern_tensor *tern_round_decimals(tern_tensor *input, int decimals) {
    return TERN_CALL(round_decimals, ARG_TENSOR(input), ARG_INT(decimals));
}
