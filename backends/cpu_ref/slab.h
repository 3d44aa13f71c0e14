/*
 * slab.h: what the kernels share that normalise along one dimension.
 *
 * A tensor is cut before that dimension: each index of the dimensions in front is a slab,
 *
 *     x[i][j]   i < length along the dimension, j < width over the dimensions behind it
 *
 * held as rows of doubles whose values are those of the dtype that is computed in, float32 or float64.
 * Every step rounds to it, and sums are added up in REDUCE's order, so that a kernel gives the bits of
 * the same steps one by one.
 */
#ifndef TERN_KIT_SLAB_H
#define TERN_KIT_SLAB_H

#include "kernel.h"

typedef struct tern_ref_slab {
    int64_t count, length, width;
    bool single;       /* float32 is computed in */
    double *x, *e;     /* [length][width] */
    double *max, *sum; /* [width] */
    float *room;       /* for sums of float32 */
} tern_ref_slab;

/* Slabs of a tensor of `like`'s shape; 16-bit dtypes compute in float32. False without memory. `x` goes
 * back by tern_kit_give: all the rest lies behind it. */
bool tern_ref_slab_take(const tern_kit_call *call, const tern_kit_tensor *like, int32_t dim,
                        int32_t dtype, tern_ref_slab *out_slab);

/* What a tensor holds from dimension `dim` on at the index-th position of those in front, in row-major
 * order, and back. Any strides, any floating dtype. */
void tern_ref_slab_load(const tern_kit_tensor *tensor, int32_t dim, int64_t index, double *out);
void tern_ref_slab_store(const tern_kit_tensor *tensor, int32_t dim, int64_t index,
                         const double *values);

/* out[j] = the sum over i of x[i][j]. */
void tern_ref_slab_sum(const tern_ref_slab *slab, const double *x, double *out);

/* max = the maximum of x over i, x -= max, e = exp(x), sum = the sum of e over i. */
void tern_ref_slab_shift(tern_ref_slab *slab);

/* Rounded to what is computed in. */
static inline double tern_ref_slab_round(const tern_ref_slab *slab, double value) {
    return slab->single ? (double)(float)value : value;
}

#endif
