/*
 * size_class.h: the sizes in which buffers are made, so that one that is free serves many requests.
 *
 * Four classes per power of two: at most a quarter of a buffer is unused. Class c holds
 * (4 + c % 4) << (c / 4) units of 16 bytes.
 */
#ifndef TERN_CORE_SIZE_CLASS_H
#define TERN_CORE_SIZE_CLASS_H

#include <stdint.h>

static inline uint64_t tern_class_bytes(int size_class) {
    return (uint64_t)(4 + size_class % 4) << (size_class / 4) << 4;
}

/* The smallest class of at least `bytes`, from 1 to 2^62. */
static inline int tern_class_of(uint64_t bytes) {
    uint64_t units = (bytes + 15) >> 4;
    if (units <= 4) return 0;
    uint64_t last = units - 1; /* the quarter that it lies in, and one up */
    int power = 63 - __builtin_clzll(last);
    return 4 * (power - 2) + (int)((last >> (power - 2)) & 3) + 1;
}

#endif
