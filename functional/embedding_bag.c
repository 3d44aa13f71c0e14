/* embedding_bag.c: sums, means or maxima of rows of a table, bag by bag. */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"

/* A call in flight: index [n], which bag each belongs to, and the rows [n, width]. */
typedef struct bags {
    tern_opcall *call;
    tern_tensor *weight, *index, *of, *rows, *factors; /* factors: per_sample_weights or NULL */
    const char *mode;
    int64_t count;
} bags;

static tern_tensor *positions(const bags *b, int64_t count) {
    return tern_to_device(tern_arange_i64(b->call->ctx, count), tern_device_of(b->index));
}

/* Rows of a matrix of indices are the bags. */
static void read_matrix(bags *b) {
    int64_t width = BODY(b->index)->shape[1];
    b->count = BODY(b->index)->shape[0];
    tern_tensor *row = tern_unsqueeze(positions(b, b->count), 1);
    b->of = tern_reshape(tern_expand(row, TERN_SHAPE(b->count, width)),
                         TERN_SHAPE(BODY(b->index)->numel));
    b->index = tern_reshape(b->index, TERN_SHAPE(BODY(b->index)->numel));
    if (b->factors) b->factors = tern_reshape(b->factors, TERN_SHAPE(BODY(b->factors)->numel));
}

/* A position belongs to the last bag whose offset is not beyond it. */
static void read_offsets(bags *b, tern_tensor *offsets, bool include_last) {
    b->count = BODY(offsets)->numel - include_last;
    offsets = tern_to_dtype(tern_narrow(offsets, 0, 0, b->count), TERN_INT64);
    tern_tensor *after =
        TERN_CALL(searchsorted, ARG_TENSOR(offsets),
                  ARG_TENSOR(positions(b, BODY(b->index)->numel)), ARG_BOOL(false), ARG_BOOL(true));
    b->of = TERN_CALL(sub, ARG_TENSOR(after), ARG_INT(1));
}

static bool read_bags(bags *b) {
    tern_opcall *call = b->call;
    tern_tensor *offsets = tern_arg_tensor(call, 2);
    bool include_last = tern_arg_bool(call, 9, false);
    int rank = BODY(b->index)->rank;
    bool flat =
        rank == 1 && offsets && BODY(offsets)->rank == 1 && BODY(offsets)->numel > include_last;
    if (BODY(b->weight)->rank != 2 || (!flat && (rank != 2 || offsets))) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "input must be 2D without offsets, or 1D with 1D offsets of at least one "
                       "bag, and weight 2D");
        return false;
    }
    if (b->factors && (strcmp(b->mode, "sum") != 0 || !tern_same_shape(b->factors, b->index))) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "per_sample_weights must have input's shape and mode='sum'");
        return false;
    }
    if (flat)
        read_offsets(b, offsets, include_last);
    else
        read_matrix(b);
    return call->ctx->status == TERN_OK;
}

/* Indices of padding belong to no bag; max_norm has shortened their row all the same. */
static void drop_padding(bags *b) {
    if (!tern_arg_given(b->call, 10)) return;
    int64_t padding = tern_arg_int(b->call, 10, 0), rows = BODY(b->weight)->shape[0];
    if (padding < -rows || padding >= rows) {
        tern_call_fail(b->call, TERN_ERR_ARGUMENT, "padding_idx must be within the %lld rows",
                       (long long)rows);
        return;
    }
    if (padding < 0) padding += rows;
    tern_tensor *kept = TERN_CALL(ne, ARG_TENSOR(b->index), ARG_INT(padding));
    tern_tensor *at = TERN_CALL(nonzero, ARG_TENSOR(kept));
    if (b->call->ctx->status != TERN_OK) return;
    at = tern_reshape(at, TERN_SHAPE(BODY(at)->numel));
    b->rows = tern_index_select(b->rows, 0, at);
    b->of = tern_index_select(b->of, 0, at);
    if (b->factors) b->factors = tern_index_select(b->factors, 0, at);
}

static tern_tensor *zeros(const bags *b, tern_tensor *rows) {
    return TERN_CALL(new_zeros, ARG_TENSOR(rows),
                     ARG_SHAPE(TERN_SHAPE(b->count, BODY(rows)->shape[1])));
}

static tern_tensor *summed(const bags *b, tern_tensor *rows) {
    return TERN_CALL(index_add, ARG_TENSOR(zeros(b, rows)), ARG_INT(0), ARG_TENSOR(b->of),
                     ARG_TENSOR(rows));
}

/* The smallest of x in each bag, of x's shape with the bags in front; n, beyond every position, in an empty one. */
static tern_tensor *least(const bags *b, tern_tensor *x, tern_tensor *of, int64_t n) {
    tern_shape shape = tern_shape_of(x);
    shape.dim[0] = b->count;
    tern_tensor *start = TERN_CALL_CTX(b->call->ctx, full, ARG_SHAPE(shape), ARG_INT(n));
    return TERN_CALL(scatter_reduce, ARG_TENSOR(tern_to_device(start, tern_device_of(x))),
                     ARG_INT(0), ARG_TENSOR(of), ARG_TENSOR(x), tern_text("amin"), ARG_BOOL(true));
}

/*
 * The maxima. PyTorch takes a bag's first element and then each that is greater, so the first of equals gets the
 * gradient, and a NaN counts only where it is first.
 */
static tern_tensor *maxima(const bags *b, tern_tensor *rows) {
    int64_t n = BODY(rows)->shape[0], width = BODY(rows)->shape[1];
    tern_shape wide = TERN_SHAPE(n, width);
    tern_tensor *seen = tern_detach(rows), *of = tern_expand(tern_unsqueeze(b->of, 1), wide);
    tern_tensor *place = positions(b, n),
                *first = tern_index_select(least(b, place, b->of, n), 0, b->of);
    tern_tensor *later = tern_unsqueeze(TERN_CALL(gt, ARG_TENSOR(place), ARG_TENSOR(first)), 1);
    seen = tern_fill_where(seen, tern_logical_and(tern_isnan(seen), later), -INFINITY);
    tern_tensor *most =
        TERN_CALL(scatter_reduce, ARG_TENSOR(zeros(b, rows)), ARG_INT(0), ARG_TENSOR(of),
                  ARG_TENSOR(seen), tern_text("amax"), ARG_BOOL(false));
    most = tern_index_select(most, 0, b->of);
    tern_tensor *lower = TERN_CALL(lt, ARG_TENSOR(seen), ARG_TENSOR(most));
    lower = tern_logical_or(lower, tern_logical_and(tern_isnan(most), later));
    tern_tensor *chosen =
        TERN_CALL(masked_fill, ARG_TENSOR(tern_expand(tern_unsqueeze(place, 1), wide)),
                  ARG_TENSOR(lower), ARG_INT(n));
    tern_tensor *empty = TERN_CALL(new_zeros, ARG_TENSOR(rows), ARG_SHAPE(TERN_SHAPE(1, width)));
    return tern_gather(tern_cat((tern_tensor *[]){rows, empty}, 2, 0), 0, least(b, chosen, of, n));
}

/* An empty bag is zero in every mode. */
static tern_tensor *reduced(const bags *b, tern_tensor *rows) {
    if (strcmp(b->mode, "sum") == 0) return summed(b, rows);
    if (strcmp(b->mode, "max") == 0) return maxima(b, rows);
    tern_tensor *sizes = summed(b, tern_ones_like(tern_narrow(tern_detach(rows), 1, 0, 1)));
    return tern_div(summed(b, rows), tern_at_least(sizes, 1.0));
}

/* (input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse, per_sample_weights,
 * include_last_offset, padding_idx) */
tern_value tern_op_embedding_bag(tern_opcall *call) {
    bags b = {.call = call,
              .index = tern_arg_tensor(call, 0),
              .weight = tern_arg_tensor(call, 1),
              .factors = tern_arg_tensor(call, 8),
              .mode = tern_arg_text(call, 6, "mean")};
    if (strcmp(b.mode, "sum") != 0 && strcmp(b.mode, "mean") != 0 && strcmp(b.mode, "max") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "mode has to be one of sum, mean or max, got '%s'", b.mode);
    if (!read_bags(&b)) return tern_none();
    b.rows = TERN_CALL(embedding, ARG_TENSOR(b.index), ARG_TENSOR(b.weight), tern_none(),
                       tern_arg(call, 3), ARG_FLOAT(tern_arg_double(call, 4, 2.0)),
                       ARG_BOOL(tern_arg_bool(call, 5, false)));
    drop_padding(&b);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_dtype dtype = BODY(b.rows)->dtype;
    tern_tensor *rows = tern_widen(b.rows);
    if (b.factors) rows = tern_mul(rows, tern_unsqueeze(tern_widen(b.factors), 1));
    return tern_result(call, tern_to_dtype(reduced(&b, rows), dtype));
}
