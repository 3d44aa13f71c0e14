/*
 * conv_product.h: convolutions whose kernel has one tap, without groups, as products of matrices.
 */
#ifndef TERN_CPU_SIMD_CONV_PRODUCT_H
#define TERN_CPU_SIMD_CONV_PRODUCT_H

#include "conv.h"

/* Whether they are worth it; tensors are [n, channels, positions]. */
bool tern_simd_conv_is_product(const tern_kit_tensor *source, const tern_kit_tensor *result,
                               bool by_weight);

/* Forward and, by_input, the gradient by input; the gradient by weight. OK or OUT_OF_MEMORY. */
int32_t tern_simd_conv_product(const tern_simd_conv_call *c, bool by_input);
int32_t tern_simd_conv_weight_product(const tern_simd_conv_call *c);

#endif
