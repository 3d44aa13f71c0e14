/* svd.c: singular values, eigenvalues of symmetric matrices, and functions of them. */
#include <string.h>

#include "batch.h"

/* ---- the decomposition ---- */

/* a into U in b, S in values [*, k] and Vt in c; S alone where those have no space */
static void svd_one(tern_factoring *f, int64_t i) {
    tern_dense_svd(&f->by, tern_matrix(&f->a, i), tern_matrix(&f->b, i), f->values + i * f->k,
                   tern_matrix(&f->c, i), f->a.rows, f->a.columns, f->b.columns, f->c.rows);
}

/* _svd(A, full): (U, S, Vt) */
tern_value tern_op__svd(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *all[3];
    if (!tern_expect_matrices(call, x, "A", false)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    bool full = tern_arg_bool(call, 1, false);
    int64_t m = tern_rows(x), n = tern_columns(x), k = m < n ? m : n;
    int64_t left = full ? m : k, right = full ? n : k;
    tern_factoring f = {.k = k};
    if (tern_batch_of(call, x, &f.a)) {
        f.b = tern_batch_like(call, &f.a, m, left);
        f.c = tern_batch_like(call, &f.a, right, n);
        f.values = tern_batch_space(call, &f.a, k, sizeof *f.values);
    }
    tern_factor(call, &f, dtype, tern_batch_turns(&f.a, (m && left) || (right && n)), svd_one);
    tern_host_give(call->ctx, f.a.data);
    all[0] = tern_batch_matrices(call, &f.b, dtype);
    all[1] = tern_batch_result(call, f.values, TERN_FLOAT64, dtype, f.a.lead, TERN_SHAPE(k));
    all[2] = tern_batch_matrices(call, &f.c, dtype);
    return tern_results(call, all, 3);
}

/* _svdvals(A): S alone */
tern_value tern_op__svdvals(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, x, "A", false)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    int64_t m = tern_rows(x), n = tern_columns(x);
    tern_factoring f = {.k = m < n ? m : n};
    if (tern_batch_of(call, x, &f.a))
        f.values = tern_batch_space(call, &f.a, f.k, sizeof *f.values);
    tern_factor(call, &f, dtype, tern_batch_turns(&f.a, 0), svd_one);
    tern_host_give(call->ctx, f.a.data);
    return tern_result(
        call, tern_batch_result(call, f.values, TERN_FLOAT64, dtype, f.a.lead, TERN_SHAPE(f.k)));
}

/* 1 / (x_j - x_i), 1 on the diagonal: [*, n] -> [*, n, n] */
static tern_tensor *inverse_gaps(tern_tensor *x) {
    tern_tensor *gaps = tern_sub(tern_unsqueeze(x, -2), tern_unsqueeze(x, -1));
    tern_tensor *eye = tern_identity_like(gaps, tern_rows(gaps));
    return tern_reciprocal(tern_fill_where(gaps, tern_gt_scalar(eye, 0.0), 1.0));
}

static tern_tensor *antisymmetric(tern_tensor *x) {
    return tern_sub(x, tern_mt(x));
}

/*
 * Townsend 2016, "Differentiating the singular value decomposition": with E_ij = s_j^2 - s_i^2, the core is
 * skew(U^T gU) / E S + S skew(V^T gV) / E + diag(gS), and what gU and gV have outside of the
 * spaces of U and V comes beside it.
 */
void tern_grad__svd(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *u = tern_node_output(node, 0), *s = tern_node_output(node, 1);
    tern_tensor *vt = tern_node_output(node, 2), *core = NULL;
    if (tern_node_ctx(node)->status != TERN_OK) return;
    int64_t m = tern_rows(u), n = tern_columns(vt), k = m < n ? m : n;
    tern_tensor *by_u = grad_out[0] ? tern_narrow(grad_out[0], -1, 0, k) : NULL;
    tern_tensor *by_vt = grad_out[2] ? tern_narrow(grad_out[2], -2, 0, k) : NULL;
    if (!by_u && !by_vt && !grad_out[1]) return;
    u = tern_narrow(u, -1, 0, k);
    vt = tern_narrow(vt, -2, 0, k);
    tern_tensor *gaps = by_u || by_vt ? inverse_gaps(tern_square(s)) : NULL;
    tern_tensor *rows = tern_unsqueeze(s, -1), *columns = tern_unsqueeze(s, -2);
    if (by_u) {
        tern_tensor *skew = antisymmetric(tern_matmul(tern_mt(u), by_u));
        core = tern_mul(tern_mul(skew, gaps), columns);
    }
    if (by_vt) {
        tern_tensor *skew = antisymmetric(tern_matmul(vt, tern_mt(by_vt)));
        core = tern_plus(core, tern_mul(rows, tern_mul(skew, gaps)));
    }
    if (grad_out[1]) core = tern_plus(core, TERN_CALL(diag_embed, ARG_TENSOR(grad_out[1])));
    tern_tensor *left = tern_matmul(u, core);
    if (by_u && m > k) {
        tern_tensor *inside = tern_matmul(u, tern_matmul(tern_mt(u), by_u));
        left = tern_add(left, tern_div(tern_sub(by_u, inside), columns));
    }
    grads[0] = tern_matmul(left, vt);
    if (by_vt && n > k) {
        tern_tensor *inside = tern_matmul(tern_matmul(by_vt, tern_mt(vt)), vt);
        tern_tensor *outside = tern_div(tern_sub(by_vt, inside), rows);
        grads[0] = tern_add(grads[0], tern_matmul(u, outside));
    }
}

/* (U, S, Vt) of the argument; none after latching. */
static tern_value decomposed(tern_opcall *call, bool full) {
    tern_tensor *a = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, a, "A", false)) return tern_none();
    return TERN_CALL_VALUE(_svd, ARG_TENSOR(a), ARG_BOOL(full));
}

/* linalg.svd(A, full_matrices=True, driver=None) */
tern_value tern_op_linalg_svd(tern_opcall *call) {
    return decomposed(call, tern_arg_bool(call, 1, true));
}
/* The vectors are for the gradient alone. */
tern_value tern_op_svdvals(tern_opcall *call) {
    if (!tern_call_is_recorded(call))
        return tern_result(call, TERN_CALL(_svdvals, ARG_TENSOR(tern_arg_tensor(call, 0))));
    return tern_result(call, tern_part(call->ctx, decomposed(call, false), 1));
}

/* torch.svd(input, some=True, compute_uv=True): V, not its transpose; zeros in place of U and V without
 * compute_uv */
tern_value tern_op_svd(tern_opcall *call) {
    bool vectors = tern_arg_bool(call, 2, true);
    tern_value all = decomposed(call, vectors && !tern_arg_bool(call, 1, true));
    tern_tensor *parts[3];
    for (int i = 0; i < 3; i++) parts[i] = tern_part(call->ctx, all, (size_t)i);
    parts[2] = tern_mt(parts[2]);
    for (int i = 0; i < 3 && !vectors; i += 2) parts[i] = tern_zeros_like(parts[i]);
    return tern_results(call, parts, 3);
}

/* ---- symmetric matrices ---- */

/* The triangle that is read, mirrored, becomes the vectors where they are wanted. */
static void eigh_one(tern_factoring *f, int64_t i) {
    int64_t n = f->k;
    double *own = tern_matrix(&f->a, i);
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < r; c++) {
            double value = f->upper ? own[c * n + r] : own[r * n + c];
            own[r * n + c] = own[c * n + r] = value;
        }
    tern_dense_eigh(&f->by, own, f->values + i * n, n, f->vectors);
}

/* The values, of x's batch; f->a.data is left to the caller. */
static tern_tensor *eigenvalues(tern_opcall *call, tern_tensor *x, tern_factoring *f) {
    f->k = tern_rows(x);
    if (tern_batch_of(call, x, &f->a))
        f->values = tern_batch_space(call, &f->a, f->k, sizeof *f->values);
    tern_factor(call, f, BODY(x)->dtype, tern_batch_turns(&f->a, 0), eigh_one);
    return tern_batch_result(call, f->values, TERN_FLOAT64, BODY(x)->dtype, f->a.lead,
                             TERN_SHAPE(f->k));
}

/* Whether UPLO is 'U'; latches for what is neither that nor 'L'. */
static bool is_upper(tern_opcall *call, const char *part) {
    if (strlen(part) != 1 || !strchr("LlUu", *part))
        tern_call_fail(call, TERN_ERR_ARGUMENT, "UPLO='%s' is neither 'L' nor 'U'", part);
    return *part == 'U' || *part == 'u';
}

/* _eigvalsh(input, upper) */
tern_value tern_op__eigvalsh(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, x, "input", true)) return tern_none();
    tern_factoring f = {.upper = tern_arg_bool(call, 1, false)};
    tern_tensor *values = eigenvalues(call, x, &f);
    tern_host_give(call->ctx, f.a.data);
    return tern_result(call, values);
}

/* linalg.eigh(input, UPLO='L'): (values ascending, vectors in columns) */
tern_value tern_op_eigh(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    if (!tern_expect_matrices(call, x, "input", true)) return tern_none();
    tern_factoring f = {.vectors = true, .upper = is_upper(call, tern_arg_text(call, 1, "L"))};
    if (call->ctx->status != TERN_OK) return tern_none();
    both[0] = eigenvalues(call, x, &f);
    both[1] = tern_batch_matrices(call, &f.a, BODY(x)->dtype);
    return tern_results(call, both, 2);
}

/* Giles 2008, 2.3.2: V (diag(gL) + V^T gV / (l_j - l_i)) V^T */
void tern_grad_eigh(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *values = tern_node_output(node, 0), *v = tern_node_output(node, 1), *core = NULL;
    if (!grad_out[0] && !grad_out[1]) return;
    if (grad_out[1]) {
        tern_tensor *eye = tern_identity_like(v, tern_rows(v));
        core = tern_mul(tern_matmul(tern_mt(v), grad_out[1]), inverse_gaps(values));
        core = tern_fill_where(core, tern_gt_scalar(eye, 0.0), 0.0);
    }
    if (grad_out[0]) core = tern_plus(core, TERN_CALL(diag_embed, ARG_TENSOR(grad_out[0])));
    grads[0] = tern_matmul(v, tern_matmul(core, tern_mt(v)));
}

tern_value tern_op_eigvalsh(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_call_is_recorded(call)) {
        bool upper = is_upper(call, tern_arg_text(call, 1, "L"));
        return tern_result(call, TERN_CALL(_eigvalsh, ARG_TENSOR(x), ARG_BOOL(upper)));
    }
    tern_value both = TERN_CALL_VALUE(eigh, ARG_TENSOR(x), tern_arg(call, 1));
    return tern_result(call, tern_part(call->ctx, both, 0));
}

/* ---- the square root and the polar decomposition, differentiated by Sylvester's equation ---- */

/* The solution of S x + x S = c for S = V diag(values) V^T: V (V^T c V / (values_i + values_j)) V^T */
static tern_tensor *sylvester(tern_tensor *v, tern_tensor *values, tern_tensor *c) {
    tern_tensor *sums = tern_add(tern_unsqueeze(values, -2), tern_unsqueeze(values, -1));
    tern_tensor *inside = tern_matmul(tern_mt(v), tern_matmul(c, v));
    return tern_matmul(v, tern_matmul(tern_div(inside, sums), tern_mt(v)));
}

static tern_tensor *from_spectrum(tern_tensor *v, tern_tensor *values) {
    return tern_matmul(tern_mul(v, tern_unsqueeze(values, -2)), tern_mt(v));
}

tern_value tern_op_matrix_sqrth(tern_opcall *call) {
    tern_value pair = TERN_CALL_VALUE(eigh, ARG_TENSOR(tern_arg_tensor(call, 0)));
    tern_tensor *roots = tern_sqrt(tern_part(call->ctx, pair, 0));
    return tern_result(call, from_spectrum(tern_part(call->ctx, pair, 1), roots));
}

/* X X = A: X dX + dX X = dA, an equation that is its own adjoint; by the symmetric part of g, as in
 * PyTorch */
void tern_grad_matrix_sqrth(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    tern_value pair = TERN_CALL_VALUE(eigh, ARG_TENSOR(tern_node_input(node, 0)));
    tern_tensor *roots = tern_sqrt(tern_part(ctx, pair, 0));
    tern_tensor *g = tern_mul_scalar(tern_add(grad_out[0], tern_mt(grad_out[0])), 0.5);
    grads[0] = sylvester(tern_part(ctx, pair, 1), roots, g);
}

/* linalg.polar(A): U V^T and V S V^T of the singular values */
tern_value tern_op_polar(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *both[2];
    char text[TERN_SHAPE_TEXT];
    if (!tern_expect_matrices(call, a, "A", false)) return tern_none();
    if (tern_rows(a) < tern_columns(a))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects at least as many rows as columns, got %s",
                              tern_shape_text(BODY(a)->rank, BODY(a)->shape, text));
    tern_value all = TERN_CALL_VALUE(_svd, ARG_TENSOR(tern_detach(a)), ARG_BOOL(false));
    tern_tensor *u = tern_part(call->ctx, all, 0), *vt = tern_part(call->ctx, all, 2);
    both[0] = tern_matmul(u, vt);
    both[1] =
        tern_matmul(tern_mt(vt), tern_mul(tern_unsqueeze(tern_part(call->ctx, all, 1), -1), vt));
    return tern_results(call, both, 2);
}

/*
 * A = U H. With the skew part W = U^T dU: H W + W H = U^T dA - dA^T U, dH = U^T dA - W H, and what U does not
 * span comes as dA H^-1. The gradient is the adjoint of that: with c = skew(U^T gU - gH H), Y the
 * solution of H Y + Y H = c, it is U (Y + gH) + (gU - U U^T gU) H^-1.
 */
void tern_grad_polar(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *u = tern_node_output(node, 0), *h = tern_node_output(node, 1), *c = NULL;
    tern_tensor *by_u = grad_out[0], *by_h = grad_out[1];
    tern_ctx *ctx = tern_node_ctx(node);
    if (ctx->status != TERN_OK || (!by_u && !by_h)) return;
    if (by_h) by_h = tern_mul_scalar(tern_add(by_h, tern_mt(by_h)), 0.5);
    if (by_u) c = tern_matmul(tern_mt(u), by_u);
    if (by_h) c = tern_plus(c, tern_neg(tern_matmul(by_h, h)));
    tern_value pair = TERN_CALL_VALUE(eigh, ARG_TENSOR(h));
    tern_tensor *v = tern_part(ctx, pair, 1), *values = tern_part(ctx, pair, 0);
    tern_tensor *y = sylvester(v, values, antisymmetric(c));
    grads[0] = tern_matmul(u, tern_plus(by_h, y));
    if (by_u && ctx->status == TERN_OK && tern_rows(u) > tern_columns(u)) {
        tern_tensor *outside = tern_sub(by_u, tern_matmul(u, tern_matmul(tern_mt(u), by_u)));
        tern_tensor *inverse = from_spectrum(v, tern_reciprocal(values));
        grads[0] = tern_add(grads[0], tern_matmul(outside, inverse));
    }
}
