/* Blocks whose rows are dense in both tensors, and blocks of any strides. */
#include <string.h>

#include "copy.h"
#include "copy_row.h"
#include "simd_zip.h"

void tern_simd_copy_rows(const copy_block *b) {
    int64_t bytes = b->columns * b->size;
    char *to = b->to;
    const char *from = b->from;
    for (int64_t r = 0; r < b->rows; r++, to += b->to_step.row, from += b->from_step.row) {
        copy_row(to, from, bytes);
    }
}

static void stream(char *to, const char *from, int64_t bytes) {
    int64_t head = (int64_t)(-(uintptr_t)to & (SIMD_BYTES - 1)), at = 0;
    if (head > bytes) head = bytes;
    memcpy(to, from, (size_t)head);
    for (at = head; at + 4 * SIMD_BYTES <= bytes; at += 4 * SIMD_BYTES) {
        i32v a = i32_load(from + at), b = i32_load(from + at + SIMD_BYTES);
        i32v c = i32_load(from + at + 2 * SIMD_BYTES), d = i32_load(from + at + 3 * SIMD_BYTES);
        simd_stream(to + at, a);
        simd_stream(to + at + SIMD_BYTES, b);
        simd_stream(to + at + 2 * SIMD_BYTES, c);
        simd_stream(to + at + 3 * SIMD_BYTES, d);
    }
    for (; at + SIMD_BYTES <= bytes; at += SIMD_BYTES) simd_stream(to + at, i32_load(from + at));
    memcpy(to + at, from + at, (size_t)(bytes - at));
}

void tern_simd_stream_rows(const copy_block *b) {
    for (int64_t r = 0; r < b->rows; r++)
        stream(b->to + r * b->to_step.row, b->from + r * b->from_step.row, b->columns * b->size);
    simd_settle();
}

/* ---- any strides ---- */

/* One loop a size; the compiler turns that of a broadcast into stores of vectors. */
#define STRIDED(type)                                                                              \
    static void strided_##type(type *to, int64_t to_step, const type *from, int64_t from_step,     \
                               int64_t n) {                                                        \
        type value = *from;                                                                        \
        if (from_step == 0 && to_step == 1)                                                        \
            for (int64_t i = 0; i < n; i++) to[i] = value;                                         \
        else if (from_step == 2 && to_step == 1)                                                   \
            for (int64_t i = 0; i < n; i++) to[i] = from[2 * i];                                   \
        else if (to_step == 1)                                                                     \
            for (int64_t i = 0; i < n; i++) to[i] = from[i * from_step];                           \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++) to[i * to_step] = from[i * from_step];                 \
    }
STRIDED(uint8_t)
STRIDED(uint16_t)
STRIDED(uint32_t)
STRIDED(uint64_t)

static void strided(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n,
                    int64_t size) {
    void *out = to;
    const void *in = from;
    switch (size) {
    case 1: strided_uint8_t(out, to_step, in, from_step, n); break;
    case 2: strided_uint16_t(out, to_step / 2, in, from_step / 2, n); break;
    case 4: strided_uint32_t(out, to_step / 4, in, from_step / 4, n); break;
    default: strided_uint64_t(out, to_step / 8, in, from_step / 8, n); break;
    }
}

/* The longer dimension inside, where the rows are very short. */
void tern_simd_copy_strided(const copy_block *b) {
    if (b->columns >= b->rows || b->columns >= 16) {
        for (int64_t r = 0; r < b->rows; r++)
            strided(b->to + r * b->to_step.row, b->to_step.column, b->from + r * b->from_step.row,
                    b->from_step.column, b->columns, b->size);
        return;
    }
    for (int64_t c = 0; c < b->columns; c++)
        strided(b->to + c * b->to_step.column, b->to_step.row, b->from + c * b->from_step.column,
                b->from_step.row, b->rows, b->size);
}
