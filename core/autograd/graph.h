/*
 * graph.h: nodes of the gradient graph, and what tensors know of them.
 *
 * A node records one call: its operation, its arguments, the edges its gradients flow along and the
 * tensors its gradient formula needs. Nodes live in the frame that was open when they were recorded
 * and are numbered in order of recording, so that a node is always younger than its inputs: taking
 * the youngest first is a topological order.
 *
 * An accumulator is the node of a leaf: it has no operation and adds into the leaf's .grad. It has one
 * output; an edge to it holds, in place of the output's index, the generation that the leaf's value had
 * (tern_update), and a gradient for an earlier one is dropped.
 */
#ifndef TERN_CORE_GRAPH_H
#define TERN_CORE_GRAPH_H

#include "core/tensor/tensor.h"

/* What is known of a tensor without keeping it. The shape lies in the node. */
typedef struct tern_meta {
    tern_dtype dtype;
    int32_t rank;
    tern_lane *lane;
    const int64_t *shape;
} tern_meta;

/* A tensor that a gradient formula needs: its storage and geometry, and the version it had. */
typedef struct tern_saved {
    tern_storage *storage; /* NULL: not saved, or freed */
    uint64_t version;
    int64_t offset;
    const int64_t *strides; /* in the node; NULL where the tensor is contiguous */
    bool checked;           /* an inference tensor has no version */
} tern_saved;

typedef struct tern_node_input {
    tern_edge edge; /* NULL node: no gradient is needed */
    tern_meta meta;
    tern_saved saved;
} tern_node_input_slot;

typedef struct tern_node_output {
    tern_meta meta;
    tern_saved saved;
    tern_tensor *incoming; /* during backward: the gradient so far */
    tern_tensor *retained; /* a tensor with retain_grad, else NULL */
} tern_node_output_slot;

/*
 * A node is one piece of its frame's arena:
 *
 *     node | inputs | outputs | arguments | shapes and strides, as long as they are
 */
struct tern_node {
    tern_ctx *ctx;
    tern_frame *frame;
    tern_node *next_in_frame;
    const tern_op *op; /* NULL for an accumulator */
    uint64_t sequence;
    tern_value *args; /* copies; tensors are none */
    int n_args;
    int n_inputs, n_outputs;
    int queued; /* in the queue of the engine of this depth; 0: in none */
    bool freed; /* its saved tensors were dropped by a backward */
    bool saves; /* some slot holds storage */
    tern_node_input_slot *inputs;
    tern_node_output_slot *outputs;
    tern_tensor *leaf;  /* of an accumulator; NULL once the leaf is gone */
    int32_t generation; /* of the leaf's value */
};

/* Records a call in the open graph: edges from `inputs`, outputs get their edge. False and latched
 * when memory is out. */
TERN_API bool tern_node_record(const tern_op *op, const tern_value *args, int n_args,
                               tern_tensor *const *inputs, int n_inputs,
                               tern_tensor *const *outputs, int n_outputs);

/* A saved input for one launch where nothing is recorded; NULL after latching. */
TERN_API tern_tensor *tern_node_input_face(tern_node *node, int k, tern_face *face);

/* Drops what a node holds: at the end of its frame. */
void tern_node_fini(tern_node *node);

/* Drops the saved tensors after a backward that does not retain the graph. */
void tern_node_free_saved(tern_node *node);

/* Where gradients of a tensor flow to, views brought up to date; {NULL, 0} where it needs none. */
tern_edge tern_edge_of(tern_tensor *tensor);

/* True where a call on this tensor must be recorded (grad mode aside). */
TERN_API bool tern_needs_grad(const tern_tensor *tensor);

/* Ends the tie between a leaf and its accumulator (the leaf moves or dies). */
void tern_accumulator_forget(tern_tensor *tensor);

/* The leaf has another value: graphs made so far no longer lead to it. */
void tern_accumulator_renew(tern_tensor *tensor);

/* Everything of autograd that a handle holds: accumulator, alias, .grad. */
void tern_grad_detach_handle(tern_tensor *tensor);

/* Adds a gradient without history to a leaf's .grad, or makes it the .grad (leaf.c). */
void tern_set_or_add_grad(tern_tensor *leaf, tern_tensor *grad);

/* Makes a value without history, and its storage, the .grad of a leaf that has none (leaf.c). */
TERN_API tern_status tern_grad_take(tern_tensor *leaf, tern_tensor *value);

/* Makes `grad` the handle that a leaf keeps as its .grad and releases itself. */
void tern_grad_adopt(tern_tensor *leaf, tern_tensor *grad);

/* ---- aliases (alias.c) ----------------------------------------------------------------------- */

/* Makes `view` a member of base's alias. False and latched when memory is out. */
bool tern_alias_join(tern_tensor *base, tern_tensor *view);
void tern_alias_leave(tern_tensor *tensor);

/* Brings a view's (or base's) edge up to the alias's generation. */
void tern_alias_refresh(tern_tensor *tensor);

/* Takes retain_grad from the edge of a tensor that is about to get another, and gives it to the edge it
 * has then: what is retained is the gradient of the value now. leave: true where it was retained. */
bool tern_retained_leave(tern_tensor *tensor);
void tern_retained_join(tern_tensor *tensor);

/* Gives `target` the history of `result` after an in-place call: a base takes the edge, a view
 * records the matching scatter on its base. */
void tern_rebase_history(tern_tensor *target, tern_tensor *result);

#endif
