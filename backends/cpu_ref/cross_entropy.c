/*
 * CROSS_ENTROPY and its gradient: with p = log_softmax of x along the classes k, s the smoothing,
 *
 *     INDEX          loss = -(1 - s) w[t] p[t] - s / c sum(w p)
 *     PROBABILITIES  loss = -sum(w p q),   q = (1 - s) target + s / c
 *
 * The two terms of INDEX are reduced each, as PyTorch does (Szegedy et al., "Rethinking the Inception
 * architecture", 2016, for smoothing). As dp[k]/dx[i] = [k = i] - exp(p[i]), a loss -sum(a p) has the
 * gradient sum(a) exp(p[i]) - a[i].
 */
#include "index.h"
#include "kernels.h"
#include "numerics/elementary.h"
#include "slab.h"

/* A launch: what all slabs share. */
typedef struct state {
    const tern_kit_call *call;
    const tern_cross_entropy_attrs *attrs;
    const tern_kit_tensor *target;
    tern_ref_slab slab; /* of x, [c][m] */
    double *weight;     /* of the classes; 1 without weights */
    double weight_sum;
    double keep, share; /* 1 - s and s / c */
    double *own;        /* by element: the term of the target, or the loss over probabilities */
    double *all;        /* by element: the term of all classes */
    double *counted;    /* by element: its weight */
    float *room;        /* for sums over the elements */
} state;

static double rounded(const state *s, double value) {
    return tern_ref_slab_round(&s->slab, value);
}

/* The sum of `n` numbers that lie one behind the other. */
static double sum_of(const state *s, const double *x, int64_t n) {
    double sum;
    tern_ref_slab row = s->slab;
    row.length = n;
    row.width = 1;
    row.room = s->room;
    tern_ref_slab_sum(&row, x, &sum);
    return sum;
}

/* False without memory. `by_element` where the loss is computed. */
static bool begin(const tern_kit_call *call, int32_t x_at, bool by_element, state *s) {
    const tern_kit_tensor *x = &call->inputs[x_at];
    *s = (state){.call = call, .attrs = call->attrs, .target = x + 1};
    if (!tern_ref_slab_take(call, x, 1, x->dtype, &s->slab)) return false;
    int64_t classes = s->slab.length, elements = by_element ? s->slab.count * s->slab.width : 0;
    int64_t most = elements > classes ? elements : classes;
    s->weight = tern_kit_take(call, classes + 3 * elements + most + 1, sizeof *s->weight);
    if (!s->weight) {
        tern_kit_give(call, s->slab.x);
        return false;
    }
    s->own = s->weight + classes;
    s->all = s->own + elements;
    s->counted = s->all + elements;
    s->room = (float *)(s->counted + elements);
    for (int64_t k = 0; k < classes; k++) s->weight[k] = 1;
    if (s->attrs->weighted) tern_ref_slab_load(&call->inputs[call->n_inputs - 1], 0, 0, s->weight);
    s->weight_sum =
        s->attrs->weighted ? sum_of(s, s->weight, classes) : rounded(s, (double)classes);
    s->keep = rounded(s, 1 - s->attrs->smoothing);
    s->share = rounded(s, s->attrs->smoothing / (double)classes);
    return true;
}

static void end(const state *s) {
    tern_kit_give(s->call, s->weight);
    tern_kit_give(s->call, s->slab.x);
}

/* The class of element [n, j]; -1 where it is ignored or, which sets the flag, out of range. */
static int64_t class_of(const state *s, int64_t n, int64_t j) {
    int64_t t = tern_ref_index_at(s->target, n * s->target->strides[0] + j * s->target->strides[1]);
    if (t == s->attrs->ignore_index) return -1;
    if (t >= 0 && t < s->slab.length) return t;
    tern_kit_bad_target(s->call, t);
    return -1;
}

/* e = the probabilities of slab n, smoothed. */
static void load_probabilities(state *s, int64_t n) {
    tern_ref_slab *slab = &s->slab;
    tern_ref_slab_load(s->target, 1, n, slab->e);
    for (int64_t at = 0; s->attrs->smoothing != 0 && at < slab->length * slab->width; at++)
        slab->e[at] = rounded(s, rounded(s, slab->e[at] * s->keep) + s->share);
}

/* ---- the loss -------------------------------------------------------------------------------- */

/* x = log_softmax(x); the maximum and the logarithm are written, and sum holds the logarithm. */
static void normalise(state *s, int64_t n) {
    tern_ref_slab *slab = &s->slab;
    tern_ref_slab_load(&s->call->inputs[0], 1, n, slab->x);
    tern_ref_slab_shift(slab);
    for (int64_t j = 0; j < slab->width; j++) slab->sum[j] = rounded(s, tern_num_log(slab->sum[j]));
    tern_ref_slab_store(&s->call->outputs[1], 1, n, slab->max);
    tern_ref_slab_store(&s->call->outputs[2], 1, n, slab->sum);
    for (int64_t at = 0; at < slab->length * slab->width; at++)
        slab->x[at] = rounded(s, slab->x[at] - slab->sum[at % slab->width]);
}

/* sum = the sum over classes of w p, or of w p q where e holds q. */
static void add_classes(state *s, bool by_probability) {
    tern_ref_slab *slab = &s->slab;
    for (int64_t at = 0; at < slab->length * slab->width; at++) {
        double p = slab->x[at];
        if (by_probability) p = rounded(s, p * slab->e[at]);
        slab->e[at] = rounded(s, p * s->weight[at / slab->width]);
    }
    tern_ref_slab_sum(slab, slab->e, slab->sum);
}

static void lose_by_probability(state *s, int64_t n) {
    load_probabilities(s, n);
    add_classes(s, true);
    for (int64_t j = 0; j < s->slab.width; j++) {
        s->own[n * s->slab.width + j] = -s->slab.sum[j];
        s->counted[n * s->slab.width + j] = 1;
    }
}

static void lose_by_index(state *s, int64_t n) {
    int64_t width = s->slab.width;
    if (s->attrs->smoothing != 0) add_classes(s, false);
    for (int64_t j = 0; j < width; j++) {
        int64_t t = class_of(s, n, j), at = n * width + j;
        s->counted[at] = t < 0 ? 0 : s->weight[t];
        s->own[at] = t < 0 ? 0 : -rounded(s, s->slab.x[t * width + j] * s->weight[t]);
        s->all[at] = t < 0 ? 0 : -s->slab.sum[j];
    }
}

/* The two terms together. */
static double joined(const state *s, double own, double all) {
    if (s->attrs->fn == TERN_CROSS_ENTROPY_PROBABILITIES || s->attrs->smoothing == 0) return own;
    return rounded(s, rounded(s, own * s->keep) + rounded(s, all * s->share));
}

static void reduce(state *s) {
    int64_t elements = s->slab.count * s->slab.width;
    double total = sum_of(s, s->counted, elements), loss[2];
    if (s->attrs->fn == TERN_CROSS_ENTROPY_PROBABILITIES) total = rounded(s, (double)elements);
    tern_ref_slab_store(&s->call->outputs[3], 0, 0, &total);
    if (s->attrs->reduction == TERN_REDUCTION_NONE) {
        for (int64_t at = 0; at < elements; at++) s->own[at] = joined(s, s->own[at], s->all[at]);
        tern_ref_slab_store(&s->call->outputs[0], 0, 0, s->own);
        return;
    }
    loss[0] = sum_of(s, s->own, elements);
    loss[1] = sum_of(s, s->all, elements);
    for (int i = 0; i < 2 && s->attrs->reduction == TERN_REDUCTION_MEAN; i++)
        loss[i] = rounded(s, loss[i] / total);
    loss[0] = joined(s, loss[0], loss[1]);
    tern_ref_slab_store(&s->call->outputs[0], 0, 0, loss);
}

int32_t tern_ref_cross_entropy(const tern_kit_call *call) {
    state s;
    if (!begin(call, 0, true, &s)) return TERN_BACKEND_OUT_OF_MEMORY;
    for (int64_t n = 0; n < s.slab.count; n++) {
        normalise(&s, n);
        if (s.attrs->fn == TERN_CROSS_ENTROPY_INDEX)
            lose_by_index(&s, n);
        else
            lose_by_probability(&s, n);
    }
    reduce(&s);
    end(&s);
    return TERN_BACKEND_OK;
}

/* ---- the gradient ---------------------------------------------------------------------------- */

/* x = exp((x - max) - log). */
static void exponentials(state *s, int64_t n) {
    tern_ref_slab *slab = &s->slab;
    tern_ref_slab_load(&s->call->inputs[1], 1, n, slab->x);
    tern_ref_slab_load(&s->call->inputs[3], 1, n, slab->max);
    tern_ref_slab_load(&s->call->inputs[4], 1, n, slab->sum);
    for (int64_t at = 0; at < slab->length * slab->width; at++) {
        int64_t j = at % slab->width;
        double p = rounded(s, rounded(s, slab->x[at] - slab->max[j]) - slab->sum[j]);
        slab->x[at] = rounded(s, tern_num_exp(p));
    }
}

/* max = the gradient r of each position's loss. */
static void load_gradient(state *s, int64_t n) {
    const tern_kit_tensor *g = &s->call->inputs[0];
    double *r = s->slab.max, total;
    if (s->attrs->reduction == TERN_REDUCTION_NONE) {
        tern_ref_slab_load(g, 1, n, r);
        return;
    }
    tern_ref_slab_load(g, 0, 0, r);
    tern_ref_slab_load(&s->call->inputs[5], 0, 0, &total);
    if (s->attrs->reduction == TERN_REDUCTION_MEAN) r[0] = rounded(s, r[0] / total);
    for (int64_t j = 1; j < s->slab.width; j++) r[j] = r[0];
}

/* Column j: with h = (1 - s) w[t] r and d = s / c r, (h + d sum(w)) e[k] - d w[k] - h [k = t]. */
static void turn_column(state *s, int64_t j, int64_t t, double r) {
    double h = rounded(s, r * s->weight[t]), d = 0, factor = h;
    if (s->attrs->smoothing != 0) {
        d = rounded(s, r * s->share);
        h = rounded(s, h * s->keep);
        factor = rounded(s, h + rounded(s, d * s->weight_sum));
    }
    for (int64_t k = 0; k < s->slab.length; k++) {
        double *x = &s->slab.x[k * s->slab.width + j];
        *x = rounded(s, *x * factor);
        if (s->attrs->smoothing != 0) *x = rounded(s, *x - rounded(s, d * s->weight[k]));
        if (k == t) *x = rounded(s, *x - h);
    }
}

static void turn_by_index(state *s, int64_t n) {
    int64_t width = s->slab.width;
    for (int64_t j = 0; j < width; j++) {
        int64_t t = class_of(s, n, j);
        if (t >= 0)
            turn_column(s, j, t, s->slab.max[j]);
        else
            for (int64_t k = 0; k < s->slab.length; k++) s->slab.x[k * width + j] = 0;
    }
}

/* With u = w q r: sum(u) e - u. */
static void turn_by_probability(state *s, int64_t n) {
    tern_ref_slab *slab = &s->slab;
    int64_t width = slab->width;
    load_probabilities(s, n);
    for (int64_t at = 0; at < slab->length * width; at++) {
        double v = rounded(s, slab->e[at] * s->weight[at / width]);
        slab->e[at] = rounded(s, v * slab->max[at % width]);
    }
    tern_ref_slab_sum(slab, slab->e, slab->sum);
    for (int64_t at = 0; at < slab->length * width; at++)
        slab->x[at] = rounded(s, rounded(s, slab->x[at] * slab->sum[at % width]) - slab->e[at]);
}

int32_t tern_ref_cross_entropy_grad(const tern_kit_call *call) {
    state s;
    if (!begin(call, 1, false, &s)) return TERN_BACKEND_OUT_OF_MEMORY;
    for (int64_t n = 0; n < s.slab.count; n++) {
        exponentials(&s, n);
        load_gradient(&s, n);
        if (s.attrs->fn == TERN_CROSS_ENTROPY_INDEX)
            turn_by_index(&s, n);
        else
            turn_by_probability(&s, n);
        tern_ref_slab_store(&call->outputs[0], 1, n, s.slab.x);
    }
    end(&s);
    return TERN_BACKEND_OK;
}
