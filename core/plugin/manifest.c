#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stretch of the file's text. */
typedef struct span {
    const char *at;
    size_t length;
} span;

typedef struct reader {
    const char *name;
    int line;      /* of the text that is being read, from 1 */
    unsigned seen; /* bit i: keys[i] was there */
    tern_manifest *manifest;
    tern_fault *fault;
} reader;

static bool bad_name(reader *r, const char *key, span word) {
    tern_fault_set(r->fault, TERN_ERR_FORMAT,
                   "%s:%d: %s '%.*s' is not a name: use up to %d of a-z, 0-9 and '_', a letter "
                   "first",
                   r->name, r->line, key, (int)word.length, word.at, TERN_MANIFEST_NAME_SIZE - 1);
    return false;
}

static bool copy_name(reader *r, const char *key, span word, char *out) {
    if (word.length == 0 || word.length >= TERN_MANIFEST_NAME_SIZE) return bad_name(r, key, word);
    for (size_t i = 0; i < word.length; i++) {
        char c = word.at[i];
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '_';
        if (!letter && !(other && i > 0)) return bad_name(r, key, word);
    }
    memcpy(out, word.at, word.length);
    out[word.length] = '\0';
    return true;
}

static bool copy_integer(reader *r, const char *key, span value, int low, int high, int *out) {
    char digits[8] = {0};
    char *end = digits;
    long number = 0;
    if (value.length < sizeof digits) {
        memcpy(digits, value.at, value.length);
        number = strtol(digits, &end, 10);
    }
    /* strtol also takes blanks and '+', which a number here does not begin with. */
    bool begins_well = digits[0] == '-' || (digits[0] >= '0' && digits[0] <= '9');
    if (!begins_well || *end != '\0' || number < low || number > high) {
        tern_fault_set(r->fault, TERN_ERR_FORMAT,
                       "%s:%d: %s '%.*s' is not a whole number from %d to %d", r->name, r->line,
                       key, (int)value.length, value.at, low, high);
        return false;
    }
    *out = (int)number;
    return true;
}

static bool read_device(reader *r, span value) {
    if (!copy_name(r, "device", value, r->manifest->device)) return false;
    if (strcmp(r->manifest->device, "auto") != 0) return true;
    tern_fault_set(r->fault, TERN_ERR_FORMAT,
                   "%s:%d: 'auto' cannot be a device's name: it means the best device", r->name,
                   r->line);
    return false;
}

static bool read_host(reader *r, span value) {
    if (!copy_name(r, "host", value, r->manifest->host)) return false;
    if (strcmp(r->manifest->host, "off") != 0) return true;
    tern_fault_set(r->fault, TERN_ERR_FORMAT,
                   "%s:%d: 'off' cannot be a host library's name: it means none", r->name, r->line);
    return false;
}

static bool read_variant(reader *r, span value) {
    return copy_name(r, "variant", value, r->manifest->variant);
}

static bool read_arch(reader *r, span value) {
    return copy_name(r, "arch", value, r->manifest->arch);
}

static bool read_library(reader *r, span value) {
    if (value.at[0] == '/' || value.at[value.length - 1] == '/') {
        tern_fault_set(r->fault, TERN_ERR_FORMAT,
                       "%s:%d: library '%.*s' must be a file's path relative to the manifest",
                       r->name, r->line, (int)value.length, value.at);
        return false;
    }
    memcpy(r->manifest->library, value.at, value.length);
    r->manifest->library[value.length] = '\0';
    return true;
}

static bool read_abi(reader *r, span value) {
    return copy_integer(r, "abi", value, 0, 65535, &r->manifest->abi);
}

static bool read_priority(reader *r, span value) {
    return copy_integer(r, "priority", value, -TERN_MANIFEST_PRIORITY, TERN_MANIFEST_PRIORITY,
                        &r->manifest->priority);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool read_requires(reader *r, span value) {
    tern_manifest *m = r->manifest;
    size_t i = 0;
    while (i < value.length) {
        size_t end = i;
        while (end < value.length && !is_blank(value.at[end])) end++;
        if (m->feature_count == TERN_MANIFEST_FEATURES) {
            tern_fault_set(r->fault, TERN_ERR_FORMAT,
                           "%s:%d: requires lists more than %d CPU features", r->name, r->line,
                           TERN_MANIFEST_FEATURES);
            return false;
        }
        span word = {value.at + i, end - i};
        if (!copy_name(r, "CPU feature", word, m->features[m->feature_count])) return false;
        m->feature_count++;
        for (i = end; i < value.length && is_blank(value.at[i]);) i++;
    }
    return true;
}

static const struct {
    const char *name;
    bool required;
    bool (*read)(reader *r, span value);
} keys[] = {
    {"device", false, read_device},     {"variant", false, read_variant},
    {"library", true, read_library},    {"abi", true, read_abi},
    {"arch", false, read_arch},         {"requires", false, read_requires},
    {"priority", false, read_priority}, {"host", false, read_host},
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static span trimmed(span s) {
    while (s.length > 0 && is_blank(s.at[0])) s.at++, s.length--;
    while (s.length > 0 && is_blank(s.at[s.length - 1])) s.length--;
    return s;
}

static bool line_error(reader *r, const char *what) {
    tern_fault_set(r->fault, TERN_ERR_FORMAT, "%s:%d: %s", r->name, r->line, what);
    return false;
}

static bool set_key(reader *r, span key, span value) {
    for (unsigned k = 0; k < KEY_COUNT; k++) {
        if (strlen(keys[k].name) != key.length || memcmp(keys[k].name, key.at, key.length) != 0)
            continue;
        if (r->seen & 1u << k) return line_error(r, "this key is a duplicate; keep one of the two");
        r->seen |= 1u << k;
        return keys[k].read(r, value);
    }
    if (r->manifest->warning[0] == '\0')
        snprintf(r->manifest->warning, sizeof r->manifest->warning,
                 "line %d: unknown key '%.*s' ignored", r->line, (int)key.length, key.at);
    return true;
}

static bool read_line(reader *r, span line) {
    if (line.length > TERN_MANIFEST_MAX_LINE) return line_error(r, "the line is too long");
    span rest = trimmed(line);
    bool comment = rest.length > 0 && rest.at[0] == '#';
    for (size_t i = 0; i < rest.length; i++) {
        unsigned char c = (unsigned char)rest.at[i];
        if (c == '\t') continue;
        if (c < 0x20 || c == 0x7f) return line_error(r, "a control character; end lines with \\n");
        if (c > 0x7f && !comment) return line_error(r, "only comments may have non-ASCII text");
    }
    if (rest.length == 0 || comment) return true;
    const char *equals = memchr(rest.at, '=', rest.length);
    if (!equals) return line_error(r, "expected `key = value`");
    size_t before = (size_t)(equals - rest.at);
    span key = trimmed((span){rest.at, before});
    span value = trimmed((span){equals + 1, rest.length - before - 1});
    if (key.length == 0) return line_error(r, "there is no key before '='");
    if (key.length >= TERN_MANIFEST_NAME_SIZE) return line_error(r, "the key is too long");
    if (value.length == 0) return line_error(r, "there is no value after '='");
    if (value.length >= TERN_MANIFEST_MAX_VALUE) return line_error(r, "the value is too long");
    return set_key(r, key, value);
}

static bool read_lines(reader *r, const char *text, size_t length) {
    size_t start = 0;
    while (start < length) {
        const char *newline = memchr(text + start, '\n', length - start);
        size_t end = newline ? (size_t)(newline - text) : length;
        r->line++;
        if (!read_line(r, (span){text + start, end - start})) return false;
        start = end + 1;
    }
    if (!r->manifest->device[0] == !r->manifest->host[0]) {
        bool both = r->manifest->host[0];
        tern_fault_set(r->fault, TERN_ERR_FORMAT,
                       both ? "%s: the keys 'device' and 'host' exclude each other"
                            : "%s: the key 'device' is missing",
                       r->name);
        return false;
    }
    for (unsigned k = 0; k < KEY_COUNT; k++) {
        if (!keys[k].required || (r->seen & 1u << k)) continue;
        tern_fault_set(r->fault, TERN_ERR_FORMAT, "%s: the key '%s' is missing", r->name,
                       keys[k].name);
        return false;
    }
    return true;
}

tern_status tern_manifest_parse(const char *name, const char *text, size_t length,
                                tern_manifest *out_manifest, tern_fault *fault) {
    memset(out_manifest, 0, sizeof *out_manifest);
    if (length > TERN_MANIFEST_MAX_BYTES)
        return tern_fault_set(fault, TERN_ERR_FORMAT, "%s: a manifest has at most %d bytes", name,
                              TERN_MANIFEST_MAX_BYTES);
    reader r = {name, 0, 0, out_manifest, fault};
    if (read_lines(&r, text, length)) return TERN_OK;
    memset(out_manifest, 0, sizeof *out_manifest);
    return TERN_ERR_FORMAT;
}
