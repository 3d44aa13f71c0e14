/* pickle_text.c: escapes of Python's. */
#include "pickle_text.h"

#include <stdint.h>
#include <string.h>

#include "utf8.h"

bool tern_pickle_is_digits(const char *text, size_t length) {
    if (length > 0 && text[0] == '-') text++, length--;
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return length > 0;
}

bool tern_pickle_begins(const char *name, size_t length, const char *prefix) {
    size_t n = strlen(prefix);
    return length >= n && memcmp(name, prefix, n) == 0 && (length == n || name[n] == '.');
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of exactly `count` hexadecimal digits. */
static bool hex(const char *text, const char *end, size_t count, uint32_t *out) {
    *out = 0;
    if ((size_t)(end - text) < count) return false;
    for (size_t i = 0; i < count; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

bool tern_pickle_unquote(const char *text, size_t length, char *out, size_t *out_length) {
    static const char letters[] = "\\'\"nrtabfv", plain[] = "\\'\"\n\r\t\a\b\f\v";
    char *start = out;
    if (length < 2 || (text[0] != '\'' && text[0] != '"') || text[length - 1] != text[0])
        return false;
    const char *end = text + length - 1;
    for (text++; text < end; text++) {
        if (*text != '\\') {
            *out++ = *text;
            continue;
        }
        uint32_t number;
        if (++text == end) return false;
        const char *known = *text ? strchr(letters, *text) : NULL;
        if (known) {
            *out++ = plain[known - letters];
        } else if (*text == 'x' && hex(text + 1, end, 2, &number)) {
            *out++ = (char)number;
            text += 2;
        } else {
            return false;
        }
    }
    *out_length = (size_t)(out - start);
    return true;
}

bool tern_pickle_unescape(const char *text, size_t length, char *out, size_t *out_length) {
    const char *end = text + length;
    char *start = out;
    while (text < end) {
        uint32_t code = (unsigned char)*text++;
        bool escaped = code == '\\' && text < end && (*text == 'u' || *text == 'U');
        size_t digits = escaped ? (*text == 'u' ? 4 : 8) : 0;
        if (escaped && !hex(text + 1, end, digits, &code)) return false;
        if (escaped) text += 1 + digits;
        size_t bytes = tern_utf8_put(code, out);
        if (bytes == 0) return false;
        out += bytes;
    }
    *out_length = (size_t)(out - start);
    return true;
}
