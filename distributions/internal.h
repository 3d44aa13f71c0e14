/*
 * internal.h: what a distribution holds, and how a family is described.
 *
 * Most of a family is text: formulas (tern/formula.h) over its parameters by their names, and x, the value. They
 * run as one launch and bring their gradients. A family over vectors has functions.
 */
#ifndef TERN_DISTRIBUTIONS_INTERNAL_H
#define TERN_DISTRIBUTIONS_INTERNAL_H

#include "tern/distributions.h"
#include "tern/formula.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"

enum {
    DIST_LOG_PROB,
    DIST_ENTROPY,
    DIST_MEAN,
    DIST_VARIANCE,
    DIST_CDF,
    DIST_ICDF,
    DIST_QUANTITIES
};
enum { DIST_PARAMETERS = 2, DIST_TRANSFORMS = 8 };

typedef struct dist_body dist_body;

typedef struct dist_family {
    const char *name;
    const char *parameter[DIST_PARAMETERS];
    const char *constraint; /* what must hold for all elements of the parameters */
    const char *support;    /* what must hold for a value */
    const char *formula[DIST_QUANTITIES];

    /* A quantity without a formula; NULL where there is none. May be NULL. */
    tern_tensor *(*compute)(const dist_body *d, int quantity, tern_tensor *x);
    /* Draws of the shape, differentiable by the parameters if the family is reparametrized. */
    tern_tensor *(*draw)(const dist_body *d, tern_shape shape, tern_generator *generator);
    bool reparametrized;
    bool implicit; /* PyTorch differentiates through the sampler, which is not done here */
} dist_family;

struct dist_body {
    tern_ctx *ctx;
    const dist_family *family;
    tern_tensor *parameter[DIST_PARAMETERS];
    tern_shape batch, event;
    tern_distribution *base; /* of Independent and TransformedDistribution */
    int reinterpreted;
    tern_transform transform[DIST_TRANSFORMS];
    size_t n_transforms;
};

extern const dist_family dist_normal, dist_log_normal, dist_uniform, dist_laplace, dist_exponential,
    dist_gamma, dist_beta, dist_poisson, dist_bernoulli, dist_categorical, dist_dirichlet,
    dist_multivariate_normal, dist_independent, dist_transformed;

/* ---- distribution.c ---- */

/* NULL after latching that the handle is gone, and for NULL. */
dist_body *dist_of(const tern_distribution *handle, const char *function);

/* A distribution in the open scope. `tensors` are its parameters, of which NULL ones are left out, broadcast
 * among each other. */
tern_distribution *dist_make(const dist_family *family, tern_tensor *const tensors[],
                             const dist_body *more);

/* A quantity of a distribution, inside a library function. Nil after latching, also where there is none. */
tern_tensor *dist_quantity(const dist_body *d, int quantity, tern_tensor *x);

/* Draws: `gradient` chooses rsample. */
tern_tensor *dist_draw(const dist_body *d, tern_shape sample_shape, tern_generator *generator,
                       bool gradient);

bool dist_validates(void);

/* ---- shapes.c: helpers over shapes and formulas ---- */

/* a followed by b; false after latching that there are too many dimensions. */
bool dist_join(tern_ctx *ctx, const char *name, tern_shape a, tern_shape b, tern_shape *out_shape);

/* Whether a tensor of shape `a` broadcasts to `b`. */
bool dist_fits(tern_shape a, tern_shape b);

/* The sum over the last n dimensions; the tensor itself for 0. */
tern_tensor *dist_sum_last(tern_tensor *x, int n);

/* Named tensors for formulas; the prefix is put before each of the parameters' names. */
typedef struct dist_names {
    int count;
    const char *prefix[2 * DIST_PARAMETERS + 1], *name[2 * DIST_PARAMETERS + 1];
    tern_tensor *tensor[2 * DIST_PARAMETERS + 1];
} dist_names;

void dist_names_add(dist_names *names, const char *prefix, const dist_body *d);
void dist_names_put(dist_names *names, const char *name, tern_tensor *tensor);

/* A formula over those of the names that it uses. */
tern_tensor *dist_map(tern_ctx *ctx, const char *formula, const dist_names *names);

/* dist_map over one tensor, called x. */
tern_tensor *dist_map_x(const char *formula, tern_tensor *x);

/* The least positive normal number of a floating dtype, and the distance from 1 to the next. */
double dist_tiny(tern_dtype dtype);
double dist_eps(tern_dtype dtype);

/* ---- vectors.c ---- */

/* Whether one of two tensors is given; latches where both are. */
bool dist_one_of(const char *name, const char *first_name, const tern_tensor *first,
                 const char *second_name, const tern_tensor *second);

/* L^-1 b, where both have batches that broadcast; log |L|; |L^-1 difference|^2. */
tern_tensor *dist_solve(tern_tensor *scale_tril, tern_tensor *b);
tern_tensor *dist_half_log_det(tern_tensor *scale_tril);
tern_tensor *dist_mahalanobis(tern_tensor *scale_tril, tern_tensor *difference);

/* ---- transforms.c ---- */

/* Draws of the distribution that this one is made of, through the transforms. */
tern_tensor *dist_draw_base(const dist_body *d, tern_shape sample_shape, tern_generator *generator,
                            bool gradient);

/* ---- samplers.c ---- */

/* Standard gamma numbers, one for each element: rounded to its dtype, or for the Dirichlet kept in float64. */
tern_tensor *dist_draw_gamma(const char *name, tern_tensor *concentration, bool wide,
                             tern_generator *generator);
tern_tensor *dist_draw_poisson(tern_tensor *rate, tern_generator *generator);
/* Gamma numbers divided by their sums over the last dimension. */
tern_tensor *dist_draw_dirichlet(const char *name, tern_tensor *concentration,
                                 tern_generator *generator);

#endif
