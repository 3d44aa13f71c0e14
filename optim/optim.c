/* optim.c: making optimizers, their groups and options. */
#include <string.h>

#include "classes.h"

/* ---- groups ---------------------------------------------------------------------------------- */

static bool has_param(const tern_group *group, size_t count, const tern_tensor *tensor) {
    for (size_t i = 0; i < count; i++)
        if (group->params[i].tensor == tensor) return true;
    return false;
}

/* One parameter as PyTorch accepts it; latches and returns NULL otherwise. */
static tern_tensor *accept(tern_optim_body *optim, tern_value item) {
    if (item.kind != TERN_VALUE_TENSOR || tern_is_nil(item.as.tensor)) {
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT,
                  "optimizer can only optimize Tensors, but one of the params is %s",
                  tern_kind_name(item.kind));
        return NULL;
    }
    if (!tern_is_leaf(item.as.tensor)) {
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT, "can't optimize a non-leaf Tensor");
        return NULL;
    }
    if (optim->cls->accepts && !optim->cls->accepts(optim->ctx, item.as.tensor)) return NULL;
    for (size_t g = 0; g < optim->n_groups; g++) {
        if (!has_param(&optim->groups[g], optim->groups[g].count, item.as.tensor)) continue;
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT,
                  "some parameters appear in more than one parameter group");
        return NULL;
    }
    return item.as.tensor;
}

/* The index-th of a list, a dict of named ones or a single tensor. */
static tern_value param_at(tern_value params, size_t index, const char **out_name) {
    tern_value name, item;
    *out_name = NULL;
    if (params.kind == TERN_VALUE_TENSOR) return params;
    if (params.kind != TERN_VALUE_DICT) return tern_value_at(params, index);
    if (!tern_dict_at(params, index, &name, &item) || name.kind != TERN_VALUE_STRING)
        return tern_none();
    *out_name = name.as.s;
    return item;
}

static bool is_params(tern_value value) {
    return value.kind == TERN_VALUE_TENSOR || value.kind == TERN_VALUE_LIST ||
           value.kind == TERN_VALUE_TUPLE || value.kind == TERN_VALUE_DICT;
}

static bool fill_params(tern_optim_body *optim, tern_group *group, tern_value params) {
    if (!is_params(params)) {
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT,
                  "params argument given to the optimizer should be an iterable of Tensors or "
                  "dicts, but got %s",
                  tern_kind_name(params.kind));
        return false;
    }
    size_t count = params.kind == TERN_VALUE_TENSOR ? 1 : tern_value_count(params);
    group->params = tern_scope_alloc(optim->ctx, (count + 1) * sizeof *group->params);
    group->has_names = params.kind == TERN_VALUE_DICT;
    if (!group->params) return false;
    for (size_t i = 0; i < count; i++) {
        const char *name;
        tern_tensor *tensor = accept(optim, param_at(params, i, &name));
        if (!tensor) return false;
        if (has_param(group, group->count, tensor)) continue;
        tern_param *param = &group->params[group->count++];
        param->tensor = tensor;
        if (name && !(param->name = tern_string(optim->ctx, name).as.s)) return false;
    }
    return true;
}

/* The group's own options over the optimizer's. An unknown key is an extra, as PyTorch keeps it. */
static bool fill_options(tern_optim_body *optim, tern_group *group, tern_value overrides) {
    tern_ctx *ctx = optim->ctx;
    tern_value key, item;
    group->extras = tern_dict_new(ctx, false);
    group->options = tern_scope_alloc(ctx, optim->cls->options_size);
    if (!group->options || group->extras.kind != TERN_VALUE_DICT) return false;
    memcpy(group->options, optim->defaults, optim->cls->options_size);
    for (size_t i = 0; tern_dict_at(overrides, i, &key, &item); i++) {
        if (key.kind != TERN_VALUE_STRING || strcmp(key.as.s, "params") == 0) continue;
        const tern_field *field = tern_field_find(optim->cls->fields, key.as.s);
        if (!field) {
            if (tern_dict_set(group->extras, key.as.s, item) != TERN_OK) return false;
        } else if (!tern_field_set(ctx, field, group->options, item)) {
            tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: a group's '%s' cannot be a %s", optim->cls->name,
                      key.as.s, tern_kind_name(item.kind));
            return false;
        }
    }
    return tern_fields_own(ctx, optim->cls->fields, group->options) &&
           tern_optim_check(ctx, optim->cls, group->options);
}

/* Room for one more group; the owner's scope is open. */
static tern_group *next_group(tern_optim_body *optim) {
    if (optim->n_groups == optim->groups_capacity) {
        size_t capacity = optim->groups_capacity ? optim->groups_capacity * 2 : 2;
        tern_group *groups = tern_scope_alloc(optim->ctx, capacity * sizeof *groups);
        if (!groups) return NULL;
        if (optim->n_groups) memcpy(groups, optim->groups, optim->n_groups * sizeof *groups);
        optim->groups = groups;
        optim->groups_capacity = capacity;
    }
    return &optim->groups[optim->n_groups];
}

static bool add_group(tern_optim_body *optim, tern_value group_value) {
    if (optim->cls->whole && optim->n_groups > 0) {
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT,
                  "%s doesn't support per-parameter options (parameter groups)", optim->cls->name);
        return false;
    }
    bool is_group = group_value.kind == TERN_VALUE_DICT && tern_dict_has(group_value, "params");
    tern_value params = is_group ? tern_dict_get(group_value, "params") : group_value;
    tern_group *group = next_group(optim), filled = {0};
    if (!group || !fill_params(optim, &filled, params) ||
        !fill_options(optim, &filled, is_group ? group_value : tern_none()))
        return false;
    for (size_t i = 0; optim->cls->eager && i < filled.count; i++) {
        filled.params[i].state.exists = true;
        if (!tern_state_prepare(optim, &filled, &filled.params[i])) return false;
    }
    *group = filled;
    optim->n_groups++;
    return true;
}

tern_status tern_optim_add_group(tern_optim *handle, tern_value group) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_add_group");
    if (!optim) return tern_handle_status(handle);
    if (tern_optim_latched(optim->ctx)) return tern_check(optim->ctx);
    if (group.kind != TERN_VALUE_DICT)
        return tern_fail(optim->ctx, TERN_ERR_ARGUMENT, "param_group must be a dict, but got %s",
                         tern_kind_name(group.kind));
    tern_scope scope = tern_owner_begin(optim->owner, TERN_NO_GRAD);
    if (scope.serial) add_group(optim, group);
    tern_scope_end(scope);
    return tern_optim_latched(optim->ctx) ? tern_check(optim->ctx) : TERN_OK;
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool is_group_list(tern_value params) {
    tern_value first = tern_value_at(params, 0);
    return (params.kind == TERN_VALUE_LIST || params.kind == TERN_VALUE_TUPLE) &&
           first.kind == TERN_VALUE_DICT;
}

/* With the owner's scope open. */
static tern_optim_body *build(tern_ctx *ctx, tern_owner *owner, const tern_optim_class *cls,
                              const void *options, tern_value params) {
    tern_optim_body *optim = tern_scope_alloc(ctx, sizeof *optim);
    if (!optim) return NULL;
    optim->ctx = ctx;
    optim->owner = owner;
    optim->handle = tern_handle_new(ctx, "optimizer", optim);
    optim->cls = cls;
    optim->state_owner = tern_owner_new(ctx);
    optim->defaults = tern_scope_alloc(ctx, cls->options_size);
    if (!optim->handle || !optim->state_owner || !optim->defaults) return NULL;
    memcpy(optim->defaults, options, cls->options_size);
    if (!tern_fields_own(ctx, cls->fields, optim->defaults)) return NULL;
    if (cls->settle) cls->settle(optim->defaults);
    if (!tern_optim_check(ctx, cls, optim->defaults)) return NULL;
    if (is_params(params) && params.kind != TERN_VALUE_TENSOR && tern_value_count(params) == 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "optimizer got an empty parameter list");
        return NULL;
    }
    if (!is_group_list(params)) return add_group(optim, params) ? optim : NULL;
    for (size_t i = 0; i < tern_value_count(params); i++)
        if (!add_group(optim, tern_value_at(params, i))) return NULL;
    return optim;
}

static tern_optim *make(tern_ctx *ctx, const tern_optim_class *cls, const void *options,
                        tern_value params) {
    if (tern_optim_latched(ctx)) return NULL;
    tern_owner *owner = tern_owner_new(ctx);
    if (!owner) return NULL;
    tern_scope scope = tern_owner_begin(owner, TERN_NO_GRAD);
    tern_optim_body *optim = scope.serial ? build(ctx, owner, cls, options, params) : NULL;
    tern_scope_end(scope);
    if (optim && !tern_optim_latched(ctx)) return optim->handle;
    tern_owner_free(owner);
    return NULL;
}

tern_optim *tern_optim_of_class(tern_ctx *ctx, const tern_optim_class *cls, tern_value params,
                                const void *options) {
    void *given = tern_alloc(cls->options_size);
    tern_optim *optim = NULL;
    if (!given) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", cls->name);
        return NULL;
    }
    memcpy(given, cls->defaults, cls->options_size);
    if (tern_options_read(ctx, cls->name, options, given)) optim = make(ctx, cls, given, params);
    tern_free(given);
    return optim;
}

/* `positional` are the constructor's arguments after params. */
static tern_optim *make_by_name(tern_ctx *ctx, const char *where, tern_value params,
                                const char *name, tern_value positional, tern_value named) {
    const tern_optim_class *cls = tern_optim_class_of(name);
    tern_value args[TERN_SCHEMA_MAX_ARGS];
    size_t count = tern_value_count(positional);
    if (!cls || count > TERN_SCHEMA_MAX_ARGS) {
        tern_optim_unknown(ctx, where, "optimizer", name, tern_optim_name_at);
        return NULL;
    }
    void *options = tern_alloc(cls->options_size);
    tern_optim *optim = NULL;
    if (!options) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", where);
        return NULL;
    }
    memcpy(options, cls->defaults, cls->options_size);
    for (size_t i = 0; i < count; i++) args[i] = tern_value_at(positional, i);
    if (tern_fields_bind(ctx, where, cls->schema, cls->fields, args, (int)count, named, options))
        optim = make(ctx, cls, options, params);
    tern_free(options);
    return optim;
}

tern_optim *tern_optim_make(tern_ctx *ctx, tern_value params, const char *name, tern_value args) {
    if (tern_optim_latched(ctx) || !tern_argument_given(ctx, "tern_optim_make", "name", name))
        return NULL;
    return make_by_name(ctx, "tern_optim_make", params, name, tern_none(), args);
}

tern_optim *tern_optim_new(tern_module *module, const char *text) {
    tern_ctx *ctx = tern_module_context(module);
    if (!ctx || tern_optim_latched(ctx) ||
        !tern_argument_given(ctx, "tern_optim_new", "text", text))
        return NULL;
    /* The parsed text and the list of parameters are scratch; the optimizer is not. */
    tern_owner *scratch = tern_owner_new(ctx);
    tern_scope scope = tern_owner_begin(scratch, 0);
    tern_value call = tern_none(), params = tern_none();
    if (scope.serial) {
        params = tern_module_parameters(module);
        call = tern_notation_parse(ctx, "tern_optim_new", text);
    }
    tern_scope_end(scope);
    tern_value name = tern_dict_get(call, "module");
    tern_optim *optim = NULL;
    if (!tern_optim_latched(ctx)) {
        if (name.kind == TERN_VALUE_STRING)
            optim = make_by_name(ctx, "tern_optim_new", params, name.as.s,
                                 tern_dict_get(call, "positional"), tern_dict_get(call, "args"));
        else
            tern_fail(ctx, TERN_ERR_ARGUMENT,
                      "tern_optim_new: expected an optimizer, such as SGD(lr=0.01)");
    }
    tern_owner_free(scratch);
    return optim;
}

void tern_optim_free(tern_optim *handle) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_free");
    if (optim) tern_owner_free(optim->owner);
}

/* ---- looking --------------------------------------------------------------------------------- */

tern_ctx *tern_optim_context(const tern_optim *handle) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_context");
    return optim ? optim->ctx : NULL;
}

const char *tern_optim_name(const tern_optim *handle) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_name");
    return optim ? optim->cls->name : "";
}

size_t tern_optim_group_count(const tern_optim *handle) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_group_count");
    return optim ? optim->n_groups : 0;
}

tern_tensor *tern_optim_parameter(const tern_optim *handle, size_t index) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_parameter");
    for (size_t g = 0; optim && g < optim->n_groups; g++) {
        if (index < optim->groups[g].count) return optim->groups[g].params[index].tensor;
        index -= optim->groups[g].count;
    }
    return NULL;
}

tern_value tern_optim_get(const tern_optim *handle, size_t group, const char *option) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_get");
    if (!optim || !option || group >= optim->n_groups) return tern_none();
    const tern_field *field = tern_field_find(optim->cls->fields, option);
    if (!field) return tern_dict_get(optim->groups[group].extras, option);
    return tern_field_get(optim->ctx, field, optim->groups[group].options);
}

/* A text that is set becomes the optimizer's own. */
static bool own_text(tern_optim_body *optim, const tern_field *field, void *options) {
    const char **text = (const char **)(void *)((char *)options + field->offset);
    if (field->type != TERN_FIELD_TEXT || !*text) return true;
    tern_scope scope = tern_owner_begin(optim->owner, 0);
    *text = scope.serial ? tern_string(optim->ctx, *text).as.s : NULL;
    tern_scope_end(scope);
    return !tern_optim_latched(optim->ctx);
}

/* Tries the value on a copy, so that one that is refused changes nothing. */
static bool set_checked(tern_optim_body *optim, tern_group *group, const tern_field *field,
                        tern_value value) {
    size_t size = optim->cls->options_size;
    void *trial = tern_alloc(size);
    bool ok = false;
    if (!trial) {
        tern_fail(optim->ctx, TERN_ERR_OUT_OF_MEMORY, "tern_optim_set: out of memory");
        return false;
    }
    memcpy(trial, group->options, size);
    if (!tern_field_set(optim->ctx, field, trial, value))
        tern_fail(optim->ctx, TERN_ERR_ARGUMENT, "%s: '%s' cannot be a %s", optim->cls->name,
                  field->name, tern_kind_name(value.kind));
    else
        ok = own_text(optim, field, trial) && tern_optim_check(optim->ctx, optim->cls, trial);
    if (ok) memcpy(group->options, trial, size);
    tern_free(trial);
    return ok;
}

tern_status tern_optim_set(tern_optim *handle, size_t group, const char *option, tern_value value) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_set");
    if (!optim) return tern_handle_status(handle);
    if (!tern_argument_given(optim->ctx, "tern_optim_set", "option", option))
        return TERN_ERR_ARGUMENT;
    const tern_field *field = tern_field_find(optim->cls->fields, option);
    if (group >= optim->n_groups)
        return tern_fail(optim->ctx, TERN_ERR_INDEX, "%s has %zu parameter groups, not %zu",
                         optim->cls->name, optim->n_groups, group + 1);
    if (!field)
        return tern_fail(optim->ctx, TERN_ERR_NOT_FOUND, "%s has no option '%s'", optim->cls->name,
                         option);
    return set_checked(optim, &optim->groups[group], field, value) ? TERN_OK
                                                                   : tern_check(optim->ctx);
}

tern_status tern_group_set_extra(tern_optim_body *optim, size_t group, const char *name,
                                 double value) {
    tern_scope scope = tern_owner_begin(optim->owner, 0);
    tern_status status = TERN_ERR_OUT_OF_MEMORY;
    if (scope.serial) status = tern_dict_set(optim->groups[group].extras, name, tern_float(value));
    tern_scope_end(scope);
    return status;
}
