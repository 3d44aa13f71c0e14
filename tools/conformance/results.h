/*
 * results.h: what a call returns, flattened: tensors, numbers and sizes in order.
 */
#ifndef TERN_TOOLS_RESULTS_H
#define TERN_TOOLS_RESULTS_H

#include "tern/tensor.h"

enum { MOST_RESULTS = 512 };

typedef struct results {
    size_t count;
    tern_value
        items[MOST_RESULTS]; /* TENSOR, INT, FLOAT, BOOL, INTS (a size), NONE, STRING, DTYPE */
    bool too_many;
} results;

/* A list of integers alone is one result, as a size is. */
void results_flatten(tern_value value, results *out_results);

/* The tensor itself; a number as a 0-dim tensor and a size as a 1-dim one, on the default device. Nil
 * after latching an error for what is neither. */
tern_tensor *result_tensor(tern_ctx *ctx, tern_value item);

#endif
