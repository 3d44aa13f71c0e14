/* pth_read.c: values from the tree of a pickle. */
#include <stdio.h>
#include <string.h>

#include "pth.h"
#include "pth_reader.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "utf8.h"

enum { FRESH = 0, OPEN, DONE };
enum { MAX_DEPTH = 256 };

/*
 * A pickle of a few bytes can stand for a tree of astronomic size, each list holding the one before
 * twice. The values share as the pickle does and stay small, but whoever walks them would not end. So
 * what they stand for is counted: this many for each byte of the pickle, and a start.
 */
#define WEIGHT_PER_BYTE 64u
#define WEIGHT_START    1000000u

static tern_value refuse(tern_pth_reader *r, tern_status status, const char *what) {
    if (!r->failed)
        tern_fail(r->ctx, status, "%s: %s%s%s%s", r->path, r->place_length ? "'" : "", r->place,
                  r->place_length ? "': " : "", what);
    r->failed = true;
    return tern_none();
}

static tern_value damaged(tern_pth_reader *r, const char *what) {
    return refuse(r, TERN_ERR_FORMAT, what);
}

static tern_value unsupported(tern_pth_reader *r, const char *name) {
    char what[120];
    snprintf(what, sizeof what, "it is %s, which Tern does not support", name);
    return refuse(r, TERN_ERR_UNSUPPORTED, what);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* Appends a key or an index; returns what leave() takes. Long places are cut. */
static size_t enter(tern_pth_reader *r, const tern_pnode *key, size_t index) {
    size_t before = r->place_length, room = sizeof r->place - before;
    const char *dot = before ? "." : "";
    char shown[TERN_SHOWN];
    int n = 0;
    if (!key)
        n = snprintf(r->place + before, room, "%s%zu", dot, index);
    else if (key->kind == TERN_P_TEXT)
        n = snprintf(r->place + before, room, "%s%s", dot,
                     tern_shown(key->as.bytes, key->length, shown));
    else if (key->kind == TERN_P_INT)
        n = snprintf(r->place + before, room, "%s%lld", dot, (long long)key->as.i);
    if (n > 0) r->place_length = before + ((size_t)n < room ? (size_t)n : room - 1);
    return before;
}

static void leave(tern_pth_reader *r, size_t before) {
    r->place_length = before;
    r->place[before] = 0;
}

/* ---- texts and numbers ----------------------------------------------------------------------- */

static tern_value make_text(tern_pth_reader *r, const tern_pnode *node) {
    if (!tern_is_utf8(node->as.bytes, node->length)) return damaged(r, "a text is not UTF-8");
    return tern_string_n(r->ctx, node->as.bytes, node->length);
}

/* _codecs.encode(text, 'latin1') is how protocol 2 writes bytes: each character stands for one. */
static tern_value make_encoded(tern_pth_reader *r, const tern_pnode *arguments) {
    const tern_pnode *text = arguments->length == 2 ? arguments->as.items[0] : NULL;
    if (!text || text->kind != TERN_P_TEXT || !tern_is_utf8(text->as.bytes, text->length))
        return damaged(r, "bytes are not written as text");
    char *bytes = tern_alloc(text->length);
    if (!bytes) return refuse(r, TERN_ERR_OUT_OF_MEMORY, "out of memory");
    size_t count = 0;
    bool fits = true;
    const unsigned char *s = (const unsigned char *)text->as.bytes;
    for (size_t i = 0; i < text->length && fits; i++) {
        if (s[i] < 0x80) {
            bytes[count++] = (char)s[i];
        } else {
            fits = s[i] <= 0xc3;
            bytes[count++] = (char)((s[i] & 3) << 6 | (s[i + 1] & 0x3f));
            i++;
        }
    }
    tern_value v =
        fits ? tern_string_n(r->ctx, bytes, count) : damaged(r, "bytes are not written as latin1");
    tern_free(bytes);
    return v;
}

/* The digits of two's complement bytes, by long division. */
static tern_value make_big_int(tern_pth_reader *r, const tern_pnode *node) {
    enum { MAX_BYTES = 64, MAX_DIGITS = 160 };
    unsigned char left[MAX_BYTES];
    char digits[MAX_DIGITS];
    size_t length = node->length, at = MAX_DIGITS;
    if (length > MAX_BYTES) return damaged(r, "an integer has more than 512 bits");
    memcpy(left, node->as.bytes, length);
    bool negative = left[length - 1] & 0x80;
    unsigned carry = 1;
    for (size_t i = 0; negative && i < length; i++) {
        carry += (unsigned char)~left[i];
        left[i] = (unsigned char)carry;
        carry >>= 8;
    }
    while (length > 0) {
        unsigned rest = 0;
        for (size_t i = length; i-- > 0;) {
            rest = rest << 8 | left[i];
            left[i] = (unsigned char)(rest / 10);
            rest %= 10;
        }
        digits[--at] = (char)('0' + rest);
        while (length > 0 && left[length - 1] == 0) length--;
    }
    if (negative) digits[--at] = '-';
    return tern_string_n(r->ctx, digits + at, MAX_DIGITS - at);
}

/* ---- containers ------------------------------------------------------------------------------ */

static tern_value make_list(tern_pth_reader *r, tern_pnode *node, tern_value list) {
    for (size_t i = 0; i < node->length && !r->failed; i++) {
        size_t before = enter(r, NULL, i);
        tern_value item = tern_pth_convert(r, node->as.items[i]);
        if (!r->failed && tern_list_append(list, item) != TERN_OK) r->failed = true;
        leave(r, before);
    }
    return list;
}

static bool is_scalar(tern_value v) {
    return v.kind == TERN_VALUE_NONE || v.kind == TERN_VALUE_STRING || v.kind == TERN_VALUE_DTYPE ||
           tern_value_is_number(v);
}

/* The pairs from item `first` on. */
static void fill_dict(tern_pth_reader *r, tern_pnode *node, size_t first, tern_value dict) {
    for (size_t i = first; i + 1 < node->length && !r->failed; i += 2) {
        tern_value key = tern_pth_convert(r, node->as.items[i]);
        if (!r->failed && !is_scalar(key))
            damaged(r, "a dict's key is neither text nor number, which Tern does not support");
        size_t before = enter(r, node->as.items[i], 0);
        tern_value item = r->failed ? tern_none() : tern_pth_convert(r, node->as.items[i + 1]);
        if (!r->failed && tern_dict_set_value(dict, key, item) != TERN_OK) r->failed = true;
        leave(r, before);
    }
}

static tern_value make_dict(tern_pth_reader *r, tern_pnode *node) {
    tern_value dict = tern_dict_new(r->ctx, false);
    fill_dict(r, node, 0, dict);
    return dict;
}

/* OrderedDict(), then its entries, then its attributes. */
static tern_value make_ordered(tern_pth_reader *r, tern_pnode *node, const tern_pnode *arguments) {
    if (arguments->length > 0) return damaged(r, "an OrderedDict is made from arguments");
    if (node->length > 2 && !node->pairs) return damaged(r, "items are appended to a dict");
    tern_value dict = tern_dict_new(r->ctx, true);
    fill_dict(r, node, 2, dict);
    if (!node->built || r->failed) return dict;
    if (node->built->kind != TERN_P_DICT) return damaged(r, "a dict's attributes are not a dict");
    tern_dict_set_attributes(dict, tern_pth_convert(r, node->built));
    return dict;
}

/* The only argument, which must be of a kind. */
static tern_value make_from(tern_pth_reader *r, const tern_pnode *arguments, uint8_t kind) {
    if (arguments->length != 1 || arguments->as.items[0]->kind != kind)
        return damaged(r, "a constructor has wrong arguments");
    return tern_pth_convert(r, arguments->as.items[0]);
}

/* bytearray(bytes), and bytes() or bytearray(), which are empty. */
static tern_value make_bytes(tern_pth_reader *r, const tern_pnode *arguments) {
    if (arguments->length == 0) return tern_string_n(r->ctx, "", 0);
    tern_pnode *from = arguments->as.items[0];
    bool encoded = from->kind == TERN_P_CALL && from->as.items[0]->as.known == TERN_G_ENCODE;
    if (arguments->length != 1 || (from->kind != TERN_P_BYTES && !encoded))
        return damaged(r, "a constructor has wrong arguments");
    return tern_pth_convert(r, from);
}

/* device('cpu'), device('cuda', 0): its name. */
static tern_value make_device(tern_pth_reader *r, const tern_pnode *arguments) {
    char name[64];
    const tern_pnode *const *items = (const tern_pnode *const *)arguments->as.items;
    bool indexed = arguments->length == 2 && items[1]->kind == TERN_P_INT;
    if ((arguments->length != 1 && !indexed) || items[0]->kind != TERN_P_TEXT ||
        items[0]->length > 32 || !tern_is_utf8(items[0]->as.bytes, items[0]->length))
        return damaged(r, "a device has no valid name");
    int length = (int)items[0]->length;
    if (indexed)
        snprintf(name, sizeof name, "%.*s:%lld", length, items[0]->as.bytes,
                 (long long)items[1]->as.i);
    else
        snprintf(name, sizeof name, "%.*s", length, items[0]->as.bytes);
    return tern_string(r->ctx, name);
}

/* ---- tensors --------------------------------------------------------------------------------- */

static tern_value finish_tensor(tern_pth_reader *r, tern_tensor *tensor, bool requires_grad) {
    if (tern_is_nil(tensor)) {
        r->failed = true;
        return tern_none();
    }
    if (requires_grad && !tern_dtype_is_floating(tern_dtype_of(tensor)))
        return damaged(r, "a tensor of integers requires a gradient");
    if (requires_grad) tern_requires_grad(tensor, true);
    return tern_tensor_value(tensor);
}

static tern_value make_tensor(tern_pth_reader *r, const tern_pnode *arguments, int version) {
    tern_pth_array array;
    if (!tern_pth_array_of(r->storages, arguments, version, &array)) {
        r->failed = true;
        return tern_none();
    }
    if (array.type.dtype == TERN_DTYPE_DEFAULT) return unsupported(r, array.type.name);
    return finish_tensor(r, tern_pth_tensor(r->storages, &array), array.requires_grad);
}

/* _rebuild_parameter(tensor, requires_grad, hooks[, state]) */
static tern_value make_parameter(tern_pth_reader *r, const tern_pnode *arguments) {
    if (arguments->length < 3 || arguments->length > 4 ||
        arguments->as.items[1]->kind != TERN_P_BOOL)
        return damaged(r, "a parameter has wrong arguments");
    tern_value data = tern_pth_convert(r, arguments->as.items[0]);
    if (r->failed) return data;
    if (data.kind != TERN_VALUE_TENSOR) return damaged(r, "a parameter is not made from a tensor");
    return finish_tensor(r, data.as.tensor, arguments->as.items[1]->as.b);
}

static tern_value call(tern_pth_reader *r, tern_pnode *node, int function, tern_pnode *arguments);

/* _rebuild_from_type_v2(function, class, arguments, state): a tensor with attributes of its own,
 * which are left out. */
static tern_value make_from_type(tern_pth_reader *r, tern_pnode *node,
                                 const tern_pnode *arguments) {
    tern_pnode *const *items = arguments->as.items;
    if (arguments->length != 4 || items[0]->kind != TERN_P_GLOBAL ||
        items[1]->kind != TERN_P_GLOBAL || items[1]->as.known != TERN_G_TENSOR_CLASS ||
        items[2]->kind != TERN_P_TUPLE || items[0]->as.known == TERN_G_FROM_TYPE)
        return damaged(r, "a tensor of another class is made in an unknown way");
    return call(r, node, items[0]->as.known, items[2]);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static tern_value call(tern_pth_reader *r, tern_pnode *node, int function, tern_pnode *arguments) {
    bool extended = node->length > 2 || node->built;
    if (extended && function != TERN_G_ORDERED_DICT)
        return damaged(r, "an item is set on something other than a dict");
    switch (function) {
    case TERN_G_ORDERED_DICT: return make_ordered(r, node, arguments);
    case TERN_G_COUNTER: return make_from(r, arguments, TERN_P_DICT);
    case TERN_G_SET: return make_from(r, arguments, TERN_P_LIST);
    case TERN_G_SIZE: return make_from(r, arguments, TERN_P_TUPLE);
    case TERN_G_BYTES: return make_bytes(r, arguments);
    case TERN_G_ENCODE: return make_encoded(r, arguments);
    case TERN_G_DEVICE: return make_device(r, arguments);
    case TERN_G_TENSOR_V1: return make_tensor(r, arguments, 1);
    case TERN_G_TENSOR_V2: return make_tensor(r, arguments, 2);
    case TERN_G_TENSOR_V3: return make_tensor(r, arguments, 3);
    case TERN_G_PARAMETER: return make_parameter(r, arguments);
    case TERN_G_FROM_TYPE: return make_from_type(r, node, arguments);
    default: break;
    }
    if (function >= TERN_G_UNSUPPORTED) return unsupported(r, tern_pth_unsupported(function));
    return damaged(r, "an unknown class is called");
}

static tern_value make_global(tern_pth_reader *r, int known) {
    if (known >= TERN_G_UNSUPPORTED) return unsupported(r, tern_pth_unsupported(known));
    if (known >= TERN_G_DTYPE) return tern_dtype_value((tern_dtype)(known - TERN_G_DTYPE));
    return damaged(r, "it is a class or a function, not a value");
}

static tern_value make(tern_pth_reader *r, tern_pnode *node) {
    switch ((tern_pnode_kind)node->kind) {
    case TERN_P_NONE: return tern_none();
    case TERN_P_BOOL: return tern_bool(node->as.b);
    case TERN_P_INT: return tern_int(node->as.i);
    case TERN_P_BIG_INT: return make_big_int(r, node);
    case TERN_P_FLOAT: return tern_float(node->as.f);
    case TERN_P_TEXT: return make_text(r, node);
    case TERN_P_BYTES: return tern_string_n(r->ctx, node->as.bytes, node->length);
    case TERN_P_SET:
    case TERN_P_LIST: return make_list(r, node, tern_list_new(r->ctx));
    case TERN_P_TUPLE: return make_list(r, node, tern_tuple_new(r->ctx));
    case TERN_P_DICT: return make_dict(r, node);
    case TERN_P_GLOBAL: return make_global(r, node->as.known);
    case TERN_P_CALL: return call(r, node, node->as.items[0]->as.known, node->as.items[1]);
    case TERN_P_STORED: return damaged(r, "it is a storage without a tensor");
    }
    return tern_none();
}

/* What a node became before: what has an identity in the pickle keeps it. */
static tern_value made_before(const tern_pnode *node) {
    tern_value v = {(tern_kind)node->made, 0, {0}};
    if (node->made == TERN_VALUE_STRING) v.length = (uint32_t)node->length;
    v.as.s = node->result;
    return v;
}

static void keep(tern_pnode *node, tern_value v) {
    bool shared = v.kind == TERN_VALUE_LIST || v.kind == TERN_VALUE_TUPLE ||
                  v.kind == TERN_VALUE_DICT || v.kind == TERN_VALUE_TENSOR ||
                  (v.kind == TERN_VALUE_STRING && node->kind == TERN_P_TEXT);
    node->state = shared ? DONE : FRESH;
    node->made = (uint8_t)v.kind;
    if (shared) node->result = v.as.s; /* any of the union's pointers */
}

tern_value tern_pth_convert(tern_pth_reader *r, tern_pnode *node) {
    if (r->failed) return tern_none();
    if (node->state == OPEN) return damaged(r, "refused: a value contains itself");
    uint64_t before = r->weight;
    r->weight += node->state == DONE ? node->weight : 1;
    if (r->weight > r->weight_limit)
        return damaged(r, "refused: it repeats its parts too often to be read");
    if (node->state == DONE) return made_before(node);
    if (++r->depth > MAX_DEPTH) return damaged(r, "refused: it is nested deeper than 256");
    node->state = OPEN;
    tern_value v = make(r, node);
    bool lost = v.kind == TERN_VALUE_NONE && node->kind != TERN_P_NONE;
    if (lost && !r->failed) r->failed = true; /* memory ran out, and that is latched */
    keep(node, v);
    node->weight = r->weight - before;
    r->depth--;
    return v;
}

void tern_pth_reader_init(tern_pth_reader *r, tern_pth_file *file) {
    memset(r, 0, sizeof *r);
    r->ctx = file->ctx;
    r->path = file->path;
    r->storages = &file->storages;
    r->weight_limit = WEIGHT_START + (uint64_t)file->pickle_length * WEIGHT_PER_BYTE;
}

static tern_value read_value(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                             size_t size, tern_mapping *mapping) {
    tern_pth_file file;
    tern_value value = tern_none();
    if (tern_pth_open(&file, ctx, path, bytes, size, mapping) == TERN_OK) {
        tern_pth_reader r;
        tern_pth_reader_init(&r, &file);
        value = tern_pth_convert(&r, file.root);
    }
    tern_pth_close(&file);
    return tern_check(ctx) == TERN_OK ? value : tern_none();
}

tern_value tern_pth_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size) {
    return read_value(ctx, path, bytes, size, NULL);
}

tern_value tern_pth_map(tern_ctx *ctx, const char *path, tern_mapping *mapping) {
    return read_value(ctx, path, mapping->bytes, mapping->size, mapping);
}
