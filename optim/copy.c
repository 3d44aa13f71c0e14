/* copy.c: an optimizer for the copy of its module. */
#include "classes.h"
#include "tern/state.h"

/* The parameter of `copy` that has the name of this one in `names`, of the module; NULL after latching. */
static tern_tensor *counterpart(const tern_optim_body *optim, tern_value names, tern_module *copy,
                                const tern_tensor *param) {
    tern_value name, item;
    for (size_t i = 0; tern_dict_at(names, i, &name, &item); i++)
        if (item.as.tensor == param) return tern_module_tensor(copy, name.as.s);
    tern_fail(optim->ctx, TERN_ERR_ARGUMENT,
              "tern_optim_copy: %s has a parameter that is not the module's", optim->cls->name);
    return NULL;
}

/* {"params": [...]}, or their dict by name, over the copy. */
static tern_value group_over(const tern_optim_body *optim, const tern_group *group,
                             tern_value names, tern_module *copy) {
    tern_value dict = tern_dict_new(optim->ctx, false);
    tern_value params =
        group->has_names ? tern_dict_new(optim->ctx, true) : tern_list_new(optim->ctx);
    for (size_t i = 0; i < group->count && !tern_optim_latched(optim->ctx); i++) {
        const tern_param *param = &group->params[i];
        tern_tensor *tensor = counterpart(optim, names, copy, param->tensor);
        if (group->has_names)
            tern_dict_set(params, param->name, tern_tensor_value(tensor));
        else
            tern_list_append(params, tern_tensor_value(tensor));
    }
    tern_dict_set(dict, "params", params);
    return dict;
}

tern_optim *tern_optim_copy(tern_optim *handle, tern_module *module, tern_module *copy) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_copy");
    if (!optim || tern_optim_latched(optim->ctx)) return NULL;
    if (tern_module_context(module) != optim->ctx || tern_module_context(copy) != optim->ctx) {
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT,
                  "tern_optim_copy: the modules must be there, and of the optimizer's context");
        return NULL;
    }
    tern_owner *scratch = tern_owner_new(optim->ctx);
    tern_scope scope = tern_owner_begin(scratch, TERN_NO_GRAD);
    tern_value groups = tern_list_new(optim->ctx), state = tern_none();
    if (scope.serial) {
        tern_value names = tern_module_named_parameters(module);
        for (size_t g = 0; g < optim->n_groups; g++)
            tern_list_append(groups, group_over(optim, &optim->groups[g], names, copy));
        state = tern_optim_state_dict(handle);
    }
    tern_scope_end(scope);
    tern_optim *result = tern_optim_of_class(optim->ctx, optim->cls, groups, optim->defaults);
    if (result && tern_optim_load_state_dict(result, state) != TERN_OK) {
        tern_optim_free(result);
        result = NULL;
    }
    tern_owner_free(scratch);
    return result;
}
