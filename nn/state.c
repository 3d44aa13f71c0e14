/*
 * state.c: state_dict and load_state_dict.
 *
 * Loading compares everything first, converts every tensor next, and writes last: a state that does
 * not fit changes nothing. Messages are PyTorch's.
 */
#include <string.h>

#include "module.h"
#include "tern/state.h"

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
    unsigned flags;
    tern_value missing, unexpected, mismatched; /* of the report */
    tern_tensor **pairs;                        /* (parameter, converted value) after each other */
    size_t count, capacity;
} load;

/* Files of PyTorch before 0.4 hold scalars as one element of rank 1. */
static bool fits(tern_value given, const tern_tensor *own) {
    if (given.kind != TERN_VALUE_TENSOR) return false;
    tern_shape have = tern_shape_of(given.as.tensor), want = tern_shape_of(own);
    bool old_scalar = want.rank == 0 && have.rank == 1 && have.dim[0] == 1;
    return old_scalar || tern_shape_equal(&have, &want);
}

static tern_value size_value(tern_ctx *ctx, const tern_tensor *tensor) {
    tern_value tuple = tern_tuple_new(ctx);
    for (int i = 0; i < tern_rank(tensor); i++)
        tern_list_append(tuple, tern_int(tern_size(tensor, i)));
    return tuple;
}

/* (key, the state's size or kind, the model's size) */
static bool note_mismatch(load *l, const char *key, tern_value given, const tern_tensor *own) {
    tern_value entry = tern_tuple_new(l->ctx);
    tern_list_append(entry, tern_string(l->ctx, key));
    tern_list_append(entry, given.kind == TERN_VALUE_TENSOR
                                ? size_value(l->ctx, given.as.tensor)
                                : tern_text(tern_kind_name(given.kind)));
    tern_list_append(entry, size_value(l->ctx, own));
    return tern_list_append(l->mismatched, entry) == TERN_OK;
}

/* Keys of older versions get today's names. */
static bool rename_older(void *user, const char *path, tern_module *module) {
    load *l = user;
    const tern_computing *computing = module->inner->computing;
    if (computing) l->state = computing->current_keys(module, path, l->state);
    return !tern_latched(l->ctx);
}

static bool compare(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)module;
    load *l = user;
    if (!slot->persistent) return true;
    if (!tern_dict_has(l->state, key))
        return tern_list_append(l->missing, tern_string(l->ctx, key)) == TERN_OK;
    tern_value given = tern_dict_get(l->state, key);
    return fits(given, slot->tensor) || note_mismatch(l, key, given, slot->tensor);
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
        if (!known && tern_list_append(l->unexpected, tern_string(l->ctx, key.as.s)) != TERN_OK)
            return false;
    }
    return true;
}

/* ---- PyTorch's text -------------------------------------------------------------------------- */

/* Ends the line that begins at `from`, whose keys have no lines of their own. */
static void end_line(tern_textbuf *text, size_t from) {
    if (!text->failed && text->length > from) tern_text_tame(text->data + from + 2, false);
}

static void add_keys(tern_textbuf *text, const char *what, tern_value keys) {
    size_t count = tern_value_count(keys), from = text->length;
    if (count) tern_textbuf_add(text, "\n\t%s key(s) in state_dict: ", what);
    for (size_t i = 0; i < count; i++)
        tern_textbuf_add(text, i ? ", \"%s\"" : "\"%s\"", tern_value_at(keys, i).as.s);
    if (count) tern_textbuf_add(text, ". ");
    end_line(text, from);
}

static void add_size(tern_textbuf *text, tern_value size) {
    tern_textbuf_add(text, "torch.Size([");
    for (size_t i = 0; i < tern_value_count(size); i++)
        tern_textbuf_add(text, i ? ", %lld" : "%lld", (long long)tern_value_at(size, i).as.i);
    tern_textbuf_add(text, "])");
}

static void add_mismatch(tern_textbuf *text, tern_value entry) {
    const char *key = tern_value_at(entry, 0).as.s;
    tern_value given = tern_value_at(entry, 1);
    size_t from = text->length;
    if (given.kind == TERN_VALUE_STRING) {
        tern_textbuf_add(text,
                         "\n\tWhile copying the parameter named \"%s\", expected torch.Tensor or "
                         "Tensor-like object from checkpoint but received %s",
                         key, given.as.s);
        end_line(text, from);
        return;
    }
    tern_textbuf_add(text, "\n\tsize mismatch for %s: copying a param with shape ", key);
    add_size(text, given);
    tern_textbuf_add(text, " from checkpoint, the shape in current model is ");
    add_size(text, tern_value_at(entry, 2));
    tern_textbuf_add(text, ".");
    end_line(text, from);
}

/* Missing keys, unexpected keys, then sizes, a line each. */
static tern_status fail_load(load *l, const tern_module *module) {
    tern_textbuf text = {0};
    if (l->flags & TERN_LOAD_STRICT) {
        add_keys(&text, "Missing", l->missing);
        add_keys(&text, "Unexpected", l->unexpected);
    }
    for (size_t i = 0; i < tern_value_count(l->mismatched); i++)
        add_mismatch(&text, tern_value_at(l->mismatched, i));
    tern_status status = TERN_OK;
    if (text.failed)
        status = tern_nn_no_memory(l->ctx, "load_state_dict");
    else /* behind the first line's newline and tab */
        status =
            tern_fail(l->ctx, TERN_ERR_ARGUMENT, "Error(s) in loading state_dict for %s:\n\t%s",
                      tern_module_name(module), text.data + 2);
    tern_textbuf_free(&text);
    return status;
}

static tern_status check(load *l, tern_module *module) {
    if (!tern_walk_modules(module, false, rename_older, l) ||
        !tern_walk_slots(module, 'a', false, compare, l) ||
        !tern_walk_modules(module, false, find_unexpected, l) || tern_latched(l->ctx))
        return tern_check(l->ctx);
    bool keys = tern_value_count(l->missing) || tern_value_count(l->unexpected);
    if ((l->flags & TERN_LOAD_STRICT && keys) ||
        (!(l->flags & TERN_LOAD_SKIP) && tern_value_count(l->mismatched)))
        return fail_load(l, module);
    return TERN_OK;
}

/* ---- converting and writing ------------------------------------------------------------------ */

static bool stage(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)module;
    load *l = user;
    tern_value given = tern_dict_get(l->state, key);
    if (!slot->persistent || !fits(given, slot->tensor)) return true;
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
    bool assign = (l->flags & TERN_LOAD_ASSIGN) != 0;
    for (size_t i = 0; i < l->count; i += 2) {
        if (assign && tern_update(&l->pairs[i], l->pairs[i + 1]) != TERN_OK)
            return tern_check(l->ctx);
        if (!assign && tern_is_nil(tern_copy_in_place(l->pairs[i], l->pairs[i + 1])))
            return tern_check(l->ctx);
    }
    return TERN_OK;
}

static tern_status convert_and_write(load *l, tern_module *module) {
    tern_scope scope = tern_scope_begin(l->ctx, TERN_NO_GRAD);
    bool staged = tern_walk_slots(module, 'a', false, stage, l);
    tern_status status = tern_check(l->ctx);
    if (staged && status == TERN_OK) status = write(l);
    tern_scope_end(scope);
    tern_free(l->pairs);
    return status;
}

static tern_value report_of(const load *l) {
    tern_value report = tern_dict_new(l->ctx, false);
    tern_dict_set(report, "missing_keys", l->missing);
    tern_dict_set(report, "unexpected_keys", l->unexpected);
    tern_dict_set(report, "mismatched_keys", l->mismatched);
    return report;
}

tern_value tern_module_load_state(tern_module *module, tern_value state, unsigned flags) {
    if (!tern_module_there(module, "tern_module_load_state")) return tern_none();
    tern_ctx *ctx = module->inner->ctx;
    if (tern_check(ctx) != TERN_OK) return tern_none();
    if (state.kind != TERN_VALUE_DICT) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "Expected state_dict to be dict-like, got %s.",
                  tern_kind_name(state.kind));
        return tern_none();
    }
    load l = {.ctx = ctx,
              .state = state,
              .flags = flags,
              .missing = tern_list_new(ctx),
              .unexpected = tern_list_new(ctx),
              .mismatched = tern_list_new(ctx)};
    /* Made before anything is written: a report that fails changes nothing. */
    tern_value report = report_of(&l);
    if (tern_latched(ctx) || check(&l, module) != TERN_OK ||
        convert_and_write(&l, module) != TERN_OK)
        return tern_none();
    return report;
}

static tern_status load_state(tern_module *module, tern_value state, unsigned flags) {
    if (!tern_module_there(module, "tern_module_load_state_dict"))
        return tern_module_absent(module);
    tern_scope scope = tern_scope_begin(module->inner->ctx, TERN_NO_GRAD);
    tern_module_load_state(module, state, flags);
    tern_scope_end(scope);
    return tern_check(module->inner->ctx);
}

tern_status tern_module_load_state_dict(tern_module *module, tern_value state, bool strict) {
    return load_state(module, state, strict ? TERN_LOAD_STRICT : 0);
}

tern_status tern_module_assign_state_dict(tern_module *module, tern_value state, bool strict) {
    return load_state(module, state, TERN_LOAD_ASSIGN | (strict ? TERN_LOAD_STRICT : 0));
}
