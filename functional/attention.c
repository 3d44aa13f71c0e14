/*
 * attention.c: scaled_dot_product_attention, and the softmax that gives 0 where all is masked.
 *
 * What a device's own attention can do goes through one operation over [b, h, l, e], PyTorch's flash
 * attention, which keeps the log-sum-exp in place of the weights. Dropout, a mask that needs a gradient
 * and shapes beyond it are composed of operations that are recorded.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "tern/grad.h"

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

/* ---- composed -------------------------------------------------------------------------------- */

/* What is attended to how much, in the dtype to compute in. */
typedef struct attending {
    tern_tensor *scores; /* [.., l, s] */
    tern_tensor
        *hidden; /* bool, broadcast to them: pairs without a score; NULL where there are none */
    tern_tensor *dead;    /* [.., l, 1]: rows without a score above -inf: all masked, or all NaN */
    tern_tensor *weights; /* the softmax of the scores, 0 in dead rows */
} attending;

/* Heads of key or value repeated to the query's number: one serves several queries. */
static tern_tensor *repeat_heads(tern_tensor *x, const tern_tensor *query) {
    if (BODY(x)->rank < 3 || BODY(query)->rank < 3) return x;
    int64_t own = BODY(x)->shape[BODY(x)->rank - 3],
            wanted = BODY(query)->shape[BODY(query)->rank - 3];
    if (own == wanted || own == 0 || wanted % own != 0) return x;
    return TERN_CALL(repeat_interleave, ARG_TENSOR(x), ARG_INT(wanted / own), ARG_INT(-3));
}

/* The pairs that a causal or a bool mask hides. */
static tern_tensor *hidden_pairs(tern_tensor *scores, tern_tensor *mask, bool causal) {
    tern_tensor *hidden = mask && BODY(mask)->dtype == TERN_BOOL ? tern_logical_not(mask) : NULL;
    if (!causal) return hidden;
    tern_shape pairs = TERN_SHAPE(BODY(scores)->shape[BODY(scores)->rank - 2],
                                  BODY(scores)->shape[BODY(scores)->rank - 1]);
    tern_tensor *ones =
        TERN_CALL(new_ones, ARG_TENSOR(scores), ARG_SHAPE(pairs), ARG_DTYPE(TERN_BOOL));
    tern_tensor *later = TERN_CALL(triu, ARG_TENSOR(ones), ARG_INT(1));
    return hidden ? TERN_CALL(logical_or, ARG_TENSOR(hidden), ARG_TENSOR(later)) : later;
}

/* softmax(scale q k^T + mask): a bool mask keeps what is true, a floating one is added. A dead row is
 * filled before the softmax too, whose gradient would be NaN there and reach every key. */
static attending attend(tern_tensor *q, tern_tensor *k, tern_tensor *mask, bool causal,
                        double scale) {
    attending a = {NULL, NULL, NULL, NULL};
    a.scores = tern_matmul(tern_mul_scalar(q, scale), tern_transpose(k, -2, -1));
    if (tern_is_nil(a.scores)) return a;
    a.hidden = hidden_pairs(a.scores, mask, causal);
    if (a.hidden) a.scores = tern_fill_where(a.scores, a.hidden, -INFINITY);
    if (mask && BODY(mask)->dtype != TERN_BOOL) a.scores = tern_add(a.scores, tern_widen(mask));
    a.dead = tern_logical_not(TERN_CALL(any, ARG_TENSOR(tern_gt_scalar(a.scores, -INFINITY)),
                                        ARG_INT(-1), ARG_BOOL(true)));
    a.weights = tern_softmax(tern_fill_where(a.scores, a.dead, 0.0), -1);
    a.weights = tern_fill_where(a.weights, a.dead, 0.0);
    return a;
}

/* ---- over [b, h, l, e], by the device's own attention where it has one ----------------------- */

/* The operands of attention and of its gradient, from argument `at` on. */
typedef struct quartet {
    tern_tensor *q, *k, *v, *mask; /* mask: NULL, or a view of [b, h, l, s] */
    tern_attention_attrs attrs;
} quartet;

/* Whether a mask is bool or of the dtype, and broadcasts to [b, h, l, s]. */
static bool mask_fits(const tern_tensor *mask, const tern_tensor *q, const tern_tensor *k) {
    const int64_t full[4] = {BODY(q)->shape[0], BODY(q)->shape[1], BODY(q)->shape[2],
                             BODY(k)->shape[2]};
    int skipped = 4 - BODY(mask)->rank;
    bool fits =
        skipped >= 0 && (BODY(mask)->dtype == TERN_BOOL || BODY(mask)->dtype == BODY(q)->dtype);
    for (int d = 0; fits && d < BODY(mask)->rank; d++)
        fits = BODY(mask)->shape[d] == 1 || BODY(mask)->shape[d] == full[d + skipped];
    return fits;
}

/* q [b, h, l, e], k [b, h', s, e], v [b, h', s, f], all with elements; h' divides h. */
static bool operands_fit(const tern_tensor *q, const tern_tensor *k, const tern_tensor *v,
                         const tern_tensor *mask) {
    const int64_t *a = BODY(q)->shape, *b = BODY(k)->shape, *c = BODY(v)->shape;
    bool fits = BODY(q)->rank == 4 && BODY(k)->rank == 4 && BODY(v)->rank == 4 &&
                tern_is_float(BODY(q)->dtype) && BODY(k)->dtype == BODY(q)->dtype &&
                BODY(v)->dtype == BODY(q)->dtype && BODY(q)->numel > 0 && BODY(k)->numel > 0 &&
                BODY(v)->numel > 0;
    return fits && b[0] == a[0] && c[0] == a[0] && a[1] % b[1] == 0 && c[1] == b[1] &&
           b[3] == a[3] && c[2] == b[2] && (!mask || mask_fits(mask, q, k));
}

static double scale_of(tern_value given, const tern_tensor *q) {
    int64_t width = BODY(q)->shape[BODY(q)->rank - 1];
    if (given.kind != TERN_VALUE_NONE) return tern_value_as_double(given);
    return width ? 1.0 / sqrt((double)width) : 1.0;
}

/* Checks the operands, and completes them by the attributes and the view of the mask; false after
 * latching. */
static bool complete(tern_opcall *call, quartet *a, bool causal, tern_value scale) {
    if (!operands_fit(a->q, a->k, a->v, a->mask)) {
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "query [b, h, l, e], key [b, h', s, e], value [b, h', s, f] of one floating "
            "dtype are needed, with elements and h' a divisor of h; a mask is bool or of "
            "their dtype and broadcasts to [b, h, l, s]");
        return false;
    }
    a->attrs = (tern_attention_attrs){scale_of(scale, a->q), causal, a->mask != NULL};
    if (!a->mask) return true;
    tern_shape pairs = tern_shape_of(a->q);
    pairs.dim[3] = BODY(a->k)->shape[2];
    a->mask = tern_broadcast_view(a->mask, &pairs);
    return call->ctx->status == TERN_OK;
}

/* Reads query, key and value at `first`, dropout and causal at `settings`, mask and scale behind. */
static bool read_quartet(tern_opcall *call, int first, int settings, quartet *out) {
    *out = (quartet){.q = tern_arg_tensor(call, first),
                     .k = tern_arg_tensor(call, first + 1),
                     .v = tern_arg_tensor(call, first + 2),
                     .mask = tern_arg_tensor(call, settings + 2)};
    if (tern_arg_double(call, settings, 0.0) > 0.0) {
        tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                       "dropout_p is 0 here: scaled_dot_product_attention composes dropout");
        return false;
    }
    return complete(call, out, tern_arg_bool(call, settings + 1, false),
                    tern_arg(call, settings + 3));
}

/* out [b, h, l, f] in q's memory order, so that heads that were split are joined without a copy. */
static tern_tensor *new_output(tern_opcall *call, const quartet *a) {
    tern_shape shape = tern_shape_of(a->q);
    if (BODY(a->v)->shape[3] == shape.dim[3])
        return tern_new_dense_like(call->lane, a->q, BODY(a->q)->dtype);
    shape.dim[3] = BODY(a->v)->shape[3];
    return tern_new_shaped(call, BODY(a->q)->dtype, &shape);
}

/* The same by operations. */
static void compose_attention(const quartet *a, tern_tensor **both) {
    tern_tensor *q = tern_widen(a->q), *k = tern_widen(a->k), *v = tern_widen(a->v);
    attending w = attend(q, repeat_heads(k, q), a->mask, a->attrs.causal, a->attrs.scale);
    if (!w.weights) return;
    tern_tensor *max = TERN_CALL(amax, ARG_TENSOR(w.scores), ARG_INT(-1), ARG_BOOL(true));
    tern_tensor *sum = tern_sum_dims(tern_exp(tern_sub(w.scores, max)), TERN_SHAPE(-1), true);
    tern_tensor *lse = tern_fill_where(tern_add(max, tern_log(sum)), w.dead, 0.0);
    both[1] = tern_squeeze(lse, -1);
    both[0] = tern_to_dtype(tern_matmul(w.weights, repeat_heads(v, q)), BODY(a->q)->dtype);
}

/* Output and logsumexp. */
static tern_value attention_of(tern_opcall *call, const quartet *a) {
    tern_shape rows = tern_shape_of(a->q);
    rows.rank = 3;
    tern_tensor *operands[4] = {a->q, a->k, a->v, a->mask};
    tern_tensor *both[2] = {new_output(call, a),
                            tern_new_shaped(call, tern_wide_dtype(BODY(a->q)->dtype), &rows)};
    if (!tern_try_launch(call->lane, TERN_KERNEL_ATTENTION, 0, operands, a->mask ? 4 : 3, both, 2,
                         &a->attrs, sizeof a->attrs))
        compose_attention(a, both);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, both, 2) : tern_none();
}

/* (query, key, value, dropout_p, is_causal, attn_mask, scale): output, logsumexp */
tern_value tern_op__scaled_dot_product_flash_attention_for_cpu(tern_opcall *call) {
    quartet a;
    return read_quartet(call, 0, 3, &a) ? attention_of(call, &a) : tern_none();
}

/* As in PyTorch, logsumexp passes no gradient on. */
void tern_grad__scaled_dot_product_flash_attention_for_cpu(tern_node *node,
                                                           tern_tensor *const *grad_out,
                                                           tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_tensor *mask = tern_node_n_inputs(node) > 3 ? tern_node_input(node, 3) : NULL;
    tern_value all = TERN_CALL_VALUE(
        _scaled_dot_product_flash_attention_for_cpu_backward, ARG_TENSOR(grad_out[0]),
        ARG_TENSOR(tern_node_input(node, 0)), ARG_TENSOR(tern_node_input(node, 1)),
        ARG_TENSOR(tern_node_input(node, 2)), ARG_TENSOR(tern_node_output(node, 0)),
        ARG_TENSOR(tern_node_output(node, 1)), ARG_FLOAT(0), tern_node_arg(node, 4),
        ARG_TENSOR(mask), tern_node_arg(node, 6));
    for (size_t i = 0; i < 3 && tern_node_ctx(node)->status == TERN_OK; i++)
        grads[i] = tern_value_at(all, i).as.tensor;
}

/* The gradients of heads that were repeated, summed to the heads there are. */
static tern_tensor *sum_heads(tern_tensor *grad, const tern_tensor *x) {
    const int64_t *shape = BODY(x)->shape;
    if (tern_is_nil(grad) || BODY(grad)->shape[1] == shape[1]) return grad;
    tern_shape split = {5,
                        {shape[0], shape[1], BODY(grad)->shape[1] / shape[1], shape[2], shape[3]}};
    return tern_sum_dims(tern_reshape(grad, split), TERN_SHAPE(2), false);
}

/* From the weights anew, so that it can be differentiated: with p the weights and u = g v^T,
 * dv = p^T g, ds = p (u - sum(p u)), dq = scale ds k, dk = scale ds^T q. */
static void compose_gradient(const quartet *a, tern_tensor *g, tern_tensor **all) {
    tern_dtype dtype = BODY(a->q)->dtype;
    tern_tensor *q = tern_widen(a->q), *k = repeat_heads(tern_widen(a->k), q);
    tern_tensor *v = repeat_heads(tern_widen(a->v), q);
    g = tern_widen(g);
    attending w = attend(q, k, a->mask, a->attrs.causal, a->attrs.scale);
    if (!w.weights) return;
    tern_tensor *u = tern_matmul(g, tern_transpose(v, -2, -1));
    tern_tensor *sum = tern_sum_dims(tern_mul(w.weights, u), TERN_SHAPE(-1), true);
    tern_tensor *ds = tern_mul(w.weights, tern_sub(u, sum));
    /* Nothing goes through what is hidden, NaN neither. */
    ds = tern_fill_where(ds, w.dead, 0.0);
    if (w.hidden) ds = tern_fill_where(ds, w.hidden, 0.0);
    ds = tern_mul_scalar(ds, a->attrs.scale);
    all[0] = tern_to_dtype(tern_matmul(ds, k), dtype);
    all[1] = sum_heads(tern_matmul(tern_transpose(ds, -2, -1), q), a->k);
    all[2] = sum_heads(tern_matmul(tern_transpose(w.weights, -2, -1), g), a->v);
    for (int i = 1; i < 3; i++) all[i] = tern_to_dtype(all[i], dtype);
}

/* What a gradient has beside the operands. */
typedef struct results {
    tern_tensor *g, *out, *lse;
} results;

/* False after latching. */
static bool results_fit(tern_opcall *call, const quartet *a, const results *r) {
    tern_shape shape = tern_shape_of(a->q), rows = shape;
    tern_dtype dtype = BODY(a->q)->dtype;
    shape.dim[3] = BODY(a->v)->shape[3];
    rows.rank = 3;
    if (tern_has_shape(r->g, &shape) && tern_has_shape(r->out, &shape) &&
        tern_has_shape(r->lse, &rows) && BODY(r->g)->dtype == dtype &&
        BODY(r->out)->dtype == dtype && BODY(r->lse)->dtype == tern_wide_dtype(dtype))
        return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "grad_out, out and logsumexp do not match query and value");
    return false;
}

static bool launch_gradient(tern_opcall *call, const quartet *a, const results *r,
                            tern_tensor *const *all) {
    tern_tensor *operands[7] = {r->g, a->q, a->k, a->v, r->out, r->lse, a->mask};
    return tern_try_launch(call->lane, TERN_KERNEL_ATTENTION_GRAD, 0, operands, a->mask ? 7 : 6,
                           all, 3, &a->attrs, sizeof a->attrs);
}

/* (grad_out, query, key, value, out, logsumexp, dropout_p, is_causal, attn_mask, scale) */
tern_value tern_op__scaled_dot_product_flash_attention_for_cpu_backward(tern_opcall *call) {
    results r = {tern_arg_tensor(call, 0), tern_arg_tensor(call, 4), tern_arg_tensor(call, 5)};
    tern_tensor *all[3] = {NULL};
    quartet a;
    if (!read_quartet(call, 1, 6, &a) || !results_fit(call, &a, &r)) return tern_none();
    bool done = false;
    if (!tern_call_is_recorded(call)) {
        tern_tensor *of[3] = {a.q, a.k, a.v};
        for (int i = 0; i < 3; i++)
            all[i] = tern_new_dense_like(call->lane, of[i], BODY(of[i])->dtype);
        done = launch_gradient(call, &a, &r, all);
    }
    if (!done && call->ctx->status == TERN_OK) compose_gradient(&a, r.g, all);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, all, 3) : tern_none();
}

/* ---- query, key and value in one tensor, as one product makes them: one gradient ------------- */

/* Of packed [3, b, h, l, e]; false after latching. */
static bool unpack(tern_opcall *call, tern_tensor *packed, tern_tensor *mask, quartet *out) {
    if (BODY(packed)->rank != 5 || BODY(packed)->shape[0] != 3) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "query, key and value [3, b, h, l, e] are needed");
        return false;
    }
    *out = (quartet){.q = tern_select(packed, 0, 0),
                     .k = tern_select(packed, 0, 1),
                     .v = tern_select(packed, 0, 2),
                     .mask = mask};
    return call->ctx->status == TERN_OK && complete(call, out, false, tern_none());
}

/* (packed, attn_mask): output, logsumexp */
tern_value tern_op__packed_attention(tern_opcall *call) {
    quartet a;
    return unpack(call, tern_arg_tensor(call, 0), tern_arg_tensor(call, 1), &a)
               ? attention_of(call, &a)
               : tern_none();
}

void tern_grad__packed_attention(tern_node *node, tern_tensor *const *grad_out,
                                 tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_tensor *mask = tern_node_n_inputs(node) > 1 ? tern_node_input(node, 1) : NULL;
    grads[0] =
        TERN_CALL(_packed_attention_gradient, ARG_TENSOR(grad_out[0]),
                  ARG_TENSOR(tern_node_input(node, 0)), ARG_TENSOR(tern_node_output(node, 0)),
                  ARG_TENSOR(tern_node_output(node, 1)), ARG_TENSOR(mask));
}

/* (grad, packed, out, logsumexp, attn_mask) */
tern_value tern_op__packed_attention_gradient(tern_opcall *call) {
    results r = {tern_arg_tensor(call, 0), tern_arg_tensor(call, 2), tern_arg_tensor(call, 3)};
    tern_tensor *packed = tern_arg_tensor(call, 1), *all[3];
    quartet a;
    if (!unpack(call, packed, tern_arg_tensor(call, 4), &a) || !results_fit(call, &a, &r))
        return tern_none();
    if (!tern_call_is_recorded(call)) {
        tern_tensor *whole = tern_new_dense_like(call->lane, packed, BODY(packed)->dtype);
        for (int i = 0; i < 3; i++) all[i] = tern_select(whole, 0, i);
        if (launch_gradient(call, &a, &r, all)) return tern_result(call, whole);
    }
    if (call->ctx->status != TERN_OK) return tern_none();
    compose_gradient(&a, r.g, all);
    return call->ctx->status == TERN_OK ? tern_result(call, tern_stack(all, 3, 0)) : tern_none();
}

/* ---- scaled_dot_product_attention ------------------------------------------------------------ */

/* The dimensions before the last two that x and y broadcast to; false where they do not. */
static bool join_leading(const tern_tensor *x, tern_shape *leading) {
    int own = BODY(x)->rank - 2;
    if (own > leading->rank) {
        int more = own - leading->rank;
        for (int d = own - 1; d >= 0; d--) leading->dim[d] = d < more ? 1 : leading->dim[d - more];
        leading->rank = own;
    }
    for (int d = 0; d < own; d++) {
        int64_t *size = &leading->dim[leading->rank - own + d], given = BODY(x)->shape[d];
        if (*size == 1) *size = given;
        if (given != 1 && given != *size) return false;
    }
    return true;
}

/* x [.., n, w] spread over the leading dimensions, as [b, h, n, w]; `heads` in place of the last one. */
static tern_tensor *over_heads(tern_tensor *x, tern_shape leading, int64_t heads) {
    int64_t n = BODY(x)->shape[BODY(x)->rank - 2], width = BODY(x)->shape[BODY(x)->rank - 1];
    tern_shape four = {4, {1, 1, n, width}}, full = leading;
    if (leading.rank > 0) four.dim[1] = full.dim[full.rank - 1] = heads;
    for (int d = 0; d < leading.rank - 1; d++) four.dim[0] *= leading.dim[d]; /* they fit */
    full.dim[full.rank++] = n;
    full.dim[full.rank++] = width;
    if (!tern_has_shape(x, &full)) x = tern_expand(x, full);
    return tern_has_shape(x, &four) ? x : tern_reshape(x, four);
}

/* How many heads a key or value keeps: its own where they are shared, else all. */
static int64_t heads_of(const tern_tensor *x, int64_t all, bool grouped) {
    int64_t own = BODY(x)->rank > 2 ? BODY(x)->shape[BODY(x)->rank - 3] : 1;
    return own == 1 || (grouped && own > 0 && all % own == 0) ? own : all;
}

/* The operands over heads; false where the operation above does not take them. */
static bool as_quartet(tern_opcall *call, bool grouped, tern_shape *out_leading, quartet *out) {
    tern_tensor *q = tern_arg_tensor(call, 0), *k = tern_arg_tensor(call, 1);
    tern_tensor *v = tern_arg_tensor(call, 2), *mask = tern_arg_tensor(call, 3);
    tern_shape leading = {0, {0}}, shared;
    if (tern_arg_double(call, 4, 0.0) > 0.0 || (mask && tern_has_grad_required(mask)) ||
        !join_leading(q, &leading))
        return false;
    int64_t all = leading.rank ? leading.dim[leading.rank - 1] : 1;
    /* In groups the heads of k and v are no broadcast dimension. */
    shared = leading;
    bool in_groups = grouped && BODY(q)->rank > 2 && BODY(k)->rank > 2 && BODY(v)->rank > 2;
    if (in_groups) shared.dim[shared.rank - 1] = BODY(k)->shape[BODY(k)->rank - 3];
    if (!join_leading(k, &shared) || !join_leading(v, &shared)) return false;
    if (in_groups && (shared.dim[shared.rank - 1] == 0 || all % shared.dim[shared.rank - 1] != 0))
        return false;
    if (in_groups) shared.dim[shared.rank - 1] = all;
    all = shared.rank ? shared.dim[shared.rank - 1] : 1;
    int64_t own = heads_of(k, all, in_groups);
    if (own != heads_of(v, all, in_groups)) own = all;
    /* A mask meets the last three dimensions, and the fourth where that is no product. */
    if (mask && BODY(mask)->rank > (shared.rank > 2 ? 3 : shared.rank + 2)) return false;
    bool fits = true;
    int64_t product = 1;
    for (int d = 0; d < shared.rank; d++) product = tern_dim_mul(product, shared.dim[d], &fits);
    if (!fits || product == 0) return false;
    *out = (quartet){.q = over_heads(q, shared, all),
                     .k = over_heads(k, shared, own),
                     .v = over_heads(v, shared, own),
                     .mask = mask};
    *out_leading = shared;
    return call->ctx->status == TERN_OK && operands_fit(out->q, out->k, out->v, mask);
}

static tern_value composed(tern_opcall *call, bool causal, double scale) {
    tern_tensor *query = tern_arg_tensor(call, 0), *q = tern_widen(query);
    tern_tensor *k = tern_widen(tern_arg_tensor(call, 1));
    tern_tensor *v = tern_widen(tern_arg_tensor(call, 2)), *mask = tern_arg_tensor(call, 3);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (tern_arg_bool(call, 7, false)) {
        k = repeat_heads(k, q);
        v = repeat_heads(v, q);
    }
    attending a = attend(q, k, mask, causal, scale);
    if (call->ctx->status != TERN_OK) return tern_none();
    double p = tern_arg_double(call, 4, 0.0);
    if (p > 0.0) a.weights = tern_dropout(a.weights, p, true);
    return tern_result(call, tern_to_dtype(tern_matmul(a.weights, v), BODY(query)->dtype));
}

/* (query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa) */
tern_value tern_op_scaled_dot_product_attention(tern_opcall *call) {
    const tern_tensor *q = tern_arg_tensor(call, 0), *k = tern_arg_tensor(call, 1);
    const tern_tensor *v = tern_arg_tensor(call, 2);
    bool causal = tern_arg_bool(call, 5, false);
    if (BODY(q)->rank < 2 || BODY(k)->rank < 2 || BODY(v)->rank < 2)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "query, key and value must have at least 2 dimensions, got %d, %d and "
            "%d",
            BODY(q)->rank, BODY(k)->rank, BODY(v)->rank);
    if (tern_arg_given(call, 3) && causal)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Explicit attn_mask should not be set when is_causal=True");
    double scale = scale_of(tern_arg(call, 6), q);
    tern_shape shape;
    quartet a;
    if (!as_quartet(call, tern_arg_bool(call, 7, false), &shape, &a))
        return composed(call, causal, scale);
    tern_value both = TERN_CALL_VALUE(_scaled_dot_product_flash_attention_for_cpu, ARG_TENSOR(a.q),
                                      ARG_TENSOR(a.k), ARG_TENSOR(a.v), ARG_FLOAT(0),
                                      ARG_BOOL(causal), ARG_TENSOR(a.mask), ARG_FLOAT(scale));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *out = tern_value_at(both, 0).as.tensor;
    shape.dim[shape.rank++] = BODY(out)->shape[2];
    shape.dim[shape.rank++] = BODY(out)->shape[3];
    return tern_result(call, tern_has_shape(out, &shape) ? out : tern_reshape(out, shape));
}

/* ---- C functions ----------------------------------------------------------------------------- */

tern_tensor *tern_scaled_dot_product_attention(tern_tensor *query, tern_tensor *key,
                                               tern_tensor *value, tern_tensor *attn_mask,
                                               bool is_causal) {
    return TERN_CALL(scaled_dot_product_attention, ARG_TENSOR(query), ARG_TENSOR(key),
                     ARG_TENSOR(value), ARG_TENSOR(attn_mask), ARG_FLOAT(0.0), ARG_BOOL(is_causal));
}
