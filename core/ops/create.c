/*
 * create.c: tensors from numbers: zeros, ones, full and their *_like and new_* forms, arange,
 * linspace, scalar_tensor.
 *
 * Ranges are computed on the host in PyTorch's own order of rounding (numerics/sum_cascade.h), so
 * that every device starts from the same bits.
 */
#include "layout.h"

#include <math.h>

#include "numerics/dtype_convert.h"
#include "numerics/sum_cascade.h"

/* ---- filling ---- */

/* The dtype that PyTorch infers from a Python number. */
static tern_dtype dtype_of_number(tern_value number) {
    if (number.kind == TERN_VALUE_BOOL) return TERN_BOOL;
    return number.kind == TERN_VALUE_INT ? TERN_INT64 : TERN_FLOAT32;
}

/* The largest finite value of a dtype; -1 - max is the least of a signed integer. */
static double dtype_max(tern_dtype dtype) {
    switch (dtype) {
    case TERN_COMPLEX64:
    case TERN_FLOAT32: return 0x1.fffffep127;
    case TERN_FLOAT16: return 65504.0;
    case TERN_BFLOAT16: return 0x1.fep127;
    case TERN_INT32: return INT32_MAX;
    case TERN_INT16: return INT16_MAX;
    case TERN_INT8: return INT8_MAX;
    case TERN_UINT8: return UINT8_MAX;
    case TERN_FLOAT64:
    case TERN_COMPLEX128:
    case TERN_INT64:
    case TERN_BOOL:
    default: return INFINITY;
    }
}

/* PyTorch's checked conversion of a Python number: uint8 also takes -255 .. -1, which wrap. */
static bool number_fits(tern_value number, tern_dtype dtype) {
    double v = tern_value_as_double(number);
    double max = dtype_max(dtype);
    if (dtype == TERN_BOOL) return true;
    if (tern_is_continuous(dtype)) return isinf(v) || isnan(v) || fabs(v) <= max;
    if (dtype == TERN_INT64) return number.kind != TERN_VALUE_FLOAT || (v >= -0x1p63 && v < 0x1p63);
    if (dtype == TERN_UINT8) return v >= -max && v <= max;
    return v >= -1.0 - max && v <= max;
}

static tern_value fill_with(tern_opcall *call, tern_tensor *out, tern_value number) {
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!number_fits(number, BODY(out)->dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "value %g cannot be converted to %s without overflow",
                              tern_value_as_double(number), tern_dtype_name(BODY(out)->dtype));
    double f = tern_value_as_double(number);
    int64_t i = tern_value_as_int(number);
    if (BODY(out)->dtype == TERN_BOOL) i = f != 0.0;
    tern_fill_raw(out, f, i);
    return tern_result(call, out);
}

/* The size argument, checked; false after latching. */
static bool size_argument(tern_opcall *call, int index, tern_shape *out_size) {
    *out_size = tern_arg_ints(call, index);
    if (out_size->rank < 0) {
        if (call->ctx->status == TERN_OK)
            tern_call_fail(call, TERN_ERR_ARGUMENT, "a size is missing: give a list of integers");
        return false;
    }
    char text[TERN_SHAPE_TEXT];
    for (int d = 0; d < out_size->rank; d++)
        if (out_size->dim[d] < 0) {
            tern_call_fail(
                call, TERN_ERR_ARGUMENT, "Trying to create tensor with negative dimension %lld: %s",
                (long long)out_size->dim[d], tern_shape_text(out_size->rank, out_size->dim, text));
            return false;
        }
    return true;
}

static tern_value fill_size(tern_opcall *call, int size_index, tern_dtype dtype,
                            tern_value number) {
    tern_shape size;
    if (!size_argument(call, size_index, &size)) return tern_none();
    return fill_with(call, tern_new_shaped(call, dtype, &size), number);
}

tern_value tern_op_zeros(tern_opcall *call) {
    return fill_size(call, 0, tern_arg_dtype(call, 1, TERN_FLOAT32), tern_int(0));
}

tern_value tern_op_ones(tern_opcall *call) {
    return fill_size(call, 0, tern_arg_dtype(call, 1, TERN_FLOAT32), tern_int(1));
}

tern_value tern_op_full(tern_opcall *call) {
    tern_value number = tern_arg(call, 1);
    return fill_size(call, 0, tern_arg_dtype(call, 2, dtype_of_number(number)), number);
}

tern_value tern_op_new_zeros(tern_opcall *call) {
    tern_dtype dtype = tern_arg_dtype(call, 2, BODY(tern_arg_tensor(call, 0))->dtype);
    return fill_size(call, 1, dtype, tern_int(0));
}

tern_value tern_op_new_ones(tern_opcall *call) {
    tern_dtype dtype = tern_arg_dtype(call, 2, BODY(tern_arg_tensor(call, 0))->dtype);
    return fill_size(call, 1, dtype, tern_int(1));
}

tern_value tern_op_new_full(tern_opcall *call) {
    tern_dtype dtype = tern_arg_dtype(call, 3, BODY(tern_arg_tensor(call, 0))->dtype);
    return fill_size(call, 1, dtype, tern_arg(call, 2));
}

/* A tensor like the first argument, in the dtype argument at `dtype_index`. */
static tern_tensor *new_like(tern_opcall *call, int dtype_index) {
    tern_tensor *like = tern_arg_tensor(call, 0);
    tern_dtype dtype = tern_arg_dtype(call, dtype_index, BODY(like)->dtype);
    return tern_new_dense_like(call->lane, like, dtype);
}

tern_value tern_op_zeros_like(tern_opcall *call) {
    return fill_with(call, new_like(call, 1), tern_int(0));
}

tern_value tern_op_ones_like(tern_opcall *call) {
    return fill_with(call, new_like(call, 1), tern_int(1));
}

tern_value tern_op_full_like(tern_opcall *call) {
    return fill_with(call, new_like(call, 2), tern_arg(call, 1));
}

tern_value tern_op_empty_like(tern_opcall *call) {
    return tern_result(call, new_like(call, 1));
}

tern_value tern_op_scalar_tensor(tern_opcall *call) {
    tern_dtype dtype = tern_arg_dtype(call, 1, TERN_FLOAT32);
    return fill_with(call, tern_tensor_new(call->lane, dtype, 0, NULL), tern_arg(call, 0));
}

/* ---- ranges ---- */

/* Uploads a 1-dim tensor and frees the buffer it comes from. */
static tern_value take_buffer(tern_opcall *call, void *buffer, int64_t n, tern_dtype dtype) {
    tern_shape shape = {1, {n}};
    tern_tensor *out = tern_new_from_host(call->lane, buffer, dtype, &shape, NULL);
    tern_host_give(call->ctx, buffer);
    return tern_result(call, out);
}

/* The element count of arange; -1 after latching. int64 counts in integers where all three are, the
 * others in double.
 */
static int64_t arange_count(tern_opcall *call, tern_value start, tern_value end, tern_value step,
                            tern_dtype dtype) {
    double a = tern_value_as_double(start), b = tern_value_as_double(end);
    double s = tern_value_as_double(step);
    const char *wrong = NULL;
    if (s == 0.0) wrong = "step must be nonzero";
    if (!isfinite(a) || !isfinite(b)) wrong = "unsupported range";
    if (!wrong && ((s > 0.0 && b < a) || (s < 0.0 && b > a)))
        wrong = "upper bound and lower bound inconsistent with step sign";
    double count = 0.0;
    bool whole = start.kind != TERN_VALUE_FLOAT && end.kind != TERN_VALUE_FLOAT &&
                 step.kind != TERN_VALUE_FLOAT;
    if (!wrong && dtype == TERN_INT64 && whole) {
        int64_t ia = tern_value_as_int(start), ib = tern_value_as_int(end);
        int64_t is = tern_value_as_int(step);
        bool fits = true;
        int64_t length = tern_dim_sub(ib, ia, &fits);
        length = tern_dim_add(length, is > 0 ? is - 1 : is + 1, &fits);
        if (is == 0)
            wrong = "step must be nonzero";
        else if (!fits || (length == INT64_MIN && is == -1))
            wrong = "invalid size, possible overflow";
        int64_t steps = wrong ? 0 : length / is;
        count = (double)steps;
    } else if (!wrong) {
        count = ceil((b - a) / s);
    }
    if (!wrong && count >= 0x1p62) wrong = "invalid size, possible overflow";
    if (!wrong) return (int64_t)count;
    tern_call_fail(call, TERN_ERR_ARGUMENT, "%s: %g -> %g by %g", wrong, a, b, s);
    return -1;
}

static void arange_values(void *out, int64_t n, tern_dtype dtype, tern_value start,
                          tern_value step) {
    double a = tern_value_as_double(start), s = tern_value_as_double(step);
    if (dtype == TERN_FLOAT32) {
        tern_num_arange_f32(out, n, a, s);
    } else if (dtype == TERN_FLOAT64) {
        tern_num_arange_f64(out, n, a, s);
    } else if (tern_dtype_is_floating(dtype)) {
        float fa = (float)a, fs = (float)s;
        for (int64_t i = 0; i < n; i++)
            tern_num_store_f64((int)dtype, out, i, (double)(fa + fs * (float)i));
    } else {
        uint64_t ia = (uint64_t)tern_value_as_int(start), is = (uint64_t)tern_value_as_int(step);
        for (int64_t i = 0; i < n; i++)
            tern_num_store_i64((int)dtype, out, i, tern_num_u64_to_i64(ia + is * (uint64_t)i));
    }
}

tern_value tern_op_arange(tern_opcall *call) {
    tern_value start = tern_arg(call, 0), end = tern_arg(call, 1), step = tern_arg(call, 2);
    if (end.kind == TERN_VALUE_NONE) {
        end = start;
        start = tern_int(0);
    }
    if (step.kind == TERN_VALUE_NONE) step = tern_int(1);
    bool floating = start.kind == TERN_VALUE_FLOAT || end.kind == TERN_VALUE_FLOAT ||
                    step.kind == TERN_VALUE_FLOAT;
    tern_dtype dtype = tern_arg_dtype(call, 3, floating ? TERN_FLOAT32 : TERN_INT64);
    int64_t n = arange_count(call, start, end, step, dtype);
    if (n < 0) return tern_none();
    void *buffer = tern_host_buffer(call->ctx, n, tern_dtype_size(dtype));
    if (!buffer) return tern_none();
    arange_values(buffer, n, dtype, start, step);
    return take_buffer(call, buffer, n, dtype);
}

/* A number, or the one element of a 0-dim tensor. */
static bool endpoint(tern_opcall *call, int index, double *out_value) {
    tern_tensor *tensor = tern_arg_tensor(call, index);
    if (!tensor) {
        *out_value = tern_value_as_double(tern_arg(call, index));
        return true;
    }
    if (BODY(tensor)->rank != 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "only supports 0-dimensional start and end tensors, but got %s with %d "
                       "dimension(s)",
                       index == 0 ? "start" : "end", BODY(tensor)->rank);
        return false;
    }
    *out_value = tern_item(tensor);
    return call->ctx->status == TERN_OK;
}

/* From both ends, so that both are met exactly: PyTorch's rule for each dtype. */
static void linspace_values(void *out, int64_t n, tern_dtype dtype, double start, double end) {
    if (dtype == TERN_FLOAT32) {
        tern_num_linspace_f32(out, n, (float)start, (float)end);
    } else if (dtype == TERN_FLOAT64) {
        tern_num_linspace_f64(out, n, start, end);
    } else {
        bool integral = !tern_dtype_is_floating(dtype);
        if (integral) start = trunc(start), end = trunc(end);
        double step = n > 1 ? (end - start) / (double)(n - 1) : 0.0;
        for (int64_t i = 0; i < n; i++) {
            double v =
                i < n / 2 || n == 1 ? start + step * (double)i : end - step * (double)(n - 1 - i);
            tern_num_store_f64((int)dtype, out, i, v);
        }
    }
}

tern_value tern_op_linspace(tern_opcall *call) {
    double start, end;
    int64_t steps = tern_arg_int(call, 2, 0);
    tern_dtype dtype = tern_arg_dtype(call, 3, TERN_FLOAT32);
    if (!endpoint(call, 0, &start) || !endpoint(call, 1, &end)) return tern_none();
    if (steps < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "number of steps must be non-negative, but got %lld",
                              (long long)steps);
    void *buffer = tern_host_buffer(call->ctx, steps, tern_dtype_size(dtype));
    if (!buffer) return tern_none();
    linspace_values(buffer, steps, dtype, start, end);
    return take_buffer(call, buffer, steps, dtype);
}

/* ---- C functions ---- */

tern_tensor *tern_zeros(tern_ctx *ctx, tern_shape size, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, zeros, ARG_SHAPE(size), ARG_DTYPE(dtype));
}
tern_tensor *tern_ones(tern_ctx *ctx, tern_shape size, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, ones, ARG_SHAPE(size), ARG_DTYPE(dtype));
}
tern_tensor *tern_full(tern_ctx *ctx, tern_shape size, double value, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, full, ARG_SHAPE(size), ARG_FLOAT(value), ARG_DTYPE(dtype));
}
tern_tensor *tern_zeros_like(tern_tensor *input) {
    return TERN_CALL(zeros_like, ARG_TENSOR(input));
}
tern_tensor *tern_ones_like(tern_tensor *input) {
    return TERN_CALL(ones_like, ARG_TENSOR(input));
}
tern_tensor *tern_full_like(tern_tensor *input, double value) {
    return TERN_CALL(full_like, ARG_TENSOR(input), ARG_FLOAT(value));
}
tern_tensor *tern_empty_like(tern_tensor *input) {
    return TERN_CALL(empty_like, ARG_TENSOR(input));
}
tern_tensor *tern_arange(tern_ctx *ctx, double start, double end, double step) {
    return TERN_CALL_CTX(ctx, arange, ARG_FLOAT(start), ARG_FLOAT(end), ARG_FLOAT(step));
}
tern_tensor *tern_arange_i64(tern_ctx *ctx, int64_t end) {
    return TERN_CALL_CTX(ctx, arange, ARG_INT(end));
}
tern_tensor *tern_linspace(tern_ctx *ctx, double start, double end, int64_t steps) {
    return TERN_CALL_CTX(ctx, linspace, ARG_FLOAT(start), ARG_FLOAT(end), ARG_INT(steps));
}

tern_tensor *tern_scalar_tensor(tern_ctx *ctx, double value, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, scalar_tensor, ARG_FLOAT(value), ARG_DTYPE(dtype));
}
