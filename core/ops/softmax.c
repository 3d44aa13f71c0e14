/*
 * softmax.c: softmax and log_softmax along one dimension.
 *
 * The maximum is taken off first, so that no exponential overflows. float16 and bfloat16 compute in
 * float32 and round once. A device's fused kernel is used where it has one, for the value and for the
 * gradient.
 */
#include "compose.h"
#include "reduce.h"

/* The sum along dim, kept at size 1. */
static tern_tensor *sum_along(tern_tensor *x, int dim) {
    return BODY(x)->rank ? tern_sum_dims(x, TERN_SHAPE(dim), true) : x;
}

/* The device's own kernel; false where it has none or declines, and after latching. */
static bool fused(tern_opcall *call, int32_t kernel, tern_tensor *const *inputs, int n_inputs,
                  tern_tensor *out, int dim) {
    tern_softmax_attrs attrs = {dim, 0};
    return call->ctx->status == TERN_OK && BODY(out)->rank > 0 &&
           tern_try_launch(call->lane, kernel, 0, inputs, n_inputs, &out, 1, &attrs, sizeof attrs);
}

/* x less its maximum along dim. */
static tern_tensor *shifted(tern_opcall *call, tern_tensor *x, int dim) {
    tern_tensor *max = tern_reduce_raw(call, x, TERN_REDUCE_MAX, tern_dim_bit(x, dim), true,
                                       BODY(x)->dtype, 0.0, 0.0);
    return tern_sub(x, max);
}

static tern_tensor *softmax_of(tern_opcall *call, tern_tensor *x, int dim) {
    tern_tensor *e = tern_exp(shifted(call, x, dim));
    return tern_div(e, sum_along(e, dim));
}

static tern_tensor *log_softmax_of(tern_opcall *call, tern_tensor *x, int dim) {
    tern_tensor *z = shifted(call, x, dim);
    return tern_sub(z, tern_log(sum_along(tern_exp(z), dim)));
}

static tern_value normalise(tern_opcall *call, int32_t kernel,
                            tern_tensor *(*compose)(tern_opcall *, tern_tensor *, int)) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_dtype dtype = tern_arg_dtype(call, 2, BODY(input)->dtype);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, -1), &dim))
        return tern_none();
    if (!tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "not implemented for '%s': give a floating dtype",
                              tern_dtype_class(dtype));
    tern_shape shape = tern_shape_of(input);
    tern_tensor *out = tern_new_shaped(call, dtype, &shape);
    if (BODY(out)->numel == 0 || fused(call, kernel, &input, 1, out, dim))
        return tern_result(call, out);
    tern_tensor *converted = tern_to_dtype(input, dtype);
    if (converted != input && fused(call, kernel, &converted, 1, out, dim))
        return tern_result(call, out);
    out = compose(call, tern_to_dtype(converted, tern_wide_dtype(dtype)), dim);
    return tern_result(call, tern_to_dtype(out, dtype));
}

tern_value tern_op_softmax(tern_opcall *call) {
    return normalise(call, TERN_KERNEL_SOFTMAX, softmax_of);
}

tern_value tern_op_log_softmax(tern_opcall *call) {
    return normalise(call, TERN_KERNEL_LOG_SOFTMAX, log_softmax_of);
}

/* ---- gradients ---- */

/* (g - sum(g y)) y */
static tern_tensor *softmax_gradient(tern_tensor *g, tern_tensor *y, int dim) {
    return tern_mul(tern_sub(g, sum_along(tern_mul(g, y), dim)), y);
}

/* g - exp(y) sum(g) */
static tern_tensor *log_softmax_gradient(tern_tensor *g, tern_tensor *y, int dim) {
    return tern_sub(g, tern_mul(tern_exp(y), sum_along(g, dim)));
}

/* The gradient in `dtype`, which is y's or a narrower one. */
static tern_tensor *gradient_in(tern_opcall *call, tern_dtype dtype, int32_t kernel,
                                tern_tensor *(*compose)(tern_tensor *, tern_tensor *, int),
                                tern_tensor *g, tern_tensor *y, int dim) {
    tern_shape shape = tern_shape_of(y);
    tern_tensor *operands[] = {g, y}, *out = tern_new_shaped(call, dtype, &shape);
    if (fused(call, kernel, operands, 2, out, dim)) return out;
    /* A gradient of any strides is added up in one order. */
    g = tern_contiguous(tern_widen(g));
    return tern_to_dtype(compose(g, tern_widen(y), dim), dtype);
}

static tern_value differentiate(tern_opcall *call, int32_t kernel,
                                tern_tensor *(*compose)(tern_tensor *, tern_tensor *, int)) {
    tern_tensor *y = tern_arg_tensor(call, 1), *g = tern_arg_tensor(call, 0);
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(y)->rank, tern_arg_int(call, 2, -1), &dim))
        return tern_none();
    if (!tern_same_shape(g, y))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "grad_output %s and output %s must have the same shape",
                              tern_shape_text(BODY(g)->rank, BODY(g)->shape, a),
                              tern_shape_text(BODY(y)->rank, BODY(y)->shape, b));
    tern_dtype own = BODY(y)->dtype, dtype = tern_arg_dtype(call, 3, own);
    tern_dtype narrow = tern_dtype_size(dtype) < tern_dtype_size(own) ? dtype : own;
    g = tern_to_dtype(g, own);
    if (call->ctx->status != TERN_OK) return tern_none();
    g = gradient_in(call, narrow, kernel, compose, g, y, dim);
    return tern_result(call, tern_to_dtype(g, dtype));
}

tern_value tern_op__softmax_backward_data(tern_opcall *call) {
    return differentiate(call, TERN_KERNEL_SOFTMAX_GRAD, softmax_gradient);
}

tern_value tern_op__log_softmax_backward_data(tern_opcall *call) {
    return differentiate(call, TERN_KERNEL_LOG_SOFTMAX_GRAD, log_softmax_gradient);
}

void tern_grad_softmax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = TERN_CALL(_softmax_backward_data, ARG_TENSOR(grad_out[0]),
                         ARG_TENSOR(tern_node_output(node, 0)), tern_node_arg(node, 1),
                         ARG_DTYPE(tern_node_input_dtype(node, 0)));
}

void tern_grad_log_softmax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    grads[0] = TERN_CALL(_log_softmax_backward_data, ARG_TENSOR(grad_out[0]),
                         ARG_TENSOR(tern_node_output(node, 0)), tern_node_arg(node, 1),
                         ARG_DTYPE(tern_node_input_dtype(node, 0)));
}

/* What the gradient of a gradient is made of, in the dtype to compute in: r for the result's gradient. */
typedef struct second_order {
    tern_tensor *r, *g, *y;
    int dim;
} second_order;

static bool second_order_of(tern_node *node, tern_tensor *r, second_order *out) {
    out->g = tern_widen(tern_node_input(node, 0));
    out->y = tern_widen(tern_node_input(node, 1));
    out->r = tern_to_dtype(r, BODY(out->y)->dtype);
    return tern_node_ctx(node)->status == TERN_OK &&
           tern_wrap_dim(tern_node_ctx(node), BODY(out->y)->rank,
                         tern_value_as_int(tern_node_arg(node, 2)), &out->dim);
}

/* dg = (r - sum(r y)) y    dy = g r - r sum(g y) - g sum(r y) */
void tern_grad__softmax_backward_data(tern_node *node, tern_tensor *const *grad_out,
                                      tern_tensor **grads) {
    second_order s;
    if (!second_order_of(node, grad_out[0], &s)) return;
    if (tern_node_needs(node, 0))
        grads[0] = TERN_CALL(_softmax_backward_data, ARG_TENSOR(s.r), ARG_TENSOR(s.y),
                             ARG_INT(s.dim), ARG_DTYPE(tern_node_input_dtype(node, 0)));
    if (!tern_node_needs(node, 1)) return;
    tern_tensor *by_g = tern_mul(s.r, sum_along(tern_mul(s.g, s.y), s.dim));
    tern_tensor *by_r = tern_mul(s.g, sum_along(tern_mul(s.r, s.y), s.dim));
    grads[1] = tern_sub(tern_sub(tern_mul(s.g, s.r), by_g), by_r);
}

/* dg = r - sum(r exp(y))    dy = -r exp(y) sum(g) */
void tern_grad__log_softmax_backward_data(tern_node *node, tern_tensor *const *grad_out,
                                          tern_tensor **grads) {
    second_order s;
    if (!second_order_of(node, grad_out[0], &s)) return;
    tern_tensor *product = tern_mul(s.r, tern_exp(s.y));
    if (tern_node_needs(node, 0)) grads[0] = tern_sub(s.r, sum_along(product, s.dim));
    if (tern_node_needs(node, 1)) grads[1] = tern_neg(tern_mul(product, sum_along(s.g, s.dim)));
}

/* ---- C functions ---- */

tern_tensor *tern_softmax(tern_tensor *input, int dim) {
    return TERN_CALL(softmax, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_log_softmax(tern_tensor *input, int dim) {
    return TERN_CALL(log_softmax, ARG_TENSOR(input), ARG_INT(dim));
}
