/*
 * tern/distributions.h: probability distributions (torch.distributions).
 *
 *     tern_distribution *policy = tern_distribution_categorical(NULL, logits);
 *     tern_tensor *action = tern_distribution_sample(policy, TERN_SCALAR_SHAPE, NULL);
 *     tern_tensor *loss = tern_mul(tern_neg(tern_distribution_log_prob(policy, action)), reward);
 *
 * SHAPES. The parameters broadcast to the batch shape: one distribution each. What a single one draws has the
 * event shape: () for most, (K) for Dirichlet and MultivariateNormal. A sample has the sample shape that is asked
 * for, then the batch shape, then the event shape; a log_prob has no event shape.
 *
 * GRADIENTS. log_prob, entropy, cdf, icdf, mean, variance and rsample are differentiable by the parameters, on
 * every device. sample is not.
 *
 * VALIDATION. Parameters and values are checked as with PyTorch's validate_args, by one reduction each that is read
 * by the host: NaN and what is out of the domain are errors. tern_distribution_validate turns it off.
 *
 * LIFETIME. A distribution belongs to the open scope, and refers to its parameters: they must live as long.
 *
 * FAILURE. A constructor latches an error and returns NULL (without any tensor there is no context to latch it in). A function of a NULL distribution returns NULL;
 * others return nil after latching. What a distribution does not have (the cdf of a Beta) is an error that names it.
 */
#ifndef TERN_DISTRIBUTIONS_H
#define TERN_DISTRIBUTIONS_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_distribution tern_distribution;

/* ---- families --------------------------------------------------------------------------------
 * Parameters are tensors of one floating dtype and device. */

/* Normal(loc, scale): scale > 0. */
TERN_API tern_distribution *tern_distribution_normal(tern_tensor *loc, tern_tensor *scale);

/* LogNormal(loc, scale): exp of a normal number; scale > 0. */
TERN_API tern_distribution *tern_distribution_log_normal(tern_tensor *loc, tern_tensor *scale);

/* Uniform(low, high): on [low, high), low < high. */
TERN_API tern_distribution *tern_distribution_uniform(tern_tensor *low, tern_tensor *high);

/* Laplace(loc, scale): density exp(-|x - loc| / scale) / (2 scale); scale > 0. */
TERN_API tern_distribution *tern_distribution_laplace(tern_tensor *loc, tern_tensor *scale);

/* Exponential(rate): density rate exp(-rate x); rate > 0. */
TERN_API tern_distribution *tern_distribution_exponential(tern_tensor *rate);

/* Gamma(concentration, rate): both > 0; the mean is concentration / rate. rsample is an error where a
 * parameter requires a gradient: it is not implemented. The same holds for Beta and Dirichlet. */
TERN_API tern_distribution *tern_distribution_gamma(tern_tensor *concentration, tern_tensor *rate);

/* Beta(concentration1, concentration0): both > 0; on (0, 1). */
TERN_API tern_distribution *tern_distribution_beta(tern_tensor *concentration1,
                                                   tern_tensor *concentration0);

/* Poisson(rate): rate >= 0; counts, in the dtype of the rate. It has no entropy and no rsample. */
TERN_API tern_distribution *tern_distribution_poisson(tern_tensor *rate);

/* Bernoulli(probs, logits): 0 or 1. One of the two is NULL: the probability of a 1, or its log-odds. No rsample. */
TERN_API tern_distribution *tern_distribution_bernoulli(tern_tensor *probs, tern_tensor *logits);

/* Categorical(probs, logits): int64 indices into the last dimension. One of the two is NULL: probabilities, which are
 * divided by their sum, or logarithms up to a constant. Mean and variance are NaN, as in PyTorch. No rsample. */
TERN_API tern_distribution *tern_distribution_categorical(tern_tensor *probs, tern_tensor *logits);

/* Dirichlet(concentration): points on the simplex of the last dimension; concentration > 0. */
TERN_API tern_distribution *tern_distribution_dirichlet(tern_tensor *concentration);

/* MultivariateNormal(loc, covariance_matrix, scale_tril): loc is [..., K]; one of the two [..., K, K] is NULL: the
 * covariance, positive definite, or its Cholesky factor, lower triangular with a positive diagonal. */
TERN_API tern_distribution *tern_distribution_multivariate_normal(tern_tensor *loc,
                                                                  tern_tensor *covariance_matrix,
                                                                  tern_tensor *scale_tril);

/* Independent(base, reinterpreted_batch_ndims): the last `count` dimensions of the batch become part of the event, so
 * that log_prob and entropy sum over them. */
TERN_API tern_distribution *tern_distribution_independent(tern_distribution *base, int count);

/* ---- transforms ------------------------------------------------------------------------------ */

/* A function of each element that has an inverse. Plain data: affine has two tensors, or NULL for 0 and 1. */
typedef struct tern_transform {
    enum {
        TERN_TRANSFORM_AFFINE,  /* AffineTransform(loc, scale): loc + scale x, scale not 0 */
        TERN_TRANSFORM_EXP,     /* ExpTransform() */
        TERN_TRANSFORM_SIGMOID, /* SigmoidTransform(), kept off 0 and 1 */
        TERN_TRANSFORM_TANH     /* TanhTransform() */
    } kind;
    tern_tensor *loc, *scale;
} tern_transform;

/* transform(x) */
TERN_API tern_tensor *tern_transform_forward(tern_transform transform, tern_tensor *x);

/* transform.inv(y) */
TERN_API tern_tensor *tern_transform_inverse(tern_transform transform, tern_tensor *y);

/* log_abs_det_jacobian(x, transform(x)): the logarithm of the slope's magnitude, by element. */
TERN_API tern_tensor *tern_transform_log_abs_det_jacobian(tern_transform transform, tern_tensor *x);

/* TransformedDistribution(base, transforms): the first transform is applied first; at most 8. Tensors of an affine one
 * broadcast to the base's shapes. It has no mean, variance and entropy, as in PyTorch. */
TERN_API tern_distribution *tern_distribution_transformed(tern_distribution *base,
                                                          const tern_transform *transforms,
                                                          size_t count);

/* ---- what they compute ----------------------------------------------------------------------- */

/* sample(sample_shape): draws without a gradient, from `generator` or (NULL) the context's. For one seed the numbers
 * are PyTorch's on the CPU. */
TERN_API tern_tensor *tern_distribution_sample(tern_distribution *distribution,
                                               tern_shape sample_shape, tern_generator *generator);

/* rsample(sample_shape): draws as a differentiable function of the parameters; an error of Bernoulli, Categorical and
 * Poisson. */
TERN_API tern_tensor *tern_distribution_rsample(tern_distribution *distribution,
                                                tern_shape sample_shape, tern_generator *generator);

/* log_prob(value): the logarithm of the density, or of the probability. The value broadcasts with the batch and
 * event shape. */
TERN_API tern_tensor *tern_distribution_log_prob(tern_distribution *distribution,
                                                 tern_tensor *value);

/* entropy(), in nats: of the batch shape. */
TERN_API tern_tensor *tern_distribution_entropy(tern_distribution *distribution);

/* Distribution.mean: of the batch and event shape. */
TERN_API tern_tensor *tern_distribution_mean(tern_distribution *distribution);

/* Distribution.variance, by element. */
TERN_API tern_tensor *tern_distribution_variance(tern_distribution *distribution);

/* cdf(value): the probability of at most the value. Beta, Poisson, Bernoulli and those over vectors have none. */
TERN_API tern_tensor *tern_distribution_cdf(tern_distribution *distribution, tern_tensor *value);

/* icdf(value), the inverse of the cdf, for values in [0, 1]; of Gamma there is none. */
TERN_API tern_tensor *tern_distribution_icdf(tern_distribution *distribution, tern_tensor *value);

/* kl_divergence(p, q): of the batch shapes broadcast. For p and q of one family, two Independent of the same
 * count, and the pairs of different families that PyTorch has; an error for others. */
TERN_API tern_tensor *tern_kl_divergence(tern_distribution *p, tern_distribution *q);

/* "Normal"; "" of NULL. */
TERN_API const char *tern_distribution_name(const tern_distribution *distribution);

/* batch_shape; of NULL that of a scalar. */
TERN_API tern_shape tern_distribution_batch_shape(const tern_distribution *distribution);

/* event_shape; of NULL that of a scalar. */
TERN_API tern_shape tern_distribution_event_shape(const tern_distribution *distribution);

/* Distribution.set_default_validate_args(value), for the whole program; true at first. Without it nothing is
 * read back by the host, and values out of the domain give numbers without a meaning. */
TERN_API void tern_distribution_validate(bool value);

#ifdef __cplusplus
}
#endif

#endif
