/*
 * backward.c: the engine: gradients flow from the youngest node to the oldest.
 *
 * Nodes are numbered as they are recorded, so a heap on that number is a topological order and the
 * walk needs neither recursion nor a count of consumers. Every temporary lives in scopes of the
 * engine's own: a gradient is given back as soon as its node has used it.
 */
#include <string.h>

#include "core/call/arg.h"
#include "core/call/op.h"
#include "core/call/raw.h"
#include "core/call/recorder.h"
#include "core/context/entered.h"
#include "core/ops/reduce.h"
#include "graph.h"

#define FEW 8 /* inputs or outputs of a node that need no memory of their own */

typedef struct engine {
    tern_ctx *ctx;
    tern_node **heap; /* the youngest first; accumulators (sequence 0) last */
    size_t count, capacity;
    int depth;              /* 1, and one more in an engine that a gradient formula runs */
    const tern_node *outer; /* the node that runs this engine; NULL for most */
    unsigned flags;
    const tern_edge *wanted; /* tern_grad: the edges whose gradients are captured */
    tern_tensor **captured;
    int n_wanted; /* 0: accumulate into leaves */
} engine;

/* ---- the queue ------------------------------------------------------------------------------- */

static bool heap_push(engine *e, tern_node *node) {
    if (e->count == e->capacity) {
        size_t grown = e->capacity ? 2 * e->capacity : 256;
        void *memory = tern_realloc(e->heap, e->count * sizeof *e->heap, grown * sizeof *e->heap);
        if (!memory) {
            tern_fail_memory(e->ctx, grown * sizeof *e->heap);
            return false;
        }
        e->capacity = grown;
        e->heap = memory;
    }
    node->queued = e->depth;
    size_t i = e->count++;
    for (; i > 0 && e->heap[(i - 1) / 2]->sequence < node->sequence; i = (i - 1) / 2)
        e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = node;
    return true;
}

static tern_node *heap_pop(engine *e) {
    tern_node *top = e->heap[0], *last = e->heap[--e->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= e->count) break;
        if (child + 1 < e->count && e->heap[child + 1]->sequence > e->heap[child]->sequence)
            child++;
        if (e->heap[child]->sequence <= last->sequence) break;
        e->heap[i] = e->heap[child];
        i = child;
    }
    if (e->count) e->heap[i] = last;
    top->queued = 0;
    return top;
}

/* ---- gradients on their way ------------------------------------------------------------------ */

/* Fits a gradient to its input: sums broadcast dimensions, converts dtype and device. */
static tern_tensor *fit(tern_tensor *grad, const tern_meta *meta) {
    if (tern_is_nil(grad)) return grad;
    const tern_tensor_body *body = BODY(grad);
    bool same = body->rank == meta->rank;
    for (int d = 0; same && d < meta->rank; d++) same = body->shape[d] == meta->shape[d];
    if (!same) {
        tern_shape shape;
        shape.rank = meta->rank;
        for (int d = 0; d < meta->rank; d++) shape.dim[d] = meta->shape[d];
        grad = tern_sum_gradient(grad, &shape);
    }
    if (!tern_is_nil(grad) && BODY(grad)->dtype != meta->dtype)
        grad = tern_to_dtype(grad, meta->dtype);
    if (!tern_is_nil(grad) && BODY(grad)->lane != meta->lane)
        grad = tern_to_device(grad, meta->lane->device->name);
    return grad;
}

/* Where the gradients of an edge meet; NULL where it leads to a value that the leaf has no more. */
static tern_node_output_slot *slot_of(tern_edge edge) {
    if (edge.node->op) return &edge.node->outputs[edge.output];
    return edge.output == edge.node->generation ? &edge.node->outputs[0] : NULL;
}

/* Leaves what has come for an edge so far in its slot and in `frame`, and queues the node. */
static bool put(engine *e, tern_node *node, tern_node_output_slot *slot, tern_tensor *grad,
                tern_frame *frame) {
    if (tern_is_nil(grad)) return false;
    if (node->queued && node->queued != e->depth) {
        tern_fail(
            e->ctx, TERN_ERR_STATE,
            "backward: inside of another, it reached a leaf of that one: use tern_detach(leaf)");
        return false;
    }
    tern_tensor_move(grad, frame);
    slot->incoming = grad;
    return node->queued || heap_push(e, node);
}

/*
 * Adds a gradient to what has come for an edge so far. What waits at an edge is a handle of its own, so
 * that it can be given back alone: where `shared`, a formula may have handed the tensor to several
 * inputs, or its own gradient on.
 */
static bool deliver(engine *e, tern_edge edge, tern_tensor *grad, bool shared, tern_frame *frame) {
    tern_node_output_slot *slot = slot_of(edge);
    if (!slot) return true;
    tern_tensor *fitted = fit(grad, &slot->meta);
    if (slot->incoming) {
        tern_tensor *sum = tern_add(slot->incoming, fitted);
        if (tern_is_nil(sum)) return false;
        if (!(e->flags & TERN_CREATE_GRAPH)) tern_tensor_release(slot->incoming);
        fitted = sum;
    } else if (shared && fitted == grad && !(e->flags & TERN_CREATE_GRAPH)) {
        fitted = tern_detach(fitted);
    }
    return put(e, edge.node, slot, fitted, frame);
}

/* ---- gradients of parts ---------------------------------------------------------------------- */

static bool same_meta(const tern_meta *a, const tern_meta *b) {
    return a->dtype == b->dtype && a->lane == b->lane && a->rank == b->rank &&
           tern_dims_equal(a->rank, a->shape, b->shape);
}

/*
 * True where the node takes a part of a tensor and the part's gradient may be added in place: a loop
 * over the parts of a tensor (the time steps of a sequence) then costs what the parts do, and not the
 * whole tensor for each. A gradient with a history goes by the formula, and so does a part whose place
 * is in a tensor.
 */
static bool adds_a_part(const engine *e, const tern_node *node) {
    if (node->op->kind != TERN_OP_PART || e->flags & TERN_CREATE_GRAPH || node->n_inputs != 1)
        return false;
    const tern_node_output_slot *slot =
        tern_node_needs(node, 0) ? slot_of(node->inputs[0].edge) : NULL;
    return slot && same_meta(&slot->meta, &node->inputs[0].meta);
}

/* What has come for a slot, as a tensor to write into: zeros, or a copy of what others hold too. */
static tern_tensor *writable(tern_node_output_slot *slot) {
    tern_tensor *incoming = slot->incoming;
    if (incoming && tern_owns_storage(incoming) && !(BODY(incoming)->flags & TERN_T_INFERENCE))
        return incoming;
    const tern_meta *meta = &slot->meta;
    tern_tensor *own = tern_tensor_new(meta->lane, meta->dtype, meta->rank, meta->shape);
    if (incoming) {
        tern_copy_raw(own, incoming);
        tern_tensor_release(incoming);
        slot->incoming = NULL;
    } else {
        tern_fill_raw(own, 0, 0);
    }
    return own;
}

/* Adds a part's gradient to the gradient of the whole, at the part. */
static bool deliver_part(engine *e, tern_node *node, tern_tensor *grad, tern_frame *frame) {
    tern_edge edge = node->inputs[0].edge;
    tern_node_output_slot *slot = slot_of(edge);
    bool first = !slot->incoming;
    tern_tensor *whole = writable(slot);
    if (tern_is_nil(whole)) return false;
    /* The view is of a handle that dies with the open scope: `whole` stays alone with its storage. */
    tern_value args[TERN_MAX_ARGS] = {ARG_TENSOR(tern_detach(whole))};
    for (int i = 1; i < node->n_args; i++) args[i] = node->args[i];
    tern_tensor *part = tern_op_tensor(e->ctx, node->op, args, node->n_args);
    if (first)
        tern_copy_raw(part, grad);
    else
        tern_add_in_place(part, grad);
    return e->ctx->status == TERN_OK && put(e, edge.node, slot, whole, frame);
}

/* ---- what leaves get ------------------------------------------------------------------------- */

/* Puts a gradient into a leaf's .grad, which lives in the leaf's frame. */
static void accumulate(engine *e, tern_tensor *leaf, tern_tensor *grad) {
    tern_ctx *ctx = e->ctx;
    if ((e->flags & TERN_CREATE_GRAPH) && tern_needs_grad(grad)) {
        tern_cannot_replay(ctx, "it keeps a gradient with a history in .grad");
        if (BODY(leaf)->frame->serial < tern_graph_frame(ctx)->serial) {
            tern_fail(ctx, TERN_ERR_STATE,
                      "backward: a gradient with a history cannot be kept in a leaf of an outer "
                      "scope: use tern_grad, whose results live in the open scope");
            return;
        }
        if (BODY(leaf)->flags & TERN_T_GRAD_SET) grad = tern_add(BODY(leaf)->grad, grad);
        if (tern_is_nil(grad)) return;
        grad = tern_op_tensor(NULL, TERN_ROW(alias), (const tern_value[]){ARG_TENSOR(grad)}, 1);
        if (tern_is_nil(grad)) return;
        if (BODY(leaf)->grad) tern_tensor_release(BODY(leaf)->grad);
        tern_grad_adopt(leaf, grad);
        BODY(leaf)->flags |= TERN_T_GRAD_SET;
        return;
    }
    tern_set_or_add_grad(leaf, grad);
}

/* ---- one node -------------------------------------------------------------------------------- */

static void capture(engine *e, tern_node *node, tern_tensor *const *incoming, tern_frame *frame) {
    for (int i = 0; i < e->n_wanted; i++) {
        if (e->wanted[i].node != node) continue;
        tern_tensor *grad = incoming[node->op ? e->wanted[i].output : 0];
        if (!grad) continue;
        /* Two wanted inputs may share an edge: each gets a handle of its own. */
        tern_tensor *own =
            e->flags & TERN_CREATE_GRAPH
                ? tern_op_tensor(NULL, TERN_ROW(alias), (const tern_value[]){ARG_TENSOR(grad)}, 1)
                : tern_detach(grad);
        if (tern_is_nil(own)) return;
        tern_tensor_move(own, frame);
        e->captured[i] = own;
    }
}

static void retain(engine *e, tern_node *node, tern_tensor *const *incoming) {
    for (int k = 0; k < node->n_outputs; k++)
        if (node->outputs[k].retained && incoming[k] && !e->n_wanted)
            accumulate(e, node->outputs[k].retained, incoming[k]);
}

/* True where the k-th gradient is a handle that the formula made for this input alone. */
static bool is_own(tern_tensor *const *grads, int k, const tern_frame *formula) {
    const tern_tensor_body *body = BODY(grads[k]);
    if (body->frame != formula || body->alias || body->edge.node) return false;
    for (int i = 0; i < k; i++)
        if (grads[i] == grads[k]) return false;
    return true;
}

/* Runs a node's gradient formula and delivers what comes out. */
static void run_formula(engine *e, tern_node *node, tern_tensor *const *incoming,
                        tern_frame *engine_frame) {
    tern_ctx *ctx = e->ctx;
    tern_frame formula;
    tern_frame_open(ctx, &formula);
    if (adds_a_part(e, node)) {
        deliver_part(e, node, incoming[0], engine_frame);
        tern_frame_close(&formula);
        return;
    }
    tern_tensor *few[FEW] = {NULL}, **grads = few;
    if (node->n_inputs > FEW) grads = tern_scope_alloc(ctx, (size_t)node->n_inputs * sizeof *grads);
    if (grads) node->op->grad(node, incoming, grads);
    for (int k = 0; grads && k < node->n_inputs && ctx->status == TERN_OK; k++)
        if (grads[k] && tern_node_needs(node, k))
            deliver(e, node->inputs[k].edge, grads[k], !is_own(grads, k, &formula), engine_frame);
    tern_frame_close(&formula);
}

static void run_node(engine *e, tern_node *node, tern_frame *engine_frame, tern_frame *results) {
    e->ctx->running = node;
    tern_tensor *few[FEW], **incoming = few;
    if (node->n_outputs > FEW) {
        incoming = tern_frame_alloc(engine_frame, (size_t)node->n_outputs * sizeof *incoming);
        if (!incoming) return;
    }
    for (int k = 0; k < node->n_outputs; k++) {
        incoming[k] = node->outputs[k].incoming;
        node->outputs[k].incoming = NULL;
    }
    if (node->leaf && BODY(node->leaf)->flags & TERN_T_HOOKED)
        incoming[0] = e->ctx->grad_hook(node->leaf, incoming[0]);
    if (e->n_wanted) capture(e, node, incoming, results);
    if (!node->op) {
        if (node->leaf && !e->n_wanted) accumulate(e, node->leaf, incoming[0]);
    } else {
        retain(e, node, incoming);
        run_formula(e, node, incoming, engine_frame);
        if (!(e->flags & (TERN_RETAIN_GRAPH | TERN_CREATE_GRAPH))) {
            tern_node_free_saved(node);
            node->freed = (node->op->saves & TERN_SAVES) != 0;
        }
    }
    for (int k = 0; k < node->n_outputs; k++)
        if (incoming[k] && BODY(incoming[k])->frame == engine_frame &&
            !(e->flags & TERN_CREATE_GRAPH))
            tern_tensor_release(incoming[k]);
}

/* Forgets what is under way after an error, so that a later backward starts clean. */
static void abandon(engine *e) {
    while (e->count) {
        tern_node *node = heap_pop(e);
        for (int k = 0; k < node->n_outputs; k++) node->outputs[k].incoming = NULL;
    }
}

/* Takes the context's queue; one that runs inside finds none there and makes its own. */
static void begin(engine *e) {
    tern_ctx *ctx = e->ctx;
    e->heap = ctx->backward_heap;
    e->capacity = ctx->backward_capacity;
    e->depth = ++ctx->backward_depth;
    e->outer = ctx->running;
    ctx->backward_heap = NULL;
    ctx->backward_capacity = 0;
}

static void end(engine *e) {
    tern_ctx *ctx = e->ctx;
    if (ctx->status != TERN_OK) abandon(e);
    tern_free(ctx->backward_heap); /* of one inside */
    ctx->backward_heap = e->heap;
    ctx->backward_capacity = e->capacity;
    ctx->backward_depth--;
    ctx->running = e->outer;
}

static void run(engine *e, tern_frame *engine_frame, tern_frame *results) {
    tern_ctx *ctx = e->ctx;
    bool grad_enabled = ctx->grad_enabled, inference = ctx->inference;
    ctx->grad_enabled = (e->flags & TERN_CREATE_GRAPH) != 0;
    ctx->inference = false;
    while (e->count && ctx->status == TERN_OK) run_node(e, heap_pop(e), engine_frame, results);
    ctx->grad_enabled = grad_enabled;
    ctx->inference = inference;
}

/* ---- roots ----------------------------------------------------------------------------------- */

/* Nothing to decide and nothing to record: not worth a call of the operation in every step. */
static tern_tensor *ones_like(const tern_tensor *root) {
    tern_tensor *ones = tern_tensor_like(BODY(root), BODY(root)->dtype);
    tern_fill_raw(ones, 1, 1);
    return ones;
}

static bool seed(engine *e, tern_tensor *root, tern_tensor *gradient, tern_frame *frame) {
    tern_ctx *ctx = e->ctx;
    char want[TERN_SHAPE_TEXT], got[TERN_SHAPE_TEXT];
    tern_edge edge = tern_edge_of(root);
    if (!edge.node) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "element 0 of tensors does not require grad and does not have a grad_fn: nothing "
                  "that it was computed from has tern_requires_grad set, or it was computed in a "
                  "scope without gradients");
        return false;
    }
    if (!gradient && BODY(root)->numel != 1) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "grad can be implicitly created only for scalar outputs, but this one has shape "
                  "%s: reduce it, with tern_mean say, or give its gradient to tern_backward_with",
                  tern_shape_text(BODY(root)->rank, BODY(root)->shape, got));
        return false;
    }
    if (!gradient && tern_is_complex(BODY(root)->dtype)) {
        tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "grad can be implicitly created only for real scalar outputs but got %s: give its "
            "gradient to tern_backward_with, or take tern_abs or tern_real of it",
            tern_dtype_name(BODY(root)->dtype));
        return false;
    }
    if (gradient && !tern_same_shape(root, gradient)) {
        tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "Mismatch in shape: grad_output[0] has a shape of torch.Size(%s) and output[0] has "
            "a shape of torch.Size(%s).",
            tern_shape_text(BODY(gradient)->rank, BODY(gradient)->shape, got),
            tern_shape_text(BODY(root)->rank, BODY(root)->shape, want));
        return false;
    }
    tern_tensor *own = gradient
                           ? e->flags & TERN_CREATE_GRAPH
                                 ? tern_op_tensor(NULL, TERN_ROW(alias),
                                                  (const tern_value[]){ARG_TENSOR(gradient)}, 1)
                                 : tern_detach(gradient)
                           : ones_like(root);
    return !tern_is_nil(own) && deliver(e, edge, own, false, frame);
}

static bool of_context(tern_ctx *ctx, const tern_tensor *tensor) {
    if (BODY(tensor)->ctx == ctx) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "grad: the tensors belong to two contexts");
    return false;
}

/* A tensor that tern_grad can use; false after latching in `ctx`. */
static bool takes(tern_ctx *ctx, const tern_tensor *tensor) {
    if (tern_usable(tensor, "grad")) return of_context(ctx, tensor);
    tern_fail(ctx, TERN_ERR_STATE, "grad: a tensor is NULL, gone or of a context with an error");
    return false;
}

/* The context of the first tensor that is there. */
static tern_ctx *first_context(tern_tensor *const *outputs, int n_outputs,
                               tern_tensor *const *inputs, int n_inputs) {
    for (int i = 0; outputs && i < n_outputs; i++)
        if (outputs[i]) return tern_context_of(outputs[i]);
    for (int i = 0; inputs && i < n_inputs; i++)
        if (inputs[i]) return tern_context_of(inputs[i]);
    return tern_no_context();
}

tern_status tern_backward(tern_tensor *loss) {
    return tern_backward_with(loss, NULL, 0);
}

tern_status tern_backward_with(tern_tensor *tensor, tern_tensor *gradient, unsigned flags) {
    if (!tensor && gradient)
        return tern_fail(tern_context_of(gradient), TERN_ERR_ARGUMENT,
                         "backward: the tensor is NULL");
    if (!tern_usable(tensor, "backward")) return tern_unusable(tensor);
    if (gradient && !tern_usable(gradient, "backward")) return tern_unusable(gradient);
    tern_ctx *ctx = BODY(tensor)->ctx;
    TERN_ENTER(ctx, "backward", return TERN_ERR_STATE);
    if (gradient && !of_context(ctx, gradient)) return ctx->status;
    if (flags & TERN_CREATE_GRAPH) flags |= TERN_RETAIN_GRAPH;
    engine e = {.ctx = ctx, .flags = flags};
    tern_frame frame;
    tern_frame_open(ctx, &frame);
    begin(&e);
    if (ctx->status == TERN_OK && seed(&e, tensor, gradient, &frame)) run(&e, &frame, &frame);
    end(&e);
    tern_frame_close(&frame);
    return ctx->status;
}

static tern_status collect(engine *e, int n_inputs, const tern_edge *wanted,
                           tern_tensor **out_grads) {
    tern_ctx *ctx = e->ctx;
    for (int i = 0; i < n_inputs && ctx->status == TERN_OK; i++) {
        if (out_grads[i] || e->flags & TERN_ALLOW_UNUSED) continue;
        if (!wanted[i].node)
            tern_fail(ctx, TERN_ERR_STATE,
                      "One of the differentiated Tensors does not require grad (input %d)", i);
        else
            tern_fail(
                ctx, TERN_ERR_STATE,
                "One of the differentiated Tensors appears to not have been used in the graph "
                "(input %d). Set TERN_ALLOW_UNUSED if this is the desired behavior.",
                i);
    }
    for (int i = 0; i < n_inputs && ctx->status != TERN_OK; i++) out_grads[i] = ctx->nil;
    return ctx->status;
}

tern_status tern_grad(tern_tensor *const *outputs, int n_outputs, tern_tensor *const *inputs,
                      int n_inputs, tern_tensor *const *grad_outputs, unsigned flags,
                      tern_tensor **out_grads) {
    tern_ctx *ctx = first_context(outputs, n_outputs, inputs, n_inputs);
    TERN_ENTER(ctx, "grad", return TERN_ERR_STATE);
    if (n_outputs < 1 || n_inputs < 1 || !outputs || !inputs || !out_grads)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "grad: needs outputs, inputs and out_grads");
    for (int i = 0; i < n_inputs; i++) out_grads[i] = ctx->nil;
    for (int i = 0; i < n_outputs; i++)
        if (!takes(ctx, outputs[i])) return ctx->status;
    for (int i = 0; i < n_inputs; i++)
        if (!takes(ctx, inputs[i])) return ctx->status;
    for (int i = 0; grad_outputs && i < n_outputs; i++)
        if (grad_outputs[i] && !takes(ctx, grad_outputs[i])) return ctx->status;
    for (int i = 0; i < n_inputs; i++) out_grads[i] = NULL;
    if (flags & TERN_CREATE_GRAPH) flags |= TERN_RETAIN_GRAPH;
    tern_frame *results = ctx->is_static ? NULL : ctx->top->target;
    tern_scope scope = tern_scope_inner(ctx);
    tern_edge *wanted = tern_scope_alloc(ctx, (size_t)n_inputs * sizeof *wanted);
    engine e = {
        .ctx = ctx, .flags = flags, .wanted = wanted, .captured = out_grads, .n_wanted = n_inputs};
    begin(&e);
    for (int i = 0; wanted && i < n_inputs && ctx->status == TERN_OK; i++)
        wanted[i] = tern_edge_of(inputs[i]);
    bool seeded = wanted && ctx->status == TERN_OK;
    for (int i = 0; seeded && i < n_outputs; i++)
        seeded = seed(&e, outputs[i], grad_outputs ? grad_outputs[i] : NULL, ctx->top);
    if (seeded) run(&e, ctx->top, results);
    end(&e);
    tern_status status = collect(&e, n_inputs, wanted, out_grads);
    tern_scope_end(scope);
    return status;
}
