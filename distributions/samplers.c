/*
 * samplers.c: gamma and Poisson numbers, drawn by the host one after the other in PyTorch's order.
 *
 * Gamma: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000), with the boost for
 * concentrations below 1. Poisson: by products of uniforms (Knuth) below 10, by transformed rejection from 10 on
 * (Hoermann, "The transformed rejection method for generating Poisson random variables", 1993, PTRS).
 */
#include <math.h>

#include "internal.h"

/* Where numbers come from. A normal one is drawn through a tensor of one element, which uses the generator's
 * cache of the second number of a pair as PyTorch does. */
typedef struct source {
    tern_generator *generator;
    tern_tensor *cell;
    bool narrow; /* arithmetic on the concentration is in float32 */
} source;

/* Uniform in [0, 1), of 53 bits. */
static double uniform(source *s) {
    return (double)(tern_generator_next_u64(s->generator) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

static double normal(source *s) {
    double x = NAN;
    tern_scope scope = tern_scope_begin(tern_context_of(s->cell), TERN_NO_GRAD);
    tern_normal_in_place(s->cell, 0, 1, s->generator);
    bool read = tern_to_doubles(s->cell, &x, 1) == TERN_OK;
    tern_scope_end(scope);
    return read ? x : NAN;
}

/* NaN after latching. */
static double gamma_number(source *s, double alpha) {
    double scale = 1;
    if (alpha < 1) {
        if (alpha == 0) return 0;
        scale = pow(1 - uniform(s), 1 / alpha);
        alpha = s->narrow ? (double)(float)(alpha + 1) : alpha + 1;
    }
    double d = alpha - (double)(1.0f / 3), /* PyTorch's third is a float, also in float64 */
        c = 1 / sqrt(9 * d);
    for (;;) {
        double x, y;
        do {
            x = normal(s);
            y = 1 + c * x;
        } while (y <= 0);
        if (!(y > 0)) return NAN;
        double v = y * y * y, u = 1 - uniform(s), xx = x * x;
        if (u < 1 - 0.0331 * xx * xx || log(u) < 0.5 * xx + d * (1 - v + log(v)))
            return scale * d * v;
    }
}

static double poisson_by_products(source *s, double rate) {
    double least = exp(-rate), product = 1;
    if (rate == 0) return 0;
    for (int64_t k = 0;; k++) {
        product *= uniform(s);
        if (!(product > least)) return (double)k;
    }
}

static double poisson_number(source *s, double rate) {
    if (!(rate >= 10)) return rate >= 0 ? poisson_by_products(s, rate) : NAN;
    if (isinf(rate)) return NAN;
    double log_rate = log(rate), b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
    double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = uniform(s) - 0.5, v = uniform(s), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= v_r) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <=
            -rate + k * log_rate - lgamma(k + 1))
            return k;
    }
}

/* A float64 tensor on `like`'s device, of its shape, with a number for each of its elements. */
static tern_tensor *draw_each(const char *name, tern_tensor *like, tern_generator *generator,
                              double (*number)(source *s, double parameter)) {
    tern_ctx *ctx = tern_context_of(like);
    size_t count = (size_t)tern_numel(like);
    if (tern_check(ctx)) return tern_nil(ctx);
    double *values = tern_alloc_zeroed(count ? count : 1, sizeof *values);
    source s = {generator ? generator : tern_default_generator(ctx), NULL,
                tern_dtype_of(like) != TERN_FLOAT64};
    s.cell = tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT64);
    if (!values)
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", name);
    else if (tern_to_doubles(like, values, count) == TERN_OK)
        for (size_t i = 0; i < count && !tern_check(ctx); i++) values[i] = number(&s, values[i]);
    tern_tensor *drawn = tern_nil(ctx);
    if (!tern_check(ctx)) drawn = tern_from_data(ctx, values, tern_shape_of(like), TERN_FLOAT64);
    tern_free(values);
    return drawn;
}

tern_tensor *dist_draw_gamma(const char *name, tern_tensor *concentration, bool wide,
                             tern_generator *generator) {
    tern_tensor *alpha = wide ? tern_as_double(concentration) : concentration;
    tern_tensor *x = draw_each(name, tern_detach(alpha), generator, gamma_number);
    if (wide) return x;
    return tern_clamp_min(tern_to_other(x, concentration), dist_tiny(tern_dtype_of(concentration)));
}

tern_tensor *dist_draw_dirichlet(const char *name, tern_tensor *concentration,
                                 tern_generator *generator) {
    tern_dtype dtype = tern_dtype_of(concentration);
    tern_tensor *x = dist_draw_gamma(name, concentration, true, generator);
    x = tern_div(x, tern_sum_dims(x, (tern_shape){1, {-1}}, true));
    x = tern_clamp(x, dist_tiny(dtype), 1 - dist_eps(dtype) / 2);
    return tern_to_other(x, concentration);
}

tern_tensor *dist_draw_poisson(tern_tensor *rate, tern_generator *generator) {
    return tern_to_other(draw_each("Poisson", tern_detach(rate), generator, poisson_number), rate);
}
