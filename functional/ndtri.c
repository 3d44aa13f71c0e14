/*
 * ndtri.c: the inverse of the normal distribution function. By erfinv(2 x - 1) its lower tail would be
 * lost in the subtraction; the rational approximations of Cephes (Moshier, ndtri.c) are exact to the
 * last digits from the smallest number on. Few programs need it: it runs in host memory.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"

#define SQRT_2_PI 2.50662827463100050242

/* c[0] x^n + ... + c[n] */
static double polynomial(double x, const double *c, int n) {
    double sum = c[0];
    for (int i = 1; i <= n; i++) sum = sum * x + c[i];
    return sum;
}

/* About the middle, in y^2 where y = x - 1/2. */
static const double middle_p[] = {-5.99633501014107895267e1, 9.80010754185999661536e1,
                                  -5.66762857469070293439e1, 1.39312609387279679503e1,
                                  -1.23916583867381258016e0};
static const double middle_q[] = {1.0,
                                  1.95448858338141759834e0,
                                  4.67627912898881538453e0,
                                  8.63602421390890590575e1,
                                  -2.25462687854119370527e2,
                                  2.00260212380060660359e2,
                                  -8.20372256168333339912e1,
                                  1.59056225126211695515e1,
                                  -1.18331621121330003142e0};

/* In 1 / z where z = sqrt(-2 log x) is from 2 to 8 ... */
static const double near_p[] = {
    4.05544892305962419923e0,   3.15251094599893866154e1,   5.71628192246421288162e1,
    4.40805073893200834700e1,   1.46849561928858024014e1,   2.18663306850790267539e0,
    -1.40256079171354495875e-1, -3.50424626827848203418e-2, -8.57456785154685413611e-4};
static const double near_q[] = {1.0,
                                1.57799883256466749731e1,
                                4.53907635128879210584e1,
                                4.13172038254672030440e1,
                                1.50425385692907503408e1,
                                2.50464946208309415979e0,
                                -1.42182922854787788574e-1,
                                -3.80806407691578277194e-2,
                                -9.33259480895457427372e-4};

/* ... and from 8 to 64. */
static const double far_p[] = {
    3.23774891776946035970e0,  6.91522889068984211695e0,  3.93881025292474443415e0,
    1.33303460815807542389e0,  2.01485389549179081538e-1, 1.23716634817820021358e-2,
    3.01581553508235416007e-4, 2.65806974686737550832e-6, 6.23974539184983293730e-9};
static const double far_q[] = {1.0,
                               6.02427039364742014255e0,
                               3.67983563856160859403e0,
                               1.37702099489081330271e0,
                               2.16236993594496635890e-1,
                               1.34204006088543189037e-2,
                               3.28014464682127739104e-4,
                               2.89247864745380683936e-6,
                               6.79019408009981274425e-9};

static double ndtri(double x) {
    const double tail = 0.13533528323661269189; /* exp(-2) */
    if (x == 0.0) return -INFINITY;
    if (x == 1.0) return INFINITY;
    if (!(x > 0.0 && x < 1.0)) return NAN;
    double y = fmin(x, 1.0 - x);
    if (y > tail) {
        double d = x - 0.5, square = d * d;
        double ratio = polynomial(square, middle_p, 4) / polynomial(square, middle_q, 8);
        return (d + d * square * ratio) * SQRT_2_PI;
    }
    double z = sqrt(-2.0 * log(y)), inverse = 1.0 / z;
    double ratio = z < 8.0 ? polynomial(inverse, near_p, 8) / polynomial(inverse, near_q, 8)
                           : polynomial(inverse, far_p, 8) / polynomial(inverse, far_q, 8);
    double size = z - log(z) / z - inverse * ratio;
    return x > 0.5 ? size : -size;
}

tern_value tern_op__ndtri(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape shape = tern_shape_of(x);
    double *values = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    if (call->ctx->status != TERN_OK || !values) return tern_none();
    for (int64_t i = 0; i < BODY(x)->numel; i++) values[i] = ndtri(values[i]);
    tern_tensor *out = tern_new_from_host(call->lane, values, TERN_FLOAT64, &shape, NULL);
    out = tern_to_dtype(out, BODY(x)->dtype);
    tern_host_give(call->ctx, values);
    return tern_result(call, out);
}

/* g sqrt(2 pi) exp(y^2 / 2) */
void tern_grad__ndtri(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *half = tern_mul_scalar(tern_square(tern_node_output(node, 0)), 0.5);
    grads[0] = tern_mul(grad_out[0], tern_mul_scalar(tern_exp(half), SQRT_2_PI));
}
