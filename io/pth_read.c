/* pth_read.c: values from what torch.save wrote, now and before 1.6. */
#include <stdio.h>
#include <string.h>

#include "pickle_reader.h"
#include "pth.h"
#include "pth_globals.h"
#include "pth_storage.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/tensor.h"
#include "utf8.h"
#include "zip_reader.h"

enum { FRESH = 0, OPEN, DONE };
enum { MAX_DEPTH = 256 };

/*
 * A pickle of a few bytes can stand for a tree of astronomic size, each list holding the one before
 * twice. The values share as the pickle does and stay small, but whoever walks them would not end. So
 * what they stand for is counted: this many for each byte of the pickle, and a start.
 */
#define WEIGHT_PER_BYTE 64u
#define WEIGHT_START    1000000u

typedef struct reader {
    tern_ctx *ctx;
    const char *path;
    tern_pth_storages storages;
    uint64_t weight, weight_limit;
    int depth;
    bool failed;
    char place[256]; /* where in the value: "optimizer.state.0" */
    size_t place_length;
} reader;

static tern_value convert(reader *r, tern_pnode *node);

static tern_value refuse(reader *r, tern_status status, const char *what) {
    if (!r->failed)
        tern_fail(r->ctx, status, "%s: %s%s%s%s", r->path, r->place_length ? "'" : "", r->place,
                  r->place_length ? "': " : "", what);
    r->failed = true;
    return tern_none();
}

static tern_value damaged(reader *r, const char *what) {
    return refuse(r, TERN_ERR_FORMAT, what);
}

static tern_value unsupported(reader *r, int number) {
    char what[120];
    snprintf(what, sizeof what, "it is %s, which Tern does not have", tern_pth_unsupported(number));
    return refuse(r, TERN_ERR_UNSUPPORTED, what);
}

/* ---- places --------------------------------------------------------------------------------------- */

/* Appends a key or an index; returns what leave() takes. Long places are cut. */
static size_t enter(reader *r, const tern_pnode *key, size_t index) {
    size_t before = r->place_length, room = sizeof r->place - before;
    const char *dot = before ? "." : "";
    int n = 0;
    if (!key)
        n = snprintf(r->place + before, room, "%s%zu", dot, index);
    else if (key->kind == TERN_P_TEXT)
        n = snprintf(r->place + before, room, "%s%.*s", dot,
                     (int)(key->length < 80 ? key->length : 80), key->as.bytes);
    else if (key->kind == TERN_P_INT)
        n = snprintf(r->place + before, room, "%s%lld", dot, (long long)key->as.i);
    if (n > 0) r->place_length = before + ((size_t)n < room ? (size_t)n : room - 1);
    return before;
}

static void leave(reader *r, size_t before) {
    r->place_length = before;
    r->place[before] = 0;
}

/* ---- texts and numbers ------------------------------------------------------------------------------ */

static tern_value make_text(reader *r, const tern_pnode *node) {
    if (!tern_is_utf8(node->as.bytes, node->length)) return damaged(r, "a text is not UTF-8");
    return tern_string_n(r->ctx, node->as.bytes, node->length);
}

/* _codecs.encode(text, 'latin1') is how protocol 2 writes bytes: each character stands for one. */
static tern_value make_encoded(reader *r, const tern_pnode *arguments) {
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

/* ---- containers ------------------------------------------------------------------------------------- */

static tern_value make_list(reader *r, tern_pnode *node, tern_value list) {
    for (size_t i = 0; i < node->length && !r->failed; i++) {
        size_t before = enter(r, NULL, i);
        tern_value item = convert(r, node->as.items[i]);
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
static void fill_dict(reader *r, tern_pnode *node, size_t first, tern_value dict) {
    for (size_t i = first; i + 1 < node->length && !r->failed; i += 2) {
        tern_value key = convert(r, node->as.items[i]);
        if (!r->failed && !is_scalar(key))
            damaged(r, "a dict's key is neither text nor number, which Tern does not have");
        size_t before = enter(r, node->as.items[i], 0);
        tern_value item = r->failed ? tern_none() : convert(r, node->as.items[i + 1]);
        if (!r->failed && tern_dict_set_value(dict, key, item) != TERN_OK) r->failed = true;
        leave(r, before);
    }
}

static tern_value make_dict(reader *r, tern_pnode *node) {
    tern_value dict = tern_dict_new(r->ctx, false);
    fill_dict(r, node, 0, dict);
    return dict;
}

/* OrderedDict(), then its entries, then its attributes. */
static tern_value make_ordered(reader *r, tern_pnode *node, const tern_pnode *arguments) {
    if (arguments->length > 0) return damaged(r, "an OrderedDict is made from arguments");
    if (node->length > 2 && !node->pairs) return damaged(r, "items are appended to a dict");
    tern_value dict = tern_dict_new(r->ctx, true);
    fill_dict(r, node, 2, dict);
    if (!node->built || r->failed) return dict;
    if (node->built->kind != TERN_P_DICT) return damaged(r, "a dict's attributes are no dict");
    tern_dict_set_attributes(dict, convert(r, node->built));
    return dict;
}

/* The only argument, which must be of a kind. */
static tern_value make_from(reader *r, const tern_pnode *arguments, uint8_t kind) {
    if (arguments->length != 1 || arguments->as.items[0]->kind != kind)
        return damaged(r, "a constructor has other arguments than it takes");
    return convert(r, arguments->as.items[0]);
}

/* device('cpu'), device('cuda', 0): its name. */
static tern_value make_device(reader *r, const tern_pnode *arguments) {
    char name[64];
    const tern_pnode *const *items = (const tern_pnode *const *)arguments->as.items;
    bool indexed = arguments->length == 2 && items[1]->kind == TERN_P_INT;
    if ((arguments->length != 1 && !indexed) || items[0]->kind != TERN_P_TEXT ||
        items[0]->length > 32 || !tern_is_utf8(items[0]->as.bytes, items[0]->length))
        return damaged(r, "a device has no proper name");
    int length = (int)items[0]->length;
    if (indexed)
        snprintf(name, sizeof name, "%.*s:%lld", length, items[0]->as.bytes,
                 (long long)items[1]->as.i);
    else
        snprintf(name, sizeof name, "%.*s", length, items[0]->as.bytes);
    return tern_string(r->ctx, name);
}

/* ---- tensors ---------------------------------------------------------------------------------------- */

static tern_value finish_tensor(reader *r, tern_tensor *tensor, bool requires_grad) {
    if (tern_is_nil(tensor)) {
        r->failed = true;
        return tern_none();
    }
    if (requires_grad && !tern_dtype_is_floating(tern_dtype_of(tensor)))
        return damaged(r, "a tensor of integers requires a gradient");
    if (requires_grad) tern_requires_grad(tensor, true);
    return tern_tensor_value(tensor);
}

/*
 * _rebuild_tensor(storage, offset, sizes, strides), _v2(..., requires_grad, hooks[, metadata]),
 * _v3(..., requires_grad, hooks, dtype[, metadata])
 */
static tern_value make_tensor(reader *r, const tern_pnode *arguments, int version) {
    size_t least = version == 1 ? 4 : version == 2 ? 6 : 7;
    tern_pnode *const *items = arguments->as.items;
    tern_dtype dtype = TERN_DTYPE_DEFAULT;
    if (arguments->length < least || arguments->length > least + 1 ||
        items[1]->kind != TERN_P_INT || (version > 1 && items[4]->kind != TERN_P_BOOL))
        return damaged(r, "a tensor has other arguments than it takes");
    if (version == 3) {
        int known = items[6]->kind == TERN_P_GLOBAL ? items[6]->as.known : -1;
        if (known >= TERN_G_UNSUPPORTED) return unsupported(r, known);
        if (known < TERN_G_DTYPE) return damaged(r, "a tensor has no proper dtype");
        dtype = (tern_dtype)(known - TERN_G_DTYPE);
    }
    if (items[0]->kind == TERN_P_STORED && items[0]->as.items[0]->kind == TERN_P_TUPLE &&
        items[0]->as.items[0]->length > 1) {
        const tern_pnode *class = items[0]->as.items[0]->as.items[1];
        if (class->kind == TERN_P_GLOBAL && class->as.known >= TERN_G_UNSUPPORTED)
            return unsupported(r, class->as.known);
    }
    tern_pth_storage *storage = tern_pth_find_storage(&r->storages, items[0]);
    if (!storage) {
        r->failed = true;
        return tern_none();
    }
    tern_tensor *tensor =
        tern_pth_tensor(&r->storages, storage, dtype, items[1]->as.i, items[2], items[3]);
    return finish_tensor(r, tensor, version > 1 && items[4]->as.b);
}

/* _rebuild_parameter(tensor, requires_grad, hooks[, state]) */
static tern_value make_parameter(reader *r, const tern_pnode *arguments) {
    if (arguments->length < 3 || arguments->length > 4 ||
        arguments->as.items[1]->kind != TERN_P_BOOL)
        return damaged(r, "a parameter has other arguments than it takes");
    tern_value data = convert(r, arguments->as.items[0]);
    if (r->failed) return data;
    if (data.kind != TERN_VALUE_TENSOR) return damaged(r, "a parameter is made from no tensor");
    return finish_tensor(r, data.as.tensor, arguments->as.items[1]->as.b);
}

static tern_value call(reader *r, tern_pnode *node, int function, tern_pnode *arguments);

/* _rebuild_from_type_v2(function, class, arguments, state): a tensor with attributes of its own,
 * which are left out. */
static tern_value make_from_type(reader *r, tern_pnode *node, const tern_pnode *arguments) {
    tern_pnode *const *items = arguments->as.items;
    if (arguments->length != 4 || items[0]->kind != TERN_P_GLOBAL ||
        items[1]->kind != TERN_P_GLOBAL || items[1]->as.known != TERN_G_TENSOR_CLASS ||
        items[2]->kind != TERN_P_TUPLE || items[0]->as.known == TERN_G_FROM_TYPE)
        return damaged(r, "a tensor of another class is made in a way that is not known");
    return call(r, node, items[0]->as.known, items[2]);
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

static tern_value call(reader *r, tern_pnode *node, int function, tern_pnode *arguments) {
    bool extended = node->length > 2 || node->built;
    if (extended && function != TERN_G_ORDERED_DICT)
        return damaged(r, "something is set on what is no dict");
    switch (function) {
    case TERN_G_ORDERED_DICT: return make_ordered(r, node, arguments);
    case TERN_G_COUNTER: return make_from(r, arguments, TERN_P_DICT);
    case TERN_G_SET: return make_from(r, arguments, TERN_P_LIST);
    case TERN_G_SIZE: return make_from(r, arguments, TERN_P_TUPLE);
    case TERN_G_BYTEARRAY: return make_from(r, arguments, TERN_P_BYTES);
    case TERN_G_ENCODE: return make_encoded(r, arguments);
    case TERN_G_DEVICE: return make_device(r, arguments);
    case TERN_G_TENSOR_V1: return make_tensor(r, arguments, 1);
    case TERN_G_TENSOR_V2: return make_tensor(r, arguments, 2);
    case TERN_G_TENSOR_V3: return make_tensor(r, arguments, 3);
    case TERN_G_PARAMETER: return make_parameter(r, arguments);
    case TERN_G_FROM_TYPE: return make_from_type(r, node, arguments);
    default: break;
    }
    if (function >= TERN_G_UNSUPPORTED) return unsupported(r, function);
    return damaged(r, "a class is called that is not known");
}

static tern_value make_global(reader *r, int known) {
    if (known >= TERN_G_UNSUPPORTED) return unsupported(r, known);
    if (known >= TERN_G_DTYPE) return tern_dtype_value((tern_dtype)(known - TERN_G_DTYPE));
    return damaged(r, "it is a class or a function, which is no value");
}

static tern_value make(reader *r, tern_pnode *node) {
    switch ((tern_pnode_kind)node->kind) {
    case TERN_P_NONE: return tern_none();
    case TERN_P_BOOL: return tern_bool(node->as.b);
    case TERN_P_INT: return tern_int(node->as.i);
    case TERN_P_BIG_INT: return damaged(r, "an integer does not fit 64 bits");
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

static tern_value convert(reader *r, tern_pnode *node) {
    if (r->failed) return tern_none();
    if (node->state == OPEN) return damaged(r, "refused: a value contains itself");
    uint64_t before = r->weight;
    r->weight += node->state == DONE ? node->weight : 1;
    if (r->weight > r->weight_limit)
        return damaged(r, "refused: it repeats its parts so often that no reader would end");
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

static tern_value convert_root(reader *r, tern_pnode *root, size_t pickle_length) {
    r->weight_limit = WEIGHT_START + (uint64_t)pickle_length * WEIGHT_PER_BYTE;
    tern_value value = root ? convert(r, root) : tern_none();
    return r->failed || tern_check(r->ctx) != TERN_OK ? tern_none() : value;
}

/* ---- archives ----------------------------------------------------------------------------------------- */

static tern_zip_member *member(tern_zip *zip, const char *root, size_t root_length,
                               const char *name) {
    char full[4400];
    if (root_length > 4300) return NULL;
    int length = snprintf(full, sizeof full, "%.*s%s", (int)root_length, root, name);
    return tern_zip_find(zip, full, (size_t)length);
}

/* Members lie in one folder, whose name is free: that of the member that ends in /data.pkl. */
static tern_zip_member *find_pickle(const tern_zip *zip, size_t *out_root_length) {
    static const char suffix[] = "/data.pkl";
    const size_t n = sizeof suffix - 1;
    for (size_t i = 0; i < zip->count; i++) {
        tern_zip_member *m = &zip->members[i];
        if (m->name_length <= n || memcmp(m->name + m->name_length - n, suffix, n) != 0) continue;
        if (memchr(m->name, '/', m->name_length - n)) continue;
        *out_root_length = m->name_length - n + 1;
        return m;
    }
    return NULL;
}

static bool stop(reader *r, tern_status status, const char *what) {
    refuse(r, status, what);
    return false;
}

/* "version" holds a number from 1 to 10; "byteorder", where it is there, must be ours. */
static bool check_archive(reader *r, tern_zip *zip, const char *root, size_t root_length) {
    const unsigned char *data = NULL;
    tern_zip_member *m = member(zip, root, root_length, "version");
    if (!m) m = member(zip, root, root_length, ".data/version");
    if (!m) return stop(r, TERN_ERR_FORMAT, "it has no version");
    if (tern_zip_read(zip, m, &data) != TERN_OK) return false;
    bool known = m->size >= 1 && m->size <= 3 && data[0] >= '1' && data[0] <= '9' &&
                 (m->size == 1 || data[1] == '\n' || (data[0] == '1' && data[1] == '0'));
    if (!known) return stop(r, TERN_ERR_FORMAT, "its version is not one of 1 to 10");
    m = member(zip, root, root_length, "byteorder");
    if (!m) return true;
    if (tern_zip_read(zip, m, &data) != TERN_OK) return false;
    if (m->size == 6 && memcmp(data, "little", 6) == 0) return true;
    return stop(r, TERN_ERR_UNSUPPORTED, "its byte order is not little endian");
}

static tern_value read_archive(reader *r, tern_pickle_reader *pickles, tern_zip *zip) {
    size_t root_length, length;
    const unsigned char *data;
    tern_zip_member *pickle = find_pickle(zip, &root_length);
    if (!pickle) return damaged(r, "a zip archive, but not one of torch.save: it has no data.pkl");
    if (!check_archive(r, zip, pickle->name, root_length)) return tern_none();
    if (tern_zip_read(zip, pickle, &data) != TERN_OK) return tern_none();
    r->storages.zip = zip;
    r->storages.root = pickle->name;
    r->storages.root_length = root_length;
    tern_pnode *root = tern_pickle_read(pickles, data, (size_t)pickle->size, &length);
    if (root && length != pickle->size) return damaged(r, "there are bytes behind its pickle");
    return convert_root(r, root, length);
}

/* ---- old streams ---------------------------------------------------------------------------------------
 * Pickles one behind the other: a magic number, 1001, facts about the machine, the value, the keys of
 * the storages; then the storages. */

static const unsigned char magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                      0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

static tern_value read_stream(reader *r, tern_pickle_reader *pickles, const unsigned char *bytes,
                              size_t size) {
    tern_pnode *parts[5];
    size_t at = 0, length, value_length = 0;
    for (int i = 0; i < 5; i++) {
        parts[i] = tern_pickle_read(pickles, bytes + at, size - at, &length);
        if (!parts[i]) return tern_none();
        at += length;
        if (i == 3) value_length = length;
    }
    if (parts[1]->kind != TERN_P_INT || parts[1]->as.i != 1001 || parts[2]->kind != TERN_P_DICT)
        return damaged(r, "its protocol is not 1001");
    for (size_t i = 0; i + 1 < parts[2]->length; i += 2) {
        const tern_pnode *key = parts[2]->as.items[i], *item = parts[2]->as.items[i + 1];
        if (key->kind == TERN_P_TEXT && key->length == 13 &&
            memcmp(key->as.bytes, "little_endian", 13) == 0 && item->kind == TERN_P_BOOL &&
            !item->as.b)
            return refuse(r, TERN_ERR_UNSUPPORTED, "its byte order is not little endian");
    }
    if (tern_pth_place_storages(&r->storages, pickles, parts[4], bytes + at, size - at) != TERN_OK)
        return tern_none();
    return convert_root(r, parts[3], value_length);
}

tern_value tern_pth_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size) {
    reader r = {.ctx = ctx, .path = path, .storages = {.ctx = ctx, .path = path}};
    tern_pickle_reader pickles = {ctx, path, tern_pth_globals, tern_pth_n_globals, NULL, NULL};
    tern_zip zip = {0};
    tern_value value = tern_none();
    if (size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0)
        value = read_stream(&r, &pickles, bytes, size);
    else if (tern_zip_open(&zip, ctx, path, bytes, size) == TERN_OK)
        value = read_archive(&r, &pickles, &zip);
    tern_pickle_free(&pickles);
    tern_pth_storages_free(&r.storages);
    tern_zip_close(&zip);
    return tern_check(ctx) == TERN_OK ? value : tern_none();
}
