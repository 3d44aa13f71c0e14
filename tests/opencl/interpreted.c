/*
 * tern_opencl_interpreted DEVICE OTHER: a program gives the same bits whether it is a kernel of its own or is
 * interpreted.
 *
 * OTHER interprets every program that it may; where it is the same device, TERN_OPENCL_INTERPRET says so. Each
 * formula holds several functions, one of which the integer K picks for an element, so that few kernels are
 * compiled. Numbers are every kind of bits: all exponents, subnormals, infinities and NaN, and numbers near 1.
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/formula.h"
#include "tern/tern.h"

enum { ROWS = 24, COLUMNS = 331, COUNT = ROWS * COLUMNS };

static const char *const floating[] = {
    "exp(X)",
    "exp2(X)",
    "expm1(X)",
    "log(X)",
    "log2(X)",
    "log10(X)",
    "log1p(X)",
    "sin(X)",
    "cos(X)",
    "tan(X)",
    "asin(X)",
    "acos(X)",
    "atan(X)",
    "sinh(X)",
    "cosh(X)",
    "tanh(X)",
    "asinh(X)",
    "acosh(X)",
    "atanh(X)",
    "erf(X)",
    "erfc(X)",
    "erfinv(X)",
    "lgamma(X)",
    "digamma(X)",
    "trigamma(X)",
    "sinc(X)",
    "sigmoid(X)",
    "logsigmoid(X)",
    "sqrt(X)",
    "rsqrt(X)",
    "reciprocal(X)",
    "X / Y",
    "X ** Y",
    "atan2(X, Y)",
    "hypot(X, Y)",
    "xlogy(X, Y)",
    "logaddexp(X, Y)",
    "logaddexp2(X, Y)",
    "lerp(X, Y, Z)",
    "addcdiv(X, Y, Z, 0.3)",
    /* a sum of a product must not become one rounding in one of the two */
    "X * Y + Z",
    "X * X - Y * Y",
    "X * 1.7 + Y * 0.3 + Z",
    "addcmul(X, Y, Z, 0.3)",
    "gelu(X) * Y",
    "frac(X)",
    "copysign(X, Y)",
    "add(X, Y, 0.3)",
    "sub(X, Y, 1.7)",
};
static const char *const any[] = {
    "abs(X)",        "sign(X)",         "square(X)",
    "floor(X)",      "ceil(X)",         "trunc(X)",
    "round(X)",      "relu(X)",         "-X",
    "X + Y",         "X - Y",           "X * Y",
    "X // 3",        "X % 7",           "fmod(X, 5)",
    "maximum(X, Y)", "minimum(X, Y)",   "fmax(X, Y)",
    "fmin(X, Y)",    "clamp(X, -3, 4)", "where(X < Y, X, Z)",
    "X * Y + Z",
};

static const struct {
    tern_dtype dtype;
    const char *name;
    bool is_floating;
} dtypes[] = {{TERN_FLOAT32, "float32", true}, {TERN_FLOAT64, "float64", true},
              {TERN_FLOAT16, "float16", true}, {TERN_BFLOAT16, "bfloat16", true},
              {TERN_INT64, "int64", false},    {TERN_INT32, "int32", false},
              {TERN_UINT8, "uint8", false}};

static uint64_t state;

static uint64_t next_number(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Bits of any kind, in half of the places; small numbers with fractions, or integers, in the others. */
static void fill(double *out, bool is_floating) {
    for (int i = 0; i < COUNT; i++) {
        uint64_t bits = next_number();
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        double small = (double)(int64_t)(bits >> 40) / (1 << 20) - 8;
        out[i] = !is_floating ? floor(small * 12) : bits >> 63 ? (double)single : small;
    }
}

/* where(K < 1, f0, where(K < 2, f1, ... fn)) */
static void compose(char *out, size_t size, const char *const *functions, int count) {
    int at = 0;
    for (int i = 0; i + 1 < count; i++)
        at += snprintf(out + at, size - (size_t)at, "where(K < %d, %s, ", i + 1, functions[i]);
    at += snprintf(out + at, size - (size_t)at, "%s", functions[count - 1]);
    while (--count) at += snprintf(out + at, size - (size_t)at, ")");
}

static tern_tensor *numbers(tern_ctx *ctx, const double *data, tern_dtype dtype) {
    return tern_to_dtype(tern_from_data(ctx, data, TERN_SHAPE(ROWS, COLUMNS), TERN_FLOAT64), dtype);
}

static struct { double x[COUNT], y[COUNT], z[COUNT], k[COUNT]; } in;
static double now[COUNT];

/* Computes a formula of what is in `in` on a device; false after an error. */
static bool result(tern_ctx *ctx, const char *formula, tern_dtype dtype) {
    static const char *const names[] = {"K", "X", "Y", "Z"};
    const double *const data[] = {in.k, in.x, in.y, in.z};
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_value dict = tern_dict_new(ctx, false);
    for (int i = 0; i < 4; i++)
        if (strchr(formula, *names[i]))
            tern_dict_set(dict, names[i], tern_tensor_value(numbers(ctx, data[i], dtype)));
    bool done = tern_to_doubles(tern_map(ctx, formula, dict), now, COUNT) == TERN_OK;
    tern_scope_end(scope);
    return done;
}

/* What the device that compiles gave, for each formula in order. */
#define MOST_RESULTS 64
static struct {
    double values[MOST_RESULTS][COUNT];
    int count;
} compiled;

/* How many elements differ, of which the first is named. Which NaN it is does not count. */
static int compare(const double *wanted, const char *const *functions, const char *dtype) {
    int differ = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (memcmp(&wanted[i], &now[i], sizeof now[i]) == 0 || (isnan(wanted[i]) && isnan(now[i])))
            continue;
        if (differ++ == 0)
            fprintf(stderr, "%s of %s gives %a and %a at X = %a, Y = %a, Z = %a\n",
                    functions[(int)in.k[i]], dtype, wanted[i], now[i], in.x[i], in.y[i], in.z[i]);
    }
    return differ;
}

#define AT_ONCE 8 /* functions in a formula */

/* The number of elements that differ from what is in `compiled`, or puts them there; -1 after an error. */
static int run(tern_ctx *ctx, const char *const *functions, int count, int dtype, bool is_first) {
    int differ = 0;
    for (int first = 0; first < count; first += AT_ONCE) {
        char formula[1024];
        int some = count - first < AT_ONCE ? count - first : AT_ONCE;
        compose(formula, sizeof formula, functions + first, some);
        fill(in.x, dtypes[dtype].is_floating);
        fill(in.y, dtypes[dtype].is_floating);
        fill(in.z, dtypes[dtype].is_floating);
        for (int i = 0; i < COUNT; i++) in.k[i] = (double)(next_number() % (uint64_t)some);
        if (compiled.count == MOST_RESULTS || !result(ctx, formula, dtypes[dtype].dtype)) return -1;
        double *kept = compiled.values[compiled.count++];
        if (is_first)
            memcpy(kept, now, sizeof now);
        else
            differ += compare(kept, functions + first, dtypes[dtype].name);
    }
    return differ;
}

#define COUNT_OF(all) ((int)(sizeof(all) / sizeof *(all)))

/* The same of every formula on one device, which is closed again: a process opens a device once. */
static int run_all(const char *device, bool is_first) {
    tern_ctx *ctx = tern_open(device);
    int differ = 0, some = 0;
    compiled.count = 0;
    state = UINT64_C(88172645463325252);
    for (int d = 0; some >= 0 && d < COUNT_OF(dtypes); d++) {
        if (dtypes[d].is_floating) some = run(ctx, floating, COUNT_OF(floating), d, is_first);
        differ += some;
        if (some >= 0) some = run(ctx, any, COUNT_OF(any), d, is_first);
        differ += some;
    }
    if (tern_check(ctx) != TERN_OK) fprintf(stderr, "%s\n", tern_error(ctx));
    return tern_close(ctx) == TERN_OK && some >= 0 ? differ : -1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    setenv("TERN_OPENCL_INTERPRET", "never", 1);
    if (run_all(argv[1], true) < 0) return 1;
    setenv("TERN_OPENCL_INTERPRET", "always", 1);
    int differ = run_all(argv[2], false);
    printf("%d formulas, %d elements differ\n", compiled.count, differ);
    return differ == 0 ? 0 : 1;
}
