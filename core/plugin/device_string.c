#include "device_string.h"

#include <string.h>

#include "text.h"

static tern_status bad(const char *text, const char *why, tern_fault *fault) {
    char shown[64];
    tern_text_copy(shown, sizeof shown, text);
    return tern_fault_set(fault, TERN_ERR_ARGUMENT, "bad device '%s': %s", shown, why);
}

static bool is_name(const char *text, size_t length) {
    if (length == 0) return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if ((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')) continue;
        return false;
    }
    return true;
}

tern_status tern_device_string_parse(const char *text, tern_device_string *out_string,
                                     tern_fault *fault) {
    memset(out_string, 0, sizeof *out_string);
    out_string->index = -1;
    size_t length = strcspn(text, ":");
    if (!is_name(text, length))
        return bad(text, "a device is a name such as cpu, or a name and an index such as cpu:0",
                   fault);
    if (length >= sizeof out_string->name || strlen(text) >= sizeof out_string->text)
        return bad(text, "the name is too long", fault);
    memcpy(out_string->name, text, length);
    strcpy(out_string->text, text);
    out_string->is_auto = strcmp(out_string->name, "auto") == 0;
    if (text[length] == '\0') return TERN_OK;
    if (out_string->is_auto) return bad(text, "'auto' takes no index", fault);
    const char *digits = text + length + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 4 || digits[count] != '\0')
        return bad(text, "after the colon comes an index from 0 to 9999", fault);
    out_string->index = 0;
    for (size_t i = 0; i < count; i++)
        out_string->index = 10 * out_string->index + (digits[i] - '0');
    return TERN_OK;
}
