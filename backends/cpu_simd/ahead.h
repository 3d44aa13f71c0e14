/*
 * ahead.h: vectors of long rows, which are asked for before they are read.
 *
 * Processors do it by themselves, but begin anew with each page, and by then few of a slow function's loads are
 * under way. What lies behind a row's end is asked for too: mostly the next one begins there.
 */
#ifndef TERN_CPU_SIMD_AHEAD_H
#define TERN_CPU_SIMD_AHEAD_H

#include "simd.h"

/* Bytes; rows that are shorter are not asked for. */
#define SIMD_AHEAD 2048

/* By how many bytes a row of so many is asked for ahead. */
SIMD_INLINE uintptr_t simd_ahead_of(int64_t bytes) {
    return bytes >= SIMD_AHEAD ? SIMD_AHEAD : 0;
}

SIMD_INLINE void simd_ask(const void *from, uintptr_t ahead) {
    /* of narrower vectors there are too many in a line */
    if (SIMD_BYTES >= 32) __builtin_prefetch((const void *)((uintptr_t)from + ahead));
}
SIMD_INLINE f32v f32_load_ahead(const float *from, uintptr_t ahead) {
    simd_ask(from, ahead);
    return f32_load(from);
}
SIMD_INLINE f64v f64_load_ahead(const double *from, uintptr_t ahead) {
    simd_ask(from, ahead);
    return f64_load(from);
}

#endif
