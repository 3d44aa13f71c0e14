/*
 * MATMUL: out[b, i, j] = alpha * sum over k of a[b, i, k] * x[b, k, j] + beta * c[b, i, j].
 *
 * Each sum runs over k in order, in float32 (float64 for float64, int64 for integers), whatever the
 * strides; float16 and bfloat16 round once, at the end. The output's dtype decides, which may be wider
 * than that of a and x. b counts the positions of all leading
 * dimensions. matmul_typed.inc is compiled once for each type of number.
 */
#include "kernels.h"
#include "walk.h"

/* Columns of x that are handled together: a panel [K, PANEL] is packed so that its rows are
 * contiguous, for whatever strides x has. Of up to NARROW columns none is packed. */
#define PANEL  64
#define NARROW 2

/* One batch entry's operands: element offsets, and strides of the last two dimensions. */
typedef struct matrices {
    int64_t m, n, k;
    const tern_kit_tensor *a, *x, *c, *out; /* c may be NULL */
    int64_t a_at, x_at, c_at, out_at;
} matrices;

static int64_t row_stride(const tern_kit_tensor *t) {
    return t->strides[t->rank - 2];
}
static int64_t column_stride(const tern_kit_tensor *t) {
    return t->strides[t->rank - 1];
}

#define NUMBER  float
#define NAME(x) x##_f32
#define LOAD    load_f32
#define STORE   store_f32
#define ALPHA   (float)attrs->alpha
#define BETA    (float)attrs->beta

static void load_f32(int32_t dtype, const void *from, int64_t stride, int64_t n, float *out) {
    if (dtype == TERN_BT_FLOAT32) {
        for (int64_t i = 0; i < n; i++) out[i] = ((const float *)from)[i * stride];
        return;
    }
    double x[TERN_KIT_CHUNK];
    for (int64_t i = 0; i < n; i += TERN_KIT_CHUNK) {
        int64_t some = n - i < TERN_KIT_CHUNK ? n - i : TERN_KIT_CHUNK;
        const char *at = (const char *)from + i * stride * tern_kit_size(dtype);
        tern_kit_load_f64(dtype, at, stride, some, x);
        for (int64_t j = 0; j < some; j++) out[i + j] = (float)x[j];
    }
}

static void store_f32(int32_t dtype, void *to, int64_t stride, int64_t n, const float *values) {
    if (dtype == TERN_BT_FLOAT32) {
        for (int64_t i = 0; i < n; i++) ((float *)to)[i * stride] = values[i];
        return;
    }
    double x[PANEL];
    for (int64_t j = 0; j < n; j++) x[j] = (double)values[j];
    tern_kit_store_f64(dtype, to, stride, n, x);
}
#include "matmul_typed.inc"

#define NUMBER  double
#define NAME(x) x##_f64
#define LOAD    tern_kit_load_f64
#define STORE   tern_kit_store_f64
#define ALPHA   attrs->alpha
#define BETA    attrs->beta
#include "matmul_typed.inc"

/* Unsigned, so that overflow wraps; the bits are those of int64. */
#define NUMBER  uint64_t
#define NAME(x) x##_i64
#define LOAD    load_i64
#define STORE   store_i64
#define ALPHA   (uint64_t) attrs->alpha_i
#define BETA    (uint64_t) attrs->beta_i

static void load_i64(int32_t dtype, const void *from, int64_t stride, int64_t n, uint64_t *out) {
    tern_kit_load_i64(dtype, from, stride, n, (int64_t *)out);
}

static void store_i64(int32_t dtype, void *to, int64_t stride, int64_t n, const uint64_t *values) {
    tern_kit_store_i64(dtype, to, stride, n, (const int64_t *)values);
}
#include "matmul_typed.inc"

/* Whether the operands are numbers that can be read where they lie, and so few columns need no panel. */
static bool is_narrow(const matrices *mats) {
    int32_t dtype = mats->out->dtype;
    bool computed_in =
        dtype == TERN_BT_FLOAT32 || dtype == TERN_BT_FLOAT64 || dtype == TERN_BT_INT64;
    return mats->n <= NARROW && computed_in && mats->a->dtype == dtype && mats->x->dtype == dtype &&
           (!mats->c || mats->c->dtype == dtype);
}

/* Not inlined: what nine loops need must not be made ready for the one that runs. */
__attribute__((noinline)) static void multiply(const matrices *mats, const tern_matmul_attrs *attrs,
                                               void *scratch) {
    if (mats->out->dtype == TERN_BT_FLOAT64)
        scratch ? multiply_f64(mats, attrs, scratch) : multiply_narrow_f64(mats, attrs);
    else if (tern_kit_is_floating(mats->out->dtype))
        scratch ? multiply_f32(mats, attrs, scratch) : multiply_narrow_f32(mats, attrs);
    else
        scratch ? multiply_i64(mats, attrs, scratch) : multiply_narrow_i64(mats, attrs);
}

int32_t tern_ref_matmul(const tern_kit_call *call) {
    const tern_kit_tensor *a = &call->inputs[0], *x = &call->inputs[1], *out = &call->outputs[0];
    const tern_kit_tensor *c = call->n_inputs > 2 ? &call->inputs[2] : NULL;
    int32_t rank = out->rank;
    matrices mats = {
        out->shape[rank - 2], out->shape[rank - 1], a->shape[rank - 1], a, x, c, out, 0, 0, 0, 0};
    /* scratch: the panel, one row of a; 8 bytes hold any number */
    uint64_t *scratch = NULL;
    if (!is_narrow(&mats)) {
        scratch = tern_kit_take(call, mats.k, (PANEL + 1) * sizeof *scratch);
        if (!scratch) return TERN_BACKEND_OUT_OF_MEMORY;
    }

    /* the last two dimensions are the matrices', so they are left out of the walk */
    const tern_kit_tensor *operands[] = {out, a, x, c ? c : out};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 4, 3u << (rank - 2));
    do {
        mats.out_at = walk.offset[0];
        mats.a_at = walk.offset[1];
        mats.x_at = walk.offset[2];
        mats.c_at = walk.offset[3];
        multiply(&mats, call->attrs, scratch);
    } while (tern_kit_walk_next(&walk));
    tern_kit_give(call, scratch);
    return TERN_BACKEND_OK;
}
