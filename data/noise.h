/* noise.h: random numbers of a sample, drawn by any thread: splitmix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", 2014). */
#ifndef TERN_DATA_NOISE_H
#define TERN_DATA_NOISE_H

#include <stdint.h>

#define TERN_NOISE_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t tern_noise_mix(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The state for the sample at a place of an epoch. */
static inline uint64_t tern_noise(uint64_t seed, int64_t place) {
    return tern_noise_mix(tern_noise_mix(seed) + (uint64_t)place * TERN_NOISE_STEP);
}

/* The next 64 bits. */
static inline uint64_t tern_noise_next(uint64_t *state) {
    return tern_noise_mix(*state += TERN_NOISE_STEP);
}

/* Uniform within [0, 1), a multiple of 2^-53. */
static inline double tern_noise_uniform(uint64_t *state) {
    return (double)(tern_noise_next(state) >> 11) * 0x1p-53;
}

/* Uniform among 0 to count - 1, count at least 1; the bias is below count / 2^64. */
static inline int64_t tern_noise_below(uint64_t *state, int64_t count) {
    return (int64_t)(tern_noise_next(state) % (uint64_t)count);
}

#endif
