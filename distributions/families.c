/* families.c: the families over numbers, whose quantities are formulas, and how they draw. */
#include "internal.h"

/* ---- draws: PyTorch fills a new row-major tensor of the shape, and works on from there ---- */

static tern_tensor *noise(const dist_body *d, tern_shape shape) {
    return tern_new_zeros(d->parameter[0], shape);
}

/* formula(parameters, x) for the noise x. */
static tern_tensor *from_noise(const dist_body *d, const char *formula, tern_tensor *x) {
    dist_names names = {0};
    dist_names_add(&names, "", d);
    dist_names_put(&names, "x", x);
    return dist_map(d->ctx, formula, &names);
}

static tern_tensor *draw_normal(const dist_body *d, tern_shape shape, tern_generator *generator) {
    return from_noise(d, "x * scale + loc", tern_normal_in_place(noise(d, shape), 0, 1, generator));
}

static tern_tensor *draw_log_normal(const dist_body *d, tern_shape shape,
                                    tern_generator *generator) {
    return tern_exp(draw_normal(d, shape, generator));
}

static tern_tensor *draw_uniform(const dist_body *d, tern_shape shape, tern_generator *generator) {
    return from_noise(d, "low + x * (high - low)",
                      tern_uniform_in_place(noise(d, shape), 0, 1, generator));
}

static tern_tensor *draw_laplace(const dist_body *d, tern_shape shape, tern_generator *generator) {
    double least = dist_eps(tern_dtype_of(d->parameter[0])) - 1; /* the logarithm of 0 is no draw */
    return from_noise(d, "loc - scale * sign(x) * log1p(-abs(x))",
                      tern_uniform_in_place(noise(d, shape), least, 1, generator));
}

static tern_tensor *draw_exponential(const dist_body *d, tern_shape shape,
                                     tern_generator *generator) {
    return from_noise(d, "x / rate", tern_exponential_in_place(noise(d, shape), 1, generator));
}

static tern_tensor *draw_gamma(const dist_body *d, tern_shape shape, tern_generator *generator) {
    tern_tensor *x =
        dist_draw_gamma("Gamma", tern_expand(d->parameter[0], shape), false, generator);
    return tern_clamp_min(from_noise(d, "x / rate", x), dist_tiny(tern_dtype_of(x)));
}

/* The first of a Dirichlet's two numbers. */
static tern_tensor *draw_beta(const dist_body *d, tern_shape shape, tern_generator *generator) {
    tern_tensor *both[2] = {tern_expand(d->parameter[0], shape),
                            tern_expand(d->parameter[1], shape)};
    return tern_select(dist_draw_dirichlet("Beta", tern_stack(both, 2, -1), generator), -1, 0);
}

static tern_tensor *draw_poisson(const dist_body *d, tern_shape shape, tern_generator *generator) {
    return dist_draw_poisson(tern_expand(d->parameter[0], shape), generator);
}

static tern_tensor *draw_bernoulli(const dist_body *d, tern_shape shape,
                                   tern_generator *generator) {
    return tern_bernoulli(tern_expand(d->parameter[0], shape), generator);
}

/* ---- the real line --------------------------------------------------------------------------- */

const dist_family dist_normal = {
    .name = "Normal",
    .parameter = {"loc", "scale"},
    .constraint = "loc == loc and scale > 0",
    .support = "x == x",
    .formula =
        {
            [DIST_LOG_PROB] = "-(x - loc) ** 2 / (2 * scale ** 2) - log(scale) - log(2 * pi) / 2",
            [DIST_ENTROPY] = "0.5 + 0.5 * log(2 * pi) + log(scale)",
            [DIST_MEAN] = "loc",
            [DIST_VARIANCE] = "scale ** 2",
            [DIST_CDF] = "0.5 * (1 + erf((x - loc) / scale / sqrt(2)))",
            [DIST_ICDF] = "loc + scale * erfinv(2 * x - 1) * sqrt(2)",
        },
    .draw = draw_normal,
    .reparametrized = true,
};

const dist_family dist_laplace = {
    .name = "Laplace",
    .parameter = {"loc", "scale"},
    .constraint = "loc == loc and scale > 0",
    .support = "x == x",
    .formula =
        {
            [DIST_LOG_PROB] = "-log(2 * scale) - abs(x - loc) / scale",
            [DIST_ENTROPY] = "1 + log(2 * scale)",
            [DIST_MEAN] = "loc",
            [DIST_VARIANCE] = "2 * scale ** 2",
            [DIST_CDF] = "0.5 - 0.5 * sign(x - loc) * expm1(-abs(x - loc) / scale)",
            [DIST_ICDF] = "loc - scale * sign(x - 0.5) * log1p(-2 * abs(x - 0.5))",
        },
    .draw = draw_laplace,
    .reparametrized = true,
};

const dist_family dist_uniform = {
    .name = "Uniform",
    .parameter = {"low", "high"},
    .constraint = "low < high",
    .support = "low <= x and x <= high",
    .formula =
        {
            [DIST_LOG_PROB] = "where(low <= x and x < high, 0, -inf) - log(high - low)",
            [DIST_ENTROPY] = "log(high - low)",
            [DIST_MEAN] = "(high + low) / 2",
            [DIST_VARIANCE] = "(high - low) ** 2 / 12",
            [DIST_CDF] = "clamp((x - low) / (high - low), 0, 1)",
            [DIST_ICDF] = "x * (high - low) + low",
        },
    .draw = draw_uniform,
    .reparametrized = true,
};

/* ---- the positive half ----------------------------------------------------------------------- */

const dist_family dist_log_normal = {
    .name = "LogNormal",
    .parameter = {"loc", "scale"},
    .constraint = "loc == loc and scale > 0",
    .support = "x > 0",
    .formula =
        {
            [DIST_LOG_PROB] =
                "y = log(x); -(y - loc) ** 2 / (2 * scale ** 2) - log(scale) - log(2 * pi) / 2 - y",
            [DIST_ENTROPY] = "0.5 + 0.5 * log(2 * pi) + log(scale) + loc",
            [DIST_MEAN] = "exp(loc + scale ** 2 / 2)",
            [DIST_VARIANCE] = "expm1(scale ** 2) * exp(2 * loc + scale ** 2)",
            [DIST_CDF] = "0.5 * (1 + erf((log(x) - loc) / scale / sqrt(2)))",
            [DIST_ICDF] = "exp(loc + scale * erfinv(2 * x - 1) * sqrt(2))",
        },
    .draw = draw_log_normal,
    .reparametrized = true,
};

const dist_family dist_exponential = {
    .name = "Exponential",
    .parameter = {"rate"},
    .constraint = "rate > 0",
    .support = "x >= 0",
    .formula =
        {
            [DIST_LOG_PROB] = "log(rate) - rate * x",
            [DIST_ENTROPY] = "1 - log(rate)",
            [DIST_MEAN] = "1 / rate",
            [DIST_VARIANCE] = "1 / rate ** 2",
            [DIST_CDF] = "1 - exp(-rate * x)",
            [DIST_ICDF] = "-log1p(-x) / rate",
        },
    .draw = draw_exponential,
    .reparametrized = true,
};

/* The regularised incomplete gamma function is no formula. */
static tern_tensor *compute_gamma(const dist_body *d, int quantity, tern_tensor *x) {
    if (quantity != DIST_CDF) return NULL;
    return tern_igamma(d->parameter[0], tern_mul(d->parameter[1], x));
}

const dist_family dist_gamma = {
    .name = "Gamma",
    .parameter = {"concentration", "rate"},
    .constraint = "concentration > 0 and rate > 0",
    .support = "x >= 0",
    .formula =
        {
            [DIST_LOG_PROB] = "xlogy(concentration, rate) + xlogy(concentration - 1, x) - rate * x "
                              "- lgamma(concentration)",
            [DIST_ENTROPY] = "concentration - log(rate) + lgamma(concentration) "
                             "+ (1 - concentration) * digamma(concentration)",
            [DIST_MEAN] = "concentration / rate",
            [DIST_VARIANCE] = "concentration / rate ** 2",
        },
    .compute = compute_gamma,
    .draw = draw_gamma,
    .reparametrized = true,
    .implicit = true,
};

const dist_family dist_beta = {
    .name = "Beta",
    .parameter = {"concentration1", "concentration0"},
    .constraint = "concentration1 > 0 and concentration0 > 0",
    .support = "x >= 0 and x <= 1",
    .formula =
        {
            [DIST_LOG_PROB] = "xlogy(concentration1 - 1, x) + xlogy(concentration0 - 1, 1 - x) "
                              "+ lgamma(concentration1 + concentration0) - lgamma(concentration1) "
                              "- lgamma(concentration0)",
            [DIST_ENTROPY] = "s = concentration1 + concentration0; lgamma(concentration1) "
                             "+ lgamma(concentration0) - lgamma(s) - (2 - s) * digamma(s) "
                             "- (concentration1 - 1) * digamma(concentration1) "
                             "- (concentration0 - 1) * digamma(concentration0)",
            [DIST_MEAN] = "concentration1 / (concentration1 + concentration0)",
            [DIST_VARIANCE] = "s = concentration1 + concentration0; "
                              "concentration1 * concentration0 / (s ** 2 * (s + 1))",
        },
    .draw = draw_beta,
    .reparametrized = true,
    .implicit = true,
};

/* ---- counts ---------------------------------------------------------------------------------- */

const dist_family dist_poisson = {
    .name = "Poisson",
    .parameter = {"rate"},
    .constraint = "rate >= 0",
    .support = "x >= 0 and x == floor(x)",
    .formula =
        {
            [DIST_LOG_PROB] = "xlogy(x, rate) - rate - lgamma(x + 1)",
            [DIST_MEAN] = "rate",
            [DIST_VARIANCE] = "rate",
        },
    .draw = draw_poisson,
};

/* By the log-odds, which lose nothing near 0 and 1. */
const dist_family dist_bernoulli = {
    .name = "Bernoulli",
    .parameter = {"probs", "logits"},
    .constraint = "probs >= 0 and probs <= 1 and logits == logits",
    .support = "x == 0 or x == 1",
    .formula =
        {
            [DIST_LOG_PROB] = "x * logits + logsigmoid(-logits)",
            [DIST_ENTROPY] = "-probs * logits - logsigmoid(-logits)",
            [DIST_MEAN] = "probs",
            [DIST_VARIANCE] = "probs * (1 - probs)",
        },
    .draw = draw_bernoulli,
};

/* ---- constructors ---------------------------------------------------------------------------- */

static tern_distribution *make(const dist_family *family, tern_tensor *first, tern_tensor *second) {
    tern_tensor *tensors[DIST_PARAMETERS] = {first, second};
    return dist_make(family, tensors, NULL);
}

tern_distribution *tern_distribution_normal(tern_tensor *loc, tern_tensor *scale) {
    return make(&dist_normal, loc, scale);
}

tern_distribution *tern_distribution_log_normal(tern_tensor *loc, tern_tensor *scale) {
    return make(&dist_log_normal, loc, scale);
}

tern_distribution *tern_distribution_uniform(tern_tensor *low, tern_tensor *high) {
    return make(&dist_uniform, low, high);
}

tern_distribution *tern_distribution_laplace(tern_tensor *loc, tern_tensor *scale) {
    return make(&dist_laplace, loc, scale);
}

tern_distribution *tern_distribution_exponential(tern_tensor *rate) {
    return make(&dist_exponential, rate, NULL);
}

tern_distribution *tern_distribution_gamma(tern_tensor *concentration, tern_tensor *rate) {
    return make(&dist_gamma, concentration, rate);
}

tern_distribution *tern_distribution_beta(tern_tensor *concentration1,
                                          tern_tensor *concentration0) {
    return make(&dist_beta, concentration1, concentration0);
}

tern_distribution *tern_distribution_poisson(tern_tensor *rate) {
    return make(&dist_poisson, rate, NULL);
}

tern_distribution *tern_distribution_bernoulli(tern_tensor *probs, tern_tensor *logits) {
    if (!dist_one_of("Bernoulli", "probs", probs, "logits", logits)) return NULL;
    if (logits) return make(&dist_bernoulli, tern_sigmoid(logits), logits);
    double eps = dist_eps(tern_dtype_of(probs));
    tern_tensor *inside = tern_clamp(probs, eps, 1 - eps);
    return make(&dist_bernoulli, probs, dist_map_x("log(x) - log1p(-x)", inside));
}
