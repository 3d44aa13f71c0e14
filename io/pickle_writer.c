/* pickle_writer.c: values as protocol 2 pickles. */
#include "pickle_writer.h"

#include <string.h>

#include "bytes.h"
#include "tern/memory.h"
#include "tern/tensor.h"
#include "utf8.h"

enum { BATCH = 1000, MAX_DEPTH = 256 };

void tern_pickle_writer_init(tern_pickle_writer *w, tern_ctx *ctx) {
    memset(w, 0, sizeof *w);
    w->ctx = ctx;
    tern_sink_memory(&w->out, ctx);
}

void tern_pickle_writer_fini(tern_pickle_writer *w) {
    tern_free(w->out.bytes);
    tern_free(w->memos);
    w->out.bytes = NULL;
    w->memos = NULL;
}

static void refuse(tern_pickle_writer *w, tern_status status, const char *what) {
    if (w->out.status == TERN_OK) w->out.status = tern_fail(w->ctx, status, "save: %s", what);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

void tern_pickle_op(tern_pickle_writer *w, char opcode) {
    tern_sink_put(&w->out, &opcode, 1);
}

/* An opcode with a little-endian operand. */
static void put_operand(tern_pickle_writer *w, char opcode, uint64_t operand, int bytes) {
    unsigned char text[9] = {(unsigned char)opcode};
    tern_put_le(text + 1, operand, bytes);
    tern_sink_put(&w->out, text, 1 + (size_t)bytes);
}

void tern_pickle_int(tern_pickle_writer *w, int64_t number) {
    uint64_t bits = (uint64_t)number;
    if (number >= 0 && number <= UINT8_MAX) {
        put_operand(w, 'K', bits, 1);
    } else if (number >= 0 && number <= UINT16_MAX) {
        put_operand(w, 'M', bits, 2);
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
        put_operand(w, 'J', bits, 4);
    } else {
        unsigned char text[10] = {0x8a};
        int bytes = 8;
        /* As few bytes as keep the sign. */
        while (bytes > 1 && number >> (8 * (bytes - 1) - 1) == (number < 0 ? -1 : 0)) bytes--;
        text[1] = (unsigned char)bytes;
        tern_put_le(text + 2, bits, bytes);
        tern_sink_put(&w->out, text, 2 + (size_t)bytes);
    }
}

static void put_float(tern_pickle_writer *w, double number) {
    uint64_t bits;
    unsigned char text[9] = {'G'};
    memcpy(&bits, &number, 8);
    for (int i = 0; i < 8; i++) text[8 - i] = (unsigned char)(bits >> (8 * i));
    tern_sink_put(&w->out, text, sizeof text);
}

uint32_t tern_pickle_put(tern_pickle_writer *w) {
    uint32_t number = w->next_number++;
    put_operand(w, number < 256 ? 'q' : 'r', number, number < 256 ? 1 : 4);
    return number;
}

void tern_pickle_get(tern_pickle_writer *w, uint32_t number) {
    put_operand(w, number < 256 ? 'h' : 'j', number, number < 256 ? 1 : 4);
}

/* ---- the memo -------------------------------------------------------------------------------- */

/* FNV-1a over an address or a content; never 0. */
static uint64_t hash_of(const void *object, uint32_t length, bool by_content) {
    uint64_t hash = 0xcbf29ce484222325u;
    const unsigned char *bytes = by_content ? object : (const void *)&object;
    size_t count = by_content ? length : sizeof object;
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    hash ^= hash >> 29;
    return hash ? hash : 1;
}

/* The slot that holds the object, or the free one where it belongs; NULL while there is no table. */
static tern_memo *find_slot(const tern_pickle_writer *w, const void *object, uint32_t length,
                            bool by_content, uint64_t hash) {
    if (!w->n_slots) return NULL;
    size_t at = (size_t)hash & (w->n_slots - 1);
    for (;; at = (at + 1) & (w->n_slots - 1)) {
        tern_memo *m = &w->memos[at];
        if (m->hash == 0) return m;
        if (m->hash != hash || m->by_content != by_content || m->length != length) continue;
        if (by_content ? memcmp(m->object, object, length) == 0 : m->object == object) return m;
    }
}

static bool grow_memo(tern_pickle_writer *w) {
    if ((w->n_memos + 1) * 2 <= w->n_slots) return true;
    tern_memo *old = w->memos;
    size_t n_old = w->n_slots, n_slots = n_old ? n_old * 2 : 64;
    tern_memo *memos = tern_alloc_zeroed(n_slots, sizeof *memos);
    if (!memos) {
        refuse(w, TERN_ERR_OUT_OF_MEMORY, "out of memory");
        return false;
    }
    w->memos = memos;
    w->n_slots = n_slots;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].hash)
            *find_slot(w, old[i].object, old[i].length, old[i].by_content, old[i].hash) = old[i];
    tern_free(old);
    return true;
}

static tern_memo *recall(const tern_pickle_writer *w, const void *object, uint32_t length,
                         bool by_content) {
    tern_memo *m = find_slot(w, object, length, by_content, hash_of(object, length, by_content));
    return m && m->hash ? m : NULL;
}

static void remember(tern_pickle_writer *w, const void *object, uint32_t length, bool by_content,
                     bool open) {
    uint32_t number = tern_pickle_put(w);
    if (!grow_memo(w)) return;
    uint64_t hash = hash_of(object, length, by_content);
    *find_slot(w, object, length, by_content, hash) =
        (tern_memo){hash, object, length, number, by_content, open};
    w->n_memos++;
}

bool tern_pickle_again(tern_pickle_writer *w, const void *object) {
    tern_memo *m = recall(w, object, 0, false);
    if (!m) return false;
    if (m->open)
        refuse(w, TERN_ERR_ARGUMENT, "a list or dict contains itself, which cannot be saved");
    tern_pickle_get(w, m->number);
    return true;
}

void tern_pickle_remember(tern_pickle_writer *w, const void *object) {
    remember(w, object, 0, false, false);
}

static void set_open(tern_pickle_writer *w, const void *object, bool open) {
    tern_memo *m = recall(w, object, 0, false);
    if (m) m->open = open;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* What CPython has only once: the empty text, single characters, identifiers in source code. */
static bool is_interned(const tern_pickle_writer *w, const char *text, size_t length) {
    if (length <= 1) return true;
    if (w->computed_keys || !is_letter(text[0])) return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter(text[i]) && !(text[i] >= '0' && text[i] <= '9')) return false;
    return true;
}

/* What is no text is bytes, which protocol 2 writes as _codecs.encode(text, 'latin1'): each byte is a
 * character. */
static void put_bytes(tern_pickle_writer *w, const char *bytes, size_t length) {
    char *text = tern_alloc(2 * length);
    size_t used = 0;
    if (!text) {
        refuse(w, TERN_ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < length; i++) used += tern_utf8_put((unsigned char)bytes[i], text + used);
    tern_pickle_global(w, "_codecs encode");
    tern_pickle_fresh_text(w, text, used);
    tern_pickle_text(w, "latin1", 6);
    tern_pickle_op(w, (char)0x86);
    tern_pickle_put(w);
    tern_pickle_op(w, 'R');
    tern_free(text);
}

void tern_pickle_text(tern_pickle_writer *w, const char *text, size_t length) {
    bool interned = is_interned(w, text, length);
    uint32_t known = interned ? (uint32_t)length : 0;
    tern_memo *m = recall(w, text, known, interned);
    if (m) {
        tern_pickle_get(w, m->number);
        return;
    }
    if (!tern_is_utf8(text, length)) {
        put_bytes(w, text, length);
    } else {
        put_operand(w, 'X', length, 4);
        tern_sink_put(&w->out, text, length);
    }
    remember(w, text, known, interned, false);
}

uint32_t tern_pickle_fresh_text(tern_pickle_writer *w, const char *text, size_t length) {
    put_operand(w, 'X', length, 4);
    tern_sink_put(&w->out, text, length);
    return tern_pickle_put(w);
}

/* Known by content, as interned texts are; its space keeps it apart from them. */
void tern_pickle_global(tern_pickle_writer *w, const char *module_and_name) {
    uint32_t length = (uint32_t)strlen(module_and_name);
    tern_memo *m = recall(w, module_and_name, length, true);
    if (m) {
        tern_pickle_get(w, m->number);
        return;
    }
    size_t space = strcspn(module_and_name, " ");
    tern_pickle_op(w, 'c');
    tern_sink_put(&w->out, module_and_name, space);
    tern_pickle_op(w, '\n');
    tern_sink_put(&w->out, module_and_name + space + 1, length - space - 1);
    tern_pickle_op(w, '\n');
    remember(w, module_and_name, length, true, false);
}

/* ---- containers ------------------------------------------------------------------------------ */

static void put_value(tern_pickle_writer *w, tern_value value);

static void tuple_end(tern_pickle_writer *w, size_t count) {
    static const char short_forms[] = {0, (char)0x85, (char)0x86, (char)0x87};
    tern_pickle_op(w, count <= 3 ? short_forms[count] : 't');
}

void tern_pickle_int_tuple(tern_pickle_writer *w, const int64_t *ints, size_t count) {
    if (count == 0) {
        tern_pickle_op(w, ')');
        return;
    }
    if (count > 3) tern_pickle_op(w, '(');
    for (size_t i = 0; i < count; i++) tern_pickle_int(w, ints[i]);
    tuple_end(w, count);
    tern_pickle_put(w);
}

static void put_tuple(tern_pickle_writer *w, tern_value tuple) {
    size_t count = tern_value_count(tuple);
    if (count == 0) {
        tern_pickle_op(w, ')');
        return;
    }
    if (count > 3) tern_pickle_op(w, '(');
    for (size_t i = 0; i < count; i++) put_value(w, tern_value_at(tuple, i));
    tuple_end(w, count);
    tern_pickle_remember(w, tuple.as.list);
}

/* Items in batches of 1000; one alone is appended without a mark. INTS have no identity. */
static void put_list(tern_pickle_writer *w, tern_value list) {
    size_t count = tern_value_count(list);
    bool known = list.kind == TERN_VALUE_LIST;
    tern_pickle_op(w, ']');
    if (known)
        remember(w, list.as.list, 0, false, true);
    else
        tern_pickle_put(w);
    for (size_t first = 0; first < count; first += BATCH) {
        size_t end = count - first < BATCH ? count : first + BATCH;
        if (count > 1) tern_pickle_op(w, '(');
        for (size_t i = first; i < end; i++) put_value(w, tern_value_at(list, i));
        tern_pickle_op(w, count > 1 ? 'e' : 'a');
    }
    if (known) set_open(w, list.as.list, false);
}

/*
 * Entries in batches of 1000. CPython has two ways to write them: one for plain dicts, which ends a
 * full last batch with an empty one, and one for OrderedDicts, which writes a last single entry
 * without a mark.
 */
static void put_entries(tern_pickle_writer *w, tern_value dict, bool computed_keys) {
    size_t count = tern_value_count(dict), at = 0;
    bool plain = !tern_dict_is_ordered(dict), more = count > 0;
    tern_value key, item;
    while (more && w->out.status == TERN_OK) {
        size_t end = count - at < BATCH ? count : at + BATCH;
        bool single = plain ? count == 1 : end - at == 1;
        more = !single && end - at == BATCH && (plain || end < count);
        if (!single) tern_pickle_op(w, '(');
        for (; at < end && tern_dict_at(dict, at, &key, &item); at++) {
            w->computed_keys = computed_keys;
            put_value(w, key);
            w->computed_keys = false;
            put_value(w, item);
        }
        tern_pickle_op(w, single ? 's' : 'u');
    }
}

/* {'_metadata': OrderedDict([(prefix, {'version': 1}), ...])}, set by BUILD. Its keys are prefixes
 * that PyTorch cuts from longer texts, so each is an object of its own. */
static void put_attributes(tern_pickle_writer *w, tern_value attributes) {
    tern_value metadata = tern_dict_get(attributes, "_metadata");
    if (tern_value_count(attributes) != 1 || metadata.kind != TERN_VALUE_DICT) {
        put_value(w, attributes);
    } else {
        tern_pickle_op(w, '}');
        tern_pickle_put(w);
        tern_pickle_text(w, "_metadata", 9);
        w->computed_keys = true;
        put_value(w, metadata);
        w->computed_keys = false;
        tern_pickle_op(w, 's');
    }
    tern_pickle_op(w, 'b');
}

static void put_dict(tern_pickle_writer *w, tern_value dict) {
    bool ordered = tern_dict_is_ordered(dict);
    bool computed_keys = w->computed_keys;
    tern_value attributes = tern_dict_attributes(dict);
    w->computed_keys = false;
    if (ordered) {
        tern_pickle_global(w, "collections OrderedDict");
        tern_pickle_op(w, ')');
        tern_pickle_op(w, 'R');
    } else {
        tern_pickle_op(w, '}');
    }
    remember(w, dict.as.dict, 0, false, true);
    put_entries(w, dict, computed_keys);
    if (ordered && tern_value_count(attributes) > 0) put_attributes(w, attributes);
    set_open(w, dict.as.dict, false);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void put_dtype(tern_pickle_writer *w, tern_dtype dtype) {
    static const char *const globals[TERN_COMPLEX128 + 1] = {"torch float32",
                                                             "torch float64",
                                                             "torch float16",
                                                             "torch bfloat16",
                                                             "torch int64",
                                                             "torch int32",
                                                             "torch int16",
                                                             "torch int8",
                                                             "torch uint8",
                                                             "torch bool",
                                                             [TERN_COMPLEX64] = "torch complex64",
                                                             [TERN_COMPLEX128] =
                                                                 "torch complex128"};
    if (tern_dtype_size(dtype) > 0)
        tern_pickle_global(w, globals[dtype]);
    else
        refuse(w, TERN_ERR_ARGUMENT, "a dtype is not one of Tern's");
}

/* The object that makes a container or tensor known; NULL for what has no identity. */
static const void *identity(tern_value value) {
    if (value.kind == TERN_VALUE_LIST) return value.as.list;
    if (value.kind == TERN_VALUE_TUPLE) return tern_value_count(value) ? value.as.list : NULL;
    if (value.kind == TERN_VALUE_DICT) return value.as.dict;
    return value.kind == TERN_VALUE_TENSOR ? value.as.tensor : NULL;
}

static void put_value(tern_pickle_writer *w, tern_value value) {
    const void *object = identity(value);
    if (w->out.status != TERN_OK || (object && tern_pickle_again(w, object))) return;
    if (++w->depth > MAX_DEPTH) refuse(w, TERN_ERR_ARGUMENT, "values are nested deeper than 256");
    switch (w->out.status == TERN_OK ? value.kind : TERN_VALUE_NONE) {
    case TERN_VALUE_NONE: tern_pickle_op(w, 'N'); break;
    case TERN_VALUE_BOOL: tern_pickle_op(w, value.as.b ? (char)0x88 : (char)0x89); break;
    case TERN_VALUE_INT: tern_pickle_int(w, value.as.i); break;
    case TERN_VALUE_FLOAT: put_float(w, value.as.f); break;
    case TERN_VALUE_STRING: tern_pickle_text(w, value.as.s, value.length); break;
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST: put_list(w, value); break;
    case TERN_VALUE_TUPLE: put_tuple(w, value); break;
    case TERN_VALUE_DICT: put_dict(w, value); break;
    case TERN_VALUE_TENSOR: w->tensor(w, value.as.tensor); break;
    case TERN_VALUE_DTYPE: put_dtype(w, value.as.dtype); break;
    case TERN_VALUE_GENERATOR:
        refuse(w, TERN_ERR_ARGUMENT,
               "a generator cannot be saved: save the state that tern_generator_get_state gives");
        break;
    }
    w->depth--;
}

tern_status tern_pickle_dump(tern_pickle_writer *w, tern_value value) {
    put_operand(w, (char)0x80, 2, 1);
    put_value(w, value);
    tern_pickle_op(w, '.');
    return w->out.status;
}
