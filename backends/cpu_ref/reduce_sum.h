/*
 * reduce_sum.h: the order in which PyTorch adds up, which every device keeps.
 */
#ifndef TERN_KIT_REDUCE_SUM_H
#define TERN_KIT_REDUCE_SUM_H

#include "kernel.h"

typedef struct tern_ref_sum_dim {
    int64_t size;
    int64_t in;  /* stride */
    int64_t out; /* stride, 0 where reduced */
} tern_ref_sum_dim;

/* Room for the dimensions of a sum. */
#define TERN_REF_SUM_DIMS (TERN_BACKEND_MAX_RANK + 2)

/*
 * The dimensions of a sum over the mask `reduced`, sorted and merged, closest first; returns how many,
 * at least 2. The first two form columns, numerics/sum_cascade.h says how those are added up; each index
 * of the others adds one more piece to the output, in row-major order.
 */
int32_t tern_ref_sum_plan(const tern_kit_tensor *in, const tern_kit_tensor *out, uint32_t reduced,
                          tern_ref_sum_dim *dims);

#endif
