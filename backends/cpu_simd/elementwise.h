/*
 * elementwise.h: a row function over the positions of strided operands, for UNARY, BINARY and TERNARY.
 */
#ifndef TERN_CPU_SIMD_ELEMENTWISE_H
#define TERN_CPU_SIMD_ELEMENTWISE_H

#include "../cpu_ref/kernel.h"
#include "rows.h"

/* The output and up to three inputs. */
#define ELEMENTWISE_OPERANDS 4

/*
 * One launch. A row has elements of the dtype `row_dtype[k]` for operand k, the output being the first:
 * an operand's own dtype, but float32 for float16 and bfloat16, which are converted on the way.
 */
typedef struct tern_elementwise {
    tern_simd_row row;
    const void *attrs;
    int32_t operands; /* 2 to 4 */
    int32_t row_dtype[ELEMENTWISE_OPERANDS];
    const tern_kit_tensor *tensor[ELEMENTWISE_OPERANDS];
    int64_t grain; /* elements that are worth a thread */
} tern_elementwise;

/* Runs the row function over all positions, on the host's threads where there are many. */
void tern_simd_elementwise(const tern_host *host, const tern_elementwise *work);

/* Elements that are worth a thread of members that cost little more than their memory, and of others. */
#define ELEMENTWISE_GRAIN_CHEAP (INT64_C(1) << 15)
#define ELEMENTWISE_GRAIN_DEAR  (INT64_C(1) << 13)

#endif
