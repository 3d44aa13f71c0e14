/*
 * text.h: text of others (paths, a plugin's names and messages) made fit for a report.
 */
#ifndef TERN_CORE_PLUGIN_TEXT_H
#define TERN_CORE_PLUGIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The longest path that the loader handles, with its final zero (Linux's PATH_MAX). */
#define TERN_PATH_SIZE 4096

/*
 * Copies `text` (NULL is "") so that it is one line of valid UTF-8: control characters and bad
 * bytes become '?', and what does not fit is cut before a character, never inside one. `size` > 0;
 * `text` may be `out` itself.
 */
void tern_text_copy(char *out, size_t size, const char *text);

/* Appends to a text in a buffer of `size` bytes, in the same way. */
void tern_text_append(char *out, size_t size, const char *text);

/* Writes "a/b" unless it does not fit; then false, and `out` is "". */
bool tern_path_join(char *out, size_t size, const char *a, const char *b);

#endif
