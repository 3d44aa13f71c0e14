/* node.c: recording calls, and what gradients may ask of a node. */
#include <stdio.h>
#include <string.h>

#include "core/call/op.h"
#include "graph.h"

/* ---- recording ------------------------------------------------------------------------------- */

/* Copies an argument into the frame; tensors are kept as inputs, not as arguments. */
static tern_value copy_arg(tern_frame *frame, tern_value value) {
    if (value.kind == TERN_VALUE_INTS) {
        int64_t *ints = tern_frame_alloc(frame, (value.length + 1u) * sizeof *ints);
        if (!ints) return tern_none();
        if (value.length) memcpy(ints, value.as.ints, value.length * sizeof *ints);
        return tern_ints(ints, value.length);
    }
    if (value.kind == TERN_VALUE_STRING) {
        char *text = tern_frame_alloc(frame, value.length + 1u);
        if (!text) return tern_none();
        memcpy(text, value.as.s, value.length);
        value.as.s = text;
        return value;
    }
    if (value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE) {
        size_t count = tern_value_count(value);
        int64_t *ints = tern_frame_alloc(frame, (count + 1) * sizeof *ints);
        if (!ints || (count && tern_value_at(value, 0).kind == TERN_VALUE_TENSOR))
            return tern_none();
        for (size_t i = 0; i < count; i++) ints[i] = tern_value_as_int(tern_value_at(value, i));
        return tern_ints(ints, count);
    }
    return value.kind == TERN_VALUE_TENSOR || value.kind == TERN_VALUE_DICT ? tern_none() : value;
}

/* Room for a node's numbers, given out from the front. */
typedef struct pool {
    int64_t *next;
} pool;

static const int64_t *put(pool *p, int rank, const int64_t *numbers) {
    int64_t *at = p->next;
    for (int d = 0; d < rank; d++) at[d] = numbers[d];
    p->next += rank;
    return at;
}

/* `before` is what was described last: equal shapes, which are common, lie there once. */
static void describe(pool *p, const tern_tensor_body *body, const tern_meta *before,
                     tern_meta *out) {
    out->dtype = body->dtype;
    out->rank = body->rank;
    out->lane = body->lane;
    bool same = before && before->rank == body->rank;
    for (int d = 0; same && d < body->rank; d++) same = before->shape[d] == body->shape[d];
    out->shape = same ? before->shape : put(p, body->rank, body->shape);
}

static void save(pool *p, tern_node *node, const tern_tensor_body *body, tern_saved *out) {
    out->strides = body->flags & TERN_T_CONTIGUOUS ? NULL : put(p, body->rank, body->strides);
    out->offset = body->offset;
    out->checked = !(body->flags & TERN_T_INFERENCE);
    out->version = body->storage->version;
    out->storage = body->storage;
    tern_storage_retain(body->storage);
    node->saves = true;
}

/* A node with room for `numbers` integers; slots are open but for what is not saved or incoming. */
static tern_node *node_new(tern_frame *frame, int n_args, int n_inputs, int n_outputs,
                           size_t numbers, pool *out_pool) {
    size_t at_inputs = sizeof(tern_node);
    size_t at_outputs = at_inputs + (size_t)n_inputs * sizeof(tern_node_input_slot);
    size_t at_args = at_outputs + (size_t)n_outputs * sizeof(tern_node_output_slot);
    size_t at_numbers = at_args + (size_t)n_args * sizeof(tern_value);
    char *memory = tern_frame_take(frame, at_numbers + numbers * sizeof(int64_t));
    if (!memory) return NULL;
    tern_node *node = (tern_node *)(void *)memory;
    *node = (tern_node){.ctx = frame->ctx,
                        .frame = frame,
                        .next_in_frame = frame->nodes,
                        .sequence = ++frame->ctx->next_sequence,
                        .args = (tern_value *)(void *)(memory + at_args),
                        .n_args = n_args,
                        .n_inputs = n_inputs,
                        .n_outputs = n_outputs,
                        .inputs = (tern_node_input_slot *)(void *)(memory + at_inputs),
                        .outputs = (tern_node_output_slot *)(void *)(memory + at_outputs)};
    for (int k = 0; k < n_inputs; k++) node->inputs[k].saved.storage = NULL;
    for (int k = 0; k < n_outputs; k++) {
        node->outputs[k].saved.storage = NULL;
        node->outputs[k].incoming = node->outputs[k].retained = NULL;
    }
    out_pool->next = (int64_t *)(void *)(memory + at_numbers);
    frame->nodes = node;
    return node;
}

static bool may_save(const tern_op *op, tern_tensor *const *tensors, int count) {
    for (int k = 0; k < count; k++) {
        bool kept = op->saves & tern_save_input(k);
        if (!kept || !(BODY(tensors[k])->flags & TERN_T_INFERENCE)) continue;
        tern_fail(BODY(tensors[k])->ctx, TERN_ERR_STATE,
                  "Inference tensors cannot be saved for backward. To work around you can make a "
                  "clone to get a normal tensor and use it in autograd.");
        return false;
    }
    return true;
}

static bool saves_input(const tern_op *op, int k) {
    return op->saves & tern_save_input(k);
}

static bool saves_output(const tern_op *op, int k) {
    return op->saves & (k > 0 ? TERN_SAVE_OUTPUTS | TERN_SAVE_BESIDES : TERN_SAVE_OUTPUTS);
}

/* The most integers that a node over these tensors holds. */
static size_t count_numbers(tern_tensor *const *inputs, int n_inputs, tern_tensor *const *outputs,
                            int n_outputs) {
    size_t numbers = 0;
    for (int k = 0; k < n_inputs; k++) numbers += 2 * (size_t)BODY(inputs[k])->rank;
    for (int k = 0; k < n_outputs; k++) numbers += 2 * (size_t)BODY(outputs[k])->rank;
    return numbers;
}

static void point_to(tern_node *node, int k, tern_tensor_body *output) {
    if (!tern_is_continuous(output->dtype)) return;
    output->edge.node = node;
    output->edge.output = k;
    tern_aliases *alias = output->alias;
    if (!alias) return;
    output->generation = alias->generation;
    /* An implementation that took views of its own result: its base is the one recorded. */
    if (!(output->flags & TERN_T_VIEW)) BODY(alias->base)->edge = output->edge;
}

static bool fill_node(tern_node *node, const tern_value *args, tern_tensor *const *inputs,
                      tern_tensor *const *outputs, const tern_edge *edges, pool *p) {
    const tern_op *op = node->op;
    const tern_meta *before = NULL;
    for (int i = 0; i < node->n_args; i++)
        node->args[i] =
            args[i].kind == TERN_VALUE_TENSOR ? tern_none() : copy_arg(node->frame, args[i]);
    for (int k = 0; k < node->n_inputs; k++) {
        tern_node_input_slot *slot = &node->inputs[k];
        slot->edge = edges[k];
        describe(p, BODY(inputs[k]), before, &slot->meta);
        before = &slot->meta;
        if (saves_input(op, k)) save(p, node, BODY(inputs[k]), &slot->saved);
    }
    for (int k = 0; k < node->n_outputs; k++) {
        tern_node_output_slot *slot = &node->outputs[k];
        describe(p, BODY(outputs[k]), before, &slot->meta);
        before = &slot->meta;
        if (saves_output(op, k)) save(p, node, BODY(outputs[k]), &slot->saved);
        point_to(node, k, BODY(outputs[k]));
    }
    return node->ctx->status == TERN_OK;
}

bool tern_node_record(const tern_op *op, const tern_value *args, int n_args,
                      tern_tensor *const *inputs, int n_inputs, tern_tensor *const *outputs,
                      int n_outputs) {
    tern_frame *frame = tern_graph_frame(BODY(outputs[0])->ctx);
    if (op->saves & TERN_SAVES && !may_save(op, inputs, n_inputs)) return false;
    tern_edge few[TERN_SCHEMA_MAX_ARGS], *edges = few;
    if (n_inputs > TERN_SCHEMA_MAX_ARGS) {
        edges = tern_frame_take(frame, (size_t)n_inputs * sizeof *edges);
        if (!edges) return false;
    }
    /* Edges first: a leaf's accumulator must be older than the node. */
    for (int k = 0; k < n_inputs; k++) edges[k] = tern_edge_of(inputs[k]);
    pool p;
    tern_node *node = node_new(frame, n_args, n_inputs, n_outputs,
                               count_numbers(inputs, n_inputs, outputs, n_outputs), &p);
    if (!node) return false;
    node->op = op;
    return fill_node(node, args, inputs, outputs, edges, &p);
}

void tern_node_free_saved(tern_node *node) {
    if (!node->saves) return;
    node->saves = false;
    for (int k = 0; k < node->n_inputs; k++) {
        tern_storage_release(node->inputs[k].saved.storage);
        node->inputs[k].saved.storage = NULL;
    }
    for (int k = 0; k < node->n_outputs; k++) {
        tern_storage_release(node->outputs[k].saved.storage);
        node->outputs[k].saved.storage = NULL;
    }
}

void tern_node_fini(tern_node *node) {
    if (node->leaf) BODY(node->leaf)->accumulator = NULL;
    node->leaf = NULL;
    if (node->op) tern_node_free_saved(node);
    for (int k = 0; k < node->n_outputs; k++) {
        tern_tensor *retained = node->outputs[k].retained;
        if (retained && BODY(retained)->edge.node == node) BODY(retained)->edge.node = NULL;
        node->outputs[k].retained = NULL;
    }
}

/* ---- leaves and edges ------------------------------------------------------------------------ */

static tern_node *accumulator_of(tern_tensor *leaf) {
    if (BODY(leaf)->accumulator) return BODY(leaf)->accumulator;
    /* It lives as long as both the leaf and the graphs that point to it can. */
    tern_frame *graph = tern_graph_frame(BODY(leaf)->ctx);
    tern_frame *frame = BODY(leaf)->frame->serial < graph->serial ? BODY(leaf)->frame : graph;
    pool p;
    tern_node *node = node_new(frame, 0, 0, 1, (size_t)BODY(leaf)->rank, &p);
    if (!node) return NULL;
    describe(&p, BODY(leaf), NULL, &node->outputs[0].meta);
    node->sequence = 0; /* all accumulators come last */
    node->leaf = leaf;
    BODY(leaf)->accumulator = node;
    return node;
}

tern_edge tern_edge_of(tern_tensor *tensor) {
    tern_edge none = {NULL, 0};
    if (BODY(tensor)->alias) tern_alias_refresh(tensor);
    if (BODY(tensor)->edge.node) return BODY(tensor)->edge;
    if (!(BODY(tensor)->flags & TERN_T_REQUIRES_GRAD)) return none;
    tern_node *accumulator = accumulator_of(tensor);
    tern_edge edge = {accumulator, accumulator ? accumulator->generation : 0};
    return edge;
}

bool tern_needs_grad(const tern_tensor *tensor) {
    if (BODY(tensor)->flags & TERN_T_REQUIRES_GRAD || BODY(tensor)->edge.node) return true;
    const tern_aliases *alias = BODY(tensor)->alias;
    return alias && alias->generation != BODY(tensor)->generation && BODY(alias->base)->edge.node;
}

void tern_accumulator_forget(tern_tensor *tensor) {
    if (BODY(tensor)->accumulator) BODY(tensor)->accumulator->leaf = NULL;
    BODY(tensor)->accumulator = NULL;
}

void tern_accumulator_renew(tern_tensor *tensor) {
    tern_node *node = BODY(tensor)->accumulator;
    if (!node) return;
    if (node->outputs[0].meta.rank != BODY(tensor)->rank) { /* its room is as long as its shape */
        tern_accumulator_forget(tensor);
        return;
    }
    node->generation = (int32_t)((uint32_t)node->generation + 1);
    pool p = {(int64_t *)(void *)(node->args + node->n_args)};
    describe(&p, BODY(tensor), NULL, &node->outputs[0].meta);
}

void tern_grad_detach_handle(tern_tensor *tensor) {
    tern_accumulator_forget(tensor);
    if (BODY(tensor)->flags & TERN_T_RETAIN_GRAD && BODY(tensor)->edge.node)
        BODY(tensor)->edge.node->outputs[BODY(tensor)->edge.output].retained = NULL;
    BODY(tensor)->edge.node = NULL;
    if (BODY(tensor)->alias) tern_alias_leave(tensor);
    if (BODY(tensor)->grad) tern_tensor_release(BODY(tensor)->grad);
    BODY(tensor)->grad = NULL;
}

/* ---- what gradients ask ---------------------------------------------------------------------- */

bool tern_node_needs(const tern_node *node, int k) {
    return k < node->n_inputs && node->inputs[k].edge.node != NULL;
}

const char *tern_op_grad_name(const tern_op *op, char *out_text) {
    static const char suffix[] = "Backward0";
    size_t length = 0;
    bool begins = true; /* a word, which is written with a capital */
    for (const char *c = tern_op_id(op); *c && length < TERN_GRAD_NAME_TEXT - sizeof suffix; c++) {
        if (*c != '_') {
            bool raise = begins && *c >= 'a' && *c <= 'z';
            out_text[length++] = (char)(raise ? *c - 'a' + 'A' : *c);
        }
        begins = *c == '_';
    }
    memcpy(out_text + length, suffix, sizeof suffix);
    return out_text;
}

static void stale(tern_node *node, const tern_meta *meta, const tern_saved *saved,
                  const char *which, int k) {
    char shape[TERN_SHAPE_TEXT], name[TERN_GRAD_NAME_TEXT];
    tern_fail(
        node->ctx, TERN_ERR_STATE,
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [torch.%sTensor %s], which is %s %d of %s, is at version %llu; expected "
        "version %llu instead. Hint: clone the tensor before the in-place operation.",
        tern_dtype_class(meta->dtype), tern_shape_text(meta->rank, meta->shape, shape), which, k,
        tern_op_grad_name(node->op, name), (unsigned long long)saved->storage->version,
        (unsigned long long)saved->version);
}

/* Whether what was saved is still there and what it was; latches. */
static bool is_there(tern_node *node, const tern_meta *meta, const tern_saved *saved,
                     const char *which, int k) {
    if (!saved->storage) {
        tern_fail(node->ctx, TERN_ERR_STATE,
                  "Trying to backward through the graph a second time (or directly access saved "
                  "tensors after they have already been freed). Saved intermediate values of the "
                  "graph are freed when you call .backward() or autograd.grad(). Specify "
                  "TERN_RETAIN_GRAPH if you need to backward through the graph a second time.");
        return false;
    }
    if (!saved->checked || saved->version == saved->storage->version) return true;
    stale(node, meta, saved, which, k);
    return false;
}

/* The strides of what was saved; `room` is where those of a contiguous tensor go. */
static const int64_t *strides_of(const tern_meta *meta, const tern_saved *saved, int64_t *room) {
    int64_t step = 1;
    if (saved->strides) return saved->strides;
    for (int d = meta->rank; d-- > 0;) {
        room[d] = step;
        step *= meta->shape[d] > 1 ? meta->shape[d] : 1;
    }
    return room;
}

static tern_tensor *unpack(tern_node *node, const tern_meta *meta, const tern_saved *saved,
                           tern_edge edge, const char *which, int k) {
    int64_t room[TERN_MAX_RANK];
    if (!is_there(node, meta, saved, which, k)) return node->ctx->nil;
    tern_tensor *tensor =
        tern_tensor_over(meta->lane, saved->storage, meta->dtype, meta->rank, meta->shape,
                         strides_of(meta, saved, room), saved->offset);
    if (tern_is_nil(tensor) || !edge.node) return tensor;
    BODY(tensor)->edge = edge; /* of a leaf too: the edge to its accumulator serves as a history */
    return tensor;
}

tern_tensor *tern_node_input_face(tern_node *node, int k, tern_face *face) {
    const tern_meta *meta = &node->inputs[k].meta;
    const tern_saved *saved = &node->inputs[k].saved;
    int64_t room[TERN_MAX_RANK];
    if (!is_there(node, meta, saved, "input", k)) return NULL;
    face->body.ctx = node->ctx;
    face->body.frame = NULL;
    face->body.storage = saved->storage;
    face->body.lane = meta->lane;
    face->body.offset = saved->offset;
    face->body.dtype = meta->dtype;
    face->body.flags = 0;
    return tern_face_set(face, meta->rank, meta->shape, strides_of(meta, saved, room));
}

tern_tensor *tern_node_input(tern_node *node, int k) {
    tern_node_input_slot *slot = &node->inputs[k];
    return unpack(node, &slot->meta, &slot->saved, slot->edge, "input", k);
}

tern_tensor *tern_node_output(tern_node *node, int k) {
    tern_node_output_slot *slot = &node->outputs[k];
    tern_edge edge = {node, k};
    return unpack(node, &slot->meta, &slot->saved, edge, "output", k);
}

tern_shape tern_node_input_shape(const tern_node *node, int k) {
    const tern_meta *meta = &node->inputs[k].meta;
    tern_shape shape;
    tern_shape_begin(&shape, meta->rank);
    for (int d = 0; d < meta->rank; d++) shape.dim[d] = meta->shape[d];
    return shape;
}
tern_dtype tern_node_input_dtype(const tern_node *node, int k) {
    return node->inputs[k].meta.dtype;
}
tern_ctx *tern_node_ctx(const tern_node *node) {
    return node->ctx;
}
int tern_node_n_inputs(const tern_node *node) {
    return node->n_inputs;
}
tern_value tern_node_arg(const tern_node *node, int i) {
    return i < node->n_args ? node->args[i] : tern_none();
}
