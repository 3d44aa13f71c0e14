/*
 * CONV, CONV_GRAD_INPUT and CONV_GRAD_WEIGHT, in 1 to 3 dimensions. With one spatial dimension:
 *
 *     out[n, o, p] = sum over c, k of x[n, g C + c, p * stride - padding + k * dilation] * w[o, c, k]
 *
 * where C = channels of x / groups and g is the group of o. The three kernels visit the same triples
 * (out, x, w) in the same order and differ in which of the three they add to. Sums are in double, or
 * in int64; taps outside x are skipped. A bias is added to the sum as an operation of its own would:
 * to float32 for float32, float16 and bfloat16.
 */
#include "image.h"
#include "kernels.h"
#include "numerics/dtype_convert.h"

typedef enum target { TO_OUT, TO_INPUT, TO_WEIGHT } target;

typedef struct convolution {
    tern_ref_image x, w, out; /* w is [o, c / groups, kernel...] */
    tern_ref_window window;
    int64_t groups;
} convolution;

/* One tap of the kernel on one row of out: where it lies in the three images. */
typedef struct tap {
    int64_t out_row, x_row, w; /* indices of the first elements */
    int64_t first, last;       /* the columns p of out whose tap is inside x */
    int64_t start;             /* the column of x for p = 0 */
} tap;

/* Finds the columns whose tap is inside the row; false where there are none. */
static bool clip(const convolution *conv, int64_t k, tap *t) {
    int64_t stride = conv->window.stride[2];
    t->start = k * conv->window.dilation[2] - conv->window.padding[2];
    t->first = t->start < 0 ? (-t->start + stride - 1) / stride : 0;
    t->last = (conv->x.size[2] - 1 - t->start) / stride;
    if (conv->x.size[2] - 1 < t->start) return false;
    if (t->last > conv->out.size[2] - 1) t->last = conv->out.size[2] - 1;
    return t->first <= t->last;
}

/* The row of x that a row of out meets with tap (kz, ky); -1 where it is outside. */
static int64_t input_row(const convolution *conv, int64_t z, int64_t y, int64_t kz, int64_t ky) {
    const tern_ref_window *win = &conv->window;
    int64_t iz = z * win->stride[0] - win->padding[0] + kz * win->dilation[0];
    int64_t iy = y * win->stride[1] - win->padding[1] + ky * win->dilation[1];
    if (iz < 0 || iz >= conv->x.size[0] || iy < 0 || iy >= conv->x.size[1]) return -1;
    return iz * conv->x.size[1] + iy;
}

#define NUMBER  double
#define FIELD   f
#define NAME(x) x##_f64
#include "conv_typed.inc"

#define NUMBER  uint64_t
#define FIELD   i
#define NAME(x) x##_i64
#include "conv_typed.inc"

static void run_tap(const convolution *conv, target to, const tap *t) {
    if (conv->out.f)
        add_tap_f64(conv, to, t);
    else
        add_tap_i64(conv, to, t);
}

/* All rows of one pair of channels with one tap (kz, ky, kx). */
static void each_row(const convolution *conv, target to, int64_t out_plane, int64_t x_plane,
                     int64_t w, int64_t kz, int64_t ky, int64_t kx) {
    tap t = {.w = w};
    if (!clip(conv, kx, &t)) return;
    for (int64_t z = 0; z < conv->out.size[0]; z++) {
        for (int64_t y = 0; y < conv->out.size[1]; y++) {
            int64_t row = input_row(conv, z, y, kz, ky);
            if (row < 0) continue;
            t.out_row = out_plane + (z * conv->out.size[1] + y) * conv->out.size[2];
            t.x_row = x_plane + row * conv->x.size[2];
            run_tap(conv, to, &t);
        }
    }
}

static void each_tap(const convolution *conv, target to, int64_t n, int64_t o, int64_t c) {
    int64_t per_group = conv->out.c / conv->groups, channel = o / per_group * conv->w.c + c;
    int64_t out_plane = (n * conv->out.c + o) * conv->out.pixels;
    int64_t x_plane = (n * conv->x.c + channel) * conv->x.pixels;
    int64_t w = (o * conv->w.c + c) * conv->w.pixels;
    for (int64_t kz = 0; kz < conv->w.size[0]; kz++) {
        for (int64_t ky = 0; ky < conv->w.size[1]; ky++) {
            for (int64_t kx = 0; kx < conv->w.size[2]; kx++) {
                each_row(conv, to, out_plane, x_plane, w++, kz, ky, kx);
            }
        }
    }
}

/* image[n, c, ...] += bias[c] */
static void add_bias(const tern_ref_image *image, const tern_kit_tensor *bias) {
    for (int64_t plane = 0; plane < image->n * image->c; plane++) {
        int64_t at = plane % image->c * bias->strides[0], first = plane * image->pixels;
        if (image->i) {
            uint64_t b = (uint64_t)tern_num_load_i64(bias->dtype, bias->data, at);
            for (int64_t p = first; p < first + image->pixels; p++)
                image->i[p] = (int64_t)((uint64_t)image->i[p] + b);
            continue;
        }
        double b = tern_num_load_f64(bias->dtype, bias->data, at);
        bool narrow = bias->dtype != TERN_BT_FLOAT64;
        for (int64_t p = first; p < first + image->pixels; p++)
            image->f[p] = (narrow ? (double)(float)image->f[p] : image->f[p]) + b;
    }
}

static int32_t run(const tern_kit_call *call, target to, const tern_kit_tensor *x,
                   const tern_kit_tensor *w, const tern_kit_tensor *out) {
    const tern_conv_attrs *attrs = call->attrs;
    int32_t dtype = call->outputs[0].dtype;
    convolution conv = {.groups = attrs->groups};
    static const int64_t ones[3] = {1, 1, 1};
    conv.window =
        tern_ref_window_of(ones, attrs->stride, attrs->padding, attrs->dilation, attrs->spatial);
    bool done = tern_ref_image_new(call, x, dtype, to != TO_INPUT, &conv.x);
    done = tern_ref_image_new(call, w, dtype, to != TO_WEIGHT, &conv.w) && done;
    done = tern_ref_image_new(call, out, dtype, to != TO_OUT, &conv.out) && done;
    for (int64_t n = 0; done && n < conv.out.n; n++) {
        for (int64_t o = 0; o < conv.out.c; o++) {
            for (int64_t c = 0; c < conv.w.c; c++) each_tap(&conv, to, n, o, c);
        }
    }
    const tern_ref_image *result = to == TO_OUT ? &conv.out : to == TO_INPUT ? &conv.x : &conv.w;
    if (done && call->n_inputs > 2) add_bias(result, &call->inputs[2]);
    if (done) tern_ref_image_store(call, result, &call->outputs[0]);
    tern_ref_image_free(call, &conv.x);
    tern_ref_image_free(call, &conv.w);
    tern_ref_image_free(call, &conv.out);
    return done ? TERN_BACKEND_OK : TERN_BACKEND_OUT_OF_MEMORY;
}

int32_t tern_ref_conv(const tern_kit_call *call) {
    return run(call, TO_OUT, &call->inputs[0], &call->inputs[1], &call->outputs[0]);
}

int32_t tern_ref_conv_grad_input(const tern_kit_call *call) {
    return run(call, TO_INPUT, &call->outputs[0], &call->inputs[1], &call->inputs[0]);
}

int32_t tern_ref_conv_grad_weight(const tern_kit_call *call) {
    return run(call, TO_WEIGHT, &call->inputs[1], &call->outputs[0], &call->inputs[0]);
}
