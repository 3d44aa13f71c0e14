/* parametrize.c: weights that are functions of other parameters. */
#include "parametrize.h"

#include <stdio.h>
#include <string.h>

#include "layers/layers.h"
#include "tern/state.h"

static const tern_module_class list_class = {
    TERN_MODULE_CLASS("ParametrizationList()", tern_module),
    .flags = TERN_MODULE_CONTAINER | TERN_MODULE_LIST | TERN_MODULE_COLLAPSE,
};

tern_module *tern_parametrizations_of(tern_module *module, const char *name) {
    const tern_child *all = tern_child_find(module->inner, "parametrizations", 16);
    const tern_child *list = all ? tern_child_find(all->module->inner, name, strlen(name)) : NULL;
    if (list && list->module->cls == &list_class) return list->module;
    tern_fail(module->inner->ctx, TERN_ERR_NOT_FOUND, "%s has no parametrization of '%s'",
              tern_module_name(module), name);
    return NULL;
}

tern_tensor *tern_parametrizations_value(tern_module *list) {
    tern_ctx *ctx = list->inner->ctx;
    tern_value args[TERN_SCHEMA_MAX_ARGS];
    size_t count = list->inner->parameters.count;
    if (count > TERN_SCHEMA_MAX_ARGS) count = TERN_SCHEMA_MAX_ARGS;
    for (size_t i = 0; i < count; i++)
        args[i] = tern_tensor_value(list->inner->parameters.items[i].tensor);
    for (size_t i = 0; i < list->inner->n_children && !tern_latched(ctx); i++) {
        args[0] = tern_module_call(list->inner->children[i].module, args, (int)count, tern_none());
        count = 1;
    }
    if (args[0].kind == TERN_VALUE_TENSOR) return args[0].as.tensor;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "ParametrizationList: a parametrization gave no tensor");
    return tern_nil(ctx);
}

tern_tensor *tern_plain_parameter(tern_module *module, const char *name, const char *who) {
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx) || !tern_argument_given(ctx, who, "name", name)) return NULL;
    const tern_slot *slot = tern_slot_find(&module->inner->parameters, name);
    if (slot && slot->tensor) return slot->tensor;
    tern_fail(ctx, TERN_ERR_NOT_FOUND, "%s: %s has no parameter '%s'", who,
              tern_module_name(module), name);
    return NULL;
}

/* As PyTorch's hook of weight_norm does: both keys, or nothing. Only weight norm has two originals. */
tern_value tern_parametrizations_keys(tern_module *module, const char *name, const char *path,
                                      tern_value state) {
    tern_ctx *ctx = module->inner->ctx;
    tern_module *list = tern_parametrizations_of(module, name);
    if (!list || list->inner->parameters.count != 2) return state;
    tern_textbuf keys[4] = {{0}, {0}, {0}, {0}};
    const char *dot = *path ? "." : "";
    for (int i = 0; i < 2; i++) {
        tern_textbuf_add(&keys[i], "%s%s%s_%c", path, dot, name, "gv"[i]);
        tern_textbuf_add(&keys[i + 2], "%s%sparametrizations.%s.original%d", path, dot, name, i);
    }
    bool failed = keys[0].failed || keys[1].failed || keys[2].failed || keys[3].failed;
    if (failed) tern_nn_no_memory(ctx, "load_state_dict");
    if (!failed && tern_dict_has(state, keys[0].data) && tern_dict_has(state, keys[1].data))
        for (int i = 0; i < 2; i++)
            state = tern_state_rename(ctx, state, keys[i].data, keys[i + 2].data);
    for (int i = 0; i < 4; i++) tern_textbuf_free(&keys[i]);
    return state;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* The list in the module's owner. */
static tern_module *new_list(tern_module *module, tern_module *first, tern_tensor *const *originals,
                             int n_originals) {
    char name[32];
    tern_scope scope = tern_module_begin(module);
    tern_module *list = tern_module_new(module->inner->ctx, &list_class, NULL);
    for (int i = 0; list && i < n_originals; i++) {
        bool required = tern_has_grad_required(originals[i]);
        snprintf(name, sizeof name, n_originals == 1 ? "original" : "original%d", i);
        tern_module_parameter(list, name, originals[i]);
        if (!required) tern_requires_grad(originals[i], false);
    }
    if (list) tern_module_child(list, "0", first);
    tern_scope_end(scope);
    return tern_latched(module->inner->ctx) ? NULL : list;
}

/* Shape and dtype stay; PyTorch's rule. */
static bool keeps_form(tern_module *module, tern_tensor *before, tern_tensor *after) {
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx)) return false;
    tern_shape a = tern_shape_of(before), b = tern_shape_of(after);
    if (tern_shape_equal(&a, &b) && tern_dtype_of(before) == tern_dtype_of(after)) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT,
              "Registering a parametrization may not change the shape or the dtype of the tensor: "
              "%s of %s",
              "a parametrization", tern_module_name(module));
    return false;
}

/* module.parametrizations, made where it is not there yet. */
static tern_module *container(tern_module *module) {
    const tern_child *all = tern_child_find(module->inner, "parametrizations", 16);
    if (all) return all->module;
    tern_scope scope = tern_module_begin(module);
    tern_module *dict = tern_nn_module_dict(module->inner->ctx);
    tern_scope_end(scope);
    return dict ? tern_module_child(module, "parametrizations", dict) : NULL;
}

tern_module *tern_parametrize_with(tern_module *module, const char *name, tern_module *first,
                                   tern_tensor *const *originals, int n_originals) {
    tern_ctx *ctx = module->inner->ctx;
    tern_tensor *weight = tern_plain_parameter(module, name, "tern_parametrize");
    tern_module *list = weight ? new_list(module, first, originals, n_originals) : NULL;
    if (!list) return NULL;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    bool fits = keeps_form(module, weight, tern_parametrizations_value(list));
    tern_scope_end(scope);
    tern_module *all = fits ? container(module) : NULL;
    if (!all || !tern_module_child(all, name, list)) return NULL;
    if (tern_computed_add(module, name, false)) {
        if (tern_module_remove(module, name) == TERN_OK) return list;
        tern_computed_remove(module, name);
    }
    tern_module_remove(all, name);
    return NULL;
}

tern_status tern_parametrize(tern_module *module, const char *name, tern_module *parametrization) {
    const char *who = "tern_parametrize";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx)) return tern_check(ctx);
    if (!tern_argument_given(ctx, who, "name", name) ||
        !tern_argument_given(ctx, who, "parametrization", parametrization) ||
        !tern_module_there(parametrization, who))
        return tern_check(ctx);
    if (!tern_is_parametrized(module, name)) {
        tern_tensor *weight = tern_plain_parameter(module, name, who);
        if (weight) tern_parametrize_with(module, name, parametrization, &weight, 1);
        return tern_check(ctx);
    }
    char number[32];
    tern_module *list = tern_parametrizations_of(module, name);
    snprintf(number, sizeof number, "%zu", list->inner->n_children);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *before = tern_parametrizations_value(list);
    tern_value arg = tern_tensor_value(before);
    tern_value after = tern_module_call(parametrization, &arg, 1, tern_none());
    if (after.kind == TERN_VALUE_TENSOR && keeps_form(module, before, after.as.tensor))
        tern_module_child(list, number, parametrization);
    tern_scope_end(scope);
    return tern_check(ctx);
}

bool tern_is_parametrized(const tern_module *module, const char *name) {
    if (!tern_module_there(module, "tern_is_parametrized") || !name) return false;
    const tern_computed *computed = tern_computed_find(module->inner, name);
    return computed && !computed->pruned;
}

tern_status tern_remove_parametrizations(tern_module *module, const char *name,
                                         bool leave_parametrized) {
    const char *who = "tern_remove_parametrizations";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx)) return tern_check(ctx);
    if (!tern_argument_given(ctx, who, "name", name)) return TERN_ERR_ARGUMENT;
    tern_module *list = tern_parametrizations_of(module, name);
    if (!list) return tern_check(ctx);
    const tern_slots *originals = &list->inner->parameters;
    if (!leave_parametrized && originals->count != 1)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "%s: '%s' has %zu originals: leave_parametrized must be true", who, name,
                         originals->count);
    tern_tensor *parameter = originals->items[0].tensor;
    bool required = tern_has_grad_required(parameter);
    tern_scope scope =
        originals->count == 1 ? tern_scope_begin(ctx, TERN_NO_GRAD) : tern_module_begin(module);
    tern_tensor *value = tern_clone(tern_detach(tern_parametrizations_value(list)));
    if (originals->count != 1) parameter = value;
    if (leave_parametrized && !tern_latched(ctx) && parameter != value)
        tern_update(&parameter, value);
    tern_scope_end(scope);
    if (tern_latched(ctx) || tern_is_nil(tern_module_parameter(module, name, parameter)))
        return tern_check(ctx);
    if (!required) tern_requires_grad(parameter, false);
    tern_computed_remove(module, name);
    tern_module *all = tern_child_find(module->inner, "parametrizations", 16)->module;
    tern_module_remove(all, name);
    return all->inner->n_children ? TERN_OK : tern_module_remove(module, "parametrizations");
}
