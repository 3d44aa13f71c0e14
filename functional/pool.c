/*
 * pool.c: max and average pooling over 1 to 3 dimensions, with fixed windows.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "sliding.h"

/* ---- windows ---- */

static tern_shape ints_of(tern_value value) {
    tern_shape shape = {-1, {0}};
    if (value.kind == TERN_VALUE_NONE) return shape;
    shape.rank = 0;
    if (tern_value_is_number(value)) {
        shape.dim[shape.rank++] = tern_value_as_int(value);
        return shape;
    }
    size_t count = tern_value_count(value);
    for (size_t i = 0; i < count && i < 3; i++)
        shape.dim[shape.rank++] = tern_value_as_int(tern_value_at(value, i));
    return shape;
}

/* The number of spatial dimensions; 0 where it is none that is pooled over. */
static int spatial_of(tern_value value) {
    int64_t spatial = tern_value_as_int(value);
    return spatial >= 1 && spatial <= 3 ? (int)spatial : 0;
}

static void spread(tern_shape list, int spatial, const int64_t *fallback, int64_t *out) {
    for (int d = 0; d < 3; d++)
        out[d] = d >= spatial || list.rank <= 0 ? fallback[d]
                 : list.rank == 1               ? list.dim[0]
                                                : list.dim[d];
}

/* The windows of a pooling call: kernel, stride (none: the kernel's), padding, dilation. */
static tern_pool_attrs read_windows(int spatial, tern_value kernel, tern_value stride,
                                    tern_value padding, tern_value dilation) {
    static const int64_t ones[3] = {1, 1, 1}, zeros[3] = {0, 0, 0};
    tern_pool_attrs attrs = {.spatial = spatial};
    tern_shape strides = ints_of(stride);
    spread(ints_of(kernel), spatial, ones, attrs.kernel);
    spread(strides, spatial, attrs.kernel, attrs.stride);
    spread(ints_of(padding), spatial, zeros, attrs.padding);
    spread(ints_of(dilation), spatial, ones, attrs.dilation);
    return attrs;
}

/* How many windows lie along one dimension; ceil_mode's last one must begin inside. */
static int64_t window_count(int64_t size, const tern_pool_attrs *a, int d, bool ceil_mode) {
    bool fits = true;
    int64_t reach = tern_window_reach(a->kernel[d], a->dilation[d], &fits);
    int64_t room = tern_dim_sub(tern_padded_size(size, a->padding[d], &fits), reach, &fits);
    if (ceil_mode) room = tern_dim_add(room, a->stride[d] - 1, &fits);
    if (!fits || room < 0) return -1;
    int64_t count = room / a->stride[d] + 1;
    if (ceil_mode && (count - 1) * a->stride[d] >= size + a->padding[d]) count--;
    return count;
}

/* Every dimension but the batch's has elements. */
static bool is_filled(const tern_tensor *x, int spatial) {
    bool filled = true;
    for (int d = BODY(x)->rank == spatial + 2; d < BODY(x)->rank; d++)
        filled = filled && BODY(x)->shape[d] > 0;
    return filled;
}

/* The result's shape; false after latching. x is [N, C, ...] or [C, ...]. */
static bool pooled_shape(tern_opcall *call, const tern_tensor *x, const tern_pool_attrs *a,
                         bool ceil_mode, tern_shape *out) {
    char text[TERN_SHAPE_TEXT];
    if (a->spatial < 1 || a->spatial > 3 ||
        (BODY(x)->rank != a->spatial + 1 && BODY(x)->rank != a->spatial + 2) ||
        !is_filled(x, a->spatial)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Expected %dD or %dD (batch mode) tensor with optional 0 dim batch size for "
                       "input, but got: %s",
                       a->spatial + 1, a->spatial + 2,
                       tern_shape_text(BODY(x)->rank, BODY(x)->shape, text));
        return false;
    }
    *out = tern_shape_of(x);
    for (int d = 0; d < a->spatial; d++) {
        int at = BODY(x)->rank - a->spatial + d;
        bool valid = a->kernel[d] > 0 && a->stride[d] > 0 && a->dilation[d] > 0 &&
                     a->padding[d] >= 0 && a->padding[d] <= a->kernel[d] / 2;
        if (!valid) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "pad should be at most half of kernel size, and kernel and stride "
                           "positive (kernel %lld, stride %lld, padding %lld)",
                           (long long)a->kernel[d], (long long)a->stride[d],
                           (long long)a->padding[d]);
            return false;
        }
        out->dim[at] = window_count(BODY(x)->shape[at], a, d, ceil_mode);
        if (out->dim[at] >= 1) continue;
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Given input size: %s, the calculated output size is too small",
                       tern_shape_text(BODY(x)->rank, BODY(x)->shape, text));
        return false;
    }
    return true;
}

/* The kernels take [N, C, ...]: a missing batch dimension is one of 1, a view without alias. */
static tern_tensor *batched(tern_tensor *x, int spatial) {
    if (BODY(x)->rank == spatial + 2 || tern_is_nil(x)) return x;
    tern_shape shape = {BODY(x)->rank + 1, {1}};
    for (int d = 0; d < BODY(x)->rank; d++) shape.dim[d + 1] = BODY(x)->shape[d];
    return tern_broadcast_view(x, &shape);
}

/* ---- max pooling ---- */

/* _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, spatial): values, indices. */
tern_value tern_op__max_pool(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    int spatial = spatial_of(tern_arg(call, 6));
    tern_pool_attrs attrs = read_windows(spatial, tern_arg(call, 1), tern_arg(call, 2),
                                         tern_arg(call, 3), tern_arg(call, 4));
    tern_shape shape;
    if (!pooled_shape(call, x, &attrs, tern_arg_bool(call, 5, false), &shape)) return tern_none();
    both[0] = tern_new_shaped(call, BODY(x)->dtype, &shape);
    both[1] = tern_new_shaped(call, TERN_INT64, &shape);
    if (call->ctx->status == TERN_OK && BODY(both[0])->numel > 0) {
        tern_tensor *from = batched(x, spatial);
        tern_tensor *into[2] = {batched(both[0], spatial), batched(both[1], spatial)};
        tern_launch(call->lane, TERN_KERNEL_MAX_POOL, 0, &from, 1, into, 2, &attrs, sizeof attrs);
    }
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

/* Gradients go to the elements that won: zeros of `shape` with the sums at the indices. */
static tern_tensor *spread_to_winners(tern_opcall *call, tern_tensor *grad, tern_tensor *indices,
                                      const tern_shape *shape, const tern_pool_attrs *attrs) {
    tern_tensor *out = tern_new_shaped(call, BODY(grad)->dtype, shape);
    if (call->ctx->status != TERN_OK) return out;
    if (BODY(grad)->numel == 0) {
        tern_fill_raw(out, 0.0, 0);
        return out;
    }
    tern_tensor *from[2] = {batched(grad, attrs->spatial), batched(indices, attrs->spatial)};
    tern_tensor *into = batched(out, attrs->spatial);
    tern_launch(call->lane, TERN_KERNEL_MAX_POOL_GRAD, 0, from, 2, &into, 1, attrs, sizeof *attrs);
    return out;
}

/* What the winners got of a tensor of the input's shape: the gradient of the above, by gradient. */
static tern_tensor *gather_winners(tern_tensor *x, tern_tensor *indices, int spatial) {
    int lead = BODY(x)->rank - spatial;
    tern_shape shape = tern_shape_of(indices);
    return tern_reshape(tern_gather(tern_flatten(x, lead, -1), -1, tern_flatten(indices, lead, -1)),
                        shape);
}

/* Whether a gradient over windows belongs to an input of `shape`, and no position overflows. */
static bool spreads_into(const tern_tensor *grad, const tern_tensor *indices,
                         const tern_shape *shape, const tern_pool_attrs *a) {
    int lead = shape->rank - a->spatial;
    bool fits = a->spatial >= 1 && a->spatial <= 3 && (lead == 1 || lead == 2) &&
                BODY(grad)->rank == shape->rank && tern_same_shape(grad, indices) &&
                BODY(indices)->dtype == TERN_INT64;
    for (int d = 0; fits && d < lead; d++) fits = BODY(grad)->shape[d] == shape->dim[d];
    for (int d = 0; fits && d < a->spatial; d++) {
        fits = shape->dim[lead + d] > 0 && a->kernel[d] > 0 && a->stride[d] > 0 &&
               a->dilation[d] > 0 && a->padding[d] >= 0;
        int64_t reach = tern_window_reach(a->kernel[d], a->dilation[d], &fits);
        int64_t last = tern_dim_mul(BODY(grad)->shape[lead + d], a->stride[d], &fits);
        tern_dim_add(tern_dim_add(last, reach, &fits), a->padding[d], &fits);
    }
    return fits;
}

/* _max_pool_gradient(grad, indices, size, kernel_size, stride, padding, dilation, spatial) */
tern_value tern_op__max_pool_gradient(tern_opcall *call) {
    tern_tensor *grad = tern_arg_tensor(call, 0), *indices = tern_arg_tensor(call, 1);
    tern_shape shape = tern_arg_ints(call, 2);
    tern_pool_attrs attrs = read_windows(spatial_of(tern_arg(call, 7)), tern_arg(call, 3),
                                         tern_arg(call, 4), tern_arg(call, 5), tern_arg(call, 6));
    if (shape.rank < 0 || !spreads_into(grad, indices, &shape, &attrs))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "gradient, indices, size and windows do not match");
    return tern_result(call, spread_to_winners(call, grad, indices, &shape, &attrs));
}

void tern_grad__max_pool_gradient(tern_node *node, tern_tensor *const *grad_out,
                                  tern_tensor **grads) {
    tern_tensor *indices = tern_node_input(node, 1);
    if (tern_node_ctx(node)->status == TERN_OK && tern_node_needs(node, 0))
        grads[0] =
            gather_winners(grad_out[0], indices, (int)tern_value_as_int(tern_node_arg(node, 7)));
}

void tern_grad__max_pool(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    grads[0] = TERN_CALL(
        _max_pool_gradient, ARG_TENSOR(grad_out[0]), ARG_TENSOR(tern_node_output(node, 1)),
        ARG_SHAPE(tern_node_input_shape(node, 0)), tern_node_arg(node, 1), tern_node_arg(node, 2),
        tern_node_arg(node, 3), tern_node_arg(node, 4), tern_node_arg(node, 6));
}

/* max_pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices) */
static tern_value max_pool(tern_opcall *call, int spatial) {
    tern_value both = TERN_CALL_VALUE(_max_pool, tern_arg(call, 0), tern_arg(call, 1),
                                      tern_arg(call, 2), tern_arg(call, 3), tern_arg(call, 4),
                                      ARG_BOOL(tern_arg_bool(call, 5, false)), ARG_INT(spatial));
    if (call->ctx->status != TERN_OK || tern_arg_bool(call, 6, false)) return both;
    return tern_value_at(both, 0);
}

tern_value tern_op_max_pool1d(tern_opcall *call) {
    return max_pool(call, 1);
}
tern_value tern_op_max_pool2d(tern_opcall *call) {
    return max_pool(call, 2);
}
tern_value tern_op_max_pool3d(tern_opcall *call) {
    return max_pool(call, 3);
}

/* (grad_output, input, kernel_size, stride, padding, dilation, ceil_mode, indices) */
tern_value tern_op_max_pool2d_with_indices_backward(tern_opcall *call) {
    tern_tensor *grad = tern_arg_tensor(call, 0), *x = tern_arg_tensor(call, 1);
    tern_tensor *indices = tern_arg_tensor(call, 7);
    tern_pool_attrs attrs =
        read_windows(2, tern_arg(call, 2), tern_arg(call, 3), tern_arg(call, 4), tern_arg(call, 5));
    tern_shape shape = tern_shape_of(x), pooled;
    char have[TERN_SHAPE_TEXT], want[TERN_SHAPE_TEXT];
    if (!pooled_shape(call, x, &attrs, tern_arg_bool(call, 6, false), &pooled)) return tern_none();
    if (!tern_has_shape(grad, &pooled) || !tern_has_shape(indices, &pooled))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected a gradient and indices of the pooled size %s, but got a "
                              "gradient of %s",
                              tern_shape_text(pooled.rank, pooled.dim, want),
                              tern_shape_text(BODY(grad)->rank, BODY(grad)->shape, have));
    return tern_result(call, spread_to_winners(call, grad, indices, &shape, &attrs));
}

void tern_grad_max_pool2d_with_indices_backward(tern_node *node, tern_tensor *const *grad_out,
                                                tern_tensor **grads) {
    tern_tensor *indices = tern_node_input(node, 2), *grad = grad_out[0];
    if (tern_node_ctx(node)->status != TERN_OK) return;
    if (tern_node_needs(node, 0)) grads[0] = gather_winners(grad, indices, 2);
    /* Where the input is largest does not change with it. */
    if (tern_node_needs(node, 1)) grads[1] = tern_zeros_like(grad);
}

/* ---- max unpooling: values back to where they came from ---- */

/* The output's shape: what the windows reach, or a size given that lies within a stride of it; PyTorch's
 * check and words. False after latching. */
static bool unpooled_shape(tern_opcall *call, const tern_tensor *x, const tern_pool_attrs *a,
                           tern_shape *out) {
    tern_shape given = tern_arg_ints(call, 5);
    int lead = BODY(x)->rank - a->spatial;
    char text[TERN_SHAPE_TEXT];
    *out = tern_shape_of(x);
    if (call->ctx->status != TERN_OK) return false;
    if (given.rank >= 0 && given.rank != a->spatial && given.rank != a->spatial + 2) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "output_size should be a sequence containing %d or %d elements, but it has "
                       "a length of '%d'",
                       a->spatial, a->spatial + 2, given.rank);
        return false;
    }
    for (int d = 0; d < a->spatial; d++) {
        bool fits = a->kernel[d] > 0 && a->stride[d] > 0 && a->padding[d] >= 0;
        int64_t size = tern_unpadded_size(BODY(x)->shape[lead + d], a->stride[d], a->padding[d],
                                          a->kernel[d], &fits);
        int64_t least = tern_dim_sub(size, a->stride[d], &fits);
        int64_t most = tern_dim_add(size, a->stride[d], &fits);
        if (!fits) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "a kernel of %lld with a stride of %lld and a padding of %lld does not "
                           "fit dimension %d",
                           (long long)a->kernel[d], (long long)a->stride[d],
                           (long long)a->padding[d], d);
            return false;
        }
        if (given.rank > 0) size = given.dim[given.rank - a->spatial + d];
        if (size <= least || size >= most) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "invalid output_size \"%s\" (dim %d must be between %lld and %lld)",
                           tern_shape_text(given.rank, given.dim, text), d, (long long)least,
                           (long long)most);
            return false;
        }
        out->dim[lead + d] = size;
    }
    return true;
}

/* max_unpool(input, indices, kernel_size, stride, padding, output_size) */
static tern_value max_unpool(tern_opcall *call, int spatial) {
    tern_tensor *x = tern_arg_tensor(call, 0), *indices = tern_arg_tensor(call, 1);
    tern_pool_attrs a =
        read_windows(spatial, tern_arg(call, 2), tern_arg(call, 3), tern_arg(call, 4), tern_none());
    tern_shape shape;
    if (!tern_same_shape(x, indices) || BODY(x)->rank < spatial + 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected shape of indices to be that of the input tensor, with at "
                              "least %d dimensions",
                              spatial + 1);
    if (!unpooled_shape(call, x, &a, &shape)) return tern_none();
    int lead = BODY(x)->rank - spatial;
    tern_shape flat = {lead + 1, {0}};
    bool fits = true;
    int64_t area = 1;
    for (int d = 0; d < lead; d++) flat.dim[d] = shape.dim[d];
    for (int d = lead; d < shape.rank; d++) area = tern_dim_mul(area, shape.dim[d], &fits);
    flat.dim[lead] = area;
    char text[TERN_SHAPE_TEXT];
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "an output of %s is too large",
                              tern_shape_text(shape.rank, shape.dim, text));
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(flat));
    tern_tensor *out =
        tern_scatter(zeros, -1, tern_flatten(indices, lead, -1), tern_flatten(x, lead, -1));
    return tern_result(call, tern_reshape(out, shape));
}

tern_value tern_op_max_unpool1d(tern_opcall *call) {
    return max_unpool(call, 1);
}
tern_value tern_op_max_unpool2d(tern_opcall *call) {
    return max_unpool(call, 2);
}
tern_value tern_op_max_unpool3d(tern_opcall *call) {
    return max_unpool(call, 3);
}

/* ---- average pooling ---- */

/* _avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor, spatial) */
static tern_pool_attrs average_windows(const tern_value *args) {
    int spatial = spatial_of(args[7]);
    tern_pool_attrs attrs = read_windows(spatial, args[1], args[2], args[3], tern_none());
    attrs.count_include_pad = args[5].kind == TERN_VALUE_NONE || tern_value_as_int(args[5]) != 0;
    attrs.divisor = args[6].kind == TERN_VALUE_NONE ? 0 : tern_value_as_int(args[6]);
    return attrs;
}

tern_value tern_op__avg_pool(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_value args[8];
    for (int i = 0; i < 8; i++) args[i] = tern_arg(call, i);
    tern_pool_attrs attrs = average_windows(args);
    tern_shape shape;
    if (args[6].kind != TERN_VALUE_NONE && attrs.divisor == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "divisor must be not zero");
    if (!pooled_shape(call, x, &attrs, tern_arg_bool(call, 4, false), &shape)) return tern_none();
    tern_tensor *out = tern_new_shaped(call, BODY(x)->dtype, &shape);
    if (call->ctx->status == TERN_OK && BODY(out)->numel > 0) {
        tern_tensor *from = batched(x, attrs.spatial), *into = batched(out, attrs.spatial);
        tern_launch(call->lane, TERN_KERNEL_AVG_POOL, 0, &from, 1, &into, 1, &attrs, sizeof attrs);
    }
    return tern_result(call, out);
}

void tern_grad__avg_pool(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    tern_value args[10];
    for (int i = 0; i < 8; i++) args[i + 1] = tern_node_arg(node, i);
    args[0] = ARG_TENSOR(grad_out[0]);
    args[1] = ARG_SHAPE(shape);
    grads[0] = tern_op_tensor(NULL, TERN_ROW(_avg_pool_gradient), args, 9);
}

/* _avg_pool_gradient(grad, size, kernel_size, ...): linear; its own gradient is the pooling. */
tern_value tern_op__avg_pool_gradient(tern_opcall *call) {
    tern_tensor *grad = tern_arg_tensor(call, 0);
    tern_shape shape = tern_arg_ints(call, 1);
    tern_value args[8] = {tern_none()};
    for (int i = 1; i < 8; i++) args[i] = tern_arg(call, i + 1);
    tern_pool_attrs attrs = average_windows(args);
    tern_shape pooled;
    if (shape.rank < 0) return tern_none();
    tern_tensor *like = TERN_CALL(new_zeros, ARG_TENSOR(grad), ARG_SHAPE(TERN_SCALAR_SHAPE));
    like = tern_broadcast_view(like, &shape);
    if (call->ctx->status != TERN_OK ||
        !pooled_shape(call, like, &attrs, tern_arg_bool(call, 5, false), &pooled))
        return tern_none();
    if (!tern_has_shape(grad, &pooled))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "the gradient does not have the shape of the pooled size");
    tern_tensor *out = tern_new_shaped(call, BODY(grad)->dtype, &shape);
    if (call->ctx->status == TERN_OK && BODY(out)->numel > 0) {
        if (BODY(grad)->numel == 0) {
            tern_fill_raw(out, 0.0, 0);
            return tern_result(call, out);
        }
        tern_tensor *from = batched(grad, attrs.spatial), *into = batched(out, attrs.spatial);
        tern_launch(call->lane, TERN_KERNEL_AVG_POOL_GRAD, 0, &from, 1, &into, 1, &attrs,
                    sizeof attrs);
    }
    return tern_result(call, out);
}

void tern_grad__avg_pool_gradient(tern_node *node, tern_tensor *const *grad_out,
                                  tern_tensor **grads) {
    tern_value args[8];
    args[0] = ARG_TENSOR(grad_out[0]);
    for (int i = 1; i < 8; i++) args[i] = tern_node_arg(node, i + 1);
    grads[0] = tern_op_tensor(NULL, TERN_ROW(_avg_pool), args, 8);
}

/* avg_pool1d has no divisor; the others take it at 6. */
static tern_value avg_pool(tern_opcall *call, int spatial) {
    tern_tensor *out =
        TERN_CALL(_avg_pool, tern_arg(call, 0), tern_arg(call, 1), tern_arg(call, 2),
                  tern_arg(call, 3), ARG_BOOL(tern_arg_bool(call, 4, false)),
                  ARG_BOOL(tern_arg_bool(call, 5, true)), tern_arg(call, 6), ARG_INT(spatial));
    return tern_result(call, out);
}

tern_value tern_op_avg_pool1d(tern_opcall *call) {
    return avg_pool(call, 1);
}
tern_value tern_op_avg_pool2d(tern_opcall *call) {
    return avg_pool(call, 2);
}
tern_value tern_op_avg_pool3d(tern_opcall *call) {
    return avg_pool(call, 3);
}
