/*
 * differences.c: diff and what is integrated by trapezoids; gradient, by differences of second order; renorm,
 * unravel_index, frexp, shifts of spectra, shapes that broadcast, distances of all pairs.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "programs/program.h"

/* ---- differences and integrals ---- */

tern_value tern_op_diff(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *parts[3];
    int64_t n = tern_arg_int(call, 1, 1);
    int dim, count = 0;
    if (BODY(x)->rank == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "diff expects input to be at least one-dimensional");
    if (n < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "order must be non-negative but got %lld",
                              (long long)n);
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 2, -1), &dim))
        return tern_none();
    if (tern_arg_given(call, 3)) parts[count++] = tern_arg_tensor(call, 3);
    parts[count++] = x;
    if (tern_arg_given(call, 4)) parts[count++] = tern_arg_tensor(call, 4);
    if (n == 0) return tern_result(call, tern_clone(x));
    if (count > 1) x = tern_cat(parts, count, dim);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (n > BODY(x)->shape[dim]) n = BODY(x)->shape[dim]; /* nothing is left from there on */
    if (BODY(x)->numel == 0) {                            /* however long: only the shape changes */
        tern_tensor *left = tern_narrow(x, dim, 0, BODY(x)->shape[dim] - n);
        return tern_result(call, tern_clone(left));
    }
    for (; n > 0 && call->ctx->status == TERN_OK; n--) {
        int64_t size = BODY(x)->shape[dim] > 0 ? BODY(x)->shape[dim] - 1 : 0;
        tern_tensor *upper = tern_narrow(x, dim, BODY(x)->shape[dim] - size, size);
        tern_tensor *lower = tern_narrow(x, dim, 0, size);
        x = BODY(x)->dtype == TERN_BOOL ? tern_ne(upper, lower) : tern_sub(upper, lower);
    }
    return tern_result(call, x);
}

/* The areas between neighbours: (y[i] + y[i + 1]) / 2 times their distance along x, or dx. */
static tern_tensor *areas(tern_opcall *call, int *out_dim) {
    tern_tensor *y = tern_arg_tensor(call, 0), *x = tern_arg_tensor(call, 1);
    if (!tern_wrap_dim(call->ctx, BODY(y)->rank, tern_arg_int(call, 3, -1), out_dim))
        return call->ctx->nil;
    if (BODY(y)->rank == 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "y must have at least one dimension");
        return call->ctx->nil;
    }
    int64_t n = BODY(y)->shape[*out_dim] > 0 ? BODY(y)->shape[*out_dim] - 1 : 0;
    int64_t skip = BODY(y)->shape[*out_dim] > 0 ? 1 : 0;
    tern_tensor *sum = tern_add(tern_narrow(y, *out_dim, 0, n), tern_narrow(y, *out_dim, skip, n));
    if (!x) return TERN_CALL(mul, ARG_TENSOR(sum), ARG_FLOAT(tern_arg_double(call, 2, 1.0) / 2.0));
    if (BODY(x)->rank == 1 && BODY(y)->rank > 1) {
        tern_shape shape = tern_shape_of(y);
        for (int d = 0; d < shape.rank; d++) shape.dim[d] = d == *out_dim ? BODY(x)->shape[0] : 1;
        x = tern_reshape(x, shape);
    }
    int along = *out_dim - BODY(y)->rank; /* x may have fewer leading dimensions */
    tern_tensor *width = TERN_CALL(diff, ARG_TENSOR(x), ARG_INT(1), ARG_INT(along));
    return tern_div_scalar(tern_mul(sum, width), 2.0);
}

/* With equal distances the sum less half of both ends, times dx. */
tern_value tern_op_trapezoid(tern_opcall *call) {
    tern_tensor *y = tern_arg_tensor(call, 0);
    int dim;
    tern_tensor *parts = areas(call, &dim);
    if (call->ctx->status != TERN_OK) return tern_none();
    int64_t n = BODY(y)->shape[dim];
    if (!tern_arg_given(call, 1) && n > 0) {
        tern_tensor *ends = tern_add(tern_select(y, dim, 0), tern_select(y, dim, n - 1));
        tern_tensor *half = TERN_CALL(mul, ARG_TENSOR(ends), ARG_FLOAT(0.5));
        tern_tensor *inner = tern_sub(tern_sum_dims(y, TERN_SHAPE(dim), false), half);
        return tern_result(
            call, TERN_CALL(mul, ARG_TENSOR(inner), ARG_FLOAT(tern_arg_double(call, 2, 1.0))));
    }
    return tern_result(call, tern_sum_dims(parts, TERN_SHAPE(dim), false));
}

tern_value tern_op_cumulative_trapezoid(tern_opcall *call) {
    int dim;
    tern_tensor *parts = areas(call, &dim);
    return tern_result(call, TERN_CALL(cumsum, ARG_TENSOR(parts), ARG_INT(dim)));
}

/* ---- gradient ---- */

/* The distances between neighbours along a dimension: one number, or a vector. */
typedef struct spacing {
    double number;
    tern_tensor *steps; /* [n - 1], or NULL */
} spacing;

/* Element i from the start, or from the end for a negative one, as [1]. */
static tern_tensor *step_at(tern_tensor *steps, int64_t i) {
    int64_t n = BODY(steps)->shape[0];
    return tern_narrow(steps, 0, i < 0 ? n + i : i, 1);
}

static tern_tensor *part(tern_tensor *x, int64_t start, int64_t length) {
    return tern_narrow(x, -1, start, length);
}

/* a x[i] + b x[i + 1] + c x[i + 2] of the last dimension */
static tern_tensor *weighted(tern_tensor *x, int64_t at, int64_t length, tern_tensor *a,
                             tern_tensor *b, tern_tensor *c) {
    tern_tensor *sum =
        tern_add(tern_mul(a, part(x, at, length)), tern_mul(b, part(x, at + 1, length)));
    return tern_add(sum, tern_mul(c, part(x, at + 2, length)));
}

/* The derivatives of the parabola through three points that are d1 and d2 apart: in their middle, and at
 * their first (`side` -1) or last point (1). */
static tern_tensor *of_parabola(tern_tensor *x, int64_t at, int64_t length, tern_tensor *d1,
                                tern_tensor *d2, int side) {
    tern_ctx *ctx = BODY(x)->ctx;
    static const char *const first[] = {"-(2 * p + q) / (p * (p + q))", "(p + q) / (p * q)",
                                        "-p / (q * (p + q))"};
    static const char *const middle[] = {"-q / (p * (p + q))", "(q - p) / (p * q)",
                                         "p / (q * (p + q))"};
    static const char *const last[] = {"q / (p * (p + q))", "-(p + q) / (p * q)",
                                       "(2 * q + p) / (q * (p + q))"};
    const char *const *formulas = side < 0 ? first : side > 0 ? last : middle;
    tern_value values[2] = {ARG_TENSOR(d1), ARG_TENSOR(d2)};
    tern_tensor *factors[3];
    if (!tern_formulas_call(ctx, formulas, 3, "p q", values, 2, factors)) return ctx->nil;
    return weighted(x, at, length, factors[0], factors[1], factors[2]);
}

/* Along the last dimension, [.., n]. */
static tern_tensor *derivative(tern_tensor *x, const spacing *s, bool second) {
    int64_t n = BODY(x)->shape[BODY(x)->rank - 1];
    tern_tensor *steps = s->steps, *parts[3];
    if (!steps) {
        steps =
            TERN_CALL(new_full, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(n - 1)), ARG_FLOAT(s->number));
    }
    if (tern_is_nil(steps)) return steps;
    if (s->steps) {
        tern_tensor *before = tern_narrow(steps, 0, 0, n - 2);
        tern_tensor *after = tern_narrow(steps, 0, 1, n - 2);
        parts[1] = of_parabola(x, 0, n - 2, before, after, 0);
    } else { /* where the middle has no part, and its infinity neither */
        tern_tensor *across = tern_sub(part(x, 2, n - 2), part(x, 0, n - 2));
        parts[1] = tern_div_scalar(across, 2.0 * s->number);
    }
    if (second) {
        parts[0] = of_parabola(x, 0, 1, step_at(steps, 0), step_at(steps, 1), -1);
        parts[2] = of_parabola(x, n - 3, 1, step_at(steps, -2), step_at(steps, -1), 1);
    } else {
        parts[0] = tern_div(tern_sub(part(x, 1, 1), part(x, 0, 1)), step_at(steps, 0));
        parts[2] = tern_div(tern_sub(part(x, n - 1, 1), part(x, n - 2, 1)), step_at(steps, -1));
    }
    return tern_cat(parts, 3, -1);
}

/* The spacing of the i-th of `count` dims: one number for all, or a list of numbers or coordinates. */
static bool read_spacing(tern_opcall *call, int i, int count, int64_t n, tern_dtype dtype,
                         spacing *out) {
    tern_value own = tern_arg(call, 1);
    *out = (spacing){1.0, NULL};
    if (own.kind == TERN_VALUE_LIST || own.kind == TERN_VALUE_TUPLE) {
        if (tern_value_count(own) != (size_t)count) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "expects a spacing for each of %d dims, got %zu", count,
                           tern_value_count(own));
            return false;
        }
        own = tern_value_at(own, (size_t)i);
    }
    if (own.kind == TERN_VALUE_NONE) return true;
    if (own.kind != TERN_VALUE_TENSOR) {
        out->number = tern_value_as_double(own);
        return true;
    }
    tern_tensor *at = own.as.tensor;
    if (BODY(at)->rank != 1 || BODY(at)->shape[0] != n) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "coordinates must be a vector of the dimension's %lld, got %lld",
                       (long long)n, (long long)BODY(at)->numel);
        return false;
    }
    at = tern_to_dtype(at, dtype);
    out->steps = tern_sub(tern_narrow(at, 0, 1, n - 1), tern_narrow(at, 0, 0, n - 1));
    return call->ctx->status == TERN_OK;
}

/* torch.gradient(input, spacing=1, dim=None, edge_order=1): a tensor for each dim */
tern_value tern_op_gradient(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *all[TERN_MAX_RANK];
    tern_shape dims = tern_arg_ints(call, 2);
    int64_t order = tern_arg_int(call, 3, 1);
    bool floating = tern_dtype_is_floating(BODY(x)->dtype);
    uint32_t mask;
    if (call->ctx->status != TERN_OK) return tern_none();
    if (order != 1 && order != 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "edge_order must be 1 or 2, got %lld",
                              (long long)order);
    if (dims.rank < 0)
        for (dims.rank = 0; dims.rank < BODY(x)->rank; dims.rank++) dims.dim[dims.rank] = dims.rank;
    if (!tern_wrap_dims(call->ctx, BODY(x)->rank, &dims, &mask)) return tern_none();
    tern_tensor *wide = tern_widen(floating ? x : tern_to_dtype(x, TERN_FLOAT32));
    for (int i = 0; i < dims.rank; i++) {
        int dim;
        spacing s;
        if (!tern_wrap_dim(call->ctx, BODY(x)->rank, dims.dim[i], &dim)) return tern_none();
        if (BODY(x)->rank == 0 || BODY(x)->shape[dim] <= order)
            return tern_call_fail(
                call, TERN_ERR_ARGUMENT,
                "each dimension must have at least edge_order + 1 = %lld elements",
                (long long)order + 1);
        int64_t n = BODY(x)->shape[dim];
        if (!read_spacing(call, i, dims.rank, n, BODY(wide)->dtype, &s)) return tern_none();
        tern_tensor *last = TERN_CALL(movedim, ARG_TENSOR(wide), ARG_INT(dim), ARG_INT(-1));
        tern_tensor *out = derivative(last, &s, order == 2);
        out = TERN_CALL(movedim, ARG_TENSOR(out), ARG_INT(-1), ARG_INT(dim));
        all[i] = floating ? tern_to_dtype(out, BODY(x)->dtype) : out;
    }
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, all, dims.rank)
                                        : tern_none();
}

/* ---- renorm, pdist ---- */

static tern_tensor *norm_over(tern_tensor *x, double p, tern_shape dims) {
    return TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(p), ARG_SHAPE(dims), ARG_BOOL(true));
}

/* renorm(input, p, dim, maxnorm): slices along dim whose norm is above maxnorm are scaled to it */
tern_value tern_op_renorm(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    double p = tern_arg_double(call, 1, 2.0), most = tern_arg_double(call, 3, 0.0);
    int dim;
    if (!(p > 0.0) || !(most >= 0.0) || BODY(x)->rank < 2 ||
        !tern_dtype_is_floating(BODY(x)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects p above 0, maxnorm of at least 0 and two floating "
                              "dimensions, got %g, %g and %d of %s",
                              p, most, BODY(x)->rank, tern_dtype_name(BODY(x)->dtype));
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 2, 0), &dim))
        return tern_none();
    tern_tensor *wide = tern_widen(x);
    tern_shape others = {0, {0}};
    for (int d = 0; d < BODY(x)->rank; d++)
        if (d != dim) others.dim[others.rank++] = d;
    /* A slice that stays as it is has no gradient through its norm, which may be NaN: that is of zeros then. */
    tern_tensor *norm = norm_over(tern_detach(wide), p, others);
    tern_tensor *stays = tern_logical_not(tern_gt_scalar(norm, most));
    tern_tensor *moves = tern_fill_where(wide, stays, 0.0);
    tern_tensor *scale = FORMULA(call->ctx, "m / (n + 1e-7)", "n m",
                                 ARG_TENSOR(norm_over(moves, p, others)), ARG_FLOAT(most));
    return tern_narrowed(call, tern_where(stays, wide, tern_mul(moves, scale)));
}

/* nn.functional.pdist(input, p=2): the distances of rows i < j, [n (n - 1) / 2] */
tern_value tern_op_pdist(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    double p = tern_arg_double(call, 1, 2.0);
    if (BODY(x)->rank != 2 || !tern_dtype_is_floating(BODY(x)->dtype) || !(p >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects a floating matrix and p of at least 0, got %d dimensions of "
                              "%s and %g",
                              BODY(x)->rank, tern_dtype_name(BODY(x)->dtype), p);
    int64_t n = BODY(x)->shape[0], columns = BODY(x)->shape[1];
    tern_tensor *pairs = TERN_CALL_CTX(call->ctx, triu_indices, ARG_INT(n), ARG_INT(n), ARG_INT(1));
    if (call->ctx->status != TERN_OK) return tern_none(); /* there are more than can be counted */
    int64_t count = BODY(pairs)->shape[1];
    pairs = tern_to_device(pairs, tern_device_of(x));
    tern_tensor *rows[2], *wide = tern_widen(x);
    for (int i = 0; i < 2; i++)
        rows[i] = tern_reshape(tern_index_select(wide, 0, tern_select(pairs, 0, i)),
                               TERN_SHAPE(count, 1, columns));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *out = TERN_CALL(_cdist, ARG_TENSOR(rows[0]), ARG_TENSOR(rows[1]), ARG_FLOAT(p));
    return tern_narrowed(call, tern_reshape(out, TERN_SHAPE(-1)));
}

/* ---- frexp ---- */

/* (mantissa, exponent): input = mantissa 2^exponent, the mantissa from 1/2 to 1 */
tern_value tern_op_frexp(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    if (!tern_dtype_is_floating(BODY(x)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects a floating dtype, got %s",
                              tern_dtype_name(BODY(x)->dtype));
    tern_shape shape = tern_shape_of(x);
    int64_t count = BODY(x)->numel;
    double *values = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    int32_t *exponents = tern_host_buffer(call->ctx, count, sizeof *exponents);
    both[0] = both[1] = call->ctx->nil;
    if (values && exponents) {
        for (int64_t i = 0; i < count; i++) {
            int exponent = 0;
            if (isfinite(values[i])) values[i] = frexp(values[i], &exponent);
            exponents[i] = exponent;
        }
        both[0] = tern_new_from_host(call->lane, values, TERN_FLOAT64, &shape, NULL);
        both[0] = tern_to_dtype(both[0], BODY(x)->dtype);
        both[1] = tern_new_from_host(call->lane, exponents, TERN_INT32, &shape, NULL);
    }
    tern_host_give(call->ctx, values);
    tern_host_give(call->ctx, exponents);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

/* g / 2^exponent */
void tern_grad_frexp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_tensor *down = tern_neg(tern_node_output(node, 1));
    grads[0] = TERN_CALL(ldexp, ARG_TENSOR(grad_out[0]), ARG_TENSOR(down));
}

/* ---- shapes and places ---- */

/* unravel_index(indices, shape): a tensor of positions for each dimension of the shape */
tern_value tern_op_unravel_index(tern_opcall *call) {
    tern_tensor *rest = tern_arg_tensor(call, 0), *all[TERN_MAX_RANK];
    tern_shape shape = tern_arg_ints(call, 1);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (tern_dtype_is_floating(BODY(rest)->dtype) || BODY(rest)->dtype == TERN_BOOL)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects integer indices, got %s",
                              tern_dtype_name(BODY(rest)->dtype));
    for (int d = 0; d < shape.rank; d++)
        if (shape.dim[d] < 1)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "shape must be above 0, got %lld",
                                  (long long)shape.dim[d]);
    rest = tern_to_dtype(rest, TERN_INT64);
    for (int d = shape.rank - 1; d >= 0; d--) {
        all[d] = TERN_CALL(remainder, ARG_TENSOR(rest), ARG_INT(shape.dim[d]));
        rest = TERN_CALL(floor_divide, ARG_TENSOR(rest), ARG_INT(shape.dim[d]));
    }
    return call->ctx->status == TERN_OK
               ? tern_tensors_value(call->ctx, all, shape.rank < 0 ? 0 : shape.rank)
               : tern_none();
}

/* broadcast_shapes(shapes): the common shape, as int64 */
tern_value tern_op_broadcast_shapes(tern_opcall *call) {
    tern_value shapes = tern_arg(call, 0);
    tern_shape out = {0, {0}};
    for (size_t i = 0; i < tern_value_count(shapes); i++) {
        tern_value own = tern_value_at(shapes, i);
        size_t rank = tern_value_count(own);
        if (rank > TERN_MAX_RANK)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "a shape has more than %d dimensions",
                                  TERN_MAX_RANK);
        while (out.rank < (int)rank) {
            for (int d = out.rank; d > 0; d--) out.dim[d] = out.dim[d - 1];
            out.dim[0] = 1;
            out.rank++;
        }
        for (size_t d = 0; d < rank; d++) {
            int64_t size = tern_value_as_int(tern_value_at(own, d));
            int64_t *common = &out.dim[(size_t)out.rank - rank + d];
            if (*common == 1) *common = size;
            if (size < 0 || (size != *common && size != 1))
                return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                      "Shape mismatch: objects cannot be broadcast to a single "
                                      "shape: %lld against %lld",
                                      (long long)size, (long long)*common);
        }
    }
    tern_shape length = {1, {out.rank}};
    return tern_result(call, tern_new_from_host(call->lane, out.dim, TERN_INT64, &length, NULL));
}

/* Rolls the dims, or all, by half their size, rounded down or up. */
static tern_value shifted(tern_opcall *call, bool up) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape dims = tern_arg_ints(call, 1), shifts;
    if (call->ctx->status != TERN_OK) return tern_none();
    if (dims.rank < 0)
        for (dims.rank = 0; dims.rank < BODY(x)->rank; dims.rank++) dims.dim[dims.rank] = dims.rank;
    shifts = dims;
    for (int i = 0; i < dims.rank; i++) {
        int dim;
        if (!tern_wrap_dim(call->ctx, BODY(x)->rank, dims.dim[i], &dim)) return tern_none();
        int64_t n = BODY(x)->rank ? BODY(x)->shape[dim] : 1;
        shifts.dim[i] = up ? (n + 1) / 2 : n / 2;
    }
    if (dims.rank == 0) return tern_result(call, tern_clone(x));
    return tern_result(call, TERN_CALL(roll, ARG_TENSOR(x), ARG_SHAPE(shifts), ARG_SHAPE(dims)));
}

tern_value tern_op_fftshift(tern_opcall *call) {
    return shifted(call, false);
}
tern_value tern_op_ifftshift(tern_opcall *call) {
    return shifted(call, true);
}
