/* state.c: the state of parameters, state_dict and load_state_dict. */
#include <string.h>

#include "internal.h"

/* ---- making and moving state ----------------------------------------------------------------- */

static tern_shape shape_of_state(const tern_optim_body *optim, const tern_tensor *param,
                                 int index) {
    return optim->cls->state_shape ? optim->cls->state_shape(param, index) : tern_shape_of(param);
}

/* On the parameter's device, in its dtype. */
static tern_tensor *empty_state(const tern_optim_body *optim, tern_tensor *param, int index) {
    if (!optim->cls->state_shape) return tern_empty_like(param);
    tern_shape shape = shape_of_state(optim, param, index);
    return tern_to_device(tern_empty(optim->ctx, shape, tern_dtype_of(param)),
                          tern_device_of(param));
}

static tern_tensor *fresh_tensor(tern_optim_body *optim, const tern_group *group,
                                 tern_tensor *param, int index) {
    double value = optim->cls->fresh ? optim->cls->fresh(group->options, index) : 0;
    return tern_fill_in_place(empty_state(optim, param, index), value);
}

/* The same tensor where it fits its parameter already. */
static tern_tensor *following(tern_tensor *state, const tern_tensor *param) {
    return tern_to_device(tern_to_dtype(state, tern_dtype_of(param)), tern_device_of(param));
}

static bool prepare_tensor(tern_optim_body *optim, const tern_group *group, tern_param *param,
                           int index) {
    tern_tensor **slot = &param->state.tensor[index];
    tern_tensor *ready =
        *slot ? following(*slot, param->tensor) : fresh_tensor(optim, group, param->tensor, index);
    if (tern_is_nil(ready)) return false;
    if (*slot && *slot != ready) tern_drop(*slot);
    *slot = ready;
    return true;
}

/* Whether all that `needs` names is there and where its parameter is. */
static bool is_prepared(const tern_param *param, uint32_t needs) {
    for (int i = 0; i < TERN_STATE_TENSORS; i++) {
        const tern_tensor *state = param->state.tensor[i];
        if (needs >> i & 1u && (!state || !tern_optim_same_place(state, param->tensor)))
            return false;
    }
    return true;
}

/* Makes or moves it. */
static bool prepare_tensors(tern_optim_body *optim, const tern_group *group, tern_param *param,
                            uint32_t needs) {
    bool ok = true;
    tern_scope scope = tern_owner_begin(optim->state_owner, TERN_NO_GRAD);
    if (!scope.serial) return false;
    for (int i = 0; i < TERN_STATE_TENSORS && ok; i++)
        if (needs >> i & 1u) ok = prepare_tensor(optim, group, param, i);
    tern_scope_end(scope);
    return ok;
}

bool tern_state_prepare(tern_optim_body *optim, const tern_group *group, tern_param *param) {
    uint32_t needs = optim->cls->needs(group->options, param->tensor);
    bool ok = is_prepared(param, needs) || prepare_tensors(optim, group, param, needs);
    if (ok && !param->state.exists && optim->cls->fresh_scalars)
        optim->cls->fresh_scalars(group->options, param->state.scalar);
    if (ok && optim->cls->eager) param->state.live |= needs;
    return ok;
}

/* ---- looking --------------------------------------------------------------------------------- */

static tern_param *param_number(const tern_optim_body *optim, size_t index) {
    for (size_t g = 0; g < optim->n_groups; g++) {
        if (index < optim->groups[g].count) return &optim->groups[g].params[index];
        index -= optim->groups[g].count;
    }
    return NULL;
}

static tern_tensor *tensor_of_whole(const tern_optim_body *optim, const char *name) {
    tern_value item = tern_dict_get(optim->cls->whole->save(optim), name);
    return item.kind == TERN_VALUE_TENSOR ? item.as.tensor : NULL;
}

tern_tensor *tern_optim_state(const tern_optim *handle, size_t parameter, const char *name) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_state");
    const tern_param *param = optim ? param_number(optim, parameter) : NULL;
    if (optim) tern_undo_settle(optim);
    if (param && optim->cls->whole && parameter == 0) return tensor_of_whole(optim, name);
    if (!param || !param->state.exists) return NULL;
    const tern_param_state *state = &param->state;
    for (const tern_state_key *key = optim->cls->keys; key->name; key++) {
        if (strcmp(key->name, name) != 0) continue;
        if (key->is_scalar)
            return tern_scalar_tensor(optim->ctx, state->scalar[key->index], TERN_FLOAT32);
        return state->live >> key->index & 1u ? state->tensor[key->index] : NULL;
    }
    return NULL;
}

/* ---- state_dict ------------------------------------------------------------------------------ */

static tern_value state_of(const tern_optim_body *optim, const tern_param_state *state) {
    tern_ctx *ctx = optim->ctx;
    tern_value dict = tern_dict_new(ctx, false);
    for (const tern_state_key *key = optim->cls->keys; key->name; key++) {
        tern_tensor *tensor;
        if (key->is_scalar)
            tensor = tern_scalar_tensor(ctx, state->scalar[key->index], TERN_FLOAT32);
        else if (state->live >> key->index & 1u)
            tensor = tern_detach(state->tensor[key->index]);
        else
            continue;
        if (tern_is_nil(tensor)) return tern_none();
        tern_dict_set(dict, key->name, tern_tensor_value(tensor));
    }
    return dict;
}

static void put_names(tern_ctx *ctx, const tern_group *group, tern_value dict) {
    tern_value names = tern_list_new(ctx);
    for (size_t i = 0; i < group->count; i++)
        tern_list_append(names, tern_string(ctx, group->params[i].name));
    tern_dict_set(dict, "param_names", names);
}

static tern_value group_of(const tern_optim_body *optim, const tern_group *group, size_t first) {
    tern_ctx *ctx = optim->ctx;
    tern_schema schema;
    tern_value dict = tern_dict_new(ctx, false), params = tern_list_new(ctx), key, item;
    if (!tern_schema_parse(optim->cls->schema, &schema)) return tern_none();
    if (group->has_names) put_names(ctx, group, dict);
    for (const tern_field *field = optim->cls->fields; field->name; field++)
        tern_dict_set(dict, field->name, tern_field_shown(ctx, &schema, field, group->options));
    for (size_t i = 0; tern_dict_at(group->extras, i, &key, &item); i++)
        tern_dict_set_value(dict, key, item);
    for (size_t i = 0; i < group->count; i++)
        tern_list_append(params, tern_int((int64_t)(first + i)));
    tern_dict_set(dict, "params", params);
    return dict;
}

tern_value tern_optim_state_dict(tern_optim *handle) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_state_dict");
    if (optim) tern_undo_settle(optim);
    if (!optim || tern_optim_latched(optim->ctx)) return tern_none();
    tern_ctx *ctx = optim->ctx;
    tern_value dict = tern_dict_new(ctx, false), state = tern_dict_new(ctx, false);
    tern_value groups = tern_list_new(ctx);
    size_t first = 0;
    if (optim->whole) tern_dict_set_value(state, tern_int(0), optim->cls->whole->save(optim));
    for (size_t g = 0; g < optim->n_groups && !tern_optim_latched(ctx); g++) {
        const tern_group *group = &optim->groups[g];
        for (size_t i = 0; i < group->count; i++)
            if (group->params[i].state.exists)
                tern_dict_set_value(state, tern_int((int64_t)(first + i)),
                                    state_of(optim, &group->params[i].state));
        tern_list_append(groups, group_of(optim, group, first));
        first += group->count;
    }
    tern_dict_set(dict, "state", state);
    tern_dict_set(dict, "param_groups", groups);
    return tern_optim_latched(ctx) ? tern_none() : dict;
}

/* ---- load_state_dict ------------------------------------------------------------------------- */

/* Everything a load replaces, made beside what is there and swapped in at the end. */
typedef struct load {
    tern_optim_body *optim;
    tern_owner *owner;  /* of the new state tensors and extras */
    tern_group *groups; /* options, extras; params with their new state */
    void *whole;        /* of a class with `whole` */
} load;

static tern_status refuse(load *l, const char *message) {
    return tern_fail(l->optim->ctx, TERN_ERR_ARGUMENT, "%s", message);
}

static bool load_options(load *l, tern_group *group, tern_value saved) {
    tern_ctx *ctx = l->optim->ctx;
    tern_value key, item;
    for (size_t i = 0; tern_dict_at(saved, i, &key, &item); i++) {
        if (key.kind != TERN_VALUE_STRING) continue;
        const tern_field *field = tern_field_find(l->optim->cls->fields, key.as.s);
        if (field && !tern_field_set(ctx, field, group->options, item)) {
            tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the saved '%s' cannot be a %s",
                      l->optim->cls->name, key.as.s, tern_kind_name(item.kind));
            return false;
        }
        if (!field && tern_value_is_number(item) &&
            tern_dict_set(group->extras, key.as.s, item) != TERN_OK)
            return false;
    }
    return tern_optim_check(ctx, l->optim->cls, group->options);
}

static bool has_shape(const tern_tensor *tensor, tern_shape shape) {
    tern_shape is = tern_shape_of(tensor);
    return tern_shape_equal(&is, &shape);
}

static bool load_tensor(load *l, tern_param *param, const tern_state_key *key, tern_value saved) {
    tern_ctx *ctx = l->optim->ctx;
    tern_shape shape = shape_of_state(l->optim, param->tensor, key->index);
    if (saved.kind != TERN_VALUE_TENSOR || !has_shape(saved.as.tensor, shape)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: the saved state '%s' does not have its parameter's shape",
                  l->optim->cls->name, key->name);
        return false;
    }
    tern_tensor *copy = empty_state(l->optim, param->tensor, key->index);
    if (tern_is_nil(tern_copy_in_place(copy, saved.as.tensor))) return false;
    param->state.tensor[key->index] = copy;
    param->state.live |= 1u << key->index;
    return true;
}

static bool load_scalar(load *l, tern_param *param, const tern_state_key *key, tern_value saved) {
    bool is_tensor = saved.kind == TERN_VALUE_TENSOR && tern_numel(saved.as.tensor) == 1;
    if (!is_tensor && !tern_value_is_number(saved)) {
        tern_fail(l->optim->ctx, TERN_ERR_ARGUMENT, "%s: the saved state '%s' is not a number",
                  l->optim->cls->name, key->name);
        return false;
    }
    param->state.scalar[key->index] =
        is_tensor ? tern_item(saved.as.tensor) : tern_value_as_double(saved);
    return true;
}

/* PyTorch 1.x wrote {'momentum_buffer': None}: such an entry is as good as none. */
static bool load_param(load *l, tern_param *param, tern_value saved) {
    bool ok = true;
    param->state = (tern_param_state){0};
    for (const tern_state_key *key = l->optim->cls->keys; key->name && ok; key++) {
        tern_value item = tern_dict_get(saved, key->name);
        if (item.kind == TERN_VALUE_NONE) continue;
        param->state.exists = true;
        ok = key->is_scalar ? load_scalar(l, param, key, item) : load_tensor(l, param, key, item);
    }
    return ok && !tern_optim_latched(l->optim->ctx);
}

static bool load_whole(load *l, tern_value saved) {
    if (saved.kind == TERN_VALUE_NONE) return true;
    l->whole = l->optim->cls->whole->load(l->optim, saved);
    return l->whole != NULL;
}

/* Copies one group with its options and loads into the copy; the new owner's scope is open. */
static bool load_group(load *l, size_t index, tern_value saved, tern_value state) {
    tern_optim_body *optim = l->optim;
    tern_ctx *ctx = optim->ctx;
    const tern_group *old = &optim->groups[index];
    tern_group *group = &l->groups[index];
    tern_value ids = tern_dict_get(saved, "params");
    *group = *old;
    group->extras = tern_dict_new(ctx, false);
    group->options = tern_scope_alloc(ctx, optim->cls->options_size);
    group->params = tern_scope_alloc(ctx, (old->count + 1) * sizeof *group->params);
    if (!group->options || !group->params || group->extras.kind != TERN_VALUE_DICT) return false;
    memcpy(group->options, old->options, optim->cls->options_size);
    memcpy(group->params, old->params, old->count * sizeof *group->params);
    if (!load_options(l, group, saved)) return false;
    if (!tern_fields_own(ctx, optim->cls->fields, group->options)) return false;
    if (optim->cls->whole) return load_whole(l, tern_dict_get_value(state, tern_value_at(ids, 0)));
    for (size_t i = 0; i < group->count; i++)
        if (!load_param(l, &group->params[i], tern_dict_get_value(state, tern_value_at(ids, i))))
            return false;
    return true;
}

static tern_status check_layout(load *l, tern_value state, tern_value groups) {
    if (state.kind != TERN_VALUE_DICT || groups.kind != TERN_VALUE_LIST)
        return refuse(l, "load_state_dict: expected a dict with 'state' and 'param_groups'");
    if (tern_value_count(groups) != l->optim->n_groups)
        return refuse(l, "loaded state dict has a different number of parameter groups");
    for (size_t g = 0; g < l->optim->n_groups; g++) {
        tern_value ids = tern_dict_get(tern_value_at(groups, g), "params");
        if (tern_value_count(ids) != l->optim->groups[g].count)
            return refuse(l, "loaded state dict contains a parameter group that doesn't match the "
                             "size of optimizer's group");
    }
    return TERN_OK;
}

/* Options and extras go where the old ones are; parameters take their new state. */
static void commit(load *l) {
    tern_optim_body *optim = l->optim;
    for (size_t g = 0; g < optim->n_groups; g++) {
        tern_group *to = &optim->groups[g], *from = &l->groups[g];
        memcpy(to->options, from->options, optim->cls->options_size);
        memcpy(to->params, from->params, to->count * sizeof *to->params);
        to->extras = from->extras;
    }
    tern_owner_free(optim->state_owner);
    optim->state_owner = l->owner;
    optim->whole = l->whole;
}

tern_status tern_optim_load_state_dict(tern_optim *handle, tern_value state) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_load_state_dict");
    if (!optim) return tern_handle_status(handle);
    tern_ctx *ctx = optim->ctx;
    tern_undo_settle(optim);
    if (tern_check(ctx) != TERN_OK) return tern_check(ctx);
    load l = {.optim = optim};
    tern_value params = tern_dict_get(state, "state");
    tern_value groups = tern_dict_get(state, "param_groups");
    if (check_layout(&l, params, groups) != TERN_OK) return tern_check(ctx);
    tern_scope outer = tern_owner_begin(optim->owner, TERN_NO_GRAD);
    l.owner = outer.serial ? tern_owner_new(ctx) : NULL;
    tern_scope inner = tern_owner_begin(l.owner, 0);
    bool ok = l.owner && inner.serial;
    if (ok) l.groups = tern_scope_alloc(ctx, optim->n_groups * sizeof *l.groups);
    for (size_t g = 0; ok && l.groups && g < optim->n_groups; g++)
        ok = load_group(&l, g, tern_value_at(groups, g), params);
    tern_scope_end(inner);
    tern_scope_end(outer);
    ok = ok && l.groups && tern_check(ctx) == TERN_OK;
    if (ok)
        commit(&l);
    else
        tern_owner_free(l.owner);
    return ok ? TERN_OK : tern_check(ctx);
}
