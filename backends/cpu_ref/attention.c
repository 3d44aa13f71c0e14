/*
 * ATTENTION and ATTENTION_GRAD, for each batch entry and each head:
 *
 *     score = scale q k^T + mask      lse = log(sum over keys of exp(score))
 *     out = exp(score - lse) v
 *
 * (Vaswani et al., "Attention is all you need", 2017, section 3.2.1). One row of scores is held at a
 * time; the gradient computes it again from lse (Dao et al., "FlashAttention", 2022, section 3.1), and
 * so nothing of the size queries x keys is ever in memory. All sums are in double.
 */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "numerics/elementary.h"
#include "walk.h"

/* A launch, and scratch for one head. Rows of q are l, rows of k and v are s. */
typedef struct attention {
    const tern_kit_tensor *q, *k, *v, *mask; /* mask may be NULL */
    const tern_attention_attrs *attrs;
    int64_t b, h, l, s, e, f;
    int64_t shared;   /* heads of q to one of k and v */
    double *keys;     /* [s, e] */
    double *values;   /* [s, f] */
    double *scores;   /* [s], of the row at hand; then the weights */
    double *query;    /* [e] */
    double *out;      /* [f] */
    double *grad_out; /* [f], and what follows: of the gradient alone */
    double *grad_query;
    double *grad_keys, *grad_values; /* [s, e], [s, f] */
} attention;

/* Row `row` of head `head`, one of `width` numbers; t is [b, h, rows, width]. */
static void *row_at(const tern_kit_tensor *t, int64_t b, int64_t head, int64_t row) {
    return tern_kit_at(t, b * t->strides[0] + head * t->strides[1] + row * t->strides[2]);
}

static void load_row(const tern_kit_tensor *t, int64_t b, int64_t head, int64_t row, double *to) {
    tern_kit_load_f64(t->dtype, row_at(t, b, head, row), t->strides[3], t->shape[3], to);
}

static void store_row(const tern_kit_tensor *t, int64_t b, int64_t head, int64_t row,
                      const double *from) {
    tern_kit_store_f64(t->dtype, row_at(t, b, head, row), t->strides[3], t->shape[3], from);
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* to[i] += factor * x[i] */
static void add_scaled(double *to, double factor, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += factor * x[i];
}

static double mask_at(const attention *a, int64_t b, int64_t head, int64_t i, int64_t j) {
    const int64_t *strides = a->mask->strides;
    double value;
    int64_t at = b * strides[0] + head * strides[1] + i * strides[2] + j * strides[3];
    tern_kit_load_f64(a->mask->dtype, tern_kit_at(a->mask, at), 1, 1, &value);
    return value;
}

/* Whether query i does not see key j: its score is -inf then, whatever q and k hold, and no gradient
 * goes through it. */
static bool is_hidden(const attention *a, int64_t b, int64_t head, int64_t i, int64_t j) {
    if (a->attrs->causal && j > i) return true;
    return a->mask && a->mask->dtype == TERN_BT_BOOL && mask_at(a, b, head, i, j) == 0;
}

/* The scores of query i, which is loaded, with all keys. */
static void score_row(const attention *a, int64_t b, int64_t head, int64_t i) {
    bool added = a->mask && a->mask->dtype != TERN_BT_BOOL;
    for (int64_t j = 0; j < a->s; j++) {
        double score = a->attrs->scale * dot(a->query, a->keys + j * a->e, a->e);
        if (added) score += mask_at(a, b, head, i, j);
        a->scores[j] = is_hidden(a, b, head, i, j) ? -INFINITY : score;
    }
}

/* The greatest score of the row; -inf where none is above it, and the row gives nothing. */
static double greatest(const attention *a) {
    double max = -INFINITY;
    for (int64_t j = 0; j < a->s; j++)
        if (a->scores[j] > max) max = a->scores[j];
    return max;
}

/* Scores become weights, exp(score - max) / sum; lse is returned. */
static double normalise_row(const attention *a) {
    double max = greatest(a), sum = 0;
    if (max == -INFINITY) {
        memset(a->scores, 0, (size_t)a->s * sizeof *a->scores);
        return 0;
    }
    for (int64_t j = 0; j < a->s; j++) {
        a->scores[j] = tern_num_exp(a->scores[j] - max);
        sum += a->scores[j];
    }
    for (int64_t j = 0; j < a->s; j++) a->scores[j] /= sum;
    return max + tern_num_log(sum);
}

static void load_head(const attention *a, int64_t b, int64_t head) {
    for (int64_t j = 0; j < a->s; j++) {
        load_row(a->k, b, head / a->shared, j, a->keys + j * a->e);
        load_row(a->v, b, head / a->shared, j, a->values + j * a->f);
    }
}

/* Reads the operands from `q` on and takes scratch, which the caller gives back; NULL without memory. */
static double *begin(const tern_kit_call *call, int32_t q, bool gradient, attention *a) {
    const tern_kit_tensor *in = call->inputs;
    memset(a, 0, sizeof *a);
    a->q = &in[q];
    a->k = &in[q + 1];
    a->v = &in[q + 2];
    a->attrs = call->attrs;
    if (a->attrs->masked) a->mask = &in[call->n_inputs - 1];
    a->b = a->q->shape[0];
    a->h = a->q->shape[1];
    a->l = a->q->shape[2];
    a->e = a->q->shape[3];
    a->s = a->k->shape[2];
    a->f = a->v->shape[3];
    a->shared = a->h / a->k->shape[1];
    int64_t head = a->s * (a->e + a->f), row = a->e + a->f;
    double *memory = tern_kit_take(call, (head + row) * (gradient ? 2 : 1) + a->s, sizeof *memory);
    if (!memory) return NULL;
    a->keys = memory;
    a->values = a->keys + a->s * a->e;
    a->scores = a->keys + head;
    a->query = a->scores + a->s;
    a->out = a->query + a->e;
    if (!gradient) return memory;
    a->grad_query = a->out + a->f;
    a->grad_out = a->grad_query + a->e;
    a->grad_keys = a->grad_out + a->f;
    a->grad_values = a->grad_keys + a->s * a->e;
    return memory;
}

static void *lse_at(const tern_kit_tensor *lse, int64_t b, int64_t head, int64_t i) {
    return tern_kit_at(lse, b * lse->strides[0] + head * lse->strides[1] + i * lse->strides[2]);
}

static double load_lse(const tern_kit_tensor *lse, int64_t b, int64_t head, int64_t i) {
    double value;
    tern_kit_load_f64(lse->dtype, lse_at(lse, b, head, i), 1, 1, &value);
    return value;
}

static void attend(const attention *a, const tern_kit_call *call, int64_t b, int64_t head) {
    load_head(a, b, head);
    for (int64_t i = 0; i < a->l; i++) {
        load_row(a->q, b, head, i, a->query);
        score_row(a, b, head, i);
        double lse = normalise_row(a);
        memset(a->out, 0, (size_t)a->f * sizeof *a->out);
        for (int64_t j = 0; j < a->s; j++)
            add_scaled(a->out, a->scores[j], a->values + j * a->f, a->f);
        store_row(&call->outputs[0], b, head, i, a->out);
        tern_kit_store_f64(call->outputs[1].dtype, lse_at(&call->outputs[1], b, head, i), 1, 1,
                           &lse);
    }
}

int32_t tern_ref_attention(const tern_kit_call *call) {
    attention a;
    double *memory = begin(call, 0, false, &a);
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    for (int64_t b = 0; b < a.b; b++) {
        for (int64_t head = 0; head < a.h; head++) attend(&a, call, b, head);
    }
    tern_kit_give(call, memory);
    return TERN_BACKEND_OK;
}

/* ---- the gradient: inputs g, q, k, v, out, lse, mask -> dq, dk, dv ---- */

/* What pair (i, j) adds to dq, dk and dv; d is sum_f(g out). */
static void pair_gradient(const attention *a, double lse, double d, bool hidden, int64_t j) {
    double p = tern_num_exp(a->scores[j] - lse);
    add_scaled(a->grad_values + j * a->f, p, a->grad_out, a->f);
    if (hidden) return;
    double ds = p * (dot(a->grad_out, a->values + j * a->f, a->f) - d) * a->attrs->scale;
    add_scaled(a->grad_query, ds, a->keys + j * a->e, a->e);
    add_scaled(a->grad_keys + j * a->e, ds, a->query, a->e);
}

/* Of one query: dq is written, dk and dv are added to. */
static void row_gradient(const attention *a, const tern_kit_call *call, int64_t b, int64_t head,
                         int64_t i) {
    double lse = load_lse(&call->inputs[5], b, head, i);
    load_row(a->q, b, head, i, a->query);
    load_row(&call->inputs[0], b, head, i, a->grad_out);
    load_row(&call->inputs[4], b, head, i, a->out);
    score_row(a, b, head, i);
    double d = dot(a->grad_out, a->out, a->f);
    memset(a->grad_query, 0, (size_t)a->e * sizeof *a->grad_query);
    bool gives = greatest(a) > -INFINITY;
    for (int64_t j = 0; gives && j < a->s; j++)
        pair_gradient(a, lse, d, is_hidden(a, b, head, i, j), j);
    store_row(&call->outputs[0], b, head, i, a->grad_query);
}

/* Of a head of k and v, and the heads of q that share it. */
static void group_gradient(const attention *a, const tern_kit_call *call, int64_t b,
                           int64_t group) {
    load_head(a, b, group * a->shared);
    memset(a->grad_keys, 0, (size_t)(a->s * (a->e + a->f)) * sizeof *a->grad_keys);
    for (int64_t head = group * a->shared; head < (group + 1) * a->shared; head++) {
        for (int64_t i = 0; i < a->l; i++) row_gradient(a, call, b, head, i);
    }
    for (int64_t j = 0; j < a->s; j++) {
        store_row(&call->outputs[1], b, group, j, a->grad_keys + j * a->e);
        store_row(&call->outputs[2], b, group, j, a->grad_values + j * a->f);
    }
}

int32_t tern_ref_attention_grad(const tern_kit_call *call) {
    attention a;
    double *memory = begin(call, 1, true, &a);
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    for (int64_t b = 0; b < a.b; b++) {
        for (int64_t group = 0; group < a.k->shape[1]; group++) group_gradient(&a, call, b, group);
    }
    tern_kit_give(call, memory);
    return TERN_BACKEND_OK;
}
