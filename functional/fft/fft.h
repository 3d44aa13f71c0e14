/*
 * fft.h: Fourier transforms of tensors, in the three forms that all others are made of, and what they share.
 *
 * They run in host memory in float64 and round once. Each is the others' gradient, so all can be differentiated
 * again. `scale` multiplies the result.
 */
#ifndef TERN_FUNCTIONAL_FFT_H
#define TERN_FUNCTIONAL_FFT_H

#include "core/ops/complex.h"
#include "core/ops/compose.h"
#include "functional/functional.h"

/* Which factor of 1 / n a transform has, by PyTorch's `norm`. */
typedef enum tern_fft_norm { TERN_FFT_BACKWARD, TERN_FFT_ORTHO, TERN_FFT_FORWARD } tern_fft_norm;

/* The norm of argument i; false after latching. */
bool tern_fft_norm_of(tern_opcall *call, int i, tern_fft_norm *out_norm);

/* The factor of a transform over n numbers in all. */
double tern_fft_scale(tern_fft_norm norm, bool forward, double n);

/* complex to complex over several dimensions */
static inline tern_tensor *tern_fft_c2c(tern_tensor *x, tern_shape dims, bool forward,
                                        double scale) {
    return TERN_CALL(_fft_c2c, ARG_TENSOR(x), ARG_SHAPE(dims), ARG_BOOL(forward), ARG_FLOAT(scale));
}

/* The first n / 2 + 1 of n real numbers' transform. */
static inline tern_tensor *tern_fft_r2c(tern_tensor *x, int dim, double scale) {
    return TERN_CALL(_fft_r2c, ARG_TENSOR(x), ARG_INT(dim), ARG_FLOAT(scale));
}

/* n real numbers from the first n / 2 + 1 of their transform. */
static inline tern_tensor *tern_fft_c2r(tern_tensor *x, int dim, int64_t n, double scale) {
    return TERN_CALL(_fft_c2r, ARG_TENSOR(x), ARG_INT(dim), ARG_INT(n), ARG_FLOAT(scale));
}

/* A dimension cut to `n`, or extended to it by zeros. */
tern_tensor *tern_fft_resized(tern_tensor *x, int dim, int64_t n);

/* The operand in the real or complex dtype to compute in: integers become float32. float16 and bfloat16 are
 * refused. Nil after latching. */
tern_tensor *tern_fft_operand(tern_opcall *call, tern_tensor *x, bool to_complex);

#endif
