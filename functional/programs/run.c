/*
 * run.c: running programs: in one launch where the device has MAP for them, step by step elsewhere, with
 * the same bits: the tensors between the steps have the dtype that the program computes in.
 */
#include "run.h"

#include <string.h>

#include "core/ops/layout.h"

enum { MOST_VALUES = TERN_P_INPUTS + TERN_P_CONSTANTS + TERN_P_STEPS };

/* ---- step by step ---------------------------------------------------------------------------- */

typedef struct stepwise {
    tern_opcall *call;
    const tern_map_attrs *attrs;
    const tern_shape *shape;
    tern_tensor *const *operands;     /* as they were given */
    tern_tensor *values[MOST_VALUES]; /* NULL: not made yet, or given back */
    int16_t last_use[MOST_VALUES];    /* the step after which nobody reads it */
} stepwise;

static tern_tensor *open_tensor(stepwise *s, tern_dtype dtype) {
    return tern_tensor_new(s->call->lane, dtype, s->shape->rank, s->shape->dim);
}

static void launch(stepwise *s, int kernel, int fn, tern_tensor *const *inputs, int n_inputs,
                   tern_tensor *out, const void *attrs, size_t attrs_size) {
    if (s->call->ctx->status == TERN_OK)
        tern_launch(s->call->lane, kernel, fn, inputs, n_inputs, &out, 1, attrs, attrs_size);
}

/* A number as it stands in place of a tensor, broadcast. */
static tern_tensor *spread(stepwise *s, tern_map_constant constant) {
    tern_dtype dtype = (tern_dtype)s->attrs->compute;
    bool floating = dtype != TERN_INT64;
    double f = floating ? constant.f : 0;
    if (dtype == TERN_FLOAT32) f = (double)(float)f;
    return tern_broadcast_view(
        tern_tensor_number(s->call->lane, dtype, f, floating ? 0 : constant.i), s->shape);
}

static tern_tensor *value_of(stepwise *s, int16_t at) {
    if (!s->values[at])
        s->values[at] = spread(s, tern_map_constants(s->attrs)[at - s->attrs->n_inputs]);
    return s->values[at];
}

/* The value in the dtype of the program. */
static tern_tensor *number_of(stepwise *s, int16_t at) {
    tern_tensor *value = value_of(s, at);
    tern_dtype compute = (tern_dtype)s->attrs->compute;
    if (tern_is_nil(value) || BODY(value)->dtype == compute) return value;
    tern_tensor *number = open_tensor(s, compute);
    if (!tern_is_nil(number)) tern_copy_raw(number, value);
    return s->values[at] = number;
}

/* The value as the condition of WHERE. */
static tern_tensor *condition_of(stepwise *s, int16_t at) {
    tern_tensor *value = value_of(s, at);
    if (tern_is_nil(value) || BODY(value)->dtype == TERN_BOOL) return value;
    tern_tensor *inputs[] = {number_of(s, at), spread(s, (tern_map_constant){0})};
    tern_tensor *condition = open_tensor(s, TERN_BOOL);
    tern_binary_attrs attrs = {TERN_BINARY_NE, 0, 1, 1};
    launch(s, TERN_KERNEL_BINARY, attrs.fn, inputs, 2, condition, &attrs, sizeof attrs);
    return condition;
}

/* The number that a step multiplies by; 1 where it has none. */
static double factor_of(const stepwise *s, int16_t at) {
    if (at < 0) return 1;
    if (at < s->attrs->n_inputs) return tern_item(s->operands[at]);
    return tern_map_constants(s->attrs)[at - s->attrs->n_inputs].f;
}

/* Rounds to the dtype that the step names, and back. */
static tern_tensor *round_to(stepwise *s, tern_dtype dtype, tern_tensor *value) {
    tern_tensor *narrow = open_tensor(s, dtype);
    tern_tensor *back = open_tensor(s, (tern_dtype)s->attrs->compute);
    if (s->call->ctx->status == TERN_OK) tern_copy_raw(narrow, value);
    if (s->call->ctx->status == TERN_OK) tern_copy_raw(back, narrow);
    return back;
}

static tern_tensor *run_step(stepwise *s, const tern_map_step *step) {
    tern_tensor *inputs[3];
    int arity = tern_program_arity(step->family);
    bool where = step->family == TERN_KERNEL_TERNARY && step->fn == TERN_TERNARY_WHERE;
    for (int i = 0; i < arity; i++)
        inputs[i] =
            where && i == 0 ? condition_of(s, step->source[i]) : number_of(s, step->source[i]);
    if (step->family == TERN_KERNEL_COPY) return round_to(s, (tern_dtype)step->fn, inputs[0]);
    tern_tensor *out = open_tensor(s, tern_kernel_gives_bool(step->family, step->fn)
                                          ? TERN_BOOL
                                          : (tern_dtype)s->attrs->compute);
    double factor = arity < 2 ? 1 : factor_of(s, step->source[arity]);
    tern_unary_attrs unary = {step->fn, 0};
    tern_binary_attrs binary = {step->fn, 0, factor, 1};
    tern_ternary_attrs ternary = {step->fn, 0, factor, 1};
    if (step->family == TERN_KERNEL_UNARY)
        launch(s, step->family, step->fn, inputs, arity, out, &unary, sizeof unary);
    else if (step->family == TERN_KERNEL_BINARY)
        launch(s, step->family, step->fn, inputs, arity, out, &binary, sizeof binary);
    else
        launch(s, step->family, step->fn, inputs, arity, out, &ternary, sizeof ternary);
    return out;
}

static void find_last_uses(stepwise *s) {
    memset(s->last_use, 0xff, sizeof s->last_use);
    for (int k = 0; k < s->attrs->n_steps; k++)
        for (int i = 0; i < 4; i++) {
            int16_t source = tern_map_steps(s->attrs)[k].source[i];
            if (source >= 0) s->last_use[source] = (int16_t)k;
        }
    for (int k = 0; k < s->attrs->n_outputs; k++)
        s->last_use[tern_map_outputs(s->attrs)[k]] = INT16_MAX;
}

/* Tensors between the steps go as soon as nobody reads them any more. */
static void give_back(stepwise *s, int k) {
    int own = s->attrs->n_inputs + s->attrs->n_constants;
    for (int i = 0; i < 4; i++) {
        int16_t source = tern_map_steps(s->attrs)[k].source[i];
        if (source < own || s->last_use[source] != k || !s->values[source]) continue;
        tern_tensor_release(s->values[source]);
        s->values[source] = NULL;
    }
}

static void run_steps(tern_opcall *call, const tern_map_attrs *attrs, const tern_shape *shape,
                      tern_tensor *const *operands, tern_tensor *const *views,
                      tern_tensor *const *outputs) {
    stepwise s = {.call = call, .attrs = attrs, .shape = shape, .operands = operands};
    int own = attrs->n_inputs + attrs->n_constants;
    for (int k = 0; k < attrs->n_inputs; k++) s.values[k] = views[k];
    find_last_uses(&s);
    for (int k = 0; k < attrs->n_steps && call->ctx->status == TERN_OK; k++) {
        s.values[own + k] = run_step(&s, &tern_map_steps(attrs)[k]);
        if (call->ctx->status == TERN_OK) give_back(&s, k);
    }
    for (int k = 0; k < attrs->n_outputs && call->ctx->status == TERN_OK; k++)
        tern_copy_raw(outputs[k], value_of(&s, tern_map_outputs(attrs)[k]));
}

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
        run_steps(call, attrs, shape, operands, views, outputs);
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
    tern_program program;
    if (!n_wanted || !tern_program_gradient(ctx, attrs, given, wanted, &program)) return;
    tern_value bytes = tern_program_finish(ctx, &program, (tern_dtype)attrs->compute);
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
