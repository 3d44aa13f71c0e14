/*
 * Products of bfloat16 by an instruction that adds two products at once, where the instruction set has it
 * (VDPBF16PS). What is packed are pairs: k of 2 p and 2 p + 1 side by side, in the room of one float32, so that
 * tiles and blocks are those of float32 over half as many k.
 *
 * The instruction takes denormal bfloat16 numbers as 0, and rounds the two products once.
 */
#include "gemm_number.h"

#ifdef __AVX512BF16__
#include "gemm_tile.h"
#include "simd_lanes.h"

/* A pair moves as a float32 does, and only this looks at what it is. */
SIMD_INLINE void pairs_accumulate(f32v *acc, f32v x, f32v y) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(*acc) : "v"(x), "v"(y));
}
#define pairs_load       f32_load
#define pairs_load_some  f32_load_some
#define pairs_set        f32_set
#define pairs_store      f32_store
#define pairs_store_some f32_store_some
#define pairs_fma        f32_fma

#define NUMBER  float
#define VECTOR  f32v
#define LANES   F32_LANES
#define NAME(x) x##_pairs
#define OP(x)   pairs_##x
#include "gemm_tile.inc"

#define NUMBER  float
#define VECTOR  f32v
#define LANES   F32_LANES
#define PANEL   TERN_SIMD_PANEL_F32
#define NAME(x) x##_pairs
#define OP(x)   pairs_##x
static void tern_simd_block_pairs(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs_a,
                                  int64_t cs_a, const void *b, int64_t panel_stride, int64_t ld,
                                  const tern_simd_sink *sink);
#include "gemm_block.inc"

/* ---- packing --------------------------------------------------------------------------------- */

/* Element (i, p) of a source is at from + i * stride + p * k_stride, and of what is packed, for i < width, the
 * pair of p at to + p / 2 * width + i; beyond `count` there are zeros. */
typedef struct lines {
    const uint16_t *from;
    int64_t count, stride, k_stride, width;
} lines;

static uint32_t pair_of(const lines *l, int64_t i, int64_t p, int64_t k) {
    const uint16_t *at = l->from + i * l->stride + p * l->k_stride;
    return at[0] | (p + 1 < k ? (uint32_t)at[l->k_stride] << 16 : 0);
}

static void pack_each(const lines *l, int64_t p, int64_t k, uint32_t *to) {
    for (; p < k; p += 2)
        for (int64_t i = 0; i < l->width; i++)
            to[p / 2 * l->width + i] = i < l->count ? pair_of(l, i, p, k) : 0;
}

/* Lines that are contiguous in each k: two of those are zipped. */
static void zip_rows(const lines *l, int64_t k, uint32_t *to) {
    for (int64_t p = 0; p < k; p += 2)
        for (int64_t v = 0; v < l->width; v += LANES) {
            int64_t left = l->count - v, some = left < 0 ? 0 : left < LANES ? left : LANES;
            const uint16_t *at = l->from + p * l->k_stride + v;
            u16v low = u16_load_some(at, some), high = {0};
            if (p + 1 < k) high = u16_load_some(at + l->k_stride, some);
            f32v pairs = (f32v)((u32v)f32_of_bf16(low) >> 16 | (u32v)f32_of_bf16(high));
            int64_t room = l->width - v < LANES ? l->width - v : LANES;
            f32_store_some(to + p / 2 * l->width + v, pairs, room);
        }
}

/* Whether pairs lie in memory as they are packed, and as far apart as float32 numbers could be. */
static bool has_pairs(const lines *l) {
    return l->k_stride == 1 && l->stride % 2 == 0;
}

static void pack_columns_pairs(int64_t count, int64_t k, const void *from, int64_t stride,
                               int64_t k_stride, void *packed) {
    uint32_t *to = packed;
    for (int64_t j = 0; j < count; j += PANEL, to += (k + 1) / 2 * PANEL) {
        int64_t columns = count - j < PANEL ? count - j : PANEL;
        lines l = {(const uint16_t *)from + j * stride, columns, stride, k_stride, PANEL};
        if (stride == 1) {
            zip_rows(&l, k, to);
            continue;
        }
        int64_t done = has_pairs(&l) ? k / 2 : 0;
        if (done) tern_simd_pack_columns_f32(columns, done, l.from, stride / 2, 1, to);
        pack_each(&l, 2 * done, k, to);
    }
}

static void pack_rows_pairs(int64_t count, int64_t k, const void *from, int64_t stride,
                            int64_t k_stride, void *packed) {
    uint32_t *to = packed;
    for (int64_t i = 0, rows; i < count; i += rows, to += (k + 1) / 2 * rows) {
        rows = tern_simd_tile_rows(count, i);
        lines l = {(const uint16_t *)from + i * stride, rows, stride, k_stride, rows};
        if (stride == 1) {
            zip_rows(&l, k, to);
            continue;
        }
        int64_t done = has_pairs(&l) ? k / 2 : 0;
        if (done) tern_simd_pack_rows_f32(rows, done, l.from, stride / 2, 1, to);
        pack_each(&l, 2 * done, k, to);
    }
}

/* Single rows and columns are the memory's work, and go the way of float32 (gemm_small.c). */
static const tern_simd_number pairs = {
    .size = sizeof(float),
    .k_together = 2,
    .panel = PANEL,
    .block = tern_simd_block_pairs,
    .pack_rows = {[TERN_BT_BFLOAT16] = pack_rows_pairs},
    .pack_columns = {[TERN_BT_BFLOAT16] = pack_columns_pairs},
};
#endif

const tern_simd_number *tern_simd_block_number_of(const tern_simd_product *p) {
#ifdef __AVX512BF16__
    if (p->in == TERN_BT_BFLOAT16 && p->out_dtype != TERN_BT_FLOAT64) return &pairs;
#endif
    return tern_simd_number_of(p);
}
