/* sin, cos, tan, sinc: argument reduction and kernels. */
#include "numerics/elementary.h"

#include <stdbool.h>
#include <stdint.h>

#include "numerics/elementary_dd.h"

#define TERN_TABLE_TRIG
#include "numerics/elementary_tables.h"

tern_dd tern_num_dd_sin(tern_dd r) {
    tern_dd z = tern_dd_mul(r, r);
    return tern_dd_mul(r, TERN_DD_POLY(z, SIN));
}

tern_dd tern_num_dd_cos(tern_dd r) {
    tern_dd z = tern_dd_mul(r, r);
    return TERN_DD_POLY(z, COS);
}

void tern_num_dd_sin_cos_pi(double x, tern_dd *out_sin, tern_dd *out_cos) {
    double r = x - rint(x);
    double a = fabs(r);
    double folded = a > 0.25 ? 0.5 - a : a;
    tern_dd angle = tern_dd_mul_d((tern_dd){2.0 * PI_2[0], 2.0 * PI_2[1]}, folded);
    tern_dd s = tern_num_dd_sin(angle);
    tern_dd c = tern_num_dd_cos(angle);
    *out_sin = a > 0.25 ? c : s;
    *out_cos = a > 0.25 ? s : c;
    if (r < 0.0) *out_cos = tern_dd_neg(*out_cos);
}

/* x = r + quadrant pi/2 (mod 2 pi), |r| <= pi/4 or a little more. */
typedef struct reduced {
    tern_dd r;
    int quadrant;
} reduced;

/*
 * 0 <= x < 2^30, after Cody and Waite. x - n PI_2[0] is exact: a multiple of 2^-53 below 1; the
 * other two thirds of pi / 2 follow, so that 159 bits of it are used.
 */
static reduced reduce_medium(double x) {
    double n = rint(x * 0x1.45f306dc9c883p-1);
    double first = fma(-n, PI_2[0], x);
    tern_dd second = tern_dd_two_prod(-n, PI_2[1]);
    tern_dd third = tern_dd_two_prod(-n, PI_2[2]);
    tern_dd r = tern_dd_add(tern_dd_add_d(second, first), third);
    return (reduced){r, (int)((int64_t)n & 3)};
}

enum { WINDOW_WORDS = 7, PRODUCT_WORDS = 9, FRACTION_WORDS = 8 };

/*
 * out = mantissa times the window of 2 / pi that begins at word `first`; least significant word
 * first. The window drops the words whose products are multiples of 4.
 */
static void multiply_window(uint64_t mantissa, int first, uint32_t out[PRODUCT_WORDS]) {
    uint64_t m[2] = {mantissa & 0xffffffffU, mantissa >> 32};
    for (int i = 0; i < PRODUCT_WORDS; i++) out[i] = 0;
    for (int j = 0; j < 2; j++) {
        uint64_t carry = 0;
        for (int i = 0; i < WINDOW_WORDS; i++) {
            uint64_t word = TWO_OVER_PI[first + WINDOW_WORDS - 1 - i];
            uint64_t t = m[j] * word + out[i + j] + carry;
            out[i + j] = (uint32_t)t;
            carry = t >> 32;
        }
        out[WINDOW_WORDS + j] = (uint32_t)carry;
    }
}

/* words <<= count, over `n` words with the least significant first; bits beyond are lost. */
static void shift_left(uint32_t *words, int n, int count) {
    int skip = count / 32;
    int bits = count % 32;
    for (int i = n - 1; i >= 0; i--) {
        uint64_t high = i - skip >= 0 ? words[i - skip] : 0;
        uint64_t low = i - skip - 1 >= 0 ? words[i - skip - 1] : 0;
        words[i] = (uint32_t)(((high << 32 | low) << bits) >> 32);
    }
}

/*
 * Any finite x >= 2^30, after Payne and Hanek (SIGNUM Newsletter 18, 1983). x = mantissa 2^e;
 * mantissa times 224 bits of 2 / pi is an integer, of which the bits at 2^e's point and above are
 * the quadrant (mod 4) and at least 195 below it the fraction. The fraction closest to 0 of any
 * double is about 2^-61, so some 80 good bits remain at worst.
 */
static reduced reduce_large(double x) {
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(x, &exponent), 53);
    int e = exponent - 53;
    int first = e > 2 ? (e - 2) / 32 : 0;
    int fraction_bits = 32 * (first + WINDOW_WORDS) - e;

    uint32_t words[FRACTION_WORDS + 2] = {0};
    multiply_window(mantissa, first, words);
    shift_left(words, FRACTION_WORDS + 2, 32 * FRACTION_WORDS - fraction_bits);

    int quadrant = (int)(words[FRACTION_WORDS] & 3);
    bool negative = (words[FRACTION_WORDS - 1] & 0x80000000U) != 0;
    if (negative) {
        uint64_t carry = 1;
        for (int i = 0; i < FRACTION_WORDS; i++) {
            carry += (uint32_t)~words[i];
            words[i] = (uint32_t)carry;
            carry >>= 32;
        }
        quadrant = (quadrant + 1) & 3;
    }
    tern_dd fraction = {0.0, 0.0};
    for (int i = 0; i < FRACTION_WORDS; i++)
        fraction = tern_dd_add_d(fraction, ldexp((double)words[i], 32 * (i - FRACTION_WORDS)));
    if (negative) fraction = tern_dd_neg(fraction);
    return (reduced){tern_dd_mul(fraction, (tern_dd){PI_2[0], PI_2[1]}), quadrant};
}

static reduced reduce(double x) {
    double ax = fabs(x);
    reduced result = {{ax, 0.0}, 0};
    if (ax > 0x1.921fb54442d18p-1) result = ax < 0x1p30 ? reduce_medium(ax) : reduce_large(ax);
    if (x < 0.0) {
        result.r = tern_dd_neg(result.r);
        result.quadrant = -result.quadrant & 3;
    }
    return result;
}

/* sin(r + quadrant pi / 2) rounded to double. */
static double sin_of(reduced a) {
    tern_dd v = (a.quadrant & 1) != 0 ? tern_num_dd_cos(a.r) : tern_num_dd_sin(a.r);
    double value = v.hi + v.lo;
    return (a.quadrant & 2) != 0 ? -value : value;
}

static double cos_of(reduced a) {
    a.quadrant = (a.quadrant + 1) & 3;
    return sin_of(a);
}

double tern_num_sin(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return x - x;
    if (ax < 0x1p-28) return x;
    return sin_of(reduce(x));
}

double tern_num_cos(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return x - x;
    if (ax < 0x1p-28) return 1.0;
    return cos_of(reduce(x));
}

void tern_num_sincos(double x, double *out_sin, double *out_cos) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL) || ax < 0x1p-28) {
        *out_sin = tern_num_sin(x);
        *out_cos = tern_num_cos(x);
        return;
    }
    reduced a = reduce(x);
    *out_sin = sin_of(a);
    *out_cos = cos_of(a);
}

double tern_num_tan(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return x - x;
    if (ax < 0x1p-28) return x;
    reduced a = reduce(x);
    tern_dd s = tern_num_dd_sin(a.r);
    tern_dd c = tern_num_dd_cos(a.r);
    tern_dd t = (a.quadrant & 1) != 0 ? tern_dd_div(tern_dd_neg(c), s) : tern_dd_div(s, c);
    return t.hi + t.lo;
}

double tern_num_sinc(double x) {
    double ax = fabs(x);
    if (!(ax < HUGE_VAL)) return x - x;
    if (ax < 0x1p-28) return 1.0;
    if (floor(ax) == ax) return 0.0;
    tern_dd s;
    tern_dd c;
    tern_num_dd_sin_cos_pi(ax, &s, &c);
    tern_dd r = tern_dd_div(s, tern_dd_mul_d((tern_dd){2.0 * PI_2[0], 2.0 * PI_2[1]}, ax));
    double value = r.hi + r.lo;
    return fmod(floor(ax), 2.0) == 0.0 ? value : -value;
}
