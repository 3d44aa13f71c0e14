/* distribution.c: making distributions, and the functions that all of them share. */
#include <stdatomic.h>

#include "internal.h"

static atomic_bool validates = true;

void tern_distribution_validate(bool value) {
    atomic_store(&validates, value);
}

bool dist_validates(void) {
    return atomic_load(&validates);
}

dist_body *dist_of(const tern_distribution *handle, const char *function) {
    return tern_handle_object(handle, "distribution", function);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Whether a condition holds for all elements; the host waits for the answer. */
static bool holds(tern_ctx *ctx, const char *condition, const dist_names *names) {
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    bool all = tern_item(tern_all(dist_map(ctx, condition, names))) != 0;
    tern_scope_end(scope);
    return all;
}

static bool check_parameters(const dist_body *d) {
    dist_names names = {0};
    dist_names_add(&names, "", d);
    if (!d->family->constraint || !dist_validates()) return true;
    if (holds(d->ctx, d->family->constraint, &names)) return true;
    tern_fail(d->ctx, TERN_ERR_ARGUMENT, "%s: the parameters must satisfy %s, but some do not",
              d->family->name, d->family->constraint);
    return false;
}

/* The first tensor's context; NULL where something is missing or of a wrong dtype. */
static tern_ctx *context_of(const dist_family *family, tern_tensor *const tensors[]) {
    tern_ctx *ctx = NULL;
    for (int i = 0; i < DIST_PARAMETERS && family->parameter[i]; i++)
        if (!ctx && tensors[i]) ctx = tern_context_of(tensors[i]);
    for (int i = 0; ctx && i < DIST_PARAMETERS && family->parameter[i]; i++) {
        if (tern_check(ctx)) return NULL;
        if (tensors[i] && !tern_is_nil(tensors[i]) &&
            tern_dtype_is_floating(tern_dtype_of(tensors[i])))
            continue;
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s must be a tensor of a floating dtype, not %s",
                  family->name, family->parameter[i],
                  tensors[i] ? tern_dtype_name(tern_dtype_of(tensors[i])) : "NULL");
        return NULL;
    }
    return ctx;
}

tern_distribution *dist_make(const dist_family *family, tern_tensor *const tensors[],
                             const dist_body *more) {
    tern_ctx *ctx = more ? more->ctx : context_of(family, tensors);
    if (!ctx || tern_check(ctx)) return NULL;
    dist_body *d = tern_scope_alloc(ctx, sizeof *d);
    if (!d) return NULL;
    if (more) *d = *more;
    d->ctx = ctx;
    d->family = family;
    int count = 0;
    while (!more && count < DIST_PARAMETERS && family->parameter[count]) count++;
    if (count) {
        tern_value same = tern_broadcast_tensors(tensors, count);
        for (int i = 0; i < count; i++) d->parameter[i] = tern_value_at(same, (size_t)i).as.tensor;
        if (tern_check(ctx)) return NULL;
        d->batch = tern_shape_of(d->parameter[0]);
    }
    if (!check_parameters(d) || tern_check(ctx)) return NULL;
    return tern_handle_new(ctx, "distribution", d);
}

/* ---- quantities ------------------------------------------------------------------------------ */

static const char *const quantity_names[] = {"log_prob", "entropy", "mean",
                                             "variance", "cdf",     "icdf"};

static bool check_value(const dist_body *d, int quantity, tern_tensor *x) {
    dist_names names = {0};
    dist_names_add(&names, "", d);
    dist_names_put(&names, "x", x);
    const char *support = quantity == DIST_ICDF ? "x >= 0 and x <= 1" : d->family->support;
    if (!support || !dist_validates() || holds(d->ctx, support, &names)) return true;
    tern_fail(d->ctx, TERN_ERR_ARGUMENT,
              "%s.%s: the value must satisfy %s, but some elements do not", d->family->name,
              quantity_names[quantity], support);
    return false;
}

tern_tensor *dist_quantity(const dist_body *d, int quantity, tern_tensor *x) {
    const dist_family *family = d->family;
    if (x && !check_value(d, quantity, x)) return tern_nil(d->ctx);
    if (family->formula[quantity]) {
        dist_names names = {0};
        dist_names_add(&names, "", d);
        if (x) dist_names_put(&names, "x", x);
        return dist_map(d->ctx, family->formula[quantity], &names);
    }
    tern_tensor *result = family->compute ? family->compute(d, quantity, x) : NULL;
    if (result) return result;
    tern_fail(d->ctx, TERN_ERR_UNSUPPORTED, "%s has no %s", family->name, quantity_names[quantity]);
    return tern_nil(d->ctx);
}

static tern_tensor *quantity(const tern_distribution *handle, const char *function, int quantity,
                             tern_tensor *x, bool wants_value) {
    dist_body *d = dist_of(handle, function);
    if (!d) return NULL;
    if (tern_check(d->ctx)) return tern_nil(d->ctx);
    if (wants_value && (!x || tern_is_nil(x) || tern_context_of(x) != d->ctx)) {
        tern_fail(d->ctx, TERN_ERR_ARGUMENT, "%s: value must be a tensor of the same context",
                  function);
        return tern_nil(d->ctx);
    }
    tern_scope scope = tern_scope_inner(d->ctx);
    return tern_scope_return(scope, dist_quantity(d, quantity, x));
}

tern_tensor *tern_distribution_log_prob(tern_distribution *distribution, tern_tensor *value) {
    return quantity(distribution, "tern_distribution_log_prob", DIST_LOG_PROB, value, true);
}

tern_tensor *tern_distribution_entropy(tern_distribution *distribution) {
    return quantity(distribution, "tern_distribution_entropy", DIST_ENTROPY, NULL, false);
}

tern_tensor *tern_distribution_mean(tern_distribution *distribution) {
    return quantity(distribution, "tern_distribution_mean", DIST_MEAN, NULL, false);
}

tern_tensor *tern_distribution_variance(tern_distribution *distribution) {
    return quantity(distribution, "tern_distribution_variance", DIST_VARIANCE, NULL, false);
}

tern_tensor *tern_distribution_cdf(tern_distribution *distribution, tern_tensor *value) {
    return quantity(distribution, "tern_distribution_cdf", DIST_CDF, value, true);
}

tern_tensor *tern_distribution_icdf(tern_distribution *distribution, tern_tensor *value) {
    return quantity(distribution, "tern_distribution_icdf", DIST_ICDF, value, true);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static bool may_differentiate(const dist_body *d) {
    if (!d->family->reparametrized) {
        tern_fail(d->ctx, TERN_ERR_UNSUPPORTED, "%s has no rsample: use tern_distribution_sample",
                  d->family->name);
        return false;
    }
    for (int i = 0; d->family->implicit && i < DIST_PARAMETERS; i++) {
        if (!d->parameter[i] || !tern_is_grad_enabled(d->ctx) ||
            !tern_has_grad_required(d->parameter[i]))
            continue;
        tern_fail(d->ctx, TERN_ERR_UNSUPPORTED,
                  "%s: the gradient of rsample is not implemented: use tern_distribution_sample",
                  d->family->name);
        return false;
    }
    return true;
}

tern_tensor *dist_draw(const dist_body *d, tern_shape sample_shape, tern_generator *generator,
                       bool gradient) {
    tern_shape shape;
    if (d->base) return dist_draw_base(d, sample_shape, generator, gradient);
    if ((gradient && !may_differentiate(d)) ||
        !dist_join(d->ctx, d->family->name, sample_shape, d->batch, &shape) ||
        !dist_join(d->ctx, d->family->name, shape, d->event, &shape))
        return tern_nil(d->ctx);
    return d->family->draw(d, shape, generator);
}

tern_tensor *tern_distribution_sample(tern_distribution *distribution, tern_shape sample_shape,
                                      tern_generator *generator) {
    dist_body *d = dist_of(distribution, "tern_distribution_sample");
    if (!d) return NULL;
    tern_scope scope = tern_scope_begin(d->ctx, TERN_NO_GRAD);
    return tern_scope_return(scope, dist_draw(d, sample_shape, generator, false));
}

tern_tensor *tern_distribution_rsample(tern_distribution *distribution, tern_shape sample_shape,
                                       tern_generator *generator) {
    dist_body *d = dist_of(distribution, "tern_distribution_rsample");
    if (!d) return NULL;
    tern_scope scope = tern_scope_inner(d->ctx);
    return tern_scope_return(scope, dist_draw(d, sample_shape, generator, true));
}

/* ---- looking --------------------------------------------------------------------------------- */

const char *tern_distribution_name(const tern_distribution *distribution) {
    const dist_body *d = dist_of(distribution, "tern_distribution_name");
    return d ? d->family->name : "";
}

tern_shape tern_distribution_batch_shape(const tern_distribution *distribution) {
    const dist_body *d = dist_of(distribution, "tern_distribution_batch_shape");
    return d ? d->batch : TERN_SCALAR_SHAPE;
}

tern_shape tern_distribution_event_shape(const tern_distribution *distribution) {
    const dist_body *d = dist_of(distribution, "tern_distribution_event_shape");
    return d ? d->event : TERN_SCALAR_SHAPE;
}
