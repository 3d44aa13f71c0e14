/*
 * tern/ops_complex.h: complex numbers: parts, conjugates, angles, and views as real numbers.
 *
 * complex64 is two float32 one behind the other, complex128 two float64. What takes complex tensors beside the
 * functions here: views, copies, conversions and rearrangements (ops_shape.h), add, sub, mul, div, neg, abs, square,
 * reciprocal, exp, where, eq, ne, isnan, isinf, isfinite, isclose (ops_math.h), sum, mean, cumsum, vector_norm
 * (ops_reduce.h), index_select, gather and their like (ops_index.h), products of matrices (ops_matrix.h) and
 * Fourier transforms (ops_fft.h). Every other operation refuses them with an error that says so. They run on
 * every device, composed of operations on real and imaginary parts.
 *
 * Gradients follow PyTorch: that of a real L at z = x + iy is dL/dx + i dL/dy. To go down a slope, subtract it.
 */
#ifndef TERN_OPS_COMPLEX_H
#define TERN_OPS_COMPLEX_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* torch.view_as_real(input): [..., 2] of a complex tensor: a view in which the last dimension is the real and
 * the imaginary part. */
TERN_API tern_tensor *tern_view_as_real(tern_tensor *input);

/* torch.view_as_complex(input): the complex tensor of a float32 or float64 [..., 2], a view. An error if the pairs
 * do not lie as such in memory: tern_contiguous puts them there. */
TERN_API tern_tensor *tern_view_as_complex(tern_tensor *input);

/* torch.complex(real, imag): real + i imag, of two float32 or float64 tensors whose shapes broadcast. */
TERN_API tern_tensor *tern_complex(tern_tensor *real, tern_tensor *imag);

/* torch.polar(abs, angle): abs (cos(angle) + i sin(angle)), of two float32 or float64 tensors whose shapes
 * broadcast. */
TERN_API tern_tensor *tern_complex_polar(tern_tensor *abs, tern_tensor *angle);

/* torch.real(input): the real part, a view; a real tensor itself. */
TERN_API tern_tensor *tern_real(tern_tensor *input);

/* torch.imag(input): the imaginary part of a complex tensor, a view. A real tensor is an error. */
TERN_API tern_tensor *tern_imag(tern_tensor *input);

/* torch.conj(input): x - iy; a real tensor itself. Unlike PyTorch's, the result of a complex tensor has its own
 * storage. */
TERN_API tern_tensor *tern_conj(tern_tensor *input);

/* torch.resolve_conj(input): the input itself: nothing is conjugated lazily here. */
TERN_API tern_tensor *tern_resolve_conj(tern_tensor *input);

/* Tensor.H: a matrix transposed and conjugated. */
TERN_API tern_tensor *tern_H(tern_tensor *input);

/* Tensor.mH: the same of each matrix of a batch, the last two dimensions. */
TERN_API tern_tensor *tern_mH(tern_tensor *input);

/* torch.angle(input): the angle of x + iy in the plane, atan2(y, x), with a gradient of 0 at 0; of a real tensor pi
 * for negative numbers, else 0 (NaN for NaN). */
TERN_API tern_tensor *tern_angle(tern_tensor *input);

/* torch.sgn(input): x / |x|, and 0 for 0; tern_sign of a real tensor. */
TERN_API tern_tensor *tern_sgn(tern_tensor *input);

/* torch.isreal(input): true where the imaginary part is 0. */
TERN_API tern_tensor *tern_isreal(tern_tensor *input);

#ifdef __cplusplus
}
#endif

#endif
