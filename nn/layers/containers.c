/* containers.c: Sequential, ModuleList and ModuleDict. */
#include <stdio.h>
#include <string.h>

#include "layers.h"

/*
 * Each output lives in a scope that ends when the next one is there, so that the peak of memory does
 * not grow with the number of layers. The scope of layer i is the parent of that of layer i - 1: all
 * are opened first, and a layer's return hands its output one scope up.
 */
static tern_tensor *sequential_forward(tern_module *self, tern_tensor *input) {
    tern_ctx *ctx = self->inner->ctx;
    size_t count = self->inner->n_children;
    tern_scope *scopes = tern_scope_alloc(ctx, (count + 1) * sizeof *scopes);
    if (!scopes) return tern_nil(ctx);
    for (size_t i = count; i-- > 0;) scopes[i] = tern_scope_inner(ctx);
    tern_tensor *x = input;
    for (size_t i = 0; i < count; i++) {
        x = tern_forward(self->inner->children[i].module, x);
        x = tern_scope_return(scopes[i], x);
    }
    return x;
}

const tern_module_class tern_sequential_class = {
    TERN_MODULE_CLASS("Sequential()", tern_module),
    .forward = sequential_forward,
    .flags = TERN_MODULE_CONTAINER,
};

const tern_module_class tern_module_list_class = {
    TERN_MODULE_CLASS("ModuleList()", tern_module),
    .flags = TERN_MODULE_CONTAINER | TERN_MODULE_COLLAPSE,
};

const tern_module_class tern_module_dict_class = {
    TERN_MODULE_CLASS("ModuleDict()", tern_module),
    .flags = TERN_MODULE_CONTAINER,
};

tern_status tern_module_append(tern_module *list, tern_module *child) {
    if (!list || !child) return TERN_ERR_ARGUMENT;
    tern_ctx *ctx = list->inner->ctx;
    char name[32];
    if (list->cls != &tern_sequential_class && list->cls != &tern_module_list_class)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_module_append: %s is no list of modules",
                         tern_module_name(list));
    snprintf(name, sizeof name, "%zu", list->inner->n_children);
    return tern_module_child(list, name, child) ? TERN_OK : tern_check(ctx);
}

static tern_module *list_of(tern_ctx *ctx, const tern_module_class *cls,
                            tern_module *const *modules, size_t count) {
    tern_module *list = tern_module_new(ctx, cls, NULL);
    for (size_t i = 0; list && i < count; i++) {
        if (tern_module_append(list, modules[i]) == TERN_OK) continue;
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: module %zu is NULL", tern_module_name(list), i);
        tern_module_free(list);
        list = NULL;
    }
    return list;
}

tern_module *tern_nn_sequential(tern_ctx *ctx, tern_module *const *modules, size_t count) {
    return list_of(ctx, &tern_sequential_class, modules, count);
}

tern_module *tern_nn_module_list(tern_ctx *ctx, tern_module *const *modules, size_t count) {
    return list_of(ctx, &tern_module_list_class, modules, count);
}

tern_module *tern_nn_module_dict(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_module_dict_class, NULL);
}
