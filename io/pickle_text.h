/* pickle_text.h: the texts that pickles of protocols 0 and 1 write out in a line. */
#ifndef TERN_IO_PICKLE_TEXT_H
#define TERN_IO_PICKLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Decimal digits, perhaps behind a minus. */
bool tern_pickle_is_digits(const char *text, size_t length);

/* Whether a dotted name is `prefix` or lies in it. */
bool tern_pickle_begins(const char *name, size_t length, const char *prefix);

/* What repr() wrote of a str in Python 2: quotes around, \\, \', \n, \xHH within. The bytes, of which
 * there are at most `length`. */
bool tern_pickle_unquote(const char *text, size_t length, char *out, size_t *out_length);

/* The codec raw-unicode-escape: latin1, with \uXXXX and \UXXXXXXXX. UTF-8, at most 2 * `length` bytes;
 * false for a surrogate and what is beyond Unicode. */
bool tern_pickle_unescape(const char *text, size_t length, char *out, size_t *out_length);

#endif
