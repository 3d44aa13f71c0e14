/*
 * norm_layers.c: layer, group, batch, instance and root-mean-square normalisation, local response
 * normalisation, and their native forms, which also return the statistics.
 *
 * (x - mean) / sqrt(var + eps) * weight + bias, with the biased variance: each says over which dimensions,
 * and views its parameters so that they broadcast; the rest is the operation _norm (normalise.h).
 */
#include <float.h>
#include <math.h>

#include "core/ops/compose.h"
#include "norm_given.h"
#include "normalise.h"

/* A parameter, or NULL, viewed as `shape`. */
static tern_tensor *viewed(tern_tensor *parameter, tern_shape shape) {
    return parameter ? tern_reshape(parameter, shape) : NULL;
}

/* The output of a normalisation. */
static tern_value output_of(tern_opcall *call, tern_tensor *x, const tern_norm_by *by) {
    tern_normalised n;
    return tern_normalise(call, x, by, &n) ? tern_tensor_value(n.out) : tern_none();
}

/* A vector over channels (dimension 1) in the shape that broadcasts to x. */
static tern_shape channel_shape(const tern_tensor *x) {
    tern_shape shape = {BODY(x)->rank, {0}};
    for (int d = 0; d < BODY(x)->rank; d++) shape.dim[d] = d == 1 ? BODY(x)->shape[1] : 1;
    return shape;
}

/* All dimensions but the channels. */
static tern_shape channel_dims(const tern_tensor *x) {
    tern_shape dims = {0, {0}};
    for (int d = 0; d < BODY(x)->rank; d++)
        if (d != 1) dims.dim[dims.rank++] = d;
    return dims;
}

/* Elements of one channel of one sample. */
static int64_t spatial_elements(const tern_tensor *x) {
    int64_t count = 1;
    for (int d = 2; d < BODY(x)->rank; d++) count *= BODY(x)->shape[d];
    return count;
}

/* ---- layer_norm, rms_norm ---- */

/* The dims that normalized_shape names: the last of x; false after latching. */
static bool trailing_dims(tern_opcall *call, const tern_tensor *x, tern_shape *out_shape,
                          tern_shape *out_dims) {
    char want[TERN_SHAPE_TEXT], have[TERN_SHAPE_TEXT];
    *out_shape = tern_arg_ints(call, 1);
    out_dims->rank = out_shape->rank;
    bool fits = out_shape->rank > 0 && out_shape->rank <= BODY(x)->rank;
    for (int i = 0; fits && i < out_shape->rank; i++) {
        int d = BODY(x)->rank - out_shape->rank + i;
        out_dims->dim[i] = d;
        fits = BODY(x)->shape[d] == out_shape->dim[i];
    }
    if (fits) return true;
    if (call->ctx->status == TERN_OK)
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "Given normalized_shape=%s, expected input with shape [*, ...] ending in it, "
            "but got input of size %s",
            tern_shape_text(out_shape->rank < 0 ? 0 : out_shape->rank, out_shape->dim, want),
            tern_shape_text(BODY(x)->rank, BODY(x)->shape, have));
    return false;
}

static bool parameter_fits(tern_opcall *call, const tern_tensor *parameter, const char *name,
                           const tern_shape *shape) {
    bool fits = !parameter || BODY(parameter)->rank == shape->rank;
    for (int d = 0; fits && parameter && d < shape->rank; d++)
        fits = BODY(parameter)->shape[d] == shape->dim[d];
    if (fits) return true;
    char want[TERN_SHAPE_TEXT], have[TERN_SHAPE_TEXT];
    tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected %s to be of shape %s, but got %s", name,
                   tern_shape_text(shape->rank, shape->dim, want),
                   tern_shape_text(BODY(parameter)->rank, BODY(parameter)->shape, have));
    return false;
}

/* A parameter over the last dimensions, or NULL, in the rank of x. */
static tern_tensor *over_trailing(const tern_tensor *x, tern_tensor *parameter, tern_shape shape) {
    tern_shape own = {BODY(x)->rank, {0}};
    int leading = own.rank - shape.rank;
    for (int d = 0; d < own.rank; d++) own.dim[d] = d < leading ? 1 : shape.dim[d - leading];
    return viewed(parameter, own);
}

/* What layer norm and its root-mean-square form normalise by; false after latching. */
static bool by_trailing(tern_opcall *call, bool rms, tern_tensor *bias, double eps,
                        tern_norm_by *out) {
    tern_tensor *x = tern_arg_tensor(call, 0), *weight = tern_arg_tensor(call, 2);
    tern_shape shape;
    *out = (tern_norm_by){.rms = rms, .eps = eps};
    if (!trailing_dims(call, x, &shape, &out->dims) ||
        !parameter_fits(call, weight, "weight", &shape) ||
        !parameter_fits(call, bias, "bias", &shape))
        return false;
    out->weight = over_trailing(x, weight, shape);
    out->bias = over_trailing(x, bias, shape);
    return call->ctx->status == TERN_OK;
}

static bool by_layer(tern_opcall *call, tern_norm_by *out) {
    return by_trailing(call, false, tern_arg_tensor(call, 3), tern_arg_double(call, 4, 1e-5), out);
}

tern_value tern_op_layer_norm(tern_opcall *call) {
    tern_norm_by by;
    return by_layer(call, &by) ? output_of(call, tern_arg_tensor(call, 0), &by) : tern_none();
}

/* The output and the statistics, these in `shape`, as one tuple in the input's dtype. */
static tern_value with_statistics(tern_opcall *call, const tern_normalised *n, tern_shape shape) {
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    /* Where an infinity makes the variance NaN, PyTorch's running mean is NaN too. */
    tern_tensor *mean = tern_fill_where(n->mean, tern_isnan(tern_detach(n->var)), NAN);
    tern_tensor *all[3] = {n->out, tern_to_dtype(tern_reshape(mean, shape), dtype),
                           tern_to_dtype(tern_reshape(n->rstd, shape), dtype)};
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, all, 3) : tern_none();
}

tern_value tern_op_native_layer_norm(tern_opcall *call) {
    tern_normalised n;
    tern_norm_by by;
    if (!by_layer(call, &by)) return tern_none();
    by.variance = true;
    return tern_normalise(call, tern_arg_tensor(call, 0), &by, &n)
               ? with_statistics(call, &n, tern_shape_of(n.mean))
               : tern_none();
}

/* The distance from 1 to the next number: rms_norm's eps where none is given. */
static double epsilon_of(tern_dtype dtype) {
    switch (dtype) {
    case TERN_FLOAT64: return DBL_EPSILON;
    case TERN_FLOAT16: return 0x1p-10;
    case TERN_BFLOAT16: return 0x1p-7;
    default: return (double)FLT_EPSILON;
    }
}

tern_value tern_op_rms_norm(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    double eps = tern_arg_double(call, 3, epsilon_of(tern_wide_dtype(BODY(x)->dtype)));
    tern_norm_by by;
    return by_trailing(call, true, NULL, eps, &by) ? output_of(call, x, &by) : tern_none();
}

/* ---- group_norm: over the last two dimensions of [n, groups, c / groups, rest] ---- */

typedef struct group_arguments {
    int64_t groups;
    tern_tensor *weight, *bias;
    double eps;
    bool variance;
} group_arguments;

static bool groups_fit(tern_opcall *call, const tern_tensor *x, const group_arguments *a) {
    if (BODY(x)->rank < 2 || a->groups <= 0 || BODY(x)->shape[1] % a->groups != 0) {
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "Expected number of channels in input to be divisible by num_groups, but got "
            "an input of %lld channels and num_groups=%lld",
            (long long)(BODY(x)->rank > 1 ? BODY(x)->shape[1] : 0), (long long)a->groups);
        return false;
    }
    tern_shape channels = {1, {BODY(x)->shape[1]}};
    return parameter_fits(call, a->weight, "weight", &channels) &&
           parameter_fits(call, a->bias, "bias", &channels);
}

static bool group_norm_of(tern_opcall *call, const group_arguments *a, tern_normalised *out) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!groups_fit(call, x, a)) return false;
    int64_t each = BODY(x)->shape[1] / a->groups, rest = spatial_elements(x);
    tern_shape shape = TERN_SHAPE(1, a->groups, each, 1);
    tern_norm_by by = {.dims = TERN_SHAPE(2, 3),
                       .weight = viewed(a->weight, shape),
                       .bias = viewed(a->bias, shape),
                       .eps = a->eps,
                       .variance = a->variance};
    tern_tensor *split = tern_reshape(x, TERN_SHAPE(BODY(x)->shape[0], a->groups, each, rest));
    if (!tern_normalise(call, split, &by, out)) return false;
    out->out = tern_reshape(out->out, tern_shape_of(x));
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_group_norm(tern_opcall *call) {
    group_arguments a = {tern_arg_int(call, 1, 1), tern_arg_tensor(call, 2),
                         tern_arg_tensor(call, 3), tern_arg_double(call, 4, 1e-5), false};
    tern_normalised n;
    return group_norm_of(call, &a, &n) ? tern_tensor_value(n.out) : tern_none();
}

/* native_group_norm(input, weight, bias, N, C, HxW, group, eps) */
tern_value tern_op_native_group_norm(tern_opcall *call) {
    group_arguments a = {tern_arg_int(call, 6, 1), tern_arg_tensor(call, 1),
                         tern_arg_tensor(call, 2), tern_arg_double(call, 7, 1e-5), true};
    tern_normalised n;
    if (!group_norm_of(call, &a, &n)) return tern_none();
    return with_statistics(call, &n, TERN_SHAPE(BODY(n.mean)->shape[0], a.groups));
}

/* ---- batch_norm ---- */

typedef struct batch_arguments {
    tern_tensor *weight, *bias, *running_mean, *running_var;
    bool training;
    double momentum, eps;
    tern_tensor *batches; /* the running statistics are means over so many; NULL: by momentum */
} batch_arguments;

static bool batch_fits(tern_opcall *call, const tern_tensor *x, const batch_arguments *a) {
    if (BODY(x)->rank < 2) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected 2 or more dimensions (batch, channels, ...), got %d",
                       BODY(x)->rank);
        return false;
    }
    tern_shape channels = {1, {BODY(x)->shape[1]}};
    if (!a->training && (!a->running_mean || !a->running_var)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "running_mean and running_var must be defined in evaluation mode");
        return false;
    }
    return parameter_fits(call, a->weight, "weight", &channels) &&
           parameter_fits(call, a->bias, "bias", &channels) &&
           parameter_fits(call, a->running_mean, "running_mean", &channels) &&
           parameter_fits(call, a->running_var, "running_var", &channels);
}

/* With the statistics of the batch, over `dims`, of which the running ones learn. Over fewer dimensions than
 * all but the channels it is their mean over samples that counts. */
static bool with_own(tern_opcall *call, const batch_arguments *a, tern_shape dims,
                     tern_normalised *out) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    bool of_batch = dims.rank == BODY(x)->rank - 1;
    tern_norm_by by = {.dims = dims,
                       .weight = viewed(a->weight, channel_shape(x)),
                       .bias = viewed(a->bias, channel_shape(x)),
                       .eps = a->eps,
                       .variance = a->running_var != NULL};
    if (!tern_normalise(call, x, &by, out)) return false;
    tern_tensor *mean = a->running_mean ? tern_detach(out->mean) : NULL;
    tern_tensor *var = a->running_var ? tern_detach(out->var) : NULL;
    double n = (double)BODY(x)->numel / (double)BODY(out->mean)->numel;
    if (mean && !of_batch) mean = tern_mean_dims(mean, TERN_SHAPE(0), true);
    if (var && !of_batch) var = tern_mean_dims(var, TERN_SHAPE(0), true);
    const tern_running_by moves = {a->momentum, a->batches, n / (n - 1.0)};
    tern_update_running(call, a->running_mean, mean, a->running_var, var, &moves);
    return call->ctx->status == TERN_OK;
}

/* With the running statistics. */
static bool with_given(tern_opcall *call, const batch_arguments *a, tern_normalised *out) {
    out->mean = a->running_mean;
    out->rstd = a->running_var;
    out->out = tern_norm_given(tern_arg_tensor(call, 0), a->running_mean, a->running_var, a->weight,
                               a->bias, a->eps);
    return call->ctx->status == TERN_OK;
}

static bool batch_norm_of(tern_opcall *call, const batch_arguments *a, tern_normalised *out) {
    const tern_tensor *x = tern_arg_tensor(call, 0);
    if (!batch_fits(call, x, a)) return false;
    return a->training ? with_own(call, a, channel_dims(x), out) : with_given(call, a, out);
}

static tern_value batch_norm_result(tern_opcall *call, const batch_arguments *a) {
    tern_normalised n;
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->numel == 0) return tern_result(call, tern_clone(x));
    if (a->training && BODY(x)->rank >= 2 && BODY(x)->shape[1] &&
        BODY(x)->numel / BODY(x)->shape[1] == 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected more than 1 value per channel when training");
    return batch_norm_of(call, a, &n) ? tern_tensor_value(n.out) : tern_none();
}

/* batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps) */
tern_value tern_op_batch_norm(tern_opcall *call) {
    const batch_arguments a = {
        .weight = tern_arg_tensor(call, 3),
        .bias = tern_arg_tensor(call, 4),
        .running_mean = tern_arg_tensor(call, 1),
        .running_var = tern_arg_tensor(call, 2),
        .training = tern_arg_bool(call, 5, false),
        .momentum = tern_arg_double(call, 6, 0.1),
        .eps = tern_arg_double(call, 7, 1e-5),
    };
    return batch_norm_result(call, &a);
}

/* _batch_norm_averaged(input, running_mean, running_var, weight, bias, num_batches_tracked, eps): in training,
 * and the running statistics are means over all batches, of which the count is of this one, too. */
tern_value tern_op__batch_norm_averaged(tern_opcall *call) {
    const batch_arguments a = {
        .weight = tern_arg_tensor(call, 3),
        .bias = tern_arg_tensor(call, 4),
        .running_mean = tern_arg_tensor(call, 1),
        .running_var = tern_arg_tensor(call, 2),
        .training = true,
        .eps = tern_arg_double(call, 6, 1e-5),
        .batches = tern_arg_tensor(call, 5),
    };
    return batch_norm_result(call, &a);
}

/* native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps): with
 * the batch's mean and 1 / sqrt(var + eps); in evaluation these are empty. */
tern_value tern_op_native_batch_norm(tern_opcall *call) {
    const batch_arguments a = {
        .weight = tern_arg_tensor(call, 1),
        .bias = tern_arg_tensor(call, 2),
        .running_mean = tern_arg_tensor(call, 3),
        .running_var = tern_arg_tensor(call, 4),
        .training = tern_arg_bool(call, 5, false),
        .momentum = tern_arg_double(call, 6, 0.1),
        .eps = tern_arg_double(call, 7, 1e-5),
    };
    tern_normalised n;
    if (!batch_norm_of(call, &a, &n)) return tern_none();
    tern_tensor *all[3] = {tern_to_dtype(n.out, BODY(tern_arg_tensor(call, 0))->dtype)};
    tern_shape flat = {1, {a.training ? BODY(n.mean)->numel : 0}};
    for (int i = 1; i < 3; i++) {
        tern_tensor *statistic = i == 1 ? n.mean : n.rstd;
        all[i] = a.training ? tern_reshape(statistic, flat)
                            : TERN_CALL(new_zeros, ARG_TENSOR(statistic), ARG_SHAPE(flat));
        all[i] = tern_to_dtype(all[i], BODY(tern_arg_tensor(call, 0))->dtype);
    }
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, all, 3) : tern_none();
}

/* ---- instance_norm: batch_norm with each sample's channels for themselves ---- */

tern_value tern_op_instance_norm(tern_opcall *call) {
    char size[TERN_SHAPE_TEXT];
    tern_tensor *x = tern_arg_tensor(call, 0);
    const batch_arguments a = {
        .weight = tern_arg_tensor(call, 3),
        .bias = tern_arg_tensor(call, 4),
        .running_mean = tern_arg_tensor(call, 1),
        .running_var = tern_arg_tensor(call, 2),
        .training = tern_arg_bool(call, 5, true),
        .momentum = tern_arg_double(call, 6, 0.1),
        .eps = tern_arg_double(call, 7, 1e-5),
    };
    if (!batch_fits(call, x, &a)) return tern_none();
    if (a.training && spatial_elements(x) == 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected more than 1 spatial element when training, got input size "
                              "%s",
                              tern_shape_text(BODY(x)->rank, BODY(x)->shape, size));
    tern_normalised n;
    tern_shape dims = {0, {0}};
    for (int d = 2; d < BODY(x)->rank; d++) dims.dim[dims.rank++] = d;
    bool done = a.training ? with_own(call, &a, dims, &n) : with_given(call, &a, &n);
    return done ? tern_tensor_value(n.out) : tern_none();
}

/* ---- local_response_norm: x / (k + alpha * mean of squares over `size` channels)^beta ---- */

tern_value tern_op_local_response_norm(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *x = tern_widen(input);
    int64_t size = tern_arg_int(call, 1, 1);
    double alpha = tern_arg_double(call, 2, 1e-4), beta = tern_arg_double(call, 3, 0.75);
    if (BODY(input)->numel == 0) return tern_result(call, tern_clone(input));
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(x)->rank < 3 || size < 1)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "Expected 3D or higher dimensionality input (got %d dimensions) and a "
            "positive size",
            BODY(x)->rank);
    tern_tensor *square = tern_mul(x, x);
    tern_shape pad = tern_shape_of(x);
    pad.dim[1] = size / 2;
    tern_tensor *before = TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(pad));
    pad.dim[1] = (size - 1) / 2;
    tern_tensor *after = TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(pad));
    square = tern_cat((tern_tensor *[]){before, square, after}, 3, 1);
    tern_tensor *windows =
        TERN_CALL(unfold, ARG_TENSOR(square), ARG_INT(1), ARG_INT(size), ARG_INT(1));
    bool floating = tern_dtype_is_floating(BODY(x)->dtype);
    tern_tensor *mean =
        floating
            ? tern_mean_dims(windows, TERN_SHAPE(-1), false)
            : TERN_CALL(floor_divide, ARG_TENSOR(tern_sum_dims(windows, TERN_SHAPE(-1), false)),
                        ARG_INT(size));
    tern_tensor *scale = TERN_CALL(mul, ARG_TENSOR(mean), ARG_FLOAT(alpha));
    scale = tern_pow_scalar(tern_add_scalar(scale, tern_arg_double(call, 4, 1.0)), beta);
    tern_tensor *out = tern_div(x, scale);
    return tern_narrowed(call, out);
}

/* ---- C functions ---- */

tern_tensor *tern_layer_norm(tern_tensor *input, tern_shape normalized_shape, tern_tensor *weight,
                             tern_tensor *bias, double eps) {
    return TERN_CALL(layer_norm, ARG_TENSOR(input), ARG_SHAPE(normalized_shape), ARG_TENSOR(weight),
                     ARG_TENSOR(bias), ARG_FLOAT(eps));
}
tern_tensor *tern_rms_norm(tern_tensor *input, tern_shape normalized_shape, tern_tensor *weight,
                           double eps) {
    return TERN_CALL(rms_norm, ARG_TENSOR(input), ARG_SHAPE(normalized_shape), ARG_TENSOR(weight),
                     ARG_FLOAT(eps));
}
tern_tensor *tern_group_norm(tern_tensor *input, int64_t num_groups, tern_tensor *weight,
                             tern_tensor *bias, double eps) {
    return TERN_CALL(group_norm, ARG_TENSOR(input), ARG_INT(num_groups), ARG_TENSOR(weight),
                     ARG_TENSOR(bias), ARG_FLOAT(eps));
}
tern_tensor *tern_batch_norm(tern_tensor *input, tern_tensor *running_mean,
                             tern_tensor *running_var, tern_tensor *weight, tern_tensor *bias,
                             bool training, double momentum, double eps) {
    return TERN_CALL(batch_norm, ARG_TENSOR(input), ARG_TENSOR(running_mean),
                     ARG_TENSOR(running_var), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     ARG_BOOL(training), ARG_FLOAT(momentum), ARG_FLOAT(eps));
}
