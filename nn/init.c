/*
 * init.c: torch.nn.init: random fills whose numbers follow from a fan or a gain.
 *
 * The arithmetic is in double, in PyTorch's order of roundings: the bounds then have PyTorch's bits.
 */
#include <math.h>
#include <string.h>

#include "module.h"

/* ---- shared ---------------------------------------------------------------------------------- */

/* Ends a no-grad scope: the tensor itself, or nil where something in it failed. */
static tern_tensor *finish(tern_scope scope, tern_tensor *tensor) {
    tern_scope_end(scope);
    tern_ctx *ctx = tern_context_of(tensor);
    return tern_latched(ctx) ? tern_nil(ctx) : tensor;
}

/* False for nil, and for a tensor without elements, which every initialiser leaves as it is. */
static bool is_filled(const tern_tensor *tensor) {
    return !tern_is_nil(tensor) && tern_numel(tensor) > 0;
}

tern_tensor *tern_init_uniform(tern_tensor *tensor, double a, double b, tern_generator *generator) {
    if (!is_filled(tensor)) return tensor;
    tern_scope scope = tern_scope_begin(tern_context_of(tensor), TERN_NO_GRAD);
    tern_uniform_in_place(tensor, a, b, generator);
    return finish(scope, tensor);
}

tern_tensor *tern_init_normal(tern_tensor *tensor, double mean, double std,
                              tern_generator *generator) {
    if (!is_filled(tensor)) return tensor;
    tern_scope scope = tern_scope_begin(tern_context_of(tensor), TERN_NO_GRAD);
    tern_normal_in_place(tensor, mean, std, generator);
    return finish(scope, tensor);
}

tern_tensor *tern_init_constant(tern_tensor *tensor, double val) {
    if (!is_filled(tensor)) return tensor;
    tern_scope scope = tern_scope_begin(tern_context_of(tensor), TERN_NO_GRAD);
    tern_fill_in_place(tensor, val);
    return finish(scope, tensor);
}

tern_tensor *tern_init_ones(tern_tensor *tensor) {
    return tern_init_constant(tensor, 1.0);
}

tern_tensor *tern_init_zeros(tern_tensor *tensor) {
    return tern_init_constant(tensor, 0.0);
}

/* ---- gains and fans -------------------------------------------------------------------------- */

double tern_init_gain(tern_ctx *ctx, const char *nonlinearity, const double *param) {
    static const char *const ones[] = {"linear",           "conv1d",           "conv2d",
                                       "conv3d",           "conv_transpose1d", "conv_transpose2d",
                                       "conv_transpose3d", "sigmoid"};
    if (!tern_argument_given(ctx, "calculate_gain", "nonlinearity", nonlinearity)) return NAN;
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++)
        if (strcmp(nonlinearity, ones[i]) == 0) return 1.0;
    if (strcmp(nonlinearity, "tanh") == 0) return 5.0 / 3;
    if (strcmp(nonlinearity, "relu") == 0) return sqrt(2.0);
    if (strcmp(nonlinearity, "selu") == 0) return 3.0 / 4;
    if (strcmp(nonlinearity, "leaky_relu") == 0) {
        double slope = param ? *param : 0.01;
        return sqrt(2.0 / (1 + slope * slope));
    }
    tern_fail(ctx, TERN_ERR_ARGUMENT, "calculate_gain: Unsupported nonlinearity %s", nonlinearity);
    return (double)NAN;
}

/* fan_in = size(1) * receptive field, fan_out = size(0) * receptive field. */
static bool fans(const tern_tensor *tensor, double *out_fan_in, double *out_fan_out) {
    tern_shape shape = tern_shape_of(tensor);
    if (shape.rank < 2) {
        tern_fail(tern_context_of(tensor), TERN_ERR_ARGUMENT,
                  "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
        return false;
    }
    double field = 1;
    for (int i = 2; i < shape.rank; i++) field *= (double)shape.dim[i];
    *out_fan_in = (double)shape.dim[1] * field;
    *out_fan_out = (double)shape.dim[0] * field;
    return true;
}

tern_tensor *tern_init_xavier_uniform(tern_tensor *tensor, double gain, tern_generator *generator) {
    double fan_in, fan_out;
    if (!is_filled(tensor)) return tensor;
    if (!fans(tensor, &fan_in, &fan_out)) return tern_nil(tern_context_of(tensor));
    double std = gain * sqrt(2.0 / (fan_in + fan_out));
    double bound = sqrt(3.0) * std;
    return tern_init_uniform(tensor, -bound, bound, generator);
}

tern_tensor *tern_init_xavier_normal(tern_tensor *tensor, double gain, tern_generator *generator) {
    double fan_in, fan_out;
    if (!is_filled(tensor)) return tensor;
    if (!fans(tensor, &fan_in, &fan_out)) return tern_nil(tern_context_of(tensor));
    return tern_init_normal(tensor, 0.0, gain * sqrt(2.0 / (fan_in + fan_out)), generator);
}

/* The options with their defaults, and gain / sqrt(fan); false after latching an error. */
static bool kaiming_std(tern_tensor *tensor, const tern_kaiming_options *options,
                        tern_kaiming_options *out_options, double *out_std) {
    tern_ctx *ctx = tern_context_of(tensor);
    double fan_in, fan_out;
    *out_options = (tern_kaiming_options)TERN_KAIMING_OPTIONS;
    if (!tern_options_read(ctx, "tern_init_kaiming", options, out_options)) return false;
    if (!tern_argument_given(ctx, "tern_init_kaiming", "mode", out_options->mode)) return false;
    bool is_in = strcmp(out_options->mode, "fan_in") == 0;
    if (!is_in && strcmp(out_options->mode, "fan_out") != 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Mode %s not supported, please use one of ['fan_in', 'fan_out']",
                  out_options->mode);
        return false;
    }
    if (!fans(tensor, &fan_in, &fan_out)) return false;
    double gain = tern_init_gain(ctx, out_options->nonlinearity, &out_options->a);
    *out_std = gain / sqrt(is_in ? fan_in : fan_out);
    return !isnan(gain);
}

tern_tensor *tern_init_kaiming_uniform(tern_tensor *tensor, const tern_kaiming_options *options) {
    tern_kaiming_options o;
    double std;
    if (!is_filled(tensor)) return tensor;
    if (!kaiming_std(tensor, options, &o, &std)) return tern_nil(tern_context_of(tensor));
    double bound = sqrt(3.0) * std;
    return tern_init_uniform(tensor, -bound, bound, o.generator);
}

tern_tensor *tern_init_kaiming_normal(tern_tensor *tensor, const tern_kaiming_options *options) {
    tern_kaiming_options o;
    double std;
    if (!is_filled(tensor)) return tensor;
    if (!kaiming_std(tensor, options, &o, &std)) return tern_nil(tern_context_of(tensor));
    return tern_init_normal(tensor, 0.0, std, o.generator);
}

/* ---- trunc_normal_ --------------------------------------------------------------------------- */

static double normal_cdf(double x) {
    return (1.0 + erf(x / sqrt(2.0))) / 2.0;
}

/* Whole fresh tensors are drawn; each fills in what is out of bounds still. */
static void redraw(tern_tensor *tensor, double mean, double std, double a, double b,
                   tern_generator *generator) {
    tern_ctx *ctx = tern_context_of(tensor);
    bool outside = true;
    tern_normal_in_place(tensor, mean, std, generator);
    while (outside && !tern_latched(ctx)) {
        tern_scope round = tern_scope_begin(ctx, 0);
        tern_tensor *mask = tern_logical_or(tern_lt_scalar(tensor, a), tern_gt_scalar(tensor, b));
        outside = tern_item_i64(tern_any(mask)) != 0;
        if (outside) {
            tern_tensor *fresh = tern_empty_like(tensor);
            tern_normal_in_place(fresh, mean, std, generator);
            tern_copy_in_place(tensor, tern_where(mask, fresh, tensor));
        }
        tern_scope_end(round);
    }
}

/* Rejection from the uniform distribution, for windows far from the mean: a candidate c stays with
 * probability density(c) / density(peak of the window). */
static void reject(tern_tensor *tensor, double mean, double std, double a, double b,
                   tern_generator *generator) {
    tern_ctx *ctx = tern_context_of(tensor);
    double peak = mean < a ? a : mean > b ? b : mean, z = (peak - mean) / std;
    double log_peak = -0.5 * (z * z);
    tern_tensor *pending = tern_eq(tensor, tensor);
    tern_fill_in_place(pending, 1.0);
    bool waiting = true;
    while (waiting && !tern_latched(ctx)) {
        tern_scope round = tern_scope_begin(ctx, 0);
        tern_tensor *c = tern_uniform_in_place(tern_empty_like(tensor), a, b, generator);
        tern_tensor *u = tern_uniform_in_place(tern_empty_like(tensor), 0.0, 1.0, generator);
        tern_tensor *score = tern_div_scalar(tern_sub_scalar(c, mean), std);
        score = tern_mul_scalar(tern_pow_scalar(score, 2.0), -0.5);
        score = tern_sub_scalar(score, log_peak);
        tern_tensor *stays = tern_logical_not(tern_gt(tern_log(u), score));
        tern_copy_in_place(tensor, tern_where(tern_logical_and(pending, stays), c, tensor));
        tern_copy_in_place(pending, tern_logical_and(pending, tern_logical_not(stays)));
        waiting = tern_item_i64(tern_any(pending)) != 0;
        tern_scope_end(round);
    }
}

tern_tensor *tern_init_trunc_normal(tern_tensor *tensor, double mean, double std, double a,
                                    double b, tern_generator *generator) {
    if (!is_filled(tensor)) return tensor;
    tern_scope scope = tern_scope_begin(tern_context_of(tensor), TERN_NO_GRAD);
    double share = normal_cdf((b - mean) / std) - normal_cdf((a - mean) / std);
    if (share > 0.3)
        redraw(tensor, mean, std, a, b, generator);
    else
        reject(tensor, mean, std, a, b, generator);
    return finish(scope, tensor);
}
