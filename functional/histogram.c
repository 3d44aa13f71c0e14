/*
 * histogram.c: histogram and histogramdd: counts, or sums of weights, between edges, over one or several
 * dimensions, in host memory.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "tern/memory.h"

/* The edges of one dimension, ascending: a bin holds its lower edge, and the last one both. */
typedef struct axis {
    double *edges;
    int64_t bins;
} axis;

#define MAX_AXES 64

typedef struct histogram {
    int axes;
    axis of[MAX_AXES];
    int64_t cells;
    tern_dtype dtype;
} histogram;

static void histogram_end(tern_ctx *ctx, histogram *h) {
    for (int i = 0; i < h->axes; i++) tern_host_give(ctx, h->of[i].edges);
}

/* ---- edges ---- */

static bool edges_given(tern_opcall *call, tern_tensor *edges, axis *out) {
    if (BODY(edges)->rank != 1 || BODY(edges)->numel < 2) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "bins must be a vector of two edges at least");
        return false;
    }
    out->bins = BODY(edges)->numel - 1;
    out->edges = tern_host_copy(call->ctx, edges, TERN_FLOAT64);
    for (int64_t i = 0; out->edges && i < out->bins; i++)
        if (!(out->edges[i] <= out->edges[i + 1])) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "the edges of bins must ascend");
            return false;
        }
    return out->edges != NULL;
}

/* Equal bins over [low, high], as linspace rounds them. */
static bool edges_made(tern_opcall *call, int64_t bins, double low, double high, tern_dtype dtype,
                       axis *out) {
    if (bins < 1 || bins == INT64_MAX || !(low <= high) || !isfinite(high - low)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expects a bin at least and a finite range, got %lld over [%g, %g]",
                       (long long)bins, low, high);
        return false;
    }
    if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    tern_tensor *line = TERN_CALL_CTX(call->ctx, linspace, ARG_FLOAT(low), ARG_FLOAT(high),
                                      ARG_INT(bins + 1), ARG_DTYPE(dtype));
    out->bins = bins;
    out->edges =
        call->ctx->status == TERN_OK ? tern_host_copy(call->ctx, line, TERN_FLOAT64) : NULL;
    return out->edges != NULL;
}

/* The least and the largest of column `at`; [0, 1] without elements. */
static void range_of(const double *points, int64_t count, int axes, int at, double *low,
                     double *high) {
    *low = count ? points[at] : 0.0;
    *high = count ? points[at] : 1.0;
    for (int64_t i = 0; i < count; i++) {
        double x = points[i * axes + at];
        if (x < *low || isnan(x)) *low = x;
        if (x > *high || isnan(x)) *high = x;
    }
}

/* bins: a number for all axes, a list of numbers, an edge tensor or a list of them; range: low and high for each
 * axis, or none. */
static bool read_axes(tern_opcall *call, tern_value bins, tern_value range, const double *points,
                      int64_t count, int axes, histogram *h) {
    bool list = bins.kind == TERN_VALUE_LIST || bins.kind == TERN_VALUE_TUPLE;
    bool ranged = range.kind != TERN_VALUE_NONE;
    if ((list && tern_value_count(bins) != (size_t)axes) ||
        (ranged && tern_value_count(range) != (size_t)axes * 2)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expects bins, and two ends of range, for each of %d dimensions", axes);
        return false;
    }
    h->cells = 1;
    for (int i = 0; i < axes; i++) {
        tern_value own = list ? tern_value_at(bins, (size_t)i) : bins;
        double low = 0.0, high = 0.0;
        uint64_t cells;
        h->axes = i + 1;
        h->of[i].edges = NULL;
        if (ranged) {
            low = tern_value_as_double(tern_value_at(range, 2 * (size_t)i));
            high = tern_value_as_double(tern_value_at(range, 2 * (size_t)i + 1));
        } else if (own.kind != TERN_VALUE_TENSOR) {
            range_of(points, count, axes, i, &low, &high);
        }
        bool fine =
            own.kind == TERN_VALUE_TENSOR
                ? edges_given(call, own.as.tensor, &h->of[i])
                : edges_made(call, own.kind == TERN_VALUE_NONE ? 100 : tern_value_as_int(own), low,
                             high, h->dtype, &h->of[i]);
        if (!fine) return false;
        if (!tern_size_mul((uint64_t)h->cells, (uint64_t)h->of[i].bins, &cells) ||
            cells > INT64_MAX) {
            tern_fail_memory(call->ctx, SIZE_MAX);
            return false;
        }
        h->cells = (int64_t)cells;
    }
    return true;
}

/* ---- counting ---- */

/* The bin of x, -1 outside. */
static int64_t bin_of(const axis *a, double x) {
    if (!(x >= a->edges[0] && x <= a->edges[a->bins])) return -1;
    int64_t low = 0, high = a->bins;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (x >= a->edges[middle])
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void count_points(const histogram *h, const double *points, const double *weights,
                         int64_t count, double *cells) {
    for (int64_t i = 0; i < count; i++) {
        int64_t cell = 0;
        for (int d = 0; d < h->axes && cell >= 0; d++) {
            int64_t bin = bin_of(&h->of[d], points[i * h->axes + d]);
            cell = bin < 0 ? -1 : cell * h->of[d].bins + bin;
        }
        if (cell >= 0) cells[cell] += weights ? weights[i] : 1.0;
    }
}

/* Over the total and the volume of the bin. */
static void make_density(const histogram *h, double *cells) {
    double total = 0.0;
    for (int64_t i = 0; i < h->cells; i++) total += cells[i];
    for (int64_t i = 0; i < h->cells; i++) {
        double volume = 1.0;
        int64_t rest = i;
        for (int d = h->axes - 1; d >= 0; d--) {
            const axis *a = &h->of[d];
            int64_t bin = rest % a->bins;
            volume *= a->edges[bin + 1] - a->edges[bin];
            rest /= a->bins;
        }
        cells[i] /= total * volume;
    }
}

static tern_tensor *made(tern_opcall *call, const double *values, const tern_shape *shape,
                         tern_dtype dtype) {
    return tern_to_dtype(tern_new_from_host(call->lane, values, TERN_FLOAT64, shape, NULL), dtype);
}

/* (hist, edges): the edges as a tensor, or a list of them */
static tern_value finished(tern_opcall *call, histogram *h, const double *points,
                           const double *weights, int64_t count, bool many) {
    double *cells = tern_host_buffer(call->ctx, h->cells, sizeof *cells);
    if (!cells) return tern_none();
    for (int64_t i = 0; i < h->cells; i++) cells[i] = 0.0;
    count_points(h, points, weights, count, cells);
    if (tern_arg_bool(call, 4, false)) make_density(h, cells);
    tern_shape shape = {h->axes, {0}};
    tern_value all = tern_tuple_new(call->ctx), list = many ? tern_list_new(call->ctx) : all;
    for (int d = 0; d < h->axes; d++) shape.dim[d] = h->of[d].bins;
    tern_list_append(all, ARG_TENSOR(made(call, cells, &shape, h->dtype)));
    for (int d = 0; d < h->axes; d++) {
        tern_shape own = {1, {h->of[d].bins + 1}};
        tern_list_append(list, ARG_TENSOR(made(call, h->of[d].edges, &own, h->dtype)));
    }
    if (many) tern_list_append(all, list);
    tern_host_give(call->ctx, cells);
    return call->ctx->status == TERN_OK ? all : tern_none();
}

/* (input, bins, range, weight, density), where a point is a row of `axes` numbers */
static tern_value histogram_of(tern_opcall *call, int64_t count, int axes, bool many) {
    tern_tensor *x = tern_arg_tensor(call, 0), *weight = tern_arg_tensor(call, 3);
    if (!tern_dtype_is_floating(BODY(x)->dtype) || axes > TERN_MAX_RANK || axes > MAX_AXES)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expects points of up to %d numbers of a floating dtype, got %d of %s", TERN_MAX_RANK,
            axes, tern_dtype_name(BODY(x)->dtype));
    if (weight && (BODY(weight)->numel != count || BODY(weight)->dtype != BODY(x)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "weight must have an element for each of %lld points, of %s",
                              (long long)count, tern_dtype_name(BODY(x)->dtype));
    histogram h = {.dtype = BODY(x)->dtype};
    double *points = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    double *weights = weight ? tern_host_copy(call->ctx, weight, TERN_FLOAT64) : NULL;
    tern_value out = tern_none();
    if (points && (weights || !weight) &&
        read_axes(call, tern_arg(call, 1), tern_arg(call, 2), points, count, axes, &h))
        out = finished(call, &h, points, weights, count, many);
    histogram_end(call->ctx, &h);
    tern_host_give(call->ctx, points);
    tern_host_give(call->ctx, weights);
    return call->ctx->status == TERN_OK ? out : tern_none();
}

tern_value tern_op_histogram(tern_opcall *call) {
    return histogram_of(call, BODY(tern_arg_tensor(call, 0))->numel, 1, false);
}

tern_value tern_op_histogramdd(tern_opcall *call) {
    const tern_tensor_body *x = BODY(tern_arg_tensor(call, 0));
    if (x->rank < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects two dimensions at least, the last of which is a point's");
    int64_t axes = x->shape[x->rank - 1];
    if (axes < 1 || axes > TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects points of 1 to %d numbers, got %lld", TERN_MAX_RANK,
                              (long long)axes);
    return histogram_of(call, x->numel / axes, (int)axes, true);
}
