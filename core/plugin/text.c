#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * Bytes of the UTF-8 sequence that starts here, 0 where it is not well formed (The Unicode
 * Standard, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
static size_t sequence_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (s[0] == 0xe0) low = 0xa0;
    if (s[0] == 0xed) high = 0x9f;
    if (s[0] == 0xf0) low = 0x90;
    if (s[0] == 0xf4) high = 0x8f;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    return length;
}

void tern_text_copy(char *out, size_t size, const char *text) {
    const unsigned char *s = (const unsigned char *)(text ? text : "");
    size_t used = 0;
    while (*s) {
        size_t length = sequence_length(s);
        bool bad = length == 0 || *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
        if (length == 0) length = 1;
        if (used + length + 1 > size) break;
        for (size_t i = 0; i < length; i++) out[used++] = bad ? '?' : (char)s[i];
        s += length;
    }
    out[used] = '\0';
}

void tern_text_append(char *out, size_t size, const char *text) {
    size_t used = strlen(out);
    tern_text_copy(out + used, size - used, text);
}

bool tern_path_join(char *out, size_t size, const char *a, const char *b) {
    int length = snprintf(out, size, "%s/%s", a, b);
    if (length > 0 && (size_t)length < size) return true;
    out[0] = '\0';
    return false;
}
