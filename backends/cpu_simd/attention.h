/*
 * attention.h: ATTENTION and ATTENTION_GRAD in blocks of queries and keys (Dao et al., "FlashAttention",
 * 2022, algorithms 1 and 4): scores exist for one block at a time, and memory grows with the tokens.
 *
 * float32. Keys and values are packed once for a head, as columns of products (gemm.h), so that the products
 * of all blocks read panels. Few queries read them where they lie (attention_few.c).
 */
#ifndef TERN_CPU_SIMD_ATTENTION_H
#define TERN_CPU_SIMD_ATTENTION_H

#include "kernels.h"
#include "simd.h"

enum {
    TERN_SIMD_QUERIES = 64,   /* the most of a block, a multiple of every vector */
    TERN_SIMD_KEYS = 256,     /* of a block; a multiple of every panel */
    TERN_SIMD_FEW_QUERIES = 8 /* below so many, products of matrices are not worth their packing */
};

/* A launch. Rows of q are l, those of k and v are s. */
typedef struct tern_simd_attention {
    const tern_kit_call *call;
    const tern_kit_tensor *q, *k, *v, *mask; /* mask may be NULL */
    int64_t b, h, l, s, e, f;
    int64_t shared; /* heads of q to one of k and v */
    float scale;
    bool causal;
} tern_simd_attention;

/* Reads the operands from input `q` on. False for what these kernels have nothing better for. */
bool tern_simd_attention_read(const tern_kit_call *call, int32_t q, tern_simd_attention *out);

/* The first element of a head of a [b, h, rows, width] tensor. */
static inline const char *tern_simd_head(const tern_kit_tensor *t, int64_t batch, int64_t head) {
    return t->data + (batch * t->strides[0] + head * t->strides[1]) * (int64_t)sizeof(float);
}

/* A head of a tensor as the columns of a product: each row a column, or, `across`, each column one. */
void tern_simd_pack_head(const tern_kit_tensor *t, int64_t batch, int64_t head, bool across,
                         float *to);

/* A block: queries i .. i + rows of a head of q, and keys j .. j + keys. */
typedef struct tern_simd_block {
    int64_t batch, head, i, rows, j, keys;
} tern_simd_block;

/* How many queries the blocks of a head have, but for the last one: nearly as many in each. 60 are whole tiles of
 * most instruction sets, and their scores lie in the second-level cache. Of a short sequence whose order hides keys
 * a smaller block computes less of what is hidden. */
static inline int64_t tern_simd_block_queries(const tern_simd_attention *a) {
    int64_t most = a->causal && a->l <= 256 ? 32 : 60, blocks = (a->l + most - 1) / most;
    return (a->l + blocks - 1) / blocks;
}

/* The block's length in whole vectors. */
static inline int64_t tern_simd_whole(int64_t keys) {
    return (keys + F32_LANES - 1) / F32_LANES * F32_LANES;
}

/* How many keys of the block query `row` of it may see before the mask, the first ones. */
static inline int64_t tern_simd_visible(const tern_simd_attention *a, const tern_simd_block *block,
                                        int64_t row) {
    int64_t seen = block->i + row - block->j + 1;
    if (!a->causal || seen > block->keys) return block->keys;
    return seen < 0 ? 0 : seen;
}

/* Keys behind these are hidden from every query of the block. */
static inline int64_t tern_simd_last_key(const tern_simd_attention *a, int64_t i, int64_t rows) {
    return a->causal && i + rows < a->s ? i + rows : a->s;
}

/*
 * scores [rows, TERN_SIMD_KEYS] = scale q k^T + mask for the keys that each query may see, in whole vectors: -inf
 * where one is hidden. What is behind them, up to the block's last vector, is of no meaning. `queries` are the
 * block's, packed as rows; `keys` those of the head, packed as columns.
 */
void tern_simd_scores(const tern_simd_attention *a, const tern_simd_block *block,
                      const float *queries, const float *keys, float *scores);

/* Applies the mask to the scores of query `row` of the block; -inf behind those that it may see, to the end of the
 * vector. */
void tern_simd_hide(const tern_simd_attention *a, const tern_simd_block *block, int64_t row,
                    float *scores);

/* The scores of a query, of which it may see `seen`, become exponentials below the greatest score so far, `max`, and
 * 0 behind them up to `width`; all in whole vectors. Returns their sum. */
float tern_simd_weigh(float *scores, int64_t seen, int64_t width, float *max);

/* ATTENTION of few queries. */
int32_t tern_simd_attend_few(const tern_simd_attention *a);

#endif
