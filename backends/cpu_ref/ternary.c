/*
 * TERNARY: out[...] = f(a[...], b[...], c[...]).
 *
 * float64 computes in double, the other floating dtypes in float32 with PyTorch's roundings (its
 * vector kernels fuse where fma stands here), integers and bool in int64.
 */
#include <math.h>

#include "kernels.h"
#include "walk.h"

typedef struct chunk {
    double a[TERN_KIT_CHUNK], b[TERN_KIT_CHUNK], c[TERN_KIT_CHUNK];
} chunk;

typedef struct chunk_i {
    int64_t a[TERN_KIT_CHUNK], b[TERN_KIT_CHUNK], c[TERN_KIT_CHUNK];
} chunk_i;

bool tern_ref_ternary_has(int32_t fn, int32_t dtype) {
    if (fn < TERN_TERNARY_WHERE || fn > TERN_TERNARY_LERP) return false;
    return tern_kit_is_floating(dtype) || fn <= TERN_TERNARY_ADDCMUL;
}

static double clamp(double x, double low, double high) {
    if (isnan(x)) return x;
    if (isnan(low) || isnan(high)) return NAN;
    double raised = x < low ? low : x;
    return raised > high ? high : raised;
}

static double lerp(double from, double to, double weight) {
    double step = to - from;
    return fabs(weight) < 0.5 ? fma(weight, step, from) : fma(weight - 1, step, to);
}

static float lerp_f32(float from, float to, float weight) {
    float step = to - from;
    return fabsf(weight) < 0.5f ? fmaf(weight, step, from) : fmaf(weight - 1, step, to);
}

/* The results replace x. */
static void run_f64(const tern_ternary_attrs *attrs, double *x, const double *y, const double *z,
                    int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double a = x[i], b = y[i], c = z[i];
        switch (attrs->fn) {
        case TERN_TERNARY_CLAMP: x[i] = clamp(a, b, c); break;
        case TERN_TERNARY_ADDCMUL: x[i] = fma(attrs->value * b, c, a); break;
        case TERN_TERNARY_ADDCDIV: x[i] = a + attrs->value * b / c; break;
        default: x[i] = lerp(a, b, c); break;
        }
    }
}

static void run_f32(const tern_ternary_attrs *attrs, double *x, const double *y, const double *z,
                    int64_t n) {
    float value = (float)attrs->value;
    for (int64_t i = 0; i < n; i++) {
        float a = (float)x[i], b = (float)y[i], c = (float)z[i];
        switch (attrs->fn) {
        case TERN_TERNARY_CLAMP: x[i] = clamp((double)a, (double)b, (double)c); break;
        case TERN_TERNARY_ADDCMUL: x[i] = (double)fmaf(value * b, c, a); break;
        case TERN_TERNARY_ADDCDIV: x[i] = (double)(a + value * b / c); break;
        default: x[i] = (double)lerp_f32(a, b, c); break;
        }
    }
}

void tern_ref_ternary_integer(const tern_ternary_attrs *attrs, int64_t *x, const int64_t *y,
                              const int64_t *z, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        int64_t a = x[i], b = y[i], c = z[i];
        switch (attrs->fn) {
        case TERN_TERNARY_WHERE: x[i] = a != 0 ? b : c; break;
        case TERN_TERNARY_CLAMP:
            a = a < b ? b : a;
            x[i] = a > c ? c : a;
            break;
        default: /* ADDCMUL, wrapping */
            x[i] = (int64_t)((uint64_t)a + (uint64_t)attrs->value_i * (uint64_t)b * (uint64_t)c);
            break;
        }
    }
}

/* In a loop of its own: it is in most formulas. */
static void where(double *x, const double *y, const double *z, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = x[i] != 0 ? y[i] : z[i];
}

void tern_ref_ternary_floating(const tern_ternary_attrs *attrs, int32_t dtype, double *a,
                               const double *b, const double *c, int64_t n) {
    if (attrs->fn == TERN_TERNARY_WHERE)
        where(a, b, c, n);
    else if (dtype == TERN_BT_FLOAT64)
        run_f64(attrs, a, b, c, n);
    else
        run_f32(attrs, a, b, c, n);
}

/* One chunk of operands[1..3] into operands[0], at the given addresses. */
static void run_chunk(const tern_ternary_attrs *attrs, const tern_kit_tensor *const *operands,
                      void *const *at, const int64_t *stride, int64_t n) {
    int32_t dtype = operands[2]->dtype; /* a is bool in WHERE */
    if (tern_kit_is_floating(dtype)) {
        chunk x;
        tern_kit_load_f64(operands[1]->dtype, at[1], stride[1], n, x.a);
        tern_kit_load_f64(dtype, at[2], stride[2], n, x.b);
        tern_kit_load_f64(dtype, at[3], stride[3], n, x.c);
        tern_ref_ternary_floating(attrs, dtype, x.a, x.b, x.c, n);
        tern_kit_store_f64(dtype, at[0], stride[0], n, x.a);
    } else {
        chunk_i x;
        tern_kit_load_i64(operands[1]->dtype, at[1], stride[1], n, x.a);
        tern_kit_load_i64(dtype, at[2], stride[2], n, x.b);
        tern_kit_load_i64(dtype, at[3], stride[3], n, x.c);
        tern_ref_ternary_integer(attrs, x.a, x.b, x.c, n);
        tern_kit_store_i64(dtype, at[0], stride[0], n, x.a);
    }
}

int32_t tern_ref_ternary(const tern_kit_call *call) {
    const tern_kit_tensor *operands[] = {&call->outputs[0], &call->inputs[0], &call->inputs[1],
                                         &call->inputs[2]};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 4, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        for (int64_t i = 0; i < row.length; i += TERN_KIT_CHUNK) {
            int64_t n = row.length - i < TERN_KIT_CHUNK ? row.length - i : TERN_KIT_CHUNK;
            void *at[4];
            for (int k = 0; k < 4; k++) {
                at[k] = tern_kit_at(operands[k], walk.offset[k] + i * row.stride[k]);
            }
            run_chunk(call->attrs, operands, at, row.stride, n);
        }
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}
