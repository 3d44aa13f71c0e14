/* Where a function is looked at: every exponent, and near the points at which functions go wrong. */
#include <math.h>
#include <stdlib.h>

#include "ulp.h"

void ulp_sample(ulp_samples *s, double x, double y) {
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->x = realloc(s->x, s->room * sizeof *s->x);
        s->y = realloc(s->y, s->room * sizeof *s->y);
        if (!s->x || !s->y) abort();
    }
    s->x[s->count] = x;
    s->y[s->count++] = y;
}

void ulp_samples_free(ulp_samples *s) {
    free(s->x);
    free(s->y);
    *s = (ulp_samples){0};
}

/* Marsaglia's xorshift64*: the same samples on every machine. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static double random_between(uint64_t *state, double low, double high) {
    return low + (high - low) * ldexp((double)(next_random(state) >> 11), -53);
}

/*
 * Points of interest: zeros, poles and extremes of the functions, kinks, and the limits beyond which results
 * overflow, underflow or no longer differ from a constant. Both signs are taken.
 */
static const double points[] = {
    0,
    0.25,
    0.5,
    1,
    1.5,
    2,
    2.5,
    3,
    4,
    10,
    12,
    20,
    28,
    40,
    0.28125,
    0.375,
    0.4375,
    0.6875,
    1.1875,
    /* zeros of digamma, and of lgamma between the negative integers */
    1.4616321449683622,
    0.50408300826445,
    1.5734984731623907,
    2.6107208684441446,
    3.6352933664369,
    4.653237761743142,
    5.667162441556885,
    8.6958764,
    15.74,
    2.4570247382208006,
    2.7476826467274127,
    3.1435808883499800,
    3.9552942848585979,
    4.039361839740536,
    4.991544640560047,
    5.008218168220154,
    6.0013800,
    6.998607,
    8.99999724,
    /* e, its powers, ln 2, pi */
    2.718281828459045,
    0.6931471805599453,
    1.4426950408889634,
    0.34657359027997264,
    3.141592653589793,
    /* the limits of e^x, 2^x, sinh, gamma, erfc: float16, float32, float64 */
    11.089866,
    9.703636,
    17.328680,
    88.72284,
    87.33655,
    103.97208,
    709.782712893384,
    708.3964185322641,
    745.1332191019412,
    89.41599,
    710.4758600739439,
    16,
    15,
    14,
    24,
    25,
    127,
    128,
    126,
    149,
    150,
    1023,
    1024,
    1022,
    1074,
    1075,
    133,
    134,
    35.0401,
    171.62437695630272,
    3.832506856900711,
    5.863584748755168,
    9.194549,
    10.05,
    13.3,
    26.543258,
    27.226017,
    8.317766,
    9.010913,
    17.32868,
    18.714973,
    36.7368,
    /* the largest numbers with a fraction */
    1024.5,
    2047.5,
    127.5,
    4194303.5,
    8388607.5,
    4503599627370495.5,
    2251799813685247.75,
};

/* x and its neighbours of the format: the nearest ones, then at distances that double. */
static void around(ulp_samples *s, const ulp_format *f, double x) {
    uint64_t sign = UINT64_C(1) << (f->bits - 1);
    uint64_t infinity = ulp_to_bits(f, HUGE_VAL);
    uint64_t centre = ulp_to_bits(f, x);
    uint64_t magnitude = centre & ~sign;
    for (uint64_t step = 0; step < UINT64_C(1) << (f->precision - 1); step += step < 4 ? 1 : step) {
        if (magnitude + step <= infinity)
            ulp_sample(s, ulp_from_bits(f, (centre & sign) | (magnitude + step)), 0);
        if (step <= magnitude)
            ulp_sample(s, ulp_from_bits(f, (centre & sign) | (magnitude - step)), 0);
    }
}

/* Both ends of every binade, and numbers within it. */
static void every_exponent(ulp_samples *s, const ulp_format *f, uint64_t *state, int within) {
    int fraction_bits = f->precision - 1;
    uint64_t mask = (UINT64_C(1) << fraction_bits) - 1;
    for (uint64_t head = 0; head < UINT64_C(1) << (f->bits - fraction_bits); head++) {
        uint64_t bits = head << fraction_bits;
        ulp_sample(s, ulp_from_bits(f, bits), 0);
        ulp_sample(s, ulp_from_bits(f, bits | 1), 0);
        ulp_sample(s, ulp_from_bits(f, bits | mask), 0);
        for (int i = 0; i < within; i++)
            ulp_sample(s, ulp_from_bits(f, bits | (next_random(state) & mask)), 0);
    }
}

static double rounded(const ulp_format *f, double x) {
    return ulp_from_bits(f, ulp_to_bits(f, x));
}

ulp_samples ulp_samples_unary(const ulp_format *f) {
    ulp_samples s = {0};
    uint64_t state = 88172645463325252u;
    every_exponent(&s, f, &state, f->bits == 64 ? 1 : 6);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        around(&s, f, points[i]);
        around(&s, f, -points[i]);
    }
    for (int i = 0; i < 40; i++) /* multiples of pi / 2, where sin, cos and tan pass zero */
        ulp_sample(
            &s, rounded(f, (i < 20 ? i : (double)(next_random(&state) >> 40)) * 1.5707963267948966),
            0);
    for (double range = 1; range <= 1000; range *= 10)
        for (int i = 0; i < 300; i++)
            ulp_sample(&s, rounded(f, random_between(&state, -range, range)), 0);
    return s;
}

ulp_samples ulp_samples_binary(const ulp_format *f) {
    ulp_samples s = {0};
    uint64_t state = 88172645463325252u;
    static const double special[] = {0, 0.5, 1, 2, 3, 1e-3, 1e3, 1e-30, 1e30, HUGE_VAL, NAN};
    enum { SPECIAL = sizeof special / sizeof *special };
    for (int i = 0; i < SPECIAL; i++)
        for (int j = 0; j < SPECIAL; j++)
            for (int signs = 0; signs < 4; signs++)
                ulp_sample(&s, rounded(f, copysign(special[i], signs & 1 ? -1 : 1)),
                           rounded(f, copysign(special[j], signs & 2 ? -1 : 1)));
    uint64_t mask = f->bits == 64 ? UINT64_MAX : (UINT64_C(1) << f->bits) - 1;
    for (int i = 0; i < 2000; i++) {
        ulp_sample(&s, ulp_from_bits(f, next_random(&state) & mask),
                   ulp_from_bits(f, next_random(&state) & mask));
        double range = ldexp(1, i % 12 - 3);
        double x = random_between(&state, -range, range), y = random_between(&state, -range, range);
        ulp_sample(&s, rounded(f, x), rounded(f, y));
        ulp_sample(&s, rounded(f, fabs(x)), rounded(f, y));
        ulp_sample(&s, rounded(f, x), rounded(f, x + y * 1e-4)); /* nearly equal */
        ulp_sample(&s, rounded(f, -fabs(x) / 8), rounded(f, -fabs(y) / 8));
        ulp_sample(&s, rounded(f, 1 + x * 1e-3), rounded(f, y * 1e3)); /* powers near 1 */
    }
    return s;
}

ulp_samples ulp_samples_every(const ulp_format *f) {
    ulp_samples s = {0};
    for (uint64_t bits = 0; bits < UINT64_C(1) << 16; bits++)
        ulp_sample(&s, ulp_from_bits(f, bits), 0);
    return s;
}
