/* utf8.c: whether a text is UTF-8. */
#include "utf8.h"

static bool continues(const unsigned char *s, const unsigned char *end, int count) {
    if (end - s <= count) return false;
    for (int i = 1; i <= count; i++)
        if ((s[i] & 0xc0) != 0x80) return false;
    return true;
}

bool tern_is_utf8(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    while (s < end) {
        int more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
        if (more && (s[0] < 0xc2 || s[0] > 0xf4 || !continues(s, end, more))) return false;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return false;
        if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return false;
        s += more + 1;
    }
    return true;
}
