/* attention.c: scaled_dot_product_attention and the softmax that gives 0 where all is masked. */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"

/* softmax, with 0 in the rows that hold -inf alone. */
static tern_tensor *safe_softmax(tern_tensor *x, int dim) {
    tern_tensor *masked =
        TERN_CALL(all, ARG_TENSOR(tern_eq_scalar(x, -INFINITY)), ARG_INT(dim), ARG_BOOL(true));
    return tern_fill_where(tern_softmax(x, dim), masked, 0.0);
}

tern_value tern_op__safe_softmax(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    x = tern_to_dtype(x, tern_arg_dtype(call, 2, BODY(x)->dtype));
    return tern_result(call, safe_softmax(x, (int)tern_arg_int(call, 1, -1)));
}

/* Heads of key or value repeated to the query's number: one serves several queries. */
static tern_tensor *repeat_heads(tern_tensor *x, const tern_tensor *query) {
    if (BODY(x)->rank < 3 || BODY(query)->rank < 3) return x;
    int64_t own = BODY(x)->shape[BODY(x)->rank - 3],
            wanted = BODY(query)->shape[BODY(query)->rank - 3];
    if (own == wanted || own == 0 || wanted % own != 0) return x;
    return TERN_CALL(repeat_interleave, ARG_TENSOR(x), ARG_INT(wanted / own), ARG_INT(-3));
}

/* Scores with the mask: bool keeps what is true, a floating one is added. */
static tern_tensor *masked_scores(tern_tensor *scores, tern_tensor *mask, bool causal) {
    if (causal) {
        int64_t rows = BODY(scores)->shape[BODY(scores)->rank - 2],
                columns = BODY(scores)->shape[BODY(scores)->rank - 1];
        tern_tensor *ones = TERN_CALL(new_ones, ARG_TENSOR(scores),
                                      ARG_SHAPE(TERN_SHAPE(rows, columns)), ARG_DTYPE(TERN_BOOL));
        tern_tensor *keep = TERN_CALL(tril, ARG_TENSOR(ones));
        scores = tern_fill_where(scores, tern_logical_not(keep), -INFINITY);
    }
    if (!mask) return scores;
    if (BODY(mask)->dtype == TERN_BOOL)
        return tern_fill_where(scores, tern_logical_not(mask), -INFINITY);
    return tern_add(scores, tern_widen(mask));
}

/* (query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa) */
tern_value tern_op_scaled_dot_product_attention(tern_opcall *call) {
    tern_tensor *query = tern_arg_tensor(call, 0), *q = tern_widen(query);
    tern_tensor *k = tern_widen(tern_arg_tensor(call, 1));
    tern_tensor *v = tern_widen(tern_arg_tensor(call, 2)), *mask = tern_arg_tensor(call, 3);
    bool causal = tern_arg_bool(call, 5, false);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(q)->rank < 2 || BODY(k)->rank < 2 || BODY(v)->rank < 2)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "query, key and value must have at least 2 dimensions, got %d, %d and "
            "%d",
            BODY(q)->rank, BODY(k)->rank, BODY(v)->rank);
    if (mask && causal)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Explicit attn_mask should not be set when is_causal=True");
    if (tern_arg_bool(call, 7, false)) {
        k = repeat_heads(k, q);
        v = repeat_heads(v, q);
    }
    int64_t width = BODY(q)->shape[BODY(q)->rank - 1];
    double scale = tern_arg_double(call, 6, width ? 1.0 / sqrt((double)width) : 1.0);
    tern_tensor *scores = tern_matmul(tern_mul_scalar(q, scale), tern_transpose(k, -2, -1));
    if (call->ctx->status != TERN_OK) return tern_none();
    scores = masked_scores(scores, mask, causal);
    /* A row without a score above -inf gives 0: all masked, or all NaN. It is filled before the
     * softmax too, whose gradient would be NaN there and reach every key. */
    tern_tensor *alive =
        TERN_CALL(any, ARG_TENSOR(tern_gt_scalar(scores, -INFINITY)), ARG_INT(-1), ARG_BOOL(true));
    tern_tensor *dead = tern_logical_not(alive);
    tern_tensor *weights = tern_softmax(tern_fill_where(scores, dead, 0.0), -1);
    weights = tern_fill_where(weights, dead, 0.0);
    double p = tern_arg_double(call, 4, 0.0);
    if (p > 0.0) weights = tern_dropout(weights, p, true);
    return tern_result(call, tern_to_dtype(tern_matmul(weights, v), BODY(query)->dtype));
}

/* ---- C functions ---- */

tern_tensor *tern_scaled_dot_product_attention(tern_tensor *query, tern_tensor *key,
                                               tern_tensor *value, tern_tensor *attn_mask,
                                               bool is_causal) {
    return TERN_CALL(scaled_dot_product_attention, ARG_TENSOR(query), ARG_TENSOR(key),
                     ARG_TENSOR(value), ARG_TENSOR(attn_mask), ARG_FLOAT(0.0), ARG_BOOL(is_causal));
}
