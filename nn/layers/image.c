/* image.c: resizing, shuffles of channels and patches, and padding. */
#include "layers.h"

/* ---- resizing -------------------------------------------------------------------------------- */

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

/* ---- shuffles -------------------------------------------------------------------------------- */

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

/* ---- patches --------------------------------------------------------------------------------- */

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

const tern_module_class tern_fold_class = {
    TERN_MODULE_CLASS("Fold(int|int[] output_size, int|int[] kernel_size, int|int[] dilation=1, "
                      "int|int[] padding=0, int|int[] stride=1)",
                      patches),
    .fields = patches_fields,
    .init = patches_init,
    .operation = "nn.functional.fold output_size kernel_size dilation padding stride",
    .print = "output_size= kernel_size= dilation= padding= stride=",
};

/* ---- padding: amounts from the last dimension back: (left, right, top, bottom, ...) ---------- */

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
        self, tern_module_operation(self, "nn.functional.pad", args, 4, tern_none()));
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
