/*
 * PyTorch's CPU generator: MT19937 (Matsumoto and Nishimura, TOMACS 8, 1998) with the cached normal
 * that torch.Generator carries. A plain struct over host memory: copy it to fork a stream.
 *
 * Not safe for two threads at once.
 */
#ifndef TERN_NUMERICS_MT19937_H
#define TERN_NUMERICS_MT19937_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TERN_NUM_MT19937_WORDS = 624, TERN_NUM_MT19937_STATE_BYTES = 5056 };

/* The seed of a new torch.Generator(). */
#define TERN_NUM_MT19937_DEFAULT_SEED UINT64_C(67280421310721)

typedef struct tern_mt19937 {
    uint64_t seed; /* as given: torch.initial_seed() */
    uint32_t state[TERN_NUM_MT19937_WORDS];
    uint32_t next;      /* index of the word that the next draw tempers */
    int32_t left;       /* draws until the state is renewed, plus one */
    double next_normal; /* the second half of a pair of normals */
    bool has_next_normal;
    float next_float_normal; /* carried for the state's layout; CPU code never sets it */
    bool has_next_float_normal;
} tern_mt19937;

/*
 * torch.manual_seed: the stream depends on the low 32 bits of `seed` alone; all of it is
 * remembered. Forgets cached normals.
 */
void tern_num_mt19937_seed(tern_mt19937 *g, uint64_t seed);

/* Renews the 624 words; called by the draws. */
void tern_num_mt19937_twist(tern_mt19937 *g);

/* What a draw makes of a word of the state. */
static inline uint32_t tern_num_mt19937_temper(uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

/*
 * 32 random bits. The second condition holds only for a state that was set with `left` and `next`
 * at odds, which PyTorch would read out of bounds.
 */
static inline uint32_t tern_num_mt19937_u32(tern_mt19937 *g) {
    if (--g->left == 0 || g->next >= TERN_NUM_MT19937_WORDS) tern_num_mt19937_twist(g);
    return tern_num_mt19937_temper(g->state[g->next++]);
}

/* n draws of 32 bits at once. */
void tern_num_mt19937_words(tern_mt19937 *g, uint32_t *out, int64_t n);

/* 64 random bits: two draws, the first in the upper half. */
static inline uint64_t tern_num_mt19937_u64(tern_mt19937 *g) {
    uint64_t high = tern_num_mt19937_u32(g);
    return high << 32 | tern_num_mt19937_u32(g);
}

static inline float tern_num_mt19937_to_f32(uint32_t word) {
    return (float)(int32_t)(word & 0xffffffU) * 0x1p-24f;
}

/* Uniform on [0, 1): multiples of 2^-24 from one draw, of 2^-53 from two. */
static inline float tern_num_mt19937_f32(tern_mt19937 *g) {
    return tern_num_mt19937_to_f32(tern_num_mt19937_u32(g));
}

static inline double tern_num_mt19937_f64(tern_mt19937 *g) {
    return (double)(tern_num_mt19937_u64(g) & UINT64_C(0x1fffffffffffff)) * 0x1p-53;
}

/*
 * The bytes of torch.get_rng_state(), little endian on every machine:
 *
 *     0 u64 seed | 8 i32 left | 12 i32 seeded (1) | 16 u64 next | 24 u64[624] words |
 *     5016 f64 0 | 5024 f64 cached normal | 5032 f64 0 | 5040 i32 it is valid | 5044 pad |
 *     5048 f32 cached float normal | 5052 u8 it is valid | 5053 pad
 */
void tern_num_mt19937_get_state(const tern_mt19937 *g,
                                uint8_t out_bytes[TERN_NUM_MT19937_STATE_BYTES]);

/*
 * torch.set_rng_state. Returns false, and leaves the generator as it was, unless there are
 * 5056 bytes, seeded is 1, 0 < left <= 624 and next <= 624 (the rule of PyTorch 2.15; the 5048
 * bytes of releases before 1.2 are refused, as there).
 */
bool tern_num_mt19937_set_state(tern_mt19937 *g, const uint8_t *bytes, size_t size);

#endif
