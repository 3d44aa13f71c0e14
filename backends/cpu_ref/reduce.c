/*
 * REDUCE: for every position of the kept dimensions
 *
 *     out[kept] = f(all in[kept, reduced]), the reduced ones in row-major order
 *
 * Floating dtypes accumulate in double and round once; sums and means of them follow PyTorch's order
 * instead (reduce_sum.c). Integers accumulate in int64 and wrap. A floating output may be wider than the input.
 */
#include <math.h>

#include "kernels.h"
#include "numerics/elementary.h"
#include "walk.h"

/* What a reduction has seen so far of the elements of one output. */
typedef struct state {
    double value; /* floating: sum, product, maximum ... */
    int64_t value_i;
    int64_t seen; /* elements before this chunk */
    int64_t best; /* ARGMAX, ARGMIN: the position of value */
    double mean;  /* VAR: of the first pass */
    double p;     /* NORM */
} state;

static void prod(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value *= x[i];
}

static void max(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]) || x[i] > s->value) s->value = x[i];
        if (isnan(s->value)) return;
    }
}

static void min(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]) || x[i] < s->value) s->value = x[i];
        if (isnan(s->value)) return;
    }
}

/* The first of equals stays; NaN is beyond every number. */
static void argmax(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        bool better = !isnan(s->value) && (isnan(x[i]) || x[i] > s->value);
        if (s->seen + i > 0 && !better) continue;
        s->value = x[i];
        s->best = s->seen + i;
    }
}

static void argmin(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        bool better = !isnan(s->value) && (isnan(x[i]) || x[i] < s->value);
        if (s->seen + i > 0 && !better) continue;
        s->value = x[i];
        s->best = s->seen + i;
    }
}

static void any(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value = s->value != 0 || x[i] != 0;
}

static void all(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value = s->value != 0 && x[i] != 0;
}

static void plain_sum(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value += x[i];
}

static void squared_deviation(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value += (x[i] - s->mean) * (x[i] - s->mean);
}

static void norm(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double a = fabs(x[i]);
        if (s->p == 0)
            s->value += a != 0;
        else if (s->p == 1)
            s->value += a;
        else if (s->p == 2)
            s->value += a * a;
        else
            s->value += tern_num_pow(a, s->p);
    }
}

static void norm_inf(state *s, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double a = fabs(x[i]);
        bool better = s->p > 0 ? a > s->value : a < s->value;
        if (!isnan(s->value) && (isnan(a) || better)) s->value = a;
    }
}

static void sum_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value_i = (int64_t)((uint64_t)s->value_i + (uint64_t)x[i]);
}

static void prod_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value_i = (int64_t)((uint64_t)s->value_i * (uint64_t)x[i]);
}

static void max_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value_i = x[i] > s->value_i ? x[i] : s->value_i;
}

static void min_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value_i = x[i] < s->value_i ? x[i] : s->value_i;
}

static void argmax_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (s->seen + i > 0 && x[i] <= s->value_i) continue;
        s->value_i = x[i];
        s->best = s->seen + i;
    }
}

static void argmin_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (s->seen + i > 0 && x[i] >= s->value_i) continue;
        s->value_i = x[i];
        s->best = s->seen + i;
    }
}

static void any_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value_i = s->value_i || x[i];
}

static void all_i(state *s, const int64_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) s->value_i = s->value_i && x[i];
}

typedef struct member {
    void (*floating)(state *s, const double *x, int64_t n);
    void (*integer)(state *s, const int64_t *x, int64_t n);
    double start;
    int64_t start_i;
} member;

static const member members[] = {
    [TERN_REDUCE_SUM] = {NULL, sum_i, 0, 0},
    [TERN_REDUCE_PROD] = {prod, prod_i, 1, 1},
    [TERN_REDUCE_MAX] = {max, max_i, -INFINITY, INT64_MIN},
    [TERN_REDUCE_MIN] = {min, min_i, INFINITY, INT64_MAX},
    [TERN_REDUCE_ARGMAX] = {argmax, argmax_i, 0, 0},
    [TERN_REDUCE_ARGMIN] = {argmin, argmin_i, 0, 0},
    [TERN_REDUCE_ANY] = {any, any_i, 0, 0},
    [TERN_REDUCE_ALL] = {all, all_i, 1, 1},
    [TERN_REDUCE_VAR] = {squared_deviation, NULL, 0, 0},
    [TERN_REDUCE_NORM] = {norm, NULL, 0, 0},
    [TERN_REDUCE_MEAN] = {NULL, NULL, 0, 0},
};

/* Feeds the elements of one output to f or g, chunk by chunk. */
static void feed(state *s, const tern_kit_tensor *in, int64_t base, uint32_t kept,
                 void (*f)(state *, const double *, int64_t),
                 void (*g)(state *, const int64_t *, int64_t)) {
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &in, 1, kept);
    tern_kit_row row = tern_kit_walk_row(&walk);
    s->seen = 0;
    do {
        for (int64_t i = 0; i < row.length; i += TERN_KIT_CHUNK) {
            int64_t n = row.length - i < TERN_KIT_CHUNK ? row.length - i : TERN_KIT_CHUNK;
            const void *from = tern_kit_at(in, base + walk.offset[0] + i * row.stride[0]);
            if (f) {
                double x[TERN_KIT_CHUNK];
                tern_kit_load_f64(in->dtype, from, row.stride[0], n, x);
                f(s, x, n);
            } else {
                int64_t x[TERN_KIT_CHUNK];
                tern_kit_load_i64(in->dtype, from, row.stride[0], n, x);
                g(s, x, n);
            }
            s->seen += n;
        }
    } while (tern_kit_walk_next(&walk));
}

static double norm_end(const state *s) {
    if (s->p == 0 || s->p == 1 || isinf(s->p)) return s->value;
    return s->p == 2 ? sqrt(s->value) : tern_num_pow(s->value, 1 / s->p);
}

static void one_floating(const tern_reduce_attrs *attrs, const tern_kit_tensor *in, int64_t base,
                         uint32_t kept, state *s) {
    const member *m = &members[attrs->fn];
    s->value = m->start;
    s->p = attrs->value;
    switch (attrs->fn) {
    case TERN_REDUCE_VAR:
        feed(s, in, base, kept, plain_sum, NULL);
        s->mean = s->value / (double)s->seen;
        s->value = 0;
        feed(s, in, base, kept, squared_deviation, NULL);
        /* too few elements: 0 / 0 is NaN, as PyTorch gives */
        s->value /= fmax(0, (double)s->seen - attrs->value);
        return;
    case TERN_REDUCE_NORM:
        if (isinf(s->p) && s->p < 0) s->value = INFINITY;
        feed(s, in, base, kept, isinf(s->p) ? norm_inf : norm, NULL);
        s->value = norm_end(s);
        return;
    default: feed(s, in, base, kept, m->floating, NULL); return;
    }
}

static bool gives_position(int32_t fn) {
    return fn == TERN_REDUCE_ARGMAX || fn == TERN_REDUCE_ARGMIN;
}

int32_t tern_ref_reduce(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    const tern_reduce_attrs *attrs = call->attrs;
    bool floating = tern_kit_is_floating(in->dtype);
    if (floating && (attrs->fn == TERN_REDUCE_SUM || attrs->fn == TERN_REDUCE_MEAN))
        return tern_ref_sum_floating(call);

    const member *m = &members[attrs->fn];
    const tern_kit_tensor *operands[] = {in, out};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 2, attrs->dims);
    do {
        state s = {0};
        void *to = tern_kit_at(out, walk.offset[1]);
        if (floating) {
            one_floating(attrs, in, walk.offset[0], ~attrs->dims, &s);
        } else {
            s.value_i = m->start_i;
            feed(&s, in, walk.offset[0], ~attrs->dims, NULL, m->integer);
        }
        if (gives_position(attrs->fn))
            tern_kit_store_i64(out->dtype, to, 1, 1, &s.best);
        else if (floating)
            tern_kit_store_f64(out->dtype, to, 1, 1, &s.value);
        else
            tern_kit_store_i64(out->dtype, to, 1, 1, &s.value_i);
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}
