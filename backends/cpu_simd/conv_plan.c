/*
 * The geometry of convolutions (conv.h).
 */
#include "../cpu_ref/image.h"
#include "conv.h"

#define CACHE_LINE 64

/* Images above so many times the tensors themselves are not worth their memory (huge dilations). */
#define MOST_IMAGES 32

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}
/* Of a positive divisor, rounded up. */
static int64_t divide_up(int64_t a, int64_t b) {
    return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

/*
 * Where tap k reads for the results of a class: `distance` elements behind the result's own position, in
 * an image of which phase. False where the class does not use the tap.
 *
 * Forward, result o reads the source at o * stride + k * dilation - padding. For the gradient by input
 * result i reads it at (i + padding - k * dilation) / stride where that is whole.
 */
static bool tap_at(const tern_simd_axis *a, bool by_input, int64_t class, int64_t k,
                   int64_t *distance, int64_t *phase) {
    if (!by_input) {
        int64_t at = k * a->dilation;
        *distance = at / a->stride;
        *phase = a->phase[at % a->stride];
        return true;
    }
    int64_t at = class + a->padding - k * a->dilation;
    *phase = 0;
    *distance = at / a->stride + a->origin;
    return at % a->stride == 0;
}

static void plan_forward(tern_simd_axis *a) {
    a->step = a->stride;
    a->classes = 1;
    a->count = a->out;
    for (int r = 0; r < TERN_SIMD_CONV_PHASES; r++) a->phase[r] = -1;
    for (int64_t k = 0; k < a->taps; k++) {
        int64_t at = k * a->dilation, remainder = at % a->stride;
        a->reach = most(a->reach, at / a->stride);
        if (a->phase[remainder] >= 0) continue;
        a->first[a->phases] = remainder - a->padding;
        a->phase[remainder] = a->phases++;
    }
}

static void plan_by_input(tern_simd_axis *a) {
    a->step = a->phases = 1;
    a->classes = least(a->stride, a->out);
    a->count = divide_up(a->out, a->stride);
    int64_t low = INT64_MAX, high = INT64_MIN, distance, phase;
    for (int64_t class = 0; class < a->classes; class ++) {
        for (int64_t k = 0; k < a->taps; k++) {
            if (!tap_at(a, true, class, k, &distance, &phase)) continue;
            low = least(low, distance);
            high = most(high, distance);
        }
    }
    if (low > high) low = high = 0; /* no result reads anything */
    a->origin = -low;
    a->reach = high - low;
    a->first[0] = low;
}

bool tern_simd_conv_plan(tern_simd_convolution *conv, const tern_conv_attrs *attrs, bool by_input,
                         const tern_kit_tensor *source, const tern_kit_tensor *result,
                         const tern_kit_tensor *kernel) {
    *conv = (tern_simd_convolution){.by_input = by_input,
                                    .n = source->shape[0],
                                    .groups = attrs->groups,
                                    .sources = source->shape[1] / attrs->groups,
                                    .results = result->shape[1] / attrs->groups,
                                    .taps = 1,
                                    .classes = 1,
                                    .unit = 1};
    int64_t in[3], out[3], taps[3];
    tern_ref_spread(source->shape + 2, attrs->spatial, 1, in);
    tern_ref_spread(result->shape + 2, attrs->spatial, 1, out);
    tern_ref_spread(kernel->shape + 2, attrs->spatial, 1, taps);
    tern_ref_window win =
        tern_ref_window_of(taps, attrs->stride, attrs->padding, attrs->dilation, attrs->spatial);
    double size = (double)tern_kit_count(source) + (double)tern_kit_count(result) + 4096;
    double images = (double)conv->sources;
    conv->images = conv->sources;
    for (int d = 0; d < 3; d++) {
        tern_simd_axis *a = &conv->axis[d];
        *a = (tern_simd_axis){.in = in[d], .out = out[d], .taps = taps[d]};
        a->stride = win.stride[d];
        a->dilation = win.dilation[d];
        a->padding = win.padding[d];
        if (a->stride > TERN_SIMD_CONV_PHASES || a->out < 1 || a->in < 1) return false;
        if (by_input)
            plan_by_input(a);
        else
            plan_forward(a);
        conv->taps *= a->taps;
        conv->images *= a->phases;
        conv->classes *= a->classes;
        images *= (double)a->phases * (double)(a->count + a->reach);
        if (a->count == 1 && conv->strip_axis == d && d < 2) conv->strip_axis = d + 1;
    }
    return images < MOST_IMAGES * size;
}

/* The pitch of a dimension inside of the strip's: rows share their zeros. */
static int64_t shared_pitch(const tern_simd_axis *a) {
    int64_t span = a->count + a->reach, zeros = a->reach, end = 0;
    for (int64_t p = 0; p < a->phases; p++) {
        zeros = least(zeros, most(0, divide_up(-a->first[p], a->step)));
        end = most(end, divide_up(a->in - a->first[p], a->step));
    }
    return most(least(end, span), span - zeros);
}

int64_t tern_simd_conv_spaced(int64_t count, int64_t size) {
    int64_t lines = divide_up(count * size, CACHE_LINE);
    return (lines | 1) * CACHE_LINE / size;
}

void tern_simd_conv_layout(tern_simd_convolution *conv, int64_t strips, int64_t size) {
    tern_simd_axis *along = &conv->axis[conv->strip_axis];
    int64_t units = divide_up(along->count, conv->unit);
    conv->strips = most(1, least(strips, units));
    conv->strip = least(divide_up(units, conv->strips) * conv->unit, along->count);
    int64_t elements = 1;
    for (int d = 0; d < 3; d++) {
        tern_simd_axis *a = &conv->axis[d];
        a->pitch = d < conv->strip_axis ? a->count + a->reach
                   : a == along         ? conv->strip + a->reach
                                        : shared_pitch(a);
        elements *= a->pitch;
    }
    conv->image = tern_simd_conv_spaced(elements, size);
}

tern_simd_class tern_simd_conv_class(const tern_simd_convolution *conv, int64_t index) {
    tern_simd_class class = {.k = conv->sources};
    for (int d = 2; d >= 0; d--) {
        const tern_simd_axis *a = &conv->axis[d];
        int64_t distance, phase, taps = 0;
        class.first[d] = index % a->classes;
        class.count[d] = divide_up(a->out - class.first[d], a->classes);
        index /= a->classes;
        for (int64_t k = 0; k < a->taps; k++)
            taps += tap_at(a, conv->by_input, class.first[d], k, &distance, &phase);
        class.k *= taps;
    }
    return class;
}

void tern_simd_conv_offsets(const tern_simd_convolution *conv, const tern_simd_class *class,
                            int64_t *offsets, int64_t *taps) {
    const tern_simd_axis *a = conv->axis;
    int64_t found = 0, per_channel = conv->images / conv->sources * conv->image;
    for (int64_t k = 0; k < conv->taps; k++) {
        int64_t tap[3] = {k / a[2].taps / a[1].taps, k / a[2].taps % a[1].taps, k % a[2].taps};
        int64_t at = 0, image = 0, distance, phase;
        bool used = true;
        for (int d = 0; d < 3 && used; d++) {
            used = tap_at(&a[d], conv->by_input, class->first[d], tap[d], &distance, &phase);
            at = at * a[d].pitch + distance;
            image = image * a[d].phases + phase;
        }
        if (!used) continue;
        if (taps) taps[found] = k;
        offsets[found++] = image * conv->image + at;
    }
    for (int64_t i = found; i < class->k; i++) offsets[i] = offsets[i - found] + per_channel;
}

int64_t tern_simd_conv_length(const tern_simd_convolution *conv, const int64_t *count) {
    const tern_simd_axis *a = conv->axis;
    return ((count[0] - 1) * a[1].pitch + count[1] - 1) * a[2].pitch + count[2];
}

int64_t tern_simd_conv_start(const tern_simd_convolution *conv, int64_t index) {
    int64_t all = conv->axis[conv->strip_axis].count, units = divide_up(all, conv->unit);
    return least(units * index / conv->strips * conv->unit, all);
}

int64_t tern_simd_conv_strip(const tern_simd_convolution *conv, int64_t index, int64_t *count) {
    int64_t *along = &count[conv->strip_axis], start = tern_simd_conv_start(conv, index);
    *along = least(*along, tern_simd_conv_start(conv, index + 1)) - start;
    return *along < 1 ? 0 : tern_simd_conv_length(conv, count);
}
