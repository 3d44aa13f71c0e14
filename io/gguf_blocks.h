/*
 * gguf_blocks.h: the types of GGUF's tensors. A quantised row is cut into blocks, which hold small integers and
 * what they are multiplied by.
 *
 * The layouts are ggml's. `d`, `dmin` and `m` are float16, a field of bits begins at the lowest:
 *
 *     Q4_0  d | 16 bytes of two numbers                       d * (q - 8)
 *     Q4_1  d m | 16 bytes                                    d * q + m
 *     Q5_0  d | 32 fifth bits | 16 bytes                      d * (q - 16)
 *     Q5_1  d m | 32 fifth bits | 16 bytes                    d * q + m
 *     Q8_0  d | 32 int8                                       d * q
 *     Q2_K  16 scales and minima of 4 bits | 64 bytes of four | d dmin
 *     Q3_K  256 third bits | 64 bytes of four | 16 scales of 6 bits | d
 *     Q4_K  d dmin | 8 scales and minima of 6 bits | 128 bytes of two
 *     Q5_K  d dmin | 8 scales and minima of 6 bits | 256 fifth bits | 128 bytes of two
 *     Q6_K  128 bytes of two | 64 bytes of four, the upper bits | 16 int8 scales | d
 */
#ifndef TERN_IO_GGUF_BLOCKS_H
#define TERN_IO_GGUF_BLOCKS_H

#include "tern/base.h"

typedef struct tern_gguf_type {
    uint32_t id;
    const char *name;         /* PyTorch's, or ggml's where that has none */
    uint32_t elements, bytes; /* of a block; 1 element where it is plain */
    tern_dtype dtype;         /* what it is read as, or DEFAULT: nothing */
    void (*decode)(const unsigned char *block, float *out); /* NULL: the bytes are the numbers */
} tern_gguf_type;

/* NULL where Tern does not know the number. */
const tern_gguf_type *tern_gguf_type_of(uint32_t id);

#endif
