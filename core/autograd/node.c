/* node.c: recording calls, and what gradients may ask of a node. */
#include <stdio.h>
#include <string.h>

#include "core/call/op.h"
#include "graph.h"

/* ---- recording ------------------------------------------------------------------------------- */

static tern_meta meta_of(const tern_tensor *tensor) {
    tern_meta meta = {BODY(tensor)->dtype, BODY(tensor)->lane, tern_shape_of(tensor)};
    return meta;
}

static bool save(tern_frame *frame, const tern_tensor *tensor, tern_saved *out_saved) {
    out_saved->strides =
        tern_frame_alloc(frame, (size_t)(BODY(tensor)->rank + 1) * sizeof(int64_t));
    if (!out_saved->strides) return false;
    memcpy(out_saved->strides, BODY(tensor)->strides, (size_t)BODY(tensor)->rank * sizeof(int64_t));
    out_saved->offset = BODY(tensor)->offset;
    out_saved->checked = !(BODY(tensor)->flags & TERN_T_INFERENCE);
    out_saved->version = BODY(tensor)->storage->version;
    out_saved->storage = BODY(tensor)->storage;
    tern_storage_retain(BODY(tensor)->storage);
    return true;
}

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

static tern_node *node_new(tern_ctx *ctx, tern_frame *frame, int n_args, int n_inputs,
                           int n_outputs) {
    tern_node *node = tern_frame_alloc(frame, sizeof *node);
    if (!node) return NULL;
    node->args = tern_frame_alloc(frame, (size_t)(n_args + 1) * sizeof *node->args);
    node->inputs = tern_frame_alloc(frame, (size_t)(n_inputs + 1) * sizeof *node->inputs);
    node->outputs = tern_frame_alloc(frame, (size_t)(n_outputs + 1) * sizeof *node->outputs);
    if (!node->args || !node->inputs || !node->outputs) return NULL;
    node->ctx = ctx;
    node->frame = frame;
    node->n_args = n_args;
    node->n_inputs = n_inputs;
    node->n_outputs = n_outputs;
    node->sequence = ++ctx->next_sequence;
    node->next_in_frame = frame->nodes;
    frame->nodes = node;
    return node;
}

static bool may_save(const tern_op *op, tern_tensor *const *tensors, int count, uint32_t which) {
    for (int k = 0; k < count; k++) {
        bool kept = which & TERN_SAVE_OUTPUTS || (op->saves & TERN_SAVE_INPUT(k < 29 ? k : 29));
        if (!kept || !(BODY(tensors[k])->flags & TERN_T_INFERENCE)) continue;
        tern_fail(BODY(tensors[k])->ctx, TERN_ERR_STATE,
                  "Inference tensors cannot be saved for backward. To work around you can make a "
                  "clone to get a normal tensor and use it in autograd.");
        return false;
    }
    return true;
}

bool tern_node_record(const tern_op *op, const tern_value *args, int n_args,
                      tern_tensor *const *inputs, int n_inputs, tern_tensor *const *outputs,
                      int n_outputs) {
    tern_ctx *ctx = BODY(outputs[0])->ctx;
    tern_frame *frame = tern_graph_frame(ctx);
    if (!may_save(op, inputs, n_inputs, 0)) return false;
    tern_edge edges[TERN_SCHEMA_MAX_ARGS];
    tern_edge *all = n_inputs <= TERN_SCHEMA_MAX_ARGS
                         ? edges
                         : tern_frame_alloc(frame, (size_t)n_inputs * sizeof *all);
    if (!all) return false;
    /* Edges first: a leaf's accumulator must be older than the node. */
    for (int k = 0; k < n_inputs; k++) all[k] = tern_edge_of(inputs[k]);
    tern_node *node = node_new(ctx, frame, n_args, n_inputs, n_outputs);
    if (!node) return false;
    node->op = op;
    for (int i = 0; i < n_args; i++) node->args[i] = copy_arg(frame, args[i]);
    for (int k = 0; k < n_inputs; k++) {
        node->inputs[k].edge = all[k];
        node->inputs[k].meta = meta_of(inputs[k]);
        if (op->saves & TERN_SAVE_INPUT(k < 29 ? k : 29) &&
            !save(frame, inputs[k], &node->inputs[k].saved))
            return false;
    }
    for (int k = 0; k < n_outputs; k++) {
        node->outputs[k].meta = meta_of(outputs[k]);
        if (op->saves & TERN_SAVE_OUTPUTS && !save(frame, outputs[k], &node->outputs[k].saved))
            return false;
        if (!tern_dtype_is_floating(BODY(outputs[k])->dtype)) continue;
        BODY(outputs[k])->edge.node = node;
        BODY(outputs[k])->edge.output = k;
        tern_alias *alias = BODY(outputs[k])->alias;
        if (!alias) continue;
        BODY(outputs[k])->generation = alias->generation;
        /* An implementation that took views of its own result: its base is the one recorded. */
        if (!(BODY(outputs[k])->flags & TERN_T_VIEW))
            BODY(alias->base)->edge = BODY(outputs[k])->edge;
    }
    return ctx->status == TERN_OK;
}

void tern_node_free_saved(tern_node *node) {
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
    tern_node *node = node_new(BODY(leaf)->ctx, frame, 0, 0, 1);
    if (!node) return NULL;
    node->outputs[0].meta = meta_of(leaf);
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
    tern_edge edge = {accumulator_of(tensor), 0};
    return edge;
}

bool tern_needs_grad(const tern_tensor *tensor) {
    if (BODY(tensor)->flags & TERN_T_REQUIRES_GRAD || BODY(tensor)->edge.node) return true;
    const tern_alias *alias = BODY(tensor)->alias;
    return alias && alias->generation != BODY(tensor)->generation && BODY(alias->base)->edge.node;
}

void tern_accumulator_forget(tern_tensor *tensor) {
    if (BODY(tensor)->accumulator) BODY(tensor)->accumulator->leaf = NULL;
    BODY(tensor)->accumulator = NULL;
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
    for (const char *c = op->id; *c && length < TERN_GRAD_NAME_TEXT - sizeof suffix; c++) {
        if (*c != '_') {
            bool raise = begins && *c >= 'a' && *c <= 'z';
            out_text[length++] = (char)(raise ? *c - 'a' + 'A' : *c);
        }
        begins = *c == '_';
    }
    memcpy(out_text + length, suffix, sizeof suffix);
    return out_text;
}

static tern_tensor *stale(tern_node *node, const tern_meta *meta, const tern_saved *saved,
                          const char *which, int k) {
    char shape[TERN_SHAPE_TEXT], name[TERN_GRAD_NAME_TEXT];
    tern_fail(
        node->ctx, TERN_ERR_STATE,
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [torch.%sTensor %s], which is %s %d of %s, is at version %llu; expected "
        "version %llu instead. Hint: clone the tensor before the in-place operation.",
        tern_dtype_class(meta->dtype), tern_shape_text(meta->shape.rank, meta->shape.dim, shape),
        which, k, tern_op_grad_name(node->op, name), (unsigned long long)saved->storage->version,
        (unsigned long long)saved->version);
    return node->ctx->nil;
}

static tern_tensor *unpack(tern_node *node, const tern_meta *meta, const tern_saved *saved,
                           tern_edge edge, const char *which, int k) {
    if (!saved->storage) {
        tern_fail(node->ctx, TERN_ERR_STATE,
                  "Trying to backward through the graph a second time (or directly access saved "
                  "tensors after they have already been freed). Saved intermediate values of the "
                  "graph are freed when you call .backward() or autograd.grad(). Specify "
                  "TERN_RETAIN_GRAPH if you need to backward through the graph a second time.");
        return node->ctx->nil;
    }
    if (saved->checked && saved->version != saved->storage->version)
        return stale(node, meta, saved, which, k);
    tern_tensor *tensor =
        tern_tensor_over(meta->lane, saved->storage, meta->dtype, meta->shape.rank, meta->shape.dim,
                         saved->strides, saved->offset);
    if (tern_is_nil(tensor) || !edge.node) return tensor;
    BODY(tensor)->edge = edge; /* of a leaf too: the edge to its accumulator serves as a history */
    return tensor;
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
    return node->inputs[k].meta.shape;
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
