/*
 * map_hash.h: what a program of MAP is found by, here and where the table of programs is made.
 */
#ifndef TERN_CPU_SIMD_MAP_HASH_H
#define TERN_CPU_SIMD_MAP_HASH_H

#include <string.h>

#include "tern/backend.h"

/* Bytes behind the head of a program. */
static inline uint32_t map_program_bytes(const tern_map_attrs *p) {
    return (uint32_t)p->n_constants * (uint32_t)sizeof(tern_map_constant) +
           (uint32_t)p->n_steps * (uint32_t)sizeof(tern_map_step) +
           (uint32_t)p->n_outputs * (uint32_t)sizeof(int16_t);
}

/* Of the counts, and of the last bytes, where programs differ most: steps and outputs. */
static inline uint32_t map_hash(const tern_map_attrs *p, uint32_t bytes) {
    const char *end = (const char *)(p + 1) + bytes;
    uint64_t hash = (uint64_t)p->n_inputs << 48 | (uint64_t)p->n_outputs << 32 |
                    (uint64_t)p->n_steps << 16 | (uint64_t)p->n_constants;
    for (uint32_t back = 8; back <= 24 && back <= bytes; back += 8) {
        uint64_t word;
        memcpy(&word, end - back, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return (uint32_t)(hash >> 40);
}

#endif
