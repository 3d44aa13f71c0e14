/* image.c: resizing, shuffles of channels and patches, and padding. */
#include "layers.h"

/* ---- resizing ----------------------------------------------------------------------------------------- */

typedef struct upsample {
    tern_module module;
    tern_value size, scale_factor;
    const char *mode;
    tern_optional_bool align_corners, recompute_scale_factor;
} upsample;

static const tern_field upsample_fields[] = {
    TERN_FIELD(upsample, size, size),
    TERN_FIELD(upsample, scale_factor, scale_factor),
    TERN_FIELD(upsample, mode, mode),
    TERN_FIELD(upsample, align_corners, align_corners),
    TERN_FIELD(upsample, recompute_scale_factor, recompute_scale_factor),
    TERN_FIELD_END,
};

/* Scale factors are floats, as PyTorch keeps them. */
static tern_status upsample_init(tern_module *self) {
    upsample *m = (upsample *)self;
    m->size = tern_layer_sizes(self, m->size);
    m->scale_factor = tern_layer_sizes(self, m->scale_factor);
    if (m->scale_factor.kind == TERN_VALUE_INT)
        m->scale_factor = tern_float(tern_value_as_double(m->scale_factor));
    return TERN_OK;
}

static tern_status nearest_init(tern_module *self) {
    ((upsample *)self)->mode = "nearest";
    return upsample_init(self);
}

static tern_status bilinear_init(tern_module *self) {
    upsample *m = (upsample *)self;
    m->mode = "bilinear";
    m->align_corners = (tern_optional_bool){true, true};
    return upsample_init(self);
}

#define UPSAMPLE                                                                                   \
    .fields = upsample_fields,                                                                     \
    .operation = "nn.functional.interpolate size scale_factor mode align_corners "                 \
                 "recompute_scale_factor",                                                         \
    .print = "scale_factor=? size=? mode="

const tern_module_class tern_upsample_class = {
    TERN_MODULE_CLASS("Upsample(int|int[]? size=None, float|float[]? scale_factor=None, "
                      "str mode='nearest', bool? align_corners=None, "
                      "bool? recompute_scale_factor=None)",
                      upsample),
    .init = upsample_init, UPSAMPLE};
const tern_module_class tern_upsampling_nearest2d_class = {
    TERN_MODULE_CLASS("UpsamplingNearest2d(int|int[]? size=None, "
                      "float|float[]? scale_factor=None)",
                      upsample),
    .init = nearest_init, UPSAMPLE};
const tern_module_class tern_upsampling_bilinear2d_class = {
    TERN_MODULE_CLASS("UpsamplingBilinear2d(int|int[]? size=None, "
                      "float|float[]? scale_factor=None)",
                      upsample),
    .init = bilinear_init, UPSAMPLE};

tern_module *tern_nn_upsample(tern_ctx *ctx, double scale_factor, const char *mode) {
    upsample config = {.scale_factor = tern_float(scale_factor), .mode = mode ? mode : "nearest"};
    return tern_module_new(ctx, &tern_upsample_class, &config);
}

/* ---- shuffles ----------------------------------------------------------------------------------------- */

typedef struct shuffle {
    tern_module module;
    int64_t upscale_factor, downscale_factor, groups;
} shuffle;

static const tern_field shuffle_fields[] = {
    TERN_FIELD(shuffle, upscale_factor, upscale_factor),
    TERN_FIELD(shuffle, downscale_factor, downscale_factor),
    TERN_FIELD(shuffle, groups, groups),
    TERN_FIELD_END,
};

const tern_module_class tern_pixel_shuffle_class = {
    TERN_MODULE_CLASS("PixelShuffle(int upscale_factor)", shuffle),
    .fields = shuffle_fields,
    .operation = "nn.functional.pixel_shuffle upscale_factor",
    .print = "upscale_factor=",
};
const tern_module_class tern_pixel_unshuffle_class = {
    TERN_MODULE_CLASS("PixelUnshuffle(int downscale_factor)", shuffle),
    .fields = shuffle_fields,
    .operation = "nn.functional.pixel_unshuffle downscale_factor",
    .print = "downscale_factor=",
};
const tern_module_class tern_channel_shuffle_class = {
    TERN_MODULE_CLASS("ChannelShuffle(int groups)", shuffle),
    .fields = shuffle_fields,
    .operation = "nn.functional.channel_shuffle groups",
    .print = "groups=",
};

tern_module *tern_nn_pixel_shuffle(tern_ctx *ctx, int64_t upscale_factor) {
    shuffle config = {.upscale_factor = upscale_factor};
    return tern_module_new(ctx, &tern_pixel_shuffle_class, &config);
}

/* ---- patches ------------------------------------------------------------------------------------------ */

typedef struct patches {
    tern_module module;
    tern_value output_size, kernel_size, dilation, padding, stride;
} patches;

static const tern_field patches_fields[] = {
    TERN_FIELD(patches, output_size, output_size), TERN_FIELD(patches, kernel_size, kernel_size),
    TERN_FIELD(patches, dilation, dilation),       TERN_FIELD(patches, padding, padding),
    TERN_FIELD(patches, stride, stride),           TERN_FIELD_END,
};

static tern_status patches_init(tern_module *self) {
    patches *m = (patches *)self;
    m->output_size = tern_layer_sizes(self, m->output_size);
    m->kernel_size = tern_layer_sizes(self, m->kernel_size);
    m->dilation = tern_layer_sizes(self, m->dilation);
    m->padding = tern_layer_sizes(self, m->padding);
    m->stride = tern_layer_sizes(self, m->stride);
    return TERN_OK;
}

const tern_module_class tern_unfold_class = {
    TERN_MODULE_CLASS("Unfold(int|int[] kernel_size, int|int[] dilation=1, int|int[] padding=0, "
                      "int|int[] stride=1)",
                      patches),
    .fields = patches_fields,
    .init = patches_init,
    .operation = "nn.functional.unfold kernel_size dilation padding stride",
    .print = "kernel_size= dilation= padding= stride=",
};

/* Products of such sizes stay within an int64_t. */
#define FOLD_MOST (1 << 24)

/* A size of two numbers, or one for both. */
static bool read_pair(tern_module *self, const char *what, tern_value value, int64_t *out_pair) {
    size_t count = tern_value_count(value);
    bool single = value.kind == TERN_VALUE_INT;
    for (size_t i = 0; i < 2 && (single || count == 2 || count == 1); i++)
        out_pair[i] = tern_value_as_int(single ? value : tern_value_at(value, count == 2 ? i : 0));
    tern_ctx *ctx = tern_module_context(self);
    if (!single && count != 2 && count != 1)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s must be one number or two",
                  tern_module_name(self), what);
    else if (out_pair[0] < 0 || out_pair[1] < 0 || out_pair[0] > FOLD_MOST ||
             out_pair[1] > FOLD_MOST)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s must be within 0 and %d", tern_module_name(self),
                  what, FOLD_MOST);
    else
        return true;
    return false;
}

/* Sizes of a fold: of the padded image, of the window, and how many windows fit. */
typedef struct fold_sizes {
    int64_t image[2], window[2], dilation[2], padding[2], stride[2], padded[2], fit[2];
} fold_sizes;

static bool read_fold(tern_module *self, fold_sizes *f) {
    const patches *m = (patches *)self;
    if (!read_pair(self, "output_size", m->output_size, f->image) ||
        !read_pair(self, "kernel_size", m->kernel_size, f->window) ||
        !read_pair(self, "dilation", m->dilation, f->dilation) ||
        !read_pair(self, "padding", m->padding, f->padding) ||
        !read_pair(self, "stride", m->stride, f->stride))
        return false;
    for (int i = 0; i < 2; i++) {
        if (!tern_layer_positive(self, "output_size", f->image[i]) ||
            !tern_layer_positive(self, "kernel_size", f->window[i]) ||
            !tern_layer_positive(self, "dilation", f->dilation[i]) ||
            !tern_layer_positive(self, "stride", f->stride[i]))
            return false;
        f->padded[i] = f->image[i] + 2 * f->padding[i];
        int64_t room = f->padded[i] - f->dilation[i] * (f->window[i] - 1) - 1;
        f->fit[i] = room < 0 ? 0 : room / f->stride[i] + 1;
    }
    return true;
}

/* Where each element of each window lies in the padded image, flattened, windows last. */
static tern_tensor *fold_positions(tern_module *self, const fold_sizes *f) {
    tern_ctx *ctx = tern_module_context(self);
    int64_t count = f->window[0] * f->window[1] * f->fit[0] * f->fit[1], n = 0;
    int64_t *at = tern_scope_alloc(ctx, (size_t)(count + 1) * sizeof *at);
    if (!at) return tern_nil(ctx);
    for (int64_t i = 0; i < f->window[0]; i++)
        for (int64_t j = 0; j < f->window[1]; j++)
            for (int64_t y = 0; y < f->fit[0]; y++)
                for (int64_t x = 0; x < f->fit[1]; x++)
                    at[n++] = (y * f->stride[0] + i * f->dilation[0]) * f->padded[1] +
                              x * f->stride[1] + j * f->dilation[1];
    return tern_from_data(ctx, at, TERN_SHAPE(count), TERN_INT64);
}

/* [N, C k k, L] (or [C k k, L]) to [N, C, H, W]: overlapping windows add up. */
static tern_tensor *fold_forward(tern_module *self, tern_tensor *input) {
    tern_ctx *ctx = tern_module_context(self);
    fold_sizes f;
    if (!read_fold(self, &f)) return tern_nil(ctx);
    bool single = tern_rank(input) == 2;
    tern_tensor *x = single ? tern_unsqueeze(input, 0) : input;
    int64_t window = f.window[0] * f.window[1], fit = f.fit[0] * f.fit[1];
    if (tern_rank(x) != 3 || tern_size(x, 1) % window != 0 || tern_size(x, 2) != fit || fit == 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Fold: input must be [N, C * %lld, %lld] (or without N) for this output_size",
                  (long long)window, (long long)fit);
        return tern_nil(ctx);
    }
    int64_t batch = tern_size(x, 0), channels = tern_size(x, 1) / window;
    x = tern_reshape(x, TERN_SHAPE(batch, channels, window * fit));
    tern_shape flat = TERN_SHAPE(batch, channels, f.padded[0] * f.padded[1]);
    tern_tensor *positions = tern_to_device(fold_positions(self, &f), tern_device_of(x));
    tern_value args[] = {tern_tensor_value(tern_layer_zeros(self, x, flat)), tern_int(2),
                         tern_tensor_value(positions), tern_tensor_value(x)};
    tern_tensor *image = tern_layer_tensor(self, tern_call(ctx, "index_add", args, 4, tern_none()));
    image = tern_reshape(image, TERN_SHAPE(batch, channels, f.padded[0], f.padded[1]));
    image =
        tern_narrow(tern_narrow(image, 2, f.padding[0], f.image[0]), 3, f.padding[1], f.image[1]);
    return single ? tern_squeeze(image, 0) : image;
}

const tern_module_class tern_fold_class = {
    TERN_MODULE_CLASS("Fold(int|int[] output_size, int|int[] kernel_size, int|int[] dilation=1, "
                      "int|int[] padding=0, int|int[] stride=1)",
                      patches),
    .fields = patches_fields,
    .init = patches_init,
    .forward = fold_forward,
    .print = "output_size= kernel_size= dilation= padding= stride=",
};

/* ---- padding: amounts from the last dimension back: (left, right, top, bottom, ...) ------------------------ */

typedef struct padding {
    tern_module module;
    tern_shape padding;
    tern_value value;
} padding;

static const tern_field padding_fields[] = {TERN_FIELD(padding, padding, padding),
                                            TERN_FIELD(padding, value, value), TERN_FIELD_END};

static tern_status padding_init(tern_module *self) {
    padding *m = (padding *)self;
    bool ok = tern_layer_expand(self, "padding", &m->padding, 2 * tern_layer_spatial(self), 0);
    return ok ? TERN_OK : TERN_ERR_ARGUMENT;
}

static tern_tensor *pad(tern_module *self, tern_tensor *input, const char *mode) {
    const padding *m = (padding *)self;
    tern_value args[] = {tern_tensor_value(input),
                         tern_ints(m->padding.dim, (size_t)m->padding.rank), tern_text(mode),
                         m->value};
    return tern_layer_tensor(
        self, tern_call(tern_module_context(self), "nn.functional.pad", args, 4, tern_none()));
}

static tern_tensor *pad_constant(tern_module *self, tern_tensor *input) {
    return pad(self, input, "constant");
}

static tern_tensor *pad_reflect(tern_module *self, tern_tensor *input) {
    return pad(self, input, "reflect");
}

static tern_tensor *pad_replicate(tern_module *self, tern_tensor *input) {
    return pad(self, input, "replicate");
}

static tern_tensor *pad_circular(tern_module *self, tern_tensor *input) {
    return pad(self, input, "circular");
}

#define PADDING(name, function)                                                                    \
    {                                                                                              \
        TERN_MODULE_CLASS(name "(int[] padding)", padding),                                        \
            .fields = padding_fields, .init = padding_init, .forward = function,                   \
            .print = "padding"                                                                     \
    }
#define CONSTANT(name)                                                                             \
    {                                                                                              \
        TERN_MODULE_CLASS(name "(int[] padding, Number value)", padding),                          \
            .fields = padding_fields, .init = padding_init, .forward = pad_constant,               \
            .print = "padding= value="                                                             \
    }

const tern_module_class tern_zero_pad1d_class = PADDING("ZeroPad1d", pad_constant);
const tern_module_class tern_zero_pad2d_class = PADDING("ZeroPad2d", pad_constant);
const tern_module_class tern_zero_pad3d_class = PADDING("ZeroPad3d", pad_constant);
const tern_module_class tern_constant_pad1d_class = CONSTANT("ConstantPad1d");
const tern_module_class tern_constant_pad2d_class = CONSTANT("ConstantPad2d");
const tern_module_class tern_constant_pad3d_class = CONSTANT("ConstantPad3d");
const tern_module_class tern_reflection_pad1d_class = PADDING("ReflectionPad1d", pad_reflect);
const tern_module_class tern_reflection_pad2d_class = PADDING("ReflectionPad2d", pad_reflect);
const tern_module_class tern_reflection_pad3d_class = PADDING("ReflectionPad3d", pad_reflect);
const tern_module_class tern_replication_pad1d_class = PADDING("ReplicationPad1d", pad_replicate);
const tern_module_class tern_replication_pad2d_class = PADDING("ReplicationPad2d", pad_replicate);
const tern_module_class tern_replication_pad3d_class = PADDING("ReplicationPad3d", pad_replicate);
const tern_module_class tern_circular_pad1d_class = PADDING("CircularPad1d", pad_circular);
const tern_module_class tern_circular_pad2d_class = PADDING("CircularPad2d", pad_circular);
const tern_module_class tern_circular_pad3d_class = PADDING("CircularPad3d", pad_circular);

tern_module *tern_nn_zero_pad2d(tern_ctx *ctx, tern_shape amounts) {
    padding config = {.padding = amounts};
    return tern_module_new(ctx, &tern_zero_pad2d_class, &config);
}
