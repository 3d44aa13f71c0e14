/*
 * function.c: functions with a forward and a backward of the program's own.
 *
 * An application is one node. What is saved are its inputs, its outputs, and further inputs of the node
 * without an edge, so that the graph keeps and checks them as it does for operations. The row of the node is
 * made for it, since which inputs are kept is known when forward is done.
 */
#include "tern/function.h"

#include <string.h>

#include "core/autograd/graph.h"
#include "core/ops/compose.h"
#include "tern/describe.h"

#define MAX_SAVED  16
#define MAX_INPUTS 512

/* Where a saved tensor is: an output, or an input of the node. */
typedef struct place {
    bool is_output;
    int index;
} place;

/* What the graph keeps of an application. */
typedef struct record {
    tern_function function;
    void *user;
    int n_inputs, n_saved;
    place saved[MAX_SAVED];
    tern_op op;
    char text[]; /* "\0" id "\0" schema (op.h) */
} record;

/* Behind the handle of a tern_function_call. */
typedef struct call_body {
    tern_ctx *ctx;
    const tern_function *function;
    void *user;
    int n_inputs, n_saved;
    bool needs[MAX_INPUTS];
    tern_tensor *saved[MAX_SAVED]; /* in forward */
    tern_node *node;               /* in backward; NULL in forward */
} call_body;

static call_body *call_of(const tern_function_call *call, const char *function) {
    return tern_handle_object(call, "function call", function);
}

void *tern_graph_alloc(tern_ctx *ctx, size_t bytes) {
    if (!ctx) ctx = tern_no_context();
    return ctx->is_static ? NULL : tern_frame_alloc(tern_graph_frame(ctx), bytes);
}

/* ---- what forward and backward ask ----------------------------------------------------------- */

tern_status tern_function_save(tern_function_call *handle, tern_tensor *tensor) {
    call_body *call = call_of(handle, "tern_function_save");
    if (!call) return tern_handle_status(handle);
    if (!tern_argument_tensor(call->ctx, "tern_function_save", tensor)) return call->ctx->status;
    if (call->node || call->n_saved == MAX_SAVED)
        return tern_fail(call->ctx, TERN_ERR_STATE,
                         "tern_function_save: %s: up to %d tensors can be saved, in forward",
                         call->function->name, MAX_SAVED);
    call->saved[call->n_saved++] = tensor;
    return TERN_OK;
}

tern_tensor *tern_function_saved(tern_function_call *handle, int index) {
    call_body *call = call_of(handle, "tern_function_saved");
    if (!call) return NULL;
    const record *r = call->node ? (record *)(uintptr_t)call->node->args[0].as.i : NULL;
    if (!r || index < 0 || index >= r->n_saved) {
        tern_fail(call->ctx, TERN_ERR_INDEX, "tern_function_saved: %s has no saved tensor %d%s",
                  call->function->name, index, r ? "" : " in forward");
        return call->ctx->nil;
    }
    const place *at = &r->saved[index];
    return at->is_output ? tern_node_output(call->node, at->index)
                         : tern_node_input(call->node, at->index);
}

bool tern_function_needs(const tern_function_call *handle, int index) {
    const call_body *call = call_of(handle, "tern_function_needs");
    return call && index >= 0 && index < call->n_inputs && call->needs[index];
}

void *tern_function_user(const tern_function_call *handle) {
    const call_body *call = call_of(handle, "tern_function_user");
    return call ? call->user : NULL;
}

tern_ctx *tern_function_context(const tern_function_call *handle) {
    const call_body *call = call_of(handle, "tern_function_context");
    return call ? call->ctx : NULL;
}

int tern_function_input_count(const tern_function_call *handle) {
    const call_body *call = call_of(handle, "tern_function_input_count");
    return call ? call->n_inputs : 0;
}

/* ---- backward -------------------------------------------------------------------------------- */

static tern_tensor *zeros_of(tern_ctx *ctx, const tern_meta *meta) {
    tern_shape shape = {meta->rank, {0}};
    for (int d = 0; d < meta->rank; d++) shape.dim[d] = meta->shape[d];
    return tern_to_device(tern_zeros(ctx, shape, meta->dtype), meta->lane->device->name);
}

/* Whether a gradient is the input's, or one that is summed to it. */
static bool has_shape_of(const tern_tensor *grad, const tern_meta *meta) {
    int more = BODY(grad)->rank - meta->rank;
    bool fits = more >= 0;
    for (int d = 0; fits && d < meta->rank; d++)
        fits = meta->shape[d] == 1 || BODY(grad)->shape[more + d] == meta->shape[d];
    return fits;
}

static tern_tensor *checked(const call_body *call, tern_tensor *grad, int k) {
    const tern_meta *meta = &call->node->inputs[k].meta;
    char got[TERN_SHAPE_TEXT], want[TERN_SHAPE_TEXT];
    if (tern_is_nil(grad) || has_shape_of(grad, meta)) return grad;
    tern_fail(call->ctx, TERN_ERR_ARGUMENT,
              "Function %sBackward returned an invalid gradient at index %d - got %s but expected "
              "shape compatible with %s",
              call->function->name, k, tern_shape_text(BODY(grad)->rank, BODY(grad)->shape, got),
              tern_shape_text(meta->rank, meta->shape, want));
    return NULL;
}

static void run_backward(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    const record *r = (record *)(uintptr_t)node->args[0].as.i;
    tern_ctx *ctx = node->ctx;
    call_body call = {.ctx = ctx,
                      .function = &r->function,
                      .user = r->user,
                      .n_inputs = r->n_inputs,
                      .node = node};
    tern_tensor *made[MAX_INPUTS] = {NULL};
    tern_tensor **given = tern_scope_alloc(ctx, (size_t)node->n_outputs * sizeof *given);
    tern_function_call *handle = given ? tern_handle_new(ctx, "function call", &call) : NULL;
    if (!handle) return;
    for (int k = 0; k < r->n_inputs; k++) call.needs[k] = tern_node_needs(node, k);
    for (int k = 0; k < node->n_outputs; k++)
        given[k] = grad_out[k] ? grad_out[k] : zeros_of(ctx, &node->outputs[k].meta);
    if (ctx->status == TERN_OK) r->function.backward(handle, given, made);
    tern_handle_end(handle);
    for (int k = 0; k < r->n_inputs && ctx->status == TERN_OK; k++)
        if (made[k] && call.needs[k]) grads[k] = checked(&call, made[k], k);
}

/* ---- forward --------------------------------------------------------------------------------- */

static int index_of(tern_tensor *const *tensors, int count, const tern_tensor *tensor) {
    for (int i = 0; i < count; i++)
        if (tensors[i] == tensor) return i;
    return -1;
}

/* The record in the frame of the graph; NULL after latching. */
static record *record_new(const call_body *call) {
    const char *name = call->function->name;
    size_t length = strlen(name), size = 2 * length + 16;
    record *r = tern_frame_alloc(tern_graph_frame(call->ctx), sizeof *r + size);
    if (!r) return NULL;
    memcpy(r->text + 1, name, length);
    memcpy(r->text + length + 2, name, length);
    memcpy(r->text + 2 * length + 2, "()", 2);
    r->function = *call->function;
    r->function.name = r->text + 1;
    r->user = call->user;
    r->n_inputs = call->n_inputs;
    r->op =
        (tern_op){.schema = r->text + length + 2, .kind = TERN_OP_COMPOSITE, .grad = run_backward};
    return r;
}

/* Notes where each saved tensor is. What is neither input nor output becomes a further input. */
static int place_saved(record *r, const call_body *call, tern_tensor **inputs,
                       tern_tensor *const *returned, int n_outputs) {
    int count = call->n_inputs;
    r->n_saved = call->n_saved;
    for (int i = 0; i < call->n_saved; i++) {
        int input = index_of(inputs, call->n_inputs, call->saved[i]);
        int output = index_of(returned, n_outputs, call->saved[i]);
        if (input < 0 && output < 0) inputs[input = count++] = tern_detach(call->saved[i]);
        r->saved[i] = (place){input < 0, input < 0 ? output : input};
        r->op.saves |= input < 0 ? TERN_SAVE_OUTPUTS : tern_save_input(input);
    }
    return count;
}

static bool record_call(const call_body *call, tern_tensor *const *given,
                        tern_tensor *const *returned, tern_tensor *const *outputs, int n_outputs) {
    tern_tensor *inputs[MAX_INPUTS + MAX_SAVED];
    record *r = record_new(call);
    if (!r) return false;
    memcpy(inputs, given, (size_t)call->n_inputs * sizeof *inputs);
    int count = place_saved(r, call, inputs, returned, n_outputs);
    const tern_value args[] = {tern_int((int64_t)(uintptr_t)r)};
    return call->ctx->status == TERN_OK &&
           tern_node_record(&r->op, args, 1, inputs, count, outputs, n_outputs);
}

/* Runs forward in the frame that is open, without recording. `returned` is what it gave, `outputs` the same
 * as handles of the frame, each one once and without a history. */
static bool run_forward(call_body *call, tern_tensor *const *inputs, const tern_frame *frame,
                        tern_tensor **returned, tern_tensor **outputs, int n_outputs) {
    tern_ctx *ctx = call->ctx;
    tern_function_call *handle = tern_handle_new(ctx, "function call", call);
    bool recording = ctx->grad_enabled;
    if (!handle) return false;
    ctx->grad_enabled = false;
    call->function->forward(handle, inputs, returned);
    tern_handle_end(handle);
    for (int k = 0; k < n_outputs && ctx->status == TERN_OK; k++) {
        if (!returned[k])
            tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: its forward gave no output %d",
                      call->function->name, k);
        else if (tern_argument_tensor(ctx, call->function->name, returned[k]))
            outputs[k] = BODY(returned[k])->frame != frame || BODY(returned[k])->edge.node ||
                                 index_of(returned, k, returned[k]) >= 0
                             ? tern_detach(returned[k])
                             : returned[k];
    }
    ctx->grad_enabled = recording;
    return ctx->status == TERN_OK;
}

static bool check_inputs(tern_ctx *ctx, const tern_function *function, tern_tensor *const *inputs,
                         int n_inputs) {
    if (!function->name || !function->forward || !function->backward)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "tern_function_apply: a function needs a name, a forward and a backward");
    else if (n_inputs > MAX_INPUTS || function->n_outputs > MAX_INPUTS || function->n_outputs < 0)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: it can have up to %d inputs, and as many outputs",
                  function->name, MAX_INPUTS);
    for (int i = 0; i < n_inputs && ctx->status == TERN_OK; i++)
        tern_argument_tensor(ctx, function->name, inputs[i]);
    return ctx->status == TERN_OK;
}

static void apply(call_body *call, tern_tensor *const *inputs, tern_tensor **out_outputs,
                  int n_outputs) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *returned[MAX_INPUTS] = {NULL}, *outputs[MAX_INPUTS];
    bool recorded = false;
    tern_frame frame;
    tern_frame_open(ctx, &frame);
    for (int i = 0; i < call->n_inputs; i++) {
        call->needs[i] = tern_has_grad_required(inputs[i]);
        recorded = recorded || (ctx->grad_enabled && call->needs[i]);
    }
    if (run_forward(call, inputs, &frame, returned, outputs, n_outputs) &&
        (!recorded || record_call(call, inputs, returned, outputs, n_outputs)))
        for (int k = 0; k < n_outputs; k++) {
            tern_tensor_move(outputs[k], frame.parent->target);
            out_outputs[k] = outputs[k];
        }
    tern_frame_close(&frame);
}

tern_status tern_function_apply_all(const tern_function *function, tern_tensor *const *inputs,
                                    int n_inputs, void *user, tern_tensor **out_outputs) {
    tern_ctx *ctx =
        inputs && n_inputs > 0 && inputs[0] ? tern_context_of(inputs[0]) : tern_no_context();
    int n_outputs = function && function->n_outputs > 0 ? function->n_outputs : 1;
    for (int k = 0; out_outputs && k < n_outputs && n_outputs <= MAX_INPUTS; k++)
        out_outputs[k] = ctx->nil;
    if (ctx->status != TERN_OK) return ctx->status;
    if (!function || !out_outputs || ctx == tern_no_context())
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_function_apply: needs a function, inputs and out_outputs");
    if (!check_inputs(ctx, function, inputs, n_inputs)) return ctx->status;
    call_body call = {.ctx = ctx, .function = function, .user = user, .n_inputs = n_inputs};
    apply(&call, inputs, out_outputs, n_outputs);
    return ctx->status;
}

tern_tensor *tern_function_apply(const tern_function *function, tern_tensor *input, void *user) {
    tern_ctx *ctx = tern_context_of(input);
    tern_tensor *output = ctx->nil;
    if (function && function->n_outputs > 1)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "tern_function_apply: %s has %d outputs: use tern_function_apply_all",
                  function->name ? function->name : "it", function->n_outputs);
    else
        tern_function_apply_all(function, &input, 1, user, &output);
    return output;
}
