/*
 * random_block.h: many uniform or normal numbers at once, for random_fill.h.
 */
#ifndef TERN_NUMERICS_RANDOM_BLOCK_H
#define TERN_NUMERICS_RANDOM_BLOCK_H

#include <stdint.h>

#include "numerics/mt19937.h"

/* The numbers of one block of PyTorch's normal_fill. */
#define TERN_NUM_NORMAL_BLOCK 16

/* One number a word: fma(u, to - from, from), and `from` where that is `to`. */
void tern_num_block_uniform(const uint32_t *words, float *out, int64_t n, float from, float to);

/* Blocks of 16 words, lying where the numbers shall be, to 16 normal numbers each. */
void tern_num_block_normal(float *d, int64_t blocks, float mean, float std);

#endif
