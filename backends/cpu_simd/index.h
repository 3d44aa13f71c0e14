/*
 * index.h: what the kernels that follow indices share.
 *
 * Where an index is out of its dimension they leave the launch to cpu_ref's kernel, which names it.
 */
#ifndef TERN_CPU_SIMD_INDEX_H
#define TERN_CPU_SIMD_INDEX_H

#include "../cpu_ref/walk.h"

/* What one chunk of parallel_for moves, in elements. */
#define INDEX_GRAIN 32768

/*
 * n elements of a typed loop; steps in elements, `scale` between two slices of the indexed dimension:
 *
 *     gather   to[j * to_step] = from[j * from_step + index[j * index_step] * scale]
 *     scatter  to[j * to_step + index[j * index_step] * scale] = reduce(that, from[j * from_step])
 *
 * Indices are valid for a scatter; a gather of `size` slices passes bad ones over, and says so.
 */
typedef struct index_row {
    void *to;
    const void *from;
    const int64_t *index;
    int64_t to_step, from_step, index_step, scale, n;
    int64_t size;
} index_row;

/* Elements of 1, 2, 4 or 8 bytes. False where an index was bad. */
bool tern_simd_gather_row(const index_row *row, int64_t element);

/* TERN_SCATTER_SET by the dtype's size; the others in the dtype. False where it has no such loop. */
bool tern_simd_can_scatter(int32_t reduce, int32_t dtype);
void tern_simd_scatter_row(const index_row *row, int32_t reduce, int32_t dtype);

/* to[i] += alpha * from[i], both dense, as INDEX_ADD adds. Of the dtypes that scatter has. */
void tern_simd_add_row(void *to, const void *from, int64_t n, int32_t dtype,
                       const tern_index_attrs *alpha);

/* Whether all indices of a tensor are within [low, size). */
bool tern_simd_indices_fit(const tern_kit_tensor *index, int64_t low, int64_t size);

#endif
