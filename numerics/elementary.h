/*
 * Elementary and special functions of a double, the same bits on every compiler and CPU.
 *
 * libm's transcendental functions differ in the last place between systems, so the specification
 * backend and the random number generator use these. They are built from exactly rounded operations
 * alone (+ - * / sqrt fma, rounding to integers, scaling by powers of two), compiled with
 * contraction off. Inside, each carries a double-double value of about 2^-60 relative error and
 * rounds once, so results are within 0.51 ulp of the true value unless said below; nearly always
 * they are the correctly rounded double.
 *
 * Special cases are those of C11 Annex F: NaN in, NaN out; signed zeros kept by odd functions;
 * domain errors give NaN, poles an infinity. errno is not touched; exception flags are not
 * specified. Rounding is to nearest.
 *
 * float32, float16 and bfloat16 callers convert to double, call, and round the result; for float32
 * that is the correctly rounded value in all but about one case in 10^8.
 *
 * Each mirrors the torch function of the same name.
 */
#ifndef TERN_NUMERICS_ELEMENTARY_H
#define TERN_NUMERICS_ELEMENTARY_H

/* e^x, 2^x, and e^x - 1 without cancellation near 0. */
double tern_num_exp(double x);
double tern_num_exp2(double x);
double tern_num_expm1(double x);

/* Logarithms: base e, 2 and 10, and log(1 + x) without cancellation near 0. */
double tern_num_log(double x);
double tern_num_log2(double x);
double tern_num_log10(double x);
double tern_num_log1p(double x);

/* x^y, with the special cases of C11 F.10.4.4: pow(x, 0) and pow(1, y) are 1 even for NaN. */
double tern_num_pow(double x, double y);

/* x log(y); 0 where x is 0 and y is not NaN (torch.xlogy). */
double tern_num_xlogy(double x, double y);

/*
 * log(e^x + e^y) and log2(2^x + 2^y) without overflow on the way. Near 0 the absolute error is small, below
 * 2^-59, not the relative one.
 */
double tern_num_logaddexp(double x, double y);
double tern_num_logaddexp2(double x, double y);

/* 1 / sqrt(x). */
double tern_num_rsqrt(double x);

/* Radians of any size: large arguments are reduced with 1200 bits of 2 / pi (Payne, Hanek). */
double tern_num_sin(double x);
double tern_num_cos(double x);
double tern_num_tan(double x);

/* sin(x) and cos(x) from one reduction; the bits of the two functions above. */
void tern_num_sincos(double x, double *out_sin, double *out_cos);

/* sin(pi x) / (pi x), 1 at 0 and exactly 0 at every other integer. */
double tern_num_sinc(double x);

double tern_num_asin(double x);
double tern_num_acos(double x);
double tern_num_atan(double x);

/* The angle of the point (x, y) in [-pi, pi]; quadrants and zeros as C11 F.10.1.4. */
double tern_num_atan2(double y, double x);

/* sqrt(x^2 + y^2) without overflow or underflow on the way; an infinity wins over NaN. */
double tern_num_hypot(double x, double y);

double tern_num_sinh(double x);
double tern_num_cosh(double x);
double tern_num_tanh(double x);
double tern_num_asinh(double x);
double tern_num_acosh(double x);
double tern_num_atanh(double x);

/* 1 / (1 + e^-x), accurate in both tails (torch.sigmoid). */
double tern_num_sigmoid(double x);

/* Its logarithm, accurate in both tails too (torch.nn.functional.logsigmoid). */
double tern_num_log_sigmoid(double x);

/* The error function, its complement (accurate to the last subnormal) and its inverse on [-1, 1].
 */
double tern_num_erf(double x);
double tern_num_erfc(double x);
double tern_num_erfinv(double x);

/*
 * log |gamma(x)|; +inf at 0 and the negative integers. Relative accuracy is lost near the zeros
 * between negative integers, where the absolute error is about 2^-65 of the terms that cancel.
 */
double tern_num_lgamma(double x);

/*
 * The derivative of log gamma (torch.digamma). As PyTorch: digamma(+-0) is an infinity of the
 * opposite sign, negative integers and -inf give NaN. Near its zeros the absolute error is small,
 * not the relative one.
 */
double tern_num_digamma(double x);

/* The derivative of digamma (torch.polygamma(1, x)): +inf at 0 and the negative integers, NaN at -inf. */
double tern_num_trigamma(double x);

#endif
