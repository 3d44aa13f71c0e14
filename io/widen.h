/*
 * widen.h: numbers of files whose dtype Tern does not have, as another that holds them exactly: unsigned
 * integers as int64, float8 in its five forms as float32. Complex numbers have none.
 */
#ifndef TERN_IO_WIDEN_H
#define TERN_IO_WIDEN_H

#include "tern/tensor.h"

typedef struct tern_wide {
    const char *name; /* PyTorch's */
    uint32_t size;    /* bytes in the file */
    tern_dtype dtype; /* what holds them */
} tern_wide;

/* NULL where no dtype holds the numbers of that one, or it is Tern's own. */
const tern_wide *tern_wide_of(const char *torch_name);

/* A tensor of a file's row-major numbers, which are big endian where `swapped`. Nil after latching an error,
 * which an unsigned integer beyond int64 is too. */
tern_tensor *tern_widened(tern_ctx *ctx, const char *path, const tern_wide *wide,
                          const unsigned char *data, bool swapped, tern_shape shape);

#endif
