/* resize.c: interpolate over 1 to 3 spatial dimensions, and its older names. */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "resize.h"

/* ---- the kernel's form: _resize(input, size, mode, align_corners, scale x 3), linear ---- */

static tern_resize_attrs attrs_of(const tern_value *args, int spatial) {
    tern_resize_attrs attrs = {.spatial = spatial,
                               .mode = (int32_t)tern_value_as_int(args[0]),
                               .align_corners = tern_value_as_int(args[1]) != 0};
    for (int d = 0; d < 3; d++) attrs.scale[d] = tern_value_as_double(args[2 + d]);
    return attrs;
}

static tern_value resize_with(tern_opcall *call, int32_t kernel) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape size = tern_arg_ints(call, 1), shape = tern_shape_of(x);
    if (size.rank < 1 || size.rank > 3 || BODY(x)->rank != size.rank + 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "takes [batch, channels, ...] with 1 to 3 sizes, got %d dimensions "
                              "and %d sizes",
                              BODY(x)->rank, size.rank);
    for (int d = 0; d < size.rank; d++) {
        shape.dim[d + 2] = size.dim[d];
        if (BODY(x)->shape[d + 2] > 0 && size.dim[d] > 0) continue;
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Input and output sizes should be greater than 0");
    }
    tern_value args[5];
    for (int i = 0; i < 5; i++) args[i] = tern_arg(call, i + 2);
    tern_resize_attrs attrs = attrs_of(args, size.rank);
    if (attrs.mode < TERN_RESIZE_NEAREST || attrs.mode > TERN_RESIZE_CUBIC ||
        (attrs.mode == TERN_RESIZE_CUBIC && size.rank != 2))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "no such mode: %d of %d dimensions",
                              (int)attrs.mode, size.rank);
    tern_tensor *out = tern_new_shaped(call, BODY(x)->dtype, &shape);
    if (call->ctx->status == TERN_OK && BODY(out)->numel > 0)
        tern_launch(call->lane, kernel, 0, &x, 1, &out, 1, &attrs, sizeof attrs);
    return tern_result(call, out);
}

/* The transposed map: its output has the sizes of this one's input. */
static void transpose_gradient(tern_node *node, tern_tensor *grad, tern_tensor **grads,
                               const tern_op *op) {
    tern_shape shape = tern_node_input_shape(node, 0), size = {shape.rank - 2, {0}};
    for (int d = 0; d < size.rank; d++) size.dim[d] = shape.dim[d + 2];
    tern_value args[7] = {ARG_TENSOR(grad), ARG_SHAPE(size)};
    for (int i = 2; i < 7; i++) args[i] = tern_node_arg(node, i);
    grads[0] = tern_op_tensor(NULL, op, args, 7);
}

tern_value tern_op__resize(tern_opcall *call) {
    return resize_with(call, TERN_KERNEL_RESIZE);
}
void tern_grad__resize(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    transpose_gradient(node, grad_out[0], grads, TERN_ROW(_resize_gradient));
}

tern_value tern_op__resize_gradient(tern_opcall *call) {
    return resize_with(call, TERN_KERNEL_RESIZE_GRAD);
}
void tern_grad__resize_gradient(tern_node *node, tern_tensor *const *grad_out,
                                tern_tensor **grads) {
    transpose_gradient(node, grad_out[0], grads, TERN_ROW(_resize));
}

/* ---- interpolate ---- */

static const struct {
    const char *name;
    int32_t mode;
    int spatial; /* 0: any */
} modes[] = {{"nearest", TERN_RESIZE_NEAREST, 0},
             {"nearest-exact", TERN_RESIZE_NEAREST_EXACT, 0},
             {"linear", TERN_RESIZE_LINEAR, 1},
             {"bilinear", TERN_RESIZE_LINEAR, 2},
             {"trilinear", TERN_RESIZE_LINEAR, 3},
             {"bicubic", TERN_RESIZE_CUBIC, 2},
             {"area", -1, 0}};

/* Sizes from size or scale_factor; scales stay 0 where the sizes alone decide. False after latching. */
static bool read_sizes(tern_opcall *call, const tern_tensor *x, int spatial, tern_value size,
                       tern_value factor, bool recompute, tern_shape *out, double *out_scale) {
    bool by_size = size.kind != TERN_VALUE_NONE;
    tern_value given = by_size ? size : factor;
    if (given.kind == TERN_VALUE_NONE || (by_size && factor.kind != TERN_VALUE_NONE)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "only one of size or scale_factor should be defined, and one must be");
        return false;
    }
    bool one = tern_value_is_number(given);
    if (!one && tern_value_count(given) != (size_t)spatial) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Input and output must have the same number of spatial dimensions, but got "
                       "%d and %zu",
                       spatial, tern_value_count(given));
        return false;
    }
    out->rank = spatial;
    for (int d = 0; d < spatial; d++) {
        tern_value item = one ? given : tern_value_at(given, (size_t)d);
        double scale = tern_value_as_double(item);
        if (!by_size && !(scale > 0.0 && (double)BODY(x)->shape[d + 2] * scale < INT32_MAX)) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "scale_factor %g is not a positive factor of a size in range", scale);
            return false;
        }
        out->dim[d] = by_size ? tern_value_as_int(item)
                              : (int64_t)floor((double)BODY(x)->shape[d + 2] * scale);
        out_scale[d] = by_size || recompute ? 0.0 : scale;
    }
    return true;
}

/* Two dimensions, the last first, each by its matrix of weights. */
static tern_value by_filter(tern_opcall *call, tern_tensor *x, const tern_shape *sizes,
                            const double *scale, bool cubic, bool align, bool antialias) {
    tern_dtype dtype = BODY(x)->dtype;
    x = tern_widen(x);
    for (int d = 1; d >= 0 && call->ctx->status == TERN_OK; d--) {
        tern_filter f = {.in = BODY(x)->shape[d + 2],
                         .out = sizes->dim[d],
                         .cubic = cubic,
                         .antialias = antialias,
                         .align_corners = align};
        if (f.in <= 0 || f.out <= 0)
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "Input and output sizes should be greater than 0");
        if (align)
            f.scale = f.out > 1 ? (double)(f.in - 1) / (double)(f.out - 1) : 0.0;
        else
            f.scale = scale[d] > 0.0 ? 1.0 / scale[d] : (double)f.in / (double)f.out;
        x = tern_filter_along(call, x, d + 2, &f);
    }
    return tern_result(call, tern_to_dtype(tern_contiguous(x), dtype));
}

static tern_value resize_to(tern_opcall *call, const char *mode, tern_value size, tern_value factor,
                            bool align, bool recompute, bool antialias) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int spatial = BODY(x)->rank - 2, found = -1;
    double scale[3] = {0.0, 0.0, 0.0};
    tern_shape sizes;
    for (int i = 0; i < (int)(sizeof modes / sizeof *modes); i++)
        if (strcmp(modes[i].name, mode) == 0) found = i;
    if (found < 0 || spatial < 1 || spatial > 3 ||
        (modes[found].spatial != 0 && modes[found].spatial != spatial))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "mode '%s' does not take an input of %d dimensions: nearest, area and "
            "nearest-exact take 3 to 5, linear 3, bilinear and bicubic 4, "
            "trilinear 5",
            mode, BODY(x)->rank);
    if (!read_sizes(call, x, spatial, size, factor, recompute, &sizes, scale)) return tern_none();
    if (modes[found].mode < 0) {
        const tern_op *const pools[] = {TERN_ROW(adaptive_avg_pool1d),
                                        TERN_ROW(adaptive_avg_pool2d),
                                        TERN_ROW(adaptive_avg_pool3d)};
        tern_value args[2] = {ARG_TENSOR(x), ARG_SHAPE(sizes)};
        return tern_op_call(call->ctx, pools[spatial - 1], args, 2);
    }
    bool smooth = modes[found].mode == TERN_RESIZE_LINEAR || modes[found].mode == TERN_RESIZE_CUBIC;
    if (antialias && (!smooth || spatial != 2))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Anti-alias option is restricted to bilinear and bicubic modes and "
                              "requires a 4-D tensor as input");
    if (antialias || (BODY(x)->dtype == TERN_UINT8 && smooth && spatial == 2))
        return by_filter(call, x, &sizes, scale, modes[found].mode == TERN_RESIZE_CUBIC, align,
                         antialias);
    return tern_result(call,
                       TERN_CALL(_resize, ARG_TENSOR(x), ARG_SHAPE(sizes),
                                 ARG_INT(modes[found].mode), ARG_BOOL(align), ARG_FLOAT(scale[0]),
                                 ARG_FLOAT(scale[1]), ARG_FLOAT(scale[2])));
}

/* (input, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias) */
tern_value tern_op_interpolate(tern_opcall *call) {
    const char *mode = tern_arg_text(call, 3, "nearest");
    if (tern_arg_given(call, 4) && (strncmp(mode, "nearest", 7) == 0 || strcmp(mode, "area") == 0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "align_corners option can only be set with the interpolating modes: "
                              "linear | bilinear | bicubic | trilinear, not '%s'",
                              mode);
    return resize_to(call, mode, tern_arg(call, 1), tern_arg(call, 2),
                     tern_arg_bool(call, 4, false), tern_arg_bool(call, 5, false),
                     tern_arg_bool(call, 6, false));
}

tern_value tern_op_upsample_nearest(tern_opcall *call) {
    return resize_to(call, "nearest", tern_arg(call, 1), tern_arg(call, 2), false, false, false);
}
tern_value tern_op_upsample_bilinear(tern_opcall *call) {
    return resize_to(call, "bilinear", tern_arg(call, 1), tern_arg(call, 2), true, false, false);
}
