/* norms.c: norms of matrices, and condition numbers. */
#include <math.h>
#include <string.h>

#include "batch.h"

/* ---- matrix_norm ---- */

/* Which norm: by name ('fro', 'nuc') or by number (1, 2, inf and their negatives). */
typedef struct matrix_order {
    bool frobenius, nuclear;
    double number;
} matrix_order;

static bool read_order(tern_opcall *call, tern_value value, matrix_order *out) {
    const char *name = value.kind == TERN_VALUE_STRING ? value.as.s : NULL;
    *out = (matrix_order){false, false, 0.0};
    if (name) {
        out->frobenius = strcmp(name, "fro") == 0;
        out->nuclear = strcmp(name, "nuc") == 0;
        if (strcmp(name, "inf") == 0) out->number = INFINITY;
        if (strcmp(name, "-inf") == 0) out->number = -INFINITY;
    } else if (value.kind != TERN_VALUE_NONE) {
        out->number = tern_value_as_double(value);
    } else {
        out->frobenius = true;
    }
    double size = fabs(out->number);
    if (out->frobenius || out->nuclear || size == 1.0 || size == 2.0 || isinf(size)) return true;
    if (name)
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "ord='%s' is not a matrix norm: use 'fro', 'nuc', 1, 2, inf or their negatives", name);
    else
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "ord=%g is not a matrix norm: use 'fro', 'nuc', 1, 2, inf or their negatives",
            out->number);
    return false;
}

static tern_tensor *extreme(tern_tensor *x, int64_t dim, bool largest, bool keepdim) {
    return largest ? TERN_CALL(amax, ARG_TENSOR(x), ARG_INT(dim), ARG_BOOL(keepdim))
                   : TERN_CALL(amin, ARG_TENSOR(x), ARG_INT(dim), ARG_BOOL(keepdim));
}

/* The norm of the dimensions `row` and `column`, which stay with size 1. */
static tern_tensor *norm_of(tern_tensor *x, const matrix_order *order, int row, int column) {
    tern_shape dims = TERN_SHAPE(row, column), last = TERN_SHAPE(-2, -1);
    if (order->frobenius)
        return TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(2.0), ARG_SHAPE(dims),
                         ARG_BOOL(true));
    bool largest = order->number > 0.0, by_column = fabs(order->number) == 1.0;
    if (by_column || isinf(order->number)) {
        int first = by_column ? row : column, second = by_column ? column : row;
        tern_tensor *sums = tern_sum_dims(tern_abs(x), TERN_SHAPE(first), true);
        return extreme(sums, second, largest, true);
    }
    tern_tensor *matrices = TERN_CALL(movedim, ARG_TENSOR(x), ARG_SHAPE(dims), ARG_SHAPE(last));
    tern_tensor *s = TERN_CALL(svdvals, ARG_TENSOR(matrices));
    tern_tensor *norm =
        order->nuclear ? tern_sum_dims(s, TERN_SHAPE(-1), false) : extreme(s, -1, largest, false);
    int low = row < column ? row : column, high = row < column ? column : row;
    return tern_unsqueeze(tern_unsqueeze(norm, low), high);
}

/* The value of a call, whose dims are checked. */
static tern_value matrix_norm(tern_opcall *call, tern_tensor *x, tern_value ord, tern_shape dims,
                              bool keepdim) {
    matrix_order order;
    int row, column;
    if (BODY(x)->rank < 2 || dims.rank != 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects a matrix and two dims, got %d dimensions and %d dims",
                              BODY(x)->rank, dims.rank);
    if (!read_order(call, ord, &order) ||
        !tern_wrap_dim(call->ctx, BODY(x)->rank, dims.dim[0], &row) ||
        !tern_wrap_dim(call->ctx, BODY(x)->rank, dims.dim[1], &column))
        return tern_none();
    if (row == column)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "dims must be different, got %d twice", row);
    tern_tensor *norm = norm_of(x, &order, row, column);
    if (!keepdim) norm = TERN_CALL(squeeze, ARG_TENSOR(norm), ARG_SHAPE(TERN_SHAPE(row, column)));
    return tern_result(call, norm);
}

/* The input in the dtype asked for; nil after latching. */
static tern_tensor *converted(tern_opcall *call, int dtype_at) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_dtype dtype = tern_arg_dtype(call, dtype_at, BODY(x)->dtype);
    if (tern_dtype_is_floating(BODY(x)->dtype) && tern_dtype_is_floating(dtype))
        return tern_to_dtype(x, dtype);
    tern_call_fail(call, TERN_ERR_ARGUMENT, "expects a floating dtype, got %s",
                   tern_dtype_name(tern_dtype_is_floating(dtype) ? BODY(x)->dtype : dtype));
    return call->ctx->nil;
}

/* linalg.matrix_norm(input, ord='fro', dim=(-2, -1), keepdim=False, dtype=None) */
tern_value tern_op_matrix_norm(tern_opcall *call) {
    tern_shape dims = tern_arg_ints(call, 2);
    tern_tensor *x = converted(call, 4);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (dims.rank < 0) dims = TERN_SHAPE(-2, -1);
    return matrix_norm(call, x, tern_arg(call, 1), dims, tern_arg_bool(call, 3, false));
}

/* linalg.norm(input, ord=None, dim=None, keepdim=False, dtype=None): of matrices where there are two dims,
 * or none of them and two dimensions; else of vectors */
tern_value tern_op_linalg_norm(tern_opcall *call) {
    tern_value ord = tern_arg(call, 1);
    tern_shape dims = tern_arg_ints(call, 2);
    tern_tensor *x = converted(call, 4);
    if (call->ctx->status != TERN_OK) return tern_none();
    bool given = ord.kind != TERN_VALUE_NONE, keepdim = tern_arg_bool(call, 3, false);
    if (given && dims.rank < 0 && BODY(x)->rank != 1 && BODY(x)->rank != 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "without dim, ord needs a vector or a matrix, got %d dimensions",
                              BODY(x)->rank);
    if (given && (dims.rank == 2 || (dims.rank < 0 && BODY(x)->rank == 2)))
        return matrix_norm(call, x, ord, dims.rank < 0 ? TERN_SHAPE(0, 1) : dims, keepdim);
    if (ord.kind == TERN_VALUE_STRING && strcmp(ord.as.s, "inf") != 0 &&
        strcmp(ord.as.s, "-inf") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "ord='%s' needs two dims, got a vector: use a number", ord.as.s);
    double number = !given ? 2.0 : INFINITY;
    if (given && ord.kind == TERN_VALUE_STRING && *ord.as.s == '-') number = -INFINITY;
    if (given && ord.kind != TERN_VALUE_STRING) number = tern_value_as_double(ord);
    return tern_result(call, TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(number),
                                       tern_arg(call, 2), ARG_BOOL(keepdim)));
}

/* ---- condition numbers ---- */

static tern_tensor *norm_by(tern_tensor *x, tern_value ord) {
    return TERN_CALL(matrix_norm, ARG_TENSOR(x), ord);
}

/* linalg.cond(input, p=None): the largest over the smallest singular value (their inverse for -2), else the
 * norm times that of the inverse, infinite where there is none */
tern_value tern_op_cond(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_value p = tern_arg(call, 1);
    matrix_order order = {.number = 2.0};
    if (!tern_expect_matrices(call, x, "A", false)) return tern_none();
    if (p.kind != TERN_VALUE_NONE && !read_order(call, p, &order)) return tern_none();
    if (BODY(x)->numel == 0) {
        tern_shape lead = tern_shape_of(x);
        lead.rank -= 2;
        return tern_result(call, TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(lead)));
    }
    if (fabs(order.number) == 2.0) {
        /* In double: the smallest one's error is relative to the largest. */
        tern_tensor *wide = tern_to_dtype(x, TERN_FLOAT64);
        tern_tensor *s = TERN_CALL(svdvals, ARG_TENSOR(wide));
        tern_tensor *largest = tern_select(s, -1, 0), *smallest = tern_select(s, -1, -1);
        tern_tensor *out =
            order.number > 0.0 ? tern_div(largest, smallest) : tern_div(smallest, largest);
        return tern_result(call, tern_to_dtype(out, BODY(x)->dtype));
    }
    if (!tern_expect_matrices(call, x, "A", true)) return tern_none();
    tern_value inverse = TERN_CALL_VALUE(inv_ex, ARG_TENSOR(x));
    tern_tensor *singular = tern_gt_scalar(tern_part(call->ctx, inverse, 1), 0.0);
    tern_tensor *norm = norm_by(tern_part(call->ctx, inverse, 0), p);
    return tern_result(call,
                       tern_fill_where(tern_mul(norm_by(x, p), norm), singular, (double)INFINITY));
}
