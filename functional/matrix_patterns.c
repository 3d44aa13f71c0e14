/*
 * matrix_patterns.c: matrices of a pattern: eye, diag and its forms, tril, triu and their indices, trace;
 * logspace.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "numerics/dtype_convert.h"

/* ---- eye, diagonals ---- */

tern_value tern_op_eye(tern_opcall *call) {
    int64_t n = tern_arg_int(call, 0, 0), m = tern_arg_int(call, 1, n);
    tern_dtype dtype = tern_arg_dtype(call, 2, TERN_FLOAT32);
    if (n < 0 || m < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "n and m must be greater or equal to 0, got %lld and %lld",
                              (long long)n, (long long)m);
    tern_shape shape = {2, {n, m}};
    tern_tensor *out = tern_new_shaped(call, dtype, &shape);
    tern_fill_raw(out, 0.0, 0);
    int64_t length = n < m ? n : m;
    if (call->ctx->status != TERN_OK || length == 0) return tern_result(call, out);
    int64_t step = m + 1;
    tern_tensor *diagonal =
        tern_tensor_over(call->lane, BODY(out)->storage, dtype, 1, &length, &step, 0);
    tern_fill_raw(diagonal, 1.0, 1);
    tern_tensor_release(diagonal);
    return tern_result(call, out);
}

/* A vector as the diagonal of a square matrix of the last two dimensions, moved to dim1 and dim2. */
static tern_tensor *embed(tern_opcall *call, tern_tensor *x, int64_t offset, int64_t dim1,
                          int64_t dim2) {
    int rank = BODY(x)->rank + 1, a, b;
    if (BODY(x)->rank == 0 || rank > TERN_MAX_RANK) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expects 1 to %d dimensions, got %d",
                       TERN_MAX_RANK - 1, BODY(x)->rank);
        return call->ctx->nil;
    }
    if (!tern_wrap_dim(call->ctx, rank, dim1, &a) || !tern_wrap_dim(call->ctx, rank, dim2, &b))
        return call->ctx->nil;
    if (a == b) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "diagonal dimensions cannot be identical %d, %d", a,
                       b);
        return call->ctx->nil;
    }
    bool fits = offset != INT64_MIN;
    int64_t size = BODY(x)->shape[BODY(x)->rank - 1];
    if (fits) size = tern_dim_add(size, offset < 0 ? -offset : offset, &fits);
    if (!fits) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "offset %lld is too large", (long long)offset);
        return call->ctx->nil;
    }
    tern_shape shape = {rank, {0}};
    for (int d = 0, from = 0; d < rank; d++)
        shape.dim[d] = d == a || d == b ? size : BODY(x)->shape[from++];
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(shape));
    return TERN_CALL(diagonal_scatter, ARG_TENSOR(zeros), ARG_TENSOR(x), ARG_INT(offset),
                     ARG_INT(a), ARG_INT(b));
}

tern_value tern_op_diag_embed(tern_opcall *call) {
    return tern_result(call, embed(call, tern_arg_tensor(call, 0), tern_arg_int(call, 1, 0),
                                   tern_arg_int(call, 2, -2), tern_arg_int(call, 3, -1)));
}

tern_value tern_op_diag(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t offset = tern_arg_int(call, 1, 0);
    if (BODY(x)->rank == 1) return tern_result(call, embed(call, x, offset, 0, 1));
    if (BODY(x)->rank == 2)
        return tern_result(call, tern_clone(TERN_CALL(diagonal, ARG_TENSOR(x), ARG_INT(offset))));
    return tern_call_fail(call, TERN_ERR_ARGUMENT, "Supports 1D or 2D tensors. Got %dD",
                          BODY(x)->rank);
}

tern_value tern_op_diagflat(tern_opcall *call) {
    tern_tensor *flat = tern_reshape(tern_arg_tensor(call, 0), TERN_SHAPE(-1));
    return tern_result(call, embed(call, flat, tern_arg_int(call, 1, 0), 0, 1));
}

tern_value tern_op_trace(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->rank != 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expected a matrix, got %d dimensions",
                              BODY(x)->rank);
    return tern_result(call, tern_sum(TERN_CALL(diagonal, ARG_TENSOR(x))));
}

tern_value tern_op_linalg_diagonal(tern_opcall *call) {
    tern_value dim1 = tern_arg_given(call, 2) ? tern_arg(call, 2) : ARG_INT(-2);
    tern_value dim2 = tern_arg_given(call, 3) ? tern_arg(call, 3) : ARG_INT(-1);
    return tern_result(call, TERN_CALL(diagonal, tern_arg(call, 0),
                                       ARG_INT(tern_arg_int(call, 1, 0)), dim1, dim2));
}

/* ---- triangles ---- */

/* bool [rows, columns]: column - row <= diagonal (lower) or >= diagonal. */
static tern_tensor *triangle(tern_tensor *like, int64_t diagonal, bool lower) {
    tern_ctx *ctx = BODY(like)->ctx;
    tern_tensor *rows = tern_arange_i64(ctx, BODY(like)->shape[BODY(like)->rank - 2]);
    tern_tensor *columns = tern_arange_i64(ctx, BODY(like)->shape[BODY(like)->rank - 1]);
    tern_tensor *distance = tern_sub(columns, tern_unsqueeze(rows, 1));
    tern_tensor *mask = lower ? TERN_CALL(le, ARG_TENSOR(distance), ARG_INT(diagonal))
                              : TERN_CALL(ge, ARG_TENSOR(distance), ARG_INT(diagonal));
    return tern_to_device(mask, tern_device_of(like));
}

static tern_value keep_triangle(tern_opcall *call, bool lower) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->rank < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "input tensor must have at least 2 dimensions, got %d",
                              BODY(x)->rank);
    tern_tensor *keep = triangle(x, tern_arg_int(call, 1, 0), lower);
    return tern_result(call, TERN_CALL(masked_fill, ARG_TENSOR(x),
                                       ARG_TENSOR(tern_logical_not(keep)), ARG_INT(0)));
}

tern_value tern_op_tril(tern_opcall *call) {
    return keep_triangle(call, true);
}
tern_value tern_op_triu(tern_opcall *call) {
    return keep_triangle(call, false);
}

/* A triangle of a matrix: the elements with column - row <= offset (lower) or >= offset. */
typedef struct triangular {
    int64_t rows, columns, offset; /* the offset within -rows .. columns */
    bool lower;
    int64_t first_row, end_row; /* of those that have elements */
} triangular;

static int64_t within(int64_t x, int64_t least, int64_t most) {
    return x < least ? least : x > most ? most : x;
}

static triangular triangular_of(int64_t rows, int64_t columns, int64_t offset, bool lower) {
    triangular t = {rows, columns, within(offset, -rows, columns), lower, 0, rows};
    bool fits = true;
    int64_t below =
        tern_dim_sub(columns, t.offset, &fits); /* behind the last row of an upper one */
    if (lower)
        t.first_row = t.offset < 0 ? -t.offset : 0;
    else if (fits)
        t.end_row = within(below, 0, rows);
    return t;
}

/* Elements with column - row <= offset in `rows` rows: the rows that grow by one, then the full ones. */
static int64_t lower_count(int64_t rows, int64_t columns, int64_t offset, bool *fits) {
    int64_t first = offset < -rows ? rows : offset < 0 ? -offset : 0;
    int64_t full = within(tern_dim_sub(columns - 1, offset, fits), first, rows);
    int64_t growing = full - first, ends = tern_dim_add(first, offset, fits);
    ends = tern_dim_add(tern_dim_mul(2, tern_dim_add(ends, 1, fits), fits), growing - 1, fits);
    int64_t wedge = tern_dim_mul(growing, ends, fits) / 2;
    return tern_dim_add(wedge, tern_dim_mul(rows - full, columns, fits), fits);
}

static int64_t triangle_count(const triangular *t, bool *fits) {
    if (t->columns == 0 || t->rows == 0) return 0;
    if (t->lower) return lower_count(t->rows, t->columns, t->offset, fits);
    int64_t all = tern_dim_mul(t->end_row, t->columns, fits);
    return all - lower_count(t->end_row, t->columns, t->offset - 1, fits);
}

/* [2, count]: the rows, then the columns of the triangle, in row-major order. */
static tern_value triangle_indices(tern_opcall *call, bool lower) {
    int64_t rows = tern_arg_int(call, 0, 0), columns = tern_arg_int(call, 1, 0), at = 0;
    tern_dtype dtype = tern_arg_dtype(call, 3, TERN_INT64);
    if (rows < 0 || columns < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "row and col must be non-negative");
    bool fits = true;
    triangular t = triangular_of(rows, columns, tern_arg_int(call, 2, 0), lower);
    int64_t count = triangle_count(&t, &fits), both = tern_dim_mul(2, count, &fits);
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "row=%lld and col=%lld have too many elements", (long long)rows,
                              (long long)columns);
    char *buffer = tern_host_buffer(call->ctx, both, tern_dtype_size(dtype));
    if (!buffer) return tern_none();
    for (int64_t i = t.first_row; at < count; i++) {
        int64_t edge = i + t.offset;
        int64_t first = lower ? 0 : within(edge, 0, columns);
        int64_t end = lower && edge < columns - 1 ? edge + 1 : columns;
        for (int64_t j = first; j < end; j++, at++) {
            tern_num_store_i64((int)dtype, buffer, at, i);
            tern_num_store_i64((int)dtype, buffer, count + at, j);
        }
    }
    tern_shape shape = {2, {2, count}};
    tern_tensor *out = tern_new_from_host(call->lane, buffer, dtype, &shape, NULL);
    tern_host_give(call->ctx, buffer);
    return tern_result(call, out);
}

tern_value tern_op_tril_indices(tern_opcall *call) {
    return triangle_indices(call, true);
}
tern_value tern_op_triu_indices(tern_opcall *call) {
    return triangle_indices(call, false);
}

/* ---- logspace ---- */

tern_value tern_op_logspace(tern_opcall *call) {
    double ends[2], base = tern_arg_double(call, 3, 10.0);
    int64_t steps = tern_arg_int(call, 2, 0);
    tern_dtype dtype = tern_arg_dtype(call, 4, TERN_FLOAT32);
    for (int i = 0; i < 2; i++) {
        tern_tensor *t = tern_arg_tensor(call, i);
        ends[i] = t ? tern_item(t) : tern_arg_double(call, i, 0.0);
    }
    if (call->ctx->status != TERN_OK) return tern_none();
    if (steps < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "number of steps must be non-negative");
    char *buffer = tern_host_buffer(call->ctx, steps, tern_dtype_size(dtype));
    if (!buffer) return tern_none();
    if (!tern_dtype_is_floating(dtype)) ends[0] = trunc(ends[0]), ends[1] = trunc(ends[1]);
    double step = steps > 1 ? (ends[1] - ends[0]) / (double)(steps - 1) : 0.0;
    for (int64_t i = 0; i < steps; i++) {
        double e = i < steps / 2 || steps == 1 ? ends[0] + step * (double)i
                                               : ends[1] - step * (double)(steps - 1 - i);
        tern_num_store_f64((int)dtype, buffer, i, pow(base, e));
    }
    tern_shape shape = {1, {steps}};
    tern_tensor *out = tern_new_from_host(call->lane, buffer, dtype, &shape, NULL);
    tern_host_give(call->ctx, buffer);
    return tern_result(call, out);
}
