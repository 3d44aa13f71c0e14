/*
 * state.c: state_dict and load_state_dict.
 *
 * Loading compares everything first, converts every tensor next, and writes last: a state that does
 * not fit changes nothing. Messages are PyTorch's.
 */
#include <string.h>

#include "module.h"

/* ---- state_dict ------------------------------------------------------------------------------ */

typedef struct collect {
    tern_ctx *ctx;
    tern_value dict;
} collect;

static bool put_detached(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)module;
    collect *c = user;
    if (!slot->persistent) return true;
    tern_tensor *tensor = tern_detach(slot->tensor);
    if (tern_is_nil(tensor)) return false;
    return tern_dict_set(c->dict, key, tern_tensor_value(tensor)) == TERN_OK;
}

static bool put_version(void *user, const char *name, tern_module *module) {
    collect *c = user;
    int64_t version = module->cls->version ? module->cls->version : 1;
    tern_value entry = tern_dict_new(c->ctx, false);
    return tern_dict_set(entry, "version", tern_int(version)) == TERN_OK &&
           tern_dict_set(c->dict, name, entry) == TERN_OK;
}

tern_value tern_module_state_dict(tern_module *module) {
    if (!tern_module_there(module, "tern_module_state_dict")) return tern_none();
    tern_ctx *ctx = module->inner->ctx;
    collect state = {ctx, tern_dict_new(ctx, true)};
    collect metadata = {ctx, tern_dict_new(ctx, true)};
    tern_value attributes = tern_dict_new(ctx, false);
    if (!tern_latched(ctx)) {
        tern_walk_slots(module, 'a', false, put_detached, &state);
        tern_walk_modules(module, false, put_version, &metadata);
        tern_dict_set(attributes, "_metadata", metadata.dict);
        tern_dict_set_attributes(state.dict, attributes);
    }
    return tern_latched(ctx) ? tern_none() : state.dict;
}

/* ---- comparing ------------------------------------------------------------------------------- */

typedef struct load {
    tern_ctx *ctx;
    tern_value state;
    bool strict, assign;
    tern_textbuf missing, unexpected, problems;
    tern_tensor **pairs; /* (parameter, converted value) after each other */
    size_t count, capacity;
} load;

static void add_key(tern_textbuf *list, const char *key) {
    tern_textbuf_add(list, list->length ? ", \"%s\"" : "\"%s\"", key);
}

static void add_size(tern_textbuf *text, tern_shape shape) {
    tern_textbuf_add(text, "torch.Size([");
    for (int i = 0; i < shape.rank; i++)
        tern_textbuf_add(text, i ? ", %lld" : "%lld", (long long)shape.dim[i]);
    tern_textbuf_add(text, "])");
}

static bool same_shape(tern_shape a, tern_shape b) {
    return a.rank == b.rank && memcmp(a.dim, b.dim, (size_t)a.rank * sizeof a.dim[0]) == 0;
}

/* Files of PyTorch before 0.4 hold scalars as one element of rank 1. */
static bool is_old_scalar(tern_shape own, tern_shape given) {
    return own.rank == 0 && given.rank == 1 && given.dim[0] == 1;
}

static bool compare(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)module;
    load *l = user;
    if (!slot->persistent) return true;
    if (!tern_dict_has(l->state, key)) {
        add_key(&l->missing, key);
        return true;
    }
    tern_value given = tern_dict_get(l->state, key);
    if (given.kind != TERN_VALUE_TENSOR) {
        tern_textbuf_add(&l->problems,
                         "\n\tWhile copying the parameter named \"%s\", expected torch.Tensor or "
                         "Tensor-like object from checkpoint but received %s",
                         key, tern_kind_name(given.kind));
        return true;
    }
    tern_shape own = tern_shape_of(slot->tensor), other = tern_shape_of(given.as.tensor);
    if (same_shape(own, other) || is_old_scalar(own, other)) return true;
    tern_textbuf_add(&l->problems, "\n\tsize mismatch for %s: copying a param with shape ", key);
    add_size(&l->problems, other);
    tern_textbuf_add(&l->problems, " from checkpoint, the shape in current model is ");
    add_size(&l->problems, own);
    tern_textbuf_add(&l->problems, ".");
    return true;
}

static bool is_persistent(const tern_slots *slots, const char *name) {
    const tern_slot *slot = tern_slot_find(slots, name);
    return slot && slot->tensor && slot->persistent;
}

/* Keys that begin with this module's path and name nothing in it. */
static bool find_unexpected(void *user, const char *name, tern_module *module) {
    load *l = user;
    size_t length = strlen(name);
    tern_value key, item;
    for (size_t i = 0; tern_dict_at(l->state, i, &key, &item); i++) {
        if (key.kind != TERN_VALUE_STRING) continue;
        const char *rest = key.as.s;
        if (length) {
            if (strncmp(rest, name, length) != 0 || rest[length] != '.') continue;
            rest += length + 1;
        }
        const char *dot = strchr(rest, '.');
        bool known = dot ? tern_child_find(module->inner, rest, (size_t)(dot - rest)) != NULL
                         : is_persistent(&module->inner->parameters, rest) ||
                               is_persistent(&module->inner->buffers, rest);
        if (!known) add_key(&l->unexpected, key.as.s);
    }
    return true;
}

/* PyTorch's text: missing keys, unexpected keys, then sizes, a line each. */
static tern_status fail_load(load *l, const tern_module *module) {
    tern_textbuf text = {0};
    tern_textbuf_add(&text, "Error(s) in loading state_dict for %s:", tern_module_name(module));
    if (l->strict && l->missing.length)
        tern_textbuf_add(&text, "\n\tMissing key(s) in state_dict: %s. ", l->missing.data);
    if (l->strict && l->unexpected.length)
        tern_textbuf_add(&text, "\n\tUnexpected key(s) in state_dict: %s. ", l->unexpected.data);
    if (l->problems.length) tern_textbuf_add(&text, "%s", l->problems.data);
    tern_status status = text.failed ? tern_nn_no_memory(l->ctx, "load_state_dict")
                                     : tern_fail(l->ctx, TERN_ERR_ARGUMENT, "%s", text.data);
    tern_textbuf_free(&text);
    return status;
}

static tern_status check(load *l, tern_module *module) {
    if (!tern_walk_slots(module, 'a', false, compare, l) ||
        !tern_walk_modules(module, false, find_unexpected, l))
        return tern_check(l->ctx);
    if (l->missing.failed || l->unexpected.failed || l->problems.failed)
        return tern_nn_no_memory(l->ctx, "load_state_dict");
    if (l->problems.length || (l->strict && (l->missing.length || l->unexpected.length)))
        return fail_load(l, module);
    return TERN_OK;
}

/* ---- converting and writing ------------------------------------------------------------------ */

static bool stage(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)module;
    load *l = user;
    tern_value given = tern_dict_get(l->state, key);
    if (!slot->persistent || given.kind != TERN_VALUE_TENSOR) return true;
    tern_tensor *value = tern_detach(given.as.tensor);
    if (tern_rank(value) != tern_rank(slot->tensor)) value = tern_select(value, 0, 0);
    value = tern_to_device(tern_to_dtype(value, tern_dtype_of(slot->tensor)),
                           tern_device_of(slot->tensor));
    if (tern_is_nil(value)) return false;
    if (l->count + 2 > l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 64;
        tern_tensor **pairs = tern_realloc(l->pairs, l->capacity * sizeof(tern_tensor *),
                                           capacity * sizeof(tern_tensor *));
        if (!pairs) return tern_nn_no_memory(l->ctx, "load_state_dict") == TERN_OK;
        l->pairs = pairs;
        l->capacity = capacity;
    }
    l->pairs[l->count++] = slot->tensor;
    l->pairs[l->count++] = value;
    return true;
}

/* Same shape, dtype and device: each copy is one kernel that allocates nothing, and a handle takes
 * over another's storage without memory. */
static tern_status write(load *l) {
    for (size_t i = 0; i < l->count; i += 2) {
        if (l->assign && tern_update(&l->pairs[i], l->pairs[i + 1]) != TERN_OK)
            return tern_check(l->ctx);
        if (!l->assign && tern_is_nil(tern_copy_in_place(l->pairs[i], l->pairs[i + 1])))
            return tern_check(l->ctx);
    }
    return TERN_OK;
}

static tern_status load_state(tern_module *module, tern_value state, bool strict, bool assign) {
    if (!tern_module_there(module, "tern_module_load_state_dict"))
        return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (tern_check(ctx) != TERN_OK) return tern_check(ctx);
    if (state.kind != TERN_VALUE_DICT)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "Expected state_dict to be dict-like, got %s.",
                         tern_kind_name(state.kind));
    load l = {.ctx = ctx, .state = state, .strict = strict, .assign = assign};
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_status status = check(&l, module);
    if (status == TERN_OK && !tern_walk_slots(module, 'a', false, stage, &l))
        status = tern_check(ctx);
    if (status == TERN_OK) status = tern_check(ctx);
    if (status == TERN_OK) status = write(&l);
    tern_scope_end(scope);
    tern_textbuf_free(&l.missing);
    tern_textbuf_free(&l.unexpected);
    tern_textbuf_free(&l.problems);
    tern_free(l.pairs);
    return status;
}

tern_status tern_module_load_state_dict(tern_module *module, tern_value state, bool strict) {
    return load_state(module, state, strict, false);
}

tern_status tern_module_assign_state_dict(tern_module *module, tern_value state, bool strict) {
    return load_state(module, state, strict, true);
}
