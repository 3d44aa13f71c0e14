/*
 * hooks.c: hooks of modules.
 *
 * Backward hooks need two nodes in the graph, before the module and behind it (own functions that hand on
 * what they get): the one behind sees the gradients of the output first and leaves them with the call, the
 * one before it sees those of the arguments and calls the hooks.
 */
#include "tern/hooks.h"

#include "module.h"

typedef enum hook_kind { BEFORE, AFTER, BACKWARD } hook_kind;

struct tern_module_hook {
    hook_kind kind;
    tern_forward_pre_hook_fn before;
    tern_forward_hook_fn after;
    tern_backward_hook_fn backward;
    void *user;
    tern_module *module;
    tern_module_hook *next;
};

/* ---- forward --------------------------------------------------------------------------------- */

static tern_value tuple_of(tern_ctx *ctx, const tern_value *items, size_t count) {
    tern_value tuple = tern_tuple_new(ctx);
    for (size_t i = 0; i < count; i++) tern_list_append(tuple, items[i]);
    return tuple;
}

/* What a hook returned in place of a tuple. */
static tern_value replaced(tern_ctx *ctx, tern_value old, tern_value given) {
    if (given.kind == TERN_VALUE_NONE) return old;
    return given.kind == TERN_VALUE_TUPLE ? given : tuple_of(ctx, &given, 1);
}

/* Calls the hooks of one kind; `value` is the arguments (a tuple) before, the output after the forward. */
static tern_value call_hooks(tern_module *module, hook_kind kind, tern_value args,
                             tern_value value) {
    tern_ctx *ctx = module->inner->ctx;
    for (tern_module_hook *hook = module->inner->hooks, *next; hook && !tern_latched(ctx);
         hook = next) {
        next = hook->next; /* it may remove itself */
        if (hook->kind != kind) continue;
        tern_value given = kind == BEFORE ? hook->before(module, value, hook->user)
                                          : hook->after(module, args, value, hook->user);
        if (kind == BEFORE)
            value = replaced(ctx, value, given);
        else if (given.kind != TERN_VALUE_NONE)
            value = given;
    }
    return value;
}

/* ---- backward -------------------------------------------------------------------------------- */

#define MOST TERN_SCHEMA_MAX_ARGS /* tensors of a call or of its output */

/* What the two nodes of a call share, in the memory of the graph. */
typedef struct gate {
    tern_module *module;
    int n_args, n_outputs;       /* items of the two tuples */
    int arg[MOST], output[MOST]; /* which of them pass the nodes */
    int n_arg, n_output;
    tern_tensor *grad_output[MOST]; /* while a backward goes from one node to the other */
} gate;

static tern_value gradients(tern_ctx *ctx, int count, const int *places, tern_tensor *const *grads,
                            int n) {
    tern_value tuple = tern_tuple_new(ctx);
    for (int i = 0, k = 0; i < count; i++) {
        bool is_there = k < n && places[k] == i;
        tern_list_append(tuple, is_there ? tern_tensor_value(grads[k]) : tern_none());
        k += is_there;
    }
    return tuple;
}

/* Calls the hooks; what they make of the arguments' gradients goes to out_grads. */
static void call_backward_hooks(const gate *g, tern_tensor *const *grads, tern_tensor **out_grads) {
    if (!tern_module_there(g->module, "a module's backward hook")) return;
    tern_ctx *ctx = g->module->inner->ctx;
    tern_value input = gradients(ctx, g->n_args, g->arg, grads, g->n_arg);
    tern_value output = gradients(ctx, g->n_outputs, g->output, g->grad_output, g->n_output);
    for (tern_module_hook *hook = g->module->inner->hooks, *next; hook && !tern_latched(ctx);
         hook = next) {
        next = hook->next;
        if (hook->kind == BACKWARD)
            input = replaced(ctx, input, hook->backward(g->module, input, output, hook->user));
    }
    if (!tern_latched(ctx) && tern_value_count(input) != (size_t)g->n_args)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: a backward hook returned %zu gradients for %d arguments",
                  tern_module_name(g->module), tern_value_count(input), g->n_args);
    for (int k = 0; out_grads && k < g->n_arg && !tern_latched(ctx); k++) {
        tern_value item = tern_value_at(input, (size_t)g->arg[k]);
        out_grads[k] = item.kind == TERN_VALUE_TENSOR ? item.as.tensor : NULL;
    }
}

static void hand_on(tern_function_call *call, tern_tensor *const *inputs, tern_tensor **outputs) {
    for (int k = 0; k < tern_function_input_count(call); k++) outputs[k] = inputs[k];
}

static void before_backward(tern_function_call *call, tern_tensor *const *grads,
                            tern_tensor **out_grads) {
    call_backward_hooks(tern_function_user(call), grads, out_grads);
}

/* The gradients of the output are needed once more, at the other node. */
static void behind_backward(tern_function_call *call, tern_tensor *const *grads,
                            tern_tensor **out_grads) {
    gate *g = tern_function_user(call);
    for (int k = 0; k < g->n_output; k++) {
        out_grads[k] = grads[k];
        g->grad_output[k] =
            tern_has_grad_required(grads[k]) ? grads[k] : tern_keep(tern_detach(grads[k]));
    }
    if (g->n_arg == 0) call_backward_hooks(g, NULL, NULL);
}

/* Sends the tensors of a tuple that need a gradient through a node; which they are goes to `places`. */
static tern_value through_node(tern_ctx *ctx, gate *g, tern_value tuple, bool behind) {
    tern_tensor *tensors[MOST], *passed[MOST];
    int count = 0, n = (int)tern_value_count(tuple), *places = behind ? g->output : g->arg;
    for (int i = 0; i < n && count < MOST; i++) {
        tern_value item = tern_value_at(tuple, (size_t)i);
        if (item.kind != TERN_VALUE_TENSOR || !tern_has_grad_required(item.as.tensor)) continue;
        places[count] = i;
        tensors[count++] = item.as.tensor;
    }
    *(behind ? &g->n_outputs : &g->n_args) = n;
    *(behind ? &g->n_output : &g->n_arg) = count;
    tern_function node = {.name = "BackwardHookFunction",
                          .n_outputs = count,
                          .forward = hand_on,
                          .backward = behind ? behind_backward : before_backward};
    if (!count || tern_function_apply_all(&node, tensors, count, g, passed) != TERN_OK)
        return tuple;
    tern_value result = tern_tuple_new(ctx);
    for (int i = 0, k = 0; i < n; i++) {
        bool is_passed = k < count && places[k] == i;
        tern_list_append(result, is_passed ? tern_tensor_value(passed[k])
                                           : tern_value_at(tuple, (size_t)i));
        k += is_passed;
    }
    return result;
}

static bool has_backward_hooks(const tern_module_inner *inner) {
    for (const tern_module_hook *hook = inner->hooks; hook; hook = hook->next)
        if (hook->kind == BACKWARD) return true;
    return false;
}

/* ---- a call with hooks ----------------------------------------------------------------------- */

static tern_value run_between(tern_module *module, tern_value args, tern_value named) {
    tern_value items[TERN_SCHEMA_MAX_ARGS];
    size_t count = tern_value_count(args);
    if (count > TERN_SCHEMA_MAX_ARGS) count = TERN_SCHEMA_MAX_ARGS;
    for (size_t i = 0; i < count; i++) items[i] = tern_value_at(args, i);
    return tern_module_run(module, items, (int)count, named);
}

static tern_value run_hooked(tern_module *module, const tern_value *positional, int n_positional,
                             tern_value named) {
    tern_ctx *ctx = module->inner->ctx;
    bool gated = tern_is_grad_enabled(ctx) && has_backward_hooks(module->inner);
    gate *g = gated ? tern_graph_alloc(ctx, sizeof *g) : NULL;
    if (gated && !g) return tern_none();
    tern_scope scope = tern_scope_inner(ctx);
    tern_value args = tuple_of(ctx, positional, (size_t)n_positional);
    args = call_hooks(module, BEFORE, args, args);
    if (g) {
        g->module = module;
        args = through_node(ctx, g, args, false);
    }
    tern_value result = tern_latched(ctx) ? tern_none() : run_between(module, args, named);
    if (!tern_latched(ctx)) result = call_hooks(module, AFTER, args, result);
    if (g && !tern_latched(ctx)) {
        bool is_tuple = result.kind == TERN_VALUE_TUPLE;
        tern_value tuple = is_tuple ? result : tuple_of(ctx, &result, 1);
        tuple = through_node(ctx, g, tuple, true);
        result = is_tuple ? tuple : tern_value_at(tuple, 0);
    }
    return tern_scope_return_value(scope, tern_latched(ctx) ? tern_none() : result);
}

/* ---- registering ----------------------------------------------------------------------------- */

/* The module may be gone, and its memory another's: then the hook is not found there. */
static void unlink_hook(void *arg) {
    tern_module_hook *hook = arg, **at = &hook->module->inner->hooks;
    while (*at && *at != hook) at = &(*at)->next;
    if (*at) *at = hook->next;
}

static tern_hook *register_hook(const char *who, tern_module_hook form) {
    if (!tern_module_there(form.module, who)) return NULL;
    tern_module_inner *inner = form.module->inner;
    if (tern_latched(inner->ctx)) return NULL;
    if (!form.before && !form.after && !form.backward) {
        tern_argument_given(inner->ctx, who, "hook", NULL);
        return NULL;
    }
    tern_module_hook *hook = tern_scope_alloc(inner->ctx, sizeof *hook);
    if (!hook) return NULL;
    *hook = form;
    tern_hook *handle = tern_hook_new(inner->ctx, unlink_hook, hook);
    if (!handle) return NULL;
    tern_module_hook **at = &inner->hooks;
    while (*at) at = &(*at)->next;
    *at = hook;
    inner->run_hooked = run_hooked;
    return handle;
}

tern_hook *tern_module_forward_pre_hook(tern_module *module, tern_forward_pre_hook_fn hook,
                                        void *user) {
    return register_hook("tern_module_forward_pre_hook",
                         (tern_module_hook){BEFORE, hook, NULL, NULL, user, module, NULL});
}

tern_hook *tern_module_forward_hook(tern_module *module, tern_forward_hook_fn hook, void *user) {
    return register_hook("tern_module_forward_hook",
                         (tern_module_hook){AFTER, NULL, hook, NULL, user, module, NULL});
}

tern_hook *tern_module_backward_hook(tern_module *module, tern_backward_hook_fn hook, void *user) {
    return register_hook("tern_module_backward_hook",
                         (tern_module_hook){BACKWARD, NULL, NULL, hook, user, module, NULL});
}
