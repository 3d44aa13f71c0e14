/*
 * conv.c: convolutions of 1 to 3 dimensions and their transposes.
 *
 * One recorded operation, `convolution`, serves all. Its gradients are convolutions again: by input
 * the transposed one, by weight one of input and gradient; a transposed convolution is the gradient
 * by input of the plain one, so both kinds use the same three kernels.
 */
#include <string.h>

#include "core/ops/compose.h"
#include "epilogue.h"
#include "sliding.h"
#include "tern/formula.h"

/* convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups) */
typedef struct geometry {
    int spatial;
    tern_conv_attrs attrs;
    int64_t output_padding[3];
    int64_t groups; /* as given; attrs has it where it is a 32-bit number */
    bool transposed;
} geometry;

static void spread(tern_shape list, int spatial, int64_t fallback, int64_t *out) {
    for (int d = 0; d < 3; d++)
        out[d] = d >= spatial     ? (fallback == 0 ? 0 : 1)
                 : list.rank <= 0 ? fallback
                 : list.rank == 1 ? list.dim[0]
                                  : list.dim[d];
}

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

static geometry read_geometry(const tern_value *args, int spatial) {
    geometry g = {.spatial = spatial};
    g.attrs.spatial = spatial;
    spread(ints_of(args[3]), spatial, 1, g.attrs.stride);
    spread(ints_of(args[4]), spatial, 0, g.attrs.padding);
    spread(ints_of(args[5]), spatial, 1, g.attrs.dilation);
    g.transposed = tern_value_as_int(args[6]) != 0;
    spread(ints_of(args[7]), spatial, 0, g.output_padding);
    g.groups = args[8].kind == TERN_VALUE_NONE ? 1 : tern_value_as_int(args[8]);
    g.attrs.groups = g.groups > 0 && g.groups <= INT32_MAX ? (int32_t)g.groups : 0;
    return g;
}

static bool positive_geometry(tern_opcall *call, const geometry *g) {
    for (int d = 0; d < g->spatial; d++) {
        const int64_t *numbers[4] = {g->attrs.stride, g->attrs.dilation, g->attrs.padding,
                                     g->output_padding};
        bool fits = g->attrs.stride[d] > 0 && g->attrs.dilation[d] > 0;
        for (int i = 0; i < 4; i++) fits = fits && numbers[i][d] >= 0 && numbers[i][d] <= INT32_MAX;
        if (fits) continue;
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "stride and dilation must be positive, padding not negative (stride %lld, "
                       "dilation %lld, padding %lld)",
                       (long long)g->attrs.stride[d], (long long)g->attrs.dilation[d],
                       (long long)g->attrs.padding[d]);
        return false;
    }
    return true;
}

/* One dimension of the result of `size` elements and a kernel of `taps`; clears *fits where it has none. */
static int64_t output_size(const geometry *g, int d, int64_t size, int64_t taps, bool *fits) {
    int64_t reach = tern_window_reach(taps, g->attrs.dilation[d], fits);
    int64_t stride = g->attrs.stride[d], padding = g->attrs.padding[d];
    if (g->transposed) {
        size = tern_unpadded_size(size, stride, padding, reach, fits);
        size = tern_dim_add(size, g->output_padding[d], fits);
    } else {
        int64_t room = tern_dim_sub(tern_padded_size(size, padding, fits), reach, fits);
        size = room < 0 ? -1 : room / stride + 1;
    }
    if (size < (g->transposed ? 1 : 0) || taps == 0) *fits = false;
    return size;
}

/* The shape of the result; false after latching. */
static bool output_shape(tern_opcall *call, const tern_tensor *x, const tern_tensor *w,
                         const geometry *g, tern_shape *out) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    int64_t groups = g->groups;
    bool fits = g->attrs.groups > 0;
    int64_t per_group = tern_dim_mul(BODY(w)->shape[1], groups, &fits);
    int64_t in = g->transposed ? BODY(w)->shape[0] : per_group;
    if (!fits || BODY(w)->shape[0] % groups != 0 || BODY(x)->shape[1] != in) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Given groups=%lld, weight of size %s, expected input %s to have %lld "
                       "channels, but got %lld channels instead",
                       (long long)groups, tern_shape_text(BODY(w)->rank, BODY(w)->shape, a),
                       tern_shape_text(BODY(x)->rank, BODY(x)->shape, b), (long long)in,
                       (long long)BODY(x)->shape[1]);
        return false;
    }
    out->rank = BODY(x)->rank;
    out->dim[0] = BODY(x)->shape[0];
    out->dim[1] = g->transposed ? per_group : BODY(w)->shape[0];
    for (int d = 0; d < g->spatial; d++)
        out->dim[d + 2] = output_size(g, d, BODY(x)->shape[d + 2], BODY(w)->shape[d + 2], &fits);
    if (!fits)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Calculated padded input size per channel: %s is smaller than the kernel "
                       "of weight %s, or too large",
                       tern_shape_text(BODY(x)->rank, BODY(x)->shape, a),
                       tern_shape_text(BODY(w)->rank, BODY(w)->shape, b));
    return fits;
}

static tern_tensor *launch_conv(tern_opcall *call, int32_t kernel, tern_tensor *const *operands,
                                int count, tern_tensor *out, const tern_conv_attrs *attrs) {
    if (call->ctx->status != TERN_OK || BODY(out)->numel == 0) return out;
    if (BODY(operands[0])->numel == 0 || BODY(operands[1])->numel == 0)
        tern_fill_raw(out, 0.0, 0);
    else
        tern_launch(call->lane, kernel, 0, operands, count, &out, 1, attrs, sizeof *attrs);
    return out;
}

/* x * w + bias (or NULL) in one launch where the device adds a bias; else in two, rounded once. */
static tern_tensor *convolve(tern_opcall *call, const geometry *g, tern_tensor *x, tern_tensor *w,
                             tern_tensor *bias, const tern_shape *shape) {
    int32_t kernel = g->transposed ? TERN_KERNEL_CONV_GRAD_INPUT : TERN_KERNEL_CONV;
    tern_tensor *operands[3] = {x, w, bias};
    tern_tensor *out = tern_new_shaped(call, BODY(x)->dtype, shape);
    if (call->ctx->status != TERN_OK) return out;
    bool empty = BODY(x)->numel == 0 || BODY(w)->numel == 0;
    if (!bias || (!empty && tern_has_kernel(call->lane, kernel, 0, operands, 3, &out, 1,
                                            sizeof g->attrs, NULL)))
        return launch_conv(call, kernel, operands, bias ? 3 : 2, out, &g->attrs);
    tern_shape column = {shape->rank, {0}};
    for (int d = 0; d < shape->rank; d++) column.dim[d] = d == 1 ? shape->dim[1] : 1;
    tern_tensor *wide[2] = {tern_widen(x), tern_widen(w)};
    out = tern_new_shaped(call, tern_wide_dtype(BODY(x)->dtype), shape);
    launch_conv(call, kernel, wide, 2, out, &g->attrs);
    return tern_to_dtype(tern_add(out, tern_reshape(tern_widen(bias), column)), BODY(x)->dtype);
}

/* A convolution whose arguments fit together. */
typedef struct checked {
    tern_tensor *x, *w, *bias;
    geometry g;
    tern_shape shape; /* of the result */
} checked;

/* Reads input, weight and bias, and the geometry from `args`, numbered as convolution's; false after
 * latching. */
static bool check(tern_opcall *call, const tern_value *args, checked *out) {
    tern_tensor *x = out->x = tern_arg_tensor(call, 0), *w = out->w = tern_arg_tensor(call, 1);
    tern_tensor *bias = out->bias = tern_arg_tensor(call, 2);
    int spatial = BODY(w)->rank - 2;
    if (spatial < 1 || spatial > 3 || BODY(x)->rank != BODY(w)->rank)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Expected %d-dimensional input for %d-dimensional weight, but got %d "
                       "dimensions",
                       BODY(w)->rank, BODY(w)->rank, BODY(x)->rank);
    else if (BODY(x)->dtype != BODY(w)->dtype || (bias && BODY(bias)->dtype != BODY(x)->dtype))
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Input type (%s) and weight type (%s) should be the same",
                       tern_dtype_name(BODY(x)->dtype), tern_dtype_name(BODY(w)->dtype));
    if (call->ctx->status != TERN_OK) return false;
    out->g = read_geometry(args, spatial);
    if (!positive_geometry(call, &out->g) || !output_shape(call, x, w, &out->g, &out->shape))
        return false;
    if (bias && (BODY(bias)->rank != 1 || BODY(bias)->shape[0] != out->shape.dim[1]))
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected bias to be 1-dimensional with %lld elements",
                       (long long)out->shape.dim[1]);
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_convolution(tern_opcall *call) {
    tern_value args[9];
    checked c;
    for (int i = 0; i < 9; i++) args[i] = tern_arg(call, i);
    if (!check(call, args, &c)) return tern_none();
    return tern_result(call, convolve(call, &c.g, c.x, c.w, c.bias, &c.shape));
}

/* convolution_map(input, weight, bias, formula, stride, padding, dilation, groups) */
tern_value tern_op_convolution_map(tern_opcall *call) {
    const tern_value args[9] = {
        [3] = tern_arg(call, 4), [4] = tern_arg(call, 5), [5] = tern_arg(call, 6),
        [6] = ARG_BOOL(false),   [7] = ARG_INT(0),        [8] = tern_arg(call, 7)};
    tern_epilogue epilogue;
    checked c;
    if (!tern_epilogue_read(call, 3, &epilogue) || !check(call, args, &c)) return tern_none();
    if (BODY(c.x)->numel > 0 && BODY(c.w)->numel > 0 && tern_epilogue_may_fuse(call, &epilogue)) {
        tern_tensor *operands[3] = {c.x, c.w, c.bias};
        tern_tensor *out = tern_new_shaped(call, BODY(c.x)->dtype, &c.shape);
        if (tern_epilogue_launch(call, &epilogue, TERN_KERNEL_CONV_MAP, operands, c.bias ? 3 : 2,
                                 &c.g.attrs, sizeof c.g.attrs, out))
            return tern_result(call, out);
    }
    tern_tensor *product = TERN_CALL(convolution, ARG_TENSOR(tern_widen(c.x)),
                                     ARG_TENSOR(tern_widen(c.w)), ARG_TENSOR(tern_widen(c.bias)),
                                     args[3], args[4], args[5], args[6], args[7], args[8]);
    return tern_epilogue_apply(call, &epilogue, product);
}

/* The call's geometry as the arguments of another convolution. */
static tern_tensor *again(tern_node *node, tern_tensor *x, tern_tensor *w, bool transposed,
                          tern_shape output_padding) {
    return TERN_CALL(convolution, ARG_TENSOR(x), ARG_TENSOR(w), tern_none(), tern_node_arg(node, 3),
                     tern_node_arg(node, 4), tern_node_arg(node, 5), ARG_BOOL(transposed),
                     ARG_SHAPE(output_padding), tern_node_arg(node, 8));
}

/* The output padding with which a transposed convolution of `count` positions gives `size`; both come
 * from a convolution that was done, and fit. */
static int64_t output_padding_for(const geometry *g, int d, int64_t size, int64_t count,
                                  int64_t taps) {
    bool fits = true;
    int64_t reach = tern_window_reach(taps, g->attrs.dilation[d], &fits);
    return size - tern_unpadded_size(count, g->attrs.stride[d], g->attrs.padding[d], reach, &fits);
}

/* By input: the other kind of convolution, padded to the input's own size. */
static tern_tensor *input_gradient(tern_node *node, tern_tensor *grad, tern_tensor *w,
                                   const geometry *g) {
    tern_shape shape = tern_node_input_shape(node, 0), extra = {g->spatial, {0}};
    if (g->transposed) {
        /* An output padding beyond the stride leaves positions that came from no input. */
        tern_tensor *result = again(node, grad, w, false, extra);
        for (int d = 0; d < g->spatial && !tern_is_nil(result); d++)
            if (BODY(result)->shape[d + 2] > shape.dim[d + 2])
                result = tern_narrow(result, d + 2, 0, shape.dim[d + 2]);
        return result;
    }
    for (int d = 0; d < g->spatial; d++)
        extra.dim[d] = output_padding_for(g, d, shape.dim[d + 2], BODY(grad)->shape[d + 2],
                                          BODY(w)->shape[d + 2]);
    return again(node, grad, w, true, extra);
}

void tern_grad_convolution(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *x = tern_node_input(node, 0), *w = tern_node_input(node, 1);
    tern_tensor *grad = grad_out[0];
    if (tern_node_ctx(node)->status != TERN_OK) return;
    tern_value args[9];
    for (int i = 0; i < 9; i++) args[i] = tern_node_arg(node, i);
    geometry g = read_geometry(args, BODY(w)->rank - 2);
    if (tern_node_needs(node, 0)) grads[0] = input_gradient(node, grad, w, &g);
    if (tern_node_needs(node, 1))
        grads[1] = TERN_CALL(_conv_weight_gradient, ARG_TENSOR(g.transposed ? x : grad),
                             ARG_TENSOR(g.transposed ? grad : x), ARG_SHAPE(tern_shape_of(w)),
                             args[3], args[4], args[5], args[8]);
    if (tern_node_n_inputs(node) > 2 && tern_node_needs(node, 2)) {
        tern_shape dims = {0, {0}};
        for (int d = 0; d < BODY(grad)->rank; d++)
            if (d != 1) dims.dim[dims.rank++] = d;
        grads[2] = tern_sum_dims(grad, dims, false);
    }
}

/* _conv_weight_gradient(grad, x, weight_size, stride, padding, dilation, groups): linear in both. */
tern_value tern_op__conv_weight_gradient(tern_opcall *call) {
    tern_tensor *grad = tern_arg_tensor(call, 0), *x = tern_arg_tensor(call, 1);
    tern_shape shape = tern_arg_ints(call, 2);
    tern_value args[9] = {[3] = tern_arg(call, 3),
                          [4] = tern_arg(call, 4),
                          [5] = tern_arg(call, 5),
                          [8] = tern_arg(call, 6)};
    bool fits = shape.rank >= 3 && shape.rank <= 5 && BODY(x)->rank == shape.rank &&
                BODY(grad)->rank == shape.rank && BODY(grad)->dtype == BODY(x)->dtype;
    geometry g = read_geometry(args, fits ? shape.rank - 2 : 1);
    int64_t groups = g.attrs.groups;
    fits = fits && groups > 0 && shape.dim[0] % groups == 0 &&
           BODY(grad)->shape[0] == BODY(x)->shape[0] && BODY(grad)->shape[1] == shape.dim[0] &&
           BODY(x)->shape[1] == tern_dim_mul(shape.dim[1], groups, &fits);
    if (fits && !positive_geometry(call, &g)) return tern_none();
    /* A transposed convolution may have been padded beyond what its windows reach. */
    for (int d = 0; fits && d < g.spatial; d++)
        fits = BODY(grad)->shape[d + 2] <=
               output_size(&g, d, BODY(x)->shape[d + 2], shape.dim[d + 2], &fits);
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "gradient, input, weight size and groups do not match");
    tern_tensor *out = tern_new_shaped(call, BODY(x)->dtype, &shape), *operands[2] = {grad, x};
    return tern_result(call,
                       launch_conv(call, TERN_KERNEL_CONV_GRAD_WEIGHT, operands, 2, out, &g.attrs));
}

void tern_grad__conv_weight_gradient(tern_node *node, tern_tensor *const *grad_out,
                                     tern_tensor **grads) {
    tern_tensor *grad = tern_node_input(node, 0), *x = tern_node_input(node, 1);
    tern_tensor *w = grad_out[0]; /* in the place of a weight */
    if (tern_node_ctx(node)->status != TERN_OK) return;
    tern_value stride = tern_node_arg(node, 3), padding = tern_node_arg(node, 4);
    tern_value dilation = tern_node_arg(node, 5), groups = tern_node_arg(node, 6);
    if (tern_node_needs(node, 0))
        grads[0] = TERN_CALL(convolution, ARG_TENSOR(x), ARG_TENSOR(w), tern_none(), stride,
                             padding, dilation, ARG_BOOL(false), ARG_INT(0), groups);
    if (!tern_node_needs(node, 1)) return;
    tern_value args[9] = {[3] = stride, [4] = padding, [5] = dilation, [8] = groups};
    geometry g = read_geometry(args, BODY(w)->rank - 2);
    tern_shape extra = {g.spatial, {0}};
    for (int d = 0; d < g.spatial; d++)
        extra.dim[d] = output_padding_for(&g, d, BODY(x)->shape[d + 2], BODY(grad)->shape[d + 2],
                                          BODY(w)->shape[d + 2]);
    grads[1] = TERN_CALL(convolution, ARG_TENSOR(grad), ARG_TENSOR(w), tern_none(), stride, padding,
                         dilation, ARG_BOOL(true), ARG_SHAPE(extra), groups);
}

/* ---- conv1d, conv2d, conv3d ---- */

/* padding='same': the input is padded so that the size stays; an odd one goes to the end. */
static tern_tensor *pad_same(tern_tensor *x, const tern_tensor *w, tern_value dilation,
                             tern_shape *out_padding) {
    int spatial = BODY(w)->rank - 2;
    int64_t step[3];
    spread(ints_of(dilation), spatial, 1, step);
    out_padding->rank = spatial;
    for (int d = 0; d < spatial; d++) {
        bool fits = true;
        int64_t total = tern_window_reach(BODY(w)->shape[d + 2], step[d], &fits) - 1;
        out_padding->dim[d] = fits ? total / 2 : INT64_MAX; /* refused with the dilation */
        if (!fits || total % 2 == 0) continue;
        tern_shape extra = tern_shape_of(x);
        int at = BODY(x)->rank - spatial + d;
        extra.dim[at] = 1;
        tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(extra));
        x = tern_cat((tern_tensor *[]){x, zeros}, 2, at);
    }
    return x;
}

/* conv(input, weight, bias, stride, padding, dilation, groups), with or without a batch. */
static tern_value conv(tern_opcall *call, int spatial) {
    tern_tensor *x = tern_arg_tensor(call, 0), *w = tern_arg_tensor(call, 1);
    tern_value padding = tern_arg(call, 4);
    tern_shape sizes;
    if (BODY(w)->rank != spatial + 2 ||
        (BODY(x)->rank != BODY(w)->rank && BODY(x)->rank != BODY(w)->rank - 1))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected %dD (unbatched) or %dD (batched) input and %dD weight, but "
                              "got input of %d and weight of %d dimensions",
                              spatial + 1, spatial + 2, spatial + 2, BODY(x)->rank, BODY(w)->rank);
    if (padding.kind == TERN_VALUE_STRING) {
        if (strcmp(padding.as.s, "same") == 0) {
            x = pad_same(x, w, tern_arg(call, 5), &sizes);
            padding = ARG_SHAPE(sizes);
        } else if (strcmp(padding.as.s, "valid") == 0) {
            padding = ARG_INT(0);
        } else {
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "padding='%s': must be 'same', 'valid' or numbers", padding.as.s);
        }
    }
    bool batched = BODY(x)->rank == BODY(w)->rank;
    if (!batched) x = tern_unsqueeze(x, 0);
    tern_tensor *out = TERN_CALL(convolution, ARG_TENSOR(x), ARG_TENSOR(w), tern_arg(call, 2),
                                 tern_arg(call, 3), padding, tern_arg(call, 5), ARG_BOOL(false),
                                 ARG_INT(0), ARG_INT(tern_arg_int(call, 6, 1)));
    return tern_result(call, batched ? out : tern_squeeze(out, 0));
}

tern_value tern_op_conv1d(tern_opcall *call) {
    return conv(call, 1);
}
tern_value tern_op_conv2d(tern_opcall *call) {
    return conv(call, 2);
}
tern_value tern_op_conv3d(tern_opcall *call) {
    return conv(call, 3);
}

/* conv_transpose(input, weight, bias, stride, padding, output_padding, groups, dilation) */
static tern_value conv_transpose(tern_opcall *call, int spatial) {
    tern_tensor *x = tern_arg_tensor(call, 0), *w = tern_arg_tensor(call, 1);
    if (BODY(w)->rank != spatial + 2 ||
        (BODY(x)->rank != BODY(w)->rank && BODY(x)->rank != BODY(w)->rank - 1))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected %dD (unbatched) or %dD (batched) input and %dD weight, but "
                              "got input of %d and weight of %d dimensions",
                              spatial + 1, spatial + 2, spatial + 2, BODY(x)->rank, BODY(w)->rank);
    bool batched = BODY(x)->rank == BODY(w)->rank;
    if (!batched) x = tern_unsqueeze(x, 0);
    tern_tensor *out =
        TERN_CALL(convolution, ARG_TENSOR(x), ARG_TENSOR(w), tern_arg(call, 2), tern_arg(call, 3),
                  tern_arg(call, 4), tern_arg(call, 7), ARG_BOOL(true), tern_arg(call, 5),
                  ARG_INT(tern_arg_int(call, 6, 1)));
    return tern_result(call, batched ? out : tern_squeeze(out, 0));
}

tern_value tern_op_conv_transpose1d(tern_opcall *call) {
    return conv_transpose(call, 1);
}
tern_value tern_op_conv_transpose2d(tern_opcall *call) {
    return conv_transpose(call, 2);
}
tern_value tern_op_conv_transpose3d(tern_opcall *call) {
    return conv_transpose(call, 3);
}

/* ---- C functions ---- */

tern_tensor *tern_conv1d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias, int64_t stride,
                         int64_t padding) {
    return TERN_CALL(conv1d, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_INT(stride), ARG_INT(padding));
}
tern_tensor *tern_conv2d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias, int64_t stride,
                         int64_t padding) {
    return TERN_CALL(conv2d, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_INT(stride), ARG_INT(padding));
}
tern_tensor *tern_convolution_map(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  const char *formula, tern_shape stride, tern_shape padding,
                                  tern_shape dilation, int64_t groups) {
    return TERN_CALL(convolution_map, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     formula ? tern_text(formula) : tern_none(), ARG_SHAPE(stride),
                     ARG_SHAPE(padding), ARG_SHAPE(dilation), ARG_INT(groups));
}
