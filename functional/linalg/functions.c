/* functions.c: the matrix exponential, inverses of tensors, Vandermonde matrices. */
#include <math.h>
#include <string.h>

#include "batch.h"
#include "tern/memory.h"

/* ---- the exponential ---- */

/* The 1-norm of a's rows' sums; NaN where one is. */
static double largest_row_sum(const double *a, int64_t n) {
    double norm = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < n; j++) sum += fabs(a[i * n + j]);
        norm = sum > norm || isnan(sum) ? sum : norm;
    }
    return norm;
}

/* Taylor's polynomial of a / 2^s, whose norm is at most 1/2, squared s times. */
static void exponential(tern_dense *by, double *a, double *term, double *next, int64_t n) {
    double norm = largest_row_sum(a, n);
    int squarings = 0;
    if (!isfinite(norm)) {
        for (int64_t i = 0; i < n * n; i++) a[i] = NAN;
        return;
    }
    if (norm > 0.5) squarings = ilogb(norm) + 2;
    for (int64_t i = 0; i < n * n; i++) a[i] = ldexp(a[i], -squarings);
    /* sum = I + a + a^2 / 2 + ...: by Horner's rule, I + a (I + a / 2 (I + ...)) */
    memset(term, 0, (size_t)(n * n) * sizeof *term);
    for (int64_t i = 0; i < n; i++) term[i * n + i] = 1.0;
    for (int k = 16; k > 0; k--) {
        tern_dense_product(by, a, term, next, n, n, n);
        for (int64_t i = 0; i < n * n; i++) term[i] = next[i] / k;
        for (int64_t i = 0; i < n; i++) term[i * n + i] += 1.0;
    }
    for (int i = 0; i < squarings; i++) {
        tern_dense_product(by, term, term, next, n, n, n);
        memcpy(term, next, (size_t)(n * n) * sizeof *term);
    }
    memcpy(a, term, (size_t)(n * n) * sizeof *a);
}

static void exponential_one(tern_factoring *f, int64_t i) {
    int64_t n = f->a.rows;
    double *term = tern_dense_space(&f->by, n, n), *next = tern_dense_space(&f->by, n, n);
    if (term && next) exponential(&f->by, tern_matrix(&f->a, i), term, next, n);
    tern_free(term);
    tern_free(next);
}

tern_value tern_op_matrix_exp(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_expect_matrices(call, x, "input", true)) return tern_none();
    tern_dtype dtype = BODY(x)->dtype;
    tern_factoring f = {0};
    if (tern_batch_of(call, x, &f.a))
        tern_factor(call, &f, dtype, tern_batch_turns(&f.a, 0), exponential_one);
    return tern_result(call, tern_batch_matrices(call, &f.a, dtype));
}

/* exp [[A^T, g], [0, A^T]] has the gradient at its upper right (Mathias 1996, "A chain rule for matrix
 * functions") */
void tern_grad_matrix_exp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *a = tern_mt(tern_node_input(node, 0)), *rows[2];
    if (tern_node_ctx(node)->status != TERN_OK) return;
    int64_t n = tern_rows(a);
    rows[0] = tern_cat((tern_tensor *[]){a, grad_out[0]}, 2, -1);
    rows[1] = tern_cat((tern_tensor *[]){tern_zeros_like(a), a}, 2, -1);
    tern_tensor *whole = TERN_CALL(matrix_exp, ARG_TENSOR(tern_cat(rows, 2, -2)));
    grads[0] = tern_narrow(tern_narrow(whole, -2, 0, n), -1, n, n);
}

/* ---- tensors as matrices ---- */

static int64_t product(const tern_tensor *x, int from, int to) {
    int64_t count = 1;
    for (int d = from; d < to; d++) count *= BODY(x)->shape[d];
    return count;
}

/* linalg.tensorinv(input, ind=2): the first `ind` dimensions are the rows */
tern_value tern_op_tensorinv(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t ind = tern_arg_int(call, 1, 2);
    int rank = BODY(x)->rank;
    char text[TERN_SHAPE_TEXT];
    if (ind <= 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "ind must be above 0, got %lld",
                              (long long)ind);
    int split = ind < rank ? (int)ind : rank;
    int64_t rows = product(x, 0, split);
    if (rows != product(x, split, rank))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "the dimensions of input %s before ind=%lld must have as many elements "
            "as those behind",
            tern_shape_text(rank, BODY(x)->shape, text), (long long)ind);
    tern_shape shape = {rank, {0}};
    for (int d = 0; d < rank; d++) shape.dim[d] = BODY(x)->shape[(d + split) % rank];
    tern_tensor *inverse = TERN_CALL(inv, ARG_TENSOR(tern_reshape(x, TERN_SHAPE(rows, rows))));
    return tern_result(call, tern_reshape(inverse, shape));
}

/* linalg.tensorsolve(input, other, dims=None): x with tensordot(input, x) = other; dims of input go last */
tern_value tern_op_tensorsolve(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    tern_shape dims = tern_arg_ints(call, 2), last = dims;
    if (call->ctx->status != TERN_OK) return tern_none();
    for (int i = 0; i < dims.rank; i++) last.dim[i] = BODY(a)->rank - dims.rank + i;
    if (dims.rank > 0) a = TERN_CALL(movedim, ARG_TENSOR(a), ARG_SHAPE(dims), ARG_SHAPE(last));
    if (call->ctx->status != TERN_OK) return tern_none();
    int own = BODY(b)->rank, rank = BODY(a)->rank;
    int64_t rows = BODY(b)->numel;
    tern_shape shape = {0, {0}};
    for (int d = own; d < rank; d++) shape.dim[shape.rank++] = BODY(a)->shape[d];
    if (own > rank || product(a, own, rank) != rows || product(a, 0, rank) != rows * rows)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "input must have as many elements as the square of other's %lld, half of "
            "its dimensions behind other's %d",
            (long long)rows, own);
    tern_tensor *flat = tern_reshape(a, TERN_SHAPE(rows, rows));
    tern_tensor *x =
        TERN_CALL(solve, ARG_TENSOR(flat), ARG_TENSOR(tern_reshape(b, TERN_SHAPE(rows))));
    return tern_result(call, tern_reshape(x, shape));
}

/* linalg.vander(x, N=None): the powers 0 to N - 1 of each element, in a last dimension */
tern_value tern_op_vander(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->rank == 0) x = tern_reshape(x, TERN_SHAPE(1));
    if (call->ctx->status != TERN_OK) return tern_none();
    int64_t n = tern_arg_int(call, 1, BODY(x)->shape[BODY(x)->rank - 1]);
    if (n <= 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "N must be above 1, got %lld", (long long)n);
    tern_shape shape = tern_shape_of(x);
    if (shape.rank == TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "x has %d dimensions already", shape.rank);
    tern_dtype dtype = tern_dtype_is_floating(BODY(x)->dtype) ? BODY(x)->dtype : TERN_INT64;
    shape.dim[shape.rank++] = n - 1;
    tern_tensor *factors = tern_expand(tern_unsqueeze(tern_to_dtype(x, dtype), -1), shape);
    tern_tensor *powers = TERN_CALL(cumprod, ARG_TENSOR(factors), ARG_INT(-1));
    shape.dim[shape.rank - 1] = 1;
    tern_tensor *ones = TERN_CALL(new_ones, ARG_TENSOR(powers), ARG_SHAPE(shape));
    return tern_result(call, tern_cat((tern_tensor *[]){ones, powers}, 2, -1));
}
