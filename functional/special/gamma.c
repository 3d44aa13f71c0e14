/*
 * gamma.c: what belongs to the gamma function: the incomplete functions, Hurwitz's zeta function and
 * polygamma; and scaled error functions.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "elements.h"
#include "numerics/elementary.h"

#define PI           3.14159265358979323846
#define SQRT_PI      1.77245385090551602730
#define SQRT_2       1.41421356237309504880
#define SQRT_2_PI    0.79788456080286535588 /* sqrt(2 / pi) */
#define TINY         1e-300
#define MAX_TERMS    20000
#define UNIFORM_FROM 1e6

/* ---- the incomplete gamma functions ---- */

/* Stirling's series: log of gamma(a) over sqrt(2 pi / a) (a / e)^a (DLMF 5.11.1) */
static double stirling_error(double a) {
    double r = 1.0 / a, s = r * r;
    return r * (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188))));
}

/* x^a exp(-x) / gamma(a), without the cancellation of its logarithm where x is near a large a. */
static double density(double a, double x) {
    if (a < 10.0) return tern_num_exp(a * tern_num_log(x) - x - tern_num_lgamma(a));
    double d = (x - a) / a;
    double exponent = a * (tern_num_log1p(d) - d) - stirling_error(a);
    return tern_num_exp(exponent) * sqrt(a / (2.0 * PI));
}

/* P(a, x), x <= a (DLMF 8.11.4) */
static double lower_series(double a, double x) {
    double term = 1.0 / a, sum = term;
    for (int k = 1; k < MAX_TERMS && term > sum * 0x1p-54; k++) {
        term *= x / (a + k);
        sum += term;
    }
    return sum * density(a, x);
}

/* Q(a, x), x > a, by Legendre's continued fraction (DLMF 8.9.2) after Lentz */
static double upper_fraction(double a, double x) {
    double b = x + 1.0 - a, c = 1.0 / TINY, d = 1.0 / b, value = d;
    for (int k = 1; k < MAX_TERMS; k++) {
        double factor = -k * (k - a);
        b += 2.0;
        d = factor * d + b;
        c = b + factor / c;
        if (fabs(d) < TINY) d = TINY;
        if (fabs(c) < TINY) c = TINY;
        d = 1.0 / d;
        value *= d * c;
        if (fabs(d * c - 1.0) < 0x1p-52) break;
    }
    return value * density(a, x);
}

/* Q(a, x) for large a, where the series are long: Temme's uniform expansion (DLMF 8.12.4), whose next
 * term is a's square root smaller than a's inverse. */
static double upper_uniform(double a, double x) {
    double d = (x - a) / a, half = d - tern_num_log1p(d);
    double eta = copysign(sqrt(2.0 * fmax(half, 0.0)), d);
    double first = fabs(d) < 1e-3 ? -1.0 / 3 + eta / 12 : 1.0 / d - 1.0 / eta;
    double rest = tern_num_exp(-a * half) / sqrt(2.0 * PI * a) * first;
    return 0.5 * tern_num_erfc(eta * sqrt(0.5 * a)) + rest;
}

/* The lower function, or the upper. */
static double incomplete(double a, double x, bool upper) {
    /* The limits come before NaN, as in PyTorch. */
    if (a < 0.0 || x < 0.0) return NAN;
    if (a == 0.0) return x > 0.0 ? !upper : NAN;
    if (x == 0.0) return upper;
    if (isinf(a)) return isinf(x) ? NAN : upper;
    if (isinf(x)) return !upper;
    if (isnan(a) || isnan(x)) return NAN;
    if (a > UNIFORM_FROM) return upper ? upper_uniform(a, x) : 1.0 - upper_uniform(a, x);
    if (x <= a) return upper ? 1.0 - lower_series(a, x) : lower_series(a, x);
    /* Near 0 the fraction is slow, and the series has few terms. */
    if (x <= 1.0) return upper ? 1.0 - lower_series(a, x) : lower_series(a, x);
    return upper ? upper_fraction(a, x) : 1.0 - upper_fraction(a, x);
}

static double lower(double a, double x) {
    return incomplete(a, x, false);
}
static double upper(double a, double x) {
    return incomplete(a, x, true);
}

tern_value tern_op_igamma(tern_opcall *call) {
    return tern_map_pairs(call, lower);
}
tern_value tern_op_igammac(tern_opcall *call) {
    return tern_map_pairs(call, upper);
}

/* By x: x^(a - 1) exp(-x) / gamma(a), or its negative. */
static void by_bound(tern_node *node, tern_tensor *grad, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) {
        tern_fail(tern_node_ctx(node), TERN_ERR_STATE,
                  "igamma, igammac: there is no derivative by input (the order), as in PyTorch; "
                  "detach it");
        return;
    }
    tern_tensor *a = tern_node_input(node, 0), *x = tern_node_input(node, 1);
    tern_tensor *power = TERN_CALL(xlogy, ARG_TENSOR(tern_sub_scalar(a, 1.0)), ARG_TENSOR(x));
    tern_tensor *log = tern_sub(tern_sub(power, x), TERN_CALL(lgamma, ARG_TENSOR(a)));
    grads[1] = tern_sum_to_size(tern_mul(grad, tern_exp(log)), tern_node_input_shape(node, 1));
}
void tern_grad_igamma(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    by_bound(node, grad_out[0], grads);
}
void tern_grad_igammac(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    by_bound(node, tern_neg(grad_out[0]), grads);
}

/* ---- zeta and polygamma ---- */

/* B_2k / (2k)! */
static const double bernoulli[] = {
    1.0 / 12,
    -1.0 / 720,
    1.0 / 30240,
    -1.0 / 1209600,
    1.0 / 47900160,
    -691.0 / 1307674368000.0,
    1.0 / 74724249600.0,
    -3617.0 / 10670622842880000.0,
};

/* The sum of (k + q)^-s over k >= 0: nine terms at least and those up to 10, and Euler's and Maclaurin's formula for
 * the rest (DLMF 25.11.5), which needs k + q beyond s / 2 pi, or a rest that hardly counts. */
static double zeta(double s, double q) {
    if (s == 1.0) return INFINITY;
    if (s < 1.0) return NAN;
    if (q <= 0.0 && q == floor(q)) return INFINITY;
    if (isnan(s) || isnan(q) || isinf(q)) return NAN;
    if (q <= 0.0 && s != floor(s)) return NAN;
    double sum = 0.0;
    for (int k = 0; (k < 9 || q < 10.0) && k < MAX_TERMS; k++, q += 1.0) {
        double term = tern_num_pow(q, -s), least = 0x1p-53 * sum;
        sum += term;
        if (k > 0 && -least < term && term < least) return sum; /* nothing follows that counts */
    }
    /* The factors s (s + 1) .. and the powers of q are kept apart: past the range of both, a huge s gives inf times
     * 0, NaN, as in PyTorch. */
    double power = tern_num_pow(q, -s), factor = s;
    sum += power * q / (s - 1.0) + 0.5 * power;
    for (int k = 0; k < (int)(sizeof bernoulli / sizeof *bernoulli); k++) {
        power /= k == 0 ? q : q * q;
        sum += bernoulli[k] * (factor * power);
        factor *= (s + 2.0 * k + 1.0) * (s + 2.0 * k + 2.0);
    }
    return sum;
}

tern_value tern_op__zeta(tern_opcall *call) {
    return tern_map_pairs(call, zeta);
}

tern_value tern_op_zeta(tern_opcall *call) {
    tern_value both[2] = {tern_arg(call, 0), tern_arg(call, 1)};
    tern_dtype dtype = tern_result_type(both, 2);
    if (!tern_dtype_is_floating(dtype)) dtype = TERN_FLOAT32;
    tern_tensor *s = tern_operand_of(call, both[0], dtype);
    tern_tensor *q = tern_operand_of(call, both[1], dtype);
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, TERN_CALL(_zeta, ARG_TENSOR(s), ARG_TENSOR(q)));
}

tern_value tern_op_polygamma(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 1);
    int64_t n = tern_arg_int(call, 0, 0);
    if (n < 0 || n > 1000)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "n must be from 0 to 1000, got %lld",
                              (long long)n);
    if (!tern_dtype_is_floating(BODY(x)->dtype)) x = tern_to_dtype(x, TERN_FLOAT32);
    if (n == 0) return tern_result(call, TERN_CALL(digamma, ARG_TENSOR(x)));
    return tern_result(call, TERN_CALL(_polygamma, ARG_INT(n), ARG_TENSOR(x)));
}

/* (-1)^(n+1) n! zeta(n + 1, x), n >= 1 */
tern_value tern_op__polygamma(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 1);
    double n = (double)tern_arg_int(call, 0, 1), sign = fmod(n, 2.0) == 0.0 ? -1.0 : 1.0;
    double factorial = tern_num_exp(tern_num_lgamma(n + 1.0));
    tern_shape shape = tern_shape_of(x);
    tern_dtype dtype = BODY(x)->dtype;
    int64_t count = BODY(x)->numel;
    double *values = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    if (!values) return tern_none();
    if (n < 20.0) factorial = round(factorial);
    for (int64_t i = 0; i < count; i++)
        values[i] =
            n == 1.0 ? tern_num_trigamma(values[i]) : sign * factorial * zeta(n + 1.0, values[i]);
    tern_tensor *out = tern_new_from_host(call->lane, values, TERN_FLOAT64, &shape, NULL);
    tern_host_give(call->ctx, values);
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, tern_to_dtype(out, dtype));
}

void tern_grad__polygamma(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    int64_t n = tern_value_as_int(tern_node_arg(node, 0));
    if (n < INT64_MAX) n++; /* of so high an order all is infinite or 0 */
    tern_tensor *x = tern_node_input(node, 0);
    grads[0] = tern_mul(grad_out[0], TERN_CALL(_polygamma, ARG_INT(n), ARG_TENSOR(x)));
}

/* -s zeta(s + 1, q) by q */
void tern_grad__zeta(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) {
        tern_fail(tern_node_ctx(node), TERN_ERR_STATE,
                  "special.zeta: there is no derivative by input (the exponent), as in PyTorch; "
                  "detach it");
        return;
    }
    tern_tensor *s = tern_node_input(node, 0), *q = tern_node_input(node, 1);
    tern_tensor *next = TERN_CALL(_zeta, ARG_TENSOR(tern_add_scalar(s, 1.0)), ARG_TENSOR(q));
    tern_tensor *slope = tern_mul(grad_out[0], tern_neg(tern_mul(s, next)));
    grads[1] = tern_sum_to_size(slope, tern_node_input_shape(node, 1));
}

/* ---- scaled error functions ---- */

/* exp(x^2) erfc(x), with the rounding error of x^2, which the exponential would magnify */
static double erfcx(double x) {
    double square = x * x, error = fma(x, x, -square);
    if (x < -26.7) return INFINITY;
    if (x < 10.0) {
        double power = tern_num_exp(square);
        return power * tern_num_erfc(x) * (1.0 + error);
    }
    if (isnan(x)) return x;
    double term = 1.0, sum = 1.0;
    for (int k = 1; k < 40 && fabs(term) > 0x1p-54; k++) {
        term *= -(2.0 * k - 1.0) / (2.0 * square);
        sum += term;
    }
    return sum / (x * SQRT_PI);
}

/* The log of the normal distribution function. */
static double log_ndtr(double x) {
    if (x < -1.0) return tern_num_log(0.5 * erfcx(-x / SQRT_2)) - 0.5 * x * x;
    return tern_num_log1p(-0.5 * tern_num_erfc(x / SQRT_2));
}

tern_value tern_op_erfcx(tern_opcall *call) {
    return tern_map_elements(call, erfcx);
}
tern_value tern_op_log_ndtr(tern_opcall *call) {
    return tern_map_elements(call, log_ndtr);
}

/* 2 x erfcx(x) - 2 / sqrt(pi) */
void tern_grad_erfcx(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *product = tern_mul(tern_node_input(node, 0), tern_node_output(node, 0));
    tern_tensor *slope = tern_add_scalar(tern_mul_scalar(product, 2.0), -2.0 / SQRT_PI);
    grads[0] = tern_mul(grad_out[0], slope);
}

/* The density over the function: sqrt(2 / pi) / erfcx(-x / sqrt(2)) */
void tern_grad_log_ndtr(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *at = tern_mul_scalar(tern_node_input(node, 0), -1.0 / SQRT_2);
    tern_tensor *scaled = TERN_CALL(erfcx, ARG_TENSOR(at));
    grads[0] = tern_div(tern_mul_scalar(grad_out[0], SQRT_2_PI), scaled);
}
