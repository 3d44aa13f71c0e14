/* pool.c: max, average, adaptive and power pooling, and the inverse of max pooling. */
#include <math.h>

#include "layers.h"

/* The arguments of all of them; sizes print as they were given, 2 or (2, 2). */
typedef struct pool {
    tern_module module;
    tern_value kernel_size, stride, padding, dilation, output_size;
    tern_value norm_type;
    tern_optional_int divisor_override;
    bool ceil_mode, return_indices, count_include_pad;
} pool;

static const tern_field fields[] = {
    TERN_FIELD(pool, kernel_size, kernel_size),
    TERN_FIELD(pool, stride, stride),
    TERN_FIELD(pool, padding, padding),
    TERN_FIELD(pool, dilation, dilation),
    TERN_FIELD(pool, output_size, output_size),
    TERN_FIELD(pool, norm_type, norm_type),
    TERN_FIELD(pool, divisor_override, divisor_override),
    TERN_FIELD(pool, ceil_mode, ceil_mode),
    TERN_FIELD(pool, return_indices, return_indices),
    TERN_FIELD(pool, count_include_pad, count_include_pad),
    TERN_FIELD_END,
};

/* A window without a stride steps by its own size. */
static tern_status window_init(tern_module *self) {
    pool *m = (pool *)self;
    m->kernel_size = tern_layer_sizes(self, m->kernel_size);
    m->stride = tern_layer_sizes(self, m->stride);
    m->padding = tern_layer_sizes(self, m->padding);
    m->dilation = tern_layer_sizes(self, m->dilation);
    if (m->stride.kind == TERN_VALUE_NONE) m->stride = m->kernel_size;
    return TERN_OK;
}

/* ---- max ------------------------------------------------------------------------------------- */

#define MAX_POOL(name)                                                                             \
    TERN_MODULE_CLASS(name "(int|int[] kernel_size, int|int[]? stride=None, int|int[] padding=0, " \
                           "int|int[] dilation=1, bool return_indices=False, "                     \
                           "bool ceil_mode=False)",                                                \
                      pool),                                                                       \
        .fields = fields, .init = window_init,                                                     \
        .print = "kernel_size= stride= padding= dilation= ceil_mode="
#define MAX_POOL_MEMBERS " kernel_size stride padding dilation ceil_mode return_indices"

const tern_module_class tern_max_pool1d_class = {
    MAX_POOL("MaxPool1d"), .operation = "nn.functional.max_pool1d" MAX_POOL_MEMBERS};
const tern_module_class tern_max_pool2d_class = {
    MAX_POOL("MaxPool2d"), .operation = "nn.functional.max_pool2d" MAX_POOL_MEMBERS};
const tern_module_class tern_max_pool3d_class = {
    MAX_POOL("MaxPool3d"), .operation = "nn.functional.max_pool3d" MAX_POOL_MEMBERS};

/* ---- unpooling: kernel sizes print as tuples ------------------------------------------------- */

static tern_status as_tuple(tern_module *self, tern_value *value) {
    int count = tern_layer_spatial(self);
    tern_value given = *value;
    size_t length = tern_value_count(given);
    if (given.kind == TERN_VALUE_INT || length == 1) {
        int64_t n = tern_value_as_int(length == 1 ? tern_value_at(given, 0) : given);
        *value = tern_layer_tuple(self, (int64_t[]){n, n, n}, (size_t)count);
    }
    return TERN_OK;
}

static tern_status tuples_init(tern_module *self) {
    pool *m = (pool *)self;
    window_init(self);
    as_tuple(self, &m->kernel_size);
    as_tuple(self, &m->stride);
    return as_tuple(self, &m->padding);
}

#define MAX_UNPOOL(name)                                                                           \
    TERN_MODULE_CLASS(name "(int|int[] kernel_size, int|int[]? stride=None, int|int[] padding=0)", \
                      pool),                                                                       \
        .fields = fields, .init = tuples_init,                                                     \
        .call_schema = "forward(Tensor input, Tensor indices, int[]? output_size=None)",           \
        .print = "kernel_size= stride= padding="

static tern_value unpool(tern_module *self, const char *operation, const tern_value *args) {
    const pool *m = (pool *)self;
    tern_value all[] = {args[0], args[1], m->kernel_size, m->stride, m->padding, args[2]};
    return tern_module_operation(self, operation, all, 6, tern_none());
}

static tern_value unpool1d(tern_module *self, const tern_value *args) {
    return unpool(self, "nn.functional.max_unpool1d", args);
}

static tern_value unpool2d(tern_module *self, const tern_value *args) {
    return unpool(self, "nn.functional.max_unpool2d", args);
}

static tern_value unpool3d(tern_module *self, const tern_value *args) {
    return unpool(self, "nn.functional.max_unpool3d", args);
}

const tern_module_class tern_max_unpool1d_class = {MAX_UNPOOL("MaxUnpool1d"), .call = unpool1d};
const tern_module_class tern_max_unpool2d_class = {MAX_UNPOOL("MaxUnpool2d"), .call = unpool2d};
const tern_module_class tern_max_unpool3d_class = {MAX_UNPOOL("MaxUnpool3d"), .call = unpool3d};

/* ---- average --------------------------------------------------------------------------------- */

const tern_module_class tern_avg_pool1d_class = {
    TERN_MODULE_CLASS("AvgPool1d(int|int[] kernel_size, int|int[]? stride=None, "
                      "int|int[] padding=0, bool ceil_mode=False, bool count_include_pad=True)",
                      pool),
    .fields = fields,
    .init = tuples_init,
    .operation = "nn.functional.avg_pool1d kernel_size stride padding ceil_mode count_include_pad",
    .print = "kernel_size= stride= padding=",
};

#define AVG_POOL(name)                                                                             \
    TERN_MODULE_CLASS(name "(int|int[] kernel_size, int|int[]? stride=None, int|int[] padding=0, " \
                           "bool ceil_mode=False, bool count_include_pad=True, "                   \
                           "int? divisor_override=None)",                                          \
                      pool),                                                                       \
        .fields = fields, .init = window_init, .print = "kernel_size= stride= padding="
#define AVG_POOL_MEMBERS " kernel_size stride padding ceil_mode count_include_pad divisor_override"

const tern_module_class tern_avg_pool2d_class = {
    AVG_POOL("AvgPool2d"), .operation = "nn.functional.avg_pool2d" AVG_POOL_MEMBERS};
const tern_module_class tern_avg_pool3d_class = {
    AVG_POOL("AvgPool3d"), .operation = "nn.functional.avg_pool3d" AVG_POOL_MEMBERS};

/* ---- adaptive: a size of None keeps the input's ---------------------------------------------- */

static tern_status output_init(tern_module *self) {
    pool *m = (pool *)self;
    m->output_size = tern_layer_sizes(self, m->output_size);
    return TERN_OK;
}

#define ADAPTIVE(schema_text)                                                                      \
    TERN_MODULE_CLASS(schema_text, pool), .fields = fields, .init = output_init,                   \
                                          .print = "output_size="

const tern_module_class tern_adaptive_avg_pool1d_class = {
    ADAPTIVE("AdaptiveAvgPool1d(any output_size)"),
    .operation = "nn.functional.adaptive_avg_pool1d output_size"};
const tern_module_class tern_adaptive_avg_pool2d_class = {
    ADAPTIVE("AdaptiveAvgPool2d(any output_size)"),
    .operation = "nn.functional.adaptive_avg_pool2d output_size"};
const tern_module_class tern_adaptive_avg_pool3d_class = {
    ADAPTIVE("AdaptiveAvgPool3d(any output_size)"),
    .operation = "nn.functional.adaptive_avg_pool3d output_size"};
const tern_module_class tern_adaptive_max_pool1d_class = {
    ADAPTIVE("AdaptiveMaxPool1d(any output_size, bool return_indices=False)"),
    .operation = "nn.functional.adaptive_max_pool1d output_size return_indices"};
const tern_module_class tern_adaptive_max_pool2d_class = {
    ADAPTIVE("AdaptiveMaxPool2d(any output_size, bool return_indices=False)"),
    .operation = "nn.functional.adaptive_max_pool2d output_size return_indices"};
const tern_module_class tern_adaptive_max_pool3d_class = {
    ADAPTIVE("AdaptiveMaxPool3d(any output_size, bool return_indices=False)"),
    .operation = "nn.functional.adaptive_max_pool3d output_size return_indices"};

/* ---- power: (sum of x^p over the window)^(1/p) ----------------------------------------------- */

static double window_volume(const tern_module *self, tern_value kernel_size) {
    double volume = 1;
    size_t count = tern_value_count(kernel_size);
    for (int i = 0; i < tern_layer_spatial(self); i++) {
        tern_value size =
            count == 0 ? kernel_size : tern_value_at(kernel_size, count == 1 ? 0 : (size_t)i);
        volume *= tern_value_as_double(size);
    }
    return volume;
}

/* The average times the window's volume is the sum; sign(x) relu(|x|) is PyTorch's, whose gradient
 * is 0 at 0. */
static tern_tensor *power_forward(tern_module *self, tern_tensor *input) {
    static const char *const average[] = {"nn.functional.avg_pool1d kernel_size stride ceil_mode",
                                          "nn.functional.avg_pool2d kernel_size stride ceil_mode",
                                          "nn.functional.avg_pool3d kernel_size stride ceil_mode"};
    const pool *m = (pool *)self;
    double power = tern_value_as_double(m->norm_type);
    tern_tensor *mean =
        tern_layer_call(self, average[tern_layer_spatial(self) - 1], tern_pow_scalar(input, power));
    tern_tensor *size = tern_mul(tern_sign(mean), tern_relu(tern_abs(mean)));
    return tern_pow_scalar(tern_mul_scalar(size, window_volume(self, m->kernel_size)), 1.0 / power);
}

static tern_status power_init(tern_module *self) {
    pool *m = (pool *)self;
    m->kernel_size = tern_layer_sizes(self, m->kernel_size);
    m->stride = tern_layer_sizes(self, m->stride);
    return TERN_OK;
}

#define POWER(name)                                                                                \
    TERN_MODULE_CLASS(name "(Number norm_type, int|int[] kernel_size, int|int[]? stride=None, "    \
                           "bool ceil_mode=False)",                                                \
                      pool),                                                                       \
        .fields = fields, .init = power_init, .forward = power_forward,                            \
        .print = "norm_type= kernel_size= stride= ceil_mode="

const tern_module_class tern_lp_pool1d_class = {POWER("LPPool1d")};
const tern_module_class tern_lp_pool2d_class = {POWER("LPPool2d")};
const tern_module_class tern_lp_pool3d_class = {POWER("LPPool3d")};

/* ---- typed constructors ---------------------------------------------------------------------- */

static tern_module *window(tern_ctx *ctx, const tern_module_class *cls, int64_t kernel_size,
                           int64_t stride, int64_t padding) {
    pool config = {.kernel_size = tern_int(kernel_size),
                   .stride = stride == 0 ? tern_none() : tern_int(stride),
                   .padding = tern_int(padding),
                   .dilation = tern_int(1),
                   .count_include_pad = true};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_max_pool1d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                int64_t padding) {
    return window(ctx, &tern_max_pool1d_class, kernel_size, stride, padding);
}

tern_module *tern_nn_max_pool2d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                int64_t padding) {
    return window(ctx, &tern_max_pool2d_class, kernel_size, stride, padding);
}

tern_module *tern_nn_avg_pool1d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                int64_t padding) {
    return window(ctx, &tern_avg_pool1d_class, kernel_size, stride, padding);
}

tern_module *tern_nn_avg_pool2d(tern_ctx *ctx, int64_t kernel_size, int64_t stride,
                                int64_t padding) {
    return window(ctx, &tern_avg_pool2d_class, kernel_size, stride, padding);
}

tern_module *tern_nn_adaptive_avg_pool2d(tern_ctx *ctx, int64_t height, int64_t width) {
    int64_t sizes[] = {height, width};
    pool config = {.output_size = tern_ints(sizes, 2)};
    return tern_module_new(ctx, &tern_adaptive_avg_pool2d_class, &config);
}
