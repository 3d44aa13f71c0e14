/* state_keys.c: state dicts with other keys: entries removed, renamed, those of one part. */
#include <string.h>

#include "module.h"
#include "tern/state.h"

/* How much of the key the path names: its length, with the dot behind it where it names a module; -1 for
 * nothing. */
static int named_by(const char *key, const char *path) {
    size_t length = strlen(path);
    if (strncmp(key, path, length) != 0) return -1;
    bool is_beginning = length == 0 || path[length - 1] == '.';
    return is_beginning || key[length] == '.' || key[length] == '\0' ? (int)length : -1;
}

typedef enum edit { REMOVE, RENAME, BELOW } edit;

/* The key's new name in the open scope; none where it is left out. */
static tern_value new_key(tern_ctx *ctx, tern_value key, edit what, const char *path,
                          const char *to) {
    int length = key.kind == TERN_VALUE_STRING ? named_by(key.as.s, path) : -1;
    if (what == REMOVE) return length < 0 ? key : tern_none();
    if (length < 0) return what == RENAME ? key : tern_none();
    const char *rest = key.as.s + length;
    if (what == BELOW) return tern_string(ctx, rest + (*rest == '.'));
    tern_textbuf text = {0};
    tern_textbuf_add(&text, "%s%s", to, rest);
    tern_value renamed = text.failed ? tern_none() : tern_string(ctx, text.data);
    if (text.failed) tern_nn_no_memory(ctx, "tern_state_rename");
    tern_textbuf_free(&text);
    return renamed;
}

/* Texts are copied, since the new dict may live longer than the old one. */
static void put(tern_value dict, tern_value key, tern_value item) {
    if (key.kind == TERN_VALUE_STRING)
        tern_dict_set(dict, key.as.s, item);
    else
        tern_dict_set_value(dict, key, item);
}

static tern_value edited(tern_ctx *ctx, tern_value dict, edit what, const char *path,
                         const char *to) {
    tern_value result = tern_dict_new(ctx, tern_dict_is_ordered(dict)), key, item;
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item) && !tern_latched(ctx); i++) {
        tern_value name = new_key(ctx, key, what, path, to);
        if (name.kind == TERN_VALUE_NONE) continue;
        if (name.kind == TERN_VALUE_STRING && tern_dict_has(result, name.as.s))
            tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_state_rename: two entries would be called '%s'",
                      name.as.s);
        put(result, name, item);
    }
    return result;
}

/* The module "module" of "module." has a version too: it becomes the one of what is left of it. */
static tern_value edited_versions(tern_ctx *ctx, tern_value versions, edit what, const char *path,
                                  const char *to) {
    size_t length = strlen(path), target = to ? strlen(to) : 0;
    bool trims = what == RENAME && length && path[length - 1] == '.';
    tern_value result = tern_dict_new(ctx, tern_dict_is_ordered(versions)), key, item;
    for (size_t i = 0; tern_dict_at(versions, i, &key, &item) && !tern_latched(ctx); i++) {
        tern_value name = new_key(ctx, key, what, path, to);
        bool is_root = trims && key.kind == TERN_VALUE_STRING && strlen(key.as.s) == length - 1 &&
                       strncmp(key.as.s, path, length - 1) == 0;
        if (is_root)
            name = tern_string_n(ctx, to, target && to[target - 1] == '.' ? target - 1 : target);
        if (name.kind != TERN_VALUE_NONE) put(result, name, item);
    }
    return result;
}

static tern_value edit_state(tern_ctx *ctx, const char *who, tern_value state, edit what,
                             const char *path, const char *to) {
    if (tern_latched(ctx) || !tern_argument_given(ctx, who, "path", path)) return tern_none();
    if (state.kind != TERN_VALUE_DICT) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the state is a %s, not a dict", who,
                  tern_kind_name(state.kind));
        return tern_none();
    }
    tern_value result = edited(ctx, state, what, path, to);
    tern_value old = tern_dict_attributes(state), key, item;
    if (old.kind == TERN_VALUE_DICT) {
        tern_value attributes = tern_dict_new(ctx, tern_dict_is_ordered(old));
        for (size_t i = 0; tern_dict_at(old, i, &key, &item); i++) put(attributes, key, item);
        tern_value versions = tern_dict_get(old, "_metadata");
        if (versions.kind == TERN_VALUE_DICT)
            tern_dict_set(attributes, "_metadata", edited_versions(ctx, versions, what, path, to));
        tern_dict_set_attributes(result, attributes);
    }
    return tern_latched(ctx) ? tern_none() : result;
}

tern_value tern_state_remove(tern_ctx *ctx, tern_value state, const char *path) {
    return edit_state(ctx, "tern_state_remove", state, REMOVE, path, NULL);
}

tern_value tern_state_rename(tern_ctx *ctx, tern_value state, const char *path, const char *to) {
    if (tern_latched(ctx) || !tern_argument_given(ctx, "tern_state_rename", "to", to))
        return tern_none();
    return edit_state(ctx, "tern_state_rename", state, RENAME, path, to);
}

tern_value tern_state_below(tern_ctx *ctx, tern_value state, const char *path) {
    return edit_state(ctx, "tern_state_below", state, BELOW, path, NULL);
}
