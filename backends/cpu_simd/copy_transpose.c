/* Transposed blocks: out[r][c] = in[c][r]. */
#include "copy.h"
#include "simd_zip.h"

#if defined(__clang__)
#define TRANSPOSE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TRANSPOSE_UNROLL _Pragma("GCC unroll 16")
#endif

#define SIZE            1
#define ELEMENT         uint8_t
#define TILE_NAME(name) name##_1
#define ZIP_LO          zip_low_1
#define ZIP_HI          zip_high_1
#include "copy_transpose.inc"

#define SIZE            2
#define ELEMENT         uint16_t
#define TILE_NAME(name) name##_2
#define ZIP_LO          zip_low_2
#define ZIP_HI          zip_high_2
#include "copy_transpose.inc"

#define SIZE            4
#define ELEMENT         uint32_t
#define TILE_NAME(name) name##_4
#define ZIP_LO          zip_low_4
#define ZIP_HI          zip_high_4
#include "copy_transpose.inc"

#define SIZE            8
#define ELEMENT         uint64_t
#define TILE_NAME(name) name##_8
#define ZIP_LO          zip_low_8
#define ZIP_HI          zip_high_8
#include "copy_transpose.inc"

void tern_simd_transpose(const copy_block *b) {
    int64_t to_step = b->to_step.row, from_step = b->from_step.column;
    switch (b->size) {
    case 1: transpose_1(b->to, to_step, b->from, from_step, b->rows, b->columns); break;
    case 2: transpose_2(b->to, to_step, b->from, from_step, b->rows, b->columns); break;
    case 4: transpose_4(b->to, to_step, b->from, from_step, b->rows, b->columns); break;
    default: transpose_8(b->to, to_step, b->from, from_step, b->rows, b->columns); break;
    }
}

/* The block is transposed within the first-level cache, so that whole lines leave it. */
void tern_simd_stream_transposed(const copy_block *b) {
    _Alignas(64) char packed[COPY_BLOCK_BYTES];
    copy_block inside = *b, outside = *b;
    inside.to = packed;
    inside.to_step.row = b->columns * b->size;
    tern_simd_transpose(&inside);
    outside.from = packed;
    outside.from_step = (copy_steps){inside.to_step.row, b->size};
    tern_simd_stream_rows(&outside);
}
