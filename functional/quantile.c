/*
 * quantile.c: statistics by order and by covariance: quantile, nanquantile, mode, cov, corrcoef.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "selection.h"

/* ---- quantiles ---- */

typedef enum interpolation { LINEAR, LOWER, HIGHER, NEAREST, MIDPOINT } interpolation;

static bool read_interpolation(tern_opcall *call, interpolation *out) {
    static const char *const names[] = {"linear", "lower", "higher", "nearest", "midpoint"};
    const char *name = tern_arg_text(call, 4, "linear");
    for (int i = LINEAR; i <= MIDPOINT; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (interpolation)i;
            return true;
        }
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "interpolation='%s' must be one of 'linear', 'lower', 'higher', 'nearest', "
                   "'midpoint'",
                   name);
    return false;
}

/* q as a vector in the input's dtype; nil after latching. */
static tern_tensor *read_q(tern_opcall *call, const tern_tensor *x) {
    tern_value q = tern_arg(call, 1);
    const tern_tensor *given = tern_arg_tensor(call, 1);
    if (given && (BODY(given)->rank > 1 || BODY(given)->dtype != BODY(x)->dtype)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "q must be a number or a vector of the input's %s, got %d dimensions of %s",
                       tern_dtype_name(BODY(x)->dtype), BODY(given)->rank,
                       tern_dtype_name(BODY(given)->dtype));
        return call->ctx->nil;
    }
    tern_tensor *flat = tern_reshape(tern_operand_of(call, q, BODY(x)->dtype), TERN_SHAPE(-1));
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    bool empty = BODY(flat)->numel == 0;
    double low = empty ? 0.0 : tern_item(tern_min(flat)),
           high = empty ? 0.0 : tern_item(tern_max(flat));
    if (low >= 0.0 && high <= 1.0) return flat;
    tern_call_fail(call, TERN_ERR_ARGUMENT, "q must be from 0 to 1, got %g",
                   low >= 0.0 ? high : low);
    return call->ctx->nil;
}

/* Which places of the sorted last dimension, [.., Q]: q (n - 1), where NaN, which sorts last, is left out
 * (`ignore_nan`), or is the answer. */
static tern_tensor *ranks_of(tern_tensor *sorted, tern_tensor *q, bool ignore_nan) {
    tern_tensor *nan = tern_isnan(tern_detach(sorted));
    int64_t n = BODY(sorted)->shape[BODY(sorted)->rank - 1];
    tern_tensor *count = tern_to_dtype(tern_sum_dims(nan, TERN_SHAPE(-1), true), BODY(q)->dtype);
    if (ignore_nan)
        return tern_mul(q, tern_at_least(tern_rsub_scalar(count, (double)(n - 1)), 0.0));
    tern_tensor *ranks = tern_add(tern_mul_scalar(q, (double)(n - 1)), tern_mul_scalar(count, 0.0));
    return tern_fill_where(ranks, tern_gt_scalar(count, 0.0), (double)(n - 1));
}

/* Ranks [.., Q] of rows [.., n]: where each rank is found in its row, or `rows` in order and no `order`. */
typedef struct ranking {
    tern_tensor *rows, *order;
    tern_tensor *below, *above; /* int64; above is NULL where nothing is interpolated */
} ranking;

/* The ranks below and above of one row, ascending, each once; returns how many. */
static int64_t distinct_ranks(const int64_t *below, const int64_t *above, int64_t q, int64_t *out) {
    int64_t count = 0;
    for (int64_t i = 0; i < 2 * q; i++) {
        int64_t rank = i < q ? below[i] : above[i - q], at = count;
        while (at > 0 && out[at - 1] > rank) at--;
        if (at > 0 && out[at - 1] == rank) continue;
        memmove(out + at + 1, out + at, (size_t)(count - at) * sizeof *out);
        out[at] = rank;
        count++;
    }
    return count;
}

/*
 * Which of several equal elements has a rank, and so the gradient: for up to sqrt(n) ranks PyTorch selects in place of
 * sorting. Fills r->order where the ranks ask, on the host, since that is a matter of its loops.
 */
static void find_selected(tern_opcall *call, ranking *r) {
    tern_ctx *ctx = call->ctx;
    if (ctx->status != TERN_OK) return;
    tern_shape shape = tern_shape_of(r->rows);
    int64_t n = shape.dim[shape.rank - 1], q = tern_size(r->below, -1),
            total = BODY(r->rows)->numel;
    double *values = tern_host_copy(ctx, r->rows, TERN_FLOAT64);
    int64_t *below = tern_host_copy(ctx, r->below, TERN_INT64);
    int64_t *above = tern_host_copy(ctx, r->above ? r->above : r->below, TERN_INT64);
    int64_t *order = tern_host_buffer(ctx, total, sizeof *order), *ranks = NULL;
    tern_ranked *row = tern_host_buffer(ctx, n, sizeof *row);
    if (row) ranks = tern_host_buffer(ctx, 2 * q, sizeof *ranks);
    for (int64_t i = 0; values && below && above && order && ranks && i < total / n; i++) {
        int64_t count = distinct_ranks(below + i * q, above + i * q, q, ranks);
        for (int64_t k = 0; k < n; k++) row[k] = (tern_ranked){values[i * n + k], k};
        tern_select_ranks(row, n, ranks, count);
        for (int64_t k = 0; k < n; k++) order[i * n + k] = row[k].index;
    }
    if (ctx->status == TERN_OK)
        r->order = tern_new_from_host(call->lane, order, TERN_INT64, &shape, NULL);
    void *const all[] = {values, below, above, order, ranks, row};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tern_host_give(ctx, all[i]);
}

static tern_tensor *at_rank(const ranking *r, tern_tensor *ranks) {
    return tern_gather(r->rows, -1, r->order ? tern_gather(r->order, -1, ranks) : ranks);
}

/* The quantiles of rows, whose order is `sorted`. */
static tern_tensor *interpolated(tern_opcall *call, tern_tensor *rows, tern_tensor *sorted,
                                 tern_tensor *ranks, interpolation by) {
    tern_tensor *floor = tern_floor(ranks);
    tern_tensor *low = by == HIGHER ? tern_ceil(ranks) : by == NEAREST ? tern_round(ranks) : floor;
    bool between = by == LINEAR || by == MIDPOINT;
    ranking r = {.rows = sorted, .below = tern_to_dtype(low, TERN_INT64)};
    if (between) r.above = tern_to_dtype(tern_ceil(ranks), TERN_INT64);
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    int64_t n = tern_size(rows, -1), wanted = tern_size(ranks, -1) * (between ? 2 : 1);
    if (tern_call_is_recorded(call) && wanted > 0 && wanted <= n / wanted) {
        r.rows = rows;
        find_selected(call, &r);
    }
    if (!between) return at_rank(&r, r.below);
    tern_tensor *weight = by == MIDPOINT ? tern_full_like(ranks, 0.5) : tern_sub(ranks, floor);
    return TERN_CALL(lerp, ARG_TENSOR(at_rank(&r, r.below)), ARG_TENSOR(at_rank(&r, r.above)),
                     ARG_TENSOR(weight));
}

/* [.., Q] with the quantiles in front, or without them for a single number, and what was reduced kept. */
static tern_tensor *arranged(tern_opcall *call, tern_tensor *out, bool whole, int dim) {
    tern_tensor *x = tern_arg_tensor(call, 0), *q = tern_arg_tensor(call, 1);
    bool many = q && BODY(q)->rank == 1, keepdim = tern_arg_bool(call, 3, false);
    if (whole && keepdim) {
        tern_shape ones = {BODY(x)->rank + 1, {0}};
        for (int d = 0; d < BODY(x)->rank; d++) ones.dim[d] = 1;
        ones.dim[BODY(x)->rank] = -1;
        out = tern_reshape(out, ones);
    } else if (keepdim && BODY(x)->rank > 0) {
        out = tern_unsqueeze(out, dim);
    }
    return many ? TERN_CALL(movedim, ARG_TENSOR(out), ARG_INT(-1), ARG_INT(0))
                : tern_squeeze(out, -1);
}

static tern_value quantile(tern_opcall *call, bool ignore_nan) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    interpolation by;
    int dim = 0;
    bool whole = !tern_arg_given(call, 2);
    if (!tern_dtype_is_floating(BODY(x)->dtype) || BODY(x)->numel == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects elements of a floating dtype, got %lld of %s",
                              (long long)BODY(x)->numel, tern_dtype_name(BODY(x)->dtype));
    if (!whole && !tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 2, 0), &dim))
        return tern_none();
    if (BODY(x)->rank == TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "input has %d dimensions already",
                              TERN_MAX_RANK);
    tern_tensor *q = read_q(call, x);
    if (!read_interpolation(call, &by) || call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *rows = whole || BODY(x)->rank == 0
                            ? tern_reshape(x, TERN_SHAPE(-1))
                            : TERN_CALL(movedim, ARG_TENSOR(x), ARG_INT(dim), ARG_INT(-1));
    tern_value pair = TERN_CALL_VALUE(sort, ARG_TENSOR(rows), ARG_INT(-1));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *sorted = tern_value_at(pair, 0).as.tensor;
    tern_tensor *out = interpolated(call, rows, sorted, ranks_of(sorted, q, ignore_nan), by);
    return tern_result(call, arranged(call, out, whole, dim));
}

tern_value tern_op_quantile(tern_opcall *call) {
    return quantile(call, false);
}
tern_value tern_op_nanquantile(tern_opcall *call) {
    return quantile(call, true);
}

/* ---- the mode ---- */

/* For each row of n sorted elements, given in which order they were and which equal the one before: the place of
 * the last of the longest run, the first of several. */
static void find_modes(const int64_t *order, const uint8_t *repeats, int64_t rows, int64_t n,
                       int64_t *out) {
    for (int64_t r = 0; r < rows; r++) {
        int64_t length = 0, longest = 0;
        for (int64_t i = 0; i < n; i++) {
            length = i > 0 && repeats[r * (n - 1) + i - 1] ? length + 1 : 1;
            if (length <= longest) continue;
            longest = length;
            out[r] = order[r * n + i];
        }
    }
}

/* The same for one row as PyTorch sorts a short one: by `<` alone, so that a NaN, which is equal to nothing, parts
 * the numbers around it. */
static int64_t mode_of_short(const double *values, int64_t n) {
    tern_ranked row[TERN_INSERTION_MOST];
    int64_t length = 0, longest = 0, found = 0;
    for (int64_t i = 0; i < n; i++) row[i] = (tern_ranked){values[i], i};
    tern_insertion_sort(row, n);
    for (int64_t i = 0; i < n; i++) {
        length++;
        if (i < n - 1 && row[i].value == row[i + 1].value) continue;
        if (length > longest) {
            longest = length;
            found = row[i].index;
        }
        length = 0;
    }
    return found;
}

/* The places of the modes of short rows of floats, x[.., n], on the host. */
static tern_tensor *short_modes(tern_opcall *call, tern_tensor *x, int64_t n, int64_t rows) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *out = ctx->nil;
    tern_shape shape = tern_shape_of(x);
    shape.dim[shape.rank - 1] = 1;
    double *values = tern_host_copy(ctx, x, TERN_FLOAT64);
    int64_t *found = values ? tern_host_buffer(ctx, rows, sizeof *found) : NULL;
    if (found) {
        for (int64_t r = 0; r < rows; r++) found[r] = mode_of_short(values + r * n, n);
        out = tern_new_from_host(call->lane, found, TERN_INT64, &shape, NULL);
    }
    tern_host_give(ctx, values);
    tern_host_give(ctx, found);
    return out;
}

/* The positions of the modes along the last dimension of x, which stays with size 1. */
static tern_tensor *mode_positions(tern_opcall *call, tern_tensor *x) {
    tern_ctx *ctx = call->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_shape shape = tern_shape_of(x);
    int64_t n = shape.dim[shape.rank - 1], rows = n ? BODY(x)->numel / n : 0;
    if (n <= TERN_INSERTION_MOST && tern_dtype_is_floating(BODY(x)->dtype))
        return short_modes(call, x, n, rows);
    tern_value pair = TERN_CALL_VALUE(sort, ARG_TENSOR(tern_detach(x)), ARG_INT(-1),
                                      ARG_BOOL(false), ARG_BOOL(true));
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_tensor *sorted = tern_value_at(pair, 0).as.tensor;
    tern_tensor *same =
        tern_eq(tern_narrow(sorted, -1, 1, n - 1), tern_narrow(sorted, -1, 0, n - 1));
    int64_t *order = tern_host_copy(ctx, tern_value_at(pair, 1).as.tensor, TERN_INT64);
    uint8_t *repeats = tern_host_copy(ctx, same, TERN_UINT8);
    int64_t *found = tern_host_buffer(ctx, rows, sizeof *found);
    tern_tensor *out = ctx->nil;
    shape.dim[shape.rank - 1] = 1;
    if (order && repeats && found) {
        find_modes(order, repeats, rows, n, found);
        out = tern_new_from_host(call->lane, found, TERN_INT64, &shape, NULL);
    }
    tern_host_give(ctx, order);
    tern_host_give(ctx, repeats);
    tern_host_give(ctx, found);
    return out;
}

/* mode(input, dim=-1, keepdim=False): the most frequent value, the smallest of several, and where it is last */
tern_value tern_op_mode(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    bool scalar = BODY(x)->rank == 0, keepdim = tern_arg_bool(call, 2, false);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 1, -1), &dim))
        return tern_none();
    if (scalar) x = tern_reshape(x, TERN_SHAPE(1));
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(x)->shape[dim] == 0)
        return tern_call_fail(call, TERN_ERR_INDEX,
                              "dimension %d has no elements, of which none is the most frequent",
                              dim);
    tern_tensor *rows = TERN_CALL(movedim, ARG_TENSOR(x), ARG_INT(dim), ARG_INT(-1));
    if (call->ctx->status != TERN_OK) return tern_none();
    both[1] = mode_positions(call, rows);
    both[0] = tern_gather(rows, -1, both[1]);
    for (int i = 0; i < 2; i++)
        both[i] = keepdim && !scalar
                      ? TERN_CALL(movedim, ARG_TENSOR(both[i]), ARG_INT(-1), ARG_INT(dim))
                      : tern_squeeze(both[i], -1);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

/* ---- covariances ---- */

/* Latches where weights are no vector of n, or have another kind of dtype. */
static bool weights_fit(tern_opcall *call, tern_tensor *w, const char *name, int64_t n,
                        bool floating) {
    if (!w) return true;
    if (BODY(w)->rank <= 1 && BODY(w)->numel == n &&
        tern_dtype_is_floating(BODY(w)->dtype) == floating)
        return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "%s must be %lld %s, one for each column, got %lld of %s", name, (long long)n,
                   floating ? "floating numbers" : "integers", (long long)BODY(w)->numel,
                   tern_dtype_name(BODY(w)->dtype));
    return false;
}

/* What the products are divided by, a number as a tensor; 0 where it would be negative. */
static tern_tensor *normaliser(tern_tensor *w, tern_tensor *total, tern_tensor *aweights,
                               double correction) {
    if (!aweights || correction == 0.0)
        return tern_at_least(tern_sub_scalar(total, correction), 0.0);
    tern_tensor *share = tern_div(tern_sum(tern_mul(w, aweights)), total);
    return tern_at_least(tern_sub(total, tern_mul_scalar(share, correction)), 0.0);
}

/* cov(input, correction=1, fweights=None, aweights=None): of the rows, [n] or [rows, n] */
tern_value tern_op_cov(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *f = tern_arg_tensor(call, 2);
    tern_tensor *a = tern_arg_tensor(call, 3);
    if (BODY(x)->rank > 2 || BODY(x)->dtype == TERN_BOOL)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects numbers of up to two dimensions, got %d of %s",
                              BODY(x)->rank, tern_dtype_name(BODY(x)->dtype));
    bool floating = tern_dtype_is_floating(BODY(x)->dtype);
    tern_dtype dtype = floating ? BODY(x)->dtype : TERN_FLOAT32;
    if (a) dtype = tern_result_type((tern_value[]){ARG_TENSOR(x), ARG_TENSOR(a)}, 2);
    tern_tensor *rows = tern_widen(tern_to_dtype(x, dtype)), *w = NULL;
    if (BODY(x)->rank < 2) rows = tern_reshape(rows, TERN_SHAPE(1, -1));
    if (call->ctx->status != TERN_OK) return tern_none();
    int64_t n = BODY(rows)->shape[1];
    if (!weights_fit(call, f, "fweights", n, false) || !weights_fit(call, a, "aweights", n, true))
        return tern_none();
    tern_dtype wide = BODY(rows)->dtype;
    if (f) w = tern_reshape(tern_to_dtype(f, wide), TERN_SHAPE(n));
    if (a) a = tern_reshape(tern_to_dtype(a, wide), TERN_SHAPE(n));
    if (a) w = w ? tern_mul(w, a) : a;
    if (!w) w = TERN_CALL(new_ones, ARG_TENSOR(rows), ARG_SHAPE(TERN_SHAPE(n)));
    tern_tensor *total = tern_sum(w);
    tern_tensor *means = tern_div(tern_sum_dims(tern_mul(rows, w), TERN_SHAPE(1), true), total);
    tern_tensor *centred = tern_sub(rows, means);
    tern_tensor *products = tern_matmul(centred, tern_t(tern_mul(centred, w)));
    double correction = tern_arg_double(call, 1, 1.0);
    tern_tensor *out = tern_div(products, normaliser(w, total, a, correction));
    return tern_result(call, tern_to_dtype(tern_squeeze_all(out), dtype));
}

/* corrcoef(input): covariances over the products of the deviations, kept within [-1, 1] */
tern_value tern_op_corrcoef(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_dtype dtype = tern_dtype_is_floating(BODY(x)->dtype) ? BODY(x)->dtype : TERN_FLOAT32;
    tern_tensor *c = TERN_CALL(cov, ARG_TENSOR(tern_widen(tern_to_dtype(x, dtype))));
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(c)->rank == 0) return tern_result(call, tern_to_dtype(tern_div(c, c), dtype));
    tern_tensor *deviations = tern_sqrt(TERN_CALL(diagonal, ARG_TENSOR(c)));
    c = tern_div(c, tern_unsqueeze(deviations, 1));
    c = tern_div(c, tern_unsqueeze(deviations, 0));
    return tern_result(call, tern_to_dtype(tern_clamp(c, -1.0, 1.0), dtype));
}
