#include "json_out.h"

#include "tern/value.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 sequence at `s`, 0 where there is none (RFC 3629, section 4). */
static int utf8_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    int length = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : 4;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool too_large = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

static void quoted(FILE *stream, const char *text) {
    fputc('"', stream);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int length = utf8_length(s);
        if (*s == '"' || *s == '\\')
            fprintf(stream, "\\%c", *s);
        else if (*s == '\n')
            fputs("\\n", stream);
        else if (*s == '\t')
            fputs("\\t", stream);
        else if (*s < 0x20 || *s == 0x7f)
            fprintf(stream, "\\u%04x", *s);
        else if (length == 0)
            fputs("\\ufffd", stream);
        else
            fwrite(s, 1, (size_t)length, stream);
        s += length ? length : 1;
    }
    fputc('"', stream);
}

static void lead_in(json_out *j, const char *key) {
    if (j->depth > 0 && j->has_items[j->depth - 1]) fputs(", ", j->stream);
    if (j->depth > 0) j->has_items[j->depth - 1] = true;
    if (key) {
        quoted(j->stream, key);
        fputs(": ", j->stream);
    }
}

static void open_level(json_out *j, const char *key, char opening, char closing) {
    lead_in(j, key);
    fputc(opening, j->stream);
    j->has_items[j->depth] = false;
    j->closing[j->depth++] = closing;
}

json_out json_out_begin(FILE *stream) {
    json_out j = {.stream = stream};
    return j;
}

void json_out_object(json_out *j, const char *key) {
    open_level(j, key, '{', '}');
}

void json_out_array(json_out *j, const char *key) {
    open_level(j, key, '[', ']');
}

void json_out_end(json_out *j) {
    fputc(j->closing[--j->depth], j->stream);
}

void json_out_finish(json_out *j) {
    fputc('\n', j->stream);
}

void json_out_text(json_out *j, const char *key, const char *text) {
    lead_in(j, key);
    if (text)
        quoted(j->stream, text);
    else
        fputs("null", j->stream);
}

void json_out_int(json_out *j, const char *key, int64_t number) {
    lead_in(j, key);
    fprintf(j->stream, "%" PRId64, number);
}

void json_out_number(json_out *j, const char *key, double number) {
    char text[32];
    lead_in(j, key);
    tern_format_double(number, text);
    fputs(isfinite(number) ? text : "null", j->stream);
}

void json_out_bool(json_out *j, const char *key, bool value) {
    lead_in(j, key);
    fputs(value ? "true" : "false", j->stream);
}

void json_out_null(json_out *j, const char *key) {
    lead_in(j, key);
    fputs("null", j->stream);
}
