/*
 * pool_fractional.c: fractional max pooling (Graham 2014): windows of one size at pseudo-random steps, which a
 * number from 0 to 1 for each plane and dimension decides.
 */
#include "core/ops/compose.h"
#include "functional.h"
#include "tern/memory.h"

#define MAX_SPATIAL 3

typedef struct fractional {
    int spatial;
    int64_t planes, places, window; /* of all dimensions */
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL], kernel[MAX_SPATIAL];
} fractional;

/* ---- arguments ---- */

/* One number for each dimension, or one for all. */
static int64_t at(const tern_shape *sizes, int d) {
    return sizes->dim[sizes->rank == 1 ? 0 : d];
}

static double ratio_of(tern_value value, int d) {
    size_t count = tern_value_count(value);
    if (value.kind != TERN_VALUE_LIST && value.kind != TERN_VALUE_TUPLE)
        return tern_value_as_double(value);
    return tern_value_as_double(tern_value_at(value, count == 1 ? 0 : (size_t)d));
}

static bool multiplied(int64_t *total, int64_t by) {
    uint64_t product;
    if (by < 0 || !tern_size_mul((uint64_t)*total, (uint64_t)by, &product) || product > INT64_MAX)
        return false;
    *total = (int64_t)product;
    return true;
}

static bool read_sizes(tern_opcall *call, const tern_tensor *x, int spatial, fractional *f) {
    tern_shape kernel = tern_arg_ints(call, 1), size = tern_arg_ints(call, 2);
    tern_value ratio = tern_arg(call, 3);
    size_t ratios = tern_value_count(ratio);
    bool listed = ratio.kind == TERN_VALUE_LIST || ratio.kind == TERN_VALUE_TUPLE;
    int lead = BODY(x)->rank - spatial;
    *f = (fractional){.spatial = spatial, .planes = 1, .places = 1, .window = 1};
    bool fits =
        call->ctx->status == TERN_OK && (lead == 1 || lead == 2) &&
        tern_dtype_is_floating(BODY(x)->dtype) && (kernel.rank == 1 || kernel.rank == spatial) &&
        (size.rank < 0 ? ratio.kind != TERN_VALUE_NONE : size.rank == 1 || size.rank == spatial) &&
        (!listed || ratios == 1 || ratios == (size_t)spatial);
    for (int d = 0; fits && d < lead; d++) f->planes *= BODY(x)->shape[d];
    for (int d = 0; fits && d < spatial; d++) {
        f->in[d] = BODY(x)->shape[lead + d];
        f->kernel[d] = at(&kernel, d);
        double share = size.rank < 0 ? ratio_of(ratio, d) : 0.0;
        fits = size.rank >= 0 || (share > 0.0 && share < 1.0);
        f->out[d] = size.rank < 0 ? (int64_t)((double)f->in[d] * share) : at(&size, d);
        fits = fits && f->kernel[d] > 0 && f->out[d] > 0 && f->out[d] <= f->in[d] &&
               f->kernel[d] <= f->in[d] - f->out[d] + 1 && multiplied(&f->places, f->out[d]) &&
               multiplied(&f->window, f->kernel[d]);
    }
    if (fits) return true;
    tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "expects a floating input (N, C, ...) or (C, ...) of %d spatial dimensions, an "
        "output_size, or an output_ratio between 0 and 1, and a kernel of at most input - "
        "output + 1 elements in each",
        spatial);
    return false;
}

/* The samples [planes, spatial] on the host, given or drawn; NULL after latching. */
static double *read_samples(tern_opcall *call, const tern_tensor *x, const fractional *f) {
    tern_tensor *samples = tern_arg_tensor(call, 5);
    int64_t batch = BODY(x)->rank == f->spatial + 2 ? BODY(x)->shape[0] : 1;
    int64_t channels = BODY(x)->shape[BODY(x)->rank - f->spatial - 1];
    if (!samples)
        samples = TERN_CALL_CTX(call->ctx, rand, ARG_SHAPE(TERN_SHAPE(batch, channels, f->spatial)),
                                tern_none(), ARG_DTYPE(tern_wide_dtype(BODY(x)->dtype)));
    if (call->ctx->status != TERN_OK) return NULL;
    if (BODY(samples)->rank != 3 || BODY(samples)->shape[0] != batch ||
        BODY(samples)->shape[1] != channels || BODY(samples)->shape[2] != f->spatial) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "_random_samples must be (%lld, %lld, %d)",
                       (long long)batch, (long long)channels, f->spatial);
        return NULL;
    }
    return tern_host_copy(call->ctx, samples, TERN_FLOAT64);
}

/* ---- windows ---- */

/* Towards 0, as PyTorch converts to int; one number for all that int does not hold. */
static int64_t truncated(double x) {
    return x > INT32_MIN && x < INT32_MAX ? (int64_t)x : INT32_MIN;
}

/* Where window i of a dimension begins: within the input, whatever the sample. */
static int64_t start_of(double sample, int64_t i, int64_t in, int64_t out, int64_t kernel) {
    if (i == out - 1) return in - kernel;
    double step = (double)(in - kernel) / (double)(out - 1);
    int64_t start = truncated(((double)i + sample) * step) - truncated(sample * step);
    return start < 0 ? 0 : start > in - kernel ? in - kernel : start;
}

/* For a plane, the positions of every window's elements: index[places, window]. PyTorch gives the first of two samples to the
 * last dimension, and the first of three to the first. */
static void find_windows(const fractional *f, const double *samples, int64_t *index) {
    for (int64_t place = 0; place < f->places; place++) {
        int64_t start[MAX_SPATIAL];
        for (int64_t d = f->spatial - 1, rest = place; d >= 0; d--) {
            double sample = samples[f->spatial == 2 ? 1 - d : d];
            start[d] = start_of(sample, rest % f->out[d], f->in[d], f->out[d], f->kernel[d]);
            rest /= f->out[d];
        }
        for (int64_t k = 0; k < f->window; k++) {
            int64_t position = 0, stride = 1;
            for (int64_t d = f->spatial - 1, rest = k; d >= 0; d--) {
                position += (start[d] + rest % f->kernel[d]) * stride;
                stride *= f->in[d];
                rest /= f->kernel[d];
            }
            *index++ = position;
        }
    }
}

/* [planes, places * window]; nil after latching. */
static tern_tensor *window_index(tern_opcall *call, const tern_tensor *x, const fractional *f) {
    int64_t each = f->places, all = f->planes;
    if (!multiplied(&each, f->window) || !multiplied(&all, each)) {
        tern_fail_memory(call->ctx, SIZE_MAX);
        return call->ctx->nil;
    }
    tern_tensor *out = call->ctx->nil;
    double *samples = read_samples(call, x, f);
    int64_t *index = samples ? tern_host_buffer(call->ctx, all, sizeof *index) : NULL;
    if (index) {
        for (int64_t p = 0; p < f->planes; p++)
            find_windows(f, samples + p * f->spatial, index + p * each);
        out = tern_new_from_host(call->lane, index, TERN_INT64, &TERN_SHAPE(f->planes, each), NULL);
    }
    tern_host_give(call->ctx, samples);
    tern_host_give(call->ctx, index);
    return out;
}

/* Which of each window [planes, places, window] is the largest, as [planes, places, 1]: the first of equals, or the
 * last NaN, where PyTorch's loop ends. */
static tern_tensor *largest_of(tern_opcall *call, tern_tensor *windows, int64_t window) {
    tern_tensor *which, *none = tern_full_like(windows, -1.0);
    tern_max_dim(windows, 2, true, &which);
    tern_tensor *places = tern_to_device(tern_arange_i64(call->ctx, window), tern_device_of(which));
    tern_tensor *nan = tern_where(tern_isnan(windows), places, tern_to_dtype(none, TERN_INT64));
    tern_tensor *last = TERN_CALL(amax, ARG_TENSOR(nan), ARG_INT(2), ARG_BOOL(true));
    return tern_where(TERN_CALL(ge, ARG_TENSOR(last), ARG_INT(0)), last, which);
}

/* The largest of each window, and where it is in its plane. */
static tern_value pool(tern_opcall *call, int spatial) {
    tern_tensor *x = tern_arg_tensor(call, 0), *both[2];
    fractional f;
    if (!read_sizes(call, x, spatial, &f)) return tern_none();
    tern_tensor *index = window_index(call, x, &f);
    int64_t elements = 1;
    for (int d = 0; d < spatial; d++) elements *= f.in[d];
    tern_shape shape = tern_shape_of(x), windows = TERN_SHAPE(f.planes, f.places, f.window);
    for (int d = 0; d < spatial; d++) shape.dim[shape.rank - spatial + d] = f.out[d];
    tern_tensor *planes = tern_reshape(x, TERN_SHAPE(f.planes, elements));
    tern_tensor *values = tern_reshape(tern_gather(planes, 1, index), windows);
    tern_tensor *which = largest_of(call, tern_detach(values), f.window);
    both[0] = tern_reshape(tern_gather(values, 2, which), shape);
    if (!tern_arg_bool(call, 4, false)) return tern_result(call, both[0]);
    both[1] = tern_reshape(tern_gather(tern_reshape(index, windows), 2, which), shape);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

tern_value tern_op_fractional_max_pool2d(tern_opcall *call) {
    return pool(call, 2);
}
tern_value tern_op_fractional_max_pool3d(tern_opcall *call) {
    return pool(call, 3);
}
