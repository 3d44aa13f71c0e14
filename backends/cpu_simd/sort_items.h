/*
 * sort_items.h: keys with the places they came from, sorted by key; equal keys keep their order.
 */
#ifndef TERN_CPU_SIMD_SORT_ITEMS_H
#define TERN_CPU_SIMD_SORT_ITEMS_H

#include <stdint.h>

/* A key of up to 32 bits above its place. */
typedef uint64_t narrow_item;

typedef struct wide_item {
    uint64_t key, place;
} wide_item;

/*
 * Sorts n < 2^32 items by keys of `bits` bits (8, 16, 32 or 64) with the help of as much memory again.
 * Returns which of the two holds the result.
 */
narrow_item *tern_simd_sort_narrow(narrow_item *items, narrow_item *other, int64_t n, int bits);
wide_item *tern_simd_sort_wide(wide_item *items, wide_item *other, int64_t n, int bits);

#endif
