/* json.h: what the readers and writers of JSON share. */
#ifndef TERN_IO_JSON_H
#define TERN_IO_JSON_H

#include <jansson.h>

#include "file.h"
#include "tern/value.h"

/* Parses; latches "PATH: line 3, column 7: ..." (`path` NULL: "JSON"). json_decref gives it back. */
json_t *tern_json_decode(tern_ctx *ctx, const char *path, const char *text, size_t length);

/* A text in quotation marks; control characters, quotes and backslashes escaped. */
void tern_json_put_text(tern_sink *sink, const char *text, size_t length);

#endif
