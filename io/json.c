/* json.c: values from JSON and back. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tern/describe.h"
#include "tern/io.h"
#include "tern/memory.h"
#include "utf8.h"

enum { MAX_DEPTH = 256 };

/* ---- reading --------------------------------------------------------------------------------- */

json_t *tern_json_decode(tern_ctx *ctx, const char *path, const char *text, size_t length) {
    json_error_t error;
    if (tern_check(ctx) != TERN_OK) return NULL;
    json_t *json =
        json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    char shown[TERN_SHOWN]; /* the message quotes the text */
    if (!json)
        tern_fail(ctx, TERN_ERR_FORMAT, "%s: line %d, column %d: %s", path ? path : "JSON",
                  error.line, error.column, tern_shown(error.text, strlen(error.text), shown));
    return json;
}

static tern_value convert(tern_ctx *ctx, json_t *json, int depth, bool *ok);

static tern_value convert_array(tern_ctx *ctx, json_t *json, int depth, bool *ok) {
    tern_value list = tern_list_new(ctx);
    size_t index;
    json_t *item;
    json_array_foreach(json, index, item) {
        if (*ok && tern_list_append(list, convert(ctx, item, depth + 1, ok)) != TERN_OK)
            *ok = false;
        if (!*ok) break;
    }
    return list;
}

static tern_value convert_object(tern_ctx *ctx, json_t *json, int depth, bool *ok) {
    tern_value dict = tern_dict_new(ctx, false);
    const char *key;
    json_t *item;
    json_object_foreach(json, key, item) {
        if (*ok && tern_dict_set(dict, key, convert(ctx, item, depth + 1, ok)) != TERN_OK)
            *ok = false;
        if (!*ok) break;
    }
    return dict;
}

static tern_value convert(tern_ctx *ctx, json_t *json, int depth, bool *ok) {
    if (depth > MAX_DEPTH) {
        tern_fail(ctx, TERN_ERR_FORMAT, "JSON: nested deeper than %d", MAX_DEPTH);
        *ok = false;
        return tern_none();
    }
    switch (json_typeof(json)) {
    case JSON_OBJECT: return convert_object(ctx, json, depth, ok);
    case JSON_ARRAY: return convert_array(ctx, json, depth, ok);
    case JSON_STRING: return tern_string_n(ctx, json_string_value(json), json_string_length(json));
    case JSON_INTEGER: return tern_int(json_integer_value(json));
    case JSON_REAL: return tern_float(json_real_value(json));
    case JSON_TRUE: return tern_bool(true);
    case JSON_FALSE: return tern_bool(false);
    case JSON_NULL: return tern_none();
    }
    return tern_none();
}

static tern_value parse(tern_ctx *ctx, const char *path, const char *text, size_t length) {
    json_t *json = tern_json_decode(ctx, path, text, length);
    if (!json) return tern_none();
    bool ok = true;
    tern_value value = convert(ctx, json, 1, &ok);
    json_decref(json);
    return ok && tern_check(ctx) == TERN_OK ? value : tern_none();
}

tern_value tern_json_parse(tern_ctx *ctx, const char *text, size_t length) {
    if (!tern_argument_given(ctx, "tern_json_parse", "text", text)) return tern_none();
    return parse(ctx, NULL, text, length);
}

tern_value tern_json_load(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return tern_none();
    tern_value value = parse(ctx, path, (const char *)bytes, size);
    tern_free(bytes);
    return value;
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct writer {
    tern_sink sink;
    int indent, depth;
} writer;

static void put(writer *w, const char *text) {
    tern_sink_put(&w->sink, text, strlen(text));
}

static void refuse(writer *w, const char *what) {
    if (w->sink.status == TERN_OK)
        w->sink.status = tern_fail(w->sink.ctx, TERN_ERR_ARGUMENT, "JSON: %s", what);
}

void tern_json_put_text(tern_sink *sink, const char *text, size_t length) {
    tern_sink_put(sink, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        static const char plain[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
        char escape[8];
        const char *known = text[i] ? strchr(plain, text[i]) : NULL;
        if (known)
            snprintf(escape, sizeof escape, "\\%c", letters[known - plain]);
        else if ((unsigned char)text[i] < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)text[i]);
        else
            snprintf(escape, sizeof escape, "%c", text[i]);
        tern_sink_put(sink, escape, strlen(escape));
    }
    tern_sink_put(sink, "\"", 1);
}

static void put_text(writer *w, tern_value text) {
    if (!tern_is_utf8(text.as.s, text.length)) refuse(w, "a text is not UTF-8");
    tern_json_put_text(&w->sink, text.as.s, text.length);
}

static void new_line(writer *w) {
    if (!w->indent) return;
    put(w, "\n");
    for (int i = 0; i < w->indent * w->depth; i++) put(w, " ");
}

static void put_value(writer *w, tern_value value);

static void put_list(writer *w, tern_value list) {
    size_t count = tern_value_count(list);
    put(w, "[");
    w->depth++;
    for (size_t i = 0; i < count && w->sink.status == TERN_OK; i++) {
        if (i) put(w, w->indent ? "," : ", ");
        new_line(w);
        put_value(w, tern_value_at(list, i));
    }
    w->depth--;
    if (count) new_line(w);
    put(w, "]");
}

static void put_dict(writer *w, tern_value dict) {
    tern_value key, item;
    put(w, "{");
    w->depth++;
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item) && w->sink.status == TERN_OK; i++) {
        char text[64];
        if (i) put(w, w->indent ? "," : ", ");
        new_line(w);
        if (key.kind != TERN_VALUE_STRING) {
            tern_value_repr(key, text, sizeof text);
            key = tern_text(text);
        }
        put_text(w, key);
        put(w, ": ");
        put_value(w, item);
    }
    w->depth--;
    if (tern_value_count(dict)) new_line(w);
    put(w, "}");
}

/* Finite floats as Python writes them: these are JSON's too. */
static void put_float(writer *w, double number) {
    char text[40];
    tern_format_double(number, text);
    if (!isfinite(number)) put(w, "\"");
    put(w, text);
    if (!isfinite(number)) put(w, "\"");
}

static void put_value(writer *w, tern_value value) {
    char number[32];
    if (w->depth > MAX_DEPTH) {
        refuse(w, "values are nested deeper than 256");
        return;
    }
    switch (value.kind) {
    case TERN_VALUE_NONE: put(w, "null"); return;
    case TERN_VALUE_BOOL: put(w, value.as.b ? "true" : "false"); return;
    case TERN_VALUE_INT:
        snprintf(number, sizeof number, "%" PRId64, value.as.i);
        put(w, number);
        return;
    case TERN_VALUE_FLOAT: put_float(w, value.as.f); return;
    case TERN_VALUE_STRING: put_text(w, value); return;
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: put_list(w, value); return;
    case TERN_VALUE_DICT: put_dict(w, value); return;
    case TERN_VALUE_DTYPE:
        put(w, "\"torch.");
        put(w, tern_dtype_name(value.as.dtype));
        put(w, "\"");
        return;
    case TERN_VALUE_TENSOR:
    case TERN_VALUE_GENERATOR: refuse(w, "a tensor or a generator cannot be written"); return;
    }
}

const char *tern_json_text(tern_ctx *ctx, tern_value value, int indent) {
    writer w = {.indent = indent > 0 ? indent : 0};
    tern_sink_memory(&w.sink, ctx);
    w.sink.status = tern_check(ctx);
    if (w.sink.status == TERN_OK) put_value(&w, value);
    tern_value text = tern_none();
    if (w.sink.status == TERN_OK)
        text = tern_string_n(ctx, (const char *)w.sink.bytes, w.sink.used);
    tern_free(w.sink.bytes);
    return text.kind == TERN_VALUE_STRING ? text.as.s : NULL;
}
