/* nearest.c: which of the known names a mistyped one is likely to be. */
#include <string.h>

#include "tern/schema.h"

enum { NAME_LIMIT = 64 };

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Levenshtein's distance without regard to case; names beyond the limit are far from anything. */
static size_t distance(const char *a, size_t rows, const char *b, size_t columns) {
    size_t row[NAME_LIMIT + 1];
    if (rows > NAME_LIMIT || columns > NAME_LIMIT) return SIZE_MAX;
    for (size_t j = 0; j <= columns; j++) row[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t best = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[columns];
}

tern_nearest tern_nearest_begin(const char *word) {
    if (!word) word = "";
    size_t length = strlen(word);
    return (tern_nearest){word, length, NULL, 0, 2 + length / 3};
}

void tern_nearest_try(tern_nearest *nearest, const char *name, size_t length) {
    if (!nearest || !name) return;
    size_t d = distance(nearest->word, nearest->word_length, name, length);
    if (d >= nearest->distance) return;
    nearest->distance = d;
    nearest->name = name;
    nearest->length = length;
}
