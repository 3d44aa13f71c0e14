/*
 * copy_row.h: a row of bytes from one place to another, for rows that are mostly short.
 */
#ifndef TERN_CPU_SIMD_COPY_ROW_H
#define TERN_CPU_SIMD_COPY_ROW_H

#include <stdint.h>
#include <string.h>

/* From so many bytes on a call of the library is worth its price. */
#define COPY_LONG_ROW 256

/* The same place is fine, another overlap is not. Steps that do not fit overlap the one before. */
static inline void copy_row(char *to, const char *from, int64_t bytes) {
    uint64_t first, last;
    if (bytes >= COPY_LONG_ROW) {
        memmove(to, from, (size_t)bytes);
    } else if (bytes >= 16) {
        for (int64_t at = 0; at + 16 <= bytes; at += 16) memcpy(to + at, from + at, 16);
        memcpy(to + bytes - 16, from + bytes - 16, 16);
    } else if (bytes >= 8) {
        memcpy(&first, from, 8);
        memcpy(&last, from + bytes - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + bytes - 8, &last, 8);
    } else if (bytes >= 4) {
        memcpy(&first, from, 4);
        memcpy(&last, from + bytes - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + bytes - 4, &last, 4);
    } else {
        for (int64_t at = 0; at < bytes; at++) to[at] = from[at];
    }
}

#endif
