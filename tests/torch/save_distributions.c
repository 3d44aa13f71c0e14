/* save_distributions.c: what torch.distributions compute in Tern for the cases of check_distributions.py. */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

static tern_tensor *get(tern_value entry, const char *name) {
    tern_value found = tern_dict_get(entry, name);
    return found.kind == TERN_VALUE_TENSOR ? found.as.tensor : NULL;
}

static void put(tern_value results, const char *name, tern_tensor *tensor) {
    if (tensor && !tern_is_nil(tensor))
        tern_dict_set(results, name, tern_tensor_value(tern_detach(tensor)));
}

/* The parameters "a", "b" and "c" of an entry, of which the last stands for another form of the second. */
static tern_distribution *make(tern_value entry) {
    const char *name = tern_dict_get(entry, "family").as.s;
    tern_tensor *a = get(entry, "a"), *b = get(entry, "b"), *c = get(entry, "c");
    if (!strcmp(name, "Normal")) return tern_distribution_normal(a, b);
    if (!strcmp(name, "LogNormal")) return tern_distribution_log_normal(a, b);
    if (!strcmp(name, "Uniform")) return tern_distribution_uniform(a, b);
    if (!strcmp(name, "Laplace")) return tern_distribution_laplace(a, b);
    if (!strcmp(name, "Exponential")) return tern_distribution_exponential(a);
    if (!strcmp(name, "Gamma")) return tern_distribution_gamma(a, b);
    if (!strcmp(name, "Beta")) return tern_distribution_beta(a, b);
    if (!strcmp(name, "Poisson")) return tern_distribution_poisson(a);
    if (!strcmp(name, "Bernoulli")) return tern_distribution_bernoulli(a, b);
    if (!strcmp(name, "Categorical")) return tern_distribution_categorical(a, b);
    if (!strcmp(name, "Dirichlet")) return tern_distribution_dirichlet(a);
    if (!strcmp(name, "MultivariateNormal")) return tern_distribution_multivariate_normal(a, b, c);
    if (!strcmp(name, "Independent"))
        return tern_distribution_independent(tern_distribution_normal(a, b), 1);
    tern_transform chain[3] = {{.kind = TERN_TRANSFORM_AFFINE, .loc = c, .scale = b},
                               {.kind = TERN_TRANSFORM_TANH},
                               {.kind = TERN_TRANSFORM_AFFINE, .scale = b}};
    if (!strcmp(name, "sigmoid")) chain[1].kind = TERN_TRANSFORM_SIGMOID;
    if (!strcmp(name, "exp")) chain[1].kind = TERN_TRANSFORM_EXP;
    return tern_distribution_transformed(tern_distribution_normal(a, tern_ones_like(a)), chain, 3);
}

static bool wants(tern_value entry, const char *name) {
    return tern_dict_has(tern_dict_get(entry, "wants"), name);
}

/* A result, and the gradients of its sum. */
static void differentiate(tern_value entry, tern_value results, const char *name,
                          tern_tensor *result) {
    static const char *const parameters[] = {"a", "b", "c"};
    char key[64];
    put(results, name, result);
    if (!tern_has_grad_required(result)) return;
    for (int i = 0; i < 3; i++)
        if (get(entry, parameters[i])) tern_set_grad(get(entry, parameters[i]), NULL);
    tern_backward_with(tern_sum(result), NULL, TERN_RETAIN_GRAPH);
    for (int i = 0; i < 3; i++) {
        tern_tensor *p = get(entry, parameters[i]), *grad = p ? tern_grad_of(p) : NULL;
        if (!grad) continue;
        snprintf(key, sizeof key, "%s.%s", name, parameters[i]);
        put(results, key, tern_clone(grad));
    }
}

static void run(tern_ctx *ctx, tern_value entry, tern_value results) {
    static const char *const parameters[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        if (get(entry, parameters[i])) tern_requires_grad(get(entry, parameters[i]), true);
    tern_distribution *d = make(entry);
    tern_tensor *x = get(entry, "value"), *u = get(entry, "share");
    if (wants(entry, "log_prob"))
        differentiate(entry, results, "log_prob", tern_distribution_log_prob(d, x));
    if (wants(entry, "entropy"))
        differentiate(entry, results, "entropy", tern_distribution_entropy(d));
    if (wants(entry, "mean")) differentiate(entry, results, "mean", tern_distribution_mean(d));
    if (wants(entry, "variance"))
        differentiate(entry, results, "variance", tern_distribution_variance(d));
    if (wants(entry, "cdf")) differentiate(entry, results, "cdf", tern_distribution_cdf(d, x));
    if (wants(entry, "icdf")) differentiate(entry, results, "icdf", tern_distribution_icdf(d, u));
    tern_manual_seed(ctx, 11);
    put(results, "sample", tern_distribution_sample(d, TERN_SHAPE(5, 3), NULL));
    put(results, "one", tern_distribution_sample(d, TERN_SCALAR_SHAPE, NULL));
    put(results, "after", tern_rand(ctx, TERN_SHAPE(4), NULL));
    tern_manual_seed(ctx, 12);
    if (wants(entry, "rsample"))
        differentiate(entry, results, "rsample", tern_distribution_rsample(d, TERN_SHAPE(4), NULL));
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: save_distributions DEVICE CASES RESULTS\n"), 2;
    tern_ctx *ctx = tern_open(argv[1]);
    tern_value cases = tern_value_load(ctx, argv[2]), results = tern_dict_new(ctx, false), key,
               entry;
    for (size_t i = 0; tern_dict_at(cases, i, &key, &entry); i++) {
        tern_value result = tern_dict_new(ctx, false);
        if (tern_dict_has(entry, "p"))
            put(result, "kl",
                tern_kl_divergence(make(tern_dict_get(entry, "p")),
                                   make(tern_dict_get(entry, "q"))));
        else
            run(ctx, entry, result);
        if (tern_check(ctx)) fprintf(stderr, "%s: %s\n", key.as.s, tern_error(ctx));
        tern_error_clear(ctx);
        tern_dict_set(results, key.as.s, result);
    }
    tern_value_save(ctx, results, argv[3]);
    if (tern_check(ctx)) fprintf(stderr, "%s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
