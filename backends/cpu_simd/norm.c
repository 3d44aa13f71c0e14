/*
 * NORM: normalisation over the dimensions D (formulas in tern/backend_fused.h).
 *
 * Each statistic is computed by one thread, in double where sums of sums are added up.
 */
#include <math.h>

#include "across.h"
#include "kernels.h"
#include "moments.h"
#include "norm_shape.h"
#include "simd_zip.h"

/* From this many bytes on y is written past the caches: a line need not be fetched before it is overwritten,
 * and what is read of x stays. */
#define STREAMED (INT64_C(8) << 20)

/* The operands. What a form does not have is a number that changes nothing. */
enum { X, Y, RSTD, MEAN, VAR, WEIGHT, BIAS };

typedef struct forward {
    norm_shape shape;
    bool rms, gives_var;
    bool streams; /* y goes past the caches, where it is written as it is computed */
    double eps;
    int64_t tiles; /* of columns */
} forward;

#define REAL       float
#define DTYPE      TERN_BT_FLOAT32
#define VECTOR     f32v
#define LANES      F32_LANES
#define V(name)    f32_##name
#define NAME(name) name##_f32
#define SINGLE     true
#define f32_bring  tern_simd_load_f32
#define f32_take   tern_simd_store_f32
#include "moments.inc"
#include "norm.inc"
#undef REAL
#undef DTYPE
#undef VECTOR
#undef LANES
#undef V
#undef NAME
#undef SINGLE

#define REAL       double
#define DTYPE      TERN_BT_FLOAT64
#define VECTOR     f64v
#define LANES      F64_LANES
#define V(name)    f64_##name
#define NAME(name) name##_f64
#define SINGLE     false
#define f64_bring  tern_simd_load_f64
#define f64_take   tern_simd_store_f64
#include "moments.inc"
#include "norm.inc"

static const float one_f32 = 1, none_f32 = -0.0f;
static const double one_f64 = 1, none_f64 = -0.0;

/* The operands in the order of the enum; an output that is not there stands where rstd does. */
static void collect(forward *f, const tern_kit_call *call, const tern_norm_attrs *attrs) {
    const tern_kit_tensor *x = &call->inputs[0], *out = call->outputs, *next = &call->inputs[1];
    int32_t wide = tern_kit_wide(x->dtype);
    bool single = wide == TERN_BT_FLOAT32;
    const tern_kit_tensor *rstd = f->rms ? &out[1] : &out[2], *var = rstd + 1;
    f->gives_var = call->n_outputs > (f->rms ? 2 : 3);
    norm_shape *s = &f->shape;
    tern_simd_norm_operand(s, x, x);
    tern_simd_norm_operand(s, &out[0], x);
    tern_simd_norm_operand(s, rstd, x);
    tern_simd_norm_operand(s, &out[1], x);
    tern_simd_norm_operand(s, f->gives_var ? var : rstd, x);
    const void *one = single ? (const void *)&one_f32 : &one_f64;
    const void *none = single ? (const void *)&none_f32 : &none_f64;
    if (attrs->affine & TERN_NORM_WEIGHT)
        tern_simd_norm_operand(s, next++, x);
    else
        tern_simd_norm_number(s, wide, one, x);
    if (attrs->affine & TERN_NORM_BIAS)
        tern_simd_norm_operand(s, next, x);
    else
        tern_simd_norm_number(s, wide, none, x);
}

int32_t tern_simd_norm(const tern_kit_call *call) {
    const tern_norm_attrs *attrs = call->attrs;
    const tern_kit_tensor *x = &call->inputs[0];
    forward f = {.rms = attrs->fn == TERN_NORM_RMS, .eps = attrs->eps};
    f.streams = tern_kit_count(x) * tern_kit_size(x->dtype) >= STREAMED;
    collect(&f, call, attrs);
    tern_simd_norm_cut(&f.shape, attrs->dims);
    f.tiles = (f.shape.columns.length - 1) / NORM_COLUMNS + 1;
    int64_t shares = tern_kit_walk_count(&f.shape.kept) * f.tiles;
    int64_t grain = tern_simd_grain(tern_kit_count(x) / shares);
    tern_simd_share(call, shares, grain,
                    x->dtype == TERN_BT_FLOAT64 ? norm_shares_f64 : norm_shares_f32, &f);
    return TERN_BACKEND_OK;
}
