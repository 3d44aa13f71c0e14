/*
 * recurrent.c: one recurrent layer in one direction over a whole sequence, as one operation and one node.
 *
 * A device's fused kernel is used where it has one; recurrent_compose.c has what takes its place.
 */
#include "recurrent.h"

#include "core/call/fused.h"
#include "core/ops/compose.h"

/* ---- operands -------------------------------------------------------------------------------- */

static bool is_shaped(const tern_tensor *x, int rank, int64_t first, int64_t second) {
    const tern_tensor_body *body = BODY(x);
    return body->rank == rank && body->shape[0] == first && (rank < 2 || body->shape[1] == second);
}

/* Sizes and dtypes; false after latching. */
static bool fits(const tern_recurrent *l, tern_tensor *const *operands, int count) {
    int64_t rows = l->cell->gates * l->h;
    for (int k = 0; k < count; k++)
        if (BODY(operands[k])->dtype != l->dtype || !tern_dtype_is_floating(l->dtype)) {
            tern_call_fail(
                l->call, TERN_ERR_ARGUMENT,
                "Input, states and parameters must have the same floating dtype, found %s and %s",
                tern_dtype_class(l->dtype), tern_dtype_class(BODY(operands[k])->dtype));
            return false;
        }
    bool sound = l->t > 0 && is_shaped(l->h0, 2, l->n, l->h) && is_shaped(l->w, 2, rows, l->i) &&
                 is_shaped(l->u, 2, rows, l->h) && (!l->c0 || is_shaped(l->c0, 2, l->n, l->h)) &&
                 (!l->biased || (is_shaped(l->b, 1, rows, 0) && is_shaped(l->d, 1, rows, 0)));
    if (!sound)
        tern_call_fail(l->call, TERN_ERR_ARGUMENT,
                       "the sizes of input, states and parameters do not match");
    return sound;
}

/* The operands in the order of the fused kernel: x, h0, (c0), w, u, (b, d). */
static bool read_layer(tern_opcall *call, int list, tern_recurrent *out) {
    const tern_cell *cell = tern_cell_of(call);
    int count, at = 0;
    tern_tensor **operands = tern_arg_tensors(call, list, &count);
    if (!cell || !operands) return false;
    int plain = cell->keeps_cells ? 5 : 4;
    bool sound = (count == plain || count == plain + 2) && BODY(operands[0])->rank == 3 &&
                 BODY(operands[1])->rank == 2;
    if (!sound) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected [time, batch, size], states, two weights and two biases or none, "
                       "got %d tensors",
                       count);
        return false;
    }
    *out = (tern_recurrent){.call = call,
                            .cell = cell,
                            .reverse = tern_arg_bool(call, 1, false),
                            .biased = count > plain,
                            .t = BODY(operands[0])->shape[0],
                            .n = BODY(operands[0])->shape[1],
                            .i = BODY(operands[0])->shape[2],
                            .h = BODY(operands[1])->shape[1],
                            .dtype = BODY(operands[0])->dtype,
                            .wide = tern_wide_dtype(BODY(operands[0])->dtype)};
    out->x = operands[at++];
    out->h0 = operands[at++];
    if (cell->keeps_cells) out->c0 = operands[at++];
    out->w = operands[at++];
    out->u = operands[at++];
    if (out->biased) out->b = operands[at++];
    if (out->biased) out->d = operands[at];
    return fits(out, operands, count);
}

static tern_tensor *sequence_of(const tern_recurrent *l, int64_t width) {
    const int64_t shape[] = {l->t, l->n, width};
    return tern_tensor_new(l->call->lane, l->dtype, 3, shape);
}

/* Kernels are over at least one of everything. */
static bool is_empty(const tern_recurrent *l) {
    return l->n == 0 || l->i == 0 || l->h == 0;
}

/* ---- the layer ------------------------------------------------------------------------------- */

static bool fused(const tern_recurrent *l, tern_tensor *const *inputs, int n_inputs) {
    tern_recurrent_attrs attrs = {l->cell->fn, l->biased, l->reverse, 0};
    tern_tensor *outputs[3] = {l->y};
    int n_outputs = 1;
    if (is_empty(l)) return false;
    if (l->gates) outputs[n_outputs++] = l->gates;
    if (l->cells) outputs[n_outputs++] = l->cells;
    return tern_try_launch(l->call->lane, TERN_KERNEL_RECURRENT, attrs.fn, inputs, n_inputs,
                           outputs, n_outputs, &attrs, sizeof attrs);
}

/*
 * (y, h, c, gates, cells) of LSTM, (y, h, gates) of GRU, (y, h) of RNN. h and c are the last of y and
 * cells, in their memory: whoever hands them to a program copies them.
 */
tern_value tern_op__recurrent(tern_opcall *call) {
    tern_recurrent l;
    int count, n = 0;
    tern_tensor **inputs = tern_arg_tensors(call, 2, &count), *results[5];
    if (!inputs || !read_layer(call, 2, &l)) return tern_none();
    l.y = sequence_of(&l, l.h);
    if (l.cell->kept) l.gates = sequence_of(&l, l.cell->kept * l.h);
    if (l.cell->keeps_cells) l.cells = sequence_of(&l, l.h);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (!fused(&l, inputs, count)) tern_recurrent_compose(&l);
    if (call->ctx->status != TERN_OK) return tern_none();
    int64_t last = tern_recurrent_time(&l, l.t - 1);
    results[n++] = l.y;
    results[n++] = tern_recurrent_part(l.y, last, 0, l.h);
    if (l.cells) results[n++] = tern_recurrent_part(l.cells, last, 0, l.h);
    if (l.gates) results[n++] = l.gates;
    if (l.cells) results[n++] = l.cells;
    return tern_tensors_value(call->ctx, results, n);
}

/* ---- the gradient ---------------------------------------------------------------------------- */

/* y, gates, cells: how many of them there are. */
static int results_of(const tern_cell *cell) {
    return 1 + (cell->kept > 0) + cell->keeps_cells;
}

void tern_grad__recurrent(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    int count = tern_node_n_inputs(node);
    const tern_cell *cell = tern_cell_named(tern_node_arg(node, 0).as.s);
    int states = cell->keeps_cells ? 2 : 1;
    tern_value operands = tern_list_new(ctx), results = tern_list_new(ctx);
    int64_t wanted = 0;
    for (int k = 0; k < count; k++) {
        tern_list_append(operands, ARG_TENSOR(tern_node_input(node, k)));
        if (tern_node_needs(node, k)) wanted |= INT64_C(1) << k;
    }
    for (int k = 0; k < results_of(cell); k++)
        tern_list_append(results, ARG_TENSOR(tern_node_output(node, k == 0 ? 0 : k + states)));
    const tern_value args[] = {tern_node_arg(node, 0),
                               tern_node_arg(node, 1),
                               ARG_INT(wanted),
                               grad_out[0] ? ARG_TENSOR(grad_out[0]) : tern_none(),
                               grad_out[1] ? ARG_TENSOR(grad_out[1]) : tern_none(),
                               cell->keeps_cells && grad_out[2] ? ARG_TENSOR(grad_out[2])
                                                                : tern_none(),
                               operands,
                               results};
    if (ctx->status != TERN_OK) return;
    tern_value list = tern_op_call(ctx, TERN_ROW(_recurrent_gradient), args, 8);
    for (int k = 0, at = 0; k < count && ctx->status == TERN_OK; k++)
        if (wanted >> k & 1) grads[k] = tern_value_at(list, (size_t)at++).as.tensor;
}

/* A gradient, or zeros of `like`'s shape, which are one number in memory. */
static tern_tensor *or_zeros(tern_tensor *given, tern_tensor *zero, tern_tensor *like) {
    tern_shape shape = tern_shape_of(like);
    return given ? given : tern_broadcast_view(zero, &shape);
}

/* All gradients in one launch: the kernel gives those that nobody wants too. */
static bool fused_gradient(const tern_recurrent *l, const tern_recurrent_incoming *incoming,
                           tern_tensor *const *operands, int count, tern_tensor **out_grads) {
    tern_ctx *ctx = l->call->ctx;
    tern_recurrent_attrs attrs = {l->cell->fn, l->biased, l->reverse, 0};
    tern_tensor *inputs[3 + TERN_RECURRENT_OPERANDS + 3];
    int n = 0;
    if (is_empty(l) || tern_is_composed(ctx, TERN_KERNEL_RECURRENT_GRAD)) return false;
    tern_tensor *zero = tern_tensor_number(l->call->lane, l->dtype, 0, 0);
    inputs[n++] = or_zeros(incoming->y, zero, l->y);
    inputs[n++] = or_zeros(incoming->h, zero, l->h0);
    if (l->c0) inputs[n++] = or_zeros(incoming->c, zero, l->c0);
    for (int k = 0; k < count - (l->biased ? 2 : 0); k++) inputs[n++] = operands[k];
    inputs[n++] = l->y;
    if (l->gates) inputs[n++] = l->gates;
    if (l->cells) inputs[n++] = l->cells;
    for (int k = 0; k < count; k++)
        out_grads[k] = tern_tensor_new(l->call->lane, l->dtype, BODY(operands[k])->rank,
                                       BODY(operands[k])->shape);
    return ctx->status == TERN_OK &&
           tern_try_launch(l->call->lane, TERN_KERNEL_RECURRENT_GRAD, attrs.fn, inputs, n,
                           out_grads, count, &attrs, sizeof attrs);
}

static bool is_sequence(const tern_recurrent *l, const tern_tensor *x, int64_t width) {
    const tern_tensor_body *body = BODY(x);
    return body->dtype == l->dtype && body->rank == 3 && body->shape[0] == l->t &&
           body->shape[1] == l->n && body->shape[2] == width;
}

/* y, gates and cells, as the layer gave them; false after latching. */
static bool read_results(tern_recurrent *l, tern_tensor *const *results, int count,
                         const tern_recurrent_incoming *incoming) {
    const tern_tensor *states[] = {incoming->h, incoming->c};
    bool sound =
        count == results_of(l->cell) && (!incoming->y || is_sequence(l, incoming->y, l->h));
    for (int k = 0; k < 2; k++)
        sound = sound && (!states[k] || (BODY(states[k])->dtype == l->dtype &&
                                         is_shaped(states[k], 2, l->n, l->h)));
    for (int k = 0; k < count && sound; k++)
        sound = is_sequence(l, results[k], k == 1 ? l->cell->kept * l->h : l->h);
    if (!sound) {
        tern_call_fail(l->call, TERN_ERR_ARGUMENT, "these are not results of the layer");
        return false;
    }
    l->y = results[0];
    if (l->cell->kept) l->gates = results[1];
    if (l->cell->keeps_cells) l->cells = results[2];
    return true;
}

/* The wanted gradients, in the order of the operands. */
tern_value tern_op__recurrent_gradient(tern_opcall *call) {
    tern_recurrent l;
    tern_recurrent_incoming incoming = {tern_arg_tensor(call, 3), tern_arg_tensor(call, 4),
                                        tern_arg_tensor(call, 5)};
    uint32_t wanted = (uint32_t)tern_arg_int(call, 2, 0);
    int count, n_results, n = 0;
    tern_tensor **operands = tern_arg_tensors(call, 6, &count);
    tern_tensor **results = tern_arg_tensors(call, 7, &n_results);
    tern_tensor *grads[TERN_RECURRENT_OPERANDS] = {NULL};
    if (!operands || !results || !read_layer(call, 6, &l) ||
        !read_results(&l, results, n_results, &incoming))
        return tern_none();
    if (tern_call_is_recorded(call))
        tern_recurrent_record_gradient(&l, &incoming, wanted, grads);
    else if (!fused_gradient(&l, &incoming, operands, count, grads) && call->ctx->status == TERN_OK)
        tern_recurrent_compose_gradient(&l, &incoming, wanted, grads);
    if (call->ctx->status != TERN_OK) return tern_none();
    for (int k = 0; k < count; k++)
        if (wanted >> k & 1u) grads[n++] = grads[k];
    return tern_tensors_value(call->ctx, grads, n);
}
