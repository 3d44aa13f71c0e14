/*
 * CROSS_ENTROPY and its gradient (formulas in tern/backend_fused.h), line by line along the classes.
 *
 * A share is some lines; its sums are added up in order when all are done. Lines whose classes lie apart
 * are brought to a room of their own, a class of all lines at a time.
 */
#include <math.h>

#include "exp_below.h"
#include "kernels.h"
#include "vmath.h"
#include "wide_rows.h"

/* The lines of one share. */
#define LINES 64

/* What a share leaves. */
typedef struct partial {
    double own, all, counted; /* sums of the two terms of the loss, and of the weights */
    int64_t bad_target;
    bool bad, out_of_memory;
} partial;

typedef struct state {
    const tern_kit_call *call;
    const tern_cross_entropy_attrs *attrs;
    const tern_kit_tensor *x, *target;
    bool by_index, backward;
    int64_t n, c, m;
    int64_t tiles;            /* shares of an index of n, where m > 1 */
    int64_t room;             /* how many times LINES lines the room has */
    const void *weight;       /* of the classes, in what is computed in; NULL: 1 */
    double weight_sum, total; /* total: of the elements' weights */
    double keep, even;        /* 1 - s and s / c */
    partial *partials;
} state;

/* The first line of a share, and how many it has. */
static void share_lines(const state *s, int64_t share, int64_t *n, int64_t *j, int64_t *count) {
    int64_t left;
    if (s->m == 1) {
        *n = share * LINES;
        *j = 0;
        left = s->n - *n;
    } else {
        *n = share / s->tiles;
        *j = share % s->tiles * LINES;
        left = s->m - *j;
    }
    *count = left < LINES ? left : LINES;
}

/* Where a line is, `i` behind [n, :, j]. */
static int64_t line_at(const state *s, int64_t n_stride, int64_t m_stride, int64_t n, int64_t j,
                       int64_t i) {
    return s->m == 1 ? (n + i) * n_stride : n * n_stride + (j + i) * m_stride;
}

/* The two terms of the loss together. */
static double joined(const state *s, double own, double all) {
    if (!s->by_index || s->attrs->smoothing == 0) return own;
    return own * s->keep + all * s->even;
}

#define REAL        float
#define DTYPE       TERN_BT_FLOAT32
#define VECTOR      f32v
#define LANES       F32_LANES
#define V(name)     f32_##name
#define NAME(name)  name##_f32
#define BELOW_SCALE F32_BELOW_SCALE
#define f32_bring   tern_simd_load_f32
#define f32_take    tern_simd_store_f32
#include "cross_entropy.inc"
#undef REAL
#undef DTYPE
#undef VECTOR
#undef LANES
#undef V
#undef NAME
#undef BELOW_SCALE

#define REAL        double
#define DTYPE       TERN_BT_FLOAT64
#define VECTOR      f64v
#define LANES       F64_LANES
#define V(name)     f64_##name
#define NAME(name)  name##_f64
#define BELOW_SCALE F64_BELOW_SCALE
#define f64_bring   tern_simd_load_f64
#define f64_take    tern_simd_store_f64
#include "cross_entropy.inc"

static bool is_direct(const tern_kit_tensor *t, int32_t wide) {
    return t->dtype == wide && t->strides[1] == 1;
}

/* What is known before any line is read. */
static void describe(state *s, const tern_kit_call *call, bool backward) {
    const tern_kit_tensor *x = &call->inputs[backward ? 1 : 0];
    int32_t wide = tern_kit_wide(x->dtype);
    *s = (state){.call = call, .attrs = call->attrs, .x = x, .target = x + 1, .backward = backward};
    s->by_index = s->attrs->fn == TERN_CROSS_ENTROPY_INDEX;
    s->n = x->shape[0];
    s->c = x->shape[1];
    s->m = x->shape[2];
    s->tiles = (s->m - 1) / LINES + 1;
    s->keep = 1 - s->attrs->smoothing;
    s->even = s->attrs->smoothing / (double)s->c;
    s->weight_sum = (double)s->c;
    bool smooths = s->attrs->smoothing != 0;
    if (!is_direct(x, wide)) s->room = 1;
    if (!s->by_index && (smooths || !is_direct(s->target, wide))) s->room = 2;
    if (backward && !is_direct(&call->outputs[0], wide)) s->room = 3;
}

/* The weights of the classes as they are computed with. Scratch memory, or NULL where they are not needed
 * or there is none. */
static void *bring_weights(state *s) {
    const tern_kit_tensor *w = &s->call->inputs[s->call->n_inputs - 1];
    int32_t wide = tern_kit_wide(s->x->dtype);
    void *memory = tern_kit_take(s->call, s->c, (size_t)tern_kit_size(wide));
    if (!memory) return NULL;
    double sum = 0;
    if (wide == TERN_BT_FLOAT64) {
        tern_simd_load_f64(w->dtype, w->data, w->strides[0], s->c, memory);
        for (int64_t k = 0; k < s->c; k++) sum += ((const double *)memory)[k];
    } else {
        tern_simd_load_f32(w->dtype, w->data, w->strides[0], s->c, memory);
        for (int64_t k = 0; k < s->c; k++) sum += (double)((const float *)memory)[k];
    }
    s->weight = memory;
    s->weight_sum = sum;
    return memory;
}

/* Adds up what the shares left, into the first. */
static int32_t join(state *s, int64_t shares) {
    partial *sum = &s->partials[0];
    for (int64_t i = 1; i < shares; i++) {
        const partial *p = &s->partials[i];
        sum->own += p->own;
        sum->all += p->all;
        sum->counted += p->counted;
        sum->out_of_memory = sum->out_of_memory || p->out_of_memory;
        if (p->bad && !sum->bad) sum->bad_target = p->bad_target;
        sum->bad = sum->bad || p->bad;
    }
    if (sum->bad) tern_kit_bad_target(s->call, sum->bad_target);
    return sum->out_of_memory ? TERN_BACKEND_OUT_OF_MEMORY : TERN_BACKEND_OK;
}

static void write_loss(const state *s) {
    const partial *sum = &s->partials[0];
    const tern_kit_tensor *out = s->call->outputs;
    double own = sum->own, all = sum->all, total = sum->counted;
    tern_kit_store_f64(out[3].dtype, out[3].data, 1, 1, &total);
    if (s->attrs->reduction == TERN_REDUCTION_NONE) return;
    if (s->attrs->reduction == TERN_REDUCTION_MEAN) {
        own /= total;
        all /= total;
    }
    double loss = joined(s, own, all);
    tern_kit_store_f64(out[0].dtype, out[0].data, 1, 1, &loss);
}

/* With what is known, all shares. */
static int32_t run(state *s) {
    partial few[16];
    int64_t shares = s->m == 1 ? (s->n - 1) / LINES + 1 : s->n * s->tiles;
    int64_t grain = tern_simd_grain(LINES * s->c);
    void *weight = NULL;
    if (s->attrs->weighted && !(weight = bring_weights(s))) return TERN_BACKEND_OUT_OF_MEMORY;
    s->partials = shares <= 16 ? few : tern_kit_take(s->call, shares, sizeof *s->partials);
    int32_t status = TERN_BACKEND_OUT_OF_MEMORY;
    if (s->partials) {
        bool wide = s->x->dtype == TERN_BT_FLOAT64;
        tern_simd_share(s->call, shares, grain, wide ? shares_f64 : shares_f32, s);
        status = join(s, shares);
        if (status == TERN_BACKEND_OK && !s->backward) write_loss(s);
    }
    if (shares > 16) tern_kit_give(s->call, s->partials);
    tern_kit_give(s->call, weight);
    return status;
}

int32_t tern_simd_cross_entropy(const tern_kit_call *call) {
    state s;
    if (tern_kit_count(&call->inputs[0]) == 0) return tern_ref_cross_entropy(call);
    describe(&s, call, false);
    return run(&s);
}

int32_t tern_simd_cross_entropy_grad(const tern_kit_call *call) {
    state s;
    if (tern_kit_count(&call->inputs[1]) == 0) return tern_ref_cross_entropy_grad(call);
    describe(&s, call, true);
    tern_kit_load_f64(call->inputs[5].dtype, call->inputs[5].data, 1, 1, &s.total);
    return run(&s);
}
