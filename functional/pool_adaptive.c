/*
 * pool_adaptive.c: max and average pooling to a size: position i of the output takes the elements
 * [floor(i n / m), ceil((i + 1) n / m)) of a dimension.
 *
 * Where m divides n in every dimension the windows are fixed ones, and their kernels serve.
 */
#include "core/ops/compose.h"
#include "functional.h"

/* The averages of one dimension at `size` positions. */
static tern_tensor *adapt(tern_tensor *x, int dim, int64_t size) {
    int64_t n = BODY(x)->shape[dim];
    if (n == size || size == 0) return size == 0 ? tern_narrow(x, dim, 0, 0) : x;
    tern_shape dims = TERN_SHAPE(dim);
    if (n % size == 0) {
        int64_t each = n / size;
        tern_tensor *windows =
            TERN_CALL(unfold, ARG_TENSOR(x), ARG_INT(dim), ARG_INT(each), ARG_INT(each));
        return tern_mean_dims(windows, TERN_SHAPE(-1), false);
    }
    tern_ctx *ctx = BODY(x)->ctx;
    tern_tensor **parts = tern_scope_alloc(ctx, (size_t)size * sizeof *parts);
    int64_t *window_of = tern_scope_alloc(ctx, (size_t)size * sizeof *window_of);
    if (!parts || !window_of) return ctx->nil;
    int64_t windows = 0, last_start = -1, last_end = -1;
    for (int64_t i = 0; i < size; i++) {
        int64_t start = i * n / size, end = ((i + 1) * n + size - 1) / size;
        if (start != last_start || end != last_end)
            parts[windows++] = tern_mean_dims(tern_narrow(x, dim, start, end - start), dims, true);
        window_of[i] = windows - 1;
        last_start = start;
        last_end = end;
    }
    tern_tensor *means = tern_cat(parts, (int)windows, dim);
    if (windows == size) return means;
    /* more positions than elements: many have one window */
    tern_tensor *index = tern_from_data(ctx, window_of, TERN_SHAPE(size), TERN_INT64);
    return tern_index_select(means, dim, tern_to_device(index, tern_device_of(x)));
}

/* Each position of a dimension is a step of its own, and a position beyond the input's size repeats a
 * neighbour: output sizes far beyond it are refused rather than worked on for hours. */
#define MAX_POSITIONS (1 << 20)
#define MAX_AREA      (1 << 28)

static bool adaptive_work_fits(tern_opcall *call, const tern_tensor *x, int spatial,
                               const int64_t *sizes) {
    int lead = BODY(x)->rank - spatial;
    bool fits = true;
    int64_t area = 1;
    char text[TERN_SHAPE_TEXT];
    for (int d = 0; d < spatial; d++) {
        if (BODY(x)->shape[lead + d] == 0) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "Expected input to have non-zero size for non-batch dimensions, but "
                           "input has sizes %s with dimension %d being empty",
                           tern_shape_text(BODY(x)->rank, BODY(x)->shape, text), lead + d);
            return false;
        }
        area = tern_dim_mul(area, sizes[d], &fits);
        fits = fits && (sizes[d] <= MAX_POSITIONS || sizes[d] <= BODY(x)->shape[lead + d]);
    }
    if (fits && (area <= MAX_AREA || area <= BODY(x)->numel)) return true;
    tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                   "an output_size of %s is too large: at most %d positions a dimension and %d in "
                   "all, or as many as the input has",
                   tern_shape_text(spatial, sizes, text), MAX_POSITIONS, MAX_AREA);
    return false;
}

/* The output size by dimension: one number for all, or a list in which None keeps the input's. */
static bool adaptive_sizes(tern_opcall *call, const tern_tensor *x, int spatial, int64_t *out) {
    tern_value given = tern_arg(call, 1);
    bool list = !tern_value_is_number(given) && given.kind != TERN_VALUE_NONE;
    bool fits = (BODY(x)->rank == spatial + 1 || BODY(x)->rank == spatial + 2) &&
                (!list || tern_value_count(given) == (size_t)spatial);
    for (int d = 0; fits && d < spatial; d++) {
        tern_value size = list ? tern_value_at(given, (size_t)d) : given;
        bool keep = size.kind == TERN_VALUE_NONE;
        out[d] = keep ? BODY(x)->shape[BODY(x)->rank - spatial + d] : tern_value_as_int(size);
        fits = out[d] >= 0;
    }
    if (!fits)
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expects %dD or %dD input and an output_size of %d numbers, got %d dimensions",
            spatial + 1, spatial + 2, spatial, BODY(x)->rank);
    return fits && adaptive_work_fits(call, x, spatial, out);
}

/* Windows of one size side by side, which are `out_window` in each dimension: m divides n. */
static bool is_even(const tern_tensor *x, int spatial, const int64_t *sizes,
                    tern_shape *out_window) {
    bool even = true;
    out_window->rank = spatial;
    for (int d = 0; d < spatial; d++) {
        int64_t n = BODY(x)->shape[BODY(x)->rank - spatial + d];
        even = even && sizes[d] > 0 && n % sizes[d] == 0;
        out_window->dim[d] = even ? n / sizes[d] : 0;
    }
    return even;
}

static tern_value adaptive_avg_pool(tern_opcall *call, int spatial) {
    tern_tensor *input = tern_arg_tensor(call, 0), *x = tern_widen(input);
    int64_t sizes[3];
    tern_shape window;
    if (!adaptive_sizes(call, input, spatial, sizes)) return tern_none();
    if (tern_is_float(BODY(input)->dtype) && is_even(input, spatial, sizes, &window))
        return tern_result(call, TERN_CALL(_avg_pool, ARG_TENSOR(input), ARG_SHAPE(window),
                                           tern_none(), ARG_INT(0), ARG_BOOL(false), ARG_BOOL(true),
                                           tern_none(), ARG_INT(spatial)));
    for (int d = 0; d < spatial && call->ctx->status == TERN_OK; d++)
        x = adapt(x, BODY(input)->rank - spatial + d, sizes[d]);
    x = tern_to_dtype(x, BODY(input)->dtype);
    return tern_result(call, x == input ? tern_clone(x) : x);
}

tern_value tern_op_adaptive_avg_pool1d(tern_opcall *call) {
    return adaptive_avg_pool(call, 1);
}
tern_value tern_op_adaptive_avg_pool2d(tern_opcall *call) {
    return adaptive_avg_pool(call, 2);
}
tern_value tern_op_adaptive_avg_pool3d(tern_opcall *call) {
    return adaptive_avg_pool(call, 3);
}

/* The window of position i, all windows of one dimension at once: indices [size, width], the last
 * one repeated where a window is narrower. */
static tern_tensor *window_index(tern_opcall *call, int64_t n, int64_t size, int64_t *out_width) {
    int64_t width = 1;
    for (int64_t i = 0; i < size; i++) {
        int64_t start = i * n / size, end = ((i + 1) * n + size - 1) / size;
        if (end - start > width) width = end - start;
    }
    int64_t *index = tern_host_buffer(call->ctx, size * width, sizeof *index);
    if (!index) return call->ctx->nil;
    for (int64_t i = 0; i < size; i++) {
        int64_t start = i * n / size, end = ((i + 1) * n + size - 1) / size;
        for (int64_t k = 0; k < width; k++)
            index[i * width + k] = start + k < end ? start + k : end - 1;
    }
    tern_shape shape = {1, {size * width}};
    tern_tensor *out = tern_new_from_host(call->lane, index, TERN_INT64, &shape, NULL);
    tern_host_give(call->ctx, index);
    *out_width = width;
    return out;
}

/* Where the maximum over the last dimension stands: the first of equals, but the last NaN. */
static tern_tensor *place_of_maximum(tern_tensor *windows) {
    tern_tensor *first = tern_argmax(windows, -1, true);
    if (!tern_dtype_is_floating(BODY(windows)->dtype)) return first;
    tern_tensor *backwards = TERN_CALL(flip, ARG_TENSOR(windows), ARG_SHAPE(TERN_SHAPE(-1)));
    int64_t n = BODY(windows)->shape[BODY(windows)->rank - 1];
    tern_tensor *last = tern_rsub_scalar(tern_argmax(backwards, -1, true), (double)(n - 1));
    return tern_where(tern_isnan(tern_gather(windows, -1, first)), last, first);
}

/*
 * Adaptive max: x and the flat positions of its elements are spread into windows, dimension by
 * dimension, then one maximum is taken over all windows' dimensions.
 */
tern_value tern_op__adaptive_max_pool(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t sizes[3], area = 1, widths[3];
    int spatial = (int)tern_value_count(tern_arg(call, 1));
    if (spatial < 1 || spatial > 3 || !adaptive_sizes(call, x, spatial, sizes)) return tern_none();
    int lead = BODY(x)->rank - spatial;
    tern_shape own = {spatial, {0}};
    for (int d = 0; d < spatial; d++) area *= own.dim[d] = BODY(x)->shape[lead + d];
    tern_tensor *at =
        tern_reshape(tern_to_device(tern_arange_i64(call->ctx, area), tern_device_of(x)), own);
    for (int d = 0; d < spatial && call->ctx->status == TERN_OK; d++) {
        tern_tensor *index = window_index(call, own.dim[d], sizes[d], &widths[d]);
        x = tern_index_select(x, lead + d, index);
        at = tern_index_select(at, d, index);
    }
    if (call->ctx->status != TERN_OK) return tern_none();
    /* [.., s0 w0, s1 w1] -> [.., s0, s1, w0 w1] */
    tern_shape split = {0, {0}}, order = split, shape = split;
    for (int d = 0; d < lead; d++) {
        split.dim[split.rank++] = shape.dim[shape.rank++] = BODY(x)->shape[d];
        order.dim[order.rank++] = d;
    }
    for (int d = 0; d < spatial; d++) {
        split.dim[split.rank++] = shape.dim[shape.rank++] = sizes[d];
        split.dim[split.rank++] = widths[d];
    }
    for (int k = 0; k < 2; k++)
        for (int d = 0; d < spatial; d++) order.dim[order.rank++] = lead + 2 * d + k;
    tern_tensor *windows =
        tern_flatten(tern_permute(tern_reshape(x, split), order), BODY(x)->rank, -1);
    tern_shape at_split = {2 * spatial, {0}}, at_order = at_split;
    for (int i = 0; i < 2 * spatial; i++) {
        at_split.dim[i] = split.dim[lead + i];
        at_order.dim[i] = order.dim[lead + i] - lead;
    }
    at = tern_flatten(tern_permute(tern_reshape(at, at_split), at_order), spatial, -1);
    tern_tensor *which = place_of_maximum(windows), *both[2];
    tern_shape full = tern_shape_of(windows);
    both[0] = tern_squeeze(tern_gather(windows, -1, which), -1);
    both[1] = tern_squeeze(tern_gather(tern_expand(at, full), -1, which), -1);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

/* By the kernel of fixed windows, each of which is made to hold the whole input: position p of m has
 * [p - (m - 1), p + n) there. */
void tern_grad__adaptive_max_pool(tern_node *node, tern_tensor *const *grad_out,
                                  tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_shape shape = tern_node_input_shape(node, 0);
    int spatial = (int)tern_value_count(tern_node_arg(node, 1)), lead = shape.rank - spatial;
    tern_shape window = {spatial, {0}}, padding = window;
    for (int d = 0; d < spatial; d++) {
        padding.dim[d] = BODY(grad_out[0])->shape[lead + d] - 1;
        window.dim[d] = shape.dim[lead + d] + padding.dim[d];
    }
    grads[0] = TERN_CALL(_max_pool_gradient, ARG_TENSOR(grad_out[0]),
                         ARG_TENSOR(tern_node_output(node, 1)), ARG_SHAPE(shape), ARG_SHAPE(window),
                         ARG_INT(1), ARG_SHAPE(padding), ARG_INT(1), ARG_INT(spatial));
}

static tern_value adaptive_max_pool(tern_opcall *call, int spatial) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t sizes[3];
    tern_shape window, wanted = {spatial, {0}};
    if (!adaptive_sizes(call, x, spatial, sizes)) return tern_none();
    for (int d = 0; d < spatial; d++) wanted.dim[d] = sizes[d];
    tern_value both =
        is_even(x, spatial, sizes, &window)
            ? TERN_CALL_VALUE(_max_pool, ARG_TENSOR(x), ARG_SHAPE(window), tern_none(), ARG_INT(0),
                              ARG_INT(1), ARG_BOOL(false), ARG_INT(spatial))
            : TERN_CALL_VALUE(_adaptive_max_pool, ARG_TENSOR(x), ARG_SHAPE(wanted));
    if (call->ctx->status != TERN_OK || tern_arg_bool(call, 2, false)) return both;
    return tern_value_at(both, 0);
}

tern_value tern_op_adaptive_max_pool1d(tern_opcall *call) {
    return adaptive_max_pool(call, 1);
}
tern_value tern_op_adaptive_max_pool2d(tern_opcall *call) {
    return adaptive_max_pool(call, 2);
}
tern_value tern_op_adaptive_max_pool3d(tern_opcall *call) {
    return adaptive_max_pool(call, 3);
}

/* ---- C functions ---- */

tern_tensor *tern_adaptive_avg_pool2d(tern_tensor *input, int64_t height, int64_t width) {
    tern_shape size = TERN_SHAPE(height, width);
    return TERN_CALL(adaptive_avg_pool2d, ARG_TENSOR(input), ARG_SHAPE(size));
}
