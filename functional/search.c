/*
 * search.c: what is done in host memory because the size or the place of the result depends on the
 * data: unique, unique_consecutive, searchsorted, bucketize; and counts: bincount, histc.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "numerics/dtype_convert.h"

/* ---- rows: n slices of `width` elements each, row-major ---- */

typedef struct rows {
    const void *data;
    int dtype;
    int64_t n, width;
} rows;

/* Below, equal or above 0; NaN is the greatest, and equals nothing where `strict`. */
static int compare_elements(const rows *r, int64_t a, int64_t b, bool strict) {
    if (!tern_dtype_is_floating((tern_dtype)r->dtype)) {
        int64_t x = tern_num_load_i64(r->dtype, r->data, a);
        int64_t y = tern_num_load_i64(r->dtype, r->data, b);
        return (x > y) - (x < y);
    }
    double x = tern_num_load_f64(r->dtype, r->data, a);
    double y = tern_num_load_f64(r->dtype, r->data, b);
    if (isnan(x) || isnan(y)) return strict ? 1 : isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static int compare_rows(const rows *r, int64_t a, int64_t b, bool strict) {
    for (int64_t i = 0; i < r->width; i++) {
        int order = compare_elements(r, a * r->width + i, b * r->width + i, strict);
        if (order != 0) return order;
    }
    return 0;
}

/* A stable bottom-up merge sort of row numbers; the result is in `order`. */
static void sort_rows(const rows *r, int64_t *order, int64_t *scratch) {
    for (int64_t run = 1; run < r->n; run *= 2) {
        for (int64_t start = 0; start < r->n; start += 2 * run) {
            int64_t middle = start + run < r->n ? start + run : r->n;
            int64_t end = middle + run < r->n ? middle + run : r->n;
            int64_t i = start, j = middle;
            for (int64_t k = start; k < end; k++) {
                bool left =
                    j >= end || (i < middle && compare_rows(r, order[i], order[j], false) <= 0);
                scratch[k] = left ? order[i++] : order[j++];
            }
        }
        memcpy(order, scratch, (size_t)r->n * sizeof *order);
    }
}

/* ---- unique ---- */

typedef struct distinct {
    int64_t *order, *first, *inverse, *counts; /* n each: rows in order, groups' first rows, ... */
    int64_t groups;
} distinct;

static bool distinct_begin(tern_ctx *ctx, int64_t n, distinct *d) {
    *d = (distinct){0};
    d->order = tern_host_buffer(ctx, n, sizeof *d->order);
    d->first = tern_host_buffer(ctx, n, sizeof *d->first);
    d->inverse = tern_host_buffer(ctx, n, sizeof *d->inverse);
    d->counts = tern_host_buffer(ctx, n, sizeof *d->counts);
    return d->order && d->first && d->inverse && d->counts;
}

static void distinct_end(tern_ctx *ctx, distinct *d) {
    tern_host_give(ctx, d->order);
    tern_host_give(ctx, d->first);
    tern_host_give(ctx, d->inverse);
    tern_host_give(ctx, d->counts);
}

static void group_rows(const rows *r, bool sorted, distinct *d) {
    for (int64_t i = 0; i < r->n; i++) d->order[i] = i;
    if (sorted) sort_rows(r, d->order, d->first);
    for (int64_t i = 0; i < r->n; i++) {
        bool opens = i == 0 || compare_rows(r, d->order[i - 1], d->order[i], true) != 0;
        if (opens) {
            d->first[d->groups] = d->order[i];
            d->counts[d->groups++] = 0;
        }
        d->counts[d->groups - 1]++;
        d->inverse[d->order[i]] = d->groups - 1;
    }
}

/* (values, inverse?, counts?) of slices along dim 0 of `x`; the inverse has `inverse_shape`. */
static tern_value unique_rows(tern_opcall *call, tern_tensor *x, bool sorted, bool want_inverse,
                              bool want_counts, const tern_shape *inverse_shape,
                              tern_tensor **out_values) {
    tern_ctx *ctx = call->ctx;
    rows r = {.dtype = (int)BODY(x)->dtype, .n = BODY(x)->shape[0]};
    for (int i = 1; i < BODY(x)->rank; i++)
        r.width = i == 1 ? BODY(x)->shape[1] : r.width * BODY(x)->shape[i];
    if (BODY(x)->rank == 1) r.width = 1;
    void *data = tern_host_copy(ctx, x, BODY(x)->dtype);
    distinct d;
    bool ready = distinct_begin(ctx, r.n, &d) && data;
    tern_value all = tern_tuple_new(ctx);
    if (ready) {
        r.data = data;
        group_rows(&r, sorted, &d);
        tern_shape groups = {1, {d.groups}};
        tern_tensor *first = tern_new_from_host(call->lane, d.first, TERN_INT64, &groups, NULL);
        *out_values = tern_index_select(x, 0, first);
        tern_list_append(all, ARG_TENSOR(*out_values));
        if (want_inverse)
            tern_list_append(all, ARG_TENSOR(tern_new_from_host(call->lane, d.inverse, TERN_INT64,
                                                                inverse_shape, NULL)));
        if (want_counts)
            tern_list_append(all, ARG_TENSOR(tern_new_from_host(call->lane, d.counts, TERN_INT64,
                                                                &groups, NULL)));
    }
    distinct_end(ctx, &d);
    tern_host_give(ctx, data);
    return ctx->status == TERN_OK ? all : tern_none();
}

/* torch.movedim of one dimension. */
static tern_tensor *moved(tern_tensor *x, int from, int to) {
    tern_shape order = {BODY(x)->rank, {0}};
    for (int d = 0, next = 0; d < BODY(x)->rank; d++) {
        if (next == from) next++;
        order.dim[d] = d == to ? from : next++;
    }
    return tern_permute(x, order);
}

static tern_value unique(tern_opcall *call, bool sorted, int inverse_at) {
    tern_tensor *x = tern_arg_tensor(call, 0), *values = NULL;
    bool inverse = tern_arg_bool(call, inverse_at, false);
    bool counts = tern_arg_bool(call, inverse_at + 1, false);
    bool whole = !tern_arg_given(call, inverse_at + 2);
    tern_shape shape = tern_shape_of(x);
    int dim = 0;
    tern_tensor *rows_of = x;
    if (whole || BODY(x)->rank == 0) {
        rows_of = tern_reshape(x, TERN_SHAPE(BODY(x)->numel));
    } else {
        if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, inverse_at + 2, 0), &dim))
            return tern_none();
        shape = (tern_shape){1, {BODY(x)->shape[dim]}};
        rows_of = tern_contiguous(moved(x, dim, 0));
    }
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_value all = unique_rows(call, rows_of, sorted, inverse, counts, &shape, &values);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!whole && dim > 0) {
        values = tern_contiguous_raw(moved(values, 0, dim));
        tern_list_set(all, 0, ARG_TENSOR(values));
    }
    return inverse || counts ? all : tern_result(call, values);
}

/* unique(input, sorted, return_inverse, return_counts, dim) */
tern_value tern_op_unique(tern_opcall *call) {
    return unique(call, true, 2);
}
tern_value tern_op_unique_consecutive(tern_opcall *call) {
    return unique(call, false, 1);
}

/* ---- searchsorted ---- */

/* The first position in [0, n) whose element is not below (right: is above) the value. */
static int64_t lower_bound(const double *edges, const int64_t *sorter, int64_t n, double value,
                           bool right) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        double edge = edges[sorter ? sorter[middle] : middle];
        bool goes_on = right ? !(edge > value) : !(edge >= value);
        if (isnan(value)) goes_on = right || !isnan(edge);
        if (goes_on)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Every value of a sorter names a place of its row; false after latching. */
static bool sorter_fits(tern_opcall *call, const int64_t *sorter, int64_t count, int64_t n) {
    for (int64_t i = 0; i < count; i++) {
        if (sorter[i] >= 0 && sorter[i] < n) continue;
        tern_call_fail(call, TERN_ERR_INDEX,
                       "sorter index out of range: %lld in a sequence of %lld",
                       (long long)sorter[i], (long long)n);
        return false;
    }
    return true;
}

/* Positions of values in rows of edges: one row for all, or one for each row of values. */
static tern_value search(tern_opcall *call, tern_tensor *edges, tern_tensor *values,
                         tern_tensor *sorter, bool right, bool int32) {
    tern_ctx *ctx = call->ctx;
    int64_t n = BODY(edges)->rank ? BODY(edges)->shape[BODY(edges)->rank - 1] : 1;
    bool fits = BODY(edges)->rank == 1 || BODY(edges)->rank == BODY(values)->rank;
    for (int d = 0; fits && BODY(edges)->rank > 1 && d < BODY(edges)->rank - 1; d++)
        fits = BODY(edges)->shape[d] == BODY(values)->shape[d];
    if (!fits || BODY(edges)->rank == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "boundaries tensor should be 1 dimension or the first N-1 dimensions "
                              "of boundaries tensor and input value tensor must match");
    double *e = tern_host_copy(ctx, edges, TERN_FLOAT64);
    double *v = e ? tern_host_copy(ctx, values, TERN_FLOAT64) : NULL;
    int64_t *s = v && sorter ? tern_host_copy(ctx, sorter, TERN_INT64) : NULL;
    int64_t *out = v ? tern_host_buffer(ctx, BODY(values)->numel, sizeof *out) : NULL;
    int64_t per_row = BODY(edges)->rank == 1 ? BODY(values)->numel
                      : BODY(values)->rank   ? BODY(values)->shape[BODY(values)->rank - 1]
                                             : 1;
    tern_tensor *result = ctx->nil;
    if (out && ctx->status == TERN_OK && (!s || sorter_fits(call, s, BODY(sorter)->numel, n))) {
        for (int64_t i = 0; i < BODY(values)->numel; i++) {
            int64_t row = per_row ? i / per_row : 0;
            out[i] = lower_bound(e + row * n, s ? s + row * n : NULL, n, v[i], right);
        }
        tern_shape shape = tern_shape_of(values);
        result = tern_new_from_host(call->lane, out, TERN_INT64, &shape, NULL);
        if (int32) result = tern_to_dtype(result, TERN_INT32);
    }
    tern_host_give(ctx, e);
    tern_host_give(ctx, v);
    tern_host_give(ctx, s);
    tern_host_give(ctx, out);
    return tern_result(call, result);
}

/* (sorted_sequence, input, out_int32, right, side, sorter) */
tern_value tern_op_searchsorted(tern_opcall *call) {
    tern_tensor *edges = tern_arg_tensor(call, 0), *sorter = tern_arg_tensor(call, 5);
    tern_tensor *values = tern_arg_tensor(call, 1);
    if (!values) values = tern_operand_of(call, tern_arg(call, 1), TERN_FLOAT64);
    if (call->ctx->status != TERN_OK) return tern_none();
    bool right =
        tern_arg_bool(call, 3, false) || strcmp(tern_arg_text(call, 4, "left"), "right") == 0;
    if (sorter && BODY(sorter)->dtype != TERN_INT64)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "sorter must be a tensor of long dtype but got dtype %s",
                              tern_dtype_class(BODY(sorter)->dtype));
    if (sorter && !tern_same_shape(sorter, edges))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "sorter and sorted_sequence must have the same size");
    return search(call, edges, values, sorter, right, tern_arg_bool(call, 2, false));
}

/* (input, boundaries, out_int32, right) */
tern_value tern_op_bucketize(tern_opcall *call) {
    tern_tensor *values = tern_arg_tensor(call, 0), *edges = tern_arg_tensor(call, 1);
    if (!values) values = tern_operand_of(call, tern_arg(call, 0), TERN_FLOAT64);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(edges)->rank != 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "boundaries tensor must be 1 dimension, but got dim(%d)",
                              BODY(edges)->rank);
    return search(call, edges, values, NULL, tern_arg_bool(call, 3, false),
                  tern_arg_bool(call, 2, false));
}

/* ---- counts ---- */

tern_value tern_op_bincount(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *weights = tern_arg_tensor(call, 1);
    int64_t size = tern_arg_int(call, 2, 0);
    if (BODY(x)->rank != 1 || tern_dtype_is_floating(BODY(x)->dtype) || size < 0 ||
        (weights && !tern_same_shape(weights, x)))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "only supports 1-d non-negative integral inputs, with weights of the "
                              "same size and minlength >= 0");
    tern_dtype dtype = !weights                               ? TERN_INT64
                       : BODY(weights)->dtype == TERN_FLOAT32 ? TERN_FLOAT32
                                                              : TERN_FLOAT64;
    if (BODY(x)->numel > 0) {
        if (tern_item_i64(tern_min(x)) < 0)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "only supports non-negative inputs");
        int64_t largest = tern_item_i64(tern_max(x));
        if (largest == INT64_MAX)
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "maximum value of input overflowed, it should be < %lld but got "
                                  "%lld",
                                  (long long)INT64_MAX, (long long)largest);
        if (largest >= size) size = largest + 1;
    }
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(size)), ARG_DTYPE(dtype));
    tern_tensor *each = weights ? tern_to_dtype(weights, dtype)
                                : TERN_CALL(ones_like, ARG_TENSOR(x), ARG_DTYPE(TERN_INT64));
    return tern_result(call, tern_scatter_add(zeros, 0, tern_to_dtype(x, TERN_INT64), each));
}

/* histc(input, bins, min, max): equal bins; the last takes its upper end too. */
tern_value tern_op_histc(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t bins = tern_arg_int(call, 1, 100);
    double low = tern_arg_double(call, 2, 0.0), high = tern_arg_double(call, 3, 0.0);
    if (bins <= 0) return tern_call_fail(call, TERN_ERR_ARGUMENT, "bins must be > 0");
    if (low == high && BODY(x)->numel > 0) {
        low = tern_item(tern_min(x));
        high = tern_item(tern_max(x));
    }
    if (low == high) low -= 1.0, high += 1.0;
    if (!(low < high) || !isfinite(high - low))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "range of [%g, %g] is not finite", low,
                              high);
    double *v = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    double *counts = v ? tern_host_buffer(call->ctx, bins, sizeof *counts) : NULL;
    tern_tensor *out = call->ctx->nil;
    if (counts) {
        for (int64_t i = 0; i < bins; i++) counts[i] = 0.0;
        for (int64_t i = 0; i < BODY(x)->numel; i++) {
            if (!(v[i] >= low && v[i] <= high)) continue;
            int64_t at = (int64_t)((v[i] - low) / (high - low) * (double)bins);
            counts[at < bins ? at : bins - 1] += 1.0;
        }
        tern_shape shape = {1, {bins}};
        out = tern_new_from_host(call->lane, counts, TERN_FLOAT64, &shape, NULL);
        out = tern_to_dtype(out, BODY(x)->dtype);
    }
    tern_host_give(call->ctx, v);
    tern_host_give(call->ctx, counts);
    return tern_result(call, out);
}
