/*
 * segment_reduce.c: sums, means, products and extremes of consecutive parts of a dimension.
 *
 * The tensor is taken as rows, and each row goes into a bucket: every batch has one for what lies before its first
 * segment, one for each segment, and one for what lies behind the last.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "tern/memory.h"

/* A call in flight. Batches are what the dimensions before the axis count. */
typedef struct segments {
    tern_opcall *call;
    tern_tensor *data; /* rows [batches * n, inner] */
    tern_tensor
        *bounds; /* int64 [batches, count + 1]: where each segment begins, and the last ends */
    tern_tensor *bucket; /* int64 [batches * n] */
    int64_t batches, n, inner, count;
    tern_shape shape; /* of the result */
} segments;

/* ---- what is asked for ---- */

typedef enum reduction { SUM, MEAN, PROD, MAX, MIN } reduction;

static int how_of(const char *name) {
    static const char *const names[] = {"sum", "mean", "prod", "max", "min"};
    for (int i = 0; i < 5; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

static bool fail(const segments *s, const char *what) {
    tern_call_fail(s->call, TERN_ERR_ARGUMENT, "%s", what);
    return false;
}

/* Lengths, or offsets, of the shape that the data have before the axis, and the segments. */
static bool read_shapes(segments *s, const tern_tensor *given, const char *name, int axis) {
    const tern_tensor_body *x = BODY(s->data), *own = BODY(given);
    bool offsets = strcmp(name, "offsets") == 0, fits = own->rank == axis + 1 && axis < x->rank,
         sized = true;
    for (int d = 0; d < axis && fits; d++) fits = own->shape[d] == x->shape[d];
    if (!fits || own->shape[axis] < offsets) {
        char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
        tern_call_fail(s->call, TERN_ERR_ARGUMENT,
                       "Expected axis to be the last dimension of %s, whose dimensions before it "
                       "are the data's%s: "
                       "got axis %d, %s %s and data %s",
                       name, offsets ? ", and an end for the last segment" : "", axis, name,
                       tern_shape_text(own->rank, own->shape, a),
                       tern_shape_text(x->rank, x->shape, b));
        return false;
    }
    if (own->dtype != TERN_INT64 && own->dtype != TERN_INT32) {
        tern_call_fail(s->call, TERN_ERR_ARGUMENT,
                       "Expected dtype int64 or int32 for %s, but got %s", name,
                       tern_dtype_name(own->dtype));
        return false;
    }
    s->batches = s->inner = 1;
    s->n = x->shape[axis];
    s->count = own->shape[axis] - offsets;
    s->shape = tern_shape_of(s->data);
    s->shape.dim[axis] = s->count;
    for (int d = 0; d < axis; d++) s->batches = tern_dim_mul(s->batches, x->shape[d], &sized);
    for (int d = axis + 1; d < x->rank; d++) s->inner = tern_dim_mul(s->inner, x->shape[d], &sized);
    tern_dim_mul(s->batches, tern_dim_add(s->count, 2, &sized), &sized);
    tern_dim_mul(s->batches, tern_dim_add(s->n, 1, &sized), &sized);
    if (!sized) tern_fail_memory(s->call->ctx, SIZE_MAX);
    return sized;
}

/* Reads the bounds on the host; `unsafe` leaves that to the kernels, which see to indices out of range alone. */
static bool bounds_fit(const segments *s, bool lengths) {
    int64_t *bounds = tern_host_copy(s->call->ctx, s->bounds, TERN_INT64);
    bool ascend = bounds != NULL, full = true;
    for (int64_t b = 0; b < s->batches && ascend; b++) {
        const int64_t *own = bounds + b * (s->count + 1);
        ascend = own[0] >= 0;
        for (int64_t k = 0; k < s->count && ascend; k++) ascend = own[k] <= own[k + 1];
        full = full && (lengths ? own[s->count] == s->n : own[s->count] <= s->n);
    }
    tern_host_give(s->call->ctx, bounds);
    if (!bounds) return false;
    if (!ascend)
        return fail(s, lengths ? "lengths contains negative value!"
                               : "offsets must ascend from 0 or more");
    if (full) return true;
    return fail(
        s, lengths
               ? "Expected all rows of lengths along axis to sum to data.size(axis) when !unsafe"
               : "offsets must not go beyond data.size(axis)");
}

/* The bucket of a row is how many bounds are not beyond it. */
static void find_buckets(segments *s) {
    tern_ctx *ctx = s->call->ctx;
    tern_tensor *marks =
        TERN_CALL(new_zeros, ARG_TENSOR(s->bounds), ARG_SHAPE(TERN_SHAPE(s->batches, s->n + 1)));
    marks = tern_scatter_add(marks, 1, s->bounds, tern_ones_like(s->bounds));
    tern_tensor *own = tern_narrow(TERN_CALL(cumsum, ARG_TENSOR(marks), ARG_INT(1)), 1, 0, s->n);
    if (s->batches > 1) {
        tern_tensor *first =
            tern_mul_scalar(tern_arange_i64(ctx, s->batches), (double)(s->count + 2));
        own = tern_add(own, tern_unsqueeze(tern_to_device(first, tern_device_of(own)), 1));
    }
    s->bucket = tern_reshape(own, TERN_SHAPE(s->batches * s->n));
}

/* (data, reduce, lengths, indices, offsets, axis, unsafe, initial); false after latching */
static bool read_segments(segments *s) {
    tern_opcall *call = s->call;
    tern_tensor *lengths = tern_arg_tensor(call, 2), *offsets = tern_arg_tensor(call, 4);
    int axis;
    s->data = tern_arg_tensor(call, 0);
    if (!tern_dtype_is_floating(BODY(s->data)->dtype))
        return fail(s, "expects data of a floating dtype");
    if (tern_arg_tensor(call, 3))
        return fail(s, "indices based reduction is not supported: give lengths or offsets");
    if (!lengths && !offsets) return fail(s, "Either lengths or offsets must be defined");
    if (!tern_wrap_dim(call->ctx, BODY(s->data)->rank, tern_arg_int(call, 5, 0), &axis) ||
        !read_shapes(s, offsets ? offsets : lengths, offsets ? "offsets" : "lengths", axis))
        return false;
    int64_t width = s->count + (offsets != NULL);
    s->bounds = tern_to_dtype(
        tern_reshape(offsets ? offsets : lengths, TERN_SHAPE(s->batches, width)), TERN_INT64);
    if (!offsets) {
        tern_tensor *ends = TERN_CALL(cumsum, ARG_TENSOR(s->bounds), ARG_INT(1));
        tern_tensor *begin =
            TERN_CALL(new_zeros, ARG_TENSOR(ends), ARG_SHAPE(TERN_SHAPE(s->batches, 1)));
        s->bounds = tern_cat((tern_tensor *[]){begin, ends}, 2, 1);
    }
    if (call->ctx->status != TERN_OK ||
        (!tern_arg_bool(call, 6, false) && !bounds_fit(s, !offsets)))
        return false;
    s->data = tern_widen(tern_reshape(s->data, TERN_SHAPE(s->batches * s->n, s->inner)));
    find_buckets(s);
    return call->ctx->status == TERN_OK;
}

/* `value` in every bucket, as wide as the rows. */
static tern_tensor *start_of(tern_tensor *rows, int64_t buckets, tern_value value) {
    return TERN_CALL(new_full, ARG_TENSOR(rows),
                     ARG_SHAPE(TERN_SHAPE(buckets, BODY(rows)->shape[1])), value);
}

/* ---- products and extremes: _segment_fold(input, bucket, buckets, initial, reduce) ----
 *
 * rows [n, inner] by bucket [n] into [buckets, inner], where each begins with `initial`
 */

static tern_tensor *folded(tern_tensor *start, tern_tensor *bucket, tern_tensor *rows,
                           const char *reduce) {
    tern_tensor *index = tern_expand(tern_unsqueeze(bucket, 1), tern_shape_of(rows));
    return TERN_CALL(scatter_reduce, ARG_TENSOR(start), ARG_INT(0), ARG_TENSOR(index),
                     ARG_TENSOR(rows), tern_text(reduce));
}

tern_value tern_op__segment_fold(tern_opcall *call) {
    tern_tensor *rows = tern_arg_tensor(call, 0), *bucket = tern_arg_tensor(call, 1);
    const char *reduce = tern_arg_text(call, 4, "");
    bool product = strcmp(reduce, "prod") == 0;
    if (!product && strcmp(reduce, "amax") != 0 && strcmp(reduce, "amin") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "reduce must be prod, amax or amin, got %s",
                              reduce);
    if (BODY(rows)->rank != 2 || BODY(bucket)->rank != 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects rows, and a bucket for each");
    tern_tensor *start = start_of(rows, tern_arg_int(call, 2, 0), tern_arg(call, 3));
    return tern_result(call, folded(start, bucket, rows, reduce));
}

typedef struct fold {
    tern_tensor *rows, *bucket, *start, *out, *grad;
} fold;

/* Of each row what its bucket has. */
static tern_tensor *spread(const fold *f, tern_tensor *of_buckets) {
    return tern_index_select(of_buckets, 0, f->bucket);
}

/* How many rows of its bucket the condition holds for, for each row. */
static tern_tensor *count_of(const fold *f, tern_tensor *condition) {
    tern_tensor *ones = tern_to_dtype(condition, BODY(f->rows)->dtype);
    return spread(f, TERN_CALL(index_add, ARG_TENSOR(tern_zeros_like(f->start)), ARG_INT(0),
                               ARG_TENSOR(f->bucket), ARG_TENSOR(ones)));
}

/* Equal extremes share, and so do NaN, which are extremes too. */
static tern_tensor *extreme_gradient(const fold *f) {
    tern_tensor *chosen = tern_logical_or(tern_eq(f->rows, spread(f, f->out)), tern_isnan(f->rows));
    tern_tensor *share = tern_div(spread(f, f->grad), tern_at_least(count_of(f, chosen), 1.0));
    return TERN_CALL(where, ARG_TENSOR(chosen), ARG_TENSOR(share), ARG_FLOAT(0.0));
}

/* The product of the others: the whole one divided by the row's own, and where that is 0 or NaN, the product without
 * these, times what other zeros and NaN of the bucket make of it. */
static tern_tensor *product_gradient(const fold *f) {
    tern_tensor *zero = tern_eq_scalar(f->rows, 0.0), *nan = tern_isnan(f->rows);
    tern_tensor *odd = tern_logical_or(zero, nan);
    tern_tensor *safe = tern_fill_where(f->rows, odd, 1.0), *grad = spread(f, f->grad);
    tern_tensor *divided = tern_div(spread(f, tern_mul(f->grad, f->out)), safe);
    tern_tensor *others = tern_mul(grad, spread(f, folded(f->start, f->bucket, safe, "prod")));
    tern_dtype dtype = BODY(f->rows)->dtype;
    tern_tensor *zeros = tern_sub(count_of(f, zero), tern_to_dtype(zero, dtype));
    tern_tensor *nans = tern_sub(count_of(f, nan), tern_to_dtype(nan, dtype));
    others = TERN_CALL(where, ARG_TENSOR(tern_eq_scalar(zeros, 0.0)), ARG_TENSOR(others),
                       ARG_TENSOR(tern_mul_scalar(others, 0.0)));
    others = TERN_CALL(where, ARG_TENSOR(tern_eq_scalar(nans, 0.0)), ARG_TENSOR(others),
                       ARG_FLOAT((double)NAN));
    return tern_where(odd, others, divided);
}

void tern_grad__segment_fold(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    fold f = {.rows = tern_node_input(node, 0),
              .bucket = tern_node_input(node, 1),
              .out = tern_node_output(node, 0),
              .grad = grad_out[0]};
    if (tern_node_ctx(node)->status != TERN_OK || !tern_node_needs(node, 0)) return;
    f.start = start_of(f.rows, BODY(f.out)->shape[0], tern_node_arg(node, 3));
    bool product = strcmp(tern_node_arg(node, 4).as.s, "prod") == 0;
    grads[0] = product ? product_gradient(&f) : extreme_gradient(&f);
}

/* ---- the whole ---- */

/* [batches, count, 1]: how many rows a segment has, by its bounds. */
static tern_tensor *sizes_of(const segments *s) {
    tern_tensor *begin = tern_narrow(s->bounds, 1, 0, s->count),
                *end = tern_narrow(s->bounds, 1, 1, s->count);
    return tern_unsqueeze(tern_to_dtype(tern_sub(end, begin), BODY(s->data)->dtype), -1);
}

/* A mean of nothing is what it began with, and NaN where that was not given. */
static tern_tensor *mean_of(const segments *s, tern_tensor *sums, bool began) {
    tern_tensor *sizes = sizes_of(s);
    if (began) sizes = tern_at_least(sizes, 1.0);
    return tern_div(sums, sizes);
}

tern_value tern_op_segment_reduce(tern_opcall *call) {
    static const double neutral[] = {0, 0, 1, -INFINITY, INFINITY};
    static const char *const folds[] = {NULL, NULL, "prod", "amax", "amin"};
    const char *name = tern_arg_text(call, 1, "");
    int how = how_of(name);
    bool began = tern_arg_given(call, 7);
    segments s = {.call = call};
    if (how < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "reduce argument must be either sum, mean, prod, max or min, got %s",
                              name);
    if (!read_segments(&s)) return tern_none();
    tern_value initial = began ? tern_arg(call, 7) : ARG_FLOAT(neutral[how]);
    int64_t buckets = s.batches * (s.count + 2);
    tern_tensor *out = folds[how]
                           ? TERN_CALL(_segment_fold, ARG_TENSOR(s.data), ARG_TENSOR(s.bucket),
                                       ARG_INT(buckets), initial, tern_text(folds[how]))
                           : TERN_CALL(index_add, ARG_TENSOR(start_of(s.data, buckets, initial)),
                                       ARG_INT(0), ARG_TENSOR(s.bucket), ARG_TENSOR(s.data));
    out = tern_reshape(out, TERN_SHAPE(s.batches, s.count + 2, s.inner));
    out = tern_narrow(out, 1, 1, s.count);
    if (how == MEAN) out = mean_of(&s, out, began);
    return tern_narrowed(call, tern_reshape(tern_contiguous(out), s.shape));
}
