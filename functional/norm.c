/*
 * norm.c: torch.norm by its names, and the nuclear norm, the sum of a matrix's singular values, by
 * one-sided Jacobi rotations in host memory (Demmel and Veselic, SIAM J. Matrix Anal. 13, 1992).
 */
#include <math.h>
#include <string.h>

#include "core/ops/layout.h"
#include "functional.h"

#define SWEEPS 60

/* A matrix of `n` columns of length m, column-major, and the rotations applied to them so far. */
typedef struct jacobi {
    int64_t m, n;
    double *columns, *rotations; /* m x n and n x n */
} jacobi;

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void rotate(double *a, double *b, int64_t n, double c, double s) {
    for (int64_t i = 0; i < n; i++) {
        double x = a[i], y = b[i];
        a[i] = c * x - s * y;
        b[i] = s * x + c * y;
    }
}

/* One sweep over all pairs; false when all columns were orthogonal already. */
static bool sweep(jacobi *j) {
    bool moved = false;
    for (int64_t p = 0; p < j->n; p++)
        for (int64_t q = p + 1; q < j->n; q++) {
            double *a = j->columns + p * j->m, *b = j->columns + q * j->m;
            double aa = dot(a, a, j->m), bb = dot(b, b, j->m), ab = dot(a, b, j->m);
            if (!(fabs(ab) > 1e-15 * sqrt(aa * bb))) continue;
            double zeta = (bb - aa) / (2.0 * ab);
            double t = (zeta < 0.0 ? -1.0 : 1.0) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
            double c = 1.0 / sqrt(1.0 + t * t);
            rotate(a, b, j->m, c, c * t);
            rotate(j->rotations + p * j->n, j->rotations + q * j->n, j->n, c, c * t);
            moved = true;
        }
    return moved;
}

/* The norm, and U V^T (the gradient) into out[m x n], row-major. */
static double nuclear_norm(jacobi *j, double *out) {
    double norm = 0.0;
    /* Without a decomposition: infinities and NaN have none. */
    for (int64_t i = 0; i < j->m * j->n; i++)
        if (!isfinite(j->columns[i])) norm = NAN;
    for (int i = 0; i < SWEEPS && sweep(j); i++) continue;
    memset(out, 0, (size_t)(j->m * j->n) * sizeof *out);
    /* A column that ought to be 0, as the last n - m are, holds rounding errors: no direction. */
    double largest = 0.0;
    for (int64_t k = 0; k < j->n; k++) {
        const double *u = j->columns + k * j->m;
        largest = fmax(largest, sqrt(dot(u, u, j->m)));
    }
    for (int64_t k = 0; k < j->n; k++) {
        const double *u = j->columns + k * j->m, *v = j->rotations + k * j->n;
        double sigma = sqrt(dot(u, u, j->m));
        norm += sigma;
        for (int64_t r = 0; sigma > 1e-14 * largest && r < j->m; r++)
            for (int64_t c = 0; c < j->n; c++) out[r * j->n + c] += u[r] / sigma * v[c];
    }
    return norm;
}

/* (norm, U V^T) of a matrix. */
tern_value tern_op__nuclear_norm(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->rank != 2 || !tern_dtype_is_floating(BODY(x)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects a floating matrix, got %d dimensions of %s", BODY(x)->rank,
                              tern_dtype_name(BODY(x)->dtype));
    jacobi j = {.m = BODY(x)->shape[0], .n = BODY(x)->shape[1]};
    /* Columns of x are rows of its transpose. */
    j.columns = tern_host_copy(call->ctx, tern_t(x), TERN_FLOAT64);
    j.rotations = tern_host_buffer(call->ctx, j.n * j.n, sizeof *j.rotations);
    double *gradient = tern_host_buffer(call->ctx, j.m * j.n, sizeof *gradient);
    tern_tensor *both[2] = {call->ctx->nil, call->ctx->nil};
    if (call->ctx->status == TERN_OK && j.columns && j.rotations && gradient) {
        memset(j.rotations, 0, (size_t)(j.n * j.n) * sizeof *j.rotations);
        for (int64_t i = 0; i < j.n; i++) j.rotations[i * j.n + i] = 1.0;
        double norm = nuclear_norm(&j, gradient);
        tern_shape scalar = {0, {0}}, shape = tern_shape_of(x);
        both[0] = tern_new_from_host(call->lane, &norm, TERN_FLOAT64, &scalar, NULL);
        both[1] = tern_new_from_host(call->lane, gradient, TERN_FLOAT64, &shape, NULL);
        for (int i = 0; i < 2; i++) both[i] = tern_to_dtype(both[i], BODY(x)->dtype);
    }
    tern_host_give(call->ctx, j.columns);
    tern_host_give(call->ctx, j.rotations);
    tern_host_give(call->ctx, gradient);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

void tern_grad__nuclear_norm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (grad_out[0]) grads[0] = tern_mul(tern_detach(tern_node_output(node, 1)), grad_out[0]);
}

/* ---- norms ---- */

/* The sum of singular values, over the last two dimensions or the two of `dim`. */
static tern_value nuclear(tern_opcall *call, tern_tensor *x) {
    tern_shape dims = tern_arg_ints(call, 2), from = {2, {-2, -1}};
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(x)->rank < 2 || (dims.rank >= 0 && dims.rank != 2))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "p='nuc' needs a matrix and two dims, got %d dimensions and %d dims",
                              BODY(x)->rank, dims.rank);
    uint32_t mask;
    if (dims.rank < 0) dims = from;
    if (!tern_wrap_dims(call->ctx, BODY(x)->rank, &dims, &mask)) return tern_none();
    tern_tensor *last = TERN_CALL(movedim, ARG_TENSOR(x), ARG_SHAPE(dims), ARG_SHAPE(from));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_shape shape = tern_shape_of(last), lead = shape;
    lead.rank -= 2;
    int64_t batch = 1;
    for (int d = 0; d < lead.rank; d++) batch *= lead.dim[d];
    tern_tensor *flat =
        tern_reshape(last, TERN_SHAPE(batch, shape.dim[shape.rank - 2], shape.dim[shape.rank - 1]));
    if (call->ctx->status != TERN_OK) return tern_none();
    int count = (int)batch;
    tern_tensor **norms = tern_scope_alloc(call->ctx, (size_t)(count + 1) * sizeof *norms);
    for (int i = 0; norms && i < count; i++) {
        tern_value both = TERN_CALL_VALUE(_nuclear_norm, ARG_TENSOR(tern_select(flat, 0, i)));
        if (call->ctx->status != TERN_OK) return tern_none();
        norms[i] = tern_value_at(both, 0).as.tensor;
    }
    if (!norms) return tern_none();
    tern_tensor *out = count > 0 ? tern_reshape(tern_stack(norms, count, 0), lead)
                                 : TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(lead));
    for (int d = 0; d < BODY(x)->rank && tern_arg_bool(call, 3, false); d++)
        if (mask & 1u << d) out = tern_unsqueeze(out, d);
    return tern_result(call, out);
}

/* torch.norm: p is a number, 'fro' (the 2-norm of all elements), 'nuc', or None (2). */
tern_value tern_op_norm(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    const char *name = tern_arg_text(call, 1, NULL);
    if (name && strcmp(name, "nuc") == 0) return nuclear(call, x);
    if (name && strcmp(name, "fro") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "p='%s' is not a norm: use a number, 'fro' or 'nuc'", name);
    double p = name ? 2.0 : tern_arg_double(call, 1, 2.0);
    tern_tensor *out = TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(p), tern_arg(call, 2),
                                 ARG_BOOL(tern_arg_bool(call, 3, false)), tern_arg(call, 4));
    return tern_result(call, out);
}
