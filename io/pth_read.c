/* pth_read.c: values from the tree of a pickle. */
#include <stdio.h>
#include <string.h>

#include "pth.h"
#include "pth_calls.h"
#include "pth_reader.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"
#include "utf8.h"
#include "widen.h"

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
    const tern_pnode *text = arguments->as.items[0];
    if (tern_pth_codec_of(arguments->as.items[1]) == TERN_CODEC_UTF8) return make_text(r, text);
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

/* `left` bounds how many items are looked at: a tuple may hold the one before it many times. */
static bool is_hashable(tern_value v, int *left) {
    if (is_scalar(v)) return true;
    if (v.kind != TERN_VALUE_TUPLE) return false;
    for (size_t i = 0; i < tern_value_count(v); i++)
        if (--*left < 0 || !is_hashable(tern_value_at(v, i), left)) return false;
    return true;
}

bool tern_pth_is_key(tern_value value) {
    int left = 10000;
    return is_hashable(value, &left);
}

/* The pairs of a dict or of a call that makes one. A key that comes again replaces its value. */
static tern_value make_dict(tern_pth_reader *r, const tern_pnode *node, bool ordered) {
    tern_value dict = tern_dict_new(r->ctx, ordered);
    for (size_t i = 0, count = tern_pth_pairs(node); i < count && !r->failed; i++) {
        tern_pnode *key_node, *item_node;
        tern_pth_pair(node, i, &key_node, &item_node);
        tern_value key = tern_pth_convert(r, key_node);
        if (!r->failed && !is_scalar(key))
            damaged(r, "a dict's key is neither text nor number, which Tern does not support");
        size_t before = enter(r, key_node, 0);
        tern_value item = r->failed ? tern_none() : tern_pth_convert(r, item_node);
        if (!r->failed && tern_dict_set_value(dict, key, item) != TERN_OK) r->failed = true;
        leave(r, before);
    }
    return dict;
}

/* An OrderedDict has attributes besides. */
static tern_value make_ordered(tern_pth_reader *r, const tern_pnode *node) {
    tern_value dict = make_dict(r, node, true);
    if (!node->built || r->failed) return dict;
    tern_dict_set_attributes(dict, tern_pth_convert(r, node->built));
    return dict;
}

/* Python's sets hold what can be a key. Tern has lists for them, and no tensors and lists in these. */
tern_value tern_pth_set(tern_pth_reader *r, tern_pnode *node) {
    tern_value list = make_list(r, node, tern_list_new(r->ctx));
    for (size_t i = 0; !r->failed && i < tern_value_count(list); i++)
        if (!tern_pth_is_key(tern_value_at(list, i)))
            damaged(r, "a set holds something other than texts, numbers and tuples of them");
    return list;
}

/* device('cpu'), device('cuda', 0): its name. */
static tern_value make_device(tern_pth_reader *r, const tern_pnode *arguments) {
    char name[64];
    const tern_pnode *const *items = (const tern_pnode *const *)arguments->as.items;
    int length = (int)items[0]->length;
    if (arguments->length == 2)
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
    tern_dtype dtype = tern_dtype_of(tensor);
    if (requires_grad && !tern_dtype_is_floating(dtype) && !tern_dtype_is_complex(dtype))
        return damaged(r, "a tensor of integers requires a gradient");
    if (requires_grad) tern_requires_grad(tensor, true);
    return tern_tensor_value(tensor);
}

/* Whether the tensor's metadata, a dict behind its other arguments, has a key that is true. */
static bool is_marked(const tern_pnode *arguments, int version, const char *key) {
    size_t at = version == 2 ? 6 : 7;
    if (version == 1 || arguments->length <= at) return false;
    const tern_pnode *marks = arguments->as.items[at];
    for (size_t i = 0; marks->kind == TERN_P_DICT && i + 1 < marks->length; i += 2) {
        const tern_pnode *name = marks->as.items[i], *value = marks->as.items[i + 1];
        if (name->kind == TERN_P_TEXT && name->length == strlen(key) &&
            memcmp(name->as.bytes, key, name->length) == 0)
            return value->kind == TERN_P_BOOL && value->as.b;
    }
    return false;
}

/* PyTorch conjugates and negates lazily: what such a tensor says of itself is done here. */
static tern_tensor *resolved(tern_tensor *tensor, const tern_pnode *arguments, int version) {
    if (is_marked(arguments, version, "conj")) tensor = tern_conj(tensor);
    return is_marked(arguments, version, "neg") ? tern_neg(tensor) : tensor;
}

static tern_value make_tensor(tern_pth_reader *r, const tern_pnode *arguments, int version) {
    tern_pth_array array;
    if (!tern_pth_array_of(r->storages, arguments, version, &array)) {
        r->failed = true;
        return tern_none();
    }
    if (array.type.dtype == TERN_DTYPE_DEFAULT && !tern_wide_of(array.type.name))
        return unsupported(r, array.type.name);
    tern_tensor *tensor = resolved(tern_pth_tensor(r->storages, &array), arguments, version);
    return finish_tensor(r, tensor, array.requires_grad);
}

static tern_value make_parameter(tern_pth_reader *r, const tern_pnode *arguments) {
    tern_value data = tern_pth_convert(r, arguments->as.items[0]);
    if (r->failed) return data;
    if (data.kind != TERN_VALUE_TENSOR) return damaged(r, "a parameter is not made from a tensor");
    return finish_tensor(r, data.as.tensor, arguments->as.items[1]->as.b);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static tern_value call(tern_pth_reader *r, tern_pnode *node, int function, tern_pnode *arguments) {
    tern_pnode *const *items = arguments->as.items;
    switch (function) {
    case TERN_G_ORDERED_DICT: return make_ordered(r, node);
    case TERN_G_COUNTER: return make_dict(r, node, false);
    case TERN_G_SET: return tern_pth_set(r, arguments->length ? items[0] : arguments);
    case TERN_G_BYTES:
        return arguments->length ? tern_pth_convert(r, items[0]) : tern_string_n(r->ctx, "", 0);
    case TERN_G_SIZE: return make_list(r, items[0], tern_tuple_new(r->ctx));
    case TERN_G_LAYOUT:
    case TERN_G_SCRIPT_LIST:
    case TERN_G_SCRIPT_TAGGED: return tern_pth_convert(r, items[0]);
    case TERN_G_ENCODE: return make_encoded(r, arguments);
    case TERN_G_DEVICE: return make_device(r, arguments);
    case TERN_G_TENSOR_V1: return make_tensor(r, arguments, 1);
    case TERN_G_TENSOR_V2: return make_tensor(r, arguments, 2);
    case TERN_G_TENSOR_V3: return make_tensor(r, arguments, 3);
    case TERN_G_PARAMETER:
    case TERN_G_PARAMETER_STATE: return make_parameter(r, arguments);
    /* A tensor with attributes of its own, which are left out. */
    case TERN_G_FROM_TYPE: return call(r, node, items[0]->as.known, items[2]);
    case TERN_G_SCRIPT_CLASS:
        return node->built ? tern_pth_convert(r, node->built) : tern_dict_new(r->ctx, false);
    default: return unsupported(r, tern_pth_unsupported(function));
    }
}

static tern_value make_call(tern_pth_reader *r, tern_pnode *node) {
    const char *fault = tern_pth_call_fault(node);
    return fault ? damaged(r, fault)
                 : call(r, node, node->as.items[0]->as.known, node->as.items[1]);
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
    case TERN_P_SET: return tern_pth_set(r, node);
    case TERN_P_LIST: return make_list(r, node, tern_list_new(r->ctx));
    case TERN_P_TUPLE: return make_list(r, node, tern_tuple_new(r->ctx));
    case TERN_P_DICT: return make_dict(r, node, false);
    case TERN_P_GLOBAL: return make_global(r, node->as.known);
    case TERN_P_CALL: return make_call(r, node);
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

/* ---- TorchScript ----------------------------------------------------------------------------- */

static bool is_object(const tern_pnode *node) {
    return node->kind == TERN_P_CALL && node->as.items[0]->as.known == TERN_G_SCRIPT_CLASS &&
           !tern_pth_call_fault(node) && (!node->built || node->built->kind == TERN_P_DICT);
}

typedef struct collecting {
    tern_pth_reader *reader;
    tern_value state;
    tern_sink path; /* of the object, each name with a dot behind it; in memory */
} collecting;

static void add_tensor(collecting *c, const tern_pnode *name, tern_pnode *item) {
    tern_value v = tern_pth_convert(c->reader, item);
    if (v.kind != TERN_VALUE_TENSOR) return;
    size_t before = c->path.used;
    tern_sink_put(&c->path, name->as.bytes, name->length);
    tern_value key = tern_none();
    if (c->path.status == TERN_OK)
        key = tern_string_n(c->reader->ctx, (const char *)c->path.bytes, c->path.used);
    if (key.kind != TERN_VALUE_STRING || tern_dict_set_value(c->state, key, v) != TERN_OK)
        c->reader->failed = true;
    c->path.used = before;
}

/* The tensors of an object and of those in it; other attributes are left out. */
static void collect(collecting *c, const tern_pnode *object) {
    const tern_pnode *attributes = object->built;
    tern_pth_reader *r = c->reader;
    if (++r->depth > MAX_DEPTH) damaged(r, "refused: it is nested deeper than 256");
    for (size_t i = 0; !r->failed && attributes && i < tern_pth_pairs(attributes); i++) {
        tern_pnode *name, *item;
        tern_pth_pair(attributes, i, &name, &item);
        if (item->kind != TERN_P_CALL || name->kind != TERN_P_TEXT) continue;
        if (++r->weight > r->weight_limit)
            damaged(r, "refused: it repeats its parts too often to be read");
        size_t before = enter(r, name, 0), length = c->path.used;
        if (is_object(item)) {
            tern_sink_put(&c->path, name->as.bytes, name->length);
            tern_sink_put(&c->path, ".", 1);
            collect(c, item);
            c->path.used = length;
        } else {
            add_tensor(c, name, item);
        }
        leave(r, before);
    }
    r->depth--;
}

static tern_value state_of(tern_pth_reader *r, tern_pnode *module) {
    collecting c = {.reader = r, .state = tern_dict_new(r->ctx, true)};
    tern_sink_memory(&c.path, r->ctx);
    collect(&c, module);
    tern_free(c.path.bytes);
    return c.state;
}

static tern_value read_value(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                             size_t size, tern_mapping *mapping) {
    tern_pth_file file;
    tern_value value = tern_none();
    if (tern_pth_open(&file, ctx, path, bytes, size, mapping) == TERN_OK) {
        tern_pth_reader r;
        tern_pth_reader_init(&r, &file);
        value = is_object(file.root) ? state_of(&r, file.root) : tern_pth_convert(&r, file.root);
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
