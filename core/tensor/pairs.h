/*
 * pairs.h: complex tensors as the real numbers that they consist of.
 *
 *     complex64 [n], strides [s], offset o      float32 [n, 2], strides [2 s, 1], offset 2 o
 *
 * A complex number lies in memory as two real ones, so other strides over the same storage show them, and no
 * device needs to know complex numbers.
 */
#ifndef TERN_CORE_PAIRS_H
#define TERN_CORE_PAIRS_H

#include "tensor.h"

/* A geometry in elements: of pairs of real numbers where `dtype` is complex. */
typedef struct tern_geometry {
    tern_dtype dtype;
    tern_shape shape, strides;
    int64_t offset;
} tern_geometry;

tern_geometry tern_geometry_of(const tern_tensor *tensor);

/* The same elements as pairs of real numbers; false where there is no room for the dimension more. A real
 * geometry stays. */
bool tern_geometry_pairs(tern_geometry *geometry);

/* Pairs of real numbers as complex ones; NULL, or why they lie otherwise. */
const char *tern_geometry_join(tern_geometry *geometry);

/* A handle over a complex tensor's pairs, of fewer dimensions than the most; nil after latching. No history,
 * no alias. */
tern_tensor *tern_pairs_over(const tern_tensor *tensor);

/* The same over the real (0) or the imaginary (1) parts, in the tensor's own shape. */
tern_tensor *tern_part_over(const tern_tensor *tensor, int part);

#endif
