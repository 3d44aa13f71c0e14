/*
 * computed.c: tensors of a module that are computed of others before every forward: parametrized and pruned
 * weights. They are neither parameters nor buffers; the module's code finds them in its members while it runs.
 */
#include <stdio.h>
#include <string.h>

#include "parametrize.h"

const tern_computed *tern_computed_find(const tern_module_inner *inner, const char *name) {
    for (size_t i = 0; i < inner->n_computed; i++)
        if (strcmp(inner->computed[i].name, name) == 0) return &inner->computed[i];
    return NULL;
}

/* "Parametrized" before the class's name where it is, as PyTorch calls it. */
static bool rename_class(tern_module *module) {
    tern_module_inner *inner = module->inner;
    char name[128];
    bool parametrized = false;
    for (size_t i = 0; i < inner->n_computed; i++)
        parametrized = parametrized || !inner->computed[i].pruned;
    snprintf(name, sizeof name, "%s%.*s", parametrized ? "Parametrized" : "",
             (int)tern_class_name_length(module->cls), module->cls->schema);
    const char *own = tern_module_own_text(inner, name);
    if (own) inner->name = own;
    return own != NULL;
}

static tern_tensor *pruned_value(tern_module *module, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "%s_orig", name);
    const tern_slot *original = tern_slot_find(&module->inner->parameters, key);
    snprintf(key, sizeof key, "%s_mask", name);
    const tern_slot *mask = tern_slot_find(&module->inner->buffers, key);
    if (original && mask && original->tensor && mask->tensor)
        return tern_mul(mask->tensor, original->tensor);
    tern_fail(module->inner->ctx, TERN_ERR_STATE, "%s: '%s_orig' or '%s_mask' was removed",
              tern_module_name(module), name, name);
    return tern_nil(module->inner->ctx);
}

static tern_tensor *value_of(tern_module *module, const tern_computed *computed) {
    if (computed->pruned) return pruned_value(module, computed->name);
    tern_module *list = tern_parametrizations_of(module, computed->name);
    return list ? tern_parametrizations_value(list) : tern_nil(module->inner->ctx);
}

static bool begin(tern_module *module) {
    tern_module_inner *inner = module->inner;
    for (size_t i = 0; i < inner->n_computed && !tern_latched(inner->ctx); i++)
        tern_module_set_member(module, inner->computed[i].name,
                               value_of(module, &inner->computed[i]));
    return !tern_latched(inner->ctx);
}

static void end(tern_module *module) {
    for (size_t i = 0; i < module->inner->n_computed; i++)
        tern_module_set_member(module, module->inner->computed[i].name, NULL);
}

static tern_value current_keys(tern_module *module, const char *path, tern_value state) {
    for (size_t i = 0; i < module->inner->n_computed; i++)
        if (!module->inner->computed[i].pruned)
            state =
                tern_parametrizations_keys(module, module->inner->computed[i].name, path, state);
    return state;
}

static const tern_computing computing = {value_of, begin, end, current_keys};

bool tern_computed_add(tern_module *module, const char *name, bool pruned) {
    tern_module_inner *inner = module->inner;
    tern_computed *items = tern_module_grown(inner, inner->computed, inner->n_computed,
                                             &inner->computed_capacity, sizeof *items);
    const char *own = items ? tern_module_own_text(inner, name) : NULL;
    if (!own) return false;
    inner->computed = items;
    inner->computing = &computing;
    inner->computed[inner->n_computed++] = (tern_computed){own, pruned};
    if (rename_class(module)) return true;
    inner->n_computed--;
    return false;
}

void tern_computed_remove(tern_module *module, const char *name) {
    tern_module_inner *inner = module->inner;
    for (size_t i = 0; i < inner->n_computed; i++)
        if (strcmp(inner->computed[i].name, name) == 0)
            inner->computed[i--] = inner->computed[--inner->n_computed];
    rename_class(module);
}
