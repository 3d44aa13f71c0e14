/* pinv.c: pseudo-inverses, ranks and least squares: what singular values near 0 decide. */
#include <float.h>
#include <string.h>

#include "batch.h"

/* ---- the tolerance: max(atol, rtol * the largest singular value) ---- */

static double epsilon_of(tern_dtype dtype) {
    switch (dtype) {
    case TERN_FLOAT64: return DBL_EPSILON;
    case TERN_FLOAT16: return 0x1p-10;
    case TERN_BFLOAT16: return 0x1p-7;
    default: return FLT_EPSILON;
    }
}

/* A tensor or a number, as a tensor in the dtype of `like`. */
static tern_tensor *as_tensor(tern_opcall *call, tern_value value, const tern_tensor *like) {
    return tern_operand_of(call, value, BODY(like)->dtype);
}

/* As PyTorch: rtol is eps max(m, n), but 0 where an atol is given and above 0. Of the batch's shape; s holds
 * the singular values of `a`. */
static tern_tensor *tolerance(tern_opcall *call, tern_value atol, tern_value rtol, tern_tensor *a,
                              tern_tensor *s) {
    int64_t m = tern_rows(a), n = tern_columns(a), most = m < n ? n : m;
    double usual = epsilon_of(BODY(a)->dtype) * (double)most;
    tern_tensor *relative, *absolute = NULL;
    if (atol.kind != TERN_VALUE_NONE) absolute = as_tensor(call, atol, s);
    if (rtol.kind != TERN_VALUE_NONE) {
        relative = as_tensor(call, rtol, s);
    } else if (absolute) {
        relative = tern_mul_scalar(tern_ones_like(absolute), usual);
        relative = tern_fill_where(relative, tern_gt_scalar(absolute, 0.0), 0.0);
    } else {
        relative = as_tensor(call, ARG_FLOAT(usual), s);
    }
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    /* Descending: the first is the largest. */
    tern_tensor *scaled = tern_mul(relative, tern_select(s, -1, 0));
    return absolute ? tern_maximum(absolute, scaled) : scaled;
}

/* The lower triangle of a, mirrored. */
static tern_tensor *mirrored(tern_tensor *a) {
    return tern_add(tern_tril_from(a, 0), tern_mt(tern_tril_from(a, -1)));
}

static bool is_empty(const tern_tensor *a) {
    return tern_rows(a) == 0 || tern_columns(a) == 0;
}

/* ---- the pseudo-inverse ---- */

/* linalg.pinv(input, atol, rtol, hermitian): V diag(1 / s) U^T over the singular values above the
 * tolerance. In double: the inverse of a small one is large. */
static tern_value pseudo_inverse(tern_opcall *call, tern_value atol, tern_value rtol,
                                 bool hermitian) {
    tern_tensor *a = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, a, "input", hermitian)) return tern_none();
    if (is_empty(a)) {
        tern_shape shape = tern_shape_of(tern_mt(a));
        return tern_result(call, TERN_CALL(new_zeros, ARG_TENSOR(a), ARG_SHAPE(shape)));
    }
    tern_tensor *wide = tern_to_dtype(hermitian ? mirrored(a) : a, TERN_FLOAT64);
    tern_value all = TERN_CALL_VALUE(_svd, ARG_TENSOR(wide), ARG_BOOL(false));
    tern_tensor *u = tern_part(call->ctx, all, 0), *s = tern_part(call->ctx, all, 1);
    tern_tensor *vt = tern_part(call->ctx, all, 2);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *bound = tern_unsqueeze(tolerance(call, atol, rtol, a, s), -1);
    tern_tensor *small = TERN_CALL(le, ARG_TENSOR(s), ARG_TENSOR(bound));
    tern_tensor *inverse = tern_fill_where(tern_reciprocal(s), small, 0.0);
    tern_tensor *out = tern_matmul(tern_mul(tern_mt(vt), tern_unsqueeze(inverse, -2)), tern_mt(u));
    return tern_result(call, tern_to_dtype(out, BODY(a)->dtype));
}

tern_value tern_op_pinv(tern_opcall *call) {
    return pseudo_inverse(call, tern_arg(call, 1), tern_arg(call, 2),
                          tern_arg_bool(call, 3, false));
}

/* Golub, Pereyra 1973, "The differentiation of pseudo-inverses", at constant rank:
 * dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P; here its adjoint */
static tern_tensor *pinv_gradient(tern_tensor *a, tern_tensor *p, tern_tensor *g) {
    tern_tensor *gt = tern_mt(g), *pt = tern_mt(p);
    if (tern_rows(a) <= tern_columns(a)) {
        tern_tensor *k = tern_matmul(gt, p), *kpt = tern_matmul(k, pt);
        tern_tensor *out = tern_sub(kpt, tern_mt(tern_matmul(p, k)));
        out = tern_sub(out, tern_matmul(tern_matmul(a, p), kpt));
        return tern_add(out, tern_matmul(tern_matmul(pt, p), tern_sub(gt, tern_matmul(k, a))));
    }
    tern_tensor *k = tern_matmul(p, gt), *ptk = tern_matmul(pt, k);
    tern_tensor *out = tern_sub(ptk, tern_mt(tern_matmul(k, p)));
    out = tern_add(out, tern_matmul(tern_sub(gt, tern_matmul(a, k)), tern_matmul(p, pt)));
    return tern_sub(out, tern_matmul(tern_matmul(ptk, p), a));
}

void tern_grad_pinv(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *a = tern_node_input(node, 0);
    if (tern_node_ctx(node)->status != TERN_OK) return;
    grads[0] = pinv_gradient(a, tern_node_output(node, 0), grad_out[0]);
}

/* torch.pinverse(input, rcond=1e-15) */
tern_value tern_op_pinverse(tern_opcall *call) {
    double rcond = tern_arg_double(call, 1, 1e-15);
    return tern_result(call, TERN_CALL(pinv, ARG_TENSOR(tern_arg_tensor(call, 0)), tern_none(),
                                       ARG_FLOAT(rcond), ARG_BOOL(false)));
}

/* ---- ranks ---- */

/* linalg.matrix_rank(input, tol, atol, rtol, hermitian): how many singular values are above the
 * tolerance; tol is an atol with an rtol of 0 */
tern_value tern_op_matrix_rank(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0);
    bool hermitian = tern_arg_bool(call, 4, false);
    tern_value tol = tern_arg(call, 1), atol = tern_arg(call, 2), rtol = tern_arg(call, 3);
    if (!tern_expect_matrices(call, a, "A", hermitian)) return tern_none();
    if (tol.kind != TERN_VALUE_NONE) {
        atol = tol;
        rtol = ARG_FLOAT(0.0);
    }
    if (is_empty(a)) {
        tern_shape lead = tern_shape_of(a);
        lead.rank -= 2;
        return tern_result(
            call, TERN_CALL(new_zeros, ARG_TENSOR(a), ARG_SHAPE(lead), ARG_DTYPE(TERN_INT64)));
    }
    tern_tensor *wide = tern_to_dtype(hermitian ? mirrored(a) : a, TERN_FLOAT64);
    tern_value all = TERN_CALL_VALUE(_svd, ARG_TENSOR(wide), ARG_BOOL(false));
    tern_tensor *s = tern_part(call->ctx, all, 1);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *bound = tern_unsqueeze(tolerance(call, atol, rtol, a, s), -1);
    tern_tensor *above = TERN_CALL(gt, ARG_TENSOR(s), ARG_TENSOR(bound));
    return tern_result(call, TERN_CALL(sum, ARG_TENSOR(above), ARG_INT(-1)));
}

/* ---- least squares ---- */

typedef struct driver {
    bool gels, gelsy;
} driver;

static bool read_driver(tern_opcall *call, driver *out) {
    const char *name = tern_arg_text(call, 3, "gelsy");
    out->gels = strcmp(name, "gels") == 0;
    out->gelsy = strcmp(name, "gelsy") == 0;
    if (out->gels || out->gelsy || strcmp(name, "gelsd") == 0 || strcmp(name, "gelss") == 0)
        return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "driver='%s' must be one of 'gels', 'gelsy', 'gelsd', 'gelss'", name);
    return false;
}

static bool least_squares_fit(tern_opcall *call, tern_tensor *a, tern_tensor *b) {
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    if (!tern_expect_matrices(call, a, "input", false) ||
        !tern_expect_matrices(call, b, "b", false))
        return false;
    if (tern_rows(a) == tern_rows(b) && BODY(a)->dtype == BODY(b)->dtype) return true;
    tern_call_fail(
        call, TERN_ERR_ARGUMENT, "input %s of %s and b %s of %s: as many rows, one dtype",
        tern_shape_text(BODY(a)->rank, BODY(a)->shape, one), tern_dtype_name(BODY(a)->dtype),
        tern_shape_text(BODY(b)->rank, BODY(b)->shape, two), tern_dtype_name(BODY(b)->dtype));
    return false;
}

static tern_tensor *nothing(tern_tensor *like, tern_dtype dtype) {
    return TERN_CALL(new_zeros, ARG_TENSOR(like), ARG_SHAPE(TERN_SHAPE(0)), ARG_DTYPE(dtype));
}

/* Whether every matrix of the batch has rank n. */
static bool has_full_rank(tern_tensor *ranks, int64_t n) {
    tern_tensor *least = TERN_CALL(amin, ARG_TENSOR(ranks));
    return BODY(ranks)->numel == 0 || (!tern_is_nil(least) && tern_item(least) == (double)n);
}

/* linalg.lstsq(input, b, rcond, driver): (solution, residuals, rank, singular values), the last three empty
 * where PyTorch leaves them so. The solution is the pseudo-inverse times b, in double. */
tern_value tern_op_lstsq(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1), *all[4];
    driver by;
    if (!read_driver(call, &by)) return tern_none();
    bool vectors = BODY(b)->rank == 1 || BODY(b)->rank == BODY(a)->rank - 1;
    if (vectors) b = tern_unsqueeze(b, -1);
    if (!least_squares_fit(call, a, b)) return tern_none();
    tern_dtype dtype = BODY(a)->dtype;
    int64_t m = tern_rows(a), n = tern_columns(a), most = m < n ? n : m;
    double rcond = tern_arg_double(call, 2, epsilon_of(dtype) * (double)most);
    tern_tensor *wide = tern_to_dtype(a, TERN_FLOAT64), *right = tern_to_dtype(b, TERN_FLOAT64);
    tern_tensor *inverse = TERN_CALL(pinv, ARG_TENSOR(wide), tern_none(),
                                     ARG_FLOAT(by.gels ? 0.0 : rcond), ARG_BOOL(false));
    tern_tensor *x = tern_matmul(inverse, right);
    tern_tensor *ranks = TERN_CALL(matrix_rank, ARG_TENSOR(tern_detach(wide)), tern_none(),
                                   tern_none(), ARG_FLOAT(rcond));
    all[0] = tern_to_dtype(vectors ? tern_squeeze(x, -1) : x, dtype);
    if (call->ctx->status != TERN_OK) return tern_none();
    /* Empty, and with a history, as in PyTorch. */
    all[1] = tern_narrow(tern_reshape(all[0], TERN_SHAPE(BODY(all[0])->numel)), 0, 0, 0);
    if (m > n && !by.gelsy && (by.gels || has_full_rank(ranks, n))) {
        tern_tensor *rest = tern_square(tern_sub(tern_matmul(wide, x), right));
        rest = tern_sum_dims(rest, TERN_SHAPE(-2), false);
        all[1] = tern_to_dtype(vectors ? tern_squeeze(rest, -1) : rest, dtype);
    }
    all[2] = by.gels ? nothing(a, TERN_INT64) : ranks;
    all[3] = nothing(a, dtype);
    if (!by.gels && !by.gelsy)
        all[3] = tern_to_dtype(TERN_CALL(svdvals, ARG_TENSOR(tern_detach(wide))), dtype);
    return tern_results(call, all, 4);
}
