/* utf8.h: whether a text is UTF-8, and texts from files in messages. */
#ifndef TERN_IO_UTF8_H
#define TERN_IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool tern_is_utf8(const char *text, size_t length);

/* Writes a character, 1 to 4 bytes, and returns how many; 0 for what is none. */
size_t tern_utf8_put(uint32_t code, char *out);

/* What a message shows of a text from a file: its beginning, with a '?' for each control character and
 * each byte that is not UTF-8, so that the message stays one line of text. */
#define TERN_SHOWN 128
const char *tern_shown(const char *text, size_t length, char out_text[TERN_SHOWN]);

#endif
