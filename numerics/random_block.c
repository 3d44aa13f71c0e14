/*
 * The loops in which random numbers are made by the million; compiled for speed (cmake/libraries.cmake).
 *
 * fmaf is exact everywhere, but a build for every x86-64 must call a function for it. What needs it is
 * therefore compiled twice from one body, the second time for AVX2 and FMA, and chosen by the CPU. Both
 * give the same bits. A build for size (-Os) has the first alone.
 */
#include "numerics/random_block.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "numerics/cpu_features.h"
#include "numerics/dtype_convert.h"

#if defined(__GNUC__)
#define BODY static inline __attribute__((always_inline))
#define ONCE __attribute__((noinline))
#else
#define BODY static inline
#define ONCE
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__FMA__) && !defined(__OPTIMIZE_SIZE__)
#define FUSED __attribute__((target("avx2,fma")))
#define PLAIN __attribute__((cold)) /* rarely runs: made to be small */

/* Asked once: the instruction takes as long as a block. Threads that ask together find the same. */
static bool cpu_has_fused(void) {
    enum { UNKNOWN, PLAIN_ALONE, FUSED_TOO };
    static _Atomic int known = UNKNOWN;
    int found = atomic_load_explicit(&known, memory_order_relaxed);
    if (found == UNKNOWN) {
        tern_cpu_words words;
        bool heard;
        tern_cpu_read(&words);
        bool has = tern_cpu_has(&words, "avx2", &heard) && tern_cpu_has(&words, "fma", &heard);
        found = has ? FUSED_TOO : PLAIN_ALONE;
        atomic_store_explicit(&known, found, memory_order_relaxed);
    }
    return found == FUSED_TOO;
}
#else
#define PLAIN
#endif

enum {
    WORDS = TERN_NUM_MT19937_WORDS,
    MIDDLE = 397,
    BLOCK = TERN_NUM_NORMAL_BLOCK,
    HALF_BLOCK = BLOCK / 2
};

static const float TWO_PI_F = 0x1.921fb6p+2f;

/* ---- words ---- */

static uint32_t twist(uint32_t upper, uint32_t lower) {
    uint32_t mixed = (upper & 0x80000000U) | (lower & 0x7fffffffU);
    return (mixed >> 1) ^ ((0U - (lower & 1U)) & 0x9908b0dfU);
}

ONCE void tern_num_mt19937_twist(tern_mt19937 *g) {
    uint32_t *s = g->state;
    for (int j = 0; j < WORDS - MIDDLE; j++) s[j] = s[j + MIDDLE] ^ twist(s[j], s[j + 1]);
    for (int j = WORDS - MIDDLE; j < WORDS - 1; j++)
        s[j] = s[j + MIDDLE - WORDS] ^ twist(s[j], s[j + 1]);
    s[WORDS - 1] = s[MIDDLE - 1] ^ twist(s[WORDS - 1], s[0]);
    g->left = WORDS;
    g->next = 0;
}

void tern_num_mt19937_words(tern_mt19937 *g, uint32_t *out, int64_t n) {
    while (n > 0) {
        int64_t ready = g->left - 1, stored = WORDS - (int64_t)g->next;
        if (ready > stored) ready = stored;
        if (ready > n) ready = n;
        if (ready <= 0) { /* this draw renews the state */
            *out++ = tern_num_mt19937_u32(g);
            n--;
            continue;
        }
        const uint32_t *from = g->state + g->next;
        for (int64_t i = 0; i < ready; i++) out[i] = tern_num_mt19937_temper(from[i]);
        g->next += (uint32_t)ready;
        g->left -= (int32_t)ready;
        out += ready;
        n -= ready;
    }
}

/* ---- uniform ---- */

BODY void uniform_body(const uint32_t *words, float *out, int64_t n, float from, float to) {
    float width = to - from;
    for (int64_t i = 0; i < n; i++) {
        float x = fmaf(tern_num_mt19937_to_f32(words[i]), width, from);
        out[i] = x == to ? from : x;
    }
}

#if defined(FUSED)
FUSED static void uniform_fused(const uint32_t *words, float *out, int64_t n, float from,
                                float to) {
    uniform_body(words, out, n, from, to);
}
#endif

PLAIN static void uniform_plain(const uint32_t *words, float *out, int64_t n, float from,
                                float to) {
    uniform_body(words, out, n, from, to);
}

void tern_num_block_uniform(const uint32_t *words, float *out, int64_t n, float from, float to) {
#if defined(FUSED)
    if (cpu_has_fused()) {
        uniform_fused(words, out, n, from, to);
        return;
    }
#endif
    uniform_plain(words, out, n, from, to);
}

/* ---- normal ---- */

/*
 * Logarithm of the block fill: the float32 polynomial of Cephes' logf as avx_mathfun (J. Pommier,
 * G. Garberoglio) evaluates it, with the multiply-adds that PyTorch's AVX2 build fuses. 0 < x <= 1.
 */
BODY float block_log(float x) {
    x = x < 0x1p-126f ? 0x1p-126f : x;
    uint32_t bits = tern_num_float_bits(x);
    float e = (float)((int32_t)(bits >> 23) - 127) + 1.0f;
    float m = tern_num_float_from_bits((bits & 0x7fffffU) | 0x3f000000U);
    bool low = m < 0.707106781186547524f;
    float t = low ? m : 0.0f;
    e = low ? e - 1.0f : e;
    m = (m - 1.0f) + t;
    float z = m * m;
    float y = fmaf(7.0376836292e-2f, m, -1.1514610310e-1f);
    y = fmaf(y, m, 1.1676998740e-1f);
    y = fmaf(y, m, -1.2420140846e-1f);
    y = fmaf(y, m, 1.4249322787e-1f);
    y = fmaf(y, m, -1.6668057665e-1f);
    y = fmaf(y, m, 2.0000714765e-1f);
    y = fmaf(y, m, -2.4999993993e-1f);
    y = fmaf(y, m, 3.3333331174e-1f);
    y = y * m;
    y = fmaf(y, z, e * -2.12194440e-4f);
    y = y - 0.5f * z;
    m = m + y;
    return fmaf(e, 0.693359375f, m);
}

/* Turns the sign where bit 2 of `turned` is set. */
BODY float signed_by(float x, uint32_t turned) {
    return tern_num_float_from_bits(tern_num_float_bits(x) ^ (turned & 4U) << 29);
}

/* Sine and cosine of the block fill, from the same source. 0 <= x <= 2 pi. */
BODY void block_sincos(float x, float *out_sin, float *out_cos) {
    int32_t j = ((int32_t)(x * 1.27323954473516f) + 1) & ~1;
    float y = (float)j;
    x = fmaf(y, -0.78515625f, x);
    x = fmaf(y, -2.4187564849853515625e-4f, x);
    x = fmaf(y, -3.77489497744594108e-8f, x);
    float z = x * x;
    float c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = c * z;
    c = fmaf(c, z, -(0.5f * z));
    c = c + 1.0f;
    float s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = s * z;
    s = fmaf(s, x, x);
    bool swapped = (j & 2) != 0;
    *out_sin = signed_by(swapped ? c : s, (uint32_t)j);
    *out_cos = signed_by(swapped ? s : c, ~((uint32_t)j - 2U));
}

/* Of the word that lies there. */
BODY float uniform_at(const float *place) {
    return tern_num_mt19937_to_f32(tern_num_float_bits(*place));
}

BODY void transform_body(float *d, int64_t blocks, float mean, float std) {
    for (float *end = d + blocks * BLOCK; d < end; d += BLOCK) {
        float radius[HALF_BLOCK], sine[HALF_BLOCK], cosine[HALF_BLOCK];
        for (int j = 0; j < HALF_BLOCK; j++)
            radius[j] = sqrtf(-2.0f * block_log(1.0f - uniform_at(d + j)));
        for (int j = 0; j < HALF_BLOCK; j++)
            block_sincos(TWO_PI_F * uniform_at(d + j + HALF_BLOCK), &sine[j], &cosine[j]);
        for (int j = 0; j < HALF_BLOCK; j++) d[j] = fmaf(radius[j] * cosine[j], std, mean);
        for (int j = 0; j < HALF_BLOCK; j++)
            d[j + HALF_BLOCK] = fmaf(radius[j] * sine[j], std, mean);
    }
}

#if defined(FUSED)
FUSED static void normal_fused(float *d, int64_t blocks, float mean, float std) {
    transform_body(d, blocks, mean, std);
}
#endif

PLAIN static void normal_plain(float *d, int64_t blocks, float mean, float std) {
    transform_body(d, blocks, mean, std);
}

void tern_num_block_normal(float *d, int64_t blocks, float mean, float std) {
#if defined(FUSED)
    if (cpu_has_fused()) {
        normal_fused(d, blocks, mean, std);
        return;
    }
#endif
    normal_plain(d, blocks, mean, std);
}
