/*
 * copy.h: what the files of COPY share.
 *
 * A copy is cut into blocks of a plane of two dimensions, rows and columns:
 *
 *     out[r * to.row + c * to.column] = in[r * from.row + c * from.column]
 *
 * Columns are the dimension in which the output is densest. Where the input is dense in another, that
 * one is the rows, and a block is transposed.
 */
#ifndef TERN_CPU_SIMD_COPY_H
#define TERN_CPU_SIMD_COPY_H

#include <stdint.h>

/* The largest block of a transposition, which goes through a buffer of that size on the stack where it
 * is streamed; how many columns it then has, and of its rows, which the input holds in one piece. */
#define COPY_BLOCK_BYTES     32768
#define COPY_BLOCK_COLUMNS   64
#define COPY_BLOCK_ROW_BYTES 512

/* Both strides in bytes. */
typedef struct copy_steps {
    int64_t row, column;
} copy_steps;

typedef struct copy_block {
    char *to;
    const char *from;
    copy_steps to_step, from_step;
    int64_t rows, columns;
    int64_t size; /* of an element, in bytes: 1, 2, 4 or 8 */
} copy_block;

/* Any strides. */
void tern_simd_copy_strided(const copy_block *block);

/* Rows dense in both. */
void tern_simd_copy_rows(const copy_block *block);

/* The same past the caches, for outputs that are larger than they. */
void tern_simd_stream_rows(const copy_block *block);

/* The columns of the output dense, the rows of the input. Of a streamed block there are at most
 * COPY_BLOCK_BYTES. */
void tern_simd_transpose(const copy_block *block);
void tern_simd_stream_transposed(const copy_block *block);

/* n elements from one dtype to another, one behind the other. Both dtypes are known, and differ. */
void tern_simd_convert(int32_t to_dtype, void *to, int32_t from_dtype, const void *from, int64_t n);

#endif
