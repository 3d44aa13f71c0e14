/* value.c: strings, lists and dicts of tern_value. */
#include "value.h"
#include "core/ground/error.h"
#include "core/memory/arena.h"
#include "core/memory/handle.h"
#include "core/memory/slab.h"

#include <math.h>
#include <string.h>

#define SMALL_DICT 8 /* entries up to which a dict is searched without a table */

/* ---- making ---------------------------------------------------------------------------------- */

tern_value tern_text(const char *literal) {
    tern_value v = {TERN_VALUE_STRING, 0, {0}};
    if (!literal) return tern_none();
    v.length = (uint32_t)strlen(literal);
    v.as.s = literal;
    return v;
}

static tern_value string_in(tern_frame *frame, const char *bytes, size_t length) {
    if (length >= UINT32_MAX) {
        tern_fail(frame->ctx, TERN_ERR_ARGUMENT, "a string of %zu bytes is too long", length);
        return tern_none();
    }
    char *copy = tern_frame_alloc(frame, length + 1);
    if (!copy) return tern_none();
    if (length) memcpy(copy, bytes, length);
    tern_value v = {TERN_VALUE_STRING, (uint32_t)length, {0}};
    v.as.s = copy;
    return v;
}

tern_value tern_string_n(tern_ctx *ctx, const char *bytes, size_t length) {
    if (!bytes && length) return tern_none();
    return ctx && ctx->top ? string_in(ctx->top->target, bytes, length) : tern_none();
}

tern_value tern_string(tern_ctx *ctx, const char *text) {
    return text ? tern_string_n(ctx, text, strlen(text)) : tern_none();
}

static tern_value list_new(tern_ctx *ctx, tern_kind kind) {
    if (!ctx || ctx->is_static) return tern_none();
    tern_object_body *body = tern_object_new(ctx->top->target, tern_kind_name(kind));
    if (!body) return tern_none();
    tern_value v = {kind, 0, {0}};
    v.as.list = (tern_list *)(uintptr_t)body->self;
    return v;
}

tern_value tern_list_new(tern_ctx *ctx) {
    return list_new(ctx, TERN_VALUE_LIST);
}

tern_value tern_tuple_new(tern_ctx *ctx) {
    return list_new(ctx, TERN_VALUE_TUPLE);
}

tern_value tern_dict_new(tern_ctx *ctx, bool ordered) {
    tern_value v = list_new(ctx, TERN_VALUE_DICT);
    if (v.kind == TERN_VALUE_DICT) ((tern_dict_body *)OBJECT(v.as.dict))->ordered = ordered;
    return v;
}

/* ---- what a value refers to ------------------------------------------------------------------ */

_Static_assert(sizeof(tern_list_body) <= TERN_SLOT_BYTES, "a list fits a slot");
_Static_assert(sizeof(tern_dict_body) <= TERN_SLOT_BYTES, "a dict fits a slot");

static bool is_list(tern_value v) {
    return v.kind == TERN_VALUE_LIST || v.kind == TERN_VALUE_TUPLE;
}

/* Latches that the list or dict is gone; not for NULL, which a failed call leaves. */
static void refuse(tern_value v) {
    if (v.as.list) tern_handle_object(v.as.list, tern_kind_name(v.kind), "value");
}

/* The list or tuple; NULL, after latching where it is gone, for anything else. */
static inline tern_list_body *list_of(tern_value v) {
    if (!is_list(v)) return NULL;
    if (tern_handle_live(v.as.list)) return (tern_list_body *)OBJECT(v.as.list);
    refuse(v);
    return NULL;
}

static inline tern_dict_body *dict_of(tern_value v) {
    if (v.kind != TERN_VALUE_DICT) return NULL;
    if (tern_handle_live(v.as.dict)) return (tern_dict_body *)OBJECT(v.as.dict);
    refuse(v);
    return NULL;
}

/* False after latching for a handle that is gone: a list would hand it on. */
static bool can_be_item(tern_value item) {
    if (item.kind < TERN_VALUE_LIST || item.kind == TERN_VALUE_DTYPE) return true;
    if (!item.as.list || tern_handle_live(item.as.list)) return true;
    refuse(item);
    return false;
}

/* What a verb returns for a value that is no list (or dict), or whose list is gone. */
static tern_status no_list(tern_value v) {
    bool refers = is_list(v) || v.kind == TERN_VALUE_DICT;
    return refers ? tern_handle_status(v.as.list) : TERN_ERR_ARGUMENT;
}

/* ---- lists and tuples ------------------------------------------------------------------------ */

size_t tern_value_count(tern_value value) {
    const tern_list_body *list = list_of(value);
    if (list) return list->count;
    const tern_dict_body *dict = dict_of(value);
    if (dict) return dict->count;
    if (!can_be_item(value)) return 0;
    bool plain = value.kind == TERN_VALUE_INTS || value.kind == TERN_VALUE_STRING;
    return plain && value.as.s ? value.length : 0;
}

tern_value tern_value_at(tern_value list, size_t index) {
    const tern_list_body *body = list_of(list);
    if (body && index < body->count) return body->items[index];
    if (list.kind == TERN_VALUE_INTS && list.as.ints && index < list.length)
        return tern_int(list.as.ints[index]);
    return tern_none();
}

/* An array of at least `needed` elements in the frame, with the first `used` ones kept; NULL and
 * latched when memory is out. */
static void *grown(tern_frame *frame, void *array, size_t used, size_t needed, size_t size,
                   size_t *capacity) {
    if (needed <= *capacity) return array;
    size_t wanted = *capacity < 4 ? 4 : *capacity;
    while (wanted < needed) wanted *= 2;
    uint64_t bytes;
    if (!tern_size_mul(wanted, size, &bytes)) bytes = SIZE_MAX;
    void *bigger = tern_frame_alloc(frame, (size_t)bytes);
    if (!bigger) return NULL;
    if (used) memcpy(bigger, array, used * size);
    *capacity = wanted;
    return bigger;
}

tern_status tern_list_append(tern_value value, tern_value item) {
    tern_list_body *list = list_of(value);
    if (!list) return no_list(value);
    if (!can_be_item(item)) return TERN_ERR_STATE;
    tern_value *items = grown(list->head.frame, list->items, list->count, list->count + 1,
                              sizeof *items, &list->capacity);
    if (!items) return TERN_ERR_OUT_OF_MEMORY;
    list->items = items;
    list->items[list->count++] = item;
    return TERN_OK;
}

tern_status tern_list_set(tern_value list, size_t index, tern_value item) {
    tern_list_body *body = list_of(list);
    if (!body) return no_list(list);
    if (index >= body->count) return TERN_ERR_INDEX;
    if (!can_be_item(item)) return TERN_ERR_STATE;
    body->items[index] = item;
    return TERN_OK;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Python holds 1, 1.0 and True for the same key. */
static tern_value normal_key(tern_value key) {
    if (key.kind == TERN_VALUE_BOOL) return tern_int(key.as.b);
    if (key.kind == TERN_VALUE_FLOAT && key.as.f >= -0x1p63 && key.as.f < 0x1p63 &&
        key.as.f == floor(key.as.f))
        return tern_int((int64_t)key.as.f);
    return key;
}

static bool can_be_key(tern_value key) {
    switch (key.kind) {
    case TERN_VALUE_NONE:
    case TERN_VALUE_BOOL:
    case TERN_VALUE_INT:
    case TERN_VALUE_FLOAT:
    case TERN_VALUE_DTYPE: return true;
    case TERN_VALUE_STRING: return key.as.s != NULL;
    default: return false;
    }
}

/* The multiplier and the mixing steps are MurmurHash3's 64-bit finaliser. */
static uint64_t mix(uint64_t h) {
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

/* Hashes start from the dict's address: which keys collide cannot be planned by whoever writes a
 * file. */
static uint64_t hash_of(const tern_dict_body *dict, tern_value key) {
    uint64_t h = mix((uint64_t)(uintptr_t)dict + (uint64_t)key.kind);
    uint64_t word = 0;
    if (key.kind == TERN_VALUE_STRING) {
        size_t i = 0;
        for (; i + 8 <= key.length; i += 8) {
            memcpy(&word, key.as.s + i, 8);
            h = mix(h ^ word);
        }
        word = key.length;
        for (; i < key.length; i++) word = (word << 8) | (unsigned char)key.as.s[i];
    } else if (key.kind == TERN_VALUE_DTYPE) {
        word = (uint64_t)key.as.dtype;
    } else if (key.kind == TERN_VALUE_FLOAT && isnan(key.as.f)) {
        word = 1; /* NaN equals NaN here, whatever its bits */
    } else if (key.kind != TERN_VALUE_NONE) {
        memcpy(&word, &key.as.i, 8);
    }
    return mix(h ^ word);
}

/* ---- dicts ----------------------------------------------------------------------------------- */

static void table_insert(tern_dict_body *dict, size_t index) {
    size_t slot = (size_t)dict->entries[index].hash & (dict->n_slots - 1);
    while (dict->slots[slot]) slot = (slot + 1) & (dict->n_slots - 1);
    dict->slots[slot] = (uint32_t)index + 1;
}

/* The entry of a normal key, NULL where absent. */
static tern_entry *find(const tern_dict_body *dict, tern_value key, uint64_t hash) {
    if (!dict->n_slots) {
        for (size_t i = 0; i < dict->count; i++) {
            tern_entry *entry = &dict->entries[i];
            if (entry->hash == hash && tern_value_equal(normal_key(entry->key), key)) return entry;
        }
        return NULL;
    }
    size_t slot = (size_t)hash & (dict->n_slots - 1);
    for (; dict->slots[slot]; slot = (slot + 1) & (dict->n_slots - 1)) {
        tern_entry *entry = &dict->entries[dict->slots[slot] - 1];
        if (entry->hash == hash && tern_value_equal(normal_key(entry->key), key)) return entry;
    }
    return NULL;
}

/* Makes room for one more entry, in the array and in the table. */
static tern_status reserve(tern_dict_body *dict) {
    if (dict->count >= UINT32_MAX / 4)
        return tern_fail(dict->head.frame->ctx, TERN_ERR_ARGUMENT, "a dict of %zu entries is full",
                         dict->count);
    tern_entry *entries = grown(dict->head.frame, dict->entries, dict->count, dict->count + 1,
                                sizeof *entries, &dict->capacity);
    if (!entries) return TERN_ERR_OUT_OF_MEMORY;
    dict->entries = entries;
    if (dict->count < SMALL_DICT || (dict->count + 1) * 2 <= dict->n_slots) return TERN_OK;
    size_t n_slots = dict->n_slots ? dict->n_slots * 2 : 4 * SMALL_DICT;
    uint32_t *slots = tern_frame_alloc(dict->head.frame, n_slots * sizeof *slots);
    if (!slots) return TERN_ERR_OUT_OF_MEMORY;
    dict->slots = slots;
    dict->n_slots = n_slots;
    for (size_t i = 0; i < dict->count; i++) table_insert(dict, i);
    return TERN_OK;
}

static tern_status set(tern_dict_body *dict, tern_value key, tern_value item, bool copy_key) {
    if (!can_be_item(item)) return TERN_ERR_STATE;
    tern_value normal = normal_key(key);
    uint64_t hash = hash_of(dict, normal);
    tern_entry *entry = find(dict, normal, hash);
    if (entry) {
        entry->item = item;
        return TERN_OK;
    }
    tern_status status = reserve(dict);
    if (status != TERN_OK) return status;
    if (copy_key) {
        key = string_in(dict->head.frame, key.as.s, key.length);
        if (key.kind == TERN_VALUE_NONE) return TERN_ERR_OUT_OF_MEMORY;
    }
    dict->entries[dict->count] = (tern_entry){hash, key, item};
    if (dict->n_slots) table_insert(dict, dict->count);
    dict->count++;
    return TERN_OK;
}

tern_status tern_dict_set_value(tern_value dict, tern_value key, tern_value item) {
    tern_dict_body *body = dict_of(dict);
    if (!body) return no_list(dict);
    if (!can_be_item(key)) return TERN_ERR_STATE;
    if (!can_be_key(key))
        return tern_fail(body->head.ctx, TERN_ERR_ARGUMENT, "a dict's key must be a scalar, not %s",
                         tern_kind_name(key.kind));
    return set(body, key, item, false);
}

tern_status tern_dict_set(tern_value dict, const char *key, tern_value item) {
    tern_dict_body *body = dict_of(dict);
    if (!body) return no_list(dict);
    return key ? set(body, tern_text(key), item, true) : TERN_ERR_ARGUMENT;
}

static tern_entry *lookup(tern_value dict, tern_value key) {
    const tern_dict_body *body = dict_of(dict);
    if (!body || !can_be_item(key) || !can_be_key(key)) return NULL;
    key = normal_key(key);
    return find(body, key, hash_of(body, key));
}

tern_value tern_dict_get_value(tern_value dict, tern_value key) {
    tern_entry *entry = lookup(dict, key);
    return entry ? entry->item : tern_none();
}

tern_value tern_dict_get(tern_value dict, const char *key) {
    return key ? tern_dict_get_value(dict, tern_text(key)) : tern_none();
}

bool tern_dict_has(tern_value dict, const char *key) {
    return key && lookup(dict, tern_text(key)) != NULL;
}

bool tern_dict_at(tern_value dict, size_t index, tern_value *out_key, tern_value *out_item) {
    const tern_dict_body *body = dict_of(dict);
    if (!body || index >= body->count) return false;
    if (out_key) *out_key = body->entries[index].key;
    if (out_item) *out_item = body->entries[index].item;
    return true;
}

bool tern_dict_is_ordered(tern_value dict) {
    const tern_dict_body *body = dict_of(dict);
    return body && body->ordered;
}

tern_value tern_dict_attributes(tern_value dict) {
    const tern_dict_body *body = dict_of(dict);
    return body ? body->attributes : tern_none();
}

tern_status tern_dict_set_attributes(tern_value dict, tern_value attributes) {
    tern_dict_body *body = dict_of(dict);
    if (!body) return no_list(dict);
    if (!can_be_item(attributes)) return TERN_ERR_STATE;
    if (attributes.kind != TERN_VALUE_DICT && attributes.kind != TERN_VALUE_NONE)
        return tern_fail(body->head.ctx, TERN_ERR_ARGUMENT,
                         "a dict's attributes must be a dict, not %s",
                         tern_kind_name(attributes.kind));
    body->attributes = attributes;
    return TERN_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

const char *tern_kind_name(tern_kind kind) {
    static const char *const names[] = {"None", "bool",  "int",  "float",  "str",   "list of int",
                                        "list", "tuple", "dict", "Tensor", "dtype", "Generator"};
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

bool tern_value_is_number(tern_value value) {
    return value.kind == TERN_VALUE_INT || value.kind == TERN_VALUE_FLOAT ||
           value.kind == TERN_VALUE_BOOL;
}

double tern_value_as_double(tern_value value) {
    switch (value.kind) {
    case TERN_VALUE_BOOL: return value.as.b ? 1.0 : 0.0;
    case TERN_VALUE_INT: return (double)value.as.i;
    case TERN_VALUE_FLOAT: return value.as.f;
    default: return 0.0;
    }
}

int64_t tern_value_as_int(tern_value value) {
    switch (value.kind) {
    case TERN_VALUE_BOOL: return value.as.b;
    case TERN_VALUE_INT: return value.as.i;
    case TERN_VALUE_FLOAT:
        if (isnan(value.as.f)) return 0;
        if (value.as.f >= 0x1p63) return INT64_MAX;
        return value.as.f <= -0x1p63 ? INT64_MIN : (int64_t)value.as.f;
    default: return 0;
    }
}

static bool equal(tern_value a, tern_value b, int depth);

static bool equal_lists(const tern_list_body *a, const tern_list_body *b, int depth) {
    if (a == b || !a || !b) return a == b;
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!equal(a->items[i], b->items[i], depth)) return false;
    return true;
}

/* As Python compares: the order counts between two OrderedDicts only. Attributes do not. */
static bool equal_dicts(const tern_dict_body *a, const tern_dict_body *b, int depth) {
    if (a == b || !a || !b) return a == b;
    if (a->count != b->count) return false;
    bool in_order = a->ordered && b->ordered;
    for (size_t i = 0; i < a->count; i++) {
        const tern_entry *mine = &a->entries[i], *theirs = &b->entries[i];
        tern_value key = normal_key(mine->key);
        if (!in_order)
            theirs = find(b, key, hash_of(b, key));
        else if (!equal(key, normal_key(theirs->key), depth))
            return false;
        if (!theirs || !equal(mine->item, theirs->item, depth)) return false;
    }
    return true;
}

static bool equal(tern_value a, tern_value b, int depth) {
    if (a.kind != b.kind || depth > TERN_VALUE_MAX_DEPTH) return false;
    switch (a.kind) {
    case TERN_VALUE_NONE: return true;
    case TERN_VALUE_BOOL: return a.as.b == b.as.b;
    case TERN_VALUE_INT: return a.as.i == b.as.i;
    case TERN_VALUE_FLOAT: return a.as.f == b.as.f || (isnan(a.as.f) && isnan(b.as.f));
    case TERN_VALUE_STRING:
    case TERN_VALUE_INTS: {
        size_t size = a.kind == TERN_VALUE_INTS ? sizeof(int64_t) : 1, count = tern_value_count(a);
        return count == tern_value_count(b) && (!count || !memcmp(a.as.s, b.as.s, count * size));
    }
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: return equal_lists(list_of(a), list_of(b), depth + 1);
    case TERN_VALUE_DICT: return equal_dicts(dict_of(a), dict_of(b), depth + 1);
    case TERN_VALUE_TENSOR: return a.as.tensor == b.as.tensor;
    case TERN_VALUE_DTYPE: return a.as.dtype == b.as.dtype;
    case TERN_VALUE_GENERATOR: return a.as.generator == b.as.generator;
    }
    return false;
}

bool tern_value_equal(tern_value a, tern_value b) {
    return equal(a, b, 0);
}
