/*
 * sweep.c: the functions of float32 over all of their inputs, against the C library's in float64.
 *
 * These are good to a few ulp of float64, which is a hundred-millionth of one of float32: quick enough to look
 * at a fast device's functions one after the other, whose errors are around an ulp. What is a function of
 * numerics/ on every device (erfinv, the gammas) has no row here; main.c measures it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tern/ops.h"
#include "tern/tensor.h"
#include "ulp.h"

enum { CHUNK = 1 << 20 };

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

static const struct row {
    const char *name;
    double (*truth)(double);
} rows[] = {
    {"square", of_square}, {"reciprocal", of_reciprocal},
    {"sqrt", sqrt},        {"rsqrt", of_rsqrt},
    {"exp", exp},          {"exp2", exp2},
    {"expm1", expm1},      {"log", log},
    {"log2", log2},        {"log10", log10},
    {"log1p", log1p},      {"sin", sin},
    {"cos", cos},          {"tan", tan},
    {"asin", asin},        {"acos", acos},
    {"atan", atan},        {"sinh", sinh},
    {"cosh", cosh},        {"tanh", tanh},
    {"asinh", asinh},      {"acosh", acosh},
    {"atanh", atanh},      {"erf", erf},
    {"erfc", erfc},        {"sigmoid", of_sigmoid},
    {"sinc", of_sinc},     {"log_sigmoid", of_log_sigmoid},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* The function of n inputs, on the device; false after an error, which it prints. */
static bool run(tern_ctx *ctx, const ulp_function *function, const float *x, size_t n, float *got) {
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *input = tern_from_data(ctx, x, TERN_SHAPE((int64_t)n), TERN_FLOAT32);
    tern_value arg = tern_tensor_value(input);
    tern_value result = tern_call(ctx, function->op, &arg, 1, tern_none());
    tern_tensor *out = result.kind == TERN_VALUE_TENSOR ? result.as.tensor : NULL;
    bool ok = tern_to_host(out, got, n * sizeof *got) == TERN_OK && tern_check(ctx) == TERN_OK;
    if (!ok) fprintf(stderr, "ulp: %s: %s\n", function->op, tern_error(ctx));
    tern_error_clear(ctx);
    tern_scope_end(scope);
    return ok;
}

/* What is beyond float32 counts as the number after the largest. */
static double within(double x) {
    return x > 0x1p128 ? 0x1p128 : x < -0x1p128 ? -0x1p128 : x;
}

/* As ulp_error, of float32. */
static double distance(float got, double exact) {
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : (double)INFINITY;
    double given = within((double)got), inverse; /* of an ulp, 2^(23 - exponent) */
    exact = within(exact);
    uint64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    int64_t exponent = (int64_t)(bits >> 52 & 0x7ff) - 1023;
    if (exponent < -126) exponent = -126;
    if (exponent > 127) exponent = 127;
    bits = (uint64_t)(1023 + 23 - exponent) << 52;
    memcpy(&inverse, &bits, sizeof inverse);
    return fabs(given - exact) * inverse;
}

static bool sweep(tern_ctx *ctx, const struct row *row, int64_t step, ulp_worst *worst) {
    const ulp_function *function = ulp_function_named(row->name);
    float *x = malloc(CHUNK * sizeof *x), *got = malloc(CHUNK * sizeof *got);
    bool ok = x && got;
    for (int64_t at = 0, n; ok && at <= UINT32_MAX; at += n * step) {
        n = (UINT32_MAX - at) / step + 1;
        if (n > CHUNK) n = CHUNK;
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits = (uint32_t)(at + i * step);
            memcpy(&x[i], &bits, sizeof bits);
        }
        ok = run(ctx, function, x, (size_t)n, got);
        for (int64_t i = 0; ok && i < n; i++) {
            double error = distance(got[i], row->truth((double)x[i]));
            if (error > worst->error)
                *worst = (ulp_worst){.error = error, .x = (double)x[i], .got = (double)got[i]};
        }
    }
    free(x);
    free(got);
    return ok;
}

int ulp_run_sweep(const char *device, const char *only, int64_t step, double limit) {
    tern_ctx *ctx = tern_open(device);
    bool ok = tern_check(ctx) == TERN_OK, known = !only;
    if (!ok) fprintf(stderr, "ulp: %s\n", tern_error(ctx));
    for (int i = 0; ok && i < ROWS; i++) {
        ulp_worst worst = {0};
        if (only && strcmp(only, rows[i].name) != 0) continue;
        known = true;
        ok = sweep(ctx, &rows[i], step, &worst);
        if (!ok) break;
        printf("%-12s %.4f ulp: %a gives %a\n", rows[i].name, worst.error, worst.x, worst.got);
        fflush(stdout);
        if (worst.error <= limit) continue;
        fprintf(stderr, "ulp: %s is %.4f ulp off where %.4f are allowed\n", rows[i].name,
                worst.error, limit);
        ok = false;
    }
    if (!known) fprintf(stderr, "ulp: '%s' has no truth in float64: leave out --sweep\n", only);
    tern_close(ctx);
    return ok && known ? 0 : 1;
}
