/*
 * tern/ops_special.h: torch.special: functions that few programs need. They are computed in host memory on every
 * device, in double, and rounded once to the dtype of the result: the input's, or float32 for integers and bool. Beyond a
 * function's domain the result is NaN.
 */
#ifndef TERN_OPS_SPECIAL_H
#define TERN_OPS_SPECIAL_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- functions of one number, by element ----------------------------------------------------- */

/* special.bessel_j0: the Bessel function of the first kind of order 0. */
TERN_API tern_tensor *tern_bessel_j0(tern_tensor *input);
/* special.bessel_j1: the same of order 1. */
TERN_API tern_tensor *tern_bessel_j1(tern_tensor *input);
/* special.bessel_y0: the Bessel function of the second kind of order 0; NaN below 0. */
TERN_API tern_tensor *tern_bessel_y0(tern_tensor *input);
/* special.bessel_y1: the same of order 1. */
TERN_API tern_tensor *tern_bessel_y1(tern_tensor *input);
/* torch.i0: the modified Bessel function of the first kind of order 0. */
TERN_API tern_tensor *tern_i0(tern_tensor *input);
/* special.i0e: exp(-|x|) i0(x), which does not overflow. */
TERN_API tern_tensor *tern_i0e(tern_tensor *input);
/* special.i1: the modified Bessel function of the first kind of order 1. */
TERN_API tern_tensor *tern_i1(tern_tensor *input);
/* special.i1e: exp(-|x|) i1(x). */
TERN_API tern_tensor *tern_i1e(tern_tensor *input);
/* special.modified_bessel_k0: the modified Bessel function of the second kind of order 0; NaN below 0. */
TERN_API tern_tensor *tern_modified_bessel_k0(tern_tensor *input);
/* special.modified_bessel_k1: the same of order 1. */
TERN_API tern_tensor *tern_modified_bessel_k1(tern_tensor *input);
/* special.scaled_modified_bessel_k0: exp(x) k0(x). Not differentiable, as in PyTorch. */
TERN_API tern_tensor *tern_scaled_modified_bessel_k0(tern_tensor *x);
/* special.scaled_modified_bessel_k1: exp(x) k1(x). Not differentiable. */
TERN_API tern_tensor *tern_scaled_modified_bessel_k1(tern_tensor *x);
/* special.spherical_bessel_j0: sin(x) / x. Not differentiable. */
TERN_API tern_tensor *tern_spherical_bessel_j0(tern_tensor *x);
/* special.airy_ai: Airy's function Ai; NaN for infinities. Not differentiable. */
TERN_API tern_tensor *tern_airy_ai(tern_tensor *x);
/* special.erfcx: exp(x^2) erfc(x), the scaled complementary error function. */
TERN_API tern_tensor *tern_erfcx(tern_tensor *input);
/* special.log_ndtr: the logarithm of the normal distribution function. */
TERN_API tern_tensor *tern_log_ndtr(tern_tensor *input);
/* torch.polygamma: the n-th derivative of digamma, n from 0 to 1000. */
TERN_API tern_tensor *tern_polygamma(int64_t n, tern_tensor *input);

/* ---- functions of two numbers, which broadcast ----------------------------------------------- */

/* torch.igamma: the regularised lower incomplete gamma function P(input, other); NaN where one is negative. It
 * has a derivative by `other` alone, as in PyTorch; asking for one by `input` is an error. */
TERN_API tern_tensor *tern_igamma(tern_tensor *input, tern_tensor *other);

/* torch.igammac: the upper one, 1 - P. */
TERN_API tern_tensor *tern_igammac(tern_tensor *input, tern_tensor *other);

/* special.zeta: Hurwitz's zeta function, the sum of (k + other)^-input over k >= 0; infinite for input = 1,
 * NaN below. It has a derivative by `other` alone. */
TERN_API tern_tensor *tern_zeta(tern_tensor *input, tern_tensor *other);

/* ---- orthogonal polynomials ------------------------------------------------------------------ */

/* special.chebyshev_polynomial_t: Chebyshev's polynomial of the first kind, T_n(x). Of this and the others: n is rounded
 * towards 0, a negative one gives 0, and there is no derivative, as in PyTorch. */
TERN_API tern_tensor *tern_chebyshev_polynomial_t(tern_tensor *x, tern_tensor *n);
/* special.chebyshev_polynomial_u: of the second kind, U_n(x). */
TERN_API tern_tensor *tern_chebyshev_polynomial_u(tern_tensor *x, tern_tensor *n);
/* special.chebyshev_polynomial_v: of the third kind, V_n(x). */
TERN_API tern_tensor *tern_chebyshev_polynomial_v(tern_tensor *x, tern_tensor *n);
/* special.chebyshev_polynomial_w: of the fourth kind, W_n(x). */
TERN_API tern_tensor *tern_chebyshev_polynomial_w(tern_tensor *x, tern_tensor *n);
/* special.shifted_chebyshev_polynomial_t: T_n(2 x - 1). */
TERN_API tern_tensor *tern_shifted_chebyshev_polynomial_t(tern_tensor *x, tern_tensor *n);
/* special.shifted_chebyshev_polynomial_u: U_n(2 x - 1). */
TERN_API tern_tensor *tern_shifted_chebyshev_polynomial_u(tern_tensor *x, tern_tensor *n);
/* special.shifted_chebyshev_polynomial_v: V_n(2 x - 1). */
TERN_API tern_tensor *tern_shifted_chebyshev_polynomial_v(tern_tensor *x, tern_tensor *n);
/* special.shifted_chebyshev_polynomial_w: W_n(2 x - 1). */
TERN_API tern_tensor *tern_shifted_chebyshev_polynomial_w(tern_tensor *x, tern_tensor *n);
/* special.hermite_polynomial_h: the physicist's Hermite polynomial H_n(x). */
TERN_API tern_tensor *tern_hermite_polynomial_h(tern_tensor *x, tern_tensor *n);
/* special.hermite_polynomial_he: the probabilist's He_n(x). */
TERN_API tern_tensor *tern_hermite_polynomial_he(tern_tensor *x, tern_tensor *n);
/* special.laguerre_polynomial_l: Laguerre's polynomial L_n(x). */
TERN_API tern_tensor *tern_laguerre_polynomial_l(tern_tensor *x, tern_tensor *n);
/* special.legendre_polynomial_p: Legendre's polynomial P_n(x). */
TERN_API tern_tensor *tern_legendre_polynomial_p(tern_tensor *x, tern_tensor *n);

#ifdef __cplusplus
}
#endif

#endif
