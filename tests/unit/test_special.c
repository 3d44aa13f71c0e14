/* torch.special: identities that hold to the last digits, over the ranges in which different expansions serve
 * and where they meet. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(special, .init = open_context, .fini = close_context);

static tern_tensor *range(double from, double to) {
    return tern_to_dtype(tern_linspace(ctx, from, to, 997), TERN_FLOAT64);
}

static void expect_near(tern_tensor *got, tern_tensor *want, double allowed, const char *what) {
    tern_tensor *gap = tern_div(tern_sub(got, want), want);
    double worst = tern_item(tern_max(tern_abs(gap)));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", what, tern_error(ctx));
    cr_assert(worst < allowed, "%s: relatively off by %g", what, worst);
}
#define NEAR(got, want) expect_near(got, want, 1e-12, #got)

/* I0 K1 + I1 K0 = 1 / x (DLMF 10.28.2), over both expansions of each */
Test(special, modified_bessel_functions_have_their_wronskian) {
    tern_tensor *x = range(0.01, 60);
    tern_tensor *i0 = tern_i0e(x), *i1 = tern_i1e(x);
    tern_tensor *k0 = tern_scaled_modified_bessel_k0(x), *k1 = tern_scaled_modified_bessel_k1(x);
    NEAR(tern_add(tern_mul(i0, k1), tern_mul(i1, k0)), tern_reciprocal(x));
    NEAR(tern_modified_bessel_k0(x), tern_mul(k0, tern_exp(tern_neg(x))));
    NEAR(tern_i1(x), tern_mul(i1, tern_exp(x)));
}

/* Ai'' = x Ai, by differences across the places where the expansions meet */
Test(special, airy_satisfies_its_equation) {
    for (double x = -9; x < 4; x += 0.25) {
        double at[3];
        for (int i = 0; i < 3; i++) {
            tern_tensor *t = tern_full(ctx, TERN_SHAPE(1), x + 1e-3 * (i - 1), TERN_FLOAT64);
            at[i] = tern_item(tern_airy_ai(t));
        }
        double second = (at[0] - 2 * at[1] + at[2]) / 1e-6;
        cr_assert(fabs(second - x * at[1]) < 1e-3, "at %g: %g, not %g", x, second, x * at[1]);
    }
}

/* P(a + 1, x) = P(a, x) - x^a exp(-x) / gamma(a + 1), and P + Q = 1 */
Test(special, incomplete_gamma_functions_meet) {
    for (double a = 0.25; a < 3e6; a *= 7) {
        tern_tensor *order = tern_full(ctx, TERN_SHAPE(1), a, TERN_FLOAT64);
        tern_tensor *x = range(a * 0.5 + 0.01, a * 1.5 + 5);
        tern_tensor *sum = tern_add(tern_igamma(order, x), tern_igammac(order, x));
        NEAR(sum, tern_ones_like(sum));
        tern_tensor *next = tern_igammac(tern_add_scalar(order, 1), x);
        double worst = tern_item(tern_max(tern_sub(tern_igammac(order, x), next)));
        cr_assert(worst < 1e-9, "Q falls by %g where the order %g grows", worst, a);
    }
}

Test(special, zeta_and_polygamma_at_known_places) {
    tern_tensor *one = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT64);
    double pi = 3.14159265358979323846;
    cr_assert_float_eq(tern_item(tern_zeta(tern_mul_scalar(one, 2), one)), pi * pi / 6, 1e-14);
    cr_assert_float_eq(tern_item(tern_polygamma(1, one)), pi * pi / 6, 1e-14);
    cr_assert_float_eq(tern_item(tern_polygamma(3, one)), pi * pi * pi * pi / 15, 1e-12);
    cr_assert(isinf(tern_item(tern_zeta(one, one))));
    tern_tensor *huge = tern_mul_scalar(one, 1e30);
    cr_assert(isnan(tern_item(tern_zeta(huge, tern_mul_scalar(one, 2)))));
    cr_assert_eq(tern_item(tern_zeta(huge, one)), 1);
    cr_assert_float_eq(tern_item(tern_zeta(tern_mul_scalar(one, 200), tern_mul_scalar(one, 20))) *
                           1e261,
                       6.2234, 1e-4);
}

/* erfcx erfc: the asymptotic series and the product meet at 10 */
Test(special, scaled_error_functions) {
    tern_tensor *x = range(-3, 9.9);
    NEAR(tern_mul(tern_erfcx(x), tern_exp(tern_neg(tern_square(x)))), tern_erfc(x));
    tern_tensor *two = tern_full(ctx, TERN_SHAPE(2), 10, TERN_FLOAT64);
    tern_fill_in_place(tern_select(two, 0, 0), 9.999999999);
    double values[2];
    cr_assert_eq(tern_to_doubles(tern_erfcx(two), values, 2), TERN_OK);
    cr_assert_float_eq(values[0], values[1], 1e-10);
    cr_assert_float_eq(tern_item(tern_select(tern_log_ndtr(tern_mul_scalar(two, -4)), 0, 1)),
                       -804.60844201, 1e-7);
}

/* U_n - U_{n-2} = 2 T_n, with closed forms and recurrences */
Test(special, chebyshev_polynomials_belong_together) {
    tern_tensor *x = range(-2, 2);
    for (int n = 2; n < 14; n++) {
        tern_tensor *degree = tern_full(ctx, TERN_SHAPE(1), n, TERN_FLOAT64);
        tern_tensor *before = tern_sub_scalar(degree, 2);
        tern_tensor *twice = tern_sub(tern_chebyshev_polynomial_u(x, degree),
                                      tern_chebyshev_polynomial_u(x, before));
        tern_tensor *t = tern_chebyshev_polynomial_t(x, degree);
        double gap = tern_item(tern_max(tern_abs(tern_sub(twice, tern_mul_scalar(t, 2)))));
        cr_assert(gap < 1e-7, "degree %d: off by %g", n, gap);
    }
}

Test(special, no_derivative_by_the_order) {
    tern_tensor *a = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT64), true);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT64);
    tern_backward(tern_sum(tern_igamma(a, x)));
    cr_assert(strstr(tern_error(ctx), "no derivative by input"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}
