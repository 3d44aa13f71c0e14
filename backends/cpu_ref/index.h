/*
 * index.h: what the kernels that follow indices share.
 */
#ifndef TERN_REF_INDEX_H
#define TERN_REF_INDEX_H

#include "walk.h"

/* An element of an int64 tensor. */
static inline int64_t tern_ref_index_at(const tern_kit_tensor *index, int64_t offset) {
    return ((const int64_t *)(const void *)index->data)[offset];
}

/* Whether 0 <= index < the size of `dim` of `tensor`; else sets the call's flag. */
bool tern_ref_index_valid(const tern_kit_call *call, int64_t index, const tern_kit_tensor *tensor,
                          int32_t dim);

/* Copies one element; equal dtypes. */
void tern_ref_move(const tern_kit_tensor *from, int64_t from_offset, const tern_kit_tensor *to,
                   int64_t to_offset);

/* to = reduce(to, alpha * from) for one element each, TERN_SCATTER_*; alpha counts for ADD alone.
 */
void tern_ref_combine(int32_t reduce, const tern_index_attrs *alpha, const tern_kit_tensor *from,
                      int64_t from_offset, const tern_kit_tensor *to, int64_t to_offset);

#endif
