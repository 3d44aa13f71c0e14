/*
 * tern/formula.h: formulas, written as text.
 *
 * The notation is Python's: numbers, pi, inf, + - * / // % **, comparisons, and, or, not, "a if condition
 * else b", brackets, and functions: abs acos acosh add addcdiv addcmul asin asinh atan atan2 atanh ceil
 * clamp copysign cos cosh digamma erf erfc erfinv exp exp2 expm1 floor fmax fmin fmod frac hypot isfinite
 * isinf isnan lerp lgamma log log10 log1p log2 logaddexp logaddexp2 logsigmoid max maximum min minimum
 * reciprocal relu round rsqrt sigmoid sign signbit sin sinc sinh sqrt square sub tan tanh trigamma trunc
 * where xlogy, and the activations celu elu gelu gelu_tanh leaky_relu mish selu silu softplus softsign
 * tanhshrink threshold with the arguments of PyTorch's functions. A part that occurs several times may
 * get a name: "s = sigmoid(x); x * s". Both arms of a choice are computed.
 */
#ifndef TERN_FORMULA_H
#define TERN_FORMULA_H

#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A formula over named tensors and numbers, applied at every position: `values` is a dict of the names.
 *
 *     tern_value values = tern_dict_new(ctx, false);
 *     tern_dict_set(values, "x", tern_tensor_value(x));
 *     tern_dict_set(values, "beta", tern_float(1.5));
 *     tern_tensor *y = tern_map(ctx, "x * sigmoid(beta * x)", values);
 *
 * Tensors broadcast and are promoted as PyTorch's operations do; integers stay integers where the formula
 * has neither fractions nor divisions, powers and functions that need them. float16 and bfloat16 are
 * computed in float32 and rounded once. The result is bool where the formula is a condition. One launch
 * where the device has the kernel, else a launch for each step, with the same bits. Differentiable, twice
 * and more, by the rules of PyTorch's functions of the same names. nil where the formula is malformed
 * (the message names the column), a name is missing or not in the formula, there is no tensor, or there
 * are more than 256 steps, 64 names or 64 brackets in one another.
 */
TERN_API tern_tensor *tern_map(tern_ctx *ctx, const char *formula, tern_value values);

/*
 * formula(linear(input, weight, bias)) and formula(convolution(input, weight, bias, ...)), where the formula
 * has the one name x: tern_linear_map(x, w, b, "gelu(x)"). bias may be NULL. While no gradient is recorded
 * it is one launch where the device has a product with such an epilogue; float16 and bfloat16 are then not
 * rounded before the formula. Else, and with a gradient, it is the product and then tern_map.
 */
TERN_API tern_tensor *tern_linear_map(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                      const char *formula);
TERN_API tern_tensor *tern_convolution_map(tern_tensor *input, tern_tensor *weight,
                                           tern_tensor *bias, const char *formula,
                                           tern_shape stride, tern_shape padding,
                                           tern_shape dilation, int64_t groups);

/*
 * A formula in `epoch`: a number. False, and a message in `out_message` that names the column, where it is
 * malformed, or uses a function that only tensors have. A division by zero gives NaN or an infinity.
 */
TERN_API bool tern_formula_eval(const char *formula, double epoch, double *out_value,
                                char *out_message, size_t message_size);

#ifdef __cplusplus
}
#endif

#endif
