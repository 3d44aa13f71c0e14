/* transforms.c: functions of each element with an inverse, and distributions made of another one. */
#include "internal.h"

/* ---- transforms ------------------------------------------------------------------------------ */

/* loc and scale of an affine transform; 0 and 1 where there is none. */
static tern_tensor *affine(const tern_transform *t, const char *formula, tern_tensor *x) {
    dist_names names = {0};
    dist_names_put(&names, "x", x);
    dist_names_put(&names, "loc", t->loc ? t->loc : tern_new_zeros(x, TERN_SCALAR_SHAPE));
    dist_names_put(&names, "scale", t->scale ? t->scale : tern_new_ones(x, TERN_SCALAR_SHAPE));
    return dist_map(tern_context_of(x), formula, &names);
}

/* PyTorch keeps what is a share off its ends, which have no logarithm. */
static tern_tensor *inside(tern_tensor *y) {
    tern_dtype dtype = tern_dtype_of(y);
    return tern_clamp(y, dist_tiny(dtype), 1 - dist_eps(dtype));
}

static tern_tensor *forward(const tern_transform *t, tern_tensor *x) {
    switch (t->kind) {
    case TERN_TRANSFORM_AFFINE: return affine(t, "loc + scale * x", x);
    case TERN_TRANSFORM_EXP: return tern_exp(x);
    case TERN_TRANSFORM_SIGMOID: return inside(tern_sigmoid(x));
    case TERN_TRANSFORM_TANH: return tern_tanh(x);
    }
    return NULL;
}

static tern_tensor *inverse(const tern_transform *t, tern_tensor *y) {
    switch (t->kind) {
    case TERN_TRANSFORM_AFFINE: return affine(t, "(x - loc) / scale", y);
    case TERN_TRANSFORM_EXP: return tern_log(y);
    case TERN_TRANSFORM_SIGMOID: return dist_map_x("log(x) - log1p(-x)", inside(y));
    case TERN_TRANSFORM_TANH: return tern_atanh(y);
    }
    return NULL;
}

static tern_tensor *log_slope(const tern_transform *t, tern_tensor *x) {
    switch (t->kind) {
    case TERN_TRANSFORM_AFFINE: return affine(t, "log(abs(scale)) + 0 * x", x);
    case TERN_TRANSFORM_EXP: return dist_map_x("x", x);
    case TERN_TRANSFORM_SIGMOID: return dist_map_x("-softplus(-x) - softplus(x)", x);
    case TERN_TRANSFORM_TANH: return dist_map_x("2 * (log(2) - x - softplus(-2 * x))", x);
    }
    return NULL;
}

/* The context; NULL where the tensor is none, or the kind is none after latching. */
static tern_ctx *usable(const tern_transform *t, const tern_tensor *x, const char *function) {
    tern_ctx *ctx = x ? tern_context_of(x) : NULL;
    if (!ctx || tern_check(ctx) || tern_is_nil(x)) return NULL;
    if ((unsigned)t->kind <= TERN_TRANSFORM_TANH) return ctx;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: there is no transform of the kind %d", function,
              (int)t->kind);
    return NULL;
}

static tern_tensor *run(const tern_transform *t, tern_tensor *x, const char *function,
                        tern_tensor *(*fn)(const tern_transform *t, tern_tensor *x)) {
    tern_ctx *ctx = usable(t, x, function);
    if (!ctx) return x ? tern_nil(tern_context_of(x)) : NULL;
    tern_scope scope = tern_scope_inner(ctx);
    return tern_scope_return(scope, fn(t, x));
}

tern_tensor *tern_transform_forward(tern_transform transform, tern_tensor *x) {
    return run(&transform, x, "tern_transform_forward", forward);
}

tern_tensor *tern_transform_inverse(tern_transform transform, tern_tensor *y) {
    return run(&transform, y, "tern_transform_inverse", inverse);
}

tern_tensor *tern_transform_log_abs_det_jacobian(tern_transform transform, tern_tensor *x) {
    return run(&transform, x, "tern_transform_log_abs_det_jacobian", log_slope);
}

/* ---- TransformedDistribution ----------------------------------------------------------------- */

/* By the change of variables: back through the transforms, less what each of them stretches. */
static tern_tensor *log_prob(const dist_body *d, const dist_body *base, tern_tensor *y) {
    tern_tensor *stretch = NULL;
    for (size_t i = d->n_transforms; i-- > 0;) {
        tern_tensor *x = inverse(&d->transform[i], y);
        tern_tensor *slope = dist_sum_last(log_slope(&d->transform[i], x), d->event.rank);
        stretch = stretch ? tern_add(stretch, slope) : slope;
        y = x;
    }
    tern_tensor *result = dist_quantity(base, DIST_LOG_PROB, y);
    return stretch ? tern_sub(result, stretch) : result;
}

/* A probability p of the base becomes 1 - p where an affine transform turns the order around. */
static tern_tensor *turned(const dist_body *d, tern_tensor *p) {
    for (size_t i = 0; i < d->n_transforms; i++)
        if (d->transform[i].kind == TERN_TRANSFORM_AFFINE)
            p = affine(&d->transform[i], "where(scale < 0, 1 - x, x)", p);
    return p;
}

static tern_tensor *compute_transformed(const dist_body *d, int quantity, tern_tensor *x) {
    const dist_body *base = dist_of(d->base, "a transformed distribution");
    if (!base) return tern_nil(d->ctx);
    switch (quantity) {
    case DIST_LOG_PROB: return log_prob(d, base, x);
    case DIST_CDF:
        for (size_t i = d->n_transforms; i-- > 0;) x = inverse(&d->transform[i], x);
        return turned(d, dist_quantity(base, DIST_CDF, x));
    case DIST_ICDF:
        x = dist_quantity(base, DIST_ICDF, turned(d, x));
        for (size_t i = 0; i < d->n_transforms; i++) x = forward(&d->transform[i], x);
        return x;
    default: return NULL;
    }
}

tern_tensor *dist_draw_base(const dist_body *d, tern_shape sample_shape, tern_generator *generator,
                            bool gradient) {
    const dist_body *base = dist_of(d->base, "a distribution made of another one");
    tern_tensor *x = base ? dist_draw(base, sample_shape, generator, gradient) : tern_nil(d->ctx);
    for (size_t i = 0; i < d->n_transforms; i++) x = forward(&d->transform[i], x);
    return x;
}

const dist_family dist_transformed = {
    .name = "TransformedDistribution",
    .compute = compute_transformed,
};

static bool check_transform(const dist_body *d, const tern_transform *t) {
    tern_shape whole;
    if ((unsigned)t->kind > TERN_TRANSFORM_TANH) {
        tern_fail(d->ctx, TERN_ERR_ARGUMENT,
                  "TransformedDistribution: there is no transform of the kind %d", (int)t->kind);
        return false;
    }
    if (t->kind != TERN_TRANSFORM_AFFINE) return true;
    if (!dist_join(d->ctx, "TransformedDistribution", d->batch, d->event, &whole)) return false;
    const tern_tensor *tensors[2] = {t->loc, t->scale};
    for (int i = 0; i < 2; i++) {
        if (!tensors[i] || (!tern_is_nil(tensors[i]) && tern_context_of(tensors[i]) == d->ctx &&
                            dist_fits(tern_shape_of(tensors[i]), whole)))
            continue;
        tern_fail(
            d->ctx, TERN_ERR_ARGUMENT,
            "TransformedDistribution: the %s of an affine transform does not broadcast to the "
            "base's batch and event shape: expand the base's parameters",
            i ? "scale" : "loc");
        return false;
    }
    return true;
}

tern_distribution *tern_distribution_transformed(tern_distribution *base,
                                                 const tern_transform *transforms, size_t count) {
    dist_body *b = dist_of(base, "tern_distribution_transformed");
    if (!b || tern_check(b->ctx)) return NULL;
    dist_body d = {
        .ctx = b->ctx, .batch = b->batch, .event = b->event, .base = base, .n_transforms = count};
    if (count > DIST_TRANSFORMS || !transforms) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT,
                  "tern_distribution_transformed: transforms must be an array of 0 to %d",
                  DIST_TRANSFORMS);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_transform(&d, &transforms[i])) return NULL;
        d.transform[i] = transforms[i];
    }
    return dist_make(&dist_transformed, NULL, &d);
}

/* ---- Independent ----------------------------------------------------------------------------- */

static tern_tensor *compute_independent(const dist_body *d, int quantity, tern_tensor *x) {
    const dist_body *base = dist_of(d->base, "an independent distribution");
    if (!base) return tern_nil(d->ctx);
    if (quantity == DIST_CDF || quantity == DIST_ICDF) return NULL;
    tern_tensor *result = dist_quantity(base, quantity, x);
    bool sums = quantity == DIST_LOG_PROB || quantity == DIST_ENTROPY;
    return sums ? dist_sum_last(result, d->reinterpreted) : result;
}

const dist_family dist_independent = {
    .name = "Independent",
    .compute = compute_independent,
};

tern_distribution *tern_distribution_independent(tern_distribution *base, int count) {
    dist_body *b = dist_of(base, "tern_distribution_independent");
    if (!b || tern_check(b->ctx)) return NULL;
    if (count < 0 || count > b->batch.rank) {
        tern_fail(
            b->ctx, TERN_ERR_ARGUMENT,
            "tern_distribution_independent: count must be 0 to %d, the dimensions of the batch, "
            "not %d",
            (int)b->batch.rank, count);
        return NULL;
    }
    dist_body d = {.ctx = b->ctx, .batch = b->batch, .base = base, .reinterpreted = count};
    d.batch.rank -= count;
    d.event.rank = count;
    for (int i = 0; i < count; i++) d.event.dim[i] = b->batch.dim[d.batch.rank + i];
    if (!dist_join(b->ctx, "Independent", d.event, b->event, &d.event)) return NULL;
    return dist_make(&dist_independent, NULL, &d);
}
