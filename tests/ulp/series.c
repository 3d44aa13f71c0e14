/* Functions that MPFR does not have, over MPFR numbers. */
#include "ulp.h"

#define RND MPFR_RNDN

/* ---- trigamma -------------------------------------------------------------------------------- */

enum { BERNOULLI_COUNT = 100, BERNOULLI_PRECISION = 400 };

/* B_2k = (-1)^(k + 1) 2 (2k)! zeta(2k) / (2 pi)^2k, 0 < k <= BERNOULLI_COUNT; kept by each thread. */
static mpfr_srcptr bernoulli(unsigned k) {
    static _Thread_local mpfr_t kept[BERNOULLI_COUNT + 1];
    static _Thread_local unsigned count;
    while (count < k) {
        mpfr_ptr b = kept[++count];
        mpfr_t power;
        mpfr_inits2(BERNOULLI_PRECISION, power, b, (mpfr_ptr)0);
        mpfr_const_pi(power, RND);
        mpfr_mul_2ui(power, power, 1, RND);
        mpfr_pow_ui(power, power, 2 * count, RND);
        mpfr_zeta_ui(b, 2 * count, RND);
        mpfr_div(b, b, power, RND);
        mpfr_fac_ui(power, 2 * count, RND);
        mpfr_mul(b, b, power, RND);
        mpfr_mul_2ui(b, b, 1, RND);
        if (count % 2 == 0) mpfr_neg(b, b, RND);
        mpfr_clear(power);
    }
    return kept[k];
}

/* x >= 40: 1/x + 1/(2 x^2) + sum B_2k / x^(2k + 1) (Abramowitz and Stegun 6.4.12). The terms fall
 * below 2^-300 at k = 60. */
static void trigamma_series(mpfr_t out, const mpfr_t x) {
    mpfr_t term, inverse, power;
    mpfr_inits2(mpfr_get_prec(out), term, inverse, power, (mpfr_ptr)0);
    mpfr_ui_div(inverse, 1, x, RND);
    mpfr_sqr(power, inverse, RND);
    mpfr_div_2ui(term, power, 1, RND);
    mpfr_add(out, inverse, term, RND);
    mpfr_mul(power, power, inverse, RND);
    for (unsigned k = 1; k <= BERNOULLI_COUNT; k++) {
        mpfr_mul(term, bernoulli(k), power, RND);
        mpfr_add(out, out, term, RND);
        if (mpfr_get_exp(term) < mpfr_get_exp(out) - mpfr_get_prec(out)) break;
        mpfr_mul(power, power, inverse, RND);
        mpfr_mul(power, power, inverse, RND);
    }
    mpfr_clears(term, inverse, power, (mpfr_ptr)0);
}

/* x >= 1/2: the recurrence psi1(x) = psi1(x + 1) + 1 / x^2 up to 40 (6.4.6). */
static void trigamma_right(mpfr_t out, const mpfr_t from) {
    mpfr_t x, sum, term;
    mpfr_inits2(mpfr_get_prec(out), x, sum, term, (mpfr_ptr)0);
    mpfr_set(x, from, RND);
    mpfr_set_ui(sum, 0, RND);
    while (mpfr_cmp_ui(x, 40) < 0) {
        mpfr_sqr(term, x, RND);
        mpfr_ui_div(term, 1, term, RND);
        mpfr_add(sum, sum, term, RND);
        mpfr_add_ui(x, x, 1, RND);
    }
    trigamma_series(out, x);
    mpfr_add(out, out, sum, RND);
    mpfr_clears(x, sum, term, (mpfr_ptr)0);
}

/* Left of 1/2 by reflection: psi1(x) = pi^2 / sin(pi x)^2 - psi1(1 - x) (6.4.7). */
void ulp_trigamma(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    if (mpfr_nan_p(x) || (mpfr_inf_p(x) && mpfr_sgn(x) < 0)) {
        mpfr_set_nan(out);
    } else if (mpfr_inf_p(x)) {
        mpfr_set_zero(out, 1);
    } else if (mpfr_integer_p(x) && mpfr_sgn(x) <= 0) {
        mpfr_set_inf(out, 1);
    } else if (mpfr_cmp_d(x, 0.5) >= 0) {
        trigamma_right(out, x);
    } else {
        mpfr_t mirrored, sine;
        mpfr_inits2(mpfr_get_prec(out) + 1100, mirrored, sine, (mpfr_ptr)0);
        mpfr_ui_sub(mirrored, 1, x, RND); /* exact, but for subnormals, where it does not matter */
        trigamma_right(out, mirrored);
        mpfr_set_prec(sine, mpfr_get_prec(out));
        mpfr_sinpi(sine, x, RND);
        mpfr_set_prec(mirrored, mpfr_get_prec(out));
        mpfr_const_pi(mirrored, RND);
        mpfr_div(sine, mirrored, sine, RND);
        mpfr_sqr(sine, sine, RND);
        mpfr_sub(out, sine, out, RND);
        mpfr_clears(mirrored, sine, (mpfr_ptr)0);
    }
}

/* ---- the inverse of erf ---------------------------------------------------------------------- */

/* erf(v) - x for x < 1/2, else (1 - x) - erfc(v), where 1 - x is exact. */
static void erf_residual(mpfr_t out, const mpfr_t v, const mpfr_t x, const mpfr_t complement) {
    if (mpfr_cmp_d(x, 0.5) < 0) {
        mpfr_erf(out, v, RND);
        mpfr_sub(out, out, x, RND);
    } else {
        mpfr_erfc(out, v, RND);
        mpfr_sub(out, complement, out, RND);
    }
}

/* Newton's steps v -= (erf(v) - x) sqrt(pi) / 2 e^(v^2) from a long double's value, until one is below the
 * square root of what counts. */
void ulp_erfinv(mpfr_t out, const mpfr_t signed_x, const mpfr_t y) {
    (void)y;
    if (mpfr_nan_p(signed_x) || mpfr_cmpabs_ui(signed_x, 1) > 0) {
        mpfr_set_nan(out);
        return;
    }
    if (mpfr_zero_p(signed_x) || mpfr_cmpabs_ui(signed_x, 1) == 0) {
        mpfr_set(out, signed_x, RND);
        if (!mpfr_zero_p(signed_x)) mpfr_set_inf(out, mpfr_sgn(signed_x));
        return;
    }
    mpfr_prec_t precision = mpfr_get_prec(out);
    mpfr_t x, complement, slope, step;
    mpfr_inits2(precision, x, complement, slope, step, (mpfr_ptr)0);
    mpfr_abs(x, signed_x, RND);
    mpfr_ui_sub(complement, 1, x, RND);
    mpfr_const_pi(slope, RND);
    mpfr_sqrt(slope, slope, RND);
    mpfr_div_2ui(slope, slope, 1, RND);
    long double guess;
    ulp_quick_erfinv(mpfr_get_ld(x, RND), &guess);
    mpfr_set_ld(out, guess, RND);
    for (;;) {
        erf_residual(step, out, x, complement);
        mpfr_sqr(complement, out, RND);
        mpfr_exp(complement, complement, RND);
        mpfr_mul(complement, complement, slope, RND);
        mpfr_mul(step, step, complement, RND);
        mpfr_ui_sub(complement, 1, x, RND);
        mpfr_sub(out, out, step, RND);
        if (mpfr_zero_p(step) || mpfr_get_exp(step) < mpfr_get_exp(out) - precision * 3 / 4) break;
    }
    mpfr_setsign(out, out, mpfr_signbit(signed_x), RND);
    mpfr_clears(x, complement, slope, step, (mpfr_ptr)0);
}

/* ---- compositions ---------------------------------------------------------------------------- */

void ulp_sinc(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    if (mpfr_zero_p(x)) {
        mpfr_set_ui(out, 1, RND);
        return;
    }
    mpfr_t angle;
    mpfr_init2(angle, mpfr_get_prec(out));
    mpfr_const_pi(angle, RND);
    mpfr_mul(angle, angle, x, RND);
    mpfr_sinpi(out, x, RND);
    mpfr_div(out, out, angle, RND);
    mpfr_clear(angle);
}

/* out = log(1 + e^-|x|) */
static void log1p_exp(mpfr_t out, const mpfr_t x) {
    mpfr_abs(out, x, RND);
    mpfr_neg(out, out, RND);
    mpfr_exp(out, out, RND);
    mpfr_log1p(out, out, RND);
}

void ulp_log_sigmoid(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_t tail;
    mpfr_init2(tail, mpfr_get_prec(out));
    log1p_exp(tail, x);
    mpfr_neg(out, tail, RND);
    if (mpfr_sgn(x) < 0) mpfr_sub(out, x, tail, RND);
    mpfr_clear(tail);
}

void ulp_sigmoid(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    (void)y;
    mpfr_neg(out, x, RND);
    mpfr_exp(out, out, RND);
    mpfr_add_ui(out, out, 1, RND);
    mpfr_ui_div(out, 1, out, RND);
}

void ulp_xlogy(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    if (mpfr_zero_p(x) && !mpfr_nan_p(y)) {
        mpfr_set_zero(out, 1);
        return;
    }
    mpfr_log(out, y, RND);
    mpfr_mul(out, x, out, RND);
}

/* The larger one, and e (or 2) to the smaller less it; false where that is the result. */
static bool split_pair(mpfr_t large, mpfr_t difference, const mpfr_t x, const mpfr_t y) {
    if (mpfr_nan_p(x) || mpfr_nan_p(y)) {
        mpfr_set_nan(large);
        return false;
    }
    mpfr_max(large, x, y, RND);
    if (mpfr_inf_p(large)) return false;
    mpfr_sub(difference, x, y, RND);
    return true;
}

void ulp_logaddexp(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    mpfr_t difference;
    mpfr_init2(difference, 2300); /* of two doubles: exact */
    if (split_pair(out, difference, x, y)) {
        mpfr_t tail;
        mpfr_init2(tail, 2 * mpfr_get_prec(out));
        log1p_exp(tail, difference);
        mpfr_max(difference, x, y, RND);
        mpfr_add(out, difference, tail, RND);
        mpfr_clear(tail);
    }
    mpfr_clear(difference);
}

void ulp_logaddexp2(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    mpfr_t difference;
    mpfr_init2(difference, 2300);
    if (split_pair(out, difference, x, y)) {
        mpfr_t tail, ln2;
        mpfr_inits2(2 * mpfr_get_prec(out), tail, ln2, (mpfr_ptr)0);
        mpfr_abs(tail, difference, RND);
        mpfr_neg(tail, tail, RND);
        mpfr_exp2(tail, tail, RND);
        mpfr_log1p(tail, tail, RND);
        mpfr_const_log2(ln2, RND);
        mpfr_div(tail, tail, ln2, RND);
        mpfr_max(difference, x, y, RND);
        mpfr_add(out, difference, tail, RND);
        mpfr_clears(tail, ln2, (mpfr_ptr)0);
    }
    mpfr_clear(difference);
}

/* x - y floor(x / y), as Python's %: the sign is the divisor's. */
void ulp_remainder(mpfr_t out, const mpfr_t x, const mpfr_t y) {
    mpfr_fmod(out, x, y, RND);
    if (mpfr_number_p(out) && !mpfr_zero_p(out) && (mpfr_sgn(out) < 0) != (mpfr_sgn(y) < 0))
        mpfr_add(out, out, y, RND);
}
