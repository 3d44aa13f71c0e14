/* scan.c: running reductions along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp. */
#include <math.h>

#include "layout.h"

/* SCAN fn of x along dim into outputs shaped as x. A 0-dim tensor is its own running reduction. */
static bool scan_raw(tern_opcall *call, tern_tensor *x, int32_t fn, int dim, tern_tensor **out,
                     int n_out) {
    for (int i = 0; i < n_out; i++) {
        out[i] = tern_tensor_new(call->lane, i == 0 ? BODY(x)->dtype : TERN_INT64, BODY(x)->rank,
                                 BODY(x)->shape);
        if (call->ctx->status != TERN_OK) return false;
    }
    if (BODY(x)->numel == 0) return true;
    if (BODY(x)->rank == 0) {
        tern_copy_raw(out[0], x);
        if (n_out > 1) tern_fill_raw(out[1], 0.0, 0);
        return true;
    }
    tern_scan_attrs attrs = {fn, dim};
    tern_launch(call->lane, TERN_KERNEL_SCAN, fn, &x, 1, out, n_out, &attrs, sizeof attrs);
    return call->ctx->status == TERN_OK;
}

static tern_value scan(tern_opcall *call, int32_t fn, tern_dtype default_dtype) {
    tern_tensor *input = tern_arg_tensor(call, 0), *out;
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    tern_tensor *x = tern_to_dtype(input, tern_arg_dtype(call, 2, default_dtype));
    if (call->ctx->status != TERN_OK || !scan_raw(call, x, fn, dim, &out, 1)) return tern_none();
    return tern_result(call, out);
}

static tern_dtype accumulating(const tern_opcall *call) {
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    return tern_dtype_is_floating(dtype) ? dtype : TERN_INT64;
}

/* The node's dim, counted from 0. */
static int node_dim(tern_node *node) {
    int dim = 0;
    tern_wrap_dim(tern_node_ctx(node), tern_node_input_shape(node, 0).rank,
                  tern_value_as_int(tern_node_arg(node, 1)), &dim);
    return dim;
}

static tern_tensor *flipped(tern_tensor *x, int dim) {
    return BODY(x)->rank ? TERN_CALL(flip, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(dim))) : x;
}

/* The scan `id` from the end. */
static tern_tensor *reverse_scan(const tern_op *op, tern_tensor *x, int dim) {
    tern_value args[2] = {ARG_TENSOR(flipped(x, dim)), ARG_INT(dim)};
    return flipped(tern_op_tensor(NULL, op, args, 2), dim);
}

/* ---- cumsum ---- */

tern_value tern_op_cumsum(tern_opcall *call) {
    return scan(call, TERN_SCAN_CUMSUM, accumulating(call));
}

void tern_grad_cumsum(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = reverse_scan(TERN_ROW(cumsum), grad_out[0], node_dim(node));
}

/* ---- cumprod ---- */

tern_value tern_op_cumprod(tern_opcall *call) {
    return scan(call, TERN_SCAN_CUMPROD, accumulating(call));
}

/*
 * The gradient of out = cumprod(x) where x has zeros, the first of a line at p and the second at q: before p as
 * without zeros; at p the sum over j in [p, q) of grad_j times the product up to j without x_p; 0 after p. Exact,
 * but its own derivative is not: for that, all products without x_k are needed (cumprod_backward_at).
 */
static tern_tensor *cumprod_backward_once(tern_tensor *x, tern_tensor *out, tern_tensor *grad,
                                          int dim) {
    const tern_value line = ARG_SHAPE(TERN_SHAPE(dim)), keep = ARG_BOOL(true);
    tern_tensor *nothing = tern_zeros_like(grad);
    tern_tensor *zero = TERN_CALL(eq, ARG_TENSOR(x), ARG_INT(0));
    tern_tensor *zeros = TERN_CALL(cumsum, ARG_TENSOR(zero), ARG_INT(dim)); /* up to here */
    tern_tensor *one = TERN_CALL(eq, ARG_TENSOR(zeros), ARG_INT(1));        /* in [p, q) */
    tern_tensor *first = TERN_CALL(logical_and, ARG_TENSOR(zero), ARG_TENSOR(one));
    tern_tensor *without = tern_where(first, tern_ones_like(x), x);
    tern_tensor *products = TERN_CALL(cumprod, ARG_TENSOR(without), ARG_INT(dim));
    tern_tensor *terms = tern_where(one, tern_mul(grad, products), nothing);
    tern_tensor *at_first = TERN_CALL(sum, ARG_TENSOR(terms), line, keep);
    tern_tensor *before = TERN_CALL(eq, ARG_TENSOR(zeros), ARG_INT(0));
    tern_tensor *ahead = tern_div(reverse_scan(TERN_ROW(cumsum), tern_mul(grad, out), dim), x);
    return tern_where(before, ahead, tern_where(first, at_first, nothing));
}

/* With zeros: element k's gradient is the sum over j >= k of grad_j times the product without x_k. */
static tern_tensor *cumprod_backward_at(tern_tensor *x, tern_tensor *grad, int dim, int64_t k) {
    int64_t n = BODY(x)->shape[dim];
    tern_value keep = ARG_BOOL(true);
    tern_shape one = tern_shape_of(x);
    one.dim[dim] = 1;
    tern_tensor *parts[2] = {TERN_CALL(new_ones, ARG_TENSOR(x), ARG_SHAPE(one)), NULL};
    tern_tensor *without = parts[0];
    if (k < n - 1) {
        parts[1] =
            TERN_CALL(cumprod, ARG_TENSOR(tern_narrow(x, dim, k + 1, n - k - 1)), ARG_INT(dim));
        without = tern_cat(parts, 2, dim);
    }
    if (k > 0)
        without = tern_mul(
            without, TERN_CALL(prod, ARG_TENSOR(tern_narrow(x, dim, 0, k)), ARG_INT(dim), keep));
    tern_tensor *terms = tern_mul(tern_narrow(grad, dim, k, n - k), without);
    return tern_sum_dims(terms, TERN_SHAPE(dim), true);
}

void tern_grad_cumprod(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    int dim = node_dim(node);
    tern_tensor *x = tern_node_input(node, 0), *grad = grad_out[0];
    if (ctx->status != TERN_OK) return;
    x = tern_to_dtype(x, BODY(grad)->dtype);
    if (BODY(x)->rank == 0 || BODY(x)->numel == 0) {
        grads[0] = grad;
        return;
    }
    tern_tensor *is_zero = tern_any(TERN_CALL(eq, ARG_TENSOR(x), ARG_INT(0)));
    if (tern_item(is_zero) == 0.0) {
        tern_tensor *products = tern_mul(grad, tern_node_output(node, 0));
        grads[0] = tern_div(reverse_scan(TERN_ROW(cumsum), products, dim), x);
        return;
    }
    if (!tern_is_grad_enabled(ctx)) { /* nobody asks for the gradient's gradient */
        grads[0] = cumprod_backward_once(x, tern_node_output(node, 0), grad, dim);
        return;
    }
    int64_t n = BODY(x)->shape[dim];
    tern_tensor **columns = tern_scope_alloc(ctx, (size_t)n * sizeof *columns);
    for (int64_t k = 0; columns && k < n && ctx->status == TERN_OK; k++) {
        tern_frame frame; /* what n of them take in between is not kept */
        tern_frame_open(ctx, &frame);
        tern_value column = ARG_TENSOR(cumprod_backward_at(x, grad, dim, k));
        columns[k] = tern_frame_return(&frame, column).as.tensor;
    }
    if (columns && ctx->status == TERN_OK) grads[0] = tern_cat(columns, (int)n, dim);
}

/* ---- cummax, cummin ---- */

static tern_value scan_with_index(tern_opcall *call, int32_t fn) {
    tern_tensor *input = tern_arg_tensor(call, 0), *both[2];
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim) ||
        !scan_raw(call, input, fn, dim, both, 2))
        return tern_none();
    return tern_tensors_value(call->ctx, both, 2);
}

tern_value tern_op_cummax(tern_opcall *call) {
    return scan_with_index(call, TERN_SCAN_CUMMAX);
}
tern_value tern_op_cummin(tern_opcall *call) {
    return scan_with_index(call, TERN_SCAN_CUMMIN);
}

void tern_grad_cummax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(tern_node_input_shape(node, 0)));
    grads[0] = tern_scatter_add(zeros, node_dim(node), tern_node_output(node, 1), grad_out[0]);
}
void tern_grad_cummin(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_grad_cummax(node, grad_out, grads);
}

/* ---- logcumsumexp ---- */

tern_value tern_op_logcumsumexp(tern_opcall *call) {
    return scan(call, TERN_SCAN_LOGCUMSUMEXP, BODY(tern_arg_tensor(call, 0))->dtype);
}

/* exp(x) times the reverse running sum of grad exp(-out), in logarithms, by the sign of grad. */
static tern_tensor *one_sign(tern_tensor *grad, tern_tensor *x, tern_tensor *out, int dim) {
    tern_tensor *part = tern_where(tern_gt_scalar(grad, 0.0), grad, tern_zeros_like(grad));
    tern_tensor *terms = tern_sub(tern_log(part), out);
    return tern_exp(tern_add(reverse_scan(TERN_ROW(logcumsumexp), terms, dim), x));
}

void tern_grad_logcumsumexp(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    int dim = node_dim(node);
    if (tern_node_input_shape(node, 0).rank == 0) { /* a number is its own sum */
        grads[0] = grad_out[0];
        return;
    }
    tern_tensor *x = tern_node_input(node, 0), *out = tern_node_output(node, 0);
    bool narrow = tern_dtype_size(tern_node_input_dtype(node, 0)) == 2;
    tern_dtype wide = narrow ? TERN_FLOAT32 : tern_node_input_dtype(node, 0);
    x = tern_to_dtype(x, wide);
    out = tern_to_dtype(out, wide);
    tern_tensor *grad = tern_to_dtype(grad_out[0], wide);
    grads[0] = tern_sub(one_sign(grad, x, out, dim), one_sign(tern_neg(grad), x, out, dim));
}
