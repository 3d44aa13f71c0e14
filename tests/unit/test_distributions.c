/* Distributions: values of PyTorch's, gradients, draws of a seed, what is refused. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <math.h>

#include "nn_fixture.h"
#include "tern/distributions.h"
#include "test_plugins.h"

TestSuite(distributions, .init = open_context, .fini = close_context);

static tern_tensor *number(double value) {
    return tern_scalar_tensor(ctx, value, TERN_FLOAT64);
}

static tern_tensor *vector(double a, double b, double c) {
    const double values[] = {a, b, c};
    return tern_from_data(ctx, values, TERN_SHAPE(3), TERN_FLOAT64);
}

/* One of each family of numbers, a value, and PyTorch's log_prob, mean and variance. */
typedef struct known {
    tern_distribution *distribution;
    double value, log_prob, mean, variance;
} known;

static void check_known(void) {
    const known all[] = {
        {tern_distribution_normal(number(0.5), number(1.5)), 0.7, -1.333292530201726, 0.5, 2.25},
        {tern_distribution_log_normal(number(0.5), number(0.6)), 0.7, -1.0707323537949918,
         1.9738777322304475, 1.6883351624808391},
        {tern_distribution_uniform(number(-1), number(2)), 0.7, -1.0986122886681098, 0.5, 0.75},
        {tern_distribution_laplace(number(0.5), number(1.5)), 0.7, -1.2319456220014431, 0.5, 4.5},
        {tern_distribution_exponential(number(1.5)), 0.7, -0.64453489189183544, 0.66666666666666663,
         0.44444444444444442},
        {tern_distribution_gamma(number(2), number(3)), 0.7, -0.25945036660251253,
         0.66666666666666663, 0.22222222222222221},
        {tern_distribution_beta(number(2), number(3)), 0.7, -0.27971390280260378,
         0.40000000000000002, 0.040000000000000001},
        {tern_distribution_poisson(number(2.5)), 3.0, -1.5428872736055896, 2.5, 2.5},
        {tern_distribution_bernoulli(number(0.3), NULL), 1.0, -1.2039728043259361,
         0.29999999999999999, 0.20999999999999999},
        {tern_distribution_bernoulli(NULL, number(0.4)), 0.0, -0.91301525239995263,
         0.598687660112452, 0.24026074574152914},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tern_distribution *d = all[i].distribution;
        CHECK_CLEAN();
        const char *name = tern_distribution_name(d);
        double log_prob = tern_item(tern_distribution_log_prob(d, number(all[i].value)));
        cr_assert_float_eq(log_prob, all[i].log_prob, 1e-12, "%s: %.17g", name, log_prob);
        cr_assert_float_eq(tern_item(tern_distribution_mean(d)), all[i].mean, 1e-12, "%s", name);
        cr_assert_float_eq(tern_item(tern_distribution_variance(d)), all[i].variance, 1e-12, "%s",
                           name);
    }
    CHECK_CLEAN();
}

Test(distributions, numbers_have_pytorch_s_quantities) {
    check_known();
}

Test(distributions, run_on_a_device_with_the_fewest_kernels) {
    find_test_plugins();
    tern_close(ctx);
    ctx = tern_open("minimal");
    forget_test_plugins();
    check_known();
}

Test(distributions, divergences_are_pytorch_s) {
    tern_distribution *normal = tern_distribution_normal(number(0.5), number(1.5));
    tern_distribution *gamma = tern_distribution_gamma(number(2), number(3));
    tern_distribution *beta = tern_distribution_beta(number(2), number(3));
    tern_distribution *uniform = tern_distribution_uniform(number(-1), number(2));
    cr_assert_float_eq(tern_item(tern_kl_divergence(gamma, normal)), 0.90135582063496944, 1e-12);
    cr_assert_float_eq(tern_item(tern_kl_divergence(beta, gamma)), 0.32101540578511401, 1e-12);
    cr_assert_float_eq(tern_item(tern_kl_divergence(beta, uniform)), 1.3335189384561101, 1e-12);
    cr_assert_float_eq(tern_item(tern_kl_divergence(uniform, normal)), 0.39245801931139401, 1e-12);
    cr_assert_float_eq(tern_item(tern_kl_divergence(gamma, gamma)), 0, 1e-12);
    cr_assert(isinf(tern_item(tern_kl_divergence(normal, gamma))));
    CHECK_CLEAN();
    cr_assert(
        tern_is_nil(tern_kl_divergence(uniform, tern_distribution_laplace(number(0), number(1)))));
    CHECK_ERROR("tern_kl_divergence: there is no closed form for Uniform and Laplace");
}

Test(distributions, over_vectors_have_event_shapes) {
    tern_distribution *d = tern_distribution_dirichlet(vector(1, 2, 3));
    cr_assert_eq(tern_distribution_batch_shape(d).rank, 0);
    cr_assert_eq(tern_distribution_event_shape(d).dim[0], 3);
    cr_assert_float_eq(tern_item(tern_distribution_log_prob(d, vector(0.2, 0.3, 0.5))),
                       1.5040773967762737, 1e-12);
    d = tern_distribution_categorical(NULL, vector(0.5, -1, 2));
    cr_assert_float_eq(tern_item(tern_distribution_log_prob(d, number(1))), -3.2413112966571571,
                       1e-12);
    cr_assert_float_eq(tern_item(tern_distribution_entropy(d)), 0.62158460467927457, 1e-12);
    d = tern_distribution_independent(tern_distribution_normal(vector(1, 2, 3), number(2)), 1);
    cr_assert_eq(tern_rank(tern_distribution_log_prob(d, number(0))), 0);
    cr_assert_float_eq(tern_item(tern_distribution_log_prob(d, number(0))), -6.5862571412938546,
                       1e-12);
    CHECK_CLEAN();
}

static tern_tensor *single(double value) {
    return tern_scalar_tensor(ctx, value, TERN_FLOAT32);
}

/* To the last places: exp and log are not those of PyTorch's libm. */
static void check_draw(tern_distribution *d, double expected) {
    double drawn = tern_item(tern_distribution_sample(d, TERN_SCALAR_SHAPE, NULL));
    cr_assert_float_eq(drawn, expected, 1e-6 * (1 + fabs(expected)), "%s: %.9g",
                       tern_distribution_name(d), drawn);
}

Test(distributions, a_seed_draws_pytorch_s_numbers) {
    tern_manual_seed(ctx, 5);
    check_draw(tern_distribution_normal(single(0.5), single(1.5)), -0.230171144);
    check_draw(tern_distribution_gamma(single(2), single(3)), 0.334117979);
    check_draw(tern_distribution_gamma(single(0.3), single(3)), 0.0741173327);
    check_draw(tern_distribution_beta(single(2), single(3)), 0.595331848);
    check_draw(tern_distribution_poisson(single(2.5)), 2);
    check_draw(tern_distribution_poisson(single(40)), 31);
    check_draw(tern_distribution_exponential(single(1.5)), 0.290613949);
    check_draw(tern_distribution_laplace(single(0.5), single(1.5)), 1.84813964);
    check_draw(tern_distribution_uniform(single(-1), single(2)), 1.22955966);
    CHECK_CLEAN();
}

Test(distributions, draws_are_differentiable) {
    tern_tensor *loc = tern_requires_grad(number(1), true),
                *scale = tern_requires_grad(number(2), true);
    tern_transform chain[] = {{.kind = TERN_TRANSFORM_TANH},
                              {.kind = TERN_TRANSFORM_AFFINE, .scale = number(3)}};
    tern_distribution *base = tern_distribution_normal(loc, scale);
    tern_distribution *d = tern_distribution_transformed(base, chain, 2);
    tern_manual_seed(ctx, 1);
    tern_tensor *noise = tern_normal_in_place(number(0), 0, 1, NULL);
    tern_manual_seed(ctx, 1);
    tern_tensor *x = tern_distribution_rsample(d, TERN_SCALAR_SHAPE, NULL);
    tern_backward(x);
    double tanh_value = tern_item(x) / 3, slope = 3 * (1 - tanh_value * tanh_value);
    cr_assert_float_eq(tern_item(tern_grad_of(loc)), slope, 1e-12);
    cr_assert_float_eq(tern_item(tern_grad_of(scale)), slope * tern_item(noise), 1e-12);
    cr_assert_not(tern_has_grad_required(tern_distribution_sample(d, TERN_SCALAR_SHAPE, NULL)));
    CHECK_CLEAN();
}

Test(distributions, refuses_what_has_no_meaning) {
    cr_assert_null(tern_distribution_normal(number(0), vector(1, 0, 1)));
    CHECK_ERROR("Normal: the parameters must satisfy loc == loc and scale > 0, but some do not");
    tern_distribution *d = tern_distribution_exponential(number(1));
    tern_distribution_log_prob(d, number(-1));
    CHECK_ERROR("Exponential.log_prob: the value must satisfy x >= 0, but some elements do not");
    d = tern_distribution_bernoulli(number(0.5), NULL);
    tern_distribution_rsample(d, TERN_SCALAR_SHAPE, NULL);
    CHECK_ERROR("Bernoulli has no rsample: use tern_distribution_sample");
    tern_distribution_cdf(d, number(1));
    CHECK_ERROR("Bernoulli has no cdf");
    d = tern_distribution_gamma(tern_requires_grad(number(1), true), number(1));
    tern_distribution_rsample(d, TERN_SCALAR_SHAPE, NULL);
    CHECK_ERROR("Gamma: the gradient of rsample is not implemented: use tern_distribution_sample");
    cr_assert_null(tern_distribution_bernoulli(number(0.5), number(0)));
    CHECK_ERROR("Bernoulli: give probs or logits, and NULL for the other");
    tern_distribution_validate(false);
    cr_assert_not_null(tern_distribution_normal(number(0), number(-1)));
    tern_distribution_validate(true);
    CHECK_CLEAN();
}

Test(distributions, end_with_their_scope) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_distribution *d = tern_distribution_normal(number(0), number(1));
    tern_scope_end(scope);
    cr_assert(!tern_distribution_mean(d) || tern_check(ctx) == TERN_ERR_STATE);
    CHECK_ERROR_HAS("distribution");
}
