/*
 * conv_product.h: the gradient by weight of convolutions whose kernel has one tap, without groups, as
 * products of matrices.
 */
#ifndef TERN_CPU_SIMD_CONV_PRODUCT_H
#define TERN_CPU_SIMD_CONV_PRODUCT_H

#include "conv.h"

/* Whether that is worth it; tensors are [n, channels, positions]. */
bool tern_simd_conv_is_product(const tern_simd_conv_call *c);

/* OK or OUT_OF_MEMORY. */
int32_t tern_simd_conv_weight_product(const tern_simd_conv_call *c);

#endif
