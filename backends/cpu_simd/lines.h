/*
 * lines.h: the lines along one dimension of a launch's tensors, shared out among threads.
 *
 * Lines that lie side by side in all tensors (a step from one to the next) come together.
 */
#ifndef TERN_CPU_SIMD_LINES_H
#define TERN_CPU_SIMD_LINES_H

#include "../cpu_ref/walk.h"

#define LINES_TENSORS 3

/* `count` lines of `length` elements: data points to the first element of the first line, strides are
 * in elements. */
typedef struct line_group {
    char *data[LINES_TENSORS];
    int64_t along[LINES_TENSORS];  /* from one element of a line to the next */
    int64_t across[LINES_TENSORS]; /* from one line to the next */
    int64_t length, count;
} line_group;

/*
 * Calls work(arg, group) until every line along `dim` of the first input and all outputs was in one
 * group. A chunk of parallel_for has at least `grain` elements. Rank 0 is one line of one element.
 */
void tern_simd_each_line(const tern_kit_call *call, int32_t dim, int64_t grain,
                         void (*work)(void *arg, const line_group *group), void *arg);

#endif
