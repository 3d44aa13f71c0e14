/* resize.h: one dimension resized by a filter (resize_filter.c). */
#ifndef TERN_CORE_OPS_RESIZE_H
#define TERN_CORE_OPS_RESIZE_H

#include "core/ops/layout.h"

typedef struct tern_filter {
    int64_t in, out;
    double scale; /* input positions a step of the output */
    bool cubic, antialias, align_corners;
} tern_filter;

/* x with dimension `dim` resized from f->in to f->out; differentiable. */
tern_tensor *tern_filter_along(tern_opcall *call, tern_tensor *x, int dim, const tern_filter *f);

#endif
