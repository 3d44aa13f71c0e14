/* pth_inspect.c: what is in a .pth file, by walking the tree of its pickle. */
#include <stdio.h>
#include <string.h>

#include "inspect.h"
#include "pth_calls.h"
#include "pth_reader.h"
#include "tern/memory.h"

enum { MAX_DEPTH = 256, NODE_COST = 16, PAIR_COST = 64 };

typedef struct walker {
    tern_inspection *in;
    tern_pth_file file;
    tern_pth_reader reader; /* of keys and leaves */
    int depth;
} walker;

static bool walk(walker *w, tern_pnode *node);
static bool tell_value(walker *w, tern_value value);

static bool fail(const walker *w, const char *what) {
    tern_fail(w->in->ctx, TERN_ERR_FORMAT, "%s: %s", w->file.path, what);
    return false;
}

/* ---- containers ------------------------------------------------------------------------------ */

static bool walk_items(walker *w, tern_pnode *node) {
    bool ok = true;
    for (size_t i = 0; ok && i < node->length; i++) {
        char index[24];
        int length = snprintf(index, sizeof index, "%zu", i);
        size_t before = tern_inspect_enter(w->in, index, (size_t)length);
        ok = walk(w, node->as.items[i]);
        tern_inspect_leave(w->in, before);
    }
    return ok;
}

/* The reader says which items a set may hold; there is no tensor among them. */
static bool walk_set(walker *w, tern_pnode *node) {
    tern_value items = tern_pth_set(&w->reader, node);
    bool ok = !w->reader.failed;
    for (size_t i = 0; ok && i < tern_value_count(items); i++) {
        char index[24];
        int length = snprintf(index, sizeof index, "%zu", i);
        size_t before = tern_inspect_enter(w->in, index, (size_t)length);
        ok = tell_value(w, tern_value_at(items, i));
        tern_inspect_leave(w->in, before);
    }
    return ok;
}

/* Converts a pair's key and remembers the pair as its last one. */
static bool note_key(walker *w, tern_pnode *key_node, size_t index, tern_value last) {
    tern_value key = tern_pth_convert(&w->reader, key_node);
    if (w->reader.failed) return false;
    if (!tern_pth_is_key(key))
        return fail(w, "a dict's key is neither text nor number nor a tuple of them");
    if (key.kind == TERN_VALUE_TUPLE) return true;
    return tern_inspect_spend(w->in, PAIR_COST) &&
           tern_dict_set_value(last, key, tern_int((int64_t)index)) == TERN_OK;
}

static bool walk_pair(walker *w, tern_value key, tern_pnode *item, bool comes_again) {
    char text[400];
    if (key.kind != TERN_VALUE_STRING) {
        tern_value_repr(key, text, sizeof text);
        key = tern_text(text);
    }
    size_t before = tern_inspect_enter(w->in, key.as.s, key.length);
    bool ok = comes_again ? tern_inspect_warn(w->in, "it is there twice; the last one counts")
                          : walk(w, item);
    tern_inspect_leave(w->in, before);
    return ok;
}

/* As Python has it, a key that comes again replaces what it had. */
static bool walk_pairs(walker *w, const tern_pnode *node) {
    tern_pnode *key_node, *item;
    tern_value last = tern_dict_new(w->in->ctx, false);
    size_t count = tern_pth_pairs(node);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        tern_pth_pair(node, i, &key_node, &item);
        ok = note_key(w, key_node, i, last);
    }
    for (size_t i = 0; ok && i < count; i++) {
        tern_pth_pair(node, i, &key_node, &item);
        tern_value key = tern_pth_convert(&w->reader, key_node);
        if (w->reader.failed) return false;
        bool again =
            key.kind != TERN_VALUE_TUPLE && tern_dict_get_value(last, key).as.i != (int64_t)i;
        ok = walk_pair(w, key, item, again);
    }
    return ok;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

static bool tell_tensor(walker *w, const tern_pnode *arguments, int version) {
    tern_pth_array a;
    if (!tern_pth_array_of(&w->file.storages, arguments, version, &a)) return false;
    uint64_t skipped = (uint64_t)a.offset * a.type.size;
    tern_inspected told = {
        a.type.name, a.sizes,     a.strides, a.numel ? a.storage->data + skipped : a.storage->data,
        a.type.size, a.type.size, false};
    return tern_inspect_tensor(w->in, &told);
}

static bool tell_bytes(walker *w, tern_value bytes) {
    if (w->reader.failed || !tern_inspect_spend(w->in, bytes.length)) return false;
    char *hex = tern_alloc(2 * (size_t)bytes.length + 1);
    if (!hex) {
        tern_fail(w->in->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to tell it", w->file.path);
        return false;
    }
    for (uint32_t i = 0; i < bytes.length; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes.as.s[i] & 255);
    tern_value text = tern_string_n(w->in->ctx, hex, 2 * (size_t)bytes.length);
    tern_free(hex);
    return tern_inspect_leaf(w->in, text);
}

static bool tell_leaf(walker *w, tern_pnode *node) {
    tern_value value = tern_pth_convert(&w->reader, node);
    return !w->reader.failed && tell_value(w, value);
}

static bool tell_value(walker *w, tern_value value) {
    char text[64];
    if (value.kind == TERN_VALUE_DTYPE) {
        snprintf(text, sizeof text, "torch.%s", tern_dtype_name(value.as.dtype));
        value = tern_string(w->in->ctx, text);
    }
    return tern_inspect_leaf(w->in, value);
}

/* A dtype that Tern does not have is a leaf all the same. */
static bool tell_unsupported(walker *w, int known) {
    char text[64];
    tern_pth_type type;
    snprintf(text, sizeof text, "it is %s, which is left out", tern_pth_unsupported(known));
    if (!tern_pth_type_of(known, &type)) return tern_inspect_warn(w->in, text);
    snprintf(text, sizeof text, "torch.%s", type.name);
    return tern_inspect_leaf(w->in, tern_string(w->in->ctx, text));
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool walk_call(walker *w, tern_pnode *node, int function, tern_pnode *arguments) {
    tern_pnode *const *items = arguments->as.items;
    if (function >= TERN_G_UNSUPPORTED) return tell_unsupported(w, function);
    switch (function) {
    case TERN_G_ORDERED_DICT:
    case TERN_G_COUNTER: return walk_pairs(w, node);
    case TERN_G_SCRIPT_CLASS: return !node->built || walk(w, node->built);
    case TERN_G_SET: return arguments->length == 0 || walk_set(w, items[0]);
    case TERN_G_SIZE:
    case TERN_G_SCRIPT_LIST:
    case TERN_G_SCRIPT_TAGGED:
    case TERN_G_PARAMETER:
    case TERN_G_PARAMETER_STATE: return walk(w, items[0]);
    case TERN_G_TENSOR_V1: return tell_tensor(w, arguments, 1);
    case TERN_G_TENSOR_V2: return tell_tensor(w, arguments, 2);
    case TERN_G_TENSOR_V3: return tell_tensor(w, arguments, 3);
    case TERN_G_FROM_TYPE: return walk_call(w, node, items[0]->as.known, items[2]);
    case TERN_G_ENCODE:
    case TERN_G_BYTES: return tell_bytes(w, tern_pth_convert(&w->reader, node));
    default: return tell_leaf(w, node);
    }
}

static bool walk_checked(walker *w, tern_pnode *node) {
    const char *fault = tern_pth_call_fault(node);
    return fault ? fail(w, fault)
                 : walk_call(w, node, node->as.items[0]->as.known, node->as.items[1]);
}

/* Depth bounds a value that contains itself, the budget one that repeats its parts. */
static bool walk(walker *w, tern_pnode *node) {
    if (!tern_inspect_spend(w->in, NODE_COST)) return false;
    if (w->depth >= MAX_DEPTH) return fail(w, "refused: it is nested deeper than 256");
    w->depth++;
    bool ok;
    switch ((tern_pnode_kind)node->kind) {
    case TERN_P_LIST:
    case TERN_P_TUPLE: ok = walk_items(w, node); break;
    case TERN_P_SET: ok = walk_set(w, node); break;
    case TERN_P_DICT: ok = walk_pairs(w, node); break;
    case TERN_P_CALL: ok = walk_checked(w, node); break;
    case TERN_P_BYTES: ok = tell_bytes(w, tern_pth_convert(&w->reader, node)); break;
    case TERN_P_GLOBAL:
        ok = node->as.known >= TERN_G_UNSUPPORTED ? tell_unsupported(w, node->as.known)
                                                  : tell_leaf(w, node);
        break;
    default: ok = tell_leaf(w, node); break;
    }
    w->depth--;
    return ok;
}

bool tern_pth_inspect(tern_inspection *in, const char *path, const unsigned char *bytes,
                      size_t size, uint64_t most_unpacked) {
    walker w = {.in = in};
    bool ok = tern_pth_open(&w.file, in->ctx, path, bytes, size, NULL) == TERN_OK;
    w.file.zip.most = most_unpacked;
    w.file.zip.forgets = in->mapping;
    if (ok) tern_pth_reader_init(&w.reader, &w.file);
    if (ok && w.file.zip.no_checksums)
        ok = tern_inspect_warn_file(in, "no checksums are stored: damage would not be found");
    if (ok && w.file.zip.behind)
        ok = tern_inspect_warn_file(in, "there are bytes behind its end, which are passed over");
    ok = ok && walk(&w, w.file.root);
    tern_pth_close(&w.file);
    return ok && tern_check(in->ctx) == TERN_OK;
}
