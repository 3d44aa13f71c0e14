/* run.c: running programs: in one launch where the device has MAP for them, step by step elsewhere. */
#include "run.h"

#include "made.h"

#include "core/ops/layout.h"

/* ---- in one launch --------------------------------------------------------------------------- */

/* What MAP loads in one conversion: no wider floats than it computes in, and no floats for integers. */
static bool loads(tern_dtype compute, tern_dtype dtype) {
    if (!tern_dtype_is_floating(dtype)) return true;
    return compute == TERN_FLOAT64 || (compute == TERN_FLOAT32 && dtype != TERN_FLOAT64);
}

/* The operands as a launch takes them, of one shape; false after latching. */
static bool spread_operands(tern_opcall *call, const tern_map_attrs *attrs,
                            tern_tensor *const *operands, tern_shape *out_shape,
                            tern_tensor **out_views) {
    tern_dtype compute = (tern_dtype)attrs->compute;
    if (!tern_broadcast_shape(call, operands, attrs->n_inputs, out_shape)) return false;
    for (int k = 0; k < attrs->n_inputs; k++) {
        bool fits = loads(compute, BODY(operands[k])->dtype);
        out_views[k] = fits ? operands[k] : tern_operand_of(call, ARG_TENSOR(operands[k]), compute);
        out_views[k] = tern_broadcast_view(out_views[k], out_shape);
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
    if (!done && call->ctx->status == TERN_OK)
        tern_program_run_steps(call->lane, attrs, NULL, shape, operands, views, outputs);
    return call->ctx->status == TERN_OK;
}

bool tern_program_run(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                      tern_tensor *const *operands, const tern_dtype *dtypes,
                      tern_tensor **outputs) {
    tern_tensor *views[TERN_P_INPUTS];
    tern_shape shape;
    if (!spread_operands(call, attrs, operands, &shape, views)) return false;
    for (int k = 0; k < attrs->n_outputs; k++)
        outputs[k] = tern_tensor_new(call->lane, dtypes[k], shape.rank, shape.dim);
    return into(call, attrs, attrs_size, &shape, operands, views, outputs);
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
    tern_tensor *views[TERN_P_INPUTS], *outputs[TERN_P_OUTPUTS], *nil = call->ctx->nil;
    tern_shape shape, all;
    if (!spread_operands(call, attrs, operands, &shape, views)) return nil;
    all = shape;
    if (dim < 0 || dim >= all.rank ||
        __builtin_mul_overflow(shape.dim[dim], (int64_t)attrs->n_outputs, &all.dim[dim])) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "there is no room along dimension %d", dim);
        return nil;
    }
    tern_tensor *whole = tern_tensor_new(call->lane, dtype, all.rank, all.dim);
    for (int k = 0; k < attrs->n_outputs && call->ctx->status == TERN_OK; k++)
        outputs[k] = tern_tensor_view(whole, shape.rank, shape.dim, BODY(whole)->strides,
                                      k * shape.dim[dim] * BODY(whole)->strides[dim]);
    return into(call, attrs, attrs_size, &shape, operands, views, outputs) ? whole : nil;
}

/* ---- the operation --------------------------------------------------------------------------- */

tern_value tern_op__map(tern_opcall *call) {
    tern_value bytes = tern_arg(call, 0), dtypes = tern_arg(call, 1);
    const tern_map_attrs *attrs = tern_program_of(bytes);
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
                              "these bytes are no program over %d tensors: use map", count);
    if (tern_arg_given(call, 3))
        return tern_result(call, run_joined(call, attrs, bytes.length, operands, out_dtypes[0],
                                            (int)tern_arg_int(call, 3, 0)));
    if (!tern_program_run(call, attrs, bytes.length, operands, out_dtypes, outputs))
        return tern_none();
    if (attrs->n_outputs == 1) return ARG_TENSOR(outputs[0]);
    return tern_tensors_value(call->ctx, outputs, attrs->n_outputs);
}

tern_value tern_program_apply(tern_ctx *ctx, tern_value bytes, const int64_t *dtypes, int n_outputs,
                              tern_tensor *const *operands, int count) {
    return tern_program_apply_joined(ctx, bytes, dtypes, n_outputs, operands, count, -1);
}

tern_value tern_program_apply_joined(tern_ctx *ctx, tern_value bytes, const int64_t *dtypes,
                                     int n_outputs, tern_tensor *const *operands, int count,
                                     int dim) {
    tern_value list = tern_list_new(ctx);
    for (int k = 0; k < count; k++) tern_list_append(list, ARG_TENSOR(operands[k]));
    tern_value args[] = {bytes, tern_ints(dtypes, (size_t)n_outputs), list,
                         dim < 0 ? tern_none() : ARG_INT(dim)};
    if (ctx->status != TERN_OK) return tern_none();
    return tern_op_call(ctx, TERN_ROW(_map), args, 4);
}

static bool same_shape(tern_shape a, const tern_tensor *b) {
    bool same = a.rank == BODY(b)->rank;
    for (int d = 0; same && d < a.rank; d++) same = a.dim[d] == BODY(b)->shape[d];
    return same;
}

/* The gradient's program: the one that was made before, where there is one. None after latching. */
static tern_value gradient_of(tern_ctx *ctx, const tern_map_attrs *attrs, const bool *given,
                              const bool *wanted) {
    tern_program program;
    uint64_t none = 0;
    tern_program_source source = {
        {attrs, given, wanted},
        {tern_program_size(attrs), (size_t)attrs->n_outputs, (size_t)attrs->n_inputs}};
    tern_value bytes = tern_program_made(ctx, &source, &none);
    if (bytes.kind == TERN_VALUE_STRING || ctx->status != TERN_OK) return bytes;
    if (!tern_program_gradient(ctx, attrs, given, wanted, &program)) return tern_none();
    bytes = tern_program_finish(ctx, &program, (tern_dtype)attrs->compute);
    tern_program_was_made(ctx, &source, bytes, 0);
    return bytes;
}

void tern_program_backward(tern_node *node, const tern_map_attrs *attrs,
                           tern_tensor *const *operands, tern_tensor *const *grad_out,
                           tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    bool given[TERN_P_OUTPUTS], wanted[TERN_P_INPUTS];
    tern_tensor *inputs[TERN_P_INPUTS + TERN_P_OUTPUTS];
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
        bool whole = same_shape(tern_node_input_shape(node, k), like);
        dtypes[n_wanted++] = whole ? (int64_t)BODY(operands[k])->dtype : attrs->compute;
    }
    tern_value bytes = n_wanted ? gradient_of(ctx, attrs, given, wanted) : tern_none();
    if (bytes.kind != TERN_VALUE_STRING) return;
    tern_value result = tern_program_apply(ctx, bytes, dtypes, n_wanted, inputs, n);
    for (int k = 0, at = 0; k < attrs->n_inputs && ctx->status == TERN_OK; k++) {
        if (!wanted[k]) continue;
        tern_value one = n_wanted == 1 ? result : tern_value_at(result, (size_t)at++);
        grads[k] = one.as.tensor;
    }
}

void tern_grad__map(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    const tern_map_attrs *attrs = tern_program_of(tern_node_arg(node, 0));
    tern_tensor *operands[TERN_P_INPUTS];
    for (int k = 0; k < attrs->n_inputs; k++) operands[k] = tern_node_input(node, k);
    if (tern_node_ctx(node)->status != TERN_OK) return;
    tern_value joined = tern_node_arg(node, 3);
    if (!tern_value_is_number(joined)) {
        tern_program_backward(node, attrs, operands, grad_out, grads);
        return;
    }
    tern_tensor *parts[TERN_P_OUTPUTS];
    int dim = (int)tern_value_as_int(joined);
    int64_t size = BODY(grad_out[0])->shape[dim] / attrs->n_outputs;
    for (int k = 0; k < attrs->n_outputs; k++)
        parts[k] = tern_narrow(grad_out[0], dim, k * size, size);
    if (tern_node_ctx(node)->status == TERN_OK)
        tern_program_backward(node, attrs, operands, parts, grads);
}
