/*
 * RESIZE and RESIZE_GRAD: interpolation in 1 to 3 dimensions.
 *
 * An element of out is a weighted sum of up to 4 taps of x in each dimension. The source coordinate of
 * output position p is scale * p with aligned corners, else scale * (p + 1/2) - 1/2, where scale is
 * (in - 1) / (out - 1) or in / out, or one over the user's scale factor. The gradient spreads by the
 * same weights.
 */
#include <math.h>

#include "image.h"
#include "kernels.h"

typedef struct taps {
    int count;
    int64_t at[4];
    double weight[4];
} taps;

typedef struct resizing {
    tern_ref_image x, out;
    const tern_resize_attrs *attrs;
    double factor[3]; /* the user's scale factors, 0 where sizes were given */
} resizing;

static int64_t clip(int64_t i, int64_t size) {
    return i < 0 ? 0 : i < size ? i : size - 1;
}

/* PyTorch chooses the nearest pixel in float32, whatever the dtype. */
static taps nearest(const resizing *r, int d, int64_t p) {
    float scale =
        r->factor[d] > 0 ? (float)(1 / r->factor[d]) : (float)r->x.size[d] / (float)r->out.size[d];
    bool exact = r->attrs->mode == TERN_RESIZE_NEAREST_EXACT;
    float source = exact ? (float)(((double)p + 0.5) * (double)scale) : (float)p * scale;
    return (taps){1, {clip((int64_t)floorf(source), r->x.size[d])}, {1}};
}

static double source_of(const resizing *r, int d, int64_t p) {
    double in = (double)r->x.size[d], out = (double)r->out.size[d];
    if (r->attrs->align_corners) return out > 1 ? (in - 1) / (out - 1) * (double)p : 0;
    double scale = r->factor[d] > 0 ? 1 / r->factor[d] : in / out;
    return scale * ((double)p + 0.5) - 0.5;
}

static taps linear(const resizing *r, int d, int64_t p) {
    double source = source_of(r, d, p);
    if (source < 0) source = 0;
    int64_t low = clip((int64_t)source, r->x.size[d]);
    double part = source - (double)low;
    if (part > 1) part = 1;
    return (taps){2, {low, clip(low + 1, r->x.size[d])}, {1 - part, part}};
}

/* Cubic convolution (Keys 1981) with a = -3/4: near(t) for |t| <= 1, far(t) for 1 < |t| < 2. */
static double near(double t) {
    return ((1.25 * t - 2.25) * t) * t + 1;
}
static double far(double t) {
    return ((-0.75 * t + 3.75) * t - 6) * t + 3;
}

static taps cubic(const resizing *r, int d, int64_t p) {
    double source = source_of(r, d, p), low = floor(source), t = source - low;
    taps result = {4, {0}, {far(t + 1), near(t), near(1 - t), far(2 - t)}};
    for (int k = 0; k < 4; k++) result.at[k] = clip((int64_t)low - 1 + k, r->x.size[d]);
    return result;
}

static taps taps_of(const resizing *r, int d, int64_t p) {
    if (r->x.size[d] == 1 && r->out.size[d] == 1) return (taps){1, {0}, {1}};
    switch (r->attrs->mode) {
    case TERN_RESIZE_LINEAR: return linear(r, d, p);
    case TERN_RESIZE_CUBIC: return cubic(r, d, p);
    default: return nearest(r, d, p);
    }
}

/* out += weights * x, or x += weights * out, for one element of out and one plane of x. */
static void apply(const resizing *r, const taps *t, int64_t x_plane, int64_t out_at, bool spread) {
    for (int a = 0; a < t[0].count; a++) {
        for (int b = 0; b < t[1].count; b++) {
            for (int c = 0; c < t[2].count; c++) {
                int64_t at = (t[0].at[a] * r->x.size[1] + t[1].at[b]) * r->x.size[2] + t[2].at[c];
                double weight = t[0].weight[a] * t[1].weight[b] * t[2].weight[c];
                if (spread)
                    r->x.f[x_plane + at] += weight * r->out.f[out_at];
                else
                    r->out.f[out_at] += weight * r->x.f[x_plane + at];
            }
        }
    }
}

static void each_position(const resizing *r, bool spread) {
    for (int64_t z = 0; z < r->out.size[0]; z++) {
        for (int64_t y = 0; y < r->out.size[1]; y++) {
            for (int64_t x = 0; x < r->out.size[2]; x++) {
                taps t[3] = {taps_of(r, 0, z), taps_of(r, 1, y), taps_of(r, 2, x)};
                int64_t at = (z * r->out.size[1] + y) * r->out.size[2] + x;
                for (int64_t plane = 0; plane < r->out.n * r->out.c; plane++) {
                    apply(r, t, plane * r->x.pixels, plane * r->out.pixels + at, spread);
                }
            }
        }
    }
}

static int32_t run(const tern_kit_call *call, const tern_kit_tensor *x, const tern_kit_tensor *out,
                   bool backward) {
    resizing r = {.attrs = call->attrs};
    int32_t missing = 3 - r.attrs->spatial;
    for (int32_t d = missing; d < 3; d++) r.factor[d] = r.attrs->scale[d - missing];
    bool done = tern_ref_image_new(call, x, TERN_BT_FLOAT64, !backward, &r.x);
    done = tern_ref_image_new(call, out, TERN_BT_FLOAT64, backward, &r.out) && done;
    if (done) {
        each_position(&r, backward);
        bool round = !tern_kit_is_floating(call->outputs[0].dtype);
        for (int64_t i = 0; round && i < r.out.n * r.out.c * r.out.pixels; i++) {
            r.out.f[i] = rint(r.out.f[i]);
        }
        tern_ref_image_store(call, backward ? &r.x : &r.out, &call->outputs[0]);
    }
    tern_ref_image_free(call, &r.x);
    tern_ref_image_free(call, &r.out);
    return done ? TERN_BACKEND_OK : TERN_BACKEND_OUT_OF_MEMORY;
}

int32_t tern_ref_resize(const tern_kit_call *call) {
    return run(call, &call->inputs[0], &call->outputs[0], false);
}

int32_t tern_ref_resize_grad(const tern_kit_call *call) {
    return run(call, &call->outputs[0], &call->inputs[0], true);
}
