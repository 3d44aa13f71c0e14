/*
 * truths.c: functions in float64 from the C library, as truths for float32.
 *
 * They are good to a few ulp of float64, which is a hundred-millionth of one of float32. Where the C library
 * has vectors of them (libmvec of glibc, on x86-64 with AVX2), four are computed at once. What is a function of
 * numerics/ on every device (erfinv, the gammas) has no row here; main.c measures it.
 */
#include <math.h>
#include <string.h>

#include "ulp.h"

enum { FOUR = 4, SOME = 256 };

static double of_square(double x) {
    return x * x;
}
static double of_reciprocal(double x) {
    return 1 / x;
}
static double of_rsqrt(double x) {
    return 1 / sqrt(x);
}
static double of_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double of_log_sigmoid(double x) {
    return x > 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}
/* By the distance from an integer, which is exact. */
static double of_sinc(double x) {
    if (x == 0) return 1;
    double whole = rint(x), s = sin(0x1.921fb54442d18p+1 * (x - whole));
    return (fmod(whole, 2) != 0 ? -s : s) / (0x1.921fb54442d18p+1 * x);
}

#ifdef TERN_MVEC
#define AVX2 __attribute__((target("avx2")))
typedef double four __attribute__((vector_size(32)));

/* A function of the vector library, and its loop; n is a multiple of four. */
#define MANY(name)                                                                                 \
    extern four _ZGVdN4v_##name(four x);                                                           \
    AVX2 static void many_##name(const double *x, size_t n, double *out) {                         \
        for (size_t i = 0; i < n; i += FOUR) {                                                     \
            four v;                                                                                \
            memcpy(&v, x + i, sizeof v);                                                           \
            v = _ZGVdN4v_##name(v);                                                                \
            memcpy(out + i, &v, sizeof v);                                                         \
        }                                                                                          \
    }
#define ROW(name, most)                                                                            \
    { #name, name, many_##name, most }
#else
#define MANY(name)
#define ROW(name, most)                                                                            \
    { #name, name, NULL, most }
#endif

MANY(exp)
MANY(exp2)
MANY(expm1)
MANY(log)
MANY(log2)
MANY(log10)
MANY(log1p)
MANY(sin)
MANY(cos)
MANY(tan)
MANY(asin)
MANY(acos)
MANY(atan)
MANY(sinh)
MANY(cosh)
MANY(tanh)
MANY(asinh)
MANY(acosh)
MANY(atanh)
MANY(erf)
MANY(erfc)

#ifdef TERN_MVEC
static void many_sigmoid(const double *x, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) out[i] = -x[i];
    many_exp(out, n, out);
    for (size_t i = 0; i < n; i++) out[i] = 1 / (1 + out[i]);
}
static void many_log_sigmoid(const double *x, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) out[i] = x[i] > 700 || x[i] < -700 ? -700 : -fabs(x[i]);
    many_exp(out, n, out);
    many_log1p(out, n, out);
    for (size_t i = 0; i < n; i++) out[i] = (x[i] < 0 ? x[i] : 0) - out[i];
}
#else
#define many_sigmoid     NULL
#define many_log_sigmoid NULL
#endif

const ulp_row ulp_rows[] = {
    {"square", of_square, NULL, INFINITY},
    {"reciprocal", of_reciprocal, NULL, INFINITY},
    {"sqrt", sqrt, NULL, INFINITY},
    {"rsqrt", of_rsqrt, NULL, INFINITY},
    ROW(exp, 700),
    ROW(exp2, 1000),
    ROW(expm1, 700),
    ROW(log, INFINITY),
    ROW(log2, INFINITY),
    ROW(log10, INFINITY),
    ROW(log1p, INFINITY),
    ROW(sin, INFINITY),
    ROW(cos, INFINITY),
    ROW(tan, INFINITY),
    ROW(asin, INFINITY),
    ROW(acos, INFINITY),
    ROW(atan, INFINITY),
    ROW(sinh, 700),
    ROW(cosh, 700),
    ROW(tanh, 300),
    ROW(asinh, INFINITY),
    ROW(acosh, INFINITY),
    ROW(atanh, INFINITY),
    ROW(erf, 20),
    ROW(erfc, 25),
    {"sigmoid", of_sigmoid, many_sigmoid, 700},
    {"sinc", of_sinc, NULL, INFINITY},
    {"log_sigmoid", of_log_sigmoid, many_log_sigmoid, INFINITY},
};
const int ulp_row_count = sizeof ulp_rows / sizeof ulp_rows[0];

/* Whether the vector library's functions can run. */
static bool has_vectors(void) {
#ifdef TERN_MVEC
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

static double at_most(double x, double most) {
    return x > most ? most : x < -most ? -most : x;
}

void ulp_truths(const ulp_row *row, const float *x, size_t n, double *out) {
    double some[SOME];
    for (size_t at = 0; at < n; at += SOME) {
        size_t count = n - at < SOME ? n - at : SOME;
        for (size_t i = 0; i < count; i++) some[i] = at_most((double)x[at + i], row->most);
        if (row->truths && count % FOUR == 0 && has_vectors()) {
            row->truths(some, count, out + at);
            continue;
        }
        for (size_t i = 0; i < count; i++) out[at + i] = row->truth(some[i]);
    }
}
