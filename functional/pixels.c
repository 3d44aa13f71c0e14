/* pixels.c: rearrangements of images: pixel_shuffle, channel_shuffle, unfold and fold. */
#include "core/ops/compose.h"
#include "functional.h"
#include "sliding.h"

/* [.., C r r, H, W] -> [.., C, H r, W r] */
tern_value tern_op_pixel_shuffle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t r = tern_arg_int(call, 1, 1);
    if (BODY(x)->rank < 3 || r <= 0 || r > INT16_MAX ||
        BODY(x)->shape[BODY(x)->rank - 3] % (r * r) != 0)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expects its input to have a channel dimension divisible by the square "
            "of upscale_factor %lld",
            (long long)r);
    int lead = BODY(x)->rank - 3;
    int64_t c = BODY(x)->shape[lead] / (r * r), h = BODY(x)->shape[lead + 1],
            w = BODY(x)->shape[lead + 2];
    tern_shape shape = {0, {0}};
    int64_t batch = 1;
    for (int d = 0; d < lead; d++) batch *= shape.dim[shape.rank++] = BODY(x)->shape[d];
    tern_tensor *split = tern_reshape(x, TERN_SHAPE(batch, c, r, r, h, w));
    tern_tensor *out = tern_permute(split, TERN_SHAPE(0, 1, 4, 2, 5, 3));
    if (call->ctx->status != TERN_OK) return tern_none(); /* sizes whose products do not fit */
    shape.dim[shape.rank++] = c;
    shape.dim[shape.rank++] = h * r;
    shape.dim[shape.rank++] = w * r;
    return tern_result(call, tern_reshape(out, shape));
}

/* [.., C, H r, W r] -> [.., C r r, H, W] */
tern_value tern_op_pixel_unshuffle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t r = tern_arg_int(call, 1, 1);
    if (BODY(x)->rank < 3 || r <= 0 || r > INT16_MAX ||
        BODY(x)->shape[BODY(x)->rank - 2] % r != 0 || BODY(x)->shape[BODY(x)->rank - 1] % r != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects height and width to be divisible by downscale_factor %lld",
                              (long long)r);
    int lead = BODY(x)->rank - 3;
    int64_t c = BODY(x)->shape[lead], h = BODY(x)->shape[lead + 1] / r,
            w = BODY(x)->shape[lead + 2] / r;
    tern_shape shape = {0, {0}};
    int64_t batch = 1;
    for (int d = 0; d < lead; d++) batch *= shape.dim[shape.rank++] = BODY(x)->shape[d];
    tern_tensor *split = tern_reshape(x, TERN_SHAPE(batch, c, h, r, w, r));
    tern_tensor *out = tern_permute(split, TERN_SHAPE(0, 1, 3, 5, 2, 4));
    if (call->ctx->status != TERN_OK) return tern_none(); /* sizes whose products do not fit */
    shape.dim[shape.rank++] = c * r * r;
    shape.dim[shape.rank++] = h;
    shape.dim[shape.rank++] = w;
    return tern_result(call, tern_reshape(out, shape));
}

tern_value tern_op_channel_shuffle(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t groups = tern_arg_int(call, 1, 1);
    if (BODY(x)->rank < 3 || groups <= 0 || BODY(x)->shape[1] % groups != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Number of channels must be divisible by groups %lld",
                              (long long)groups);
    tern_shape sizes = TERN_SHAPE(groups, BODY(x)->shape[1] / groups);
    tern_tensor *split = TERN_CALL(unflatten, ARG_TENSOR(x), ARG_INT(1), ARG_SHAPE(sizes));
    return tern_result(call, tern_flatten(tern_transpose(split, 1, 2), 1, 2));
}

/* The windows of unfold and fold, down and across. */
typedef struct windows {
    int64_t kernel[2], dilation[2], padding[2], stride[2];
} windows;

/* kernel_size, dilation, padding and stride from argument `first` on; one number stands for two. */
static bool read_windows(tern_opcall *call, int first, windows *out) {
    int64_t *const pairs[4] = {out->kernel, out->dilation, out->padding, out->stride};
    for (int i = 0; i < 4; i++) {
        tern_shape list = tern_arg_ints(call, first + i);
        bool fits = list.rank < 3 && list.rank != 0;
        for (int d = 0; d < 2 && fits; d++) {
            pairs[i][d] = list.rank < 0 ? i != 2 : list.dim[list.rank == 2 ? d : 0];
            fits = pairs[i][d] >= (i != 2) && pairs[i][d] <= INT32_MAX;
        }
        if (fits && call->ctx->status == TERN_OK) continue;
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "kernel_size, dilation and stride must be one or two numbers above 0, "
                       "padding one or two of at least 0");
        return false;
    }
    return true;
}

/* nn.functional.unfold: [N, C, H, W] -> [N, C kh kw, windows] */
tern_value tern_op_im2col(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    windows w;
    if (!read_windows(call, 1, &w)) return tern_none();
    bool batch = BODY(x)->rank == 4;
    if (!batch && BODY(x)->rank != 3)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected 3D or 4D input, got %dD",
                              BODY(x)->rank);
    if (!batch) x = tern_unsqueeze(x, 0);
    tern_shape pad = TERN_SHAPE(w.padding[1], w.padding[1], w.padding[0], w.padding[0]);
    if (w.padding[0] || w.padding[1])
        x = TERN_CALL(constant_pad_nd, ARG_TENSOR(x), ARG_SHAPE(pad), ARG_INT(0));
    for (int d = 0; d < 2 && call->ctx->status == TERN_OK; d++) {
        bool fits = true; /* of 32-bit numbers it does */
        int64_t reach = tern_window_reach(w.kernel[d], w.dilation[d], &fits);
        x = TERN_CALL(unfold, ARG_TENSOR(x), ARG_INT(2 + d), ARG_INT(reach), ARG_INT(w.stride[d]));
        x = tern_slice(x, -1, 0, INT64_MAX, w.dilation[d]);
    }
    /* [N, C, oh, ow, kh, kw] -> [N, C, kh, kw, oh, ow] */
    x = tern_permute(x, TERN_SHAPE(0, 1, 4, 5, 2, 3));
    x = tern_flatten(tern_flatten(x, 4, 5), 1, 3);
    return tern_result(call, batch ? x : tern_squeeze(x, 0));
}

/* Where each element of the columns goes in the flat padded image of `width`: [kh kw oh ow]. */
static tern_tensor *column_index(tern_opcall *call, const windows *w, const int64_t *out,
                                 int64_t width) {
    /* No more than the columns have, which count_windows has compared. */
    int64_t count = w->kernel[0] * w->kernel[1] * out[0] * out[1], at = 0;
    int64_t *index = tern_host_buffer(call->ctx, count, sizeof *index);
    if (!index) return call->ctx->nil;
    for (int64_t i = 0; i < w->kernel[0]; i++)
        for (int64_t j = 0; j < w->kernel[1]; j++)
            for (int64_t y = 0; y < out[0]; y++)
                for (int64_t x = 0; x < out[1]; x++)
                    index[at++] = (y * w->stride[0] + i * w->dilation[0]) * width +
                                  x * w->stride[1] + j * w->dilation[1];
    tern_tensor *tensor =
        tern_new_from_host(call->lane, index, TERN_INT64, &TERN_SHAPE(count), NULL);
    tern_host_give(call->ctx, index);
    return tensor;
}

/* How many windows fit down and across; false after latching where the columns do not fit them. */
static bool count_windows(tern_opcall *call, const tern_tensor *x, const windows *w,
                          const int64_t *padded, int64_t *out_counts) {
    char text[TERN_SHAPE_TEXT];
    bool fits = BODY(x)->rank == 2 || BODY(x)->rank == 3;
    for (int d = 0; fits && d < 2; d++) {
        int64_t room =
            tern_dim_sub(padded[d], tern_window_reach(w->kernel[d], w->dilation[d], &fits), &fits);
        out_counts[d] = room / w->stride[d] + 1;
        fits = fits && room >= 0;
    }
    int64_t kernel = fits ? tern_dim_mul(w->kernel[0], w->kernel[1], &fits) : 1;
    int64_t count = fits ? tern_dim_mul(out_counts[0], out_counts[1], &fits) : 0;
    fits = fits && BODY(x)->shape[BODY(x)->rank - 2] % kernel == 0 &&
           BODY(x)->shape[BODY(x)->rank - 1] == count;
    if (!fits)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "an input of %s does not hold the windows of kernel_size (%lld, %lld) in a "
                       "padded output of %lld x %lld: it is (N, C * kernel, windows)",
                       tern_shape_text(BODY(x)->rank, BODY(x)->shape, text),
                       (long long)w->kernel[0], (long long)w->kernel[1], (long long)padded[0],
                       (long long)padded[1]);
    return fits;
}

/* unfold's reverse: the windows are added up where they overlap. */
tern_value tern_op_fold(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape size = tern_arg_ints(call, 1);
    windows w;
    if (!read_windows(call, 2, &w)) return tern_none();
    if (size.rank < 1 || size.rank > 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "output_size must be one or two numbers");
    int64_t padded[2], counts[2];
    for (int d = 0; d < 2; d++) {
        padded[d] = size.dim[size.rank == 2 ? d : 0];
        if (padded[d] < 1 || padded[d] > INT32_MAX)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "output_size must be above 0, got %lld",
                                  (long long)padded[d]);
        padded[d] += 2 * w.padding[d]; /* both are 32-bit numbers */
    }
    if (!count_windows(call, x, &w, padded, counts)) return tern_none();
    bool fits = true;
    int64_t area = tern_dim_mul(padded[0], padded[1], &fits);
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "a padded output of %lld x %lld is too large", (long long)padded[0],
                              (long long)padded[1]);
    bool batch = BODY(x)->rank == 3;
    int64_t n = batch ? BODY(x)->shape[0] : 1, kernel = w.kernel[0] * w.kernel[1];
    int64_t c = BODY(x)->shape[BODY(x)->rank - 2] / kernel,
            columns = kernel * BODY(x)->shape[BODY(x)->rank - 1];
    tern_tensor *source = tern_reshape(tern_widen(x), TERN_SHAPE(n, c, columns));
    tern_tensor *image =
        TERN_CALL(new_zeros, ARG_TENSOR(source), ARG_SHAPE(TERN_SHAPE(n, c, area)));
    tern_tensor *index = column_index(call, &w, counts, padded[1]);
    if (call->ctx->status != TERN_OK) return tern_none();
    image =
        TERN_CALL(index_add, ARG_TENSOR(image), ARG_INT(2), ARG_TENSOR(index), ARG_TENSOR(source));
    image = tern_reshape(image, TERN_SHAPE(n, c, padded[0], padded[1]));
    for (int d = 0; d < 2; d++)
        image = tern_narrow(image, 2 + d, w.padding[d], padded[d] - 2 * w.padding[d]);
    image = tern_contiguous(tern_to_dtype(image, BODY(x)->dtype));
    return tern_result(call, batch ? image : tern_squeeze(image, 0));
}
