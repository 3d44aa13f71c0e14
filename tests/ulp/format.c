/* Formats of floating numbers, and distances in them. */
#include <math.h>
#include <string.h>

#include "ulp.h"

const ulp_format ulp_formats[ULP_FORMATS] = {
    [ULP_FLOAT32] = {"float32", TERN_FLOAT32, 32, 24, 128},
    [ULP_FLOAT16] = {"float16", TERN_FLOAT16, 16, 11, 16},
    [ULP_BFLOAT16] = {"bfloat16", TERN_BFLOAT16, 16, 8, 128},
    [ULP_FLOAT64] = {"float64", TERN_FLOAT64, 64, 53, 1024},
};

/* The exponent of the smallest number: 2^-149 of float32. */
static int smallest(const ulp_format *f) {
    return 3 - f->largest - f->precision;
}

double ulp_from_bits(const ulp_format *f, uint64_t bits) {
    if (f->bits == 32) { /* as below, but many of them are asked for */
        uint32_t word = (uint32_t)bits;
        float value;
        memcpy(&value, &word, sizeof value);
        return isnan(value) ? (double)NAN : (double)value; /* without a sign, as below */
    }
    int fraction_bits = f->precision - 1;
    int exponent_bits = f->bits - f->precision;
    uint64_t fraction = bits & ((UINT64_C(1) << fraction_bits) - 1);
    uint64_t exponent = bits >> fraction_bits & ((UINT64_C(1) << exponent_bits) - 1);
    double sign = bits >> (f->bits - 1) & 1 ? -1.0 : 1.0;
    if (exponent == (UINT64_C(1) << exponent_bits) - 1) return fraction ? NAN : sign * HUGE_VAL;
    if (exponent == 0) return sign * ldexp((double)fraction, smallest(f));
    fraction |= UINT64_C(1) << fraction_bits;
    return sign * ldexp((double)fraction, smallest(f) + (int)exponent - 1);
}

uint64_t ulp_to_bits(const ulp_format *f, double x) {
    if (f->bits == 32) {
        float value = (float)x;
        uint32_t word;
        memcpy(&word, &value, sizeof word);
        return word;
    }
    int fraction_bits = f->precision - 1;
    uint64_t sign = (uint64_t)(signbit(x) != 0) << (f->bits - 1);
    uint64_t inf = ((UINT64_C(1) << (f->bits - f->precision)) - 1) << fraction_bits;
    if (isnan(x)) return inf | UINT64_C(1) << (fraction_bits - 1);
    if (isinf(x)) return sign | inf;
    if (x == 0) return sign;
    int exponent;
    (void)frexp(x, &exponent);
    int unit = exponent - f->precision;
    if (unit < smallest(f)) unit = smallest(f);
    uint64_t steps = (uint64_t)fabs(rint(ldexp(x, -unit)));
    /* A significand of 2^precision carries into the exponent, whose field is a sum for that reason. */
    uint64_t field = (uint64_t)(unit - smallest(f)) << fraction_bits;
    uint64_t bits = field + steps;
    return sign | (bits < inf ? bits : inf);
}

int ulp_working_precision(const ulp_format *f) {
    return 2 * f->precision + 80;
}

/* The exponent of one ulp at a number in [2^(e - 1), 2^e). */
static int unit_at(const ulp_format *f, int64_t e) {
    if (e > f->largest) e = f->largest;
    int64_t unit = e - f->precision;
    return unit < smallest(f) ? smallest(f) : (int)unit;
}

double ulp_error(const ulp_format *f, double got, const mpfr_t exact) {
    if (mpfr_nan_p(exact) || isnan(got)) return mpfr_nan_p(exact) && isnan(got) ? 0 : HUGE_VAL;
    if (mpfr_inf_p(exact)) return got == mpfr_get_d(exact, MPFR_RNDN) ? 0 : HUGE_VAL;
    int64_t e = mpfr_zero_p(exact) ? smallest(f) : mpfr_get_exp(exact);
    mpfr_t truth, distance;
    mpfr_inits2(mpfr_get_prec(exact) + 64, truth, distance, (mpfr_ptr)0);
    mpfr_set(truth, exact, MPFR_RNDN);
    if (e > f->largest) mpfr_set_si_2exp(truth, mpfr_sgn(exact), f->largest, MPFR_RNDN);
    if (isinf(got))
        mpfr_set_si_2exp(distance, got > 0 ? 1 : -1, f->largest, MPFR_RNDN);
    else
        mpfr_set_d(distance, got, MPFR_RNDN);
    mpfr_sub(distance, distance, truth, MPFR_RNDN);
    mpfr_mul_2si(distance, distance, -unit_at(f, e), MPFR_RNDN);
    double error = fabs(mpfr_get_d(distance, MPFR_RNDN));
    mpfr_clears(truth, distance, (mpfr_ptr)0);
    return error;
}

double ulp_error_quick(const ulp_format *f, double got, long double exact) {
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : HUGE_VAL;
    if ((long double)got == exact) return 0;
    int e = smallest(f);
    if (exact != 0) (void)frexpl(exact, &e);
    long double next = ldexpl(1, f->largest);
    if (e > f->largest || isinf(exact)) exact = copysignl(next, exact);
    long double value = isinf(got) ? copysignl(next, (long double)got) : (long double)got;
    return (double)fabsl(ldexpl(value - exact, -unit_at(f, e)));
}
