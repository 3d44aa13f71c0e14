/*
 * sliding.h: how far the windows of convolutions, pools and unfold reach.
 */
#ifndef TERN_FUNCTIONAL_SLIDING_H
#define TERN_FUNCTIONAL_SLIDING_H

#include "tern/memory.h"

/* Elements from a window's first tap to its last, dilation * (kernel - 1) + 1. */
static inline int64_t tern_window_reach(int64_t kernel, int64_t dilation, bool *fits) {
    int64_t steps = tern_dim_mul(dilation, tern_dim_sub(kernel, 1, fits), fits);
    return tern_dim_add(steps, 1, fits);
}

/* A size with its padding on both sides. */
static inline int64_t tern_padded_size(int64_t size, int64_t padding, bool *fits) {
    return tern_dim_add(size, tern_dim_mul(2, padding, fits), fits);
}

/* The size that windows came from, (count - 1) * stride - 2 * padding + reach; a transposed convolution's
 * output. */
static inline int64_t tern_unpadded_size(int64_t count, int64_t stride, int64_t padding,
                                         int64_t reach, bool *fits) {
    int64_t last = tern_dim_mul(tern_dim_sub(count, 1, fits), stride, fits);
    last = tern_dim_sub(last, tern_dim_mul(2, padding, fits), fits);
    return tern_dim_add(last, reach, fits);
}

#endif
