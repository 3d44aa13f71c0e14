/* value_repr.c: a value as Python's repr() writes it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

/* What was written and what would have been, as snprintf counts. */
typedef struct writer {
    char *text;
    size_t size, length;
} writer;

static void put_n(writer *w, const char *bytes, size_t count) {
    if (w->length < w->size) {
        size_t room = w->size - w->length;
        memcpy(w->text + w->length, bytes, count < room ? count : room);
    }
    w->length += count;
}

static void put(writer *w, const char *text) {
    put_n(w, text, strlen(text));
}

/* Code points from U+0080 that Python writes as \x..: controls, the no-break space, the soft
 * hyphen. All of them are C2 xx in UTF-8. */
static bool is_hidden_latin1(const unsigned char *s, size_t left) {
    return left >= 2 && s[0] == 0xc2 && ((s[1] >= 0x80 && s[1] <= 0xa0) || s[1] == 0xad);
}

static void put_string(writer *w, const char *text, size_t length) {
    if (!text) text = "", length = 0;
    const unsigned char *s = (const unsigned char *)text;
    bool has_single = memchr(text, '\'', length) != NULL;
    char quote = has_single && !memchr(text, '"', length) ? '"' : '\'';
    char escape[8];
    put_n(w, &quote, 1);
    for (size_t i = 0; i < length; i++) {
        if (s[i] == '\\' || s[i] == (unsigned char)quote) {
            snprintf(escape, sizeof escape, "\\%c", s[i]);
        } else if (s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
            snprintf(escape, sizeof escape, "\\%c", s[i] == '\n' ? 'n' : s[i] == '\r' ? 'r' : 't');
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            snprintf(escape, sizeof escape, "\\x%02x", s[i]);
        } else if (is_hidden_latin1(s + i, length - i)) {
            snprintf(escape, sizeof escape, "\\x%02x", s[++i]);
        } else {
            put_n(w, text + i, 1);
            continue;
        }
        put(w, escape);
    }
    put_n(w, &quote, 1);
}

static void put_value(writer *w, tern_value value, int depth);

static void put_list(writer *w, tern_value value, int depth) {
    bool tuple = value.kind == TERN_VALUE_TUPLE;
    size_t count = tern_value_count(value);
    put(w, tuple ? "(" : "[");
    for (size_t i = 0; i < count; i++) {
        if (i) put(w, ", ");
        put_value(w, tern_value_at(value, i), depth + 1);
    }
    if (tuple && count == 1) put(w, ",");
    put(w, tuple ? ")" : "]");
}

/* {'a': 1}, or OrderedDict({'a': 1}) as Python writes it from 3.12 on. */
static void put_dict(writer *w, tern_value value, int depth) {
    bool ordered = tern_dict_is_ordered(value), empty = tern_value_count(value) == 0;
    tern_value key, item;
    put(w, ordered ? (empty ? "OrderedDict(" : "OrderedDict({") : "{");
    for (size_t i = 0; tern_dict_at(value, i, &key, &item); i++) {
        if (i) put(w, ", ");
        put_value(w, key, depth + 1);
        put(w, ": ");
        put_value(w, item, depth + 1);
    }
    put(w, ordered ? (empty ? ")" : "})") : "}");
}

static void put_tensor(writer *w, const tern_tensor *tensor) {
    size_t room = w->length < w->size ? w->size - w->length : 0;
    w->length += tern_repr(tensor, room ? w->text + w->length : NULL, room);
}

static void put_value(writer *w, tern_value value, int depth) {
    char text[48];
    if (depth > TERN_VALUE_MAX_DEPTH) {
        put(w, "...");
        return;
    }
    switch (value.kind) {
    case TERN_VALUE_NONE: put(w, "None"); return;
    case TERN_VALUE_BOOL: put(w, value.as.b ? "True" : "False"); return;
    case TERN_VALUE_INT:
        snprintf(text, sizeof text, "%" PRId64, value.as.i);
        put(w, text);
        return;
    case TERN_VALUE_FLOAT:
        tern_format_double(value.as.f, text);
        put(w, text);
        return;
    case TERN_VALUE_STRING: put_string(w, value.as.s, value.length); return;
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: put_list(w, value, depth); return;
    case TERN_VALUE_DICT: put_dict(w, value, depth); return;
    case TERN_VALUE_TENSOR: put_tensor(w, value.as.tensor); return;
    case TERN_VALUE_DTYPE:
        put(w, "torch.");
        put(w, tern_dtype_name(value.as.dtype));
        return;
    case TERN_VALUE_GENERATOR: put(w, "<torch._C.Generator object>"); return;
    }
}

size_t tern_value_repr(tern_value value, char *out_text, size_t size) {
    if (!out_text) size = 0;
    writer w = {out_text, size, 0};
    put_value(&w, value, 0);
    if (size) out_text[w.length < size ? w.length : size - 1] = 0;
    return w.length;
}
