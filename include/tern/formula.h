/*
 * tern/formula.h: formulas, written as text.
 *
 * The notation is Python's: numbers, pi, inf, + - * / // % **, comparisons, and, or, not, "a if condition
 * else b", brackets, and functions: abs acos acosh add addcdiv addcmul asin asinh atan atan2 atanh ceil clamp
 * copysign cos cosh digamma erf erfc erfinv exp exp2 expm1 floor fmax fmin fmod frac hypot isfinite isinf
 * isnan lerp lgamma log log10 log1p log2 logaddexp logaddexp2 logsigmoid max maximum min minimum reciprocal
 * relu round rsqrt sigmoid sign signbit sin sinc sinh sqrt square sub tan tanh trigamma trunc where xlogy,
 * and the activations celu elu gelu gelu_tanh leaky_relu mish selu silu softplus softsign tanhshrink
 * threshold with the arguments of PyTorch's functions. An expression that is used several times can be given
 * a name: "s = sigmoid(x); x * s". Both branches of "a if condition else b" are computed.
 */
#ifndef TERN_FORMULA_H
#define TERN_FORMULA_H

#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Applies a formula to named tensors and numbers, element by element: `values` is a dict from names to them.
 *
 *     tern_value values = tern_dict_new(ctx, false);
 *     tern_dict_set(values, "x", tern_tensor_value(x));
 *     tern_dict_set(values, "beta", tern_float(1.5));
 *     tern_tensor *y = tern_map(ctx, "x * sigmoid(beta * x)", values);
 *
 * Tensors broadcast and promote as in PyTorch's operations; integers stay integers unless the formula
 * contains fractions, divisions, powers or functions that need floats. float16 and bfloat16 are computed in
 * float32 and rounded once. If the formula is a condition, the result is bool. Runs as one launch if the
 * device has the kernel, otherwise as one launch per step, with the same bits. Differentiable any number of
 * times, by the rules of PyTorch's functions of the same names. Nil after latching an error if the formula is
 * malformed (the message names the column), a name is missing or unused, there is no tensor, or there are
 * more than 256 steps, 64 names or 64 nested brackets.
 */
TERN_API tern_tensor *tern_map(tern_ctx *ctx, const char *formula, tern_value values);

/*
 * formula(linear(input, weight, bias)) and formula(convolution(input, weight, bias, ...)), where x is the
 * only name in the formula: tern_linear_map(x, w, b, "gelu(x)"). bias may be NULL. If no gradient is recorded
 * and the device has a product with such an epilogue, it is one launch; float16 and bfloat16 are then not
 * rounded before the formula. Otherwise it is the product, then tern_map.
 */
TERN_API tern_tensor *tern_linear_map(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                      const char *formula);

/* formula(convolution(...)) with a number per dimension; see tern_linear_map. */
TERN_API tern_tensor *tern_convolution_map(tern_tensor *input, tern_tensor *weight,
                                           tern_tensor *bias, const char *formula,
                                           tern_shape stride, tern_shape padding,
                                           tern_shape dilation, int64_t groups);

/*
 * Evaluates a formula of `epoch` to a number. False, with a message in `out_message` that names the column,
 * if it is malformed or uses a function that is only defined for tensors. A division by zero gives NaN or an
 * infinity.
 */
TERN_API bool tern_formula_eval(const char *formula, double epoch, double *out_value,
                                char *out_message, size_t message_size);

#ifdef __cplusplus
}
#endif

#endif
