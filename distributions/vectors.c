/* vectors.c: the families over a last dimension: Categorical, Dirichlet, MultivariateNormal. */
#include <float.h>
#include <math.h>

#include "internal.h"

#define LOG_2PI 1.83787706640934548356

static const tern_shape last = {1, {-1}};

/* The batch shape leaves out the last n dimensions of a parameter. */
static tern_shape without_last(const tern_tensor *parameter, int n) {
    tern_shape shape = tern_shape_of(parameter);
    shape.rank -= n;
    return shape;
}

static bool has_rank(const char *name, const char *parameter, const tern_tensor *tensor, int rank) {
    if (tern_is_nil(tensor)) return false;
    if (tern_rank(tensor) >= rank && tern_dtype_is_floating(tern_dtype_of(tensor)) &&
        tern_size(tensor, -1) > 0)
        return true;
    tern_fail(tern_context_of(tensor), TERN_ERR_ARGUMENT,
              "%s: %s must be of a floating dtype and have %d dimension%s or more, none empty",
              name, parameter, rank, rank > 1 ? "s" : "");
    return false;
}

bool dist_one_of(const char *name, const char *first_name, const tern_tensor *first,
                 const char *second_name, const tern_tensor *second) {
    const tern_tensor *one = first ? first : second;
    if (!one) return false;
    if (first && second)
        tern_fail(tern_context_of(one), TERN_ERR_ARGUMENT,
                  "%s: give %s or %s, and NULL for the other", name, first_name, second_name);
    return !tern_is_nil(one) && !tern_check(tern_context_of(one));
}

/* The parameters themselves, whose shapes hold the event's; checked by the family's constraint. */
static tern_distribution *make(const dist_family *family, tern_tensor *first, tern_tensor *second,
                               int event_rank, tern_shape batch) {
    dist_body d = {.ctx = tern_context_of(first),
                   .parameter = {first, second},
                   .batch = batch,
                   .event = {event_rank, {event_rank ? tern_size(first, -1) : 0}}};
    return tern_check(d.ctx) ? NULL : dist_make(family, NULL, &d);
}

/* ---- Categorical ----------------------------------------------------------------------------- */

static tern_tensor *log_prob_of_index(const dist_body *d, tern_tensor *x) {
    tern_tensor *index = tern_unsqueeze(tern_as_long(x), -1), *logits = d->parameter[1];
    tern_shape categories = {1, {tern_size(logits, -1)}}, whole;
    tern_value same = tern_broadcast_tensors((tern_tensor *[]){x, tern_select(logits, -1, 0)}, 2);
    tern_shape shape = tern_shape_of(tern_value_at(same, 0).as.tensor);
    if (tern_check(d->ctx) || !dist_join(d->ctx, "Categorical", shape, categories, &whole))
        return tern_nil(d->ctx);
    tern_shape one = whole;
    one.dim[one.rank - 1] = 1;
    tern_tensor *chosen = tern_gather(tern_expand(logits, whole), -1, tern_expand(index, one));
    return tern_squeeze(chosen, -1);
}

static double least_of(tern_dtype dtype) {
    return dtype == TERN_FLOAT64    ? -DBL_MAX
           : dtype == TERN_FLOAT16  ? -65504.0
           : dtype == TERN_BFLOAT16 ? -0x1.FEp127
                                    : -(double)FLT_MAX;
}

static tern_tensor *compute_categorical(const dist_body *d, int quantity, tern_tensor *x) {
    tern_tensor *probs = d->parameter[0], *logits = d->parameter[1];
    switch (quantity) {
    case DIST_LOG_PROB: return log_prob_of_index(d, x);
    case DIST_ENTROPY: /* a probability of 0 adds nothing */
        logits = tern_clamp_min(logits, least_of(tern_dtype_of(logits)));
        return tern_neg(dist_sum_last(tern_mul(probs, logits), 1));
    case DIST_MEAN:
    case DIST_VARIANCE: return tern_new_full(probs, d->batch, NAN);
    default: return NULL;
    }
}

static int64_t product(tern_shape shape, int from, int to) {
    bool fits = true;
    int64_t size = 1;
    for (int i = from; i < to; i++) size = tern_dim_mul(size, shape.dim[i], &fits);
    return fits ? size : -1;
}

/* All samples of one row after each other, as PyTorch draws them. */
static tern_tensor *draw_categorical(const dist_body *d, tern_shape shape,
                                     tern_generator *generator) {
    tern_tensor *probs = d->parameter[0];
    int64_t samples = product(shape, 0, shape.rank - d->batch.rank);
    int64_t rows = product(d->batch, 0, d->batch.rank);
    tern_tensor *flat = tern_reshape(probs, TERN_SHAPE(rows, tern_size(probs, -1)));
    tern_tensor *drawn = tern_multinomial(flat, samples, true, generator);
    return tern_reshape(tern_transpose(drawn, 0, 1), shape);
}

const dist_family dist_categorical = {
    .name = "Categorical",
    .parameter = {"probs", "logits"},
    .constraint = "probs >= 0 and probs <= 1",
    .compute = compute_categorical,
    .support = "x >= 0 and x == floor(x)", /* gather checks the other end */
    .draw = draw_categorical,
};

tern_distribution *tern_distribution_categorical(tern_tensor *probs, tern_tensor *logits) {
    tern_tensor *given = probs ? probs : logits;
    if (!dist_one_of("Categorical", "probs", probs, "logits", logits) ||
        !has_rank("Categorical", probs ? "probs" : "logits", given, 1))
        return NULL;
    if (probs) {
        double eps = dist_eps(tern_dtype_of(probs));
        probs = tern_div(probs, tern_sum_dims(probs, last, true));
        logits = tern_log(tern_clamp(probs, eps, 1 - eps));
    } else {
        logits = tern_sub(logits, tern_logsumexp(logits, last, true));
        probs = tern_softmax(logits, -1);
    }
    return make(&dist_categorical, probs, logits, 0, without_last(given, 1));
}

/* ---- Dirichlet ------------------------------------------------------------------------------- */

/* A formula over the concentration c, its sum s and x. */
static tern_tensor *over(const dist_body *d, const char *formula, tern_tensor *x, bool keep_sum) {
    dist_names names = {0};
    dist_names_put(&names, "c", d->parameter[0]);
    dist_names_put(&names, "s", tern_sum_dims(d->parameter[0], last, keep_sum));
    if (x) dist_names_put(&names, "x", x);
    return dist_map(d->ctx, formula, &names);
}

static tern_tensor *compute_dirichlet(const dist_body *d, int quantity, tern_tensor *x) {
    double k = (double)tern_size(d->parameter[0], -1);
    tern_tensor *sums;
    switch (quantity) {
    case DIST_LOG_PROB:
        sums = dist_sum_last(over(d, "xlogy(c - 1, x) - lgamma(c)", x, false), 1);
        return tern_add(sums, over(d, "lgamma(s)", NULL, false));
    case DIST_ENTROPY: /* (s - k) digamma(s) is the sum of (c - 1) digamma(s) */
        sums = over(d, "lgamma(c) - (c - 1) * digamma(c)", NULL, false);
        return tern_sub(
            tern_add(dist_sum_last(sums, 1), over(d, "s * digamma(s) - lgamma(s)", NULL, false)),
            tern_mul_scalar(over(d, "digamma(s)", NULL, false), k));
    case DIST_MEAN: return over(d, "c / s", NULL, true);
    case DIST_VARIANCE: return over(d, "c * (s - c) / (s ** 2 * (s + 1))", NULL, true);
    default: return NULL;
    }
}

static tern_tensor *draw_dirichlet(const dist_body *d, tern_shape shape,
                                   tern_generator *generator) {
    return dist_draw_dirichlet("Dirichlet", tern_expand(d->parameter[0], shape), generator);
}

const dist_family dist_dirichlet = {
    .name = "Dirichlet",
    .parameter = {"concentration"},
    .constraint = "concentration > 0",
    .support = "x >= 0 and x <= 1",
    .compute = compute_dirichlet,
    .draw = draw_dirichlet,
    .reparametrized = true,
    .implicit = true,
};

tern_distribution *tern_distribution_dirichlet(tern_tensor *concentration) {
    if (!concentration || !has_rank("Dirichlet", "concentration", concentration, 1)) return NULL;
    return make(&dist_dirichlet, concentration, NULL, 1, without_last(concentration, 1));
}

/* ---- MultivariateNormal ---------------------------------------------------------------------- */

tern_tensor *dist_half_log_det(tern_tensor *scale_tril) {
    return dist_sum_last(tern_log(tern_diagonal(scale_tril, 0, -2, -1)), 1);
}

tern_tensor *dist_solve(tern_tensor *scale_tril, tern_tensor *b) {
    if (tern_check(tern_context_of(b))) return tern_nil(tern_context_of(b));
    tern_shape left = tern_shape_of(scale_tril), right = tern_shape_of(b);
    int64_t n = tern_size(scale_tril, -1), columns = tern_size(b, -1);
    left.rank -= 2;
    right.rank -= 2;
    tern_tensor *batch = tern_broadcast_shapes(tern_context_of(b), left, right);
    tern_shape shape = {(int32_t)tern_numel(batch), {0}}, square, whole;
    double sizes[TERN_MAX_RANK];
    if (tern_check(tern_context_of(b)) || shape.rank > TERN_MAX_RANK ||
        tern_to_doubles(batch, sizes, (size_t)shape.rank) != TERN_OK)
        return tern_nil(tern_context_of(b));
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = (int64_t)sizes[i];
    if (!dist_join(tern_context_of(b), "MultivariateNormal", shape, TERN_SHAPE(n, n), &square) ||
        !dist_join(tern_context_of(b), "MultivariateNormal", shape, TERN_SHAPE(n, columns), &whole))
        return tern_nil(tern_context_of(b));
    return tern_solve_triangular(tern_expand(scale_tril, square), tern_expand(b, whole), false,
                                 true, false);
}

/* The squared length of L^-1 difference. */
tern_tensor *dist_mahalanobis(tern_tensor *scale_tril, tern_tensor *difference) {
    return dist_sum_last(tern_square(dist_solve(scale_tril, tern_unsqueeze(difference, -1))), 2);
}

static tern_tensor *compute_normal(const dist_body *d, int quantity, tern_tensor *x) {
    tern_tensor *loc = d->parameter[0], *tril = d->parameter[1], *size;
    double k = (double)tern_size(loc, -1);
    switch (quantity) {
    case DIST_LOG_PROB:
        size = tern_add_scalar(dist_mahalanobis(tril, tern_sub(x, loc)), k * LOG_2PI);
        return tern_sub(tern_mul_scalar(size, -0.5), dist_half_log_det(tril));
    case DIST_ENTROPY: return tern_add_scalar(dist_half_log_det(tril), 0.5 * k * (1 + LOG_2PI));
    case DIST_MEAN: return tern_mul_scalar(loc, 1);
    case DIST_VARIANCE: return dist_sum_last(tern_square(tril), 1);
    default: return NULL;
    }
}

static tern_tensor *draw_multivariate(const dist_body *d, tern_shape shape,
                                      tern_generator *generator) {
    tern_tensor *x = tern_new_zeros(d->parameter[0], shape);
    x = tern_unsqueeze(tern_normal_in_place(x, 0, 1, generator), -1);
    return tern_add(d->parameter[0], tern_squeeze(tern_matmul(d->parameter[1], x), -1));
}

const dist_family dist_multivariate_normal = {
    .name = "MultivariateNormal",
    .parameter = {"loc", "scale_tril"},
    .support = "x == x",
    .compute = compute_normal,
    .draw = draw_multivariate,
    .reparametrized = true,
};

/* What a factor must be; one from a Cholesky factorisation is. */
static bool check_factor(tern_tensor *tril) {
    if (!dist_validates()) return true;
    tern_scope scope = tern_scope_begin(tern_context_of(tril), TERN_NO_GRAD);
    bool lower = tern_item(tern_all(tern_eq(tern_tril(tril, 0), tril))) != 0 &&
                 tern_item(tern_all(tern_gt_scalar(tern_diagonal(tril, 0, -2, -1), 0))) != 0;
    tern_scope_end(scope);
    if (!lower)
        tern_fail(
            tern_context_of(tril), TERN_ERR_ARGUMENT,
            "MultivariateNormal: scale_tril must be lower triangular with a positive diagonal");
    return lower;
}

tern_distribution *tern_distribution_multivariate_normal(tern_tensor *loc,
                                                         tern_tensor *covariance_matrix,
                                                         tern_tensor *scale_tril) {
    tern_tensor *matrix = covariance_matrix ? covariance_matrix : scale_tril;
    if (!loc && matrix && !tern_check(tern_context_of(matrix)))
        tern_fail(tern_context_of(matrix), TERN_ERR_ARGUMENT, "MultivariateNormal: loc is NULL");
    if (!loc ||
        !dist_one_of("MultivariateNormal", "covariance_matrix", covariance_matrix, "scale_tril",
                     scale_tril) ||
        !has_rank("MultivariateNormal", "loc", loc, 1) ||
        !has_rank("MultivariateNormal", covariance_matrix ? "covariance_matrix" : "scale_tril",
                  matrix, 2))
        return NULL;
    tern_ctx *ctx = tern_context_of(loc);
    int64_t n = tern_size(matrix, -1);
    if (tern_size(matrix, -2) != n || tern_size(loc, -1) != n) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "MultivariateNormal: loc of %lld elements needs a matrix of %lld x %lld, not "
                  "%lld x %lld",
                  (long long)tern_size(loc, -1), (long long)tern_size(loc, -1),
                  (long long)tern_size(loc, -1), (long long)tern_size(matrix, -2), (long long)n);
        return NULL;
    }
    tern_tensor *tril = covariance_matrix ? tern_cholesky(covariance_matrix, false) : scale_tril;
    if (tern_check(ctx) || !check_factor(tril)) return NULL;
    tern_tensor *rows = tern_select(tril, -1, 0);
    tern_tensor *whole =
        tern_value_at(tern_broadcast_tensors((tern_tensor *[]){loc, rows}, 2), 0).as.tensor;
    tern_shape square;
    if (tern_check(ctx) ||
        !dist_join(ctx, "MultivariateNormal", tern_shape_of(whole), TERN_SHAPE(n), &square))
        return NULL;
    return make(&dist_multivariate_normal, whole, tern_expand(tril, square), 1,
                without_last(whole, 1));
}
