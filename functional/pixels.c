/* pixels.c: rearrangements of images: pixel_shuffle, channel_shuffle, im2col's unfold. */
#include "core/ops/compose.h"

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
    if (padding.dim[0] || padding.dim[1]) x = TERN_CALL(constant_pad_nd, T(x), S(pad), I(0));
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
