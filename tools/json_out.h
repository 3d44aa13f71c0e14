/*
 * json_out.h: writes JSON to a stream, value by value, commas and escapes by itself.
 *
 *     json_out j = json_out_begin(stdout);
 *     json_out_object(&j, NULL);
 *     json_out_text(&j, "device", "cpu_ref");
 *     json_out_array(&j, "failures");
 *     json_out_end(&j);
 *     json_out_end(&j);
 *     json_out_finish(&j);          a line break
 *
 * Every function takes the key of the value, NULL inside an array and for the outermost value. Text
 * that is not UTF-8 is written with U+FFFD in place of the bad bytes, a number that JSON does not know
 * (inf, nan) as null.
 */
#ifndef TERN_TOOLS_JSON_OUT_H
#define TERN_TOOLS_JSON_OUT_H

#include "tern/base.h"

#include <stdio.h>

enum { JSON_DEPTH = 16 };

typedef struct json_out {
    FILE *stream;
    int depth;
    bool has_items[JSON_DEPTH];
    char closing[JSON_DEPTH];
} json_out;

json_out json_out_begin(FILE *stream);
void json_out_object(json_out *j, const char *key);
void json_out_array(json_out *j, const char *key);

/* Ends the innermost object or array. */
void json_out_end(json_out *j);
void json_out_finish(json_out *j);

/* NULL is written as null. */
void json_out_text(json_out *j, const char *key, const char *text);
void json_out_int(json_out *j, const char *key, int64_t number);

/* As Python's repr(float) writes it. */
void json_out_number(json_out *j, const char *key, double number);
void json_out_bool(json_out *j, const char *key, bool value);
void json_out_null(json_out *j, const char *key);

#endif
