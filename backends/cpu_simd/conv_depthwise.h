/*
 * conv_depthwise.h: convolutions of each channel by itself, with 3 x 3 taps and a stride of 1.
 *
 * There is little to compute for what is read, so no plane is copied. Forward and by input rows are
 * read where they are, each vector for all rows of results that use it, and the taps stay in registers;
 * the few columns at the edges, whose taps are not all inside, are computed apart. By weight rows pass
 * through buffers with zeros at their ends, one after the other.
 */
#ifndef TERN_CPU_SIMD_CONV_DEPTHWISE_H
#define TERN_CPU_SIMD_CONV_DEPTHWISE_H

#include "conv.h"

/* Whether a launch is such a one; that it is served forward and by input as well, which need longer rows
 * of float32 or float64. */
bool tern_simd_conv_is_depthwise(const tern_simd_conv_call *c, const tern_conv_attrs *attrs);
bool tern_simd_conv_depthwise_fits(const tern_simd_conv_call *c);

void tern_simd_conv_depthwise_f32(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                                  bool by_input);
void tern_simd_conv_depthwise_f64(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                                  bool by_input);

/* These return false where a sum is no number: a zero outside may have made it. */
bool tern_simd_conv_depthwise_weight_f32(const tern_simd_conv_call *c,
                                         const tern_conv_attrs *attrs);
bool tern_simd_conv_depthwise_weight_f64(const tern_simd_conv_call *c,
                                         const tern_conv_attrs *attrs);

#endif
