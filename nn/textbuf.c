/* textbuf.c: text that grows as it is written. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tern/describe.h"
#include "tern/memory.h"

/* Makes room for `extra` bytes and the final zero. */
static bool reserve(tern_textbuf *text, size_t extra) {
    if (!text) return false;
    if (text->failed || extra >= SIZE_MAX / 4 || text->length >= SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity * 2 : 128;
    if (capacity < needed) capacity = needed;
    char *data = tern_realloc(text->data, text->capacity, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void tern_textbuf_add_n(tern_textbuf *text, const char *bytes, size_t length) {
    if (!bytes) length = 0;
    if (!reserve(text, length)) return;
    if (length) memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void tern_textbuf_add(tern_textbuf *text, const char *format, ...) {
    if (!text || !format) return;
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void tern_textbuf_add_value(tern_textbuf *text, tern_value value, bool str) {
    if (str && value.kind == TERN_VALUE_STRING) {
        tern_textbuf_add_n(text, value.as.s, value.length);
        return;
    }
    size_t length = tern_value_repr(value, NULL, 0);
    if (!reserve(text, length)) return;
    tern_value_repr(value, text->data + text->length, length + 1);
    text->length += length;
}

void tern_textbuf_cut(tern_textbuf *text, size_t length) {
    if (!text || length >= text->length) return;
    text->length = length;
    text->data[length] = '\0';
}

void tern_textbuf_free(tern_textbuf *text) {
    if (!text) return;
    tern_free(text->data);
    *text = (tern_textbuf){0};
}
