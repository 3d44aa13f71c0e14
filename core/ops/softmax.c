/*
 * softmax.c: softmax and log_softmax along one dimension.
 *
 * The maximum is taken off first, so that no exponential overflows. float16 and bfloat16 compute in
 * float32 and round once. A device's fused kernel is used where it has one.
 */
#include "reduce.h"

static tern_dtype wide_dtype(tern_dtype dtype) {
    return tern_dtype_size(dtype) == 2 ? TERN_FLOAT32 : dtype;
}

/* The sum along dim, kept at size 1. */
static tern_tensor *sum_along(tern_tensor *x, int dim) {
    return BODY(x)->rank ? tern_sum_dims(x, TERN_SHAPE(dim), true) : x;
}

/* The device's own kernel; NULL where it has none or declines. */
static tern_tensor *fused(tern_opcall *call, tern_tensor *x, int dim, int32_t kernel) {
    tern_softmax_attrs attrs = {dim, 0};
    tern_shape shape = tern_shape_of(x);
    tern_tensor *out = tern_new_shaped(call, BODY(x)->dtype, &shape);
    if (call->ctx->status != TERN_OK || BODY(out)->numel == 0) return out;
    bool done = BODY(x)->rank > 0 &&
                tern_try_launch(call->lane, kernel, 0, &x, 1, &out, 1, &attrs, sizeof attrs);
    return done || call->ctx->status != TERN_OK ? out : NULL;
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
    input = tern_to_dtype(input, dtype);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *out = fused(call, input, dim, kernel);
    if (!out)
        out = tern_to_dtype(compose(call, tern_to_dtype(input, wide_dtype(dtype)), dim), dtype);
    return tern_result(call, out);
}

tern_value tern_op_softmax(tern_opcall *call) {
    return normalise(call, TERN_KERNEL_SOFTMAX, softmax_of);
}

tern_value tern_op_log_softmax(tern_opcall *call) {
    return normalise(call, TERN_KERNEL_LOG_SOFTMAX, log_softmax_of);
}

/* The gradient and the output in the dtype to compute in, and the dimension. */
static bool grad_operands(tern_node *node, tern_tensor **grad, tern_tensor **out, int *dim) {
    *out = tern_node_output(node, 0);
    tern_ctx *ctx = tern_node_ctx(node);
    if (ctx->status != TERN_OK ||
        !tern_wrap_dim(ctx, BODY((*out))->rank, tern_value_as_int(tern_node_arg(node, 1)), dim))
        return false;
    *grad = tern_to_dtype(*grad, wide_dtype(BODY((*out))->dtype));
    *out = tern_to_dtype(*out, wide_dtype(BODY((*out))->dtype));
    return ctx->status == TERN_OK;
}

/* (g - sum(g y)) y */
void tern_grad_softmax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0], *out;
    int dim;
    if (!grad_operands(node, &grad, &out, &dim)) return;
    tern_tensor *product = tern_mul(grad, out);
    tern_tensor *result = tern_sub(product, tern_mul(out, sum_along(product, dim)));
    grads[0] = tern_to_dtype(result, tern_node_input_dtype(node, 0));
}

/* g - exp(y) sum(g) */
void tern_grad_log_softmax(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *grad = grad_out[0], *out;
    int dim;
    if (!grad_operands(node, &grad, &out, &dim)) return;
    tern_tensor *result = tern_sub(grad, tern_mul(tern_exp(out), sum_along(grad, dim)));
    grads[0] = tern_to_dtype(result, tern_node_input_dtype(node, 0));
}

/* ---- C functions ---- */

tern_tensor *tern_softmax(tern_tensor *input, int dim) {
    return TERN_CALL(softmax, ARG_TENSOR(input), ARG_INT(dim));
}
tern_tensor *tern_log_softmax(tern_tensor *input, int dim) {
    return TERN_CALL(log_softmax, ARG_TENSOR(input), ARG_INT(dim));
}
