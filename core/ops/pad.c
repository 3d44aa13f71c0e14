/*
 * pad.c: padding (constant, reflect, replicate, circular) and the rearrangements of images:
 * pixel_shuffle, channel_shuffle, im2col's unfold.
 */
#include <string.h>

#include "compose.h"

/* ---- constant ---- */

/* pad holds (before, after) pairs from the last dimension on; negative ones crop. */
static tern_tensor *pad_constant(tern_opcall *call, tern_tensor *x, const tern_shape *pad,
                                 tern_value value) {
    tern_shape shape = tern_shape_of(x);
    char text[TERN_SHAPE_TEXT];
    tern_tensor *kept = x;
    bool fits = pad->rank % 2 == 0 && pad->rank / 2 <= x->rank;
    for (int i = 0; fits && i < pad->rank / 2; i++) {
        int dim = x->rank - 1 - i;
        int64_t before = pad->dim[2 * i], after = pad->dim[2 * i + 1];
        fits = before >= -INT32_MAX && before <= INT32_MAX && after >= -INT32_MAX &&
               after <= INT32_MAX;
        if (!fits) break;
        int64_t cut_before = before < 0 ? -before : 0, cut_after = after < 0 ? -after : 0;
        int64_t length = x->shape[dim] - cut_before - cut_after;
        shape.dim[dim] += before + after;
        fits = length >= 0 && shape.dim[dim] >= 0;
        if (fits && cut_before + cut_after > 0) kept = tern_narrow(kept, dim, cut_before, length);
    }
    if (!fits) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "padding %s does not fit an input of %d dimensions: it holds one pair for "
                       "each of the last dimensions, and leaves no negative size",
                       tern_shape_text(pad->rank, pad->dim, text), x->rank);
        return call->ctx->nil;
    }
    tern_tensor *out =
        TERN_CALL(new_full, T(x), S(shape), value.kind == TERN_VALUE_NONE ? I(0) : value);
    /* One scatter a dimension, from the inside out: the inner part grows to the outer one. */
    tern_shape size = shape, stride = {shape.rank, {0}};
    int64_t offset = 0;
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    tern_contiguous_strides(shape.rank, shape.dim, stride.dim);
    for (int i = 0; i < pad->rank / 2; i++) {
        int dim = x->rank - 1 - i;
        int64_t before = pad->dim[2 * i] > 0 ? pad->dim[2 * i] : 0;
        offset += before * stride.dim[dim];
        size.dim[dim] = kept->shape[dim];
    }
    return TERN_CALL(as_strided_scatter, T(out), T(kept), S(size), S(stride), I(offset));
}

tern_value tern_op_constant_pad_nd(tern_opcall *call) {
    tern_shape pad = tern_arg_ints(call, 1);
    if (pad.rank < 0) return tern_none();
    return tern_result(call, pad_constant(call, tern_arg_tensor(call, 0), &pad, tern_arg(call, 2)));
}

/* ---- by index: each position of the padded dimension names one of the input ---- */

static int64_t source_of(int64_t at, int64_t n, char mode) {
    if (mode == 'c') return ((at % n) + n) % n;
    if (mode == 'e') return at < 0 ? 0 : at >= n ? n - 1 : at;
    if (at < 0) at = -at; /* reflect: the edge itself is not repeated */
    return at >= n ? 2 * (n - 1) - at : at;
}

static tern_tensor *pad_by_index(tern_opcall *call, tern_tensor *x, int dim, int64_t before,
                                 int64_t after, char mode) {
    int64_t n = x->shape[dim];
    int64_t limit = mode == 'e' ? INT32_MAX : mode == 'c' ? n : n - 1;
    bool small =
        before >= -INT32_MAX && after >= -INT32_MAX && before <= INT32_MAX && after <= INT32_MAX;
    int64_t size = small ? n + before + after : -1;
    if (size < 0 || n == 0 || before > limit || after > limit) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "padding (%lld, %lld) at dimension %d is too large for its size %lld",
                       (long long)before, (long long)after, dim, (long long)n);
        return call->ctx->nil;
    }
    int64_t *index = tern_host_buffer(call->ctx, size, sizeof *index);
    if (!index) return call->ctx->nil;
    for (int64_t i = 0; i < size; i++) index[i] = source_of(i - before, n, mode);
    tern_shape shape = {1, {size}};
    tern_tensor *from = tern_new_from_host(call->lane, index, TERN_INT64, &shape, NULL);
    tern_free(index);
    return tern_index_select(x, dim, from);
}

tern_value tern_op_pad(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape pad = tern_arg_ints(call, 1);
    const char *mode = tern_arg_text(call, 2, "constant");
    if (pad.rank < 0) return tern_none();
    if (strcmp(mode, "constant") == 0)
        return tern_result(call, pad_constant(call, x, &pad, tern_arg(call, 3)));
    bool known = strcmp(mode, "reflect") == 0 || strcmp(mode, "replicate") == 0 ||
                 strcmp(mode, "circular") == 0;
    if (!known || pad.rank % 2 != 0 || pad.rank / 2 > x->rank)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "mode '%s' with %d numbers of padding: the mode is constant, reflect, "
            "replicate or circular, and padding comes in pairs for the last "
            "dimensions",
            mode, pad.rank);
    char kind = mode[2] == 'p' ? 'e' : mode[0];
    for (int i = 0; i < pad.rank / 2 && call->ctx->status == TERN_OK; i++)
        if (pad.dim[2 * i] != 0 || pad.dim[2 * i + 1] != 0)
            x = pad_by_index(call, x, x->rank - 1 - i, pad.dim[2 * i], pad.dim[2 * i + 1], kind);
    return tern_result(call, x == tern_arg_tensor(call, 0) ? tern_clone(x) : x);
}

/* ---- channels and pixels ---- */

/* [.., C r r, H, W] -> [.., C, H r, W r] */
tern_value tern_op_pixel_shuffle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t r = tern_arg_int(call, 1, 1);
    if (x->rank < 3 || r <= 0 || r > INT16_MAX || x->shape[x->rank - 3] % (r * r) != 0)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expects its input to have a channel dimension divisible by the square "
            "of upscale_factor %lld",
            (long long)r);
    int lead = x->rank - 3;
    int64_t c = x->shape[lead] / (r * r), h = x->shape[lead + 1], w = x->shape[lead + 2];
    tern_shape shape = {0, {0}};
    int64_t batch = 1;
    for (int d = 0; d < lead; d++) batch *= shape.dim[shape.rank++] = x->shape[d];
    tern_tensor *split = tern_reshape(x, TERN_SHAPE(batch, c, r, r, h, w));
    tern_tensor *out = tern_permute(split, TERN_SHAPE(0, 1, 4, 2, 5, 3));
    shape.dim[shape.rank++] = c;
    shape.dim[shape.rank++] = h * r;
    shape.dim[shape.rank++] = w * r;
    return tern_result(call, tern_reshape(out, shape));
}

/* [.., C, H r, W r] -> [.., C r r, H, W] */
tern_value tern_op_pixel_unshuffle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t r = tern_arg_int(call, 1, 1);
    if (x->rank < 3 || r <= 0 || r > INT16_MAX || x->shape[x->rank - 2] % r != 0 ||
        x->shape[x->rank - 1] % r != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects height and width to be divisible by downscale_factor %lld",
                              (long long)r);
    int lead = x->rank - 3;
    int64_t c = x->shape[lead], h = x->shape[lead + 1] / r, w = x->shape[lead + 2] / r;
    tern_shape shape = {0, {0}};
    int64_t batch = 1;
    for (int d = 0; d < lead; d++) batch *= shape.dim[shape.rank++] = x->shape[d];
    tern_tensor *split = tern_reshape(x, TERN_SHAPE(batch, c, h, r, w, r));
    tern_tensor *out = tern_permute(split, TERN_SHAPE(0, 1, 3, 5, 2, 4));
    shape.dim[shape.rank++] = c * r * r;
    shape.dim[shape.rank++] = h;
    shape.dim[shape.rank++] = w;
    return tern_result(call, tern_reshape(out, shape));
}

tern_value tern_op_channel_shuffle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t groups = tern_arg_int(call, 1, 1);
    if (x->rank < 3 || groups <= 0 || x->shape[1] % groups != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Number of channels must be divisible by groups %lld",
                              (long long)groups);
    tern_shape sizes = TERN_SHAPE(groups, x->shape[1] / groups);
    tern_tensor *split = TERN_CALL(unflatten, T(x), I(1), S(sizes));
    return tern_result(call, tern_flatten(tern_transpose(split, 1, 2), 1, 2));
}

/* nn.functional.unfold: [N, C, H, W] -> [N, C kh kw, windows] */
tern_value tern_op_im2col(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape k = tern_arg_ints(call, 1), dilation = tern_arg_ints(call, 2);
    tern_shape padding = tern_arg_ints(call, 3), stride = tern_arg_ints(call, 4);
    tern_shape *lists[4] = {&k, &dilation, &padding, &stride};
    const int64_t fallback[4] = {1, 1, 0, 1};
    for (int i = 0; i < 4; i++) {
        if (lists[i]->rank < 1) lists[i]->dim[0] = fallback[i];
        if (lists[i]->rank < 2) lists[i]->dim[1] = lists[i]->dim[0];
    }
    bool batch = x->rank == 4;
    if (!batch && x->rank != 3)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected 3D or 4D input, got %dD", x->rank);
    if (!batch) x = tern_unsqueeze(x, 0);
    tern_shape pad = TERN_SHAPE(padding.dim[1], padding.dim[1], padding.dim[0], padding.dim[0]);
    if (padding.dim[0] || padding.dim[1]) x = pad_constant(call, x, &pad, I(0));
    for (int d = 0; d < 2 && call->ctx->status == TERN_OK; d++) {
        int64_t reach = dilation.dim[d] * (k.dim[d] - 1) + 1;
        x = TERN_CALL(unfold, T(x), I(2 + d), I(reach), I(stride.dim[d]));
        x = tern_slice(x, -1, 0, INT64_MAX, dilation.dim[d]);
    }
    /* [N, C, oh, ow, kh, kw] -> [N, C, kh, kw, oh, ow] */
    x = tern_permute(x, TERN_SHAPE(0, 1, 4, 5, 2, 3));
    x = tern_flatten(tern_flatten(x, 4, 5), 1, 3);
    return tern_result(call, batch ? x : tern_squeeze(x, 0));
}
