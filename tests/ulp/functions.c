/* The functions that are measured, each with its truth. */
#include <math.h>
#include <string.h>

#include "ulp.h"

#define RND MPFR_RNDN

/* A truth that MPFR has under this name. */
#define OF_MPFR(name)                                                                              \
    static void truth_##name(mpfr_t out, const mpfr_t x, const mpfr_t y) {                         \
        (void)y;                                                                                   \
        mpfr_##name(out, x, RND);                                                                  \
    }
OF_MPFR(neg)
OF_MPFR(abs)
OF_MPFR(sqr)
OF_MPFR(sqrt)
OF_MPFR(exp)
OF_MPFR(exp2)
OF_MPFR(expm1)
OF_MPFR(log)
OF_MPFR(log2)
OF_MPFR(log10)
OF_MPFR(log1p)
OF_MPFR(sin)
OF_MPFR(cos)
OF_MPFR(tan)
OF_MPFR(asin)
OF_MPFR(acos)
OF_MPFR(atan)
OF_MPFR(sinh)
OF_MPFR(cosh)
OF_MPFR(tanh)
OF_MPFR(asinh)
OF_MPFR(acosh)
OF_MPFR(atanh)
OF_MPFR(erf)
OF_MPFR(erfc)
OF_MPFR(digamma)
OF_MPFR(rint_floor)
OF_MPFR(rint_ceil)
OF_MPFR(rint_trunc)
OF_MPFR(rint_roundeven)

/* torch.sign: NaN has none. */
static void truth_sign(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_set_si(out, mpfr_nan_p(x) ? 0 : mpfr_sgn(x), RND);
}
static void truth_reciprocal(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_ui_div(out, 1, x, RND);
}
/* mpfr_rec_sqrt takes -0 for 0; 1 / sqrt(-0) is -inf. */
static void truth_rsqrt(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_sqrt(out, x, RND);
    mpfr_ui_div(out, 1, out, RND);
}
static void truth_lgamma_of(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    int sign_of_gamma;
    mpfr_lgamma(out, &sign_of_gamma, x, RND);
}
/* mpfr_frac gives 0 at an infinity; inf - inf is NaN. */
static void truth_frac(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_trunc(out, x);
    mpfr_sub(out, x, out, RND);
}
static void truth_relu(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_set(out, x, RND);
    if (!mpfr_nan_p(x) && mpfr_sgn(x) < 0) mpfr_set_zero(out, 1);
}

/* Yes or no. */
#define PREDICATE(name, condition)                                                                 \
    static void truth_##name(mpfr_t out, const mpfr_t x, const mpfr_t y) {                         \
        (void)y;                                                                                   \
        mpfr_set_si(out, (condition) ? 1 : 0, RND);                                                \
    }
PREDICATE(logical_not, mpfr_zero_p(x))
PREDICATE(is_nan, mpfr_nan_p(x))
PREDICATE(is_inf, mpfr_inf_p(x))
PREDICATE(is_finite, mpfr_number_p(x))
PREDICATE(sign_bit, !mpfr_nan_p(x) && mpfr_signbit(x)) /* the sign of NaN is lost on the way */

#define OF_MPFR_2(name)                                                                            \
    static void truth_##name##_2(mpfr_t out, const mpfr_t x, const mpfr_t y) {                     \
        mpfr_##name(out, x, y, RND);                                                               \
    }
OF_MPFR_2(add)
OF_MPFR_2(sub)
OF_MPFR_2(mul)
OF_MPFR_2(div)
OF_MPFR_2(pow)
OF_MPFR_2(atan2)
OF_MPFR_2(hypot)
OF_MPFR_2(fmod)

/* A quick truth by an expression in x. */
#define QUICK(name, expression)                                                                    \
    static bool quick_##name(long double x, long double *out) {                                    \
        *out = (expression);                                                                       \
        return true;                                                                               \
    }
QUICK(neg, -x)
QUICK(abs, fabsl(x))
QUICK(sign, (long double)((x > 0) - (x < 0)))
QUICK(square, x *x)
QUICK(reciprocal, 1 / x)
QUICK(sqrt, sqrtl(x))
QUICK(rsqrt, 1 / sqrtl(x))
QUICK(exp, expl(x))
QUICK(exp2, exp2l(x))
QUICK(expm1, expm1l(x))
QUICK(log, logl(x))
QUICK(log2, log2l(x))
QUICK(log10, log10l(x))
QUICK(log1p, log1pl(x))
QUICK(sin, sinl(x))
QUICK(cos, cosl(x))
QUICK(tan, tanl(x))
QUICK(asin, asinl(x))
QUICK(acos, acosl(x))
QUICK(atan, atanl(x))
QUICK(sinh, sinhl(x))
QUICK(cosh, coshl(x))
QUICK(tanh, tanhl(x))
QUICK(asinh, asinhl(x))
QUICK(acosh, acoshl(x))
QUICK(atanh, atanhl(x))
QUICK(erf, erfl(x))
QUICK(erfc, erfcl(x))
QUICK(floor, floorl(x))
QUICK(ceil, ceill(x))
QUICK(trunc, truncl(x))
QUICK(round, rintl(x))
QUICK(frac, x - truncl(x))
QUICK(sigmoid, 1 / (1 + expl(-x)))
QUICK(relu, x < 0 ? 0 : x)
QUICK(logical_not, x == 0)
QUICK(isnan, isnan(x) != 0)
QUICK(isinf, isinf(x) != 0)
QUICK(isfinite, isfinite(x) != 0)
QUICK(signbit, signbit(x) != 0)

/* The values between two poles, and log(e^x + e^y) where it is small, are what is left of terms near 1. */
#define CANCELS 0x1p-6

const ulp_function ulp_functions[] = {
    {"neg", "neg", 1, truth_neg, quick_neg, 0},
    {"abs", "abs", 1, truth_abs, quick_abs, 0},
    {"sign", "sign", 1, truth_sign, quick_sign, 0},
    {"square", "square", 1, truth_sqr, quick_square, 0},
    {"reciprocal", "reciprocal", 1, truth_reciprocal, quick_reciprocal, 0},
    {"sqrt", "sqrt", 1, truth_sqrt, quick_sqrt, 0},
    {"rsqrt", "rsqrt", 1, truth_rsqrt, quick_rsqrt, 0},
    {"exp", "exp", 1, truth_exp, quick_exp, 0},
    {"exp2", "exp2", 1, truth_exp2, quick_exp2, 0},
    {"expm1", "expm1", 1, truth_expm1, quick_expm1, 0},
    {"log", "log", 1, truth_log, quick_log, 0},
    {"log2", "log2", 1, truth_log2, quick_log2, 0},
    {"log10", "log10", 1, truth_log10, quick_log10, 0},
    {"log1p", "log1p", 1, truth_log1p, quick_log1p, 0},
    {"sin", "sin", 1, truth_sin, quick_sin, 0},
    {"cos", "cos", 1, truth_cos, quick_cos, 0},
    {"tan", "tan", 1, truth_tan, quick_tan, 0},
    {"asin", "asin", 1, truth_asin, quick_asin, 0},
    {"acos", "acos", 1, truth_acos, quick_acos, 0},
    {"atan", "atan", 1, truth_atan, quick_atan, 0},
    {"sinh", "sinh", 1, truth_sinh, quick_sinh, 0},
    {"cosh", "cosh", 1, truth_cosh, quick_cosh, 0},
    {"tanh", "tanh", 1, truth_tanh, quick_tanh, 0},
    {"asinh", "asinh", 1, truth_asinh, quick_asinh, 0},
    {"acosh", "acosh", 1, truth_acosh, quick_acosh, 0},
    {"atanh", "atanh", 1, truth_atanh, quick_atanh, 0},
    {"erf", "erf", 1, truth_erf, quick_erf, 0},
    {"erfc", "erfc", 1, truth_erfc, quick_erfc, 0},
    {"erfinv", "erfinv", 1, ulp_erfinv, ulp_quick_erfinv, 0},
    {"lgamma", "lgamma", 1, truth_lgamma_of, ulp_quick_lgamma, CANCELS},
    {"digamma", "digamma", 1, truth_digamma, ulp_quick_digamma, CANCELS},
    {"floor", "floor", 1, truth_rint_floor, quick_floor, 0},
    {"ceil", "ceil", 1, truth_rint_ceil, quick_ceil, 0},
    {"trunc", "trunc", 1, truth_rint_trunc, quick_trunc, 0},
    {"round", "round", 1, truth_rint_roundeven, quick_round, 0},
    {"frac", "frac", 1, truth_frac, quick_frac, 0},
    {"sigmoid", "sigmoid", 1, ulp_sigmoid, quick_sigmoid, 0},
    {"relu", "relu", 1, truth_relu, quick_relu, 0},
    {"logical_not", "logical_not", 1, truth_logical_not, quick_logical_not, 0},
    {"bitwise_not", NULL, 1, NULL, NULL, 0},
    {"isnan", "isnan", 1, truth_is_nan, quick_isnan, 0},
    {"isinf", "isinf", 1, truth_is_inf, quick_isinf, 0},
    {"isfinite", "isfinite", 1, truth_is_finite, quick_isfinite, 0},
    {"signbit", "signbit", 1, truth_sign_bit, quick_signbit, 0},
    {"log_sigmoid", "nn.functional.logsigmoid", 1, ulp_log_sigmoid, ulp_quick_log_sigmoid, 0},
    {"sinc", "sinc", 1, ulp_sinc, ulp_quick_sinc, 0},
    {"trigamma", "_trigamma", 1, ulp_trigamma, ulp_quick_trigamma, 0},
    {"add", "add", 2, truth_add_2, NULL, 0},
    {"sub", "sub", 2, truth_sub_2, NULL, 0},
    {"mul", "mul", 2, truth_mul_2, NULL, 0},
    {"div", "div", 2, truth_div_2, NULL, 0},
    {"remainder", "remainder", 2, ulp_remainder, NULL, 0},
    {"fmod", "fmod", 2, truth_fmod_2, NULL, 0},
    {"pow", "pow", 2, truth_pow_2, NULL, 0},
    {"atan2", "atan2", 2, truth_atan2_2, NULL, 0},
    {"hypot", "hypot", 2, truth_hypot_2, NULL, 0},
    {"xlogy", "xlogy", 2, ulp_xlogy, NULL, 0},
    {"logaddexp", "logaddexp", 2, ulp_logaddexp, NULL, CANCELS},
    {"logaddexp2", "logaddexp2", 2, ulp_logaddexp2, NULL, CANCELS},
};
const int ulp_function_count = sizeof ulp_functions / sizeof *ulp_functions;

/* TERN_UNARY_MEMBERS is how many the header names (tests/ulp/CMakeLists.txt): none is left out. */
_Static_assert(sizeof ulp_functions / sizeof *ulp_functions == TERN_UNARY_MEMBERS + 12,
               "a member of UNARY has no row");

const ulp_function *ulp_function_named(const char *name) {
    for (int i = 0; i < ulp_function_count; i++)
        if (strcmp(ulp_functions[i].name, name) == 0) return &ulp_functions[i];
    return NULL;
}
