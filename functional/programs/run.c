/* run.c: running programs: in one launch where the device has MAP for them, step by step elsewhere. */
#include "run.h"

#include "made.h"

#include "core/autograd/graph.h"
#include "core/ops/layout.h"

/* ---- in one launch --------------------------------------------------------------------------- */

/* What MAP loads in one conversion: no wider floats than it computes in, and no floats for integers. */
static bool loads(tern_dtype compute, tern_dtype dtype) {
    if (!tern_dtype_is_floating(dtype)) return true;
    return compute == TERN_FLOAT64 || (compute == TERN_FLOAT32 && dtype != TERN_FLOAT64);
}

/* Views of operands that are broadcast, of the first few with the function that launches. */
enum { FEW = 6 };
typedef struct spread {
    tern_shape shape;
    tern_tensor *views[TERN_P_INPUTS];
    tern_face faces[FEW];
} spread;

static bool same_shapes(tern_tensor *const *operands, int count) {
    for (int k = 1; k < count; k++)
        if (!tern_same_shape(operands[0], operands[k])) return false;
    return true;
}

/* The operands as a launch takes them, of one shape; false after latching. */
static bool spread_operands(tern_opcall *call, const tern_map_attrs *attrs,
                            tern_tensor *const *operands, spread *out) {
    tern_dtype compute = (tern_dtype)attrs->compute;
    bool same = same_shapes(operands, attrs->n_inputs);
    if (same)
        out->shape = tern_shape_of(operands[0]);
    else if (!tern_broadcast_shape(call, operands, attrs->n_inputs, &out->shape))
        return false;
    for (int k = 0; k < attrs->n_inputs; k++) {
        bool fits = loads(compute, BODY(operands[k])->dtype);
        tern_tensor *x =
            fits ? operands[k] : tern_operand_of(call, ARG_TENSOR(operands[k]), compute);
        if (call->ctx->status != TERN_OK) return false;
        out->views[k] = same      ? x
                        : k < FEW ? tern_face_broadcast(&out->faces[k], x, &out->shape)
                                  : tern_broadcast_view(x, &out->shape);
    }
    return call->ctx->status == TERN_OK;
}

/* `views` are the operands as the launch takes them. */
static bool into(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                 const tern_shape *shape, tern_tensor *const *operands, tern_tensor *const *views,
                 tern_tensor *const *outputs) {
    if (call->ctx->status != TERN_OK) return false;
    bool done = tern_try_launch(call->lane, TERN_KERNEL_MAP, attrs->n_steps, views, attrs->n_inputs,
                                outputs, attrs->n_outputs, attrs, attrs_size);
    if (!done && call->ctx->status == TERN_OK) {
        tern_frame steps;
        tern_frame_open(call->ctx, &steps);
        tern_program_run_steps(call->lane, attrs, NULL, shape, operands, views, outputs);
        tern_frame_close(&steps);
    }
    return call->ctx->status == TERN_OK;
}

bool tern_program_run(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                      tern_tensor *const *operands, const tern_dtype *dtypes,
                      tern_tensor **outputs) {
    spread s;
    if (!spread_operands(call, attrs, operands, &s)) return false;
    for (int k = 0; k < attrs->n_outputs; k++)
        outputs[k] = tern_tensor_new(call->lane, dtypes[k], s.shape.rank, s.shape.dim);
    return into(call, attrs, attrs_size, &s.shape, operands, s.views, outputs);
}

bool tern_program_run_into(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                           tern_tensor *const *operands, tern_tensor *const *outputs) {
    if (call->ctx->status != TERN_OK) return false;
    tern_shape shape = tern_shape_of(outputs[0]);
    return into(call, attrs, attrs_size, &shape, operands, operands, outputs);
}

/* The outputs one behind the other along `dim` of one tensor, which is returned; nil after latching. */
static tern_tensor *run_joined(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                               tern_tensor *const *operands, tern_dtype dtype, int dim) {
    tern_tensor *outputs[TERN_P_OUTPUTS], *nil = call->ctx->nil;
    spread s;
    if (!spread_operands(call, attrs, operands, &s)) return nil;
    tern_shape shape = s.shape, all = s.shape;
    if (dim < 0 || dim >= all.rank ||
        __builtin_mul_overflow(shape.dim[dim], (int64_t)attrs->n_outputs, &all.dim[dim])) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "there is no room along dimension %d", dim);
        return nil;
    }
    tern_tensor *whole = tern_tensor_new(call->lane, dtype, all.rank, all.dim);
    for (int k = 0; k < attrs->n_outputs && call->ctx->status == TERN_OK; k++)
        outputs[k] = tern_tensor_view(whole, shape.rank, shape.dim, BODY(whole)->strides,
                                      k * shape.dim[dim] * BODY(whole)->strides[dim]);
    return into(call, attrs, attrs_size, &shape, operands, s.views, outputs) ? whole : nil;
}

/* ---- the operation --------------------------------------------------------------------------- */

tern_value tern_op__map(tern_opcall *call) {
    tern_value program = tern_arg(call, 0), dtypes = tern_arg(call, 1);
    const tern_map_attrs *attrs = tern_program_of(program);
    int count;
    tern_tensor **operands = tern_arg_tensors(call, 2, &count), *outputs[TERN_P_OUTPUTS];
    tern_dtype out_dtypes[TERN_P_OUTPUTS];
    bool sound =
        attrs && count == attrs->n_inputs && tern_value_count(dtypes) == (size_t)attrs->n_outputs;
    for (int k = 0; sound && k < attrs->n_outputs; k++) {
        int64_t dtype = tern_value_as_int(tern_value_at(dtypes, (size_t)k));
        sound = dtype >= 0 && dtype < TERN_BT_COUNT;
        out_dtypes[k] = (tern_dtype)dtype;
    }
    if (!sound)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "these bytes are not a program over %d tensors: use map", count);
    size_t size = tern_program_size(attrs);
    if (tern_arg_given(call, 3))
        return tern_result(call, run_joined(call, attrs, size, operands, out_dtypes[0],
                                            (int)tern_arg_int(call, 3, 0)));
    if (!tern_program_run(call, attrs, size, operands, out_dtypes, outputs)) return tern_none();
    if (attrs->n_outputs == 1) return ARG_TENSOR(outputs[0]);
    return tern_tensors_value(call->ctx, outputs, attrs->n_outputs);
}

/* Whether the operands of a kept program go into a launch as they are; then `out_lane` is theirs, and
 * `out_records` says whether the call is recorded. */
static bool goes_directly(const tern_ctx *ctx, const tern_map_attrs *attrs,
                          tern_tensor *const *operands, int count, tern_lane **out_lane,
                          bool *out_records) {
    *out_lane = NULL;
    *out_records = false;
    if (ctx->status != TERN_OK || count != attrs->n_inputs) return false;
    for (int k = 0; k < count; k++) {
        if (!tern_is_live(operands[k])) return false;
        const tern_tensor_body *body = BODY(operands[k]);
        if (body->flags & (TERN_T_NIL | TERN_T_DROPPED) || body->ctx != ctx ||
            (*out_lane && body->lane != *out_lane) ||
            !loads((tern_dtype)attrs->compute, body->dtype))
            return false;
        *out_lane = body->lane;
        *out_records = *out_records || (ctx->grad_enabled && tern_has_grad_required(operands[k]));
    }
    return true;
}

/* What the operation does, without lists. A node over a kept program needs no more than its address. */
static bool apply_directly(tern_ctx *ctx, const tern_made_program *program, tern_lane *lane,
                           const int64_t *dtypes, tern_tensor *const *operands, bool records,
                           tern_tensor **outputs) {
    const tern_map_attrs *attrs = program->attrs;
    tern_opcall call = {ctx, TERN_ROW(_map), lane, NULL, 0, NULL};
    tern_dtype out_dtypes[TERN_P_OUTPUTS];
    for (int k = 0; k < attrs->n_outputs; k++) out_dtypes[k] = (tern_dtype)dtypes[k];
    if (!tern_program_run(&call, attrs, program->size, operands, out_dtypes, outputs)) return false;
    const tern_value args[] = {tern_made_value(program)};
    return !records ||
           tern_node_record(call.op, args, 1, operands, attrs->n_inputs, outputs, attrs->n_outputs);
}

static tern_value apply_operation(tern_ctx *ctx, tern_value program, const int64_t *dtypes,
                                  int n_outputs, tern_tensor *const *operands, int count, int dim) {
    tern_value list = tern_list_new(ctx);
    for (int k = 0; k < count; k++) tern_list_append(list, ARG_TENSOR(operands[k]));
    tern_value args[] = {program, tern_ints(dtypes, (size_t)n_outputs), list, ARG_INT(dim)};
    if (ctx->status != TERN_OK) return tern_none();
    return tern_op_call(ctx, TERN_ROW(_map), args, dim < 0 ? 3 : 4);
}

bool tern_program_apply(tern_ctx *ctx, tern_value program, const int64_t *dtypes, int n_outputs,
                        tern_tensor *const *operands, int count, tern_tensor **outputs) {
    const tern_made_program *made = tern_made_of(program);
    tern_lane *lane;
    bool records;
    if (made && goes_directly(ctx, made->attrs, operands, count, &lane, &records))
        return apply_directly(ctx, made, lane, dtypes, operands, records, outputs);
    tern_value all = apply_operation(ctx, program, dtypes, n_outputs, operands, count, -1);
    for (int k = 0; k < n_outputs && ctx->status == TERN_OK; k++)
        outputs[k] = (n_outputs == 1 ? all : tern_value_at(all, (size_t)k)).as.tensor;
    return ctx->status == TERN_OK;
}

tern_tensor *tern_program_apply_joined(tern_ctx *ctx, tern_value program, const int64_t *dtypes,
                                       int n_outputs, tern_tensor *const *operands, int count,
                                       int dim) {
    tern_value whole = apply_operation(ctx, program, dtypes, n_outputs, operands, count, dim);
    return ctx->status == TERN_OK ? whole.as.tensor : ctx->nil;
}

/* ---- its gradient ---------------------------------------------------------------------------- */

static bool has_input_shape(const tern_node *node, int k, const tern_tensor *like) {
    const tern_shape shape = tern_node_input_shape(node, k);
    return tern_has_shape(like, &shape);
}

void tern_program_backward(tern_node *node, tern_value program, tern_tensor *const *operands,
                           tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    const tern_map_attrs *attrs = tern_program_of(program);
    bool given[TERN_P_OUTPUTS], wanted[TERN_P_INPUTS];
    tern_tensor *inputs[TERN_P_INPUTS + TERN_P_OUTPUTS], *outputs[TERN_P_INPUTS];
    int64_t dtypes[TERN_P_INPUTS];
    int n = 0, n_wanted = 0;
    const tern_tensor *like = NULL;
    for (int k = 0; k < attrs->n_inputs; k++) inputs[n++] = operands[k];
    for (int k = 0; k < attrs->n_outputs; k++) {
        given[k] = grad_out[k] != NULL;
        if (given[k]) like = inputs[n++] = grad_out[k];
    }
    for (int k = 0; k < attrs->n_inputs; k++) {
        wanted[k] = k < tern_node_n_inputs(node) && tern_node_needs(node, k);
        if (!wanted[k]) continue;
        /* What is summed over a broadcast dimension is rounded after that. */
        dtypes[n_wanted++] =
            has_input_shape(node, k, like) ? (int64_t)BODY(operands[k])->dtype : attrs->compute;
    }
    if (!n_wanted) return;
    tern_value gradient = tern_made_gradient_of(ctx, program, given, wanted);
    if (ctx->status != TERN_OK ||
        !tern_program_apply(ctx, gradient, dtypes, n_wanted, inputs, n, outputs))
        return;
    for (int k = 0, at = 0; k < attrs->n_inputs; k++)
        if (wanted[k]) grads[k] = outputs[at++];
}

void tern_grad__map(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value program = tern_node_arg(node, 0);
    const tern_map_attrs *attrs = tern_program_of(program);
    tern_tensor *operands[TERN_P_INPUTS];
    tern_face faces[FEW];
    bool recorded = tern_node_ctx(node)->grad_enabled;
    for (int k = 0; k < attrs->n_inputs; k++)
        operands[k] = recorded || k >= FEW ? tern_node_input(node, k)
                                           : tern_node_input_face(node, k, &faces[k]);
    if (tern_node_ctx(node)->status != TERN_OK) return;
    tern_value joined = tern_node_arg(node, 3);
    if (!tern_value_is_number(joined)) {
        tern_program_backward(node, program, operands, grad_out, grads);
        return;
    }
    tern_tensor *parts[TERN_P_OUTPUTS];
    int dim = (int)tern_value_as_int(joined);
    int64_t size = BODY(grad_out[0])->shape[dim] / attrs->n_outputs;
    for (int k = 0; k < attrs->n_outputs; k++)
        parts[k] = tern_narrow(grad_out[0], dim, k * size, size);
    if (tern_node_ctx(node)->status == TERN_OK)
        tern_program_backward(node, program, operands, parts, grads);
}
