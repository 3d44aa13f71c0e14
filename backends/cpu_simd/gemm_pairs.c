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

typedef uint16_t u16_wide __attribute__((vector_size(64)));

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
#define STORE_ROUNDED tern_simd_store_rounded
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

/* A vector of pairs from two k, whose lines are contiguous. */
SIMD_INLINE f32v zipped(u16v low, u16v high) {
    return (f32v)((u32v)f32_of_bf16(low) >> 16 | (u32v)f32_of_bf16(high));
}

/* A panel's pairs of two k. */
SIMD_INLINE void zip_panel(__m512i low, __m512i high, float *to) {
    const __m512i first =
        (__m512i)(u16_wide){0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                            8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(LANES));
    f32_store(to, (f32v)_mm512_permutex2var_epi16(low, first, high));
    f32_store(to + LANES, (f32v)_mm512_permutex2var_epi16(low, second, high));
}

/* Whole panels of columns that are contiguous in each k, a few k at a time, so that memory is read in long
 * stretches. */
static void zip_panels(int64_t panels, int64_t k, const uint16_t *from, int64_t k_stride,
                       uint32_t *to) {
    const int64_t depth = (k + 1) / 2;
    for (int64_t p = 0; p < depth; p += 4) {
        int64_t end = depth - p < 4 ? depth : p + 4;
        for (int64_t j = 0; j < panels; j++)
            for (int64_t q = p; q < end; q++) {
                const uint16_t *at = from + 2 * q * k_stride + j * PANEL;
                const uint32_t *later = to + ((j + 2 < panels ? j + 2 : j) * depth + q) * PANEL;
                __builtin_prefetch(later, 1);
                __builtin_prefetch(later + LANES, 1);
                __m512i low = _mm512_loadu_si512(at), high = {0};
                if (2 * q + 1 < k) high = _mm512_loadu_si512(at + k_stride);
                zip_panel(low, high, (float *)to + (j * depth + q) * PANEL);
            }
    }
}

/* Lines that are contiguous in each k: two of those are zipped. */
static void zip_rows(const lines *l, int64_t k, uint32_t *to) {
    for (int64_t p = 0; p < k; p += 2)
        for (int64_t v = 0; v < l->width; v += LANES) {
            int64_t left = l->count - v, some = left < 0 ? 0 : left < LANES ? left : LANES;
            const uint16_t *at = l->from + p * l->k_stride + v;
            u16v low = u16_load_some(at, some), high = {0};
            if (p + 1 < k) high = u16_load_some(at + l->k_stride, some);
            int64_t room = l->width - v < LANES ? l->width - v : LANES;
            f32_store_some(to + p / 2 * l->width + v, zipped(low, high), room);
        }
}

/* Whether pairs lie in memory as they are packed, and as far apart as float32 numbers could be. */
static bool has_pairs(const lines *l) {
    return l->k_stride == 1 && l->stride % 2 == 0;
}

static void pack_columns_pairs(int64_t count, int64_t k, const void *from, int64_t stride,
                               int64_t k_stride, void *packed) {
    const int64_t whole = stride == 1 ? count / PANEL : 0;
    uint32_t *to = (uint32_t *)packed + whole * ((k + 1) / 2 * PANEL);
    zip_panels(whole, k, from, k_stride, packed);
    for (int64_t j = whole * PANEL; j < count; j += PANEL, to += (k + 1) / 2 * PANEL) {
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
