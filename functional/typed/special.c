/* special.c: the C functions of tern/ops_special.h. */
#include "functional/functional.h"
#include "tern/ops_special.h"

/* ---- functions of one number ---- */

tern_tensor *tern_bessel_j0(tern_tensor *input) {
    return TERN_CALL(bessel_j0, ARG_TENSOR(input));
}
tern_tensor *tern_bessel_j1(tern_tensor *input) {
    return TERN_CALL(bessel_j1, ARG_TENSOR(input));
}
tern_tensor *tern_bessel_y0(tern_tensor *input) {
    return TERN_CALL(bessel_y0, ARG_TENSOR(input));
}
tern_tensor *tern_bessel_y1(tern_tensor *input) {
    return TERN_CALL(bessel_y1, ARG_TENSOR(input));
}
tern_tensor *tern_i0(tern_tensor *input) {
    return TERN_CALL(i0, ARG_TENSOR(input));
}
tern_tensor *tern_i0e(tern_tensor *input) {
    return TERN_CALL(i0e, ARG_TENSOR(input));
}
tern_tensor *tern_i1(tern_tensor *input) {
    return TERN_CALL(i1, ARG_TENSOR(input));
}
tern_tensor *tern_i1e(tern_tensor *input) {
    return TERN_CALL(i1e, ARG_TENSOR(input));
}
tern_tensor *tern_modified_bessel_k0(tern_tensor *input) {
    return TERN_CALL(modified_bessel_k0, ARG_TENSOR(input));
}
tern_tensor *tern_modified_bessel_k1(tern_tensor *input) {
    return TERN_CALL(modified_bessel_k1, ARG_TENSOR(input));
}
tern_tensor *tern_scaled_modified_bessel_k0(tern_tensor *x) {
    return TERN_CALL(scaled_modified_bessel_k0, ARG_TENSOR(x));
}
tern_tensor *tern_scaled_modified_bessel_k1(tern_tensor *x) {
    return TERN_CALL(scaled_modified_bessel_k1, ARG_TENSOR(x));
}
tern_tensor *tern_spherical_bessel_j0(tern_tensor *x) {
    return TERN_CALL(spherical_bessel_j0, ARG_TENSOR(x));
}
tern_tensor *tern_airy_ai(tern_tensor *x) {
    return TERN_CALL(airy_ai, ARG_TENSOR(x));
}
tern_tensor *tern_erfcx(tern_tensor *input) {
    return TERN_CALL(erfcx, ARG_TENSOR(input));
}
tern_tensor *tern_log_ndtr(tern_tensor *input) {
    return TERN_CALL(log_ndtr, ARG_TENSOR(input));
}
tern_tensor *tern_polygamma(int64_t n, tern_tensor *input) {
    return TERN_CALL(polygamma, ARG_INT(n), ARG_TENSOR(input));
}

/* ---- functions of two numbers ---- */

tern_tensor *tern_igamma(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(igamma, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_igammac(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(igammac, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_zeta(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(zeta, ARG_TENSOR(input), ARG_TENSOR(other));
}

/* ---- orthogonal polynomials ---- */

tern_tensor *tern_chebyshev_polynomial_t(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(chebyshev_polynomial_t, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_chebyshev_polynomial_u(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(chebyshev_polynomial_u, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_chebyshev_polynomial_v(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(chebyshev_polynomial_v, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_chebyshev_polynomial_w(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(chebyshev_polynomial_w, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_shifted_chebyshev_polynomial_t(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(shifted_chebyshev_polynomial_t, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_shifted_chebyshev_polynomial_u(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(shifted_chebyshev_polynomial_u, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_shifted_chebyshev_polynomial_v(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(shifted_chebyshev_polynomial_v, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_shifted_chebyshev_polynomial_w(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(shifted_chebyshev_polynomial_w, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_hermite_polynomial_h(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(hermite_polynomial_h, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_hermite_polynomial_he(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(hermite_polynomial_he, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_laguerre_polynomial_l(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(laguerre_polynomial_l, ARG_TENSOR(x), ARG_TENSOR(n));
}
tern_tensor *tern_legendre_polynomial_p(tern_tensor *x, tern_tensor *n) {
    return TERN_CALL(legendre_polynomial_p, ARG_TENSOR(x), ARG_TENSOR(n));
}
