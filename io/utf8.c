/* utf8.c: which bytes are UTF-8. */
#include "utf8.h"

#include <string.h>

#include "tern/context.h"

static bool continues(const unsigned char *s, const unsigned char *end, size_t count) {
    if ((size_t)(end - s) < count) return false;
    for (size_t i = 1; i < count; i++)
        if ((s[i] & 0xc0) != 0x80) return false;
    return true;
}

/* Bytes of the character that begins here; 0 where none does. */
static size_t character(const unsigned char *s, const unsigned char *end) {
    size_t count = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (count == 1) return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4 || !continues(s, end, count)) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return count;
}

bool tern_is_utf8(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    while (s < end) {
        size_t count = character(s, end);
        if (count == 0) return false;
        s += count;
    }
    return true;
}

size_t tern_utf8_put(uint32_t code, char *out) {
    if (code < 0x80) return *out = (char)code, 1;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = count - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[count] | code);
    return count;
}

const char *tern_shown(const char *text, size_t length, char out_text[TERN_SHOWN]) {
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    char *out = out_text;
    while (s < end) {
        size_t count = character(s, end);
        if ((size_t)(out - out_text) + 4 >= TERN_SHOWN) break;
        if (count > 0 && *s) memcpy(out, s, count);
        if (count == 0 || !*s) *out = '?';
        out += count ? count : 1;
        s += count ? count : 1;
    }
    *out = 0;
    tern_text_tame(out_text, false);
    return out_text;
}
