/*
 * steps.c: programs step by step, with the bits of one launch: the tensors between the steps have the dtype
 * that the program computes in.
 */
#include "run.h"

#include <string.h>

enum { MOST_VALUES = TERN_P_INPUTS + TERN_P_CONSTANTS + TERN_P_STEPS };

typedef struct stepwise {
    tern_lane *lane;
    const tern_map_attrs *attrs;
    tern_step_pool *pool; /* NULL: every tensor has memory of its own */
    const tern_shape *shape;
    tern_tensor *const *operands;     /* as they were given */
    tern_tensor *values[MOST_VALUES]; /* NULL: not made yet, or given back */
    int16_t last_use[MOST_VALUES];    /* the step after which nobody reads it */
} stepwise;

/* A buffer that no tensor lies in; NULL where there is none. */
static tern_tensor *free_buffer(stepwise *s) {
    tern_step_pool *pool = s->pool;
    for (int i = 0; pool && i < pool->count; i++)
        if (BODY(pool->buffers[i])->storage->references == 1) return pool->buffers[i];
    if (!pool || pool->count == TERN_STEP_BUFFERS) return NULL;
    tern_tensor *buffer = tern_tensor_new(s->lane, TERN_UINT8, 1, &pool->bytes);
    if (tern_is_nil(buffer)) return NULL;
    tern_tensor_move(buffer, pool->frame);
    return pool->buffers[pool->count++] = buffer;
}

static tern_tensor *open_tensor(stepwise *s, tern_dtype dtype) {
    int64_t strides[TERN_MAX_RANK];
    const tern_tensor *buffer = free_buffer(s);
    if (!buffer) return tern_tensor_new(s->lane, dtype, s->shape->rank, s->shape->dim);
    tern_contiguous_strides(s->shape->rank, s->shape->dim, strides);
    return tern_tensor_over(s->lane, BODY(buffer)->storage, dtype, s->shape->rank, s->shape->dim,
                            strides, 0);
}

static void launch(stepwise *s, int kernel, int fn, tern_tensor *const *inputs, int n_inputs,
                   tern_tensor *out, const void *attrs, size_t attrs_size) {
    if (s->lane->ctx->status == TERN_OK)
        tern_launch(s->lane, kernel, fn, inputs, n_inputs, &out, 1, attrs, attrs_size);
}

/* A number as it stands in place of a tensor, broadcast. */
static tern_tensor *spread(stepwise *s, tern_map_constant constant) {
    tern_dtype dtype = (tern_dtype)s->attrs->compute;
    bool floating = dtype != TERN_INT64;
    double f = floating ? constant.f : 0;
    if (dtype == TERN_FLOAT32) f = (double)(float)f;
    return tern_broadcast_view(tern_tensor_number(s->lane, dtype, f, floating ? 0 : constant.i),
                               s->shape);
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
    if (s->lane->ctx->status == TERN_OK) tern_copy_raw(narrow, value);
    if (s->lane->ctx->status == TERN_OK) tern_copy_raw(back, narrow);
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

void tern_program_run_steps(tern_lane *lane, const tern_map_attrs *attrs, tern_step_pool *pool,
                            const tern_shape *shape, tern_tensor *const *operands,
                            tern_tensor *const *views, tern_tensor *const *outputs) {
    const tern_ctx *ctx = lane->ctx;
    stepwise s = {.lane = lane, .attrs = attrs, .pool = pool, .shape = shape, .operands = operands};
    int own = attrs->n_inputs + attrs->n_constants;
    for (int k = 0; k < attrs->n_inputs; k++) s.values[k] = views[k];
    find_last_uses(&s);
    for (int k = 0; k < attrs->n_steps && ctx->status == TERN_OK; k++) {
        s.values[own + k] = run_step(&s, &tern_map_steps(attrs)[k]);
        if (ctx->status == TERN_OK) give_back(&s, k);
    }
    for (int k = 0; k < attrs->n_outputs && ctx->status == TERN_OK; k++)
        tern_copy_raw(outputs[k], value_of(&s, tern_map_outputs(attrs)[k]));
}
