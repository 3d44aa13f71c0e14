/*
 * dropout.c: dropout and its relatives, with PyTorch's draws: two for each element of the noise, in
 * the order of memory. Without training, and with p = 0, the input itself comes back and nothing is
 * drawn.
 */
#include <math.h>

#include "numerics/dtype_convert.h"

#include "core/context/generator.h"
#include "core/ops/compose.h"
#include "functional.h"
#include "programs/program.h"

/* p and training at arguments 1 and 2; false after latching. */
static bool drop_arguments(tern_opcall *call, bool default_training, double *out_p,
                           bool *out_active) {
    *out_p = tern_arg_double(call, 1, 0.5);
    *out_active = tern_arg_bool(call, 2, default_training) && *out_p > 0.0 &&
                  BODY(tern_arg_tensor(call, 0))->numel > 0;
    if (*out_p >= 0.0 && *out_p <= 1.0) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "dropout probability has to be between 0 and 1, but got %g", *out_p);
    return false;
}

/* 1 with probability 1 - p, else 0: for each element, or for each channel (`features`). The draw goes
 * from the host to the device as it is. */
static tern_tensor *noise_like(tern_tensor *input, double p, bool features) {
    tern_tensor *like = input;
    if (features) {
        tern_shape shape = {BODY(input)->rank, {0}};
        for (int d = 0; d < BODY(input)->rank; d++)
            shape.dim[d] = d < 2 ? BODY(input)->shape[d] : 1;
        like = TERN_CALL(new_zeros, ARG_TENSOR(input), ARG_SHAPE(shape));
    } else if (!tern_is_contiguous(input)) {
        like = tern_empty_like(input);
    }
    return TERN_CALL(bernoulli_p, ARG_TENSOR(like), ARG_FLOAT(1.0 - p));
}

/* 1 / (1 - p), computed as the elements are and rounded once, to the input's dtype. */
static double scale_of(tern_dtype dtype, double p) {
    int wide = (int)tern_wide_dtype(dtype);
    double scale = tern_num_as_f64(wide, 1.0 / tern_num_as_f64(wide, 1.0 - p));
    return tern_num_as_f64((int)dtype, scale);
}

static tern_value drop(tern_opcall *call, bool features) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    double p;
    bool active;
    if (!drop_arguments(call, true, &p, &active)) return tern_none();
    if (!active) return tern_tensor_value(input);
    if (p == 1.0) return tern_result(call, tern_mul_scalar(input, 0.0));
    return tern_result(call, FORMULA(call->ctx, "x * (noise * scale)", "x noise scale",
                                     ARG_TENSOR(input), ARG_TENSOR(noise_like(input, p, features)),
                                     ARG_FLOAT(scale_of(BODY(input)->dtype, p))));
}

tern_value tern_op_dropout(tern_opcall *call) {
    return drop(call, false);
}

/* Whole channels: [N, C, ...], or [C, ...] where the batch dimension is left out. */
static tern_value drop_channels(tern_opcall *call, int unbatched_rank) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (unbatched_rank == 0 || BODY(input)->rank != unbatched_rank) return drop(call, true);
    tern_value args[] = {ARG_TENSOR(tern_unsqueeze(input, 0)), tern_arg(call, 1),
                         tern_arg(call, 2)};
    tern_tensor *out = tern_op_tensor(call->ctx, TERN_ROW(feature_dropout), args, 3);
    return tern_result(call, tern_squeeze(out, 0));
}

tern_value tern_op_feature_dropout(tern_opcall *call) {
    if (BODY(tern_arg_tensor(call, 0))->rank < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Feature dropout requires at least 2 dimensions in the input");
    return drop(call, true);
}
tern_value tern_op_dropout1d(tern_opcall *call) {
    return drop_channels(call, 2);
}
tern_value tern_op_dropout2d(tern_opcall *call) {
    return drop_channels(call, 0);
}
tern_value tern_op_dropout3d(tern_opcall *call) {
    return drop_channels(call, 0);
}

/* Keeps SELU's mean and variance: what is dropped becomes -alpha', then a x + b. */
static tern_value alpha_drop(tern_opcall *call, bool features) {
    const double alpha = 1.7580993408473766;
    tern_tensor *input = tern_arg_tensor(call, 0);
    double p;
    bool active;
    if (!drop_arguments(call, false, &p, &active)) return tern_none();
    if (!active) return tern_tensor_value(input);
    if (p == 1.0) return tern_result(call, tern_mul_scalar(input, 0.0));
    double a = 1.0 / sqrt((alpha * alpha * p + 1.0) * (1.0 - p));
    return tern_result(call, FORMULA(call->ctx, "x * (noise * a) + ((noise - 1) * c + shift)",
                                     "x noise a c shift", ARG_TENSOR(input),
                                     ARG_TENSOR(noise_like(input, p, features)), ARG_FLOAT(a),
                                     ARG_FLOAT(alpha * a), ARG_FLOAT(alpha * a * p)));
}

tern_value tern_op_alpha_dropout(tern_opcall *call) {
    return alpha_drop(call, false);
}
tern_value tern_op_feature_alpha_dropout(tern_opcall *call) {
    return alpha_drop(call, true);
}

/* native_dropout_backward(grad_output, mask, scale) */
tern_value tern_op_native_dropout_backward(tern_opcall *call) {
    return tern_result(call,
                       FORMULA(call->ctx, "g * mask * scale", "g mask scale", tern_arg(call, 0),
                               tern_arg(call, 1), ARG_FLOAT(tern_arg_double(call, 2, 1.0))));
}

/* ---- rrelu: a slope drawn for each element that is not above 0 ---- */

static tern_tensor *drawn_slopes(tern_opcall *call, tern_tensor *input, double lower,
                                 double upper) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *wide = tern_detach(input);
    float *x = tern_host_copy(ctx, wide, TERN_FLOAT32);
    if (!x) return ctx->nil;
    char *slopes = tern_host_buffer(ctx, BODY(input)->numel, tern_dtype_size(BODY(input)->dtype));
    tern_mt19937 *engine = &ctx->generator->engine;
    if (BODY(input)->dtype != TERN_FLOAT64) { /* the bounds are rounded first */
        lower = (double)(float)lower;
        upper = (double)(float)upper;
    }
    for (int64_t i = 0; slopes && i < BODY(input)->numel; i++) {
        double slope = 1.0;
        if (x[i] <= 0.0f) slope = tern_num_mt19937_f64(engine) * (upper - lower) + lower;
        tern_num_store_f64((int)BODY(input)->dtype, slopes, i, slope);
    }
    tern_shape shape = tern_shape_of(input);
    tern_tensor *out =
        slopes ? tern_new_from_host(call->lane, slopes, BODY(input)->dtype, &shape, NULL)
               : ctx->nil;
    tern_host_give(ctx, slopes);
    tern_host_give(ctx, x);
    return out;
}

tern_value tern_op_rrelu(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    double lower = tern_arg_double(call, 1, 1.0 / 8), upper = tern_arg_double(call, 2, 1.0 / 3);
    if (!tern_arg_bool(call, 3, false)) {
        tern_value args[] = {ARG_TENSOR(input), ARG_FLOAT((lower + upper) / 2.0)};
        tern_tensor *x = tern_op_tensor(call->ctx, TERN_ROW(leaky_relu), args, 2);
        return tern_result(call, tern_to_dtype(x, BODY(input)->dtype));
    }
    if (!tern_dtype_is_floating(BODY(input)->dtype) || !(lower <= upper))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects a floating input and lower <= upper, got %s, %g and %g",
                              tern_dtype_name(BODY(input)->dtype), lower, upper);
    return tern_result(call, tern_mul(input, drawn_slopes(call, input, lower, upper)));
}

/* ---- C functions ---- */

tern_tensor *tern_dropout(tern_tensor *input, double p, bool training) {
    return TERN_CALL(dropout, ARG_TENSOR(input), ARG_FLOAT(p), ARG_BOOL(training));
}
