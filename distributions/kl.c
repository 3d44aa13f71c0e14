/* kl.c: divergences of Kullback and Leibler between pairs of families, in closed form. */
#include <math.h>

#include "internal.h"

/* Formulas over the parameters of p and q, with p_ and q_ before their names. */
typedef struct pair {
    const dist_family *p, *q;
    const char *formula; /* NULL: infinite, since q gives no weight to a part of p's support */
} pair;

#define EULER "0.57721566490153286061"

/* Minus the entropies. */
#define BETA_NEGATIVE                                                                              \
    "s = p_concentration1 + p_concentration0; m = p_concentration1 / s; "                          \
    "n = lgamma(s) - lgamma(p_concentration1) - lgamma(p_concentration0) "                         \
    "+ (2 - s) * digamma(s) + (p_concentration1 - 1) * digamma(p_concentration1) "                 \
    "+ (p_concentration0 - 1) * digamma(p_concentration0); "
#define GAMMA_NEGATIVE                                                                             \
    "n = log(p_rate) - p_concentration - lgamma(p_concentration) "                                 \
    "+ (p_concentration - 1) * digamma(p_concentration); "

/* The mean logarithm of a uniform number, w - 1, is of x log x between its bounds. */
#define UNIFORM "w = p_high - p_low; l = (xlogy(p_high, p_high) - xlogy(p_low, p_low)) / w - 1; "

static const pair pairs[] = {
    {&dist_normal, &dist_normal,
     "r = (p_scale / q_scale) ** 2; 0.5 * (r + ((p_loc - q_loc) / q_scale) ** 2 - 1 - log(r))"},
    {&dist_log_normal, &dist_log_normal,
     "r = (p_scale / q_scale) ** 2; 0.5 * (r + ((p_loc - q_loc) / q_scale) ** 2 - 1 - log(r))"},
    {&dist_normal, &dist_laplace,
     "d = p_loc - q_loc; z = d / p_scale; (sqrt(2 / pi) * p_scale * exp(-0.5 * z ** 2) "
     "+ d * erf(sqrt(0.5) * z)) / q_scale - log(p_scale / q_scale) - 0.5 * (1 + log(0.5 * pi))"},
    {&dist_laplace, &dist_laplace,
     "r = p_scale / q_scale; d = abs(p_loc - q_loc); "
     "d / q_scale + r * exp(-d / p_scale) - log(r) - 1"},
    {&dist_laplace, &dist_normal,
     "r = (p_scale / q_scale) ** 2; r - 0.5 * log(2 * r / pi) "
     "+ 0.5 * ((p_loc - q_loc) / q_scale) ** 2 - 1"},
    {&dist_exponential, &dist_exponential, "r = q_rate / p_rate; r - log(r) - 1"},
    {&dist_exponential, &dist_gamma,
     "r = q_rate / p_rate; r - q_concentration * log(r) + lgamma(q_concentration) "
     "+ q_concentration * " EULER " - 1 - " EULER},
    {&dist_exponential, &dist_normal,
     "m = 1 / p_rate; 0.5 * log(2 * pi * (p_rate * q_scale) ** 2) - 1 "
     "+ (m ** 2 - q_loc * m + 0.5 * q_loc ** 2) / q_scale ** 2"},
    {&dist_gamma, &dist_gamma,
     "q_concentration * log(p_rate / q_rate) + lgamma(q_concentration) - lgamma(p_concentration) "
     "+ (p_concentration - q_concentration) * digamma(p_concentration) "
     "+ (q_rate - p_rate) * (p_concentration / p_rate)"},
    {&dist_gamma, &dist_exponential,
     GAMMA_NEGATIVE "n - log(q_rate) + q_rate * p_concentration / p_rate"},
    {&dist_gamma, &dist_normal,
     GAMMA_NEGATIVE "m = p_concentration / p_rate; n + 0.5 * log(2 * pi * q_scale ** 2) "
                    "+ 0.5 * (m / p_rate + (m - q_loc) ** 2) / q_scale ** 2"},
    {&dist_beta, &dist_beta,
     "s = p_concentration1 + p_concentration0; t = q_concentration1 + q_concentration0; "
     "lgamma(q_concentration1) + lgamma(q_concentration0) + lgamma(s) "
     "- lgamma(p_concentration1) - lgamma(p_concentration0) - lgamma(t) "
     "+ (p_concentration1 - q_concentration1) * digamma(p_concentration1) "
     "+ (p_concentration0 - q_concentration0) * digamma(p_concentration0) "
     "+ (t - s) * digamma(s)"},
    {&dist_beta, &dist_exponential, BETA_NEGATIVE "n - log(q_rate) + q_rate * m"},
    {&dist_beta, &dist_gamma,
     BETA_NEGATIVE
     "n + lgamma(q_concentration) - q_concentration * log(q_rate) "
     "- (q_concentration - 1) * (digamma(p_concentration1) - digamma(s)) + q_rate * m"},
    {&dist_beta, &dist_normal,
     BETA_NEGATIVE "n + 0.5 * log(2 * pi * q_scale ** 2) "
                   "+ 0.5 * (m * (1 - m) / (s + 1) + (m - q_loc) ** 2) / q_scale ** 2"},
    {&dist_beta, &dist_uniform,
     BETA_NEGATIVE "where(q_low > 0 or q_high < 1, inf, n + log(q_high - q_low))"},
    {&dist_uniform, &dist_uniform,
     "where(q_low > p_low or q_high < p_high, inf, log((q_high - q_low) / (p_high - p_low)))"},
    {&dist_uniform, &dist_beta,
     UNIFORM "h = 1 - p_high; k = 1 - p_low; o = (xlogy(k, k) - xlogy(h, h)) / w - 1; "
             "where(p_low < 0 or p_high > 1, inf, lgamma(q_concentration1) "
             "+ lgamma(q_concentration0) - lgamma(q_concentration1 + q_concentration0) - log(w) "
             "- (q_concentration1 - 1) * l - (q_concentration0 - 1) * o)"},
    {&dist_uniform, &dist_exponential,
     "where(p_low < 0, inf, q_rate * (p_high + p_low) / 2 - log((p_high - p_low) * q_rate))"},
    {&dist_uniform, &dist_gamma,
     UNIFORM "where(p_low < 0, inf, lgamma(q_concentration) - q_concentration * log(q_rate) "
             "- log(w) + (1 - q_concentration) * l + q_rate * (p_high + p_low) / 2)"},
    {&dist_uniform, &dist_normal,
     "w = p_high - p_low; log(sqrt(2 * pi) * q_scale / w) "
     "+ 0.5 * (w ** 2 / 12 + ((p_high + p_low) / 2 - q_loc) ** 2) / q_scale ** 2"},
    {&dist_poisson, &dist_poisson, "p_rate * (log(p_rate) - log(q_rate)) - (p_rate - q_rate)"},
    {&dist_bernoulli, &dist_bernoulli,
     "a = p_probs * (logsigmoid(p_logits) - logsigmoid(q_logits)); "
     "b = (1 - p_probs) * (logsigmoid(-p_logits) - logsigmoid(-q_logits)); "
     "where(p_probs == 0, 0, where(q_probs == 0, inf, a)) "
     "+ where(p_probs == 1, 0, where(q_probs == 1, inf, b))"},
    {&dist_bernoulli, &dist_poisson,
     "p_probs * p_logits + logsigmoid(-p_logits) - (p_probs * log(q_rate) - q_rate)"},
    {&dist_poisson, &dist_bernoulli, NULL},
    {&dist_exponential, &dist_beta, NULL},
    {&dist_exponential, &dist_uniform, NULL},
    {&dist_gamma, &dist_beta, NULL},
    {&dist_gamma, &dist_uniform, NULL},
    {&dist_laplace, &dist_beta, NULL},
    {&dist_laplace, &dist_exponential, NULL},
    {&dist_laplace, &dist_gamma, NULL},
    {&dist_laplace, &dist_uniform, NULL},
    {&dist_normal, &dist_beta, NULL},
    {&dist_normal, &dist_exponential, NULL},
    {&dist_normal, &dist_gamma, NULL},
    {&dist_normal, &dist_uniform, NULL},
};

/* Infinity in the shape of the batches; of p's dtype. */
static tern_tensor *infinite(const dist_body *p, const dist_body *q) {
    tern_tensor *both[2] = {p->parameter[0], q->parameter[0]};
    tern_tensor *first = tern_value_at(tern_broadcast_tensors(both, 2), 0).as.tensor;
    return tern_check(p->ctx) ? tern_nil(p->ctx) : tern_full_like(first, INFINITY);
}

/* ---- over vectors ---------------------------------------------------------------------------- */

/* A probability of 0 in p adds nothing, one of 0 in q alone is infinite. */
static tern_tensor *kl_categorical(const dist_body *p, const dist_body *q) {
    dist_names names = {0};
    dist_names_add(&names, "p_", p);
    dist_names_add(&names, "q_", q);
    return dist_sum_last(dist_map(p->ctx,
                                  "where(p_probs == 0, 0, where(q_probs == 0, inf, "
                                  "p_probs * (p_logits - q_logits)))",
                                  &names),
                         1);
}

static tern_tensor *kl_dirichlet(const dist_body *p, const dist_body *q) {
    tern_shape last = {1, {-1}};
    dist_names names = {0}, sums = {0};
    dist_names_put(&names, "p", p->parameter[0]);
    dist_names_put(&names, "q", q->parameter[0]);
    dist_names_put(&names, "s", tern_sum_dims(p->parameter[0], last, true));
    dist_names_put(&sums, "s", tern_sum_dims(p->parameter[0], last, false));
    dist_names_put(&sums, "t", tern_sum_dims(q->parameter[0], last, false));
    tern_tensor *terms =
        dist_map(p->ctx, "lgamma(q) - lgamma(p) + (p - q) * (digamma(p) - digamma(s))", &names);
    return tern_add(dist_sum_last(terms, 1), dist_map(p->ctx, "lgamma(s) - lgamma(t)", &sums));
}

static tern_tensor *kl_multivariate(const dist_body *p, const dist_body *q) {
    tern_tensor *p_tril = p->parameter[1], *q_tril = q->parameter[1];
    double n = (double)tern_size(p->parameter[0], -1);
    tern_tensor *trace = dist_sum_last(tern_square(dist_solve(q_tril, p_tril)), 2);
    tern_tensor *distance = dist_mahalanobis(q_tril, tern_sub(q->parameter[0], p->parameter[0]));
    tern_tensor *logs = tern_sub(dist_half_log_det(q_tril), dist_half_log_det(p_tril));
    return tern_add(logs, tern_mul_scalar(tern_add_scalar(tern_add(trace, distance), -n), 0.5));
}

/* ---- the choice ------------------------------------------------------------------------------ */

static tern_tensor *divergence(const dist_body *p, const dist_body *q);

static tern_tensor *refuse(const dist_body *p, const dist_body *q) {
    tern_fail(p->ctx, TERN_ERR_UNSUPPORTED,
              "tern_kl_divergence: there is no closed form for %s and %s", p->family->name,
              q->family->name);
    return tern_nil(p->ctx);
}

static tern_tensor *of_bases(const dist_body *p, const dist_body *q) {
    const dist_body *p_base = dist_of(p->base, "tern_kl_divergence");
    const dist_body *q_base = dist_of(q->base, "tern_kl_divergence");
    if (!p_base || !q_base) return tern_nil(p->ctx);
    return divergence(p_base, q_base);
}

/* Transforms that both have do not change it. */
static bool same_transforms(const dist_body *p, const dist_body *q) {
    if (p->n_transforms != q->n_transforms) return false;
    for (size_t i = 0; i < p->n_transforms; i++) {
        const tern_transform *a = &p->transform[i], *b = &q->transform[i];
        if (a->kind != b->kind || a->loc != b->loc || a->scale != b->scale) return false;
    }
    return true;
}

static tern_tensor *divergence(const dist_body *p, const dist_body *q) {
    dist_names names = {0};
    dist_names_add(&names, "p_", p);
    dist_names_add(&names, "q_", q);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].p == p->family && pairs[i].q == q->family)
            return pairs[i].formula ? dist_map(p->ctx, pairs[i].formula, &names) : infinite(p, q);
    if (p->family != q->family || p->event.rank != q->event.rank) return refuse(p, q);
    if (p->family == &dist_categorical) return kl_categorical(p, q);
    if (p->family == &dist_dirichlet) return kl_dirichlet(p, q);
    if (p->family == &dist_multivariate_normal) return kl_multivariate(p, q);
    if (p->family == &dist_independent && p->reinterpreted == q->reinterpreted)
        return dist_sum_last(of_bases(p, q), p->reinterpreted);
    if (p->family == &dist_transformed && same_transforms(p, q)) return of_bases(p, q);
    return refuse(p, q);
}

tern_tensor *tern_kl_divergence(tern_distribution *p, tern_distribution *q) {
    dist_body *one = dist_of(p, "tern_kl_divergence");
    dist_body *other = one ? dist_of(q, "tern_kl_divergence") : NULL;
    if (!one) return NULL;
    if (!other || other->ctx != one->ctx) {
        if (!tern_check(one->ctx))
            tern_fail(one->ctx, TERN_ERR_ARGUMENT,
                      "tern_kl_divergence: q must be a distribution of the same context");
        return tern_nil(one->ctx);
    }
    tern_scope scope = tern_scope_inner(one->ctx);
    return tern_scope_return(scope, divergence(one, other));
}
