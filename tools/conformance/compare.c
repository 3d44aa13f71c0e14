#include "compare.h"

#include "tern/context.h"
#include "tern/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct host_array {
    tern_dtype dtype;
    tern_shape shape;
    int64_t count;
    const uint8_t *data;
} host_array;

static bool differs(comparison *c, const char *format, ...) TERN_PRINTF(2, 3);
static bool differs(comparison *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->what, sizeof c->what, format, arguments);
    va_end(arguments);
    c->equal = false;
    return true;
}

/* ---- results on the host --------------------------------------------------------------------- */

static bool host_scalar(tern_ctx *ctx, tern_dtype dtype, const void *bytes, host_array *out) {
    uint8_t *copy = tern_scope_alloc(ctx, 8);
    if (!copy) return false;
    memcpy(copy, bytes, tern_dtype_size(dtype));
    *out = (host_array){dtype, {0, {0}}, 1, copy};
    return true;
}

static bool host_size(tern_ctx *ctx, tern_value list, host_array *out) {
    size_t count = tern_value_count(list);
    int64_t *sizes = tern_scope_alloc(ctx, count * sizeof *sizes);
    if (!sizes) return false;
    for (size_t i = 0; i < count; i++) sizes[i] = tern_value_as_int(tern_value_at(list, i));
    *out = (host_array){TERN_INT64, {1, {(int64_t)count}}, (int64_t)count, (const uint8_t *)sizes};
    return true;
}

static bool host_tensor(tern_ctx *ctx, tern_tensor *tensor, host_array *out) {
    if (tern_is_nil(tensor)) return false;
    out->dtype = tern_dtype_of(tensor);
    out->shape = tern_shape_of(tensor);
    out->count = tern_numel(tensor);
    size_t bytes = (size_t)out->count * tern_dtype_size(out->dtype);
    void *data = tern_scope_alloc(ctx, bytes);
    out->data = data;
    return data && tern_to_host(tensor, data, bytes) == TERN_OK;
}

static bool bring_home(tern_ctx *ctx, tern_value result, host_array *out) {
    uint8_t yes = result.kind == TERN_VALUE_BOOL && result.as.b;
    switch (result.kind) {
    case TERN_VALUE_TENSOR: return host_tensor(ctx, result.as.tensor, out);
    case TERN_VALUE_BOOL: return host_scalar(ctx, TERN_BOOL, &yes, out);
    case TERN_VALUE_INT: return host_scalar(ctx, TERN_INT64, &result.as.i, out);
    case TERN_VALUE_FLOAT: return host_scalar(ctx, TERN_FLOAT64, &result.as.f, out);
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: return host_size(ctx, result, out);
    default:
        tern_fail(ctx, TERN_ERR_ARGUMENT, "got a %s, expected a tensor",
                  tern_kind_name(result.kind));
        return false;
    }
}

static bool same_shape(const tern_shape *a, const tern_shape *b) {
    if (a->rank != b->rank) return false;
    for (int32_t d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

static const char *shape_text(const tern_shape *shape, char *text, size_t size) {
    size_t length = (size_t)snprintf(text, size, "[");
    for (int32_t d = 0; d < shape->rank && length < size; d++)
        length += (size_t)snprintf(text + length, size - length, "%s%" PRId64, d ? ", " : "",
                                   shape->dim[d]);
    if (length < size) snprintf(text + length, size - length, "]");
    return text;
}

static const char *position_text(const tern_shape *shape, int64_t index, char *text, size_t size) {
    tern_shape position = *shape;
    for (int32_t d = shape->rank - 1; d >= 0; d--) {
        position.dim[d] = index % shape->dim[d];
        index /= shape->dim[d];
    }
    return shape_text(&position, text, size);
}

/* ---- elements -------------------------------------------------------------------------------- */

static uint64_t bits_at(const host_array *a, int64_t index) {
    uint64_t bits = 0;
    size_t size = tern_dtype_size(a->dtype);
    memcpy(&bits, a->data + (size_t)index * size, size); /* little endian */
    return bits;
}

/* An IEEE binary16 or a bfloat16 widened: exact in double. */
static double half_at(uint64_t bits, bool brain) {
    int mantissa_bits = brain ? 7 : 10, exponent_bits = brain ? 8 : 5;
    int64_t mantissa = (int64_t)(bits & ((1u << mantissa_bits) - 1));
    int exponent = (int)(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    int bias = (1 << (exponent_bits - 1)) - 1;
    double sign = bits >> 15 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1)
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0) return sign * ldexp((double)mantissa, 1 - bias - mantissa_bits);
    return sign * ldexp((double)(mantissa + (1 << mantissa_bits)), exponent - bias - mantissa_bits);
}

static double double_at(const host_array *a, int64_t index) {
    uint64_t bits = bits_at(a, index);
    float f;
    double d;
    uint32_t low = (uint32_t)bits;
    switch (a->dtype) {
    case TERN_FLOAT32: memcpy(&f, &low, sizeof f); return (double)f;
    case TERN_FLOAT64: memcpy(&d, &bits, sizeof d); return d;
    case TERN_FLOAT16: return half_at(bits, false);
    case TERN_BFLOAT16: return half_at(bits, true);
    case TERN_INT64: return (double)(int64_t)bits;
    case TERN_INT32: return (double)(int32_t)low;
    case TERN_INT16: return (double)(int16_t)low;
    case TERN_INT8: return (double)(int8_t)low;
    default: return (double)low;
    }
}

void default_tolerance(tern_dtype dtype, double *out_rtol, double *out_atol) {
    *out_atol = 1e-5;
    switch (dtype) {
    case TERN_FLOAT64:
        *out_rtol = 1e-7;
        *out_atol = 1e-7;
        break;
    case TERN_FLOAT16: *out_rtol = 1e-3; break;
    case TERN_BFLOAT16: *out_rtol = 1.6e-2; break;
    default: *out_rtol = 1.3e-6; break;
    }
}

/* ---- whole arrays ---------------------------------------------------------------------------- */

static bool wrong_kind(const host_array *got, const host_array *want, tern_dtype dtype,
                       comparison *c) {
    char a[128], b[128];
    if (got->dtype != dtype)
        return differs(c, "dtype %s, expected %s", tern_dtype_name(got->dtype),
                       tern_dtype_name(dtype));
    if (!same_shape(&got->shape, &want->shape))
        return differs(c, "shape %s, expected %s", shape_text(&got->shape, a, sizeof a),
                       shape_text(&want->shape, b, sizeof b));
    return false;
}

static void compare_exactly(const host_array *got, const host_array *want, comparison *c) {
    char where[128];
    for (int64_t i = 0; i < want->count; i++) {
        double x = double_at(got, i), y = double_at(want, i);
        bool same = got->dtype == want->dtype ? bits_at(got, i) == bits_at(want, i) : x == y;
        if (same || x == y || (isnan(x) && isnan(y))) continue;
        if (isfinite(x) && isfinite(y) && fabs(x - y) > c->error) c->error = fabs(x - y);
        if (c->equal)
            differs(c, "element %s is %.17g, expected %.17g",
                    position_text(&want->shape, i, where, sizeof where), x, y);
    }
}

/* Integers of 64 bits do not fit a double: equal doubles are looked at again. */
static void compare_integers(const host_array *got, const host_array *want, comparison *c) {
    char where[128];
    for (int64_t i = 0; i < want->count; i++) {
        if (bits_at(got, i) == bits_at(want, i)) continue;
        differs(c, "element %s is %" PRId64 ", but %" PRId64 " is right",
                position_text(&want->shape, i, where, sizeof where), (int64_t)double_at(got, i),
                (int64_t)double_at(want, i));
        return;
    }
}

static void compare_floats(const host_array *got, const host_array *want, const tolerance *t,
                           comparison *c) {
    double rtol, atol;
    char where[128];
    default_tolerance(got->dtype, &rtol, &atol);
    for (int64_t i = 0; i < want->count; i++) {
        double x = double_at(got, i), y = double_at(want, i);
        if (t->up_to_sign) {
            x = fabs(x);
            y = fabs(y);
        }
        bool other_zero = t->signed_zeros && x == 0 && signbit(x) != signbit(y);
        if ((x == y && !other_zero) || (isnan(x) && isnan(y))) continue;
        double off = other_zero ? (double)INFINITY : fabs(x - y);
        double limit = fmax(8 * t->torch_error, atol + rtol * fabs(y));
        if (t->relative > 0 || t->absolute > 0) limit = t->absolute + t->relative * fabs(y);
        if (isfinite(off) && off > c->error) c->error = off;
        if (isfinite(y) && off <= limit) continue;
        if (c->equal)
            differs(c, "element %s is %.17g, expected %.17g (off by %.3g, allowed %.3g)",
                    position_text(&want->shape, i, where, sizeof where), x, y, off, limit);
    }
}

bool compare_result(tern_ctx *ctx, tern_value result, const stored_tensor *truth, tern_dtype dtype,
                    const tolerance *limit, comparison *out_comparison) {
    host_array got, want = {truth->dtype, truth->shape, 1, truth->data};
    *out_comparison = (comparison){.equal = true};
    for (int32_t d = 0; d < want.shape.rank; d++) want.count *= want.shape.dim[d];
    if (!bring_home(ctx, result, &got)) return false;
    if (dtype == TERN_DTYPE_DEFAULT) dtype = truth->dtype;
    if (wrong_kind(&got, &want, dtype, out_comparison)) return true;
    if (!tern_dtype_is_floating(got.dtype) && got.dtype == want.dtype && !limit->up_to_sign)
        compare_integers(&got, &want, out_comparison);
    else if (limit->exact || !tern_dtype_is_floating(got.dtype))
        compare_exactly(&got, &want, out_comparison);
    else
        compare_floats(&got, &want, limit, out_comparison);
    return true;
}

bool compare_bits(tern_ctx *ctx, tern_value result, const stored_tensor *truth,
                  comparison *out_comparison) {
    host_array got, want = {truth->dtype, truth->shape, 1, truth->data};
    char where[128];
    *out_comparison = (comparison){.equal = true};
    for (int32_t d = 0; d < want.shape.rank; d++) want.count *= want.shape.dim[d];
    if (!bring_home(ctx, result, &got)) return false;
    if (wrong_kind(&got, &want, truth->dtype, out_comparison)) return true;
    for (int64_t i = 0; i < want.count; i++) {
        double x = double_at(&got, i), y = double_at(&want, i);
        if (bits_at(&got, i) == bits_at(&want, i) || (isnan(x) && isnan(y))) continue;
        return differs(out_comparison, "element %s is %.17g, expected %.17g, bit for bit",
                       position_text(&want.shape, i, where, sizeof where), x, y);
    }
    return true;
}
