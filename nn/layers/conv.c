/* conv.c: convolutions and transposed convolutions in one to three dimensions. */
#include <math.h>
#include <string.h>

#include "layers.h"
#include "tern/formula.h"

typedef struct conv {
    tern_module module;
    int64_t in_channels, out_channels, groups;
    tern_shape kernel_size, stride, dilation, output_padding;
    tern_value padding; /* a tuple, or "same" or "valid" */
    tern_shape pad;     /* the amounts of a padding that is no text */
    bool bias_wanted;
    const char *padding_mode, *device;
    tern_dtype dtype;
    tern_tensor *weight, *bias;
} conv;

static const tern_field fields[] = {
    TERN_FIELD(conv, in_channels, in_channels),
    TERN_FIELD(conv, out_channels, out_channels),
    TERN_FIELD(conv, kernel_size, kernel_size),
    TERN_FIELD(conv, stride, stride),
    TERN_FIELD(conv, padding, padding),
    TERN_FIELD(conv, output_padding, output_padding),
    TERN_FIELD(conv, dilation, dilation),
    TERN_FIELD(conv, groups, groups),
    TERN_FIELD(conv, bias, bias_wanted),
    TERN_FIELD(conv, padding_mode, padding_mode),
    TERN_FIELD(conv, device, device),
    TERN_FIELD(conv, dtype, dtype),
    TERN_FIELD_END,
};

/* ---- making ---------------------------------------------------------------------------------- */

static bool check_channels(tern_module *self) {
    const conv *m = (conv *)self;
    if (!tern_layer_positive(self, "groups", m->groups)) return false;
    if (m->in_channels > 0 && m->out_channels > 0 && m->in_channels % m->groups == 0 &&
        m->out_channels % m->groups == 0)
        return true;
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
              "%s: in_channels=%lld and out_channels=%lld must be positive and divisible by "
              "groups=%lld",
              tern_module_name(self), (long long)m->in_channels, (long long)m->out_channels,
              (long long)m->groups);
    return false;
}

static bool check_mode(tern_module *self) {
    static const char *const modes[] = {"zeros", "reflect", "replicate", "circular"};
    const conv *m = (conv *)self;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(m->padding_mode, modes[i]) == 0) return true;
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
              "%s: padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', but got "
              "padding_mode='%s'",
              tern_module_name(self), m->padding_mode);
    return false;
}

/* Reads the padding: amounts become a tuple of all dimensions. */
static bool read_padding(tern_module *self, int spatial) {
    conv *m = (conv *)self;
    tern_value given = m->padding;
    if (given.kind == TERN_VALUE_STRING) {
        if (strcmp(given.as.s, "valid") == 0) return true;
        bool same = strcmp(given.as.s, "same") == 0;
        for (int i = 0; same && i < spatial; i++) same = m->stride.dim[i] == 1;
        if (!same)
            tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                      "%s: padding='%s' must be numbers, 'same' (with stride 1) or 'valid'",
                      tern_module_name(self), given.as.s);
        return same;
    }
    size_t count = tern_value_count(given);
    if (count > TERN_MAX_RANK) count = TERN_MAX_RANK;
    m->pad.rank = given.kind == TERN_VALUE_INT ? 1 : (int32_t)count;
    m->pad.dim[0] = tern_value_as_int(given);
    for (size_t i = 0; i < count; i++) m->pad.dim[i] = tern_value_as_int(tern_value_at(given, i));
    if (!tern_layer_expand(self, "padding", &m->pad, spatial, 0)) return false;
    m->padding = tern_layer_tuple(self, m->pad.dim, (size_t)m->pad.rank);
    return true;
}

/* weight [first, second, k...]; fan_in is second * prod(k) in both kinds, as PyTorch counts it. */
static void draw(tern_module *self, int64_t first, int64_t second) {
    conv *m = (conv *)self;
    tern_shape shape = {2, {first, second}};
    double fan_in = (double)second;
    for (int i = 0; i < m->kernel_size.rank; i++) {
        shape.dim[shape.rank++] = m->kernel_size.dim[i];
        fan_in *= (double)m->kernel_size.dim[i];
    }
    m->weight = tern_layer_kaiming(self, "weight", shape, m->dtype);
    m->bias = m->bias_wanted ? tern_layer_uniform(self, "bias", TERN_SHAPE(m->out_channels),
                                                  m->dtype, 1.0 / sqrt(fan_in))
                             : tern_layer_none(self, "bias", &m->bias);
}

static bool read_sizes(tern_module *self) {
    conv *m = (conv *)self;
    int spatial = tern_layer_spatial(self);
    if (!tern_layer_expand(self, "kernel_size", &m->kernel_size, spatial, 1) ||
        !tern_layer_expand(self, "stride", &m->stride, spatial, 1) ||
        !tern_layer_expand(self, "dilation", &m->dilation, spatial, 1) ||
        !tern_layer_expand(self, "output_padding", &m->output_padding, spatial, 0))
        return false;
    for (int i = 0; i < spatial; i++)
        if (!tern_layer_positive(self, "kernel_size", m->kernel_size.dim[i]) ||
            !tern_layer_positive(self, "stride", m->stride.dim[i]) ||
            !tern_layer_positive(self, "dilation", m->dilation.dim[i]))
            return false;
    return check_channels(self) && check_mode(self) && read_padding(self, spatial);
}

static tern_status conv_init(tern_module *self) {
    conv *m = (conv *)self;
    if (!read_sizes(self)) return TERN_ERR_ARGUMENT;
    draw(self, m->out_channels, m->in_channels / m->groups);
    return TERN_OK;
}

static tern_status transposed_init(tern_module *self) {
    conv *m = (conv *)self;
    if (!read_sizes(self)) return TERN_ERR_ARGUMENT;
    if (strcmp(m->padding_mode, "zeros") != 0)
        return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                         "%s: Only \"zeros\" padding mode is supported", tern_module_name(self));
    draw(self, m->in_channels, m->out_channels / m->groups);
    return TERN_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

static const char *const plain[] = {"nn.functional.conv1d", "nn.functional.conv2d",
                                    "nn.functional.conv3d"};
static const char *const transposed[] = {"nn.functional.conv_transpose1d",
                                         "nn.functional.conv_transpose2d",
                                         "nn.functional.conv_transpose3d"};

static tern_value shape_value(const tern_shape *shape) {
    return tern_ints(shape->dim, (size_t)shape->rank);
}

static bool is_text(tern_value value, const char *text) {
    return value.kind == TERN_VALUE_STRING && strcmp(value.as.s, text) == 0;
}

/* The input with its borders filled by the mode; amounts from the last dimension back, as
 * nn.functional.pad takes them. An uneven 'same' has the larger half behind. */
static tern_tensor *pad_borders(tern_module *self, tern_tensor *input) {
    const conv *m = (conv *)self;
    int64_t amounts[2 * TERN_MAX_RANK];
    int spatial = m->kernel_size.rank;
    bool fits = true;
    for (int i = 0; i < spatial; i++) {
        int d = spatial - 1 - i;
        int64_t total = tern_dim_mul(m->dilation.dim[d], m->kernel_size.dim[d] - 1, &fits);
        bool text = m->padding.kind == TERN_VALUE_STRING;
        int64_t before = !text ? m->pad.dim[d] : is_text(m->padding, "same") ? total / 2 : 0;
        amounts[2 * i] = before;
        amounts[2 * i + 1] = is_text(m->padding, "same") ? total - before : before;
    }
    if (!fits) {
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "%s: the kernel with its dilation is too large", tern_module_name(self));
        return tern_nil(tern_module_context(self));
    }
    tern_value args[] = {tern_tensor_value(input), tern_ints(amounts, 2 * (size_t)spatial),
                         tern_text(m->padding_mode)};
    return tern_layer_tensor(
        self, tern_module_operation(self, "nn.functional.pad", args, 3, tern_none()));
}

static tern_tensor *conv_forward(tern_module *self, tern_tensor *input) {
    const conv *m = (conv *)self;
    bool zeros = strcmp(m->padding_mode, "zeros") == 0;
    if (!zeros) input = pad_borders(self, input);
    tern_value args[] = {
        tern_tensor_value(input), tern_tensor_value(m->weight),     tern_tensor_value(m->bias),
        shape_value(&m->stride),  zeros ? m->padding : tern_int(0), shape_value(&m->dilation),
        tern_int(m->groups)};
    return tern_layer_tensor(
        self, tern_module_operation(self, plain[m->kernel_size.rank - 1], args, 7, tern_none()));
}

/* NULL for what needs padding of its own, and for an input without a batch. */
static tern_tensor *conv_forward_map(tern_module *self, tern_tensor *input, const char *formula) {
    const conv *m = (conv *)self;
    if (m->padding.kind == TERN_VALUE_STRING || strcmp(m->padding_mode, "zeros") != 0 ||
        tern_rank(input) != m->kernel_size.rank + 2)
        return NULL;
    return tern_convolution_map(input, m->weight, m->bias, formula, m->stride, m->pad, m->dilation,
                                m->groups);
}

/* The smallest output of dimension d: (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1. A
 * stride more fits too. */
static int64_t least_output(const conv *m, int d, int64_t size, bool *fits) {
    int64_t reach = tern_dim_mul(m->dilation.dim[d], m->kernel_size.dim[d] - 1, fits);
    int64_t least = tern_dim_mul(size - 1, m->stride.dim[d], fits);
    least = tern_dim_sub(least, tern_dim_mul(2, m->pad.dim[d], fits), fits);
    least = tern_dim_add(tern_dim_add(least, reach, fits), 1, fits);
    tern_dim_add(least, m->stride.dim[d], fits);
    return least;
}

/* output_padding that gives the sizes wanted; PyTorch's check and words. */
static bool choose_output_padding(tern_module *self, const tern_tensor *input, tern_value wanted,
                                  tern_shape *out_padding) {
    const conv *m = (conv *)self;
    int spatial = m->kernel_size.rank, rank = tern_rank(input);
    int count = (int)tern_value_count(wanted);
    size_t first = tern_value_count(wanted) - (size_t)spatial;
    if (rank < spatial || (count != spatial && count != rank)) {
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "%s: output_size must have %d or %d elements (got %d)", tern_module_name(self),
                  spatial, spatial + 2, count);
        return false;
    }
    for (int d = 0; d < spatial; d++) {
        int64_t size = tern_value_as_int(tern_value_at(wanted, first + (size_t)d));
        bool fits = true;
        int64_t least = least_output(m, d, tern_size(input, rank - spatial + d), &fits);
        if (!fits || size < least || size >= least + m->stride.dim[d]) {
            tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                      "%s: requested an output size of %lld in dimension %d, but valid sizes range "
                      "from %lld to %lld",
                      tern_module_name(self), (long long)size, d, (long long)least,
                      (long long)(fits ? least + m->stride.dim[d] - 1 : least));
            return false;
        }
        out_padding->dim[d] = size - least;
    }
    return true;
}

static tern_value transposed_call(tern_module *self, const tern_value *args) {
    const conv *m = (conv *)self;
    tern_shape output_padding = m->output_padding;
    if (args[1].kind != TERN_VALUE_NONE &&
        !choose_output_padding(self, args[0].as.tensor, args[1], &output_padding))
        return tern_none();
    tern_value all[] = {args[0],
                        tern_tensor_value(m->weight),
                        tern_tensor_value(m->bias),
                        shape_value(&m->stride),
                        m->padding,
                        shape_value(&output_padding),
                        tern_int(m->groups),
                        shape_value(&m->dilation)};
    return tern_module_operation(self, transposed[m->kernel_size.rank - 1], all, 8, tern_none());
}

/* ---- classes --------------------------------------------------------------------------------- */

#define BEGIN "in_channels out_channels kernel_size= stride= $padding=? dilation=? "
#define END   "groups=? bias=? $padding_mode=?"
#define CONV(name)                                                                                 \
    TERN_MODULE_CLASS(name "(int in_channels, int out_channels, int[] kernel_size, "               \
                           "int[] stride=1, int[]|str padding=0, int[] dilation=1, int groups=1, " \
                           "bool bias=True, str padding_mode='zeros', str? device=None, "          \
                           "dtype? dtype=None)",                                                   \
                      conv),                                                                       \
        .fields = fields, .init = conv_init, .forward = conv_forward,                              \
        .forward_map = TERN_FORWARD_MAP(conv_forward_map), .print = BEGIN END
#define TRANSPOSED(name)                                                                           \
    TERN_MODULE_CLASS(name "(int in_channels, int out_channels, int[] kernel_size, "               \
                           "int[] stride=1, int[] padding=0, int[] output_padding=0, "             \
                           "int groups=1, bool bias=True, int[] dilation=1, "                      \
                           "str padding_mode='zeros', str? device=None, dtype? dtype=None)",       \
                      conv),                                                                       \
        .fields = fields, .init = transposed_init,                                                 \
        .call_schema = "forward(Tensor input, int[]? output_size=None)", .call = transposed_call,  \
        .print = BEGIN "output_padding=? " END

const tern_module_class tern_conv1d_class = {CONV("Conv1d")};
const tern_module_class tern_conv2d_class = {CONV("Conv2d")};
const tern_module_class tern_conv3d_class = {CONV("Conv3d")};
const tern_module_class tern_conv_transpose1d_class = {TRANSPOSED("ConvTranspose1d")};
const tern_module_class tern_conv_transpose2d_class = {TRANSPOSED("ConvTranspose2d")};
const tern_module_class tern_conv_transpose3d_class = {TRANSPOSED("ConvTranspose3d")};

/* ---- typed constructors ---------------------------------------------------------------------- */

static tern_module *make(tern_ctx *ctx, const char *who, const tern_module_class *cls,
                         int64_t in_channels, int64_t out_channels, int64_t kernel_size,
                         const tern_conv_options *options) {
    tern_conv_options o = TERN_CONV_OPTIONS;
    if (!tern_options_read(ctx, who, options, &o)) return NULL;
    if (o.kernel_size.rank == 0) o.kernel_size = (tern_shape){1, {kernel_size}};
    conv config = {.in_channels = in_channels,
                   .out_channels = out_channels,
                   .groups = o.groups,
                   .kernel_size = o.kernel_size,
                   .stride = o.stride,
                   .dilation = o.dilation,
                   .output_padding = o.output_padding,
                   .padding = o.padding_text ? tern_text(o.padding_text) : shape_value(&o.padding),
                   .bias_wanted = o.bias,
                   .padding_mode = o.padding_mode ? o.padding_mode : "zeros",
                   .device = o.device,
                   .dtype = o.dtype};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_conv1d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                            int64_t kernel_size, const tern_conv_options *options) {
    return make(ctx, "tern_nn_conv1d", &tern_conv1d_class, in_channels, out_channels, kernel_size,
                options);
}

tern_module *tern_nn_conv2d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                            int64_t kernel_size, const tern_conv_options *options) {
    return make(ctx, "tern_nn_conv2d", &tern_conv2d_class, in_channels, out_channels, kernel_size,
                options);
}

tern_module *tern_nn_conv3d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                            int64_t kernel_size, const tern_conv_options *options) {
    return make(ctx, "tern_nn_conv3d", &tern_conv3d_class, in_channels, out_channels, kernel_size,
                options);
}

tern_module *tern_nn_conv_transpose1d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                                      int64_t kernel_size, const tern_conv_options *options) {
    return make(ctx, "tern_nn_conv_transpose1d", &tern_conv_transpose1d_class, in_channels,
                out_channels, kernel_size, options);
}

tern_module *tern_nn_conv_transpose2d(tern_ctx *ctx, int64_t in_channels, int64_t out_channels,
                                      int64_t kernel_size, const tern_conv_options *options) {
    return make(ctx, "tern_nn_conv_transpose2d", &tern_conv_transpose2d_class, in_channels,
                out_channels, kernel_size, options);
}
