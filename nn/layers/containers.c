/* containers.c: Sequential, ModuleList and ModuleDict, ParameterList and ParameterDict. */
#include <stdio.h>
#include <string.h>

#include "layers.h"

/*
 * Each output lives in a scope that ends when the next one is there, so that the peak of memory does
 * not grow with the number of layers. The scope of layer i is the parent of that of layer i - 1: all
 * are opened first, and a layer's return hands its output one scope up.
 */
tern_tensor *tern_module_run_children(tern_module *self, size_t first, size_t count,
                                      tern_tensor *input) {
    tern_ctx *ctx = self->inner->ctx;
    tern_scope *scopes = tern_scope_alloc(ctx, (count + 1) * sizeof *scopes);
    if (!scopes) return tern_nil(ctx);
    for (size_t i = count; i-- > 0;) scopes[i] = tern_scope_inner(ctx);
    tern_tensor *x = input;
    for (size_t i = 0; i < count; i++) {
        const tern_child *child = self->inner->children + first + i;
        tern_tensor *both =
            i + 1 < count ? tern_layer_pair(child[0].module, child[1].module, x) : NULL;
        x = both ? both : tern_forward(child->module, x);
        x = tern_scope_return(scopes[i], x);
        if (both) x = tern_scope_return(scopes[++i], x);
    }
    return x;
}

static tern_tensor *sequential_forward(tern_module *self, tern_tensor *input) {
    return tern_module_run_children(self, 0, self->inner->n_children, input);
}

const tern_module_class tern_sequential_class = {
    TERN_MODULE_CLASS("Sequential()", tern_module),
    .forward = sequential_forward,
    .flags = TERN_MODULE_CONTAINER | TERN_MODULE_LIST,
};

const tern_module_class tern_module_list_class = {
    TERN_MODULE_CLASS("ModuleList()", tern_module),
    .flags = TERN_MODULE_CONTAINER | TERN_MODULE_LIST | TERN_MODULE_COLLAPSE,
};

const tern_module_class tern_module_dict_class = {
    TERN_MODULE_CLASS("ModuleDict()", tern_module),
    .flags = TERN_MODULE_CONTAINER,
};

tern_status tern_module_append(tern_module *list, tern_module *child) {
    if (!tern_module_there(list, "tern_module_append")) return tern_module_absent(list);
    tern_ctx *ctx = list->inner->ctx;
    char name[32];
    if (!(list->cls->flags & TERN_MODULE_LIST))
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "tern_module_append: %s is not a list of modules, as Sequential and ModuleList are",
            tern_module_name(list));
    snprintf(name, sizeof name, "%zu", list->inner->n_children);
    return tern_module_child(list, name, child) ? TERN_OK : tern_check(ctx);
}

static tern_module *list_of(tern_ctx *ctx, const tern_module_class *cls,
                            tern_module *const *modules, size_t count) {
    if (count > 0 && !tern_argument_given(ctx, cls->schema, "modules", modules)) return NULL;
    tern_module *list = tern_module_new(ctx, cls, NULL);
    for (size_t i = 0; list && i < count; i++) {
        if (modules[i] && tern_module_append(list, modules[i]) == TERN_OK) continue;
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

/* ---- parameters by number and by name -------------------------------------------------------- */

const tern_module_class tern_parameter_list_class = {
    TERN_MODULE_CLASS("ParameterList()", tern_module),
    .flags = TERN_MODULE_PARAMETERS,
};

const tern_module_class tern_parameter_dict_class = {
    TERN_MODULE_CLASS("ParameterDict()", tern_module),
    .flags = TERN_MODULE_PARAMETERS,
};

/* A copy in the module's owner. */
static tern_tensor *add_parameter(tern_module *self, const char *name, tern_tensor *tensor) {
    tern_ctx *ctx = tern_module_context(self);
    if (!tern_argument_tensor(ctx, tern_module_name(self), tensor)) return tern_nil(ctx);
    tern_scope scope = tern_module_begin(self);
    tern_tensor *own = scope.serial ? tern_clone(tern_detach(tensor)) : NULL;
    if (own) own = tern_module_parameter(self, name, own);
    tern_scope_end(scope);
    return own;
}

static tern_tensor *refuse(tern_module *self, tern_tensor *tensor, const char *who) {
    if (!tern_module_there(self, who)) return tern_nn_no_module(self, who, tensor);
    tern_ctx *ctx = tern_module_context(self);
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: does not apply to a %s", who, tern_module_name(self));
    return tern_nil(ctx);
}

tern_tensor *tern_parameter_append(tern_module *list, tern_tensor *tensor) {
    char name[32];
    if (!tern_module_there(list, "tern_parameter_append") ||
        list->cls != &tern_parameter_list_class)
        return refuse(list, tensor, "tern_parameter_append");
    snprintf(name, sizeof name, "%zu", list->inner->parameters.count);
    return add_parameter(list, name, tensor);
}

tern_tensor *tern_parameter_set(tern_module *dict, const char *name, tern_tensor *tensor) {
    if (!tern_module_there(dict, "tern_parameter_set") || dict->cls != &tern_parameter_dict_class)
        return refuse(dict, tensor, "tern_parameter_set");
    return add_parameter(dict, name, tensor);
}

tern_module *tern_nn_parameter_list(tern_ctx *ctx, tern_tensor *const *tensors, size_t count) {
    if (count > 0 && !tern_argument_given(ctx, "ParameterList", "tensors", tensors)) return NULL;
    tern_module *list = tern_module_new(ctx, &tern_parameter_list_class, NULL);
    for (size_t i = 0; list && i < count; i++) tern_parameter_append(list, tensors[i]);
    return tern_latched(ctx) ? NULL : list;
}

tern_module *tern_nn_parameter_dict(tern_ctx *ctx) {
    return tern_module_new(ctx, &tern_parameter_dict_class, NULL);
}
