/* multi_head.c: multi_head_attention_forward, the attention of several heads with its projections. */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"

/* The arguments, by their place. */
enum {
    QUERY,
    KEY,
    VALUE,
    EMBED_DIM,
    NUM_HEADS,
    IN_PROJ_WEIGHT,
    IN_PROJ_BIAS,
    BIAS_K,
    BIAS_V,
    ADD_ZERO_ATTN,
    DROPOUT_P,
    OUT_PROJ_WEIGHT,
    OUT_PROJ_BIAS,
    TRAINING,
    KEY_PADDING_MASK,
    NEED_WEIGHTS,
    ATTN_MASK,
    USE_SEPARATE_PROJ_WEIGHT,
    Q_PROJ_WEIGHT,
    K_PROJ_WEIGHT,
    V_PROJ_WEIGHT,
    STATIC_K,
    STATIC_V,
    AVERAGE_ATTN_WEIGHTS,
    IS_CAUSAL
};

/* A call in flight. Sequences are [T, N, E] or, where they lie batch first in memory, [N, T, E], and later
 * [N, heads, T, E / heads]; heads are split and joined by views. */
typedef struct attending {
    tern_opcall *call;
    int64_t width, heads;
    double dropout; /* 0 unless training */
    bool batched, wants_weights, causal;
    int time; /* which dimension of a sequence */
    tern_tensor *query, *key, *value;
    tern_tensor *packed; /* [T, N, 3 E] where one product made the three, else NULL */
    tern_tensor *mask;   /* of [N, heads, L, S]: bool, where true hides, or added; NULL is none */
    int64_t batch, length, sources;
} attending;

static tern_tensor *given(const attending *a, int index) {
    return tern_arg_tensor(a->call, index);
}

static bool has_shape(const tern_tensor *x, tern_shape wanted) {
    if (BODY(x)->rank != wanted.rank) return false;
    for (int d = 0; d < wanted.rank; d++)
        if (BODY(x)->shape[d] != wanted.dim[d]) return false;
    return true;
}

/* ---- what comes in ---- */

/* False after latching where an argument is there and does not have this shape. */
static bool fits(const attending *a, int index, const char *name, tern_shape wanted) {
    char text[TERN_SHAPE_TEXT], want[TERN_SHAPE_TEXT];
    const tern_tensor *x = given(a, index);
    if (!x || has_shape(x, wanted)) return true;
    tern_call_fail(a->call, TERN_ERR_ARGUMENT, "%s must be %s, got %s", name,
                   tern_shape_text(wanted.rank, wanted.dim, want),
                   tern_shape_text(BODY(x)->rank, BODY(x)->shape, text));
    return false;
}

/* A key or value that every batch gets: [1, 1, E], or [E]. */
static bool source_fits(const attending *a, int index, const char *name) {
    const tern_tensor *x = given(a, index);
    return !x || has_shape(x, TERN_SHAPE(a->width)) ||
           fits(a, index, name, TERN_SHAPE(1, 1, a->width));
}

/* The weights for `width` and the widths of key and value; false after latching. */
static bool weights_fit(const attending *a, int64_t key_width, int64_t value_width) {
    bool separate = tern_arg_bool(a->call, USE_SEPARATE_PROJ_WEIGHT, false);
    if (separate ? !given(a, Q_PROJ_WEIGHT) || !given(a, K_PROJ_WEIGHT) || !given(a, V_PROJ_WEIGHT)
                 : !given(a, IN_PROJ_WEIGHT)) {
        tern_call_fail(a->call, TERN_ERR_ARGUMENT, "use_separate_proj_weight=%s needs %s",
                       separate ? "True" : "False",
                       separate ? "q_proj_weight, k_proj_weight and v_proj_weight"
                                : "in_proj_weight");
        return false;
    }
    if (!given(a, BIAS_K) != !given(a, BIAS_V) ||
        (given(a, BIAS_K) && (given(a, STATIC_K) || given(a, STATIC_V)))) {
        tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                       "bias_k and bias_v go together, and without static_k and static_v");
        return false;
    }
    int64_t e = a->width, three = 3 * e;
    bool own = separate ? fits(a, Q_PROJ_WEIGHT, "q_proj_weight", TERN_SHAPE(e, e)) &&
                              fits(a, K_PROJ_WEIGHT, "k_proj_weight", TERN_SHAPE(e, key_width)) &&
                              fits(a, V_PROJ_WEIGHT, "v_proj_weight", TERN_SHAPE(e, value_width))
                        : fits(a, IN_PROJ_WEIGHT, "in_proj_weight", TERN_SHAPE(three, e));
    return own && fits(a, IN_PROJ_BIAS, "in_proj_bias", TERN_SHAPE(three)) &&
           source_fits(a, BIAS_K, "bias_k") && source_fits(a, BIAS_V, "bias_v");
}

/* Ranks and last dimensions; false after latching. */
static bool widths_fit(const attending *a) {
    static const char *const names[] = {"query", "key", "value"};
    const tern_tensor *query = given(a, QUERY);
    int rank = BODY(query)->rank;
    bool separate = tern_arg_bool(a->call, USE_SEPARATE_PROJ_WEIGHT, false);
    int64_t widths[3] = {a->width, a->width, a->width};
    for (int i = 1; i < 3 && separate; i++) {
        const tern_tensor *weight = given(a, Q_PROJ_WEIGHT + i);
        if (weight && BODY(weight)->rank == 2) widths[i] = BODY(weight)->shape[1];
    }
    for (int i = 0; i < 3; i++) {
        const tern_tensor *x = given(a, QUERY + i);
        if ((rank == 2 || rank == 3) && BODY(x)->rank == rank &&
            BODY(x)->shape[rank - 1] == widths[i])
            continue;
        tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                       "%s must be 2D (or batched, 3D) as query is, with a last dimension of %lld",
                       names[i], (long long)widths[i]);
        return false;
    }
    return weights_fit(a, widths[1], widths[2]);
}

static bool read_numbers(attending *a) {
    a->width = tern_arg_int(a->call, EMBED_DIM, 0);
    a->heads = tern_arg_int(a->call, NUM_HEADS, 0);
    a->dropout =
        tern_arg_bool(a->call, TRAINING, true) ? tern_arg_double(a->call, DROPOUT_P, 0.0) : 0.0;
    a->wants_weights = tern_arg_bool(a->call, NEED_WEIGHTS, true);
    if (a->width > 0 && a->width <= INT64_MAX / 3 && a->heads > 0 && a->width % a->heads == 0)
        return true;
    tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                   "embed_dim_to_check (%lld) must be greater than 0 and divisible by num_heads "
                   "(%lld)",
                   (long long)a->width, (long long)a->heads);
    return false;
}

/* Whether x [T, N, E] lies in memory as [N, T, E]: it is worked on that way, without a copy. */
static bool lies_batch_first(tern_tensor *x) {
    return !tern_is_contiguous(x) && tern_is_contiguous(tern_transpose(x, 0, 1));
}

static tern_tensor *as_sequence(const attending *a, tern_tensor *x) {
    if (!a->batched) return tern_unsqueeze(x, 1);
    return a->time == 1 ? tern_transpose(x, 0, 1) : x;
}

/* Query, key and value; one tensor stays one. False after latching. */
static bool read_sequences(attending *a) {
    tern_tensor *query = given(a, QUERY), *key = given(a, KEY), *value = given(a, VALUE);
    a->batched = BODY(query)->rank == 3;
    a->time = a->batched && lies_batch_first(query);
    a->query = as_sequence(a, query);
    a->key = key == query ? a->query : as_sequence(a, key);
    a->value = value == key ? a->key : as_sequence(a, value);
    if (a->call->ctx->status != TERN_OK) return false;
    int time = a->time, batch = 1 - a->time;
    a->length = BODY(a->query)->shape[time];
    a->batch = BODY(a->query)->shape[batch];
    a->sources = BODY(a->key)->shape[time];
    if (BODY(a->key)->shape[batch] == a->batch && BODY(a->value)->shape[batch] == a->batch &&
        BODY(a->value)->shape[time] == a->sources)
        return true;
    tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                   "key and value must have one length and query's batch size (%lld), got %lld and "
                   "%lld, of batches of %lld and %lld",
                   (long long)a->batch, (long long)a->sources,
                   (long long)BODY(a->value)->shape[time], (long long)BODY(a->key)->shape[batch],
                   (long long)BODY(a->value)->shape[batch]);
    return false;
}

/* ---- masks ---- */

/* A boolean mask (true: not attended to) becomes one that is added. */
static tern_tensor *additive(const attending *a, tern_tensor *mask) {
    if (BODY(mask)->dtype != TERN_BOOL) return mask;
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(a->query), ARG_SHAPE(tern_shape_of(mask)));
    return tern_fill_where(zeros, mask, -INFINITY);
}

static bool mask_fits(const attending *a, const char *what, const tern_tensor *mask,
                      tern_shape wanted) {
    bool is_mask = BODY(mask)->dtype == TERN_BOOL || tern_dtype_is_floating(BODY(mask)->dtype);
    if (is_mask && has_shape(mask, wanted)) return true;
    tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                   "the %dD %s does not have the sizes of the sequences (%lld queries, %lld keys, "
                   "batch %lld), or is neither bool nor floating",
                   BODY(mask)->rank, what, (long long)a->length, (long long)a->sources,
                   (long long)a->batch);
    return false;
}

/* What both masks hide, or the sum of what they add. */
static tern_tensor *merged(const attending *a, tern_tensor *one, tern_tensor *other) {
    if (BODY(one)->dtype == TERN_BOOL && BODY(other)->dtype == TERN_BOOL)
        return tern_logical_or(one, other);
    return tern_add(additive(a, one), additive(a, other));
}

/* Merges attn_mask ([L, S] or [N * heads, L, S]) and key_padding_mask ([N, S]). */
static bool read_masks(attending *a) {
    tern_tensor *attn = given(a, ATTN_MASK), *padding = given(a, KEY_PADDING_MASK);
    int64_t l = a->length, s = a->sources;
    if (tern_arg_bool(a->call, IS_CAUSAL, false) && !attn) {
        tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                       "is_causal is a hint about attn_mask: give that too");
        return false;
    }
    a->causal = tern_arg_bool(a->call, IS_CAUSAL, false) && !padding && !a->wants_weights;
    if (attn && !a->causal) {
        bool flat = BODY(attn)->rank == 2;
        if (!mask_fits(a, "attn_mask", attn,
                       flat ? TERN_SHAPE(l, s) : TERN_SHAPE(a->batch * a->heads, l, s)))
            return false;
        a->mask = flat ? attn : tern_reshape(attn, TERN_SHAPE(a->batch, a->heads, l, s));
    }
    if (padding) {
        if (!a->batched) padding = tern_unsqueeze(padding, 0);
        if (!mask_fits(a, "key_padding_mask", padding, TERN_SHAPE(a->batch, s))) return false;
        padding = tern_reshape(padding, TERN_SHAPE(a->batch, 1, 1, s));
        a->mask = a->mask ? merged(a, a->mask, padding) : padding;
    }
    return true;
}

/* ---- the projections ---- */

/* Rows of the projections' weight or bias, or NULL: `count` of the three from `first` on. */
static tern_tensor *rows(const attending *a, int index, int64_t first, int64_t count) {
    tern_tensor *all = given(a, index);
    return all ? tern_narrow(all, 0, first * a->width, count * a->width) : NULL;
}

static tern_tensor *projected(const attending *a, tern_tensor *x, int64_t first, int64_t count) {
    bool separate = tern_arg_bool(a->call, USE_SEPARATE_PROJ_WEIGHT, false);
    tern_tensor *weight =
        separate ? given(a, Q_PROJ_WEIGHT + (int)first) : rows(a, IN_PROJ_WEIGHT, first, count);
    return tern_linear(x, weight, rows(a, IN_PROJ_BIAS, first, count));
}

/* One product for all that are one tensor. */
static void project(attending *a) {
    bool separate = tern_arg_bool(a->call, USE_SEPARATE_PROJ_WEIGHT, false);
    int64_t width = a->width;
    if (!separate && a->query == a->key && a->key == a->value) {
        a->packed = tern_linear(a->query, given(a, IN_PROJ_WEIGHT), given(a, IN_PROJ_BIAS));
        a->query = tern_narrow(a->packed, 2, 0, width);
        a->key = tern_narrow(a->packed, 2, width, width);
        a->value = tern_narrow(a->packed, 2, 2 * width, width);
        return;
    }
    a->query = projected(a, a->query, 0, 1);
    if (!separate && a->key == a->value) {
        tern_tensor *both = projected(a, a->key, 1, 2);
        a->key = tern_narrow(both, 2, 0, width);
        a->value = tern_narrow(both, 2, width, width);
        return;
    }
    a->key = projected(a, a->key, 1, 1);
    a->value = projected(a, a->value, 2, 1);
}

/* ---- heads ---- */

/* One more key and value, which no mask hides. */
static void append_source(attending *a, tern_tensor *key, tern_tensor *value, int dim) {
    a->packed = NULL;
    a->key = tern_cat((tern_tensor *[]){a->key, key}, 2, dim);
    a->value = tern_cat((tern_tensor *[]){a->value, value}, 2, dim);
    if (a->mask)
        a->mask = TERN_CALL(constant_pad_nd, ARG_TENSOR(a->mask), ARG_SHAPE(TERN_SHAPE(0, 1)));
    a->sources++;
}

/* A sequence as [N, heads, T, E / heads] */
static tern_tensor *by_head(const attending *a, tern_tensor *x) {
    x = tern_reshape(x,
                     TERN_SHAPE(tern_size(x, 0), tern_size(x, 1), a->heads, a->width / a->heads));
    return tern_permute(x, a->time == 0 ? TERN_SHAPE(1, 2, 0, 3) : TERN_SHAPE(0, 2, 1, 3));
}

/* [T, N, 3 E] or [N, T, 3 E] as [3, N, heads, T, E / heads] */
static tern_tensor *packed_by_head(const attending *a) {
    tern_tensor *x = a->packed;
    x = tern_reshape(
        x, TERN_SHAPE(tern_size(x, 0), tern_size(x, 1), 3, a->heads, a->width / a->heads));
    return tern_permute(x, a->time == 0 ? TERN_SHAPE(2, 1, 3, 0, 4) : TERN_SHAPE(2, 0, 3, 1, 4));
}

/* static_k or static_v [N * heads, S, E / heads] in the place of what was projected; false after latching. */
static bool take_static(attending *a, int index, const char *name, int64_t sources,
                        tern_tensor **out) {
    int64_t each = a->width / a->heads;
    tern_tensor *x = given(a, index);
    if (!x) return true;
    if (!fits(a, index, name, TERN_SHAPE(a->batch * a->heads, sources, each))) return false;
    *out = tern_reshape(x, TERN_SHAPE(a->batch, a->heads, sources, each));
    a->packed = NULL;
    return true;
}

static bool split_heads(attending *a) {
    if (given(a, BIAS_K)) {
        tern_shape wide =
            a->time == 0 ? TERN_SHAPE(1, a->batch, a->width) : TERN_SHAPE(a->batch, 1, a->width);
        append_source(a, tern_expand(given(a, BIAS_K), wide), tern_expand(given(a, BIAS_V), wide),
                      a->time);
    }
    a->query = by_head(a, a->query);
    a->key = by_head(a, a->key);
    a->value = by_head(a, a->value);
    if (!take_static(a, STATIC_K, "static_k", a->sources, &a->key) ||
        !take_static(a, STATIC_V, "static_v", a->sources, &a->value))
        return false;
    if (tern_arg_bool(a->call, ADD_ZERO_ATTN, false)) {
        tern_shape one = TERN_SHAPE(a->batch, a->heads, 1, a->width / a->heads);
        tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(a->key), ARG_SHAPE(one));
        append_source(a, zeros, zeros, 2);
    }
    return a->call->ctx->status == TERN_OK;
}

/* softmax(q k^T / sqrt(width) + mask) v with the weights, which are [N, heads, L, S]. */
static tern_tensor *attend(const attending *a, tern_tensor **out_weights) {
    int64_t each = a->width / a->heads;
    tern_tensor *scaled = tern_mul_scalar(a->query, sqrt(1.0 / (double)each));
    tern_tensor *scores = tern_matmul(scaled, tern_transpose(a->key, 2, 3));
    if (a->mask && BODY(a->mask)->dtype == TERN_BOOL)
        scores = tern_fill_where(scores, a->mask, -INFINITY);
    else if (a->mask)
        scores = tern_add(scores, a->mask);
    *out_weights = tern_dropout(tern_softmax(scores, -1), a->dropout, true);
    return tern_matmul(*out_weights, a->value);
}

/* The same by the device's own attention, which keeps no weights, and whose bool mask says what is
 * attended to. */
static tern_tensor *attend_only(const attending *a) {
    bool hides = a->mask && BODY(a->mask)->dtype == TERN_BOOL;
    tern_value mask = ARG_TENSOR(hides ? tern_logical_not(a->mask) : a->mask);
    if (a->packed && a->dropout == 0 && !a->causal) {
        tern_value both = TERN_CALL_VALUE(_packed_attention, ARG_TENSOR(packed_by_head(a)), mask);
        if (a->call->ctx->status != TERN_OK) return a->call->ctx->nil;
        return tern_value_at(both, 0).as.tensor;
    }
    return TERN_CALL(scaled_dot_product_attention, ARG_TENSOR(a->query), ARG_TENSOR(a->key),
                     ARG_TENSOR(a->value), mask, ARG_FLOAT(a->dropout), ARG_BOOL(a->causal));
}

/* [N, heads, L, E / heads] as [L, N, E] or [L, E], through the last projection where there is one */
static tern_tensor *joined(const attending *a, tern_tensor *x) {
    tern_shape shape = a->time == 0 ? TERN_SHAPE(a->length, a->batch, a->width)
                                    : TERN_SHAPE(a->batch, a->length, a->width);
    x = tern_permute(x, a->time == 0 ? TERN_SHAPE(2, 0, 1, 3) : TERN_SHAPE(0, 2, 1, 3));
    x = tern_reshape(x, shape);
    if (given(a, OUT_PROJ_WEIGHT))
        x = tern_linear(x, given(a, OUT_PROJ_WEIGHT), given(a, OUT_PROJ_BIAS));
    if (!a->batched) return tern_squeeze(x, 1);
    return a->time == 1 ? tern_transpose(x, 0, 1) : x;
}

static tern_tensor *shown_weights(const attending *a, tern_tensor *weights) {
    if (tern_arg_bool(a->call, AVERAGE_ATTN_WEIGHTS, true))
        weights = tern_mean_dims(weights, TERN_SHAPE(1), false);
    return a->batched ? weights : tern_squeeze(weights, 0);
}

/* (query, key, value, .., is_causal): (output, weights or None); without out_proj_weight, what would be projected */
tern_value tern_op_multi_head_attention_forward(tern_opcall *call) {
    attending a = {.call = call};
    tern_tensor *weights = NULL;
    if (!read_numbers(&a) || !widths_fit(&a) || !read_sequences(&a) || !read_masks(&a))
        return tern_none();
    project(&a);
    if (!split_heads(&a)) return tern_none();
    tern_tensor *out = a.wants_weights ? attend(&a, &weights) : attend_only(&a);
    out = joined(&a, out);
    if (a.wants_weights) weights = shown_weights(&a, weights);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_value result = tern_tuple_new(call->ctx);
    tern_list_append(result, ARG_TENSOR(out));
    tern_list_append(result, a.wants_weights ? ARG_TENSOR(weights) : tern_none());
    return result;
}
