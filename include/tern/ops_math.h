/*
 * tern/ops_math.h: operations element by element: arithmetic, comparison, logic, functions of one
 * number.
 *
 * Two tensors broadcast to one shape (an error if they do not fit) and promote to one dtype. "Floating result" means
 * that integers and bools become float32 first. Functions whose result does not depend smoothly on the input
 * (comparisons, logic, rounding) have no gradient or one of zero, as in PyTorch.
 */
#ifndef TERN_OPS_MATH_H
#define TERN_OPS_MATH_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- arithmetic ----------------------------------------------------------------------------- */

/* torch.add(input, other): input + other. For bools: or. */
TERN_API tern_tensor *tern_add(tern_tensor *input, tern_tensor *other);

/* torch.add(input, other, alpha=alpha): input + alpha * other. */
TERN_API tern_tensor *tern_add_alpha(tern_tensor *input, tern_tensor *other, double alpha);

/* input + other, for a number. */
TERN_API tern_tensor *tern_add_scalar(tern_tensor *input, double other);

/* torch.sub(input, other): input - other. Bools are an error. */
TERN_API tern_tensor *tern_sub(tern_tensor *input, tern_tensor *other);

/* input - other, for a number. */
TERN_API tern_tensor *tern_sub_scalar(tern_tensor *input, double other);

/* torch.rsub(input, other): other - input. */
TERN_API tern_tensor *tern_rsub(tern_tensor *input, tern_tensor *other);

/* torch.rsub(input, other): other - input, for a number. */
TERN_API tern_tensor *tern_rsub_scalar(tern_tensor *input, double other);

/* torch.mul(input, other): input * other. For bools: and. */
TERN_API tern_tensor *tern_mul(tern_tensor *input, tern_tensor *other);

/* input * other, for a number. */
TERN_API tern_tensor *tern_mul_scalar(tern_tensor *input, double other);

/* torch.div(input, other): input / other. Floating result; a division by 0 gives an infinity or NaN. */
TERN_API tern_tensor *tern_div(tern_tensor *input, tern_tensor *other);

/* input / other, for a number. */
TERN_API tern_tensor *tern_div_scalar(tern_tensor *input, double other);

/* torch.div(input, other, rounding_mode): "floor" rounds down, "trunc" towards 0; of the promoted dtype. An
 * integer division by 0 is an error. */
TERN_API tern_tensor *tern_div_rounded(tern_tensor *input, tern_tensor *other,
                                       const char *rounding_mode);

/* torch.remainder(input, other): input - floor(input / other) * other: of the divisor's sign, as Python's
 * %. */
TERN_API tern_tensor *tern_remainder(tern_tensor *input, tern_tensor *other);

/* torch.remainder(input, other), for a number. */
TERN_API tern_tensor *tern_remainder_scalar(tern_tensor *input, double other);

/* torch.remainder(input, other) of a number by a tensor. */
TERN_API tern_tensor *tern_remainder_number(double input, tern_tensor *other);

/* torch.fmod(input, other): input - trunc(input / other) * other: of the dividend's sign, as C's fmod. */
TERN_API tern_tensor *tern_fmod(tern_tensor *input, tern_tensor *other);

/* torch.fmod(input, other), for a number. */
TERN_API tern_tensor *tern_fmod_scalar(tern_tensor *input, double other);

/* torch.floor_divide(input, other): the quotient, rounded down; of the promoted dtype. An integer division
 * by 0 is an error. */
TERN_API tern_tensor *tern_floor_divide(tern_tensor *input, tern_tensor *other);

/* torch.floor_divide(input, other), for a number. */
TERN_API tern_tensor *tern_floor_divide_scalar(tern_tensor *input, double other);

/* torch.pow(input, exponent): input to a power. Integers to a negative power are an error. */
TERN_API tern_tensor *tern_pow(tern_tensor *input, tern_tensor *exponent);

/* torch.pow(input, exponent), for a number. */
TERN_API tern_tensor *tern_pow_scalar(tern_tensor *input, double exponent);

/* torch.pow(input, exponent) of a number by a tensor. */
TERN_API tern_tensor *tern_pow_number(double input, tern_tensor *exponent);

/* torch.float_power(input, exponent): computed in float64, which the result is. */
TERN_API tern_tensor *tern_float_power(tern_tensor *input, tern_tensor *exponent);

/* torch.maximum(input, other): the larger of the two; NaN if either is NaN. */
TERN_API tern_tensor *tern_maximum(tern_tensor *input, tern_tensor *other);

/* torch.minimum(input, other): the smaller of the two; NaN if either is NaN. */
TERN_API tern_tensor *tern_minimum(tern_tensor *input, tern_tensor *other);

/* torch.max(input, other): tern_maximum. */
TERN_API tern_tensor *tern_max_other(tern_tensor *input, tern_tensor *other);

/* torch.min(input, other): tern_minimum. */
TERN_API tern_tensor *tern_min_other(tern_tensor *input, tern_tensor *other);

/* torch.fmax(input, other): the larger of the two; a NaN is ignored if the other is a number. */
TERN_API tern_tensor *tern_fmax(tern_tensor *input, tern_tensor *other);

/* torch.fmin(input, other): the smaller of the two; a NaN is ignored if the other is a number. */
TERN_API tern_tensor *tern_fmin(tern_tensor *input, tern_tensor *other);

/* torch.where(condition, input, other): input where the condition (bool) holds, else other. All three
 * broadcast. */
TERN_API tern_tensor *tern_where(tern_tensor *condition, tern_tensor *input, tern_tensor *other);

/* torch.addcmul: input + value * tensor1 * tensor2. */
TERN_API tern_tensor *tern_addcmul(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                                   double value);

/* torch.addcdiv: input + value * tensor1 / tensor2. Integers are an error. */
TERN_API tern_tensor *tern_addcdiv(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                                   double value);

/* torch.lerp(input, end, weight): input + weight * (end - input), for a number; floating dtypes only. */
TERN_API tern_tensor *tern_lerp(tern_tensor *input, tern_tensor *end, double weight);

/* torch.clamp(input, min, max): limited to [min, max]. For one side only, give -INFINITY or INFINITY, or
 * use tern_clamp_min and tern_clamp_max. If min > max, the result is max. */
TERN_API tern_tensor *tern_clamp(tern_tensor *input, double min, double max);

/* torch.clamp_min(input, min): at least min. */
TERN_API tern_tensor *tern_clamp_min(tern_tensor *input, double min);

/* torch.clamp_max(input, max): at most max. */
TERN_API tern_tensor *tern_clamp_max(tern_tensor *input, double max);

/* torch.clamp with bounds that broadcast; NULL for one of them: no bound on that side. */
TERN_API tern_tensor *tern_clamp_tensor(tern_tensor *input, tern_tensor *min, tern_tensor *max);

/* torch.atan2(input, other): the angle of the point (other, input), from -pi to pi. Floating result. */
TERN_API tern_tensor *tern_atan2(tern_tensor *input, tern_tensor *other);

/* torch.hypot(input, other): sqrt(input^2 + other^2) without overflow. */
TERN_API tern_tensor *tern_hypot(tern_tensor *input, tern_tensor *other);

/* torch.copysign(input, other): the magnitude of input with the sign of other. Floating result. */
TERN_API tern_tensor *tern_copysign(tern_tensor *input, tern_tensor *other);

/* torch.copysign(input, other), for a number. */
TERN_API tern_tensor *tern_copysign_number(tern_tensor *input, double other);

/* torch.nextafter(input, other): the next number of the dtype towards other. */
TERN_API tern_tensor *tern_nextafter(tern_tensor *input, tern_tensor *other);

/* torch.ldexp(input, other): input * 2^other. Floating result. */
TERN_API tern_tensor *tern_ldexp(tern_tensor *input, tern_tensor *other);

/* torch.logaddexp(input, other): log(exp(input) + exp(other)) without overflow. */
TERN_API tern_tensor *tern_logaddexp(tern_tensor *input, tern_tensor *other);

/* torch.logaddexp2(input, other): log2(2^input + 2^other) without overflow. */
TERN_API tern_tensor *tern_logaddexp2(tern_tensor *input, tern_tensor *other);

/* torch.heaviside(input, values): 0 below 0, 1 above, `values` at 0. Both must be of one dtype. */
TERN_API tern_tensor *tern_heaviside(tern_tensor *input, tern_tensor *values);

/* torch.xlogy(input, other): input * log(other), 0 where input is 0. Floating result. */
TERN_API tern_tensor *tern_xlogy(tern_tensor *input, tern_tensor *other);

/* torch.xlogy(input, other), for a number. */
TERN_API tern_tensor *tern_xlogy_number(tern_tensor *input, double other);

/* torch.special.xlog1py(input, other): input * log(1 + other), 0 where input is 0. Floating result. */
TERN_API tern_tensor *tern_xlog1py(tern_tensor *input, tern_tensor *other);

/* torch.gcd(input, other): the greatest common divisor; integers only. */
TERN_API tern_tensor *tern_gcd(tern_tensor *input, tern_tensor *other);

/* torch.lcm(input, other): the least common multiple; integers only. */
TERN_API tern_tensor *tern_lcm(tern_tensor *input, tern_tensor *other);

/* ---- bits -------------------------------------------------------------------------------------
 * Integers, and bools except for shifts. */

/* torch.bitwise_and(input, other). */
TERN_API tern_tensor *tern_bitwise_and(tern_tensor *input, tern_tensor *other);

/* torch.bitwise_or(input, other). */
TERN_API tern_tensor *tern_bitwise_or(tern_tensor *input, tern_tensor *other);

/* torch.bitwise_xor(input, other). */
TERN_API tern_tensor *tern_bitwise_xor(tern_tensor *input, tern_tensor *other);

/* torch.bitwise_not(input): every bit inverted; for bools: not. */
TERN_API tern_tensor *tern_bitwise_not(tern_tensor *input);

/* torch.bitwise_left_shift(input, other): input << other. */
TERN_API tern_tensor *tern_bitwise_left_shift(tern_tensor *input, tern_tensor *other);

/* torch.bitwise_right_shift(input, other): input >> other, which keeps the sign. */
TERN_API tern_tensor *tern_bitwise_right_shift(tern_tensor *input, tern_tensor *other);

/* ---- arithmetic in place ----------------------------------------------------------------------
 * Input is overwritten and returned. Its dtype stays: a result that it cannot hold (a float in an
 * integer tensor) is an error, and so is a leaf that requires a gradient (outside of tern_no_grad). */

/* Tensor.add_(other). */
TERN_API tern_tensor *tern_add_in_place(tern_tensor *input, tern_tensor *other);

/* Tensor.add_(other, alpha=alpha). */
TERN_API tern_tensor *tern_add_alpha_in_place(tern_tensor *input, tern_tensor *other, double alpha);

/* Tensor.add_(other), for a number. */
TERN_API tern_tensor *tern_add_scalar_in_place(tern_tensor *input, double other);

/* Tensor.sub_(other). */
TERN_API tern_tensor *tern_sub_in_place(tern_tensor *input, tern_tensor *other);

/* Tensor.mul_(other). */
TERN_API tern_tensor *tern_mul_in_place(tern_tensor *input, tern_tensor *other);

/* Tensor.mul_(other), for a number. */
TERN_API tern_tensor *tern_mul_scalar_in_place(tern_tensor *input, double other);

/* Tensor.div_(other). */
TERN_API tern_tensor *tern_div_in_place(tern_tensor *input, tern_tensor *other);

/* Tensor.div_(other), for a number. */
TERN_API tern_tensor *tern_div_scalar_in_place(tern_tensor *input, double other);

/* The elementwise maximum, stored in the input. */
TERN_API tern_tensor *tern_maximum_in_place(tern_tensor *input, tern_tensor *other);

/* Tensor.addcmul_(tensor1, tensor2, value=value). */
TERN_API tern_tensor *tern_addcmul_in_place(tern_tensor *input, tern_tensor *tensor1,
                                            tern_tensor *tensor2, double value);

/* Tensor.addcdiv_(tensor1, tensor2, value=value). */
TERN_API tern_tensor *tern_addcdiv_in_place(tern_tensor *input, tern_tensor *tensor1,
                                            tern_tensor *tensor2, double value);

/* Tensor.lerp_(end, weight). */
TERN_API tern_tensor *tern_lerp_in_place(tern_tensor *input, tern_tensor *end, double weight);

/* Tensor.clamp_(min, max). */
TERN_API tern_tensor *tern_clamp_in_place(tern_tensor *input, double min, double max);

/* Tensor.neg_(). */
TERN_API tern_tensor *tern_neg_in_place(tern_tensor *input);

/* Tensor.abs_(). */
TERN_API tern_tensor *tern_abs_in_place(tern_tensor *input);

/* Tensor.sqrt_(). */
TERN_API tern_tensor *tern_sqrt_in_place(tern_tensor *input);

/* Tensor.reciprocal_(). */
TERN_API tern_tensor *tern_reciprocal_in_place(tern_tensor *input);

/* Tensor.relu_(). */
TERN_API tern_tensor *tern_relu_in_place(tern_tensor *input);

/* ---- comparison and logic ---------------------------------------------------------------------
 * Bool results. */

/* torch.eq(input, other): input == other. */
TERN_API tern_tensor *tern_eq(tern_tensor *input, tern_tensor *other);

/* torch.ne(input, other): input != other. */
TERN_API tern_tensor *tern_ne(tern_tensor *input, tern_tensor *other);

/* torch.lt(input, other): input < other. */
TERN_API tern_tensor *tern_lt(tern_tensor *input, tern_tensor *other);

/* torch.le(input, other): input <= other. */
TERN_API tern_tensor *tern_le(tern_tensor *input, tern_tensor *other);

/* torch.gt(input, other): input > other. */
TERN_API tern_tensor *tern_gt(tern_tensor *input, tern_tensor *other);

/* torch.ge(input, other): input >= other. */
TERN_API tern_tensor *tern_ge(tern_tensor *input, tern_tensor *other);

/* input == other, for a number. */
TERN_API tern_tensor *tern_eq_scalar(tern_tensor *input, double other);

/* input != other, for a number. */
TERN_API tern_tensor *tern_ne_scalar(tern_tensor *input, double other);

/* input > other, for a number. */
TERN_API tern_tensor *tern_gt_scalar(tern_tensor *input, double other);

/* input >= other, for a number. */
TERN_API tern_tensor *tern_ge_scalar(tern_tensor *input, double other);

/* input < other, for a number. */
TERN_API tern_tensor *tern_lt_scalar(tern_tensor *input, double other);

/* input <= other, for a number. */
TERN_API tern_tensor *tern_le_scalar(tern_tensor *input, double other);

/* torch.logical_and(input, other): both are not 0. */
TERN_API tern_tensor *tern_logical_and(tern_tensor *input, tern_tensor *other);

/* torch.logical_or(input, other): at least one is not 0. */
TERN_API tern_tensor *tern_logical_or(tern_tensor *input, tern_tensor *other);

/* torch.logical_xor(input, other): exactly one is not 0. */
TERN_API tern_tensor *tern_logical_xor(tern_tensor *input, tern_tensor *other);

/* torch.logical_not(input): the element is 0. */
TERN_API tern_tensor *tern_logical_not(tern_tensor *input);

/* torch.equal(input, other): same shape and elements. Waits for the device; false after latching an error. */
TERN_API bool tern_equal(tern_tensor *input, tern_tensor *other);

/* torch.isclose: |input - other| <= atol + rtol |other|, or equal infinities, or (equal_nan) both NaN.
 * PyTorch's defaults: 1e-5, 1e-8, false. The dtypes must be equal. */
TERN_API tern_tensor *tern_isclose(tern_tensor *input, tern_tensor *other, double rtol, double atol,
                                   bool equal_nan);

/* torch.allclose: tern_isclose holds everywhere. Waits for the device; false after latching an error. */
TERN_API bool tern_allclose(tern_tensor *input, tern_tensor *other, double rtol, double atol,
                            bool equal_nan);

/* torch.isin(elements, test_elements): whether each element is one of the others; `invert` for whether it
 * is not. */
TERN_API tern_tensor *tern_isin(tern_tensor *elements, tern_tensor *test_elements, bool invert);

/* torch.isnan(input). */
TERN_API tern_tensor *tern_isnan(tern_tensor *input);

/* torch.isinf(input): plus or minus infinity. */
TERN_API tern_tensor *tern_isinf(tern_tensor *input);

/* torch.isfinite(input): neither infinite nor NaN. */
TERN_API tern_tensor *tern_isfinite(tern_tensor *input);

/* torch.isposinf(input): plus infinity. */
TERN_API tern_tensor *tern_isposinf(tern_tensor *input);

/* torch.isneginf(input): minus infinity. */
TERN_API tern_tensor *tern_isneginf(tern_tensor *input);

/* torch.signbit(input): negative, -0.0 included. */
TERN_API tern_tensor *tern_signbit(tern_tensor *input);

/* ---- functions of one number ------------------------------------------------------------------
 * Floating results, but neg, abs, sign, square, relu, positive, real and the roundings keep the dtype. */

/* torch.neg(input): -input. Bools are an error. */
TERN_API tern_tensor *tern_neg(tern_tensor *input);

/* torch.positive(input): the input itself. Bools are an error. */
TERN_API tern_tensor *tern_positive(tern_tensor *input);

/* torch.abs(input): the magnitude. */
TERN_API tern_tensor *tern_abs(tern_tensor *input);

/* torch.sign(input): -1, 0 or 1. */
TERN_API tern_tensor *tern_sign(tern_tensor *input);

/* torch.square(input): input * input. */
TERN_API tern_tensor *tern_square(tern_tensor *input);

/* torch.reciprocal(input): 1 / input. */
TERN_API tern_tensor *tern_reciprocal(tern_tensor *input);

/* torch.sqrt(input): NaN below 0. */
TERN_API tern_tensor *tern_sqrt(tern_tensor *input);

/* torch.rsqrt(input): 1 / sqrt(input). */
TERN_API tern_tensor *tern_rsqrt(tern_tensor *input);

/* torch.exp(input): e^input. */
TERN_API tern_tensor *tern_exp(tern_tensor *input);

/* torch.exp2(input): 2^input. */
TERN_API tern_tensor *tern_exp2(tern_tensor *input);

/* torch.expm1(input): exp(input) - 1, exact near 0. */
TERN_API tern_tensor *tern_expm1(tern_tensor *input);

/* torch.log(input): the natural logarithm; NaN below 0. */
TERN_API tern_tensor *tern_log(tern_tensor *input);

/* torch.log2(input): the logarithm to base 2. */
TERN_API tern_tensor *tern_log2(tern_tensor *input);

/* torch.log10(input): the logarithm to base 10. */
TERN_API tern_tensor *tern_log10(tern_tensor *input);

/* torch.log1p(input): log(1 + input), exact near 0. */
TERN_API tern_tensor *tern_log1p(tern_tensor *input);

/* torch.sin(input), of radians. */
TERN_API tern_tensor *tern_sin(tern_tensor *input);

/* torch.cos(input), of radians. */
TERN_API tern_tensor *tern_cos(tern_tensor *input);

/* torch.tan(input), of radians. */
TERN_API tern_tensor *tern_tan(tern_tensor *input);

/* torch.asin(input): NaN outside of [-1, 1]. */
TERN_API tern_tensor *tern_asin(tern_tensor *input);

/* torch.acos(input): NaN outside of [-1, 1]. */
TERN_API tern_tensor *tern_acos(tern_tensor *input);

/* torch.atan(input): from -pi / 2 to pi / 2. */
TERN_API tern_tensor *tern_atan(tern_tensor *input);

/* torch.sinh(input). */
TERN_API tern_tensor *tern_sinh(tern_tensor *input);

/* torch.cosh(input). */
TERN_API tern_tensor *tern_cosh(tern_tensor *input);

/* torch.tanh(input). */
TERN_API tern_tensor *tern_tanh(tern_tensor *input);

/* torch.asinh(input). */
TERN_API tern_tensor *tern_asinh(tern_tensor *input);

/* torch.acosh(input): NaN below 1. */
TERN_API tern_tensor *tern_acosh(tern_tensor *input);

/* torch.atanh(input): NaN outside of [-1, 1]. */
TERN_API tern_tensor *tern_atanh(tern_tensor *input);

/* torch.erf(input): the error function. */
TERN_API tern_tensor *tern_erf(tern_tensor *input);

/* torch.erfc(input): 1 - erf(input), exact for large inputs. */
TERN_API tern_tensor *tern_erfc(tern_tensor *input);

/* torch.erfinv(input): the inverse of erf; NaN outside of [-1, 1]. */
TERN_API tern_tensor *tern_erfinv(tern_tensor *input);

/* torch.lgamma(input): log |gamma(input)|. */
TERN_API tern_tensor *tern_lgamma(tern_tensor *input);

/* torch.digamma(input): the derivative of lgamma. */
TERN_API tern_tensor *tern_digamma(tern_tensor *input);

/* torch.mvlgamma(input, p): log of the multivariate gamma function of dimension p; elements must be above
 * (p - 1) / 2. */
TERN_API tern_tensor *tern_mvlgamma(tern_tensor *input, int64_t p);

/* torch.sinc(input): sin(pi input) / (pi input), 1 at 0. */
TERN_API tern_tensor *tern_sinc(tern_tensor *input);

/* torch.logit(input): log(input / (1 - input)). */
TERN_API tern_tensor *tern_logit(tern_tensor *input);

/* torch.logit(input, eps): of the input limited to [eps, 1 - eps]. */
TERN_API tern_tensor *tern_logit_eps(tern_tensor *input, double eps);

/* torch.special.entr(input): -input * log(input), 0 at 0, minus infinity below 0. */
TERN_API tern_tensor *tern_entr(tern_tensor *input);

/* torch.special.ndtr(input): the area under the standard normal density up to the input. */
TERN_API tern_tensor *tern_ndtr(tern_tensor *input);

/* torch.special.ndtri(input): the inverse of ndtr. */
TERN_API tern_tensor *tern_ndtri(tern_tensor *input);

/* torch.deg2rad(input): degrees as radians. */
TERN_API tern_tensor *tern_deg2rad(tern_tensor *input);

/* torch.rad2deg(input): radians as degrees. */
TERN_API tern_tensor *tern_rad2deg(tern_tensor *input);

/* torch.nan_to_num(input): 0 for NaN, and the dtype's largest and smallest numbers for the infinities. */
TERN_API tern_tensor *tern_nan_to_num(tern_tensor *input);

/* torch.nan_to_num(input, nan, posinf, neginf): with these replacements. */
TERN_API tern_tensor *tern_nan_to_num_values(tern_tensor *input, double nan, double posinf,
                                             double neginf);

/* torch.floor(input): rounded down. */
TERN_API tern_tensor *tern_floor(tern_tensor *input);

/* torch.ceil(input): rounded up. */
TERN_API tern_tensor *tern_ceil(tern_tensor *input);

/* torch.trunc(input): rounded towards 0. */
TERN_API tern_tensor *tern_trunc(tern_tensor *input);

/* torch.round(input): rounded to the nearest whole number, ties to even. */
TERN_API tern_tensor *tern_round(tern_tensor *input);

/* torch.round(input, decimals=decimals): to that many decimals; negative ones round to tens, hundreds, ...
 * Floating dtypes only. */
TERN_API tern_tensor *tern_round_decimals(tern_tensor *input, int decimals);

/* torch.frac(input): input - trunc(input). */
TERN_API tern_tensor *tern_frac(tern_tensor *input);

/* torch.sigmoid(input): 1 / (1 + exp(-input)). */
TERN_API tern_tensor *tern_sigmoid(tern_tensor *input);

/* torch.relu(input): max(input, 0). */
TERN_API tern_tensor *tern_relu(tern_tensor *input);

#ifdef __cplusplus
}
#endif

#endif
