/* norm.c: batch and instance normalisation, with running statistics. */
#include <stdio.h>

#include "layers.h"

typedef struct norm {
    tern_module module;
    int64_t num_features;
    double eps;
    tern_optional_float momentum; /* none: the mean over all batches */
    bool affine, track_running_stats, bias_wanted;
    const char *device;
    tern_dtype dtype;
    tern_tensor *weight, *bias, *running_mean, *running_var, *num_batches_tracked;
} norm;

static const tern_field fields[] = {
    TERN_FIELD(norm, num_features, num_features),
    TERN_FIELD(norm, eps, eps),
    TERN_FIELD(norm, momentum, momentum),
    TERN_FIELD(norm, affine, affine),
    TERN_FIELD(norm, track_running_stats, track_running_stats),
    TERN_FIELD(norm, bias, bias_wanted),
    TERN_FIELD(norm, device, device),
    TERN_FIELD(norm, dtype, dtype),
    TERN_FIELD_END,
};

static tern_tensor *statistic(tern_module *self, const char *name, double value) {
    const norm *m = (norm *)self;
    tern_tensor *tensor = NULL;
    if (m->track_running_stats)
        tensor = tern_full(tern_module_context(self), TERN_SHAPE(m->num_features), value,
                           tern_layer_dtype(m->dtype));
    return tern_module_buffer(self, name, tensor, true);
}

static tern_status norm_init(tern_module *self) {
    norm *m = (norm *)self;
    tern_shape shape = TERN_SHAPE(m->num_features);
    if (m->num_features < 0)
        return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                         "%s: num_features=%lld must not be negative", tern_module_name(self),
                         (long long)m->num_features);
    m->weight = m->affine ? tern_layer_filled(self, "weight", shape, m->dtype, 1)
                          : tern_layer_none(self, "weight", &m->weight);
    m->bias_wanted = m->bias_wanted && m->affine;
    m->bias = m->bias_wanted ? tern_layer_filled(self, "bias", shape, m->dtype, 0)
                             : tern_layer_none(self, "bias", &m->bias);
    m->running_mean = statistic(self, "running_mean", 0);
    m->running_var = statistic(self, "running_var", 1);
    tern_tensor *count = NULL;
    if (m->track_running_stats)
        count = tern_zeros(tern_module_context(self), TERN_SCALAR_SHAPE, TERN_INT64);
    m->num_batches_tracked = tern_module_buffer(self, "num_batches_tracked", count, true);
    return TERN_OK;
}

/* PyTorch's words; `least` to `most` dimensions. */
static bool check_rank(tern_module *self, const tern_tensor *input, int least, int most) {
    int rank = tern_rank(input);
    char both[24] = "";
    if (rank >= least && rank <= most) return true;
    if (least != most) snprintf(both, sizeof both, "%dD or ", least);
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
              "%s: expected %s%dD input (got %dD input)", tern_module_name(self), both, most, rank);
    return false;
}

/* `moves_by` is the momentum, a number, or the count of batches where statistics are means over all of them. */
static tern_tensor *normalise(tern_module *self, const char *operation, tern_tensor *input,
                              bool of_batch, tern_value moves_by) {
    const norm *m = (norm *)self;
    bool keeps = !self->inner->training || m->track_running_stats;
    tern_value args[8] = {tern_tensor_value(input),
                          tern_tensor_value(keeps ? m->running_mean : NULL),
                          tern_tensor_value(keeps ? m->running_var : NULL),
                          tern_tensor_value(m->weight), tern_tensor_value(m->bias)};
    int n = 5;
    if (moves_by.kind != TERN_VALUE_TENSOR) args[n++] = tern_bool(of_batch);
    args[n++] = moves_by;
    args[n++] = tern_float(m->eps);
    return tern_layer_tensor(self, tern_module_operation(self, operation, args, n, tern_none()));
}

static tern_value momentum_of(const norm *m) {
    return tern_float(m->momentum.has ? m->momentum.value : 0.0);
}

/* ---- batch: statistics over all but the channels --------------------------------------------- */

static void count_batch(tern_module *self) {
    tern_scope scope = tern_scope_begin(tern_module_context(self), TERN_NO_GRAD);
    tern_value args[] = {tern_tensor_value(((norm *)self)->num_batches_tracked), tern_int(1)};
    tern_module_operation(self, "add_", args, 2, tern_none());
    tern_scope_end(scope);
}

static tern_tensor *batch_forward(tern_module *self, tern_tensor *input) {
    const norm *m = (norm *)self;
    int spatial = tern_layer_spatial(self);
    if (!check_rank(self, input, spatial == 1 ? 2 : spatial + 2, spatial + 2))
        return tern_nil(tern_module_context(self));
    bool counts = self->inner->training && m->num_batches_tracked;
    if (counts) count_batch(self);
    if (counts && !m->momentum.has)
        return normalise(self, "_batch_norm_averaged", input, true,
                         tern_tensor_value(m->num_batches_tracked));
    return normalise(self, "nn.functional.batch_norm", input,
                     self->inner->training || !m->running_mean, momentum_of(m));
}

#define BATCH_NORM(name)                                                                           \
    TERN_MODULE_CLASS(name "(int num_features, float eps=1e-05, float? momentum=0.1, "             \
                           "bool affine=True, bool track_running_stats=True, str? device=None, "   \
                           "dtype? dtype=None, *, bool bias=True)",                                \
                      norm),                                                                       \
        .fields = fields, .init = norm_init, .forward = batch_forward, .version = 2,               \
        .print = "num_features eps= momentum= affine= bias= track_running_stats="

const tern_module_class tern_batch_norm1d_class = {BATCH_NORM("BatchNorm1d")};
const tern_module_class tern_batch_norm2d_class = {BATCH_NORM("BatchNorm2d")};
const tern_module_class tern_batch_norm3d_class = {BATCH_NORM("BatchNorm3d")};

tern_optional_float *tern_layer_momentum(tern_module *module) {
    return module->cls->forward == batch_forward ? &((norm *)module)->momentum : NULL;
}

/* ---- instance: statistics of each sample's channels ------------------------------------------ */

static tern_tensor *instance_forward(tern_module *self, tern_tensor *input) {
    const norm *m = (norm *)self;
    int spatial = tern_layer_spatial(self);
    if (!check_rank(self, input, spatial + 1, spatial + 2))
        return tern_nil(tern_module_context(self));
    bool single = tern_rank(input) == spatial + 1;
    bool of_input = self->inner->training || !m->track_running_stats;
    tern_tensor *batch = single ? tern_unsqueeze(input, 0) : input;
    tern_tensor *out =
        normalise(self, "nn.functional.instance_norm", batch, of_input, momentum_of(m));
    return single ? tern_squeeze(out, 0) : out;
}

#define INSTANCE_NORM(name)                                                                        \
    TERN_MODULE_CLASS(name "(int num_features, float eps=1e-05, float? momentum=0.1, "             \
                           "bool affine=False, bool track_running_stats=False, "                   \
                           "str? device=None, dtype? dtype=None, *, bool bias=True)",              \
                      norm),                                                                       \
        .fields = fields, .init = norm_init, .forward = instance_forward, .version = 2,            \
        .print = "num_features eps= momentum= affine= bias= track_running_stats="

const tern_module_class tern_instance_norm1d_class = {INSTANCE_NORM("InstanceNorm1d")};
const tern_module_class tern_instance_norm2d_class = {INSTANCE_NORM("InstanceNorm2d")};
const tern_module_class tern_instance_norm3d_class = {INSTANCE_NORM("InstanceNorm3d")};

/* ---- typed constructors ---------------------------------------------------------------------- */

static tern_module *make(tern_ctx *ctx, const char *who, const tern_module_class *cls,
                         int64_t num_features, const tern_batch_norm_options *options) {
    tern_batch_norm_options o = TERN_BATCH_NORM_OPTIONS;
    if (!tern_options_read(ctx, who, options, &o)) return NULL;
    norm config = {.num_features = num_features,
                   .eps = o.eps,
                   .momentum = o.momentum,
                   .affine = o.affine,
                   .track_running_stats = o.track_running_stats,
                   .bias_wanted = o.bias,
                   .device = o.device,
                   .dtype = o.dtype};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_batch_norm1d(tern_ctx *ctx, int64_t num_features,
                                  const tern_batch_norm_options *options) {
    return make(ctx, "tern_nn_batch_norm1d", &tern_batch_norm1d_class, num_features, options);
}

tern_module *tern_nn_batch_norm2d(tern_ctx *ctx, int64_t num_features,
                                  const tern_batch_norm_options *options) {
    return make(ctx, "tern_nn_batch_norm2d", &tern_batch_norm2d_class, num_features, options);
}

tern_module *tern_nn_batch_norm3d(tern_ctx *ctx, int64_t num_features,
                                  const tern_batch_norm_options *options) {
    return make(ctx, "tern_nn_batch_norm3d", &tern_batch_norm3d_class, num_features, options);
}
