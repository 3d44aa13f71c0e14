/*
 * norm_layers.c: layer, group, batch, instance and root-mean-square normalisation, local response
 * normalisation, and their native forms, which also return the statistics.
 *
 * (x - mean) / sqrt(var + eps) * weight + bias, with the biased variance, composed and differentiated
 * through its parts. 16-bit inputs compute in float32.
 */
#include <float.h>
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "norm_given.h"

/* What a normalisation gives. */
typedef struct normalised {
    tern_tensor *out, *mean, *rstd; /* the statistics keep the reduced dimensions at size 1 */
    tern_tensor *var;
} normalised;

static normalised normalise_over(tern_tensor *x, tern_shape dims, double eps) {
    normalised n;
    n.mean = tern_mean_dims(x, dims, true);
    tern_tensor *d = tern_sub(x, n.mean);
    n.var = tern_mean_dims(tern_mul(d, d), dims, true);
    n.rstd = tern_rsqrt(tern_add_scalar(n.var, eps));
    n.out = tern_mul(d, n.rstd);
    return n;
}

/* x * weight + bias, either of which may be NULL, viewed as `shape`. */
static tern_tensor *affine(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                           tern_shape shape) {
    if (weight) x = tern_mul(x, tern_reshape(tern_widen(weight), shape));
    if (bias) x = tern_add(x, tern_reshape(tern_widen(bias), shape));
    return x;
}

static tern_value narrowed(tern_opcall *call, tern_tensor *x) {
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, tern_to_dtype(x, BODY(tern_arg_tensor(call, 0))->dtype));
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

static bool layer_norm_of(tern_opcall *call, normalised *out) {
    tern_tensor *x = tern_widen(tern_arg_tensor(call, 0));
    tern_tensor *weight = tern_arg_tensor(call, 2), *bias = tern_arg_tensor(call, 3);
    tern_shape shape, dims;
    if (call->ctx->status != TERN_OK || !trailing_dims(call, x, &shape, &dims) ||
        !parameter_fits(call, weight, "weight", &shape) ||
        !parameter_fits(call, bias, "bias", &shape))
        return false;
    *out = normalise_over(x, dims, tern_arg_double(call, 4, 1e-5));
    out->out = affine(out->out, weight, bias, shape);
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_layer_norm(tern_opcall *call) {
    normalised n;
    return layer_norm_of(call, &n) ? narrowed(call, n.out) : tern_none();
}

/* x with the history of `other` as well, whose gradient is 0: PyTorch's native forms record one node
 * for all results, so each of them depends on every parameter. */
static tern_tensor *tied(tern_tensor *x, tern_tensor *other) {
    if (!other) return x;
    tern_tensor *nowhere =
        TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(TERN_SCALAR_SHAPE), ARG_DTYPE(TERN_BOOL));
    return tern_where(nowhere, tern_to_dtype(tern_sum(other), BODY(x)->dtype), x);
}

/* The output and the statistics, as one tuple in the input's dtype. */
static tern_value with_statistics(tern_opcall *call, const normalised *n, tern_tensor *weight,
                                  tern_tensor *bias) {
    tern_dtype dtype = BODY(tern_arg_tensor(call, 0))->dtype;
    /* Where an infinity makes the variance NaN, PyTorch's running mean is NaN too. */
    tern_shape own = tern_shape_of(n->mean);
    tern_tensor *lost = tern_isnan(tern_reshape(tern_detach(n->var), own));
    tern_tensor *mean = tern_fill_where(n->mean, lost, NAN);
    tern_tensor *all[3] = {n->out, mean, n->rstd};
    for (int i = 0; i < 3; i++) all[i] = tern_to_dtype(all[i], dtype);
    for (int i = 1; i < 3; i++) all[i] = tied(tied(all[i], weight), bias);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, all, 3) : tern_none();
}

tern_value tern_op_native_layer_norm(tern_opcall *call) {
    normalised n;
    if (!layer_norm_of(call, &n)) return tern_none();
    return with_statistics(call, &n, tern_arg_tensor(call, 2), tern_arg_tensor(call, 3));
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
    tern_tensor *input = tern_arg_tensor(call, 0), *x = tern_widen(input);
    tern_tensor *weight = tern_arg_tensor(call, 2);
    tern_shape shape, dims;
    if (call->ctx->status != TERN_OK || !trailing_dims(call, x, &shape, &dims) ||
        !parameter_fits(call, weight, "weight", &shape))
        return tern_none();
    double eps = tern_arg_double(call, 3, epsilon_of(BODY(x)->dtype));
    tern_tensor *square = tern_mean_dims(tern_mul(x, x), dims, true);
    tern_tensor *out = tern_mul(x, tern_rsqrt(tern_add_scalar(square, eps)));
    return narrowed(call, affine(out, weight, NULL, shape));
}

/* ---- group_norm ---- */

static bool group_norm_of(tern_opcall *call, int64_t groups, tern_tensor *weight, tern_tensor *bias,
                          double eps, normalised *out) {
    tern_tensor *x = tern_widen(tern_arg_tensor(call, 0));
    if (call->ctx->status != TERN_OK) return false;
    if (BODY(x)->rank < 2 || groups <= 0 || BODY(x)->shape[1] % groups != 0) {
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "Expected number of channels in input to be divisible by num_groups, but got "
            "an input of %lld channels and num_groups=%lld",
            (long long)(BODY(x)->rank > 1 ? BODY(x)->shape[1] : 0), (long long)groups);
        return false;
    }
    tern_shape channels = {1, {BODY(x)->shape[1]}};
    if (!parameter_fits(call, weight, "weight", &channels) ||
        !parameter_fits(call, bias, "bias", &channels))
        return false;
    int64_t batch = BODY(x)->shape[0];
    int64_t per_group = batch > 0 ? BODY(x)->numel / (batch * groups) : 0;
    tern_tensor *split = tern_reshape(x, TERN_SHAPE(batch, groups, per_group));
    *out = normalise_over(split, TERN_SHAPE(2), eps);
    out->out = affine(tern_reshape(out->out, tern_shape_of(x)), weight, bias, channel_shape(x));
    out->mean = tern_squeeze(out->mean, 2);
    out->rstd = tern_squeeze(out->rstd, 2);
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_group_norm(tern_opcall *call) {
    normalised n;
    bool done = group_norm_of(call, tern_arg_int(call, 1, 1), tern_arg_tensor(call, 2),
                              tern_arg_tensor(call, 3), tern_arg_double(call, 4, 1e-5), &n);
    return done ? narrowed(call, n.out) : tern_none();
}

/* native_group_norm(input, weight, bias, N, C, HxW, group, eps) */
tern_value tern_op_native_group_norm(tern_opcall *call) {
    normalised n;
    bool done = group_norm_of(call, tern_arg_int(call, 6, 1), tern_arg_tensor(call, 1),
                              tern_arg_tensor(call, 2), tern_arg_double(call, 7, 1e-5), &n);
    if (!done) return tern_none();
    return with_statistics(call, &n, tern_arg_tensor(call, 1), tern_arg_tensor(call, 2));
}

/* ---- batch_norm ---- */

typedef struct batch_arguments {
    tern_tensor *weight, *bias, *running_mean, *running_var;
    bool training;
    double momentum, eps;
} batch_arguments;

/* running = (1 - momentum) running + momentum * new, in place and without history. */
static void update_running(tern_tensor *running, tern_tensor *fresh, double momentum) {
    tern_scope quiet = tern_scope_begin(BODY(fresh)->ctx, TERN_NO_GRAD);
    tern_tensor *kept = tern_mul_scalar(tern_widen(running), 1.0 - momentum);
    tern_tensor *added = tern_mul_scalar(tern_reshape(fresh, tern_shape_of(running)), momentum);
    tern_copy_in_place(running, tern_add(kept, added));
    tern_scope_end(quiet);
}

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

static bool batch_norm_of(tern_opcall *call, const batch_arguments *a, normalised *out) {
    if (!batch_fits(call, tern_arg_tensor(call, 0), a)) return false;
    if (!a->training) {
        out->mean = a->running_mean;
        out->rstd = a->running_var;
        out->out = tern_norm_given(tern_arg_tensor(call, 0), a->running_mean, a->running_var,
                                   a->weight, a->bias, a->eps);
        return call->ctx->status == TERN_OK;
    }
    tern_tensor *x = tern_widen(tern_arg_tensor(call, 0));
    if (call->ctx->status != TERN_OK) return false;
    *out = normalise_over(x, channel_dims(x), a->eps);
    int64_t channels = BODY(x)->shape[1];
    int64_t count = channels ? BODY(x)->numel / channels : 0;
    double n = (double)count;
    if (a->running_mean) update_running(a->running_mean, out->mean, a->momentum);
    if (a->running_var)
        update_running(a->running_var, tern_mul_scalar(out->var, n / (n - 1.0)), a->momentum);
    out->out = affine(out->out, a->weight, a->bias, channel_shape(x));
    return call->ctx->status == TERN_OK;
}

/* batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps) */
tern_value tern_op_batch_norm(tern_opcall *call) {
    batch_arguments a = {tern_arg_tensor(call, 3),      tern_arg_tensor(call, 4),
                         tern_arg_tensor(call, 1),      tern_arg_tensor(call, 2),
                         tern_arg_bool(call, 5, false), tern_arg_double(call, 6, 0.1),
                         tern_arg_double(call, 7, 1e-5)};
    normalised n;
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (BODY(x)->numel == 0) return tern_result(call, tern_clone(x));
    if (a.training && BODY(x)->rank >= 2 && BODY(x)->shape[1] &&
        BODY(x)->numel / BODY(x)->shape[1] == 1)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected more than 1 value per channel when training");
    return batch_norm_of(call, &a, &n) ? narrowed(call, n.out) : tern_none();
}

/* native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps): with
 * the batch's mean and 1 / sqrt(var + eps); in evaluation these are empty. */
tern_value tern_op_native_batch_norm(tern_opcall *call) {
    batch_arguments a = {tern_arg_tensor(call, 1),      tern_arg_tensor(call, 2),
                         tern_arg_tensor(call, 3),      tern_arg_tensor(call, 4),
                         tern_arg_bool(call, 5, false), tern_arg_double(call, 6, 0.1),
                         tern_arg_double(call, 7, 1e-5)};
    normalised n;
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
    tern_tensor *input = tern_arg_tensor(call, 0), *x = tern_widen(input);
    tern_tensor *mean = tern_arg_tensor(call, 1), *var = tern_arg_tensor(call, 2);
    batch_arguments a = {tern_arg_tensor(call, 3),
                         tern_arg_tensor(call, 4),
                         mean,
                         var,
                         tern_arg_bool(call, 5, true),
                         tern_arg_double(call, 6, 0.1),
                         tern_arg_double(call, 7, 1e-5)};
    if (call->ctx->status != TERN_OK || !batch_fits(call, x, &a)) return tern_none();
    normalised n;
    tern_shape dims = {0, {0}}, shape = channel_shape(x);
    for (int d = 2; d < BODY(x)->rank; d++) dims.dim[dims.rank++] = d;
    if (!a.training) {
        return batch_norm_of(call, &a, &n) ? narrowed(call, n.out) : tern_none();
    }
    n = normalise_over(x, dims, a.eps);
    int64_t rows = BODY(x)->shape[0] * BODY(x)->shape[1];
    int64_t each = rows > 0 ? BODY(x)->numel / rows : 0;
    double count = (double)each;
    if (mean) update_running(mean, tern_mean_dims(n.mean, TERN_SHAPE(0), false), a.momentum);
    if (var) {
        tern_tensor *unbiased = tern_mul_scalar(n.var, count / (count - 1.0));
        update_running(var, tern_mean_dims(unbiased, TERN_SHAPE(0), false), a.momentum);
    }
    return narrowed(call, affine(n.out, a.weight, a.bias, shape));
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
    return floating ? narrowed(call, out) : tern_result(call, out);
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
