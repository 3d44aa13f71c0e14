/*
 * bessel.c: Bessel functions of the orders 0 and 1, the spherical one, and Airy's function.
 *
 * J and Y are the C library's. I is its series, of positive terms, and for large arguments Hankel's expansion
 * (DLMF 10.25.2, 10.40.1). K is its series with a logarithm up to 2 (10.31.1, 10.31.2), and above the
 * integral of exp(-x cosh t) cosh(nu t) (10.32.9) by the trapezoidal rule, which converges
 * exponentially there (Trefethen, Weideman, SIAM Review 56, 2014). Ai is K of order 1/3, its Maclaurin
 * series, or its expansion for large negative arguments (9.6.2, 9.4.1, 9.7.9).
 */
#define _XOPEN_SOURCE 700 /* j0, y0 */
#include <float.h>
#include <math.h>

#include "core/ops/compose.h"
#include "elements.h"
#include "numerics/elementary.h"

#define PI          3.14159265358979323846
#define EULER_GAMMA 0.57721566490153286061

/* ---- J and Y, with NaN for infinity as in PyTorch ---- */

static double bessel_j0(double x) {
    return isinf(x) ? NAN : j0(x);
}
static double bessel_j1(double x) {
    return isinf(x) ? NAN : j1(x);
}
static double bessel_y0(double x) {
    if (x == 0.0) return -INFINITY;
    return x > 0.0 && isfinite(x) ? y0(x) : NAN;
}
static double bessel_y1(double x) {
    if (x == 0.0) return -INFINITY;
    return x > 0.0 && isfinite(x) ? y1(x) : NAN;
}

/* ---- I, scaled by exp(-x), for x >= 0 ---- */

/* Above it Hankel's terms fall below exp(-2 x), a double's last digit, before they grow. */
#define ASYMPTOTIC_FROM 20.0

static double scaled_i(int order, double x) {
    if (isinf(x)) return 0.0;
    if (x < ASYMPTOTIC_FROM) {
        double term = order ? 0.5 * x : 1.0, sum = term, square = 0.25 * x * x;
        for (int k = 1; term > sum * 0x1p-54; k++) {
            term *= square / ((double)k * (k + order));
            sum += term;
        }
        return sum * tern_num_exp(-x);
    }
    double term = 1.0, sum = 1.0;
    for (int k = 1; k < 40 && fabs(term) > 0x1p-54; k++) {
        double odd = 2.0 * k - 1.0;
        term *= (odd * odd - 4.0 * order * order) / (8.0 * k * x);
        sum += term;
    }
    return sum / sqrt(2.0 * PI * x);
}

static double i0e(double x) {
    return isnan(x) ? x : scaled_i(0, fabs(x));
}
static double i1e(double x) {
    return isnan(x) ? x : copysign(scaled_i(1, fabs(x)), x);
}

/* exp(|x|) in two factors: the product overflows where the function does. Infinity gives NaN, as in
 * PyTorch. */
static double unscaled(double value, double x) {
    double half = tern_num_exp(0.5 * fabs(x));
    return half * value * half;
}
static double i0(double x) {
    return unscaled(i0e(x), x);
}
static double i1(double x) {
    return unscaled(i1e(x), x);
}

/* ---- K, scaled by exp(x) ---- */

/* The integral over t > 0 of exp(-x (cosh t - 1)) cosh(order t). */
static double k_integral(double order, double x) {
    double step = fmin(0.25, 0.5 / sqrt(x)), sum = 0.5;
    for (int i = 1; i < 4096; i++) {
        double t = step * i, half = tern_num_sinh(0.5 * t);
        double term = tern_num_exp(-2.0 * x * half * half) * tern_num_cosh(order * t);
        sum += term;
        if (term < sum * 0x1p-56) break;
    }
    return step * sum;
}

/* K itself, 0 < x <= 2. */
static double k_series(int order, double x) {
    double square = 0.25 * x * x, logarithm = tern_num_log(0.5 * x) + EULER_GAMMA;
    double power = 1.0, harmonic = 0.0, sum = 0.0;
    for (int k = 0; k < 30; k++) {
        if (order == 0)
            sum += power * (harmonic - logarithm);
        else
            sum += power * (logarithm - harmonic - 0.5 / (k + 1.0)) / (k + 1.0);
        harmonic += 1.0 / (k + 1.0);
        power *= square / ((k + 1.0) * (k + 1.0));
    }
    return order == 0 ? sum : 1.0 / x + 0.5 * x * sum;
}

static double scaled_k(int order, double x) {
    if (isnan(x) || x < 0.0) return NAN;
    if (x == 0.0) return INFINITY;
    if (isinf(x)) return 0.0;
    return x <= 2.0 ? k_series(order, x) * tern_num_exp(x) : k_integral(order, x);
}
static double k0e(double x) {
    return scaled_k(0, x);
}
static double k1e(double x) {
    return scaled_k(1, x);
}
static double k0(double x) {
    return x > 0.0 && x <= 2.0 ? k_series(0, x) : k0e(x) * tern_num_exp(-x);
}
static double k1(double x) {
    return x > 0.0 && x <= 2.0 ? k_series(1, x) : k1e(x) * tern_num_exp(-x);
}

/* ---- Ai, and the spherical function ---- */

/* Ai(0) f - (-Ai'(0)) g (DLMF 9.4.1) */
static double airy_series(double x) {
    double cube = x * x * x, f = 1.0, g = x, f_sum = f, g_sum = g;
    for (int k = 1; k < 200; k++) {
        double n = 3.0 * k;
        f *= cube / ((n - 1.0) * n);
        g *= cube / (n * (n + 1.0));
        f_sum += f;
        g_sum += g;
        if (fabs(f) + fabs(g) < 0x1p-60) break;
    }
    return 0.35502805388781723926 * f_sum - 0.25881940379280679840 * g_sum;
}

/* Ai(-z) for large z (DLMF 9.7.9): even terms at the sine, odd ones at the cosine */
static double airy_oscillating(double z) {
    double zeta = 2.0 / 3.0 * z * sqrt(z), term = 1.0, sums[2] = {0.0, 0.0};
    for (int k = 0; k < 24; k++) {
        sums[k & 1] += k & 2 ? -term : term;
        double next = term * (6.0 * k + 1.0) * (6.0 * k + 5.0) / (72.0 * (k + 1.0) * zeta);
        if (next >= term) break;
        term = next;
    }
    double angle = zeta + 0.25 * PI;
    return (tern_num_sin(angle) * sums[0] - tern_num_cos(angle) * sums[1]) / sqrt(PI * sqrt(z));
}

/* An infinite argument gives NaN, as in PyTorch. */
static double airy_ai(double x) {
    if (!isfinite(x)) return NAN;
    if (x < -7.0) return airy_oscillating(-x);
    if (x <= 2.0) return airy_series(x);
    double zeta = 2.0 / 3.0 * x * sqrt(x);
    if (zeta > 800.0) return 0.0;
    return sqrt(x / 3.0) / PI * k_integral(1.0 / 3.0, zeta) * tern_num_exp(-zeta);
}

static double spherical_j0(double x) {
    if (isinf(x)) return 0.0;
    return x == 0.0 ? 1.0 : tern_num_sin(x) / x;
}

/* ---- the operations ---- */

#define OPERATION(id, function)                                                                    \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        return tern_map_elements(call, function);                                                  \
    }

OPERATION(bessel_j0, bessel_j0)
OPERATION(bessel_j1, bessel_j1)
OPERATION(bessel_y0, bessel_y0)
OPERATION(bessel_y1, bessel_y1)
OPERATION(i0, i0)
OPERATION(i0e, i0e)
OPERATION(i1, i1)
OPERATION(i1e, i1e)
OPERATION(modified_bessel_k0, k0)
OPERATION(modified_bessel_k1, k1)
OPERATION(scaled_modified_bessel_k0, k0e)
OPERATION(scaled_modified_bessel_k1, k1e)
OPERATION(airy_ai, airy_ai)
OPERATION(spherical_bessel_j0, spherical_j0)

/* ---- derivatives ---- */

/* f1 / x, and at x = 0 its limit. */
static tern_tensor *over_x(tern_tensor *f1, tern_tensor *x, double limit) {
    return tern_fill_where(tern_div(f1, x), tern_eq_scalar(x, 0.0), limit);
}

/* C0' = -C1 for J, Y and K, C1 for I */
#define GRADIENT_0(id, next, sign)                                                                 \
    void tern_grad_##id(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {      \
        tern_tensor *first = TERN_CALL(next, ARG_TENSOR(tern_node_input(node, 0)));                \
        grads[0] = tern_mul(grad_out[0], sign(first));                                             \
    }

/* The slope of J1 and I1 at 0 is 1/2, of Y1 infinite; that of K1 is what the formula gives. */
static tern_tensor *half_at_0(tern_tensor *slope, tern_tensor *x) {
    return tern_fill_where(slope, tern_eq_scalar(x, 0.0), 0.5);
}
static tern_tensor *infinite_at_0(tern_tensor *slope, tern_tensor *x) {
    return tern_fill_where(slope, tern_eq_scalar(x, 0.0), (double)INFINITY);
}
static tern_tensor *as_it_is(tern_tensor *slope, tern_tensor *x) {
    (void)x;
    return slope;
}

/* C1' = (C0 or -C0) - C1 / x */
#define GRADIENT_1(id, before, sign, mended)                                                       \
    void tern_grad_##id(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {      \
        tern_tensor *x = tern_node_input(node, 0);                                                 \
        tern_tensor *zeroth = sign(TERN_CALL(before, ARG_TENSOR(x)));                              \
        tern_tensor *slope = tern_sub(zeroth, tern_div(tern_node_output(node, 0), x));             \
        grads[0] = tern_mul(grad_out[0], mended(slope, x));                                        \
    }

static tern_tensor *same(tern_tensor *x) {
    return x;
}

GRADIENT_0(bessel_j0, bessel_j1, tern_neg)
GRADIENT_0(bessel_y0, bessel_y1, tern_neg)
GRADIENT_0(modified_bessel_k0, modified_bessel_k1, tern_neg)
GRADIENT_0(i0, i1, same)
GRADIENT_1(bessel_j1, bessel_j0, same, half_at_0)
GRADIENT_1(bessel_y1, bessel_y0, same, infinite_at_0)
GRADIENT_1(modified_bessel_k1, modified_bessel_k0, tern_neg, as_it_is)
GRADIENT_1(i1, i0, same, half_at_0)

/* I0e' = I1e - sign(x) I0e */
void tern_grad_i0e(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *x = tern_node_input(node, 0);
    tern_tensor *shrink = tern_mul(tern_sign(x), tern_node_output(node, 0));
    grads[0] = tern_mul(grad_out[0], tern_sub(TERN_CALL(i1e, ARG_TENSOR(x)), shrink));
}

/* I1e' = I0e - I1e / x - sign(x) I1e */
void tern_grad_i1e(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *x = tern_node_input(node, 0), *y = tern_node_output(node, 0);
    tern_tensor *slope = tern_sub(TERN_CALL(i0e, ARG_TENSOR(x)), over_x(y, x, 0.5));
    grads[0] = tern_mul(grad_out[0], tern_sub(slope, tern_mul(tern_sign(x), y)));
}
