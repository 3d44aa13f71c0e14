/* utf8.h: whether a text is UTF-8. */
#ifndef TERN_IO_UTF8_H
#define TERN_IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* As RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool tern_is_utf8(const char *text, size_t length);

#endif
