/*
 * checkpoint.c: modules that are run again in the backward.
 *
 * The node has the input and the parameters as its inputs and saves the first. Its backward lets the module run
 * over fresh leaves, an alias for the input and one for each parameter, which stand in the parameters' places
 * meanwhile: so the graph that it makes shares nothing with the one that is being walked.
 */
#include "tern/checkpoint.h"

#include "module.h"
#include "tern/function.h"

/* The children of a module that are run, all of it where it is whole. */
typedef struct part {
    tern_module *module;
    bool whole;
    size_t first, count;
    uint8_t random[TERN_RNG_STATE_SIZE]; /* before the forward */
} part;

/* Tensors side by side: parameters and the leaves that stand for them. */
typedef struct tensors {
    tern_tensor **items;
    size_t count, capacity;
} tensors;

static bool push(tern_ctx *ctx, tensors *list, tern_tensor *tensor) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == tensor) return true;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        tern_tensor **items = tern_scope_alloc(ctx, capacity * sizeof(tern_tensor *));
        if (!items) return false;
        for (size_t i = 0; i < list->count; i++) items[i] = list->items[i];
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = tensor;
    return true;
}

static tern_tensor *run(const part *p, tern_tensor *input) {
    return p->whole ? tern_forward(p->module, input)
                    : tern_module_run_children(p->module, p->first, p->count, input);
}

/* ---- parameters ------------------------------------------------------------------------------ */

typedef struct collecting {
    tern_ctx *ctx;
    tensors *list;
} collecting;

static bool add_parameter(void *user, const char *key, tern_slot *slot, tern_module *module) {
    collecting *c = user;
    (void)key;
    (void)module;
    return !tern_has_grad_required(slot->tensor) || push(c->ctx, c->list, slot->tensor);
}

/* Calls visit for the parameters of the part. */
static bool walk_part(const part *p, tern_slot_visit visit, void *user) {
    if (p->whole) return tern_walk_slots(p->module, 'p', false, visit, user);
    for (size_t i = p->first; i < p->first + p->count; i++)
        if (!tern_walk_slots(p->module->inner->children[i].module, 'p', false, visit, user))
            return false;
    return true;
}

/* Each slot that holds from[i] gets to[i]. */
typedef struct exchange {
    tern_tensor *const *from, *const *to;
    size_t count;
} exchange;

static void swap_below(tern_module *module, const exchange *e) {
    tern_slots *slots = &module->inner->parameters;
    for (size_t i = 0; i < slots->count; i++)
        for (size_t k = 0; k < e->count; k++)
            if (slots->items[i].tensor == e->from[k]) {
                tern_slot_replace(module, &slots->items[i], e->to[k]);
                break;
            }
    for (size_t i = 0; i < module->inner->n_children; i++)
        swap_below(module->inner->children[i].module, e);
}

static void swap_parameters(const part *p, const exchange *e) {
    if (p->whole) swap_below(p->module, e);
    for (size_t i = 0; !p->whole && i < p->count; i++)
        swap_below(p->module->inner->children[p->first + i].module, e);
}

/* ---- the two functions ----------------------------------------------------------------------- */

static void forward(tern_function_call *call, tern_tensor *const *inputs, tern_tensor **outputs) {
    part *p = tern_function_user(call);
    tern_generator_get_state(tern_default_generator(tern_function_context(call)), p->random);
    tern_function_save(call, inputs[0]);
    outputs[0] = run(p, inputs[0]);
}

/* The gradients of the input and the parameters, in a scope of this run's; NULL where there is none. */
static tern_status gradients(const part *p, tern_tensor *saved, bool needs_input,
                             tern_tensor *const *grads, const tensors *parameters,
                             tern_tensor **out) {
    tern_ctx *ctx = p->module->inner->ctx;
    size_t count = parameters->count;
    tern_tensor **leaves = tern_scope_alloc(ctx, (count + 1) * sizeof *leaves);
    if (!leaves) return TERN_ERR_OUT_OF_MEMORY;
    leaves[0] = tern_detach(saved);
    if (needs_input) tern_requires_grad(leaves[0], true);
    for (size_t i = 0; i < count; i++)
        leaves[i + 1] = tern_requires_grad(tern_detach(parameters->items[i]), true);
    exchange there = {parameters->items, leaves + 1, count};
    exchange back = {leaves + 1, parameters->items, count};
    if (tern_latched(ctx)) return tern_check(ctx);
    swap_parameters(p, &there);
    tern_tensor *output = run(p, leaves[0]);
    swap_parameters(p, &back);
    int skipped = !needs_input;
    return tern_grad(&output, 1, leaves + skipped, (int)count + 1 - skipped, grads,
                     TERN_ALLOW_UNUSED, out + skipped);
}

static void backward(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    part *p = tern_function_user(call);
    tern_ctx *ctx = tern_function_context(call);
    tern_generator *generator = tern_default_generator(ctx);
    uint8_t now[TERN_RNG_STATE_SIZE];
    if (!tern_module_there(p->module, "tern_checkpoint")) return;
    tern_tensor *saved = tern_function_saved(call, 0);
    tensors parameters = {0};
    collecting c = {ctx, &parameters};
    if (!walk_part(p, add_parameter, &c)) return;
    if (parameters.count + 1 != (size_t)tern_function_input_count(call)) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "tern_checkpoint: %s has different parameters than when its forward ran",
                  tern_module_name(p->module));
        return;
    }
    tern_generator_get_state(generator, now);
    tern_generator_set_state(generator, p->random, sizeof p->random);
    tern_scope scope = tern_scope_begin(ctx, TERN_ENABLE_GRAD);
    tern_status status = gradients(p, saved, tern_function_needs(call, 0), grads, &parameters, out);
    for (size_t i = 0; status == TERN_OK && i < parameters.count + 1; i++)
        if (out[i]) tern_keep(out[i]);
    tern_scope_end(scope);
    tern_generator_set_state(generator, now, sizeof now);
}

static const tern_function checkpoint = {
    .name = "CheckpointFunction", .forward = forward, .backward = backward};

static tern_tensor *run_part(const part *form, tern_tensor *input) {
    tern_ctx *ctx = form->module->inner->ctx;
    if (!tern_is_grad_enabled(ctx)) return run(form, input);
    part *p = tern_graph_alloc(ctx, sizeof *p);
    if (!p) return tern_nil(ctx);
    *p = *form;
    tern_scope scope = tern_scope_inner(ctx);
    tensors inputs = {0};
    collecting c = {ctx, &inputs};
    tern_tensor *output = tern_nil(ctx);
    if (push(ctx, &inputs, input) && walk_part(p, add_parameter, &c))
        tern_function_apply_all(&checkpoint, inputs.items, (int)inputs.count, p, &output);
    return tern_scope_return(scope, output);
}

/* ---- public ---------------------------------------------------------------------------------- */

/* Whether the module and the input are there and belong together. */
static bool takes(tern_module *module, const char *who, const tern_tensor *input) {
    return !tern_latched(module->inner->ctx) &&
           tern_argument_tensor(module->inner->ctx, who, input);
}

tern_tensor *tern_checkpoint(tern_module *module, tern_tensor *input) {
    if (!tern_module_there(module, "tern_checkpoint"))
        return tern_nn_no_module(module, "tern_checkpoint", input);
    if (!takes(module, "tern_checkpoint", input)) return tern_nil(module->inner->ctx);
    part p = {.module = module, .whole = true};
    return run_part(&p, input);
}

tern_tensor *tern_checkpoint_sequential(tern_module *module, int segments, tern_tensor *input) {
    const char *who = "tern_checkpoint_sequential";
    if (!tern_module_there(module, who)) return tern_nn_no_module(module, who, input);
    tern_ctx *ctx = module->inner->ctx;
    if (!takes(module, who, input)) return tern_nil(ctx);
    size_t count = module->inner->n_children, size = segments > 0 ? count / (size_t)segments : 0;
    if (!(module->cls->flags & TERN_MODULE_LIST) || size == 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: takes a Sequential, and 1 to %zu segments for this one, not %d", who, count,
                  segments);
        return tern_nil(ctx);
    }
    part p = {.module = module, .count = size};
    for (int i = 0; i + 1 < segments; i++, p.first += size) input = run_part(&p, input);
    p.count = count - p.first;
    return run(&p, input);
}
