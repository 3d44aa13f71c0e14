/*
 * matmul.c: products of matrices: mm, bmm, addmm, matmul with its broadcasting, linear.
 *
 * All are one kernel over [batch.., m, k] x [batch.., k, n]; transposes and broadcasts are strides.
 */
#include "core/autograd/graph.h"
#include "reduce.h"

/* ---- the kernel's call ---- */

static bool same_dtype(tern_opcall *call, const tern_tensor *a, const tern_tensor *b) {
    if (BODY(a)->dtype == BODY(b)->dtype && BODY(a)->dtype != TERN_BOOL) return true;
    if (BODY(a)->dtype == BODY(b)->dtype)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for 'Bool'");
    else
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "mat1 and mat2 must have the same dtype, but got %s and %s",
                       tern_dtype_class(BODY(a)->dtype), tern_dtype_class(BODY(b)->dtype));
    return false;
}

/* The last two dimensions fit; false after latching. */
static bool inner_fits(tern_opcall *call, const tern_tensor *a, const tern_tensor *b) {
    int64_t m = BODY(a)->shape[BODY(a)->rank - 2], k = BODY(a)->shape[BODY(a)->rank - 1];
    int64_t k2 = BODY(b)->shape[BODY(b)->rank - 2], n = BODY(b)->shape[BODY(b)->rank - 1];
    if (k == k2) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "mat1 and mat2 shapes cannot be multiplied (%lldx%lld and %lldx%lld)",
                   (long long)m, (long long)k, (long long)k2, (long long)n);
    return false;
}

typedef struct scaling {
    tern_value alpha, beta;
} scaling;

static const scaling plain = {{TERN_VALUE_INT, 0, {.i = 1}}, {TERN_VALUE_INT, 0, {.i = 1}}};

/* alpha * a x b + beta * c of `shape`; a, b, c (or NULL) broadcast to it over the batch already. */
static tern_tensor *product(tern_lane *lane, tern_tensor *a, tern_tensor *b, tern_tensor *c,
                            const tern_shape *shape, const scaling *by) {
    tern_tensor *out = tern_tensor_new(lane, BODY(a)->dtype, shape->rank, shape->dim);
    if (lane->ctx->status != TERN_OK || BODY(out)->numel == 0) return out;
    double beta = tern_value_as_double(by->beta);
    if (BODY(a)->shape[BODY(a)->rank - 1] == 0) {
        if (!c || beta == 0.0)
            tern_fill_raw(out, 0.0, 0);
        else
            tern_copy_raw(out, TERN_CALL(mul, ARG_TENSOR(c), by->beta));
        return out;
    }
    tern_matmul_attrs attrs = {tern_value_as_double(by->alpha), beta, tern_value_as_int(by->alpha),
                               tern_value_as_int(by->beta)};
    tern_tensor *operands[3] = {a, b, c};
    tern_launch(lane, TERN_KERNEL_MATMUL, 0, operands, c ? 3 : 2, &out, 1, &attrs, sizeof attrs);
    return out;
}

/* The product of two matrices, or of what they are transposed, in a gradient: recorded where gradients
 * are, a launch and no more where they are not. */
static tern_tensor *grad_product(tern_tensor *a, bool transpose_a, tern_tensor *b,
                                 bool transpose_b) {
    tern_ctx *ctx = tern_context_of(a);
    tern_face faces[2];
    if (ctx->grad_enabled || ctx->status != TERN_OK)
        return tern_mm(transpose_a ? tern_t(a) : a, transpose_b ? tern_t(b) : b);
    if (transpose_a) a = tern_face_transposed(&faces[0], a);
    if (transpose_b) b = tern_face_transposed(&faces[1], b);
    tern_shape shape;
    shape.rank = 2;
    shape.dim[0] = BODY(a)->shape[0];
    shape.dim[1] = BODY(b)->shape[1];
    return product(BODY(a)->lane, a, b, NULL, &shape, &plain);
}

/* ---- mm, bmm ---- */

static bool is_rank(tern_opcall *call, const tern_tensor *t, int rank, const char *name) {
    if (BODY(t)->rank == rank) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT, "%s must be a %s, but it has %d dimensions", name,
                   rank == 2 ? "matrix" : "3D tensor", BODY(t)->rank);
    return false;
}

tern_value tern_op_mm(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (!is_rank(call, a, 2, "self") || !is_rank(call, b, 2, "mat2") || !same_dtype(call, a, b) ||
        !inner_fits(call, a, b))
        return tern_none();
    tern_shape shape = {2, {BODY(a)->shape[0], BODY(b)->shape[1]}};
    return tern_result(call, product(call->lane, a, b, NULL, &shape, &plain));
}

void tern_grad_mm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0];
    if (tern_node_needs(node, 0))
        grads[0] = grad_product(grad, false, tern_node_input(node, 1), true);
    if (tern_node_needs(node, 1))
        grads[1] = grad_product(tern_node_input(node, 0), true, grad, false);
}

static bool batches_fit(tern_opcall *call, const tern_tensor *a, const tern_tensor *b) {
    if (!is_rank(call, a, 3, "batch1") || !is_rank(call, b, 3, "batch2") || !same_dtype(call, a, b))
        return false;
    if (BODY(a)->shape[0] == BODY(b)->shape[0] && BODY(a)->shape[2] == BODY(b)->shape[1])
        return true;
    tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "Expected size for first two dimensions of batch2 tensor to be: [%lld, %lld] but "
        "got: [%lld, %lld].",
        (long long)BODY(a)->shape[0], (long long)BODY(a)->shape[2], (long long)BODY(b)->shape[0],
        (long long)BODY(b)->shape[1]);
    return false;
}

tern_value tern_op_bmm(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (!batches_fit(call, a, b)) return tern_none();
    tern_shape shape = {3, {BODY(a)->shape[0], BODY(a)->shape[1], BODY(b)->shape[2]}};
    return tern_result(call, product(call->lane, a, b, NULL, &shape, &plain));
}

void tern_grad_bmm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0];
    if (tern_node_needs(node, 0))
        grads[0] = tern_bmm(grad, tern_transpose(tern_node_input(node, 1), 1, 2));
    if (tern_node_needs(node, 1))
        grads[1] = tern_bmm(tern_transpose(tern_node_input(node, 0), 1, 2), grad);
}

/* ---- addmm, baddbmm ---- */

/* The number argument of a call, 1 where it was left out. */
static tern_value factor(tern_value given) {
    return given.kind == TERN_VALUE_NONE ? tern_int(1) : given;
}

static tern_value add_product(tern_opcall *call, tern_tensor *a, tern_tensor *b,
                              const tern_shape *shape) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    scaling by = {factor(tern_arg(call, 4)), factor(tern_arg(call, 3))};
    if (!same_dtype(call, input, a)) return tern_none();
    tern_tensor *c = tern_expand(input, *shape);
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, product(call->lane, a, b, c, shape, &by));
}

tern_value tern_op_addmm(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 1), *b = tern_arg_tensor(call, 2);
    if (!is_rank(call, a, 2, "mat1") || !is_rank(call, b, 2, "mat2") || !same_dtype(call, a, b) ||
        !inner_fits(call, a, b))
        return tern_none();
    tern_shape shape = {2, {BODY(a)->shape[0], BODY(b)->shape[1]}};
    return add_product(call, a, b, &shape);
}

tern_value tern_op_baddbmm(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 1), *b = tern_arg_tensor(call, 2);
    if (!batches_fit(call, a, b)) return tern_none();
    tern_shape shape = {3, {BODY(a)->shape[0], BODY(a)->shape[1], BODY(b)->shape[2]}};
    return add_product(call, a, b, &shape);
}

/* grad * number, without a launch where the number is 1. */
static tern_tensor *scaled(tern_tensor *grad, tern_value number) {
    number = factor(number);
    return tern_value_as_double(number) == 1.0 ? grad : TERN_CALL(mul, ARG_TENSOR(grad), number);
}

void tern_grad_addmm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0];
    tern_value beta = tern_node_arg(node, 3), alpha = tern_node_arg(node, 4);
    tern_shape shape = tern_node_input_shape(node, 0);
    if (tern_node_needs(node, 0)) grads[0] = tern_sum_gradient(scaled(grad, beta), &shape);
    if (tern_node_needs(node, 1))
        grads[1] =
            scaled(tern_matmul(grad, tern_transpose(tern_node_input(node, 2), -1, -2)), alpha);
    if (tern_node_needs(node, 2))
        grads[2] =
            scaled(tern_matmul(tern_transpose(tern_node_input(node, 1), -1, -2), grad), alpha);
}

void tern_grad_baddbmm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_grad_addmm(node, grad_out, grads);
}

/* ---- matmul ---- */

/* The operands as matrices: a vector on the left is a row, on the right a column. */
static tern_tensor *as_left(tern_tensor *a) {
    return BODY(a)->rank == 1 ? tern_unsqueeze(a, 0) : a;
}
static tern_tensor *as_right(tern_tensor *b) {
    return BODY(b)->rank == 1 ? tern_unsqueeze(b, 1) : b;
}

/* The broadcast batch dimensions of two operands, without the last two; false after latching. */
static bool batch_shape(tern_opcall *call, const tern_tensor *a, const tern_tensor *b,
                        tern_shape *out_batch) {
    int rank = BODY(a)->rank > BODY(b)->rank ? BODY(a)->rank : BODY(b)->rank;
    out_batch->rank = rank - 2;
    for (int d = 0; d < rank - 2; d++) {
        int from_a = d - (rank - BODY(a)->rank), from_b = d - (rank - BODY(b)->rank);
        int64_t sa = from_a < 0 ? 1 : BODY(a)->shape[from_a],
                sb = from_b < 0 ? 1 : BODY(b)->shape[from_b];
        if (sa != sb && sa != 1 && sb != 1) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "The size of tensor a (%lld) must match the size of tensor b (%lld) at "
                           "non-singleton dimension %d",
                           (long long)sa, (long long)sb, d);
            return false;
        }
        out_batch->dim[d] = sa == 1 ? sb : sa;
    }
    return true;
}

/* A view whose leading dimensions are the batch. */
static tern_tensor *over_batch(tern_tensor *t, const tern_shape *batch) {
    tern_shape shape = *batch;
    shape.dim[shape.rank++] = BODY(t)->shape[BODY(t)->rank - 2];
    shape.dim[shape.rank++] = BODY(t)->shape[BODY(t)->rank - 1];
    return tern_broadcast_view(t, &shape);
}

tern_value tern_op_matmul(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *other = tern_arg_tensor(call, 1);
    if (BODY(input)->rank == 0 || BODY(other)->rank == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "both arguments to matmul need to be at least 1D, but they are %dD "
                              "and %dD",
                              BODY(input)->rank, BODY(other)->rank);
    if (!same_dtype(call, input, other)) return tern_none();
    tern_tensor *a = as_left(input), *b = as_right(other);
    tern_shape batch;
    if (call->ctx->status != TERN_OK || !inner_fits(call, a, b) || !batch_shape(call, a, b, &batch))
        return tern_none();
    tern_shape shape = batch;
    shape.dim[shape.rank++] = BODY(a)->shape[BODY(a)->rank - 2];
    shape.dim[shape.rank++] = BODY(b)->shape[BODY(b)->rank - 1];
    tern_tensor *out =
        product(call->lane, over_batch(a, &batch), over_batch(b, &batch), NULL, &shape, &plain);
    uint32_t gone = (BODY(input)->rank == 1 ? 1u << (shape.rank - 2) : 0u) |
                    (BODY(other)->rank == 1 ? 1u << (shape.rank - 1) : 0u);
    tern_shape final = tern_reduced_shape(&shape, gone, false);
    return tern_result(call, tern_set_shape(out, &final));
}

/* A tensor as one matrix: all but the last dimension become rows. */
static tern_tensor *as_rows(tern_tensor *t) {
    int64_t rows = 1;
    if (BODY(t)->rank == 2) return t;
    for (int d = 0; d < BODY(t)->rank - 1; d++) rows *= BODY(t)->shape[d];
    return tern_reshape(t, TERN_SHAPE(rows, BODY(t)->shape[BODY(t)->rank - 1]));
}

void tern_grad_matmul(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *input = tern_node_input(node, 0), *other = tern_node_input(node, 1);
    if (tern_node_ctx(node)->status != TERN_OK) return;
    tern_tensor *a = as_left(input), *b = as_right(other), *grad = grad_out[0];
    if (BODY(other)->rank == 1) grad = tern_unsqueeze(grad, -1);
    if (BODY(input)->rank == 1) grad = tern_unsqueeze(grad, -2);
    if (tern_node_ctx(node)->status != TERN_OK) return;
    if (BODY(input)->rank == 2 && BODY(other)->rank == 2) {
        if (tern_node_needs(node, 0)) grads[0] = grad_product(grad, false, b, true);
        if (tern_node_needs(node, 1)) grads[1] = grad_product(a, true, grad, false);
        return;
    }
    if (tern_node_needs(node, 0)) {
        tern_tensor *full = tern_matmul(grad, tern_transpose(b, -1, -2));
        grads[0] = tern_reshape(tern_sum_to_size(full, tern_shape_of(a)), tern_shape_of(input));
    }
    if (!tern_node_needs(node, 1)) return;
    tern_tensor *full;
    if (BODY(b)->rank == 2 &&
        BODY(a)->rank > 2) /* one product instead of a batch of them and a sum */
        full = tern_matmul(tern_t(as_rows(a)), as_rows(grad));
    else
        full = tern_matmul(tern_transpose(a, -1, -2), grad);
    grads[1] = tern_reshape(tern_sum_to_size(full, tern_shape_of(b)), tern_shape_of(other));
}

/* ---- linear ---- */

/* A weight [in] of one output feature counts as [1, in], and its result has no feature dimension.
 */
static tern_tensor *as_weight(tern_tensor *w) {
    return BODY(w)->rank == 1 ? tern_unsqueeze(w, 0) : w;
}

/* The weight as the right side of a product: [in, out]. */
static tern_tensor *as_factor(tern_face *face, const tern_tensor *w) {
    bool one = BODY(w)->rank == 1;
    const int64_t *size = BODY(w)->shape, *step = BODY(w)->strides;
    int64_t shape[] = {size[one ? 0 : 1], one ? 1 : size[0]};
    int64_t strides[] = {step[one ? 0 : 1], one ? shape[0] : step[0]};
    return tern_face_over(face, w, 2, shape, strides);
}

/* The bias for every row of the result, without a copy. */
static tern_tensor *for_rows(tern_face *face, tern_tensor *bias, const tern_shape *shape) {
    bool usual = BODY(bias)->rank == 1 && BODY(bias)->shape[0] == shape->dim[1];
    return usual ? tern_face_broadcast(face, bias, shape) : tern_expand(bias, *shape);
}

/* All but the last dimension of a tensor as the rows of a matrix; of a copy, which goes to *out_copy, where
 * they do not lie at one distance. Nil after latching. */
static tern_tensor *rows_of(tern_face *face, tern_tensor *t, tern_tensor **out_copy) {
    const tern_tensor_body *body = BODY(t);
    int last = body->rank - 1;
    *out_copy = NULL;
    if (body->rank == 2 || body->ctx->status != TERN_OK) return t;
    int64_t shape[2] = {1, body->shape[last]}, strides[2] = {1, body->strides[last]};
    for (int d = last; d-- > 0;) {
        if (body->shape[d] == 1) continue;
        if (shape[0] == 1) {
            strides[0] = body->strides[d];
        } else if (body->strides[d] != shape[0] * strides[0] && body->numel > 0) {
            tern_tensor *none, *copy = tern_contiguous_raw(t);
            tern_tensor *rows = rows_of(face, copy, &none);
            *out_copy = copy;
            return rows;
        }
        shape[0] *= body->shape[d];
    }
    if (shape[0] == 1 && shape[1] > 1) strides[0] = shape[1];
    return tern_face_over(face, t, 2, shape, strides);
}

static bool linear_fits(tern_opcall *call, tern_tensor *x, tern_tensor *w, tern_tensor *bias) {
    if (BODY(x)->rank == 0 || BODY(w)->rank == 0 || BODY(w)->rank > 2) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "input must have at least 1 dimension and weight 1 or 2, but they have %d "
                       "and %d",
                       BODY(x)->rank, BODY(w)->rank);
        return false;
    }
    if (!same_dtype(call, x, w) || (bias && !same_dtype(call, bias, x))) return false;
    int64_t in = BODY(w)->shape[BODY(w)->rank - 1];
    if (BODY(x)->shape[BODY(x)->rank - 1] == in) return true;
    int64_t columns = BODY(x)->shape[BODY(x)->rank - 1];
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "mat1 and mat2 shapes cannot be multiplied (%lldx%lld and %lldx%lld)",
                   (long long)(columns ? BODY(x)->numel / columns : 0), (long long)columns,
                   (long long)in, (long long)(BODY(w)->rank == 2 ? BODY(w)->shape[0] : 1));
    return false;
}

tern_value tern_op_linear(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *w = tern_arg_tensor(call, 1);
    tern_tensor *bias = tern_arg_tensor(call, 2);
    tern_face faces[3];
    if (!linear_fits(call, x, w, bias)) return tern_none();
    tern_shape flat;
    tern_tensor *copy, *x2 = rows_of(&faces[0], x, &copy);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *w2 = as_factor(&faces[1], w);
    flat.rank = 2;
    flat.dim[0] = BODY(x2)->shape[0];
    flat.dim[1] = BODY(w2)->shape[1];
    tern_tensor *c = bias ? for_rows(&faces[2], bias, &flat) : NULL;
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *y = product(call->lane, x2, w2, c, &flat, &plain);
    tern_tensor_release(copy);
    if (BODY(x)->rank == 2 && BODY(w)->rank == 2) return tern_result(call, y);
    tern_shape shape = tern_shape_of(x);
    shape.dim[shape.rank - 1] = flat.dim[1];
    if (BODY(w)->rank == 1) shape.rank--;
    return tern_result(call, tern_set_shape(y, &shape));
}

/* The same as below by operations, which are recorded. */
static void recorded_linear_grad(tern_node *node, tern_tensor *x, tern_tensor *w, tern_tensor *grad,
                                 tern_tensor **grads) {
    if (BODY(w)->rank == 1) grad = tern_unsqueeze(grad, -1);
    if (tern_node_ctx(node)->status != TERN_OK) return;
    if (tern_node_needs(node, 0)) grads[0] = tern_matmul(grad, as_weight(w));
    if (!tern_node_needs(node, 1)) return;
    grads[1] = tern_mm(tern_t(as_rows(grad)), as_rows(x));
    if (BODY(w)->rank == 1) grads[1] = tern_reshape(grads[1], tern_shape_of(w));
}

/* The gradient of the bias, of the input and of the weight, from what came in rows. */
static void plain_linear_grad(tern_node *node, tern_tensor *x, tern_tensor *w, tern_tensor *grad,
                              tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    tern_face faces[2];
    tern_tensor *copy; /* lives as long as the formula's frame */
    grad = rows_of(&faces[0], grad, &copy);
    if (ctx->status != TERN_OK) return;
    if (tern_node_needs(node, 0)) {
        grads[0] = grad_product(grad, false, w, false);
        if (BODY(x)->rank != 2) {
            tern_shape shape = tern_shape_of(x);
            grads[0] = tern_set_shape(grads[0], &shape);
        }
    }
    if (!tern_node_needs(node, 1)) return;
    x = rows_of(&faces[1], x, &copy);
    if (ctx->status == TERN_OK) grads[1] = grad_product(grad, true, x, false);
}

void tern_grad_linear(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    tern_face faces[2];
    bool plainly = !ctx->grad_enabled && tern_node_input_shape(node, 1).rank == 2;
    tern_tensor *x = plainly ? tern_node_input_face(node, 0, &faces[0]) : tern_node_input(node, 0);
    tern_tensor *w = plainly ? tern_node_input_face(node, 1, &faces[1]) : tern_node_input(node, 1);
    if (ctx->status != TERN_OK) return;
    if (tern_node_n_inputs(node) > 2 && tern_node_needs(node, 2)) {
        tern_shape size = tern_node_input_shape(node, 2);
        grads[2] = tern_sum_gradient(grad_out[0], &size);
    }
    if (plainly)
        plain_linear_grad(node, x, w, grad_out[0], grads);
    else
        recorded_linear_grad(node, x, w, grad_out[0], grads);
}

/* ---- C functions ---- */

tern_tensor *tern_matmul(tern_tensor *input, tern_tensor *other) {
    return TERN_CALL(matmul, ARG_TENSOR(input), ARG_TENSOR(other));
}
tern_tensor *tern_mm(tern_tensor *input, tern_tensor *mat2) {
    return TERN_CALL(mm, ARG_TENSOR(input), ARG_TENSOR(mat2));
}
tern_tensor *tern_bmm(tern_tensor *input, tern_tensor *mat2) {
    return TERN_CALL(bmm, ARG_TENSOR(input), ARG_TENSOR(mat2));
}
tern_tensor *tern_addmm(tern_tensor *input, tern_tensor *mat1, tern_tensor *mat2) {
    return TERN_CALL(addmm, ARG_TENSOR(input), ARG_TENSOR(mat1), ARG_TENSOR(mat2));
}
tern_tensor *tern_linear(tern_tensor *input, tern_tensor *weight, tern_tensor *bias) {
    return TERN_CALL(linear, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias));
}
