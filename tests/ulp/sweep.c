/*
 * sweep.c: the functions of float32 over all of their inputs, against the C library's in float64 (truths.c),
 * quick enough to look at all of a fast device's functions, whose errors are around an ulp.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tern/ops.h"
#include "tern/tensor.h"
#include "ulp.h"

enum { CHUNK = 1 << 14 }; /* fits the caches */

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

/* As ulp_error, of float32. Without branches, so that compilers make vectors of it. */
static inline double distance(float got, double exact) {
    double given = within((double)got), inverse; /* of an ulp, 2^(23 - exponent) */
    bool is_nan = isnan(exact), off = is_nan != isnan(got);
    exact = within(exact);
    uint64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    uint64_t exponent = bits >> 52 & 0x7ff, low = 1023 - 126, high = 1023 + 127;
    exponent = exponent < low ? low : exponent > high ? high : exponent;
    bits = (uint64_t)(2 * 1023 + 23 - exponent) << 52;
    memcpy(&inverse, &bits, sizeof inverse);
    double error = fabs(given - exact) * inverse;
    return off ? (double)INFINITY : is_nan ? 0 : error;
}

/* The most that one of n results is off. */
ULP_VECTORS static double most_distant(const float *got, const double *exact, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double error = distance(got[i], exact[i]);
        most = error > most ? error : most;
    }
    return most;
}

/* Finds what is further off than `worst`, by truths that are computed singly. */
static void look_closer(const ulp_row *row, const float *x, const float *got, const double *exact,
                        size_t n, ulp_worst *worst) {
    for (size_t i = 0; i < n; i++) {
        if (distance(got[i], exact[i]) <= worst->error) continue;
        double error = distance(got[i], row->truth((double)x[i]));
        if (error > worst->error)
            *worst = (ulp_worst){.error = error, .x = (double)x[i], .got = (double)got[i]};
    }
}

/* Inputs at..at + n * step, by their bits. */
static void fill(float *x, int64_t at, int64_t step, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)(at + i * step);
        memcpy(&x[i], &bits, sizeof bits);
    }
}

static bool sweep(tern_ctx *ctx, const ulp_row *row, int64_t step, ulp_worst *worst) {
    const ulp_function *function = ulp_function_named(row->name);
    float *x = calloc(CHUNK, sizeof *x), *got = malloc(CHUNK * sizeof *got);
    double *exact = malloc(CHUNK * sizeof *exact);
    bool ok = x && got && exact;
    for (int64_t at = 0, n; ok && at <= UINT32_MAX; at += n * step) {
        n = (UINT32_MAX - at) / step + 1;
        if (n > CHUNK) n = CHUNK;
        fill(x, at, step, n);
        ok = run(ctx, function, x, (size_t)n, got);
        if (!ok) break;
        ulp_truths(row, x, (size_t)n, exact);
        if (most_distant(got, exact, (size_t)n) > worst->error)
            look_closer(row, x, got, exact, (size_t)n, worst);
    }
    free(x);
    free(got);
    free(exact);
    return ok;
}

int ulp_run_sweep(const char *device, const char *only, int64_t step, double limit) {
    tern_ctx *ctx = tern_open(device);
    bool ok = tern_check(ctx) == TERN_OK, known = !only;
    if (!ok) fprintf(stderr, "ulp: %s\n", tern_error(ctx));
    for (int i = 0; ok && i < ulp_row_count; i++) {
        ulp_worst worst = {0};
        if (only && strcmp(only, ulp_rows[i].name) != 0) continue;
        known = true;
        ok = sweep(ctx, &ulp_rows[i], step, &worst);
        if (!ok) break;
        printf("%-12s %.4f ulp: %a gives %a\n", ulp_rows[i].name, worst.error, worst.x, worst.got);
        fflush(stdout);
        if (worst.error <= limit) continue;
        fprintf(stderr, "ulp: %s is %.4f ulp off where %.4f are allowed\n", ulp_rows[i].name,
                worst.error, limit);
        ok = false;
    }
    if (!known) fprintf(stderr, "ulp: '%s' has no truth in float64: leave out --sweep\n", only);
    tern_close(ctx);
    return ok && known ? 0 : 1;
}
