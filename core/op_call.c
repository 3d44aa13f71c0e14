/*
 * op_call.c: what all operations share.
 *
 * A call checks that its tensors are alive and belong together, runs the implementation with
 * recording off (a THROUGH operation records its parts instead), and records one node when
 * gradients are wanted. An in-place call runs the same implementation and puts the result into its
 * first tensor.
 */
#include "op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "autograd/graph.h"

#define MAX_TENSORS 64 /* larger lists go to the frame's arena */

/* The tensor arguments of a call, lists flattened. */
typedef struct operands {
    tern_tensor *few[MAX_TENSORS];
    tern_tensor **all;
    int count;
} operands;

static int count_tensors(const tern_value *args, int n_args) {
    int count = 0;
    for (int i = 0; i < n_args; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR) count++;
        if (args[i].kind != TERN_VALUE_LIST && args[i].kind != TERN_VALUE_TUPLE) continue;
        for (size_t k = 0; k < tern_value_count(args[i]); k++)
            count += tern_value_at(args[i], k).kind == TERN_VALUE_TENSOR;
    }
    return count;
}

static bool collect(tern_ctx *ctx, const tern_value *args, int n_args, operands *out) {
    int total = count_tensors(args, n_args);
    out->count = 0;
    out->all = out->few;
    if (total > MAX_TENSORS) {
        out->all = tern_scope_alloc(ctx, (size_t)total * sizeof *out->all);
        if (!out->all) return false;
    }
    for (int i = 0; i < n_args; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR) out->all[out->count++] = args[i].as.tensor;
        if (args[i].kind != TERN_VALUE_LIST && args[i].kind != TERN_VALUE_TUPLE) continue;
        for (size_t k = 0; k < tern_value_count(args[i]); k++) {
            tern_value item = tern_value_at(args[i], k);
            if (item.kind == TERN_VALUE_TENSOR) out->all[out->count++] = item.as.tensor;
        }
    }
    return true;
}

static tern_ctx *first_context(const tern_value *args, int n_args) {
    for (int i = 0; i < n_args; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR) return args[i].as.tensor->ctx;
        if (args[i].kind != TERN_VALUE_LIST && args[i].kind != TERN_VALUE_TUPLE) continue;
        for (size_t k = 0; k < tern_value_count(args[i]); k++) {
            tern_value item = tern_value_at(args[i], k);
            if (item.kind == TERN_VALUE_TENSOR) return item.as.tensor->ctx;
        }
    }
    return NULL;
}

const char *tern_op_name(const tern_op *op, char *out_text) {
    size_t length = strcspn(op->schema, "(:");
    if (length > 63) length = 63;
    memcpy(out_text, op->schema, length);
    out_text[length] = '\0';
    return out_text;
}

tern_value tern_call_fail(const tern_opcall *call, tern_status status, const char *format, ...) {
    char name[64], message[800];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    tern_fail(call->ctx, status, "%s: %s", tern_op_name(call->op, name), message);
    return tern_none();
}

/* All tensors alive, of one context and on one device (0-dim CPU tensors may join any). */
static bool check(tern_opcall *call, const operands *tensors) {
    tern_ctx *ctx = call->ctx;
    char name[64];
    for (int k = 0; k < tensors->count; k++) {
        tern_tensor *t = tensors->all[k];
        if (tern_is_nil(t)) {
            tern_fail(ctx, TERN_ERR_STATE,
                      "%s: tensor argument %d is nil or was dropped: check the call that made it",
                      tern_op_name(call->op, name), k);
            return false;
        }
        if (t->ctx != ctx) {
            tern_fail(ctx, TERN_ERR_ARGUMENT,
                      "%s: tensors of two contexts: one context belongs to one thread; "
                      "copy the values, or map one file of weights in both",
                      tern_op_name(call->op, name));
            return false;
        }
        if (!call->lane) call->lane = t->lane;
        if (t->lane != call->lane && call->op->impl != tern_op_copy) {
            tern_fail(ctx, TERN_ERR_ARGUMENT,
                      "%s: expected all tensors to be on the same device, but found at least two "
                      "devices, %s and %s: tern_to_device moves one",
                      tern_op_name(call->op, name), call->lane->device->name,
                      t->lane->device->name);
            return false;
        }
    }
    if (!call->lane) call->lane = ctx->n_lanes ? ctx->lanes[0] : NULL;
    return call->lane != NULL;
}

static bool wants_recording(const tern_opcall *call, const operands *tensors) {
    if (!call->ctx->grad_enabled || !call->op->grad) return false;
    for (int k = 0; k < tensors->count; k++)
        if (tern_needs_grad(tensors->all[k])) return true;
    return false;
}

/* The implementation of one that records nothing inside, with the mode restored after it. */
static tern_value run_silently(tern_opcall *call) {
    tern_ctx *ctx = call->ctx;
    bool grad_enabled = ctx->grad_enabled;
    ctx->grad_enabled = false;
    tern_value result;
    if (call->op->kind == TERN_OP_COMPOSITE || call->op->kind == TERN_OP_HOST) {
        tern_scope scope = tern_scope_inner(ctx);
        result = tern_scope_return_value(scope, call->op->impl(call));
    } else {
        result = call->op->impl(call);
    }
    ctx->grad_enabled = grad_enabled;
    return ctx->status == TERN_OK ? result : tern_none();
}

static tern_value run(tern_opcall *call) {
    if (call->op->kind != TERN_OP_THROUGH) return run_silently(call);
    tern_scope scope = tern_scope_inner(call->ctx);
    tern_value result = tern_scope_return_value(scope, call->op->impl(call));
    return call->ctx->status == TERN_OK ? result : tern_none();
}

static void record(const tern_opcall *call, const operands *inputs, tern_value result) {
    operands outputs;
    if (!collect(call->ctx, &result, 1, &outputs) || outputs.count == 0) return;
    bool floating = false;
    for (int k = 0; k < outputs.count; k++)
        floating = floating || tern_dtype_is_floating(outputs.all[k]->dtype);
    if (!floating) return;
    tern_node_record(call->op, call->args, call->n_args, inputs->all, inputs->count, outputs.all,
                     outputs.count);
}

tern_value tern_op_call(tern_ctx *ctx, const tern_op *op, const tern_value *args, int n_args) {
    if (!ctx) ctx = first_context(args, n_args);
    if (!ctx || ctx->status != TERN_OK) return tern_none();
    tern_opcall call = {ctx, op, NULL, args, n_args, NULL};
    operands tensors;
    if (!collect(ctx, args, n_args, &tensors) || !check(&call, &tensors)) return tern_none();
    bool recording = wants_recording(&call, &tensors);
    tern_value result = run(&call);
    if (recording && ctx->status == TERN_OK) record(&call, &tensors, result);
    return ctx->status == TERN_OK ? result : tern_none();
}

tern_tensor *tern_op_tensor(tern_ctx *ctx, const tern_op *op, const tern_value *args, int n_args) {
    if (!ctx) ctx = first_context(args, n_args);
    tern_value result = tern_op_call(ctx, op, args, n_args);
    if (result.kind == TERN_VALUE_TENSOR) return result.as.tensor;
    return ctx ? ctx->nil : NULL;
}

/* ---- in place -------------------------------------------------------------------------------- */

static int category(tern_dtype dtype) {
    if (tern_dtype_is_floating(dtype)) return 2;
    return dtype == TERN_BOOL ? 0 : 1;
}

static bool may_write(const tern_opcall *call, tern_tensor *target) {
    tern_ctx *ctx = call->ctx;
    char name[64];
    const char *op = tern_op_name(call->op, name);
    if (target->flags & TERN_T_INFERENCE && !ctx->inference) {
        tern_fail(
            ctx, TERN_ERR_STATE,
            "%s_: Inplace update to inference tensor outside InferenceMode is not allowed. You "
            "can make a clone to get a normal tensor before doing inplace update.",
            op);
        return false;
    }
    if (tern_has_overlap(target)) {
        tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "%s_: unsupported operation: more than one element of the written-to tensor refers "
            "to a single memory location. Please clone() the tensor before performing the "
            "operation.",
            op);
        return false;
    }
    if (!ctx->grad_enabled) return true;
    if (target->flags & TERN_T_REQUIRES_GRAD && tern_is_leaf(target)) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "%s_: a leaf Variable that requires grad is being used in an in-place operation.",
                  op);
        return false;
    }
    if (target->flags & TERN_T_VIEW && target->edge.node && !target->alias->base->edge.node &&
        target->generation == target->alias->generation) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "%s_: a view of a leaf Variable that requires grad is being used in an in-place "
                  "operation.",
                  op);
        return false;
    }
    return true;
}

/* The result's shape must be the target's, and its dtype's category no higher. */
static bool fits(const tern_opcall *call, const tern_tensor *target, const tern_tensor *result) {
    char name[64], want[TERN_SHAPE_TEXT], got[TERN_SHAPE_TEXT];
    if (!tern_same_shape(target, result)) {
        tern_fail(call->ctx, TERN_ERR_ARGUMENT,
                  "%s_: output with shape %s doesn't match the broadcast shape %s",
                  tern_op_name(call->op, name), tern_shape_text(target->rank, target->shape, want),
                  tern_shape_text(result->rank, result->shape, got));
        return false;
    }
    if (category(result->dtype) > category(target->dtype)) {
        tern_fail(call->ctx, TERN_ERR_ARGUMENT,
                  "%s_: result type %s can't be cast to the desired output type %s",
                  tern_op_name(call->op, name), tern_dtype_class(result->dtype),
                  tern_dtype_class(target->dtype));
        return false;
    }
    return true;
}

static void write_back(tern_opcall *call, tern_tensor *target, tern_tensor *result) {
    if (!fits(call, target, result)) return;
    bool direct = result->storage == target->storage && result->offset == target->offset;
    if (!direct) tern_copy_raw(target, result);
    if (!(target->flags & TERN_T_INFERENCE)) target->storage->version++;
}

/* A graph in an older tensor would outlive its scope. */
static bool outlives(const tern_opcall *call, const tern_tensor *target) {
    if (target->frame->serial >= tern_graph_frame(call->ctx)->serial) return false;
    char name[64];
    tern_fail(
        call->ctx, TERN_ERR_STATE,
        "%s_: writing a value with a history into a tensor of an outer scope: the graph would "
        "outlive its scope; write tern_detach(value)",
        tern_op_name(call->op, name));
    return true;
}

/* Where the gradient formula reads the target's old value, the node saves a copy of it. */
static void keep_original(const tern_opcall *call, tern_tensor *target, operands *tensors) {
    if (!(call->op->saves & TERN_SAVE_INPUT(0))) return;
    bool read = tensors->count == 1;
    for (int k = 1; k < tensors->count; k++) read = read || tern_needs_grad(tensors->all[k]);
    if (!read) return;
    tern_edge edge = tern_edge_of(target);
    tern_tensor *original =
        tern_tensor_new(target->lane, target->dtype, target->rank, target->shape);
    tern_copy_raw(original, target);
    if (tern_is_nil(original)) return;
    original->edge = edge;
    tensors->all[0] = original;
}

static void run_in_place(tern_opcall *call, tern_tensor *target, operands *tensors) {
    tern_ctx *ctx = call->ctx;
    bool recording = wants_recording(call, tensors);
    if (recording && outlives(call, target)) return;
    tern_scope scope = tern_scope_inner(ctx);
    if (recording) keep_original(call, target, tensors);
    call->out = call->op->kind == TERN_OP_PRIMITIVE ? target : NULL;
    tern_value result = run_silently(call);
    tern_tensor *written = result.kind == TERN_VALUE_TENSOR ? result.as.tensor : NULL;
    if (ctx->status == TERN_OK && !written)
        tern_call_fail(call, TERN_ERR_UNSUPPORTED, "has no in-place form");
    if (ctx->status == TERN_OK && recording && call->op->saves & TERN_SAVE_OUTPUTS) {
        /* The saved output must be the target itself, at its new version. */
        write_back(call, target, written);
        written = tern_detach(target);
    } else if (ctx->status == TERN_OK) {
        if (recording) {
            tern_value mine = tern_tensor_value(written);
            record(call, tensors, mine);
        }
        write_back(call, target, written);
    }
    if (ctx->status == TERN_OK && recording) {
        if (call->op->saves & TERN_SAVE_OUTPUTS) record(call, tensors, tern_tensor_value(written));
        if (ctx->status == TERN_OK) tern_rebase_history(target, written);
    }
    tern_scope_end(scope);
}

tern_tensor *tern_op_call_in_place(const tern_op *op, const tern_value *args, int n_args) {
    tern_tensor *target = args[0].as.tensor;
    tern_ctx *ctx = target->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_opcall call = {ctx, op, NULL, args, n_args, NULL};
    operands tensors;
    if (!collect(ctx, args, n_args, &tensors) || !check(&call, &tensors) ||
        !may_write(&call, target))
        return ctx->nil;
    if (call.op->kind == TERN_OP_THROUGH || call.op->kind == TERN_OP_VIEW) {
        /* Recorded through its parts; the copy into the target is the in-place step. */
        tern_tensor *value = tern_op_tensor(ctx, op, args, n_args);
        if (tern_is_nil(value) && ctx->status == TERN_OK)
            tern_call_fail(&call, TERN_ERR_UNSUPPORTED, "has no in-place form");
        return tern_is_nil(value) || !fits(&call, target, value)
                   ? ctx->nil
                   : tern_copy_in_place(target, value);
    }
    run_in_place(&call, target, &tensors);
    return ctx->status == TERN_OK ? target : ctx->nil;
}

/* ---- arguments ------------------------------------------------------------------------------- */

tern_shape tern_arg_ints(const tern_opcall *call, int i) {
    tern_value v = tern_arg(call, i);
    tern_shape shape = {-1, {0}};
    if (v.kind == TERN_VALUE_NONE) return shape;
    size_t count = tern_value_is_number(v) ? 1 : tern_value_count(v);
    if (count > TERN_MAX_RANK) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%zu numbers in a list that holds at most %d",
                       count, TERN_MAX_RANK);
        return shape;
    }
    shape.rank = (int32_t)count;
    if (tern_value_is_number(v))
        shape.dim[0] = tern_value_as_int(v);
    else
        for (size_t k = 0; k < count; k++) shape.dim[k] = tern_value_as_int(tern_value_at(v, k));
    return shape;
}

tern_tensor **tern_arg_tensors(const tern_opcall *call, int i, int *out_count) {
    tern_value v = tern_arg(call, i);
    *out_count = 0;
    if (v.kind == TERN_VALUE_TENSOR) {
        tern_tensor **one = tern_scope_alloc(call->ctx, sizeof *one);
        if (one) one[(*out_count)++] = v.as.tensor;
        return one;
    }
    size_t count = tern_value_count(v);
    tern_tensor **tensors = tern_scope_alloc(call->ctx, (count + 1) * sizeof *tensors);
    for (size_t k = 0; tensors && k < count; k++) {
        tern_value item = tern_value_at(v, k);
        tensors[(*out_count)++] = item.kind == TERN_VALUE_TENSOR ? item.as.tensor : NULL;
    }
    return tensors;
}

bool tern_wrap_dim(tern_ctx *ctx, int rank, int64_t dim, int *out_dim) {
    int range = rank ? rank : 1;
    if (dim < -range || dim >= range) {
        tern_fail(ctx, TERN_ERR_INDEX,
                  "Dimension out of range (expected to be in range of [%d, %d], but got %lld)",
                  -range, range - 1, (long long)dim);
        return false;
    }
    *out_dim = (int)(dim < 0 ? dim + range : dim);
    return true;
}

bool tern_wrap_dims(tern_ctx *ctx, int rank, const tern_shape *dims, uint32_t *out_mask) {
    *out_mask = rank ? (1u << rank) - 1 : 0;
    if (dims->rank <= 0) return true;
    *out_mask = 0;
    for (int i = 0; i < dims->rank; i++) {
        int d;
        if (!tern_wrap_dim(ctx, rank, dims->dim[i], &d)) return false;
        if (rank && *out_mask & 1u << d) {
            tern_fail(ctx, TERN_ERR_ARGUMENT, "dim %d appears multiple times in the list of dims",
                      d);
            return false;
        }
        if (rank) *out_mask |= 1u << d;
    }
    return true;
}

/* ---- schemas, parsed by calls by name ---------------------------------------------------------- */

void tern_op_cache_free(tern_ctx *ctx) {
    tern_schema **cache = ctx->op_cache;
    for (int id = 0; cache && id < TERN_OP_ID_COUNT; id++) tern_free(cache[id]);
    tern_free(cache);
    ctx->op_cache = NULL;
}
