/* functions.c: torch.fft: the arguments of each function, brought to the three transforms. */
#include <math.h>

#include "fft.h"

/* ---- arguments ------------------------------------------------------------------------------- */

/* What a function transforms: dimensions from the front, and their lengths as asked for, else the input's. */
typedef struct plan {
    tern_shape dims, sizes;
    bool last_given; /* the length of the last one */
    tern_fft_norm norm;
} plan;

static bool refuse_points(tern_opcall *call, int64_t n) {
    tern_call_fail(call, TERN_ERR_ARGUMENT, "Invalid number of data points (%lld) specified",
                   (long long)n);
    return false;
}

/* (input, n=None, dim=-1, norm=None); false after latching. */
static bool plan_one(tern_opcall *call, plan *out) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int dim;
    if (BODY(x)->rank == 0) {
        tern_call_fail(call, TERN_ERR_INDEX,
                       "Dimension specified as %lld but tensor has no dimensions",
                       (long long)tern_arg_int(call, 2, -1));
        return false;
    }
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 2, -1), &dim)) return false;
    *out = (plan){.dims = TERN_SHAPE(dim), .last_given = tern_arg_given(call, 1)};
    out->sizes = TERN_SHAPE(tern_arg_int(call, 1, BODY(x)->shape[dim]));
    if (out->last_given && out->sizes.dim[0] < 1) return refuse_points(call, out->sizes.dim[0]);
    return tern_fft_norm_of(call, 3, &out->norm);
}

/* The dimensions of a transform over several: those given, the last ones of as many sizes, or all. */
static bool several_dims(tern_opcall *call, const tern_shape *s, tern_shape given,
                         tern_shape *out) {
    int rank = BODY(tern_arg_tensor(call, 0))->rank;
    uint32_t seen = 0;
    if (given.rank >= 0 && s->rank >= 0 && given.rank != s->rank) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "When given, dim and shape arguments must have the same length");
        return false;
    }
    if (s->rank > rank) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Got shape with %d values but input tensor only has %d dimensions.", s->rank,
                       rank);
        return false;
    }
    if (given.rank < 0) {
        given.rank = s->rank >= 0 ? s->rank : rank;
        for (int k = 0; k < given.rank; k++) given.dim[k] = rank - given.rank + k;
    }
    *out = given;
    for (int k = 0; k < given.rank; k++) {
        int dim;
        if (!tern_wrap_dim(call->ctx, rank, given.dim[k], &dim)) return false;
        if (seen >> dim & 1u) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "FFT dims must be unique");
            return false;
        }
        seen |= 1u << dim;
        out->dim[k] = dim;
    }
    return true;
}

/* (input, s=None, dim, norm=None), the default of dim being two dimensions or all; false after latching. */
static bool plan_several(tern_opcall *call, bool two, plan *out) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape s = tern_arg_ints(call, 1), given = tern_arg_ints(call, 2);
    if (call->ctx->status != TERN_OK) return false;
    *out = (plan){.norm = TERN_FFT_BACKWARD};
    if (given.rank < 0 && two) given = TERN_SHAPE(-2, -1);
    if (!several_dims(call, &s, given, &out->dims)) return false;
    if (BODY(x)->rank == 0) out->dims.rank = 0;
    out->sizes.rank = out->dims.rank;
    for (int k = 0; k < out->dims.rank; k++) {
        bool asked = s.rank >= 0 && s.dim[k] != -1;
        if (asked && s.dim[k] < 1) return refuse_points(call, s.dim[k]);
        out->sizes.dim[k] = asked ? s.dim[k] : BODY(x)->shape[out->dims.dim[k]];
        if (k == out->dims.rank - 1) out->last_given = asked;
    }
    return tern_fft_norm_of(call, 3, &out->norm);
}

/* Sizes of 0 that were not asked for. */
static bool has_points(tern_opcall *call, const plan *p) {
    for (int k = 0; k < p->sizes.rank; k++)
        if (p->sizes.dim[k] < 1) return refuse_points(call, p->sizes.dim[k]);
    return true;
}

/* Numbers per transform. */
static double count_of(const plan *p) {
    double count = 1;
    for (int k = 0; k < p->sizes.rank; k++) count *= (double)p->sizes.dim[k];
    return count;
}

/* The input with each dimension of the plan cut or extended, but for the last `kept`. */
static tern_tensor *resized(tern_tensor *x, const plan *p, int kept) {
    for (int k = 0; k < p->dims.rank - kept; k++)
        x = tern_fft_resized(x, (int)p->dims.dim[k], p->sizes.dim[k]);
    return x;
}

static int last_dim(const plan *p) {
    return (int)p->dims.dim[p->dims.rank - 1];
}

static tern_shape other_dims(const plan *p) {
    tern_shape dims = p->dims;
    dims.rank--;
    return dims;
}

/* ---- the five forms -------------------------------------------------------------------------- */

/* fft, ifft and their like */
static tern_value complex_transform(tern_opcall *call, const plan *p, bool forward) {
    tern_tensor *x = tern_fft_operand(call, tern_arg_tensor(call, 0), true);
    if (tern_is_nil(x) || !has_points(call, p)) return tern_none();
    if (p->dims.rank == 0) return tern_result(call, tern_clone(x));
    return tern_result(call, tern_fft_c2c(resized(x, p, 0), p->dims, forward,
                                          tern_fft_scale(p->norm, forward, count_of(p))));
}

static tern_tensor *real_operand(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    if (!tern_is_complex(BODY(x)->dtype)) return tern_fft_operand(call, x, false);
    tern_call_fail(call, TERN_ERR_ARGUMENT, "expects a real input tensor, but got %s",
                   tern_dtype_name(BODY(x)->dtype));
    return call->ctx->nil;
}

/* False after latching where there is no last dimension, which is the one of the half. */
static bool has_last(tern_opcall *call, const plan *p) {
    if (p->dims.rank > 0) return has_points(call, p);
    tern_call_fail(call, TERN_ERR_ARGUMENT, "must transform at least one axis");
    return false;
}

/* rfft, and ihfft, which is its conjugate in the other direction */
static tern_value from_real(tern_opcall *call, const plan *p, bool hermitian) {
    tern_tensor *x = real_operand(call);
    if (tern_is_nil(x) || !has_last(call, p)) return tern_none();
    double scale = tern_fft_scale(p->norm, !hermitian, count_of(p));
    tern_tensor *out = tern_fft_r2c(resized(x, p, 0), last_dim(p), scale);
    if (hermitian) out = tern_conj(out);
    if (p->dims.rank > 1) out = tern_fft_c2c(out, other_dims(p), !hermitian, 1);
    return tern_result(call, out);
}

/* irfft, and hfft, which is that of the conjugate in the other direction */
static tern_value to_real(tern_opcall *call, plan *p, bool hermitian) {
    tern_tensor *x = tern_fft_operand(call, tern_arg_tensor(call, 0), true);
    if (tern_is_nil(x)) return tern_none();
    if (p->dims.rank > 0 && !p->last_given)
        p->sizes.dim[p->dims.rank - 1] = 2 * (p->sizes.dim[p->dims.rank - 1] - 1);
    if (!has_last(call, p)) return tern_none();
    int64_t n = p->sizes.dim[p->dims.rank - 1];
    double scale = tern_fft_scale(p->norm, hermitian, count_of(p));
    x = tern_fft_resized(resized(x, p, 1), last_dim(p), n / 2 + 1);
    if (p->dims.rank > 1) x = tern_fft_c2c(x, other_dims(p), hermitian, 1);
    return tern_result(call, tern_fft_c2r(hermitian ? tern_conj(x) : x, last_dim(p), n, scale));
}

/* ---- the functions --------------------------------------------------------------------------- */

#define ONE(id, form, flag)                                                                        \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        plan p;                                                                                    \
        return plan_one(call, &p) ? form(call, &p, flag) : tern_none();                            \
    }
#define SEVERAL(id, two, form, flag)                                                               \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        plan p;                                                                                    \
        return plan_several(call, two, &p) ? form(call, &p, flag) : tern_none();                   \
    }

ONE(fft, complex_transform, true)
ONE(ifft, complex_transform, false)
ONE(rfft, from_real, false)
ONE(ihfft, from_real, true)
ONE(irfft, to_real, false)
ONE(hfft, to_real, true)
SEVERAL(fft2, true, complex_transform, true)
SEVERAL(ifft2, true, complex_transform, false)
SEVERAL(rfft2, true, from_real, false)
SEVERAL(ihfft2, true, from_real, true)
SEVERAL(irfft2, true, to_real, false)
SEVERAL(hfft2, true, to_real, true)
SEVERAL(fftn, false, complex_transform, true)
SEVERAL(ifftn, false, complex_transform, false)
SEVERAL(rfftn, false, from_real, false)
SEVERAL(ihfftn, false, from_real, true)
SEVERAL(irfftn, false, to_real, false)
SEVERAL(hfftn, false, to_real, true)

/* ---- frequencies ----------------------------------------------------------------------------- */

/* 0, 1, ..., and from `turn` on -n / 2, ...: `count` of them by 1 / (n d) */
static tern_value frequencies(tern_opcall *call, int64_t count, int64_t turn) {
    int64_t n = tern_arg_int(call, 0, 0);
    tern_dtype dtype = tern_arg_dtype(call, 2, TERN_FLOAT32);
    if (n < 0 || !tern_dtype_is_floating(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "needs n of at least 0 and a floating dtype, got %lld and %s",
                              (long long)n, tern_dtype_name(dtype));
    double *values = tern_host_buffer(call->ctx, count, sizeof *values);
    if (!values) return tern_none();
    double step = 1 / ((double)n * tern_arg_double(call, 1, 1));
    for (int64_t k = 0; k < count; k++) values[k] = (double)(k < turn ? k : k - n) * step;
    tern_shape shape = TERN_SHAPE(count);
    tern_tensor *out = tern_new_from_host(call->lane, values, TERN_FLOAT64, &shape, NULL);
    tern_host_give(call->ctx, values);
    return tern_result(call, tern_to_dtype(out, dtype));
}

tern_value tern_op_fftfreq(tern_opcall *call) {
    int64_t n = tern_arg_int(call, 0, 0);
    return frequencies(call, n, n / 2 + n % 2);
}

tern_value tern_op_rfftfreq(tern_opcall *call) {
    int64_t n = tern_arg_int(call, 0, 0);
    return frequencies(call, n / 2 + 1, n / 2 + 1);
}
